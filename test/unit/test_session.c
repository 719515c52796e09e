/* Whole sessions in memory: two stacks wired to each other, with components that do as they are told. */
#include "nea/nea.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- components that do as they are told ---- */

struct script {
    struct nea_connection *c;
    /* what to do */
    unsigned events;    /* collector: how many it has */
    unsigned ids;       /* validator: software identifiers in its request, to make it large */
    bool silent;        /* collector: never answers */
    bool errs;          /* collector: answers with a PA-TNC error */
    bool at_once;       /* validator: releases its hold before it returns */
    bool holds;         /* validator: holds when the events come */
    bool asks_for_ever; /* validator: a request after each batch */
    bool never_speaks;  /* validator: recommends nothing, even when solicited */
    bool retry;         /* collector: one more exchange after the decision */
    bool swamp;         /* collector: pushes a large inventory in its first batch */
    enum nea_result verdict;
    enum nea_access access;
    const char *reason;
    /* what happened */
    unsigned begun, received, refused, endings, solicited, decided, destroyed, got_events, got_ids, got_errors, woken;
    bool asked, answered;
    struct nea_fault fault;
    enum nea_result result;
    enum nea_access told;
};

static void *script_create(void *context, struct nea_connection *c)
{
    ((struct script *)context)->c = c;
    return context;
}

static void script_destroy(void *state)
{
    ((struct script *)state)->destroyed++;
}

static void script_refused(void *state, const struct nea_fault *fault)
{
    ((struct script *)state)->refused++;
    ((struct script *)state)->fault = *fault;
}

static void script_decided(void *state, enum nea_result result, enum nea_access access)
{
    struct script *s = state;
    s->decided++;
    s->result = result;
    s->told = access;
}

static void send_events(struct script *s, uint16_t to, uint32_t request)
{
    struct wr items = wr_of(0);
    struct pa_sw_id_events_item item = {.time = BYTES("2026-11-22T00:00:00Z"),
                                        .action = 1,
                                        .software_id = BYTES("strongswan.org__Debian_12-x86_64-x-1")};
    for (item.eid = 1; item.eid <= s->events; item.eid++)
        pa_item_put(&items, &pa_types[PA_SW_ID_EVENTS], &item);
    struct pa_sw_id_events v = {.request_id = request,
                                .last_eid = s->events,
                                .last_consulted_eid = s->events,
                                .events = {wr_view(&items), s->events}};
    struct pa_out out = {.type = &pa_types[PA_SW_ID_EVENTS], .fields = &v};
    nea_send(s->c, to, &out, 1);
    wr_free(&items);
}

static void collector_begin(void *state)
{
    struct script *s = state;
    s->begun++;
    if (s->swamp)
        send_events(s, NEA_ANY, 0);
}

static void collector_receive(void *state, const struct nea_delivery *d)
{
    struct script *s = state;
    s->received++;
    for (size_t i = 0; i < d->message->count; i++) {
        const struct pa_attribute *a = &d->message->attributes[i];
        if (a->type == &pa_types[PA_ERROR])
            s->got_errors++;
        if (a->type != &pa_types[PA_SWIMA_REQUEST] || s->silent)
            continue;
        const struct pa_swima_request *r = a->fields;
        s->got_ids = r->software_ids.count;
        if (s->errs) {
            struct pa_error e = {.code = PA_SWIMA_ERROR,
                                 .information = BYTES("\0\0\0\x07"
                                                      "no database")};
            struct pa_out out = {.type = &pa_types[PA_ERROR], .fields = &e};
            nea_send(s->c, d->from, &out, 1);
        } else {
            send_events(s, d->from, r->request_id);
        }
    }
}

static void collector_decided(void *state, enum nea_result result, enum nea_access access);

static void count_ending(void *state)
{
    ((struct script *)state)->endings++;
}

static const struct nea_component collector = {
    .name = "test collector",
    .vendor = PEN_IETF,
    .subtype = PA_SUBTYPE_SWIMA,
    .create = script_create,
    .begin_handshake = collector_begin,
    .receive = collector_receive,
    .refused = script_refused,
    .batch_ending = count_ending,
    .decided = collector_decided,
    .destroy = script_destroy,
};

