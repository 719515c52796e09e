/* http: the HTTPS listener with the REST API and the page; private to server/. */
#ifndef MUSTER_SERVER_HTTP_H
#define MUSTER_SERVER_HTTP_H

#include "server/server.h"

struct http_server;
struct http_options {
    const char *address;
    uint16_t port;                  /* 0: any */
    const char *certificate, *key;  /* PEM files, the server's own */
    const char *state;              /* for admin.txt and token.txt */
    const char *db;                 /* store URL: each HTTP thread has its own connection */
    unsigned threads;               /* 0: 4 */
    struct connected *connected;    /* who has a session now; outlives the listener. NULL: nobody */
};
/* Listens on libmicrohttpd's own threads. NULL: `error`. */
struct http_server *http_start(const struct http_options *options, struct error *error) MUST_USE;
uint16_t http_port(const struct http_server *h);
void http_stop(struct http_server *h);

#endif
