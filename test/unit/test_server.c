/* The validators, driven in memory: a client session with collectors that play an endpoint, honest or not, against a
 * server session whose store is a list of what was asked of it. */
#include "server/assessment.h"
#include "server/subscription.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- an endpoint ------------------------------------------------------------------------------------------------ */

enum habit {
    HONEST,
    DENIES,           /* error 5 for a subscription, and nothing else (RFC 8412 §5.6) */
    DENIES_AND_TELLS, /* as strongSwan does */
    SILENT,           /* takes the request and says nothing */
    ERRS,             /* a PA-TNC error */
    ERRS_AND_TELLS,   /* as strongSwan does */
    WRONG_ID,
    WRONG_TYPE,   /* an inventory for events and the reverse */
    MALFORMED,    /* octets that are no events */
    NOSKIP,       /* an unknown attribute that must not be skipped, beside the answer */
    OUT_OF_RANGE, /* an event beyond last consulted */
    NOT_UTF8,
    NO_IDENTIFIER,
    STANDS_STILL, /* partial lists that consult nothing */
    LIES_ABOUT_LAST,
    FULFILS, /* marks its answer as fulfilment of a subscription */
    HABITS
};

struct endpoint {
    enum habit habit;
    uint32_t epoch, last_eid;
    uint32_t first_kept; /* events before are pruned; 0: none is */
    uint32_t hole;       /* this EID is never told */
    uint32_t hole_once;  /* this one only when asked again */
    uint32_t most;       /* events an answer; 0: all */
    bool backwards, bad_times, reserved_actions, shared_eids;
    uint32_t installed; /* records of an inventory */
    uint64_t os;        /* what its OS collector tells unasked: bits 1 << PA_X */
    uint64_t os_asked;  /* and when asked */
    bool no_swima, no_os, subscribed, stays;
    const char *language;             /* NULL: English */
    uint32_t subscription, push_from; /* its ID; the first event that a push tells */
    /* what happened */
    unsigned requests, inventories;
    uint32_t asked[256], last_id;
    enum nea_result told[2]; /* Assessment Results, OS and SWIMA */
    bool was_told[2];
};

struct collector {
    struct endpoint *e;
    struct nea_connection *c;
};

static void *collector_create(void *context, struct nea_connection *c)
{
    struct collector *k = calloc(1, sizeof *k);
    k->e = context;
    k->c = c;
    k->e->subscribed = false;
    return k;
}

static void os_tell(struct collector *k, uint16_t to, uint64_t what)
{
    static const struct pa_product_information product = {.vendor_id = PEN_DEBIAN,
                                                          .name = {(const uint8_t *)"Debian", 6}};
    static const struct pa_string_version version = {.version = {(const uint8_t *)"12 x86_64", 9}};
    static const struct pa_numeric_version numeric = {.major_version = 12};
    static const struct pa_operational_status status = {
        .status = 3, .result = 1, .last_use = {(const uint8_t *)"2026-11-01T00:00:00Z", 20}};
    static const struct pa_forwarding_enabled forwarding = {.value = 1};
    static const struct pa_factory_default_password password = {.value = 0};
    static const struct pa_device_id device = {.id = {(const uint8_t *)"0123456789abcdef", 16}};
    const struct pa_out all[] = {
        {&pa_types[PA_PRODUCT_INFORMATION], &product, 0},
        {&pa_types[PA_STRING_VERSION], &version, 0},
        {&pa_types[PA_NUMERIC_VERSION], &numeric, 0},
        {&pa_types[PA_OPERATIONAL_STATUS], &status, 0},
        {&pa_types[PA_FORWARDING_ENABLED], &forwarding, 0},
        {&pa_types[PA_FACTORY_DEFAULT_PASSWORD], &password, 0},
        {&pa_types[PA_DEVICE_ID], &device, 0},
    };
    struct pa_out chosen[ARRAY_LENGTH(all)];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
        if (what & UINT64_C(1) << (all[i].type - pa_types))
            chosen[n++] = all[i];
    if (n)
        nea_send(k->c, to, chosen, n);
}

static void os_begin(void *state)
{
    struct collector *k = state;
    os_tell(k, NEA_ANY, k->e->os);
}

static void take_result(struct collector *k, const struct nea_delivery *d, unsigned which)
{
    for (size_t i = 0; i < d->message->count; i++)
        if (d->message->attributes[i].type == &pa_types[PA_ASSESSMENT_RESULT]) {
            const struct pa_assessment_result *r = d->message->attributes[i].fields;
            k->e->told[which] = (enum nea_result)r->result;
            k->e->was_told[which] = true;
        }
}

static void os_receive(void *state, const struct nea_delivery *d)
{
    struct collector *k = state;
    take_result(k, d, 0);
    for (size_t i = 0; i < d->message->count; i++)
        if (d->message->attributes[i].type == &pa_types[PA_ATTRIBUTE_REQUEST]) {
            const struct pa_attribute_request *r = d->message->attributes[i].fields;
            struct pa_attribute_request_item item;
            struct bytes rest = r->attributes.raw;
            uint64_t wanted = 0;
            while (pa_list_next(&pa_types[PA_ATTRIBUTE_REQUEST], &rest, &item))
                wanted |= UINT64_C(1) << (pa_type_find(item.vendor, item.number) - pa_types);
            os_tell(k, d->from, wanted & k->e->os_asked);
        }
}

static void put_event(struct wr *list, const struct endpoint *e, uint32_t eid, uint32_t *count)
{
    char id[64];
    snprintf(id, sizeof id, "strongswan.org__Debian_12-x86_64-p%u-1.0", eid);
    struct pa_sw_id_events_item item = {.eid = eid,
                                        .time = BYTES("2026-01-02T03:04:05Z"),
                                        .record_id = eid,
                                        .source = 1,
                                        .action = STORE_CREATE,
                                        .software_id = bytes_of(id)};
    if (e->bad_times)
        item.time = BYTES("0000-00-00T00:00:00Z");
    if (e->reserved_actions && eid % 2)
        item.action = 7;
    if (e->habit == NOT_UTF8)
        item.software_id = BYTES("a\xff");
    if (e->habit == NO_IDENTIFIER)
        item.software_id = BYTES("");
    if (e->shared_eids) {
        pa_item_put(list, &pa_types[PA_SW_ID_EVENTS], &item);
        (*count)++;
    }
    pa_item_put(list, &pa_types[PA_SW_ID_EVENTS], &item);
    (*count)++;
}

