#include "agent/journal_run.h"

#include <stdlib.h>

/* What happened, how surely, and why. */
struct moment {
    int64_t time, not_before;
    enum pkg_precision precision;
    uint32_t cause; /* 0: unknown */
};

/* ---- records coming and going ------------------------------------------------------------------------------------ */

/* The next event of the stream. SWIMA-R31, RFC 8412 §3.7.1: consecutive over all sources, one EID an event. */
static bool put(struct run *r, const struct moment *m, enum pkg_action action, uint32_t record)
{
    if (m->time > r->newest)
        r->newest = m->time;
    r->report->new_events++;
    const struct event_row row = {++r->seq, m->time, m->not_before, m->precision, action, record, m->cause};
    return run_put_event(r, &row) == JOURNAL_OK;
}

static struct memory_key record_key(const struct run *r, struct bytes name, struct bytes arch, struct bytes version)
{
    return memory_key((uint8_t)(DOMAIN_RECORD + 4 * r->manager->source), name, arch, version);
}

/* What brought its own tag is known by identifier and place, too. */
static struct memory_key own_key(const struct run *r, struct memory_key key, const struct pkg_tag *tag)
{
    if (!tag || !tag->software_id.n)
        return key;
    struct memory_key own = memory_key((uint8_t)(DOMAIN_RECORD + 4 * r->manager->source), tag->software_id, tag->locator, (struct bytes){0});
    uint64_t first = key.first ^ own.first;
    return (struct memory_key){first ? first : 1, key.second ^ own.second};
}

static struct memory_key name_key(const struct run *r, struct bytes name, struct bytes arch)
{
    return memory_key((uint8_t)(DOMAIN_NAME + 4 * r->manager->source), name, arch, (struct bytes){0});
}

static bool knows(const struct run *r, struct memory_key key)
{
    uint32_t value;
    return memory_get(&r->known, key, &value);
}

/* Nothing was ever told of it: of no version of it, unless each version goes its own way. */
static bool is_unheard_of(const struct run *r, struct bytes name, struct bytes arch, struct bytes version, const struct pkg_tag *tag)
{
    return !knows(r, r->manager->side_by_side ? own_key(r, record_key(r, name, arch, version), tag) : name_key(r, name, arch));
}

/* The package is believed to be there from now on; without its event. SWIMA-R14, RFC 8412 §3.4.3: a package that comes
 * back is the same record, with the same Record Identifier. */
static struct entry *admit(struct run *r, const struct pkg_package *p)
{
    struct entry *e = entry_add(&r->present, p);
    struct memory_key key = own_key(r, record_key(r, p->name, p->arch, p->version), p->tag);
    if (!e) {
        run_fail(r, JOURNAL_FAILED, "out of memory");
        return NULL;
    }
    e->dirty = true;
    e->since = TIME_UNKNOWN;
    bool known = memory_get(&r->known, key, &e->id);
    e->id = known ? e->id : ++r->records;
    if (p->tag && run_put_tag(r, e->id, p->tag) != JOURNAL_OK)
        return NULL;
    if (known)
        return e;
    r->source_records++;
    if (!memory_put(&r->known, key, e->id) || !memory_put(&r->known, name_key(r, p->name, p->arch), 0)) {
        run_fail(r, JOURNAL_FAILED, "out of memory");
        return NULL;
    }
    return run_put_record(r, e) == JOURNAL_OK ? e : NULL;
}

static struct entry *create(struct run *r, const struct pkg_package *p, const struct moment *m)
{
    struct entry *e = admit(r, p);
    if (!e)
        return NULL;
    e->since = m->time;
    e->precision = m->precision;
    return put(r, m, PKG_CREATE, e->id) ? e : NULL;
}

/* There before the logs begin. */
static struct entry *create_base(struct run *r, const struct pkg_package *p, int64_t time, enum pkg_precision precision)
{
    if (r->base_count == r->base_capacity) {
        size_t capacity = r->base_capacity ? r->base_capacity * 2 : 1024;
        struct base_event *grown = realloc(r->base, capacity * sizeof *grown);
        if (!grown) {
            run_fail(r, JOURNAL_FAILED, "out of memory");
            return NULL;
        }
        r->base = grown;
        r->base_capacity = capacity;
    }
    struct entry *e = admit(r, p);
    if (!e)
        return NULL;
    e->base = true;
    e->since = time;
    e->precision = precision;
    r->base[r->base_count++] = (struct base_event){e->id, time, precision};
    r->report->new_events++;
    return e;
}

