#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void reader_sticks_at_the_first_failure(void **state)
{
    (void)state;
    struct rd r = rd_of(BYTES("\x01\x02\x03\x04\x05"), 8);
    assert_int_equal(rd_u16(&r), 0x0102);
    assert_int_equal(rd_u32(&r), 0);
    assert_true(r.bad);
    assert_int_equal(r.bad_at, 10);
    assert_false(rd_more(&r));
    assert_int_equal(rd_u8(&r), 0);
    assert_int_equal(r.bad_at, 10);
}

static void sub_reader_cannot_leave_its_view(void **state)
{
    (void)state;
    struct rd r = rd_of(BYTES("\x01\x02\x03\x04"), 0);
    struct rd sub = rd_sub(&r, 2);
    assert_int_equal(rd_u24(&sub), 0);
    assert_true(sub.bad);
    assert_false(r.bad);
    assert_int_equal(rd_u16(&r), 0x0304);
    struct rd none = rd_sub(&r, 1);
    assert_true(none.bad && r.bad);
}

static void writer_refuses_what_does_not_fit(void **state)
{
    (void)state;
    struct wr w = wr_of(16);
    wr_u24(&w, 0x1000000);
    assert_true(w.bad);
    assert_int_equal(wr_view(&w).n, 0);
    wr_reset(&w);
    size_t hole = wr_hole(&w, 4);
    wr_str(&w, "twelve bytes");
    wr_patch32(&w, hole, 12);
    assert_true(bytes_equal(wr_view(&w), BYTES("\0\0\0\x0ctwelve bytes")));
    wr_u8(&w, 1); /* the 17th octet */
    assert_true(w.bad);
    wr_free(&w);
    struct wr big = wr_of(0);
    wr_fmt(&big, "%0600d", 7);
    assert_int_equal(wr_view(&big).n, 600);
    assert_int_equal(strlen(wr_string(&big)), 600);
    wr_free(&big);
}

static void arena_keeps_its_limit(void **state)
{
    (void)state;
    struct arena a = arena_of(1000);
    assert_non_null(arena_alloc(&a, 900));
    assert_null(arena_alloc(&a, 200));
    assert_true(a.exhausted);
    assert_null(arena_zalloc(&a, SIZE_MAX / 2, 4));
    arena_reset(&a);
    assert_non_null(arena_zalloc(&a, 10, 16));
    struct arena big = arena_of((size_t)8 << 20);
    for (int i = 0; i < 10000; i++) {
        uint64_t *p = arena_alloc(&big, 24);
        assert_non_null(p);
        p[0] = p[2] = (uint64_t)i;
    }
    arena_free(&big);
    arena_free(&a);
}

static void utf8_rejects_what_rfc_3629_rejects(void **state)
{
    (void)state;
    assert_true(utf8_valid(BYTES("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")));
    assert_false(utf8_valid(BYTES("\xc0\x80")));         /* overlong */
    assert_false(utf8_valid(BYTES("\xed\xa0\x80")));     /* surrogate */
    assert_false(utf8_valid(BYTES("\xf4\x90\x80\x80"))); /* above U+10FFFF */
    assert_false(utf8_valid(BYTES("\xe2\x82")));         /* cut */
    assert_int_equal(utf8_cut(BYTES("ab\xe2\x82\xac"), 4), 2);
}

static void times_round_trip_and_reject(void **state)
{
    (void)state;
    char text[TIME_TEXT];
    int64_t t;
    for (int64_t v = -62135596800; v < 253402300800; v += 86399 * 997) {
        time_format(v, text);
        assert_true(time_parse(bytes_of(text), &t));
        assert_true(t == v);
    }
    time_format(TIME_UNKNOWN, text);
    assert_string_equal(text, "0000-00-00T00:00:00Z");
    assert_true(time_parse(BYTES("0000-00-00T00:00:00Z"), &t) && t == TIME_UNKNOWN);
    assert_true(time_parse(BYTES("2016-12-31T23:59:60Z"), &t));
    time_format(t, text);
    assert_string_equal(text, "2017-01-01T00:00:00Z");
    assert_false(time_parse(BYTES("2016-12-31t23:59:59Z"), &t));
    assert_false(time_parse(BYTES("2015-02-29T00:00:00Z"), &t));
    assert_false(time_parse(BYTES("2016-13-01T00:00:00Z"), &t));
    assert_false(time_parse(BYTES("2016-12-31T23:59:59.5Z"), &t));
}

