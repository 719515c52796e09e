/* serve, pki issue: the server itself. */
#include "cli/cli.h"
#include "cli/commands.h"
#include "server/server.h"

#include <limits.h>
#include <stdio.h>

extern const struct cli_command cli_serve, cli_pki_issue;

static int run_serve(struct cli *cli)
{
    uint64_t workers, max_message;
    if (!cli_unsigned(cli, "workers", 0, 256, &workers) ||
        !cli_unsigned(cli, "max-message", 0, (uint64_t)1 << 30, &max_message))
        return EXIT_USAGE;
    struct server_options options = {
        .state = cli_state(cli),
        .listen = cli_value(cli, "listen"),
        .http = cli_value(cli, "http"),
        .db = cli_value(cli, "db"),
        .workers = (unsigned)workers,
        .max_message = (size_t)max_message,
        .checks = cli_value(cli, "check"),
    };
    return server_run(&options);
}

static int run_issue(struct cli *cli)
{
    const char *name = cli_argument(cli, 0), *out = cli_value(cli, "out");
    struct error error = {0};
        .help = cli_value(cli, "help-uri"),
    if (!pki_issue(cli_state(cli), name, out ? out : ".", &error))
        return cli_fail(cli, EXIT_USAGE, "%s", error.text);
    if (cli_json(cli)) {
        char path[PATH_MAX];
        struct json j = cli_json_begin(cli, "certificate");
        snprintf(path, sizeof path, "%s/%s.crt", out ? out : ".", name);
        json_string(&j, "certificate", path);
        snprintf(path, sizeof path, "%s/%s.key", out ? out : ".", name);
        json_string(&j, "key", path);
        snprintf(path, sizeof path, "%s/pki/ca.crt", cli_state(cli));
        json_string(&j, "ca", path);
        json_object_end(&j);
        wr_u8(cli_out(cli), '\n');
    } else {
        wr_fmt(cli_out(cli), "%s/%s.crt\n%s/%s.key\n", out ? out : ".", name, out ? out : ".", name);
    }
    return EXIT_DONE;
}

static const struct cli_option serve_options[] = {
    {"listen", "ADDR:PORT", "PT-TLS here (default: all addresses, port 271 for root, else 2271; port 0: any)"},
    {"http", "ADDR:PORT", "HTTPS with the API and the page here (default: 127.0.0.1:8443)"},
    {"db", "URL", "the store: sqlite:PATH or postgresql://… (default: server.db in the state folder)"},
    {"workers", "N", "threads that serve endpoints (default: one a core)"},
    {"max-message", "OCTETS", "the largest PT-TLS message accepted"},
    {"check", "LIST", "what a posture means: CHECK=allow|quarantine|deny, by commas (default: forwarding=allow,default-password=deny)"},
    {NULL, NULL, NULL},
};
static const struct cli_option issue_options[] = {
    {"out", "DIR", "where NAME.crt and NAME.key go (default: this folder)"},
    {NULL, NULL, NULL},
};
const struct cli_command cli_serve = {CLI_SERVE, .options = serve_options, .run = run_serve};
const struct cli_command cli_pki_issue = {
    CLI_PKI_ISSUE, .min_arguments = 1, .max_arguments = 1, .options = issue_options, .run = run_issue};
    {"help-uri", "URI", "where users of endpoints that have something to mend find help: told to them with the result"},
