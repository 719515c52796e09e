#include "store/sql.h"

#include <stdlib.h>
#include <string.h>

/* What one call may hold in memory: a report of a million events takes about a quarter of it. */
#define SCRATCH_LIMIT ((size_t)1 << 30)

enum store_status store_open(struct store **out, const char *url, struct error *error)
{
    static const char *const postgres_schemes[] = {"postgresql://", "postgres://"};
    *out = NULL;
    struct store *s = calloc(1, sizeof *s);
    if (!s) {
        error_set(error, "out of memory");
        return STORE_FAILED;
    }
    s->engine = &sqlite_engine;
    s->scratch = arena_of(SCRATCH_LIMIT);
    const char *where = url;
    for (size_t i = 0; i < ARRAY_LENGTH(postgres_schemes); i++)
        if (strncmp(url, postgres_schemes[i], strlen(postgres_schemes[i])) == 0)
            s->engine = &postgres_engine;
    if (s->engine == &sqlite_engine && strncmp(url, "sqlite:", 7) == 0)
        where = url + 7;
    else if (s->engine == &sqlite_engine && strstr(url, "://")) {
        error_set(error, "%.60s: no such kind of database; give sqlite:PATH or postgresql://HOST/NAME", url);
        store_close(s);
        return STORE_REFUSED;
    }
    if (!*where) { /* SQLite would take it, and lose everything with the process */
        error_set(error, "the database has no name; give sqlite:PATH or postgresql://HOST/NAME");
        store_close(s);
        return STORE_REFUSED;
    }
    enum store_status status = STORE_FAILED;
    s->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    s->digest = EVP_MD_CTX_new();
    if (!s->sha256 || !s->digest || !(s->url = strdup(where)))
        error_set(error, "out of memory, or OpenSSL without SHA-256");
    else
        status = s->engine->open(s, where, error);
    if (status == STORE_OK)
        *out = s;
    else
        store_close(s);
    return status;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    s->engine->close(s);
    EVP_MD_CTX_free(s->digest);
    EVP_MD_free(s->sha256);
    arena_free(&s->scratch);
    free(s->url);
    free(s);
}

const char *store_engine(const struct store *s)
{
    return s->engine->name;
}

/* ---- statements -------------------------------------------------------------------------------------------------- */

static void check_values(enum statement statement, const struct value *values, size_t count)
{
    const char *types = statements[statement].parameters;
    if (strlen(types) != count)
        bug("statement %s takes %zu values", statements[statement].name, strlen(types));
    for (size_t i = 0; i < count; i++)
        if (values[i].type != types[i])
            bug("statement %s: value %zu is of another type", statements[statement].name, i + 1);
}

/* An engine's error may have ended the transaction by itself: what follows must not count as if it had not. */
static enum store_status seen(struct store *s, enum store_status status)
{
    if (status != STORE_OK && s->transaction == TX_OPEN && !s->engine->in_transaction(s))
        s->transaction = TX_LOST;
    return status;
}

static enum store_status lost(struct error *error)
{
    error_set(error, "the transaction was lost with the database's last error; nothing of it is stored");
    return STORE_UNAVAILABLE;
}

enum store_status sql_post(struct store *s, enum statement statement, const struct value *values, size_t count,
                           struct error *error)
{
    check_values(statement, values, count);
    if (s->transaction == TX_LOST)
        return lost(error);
    return seen(s, s->engine->post(s, statement, values, error));
}

void sql_ask(struct store *s, enum statement statement, const struct value *values, size_t count, struct rows *rows,
             struct error *error)
{
    check_values(statement, values, count);
    *rows = (struct rows){.s = s};
    if (s->transaction == TX_LOST) {
        rows->status = lost(error);
        return;
    }
    rows->status = s->engine->ask(s, statement, values, rows, error);
    /* Outside of a transaction nothing is lost by asking once more on a new connection. */
    if (rows->status != STORE_OK && s->transaction == TX_NONE && !s->engine->connected(s)) {
        s->engine->end(rows);
        if ((rows->status = s->engine->reconnect(s, error)) == STORE_OK)
            rows->status = s->engine->ask(s, statement, values, rows, error);
    }
    seen(s, rows->status);
}

