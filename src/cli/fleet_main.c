/* muster-fleet: the commands that ask a server over REST. */
#include "cli/cli.h"

#include <signal.h>

extern const struct cli_command cli_endpoint_list, cli_endpoint_show;

int main(int argc, char **argv)
{
    const struct cli_command commands[] = {
        cli_endpoint_list,
        cli_endpoint_show,
    };
    signal(SIGPIPE, SIG_IGN);
    return cli_main("muster-fleet", commands, ARRAY_LENGTH(commands), argc, argv);
}
