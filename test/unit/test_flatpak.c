/* flatpak's installation and the deploy files of commits, the odd ones of both; what all managers owe is held to by
 * test_managers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pkg/internal.h"
#include "roots.h"

static const struct pkg_manager *const manager = &pkg_flatpak;
#include "told.h"

#define FLATPAK "/var/lib/flatpak"
#define COMMIT  "d5c723ca84d04131a98a55f6cdf7c5bd21af7f09f2dcde1e4a87a87106b89c71"

/* The fuzz target's seed: what flatpak 1.14.10 wrote. */
static size_t read_deploy(const char *name, uint8_t deploy[4096])
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/fuzz/corpus/flatpak/%s", getenv("MUSTER_SOURCE"), name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(deploy, 1, 4096, f);
    fclose(f);
    assert_true(n > 0 && n < 4096);
    return n;
}

static void put_deploy(const struct root *r, const char *ref, const char *commit, const void *deploy, size_t n)
{
    char path[512];
    root_write(r, FLATPAK "/repo/config", "[core]\n");
    snprintf(path, sizeof path, FLATPAK "/%s/%s/deploy", ref, commit);
    root_put(r, path, deploy, n, O_TRUNC);
    snprintf(path, sizeof path, FLATPAK "/%s/active", ref);
    unlink(root_path(r, path));
    assert_int_equal(symlink(commit, root_path(r, path)), 0);
}

static void versions_are_found(void **state)
{
    (void)state;
    uint8_t deploy[4096], copy[4096];
    size_t n = read_deploy("hello", deploy);
    assert_true(bytes_equal(flatpak_deploy_version((struct bytes){deploy, n}), BYTES("1.2.3")));
    for (size_t i = 0; i < n; i++) /* what is cut off or wrong gives another version or none, and nothing is read beside it */
        for (int k = 0; k < 9; k++) {
            uint8_t *exact = malloc(k ? n : i ? i : 1);
            assert_non_null(exact);
            memcpy(exact, deploy, k ? n : i);
            if (k)
                exact[i] = (uint8_t)(exact[i] ^ 1u << (k - 1));
            struct bytes v = flatpak_deploy_version((struct bytes){exact, k ? n : i});
            assert_true(v.n == 0 || (v.p >= exact && v.p + v.n <= exact + n));
            free(exact);
        }
    n = read_deploy("platform", copy);
    assert_int_equal(flatpak_deploy_version((struct bytes){copy, n}).n, 0);
    assert_int_equal(flatpak_deploy_version((struct bytes){0}).n, 0);
}