bool sql_next(struct rows *rows, struct error *error)
{
    if (rows->status != STORE_OK)
        return false;
    bool more = rows->s->engine->next(rows, error);
    seen(rows->s, rows->status);
    return more;
}

int64_t sql_number(struct rows *rows, int column)
{
    return rows->s->engine->number(rows, column);
}

struct bytes sql_octets(struct rows *rows, int column)
{
    return rows->s->engine->octets(rows, column);
}

enum store_status sql_end(struct rows *rows)
{
    rows->s->engine->end(rows);
    rows->result = NULL;
    return rows->status;
}

enum store_status sql_ask_number(struct store *s, enum statement statement, const struct value *values, size_t count,
                                 int64_t *number, struct error *error)
{
    struct rows rows;
    bool found = false;
    for (sql_ask(s, statement, values, count, &rows, error); sql_next(&rows, error); found = true)
        *number = sql_number(&rows, 0);
    enum store_status status = sql_end(&rows);
    if (status == STORE_OK && !found)
        error_set(error, "there is no such row");
    return status == STORE_OK && !found ? STORE_NOT_FOUND : status;
}

/* ---- parts of a transaction -------------------------------------------------------------------------------------- */

enum store_status sql_guard_begin(struct store *s, struct error *error)
{
    if (s->transaction == TX_NONE) {
        error_set(error, "writing needs a transaction");
        return STORE_FAILED;
    }
    return POST(s, ST_SAVEPOINT, error);
}

/* Asked, not posted: what was posted for this part must fail with it, not with the next one. */
static enum store_status confirm(struct store *s, struct error *error)
{
    struct rows rows;
    sql_ask(s, ST_SAVEPOINT_RELEASE, NULL, 0, &rows, error);
    while (sql_next(&rows, error))
        continue;
    return sql_end(&rows);
}

enum store_status sql_guard_end(struct store *s, enum store_status status, struct error *error)
{
    if (status == STORE_OK)
        status = confirm(s, error);
    if (status == STORE_OK)
        return STORE_OK;
    /* The other parts of the transaction stay, this one goes. */
    struct error second;
    if (s->transaction == TX_OPEN &&
        (POST(s, ST_SAVEPOINT_UNDO, &second) != STORE_OK || POST(s, ST_SAVEPOINT_RELEASE, &second) != STORE_OK))
        s->transaction = TX_LOST;
    return status;
}

/* ---- transactions ------------------------------------------------------------------------------------------------ */

enum store_status store_begin(struct store *s, struct error *error)
{
    struct rows rows;
    if (s->transaction != TX_NONE)
        store_rollback(s);
    sql_ask(s, s->engine->begin, NULL, 0, &rows, error);
    while (sql_next(&rows, error))
        continue;
    enum store_status status = sql_end(&rows);
    if (status == STORE_OK)
        s->transaction = TX_OPEN;
    return status;
}

enum store_status store_commit(struct store *s, struct error *error)
{
    struct rows rows;
    if (s->transaction == TX_NONE) {
        error_set(error, "there is no transaction to commit");
        return STORE_FAILED;
    }
    sql_ask(s, ST_COMMIT, NULL, 0, &rows, error);
    while (sql_next(&rows, error))
        continue;
    enum store_status status = sql_end(&rows);
    if (status != STORE_OK)
        store_rollback(s);
    s->transaction = TX_NONE;
    return status;
}

void store_rollback(struct store *s)
{
    struct rows rows;
    if (s->transaction != TX_NONE && s->engine->connected(s) && s->engine->in_transaction(s)) {
        s->transaction = TX_OPEN;
        sql_ask(s, ST_ROLLBACK, NULL, 0, &rows, NULL);
        while (sql_next(&rows, NULL))
            continue;
        if (sql_end(&rows) != STORE_OK)
            log_line(LOG_WARNING,
                     "store: a transaction could not be rolled back; the database does it when the connection ends");
    }
    s->transaction = TX_NONE;
}
