#include "server/store_threads.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { QUEUE_MAX = 1024, GROUP_MAX = 64, READERS_MAX = 4, WRITERS_MAX = 4 };

struct queue {
    struct store_request *first, **last;
    pthread_cond_t filled;
};

struct store_threads {
    char *url;
    pthread_mutex_t lock; /* guards what follows */
    struct queue reads, writes;
    size_t queued;
    bool stopping;
    pthread_t threads[READERS_MAX + WRITERS_MAX];
    size_t thread_count;
};

static const struct {
    const char *engine;
    size_t readers, writers;
} crews[] = {
    {"sqlite", 1, 1}, /* a file has one writer */
    {"postgresql", READERS_MAX, WRITERS_MAX},
};

/* ---- requests --------------------------------------------------------------------------------------------------- */

static void answer(struct store_request *group)
{
    while (group) {
        struct store_request *next = group->next; /* posted, it is its owner's again */
        net_loop_post(group->loop, &group->post);
        group = next;
    }
}

static void fail_all(struct store_request *group, enum store_status status, const struct error *error)
{
    for (struct store_request *r = group; r; r = r->next)
        if (r->status == STORE_OK) {
            r->status = status;
            r->error = *error;
        }
}

static void read_one(struct store *s, struct store_request *r)
{
    r->status = store_position(s, r->in.endpoint, &r->out.position, &r->error);
    if (r->status == STORE_NOT_FOUND) { /* an endpoint never seen */
        r->status = STORE_OK;
        r->out.position = (struct store_position){0};
    }
    if (r->status == STORE_OK && r->tags)
        tags_look(s, r->tags, &r->out.position);
}

static void write_one(struct store *s, struct store_request *r)
{
    switch (r->work) {
    case WORK_REPORT:
        r->status = store_report(s, &r->in.report, &r->out.receipt, &r->error);
        if (r->status == STORE_OK && r->tags && r->tags->differing) /* it may have removed that */
            tags_recount(s, r->tags, r->out.receipt.endpoint);
        break;
    case WORK_VERDICT:
        r->status = store_verdict(s, r->in.verdict.session, r->in.verdict.finished, r->in.verdict.result,
                                  r->in.verdict.access, r->in.verdict.reason, &r->error);
        break;
    case WORK_ASKED:
        r->status = tags_mark(s, r->tags, &r->error);
        break;
    case WORK_TAGS:
        r->status = tags_store(s, r->tags, &r->error);
        break;
    case WORK_UNASKED:
        r->status = tags_unmark(s, r->tags, &r->error);
        break;
    case WORK_POSITION: /* is read */
        break;
    }
}

/* Group commit: one transaction, one flush to the disk for everybody who waited for the one before. */
static void write_group(struct store *s, struct store_request *group)
{
    struct error error = {""};
    for (struct store_request *r = group; r; r = r->next)
        if (r->work == WORK_TAGS)
            tags_judge(r->tags);
    enum store_status status = store_begin(s, &error);
    if (status == STORE_OK) {
        for (struct store_request *r = group; r; r = r->next)
            write_one(s, r);
        status = store_commit(s, &error);
    }
    if (status != STORE_OK) {
        store_rollback(s);
        fail_all(group, status, &error);
    }
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

/* Up to `most` requests; NULL once there are none and there will be none. */
static struct store_request *take(struct store_threads *t, struct queue *q, size_t most)
{
    pthread_mutex_lock(&t->lock);
    while (!q->first && !t->stopping)
        pthread_cond_wait(&q->filled, &t->lock);
    struct store_request *group = q->first, **end = &group;
    for (size_t n = 0; n < most && *end; n++, t->queued--)
        end = &(*end)->next;
    q->first = *end;
    *end = NULL;
    if (!q->first)
        q->last = &q->first;
    pthread_mutex_unlock(&t->lock);
    return group;
}

/* The store reconnects by itself what it had opened once. */
static bool connected(struct store **s, const char *url, struct store_request *group)
{
    struct error error;
    enum store_status status = *s ? STORE_OK : store_open(s, url, &error);
    if (status != STORE_OK)
        fail_all(group, status, &error);
    return status == STORE_OK;
}

static void serve(struct store_threads *t, struct queue *q, size_t most,
                  void (*work)(struct store *, struct store_request *))
{
    struct store *s = NULL;
    struct store_request *group;
    while ((group = take(t, q, most))) {
        if (connected(&s, t->url, group))
            work(s, group);
        answer(group);
    }
    store_close(s);
}

static void *reader(void *argument)
{
    struct store_threads *t = argument;
    pthread_setname_np(pthread_self(), "store reader");
    serve(t, &t->reads, 1, read_one);
    return NULL;
}

static void *writer(void *argument)
{
    struct store_threads *t = argument;
    pthread_setname_np(pthread_self(), "store writer");
    serve(t, &t->writes, GROUP_MAX, write_group);
    return NULL;
}

static bool start_crew(struct store_threads *t, size_t count, void *(*run)(void *))
{
    for (size_t i = 0; i < count; i++) {
        if (pthread_create(&t->threads[t->thread_count], NULL, run, t) != 0)
            return false;
        t->thread_count++;
    }
    return true;
}

enum store_status store_threads_start(struct store_threads **out, const char *url, struct error *error)
{
    struct store *first = NULL;
    enum store_status status = store_open(&first, url, error);
    if (status != STORE_OK)
        return status;
    size_t crew = 0;
    while (crew + 1 < ARRAY_LENGTH(crews) && strcmp(crews[crew].engine, store_engine(first)) != 0)
        crew++;
    store_close(first);
    struct store_threads *t = calloc(1, sizeof *t);
    if (!t || !(t->url = strdup(url))) {
        free(t);
        error_set(error, "no memory for the store's threads");
        return STORE_FAILED;
    }
    t->reads.last = &t->reads.first;
    t->writes.last = &t->writes.first;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->reads.filled, NULL);
    pthread_cond_init(&t->writes.filled, NULL);
    if (!start_crew(t, crews[crew].readers, reader) || !start_crew(t, crews[crew].writers, writer)) {
        error_set(error, "cannot start the store's threads");
        store_threads_stop(t);
        return STORE_FAILED;
    }
    *out = t;
    return STORE_OK;
}

static void run_done(void *argument)
{
    struct store_request *r = argument;
    r->done(r);
}

bool store_threads_submit(struct store_threads *t, struct store_request *r)
{
    struct queue *q = r->work == WORK_POSITION ? &t->reads : &t->writes;
    r->status = STORE_OK;
    r->error.text[0] = 0;
    r->next = NULL;
    r->post = (struct net_post){.run = run_done, .argument = r};
    pthread_mutex_lock(&t->lock);
    bool room = t->queued < QUEUE_MAX && !t->stopping;
    if (room) {
        *q->last = r;
        q->last = &r->next;
        t->queued++;
        pthread_cond_signal(&q->filled);
    }
    pthread_mutex_unlock(&t->lock);
    return room;
}

void store_threads_stop(struct store_threads *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    pthread_cond_broadcast(&t->reads.filled);
    pthread_cond_broadcast(&t->writes.filled);
    pthread_mutex_unlock(&t->lock);
    for (size_t i = 0; i < t->thread_count; i++)
        pthread_join(t->threads[i], NULL);
    pthread_cond_destroy(&t->reads.filled);
    pthread_cond_destroy(&t->writes.filled);
    pthread_mutex_destroy(&t->lock);
    free(t->url);
    free(t);
}
