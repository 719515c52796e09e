#include "agent/journal.h"

#include <stdlib.h>

enum journal_status journal_head(struct journal *j, struct journal_head *head, struct error *error)
{
    enum journal_status status = JOURNAL_OK;
    sqlite3_stmt *s =
        journal_statement(j,
                          "SELECT epoch, last_eid, collected, (SELECT ifnull(sum(installed), 0) FROM source),"
                          " (SELECT ifnull(sum(records - installed), 0) FROM source), (SELECT count(*) FROM source),"
                          /* Those from before the logs may have been narrowed since they were put in order. */
                          " coalesce((SELECT min(time) FROM event WHERE seq <= 0), (SELECT time FROM event ORDER BY seq LIMIT 1)), (SELECT count(*) FROM source WHERE unreadable) FROM head",
                          &status, error);
    *head = (struct journal_head){.collected = TIME_UNKNOWN, .known_since = TIME_UNKNOWN};
    if (!s)
        return status;
    if (journal_step(j, s, &status, error)) {
        head->epoch = (uint32_t)sqlite3_column_int64(s, 0);
        head->last_eid = (uint32_t)sqlite3_column_int64(s, 1);
        head->collected = sqlite3_column_int64(s, 2);
        head->installed = (uint32_t)sqlite3_column_int64(s, 3);
        head->removed = (uint32_t)sqlite3_column_int64(s, 4);
        head->sources = (uint32_t)sqlite3_column_int64(s, 5);
        head->known_since = journal_column_time(s, 6);
        head->unread = (uint32_t)sqlite3_column_int64(s, 7);
        sqlite3_reset(s);
    } else if (status == JOURNAL_OK) {
        error_set(error, "%s: nothing was collected yet; run muster collect", j->path);
        return JOURNAL_ABSENT;
    }
    return status;
}

/* The package database of some source could not be read at the last run: it is neither PKG_OK nor PKG_ABSENT. */
static enum journal_status completeness(struct journal *j, struct error *error)
{
    enum journal_status status = JOURNAL_OK;
    sqlite3_stmt *s = journal_statement(j, "SELECT id FROM source WHERE status > 1", &status, error);
    if (!s || !journal_step(j, s, &status, error))
        return status;
    const struct pkg_manager *m = pkg_manager_by_source((uint8_t)sqlite3_column_int(s, 0));
    sqlite3_reset(s);
    error_set(error, "the packages of %s could not be read at the last run: what stands here is their last known state",
              m ? m->name : "a source");
    return JOURNAL_INCOMPLETE;
}

/* What no log tells of a time in which one could not be read, nobody knows. */
static enum journal_status expect_no_gap(struct journal *j, int64_t at, struct error *error)
{
    enum journal_status status = JOURNAL_OK;
    sqlite3_stmt *s = at == TIME_UNKNOWN ? NULL : journal_statement(j, "SELECT source, since, until FROM gap WHERE since < ?1 AND until > ?1", &status, error);
    if (!s)
        return status;
    sqlite3_bind_int64(s, 1, at);
    if (!journal_step(j, s, &status, error))
        return status;
    const struct pkg_manager *m = pkg_manager_by_source((uint8_t)sqlite3_column_int(s, 0));
    char since[TIME_TEXT], until[TIME_TEXT];
    time_format(sqlite3_column_int64(s, 1), since);
    time_format(sqlite3_column_int64(s, 2), until);
    sqlite3_reset(s);
    error_set(error,
              "a log of %s could not be read that tells of the time from %s to %s: what was installed then may be another version, or none;"
              " if the log can be read now, a new journal will have it: remove %.300s and collect again",
              m ? m->name : "a source", since, until, j->path);
    return JOURNAL_INCOMPLETE;
}

/* ---- records ----------------------------------------------------------------------------------------------------- */

#define RECORD_COLUMNS                                                                                                 \
    "r.id, r.source, r.software_id, r.name, r.version, r.arch, r.source_name, r.source_version, p.state, p.record, "   \
    "p.since, p.precision, t.locator, t.model, t.octets"
