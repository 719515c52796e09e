/* muster assess: one assessment of this machine by a policy server. */
#include "cli/assess.h"
#include "cli/output.h"
#include "cli/tag_out.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEFAULT_PORT = 271 }; /* PT-R1, RFC 6876 §3.2 */
enum { DEFAULT_TIMEOUT = 60, MAX_TIMEOUT = 86400 }; /* seconds */

/* What a validator has told already is not told again. */
static bool is_told(const struct agent_verdict *v, struct bytes line)
{
    for (size_t i = 0; i < v->validator_count; i++)
        for (struct bytes rest = bytes_of(v->validators[i].remediation); rest.n;)
            if (bytes_equal(bytes_split(&rest, '\n'), line))
                return true;
    return false;
}

/* A text of several lines, the later ones indented as the first. */
static void print_text(struct wr *out, const char *label, const char *text, const struct agent_verdict *but_of)
{
    struct bytes rest = bytes_of(text);
    while (rest.n) {
        struct bytes line = bytes_split(&rest, '\n');
        if (but_of && is_told(but_of, line))
            continue;
        wr_fmt(out, "%-13s", label);
        wr_bytes(out, line);
        wr_str(out, "\n");
        label = "";
    }
}

static void print_server(struct wr *out, const struct agent_server *s)
{
    char time[TIME_TEXT];
    if (!s->took_part) {
        wr_str(out, "server:      was not assessed: it takes no part in mutual assessments\n");
        return;
    }
    time_format(s->last_boot, time);
    wr_fmt(out, "server:      %s, %s %s", nea_result_name(s->result), s->product[0] ? s->product : "an unknown system", s->version);
    if (s->last_boot != TIME_UNKNOWN)
        wr_fmt(out, ", up since %s", time);
    wr_fmt(out, "%s\n", s->forwarding == 1 ? ", forwards IP packets" : "");
    print_text(out, "", s->reason, NULL);
}

/* A text of several lines is one cell. */
static void print_record(struct wr *out, const char *kind, const char *name, const char *value, const char *text)
{
    const struct bytes cells[] = {bytes_of(kind), bytes_of(name), bytes_of(value), bytes_of(text)};
    cli_put_plain(out, cells, ARRAY_LENGTH(cells));
}

/* What the server could not store it does not have. */
static const char *sent_or_not(const struct agent_verdict *v)
{
    return v->taken ? "sent" : "not taken";
}

static void print_records(struct cli *cli, const struct agent_verdict *v, const struct agent_server *server)
{
    struct wr *out = cli_out(cli);
    char count[3][12];
    for (size_t i = 0; i < v->validator_count; i++)
        print_record(out, "validator", v->validators[i].name,
                     v->validators[i].given ? nea_result_name(v->validators[i].result) : "", v->validators[i].remediation);
    print_record(out, "result", "", nea_result_name(v->result), v->reason);
    print_record(out, "remediation", "", "", v->remediation);
    snprintf(count[0], sizeof count[0], "%u", v->events_sent);
    snprintf(count[1], sizeof count[1], "%u", v->records_sent);
    snprintf(count[2], sizeof count[2], "%u", v->tags_sent);
    print_record(out, sent_or_not(v), "events", count[0], "");
    print_record(out, sent_or_not(v), "records", count[1], "");
    print_record(out, sent_or_not(v), "tags", count[2], "");
    if (server)
        print_record(out, "server", server->product, server->took_part ? nea_result_name(server->result) : "",
                     server->took_part ? server->reason : "");
    wr_fmt(out, "access: %s\n", nea_access_name(v->access)); /* as without --plain: scripts look at the last line */
}