static struct nea_session *retrying;

static void collector_decided(void *state, enum nea_result result, enum nea_access access)
{
    struct script *s = state;
    script_decided(state, result, access);
    if (s->retry) {
        s->retry = false;
        nea_session_retry(retrying);
    }
}

static void ask(struct script *s)
{
    struct wr ids = wr_of(0);
    struct pa_swima_request_item id = {.software_id = BYTES("strongswan.org__Debian_12-x86_64-some-package-1.0")};
    for (unsigned i = 0; i < s->ids; i++)
        pa_item_put(&ids, &pa_types[PA_SWIMA_REQUEST], &id);
    struct pa_swima_request r = {
        .flags = 0x20, .request_id = 7, .earliest_eid = 1, .software_ids = {wr_view(&ids), s->ids}};
    struct pa_out out = {.type = &pa_types[PA_SWIMA_REQUEST], .fields = &r};
    nea_send(s->c, NEA_ANY, &out, 1);
    wr_free(&ids);
    s->asked = true;
}

static void say(struct script *s)
{
    nea_recommend(s->c, s->verdict, s->access ? s->access : NEA_ACCESS_ALLOWED, bytes_of(s->reason ? s->reason : ""),
                  "en");
}

static void validator_begin(void *state)
{
    struct script *s = state;
    s->begun++;
    s->asked = s->answered = false;
}

static void validator_receive(void *state, const struct nea_delivery *d)
{
    struct script *s = state;
    s->received++;
    for (size_t i = 0; i < d->message->count; i++) {
        const struct pa_attribute *a = &d->message->attributes[i];
        if (a->type == &pa_types[PA_ERROR])
            s->got_errors++;
        if (a->type != &pa_types[PA_SW_ID_EVENTS])
            continue;
        s->got_events = ((const struct pa_sw_id_events *)a->fields)->events.count;
        s->answered = true;
        if (s->at_once) {
            nea_hold(s->c);
            say(s);
            nea_release(s->c);
        } else if (s->holds) {
            nea_hold(s->c);
        } else if (!s->never_speaks) {
            say(s);
        }
    }
}

static void validator_ending(void *state)
{
    struct script *s = state;
    s->endings++;
    if (!s->asked || s->asks_for_ever)
        ask(s);
}

static void validator_solicit(void *state)
{
    struct script *s = state;
    s->solicited++;
    if (!s->never_speaks)
        nea_recommend(s->c, NEA_DONT_KNOW, NEA_ACCESS_DENIED, BYTES("no inventory"), "en");
}

static const struct nea_component validator = {
    .name = "test validator",
    .vendor = PEN_IETF,
    .subtype = PA_SUBTYPE_SWIMA,
    .create = script_create,
    .begin_handshake = validator_begin,
    .receive = validator_receive,
    .refused = script_refused,
    .batch_ending = validator_ending,
    .solicit = validator_solicit,
    .decided = script_decided,
    .destroy = script_destroy,
};

/* ---- two sessions and the wire between them ---- */

struct world {
    struct script collector, validator, second;
    unsigned collectors, validators;
    struct nea_limits client_limits, server_limits;
    size_t chunk;
    bool stay; /* the client */
    uint64_t now;
    struct nea_session *client, *server;
    struct nea_outcome at_client, at_server; /* texts are gone with the sessions */
    char reason[512];
    unsigned batches;
};

static void wake(void *host)
{
    struct world *w = host;
    struct wr nothing = wr_of(0);
    w->validator.woken++;
    if (w->validator.at_once) /* a host that does not wait: nothing may leave from inside a component */
        nea_session_out(w->server, &nothing);
    assert_int_equal(nothing.n, 0);
    wr_free(&nothing);
}

