/* PA-TNC: the golden vectors, and what they do not show. */
#include "nea/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t from_hex(const char *hex, uint8_t *out, size_t max)
{
    size_t n = 0;
    unsigned octet;
    while (n < max && sscanf(hex, "%2x", &octet) == 1) {
        out[n++] = (uint8_t)octet;
        hex += 2;
    }
    return n;
}

static void encode(struct wr *w, const struct pa_message *m)
{
    pa_message_put(w, m->id);
    for (size_t i = 0; i < m->count; i++) {
        const struct pa_attribute *a = &m->attributes[i];
        if (a->type) {
            pa_attribute_put(w, a->type, a->flags, a->fields);
        } else {
            wr_u8(w, a->flags);
            wr_u24(w, a->vendor);
            wr_u32(w, a->number);
            wr_u32(w, a->value.n + 12);
            wr_bytes(w, a->value);
        }
    }
}

/* Rows of the table that some well-formed vector holds. */
static bool seen[PA_TYPE_COUNT];

static void check_vector(const char *name, const char *code, const char *offset, struct bytes message)
{
    struct arena arena = arena_of(1 << 20);
    struct pa_message m;
    struct nea_fault fault;
    enum pa_error_code got = pa_message_decode(&arena, message, NEA_OBSERVER, &m, &fault);
    if (!strcmp(code, "silent")) {
        assert_true(m.has_error);
    } else {
        if (got != (unsigned)atoi(code) || (got && fault.offset != (size_t)atoi(offset)))
            fail_msg("%s: code %d at %zu, expected %s at %s", name, (int)got, fault.offset, code, offset);
        assert_int_equal(fault.code, got);
        assert_true(got == PA_OK || (fault.rule && fault.section && fault.text[0]));
    }
    if (got == PA_OK) {
        struct wr w = wr_of(0);
        encode(&w, &m);
        if (!bytes_equal(wr_view(&w), message))
            fail_msg("%s: encodes to something else", name);
        wr_reset(&w);
        struct json j = json_of(&w);
        json_array_begin(&j, NULL);
        for (size_t i = 0; i < m.count; i++) {
            if (m.attributes[i].type)
                seen[m.attributes[i].type - pa_types] = true;
            pa_attribute_json(&j, &m.attributes[i]);
        }
        json_array_end(&j);
        assert_false(w.bad);
        wr_free(&w);
    }
    /* Cut anywhere, every vector is refused or decodes to something shorter; nothing is read beyond the end (a copy of
     * exact size). */
    for (size_t n = 0; n < message.n; n++) {
        uint8_t *copy = malloc(n ? n : 1);
        memcpy(copy, message.p, n);
        arena_reset(&arena);
        (void)!pa_message_decode(&arena, (struct bytes){copy, n}, NEA_OBSERVER, &m, &fault);
        free(copy);
    }
    arena_free(&arena);
}

/* PA-R1, R3, R6, R9, R11, R13, R14, R16, R18, R19, R20, R21, R25, R26, R28, R29, R30, R31, R32, R33, R42, R43, R46,
 * R47, R49, R50; SWIMA-R81, R82, R88, R99, R106, R110: what each vector is about stands in its name and its expected
 * code */
static void golden_vectors(void **state)
{
    (void)state;
    char path[4096], line[4096], name[32], code[16], offset[16], hex[4000];
    uint8_t octets[2000];
    unsigned count = 0;
    snprintf(path, sizeof path, "%s/test/golden/pa-vectors.txt",
             getenv("MUSTER_SOURCE") ? getenv("MUSTER_SOURCE") : ".");
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#')
            continue;
        assert_int_equal(sscanf(line, "%31s %15s %15s %3999s", name, code, offset, hex), 4);
        assert_true(strlen(hex) % 2 == 0 && strlen(hex) / 2 < sizeof octets &&
                    strspn(hex, "0123456789abcdef") == strlen(hex));
        if (name[0] >= 'A' && name[0] <= 'D') /* of vectors-pa.md: A to D */
            count++;
        check_vector(name, code, offset, (struct bytes){octets, from_hex(hex, octets, sizeof octets)});
    }
    fclose(f);
    assert_true(count >= 76);
    for (size_t i = 0; i < PA_TYPE_COUNT; i++)
        if (!seen[i])
            fail_msg("%s has no golden vector", pa_types[i].name);
}

static struct nea_fault fault_of(struct bytes message, enum nea_role receiver)
{
    struct arena arena = arena_of(1 << 20);
    struct pa_message m;
    struct nea_fault fault;
    fault.code = pa_message_decode(&arena, message, receiver, &m, &fault);
    arena_free(&arena);
    return fault;
}

