/* Subscriptions of the SWIMA collector (RFC 8412 §3.8): validators in memory, a journal in the test's hand, the real
 * codec both ways. */
#include "agent/collector.h"
#include "fake_journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { IDS = 0x20, SUBSCRIBE = 0x40, CLEAR = 0x80, FULFILMENT = 0x80, MOST = 32 };

/* ---- the broker's stand-in ---- */

struct nea_connection {
    size_t max_message;
    struct arena arena;
    struct pa_message sent[MOST];
    struct wr encoded[MOST];
    uint16_t to[MOST];
    size_t count;
};

size_t nea_max_message(const struct nea_connection *c)
{
    return c->max_message;
}

void nea_retry(struct nea_connection *c)
{
    (void)c;
}

void nea_send(struct nea_connection *c, uint16_t to, const struct pa_out *attributes, size_t count)
{
    struct nea_fault fault = {0};
    assert_true(c->count < MOST);
    struct wr *w = &c->encoded[c->count];
    *w = wr_of(0);
    pa_message_put(w, 1);
    for (size_t i = 0; i < count; i++)
        pa_attribute_put(w, attributes[i].type, attributes[i].flags, attributes[i].fields);
    assert_false(w->bad);
    assert_int_equal(pa_message_decode(&c->arena, wr_view(w), NEA_SERVER, &c->sent[c->count], &fault), PA_OK);
    c->to[c->count++] = to;
}

/* ---- an endpoint ---- */

struct endpoint {
    struct agent_inventory inventory;
    struct nea_connection c;
    void *state;
};

static void quiet(struct endpoint *e)
{
    for (size_t i = 0; i < e->c.count; i++)
        wr_free(&e->c.encoded[i]);
    e->c.count = 0;
    arena_reset(&e->c.arena);
}

static int setup(void **state)
{
    memset(&fake, 0, sizeof fake);
    fake.head = (struct journal_head){.epoch = 0xc0ffee, .last_eid = 20, .collected = 1700000000};
    fake.records = 10;
    fake.time = 1652426624;
    fake.not_before = TIME_UNKNOWN;
    struct endpoint *e = calloc(1, sizeof *e);
    e->c.max_message = 1 << 20;
    e->c.arena = arena_of(64 << 20);
    e->state = agent_swima_collector.create(&e->inventory, &e->c);
    *state = e;
    return 0;
}

static int teardown(void **state)
{
    struct endpoint *e = *state;
    agent_swima_collector.destroy(e->state);
    quiet(e);
    arena_free(&e->c.arena);
    free(e);
    return 0;
}

static void deliver(struct endpoint *e, uint16_t from, const struct pa_out *out)
{
    struct wr w = wr_of(0);
    struct arena a = arena_of(64 << 20);
    struct pa_message message;
    struct nea_fault fault = {0};
    quiet(e);
    pa_message_put(&w, 1);
    pa_attribute_put(&w, out->type, out->flags, out->fields);
    assert_int_equal(pa_message_decode(&a, wr_view(&w), NEA_CLIENT, &message, &fault), PA_OK);
    agent_swima_collector.receive(e->state, &(struct nea_delivery){PEN_IETF, PA_SUBTYPE_SWIMA, from, &message});
    arena_free(&a);
    wr_free(&w);
}

/* Of validator `from`; target 0: all. Returns the error's code, PA_OK for a response. */
static enum pa_error_code request(struct endpoint *e, uint16_t from, uint8_t flags, uint32_t id, uint32_t earliest,
                                  uint32_t target)
{
    char text[64];
    struct wr w = wr_of(0);
    struct pa_swima_request r = {.flags = flags, .request_id = id, .earliest_eid = earliest};
    if (target) {
        pa_item_put(&w, &pa_types[PA_SWIMA_REQUEST],
                    &(struct pa_swima_request_item){fake_id(target, text, sizeof text)});
        r.software_ids = (struct pa_list){wr_view(&w), 1};
    }
    deliver(e, from, &(struct pa_out){&pa_types[PA_SWIMA_REQUEST], &r, 0});
    wr_free(&w);
    assert_int_equal(e->c.count, 1); /* SWIMA-R74 */
    assert_int_equal(e->c.to[0], from);
    const struct pa_attribute *at = e->c.sent[0].attributes;
    if (at->type == &pa_types[PA_ERROR])
        return ((const struct pa_error *)at->fields)->code;
    assert_int_equal(((const struct pa_sw_id_events *)at->fields)->flags, 0); /* SWIMA-R101 */
    return PA_OK;
}

