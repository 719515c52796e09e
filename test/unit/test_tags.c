/* Tags through whole sessions in memory: an endpoint whose every answer is in the test's hand, the real validators, the real store. */
#include "server/assessment.h"
#include "swid/swid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum habit { GIVES, HAS_NONE, ERRS, SILENT, OTHER_TYPE, LIES, GARBAGE, GIVES_FILES, CHANGES_FILES };

static struct {
    enum habit habit;
    unsigned tag_requests;
    uint32_t wanted;
    struct nea_connection *c;
} endpoint;

#define SOFTWARE 5
static struct bytes id_of(uint32_t i, char text[64])
{
    snprintf(text, 64, "strongswan.org__Debian_12-x86_64-p%u-1~2", i);
    return bytes_of(text);
}

static void put_tag(struct wr *w, struct bytes software_id, uint32_t i)
{
    char name[16];
    snprintf(name, sizeof name, "p%u", i);
    struct swid_tag tag = {.creator = BYTES("c"), .name = bytes_of(name), .version = BYTES("1:2"), .package = bytes_of(name),
                           .arch = BYTES("amd64"), .source = BYTES("s")};
    assert_true(swid_software_id_split(software_id, &tag.regid, &tag.tag_id));
    swid_tag_write(w, &tag);
}

/* The same with a file, which is what the reference says or is not. */
static void put_full_tag(struct wr *w, struct bytes software_id, uint32_t i, bool changed)
{
    struct swid_xml xml = swid_xml_of(w, SWID_RECORD);
    struct swid_node root = {.element = SWID_IDENTITY}, entity = {.element = SWID_ENTITY}, payload = {.element = SWID_PAYLOAD};
    struct swid_files files;
    uint8_t digest[32] = {changed ? 7 : 1};
    char name[16];
    snprintf(name, sizeof name, "p%u", i);
    root.value[SWID_NAME] = bytes_of(name);
    assert_true(swid_software_id_split(software_id, &entity.value[SWID_REGID], &root.value[SWID_TAG_ID]));
    root.value[SWID_VERSION] = BYTES("1:2");
    root.value[SWID_VERSION_SCHEME] = BYTES("alphanumeric");
    entity.value[SWID_NAME] = BYTES("c");
    entity.value[SWID_ROLE] = BYTES("tagCreator");
    xml.hashes = SWID_HASH_SHA256;
    xml.sink.open(&xml.sink, &root);
    swid_leaf(&xml.sink, &entity);
    swid_files_begin(&files, &xml.sink, false, &payload);
    swid_files_put(&files, &(struct swid_file){.path = BYTES("/usr/bin/p"), .size = 3, .sized = true, .sha256 = {digest, sizeof digest}});
    swid_files_end(&files);
    xml.sink.close(&xml.sink, SWID_IDENTITY);
    assert_int_equal(xml.sink.failed, SWID_OK);
}

/* Every identifier's tag, in the way of the habit. */
static void answer_tags(uint16_t to, const struct pa_swima_request *r)
{
    struct wr items = wr_of(0), tag = wr_of(0);
    struct pa_sw_inventory fields = {.request_id = r->request_id, .epoch = 1, .last_eid = SOFTWARE};
    struct pa_swima_request_item asked;
    struct bytes rest = r->software_ids.raw;
    endpoint.tag_requests++;
    endpoint.wanted = r->software_ids.count;
    for (uint32_t i = 1; pa_list_next(&pa_types[PA_SWIMA_REQUEST], &rest, &asked); i++) {
        if (endpoint.habit == HAS_NONE)
            continue;
        wr_reset(&tag);
        if (endpoint.habit == LIES)
            put_tag(&tag, BYTES("strongswan.org__Debian_12-x86_64-other-1"), i);
        else if (endpoint.habit == GARBAGE)
            wr_str(&tag, "<!DOCTYPE x><x/>");
        else if (endpoint.habit == GIVES_FILES || endpoint.habit == CHANGES_FILES)
            put_full_tag(&tag, asked.software_id, i, endpoint.habit == CHANGES_FILES);
        else
            put_tag(&tag, asked.software_id, i);
        pa_item_put(&items, &pa_types[PA_SW_INVENTORY],
                    &(struct pa_sw_inventory_item){.record_id = i, .software_id = asked.software_id, .record = wr_view(&tag)});
        fields.records.count++;
    }
    fields.records.raw = wr_view(&items);
    const struct pa_error error = {.code = PA_SWIMA_ERROR, .information = {(const uint8_t *)"\0\0\0\2", 4}};
    const struct pa_sw_id_inventory other = {.request_id = r->request_id, .epoch = 1, .last_eid = SOFTWARE};
    struct pa_out out = {&pa_types[PA_SW_INVENTORY], &fields, 0};
    if (endpoint.habit == ERRS)
        out = (struct pa_out){&pa_types[PA_ERROR], &error, 0};
    if (endpoint.habit == OTHER_TYPE)
        out = (struct pa_out){&pa_types[PA_SW_ID_INVENTORY], &other, 0};
    if (endpoint.habit != SILENT)
        nea_send(endpoint.c, to, &out, 1);
    wr_free(&tag);
    wr_free(&items);
}

