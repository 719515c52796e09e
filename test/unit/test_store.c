/* The store. Each case runs on SQLite and on a PostgreSQL of its own. */
#include "store/store.h"

#include "pg_cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sys/resource.h>

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

static void run_sql(const char *database, const char *sql)
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

static struct place *place_new(bool postgres)
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

static void place_open(struct place *p)
{
    OK(store_open(&p->store, p->url, &p->error));
}

static void place_free(struct place *p)
{
    store_close(p->store);
    if (!p->postgres)
        nftw(p->folder, pg_remove, 16, FTW_DEPTH | FTW_PHYS);
    free(p);
}

/* The initial state of the row says which engine: NULL is SQLite. Without a PostgreSQL the state becomes NULL, and the
 * case is skipped. */
static int set_up(void **state)
{
    bool postgres = *state != NULL;
    *state = NULL;
    if (postgres && !has_postgres)
        return 0;
    *state = place_new(postgres);
    place_open(*state);
    return 0;
}

static int tear_down(void **state)
{
    if (*state)
        place_free(*state);
    return 0;
}

static struct place *enter(void **state)
{
    if (!*state)
        skip();
    return *state;
}

/* ---- small reports ----------------------------------------------------------------------------------------------- */

static struct store_event event(uint32_t eid, int64_t time, enum store_action action, const char *software)
{
    return (struct store_event){
        .eid = eid, .time = time, .action = action, .source = 1, .software_id = bytes_of(software)};
}

static struct store_report report(const char *endpoint, int64_t when)
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

