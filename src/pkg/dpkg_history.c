#include "pkg/internal.h"

#include <stdlib.h>
#include <string.h>

/* dpkg.log knows the second of each action, apt's history the command, the user and often more of the past. Both are
 * read side by side, oldest first; what apt planned counts only where dpkg.log is silent, and, if apt failed, where what
 * comes later proves that it was done. */

#define CURSOR_VERSION 1

struct merge {
    const struct pkg_sink *sink;
    struct dpkg_log dpkg;
    struct apt_history apt;
    struct dpkg_action action; /* dpkg's next one */
    bool has_action, stopped;
    int64_t known; /* the newest time an earlier run read; a log whose place was lost may repeat what is older */
    char native[64];
    struct log_zone zone;
    uint64_t transactions; /* apt's so far */
    struct apt_outcomes outcomes;
};

/* ---- the cursor -------------------------------------------------------------------------------------------------- */

static void cursor_read(struct bytes before, struct log_position *dpkg, struct log_position *apt, bool *speaks)
{
    struct rd r = rd_of(before, 0);
    bool known = before.n && rd_u8(&r) == CURSOR_VERSION;
    *dpkg = log_position_read(&r);
    *apt = log_position_read(&r);
    *speaks = !rd_more(&r) ? dpkg->head > 0 : rd_u8(&r); /* cursors of the first days did not say */
    if (!known || r.bad)
        *dpkg = *apt = (struct log_position){.first = TIME_UNKNOWN, .last = TIME_UNKNOWN}, *speaks = false;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a == TIME_UNKNOWN ? b : b == TIME_UNKNOWN || a < b ? a : b;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static void emit(struct merge *m, const struct log_set *from, struct pkg_event *e)
{
    int64_t earliest = e->precision == PKG_BOUND ? e->not_before : e->time;
    bool repeated = m->known != TIME_UNKNOWN && (from->lost || from->fresh) && earliest <= m->known;
    if (m->stopped || repeated)
        return;
    if (e->arch.n == 0) {
        e->arch = bytes_of(m->native);
        e->arch_or_all = true;
    }
    m->stopped = !m->sink->event(m->sink->context, e);
}

/* One version or architecture gone, one come: an upgrade is both (SWIMA-R29, RFC 8412 §3.6), a reinstallation an
 * alteration. */
static void emit_change(struct merge *m, const struct log_set *from, struct pkg_event *e, struct bytes old_version,
                        struct bytes new_version, struct bytes new_arch)
{
    bool same_arch = e->arch.n == 0 || bytes_equal(e->arch, new_arch);
    if (old_version.n && bytes_equal(old_version, new_version) && same_arch) {
        e->action = PKG_ALTER;
        e->version = new_version;
        emit(m, from, e);
        return;
    }
    e->action = PKG_DELETE;
    e->version = old_version;
    if (old_version.n)
        emit(m, from, e);
    e->action = PKG_CREATE;
    e->version = new_version;
    e->arch = new_arch;
    if (new_version.n)
        emit(m, from, e);
}

static void next_action(struct merge *m)
{
    m->has_action = dpkg_log_next(&m->dpkg, &m->action);
}

/* dpkg's next action as events; `item`: what apt says of it, NULL if it was not apt's doing. */
static void emit_action(struct merge *m, const struct apt_transaction *t, const struct apt_item *item)
{
    const struct dpkg_action *a = &m->action;
    struct pkg_event e = {.name = a->name, .arch = a->arch};
    log_set_date(&m->dpkg.set, a->time, PKG_EXACT, &e);
    if (item) {
        e.command = t->command;
        e.user = t->user;
        e.automatic = item->automatic;
    }
    switch (a->deed) {
    case DPKG_INSTALL: /* the old version is one of which only configuration was left */
        emit_change(m, &m->dpkg.set, &e, (struct bytes){0}, a->new_version, a->new_arch);
        break;
    case DPKG_UPGRADE:
        emit_change(m, &m->dpkg.set, &e, a->old_version, a->new_version, a->new_arch);
        break;
    case DPKG_REMOVE:
        emit_change(m, &m->dpkg.set, &e, a->old_version, (struct bytes){0}, a->arch);
        break;
    case DPKG_GONE:
        e.action = PKG_DELETE;
        e.weak = true;
        emit(m, &m->dpkg.set, &e);
        break;
    case DPKG_STARTUP:
        break;
    }
    next_action(m);
}

/* What apt set out from: of what failed that alone is sure, unless somebody else knows how it ended. */
static void emit_plan(struct merge *m, const struct apt_item *item, struct pkg_event *e)
{
    bool absent = item->verb == APT_INSTALL;
    e->planned = true;
    e->action = absent ? PKG_CREATE : PKG_DELETE;
    e->version = absent || item->verb == APT_REINSTALL ? item->new_version : item->old_version;
    emit(m, &m->apt.set, e);
}

static void emit_items(struct merge *m, const struct apt_transaction *t)
{
    for (size_t i = 0; i < t->count && !m->stopped; i++) {
        const struct apt_item *item = &t->items[i];
        struct pkg_event e = {.name = item->name,
                              .arch = item->arch,
                              .command = t->command,
                              .user = t->user,
                              .automatic = item->automatic};
        struct log_time time = t->start;
        if (time.earliest != time.latest && t->end.latest != INT64_MAX)
            time.latest = t->end.latest;
        log_set_date(&m->apt.set, time, PKG_TRANSACTION, &e);
        e.arch_or_all = m->native[0] == 0 || bytes_equal(item->arch, bytes_of(m->native));
        if (t->failed && !apt_outcome_is_done(&m->outcomes, m->transactions, t, item))
            emit_plan(m, item, &e);
        else if (item->verb == APT_REINSTALL)
            emit_change(m, &m->apt.set, &e, item->new_version, item->new_version, item->arch);
        else
            emit_change(m, &m->apt.set, &e, item->old_version, item->new_version, item->arch);
    }
}

/* ---- merging ----------------------------------------------------------------------------------------------------- */

/* apt's item that this action carries out, NULL if the transaction has none (any more: the next one may want the same
 * in one second). */
static struct apt_item *item_of(const struct apt_transaction *t, const struct dpkg_action *a)
{
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (bytes_compare(t->items[middle].name, a->name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < t->count && bytes_equal(t->items[low].name, a->name); low++) {
        struct apt_item *i = &t->items[low];
        struct bytes said = i->verb == APT_REMOVE ? i->old_version : i->new_version;
        struct bytes done = i->verb == APT_REMOVE ? a->old_version : a->new_version;
        bool same_arch = bytes_equal(i->arch, a->arch) || bytes_equal(a->arch, BYTES("all")) || a->arch.n == 0;
        bool gone = i->verb == APT_REMOVE && a->deed == DPKG_GONE;
        if (same_arch && (gone || (!i->done && bytes_equal(said, done))))
            return i;
    }
    return NULL;
}

/* dpkg's actions up to the end of a transaction. True: dpkg.log tells of that time, so it alone says what happened. */
static bool follow_dpkg(struct merge *m, const struct apt_transaction *t)
{
    int64_t last = m->dpkg.set.position.last;
    bool told = last != TIME_UNKNOWN && !m->has_action && last >= t->start.earliest && last <= t->end.latest;
    bool matched = false;
    while (m->has_action && m->action.time.latest < t->start.earliest)
        emit_action(m, NULL, NULL);
    while (m->has_action && !m->stopped && m->action.time.earliest <= t->end.latest) {
        struct apt_item *item = item_of(t, &m->action);
        /* In its last second another transaction may have begun already. */
        if (!item && matched && m->action.time.latest >= t->end.earliest && m->action.deed != DPKG_STARTUP)
            break;
        if (item)
            item->done = matched = true;
        told |= item != NULL || m->action.deed == DPKG_STARTUP;
        emit_action(m, t, item);
    }
    return told;
}

static void merge_transaction(struct merge *m, const struct apt_transaction *t)
{
    int64_t dpkg_first = m->dpkg.set.position.first;
    bool reached = dpkg_first != TIME_UNKNOWN && dpkg_first <= t->start.latest;
    if (!reached && t->ended)
        emit_items(m, t); /* dpkg.log begins later: what it repeats of this transaction is known by then */
    bool told = follow_dpkg(m, t);
    if (reached && !told && t->ended)
        emit_items(m, t);
}

static void save(struct merge *m, struct pkg_cursor *cursor, bool apt_ended)
{
    struct log_set *dpkg = &m->dpkg.set, *apt = &m->apt.set;
    log_set_save(dpkg, m->dpkg.hold);
    log_set_save(apt, apt_ended ? (struct log_mark){0} : m->apt.mark);
    cursor->reaches_back = earlier(log_set_reaches_back(dpkg), log_set_reaches_back(apt));
    cursor->zone_assumed = m->zone.assumed;
    cursor->continuous = !dpkg->lost && !apt->lost;
    wr_reset(&cursor->after);
    wr_u8(&cursor->after, CURSOR_VERSION);
    log_position_write(&cursor->after, &dpkg->position);
    log_position_write(&cursor->after, &apt->position);
    wr_u8(&cursor->after, m->dpkg.speaks);
}

static enum pkg_status merge_logs(const char *root, struct pkg_cursor *cursor, struct merge *m)
{
    struct apt_transaction t;
    struct log_position dpkg, apt;
    bool apt_ended = true;
    cursor_read(cursor->before, &dpkg, &apt, &m->dpkg.speaks);
    m->known = dpkg.last == TIME_UNKNOWN || apt.last > dpkg.last ? apt.last : dpkg.last;
    dpkg_native_arch(root, m->native, sizeof m->native);
    m->zone = (struct log_zone){.root = root, .sink = m->sink};
    log_set_open(&m->dpkg.set, root, DPKG_LOG, dpkg, &m->zone, m->sink);
    log_set_open(&m->apt.set, root, APT_HISTORY, apt, &m->zone, m->sink);
    m->outcomes = (struct apt_outcomes){.root = root,
                                        .dpkg = dpkg,
                                        .apt = apt,
                                        .speaks = m->dpkg.speaks,
                                        .zone = &m->zone,
                                        .native = bytes_of(m->native)};
    m->dpkg.set.time_of = dpkg_log_time;
    m->apt.set.time_of = apt_history_time;
    if (cursor->doubted) {
        log_set_check_older(&m->dpkg.set);
        log_set_check_older(&m->apt.set);
    }
    next_action(m);
    while (!m->stopped && apt_history_next(&m->apt, &t)) {
        apt_ended = t.ended;
        m->transactions++;
        merge_transaction(m, &t);
    }
    while (!m->stopped && m->has_action)
        emit_action(m, NULL, NULL);
    save(m, cursor, apt_ended);
    return m->stopped ? PKG_STOPPED : cursor->after.bad ? PKG_NO_MEMORY : PKG_OK;
}

enum pkg_status dpkg_history(const char *root, struct pkg_cursor *cursor, const struct pkg_sink *sink)
{
    struct merge *m = calloc(1, sizeof *m);
    if (!m)
        return PKG_NO_MEMORY;
    m->sink = sink;
    enum pkg_status status = merge_logs(root, cursor, m);
    log_set_close(&m->dpkg.set);
    log_set_close(&m->apt.set);
    apt_history_free(&m->apt);
    apt_outcomes_free(&m->outcomes);
    log_zone_free(&m->zone);
    free(m);
    return status;
}

uint64_t dpkg_logs_stamp(uint64_t digest, const char *root)
{
    return log_set_stamp(log_set_stamp(digest, root, DPKG_LOG), root, APT_HISTORY);
}
