/* The readers of package files on octets made here: what lies in ways that no tool would write. test/host/package.py compares with the real
 * tools. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pkg/package.h"

#include <stdio.h>
#include <string.h>

#define MODE_FILE 0100644
#define MODE_LINK 0120777

/* ---- what is told, as lines ------------------------------------------------------------------------------------------------ */

struct told {
    struct wr text;
    const char *stop_at; /* a word of the line at which the sink has enough; or "content" */
    struct error error;
};

static bool go_on(struct told *t, size_t from)
{
    return !t->stop_at || !strstr(wr_string(&t->text) + from, t->stop_at);
}

static bool take_package(void *context, const struct pkg_archive *a)
{
    struct told *t = context;
    const struct pkg_package *p = &a->package;
    wr_fmt(&t->text, "%s %.*s %.*s %.*s %.*s %.*s\n", a->manager->name, (int)p->name.n, p->name.p, (int)p->version.n, p->version.p, (int)p->arch.n,
           p->arch.p, (int)p->source_name.n, p->source_name.p, (int)p->source_version.n, p->source_version.p);
    return go_on(t, 0);
}

static bool take_member(void *context, const struct pkg_member *m)
{
    struct told *t = context;
    size_t from = t->text.n;
    wr_fmt(&t->text, "%c%s%s%s%s %.*s", "?fdls"[m->file.kind], m->file.config ? "c" : "", m->file.optional ? "o" : "", m->unlisted ? "u" : "",
           m->absent ? "a" : "", (int)m->file.path.n, m->file.path.p);
    if (m->link.n)
        wr_fmt(&t->text, " -> %.*s", (int)m->link.n, m->link.p);
    if (m->same_as.n)
        wr_fmt(&t->text, " = %.*s", (int)m->same_as.n, m->same_as.p);
    wr_str(&t->text, m->delivered ? ":\n" : "\n");
    return go_on(t, from);
}

static bool take_content(void *context, struct bytes octets)
{
    struct told *t = context;
    size_t from = t->text.n;
    wr_str(&t->text, "  ");
    wr_bytes(&t->text, octets);
    wr_str(&t->text, "\n");
    return go_on(t, from);
}

static enum pkg_status read_file(struct bytes octets, struct told *t)
{
    const struct pkg_archive_sink sink = {t, take_package, take_member, take_content};
    t->text = wr_of(0);
    t->error = (struct error){""};
    return package_read((struct source){.fd = -1, .have = octets, .left = UINT64_MAX}, &sink, &t->error);
}

static void expect(struct bytes octets, const char *lines)
{
    struct told t = {0};
    assert_int_equal(read_file(octets, &t), PKG_OK);
    assert_string_equal(wr_string(&t.text), lines);
    wr_free(&t.text);
}

static void expect_fault(struct bytes octets, enum pkg_status status, const char *word)
{
    struct told t = {0};
    enum pkg_status is = read_file(octets, &t);
    if (is != status || !strstr(t.error.text, word))
        fail_msg("status %d, \"%s\", and not \"%s\"", is, t.error.text, word);
    wr_free(&t.text);
}

/* ---- making files ----------------------------------------------------------------------------------------------------------- */

static void put_tar(struct wr *w, const char *name, const char *content)
{
    size_t at = wr_hole(w, 512), n = strlen(content);
    char *h = (char *)w->p + at;
    unsigned sum = 0;
    snprintf(h, 100, "%s", name);
    memcpy(h + 100, "0000644", 8);
    snprintf(h + 124, 12, "%011zo", n);
    memcpy(h + 136, "00000000000", 12);
    memcpy(h + 148, "        0", 9);
    memcpy(h + 257, "ustar\00000", 8);
    for (size_t i = 0; i < 512; i++)
        sum += (uint8_t)h[i];
    snprintf(h + 148, 8, "%06o", sum);
    wr_str(w, content);
    wr_zero(w, -n & 511);
}

