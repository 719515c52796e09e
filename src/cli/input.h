/* Files that a user names; private to cli/. */
#ifndef MUSTER_CLI_INPUT_H
#define MUSTER_CLI_INPUT_H

#include "cli/cli.h"

/* Appends all of a file, or of standard input for "-", to `to`, whose bound is `max` octets: a larger one is a usage error that says so.
 * EXIT_DONE, or what was said. */
int cli_read_input(const struct cli *cli, const char *path, size_t max, struct wr *to);

#endif
