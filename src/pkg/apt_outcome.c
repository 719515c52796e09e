#include "pkg/internal.h"

#include <stdlib.h>

/* What came of the items of a transaction that failed, or that was killed: apt wrote down what it was going to do, and dpkg did
 * some of it. Whoever speaks of a package next says what stood there until then: "Upgrade: p (2, 3)" that 2 had come, "Upgrade: p
 * (1, 3)" that it had not; and if nobody does, what is there now. */

enum { NOTHING = 0, ANYTHING = 1 }; /* among digests of versions: not there; there, in a version that the log does not tell */

#define WITNESSES_MAX ((size_t)2 << 20) /* 64 MiB; of logs that hold more nothing is proved */

struct witness {
    uint64_t who, version; /* digests: of name and architecture; of the version that stood there */
    int64_t time;
    uint64_t transaction; /* apt's, counted from 1; 0: dpkg's word */
};

static uint64_t digest_of_version(struct bytes version)
{
    return version.n ? digest_add(DIGEST_START, version.p, version.n) | 2 : NOTHING;
}

/* apt says the native architecture of packages of architecture `all`, too, and old logs none. */
static uint64_t digest_of_package(const struct apt_outcomes *o, struct bytes name, struct bytes arch)
{
    if (arch.n == 0 || bytes_equal(arch, BYTES("all")))
        arch = o->native;
    return digest_add(digest_add(digest_add(DIGEST_START, name.p, name.n), ":", 1), arch.p, arch.n);
}

static bool add(struct apt_outcomes *o, struct witness w)
{
    if (o->count == o->capacity) {
        size_t capacity = o->capacity ? o->capacity * 2 : 1024;
        struct witness *grown = capacity <= WITNESSES_MAX ? realloc(o->witnesses, capacity * sizeof *grown) : NULL;
        if (!grown) {
            o->unknown = true;
            return false;
        }
        o->witnesses = grown;
        o->capacity = capacity;
    }
    o->witnesses[o->count++] = w;
    return true;
}

static void read_apt(struct apt_outcomes *o, struct apt_history *h)
{
    struct apt_transaction t;
    for (uint64_t n = 1; !o->unknown && apt_history_next(h, &t); n++)
        for (size_t i = 0; i < t.count; i++) {
            const struct apt_item *item = &t.items[i];
            struct bytes stood = item->verb == APT_REINSTALL ? item->new_version : item->old_version;
            add(o, (struct witness){digest_of_package(o, item->name, item->arch), digest_of_version(stood), t.start.earliest, n});
        }
}

static void read_dpkg(struct apt_outcomes *o, struct dpkg_log *log)
{
    struct dpkg_action a;
    while (!o->unknown && dpkg_log_next(log, &a)) {
        if (a.deed == DPKG_STARTUP)
            continue;
        /* What `install` calls the old version is one of which only configuration was left. */
        uint64_t stood = a.deed == DPKG_INSTALL ? NOTHING : a.deed == DPKG_GONE ? ANYTHING : digest_of_version(a.old_version);
        add(o, (struct witness){digest_of_package(o, a.name, a.arch), stood, a.time.earliest, 0});
    }
}

static bool take_package(void *context, const struct pkg_package *p)
{
    struct apt_outcomes *o = context;
    return add(o, (struct witness){digest_of_package(o, p->name, p->arch), digest_of_version(p->version), INT64_MAX, 0});
}

static int by_package(const void *a, const void *b)
{
    const struct witness *wa = a, *wb = b;
    if (wa->who != wb->who)
        return wa->who < wb->who ? -1 : 1;
    if (wa->time != wb->time)
        return wa->time < wb->time ? -1 : 1;
    return (wa->transaction > wb->transaction) - (wa->transaction < wb->transaction);
}

/* Once more through logs that are being read, and through what is there: most runs of apt succeed, and need it not. */
static void read_witnesses(struct apt_outcomes *o)
{
    const struct pkg_sink silent = {0}, packages = {.context = o, .package = take_package};
    struct {
        struct dpkg_log dpkg;
        struct apt_history apt;
    } *logs = calloc(1, sizeof *logs);
    o->read = true;
    o->unknown = !logs;
    if (!logs)
        return;
    log_set_open(&logs->dpkg.set, o->root, DPKG_LOG, o->dpkg, o->zone, &silent);
    log_set_open(&logs->apt.set, o->root, APT_HISTORY, o->apt, o->zone, &silent);
    logs->dpkg.set.time_of = dpkg_log_time;
    logs->apt.set.time_of = apt_history_time;
    logs->dpkg.speaks = o->speaks;
    read_apt(o, &logs->apt);
    read_dpkg(o, &logs->dpkg);
    o->unknown |= pkg_dpkg.installed(o->root, &packages) != PKG_OK;
    log_set_close(&logs->dpkg.set);
    log_set_close(&logs->apt.set);
    apt_history_free(&logs->apt);
    free(logs);
    if (o->count)
        qsort(o->witnesses, o->count, sizeof *o->witnesses, by_package);
}

/* The first one behind this transaction; NULL: nobody speaks of the package, and it is not there now. */
static const struct witness *find(const struct apt_outcomes *o, uint64_t who, int64_t since, uint64_t transaction)
{
    size_t low = 0, high = o->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (o->witnesses[middle].who < who)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < o->count && o->witnesses[low].who == who; low++) {
        const struct witness *w = &o->witnesses[low];
        if (w->transaction ? w->transaction > transaction : w->time >= since)
            return w;
    }
    return NULL;
}

bool apt_outcome_is_done(struct apt_outcomes *o, uint64_t transaction, const struct apt_transaction *t, const struct apt_item *item)
{
    if (!o->read)
        read_witnesses(o);
    if (o->unknown || item->verb == APT_REINSTALL) /* the same version stands there whether it was done or not */
        return false;
    const struct witness *w = find(o, digest_of_package(o, item->name, item->arch), t->start.latest, transaction);
    return digest_of_version(item->new_version) == (w ? w->version : NOTHING);
}

void apt_outcomes_free(struct apt_outcomes *o)
{
    free(o->witnesses);
    o->witnesses = NULL;
}
