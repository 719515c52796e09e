/* muster: the light commands themselves, and the rows of the heavy ones. */
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/tag_out.h"

#include <signal.h>

#define DECLARE(symbol) extern const struct cli_command symbol;
LIGHT_COMMANDS(DECLARE)

tag_package_reader *const tag_package_files = NULL;

int main(int argc, char **argv)
{
#define ROW(symbol)                   symbol,
#define BY_SERVER(symbol, identity)   {identity, .program = "muster-server"},
#define BY_FLEET(symbol, identity)    {identity, .program = "muster-fleet"},
#define BY_PACKAGE(symbol, identity)  {identity, .program = "muster-package"},
    const struct cli_command commands[] = {LIGHT_COMMANDS(ROW) SERVER_COMMANDS(BY_SERVER) FLEET_COMMANDS(BY_FLEET)
                                           PACKAGE_COMMANDS(BY_PACKAGE)};
    /* A reader that went away shows as a failed write, not as a death without a word. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a full disk */
    return cli_main("muster", commands, ARRAY_LENGTH(commands), argc, argv);
}
