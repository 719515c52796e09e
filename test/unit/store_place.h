/* What the store's tests share: an empty database for each case, on SQLite and on a PostgreSQL of the test's own, small
 * reports, and what is stored as text. */
#ifndef MUSTER_TEST_STORE_PLACE_H
#define MUSTER_TEST_STORE_PLACE_H

#include "store/store.h"

#include "pg_cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define DAY 86400
#define T0  INT64_C(1700000000)

static struct pg_cluster cluster;
static bool has_postgres;

/* ---- places: an empty database for each case --------------------------------------------------------------------- */

struct place {
    bool postgres;
    char folder[64], url[200];
    struct store *store;
    struct error error;
};

#define OK(call)                                                                                                       \
    do {                                                                                                               \
        enum store_status status_ = (call);                                                                            \
        if (status_ != STORE_OK)                                                                                       \
            fail_msg("%s: status %d, %s", #call, (int)status_, p->error.text);                                         \
    } while (0)

static inline void run_sql(const char *database, const char *sql)
{
    char url[200];
    pg_url(&cluster, database, url, sizeof url);
    PGconn *c = PQconnectdb(url);
    PGresult *r = PQexec(c, sql);
    if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(c));
    PQclear(r);
    PQfinish(c);
}

static inline struct place *place_new(bool postgres)
{
    static unsigned number;
    struct place *p = calloc(1, sizeof *p);
    p->postgres = postgres;
    if (postgres) {
        char sql[64], name[32];
        snprintf(name, sizeof name, "case%u", ++number);
        snprintf(sql, sizeof sql, "CREATE DATABASE %s", name);
        run_sql("postgres", sql);
        pg_url(&cluster, name, p->url, sizeof p->url);
    } else {
        snprintf(p->folder, sizeof p->folder, "/tmp/muster-store-XXXXXX");
        assert_non_null(mkdtemp(p->folder));
        snprintf(p->url, sizeof p->url, "sqlite:%s/server.db", p->folder);
    }
    return p;
}

static inline void place_open(struct place *p)
{
    OK(store_open(&p->store, p->url, &p->error));
}

static inline void place_free(struct place *p)
{
    store_close(p->store);
    if (!p->postgres)
        nftw(p->folder, pg_remove, 16, FTW_DEPTH | FTW_PHYS);
    free(p);
}

/* The initial state of the row says which engine: NULL is SQLite. Without a PostgreSQL the state becomes NULL, and the
 * case is skipped. */
static inline int set_up(void **state)
{
    bool postgres = *state != NULL;
    *state = NULL;
    if (postgres && !has_postgres)
        return 0;
    *state = place_new(postgres);
    place_open(*state);
    return 0;
}

static inline int tear_down(void **state)
{
    if (*state)
        place_free(*state);
    return 0;
}

static inline struct place *enter(void **state)
{
    if (!*state)
        skip();
    return *state;
}

/* ---- small reports ----------------------------------------------------------------------------------------------- */

static inline struct store_event event(uint32_t eid, int64_t time, enum store_action action, const char *software)
{
    return (struct store_event){
        .eid = eid, .time = time, .action = action, .source = 1, .software_id = bytes_of(software)};
}

static inline struct store_report report(const char *endpoint, int64_t when)
{
    return (struct store_report){.endpoint = bytes_of(endpoint),
                                 .started = when,
                                 .finished = when,
                                 .last_boot = TIME_UNKNOWN,
                                 .forwarding = -1,
                                 .default_password = -1,
                                 .result = -1,
                                 .access = -1};
}

static inline struct store_report events_report(const char *endpoint, int64_t when, uint32_t epoch, uint32_t earliest,
                                                uint32_t last, const struct store_event *events, size_t count)
{
    struct store_report r = report(endpoint, when);
    r.software = STORE_EVENTS;
    r.epoch = epoch;
    r.earliest = earliest;
    r.last_eid = r.last_consulted = last;
    r.events = events;
    r.event_count = count;
    return r;
}

static inline struct store_report inventory_report(const char *endpoint, int64_t when, uint32_t epoch, uint32_t last,
                                                   const struct store_event *events, size_t count)
{
    struct store_report r = events_report(endpoint, when, epoch, 0, last, events, count);
    r.software = STORE_INVENTORY;
    return r;
}

static inline enum store_status try_store(struct place *p, const struct store_report *r, struct store_receipt *receipt)
{
    OK(store_begin(p->store, &p->error));
    enum store_status status = store_report(p->store, r, receipt, &p->error);
    OK(store_commit(p->store, &p->error));
    return status;
}

