/* Who is connected: lists of sessions by endpoint, the newest first. */
#include "server/connected.h"

#include <pthread.h>
#include <stdlib.h>

enum { BUCKETS = 4096 }; /* 100,000 sessions: lists of 25 */

struct connected {
    pthread_mutex_t lock;
    struct connected_entry *buckets[BUCKETS];
};

/* What travels to a worker; the session may be gone when it comes there. */
struct errand {
    struct net_post post;
    struct connected *connected;
    struct connected_entry *entry; /* only compared until it is found in the table */
    struct net_loop *loop;
    int64_t endpoint;
    bool dismiss; /* else: assess anew */
};

struct connected *connected_new(void)
{
    struct connected *c = calloc(1, sizeof *c);
    if (c)
        pthread_mutex_init(&c->lock, NULL);
    return c;
}

void connected_free(struct connected *c)
{
    if (c)
        pthread_mutex_destroy(&c->lock);
    free(c);
}

static struct connected_entry **bucket(struct connected *c, int64_t endpoint)
{
    return &c->buckets[(uint64_t)endpoint % BUCKETS];
}

static void arrive(void *argument);

/* Within the lock: the session keeps its loop alive. */
static bool send(struct connected *c, struct connected_entry *e, bool dismiss)
{
    struct errand *errand = malloc(sizeof *errand);
    if (!errand)
        return false;
    *errand = (struct errand){{arrive, errand, NULL}, c, e, e->loop, e->endpoint, dismiss};
    *(dismiss ? &e->dismissed : &e->asked) = true;
    net_loop_post(e->loop, &errand->post);
    return true;
}

/* Without memory for it the oldest stays until the next one comes. */
static void bound(struct connected *c, int64_t endpoint)
{
    struct connected_entry *oldest = NULL;
    unsigned count = 0;
    for (struct connected_entry *e = *bucket(c, endpoint); e; e = e->older)
        if (e->endpoint == endpoint && !e->dismissed) {
            oldest = e;
            count++;
        }
    if (count > CONNECTED_MOST)
        (void)send(c, oldest, true);
}

void connected_enter(struct connected *c, struct connected_entry *e, int64_t endpoint)
{
    if (e->endpoint || !endpoint)
        return;
    struct connected_entry **first = bucket(c, endpoint);
    pthread_mutex_lock(&c->lock);
    e->endpoint = endpoint;
    e->newer = NULL;
    e->older = *first;
    e->asked = e->dismissed = false;
    if (*first)
        (*first)->newer = e;
    *first = e;
    bound(c, endpoint);
    pthread_mutex_unlock(&c->lock);
}

void connected_leave(struct connected *c, struct connected_entry *e)
{
    if (!e->endpoint)
        return;
    pthread_mutex_lock(&c->lock);
    if (e->newer)
        e->newer->older = e->older;
    else
        *bucket(c, e->endpoint) = e->older;
    if (e->older)
        e->older->newer = e->newer;
    pthread_mutex_unlock(&c->lock);
    e->endpoint = 0;
}

/* On the session's own thread: what is in the table now cannot leave it meanwhile. Another session at the same address
 * is asked in place of one that is gone only if it is of the same endpoint and thread. Where there is none, the endpoint
 * may have another connection. */
static void arrive(void *argument)
{
    struct errand *errand = argument;
    struct connected *c = errand->connected;
    pthread_mutex_lock(&c->lock);
    struct connected_entry *e = *bucket(c, errand->endpoint);
    while (e && (e != errand->entry || e->endpoint != errand->endpoint || e->loop != errand->loop))
        e = e->older;
    if (e && !errand->dismiss)
        e->asked = false;
    pthread_mutex_unlock(&c->lock);
    if (e && errand->dismiss)
        e->dismiss(e->context);
    else if (e)
        e->reassess(e->context);
    else if (!errand->dismiss && connected_reassess(c, errand->endpoint) == CONNECTED_NO_MEMORY)
        log_line(LOG_ERROR, "no memory to begin an assessment");
    free(errand);
}

/* Within the lock. */
static struct connected_entry *newest(struct connected *c, int64_t endpoint)
{
    struct connected_entry *e = *bucket(c, endpoint);
    while (e && e->endpoint != endpoint)
        e = e->older;
    return e;
}

bool connected_now(struct connected *c, int64_t endpoint)
{
    pthread_mutex_lock(&c->lock);
    bool now = newest(c, endpoint) != NULL;
    pthread_mutex_unlock(&c->lock);
    return now;
}

enum connected_answer connected_reassess(struct connected *c, int64_t endpoint)
{
    enum connected_answer answer = CONNECTED_NOT;
    pthread_mutex_lock(&c->lock);
    struct connected_entry *e = newest(c, endpoint);
    if (e)
        answer = e->asked || send(c, e, false) ? CONNECTED_ASKED : CONNECTED_NO_MEMORY;
    pthread_mutex_unlock(&c->lock);
    return answer;
}