static int by_line(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Lines in the order of their octets: that of folders means nothing. */
static void expect_installed(const struct root *r, const char *const *expected, size_t count, const char *complaints)
{
    struct told t;
    char *lines[16], *rest;
    size_t n = 0;
    assert_int_equal(read_installed(r, &t), PKG_OK);
    char *text = strdup(wr_string(&t.text));
    assert_non_null(text);
    for (char *line = strtok_r(text, "\n", &rest); line && n < ARRAY_LENGTH(lines); line = strtok_r(NULL, "\n", &rest))
        lines[n++] = line;
    qsort(lines, n, sizeof *lines, by_line);
    assert_int_equal(n, count);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(lines[i], expected[i]);
    assert_string_equal(wr_string(&t.complaints), complaints);
    free(text);
    told_free(&t);
}

static void branches_stand_side_by_side(void **state)
{
    (void)state;
    struct root r = root_make();
    uint8_t deploy[4096];
    size_t n = read_deploy("hello", deploy);
    static const char other[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    put_deploy(&r, "app/org.test.Hello/x86_64/stable", COMMIT, deploy, n);
    put_deploy(&r, "app/org.test.Hello/x86_64/beta", other, "rubbish", 7);
    put_deploy(&r, "runtime/org.test.Platform/aarch64/23.08", other, "", 0);
    assert_int_equal(symlink("x86_64/stable", root_path(&r, FLATPAK "/app/org.test.Hello/current")), 0);
    static const char *const three[] = {
        "org.test.Hello x86_64 1.2.3+stable+gd5c723ca84d0 installed src org.test.Hello 1.2.3+stable+gd5c723ca84d0",
        "org.test.Hello x86_64 beta+gaaaaaaaaaaaa installed src org.test.Hello beta+gaaaaaaaaaaaa",
        "org.test.Platform aarch64 23.08+gaaaaaaaaaaaa installed src org.test.Platform 23.08+gaaaaaaaaaaaa",
    };
    expect_installed(&r, three, 3, "");
    /* An update is another commit: the stamp says so, and the link's time when. */
    uint64_t stamp = manager->stamp(r.path);
    struct stat st;
    put_deploy(&r, "app/org.test.Hello/x86_64/beta", COMMIT, deploy, n);
    assert_true(manager->stamp(r.path) != stamp);
    assert_int_equal(lstat(root_path(&r, FLATPAK "/app/org.test.Hello/x86_64/beta/active"), &st), 0);
    assert_int_equal(manager->unpacked(r.path, BYTES("org.test.Hello"), BYTES("x86_64")), st.st_mtim.tv_sec);
    assert_int_equal(manager->unpacked(r.path, BYTES("org.test.Hello"), BYTES("i386")), TIME_UNKNOWN);
    root_remove(&r);
}

static void odd_installations(void **state)
{
    (void)state;
    struct root r = root_make();
    root_write(&r, FLATPAK "/repo/config", "[core]\n");
    expect_installed(&r, NULL, 0, ""); /* nothing was ever installed */
    put_deploy(&r, "app/a b/x86_64/stable", COMMIT, "", 0);
    expect_installed(&r, NULL, 0, "active:0: not a commit's name, or odd words: skipped\n");
    root_remove(&r);
    r = root_make();
    put_deploy(&r, "app/a/x86_64/stable", "../../../../etc", "", 0);
    root_write(&r, FLATPAK "/app/b/x86_64/stable/" COMMIT "/deploy", ""); /* half removed: no link */
    root_write(&r, FLATPAK "/runtime/c/file", "");
    expect_installed(&r, NULL, 0, "active:0: not a commit's name, or odd words: skipped\n");
    root_remove(&r);
}

static bool put_file(void *context, const struct pkg_file *f)
{
    static const char kinds[] = "?fdls";
    wr_fmt(context, "%c %.*s\n", kinds[f->kind], (int)(f->path.n - strlen(FLATPAK)), (const char *)f->path.p + strlen(FLATPAK));
    assert_true(bytes_equal(f->path, f->real_path));
    return true;
}

/* Those of the commit that is deployed, and of no other; links are told, not followed. */
static void files_of_a_commit_are_told(void **state)
{
    (void)state;
    struct root r = root_make();
    struct wr w = wr_of(0);
    struct pkg_files f = {.root = r.path};
    const struct pkg_sink sink = {.context = &w, .file = put_file};
    const struct bytes name = BYTES("org.t.App"), arch = BYTES("x86_64"), version = BYTES("stable+gd5c723ca84d0");
    put_deploy(&r, "app/org.t.App/x86_64/stable", COMMIT, "", 0);
    root_write(&r, FLATPAK "/app/org.t.App/x86_64/stable/" COMMIT "/files/bin/a b", "x");
    root_write(&r, FLATPAK "/app/org.t.App/x86_64/stable/other/files/no", "x");
    assert_int_equal(symlink("/etc", root_path(&r, FLATPAK "/app/org.t.App/x86_64/stable/" COMMIT "/files/etc")), 0);
    assert_int_equal(manager->files(&f, name, arch, version, &sink), PKG_OK);
#define IN "/app/org.t.App/x86_64/stable/" COMMIT
    assert_string_equal(wr_string(&w), "f " IN "/deploy\nd " IN "/files\nd " IN "/files/bin\nf " IN "/files/bin/a b\nl " IN "/files/etc\n");
    assert_int_equal(manager->files(&f, name, arch, BYTES("stable+g000000000000"), &sink), PKG_ABSENT);
    assert_int_equal(manager->files(&f, BYTES("org.t"), arch, version, &sink), PKG_ABSENT);
    pkg_files_end(&f);
    wr_free(&w);
    root_remove(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_found),
        cmocka_unit_test(branches_stand_side_by_side),
        cmocka_unit_test(odd_installations),
        cmocka_unit_test(files_of_a_commit_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
