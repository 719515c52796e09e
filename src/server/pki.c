/* The server's own certificate authority. Keys are written before their certificates, so that a lone key is an
 * interrupted run, which is carried on; everything else that does not fit is somebody's file: reported, never
 * overwritten. */
#include "server/files.h"
#include "server/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
#include <netdb.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY          86400L
#define CA_DAYS      3653L
#define LEAF_DAYS    825L
#define RENEW_DAYS   30L
#define BACKDATE     3600L /* seconds: clocks that run behind accept a fresh certificate */
#define MAX_NAMES    32
#define NAME_LENGTH  64 /* ub-common-name, RFC 5280 appendix A.1 */
#define SECRET_BYTES 18 /* 24 characters of base64url */

struct pair {
    X509 *certificate;
    EVP_PKEY *key;
};

static void pair_free(struct pair *p)
{
    X509_free(p->certificate);
    EVP_PKEY_free(p->key);
    *p = (struct pair){0};
}

static enum server_status openssl_failed(struct error *error, const char *what)
{
    char text[200];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    ERR_clear_error();
    error_set(error, "%s: %s", what, text);
    return SERVER_FAILED;
}

static enum server_status refused_unless(bool done)
{
    return done ? SERVER_OK : SERVER_REFUSED;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

struct names {
    char text[MAX_NAMES][256];
    size_t n;
};

static bool is_address(const char *name)
{
    uint8_t address[16];
    return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

/* Of these alone, up to so many, and not taken for an option or a hidden file. */
static bool consists_of(const char *name, const char *characters, size_t max)
{
    size_t n = strlen(name);
    return n > 0 && n <= max && name[0] != '.' && name[0] != '-' && strspn(name, characters) == n;
}

bool server_name_valid(const char *name, struct error *error)
{
    if (consists_of(name, PLAIN "@", NAME_LENGTH))
        return true;
    error_set(error, "\"%s\" cannot be an endpoint's name: 1 to %d letters, digits, . - _ @, not beginning with . or -", name, NAME_LENGTH);
    return false;
}

/* RFC 1123 §2.1: labels of 1 to 63, and the last one is not all digits: that is an address that is none. */
static bool is_dns_name(const char *name)
{
    struct bytes rest = bytes_of(name), label = {0};
    bool good = consists_of(name, PLAIN, 253);
    uint64_t number;
    while (good && rest.p) {
        label = bytes_split(&rest, '.');
        good = label.n > 0 && label.n <= 63 && label.p[0] != '-' && label.p[label.n - 1] != '-';
    }
    return good && !bytes_number(label, &number);
}

bool pki_name_valid(const char *name)
{
    return is_address(name) || is_dns_name(name);
}

static void names_add(struct names *names, const char *name)
{
    if (names->n == MAX_NAMES || !pki_name_valid(name))
        return;
    for (size_t i = 0; i < names->n; i++)
        if (strcasecmp(names->text[i], name) == 0)
            return;
    snprintf(names->text[names->n++], sizeof names->text[0], "%s", name);
}

/* Who listens on all addresses is reached under each of them. Link-local ones need a zone and cannot stand in a
 * certificate. */
static void names_add_interfaces(struct names *names)
{
    struct ifaddrs *all = NULL;
    char text[INET6_ADDRSTRLEN];
    if (getifaddrs(&all) != 0)
        return;
    for (struct ifaddrs *i = all; i; i = i->ifa_next) {
        if (!i->ifa_addr)
            continue;
        const struct sockaddr_in *v4 = (const void *)i->ifa_addr;
        const struct sockaddr_in6 *v6 = (const void *)i->ifa_addr;
        if (i->ifa_addr->sa_family == AF_INET)
            inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
        else if (i->ifa_addr->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr))
            inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
        else
            continue;
        names_add(names, text);
    }
    freeifaddrs(all);
}

static void names_gather(struct names *names, const char *const *given, size_t count)
{
    char host[NAME_LENGTH + 1] = "";
    if (gethostname(host, sizeof host - 1) == 0)
        names_add(names, host);
    names_add(names, "localhost");
    names_add(names, "127.0.0.1");
    names_add(names, "::1");
    for (size_t i = 0; i < count; i++) {
        if (strcmp(given[i], "0.0.0.0") == 0 || strcmp(given[i], "::") == 0)
            names_add_interfaces(names);
        else
            names_add(names, given[i]);
    }
}

static bool certificate_has(X509 *certificate, const char *name)
{
    return is_address(name) ? X509_check_ip_asc(certificate, name, 0) == 1
                            : X509_check_host(certificate, name, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
}

/* ---- making certificates ----------------------------------------------------------------------------------------- */

/* Extensions as rows, RFC 5280 §4.2.1: order matters, the key identifiers come first. */
struct extension {
    int nid;
    const char *value;
};
static const struct extension ca_extensions[] = {
    {NID_subject_key_identifier, "hash"},
    {NID_authority_key_identifier, "keyid:always"},
    {NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
    {NID_key_usage, "critical,keyCertSign,cRLSign"},
    {0, NULL},
};
/* Who has an endpoint's key can be no server to other endpoints, and the server is no endpoint: TLS checks the purpose, on
 * both sides (of others' certificates those without any are good for both). That the server opens a connection
 * (RFC 6876 §3.1.1) is nothing that it does. */
static const struct extension server_extensions[] = {
    {NID_subject_key_identifier, "hash"},         {NID_authority_key_identifier, "keyid:always"},
    {NID_basic_constraints, "critical,CA:FALSE"}, {NID_key_usage, "critical,digitalSignature"},
    {NID_ext_key_usage, "serverAuth"},            {0, NULL},
};
static const struct extension endpoint_extensions[] = {
    {NID_subject_key_identifier, "hash"},         {NID_authority_key_identifier, "keyid:always"},
    {NID_basic_constraints, "critical,CA:FALSE"}, {NID_key_usage, "critical,digitalSignature"},
    {NID_ext_key_usage, "clientAuth"},            {0, NULL},
};

struct wish {
    const char *common_name;
    const struct extension *extensions;
    const struct names *names; /* NULL: no subjectAltName */
    long days;
};

static bool add_extensions(X509 *x, X509 *issuer, const struct wish *wish)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    for (const struct extension *e = wish->extensions; e->value; e++) {
        X509_EXTENSION *made = X509V3_EXT_conf_nid(NULL, &context, e->nid, e->value);
        bool added = made && X509_add_ext(x, made, -1) == 1;
        X509_EXTENSION_free(made);
        if (!added)
            return false;
    }
    return true;
}

/* Built from values, not from OpenSSL's configuration syntax: a name is never parsed. */
static GENERAL_NAME *general_name(const char *name)
{
    bool address = is_address(name);
    GENERAL_NAME *made = GENERAL_NAME_new();
    ASN1_IA5STRING *text = address ? NULL : ASN1_IA5STRING_new();
    ASN1_OCTET_STRING *ip = address ? a2i_IPADDRESS(name) : NULL;
    if (!made || (!ip && (!text || !ASN1_STRING_set(text, name, -1)))) {
        GENERAL_NAME_free(made);
        ASN1_IA5STRING_free(text);
        ASN1_OCTET_STRING_free(ip);
        return NULL;
    }
    GENERAL_NAME_set0_value(made, address ? GEN_IPADD : GEN_DNS, address ? (void *)ip : (void *)text);
    return made;
}

static bool add_names(X509 *x, const struct names *names)
{
    GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
    bool done = all != NULL;
    for (size_t i = 0; done && i < names->n; i++) {
        GENERAL_NAME *name = general_name(names->text[i]);
        done = name && sk_GENERAL_NAME_push(all, name) > 0;
        if (!done)
            GENERAL_NAME_free(name);
    }
    done = done && X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT) == 1;
    sk_GENERAL_NAME_pop_free(all, GENERAL_NAME_free);
    return done;
}

static bool set_serial(X509 *x)
{
    BIGNUM *n = BN_new();
    bool done = n && BN_rand(n, 128, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
                BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
    BN_free(n);
    return done;
}

static bool set_subject(X509 *x, const char *common_name)
{
    X509_NAME *name = X509_get_subject_name(x);
    return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const uint8_t *)"Muster", -1, -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)common_name, -1, -1, 0) == 1;
}

