/* Accounts: the file as administrators and enemies leave it, and the thread that verifies logins. */
#include "server/accounts.h"
#include "server/server.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char state[64], path[96];
static struct error error;

static int make_folder(void **unused)
{
    (void)unused;
    snprintf(state, sizeof state, "/tmp/muster-accounts-XXXXXX");
    if (!mkdtemp(state))
        return -1;
    snprintf(path, sizeof path, "%s/endpoints.passwd", state);
    return 0;
}

static int remove_folder(void **unused)
{
    (void)unused;
    unlink(path);
    return rmdir(state);
}

static void write_file(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static bool add(const char *name, const char *password, enum server_status expected)
{
    bool replaced;
    enum server_status status = account_add(state, name, bytes_of(password), 4096, &replaced, &error);
    if (status != expected)
        fail_msg("%s: %d %s", name, status, error.text);
    return replaced;
}

static void read_file(char *text, size_t size)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, size - 1, f)] = 0;
    fclose(f);
}

static void gather(void *context, struct bytes name, uint32_t iterations)
{
    struct wr *w = context;
    assert_int_equal(iterations, 4096);
    wr_bytes(w, name);
    wr_u8(w, ' ');
}

static void assert_names(const char *expected)
{
    struct wr w = wr_of(0);
    assert_int_equal(account_each(state, gather, &w, &error), SERVER_OK);
    assert_string_equal(wr_string(&w), expected);
    wr_free(&w);
}

static void accounts_come_and_go(void **unused)
{
    (void)unused;
    struct stat st;
    char text[4096];
    assert_names("");
    add("dave", "secret", SERVER_OK);
    assert_false(add("carol", "secret", SERVER_OK));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_names("carol dave ");
    /* Somebody's notes stay. */
    read_file(text, sizeof text);
    char noted[4200];
    snprintf(noted, sizeof noted, "# ours\n\n%s", text);
    write_file(noted);
    assert_true(add("dave", "another", SERVER_OK));
    read_file(text, sizeof text);
    assert_memory_equal(text, "# ours\n\n", 8);
    assert_null(strstr(text, "secret"));
    assert_names("carol dave ");
    assert_int_equal(account_remove(state, "erin", &error), SERVER_ABSENT);
    assert_int_equal(account_remove(state, "", &error), SERVER_ABSENT);
    assert_int_equal(account_remove(state, "carol", &error), SERVER_OK);
    assert_names("dave ");
    /* Without accounts nothing is left to be offered. */
    assert_int_equal(account_remove(state, "dave", &error), SERVER_OK);
    assert_int_equal(stat(path, &st), -1);
    assert_int_equal(account_remove(state, "dave", &error), SERVER_ABSENT);
}

#define ROW                                                                                                            \
    "SCRAM-SHA-256$4096:c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"                                        \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static void what_a_name_and_a_password_may_be(void **unused)
{
    (void)unused;
    bool replaced;
    char longest[257];
    memset(longest, 'x', 256);
    longest[256] = 0;
    add("", "x", SERVER_REFUSED);
    add("a:b", "x", SERVER_REFUSED);
    add("#a", "x", SERVER_REFUSED);
    add(" a", "x", SERVER_REFUSED);
    add("a\nb", "x", SERVER_REFUSED);
    add("a\xff", "x", SERVER_REFUSED);
    add("x y", "x", SERVER_REFUSED); /* as for a certificate */
    add(".x", "x", SERVER_REFUSED);
    add("-x", "x", SERVER_REFUSED);
    add("a/b", "x", SERVER_REFUSED);
    add("k\xc3\xb6nig", "x", SERVER_REFUSED);
    assert_non_null(strstr(error.text, "letters, digits, . - _ @"));
    add(longest + 191, "x", SERVER_REFUSED);
    add("a", "", SERVER_REFUSED);
    add("a", "x\ny", SERVER_REFUSED);
    add("a", "x\xee\x80\x80", SERVER_REFUSED);
    add("a", "\xd8\xa7\x31", SERVER_REFUSED);
    add("a", "\xc2\xad", SERVER_REFUSED);
    assert_non_null(strstr(error.text, "RFC 4013"));
    add("a", longest, SERVER_REFUSED);
    assert_int_equal(account_add(state, "a", BYTES("x"), 4095, &replaced, &error), SERVER_REFUSED);
    assert_int_equal(access(path, F_OK), -1);
    add(longest + 192, longest + 1, SERVER_OK);
    add("carol@example.org", "gr\xc3\xbc\xc3\x9f", SERVER_OK);
    struct accounts a;
    assert_int_equal(accounts_read(&a, path, &error), SERVER_OK);
    assert_int_equal(a.count, 3);
    accounts_free(&a);
    unlink(path);
    /* Names of the file of an earlier version stay, and can be removed. */
    write_file("carol@example.org, k\xc3\xb6nig=1:" ROW "\n");
    add("dave", "secret", SERVER_OK);
    assert_names("carol@example.org, k\xc3\xb6nig=1 dave ");
    assert_int_equal(account_remove(state, "carol@example.org, k\xc3\xb6nig=1", &error), SERVER_OK);
    unlink(path);
}

