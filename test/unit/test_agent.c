/* The posture collectors against a validator in memory. The journal, the package managers and the broker are stand-ins,
 * so that every EID, size and failure is in the test's hand; messages go through the real codec both ways. */
#include "agent/collector.h"
#include "fake_journal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the broker's stand-in ---- */

/* What a collector sends, as the server's decoder sees it. */
struct nea_connection {
    size_t max_message;
    struct arena arena;
    struct pa_message sent[8];
    struct wr encoded[8];
    uint16_t to[8];
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
    assert_true(c->count < ARRAY_LENGTH(c->sent));
    struct wr *w = &c->encoded[c->count];
    *w = wr_of(0);
    pa_message_put(w, 0x5331d56c);
    for (size_t i = 0; i < count; i++)
        pa_attribute_put(w, attributes[i].type, attributes[i].flags, attributes[i].fields);
    assert_false(w->bad);
    assert_int_equal(pa_message_decode(&c->arena, wr_view(w), NEA_SERVER, &c->sent[c->count], &fault), PA_OK);
    c->to[c->count++] = to;
}

/* ---- helpers ---- */

static struct nea_connection *connection_new(void)
{
    struct nea_connection *c = calloc(1, sizeof *c);
    c->max_message = 1 << 20;
    c->arena = arena_of(64 << 20);
    return c;
}

static void connection_reset(struct nea_connection *c)
{
    for (size_t i = 0; i < c->count; i++)
        wr_free(&c->encoded[i]);
    c->count = 0;
    arena_reset(&c->arena);
}

static void connection_free(struct nea_connection *c)
{
    connection_reset(c);
    arena_free(&c->arena);
    free(c);
}

/* Delivers attributes as the validator 7 would send them. */
static void deliver(const struct nea_component *component, void *state, const struct pa_out *attributes, size_t count)
{
    struct wr w = wr_of(0);
    struct arena a = arena_of(64 << 20);
    struct pa_message message;
    struct nea_fault fault = {0};
    pa_message_put(&w, 1);
    for (size_t i = 0; i < count; i++)
        pa_attribute_put(&w, attributes[i].type, attributes[i].flags, attributes[i].fields);
    assert_false(w.bad);
    assert_int_equal(pa_message_decode(&a, wr_view(&w), NEA_CLIENT, &message, &fault), PA_OK);
    component->receive(state, &(struct nea_delivery){component->vendor, component->subtype, 7, &message});
    arena_free(&a);
    wr_free(&w);
}

struct swima {
    struct agent_verdict verdict;
    struct agent_inventory inventory;
    struct nea_connection *c;
    void *state;
};

static int setup(void **state)
{
    memset(&fake, 0, sizeof fake);
    fake.head = (struct journal_head){.epoch = 0xc0ffee, .last_eid = 20, .collected = 1700000000};
    fake.records = 10;
    fake.time = 1652426624;
    fake.not_before = TIME_UNKNOWN;
    struct swima *s = calloc(1, sizeof *s);
    s->inventory.heard = &s->verdict;
    s->c = connection_new();
    s->state = agent_swima_collector.create(&s->inventory, s->c);
    agent_swima_collector.begin_handshake(s->state);
    assert_int_equal(s->c->count, 0);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct swima *s = *state;
    agent_swima_collector.destroy(s->state);
    connection_free(s->c);
    free(s);
    return 0;
}

/* The targets of a request, counted octets each. */
static void add_target(struct wr *w, uint32_t *count, struct bytes id)
{
    pa_item_put(w, &pa_types[PA_SWIMA_REQUEST], &(struct pa_swima_request_item){id});
    ++*count;
}

static void request_with(struct swima *s, uint8_t flags, uint32_t id, uint32_t earliest, const struct wr *targets,
                         uint32_t count)
{
    struct pa_swima_request r = {.flags = flags, .request_id = id, .earliest_eid = earliest};
    if (targets)
        r.software_ids = (struct pa_list){wr_view(targets), count};
    connection_reset(s->c);
    deliver(&agent_swima_collector, s->state, &(struct pa_out){&pa_types[PA_SWIMA_REQUEST], &r, 0}, 1);
}

static void request(struct swima *s, uint8_t flags, uint32_t id, uint32_t earliest)
{
    request_with(s, flags, id, earliest, NULL, 0);
}

/* The one attribute of the n-th message, which must be of that type and go to the asker alone. */
static const void *answer_at(const struct swima *s, size_t n, enum pa_row row)
{
    assert_true(n < s->c->count);
    assert_int_equal(s->c->to[n], 7);
    assert_int_equal(s->c->sent[n].count, 1);
    assert_ptr_equal(s->c->sent[n].attributes[0].type, &pa_types[row]);
    return s->c->sent[n].attributes[0].fields;
}

static const void *only_answer(const struct swima *s, enum pa_row row)
{
    assert_int_equal(s->c->count, 1);
    return answer_at(s, 0, row);
}

/* The one answer is that error about that request; returns what stands behind the ID. */
static struct bytes expect_error(const struct swima *s, enum pa_error_code code, uint32_t id)
{
    const struct pa_error *e = only_answer(s, PA_ERROR);
    assert_int_equal(e->vendor_id, PEN_IETF);
    assert_int_equal(e->code, code);
    struct rd r = rd_of(e->information, 0);
    assert_int_equal(rd_u32(&r), id);
    assert_true(rd_left(&r) > 0);
    assert_true(utf8_valid(rd_rest(&r)) || code == PA_RESPONSE_TOO_LARGE);
    struct rd again = rd_of(e->information, 0);
    rd_u32(&again);
    return rd_rest(&again);
}