#define RECORD_TABLES "LEFT JOIN present p ON p.record = r.id LEFT JOIN tag t ON t.record = r.id"
#define RECORD_COLUMN_COUNT 15

static struct bytes column_octets(sqlite3_stmt *s, int column)
{
    const uint8_t *p = sqlite3_column_blob(s, column);
    return (struct bytes){p, p ? (size_t)sqlite3_column_bytes(s, column) : 0};
}

static struct journal_record record_of(sqlite3_stmt *s, int column)
{
    return (struct journal_record){
        .id = (uint32_t)sqlite3_column_int64(s, column),
        .source = (uint8_t)sqlite3_column_int(s, column + 1),
        .software_id = journal_column_text(s, column + 2),
        .name = journal_column_text(s, column + 3),
        .version = journal_column_text(s, column + 4),
        .arch = journal_column_text(s, column + 5),
        .source_name = journal_column_text(s, column + 6),
        .source_version = journal_column_text(s, column + 7),
        .state = (enum pkg_state)sqlite3_column_int(s, column + 8),
        .installed = sqlite3_column_type(s, column + 9) != SQLITE_NULL,
        .since = journal_column_time(s, column + 10),
        .precision = (enum pkg_precision)sqlite3_column_int(s, column + 11),
        .locator = journal_column_text(s, column + 12),
        .model = (uint32_t)sqlite3_column_int64(s, column + 13),
        .tag = column_octets(s, column + 14),
    };
}

/* What the events up to a moment say of each record, by its number. */
struct past {
    struct past_state {
        int64_t since; /* TIME_UNKNOWN with action 0: nothing yet */
        int64_t came;  /* by when it had come, if that may have been before */
        uint8_t action, precision;
        bool may_have_come, may_have_gone; /* before the moment or behind it: of that only a bound behind it is known */
    } * states;
    size_t count;
};

struct past_event {
    int64_t time, not_before;
    enum pkg_action action;
    enum pkg_precision precision;
};

/* Later knowledge may be of earlier times: the latest time wins, of one time the highest EID. */
static void fold_event(struct past_state *state, const struct past_event *e, int64_t at)
{
    if (e->time <= at && (state->action == 0 || e->time >= state->since)) {
        state->since = e->time;
        state->action = (uint8_t)e->action;
        state->precision = (uint8_t)e->precision;
    } else if (e->time > at && e->precision == PKG_BOUND && (e->not_before == TIME_UNKNOWN || e->not_before <= at)) {
        if (e->action == PKG_CREATE && !state->may_have_come)
            state->came = e->time;
        state->may_have_come |= e->action == PKG_CREATE;
        state->may_have_gone |= e->action == PKG_DELETE;
    }
}

static enum journal_status fold(struct journal *j, int64_t at, struct past *past, struct error *error)
{
    enum journal_status status = JOURNAL_OK;
    sqlite3_stmt *s = journal_statement(j, "SELECT records FROM head", &status, error);
    if (!s || !journal_step(j, s, &status, error))
        return status;
    past->count = (size_t)sqlite3_column_int64(s, 0) + 1;
    sqlite3_reset(s);
    past->states = calloc(past->count, sizeof *past->states);
    if (!past->states) {
        error_set(error, "out of memory");
        return JOURNAL_FAILED;
    }
    s = journal_statement(j, "SELECT record, time, action, precision, not_before FROM event ORDER BY seq", &status,
                          error);
    while (s && journal_step(j, s, &status, error)) {
        size_t id = (size_t)sqlite3_column_int64(s, 0);
        const struct past_event e = {.time = journal_column_time(s, 1),
                                     .not_before = journal_column_time(s, 4),
                                     .action = (enum pkg_action)sqlite3_column_int(s, 2),
                                     .precision = (enum pkg_precision)sqlite3_column_int(s, 3)};
        if (id < past->count && e.action != PKG_ALTER)
            fold_event(&past->states[id], &e, at);
    }
    return status;
}

