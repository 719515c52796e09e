/* One run of collection: what journal_collect.c (the frame) and journal_apply.c (what the logs and the package managers
 * say) share. */
#ifndef MUSTER_AGENT_JOURNAL_RUN_H
#define MUSTER_AGENT_JOURNAL_RUN_H

#include "agent/journal.h"

/* A CREATE from before the logs: its event is written at the end of the run, with an EID before all others. */
struct base_event {
    uint32_t record;
    int64_t time;
    enum pkg_precision precision;
};
struct event_row {
    int64_t seq, time, not_before;
    enum pkg_precision precision;
    enum pkg_action action;
    uint32_t record, cause; /* cause 0: unknown */
};
enum { EVENT_BATCH = 32, RECORD_BATCH = 16 };
/* The times that a source's logs tell with one precision, line by line. While they are behind an earlier one, `low` is the earliest of them. */
struct run_clock {
    int64_t newest, low;
    int64_t from, top; /* the event behind the step; up to which one those before it must still be looked at */
};
enum { RUN_LOOK_BACK = 1000000 }; /* events in all */
/* What a memory's keys are of. */
enum { DOMAIN_CAUSE = 0, DOMAIN_RECORD = 1, DOMAIN_NAME = 2 };

struct run {
    struct journal *j;
    const struct journal_options *options;
    const struct swid_creator *creator;
    struct swid_product product;
    struct pkg_platform platform;
    struct error *error;
    enum journal_status status; /* the first failure */
    int64_t now, collected;     /* collected: the last run, TIME_UNKNOWN */
    int64_t seq;                /* of the newest event */
    uint32_t records;           /* the highest Record Identifier */
    bool first;                 /* no event has an EID yet */
    bool changed;
    bool any_manager; /* the root has the database of at least one */
    bool busy;        /* the package manager is, or was when its files were read, at work */
    bool lost_source; /* one is gone since the last run */
    sqlite3_stmt *put_event, *put_events, *put_record, *put_records; /* …s: EVENT_BATCH, RECORD_BATCH at once */
    struct event_row events[EVENT_BATCH];                            /* not yet written */
    struct entry *new_records[RECORD_BATCH];
    size_t event_count, record_count;
    struct base_event *base;
    size_t base_count, base_capacity;
    struct wr software_ids, tag_version;
    struct arena tag; /* that is being read */
    struct memory causes;
    uint32_t cause_count;
    struct open_bound *bounds; /* of events from before the logs, by record; see journal_narrow.c. NULL: not asked for yet */
    size_t bound_count;

    /* of the source at work */
    const struct pkg_manager *manager;
    struct journal_source_report *report;
    struct entry_set present, installed; /* what the journal and the package manager believe */
    struct memory named;                 /* what the logs of this run name, if the last one could not read them */
    bool doubted;                        /* it could not */
    struct memory known;                 /* every record that ever was, and every name and architecture */
    uint32_t source_records;
    size_t source_base; /* where this source's events from before the logs begin */
    int64_t newest;     /* time of the newest event of this run */
    struct run_clock clocks[PKG_BOUND]; /* by precision */
    size_t looked_back;
};

/* Sets the first failure; returns false, so that sinks can return it. */
bool run_fail(struct run *r, enum journal_status status, const char *what);

/* ---- journal_rows.c ---- */

enum journal_status run_prepare_rows(struct run *r) MUST_USE;
enum journal_status run_put_event(struct run *r, const struct event_row *e) MUST_USE;
/* Writes the events that still wait. */
enum journal_status run_flush_events(struct run *r) MUST_USE;
/* A new record; e must live until it is written. */
enum journal_status run_put_record(struct run *r, struct entry *e) MUST_USE;
/* Writes the records that still wait. */
enum journal_status run_flush_records(struct run *r) MUST_USE;
/* Keeps a record's own tag, in place of an older one. */
enum journal_status run_put_tag(struct run *r, uint32_t record, const struct pkg_tag *tag) MUST_USE;
/* Whether it is the one that is kept; false after a failure, too. */
bool run_is_tag(struct run *r, uint32_t record, const struct pkg_tag *tag);
/* Keeps that a log of this time could not be read. */
enum journal_status run_put_gap(struct run *r, int64_t since, int64_t until) MUST_USE;
/* Notes that a record is there, and how; that it is gone; what source package it is of. */
enum journal_status run_put_present(struct run *r, struct entry *e) MUST_USE;
enum journal_status run_drop_present(struct run *r, struct entry *e) MUST_USE;
enum journal_status run_set_source(struct run *r, const struct entry *e) MUST_USE;
/* The number of this command and user, 0 if both are unknown (or after a failure). */
uint32_t run_cause(struct run *r, struct bytes command, struct bytes user);

/* ---- journal_narrow.c ---- */

/* A log that is read later than what is there was found knows when it came: if all that was known is that it had come by some time, and that is
 * later, the event from before the logs says so from now on, and so does `e`. */
bool run_narrow(struct run *r, struct entry *e, const struct event_row *known);
/* Keeps a name for run_narrow_unnamed(). */
bool run_note_name(struct run *r, struct bytes name);
/* The logs, all of them there and whole since `reaches_back`, do not name it: then it is older. */
bool run_narrow_unnamed(struct run *r, int64_t reaches_back);

/* ---- journal_steps.c ---- */

/* Where the times of a log go back: makes bounds of those that contradict, of this event's and of earlier ones'. To be asked of each event of a log
 * that is to be put, in their order. */
bool run_order(struct run *r, int64_t *time, int64_t *not_before, enum pkg_precision *precision);
/* For the source at work, behind run_load(). */
bool run_load_clocks(struct run *r);

/* ---- journal_apply.c ---- */

/* Loads what the journal knows of the source at work. */
enum journal_status run_load(struct run *r) MUST_USE;
/* Takes an event of a log: the journal's belief changes as it says. */
bool run_apply(void *context, const struct pkg_event *e);
/* Makes the journal's belief equal to the package manager's, and writes all records that changed. */
enum journal_status run_reconcile(struct run *r, int64_t reaches_back) MUST_USE;

#endif
