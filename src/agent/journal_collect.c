#include "agent/journal_run.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* A run that finds nothing new writes only so many seconds after the last one that wrote: what it would write is its
 * own time, which makes the bounds of unexplained changes narrower, and costs a flush of the disk. */
#define NOTE_AFTER 600

/* What head says at the beginning of a run, and becomes at its end. */
struct head {
    uint32_t epoch, last_eid, records;
    int64_t shift, collected, file;
    char root[PATH_MAX]; /* "": unknown */
    bool found;
};

/* SWIMA-R34, RFC 8412 §3.7.1: random, so that an old state that comes back is not taken for this one. Never 0. */
static uint32_t new_epoch(uint32_t not_this)
{
    uint32_t epoch = 0;
    while (epoch == 0 || epoch == not_this)
        if (getrandom(&epoch, sizeof epoch, 0) != sizeof epoch)
            bug("getrandom failed");
    return epoch;
}

/* Tells the journal's file from a copy of it that was put in its place. */
static int64_t file_identity(const char *path)
{
    struct statx stx;
    if (statx(AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &stx) < 0)
        return 0;
    uint64_t born =
        stx.stx_mask & STATX_BTIME ? (uint64_t)stx.stx_btime.tv_sec * 1000000000u + stx.stx_btime.tv_nsec : 0;
    return (int64_t)(stx.stx_ino * 0x9e3779b97f4a7c15u ^ born);
}

/* A copy written over the file itself keeps its identity. So the newest EID also stands in a file of its own beside the
 * journal: if the journal knows less, it is an older one. */