static void answer_events(uint16_t to, const struct pa_swima_request *r)
{
    struct wr items = wr_of(0);
    struct pa_sw_id_events fields = {.request_id = r->request_id, .epoch = 1, .last_eid = SOFTWARE, .last_consulted_eid = SOFTWARE};
    char text[64];
    for (uint32_t eid = r->earliest_eid; eid <= SOFTWARE; eid++, fields.events.count++)
        pa_item_put(&items, &pa_types[PA_SW_ID_EVENTS],
                    &(struct pa_sw_id_events_item){.eid = eid, .time = BYTES("2026-01-01T00:00:00Z"), .record_id = eid, .source = 1,
                                                   .action = 1, .software_id = id_of(eid, text)});
    fields.events.raw = wr_view(&items);
    nea_send(endpoint.c, to, &(struct pa_out){&pa_types[PA_SW_ID_EVENTS], &fields, 0}, 1);
    wr_free(&items);
}

static void receive(void *state, const struct nea_delivery *d)
{
    (void)state;
    for (size_t i = 0; i < d->message->count; i++) {
        const struct pa_swima_request *r = d->message->attributes[i].fields;
        if (d->message->attributes[i].type != &pa_types[PA_SWIMA_REQUEST])
            continue;
        if (r->flags & 0x20)
            answer_events(d->from, r);
        else
            answer_tags(d->from, r);
    }
}

static void *create(void *context, struct nea_connection *c)
{
    endpoint.c = c;
    return context;
}

static void nothing(void *state)
{
    (void)state;
}

static const struct nea_component collector = {.name = "SWIMA", .subtype = PA_SUBTYPE_SWIMA, .create = create,
                                               .begin_handshake = nothing, .receive = receive, .batch_ending = nothing,
                                               .destroy = nothing};

/* ---- the server ---- */

static struct store *store;
static struct store_request *open_request;
static bool disk_full; /* for tags */

static bool submit(void *context, struct store_request *r)
{
    (void)context;
    open_request = r;
    return true;
}

static void wake(void *context)
{
    (void)context;
}

/* As a store thread does it. */
static void answer_request(void)
{
    struct store_request *r = open_request;
    open_request = NULL;
    if (r->work == WORK_POSITION) {
        r->status = store_position(store, r->in.endpoint, &r->out.position, &r->error);
        tags_look(store, r->tags, &r->out.position);
    } else {
        if (r->work == WORK_TAGS)
            tags_judge(r->tags);
        assert_int_equal(store_begin(store, &r->error), STORE_OK);
        r->status = r->work == WORK_TAGS && disk_full ? STORE_FAILED
                    : r->work == WORK_REPORT  ? store_report(store, &r->in.report, &r->out.receipt, &r->error)
                    : r->work == WORK_ASKED ? tags_mark(store, r->tags, &r->error)
                    : r->work == WORK_TAGS  ? tags_store(store, r->tags, &r->error)
                    : r->work == WORK_UNASKED ? tags_unmark(store, r->tags, &r->error)
                                              : STORE_OK;
        if (r->work == WORK_REPORT && r->tags && r->tags->differing)
            tags_recount(store, r->tags, r->out.receipt.endpoint);
        assert_int_equal(r->status, r->work == WORK_TAGS && disk_full ? STORE_FAILED : STORE_OK);
        assert_int_equal(store_commit(store, &r->error), STORE_OK);
    }
    r->done(r);
}

