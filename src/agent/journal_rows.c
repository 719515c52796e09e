#include "agent/journal_run.h"

#include <stdlib.h>

/* The rows that a run writes. Most of a first run's time goes into them, so they are written by the batch: one
 * statement for many rows costs little more than for one. */

bool run_fail(struct run *r, enum journal_status status, const char *what)
{
    if (r->status == JOURNAL_OK) {
        r->status = status;
        if (what)
            error_set(r->error, "%s", what);
    }
    return false;
}

static enum journal_status step_done(struct run *r, sqlite3_stmt *s)
{
    enum journal_status status;
    if (journal_step(r->j, s, &status, r->error))
        bug("a statement without results gave a row");
    sqlite3_reset(s);
    if (status != JOURNAL_OK)
        run_fail(r, status, NULL);
    return status;
}

/* PREFIX and `rows` times ROW, with commas between. */
static sqlite3_stmt *many(struct run *r, const char *prefix, const char *row, int rows, enum journal_status *status)
{
    struct wr sql = wr_of(0);
    wr_str(&sql, prefix);
    for (int i = 0; i < rows; i++)
        wr_fmt(&sql, "%s%s", i ? ", " : "", row);
    sqlite3_stmt *s = journal_statement(r->j, wr_string(&sql), status, r->error);
    wr_free(&sql);
    return s;
}