enum { IDS = 0x20, SUBSCRIBE = 0x40, CLEAR = 0x80 };

/* ---- SWIMA ---- */

/* SWIMA-R4, R15, R18, R37, R100, R101, R102 */
static void an_inventory_tells_everything_installed(void **state)
{
    struct swima *s = *state;
    request(s, IDS, 42, 0);
    const struct pa_sw_id_inventory *a = only_answer(s, PA_SW_ID_INVENTORY);
    assert_int_equal(a->flags, 0);
    assert_int_equal(a->request_id, 42);
    assert_int_equal(a->epoch, 0xc0ffee);
    assert_int_equal(a->last_eid, 20);
    assert_int_equal(a->records.count, 10);
    struct bytes rest = a->records.raw;
    struct pa_sw_id_inventory_item item;
    assert_true(pa_list_next(&pa_types[PA_SW_ID_INVENTORY], &rest, &item));
    assert_int_equal(item.record_id, 1001);
    assert_int_equal(item.model_vendor, 0);
    assert_int_equal(item.model, 0);
    assert_int_equal(item.source, 1);
    assert_int_equal(item.locator.n, 0);
    assert_true(bytes_equal(item.software_id, BYTES("strongswan.org__Debian_12-x86_64-id-1")));
    assert_int_equal(s->verdict.records_sent, 10);
}

/* SWIMA-R30, R31, R37, R38, R42, R84, R100, R104, R105 */
static void events_begin_at_the_earliest_asked_for(void **state)
{
    static const struct {
        uint32_t earliest, count;
    } cases[] = {{1, 20}, {15, 6}, {20, 1}, {21, 0}, {1000, 0}, {UINT32_MAX, 0}};
    struct swima *s = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        request(s, IDS, 5, cases[i].earliest);
        const struct pa_sw_id_events *a = only_answer(s, PA_SW_ID_EVENTS);
        assert_int_equal(a->events.count, cases[i].count);
        assert_int_equal(a->last_eid, 20);
        assert_int_equal(a->last_consulted_eid, 20);
        struct bytes rest = a->events.raw;
        struct pa_sw_id_events_item item;
        for (uint32_t eid = cases[i].earliest; pa_list_next(&pa_types[PA_SW_ID_EVENTS], &rest, &item); eid++) {
            assert_int_equal(item.eid, eid);
            assert_int_equal(item.record_id, 1000 + eid);
            assert_int_equal(item.action, PKG_CREATE);
            assert_true(bytes_equal(item.time, BYTES("2022-05-13T07:23:44Z")));
        }
    }
    assert_int_equal(s->verdict.events_sent, 27);
}

/* SWIMA-R37, R42 */
static void an_empty_journal_answers_with_nothing(void **state)
{
    struct swima *s = *state;
    fake.head.last_eid = fake.records = 0;
    request(s, IDS, 1, 1);
    const struct pa_sw_id_events *a = only_answer(s, PA_SW_ID_EVENTS);
    assert_int_equal(a->events.count + a->last_eid + a->last_consulted_eid, 0);
    request(s, IDS, 2, 0);
    assert_int_equal(((const struct pa_sw_id_inventory *)only_answer(s, PA_SW_ID_INVENTORY))->records.count, 0);
}

/* SWIMA-R25, R106 */
static void a_time_is_never_the_zero_time(void **state)
{
    static const struct {
        int64_t time, not_before;
        const char *text;
    } cases[] = {
        {TIME_UNKNOWN, 1652426624, "2022-05-13T07:23:44Z"},   /* at least not before that */
        {TIME_UNKNOWN, TIME_UNKNOWN, "2023-11-14T22:13:20Z"}, /* at the latest when it was collected */
        {1652426624, 1600000000, "2022-05-13T07:23:44Z"},
    };
    struct swima *s = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        fake.time = cases[i].time;
        fake.not_before = cases[i].not_before;
        request(s, IDS, 1, 20);
        const struct pa_sw_id_events *a = only_answer(s, PA_SW_ID_EVENTS);
        struct bytes rest = a->events.raw;
        struct pa_sw_id_events_item item;
        assert_true(pa_list_next(&pa_types[PA_SW_ID_EVENTS], &rest, &item));
        assert_true(bytes_equal(item.time, bytes_of(cases[i].text)));
    }
}

/* SWIMA-R13, R19, R20, R21, R104 */
static void targets_filter_octet_for_octet(void **state)
{
    struct swima *s = *state;
    struct wr w = wr_of(0);
    uint32_t n = 0;
    add_target(&w, &n, BYTES("strongswan.org__Debian_12-x86_64-id-7"));
    add_target(&w, &n, BYTES(""));
    add_target(&w, &n, BYTES("strongswan.org__Debian_12-x86_64-id-")); /* a prefix is no match */
    add_target(&w, &n, BYTES("strongswan.org__debian_12-x86_64-id-3"));
    add_target(&w, &n, BYTES("strongswan.org__Debian_12-x86_64-id-2"));
    add_target(&w, &n, BYTES("strongswan.org__Debian_12-x86_64-id-7")); /* twice: still reported once */
    request_with(s, IDS, 9, 0, &w, n);
    const struct pa_sw_id_inventory *a = only_answer(s, PA_SW_ID_INVENTORY);
    assert_int_equal(a->records.count, 2);
    request_with(s, IDS, 9, 3, &w, n);
    const struct pa_sw_id_events *e = only_answer(s, PA_SW_ID_EVENTS);
    assert_int_equal(e->events.count, 1);
    assert_int_equal(e->last_consulted_eid, 20);
    wr_free(&w);
}

