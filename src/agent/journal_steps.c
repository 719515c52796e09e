#include "agent/journal_run.h"

/* A log is written line by line: where its times go back, the clock did, or the zone that it is read in is not the one it was written in. Which of
 * the two stretches has the right times nothing tells, so both become bounds that hold either way: what stands before the step came at its time at
 * the latest, and behind the last line that does not contradict; what stands behind it came at its time at the earliest, and before the log is past
 * the step (or now). Times that are yet to come are wrong for certain. */

static bool run_sql(struct run *r, sqlite3_stmt *s, enum journal_status status)
{
    if (s && journal_step(r->j, s, &status, r->error))
        bug("UPDATE gave a row");
    return status == JOURNAL_OK || run_fail(r, status, NULL);
}

/* The first of the events up to clock->top that stand behind the last one which is not later than `low`; its time into *before. 0: none. */
static int64_t find_contradictory(struct run *r, struct run_clock *c, enum pkg_precision precision, int64_t low, int64_t *before)
{
    enum journal_status status = JOURNAL_OK;
    int64_t first = 0;
    *before = TIME_UNKNOWN;
    sqlite3_stmt *s = journal_statement(r->j,
                                        "SELECT seq, time FROM event e JOIN record r ON r.id = e.record WHERE seq BETWEEN 1 AND ?1"
                                        " AND precision = ?2 AND source = ?3 ORDER BY seq DESC",
                                        &status, r->error);
    if (s) {
        sqlite3_bind_int64(s, 1, c->top);
        sqlite3_bind_int(s, 2, (int)precision);
        sqlite3_bind_int(s, 3, r->manager->source);
    }
    while (s && *before == TIME_UNKNOWN && r->looked_back < RUN_LOOK_BACK && journal_step(r->j, s, &status, r->error)) {
        r->looked_back++;
        if (sqlite3_column_int64(s, 1) <= low)
            *before = sqlite3_column_int64(s, 1);
        else
            first = sqlite3_column_int64(s, 0);
    }
    if (s)
        sqlite3_reset(s);
    if (status != JOURNAL_OK)
        run_fail(r, status, NULL);
    return first;
}

/* What was told with times behind `low`, and stands before it in the log. */
static bool doubt(struct run *r, struct run_clock *c, enum pkg_precision precision, int64_t low)
{
    enum journal_status status = run_flush_records(r);
    int64_t before;
    if (status != JOURNAL_OK || (status = run_flush_events(r)) != JOURNAL_OK)
        return run_fail(r, status, NULL);
    int64_t first = find_contradictory(r, c, precision, low, &before);
    bool to_come = c->newest > r->now;
    if (first == 0)
        return r->status == JOURNAL_OK;
    sqlite3_stmt *s = journal_statement(r->j,
                                        "UPDATE event SET precision = ?1, not_before = ?2, time = iif(?3, ?4, time) WHERE seq BETWEEN ?5 AND ?6"
                                        " AND precision = ?7 AND time > ?4 AND (SELECT source FROM record WHERE id = event.record) = ?8",
                                        &status, r->error);
    if (s) {
        sqlite3_bind_int(s, 1, PKG_BOUND);
        journal_bind_time(s, 2, before);
        sqlite3_bind_int(s, 3, to_come);
        sqlite3_bind_int64(s, 4, low);
        sqlite3_bind_int64(s, 5, first);
        sqlite3_bind_int64(s, 6, c->top);
        sqlite3_bind_int(s, 7, (int)precision);
        sqlite3_bind_int(s, 8, r->manager->source);
    }
    c->top = first - 1;
    if (to_come && r->newest > r->now)
        r->newest = low;
    for (size_t i = 0; i < r->present.bucket_count; i++)
        for (struct entry *e = r->present.buckets[i]; e; e = e->next)
            if (e->precision == precision && e->since > low && e->since <= c->newest) {
                e->precision = PKG_BOUND;
                e->since = to_come ? low : e->since;
                e->dirty = true;
            }
    return run_sql(r, s, status);
}

/* The log is past the step: what stands behind the step came before `time`. */
static bool end_step(struct run *r, struct run_clock *c, int64_t time)
{
    enum journal_status status = run_flush_events(r);
    if (status != JOURNAL_OK)
        return run_fail(r, status, NULL);
    sqlite3_stmt *s = journal_statement(
        r->j, "UPDATE event SET time = ?1 WHERE seq >= ?2 AND time = ?3 AND precision = ?4 AND not_before >= ?5", &status, r->error);
    if (s) {
        sqlite3_bind_int64(s, 1, time);
        sqlite3_bind_int64(s, 2, c->from);
        sqlite3_bind_int64(s, 3, r->now);
        sqlite3_bind_int(s, 4, PKG_BOUND);
        sqlite3_bind_int64(s, 5, c->low);
    }
    for (size_t i = 0; i < r->present.bucket_count; i++)
        for (struct entry *e = r->present.buckets[i]; e; e = e->next)
            if (e->precision == PKG_BOUND && e->since == r->now)
                e->since = time, e->dirty = true;
    c->low = TIME_UNKNOWN;
    return run_sql(r, s, status);
}

bool run_order(struct run *r, int64_t *time, int64_t *not_before, enum pkg_precision *precision)
{
    if (*precision == PKG_BOUND || r->doubted) /* what a log tells later may be of earlier times */
        return true;
    struct run_clock *c = &r->clocks[*precision];
    if (c->newest == TIME_UNKNOWN || *time >= c->newest) {
        bool ended = c->low == TIME_UNKNOWN || end_step(r, c, *time);
        c->newest = *time;
        return ended;
    }
    if (c->low == TIME_UNKNOWN) {
        c->top = r->seq;
        c->from = r->seq + 1;
    }
    if ((c->low == TIME_UNKNOWN || *time < c->low) && !doubt(r, c, *precision, *time))
        return false;
    if (c->newest > r->now) { /* its clock was ahead, and is not any more */
        c->newest = *time;
        return true;
    }
    c->low = c->low == TIME_UNKNOWN || *time < c->low ? *time : c->low;
    *not_before = *time;
    *time = r->now;
    *precision = PKG_BOUND;
    return true;
}

bool run_load_clocks(struct run *r)
{
    enum journal_status status = JOURNAL_OK;
    for (size_t i = 0; i < PKG_BOUND; i++)
        r->clocks[i] = (struct run_clock){.newest = TIME_UNKNOWN, .low = TIME_UNKNOWN};
    if (r->first)
        return true;
    /* The latest ones will do: a step between two runs shows at the first line of the second. */
    sqlite3_stmt *s = journal_statement(r->j,
                                        "SELECT precision, max(time) FROM (SELECT precision, time, record FROM event ORDER BY seq DESC LIMIT 1000)"
                                        " JOIN record ON id = record WHERE source = ?1 AND precision < ?2 GROUP BY precision",
                                        &status, r->error);
    if (s) {
        sqlite3_bind_int(s, 1, r->manager->source);
        sqlite3_bind_int(s, 2, PKG_BOUND);
    }
    while (s && journal_step(r->j, s, &status, r->error))
        r->clocks[sqlite3_column_int(s, 0)].newest = sqlite3_column_int64(s, 1);
    return status == JOURNAL_OK || run_fail(r, status, NULL);
}
