/* A secret from a file or from standard input, never from the command line. */
#ifndef MUSTER_CLI_SECRET_H
#define MUSTER_CLI_SECRET_H

#include "cli/cli.h"

enum { SECRET_MAX = 255 };
struct secret {
    uint8_t text[SECRET_MAX + 3];
    struct bytes view;
};
/* The one line of the file that --OPTION names ("-": standard input), without its end. False: an error was printed,
 * return EXIT_USAGE. A file that others can read is read, with a warning. */
bool cli_secret(const struct cli *cli, const char *option, struct secret *secret);
void cli_secret_forget(struct secret *secret);

#endif