/* Nothing outlives the authority that signed it. */
static bool set_validity(X509 *x, X509 *issuer, long days)
{
    if (!X509_gmtime_adj(X509_getm_notBefore(x), -BACKDATE) || !X509_gmtime_adj(X509_getm_notAfter(x), days * DAY))
        return false;
    if (issuer == x || ASN1_TIME_compare(X509_get0_notAfter(x), X509_get0_notAfter(issuer)) <= 0)
        return true;
    return X509_set1_notAfter(x, X509_get0_notAfter(issuer)) == 1;
}

/* A certificate for `key`, signed by `ca`, or by itself where ca is NULL. */
static X509 *certificate_make(const struct wish *wish, EVP_PKEY *key, const struct pair *ca)
{
    X509 *x = X509_new(), *issuer = ca ? ca->certificate : x;
    if (x && X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) && set_subject(x, wish->common_name) &&
        X509_set_issuer_name(x, X509_get_subject_name(issuer)) == 1 && X509_set_pubkey(x, key) == 1 &&
        set_validity(x, issuer, wish->days) && add_extensions(x, issuer, wish) &&
        (!wish->names || add_names(x, wish->names)) && X509_sign(x, ca ? ca->key : key, EVP_sha256()) > 0)
        return x;
    X509_free(x);
    return NULL;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static bool join(char path[PATH_MAX], const char *folder, const char *name, const char *suffix, struct error *error)
{
    if ((size_t)snprintf(path, PATH_MAX, "%s/%s%s", folder, name, suffix) < PATH_MAX)
        return true;
    error_set(error, "%s: the path is too long", folder);
    return false;
}

