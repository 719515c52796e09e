/* Keys out of PKCS #12, signatures of every kind, and who is trusted. */
#include "certs.h"
#include "net/net.h"

#include <openssl/pkcs12.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { YEAR = 365 * 86400 };
static char folder[] = "/tmp/muster-sign-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[4][128];
    static unsigned turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

/* certs.h makes P-256 keys; the same certificate with another one. */
static void give_key(struct cert *c, const struct cert *issuer, EVP_PKEY *key)
{
    EVP_PKEY_free(c->key);
    c->key = key;
    X509_set_pubkey(c->certificate, key);
    const struct cert *signer = issuer ? issuer : c;
    if (!X509_sign(c->certificate, signer->key, EVP_sha256()))
        abort();
}

static void write_p12(const char *name, EVP_PKEY *key, X509 *certificate, STACK_OF(X509) * others)
{
    PKCS12 *p12 = PKCS12_create("secret", NULL, key, certificate, others, 0, 0, 0, 0, 0);
    FILE *f = fopen(path_of(name), "w");
    assert_true(p12 && f && i2d_PKCS12_fp(f, p12) == 1 && fclose(f) == 0);
    PKCS12_free(p12);
}

static struct net_signer *open_good(const char *name)
{
    struct error error = {""};
    struct net_signer *s = net_signer_new(path_of(name), BYTES("secret"), &error);
    if (!s)
        fail_msg("%s", error.text);
    return s;
}

static void refused(const char *name, const char *password, const char *why)
{
    struct error error = {""};
    struct net_signer *s = net_signer_new(path_of(name), bytes_of(password), &error);
    if (s || !strstr(error.text, why))
        fail_msg("%s: \"%s\" lacks \"%s\"", name, error.text, why);
}

static void check_kind(const struct cert *ca, EVP_PKEY *key, enum net_algorithm algorithm, size_t length)
{
    struct cert c = cert_make(ca, "signer", NULL, -60, YEAR);
    struct wr signature = wr_of(0), again = wr_of(0);
    struct bytes chain[NET_CHAIN_MAX], text = BYTES("any octets");
    struct error why = {""};
    give_key(&c, ca, key);
    write_p12("kind.p12", c.key, c.certificate, NULL);
    struct net_signer *s = open_good("kind.p12");
    assert_int_equal(net_signer_algorithm(s), algorithm);
    assert_int_equal(net_signer_chain(s, chain), 1);
    assert_true(net_sign(s, text, &signature) && net_sign(s, text, &again));
    assert_int_equal(signature.n, length);
    assert_true(net_signature_holds(algorithm, chain[0], text, wr_view(&signature), &why));
    assert_true(net_signature_holds(algorithm, chain[0], text, wr_view(&again), &why));
    assert_false(net_signature_holds(algorithm, chain[0], BYTES("any octetS"), wr_view(&signature), &why));
    assert_false(net_signature_holds(algorithm, chain[0], text, (struct bytes){signature.p, signature.n - 1}, &why));
    assert_false(net_signature_holds(algorithm, chain[0], text, (struct bytes){NULL, 0}, &why));
    assert_false(
        net_signature_holds(algorithm == NET_ES256 ? NET_ES384 : NET_ES256, chain[0], text, wr_view(&signature), &why));
    assert_false(net_signature_holds(0, chain[0], text, wr_view(&signature), &why));
    assert_false(
        net_signature_holds(algorithm, (struct bytes){chain[0].p, chain[0].n - 1}, text, wr_view(&signature), &why));
    for (size_t i = 0; i < signature.n; i++) {
        signature.p[i] ^= 1;
        assert_false(net_signature_holds(algorithm, chain[0], text, wr_view(&signature), &why));
        signature.p[i] ^= 1;
    }
    memset(signature.p, 0, signature.n); /* r = s = 0 */
    assert_false(net_signature_holds(algorithm, chain[0], text, wr_view(&signature), &why));
    net_signer_free(s);
    wr_free(&signature);
    wr_free(&again);
    cert_free(&c);
}