static void build(struct world *w)
{
    static const struct nea_component *const collectors[] = {&collector, &collector};
    static const struct nea_component *const validators[] = {&validator, &validator};
    void *cc[] = {&w->collector, &w->second}, *vc[] = {&w->validator, &w->second};
    struct nea_config client = {.role = NEA_CLIENT,
                                .initiator = true,
                                .stay = w->stay,
                                .language = "de, en",
                                .limits = w->client_limits,
                                .components = collectors,
                                .contexts = cc,
                                .component_count = w->collectors};
    struct nea_config server = {.role = NEA_SERVER,
                                .peer_name = BYTES("client.example"),
                                .limits = w->server_limits,
                                .components = validators,
                                .contexts = vc,
                                .component_count = w->validators,
                                .wake = wake,
                                .host = w};
    w->client = retrying = nea_session_new(&client, w->now);
    w->server = nea_session_new(&server, w->now);
    assert_non_null(w->client);
    assert_non_null(w->server);
}

/* Moves what one has to say to the other; false if it was silent. */
static bool move(struct world *w, struct nea_session *from, struct nea_session *to)
{
    struct wr wire = wr_of(0);
    nea_session_out(from, &wire);
    size_t chunk = w->chunk ? w->chunk : wire.n;
    bool any = wire.n > 0;
    for (size_t at = 0; at < wire.n; at += chunk) {
        size_t n = wire.n - at < chunk ? wire.n - at : chunk;
        uint8_t *exact = malloc(n); /* so that a read too far is seen */
        memcpy(exact, wire.p + at, n);
        nea_session_feed(to, (struct bytes){exact, n}, ++w->now);
        free(exact);
    }
    wr_free(&wire);
    w->batches += any;
    return any;
}

static void pump(struct world *w)
{
    for (unsigned i = 0; i < 100000; i++) {
        bool asked = move(w, w->client, w->server), answered = move(w, w->server, w->client);
        if (!asked && !answered)
            return;
    }
    fail_msg("the exchange does not end");
}

static void finish(struct world *w)
{
    w->at_client = nea_session_outcome(w->client);
    w->at_server = nea_session_outcome(w->server);
    snprintf(w->reason, sizeof w->reason, "%.*s", (int)w->at_client.reason.n, (const char *)w->at_client.reason.p);
    nea_session_free(w->client);
    nea_session_free(w->server);
}

static void assert_ended(struct world *w, enum nea_result result, enum nea_access access)
{
    assert_true(nea_session_finished(w->client));
    assert_true(nea_session_finished(w->server));
    finish(w);
    assert_true(w->at_client.decided && w->at_server.decided);
    assert_int_equal(w->at_client.result, result);
    assert_int_equal(w->at_client.access, access);
    assert_int_equal(w->at_server.result, result);
    assert_int_equal(w->at_server.access, access);
    assert_string_equal(w->at_client.fault.text, "");
    assert_string_equal(w->at_server.fault.text, "");
    assert_int_equal(w->at_client.state, PB_END);
    assert_int_equal(w->at_server.state, PB_END);
}

static struct world small(void)
{
    struct world w = {.collectors = 1, .validators = 1, .now = 1000};
    w.collector.events = 20;
    return w;
}

/* ---- the tests ---- */

/* PB-R2, R14, R35, R50, R58, R63, R66 */
static void an_assessment(void **state)
{
    (void)state;
    struct world w = small();
    build(&w);
    pump(&w);
    assert_true(bytes_equal(nea_peer_name(w.validator.c), BYTES("client.example")));
    assert_true(bytes_equal(nea_peer_language(w.validator.c), BYTES("de, en")));
    assert_ended(&w, NEA_COMPLIANT, NEA_ACCESS_ALLOWED);
    assert_int_equal(w.validator.got_events, 20);
    assert_int_equal(w.collector.decided, 1);
    assert_int_equal(w.validator.decided, 1);
    assert_int_equal(w.collector.begun, 1);
    assert_int_equal(w.collector.destroyed, 1);
    assert_int_equal(w.validator.destroyed, 1);
}