static void targets_of_the_largest_length_are_harmless(void **state)
{
    struct swima *s = *state;
    struct wr w = wr_of(0);
    uint8_t *id = malloc(UINT16_MAX);
    uint32_t n = 0;
    memset(id, 'x', UINT16_MAX);
    for (int i = 0; i < 20; i++)
        add_target(&w, &n, (struct bytes){id, UINT16_MAX});
    request_with(s, IDS, 9, 0, &w, n);
    assert_int_equal(((const struct pa_sw_id_inventory *)only_answer(s, PA_SW_ID_INVENTORY))->records.count, 0);
    /* An identifier of that length is reported, too. */
    fake.id_length = UINT16_MAX;
    fake.records = 2;
    request(s, IDS, 9, 0);
    assert_int_equal(((const struct pa_sw_id_inventory *)only_answer(s, PA_SW_ID_INVENTORY))->records.count, 2);
    fake.id_length = UINT16_MAX + 1;
    request(s, IDS, 9, 0);
    expect_error(s, PA_SWIMA_ERROR, 9);
    free(id);
    wr_free(&w);
}

static void a_million_targets_are_refused(void **state)
{
    struct swima *s = *state;
    struct wr w = wr_of(0);
    uint32_t n = 0;
    while (n <= 1 << 20)
        add_target(&w, &n, BYTES(""));
    request_with(s, IDS, 11, 0, &w, n);
    expect_error(s, PA_SWIMA_ERROR, 11);
    wr_free(&w);
}

/* Follows a partial list as a validator does (SWIMA-R41); returns how many answers it took. */
static unsigned follow(struct swima *s, uint32_t *events)
{
    unsigned answers = 0;
    *events = 0;
    for (uint32_t next = 1; answers < 100; answers++) {
        request(s, IDS, 100 + next, next);
        const struct pa_sw_id_events *a = only_answer(s, PA_SW_ID_EVENTS);
        struct bytes rest = a->events.raw;
        struct pa_sw_id_events_item item;
        for (; pa_list_next(&pa_types[PA_SW_ID_EVENTS], &rest, &item); ++*events)
            assert_int_equal(item.eid, *events + 1);
        assert_int_equal(a->last_consulted_eid, *events);
        assert_true(wr_view(&s->c->encoded[0]).n - 8 <= s->inventory.max_attribute);
        if (a->last_consulted_eid == a->last_eid)
            return answers + 1;
        next = a->last_consulted_eid + 1;
    }
    return answers;
}

/* SWIMA-R39, R40, R105 */
static void a_large_event_list_comes_in_parts(void **state)
{
    struct swima *s = *state;
    uint32_t events;
    s->inventory.max_attribute = 12 + 20 + 3 * (38 + 37) + 74; /* three of them, and almost a fourth */
    fake.head.last_eid = 9;
    assert_int_equal(follow(s, &events), 3);
    assert_int_equal(events, 9);
    s->inventory.max_attribute = 12 + 20 + 38 + 37; /* exactly one */
    assert_int_equal(follow(s, &events), 9);
    assert_int_equal(events, 9);
    s->inventory.max_attribute -= 1;
    request(s, IDS, 3, 1);
    struct bytes rest = expect_error(s, PA_RESPONSE_TOO_LARGE, 3);
    struct rd r = rd_of(rest, 0);
    assert_int_equal(rd_u32(&r), s->inventory.max_attribute);
    assert_true(rd_left(&r) > 0);
}

/* SWIMA-R39, R40 */
static void a_partial_list_may_end_behind_its_last_match(void **state)
{
    struct swima *s = *state;
    struct wr w = wr_of(0);
    uint32_t n = 0;
    add_target(&w, &n, BYTES("strongswan.org__Debian_12-x86_64-id-2"));
    add_target(&w, &n, BYTES("strongswan.org__Debian_12-x86_64-id-8"));
    s->inventory.max_attribute = 12 + 20 + 38 + 37;
    request_with(s, IDS, 1, 1, &w, n);
    const struct pa_sw_id_events *a = only_answer(s, PA_SW_ID_EVENTS);
    assert_int_equal(a->events.count, 1);
    assert_int_equal(a->last_consulted_eid, 7);
    request_with(s, IDS, 2, 8, &w, n);
    a = only_answer(s, PA_SW_ID_EVENTS);
    assert_int_equal(a->events.count, 1);
    assert_int_equal(a->last_consulted_eid, 20);
    wr_free(&w);
}

/* SWIMA-R43, R110 */
static void an_inventory_is_whole_or_refused(void **state)
{
    struct swima *s = *state;
    /* ids 1 to 9 have 37 octets, id 10 has one more */
    s->inventory.max_attribute = 12 + 16 + 10 * (14 + 37) + 1;
    request(s, IDS, 3, 0);
    assert_int_equal(((const struct pa_sw_id_inventory *)only_answer(s, PA_SW_ID_INVENTORY))->records.count, 10);
    s->inventory.max_attribute -= 1;
    request(s, IDS, 4, 0);
    struct bytes rest = expect_error(s, PA_RESPONSE_TOO_LARGE, 4);
    struct rd r = rd_of(rest, 0);
    assert_int_equal(rd_u32(&r), s->inventory.max_attribute);
    /* The connection's own bound counts as well; below any size there is still an answer. */
    s->inventory.max_attribute = 0;
    static const size_t small[] = {0, 7, 8, 35, 36, 500};
    for (size_t i = 0; i < ARRAY_LENGTH(small); i++) {
        s->c->max_message = small[i];
        request(s, IDS, 5, 0);
        expect_error(s, PA_RESPONSE_TOO_LARGE, 5);
    }
}

