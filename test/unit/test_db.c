#include "db/db.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define APPLICATION 0x4d737431

static const char *const steps[] = {
    "CREATE TABLE thing(id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT; INSERT INTO thing(name) VALUES('first')",
    "ALTER TABLE thing ADD COLUMN size INTEGER NOT NULL DEFAULT 7",
};
static const struct db_schema one = {APPLICATION, steps, 1}, two = {APPLICATION, steps, 2};
static const char *const broken_steps[] = {"CREATE TABLE thing(id INTEGER)",
                                           "CREATE TABLE other(id INTEGER); SELECT nonsense"};
static const struct db_schema broken = {APPLICATION, broken_steps, 2};

struct place {
    char folder[64], path[96];
    struct error error;
};

static int make_place(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    snprintf(p->folder, sizeof p->folder, "/tmp/muster-db-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    snprintf(p->path, sizeof p->path, "%s/a b%%?#.db", p->folder);
    *state = p;
    return 0;
}

static int remove_place(void **state)
{
    struct place *p = *state;
    char command[4][160];
    static const char *const parts[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(command[i], sizeof command[i], "%s%s", p->path, parts[i]);
        unlink(command[i]);
    }
    rmdir(p->folder); /* tests that set files aside remove them themselves */
    free(p);
    return 0;
}

static int64_t number(struct db *db, const char *sql)
{
    sqlite3_stmt *s = db_statement(db, sql, NULL);
    assert_non_null(s);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t v = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return v;
}

static struct db *must_open(struct place *p, unsigned flags, const struct db_schema *schema)
{
    struct db *db;
    enum db_status status = db_open(&db, p->path, flags, schema, &p->error);
    if (status != DB_OK)
        fail_msg("%s", p->error.text);
    return db;
}

static enum db_status try_open(struct place *p, unsigned flags, const struct db_schema *schema)
{
    struct db *db;
    p->error.text[0] = 0;
    enum db_status status = db_open(&db, p->path, flags, schema, &p->error);
    if (status != DB_OK) {
        assert_null(db);
        assert_non_null(strstr(p->error.text, p->path));
        assert_null(strchr(p->error.text, '\n'));
    }
    db_close(db);
    return status;
}

static void write_at(const char *path, off_t at, const void *data, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, n, at), (ssize_t)n);
    close(fd);
}

static struct bytes read_all(const char *path, uint8_t *room, size_t size)
{
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t n = read(fd, room, size);
    close(fd);
    return (struct bytes){room, (size_t)n};
}

static void test_create_and_migrate(void **state)
{
    struct place *p = *state;
    assert_int_equal(try_open(p, 0, &one), DB_ABSENT);
    assert_int_equal(access(p->path, F_OK), -1);
    struct db *db = must_open(p, DB_CREATE, &one);
    assert_int_equal(number(db, "SELECT count(*) FROM thing"), 1);
    assert_int_equal(number(db, "PRAGMA synchronous"), 2);
    assert_int_equal(number(db, "PRAGMA foreign_keys"), 1);
    db_close(db);
    db = must_open(p, DB_CHECK, &two);
    assert_int_equal(number(db, "SELECT size FROM thing"), 7);
    assert_int_equal(number(db, "PRAGMA user_version"), 2);
    db_close(db);
    assert_int_equal(try_open(p, 0, &one), DB_NEWER);
    db = must_open(p, DB_READ_ONLY, &two);
    assert_int_equal(db_run(db, "INSERT INTO thing(name) VALUES('x')", &p->error), DB_PERMISSION);
    db_close(db);
}

static void test_read_only_wants_the_schema(void **state)
{
    struct place *p = *state;
    db_close(must_open(p, DB_CREATE, &one));
    assert_int_equal(try_open(p, DB_READ_ONLY, &two), DB_OLDER);
    unlink(p->path);
    write_at(p->path, 0, "", 0);
    assert_int_equal(try_open(p, DB_READ_ONLY, &two), DB_ABSENT);
    /* An empty file is what a crash between creating and writing leaves. */
    db_close(must_open(p, DB_CREATE, &two));
}