static inline struct store_receipt must_store(struct place *p, struct store_report r)
{
    struct store_receipt receipt;
    OK(try_store(p, &r, &receipt));
    return receipt;
}

/* ---- reading into text, to be compared --------------------------------------------------------------------------- */

struct software_then {
    struct wr *w;
    int64_t at;
};

/* Everything that is known to have been there, with small pages, so that the cursors are tried, too. */
static inline bool put_software(void *context, const struct store_software *item)
{
    struct wr *w = ((struct software_then *)context)->w;
    if (item->perhaps && item->since > ((struct software_then *)context)->at)
        return true;
    wr_bytes(w, item->software_id);
    wr_fmt(w, "*%u@", item->count);
    if (item->since == TIME_UNKNOWN)
        wr_str(w, "?");
    else
        wr_fmt(w, "%lld", (long long)(item->since - T0));
    wr_fmt(w, "/%u\n", item->source);
    return true;
}

static inline const char *software_text(struct place *p, struct wr *w, int64_t endpoint, int64_t at, int64_t known_at,
                                        unsigned page)
{
    uint64_t next = 0;
    struct software_then then = {w, at};
    wr_reset(w);
    do
        OK(store_software(p->store, endpoint, at, known_at, next, page, put_software, &then, &next, &p->error));
    while (next);
    return wr_string(w);
}

static inline bool put_event(void *context, const struct store_history_event *e)
{
    static const char *const actions[] = {"?", "+", "-", "~"};
    struct wr *w = context;
    wr_fmt(w, "%u/%u %s", e->epoch, e->eid, actions[e->action]);
    wr_bytes(w, e->software_id);
    if (e->time == TIME_UNKNOWN)
        wr_str(w, " ?");
    else
        wr_fmt(w, " %lld", (long long)(e->time - T0));
    wr_fmt(w, " %lld/%u\n", (long long)(e->learnt - T0), e->source);
    return true;
}

static inline const char *events_text(struct place *p, struct wr *w, int64_t endpoint, unsigned page)
{
    uint64_t next = 0;
    wr_reset(w);
    do
        OK(store_events(p->store, endpoint, next, page, put_event, w, &next, &p->error));
    while (next);
    return wr_string(w);
}

static inline bool keep_endpoint(void *context, const struct store_endpoint *e)
{
    *(struct store_endpoint *)context = *e;
    return true;
}

static inline struct store_endpoint endpoint_of(struct place *p, const char *name)
{
    struct store_endpoint e;
    OK(store_endpoint(p->store, bytes_of(name), keep_endpoint, &e, &p->error));
    return e; /* its texts are gone */
}

#define CHECK_SOFTWARE(endpoint, at, known_at, expected)                                                               \
    do {                                                                                                               \
        struct wr w_ = wr_of(0);                                                                                       \
        assert_string_equal(software_text(p, &w_, endpoint, at, known_at, 2), expected);                               \
        assert_string_equal(software_text(p, &w_, endpoint, at, known_at, 1000), expected);                            \
        wr_free(&w_);                                                                                                  \
    } while (0)
#define CHECK_EVENTS(endpoint, expected)                                                                               \
    do {                                                                                                               \
        struct wr w_ = wr_of(0);                                                                                       \
        assert_string_equal(events_text(p, &w_, endpoint, 2), expected);                                               \
        assert_string_equal(events_text(p, &w_, endpoint, 1000), expected);                                            \
        wr_free(&w_);                                                                                                  \
    } while (0)

static inline bool count_events(void *context, const struct store_history_event *e)
{
    uint32_t *last = context;
    assert_int_equal(e->eid, *last + 1);
    *last = e->eid;
    return true;
}

/* ---- both engines ------------------------------------------------------------------------------------------------ */

static inline int start_cluster(void **state)
{
    (void)state;
    has_postgres = pg_start(&cluster);
    return 0;
}

static inline int stop_cluster(void **state)
{
    (void)state;
    pg_stop(&cluster);
    return 0;
}

/* any address says PostgreSQL, none SQLite */
static char postgres_row;

#define SQLITE(name)                                                                                                   \
    {                                                                                                                  \
#name ": sqlite", name, set_up, tear_down, NULL                                                                \
    }
#define POSTGRES(name)                                                                                                 \
    {                                                                                                                  \
#name ": postgresql", name, set_up, tear_down, &postgres_row                                                   \
    }
#define CASE(name) SQLITE(name), POSTGRES(name)

#endif
