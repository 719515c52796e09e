/* muster-server: the commands that need the server's libraries. */
#include "cli/cli.h"
#include "cli/commands.h"

#include <signal.h>

#define DECLARE(symbol, identity) extern const struct cli_command symbol;
SERVER_COMMANDS(DECLARE)

int main(int argc, char **argv)
{
#define ROW(symbol, identity) symbol,
    const struct cli_command commands[] = {SERVER_COMMANDS(ROW)};
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a full disk */
    return cli_main("muster-server", commands, ARRAY_LENGTH(commands), argc, argv);
}