static void test_failed_migration_leaves_the_version_before(void **state)
{
    struct place *p = *state;
    assert_int_equal(try_open(p, DB_CREATE, &broken), DB_FAILED);
    struct db_schema first = {APPLICATION, broken_steps, 1};
    struct db *db = must_open(p, 0, &first);
    assert_int_equal(number(db, "SELECT count(*) FROM sqlite_schema WHERE name='other'"), 0);
    db_close(db);
}

static void test_foreign_files(void **state)
{
    struct place *p = *state;
    static const char text[] =
        "this is no database at all, but a text that somebody wrote into the wrong place, over and over again";
    uint8_t room[4096];
    write_at(p->path, 0, text, sizeof text);
    assert_int_equal(try_open(p, DB_CREATE, &one), DB_DAMAGED);
    assert_true(bytes_equal(read_all(p->path, room, sizeof room), (struct bytes){(const uint8_t *)text, sizeof text}));
    unlink(p->path);
    struct db_schema other = {1234, steps, 1};
    db_close(must_open(p, DB_CREATE, &other));
    assert_int_equal(try_open(p, DB_CREATE, &one), DB_FAILED);
    unlink(p->path);
    sqlite3 *plain;
    assert_int_equal(sqlite3_open(p->path, &plain), SQLITE_OK);
    assert_int_equal(sqlite3_exec(plain, "CREATE TABLE t(a)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(plain);
    assert_int_equal(try_open(p, DB_CREATE, &one), DB_FAILED);
}

/* A damaged file stays as it is, octet by octet, and so does its write-ahead log. */
static void test_damage_is_seen_and_kept(void **state)
{
    struct place *p = *state;
    static uint8_t before[1 << 20], after[1 << 20];
    struct db *db = must_open(p, DB_CREATE, &one);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(
            db_run(db, "INSERT INTO thing(name) VALUES('a name that takes some room on its page')", &p->error), DB_OK);
    db_close(db);
    uint8_t junk[3000];
    memset(junk, 0xa5, sizeof junk);
    write_at(p->path, 4096 * 3, junk, sizeof junk);
    struct bytes kept = read_all(p->path, before, sizeof before);
    assert_int_equal(try_open(p, DB_CHECK, &two), DB_DAMAGED);
    assert_true(bytes_equal(kept, read_all(p->path, after, sizeof after)));
    assert_int_equal(truncate(p->path, 4096 * 5 + 17), 0);
    kept = read_all(p->path, before, sizeof before);
    assert_int_equal(try_open(p, DB_CHECK, &two), DB_DAMAGED);
    assert_true(bytes_equal(kept, read_all(p->path, after, sizeof after)));
}

static void test_set_aside(void **state)
{
    struct place *p = *state;
    char kept[2][200], wal[500];
    uint8_t room[64];
    for (int i = 0; i < 2; i++) {
        write_at(p->path, 0, i ? "two" : "one", 3);
        snprintf(wal, sizeof wal, "%s-wal", p->path);
        write_at(wal, 0, "log", 3);
        assert_int_equal(db_set_aside(p->path, kept[i], sizeof kept[i], &p->error), DB_OK);
        assert_int_equal(access(p->path, F_OK), -1);
        assert_int_equal(access(wal, F_OK), -1);
    }
    assert_string_not_equal(kept[0], kept[1]); /* within one second, too */
    assert_true(bytes_equal(read_all(kept[0], room, sizeof room), BYTES("one")));
    assert_true(bytes_equal(read_all(kept[1], room, sizeof room), BYTES("two")));
    for (int i = 0; i < 2; i++) {
        snprintf(wal, sizeof wal, "%s-wal", kept[i]);
        assert_true(bytes_equal(read_all(wal, room, sizeof room), BYTES("log")));
        unlink(wal);
        unlink(kept[i]);
    }
    assert_int_equal(db_set_aside(p->path, kept[0], sizeof kept[0], &p->error), DB_ABSENT);
    assert_int_equal(db_set_aside(p->path, kept[0], 5, &p->error), DB_FAILED);
}

static void test_statements_are_kept(void **state)
{
    struct place *p = *state;
    struct db *db = must_open(p, DB_CREATE, &one);
    char sql[64];
    sqlite3_stmt *first = db_statement(db, "SELECT ?1", &p->error);
    assert_int_equal(sqlite3_bind_int(first, 1, 5), SQLITE_OK);
    for (int i = 0; i < 50; i++) { /* the text counts, not where it stands */
        snprintf(sql, sizeof sql, "SELECT %d", i);
        assert_int_equal(number(db, sql), i);
    }
    assert_ptr_equal(db_statement(db, "SELECT ?1", &p->error), first);
    assert_int_equal(sqlite3_step(first), SQLITE_ROW);
    assert_int_equal(sqlite3_column_type(first, 0), SQLITE_NULL); /* unbound */
    assert_null(db_statement(db, "SELECT nonsense FROM nowhere", &p->error));
    assert_non_null(strstr(p->error.text, "nowhere"));
    assert_int_equal(db_run(db, "ATTACH '/tmp/muster-attached' AS y", &p->error), DB_FAILED);
    db_close(db);
}

static void test_full(void **state)
{
    struct place *p = *state;
    struct db *db = must_open(p, DB_CREATE, &one);
    assert_int_equal(number(db, "PRAGMA max_page_count=20"), 20);
    assert_int_equal(db_begin(db, &p->error), DB_OK);
    enum db_status status = DB_OK;
    for (int i = 0; i < 100000 && status == DB_OK; i++)
        status = db_run(db, "INSERT INTO thing(name) VALUES('a name that takes some room on its page')", &p->error);
    assert_int_equal(status, DB_FULL);
    db_rollback(db);
    assert_int_equal(number(db, "SELECT count(*) FROM thing"), 1);
    /* A file that may not grow: what a quota does. */
    assert_int_equal(number(db, "PRAGMA max_page_count=100000"), 100000);
    struct rlimit old, small = {300000, 300000};
    getrlimit(RLIMIT_FSIZE, &old);
    small.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    assert_int_equal(db_begin(db, &p->error), DB_OK);
    status = DB_OK;
    for (int i = 0; i < 20000 && status == DB_OK; i++)
        status = db_run(db, "INSERT INTO thing(name) VALUES('a name that takes some room on its page')", &p->error);
    if (status == DB_OK)
        status = db_commit(db, &p->error);
    else
        db_rollback(db);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(status, DB_FULL);
    assert_int_equal(number(db, "SELECT count(*) FROM thing"), 1);
    assert_int_equal(db_run(db, "INSERT INTO thing(name) VALUES('now there is room')", &p->error), DB_OK);
    db_close(db);
}

static void test_permission(void **state)
{
    struct place *p = *state;
    if (geteuid() == 0) {
        print_message("root may do everything: the permission test is skipped\n");
        skip();
    }
    db_close(must_open(p, DB_CREATE, &one));
    chmod(p->path, 0);
    assert_int_equal(try_open(p, 0, &one), DB_PERMISSION);
}

/* In a process that may read all and write nothing here: how many things it counts, or 100 + status. */
static pid_t count_as_nobody(const struct place *p)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    struct db *db;
    struct error error = {""};
    if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0))
        _exit(99);
    enum db_status status = db_open(&db, p->path, DB_READ_ONLY | DB_CHECK, &two, &error);
    if (status != DB_OK)
        fprintf(stderr, "%s\n", error.text);
    sqlite3_stmt *s =
        status == DB_OK ? db_statement(db, "SELECT count(*), sum(length(name)) FROM thing", &error) : NULL;
    _exit(s && sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int(s, 0) : 100 + (int)status);
}