enum journal_status run_prepare_rows(struct run *r)
{
    static const char events[] = "INSERT INTO event(seq, time, not_before, precision, action, record, cause) VALUES";
    static const char event[] = "(?, ?, ?, ?, ?, ?, ?)";
    static const char records[] =
        "INSERT INTO record(id, source, software_id, name, version, arch, source_name, source_version) VALUES";
    static const char record[] = "(?, ?, ?, ?, ?, ?, ?, ?)";
    enum journal_status status = JOURNAL_OK;
    r->put_event = many(r, events, event, 1, &status);
    r->put_events = many(r, events, event, EVENT_BATCH, &status);
    r->put_record = many(r, records, record, 1, &status);
    r->put_records = many(r, records, record, RECORD_BATCH, &status);
    return status;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

enum journal_status run_flush_events(struct run *r)
{
    enum journal_status status = JOURNAL_OK;
    bool full = r->event_count == EVENT_BATCH;
    for (size_t i = 0; i < r->event_count; i++) {
        const struct event_row *e = &r->events[i];
        sqlite3_stmt *s = full ? r->put_events : r->put_event;
        int at = full ? (int)i * 7 : 0;
        sqlite3_bind_int64(s, at + 1, e->seq);
        journal_bind_time(s, at + 2, e->time);
        journal_bind_time(s, at + 3, e->not_before);
        sqlite3_bind_int(s, at + 4, (int)e->precision);
        sqlite3_bind_int(s, at + 5, (int)e->action);
        sqlite3_bind_int64(s, at + 6, e->record);
        if (e->cause)
            sqlite3_bind_int64(s, at + 7, e->cause);
        else
            sqlite3_bind_null(s, at + 7);
        if ((!full || i + 1 == EVENT_BATCH) && (status = step_done(r, s)) != JOURNAL_OK)
            break;
    }
    r->event_count = 0;
    return status;
}

enum journal_status run_put_event(struct run *r, const struct event_row *e)
{
    r->events[r->event_count++] = *e;
    r->changed = true;
    return r->event_count == EVENT_BATCH ? run_flush_events(r) : JOURNAL_OK;
}

/* ---- records ----------------------------------------------------------------------------------------------------- */

enum journal_status run_flush_records(struct run *r)
{
    enum journal_status status = JOURNAL_OK;
    bool full = r->record_count == RECORD_BATCH;
    struct wr *text = &r->software_ids;
    size_t end[RECORD_BATCH], begin = 0;
    wr_reset(text);
    for (size_t i = 0; i < r->record_count; i++) { /* first all identifiers: the writer may move while it grows */
        const struct entry *e = r->new_records[i];
        wr_reset(&r->tag_version);
        pkg_tag_version(r->manager, &r->tag_version, e->version, e->arch);
        if (e->tag.software_id.n)
            wr_bytes(text, e->tag.software_id);
        else
            swid_software_id(text, r->creator, &r->product, e->name, wr_view(&r->tag_version));
        end[i] = text->n;
    }
    if (text->bad || r->tag_version.bad) {
        run_fail(r, JOURNAL_FAILED, "out of memory");
        return JOURNAL_FAILED;
    }
    for (size_t i = 0; i < r->record_count && status == JOURNAL_OK; i++) {
        struct entry *e = r->new_records[i];
        sqlite3_stmt *s = full ? r->put_records : r->put_record;
        int at = full ? (int)i * 8 : 0;
        sqlite3_bind_int64(s, at + 1, e->id);
        sqlite3_bind_int(s, at + 2, r->manager->source);
        journal_bind_text(s, at + 3, (struct bytes){text->p + begin, end[i] - begin});
        journal_bind_text(s, at + 4, e->name);
        journal_bind_text(s, at + 5, e->version);
        journal_bind_text(s, at + 6, e->arch);
        journal_bind_text(s, at + 7, e->source_name);
        journal_bind_text(s, at + 8, e->source_version);
        begin = end[i];
        e->waiting = false;
        if (!full || i + 1 == RECORD_BATCH)
            status = step_done(r, s);
    }
    r->record_count = 0;
    return status;
}

enum journal_status run_put_record(struct run *r, struct entry *e)
{
    r->new_records[r->record_count++] = e;
    e->waiting = true;
    return r->record_count == RECORD_BATCH ? run_flush_records(r) : JOURNAL_OK;
}

static void bind_blob(sqlite3_stmt *s, int at, struct bytes b)
{
    sqlite3_bind_blob64(s, at, b.n ? (const void *)b.p : "", b.n, SQLITE_STATIC);
}

enum journal_status run_put_tag(struct run *r, uint32_t record, const struct pkg_tag *tag)
{
    enum journal_status status = JOURNAL_OK;
    sqlite3_stmt *s = journal_statement(
        r->j, "INSERT OR REPLACE INTO tag(record, model, locator, octets) VALUES(?1, ?2, ?3, ?4)", &status, r->error);
    if (!s)
        return status;
    sqlite3_bind_int64(s, 1, record);
    sqlite3_bind_int64(s, 2, tag->model);
    journal_bind_text(s, 3, tag->locator);
    bind_blob(s, 4, tag->octets);
    return step_done(r, s);
}

enum journal_status run_put_gap(struct run *r, int64_t since, int64_t until)
{
    enum journal_status status = JOURNAL_OK;
    sqlite3_stmt *s = journal_statement(r->j, "INSERT OR IGNORE INTO gap(source, since, until) VALUES(?1, ?2, ?3)", &status, r->error);
    if (!s)
        return status;
    sqlite3_bind_int(s, 1, r->manager->source);
    sqlite3_bind_int64(s, 2, since);
    sqlite3_bind_int64(s, 3, until);
    return step_done(r, s);
}

bool run_is_tag(struct run *r, uint32_t record, const struct pkg_tag *tag)
{
    enum journal_status status = JOURNAL_OK;
    sqlite3_stmt *s =
        journal_statement(r->j, "SELECT 1 FROM tag WHERE record = ?1 AND octets = ?2", &status, r->error);
    bool same = false;
    if (s) {
        sqlite3_bind_int64(s, 1, record);
        bind_blob(s, 2, tag->octets);
        same = journal_step(r->j, s, &status, r->error);
        sqlite3_reset(s);
    }
    if (status != JOURNAL_OK)
        run_fail(r, status, NULL);
    return same;
}

enum journal_status run_put_present(struct run *r, struct entry *e)
{
    enum journal_status status = JOURNAL_OK;
    sqlite3_stmt *s = journal_statement(
        r->j, "INSERT OR REPLACE INTO present(record, state, since, precision) VALUES(?1, ?2, ?3, ?4)", &status,
        r->error);
    if (!s)
        return status;
    sqlite3_bind_int64(s, 1, e->id);
    sqlite3_bind_int(s, 2, (int)e->state);
    journal_bind_time(s, 3, e->since);
    sqlite3_bind_int(s, 4, (int)e->precision);
    return step_done(r, s);
}

enum journal_status run_set_source(struct run *r, const struct entry *e)
{
    enum journal_status status = run_flush_records(r);
    sqlite3_stmt *s = journal_statement(r->j, "UPDATE record SET source_name = ?2, source_version = ?3 WHERE id = ?1",
                                        &status, r->error);
    if (!s)
        return status;
    sqlite3_bind_int64(s, 1, e->id);
    journal_bind_text(s, 2, e->source_name);
    journal_bind_text(s, 3, e->source_version);
    return status == JOURNAL_OK ? step_done(r, s) : status;
}

enum journal_status run_drop_present(struct run *r, struct entry *e)
{
    enum journal_status status = e->waiting ? run_flush_records(r) : JOURNAL_OK;
    if (status != JOURNAL_OK || !e->before)
        return status;
    sqlite3_stmt *s = journal_statement(r->j, "DELETE FROM present WHERE record = ?1", &status, r->error);
    if (!s)
        return status;
    sqlite3_bind_int64(s, 1, e->id);
    return step_done(r, s);
}

/* ---- causes ------------------------------------------------------------------------------------------------------ */

uint32_t run_cause(struct run *r, struct bytes command, struct bytes user)
{
    uint32_t id;
    if (command.n == 0 && user.n == 0)
        return 0;
    struct memory_key key = memory_key(DOMAIN_CAUSE, command, user, (struct bytes){0});
    if (memory_get(&r->causes, key, &id))
        return id;
    enum journal_status status = JOURNAL_OK;
    sqlite3_stmt *s =
        journal_statement(r->j, "INSERT INTO cause(id, command, user) VALUES(?1, ?2, ?3)", &status, r->error);
    id = r->cause_count + 1;
    if (!s || !memory_put(&r->causes, key, id)) {
        run_fail(r, s ? JOURNAL_FAILED : status, s ? "out of memory" : NULL);
        return 0;
    }
    sqlite3_bind_int64(s, 1, id);
    journal_bind_text(s, 2, command);
    journal_bind_text(s, 3, user);
    r->cause_count = id;
    return step_done(r, s) == JOURNAL_OK ? id : 0;
}
