/* The journal over two package managers: dpkg, and the smallest one there can be, which knows when it installed what.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* manager.c with a list of our own takes the place of the library's. */
#define PKG_MANAGERS(M) M(dpkg) M(list)
#include "pkg/manager.c"

#include "agent/agent.h"
#include "roots.h"

#include "list_manager.h"

#include <time.h>

#define STATUS   "/var/lib/dpkg/status"
#define DPKG_LOG "/var/log/dpkg.log"

struct machine {
    struct root root;
    char state[128];
    struct journal *journal;
    struct journal_report report;
    struct wr complaints;
    const char *replacement; /* what stands in the list from its first complaint on; NULL: no change */
    struct error error;
};

static struct machine machine_make(void)
{
    struct machine m = {.root = root_make(), .complaints = wr_of(0)};
    snprintf(m.state, sizeof m.state, "%s/state", m.root.path);
    root_write(&m.root, DPKG_LOG, "2024-01-01 10:00:00 install a:all <none> 1\n");
    root_package(&m.root, "a", "all", "1", "installed");
    root_write(&m.root, LIST_PACKAGES, "old 1 noarch 1600000000\nplain 1 noarch -\n");
    bool renewed;
    assert_int_equal(journal_open(&m.journal, m.state, JOURNAL_WRITE, &renewed, &m.error), JOURNAL_OK);
    return m;
}

static void machine_free(struct machine *m)
{
    journal_close(m->journal);
    wr_free(&m->complaints);
    root_remove(&m->root);
}

static void complain(void *context, const char *file, size_t line, const char *what)
{
    struct machine *m = context;
    if (m->replacement && strstr(file, LIST_PACKAGES)) {
        unlink(file); /* as a rename does: who reads it reads the old one to its end */
        root_write(&m->root, LIST_PACKAGES, m->replacement);
        m->replacement = NULL;
        return;
    }
    if (!strstr(what, "no such log"))
        wr_fmt(&m->complaints, "%s:%zu: %s\n", file + strlen(m->root.path), line, what);
}

static void expect_collect(struct machine *m, enum journal_status status, const char *complaints)
{
    const struct journal_options options = {.root = m->root.path, .complain = complain, .context = m};
    wr_reset(&m->complaints);
    assert_int_equal(journal_collect(m->journal, &options, &m->report, &m->error), status);
    assert_string_equal(wr_string(&m->complaints), complaints);
}

static void put_time(struct wr *w, int64_t t)
{
    char text[TIME_TEXT];
    time_format(t, text);
    wr_str(w, t == TIME_UNKNOWN ? "-" : t > time_now() - 1000 ? "now" : text);
}

static bool put_event(void *context, const struct journal_event *e)
{
    struct wr *w = context;
    wr_fmt(w, "%u ", e->eid);
    put_time(w, e->time);
    wr_fmt(w, " %s %s %.*s %.*s", pkg_precision_name(e->precision), pkg_action_name(e->action), (int)e->record.name.n,
           e->record.name.p, (int)e->record.version.n, e->record.version.p);
    if (e->not_before != TIME_UNKNOWN) {
        wr_str(w, " since ");
        put_time(w, e->not_before);
    }
    wr_str(w, "\n");
    return true;
}

static void expect_events(struct machine *m, uint32_t earliest, const char *expected)
{
    struct wr text = wr_of(0);
    enum journal_status status =
        journal_each_event(m->journal, earliest, (struct bytes){0}, put_event, &text, &m->error);
    assert_true(status == JOURNAL_OK || status == JOURNAL_INCOMPLETE);
    assert_string_equal(wr_string(&text), expected);
    wr_free(&text);
}

static void differ(void *context, const char *what, const struct journal_record *record)
{
    wr_fmt(context, "%.*s: %s\n", (int)record->name.n, record->name.p, what);
}

static void expect_difference(struct machine *m, enum journal_status status, const char *expected)
{
    const struct journal_options options = {.root = m->root.path};
    struct wr text = wr_of(0);
    uint32_t differences;
    assert_int_equal(journal_check(m->journal, &options, differ, &text, &differences, &m->error), status);
    assert_string_equal(wr_string(&text), expected);
    wr_free(&text);
}