static void put_ar(struct wr *w, const char *name, struct bytes content)
{
    wr_fmt(w, "%-16s%-12d%-6d%-6d%-8s%-10zu`\n", name, 0, 0, 0, "100644", content.n);
    wr_bytes(w, content);
    if (content.n & 1)
        wr_str(w, "\n");
}

static struct wr tar_of(const char *name, const char *content)
{
    struct wr w = wr_of(0);
    put_tar(&w, name, content);
    wr_zero(&w, 1024);
    return w;
}

#define CONTROL "Package: a\nversion: 1-1\nArchitecture: all\nDescription: d\n"
static struct wr deb_of(const char *between, const char *data_name)
{
    struct wr w = wr_of(0), control = tar_of("./control", CONTROL), data = tar_of("./usr//bin/./x", "hello");
    wr_str(&w, "!<arch>\n");
    put_ar(&w, "debian-binary", BYTES("2.0\n"));
    put_ar(&w, between, BYTES("odd"));
    put_ar(&w, "control.tar/", wr_view(&control));
    put_ar(&w, data_name, wr_view(&data));
    put_ar(&w, "_gpgorigin", BYTES("x"));
    wr_free(&control);
    wr_free(&data);
    return w;
}

/* ---- rpm: a header of tags, and a cpio archive --------------------------------------------------------------------------------- */

struct made_rpm {
    struct wr index, store, payload;
    uint32_t tags;
};

static void put_tag(struct made_rpm *r, uint32_t tag, uint32_t type, uint32_t count, struct bytes value)
{
    wr_u32(&r->index, tag);
    wr_u32(&r->index, type);
    wr_u32(&r->index, r->store.n);
    wr_u32(&r->index, count);
    wr_bytes(&r->store, value);
    r->tags++;
}

static void put_numbers(struct made_rpm *r, uint32_t tag, uint32_t type, const uint32_t *values, uint32_t count)
{
    struct wr w = wr_of(0);
    for (uint32_t i = 0; i < count; i++)
        if (type == 3)
            wr_u16(&w, values[i]);
        else
            wr_u32(&w, values[i]);
    put_tag(r, tag, type, count, wr_view(&w));
    wr_free(&w);
}

/* /a and /b are one file, /l a link, /g only claimed. */
static struct made_rpm rpm_begin(void)
{
    struct made_rpm r = {wr_of(0), wr_of(0), wr_of(0), 0};
    put_tag(&r, 1000, 6, 1, BYTES("n\0"));
    put_tag(&r, 1001, 6, 1, BYTES("1\0"));
    put_tag(&r, 1002, 6, 1, BYTES("2\0"));
    put_numbers(&r, 1003, 4, (uint32_t[]){0}, 1);
    put_tag(&r, 1022, 6, 1, BYTES("noarch\0"));
    put_tag(&r, 1044, 6, 1, BYTES("src-3-4.src.rpm\0"));
    return r;
}

static void put_files(struct made_rpm *r, struct bytes names, uint32_t count)
{
    put_tag(r, 1117, 8, count, names);
    put_tag(r, 1118, 8, 1, BYTES("/\0"));
    put_numbers(r, 1116, 4, (uint32_t[]){0, 0, 0, 0}, 4);
    put_numbers(r, 1028, 4, (uint32_t[]){5, 5, 1, 9}, 4);
    put_numbers(r, 1030, 3, (uint32_t[]){MODE_FILE, MODE_FILE, MODE_LINK, MODE_FILE}, 4);
    put_numbers(r, 1037, 4, (uint32_t[]){1, 0, 0, 64}, 4);
    put_tag(r, 1035, 8, 4, BYTES("\0\0\0\0"));
    put_tag(r, 1036, 8, 4, BYTES("\0\0a\0\0"));
    put_numbers(r, 1095, 4, (uint32_t[]){1, 1, 1, 1}, 4);
    put_numbers(r, 1096, 4, (uint32_t[]){7, 7, 8, 9}, 4);
}

