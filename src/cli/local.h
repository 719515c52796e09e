/* What the commands about this machine's own journal share. */
#ifndef MUSTER_CLI_LOCAL_H
#define MUSTER_CLI_LOCAL_H

#include "agent/agent.h"
#include "cli/cli.h"

/* Prints what collection complains of to stderr: the first ones, then only counts them. */
struct local_complaints {
    unsigned count;
};
void local_complain(void *complaints, const char *file, size_t line, const char *what);
void local_complaints_end(const struct local_complaints *complaints);

/* The exit status that a journal's failure means. */
int local_exit(enum journal_status status);
/* A journal to read, and what is known of its age. */
struct local {
    struct cli *cli;
    struct journal *journal;
    struct journal_head head;
    int64_t collected; /* what it tells is what was there then */
    bool current;      /* and it is there still, as far as names, sizes and times of files tell */
    bool incomplete;   /* a package database could not be read, or there is none: it was said */
    char folder[4096]; /* "", or where it is kept for this command alone */
};
/* Brings the journal up to date and opens it. Where that may not be done (--no-collect, somebody else's, a full disk, of a root that was not
 * named) it is read as the last run left it; if things have changed since, then with one line that says as of when it is, unless only what was
 * before `until` is asked for (TIME_UNKNOWN: now), or, with `fresh`, is done without: then, and where there is none to read, it is made anew for
 * this command alone. EXIT_DONE, or an exit status (it was said why). Ends with local_close() in any case. */
int local_open(struct cli *cli, int64_t until, bool fresh, struct local *l);
void local_close(struct local *l);
/* Says that the last run could not read a log, if so. Who tells what is there answers all the same: only the past is shorter. */
void local_say_unread(struct cli *cli, const struct journal_head *head);
/* Members of a document: known_since, collected, current, logs_readable. */
void local_json_head(struct json *j, const struct local *l);
/* What reading it came to: `code`, if all could be read. What local_open() said is not said again. */
int local_read_exit(const struct local *l, enum journal_status status, const struct error *error, int code);
/* What the help tells of it, and the row of the option that it reads. */
#define LOCAL_MORE                                                                                                     \
    "The journal is brought up to date first, unless it may not be written: then it is told as the last collection left it, with a line on\n"   \
    "standard error that says as of when that is, if something has changed since. Who has no folder for a journal is answered without one.\n"   \
    "A log that cannot be read is said, and leaves the exit status alone: what is there is known, only the past is shorter."
#define LOCAL_NO_COLLECT {"no-collect", NULL, "tell what the last collection found, and if something has changed since, as of when that is"}
/* A folder that lasts as long as the command, and its end. */
bool local_make_folder(char *folder, size_t size);
void local_remove_folder(const char *folder);
/* One run of collection in `state`; *journal stays open if EXIT_DONE or EXIT_UNKNOWN is returned. */
int local_collect(struct cli *cli, const char *state, struct journal **journal, struct journal_report *report);
/* The exit status of a command that tells how far history reaches: EXIT_UNKNOWN, not `code`, if a log that is there could not be read. One
 * that is not there is merely a shorter past. */
int local_history_exit(int code, const struct journal_report *report);
/* Says that `at` is yet to come, or (EXIT_UNKNOWN) that nothing is known of it, or of `unknown` packages: an answer without them must not read as
 * "they were not there". EXIT_DONE: all is known. */
int local_say_unknown(const struct local *l, int64_t at, uint64_t unknown);
/* "dpkg". */
const char *local_source_name(uint8_t source);
/* A time with its precision as one word for people: "2026-03-29T10:11:12Z", "by 2023-05-11T00:00:00Z" for a bound. */
void local_put_time(struct wr *w, int64_t t, enum pkg_precision precision);
/* One record as a line of --plain. */
#define LOCAL_PLAIN_RECORD "identifier, name, version, architecture, source, installed or removed (or unknown, with --at), since, precision"
void local_plain_record(struct wr *w, const struct journal_record *r);
/* Text, padded to a column. */
void local_put_column(struct wr *w, struct bytes text, size_t width);
/* Members of a record: software_id, name, version, arch, source. */
void local_json_package(struct json *j, const struct journal_record *r);
void local_json_event(struct json *j, const struct journal_event *e);

#endif
