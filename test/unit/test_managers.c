/* What every package manager owes, whichever it is. A new one adds a row to fixtures[]: a root as small as it can be,
 * and what `installed` must tell of it. Its logs and the odd lines of its files want a test file of their own, as
 * test_pkg.c is dpkg's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The real rows, and the smallest one there can be. */
#include "pkg/internal.h"
#define PKG_MANAGER_NAMES(M) PKG_MANAGERS(M) M(list)
extern const struct pkg_manager pkg_list;

#include "roots.h"

#include "list_manager.h"

struct fixture {
    const struct pkg_manager *manager;
    struct {
        const char *path, *text;
    } files[3];              /* the first one is the database: a line more in it must change the stamp */
    const char *packed;      /* its content instead of text: a file of test/fixtures/, gzipped; needs muster-rpmdb */
    struct {
        const char *path, *target;
    } link;                  /* a symbolic link */
    bool marker;             /* the first file only marks the place: what it holds does not matter */
    const char *installed;   /* "NAME VERSION ARCH STATE SOURCE SOURCE-VERSION SECOND", a line a package */
    const char *native_arch; /* NULL: this manager does not know */
    const char *older, *newer, *bad; /* bad: no version; NULL: everything is one. older NULL: there is no order */
};
static const struct fixture fixtures[] = {
    {
        .manager = &pkg_dpkg,
        .files = {{"/var/lib/dpkg/status", "Package: libc6\nStatus: install ok installed\nArchitecture: arm64\n"
                                           "Source: glibc (2.36-9)\nVersion: 2.36-9+b1\n\n"},
                  {"/var/lib/dpkg/arch", "arm64\n"},
                  {"/var/lib/dpkg/info/libc6:arm64.list", "/.\n"}},
        .installed = "libc6 2.36-9+b1 arm64 installed glibc 2.36-9 -\n",
        .native_arch = "aarch64",
        .older = "1.0~rc1-1",
        .newer = "1.0-1",
        .bad = "x:1.0",
    },
    {
        .manager = &pkg_rpm,
        .files = {{"/var/lib/rpm/rpmdb.sqlite", ""}},
        .packed = "rpmdb.sqlite.gz",
        .installed = "alpha 1:2.0~rc1-3 x86_64 installed alpha 2.0~rc1-3 1795321686\n"
                     "alpha-sub 1:2.0~rc1-3 noarch installed alpha 2.0~rc1-3 1795321686\n",
        .older = "1:1.0~rc1-1.fc40",
        .newer = "1:1.0-1.fc40",
        .bad = "1:",
    },
    {
        .manager = &pkg_apk,
        .files = {{"/lib/apk/db/installed",
                   "C:Q1abc=\nP:musl\nV:1.2.4-r2\nA:x86_64\nS:1\nF:lib\nR:ld-musl-x86_64.so.1\na:0:0:755\n\n"
                   "P:musl-utils\nV:1.2.4-r2\nA:x86_64\no:musl\n\n"},
                  {"/etc/apk/arch", "x86_64\n"}},
        .installed =
            "musl 1.2.4-r2 x86_64 installed musl 1.2.4-r2 -\nmusl-utils 1.2.4-r2 x86_64 installed musl 1.2.4-r2 -\n",
        .native_arch = "x86_64",
        .older = "1.2.4_rc1-r0",
        .newer = "1.2.4-r0",
        .bad = "1.2.4-1",
    },
    {
        .manager = &pkg_pacman,
        .marker = true,
        .files = {{"/var/lib/pacman/local/ALPM_DB_VERSION", "9\n"},
                  {"/var/lib/pacman/local/zlib-1:1.3.1-2/desc",
                   "%NAME%\nzlib\n\n%VERSION%\n1:1.3.1-2\n\n%DESC%\nCompression\n\n"
                   "%ARCH%\nx86_64\n\n%INSTALLDATE%\n1700000000\n\n"},
                  {"/var/lib/pacman/local/zlib-doc-1:1.3.1-2/desc",
                   "%NAME%\nzlib-doc\n\n%VERSION%\n1:1.3.1-2\n\n%BASE%\nzlib\n\n%ARCH%\nany\n"}},
        .installed = "zlib 1:1.3.1-2 x86_64 installed zlib 1:1.3.1-2 1700000000\nzlib-doc 1:1.3.1-2 any installed zlib "
                     "1:1.3.1-2 -\n",
        .older = "1.3rc1-1",
        .newer = "1.3-1",
        .bad = "1:",
    },
    {
        .manager = &pkg_snap,
        .files = {{"/var/lib/snapd/state.json",
                   "{\"data\":{\"snaps\":{\"hello\":{\"type\":\"app\",\"sequence\":[{\"name\":\"hello\",\"revision\":\"42\"}],"
                   "\"active\":true,\"current\":\"42\"}}},\"tasks\":{\"7\":{\"kind\":\"link-snap\",\"status\":4,"
                   "\"ready-time\":\"2023-11-14T23:13:20.5+01:00\",\"data\":{\"snap-setup\":{\"side-info\":{"
                   "\"name\":\"hello\",\"revision\":\"42\"}}}}}}"},
                  {"/snap/hello/42/meta/snap.yaml", "name: hello\nversion: '2.10'\narchitectures: [amd64]\n"}},
        .installed = "hello 2.10+r42 amd64 installed hello 2.10+r42 1700000000\n",
        .older = "2.10+r9",
        .newer = "2.10+r10",
        .bad = "2.10",
    },
    {
        .manager = &pkg_flatpak,
        .files = {{"/var/lib/flatpak/repo/config", "[core]\nrepo_version=1\nmode=bare-user-only\n"},
                  {"/var/lib/flatpak/app/org.test.Hello/x86_64/stable/deployed/metadata", "[Application]\n"}},
        .link = {"/var/lib/flatpak/app/org.test.Hello/x86_64/stable/active",
                 "d5c723ca84d04131a98a55f6cdf7c5bd21af7f09f2dcde1e4a87a87106b89c71"},
        .marker = true,
        .installed = "org.test.Hello stable+gd5c723ca84d0 x86_64 installed org.test.Hello stable+gd5c723ca84d0 -\n",
    },
    {
        .manager = &pkg_tags,
        .files = {{"/opt/acme/swidtag/updater.swidtag", "any octets"}},
        .link = {"/opt/acme/swidtag/link.swidtag", "updater.swidtag"},
        .marker = true,
        .installed = "updater 1  installed updater 1 -\n",
    },
    {
        .manager = &pkg_list,
        .files = {{LIST_PACKAGES, "a 1 x86_64 1700000000\nb 2-1 noarch -\n"}},
        .installed = "a 1 x86_64 installed a 1 1700000000\nb 2-1 noarch installed b 2-1 -\n",
        .older = "1",
        .newer = "2",
    },
};