static void put_cpio(struct made_rpm *r, const char *name, const char *content)
{
    size_t n = strlen(content), length = strlen(name) + 1;
    wr_fmt(&r->payload, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", 1, 0, 0, 0, 1, 0, n, 0, 0, 0, 0, length, 0);
    wr_bytes(&r->payload, (struct bytes){(const uint8_t *)name, length});
    wr_zero(&r->payload, -(110 + length) & 3);
    wr_str(&r->payload, content);
    wr_zero(&r->payload, -n & 3);
}

static struct wr rpm_end(struct made_rpm *r)
{
    struct wr w = wr_of(0);
    wr_u32(&w, 0xedabeedb);
    wr_u8(&w, 3);
    wr_zero(&w, 91);
    const uint32_t signature[] = {0x8eade801, 0, 1, 3, 1000, 7, 0, 3};
    for (size_t i = 0; i < ARRAY_LENGTH(signature); i++)
        wr_u32(&w, signature[i]);
    wr_zero(&w, 8); /* three octets, padded */
    wr_u32(&w, 0x8eade801);
    wr_u32(&w, 0);
    wr_u32(&w, r->tags);
    wr_u32(&w, r->store.n);
    wr_bytes(&w, wr_view(&r->index));
    wr_bytes(&w, wr_view(&r->store));
    wr_bytes(&w, wr_view(&r->payload));
    wr_free(&r->index);
    wr_free(&r->store);
    wr_free(&r->payload);
    return w;
}

/* ---- tests --------------------------------------------------------------------------------------------------------------------- */

static void paths_stay_below_the_root(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *path; /* NULL: refused */
    } rows[] = {{"./usr//bin/", "/usr/bin"}, {"/usr/./bin", "/usr/bin"}, {"usr", "/usr"},  {".", ""},      {"./", ""},
                {"/", ""},                   {"...", "/..."},            {"..a/b", "/..a/b"}, {"", NULL},     {"..", NULL},
                {"a/..", NULL},              {"../a", NULL},             {"/../a", NULL},  {"a/../b", NULL}, {"//..//", NULL}};
    char out[PATH_MAX];
    struct bytes path;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        assert_int_equal(package_path(bytes_of(rows[i].raw), out, &path), rows[i].path != NULL);
        if (rows[i].path)
            assert_string_equal(out, rows[i].path);
    }
    assert_false(package_path(BYTES("a\0b"), out, &path));
    uint8_t longest[PATH_MAX];
    memset(longest, 'a', sizeof longest);
    assert_true(package_path((struct bytes){longest, PATH_MAX - 2}, out, &path));
    assert_int_equal(path.n, PATH_MAX - 1);
    assert_false(package_path((struct bytes){longest, PATH_MAX - 1}, out, &path));
}

static void a_deb_is_three_members_in_order(void **state)
{
    (void)state;
    struct wr good = deb_of("_note", "data.tar"), bad = deb_of("note", "data.tar"), last = deb_of("_note", "_ta.tar");
    expect(wr_view(&good), "dpkg a 1-1 all a 1-1\nf /usr/bin/x:\n  hello\n");
    expect_fault(wr_view(&bad), PKG_DAMAGED, "\"note\" stands where control.tar should");
    expect_fault(wr_view(&last), PKG_DAMAGED, "no data.tar");
    struct told t = {0};
    for (size_t n = 0; n < good.n - 62; n++) { /* what stands behind data.tar is nobody's business */
        enum pkg_status is = read_file((struct bytes){good.p, n}, &t);
        if (is != PKG_DAMAGED && is != PKG_ABSENT)
            fail_msg("cut off at %zu: %d", n, is);
        assert_true(t.error.text[0] != 0);
        wr_free(&t.text);
    }
    wr_free(&good);
    wr_free(&bad);
    wr_free(&last);
}

static void whoever_has_enough_stops_it(void **state)
{
    (void)state;
    struct wr deb = deb_of("_note", "data.tar");
    const char *words[] = {"dpkg", "/usr/bin/x", "hello"};
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        struct told t = {.stop_at = words[i]};
        assert_int_equal(read_file(wr_view(&deb), &t), PKG_STOPPED);
        assert_non_null(strstr(wr_string(&t.text), words[i]));
        wr_free(&t.text);
    }
    wr_free(&deb);
}

