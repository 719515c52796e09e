/* The package managers' orders of versions. The tables are ours; where the folder of shared feeds stands beside the
 * source, the pairs that the managers' own projects test with are held to as well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pkg/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of each order: versions that grow from left to right; "=" says that the next one equals the last. */
static const struct {
    const char *order;
    const char *growing[24];
} rows[] = {
    {"dpkg",
     {"0~~", "0~~a", "0~", "0", "=", "0-0", "=", "0:0", "0-0.1", "0-1~bpo12+1", "0-1", "0-1+b1", "0a", "0+", "1.2.3",
      "1.10", "1:0"}},
    {"rpm",
     {"1.0~beta", "1.0~rc1", "1.0", "=", "0:1.0", "=", "01.0", "1.0-", "1.0-0~", "1.0-1", "1.0-1.el9", "1.0^git1",
      "1.0.a", "1.0.1", "1.10", "2.0", "1:0"}},
    {"apk",
     {"1.0_alpha", "1.0_alpha1", "1.0_beta", "1.0_pre", "1.0_rc", "1.0", "1.0-r0", "1.0-r1", "1.0_cvs1",
      "1.0_git20240101", "1.0_p1", "1.0a", "1.0b", "1.0.01", "1.0.1", "1.1", "1.10", "2"}},
    {"pacman",
     {"1.0alpha", "1.0beta", "1.0rc1", "1.0", "=", "0:1.0", "=", "1.0-1", "1.0.a", "1.0.", "1.0.1", "1.1", "1.10",
      "2.0-2", "1:1.0-1"}},
    {"snap", {"9+rx2", "1+rx10", "9+r1", "=", "1.0~beta+r1", "r2", "1+r10", "0+r100"}},
};

static void orders_grow(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct pkg_order *o = pkg_order_find(rows[i].order);
        const char *const *v = rows[i].growing;
        assert_non_null(o);
        assert_string_equal(o->name, rows[i].order);
        /* A class of equal ones begins at each entry that no "=" stands before. */
        int class[ARRAY_LENGTH(rows[0].growing)] = {0}, n = 0;
        for (size_t k = 0; k < ARRAY_LENGTH(rows[0].growing) && v[k]; k++)
            class[k] = v[k][0] == '=' ? -1 : k && v[k - 1][0] == '=' ? n : ++n;
        for (size_t a = 0; a < ARRAY_LENGTH(class) && v[a]; a++)
            for (size_t b = 0; b < ARRAY_LENGTH(class) && v[b]; b++) {
                if (class[a] < 0 || class[b] < 0)
                    continue;
                int want = (class[a] > class[b]) - (class[a] < class[b]);
                if (o->compare(bytes_of(v[a]), bytes_of(v[b])) != want)
                    fail_msg("%s: %s and %s: not %d", o->name, v[a], v[b], want);
                assert_null(o->fault(bytes_of(v[a])));
            }
    }
    assert_null(pkg_order_find("none"));
}

static void what_is_no_version_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *order, *text;
    } bad[] = {
        {"dpkg", ""},    {"dpkg", "1:"},       {"dpkg", "x:1"},    {"dpkg", "1-"},     {"dpkg", "4294967296:1"},
        {"dpkg", "1_2"}, {"dpkg", "1 2"},      {"rpm", ""},        {"rpm", "1:"},      {"rpm", "-1"},
        {"rpm", "1\n"},  {"rpm", "1\xc3\xa9"}, {"apk", ""},        {"apk", "a"},       {"apk", "1."},
        {"apk", "1-1"},  {"apk", "1_foo1"},    {"apk", "1.0ab"},   {"apk", "1-r1-r2"}, {"apk", "1~xyz"},
        {"pacman", ""},  {"pacman", "1/2"},    {"pacman", "1:-1"}, {"pacman", "1 "},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        const struct pkg_order *o = pkg_order_find(bad[i].order);
        if (!o->fault(bytes_of(bad[i].text)))
            fail_msg("%s: \"%s\" was taken for a version", bad[i].order, bad[i].text);
        assert_int_equal(o->compare(bytes_of(bad[i].text), bytes_of(bad[i].text)),
                         0); /* it has its place all the same */
    }
}

/* Numbers of any length, and no time lost on them. */
static void long_versions(void **state)
{
    (void)state;
    struct wr a = wr_of(1 << 21), b = wr_of(1 << 21);
    for (int i = 0; i < 100000; i++) {
        wr_str(&a, "9999999999");
        wr_str(&b, "9999999999");
    }
    wr_str(&b, "0");
    for (size_t i = 0; pkg_orders[i]; i++) {
        assert_int_equal(pkg_orders[i]->compare(wr_view(&a), wr_view(&b)), -1);
        assert_int_equal(pkg_orders[i]->compare(wr_view(&b), wr_view(&a)), 1);
    }
    wr_free(&a);
    wr_free(&b);
}

/* Lines "A < B", "#" begins a comment. Those that are no versions may be ordered in any way. */
static void check_pairs(const char *order, const char *name, size_t at_least)
{
    const struct pkg_order *o = pkg_order_find(order);
    const char *source = getenv("MUSTER_SOURCE");
    char path[PATH_MAX];
    struct lines lines;
    struct bytes line;
    bool whole;
    size_t pairs = 0;
    snprintf(path, sizeof path, "%s/../shared/feeds/version-pairs/%s", source ? source : ".", name);
    if (lines_open(&lines, path) != PKG_OK) {
        print_message("%s: not there, its pairs are not tried\n", path);
        skip();
    }
    while (lines_next(&lines, &line, &whole)) {
        struct bytes rest = bytes_split(&line, '#');
        struct bytes a = bytes_split(&rest, ' '), sign = bytes_split(&rest, ' '), b = bytes_split(&rest, ' ');
        b = bytes_trim(b);
        if (sign.n != 1 || !strchr("<=>", sign.p[0]) || o->fault(a) || o->fault(b))
            continue;
        int want = sign.p[0] == '<' ? -1 : sign.p[0] == '>';
        if (o->compare(a, b) != want || o->compare(b, a) != -want)
            fail_msg("%s:%zu: %.*s", name, lines.number, (int)(b.p + b.n - a.p), (const char *)a.p);
        pairs++;
    }
    lines_close(&lines);
    if (pairs < at_least)
        fail_msg("%s: only %zu pairs", name, pairs);
}

static void debian_pairs(void **state)
{
    (void)state;
    check_pairs("dpkg", "debian-versions.txt.gz", 20);
    check_pairs("dpkg", "debian-versions-generated.txt.gz", 14000);
}

static void red_hat_pairs(void **state)
{
    (void)state;
    check_pairs("rpm", "redhat-versions.txt.gz", 150);
}

static void alpine_pairs(void **state)
{
    (void)state;
    check_pairs("apk", "alpine-versions.txt.gz", 700);
    check_pairs("apk", "alpine-versions-generated.txt.gz", 13900);
    check_pairs("apk", "apk-tools.version.data", 700);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_grow),   cmocka_unit_test(what_is_no_version_is_said),
        cmocka_unit_test(long_versions), cmocka_unit_test(debian_pairs),
        cmocka_unit_test(red_hat_pairs), cmocka_unit_test(alpine_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
