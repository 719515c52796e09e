/* pacman's log and its database, the odd lines of both; what all managers owe is held to by test_managers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pkg/internal.h"
#include "roots.h"

static const struct pkg_manager *const manager = &pkg_pacman;
#include "told.h"

#define LOCAL "/var/lib/pacman/local"

static void what_was_done_is_told(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_cursor cursor = {.after = wr_of(0)};
    root_write(&r, PACMAN_LOG,
               "[2024-01-05T12:34:55+0100] [PACMAN] Running 'pacman -Syu'\n"
               "[2024-01-05T12:34:55+0100] [PACMAN] synchronizing package lists\n"
               "[2024-01-05T12:34:56+0100] [ALPM] transaction started\n"
               "[2024-01-05T12:34:56+0100] [ALPM] upgraded zlib (1:1.2.8-3 -> 1:1.3-1)\n"
               "[2024-01-05T12:34:57+0100] [ALPM] downgraded bash (5.2-2 -> 5.1-1)\n"
               "[2024-01-05T12:34:57+0100] [ALPM-SCRIPTLET] installed nothing (1-1)\n"
               "[2024-01-05T12:34:57+0100] [ALPM] warning: /etc/passwd installed as /etc/passwd.pacnew\n"
               "[2024-01-05T12:34:58+0100] [ALPM] transaction completed\n"
               "[2024-01-05T12:34:58+0100] [ALPM] running 'ldconfig.hook'...\n"
               "[2024-01-05T20:00:00-0330] [ALPM] removed bar (1-1)\n"
               "[2024-01-05T23:30:01+0000] [ALPM] reinstalled foo (2:1.0+r3-1)\n"
               "[2024-01-05T23:30:02+0000] [ALPM] installed foo-bar (1-1.1)\n");
    expect_history(&r, &cursor,
                   "01-05T11:34:56Z exact delete zlib: 1:1.2.8-3 or-all [pacman -Syu|]\n"
                   "01-05T11:34:56Z exact create zlib: 1:1.3-1 or-all [pacman -Syu|]\n"
                   "01-05T11:34:57Z exact delete bash: 5.2-2 or-all [pacman -Syu|]\n"
                   "01-05T11:34:57Z exact create bash: 5.1-1 or-all [pacman -Syu|]\n"
                   "01-05T23:30:00Z exact delete bar: 1-1 or-all\n"
                   "01-05T23:30:01Z exact alter foo: 2:1.0+r3-1 or-all\n"
                   "01-05T23:30:02Z exact create foo-bar: 1-1.1 or-all\n",
                   "");
    assert_true(cursor.continuous);
    wr_free(&cursor.after);
    root_remove(&r);
}

/* An agent reads while pacman writes: the command is remembered, and nothing is told twice. */
static void a_transaction_may_be_read_in_parts(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_cursor cursor = {.after = wr_of(0)};
    root_write(&r, PACMAN_LOG,
               "[2024-01-05T12:00:00+0000] [PACMAN] Running 'pacman -S a b'\n[2024-01-05T12:00:00+0000] [ALPM] "
               "transaction started\n"
               "[2024-01-05T12:00:00+0000] [ALPM] installed a (1-1)\n[2024-01-05T12:00:01+0000] [ALPM] inst");
    expect_history(&r, &cursor, "01-05T12:00:00Z exact create a: 1-1 or-all [pacman -S a b|]\n", "");
    root_append(&r, PACMAN_LOG, "alled b (1-1)\n");
    expect_history(&r, &cursor, "01-05T12:00:01Z exact create b: 1-1 or-all [pacman -S a b|]\n", "");
    root_append(&r, PACMAN_LOG, "[2024-01-05T12:00:02+0000] [ALPM] transaction completed\n");
    expect_history(&r, &cursor, "", "");
    root_rotate(&r, PACMAN_LOG, PACMAN_LOG ".1.gz");
    unlink(root_path(&r, PACMAN_LOG));
    root_write(&r, PACMAN_LOG, "[2024-01-06T12:00:02+0000] [ALPM] removed b (1-1)\n");
    expect_history(&r, &cursor, "01-06T12:00:02Z exact delete b: 1-1 or-all\n", "");
    assert_true(cursor.continuous);
    root_write(&r, PACMAN_LOG, "[2024-01-07T12:00:02+0000] [ALPM] removed a (1-1)\n"); /* a log that lost its past */
    unlink(root_path(&r, PACMAN_LOG ".1.gz"));
    expect_history(&r, &cursor, "01-07T12:00:02Z exact delete a: 1-1 or-all\n", NULL);
    assert_false(cursor.continuous);
    wr_free(&cursor.after);
    root_remove(&r);
}