static struct store_report events_report(const char *endpoint, int64_t when, uint32_t epoch, uint32_t earliest,
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

static struct store_report inventory_report(const char *endpoint, int64_t when, uint32_t epoch, uint32_t last,
                                            const struct store_event *events, size_t count)
{
    struct store_report r = events_report(endpoint, when, epoch, 0, last, events, count);
    r.software = STORE_INVENTORY;
    return r;
}

static enum store_status try_store(struct place *p, const struct store_report *r, struct store_receipt *receipt)
{
    OK(store_begin(p->store, &p->error));
    enum store_status status = store_report(p->store, r, receipt, &p->error);
    OK(store_commit(p->store, &p->error));
    return status;
}

static struct store_receipt must_store(struct place *p, struct store_report r)
{
    struct store_receipt receipt;
    OK(try_store(p, &r, &receipt));
    return receipt;
}

/* ---- reading into text, to be compared --------------------------------------------------------------------------- */

/* Everything with small pages, so that the cursors are tried, too. */
static bool put_software(void *context, const struct store_software *item)
{
    struct wr *w = context;
    wr_bytes(w, item->software_id);
    wr_fmt(w, "*%u@", item->count);
    if (item->since == TIME_UNKNOWN)
        wr_str(w, "?");
    else
        wr_fmt(w, "%lld", (long long)(item->since - T0));
    wr_fmt(w, "/%u\n", item->source);
    return true;
}

static const char *software_text(struct place *p, struct wr *w, int64_t endpoint, int64_t at, int64_t known_at,
                                 unsigned page)
{
    uint64_t next = 0;
    wr_reset(w);
    do
        OK(store_software(p->store, endpoint, at, known_at, next, page, put_software, w, &next, &p->error));
    while (next);
    return wr_string(w);
}

static bool put_event(void *context, const struct store_history_event *e)
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

static const char *events_text(struct place *p, struct wr *w, int64_t endpoint, unsigned page)
{
    uint64_t next = 0;
    wr_reset(w);
    do
        OK(store_events(p->store, endpoint, next, page, put_event, w, &next, &p->error));
    while (next);
    return wr_string(w);
}

static bool keep_endpoint(void *context, const struct store_endpoint *e)
{
    *(struct store_endpoint *)context = *e;
    return true;
}

static struct store_endpoint endpoint_of(struct place *p, const char *name)
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

/* ---- cases ------------------------------------------------------------------------------------------------------- */

static void test_first_events_and_the_next_ones(void **state)
{
    struct place *p = enter(state);
    struct store_position position;
    OK(store_position(p->store, BYTES("web1"), &position, &p->error));
    assert_false(position.known);
    assert_int_equal(position.last_eid, 0);

    /* Out of order, shared EIDs, an unknown time, two instances of one identifier. */
    struct store_event first[] = {
        event(3, T0 + 100, STORE_CREATE, "bash_5"),      event(1, TIME_UNKNOWN, STORE_CREATE, "libc6_2"),
        event(2, TIME_UNKNOWN, STORE_CREATE, "libc6_2"), event(3, T0 + 90, STORE_DELETE, "apt_1"),
        event(2, T0 + 5, STORE_CREATE, "apt_1"),
    };
    struct store_receipt r = must_store(p, events_report("web1", T0 + 200, 77, 1, 3, first, 5));
    assert_int_equal(r.stored_events, 5);
    assert_int_equal(r.new_software, 3);
    assert_int_equal(r.epoch, 77);
    assert_int_equal(r.last_eid, 3);
    assert_true(r.session > 0);
    assert_false(r.gap);
    CHECK_EVENTS(r.endpoint,
                 "77/1 +libc6_2 ? 200/1\n77/2 +libc6_2 ? 200/1\n77/2 +apt_1 5 200/1\n77/3 +bash_5 100 200/1\n"
                 "77/3 -apt_1 90 200/1\n");
    CHECK_SOFTWARE(r.endpoint, TIME_UNKNOWN, TIME_UNKNOWN, "bash_5*1@100/1\nlibc6_2*2@?/1\n");
    CHECK_SOFTWARE(r.endpoint, T0 + 50, TIME_UNKNOWN, "apt_1*1@5/1\nlibc6_2*2@?/1\n");
    CHECK_SOFTWARE(r.endpoint, T0 - 1000, TIME_UNKNOWN, "libc6_2*2@?/1\n");
    CHECK_SOFTWARE(r.endpoint, TIME_UNKNOWN, T0 + 199, "");

    struct store_event next[] = {event(4, T0 + 300, STORE_DELETE, "libc6_2"), event(5, T0 + 301, STORE_ALTER, "bash_5"),
                                 event(5, T0 + 301, STORE_DELETE, "never_there")};
    OK(store_position(p->store, BYTES("web1"), &position, &p->error));
    assert_true(position.known);
    assert_int_equal(position.epoch, 77);
    assert_int_equal(position.last_eid, 3);
    r = must_store(p, events_report("web1", T0 + 400, 77, 4, 5, next, 3));
    assert_int_equal(r.stored_events, 3);
    CHECK_SOFTWARE(r.endpoint, TIME_UNKNOWN, TIME_UNKNOWN, "bash_5*1@100/1\nlibc6_2*1@?/1\n");
    CHECK_SOFTWARE(r.endpoint, TIME_UNKNOWN, T0 + 399, "bash_5*1@100/1\nlibc6_2*2@?/1\n");
    assert_int_equal(endpoint_of(p, "web1").installed, 2);
}

static void test_repeats_change_nothing(void **state)
{
    struct place *p = enter(state);
    struct store_event list[] = {event(1, T0, STORE_CREATE, "a"), event(2, T0 + 1, STORE_CREATE, "b"),
                                 event(3, T0 + 2, STORE_DELETE, "a")};
    struct store_totals before, after;
    must_store(p, events_report("x", T0 + 10, 1, 1, 2, list, 2));
    OK(store_totals(p->store, &before, &p->error));
    struct store_receipt r = must_store(p, events_report("x", T0 + 11, 1, 1, 2, list, 2));
    assert_int_equal(r.stored_events, 0);
    assert_int_equal(r.last_eid, 2);
    OK(store_totals(p->store, &after, &p->error));
    assert_int_equal(after.changes, before.changes);
    assert_int_equal(after.software, before.software);
    assert_int_equal(after.sessions, before.sessions + 1);
    /* An overlap: only what is new counts. */
    r = must_store(p, events_report("x", T0 + 12, 1, 1, 3, list, 3));
    assert_int_equal(r.stored_events, 1);
    CHECK_EVENTS(r.endpoint, "1/1 +a 0 10/1\n1/2 +b 1 10/1\n1/3 -a 2 12/1\n");
    /* Nothing new to say: a poll. */
    r = must_store(p, events_report("x", T0 + 13, 1, 4, 3, NULL, 0));
    assert_int_equal(r.last_eid, 3);
    assert_int_equal(endpoint_of(p, "x").installed, 1);
}

static void test_partial_lists_and_ranges_without_events(void **state)
{
    struct place *p = enter(state);
    struct store_event list[] = {event(1, T0, STORE_CREATE, "a"), event(9, T0 + 1, STORE_CREATE, "b")};
    struct store_report r = events_report("x", T0 + 10, 1, 1, 9, list, 1);
    r.last_consulted = 4;
    struct store_receipt receipt = must_store(p, r);
    assert_int_equal(receipt.last_eid, 4);
    r = events_report("x", T0 + 10, 1, 5, 9, NULL, 0);
    r.last_consulted = 7;
    assert_int_equal(must_store(p, r).last_eid, 7);
    assert_int_equal(endpoint_of(p, "x").installed, 1);
    receipt = must_store(p, events_report("x", T0 + 10, 1, 8, 9, list + 1, 1));
    assert_int_equal(receipt.last_eid, 9);
    CHECK_EVENTS(receipt.endpoint, "1/1 +a 0 10/1\n1/9 +b 1 10/1\n");
}

static void test_what_does_not_continue_is_a_conflict(void **state)
{
    struct place *p = enter(state);
    struct store_event list[] = {event(1, T0, STORE_CREATE, "a"), event(2, T0, STORE_CREATE, "b"),
                                 event(5, T0, STORE_CREATE, "c")};
    struct store_receipt receipt;
    struct store_report r = events_report("new", T0, 1, 5, 5, list + 2, 1);
    assert_int_equal(try_store(p, &r, &receipt), STORE_CONFLICT);
    assert_true(receipt.gap);
    assert_int_equal(receipt.last_eid, 0);
    assert_int_equal(store_endpoint(p->store, BYTES("new"), keep_endpoint, &(struct store_endpoint){0}, &p->error),
                     STORE_NOT_FOUND);

    must_store(p, events_report("x", T0, 1, 1, 2, list, 2));
    r = events_report("x", T0, 1, 5, 5, list + 2, 1); /* EIDs 3 and 4 are missing */
    assert_int_equal(try_store(p, &r, &receipt), STORE_CONFLICT);
    assert_true(receipt.gap);
    assert_int_equal(receipt.epoch, 1);
    assert_int_equal(receipt.last_eid, 2);
    r = events_report("x", T0, 2, 3, 5, list + 2, 1); /* SWIMA-R44: another epoch */
    assert_int_equal(try_store(p, &r, &receipt), STORE_CONFLICT);
    assert_false(receipt.gap);
    r = events_report("x", T0, 1, 1, 1, list, 1); /* SWIMA-R47: the last EID went back */
    assert_int_equal(try_store(p, &r, &receipt), STORE_CONFLICT);
    r = events_report("x", T0, 1, 3, 4, list + 2, 1); /* an event behind the range */
    assert_int_equal(try_store(p, &r, &receipt), STORE_REFUSED);
    list[2].action = (enum store_action)4;
    r = events_report("x", T0, 1, 3, 5, list + 2, 1);
    assert_int_equal(try_store(p, &r, &receipt), STORE_REFUSED);
    r = events_report("x", T0, 1, 3, 5, NULL, 0);
    r.last_consulted = 6;
    assert_int_equal(try_store(p, &r, &receipt), STORE_REFUSED);
    r = report("", T0);
    assert_int_equal(try_store(p, &r, &receipt), STORE_REFUSED);
    struct store_totals t;
    OK(store_totals(p->store, &t, &p->error));
    assert_int_equal(t.endpoints, 1);
    assert_int_equal(t.software, 2);
    assert_int_equal(t.sessions, 1);
    assert_int_equal(endpoint_of(p, "x").last_eid, 2);
}

/* SWIMA-R44, RFC 8412 §3.7.6. */
static void test_new_epoch_keeps_the_past(void **state)
{
    struct place *p = enter(state);
    struct store_event first[] = {event(1, T0, STORE_CREATE, "a"), event(2, T0 + 1, STORE_CREATE, "b"),
                                  event(3, T0 + 2, STORE_CREATE, "b")};
    struct store_event inventory[] = {event(0, T0 + 500, STORE_CREATE, "c"), event(0, T0 + 500, STORE_CREATE, "b")};
    struct store_receipt r = must_store(p, events_report("x", T0 + 10, 1, 1, 3, first, 3));
    r = must_store(p, inventory_report("x", T0 + 500, 2, 40, inventory, 2));
    assert_int_equal(r.epoch, 2);
    assert_int_equal(r.last_eid, 40);
    assert_int_equal(r.stored_events, 3);
    CHECK_SOFTWARE(r.endpoint, TIME_UNKNOWN, TIME_UNKNOWN, "b*1@2/1\nc*1@500/1\n");
    CHECK_SOFTWARE(r.endpoint, T0 + 499, TIME_UNKNOWN, "a*1@0/1\nb*2@2/1\n");
    CHECK_SOFTWARE(r.endpoint, TIME_UNKNOWN, T0 + 499, "a*1@0/1\nb*2@2/1\n");
    CHECK_EVENTS(r.endpoint,
                 "1/1 +a 0 10/1\n1/2 +b 1 10/1\n1/3 +b 2 10/1\n2/0 +c 500 500/1\n2/0 -a 500 500/0\n2/0 -b 500 500/0\n");
    /* The same inventory says nothing new, in the same or in another order, at a later EID or in a third epoch. */
    struct store_event turned[] = {inventory[1], inventory[0]};
    assert_int_equal(must_store(p, inventory_report("x", T0 + 600, 2, 40, inventory, 2)).stored_events, 0);
    assert_int_equal(must_store(p, inventory_report("x", T0 + 600, 2, 41, turned, 2)).stored_events, 0);
    assert_int_equal(must_store(p, inventory_report("x", T0 + 600, 3, 1, turned, 2)).last_eid, 1);
    /* Events of the new epoch go on from it. */
    struct store_event next[] = {event(2, T0 + 700, STORE_DELETE, "c")};
    r = must_store(p, events_report("x", T0 + 700, 3, 2, 2, next, 1));
    CHECK_SOFTWARE(r.endpoint, TIME_UNKNOWN, TIME_UNKNOWN, "b*1@2/1\n");
    /* The inventory that was the last one is news again now; so is an empty one. */
    assert_int_equal(must_store(p, inventory_report("x", T0 + 800, 3, 2, inventory, 2)).stored_events, 1);
    assert_int_equal(must_store(p, inventory_report("x", T0 + 900, 3, 2, NULL, 0)).stored_events, 2);
    assert_int_equal(endpoint_of(p, "x").installed, 0);
    CHECK_SOFTWARE(r.endpoint, TIME_UNKNOWN, TIME_UNKNOWN, "");
    /* SWIMA-R47: an inventory with a smaller last EID is taken as it is. */
    assert_int_equal(must_store(p, inventory_report("x", T0 + 950, 3, 1, inventory, 2)).last_eid, 1);
    assert_int_equal(endpoint_of(p, "x").installed, 2);
}

/* What another endpoint reported before costs one row, whatever order and source it comes in. */
static void test_sets_are_shared(void **state)
{
    struct place *p = enter(state);
    struct store_event a[] = {event(1, T0, STORE_CREATE, "p-1"), event(2, T0 + 30, STORE_CREATE, "q-1"),
                              event(3, T0 + 5000, STORE_DELETE, "p-1"), event(4, T0 + 5001, STORE_CREATE, "p-2")};
    struct store_event b[] = {event(1, T0 + 7, STORE_CREATE, "q-1"), event(2, T0 + 60, STORE_CREATE, "p-1"),
                              event(3, T0 + 9000, STORE_CREATE, "p-2"), event(3, T0 + 9000, STORE_DELETE, "p-1")};
    struct store_totals t;
    assert_int_equal(must_store(p, events_report("a", T0 + 9999, 1, 1, 4, a, 4)).new_software, 3);
    OK(store_totals(p->store, &t, &p->error));
    assert_int_equal(t.change_sets, 2);
    assert_int_equal(t.changes, 2);
    struct store_receipt r = must_store(p, events_report("b", T0 + 9999, 9, 1, 3, b, 4));
    assert_int_equal(r.new_software, 0);
    OK(store_totals(p->store, &t, &p->error));
    assert_int_equal(t.change_sets, 2);
    assert_int_equal(t.changes, 4);
    CHECK_EVENTS(r.endpoint, "9/1 +q-1 7 9999/1\n9/2 +p-1 60 9999/1\n9/3 +p-2 9000 9999/1\n9/3 -p-1 9000 9999/1\n");
    /* The same identifiers with another action are another set. */
    struct store_event c[] = {event(1, T0, STORE_ALTER, "p-1"), event(2, T0 + 30, STORE_CREATE, "q-1")};
    must_store(p, events_report("c", T0, 1, 1, 2, c, 2));
    OK(store_totals(p->store, &t, &p->error));
    assert_int_equal(t.change_sets, 3);
}

/* Identifiers are octets: NUL, no UTF-8, longer than an index takes, one the beginning of another. */
static void test_odd_identifiers(void **state)
{
    struct place *p = enter(state);
    static uint8_t big[65535], bigger[65535];
    memset(big, 'z', sizeof big);
    memset(bigger, 'z', sizeof bigger);
    bigger[65534] = '!';
    struct store_event list[] = {
        {.eid = 1, .time = T0, .action = STORE_CREATE, .source = 255, .software_id = {big, sizeof big}},
        {.eid = 2, .time = T0, .action = STORE_CREATE, .source = 0, .software_id = {bigger, sizeof bigger}},
        {.eid = 3, .time = T0, .action = STORE_CREATE, .source = 7, .software_id = {(const uint8_t *)"a\0b", 3}},
        {.eid = 4, .time = T0, .action = STORE_CREATE, .source = 7, .software_id = {(const uint8_t *)"a\0", 2}},
        {.eid = 5, .time = T0, .action = STORE_CREATE, .source = 7, .software_id = {(const uint8_t *)"\xff\xfe", 2}},
        {.eid = 6, .time = T0, .action = STORE_CREATE, .source = 7, .software_id = BYTES("a")},
        {.eid = 7,
         .time = INT64_MAX,
         .action = STORE_CREATE,
         .source = 7,
         .software_id = BYTES("")}, /* no time that can be printed */
        {.eid = 8, .time = INT64_C(253402300799), .action = STORE_CREATE, .source = 7, .software_id = BYTES("9999")},
    };
    struct store_receipt r = must_store(p, events_report("x", T0 + 1, 0xfffffffe, 1, 8, list, 8));
    assert_int_equal(r.new_software, 8);
    assert_int_equal(r.epoch, 0xfffffffe);
    struct wr w = wr_of(0), expected = wr_of(0);
    const struct store_event *sorted[] = {&list[6], &list[7], &list[5], &list[3],
                                          &list[2], &list[1], &list[0], &list[4]};
    for (size_t i = 0; i < 8; i++) {
        struct store_software item = {sorted[i]->software_id, 1, sorted[i] == &list[6] ? TIME_UNKNOWN : sorted[i]->time,
                                      sorted[i]->source};
        put_software(&expected, &item);
    }
    software_text(p, &w, r.endpoint, TIME_UNKNOWN, TIME_UNKNOWN, 3);
    assert_true(bytes_equal(wr_view(&w), wr_view(&expected)));
    wr_free(&w);
    wr_free(&expected);
}

static void test_endpoint_posture_and_sessions(void **state)
{
    struct place *p = enter(state);
    struct store_report r = report("host.example", T0);
    r.has_posture = true;
    r.product = BYTES("Debian");
    r.version = BYTES("12 x86_64");
    r.product_vendor = 9586;
    r.last_boot = T0 - 5;
    r.forwarding = 1;
    r.default_password = 0;
    r.device_id = BYTES("device");
    r.address = BYTES("192.0.2.1");
    r.result = 0;
    r.access = 1;
    r.reason = BYTES("fine");
    struct store_receipt receipt = must_store(p, r);
    struct store_report bare = report("host.example", T0 + 60); /* tells nothing: nothing is forgotten */
    bare.finished = 0;
    struct store_receipt second = must_store(p, bare);
    assert_int_equal(second.endpoint, receipt.endpoint);
    assert_int_not_equal(second.session, receipt.session);
    struct store_endpoint e = endpoint_of(p, "host.example");
    assert_int_equal(e.first_seen, T0);
    assert_int_equal(e.last_seen, T0 + 60);
    assert_int_equal(e.last_boot, T0 - 5);
    assert_int_equal(e.forwarding, 1);
    assert_int_equal(e.default_password, 0);
    assert_int_equal(e.result, -1);
    assert_int_equal(e.device_id.n, 6);
    OK(store_verdict(p->store, second.session, T0 + 61, 2, 3, BYTES("not so fine"), &p->error));
    e = endpoint_of(p, "host.example");
    assert_int_equal(e.result, 2);
    assert_int_equal(e.access, 3);
    assert_int_equal(store_verdict(p->store, 999, T0, 0, 0, BYTES(""), &p->error), STORE_NOT_FOUND);
    /* A second report of the same assessment belongs to its session. */
    bare.session = second.session;
    bare.result = 1;
    bare.reason = BYTES("later");
    assert_int_equal(must_store(p, bare).session, second.session);
    struct store_totals t;
    OK(store_totals(p->store, &t, &p->error));
    assert_int_equal(t.sessions, 2);
    assert_int_equal(endpoint_of(p, "host.example").result, 1);
    /* By number, too; a name of digits is found if no number is. */
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)receipt.endpoint);
    assert_int_equal(endpoint_of(p, id).id, receipt.endpoint);
    int64_t named = must_store(p, report("4711", T0)).endpoint;
    assert_int_equal(endpoint_of(p, "4711").id, named);
    struct store_endpoint none;
    assert_int_equal(store_endpoint(p->store, BYTES("nobody"), keep_endpoint, &none, &p->error), STORE_NOT_FOUND);
    assert_non_null(strstr(p->error.text, "nobody"));
    uint64_t next;
    assert_int_equal(
        store_software(p->store, 12345, TIME_UNKNOWN, TIME_UNKNOWN, 0, 10, put_software, NULL, &next, &p->error),
        STORE_NOT_FOUND);
    assert_int_equal(store_events(p->store, 12345, 0, 10, put_event, NULL, &next, &p->error), STORE_NOT_FOUND);
    CHECK_SOFTWARE(named, TIME_UNKNOWN, TIME_UNKNOWN, "");
    CHECK_EVENTS(named, "");
}

