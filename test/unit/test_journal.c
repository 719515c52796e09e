#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "roots.h"

#include <dirent.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <time.h>

#define STATUS   "/var/lib/dpkg/status"
#define DPKG_LOG "/var/log/dpkg.log"
#define APT_LOG  "/var/log/apt/history.log"
#define ID       "strongswan.org__Debian_12-x86_64-"

/* A root with its state, and what collection said. */
struct machine {
    struct root root;
    char state[128];
    struct journal *journal;
    struct journal_report report;
    struct wr complaints;
    bool renewed;
    struct error error;
};

static struct machine machine_make(void)
{
    struct machine m = {.root = root_make(), .complaints = wr_of(0)};
    snprintf(m.state, sizeof m.state, "%s/state", m.root.path);
    root_write(&m.root, "/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
    root_write(&m.root, "/var/lib/dpkg/arch", "amd64\ni386\n");
    root_write(&m.root, STATUS, "");
    root_write(&m.root, APT_LOG, "");
    root_write(&m.root, DPKG_LOG, "");
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
    wr_fmt(&m->complaints, "%s:%zu: %s\n", strrchr(file, '/') + 1, line, what);
}

static enum journal_status collect_status(struct machine *m)
{
    const struct journal_options options = {.root = m->root.path, .complain = complain, .context = m};
    wr_reset(&m->complaints);
    journal_close(m->journal);
    m->journal = NULL;
    enum journal_status status = journal_open(&m->journal, m->state, JOURNAL_WRITE, &m->renewed, &m->error);
    return status == JOURNAL_OK ? journal_collect(m->journal, &options, &m->report, &m->error) : status;
}

static void differ(void *context, const char *what, const struct journal_record *record)
{
    wr_fmt(context, "%.*s %.*s: %s\n", (int)record->name.n, record->name.p, (int)record->version.n, record->version.p,
           what);
}

static bool count_event(void *context, const struct journal_event *e)
{
    uint32_t *last = context;
    assert_int_equal(e->eid, *last + 1); /* SWIMA-R31, R32: consecutive, from 1 */
    *last = e->eid;
    return true;
}

/* What must hold after every run: the journal agrees with dpkg, EIDs are consecutive, the head says so. */
static void expect_sound(struct machine *m)
{
    const struct journal_options options = {.root = m->root.path};
    struct wr text = wr_of(0);
    struct journal_head head;
    uint32_t differences, last = 0;
    assert_int_equal(journal_check(m->journal, &options, differ, &text, &differences, &m->error), JOURNAL_OK);
    assert_string_equal(wr_string(&text), "");
    assert_int_equal(differences, 0);
    assert_int_equal(journal_head(m->journal, &head, &m->error), JOURNAL_OK);
    assert_int_equal(journal_each_event(m->journal, 1, (struct bytes){0}, count_event, &last, &m->error), JOURNAL_OK);
    assert_int_equal(last, head.last_eid);
    assert_true(head.epoch != 0);
    assert_int_equal(m->report.last_eid, head.last_eid);
    wr_free(&text);
}

static void collect(struct machine *m)
{
    assert_int_equal(collect_status(m), JOURNAL_OK);
    expect_sound(m);
}

static void put_time(struct wr *w, int64_t t)
{
    char text[TIME_TEXT];
    time_format(t, text);
    /* What depends on when the test runs is "now". */
    wr_str(w, t == TIME_UNKNOWN ? "-" : t > time_now() - 1000 ? "now" : text);
}

static bool put_event(void *context, const struct journal_event *e)
{
    struct wr *w = context;
    wr_fmt(w, "%u ", e->eid);
    put_time(w, e->time);
    wr_fmt(w, " %s %s %.*s:%.*s %.*s", pkg_precision_name(e->precision), pkg_action_name(e->action),
           (int)e->record.name.n, e->record.name.p, (int)e->record.arch.n, e->record.arch.p, (int)e->record.version.n,
           e->record.version.p);
    if (e->not_before != TIME_UNKNOWN) {
        wr_str(w, " since ");
        put_time(w, e->not_before);
    }
    if (e->command.n || e->user.n)
        wr_fmt(w, " [%.*s|%.*s]", (int)e->command.n, e->command.p, (int)e->user.n, e->user.p);
    wr_str(w, "\n");
    return true;
}

static void expect_events(struct machine *m, uint32_t earliest, const char *expected)
{
    struct wr text = wr_of(0);
    assert_int_equal(journal_each_event(m->journal, earliest, (struct bytes){0}, put_event, &text, &m->error),
                     JOURNAL_OK);
    assert_string_equal(wr_string(&text), expected);
    wr_free(&text);
}

static bool put_record(void *context, const struct journal_record *r)
{
    struct wr *w = context;
    assert_true(bytes_starts(r->software_id, BYTES(ID)));
    wr_fmt(w, "%.*s:%.*s %.*s %s ", (int)r->name.n, r->name.p, (int)r->arch.n, r->arch.p, (int)r->version.n,
           r->version.p, r->installed ? pkg_state_name(r->state) : "removed");
    put_time(w, r->since);
    wr_fmt(w, " %s\n", pkg_precision_name(r->precision));
    return true;
}

static void expect_records(struct machine *m, enum journal_which which, const char *at, const char *expected)
{
    struct wr text = wr_of(0);
    int64_t t = TIME_UNKNOWN;
    assert_true(!at || time_parse(bytes_of(at), &t));
    assert_int_equal(journal_each_record(m->journal, which, t, put_record, &text, &m->error), JOURNAL_OK);
    assert_string_equal(wr_string(&text), expected);
    wr_free(&text);
}

#define DONE(time, name, version) "2024-01-01 " time " status unpacked " name " " version "\n"
#define INSTALL(time, name, version)                                                                                   \
    "2024-01-01 " time " install " name " <none> " version "\n" DONE(time, name, version)
#define UPGRADE(time, name, old, new) "2024-01-01 " time " upgrade " name " " old " " new "\n" DONE(time, name, new)
#define REMOVE(time, name, version)                                                                                    \
    "2024-01-01 " time " remove " name " " version " <none>\n2024-01-01 " time " status config-files " name            \
    " " version "\n"

/* ---- a life ------------------------------------------------------------------------------------------------------ */

/* SWIMA-R22, R25, R31, R32 */
static void test_first_run(void **state)
{
    (void)state;
    struct machine m = machine_make();
    root_write(&m.root, DPKG_LOG,
               INSTALL("10:00:00", "new:all", "1") UPGRADE("10:00:01", "up:amd64", "1:1", "1:2")
                   REMOVE("10:00:02", "gone:i386", "3") "2024-01-01 10:00:03 upgrade re:all 4 4\n" DONE(
                       "10:00:03", "re:all", "4") UPGRADE("10:00:04", "new:all", "1", "1+x"));
    root_package(&m.root, "new", "all", "1+x", "installed");
    root_package(&m.root, "up", "amd64", "1:2", "half-configured");
    root_package(&m.root, "re", "all", "4", "installed");
    root_package(&m.root, "old", "amd64", "5", "installed");
    root_package(&m.root, "conf", "amd64", "5", "config-files");
    collect(&m);
    assert_true(m.report.new_epoch);
    assert_int_equal(m.report.new_events, 11);
    assert_int_equal(m.report.sources[0].installed, 4);
    assert_int_equal(m.report.sources[0].removed, 3);
    expect_events(&m, 1,
                  "1 2024-01-01T10:00:00Z bound create up:amd64 1:1\n"
                  "2 2024-01-01T10:00:00Z bound create gone:i386 3\n"
                  "3 2024-01-01T10:00:00Z bound create re:all 4\n"
                  "4 2024-01-01T10:00:00Z bound create old:amd64 5\n"
                  "5 2024-01-01T10:00:00Z exact create new:all 1\n"
                  "6 2024-01-01T10:00:01Z exact delete up:amd64 1:1\n"
                  "7 2024-01-01T10:00:01Z exact create up:amd64 1:2\n"
                  "8 2024-01-01T10:00:02Z exact delete gone:i386 3\n"
                  "9 2024-01-01T10:00:03Z exact alter re:all 4\n"
                  "10 2024-01-01T10:00:04Z exact delete new:all 1\n"
                  "11 2024-01-01T10:00:04Z exact create new:all 1+x\n");
    expect_records(
        &m, JOURNAL_INSTALLED, NULL,
        "new:all 1+x installed 2024-01-01T10:00:04Z exact\nold:amd64 5 installed 2024-01-01T10:00:00Z bound\n"
        "re:all 4 installed 2024-01-01T10:00:00Z bound\nup:amd64 1:2 half-configured 2024-01-01T10:00:01Z exact\n");
    expect_records(&m, JOURNAL_REMOVED, NULL,
                   "gone:i386 3 removed 2024-01-01T10:00:02Z exact\nnew:all 1 removed 2024-01-01T10:00:04Z exact\n"
                   "up:amd64 1:1 removed 2024-01-01T10:00:01Z exact\n");
    uint32_t epoch = m.report.epoch;
    collect(&m);
    assert_int_equal(m.report.new_events, 0);
    assert_int_equal(m.report.last_eid, 11);
    assert_int_equal(m.report.epoch, epoch);
    assert_int_equal(m.report.sources[0].installed, 4);
    assert_false(m.report.new_epoch);
    machine_free(&m);
}

static bool put_identifier(void *context, const struct journal_record *r)
{
    wr_fmt(context, "%.*s %.*s %.*s %.*s\n", (int)r->software_id.n, r->software_id.p, (int)r->arch.n, r->arch.p,
           (int)r->source_name.n, r->source_name.p, (int)r->source_version.n, r->source_version.p);
    return true;
}

/* SWIMA-R13 */
static void test_identifiers(void **state)
{
    (void)state;
    struct machine m = machine_make();
    struct wr text = wr_of(0);
    root_write(&m.root, DPKG_LOG, INSTALL("10:00:00", "libc-bin:amd64", "2.36+b1"));
    root_package(&m.root, "libc6", "amd64", "1:2.0+dfsg-1~bpo12+1", "installed");
    root_package(&m.root, "libc6", "i386", "1:2.0+dfsg-1~bpo12+1", "installed");
    root_append(&m.root, STATUS,
                "Package: libc-bin\nSource: glibc (2.36)\nStatus: install ok installed\nVersion: "
                "2.36+b1\nArchitecture: amd64\n\n");
    collect(&m);
    /* One identifier, two packages: the identifier loses the architecture, the journal does not (SWIMA-R13). */
    assert_int_equal(journal_each_record(m.journal, JOURNAL_BOTH, TIME_UNKNOWN, put_identifier, &text, &m.error),
                     JOURNAL_OK);
    assert_string_equal(wr_string(&text), ID "libc-bin-2.36~b1 amd64 glibc 2.36\n" ID
                                             "libc6-1~2.0~dfsg-1~bpo12~1 amd64 libc6 1:2.0+dfsg-1~bpo12+1\n" ID
                                             "libc6-1~2.0~dfsg-1~bpo12~1 i386 libc6 1:2.0+dfsg-1~bpo12+1\n");
    wr_free(&text);
    machine_free(&m);
}

/* Times that the list shows for moments of the past. */
static void test_past(void **state)
{
    (void)state;
    struct machine m = machine_make();
    root_write(&m.root, DPKG_LOG,
               INSTALL("10:00:00", "a:all", "1") UPGRADE("11:00:00", "a:all", "1", "2") REMOVE("12:00:00", "a:all", "2")
                   INSTALL("13:00:00", "a:all", "1"));
    root_package(&m.root, "a", "all", "1", "triggers-pending");
    collect(&m);
    expect_records(&m, JOURNAL_BOTH, "2024-01-01T09:59:59Z", "");
    expect_records(&m, JOURNAL_BOTH, "2024-01-01T10:00:00Z", "a:all 1 installed 2024-01-01T10:00:00Z exact\n");
    expect_records(&m, JOURNAL_INSTALLED, "2024-01-01T11:30:00Z", "a:all 2 installed 2024-01-01T11:00:00Z exact\n");
    expect_records(&m, JOURNAL_REMOVED, "2024-01-01T11:30:00Z", "a:all 1 removed 2024-01-01T11:00:00Z exact\n");
    expect_records(&m, JOURNAL_INSTALLED, "2024-01-01T12:30:00Z", "");
    expect_records(&m, JOURNAL_BOTH, "2024-01-02T00:00:00Z",
                   "a:all 1 triggers-pending 2024-01-01T13:00:00Z exact\na:all 2 removed 2024-01-01T12:00:00Z exact\n");
    assert_int_equal(m.report.sources[0].installed + m.report.sources[0].removed,
                     2); /* SWIMA-R14: what comes back is the same record */
    machine_free(&m);
}

/* Where only bounds are known, nobody knows what was there before them. */
static void test_unknown_past(void **state)
{
    (void)state;
    struct machine m = machine_make();
    root_write(&m.root, DPKG_LOG, INSTALL("10:00:00", "a:all", "1") REMOVE("12:00:00", "gone:all", "1"));
    root_package(&m.root, "a", "all", "1", "installed");
    root_package(&m.root, "base", "all", "1", "half-installed");
    root_package(&m.root, "old", "all", "1", "installed");
    root_write(&m.root, "/var/lib/dpkg/info/old.list", "/.\n");
    root_time(&m.root, "/var/lib/dpkg/info/old.list", 1600000000);
    collect(&m);
    const enum journal_which all = JOURNAL_BOTH | JOURNAL_UNKNOWN;
    static const char at[] = "2021-01-01T00:00:00Z", later[] = "2024-01-01T11:00:00Z";
    expect_records(&m, all, at,
                   "base:all 1 unknown 2024-01-01T10:00:00Z bound\ngone:all 1 unknown 2024-01-01T10:00:00Z bound\n"
                   "old:all 1 installed 2020-09-13T12:26:40Z bound\n");
    expect_records(&m, JOURNAL_BOTH, at, "old:all 1 installed 2020-09-13T12:26:40Z bound\n");
    expect_records(&m, JOURNAL_REMOVED | JOURNAL_UNKNOWN, "2019-01-01T00:00:00Z",
                   "base:all 1 unknown 2024-01-01T10:00:00Z bound\ngone:all 1 unknown 2024-01-01T10:00:00Z bound\n"
                   "old:all 1 unknown 2020-09-13T12:26:40Z bound\n");
    expect_records(&m, JOURNAL_UNKNOWN, later, "");
    expect_records(&m, JOURNAL_UNKNOWN, NULL, "");
    /* It went at some time between two runs, and came back at some time between two others. */
    static const char *const events[] = {
        "INSERT INTO event SELECT 100, 1704110400 + 3600, 1704110400 - 3600, 2, 2, id, NULL FROM record WHERE name = "
        "'old'",
        "INSERT INTO event SELECT 101, 1704110400 + 9000, 1704110400 + 7200, 2, 1, id, NULL FROM record WHERE name = "
        "'old'",
    };
    sqlite3 *db;
    assert_int_equal(sqlite3_open(root_path(&m.root, "/state/journal.db"), &db), SQLITE_OK);
    for (size_t i = 0; i < ARRAY_LENGTH(events); i++)
        assert_int_equal(sqlite3_exec(db, events[i], NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    static const struct {
        const char *at, *state;
    } rows[] = {
        {"2024-01-01T10:59:59Z", "old:all 1 installed 2020-09-13T12:26:40Z bound\n"},
        {"2024-01-01T11:00:00Z", "old:all 1 unknown 2020-09-13T12:26:40Z bound\n"},
        {"2024-01-01T12:59:59Z", "old:all 1 unknown 2020-09-13T12:26:40Z bound\n"},
        {"2024-01-01T13:00:00Z", "old:all 1 removed 2024-01-01T13:00:00Z bound\n"},
        {"2024-01-01T13:59:59Z", "old:all 1 removed 2024-01-01T13:00:00Z bound\n"},
        {"2024-01-01T14:00:00Z", "old:all 1 unknown 2024-01-01T14:30:00Z bound\n"},
        {"2024-01-01T14:30:00Z", "old:all 1 installed 2024-01-01T14:30:00Z bound\n"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct wr text = wr_of(0);
        int64_t t;
        assert_true(time_parse(bytes_of(rows[i].at), &t));
        assert_int_equal(journal_each_record(m.journal, all, t, put_record, &text, &m.error), JOURNAL_OK);
        assert_non_null(strstr(wr_string(&text), rows[i].state));
        wr_free(&text);
    }
    machine_free(&m);
}

/* What apt failed at is not known to have come about; a later run of it tells, or what is there. */
static void test_failed_run(void **state)
{
    (void)state;
    struct machine m = machine_make();
    unlink(root_path(&m.root, DPKG_LOG));
    root_write(&m.root, APT_LOG,
               "\nStart-Date: 2024-06-01  10:00:00\nInstall: p1:amd64 (1.0)\nEnd-Date: 2024-06-01  10:00:05\n"
               "\nStart-Date: 2024-06-10  10:00:00\nInstall: x:amd64 (1.0), late:amd64 (1)\nUpgrade: p1:amd64 (1.0, 2.0), up:amd64 (1, 2), "
               "base:all (5, 6)\nError: Sub-process /usr/bin/dpkg returned an error code (1)\nEnd-Date: 2024-06-10  10:00:05\n"
               "\nStart-Date: 2024-07-10  10:00:00\nInstall: x:amd64 (1.0)\nUpgrade: p1:amd64 (1.0, 3.0), up:amd64 (2, 3)\n"
               "End-Date: 2024-07-10  10:00:05\n");
    root_package(&m.root, "p1", "amd64", "3.0", "installed");
    root_package(&m.root, "x", "amd64", "1.0", "installed");
    root_package(&m.root, "up", "amd64", "3", "installed");
    root_package(&m.root, "late", "amd64", "2", "installed"); /* who knows when */
    root_package(&m.root, "base", "all", "7", "installed");
    collect(&m);
    expect_events(&m, 1,
                  "1 2024-06-01T10:00:00Z bound create base:all 5\n"
                  "2 2024-06-01T10:00:00Z bound create up:amd64 1\n"
                  "3 2024-06-01T10:00:00Z transaction create p1:amd64 1.0\n"
                  "4 2024-06-10T10:00:00Z transaction delete up:amd64 1\n"
                  "5 2024-06-10T10:00:00Z transaction create up:amd64 2\n"
                  "6 2024-07-10T10:00:00Z transaction delete p1:amd64 1.0\n"
                  "7 2024-07-10T10:00:00Z transaction create p1:amd64 3.0\n"
                  "8 2024-07-10T10:00:00Z transaction delete up:amd64 2\n"
                  "9 2024-07-10T10:00:00Z transaction create up:amd64 3\n"
                  "10 2024-07-10T10:00:00Z transaction create x:amd64 1.0\n"
                  "11 now bound delete base:all 5\n"
                  "12 now bound create base:all 7\n"
                  "13 now bound create late:amd64 2\n");
    collect(&m);
    assert_int_equal(m.report.new_events, 0);
    /* The next run fails, too, and at first only what is there tells; later words on it change nothing that was told. */
    root_append(&m.root, APT_LOG,
                "\nStart-Date: 2024-08-01  10:00:00\nUpgrade: x:amd64 (1.0, 2.0), up:amd64 (3, 4)\nError: x\nEnd-Date: 2024-08-01  10:00:05\n");
    root_write(&m.root, STATUS, "");
    root_package(&m.root, "x", "amd64", "2.0", "half-configured");
    root_package(&m.root, "up", "amd64", "3", "installed");
    root_package(&m.root, "p1", "amd64", "3.0", "installed");
    root_package(&m.root, "late", "amd64", "2", "installed");
    root_package(&m.root, "base", "all", "7", "installed");
    collect(&m);
    expect_events(&m, 14,
                  "14 2024-08-01T10:00:00Z transaction delete x:amd64 1.0\n15 2024-08-01T10:00:00Z transaction create x:amd64 2.0\n");
    machine_free(&m);
}

static bool is_current(struct machine *m)
{
    bool current;
    assert_int_equal(journal_is_current(m->journal, &current, &m->error), JOURNAL_OK);
    return current;
}

/* Without a run it can be told whether one would find something. */
static void test_current(void **state)
{
    (void)state;
    struct machine m = machine_make();
    root_write(&m.root, DPKG_LOG, INSTALL("10:00:00", "a:all", "1"));
    root_package(&m.root, "a", "all", "1", "installed");
    collect(&m);
    assert_true(is_current(&m));
    assert_true(m.report.collected > time_now() - 1000);
    root_package(&m.root, "b", "all", "1", "installed");
    assert_false(is_current(&m));
    collect(&m);
    assert_true(is_current(&m));
    root_append(&m.root, DPKG_LOG, INSTALL("11:00:00", "c:all", "1"));
    assert_false(is_current(&m));
    collect(&m);
    assert_true(is_current(&m));
    assert_int_equal(unlink(root_path(&m.root, STATUS)), 0); /* no manager at all */
    assert_false(is_current(&m));
    machine_free(&m);
}

/* SWIMA-R14, R22, R29, R31, R36 */
static void test_later_runs(void **state)
{
    (void)state;
    struct machine m = machine_make();
    root_package(&m.root, "dpkg", "amd64", "1", "installed");
    root_write(&m.root, DPKG_LOG, INSTALL("10:00:00", "a:amd64", "1"));
    root_package(&m.root, "a", "amd64", "1", "installed");
    collect(&m);
    uint32_t last = m.report.last_eid, epoch = m.report.epoch;
    root_append(&m.root, DPKG_LOG, UPGRADE("10:00:00", "a:amd64", "1", "2")); /* in the same second as the last one */
    root_append(
        &m.root, APT_LOG,
        "\nStart-Date: 2024-01-01  10:00:00\nCommandline: apt upgrade\nRequested-By: me (1)\nUpgrade: a:amd64 (1, 2)\n"
        "End-Date: 2024-01-01  10:00:00\n");
    root_write(&m.root, STATUS, "");
    root_package(&m.root, "dpkg", "amd64", "1", "installed");
    root_package(&m.root, "a", "amd64", "2", "installed");
    collect(&m);
    expect_events(&m, last + 1,
                  "3 2024-01-01T10:00:00Z exact delete a:amd64 1 [apt upgrade|me (1)]\n"
                  "4 2024-01-01T10:00:00Z exact create a:amd64 2 [apt upgrade|me (1)]\n");
    assert_int_equal(m.report.epoch, epoch);
    assert_int_equal(m.report.new_events, 2);
    machine_free(&m);
}

/* dpkg changed, and no log says so. */
/* SWIMA-R22, R24, R35 */
static void test_unexplained(void **state)
{
    (void)state;
    struct machine m = machine_make();
    root_package(&m.root, "stays", "all", "1", "installed");
    root_package(&m.root, "vanishes", "all", "1", "installed");
    root_package(&m.root, "changes", "all", "1", "installed");
    root_write(&m.root, "/var/lib/dpkg/info/stays.list", "/.\n");
    root_time(&m.root, "/var/lib/dpkg/info/stays.list", 1600000000);
    collect(&m);
    expect_events(&m, 1,
                  "1 2020-09-13T12:26:40Z bound create stays:all 1\n2 now bound create changes:all 1\n3 now bound "
                  "create vanishes:all 1\n");
    root_write(&m.root, STATUS, "");
    root_package(&m.root, "stays", "all", "1", "unpacked");
    root_package(&m.root, "changes", "all", "2", "installed");
    root_package(&m.root, "comes", "amd64", "1", "installed");
    root_package(&m.root, "comes", "i386", "1", "installed");
    collect(&m);
    expect_events(&m, 4,
                  "4 now bound delete changes:all 1 since now\n5 now bound create changes:all 2 since now\n"
                  "6 now bound create comes:amd64 1 since now\n7 now bound create comes:i386 1 since now\n"
                  "8 now bound delete vanishes:all 1 since now\n");
    expect_records(
        &m, JOURNAL_INSTALLED, NULL,
        "changes:all 2 installed now bound\ncomes:amd64 1 installed now bound\ncomes:i386 1 installed now bound\n"
        "stays:all 1 unpacked 2020-09-13T12:26:40Z bound\n");
    machine_free(&m);
}

/* dpkg at work writes its log before or after its database. Whatever moment a run meets, nothing is invented. */
static void test_at_work(void **state)
{
    (void)state;
    struct machine m = machine_make();
    root_write(&m.root, STATUS, "Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n");
    root_write(&m.root, DPKG_LOG,
               "2024-01-01 10:00:00 startup archives unpack\n2024-01-01 10:00:01 install a:all <none> 1\n"
               "2024-01-01 10:00:02 status installed a:all 1\n");
    collect(&m);
    int lock = open(root_path(&m.root, "/var/lib/dpkg/lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    assert_int_equal(fcntl(lock, F_SETLK, &whole), 0);

    /* The database is ahead of the log: b is there, a is gone. */
    root_write(&m.root, STATUS, "Package: b\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n");
    assert_int_equal(collect_status(&m), JOURNAL_OK);
    assert_true(m.report.sources[0].unsettled);
    assert_int_equal(m.report.new_events, 0);
    /* The log has caught up and is ahead: c, too, which the database does not know yet. */
    root_append(&m.root, DPKG_LOG,
                "2024-01-01 11:00:00 remove a:all 1 <none>\n2024-01-01 11:00:01 status not-installed a:all <none>\n"
                "2024-01-01 11:00:02 install b:all <none> 1\n2024-01-01 11:00:03 status installed b:all 1\n"
                "2024-01-01 11:00:04 install c:all <none> 1\n2024-01-01 11:00:05 status installed c:all 1\n");
    assert_int_equal(collect_status(&m), JOURNAL_OK);
    assert_true(m.report.sources[0].unsettled);
    assert_int_equal(collect_status(&m), JOURNAL_OK);
    assert_int_equal(m.report.new_events, 0);
    root_append(&m.root, STATUS, "Package: c\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n");
    close(lock);
    collect(&m);
    assert_false(m.report.sources[0].unsettled);
    assert_int_equal(m.report.new_events, 0);
    expect_events(&m, 1,
                  "1 2024-01-01T10:00:01Z exact create a:all 1\n2 2024-01-01T11:00:00Z exact delete a:all 1\n"
                  "3 2024-01-01T11:00:02Z exact create b:all 1\n4 2024-01-01T11:00:04Z exact create c:all 1\n");

    /* It died and left what no log explains: the next run without it tells. */
    root_write(&m.root, STATUS, "Package: c\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n");
    collect(&m);
    assert_int_equal(m.report.new_events, 1);
    expect_sound(&m);
    machine_free(&m);
}

/* Logs that contradict each other, or dpkg: the journal follows as far as it can, then dpkg has the last word. */
static void test_gaps(void **state)
{
    (void)state;
    struct machine m = machine_make();
    root_write(&m.root, DPKG_LOG,
               INSTALL("10:00:00", "a:all", "1") INSTALL("11:00:00", "a:all", "3") /* 1 to 3 without a word */
               UPGRADE("12:00:00", "a:all", "5", "6") REMOVE("13:00:00", "a:all", "7") REMOVE("13:00:01", "a:all", "7")
                   INSTALL("14:00:00", "b:all", "1") INSTALL("15:00:00", "c:all", "1"));
    root_package(&m.root, "b", "all", "2", "installed");
    collect(&m);
    expect_events(&m, 1,
                  "1 2024-01-01T10:00:00Z exact create a:all 1\n"
                  "2 2024-01-01T11:00:00Z bound delete a:all 1 since 2024-01-01T10:00:00Z\n"
                  "3 2024-01-01T11:00:00Z exact create a:all 3\n"
                  "4 2024-01-01T12:00:00Z bound delete a:all 3 since 2024-01-01T11:00:00Z\n"
                  "5 2024-01-01T12:00:00Z bound create a:all 5 since 2024-01-01T11:00:00Z\n"
                  "6 2024-01-01T12:00:00Z exact delete a:all 5\n"
                  "7 2024-01-01T12:00:00Z exact create a:all 6\n"
                  "8 2024-01-01T13:00:00Z bound delete a:all 6 since 2024-01-01T12:00:00Z\n"
                  "9 2024-01-01T13:00:00Z bound create a:all 7 since 2024-01-01T12:00:00Z\n"
                  "10 2024-01-01T13:00:00Z exact delete a:all 7\n"
                  "11 2024-01-01T14:00:00Z exact create b:all 1\n"
                  "12 2024-01-01T15:00:00Z exact create c:all 1\n"
                  "13 now bound delete b:all 1 since 2024-01-01T14:00:00Z\n"
                  "14 now bound create b:all 2 since 2024-01-01T14:00:00Z\n"
                  "15 now bound delete c:all 1 since 2024-01-01T15:00:00Z\n");
    machine_free(&m);
}

/* apt tells of architecture `all` as of its own; what is installed, or was, tells them apart. */
static void test_architecture_all(void **state)
{
    (void)state;
    struct machine m = machine_make();
    root_package(&m.root, "dpkg", "amd64", "1", "installed");
    root_write(&m.root, APT_LOG,
               "\nStart-Date: 2024-01-01  10:00:00\nInstall: a:amd64 (1), b:amd64 (1), b:i386 (1)\nEnd-Date: "
               "2024-01-01  10:00:00\n");
    root_package(&m.root, "a", "all", "1", "installed");
    root_package(&m.root, "b", "amd64", "1", "installed");
    root_package(&m.root, "b", "i386", "1", "installed");
    collect(&m);
    assert_int_equal(m.report.last_eid, 4);
    root_append(&m.root, APT_LOG,
                "\nStart-Date: 2024-01-01  11:00:00\nRemove: a:amd64 (1), b:i386 (1)\nEnd-Date: 2024-01-01  11:00:00\n"
                "\nStart-Date: 2024-01-01  12:00:00\nInstall: a:amd64 (2)\nEnd-Date: 2024-01-01  12:00:00\n"
                "\nStart-Date: 2024-01-01  13:00:00\nRemove: a:amd64 (2)\nEnd-Date: 2024-01-01  13:00:00\n");
    root_write(&m.root, STATUS, "");
    root_package(&m.root, "dpkg", "amd64", "1", "installed");
    root_package(&m.root, "b", "amd64", "1", "installed");
    collect(&m);
    expect_events(
        &m, 5,
        "5 2024-01-01T11:00:00Z transaction delete a:all 1\n6 2024-01-01T11:00:00Z transaction delete b:i386 1\n"
        "7 2024-01-01T12:00:00Z transaction create a:all 2\n8 2024-01-01T13:00:00Z transaction delete a:all 2\n");
    machine_free(&m);
}

/* dpkg.log begins in the middle of a transaction: nothing is told twice. */
static void test_two_logs(void **state)
{
    (void)state;
    struct machine m = machine_make();
    root_package(&m.root, "dpkg", "amd64", "1", "installed");
    root_package(&m.root, "b", "amd64", "2", "installed");
    root_write(&m.root, APT_LOG,
               "\nStart-Date: 2024-01-01  10:00:00\nInstall: a:amd64 (1)\nUpgrade: b:amd64 (1, 2)\nEnd-Date: "
               "2024-01-01  10:00:09\n"
               "\nStart-Date: 2024-01-01  11:00:00\nRemove: a:amd64 (1)\nEnd-Date: 2024-01-01  11:00:09\n");
    root_write(&m.root, DPKG_LOG, UPGRADE("10:00:05", "b:amd64", "1", "2") REMOVE("11:00:01", "a:amd64", "1"));
    collect(&m);
    expect_events(
        &m, 1,
        "1 2024-01-01T10:00:00Z bound create b:amd64 1\n2 2024-01-01T10:00:00Z bound create dpkg:amd64 1\n"
        "3 2024-01-01T10:00:00Z transaction create a:amd64 1\n4 2024-01-01T10:00:00Z transaction delete b:amd64 1\n"
        "5 2024-01-01T10:00:00Z transaction create b:amd64 2\n6 2024-01-01T11:00:01Z exact delete a:amd64 1\n");
    machine_free(&m);
}

/* A clock that goes back: what stands on both sides of the step becomes bounds, and what is there now is what the package manager says. */
static void test_clock_steps(void **state)
{
    (void)state;
    const enum journal_which all = JOURNAL_BOTH | JOURNAL_UNKNOWN;
    struct machine m = machine_make();
    static const char before[] = INSTALL("09:00:00", "x:all", "1") INSTALL("10:00:20", "a:all", "1") UPGRADE("10:00:05", "a:all", "1", "2");
    root_write(&m.root, DPKG_LOG, before);
    root_package(&m.root, "a", "all", "2", "installed");
    root_package(&m.root, "x", "all", "1", "installed");
    collect(&m);
    expect_records(&m, JOURNAL_INSTALLED | JOURNAL_UNKNOWN, "2024-01-01T10:00:10Z",
                   "a:all 1 unknown 2024-01-01T10:00:20Z bound\na:all 2 unknown now bound\nx:all 1 installed 2024-01-01T09:00:00Z exact\n");
    expect_records(&m, JOURNAL_INSTALLED | JOURNAL_UNKNOWN, "2024-01-01T09:30:00Z",
                   "a:all 1 unknown 2024-01-01T10:00:20Z bound\nx:all 1 installed 2024-01-01T09:00:00Z exact\n");
    /* The log goes on past the step, in the same run, or in one from the beginning. */
    for (int fresh = 0; fresh < 2; fresh++) {
        struct machine n = machine_make();
        root_write(&n.root, DPKG_LOG, fresh ? "" : before);
        root_package(&n.root, "a", "all", "2", "installed");
        root_package(&n.root, "x", "all", "1", "installed");
        if (!fresh)
            collect(&n);
        root_append(&n.root, DPKG_LOG, fresh ? before : "");
        root_append(&n.root, DPKG_LOG, INSTALL("11:00:00", "c:all", "1"));
        root_package(&n.root, "c", "all", "1", "installed");
        collect(&n);
        if (fresh) {
            expect_events(&n, 1,
                          "1 2024-01-01T09:00:00Z exact create x:all 1\n2 2024-01-01T10:00:20Z bound create a:all 1 since 2024-01-01T09:00:00Z\n"
                          "3 2024-01-01T11:00:00Z bound delete a:all 1 since 2024-01-01T10:00:05Z\n"
                          "4 2024-01-01T11:00:00Z bound create a:all 2 since 2024-01-01T10:00:05Z\n"
                          "5 2024-01-01T11:00:00Z exact create c:all 1\n");
            expect_records(&n, all, NULL,
                           "a:all 1 removed 2024-01-01T11:00:00Z bound\na:all 2 installed 2024-01-01T11:00:00Z bound\n"
                           "c:all 1 installed 2024-01-01T11:00:00Z exact\nx:all 1 installed 2024-01-01T09:00:00Z exact\n");
        } else {
            expect_records(&n, JOURNAL_INSTALLED, "2024-01-01T11:00:00Z",
                           "c:all 1 installed 2024-01-01T11:00:00Z exact\nx:all 1 installed 2024-01-01T09:00:00Z exact\n");
        }
        machine_free(&n);
    }
    /* A clock that was a year ahead, seen by the run before: nothing happened at times that are yet to come. */
    struct machine f = machine_make();
    root_write(&f.root, DPKG_LOG, INSTALL("09:00:00", "x:all", "1") "2999-01-01 10:00:00 install a:all <none> 1\n2999-01-01 10:00:00 status unpacked a:all 1\n");
    root_package(&f.root, "a", "all", "1", "installed");
    root_package(&f.root, "x", "all", "1", "installed");
    collect(&f);
    root_append(&f.root, DPKG_LOG, UPGRADE("11:00:00", "a:all", "1", "2") REMOVE("12:00:00", "x:all", "1"));
    root_write(&f.root, STATUS, "");
    root_package(&f.root, "a", "all", "2", "installed");
    collect(&f);
    expect_events(&f, 1,
                  "1 2024-01-01T09:00:00Z exact create x:all 1\n2 2024-01-01T11:00:00Z bound create a:all 1 since 2024-01-01T09:00:00Z\n"
                  "3 2024-01-01T11:00:00Z exact delete a:all 1\n4 2024-01-01T11:00:00Z exact create a:all 2\n"
                  "5 2024-01-01T12:00:00Z exact delete x:all 1\n");
    expect_records(&f, all, NULL,
                   "a:all 1 removed 2024-01-01T11:00:00Z exact\na:all 2 installed 2024-01-01T11:00:00Z exact\n"
                   "x:all 1 removed 2024-01-01T12:00:00Z exact\n");
    machine_free(&f);
    machine_free(&m);
}

/* ---- what goes wrong --------------------------------------------------------------------------------------------- */

/* What logrotate leaves when it is interrupted, or copies without cutting off: each line counts once. */
static void test_copied_logs(void **state)
{
    (void)state;
    static const char all[] = INSTALL("10:00:00", "a:all", "1") UPGRADE("11:00:00", "a:all", "1", "2"), part[] = INSTALL("10:00:00", "a:all", "1");
    static const struct {
        const char *first, *first_text, *second, *second_text;
    } rows[] = {{DPKG_LOG ".1", all, DPKG_LOG ".1.gz", all},  {DPKG_LOG ".1", all, DPKG_LOG ".1.gz", part}, {DPKG_LOG ".2", all, DPKG_LOG ".1", all},
                {DPKG_LOG ".2.gz", all, DPKG_LOG ".1", part}, {DPKG_LOG, all, DPKG_LOG ".1", part},         {DPKG_LOG ".1", all, DPKG_LOG, all}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct machine m = machine_make();
        root_write(&m.root, DPKG_LOG ".tmp", rows[i].first_text);
        root_rotate(&m.root, DPKG_LOG ".tmp", rows[i].first);
        root_write(&m.root, DPKG_LOG ".tmp", rows[i].second_text);
        root_rotate(&m.root, DPKG_LOG ".tmp", rows[i].second);
        root_package(&m.root, "a", "all", "2", "installed");
        collect(&m);
        expect_events(&m, 1,
                      "1 2024-01-01T10:00:00Z exact create a:all 1\n2 2024-01-01T11:00:00Z exact delete a:all 1\n"
                      "3 2024-01-01T11:00:00Z exact create a:all 2\n");
        machine_free(&m);
    }
}

/* Of the time that a log tells of which could not be read, nothing is said as if it were known; of other times it is. */
static void test_gaps_of_logs(void **state)
{
    (void)state;
    static const struct {
        const char *at;
        enum journal_status status;
    } rows[] = {{"2024-01-01T10:30:00Z", JOURNAL_OK}, {"2024-01-01T11:30:00Z", JOURNAL_INCOMPLETE}, {"2024-01-01T13:00:00Z", JOURNAL_OK}};
    for (int kind = 0; kind < 2; kind++) { /* cut off; compressed as nobody here reads */
        struct machine m = machine_make();
        const char *name = kind ? DPKG_LOG ".1.xz" : DPKG_LOG ".1.gz";
        root_write(&m.root, DPKG_LOG ".2", INSTALL("10:00:00", "a:all", "1") INSTALL("10:30:00", "b:all", "1"));
        root_write(&m.root, DPKG_LOG ".tmp", UPGRADE("11:00:00", "a:all", "1", "2") UPGRADE("12:00:00", "a:all", "2", "1"));
        root_rotate(&m.root, DPKG_LOG ".tmp", name);
        if (!kind)
            assert_int_equal(truncate(root_path(&m.root, name), 12), 0);
        root_write(&m.root, DPKG_LOG, INSTALL("13:00:00", "c:all", "1"));
        root_package(&m.root, "a", "all", "1", "installed");
        root_package(&m.root, "b", "all", "1", "installed");
        root_package(&m.root, "c", "all", "1", "installed");
        for (int again = 0; again < 2; again++) {
            collect(&m);
            for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
                int64_t at;
                struct wr w = wr_of(0);
                assert_true(time_parse(bytes_of(rows[i].at), &at));
                assert_int_equal(journal_each_record(m.journal, JOURNAL_BOTH, at, put_record, &w, &m.error), rows[i].status);
                assert_int_equal(strstr(m.error.text, "from 2024-01-01T10:30:00Z to 2024-01-01T13:00:00Z") != NULL, rows[i].status != JOURNAL_OK);
                m.error.text[0] = 0;
                wr_free(&w);
            }
        }
        machine_free(&m);
    }
}

static void test_lost_logs(void **state)
{
    (void)state;
    struct machine m = machine_make();
    root_write(&m.root, DPKG_LOG, INSTALL("10:00:00", "a:all", "1"));
    root_package(&m.root, "a", "all", "1", "installed");
    collect(&m);
    uint32_t epoch = m.report.epoch;
    root_write(&m.root, DPKG_LOG, INSTALL("12:00:00", "c:all", "1")); /* truncated: how b came was lost */
    root_package(&m.root, "b", "all", "1", "installed");
    root_package(&m.root, "c", "all", "1", "installed");
    collect(&m);
    assert_int_equal(m.report.epoch, epoch); /* SWIMA-R35: the net change is known, so the epoch goes on */
    expect_events(&m, 2, "2 2024-01-01T12:00:00Z exact create c:all 1\n3 now bound create b:all 1 since now\n");
    assert_non_null(strstr(wr_string(&m.complaints), "is gone"));
    unlink(root_path(&m.root, DPKG_LOG));
    unlink(root_path(&m.root, APT_LOG));
    collect(&m);
    assert_int_equal(m.report.new_events, 0);
    assert_false(m.report.sources[0].unreadable);
    assert_non_null(strstr(wr_string(&m.complaints), "no such log"));
    machine_free(&m);
}

static void test_unreadable_packages(void **state)
{
    (void)state;
    struct machine m = machine_make();
    root_package(&m.root, "a", "all", "1", "installed");
    collect(&m);
    uint32_t last = m.report.last_eid;
    char kept[PATH_MAX];
    snprintf(kept, sizeof kept, "%s", root_path(&m.root, STATUS ".kept"));
    assert_int_equal(rename(root_path(&m.root, STATUS), kept), 0);
    mkdir(root_path(&m.root, STATUS), 0755);
    assert_int_equal(collect_status(&m), JOURNAL_INCOMPLETE);
    assert_int_equal(m.report.new_events, 0);
    assert_int_equal(m.report.last_eid, last);
    struct wr text = wr_of(0);
    assert_int_equal(journal_each_record(m.journal, JOURNAL_BOTH, TIME_UNKNOWN, put_record, &text, &m.error),
                     JOURNAL_INCOMPLETE);
    assert_string_equal(wr_string(&text), "a:all 1 installed now bound\n");
    wr_free(&text);
    rmdir(root_path(
        &m.root,
        STATUS)); /* and now it is not there at all: that is no reason to believe that everything was removed */
    assert_int_equal(collect_status(&m), JOURNAL_INCOMPLETE);
    assert_int_equal(m.report.sources[0].installed, 1);
    assert_int_equal(rename(kept, root_path(&m.root, STATUS)), 0);
    collect(&m);
    assert_int_equal(m.report.new_events, 0);
    machine_free(&m);
}

static void test_no_manager(void **state)
{
    (void)state;
    struct machine m = machine_make();
    unlink(root_path(&m.root, STATUS));
    assert_int_equal(collect_status(&m), JOURNAL_INCOMPLETE);
    assert_int_equal(m.report.source_count, 0);
    machine_free(&m);
}

static void test_unreadable_log(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    struct machine m = machine_make();
    root_write(&m.root, DPKG_LOG, INSTALL("10:00:00", "a:all", "1"));
    root_package(&m.root, "a", "all", "1", "installed");
    chmod(root_path(&m.root, DPKG_LOG), 0600);
    chmod(m.root.path, 0755);
    mkdir(m.state, 0777);
    chmod(m.state, 0777);
    pid_t child = fork();
    if (child == 0) { /* as nobody */
        bool ok = setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0 &&
                  collect_status(&m) == JOURNAL_OK && m.report.sources[0].unreadable &&
                  strstr(wr_string(&m.complaints), "dpkg.log:0: this log cannot be read");
        ok = ok && collect_status(&m) == JOURNAL_OK && m.report.sources[0].unreadable; /* and it is said again */
        _exit(ok ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    root_append(
        &m.root, DPKG_LOG,
        INSTALL("11:00:00", "b:all", "1")); /* older than the first run: what it tells is known by its outcome */
    root_package(&m.root, "b", "all", "1", "installed");
    collect(&m); /* as root */
    assert_false(m.report.sources[0].unreadable);
    assert_int_equal(m.report.last_eid, 2);
    machine_free(&m);
}

/* A rotated log that is damaged, or compressed as nobody here reads: said by each run as long as it lies there, also by those that are done with it. */
static void test_damaged_logs(void **state)
{
    (void)state;
    static const struct {
        const char *name, *said;
    } rows[] = {{DPKG_LOG ".2.gz", "dpkg.log.2.gz"}, {APT_LOG ".1.gz", "history.log.1.gz"}, {DPKG_LOG ".2.xz", "dpkg.log.2.xz"}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        for (int end = 0; end < 2; end++) {
            struct machine m = machine_make();
            char whole[4096];
            bool current;
            root_write(&m.root, DPKG_LOG, INSTALL("09:00:00", "old:all", "1"));
            root_rotate(&m.root, DPKG_LOG, rows[i].name);
            FILE *f = fopen(root_path(&m.root, rows[i].name), "re");
            size_t n = fread(whole, 1, sizeof whole, f);
            fclose(f);
            root_put(&m.root, rows[i].name, whole, n - 6, O_TRUNC);
            root_write(&m.root, DPKG_LOG, INSTALL("10:00:00", "a:all", "1"));
            root_write(&m.root, APT_LOG, "\nStart-Date: 2024-01-01  10:00:00\nInstall: a:amd64 (1)\nEnd-Date: 2024-01-01  10:00:01\n");
            root_package(&m.root, "a", "all", "1", "installed");
            for (int again = 0; again < 3; again++) { /* nothing new; something new */
                wr_reset(&m.complaints);
                collect(&m);
                assert_true(m.report.sources[0].unreadable);
                assert_non_null(strstr(wr_string(&m.complaints), rows[i].said));
                assert_int_equal(m.report.new_events, again == 0 ? m.report.last_eid : again == 2);
                struct journal_head head;
                assert_int_equal(journal_head(m.journal, &head, &m.error), JOURNAL_OK);
                assert_int_equal(head.unread, 1);
                assert_int_equal(journal_is_current(m.journal, &current, &m.error), JOURNAL_OK);
                assert_true(current);
                if (again == 1) {
                    root_append(&m.root, DPKG_LOG, INSTALL("11:00:00", "b:all", "1"));
                    root_package(&m.root, "b", "all", "1", "installed");
                }
            }
            unlink(root_path(&m.root, rows[i].name));
            if (end) { /* mended, where gzip can be; else unpacked */
                root_write(&m.root, DPKG_LOG ".9", INSTALL("09:00:00", "old:all", "1"));
                root_rotate(&m.root, DPKG_LOG ".9", strstr(rows[i].name, ".gz") ? rows[i].name : DPKG_LOG ".2");
            }
            wr_reset(&m.complaints);
            collect(&m);
            assert_false(m.report.sources[0].unreadable);
            assert_null(strstr(wr_string(&m.complaints), rows[i].said));
            machine_free(&m);
        }
}

/* A log that was not there, or could not be read, tells later when it really came: now as of any moment. */
static void test_logs_found_later(void **state)
{
    (void)state;
    struct machine m = machine_make();
    unlink(root_path(&m.root, DPKG_LOG));
    unlink(root_path(&m.root, APT_LOG));
    root_package(&m.root, "a", "all", "2", "installed");
    collect(&m);
    expect_records(&m, JOURNAL_BOTH, NULL, "a:all 2 installed now bound\n");
    root_write(&m.root, DPKG_LOG, INSTALL("10:00:00", "a:all", "1") UPGRADE("11:00:00", "a:all", "1", "2"));
    collect(&m);
    expect_records(&m, JOURNAL_INSTALLED, NULL, "a:all 2 installed 2024-01-01T11:00:00Z exact\n");
    expect_records(&m, JOURNAL_BOTH, NULL, "a:all 1 removed 2024-01-01T11:00:00Z exact\na:all 2 installed 2024-01-01T11:00:00Z exact\n");
    expect_records(&m, JOURNAL_BOTH, "2024-01-02T00:00:00Z",
                   "a:all 1 removed 2024-01-01T11:00:00Z exact\na:all 2 installed 2024-01-01T11:00:00Z exact\n");
    machine_free(&m);
}

/* It also tells of what it does not name, if it was there all the time: that is older than the log. What was told of either stays true, with its EID. */
static void test_bounds_become_narrower(void **state)
{
    (void)state;
    for (int missing = 0; missing < 2; missing++) {
        struct machine m = machine_make();
        const char *younger = "/var/lib/dpkg/info/young.list";
        unlink(root_path(&m.root, DPKG_LOG));
        if (!missing) /* what is there under the name cannot be read */
            mkdir(root_path(&m.root, DPKG_LOG), 0755);
        root_package(&m.root, "old", "all", "1", "installed");
        root_package(&m.root, "named", "amd64", "2", "installed");
        root_package(&m.root, "again", "all", "1", "installed");
        root_package(&m.root, "young", "all", "1", "installed");
        root_write(&m.root, younger, "");
        root_time(&m.root, younger, 1704448800); /* 2024-01-05T10:00:00Z */
        collect(&m);
        assert_int_equal(m.report.sources[0].unreadable, !missing);
        expect_records(&m, JOURNAL_BOTH, NULL,
                       "again:all 1 installed now bound\nnamed:amd64 2 installed now bound\nold:all 1 installed now bound\n"
                       "young:all 1 installed 2024-01-05T10:00:00Z bound\n");
        rmdir(root_path(&m.root, DPKG_LOG));
        root_write(&m.root, DPKG_LOG,
                   INSTALL("10:00:00", "named:amd64", "2") INSTALL("11:00:00", "gone:all", "1") REMOVE("12:00:00", "gone:all", "1")
                       INSTALL("13:00:00", "again:all", "1") REMOVE("14:00:00", "again:all", "1") INSTALL("15:00:00", "again:all", "1"));
        collect(&m);
        assert_int_equal(m.report.new_events, 4); /* of gone and again */
        expect_records(&m, JOURNAL_INSTALLED, NULL,
                       missing ? "again:all 1 installed 2024-01-01T15:00:00Z exact\nnamed:amd64 2 installed 2024-01-01T10:00:00Z exact\n"
                                 "old:all 1 installed now bound\nyoung:all 1 installed 2024-01-05T10:00:00Z bound\n"
                               : "again:all 1 installed 2024-01-01T15:00:00Z exact\nnamed:amd64 2 installed 2024-01-01T10:00:00Z exact\n"
                                 "old:all 1 installed 2024-01-01T10:00:00Z bound\nyoung:all 1 installed 2024-01-05T10:00:00Z bound\n");
        expect_records(&m, JOURNAL_BOTH, "2024-01-01T13:30:00Z",
                       missing ? "again:all 1 installed 2024-01-01T13:00:00Z exact\ngone:all 1 removed 2024-01-01T12:00:00Z exact\n"
                                 "named:amd64 2 installed 2024-01-01T10:00:00Z exact\n"
                               : "again:all 1 installed 2024-01-01T13:00:00Z exact\ngone:all 1 removed 2024-01-01T12:00:00Z exact\n"
                                 "named:amd64 2 installed 2024-01-01T10:00:00Z exact\nold:all 1 installed 2024-01-01T10:00:00Z bound\n");
        struct journal_head head;
        assert_int_equal(journal_head(m.journal, &head, &m.error), JOURNAL_OK);
        assert_int_equal(head.known_since, 1704103200); /* 2024-01-01T10:00:00Z */
        collect(&m);
        assert_int_equal(m.report.new_events, 0);
        machine_free(&m);
    }
}

static size_t count_kept(const struct machine *m)
{
    size_t count = 0;
    DIR *d = opendir(m->state);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        count += strncmp(e->d_name, "journal.db.damaged-", 19) == 0 && !strstr(e->d_name, "-wal") &&
                 !strstr(e->d_name, "-shm");
    closedir(d);
    return count;
}

/* SWIMA-R33, R34, R45, R46 */
static void test_damaged_journal(void **state)
{
    (void)state;
    struct machine m = machine_make();
    struct stat st;
    root_write(&m.root, DPKG_LOG, INSTALL("10:00:00", "a:all", "1"));
    root_package(&m.root, "a", "all", "1", "installed");
    for (int way = 0; way < 3; way++) {
        collect(&m);
        uint32_t epoch = m.report.epoch;
        journal_close(m.journal);
        m.journal = NULL;
        assert_int_equal(stat(root_path(&m.root, "/state/journal.db"), &st), 0);
        int fd = open(root_path(&m.root, "/state/journal.db"), O_RDWR | O_CLOEXEC);
        char noise[4096];
        memset(noise, 0xa5, sizeof noise);
        if (way == 0)
            assert_int_equal(pwrite(fd, noise, sizeof noise, 0), (ssize_t)sizeof noise);
        else if (way == 1)
            assert_int_equal(pwrite(fd, noise, sizeof noise, 4096 * 3), (ssize_t)sizeof noise);
        else
            assert_int_equal(ftruncate(fd, st.st_size / 2), 0);
        close(fd);
        struct journal *reader;
        assert_int_equal(journal_open(&reader, m.state, JOURNAL_READ, NULL, &m.error), JOURNAL_DAMAGED);
        assert_int_equal(count_kept(&m), (size_t)way); /* reading sets nothing aside */
        collect(&m);
        assert_int_equal(count_kept(&m), (size_t)way + 1);
        assert_true(m.renewed);
        assert_true(m.report.new_epoch);
        assert_true(m.report.epoch != epoch);
        expect_events(&m, 1, "1 2024-01-01T10:00:00Z exact create a:all 1\n");
    }
    machine_free(&m);
}

/* Who may write, but did not come to mend, leaves a damaged journal where it is. */
static void test_update_mends_nothing(void **state)
{
    (void)state;
    struct machine m = machine_make();
    const struct journal_options options = {.root = m.root.path};
    root_package(&m.root, "a", "all", "1", "installed");
    collect(&m);
    journal_close(m.journal);
    assert_int_equal(journal_open(&m.journal, m.state, JOURNAL_UPDATE, NULL, &m.error), JOURNAL_OK);
    root_package(&m.root, "b", "all", "1", "installed");
    assert_int_equal(journal_collect(m.journal, &options, &m.report, &m.error), JOURNAL_OK);
    assert_int_equal(m.report.new_events, 1);
    journal_close(m.journal);
    int fd = open(root_path(&m.root, "/state/journal.db"), O_RDWR | O_CLOEXEC);
    char noise[4096];
    memset(noise, 0xa5, sizeof noise);
    assert_int_equal(pwrite(fd, noise, sizeof noise, 0), (ssize_t)sizeof noise);
    close(fd);
    assert_int_equal(journal_open(&m.journal, m.state, JOURNAL_UPDATE, NULL, &m.error), JOURNAL_DAMAGED);
    assert_int_equal(count_kept(&m), 0);
    machine_free(&m);
}

/* Copies journal.db over: what a restored backup does. */
static void copy_file(const char *from, const char *to)
{
    static char buffer[1 << 20];
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ssize_t n = read(in, buffer, sizeof buffer);
    assert_true(n > 0);
    assert_int_equal(write(out, buffer, (size_t)n), n);
    close(in);
    close(out);
}

/* SWIMA-R33, R34, R35, R36, R111 */
static void test_restored_journal(void **state)
{
    (void)state;
    struct machine m = machine_make();
    char live[PATH_MAX], backup[PATH_MAX];
    root_package(&m.root, "a", "all", "1", "installed");
    collect(&m);
    uint32_t epoch = m.report.epoch;
    journal_close(m.journal);
    m.journal = NULL;
    snprintf(live, sizeof live, "%s", root_path(&m.root, "/state/journal.db"));
    snprintf(backup, sizeof backup, "%s", root_path(&m.root, "/backup.db"));
    copy_file(live, backup);
    root_package(&m.root, "b", "all", "1", "installed");
    collect(&m);
    assert_int_equal(m.report.epoch, epoch);
    assert_int_equal(m.report.last_eid, 2);
    journal_close(m.journal);
    m.journal = NULL;
    assert_int_equal(rename(backup, live), 0); /* EID 2 is free again, but the server knows it */
    root_package(&m.root, "c", "all", "1", "installed");
    collect(&m);
    assert_true(m.report.new_epoch);
    assert_true(m.report.epoch != epoch); /* SWIMA-R33, R36 */
    assert_int_equal(m.report.last_eid, 3);
    epoch = m.report.epoch;
    journal_close(m.journal);
    m.journal = NULL;
    copy_file(live, backup);
    root_package(&m.root, "d", "all", "1", "installed");
    collect(&m);
    assert_int_equal(m.report.epoch, epoch);
    journal_close(m.journal);
    m.journal = NULL;
    copy_file(backup, live); /* into the file itself */
    collect(&m);
    assert_true(m.report.new_epoch);
    assert_true(m.report.epoch != epoch);
    assert_int_equal(m.report.last_eid, 4);
    machine_free(&m);
}

/* One from before it knew its root. */
static void test_older_journal(void **state)
{
    (void)state;
    struct machine m = machine_make();
    sqlite3 *db;
    root_package(&m.root, "a", "all", "1", "installed");
    collect(&m);
    uint32_t epoch = m.report.epoch;
    journal_close(m.journal);
    m.journal = NULL;
    assert_int_equal(sqlite3_open(root_path(&m.root, "/state/journal.db"), &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "ALTER TABLE head DROP COLUMN root; DROP INDEX record_software_id; DROP TABLE tag; DROP TABLE gap; UPDATE source SET status = 1; PRAGMA user_version = 1",
                     NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(journal_open(&m.journal, m.state, JOURNAL_READ, NULL, &m.error), JOURNAL_OLDER);
    collect(&m);
    assert_int_equal(m.report.epoch, epoch);
    assert_int_equal(m.report.new_events, 0);
    assert_int_equal(journal_expect_root(m.journal, "/", &m.error), JOURNAL_OTHER_ROOT);
    machine_free(&m);
}

/* A journal is of one root, by whatever path it is named. */
static void test_other_root(void **state)
{
    (void)state;
    struct machine m = machine_make(), other = machine_make();
    struct journal_options options = {.root = other.root.path};
    struct journal_report report;
    struct wr text = wr_of(0);
    char dotted[128];
    uint32_t differences;
    root_package(&m.root, "a", "all", "1", "installed");
    root_package(&other.root, "b", "all", "1", "installed");
    collect(&m);
    uint32_t epoch = m.report.epoch;
    assert_int_equal(journal_collect(m.journal, &options, &report, &m.error), JOURNAL_OTHER_ROOT);
    assert_non_null(strstr(m.error.text, m.root.path));
    assert_non_null(strstr(m.error.text, other.root.path));
    assert_int_equal(journal_expect_root(m.journal, other.root.path, &m.error), JOURNAL_OTHER_ROOT);
    assert_int_equal(journal_check(m.journal, &options, differ, &text, &differences, &m.error), JOURNAL_OTHER_ROOT);
    assert_string_equal(wr_string(&text), "");
    expect_sound(&m); /* nothing was written */
    snprintf(dotted, sizeof dotted, "%s/var/..", m.root.path);
    options.root = dotted;
    assert_int_equal(journal_collect(m.journal, &options, &report, &m.error), JOURNAL_OK);
    assert_int_equal(report.new_events, 0);
    options.root = "/no/such/root";
    assert_int_equal(journal_collect(m.journal, &options, &report, &m.error), JOURNAL_FAILED);
    options = (struct journal_options){.root = other.root.path, .adopt_root = true};
    assert_int_equal(journal_collect(m.journal, &options, &report, &m.error), JOURNAL_OTHER_ROOT); /* of another system */
    expect_sound(&m);
    root_package(&other.root, "a", "all", "2", "installed");
    assert_int_equal(journal_collect(m.journal, &options, &report, &m.error), JOURNAL_OK);
    assert_int_equal(report.epoch, epoch); /* the same history goes on elsewhere */
    assert_int_equal(journal_expect_root(m.journal, other.root.path, &m.error), JOURNAL_OK);
    assert_int_equal(journal_expect_root(m.journal, m.root.path, &m.error), JOURNAL_OTHER_ROOT);
    wr_free(&text);
    machine_free(&m);
    machine_free(&other);
}

/* ---- two at once, and sudden death ------------------------------------------------------------------------------- */

static void add_transactions(struct machine *m, int from, int count)
{
    struct wr log = wr_of(0), status = wr_of(0);
    for (int i = from; i < from + count; i++) {
        wr_fmt(&log, "2024-01-01 %02d:%02d:%02d install p%d:all <none> %d\n", i / 3600, i / 60 % 60, i % 60, i, i);
        wr_fmt(&status, "Package: p%d\nStatus: install ok installed\nArchitecture: all\nVersion: %d\n\n", i, i);
    }
    root_append(&m->root, DPKG_LOG, wr_string(&log));
    root_append(&m->root, STATUS, wr_string(&status));
    wr_free(&log);
    wr_free(&status);
}

static void test_two_at_once(void **state)
{
    (void)state;
    struct machine m = machine_make();
    add_transactions(&m, 0, 2000);
    pid_t children[4];
    for (size_t i = 0; i < ARRAY_LENGTH(children); i++)
        if ((children[i] = fork()) == 0)
            _exit(collect_status(&m) == JOURNAL_OK ? 0 : 1);
    for (size_t i = 0; i < ARRAY_LENGTH(children); i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    collect(&m);
    assert_int_equal(m.report.new_events, 0);
    assert_int_equal(m.report.last_eid, 2000);
    machine_free(&m);
}

/* SWIMA-R36, R46 */
static void test_killed(void **state)
{
    (void)state;
    struct machine m = machine_make();
    int total = 0;
    for (int round = 0; round < 25; round++) {
        add_transactions(&m, total, 400);
        total += 400;
        pid_t child = fork();
        if (child == 0) {
            collect_status(&m);
            _exit(0);
        }
        usleep((useconds_t)(round * 700));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    collect(&m);
    assert_int_equal(m.report.last_eid, total); /* nothing lost, nothing doubled */
    assert_int_equal(m.report.sources[0].installed, total);
    assert_false(m.renewed);
    machine_free(&m);
}

static void test_absent(void **state)
{
    (void)state;
    struct machine m = machine_make();
    assert_int_equal(journal_open(&m.journal, m.state, JOURNAL_READ, NULL, &m.error), JOURNAL_ABSENT);
    assert_null(m.journal);
    assert_int_equal(access(m.state, F_OK), -1); /* reading makes nothing */
    machine_free(&m);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_run),
        cmocka_unit_test(test_identifiers),
        cmocka_unit_test(test_past),
        cmocka_unit_test(test_unknown_past),
        cmocka_unit_test(test_failed_run),
        cmocka_unit_test(test_current),
        cmocka_unit_test(test_update_mends_nothing),
        cmocka_unit_test(test_later_runs),
        cmocka_unit_test(test_unexplained),
        cmocka_unit_test(test_at_work),
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_architecture_all),
        cmocka_unit_test(test_two_logs),
        cmocka_unit_test(test_clock_steps),
        cmocka_unit_test(test_copied_logs),
        cmocka_unit_test(test_gaps_of_logs),
        cmocka_unit_test(test_lost_logs),
        cmocka_unit_test(test_unreadable_packages),
        cmocka_unit_test(test_no_manager),
        cmocka_unit_test(test_unreadable_log),
        cmocka_unit_test(test_damaged_logs),
        cmocka_unit_test(test_logs_found_later),
        cmocka_unit_test(test_bounds_become_narrower),
        cmocka_unit_test(test_damaged_journal),
        cmocka_unit_test(test_restored_journal),
        cmocka_unit_test(test_older_journal),
        cmocka_unit_test(test_other_root),
        cmocka_unit_test(test_two_at_once),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