static void tell_events(struct collector *k, uint16_t to, const struct pa_swima_request *r)
{
    struct endpoint *e = k->e;
    struct wr list = wr_of(0);
    struct pa_sw_id_events f = {.request_id = r->request_id, .epoch = e->epoch, .last_eid = e->last_eid};
    uint64_t end = e->most && r->earliest_eid + (uint64_t)e->most - 1 < e->last_eid
                       ? r->earliest_eid + (uint64_t)e->most - 1
                       : e->last_eid;
    f.last_consulted_eid = (uint32_t)end;
    bool again = k->e->requests > 1;
    for (uint64_t i = r->earliest_eid; i <= end; i++) {
        uint64_t eid = e->backwards ? end + r->earliest_eid - i : i;
        if (eid >= e->first_kept && eid != e->hole && (eid != e->hole_once || again))
            put_event(&list, e, (uint32_t)eid, &f.events.count);
    }
    if (e->habit == OUT_OF_RANGE)
        put_event(&list, e, e->last_eid + 1, &f.events.count);
    if (e->habit == STANDS_STILL) {
        f.last_consulted_eid = r->earliest_eid - 1;
        f.events.count = 0;
        wr_reset(&list);
    }
    if (e->habit == LIES_ABOUT_LAST)
        f.last_consulted_eid = f.last_eid + 5;
    if (e->habit == FULFILS || (e->push_from && r->request_id == e->subscription))
        f.flags = 0x80;
    if (e->habit == WRONG_ID)
        f.request_id++;
    f.events.raw = wr_view(&list);
    nea_send(k->c, to, &(struct pa_out){.type = &pa_types[PA_SW_ID_EVENTS], .fields = &f}, 1);
    wr_free(&list);
}

static void tell_inventory(struct collector *k, uint16_t to, const struct pa_swima_request *r)
{
    struct endpoint *e = k->e;
    struct wr list = wr_of(0);
    struct pa_sw_id_inventory f = {.request_id = r->request_id, .epoch = e->epoch, .last_eid = e->last_eid};
    for (uint32_t i = 0; i < e->installed; i++) {
        char id[64];
        snprintf(id, sizeof id, "strongswan.org__Debian_12-x86_64-q%u-1.0", i);
        struct pa_sw_id_inventory_item item = {.record_id = i, .source = 1, .software_id = bytes_of(id)};
        pa_item_put(&list, &pa_types[PA_SW_ID_INVENTORY], &item);
        f.records.count++;
    }
    f.records.raw = wr_view(&list);
    e->inventories++;
    nea_send(k->c, to, &(struct pa_out){.type = &pa_types[PA_SW_ID_INVENTORY], .fields = &f}, 1);
    wr_free(&list);
}

/* An attribute that no honest encoder makes: the octets of `value` under any number. */
static void tell_raw(struct collector *k, uint16_t to, uint32_t number, uint8_t flags, struct bytes value)
{
    struct pa_type type = pa_types[PA_TESTING];
    struct pa_testing f = {.value = value};
    type.number = number;
    nea_send(k->c, to, &(struct pa_out){.type = &type, .fields = &f, .flags = flags}, 1);
}

static void answer_request(struct collector *k, uint16_t to, const struct pa_swima_request *r)
{
    struct endpoint *e = k->e;
    struct pa_error error = {.code = PA_SWIMA_ERROR, .information = BYTES("\0\0\0\1no")};
    assert_true(e->requests < ARRAY_LENGTH(e->asked));
    /* It subscribes with its first request for events, until that is denied. */
    assert_int_equal(r->flags, 0x20 | (r->earliest_eid && !e->subscribed ? 0x40 : 0));
    e->subscribed |= r->earliest_eid != 0;
    if (r->flags & 0x40)
        e->subscription = r->request_id;
    assert_int_not_equal(r->request_id, e->last_id);
    e->last_id = r->request_id;
    e->asked[e->requests++] = r->earliest_eid;
    if (e->habit == SILENT)
        return;
    if (e->habit == ERRS || e->habit == ERRS_AND_TELLS)
        nea_send(k->c, to, &(struct pa_out){.type = &pa_types[PA_ERROR], .fields = &error}, 1);
    if (r->flags & 0x40 && (e->habit == DENIES || e->habit == DENIES_AND_TELLS)) {
        uint8_t id[] = {0, 0, 0, (uint8_t)r->request_id, 'n', 'o'};
        error = (struct pa_error){.code = PA_SUBSCRIPTION_DENIED, .information = {id, sizeof id}};
        nea_send(k->c, to, &(struct pa_out){.type = &pa_types[PA_ERROR], .fields = &error}, 1);
        if (e->habit == DENIES)
            return;
    }
    if (e->habit == ERRS)
        return;
    if (e->habit == MALFORMED) {
        tell_raw(k, to, 15, 0, BYTES("\0\0\0\5nonsense"));
        return;
    }
    if (e->habit == NOSKIP)
        tell_raw(k, to, 4711, 0x80, BYTES("?"));
    if ((r->earliest_eid == 0) != (e->habit == WRONG_TYPE))
        tell_inventory(k, to, r);
    else
        tell_events(k, to, r);
}

static void swima_receive(void *state, const struct nea_delivery *d)
{
    struct collector *k = state;
    take_result(k, d, 1);
    for (size_t i = 0; i < d->message->count; i++)
        if (d->message->attributes[i].type == &pa_types[PA_SWIMA_REQUEST])
            answer_request(k, d->from, d->message->attributes[i].fields);
}

static void swima_push(void *state)
{
    struct collector *k = state;
    tell_events(k, 1 + 1,
                &(struct pa_swima_request){.request_id = k->e->subscription, .earliest_eid = k->e->push_from});
}

static const struct nea_component os_collector = {.name = "OS",
                                                  .subtype = PA_SUBTYPE_OPERATING_SYSTEM,
                                                  .create = collector_create,
                                                  .begin_handshake = os_begin,
                                                  .receive = os_receive,
                                                  .destroy = free};
static const struct nea_component swima_collector = {.name = "SWIMA",
                                                     .subtype = PA_SUBTYPE_SWIMA,
                                                     .create = collector_create,
                                                     .push = swima_push,
                                                     .receive = swima_receive,
                                                     .destroy = free};

