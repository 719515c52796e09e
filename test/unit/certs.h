/* Certificates for tests: a CA and leaves signed by it, with the names and the validity that a test wants, written into
 * a folder of its own. */
#ifndef MUSTER_TEST_CERTS_H
#define MUSTER_TEST_CERTS_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

struct cert {
    X509 *certificate;
    EVP_PKEY *key;
};

static void cert_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    if (!e || !X509_add_ext(certificate, e, -1))
        abort();
    X509_EXTENSION_free(e);
}

/* `names`: a subjectAltName value ("DNS:a,IP:127.0.0.1"), NULL: none; from/to: seconds from now. issuer NULL: a
 * self-signed CA. */
static struct cert cert_make(const struct cert *issuer, const char *common_name, const char *names, long from, long to)
{
    static long serial;
    struct cert c = {X509_new(), EVP_EC_gen("P-256")};
    const struct cert *signer = issuer ? issuer : &c;
    X509_set_version(c.certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(c.certificate), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(c.certificate), from);
    X509_gmtime_adj(X509_getm_notAfter(c.certificate), to);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(c.certificate), "CN", MBSTRING_UTF8,
                               (const unsigned char *)common_name, -1, -1, 0);
    X509_set_issuer_name(c.certificate, X509_get_subject_name(signer->certificate));
    X509_set_pubkey(c.certificate, c.key);
    cert_extension(c.certificate, signer->certificate, NID_basic_constraints, issuer ? "CA:FALSE" : "critical,CA:TRUE");
    if (names)
        cert_extension(c.certificate, signer->certificate, NID_subject_alt_name, names);
    if (!X509_sign(c.certificate, signer->key, EVP_sha256()))
        abort();
    return c;
}

/* Limits it to these uses ("clientAuth,serverAuth"); to be called before it is written. */
static inline void cert_purpose(struct cert *c, const struct cert *issuer, const char *uses)
{
    cert_extension(c->certificate, issuer->certificate, NID_ext_key_usage, uses);
    if (!X509_sign(c->certificate, issuer->key, EVP_sha256()))
        abort();
}

static void cert_free(struct cert *c)
{
    X509_free(c->certificate);
    EVP_PKEY_free(c->key);
}

/* FOLDER/NAME.crt and FOLDER/NAME.key */
static void cert_write(const struct cert *c, const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.crt", folder, name);
    FILE *f = fopen(path, "w");
    if (!f || !PEM_write_X509(f, c->certificate) || fclose(f) != 0)
        abort();
    snprintf(path, sizeof path, "%s/%s.key", folder, name);
    f = fopen(path, "w");
    if (!f || !PEM_write_PrivateKey(f, c->key, NULL, NULL, 0, NULL, NULL) || fclose(f) != 0)
        abort();
}

#endif