static void print_outline(struct cli *cli, const struct agent_verdict *v, const struct agent_server *server)
{
    struct wr *out = cli_out(cli);
    for (size_t i = 0; i < v->validator_count; i++) {
        wr_fmt(out, "%-12s %s\n", v->validators[i].name, nea_result_name(v->validators[i].result));
        print_text(out, "  to mend:", v->validators[i].remediation, NULL);
    }
    wr_fmt(out, "result:      %s\n", nea_result_name(v->result));
    print_text(out, "reason:", v->reason, NULL);
    print_text(out, "remediation:", v->remediation, v);
    wr_fmt(out, "%s:%*s%u events, %u records in %.0f ms\n", sent_or_not(v), v->taken ? 8 : 3, "", v->events_sent, v->records_sent,
           v->seconds * 1000);
    if (cli_value(cli, "tags"))
        wr_fmt(out, "tags:        %u %s\n", v->tags_sent, v->tags_asked ? "asked for and sent" : "sent: the server asked for none, it has those that it wants");
    if (server)
        print_server(out, server);
    wr_fmt(out, "access: %s\n", nea_access_name(v->access));
}

static void json_answer(struct json *j, const char *key, int answer)
{
    if (answer < 0)
        json_none(j, key);
    else
        json_bool(j, key, answer == 1);
}

static void json_server(struct json *j, const struct agent_server *s)
{
    json_object_begin(j, "server");
    json_bool(j, "took_part", s->took_part);
    json_str(j, "result", s->access != NEA_ACCESS_NONE ? nea_result_name(s->result) : NULL);
    json_str(j, "access", nea_access_name(s->access));
    json_str(j, "reason", s->took_part ? s->reason : NULL);
    json_str(j, "product", s->took_part ? s->product : NULL);
    json_str(j, "version", s->took_part ? s->version : NULL);
    json_time(j, "last_boot", s->took_part ? s->last_boot : TIME_UNKNOWN);
    json_answer(j, "forwarding", s->took_part ? s->forwarding : -1);
    json_answer(j, "default_password", s->took_part ? s->default_password : -1);
    json_object_end(j);
}

static void print_json(struct cli *cli, const struct agent_verdict *v, const struct agent_server *server)
{
    struct json j = cli_json_begin(cli, "assess");
    json_str(&j, "access", nea_access_name(v->access));
    json_str(&j, "result", nea_result_name(v->result));
    json_str(&j, "reason", v->reason);
    json_str(&j, "remediation", v->remediation);
    json_array_begin(&j, "validators");
    for (size_t i = 0; i < v->validator_count; i++) {
        json_object_begin(&j, NULL);
        json_str(&j, "name", v->validators[i].name);
        json_str(&j, "result", v->validators[i].given ? nea_result_name(v->validators[i].result) : NULL);
        json_str(&j, "remediation", v->validators[i].remediation);
        json_object_end(&j);
    }
    json_array_end(&j);
    if (server)
        json_server(&j, server);
    json_number(&j, "events_sent", v->taken ? v->events_sent : 0);
    json_number(&j, "records_sent", v->taken ? v->records_sent : 0);
    json_number(&j, "tags_sent", v->taken ? v->tags_sent : 0);
    json_number(&j, "not_taken", v->taken ? 0 : (int64_t)v->events_sent + v->records_sent);
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
    enum agent_status status = agent_assess(a, &verdict, &error);
    if (status != AGENT_OK)
        return cli_fail(cli, assessment_exit(status), "%s", error.text);
    (cli_json(cli) ? print_json : cli_plain(cli) ? print_records : print_outline)(cli, &verdict, a->server);
    if (verdict.access != NEA_ACCESS_ALLOWED)
        return EXIT_NO;
    if (!a->server || a->server->access == NEA_ACCESS_ALLOWED)
        return EXIT_DONE;
    return a->server->access == NEA_ACCESS_NONE || a->server->result == NEA_DONT_KNOW ? EXIT_UNKNOWN : EXIT_NO;
}