/* Something changed, or nothing; how many attributes follow. */
static size_t change(struct endpoint *e, uint32_t events)
{
    quiet(e);
    fake.head.last_eid += events;
    agent_swima_collector.push(e->state);
    return e->c.count;
}

static const void *told(const struct endpoint *e, size_t n, uint16_t to, enum pa_row row)
{
    assert_true(n < e->c.count);
    assert_int_equal(e->c.to[n], to);
    assert_ptr_equal(e->c.sent[n].attributes[0].type, &pa_types[row]);
    return e->c.sent[n].attributes[0].fields;
}

static void expect_events(const struct endpoint *e, size_t n, uint16_t to, uint32_t id, uint32_t count,
                          uint32_t consulted)
{
    const struct pa_sw_id_events *f = told(e, n, to, PA_SW_ID_EVENTS);
    assert_int_equal(f->flags, FULFILMENT);
    assert_int_equal(f->request_id, id); /* SWIMA-R102 */
    assert_int_equal(f->events.count, count);
    assert_int_equal(f->last_consulted_eid, consulted);
    assert_int_equal(f->last_eid, fake.head.last_eid);
    assert_int_equal(f->epoch, fake.head.epoch);
}

static uint32_t status_count(struct endpoint *e, uint16_t from)
{
    deliver(
        e, from,
        &(struct pa_out){&pa_types[PA_SUBSCRIPTION_STATUS_REQUEST], &(struct pa_subscription_status_request){0}, 0});
    const struct pa_subscription_status_response *f = told(e, 0, from, PA_SUBSCRIPTION_STATUS_RESPONSE);
    return f->subscriptions.count;
}

/* ---- tests ---- */

/* SWIMA-R49, R50, R51, R58, R60, R62, R65 */
static void each_event_is_told_once(void **state)
{
    struct endpoint *e = *state;
    assert_int_equal(change(e, 1), 0); /* nobody has asked */
    assert_int_equal(request(e, 7, IDS | SUBSCRIBE, 5, 1, 0), PA_OK);
    assert_int_equal(change(e, 0), 0);
    assert_int_equal(change(e, 2), 1);
    expect_events(e, 0, 7, 5, 2, 23);
    assert_int_equal(change(e, 0), 0);
    assert_int_equal(request(e, 7, IDS, 6, 1, 0), PA_OK); /* an ordinary request changes nothing of it */
    assert_int_equal(change(e, 1), 1);
    expect_events(e, 0, 7, 5, 1, 24);
}

/* A change between the snapshot and the subscription, or one that somebody else has collected, is told with the next
 * push. */
static void a_change_that_was_missed_is_told(void **state)
{
    struct endpoint *e = *state;
    assert_int_equal(request(e, 7, IDS | SUBSCRIBE, 5, 100, 0), PA_OK); /* beyond the last: what comes next is told */
    fake.head.last_eid++;
    assert_int_equal(change(e, 0), 1);
    expect_events(e, 0, 7, 5, 1, 21);
}

/* SWIMA-R54, R59, R66, R75, R112 */
static void each_subscription_has_its_attribute(void **state)
{
    struct endpoint *e = *state;
    assert_int_equal(request(e, 7, IDS | SUBSCRIBE, 5, 1, 0), PA_OK);
    assert_int_equal(request(e, 8, IDS | SUBSCRIBE, 5, 0, 0), PA_OK); /* another validator's ID is its own */
    assert_int_equal(change(e, 1), 2);
    expect_events(e, 0, 7, 5, 1, 21);
    const struct pa_sw_id_inventory *f = told(e, 1, 8, PA_SW_ID_INVENTORY);
    assert_int_equal(f->flags, FULFILMENT);
    assert_int_equal(f->records.count, fake.records);
    assert_int_equal(change(e, 0), 0);
}

/* SWIMA-R58, R65 */
static void targets_hear_of_their_own_changes_alone(void **state)
{
    struct endpoint *e = *state;
    assert_int_equal(request(e, 7, IDS | SUBSCRIBE, 5, 1, 22), PA_OK);
    assert_int_equal(request(e, 7, IDS | SUBSCRIBE, 6, 0, 22), PA_OK);
    assert_int_equal(change(e, 1), 0); /* 21 is another's */
    assert_int_equal(change(e, 1), 2);
    expect_events(e, 0, 7, 5, 1, 22);
    told(e, 1, 7, PA_SW_ID_INVENTORY);
    assert_int_equal(change(e, 3), 0);
}