static void damaged_files_are_named_by_line(void **unused)
{
    static const struct {
        const char *text, *complaint; /* NULL: good */
        size_t count;
    } rows[] = {
        {"", NULL, 0},
        {"\n\n# nobody\n", NULL, 0},
        {"a:" ROW, NULL, 1},
        {"a:" ROW "\r\nb:" ROW "\r\n", NULL, 2},
        {":" ROW "\n", NULL, 1},
        {"a:" ROW "\nb\n", "line 2 ", 0},
        {"# x\n\na:secret\n", "line 3 ", 0},
        {"a:" ROW "x\n", "line 1 ", 0},
        {"a\x01:" ROW "\n", "line 1 ", 0},
        {"a:" ROW "\nb:" ROW "\na:" ROW "\n", "lines ", 0},
    };
    (void)unused;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct accounts a;
        char before[1024], after[1024];
        write_file(rows[i].text);
        read_file(before, sizeof before);
        enum server_status status = accounts_read(&a, path, &error);
        if (status != (rows[i].complaint ? SERVER_DAMAGED : SERVER_OK) || (!rows[i].complaint && a.count != rows[i].count) ||
            (rows[i].complaint && !strstr(error.text, rows[i].complaint)))
            fail_msg("row %zu: %s", i, error.text);
        accounts_free(&a);
        if (rows[i].complaint) { /* and is not made worse */
            add("new", "x", SERVER_DAMAGED);
            read_file(after, sizeof after);
            assert_string_equal(before, after);
        }
    }
    write_file("a:" ROW "\n");
    assert_int_equal(chmod(path, 0640), 0);
    add("new", "x", SERVER_REFUSED);
    assert_non_null(strstr(error.text, "chmod 600"));
    unlink(path);
}