/* Asked for a passphrase, OpenSSL would prompt on the terminal; our files have none. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

static enum server_status load_key(const char *path, EVP_PKEY **key, struct error *error)
{
    struct arena arena = arena_of((size_t)256 << 10);
    struct bytes text;
    enum server_status status = server_file_read(path, true, &arena, &text, error);
    if (status == SERVER_OK) {
        BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
        *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
        BIO_free(bio);
        ERR_clear_error();
        if (!*key) {
            error_set(error, "%s: damaged, or no private key in PEM; restore it, or move it away with its certificate",
                      path);
            status = SERVER_DAMAGED;
        }
        OPENSSL_cleanse((void *)(uintptr_t)text.p, text.n);
    }
    arena_free(&arena);
    return status;
}

static enum server_status load_certificate(const char *path, X509 **certificate, struct error *error)
{
    struct arena arena = arena_of((size_t)256 << 10);
    struct bytes text;
    enum server_status status = server_file_read(path, false, &arena, &text, error);
    if (status == SERVER_OK) {
        BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
        *certificate = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
        BIO_free(bio);
        ERR_clear_error();
        if (!*certificate) {
            error_set(error, "%s: damaged, or no certificate in PEM; restore it or move it away", path);
            status = SERVER_DAMAGED;
        }
    }
    arena_free(&arena);
    return status;
}

static enum server_status save_key(const char *path, EVP_PKEY *key, struct error *error)
{
    BIO *bio = BIO_new(BIO_s_secmem()); /* wiped when freed */
    char *p = NULL;
    bool done = bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1;
    long n = done ? BIO_get_mem_data(bio, &p) : 0;
    enum server_status status =
        n > 0 ? refused_unless(server_file_write(path, (struct bytes){(const uint8_t *)p, (size_t)n}, 0600, false, error))
              : openssl_failed(error, "cannot encode a key");
    BIO_free(bio);
    return status;
}

static enum server_status save_certificate(const char *path, X509 *certificate, bool replace, struct error *error)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *p = NULL;
    bool done = bio && PEM_write_bio_X509(bio, certificate) == 1;
    long n = done ? BIO_get_mem_data(bio, &p) : 0;
    enum server_status status =
        n > 0 ? refused_unless(server_file_write(path, (struct bytes){(const uint8_t *)p, (size_t)n}, 0644, replace, error))
              : openssl_failed(error, "cannot encode a certificate");
    BIO_free(bio);
    return status;
}

/* Loads FOLDER/NAME.crt and .key. Absent files leave NULL; a certificate without its key, or with another's, is an
 * error. */
static enum server_status load_pair(const char *folder, const char *name, struct pair *pair, struct error *error)
{
    char crt[PATH_MAX], key[PATH_MAX];
    if (!join(crt, folder, name, ".crt", error) || !join(key, folder, name, ".key", error))
        return SERVER_REFUSED;
    enum server_status status = load_certificate(crt, &pair->certificate, error);
    if (status == SERVER_OK || status == SERVER_ABSENT)
        status = load_key(key, &pair->key, error);
    if (status != SERVER_OK && status != SERVER_ABSENT)
        return status;
    if (pair->certificate && !pair->key) {
        error_set(error, "%s: missing, but its certificate %s is there; restore the key, or move the certificate away",
                  key, crt);
        return SERVER_DAMAGED;
    }
    if (pair->certificate && X509_check_private_key(pair->certificate, pair->key) != 1) {
        ERR_clear_error();
        error_set(error, "%s: this key does not belong to %s; restore the right one", key, crt);
        return SERVER_DAMAGED;
    }
    return SERVER_OK;
}

