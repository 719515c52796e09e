/* store_threads: where the blocking calls to the store happen; private to server/. Workers submit requests and are told
 * on their own loop. */
#ifndef MUSTER_SERVER_STORE_THREADS_H
#define MUSTER_SERVER_STORE_THREADS_H

#include "net/net.h"
#include "server/tags.h"
#include "store/store.h"

/* WORK_POSITION also looks for tags to ask for; WORK_ASKED notes that they are, WORK_TAGS stores those that came, WORK_UNASKED takes the note
 * back: they came and could not be stored. */
enum store_work { WORK_POSITION, WORK_REPORT, WORK_VERDICT, WORK_ASKED, WORK_TAGS, WORK_UNASKED };

/* A request belongs to the store threads, with all that its views point to, from store_threads_submit() until `done` is
 * called on `loop`. */
struct store_request {
    enum store_work work;
    union {
        struct bytes endpoint; /* WORK_POSITION */
        struct store_report report;
        struct {
            int64_t session, finished;
            int result, access;
            struct bytes reason;
        } verdict;
    } in;
    struct tags *tags; /* NULL: none are asked for */
    union {
        struct store_position position;
        struct store_receipt receipt;
    } out;
    enum store_status status;
    struct error error;
    struct net_loop *loop;
    void (*done)(struct store_request *request);
    /* the threads' own */
    struct store_request *next;
    struct net_post post;
};

struct store_threads;
/* Opens the store once, which creates or migrates it, and starts the threads: one writer for SQLite, a few for
 * PostgreSQL; each takes what has gathered and commits it together. */
enum store_status store_threads_start(struct store_threads **out, const char *url, struct error *error) MUST_USE;
/* False: the queue (1,024 requests) is full; the caller tells its peer to come back. */
bool store_threads_submit(struct store_threads *t, struct store_request *request) MUST_USE;
/* Does what is queued, then ends the threads. Answers may still be waiting in their loops afterwards. NULL is nothing
 * to stop. */
void store_threads_stop(struct store_threads *t);

#endif
