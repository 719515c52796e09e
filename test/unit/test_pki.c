#include "server/server.h"

#include <ftw.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char state[512];

static const char *in_state(const char *name)
{
    static char path[4][1024];
    static unsigned turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", state, name);
    return p;
}

static int make_state(void **unused)
{
    (void)unused;
    snprintf(state, sizeof state, "%s/muster-pki-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    return mkdtemp(state) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
    (void)st, (void)flag, (void)walk;
    return remove(path);
}

static int remove_state(void **unused)
{
    (void)unused;
    return nftw(state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct pki_made made; /* by the last one */

static enum server_status ensure(const char *name, struct error *error)
{
    return pki_ensure(state, &name, name ? 1 : 0, &made, error);
}

static void ensure_ok(const char *name, bool expect_created)
{
    struct error error = {0};
    if (ensure(name, &error) != SERVER_OK)
        fail_msg("%s", error.text);
    assert_int_equal(made.authority || made.certificate || made.administrator || made.token, expect_created);
}

/* What fails, and says so with `word` in it. */
static void ensure_fails(enum server_status status, const char *word)
{
    struct error error = {0};
    assert_int_equal(ensure(NULL, &error), status);
    if (!strstr(error.text, word))
        fail_msg("\"%s\" does not say \"%s\"", error.text, word);
}

static X509 *load(const char *path)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    X509 *x = PEM_read_X509(f, NULL, NULL, NULL);
    fclose(f);
    assert_non_null(x);
    return x;
}

static EVP_PKEY *load_key(const char *path)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    EVP_PKEY *k = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    fclose(f);
    assert_non_null(k);
    return k;
}

static void put(const char *path, const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static size_t get(const char *path, char *text, size_t size)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, size - 1, f);
    fclose(f);
    text[n] = 0;
    return n;
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

/* As a TLS peer does it: chain to our CA, right purpose. */
static void assert_valid(const char *path, int purpose)
{
    X509 *ca = load(in_state("pki/ca.crt")), *x = load(path);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    assert_int_equal(X509_STORE_add_cert(store, ca), 1);
    assert_int_equal(X509_STORE_CTX_init(context, store, x, NULL), 1);
    X509_STORE_CTX_set_purpose(context, purpose);
    X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(context), X509_V_FLAG_X509_STRICT);
    if (X509_verify_cert(context) != 1)
        fail_msg("%s: %s", path, X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    X509_free(x);
    X509_free(ca);
}

static int days_left(const X509 *x)
{
    int days, seconds;
    assert_int_equal(ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x)), 1);
    return days;
}

