/* cli: commands as rows of tables. `muster` links the light ones; a row with a `program` is carried out by an executable of its own that
 * stands beside it, as git does. */
#ifndef MUSTER_CLI_H
#define MUSTER_CLI_H

#include "base/base.h"

#include <limits.h>

/* Exit statuses (product: "Exit status"). */
enum {
    EXIT_DONE = 0,
    EXIT_NO = 1,         /* findings, differences, access not allowed */
    EXIT_USAGE = 2,      /* or a folder, file or address that cannot be used: permission, no room, in use, of another root */
    EXIT_UNKNOWN = 3,    /* partly unknown */
    EXIT_NOT_FOUND = 4,
    EXIT_UNREACHED = 5,  /* could not connect or authenticate */
    EXIT_INTERNAL = 70,  /* or a file of Muster's own is damaged */
};

struct cli;

struct cli_option {
    const char *name;     /* "at", without the dashes */
    const char *argument; /* "T"; NULL: a flag */
    const char *doc;      /* one sentence: --help and the man page print it */
    uint64_t min, max;    /* the range of a number, checked before the command runs and printed with `doc`; max 0: it is none */
    const char *choice;   /* of all options of one choice one may be given: others are refused before the command runs. NULL: it goes with all */
};

#define CLI_ANY UINT_MAX
/* A command: `noun`, or `noun verb`. The last option row has a NULL name. State, root, json, help and version are every command's, plain is
 * that of the commands that have a table. */
struct cli_command {
    const char *noun, *verb; /* verb NULL: none */
    const char *arguments;   /* "[NAME]", for the usage line; a word an argument */
    const char *summary;
    const char *plain;       /* the columns of --plain, named in its row of the help; NULL: it has no table, and no such option */
    const char *more;        /* what else to know, lines of text below the options; those with two blanks in front stand as they are. Or NULL */
    const char *program;     /* "muster-server"; NULL: in muster itself */
    const char *heavy;       /* an option with which alone `program` carries it out, if there is `run` too */
    unsigned min_arguments, max_arguments; /* CLI_ANY: as many as there are */
    const struct cli_option *options;
    int (*run)(struct cli *cli); /* NULL where `program` carries it out */
};

/* Runs the command that argv names in this table. `self` is the executable's own name ("muster"). */
int cli_main(const char *self, const struct cli_command *commands, size_t count, int argc, char **argv);

/* --NAME's value; else the environment's MUSTER_NAME (capitals, - as _), unless another option of its choice was given; else NULL. */
const char *cli_value(const struct cli *cli, const char *name);
/* --NAME was given, or MUSTER_NAME says anything but 0, no, false or off. */
bool cli_flag(const struct cli *cli, const char *name);
/* The forms of a time option (its row's argument is "T"), which the help prints behind its `doc`. */
#define CLI_TIME_FORMS \
    "a time with its zone (2026-03-29T12:00:00Z, 2026-03-29T14:00:00+02:00), a date (2026-03-29: its first second in UTC) or an age (-90s, -15m, "  \
    "-12h, -7d, -2w)"
/* A time option: *t is set (TIME_UNKNOWN if the option is absent); false: a usage error was printed, return EXIT_USAGE. */
bool cli_time(const struct cli *cli, const char *name, int64_t *t);
/* A number option, whose row states its range; `otherwise` if the option is absent. */
uint64_t cli_number(const struct cli *cli, const char *name, uint64_t otherwise);
/* It stands on the command line, not only in the environment. */
bool cli_given(const struct cli *cli, const char *name);
/* The i-th value of an option that may be given several times; NULL: no more. */
const char *cli_nth(const struct cli *cli, const char *name, unsigned i);
unsigned cli_argument_count(const struct cli *cli);
const char *cli_argument(const struct cli *cli, unsigned i); /* NULL beyond the last */
/* The state folder: --state, MUSTER_STATE, /var/lib/muster for root, else $XDG_STATE_HOME/muster or ~/.local/state/muster; if neither of the
 * first two is given, another root than / has its own, roots/NAME below that. */
const char *cli_state(struct cli *cli);
/* The real path of --root, else "/". */
const char *cli_root(const struct cli *cli);
bool cli_json(const struct cli *cli);
bool cli_plain(const struct cli *cli);
/* "muster: COMMAND: text" to stderr; returns `status`, so that `return cli_fail(...)` reads well. */
int cli_fail(const struct cli *cli, int status, const char *format, ...) PRINTF_LIKE(3, 4);
/* Usage errors: the same with a hint at --help; returns EXIT_USAGE. */
int cli_usage(const struct cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);

/* The status of several things out of those of two: what could not be done before what was not found, the answer no, and what is unknown. */
int cli_worst(int a, int b);

/* Text of others for a terminal: control characters (C0, and C1 in UTF-8) and what is no UTF-8 become "?"; padded with blanks to `width` columns
 * as a terminal shows it (wide characters take two, combining ones none). */
void cli_put_cell(struct wr *w, struct bytes text, size_t width);
/* The cells of a line of --plain: tabs between them, a line feed behind the last; a tab or line feed within one becomes a blank. */
void cli_put_plain(struct wr *w, const struct bytes *cells, size_t count);

/* The path of a program that stands beside this one, as it would be. False: it is not there (errno). */
bool cli_find_program(const char *program, char path[PATH_MAX]);

/* Output of data: a writer to stdout. JSON documents begin with "schema": "muster.NAME/1". */
struct json cli_json_begin(struct cli *cli, const char *schema); /* opens the object */
struct wr *cli_out(struct cli *cli);
/* Writes what has gathered to stdout (called by cli_main at the end; call it yourself for long lists). False: stdout is gone. */
bool cli_flush(struct cli *cli);

#endif
