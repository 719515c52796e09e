/* snapd's state and snaps' metadata, the odd ones of both; what all managers owe is held to by test_managers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pkg/internal.h"
#include "roots.h"

static const struct pkg_manager *const manager = &pkg_snap;
#include "told.h"

#define STATE "/var/lib/snapd/state.json"

static void expect_installed(const struct root *r, enum pkg_status status, const char *packages, const char *complaints)
{
    struct told t;
    assert_int_equal(read_installed(r, &t), status);
    assert_string_equal(wr_string(&t.text), packages);
    assert_string_equal(wr_string(&t.complaints), complaints);
    told_free(&t);
}

static void metadata_in_every_form(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *version, *arch;
    } rows[] = {
        {"name: a\nversion: 1.0\n", "1.0", "all"},
        {"version: \"2:1\" # first\narchitectures:\n- amd64\n- i386\nsummary: x\n- armhf\n", "2:1", "amd64+i386"},
        {"version: '1'\narchitectures:\n    - 'arm64'\napps:\n    version: 9\n", "1", "arm64"},
        {"architectures: [ amd64 , s390x ]\nversion: 3   # third\n", "3", "amd64+s390x"},
        {"architectures: []\r\nversion: 4\r\nversion: 5\r\n", "4", "all"},
        {"description: |\n  version: 6\n", "", "all"},
        {"architectures: [\nversion:\n", "", "all"},
        {"", "", "all"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena a = arena_of(1 << 16);
        struct lines lines = lines_of(bytes_of(rows[i].yaml));
        struct pkg_package p = {0};
        struct snap_about about = {0};
        snap_yaml_read(&lines, &a, &p, &about);
        lines_close(&lines);
        if (!bytes_equal(p.version, bytes_of(rows[i].version)) || !bytes_equal(p.arch, bytes_of(rows[i].arch)))
            fail_msg("\"%s\": %.*s, %.*s", rows[i].yaml, (int)p.version.n, p.version.p, (int)p.arch.n, p.arch.p);
        arena_free(&a);
    }
}

#define SNAP(name, revision, active)                                                                                   \
    "\"" name "\":{\"sequence\":[{\"revision\":\"" revision "\"}],\"current\":\"" revision "\",\"active\":" active "}"

static void what_is_mounted_counts(void **state)
{
    (void)state;
    struct root r = root_make();
    root_write(&r, STATE, "{\"data\":{\"snaps\":{" SNAP("a", "1", "true") "," SNAP("b_x", "x2", "false") "}}}");
    expect_installed(&r, PKG_OK, "a unknown r1 installed src a r1\nb_x unknown rx2 installed src b_x rx2\n", "");
    /* Fedora's place; what is disabled need not be mounted. */
    root_write(&r, "/var/lib/snapd/snap/a/1/meta/snap.yaml", "version: 1.5\n");
    expect_installed(&r, PKG_OK, "a all 1.5+r1 installed src a 1.5+r1\nb_x unknown rx2 installed src b_x rx2\n", "");
    root_write(&r, STATE, "{\"data\":{\"snaps\":{" SNAP("a", "1", "true") "," SNAP("b_x", "x2", "true") "}}}");
    expect_installed(&r, PKG_UNREADABLE, "", "state.json:0: not every active snap is mounted\n");
    struct stat st;
    assert_int_equal(pkg_snap.unpacked(r.path, BYTES("a"), BYTES("all")), TIME_UNKNOWN);
    assert_int_equal(symlink("1", root_path(&r, "/var/lib/snapd/snap/a/current")), 0);
    assert_int_equal(lstat(root_path(&r, "/var/lib/snapd/snap/a/current"), &st), 0);
    assert_int_equal(pkg_snap.unpacked(r.path, BYTES("a"), BYTES("all")), st.st_mtim.tv_sec);
    root_remove(&r);
}

static bool take_second(void *context, const struct pkg_package *p)
{
    *(int64_t *)context = p->installed_at;
    return true;
}

#define TASK(kind, status, ready, data)                                                                                \
    "{\"kind\":\"" kind "\",\"status\":" status ",\"ready-time\":\"" ready "\",\"data\":" data "}"
