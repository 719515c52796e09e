/* Records with files: what stands in a Record field where full tags are configured. */
#include "agent/collector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "roots.h"

#define ID "strongswan.org__Debian_12-x86_64-p-1"
static struct root root;
static struct agent_tag_style style;
static struct agent_inventory inventory;
static uint32_t told;

static int setup(void **state)
{
    (void)state;
    root = root_make();
    root_write(&root, "/var/lib/dpkg/status", "");
    root_write(&root, "/var/lib/dpkg/info/p.list", "/etc/p\n/usr/bin/p\n/usr/bin/line\n/gone\n");
    root_write(&root, "/usr/bin/p", "abc");
    root_write(&root, "/etc/p", "");
    style = (struct agent_tag_style){.full = true, .hashes = MEASURE_SHA256, .root = root.path};
    inventory = (struct agent_inventory){.tags = &style};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    root_remove(&root);
    return 0;
}

static struct journal_record package(bool installed)
{
    return (struct journal_record){.software_id = BYTES(ID), .name = BYTES("p"), .version = BYTES("1"), .arch = BYTES("all"),
                                   .source = PKG_SOURCE_DPKG, .installed = installed, .since = TIME_UNKNOWN};
}

static void count_file(void *context, const struct swid_file *f)
{
    ++*(unsigned *)context;
    assert_true(f->sized && f->sha256.n == 32);
}

static unsigned files_in(struct bytes tag)
{
    unsigned count = 0;
    struct error error = {""};
    struct swid_lister l = swid_lister_of(count_file, &count);
    assert_int_equal(swid_read(tag, &l.sink, &error), SWID_OK);
    swid_lister_free(&l);
    return count;
}

static void expect_identity(struct bytes tag)
{
    struct arena a = arena_of(1 << 20);
    struct swid_tag read;
    struct error error = {""};
    bool coswid = inventory.model == SWID_MODEL_COSWID;
    assert_int_equal((coswid ? swid_tag_read_coswid : swid_tag_read)(tag, &a, &read, &error), SWID_OK);
    assert_true(swid_tag_is_of(&read, BYTES(ID)));
    assert_true(bytes_equal(read.package, BYTES("p")) && bytes_equal(read.arch, BYTES("all")));
    if (!coswid)
        assert_null(memchr(tag.p, '\n', tag.n)); /* SWIMA-R78 */
    else
        assert_memory_equal(tag.p, "\xda\x53\x57\x49\x44", 5);
    arena_free(&a);
}

/* SWIMA-R8, R27, R78, R92: in both data models; what is gone has no files. */
static void records_of_what_is_installed_have_files(void **state)
{
    (void)state;
    static const uint32_t models[] = {SWID_MODEL_2015, SWID_MODEL_COSWID};
    for (size_t i = 0; i < ARRAY_LENGTH(models); i++) {
        inventory.model = models[i];
        struct agent_records *m = agent_records_new(&inventory, 1 << 20);
        const struct journal_record here = package(true), gone = package(false);
        for (int turn = 0; turn < 3; turn++) {
            struct bytes tag = agent_records_tag(m, turn == 1 ? &gone : &here, &told);
            expect_identity(tag);
            assert_int_equal(files_in(tag), turn == 1 ? 0 : 2);
        }
        assert_true(agent_records_go_plain(m));
        assert_false(agent_records_go_plain(m));
        struct bytes tag = agent_records_tag(m, &here, &told);
        expect_identity(tag);
        assert_int_equal(files_in(tag), 0);
        agent_records_free(m);
    }
    inventory.tags = NULL;
    struct agent_records *m = agent_records_new(&inventory, 1 << 20);
    assert_false(agent_records_go_plain(m));
    agent_records_free(m);
    assert_false(agent_records_go_plain(NULL));
}

static void a_tag_that_does_not_fit_is_told_without_files(void **state)
{
    (void)state;
    for (unsigned model = 0; model < 2; model++) {
        inventory.model = model ? SWID_MODEL_COSWID : SWID_MODEL_2015;
        struct agent_records *m = agent_records_new(&inventory, model ? 300 : 600);
        const struct journal_record here = package(true);
        struct bytes tag = agent_records_tag(m, &here, &told);
        expect_identity(tag);
        assert_int_equal(files_in(tag), 0);
        agent_records_free(m);
    }
}

static void without_a_root_there_are_tags_all_the_same(void **state)
{
    (void)state;
    style.root = "/nonexistent";
    struct agent_records *m = agent_records_new(&inventory, 1 << 20);
    const struct journal_record here = package(true);
    struct bytes tag = agent_records_tag(m, &here, &told);
    expect_identity(tag);
    assert_int_equal(files_in(tag), 0);
    agent_records_free(m);
}

/* An identifier that is none has no tag, and does no harm to the next one. */
static void bad_identifiers_have_no_tag(void **state)
{
    (void)state;
    for (unsigned model = 0; model < 2; model++) {
        inventory.model = model ? SWID_MODEL_COSWID : SWID_MODEL_2015;
        struct agent_records *m = agent_records_new(&inventory, 1 << 20);
        struct journal_record bad = package(true);
        const struct journal_record here = package(true);
        bad.software_id = BYTES("nothing to split");
        assert_int_equal(agent_records_tag(m, &bad, &told).n, 0);
        expect_identity(agent_records_tag(m, &here, &told));
        assert_int_equal(files_in(agent_records_tag(m, &here, &told)), 2);
        agent_records_free(m);
    }
}

/* Who is asked often reads its files once. */
static void files_are_read_beforehand(void **state)
{
    (void)state;
    struct error error = {""};
    struct journal_report report;
    bool renewed;
    char place[PATH_MAX], cache[PATH_MAX];
    root_write(&root, "/var/lib/dpkg/status", "Package: p\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n");
    snprintf(place, sizeof place, "%s", root_path(&root, "/state/x"));
    *strrchr(place, '/') = 0;
    snprintf(cache, sizeof cache, "%s/hashes.db", place);
    style.cache = cache;
    assert_int_equal(journal_open(&inventory.journal, place, JOURNAL_WRITE, &renewed, &error), JOURNAL_OK);
    assert_int_equal(journal_collect(inventory.journal, &(struct journal_options){.root = root.path}, &report, &error), JOURNAL_OK);
    assert_true(agent_records_warm(&inventory, &error));
    assert_int_equal(access(cache, F_OK), 0);
    style.cache = "/nonexistent/hashes.db";
    assert_false(agent_records_warm(&inventory, &error));
    assert_non_null(strstr(error.text, "/nonexistent"));
    journal_close(inventory.journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(records_of_what_is_installed_have_files, setup, teardown),
        cmocka_unit_test_setup_teardown(a_tag_that_does_not_fit_is_told_without_files, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_root_there_are_tags_all_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_identifiers_have_no_tag, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_read_beforehand, setup, teardown),
    };
    return cmocka_run_group_tests_name("record_files", tests, NULL, NULL);
}