static void an_rpm_brings_content_links_and_claims(void **state)
{
    (void)state;
    struct made_rpm r = rpm_begin();
    put_files(&r, BYTES("a\0b\0l\0g\0"), 4);
    put_cpio(&r, "./a", "");
    put_cpio(&r, "/b", "hello");
    put_cpio(&r, "l", "a");
    put_cpio(&r, "TRAILER!!!", "");
    struct wr w = rpm_end(&r);
    expect(wr_view(&w), "rpm n 0:1-2 noarch src 3-4\nf /b:\n  hello\nl /l -> a\nfc /a = /b\nfo /g\n");
    struct told t = {0};
    for (size_t n = 0; n < w.n; n++) {
        enum pkg_status is = read_file((struct bytes){w.p, n}, &t);
        if (is != PKG_DAMAGED && is != PKG_ABSENT)
            fail_msg("cut off at %zu of %zu: %d", n, w.n, is);
        wr_free(&t.text);
    }
    wr_free(&w);
}

static void an_rpm_whose_payload_and_header_differ_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *names[4], *contents[4], *fault;
    } rows[] = {
        {{"a", "b", "TRAILER!!!"}, {"hello", "hello", ""}, "/l is not in its payload"},
        {{"a", "l", "TRAILER!!!"}, {"", "a", ""}, "/a is not in its payload"},
        {{"a", "a"}, {"hello", "hello"}, "stands in its payload, but once in its header"},
        {{"x"}, {"hello"}, "stands in its payload, but not in its header"},
        {{"a"}, {"hell"}, "another size"},
        {{"../a"}, {"hello"}, "leads out"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct made_rpm r = rpm_begin();
        put_files(&r, BYTES("a\0b\0l\0g\0"), 4);
        for (size_t k = 0; k < 4 && rows[i].names[k]; k++)
            put_cpio(&r, rows[i].names[k], rows[i].contents[k]);
        struct wr w = rpm_end(&r);
        expect_fault(wr_view(&w), PKG_DAMAGED, rows[i].fault);
        wr_free(&w);
    }
}