static void remove_folder(struct machine *m, const char *folder)
{
    assert_int_equal(nftw(root_path(&m->root, folder), root_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void a_manager_knows_its_times(void **state)
{
    (void)state;
    struct machine m = machine_make();
    expect_collect(&m, JOURNAL_OK, "");
    expect_events(&m, 1,
                  "1 2020-09-13T12:26:40Z exact create old 1\n2 now bound create plain 1\n"
                  "3 2024-01-01T10:00:00Z exact create a 1\n");
    char text[256];
    long long soon = time_now() + 1; /* the clock of what installs is another one than that which looks */
    struct timespec second = {2, 0};
    nanosleep(&second, NULL);
    snprintf(text, sizeof text,
             "old 2 noarch %lld\nplain 1 noarch -\nearly 1 noarch 1600000000\nlate 1 noarch 9999999999\n", soon);
    root_write(&m.root, LIST_PACKAGES, text);
    expect_collect(&m, JOURNAL_OK, "");
    /* One from before the last run cannot be, nor one from the future: those get the bounds. */
    expect_events(&m, 4,
                  "4 now bound delete old 1 since now\n5 now exact create old 2\n6 now bound create early 1 since now\n"
                  "7 now bound create late 1 since now\n");
    expect_difference(&m, JOURNAL_OK, "");
    machine_free(&m);
}

static void a_manager_goes_with_its_packages(void **state)
{
    (void)state;
    struct machine m = machine_make();
    expect_collect(&m, JOURNAL_OK, "");
    uint32_t epoch = m.report.epoch;
    remove_folder(&m, "/var/lib/dpkg");
    expect_difference(&m, JOURNAL_OK, "a: in the journal, but not installed\n");
    expect_collect(&m, JOURNAL_OK,
                   "/var/lib/dpkg:0: this package manager is gone: all its packages count as removed\n");
    expect_events(&m, 4, "4 now bound delete a 1 since now\n");
    assert_true(m.report.new_epoch && m.report.epoch != epoch); /* SWIMA-R3 */
    assert_int_equal(m.report.sources[0].status, PKG_ABSENT);
    assert_int_equal(m.report.sources[0].installed, 0);
    assert_int_equal(m.report.sources[0].removed, 1);
    epoch = m.report.epoch;
    expect_difference(&m, JOURNAL_OK, "");
    expect_collect(&m, JOURNAL_OK, ""); /* said once */
    assert_int_equal(m.report.new_events, 0);
    assert_int_equal(m.report.epoch, epoch);
    assert_int_equal(m.report.source_count, 2);
    mkdir(root_path(&m.root, "/var/lib/dpkg"), 0755); /* what was gone stays so, whatever its folder looks like */
    expect_collect(&m, JOURNAL_OK, "");
    expect_difference(&m, JOURNAL_OK, "");
    root_package(&m.root, "a", "all", "1", "installed");
    expect_collect(&m, JOURNAL_OK, "");
    expect_events(&m, 5, "5 now bound create a 1 since now\n");
    assert_int_equal(m.report.sources[0].status, PKG_OK);
    machine_free(&m);
}

static void what_is_merely_not_there_yet_keeps_its_packages(void **state)
{
    (void)state;
    static const char *const away[][2] = {
        {STATUS, NULL},                     /* its folder still stands: a file system that is not mounted */
        {"/var/lib/dpkg", "/var/lib/list"}, /* all of them at once */
        {"/var/lib", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(away); i++) {
        struct machine m = machine_make();
        expect_collect(&m, JOURNAL_OK, "");
        uint32_t epoch = m.report.epoch;
        for (size_t k = 0; k < 2 && away[i][k]; k++)
            remove_folder(&m, away[i][k]);
        for (int run = 0; run < 2; run++) {
            expect_collect(&m, JOURNAL_INCOMPLETE, "");
            assert_non_null(strstr(m.error.text, "/var/lib/dpkg"));
            assert_int_equal(m.report.new_events, 0);
            assert_int_equal(m.report.sources[0].installed, 1);
            assert_int_equal(m.report.epoch, epoch);
            expect_difference(&m, JOURNAL_INCOMPLETE, "");
        }
        machine_free(&m);
    }
}

/* SWIMA-R24, R35: what changes while it is read is read once more. */
static void what_changes_under_our_hands_is_read_again(void **state)
{
    (void)state;
    struct machine m = machine_make();
    struct journal_head head;
    struct error error;
    root_write(&m.root, LIST_PACKAGES, "nonsense\nold 1 noarch 1600000000\n");
    m.replacement = "new 1 noarch -\nother 1 noarch -\n";
    expect_collect(&m, JOURNAL_OK, "");
    assert_null(m.replacement);
    assert_int_equal(journal_head(m.journal, &head, &error), JOURNAL_OK);
    assert_int_equal(head.installed, 3); /* with dpkg's */
    assert_int_equal(head.removed, 0);
    expect_collect(&m, JOURNAL_OK, "");
    assert_int_equal(m.report.new_events, 0);
    machine_free(&m);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_changes_under_our_hands_is_read_again),
        cmocka_unit_test(a_manager_knows_its_times),
        cmocka_unit_test(a_manager_goes_with_its_packages),
        cmocka_unit_test(what_is_merely_not_there_yet_keeps_its_packages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
