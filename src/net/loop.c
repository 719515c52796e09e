/* Event loops: wake-ups from other threads, signals, timers. */
#include "net/private.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

/* Runs what has been posted so far; what is posted meanwhile comes next time. */
static void run_posts(struct net_loop *l)
{
    pthread_mutex_lock(&l->lock);
    struct net_post *post = l->first_post;
    l->first_post = NULL;
    l->last_post = &l->first_post;
    pthread_mutex_unlock(&l->lock);
    while (post) {
        struct net_post *next = post->next; /* run() may free it */
        post->run(post->argument);
        post = next;
    }
}

static void on_wake(uv_async_t *async)
{
    struct net_loop *l = async->data;
    run_posts(l);
    pthread_mutex_lock(&l->lock);
    bool stopping = l->stopping;
    pthread_mutex_unlock(&l->lock);
    if (stopping)
        uv_stop(&l->uv);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct net_loop *l = handle->data;
    (void)number;
    l->on_signal(l->signal_argument);
}

struct net_loop *net_loop_new(void)
{
    struct net_loop *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->last_post = &l->first_post;
    l->drain_ms = 60000;
    if (uv_loop_init(&l->uv) != 0) {
        free(l);
        return NULL;
    }
    if (uv_async_init(&l->uv, &l->wake, on_wake) != 0) {
        uv_loop_close(&l->uv);
        free(l);
        return NULL;
    }
    pthread_mutex_init(&l->lock, NULL);
    l->wake.data = l->uv.data = l;
    return l;
}

void net_loop_run(struct net_loop *l)
{
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

void net_loop_stop(struct net_loop *l)
{
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_mutex_unlock(&l->lock);
    uv_async_send(&l->wake);
}

/* Timers, streams and listeners know how to go; what remains is the loop's own. */
static void close_handle(uv_handle_t *handle, void *argument)
{
    (void)argument;
    if (uv_is_closing(handle))
        return;
    switch (handle->type) {
    case UV_TCP:
        stream_close(handle->data, "the program is stopping");
        break;
    case UV_POLL:
        net_listener_close(handle->data);
        break;
    case UV_TIMER: /* a stream's goes with the stream; one of net_timer_start() is its starter's to free */
        uv_timer_stop((uv_timer_t *)handle);
        break;
    default:
        uv_close(handle, NULL);
    }
}

static void close_timer(uv_handle_t *handle, void *argument)
{
    (void)argument;
    if (!uv_is_closing(handle))
        uv_close(handle, (uv_close_cb)free);
}

void net_loop_free(struct net_loop *l)
{
    if (!l)
        return;
    run_posts(l);
    uv_walk(&l->uv, close_handle, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    uv_walk(&l->uv, close_timer, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    while (l->first_post) /* what the last ones have posted */
        run_posts(l);
    if (uv_loop_close(&l->uv) != 0)
        bug("a loop was freed with handles left");
    pthread_mutex_destroy(&l->lock);
    free(l);
}

void net_loop_post(struct net_loop *l, struct net_post *post)
{
    post->next = NULL;
    pthread_mutex_lock(&l->lock);
    bool first = !l->first_post;
    *l->last_post = post;
    l->last_post = &post->next;
    pthread_mutex_unlock(&l->lock);
    if (first)
        uv_async_send(&l->wake);
}

void net_loop_on_signal(struct net_loop *l, void (*run)(void *argument), void *argument)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    l->on_signal = run;
    l->signal_argument = argument;
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        if (uv_signal_init(&l->uv, &l->signals[i]) != 0)
            bug("signals cannot be watched");
        l->signals[i].data = l;
        uv_signal_start(&l->signals[i], on_signal, numbers[i]);
    }
}

uint64_t net_loop_now(const struct net_loop *l)
{
    return uv_now(&l->uv);
}

/* ---- timers ----------------------------------------------------------------------------------------------------- */

struct net_timer {
    uv_timer_t timer; /* first: its address is the allocation's */
    void (*run)(void *argument);
    void *argument;
};

static void on_timer(uv_timer_t *timer)
{
    struct net_timer *t = (struct net_timer *)timer;
    t->run(t->argument);
}

struct net_timer *net_timer_start(struct net_loop *l, uint64_t ms, void (*run)(void *argument), void *argument)
{
    struct net_timer *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->run = run;
    t->argument = argument;
    uv_timer_init(&l->uv, &t->timer);
    uv_timer_start(&t->timer, on_timer, ms, 0);
    return t;
}

void net_timer_stop(struct net_timer *t)
{
    if (t)
        uv_close((uv_handle_t *)&t->timer, (uv_close_cb)free);
}

size_t net_raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    if (limit.rlim_cur != limit.rlim_max) {
        struct rlimit raised = {limit.rlim_max, limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            limit = raised;
    }
    return limit.rlim_cur == RLIM_INFINITY ? SIZE_MAX : (size_t)limit.rlim_cur;
}
