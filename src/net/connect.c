/* Connecting: every address of a name in turn, each with its share of the time that is left. */
#include "net/private.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct connecting {
    uv_getaddrinfo_t look_up;
    uv_connect_t request;
    struct addrinfo *addresses, *next;
    bool from_uv; /* who allocated them */
    uint64_t deadline;
    unsigned timeout_ms;
    char why[160]; /* what became of the last address */
    char host[256], peer[280];
};

static void next_address(struct net_stream *s);

static void free_addresses(struct connecting *c)
{
    if (c->from_uv)
        uv_freeaddrinfo(c->addresses);
    else if (c->addresses)
        freeaddrinfo(c->addresses);
    c->addresses = c->next = NULL;
}

void connecting_free(struct net_stream *s)
{
    if (!s->connecting)
        return;
    free_addresses(s->connecting);
    free(s->connecting);
}

const char *connecting_peer(const struct net_stream *s)
{
    return s->connecting->peer;
}

static void give_up(struct net_stream *s, const char *why)
{
    char line[512];
    snprintf(line, sizeof line, "cannot connect to %s: %s", s->connecting->peer, why);
    stream_close(s, line);
}

static void on_attempt_closed(uv_handle_t *handle)
{
    struct net_stream *s = handle->data;
    if (s->phase == STREAM_CONNECTING)
        next_address(s);
    stream_release(s);
}

static void drop_attempt(struct net_stream *s, const char *why)
{
    snprintf(s->connecting->why, sizeof s->connecting->why, "%s", why);
    s->has_tcp = false;
    uv_close((uv_handle_t *)&s->tcp, on_attempt_closed);
}

void connecting_timeout(struct net_stream *s)
{
    struct connecting *c = s->connecting;
    if (s->has_tcp)
        drop_attempt(s, "no answer");
    else if (uv_now(&s->loop->uv) >= c->deadline)
        give_up(s, "the name could not be resolved in time");
}

static void on_connect(uv_connect_t *request, int status)
{
    struct net_stream *s = request->data;
    if (s->phase != STREAM_CONNECTING || !s->has_tcp)
        return; /* cancelled by closing it */
    if (status != 0) {
        drop_attempt(s, uv_strerror(status));
        return;
    }
    free_addresses(s->connecting);
    uv_tcp_nodelay(&s->tcp, 1);
    uv_os_fd_t fd;
    if (uv_fileno((uv_handle_t *)&s->tcp, &fd) == 0)
        (void)socket_keep_alive(fd); /* without it only the next message finds out */
    stream_begin(s, s->connecting->host, s->connecting->deadline);
}

static void next_address(struct net_stream *s)
{
    struct connecting *c = s->connecting;
    uint64_t now = uv_now(&s->loop->uv), left = c->deadline > now ? c->deadline - now : 0, count = 0;
    for (const struct addrinfo *a = c->next; a; a = a->ai_next)
        count++;
    if (count == 0 || left == 0) {
        give_up(s, c->why[0] ? c->why : "no address");
        return;
    }
    const struct addrinfo *a = c->next;
    c->next = a->ai_next;
    address_text(a->ai_addr, s->address);
    stream_init_tcp(s);
    stream_watch(s, now + left / count);
    c->request.data = s;
    int status = uv_tcp_connect(&c->request, &s->tcp, a->ai_addr, on_connect);
    if (status != 0)
        drop_attempt(s, uv_strerror(status));
}

static void on_look_up(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
    struct net_stream *s = request->data;
    struct connecting *c = s->connecting;
    c->addresses = c->next = addresses;
    c->from_uv = true;
    if (s->phase == STREAM_CONNECTING && status != 0)
        give_up(s, uv_strerror(status));
    else if (s->phase == STREAM_CONNECTING)
        next_address(s);
    stream_release(s);
}

/* An address needs no look-up, and so no thread. */
static bool take_address(struct net_stream *s, const char *service)
{
    struct connecting *c = s->connecting;
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    if (getaddrinfo(c->host, service, &hints, &c->addresses) != 0) {
        c->addresses = NULL;
        return false;
    }
    c->next = c->addresses;
    next_address(s);
    return true;
}

struct net_stream *net_connect(struct net_loop *l, struct net_tls *tls, const char *host, uint16_t port,
                               unsigned timeout_ms, const struct net_handler *handler, void *context,
                               struct error *error)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    char service[8];
    struct connecting *c = calloc(1, sizeof *c);
    struct net_stream *s = c ? stream_new(l, tls, handler, context) : NULL;
    if (!s) {
        free(c);
        error_set(error, "cannot connect to %s: no memory", host);
        return NULL;
    }
    uv_update_time(&l->uv); /* the loop may have stood still for long */
    s->connecting = c;
    c->timeout_ms = timeout_ms;
    c->deadline = uv_now(&l->uv) + timeout_ms;
    snprintf(service, sizeof service, "%u", port);
    snprintf(c->host, sizeof c->host, "%s", host);
    snprintf(c->peer, sizeof c->peer, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
    stream_watch(s, c->deadline);
    if (take_address(s, service))
        return s;
    c->look_up.data = s;
    s->handles++;
    int status = uv_getaddrinfo(&l->uv, &c->look_up, on_look_up, host, service, &hints);
    if (status != 0) {
        give_up(s, uv_strerror(status));
        stream_release(s);
    }
    return s;
}