static const struct pkg_manager *const rows[] = {
#define ROW(name) &pkg_##name,
    PKG_MANAGER_NAMES(ROW)
#undef ROW
};

static bool take_package(void *context, const struct pkg_package *p)
{
    struct wr *w = context;
    const struct bytes words[] = {p->name,        p->version,       p->arch, bytes_of(pkg_state_name(p->state)),
                                  p->source_name, p->source_version};
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        wr_bytes(w, words[i]);
        wr_str(w, " ");
    }
    if (p->installed_at == TIME_UNKNOWN)
        wr_str(w, "-\n");
    else
        wr_fmt(w, "%lld\n", (long long)p->installed_at);
    return true;
}

static bool read_tag(void *context, struct pkg_package *p, struct pkg_tag *tag, struct error *error)
{
    (void)context, (void)error;
    assert_true(bytes_equal(tag->octets, BYTES("any octets")) && bytes_equal(tag->locator, BYTES("file:///opt/acme/swidtag")));
    p->name = p->source_name = BYTES("updater");
    p->version = p->source_version = BYTES("1");
    return true;
}

static bool refuse_package(void *context, const struct pkg_package *p)
{
    (void)context, (void)p;
    return false;
}

static bool refuse_event(void *context, const struct pkg_event *e)
{
    (void)context, (void)e;
    return false;
}

static void unpack(const char *to, const char *fixture)
{
    char path[PATH_MAX], block[4096];
    snprintf(path, sizeof path, "%s/test/fixtures/%s", getenv("MUSTER_SOURCE"), fixture);
    gzFile from = gzopen(path, "r");
    FILE *f = fopen(to, "w");
    assert_non_null(from);
    assert_non_null(f);
    for (int n; (n = gzread(from, block, sizeof block)) > 0;)
        assert_int_equal(fwrite(block, 1, (size_t)n, f), n);
    gzclose(from);
    fclose(f);
}

/* Where librpm was not there when Muster was built, an rpm database cannot be read, and says so. */
static bool can_read(const struct fixture *f)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/muster-rpmdb", getenv("MUSTER_BUILD"));
    return !f->packed || access(path, X_OK) == 0;
}