static void makes_an_authority_and_a_server(void **unused)
{
    (void)unused;
    char host[65] = "";
    gethostname(host, 64);
    ensure_ok("192.0.2.7", true);
    assert_valid(in_state("pki/server.crt"), X509_PURPOSE_SSL_SERVER);
    X509 *ca = load(in_state("pki/ca.crt")), *server = load(in_state("pki/server.crt"));
    assert_int_equal(X509_check_ca(ca), 1);
    assert_int_equal(X509_get_pathlen(ca), 0);
    assert_int_equal(X509_get_key_usage(ca), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    assert_int_equal(X509_get_key_usage(server), KU_DIGITAL_SIGNATURE);
    assert_int_equal(X509_get_extended_key_usage(server), XKU_SSL_SERVER);
    assert_int_equal(X509_check_ca(server), 0);
    assert_non_null(X509_get0_subject_key_id(server));
    assert_int_equal(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(server), X509_get0_subject_key_id(ca)), 0);
    assert_int_equal(X509_check_host(server, "localhost", 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL), 1);
    assert_int_equal(X509_check_host(server, host, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL), 1);
    assert_int_equal(X509_check_ip_asc(server, "192.0.2.7", 0), 1);
    assert_int_equal(X509_check_ip_asc(server, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(server, "::1", 0), 1);
    assert_int_equal(X509_check_ip_asc(server, "192.0.2.8", 0), 0);
    assert_in_range(days_left(ca), 3651, 3653);
    assert_in_range(days_left(server), 823, 825);
    assert_int_equal(ASN1_STRING_length(X509_get0_serialNumber(server)), 16);
    EVP_PKEY *key = X509_get0_pubkey(server);
    assert_int_equal(EVP_PKEY_bits(key), 256);
    X509_free(server);
    X509_free(ca);
}

static void keeps_its_secrets(void **unused)
{
    (void)unused;
    char text[256], user[32], password[64];
    ensure_ok(NULL, true);
    assert_int_equal(mode_of(in_state("pki")), 0700);
    assert_int_equal(mode_of(in_state("pki/ca.key")), 0600);
    assert_int_equal(mode_of(in_state("pki/server.key")), 0600);
    assert_int_equal(mode_of(in_state("admin.txt")), 0600);
    get(in_state("admin.txt"), text, sizeof text);
    assert_int_equal(sscanf(text, "user: %31s\npassword: %63s\n", user, password), 2);
    assert_string_equal(user, "admin");
    assert_int_equal(strlen(password), 24);
    assert_int_equal(strspn(password, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 24);
}

static void a_second_run_changes_nothing(void **unused)
{
    (void)unused;
    char before[4096], after[4096], admin[256], again[256];
    ensure_ok(NULL, true);
    get(in_state("pki/server.crt"), before, sizeof before);
    get(in_state("admin.txt"), admin, sizeof admin);
    ensure_ok(NULL, false);
    get(in_state("pki/server.crt"), after, sizeof after);
    get(in_state("admin.txt"), again, sizeof again);
    assert_string_equal(before, after);
    assert_string_equal(admin, again);
}

static void a_new_name_renews_the_certificate_but_not_the_key(void **unused)
{
    (void)unused;
    char before[4096], after[4096];
    ensure_ok(NULL, true);
    get(in_state("pki/server.key"), before, sizeof before);
    ensure_ok("nac.example.org", true);
    get(in_state("pki/server.key"), after, sizeof after);
    assert_string_equal(before, after);
    X509 *x = load(in_state("pki/server.crt"));
    assert_int_equal(X509_check_host(x, "nac.example.org", 0, 0, NULL), 1);
    X509_free(x);
    ensure_ok("nac.example.org", false);
    ensure_ok(NULL, false); /* more names than needed are no reason */
}

/* Re-signs a certificate so that it ends in `days`. */
static void shorten(const char *name, int days)
{
    char crt[64];
    snprintf(crt, sizeof crt, "pki/%s.crt", name);
    X509 *x = load(in_state(crt));
    EVP_PKEY *ca = load_key(in_state("pki/ca.key"));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), days * 86400L));
    assert_true(X509_sign(x, ca, EVP_sha256()) > 0);
    FILE *f = fopen(in_state(crt), "w");
    assert_int_equal(PEM_write_X509(f, x), 1);
    fclose(f);
    EVP_PKEY_free(ca);
    X509_free(x);
}

static void renews_what_expires_soon(void **unused)
{
    (void)unused;
    ensure_ok(NULL, true);
    shorten("server", 31);
    ensure_ok(NULL, false);
    shorten("server", 29);
    ensure_ok(NULL, true);
    X509 *x = load(in_state("pki/server.crt"));
    assert_in_range(days_left(x), 823, 825);
    X509_free(x);
    /* Nothing outlives its authority. */
    shorten("ca", 100);
    shorten("server", -1);
    ensure_ok(NULL, true);
    x = load(in_state("pki/server.crt"));
    assert_in_range(days_left(x), 98, 100);
    X509_free(x);
    shorten("ca", -1);
    ensure_fails(SERVER_REFUSED, "expired");
}

/* Certificates of earlier versions made an endpoint of the server, too. */
static void renews_what_is_good_for_endpoints(void **unused)
{
    (void)unused;
    ensure_ok(NULL, true);
    X509 *x = load(in_state("pki/server.crt"));
    EVP_PKEY *ca = load_key(in_state("pki/ca.key"));
    X509_EXTENSION_free(X509_delete_ext(x, X509_get_ext_by_NID(x, NID_ext_key_usage, -1)));
    X509_EXTENSION *both = X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage, "serverAuth,clientAuth");
    assert_int_equal(X509_add_ext(x, both, -1), 1);
    assert_true(X509_sign(x, ca, EVP_sha256()) > 0);
    FILE *f = fopen(in_state("pki/server.crt"), "w");
    assert_int_equal(PEM_write_X509(f, x), 1);
    fclose(f);
    X509_EXTENSION_free(both);
    EVP_PKEY_free(ca);
    X509_free(x);
    ensure_ok(NULL, true);
    ensure_ok(NULL, false);
    x = load(in_state("pki/server.crt"));
    assert_int_equal(X509_get_extended_key_usage(x), XKU_SSL_SERVER);
    X509_free(x);
}

static void names_of_a_server(void **unused)
{
    static const char *const good[] = {"nac.example.org", "nac", "192.0.2.1", "2001:db8::1", "_x.example"},
                             *const bad[] = {"",      "*.example.org", "a b",           "-a",   ".a",
                                             "a/b",   "https://a",     "[2001:db8::1]", "a:271",
                                             "999.1.1.1", "1",  "a..b",  "a.",  "a.-b",  "a-.b"};
    (void)unused;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        assert_true(pki_name_valid(good[i]));
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(pki_name_valid(bad[i]));
}