static bool mark_path(const struct journal *j, char path[PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%s.mark", j->path);
    return n > 0 && n < PATH_MAX;
}

static bool is_older(const struct run *r, const struct head *h)
{
    char path[PATH_MAX];
    unsigned epoch = 0, last_eid = 0;
    FILE *f = mark_path(r->j, path) ? fopen(path, "re") : NULL;
    bool older = f && fscanf(f, "%u %u", &epoch, &last_eid) == 2 && (epoch != h->epoch || last_eid > h->last_eid);
    if (f)
        fclose(f);
    return older;
}

/* After the commit; a mark that could not be written, or was not for a sudden death, is behind the journal, and that is
 * harmless. */
static void mark_write(const struct journal *j, const struct journal_report *report)
{
    char path[PATH_MAX], fresh[PATH_MAX + 8];
    if (!mark_path(j, path))
        return;
    snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *f = fopen(fresh, "we");
    if (!f)
        return;
    bool ok = fprintf(f, "%u %u\n", report->epoch, report->last_eid) > 0;
    if (fclose(f) == 0 && ok)
        rename(fresh, path);
    else
        unlink(fresh);
}

static enum journal_status head_read(struct run *r, struct head *h)
{
    enum journal_status status = JOURNAL_OK;
    sqlite3_stmt *s = journal_statement(r->j, "SELECT epoch, shift, last_eid, records, collected, file, root FROM head",
                                        &status, r->error);
    *h = (struct head){.collected = TIME_UNKNOWN};
    if (!s)
        return status;
    h->found = journal_step(r->j, s, &status, r->error);
    if (h->found) {
        h->epoch = (uint32_t)sqlite3_column_int64(s, 0);
        h->shift = sqlite3_column_int64(s, 1);
        h->last_eid = (uint32_t)sqlite3_column_int64(s, 2);
        h->records = (uint32_t)sqlite3_column_int64(s, 3);
        h->collected = sqlite3_column_int64(s, 4);
        h->file = sqlite3_column_int64(s, 5);
        struct bytes root = journal_column_text(s, 6);
        snprintf(h->root, sizeof h->root, "%.*s", (int)root.n, root.n ? (const char *)root.p : "");
        sqlite3_reset(s);
    }
    return status;
}

static enum journal_status head_write(struct run *r, const struct head *h)
{
    enum journal_status status = JOURNAL_OK;
    sqlite3_stmt *s =
        journal_statement(r->j,
                          "INSERT OR REPLACE INTO head(one, epoch, shift, last_eid, records, collected, file, root)"
                          " VALUES(1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                          &status, r->error);
    if (!s)
        return status;
    sqlite3_bind_int64(s, 1, h->epoch);
    sqlite3_bind_int64(s, 2, h->shift);
    sqlite3_bind_int64(s, 3, h->last_eid);
    sqlite3_bind_int64(s, 4, h->records);
    sqlite3_bind_int64(s, 5, h->collected);
    sqlite3_bind_int64(s, 6, h->file);
    journal_bind_text(s, 7, bytes_of(h->root));
    if (journal_step(r->j, s, &status, r->error))
        bug("INSERT gave a row");
    return status;
}

/* ---- one source -------------------------------------------------------------------------------------------------- */

/* A source as the last run left it. */
struct source {
    bool found;
    int64_t stamp;
    struct wr cursor;
};

static enum journal_status source_read(struct run *r, struct source *source)
{
    enum journal_status status = JOURNAL_OK;
    struct journal_source_report *report = r->report;
    sqlite3_stmt *s =
        journal_statement(r->j,
                          "SELECT status, stamp, cursor, reaches_back, installed, records, complaints, unreadable"
                          " FROM source WHERE id = ?1",
                          &status, r->error);
    if (!s)
        return status;
    sqlite3_bind_int(s, 1, r->manager->source);
    source->found = journal_step(r->j, s, &status, r->error);
    if (!source->found)
        return status;
    report->status = (enum pkg_status)sqlite3_column_int(s, 0);
    source->stamp = sqlite3_column_int64(s, 1);
    wr_bytes(&source->cursor, (struct bytes){sqlite3_column_blob(s, 2), (size_t)sqlite3_column_bytes(s, 2)});
    report->reaches_back = journal_column_time(s, 3);
    report->installed = (uint32_t)sqlite3_column_int64(s, 4);
    r->source_records = (uint32_t)sqlite3_column_int64(s, 5);
    report->removed = r->source_records - report->installed;
    report->complaints = (uint32_t)sqlite3_column_int64(s, 6);
    report->unreadable = sqlite3_column_int(s, 7) != 0;
    sqlite3_reset(s);
    return status;
}

static enum journal_status source_write(struct run *r, const struct source *source)
{
    enum journal_status status = JOURNAL_OK;
    const struct journal_source_report *report = r->report;
    struct bytes cursor = wr_view(&source->cursor);
    sqlite3_stmt *s =
        journal_statement(r->j,
                          "INSERT OR REPLACE INTO source(id, status, stamp, cursor, reaches_back, installed, records,"
                          " complaints, unreadable) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                          &status, r->error);
    if (!s)
        return status;
    sqlite3_bind_int(s, 1, r->manager->source);
    sqlite3_bind_int(s, 2, (int)report->status);
    sqlite3_bind_int64(s, 3, source->stamp);
    sqlite3_bind_blob64(s, 4, cursor.p, cursor.n, SQLITE_STATIC);
    journal_bind_time(s, 5, report->reaches_back);
    sqlite3_bind_int64(s, 6, report->installed);
    sqlite3_bind_int64(s, 7, r->source_records);
    sqlite3_bind_int64(s, 8, report->complaints);
    sqlite3_bind_int(s, 9, report->unreadable);
    if (journal_step(r->j, s, &status, r->error))
        bug("INSERT gave a row");
    return status;
}

static bool take_installed(void *context, const struct pkg_package *p)
{
    struct run *r = context;
    /* SWIMA-R5, R14, RFC 8412 §3.1, §3.4.3: one record an installation; a second file at the same place says the same of it. */
    if (p->tag && entry_find_exact(&r->installed, p))
        return true;
    return entry_add(&r->installed, p) ? true : run_fail(r, JOURNAL_FAILED, "out of memory");
}

static bool read_tag(void *context, struct pkg_package *p, struct pkg_tag *tag, struct error *error)
{
    return agent_read_tag(&((struct run *)context)->tag, p, tag, error);
}

static void take_complaint(void *context, const char *file, size_t line, const char *what, bool unreadable)
{
    struct run *r = context;
    r->report->complaints += line > 0;
    r->report->unreadable |= unreadable;
    if (r->options->complain)
        r->options->complain(r->options->context, file, line, what);
}

static bool take_gap(void *context, int64_t since, int64_t until)
{
    struct run *r = context;
    return run_put_gap(r, since, until) == JOURNAL_OK;
}

/* SWIMA-R24, R35, RFC 8412 §3.6: what no log explains is the net change. Logs, then packages. If something changed
 * under our hands, once more: logs may not tell of less than the packages show. */
static enum pkg_status read_manager(struct run *r, struct source *source, struct pkg_cursor *cursor)
{
    struct pkg_sink sink = {.context = r, .package = take_installed, .read_tag = read_tag, .event = run_apply, .complaint = take_complaint, .gap = take_gap};
    enum pkg_status status = PKG_OK;
    for (int attempt = 0; attempt < 4 && status == PKG_OK; attempt++) {
        uint64_t stamp = r->manager->stamp(r->options->root);
        if (attempt && (int64_t)stamp == source->stamp)
            break;
        source->stamp = (int64_t)stamp;
        entry_set_free(&r->installed);
        status = r->manager->installed(r->options->root, &sink);
        if (status != PKG_OK || !r->manager->history)
            continue;
        cursor->before = wr_view(&source->cursor);
        cursor->after = wr_of(0);
        status = r->manager->history(r->options->root, cursor, &sink);
        if (status == PKG_OK) {
            wr_free(&source->cursor);
            source->cursor = cursor->after;
        } else {
            wr_free(&cursor->after);
        }
    }
    return status;
}

/* A manager that was here and is not any more took its packages along. If no other one is here, it is rather the file
 * system that is missing. */
static enum pkg_status take_absence(struct run *r)
{
    char path[PATH_MAX];
    if (!r->any_manager)
        return PKG_UNREADABLE;
    entry_set_free(&r->installed);
    if (r->manager->scattered)
        return PKG_ABSENT;
    r->lost_source = true;
    const char *root = strcmp(r->options->root, "/") == 0 ? "" : r->options->root;
    snprintf(path, sizeof path, "%s%s", root, r->manager->watch[0]);
    take_complaint(r, path, 0, "this package manager is gone: all its packages count as removed", false);
    return PKG_ABSENT;
}

/* What the system is, once a run that finds something new: dpkg's architecture may take reading all its packages. */
static void know_platform(struct run *r)
{
    if (r->product.os_name.p)
        return;
    pkg_platform_read(r->options->root, &r->platform);
    r->product = (struct swid_product){bytes_of(r->platform.name), bytes_of(r->platform.version), bytes_of(r->platform.machine)};
}

static enum journal_status update_source(struct run *r, struct source *source)
{
    struct journal_source_report *report = r->report;
    struct pkg_cursor cursor = {.continuous = true, .reaches_back = TIME_UNKNOWN, .doubted = report->unreadable};
    r->doubted = report->unreadable;
    report->complaints = 0;
    report->unreadable = report->unsettled = false;
    r->source_base = r->base_count;
    r->newest = TIME_UNKNOWN;
    know_platform(r);
    enum journal_status status = run_load(r);
    if (status == JOURNAL_OK && !run_load_clocks(r))
        status = r->status;
    if (status != JOURNAL_OK)
        return status;
    r->busy = r->manager->busy && r->manager->busy(r->options->root);
    report->status = read_manager(r, source, &cursor);
    r->busy |= r->manager->busy && r->manager->busy(r->options->root);
    if (r->status != JOURNAL_OK)
        return r->status;
    if (report->status == PKG_NO_MEMORY) {
        error_set(r->error, "out of memory");
        return JOURNAL_FAILED;
    }
    if (report->status == PKG_ABSENT)
        report->status = take_absence(r);
    /* What could not be read keeps its last known state: unknown is not "gone". */
    bool known = report->status == PKG_OK || report->status == PKG_ABSENT;
    if (known && (status = run_reconcile(r, cursor.reaches_back)) != JOURNAL_OK)
        return status;
    /* Logs that lay there when the last run could not read them, and none of which was read before, were written all the time since. */
    bool whole = r->doubted && !report->unreadable && cursor.continuous && !r->busy && report->reaches_back == TIME_UNKNOWN;
    if (report->status == PKG_OK && whole && cursor.reaches_back != TIME_UNKNOWN && !run_narrow_unnamed(r, cursor.reaches_back))
        return r->status;
    if (report->status == PKG_OK)
        report->reaches_back = cursor.reaches_back;
    report->zone_assumed = cursor.zone_assumed;
    if (report->unsettled)
        source->stamp = 0; /* the next run looks again, whatever changed */
    if ((status = run_flush_records(r)) != JOURNAL_OK)
        return status;
    report->installed = (uint32_t)r->present.count;
    report->removed = r->source_records - report->installed;
    r->changed = true;
    return source_write(r, source);
}

/* A run may find something new: what it would read is not what an earlier one left behind. */
static bool is_news(const struct run *r, const struct source *source, bool present)
{
    if (!present)
        return source->found && r->report->status != PKG_ABSENT; /* else an earlier run said so */
    return !source->found || r->report->status != PKG_OK || r->report->unreadable ||
           (int64_t)r->manager->stamp(r->options->root) != source->stamp;
}

static enum journal_status collect_source(struct run *r)
{
    struct source source = {.cursor = wr_of(0)};
    r->source_records = 0;
    r->report->reaches_back = TIME_UNKNOWN;
    enum journal_status status = source_read(r, &source);
    bool present = r->manager->present(r->options->root);
    if (status != JOURNAL_OK || (!present && !source.found))
        r->report->manager = NULL;
    else if (is_news(r, &source, present))
        status = update_source(r, &source);
    wr_free(&source.cursor);
    r->record_count = 0; /* nothing waits any more, but after a failure */
    entry_set_free(&r->present);
    entry_set_free(&r->installed);
    memory_free(&r->known);
    memory_free(&r->named);
    return status;
}

enum journal_status journal_is_current(struct journal *j, bool *current, struct error *error)
{
    struct journal_options options = {0};
    struct journal_source_report report;
    struct run r = {.j = j, .options = &options, .report = &report, .error = error};
    struct head h;
    enum journal_status status = head_read(&r, &h);
    options.root = h.root;
    *current = status == JOURNAL_OK && h.root[0];
    for (size_t i = 0; pkg_managers[i] && status == JOURNAL_OK && *current; i++) {
        struct source source = {.cursor = wr_of(0)};
        report = (struct journal_source_report){0};
        r.manager = pkg_managers[i];
        status = source_read(&r, &source);
        report.unreadable = false; /* a run would look at that log again, and find what its state tells */
        *current = status == JOURNAL_OK && !is_news(&r, &source, r.manager->present(h.root));
        wr_free(&source.cursor);
    }
    return status;
}

/* ---- the run ----------------------------------------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
    const struct base_event *ba = a, *bb = b;
    if (ba->time != bb->time)
        return ba->time < bb->time ? -1 : 1;
    return (ba->record > bb->record) - (ba->record < bb->record);
}

/* Gives what is older than the logs its events, below all others: the shift makes the lowest one EID 1 (SWIMA-R32, RFC
 * 8412 §3.7.1). */
static enum journal_status put_base(struct run *r, struct head *h)
{
    if (r->base_count == 0)
        return JOURNAL_OK;
    qsort(r->base, r->base_count, sizeof *r->base, by_time);
    h->shift = (int64_t)r->base_count;
    enum journal_status status = JOURNAL_OK;
    for (size_t i = 0; i < r->base_count && status == JOURNAL_OK; i++) {
        const struct event_row row = {(int64_t)i + 1 - h->shift,
                                      r->base[i].time,
                                      TIME_UNKNOWN,
                                      r->base[i].precision,
                                      PKG_CREATE,
                                      r->base[i].record,
                                      0};
        status = run_put_event(r, &row);
    }
    return status;
}

static enum journal_status load_causes(struct run *r)
{
    enum journal_status status = JOURNAL_OK;
    sqlite3_stmt *s = journal_statement(r->j, "SELECT id, command, user FROM cause", &status, r->error);
    if (!s)
        return status;
    while (journal_step(r->j, s, &status, r->error)) {
        uint32_t id = (uint32_t)sqlite3_column_int64(s, 0);
        r->cause_count = id > r->cause_count ? id : r->cause_count;
        if (!memory_put(
                &r->causes,
                memory_key(DOMAIN_CAUSE, journal_column_text(s, 1), journal_column_text(s, 2), (struct bytes){0}),
                id)) {
            sqlite3_reset(s);
            error_set(r->error, "out of memory");
            return JOURNAL_FAILED;
        }
    }
    return status;
}

/* ---- another root ------------------------------------------------------------------------------------------------ */

struct likeness {
    struct memory names; /* of what is installed as the journal has it: name and architecture */
    unsigned known, found, common;
    bool failed;
};

static bool compare_one(void *context, const struct pkg_package *p)
{
    struct likeness *l = context;
    uint32_t seen;
    struct memory_key key = memory_key(DOMAIN_NAME, p->name, p->arch, (struct bytes){0});
    l->found++;
    l->common += memory_get(&l->names, key, &seen);
    return true;
}

/* A root that was moved is what it was: half of what is installed, here as there, at least. Versions say nothing, it may
 * have been upgraded where it is now. */
static enum journal_status expect_likeness(struct run *r, const struct head *h)
{
    struct likeness l = {0};
    enum journal_status status = JOURNAL_OK;
    sqlite3_stmt *s = journal_statement(r->j, "SELECT name, arch FROM present JOIN record ON id = record"
                                              " WHERE id NOT IN (SELECT record FROM tag)", &status, r->error);
    while (s && journal_step(r->j, s, &status, r->error)) {
        struct memory_key key =
            memory_key(DOMAIN_NAME, journal_column_text(s, 0), journal_column_text(s, 1), (struct bytes){0});
        l.failed |= !memory_put(&l.names, key, ++l.known);
    }
    const struct pkg_sink sink = {.context = &l, .package = compare_one};
    for (const struct pkg_manager *const *m = pkg_managers; status == JOURNAL_OK && *m; m++)
        if ((*m)->present(r->options->root) && (*m)->installed(r->options->root, &sink) == PKG_NO_MEMORY)
            l.failed = true;
    memory_free(&l.names);
    if (status == JOURNAL_OK && l.failed) {
        error_set(r->error, "out of memory");
        status = JOURNAL_FAILED;
    } else if (status == JOURNAL_OK && 2 * l.common < (l.known > l.found ? l.known : l.found)) {
        error_set(r->error,
                  "%s describes another system, which stood at %s: it has %u packages, %s has %u, and %u are the same; give "
                  "this one a folder of its own with --state",
                  r->j->path, h->root, l.known, r->options->root, l.found, l.common);
        status = JOURNAL_OTHER_ROOT;
    }
    return status;
}

/* Identifiers come in no order: adding half a million of them one by one to their index is a third of a first run, sorting
 * them once at its end a tenth. The sorting takes as much memory as the cache may. */
static enum journal_status index_identifiers(struct run *r, bool there)
{
    return journal_status_of(db_run(r->j->db,
                                    there ? "PRAGMA cache_size=-4096;"
                                            "CREATE INDEX record_software_id ON record(software_id);"
                                            "PRAGMA cache_size=" JOURNAL_CACHE_SIZE
                                          : "DROP INDEX record_software_id",
                                    r->error));
}

/* Everything between BEGIN and COMMIT. */
static enum journal_status collect_all(struct run *r, struct journal_report *report)
{
    struct head h;
    enum journal_status status = head_read(r, &h);
    int64_t file = file_identity(r->j->path);
    if (status != JOURNAL_OK)
        return status;
    if (strcmp(h.root, r->options->root) != 0) {
        if (h.root[0] && !r->options->adopt_root)
            return journal_other_root(r->j, h.root, r->options->root, r->error);
        if (h.root[0] && (status = expect_likeness(r, &h)) != JOURNAL_OK)
            return status;
        snprintf(h.root, sizeof h.root, "%s", r->options->root);
        r->changed = true;
    }
    r->first = h.last_eid == 0;
    r->seq = (int64_t)h.last_eid - h.shift;
    r->records = h.records;
    r->collected = h.collected;
    /* SWIMA-R33, R35, R111, RFC 8412 §3.7.1: a copy of the journal that took its place may lack events that were told
     * already. */
    report->new_epoch = !h.found || h.file != file || is_older(r, &h);
    if (report->new_epoch) {
        h.epoch = new_epoch(h.epoch);
        h.file = file;
        r->changed = true;
    }
    if (r->first)
        status = index_identifiers(r, false);
    if (status == JOURNAL_OK)
        status = run_prepare_rows(r);
    if (status == JOURNAL_OK)
        status = load_causes(r);
    r->any_manager = journal_any_manager(r->options->root);
    for (size_t i = 0; pkg_managers[i] && status == JOURNAL_OK; i++) {
        r->manager = pkg_managers[i];
        r->report = &report->sources[report->source_count];
        *r->report = (struct journal_source_report){.manager = r->manager};
        status = collect_source(r);
        report->new_events += r->report->new_events;
        report->source_count += r->report->manager != NULL;
    }
    /* SWIMA-R3, RFC 8412 §3.1: a source that is lost is a discontinuity. */
    if (r->lost_source && !report->new_epoch) {
        h.epoch = new_epoch(h.epoch);
        report->new_epoch = true;
    }
    if (status == JOURNAL_OK)
        status = put_base(r, &h);
    if (status == JOURNAL_OK)
        status = run_flush_events(r);
    if (status == JOURNAL_OK && r->first)
        status = index_identifiers(r, true);
    if (status != JOURNAL_OK)
        return status;
    if (r->seq + h.shift > UINT32_MAX) {
        error_set(r->error, "%s: its event numbers are used up; remove it, and the next run begins a new one",
                  r->j->path);
        return JOURNAL_FAILED;
    }
    h.last_eid = (uint32_t)(r->seq + h.shift);
    h.records = r->records;
    h.collected = r->now;
    report->epoch = h.epoch;
    report->last_eid = h.last_eid;
    return r->changed || r->now - r->collected >= NOTE_AFTER || r->now < r->collected ? head_write(r, &h) : JOURNAL_OK;
}

static enum journal_status collect_once(struct journal *j, const struct journal_options *options,
                                        struct journal_report *report, struct error *error)
{
    char root[PATH_MAX];
    struct journal_options own = *options;
    enum journal_status status = journal_find_root(options->root, root, error);
    own.root = root;
    struct run r = {.j = j,
                    .options = &own,
                    .error = error,
                    .software_ids = wr_of(0),
                    .tag_version = wr_of(0),
                    .tag = arena_of(SWID_READ_MAX),
                    .now = time_now(),
                    .creator = options->creator ? options->creator : &swid_default_creator};
    *report = (struct journal_report){.collected = r.now};
    if (status != JOURNAL_OK)
        return status;
    /* First the lock, then the reading: what a second run does meanwhile must not be missed. */
    status = journal_status_of(db_begin(j->db, error));
    if (status == JOURNAL_OK) {
        status = collect_all(&r, report);
        if (status == JOURNAL_OK)
            status = journal_status_of(db_commit(j->db, error));
        else
            db_rollback(j->db);
        if (status == JOURNAL_OK && r.changed)
            mark_write(j, report);
    }
    wr_free(&r.software_ids);
    wr_free(&r.tag_version);
    arena_free(&r.tag);
    memory_free(&r.causes);
    free(r.base);
    free(r.bounds);
    return status;
}

/* The folder of the manager's database that is there, for a message (what it watches is that, then logs); else the first
 * of those where it could be. */
static const char *place_of(const struct pkg_manager *m, const char *root, char path[PATH_MAX])
{
    const char *below = strcmp(root, "/") == 0 ? "" : root;
    for (const char *const *place = m->watch; *place; place++)
        if (strncmp(*place, "/var/log/", 9) != 0 && snprintf(path, PATH_MAX, "%s%s", below, *place) < PATH_MAX &&
            access(path, F_OK) == 0)
            return path;
    snprintf(path, PATH_MAX, "%s%s", below, m->watch[0]);
    return path;
}

enum journal_status journal_collect(struct journal *j, const struct journal_options *options,
                                    struct journal_report *report, struct error *error)
{
    char path[PATH_MAX];
    enum journal_status status = collect_once(j, options, report, error);
    if (status == JOURNAL_DAMAGED && j->mode == JOURNAL_WRITE && (status = journal_renew(j, error)) == JOURNAL_OK) {
        log_line(LOG_WARNING, "%s", error->text);
        status = collect_once(j, options, report, error);
    }
    for (size_t i = 0; i < report->source_count && status == JOURNAL_OK; i++)
        if (report->sources[i].status != PKG_OK && report->sources[i].status != PKG_ABSENT) {
            status = JOURNAL_INCOMPLETE;
            error_set(error, "the packages of %s (%s) could not be read: their last known state stands",
                      report->sources[i].manager->name, place_of(report->sources[i].manager, options->root, path));
        }
    if (status == JOURNAL_OK && report->source_count == 0) {
        status = JOURNAL_INCOMPLETE;
        error_set(error, "%s: no package manager that Muster knows", options->root);
    }
    return status;
}