/* PT-R31, R43 */
static void in_any_cuts(void **state)
{
    (void)state;
    for (size_t chunk = 1; chunk < 40; chunk += 3) {
        struct world w = small();
        w.chunk = chunk;
        build(&w);
        pump(&w);
        assert_ended(&w, NEA_COMPLIANT, NEA_ACCESS_ALLOWED);
        assert_int_equal(w.validator.got_events, 20);
    }
}

/* SEG-R1, R4, R6 */
static void segments_both_ways(void **state)
{
    (void)state;
    /* The collector's contract arrives with the first CDATA, so that the validator's large request is cut, too. */
    for (unsigned which = 0; which < 3; which++) {
        struct world w = small();
        if (which != 1)
            w.client_limits.max_message = 1000;
        if (which != 0)
            w.server_limits.max_message = 1000;
        w.collector.events = 1000;
        w.validator.ids = 500;
        build(&w);
        pump(&w);
        assert_ended(&w, NEA_COMPLIANT, NEA_ACCESS_ALLOWED);
        assert_int_equal(w.validator.got_events, 1000);
        assert_int_equal(w.collector.got_ids, 500);
        assert_true(w.batches > 50);
    }
}

static void a_large_inventory_in_one_message(void **state)
{
    (void)state;
    struct world w = small();
    w.collector.events = 20000;
    w.chunk = 16384;
    build(&w);
    pump(&w);
    assert_ended(&w, NEA_COMPLIANT, NEA_ACCESS_ALLOWED);
    assert_int_equal(w.validator.got_events, 20000);
    assert_true(w.batches < 12);
}

static void an_inventory_above_the_message_bound_is_cut(void **state)
{
    (void)state;
    struct world w = small();
    w.collector.events = 60000; /* 4.6 MB */
    build(&w);
    pump(&w);
    assert_ended(&w, NEA_COMPLIANT, NEA_ACCESS_ALLOWED);
    assert_int_equal(w.validator.got_events, 60000);
}

static void nothing_leaves_while_a_validator_holds(void **state)
{
    (void)state;
    struct world w = small();
    w.validator.holds = true;
    w.validator.reason = "all is well";
    build(&w);
    pump(&w);
    assert_true(w.validator.answered);
    assert_false(nea_session_finished(w.client));
    assert_int_equal(nea_session_outcome(w.server).state, PB_SERVER_WORKING);
    assert_int_equal(nea_session_deadline(w.server), UINT64_MAX); /* it is not the peer that we wait for */
    assert_int_equal(w.validator.woken, 0);
    w.now += 100000;
    say(&w.validator);
    nea_release(w.validator.c);
    assert_int_equal(w.validator.woken, 1);
    pump(&w);
    assert_ended(&w, NEA_COMPLIANT, NEA_ACCESS_ALLOWED);
    assert_string_equal(w.reason, "all is well");
}

static void a_hold_released_at_once(void **state)
{
    (void)state;
    struct world w = small();
    w.validator.at_once = true;
    build(&w);
    pump(&w);
    assert_int_equal(w.validator.woken, 0);
    assert_ended(&w, NEA_COMPLIANT, NEA_ACCESS_ALLOWED);
}

static void a_late_answer_gives_the_peer_its_whole_time(void **state)
{
    (void)state;
    struct world w = small();
    build(&w);
    struct wr wire = wr_of(0);
    move(&w, w.client, w.server);
    move(&w, w.server, w.client);
    nea_hold(w.validator.c);
    move(&w, w.client, w.server);
    w.now += 1000000;
    nea_release(w.validator.c);
    nea_session_out(w.server, &wire);
    assert_true(wire.n > 0);
    assert_true(nea_session_deadline(w.server) <= w.now);
    nea_session_tick(w.server, w.now);
    assert_false(nea_session_finished(w.server));
    assert_int_equal(nea_session_deadline(w.server), w.now + 60000);
    nea_session_tick(w.server, w.now + 60000);
    assert_true(nea_session_finished(w.server));
    wr_free(&wire);
    finish(&w);
}

