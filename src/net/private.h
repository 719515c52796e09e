/* What the files of net/ share among themselves. */
#ifndef MUSTER_NET_PRIVATE_H
#define MUSTER_NET_PRIVATE_H

#include "net/net.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <uv.h>

/* ---- engine: TLS without a socket (engine.c) -------------------------------------------------------------------- */

struct net_tls {
    SSL_CTX *context;
    BIO_METHOD *pipe;
    bool server;
    char *ca; /* the file's name, for messages */
};

/* One connection's TLS. Ciphertext comes in through `in` and leaves through `out`; no buffer stays behind while the
 * connection is idle. Must not move in memory. */
struct tls_engine {
    SSL *ssl;
    struct bytes in; /* ciphertext of this turn; OpenSSL takes all of it before it asks for more */
    struct wr out;   /* ciphertext to be sent */
};

enum engine_status { ENGINE_OK, ENGINE_WAIT, ENGINE_CLOSED, ENGINE_FAILED };

/* `host` is the name or address that the peer's certificate must carry (clients), NULL for servers. */
bool engine_open(struct tls_engine *e, const struct net_tls *tls, const char *host) MUST_USE;
void engine_close(struct tls_engine *e);
enum engine_status engine_handshake(struct tls_engine *e) MUST_USE;
/* Up to `size` octets of plaintext; ENGINE_CLOSED: the peer said close_notify. */
enum engine_status engine_read(struct tls_engine *e, uint8_t *p, size_t size, size_t *n) MUST_USE;
bool engine_write(struct tls_engine *e, struct bytes plaintext) MUST_USE;
void engine_shutdown(struct tls_engine *e);
/* After ENGINE_FAILED: one clear line. `peer` is how messages call the other side, `ca` the file of anchors. */
void engine_explain(const struct tls_engine *e, const char *peer, const char *ca, struct error *error);
/* The name in the peer's verified certificate, in `name`; empty if it sent none or one that cannot be a name. */
struct bytes engine_peer_name(const struct tls_engine *e, char name[256]);

/* ---- loops ------------------------------------------------------------------------------------------------------ */

enum { CIPHER_SIZE = 64 * 1024, PLAIN_SIZE = CIPHER_SIZE + 17 * 1024 };

struct net_loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_signal_t signals[2];
    void (*on_signal)(void *argument);
    void *signal_argument;
    pthread_mutex_t lock; /* guards what follows up to `stopping` */
    struct net_post *first_post, **last_post;
    bool stopping;
    unsigned drain_ms; /* 60,000: in which a peer must read 64 KiB of what waits for it, or all; tests are less patient */
    /* One read and one plaintext buffer serve every stream: a turn leaves nothing in them. */
    uint8_t cipher[CIPHER_SIZE], plain[PLAIN_SIZE];
};

/* ---- streams ----------------------------------------------------------------------------------------------------- */

enum stream_phase { STREAM_CONNECTING, STREAM_HANDSHAKE, STREAM_OPEN, STREAM_FINISHING, STREAM_CLOSED };

struct net_stream {
    uv_tcp_t tcp;
    uv_timer_t timer;
    struct net_loop *loop;
    struct net_listener *listener; /* who accepted it; NULL: we connected */
    struct connecting *connecting; /* while and after we connect; NULL: accepted */
    const struct net_tls *credentials;
    struct tls_engine tls;
    const struct net_handler *handler;
    void *context;
    enum stream_phase phase;
    bool has_tcp;         /* its handle is initialised and not closing */
    bool in_turn;         /* what is written now leaves at the turn's end */
    bool unauthenticated; /* stands in its listener's list */
    struct net_stream *older, *younger;
    uint64_t source; /* where it comes from, as the listener counts; those of a bucket, the youngest first */
    struct net_stream *next_here, **link_here;
    uint64_t due, armed; /* when it wants the timer, when the timer will ring: a later `due` costs nothing */
    size_t queued;       /* octets that the socket would not take yet */
    uint64_t drain_by;   /* until when it must take some of them; UINT64_MAX: there are none */
    uint64_t handed, drained; /* octets that ever had to wait; how many of them the socket had taken when drain_by was set */
    unsigned handles;    /* what libuv still holds of it: the timer, the socket, a name look-up; freed with the last */
    char *why;
    char address[48];
};

/* A stream in phase STREAM_CONNECTING whose tcp handle is not initialised yet. NULL: no memory. */
struct net_stream *stream_new(struct net_loop *l, const struct net_tls *tls, const struct net_handler *handler,
                              void *context) MUST_USE;
void stream_init_tcp(struct net_stream *s);
/* libuv has let go of one of its parts. */
void stream_release(struct net_stream *s);
/* The socket is connected: TLS begins, to be through at `deadline`. */
void stream_begin(struct net_stream *s, const char *host, uint64_t deadline);
/* Sends what is queued and FIN, waits a little for the peer's, closes. */
void stream_finish(struct net_stream *s, const char *why);
/* Closes now; handler.closed follows when libuv has let go of it. */
void stream_close(struct net_stream *s, const char *why);
void stream_watch(struct net_stream *s, uint64_t at);
/* connect.c: the attempt's deadline has passed; free what stream_free() does not know. */
void connecting_timeout(struct net_stream *s);
void connecting_free(struct net_stream *s);
const char *connecting_peer(const struct net_stream *s);
/* listen.c: the stream is closing, proven, gone. */
void listener_forget(struct net_stream *s);
void listener_release(struct net_stream *s);
/* A peer that is gone shows within two minutes, idle or not. What a listening socket has is its connections', too. */
bool socket_keep_alive(int fd);
/* Text of a socket address, IPv4-mapped ones as IPv4. */
void address_text(const struct sockaddr *a, char text[48]);

#endif
