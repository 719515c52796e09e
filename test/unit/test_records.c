/* Records: the SWIMA collector's answers with tags, to a validator in memory. The journal and the broker are stand-ins. */
#include "agent/collector.h"
#include "fake_journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- the broker's stand-in ---- */

struct nea_connection {
    struct wr encoded;
    struct arena arena;
    struct pa_message sent;
    unsigned count;
};

size_t nea_max_message(const struct nea_connection *c)
{
    (void)c;
    return 1 << 20;
}

void nea_retry(struct nea_connection *c)
{
    (void)c;
}

void nea_send(struct nea_connection *c, uint16_t to, const struct pa_out *attributes, size_t count)
{
    struct nea_fault fault;
    assert_int_equal(to, 7);
    assert_int_equal(count, 1);
    wr_reset(&c->encoded);
    arena_reset(&c->arena);
    pa_message_put(&c->encoded, 1);
    pa_attribute_put(&c->encoded, attributes->type, 0, attributes->fields);
    assert_false(c->encoded.bad);
    assert_int_equal(pa_message_decode(&c->arena, wr_view(&c->encoded), NEA_SERVER, &c->sent, &fault), PA_OK);
    c->count++;
}

static struct nea_connection connection;
static struct agent_inventory inventory;

static int setup(void **state)
{
    memset(&fake, 0, sizeof fake);
    fake.head = (struct journal_head){.epoch = 0xc0ffee, .last_eid = 20, .collected = 1700000000};
    fake.records = 10;
    fake.removed = 5;
    fake.time = 1652426624;
    fake.not_before = TIME_UNKNOWN;
    connection = (struct nea_connection){.encoded = wr_of(0), .arena = arena_of(64 << 20)};
    inventory = (struct agent_inventory){0};
    *state = agent_swima_collector.create(&inventory, &connection);
    return 0;
}

static int teardown(void **state)
{
    agent_swima_collector.destroy(*state);
    wr_free(&connection.encoded);
    arena_free(&connection.arena);
    return 0;
}

/* The one answer to a request; `ids`: a NULL-terminated list, or NULL for no targets. */
static const struct pa_attribute *ask(void *state, uint8_t flags, uint32_t earliest, const char *const *ids)
{
    struct wr targets = wr_of(0), w = wr_of(0);
    struct arena a = arena_of(1 << 20);
    struct pa_message message;
    struct nea_fault fault;
    struct pa_swima_request r = {.flags = flags, .request_id = 5, .earliest_eid = earliest};
    for (; ids && *ids; ids++, r.software_ids.count++)
        pa_item_put(&targets, &pa_types[PA_SWIMA_REQUEST], &(struct pa_swima_request_item){bytes_of(*ids)});
    r.software_ids.raw = wr_view(&targets);
    pa_message_put(&w, 1);
    pa_attribute_put(&w, &pa_types[PA_SWIMA_REQUEST], 0, &r);
    assert_int_equal(pa_message_decode(&a, wr_view(&w), NEA_CLIENT, &message, &fault), PA_OK);
    connection.count = 0;
    agent_swima_collector.receive(state, &(struct nea_delivery){PEN_IETF, PA_SUBTYPE_SWIMA, 7, &message});
    assert_int_equal(connection.count, 1);
    arena_free(&a);
    wr_free(&w);
    wr_free(&targets);
    return &connection.sent.attributes[0];
}

#define ID(n) "strongswan.org__Debian_12-x86_64-id-" #n
enum { IDS = 0x20 };

static void expect_tag(struct bytes record, struct bytes software_id)
{
    struct arena a = arena_of(1 << 20);
    struct swid_tag tag;
    struct error error = {""};
    assert_int_equal(swid_tag_read(record, &a, &tag, &error), SWID_OK);
    assert_true(swid_tag_is_of(&tag, software_id));
    assert_true(bytes_equal(tag.creator, BYTES("strongSwan Project")));
    assert_true(bytes_equal(tag.product, BYTES("Debian 12 x86_64")));
    assert_true(bytes_equal(tag.name, BYTES("id")) && bytes_equal(tag.package, BYTES("id")));
    assert_true(bytes_equal(tag.manager, BYTES("dpkg")));
    assert_null(memchr(record.p, '\n', record.n)); /* SWIMA-R78 */
    arena_free(&a);
}

/* SWIMA-R4, R8, R14, R18, R37, R85, R89, R98, R100, R101, R102 */
static void an_inventory_with_records_tells_each_tag(void **state)
{
    const struct pa_attribute *at = ask(*state, 0, 0, NULL);
    assert_ptr_equal(at->type, &pa_types[PA_SW_INVENTORY]);
    const struct pa_sw_inventory *f = at->fields;
    assert_int_equal(f->flags, 0);
    assert_int_equal(f->request_id, 5);
    assert_int_equal(f->epoch, 0xc0ffee);
    assert_int_equal(f->last_eid, 20);
    assert_int_equal(f->records.count, 10); /* what is gone is no part of an inventory */
    struct pa_sw_inventory_item item;
    struct bytes rest = f->records.raw;
    for (uint32_t i = 1; pa_list_next(at->type, &rest, &item); i++) {
        assert_int_equal(item.record_id, 1000 + i);
        assert_int_equal(item.model_vendor, 0);
        assert_int_equal(item.model, 0);
        assert_int_equal(item.source, 1);
        expect_tag(item.record, item.software_id);
    }
}

