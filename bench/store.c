/* What the store costs: CPU of a report, and room on disk of an endpoint's year.
 *
 * ./bench/run store [URL]: an empty database; without one, SQLite in a temporary folder. Reports are committed one by
 * one, as on a server that is nearly idle, and in groups of 16, as on a busy one. With PostgreSQL the CPU is that of
 * this side alone, so the time on the wall stands beside it. */
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PACKAGES = 1000, UPGRADES = 30, DAY = 86400, NAME_SIZE = 80, FLEET = 200, YEAR = 240, IMAGE = 2000 };
#define T0 INT64_C(1700000000)

static struct store *store;
static struct error problem;
static unsigned seed = 1;

static void must(enum store_status status)
{
    if (status != STORE_OK) {
        fprintf(stderr, "bench store: status %d, %s\n", (int)status, problem.text);
        exit(70);
    }
}

static unsigned any(unsigned below)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 8) % below;
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- reports ----------------------------------------------------------------------------------------------------- */

struct list {
    struct store_event events[IMAGE];
    char names[IMAGE][NAME_SIZE];
    size_t count;
};

static void add(struct list *l, uint32_t eid, int64_t time, enum store_action action, unsigned package,
                unsigned version)
{
    char *name = l->names[l->count];
    snprintf(name, NAME_SIZE, "strongswan.org__Debian_12-x86_64-package-number-%u-1.%u.0-1~deb12u%u", package, version,
             version % 7);
    l->events[l->count++] =
        (struct store_event){.eid = eid, .time = time, .action = action, .source = 1, .software_id = bytes_of(name)};
}

/* A first report: what the image holds, in the order in which it was installed. */
static void fill_image(struct list *l, unsigned packages, unsigned version, bool inventory)
{
    l->count = 0;
    for (unsigned i = 0; i < packages; i++)
        add(l, inventory ? 0 : i + 1, T0 + (inventory ? 0 : i / 4), STORE_CREATE, i * 617 % packages, version);
}

/* One run of apt: upgrades, a few a second, never quite at the same pace. With `split` the same upgrades in two runs,
 * random halves that no other machine has. */
static void fill_patch(struct list *l, uint32_t eid, int64_t day, unsigned first, unsigned from, bool split)
{
    int64_t t = T0 + day * DAY + any(3600);
    unsigned later = split ? any(1u << 15) << 15 | any(1u << 15) : 0;
    l->count = 0;
    for (unsigned run = 0; run < 2; run++, t += 3600)
        for (unsigned i = 0; i < UPGRADES; i++) {
            if ((later >> i & 1) != run)
                continue;
            add(l, eid++, t, STORE_DELETE, first + i * 7 % UPGRADES, from);
            add(l, eid++, t, STORE_CREATE, first + i * 7 % UPGRADES, from + 1);
            t += any(3);
        }
}

static void send_list(const struct list *l, const char *endpoint, enum store_software_kind kind, uint32_t earliest,
                      uint32_t last, int64_t when)
{
    struct store_receipt receipt;
    struct store_report r = {.endpoint = bytes_of(endpoint),
                             .started = when,
                             .finished = when + 1,
                             .software = kind,
                             .epoch = 0x5eed1234,
                             .earliest = earliest,
                             .last_eid = last,
                             .last_consulted = last,
                             .events = l->events,
                             .event_count = l->count,
                             .address = BYTES("192.0.2.17"),
                             .has_posture = true,
                             .product = BYTES("Debian"),
                             .version = BYTES("12 x86_64"),
                             .last_boot = T0,
                             .result = 0,
                             .access = 1};
    must(store_report(store, &r, &receipt, &problem));
    if (receipt.stored_events != l->count) {
        fprintf(stderr, "bench store: %u of %zu events stored\n", receipt.stored_events, l->count);
        exit(70);
    }
}

/* ---- CPU of a report --------------------------------------------------------------------------------------------- */

enum kind { NEW_INVENTORY, KNOWN_INVENTORY, NEW_EVENTS, KNOWN_EVENTS, NEW_PATCH, KNOWN_PATCH, POLL, KINDS };
static const char *const titles[KINDS] = {
    "first inventory, 1,000 new packages",
    "first inventory, 1,000 known packages",
    "first events, 1,000 new packages",
    "first events, 1,000 known packages",
    "patch day, 60 events, new",
    "patch day, 60 events, known",
    "poll without news",
};

