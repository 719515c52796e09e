#include "server/accounts.h"

#include "server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ACCOUNTS_LIMIT ((size_t)128 << 20) /* the file and its rows: some 300,000 accounts */

const struct nea_crypto server_crypto = {net_sha256, net_hmac_sha256, net_pbkdf2_sha256, net_random};

bool accounts_path(char *path, size_t size, const char *state, struct error *error)
{
    if ((size_t)snprintf(path, size, "%s/endpoints.passwd", state) < size)
        return true;
    error_set(error, "%s: the path is too long", state);
    return false;
}

/* ---- reading ---- */

/* What a name may be in a file that somebody else made, or an earlier version: no end of it, nor of its line. */
static bool name_readable(struct bytes name)
{
    return nea_login_text(name) && !memchr(name.p, ':', name.n) && name.p[0] != '#' && bytes_trim(name).n == name.n;
}

/* A line's account; false: it holds none. */
static bool is_account(struct bytes line)
{
    return line.n && line.p[0] != '#';
}

static bool read_line(struct account *row, struct bytes line)
{
    row->name = bytes_split(&line, ':');
    return (row->name.n == 0 || name_readable(row->name)) && nea_verifier_parse(&row->verifier, line);
}

static int by_name(const void *a, const void *b)
{
    return bytes_compare(((const struct account *)a)->name, ((const struct account *)b)->name);
}

static size_t count_lines(struct bytes text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '\n';
    return n + 1;
}

static bool read_rows(struct accounts *a, const char *path, struct error *error)
{
    struct bytes rest = a->text;
    a->rows = arena_zalloc(&a->arena, count_lines(a->text), sizeof *a->rows);
    if (!a->rows) {
        error_set(error, "%s: too large", path);
        return false;
    }
    for (size_t n = 1; rest.p; n++) {
        struct bytes line = bytes_trim(bytes_split(&rest, '\n'));
        struct account *row = &a->rows[a->count];
        if (!is_account(line))
            continue;
        if (!read_line(row, line)) {
            error_set(error,
                      "%s: line %zu is no NAME:SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY; remove it, and make "
                      "the account anew with muster account add",
                      path, n);
            return false;
        }
        row->line = n;
        a->count++;
    }
    qsort(a->rows, a->count, sizeof *a->rows, by_name);
    for (size_t i = 1; i < a->count; i++)
        if (by_name(&a->rows[i - 1], &a->rows[i]) == 0) {
            error_set(error, "%s: lines %zu and %zu are for the same name; remove one of them", path,
                      a->rows[i - 1].line, a->rows[i].line);
            return false;
        }
    return true;
}

static const struct account *find(const struct accounts *a, struct bytes name)
{
    struct account key = {.name = name};
    return a->count ? bsearch(&key, a->rows, a->count, sizeof *a->rows, by_name) : NULL;
}

/* Whoever has no account: a password that nobody knows. */
static bool make_nobody(struct nea_verifier *v, uint32_t iterations)
{
    uint8_t password[NEA_KEY];
    return net_random(password, sizeof password) &&
           nea_verifier_make(v, &server_crypto, (struct bytes){password, sizeof password}, iterations);
}

enum server_status accounts_read(struct accounts *a, const char *path, struct error *error)
{
    *a = (struct accounts){.arena = arena_of(ACCOUNTS_LIMIT)};
    enum server_status status = server_file_read(path, true, &a->arena, &a->text, error);
    if (status == SERVER_OK && !read_rows(a, path, error))
        status = SERVER_DAMAGED;
    const struct account *row = find(a, (struct bytes){NULL, 0});
    if (row) {
        a->nobody = row->verifier;
    } else if (!make_nobody(&a->nobody, NEA_ITERATIONS_MIN)) {
        error_set(error, "%s: no random numbers", path);
        status = SERVER_FAILED;
    }
    return status;
}

void accounts_free(struct accounts *a)
{
    arena_free(&a->arena);
    *a = (struct accounts){.arena = arena_of(ACCOUNTS_LIMIT)};
}

bool accounts_verifier(const struct accounts *a, struct bytes name, struct nea_verifier *v, bool *known)
{
    const struct account *row = name.n ? find(a, name) : NULL;
    uint8_t salt[NEA_KEY];
    *known = row != NULL;
    *v = row ? row->verifier : a->nobody;
    if (row)
        return true;
    if (!net_hmac_sha256((struct bytes){v->server_key, NEA_KEY}, name, salt))
        return false;
    v->salt_size = 16;
    memcpy(v->salt, salt, v->salt_size);
    return true;
}

/* ---- writing: the whole file anew, everybody's notes kept ---- */

