/* The store, case by case. Each runs on SQLite and on PostgreSQL. */
#include "store_place.h"

#include <sys/resource.h>

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
                 "1/1 +a 0 10/1\n1/2 +b 1 10/1\n1/3 +b 2 10/1\n2/0 +c 500 500/1\n2/0 -b 500 500/0\n2/0 -a 500 500/0\n");
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

static bool put_bound(void *context, const struct store_software *item)
{
    wr_fmt(context, "%.*s%s ", (int)item->software_id.n, (const char *)item->software_id.p, item->bound ? "<" : "=");
    return true;
}

/* What stands at the beginning of all that is known, and what only an inventory told, was there then or before. */
static void test_bounds(void **state)
{
    struct place *p = enter(state);
    struct wr text = wr_of(0);
    int64_t since;
    uint64_t next;
    struct store_event first[] = {event(1, TIME_UNKNOWN, STORE_CREATE, "u"), event(2, T0 + 5, STORE_CREATE, "a"),
                                  event(3, T0 + 5, STORE_CREATE, "b"), event(4, T0 + 9, STORE_CREATE, "c")};
    struct store_event inventory[] = {event(0, T0 + 500, STORE_CREATE, "a"), event(0, T0 + 500, STORE_CREATE, "c"),
                                      event(0, T0 + 500, STORE_CREATE, "d")};
    OK(store_known_since(p->store, 1, &since, &p->error));
    assert_true(since == TIME_UNKNOWN);
    struct store_receipt r = must_store(p, events_report("x", T0 + 10, 1, 1, 4, first, 4));
    OK(store_known_since(p->store, r.endpoint, &since, &p->error));
    assert_true(since == T0 + 5);
    OK(store_software(p->store, r.endpoint, TIME_UNKNOWN, TIME_UNKNOWN, 0, 100, put_bound, &text, &next, &p->error));
    assert_string_equal(wr_string(&text), "a< b< c= u= ");
    wr_reset(&text);
    r = must_store(p, inventory_report("x", T0 + 500, 2, 40, inventory, 3));
    OK(store_software(p->store, r.endpoint, TIME_UNKNOWN, TIME_UNKNOWN, 0, 100, put_bound, &text, &next, &p->error));
    assert_string_equal(wr_string(&text), "a< c= d< ");
    OK(store_known_since(p->store, r.endpoint, &since, &p->error));
    assert_true(since == T0 + 5);
    wr_free(&text);
}

static bool put_doubt(void *context, const struct store_software *item)
{
    wr_fmt(context, "%.*s%s ", (int)item->software_id.n, (const char *)item->software_id.p, item->perhaps ? "?" : "");
    return true;
}

static const char *then(struct place *p, int64_t endpoint, int64_t at)
{
    static char said[200];
    struct wr text = wr_of(0);
    uint64_t next;
    OK(store_software(p->store, endpoint, at, TIME_UNKNOWN, 0, 100, put_doubt, &text, &next, &p->error));
    snprintf(said, sizeof said, "%s", wr_string(&text));
    wr_free(&text);
    return said;
}

/* What only a bound tells of is neither there nor away before it. Each source has a beginning of its own. */
static void test_doubt(void **state)
{
    struct place *p = enter(state);
    struct store_event first[] = {event(1, T0 + 5, STORE_CREATE, "a"), event(2, T0 + 5, STORE_CREATE, "b"), event(3, T0 + 7, STORE_CREATE, "snap"),
                                  event(4, T0 + 7, STORE_DELETE, "b"), event(5, T0 + 9, STORE_CREATE, "c")};
    struct store_event inventory[] = {event(0, T0 + 500, STORE_CREATE, "c"), event(0, T0 + 500, STORE_CREATE, "snap"),
                                      event(0, T0 + 500, STORE_CREATE, "d")};
    first[2].source = 7;
    int64_t x = must_store(p, events_report("x", T0 + 10, 1, 1, 5, first, 5)).endpoint;
    assert_string_equal(then(p, x, T0), "a? b? snap? ");
    assert_string_equal(then(p, x, T0 + 5), "a b snap? ");
    assert_string_equal(then(p, x, T0 + 7), "a snap ");
    assert_string_equal(then(p, x, T0 + 9), "a c snap ");
    must_store(p, inventory_report("x", T0 + 500, 2, 40, inventory, 3));
    assert_string_equal(then(p, x, T0 + 10), "a c snap "); /* the last report told that */
    assert_string_equal(then(p, x, T0 + 11), "a? c d? snap ");
    assert_string_equal(then(p, x, T0 + 499), "a? c d? snap ");
    assert_string_equal(then(p, x, T0 + 500), "c d snap ");
    assert_string_equal(then(p, x, TIME_UNKNOWN), "c d snap ");
}

