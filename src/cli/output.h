/* What commands leave on disk: a file that is there whole or as it was before, and nothing at all when a signal ends them. */
#ifndef MUSTER_CLI_OUTPUT_H
#define MUSTER_CLI_OUTPUT_H

#include "base/base.h"

#include <limits.h>

/* A file or a folder that goes when SIGHUP, SIGINT or SIGTERM ends the program: the last one that was added first, so that a folder is added before
 * what is in it. Beyond a few, or for a path that is too long, it stays. For one thread. */
void leftover_add(const char *path);
/* It has gone, or is to stay, and so have those that were added behind it. */
void leftover_forget(const char *path);

/* A file that takes the place of another one of that name at once, when all is written. What is there and no file (a terminal, a pipe, /dev/null) is
 * written to as it is; a link is followed. */
struct output {
    const char *wanted; /* as it was named */
    char path[PATH_MAX], temporary[PATH_MAX];
    int fd;
    int failed; /* errno of the first failure */
    bool direct, nameless;
};
/* False: `error` says why, by the name that was wanted. `path` must outlive it. */
bool output_open(struct output *o, const char *path, struct error *error) MUST_USE;
/* After a failure it does nothing: output_close() tells. */
void output_write(struct output *o, struct bytes b);
/* Ends it. `keep`: all is written, the file takes its place, with the mode that a new file has; else all stays as it was. False: it could not be kept. */
bool output_close(struct output *o, bool keep, struct error *error) MUST_USE;

#endif
