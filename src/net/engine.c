/* TLS without a socket: ciphertext goes through a pair of views instead of memory BIOs, which would keep the largest
 * handshake message's size for as long as a connection idles. */
#include "net/private.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

/* ---- the pipe --------------------------------------------------------------------------------------------------- */

static int pipe_read(BIO *b, char *p, size_t size, size_t *n)
{
    struct tls_engine *e = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    *n = size < e->in.n ? size : e->in.n;
    if (*n == 0) {
        BIO_set_retry_read(b);
        return 0;
    }
    memcpy(p, e->in.p, *n);
    e->in = (struct bytes){e->in.p + *n, e->in.n - *n};
    return 1;
}

static int pipe_write(BIO *b, const char *p, size_t size, size_t *n)
{
    struct tls_engine *e = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    wr_bytes(&e->out, (struct bytes){(const uint8_t *)p, size});
    *n = e->out.bad ? 0 : size;
    return !e->out.bad;
}

static long pipe_control(BIO *b, int command, long number, void *pointer)
{
    (void)b, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static int pipe_create(BIO *b)
{
    BIO_set_init(b, 1);
    return 1;
}

BIO_METHOD *engine_pipe(void);
BIO_METHOD *engine_pipe(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "muster pipe");
    if (m && BIO_meth_set_read_ex(m, pipe_read) && BIO_meth_set_write_ex(m, pipe_write) &&
        BIO_meth_set_ctrl(m, pipe_control) && BIO_meth_set_create(m, pipe_create))
        return m;
    BIO_meth_free(m);
    return NULL;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

/* PT-R6, RFC 6876 §3.4.2.1: the name is checked, without wildcards and without the common name. */
static bool expect_host(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *p = SSL_get0_param(ssl);
    uint8_t address[16];
    X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (inet_pton(AF_INET, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip(p, address, 4);
    if (inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip(p, address, 16);
    return X509_VERIFY_PARAM_set1_host(p, host, 0) && SSL_set_tlsext_host_name(ssl, host);
}

bool engine_open(struct tls_engine *e, const struct net_tls *tls, const char *host)
{
    ERR_clear_error();
    *e = (struct tls_engine){.ssl = SSL_new(tls->context), .out = wr_of((size_t)32 << 20)};
    BIO *b = e->ssl ? BIO_new(tls->pipe) : NULL;
    if (!b || (host && !expect_host(e->ssl, host))) {
        BIO_free(b);
        engine_close(e);
        return false;
    }
    BIO_set_data(b, e);
    SSL_set_bio(e->ssl, b, b);
    if (tls->server)
        SSL_set_accept_state(e->ssl);
    else
        SSL_set_connect_state(e->ssl);
    return true;
}

void engine_close(struct tls_engine *e)
{
    SSL_free(e->ssl);
    wr_free(&e->out);
    e->ssl = NULL;
}

static enum engine_status status_of(const struct tls_engine *e, int result)
{
    switch (SSL_get_error(e->ssl, result)) {
    case SSL_ERROR_NONE:
        return ENGINE_OK;
    case SSL_ERROR_WANT_READ:
        return ENGINE_WAIT;
    case SSL_ERROR_ZERO_RETURN:
        return ENGINE_CLOSED;
    default:
        return ENGINE_FAILED;
    }
}

enum engine_status engine_handshake(struct tls_engine *e)
{
    ERR_clear_error();
    return status_of(e, SSL_do_handshake(e->ssl));
}

enum engine_status engine_read(struct tls_engine *e, uint8_t *p, size_t size, size_t *n)
{
    enum engine_status status = ENGINE_OK;
    *n = 0;
    ERR_clear_error();
    while (*n < size) {
        size_t got = 0;
        int result = SSL_read_ex(e->ssl, p + *n, size - *n, &got);
        *n += got;
        if (result != 1) {
            status = status_of(e, result);
            break;
        }
    }
    return status;
}

bool engine_write(struct tls_engine *e, struct bytes plaintext)
{
    size_t n;
    ERR_clear_error();
    return plaintext.n == 0 || SSL_write_ex(e->ssl, plaintext.p, plaintext.n, &n) == 1;
}

void engine_shutdown(struct tls_engine *e)
{
    ERR_clear_error();
    if (SSL_is_init_finished(e->ssl))
        SSL_shutdown(e->ssl);
    ERR_clear_error();
}

/* ---- what went wrong, who it is --------------------------------------------------------------------------------- */

#define OTHER_CA                                                                                                       \
    "the certificate of %s is not signed by a CA in %s: take the file of the CA that signed it, or have it signed by " \
    "one of these"

/* The arguments of each text are the peer and the file of anchors. */
static const struct {
    int code;
    const char *text;
} verdicts[] = {
    {X509_V_ERR_CERT_HAS_EXPIRED, "the certificate of %s has expired: it needs a new one, or the clock here is wrong"},
    {X509_V_ERR_CERT_NOT_YET_VALID, "the certificate of %s is not valid yet: is the clock right?"},
    {X509_V_ERR_HOSTNAME_MISMATCH,
     "the certificate of %s was issued for another host name: connect by one that it has, or give it this one"},
    {X509_V_ERR_IP_ADDRESS_MISMATCH,
     "the certificate of %s was issued for another address: connect by a name that it has, or give it this one"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, OTHER_CA},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, OTHER_CA},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, OTHER_CA},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, OTHER_CA},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, OTHER_CA},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, OTHER_CA},
    {X509_V_ERR_INVALID_PURPOSE, "the certificate of %s is not meant for this use"},
};