static void send_one(enum kind kind, unsigned group, unsigned round)
{
    static struct list l;
    char endpoint[64];
    unsigned fresh = 100 + group * 1000 + round;
    bool inventory = kind == NEW_INVENTORY || kind == KNOWN_INVENTORY;
    snprintf(endpoint, sizeof endpoint, "kind%d-%u-%u", kind >= NEW_PATCH ? KNOWN_EVENTS : (int)kind, group, round);
    switch (kind) {
    case NEW_INVENTORY:
    case KNOWN_INVENTORY:
    case NEW_EVENTS:
    case KNOWN_EVENTS:
        fill_image(&l, PACKAGES, kind == NEW_INVENTORY ? fresh : kind == NEW_EVENTS ? 5000000 + fresh : 1, inventory);
        send_list(&l, endpoint, inventory ? STORE_INVENTORY : STORE_EVENTS, 1, PACKAGES, T0 + DAY);
        break;
    case NEW_PATCH: /* of the endpoints that sent known events before */
        fill_patch(&l, PACKAGES + 1, 2, 100, 10000 + 2 * fresh, false);
        send_list(&l, endpoint, STORE_EVENTS, PACKAGES + 1, PACKAGES + 60, T0 + 2 * DAY);
        break;
    case KNOWN_PATCH:
        fill_patch(&l, PACKAGES + 61, 3, 500, 1, false);
        send_list(&l, endpoint, STORE_EVENTS, PACKAGES + 61, PACKAGES + 120, T0 + 3 * DAY);
        break;
    default:
        l.count = 0;
        send_list(&l, endpoint, STORE_EVENTS, PACKAGES + 121, PACKAGES + 120, T0 + 4 * DAY);
    }
}

static void measure(enum kind kind, unsigned group, unsigned reports)
{
    /* What is known must be known from somebody else: the first report is not counted. */
    unsigned warm = group;
    double cpu = 0, wall = 0;
    for (unsigned i = 0; i < reports + warm; i++) {
        if (i == warm) {
            cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
            wall = seconds(CLOCK_MONOTONIC);
        }
        if (i % group == 0)
            must(store_begin(store, &problem));
        send_one(kind, group, i);
        if (i % group == group - 1)
            must(store_commit(store, &problem));
    }
    cpu = (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / reports;
    wall = (seconds(CLOCK_MONOTONIC) - wall) / reports;
    printf("  %-40s %9.3f ms CPU %9.3f ms\n", titles[kind], cpu * 1e3, wall * 1e3);
    fflush(stdout);
}

/* ---- a year ------------------------------------------------------------------------------------------------------ */

static double size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (double)st.st_size : 0;
}

static bool count_items(void *context, const struct store_software *item)
{
    *(unsigned *)context += item->count;
    return true;
}

/* FLEET endpoints of one image, YEAR patch days; `shared` % of the runs are the same on some other machine. */
static void measure_year(const char *folder, unsigned shared)
{
    static struct list l;
    char path[96], name[32];
    snprintf(path, sizeof path, "%s/year%u.db", folder, shared);
    must(store_open(&store, path, &problem));
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (unsigned day = 0; day <= YEAR; day++) {
        must(store_begin(store, &problem));
        for (unsigned i = 0; i < FLEET; i++) {
            uint32_t eid = day ? IMAGE + (day - 1) * 2 * UPGRADES + 1 : 1;
            unsigned block = (day - 1) % (IMAGE / UPGRADES), round = (day - 1) / (IMAGE / UPGRADES);
            snprintf(name, sizeof name, "machine-%u.example.org", i);
            if (day == 0)
                fill_image(&l, IMAGE, 1, false);
            else
                fill_patch(&l, eid, day, block * UPGRADES, 1 + round, any(100) >= shared);
            send_list(&l, name, STORE_EVENTS, eid, eid + (uint32_t)l.count - 1, T0 + day * DAY + 4000);
        }
        must(store_commit(store, &problem));
    }
    cpu = (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (FLEET * (YEAR + 1));
    double reading = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (int64_t i = 1; i <= 20; i++) {
        uint64_t next = 0;
        unsigned items = 0;
        do
            must(store_software(store, i, T0 + (int64_t)any(YEAR) * DAY, TIME_UNKNOWN, next, 1000, count_items, &items,
                                &next, &problem));
        while (next);
    }
    reading = (seconds(CLOCK_PROCESS_CPUTIME_ID) - reading) / 20;
    store_close(store);
    printf("  %3u %% shared: %6.1f kB an endpoint-year, %6.3f ms CPU a report, list at a past moment %6.2f ms\n",
           shared, size_of(path) / FLEET / 1e3, cpu * 1e3, reading * 1e3);
    fflush(stdout);
    if (!getenv("MUSTER_BENCH_KEEP"))
        unlink(path);
}

int main(int argc, char **argv)
{
    static const unsigned shares[] = {100, 90, 50, 0}, groups[] = {1, 16};
    char folder[] = "/tmp/store-bench-XXXXXX", url[80];
    if (!mkdtemp(folder))
        return 70;
    snprintf(url, sizeof url, "sqlite:%s/server.db", folder);
    must(store_open(&store, argc > 1 ? argv[1] : url, &problem));
    for (size_t i = 0; i < ARRAY_LENGTH(groups); i++) {
        printf("%s, %u report%s a commit:\n", store_engine(store), groups[i], groups[i] == 1 ? "" : "s");
        for (int kind = 0; kind < KINDS; kind++)
            measure((enum kind)kind, groups[i], kind == NEW_INVENTORY || kind == NEW_EVENTS ? 32 : 320);
    }
    store_close(store);
    unlink(url + 7);
    if (argc < 2)
        printf("sqlite, %d endpoints of %d packages, %d patch days of %d upgrades:\n", FLEET, IMAGE, YEAR, UPGRADES);
    for (size_t i = 0; i < ARRAY_LENGTH(shares) && argc < 2; i++)
        measure_year(folder, shares[i]);
    rmdir(folder);
    return 0;
}