struct few {
    unsigned left, seen;
};

static bool take_few(void *context, const struct store_endpoint *e)
{
    struct few *f = context;
    (void)e;
    f->seen++;
    return --f->left > 0;
}

static void test_pages_of_endpoints(void **state)
{
    struct place *p = enter(state);
    OK(store_begin(p->store, &p->error));
    for (int i = 0; i < 7; i++) {
        char name[16];
        struct store_receipt receipt;
        snprintf(name, sizeof name, "host%d", i);
        struct store_report r = report(name, T0 + i);
        OK(store_report(p->store, &r, &receipt, &p->error));
    }
    OK(store_commit(p->store, &p->error));
    uint64_t next = 0;
    unsigned pages = 0, seen = 0;
    do {
        struct few f = {100, 0};
        OK(store_endpoints(p->store, next, 3, take_few, &f, &next, &p->error));
        seen += f.seen;
        pages++;
    } while (next);
    assert_int_equal(seen, 7);
    assert_int_equal(pages, 3);
    struct few two = {2, 0};
    OK(store_endpoints(p->store, 0, 1000, take_few, &two, &next, &p->error));
    assert_int_equal(two.seen, 2);
    assert_int_not_equal(next, 0);
    struct few rest = {100, 0};
    OK(store_endpoints(p->store, next, 5, take_few, &rest, &next, &p->error));
    assert_int_equal(rest.seen, 5);
    assert_int_equal(next, 0);
}

