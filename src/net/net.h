/* net: libuv and OpenSSL, glued. A loop a thread; TLS streams on it whose plaintext goes to and comes from a sans-I/O
 * machine; wake-ups from other threads. This is the room's one public header. */
#ifndef MUSTER_NET_H
#define MUSTER_NET_H

#include "base/base.h"

/* ---- TLS policy, stated once; the HTTPS listener takes it too -------------------------------------------------- */

/* TLS 1.2 and 1.3, ephemeral keys and AEAD, no renegotiation, no compression (PT-R7, PT-R8, RFC 6876 §3.4). */
#define NET_TLS_GNUTLS_PRIORITY                                                                                        \
    "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:+CHACHA20-POLY1305:-KX-ALL:+" \
    "ECDHE-ECDSA:+ECDHE-RSA"

struct net_tls; /* a side's credentials and policy; shared by all its streams */
/* Files are PEM. `ca` is what peers' certificates must chain to. Server: a peer certificate is asked for; whether one
 * is needed is the caller's decision (handler.open tells its name). Client: host names are checked without wildcards and without
 * the common name (PT-R6). */
struct net_tls *net_tls_new(bool server, const char *ca, const char *certificate, const char *key,
                            struct error *error) MUST_USE;
void net_tls_free(struct net_tls *tls);

/* ---- hashes, for rooms that include no crypto library; false: out of memory ------------------------------------- */

bool net_sha256(struct bytes text, uint8_t out[32]) MUST_USE;
bool net_hmac_sha256(struct bytes key, struct bytes text, uint8_t out[32]) MUST_USE;
/* PBKDF2 (RFC 8018 §5.2) with HMAC-SHA-256, one block. */
bool net_pbkdf2_sha256(struct bytes password, struct bytes salt, uint32_t iterations, uint8_t out[32]) MUST_USE;
/* SASLprep (RFC 4013) of a name or a password: composed and decomposed letters, wide and narrow ones, and blanks of all kinds become the same
 * text. How many octets it put into `out`; 0: what cannot be prepared (control and private characters, letters of both writing directions in
 * the wrong order, no UTF-8), is empty then, or does not fit. `text` may lie in `out`. */
size_t net_saslprep(struct bytes text, uint8_t *out, size_t size) MUST_USE;
/* Unpredictable octets. */
bool net_random(uint8_t *p, size_t n) MUST_USE;

/* ---- signatures over octets, and who made them ---------------------------------------------------------------------- */

enum { NET_CHAIN_MAX = 8 };
/* What a key signs with, by COSE's numbers (RFC 9053 §2, RFC 8230 §2): the key's type and curve decide. */
enum net_algorithm { NET_ES256 = -7, NET_EDDSA = -8, NET_ES384 = -35, NET_ES512 = -36, NET_PS256 = -37 };

struct net_signer; /* a private key and its certificate */
/* Out of a PKCS #12 file. Refused are keys without a certificate, weak ones, and certificates that are out of date or for something else.
 * NULL: `error` says why. */
struct net_signer *net_signer_new(const char *path, struct bytes password, struct error *error) MUST_USE;
void net_signer_free(struct net_signer *s); /* may be NULL */
enum net_algorithm net_signer_algorithm(const struct net_signer *s);
/* The certificate and its issuers without the root, in DER; how many. Views into the signer. */
size_t net_signer_chain(const struct net_signer *s, struct bytes chain[NET_CHAIN_MAX]);
/* The signer's own EVP_PKEY, for a library that signs by itself. */
struct evp_pkey_st *net_signer_key(const struct net_signer *s);
/* Appends the signature as COSE has it: ECDSA's two numbers one behind the other. */
bool net_sign(const struct net_signer *s, struct bytes octets, struct wr *to) MUST_USE;
/* The signature is of these octets and by the key of this certificate (DER), whoever issued it. */
bool net_signature_holds(int algorithm, struct bytes certificate, struct bytes octets, struct bytes signature,
                         struct error *why) MUST_USE;

struct net_trust; /* certificates that are believed, as they are or as issuers */
/* Out of a file of PEM. NULL: `error` says why. */
struct net_trust *net_trust_new(const char *path, struct error *error) MUST_USE;
void net_trust_free(struct net_trust *t); /* may be NULL */
/* The first certificate leads to a believed one, now: a signature does not say when it was made. */
bool net_trust_check(const struct net_trust *t, const struct bytes *chain, size_t count, struct error *why) MUST_USE;
/* Appends the subject as RFC 4514 writes it (control characters and what is no ASCII are escaped). False: no certificate. */
bool net_certificate_subject(struct bytes der, struct wr *to) MUST_USE;

/* ---- loops ------------------------------------------------------------------------------------------------------ */

struct net_loop;
struct net_loop *net_loop_new(void) MUST_USE;
/* Runs until net_loop_stop(). */
void net_loop_run(struct net_loop *l);
/* From any thread, also from a signal's watcher. */
void net_loop_stop(struct net_loop *l);
/* Closes every stream and listener that is left. */
void net_loop_free(struct net_loop *l);
/* Something to be run on a loop's thread. The memory is the poster's and must last until `run` is called, which may
 * free it; thus posting cannot fail. */
struct net_post {
    void (*run)(void *argument);
    void *argument;
    struct net_post *next; /* the loop's own */
};
/* From any thread, until net_loop_free() begins: in order of posting. What is still waiting then is run by
 * net_loop_free(). */