/* Alerts with which a peer says that our certificate will not do (RFC 8446 §6.2). */
static bool is_about_certificate(int alert)
{
    static const int alerts[] = {SSL_AD_BAD_CERTIFICATE,     SSL_AD_UNSUPPORTED_CERTIFICATE, SSL_AD_CERTIFICATE_REVOKED,
                                 SSL_AD_CERTIFICATE_EXPIRED, SSL_AD_CERTIFICATE_UNKNOWN,     SSL_AD_UNKNOWN_CA,
                                 SSL_AD_ACCESS_DENIED,       SSL_AD_CERTIFICATE_REQUIRED};
    for (size_t i = 0; i < ARRAY_LENGTH(alerts); i++)
        if (alerts[i] == alert)
            return true;
    return false;
}

void engine_explain(const struct tls_engine *e, const char *peer, const char *ca, struct error *error)
{
    long verdict = SSL_get_verify_result(e->ssl);
    for (size_t i = 0; i < ARRAY_LENGTH(verdicts); i++)
        if (verdict == verdicts[i].code) {
            error_set(error, verdicts[i].text, peer, ca);
            return;
        }
    if (verdict != X509_V_OK) {
        error_set(error, "the certificate of %s: %s", peer, X509_verify_cert_error_string(verdict));
        return;
    }
    unsigned long code = ERR_peek_last_error();
    int reason = ERR_GET_REASON(code);
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256)
        error_set(error, "%s refused the TLS connection: %s%s", peer,
                  SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET),
                  is_about_certificate(reason - SSL_AD_REASON_OFFSET)
                      ? ": does it trust the CA of our certificate, and is that valid?"
                      : "");
    else if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason == SSL_R_WRONG_VERSION_NUMBER)
        error_set(error, "%s does not speak TLS", peer);
    else
        error_set(error, "TLS with %s failed: %s", peer, code ? ERR_reason_error_string(code) : "connection broken");
}

/* A name that may stand in logs and rows: UTF-8 without control characters, 1 to 255 octets. */
static bool take_name(struct bytes text, char name[256])
{
    if (text.n == 0 || text.n > 255 || !utf8_valid(text))
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < 0x20 || text.p[i] == 0x7f)
            return false;
    memcpy(name, text.p, text.n);
    name[text.n] = 0;
    return true;
}

static bool common_name(X509 *certificate, char name[256])
{
    X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    unsigned char *text = NULL;
    int n = at < 0 ? -1 : ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    bool found = n > 0 && take_name((struct bytes){text, (size_t)n}, name);
    OPENSSL_free(text);
    return found;
}

struct bytes engine_peer_name(const struct tls_engine *e, char name[256])
{
    X509 *certificate = SSL_get0_peer_certificate(e->ssl);
    if (!certificate || SSL_get_verify_result(e->ssl) != X509_V_OK)
        return (struct bytes){NULL, 0};
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    bool is_dns = false, found = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !is_dns; i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        if (g->type != GEN_DNS)
            continue;
        is_dns = true;
        found = take_name((struct bytes){ASN1_STRING_get0_data(g->d.dNSName), (size_t)ASN1_STRING_length(g->d.dNSName)},
                          name);
    }
    GENERAL_NAMES_free(names);
    if (!is_dns)
        found = common_name(certificate, name);
    return found ? bytes_of(name) : (struct bytes){NULL, 0};
}