static bool carry(struct nea_session *from, struct nea_session *to)
{
    struct wr w = wr_of(0);
    nea_session_out(from, &w);
    bool moved = w.n > 0;
    if (moved)
        nea_session_feed(to, wr_view(&w), 0);
    wr_free(&w);
    return moved;
}

static struct policy policy;
static unsigned verify;
static const struct server_trust *trust;

/* One session of the endpoint of that name. */
static enum nea_access play(const char *name, enum habit habit)
{
    const struct assessment_host host = {.submit = submit, .wake = wake, .policy = &policy, .trust = trust, .verify = verify};
    struct assessment *a = assessment_new(&host, bytes_of(name), BYTES("192.0.2.1"));
    void *contexts[] = {a};
    endpoint.habit = habit;
    endpoint.tag_requests = endpoint.wanted = 0;
    struct nea_session *c = nea_session_new(
        &(struct nea_config){.role = NEA_CLIENT, .initiator = true, .components = (const struct nea_component *const[]){&collector},
                             .contexts = contexts, .component_count = 1}, 0);
    struct nea_session *s = nea_session_new(
        &(struct nea_config){.role = NEA_SERVER, .peer_name = bytes_of(name), .component_count = 1, .contexts = contexts,
                             .components = (const struct nea_component *const[]){&server_swima_validator}}, 0);
    for (unsigned i = 0; i < 1000; i++) {
        bool moved = carry(c, s);
        moved |= carry(s, c);
        if (!moved && open_request)
            answer_request();
        else if (!moved)
            break;
    }
    enum nea_access access = nea_session_outcome(c).access;
    nea_session_free(c);
    nea_session_free(s);
    assessment_release(a);
    if (open_request)
        answer_request();
    return access;
}

static int setup(void **state)
{
    struct error error;
    (void)state;
    policy = policy_default;
    verify = 0;
    trust = NULL;
    return store_open(&store, "sqlite::memory:", &error) == STORE_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    store_close(store);
    return 0;
}

static void keep(void *context, struct bytes octets)
{
    *(size_t *)context = octets.n;
}

static size_t tags_known(void)
{
    size_t known = 0, size;
    struct error error;
    char text[64];
    for (uint32_t i = 1; i <= SOFTWARE; i++)
        known += store_tag(store, id_of(i, text), STORE_TAG_ANY, keep, &size, &error) == STORE_OK;
    return known;
}

/* SWIMA-R19, R79, R86: of two, so that what one says is not believed of all. */
static void tags_are_asked_at_the_next_session_of_two(void **state)
{
    (void)state;
    assert_int_equal(play("a", GIVES), NEA_ACCESS_ALLOWED);
    assert_int_equal(endpoint.tag_requests, 0); /* its news are enough for the first time */
    assert_int_equal(play("a", GIVES), NEA_ACCESS_ALLOWED);
    assert_int_equal(endpoint.tag_requests, 1);
    assert_int_equal(endpoint.wanted, SOFTWARE);
    assert_int_equal(tags_known(), SOFTWARE);
    assert_int_equal(play("a", GIVES), NEA_ACCESS_ALLOWED);
    assert_int_equal(endpoint.tag_requests, 0);
    static const char *const names[] = {"b", "c", "d"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        assert_int_equal(play(names[i], GIVES), NEA_ACCESS_ALLOWED);
        assert_int_equal(endpoint.tag_requests, 0);
        assert_int_equal(play(names[i], GIVES), NEA_ACCESS_ALLOWED);
        assert_int_equal(endpoint.tag_requests, i == 0);
        assert_int_equal(endpoint.wanted, i == 0 ? SOFTWARE : 0);
        struct store_position p;
        struct error error;
        assert_int_equal(store_position(store, bytes_of(names[i]), &p, &error), STORE_OK);
        assert_true(p.tags_due > time_now()); /* it is looked once a day, also in vain */
    }
}

/* What was told and could not be kept is not taken for told: the next one who has it is asked. */
static void what_cannot_be_stored_is_asked_for_again(void **state)
{
    (void)state;
    assert_int_equal(play("a", GIVES), NEA_ACCESS_ALLOWED);
    disk_full = true;
    assert_int_equal(play("a", GIVES), NEA_ACCESS_ALLOWED);
    disk_full = false;
    assert_int_equal(endpoint.tag_requests, 1);
    assert_int_equal(tags_known(), 0);
    assert_int_equal(play("a", GIVES), NEA_ACCESS_ALLOWED);
    assert_int_equal(endpoint.tag_requests, 1);
    assert_int_equal(tags_known(), SOFTWARE);
}