static void damaged_and_foreign_files_are_reported_and_kept(void **unused)
{
    (void)unused;
    char text[4096];
    ensure_ok(NULL, true);
    put(in_state("pki/server.crt"), "-----BEGIN CERTIFICATE-----\nMIIB\n", 0644);
    ensure_fails(SERVER_DAMAGED, "server.crt");
    get(in_state("pki/server.crt"), text, sizeof text);
    assert_string_equal(text, "-----BEGIN CERTIFICATE-----\nMIIB\n");
    assert_int_equal(unlink(in_state("pki/server.crt")), 0);
    ensure_ok(NULL, true); /* a lone key is an interrupted run */

    put(in_state("pki/ca.key"), "", 0600);
    ensure_fails(SERVER_DAMAGED, "ca.key");
    assert_int_equal(unlink(in_state("pki/ca.key")), 0);
    ensure_fails(SERVER_DAMAGED, "ca.key"); /* a lone certificate is a lost key */
    assert_int_equal(access(in_state("pki/ca.key"), F_OK), -1);
    assert_int_equal(mkdir(in_state("pki/ca.key"), 0700), 0);
    ensure_fails(SERVER_REFUSED, "ca.key");
}

static void a_foreign_pair_is_no_certificate_of_ours(void **unused)
{
    (void)unused;
    char home[256], cert[4096], key[4096];
    ensure_ok(NULL, true);
    get(in_state("pki/server.crt"), cert, sizeof cert);
    get(in_state("pki/server.key"), key, sizeof key);
    memcpy(home, state, sizeof home);
    snprintf(state, sizeof state, "%s/other", home);
    ensure_ok(NULL, true);
    put(in_state("pki/server.crt"), cert, 0644);
    ensure_fails(SERVER_DAMAGED, "does not belong");
    put(in_state("pki/server.key"), key, 0600);
    ensure_fails(SERVER_DAMAGED, "not issued by");
    /* An endpoint's certificate in the place of the authority's. */
    struct error error = {0};
    assert_int_equal(pki_issue(state, "e", in_state("out"), &error), SERVER_OK);
    get(in_state("out/e.crt"), cert, sizeof cert);
    get(in_state("out/e.key"), key, sizeof key);
    put(in_state("pki/ca.crt"), cert, 0644);
    put(in_state("pki/ca.key"), key, 0600);
    ensure_fails(SERVER_DAMAGED, "no authority");
    snprintf(state, sizeof state, "%s", home);
}

static void refuses_keys_that_others_can_read(void **unused)
{
    (void)unused;
    ensure_ok(NULL, true);
    assert_int_equal(chmod(in_state("pki/ca.key"), 0640), 0);
    ensure_fails(SERVER_REFUSED, "chmod 600");
}

static void carries_an_interrupted_start_on(void **unused)
{
    (void)unused;
    char before[4096], after[4096];
    ensure_ok(NULL, true);
    get(in_state("pki/ca.key"), before, sizeof before);
    assert_int_equal(
        unlink(in_state("pki/ca.crt")) | unlink(in_state("pki/server.crt")) | unlink(in_state("pki/server.key")), 0);
    ensure_ok(NULL, true);
    get(in_state("pki/ca.key"), after, sizeof after);
    assert_string_equal(before, after);
    assert_valid(in_state("pki/server.crt"), X509_PURPOSE_SSL_SERVER);
}

static void all_addresses_are_names_too(void **unused)
{
    (void)unused;
    ensure_ok("0.0.0.0", true);
    X509 *x = load(in_state("pki/server.crt"));
    assert_int_equal(X509_check_ip_asc(x, "0.0.0.0", 0), 0);
    assert_int_equal(X509_check_ip_asc(x, "127.0.0.1", 0), 1);
    X509_free(x);
}