/* SWIMA-R68, R80 */
static void what_is_not_available_is_refused_whole(void **state)
{
    struct swima *s = *state;
    fake.status = JOURNAL_BUSY;
    request(s, SUBSCRIBE | IDS, 77, 1);
    expect_error(s, PA_SWIMA_ERROR, 77);
    fake.status = JOURNAL_OK;
    request(s, IDS, 77, 1); /* there is no subscription of that ID */
    only_answer(s, PA_SW_ID_EVENTS);
    /* Clearing where there is nothing to clear is no error (SWIMA-R55). */
    request(s, CLEAR | IDS, 80, 1);
    only_answer(s, PA_SW_ID_EVENTS);
}

/* SWIMA-R69, R70, R74, R79 */
static void each_request_gets_its_own_answer_in_order(void **state)
{
    struct swima *s = *state;
    const struct pa_swima_request r[] = {
        {.flags = IDS, .request_id = 1, .earliest_eid = 1},
        {.flags = IDS | SUBSCRIBE, .request_id = 2, .earliest_eid = 1},
        {.flags = IDS,
         .request_id = 2,
         .earliest_eid = 0}, /* but for that of a subscription an ID used twice is the server's own affair (SWIMA-R79) */
    };
    const struct pa_type *type = &pa_types[PA_SWIMA_REQUEST];
    deliver(&agent_swima_collector, s->state,
            (const struct pa_out[]){{type, &r[0], 0}, {type, &r[1], 0}, {type, &r[2], 0}}, 3);
    assert_int_equal(s->c->count, 3);
    answer_at(s, 0, PA_SW_ID_EVENTS);
    answer_at(s, 1, PA_SW_ID_EVENTS);
    answer_at(s, 2, PA_ERROR);
}

/* SWIMA-R37 */
static void a_snapshot_is_of_one_moment(void **state)
{
    struct swima *s = *state;
    fake.moves = 2;
    request(s, IDS, 1, 1);
    const struct pa_sw_id_events *a = only_answer(s, PA_SW_ID_EVENTS);
    assert_int_equal(a->last_eid, 22);
    assert_int_equal(a->last_consulted_eid, 22);
    assert_int_equal(a->events.count, 22);
    fake.moves = 100;
    request(s, IDS, 2, 0);
    expect_error(s, PA_SWIMA_ERROR, 2);
    fake.moves = 0;
}

/* SWIMA-R69, R110 */
static void a_broken_journal_is_an_error_without_our_paths(void **state)
{
    struct swima *s = *state;
    log_set_level(LOG_ERROR);
    fake.status = JOURNAL_FAILED;
    request(s, IDS, 1, 1);
    struct bytes text = expect_error(s, PA_SWIMA_ERROR, 1);
    for (size_t i = 0; i < text.n; i++)
        assert_int_not_equal(text.p[i], '/');
    log_set_level(LOG_INFO);
}

/* SWIMA-R4 */
static void what_is_not_known_now_is_not_told(void **state)
{
    struct swima *s = *state;
    fake.status = JOURNAL_INCOMPLETE; /* the last known state stands in the journal: it is not the present one */
    for (uint32_t earliest = 0; earliest <= 1; earliest++) {
        request(s, IDS, 1, earliest);
        expect_error(s, PA_SWIMA_ERROR, 1);
    }
}

/* SWIMA-R16, R17, R57, R87, R107, R108 */
static void status_and_sources_are_answered(void **state)
{
    struct swima *s = *state;
    deliver(&agent_swima_collector, s->state,
            &(struct pa_out){&pa_types[PA_SUBSCRIPTION_STATUS_REQUEST], &(struct pa_subscription_status_request){0}, 0},
            1);
    assert_int_equal(((const struct pa_subscription_status_response *)only_answer(s, PA_SUBSCRIPTION_STATUS_RESPONSE))
                         ->subscriptions.count,
                     0);
    connection_reset(s->c);
    deliver(&agent_swima_collector, s->state,
            &(struct pa_out){&pa_types[PA_SOURCE_METADATA_REQUEST], &(struct pa_source_metadata_request){0}, 0}, 1);
    const struct pa_source_metadata_response *m = only_answer(s, PA_SOURCE_METADATA_RESPONSE);
    assert_int_equal(m->sources.count, 2);
    struct bytes rest = m->sources.raw;
    struct pa_source_metadata_response_item item;
    assert_true(pa_list_next(&pa_types[PA_SOURCE_METADATA_RESPONSE], &rest, &item));
    assert_int_equal(item.source, 1);
    assert_true(bytes_equal(item.metadata, BYTES("dpkg")));
}

/* SWIMA-R107, R110: what does not fit is refused, with the ID that such a question does not have. */
static void status_and_sources_that_do_not_fit_are_refused(void **state)
{
    struct swima *s = *state;
    request(s, IDS | SUBSCRIBE, 5, 1);
    const struct pa_out questions[] = {
        {&pa_types[PA_SUBSCRIPTION_STATUS_REQUEST], &(struct pa_subscription_status_request){0}, 0},
        {&pa_types[PA_SOURCE_METADATA_REQUEST], &(struct pa_source_metadata_request){0}, 0},
    };
    static const size_t fits[] = {12 + 4 + 12, 12 + 3 + 2 * 3 + 4 + 3};
    for (size_t i = 0; i < ARRAY_LENGTH(questions); i++) {
        s->inventory.max_attribute = fits[i];
        connection_reset(s->c);
        deliver(&agent_swima_collector, s->state, &questions[i], 1);
        only_answer(s, i ? PA_SOURCE_METADATA_RESPONSE : PA_SUBSCRIPTION_STATUS_RESPONSE);
        s->inventory.max_attribute--;
        connection_reset(s->c);
        deliver(&agent_swima_collector, s->state, &questions[i], 1);
        expect_error(s, PA_SWIMA_ERROR, 0);
    }
}