static void signs_with_every_kind_of_key(void **state)
{
    (void)state;
    struct cert ca = cert_make(NULL, "CA", NULL, -60, YEAR);
    check_kind(&ca, EVP_EC_gen("P-256"), NET_ES256, 64);
    check_kind(&ca, EVP_EC_gen("P-384"), NET_ES384, 96);
    check_kind(&ca, EVP_EC_gen("P-521"), NET_ES512, 132);
    check_kind(&ca, EVP_RSA_gen(2048), NET_PS256, 256);
    check_kind(&ca, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NET_EDDSA, 64);
    cert_free(&ca);
}

static void refuses_bad_files(void **state)
{
    (void)state;
    struct cert ca = cert_make(NULL, "CA", NULL, -60, YEAR), good = cert_make(&ca, "good", NULL, -60, YEAR),
                old = cert_make(&ca, "old", NULL, -YEAR, -60), early = cert_make(&ca, "early", NULL, 3600, YEAR),
                weak = cert_make(&ca, "weak", NULL, -60, YEAR), odd = cert_make(&ca, "odd", NULL, -60, YEAR),
                use = cert_make(&ca, "use", NULL, -60, YEAR);
    give_key(&weak, &ca, EVP_RSA_gen(1024));
    give_key(&odd, &ca, EVP_PKEY_Q_keygen(NULL, NULL, "ED448"));
    cert_extension(use.certificate, ca.certificate, NID_key_usage, "keyEncipherment");
    assert_true(X509_sign(use.certificate, ca.key, EVP_sha256()));
    write_p12("good.p12", good.key, good.certificate, NULL);
    write_p12("no-key.p12", NULL, good.certificate, NULL);
    write_p12("no-certificate.p12", good.key, NULL, NULL);
    write_p12("old.p12", old.key, old.certificate, NULL);
    write_p12("early.p12", early.key, early.certificate, NULL);
    write_p12("weak.p12", weak.key, weak.certificate, NULL);
    write_p12("odd.p12", odd.key, odd.certificate, NULL);
    write_p12("use.p12", use.key, use.certificate, NULL);
    FILE *f = fopen(path_of("text.p12"), "w");
    assert_true(f && fputs("no PKCS #12", f) >= 0 && fclose(f) == 0);
    refused("good.p12", "wrong", "password");
    refused("good.p12", "", "password");
    refused("no-key.p12", "secret", "no private key");
    refused("no-certificate.p12", "secret", "no certificate");
    refused("old.p12", "secret", "expired");
    refused("early.p12", "secret", "not valid yet");
    refused("weak.p12", "secret", "none of");
    refused("odd.p12", "secret", "none of");
    refused("use.p12", "secret", "not for signatures");
    refused("text.p12", "secret", "no PKCS #12");
    refused("missing.p12", "secret", "No such file");
    refused(".", "secret", "");
    struct cert *all[] = {&ca, &good, &old, &early, &weak, &odd, &use};
    for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
        cert_free(all[i]);
}

static bool trusted(const char *name, const struct bytes *chain, size_t count, const char *why)
{
    struct error error = {""};
    struct net_trust *t = net_trust_new(path_of(name), &error);
    assert_non_null(t);
    bool good = net_trust_check(t, chain, count, &error);
    assert_int_equal(good, error.text[0] == 0);
    if (!good && !strstr(error.text, why))
        fail_msg("\"%s\" lacks \"%s\"", error.text, why);
    net_trust_free(t);
    return good;
}

