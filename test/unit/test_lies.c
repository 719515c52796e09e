/* Every way of not telling the truth, one row each, through whole sessions in memory: the real validators on one side,
 * an endpoint that answers with what the row says on the other. Whoever errs, stays silent or answers something else is
 * never allowed, whatever it says before or after. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "memory_server.h"

/* ---- what can be said -------------------------------------------------------------------------------------------- */

/* A piece of an answer. Octets are a whole attribute value; ID stands for the Request ID's four octets. */
enum kind { END, RIGHT, OCTETS, EMPTY_MESSAGE };
struct piece {
    enum kind kind;
    const char *name;
    uint32_t vendor, number;
    uint8_t flags;
    const char *text;
    size_t n;
    int id_at; /* where the Request ID goes; -1: nowhere */
};

#define VALUE(name, number, id_at, text)                                                                               \
    {                                                                                                                  \
        OCTETS, name, PEN_IETF, number, 0, text, sizeof(text) - 1, id_at                                               \
    }
#define STRICT(name, vendor, number, text)                                                                             \
    {                                                                                                                  \
        OCTETS, name, vendor, number, 0x80, text, sizeof(text) - 1, -1                                                 \
    }
#define ERROR_OF(name, vendor, code, id_at, text) VALUE(name, 8, id_at, "\0" vendor "\0\0\0" code text)
#define EVENTS(name, last, consulted, count, items)                                                                    \
    VALUE(name, 15, 4, "\0\0\0" count "....\x11\x22\x33\x44" last consulted items)
#define U32(octet)                "\0\0\0" octet
#define EVENT(eid, id_length, id) U32(eid) "2026-01-02T03:04:05Z" U32("\1") "\0\0\0\0\1\1\0" id_length id "\0\0"

/* Errors, and what is no PA-TNC at all: beside a right answer, before or behind it, they deny as well. */
static const struct piece faults[] = {
    ERROR_OF("error 4", "\0\0\0", "\4", 8, "....no"),
    ERROR_OF("error 4 of another request", "\0\0\0", "\4", -1, "\xff\xff\xff\xff"),
    ERROR_OF("error 6", "\0\0\0", "\6", 8, "....\0\0\x10\0"),
    ERROR_OF("error 8", "\0\0\0", "\x8", 8, "...."),
    ERROR_OF("error 7 of no subscription", "\0\0\0", "\7", -1, "\0\0\0\x63\0\0\0\0\0\0\0\4\0\0\0\x63"),
    ERROR_OF("error 7 in error 7", "\0\0\0", "\7", -1, "\0\0\0\x63\0\0\0\0\0\0\0\7...."),
    ERROR_OF("invalid parameter", "\0\0\0", "\1", -1, "\1\0\0\0\0\0\0\1\0\0\0\x10"),
    ERROR_OF("version not supported", "\0\0\0", "\2", -1, "\1\0\0\0\0\0\0\1\2\2\0\0"),
    ERROR_OF("type not supported", "\0\0\0", "\3", -1, "\1\0\0\0\0\0\0\1\0\0\0\0\0\0\0\x0d"),
    ERROR_OF("an unknown error", "\0\0\0", "\x63", -1, ""),
    ERROR_OF("another vendor's error", "\0\1\2", "\5", 8, "...."),
    VALUE("an error below its length", 8, -1, "\0\0\0\0"),
    STRICT("an unknown NOSKIP attribute", PEN_IETF, 4711, "?"),
    STRICT("a vendor's NOSKIP attribute", 0x123456, 7, ""),
    STRICT("a NOSKIP attribute that only servers send", PEN_IETF, 18, ""),
    {OCTETS, "the reserved vendor", PEN_RESERVED, 1, 0, "", 0, -1},
    {OCTETS, "the reserved type", PEN_IETF, UINT32_MAX, 0, "", 0, -1},
    VALUE("events below their length", 15, -1, "\0\0\0\0"),
    EVENTS("an event cut off", U32("\1"), U32("\1"), "\1",
           "\0\0\0\1"
           "2026-01"),
    EVENTS("more events than there are octets", U32("\1"), U32("\1"), "\2", EVENT("\1", "\4", "a__b")),
    EVENTS("octets behind the last event", U32("\1"), U32("\1"), "\1", EVENT("\1", "\4", "a__b") "x"),
    VALUE("sixteen million events", 15, 4, "\0\xff\xff\xff....\x11\x22\x33\x44\0\0\0\1\0\0\0\1"),
    VALUE("a record cut off", 14, 4, "\0\0\0\1....\x11\x22\x33\x44\0\0\0\1\0\0"),
};

