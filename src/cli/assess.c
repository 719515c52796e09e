/* muster assess: one assessment of this machine by a policy server. */
#include "cli/local.h"
#include "cli/secret.h"

#include <stdio.h>
#include <string.h>

enum { DEFAULT_PORT = 271 }; /* PT-R1, RFC 6876 §3.2 */

/* NAME, ADDRESS, [ADDRESS], an IPv6 address as it is; all but the last with :PORT. False: it is none of them. */
static bool split_host(const char *text, char *host, size_t size, uint16_t *port)
{
    const char *begin = text, *end, *colon = strchr(text, ':');
    uint64_t number = DEFAULT_PORT;
    if (*text == '[') {
        begin = text + 1;
        end = strchr(begin, ']');
        if (!end || (end[1] != 0 && end[1] != ':'))
            return false;
        colon = end[1] ? end + 1 : NULL;
    } else {
        if (colon && strchr(colon + 1, ':'))
            colon = NULL; /* more than one: an IPv6 address without brackets */
        end = colon ? colon : text + strlen(text);
    }
    if (colon && (!bytes_number(bytes_of(colon + 1), &number) || number == 0 || number > UINT16_MAX))
        return false;
    *port = (uint16_t)number;
    snprintf(host, size, "%.*s", (int)(end - begin), begin);
    return end > begin && (size_t)(end - begin) < size;
}

/* A text of several lines, the later ones indented as the first. */
static void print_text(struct wr *out, const char *label, const char *text)
{
    struct bytes rest = bytes_of(text);
    while (rest.n) {
        struct bytes line = bytes_split(&rest, '\n');
        wr_fmt(out, "%-13s", label);
        wr_bytes(out, line);
        wr_str(out, "\n");
        label = "";
    }
}

static void print_plain(struct cli *cli, const struct agent_verdict *v)
{
    struct wr *out = cli_out(cli);
    for (size_t i = 0; i < v->validator_count; i++) {
        wr_fmt(out, "%-12s %s\n", v->validators[i].name, nea_result_name(v->validators[i].result));
        print_text(out, "  to mend:", v->validators[i].remediation);
    }
    wr_fmt(out, "result:      %s\n", nea_result_name(v->result));
    print_text(out, "reason:", v->reason);
    print_text(out, "remediation:", v->remediation);
    wr_fmt(out, "sent:        %u events, %u records in %.0f ms\n", v->events_sent, v->records_sent, v->seconds * 1000);
    wr_fmt(out, "access: %s\n", nea_access_name(v->access));
}

