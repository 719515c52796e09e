/* muster: the light commands themselves, and the rows of the heavy ones. A new command is a file and a row here. */
#include "cli/cli.h"

#include <signal.h>

extern const struct cli_command cli_scan, cli_collect, cli_list, cli_history, cli_check, cli_assess, cli_decode;

int main(int argc, char **argv)
{
    const struct cli_command commands[] = {
        cli_scan,
        cli_collect,
        cli_list,
        cli_history,
        cli_check,
        cli_assess,
        cli_decode,
        {.noun = "serve", .program = "muster-server", .summary = "the policy server: PT-TLS, HTTPS API and page"},
        {.noun = "pki", .verb = "issue", .arguments = "NAME", .program = "muster-server", .summary = "a certificate for an endpoint"},
        {.noun = "account", .verb = "add", .arguments = "NAME", .program = "muster-server", .summary = "a password for an endpoint without certificate"},
        {.noun = "account", .verb = "list", .program = "muster-server", .summary = "the names that endpoints may log in by"},
        {.noun = "account", .verb = "remove", .arguments = "NAME", .program = "muster-server", .summary = "nobody logs in by this name any more"},
        {.noun = "endpoint", .verb = "list", .program = "muster-fleet", .summary = "the endpoints that the server knows"},
        {.noun = "endpoint", .verb = "show", .arguments = "ID", .program = "muster-fleet", .summary = "one endpoint and its software, now or --at T"},
    };
    /* A reader that went away shows as a failed write, not as a death without a word. */
    signal(SIGPIPE, SIG_IGN);
    return cli_main("muster", commands, ARRAY_LENGTH(commands), argc, argv);
}
