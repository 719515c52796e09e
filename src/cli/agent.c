/* muster agent: stays connected to a policy server and tells it every change of this machine's software. */
#include "cli/assess.h"

enum { DEFAULT_DELAY = 100, MAX_DELAY = 10000 }; /* milliseconds */

static int run(struct cli *cli)
{
    struct prepared p;
    struct error error = {""};
    uint64_t delay = cli_number(cli, "delay", DEFAULT_DELAY);
    int status = prepare_assessment(cli, true, &p);
    /* What cannot be read now may be readable later. */
    if (status == EXIT_DONE || status == EXIT_UNKNOWN) {
        const struct journal_options collection = {.root = cli_root(cli)};
        struct agent_server server = {.last_boot = TIME_UNKNOWN};
        if (cli_flag(cli, "mutual"))
            p.a.server = &server;
        log_set_times();
        status = assessment_exit(agent_run(&p.a, &collection, (unsigned)delay, &error));
        if (status != EXIT_DONE)
            cli_fail(cli, status, "%s", error.text);
    }
    prepared_free(&p);
    return status;
}

static const struct cli_option options[] = {
    ASSESS_OPTIONS,
    {"mutual", NULL, "assess the server, too, where it is served with --mutual; one that does not satisfy or does not tell is left, and tried again after some minutes"},
    {"delay", "MS",
     "collect once the package manager has been still so long, at the latest after five times as long (default: 100; "
     "0: at once)",
     0, MAX_DELAY},
    {NULL, NULL, NULL},
};

const struct cli_command cli_agent = {
    .noun = "agent",
    .arguments = "HOST[:PORT]",
    .summary = "stays connected to a policy server and tells it every change of the packages, until SIGTERM",
    .more = "It ends at SIGTERM or SIGINT, with 0. With 2 it does not begin: wrong usage; a CA, certificate, key or password file that cannot be used; a state\n"
            "folder that may not be written, or has an agent already. What comes later never ends it. A server that cannot be reached, whose\n"
            "certificate is not to be trusted, or that refuses ours or the login, is tried again: after a second at first, then later and later up\n"
            "to every five minutes (a refused login: not before two and a half). The log has a warning that says why and what is to be mended, and\n"
            "again when that changes, and each hour while it stays the same.",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = options,
    .run = run,
};
