/* connected: which endpoints have a session now, on which worker; private to server/. Sessions enter and leave on their
 * own threads, the API asks from others; the table's memory is in the sessions. */
#ifndef MUSTER_SERVER_CONNECTED_H
#define MUSTER_SERVER_CONNECTED_H

#include "net/net.h"

struct connected;
struct connected *connected_new(void) MUST_USE; /* NULL: no memory */
void connected_free(struct connected *c);       /* behind the loops */

/* A session's place in the table; zeroed before. */
struct connected_entry {
    int64_t endpoint; /* 0: not in the table */
    struct net_loop *loop;
    void (*reassess)(void *context), (*dismiss)(void *context); /* on that loop's thread */
    void *context;
    bool asked, dismissed; /* it is on its way to the session */
    struct connected_entry *newer, *older;
};
/* An endpoint needs one connection, and another while the first one has not been missed yet. Beyond so many its oldest is dismissed:
 * who has authenticated counts no more as a stranger, and may not take all the room there is. */
enum { CONNECTED_MOST = 4 };
/* The session's endpoint is known now; again: nothing happens. */
void connected_enter(struct connected *c, struct connected_entry *e, int64_t endpoint);
void connected_leave(struct connected *c, struct connected_entry *e);

/* Whether it has a session now. From any thread. */
bool connected_now(struct connected *c, int64_t endpoint);

/* Lets the endpoint's newest session begin a new assessment, soon. From any thread. */
enum connected_answer { CONNECTED_ASKED, CONNECTED_NOT, CONNECTED_NO_MEMORY };
enum connected_answer connected_reassess(struct connected *c, int64_t endpoint) MUST_USE;

#endif