/* PA-R7, R8, R9, R37, R38, R39, R51 */
static void errors_quote_the_message(void **state)
{
    (void)state;
    struct wr w = wr_of(0);
    struct bytes old = BYTES("\x02\xab\xcd\xef\x00\x00\xbe\xef");
    struct nea_fault fault = fault_of(old, NEA_CLIENT);
    assert_int_equal(fault.code, PA_VERSION_NOT_SUPPORTED);
    pa_message_put(&w, 0x20000002);
    pa_error_put(&w, old, &fault);
    struct bytes a82 = BYTES("\x01\x00\x00\x00\x20\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x08\x00\x00\x00\x20\x00\x00"
                             "\x00\x00\x00\x00\x00\x02"
                             "\x02\xab\xcd\xef\x00\x00\xbe\xef\x01\x01\x00\x00");
    assert_true(bytes_equal(wr_view(&w), a82));

    struct bytes unknown = BYTES("\x01\x00\x00\x00\x10\x00\x00\x05\x80\x00\x90\x2a\xff\xff\xff\xfe\x00\x00\x00\x0c");
    fault = fault_of(unknown, NEA_CLIENT);
    assert_int_equal(fault.code, PA_TYPE_NOT_SUPPORTED);
    wr_reset(&w);
    pa_error_put(&w, unknown, &fault);
    assert_int_equal(w.n, 36);
    assert_memory_equal(w.p + 20, unknown.p, 8);
    assert_memory_equal(w.p + 28, unknown.p + 8, 8);

    struct bytes three =
        BYTES("\x01\x00\x00\x00\x10\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x0b\x00\x00\x00\x10\x00\x00\x00\x03");
    fault = fault_of(three, NEA_SERVER);
    wr_reset(&w);
    pa_error_put(&w, three, &fault);
    assert_int_equal(w.n, 32);
    assert_int_equal(w.p[31], 20);
    wr_free(&w);
}

/* PA-R16, R18, R53 */
static void direction_is_heeded(void **state)
{
    (void)state;
    /* Forwarding Enabled is for validators: a collector skips it, or refuses it where it must not be skipped. */
    uint8_t m[] = {1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 11, 0, 0, 0, 16, 0, 0, 0, 1};
    struct bytes message = {m, sizeof m};
    assert_int_equal(fault_of(message, NEA_CLIENT).code, PA_OK);
    m[8] = 0x80;
    assert_int_equal(fault_of(message, NEA_CLIENT).code, PA_TYPE_NOT_SUPPORTED);
    assert_int_equal(fault_of(message, NEA_SERVER).code, PA_OK);
    m[8] = 0x7f;
    assert_int_equal(fault_of(message, NEA_CLIENT).code, PA_OK);
}

/* PA-R40, R43, R44; PA-R31: an unknown status is no fault, it means 0. */
static void values_outside_their_range(void **state)
{
    static const struct {
        uint8_t type, largest;
    } rows[] = {{9, 4}, {11, 2}, {12, 1}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        uint8_t m[] = {1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, rows[i].type, 0, 0, 0, 16, 0, 0, 0, 0};
        struct bytes message = {m, sizeof m};
        for (unsigned value = 0; value < 256; value++) {
            m[23] = (uint8_t)value;
            struct nea_fault fault = fault_of(message, NEA_OBSERVER);
            assert_int_equal(fault.code, value > rows[i].largest ? PA_INVALID_PARAMETER : PA_OK);
            assert_int_equal(fault.offset, value > rows[i].largest ? 20 : 0);
        }
        m[20] = 0x80;
        m[23] = 0;
        assert_int_equal(fault_of(message, NEA_OBSERVER).code, PA_INVALID_PARAMETER);
    }
    uint8_t status[44] = {1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 36, 4, 255};
    memcpy(status + 24, "0000-00-00T00:00:00Z", 20);
    struct arena arena = arena_of(4096);
    struct pa_message m;
    struct nea_fault fault;
    assert_int_equal(pa_message_decode(&arena, (struct bytes){status, sizeof status}, NEA_SERVER, &m, &fault), PA_OK);
    const struct pa_operational_status *f = m.attributes[0].fields;
    assert_int_equal(f->status + f->result, 0);
    arena_free(&arena);
}

static void lists_are_walked_item_by_item(void **state)
{
    (void)state;
    struct wr items = wr_of(0), w = wr_of(0);
    struct pa_sw_id_events_item in = {
        .eid = 1, .time = BYTES("2026-11-22T00:00:00Z"), .action = 1, .software_id = BYTES("a__b")};
    for (in.eid = 1; in.eid <= 1000; in.eid++)
        pa_item_put(&items, &pa_types[PA_SW_ID_EVENTS], &in);
    struct pa_sw_id_events events = {
        .request_id = 7, .last_eid = 1000, .last_consulted_eid = 1000, .events = {wr_view(&items), 1000}};
    pa_message_put(&w, 1);
    pa_attribute_put(&w, &pa_types[PA_SW_ID_EVENTS], 0, &events);

    struct arena arena = arena_of(1 << 20);
    struct pa_message m;
    struct nea_fault fault;
    assert_int_equal(pa_message_decode(&arena, wr_view(&w), NEA_SERVER, &m, &fault), PA_OK);
    const struct pa_sw_id_events *out = m.attributes[0].fields;
    assert_int_equal(out->events.count, 1000);
    assert_true(arena.used < 4096); /* no copy of the list */
    struct bytes rest = out->events.raw;
    struct pa_sw_id_events_item item;
    uint32_t n = 0;
    while (pa_list_next(m.attributes[0].type, &rest, &item))
        assert_int_equal(item.eid, ++n);
    assert_int_equal(n, 1000);
    assert_true(bytes_equal(item.software_id, BYTES("a__b")));

    /* A count that lies, either way. */
    w.p[23] = 0xe9;
    assert_int_equal(fault_of(wr_view(&w), NEA_SERVER).code, PA_INVALID_PARAMETER);
    w.p[23] = 0xe7;
    assert_int_equal(fault_of(wr_view(&w), NEA_SERVER).offset, 16);
    arena_free(&arena);
    wr_free(&items);
    wr_free(&w);
}