/* Says that it is gone; the entry is still there for the caller to remove. */
static bool tell_gone(struct run *r, struct entry *e, const struct moment *m)
{
    return put(r, m, PKG_DELETE, e->id) && run_drop_present(r, e) == JOURNAL_OK;
}

static bool delete (struct run *r, struct entry *e, const struct moment *m)
{
    bool told = tell_gone(r, e, m);
    if (told)
        entry_remove(&r->present, e);
    return told;
}

/* ---- events of logs ---------------------------------------------------------------------------------------------- */

/* The entry that an event speaks of, of any version, unless several can be there. */
static struct entry *find_there(const struct run *r, const struct entry_set *set, const struct pkg_event *e)
{
    struct entry *loose = NULL;
    for (struct entry *at = entry_find(set, e->name, NULL); at; at = entry_find(set, e->name, at)) {
        if (r->manager->side_by_side && !bytes_equal(at->version, e->version))
            continue;
        if (bytes_equal(at->arch, e->arch))
            return at;
        if (e->arch_or_all && (bytes_equal(at->arch, BYTES("all")) || e->arch.n == 0))
            loose = at;
    }
    return loose;
}

/* Which architecture does an event mean that says the native one of packages of architecture `all` too? What is
 * installed tells, or what was known before. */
static struct bytes arch_of(const struct run *r, const struct pkg_event *e)
{
    struct bytes all = BYTES("all");
    const struct entry *there = e->arch_or_all ? find_there(r, &r->installed, e) : NULL;
    if (!e->arch_or_all)
        return e->arch;
    if (there)
        return there->arch;
    bool only_all = knows(r, name_key(r, e->name, all)) && !knows(r, name_key(r, e->name, e->arch));
    if (only_all)
        return all;
    return e->arch.n ? e->arch : bytes_of(r->platform.machine);
}

static struct moment moment_of(struct run *r, const struct pkg_event *e)
{
    return (struct moment){e->time, e->not_before, e->precision, run_cause(r, e->command, e->user)};
}

/* Before what an event tells, something must have happened that no log tells: at some time since `since`. */
static struct moment untold(const struct pkg_event *e, int64_t since)
{
    return (struct moment){e->time, since <= e->time ? since : TIME_UNKNOWN, PKG_BOUND, 0};
}

/* SWIMA-R22, R25, R29, RFC 8412 §3.6. The version that an event takes away or alters, brought there if no log told how
 * it came. NULL: nothing to do. */
static struct entry *ensure(struct run *r, const struct pkg_event *e)
{
    struct entry *there = find_there(r, &r->present, e);
    if (e->weak || (there && bytes_equal(there->version, e->version)))
        return there;
    struct pkg_package p = {.name = e->name, .version = e->version, .arch = there ? there->arch : arch_of(r, e)};
    if (knows(r, record_key(r, p.name, p.arch, p.version)))
        return NULL; /* two logs tell of the same removal or upgrade; if they do not, the package manager has the last
                        word */
    if (!there && r->first && is_unheard_of(r, p.name, p.arch, p.version, NULL))
        return create_base(r, &p, TIME_UNKNOWN, PKG_BOUND);
    struct moment m = untold(e, there ? there->since : TIME_UNKNOWN);
    if (there && !tell_gone(r, there, &m))
        return NULL;
    struct entry *created = create(r, &p, &m); /* p may still look into `there` */
    if (there)
        entry_remove(&r->present, there);
    return created;
}

/* What was only planned tells what it set out from: a package that was there, or one that has not always been. */
static void take_plan(struct run *r, const struct pkg_event *e)
{
    if (e->action == PKG_DELETE)
        ensure(r, e);
    else if (!memory_put(&r->known, name_key(r, e->name, arch_of(r, e)), 0))
        run_fail(r, JOURNAL_FAILED, "out of memory");
}

