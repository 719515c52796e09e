/* serve, pki issue: the server itself. */
#include "agent/agent.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/tag_signature.h"
#include "server/server.h"

#include <limits.h>
#include <stdio.h>

extern const struct cli_command cli_serve, cli_pki_issue;

static int run_serve(struct cli *cli)
{
    const char *names[SERVER_NAMES_MAX];
    unsigned count = 0;
    if (cli_flag(cli, "openapi")) {
        server_describe(cli_out(cli));
        return EXIT_DONE;
    }
    for (const char *name; (name = cli_nth(cli, "name", count)); count++) {
        if (count == SERVER_NAMES_MAX)
            return cli_usage(cli, "at most %d --name options", SERVER_NAMES_MAX);
        if (!pki_name_valid(name))
            return cli_usage(cli, "--name takes a DNS name without wildcards or an IP address, not \"%s\"", name);
        names[count] = name;
    }
    static const struct nea_component *const collectors[] = {&agent_os_collector};
    struct agent_posture posture;
    void *const contexts[] = {&posture};
    const struct nea_mutual mutual = {
        .language = "en", .components = collectors, .contexts = contexts, .component_count = ARRAY_LENGTH(collectors)};
    const char *trust_tags = cli_value(cli, "trust-tags");
    struct error error = {""};
    struct tag_judge *judge = trust_tags ? tag_judge_new(trust_tags, &error) : NULL;
    const struct server_trust trust = {tag_judge_signed_by, judge};
    if (trust_tags && !judge)
        return cli_fail(cli, EXIT_USAGE, "%s", error.text);
    agent_posture_read("/", &posture);
    posture.root = "/";
    struct server_options options = {
        .state = cli_state(cli),
        .listen = cli_value(cli, "listen"),
        .http = cli_value(cli, "http"),
        .db = cli_value(cli, "db"),
        .names = names,
        .name_count = count,
        .workers = (unsigned)cli_number(cli, "workers", 0),
        .max_message = (size_t)cli_number(cli, "max-message", 0),
        .max_strangers = (unsigned)cli_number(cli, "max-strangers", 0),
        .checks = cli_value(cli, "check"),
        .verify = (unsigned)cli_number(cli, "verify", 0),
        .trust = judge ? &trust : NULL,
        .help = cli_value(cli, "help-uri"),
        .mutual = cli_flag(cli, "mutual") ? &mutual : NULL,
        .json = cli_json(cli),
    };
    int status = server_run(&options);
    tag_judge_free(judge);
    return status;
}

static int run_issue(struct cli *cli)
{
    const char *name = cli_argument(cli, 0), *out = cli_value(cli, "out");
    struct error error = {0};
    enum server_status status = pki_issue(cli_state(cli), name, out ? out : ".", &error);
    if (status != SERVER_OK)
        return cli_fail(cli, server_exit(status), "%s", error.text);
    if (cli_json(cli)) {
        char path[PATH_MAX];
        struct json j = cli_json_begin(cli, "certificate");
        snprintf(path, sizeof path, "%s/%s.crt", out ? out : ".", name);
        json_str(&j, "certificate", path);
        snprintf(path, sizeof path, "%s/%s.key", out ? out : ".", name);
        json_str(&j, "key", path);
        snprintf(path, sizeof path, "%s/pki/ca.crt", cli_state(cli));
        json_str(&j, "ca", path);
        json_object_end(&j);
        wr_u8(cli_out(cli), '\n');
    } else {
        wr_fmt(cli_out(cli), "%s/%s.crt\n%s/%s.key\n", out ? out : ".", name, out ? out : ".", name);
    }
    return EXIT_DONE;
}

static const struct cli_option serve_options[] = {
    {"listen", "ADDR:PORT", "PT-TLS here; either may be left out (default: all addresses, port 271 for root, else 2271; port 0: any)"},
    {"http", "ADDR:PORT", "HTTPS with the API and the page here (default: 127.0.0.1:8443)"},
    {"db", "URL", "the store: sqlite:PATH or postgresql://… (default: server.db in the state folder)"},
    {"name", "NAME", "a DNS name or an address by which endpoints reach it, for its certificate; as often as needed"},
    {"workers", "N", "threads that serve endpoints (default: one a core)", 1, SERVER_WORKERS_MAX},
    {"max-message", "OCTETS", "the largest PT-TLS message accepted (default: 2097168)", SERVER_MESSAGE_MIN, SERVER_MESSAGE_MAX},
    {"max-strangers", "N",
     "connections of one address (IPv6: /64) that have not authenticated; with more the oldest of them goes (default: 256)",
     1, SERVER_STRANGERS_MAX},
    {"check", "LIST", "what a posture means: CHECK=allow|quarantine|deny, by commas, each check once (default: forwarding=allow,default-password=deny,files=allow)"},
    {"verify", "N",
     "tags with files that each exchange asks of an endpoint, of software that has a reference tag, to compare them (default: 0, none)", 0,
     SERVER_VERIFY_MAX},
    {"trust-tags", "FILE", "a tag that an endpoint brings is a reference by itself where its software has none, if it is signed (XML-Signature, COSE_Sign1) by one of these certificates (PEM; read anew when the file changes), or by one that they issued"},
    {"mutual", NULL, "tell endpoints that ask for it (assess or agent --mutual) this machine's own posture"},
    {"openapi", NULL, "print what the API offers, as an OpenAPI 3.1 document, and end; the server itself answers it at /api/v1/openapi.json"},
    {"help-uri", "URI", "a page (https, http) or an address (mailto) where users of endpoints that have something to mend find help: told to them with the result"},
    {NULL, NULL, NULL},
};
static const struct cli_option issue_options[] = {
    {"out", "DIR", "where NAME.crt and NAME.key go (default: this folder)"},
    {NULL, NULL, NULL},
};
static const char serve_more[] =
    "The API stands at /api/v1 of the address that --http says. It wants the token in STATE/token.txt, or the user and password in\n"
    "STATE/admin.txt; both are made at the first start, mode 0600, and read at each start: to change one, write another into its file, or\n"
    "remove it, and start again. The server's certificate comes from its own authority, STATE/pki/ca.crt. On this machine:\n\n"
    "  printf 'header = \"Authorization: Bearer %s\"\\n' \"$(cat STATE/token.txt)\" |\n"
    "    curl --config - --cacert STATE/pki/ca.crt https://127.0.0.1:8443/api/v1/endpoints\n"
    "  muster endpoint list --state STATE\n\n"
    "What else the API offers, with its parameters and answers, stands in GET /api/v1/openapi.json (OpenAPI 3.1; also muster serve --openapi).\n\n"
    "On another one, with copies of the two files (and --http on an address that it reaches):\n\n"
    "  muster endpoint list --server https://HOST:8443 --ca ca.crt --token-file token.txt\n\n"
    "Once it serves it prints one line: ready and its addresses, or with --json the document that STATE/server.json holds.";
const struct cli_command cli_serve = {CLI_SERVE, .more = serve_more, .options = serve_options, .run = run_serve};
const struct cli_command cli_pki_issue = {
    CLI_PKI_ISSUE, .min_arguments = 1, .max_arguments = 1, .options = issue_options, .run = run_issue};