static int result_of(pid_t child)
{
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    return WEXITSTATUS(result);
}

static void let_read(const struct place *p, mode_t folder)
{
    assert_int_equal(chmod(p->path, 0644), 0);
    assert_int_equal(chmod(p->folder, folder), 0);
}

static void test_who_may_only_read_reads(void **state)
{
    struct place *p = *state;
    db_close(must_open(p, DB_CREATE, &two));
    let_read(p, 0555);
    assert_int_equal(result_of(count_as_nobody(p)), 1);
    let_read(p, 0755);
    if (geteuid() != 0)
        return; /* who owns it may write it */
    struct db *writer = must_open(p, 0, &two);
    assert_int_equal(db_run(writer, "INSERT INTO thing(name) VALUES('in the log')", &p->error), DB_OK);
    assert_int_equal(result_of(count_as_nobody(p)), 2);
    db_close(writer);
    assert_int_equal(result_of(count_as_nobody(p)), 2);
    pid_t killed = fork();
    if (killed == 0) {
        writer = must_open(p, 0, &two);
        _exit((int)db_run(writer, "INSERT INTO thing(name) VALUES('of somebody who died')", &p->error));
    }
    assert_int_equal(result_of(killed), DB_OK);
    assert_int_equal(result_of(count_as_nobody(p)), 3);
}