bool run_apply(void *context, const struct pkg_event *e)
{
    struct run *r = context;
    struct moment m = moment_of(r, e);
    struct entry *there;
    if (r->doubted && !run_note_name(r, e->name))
        return false;
    if (e->planned) {
        take_plan(r, e);
        return r->status == JOURNAL_OK;
    }
    if (e->action != PKG_CREATE) {
        there = ensure(r, e);
        if (there && !run_order(r, &m.time, &m.not_before, &m.precision))
            return false;
        if (there && e->action == PKG_DELETE)
            delete (r, there, &m);
        else if (there)
            put(r, &m, PKG_ALTER, there->id);
        return r->status == JOURNAL_OK;
    }
    there = find_there(r, &r->present, e);
    if (there && bytes_equal(there->version, e->version)) { /* known already, if not so well */
        const struct event_row known = {.time = m.time, .precision = m.precision, .cause = m.cause};
        return m.precision == PKG_BOUND || run_narrow(r, there, &known);
    }
    if (!run_order(r, &m.time, &m.not_before, &m.precision))
        return false;
    struct pkg_package p = {.name = e->name, .version = e->version, .arch = arch_of(r, e)};
    if (there) {
        struct moment gone = untold(e, there->since);
        delete (r, there, &gone);
    }
    if (r->status == JOURNAL_OK)
        create(r, &p, &m);
    return r->status == JOURNAL_OK;
}

/* ---- the package manager has the last word ----------------------------------------------------------------------- */

/* Something that no log explains. */
struct surprise {
    struct moment moment;
    struct entry *entry;
    bool gone;
    struct entry *altered; /* NULL, or what the package manager has under the same name */
};

static int by_time(const void *a, const void *b)
{
    const struct surprise *sa = a, *sb = b;
    if (sa->moment.time != sb->moment.time)
        return sa->moment.time < sb->moment.time ? -1 : 1;
    int c = bytes_compare(sa->entry->name, sb->entry->name);
    if (c == 0)
        c = bytes_compare(sa->entry->arch, sb->entry->arch);
    return c ? c : (sb->gone > sa->gone) - (sb->gone < sa->gone); /* the old version goes before the new one comes */
}

static struct pkg_package package_of(const struct entry *e)
{
    return (struct pkg_package){.name = e->name,
                                .version = e->version,
                                .arch = e->arch,
                                .source_name = e->source_name,
                                .source_version = e->source_version,
                                .state = e->state,
                                .tag = e->tag.software_id.n ? &e->tag : NULL};
}

/* The same one in another set. */
static struct entry *find_same(const struct entry_set *set, const struct entry *e)
{
    const struct pkg_package p = package_of(e);
    return entry_find_exact(set, &p);
}

/* Takes over what the package manager says of a package that both know. */
static bool agree(struct run *r, struct entry *e, struct entry *now)
{
    bool same_source =
        bytes_equal(e->source_name, now->source_name) && bytes_equal(e->source_version, now->source_version);
    now->matched = true;
    e->source_name = now->source_name;
    e->source_version = now->source_version;
    if (!same_source && run_set_source(r, e) != JOURNAL_OK)
        return false;
    if (!e->dirty && e->state == now->state)
        return true;
    e->state = now->state;
    e->dirty = false;
    return run_put_present(r, e) == JOURNAL_OK;
}

/* When a package came that no log tells of, as far as its manager knows: the second at which it was installed, or one
 * at or before which its files were laid down, which is a bound. TIME_UNKNOWN if it says nothing that can be. */
static int64_t told_otherwise(const struct run *r, const struct entry *e, enum pkg_precision *precision)
{
    int64_t at = e->installed_at;
    *precision = PKG_EXACT;
    if (at == TIME_UNKNOWN && r->manager->unpacked) {
        *precision = PKG_BOUND;
        at = r->manager->unpacked(r->options->root, e->name, e->arch);
    } else if (at == TIME_UNKNOWN && e->tag.octets.n) {
        *precision = PKG_BOUND;
        at = e->tag.written_at;
    }
    return at <= r->now ? at : TIME_UNKNOWN;
}

static struct moment came(const struct run *r, const struct entry *e, int64_t not_before)
{
    enum pkg_precision precision;
    int64_t time = told_otherwise(r, e, &precision);
    if (e->tag.octets.n && time != TIME_UNKNOWN && not_before != TIME_UNKNOWN && time < not_before)
        not_before = TIME_UNKNOWN; /* it lay there already, and nobody looked */
    if (time == TIME_UNKNOWN || (not_before != TIME_UNKNOWN && time < not_before)) {
        precision = PKG_BOUND;
        time = r->now;
    }
    if (precision == PKG_EXACT)
        return (struct moment){time, TIME_UNKNOWN, PKG_EXACT, 0};
    /* What the logs told of this run stays before it: EIDs ascend with the times. */
    return (struct moment){time > r->newest ? time : r->newest, not_before, PKG_BOUND, 0};
}

