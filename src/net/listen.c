/* Listening. Whoever has not proved who he is can be sent away: the oldest first, when room runs out. */
#include "net/private.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SOURCES = 1024 }; /* buckets */
enum { BACKLOG = 4096, ACCEPTS_A_TURN = 64, KEEPALIVE_SECONDS = 60, KEEPALIVE_INTERVAL = 15, KEEPALIVE_COUNT = 4 };

struct net_listener {
    uv_poll_t poll;
    struct net_loop *loop;
    struct net_listen_options options;
    int fd, spare; /* spare: a descriptor kept for the day when there is none */
    uint16_t port;
    unsigned open;  /* streams that count against max_streams */
    unsigned alive; /* streams that point here */
    bool closed;
    struct net_stream *oldest, *youngest; /* unauthenticated ones */
    struct net_stream *sources[SOURCES];  /* the same by source */
    uint64_t seed;                        /* keeps anybody from choosing a bucket */
};

/* ---- streams of a listener -------------------------------------------------------------------------------------- */

static void unlist(struct net_stream *s)
{
    struct net_listener *n = s->listener;
    if (!s->unauthenticated)
        return;
    s->unauthenticated = false;
    *(s->older ? &s->older->younger : &n->oldest) = s->younger;
    *(s->younger ? &s->younger->older : &n->youngest) = s->older;
    s->older = s->younger = NULL;
    *s->link_here = s->next_here;
    if (s->next_here)
        s->next_here->link_here = s->link_here;
}

static struct net_stream **bucket(struct net_listener *n, uint64_t source)
{
    uint64_t h = (source ^ n->seed) * 0x9e3779b97f4a7c15;
    return &n->sources[(h ^ h >> 32) % SOURCES];
}

static void enlist(struct net_listener *n, struct net_stream *s)
{
    struct net_stream **first = bucket(n, s->source);
    s->unauthenticated = true;
    s->older = n->youngest;
    *(s->older ? &s->older->younger : &n->oldest) = s;
    n->youngest = s;
    s->next_here = *first;
    s->link_here = first;
    if (*first)
        (*first)->link_here = &s->next_here;
    *first = s;
}

void listener_forget(struct net_stream *s)
{
    unlist(s);
    s->listener->open--;
}

static void free_if_unused(struct net_listener *n)
{
    if (n->closed && n->alive == 0)
        free(n);
}

void listener_release(struct net_stream *s)
{
    s->listener->alive--;
    free_if_unused(s->listener);
}

void net_stream_authenticated(struct net_stream *s)
{
    if (s->listener)
        unlist(s);
}

static bool evict(struct net_listener *n)
{
    if (!n->oldest)
        return false;
    stream_close(n->oldest, "made room for a newer connection before it had authenticated");
    return true;
}

/* Who has one address of an IPv6 network of /64 has them all. */
static uint64_t source_of(const struct sockaddr *address)
{
    uint32_t v4;
    uint64_t network;
    if (address->sa_family == AF_INET6) {
        const struct in6_addr *a = &((const struct sockaddr_in6 *)address)->sin6_addr;
        memcpy(&v4, a->s6_addr + 12, sizeof v4);
        memcpy(&network, a->s6_addr, sizeof network);
        return IN6_IS_ADDR_V4MAPPED(a) ? v4 : network;
    }
    return ((const struct sockaddr_in *)address)->sin_addr.s_addr;
}

/* A source that has as many strangers as it may loses its oldest one: not the newest, for many honest endpoints can stand
 * behind one address, and theirs authenticate within a few round trips, while what stalls grows old and goes first. */
static void bound_source(struct net_listener *n, uint64_t source)
{
    struct net_stream *oldest = NULL;
    unsigned count = 0;
    for (struct net_stream *s = *bucket(n, source); s; s = s->next_here)
        if (s->source == source) {
            oldest = s;
            count++;
        }
    if (n->options.max_strangers && count >= n->options.max_strangers)
        stream_close(oldest, "made room for a newer connection from its address before it had authenticated");
}

/* ---- accepting --------------------------------------------------------------------------------------------------- */

static void begin(struct net_listener *n, int fd, const struct sockaddr *address)
{
    void *context = n->options.accept(n->options.context);
    struct net_stream *s = context ? stream_new(n->loop, n->options.tls, n->options.handler, context) : NULL;
    if (!s) {
        close(fd);
        if (context)
            n->options.handler->closed(context, "no memory");
        return;
    }
    s->listener = n;
    n->open++;
    n->alive++;
    s->source = source_of(address);
    enlist(n, s);
    address_text(address, s->address);
    stream_init_tcp(s);
    if (uv_tcp_open(&s->tcp, fd) != 0) {
        close(fd);
        stream_close(s, "the socket cannot be used");
        return;
    }
    stream_begin(s, NULL, uv_now(&n->loop->uv) + n->options.handshake_ms);
}