static void an_rpm_header_that_lies_is_refused(void **state)
{
    (void)state;
    static const struct {
        struct bytes names;
        uint32_t count;
        const char *fault;
    } rows[] = {
        {{(const uint8_t *)"a\0b\0c\0", 6}, 3, "contradict"},
        {{(const uint8_t *)"a\0b\0c\0d\0e\0", 10}, 5, "contradict"},
        {{(const uint8_t *)"a\0b\0c\0d\0", 8}, UINT32_MAX, "contradict"},
        {{(const uint8_t *)"a\0a\0l\0g\0", 8}, 4, "twice"},
        {{(const uint8_t *)"a\0..\0l\0g\0", 9}, 4, "leads out"},
        {{(const uint8_t *)"a\0b/../../c\0l\0g\0", 16}, 4, "leads out"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct made_rpm r = rpm_begin();
        put_files(&r, rows[i].names, rows[i].count);
        struct wr w = rpm_end(&r);
        expect_fault(wr_view(&w), PKG_DAMAGED, rows[i].fault);
        wr_free(&w);
    }
    struct made_rpm source = rpm_begin();
    put_numbers(&source, 1106, 4, (uint32_t[]){1}, 1);
    struct wr w = rpm_end(&source);
    expect_fault(wr_view(&w), PKG_DAMAGED, "a source package: nothing that is installed");
    wr_free(&w);
    struct made_rpm large = rpm_begin(); /* rpm's own form of cpio, which has numbers of files in place of names and sizes */
    put_files(&large, BYTES("a\0b\0l\0g\0"), 4);
    wr_str(&large.payload, "07070X00000000");
    w = rpm_end(&large);
    expect_fault(wr_view(&w), PKG_ABSENT, "more than 4 GiB");
    wr_free(&w);
}

static void values_of_a_header_stay_inside_it(void **state)
{
    (void)state;
    static const uint32_t entries[][4] = {
        {1, 4, 0, 2}, {2, 4, 0, 3}, {3, 4, 9, 1}, {4, 8, 0, 2}, {5, 8, 8, 1}, {6, 4, 0, UINT32_MAX}, {7, 99, 0, 1}, {8, 4, 0, 0}, {9, 6, 6, 1},
    };
    struct wr index = wr_of(0);
    for (size_t i = 0; i < ARRAY_LENGTH(entries); i++)
        for (size_t k = 0; k < 4; k++)
            wr_u32(&index, entries[i][k]);
    const struct rpm_header h = {wr_view(&index), BYTES("ab\0\1cd\0z")}; /* eight octets, the last one without an end */
    struct rpm_values v;
    assert_true(rpm_header_values(&h, 1, &v));
    assert_int_equal(rpm_number(&v, 0), 0x61620001);
    assert_int_equal(rpm_number(&v, 2), 0);
    for (uint32_t tag = 2; tag < 10; tag++)
        assert_int_equal(rpm_header_values(&h, tag, &v), tag == 4 || tag == 5 || tag == 9);
    assert_true(rpm_header_values(&h, 4, &v));
    assert_true(bytes_equal(rpm_next_text(&v), BYTES("ab")));
    assert_true(bytes_equal(rpm_next_text(&v), BYTES("\1cd")));
    assert_int_equal(rpm_next_text(&v).n, 0);
    assert_int_equal(rpm_header_text(&h, 5).n, 0);
    assert_int_equal(rpm_header_text(&h, 100).n, 0);
    wr_free(&index);
    uint8_t intro[] = {0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 9};
    size_t a, b;
    assert_true(rpm_header_size(intro, &a, &b));
    assert_int_equal(a, 32);
    assert_int_equal(b, 9);
    intro[12] = 0xff;
    assert_false(rpm_header_size(intro, &a, &b));
    intro[12] = 0, intro[8] = 1;
    assert_false(rpm_header_size(intro, &a, &b));
    intro[8] = 0, intro[3] = 2;
    assert_false(rpm_header_size(intro, &a, &b));
}

static void what_is_no_package_file_is_said(void **state)
{
    (void)state;
    struct wr tar = tar_of("a", "x"), late = wr_of(0);
    put_tar(&late, "a", "x");
    put_tar(&late, ".PKGINFO", "pkgname = a\npkgver = 1-1\narch = any\n");
    wr_zero(&late, 1024);
    expect_fault((struct bytes){0}, PKG_ABSENT, "no package file");
    expect_fault(BYTES("ADBd"), PKG_ABSENT, "apk 3");
    expect_fault(wr_view(&tar), PKG_ABSENT, "no .PKGINFO");
    expect_fault(wr_view(&late), PKG_ABSENT, "no .PKGINFO before");
    wr_free(&tar);
    wr_free(&late);
    struct wr good = wr_of(0);
    put_tar(&good, ".PKGINFO", "pkgname = a\npkgver=1-1\n# x = y\narch = any\nbackup = b\n");
    put_tar(&good, "b", "x");
    put_tar(&good, ".INSTALL", "x");
    wr_zero(&good, 1024);
    expect(wr_view(&good), "pacman a 1-1 any a 1-1\nfc /b:\n  x\n");
    wr_free(&good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_stay_below_the_root),
        cmocka_unit_test(a_deb_is_three_members_in_order),
        cmocka_unit_test(whoever_has_enough_stops_it),
        cmocka_unit_test(an_rpm_brings_content_links_and_claims),
        cmocka_unit_test(an_rpm_whose_payload_and_header_differ_is_refused),
        cmocka_unit_test(an_rpm_header_that_lies_is_refused),
        cmocka_unit_test(values_of_a_header_stay_inside_it),
        cmocka_unit_test(what_is_no_package_file_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