/* ---- a store ---------------------------------------------------------------------------------------------------- */

struct fake_store {
    struct store_position position;
    enum store_status position_status, report_status;
    bool full;
    const struct policy *policy;
    unsigned conflicts;         /* reports refused so before one is taken */
    uint32_t new_software;      /* of each report: identifiers that nobody has told a tag of */
    struct store_request *open; /* asked, not answered */
    unsigned positions, reports, verdicts;
    struct store_report last[4]; /* views are not to be followed */
    char product[32], reason[256]; /* the latter of the last one */
};

static bool fake_submit(void *context, struct store_request *r)
{
    struct fake_store *f = context;
    if (f->full)
        return false;
    assert_null(f->open);
    f->open = r;
    r->error.text[0] = 0;
    return true;
}

static void fake_wake(void *context)
{
    (void)context;
}

static void store_answer(struct fake_store *f)
{
    struct store_request *r = f->open;
    f->open = NULL;
    r->status = STORE_OK;
    if (r->work == WORK_POSITION) {
        f->positions++;
        r->status = f->position_status;
        r->out.position = f->position;
    } else if (r->work == WORK_REPORT) {
        f->last[f->reports++ % ARRAY_LENGTH(f->last)] = r->in.report;
        snprintf(f->product, sizeof f->product, "%.*s", (int)r->in.report.product.n,
                 (const char *)r->in.report.product.p);
        snprintf(f->reason, sizeof f->reason, "%.*s", (int)r->in.report.reason.n, (const char *)r->in.report.reason.p);
        r->status = f->conflicts ? STORE_CONFLICT : f->report_status;
        f->conflicts -= f->conflicts > 0;
        if (r->status == STORE_OK && r->in.report.software != STORE_NO_SOFTWARE)
            f->position = (struct store_position){
                .known = true, .epoch = r->in.report.epoch, .last_eid = r->in.report.last_consulted};
        r->out.receipt = (struct store_receipt){
            .session = 7, .epoch = f->position.epoch, .last_eid = f->position.last_eid, .new_software = f->new_software};
    } else {
        f->verdicts++;
    }
    r->done(r);
}

/* ---- an assessment in memory ------------------------------------------------------------------------------------- */

struct play {
    struct nea_outcome client, server;
    unsigned batches; /* turns of both sides together */
    char remediation[1024];
};

static struct nea_session *make_client(struct endpoint *e, struct nea_limits limits)
{
    const struct nea_component *components[2];
    void *contexts[2] = {e, e};
    size_t n = 0;
    if (!e->no_os)
        components[n++] = &os_collector;
    if (!e->no_swima)
        components[n++] = &swima_collector;
    struct nea_config config = {.role = NEA_CLIENT,
                                .initiator = true,
                                .language = e->language ? e->language : "en",
                                .components = components,
                                .contexts = contexts,
                                .component_count = n,
                                .stay = e->stays,
                                .limits = limits};
    return nea_session_new(&config, 0);
}

static struct nea_session *make_server(struct assessment *a, struct nea_limits limits)
{
    static const struct nea_component *const components[] = {&server_os_validator, &server_swima_validator};
    void *contexts[] = {a, a};
    struct nea_config config = {.role = NEA_SERVER,
                                .peer_name = BYTES("alice"),
                                .components = components,
                                .contexts = contexts,
                                .component_count = 2,
                                .limits = limits};
    return nea_session_new(&config, 0);
}

static bool carry(struct nea_session *from, struct nea_session *to)
{
    struct wr w = wr_of(0);
    nea_session_out(from, &w);
    bool moved = w.n > 0;
    assert_false(w.bad);
    if (moved)
        nea_session_feed(to, wr_view(&w), 0);
    wr_free(&w);
    return moved;
}

/* Plays until nothing moves; `reason` gets what the client's user would read. */
static struct play play_with(struct endpoint *e, struct fake_store *f, struct nea_limits limits, char reason[512])
{
    struct assessment_host host = {.submit = fake_submit, .wake = fake_wake, .context = f, .policy = f->policy};
    struct assessment *a = assessment_new(&host, BYTES("alice"), BYTES("192.0.2.1"));
    struct nea_session *client = make_client(e, limits), *server = make_server(a, limits);
    struct play p = {.batches = 0};
    e->requests = 0;
    e->last_id = 0;
    for (bool moving = true; moving && p.batches < 100000;) {
        moving = carry(client, server);
        moving |= carry(server, client);
        if (!moving && f->open) {
            store_answer(f);
            moving = true;
        }
        p.batches += moving;
    }
    p.client = nea_session_outcome(client);
    p.server = nea_session_outcome(server);
    if (reason)
        snprintf(reason, 512, "%.*s", (int)p.client.reason.n, (const char *)p.client.reason.p);
    snprintf(p.remediation, sizeof p.remediation, "%.*s", (int)p.client.remediation.n,
             (const char *)p.client.remediation.p);
    assert_true(p.batches < 100000);
    nea_session_free(client);
    nea_session_free(server);
    assessment_release(a);
    if (f->open)
        store_answer(f);
    return p;
}

#define OS_BIT(row) (UINT64_C(1) << (row))
#define OS_NEEDED                                                                                                      \
    (OS_BIT(PA_PRODUCT_INFORMATION) | OS_BIT(PA_STRING_VERSION) | OS_BIT(PA_NUMERIC_VERSION) |                         \
     OS_BIT(PA_OPERATIONAL_STATUS) | OS_BIT(PA_FORWARDING_ENABLED) | OS_BIT(PA_FACTORY_DEFAULT_PASSWORD))
#define OS_ALL (OS_NEEDED | OS_BIT(PA_DEVICE_ID))

static struct endpoint honest(void)
{
    return (struct endpoint){.epoch = 0x11223344, .last_eid = 10, .installed = 3, .os = OS_ALL};
}

static struct play play(struct endpoint *e, struct fake_store *f)
{
    return play_with(e, f, (struct nea_limits){.max_batch = 0}, NULL);
}

/* ---- tests ------------------------------------------------------------------------------------------------------ */