/* False if the record was not there yet. */
static bool as_of(const struct past *past, struct journal_record *r)
{
    const struct past_state *state = r->id < past->count ? &past->states[r->id] : NULL;
    if (!state || (state->action == 0 && !state->may_have_come))
        return false;
    bool was_there = state->action == PKG_CREATE, back = !was_there && state->may_have_come;
    bool still = r->installed && was_there && r->since == state->since;
    r->installed = was_there || back;
    r->since = back ? state->came : state->since;
    r->precision = back ? PKG_BOUND : (enum pkg_precision)state->precision;
    if (back || (was_there && state->may_have_gone))
        r->state = PKG_STATE_UNKNOWN;
    else if (!still)
        r->state = PKG_STATE_INSTALLED;
    return true;
}

static enum journal_which which_of(const struct journal_record *r)
{
    if (!r->installed)
        return JOURNAL_REMOVED;
    return r->state == PKG_STATE_UNKNOWN ? JOURNAL_UNKNOWN : JOURNAL_INSTALLED;
}

enum journal_status journal_each_record(struct journal *j, enum journal_which which, int64_t at,
                                        bool (*visit)(void *context, const struct journal_record *record),
                                        void *context, struct error *error)
{
    struct past past = {0};
    bool now = at == TIME_UNKNOWN &&
               (which & JOURNAL_BOTH) ==
                   JOURNAL_INSTALLED; /* what is there now stands in a table; all else takes the events */
    enum journal_status status = now ? JOURNAL_OK : fold(j, at == TIME_UNKNOWN ? INT64_MAX : at, &past, error);
    const char *sql = now ? "SELECT " RECORD_COLUMNS
                            " FROM present p JOIN record r ON r.id = p.record LEFT JOIN tag t ON t.record = r.id"
                            " ORDER BY name, arch, version, software_id"
                          : "SELECT " RECORD_COLUMNS
                            " FROM record r " RECORD_TABLES " ORDER BY name, arch, version, software_id";
    sqlite3_stmt *s = status == JOURNAL_OK ? journal_statement(j, sql, &status, error) : NULL;
    while (s && journal_step(j, s, &status, error)) {
        struct journal_record record = record_of(s, 0);
        /* Of what is there now the row knows more than the latest of its events: logs that were found later tell of earlier times. */
        bool stands = now || (at == TIME_UNKNOWN && record.installed);
        if (!stands && !as_of(&past, &record))
            continue;
        if (at == TIME_UNKNOWN && !stands && record.installed) { /* its events' times contradict; that it is gone is certain, when it went is not */
            record.installed = false;
            record.since = TIME_UNKNOWN;
            record.precision = PKG_BOUND;
        }
        if (!(which & which_of(&record)))
            continue;
        if (!visit(context, &record)) {
            sqlite3_reset(s);
            break;
        }
    }
    free(past.states);
    if (status == JOURNAL_OK)
        status = expect_no_gap(j, at, error);
    return status == JOURNAL_OK ? completeness(j, error) : status;
}