/* SWIMA-R36, R84, R100, R104, R106 */
static void events_with_records_tell_each_tag(void **state)
{
    const struct pa_attribute *at = ask(*state, 0, 15, NULL);
    assert_ptr_equal(at->type, &pa_types[PA_SW_EVENTS]);
    const struct pa_sw_events *f = at->fields;
    assert_int_equal(f->events.count, 6);
    assert_int_equal(f->last_consulted_eid, 20);
    struct pa_sw_events_item item;
    struct bytes rest = f->events.raw;
    for (uint32_t eid = 15; pa_list_next(at->type, &rest, &item); eid++) {
        assert_int_equal(item.eid, eid);
        expect_tag(item.record, item.software_id);
    }
    at = ask(*state, 0, 1, (const char *[]){ID(7), "nobody__knows", NULL});
    assert_int_equal(((const struct pa_sw_events *)at->fields)->events.count, 1);
}

/* SWIMA-R19, R20, R21, R27 */
static void a_target_that_is_gone_has_its_kept_record(void **state)
{
    const struct pa_attribute *at = ask(*state, 0, 0, (const char *[]){ID(503), ID(3), "nobody__knows", ID(3), NULL});
    const struct pa_sw_inventory *f = at->fields;
    struct pa_sw_inventory_item item;
    struct bytes rest = f->records.raw;
    assert_int_equal(f->records.count, 2);
    assert_true(pa_list_next(at->type, &rest, &item));
    expect_tag(item.record, BYTES(ID(3)));
    assert_true(pa_list_next(at->type, &rest, &item));
    expect_tag(item.record, BYTES(ID(503)));
    /* By identifier it is asked what is installed: nothing of that name. */
    at = ask(*state, IDS, 0, (const char *[]){ID(503), NULL});
    assert_int_equal(((const struct pa_sw_id_inventory *)at->fields)->records.count, 0);
    at = ask(*state, 0, 0, (const char *[]){"nobody__knows", NULL});
    assert_ptr_equal(at->type, &pa_types[PA_SW_INVENTORY]);
    assert_int_equal(((const struct pa_sw_inventory *)at->fields)->records.count, 0);
}

/* SWIMA-R39, R43, R105, R110 */
static void records_that_do_not_fit_are_refused_or_parted(void **state)
{
    inventory.max_attribute = 2000;
    const struct pa_attribute *at = ask(*state, 0, 0, NULL);
    assert_ptr_equal(at->type, &pa_types[PA_ERROR]);
    const struct pa_error *e = at->fields;
    struct rd r = rd_of(e->information, 0);
    assert_int_equal(e->code, PA_RESPONSE_TOO_LARGE);
    assert_int_equal(rd_u32(&r), 5);
    assert_int_equal(rd_u32(&r), 2000);
    uint32_t events = 0, next = 1, answers = 0;
    for (; next <= 20; answers++) {
        at = ask(*state, 0, next, NULL);
        const struct pa_sw_events *f = at->fields;
        assert_ptr_equal(at->type, &pa_types[PA_SW_EVENTS]);
        assert_true(f->events.count > 0 && connection.encoded.n - 8 <= 2000);
        events += f->events.count;
        next = f->last_consulted_eid + 1;
    }
    assert_int_equal(events, 20);
    assert_true(answers > 4);
}

/* SWIMA-R28, R95 */
static void a_record_is_empty_where_no_tag_can_be(void **state)
{
    struct wr w = wr_of(2 * SWID_TAG_MAX);
    static uint8_t large[SWID_TAG_MAX];
    (void)state;
    struct journal_record r = {.software_id = BYTES("without a creator"), .name = BYTES("n"), .version = BYTES("1")};
    assert_int_equal(agent_record_tag(&w, &r).n, 0);
    r.software_id = BYTES("a.org__x");
    struct bytes record = agent_record_tag(&w, &r);
    assert_true(record.n > 0); /* a foreign creator's name is not known: its regid stands for it */
    memset(large, '&', sizeof large);
    r.name = (struct bytes){large, sizeof large};
    assert_int_equal(agent_record_tag(&w, &r).n, 0);
    wr_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_inventory_with_records_tells_each_tag, setup, teardown),
        cmocka_unit_test_setup_teardown(events_with_records_tell_each_tag, setup, teardown),
        cmocka_unit_test_setup_teardown(a_target_that_is_gone_has_its_kept_record, setup, teardown),
        cmocka_unit_test_setup_teardown(records_that_do_not_fit_are_refused_or_parted, setup, teardown),
        cmocka_unit_test(a_record_is_empty_where_no_tag_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
