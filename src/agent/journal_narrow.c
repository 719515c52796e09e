#include "agent/journal_run.h"

#include <stdlib.h>

/* A log that could not be read at first tells later of what was found without it: "by then" becomes narrower. The event keeps its EID, and what
 * was told of it stays true: who came by ten had come by noon. Only events from before the logs are narrowed; their bound is open towards
 * the past. */

struct open_bound {
    int64_t seq, by; /* by TIME_UNKNOWN: this record has none */
};

static bool load(struct run *r)
{
    enum journal_status status = JOURNAL_OK;
    if (r->bounds)
        return true;
    r->bound_count = (size_t)r->records + 1; /* newer records are not from before the logs */
    r->bounds = malloc(r->bound_count * sizeof *r->bounds);
    if (!r->bounds)
        return run_fail(r, JOURNAL_FAILED, "out of memory");
    for (size_t i = 0; i < r->bound_count; i++)
        r->bounds[i].by = TIME_UNKNOWN;
    sqlite3_stmt *s = journal_statement(r->j, "SELECT record, seq, time FROM event WHERE seq <= 0 AND action = ?1 AND precision = ?2 AND not_before IS NULL",
                                        &status, r->error);
    if (s) {
        sqlite3_bind_int(s, 1, PKG_CREATE);
        sqlite3_bind_int(s, 2, PKG_BOUND);
    }
    while (s && journal_step(r->j, s, &status, r->error)) {
        size_t record = (size_t)sqlite3_column_int64(s, 0);
        if (record < r->bound_count)
            r->bounds[record] = (struct open_bound){sqlite3_column_int64(s, 1), journal_column_time(s, 2)};
    }
    return status == JOURNAL_OK || run_fail(r, status, NULL);
}

static bool write_event(struct run *r, int64_t seq, const struct event_row *e)
{
    enum journal_status status = JOURNAL_OK;
    sqlite3_stmt *s = journal_statement(r->j, "UPDATE event SET time = ?2, precision = ?3, cause = ?4 WHERE seq = ?1", &status, r->error);
    if (!s)
        return run_fail(r, status, NULL);
    sqlite3_bind_int64(s, 1, seq);
    journal_bind_time(s, 2, e->time);
    sqlite3_bind_int(s, 3, (int)e->precision);
    if (e->cause)
        sqlite3_bind_int64(s, 4, e->cause);
    else
        sqlite3_bind_null(s, 4);
    if (journal_step(r->j, s, &status, r->error))
        bug("UPDATE gave a row");
    return status == JOURNAL_OK || run_fail(r, status, NULL);
}

bool run_narrow(struct run *r, struct entry *e, const struct event_row *known)
{
    if (!e->before || e->precision != PKG_BOUND || known->time == TIME_UNKNOWN || known->time >= e->since)
        return true;
    if (!load(r))
        return false;
    struct open_bound *bound = e->id < r->bound_count ? &r->bounds[e->id] : NULL;
    if (!bound || bound->by != e->since)
        return true;
    bound->by = TIME_UNKNOWN;
    e->since = known->time;
    e->precision = known->precision;
    enum journal_status status = run_put_present(r, e);
    return status == JOURNAL_OK ? write_event(r, bound->seq, known) : run_fail(r, status, NULL);
}

static bool is_named(const struct run *r, struct bytes name)
{
    uint32_t value;
    return memory_get(&r->named, memory_key(DOMAIN_NAME, name, (struct bytes){0}, (struct bytes){0}), &value);
}

bool run_note_name(struct run *r, struct bytes name)
{
    return memory_put(&r->named, memory_key(DOMAIN_NAME, name, (struct bytes){0}, (struct bytes){0}), 1) || run_fail(r, JOURNAL_FAILED, "out of memory");
}

bool run_narrow_unnamed(struct run *r, int64_t reaches_back)
{
    const struct event_row known = {.time = reaches_back, .precision = PKG_BOUND};
    for (size_t i = 0; i < r->present.bucket_count; i++)
        for (struct entry *e = r->present.buckets[i]; e; e = e->next) {
            if (is_named(r, e->name) || (e->before && e->precision == PKG_BOUND && r->manager->unpacked &&
                                         r->manager->unpacked(r->options->root, e->name, e->arch) > reaches_back))
                continue;
            if (!run_narrow(r, e, &known))
                return false;
        }
    return true;
}
