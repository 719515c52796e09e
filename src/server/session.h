/* session: PT-TLS sessions of one worker; private to server/. */
#ifndef MUSTER_SERVER_SESSION_H
#define MUSTER_SERVER_SESSION_H

#include "nea/nea.h"
#include "net/net.h"
#include "server/accounts.h"
#include "server/connected.h"
#include "server/store_threads.h"

/* A thread with its loop, its listener and its sessions; nothing of it is shared but the store threads. */
struct worker {
    struct net_loop *loop;
    struct net_listener *listener;
    struct store_threads *store;
    struct connected *connected; /* shared, too: who has a session now */
    struct logins *logins; /* shared as well; NULL: only certificates */
    struct nea_limits limits;
    const struct server_trust *trust; /* as struct server_options has it */
    unsigned verify; /* as struct assessment_host has it */
    const struct policy *policy;
    const struct nea_mutual *mutual;
    struct wr out;       /* one turn's plaintext */
    uint64_t log_second; /* strangers may cause STRANGER_LINES log lines a second */
    unsigned log_lines;
};

/* For net_listen_options: `accept` with a struct worker, which must outlive its sessions. */
void *session_accept(void *worker);
extern const struct net_handler session_handler;

#endif