/* ---- a new epoch, told from its first event ---- */

static struct store_report history_report(const char *name, int64_t when, uint32_t epoch, const struct store_event *list, size_t count)
{
    struct store_report r = events_report(name, when, epoch, 1, count ? list[count - 1].eid : 1, list, count);
    r.software = STORE_HISTORY;
    return r;
}

static bool put_unknown(void *context, int64_t from, int64_t to)
{
    wr_fmt(context, "%lld..%lld ", (long long)(from - T0), (long long)(to - T0));
    return true;
}

static const char *unknown(struct place *p, int64_t endpoint)
{
    static char said[200];
    struct wr text = wr_of(0);
    OK(store_unknown(p->store, endpoint, put_unknown, &text, &p->error));
    snprintf(said, sizeof said, "%s", wr_string(&text));
    wr_free(&text);
    return said;
}

/* SWIMA-R44, RFC 8412 §3.7.6. A journal that was lost is made of the same logs again: what happened between is added, and nothing is doubled. */
static void test_a_new_epoch_tells_what_was_missed(void **state)
{
    struct place *p = enter(state);
    const struct store_event old[] = {event(1, T0, STORE_CREATE, "p1"), event(2, T0, STORE_CREATE, "p4")};
    /* In another order, with other EIDs; p2 came and went while the journal was being lost. */
    const struct store_event new[] = {event(1, T0, STORE_CREATE, "p4"), event(2, T0, STORE_CREATE, "p1"), event(3, T0 + 100, STORE_CREATE, "p2"),
                                      event(4, T0 + 200, STORE_DELETE, "p2"), event(5, T0 + 300, STORE_CREATE, "p1")};
    int64_t x = must_store(p, events_report("x", T0 + 10, 1, 1, 2, old, 2)).endpoint;
    struct store_receipt r = must_store(p, history_report("x", T0 + 400, 2, new, 5));
    assert_int_equal(r.stored_events, 3);
    assert_int_equal(r.epoch, 2);
    assert_int_equal(r.last_eid, 5);
    CHECK_EVENTS(x, "1/1 +p1 0 10/1\n1/2 +p4 0 10/1\n2/3 +p2 100 400/1\n2/4 -p2 200 400/1\n2/5 +p1 300 400/1\n");
    assert_string_equal(then(p, x, T0 + 150), "p1 p2 p4 ");
    assert_string_equal(then(p, x, T0 + 250), "p1 p4 ");
    CHECK_SOFTWARE(x, TIME_UNKNOWN, TIME_UNKNOWN, "p1*2@300/1\np4*1@0/1\n");
    CHECK_SOFTWARE(x, T0 + 150, T0 + 399, "p1*1@0/1\np4*1@0/1\n");
    assert_string_equal(unknown(p, x), "");
    /* Told again, by another session; then the inventory; then it goes on. */
    assert_int_equal(must_store(p, history_report("x", T0 + 401, 2, new, 5)).stored_events, 0);
    const struct store_event inventory[] = {event(0, T0 + 402, STORE_CREATE, "p1"), event(0, T0 + 402, STORE_CREATE, "p1"),
                                            event(0, T0 + 402, STORE_CREATE, "p4")};
    assert_int_equal(must_store(p, inventory_report("x", T0 + 402, 2, 5, inventory, 3)).stored_events, 0);
    /* Who loses it in each session, and tells the same, costs nothing. */
    for (uint32_t epoch = 3; epoch < 40; epoch++)
        assert_int_equal(must_store(p, history_report("x", T0 + 400 + epoch, epoch, new, 5)).stored_events, 0);
    assert_int_equal(endpoint_of(p, "x").installed, 3);
    assert_string_equal(unknown(p, x), "");
}

