/* Streams: a TCP connection, its TLS, one timer. All of it runs on the loop's thread. */
#include "net/private.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_MAX ((size_t)8 << 20)
#define FINISH_MS 5000u
#define DRAIN     ((size_t)64 << 10) /* octets that a peer must read of what it is sent within the loop's drain_ms */

/* ---- the timer -------------------------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

static void arm(struct net_stream *s)
{
    uint64_t now = uv_now(&s->loop->uv), at = s->due < s->drain_by ? s->due : s->drain_by;
    if (at >= s->armed || s->phase == STREAM_CLOSED)
        return;
    s->armed = at;
    uv_timer_start(&s->timer, on_timer, at > now ? at - now : 0, 0);
}

/* A deadline that moves away, as idle ones do with each message, costs nothing: the timer rings early and is set again.
 */
void stream_watch(struct net_stream *s, uint64_t at)
{
    s->due = at;
    arm(s);
}

static uint64_t drained(const struct net_stream *s)
{
    return s->handed - uv_stream_get_write_queue_size((const uv_stream_t *)&s->tcp);
}

/* The socket begins to refuse octets, or has taken enough: whoever reads nothing does not make us keep them. */
static void watch_drain(struct net_stream *s)
{
    s->drained = drained(s);
    s->drain_by = s->queued ? uv_now(&s->loop->uv) + s->loop->drain_ms : UINT64_MAX;
    arm(s);
}

static bool drains(const struct net_stream *s)
{
    return s->queued == 0 || drained(s) >= s->drained + DRAIN;
}

static void on_timer(uv_timer_t *timer)
{
    struct net_stream *s = timer->data;
    uint64_t now = uv_now(&s->loop->uv);
    s->armed = UINT64_MAX;
    if (s->drain_by <= now && !drains(s)) {
        stream_close(s, "the peer does not read what it is sent");
        return;
    }
    if (s->drain_by <= now)
        watch_drain(s);
    if (s->due > now) {
        arm(s);
        return;
    }
    s->due = UINT64_MAX;
    switch (s->phase) {
    case STREAM_CONNECTING:
        connecting_timeout(s);
        break;
    case STREAM_HANDSHAKE:
        stream_close(s, "TLS was not up in time");
        break;
    case STREAM_OPEN:
        s->handler->tick(s->context);
        break;
    case STREAM_FINISHING:
        stream_close(s, s->why);
        break;
    case STREAM_CLOSED:
        break;
    }
}

/* ---- closing ---------------------------------------------------------------------------------------------------- */

void stream_release(struct net_stream *s)
{
    if (--s->handles > 0)
        return;
    s->handler->closed(s->context, s->why);
    if (s->listener)
        listener_release(s);
    engine_close(&s->tls);
    connecting_free(s);
    free(s->why);
    free(s);
}

static void on_closed(uv_handle_t *handle)
{
    stream_release(handle->data);
}

static void keep_reason(struct net_stream *s, const char *why)
{
    if (why && why != s->why && !s->why)
        s->why = strdup(why);
}

void stream_close(struct net_stream *s, const char *why)
{
    if (s->phase == STREAM_CLOSED)
        return;
    s->phase = STREAM_CLOSED;
    keep_reason(s, why);
    if (s->listener)
        listener_forget(s);
    if (s->has_tcp)
        uv_close((uv_handle_t *)&s->tcp, on_closed);
    uv_close((uv_handle_t *)&s->timer, on_closed);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    (void)status;
    free(request);
}

static void stream_flush(struct net_stream *s);

