/* Signatures over octets and who made them: private keys out of PKCS #12, certificates and what they chain to. */
#include "net/private.h"

#include <errno.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

enum {
    RSA_BITS_MIN = 2048, /* RFC 8230 §2 */
    PASSWORD_MAX = 1024,
};

/* What a key signs with. ECDSA's signature is two numbers of `half` octets each (RFC 9053 §2.1). */
static const struct kind {
    enum net_algorithm algorithm;
    int type;
    const char *curve, *digest;
    size_t half;
} kinds[] = {
    {NET_ES256, EVP_PKEY_EC, "prime256v1", "SHA256", 32}, {NET_ES384, EVP_PKEY_EC, "secp384r1", "SHA384", 48},
    {NET_ES512, EVP_PKEY_EC, "secp521r1", "SHA512", 66},  {NET_PS256, EVP_PKEY_RSA, NULL, "SHA256", 0},
    {NET_EDDSA, EVP_PKEY_ED25519, NULL, NULL, 0},
};

struct net_signer {
    EVP_PKEY *key;
    const struct kind *kind;
    struct bytes chain[NET_CHAIN_MAX]; /* DER, OpenSSL's memory */
    size_t count;
};

/* NULL: no key that signatures are made with here. */
static const struct kind *kind_of(const EVP_PKEY *key)
{
    char curve[32] = "";
    size_t n;
    for (size_t i = 0; key && i < ARRAY_LENGTH(kinds); i++) {
        const struct kind *k = &kinds[i];
        if (EVP_PKEY_get_base_id(key) != k->type)
            continue;
        if (k->type == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) < RSA_BITS_MIN)
            return NULL;
        if (!k->curve || (EVP_PKEY_get_group_name(key, curve, sizeof curve, &n) == 1 && strcmp(curve, k->curve) == 0))
            return k;
    }
    return NULL;
}

/* ---- certificates ------------------------------------------------------------------------------------------------ */

static X509 *certificate_of(struct bytes der)
{
    const uint8_t *p = der.p;
    X509 *x = der.n && der.n <= LONG_MAX ? d2i_X509(NULL, &p, (long)der.n) : NULL;
    if (x && p != der.p + der.n) { /* something follows */
        X509_free(x);
        x = NULL;
    }
    ERR_clear_error();
    return x;
}

bool net_certificate_subject(struct bytes der, struct wr *to)
{
    X509 *x = certificate_of(der);
    BIO *text = BIO_new(BIO_s_mem());
    char *p = NULL;
    bool done = x && text && X509_NAME_print_ex(text, X509_get_subject_name(x), 0, XN_FLAG_RFC2253) >= 0;
    long n = done ? BIO_get_mem_data(text, &p) : 0;
    wr_bytes(to, (struct bytes){(const uint8_t *)p, n > 0 ? (size_t)n : 0});
    BIO_free(text);
    X509_free(x);
    return done;
}

static BIO *open_file(const char *path, struct error *error)
{
    errno = 0;
    BIO *file = BIO_new_file(path, "rb");
    if (!file)
        error_set(error, "%s: %s", path, errno ? strerror(errno) : "it cannot be opened");
    ERR_clear_error();
    return file;
}

struct net_trust {
    X509_STORE *store;
};

static size_t read_certificates(BIO *file, X509_STORE *store)
{
    size_t count = 0;
    X509 *x;
    while ((x = PEM_read_bio_X509(file, NULL, NULL, NULL)) != NULL) {
        bool added = X509_STORE_add_cert(store, x) == 1;
        X509_free(x);
        if (!added)
            return 0;
        count++;
    }
    /* Anything but the end of the file is a certificate that would be missed. */
    return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ? count : 0;
}

struct net_trust *net_trust_new(const char *path, struct error *error)
{
    BIO *file = open_file(path, error);
    if (!file)
        return NULL;
    struct net_trust *t = calloc(1, sizeof *t);
    bool made = t && (t->store = X509_STORE_new()) != NULL, read = made && read_certificates(file, t->store) > 0;
    ERR_clear_error();
    BIO_free(file);
    if (read)
        return t;
    error_set(error, made ? "%s holds no certificates in PEM, or a damaged one" : "%s: out of memory", path);
    net_trust_free(t);
    return NULL;
}

void net_trust_free(struct net_trust *t)
{
    if (t)
        X509_STORE_free(t->store);
    free(t);
}

/* A certificate that states what its key is for must state this. */
static bool may_sign(X509 *x)
{
    return (X509_get_key_usage(x) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) != 0;
}

/* A certificate that was named itself is trusted without its issuer. Below 112 bits of strength none is. */
static bool verify_chain(const struct net_trust *t, X509 *signer, STACK_OF(X509) * others, struct error *why)
{
    X509_STORE_CTX *c = X509_STORE_CTX_new();
    bool good = c && X509_STORE_CTX_init(c, t->store, signer, others) == 1;
    if (good) {
        X509_STORE_CTX_set_flags(c, X509_V_FLAG_PARTIAL_CHAIN);
        X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(c), 2);
        good = X509_verify_cert(c) == 1;
        if (!good)
            error_set(why, "%s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(c)));
    } else {
        error_set(why, "out of memory");
    }
    X509_STORE_CTX_free(c);
    ERR_clear_error();
    return good;
}