/* What somebody can mend is no fault of ours: a folder that is none, a file in the way, a full disk. */
static void what_may_not_be_written_is_refused(void **unused)
{
    struct rlimit before, none;
    bool replaced;
    (void)unused;
    assert_int_equal(account_add("/proc/none", "a", BYTES("x"), 4096, &replaced, &error), SERVER_REFUSED);
    assert_int_equal(account_add("/dev/null", "a", BYTES("x"), 4096, &replaced, &error), SERVER_REFUSED);
    assert_int_equal(account_remove("/proc/none", "a", &error), SERVER_REFUSED);
    assert_int_equal(mkdir(path, 0700), 0);
    add("a", "x", SERVER_REFUSED);
    assert_int_equal(rmdir(path), 0);
    add("a", "x", SERVER_OK);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    enum server_status added = account_add(state, "b", BYTES("x"), 4096, &replaced, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(added, SERVER_REFUSED);
    assert_names("a ");
    unlink(path);
}

/* The same salt for the same name, another for another, and no password fits. */
static void nobody_learns_who_has_an_account(void **unused)
{
    (void)unused;
    struct nea_verifier first, again, other, carol;
    bool known;
    add("carol", "secret", SERVER_OK);
    for (int i = 0; i < 2; i++) {
        struct accounts a;
        assert_int_equal(accounts_read(&a, path, &error), SERVER_OK);
        assert_true(accounts_verifier(&a, BYTES("dave"), i ? &again : &first, &known));
        assert_false(known);
        assert_true(accounts_verifier(&a, BYTES("erin"), &other, &known));
        assert_false(known);
        assert_true(accounts_verifier(&a, BYTES("carol"), &carol, &known));
        assert_true(known);
        assert_true(accounts_verifier(&a, BYTES(""), &other, &known));
        assert_false(known);
        accounts_free(&a);
    }
    assert_int_equal(first.salt_size, carol.salt_size);
    assert_int_equal(first.iterations, carol.iterations);
    assert_memory_equal(first.salt, again.salt, 16);
    assert_memory_not_equal(first.salt, other.salt, 16);
    assert_memory_not_equal(first.salt, carol.salt, 16);
    assert_false(nea_verifier_matches(&first, &server_crypto, BYTES("secret")));
    assert_true(nea_verifier_matches(&carol, &server_crypto, BYTES("secret")));
    unlink(path);
}

static void *add_five(void *argument)
{
    for (int i = 0; i < 5; i++) {
        char name[16];
        struct error e;
        bool replaced;
        snprintf(name, sizeof name, "%s-%d", (const char *)argument, i);
        if (account_add(state, name, BYTES("x"), 4096, &replaced, &e) != SERVER_OK)
            return argument;
    }
    return NULL;
}

static void administrators_take_turns(void **unused)
{
    static char names[4][2] = {"a", "b", "c", "d"};
    pthread_t threads[4];
    struct accounts a;
    (void)unused;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_five, names[i]), 0);
    for (size_t i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(accounts_read(&a, path, &error), SERVER_OK);
    assert_int_equal(a.count, 21);
    accounts_free(&a);
    unlink(path);
}

/* ---- the thread ---- */

static struct net_loop *loop;
static struct logins *logins;
static unsigned answers;

static void on_answer(struct login_request *r)
{
    enum nea_login_answer *answer = r->context;
    *answer = r->answer;
    login_request_free(r);
    if (--answers == 0)
        net_loop_stop(loop);
}

static bool ask(const char *name, const char *password, enum nea_login_answer *answer)
{
    struct login_request *r =
        login_request_new(&(struct nea_login){.name = bytes_of(name), .password = bytes_of(password)});
    assert_non_null(r);
    r->loop = loop;
    r->done = on_answer;
    r->context = answer;
    if (logins_submit(logins, r)) {
        answers++;
        return true;
    }
    login_request_free(r);
    return false;
}

static enum nea_login_answer asked(const char *name, const char *password)
{
    enum nea_login_answer answer = NEA_LOGIN_UNAVAILABLE;
    loop = net_loop_new();
    assert_non_null(loop);
    assert_true(ask(name, password, &answer));
    net_loop_run(loop);
    net_loop_free(loop);
    return answer;
}