/* First run, and the logs know nothing of it: it is older than they are, unless its files are younger. */
static bool is_base(const struct run *r, const struct entry *e, int64_t reaches_back, struct moment *m)
{
    int64_t time = told_otherwise(r, e, &m->precision);
    if (time == TIME_UNKNOWN) {
        m->precision = PKG_BOUND;
        time = reaches_back != TIME_UNKNOWN ? reaches_back : r->now;
    }
    m->time = time;
    return r->first && is_unheard_of(r, e->name, e->arch, e->version, &e->tag) &&
           (reaches_back == TIME_UNKNOWN || time <= reaches_back);
}

static bool settle(struct run *r, const struct surprise *s)
{
    struct entry *e = s->entry;
    if (s->gone)
        return delete (r, e, &s->moment);
    if (s->altered) /* SWIMA-R22, R29, RFC 8412 §3.6: other octets, the same record */
        return put(r, &s->moment, PKG_ALTER, e->id) && run_put_tag(r, e->id, &s->altered->tag) == JOURNAL_OK;
    struct pkg_package p = package_of(e);
    p.source_name = p.source_version = (struct bytes){0}; /* agree() has them */
    struct entry *created = create(r, &p, &s->moment);
    return created && agree(r, created, e);
}

/* The package of the journal whose place another version took; NULL if there is none. */
static struct entry *replaced(const struct run *r, const struct entry *e)
{
    for (struct entry *at = entry_find(&r->present, e->name, NULL); at; at = entry_find(&r->present, e->name, at))
        if (!at->matched && bytes_equal(at->arch, e->arch))
            return at;
    return NULL;
}

/* The second since which the journal knows that it was as it stands there. */
static int64_t known_since(const struct run *r, const struct entry *e)
{
    return e->before && r->collected != TIME_UNKNOWN && r->collected > e->since ? r->collected : e->since;
}

/* When a tag took the place of an older one: a file's own time is a bound, if it is later than what is known already. */
static struct moment written(const struct run *r, const struct entry *e, const struct pkg_tag *tag)
{
    int64_t since = known_since(r, e), time = tag->written_at >= since && tag->written_at <= r->now ? tag->written_at : r->now;
    return (struct moment){time, since, PKG_BOUND, 0};
}

/* Fills `surprises` with what differs; false after a failure. */
static bool find_surprises(struct run *r, int64_t reaches_back, struct entry **present, struct entry **installed,
                           struct surprise *surprises, size_t *count)
{
    size_t present_count = r->present.count;
    for (size_t i = 0; i < present_count; i++) {
        struct entry *now = find_same(&r->installed, present[i]);
        present[i]->matched = now != NULL;
        if (now && !present[i]->base && !agree(r, present[i], now))
            return false;
        if (now)
            now->matched = true;
        if (now && now->tag.octets.n && !present[i]->base && !run_is_tag(r, present[i]->id, &now->tag))
            surprises[(*count)++] = (struct surprise){written(r, present[i], &now->tag), present[i], false, now};
    }
    for (size_t i = 0; i < r->installed.count; i++) {
        struct entry *e = installed[i];
        struct moment before_logs;
        if (e->matched)
            continue;
        struct entry *old = replaced(r, e);
        if (!old && is_base(r, e, reaches_back, &before_logs)) {
            struct pkg_package p = package_of(e);
            struct entry *base = create_base(r, &p, before_logs.time, before_logs.precision);
            if (!base)
                return false;
            base->matched = true;
            continue;
        }
        int64_t since = old && (r->collected == TIME_UNKNOWN || old->since > r->collected) ? old->since : r->collected;
        struct moment m = came(r, e, since);
        if (old)
            old->replaced_at = m.time;
        surprises[(*count)++] = (struct surprise){.moment = m, .entry = e};
    }
    for (size_t i = 0; i < present_count; i++) {
        struct entry *e = present[i];
        if (e->matched)
            continue;
        int64_t since = known_since(r, e);
        int64_t time = e->replaced_at ? e->replaced_at : r->now > r->newest ? r->now : r->newest;
        struct moment gone = {time, since, PKG_BOUND, 0};
        surprises[(*count)++] = (struct surprise){.moment = gone, .entry = e, .gone = true};
    }
    return true;
}