/* SWIMA-R30, R32, R97 */
static void a_first_assessment_asks_for_events_from_the_first(void **state)
{
    (void)state;
    struct endpoint e = honest();
    struct fake_store f = {.full = false};
    struct play p = play(&e, &f);
    assert_int_equal(p.client.access, NEA_ACCESS_ALLOWED);
    assert_int_equal(p.client.result, NEA_COMPLIANT);
    assert_int_equal(e.requests, 1);
    assert_int_equal(e.asked[0], 1);
    assert_int_equal(e.inventories, 0);
    assert_true(e.was_told[0] && e.was_told[1]);
    assert_int_equal(f.reports, 1);
    const struct store_report *r = &f.last[0];
    assert_int_equal(r->software, STORE_EVENTS);
    assert_int_equal(r->event_count, 10);
    assert_int_equal(r->earliest, 1);
    assert_int_equal(r->last_consulted, 10);
    assert_int_equal(r->access, NEA_ACCESS_ALLOWED);
    assert_int_equal(r->forwarding, 1);
    assert_int_equal(r->default_password, 0);
    assert_true(r->has_posture && r->last_boot > 0);
    assert_string_equal(f.product, "Debian");
    assert_int_equal(f.verdicts, 0); /* the verdict went with the report */
    /* The second one only for what is new, and nothing new is fine. */
    p = play(&e, &f);
    assert_int_equal(p.client.access, NEA_ACCESS_ALLOWED);
    assert_int_equal(e.asked[0], 11);
    assert_int_equal(f.last[1].event_count, 0);
    assert_int_equal(e.inventories, 0);
    e.last_eid = 12;
    p = play(&e, &f);
    assert_int_equal(f.last[2].event_count, 2);
    assert_int_equal(p.client.access, NEA_ACCESS_ALLOWED);
}

/* What the endpoint's user hears is the row's text in his language, with its advice; the record is English. */
static void check_reason(const char *name, enum reason r, enum language l, const struct play *p, const char *said,
                         const char *recorded)
{
    const struct reason_text *text = reason_text(r, l);
    if (strcmp(said, text->said) != 0 || strcmp(recorded, reason_text(r, ENGLISH)->said) != 0)
        fail_msg("%s: says \"%s\", records \"%s\"", name, said, recorded);
    if (text->remediation && !strstr(p->remediation, text->remediation))
        fail_msg("%s: advises \"%s\"", name, p->remediation);
}

/* SWIMA-R8, R10, R40, R72, R78, R79, R88, R100, R101, R109, PB-R53, R62 */
static void whoever_does_not_tell_is_never_allowed(void **state)
{
    static const struct {
        const char *name;
        enum reason reason;
    } habits[HABITS] = {
        [SILENT] = {"silent", REASON_SOFTWARE_NOT_TOLD},
        [ERRS] = {"errs", REASON_SOFTWARE_REFUSED},
        [ERRS_AND_TELLS] = {"errs and tells", REASON_SOFTWARE_REFUSED},
        [WRONG_ID] = {"wrong id", REASON_SOFTWARE_NOT_TOLD},
        [WRONG_TYPE] = {"wrong type", REASON_OTHER_TYPE},
        [MALFORMED] = {"malformed", REASON_SOFTWARE_MALFORMED},
        [NOSKIP] = {"noskip", REASON_SOFTWARE_MALFORMED},
        [OUT_OF_RANGE] = {"out of range", REASON_EVENT_OUT_OF_RANGE},
        [NOT_UTF8] = {"not utf-8", REASON_EVENT_WITHOUT_IDENTIFIER},
        [NO_IDENTIFIER] = {"no identifier", REASON_EVENT_WITHOUT_IDENTIFIER},
        [STANDS_STILL] = {"stands still", REASON_EVENTS_BREAK_OFF},
        [LIES_ABOUT_LAST] = {"lies about last", REASON_OTHER_EVENTS},
        [FULFILS] = {"fulfils", REASON_SOFTWARE_NOT_TOLD},
    };
    (void)state;
    for (enum habit h = SILENT; h < HABITS; h++)
        for (int known = 0; known < 2; known++) {
            struct endpoint e = honest();
            struct fake_store f = {
                .position = {.known = known, .epoch = known ? e.epoch : 0, .last_eid = known ? 4 : 0}};
            char said[512];
            e.habit = h;
            e.language = known ? "de" : NULL;
            struct play p = play_with(&e, &f, (struct nea_limits){.max_batch = 0}, said);
            if (p.client.access != NEA_ACCESS_DENIED || f.reports != 1 || f.last[0].software != STORE_NO_SOFTWARE)
                fail_msg("%s: access %s, %u reports", habits[h].name, nea_access_name(p.client.access), f.reports);
            assert_int_equal(f.last[0].access, NEA_ACCESS_DENIED);
            assert_int_equal(f.position.last_eid, known ? 4 : 0);
            assert_true(p.batches < 20);
            check_reason(habits[h].name, habits[h].reason, known ? GERMAN : ENGLISH, &p, said, f.reason);
        }
}

static void without_a_collector_nobody_is_let_in(void **state)
{
    (void)state;
    char reason[512];
    struct endpoint e = honest();
    struct fake_store f = {.full = false};
    e.no_swima = true;
    struct play p = play_with(&e, &f, (struct nea_limits){.max_batch = 0}, reason);
    assert_int_equal(p.client.access, NEA_ACCESS_DENIED);
    assert_non_null(strstr(reason, "did not tell its software"));
    assert_true(f.last[0].has_posture);
    e = honest();
    e.no_os = true;
    p = play_with(&e, &f, (struct nea_limits){.max_batch = 0}, reason);
    assert_int_equal(p.client.access, NEA_ACCESS_DENIED);
    assert_non_null(strstr(reason, "did not tell: Product Information"));
    assert_int_equal(f.last[1].event_count, 10); /* what it did tell is history all the same */
    e.language = "de"; /* PB-R53: names of attributes are names */
    play_with(&e, &f, (struct nea_limits){.max_batch = 0}, reason);
    assert_non_null(strstr(reason, "nicht mitgeteilt: Product Information, "));
    assert_null(strstr(reason, "endpoint"));
    assert_non_null(strstr(f.reason, "did not tell: Product Information, "));
    e = honest();
    e.no_os = e.no_swima = true;
    p = play(&e, &f);
    assert_int_equal(p.client.access, NEA_ACCESS_DENIED);
}