static void print_json(struct cli *cli, const struct agent_verdict *v)
{
    struct json j = cli_json_begin(cli, "assess");
    json_string(&j, "access", nea_access_name(v->access));
    json_string(&j, "result", nea_result_name(v->result));
    json_string(&j, "reason", v->reason);
    json_string(&j, "remediation", v->remediation);
    json_array(&j, "validators");
    for (size_t i = 0; i < v->validator_count; i++) {
        json_object(&j, NULL);
        json_string(&j, "name", v->validators[i].name);
        json_string(&j, "result", v->validators[i].given ? nea_result_name(v->validators[i].result) : NULL);
        json_string(&j, "remediation", v->validators[i].remediation);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_number(&j, "events_sent", v->events_sent);
    json_number(&j, "records_sent", v->records_sent);
    json_number(&j, "batches", v->batches);
    json_number(&j, "milliseconds", (int64_t)(v->seconds * 1000));
    json_object_end(&j);
    wr_str(cli_out(cli), "\n");
}

/* Does it, prints it; the exit status as if all packages were known. */
static int assess(struct cli *cli, const struct agent_assessment *a)
{
    struct agent_verdict verdict;
    struct error error = {""};
    if (agent_assess(a, &verdict, &error) != AGENT_OK)
        return cli_fail(cli, EXIT_UNREACHED, "%s", error.text);
    if (cli_json(cli))
        print_json(cli, &verdict);
    else
        print_plain(cli, &verdict);
    return verdict.access == NEA_ACCESS_ALLOWED ? EXIT_DONE : EXIT_NO;
}

/* A certificate with its key, a name with its password, or both; EXIT_DONE, or what was said. */
static int take_identity(struct cli *cli, struct agent_assessment *a, struct secret *password)
{
    const char *user = cli_value(cli, "user"), *file = cli_value(cli, "password-file");
    a->ca = cli_value(cli, "ca");
    a->certificate = cli_value(cli, "cert");
    a->key = cli_value(cli, "key");
    if (!a->ca)
        return cli_usage(cli, "--ca FILE is missing");
    if (!a->certificate != !a->key)
        return cli_usage(cli, "--%s FILE is missing", a->certificate ? "key" : "cert");
    if (!user != !file)
        return cli_usage(cli,
                         user ? "--password-file FILE is missing (\"-\": standard input)" : "--user NAME is missing");
    if (!user)
        return a->key ? EXIT_DONE
                      : cli_usage(
                            cli, "who is it? Give --cert FILE and --key FILE, or --user NAME and --password-file FILE");
    a->user = bytes_of(user);
    if (!nea_login_text(a->user))
        return cli_usage(cli, "--user takes 1 to %d octets of UTF-8 without control characters", NEA_LOGIN_TEXT_MAX);
    if (!cli_secret(cli, "password-file", password))
        return EXIT_USAGE;
    a->password = password->view;
    return EXIT_DONE;
}

static int run(struct cli *cli)
{
    char host[256];
    struct secret password = {.view = {NULL, 0}};
    uint64_t timeout, max_message;
    struct journal_report report;
    struct agent_posture posture;
    struct agent_inventory inventory = {0};
    struct agent_assessment a = {
        .host = host,
        .posture = &posture,
        .inventory = &inventory,
        .language = cli_value(cli, "language"),
    };
    if (!split_host(cli_argument(cli, 0), host, sizeof host, &a.port))
        return cli_usage(cli, "\"%s\" is no HOST[:PORT]; an IPv6 address with a port is written [ADDRESS]:PORT",
                         cli_argument(cli, 0));
    if (!cli_unsigned(cli, "timeout", 60, 86400, &timeout) ||
        !cli_unsigned(cli, "max-message", 0, UINT32_MAX, &max_message))
        return EXIT_USAGE;
    a.timeout_ms = (unsigned)(timeout ? timeout : 1) * 1000;
    a.limits.max_message = max_message;
    if (!a.language)
        a.language = "en";
    int status = take_identity(cli, &a, &password);
    if (status != EXIT_DONE)
        return status;

    /* EXIT_UNKNOWN: a package database could not be read, the journal tells what was known before. */
    int known = local_collect(cli, cli_state(cli), &inventory.journal, &report);
    if (known != EXIT_DONE && known != EXIT_UNKNOWN)
        return known;
    agent_posture_read(cli_root(cli), &posture);
    status = assess(cli, &a);
    cli_secret_forget(&password);
    journal_close(inventory.journal);
    return known == EXIT_UNKNOWN && status != EXIT_UNREACHED ? known : status;
}

static const struct cli_option options[] = {
    {"ca", "FILE", "the CA that the server's certificate must come from (PEM)"},
    {"cert", "FILE", "this machine's certificate (PEM)"},
    {"key", "FILE", "the key of that certificate (PEM)"},
    {"user", "NAME", "the name to log in by, where the server wants a login"},
    {"password-file", "FILE", "its password, the one line of FILE (\"-\": standard input)"},
    {"timeout", "S", "give up after so many seconds (default: 60)"},
    {"max-message", "N", "send no PA-TNC message of more than N octets; larger ones are segmented"},
    {"language", "TAG", "in which the server shall explain itself (default: en)"},
    {NULL, NULL, NULL},
};

const struct cli_command cli_assess = {
    .noun = "assess",
    .arguments = "HOST[:PORT]",
    .summary = "one assessment by a policy server over PT-TLS; exit 0 only if access is allowed",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = options,
    .run = run,
};