/* A transaction holds many reports; each stands or falls alone, and all fall with a rollback. */
static void test_group_commit(void **state)
{
    struct place *p = enter(state);
    struct store_event list[] = {event(1, T0, STORE_CREATE, "a"), event(2, T0, STORE_CREATE, "b")};
    struct store_receipt receipt;
    struct store_report good = events_report("good", T0, 1, 1, 2, list, 2),
                        gap = events_report("gap", T0, 1, 2, 2, list + 1, 1),
                        last = events_report("last", T0, 1, 1, 2, list, 2);
    assert_int_equal(store_report(p->store, &good, &receipt, &p->error), STORE_FAILED); /* no transaction */
    assert_int_equal(store_commit(p->store, &p->error), STORE_FAILED);
    OK(store_begin(p->store, &p->error));
    OK(store_report(p->store, &good, &receipt, &p->error));
    assert_int_equal(store_report(p->store, &gap, &receipt, &p->error), STORE_CONFLICT);
    OK(store_report(p->store, &last, &receipt, &p->error));
    OK(store_report(p->store, &last, &receipt, &p->error));
    assert_int_equal(receipt.stored_events, 0);
    OK(store_commit(p->store, &p->error));
    struct store_totals t;
    OK(store_totals(p->store, &t, &p->error));
    assert_int_equal(t.endpoints, 2);
    assert_int_equal(t.changes, 2);
    assert_int_equal(t.sessions, 3);
    OK(store_begin(p->store, &p->error));
    struct store_report other = events_report("other", T0, 1, 1, 2, list, 2);
    OK(store_report(p->store, &other, &receipt, &p->error));
    store_rollback(p->store);
    store_rollback(p->store);
    OK(store_totals(p->store, &t, &p->error));
    assert_int_equal(t.endpoints, 2);
    /* store_begin() forgets what was not committed. */
    OK(store_begin(p->store, &p->error));
    OK(store_report(p->store, &other, &receipt, &p->error));
    OK(store_begin(p->store, &p->error));
    OK(store_commit(p->store, &p->error));
    OK(store_totals(p->store, &t, &p->error));
    assert_int_equal(t.endpoints, 2);
}

/* ---- large reports ----------------------------------------------------------------------------------------------- */

struct large {
    struct store_event *events;
    char (*names)[32];
    size_t count;
};

static struct large large_new(size_t count, int64_t step)
{
    struct large l = {calloc(count, sizeof *l.events), calloc(count, sizeof *l.names), count};
    for (size_t i = 0; i < count; i++) {
        snprintf(l.names[i], sizeof l.names[i], "package-%zu", i * 7919 % count);
        l.events[i] = event((uint32_t)i + 1, T0 + (int64_t)i * step, STORE_CREATE, l.names[i]);
    }
    return l;
}

static void large_free(struct large *l)
{
    free(l->events);
    free(l->names);
}

static bool count_events(void *context, const struct store_history_event *e)
{
    uint32_t *last = context;
    assert_int_equal(e->eid, *last + 1);
    *last = e->eid;
    return true;
}

static void test_large_reports(void **state)
{
    struct place *p = enter(state);
    struct large many = large_new(70000, 0), runs = large_new(3000, 3600);
    /* More than one change holds. */
    struct store_receipt r = must_store(p, events_report("many", T0 + DAY, 1, 1, 70000, many.events, many.count));
    assert_int_equal(r.stored_events, 70000);
    uint32_t last = 0;
    uint64_t next = 0;
    do
        OK(store_events(p->store, r.endpoint, next, 1000, count_events, &last, &next, &p->error));
    while (next);
    assert_int_equal(last, 70000);
    assert_int_equal(endpoint_of(p, "many").installed, 70000);
    assert_int_equal(must_store(p, inventory_report("many", T0 + DAY, 1, 70000, many.events, many.count)).stored_events,
                     0);
    /* Thousands of runs of one package each. */
    r = must_store(p, events_report("runs", T0 + DAY, 1, 1, 3000, runs.events, runs.count));
    assert_int_equal(r.stored_events, 3000);
    struct store_totals t;
    OK(store_totals(p->store, &t, &p->error));
    assert_int_equal(t.changes, 3002);
    must_store(p, events_report("runs again", T0 + DAY, 1, 1, 3000, runs.events, runs.count));
    struct store_totals again;
    OK(store_totals(p->store, &again, &p->error));
    assert_int_equal(again.change_sets, t.change_sets);
    large_free(&many);
    large_free(&runs);
}