/* PA-R26, R35, R45 */
static void missing_posture_is_asked_for_once(void **state)
{
    (void)state;
    struct endpoint e = honest();
    struct fake_store f = {.full = false};
    e.os = 0;
    e.os_asked = OS_ALL;
    assert_int_equal(play(&e, &f).client.access, NEA_ACCESS_ALLOWED);
    e.os = OS_BIT(PA_PRODUCT_INFORMATION);
    assert_int_equal(play(&e, &f).client.access, NEA_ACCESS_ALLOWED);
    e.os_asked = OS_NEEDED; /* no device identifier: the certificate names it */
    assert_int_equal(play(&e, &f).client.access, NEA_ACCESS_ALLOWED);
    e.os_asked = OS_NEEDED & ~OS_BIT(PA_FORWARDING_ENABLED);
    char reason[512];
    struct play p = play_with(&e, &f, (struct nea_limits){.max_batch = 0}, reason);
    assert_int_equal(p.client.access, NEA_ACCESS_DENIED);
    assert_non_null(strstr(reason, "Forwarding Enabled"));
}

static void an_endpoint_without_events_gives_its_inventory(void **state)
{
    (void)state;
    struct endpoint e = honest();
    struct fake_store f = {.full = false};
    e.last_eid = 0;
    for (int round = 0; round < 2; round++) {
        e.inventories = 0;
        assert_int_equal(play(&e, &f).client.access, NEA_ACCESS_ALLOWED);
        assert_int_equal(e.inventories, 1);
        assert_int_equal(f.last[round].software, STORE_INVENTORY);
        assert_int_equal(f.last[round].event_count, 3);
        assert_int_equal(e.asked[0], 1);
        assert_int_equal(e.asked[1], 0);
    }
}

/* SWIMA-R44, R47, RFC 8412 §3.7.6: and by all events of the new one, which tell what happened between. */
static void a_lost_epoch_is_mended_by_its_history_and_an_inventory(void **state)
{
    (void)state;
    struct endpoint e = honest();
    struct fake_store f = {.position = {.known = true, .epoch = 1, .last_eid = 8}};
    assert_int_equal(play(&e, &f).client.access, NEA_ACCESS_ALLOWED);
    assert_int_equal(e.requests, 3);
    assert_int_equal(e.asked[1], 1);
    assert_int_equal(f.last[0].software, STORE_HISTORY);
    assert_int_equal(f.last[0].earliest, 1);
    assert_int_equal(f.last[0].event_count, 10);
    assert_int_equal(f.last[1].software, STORE_INVENTORY);
    assert_int_equal(f.last[1].epoch, e.epoch);
    assert_int_equal(f.last[1].last_eid, 10);
    /* What the store does not take of it denies nothing: the inventory stands. */
    f = (struct fake_store){.position = {.known = true, .epoch = 1, .last_eid = 8}, .conflicts = 1};
    assert_int_equal(play(&e, &f).client.access, NEA_ACCESS_ALLOWED);
    assert_int_equal(f.reports, 2);
    assert_int_equal(f.position.epoch, e.epoch);
    /* Of events that are gone the inventory alone tells. */
    f = (struct fake_store){.position = {.known = true, .epoch = 1, .last_eid = 8}};
    e.first_kept = 3;
    assert_int_equal(play(&e, &f).client.access, NEA_ACCESS_ALLOWED);
    assert_int_equal(f.reports, 1);
    assert_int_equal(f.last[0].software, STORE_INVENTORY);
    e.first_kept = 0;
    /* SWIMA-R47: a last EID that went back is the same. */
    f.position.last_eid = 50;
    e.inventories = 0;
    assert_int_equal(play(&e, &f).client.access, NEA_ACCESS_ALLOWED);
    assert_int_equal(e.inventories, 1);
    assert_int_equal(f.position.last_eid, 10);
}

/* SWIMA-R40, R41 */
static void partial_lists_are_put_together(void **state)
{
    (void)state;
    struct endpoint e = honest();
    struct fake_store f = {.full = false};
    e.last_eid = 100;
    e.most = 7;
    assert_int_equal(play(&e, &f).client.access, NEA_ACCESS_ALLOWED);
    assert_int_equal(e.requests, 15);
    assert_int_equal(e.asked[1], 8);
    assert_int_equal(f.reports, 1);
    assert_int_equal(f.last[0].event_count, 100);
    assert_int_equal(f.last[0].earliest, 1);
    assert_int_equal(f.last[0].last_consulted, 100);
}

/* SWIMA-R31, R48, R83, R106 */
static void oddities_of_real_peers_are_taken(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct endpoint e = honest();
        struct fake_store f = {.full = false};
        e.backwards = i == 0;
        e.bad_times = i == 1;
        e.reserved_actions = i == 2;
        e.shared_eids = i == 3;
        assert_int_equal(play(&e, &f).client.access, NEA_ACCESS_ALLOWED);
        assert_int_equal(e.requests, 1);
        assert_int_equal(f.last[0].event_count, i == 2 ? 5 : i == 3 ? 20 : 10);
    }
}

/* SWIMA-R44 */
static void gaps_are_asked_for(void **state)
{
    (void)state;
    struct endpoint e = honest();
    struct fake_store f = {.full = false};
    e.hole_once = 5;
    assert_int_equal(play(&e, &f).client.access, NEA_ACCESS_ALLOWED);
    assert_int_equal(e.requests, 2);
    assert_int_equal(e.asked[1], 5);
    assert_int_equal(f.last[0].event_count, 10);
    /* A hole that stays: the events count, the inventory sets right what the missing one meant. */
    e = honest();
    f = (struct fake_store){.full = false};
    e.hole = 5;
    assert_int_equal(play(&e, &f).client.access, NEA_ACCESS_ALLOWED);
    assert_int_equal(e.requests, 3);
    assert_int_equal(f.reports, 2);
    assert_int_equal(f.last[0].software, STORE_EVENTS);
    assert_int_equal(f.last[0].event_count, 9);
    assert_int_equal(f.last[1].software, STORE_INVENTORY);
    assert_int_equal(f.last[1].session, 7); /* the same session's row */
    /* Pruned history: the inventory at once. */
    e = honest();
    f = (struct fake_store){.full = false};
    e.first_kept = 6;
    assert_int_equal(play(&e, &f).client.access, NEA_ACCESS_ALLOWED);
    assert_int_equal(e.requests, 2);
    assert_int_equal(f.reports, 1);
    assert_int_equal(f.last[0].software, STORE_INVENTORY);
}

