/* The journal over a manager whose versions stand side by side: an event speaks of the version that it names, and in the
 * end what is installed is what the manager says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* manager.c with a list of our own takes the place of the library's. */
#define PKG_MANAGERS(M) M(beside)
#include "pkg/manager.c"

#include "agent/agent.h"
#include "roots.h"

#include "list_manager.h"

/* The log is here, each event told once; the packages are the list's. */
static const struct deed {
    int64_t time;
    enum pkg_action action;
    const char *name, *version;
} *deeds;

static enum pkg_status beside_history(const char *root, struct pkg_cursor *cursor, const struct pkg_sink *sink)
{
    (void)root;
    for (; deeds && deeds->name; deeds++) {
        const struct pkg_event e = {.time = deeds->time,
                                    .not_before = TIME_UNKNOWN,
                                    .precision = PKG_TRANSACTION,
                                    .action = deeds->action,
                                    .name = bytes_of(deeds->name),
                                    .arch = BYTES("noarch"),
                                    .version = bytes_of(deeds->version)};
        if (!sink->event(sink->context, &e))
            return PKG_STOPPED;
    }
    cursor->continuous = true;
    cursor->reaches_back = 1700000000;
    return PKG_OK;
}

const struct pkg_manager pkg_beside = {
    .name = "beside",
    .doc = "for this test",
    .source = 200,
    .present = list_present,
    .installed = list_installed,
    .history = beside_history,
    .side_by_side = true,
    .stamp = list_stamp,
    .watch = (const char *const[]){LIST_FOLDER, NULL},
};

static bool put_event(void *context, const struct journal_event *e)
{
    wr_fmt(context, "%s %s %.*s %.*s\n", pkg_precision_name(e->precision), pkg_action_name(e->action),
           (int)e->record.name.n, e->record.name.p, (int)e->record.version.n, e->record.version.p);
    return true;
}

static void no_difference(void *context, const char *what, const struct journal_record *record)
{
    (void)context;
    fail_msg("%.*s: %s", (int)record->version.n, record->version.p, what);
}

static void collect(struct journal *j, const struct root *r, const struct deed *told, uint32_t earliest,
                    const char *events)
{
    const struct journal_options options = {.root = r->path};
    struct journal_report report;
    struct error error;
    struct wr text = wr_of(0);
    uint32_t differences;
    deeds = told;
    assert_int_equal(journal_collect(j, &options, &report, &error), JOURNAL_OK);
    assert_int_equal(journal_each_event(j, earliest, (struct bytes){0}, put_event, &text, &error), JOURNAL_OK);
    assert_string_equal(wr_string(&text), events);
    assert_int_equal(journal_check(j, &options, no_difference, NULL, &differences, &error), JOURNAL_OK);
    wr_free(&text);
}

static void a_version_comes_and_goes_alone(void **state)
{
    (void)state;
    struct root r = root_make();
    struct journal *j;
    struct error error;
    bool renewed;
    char folder[128];
    snprintf(folder, sizeof folder, "%s/state", r.path);
    assert_int_equal(journal_open(&j, folder, JOURNAL_WRITE, &renewed, &error), JOURNAL_OK);
    /* 1 was there before the log, which tells of 2, of 3, and that 0 went, whose coming it does not tell. */
    static const struct deed first[] = {{1700000100, PKG_CREATE, "kernel", "2"},
                                        {1700000200, PKG_CREATE, "kernel", "3"},
                                        {1700000300, PKG_DELETE, "kernel", "0"},
                                        {0, 0, NULL, NULL}};
    root_write(&r, LIST_PACKAGES, "kernel 1 noarch 1600000000\nkernel 2 noarch -\nkernel 3 noarch -\n");
    collect(j, &r, first, 1,
            "exact create kernel 1\nbound create kernel 0\ntransaction create kernel 2\ntransaction create kernel 3\n"
            "transaction delete kernel 0\n");
    /* An upgrade of one, a reinstallation of another: the rest stays. */
    static const struct deed second[] = {{1700000400, PKG_DELETE, "kernel", "2"},
                                         {1700000400, PKG_CREATE, "kernel", "4"},
                                         {1700000500, PKG_ALTER, "kernel", "1"},
                                         {0, 0, NULL, NULL}};
    root_write(&r, LIST_PACKAGES, "kernel 1 noarch 1600000000\nkernel 3 noarch -\nkernel 4 noarch -\n");
    collect(j, &r, second, 6, "transaction delete kernel 2\ntransaction create kernel 4\ntransaction alter kernel 1\n");
    /* A log that does not tell the truth: the manager has the last word. */
    static const struct deed third[] = {{1700000600, PKG_DELETE, "kernel", "1"}, {0, 0, NULL, NULL}};
    root_write(&r, LIST_PACKAGES, "kernel 1 noarch -\nkernel 4 noarch -\n");
    collect(j, &r, third, 9, "transaction delete kernel 1\nbound delete kernel 3\nbound create kernel 1\n");
    journal_close(j);
    root_remove(&r);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_version_comes_and_goes_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