/* Before pacman 5.2 a minute, local; before 4.2 no tag. The time is a bound: the last second of the minute. */
static void old_logs(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_cursor cursor = {.after = wr_of(0)};
    use_zone("Europe/Berlin");
    root_write(
        &r, PACMAN_LOG,
        "[2011-07-01 10:00] installed filesystem (2011.04-1)\n[2015-03-02 12:34] [PACMAN] Running 'pacman -R x'\n"
        "[2015-03-02 12:34] [ALPM] removed x (1-1)\n");
    expect_history(&r, &cursor,
                   "07-01T08:00:59Z bound since 07-01T08:00:00Z create filesystem: 2011.04-1 or-all\n03-02T11:34:59Z bound since 03-02T11:34:00Z delete x: 1-1 "
                   "or-all [pacman -R x|]\n",
                   "");
    assert_int_equal(cursor.reaches_back, INT64_C(1309507259));
    use_zone("UTC");
    wr_free(&cursor.after);
    root_remove(&r);
}

static void odd_lines(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_cursor cursor = {.after = wr_of(0)};
    root_write(&r, PACMAN_LOG,
               "\n[\n[]\n[2024-01-05T12:00:00+0000]\n[2024-01-05T12:00:00+0000] [ALPM]\n[2024-01-05T12:00:00+0000] "
               "[ALPM] installed\n"
               "[2024-01-05T12:00:00+0000] [ALPM] installed x\n[2024-01-05T12:00:00+0000] [ALPM] installed x ()\n"
               "[2024-01-05T12:00:00+0000] [ALPM] installed x (1-1 -> )\n[2024-01-05T12:00:00+0000] [ALPM] removed x, "
               "y (1-1)\n"
               "[2024-13-05T12:00:00+0000] [ALPM] installed x (1-1)\n[yesterday] [ALPM] installed x (1-1)\n"
               "[2024-01-05T12:00:00+0000] [PACMAN] Running '\n[2024-01-05T12:00:00+0000] [ALPM] installed y (1-1)\n");
    expect_history(
        &r, &cursor, "01-05T12:00:00Z exact create y: 1-1 or-all\n",
        "pacman.log:11: a time that pacman does not write\npacman.log:12: a time that pacman does not write\n");
    wr_free(&cursor.after);
    root_remove(&r);
}

static void odd_databases(void **state)
{
    (void)state;
    struct root r = root_make();
    struct told t;
    root_write(&r, LOCAL "/ALPM_DB_VERSION", "9\n");
    root_write(&r, LOCAL "/good-1-1/desc", "%NAME%\ngood\n\n%VERSION%\n1-1\n\n%ARCH%\nx86_64\n\n%DESC%\n%NAME%\nbad\n");
    root_write(&r, LOCAL "/empty-1-1/desc", "");
    root_write(&r, LOCAL "/blank-1-1/desc", "%NAME%\na b\n\n%VERSION%\n1-1\n\n%ARCH%\nany\n");
    root_write(&r, LOCAL "/none-1-1/files", "%FILES%\nusr/\n");
    root_write(&r, LOCAL "/.hidden/desc", "");
    struct pkg_sink sink = sink_of(&t);
    assert_int_equal(manager->installed(r.path, &sink), PKG_OK);
    assert_string_equal(wr_string(&t.text), "good x86_64 1-1 installed src good 1-1\n");
    assert_non_null(strstr(wr_string(&t.complaints), "skipped"));
    told_free(&t);
    /* While pacman works, a package without description is neither there nor gone. */
    root_write(&r, "/var/lib/pacman/db.lck", "");
    sink = sink_of(&t);
    assert_int_equal(manager->installed(r.path, &sink), PKG_UNREADABLE);
    told_free(&t);
    root_remove(&r);
}

int main(void)
{
    use_zone("UTC");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_done_is_told),
        cmocka_unit_test(a_transaction_may_be_read_in_parts),
        cmocka_unit_test(old_logs),
        cmocka_unit_test(odd_lines),
        cmocka_unit_test(odd_databases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