/* Makes what is missing of a pair; the key first, which goes again if it gets no certificate. `replace`: a certificate
 * that is there may be superseded. */
static enum server_status make_pair(const char *folder, const char *name, const struct wish *wish, const struct pair *ca,
                                 bool replace, struct pair *pair, struct error *error)
{
    char crt[PATH_MAX], key[PATH_MAX];
    bool made = !pair->key;
    enum server_status status = SERVER_OK;
    if (!join(crt, folder, name, ".crt", error) || !join(key, folder, name, ".key", error))
        return SERVER_REFUSED;
    if (made) {
        pair->key = EVP_EC_gen("P-256");
        status = pair->key ? save_key(key, pair->key, error) : openssl_failed(error, "cannot make a key");
        if (status != SERVER_OK)
            return status;
    }
    X509_free(pair->certificate);
    pair->certificate = certificate_make(wish, pair->key, ca);
    status = pair->certificate ? save_certificate(crt, pair->certificate, replace, error)
                               : openssl_failed(error, "cannot make a certificate");
    if (status != SERVER_OK && made)
        unlink(key);
    return status;
}

/* ---- what the server needs --------------------------------------------------------------------------------------- */

static bool expires_within(X509 *certificate, long days)
{
    time_t then = (time_t)time_now() + days * DAY;
    return X509_cmp_time(X509_get0_notAfter(certificate), &then) <= 0;
}

static enum server_status check_ca(const char *folder, const struct pair *ca, struct error *error)
{
    if (X509_check_ca(ca->certificate) != 1 || X509_verify(ca->certificate, ca->key) != 1) {
        ERR_clear_error();
        error_set(error,
                  "%s/ca.crt: this is no authority's certificate of this server's making; restore it or move it away",
                  folder);
        return SERVER_DAMAGED;
    }
    if (expires_within(ca->certificate, 0)) {
        error_set(
            error,
            "%s/ca.crt: this authority has expired; move the folder away, start again and enrol the endpoints anew",
            folder);
        return SERVER_REFUSED;
    }
    return SERVER_OK;
}

static enum server_status ensure_ca(const char *folder, struct pair *ca, struct pki_made *made, struct error *error)
{
    enum server_status status = load_pair(folder, "ca", ca, error);
    if (status != SERVER_OK)
        return status;
    if (ca->certificate)
        return check_ca(folder, ca, error);
    uint8_t random[4];
    char name[NAME_LENGTH];
    if (RAND_bytes(random, sizeof random) != 1)
        return openssl_failed(error, "no random numbers");
    /* Authorities of two servers must not share a name: verifiers look issuers up by it. */
    snprintf(name, sizeof name, "Muster CA %02x%02x%02x%02x", random[0], random[1], random[2], random[3]);
    made->authority = true;
    return make_pair(folder, "ca", &(struct wish){name, ca_extensions, NULL, CA_DAYS}, NULL, false, ca, error);
}

/* Whether it can stay: it has every name, is no endpoint's (earlier ones were that, too), and lasts for a while. */
static bool still_serves(X509 *certificate, const struct names *names)
{
    bool good = !(X509_get_extended_key_usage(certificate) & XKU_SSL_CLIENT) && !expires_within(certificate, RENEW_DAYS);
    for (size_t i = 0; good && i < names->n; i++)
        good = certificate_has(certificate, names->text[i]);
    return good;
}

static enum server_status ensure_server(const char *folder, const struct pair *ca, const struct names *names,
                                     struct pki_made *made, struct error *error)
{
    struct pair server = {0};
    char name[NAME_LENGTH + 1];
    enum server_status status = load_pair(folder, "server", &server, error);
    if (status == SERVER_OK && server.certificate &&
        (X509_check_issued(ca->certificate, server.certificate) != X509_V_OK ||
         X509_verify(server.certificate, ca->key) != 1)) {
        ERR_clear_error();
        error_set(
            error,
            "%s/server.crt: not issued by the authority beside it; move server.crt and server.key away for new ones",
            folder);
        status = SERVER_DAMAGED;
    }
    if (status == SERVER_OK && !(server.certificate && still_serves(server.certificate, names))) {
        snprintf(name, sizeof name, "%.*s", NAME_LENGTH, names->text[0]);
        made->certificate = true;
        status = make_pair(folder, "server", &(struct wish){name, server_extensions, names, LEAF_DAYS}, ca,
                           server.certificate != NULL, &server, error);
    }
    pair_free(&server);
    return status;
}