/* The issuers travel with the signature, the root does not. */
static void trusts_what_was_named(void **state)
{
    (void)state;
    struct cert ca = cert_make(NULL, "CA", NULL, -60, YEAR), other = cert_make(NULL, "CA", NULL, -60, YEAR),
                middle = cert_make(&ca, "middle", NULL, -60, YEAR), leaf = cert_make(&ca, "leaf", NULL, -60, YEAR);
    struct bytes chain[NET_CHAIN_MAX];
    X509_EXTENSION_free(X509_delete_ext(middle.certificate, 0));
    cert_extension(middle.certificate, ca.certificate, NID_basic_constraints, "critical,CA:TRUE");
    assert_true(X509_sign(middle.certificate, ca.key, EVP_sha256()));
    X509_set_issuer_name(leaf.certificate, X509_get_subject_name(middle.certificate));
    assert_true(X509_sign(leaf.certificate, middle.key, EVP_sha256()));
    STACK_OF(X509) *others = sk_X509_new_null();
    sk_X509_push(others, ca.certificate);
    sk_X509_push(others, middle.certificate);
    write_p12("chain.p12", leaf.key, leaf.certificate, others);
    sk_X509_free(others);
    struct net_signer *s = open_good("chain.p12");
    assert_int_equal(net_signer_chain(s, chain), 2);
    cert_write(&ca, folder, "ca");
    cert_write(&other, folder, "other");
    cert_write(&leaf, folder, "leaf");
    assert_true(trusted("ca.crt", chain, 2, ""));
    assert_true(trusted("leaf.crt", chain, 2, ""));
    assert_true(trusted("leaf.crt", chain, 1, ""));
    assert_false(trusted("ca.crt", chain, 1, "issuer"));
    assert_false(trusted("other.crt", chain, 2, ""));
    assert_false(trusted("ca.crt", chain, 0, "no usable certificate"));
    assert_false(trusted("ca.crt", (struct bytes[]){chain[0], BYTES("x")}, 2, "damaged"));
    assert_false(trusted("ca.crt", (struct bytes[]){BYTES("x"), chain[1]}, 2, "no usable certificate"));
    net_signer_free(s);
    struct cert *all[] = {&ca, &other, &middle, &leaf};
    for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
        cert_free(all[i]);
}

static void refuses_files_of_no_trust(void **state)
{
    (void)state;
    struct cert ca = cert_make(NULL, "CA", NULL, -60, YEAR);
    struct error error;
    cert_write(&ca, folder, "half");
    FILE *f = fopen(path_of("half.crt"), "a");
    assert_true(f && fputs("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", f) >= 0 && fclose(f) == 0);
    f = fopen(path_of("empty.crt"), "w");
    assert_true(f && fclose(f) == 0);
    assert_null(net_trust_new(path_of("half.crt"), &error));
    assert_null(net_trust_new(path_of("empty.crt"), &error));
    assert_null(net_trust_new(path_of("half.key"), &error));
    assert_null(net_trust_new(path_of("missing.crt"), &error));
    cert_free(&ca);
}

static void names_the_signer(void **state)
{
    (void)state;
    struct cert ca = cert_make(NULL, "CA", NULL, -60, YEAR), c = cert_make(&ca, "a,b\033[31m\xc3\xa9", NULL, -60, YEAR);
    uint8_t *der = NULL;
    int n = i2d_X509(c.certificate, &der);
    struct wr w = wr_of(0);
    assert_true(net_certificate_subject((struct bytes){der, (size_t)n}, &w));
    assert_string_equal(wr_string(&w), "CN=a\\,b\\1B[31m\\C3\\A9");
    assert_false(net_certificate_subject(BYTES("x"), &w));
    OPENSSL_free(der);
    wr_free(&w);
    cert_free(&c);
    cert_free(&ca);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {
        "kind.p12",  "good.p12", "no-key.p12", "no-certificate.p12", "old.p12",  "early.p12", "weak.p12",
        "odd.p12",   "use.p12",  "text.p12",   "chain.p12",          "ca.crt",   "ca.key",    "other.crt",
        "other.key", "leaf.crt", "leaf.key",   "half.crt",           "half.key", "empty.crt"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        unlink(path_of(names[i]));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_with_every_kind_of_key),
        cmocka_unit_test(refuses_bad_files),
        cmocka_unit_test(trusts_what_was_named),
        cmocka_unit_test(refuses_files_of_no_trust),
        cmocka_unit_test(names_the_signer),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