void net_loop_post(struct net_loop *l, struct net_post *post);
/* Calls `run` on SIGTERM and SIGINT (the main loop only). */
void net_loop_on_signal(struct net_loop *l, void (*run)(void *argument), void *argument);
uint64_t net_loop_now(const struct net_loop *l); /* monotonic milliseconds */
/* One timer: `run` after `ms` (once). Free with net_timer_stop. */
struct net_timer *net_timer_start(struct net_loop *l, uint64_t ms, void (*run)(void *argument), void *argument);
void net_timer_stop(struct net_timer *t);

/* Calls `run` whenever a folder's entries, or the contents or the name of a file, change: soon, and perhaps once for many changes. It
 * stays with the inode: what is replaced under the path must be watched anew. NULL: it is not there, or cannot be watched. Free with
 * net_watch_stop(), before the loop. */
/* `way`: of a folder, only folders that come to be in it, and what goes. */
struct net_watch *net_watch_start(struct net_loop *l, const char *path, bool way, void (*run)(void *argument), void *argument);
void net_watch_stop(struct net_watch *w);

/* Tells systemd, if it started us and wants to know (sd_notify(3)): "READY=1", "STOPPING=1", "STATUS=…". */
void net_notify(const char *state);

/* ---- streams ---------------------------------------------------------------------------------------------------- */

struct net_stream;
/* What a stream tells its owner, on the loop's thread. `context` is the owner's. */
struct net_handler {
    /* TLS is up. `peer` is the verified certificate's name (the first DNS name of its SAN, else its CN), empty if it
     * sent none. */
    void (*open)(void *context, struct net_stream *s, struct bytes peer);
    void (*data)(void *context, struct bytes plaintext);
    void (*tick)(void *context); /* the deadline given by net_stream_deadline has passed */
    /* The last call: the stream is gone behind it. `why` NULL: the peer closed it properly. */
    void (*closed)(void *context, const char *why);
};
/* Encrypts and sends everything at once (one write, TCP_NODELAY): call it once a turn with all there is. False: too
 * much is queued (8 MiB), the stream is being closed. A peer that reads less of it than 64 KiB a minute is gone, too. */
bool net_stream_write(struct net_stream *s, struct bytes plaintext);
/* close_notify and FIN once all is sent. */
void net_stream_finish(struct net_stream *s);
/* Now, without ceremony. */
void net_stream_abort(struct net_stream *s, const char *why);
/* Calls handler.tick at that monotonic time; UINT64_MAX: never. Replaces the former deadline; cheap. */
void net_stream_deadline(struct net_stream *s, uint64_t at_ms);
/* "192.0.2.1" or "2001:db8::1" of the peer. */
const char *net_stream_address(const struct net_stream *s);
/* The owner says that the peer has proved who it is: the stream no longer counts as unauthenticated (see net_listen).
 */
void net_stream_authenticated(struct net_stream *s);

/* Connects (every address of the name in turn) and does the TLS handshake; handler.open or handler.closed follows. */
struct net_stream *net_connect(struct net_loop *l, struct net_tls *tls, const char *host, uint16_t port,
                               unsigned timeout_ms, const struct net_handler *handler, void *context,
                               struct error *error) MUST_USE;

/* As people write it. */
struct net_address {
    char host[256]; /* a name or an address, without brackets */
    uint16_t port;
};
enum net_address_use {
    NET_CALL,   /* HOST, HOST:PORT, [IPv6 ADDRESS]:PORT; an IPv6 address without brackets is a host. Ports from 1 on */
    NET_LISTEN, /* PORT, ADDRESS, ADDRESS:PORT, [IPv6 ADDRESS]:PORT; port 0: any */
};
/* What `text` does not say stays as it stands in *a. False: `error` says what is wrong, and what it may be. */
bool net_address_parse(const char *text, enum net_address_use use, struct net_address *a, struct error *error) MUST_USE;

struct net_listener;
struct net_listen_options {
    const char *address; /* "0.0.0.0", "::", "127.0.0.1" … */
    uint16_t port;       /* 0: any; net_listener_port() says which */
    struct net_tls *tls;
    unsigned handshake_ms; /* 10,000: from accept to TLS being up */
    unsigned max_streams; /* 0: what the file limit allows; beyond it the oldest unauthenticated stream is closed, never
                             the newest */
    unsigned max_strangers; /* of one source (an IPv4 address, an IPv6 network of /64): streams that are not authenticated;
                               beyond it the oldest of that source is closed. 0: no bound but max_streams */
    bool exclusive; /* fail where anybody listens already: SO_REUSEPORT alone would share the port silently. The first
                       of several sets it */
    /* A context for a new stream; NULL refuses it. */
    void *(*accept)(void *context);
    const struct net_handler *handler;
    void *context;
};
/* SO_REUSEPORT, backlog 4096, TCP_NODELAY: each worker has a listener of its own on the same port. */
struct net_listener *net_listen(struct net_loop *l, const struct net_listen_options *options,
                                struct error *error) MUST_USE;
/* Whether one could listen there: a socket that does, until it is closed; -1: `error`. */
int net_listen_try(const char *address, uint16_t port, struct error *error) MUST_USE;
uint16_t net_listener_port(const struct net_listener *n);
void net_listener_close(struct net_listener *n);
/* Raises the soft limit of open files to the hard one; returns the limit. */
size_t net_raise_file_limit(void);

#endif