/* ---- a plain model ----------------------------------------------------------------------------------------------- */

enum { ENDPOINTS = 5, NAMES = 40, HISTORY = 6000, LOG = 4000 };

struct model_event {
    uint32_t epoch, eid;
    int64_t time, learnt;
    enum store_action action;
    unsigned name;
    uint8_t source;
};

/* What one endpoint knows of itself (log, state), and what the store must have of it (history, position). */
struct model {
    char name[16];
    uint32_t epoch, log_count;
    struct model_event log[LOG];
    unsigned state[NAMES];
    bool known;
    uint32_t stored_epoch, stored_eid;
    size_t history_count;
    struct model_event history[HISTORY];
};

static char model_names[NAMES][80];
static unsigned model_seed;

static unsigned any(unsigned below)
{
    model_seed = model_seed * 1103515245u + 12345u;
    return (model_seed >> 8) % below;
}

static void model_live(struct model *m, int64_t now)
{
    unsigned transactions = any(3);
    for (unsigned t = 0; t < transactions; t++) {
        int64_t when = any(20) == 0 ? TIME_UNKNOWN : now - any(3 * DAY);
        uint8_t source = (uint8_t)any(3);
        bool shared = any(4) == 0; /* strongSwan: one EID a transaction */
        uint32_t eid = 0;
        for (unsigned n = any(12) + 1; n && m->log_count < LOG; n--) {
            unsigned name = any(NAMES);
            struct model_event e = {.epoch = m->epoch, .time = when, .name = name, .source = source};
            uint32_t last = m->log_count ? m->log[m->log_count - 1].eid : 0;
            e.eid = shared && eid ? eid : last + 1;
            eid = e.eid;
            e.action = any(10) == 0 ? STORE_ALTER : m->state[name] && any(2) ? STORE_DELETE : STORE_CREATE;
            m->state[name] += e.action == STORE_CREATE;
            m->state[name] -= e.action == STORE_DELETE;
            m->log[m->log_count++] = e;
            if (when != TIME_UNKNOWN)
                when += any(any(8) ? 20 : 300);
        }
    }
}

static uint32_t model_last_eid(const struct model *m)
{
    return m->log_count ? m->log[m->log_count - 1].eid : 0;
}

static void model_new_epoch(struct model *m)
{
    m->epoch = m->epoch * 7 + 3;
    m->log_count = 0;
    if (any(2)) /* something happened that nobody logged */
        m->state[any(NAMES)] += 1;
    if (any(2))
        m->state[any(NAMES)] = 0;
}

struct standing {
    unsigned count;
    int64_t since;
    uint8_t source;
};

static void model_fold(const struct model *m, int64_t at, int64_t known_at, struct standing out[NAMES])
{
    memset(out, 0, NAMES * sizeof *out);
    for (size_t i = 0; i < m->history_count; i++) {
        const struct model_event *e = &m->history[i];
        if ((known_at != TIME_UNKNOWN && e->learnt > known_at) || (at != TIME_UNKNOWN && e->time > at))
            continue;
        if (e->action == STORE_CREATE)
            out[e->name] = (struct standing){out[e->name].count + 1, e->time, e->source};
        else if (e->action == STORE_DELETE && out[e->name].count)
            out[e->name].count--;
    }
}

static void model_learn(struct model *m, struct model_event e, int64_t learnt)
{
    assert_true(m->history_count < HISTORY);
    e.learnt = learnt;
    m->history[m->history_count++] = e;
}

static struct store_event as_event(const struct model_event *e)
{
    struct store_event out = event(e->eid, e->time, e->action, model_names[e->name]);
    out.source = e->source;
    return out;
}

/* Reports events from `earliest` on, up to a random one, in random order; the model says what must come of it. */
static void model_events(struct place *p, struct model *m, int64_t now)
{
    static struct store_event list[LOG];
    uint32_t last = model_last_eid(m), continues = m->known && m->stored_epoch == m->epoch ? m->stored_eid + 1 : 1;
    uint32_t earliest = any(3) ? continues : any(2) ? 1 : any(continues + 3) + 1, consulted = last;
    if (any(4) == 0 && last >= earliest)
        consulted = earliest + any(last - earliest + 1);
    size_t count = 0;
    for (uint32_t i = 0; i < m->log_count; i++)
        if (m->log[i].eid >= earliest && m->log[i].eid <= consulted)
            list[count++] = as_event(&m->log[i]);
    for (size_t i = 0; any(2) && i + 1 < count; i++) { /* shuffled, but events of one EID keep their order */
        size_t k = i + any((unsigned)(count - i));
        if (list[i].eid != list[k].eid && (i == 0 || list[i - 1].eid != list[i].eid) &&
            list[i + 1].eid != list[i].eid && list[k - 1].eid != list[k].eid &&
            (k + 1 == count || list[k + 1].eid != list[k].eid)) {
            struct store_event t = list[i];
            list[i] = list[k];
            list[k] = t;
        }
    }
    struct store_report r = events_report(m->name, now, m->epoch, earliest, last, list, count);
    r.last_consulted = consulted;
    struct store_receipt receipt;
    enum store_status status = store_report(p->store, &r, &receipt, &p->error);
    if ((m->known && (m->stored_epoch != m->epoch || last < m->stored_eid)) ||
        earliest > (m->known ? m->stored_eid : 0) + 1) {
        assert_int_equal(status, STORE_CONFLICT);
        return;
    }
    OK(status);
    uint32_t stored = 0;
    for (uint32_t i = 0; i < m->log_count; i++)
        if (m->log[i].eid > (m->known ? m->stored_eid : 0) && m->log[i].eid <= consulted) {
            model_learn(m, m->log[i], now);
            stored++;
        }
    if (!m->known || consulted > m->stored_eid)
        m->stored_eid = consulted;
    m->known = true;
    m->stored_epoch = m->epoch;
    assert_int_equal(receipt.stored_events, stored);
    assert_int_equal(receipt.last_eid, m->stored_eid);
}

static void model_inventory(struct place *p, struct model *m, int64_t now)
{
    static struct store_event list[NAMES * 200];
    struct standing standing[NAMES];
    size_t count = 0, stored = 0;
    for (unsigned i = 0; i < NAMES; i++)
        for (unsigned k = 0; k < m->state[i]; k++)
            list[count++] = event(0, now, STORE_CREATE, model_names[i]);
    for (size_t i = 0; i + 1 < count; i++) {
        size_t k = i + any((unsigned)(count - i));
        struct store_event t = list[i];
        list[i] = list[k];
        list[k] = t;
    }
    struct store_report r = inventory_report(m->name, now, m->epoch, model_last_eid(m), list, count);
    struct store_receipt receipt;
    OK(store_report(p->store, &r, &receipt, &p->error));
    model_fold(m, TIME_UNKNOWN, TIME_UNKNOWN, standing);
    for (unsigned i = 0; i < NAMES; i++) {
        struct model_event e = {.epoch = m->epoch, .time = now, .name = i};
        e.action = standing[i].count < m->state[i] ? STORE_CREATE : STORE_DELETE;
        e.source = e.action == STORE_CREATE;
        for (unsigned k = standing[i].count; k != m->state[i]; k += e.action == STORE_CREATE ? 1u : -1u, stored++)
            model_learn(m, e, now);
    }
    assert_int_equal(receipt.stored_events, stored);
    m->known = true;
    m->stored_epoch = m->epoch;
    m->stored_eid = model_last_eid(m);
}

