/* muster account: passwords of endpoints without a certificate, on the server's state folder. */
#include "cli/commands.h"
#include "cli/secret.h"
#include "server/server.h"

#include <string.h>

enum { DEFAULT_ITERATIONS = 4096, MIN_ITERATIONS = 4096, MAX_ITERATIONS = 1000000 }; /* of RFC 7677 §4 */

static int exit_of(const struct cli *cli, enum server_status status, const struct error *error)
{
    if (status == SERVER_ABSENT)
        return cli_fail(cli, EXIT_NOT_FOUND, "there is no account \"%s\"", cli_argument(cli, 0));
    return status == SERVER_OK ? EXIT_DONE : cli_fail(cli, server_exit(status), "%s", error->text);
}

static void print_change(struct cli *cli, const char *what)
{
    if (cli_json(cli)) {
        struct json j = cli_json_begin(cli, "account");
        json_str(&j, "name", cli_argument(cli, 0));
        json_str(&j, "change", what);
        json_object_end(&j);
        wr_u8(cli_out(cli), '\n');
    } else {
        wr_fmt(cli_out(cli), "%s: %s%s\n", cli_argument(cli, 0), what, strcmp(what, "replaced") == 0 ? " (the password before is no longer valid)" : "");
    }
}

static int run_add(struct cli *cli)
{
    struct secret password;
    struct error error = {""};
    if (!cli_value(cli, "password-file"))
        return cli_usage(cli, "--password-file FILE is missing (\"-\": standard input)");
    if (!cli_secret(cli, "password-file", &password))
        return EXIT_USAGE;
    uint32_t iterations = (uint32_t)cli_number(cli, "iterations", DEFAULT_ITERATIONS);
    bool replaced;
    enum server_status status =
        account_add(cli_state(cli), cli_argument(cli, 0), password.view, iterations, &replaced, &error);
    cli_secret_forget(&password);
    int code = exit_of(cli, status, &error);
    if (code == EXIT_DONE)
        print_change(cli, replaced ? "replaced" : "added");
    return code;
}

static int run_remove(struct cli *cli)
{
    struct error error = {""};
    int code = exit_of(cli, account_remove(cli_state(cli), cli_argument(cli, 0), &error), &error);
    if (code == EXIT_DONE)
        print_change(cli, "removed");
    return code;
}

struct listing {
    struct cli *cli;
    struct json *json; /* NULL: lines */
};

static void print_account(void *context, struct bytes name, uint32_t iterations)
{
    struct listing *l = context;
    if (l->json) {
        json_object_begin(l->json, NULL);
        json_text(l->json, "name", name);
        json_str(l->json, "mechanism", "SCRAM-SHA-256");
        json_number(l->json, "iterations", iterations);
        json_object_end(l->json);
    } else {
        wr_bytes(cli_out(l->cli), name);
        wr_u8(cli_out(l->cli), '\n');
    }
}

static int run_list(struct cli *cli)
{
    struct error error = {""};
    struct json j;
    struct listing l = {.cli = cli};
    if (cli_json(cli)) {
        j = cli_json_begin(cli, "accounts");
        json_array_begin(&j, "items");
        l.json = &j;
    }
    enum server_status status = account_each(cli_state(cli), print_account, &l, &error);
    if (status != SERVER_OK)
        wr_reset(cli_out(cli)); /* half a list is none */
    else if (l.json) {
        json_array_end(&j);
        json_object_end(&j);
        wr_u8(cli_out(cli), '\n');
    }
    return exit_of(cli, status, &error);
}

static const char add_more[] =
    "NAME is 1 to 64 letters, digits, . - _ @, not beginning with . or -, as it is for muster pki issue. A password is prepared as RFC 4013\n"
    "says, so that composed and decomposed letters are the same; control and private characters are refused. What is kept is in\n"
    "STATE/endpoints.passwd, mode 0600: for each name a verifier of SCRAM-SHA-256 (RFC 5803), not the password. A running server takes it at\n"
    "the next login; nothing needs a restart. The endpoint then logs in with its name and the same file:\n\n"
    "  muster assess SERVER --ca ca.crt --user NAME --password-file FILE\n\n"
    "These accounts are endpoints'. People and programs that use the API have the token of STATE/token.txt: see muster serve --help.";
static const struct cli_option add_options[] = {
    {"password-file", "FILE", "its password, the one line of FILE (\"-\": standard input)"},
    {"iterations", "N", "what a guess costs, and a login the endpoint (default: 4096)", MIN_ITERATIONS, MAX_ITERATIONS},
    {NULL, NULL, NULL},
};

const struct cli_command cli_account_add = {
    CLI_ACCOUNT_ADD,
    .more = add_more,
    .min_arguments = 1,
    .max_arguments = 1,
    .options = add_options,
    .run = run_add,
};
const struct cli_command cli_account_list = {
    CLI_ACCOUNT_LIST,
    .plain = "name",
    .run = run_list,
};
const struct cli_command cli_account_remove = {
    CLI_ACCOUNT_REMOVE,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run_remove,
};