static void nothing_is_acknowledged_that_is_not_stored(void **state)
{
    static const struct {
        struct fake_store store;
        enum reason reason;
    } rows[] = {
        {{.report_status = STORE_UNAVAILABLE}, REASON_NOT_STORED},
        {{.report_status = STORE_FAILED}, REASON_NOT_STORED},
        {{.position_status = STORE_UNAVAILABLE}, REASON_NO_DATABASE},
        {{.full = true}, REASON_BUSY},
        {{.conflicts = 2}, REASON_NOT_STORED},
        {{.position = {.known = true, .retired = true}}, REASON_RETIRED},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        for (enum language l = ENGLISH; l < LANGUAGES; l++) {
            struct endpoint e = honest();
            struct fake_store f = rows[i].store;
            char reason[512];
            e.language = language_tag(l);
            struct play p = play_with(&e, &f, (struct nea_limits){.max_batch = 0}, reason);
            assert_true(p.client.decided);
            /* All validators say it where the server cannot go on. */
            if (p.client.access != NEA_ACCESS_DENIED || strncmp(reason, reason_text(rows[i].reason, l)->said,
                                                                strlen(reason_text(rows[i].reason, l)->said)) != 0)
                fail_msg("row %zu: %s, \"%s\"", i, nea_access_name(p.client.access), reason);
        }
}

/* SWIMA-R51, R54: news count under the request's number, from the collector that has it, once that has answered. */
static void a_subscription_is_of_one_collector(void **state)
{
    (void)state;
    struct subscription s = {.state = SUBSCRIPTION_NONE};
    assert_int_equal(subscription_ask(&s, 7), 0x40);
    assert_int_equal(subscription_ask(&s, 8), 0); /* one at a time */
    assert_false(subscription_covers(&s, 3, 7));
    subscription_answered(&s, 3, 6);
    assert_false(subscription_covers(&s, 3, 7));
    subscription_answered(&s, 3, 7);
    assert_true(subscription_covers(&s, 3, 7));
    assert_false(subscription_covers(&s, 4, 7));
    assert_false(subscription_covers(&s, 3, 8));
}

static void a_conflict_is_mended_once(void **state)
{
    (void)state;
    struct endpoint e = honest();
    struct fake_store f = {.conflicts = 1};
    assert_int_equal(play(&e, &f).client.access, NEA_ACCESS_ALLOWED);
    assert_int_equal(f.reports, 2);
    assert_int_equal(f.last[1].software, STORE_INVENTORY);
}

/* PB-TNC lets the client ask for the whole exchange once more; the answer of the first is nobody's then. */
static void a_retry_is_a_new_assessment(void **state)
{
    (void)state;
    for (unsigned early = 0; early < 2; early++) {
        struct endpoint e = honest();
        struct fake_store f = {.full = false};
        struct assessment_host host = {.submit = fake_submit, .wake = fake_wake, .context = &f};
        struct assessment *a = assessment_new(&host, BYTES("alice"), BYTES("192.0.2.1"));
        struct nea_session *client = make_client(&e, (struct nea_limits){0}),
                           *server = make_server(a, (struct nea_limits){0});
        bool retried = false;
        for (bool moving = true; moving;) {
            moving = carry(client, server);
            moving |= carry(server, client);
            if (f.open && f.open->work == WORK_REPORT && !retried) {
                retried = true;
                e.last_eid = 20;
                nea_session_retry(client);
                if (early) { /* the report of the first exchange is still under way when the second begins */
                    carry(client, server);
                    carry(server, client);
                }
            }
            if (f.open) {
                store_answer(&f);
                moving = true;
            }
        }
        assert_true(retried);
        assert_int_equal(nea_session_outcome(client).access, NEA_ACCESS_ALLOWED);
        assert_int_equal(f.position.last_eid, 20);
        nea_session_free(client);
        nea_session_free(server);
        assessment_release(a);
    }
}

/* SWIMA-R52, R80: without a subscription it is assessed all the same, and not asked for one again. */
static void a_denied_subscription_denies_no_access(void **state)
{
    (void)state;
    for (enum habit h = DENIES; h <= DENIES_AND_TELLS; h++) {
        struct endpoint e = honest();
        struct fake_store f = {.full = false};
        e.habit = h;
        struct play p = play(&e, &f);
        assert_int_equal(p.client.access, NEA_ACCESS_ALLOWED);
        assert_int_equal(e.requests, h == DENIES ? 2 : 1);
        assert_int_equal(f.position.last_eid, 10);
    }
}

/* SWIMA-R58, R60, R76, R103: news of a subscription are stored in the same session, without posture and without a
 * question; what does not continue the history is asked for (SWIMA-R44). */
static void news_are_stored_in_the_same_session(void **state)
{
    static const struct {
        uint32_t push_from, epoch, last_eid;
        unsigned requests, inventories;
    } cases[] = {
        {11, 0x11223344, 20, 1, 0}, /* as it should be */
        {6, 0x11223344, 20, 1, 0},  /* some of them are known */
        {13, 0x11223344, 20, 2, 0}, /* a gap */
        {1, 0x55667788, 3, 3, 1},   /* another epoch */
        {11, 0x11223344, 4, 3, 1},  /* fewer events than there were */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct endpoint e = honest();
        struct fake_store f = {.full = false};
        struct assessment_host host = {.submit = fake_submit, .wake = fake_wake, .context = &f};
        struct assessment *a = assessment_new(&host, BYTES("alice"), BYTES("192.0.2.1"));
        struct nea_session *client = make_client(&e, (struct nea_limits){0}),
                           *server = make_server(a, (struct nea_limits){0});
        for (bool moving = true; moving;) {
            moving = carry(client, server);
            moving |= carry(server, client);
            if (f.open && f.open->work == WORK_REPORT && !e.push_from) {
                e.push_from = cases[i].push_from;
                e.epoch = cases[i].epoch;
                e.last_eid = cases[i].last_eid;
                nea_session_push(client);
            }
            if (f.open) {
                store_answer(&f);
                moving = true;
            }
        }
        assert_int_equal(nea_session_outcome(client).access, NEA_ACCESS_ALLOWED);
        assert_int_equal(e.requests, cases[i].requests);
        assert_int_equal(e.inventories, cases[i].inventories);
        assert_int_equal(f.position.epoch, cases[i].epoch);
        assert_int_equal(f.position.last_eid, cases[i].last_eid);
        assert_int_equal(f.reports, 2 + cases[i].inventories);
        assert_int_equal(f.last[1].session, 7);
        assert_false(f.last[1].has_posture);
        assert_int_equal(f.last[1].access, NEA_ACCESS_ALLOWED);
        nea_session_free(client);
        nea_session_free(server);
        assessment_release(a);
    }
}

/* Until nothing moves; of the store's questions those of `but` stay open. */
static void settle_but(struct nea_session *client, struct nea_session *server, struct fake_store *f, int but)
{
    for (bool moving = true; moving;) {
        moving = carry(client, server);
        moving |= carry(server, client);
        if (f->open && (int)f->open->work != but) {
            store_answer(f);
            moving = true;
        }
    }
}

enum { NOTHING = -1 };

/* What software means is asked in an exchange that belongs to the session's row. It is wanted between two others, not while one of them is
 * still being stored: whoever began it then began one too many, which was a session of its own. */
static void tags_are_wanted_between_exchanges_alone(void **state)
{
    (void)state;
    struct endpoint e = honest();
    e.stays = true;
    struct fake_store f = {.new_software = 10};
    struct assessment_host host = {.submit = fake_submit, .wake = fake_wake, .context = &f};
    struct assessment *a = assessment_new(&host, BYTES("alice"), BYTES("192.0.2.1"));
    struct nea_session *client = make_client(&e, (struct nea_limits){0}), *server = make_server(a, (struct nea_limits){0});
    settle_but(client, server, &f, WORK_REPORT);
    assert_false(assessment_resumes(a));
    settle_but(client, server, &f, NOTHING);
    assert_true(assessment_resumes(a));

    e.push_from = 11; /* news come before they are asked for */
    e.last_eid = 12;
    nea_session_push(client);
    settle_but(client, server, &f, WORK_REPORT);
    assert_int_equal(f.open->in.report.session, 7);
    assert_false(assessment_resumes(a));
    settle_but(client, server, &f, NOTHING);
    assert_true(assessment_resumes(a));

    f.new_software = 0;
    nea_session_retry(server);
    settle_but(client, server, &f, WORK_REPORT);
    assert_int_equal(f.open->in.report.session, 7);
    assert_false(assessment_resumes(a));
    settle_but(client, server, &f, NOTHING);
    assert_false(assessment_resumes(a));
    assert_int_equal(f.reports, 3);
    nea_session_free(client);
    nea_session_free(server);
    assessment_release(a);
}

/* News that come while the store still corrects the verdict before: stored behind it, and answered. */
static void news_wait_for_the_verdict_before(void **state)
{
    (void)state;
    struct endpoint e = honest();
    e.stays = true;
    struct fake_store f = {.full = false};
    struct policy policy;
    struct error error;
    policy = policy_default;
    assert_true(policy_parse(&policy, BYTES("forwarding=quarantine"), &error));
    struct assessment_host host = {.submit = fake_submit, .wake = fake_wake, .context = &f, .policy = &policy};
    struct assessment *a = assessment_new(&host, BYTES("alice"), BYTES("192.0.2.1"));
    struct nea_session *client = make_client(&e, (struct nea_limits){0}), *server = make_server(a, (struct nea_limits){0});
    settle_but(client, server, &f, NOTHING);
    e.push_from = 11;
    e.last_eid = 12;
    e.habit = OUT_OF_RANGE; /* worse than the posture, which is what the report tells */
    nea_session_push(client);
    settle_but(client, server, &f, WORK_VERDICT);
    assert_non_null(f.open);
    assert_int_equal(f.reports, 2);
    e.habit = HONEST;
    nea_session_push(client);
    settle_but(client, server, &f, WORK_VERDICT);
    assert_int_equal(f.reports, 2);
    settle_but(client, server, &f, NOTHING);
    assert_int_equal(f.reports, 3);
    assert_int_equal(f.position.last_eid, 12);
    assert_int_equal(nea_session_outcome(client).state, PB_DECIDED);
    assert_int_equal(nea_session_outcome(client).access, NEA_ACCESS_QUARANTINED);
    nea_session_free(client);
    nea_session_free(server);
    assessment_release(a);
}

/* The peer goes while the store works: nothing is touched that is gone. */
static void a_session_may_die_at_any_moment(void **state)
{
    (void)state;
    for (unsigned turns = 0; turns < 12; turns++) {
        struct endpoint e = honest();
        struct fake_store f = {.full = false};
        struct assessment_host host = {.submit = fake_submit, .wake = fake_wake, .context = &f};
        struct assessment *a = assessment_new(&host, BYTES("alice"), BYTES("192.0.2.1"));
        struct nea_session *client = make_client(&e, (struct nea_limits){0}),
                           *server = make_server(a, (struct nea_limits){0});
        for (unsigned i = 0; i < turns; i++) {
            if (i % 3 == 0)
                carry(client, server);
            else if (i % 3 == 1)
                carry(server, client);
            else if (f.open)
                store_answer(&f);
        }
        nea_session_close(server);
        nea_session_free(server);
        nea_session_free(client);
        assessment_release(a);
        if (f.open)
            store_answer(&f);
    }
}

static void a_hundred_thousand_events_come_in_segments(void **state)
{
    (void)state;
    struct endpoint e = honest();
    struct fake_store f = {.full = false};
    e.last_eid = 100000;
    struct play p = play_with(&e, &f, (struct nea_limits){.max_batch = 0}, NULL);
    assert_int_equal(p.client.access, NEA_ACCESS_ALLOWED);
    assert_int_equal(e.requests, 1);
    assert_int_equal(f.last[0].event_count, 100000);
    /* And a small one in messages of 1,000 octets. */
    e = honest();
    f = (struct fake_store){.full = false};
    e.last_eid = 300;
    p = play_with(&e, &f, (struct nea_limits){.max_message = 1000}, NULL);
    assert_int_equal(p.client.access, NEA_ACCESS_ALLOWED);
    assert_int_equal(f.last[0].event_count, 300);
}

/* PB-R41, R53, R60, R62, R63 */
static void users_are_told_how_to_mend_it_in_their_language(void **state)
{
    (void)state;
    struct policy policy = policy_default;
    struct error error;
    char reason[512];
    struct endpoint e = honest();
    struct fake_store f = {.policy = &policy};
    /* Advice: it is let in, and told. */
    struct play p = play_with(&e, &f, (struct nea_limits){.max_batch = 0}, reason);
    assert_int_equal(p.client.access, NEA_ACCESS_ALLOWED);
    assert_string_equal(reason, "");
    assert_string_equal(p.remediation, "IP Packet Forwarding\nPlease disable the forwarding of IP packets");
    /* Whoever is not let in hears it in his language, and where there is help. */
    assert_true(policy_parse(&policy, BYTES("forwarding=quarantine"), &error));
    policy.help = "https://help.example/nea?os=1#top";
    e.language = "fr, de;q=0.8, en;q=0.5";
    p = play_with(&e, &f, (struct nea_limits){.max_batch = 0}, reason);
    assert_int_equal(p.client.access, NEA_ACCESS_QUARANTINED);
    assert_string_equal(reason, "die Weiterleitung von IP-Paketen ist eingeschaltet");
    assert_string_equal(p.remediation, "Weiterleitung von IP-Paketen\nBitte schalten Sie die Weiterleitung von "
                                       "IP-Paketen ab\nhttps://help.example/nea?os=1#top");
    /* Help also for whoever told nothing. */
    e.no_swima = true;
    e.os &= ~OS_BIT(PA_FORWARDING_ENABLED);
    p = play_with(&e, &f, (struct nea_limits){.max_batch = 0}, reason);
    assert_int_equal(p.client.access, NEA_ACCESS_DENIED);
    assert_string_equal(reason, "das Ger\xc3\xa4t hat nicht mitgeteilt: Forwarding Enabled\n"
                                "das Ger\xc3\xa4t hat seine Software nicht mitgeteilt");
    assert_non_null(strstr(p.remediation, "https://help.example/nea?os=1#top"));
    assert_non_null(strstr(p.remediation, reason_text(REASON_SOFTWARE_NOT_TOLD, GERMAN)->remediation));
}

/* SWIMA-R39, R41: a history in 200 lists, each of which brings the exchange on; and one that is beyond a report. */
static void a_huge_history_comes_in_lists_or_as_an_inventory(void **state)
{
    (void)state;
    struct endpoint e = honest();
    struct fake_store f = {.full = false};
    e.most = 1000;
    e.last_eid = 200000;
    assert_int_equal(play(&e, &f).client.access, NEA_ACCESS_ALLOWED);
    assert_int_equal(e.requests, 200);
    assert_int_equal(f.reports, 1);
    assert_int_equal(f.last[0].event_count, 200000);
    e.last_eid += 250001;
    assert_int_equal(play(&e, &f).client.access, NEA_ACCESS_ALLOWED);
    assert_int_equal(e.requests, 2);
    assert_int_equal(e.asked[0], 200001);
    assert_int_equal(f.last[1].software, STORE_INVENTORY);
    assert_int_equal(f.position.last_eid, e.last_eid);
    assert_int_equal(play(&e, &f).client.access, NEA_ACCESS_ALLOWED);
    assert_int_equal(e.requests, 1);
    e.last_eid = UINT32_MAX; /* the largest there is */
    assert_int_equal(play(&e, &f).client.access, NEA_ACCESS_ALLOWED);
    assert_int_equal(e.inventories, 2);
    assert_int_equal(f.position.last_eid, UINT32_MAX);
}

/* SWIMA-R33, R44, R47: whatever the numbers, another epoch or an EID that went back is mended by the inventory. */
static void epochs_and_eids_may_do_anything(void **state)
{
    static const struct {
        uint32_t epoch, last_eid; /* stored */
        uint32_t now, most;       /* the endpoint's last EID; events an answer */
        unsigned inventories;
    } rows[] = {
        {0x11223344, 10, 10, 0, 0}, {0x11223344, 10, 11, 0, 0},
        {0x11223344, 10, 9, 0, 1},  {0x11223345, 10, 3, 0, 1},
        {0x11223345, 1, 10, 3, 1},  {0x11223344, UINT32_MAX, 10, 0, 1},
        {0x11223345, 0, 10, 0, 1},  {0x11223344, UINT32_MAX - 1, UINT32_MAX, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct endpoint e = honest();
        struct fake_store f = {.position = {.known = true, .epoch = rows[i].epoch, .last_eid = rows[i].last_eid}};
        e.last_eid = rows[i].now;
        e.most = rows[i].most;
        struct play p = play(&e, &f);
        if (p.client.access != NEA_ACCESS_ALLOWED || e.inventories != rows[i].inventories)
            fail_msg("row %zu: %s, %u inventories", i, nea_access_name(p.client.access), e.inventories);
        assert_int_equal(f.position.epoch, e.epoch);
        assert_int_equal(f.position.last_eid, e.last_eid);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_assessment_asks_for_events_from_the_first),
        cmocka_unit_test(whoever_does_not_tell_is_never_allowed),
        cmocka_unit_test(without_a_collector_nobody_is_let_in),
        cmocka_unit_test(missing_posture_is_asked_for_once),
        cmocka_unit_test(an_endpoint_without_events_gives_its_inventory),
        cmocka_unit_test(a_lost_epoch_is_mended_by_its_history_and_an_inventory),
        cmocka_unit_test(partial_lists_are_put_together),
        cmocka_unit_test(oddities_of_real_peers_are_taken),
        cmocka_unit_test(gaps_are_asked_for),
        cmocka_unit_test(nothing_is_acknowledged_that_is_not_stored),
        cmocka_unit_test(a_subscription_is_of_one_collector),
        cmocka_unit_test(a_conflict_is_mended_once),
        cmocka_unit_test(a_retry_is_a_new_assessment),
        cmocka_unit_test(a_denied_subscription_denies_no_access),
        cmocka_unit_test(news_are_stored_in_the_same_session),
        cmocka_unit_test(tags_are_wanted_between_exchanges_alone),
        cmocka_unit_test(news_wait_for_the_verdict_before),
        cmocka_unit_test(a_session_may_die_at_any_moment),
        cmocka_unit_test(a_hundred_thousand_events_come_in_segments),
        cmocka_unit_test(a_huge_history_comes_in_lists_or_as_an_inventory),
        cmocka_unit_test(epochs_and_eids_may_do_anything),
        cmocka_unit_test(users_are_told_how_to_mend_it_in_their_language),
    };
    log_set_level(getenv("VERBOSE") ? LOG_DEBUG : LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