static struct root root_of(const struct fixture *f)
{
    struct root r = root_make();
    for (size_t i = 0; i < ARRAY_LENGTH(f->files) && f->files[i].path; i++)
        root_write(&r, f->files[i].path, f->files[i].text);
    if (f->link.path)
        assert_int_equal(symlink(f->link.target, root_path(&r, f->link.path)), 0);
    if (f->packed)
        unpack(root_path(&r, f->files[0].path), f->packed);
    return r;
}

static void rows_are_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct pkg_manager *m = rows[i];
        bool tried = false;
        assert_true(m->name && m->doc && m->present && m->installed && m->stamp && m->watch && m->watch[0]);
        for (size_t k = 0; k < ARRAY_LENGTH(fixtures); k++)
            tried |= fixtures[k].manager == m;
        if (!tried)
            fail_msg("%s has no fixture: add a row above", m->name);
        for (size_t k = 0; k < i; k++) { /* SWIMA-R16, RFC 8412 §3.4.5: a number means one source */
            assert_int_not_equal(rows[k]->source, m->source);
            assert_string_not_equal(rows[k]->name, m->name);
        }
    }
    for (size_t i = 0; pkg_managers[i]; i++) {
        assert_ptr_equal(pkg_managers[i], rows[i]);
        assert_ptr_equal(pkg_manager_find(pkg_managers[i]->name), pkg_managers[i]);
        assert_ptr_equal(pkg_manager_by_source(pkg_managers[i]->source), pkg_managers[i]);
    }
    assert_null(pkg_manager_find("none"));
    assert_null(pkg_manager_by_source(254));
}

static void packages_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(fixtures); i++) {
        const struct fixture *f = &fixtures[i];
        struct root r = root_of(f), empty = root_make();
        struct wr text = wr_of(0);
        struct pkg_sink sink = {.context = &text, .package = take_package, .read_tag = read_tag};
        assert_true(f->manager->present(r.path));
        assert_false(f->manager->present(empty.path));
        if (!can_read(f)) {
            assert_int_equal(f->manager->installed(r.path, &sink), PKG_UNREADABLE);
            wr_reset(&text);
        } else {
            assert_int_equal(f->manager->installed(r.path, &sink), PKG_OK);
            assert_string_equal(wr_string(&text), f->installed);
            sink.package = refuse_package;
            assert_int_equal(f->manager->installed(r.path, &sink), PKG_STOPPED);
        }
        wr_free(&text);
        root_remove(&empty);
        root_remove(&r);
    }
}

/* Unknown is not "gone": only if the folder of the database is away, and the one above it is not, are its packages
 * away. */
static void a_missing_database_is_not_always_gone(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(fixtures); i++) {
        const struct fixture *f = &fixtures[i];
        if (f->manager->scattered) /* what is not there is gone */
            continue;
        struct root r = root_of(f);
        struct pkg_sink sink = {.package = refuse_package};
        unlink(root_path(&r, f->files[0].path));
        assert_false(f->manager->present(r.path));
        assert_int_equal(f->manager->installed(r.path, &sink), PKG_UNREADABLE);
        nftw(root_path(&r, f->manager->watch[0]), root_remove_one, 16, FTW_DEPTH | FTW_PHYS);
        assert_int_equal(f->manager->installed(r.path, &sink), PKG_ABSENT);
        root_remove(&r);
        r = root_make(); /* and a root with nothing in it at all */
        assert_int_equal(f->manager->installed(r.path, &sink), PKG_UNREADABLE);
        root_remove(&r);
    }
}

/* What a crash or a full disk leaves of a database is no machine without packages. */
static void a_damaged_database_is_not_an_empty_one(void **state)
{
    (void)state;
    static const char *const remains[] = {"", "\n", "rubbish\n", "\x7f\xff"};
    for (size_t i = 0; i < ARRAY_LENGTH(fixtures); i++)
        for (size_t k = 0; k < ARRAY_LENGTH(remains) && !fixtures[i].marker; k++) {
            const struct fixture *f = &fixtures[i];
            struct root r = root_of(f);
            struct pkg_sink sink = {.package = refuse_package};
            root_write(&r, f->files[0].path, remains[k]);
            enum pkg_status status = f->manager->installed(r.path, &sink);
            if (status != PKG_DAMAGED && status != PKG_UNREADABLE)
                fail_msg("%s: status %d of a database that holds \"%s\"", f->manager->name, (int)status, remains[k]);
            root_remove(&r);
        }
}

