/* Who may use the API. One scheme so far: HTTP Basic (RFC 7617) against STATE/admin.txt; users, bearer tokens and
 * sessions become rows of the same table. */
#include "server/files.h"
#include "server/web.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DIGEST 32

struct web_login {
    uint8_t admin[DIGEST]; /* SHA-256 of "user:password": compared without telling lengths or prefixes by time */
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

struct web_login *web_login_new(const char *state, struct error *error)
{
    char path[PATH_MAX];
    struct bytes text = {0};
    struct arena arena = arena_of((size_t)256 << 10);
    struct wr pair = wr_of(1024);
    struct web_login *l = calloc(1, sizeof *l);
    bool done = l && (size_t)snprintf(path, sizeof path, "%s/admin.txt", state) < sizeof path;
    if (!done)
        error_set(error, "%s: no memory, or the path is too long", state);
    enum file_status status = done ? server_file_read(path, true, &arena, &text, error) : FILE_FAILED;
    if (status == FILE_ABSENT)
        error_set(error, "%s: missing; start muster serve without it to get a new administrator", path);
    if (status == FILE_OK) {
        struct bytes user = admin_line(text, "user"), password = admin_line(text, "password");
        wr_bytes(&pair, user);
        wr_u8(&pair, ':');
        wr_bytes(&pair, password);
        done = user.n > 0 && password.n >= 8 && !pair.bad && digest(wr_view(&pair), l->admin);
        if (!done)
            error_set(error,
                      "%s: needs the lines \"user: NAME\" and \"password: …\" (8 characters at least); mend it, or "
                      "remove it for a new one",
                      path);
    }
    if (pair.p)
        OPENSSL_cleanse(pair.p, pair.n);
    if (text.n)
        OPENSSL_cleanse((void *)(uintptr_t)text.p, text.n);
    wr_free(&pair);
    arena_free(&arena);
    if (status == FILE_OK && done)
        return l;
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
    bool known = n > 0 && digest((struct bytes){text, (size_t)n}, hash) && CRYPTO_memcmp(hash, l->admin, DIGEST) == 0;
    OPENSSL_cleanse(text, sizeof text);
    return known ? WEB_READ | WEB_WRITE : 0;
}

static const struct scheme {
    const char *name;
    unsigned (*scopes)(const struct web_login *l, struct bytes credentials);
} schemes[] = {
    {"Basic", basic_scopes},
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
