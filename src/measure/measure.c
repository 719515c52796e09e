#include "measure/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Questions and answers go round in a ring. The asking thread puts questions in and takes answers out, in their order; the others measure what
 * lies between, and so does the asking thread while it has to wait. The cache belongs to the asking thread alone. */
#define RING        4096 /* a power of two: while one thread reads a large file, the others have enough to do */
#define WAKE        32   /* a thread is woken for so much, or when the asking thread waits: waking costs more than a cached file */
#define THREADS_MAX 4

struct slot {
    char *path; /* with a NUL; its memory stays with the slot */
    size_t length, capacity;
    void *tag;
    bool done;
    struct known known;
    struct file_facts facts;
    struct measured measured;
};

struct measure {
    struct measure_options options;
    int root;
    struct cache *cache;
    struct reader *readers[THREADS_MAX]; /* the first one is the asking thread's */
    pthread_t threads[THREADS_MAX];
    size_t count; /* of readers */
    pthread_mutex_t lock;
    pthread_cond_t more, done; /* there is something to measure; the oldest one is measured */
    size_t head, claimed, tail; /* answers are taken at head, questions put at tail; under the lock */
    size_t idle;
    bool ending, stopped;
    struct slot slots[RING];
};

struct worker {
    struct measure *m;
    struct reader *reader;
};

const char *measure_state_name(enum measure_state s)
{
    static const char *const names[] = {"file", "directory", "link", "special", "missing", "unreadable", "changed"};
    return (size_t)s < ARRAY_LENGTH(names) ? names[s] : "unknown";
}

/* With the lock held, which it gives up while it reads. False: there is nothing to measure. */
static bool measure_one(struct measure *m, struct reader *reader)
{
    if (m->claimed == m->tail)
        return false;
    struct slot *s = &m->slots[m->claimed++ & (RING - 1)];
    pthread_mutex_unlock(&m->lock);
    reader_measure(reader, s->path, s->known.hashes ? &s->known : NULL, &s->facts, &s->measured);
    pthread_mutex_lock(&m->lock);
    s->done = true;
    if (s == &m->slots[m->head & (RING - 1)])
        pthread_cond_signal(&m->done);
    return true;
}