/* A certificate with its key, a name with its password, or both; EXIT_DONE, or what was said. */
static int take_identity(struct cli *cli, struct prepared *p)
{
    struct agent_assessment *a = &p->a;
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
    if (!cli_secret(cli, "password-file", &p->password))
        return EXIT_USAGE;
    a->user = (struct bytes){p->user, net_saslprep(bytes_of(user), p->user, sizeof p->user)};
    a->password = (struct bytes){p->password.text, net_saslprep(p->password.view, p->password.text, SECRET_MAX)};
    if (!nea_login_text(a->user))
        return cli_usage(cli, "--user takes 1 to %d octets of UTF-8 without control or private characters (RFC 4013)", NEA_LOGIN_TEXT_MAX);
    if (!nea_login_text(a->password))
        return cli_fail(cli, EXIT_USAGE, "%s: this is no password: it has control or private characters, or letters of both writing directions (RFC 4013)",
                        file);
    return EXIT_DONE;
}

/* What records look like. False: a usage error was printed. */
static bool take_tags(struct cli *cli, struct prepared *p)
{
    const char *tags = cli_value(cli, "tags"), *format = cli_value(cli, "tag-format");
    bool full = tags && strcmp(tags, "full") == 0, known = tag_format_find(format, &p->inventory.model);
    snprintf(p->cache, sizeof p->cache, "%s/hashes.db", cli_state(cli));
    p->tags.full = true;
    p->tags.hashes = MEASURE_SHA256;
    p->tags.root = cli_root(cli);
    p->tags.cache = p->cache;
    p->inventory.tags = full ? &p->tags : NULL;
    if (tags && !full && strcmp(tags, "plain") != 0)
        cli_usage(cli, "--tags is plain or full, not \"%s\"", tags);
    else if (!known)
        cli_usage(cli, "--tag-format is swid, swid2009 or coswid, not \"%s\"", format);
    else
        return true;
    return false;
}

/* Late, before the server was asked anything: what was read by then is kept. */
static int give_up(struct cli *cli, const struct prepared *p)
{
    return cli_fail(cli, EXIT_UNREACHED,
                    "%s:%u: not asked within %" PRIu64 " s: this machine's files were still being read; what was read is kept, so run it again, or give "
                    "it more time with --timeout",
                    p->a.host, p->a.port, cli_number(cli, "timeout", 0));
}

static bool is_late(const struct prepared *p)
{
    return p->tags.until && time_monotonic_ms() >= p->tags.until;
}

/* All files are read before the server begins to wait. */
static int warm_tags(struct cli *cli, struct prepared *p)
{
    struct error error = {""};
    bool warm = !p->inventory.tags || agent_records_warm(&p->inventory, &error);
    if (is_late(p))
        return give_up(cli, p);
    if (!warm)
        log_line(LOG_WARNING, "hashes are not kept: %s", error.text);
    return EXIT_DONE;
}

/* An agent has the state folder for itself. */
static int claim(struct cli *cli, struct prepared *p)
{
    struct error error = {""};
    p->claim = agent_claim(cli_state(cli), &error);
    return p->claim >= 0 ? EXIT_DONE : cli_fail(cli, EXIT_USAGE, "%s", error.text);
}