/* Logs were rotated, or the machine was put back: the new epoch tells otherwise. Each is believed of its time, and between them is nobody's. */
static void test_accounts_of_one_machine(void **state)
{
    struct place *p = enter(state);
    const struct store_event old[] = {event(1, T0, STORE_CREATE, "a"), event(2, T0 + 5, STORE_CREATE, "b"), event(3, T0 + 9, STORE_DELETE, "b"),
                                      event(4, T0 + 9, STORE_CREATE, "c")};
    const struct store_event late[] = {event(1, T0 + 50, STORE_CREATE, "a"), event(2, T0 + 50, STORE_CREATE, "d"), event(3, T0 + 80, STORE_CREATE, "b")};
    const struct store_event early[] = {event(1, T0 + 2, STORE_CREATE, "a"), event(2, T0 + 70, STORE_CREATE, "e"), event(3, T0 + 150, STORE_DELETE, "e")};
    int64_t x = must_store(p, events_report("x", T0 + 20, 1, 1, 4, old, 4)).endpoint;
    assert_int_equal(must_store(p, history_report("x", T0 + 100, 2, late, 3)).stored_events, 3);
    CHECK_EVENTS(x, "1/1 +a 0 20/1\n1/2 +b 5 20/1\n1/3 -b 9 20/1\n1/4 +c 9 20/1\n2/1 +a 50 100/1\n2/2 +d 50 100/1\n2/3 +b 80 100/1\n");
    assert_string_equal(unknown(p, x), "21..50 ");
    assert_string_equal(then(p, x, T0 + 6), "a b ");
    assert_string_equal(then(p, x, T0 + 20), "a c ");
    assert_string_equal(then(p, x, T0 + 21), "a? c? d? ");
    assert_string_equal(then(p, x, T0 + 49), "a? c? d? ");
    assert_string_equal(then(p, x, T0 + 50), "a d ");
    assert_string_equal(then(p, x, T0 + 80), "a b d ");
    CHECK_SOFTWARE(x, TIME_UNKNOWN, TIME_UNKNOWN, "a*1@0/1\nb*1@80/1\nd*1@50/1\n"); /* a was there before */
    CHECK_SOFTWARE(x, T0 + 60, T0 + 99, "a*1@0/1\nc*1@9/1\n");
    /* SWIMA-R47: the same epoch, and fewer events. Its account reaches back behind the last report: nothing is lost. */
    assert_int_equal(must_store(p, history_report("x", T0 + 200, 3, early, 3)).stored_events, 3);
    assert_string_equal(unknown(p, x), "21..50 ");
    assert_string_equal(then(p, x, T0 + 75), "a d ");
    assert_string_equal(then(p, x, T0 + 100), "a e ");
    assert_string_equal(then(p, x, T0 + 160), "a ");
    assert_int_equal(must_store(p, history_report("x", T0 + 300, 3, early, 2)).last_eid, 2);
    assert_string_equal(then(p, x, TIME_UNKNOWN), "a e ");
    assert_int_equal(endpoint_of(p, "x").installed, 2);
    must_store(p, history_report("x", T0 + 400, 4, NULL, 0)); /* nothing at all */
    assert_string_equal(then(p, x, TIME_UNKNOWN), "");
    assert_string_equal(then(p, x, T0 + 300), "a e ");
    assert_string_equal(then(p, x, T0 + 350), "a? e? ");
    assert_int_equal(endpoint_of(p, "x").installed, 0);
}