#define SETUP(revision) "{\"snap-setup\":{\"instance-key\":\"k\",\"side-info\":{\"name\":\"a\",\"revision\":\"" revision "\"}}}"

/* The second is of the task that linked the current revision, as another task may describe it. */
static void tasks_tell_when(void **state)
{
    (void)state;
    static const struct {
        const char *tasks;
        int64_t at;
    } rows[] = {
        {"\"1\":" TASK("download-snap", "4", "2024-01-01T00:00:00Z", SETUP("7")) ",\"2\":" TASK(
             "link-snap", "4", "2024-01-01T01:00:05.75+01:00", "{\"snap-setup-task\":\"1\"}"),
         1704067205},
        {"\"1\":" TASK("link-snap", "4", "2024-01-01T00:00:00Z", SETUP("7")) ",\"2\":" TASK(
             "link-snap", "4", "2023-01-01T00:00:00Z", SETUP("7")),
         1704067200},
        {"\"1\":" TASK("link-snap", "3", "2024-01-01T00:00:00Z", SETUP("7")), TIME_UNKNOWN},
        {"\"1\":" TASK("link-snap", "4", "2024-01-01T00:00:00Z", SETUP("6")), TIME_UNKNOWN},
        {"\"1\":" TASK("link-snap", "4", "yesterday", SETUP("7")), TIME_UNKNOWN},
        {"\"1\":" TASK("link-snap", "4", "2024-01-01T00:00:00Z", "{\"snap-setup-task\":\"1\"}"), TIME_UNKNOWN},
        {"\"1\":7,\"2\":[],\"3\":{\"kind\":1,\"data\":2}", TIME_UNKNOWN},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct root r = root_make();
        struct wr text = wr_of(0);
        wr_fmt(&text, "{\"data\":{\"snaps\":{" SNAP("a_k", "7", "true") "}},\"tasks\":{%s}}", rows[i].tasks);
        root_write(&r, STATE, wr_string(&text));
        expect_installed(&r, PKG_OK, "a_k unknown r7 installed src a_k r7\n", "");
        int64_t at = 0;
        struct pkg_sink sink = {.context = &at, .package = take_second};
        assert_int_equal(manager->installed(r.path, &sink), PKG_OK);
        assert_true(at == rows[i].at);
        wr_free(&text);
        root_remove(&r);
    }
}

static void odd_states(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum pkg_status status;
        const char *packages;
    } rows[] = {
        {"{}", PKG_DAMAGED, ""},
        {"[1]", PKG_DAMAGED, ""},
        {"{\"data\":{}}", PKG_OK, ""},
        {"{\"data\":{\"snaps\":[]}}", PKG_OK, ""},
        {"{\"data\":{\"snaps\":{\"a\":null,\"b\":{\"current\":\"1\"},\"c\":{\"sequence\":[{}],\"current\":1},"
         "\"d\":{\"sequence\":[{}],\"current\":\"../../etc\"},\"e\":{\"sequence\":[{}],\"current\":\"unset\"}}}}",
         PKG_OK, ""},
        {"{\"data\":{\"snaps\":{" SNAP("../x", "1", "true") "," SNAP("a b", "1", "true") "," SNAP("ok", "1", "true"), PKG_DAMAGED, ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct root r = root_make();
        root_write(&r, STATE, rows[i].text);
        expect_installed(&r, rows[i].status, rows[i].packages, "");
        root_remove(&r);
    }
    struct root r = root_make();
    root_write(&r, STATE, "{\"data\":{\"snaps\":{" SNAP("../x", "1", "true") "," SNAP("ok", "1", "true") "}}}");
    expect_installed(&r, PKG_OK, "ok unknown r1 installed src ok r1\n",
                     "state.json:0: a snap whose name is none: skipped\n");
    root_remove(&r);
}

int main(void)
{
    use_zone("UTC");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metadata_in_every_form),
        cmocka_unit_test(what_is_mounted_counts),
        cmocka_unit_test(tasks_tell_when),
        cmocka_unit_test(odd_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
