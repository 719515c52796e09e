/* Who is connected: absent, twice, leaving at the wrong moment, and from many threads. */
#include "server/connected.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LOOPS = 2 };

static struct connected *table;
static struct net_loop *loops[LOOPS], *running;

struct session {
    struct connected_entry entry;
    unsigned asked, dismissed;
};

static void on_reassess(void *context)
{
    struct session *s = context;
    assert_ptr_equal(running, s->entry.loop); /* on its own thread, or what is a thread here */
    s->asked++;
}

static void on_dismiss(void *context)
{
    struct session *s = context;
    assert_ptr_equal(running, s->entry.loop);
    s->dismissed++;
}

static void enter(struct session *s, unsigned loop, int64_t endpoint)
{
    s->entry.loop = loops[loop];
    s->entry.reassess = on_reassess;
    s->entry.dismiss = on_dismiss;
    s->entry.context = s;
    connected_enter(table, &s->entry, endpoint);
}

static void leave(struct session *s)
{
    connected_leave(table, &s->entry);
}

static void stop(void *loop)
{
    net_loop_stop(loop);
}

/* Everything that is on its way to sessions of this loop. */
static void run(unsigned loop)
{
    struct net_timer *timer = net_timer_start(loops[loop], 1, stop, loops[loop]);
    running = loops[loop];
    net_loop_run(running);
    running = NULL;
    net_timer_stop(timer);
}

static enum connected_answer ask(int64_t endpoint)
{
    return connected_reassess(table, endpoint);
}

static int set_up(void **state)
{
    (void)state;
    table = connected_new();
    for (unsigned i = 0; i < LOOPS; i++)
        loops[i] = net_loop_new();
    return table && loops[0] && loops[1] ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LOOPS; i++)
        net_loop_free(loops[i]);
    connected_free(table);
    return 0;
}

static void who_is_not_there_is_not_asked(void **state)
{
    (void)state;
    struct session s = {0}, same_bucket = {0};
    assert_int_equal(ask(7), CONNECTED_NOT);
    enter(&s, 0, 0); /* not known yet */
    assert_int_equal(ask(0), CONNECTED_NOT);
    enter(&same_bucket, 0, 7 + 4096);
    assert_int_equal(ask(7), CONNECTED_NOT);
    enter(&s, 0, 7);
    assert_int_equal(ask(7), CONNECTED_ASKED);
    run(0);
    assert_int_equal(s.asked, 1);
    assert_int_equal(same_bucket.asked, 0);
    leave(&s);
    leave(&s);
    assert_int_equal(ask(7), CONNECTED_NOT);
    leave(&same_bucket);
}

/* Who asks again before the first question has come gets the same assessment. */
static void questions_do_not_pile_up(void **state)
{
    (void)state;
    struct session s = {0};
    enter(&s, 0, 7);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(ask(7), CONNECTED_ASKED);
    run(0);
    assert_int_equal(s.asked, 1);
    assert_int_equal(ask(7), CONNECTED_ASKED);
    run(0);
    assert_int_equal(s.asked, 2);
    leave(&s);
}

/* An endpoint that is cut off and comes again, or runs twice. */
static void of_two_connections_the_newest_is_asked(void **state)
{
    (void)state;
    struct session old = {0}, new = {0};
    enter(&old, 0, 7);
    enter(&new, 1, 7);
    enter(&old, 1, 7); /* again: nothing happens */
    old.entry.loop = loops[0];
    assert_int_equal(ask(7), CONNECTED_ASKED);
    run(0);
    run(1);
    assert_int_equal(old.asked, 0);
    assert_int_equal(new.asked, 1);
    leave(&new);
    assert_int_equal(ask(7), CONNECTED_ASKED);
    run(0);
    assert_int_equal(old.asked, 1);
    leave(&old);
}

static void who_leaves_meanwhile_is_not_asked(void **state)
{
    (void)state;
    struct session old = {0}, new = {0};
    enter(&new, 1, 7);
    assert_int_equal(ask(7), CONNECTED_ASKED);
    leave(&new);
    run(1);
    assert_int_equal(new.asked, 0);
    /* But its older connection is, though on another thread. */
    enter(&old, 0, 7);
    enter(&new, 1, 7);
    assert_int_equal(ask(7), CONNECTED_ASKED);
    leave(&new);
    run(1);
    run(0);
    assert_int_equal(old.asked, 1);
    assert_int_equal(new.asked, 0);
    leave(&old);
}