bool net_trust_check(const struct net_trust *t, const struct bytes *chain, size_t count, struct error *why)
{
    STACK_OF(X509) *others = sk_X509_new_null();
    X509 *signer = count ? certificate_of(chain[0]) : NULL;
    bool good = signer && others;
    if (!good)
        error_set(why, signer ? "out of memory" : "it carries no usable certificate");
    for (size_t i = 1; good && i < count && i < NET_CHAIN_MAX; i++) {
        X509 *x = certificate_of(chain[i]);
        good = x && sk_X509_push(others, x) > 0;
        if (x && !good)
            X509_free(x);
        if (!good)
            error_set(why, "a certificate of its chain is damaged");
    }
    if (good && !may_sign(signer)) {
        error_set(why, "its certificate is not for signatures");
        good = false;
    }
    good = good && verify_chain(t, signer, others, why);
    X509_free(signer);
    sk_X509_pop_free(others, X509_free);
    return good;
}

/* ---- PKCS #12 ---------------------------------------------------------------------------------------------------- */

static bool keep_certificate(struct net_signer *s, X509 *x)
{
    unsigned char *der = NULL;
    int n = s->count < NET_CHAIN_MAX ? i2d_X509(x, &der) : -1;
    if (n > 0)
        s->chain[s->count++] = (struct bytes){der, (size_t)n};
    return n > 0;
}

/* The issuers, from the signer's upwards; a root says nothing that a verifier would believe, and stays here. */
static bool keep_issuers(struct net_signer *s, X509 *x, STACK_OF(X509) * others)
{
    for (int i = 0; i < sk_X509_num(others) && s->count < NET_CHAIN_MAX; i++) {
        X509 *above = sk_X509_value(others, i);
        if (above == x || X509_check_issued(above, x) != X509_V_OK || X509_self_signed(above, 0) == 1)
            continue;
        if (!keep_certificate(s, above))
            return false;
        x = above;
        i = -1; /* in any order */
    }
    return true;
}

static bool in_time(const X509 *x, struct error *error)
{
    bool begun = X509_cmp_current_time(X509_get0_notBefore(x)) < 0,
         ended = X509_cmp_current_time(X509_get0_notAfter(x)) < 0;
    if (!begun || ended)
        error_set(error, "its certificate %s: nobody would trust the signature",
                  ended ? "has expired" : "is not valid yet");
    return begun && !ended;
}

static bool take_parts(struct net_signer *s, X509 *x, STACK_OF(X509) * others, struct error *error)
{
    s->kind = kind_of(s->key);
    if (!s->key)
        error_set(error, "it holds no private key");
    else if (!x || X509_check_private_key(x, s->key) != 1)
        error_set(error, "it holds no certificate of its key");
    else if (!s->kind)
        error_set(error, "its key is none of RSA (2048 bits or more), EC (P-256, P-384, P-521) and Ed25519");
    else if (!may_sign(x))
        error_set(error, "its certificate is not for signatures");
    else if (in_time(x, error) && (!keep_certificate(s, x) || !keep_issuers(s, x, others)))
        error_set(error, "out of memory");
    return s->count > 0 && !error->text[0];
}

static bool open_pkcs12(struct net_signer *s, PKCS12 *p12, const char *password, struct error *error)
{
    X509 *x = NULL;
    STACK_OF(X509) *others = NULL;
    bool known = !PKCS12_mac_present(p12) || PKCS12_verify_mac(p12, password, -1) == 1;
    bool parsed = known && PKCS12_parse(p12, password, &s->key, &x, &others) == 1;
    if (!known)
        error_set(error, "the password is wrong");
    else if (!parsed)
        error_set(error, "it cannot be decrypted: a wrong password, or a cipher as old as RC2 (export it anew)");
    bool good = parsed && take_parts(s, x, others, error);
    X509_free(x);
    sk_X509_pop_free(others, X509_free);
    return good;
}

struct net_signer *net_signer_new(const char *path, struct bytes password, struct error *error)
{
    char text[PASSWORD_MAX + 1] = "";
    struct error why = {"out of memory"};
    BIO *file = open_file(path, error);
    if (!file)
        return NULL;
    PKCS12 *p12 = d2i_PKCS12_bio(file, NULL);
    BIO_free(file);
    struct net_signer *s = calloc(1, sizeof *s);
    if (!p12)
        error_set(&why, "it is no PKCS #12 file");
    else if (password.n > PASSWORD_MAX || (password.n && memchr(password.p, 0, password.n)))
        error_set(&why, "the password is wrong");
    else if (s)
        why.text[0] = 0;
    if (password.n && !why.text[0])
        memcpy(text, password.p, password.n);
    bool good = !why.text[0] && open_pkcs12(s, p12, text, &why);
    OPENSSL_cleanse(text, sizeof text);
    PKCS12_free(p12);
    ERR_clear_error();
    if (good)
        return s;
    error_set(error, "%s: %s", path, why.text);
    net_signer_free(s);
    return NULL;
}