enum journal_status journal_find(struct journal *j, struct bytes software_id,
                                 bool (*visit)(void *context, const struct journal_record *record), void *context,
                                 struct error *error)
{
    enum journal_status status = JOURNAL_OK;
    sqlite3_stmt *s = journal_statement(j,
                                        "SELECT " RECORD_COLUMNS
                                        " FROM record r " RECORD_TABLES " WHERE r.software_id = ?1"
                                        " ORDER BY p.record IS NULL, t.record IS NULL, name, arch, version",
                                        &status, error);
    if (!s)
        return status;
    journal_bind_text(s, 1, software_id);
    while (journal_step(j, s, &status, error)) {
        struct journal_record record = record_of(s, 0);
        if (!visit(context, &record)) {
            sqlite3_reset(s);
            break;
        }
    }
    return status;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static struct journal_event event_of(sqlite3_stmt *s)
{
    int column = RECORD_COLUMN_COUNT;
    return (struct journal_event){
        .record = record_of(s, 0),
        .eid = (uint32_t)sqlite3_column_int64(s, column),
        .epoch = (uint32_t)sqlite3_column_int64(s, column + 1),
        .time = journal_column_time(s, column + 2),
        .not_before = journal_column_time(s, column + 3),
        .precision = (enum pkg_precision)sqlite3_column_int(s, column + 4),
        .action = (enum pkg_action)sqlite3_column_int(s, column + 5),
        .command = journal_column_text(s, column + 6),
        .user = journal_column_text(s, column + 7),
    };
}

#define EVENTS                                                                                                         \
    "SELECT " RECORD_COLUMNS                                                                                           \
    ", e.seq + h.shift, h.epoch, e.time, e.not_before, e.precision, e.action, c.command, c.user"                       \
    " FROM head h CROSS JOIN event e CROSS JOIN record r ON r.id = e.record " RECORD_TABLES                            \
    " LEFT JOIN cause c ON c.id = e.cause"                                                                             \
    " WHERE e.seq >= ?1 - h.shift"

enum journal_status journal_each_event(struct journal *j, uint32_t earliest, struct bytes name,
                                       bool (*visit)(void *context, const struct journal_event *event), void *context,
                                       struct error *error)
{
    enum journal_status status = JOURNAL_OK;
    const char *sql = name.n ? EVENTS " AND e.record IN (SELECT id FROM record WHERE name = ?2) ORDER BY e.seq"
                             : EVENTS " ORDER BY e.seq";
    sqlite3_stmt *s = journal_statement(j, sql, &status, error);
    if (!s)
        return status;
    sqlite3_bind_int64(s, 1, earliest);
    if (name.n)
        journal_bind_text(s, 2, name);
    while (journal_step(j, s, &status, error)) {
        struct journal_event event = event_of(s);
        if (!visit(context, &event)) {
            sqlite3_reset(s);
            break;
        }
    }
    return status == JOURNAL_OK ? completeness(j, error) : status;
}

enum journal_status journal_beginning(struct journal *j, uint32_t earliest, struct journal_beginning *b,
                                      struct error *error)
{
    enum journal_status status = JOURNAL_OK;
    sqlite3_stmt *s = journal_statement(j,
                                        "SELECT h.shift, r.source, max(coalesce(e.time, h.collected)) FROM head h CROSS JOIN event e"
                                        " JOIN record r ON r.id = e.record WHERE h.shift >= ?2 AND e.seq <= 0 AND e.precision = ?1"
                                        " GROUP BY r.source",
                                        &status, error);
    *b = (struct journal_beginning){0};
    if (!s)
        return status;
    sqlite3_bind_int(s, 1, PKG_BOUND);
    sqlite3_bind_int64(s, 2, earliest);
    while (journal_step(j, s, &status, error)) {
        b->count = (uint32_t)sqlite3_column_int64(s, 0);
        b->by[sqlite3_column_int(s, 1) & 0xff] = journal_column_time(s, 2);
    }
    return status;
}

/* ---- check ------------------------------------------------------------------------------------------------------- */

struct check {
    const struct pkg_manager *manager;
    struct entry_set installed;
    struct arena tag; /* that is being read */
    bool no_memory;
    uint32_t differences;
    void (*differ)(void *context, const char *what, const struct journal_record *record);
    void *context;
};

static bool take_installed(void *context, const struct pkg_package *p)
{
    struct check *c = context;
    if (p->tag && entry_find_exact(&c->installed, p)) /* as a run takes it */
        return true;
    c->no_memory = !entry_add(&c->installed, p);
    return !c->no_memory;
}

static bool read_tag(void *context, struct pkg_package *p, struct pkg_tag *tag, struct error *error)
{
    return agent_read_tag(&((struct check *)context)->tag, p, tag, error);
}

static void report(struct check *c, const char *what, const struct journal_record *record)
{
    c->differences++;
    c->differ(c->context, what, record);
}

static bool is_same_place(const struct entry *e, const struct journal_record *record)
{
    return !e->tag.software_id.n ||
           (bytes_equal(e->tag.software_id, record->software_id) && bytes_equal(e->tag.locator, record->locator));
}

static bool compare_record(void *context, const struct journal_record *record)
{
    struct check *c = context;
    if (record->source != c->manager->source)
        return true;
    for (struct entry *e = entry_find(&c->installed, record->name, NULL); e;
         e = entry_find(&c->installed, record->name, e))
        if (bytes_equal(e->arch, record->arch) && bytes_equal(e->version, record->version) && is_same_place(e, record)) {
            e->matched = true;
            if (e->tag.octets.n && !bytes_equal(e->tag.octets, record->tag))
                report(c, "its tag is another one than the journal has", record);
            if (e->state != record->state)
                report(c, "in another state than the journal says", record);
            return true;
        }
    report(c, "in the journal, but not installed", record);
    return true;
}

/* What a run would say of the manager: PKG_OK also where there is nothing to compare. */
static enum pkg_status check_read(struct check *c, const char *root, bool was_here)
{
    struct pkg_sink sink = {.context = c, .package = take_installed, .read_tag = read_tag};
    if (!was_here && !c->manager->present(root))
        return PKG_OK;
    enum pkg_status read = c->manager->installed(root, &sink);
    if (c->no_memory)
        return PKG_NO_MEMORY;
    return read == PKG_ABSENT && journal_any_manager(root) ? PKG_OK : read;
}

static enum journal_status check_source(struct journal *j, struct check *c, const char *root, struct error *error)
{
    enum journal_status status = JOURNAL_OK;
    sqlite3_stmt *s = journal_statement(j, "SELECT id FROM source WHERE id = ?1 AND status <> ?2", &status, error);
    if (!s)
        return status;
    sqlite3_bind_int(s, 1, c->manager->source);
    sqlite3_bind_int(s, 2, PKG_ABSENT);
    bool was_here = journal_step(j, s, &status, error);
    sqlite3_reset(s);
    enum pkg_status read = status == JOURNAL_OK ? check_read(c, root, was_here) : PKG_OK;
    if (read != PKG_OK) {
        error_set(error, read == PKG_NO_MEMORY ? "out of memory" : "the packages of %s (%s) could not be read",
                  c->manager->name, c->manager->watch[0]);
        return read == PKG_NO_MEMORY ? JOURNAL_FAILED : JOURNAL_INCOMPLETE;
    }
    if (status == JOURNAL_OK)
        status = journal_each_record(j, JOURNAL_INSTALLED, TIME_UNKNOWN, compare_record, c, error);
    if (status != JOURNAL_OK && status != JOURNAL_INCOMPLETE)
        return status;
    struct entry **all = entry_sorted(&c->installed);
    for (size_t i = 0; all && i < c->installed.count; i++)
        if (!all[i]->matched) {
            struct journal_record record = {.source = c->manager->source,
                                            .software_id = all[i]->tag.software_id,
                                            .locator = all[i]->tag.locator,
                                            .name = all[i]->name,
                                            .version = all[i]->version,
                                            .arch = all[i]->arch,
                                            .state = all[i]->state,
                                            .installed = true,
                                            .since = TIME_UNKNOWN};
            report(c, "installed, but not in the journal", &record);
        }
    free(all);
    return JOURNAL_OK;
}

enum journal_status journal_check(struct journal *j, const struct journal_options *options,
                                  void (*differ)(void *context, const char *what, const struct journal_record *record),
                                  void *context, uint32_t *differences, struct error *error)
{
    struct journal_head head;
    enum journal_status status = journal_head(j, &head, error);
    if (status == JOURNAL_OK)
        status = journal_expect_root(j, options->root, error);
    enum journal_status worst = status;
    *differences = 0;
    /* A source that cannot be read does not hide what differs in the others. */
    for (size_t i = 0; pkg_managers[i] && (status == JOURNAL_OK || status == JOURNAL_INCOMPLETE); i++) {
        struct check c = {.manager = pkg_managers[i], .tag = arena_of(SWID_READ_MAX), .differ = differ, .context = context};
        status = check_source(j, &c, options->root, error);
        if (status != JOURNAL_OK)
            worst = status;
        *differences += c.differences;
        entry_set_free(&c.installed);
        arena_free(&c.tag);
    }
    return worst;
}