static void issues_for_endpoints(void **unused)
{
    (void)unused;
    struct error error = {0};
    assert_int_equal(pki_issue(state, "web-01", in_state("out"), &error), SERVER_REFUSED);
    assert_non_null(strstr(error.text, "muster serve"));
    ensure_ok(NULL, true);
    if (pki_issue(state, "web-01.example.org", in_state("out"), &error) != SERVER_OK)
        fail_msg("%s", error.text);
    assert_valid(in_state("out/web-01.example.org.crt"), X509_PURPOSE_SSL_CLIENT);
    assert_int_equal(mode_of(in_state("out/web-01.example.org.key")), 0600);
    X509 *x = load(in_state("out/web-01.example.org.crt"));
    assert_int_equal(X509_get_extended_key_usage(x), XKU_SSL_CLIENT); /* it can be nobody's server */
    EVP_PKEY *key = load_key(in_state("out/web-01.example.org.key"));
    assert_int_equal(X509_check_private_key(x, key), 1);
    assert_int_equal(X509_check_host(x, "web-01.example.org", 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL), 1);
    EVP_PKEY_free(key);
    X509_free(x);
    /* Never over what is there, not even half of it. */
    assert_int_equal(pki_issue(state, "web-01.example.org", in_state("out"), &error), SERVER_REFUSED);
    assert_non_null(strstr(error.text, "exists already"));
    assert_int_equal(unlink(in_state("out/web-01.example.org.crt")), 0);
    assert_int_equal(pki_issue(state, "web-01.example.org", in_state("out"), &error), SERVER_REFUSED);
    assert_int_equal(access(in_state("out/web-01.example.org.crt"), F_OK), -1);
}

static void half_a_pair_does_not_stay(void **unused)
{
    (void)unused;
    struct error error = {0};
    ensure_ok(NULL, true);
    /* A link that leads nowhere is in the way, too. */
    assert_int_equal(mkdir(in_state("out"), 0700), 0);
    assert_int_equal(symlink("nowhere", in_state("out/web.crt")), 0);
    assert_int_equal(pki_issue(state, "web", in_state("out"), &error), SERVER_REFUSED);
    assert_int_equal(access(in_state("out/web.key"), F_OK), -1);
}

static void says_what_it_made(void **unused)
{
    (void)unused;
    char text[64];
    ensure_ok(NULL, true);
    assert_true(made.authority && made.certificate && made.administrator && made.token);
    ensure_ok("renewed.example.org", true);
    assert_true(made.certificate && !made.authority && !made.administrator && !made.token);
    assert_int_equal(mode_of(in_state("token.txt")), 0600);
    assert_int_equal(get(in_state("token.txt"), text, sizeof text), 25);
    assert_int_equal(unlink(in_state("token.txt")), 0);
    ensure_ok("renewed.example.org", true);
    assert_true(made.token && !made.certificate && !made.authority && !made.administrator);
}

static void refuses_names_that_are_paths_or_worse(void **unused)
{
    static const char *const bad[] = {"",
                                      ".",
                                      "..",
                                      "../up",
                                      "a/b",
                                      "-rf",
                                      ".hidden",
                                      "a b",
                                      "a\nb",
                                      "gr\xc3\xbc\xc3\x9f",
                                      "a,DNS:evil",
                                      "a*",
                                      "0123456789012345678901234567890123456789012345678901234567890123x"};
    (void)unused;
    struct error error = {0};
    ensure_ok(NULL, true);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_int_equal(pki_issue(state, bad[i], in_state("out"), &error), SERVER_REFUSED);
        assert_non_null(strstr(error.text, "cannot be an endpoint's name"));
    }
    assert_int_equal(pki_issue(state, "A_b-9.c", in_state("out"), &error), SERVER_OK);
}

static void a_state_folder_that_cannot_be_is_one_clear_line(void **unused)
{
    (void)unused;
    struct error error = {0};
    put(in_state("file"), "x", 0600);
    assert_int_equal(pki_ensure(in_state("file/below"), NULL, 0, &made, &error), SERVER_REFUSED);
    assert_non_null(strstr(error.text, "file"));
    assert_null(strchr(error.text, '\n'));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, make_state, remove_state)
    const struct CMUnitTest tests[] = {
        T(makes_an_authority_and_a_server),
        T(keeps_its_secrets),
        T(a_second_run_changes_nothing),
        T(a_new_name_renews_the_certificate_but_not_the_key),
        T(renews_what_expires_soon),
        T(renews_what_is_good_for_endpoints),
        T(names_of_a_server),
        T(damaged_and_foreign_files_are_reported_and_kept),
        T(a_foreign_pair_is_no_certificate_of_ours),
        T(refuses_keys_that_others_can_read),
        T(carries_an_interrupted_start_on),
        T(all_addresses_are_names_too),
        T(issues_for_endpoints),
        T(half_a_pair_does_not_stay),
        T(says_what_it_made),
        T(refuses_names_that_are_paths_or_worse),
        T(a_state_folder_that_cannot_be_is_one_clear_line),
    };
    return cmocka_run_group_tests_name("pki", tests, NULL, NULL);
}
