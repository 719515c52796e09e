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
/* Opens the journal for reading; one that is not there yet is collected first. EXIT_DONE and *journal, or an exit
 * status (it was said why). */
int local_open(struct cli *cli, struct journal **journal);
/* One run of collection in `state`; *journal stays open if EXIT_DONE or EXIT_UNKNOWN is returned. */
int local_collect(struct cli *cli, const char *state, struct journal **journal, struct journal_report *report);
/* The exit status of a command that tells how far history reaches: EXIT_UNKNOWN, not `code`, if a log that is there could not be read. One
 * that is not there is merely a shorter past. */
int local_history_exit(int code, const struct journal_report *report);
/* Says that `at` is yet to come, or (EXIT_UNKNOWN) that nothing is known of it: an empty answer must not read as "nothing was there". */
int local_say_unknown(const struct cli *cli, struct journal *journal, int64_t at);
/* "dpkg". */
const char *local_source_name(uint8_t source);
/* A time with its precision as one word for people: "2026-03-29T10:11:12Z", "by 2023-05-11T00:00:00Z" for a bound. */
void local_put_time(struct wr *w, int64_t t, enum pkg_precision precision);
/* One record as a line of --plain. */
#define LOCAL_PLAIN_RECORD "identifier, name, version, architecture, source, installed or removed, since, precision"
void local_plain_record(struct wr *w, const struct journal_record *r);
/* Text, padded to a column. */
void local_put_column(struct wr *w, struct bytes text, size_t width);
/* Members of a record: software_id, name, version, arch, source. */
void local_json_package(struct json *j, const struct journal_record *r);
void local_json_event(struct json *j, const struct journal_event *e);

#endif