static void who_stays_silent_is_denied(void **state)
{
    (void)state;
    struct world w = small();
    w.collector.silent = true;
    build(&w);
    pump(&w);
    assert_ended(&w, NEA_DONT_KNOW, NEA_ACCESS_DENIED);
    assert_int_equal(w.validator.solicited, 1);
    assert_true(w.batches < 10);
    assert_string_equal(w.reason, "no inventory");
}

static void who_has_no_collector_is_denied(void **state)
{
    (void)state;
    struct world w = small();
    w.collectors = 0;
    build(&w);
    pump(&w);
    assert_ended(&w, NEA_DONT_KNOW, NEA_ACCESS_DENIED);
    assert_true(w.batches < 10);
}

static void who_only_errs_is_denied(void **state)
{
    (void)state;
    struct world w = small();
    w.collector.errs = true;
    build(&w);
    pump(&w);
    assert_ended(&w, NEA_DONT_KNOW, NEA_ACCESS_DENIED);
    assert_int_equal(w.validator.got_errors, 1);
    assert_int_equal(w.collector.got_errors, 0);
}

static void a_validator_that_never_speaks_denies(void **state)
{
    (void)state;
    struct world w = small();
    w.validator.never_speaks = true;
    build(&w);
    pump(&w);
    assert_ended(&w, NEA_DONT_KNOW, NEA_ACCESS_DENIED);
}

static void without_validators_nobody_gets_in(void **state)
{
    (void)state;
    struct world w = small();
    w.validators = 0;
    build(&w);
    pump(&w);
    assert_ended(&w, NEA_DONT_KNOW, NEA_ACCESS_DENIED);
}

static void rounds_are_bounded(void **state)
{
    (void)state;
    struct world w = small();
    w.validator.asks_for_ever = w.validator.never_speaks = true;
    w.server_limits.max_rounds = 5;
    build(&w);
    pump(&w);
    assert_ended(&w, NEA_DONT_KNOW, NEA_ACCESS_DENIED);
    assert_in_range(w.validator.endings, 5, 8);
}

static void the_worst_verdict_wins(void **state)
{
    (void)state;
    static const struct {
        enum nea_result a, b, merged;
        enum nea_access x, y, access;
    } rows[] = {
        {NEA_COMPLIANT, NEA_MINOR, NEA_MINOR, NEA_ACCESS_ALLOWED, NEA_ACCESS_QUARANTINED, NEA_ACCESS_QUARANTINED},
        {NEA_MAJOR, NEA_MINOR, NEA_MAJOR, NEA_ACCESS_DENIED, NEA_ACCESS_QUARANTINED, NEA_ACCESS_DENIED},
        {NEA_MAJOR, NEA_ERROR, NEA_MAJOR, NEA_ACCESS_ALLOWED, NEA_ACCESS_ALLOWED, NEA_ACCESS_ALLOWED},
        {NEA_DONT_KNOW, NEA_COMPLIANT, NEA_DONT_KNOW, NEA_ACCESS_QUARANTINED, NEA_ACCESS_ALLOWED,
         NEA_ACCESS_QUARANTINED},
        {NEA_MINOR, NEA_DONT_KNOW, NEA_DONT_KNOW, NEA_ACCESS_ALLOWED, NEA_ACCESS_ALLOWED, NEA_ACCESS_ALLOWED},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct world w = small();
        w.validators = 2; /* both ask, the one collector answers each */
        w.validator.verdict = rows[i].a;
        w.validator.access = rows[i].x;
        w.validator.reason = "first";
        w.second.verdict = rows[i].b;
        w.second.access = rows[i].y;
        w.second.reason = "second";
        build(&w);
        pump(&w);
        assert_ended(&w, rows[i].merged, rows[i].access);
        assert_string_equal(w.reason, "first\nsecond");
        assert_int_equal(w.validator.received, 1); /* EXCL: each got its own answer only */
        assert_int_equal(w.second.received, 1);
    }
}

