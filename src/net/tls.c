/* The TLS policy and its credentials. */
#include "net/private.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

BIO_METHOD *engine_pipe(void);

/* An encrypted key must end in an error, never in a prompt. */
static int no_passphrase(char *p, int size, int writing, void *context)
{
    (void)p, (void)size, (void)writing, (void)context;
    return 0;
}

/* PT-R8, RFC 6876 §3.4.3: TLS_RSA_WITH_AES_128_CBC_SHA is history; 1.2 with ephemeral keys and AEAD, and 1.3.
 * PT-R7, RFC 6876 §3.4.2: no renegotiation. Neither tickets nor a session cache: every assessment authenticates anew.
 */
static bool set_policy(SSL_CTX *c, bool server)
{
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
    /* strongSwan's TLS 1.2 server, its default, does not know RFC 5746. What that guards against, somebody else's octets
     * before ours in a renegotiated session, ends in PT-TLS at our Version Request, then the second one (PT-R16). */
    if (!server)
        SSL_CTX_set_options(c, SSL_OP_LEGACY_SERVER_CONNECT);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(c, no_passphrase);
    /* By default also for its purpose: a client's certificate for clients, a server's for servers, or for any. */
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER | (server ? SSL_VERIFY_CLIENT_ONCE : 0), NULL);
    SSL_CTX_set_security_level(c, 2);
    return SSL_CTX_set_num_tickets(c, 0) && SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) &&
           SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK") &&
           SSL_CTX_set1_groups_list(c, "X25519:P-256:P-384");
}

static const char *last_reason(void)
{
    unsigned long code = ERR_peek_error(); /* a missing file is told first, what did not work without it last */
    if (!ERR_SYSTEM_ERROR(code))
        code = ERR_peek_last_error();
    if (ERR_SYSTEM_ERROR(code))
        return strerror((int)ERR_GET_REASON(code));
    const char *reason = ERR_reason_error_string(code);
    return reason ? reason : "unknown reason";
}

static bool load(struct net_tls *tls, const char *ca, const char *certificate, const char *key, struct error *error)
{
    SSL_CTX *c = tls->context;
    if (!SSL_CTX_load_verify_file(c, ca)) { /* PT-R41, R42, RFC 6876 §4.2.6, §5: this file's alone, not the system's */
        error_set(error, "cannot read CA certificates from %s: %s", ca, last_reason());
        return false;
    }
    if (tls->server) { /* tells clients that have several certificates which one we can check */
        STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(ca);
        if (names)
            SSL_CTX_set_client_CA_list(c, names);
    }
    if (!certificate && !key && !tls->server)
        return true; /* a client may authenticate by other means (SASL) */
    if (!certificate || !key) { /* PT-R5, RFC 6876 §3.4.2.1 */
        error_set(error, "a certificate and its key are needed together");
        return false;
    }
    if (SSL_CTX_use_certificate_chain_file(c, certificate) != 1) {
        error_set(error, "cannot read a certificate from %s: %s", certificate, last_reason());
        return false;
    }
    if (SSL_CTX_use_PrivateKey_file(c, key, SSL_FILETYPE_PEM) != 1) {
        bool differs = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH;
        error_set(error,
                  differs ? "the key in %s does not belong to the certificate in %s" : "cannot read a key from %s: %s",
                  key, differs ? certificate : last_reason());
        return false;
    }
    return true;
}

struct net_tls *net_tls_new(bool server, const char *ca, const char *certificate, const char *key, struct error *error)
{
    struct net_tls *tls = calloc(1, sizeof *tls);
    ERR_clear_error();
    if (tls) {
        tls->server = server;
        tls->ca = strdup(ca);
        tls->pipe = engine_pipe();
        tls->context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    }
    if (!tls || !tls->ca || !tls->pipe || !tls->context || !set_policy(tls->context, server))
        error_set(error, "cannot set up TLS: %s", last_reason());
    else if (load(tls, ca, certificate, key, error))
        return tls;
    net_tls_free(tls);
    return NULL;
}

void net_tls_free(struct net_tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->pipe);
    free(tls->ca);
    free(tls);
}