static const char *model_software_text(const struct model *m, struct wr *w, int64_t at, int64_t known_at)
{
    struct standing standing[NAMES];
    wr_reset(w);
    model_fold(m, at, known_at, standing);
    for (unsigned i = 0; i < NAMES; i++)
        if (standing[i].count)
            put_software(w, &(struct store_software){bytes_of(model_names[i]), standing[i].count, standing[i].since,
                                                     standing[i].source});
    return wr_string(w);
}

static void model_compare(struct place *p, const struct model *m, int64_t at, int64_t known_at)
{
    struct wr is = wr_of(0), should = wr_of(0);
    int64_t id = endpoint_of(p, m->name).id;
    software_text(p, &is, id, at, known_at, 7);
    assert_string_equal(wr_string(&is), model_software_text(m, &should, at, known_at));
    wr_free(&is);
    wr_free(&should);
}

static int by_line(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Events of an inventory have no order among themselves: lines with EID 0 are compared sorted. */
static void sort_lines(const char *text, struct wr *out)
{
    char *copy = strdup(text), *lines[HISTORY + 1], *rest = copy;
    size_t count = 0, from = 0;
    for (char *line; (line = strsep(&rest, "\n")) && *line;)
        lines[count++] = line;
    wr_reset(out);
    for (size_t i = 0; i <= count; i++)
        if (i == count || !strstr(lines[i], "/0 ")) {
            qsort(lines + from, i - from, sizeof *lines, by_line);
            from = i + 1;
        }
    for (size_t i = 0; i < count; i++)
        wr_fmt(out, "%s\n", lines[i]);
    free(copy);
}

static void model_compare_events(struct place *p, const struct model *m)
{
    struct wr is = wr_of(0), should = wr_of(0), sorted = wr_of(0), expected = wr_of(0);
    events_text(p, &is, endpoint_of(p, m->name).id, 113);
    for (size_t i = 0; i < m->history_count; i++) {
        const struct model_event *e = &m->history[i];
        put_event(&should, &(struct store_history_event){e->epoch, e->eid, e->time, e->learnt, e->action,
                                                         bytes_of(model_names[e->name]), e->source});
    }
    sort_lines(wr_string(&is), &sorted);
    sort_lines(wr_string(&should), &expected);
    assert_string_equal(wr_string(&sorted), wr_string(&expected));
    wr_free(&is);
    wr_free(&should);
    wr_free(&sorted);
    wr_free(&expected);
}

static void model_check(struct place *p, const struct model *m, int64_t now)
{
    if (!m->known)
        return;
    struct store_endpoint e = endpoint_of(p, m->name);
    struct standing standing[NAMES];
    unsigned installed = 0;
    model_fold(m, TIME_UNKNOWN, TIME_UNKNOWN, standing);
    for (unsigned i = 0; i < NAMES; i++)
        installed += standing[i].count;
    assert_int_equal(e.installed, installed);
    assert_int_equal(e.epoch, m->stored_epoch);
    assert_int_equal(e.last_eid, m->stored_eid);
    model_compare(p, m, TIME_UNKNOWN, TIME_UNKNOWN);
    model_compare(p, m, now - any(10 * DAY), TIME_UNKNOWN);
    model_compare(p, m, now - any(10 * DAY), now - any(10 * DAY));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Thousands of random reports: the store and the model agree all the time. */
static void test_random_reports_agree_with_a_model(void **state)
{
    struct place *p = enter(state);
    struct model *models = calloc(ENDPOINTS, sizeof *models), *backup = calloc(ENDPOINTS, sizeof *backup);
    int64_t now = T0;
    unsigned reports = 0;
    model_seed = 20260417;
    for (unsigned i = 0; i < NAMES; i++)
        snprintf(model_names[i], sizeof model_names[i], "strongswan.org__Debian_12-x86_64-%c%.*s-%02u",
                 'a' + (int)i / 8, (int)i % 3 * 20, "a-long-name-that-is-the-same-for-many-of-the-packages", i);
    qsort(model_names, NAMES, sizeof *model_names, by_name);
    for (unsigned i = 0; i < ENDPOINTS; i++) {
        snprintf(models[i].name, sizeof models[i].name, "host%u", i);
        models[i].epoch = i + 1;
    }
    for (unsigned round = 0; round < 450; round++) {
        memcpy(backup, models, ENDPOINTS * sizeof *models);
        OK(store_begin(p->store, &p->error));
        for (unsigned n = any(6) + 1; n; n--, reports++) {
            struct model *m = &models[any(ENDPOINTS)];
            now += any(3600);
            model_live(m, now);
            if (any(25) == 0 || m->log_count == LOG)
                model_new_epoch(m);
            if (any(12) == 0 || (m->known && m->stored_epoch != m->epoch && any(2)))
                model_inventory(p, m, now);
            else
                model_events(p, m, now);
        }
        if (any(10) == 0) { /* the server dies before the commit; the endpoints go on */
            store_rollback(p->store);
            for (unsigned i = 0; i < ENDPOINTS; i++) {
                models[i].known = backup[i].known;
                models[i].stored_epoch = backup[i].stored_epoch;
                models[i].stored_eid = backup[i].stored_eid;
                models[i].history_count = backup[i].history_count;
            }
        } else {
            OK(store_commit(p->store, &p->error));
        }
        model_check(p, &models[any(ENDPOINTS)], now);
    }
    for (unsigned i = 0; i < ENDPOINTS; i++) {
        model_check(p, &models[i], now);
        model_compare_events(p, &models[i]);
    }
    assert_true(reports > 1000);
    free(models);
    free(backup);
}

/* ---- several servers --------------------------------------------------------------------------------------------- */

/* In a child: one server of several. Tries again as long as it is told to. */
static void serve(struct place *p, unsigned who, unsigned rounds)
{
    struct store *s;
    if (store_open(&s, p->url, &p->error) != STORE_OK) {
        fprintf(stderr, "%s\n", p->error.text);
        _exit(1);
    }
    for (unsigned round = 0; round < rounds; round++) {
        char names[8][32];
        struct store_event list[8];
        for (unsigned i = 0; i < 8; i++) { /* the same news for all, in another order for each */
            unsigned k = (i * 3 + who) % 8;
            snprintf(names[i], sizeof names[i], "round%u-package%u", round, k);
            list[i] = event(round * 8 + i + 1, T0 + round * 1000, STORE_CREATE, names[i]);
        }
        enum store_status status;
        unsigned tries = 0;
        do {
            struct store_receipt receipt;
            status = store_begin(s, &p->error);
            for (unsigned k = 0; k < 3 && status == STORE_OK; k++) {
                char endpoint[16];
                snprintf(endpoint, sizeof endpoint, "shared%u", (k + who) % 3);
                struct store_report r = events_report(endpoint, T0 + round, 1, round * 8 + 1, round * 8 + 8, list, 8);
                status = store_report(s, &r, &receipt, &p->error);
                if (status == STORE_CONFLICT && receipt.last_eid > round * 8 + 8)
                    status = STORE_OK; /* the others are further on */
            }
            if (status == STORE_OK)
                status = store_commit(s, &p->error);
            else
                store_rollback(s);
        } while (status == STORE_UNAVAILABLE && ++tries < 200);
        if (status != STORE_OK) {
            fprintf(stderr, "round %u: status %d, %s\n", round, (int)status, p->error.text);
            _exit(1);
        }
    }
    store_close(s);
    _exit(0);
}

static void wait_for(pid_t child)
{
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
}

static void test_several_servers(void **state)
{
    struct place *p = enter(state);
    enum { SERVERS = 3, ROUNDS = 30 };
    pid_t children[SERVERS];
    store_close(p->store); /* a connection must not be shared with children */
    p->store = NULL;
    for (unsigned i = 0; i < SERVERS; i++)
        if ((children[i] = fork()) == 0)
            serve(p, i, ROUNDS);
    for (unsigned i = 0; i < SERVERS; i++)
        wait_for(children[i]);
    place_open(p);
    for (unsigned i = 0; i < 3; i++) {
        char name[16];
        uint32_t last = 0;
        uint64_t next = 0;
        snprintf(name, sizeof name, "shared%u", i);
        struct store_endpoint e = endpoint_of(p, name);
        assert_int_equal(e.installed, ROUNDS * 8);
        do
            OK(store_events(p->store, e.id, next, 100, count_events, &last, &next, &p->error));
        while (next);
        assert_int_equal(last, ROUNDS * 8);
    }
    struct store_totals t;
    OK(store_totals(p->store, &t, &p->error));
    assert_int_equal(t.software, ROUNDS * 8);
    assert_int_equal(t.change_sets, ROUNDS);
    assert_int_equal(t.changes, ROUNDS * 3);
}

/* Opening an empty database at the same time creates the schema once. */
static void test_several_create(void **state)
{
    struct place *p = enter(state), *fresh = place_new(p->postgres);
    pid_t children[4];
    store_close(p->store);
    p->store = NULL;
    for (unsigned i = 0; i < ARRAY_LENGTH(children); i++)
        if ((children[i] = fork()) == 0)
            serve(fresh, i, 1);
    for (unsigned i = 0; i < ARRAY_LENGTH(children); i++)
        wait_for(children[i]);
    place_free(fresh);
}

/* ---- killed ------------------------------------------------------------------------------------------------------ */

/* Stores one event after the other and says which are committed, until it is killed. */
static void store_until_killed(struct place *p, int out)
{
    struct store *s;
    struct store_position position;
    if (store_open(&s, p->url, &p->error) != STORE_OK ||
        store_position(s, BYTES("victim"), &position, &p->error) != STORE_OK)
        _exit(1);
    for (uint32_t eid = position.last_eid + 1;; eid++) {
        char name[32];
        struct store_receipt receipt;
        snprintf(name, sizeof name, "package-%u", eid);
        struct store_event e = event(eid, T0 + eid * 100, STORE_CREATE, name);
        struct store_report r = events_report("victim", T0 + eid, 5, eid, eid, &e, 1);
        if (store_begin(s, &p->error) != STORE_OK || store_report(s, &r, &receipt, &p->error) != STORE_OK ||
            store_commit(s, &p->error) != STORE_OK)
            _exit(1);
        if (write(out, &eid, sizeof eid) != sizeof eid)
            _exit(1);
    }
}

static void test_kill(void **state)
{
    struct place *p = enter(state);
    const char *wanted = getenv("MUSTER_KILLS");
    int kills = wanted ? (int)strtol(wanted, NULL, 10) : 15;
    store_close(p->store);
    p->store = NULL;
    model_seed = (unsigned)getpid();
    for (int i = 0; i < kills; i++) {
        int ends[2];
        uint32_t said = 0, eid, last = 0;
        uint64_t next = 0;
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0)
            store_until_killed(p, ends[1]);
        close(ends[1]);
        assert_int_equal(read(ends[0], &said, sizeof said), (ssize_t)sizeof said);
        usleep(any(20000));
        kill(child, SIGKILL);
        while (read(ends[0], &eid, sizeof eid) == (ssize_t)sizeof eid)
            said = eid;
        close(ends[0]);
        waitpid(child, NULL, 0);
        place_open(p);
        struct store_endpoint e = endpoint_of(p, "victim");
        assert_true(e.last_eid >= said && e.last_eid <= said + 1);
        do
            OK(store_events(p->store, e.id, next, 1000, count_events, &last, &next, &p->error));
        while (next);
        assert_int_equal(last, e.last_eid); /* each once, count_events() sees to it */
        assert_int_equal(e.installed, last);
        store_close(p->store);
        p->store = NULL;
    }
}

/* ---- what goes wrong --------------------------------------------------------------------------------------------- */

static void test_database_gone_and_back(void **state)
{
    struct place *p = enter(state);
    struct store_event list[] = {event(1, T0, STORE_CREATE, "a"), event(2, T0, STORE_CREATE, "b")};
    struct store_receipt receipt;
    struct store_report r = events_report("x", T0, 1, 1, 2, list, 2), y = events_report("y", T0, 1, 1, 2, list, 2);
    must_store(p, r);
    /* In the middle of a transaction. */
    OK(store_begin(p->store, &p->error));
    OK(store_report(p->store, &y, &receipt, &p->error));
    pg_stop_server(&cluster, SIGQUIT);
    assert_int_equal(store_report(p->store, &y, &receipt, &p->error), STORE_UNAVAILABLE);
    assert_int_equal(store_report(p->store, &y, &receipt, &p->error), STORE_UNAVAILABLE);
    assert_int_equal(store_commit(p->store, &p->error), STORE_UNAVAILABLE);
    assert_int_equal(store_begin(p->store, &p->error), STORE_UNAVAILABLE);
    uint64_t next;
    assert_int_equal(store_endpoints(p->store, 0, 1, keep_endpoint, &(struct store_endpoint){0}, &next, &p->error),
                     STORE_UNAVAILABLE);
    assert_null(strchr(p->error.text, '\n'));
    assert_true(pg_start_server(&cluster));
    struct store_totals t;
    OK(store_totals(p->store, &t, &p->error));
    assert_int_equal(t.endpoints, 1);
    /* Between transactions nobody notices. */
    pg_stop_server(&cluster, SIGQUIT);
    assert_true(pg_start_server(&cluster));
    must_store(p, y);
    /* In the middle, and back before the next call: the transaction is lost all the same. */
    struct store_report z = events_report("z", T0, 1, 1, 2, list, 2);
    OK(store_begin(p->store, &p->error));
    OK(store_report(p->store, &z, &receipt, &p->error));
    pg_stop_server(&cluster, SIGQUIT);
    assert_true(pg_start_server(&cluster));
    assert_int_equal(store_commit(p->store, &p->error), STORE_UNAVAILABLE);
    OK(store_totals(p->store, &t, &p->error));
    assert_int_equal(t.endpoints, 2);
    must_store(p, z);
}

static void test_full_disk(void **state)
{
    struct place *p = enter(state);
    struct large many = large_new(20000, 0);
    struct store_event one[] = {event(1, T0, STORE_CREATE, "a")};
    struct store_receipt receipt;
    struct store_report small = events_report("small", T0, 1, 1, 1, one, 1),
                        large = events_report("large", T0, 1, 1, 20000, many.events, many.count);
    must_store(p, events_report("before", T0, 1, 1, 1, one, 1));
    struct rlimit old, tight;
    getrlimit(RLIMIT_FSIZE, &old);
    tight = old;
    tight.rlim_cur = 400000;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &tight);
    OK(store_begin(p->store, &p->error));
    OK(store_report(p->store, &small, &receipt, &p->error));
    enum store_status status = store_report(p->store, &large, &receipt, &p->error);
    enum store_status committed = store_commit(p->store, &p->error);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_true(status == STORE_UNAVAILABLE || (status == STORE_OK && committed == STORE_UNAVAILABLE));
    struct store_totals t;
    OK(store_totals(p->store, &t, &p->error));
    assert_int_equal(t.endpoints, committed == STORE_OK ? 2 : 1); /* what was committed stands, and nothing else */
    assert_int_equal(must_store(p, small).last_eid, 1);
    assert_int_equal(must_store(p, large).stored_events, 20000);
    large_free(&many);
}