int prepare_assessment(struct cli *cli, bool stays, struct prepared *p)
{
    const char *language = cli_value(cli, "language");
    struct journal_report report;
    *p = (struct prepared){.claim = -1, .server = {.port = DEFAULT_PORT}, .a = {.language = language ? language : "en"}};
    struct error error = {""};
    uint64_t seconds = stays ? 0 : cli_number(cli, "timeout", 0);
    p->tags.until = seconds ? time_monotonic_ms() + seconds * 1000 : 0;
    p->a.posture = &p->posture;
    p->a.inventory = &p->inventory;
    if (!net_address_parse(cli_argument(cli, 0), NET_CALL, &p->server, &error))
        return cli_usage(cli, "%s", error.text);
    p->a.host = p->server.host;
    p->a.port = p->server.port;
    if (!nea_language_valid(bytes_of(p->a.language)))
        return cli_usage(cli, "--language takes language tags, as in \"de, en;q=0.5\"");
    p->a.limits.max_message = cli_number(cli, "max-message", 0);
    const char *factory = cli_value(cli, "default-password");
    if (factory && strcmp(factory, "yes") != 0 && strcmp(factory, "no") != 0)
        return cli_usage(cli, "--default-password is yes or no, not \"%s\"", factory);
    if (!take_tags(cli, p))
        return EXIT_USAGE;
    int status = take_identity(cli, p);
    if (status == EXIT_DONE && stays)
        status = claim(cli, p);
    if (status == EXIT_DONE)
        status = local_collect(cli, cli_state(cli), &p->inventory.journal, &report);
    if (status == EXIT_DONE || status == EXIT_UNKNOWN) {
        agent_posture_read(cli_root(cli), &p->posture);
        int warm = warm_tags(cli, p);
        status = warm == EXIT_DONE ? status : warm;
    }
    if (factory)
        p->posture.default_password = strcmp(factory, "yes") == 0;
    return status;
}

int assessment_exit(enum agent_status status)
{
    return status == AGENT_OK ? EXIT_DONE : status == AGENT_REFUSED ? EXIT_USAGE : EXIT_UNREACHED;
}

void prepared_free(struct prepared *p)
{
    cli_secret_forget(&p->password);
    journal_close(p->inventory.journal);
    if (p->claim >= 0)
        close(p->claim);
}

static void keep_capture(void *context, struct bytes octets)
{
    output_write(context, octets);
}

/* With what is said within TLS kept in a file. */
static int assess_captured(struct cli *cli, struct agent_assessment *a)
{
    const char *path = cli_value(cli, "capture");
    struct error error = {""};
    struct output file;
    if (!path)
        return assess(cli, a);
    umask(077); /* a password may stand in it */
    if (!output_open(&file, path, &error))
        return cli_fail(cli, EXIT_USAGE, "%s", error.text);
    a->capture = keep_capture;
    a->capture_context = &file;
    int status = assess(cli, a);
    if (!output_close(&file, true, &error))
        return cli_fail(cli, EXIT_USAGE, "%s", error.text);
    return status;
}

static int run(struct cli *cli)
{
    struct prepared p;
    int status, known = prepare_assessment(cli, false, &p);
    struct agent_server server = {.last_boot = TIME_UNKNOWN};
    if (cli_flag(cli, "mutual"))
        p.a.server = &server;
    uint64_t now = time_monotonic_ms(); /* what is left; without --timeout all of the default is the server's */
    p.a.timeout_ms = p.tags.until > now ? (unsigned)(p.tags.until - now) : p.tags.until ? 1 : DEFAULT_TIMEOUT * 1000;
    status = known == EXIT_DONE || known == EXIT_UNKNOWN ? assess_captured(cli, &p.a) : known;
    prepared_free(&p);
    return known == EXIT_UNKNOWN && status != EXIT_UNREACHED ? known : status;
}

static const struct cli_option options[] = {
    ASSESS_OPTIONS,
    {"mutual", NULL, "assess the server, too, where it is served with --mutual; exit 1 also if it does not satisfy, 3 if it does not tell"},
    {"capture", "FILE", "keep what both sides said within TLS in this file, for muster decode; it is worth as much as the login: a password\n"
                "that went as PLAIN stands in it"},
    {"timeout", "S", "give up after so many seconds, in which this machine is read, too (default: 60 from the first word to the server)", 1, MAX_TIMEOUT},
    {NULL, NULL, NULL},
};

const struct cli_command cli_assess = {
    .noun = "assess",
    .arguments = "HOST[:PORT]",
    .summary = "one assessment by a policy server over PT-TLS; exit 0 only if access is allowed",
    .plain = "kind (validator, result, remediation, sent or not taken, server), name, value, text; the last line is \"access: VERDICT\"",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = options,
    .run = run,
};
