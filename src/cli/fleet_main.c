/* muster-fleet: the commands that ask a server over REST. */
#include "cli/cli.h"
#include "cli/commands.h"

#include <signal.h>

#define DECLARE(symbol, identity) extern const struct cli_command symbol;
FLEET_COMMANDS(DECLARE)
extern const struct cli_command cli_sbom_endpoint; /* which muster hands over where the bill is to be an endpoint's */

int main(int argc, char **argv)
{
#define ROW(symbol, identity) symbol,
    const struct cli_command commands[] = {FLEET_COMMANDS(ROW) cli_sbom_endpoint};
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a full disk */
    return cli_main("muster-fleet", commands, ARRAY_LENGTH(commands), argc, argv);
}