static void test_a_full_disk_is_read(void **state)
{
    struct place *p = *state;
    const struct rlimit none = {0, 0};
    db_close(must_open(p, DB_CREATE, &two));
    pid_t reader = fork();
    if (reader == 0) {
        struct db *db;
        signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &none) != 0 || db_open(&db, p->path, DB_READ_ONLY, &two, &p->error) != DB_OK)
            _exit(100);
        _exit((int)number(db, "SELECT count(*) FROM thing"));
    }
    assert_int_equal(result_of(reader), 1);
    /* What was half made is no harm to those who can. */
    struct db *db = must_open(p, 0, &two);
    assert_int_equal(db_run(db, "INSERT INTO thing(name) VALUES('there is room')", &p->error), DB_OK);
    db_close(db);
    let_read(p, 0755);
    assert_int_equal(result_of(count_as_nobody(p)), 2);
}

/* A writer that comes and goes under the eyes of those who read: they see all of a transaction or nothing. */
static void test_reading_beside_a_writer(void **state)
{
    struct place *p = *state;
    if (geteuid() != 0) {
        print_message("only root can write what somebody else may only read: skipped\n");
        skip();
    }
    db_close(must_open(p, DB_CREATE, &two));
    let_read(p, 0755);
    pid_t writer = fork();
    for (int i = 0; writer == 0 && i < 100; i++) {
        struct db *db = must_open(p, 0, &two);
        bool good = db_begin(db, &p->error) == DB_OK && db_run(db, "DELETE FROM thing", &p->error) == DB_OK;
        for (int k = 0; k < 40 && good; k++)
            good = db_run(db, "INSERT INTO thing(name) VALUES(hex(randomblob(2000)))", &p->error) == DB_OK;
        if (!good || db_commit(db, &p->error) != DB_OK)
            _exit(1);
        db_close(db);
    }
    if (writer == 0)
        _exit(0);
    int result, counted = 0;
    while (waitpid(writer, &result, WNOHANG) == 0) {
        int n = result_of(count_as_nobody(p));
        assert_true(n == 40 || n == 1);
        counted++;
    }
    assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 0 && counted > 0);
}

/* Several processes that create and migrate one file at once all succeed, and the steps are taken once. */
static void test_many_create_at_once(void **state)
{
    struct place *p = *state;
    enum { PROCESSES = 6 };
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++)
        if ((children[i] = fork()) == 0) {
            struct db *db;
            enum db_status status = db_open(&db, p->path, DB_CREATE, &two, &p->error);
            if (status == DB_OK && (status = db_begin(db, &p->error)) == DB_OK &&
                (status = db_run(db, "INSERT INTO thing(name) VALUES('child')", &p->error)) == DB_OK)
                status = db_commit(db, &p->error);
            if (status != DB_OK)
                fprintf(stderr, "%s\n", p->error.text);
            db_close(db);
            _exit((int)status);
        }
    for (int i = 0; i < PROCESSES; i++) {
        int result;
        waitpid(children[i], &result, 0);
        assert_true(WIFEXITED(result));
        assert_int_equal(WEXITSTATUS(result), 0);
    }
    struct db *db = must_open(p, DB_CHECK, &two);
    assert_int_equal(number(db, "SELECT count(*) FROM thing"), 1 + PROCESSES);
    db_close(db);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)
    const struct CMUnitTest tests[] = {
        TEST(test_create_and_migrate),
        TEST(test_read_only_wants_the_schema),
        TEST(test_failed_migration_leaves_the_version_before),
        TEST(test_foreign_files),
        TEST(test_damage_is_seen_and_kept),
        TEST(test_set_aside),
        TEST(test_statements_are_kept),
        TEST(test_full),
        TEST(test_permission),
        TEST(test_who_may_only_read_reads),
        TEST(test_a_full_disk_is_read),
        TEST(test_reading_beside_a_writer),
        TEST(test_many_create_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