static void logins_follow_the_file(void **unused)
{
    (void)unused;
    logins = logins_start(state, &error);
    assert_non_null(logins);
    assert_int_equal(asked("carol", "secret"), NEA_LOGIN_WRONG);
    add("carol", "secret", SERVER_OK);
    assert_int_equal(asked("carol", "secret"), NEA_LOGIN_RIGHT);
    assert_int_equal(asked("carol", "secre"), NEA_LOGIN_WRONG);
    assert_int_equal(asked("dave", "secret"), NEA_LOGIN_WRONG);
    assert_int_equal(asked("carol", ""), NEA_LOGIN_RIGHT); /* SCRAM: a verifier for everybody */
    assert_int_equal(asked("dave", ""), NEA_LOGIN_RIGHT);
    add("dave", "secret", SERVER_OK);
    assert_int_equal(asked("dave", "secret"), NEA_LOGIN_RIGHT);
    assert_int_equal(account_remove(state, "carol", &error), SERVER_OK);
    assert_int_equal(asked("carol", "secret"), NEA_LOGIN_WRONG);
    write_file("damaged\n");
    assert_int_equal(asked("dave", "secret"), NEA_LOGIN_UNAVAILABLE);
    assert_int_equal(asked("dave", ""), NEA_LOGIN_UNAVAILABLE);
    unlink(path);
    add("dave", "new", SERVER_OK);
    assert_int_equal(asked("dave", "new"), NEA_LOGIN_RIGHT);
    /* RFC 4616 §2: whatever keyboard it was, then or now. */
    add("dave", "gru\xcc\x88\xc3\x9f\xc2\xa0!", SERVER_OK);
    assert_int_equal(asked("dave", "gr\xc3\xbc\xc3\x9f !"), NEA_LOGIN_RIGHT);
    assert_int_equal(asked("dave", "gru\xcc\x88\xc3\x9f !"), NEA_LOGIN_RIGHT);
    assert_int_equal(asked("\xef\xbd\x84"
                           "ave",
                           "gr\xc3\xbc\xc3\x9f !"),
                     NEA_LOGIN_RIGHT);
    assert_int_equal(asked("dave", "gru\xc3\x9f !"), NEA_LOGIN_WRONG);
    logins_stop(logins);
    unlink(path);
}

static void the_queue_has_an_end(void **unused)
{
    enum nea_login_answer answer[400];
    unsigned taken = 0;
    bool replaced;
    (void)unused;
    assert_int_equal(account_add(state, "slow", BYTES("x"), 6000, &replaced, &error), SERVER_OK);
    logins = logins_start(state, &error);
    loop = net_loop_new();
    for (size_t i = 0; i < ARRAY_LENGTH(answer); i++)
        taken += ask("slow", "x", &answer[i]);
    assert_in_range(taken, 256, 300);
    /* What was taken is answered, also while everything ends. */
    logins_stop(logins);
    net_loop_free(loop);
    assert_int_equal(answers, 0);
    for (size_t i = 0; i < taken; i++)
        assert_int_equal(answer[i], NEA_LOGIN_RIGHT);
    unlink(path);
}

static void who_tries_often_waits(void **unused)
{
    static const unsigned waits[] = {0, 0, 0, 250, 500, 1000, 2000, 4000, 8000, 8000, 8000};
    (void)unused;
    logins = logins_start(state, &error);
    for (size_t i = 0; i < ARRAY_LENGTH(waits); i++)
        assert_int_equal(logins_charge(logins, "192.0.2.1", 1000), waits[i]);
    assert_int_equal(logins_charge(logins, "192.0.2.2", 1000), 0);
    /* Ten seconds forgive one. */
    assert_int_equal(logins_charge(logins, "192.0.2.1", 1000 + 80000), 250);
    for (int i = 0; i < 1000; i++)
        assert_true(logins_charge(logins, "192.0.2.1", 100000) <= 8000);
    assert_int_equal(logins_charge(logins, "192.0.2.1", 100000 + 64 * 10000 + 1), 0); /* nothing is held for ever */
    /* A network of IPv6 is one caller. */
    for (int i = 0; i < 3; i++)
        assert_int_equal(logins_charge(logins, "2001:db8::1", 1000), 0);
    assert_int_equal(logins_charge(logins, "2001:db8::2:3", 1000), 250);
    assert_int_equal(logins_charge(logins, "2001:db8:0:1::1", 1000), 0);
    /* Who succeeds owes nothing. */
    for (int i = 0; i < 100; i++) {
        assert_int_equal(logins_charge(logins, "198.51.100.1", 1000), 0);
        logins_refund(logins, "198.51.100.1", 1000);
    }
    logins_stop(logins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accounts_come_and_go),
        cmocka_unit_test(what_a_name_and_a_password_may_be),
        cmocka_unit_test(damaged_files_are_named_by_line),
        cmocka_unit_test(what_may_not_be_written_is_refused),
        cmocka_unit_test(nobody_learns_who_has_an_account),
        cmocka_unit_test(administrators_take_turns),
        cmocka_unit_test(logins_follow_the_file),
        cmocka_unit_test(the_queue_has_an_end),
        cmocka_unit_test(who_tries_often_waits),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