/* ---- OS ---- */

/* Message A13 of the recorded session: a Ubuntu 20.04 that forwards. */
static const char a13[] = "010000005331d56c00000000000000020000001700713200005562756e747500"
                          "000000000000040000001b0c32302e3034207838365f36340000000000000000"
                          "00030000001c0000001400000004000000000000000000000000000000050000"
                          "002403010000323032322d30352d31335430373a32333a34345a000000000000"
                          "000b0000001000000001000000000000000c00000010000000000000902a0000"
                          "00080000002c6134383836353165333636363437393262333036636638626537"
                          "326464363330";

static struct agent_posture ubuntu(void)
{
    return (struct agent_posture){
        .platform = {.id = "ubuntu", .name = "Ubuntu", .version = "20.04", .machine = "x86_64"},
        .last_boot = 1652426624,
        .forwarding = 1,
        .device_id = "a488651e36664792b306cf8be72dd630",
    };
}

/* PA-R4, R22, R54 */
static void the_os_message_is_the_recorded_one(void **state)
{
    (void)state;
    struct agent_posture p = ubuntu();
    struct nea_connection *c = connection_new();
    void *s = agent_os_collector.create(&p, c);
    agent_os_collector.begin_handshake(s);
    assert_int_equal(c->count, 1);
    assert_int_equal(c->to[0], NEA_ANY);
    struct bytes got = wr_view(&c->encoded[0]);
    assert_int_equal(got.n, 198);
    for (size_t i = 0; i < got.n; i++) {
        unsigned octet;
        assert_int_equal(sscanf(a13 + 2 * i, "%2x", &octet), 1);
        assert_int_equal(got.p[i], octet);
    }
    agent_os_collector.destroy(s);
    connection_free(c);
}

/* Asks for types of vendor 0 (negative ones: of ITA), returns the answer's count of attributes. */
static size_t ask(void *s, struct nea_connection *c, const int *types, size_t count)
{
    struct wr w = wr_of(0);
    for (size_t i = 0; i < count; i++) {
        struct pa_attribute_request_item item = {.vendor = types[i] < 0 ? PEN_ITA : PEN_IETF,
                                                 .number = (uint32_t)abs(types[i])};
        pa_item_put(&w, &pa_types[PA_ATTRIBUTE_REQUEST], &item);
    }
    struct pa_attribute_request r = {.attributes = {wr_view(&w), (uint32_t)count}};
    connection_reset(c);
    deliver(&agent_os_collector, s, &(struct pa_out){&pa_types[PA_ATTRIBUTE_REQUEST], &r, 0}, 1);
    wr_free(&w);
    assert_true(c->count <= 1);
    assert_true(c->count == 0 || c->to[0] == 7);
    return c->count ? c->sent[0].count : 0;
}

/* PA-R23, R24 */
static void a_request_gets_what_is_asked_and_known(void **state)
{
    (void)state;
    struct agent_posture p = ubuntu();
    struct nea_connection *c = connection_new();
    void *s = agent_os_collector.create(&p, c);
    assert_int_equal(ask(s, c, (const int[]){-8, 12, 11, 7, 6, 5, 4, 3, 2}, 9), 7);
    assert_int_equal(ask(s, c, (const int[]){4, 4, 2, 4}, 4), 2);
    assert_ptr_equal(c->sent[0].attributes[0].type, &pa_types[PA_PRODUCT_INFORMATION]);
    assert_int_equal(ask(s, c, (const int[]){6, 7, 99, -4, -2}, 5), 0); /* vendor and number count together */
    agent_os_collector.destroy(s);

    /* Without a machine-id there is no Device ID, not an empty one; an unknown boot is the reserved time, not 1970. */
    p.device_id[0] = 0;
    p.last_boot = TIME_UNKNOWN;
    s = agent_os_collector.create(&p, c);
    assert_int_equal(ask(s, c, (const int[]){-8}, 1), 0);
    assert_int_equal(ask(s, c, (const int[]){5, -8}, 2), 1);
    const struct pa_operational_status *status = c->sent[0].attributes[0].fields;
    assert_true(bytes_equal(status->last_use, BYTES("0000-00-00T00:00:00Z")));
    agent_os_collector.destroy(s);
    connection_free(c);
}