static void test_damage(void **state)
{
    struct place *p = enter(state);
    char path[100];
    static uint8_t before[1 << 20], after[1 << 20];
    struct large many = large_new(5000, 0);
    must_store(p, events_report("x", T0, 1, 1, 5000, many.events, many.count));
    store_close(p->store);
    p->store = NULL;
    snprintf(path, sizeof path, "%s/server.db", p->folder);
    int fd = open(path, O_RDWR);
    uint8_t junk[4096];
    memset(junk, 0x5a, sizeof junk);
    struct stat st;
    fstat(fd, &st);
    for (off_t at = 4096 * 4; at < st.st_size; at += 4096 * 3) /* past the schema */
        assert_int_equal(pwrite(fd, junk, sizeof junk, at), (ssize_t)sizeof junk);
    ssize_t n = pread(fd, before, sizeof before, 0);
    struct store_receipt receipt;
    struct store_report r = events_report("y", T0, 1, 1, 5000, many.events, many.count);
    enum store_status status = store_open(&p->store, p->url, &p->error);
    if (status == STORE_OK && (status = store_begin(p->store, &p->error)) == STORE_OK) {
        status = store_report(p->store, &r, &receipt, &p->error);
        store_rollback(p->store);
    }
    assert_int_equal(status, STORE_DAMAGED);
    assert_non_null(strstr(p->error.text, "damaged"));
    store_close(p->store);
    p->store = NULL;
    assert_int_equal(pread(fd, after, sizeof after, 0), n);
    assert_memory_equal(before, after, (size_t)n);
    /* Cut in two, and no database at all. */
    assert_int_equal(ftruncate(fd, st.st_size / 2), 0);
    assert_int_equal(store_open(&p->store, p->url, &p->error), STORE_DAMAGED);
    assert_int_equal(pwrite(fd, junk, sizeof junk, 0), (ssize_t)sizeof junk);
    assert_int_equal(store_open(&p->store, p->url, &p->error), STORE_DAMAGED);
    assert_null(p->store);
    close(fd);
    large_free(&many);
}