static void options_take_dates_offsets_and_ages(void **state)
{
    (void)state;
    int64_t t;
    assert_true(time_parse_option("-7d", 1000000, &t) && t == 1000000 - 7 * 86400);
    assert_true(time_parse_option("1970-01-02", 0, &t) && t == 86400);
    assert_true(time_parse_option("1970-01-01T02:00:00.25+02:00", 0, &t) && t == 0);
    assert_false(time_parse_option("-7x", 0, &t));
    assert_false(time_parse_option("yesterday", 0, &t));
    assert_false(time_parse_option("1970-01-01T02:00:00", 0, &t));
}

static void local_times_follow_the_clock_changes(void **state)
{
    (void)state;
    int64_t first, second;
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    /* 02:30 happened twice on 2024-10-27: 00:30Z in summer time, 01:30Z in winter time. */
    assert_true(time_from_local(2024, 10, 27, 2, 30, 0, TIME_UNKNOWN, &first));
    assert_true(first == 1729989000);
    assert_true(time_from_local(2024, 10, 27, 2, 10, 0, first, &second));
    assert_true(second == 1729989000 - 1200 + 3600);
    assert_true(time_from_local(2024, 7, 1, 12, 0, 0, TIME_UNKNOWN, &first));
    assert_true(first == 1719828000);
    assert_false(time_from_local(2024, 2, 30, 0, 0, 0, TIME_UNKNOWN, &first));
    setenv("TZ", "UTC", 1);
    tzset();
    assert_true(time_from_local(2024, 10, 27, 2, 30, 0, TIME_UNKNOWN, &first) && first == 1729996200);
}

static void json_escapes_and_separates(void **state)
{
    (void)state;
    struct wr w = wr_of(0);
    struct json j = json_of(&w);
    json_object_begin(&j, NULL);
    json_text(&j, "a\"", BYTES("x\\\n\x01\xff\xc3\xa9"));
    json_array_begin(&j, "list");
    json_number(&j, NULL, -5);
    json_object_begin(&j, NULL);
    json_object_end(&j);
    json_array_end(&j);
    json_time(&j, "when", 0);
    json_str(&j, "none", NULL);
    json_object_end(&j);
    assert_string_equal(wr_string(&w), "{\"a\\\"\":\"x\\\\\\n\\u0001\xef\xbf\xbd\xc3\xa9\",\"list\":[-5,{}],"
                                       "\"when\":\"1970-01-01T00:00:00Z\",\"none\":null}");
    wr_free(&w);
}

static void bytes_split_and_number(void **state)
{
    (void)state;
    struct bytes rest = BYTES("a,,b");
    assert_true(bytes_equal(bytes_split(&rest, ','), BYTES("a")));
    assert_int_equal(bytes_split(&rest, ',').n, 0);
    assert_non_null(rest.p);
    assert_true(bytes_equal(bytes_split(&rest, ','), BYTES("b")));
    assert_null(rest.p);
    uint64_t v;
    assert_true(bytes_number(BYTES("18446744073709551615"), &v) && v == UINT64_MAX);
    assert_false(bytes_number(BYTES("18446744073709551616"), &v));
    assert_false(bytes_number(BYTES("-1"), &v));
    assert_true(bytes_compare(BYTES("ab"), BYTES("abc")) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reader_sticks_at_the_first_failure),
        cmocka_unit_test(sub_reader_cannot_leave_its_view),
        cmocka_unit_test(writer_refuses_what_does_not_fit),
        cmocka_unit_test(arena_keeps_its_limit),
        cmocka_unit_test(utf8_rejects_what_rfc_3629_rejects),
        cmocka_unit_test(times_round_trip_and_reject),
        cmocka_unit_test(options_take_dates_offsets_and_ages),
        cmocka_unit_test(local_times_follow_the_clock_changes),
        cmocka_unit_test(json_escapes_and_separates),
        cmocka_unit_test(bytes_split_and_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