/* PA-R24, R33, R49 */
static void packages_are_told_where_they_are_asked_for(void **state)
{
    struct swima *w = *state; /* its fake journal */
    struct agent_posture p = ubuntu();
    struct nea_connection *c = connection_new();
    void *s = agent_os_collector.create(&p, c);
    assert_int_equal(ask(s, c, (const int[]){7}, 1), 0); /* there is no journal */
    p.inventory = &w->inventory;
    agent_os_collector.begin_handshake(s);
    for (size_t i = 0; i < c->sent[0].count; i++)
        assert_ptr_not_equal(c->sent[0].attributes[i].type, &pa_types[PA_INSTALLED_PACKAGES]);
    assert_int_equal(ask(s, c, (const int[]){7, 2, 7}, 3), 2);
    assert_ptr_equal(c->sent[0].attributes[1].type, &pa_types[PA_INSTALLED_PACKAGES]);
    const struct pa_installed_packages *f = c->sent[0].attributes[1].fields;
    struct bytes rest = f->packages.raw;
    struct pa_installed_packages_item item;
    assert_int_equal(f->packages.count, 10);
    assert_true(pa_list_next(&pa_types[PA_INSTALLED_PACKAGES], &rest, &item));
    assert_true(bytes_equal(item.name, BYTES("id")) && bytes_equal(item.version, BYTES("1")));

    /* As many as the count can say, and not one more; nothing that does not fit, nothing that is not known. */
    fake.records = UINT16_MAX;
    assert_int_equal(ask(s, c, (const int[]){7}, 1), 1);
    fake.records++;
    assert_int_equal(ask(s, c, (const int[]){7}, 1), 0);
    fake.records = 2;
    c->max_message = 8 + 12 + 4 + 2 * (2 + 2 + 1);
    assert_int_equal(ask(s, c, (const int[]){7}, 1), 1);
    c->max_message--;
    assert_int_equal(ask(s, c, (const int[]){7}, 1), 0);
    c->max_message = 1 << 20;
    fake.id_length = 36 + 256;
    assert_int_equal(ask(s, c, (const int[]){7}, 1), 1); /* versions that cannot be said */
    assert_int_equal(((const struct pa_installed_packages *)c->sent[0].attributes[0].fields)->packages.count, 0);
    fake.id_length = 0;
    fake.status = JOURNAL_INCOMPLETE;
    assert_int_equal(ask(s, c, (const int[]){7}, 1), 0);
    agent_os_collector.destroy(s);
    connection_free(c);
}

static void put_name(struct wr *w, uint32_t *count, struct bytes name)
{
    pa_item_put(w, &pa_types[PA_ITA_GET_SETTINGS], &(struct pa_ita_get_settings_item){name});
    ++*count;
}

/* A server learns the settings of a fixed list, and never what a file holds. */
static void settings_are_told_by_name_and_never_by_path(void **state)
{
    static const char *const names[] = {"os.version", "/etc/shadow", "/etc/../etc/passwd", "/proc/sys/net/ipv4/ip_forward",
                                        "etc/machine-id", "/etc/os-release", "os", "os.versionx", "OS.VERSION", "",
                                        "install_non_market_apps", "net.forwarding", "os.version", "os.pretty_name"};
    (void)state;
    struct agent_posture p = ubuntu();
    struct nea_connection *c = connection_new();
    void *s = agent_os_collector.create(&p, c);
    struct wr w = wr_of(0);
    uint32_t count = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        put_name(&w, &count, bytes_of(names[i]));
    put_name(&w, &count, BYTES("os.version\0"));
    struct pa_ita_get_settings request = {.settings = {wr_view(&w), count}};
    deliver(&agent_os_collector, s, &(struct pa_out){&pa_types[PA_ITA_GET_SETTINGS], &request, 0x80}, 1);
    assert_int_equal(c->count, 1);
    assert_int_equal(c->to[0], 7);
    assert_int_equal(c->sent[0].count, 1);
    assert_ptr_equal(c->sent[0].attributes[0].type, &pa_types[PA_ITA_SETTINGS]);
    const struct pa_ita_settings *told = c->sent[0].attributes[0].fields;
    struct bytes rest = told->settings.raw;
    struct pa_ita_settings_item item;
    assert_int_equal(told->settings.count, 2); /* there is no pretty name */
    assert_true(pa_list_next(&pa_types[PA_ITA_SETTINGS], &rest, &item));
    assert_true(bytes_equal(item.name, BYTES("os.version")) && bytes_equal(item.value, BYTES("20.04")));
    assert_true(pa_list_next(&pa_types[PA_ITA_SETTINGS], &rest, &item));
    assert_true(bytes_equal(item.name, BYTES("net.forwarding")) && bytes_equal(item.value, BYTES("1")));

    /* Nothing that can be told is no message; together with an Attribute Request it is one. */
    wr_reset(&w);
    count = 0;
    put_name(&w, &count, BYTES("/etc/hostname"));
    request.settings = (struct pa_list){wr_view(&w), count};
    connection_reset(c);
    deliver(&agent_os_collector, s, &(struct pa_out){&pa_types[PA_ITA_GET_SETTINGS], &request, 0}, 1);
    request.settings = (struct pa_list){{NULL, 0}, 0};
    deliver(&agent_os_collector, s, &(struct pa_out){&pa_types[PA_ITA_GET_SETTINGS], &request, 0}, 1);
    assert_int_equal(c->count, 0);
    agent_os_collector.destroy(s);
    connection_free(c);
    wr_free(&w);
}