/* SWIMA-R52, R55, R80: the limit counts what is left after the same request's clearing. */
static void there_is_a_limit_and_clearing_makes_room(void **state)
{
    struct endpoint *e = *state;
    for (uint32_t id = 1; id <= 16; id++)
        assert_int_equal(request(e, id % 2 ? 7 : 8, IDS | SUBSCRIBE, id, 1, 0), PA_OK);
    assert_int_equal(request(e, 7, IDS | SUBSCRIBE, 17, 1, 0), PA_SUBSCRIPTION_DENIED);
    assert_int_equal(request(e, 9, IDS | CLEAR | SUBSCRIBE, 17, 1, 0), PA_SUBSCRIPTION_DENIED);
    assert_int_equal(status_count(e, 7), 8);
    assert_int_equal(request(e, 7, IDS | CLEAR | SUBSCRIBE, 17, 1, 0), PA_OK);
    assert_int_equal(status_count(e, 7), 1);
    assert_int_equal(status_count(e, 8), 8);
    assert_int_equal(change(e, 1), 9);
    assert_int_equal(request(e, 7, IDS | CLEAR, 18, 1, 0), PA_OK);
    assert_int_equal(request(e, 7, IDS | CLEAR, 19, 1, 0), PA_OK); /* none are left, and that is no error */
    assert_int_equal(status_count(e, 7), 0);
    assert_int_equal(change(e, 1), 8);
}

/* SWIMA-R69, R80: a request that fails changes nothing. */
static void a_failed_request_keeps_what_there_was(void **state)
{
    struct endpoint *e = *state;
    assert_int_equal(request(e, 7, IDS | SUBSCRIBE, 5, 1, 0), PA_OK);
    fake.status = JOURNAL_BUSY;
    assert_int_equal(request(e, 7, IDS | CLEAR | SUBSCRIBE, 6, 1, 0), PA_SWIMA_ERROR);
    fake.status = JOURNAL_OK;
    assert_int_equal(change(e, 1), 1);
    expect_events(e, 0, 7, 5, 1, 21);
}

/* SWIMA-R79: an active ID is nobody's, whatever the request wants; a cleared one is free. */
static void an_active_id_is_not_used_again(void **state)
{
    struct endpoint *e = *state;
    assert_int_equal(request(e, 7, IDS | SUBSCRIBE, 5, 1, 0), PA_OK);
    assert_int_equal(request(e, 7, IDS, 5, 1, 0), PA_SUBSCRIPTION_ID_REUSE);
    assert_int_equal(request(e, 7, IDS | SUBSCRIBE, 5, 1, 0), PA_SUBSCRIPTION_ID_REUSE);
    assert_int_equal(request(e, 7, IDS | CLEAR | SUBSCRIBE, 5, 1, 0), PA_SUBSCRIPTION_ID_REUSE);
    assert_int_equal(status_count(e, 7), 1);
    assert_int_equal(request(e, 7, IDS | CLEAR, 6, 1, 0), PA_OK);
    assert_int_equal(request(e, 7, IDS | SUBSCRIBE, 5, 1, 0), PA_OK);
}

/* SWIMA-R57, R107: an exact copy of what was asked, flags and all. */
static void the_status_is_a_copy_of_the_request(void **state)
{
    struct endpoint *e = *state;
    char text[64];
    assert_int_equal(request(e, 7, IDS | CLEAR | SUBSCRIBE | 1, 0xdeadbeef, 3, 4), PA_OK);
    assert_int_equal(change(e, 5), 0);
    assert_int_equal(status_count(e, 7), 1);
    const struct pa_subscription_status_response *f = told(e, 0, 7, PA_SUBSCRIPTION_STATUS_RESPONSE);
    struct bytes rest = f->subscriptions.raw, ids;
    struct pa_subscription_status_response_item item;
    struct pa_swima_request_item id;
    assert_true(pa_list_next(&pa_types[PA_SUBSCRIPTION_STATUS_RESPONSE], &rest, &item));
    assert_int_equal(item.flags, IDS | CLEAR | SUBSCRIBE | 1);
    assert_int_equal(item.request_id, 0xdeadbeef);
    assert_int_equal(item.earliest_eid, 3);
    assert_int_equal(item.software_ids.count, 1);
    ids = item.software_ids.raw;
    assert_true(pa_list_next(&pa_types[PA_SWIMA_REQUEST], &ids, &id));
    assert_true(bytes_equal(id.software_id, fake_id(4, text, sizeof text)));
}