void stream_finish(struct net_stream *s, const char *why)
{
    if (s->phase >= STREAM_FINISHING)
        return;
    keep_reason(s, why);
    if (s->phase == STREAM_CONNECTING) {
        stream_close(s, why);
        return;
    }
    engine_shutdown(&s->tls);
    stream_flush(s);
    uv_shutdown_t *request = s->phase == STREAM_CLOSED ? NULL : malloc(sizeof *request);
    if (!request || uv_shutdown(request, (uv_stream_t *)&s->tcp, on_shutdown) != 0) {
        free(request);
        stream_close(s, why);
        return;
    }
    /* Waiting for the peer's FIN: data of it that meets a closed socket would answer with RST, which can overtake what
     * we sent. */
    s->phase = STREAM_FINISHING;
    stream_watch(s, uv_now(&s->loop->uv) + FINISH_MS);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

struct write_request {
    uv_write_t request;
    struct net_stream *stream;
    struct wr data;
};

/* A broken connection shows when reading, too; there it comes behind what the peer had to say before it broke: its
 * alert, say. */
static void write_failed(struct net_stream *s)
{
    if (s->phase == STREAM_FINISHING)
        stream_close(s, s->why);
}

static void on_written(uv_write_t *request, int status)
{
    struct write_request *w = (struct write_request *)request;
    struct net_stream *s = w->stream;
    s->queued -= wr_view(&w->data).n;
    wr_free(&w->data);
    free(w);
    if (s->phase != STREAM_CLOSED && drains(s))
        watch_drain(s);
    if (status != 0)
        write_failed(s);
}

/* What the socket takes at once is sent without a request; the rest goes with its memory into one. */
static void stream_flush(struct net_stream *s)
{
    struct bytes out = wr_view(&s->tls.out);
    if (s->phase == STREAM_CLOSED || out.n == 0)
        return;
    uv_buf_t buffer = uv_buf_init((char *)s->tls.out.p, (unsigned)out.n);
    int sent = s->queued ? UV_EAGAIN : uv_try_write((uv_stream_t *)&s->tcp, &buffer, 1);
    if (sent < 0 && sent != UV_EAGAIN) {
        write_failed(s);
    } else if (sent < (int)out.n) {
        struct write_request *w = malloc(sizeof *w);
        if (!w) {
            stream_close(s, "no memory");
            return;
        }
        *w = (struct write_request){.stream = s, .data = s->tls.out};
        s->tls.out = wr_of(w->data.max);
        if (sent > 0)
            wr_drop(&w->data, (size_t)sent);
        buffer = uv_buf_init((char *)w->data.p, (unsigned)w->data.n);
        bool first = s->queued == 0;
        s->queued += w->data.n;
        s->handed += w->data.n;
        if (uv_write(&w->request, (uv_stream_t *)&s->tcp, &buffer, 1, on_written) != 0) {
            s->queued -= w->data.n;
            wr_free(&w->data);
            free(w);
            write_failed(s);
        } else if (first) {
            watch_drain(s);
        }
        return;
    }
    size_t max = s->tls.out.max;
    wr_free(&s->tls.out);
    s->tls.out = wr_of(max);
}

bool net_stream_write(struct net_stream *s, struct bytes plaintext)
{
    if (s->phase != STREAM_OPEN || s->queued + plaintext.n > QUEUE_MAX)
        return false;
    if (!engine_write(&s->tls, plaintext)) {
        stream_close(s, "TLS could not encrypt");
        return false;
    }
    if (!s->in_turn)
        stream_flush(s);
    return true;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static const char *peer_of(const struct net_stream *s)
{
    return s->connecting ? connecting_peer(s) : s->address;
}

static void tls_failed(struct net_stream *s)
{
    struct error error;
    engine_explain(&s->tls, peer_of(s), s->credentials->ca, &error);
    stream_finish(s, error.text); /* the alert leaves before the connection does */
}

static void go_on_with_handshake(struct net_stream *s)
{
    char name[256];
    switch (engine_handshake(&s->tls)) {
    case ENGINE_OK:
        s->phase = STREAM_OPEN;
        stream_watch(s, UINT64_MAX);
        s->handler->open(s->context, s, engine_peer_name(&s->tls, name));
        break;
    case ENGINE_WAIT:
        break;
    case ENGINE_CLOSED:
        stream_finish(s, "the peer ended TLS before it was up");
        break;
    case ENGINE_FAILED:
        tls_failed(s);
        break;
    }
}

/* Everything that has come is decrypted before the owner sees it, so that it answers once a turn. */
static void take_data(struct net_stream *s)
{
    size_t n;
    enum engine_status status = engine_read(&s->tls, s->loop->plain, sizeof s->loop->plain, &n);
    if (n)
        s->handler->data(s->context, (struct bytes){s->loop->plain, n});
    if (s->phase != STREAM_OPEN)
        return;
    if (status == ENGINE_CLOSED)
        stream_finish(s, NULL);
    else if (status == ENGINE_FAILED)
        tls_failed(s);
}

static void on_end(struct net_stream *s, int status)
{
    static const char *const at_phase[] = {
        [STREAM_HANDSHAKE] = "closed the connection before TLS was up",
        [STREAM_OPEN] = "cut the connection off",
    };
    char why[256];
    if (s->phase == STREAM_FINISHING) {
        stream_close(s, s->why);
        return;
    }
    snprintf(why, sizeof why, "%s %s%s%s", peer_of(s), at_phase[s->phase], status == UV_EOF ? "" : ": ",
             status == UV_EOF ? "" : uv_strerror(status));
    stream_close(s, why);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct net_stream *s = handle->data;
    (void)suggested;
    *buffer = uv_buf_init((char *)s->loop->cipher, sizeof s->loop->cipher);
}

static void on_read(uv_stream_t *handle, ssize_t n, const uv_buf_t *buffer)
{
    struct net_stream *s = handle->data;
    if (n < 0)
        on_end(s, (int)n);
    if (n <= 0 || s->phase >= STREAM_FINISHING)
        return; /* what comes while we finish is not wanted any more */
    s->in_turn = true;
    s->tls.in = (struct bytes){(const uint8_t *)buffer->base, (size_t)n};
    if (s->phase == STREAM_HANDSHAKE)
        go_on_with_handshake(s);
    if (s->phase == STREAM_OPEN)
        take_data(s);
    s->tls.in = (struct bytes){NULL, 0};
    s->in_turn = false;
    stream_flush(s);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

struct net_stream *stream_new(struct net_loop *l, const struct net_tls *tls, const struct net_handler *handler,
                              void *context)
{
    struct net_stream *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->loop = l;
    s->credentials = tls;
    s->handler = handler;
    s->context = context;
    s->due = s->armed = s->drain_by = UINT64_MAX;
    s->handles = 1;
    uv_timer_init(&l->uv, &s->timer);
    s->timer.data = s;
    return s;
}

void stream_init_tcp(struct net_stream *s)
{
    uv_tcp_init(&s->loop->uv, &s->tcp);
    s->tcp.data = s;
    s->has_tcp = true;
    s->handles++;
}

void stream_begin(struct net_stream *s, const char *host, uint64_t deadline)
{
    s->phase = STREAM_HANDSHAKE;
    stream_watch(s, deadline);
    if (!engine_open(&s->tls, s->credentials, host) || uv_read_start((uv_stream_t *)&s->tcp, on_alloc, on_read) != 0) {
        stream_close(s, "no memory");
        return;
    }
    if (!s->credentials->server) { /* the client speaks first */
        go_on_with_handshake(s);
        stream_flush(s);
    }
}

void net_stream_finish(struct net_stream *s)
{
    stream_finish(s, NULL);
}

void net_stream_abort(struct net_stream *s, const char *why)
{
    stream_close(s, why);
}

void net_stream_deadline(struct net_stream *s, uint64_t at_ms)
{
    if (s->phase == STREAM_OPEN)
        stream_watch(s, at_ms);
}

const char *net_stream_address(const struct net_stream *s)
{
    return s->address;
}

void address_text(const struct sockaddr *a, char text[48])
{
    static const char mapped[] = "::ffff:";
    text[0] = 0;
    if (a->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)a)->sin6_addr, text, 48);
    else if (a->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)a)->sin_addr, text, 48);
    if (strncmp(text, mapped, sizeof mapped - 1) == 0 && strchr(text, '.'))
        memmove(text, text + sizeof mapped - 1, strlen(text) + 2 - sizeof mapped);
}