/* What was there before the logs, and is there still, gets the time up to which that is certain. */
static bool settle_base(struct run *r, int64_t reaches_back)
{
    for (size_t i = r->source_base; i < r->base_count; i++)
        if (r->base[i].time == TIME_UNKNOWN)
            r->base[i].time = reaches_back;
    for (size_t i = 0; i < r->present.bucket_count; i++)
        for (struct entry *e = r->present.buckets[i]; e; e = e->next) {
            if (!e->base)
                continue;
            if (e->since == TIME_UNKNOWN)
                e->since = reaches_back;
            struct entry *now = find_same(&r->installed, e);
            if (now && !agree(r, e, now))
                return false;
        }
    return true;
}

enum journal_status run_reconcile(struct run *r, int64_t reaches_back)
{
    size_t count = 0, room = r->present.count + r->installed.count;
    struct entry **present = entry_sorted(&r->present), **installed = entry_sorted(&r->installed);
    struct surprise *surprises = room ? calloc(room, sizeof *surprises) : NULL;
    bool memory = (!room || surprises) && (!r->present.count || present) && (!r->installed.count || installed);
    if (!memory)
        run_fail(r, JOURNAL_FAILED, "out of memory");
    if (memory && find_surprises(r, reaches_back, present, installed, surprises, &count) &&
        settle_base(r, reaches_back)) {
        /* A package manager at work writes its logs before or after its database: what only one of the two tells is no
         * surprise yet. When it is done the logs explain it. */
        r->report->unsettled = count && r->busy;
        for (size_t i = 0; r->busy && i < count && r->status == JOURNAL_OK; i++) {
            struct entry *e = surprises[i].entry;
            if (surprises[i].gone && e->dirty && run_put_present(r, e) == JOURNAL_OK)
                e->dirty = false; /* the log is ahead, and stays believed */
        }
        if (r->busy)
            count = 0;
        if (count)
            qsort(surprises, count, sizeof *surprises, by_time);
        for (size_t i = 0; i < count && settle(r, &surprises[i]); i++)
            ;
    }
    free(present);
    free(installed);
    free(surprises);
    return r->status;
}

enum journal_status run_load(struct run *r)
{
    enum journal_status status = JOURNAL_OK;
    sqlite3_stmt *s =
        journal_statement(r->j,
                          "SELECT id, name, arch, version, p.record, since, precision, state, source_name, source_version,"
                          " iif(t.record IS NULL, NULL, software_id), locator FROM record LEFT JOIN present p ON p.record = id"
                          " LEFT JOIN tag t ON t.record = id WHERE source = ?1",
                          &status, r->error);
    if (!s)
        return status;
    sqlite3_bind_int(s, 1, r->manager->source);
    while (journal_step(r->j, s, &status, r->error)) {
        struct pkg_package p = {.name = journal_column_text(s, 1),
                                .arch = journal_column_text(s, 2),
                                .version = journal_column_text(s, 3),
                                .source_name = journal_column_text(s, 8),
                                .source_version = journal_column_text(s, 9),
                                .state = (enum pkg_state)sqlite3_column_int(s, 7)};
        const struct pkg_tag tag = {.software_id = journal_column_text(s, 10), .locator = journal_column_text(s, 11)};
        p.tag = tag.software_id.n ? &tag : NULL;
        uint32_t id = (uint32_t)sqlite3_column_int64(s, 0);
        bool there = sqlite3_column_type(s, 4) != SQLITE_NULL;
        struct entry *e = there ? entry_add(&r->present, &p) : NULL;
        if ((there && !e) || !memory_put(&r->known, own_key(r, record_key(r, p.name, p.arch, p.version), p.tag), id) ||
            !memory_put(&r->known, name_key(r, p.name, p.arch), 0)) {
            sqlite3_reset(s);
            error_set(r->error, "out of memory");
            return JOURNAL_FAILED;
        }
        if (!e)
            continue;
        e->id = id;
        e->before = true;
        e->since = journal_column_time(s, 5);
        e->precision = (enum pkg_precision)sqlite3_column_int(s, 6);
    }
    return status;
}