/* PB-R32, PT-R36 */
static void a_retry_is_a_new_exchange(void **state)
{
    (void)state;
    struct world w = small();
    w.collector.retry = true;
    build(&w);
    pump(&w);
    assert_ended(&w, NEA_COMPLIANT, NEA_ACCESS_ALLOWED);
    assert_int_equal(w.collector.begun, 2);
    assert_int_equal(w.validator.begun, 2);
    assert_int_equal(w.collector.decided, 2);
    assert_int_equal(w.validator.decided, 2);
    assert_int_equal(w.collector.destroyed, 1);
}

/* T17, RFC 6876 §3.1.2: a hundred re-assessments on one connection, by the client, by the server, and by both at once. */
/* PT-R2, PT-R31, PT-R36, PB-R32, PB-R67 */
static void a_hundred_retries_of_either_side(void **state)
{
    (void)state;
    struct world w = small();
    w.stay = true;
    build(&w);
    pump(&w);
    for (unsigned i = 0; i < 100; i++) {
        struct wr crossing = wr_of(0);
        if (i % 3 != 1)
            nea_session_retry(w.client);
        if (i % 3 != 0)
            nea_session_retry(w.server);
        if (i % 3 == 2)
            nea_session_out(w.server, &crossing); /* before it hears of the client's */
        move(&w, w.client, w.server);
        nea_session_feed(w.client, wr_view(&crossing), ++w.now);
        wr_free(&crossing);
        pump(&w);
        assert_false(nea_session_finished(w.client) || nea_session_finished(w.server));
        assert_int_equal(nea_session_outcome(w.client).access, NEA_ACCESS_ALLOWED);
        assert_int_equal(w.collector.decided, i + 2);
        assert_int_equal(w.validator.decided, i + 2);
        assert_int_equal(nea_session_deadline(w.client), UINT64_MAX);
        assert_int_equal(nea_session_deadline(w.server), UINT64_MAX);
    }
    finish(&w);
    assert_string_equal(w.at_client.fault.text, "");
    assert_string_equal(w.at_server.fault.text, "");
}

/* A server that takes small batches from a client that would send large ones: its segments leave room for what goes
 * beside them. SEG-R1 */
static void a_large_client_and_a_small_server(void **state)
{
    static const size_t bounds[] = {4096, 10000, 65536};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bounds); i++) {
        struct world w = small();
        w.server_limits.max_batch = bounds[i];
        w.validators = 2; /* each has asked: two segments in a batch */
        w.collector.events = 3000;
        build(&w);
        pump(&w);
        assert_ended(&w, NEA_COMPLIANT, NEA_ACCESS_ALLOWED);
        assert_int_equal(w.validator.got_events, 3000);
    }
}

/* SEG-R7 */
static void what_a_message_cannot_carry_is_dropped(void **state)
{
    (void)state;
    /* Before any contract is known a large attribute has no way to go; the session goes on and asks for it. */
    struct world w = small();
    w.client_limits.max_message = 1000;
    w.collector.swamp = true;
    w.collector.events = 100;
    build(&w);
    pump(&w);
    assert_ended(&w, NEA_COMPLIANT, NEA_ACCESS_ALLOWED);
    assert_int_equal(w.validator.received, 1);
}

static void reassembly_is_bounded(void **state)
{
    (void)state;
    struct world w = small();
    w.client_limits.max_message = 1000;
    w.server_limits.max_reassembly = 4000;
    w.collector.events = 1000;
    build(&w);
    pump(&w);
    assert_ended(&w, NEA_DONT_KNOW, NEA_ACCESS_DENIED); /* the collector knows the contract's limit and does not send */
    assert_int_equal(w.validator.got_events, 0);
}