/* Memory is given again: to another endpoint's session, to one on another thread. */
static void an_address_is_no_session(void **state)
{
    (void)state;
    struct session s = {0};
    enter(&s, 0, 7);
    assert_int_equal(ask(7), CONNECTED_ASKED);
    leave(&s);
    enter(&s, 0, 7 + 4096);
    run(0);
    assert_int_equal(s.asked, 0);
    leave(&s);
    enter(&s, 0, 7);
    assert_int_equal(ask(7), CONNECTED_ASKED);
    leave(&s);
    enter(&s, 1, 7);
    run(0);
    assert_int_equal(s.asked, 0);
    run(1);
    assert_int_equal(s.asked, 1);
    leave(&s);
}

/* Whoever has too many loses the oldest ones, each once; another endpoint's stay. */
static void connections_of_one_endpoint_are_bounded(void **state)
{
    enum { COUNT = CONNECTED_MOST + 3 };
    struct session s[COUNT] = {0}, other = {0};
    (void)state;
    enter(&other, 0, 7 + 4096);
    for (unsigned i = 0; i < COUNT; i++)
        enter(&s[i], i % LOOPS, 7);
    leave(&s[1]); /* by itself, before it hears */
    run(0);
    run(1);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(s[i].dismissed, i == 0 || i == 2);
    leave(&s[0]);
    leave(&s[2]);
    enter(&s[1], 0, 7);
    run(0);
    run(1);
    for (unsigned i = 3; i < COUNT; i++)
        assert_int_equal(s[i].dismissed, i == 3);
    assert_int_equal(other.dismissed, 0);
    assert_int_equal(ask(7), CONNECTED_ASKED);
    run(0);
    assert_int_equal(s[1].asked, 1);
    for (unsigned i = 0; i < COUNT; i++)
        leave(&s[i]);
    leave(&other);
}

/* Any order of coming and going, several in a bucket, against a plain list. */
static void any_order_of_coming_and_going(void **state)
{
    enum { SESSIONS = 40, ENDPOINTS = 6, STEPS = 20000 };
    static struct session sessions[SESSIONS];
    struct session *order[SESSIONS]; /* oldest first */
    size_t n = 0;
    (void)state;
    srand(1);
    for (unsigned step = 0; step < STEPS; step++) {
        struct session *s = &sessions[rand() % SESSIONS];
        int64_t endpoint = 1 + rand() % ENDPOINTS * 4096 / 2;
        if (rand() % 4 == 0) {
            struct session *newest = NULL;
            for (size_t i = 0; i < n; i++)
                newest = order[i]->entry.endpoint == endpoint ? order[i] : newest;
            unsigned before = newest ? newest->asked : 0;
            assert_int_equal(ask(endpoint), newest ? CONNECTED_ASKED : CONNECTED_NOT);
            if (step % 50 == 0) {
                run(0);
                assert_true(!newest || newest->asked > before);
            }
        } else if (s->entry.endpoint) {
            size_t i = 0;
            while (order[i] != s)
                i++;
            for (n--; i < n; i++)
                order[i] = order[i + 1];
            leave(s);
        } else {
            enter(s, 0, endpoint);
            order[n++] = s;
        }
    }
    for (size_t i = 0; i < n; i++)
        leave(order[i]);
    run(0);
}

static atomic_uint asking;

static void *ask_often(void *argument)
{
    for (unsigned i = 0; i < 20000; i++)
        if (ask(1 + i % 3) == CONNECTED_NO_MEMORY)
            abort();
    asking--;
    return argument;
}

static void others_may_ask_at_any_moment(void **state)
{
    (void)state;
    pthread_t threads[2];
    asking = 2;
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, NULL), 0);
    for (unsigned i = 0; asking; i++) {
        struct session *s = calloc(1, sizeof *s);
        assert_non_null(s);
        enter(s, 0, 1 + i % 3);
        if (i % 2)
            run(0);
        leave(s);
        free(s); /* what is on its way to it must not touch it */
    }
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    run(0);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(who_is_not_there_is_not_asked),
        T(questions_do_not_pile_up),
        T(of_two_connections_the_newest_is_asked),
        T(who_leaves_meanwhile_is_not_asked),
        T(an_address_is_no_session),
        T(connections_of_one_endpoint_are_bounded),
        T(any_order_of_coming_and_going),
        T(others_may_ask_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