/* SWIMA-R61: the events of the new epoch, from its first. */
static void a_new_epoch_is_told_from_its_first_event(void **state)
{
    struct endpoint *e = *state;
    assert_int_equal(request(e, 7, IDS | SUBSCRIBE, 5, 1, 0), PA_OK);
    fake.head.epoch = 0xdecaf;
    fake.head.last_eid = 3;
    assert_int_equal(change(e, 0), 1);
    expect_events(e, 0, 7, 5, 3, 3);
    assert_int_equal(change(e, 1), 1);
    expect_events(e, 0, 7, 5, 1, 4);
}

/* SWIMA-R63, R64: the rest of a list follows at once, also that of the direct answer. */
static void partial_lists_go_on_until_all_is_told(void **state)
{
    struct endpoint *e = *state;
    e->inventory.max_attribute = 700;
    assert_int_equal(request(e, 7, IDS | SUBSCRIBE, 5, 1, 0), PA_OK);
    const struct pa_sw_id_events *f = told(e, 0, 7, PA_SW_ID_EVENTS);
    uint32_t next = f->last_consulted_eid + 1;
    assert_true(next < 20);
    assert_true(change(e, 10) > 2);
    for (size_t i = 0; i < e->c.count; i++) {
        f = told(e, i, 7, PA_SW_ID_EVENTS);
        assert_int_equal(f->flags, FULFILMENT);
        assert_int_equal(f->events.count, f->last_consulted_eid - next + 1);
        next = f->last_consulted_eid + 1;
    }
    assert_int_equal(next, fake.head.last_eid + 1);
    assert_int_equal(change(e, 0), 0);
}

/* SWIMA-R56, R71, R110: code 7 around the error that it was, and silence from then on; of that subscription alone. */
static void a_failed_fulfilment_ends_its_subscription(void **state)
{
    struct endpoint *e = *state;
    assert_int_equal(request(e, 7, IDS | SUBSCRIBE, 5, 0, 0), PA_OK);
    assert_int_equal(request(e, 7, IDS | SUBSCRIBE, 6, 1, 0), PA_OK);
    e->inventory.max_attribute = 400; /* an inventory has no parts */
    assert_int_equal(change(e, 1), 2);
    const struct pa_error *f = told(e, 0, 7, PA_ERROR);
    assert_int_equal(f->code, PA_SUBSCRIPTION_FULFILLMENT);
    struct rd r = rd_of(f->information, 0);
    assert_int_equal(rd_u32(&r), 5);
    assert_int_equal(rd_u32(&r), PEN_IETF);
    assert_int_equal(rd_u32(&r), PA_RESPONSE_TOO_LARGE);
    assert_int_equal(rd_u32(&r), 5);
    assert_int_equal(rd_u32(&r), 400);
    assert_true(utf8_valid(rd_rest(&r)) && !r.bad);
    expect_events(e, 1, 7, 6, 1, 21);
    assert_int_equal(change(e, 1), 1);
    fake.status = JOURNAL_DAMAGED;
    assert_int_equal(change(e, 1), 1);
    assert_int_equal(((const struct pa_error *)told(e, 0, 7, PA_ERROR))->code, PA_SUBSCRIPTION_FULFILLMENT);
    fake.status = JOURNAL_OK;
    assert_int_equal(change(e, 1), 0);
    assert_int_equal(status_count(e, 7), 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(each_event_is_told_once),
        CASE(a_change_that_was_missed_is_told),
        CASE(each_subscription_has_its_attribute),
        CASE(targets_hear_of_their_own_changes_alone),
        CASE(there_is_a_limit_and_clearing_makes_room),
        CASE(a_failed_request_keeps_what_there_was),
        CASE(an_active_id_is_not_used_again),
        CASE(the_status_is_a_copy_of_the_request),
        CASE(a_new_epoch_is_told_from_its_first_event),
        CASE(partial_lists_go_on_until_all_is_told),
        CASE(a_failed_fulfilment_ends_its_subscription),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