static void deadlines(void **state)
{
    (void)state;
    struct world w = small();
    build(&w);
    assert_int_equal(nea_session_deadline(w.server), 31000);
    nea_session_tick(w.server, 30999);
    assert_false(nea_session_finished(w.server));
    nea_session_tick(w.server, 31000);
    assert_true(nea_session_finished(w.server));
    assert_int_equal(nea_session_deadline(w.server), UINT64_MAX);
    finish(&w);
    assert_false(w.at_server.negotiated);
    assert_string_not_equal(w.at_server.fault.text, "");

    w = small();
    build(&w);
    move(&w, w.client, w.server);
    move(&w, w.server, w.client);
    uint64_t deadline = nea_session_deadline(w.server);
    assert_in_range(deadline, 60000, 62000);
    nea_session_tick(w.server, deadline);
    assert_true(nea_session_finished(w.server));
    struct wr wire = wr_of(0);
    nea_session_out(w.server, &wire);
    assert_int_equal(wire.n, 16 + 8 + 20); /* CLOSE with a Local Error */
    wr_free(&wire);
    finish(&w);
}

static void transport_gone_in_every_state(void **state)
{
    (void)state;
    for (unsigned steps = 0; steps < 8; steps++) {
        struct world w = small();
        build(&w);
        for (unsigned i = 0; i < steps; i++)
            move(&w, i % 2 ? w.server : w.client, i % 2 ? w.client : w.server);
        nea_session_close(w.client);
        nea_session_close(w.server);
        assert_true(nea_session_finished(w.client));
        finish(&w);
        assert_int_equal(w.collector.destroyed, 1);
        assert_int_equal(w.validator.destroyed, 1);
    }
}

/* Every octet of the client's stream in turn is turned over: whatever comes of it, the server neither crashes, nor goes
 * on for ever, nor lets anybody in without the inventory. */
static void a_peer_that_lies(void **state)
{
    (void)state;
    struct world honest = small();
    build(&honest);
    struct wr stream = wr_of(0);
    for (unsigned i = 0; i < 20; i++) {
        size_t before = stream.n;
        nea_session_out(honest.client, &stream);
        if (stream.n > before)
            nea_session_feed(honest.server, (struct bytes){stream.p + before, stream.n - before}, 1000);
        move(&honest, honest.server, honest.client);
    }
    assert_ended(&honest, NEA_COMPLIANT, NEA_ACCESS_ALLOWED);
    for (size_t at = 0; at < stream.n; at++) {
        static const uint8_t masks[] = {0xff, 0x01, 0x80};
        for (size_t m = 0; m < ARRAY_LENGTH(masks); m++) {
            struct world w = small();
            struct wr out = wr_of(0);
            build(&w);
            stream.p[at] ^= masks[m];
            nea_session_feed(w.server, wr_view(&stream), 1000);
            nea_session_out(w.server, &out);
            stream.p[at] ^= masks[m];
            if (nea_session_outcome(w.server).access == NEA_ACCESS_ALLOWED)
                assert_true(w.validator.answered);
            assert_true(out.n < 100000);
            wr_free(&out);
            finish(&w);
        }
    }
    wr_free(&stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_assessment),
        cmocka_unit_test(in_any_cuts),
        cmocka_unit_test(segments_both_ways),
        cmocka_unit_test(a_large_inventory_in_one_message),
        cmocka_unit_test(an_inventory_above_the_message_bound_is_cut),
        cmocka_unit_test(nothing_leaves_while_a_validator_holds),
        cmocka_unit_test(a_hold_released_at_once),
        cmocka_unit_test(a_late_answer_gives_the_peer_its_whole_time),
        cmocka_unit_test(who_stays_silent_is_denied),
        cmocka_unit_test(who_has_no_collector_is_denied),
        cmocka_unit_test(who_only_errs_is_denied),
        cmocka_unit_test(a_validator_that_never_speaks_denies),
        cmocka_unit_test(without_validators_nobody_gets_in),
        cmocka_unit_test(rounds_are_bounded),
        cmocka_unit_test(the_worst_verdict_wins),
        cmocka_unit_test(a_retry_is_a_new_exchange),
        cmocka_unit_test(a_hundred_retries_of_either_side),
        cmocka_unit_test(a_large_client_and_a_small_server),
        cmocka_unit_test(what_a_message_cannot_carry_is_dropped),
        cmocka_unit_test(reassembly_is_bounded),
        cmocka_unit_test(deadlines),
        cmocka_unit_test(transport_gone_in_every_state),
        cmocka_unit_test(a_peer_that_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