/* Answers that are none: alone they deny. */
static const struct piece answers[] = {
    {.kind = END, .name = "silence"},
    {.kind = EMPTY_MESSAGE, .name = "a message without attributes"},
    VALUE("an unknown attribute", 4711, -1, "?"),
    VALUE("a request of its own", 13, 4, "\0\0\0\0....\0\0\0\1"),
    VALUE("its sources", 21, -1, "\0\0\1\1\0\4dpkg"),
    VALUE("its subscriptions", 19, -1, "\0\0\0\0"),
    VALUE("another request's answer", 15, -1, "\0\0\0\0\xff\xff\xff\xff\x11\x22\x33\x44\0\0\0\0\0\0\0\0"),
    VALUE("a fulfilment", 15, 4, "\x80\0\0\0....\x11\x22\x33\x44\0\0\0\0\0\0\0\0"),
    VALUE("an inventory for events", 14, 4, "\0\0\0\0....\x11\x22\x33\x44\0\0\0\1"),
    VALUE("an inventory with records", 16, 4, "\0\0\0\0....\x11\x22\x33\x44\0\0\0\1"),
    VALUE("events with records", 17, 4, "\0\0\0\0....\x11\x22\x33\x44\0\0\0\1\0\0\0\1"),
    EVENTS("an event of EID 0", U32("\2"), U32("\2"), "\1", EVENT("\0", "\4", "a__b")),
    EVENTS("an event behind the last", U32("\1"), U32("\1"), "\1", EVENT("\2", "\4", "a__b")),
    EVENTS("an event behind the last consulted", U32("\5"), U32("\1"), "\1", EVENT("\2", "\4", "a__b")),
    EVENTS("more consulted than there are", U32("\1"), U32("\2"), "\1", EVENT("\1", "\4", "a__b")),
    EVENTS("nothing consulted", U32("\5"), U32("\0"), "\0", ""),
    EVENTS("an event without identifier", U32("\1"), U32("\1"), "\1", EVENT("\1", "\0", "")),
    EVENTS("an identifier with NUL", U32("\1"), U32("\1"), "\1", EVENT("\1", "\4", "a_\0b")),
    EVENTS("an identifier that is not UTF-8", U32("\1"), U32("\1"), "\1", EVENT("\1", "\4", "a__\xff")),
    /* "no event was ever recorded" brings the question for the inventory, which is answered with events again */
    EVENTS("events for the inventory", U32("\0"), U32("\0"), "\0", ""),
};

/* ---- an endpoint ------------------------------------------------------------------------------------------------- */

static struct endpoint {
    struct piece pieces[3]; /* that answer each request for software, in this order */
    const struct piece *os; /* what the OS collector says behind its posture, in the batch of that number */
    unsigned os_batch, batch;
    uint32_t last_eid;
    struct nea_connection *swima_connection, *os_connection;
    bool pushes;
    uint32_t subscription;
} endpoint;

static void say(struct nea_connection *c, uint16_t to, const struct piece *p, uint32_t id)
{
    struct pa_type type = pa_types[PA_TESTING];
    uint8_t octets[256];
    assert_true(p->n <= sizeof octets);
    memcpy(octets, p->text, p->n);
    for (int i = 0; p->id_at >= 0 && i < 4; i++)
        octets[p->id_at + i] = (uint8_t)(id >> (24 - 8 * i));
    type.vendor = p->vendor;
    type.number = p->number;
    nea_send(c, to, &(struct pa_out){&type, &(struct pa_testing){{octets, p->n}}, p->flags}, 1);
}

static void tell_events(uint16_t to, uint32_t id, uint32_t first, uint8_t flags)
{
    struct wr items = wr_of(0);
    struct pa_sw_id_events f = {.flags = flags, .request_id = id, .epoch = 0x11223344};
    f.last_eid = f.last_consulted_eid = endpoint.last_eid;
    for (uint32_t eid = first; eid <= endpoint.last_eid; eid++, f.events.count++)
        pa_item_put(&items, &pa_types[PA_SW_ID_EVENTS],
                    &(struct pa_sw_id_events_item){.eid = eid,
                                                   .time = BYTES("2026-01-01T00:00:00Z"),
                                                   .record_id = eid,
                                                   .source = 1,
                                                   .action = STORE_CREATE,
                                                   .software_id = BYTES("a__b")});
    f.events.raw = wr_view(&items);
    nea_send(endpoint.swima_connection, to, &(struct pa_out){&pa_types[PA_SW_ID_EVENTS], &f, 0}, 1);
    wr_free(&items);
}