/* SWIMA-R95 */
static void odd_platforms_make_proper_attributes(void **state)
{
    static const struct {
        const char *id, *name, *version;
        uint32_t vendor;
        const char *sent_name, *sent_version;
        uint32_t major, minor;
    } cases[] = {
        {"debian", "Debian", "", PEN_DEBIAN, "Debian", "x86_64", 0, 0}, /* sid has no VERSION_ID */
        {"debian", "Debian", "12", PEN_DEBIAN, "Debian", "12 x86_64", 12, 0},
        {"rhel", "Rhel", "9.4", PEN_REDHAT, "Rhel", "9.4 x86_64", 9, 4},
        {"deb", "Deb", "1.2.3", PEN_IETF, "Deb", "1.2.3 x86_64", 1,
         2}, /* a prefix of a vendor's name is not its name */
        {"", "unknown", "99999999999999999999.7", PEN_IETF, "unknown", "99999999999999999999.7 x86_64", UINT32_MAX, 7},
        {"x", "Caf\xc3\xa9 \xff\x1b[2J", "v.x", PEN_IETF, "Caf\xc3\xa9 ??[2J", "v.x x86_64", 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct agent_posture p = ubuntu();
        snprintf(p.platform.id, sizeof p.platform.id, "%s", cases[i].id);
        snprintf(p.platform.name, sizeof p.platform.name, "%s", cases[i].name);
        snprintf(p.platform.version, sizeof p.platform.version, "%s", cases[i].version);
        struct nea_connection *c = connection_new();
        void *s = agent_os_collector.create(&p, c);
        agent_os_collector.begin_handshake(s);
        const struct pa_product_information *product = c->sent[0].attributes[0].fields;
        const struct pa_string_version *text = c->sent[0].attributes[1].fields;
        const struct pa_numeric_version *number = c->sent[0].attributes[2].fields;
        assert_int_equal(product->vendor_id, cases[i].vendor);
        assert_true(bytes_equal(product->name, bytes_of(cases[i].sent_name)));
        assert_true(bytes_equal(text->version, bytes_of(cases[i].sent_version)));
        assert_int_equal(number->major_version, cases[i].major);
        assert_int_equal(number->minor_version, cases[i].minor);
        agent_os_collector.destroy(s);
        connection_free(c);
    }
}

/* ---- what validators say ---- */

/* PA-R40, R41, SWIMA-R77 */
static void verdicts_are_noted_and_harmless(void **state)
{
    (void)state;
    struct agent_verdict v = {0};
    struct agent_posture p = ubuntu();
    struct nea_connection *c = connection_new();
    p.heard = &v;
    void *s = agent_os_collector.create(&p, c);
    const struct pa_assessment_result result = {.result = NEA_MAJOR};
    static const uint8_t string[] = "\0\0\0\x13"
                                    "IP\x1b]0;x\a off\xc2\x9b\xff\nnow\x02"
                                    "en";
    const struct pa_remediation_instructions text = {.kind = 2, .parameters = {string, sizeof string - 1}},
                                             uri = {.kind = 1, .parameters = BYTES("https://a/")},
                                             lies = {.kind = 2, .parameters = BYTES("\xff\xff\xff\xffx")},
                                             foreign = {.vendor_id = 99, .kind = 2, .parameters = BYTES("no")},
                                             empty = {.kind = 2};
    const struct pa_type *type = &pa_types[PA_REMEDIATION_INSTRUCTIONS];
    deliver(&agent_os_collector, s,
            (const struct pa_out[]){
                {type, &text, 0}, {&pa_types[PA_ASSESSMENT_RESULT], &result, 0}, {type, &foreign, 0}, {type, &uri, 0}},
            4);
    assert_int_equal(v.validator_count, 1);
    assert_string_equal(v.validators[0].name, "OS");
    assert_true(v.validators[0].given);
    assert_int_equal(v.validators[0].result, NEA_MAJOR);
    assert_string_equal(v.validators[0].remediation, "IP?]0;x? off???\nnow\nhttps://a/");
    assert_int_equal(c->count, 0);

    /* The decoder may let through what is inside the parameters: nothing of it is believed. */
    struct pa_attribute attributes[] = {{.type = type, .fields = &lies}, {.type = type, .fields = &empty}};
    agent_hear(&v, "lies", &(struct pa_message){.attributes = attributes, .count = 2});
    assert_int_equal(v.validator_count, 2);
    assert_false(v.validators[1].given);
    assert_int_equal(v.validators[1].result, NEA_DONT_KNOW);
    assert_string_equal(v.validators[1].remediation, "");

    /* More validators than there is room for change nothing. */
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%d", i);
        agent_hear(&v, name, &(struct pa_message){.attributes = attributes, .count = 1});
    }
    assert_int_equal(v.validator_count, ARRAY_LENGTH(v.validators));
    agent_os_collector.destroy(s);
    connection_free(c);
}

static void kept_texts_are_cut_between_characters(void **state)
{
    (void)state;
    char kept[8] = "";
    agent_keep_text(kept, sizeof kept, BYTES("ab\xe2\x82\xac\xe2\x82\xac"));
    assert_string_equal(kept, "ab\xe2\x82\xac");
    agent_keep_text(kept, sizeof kept, BYTES("c"));
    assert_string_equal(kept, "ab\xe2\x82\xac\nc");
    agent_keep_text(kept, sizeof kept, BYTES("d"));
    assert_string_equal(kept, "ab\xe2\x82\xac\nc");
    char cut[16] = "";
    agent_keep_text(cut, sizeof cut, BYTES("\xe2\x82")); /* a character that is cut off at the text's end */
    assert_string_equal(cut, "??");
}

/* ---- posture ---- */

static char root[] = "/tmp/muster-agent-XXXXXX";