static void put_row(struct wr *w, struct bytes name, const struct nea_verifier *v)
{
    wr_bytes(w, name);
    wr_u8(w, ':');
    nea_verifier_print(w, v);
    wr_u8(w, '\n');
}

/* All lines but the account's own. */
static void put_others(struct wr *w, struct bytes text, struct bytes name)
{
    while (text.n) {
        struct bytes line = bytes_split(&text, '\n'), rest = line;
        if (is_account(bytes_trim(line)) && bytes_equal(bytes_trim(bytes_split(&rest, ':')), name))
            continue;
        wr_bytes(w, line);
        wr_u8(w, '\n');
    }
}

/* `v` NULL: the account goes. */
static enum server_status rewrite(const char *path, const struct accounts *a, struct bytes name, const struct nea_verifier *v,
                                  struct error *error)
{
    struct wr w = wr_of(ACCOUNTS_LIMIT);
    bool nobody = find(a, (struct bytes){NULL, 0}) != NULL;
    bool last = !v && a->count == 1 + (size_t)nobody;
    struct nea_verifier nobodys;
    bool made = !v || nobody || make_nobody(&nobodys, v->iterations), written = true;
    if (v && !nobody && made)
        put_row(&w, (struct bytes){NULL, 0}, &nobodys);
    put_others(&w, a->text, name);
    if (v)
        put_row(&w, name, v);
    made &= !w.bad;
    if (!made)
        error_set(error, "%s: no memory", path);
    else if (!last)
        written = server_file_write(path, wr_view(&w), 0600, true, error);
    else if ((written = unlink(path) == 0 || errno == ENOENT) == false) /* without accounts there are no logins, and nothing to be offered */
        error_set(error, "%s: cannot be removed: %s", path, strerror(errno));
    wr_free(&w);
    return !made ? SERVER_FAILED : written ? SERVER_OK : SERVER_REFUSED;
}

static enum server_status change(const char *state, struct bytes name, const struct nea_verifier *v, bool *known,
                                 struct error *error)
{
    char path[PATH_MAX];
    struct accounts a;
    int lock = accounts_path(path, sizeof path, state, error) ? server_folder_lock(state, error) : -1;
    if (lock < 0)
        return SERVER_REFUSED;
    enum server_status status = accounts_read(&a, path, error);
    *known = find(&a, name) != NULL;
    if (!v && !*known && status == SERVER_OK)
        status = SERVER_ABSENT;
    else if (status == SERVER_OK || (v && status == SERVER_ABSENT))
        status = rewrite(path, &a, name, v, error);
    accounts_free(&a);
    close(lock);
    return status;
}

enum server_status account_add(const char *state, const char *name, struct bytes password, uint32_t iterations, bool *replaced,
                               struct error *error)
{
    struct nea_verifier v;
    uint8_t prepared[NEA_LOGIN_TEXT_MAX];
    struct bytes secret = {prepared, net_saslprep(password, prepared, sizeof prepared)};
    *replaced = false;
    if (!server_name_valid(name, error))
        return SERVER_REFUSED;
    if (!nea_login_text(secret) || iterations < NEA_ITERATIONS_MIN || iterations > NEA_ITERATIONS_MAX) {
        error_set(error,
                  "a password has 1 to %d octets of UTF-8 without control or private characters, and letters of one writing direction at its ends (RFC 4013); "
                  "its verifier has %d to %d iterations",
                  NEA_LOGIN_TEXT_MAX, NEA_ITERATIONS_MIN, NEA_ITERATIONS_MAX);
        return SERVER_REFUSED;
    }
    if (!server_folder_make(state, error))
        return SERVER_REFUSED;
    bool made = nea_verifier_make(&v, &server_crypto, secret, iterations);
    nea_forget(prepared, sizeof prepared);
    if (!made) {
        error_set(error, "the password's verifier cannot be made");
        return SERVER_FAILED;
    }
    return change(state, bytes_of(name), &v, replaced, error);
}

enum server_status account_remove(const char *state, const char *name, struct error *error)
{
    bool known;
    return *name ? change(state, bytes_of(name), NULL, &known, error) : SERVER_ABSENT;
}

enum server_status account_each(const char *state, void (*visit)(void *context, struct bytes name, uint32_t iterations), void *context,
                                struct error *error)
{
    char path[PATH_MAX];
    struct accounts a;
    if (!accounts_path(path, sizeof path, state, error))
        return SERVER_REFUSED;
    enum server_status status = accounts_read(&a, path, error);
    for (size_t i = 0; status == SERVER_OK && i < a.count; i++)
        if (a.rows[i].name.n)
            visit(context, a.rows[i].name, a.rows[i].verifier.iterations);
    accounts_free(&a);
    return status == SERVER_ABSENT ? SERVER_OK : status; /* there are none */
}