static void answer(uint16_t to, uint32_t id, uint32_t earliest, uint8_t flags)
{
    for (size_t i = 0; i < ARRAY_LENGTH(endpoint.pieces) && endpoint.pieces[i].kind != END; i++)
        if (endpoint.pieces[i].kind == RIGHT)
            tell_events(to, id, earliest, flags);
        else if (endpoint.pieces[i].kind == EMPTY_MESSAGE)
            nea_send(endpoint.swima_connection, to, NULL, 0);
        else
            say(endpoint.swima_connection, to, &endpoint.pieces[i], id);
}

static void swima_receive(void *state, const struct nea_delivery *d)
{
    (void)state;
    for (size_t i = 0; i < d->message->count; i++)
        if (d->message->attributes[i].type == &pa_types[PA_SWIMA_REQUEST]) {
            const struct pa_swima_request *r = d->message->attributes[i].fields;
            if (r->flags & 0x40)
                endpoint.subscription = r->request_id;
            answer(d->from, r->request_id, r->earliest_eid, 0);
        } else {
            assert_ptr_not_equal(d->message->attributes[i].type, &pa_types[PA_ERROR]); /* SWIMA-R72 */
        }
}

static void swima_push(void *state)
{
    (void)state;
    answer(2, endpoint.subscription, 4, 0x80);
}

static void os_tell(void *state)
{
    static const struct pa_product_information product = {.name = {(const uint8_t *)"Debian", 6}};
    static const struct pa_string_version version = {.version = {(const uint8_t *)"12 x86_64", 9}};
    static const struct pa_numeric_version numeric = {.major_version = 12};
    static const struct pa_operational_status status = {.status = 3,
                                                        .last_use = {(const uint8_t *)"2026-11-01T00:00:00Z", 20}};
    static const struct pa_forwarding_enabled forwarding = {.value = 0};
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
    (void)state;
    nea_send(endpoint.os_connection, NEA_ANY, all, ARRAY_LENGTH(all));
    endpoint.batch = 1;
    if (endpoint.os && endpoint.os_batch == 1)
        say(endpoint.os_connection, NEA_ANY, endpoint.os, 1);
}

static void os_batch_ending(void *state)
{
    (void)state;
    if (endpoint.os && ++endpoint.batch == endpoint.os_batch)
        say(endpoint.os_connection, NEA_ANY, endpoint.os, 1);
}

static void *swima_create(void *context, struct nea_connection *c)
{
    return endpoint.swima_connection = c, context;
}

static void *os_create(void *context, struct nea_connection *c)
{
    return endpoint.os_connection = c, context;
}

static const struct nea_component swima_collector = {
    .name = "SWIMA", .subtype = PA_SUBTYPE_SWIMA, .create = swima_create, .push = swima_push, .receive = swima_receive};
static const struct nea_component os_collector = {.name = "OS",
                                                  .subtype = PA_SUBTYPE_OPERATING_SYSTEM,
                                                  .create = os_create,
                                                  .begin_handshake = os_tell,
                                                  .batch_ending = os_batch_ending};

/* ---- sessions --------------------------------------------------------------------------------------------------- */

/* One session, and, if it pushes, a second exchange in it, in which alone it lies. */
static enum nea_access play(bool known, bool pushes)
{
    const struct nea_component *const collectors[] = {&os_collector, &swima_collector};
    const struct nea_component *const validators[] = {&server_os_validator, &server_swima_validator};
    const struct assessment_host host = {.submit = submit, .wake = wake};
    memset(&database, 0, sizeof database);
    database.position = (struct store_position){.known = known, .epoch = known ? 0x11223344 : 0};
    struct assessment *a = assessment_new(&host, BYTES("alice"), BYTES("192.0.2.1"));
    void *ours[] = {&endpoint, &endpoint}, *theirs[] = {a, a};
    struct nea_session *client = nea_session_new(&(struct nea_config){.role = NEA_CLIENT,
                                                                      .initiator = true,
                                                                      .stay = true,
                                                                      .components = collectors,
                                                                      .contexts = ours,
                                                                      .component_count = 2},
                                                 0);
    struct nea_session *server = nea_session_new(&(struct nea_config){.role = NEA_SERVER,
                                                                      .peer_name = BYTES("alice"),
                                                                      .components = validators,
                                                                      .contexts = theirs,
                                                                      .component_count = 2},
                                                 0);
    endpoint.last_eid = 3;
    if (pushes) {
        const struct piece lie[] = {endpoint.pieces[0], endpoint.pieces[1], endpoint.pieces[2]};
        memset(endpoint.pieces, 0, sizeof endpoint.pieces);
        endpoint.pieces[0].kind = RIGHT;
        run(client, server);
        assert_int_equal(nea_session_outcome(client).access, NEA_ACCESS_ALLOWED);
        memcpy(endpoint.pieces, lie, sizeof lie);
        database.took_software = false;
        endpoint.last_eid = 5;
        nea_session_push(client);
    }
    run(client, server);
    struct nea_outcome outcome = nea_session_outcome(client);
    if (!outcome.decided)
        fail_msg("undecided: %s / %s", outcome.fault.text, nea_session_outcome(server).fault.text);
    assert_int_equal(outcome.access, database.access);
    nea_session_free(client);
    nea_session_free(server);
    assessment_release(a);
    if (database.open)
        store_answer();
    return outcome.access;
}