/* What nobody guesses, as text. */
static bool make_secret(char text[SECRET_BYTES / 3 * 4 + 1])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t random[SECRET_BYTES];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return false;
    for (size_t i = 0, at = 0; i < sizeof random; i += 3) {
        uint32_t group = (uint32_t)random[i] << 16 | (uint32_t)random[i + 1] << 8 | random[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            text[at++] = alphabet[group >> shift & 63];
        text[at] = 0;
    }
    OPENSSL_cleanse(random, sizeof random);
    return true;
}

/* The first administrator and a first token of the API: there is no default password. `before`: what stands before the secret. */
static enum server_status ensure_secret(const char *state, const char *file, const char *before, bool *made,
                                     struct error *error)
{
    char path[PATH_MAX], text[128], secret[SECRET_BYTES / 3 * 4 + 1];
    if (!join(path, state, file, "", error))
        return SERVER_REFUSED;
    if (access(path, F_OK) == 0)
        return SERVER_OK;
    if (!make_secret(secret)) {
        error_set(error, "the kernel gives no random numbers");
        return SERVER_FAILED;
    }
    int n = snprintf(text, sizeof text, "%s%s\n", before, secret);
    *made = server_file_write(path, (struct bytes){(const uint8_t *)text, (size_t)n}, 0600, false, error);
    OPENSSL_cleanse(text, sizeof text);
    OPENSSL_cleanse(secret, sizeof secret);
    return refused_unless(*made);
}

enum server_status pki_ensure(const char *state, const char *const *names, size_t name_count, struct pki_made *made,
                           struct error *error)
{
    char folder[PATH_MAX];
    struct pair ca = {0};
    struct names all = {.n = 0};
    *made = (struct pki_made){0};
    if (!join(folder, state, "pki", "", error) || !server_folder_make(folder, error))
        return SERVER_REFUSED;
    int lock = server_folder_lock(folder, error);
    if (lock < 0)
        return SERVER_REFUSED;
    names_gather(&all, names, name_count);
    enum server_status status = ensure_ca(folder, &ca, made, error);
    if (status == SERVER_OK)
        status = ensure_server(folder, &ca, &all, made, error);
    if (status == SERVER_OK)
        status = ensure_secret(state, "admin.txt", "user: admin\npassword: ", &made->administrator, error);
    if (status == SERVER_OK)
        status = ensure_secret(state, "token.txt", "", &made->token, error);
    pair_free(&ca);
    close(lock);
    return status;
}

/* The name must be free before the key is made: half a pair helps nobody. */
static enum server_status expect_free(const char *folder, const char *name, const char *suffix, struct error *error)
{
    char path[PATH_MAX];
    struct stat st;
    if (!join(path, folder, name, suffix, error))
        return SERVER_REFUSED;
    if (lstat(path, &st) < 0)
        return SERVER_OK;
    error_set(error, "%s: exists already and is not overwritten", path);
    return SERVER_REFUSED;
}

static enum server_status issue(const char *folder, const char *name, const char *out, const struct pair *ca,
                             struct error *error)
{
    struct pair endpoint = {0};
    struct names names = {.n = 0};
    if (!ca->certificate) {
        error_set(error, "%s/ca.crt: there is no authority in this state folder yet; start muster serve on it first",
                  folder);
        return SERVER_REFUSED;
    }
    names_add(&names, name);
    enum server_status status = check_ca(folder, ca, error);
    if (status == SERVER_OK)
        status = refused_unless(server_folder_make(out, error));
    if (status == SERVER_OK)
        status = expect_free(out, name, ".crt", error);
    if (status == SERVER_OK)
        status = expect_free(out, name, ".key", error);
    if (status == SERVER_OK)
        status = make_pair(out, name, &(struct wish){name, endpoint_extensions, &names, LEAF_DAYS}, ca, false, &endpoint,
                           error);
    pair_free(&endpoint);
    return status;
}

enum server_status pki_issue(const char *state, const char *name, const char *out, struct error *error)
{
    char folder[PATH_MAX];
    struct pair ca = {0};
    if (!server_name_valid(name, error))
        return SERVER_REFUSED;
    if (!join(folder, state, "pki", "", error))
        return SERVER_REFUSED;
    enum server_status status = load_pair(folder, "ca", &ca, error);
    if (status == SERVER_OK)
        status = issue(folder, name, out, &ca, error);
    pair_free(&ca);
    return status;
}
