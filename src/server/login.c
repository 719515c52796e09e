/* Who may use the API: the administrator of STATE/admin.txt (HTTP Basic, RFC 7617), and who has the token in STATE/token.txt
 * (RFC 6750). Users and sessions become rows of the same table. */
#include "server/files.h"
#include "server/web.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DIGEST     32
#define SECRET_MIN 8 /* characters */
#define PART_MAX   512 /* octets of a user's name, or of a password */

/* Digests are compared without telling lengths or prefixes by time. */
struct web_login {
    uint8_t admin[DIGEST]; /* SHA-256 of "user:password" */
    uint8_t token[DIGEST]; /* of the token */
    bool has_token;
};

static bool digest(struct bytes b, uint8_t out[DIGEST])
{
    return EVP_Digest(b.p, b.n, out, NULL, EVP_sha256(), NULL) == 1;
}

/* Lines "user: NAME" and "password: TEXT"; others are somebody's notes. */
static struct bytes admin_line(struct bytes text, const char *key)
{
    while (text.p) {
        struct bytes line = bytes_split(&text, '\n');
        struct bytes name = bytes_split(&line, ':');
        if (line.p && bytes_equal(bytes_trim(name), bytes_of(key)))
            return bytes_trim(line);
    }
    return (struct bytes){0};
}

/* As other keyboards write it, too (RFC 7617 §2.1 takes RFC 8265 for this, whose predecessor is what we have); what cannot be prepared is
 * taken octet by octet. */
static void put_prepared(struct wr *w, struct bytes text)
{
    uint8_t prepared[PART_MAX];
    size_t n = net_saslprep(text, prepared, sizeof prepared);
    wr_bytes(w, n ? (struct bytes){prepared, n} : text);
    OPENSSL_cleanse(prepared, sizeof prepared);
}

static bool pair_digest(struct bytes user, struct bytes password, uint8_t out[DIGEST])
{
    struct wr pair = wr_of(2 * PART_MAX + 2);
    put_prepared(&pair, user);
    wr_u8(&pair, ':');
    put_prepared(&pair, password);
    bool done = !pair.bad && digest(wr_view(&pair), out);
    if (pair.p)
        OPENSSL_cleanse(pair.p, pair.n);
    wr_free(&pair);
    return done;
}

static bool admin_digest(struct bytes text, uint8_t out[DIGEST])
{
    struct bytes user = admin_line(text, "user"), password = admin_line(text, "password");
    return user.n > 0 && password.n >= SECRET_MIN && pair_digest(user, password, out);
}

static bool token_digest(struct bytes text, uint8_t out[DIGEST])
{
    struct bytes token = bytes_trim(text);
    return token.n >= SECRET_MIN && digest(token, out);
}

/* The digest of what STATE/NAME says. SERVER_DAMAGED: it is there, and does not say it. */
static enum server_status read_secret(const char *state, const char *name, bool (*take)(struct bytes, uint8_t[DIGEST]),
                                    const char *wanted, uint8_t out[DIGEST], struct error *error)
{
    char path[PATH_MAX];
    struct bytes text = {0};
    struct arena arena = arena_of((size_t)256 << 10);
    if ((size_t)snprintf(path, sizeof path, "%s/%s", state, name) >= sizeof path) {
        error_set(error, "%s: the path is too long", state);
        return SERVER_REFUSED;
    }
    enum server_status status = server_file_read(path, true, &arena, &text, error);
    if (status == SERVER_ABSENT)
        error_set(error, "%s: missing; start muster serve without it to get a new one", path);
    if (status == SERVER_OK && !take(text, out)) {
        error_set(error, "%s: needs %s (%d characters at least); mend it, or remove it for a new one", path, wanted,
                  SECRET_MIN);
        status = SERVER_DAMAGED;
    }
    if (text.n)
        OPENSSL_cleanse((void *)(uintptr_t)text.p, text.n);
    arena_free(&arena);
    return status;
}

struct web_login *web_login_new(const char *state, struct error *error)
{
    struct web_login *l = calloc(1, sizeof *l);
    if (!l) {
        error_set(error, "no memory for logins");
        return NULL;
    }
    if (read_secret(state, "admin.txt", admin_digest, "the lines \"user: NAME\" and \"password: …\"", l->admin, error) ==
        SERVER_OK) {
        enum server_status status = read_secret(state, "token.txt", token_digest, "a token", l->token, error);
        l->has_token = status == SERVER_OK;
        if (status == SERVER_OK || status == SERVER_ABSENT)
            return l;
    }
    web_login_free(l);
    return NULL;
}

void web_login_free(struct web_login *l)
{
    if (l)
        OPENSSL_cleanse(l, sizeof *l);
    free(l);
}

/* RFC 7617 §2: base64 of user ":" password. The one place that knows how a password is verified. */
static unsigned basic_scopes(const struct web_login *l, struct bytes credentials)
{
    uint8_t text[516], hash[DIGEST];
    if (credentials.n == 0 || credentials.n % 4 || credentials.n > 684)
        return 0;
    int n = EVP_DecodeBlock(text, credentials.p, (int)credentials.n);
    for (size_t i = credentials.n; n > 0 && i > 0 && credentials.p[i - 1] == '=' && credentials.n - i < 2; i--)
        n--; /* EVP_DecodeBlock counts the padding */
    struct bytes password = {text, n > 0 ? (size_t)n : 0}, user = bytes_split(&password, ':');
    bool known = n > 0 && password.p && pair_digest(user, password, hash) && CRYPTO_memcmp(hash, l->admin, DIGEST) == 0;
    OPENSSL_cleanse(text, sizeof text);
    return known ? WEB_READ | WEB_WRITE : 0;
}

/* RFC 6750 §2.1. Whoever has the token may do what the administrator may. */
static unsigned bearer_scopes(const struct web_login *l, struct bytes credentials)
{
    uint8_t hash[DIGEST];
    bool known = l->has_token && digest(credentials, hash) && CRYPTO_memcmp(hash, l->token, DIGEST) == 0;
    return known ? WEB_READ | WEB_WRITE : 0;
}

static const struct scheme {
    const char *name;
    unsigned (*scopes)(const struct web_login *l, struct bytes credentials);
} schemes[] = {
    {"Basic", basic_scopes},
    {"Bearer", bearer_scopes},
};

unsigned web_login_scopes(const struct web_login *l, const char *authorization)
{
    struct bytes rest = bytes_trim(bytes_of(authorization));
    struct bytes name = bytes_split(&rest, ' ');
    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++)
        if (name.n == strlen(schemes[i].name) && strncasecmp((const char *)name.p, schemes[i].name, name.n) == 0)
            return schemes[i].scopes(l, bytes_trim(rest));
    return 0;
}