/* PA-R49 */
static void what_does_not_fit_is_not_encoded(void **state)
{
    (void)state;
    struct wr w = wr_of(0);
    uint8_t big[256] = {0};
    struct pa_string_version v = {.version = {big, sizeof big}};
    pa_attribute_put(&w, &pa_types[PA_STRING_VERSION], 0, &v);
    assert_true(w.bad);
    wr_reset(&w);
    struct pa_operational_status s = {.last_use = BYTES("today")};
    pa_attribute_put(&w, &pa_types[PA_OPERATIONAL_STATUS], 0, &s);
    assert_true(w.bad);
    wr_free(&w);
}

static void many_unknown_attributes_cost_little(void **state)
{
    (void)state;
    struct wr w = wr_of(0);
    pa_message_put(&w, 1);
    for (unsigned i = 0; i < 70000; i++) {
        wr_u32(&w, 0x123456);
        wr_u32(&w, i);
        wr_u32(&w, 12);
    }
    struct arena arena = arena_of(16 << 20), small = arena_of(4096);
    struct pa_message m;
    struct nea_fault fault;
    assert_int_equal(pa_message_decode(&arena, wr_view(&w), NEA_SERVER, &m, &fault), PA_OK);
    assert_int_equal(m.count, 70000);
    assert_int_equal(pa_message_decode(&small, wr_view(&w), NEA_SERVER, &m, &fault), PA_DROP);
    arena_free(&arena);
    arena_free(&small);
    wr_free(&w);
}

/* PA-R36, PA-R47: a faulty error is not answered with an error, in whichever segment the fault shows. */
static void an_error_in_segments_is_never_answered(void **state)
{
    /* Flags, vendor, type and length of the base attribute; the first segment says 24 octets. */
    static const struct {
        const char *first, *second; /* NULL: the first one is refused */
        size_t n;
        enum pa_error_code code;
    } rows[] = {
        {"\0\0\0\0\0\0\0\x8\0\0\0\x0b", NULL, 12, PA_DROP},
        {"\0\0\0\0\0\0\0\x8\0\0\0\x18", "short", 12, PA_DROP},
        {"\0\0\0\0\0\0\0\x8\0\0\0\x18", "much longer than it said", 12, PA_DROP},
        {"\0\0\0\0\0\0\0\7\0\0\0\x0b", NULL, 12, PA_INVALID_PARAMETER},
        {"\0\0\0\0\0\0\0\7\0\0\0\x18", "short", 12, PA_INVALID_PARAMETER},
        {"\0\0\0\1\0\0\0\x8\0\0\0\x18", "short", 12, PA_INVALID_PARAMETER},
        {"\0\0\0\0\0", NULL, 5, PA_INVALID_PARAMETER},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct seg s = {0};
        struct seg_transfer *t;
        struct nea_fault fault = {0};
        size_t held = 0;
        struct pa_segment_envelope e = {
            .flags = SEG_START | SEG_MORE, .base_id = 1, .segment = {(const uint8_t *)rows[i].first, rows[i].n}};
        enum seg_verdict v = seg_take(&s, 1, &e, &held, 1000, &t, &fault);
        if (rows[i].second) {
            assert_int_equal(v, SEG_WANT);
            e = (struct pa_segment_envelope){.base_id = 1, .segment = bytes_of(rows[i].second)};
            v = seg_take(&s, 1, &e, &held, 1000, &t, &fault);
        }
        assert_int_equal(v, SEG_REFUSE);
        assert_int_equal(fault.code, rows[i].code);
        assert_int_equal(held, 0);
        seg_reset(&s);
    }
}

/* PA-R22 */
static void every_row_can_be_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < PA_TYPE_COUNT; i++)
        assert_ptr_equal(pa_type_find(pa_types[i].vendor, pa_types[i].number), &pa_types[i]);
    assert_null(pa_type_find(PEN_IETF, 22));
    assert_null(pa_type_find(0x123456, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_vectors),
        cmocka_unit_test(errors_quote_the_message),
        cmocka_unit_test(direction_is_heeded),
        cmocka_unit_test(values_outside_their_range),
        cmocka_unit_test(lists_are_walked_item_by_item),
        cmocka_unit_test(what_does_not_fit_is_not_encoded),
        cmocka_unit_test(many_unknown_attributes_cost_little),
        cmocka_unit_test(an_error_in_segments_is_never_answered),
        cmocka_unit_test(every_row_can_be_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
