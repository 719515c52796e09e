/* What packages say of themselves: licences, relations, and who depends on whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pkg/internal.h"
#include "roots.h"

/* ---- licences ----------------------------------------------------------------------------------------------------------------- */

static void licences_are_spdx(void **state)
{
    (void)state;
    static const struct {
        const char *said, *want; /* want NULL: prose */
    } cases[] = {
        /* copyright-format 1.0 */
        {"Expat", "MIT"},
        {"GPL-2", "GPL-2.0-only"},
        {"GPL-2+", "GPL-2.0-or-later"},
        {"LGPL-2.1+ and Expat", "LGPL-2.1-or-later AND MIT"},
        {"GPL-1+ or Artistic", "GPL-1.0-or-later OR Artistic-1.0-Perl"},
        {"GPL-2+ or Artistic-2.0, and BSD-3-clause", "(GPL-2.0-or-later OR Artistic-2.0) AND BSD-3-Clause"},
        {"Perl, or Expat", "(GPL-1.0-or-later OR Artistic-1.0-Perl) OR MIT"},
        {"GPL-3+ with Autoconf exception", "GPL-3.0-or-later WITH Autoconf-exception-3.0"},
        {"GPL-2+ with Autoconf exception", "GPL-2.0-or-later WITH Autoconf-exception-2.0"},
        {"GPL-2+ with made-up exception", "LicenseRef-GPL-2-plus-with-made-up-exception"},
        {"GFDL-NIV-1.3+", "GFDL-1.3-no-invariants-or-later"},
        {"public-domain", "LicenseRef-public-domain"},
        {"GPL", "LicenseRef-GPL"},
        {"GPL-4", "LicenseRef-GPL-4"},
        {"LGPL-2.2", "LicenseRef-LGPL-2.2"},
        {"bsd-3-clause", "BSD-3-Clause"},
        {"BSD_3_clause", "BSD-3-Clause"},
        /* Fedora before SPDX, and Arch */
        {"GPLv2+ and (MIT or ASL 2.0)", "GPL-2.0-or-later AND (MIT OR Apache-2.0)"},
        {"LGPLv3 with exceptions", "LicenseRef-LGPLv3-with-exceptions"},
        {"GPL+ or Artistic", "GPL-1.0-or-later OR Artistic-1.0-Perl"},
        {"Public Domain", "LicenseRef-Public-Domain"},
        {"LGPL2.1", "LGPL-2.1-only"},
        {"custom:foo", "LicenseRef-custom-foo"},
        /* SPDX itself */
        {"MIT", "MIT"},
        {"(GPL-2.0-only OR MIT) AND Apache-2.0 WITH LLVM-exception", "(GPL-2.0-only OR MIT) AND Apache-2.0 WITH LLVM-exception"},
        {"LicenseRef-Callaway-BSD", "LicenseRef-Callaway-BSD"},
        {"GPL-2.0+", "GPL-2.0-or-later"},
        /* none */
        {"", NULL},
        {" \t ", NULL},
        {"Permission to use, copy, modify, and distribute this software", NULL},
        {"Redistribution and use in source and binary forms, with or without", NULL},
        {"This software is provided as-is without any warranty", NULL},
        {"MIT and", NULL},
        {"or MIT", NULL},
        {"(MIT", NULL},
        {"MIT)", NULL},
        {"()", NULL},
        {"MIT,", NULL},
        {"MIT with", NULL},
        {"a-name-that-is-longer-than-any-that-a-licence-ever-had-or-could-have-in-good-faith-or-bad", NULL},
        {"((((((((((((((((((((MIT))))))))))))))))))))", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct wr w = wr_of(0);
        bool good = licence_put(&w, bytes_of(cases[i].said));
        if (good != (cases[i].want != NULL))
            fail_msg("\"%s\": %s", cases[i].said, wr_string(&w));
        assert_string_equal(wr_string(&w), good ? cases[i].want : "");
        wr_free(&w);
    }
}

static void copyright_files_state_licences(void **state)
{
    (void)state;
#define FORMAT "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
    static const struct {
        const char *text, *want;
    } cases[] = {
        {FORMAT "\nFiles: *\nCopyright: x\nLicense: Expat\n text and\n more\n", "MIT"},
        {FORMAT "\nFiles: *\nLicense: GPL-2+ or Expat\n\nFiles: debian/*\nLicense: GPL-2+\n\nLicense: GPL-2+\n text\n",
         "(GPL-2.0-or-later OR MIT) AND GPL-2.0-or-later"},
        {FORMAT "\nFiles: a\nLicense: MIT and ISC\n\nFiles: b\nLicense: Expat\n\nFiles: c\nLicense: ISC\n", "MIT AND ISC"},
        {FORMAT "License: MIT\n\nFiles: *\nLicense: GPL-2\n", "MIT"},
        {FORMAT "Comment: License: no\n license: no\n\nFiles: *\n a\nlicense: ISC\n", "ISC"},
        {"Format-Specification: http://svn.debian.org/wsvn/dep/web/deps/dep5.mdwn?rev=1\n\nFiles: *\nLicense: ISC\n", "ISC"},
        /* not known: one paragraph's licence is prose or missing, or it is no such file */
        {FORMAT "\nFiles: a\nLicense: MIT\n\nFiles: b\nLicense:\n Permission is hereby\n", ""},
        {FORMAT "\nFiles: a\nLicense: MIT\n\nFiles: b\nCopyright: x\n", ""},
        {"This is Debian's prepackaged version of\n\nFiles: *\nLicense: MIT\n", ""},
        {FORMAT, ""},
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct lines lines = lines_of(bytes_of(cases[i].text));
        struct wr w = wr_of(0);
        copyright_put_licence(&lines, &w);
        assert_string_equal(wr_string(&w), cases[i].want);
        wr_free(&w);
    }
}

/* ---- relations ---------------------------------------------------------------------------------------------------------------- */

static void relations_are_read(void **state)
{
    (void)state;
    static const char text[] = "a, b (>= 1:2-3) | c:any , d:i386 (= 1), e(<<2), f (>> 1) [amd64] <!x>,g [linux-any],, | h, i (>=), j ( <= 3 ),\n k (= 1";
    static const struct {
        const char *name, *version, *arch;
        enum pkg_compare compare;
        bool alternative;
    } want[] = {
        {"a", "", "amd64", PKG_ANY, false},       {"b", "1:2-3", "amd64", PKG_GREATER_EQUAL, false}, {"c", "", "", PKG_ANY, true},
        {"d", "1", "i386", PKG_EQUAL, false},     {"e", "2", "amd64", PKG_LESS, false},              {"f", "1", "amd64", PKG_GREATER, false},
        {"g", "", "amd64", PKG_ANY, false},       {"h", "", "amd64", PKG_ANY, false},                {"j", "3", "amd64", PKG_LESS_EQUAL, false},
        {"k", "1", "amd64", PKG_EQUAL, false},
    };
    struct relations r = {0};
    dpkg_relations_read(bytes_of(text), BYTES("amd64"), &r);
    assert_int_equal(r.count, ARRAY_LENGTH(want));
    for (size_t i = 0; i < r.count; i++) {
        assert_true(bytes_equal(r.items[i].name, bytes_of(want[i].name)));
        assert_true(bytes_equal(r.items[i].version, bytes_of(want[i].version)));
        assert_true(bytes_equal(r.items[i].arch, bytes_of(want[i].arch)));
        assert_int_equal(r.items[i].compare, want[i].compare);
        assert_int_equal(r.items[i].alternative, want[i].alternative);
    }
    relations_free(&r);
}

/* ---- catalogues --------------------------------------------------------------------------------------------------------------- */

/* "NAME ARCH VERSION: NUMBER NUMBER …" a line, with licence and homepage where known. */
static char *tell(const struct pkg_catalogue *c)
{
    struct wr w = wr_of(0);
    size_t count;
    const struct pkg_item *items = pkg_catalogue_items(c, &count);
    for (size_t i = 0; i < count; i++) {
        const struct pkg_package *p = &items[i].package;
        wr_fmt(&w, "%.*s %.*s %.*s:", (int)p->name.n, (const char *)p->name.p, (int)p->arch.n, p->arch.n ? (const char *)p->arch.p : "", (int)p->version.n,
               (const char *)p->version.p);
        for (size_t k = 0; k < items[i].depend_count; k++) {
            const struct pkg_package *on = &items[items[i].depends[k]].package;
            wr_fmt(&w, " %.*s:%.*s", (int)on->name.n, (const char *)on->name.p, (int)on->arch.n, (const char *)on->arch.p);
        }
        wr_str(&w, "\n");
    }
    char *text = strdup(wr_string(&w));
    wr_free(&w);
    return text;
}

static void stanza(const struct root *r, const char *head, const char *rest)
{
    char text[2048], name[64], arch[64], version[64];
    assert_int_equal(sscanf(head, "%63s %63s %63s", name, arch, version), 3);
    snprintf(text, sizeof text, "Package: %s\nStatus: install ok installed\nArchitecture: %s\nVersion: %s\n%s\n", name, arch, version, rest);
    root_append(r, "/var/lib/dpkg/status", text);
}

static struct pkg_catalogue *catalogue_of(const struct root *r)
{
    const struct pkg_sink silent = {0};
    struct pkg_catalogue *c = pkg_catalogue_new();
    assert_non_null(c);
    assert_int_equal(pkg_catalogue_collect(c, r->path, &silent), PKG_OK);
    assert_int_equal(pkg_catalogue_describe(c, r->path, &silent), PKG_OK);
    return c;
}

static void dependencies_are_resolved(void **state)
{
    (void)state;
    struct root r = root_make();
    stanza(&r, "dpkg amd64 1", "");
    /* The first alternative that is there; of a virtual package all that give it, of a real one that one alone. */
    stanza(&r, "app amd64 1", "Depends: missing | lib (>= 3) | lib (>= 2), mta, dual,\n other:any (= 5)\nPre-Depends: pre\n");
    stanza(&r, "lib amd64 2-1", "");
    stanza(&r, "lib i386 2-1", "");
    stanza(&r, "pre all 1", "Depends: app, pre\n");
    stanza(&r, "exim amd64 1", "Provides: mta, dual (= 2)\n");
    stanza(&r, "postfix amd64 1", "Provides: mta (= 1)\n");
    stanza(&r, "dual amd64 1", "");
    stanza(&r, "other i386 5", "");
    stanza(&r, "i386app i386 1", "Depends: lib, pre, tool\n");
    stanza(&r, "tool amd64 1", "Multi-Arch: foreign\nDepends: mta (>= 1), mta (>= 2), lib (<< 2-1), lib (>> 2)\n");
    struct pkg_catalogue *c = catalogue_of(&r);
    char *text = tell(c);
    assert_string_equal(text, "app amd64 1: dual:amd64 exim:amd64 lib:amd64 other:i386 postfix:amd64 pre:all\n"
                              "dpkg amd64 1:\n"
                              "dual amd64 1:\n"
                              "exim amd64 1:\n"
                              "i386app i386 1: lib:i386 tool:amd64\n" /* pre counts as amd64, and is not Multi-Arch: foreign */
                              "lib amd64 2-1:\n"
                              "lib i386 2-1:\n"
                              "other i386 5:\n"
                              "postfix amd64 1:\n"
                              "pre all 1: app:amd64\n"
                              "tool amd64 1: lib:amd64 postfix:amd64\n");
    free(text);
    pkg_catalogue_free(c);
    root_remove(&r);
}

static void packages_describe_themselves(void **state)
{
    (void)state;
    struct root r = root_make();
    stanza(&r, "a amd64 1", "Homepage: https://a/\nMaintainer: M <m@x>\nSection: contrib/libs\nDescription: short\n long\n .\n");
    stanza(&r, "b amd64 1", "Section: libs-not\n");
    root_append(&r, "/var/lib/dpkg/status", "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: all\n\n");
    root_write(&r, "/usr/share/doc/a/copyright", FORMAT "\nFiles: *\nLicense: Expat\n");
    /* A link that leads out of the root: it is taken inside, where nothing stands. */
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/usr/share/doc/a/copyright", r.path);
    assert_int_equal(symlink(path, root_path(&r, "/usr/share/doc/b/copyright")), 0);
    struct pkg_catalogue *c = catalogue_of(&r);
    size_t count;
    const struct pkg_item *items = pkg_catalogue_items(c, &count);
    assert_int_equal(count, 2);
    assert_true(items[0].described && items[0].library && !items[1].library);
    assert_true(bytes_equal(items[0].summary, BYTES("short")));
    assert_true(bytes_equal(items[0].homepage, BYTES("https://a/")));
    assert_true(bytes_equal(items[0].maintainer, BYTES("M <m@x>")));
    assert_true(bytes_equal(items[0].licence, BYTES("MIT")));
    assert_int_equal(items[1].licence.n, 0);
    pkg_catalogue_free(c);
    root_remove(&r);
}

static void apk_is_described(void **state)
{
    (void)state;
    struct root r = root_make();
    root_write(&r, "/lib/apk/db/installed",
               "P:musl\nV:1.2.4-r2\nA:x86_64\nT:the musl c library\nU:https://musl.libc.org/\nL:MIT\nm:N <n@x>\np:so:libc.musl-x86_64.so.1=1\n\n"
               "P:busybox\nV:1.36.1-r15\nA:x86_64\nL:GPL-2.0-only\nD:so:libc.musl-x86_64.so.1\np:/bin/sh cmd:sh=1.36.1-r15\n\n"
               "P:app\nV:1-r0\nA:x86_64\nD:/bin/sh !foo musl>=1.2 busybox~1.36 missing\n\n"
               "P:old\nV:1-r0\nA:x86_64\nD:musl<1.2 busybox=1.36 musl~1.3 so:libc.musl-x86_64.so.1>=2\n\n");
    struct pkg_catalogue *c = catalogue_of(&r);
    char *text = tell(c);
    assert_string_equal(text, "app x86_64 1-r0: busybox:x86_64 musl:x86_64\nbusybox x86_64 1.36.1-r15: musl:x86_64\nmusl x86_64 1.2.4-r2:\nold x86_64 1-r0:\n");
    size_t count;
    const struct pkg_item *items = pkg_catalogue_items(c, &count);
    assert_true(bytes_equal(items[2].licence, BYTES("MIT")) && bytes_equal(items[2].maintainer, BYTES("N <n@x>")));
    assert_true(bytes_equal(items[2].summary, BYTES("the musl c library")) && bytes_equal(items[2].homepage, BYTES("https://musl.libc.org/")));
    free(text);
    pkg_catalogue_free(c);
    root_remove(&r);
}

static void snap_and_flatpak_are_described(void **state)
{
    (void)state;
    struct root r = root_make();
    char target[PATH_MAX];
    root_write(&r, "/var/lib/snapd/state.json",
               "{\"data\":{\"snaps\":{\"app\":{\"sequence\":[1],\"active\":true,\"current\":\"2\"},\"core22\":{\"sequence\":[1],\"active\":true,"
               "\"current\":\"9\"}}}}");
    root_write(&r, "/snap/app/2/meta/snap.yaml", "name: app\nversion: '1'\nsummary: \"does things\"\nlicense: GPL-3.0+\nbase: core22\n"
                                                 "apps:\n  base: no\ndescription: |\n  license: no\narchitectures: [amd64]\n");
    root_write(&r, "/snap/core22/9/meta/snap.yaml", "name: core22\nversion: 2024\nsummary: >\n  long\narchitectures:\n- amd64\n");
    root_write(&r, "/var/lib/flatpak/repo/config", "[core]\n");
#define COMMIT "d5c723ca84d04131a98a55f6cdf7c5bd21af7f09f2dcde1e4a87a87106b89c71"
    root_write(&r, "/var/lib/flatpak/app/org.t.App/x86_64/stable/" COMMIT "/metadata", "[Application]\nname=org.t.App\nruntime=org.t.Base/x86_64/45\n");
    root_write(&r, "/var/lib/flatpak/runtime/org.t.Base/x86_64/44/" COMMIT "/metadata", "[Runtime]\n");
    root_write(&r, "/var/lib/flatpak/runtime/org.t.Base/x86_64/45/" COMMIT "/metadata", "[Runtime]\nruntime=org.t.Base/x86_64/45\n");
    static const char *const links[] = {"app/org.t.App/x86_64/stable", "runtime/org.t.Base/x86_64/44", "runtime/org.t.Base/x86_64/45"};
    for (size_t i = 0; i < ARRAY_LENGTH(links); i++) {
        snprintf(target, sizeof target, "/var/lib/flatpak/%s/active", links[i]);
        assert_int_equal(symlink(COMMIT, root_path(&r, target)), 0);
    }
    struct pkg_catalogue *c = catalogue_of(&r);
    char *text = tell(c);
    assert_string_equal(text, "app amd64 1+r2: core22:amd64\ncore22 amd64 2024+r9:\norg.t.App x86_64 stable+gd5c723ca84d0: org.t.Base:x86_64\n"
                              "org.t.Base x86_64 44+gd5c723ca84d0:\norg.t.Base x86_64 45+gd5c723ca84d0:\n");
    size_t count;
    const struct pkg_item *items = pkg_catalogue_items(c, &count);
    assert_true(bytes_equal(items[0].licence, BYTES("GPL-3.0-or-later")) && bytes_equal(items[0].summary, BYTES("does things")));
    assert_true(items[1].described && items[1].licence.n == 0 && items[1].summary.n == 0);
    assert_int_equal(items[2].depends[0], 4); /* the branch that it names */
    free(text);
    pkg_catalogue_free(c);
    root_remove(&r);
}

static void pacman_is_described(void **state)
{
    (void)state;
#define DESC(name, version, rest) "%NAME%\n" name "\n\n%VERSION%\n" version "\n\n%ARCH%\nx86_64\n\n" rest
    struct root r = root_make();
    root_write(&r, "/var/lib/pacman/local/ALPM_DB_VERSION", "9\n");
    root_write(&r, "/var/lib/pacman/local/glibc-2.38-7/desc",
               DESC("glibc", "2.38-7", "%DESC%\nGNU C Library\n\n%URL%\nhttps://g/\n\n%LICENSE%\nGPL2\nLGPL2.1\n\n%PROVIDES%\nlibc.so=6-64\nlibfoo\n\n"));
    root_write(&r, "/var/lib/pacman/local/app-1-1/desc",
               DESC("app", "1-1", "%LICENSE%\nMIT\n\n%DEPENDS%\nglibc>=2.38\nlibc.so=6-64\nglibc=2.38\n\n%OPTDEPENDS%\nold: for nothing\n\n"));
    root_write(&r, "/var/lib/pacman/local/old-1-1/desc", DESC("old", "1-1", "%DEPENDS%\nglibc<2.38\nlibfoo=1\nglibc=2.38-6\n"));
    struct pkg_catalogue *c = catalogue_of(&r);
    char *text = tell(c);
    assert_string_equal(text, "app x86_64 1-1: glibc:x86_64\nglibc x86_64 2.38-7:\nold x86_64 1-1:\n");
    size_t count;
    const struct pkg_item *items = pkg_catalogue_items(c, &count);
    assert_true(bytes_equal(items[1].licence, BYTES("GPL-2.0-only AND LGPL-2.1-only")) && bytes_equal(items[0].licence, BYTES("MIT")));
    free(text);
    pkg_catalogue_free(c);
    root_remove(&r);
}

static bool take_rpm(void *context, const struct pkg_description *d)
{
    struct wr *w = context;
    wr_fmt(w, "%.*s %.*s %.*s [%.*s]", (int)d->name.n, (const char *)d->name.p, (int)d->version.n, (const char *)d->version.p, (int)d->arch.n,
           (const char *)d->arch.p, (int)d->licence.n, d->licence.n ? (const char *)d->licence.p : "");
    for (size_t i = 0; i < d->need_count + d->give_count; i++) {
        const struct pkg_relation *r = i < d->need_count ? &d->needs[i] : &d->gives[i - d->need_count];
        wr_fmt(w, " %c%.*s/%d/%.*s", i < d->need_count ? '-' : '+', (int)r->name.n, (const char *)r->name.p, (int)r->compare, (int)r->version.n,
               r->version.n ? (const char *)r->version.p : "");
    }
    wr_str(w, "\n");
    return true;
}

static void rpm_is_described(void **state)
{
    (void)state;
    static const char answer[] = "N\tbefore all packages\t\t\nP\ta\t1:2-3\tx86_64\tSummary\thttps://a/\tFedora\tGPLv2+ and BSD\n"
                                 "N\tlibc.so.6()(64bit)\t\t\nN\tb\t>=\t1.0\nN\t(x if y)\t\t\nG\ta\t=\t1:2-3\nG\t/bin/a\t\t\n"
                                 "P\tgpg-pubkey\tabc-def\t\t\t\t\tpubkey\nX\t\nP\t\t\t\n\t8\n";
    struct lines lines = lines_of(bytes_of(answer));
    struct wr w = wr_of(0);
    const struct pkg_sink sink = {.context = &w, .description = take_rpm};
    assert_int_equal(rpm_describe_lines(&lines, &sink), PKG_OK);
    assert_string_equal(wr_string(&w), "a 1:2-3 x86_64 [GPL-2.0-or-later AND LicenseRef-BSD] -libc.so.6()(64bit)/0/ -b/4/1.0 +a/3/1:2-3 +/bin/a/0/\n"
                                       "gpg-pubkey abc-def noarch [LicenseRef-pubkey]\n");
    wr_free(&w);
}

/* Of a past moment: what has another version today is not described, and nobody depends on it. */
static void other_versions_are_not_described(void **state)
{
    (void)state;
    struct root r = root_make();
    stanza(&r, "a amd64 2", "Depends: b, c\nDescription: x\n");
    stanza(&r, "b amd64 2", "Depends: a\n");
    stanza(&r, "c amd64 1", "");
    const struct pkg_sink silent = {0};
    struct pkg_catalogue *c = pkg_catalogue_new();
    static const char *const then[][2] = {{"c", "1"}, {"b", "1"}, {"a", "2"}, {"a", "2"}};
    for (size_t i = 0; i < ARRAY_LENGTH(then); i++) {
        struct pkg_package p = {.name = bytes_of(then[i][0]), .version = bytes_of(then[i][1]), .arch = BYTES("amd64")};
        assert_true(pkg_catalogue_add(c, &pkg_dpkg, &p));
    }
    assert_int_equal(pkg_catalogue_describe(c, r.path, &silent), PKG_OK);
    char *text = tell(c);
    assert_string_equal(text, "a amd64 2: c:amd64\na amd64 2: c:amd64\nb amd64 1:\nc amd64 1:\n");
    size_t count;
    const struct pkg_item *items = pkg_catalogue_items(c, &count);
    assert_int_equal(items[0].twin, 0);
    assert_int_equal(items[1].twin, 1);
    assert_false(items[2].described);
    free(text);
    pkg_catalogue_free(c);
    root_remove(&r);
}

static void no_manager_is_said(void **state)
{
    (void)state;
    struct root r = root_make();
    const struct pkg_sink silent = {0};
    struct pkg_catalogue *c = pkg_catalogue_new();
    size_t count;
    assert_int_equal(pkg_catalogue_collect(c, r.path, &silent), PKG_ABSENT);
    assert_int_equal(pkg_catalogue_describe(c, r.path, &silent), PKG_OK);
    pkg_catalogue_items(c, &count);
    assert_int_equal(count, 0);
    pkg_catalogue_free(c);
    pkg_catalogue_free(NULL);
    root_remove(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(licences_are_spdx),         cmocka_unit_test(copyright_files_state_licences), cmocka_unit_test(relations_are_read),
        cmocka_unit_test(dependencies_are_resolved), cmocka_unit_test(packages_describe_themselves),   cmocka_unit_test(other_versions_are_not_described),
        cmocka_unit_test(no_manager_is_said),        cmocka_unit_test(apk_is_described),               cmocka_unit_test(pacman_is_described),
        cmocka_unit_test(rpm_is_described),        cmocka_unit_test(snap_and_flatpak_are_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