/* It may tell another history every time; that costs so much a day and no more, and its inventory says what is there. */
static void test_a_liar_about_epochs(void **state)
{
    struct place *p = enter(state);
    unsigned taken = 0;
    int64_t x = 0;
    for (uint32_t epoch = 1; epoch < 30; epoch++) {
        const struct store_event list[] = {event(1, T0 + epoch, STORE_CREATE, epoch % 2 ? "a" : "b")};
        struct store_report r = history_report("x", T0 + 100 * epoch, epoch, list, 1);
        struct store_receipt receipt;
        enum store_status status = try_store(p, &r, &receipt);
        taken += status == STORE_OK;
        if (status != STORE_OK) {
            assert_int_equal(status, STORE_CONFLICT);
            const struct store_event there = event(0, T0 + 100 * epoch, STORE_CREATE, "a");
            receipt = must_store(p, inventory_report("x", T0 + 100 * epoch, epoch, 1, &there, 1));
        }
        x = receipt.endpoint;
    }
    assert_int_equal(taken, 9);
    CHECK_SOFTWARE(x, TIME_UNKNOWN, TIME_UNKNOWN, "a*1@9/1\n"); /* of which the ninth account began */
    const struct store_event list[] = {event(1, T0, STORE_CREATE, "c")};
    must_store(p, history_report("x", T0 + 2 * DAY, 77, list, 1)); /* the next day */
    CHECK_SOFTWARE(x, TIME_UNKNOWN, TIME_UNKNOWN, "c*1@0/1\n");
}

/* An inventory alone tells nothing of what came and went before it. */
static void test_an_inventory_after_a_lost_epoch(void **state)
{
    struct place *p = enter(state);
    const struct store_event old = event(1, T0, STORE_CREATE, "a");
    const struct store_event there[] = {event(0, T0 + 99, STORE_CREATE, "a")};
    int64_t x = must_store(p, events_report("x", T0 + 10, 1, 1, 1, &old, 1)).endpoint;
    must_store(p, report("x", T0 + 20)); /* tells nothing of its software */
    assert_int_equal(must_store(p, inventory_report("x", T0 + 99, 2, 7, there, 1)).stored_events, 0);
    assert_string_equal(unknown(p, x), "11..99 ");
    must_store(p, inventory_report("x", T0 + 120, 2, 7, there, 1)); /* the same events: nothing happened */
    assert_string_equal(unknown(p, x), "11..99 ");
    must_store(p, inventory_report("x", T0 + 150, 2, 9, there, 1)); /* two that it does not have any more */
    assert_string_equal(unknown(p, x), "11..99 121..150 ");
    assert_string_equal(then(p, x, T0 + 50), "a ");
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
        put_software(&(struct software_then){&expected, TIME_UNKNOWN}, &item);
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
    /* What would be lost with the process is no store. */
    static const char *const nothing[] = {"", "sqlite:"};
    for (size_t i = 0; i < ARRAY_LENGTH(nothing); i++) {
        assert_int_equal(store_open(&other, nothing[i], &p->error), STORE_REFUSED);
        assert_null(other);
    }
}

/* ---- tags ---- */

static void keep_tag(void *context, struct bytes octets)
{
    snprintf(context, 100, "%.*s", (int)octets.n, (const char *)octets.p);
}

static bool keep_package(void *context, const struct store_software *s)
{
    struct wr *w = context;
    const struct store_package *p = &s->package;
    const struct bytes fields[] = {s->software_id, p->name, p->version, p->arch, p->source, p->source_version};
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++)
        wr_fmt(w, "%.*s%s", (int)fields[i].n, (const char *)fields[i].p, i + 1 < ARRAY_LENGTH(fields) ? "|" : "\n");
    return true;
}

static struct arena tag_texts;

static size_t untagged(struct place *p, int64_t endpoint, int64_t now, unsigned limit, size_t octets,
                       struct store_untagged *list)
{
    size_t count;
    arena_free(&tag_texts);
    tag_texts = arena_of(1 << 20);
    OK(store_untagged(p->store, endpoint, now, limit, octets, &tag_texts, list, &count, &p->error));
    return count;
}