static const struct piece right = {.kind = RIGHT};

static void expect(const char *name, const char *how, bool known, bool pushes, enum nea_access access)
{
    enum nea_access got = play(known, pushes);
    if (got != access || (access == NEA_ACCESS_DENIED && database.took_software))
        fail_msg("%s, %s%s: %s%s", name, how,
                 pushes  ? ", pushed"
                 : known ? ", known"
                         : "",
                 nea_access_name(got), database.took_software ? ", stored" : "");
}

static int start(void **state)
{
    (void)state;
    memset(&endpoint, 0, sizeof endpoint);
    return 0;
}

/* SWIMA-R69, R72, R74, R109, PA-R16: beside an error or a malformed message no right answer counts. */
static void a_fault_denies_whatever_stands_beside_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(faults); i++)
        for (int where = 0; where < 3; where++)
            for (int when = 0; when < 3; when++) {
                const struct piece first = faults[i];
                memset(endpoint.pieces, 0, sizeof endpoint.pieces);
                endpoint.pieces[0] = where == 2 ? right : first;
                if (where)
                    endpoint.pieces[1] = where == 2 ? first : right;
                expect(first.name, (const char *const[]){"alone", "before the answer", "behind the answer"}[where],
                       when == 1, when == 2, NEA_ACCESS_DENIED);
            }
}

/* SWIMA-R10, R40, R42, R77, R78, R100, R101, R102 */
static void what_is_no_answer_denies(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++)
        for (int known = 0; known < 2; known++) {
            memset(endpoint.pieces, 0, sizeof endpoint.pieces);
            endpoint.pieces[0] = answers[i];
            expect(answers[i].name, "alone", known, false, NEA_ACCESS_DENIED);
        }
}

/* An OS collector's fault counts in every batch of the exchange, also in one behind its posture. */
static void a_fault_in_the_posture_denies(void **state)
{
    (void)state;
    endpoint.pieces[0] = right;
    expect("the truth", "", false, false, NEA_ACCESS_ALLOWED);
    static const struct piece beyond = VALUE("a switch beyond its values", 11, -1, "\0\0\0\3");
    for (size_t i = 0; i < ARRAY_LENGTH(faults); i++)
        for (unsigned batch = 1; batch < 3; batch++) {
            bool of_software = faults[i].vendor == PEN_IETF && (faults[i].number == 14 || faults[i].number == 15);
            endpoint.os = of_software ? &beyond : &faults[i];
            endpoint.os_batch = batch;
            enum nea_access got = play(false, false);
            if (got != NEA_ACCESS_DENIED)
                fail_msg("%s, batch %u: %s", endpoint.os->name, batch, nea_access_name(got));
        }
}

/* Two at once: the first closes the report, the second finds it closed. */
static void faults_of_both_collectors_deny_once(void **state)
{
    static const struct piece beyond = VALUE("a switch beyond its values", 11, -1, "\0\0\0\3");
    (void)state;
    endpoint.os = &beyond;
    endpoint.os_batch = 2;
    for (size_t i = 0; i < ARRAY_LENGTH(faults); i++) {
        endpoint.pieces[0] = faults[i];
        assert_int_equal(play(false, false), NEA_ACCESS_DENIED);
        assert_int_equal(database.reports, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_fault_denies_whatever_stands_beside_it, start),
        cmocka_unit_test_setup(what_is_no_answer_denies, start),
        cmocka_unit_test_setup(a_fault_in_the_posture_denies, start),
        cmocka_unit_test_setup(faults_of_both_collectors_deny_once, start),
    };
    log_set_level(getenv("VERBOSE") ? LOG_DEBUG : LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