/* SWIMA-R6, R7, R74, R100 */
static void what_does_not_come_denies_nothing_but_silence(void **state)
{
    static const struct {
        enum habit habit;
        enum nea_access access;
    } rows[] = {{HAS_NONE, NEA_ACCESS_ALLOWED}, {ERRS, NEA_ACCESS_ALLOWED},       {LIES, NEA_ACCESS_ALLOWED},
                {GARBAGE, NEA_ACCESS_ALLOWED},  {SILENT, NEA_ACCESS_DENIED}, {OTHER_TYPE, NEA_ACCESS_DENIED}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        assert_int_equal(setup(state), 0);
        assert_int_equal(play("a", GIVES), NEA_ACCESS_ALLOWED);
        assert_int_equal(play("a", rows[i].habit), rows[i].access);
        assert_int_equal(endpoint.tag_requests, 1);
        assert_int_equal(tags_known(), 0);
        assert_int_equal(play("a", rows[i].habit), NEA_ACCESS_ALLOWED); /* and it is not asked again at once */
        assert_int_equal(endpoint.tag_requests, 0);
        teardown(state);
    }
}

/* A reference for each, as the import makes it. */
static void import_references(uint32_t count)
{
    struct error error;
    for (uint32_t i = 1; i <= count; i++) {
        char text[64];
        struct wr w = wr_of(0);
        struct arena a = arena_of(1 << 20);
        struct store_tag tag;
        struct swid_tag read;
        int64_t software;
        put_full_tag(&w, id_of(i, text), i, false);
        assert_true(tags_read(wr_view(&w), id_of(i, text), &a, &a, &tag, &read, &error));
        assert_int_equal(tag.file_count, 1);
        assert_int_equal(store_begin(store, &error), STORE_OK);
        assert_int_equal(store_reference(store, id_of(i, text), BYTES("test"), 1000, &tag, &software, &error), STORE_OK);
        assert_int_equal(store_commit(store, &error), STORE_OK);
        arena_free(&a);
        wr_free(&w);
    }
}

static struct store_verified verified(int64_t id)
{
    struct store_verified v;
    struct error error;
    assert_int_equal(store_verified(store, id, &v, &error), STORE_OK);
    return v;
}

/* Spot checks are asked one at a time, in turn; what differs is a finding, and decides in the same session. */
static void spot_checks_find_what_differs(void **state)
{
    struct error error;
    (void)state;
    assert_int_equal(play("web1", GIVES), NEA_ACCESS_ALLOWED); /* endpoint 1 */
    import_references(SOFTWARE);
    assert_int_equal(play("web1", CHANGES_FILES), NEA_ACCESS_ALLOWED); /* 0: none is asked */
    assert_int_equal(endpoint.tag_requests, 0);
    assert_int_equal(verified(1).references, SOFTWARE);
    verify = 1;
    assert_true(policy_parse(&policy, BYTES("files=quarantine"), &error));
    assert_int_equal(play("web1", GIVES_FILES), NEA_ACCESS_ALLOWED);
    assert_int_equal(endpoint.wanted, 1);
    assert_int_equal(verified(1).compared, 1);
    assert_int_equal(play("web1", CHANGES_FILES), NEA_ACCESS_QUARANTINED);
    assert_int_equal(verified(1).compared, 2);
    assert_int_equal(verified(1).findings, 1);
    /* Another one agrees, or does not tell: the finding stays. */
    assert_int_equal(play("web1", GIVES_FILES), NEA_ACCESS_QUARANTINED);
    assert_int_equal(play("web1", GIVES), NEA_ACCESS_QUARANTINED);
    assert_int_equal(play("web1", HAS_NONE), NEA_ACCESS_QUARANTINED);
    assert_int_equal(verified(1).compared, 3);
    assert_true(policy_parse(&policy, BYTES("files=deny"), &error));
    assert_int_equal(play("web1", ERRS), NEA_ACCESS_DENIED);
    /* All at once. */
    verify = SOFTWARE;
    policy = policy_default;
    assert_int_equal(play("web1", CHANGES_FILES), NEA_ACCESS_ALLOWED);
    assert_int_equal(endpoint.wanted, SOFTWARE);
    assert_int_equal(verified(1).findings, SOFTWARE);
}