void net_signer_free(struct net_signer *s)
{
    for (size_t i = 0; s && i < s->count; i++)
        OPENSSL_free((void *)(uintptr_t)s->chain[i].p);
    if (s)
        EVP_PKEY_free(s->key);
    free(s);
}

enum net_algorithm net_signer_algorithm(const struct net_signer *s)
{
    return s->kind->algorithm;
}

size_t net_signer_chain(const struct net_signer *s, struct bytes chain[NET_CHAIN_MAX])
{
    memcpy(chain, s->chain, sizeof s->chain);
    return s->count;
}

struct evp_pkey_st *net_signer_key(const struct net_signer *s)
{
    return s->key;
}

/* ---- signatures -------------------------------------------------------------------------------------------------- */

/* PS256: the salt is as long as the digest (RFC 8230 §2). */
static bool set_padding(const struct kind *k, EVP_PKEY_CTX *c)
{
    return k->type != EVP_PKEY_RSA || (EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PSS_PADDING) == 1 &&
                                       EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST) == 1);
}

/* What OpenSSL calls an ECDSA signature is DER; COSE has both numbers as they are. */
static bool put_halves(const struct kind *k, const uint8_t *der, size_t n, struct wr *to)
{
    uint8_t halves[2 * 66];
    ECDSA_SIG *pair = n <= LONG_MAX ? d2i_ECDSA_SIG(NULL, &der, (long)n) : NULL;
    bool good = pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), halves, (int)k->half) >= 0 &&
                BN_bn2binpad(ECDSA_SIG_get0_s(pair), halves + k->half, (int)k->half) >= 0;
    if (good)
        wr_bytes(to, (struct bytes){halves, 2 * k->half});
    ECDSA_SIG_free(pair);
    return good;
}

/* The other way round; the length of the DER, 0 for what is no such pair. */
static size_t der_of(const struct kind *k, struct bytes halves, unsigned char **der)
{
    ECDSA_SIG *pair = halves.n == 2 * k->half ? ECDSA_SIG_new() : NULL;
    BIGNUM *r = pair ? BN_bin2bn(halves.p, (int)k->half, NULL) : NULL;
    BIGNUM *s = r ? BN_bin2bn(halves.p + k->half, (int)k->half, NULL) : NULL;
    int n = -1;
    if (s && ECDSA_SIG_set0(pair, r, s) == 1) {
        n = i2d_ECDSA_SIG(pair, der);
    } else {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(pair);
    return n > 0 ? (size_t)n : 0;
}

bool net_sign(const struct net_signer *s, struct bytes octets, struct wr *to)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters;
    size_t n = 0;
    uint8_t *raw = NULL;
    bool good = c && EVP_DigestSignInit_ex(c, &parameters, s->kind->digest, NULL, NULL, s->key, NULL) == 1 &&
                set_padding(s->kind, parameters) && EVP_DigestSign(c, NULL, &n, octets.p, octets.n) == 1 &&
                (raw = malloc(n)) != NULL && EVP_DigestSign(c, raw, &n, octets.p, octets.n) == 1;
    if (good && s->kind->half)
        good = put_halves(s->kind, raw, n, to);
    else if (good)
        wr_bytes(to, (struct bytes){raw, n});
    free(raw);
    EVP_MD_CTX_free(c);
    ERR_clear_error();
    return good && !to->bad;
}

static bool holds(const struct kind *k, EVP_PKEY *key, struct bytes octets, struct bytes signature)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters;
    unsigned char *der = NULL;
    if (k->half) {
        size_t n = der_of(k, signature, &der);
        signature = (struct bytes){der, n};
    }
    bool good = c && signature.n && EVP_DigestVerifyInit_ex(c, &parameters, k->digest, NULL, NULL, key, NULL) == 1 &&
                set_padding(k, parameters) && EVP_DigestVerify(c, signature.p, signature.n, octets.p, octets.n) == 1;
    OPENSSL_free(der);
    EVP_MD_CTX_free(c);
    ERR_clear_error();
    return good;
}

bool net_signature_holds(int algorithm, struct bytes certificate, struct bytes octets, struct bytes signature,
                         struct error *why)
{
    X509 *x = certificate_of(certificate);
    EVP_PKEY *key = x ? X509_get0_pubkey(x) : NULL;
    const struct kind *k = kind_of(key);
    bool good = k && (int)k->algorithm == algorithm && holds(k, key, octets, signature);
    if (!x)
        error_set(why, "it carries no usable certificate");
    else if (!k || (int)k->algorithm != algorithm)
        error_set(why, "its key and its algorithm (%d) do not fit, or are not known here", algorithm);
    else if (!good)
        error_set(why, "it is not of these octets, or not made with the key of its certificate");
    X509_free(x);
    return good;
}