/* No descriptor, and nobody to send away: the spare one is given up for a moment to turn the caller down, who would
 * else keep the listener ringing. */
static void turn_one_down(struct net_listener *n)
{
    if (n->spare >= 0)
        close(n->spare);
    int fd = accept4(n->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    n->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* False: nothing is left to be accepted. */
static bool accept_one(struct net_listener *n)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    int fd = accept4(n->fd, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
        if (!evict(n))
            turn_one_down(n);
        return true;
    }
    if (fd < 0) /* a caller that has hung up already is no reason to stop */
        return errno == ECONNABORTED || errno == EINTR || errno == EPROTO;
    bound_source(n, source_of((struct sockaddr *)&address));
    if (n->open >= n->options.max_streams && !evict(n))
        close(fd);
    else
        begin(n, fd, (struct sockaddr *)&address);
    return true;
}

static void on_callers(uv_poll_t *poll, int status, int events)
{
    struct net_listener *n = poll->data;
    (void)status, (void)events;
    for (int i = 0; i < ACCEPTS_A_TURN && !uv_is_closing((uv_handle_t *)poll); i++)
        if (!accept_one(n))
            return;
}

/* ---- sockets ----------------------------------------------------------------------------------------------------- */

/* PT-R4, RFC 6876 §3.1.1: TCP's own, OpenSSL has no heartbeats any more. */
bool socket_keep_alive(int fd)
{
    static const int one = 1, idle = KEEPALIVE_SECONDS, interval = KEEPALIVE_INTERVAL, count = KEEPALIVE_COUNT;
    return setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one) == 0 &&
           setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle) == 0 &&
           setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval) == 0 &&
           setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count) == 0;
}

/* `shared`: with SO_REUSEPORT. -1: errno says why. Accepted sockets inherit what is set here. */
static int bound_socket(const struct addrinfo *a, bool shared)
{
    static const int one = 1, zero = 0;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
        (!shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) == 0) &&
        (a->ai_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero) == 0) &&
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0 && socket_keep_alive(fd) &&
        bind(fd, a->ai_addr, a->ai_addrlen) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

/* A listening socket on the address; -1: `error`. */
static int open_socket(const struct net_listen_options *o, struct error *error)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *a;
    char service[8];
    snprintf(service, sizeof service, "%u", o->port);
    if (getaddrinfo(o->address, service, &hints, &a) != 0) {
        error_set(error, "cannot listen on %s: that is no address of a network interface", o->address);
        return -1;
    }
    int probe = -1, fd = -1;
    /* A socket without SO_REUSEPORT finds out whether somebody listens there. */
    if (!o->exclusive || o->port == 0 || (probe = bound_socket(a, false)) >= 0) {
        if (probe >= 0)
            close(probe);
        fd = bound_socket(a, true);
    }
    if (fd >= 0 && listen(fd, BACKLOG) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        fd = -1;
    }
    if (fd < 0)
        error_set(error, "cannot listen on %s port %u: %s", o->address, o->port,
                  errno == EADDRINUSE ? "the port is in use"
                  : errno == EACCES   ? "no permission (ports below 1024 are for root)"
                                      : strerror(errno));
    freeaddrinfo(a);
    return fd;
}

int net_listen_try(const char *address, uint16_t port, struct error *error)
{
    return open_socket(&(struct net_listen_options){.address = address, .port = port, .exclusive = true}, error);
}

static void on_closed(uv_handle_t *handle)
{
    struct net_listener *n = handle->data;
    close(n->fd);
    if (n->spare >= 0)
        close(n->spare);
    n->closed = true;
    free_if_unused(n);
}

struct net_listener *net_listen(struct net_loop *l, const struct net_listen_options *options, struct error *error)
{
    int fd = open_socket(options, error);
    struct net_listener *n = fd >= 0 ? calloc(1, sizeof *n) : NULL;
    if (!n || !net_random((uint8_t *)&n->seed, sizeof n->seed) || uv_poll_init(&l->uv, &n->poll, fd) != 0) {
        if (fd >= 0) {
            error_set(error, "cannot listen on %s: no memory, or no random numbers", options->address);
            close(fd);
        }
        free(n);
        return NULL;
    }
    n->loop = l;
    n->options = *options;
    if (n->options.max_streams == 0) {
        size_t limit = net_raise_file_limit();
        n->options.max_streams = limit > 1u << 30 ? 1u << 30 : limit > 128 ? (unsigned)limit - 64 : 64;
    }
    n->fd = fd;
    n->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    n->port = port_of(fd);
    n->poll.data = n;
    uv_poll_start(&n->poll, UV_READABLE, on_callers);
    return n;
}

uint16_t net_listener_port(const struct net_listener *n)
{
    return n->port;
}

void net_listener_close(struct net_listener *n)
{
    if (n && !uv_is_closing((uv_handle_t *)&n->poll))
        uv_close((uv_handle_t *)&n->poll, on_closed);
}