/* What closes a finding lets the endpoint in at once. */
static void a_finding_closes_with_the_report_that_agrees(void **state)
{
    struct error error;
    (void)state;
    assert_int_equal(play("web1", GIVES), NEA_ACCESS_ALLOWED);
    import_references(SOFTWARE);
    verify = 1;
    assert_true(policy_parse(&policy, BYTES("files=deny"), &error));
    for (unsigned i = 0; i < SOFTWARE; i++)
        assert_int_equal(play("web1", CHANGES_FILES), NEA_ACCESS_DENIED);
    assert_int_equal(verified(1).findings, SOFTWARE);
    verify = SOFTWARE;
    assert_int_equal(play("web1", GIVES_FILES), NEA_ACCESS_ALLOWED);
    assert_int_equal(verified(1).findings, 0);
}

static bool vendor_signed(void *context, struct bytes tag, struct wr *who)
{
    ++*(unsigned *)context;
    wr_str(who, "CN=vendor");
    return tag.n > 0;
}

struct origins {
    unsigned by_test, by_vendor, reported;
};

static bool count_origin(void *context, const struct store_tag_item *t)
{
    struct origins *o = context;
    bool reference = t->kind == STORE_REFERENCE;
    o->by_test += reference && bytes_equal(t->origin.who, BYTES("test"));
    o->by_vendor += reference && bytes_equal(t->origin.who, BYTES("CN=vendor"));
    o->reported += !reference && bytes_equal(t->origin.endpoint_name, BYTES("web1"));
    return true;
}

static void expect_origins(unsigned by_test, unsigned by_vendor, unsigned reported)
{
    struct error error;
    struct origins o = {0};
    uint64_t next;
    assert_int_equal(store_tag_list(store, 0, 1000, count_origin, &o, &next, &error), STORE_OK);
    assert_int_equal(o.by_test, by_test);
    assert_int_equal(o.by_vendor, by_vendor);
    assert_int_equal(o.reported, reported);
}

/* A tag that a trusted one signed is a reference where there is none: an old one that somebody brings once more replaces nothing, and one of other
 * software is nothing at all. */
static void signed_tags_are_references(void **state)
{
    unsigned asked = 0;
    const struct server_trust vendor = {vendor_signed, &asked};
    (void)state;
    assert_int_equal(play("web1", GIVES), NEA_ACCESS_ALLOWED);
    import_references(1);
    trust = &vendor;
    assert_int_equal(play("web1", LIES), NEA_ACCESS_ALLOWED);
    expect_origins(1, 0, 0);
    teardown(state);
    assert_int_equal(setup(state), 0); /* once more, with the truth */
    assert_int_equal(play("web1", GIVES), NEA_ACCESS_ALLOWED);
    import_references(1);
    trust = &vendor;
    verify = SOFTWARE;
    assert_int_equal(play("web1", GIVES_FILES), NEA_ACCESS_ALLOWED);
    expect_origins(1, SOFTWARE - 1, 0);
    assert_true(asked >= SOFTWARE);
    assert_int_equal(verified(1).findings, 0);
    /* What its files are like now is measured by that. */
    assert_int_equal(play("web1", CHANGES_FILES), NEA_ACCESS_ALLOWED);
    expect_origins(1, SOFTWARE - 1, 0);
    assert_int_equal(verified(1).findings, SOFTWARE);
    /* Without anybody who is trusted a signature is worth nothing. */
    teardown(state);
    assert_int_equal(setup(state), 0);
    assert_int_equal(play("web1", GIVES), NEA_ACCESS_ALLOWED);
    assert_int_equal(play("web1", GIVES), NEA_ACCESS_ALLOWED);
    expect_origins(0, 0, SOFTWARE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tags_are_asked_at_the_next_session_of_two, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_stored_is_asked_for_again, setup, teardown),
        cmocka_unit_test(what_does_not_come_denies_nothing_but_silence),
        cmocka_unit_test_setup_teardown(spot_checks_find_what_differs, setup, teardown),
        cmocka_unit_test_setup_teardown(signed_tags_are_references, setup, teardown),
        cmocka_unit_test_setup_teardown(a_finding_closes_with_the_report_that_agrees, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
