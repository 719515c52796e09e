/* muster-package: the commands that read package files, which takes libarchive. */
#include "cli/cli.h"
#include "cli/commands.h"

#include <signal.h>

#define DECLARE(symbol, identity) extern const struct cli_command symbol;
PACKAGE_COMMANDS(DECLARE)
extern const struct cli_command cli_tag; /* which muster hands over where it is to read package files */

int main(int argc, char **argv)
{
#define ROW(symbol, identity) symbol,
    const struct cli_command commands[] = {PACKAGE_COMMANDS(ROW) cli_tag};
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a full disk */
    return cli_main("muster-package", commands, ARRAY_LENGTH(commands), argc, argv);
}
