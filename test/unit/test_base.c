#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
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

/* RFC 9636; compared with what libc makes of the same zone, beyond the years that its file lists. */
static void zones_are_read_as_libc_does(void **state)
{
    (void)state;
    static const char *const names[] = {"UTC", "Europe/Berlin", "Europe/Dublin", "Europe/Moscow", "America/New_York", "America/St_Johns",
                                        "America/Godthab", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia", "Asia/Gaza"};
    static char octets[1 << 16];
    char path[128];
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", names[i]);
        FILE *f = fopen(path, "re");
        if (!f) {
            print_message("%s is not there: skipped\n", path);
            skip();
        }
        size_t n = fread(octets, 1, sizeof octets, f);
        fclose(f);
        struct zone *z = zone_of_file((struct bytes){(const uint8_t *)octets, n});
        assert_non_null(z);
        setenv("TZ", names[i], 1);
        tzset();
        for (int64_t t = -3000000000; t < 8000000000; t += 40037 * 7) {
            time_t at = t;
            struct tm tm;
            int64_t earliest, latest;
            assert_non_null(localtime_r(&at, &tm));
            if (zone_offset(z, t) != tm.tm_gmtoff)
                fail_msg("%s at %lld: %lld, libc says %ld", names[i], (long long)t, (long long)zone_offset(z, t), tm.tm_gmtoff);
            assert_in_range(zone_read(z, t + tm.tm_gmtoff, &earliest, &latest), 1, 2);
            assert_true(earliest == t || latest == t);
        }
        for (size_t cut = 0; cut < n; cut++) { /* cut off anywhere: no zone, or no worse than that */
            uint8_t *copy = malloc(cut ? cut : 1);
            memcpy(copy, octets, cut);
            struct zone *part = zone_of_file((struct bytes){copy, cut});
            assert_null(part);
            free(copy);
        }
        zone_free(z);
    }
    setenv("TZ", "UTC", 1);
    tzset();
}

static void rules_tell_what_comes_twice_and_never(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *local;
        unsigned shown;
        const char *earliest, *latest;
    } rows[] = {
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2024-07-01T12:00:00Z", 1, "2024-07-01T10:00:00Z", "2024-07-01T10:00:00Z"},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2024-10-27T01:59:59Z", 1, "2024-10-26T23:59:59Z", "2024-10-26T23:59:59Z"},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2024-10-27T02:00:00Z", 2, "2024-10-27T00:00:00Z", "2024-10-27T01:00:00Z"},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2024-10-27T02:59:59Z", 2, "2024-10-27T00:59:59Z", "2024-10-27T01:59:59Z"},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2024-10-27T03:00:00Z", 1, "2024-10-27T02:00:00Z", "2024-10-27T02:00:00Z"},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2024-03-31T02:00:00Z", 0, "2024-03-31T00:00:00Z", "2024-03-31T01:00:00Z"},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2024-03-31T03:00:00Z", 1, "2024-03-31T01:00:00Z", "2024-03-31T01:00:00Z"},
        {"EST5EDT", "2024-03-10T02:30:00Z", 0, "2024-03-10T06:30:00Z", "2024-03-10T07:30:00Z"},
        {"NZST-12NZDT,M9.5.0,M4.1.0/3", "2024-01-01T00:00:00Z", 1, "2023-12-31T11:00:00Z", "2023-12-31T11:00:00Z"},
        {"NZST-12NZDT,M9.5.0,M4.1.0/3", "2024-04-07T02:30:00Z", 2, "2024-04-06T13:30:00Z", "2024-04-06T14:30:00Z"},
        {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2024-04-07T01:45:00Z", 2, "2024-04-06T14:45:00Z", "2024-04-06T15:15:00Z"},
        {"AAA3BBB,J60/0,J120/0", "2024-02-29T12:00:00Z", 1, "2024-02-29T15:00:00Z", "2024-02-29T15:00:00Z"},
        {"AAA3BBB,59/0,120/0", "2024-02-29T12:00:00Z", 1, "2024-02-29T14:00:00Z", "2024-02-29T14:00:00Z"},
        {"UTC0", "2024-10-27T02:30:00Z", 1, "2024-10-27T02:30:00Z", "2024-10-27T02:30:00Z"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct zone *z = zone_of_rule(bytes_of(rows[i].rule));
        int64_t local, earliest, latest;
        char text[TIME_TEXT];
        assert_non_null(z);
        assert_true(time_parse(bytes_of(rows[i].local), &local));
        assert_int_equal(zone_read(z, local, &earliest, &latest), rows[i].shown);
        time_format(earliest, text);
        assert_string_equal(text, rows[i].earliest);
        time_format(latest, text);
        assert_string_equal(text, rows[i].latest);
        zone_free(z);
    }
    static const char *const bad[] = {"", "UTC", "Europe/Brlin", "CE-1", "CET-25", "CET-1CEST,", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0/3",
                                      "CET-1CEST,M3.5.0,M10.5.0/3x", "<CET-1", "CET-1:60", "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,J0,J365"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_null(zone_of_rule(bytes_of(bad[i])));
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
        cmocka_unit_test(zones_are_read_as_libc_does),
        cmocka_unit_test(rules_tell_what_comes_twice_and_never),
        cmocka_unit_test(json_escapes_and_separates),
        cmocka_unit_test(bytes_split_and_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