static void test_tags_are_asked_for_once_and_kept_once(void **state)
{
    struct place *p = enter(state);
    struct store_event list[] = {event(1, T0, STORE_CREATE, "a_1"), event(2, T0, STORE_DELETE, "a_1"),
                                 event(3, T0, STORE_CREATE, "b_1"), event(4, T0, STORE_CREATE, "c_3")};
    struct store_untagged want[10]; /* in the order of their numbers, which is that of the digests */
    struct store_position position;
    struct store_receipt x = must_store(p, events_report("x", T0, 1, 1, 4, list, 4));
    OK(store_position(p->store, BYTES("x"), &position, &p->error));
    assert_int_equal(position.tags_due, 0); /* it brought what nobody had: next time */
    struct store_receipt y = must_store(p, events_report("y", T0 + 1, 1, 1, 4, list, 4));
    OK(store_position(p->store, BYTES("y"), &position, &p->error));
    assert_int_equal(position.tags_due, 1); /* so that two tell */
    struct store_receipt z = must_store(p, events_report("z", T0 + 1, 1, 1, 0, NULL, 0));
    assert_int_equal(untagged(p, z.endpoint, T0, 10, 1000, want), 0); /* it has none of them */

    assert_int_equal(untagged(p, x.endpoint, T0, 2, 1000, want), 2);
    assert_int_equal(untagged(p, x.endpoint, T0, 10, 9, want), 1);
    assert_int_equal(untagged(p, x.endpoint, T0, 10, 1000, want), 3); /* what is gone, too */
    assert_true(bytes_equal(want[0].software_id, BYTES("a_1")));
    OK(store_begin(p->store, &p->error));
    OK(store_asked(p->store, x.endpoint, T0 + 5, false, want, 3, &p->error));
    const struct store_tag tags[] = {
        {want[0].id, BYTES("<a/>"), {BYTES("a"), BYTES("1:1+x"), BYTES("amd64"), BYTES("src"), BYTES("2")}},
        {want[1].id, BYTES("<b/>"), {.name = BYTES("b")}},
    };
    OK(store_tags(p->store, x.endpoint, T0 + 5, tags, 2, &p->error));
    OK(store_commit(p->store, &p->error));
    OK(store_position(p->store, BYTES("x"), &position, &p->error));
    assert_int_equal(position.tags_due, T0 + 5 + STORE_TAGS_AGAIN);

    /* c_3 is left, and it is asked of whoever else has it; of b_1 one has told, and that is one too few. a_1 nobody has any more. */
    int64_t c = want[2].id;
    assert_int_equal(untagged(p, y.endpoint, T0 + 100, 10, 1000, want), 2);
    assert_int_equal(want[0].id, tags[1].software);
    assert_int_equal(want[1].id, c);
    assert_int_equal(untagged(p, y.endpoint, T0 + 5 + STORE_TAGS_AGAIN, 10, 1000, want), 2);

    /* The first word stands, and counts for nobody else while it is alone. */
    const struct store_tag again[] = {{tags[0].software, BYTES("<lie/>"), {.name = BYTES("lie")}},
                                      {c, BYTES("<c/>"), {.name = BYTES("c"), .version = BYTES("1")}}};
    OK(store_begin(p->store, &p->error));
    OK(store_tags(p->store, y.endpoint, T0 + 9, again, 2, &p->error));
    OK(store_commit(p->store, &p->error));
    char octets[100] = "";
    OK(store_tag(p->store, BYTES("a_1"), STORE_TAG_ANY, keep_tag, octets, &p->error));
    assert_string_equal(octets, "<a/>");
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)c);
    OK(store_tag(p->store, bytes_of(number), STORE_TAG_ANY, keep_tag, octets, &p->error));
    assert_string_equal(octets, "<c/>");
    assert_int_equal(store_tag(p->store, BYTES("nobody"), STORE_TAG_ANY, keep_tag, octets, &p->error), STORE_NOT_FOUND);
    assert_int_equal(untagged(p, y.endpoint, INT64_MAX, 10, 1000, want), 1); /* b_1 */
    struct wr w = wr_of(0);
    uint64_t next;
    OK(store_software(p->store, x.endpoint, T0, TIME_UNKNOWN, 0, 10, keep_package, &w, &next, &p->error));
    assert_string_equal(wr_string(&w), "b_1|b||||\nc_3|||||\n");
    wr_reset(&w);
    OK(store_software(p->store, y.endpoint, T0, TIME_UNKNOWN, 0, 10, keep_package, &w, &next, &p->error));
    assert_string_equal(wr_string(&w), "b_1|||||\nc_3|c|1|||\n");
    wr_free(&w);
    arena_free(&tag_texts);
}