static void put(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *p = strchr(full + strlen(root) + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = 0;
        mkdir(full, 0700);
        *p = '/';
    }
    unlink(full);
    if (!text)
        return;
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void the_device_id_is_stable_and_not_the_machine_id(void **state)
{
    (void)state;
    struct agent_posture p, q;
    put("etc/machine-id", NULL);
    agent_posture_read(root, &p);
    assert_string_equal(p.device_id, "");
    assert_true(p.last_boot == TIME_UNKNOWN); /* another root's kernel is not running */
    assert_int_equal(p.forwarding, 2);
    assert_string_equal(p.platform.name, "Debian");

    put("etc/machine-id", "a488651e36664792b306cf8be72dd630\n");
    agent_posture_read(root, &p);
    /* printf 'muster device id 1:a488651e36664792b306cf8be72dd630' | sha256sum | cut -c1-32 */
    assert_string_equal(p.device_id, "7126fcb00606279a51922ed45c894390");

    static const char *const none[] = {"uninitialized\n",
                                       "",
                                       "\n",
                                       "a488651e36664792b306cf8be72dd63",
                                       "A488651E36664792B306CF8BE72DD630",
                                       "a488651e36664792b306cf8be72dd630a",
                                       NULL};
    for (size_t i = 0; i < ARRAY_LENGTH(none); i++) {
        put("etc/machine-id", none[i]);
        put("var/lib/dbus/machine-id", "a488651e36664792b306cf8be72dd630");
        agent_posture_read(root, &q);
        assert_string_equal(q.device_id, p.device_id);
        put("var/lib/dbus/machine-id", NULL);
        agent_posture_read(root, &q);
        assert_string_equal(q.device_id, "");
    }
}

static void an_image_cannot_lead_us_out_of_it(void **state)
{
    (void)state;
    struct agent_posture p;
    char link[512], fifo[512];
    snprintf(link, sizeof link, "%s/var/lib/dbus/machine-id", root);
    snprintf(fifo, sizeof fifo, "%s/etc/machine-id", root);
    put("var/lib/dbus/machine-id", NULL);
    put("etc/machine-id", NULL);
    assert_int_equal(symlink("/etc/machine-id", link), 0);
    agent_posture_read(root, &p);
    assert_string_equal(p.device_id, ""); /* not this machine's */
    assert_int_equal(mkfifo(fifo, 0600), 0);
    agent_posture_read(root, &p); /* does not wait for a writer */
    assert_string_equal(p.device_id, "");
    put("etc/machine-id", "a488651e36664792b306cf8be72dd630");
    put("var/lib/dbus/machine-id", NULL);
}

static void boot_is_now_less_the_uptime(void **state)
{
    static const struct {
        const char *text;
        int64_t boot;
    } cases[] = {
        {"13550.23 1234.00\n", 1652440174 - 13550},
        {"13550\n", 1652440174 - 13550},
        {"1652440175.00 1\n", TIME_UNKNOWN}, /* clock never set */
        {"", TIME_UNKNOWN},
        {"-5.0 1\n", TIME_UNKNOWN},
        {"99999999999999999999999.0 1\n", TIME_UNKNOWN},
        {NULL, TIME_UNKNOWN},
    };
    (void)state;
    struct agent_posture p;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        put("proc/uptime", cases[i].text);
        agent_posture_read_proc(root, 1652440174, &p);
        assert_true(p.last_boot == cases[i].boot);
    }
}

static void forwarding_of_either_protocol_counts(void **state)
{
    static const struct {
        const char *v4, *v6;
        uint32_t forwarding;
    } cases[] =
        {
            {"0\n", "0\n", 0}, {"1\n", "0\n", 1}, {"0\n", "1\n", 1},
            {"1\n", NULL, 1},  {"0\n", NULL, 0}, /* no IPv6 in the kernel */
            {NULL, "0\n", 2},  {NULL, "1\n", 1},  {NULL, NULL, 2},
            {"x\n", "0\n", 2}, {"", "0\n", 2},    {"0\n", "", 2},
        };
    (void)state;
    struct agent_posture p;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        put("proc/sys/net/ipv4/ip_forward", cases[i].v4);
        put("proc/sys/net/ipv6/conf/all/forwarding", cases[i].v6);
        agent_posture_read_proc(root, 0, &p);
        assert_int_equal(p.forwarding, cases[i].forwarding);
    }
}

static void this_machine_has_a_posture(void **state)
{
    (void)state;
    struct agent_posture p;
    agent_posture_read("/", &p);
    assert_true(p.last_boot != TIME_UNKNOWN && p.last_boot <= time_now());
    assert_false(p.default_password);
    assert_true(p.forwarding <= 2);
}

int main(void)
{
#define SWIMA(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        SWIMA(an_inventory_tells_everything_installed),
        SWIMA(events_begin_at_the_earliest_asked_for),
        SWIMA(an_empty_journal_answers_with_nothing),
        SWIMA(a_time_is_never_the_zero_time),
        SWIMA(targets_filter_octet_for_octet),
        SWIMA(targets_of_the_largest_length_are_harmless),
        SWIMA(a_million_targets_are_refused),
        SWIMA(a_large_event_list_comes_in_parts),
        SWIMA(a_partial_list_may_end_behind_its_last_match),
        SWIMA(an_inventory_is_whole_or_refused),
        SWIMA(what_is_not_available_is_refused_whole),
        SWIMA(each_request_gets_its_own_answer_in_order),
        SWIMA(a_snapshot_is_of_one_moment),
        SWIMA(a_broken_journal_is_an_error_without_our_paths),
        SWIMA(what_is_not_known_now_is_not_told),
        SWIMA(status_and_sources_are_answered),
        SWIMA(status_and_sources_that_do_not_fit_are_refused),
        cmocka_unit_test(the_os_message_is_the_recorded_one),
        cmocka_unit_test(a_request_gets_what_is_asked_and_known),
        SWIMA(packages_are_told_where_they_are_asked_for),
        cmocka_unit_test(settings_are_told_by_name_and_never_by_path),
        cmocka_unit_test(odd_platforms_make_proper_attributes),
        cmocka_unit_test(verdicts_are_noted_and_harmless),
        cmocka_unit_test(kept_texts_are_cut_between_characters),
        cmocka_unit_test(the_device_id_is_stable_and_not_the_machine_id),
        cmocka_unit_test(an_image_cannot_lead_us_out_of_it),
        cmocka_unit_test(boot_is_now_less_the_uptime),
        cmocka_unit_test(forwarding_of_either_protocol_counts),
        cmocka_unit_test(this_machine_has_a_posture),
    };
    if (!mkdtemp(root))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