static size_t lines_in(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

/* Nothing is invented out of a package that is cut in two, and what is missing is not gone: only between two packages, where no reader could tell,
 * may less be told without a word. */
static void a_database_that_breaks_off_is_damaged(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(fixtures); i++) {
        const struct fixture *f = &fixtures[i];
        size_t unseen = 0;
        if (f->marker || f->packed)
            continue;
        struct root r = root_of(f);
        for (size_t n = 0; f->files[0].text[n]; n++) {
            struct wr text = wr_of(0);
            const struct pkg_sink sink = {.context = &text, .package = take_package};
            root_put(&r, f->files[0].path, f->files[0].text, n, O_TRUNC);
            enum pkg_status status = f->manager->installed(r.path, &sink);
            const char *told = wr_string(&text);
            if (strncmp(told, f->installed, text.n) != 0 || (text.n && told[text.n - 1] != '\n'))
                fail_msg("%s, cut at %zu: \"%s\"", f->manager->name, n, told);
            unseen += status == PKG_OK && strcmp(told, f->installed) != 0;
            wr_free(&text);
        }
        if (unseen >= lines_in(f->installed))
            fail_msg("%s: %zu cuts of its database are taken for a whole one", f->manager->name, unseen);
        root_remove(&r);
    }
}

static void stamps_change_with_the_database(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(fixtures); i++) {
        const struct fixture *f = &fixtures[i];
        struct root r = root_of(f);
        uint64_t stamp = f->manager->stamp(r.path);
        assert_true(f->manager->stamp(r.path) == stamp);
        root_append(&r, f->files[0].path, "\n");
        assert_true(f->manager->stamp(r.path) != stamp);
        root_remove(&r);
    }
}

/* A root without logs: nothing is told, nothing breaks. */
static void logs_may_be_missing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(fixtures); i++) {
        const struct fixture *f = &fixtures[i];
        struct root r = root_of(f);
        struct pkg_sink sink = {.package = refuse_package, .event = refuse_event};
        struct pkg_cursor cursor = {.after = wr_of(0)};
        if (f->manager->history) {
            assert_int_equal(f->manager->history(r.path, &cursor, &sink), PKG_OK);
            assert_true(cursor.continuous && cursor.reaches_back == TIME_UNKNOWN);
        }
        wr_free(&cursor.after);
        root_remove(&r);
    }
}

static void architectures_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(fixtures); i++) {
        const struct fixture *f = &fixtures[i];
        struct root r = root_of(f), empty = root_make();
        char arch[64] = "?";
        assert_int_equal(f->native_arch != NULL, f->manager->native_arch != NULL);
        if (f->native_arch) {
            f->manager->native_arch(r.path, arch, sizeof arch);
            assert_string_equal(arch, f->native_arch);
            f->manager->native_arch(empty.path, arch, sizeof arch);
            assert_string_equal(arch, "");
        }
        root_remove(&empty);
        root_remove(&r);
    }
}

static void versions_have_an_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(fixtures); i++) {
        assert_int_equal(fixtures[i].older != NULL, fixtures[i].manager->order != NULL);
        if (!fixtures[i].older)
            continue;
        struct bytes older = bytes_of(fixtures[i].older), newer = bytes_of(fixtures[i].newer);
        assert_true(fixtures[i].manager->order->compare(older, newer) < 0);
        assert_true(fixtures[i].manager->order->compare(newer, older) > 0);
        assert_int_equal(fixtures[i].manager->order->compare(older, older), 0);
        assert_int_equal(fixtures[i].bad != NULL, fixtures[i].manager->order->fault != NULL);
        if (fixtures[i].bad) {
            assert_null(fixtures[i].manager->order->fault(older));
            assert_null(fixtures[i].manager->order->fault(newer));
            assert_non_null(fixtures[i].manager->order->fault(bytes_of(fixtures[i].bad)));
        }
    }
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_whole),
        cmocka_unit_test(packages_are_told),
        cmocka_unit_test(a_missing_database_is_not_always_gone),
        cmocka_unit_test(a_damaged_database_is_not_an_empty_one),
        cmocka_unit_test(a_database_that_breaks_off_is_damaged),
        cmocka_unit_test(stamps_change_with_the_database),
        cmocka_unit_test(logs_may_be_missing),
        cmocka_unit_test(architectures_are_told),
        cmocka_unit_test(versions_have_an_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