/* One who brought software and never comes back leaves it to the others, each identifier to one of them, and takes its place again when it
 * comes after all. */
static void test_tags_of_one_who_never_returns_are_asked_of_others(void **state)
{
    struct place *p = enter(state);
    struct store_event list[] = {event(1, T0, STORE_CREATE, "a_1"), event(2, T0, STORE_CREATE, "b_1")};
    struct store_event other[] = {event(1, T0, STORE_CREATE, "b_1"), event(2, T0, STORE_CREATE, "d_1")};
    const int64_t later = T0 + 10 + STORE_TAGS_AGAIN;
    struct store_untagged want[10];
    struct store_position position;
    int64_t absent;
    struct store_receipt x = must_store(p, events_report("x", T0, 1, 1, 2, list, 2));
    struct store_receipt y = must_store(p, events_report("y", T0 + 1, 1, 1, 2, list, 2));
    OK(store_tags_absent(p->store, T0 + 2, &absent, &p->error));
    assert_int_equal(absent, 0); /* it has its day */
    assert_int_equal(untagged(p, y.endpoint, later, 10, 1000, want), 2); /* it may tell meanwhile: two are to */
    must_store(p, events_report("z", later, 1, 1, 2, other, 2)); /* d_1 is new, and its bringer is here */
    OK(store_tags_absent(p->store, later, &absent, &p->error));
    assert_int_equal(absent, x.endpoint);
    OK(store_begin(p->store, &p->error));
    OK(store_tags_release(p->store, absent, later, &p->error));
    OK(store_commit(p->store, &p->error));
    OK(store_tags_absent(p->store, later, &absent, &p->error));
    assert_int_equal(absent, 0);
    assert_int_equal(untagged(p, y.endpoint, later, 10, 1000, want), 2);
    OK(store_begin(p->store, &p->error));
    OK(store_asked(p->store, y.endpoint, later, false, want, 1, &p->error));
    OK(store_commit(p->store, &p->error));
    assert_int_equal(untagged(p, y.endpoint, later + 1, 10, 1000, want), 1); /* the other one is still open */
    assert_true(bytes_equal(want[0].software_id, BYTES("b_1")));

    /* It is due as everybody is, and asked for what nobody has told; what it brings then is its own again. */
    OK(store_position(p->store, BYTES("x"), &position, &p->error));
    assert_int_equal(position.tags_due, 1);
    assert_int_equal(untagged(p, x.endpoint, later + 1, 10, 1000, want), 2); /* y alone is asked of the other one */
    struct store_event more[] = {event(3, later, STORE_CREATE, "e_1")};
    must_store(p, events_report("x", later + 2, 1, 3, 3, more, 1));
    OK(store_position(p->store, BYTES("x"), &position, &p->error));
    assert_int_equal(position.tags_due, 0);
    assert_int_equal(untagged(p, x.endpoint, later + 3, 10, 1000, want), 3);
    arena_free(&tag_texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_first_events_and_the_next_ones),
        CASE(test_repeats_change_nothing),
        CASE(test_partial_lists_and_ranges_without_events),
        CASE(test_what_does_not_continue_is_a_conflict),
        CASE(test_new_epoch_keeps_the_past),
        CASE(test_a_new_epoch_tells_what_was_missed),
        CASE(test_accounts_of_one_machine),
        CASE(test_a_liar_about_epochs),
        CASE(test_an_inventory_after_a_lost_epoch),
        CASE(test_bounds),
        CASE(test_doubt),
        CASE(test_sets_are_shared),
        CASE(test_odd_identifiers),
        CASE(test_endpoint_posture_and_sessions),
        CASE(test_pages_of_endpoints),
        CASE(test_tags_are_asked_for_once_and_kept_once),
        CASE(test_tags_of_one_who_never_returns_are_asked_of_others),
        CASE(test_group_commit),
        CASE(test_large_reports),
        POSTGRES(test_database_gone_and_back),
        SQLITE(test_full_disk),
        SQLITE(test_damage),
        CASE(test_busy_and_refused),
    };
    return cmocka_run_group_tests_name("store", tests, start_cluster, stop_cluster);
}