static void *work(void *context)
{
    struct worker w = *(struct worker *)context;
    struct measure *m = w.m;
    free(context);
    pthread_mutex_lock(&m->lock);
    while (!m->ending)
        if (!measure_one(m, w.reader)) {
            m->idle++;
            pthread_cond_wait(&m->more, &m->lock);
            m->idle--;
        }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

/* ---- the asking thread ------------------------------------------------------------------------------------------------ */

/* With the lock held; the oldest question is answered. */
static void take_answer(struct measure *m)
{
    struct slot *s = &m->slots[m->head & (RING - 1)];
    pthread_mutex_unlock(&m->lock);
    struct bytes path = {(const uint8_t *)s->path, s->length};
    if (m->cache && s->measured.hashes && !s->measured.cached)
        cache_learn(m->cache, path, &s->facts, &s->measured);
    if (!m->stopped) /* what was read until it was late is no answer */
        m->stopped = reader_is_late(m->options.until) || !m->options.take(m->options.context, path, s->tag, &s->measured);
    s->done = false;
    pthread_mutex_lock(&m->lock);
    m->head++;
}

/* With the lock held: takes answers until at most so many questions are left. */
static void settle(struct measure *m, size_t left)
{
    if (left < RING - 1 && m->claimed < m->tail)
        pthread_cond_broadcast(&m->more);
    while (m->tail - m->head > left) {
        if (m->slots[m->head & (RING - 1)].done)
            take_answer(m);
        else if (!measure_one(m, m->readers[0]))
            pthread_cond_wait(&m->done, &m->lock);
    }
}

/* A path longer than any file's stays one: it is cut behind what the kernel takes. */
static bool put_path(struct slot *s, struct bytes path)
{
    size_t n = path.n < PATH_MAX ? path.n : PATH_MAX;
    char *grown = n < s->capacity ? s->path : realloc(s->path, n + 64);
    if (!grown)
        return false;
    s->capacity = n < s->capacity ? s->capacity : n + 64;
    s->path = grown;
    memcpy(s->path, path.p, n);
    s->path[n] = 0;
    s->length = n;
    return true;
}

bool measure_file(struct measure *m, struct bytes path, void *tag)
{
    m->stopped |= reader_is_late(m->options.until);
    if (m->stopped)
        return false;
    struct slot *s = &m->slots[m->tail & (RING - 1)]; /* only this thread moves the tail */
    pthread_mutex_lock(&m->lock);
    while (m->tail > m->head && m->slots[m->head & (RING - 1)].done)
        take_answer(m);
    if (m->tail - m->head == RING)
        settle(m, RING - 1);
    pthread_mutex_unlock(&m->lock);
    if (m->stopped || !put_path(s, path)) {
        m->stopped = true;
        return false;
    }
    s->tag = tag;
    s->known.hashes = 0;
    if (m->cache)
        cache_find(m->cache, path, &s->known);
    pthread_mutex_lock(&m->lock);
    m->tail++;
    if (m->idle && m->tail - m->claimed >= WAKE)
        pthread_cond_signal(&m->more);
    pthread_mutex_unlock(&m->lock);
    return true;
}

bool measure_flush(struct measure *m)
{
    pthread_mutex_lock(&m->lock);
    settle(m, 0);
    pthread_mutex_unlock(&m->lock);
    return !m->stopped;
}

/* ---- beginning and end ------------------------------------------------------------------------------------------------- */

static size_t threads_of(const struct measure_options *o)
{
    long n = o->threads ? (long)o->threads : sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : (size_t)n;
}

/* As many threads as can be had; one reader at least. */
static bool start_threads(struct measure *m, size_t wanted)
{
    for (; m->count < wanted; m->count++) {
        struct reader *reader = reader_new(m->root, &m->options);
        struct worker *w = reader && m->count ? malloc(sizeof *w) : NULL;
        if (w)
            *w = (struct worker){m, reader};
        if (!reader || (m->count && (!w || pthread_create(&m->threads[m->count], NULL, work, w) != 0))) {
            reader_free(reader);
            free(w);
            break;
        }
        m->readers[m->count] = reader;
    }
    return m->count > 0;
}

struct measure *measure_begin(const struct measure_options *options, struct error *error)
{
    error->text[0] = 0;
    int root = open(options->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        error_set(error, "%s: cannot be opened: %s", options->root, strerror(errno));
        return NULL;
    }
    struct measure *m = calloc(1, sizeof *m);
    if (!m) {
        close(root);
        error_set(error, "out of memory");
        return NULL;
    }
    m->options = *options;
    m->root = root;
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->more, NULL);
    pthread_cond_init(&m->done, NULL);
    if (!start_threads(m, threads_of(options))) {
        error_set(error, "no hashes of the asked kind, or out of memory");
        measure_end(m, false);
        return NULL;
    }
    if (options->cache && options->hashes)
        m->cache = cache_open(options->cache, options->root, error);
    m->options.root = m->options.cache = NULL; /* the caller's */
    return m;
}

void measure_end(struct measure *m, bool complete)
{
    if (!m)
        return;
    pthread_mutex_lock(&m->lock);
    m->ending = true;
    pthread_cond_broadcast(&m->more);
    pthread_mutex_unlock(&m->lock);
    for (size_t i = 1; i < m->count; i++)
        pthread_join(m->threads[i], NULL);
    for (size_t i = 0; i < m->count; i++)
        reader_free(m->readers[i]);
    for (size_t i = 0; i < RING; i++)
        free(m->slots[i].path);
    cache_close(m->cache, complete && !m->stopped);
    pthread_cond_destroy(&m->done);
    pthread_cond_destroy(&m->more);
    pthread_mutex_destroy(&m->lock);
    close(m->root);
    free(m);
}