static void test_busy_and_refused(void **state)
{
    struct place *p = enter(state);
    struct store *other = NULL;
    char url[300];
    if (p->postgres) {
        pg_url(&cluster, "no_such_database", url, sizeof url);
        assert_int_equal(store_open(&other, url, &p->error), STORE_REFUSED);
        snprintf(url, sizeof url, "postgresql:///postgres?host=%s/nowhere&user=muster", cluster.folder);
        assert_int_equal(store_open(&other, url, &p->error), STORE_UNAVAILABLE);
        assert_int_equal(store_open(&other, "postgresql://%zz", &p->error), STORE_UNAVAILABLE);
    } else {
        assert_int_equal(store_open(&other, "sqlite:/nowhere/at/all/server.db", &p->error), STORE_REFUSED);
        assert_int_equal(store_open(&other, "mysql://host/name", &p->error), STORE_REFUSED);
    }
    assert_null(other);
    assert_null(strchr(p->error.text, '\n'));
    /* A schema of a later version. */
    store_close(p->store);
    p->store = NULL;
    if (p->postgres) {
        const char *name = strstr(p->url, "case");
        char database[32];
        snprintf(database, sizeof database, "%.*s", (int)strcspn(name, "?"), name);
        run_sql(database, "INSERT INTO schema_version VALUES(1000)");
    } else {
        char path[100];
        snprintf(path, sizeof path, "%s/server.db", p->folder);
        int fd = open(path, O_RDWR);
        assert_int_equal(pwrite(fd, "\0\0\x03\xe8", 4, 60), 4); /* user_version, big-endian */
        close(fd);
    }
    assert_int_equal(store_open(&other, p->url, &p->error), STORE_REFUSED);
    assert_non_null(strstr(p->error.text, "newer"));
}

/* ---- both engines ------------------------------------------------------------------------------------------------ */

static int start_cluster(void **state)
{
    (void)state;
    has_postgres = pg_start(&cluster);
    return 0;
}

static int stop_cluster(void **state)
{
    (void)state;
    pg_stop(&cluster);
    return 0;
}

int main(void)
{
    static char postgres; /* any address says PostgreSQL, none SQLite */
#define SQLITE(name)                                                                                                   \
    {                                                                                                                  \
#name ": sqlite", name, set_up, tear_down, NULL                                                                \
    }
#define POSTGRES(name)                                                                                                 \
    {                                                                                                                  \
#name ": postgresql", name, set_up, tear_down, &postgres                                                       \
    }
#define CASE(name) SQLITE(name), POSTGRES(name)
    const struct CMUnitTest tests[] = {
        CASE(test_first_events_and_the_next_ones),
        CASE(test_repeats_change_nothing),
        CASE(test_partial_lists_and_ranges_without_events),
        CASE(test_what_does_not_continue_is_a_conflict),
        CASE(test_new_epoch_keeps_the_past),
        CASE(test_sets_are_shared),
        CASE(test_odd_identifiers),
        CASE(test_endpoint_posture_and_sessions),
        CASE(test_pages_of_endpoints),
        CASE(test_group_commit),
        CASE(test_large_reports),
        CASE(test_random_reports_agree_with_a_model),
        CASE(test_several_servers),
        CASE(test_several_create),
        CASE(test_kill),
        POSTGRES(test_database_gone_and_back),
        SQLITE(test_full_disk),
        SQLITE(test_damage),
        CASE(test_busy_and_refused),
    };
    return cmocka_run_group_tests_name("store", tests, start_cluster, stop_cluster);
}
