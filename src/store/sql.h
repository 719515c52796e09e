/* sql: what the store asks of an engine. Two types exist, numbers (int64) and octets: whatever a peer sent, in any
 * encoding, fits a column. */
#ifndef MUSTER_STORE_SQL_H
#define MUSTER_STORE_SQL_H

#include "store/store.h"

#include <openssl/evp.h>

/* The rows of statements.h. */
enum statement {
#define STATEMENT(name, parameters, text) ST_##name,
#include "store/statements.h"
#undef STATEMENT
    ST_COUNT,
};

struct statement_row {
    const char *name, *parameters, *text;
};
extern const struct statement_row statements[ST_COUNT];

/* The schema's history, one column an engine; see schema.c. */
extern const char *const sqlite_migrations[], *const postgres_migrations[];
extern const size_t migration_count;

/* A parameter: 'n' a number, 'b' octets, 'N' a list of numbers, 'B' a list of octets. Lists become rows by zip() in the
 * statement's text. */
struct value {
    char type;
    size_t count;
    int64_t number;
    struct bytes octets;
    const int64_t *numbers;
    const struct bytes *texts;
};
#define NUM(x)     ((struct value){.type = 'n', .number = (x)})
#define OCT(x)     ((struct value){.type = 'b', .octets = (x)})
#define NUMS(p, n) ((struct value){.type = 'N', .numbers = (p), .count = (n)})
#define OCTS(p, n) ((struct value){.type = 'B', .texts = (p), .count = (n)})

/* The answer to a question, row by row. Columns are views until the next row. */
struct rows {
    struct store *s;
    void *result; /* sqlite3_stmt * or PGresult * */
    int row, count;
    enum store_status status;
};

/* How the engines differ. Statements that are posted have no rows; their failure may be told by a later call of the
 * same transaction, so that PostgreSQL needs few round trips. A connection that broke stays broken until reconnect().
 */
struct engine {
    const char *name;
    enum statement begin;
    bool sole_writer; /* nobody else writes while a transaction is open */
    enum store_status (*open)(struct store *s, const char *url, struct error *error);
    void (*close)(struct store *s);
    enum store_status (*post)(struct store *s, enum statement statement, const struct value *values,
                              struct error *error);
    enum store_status (*ask)(struct store *s, enum statement statement, const struct value *values, struct rows *rows,
                             struct error *error);
    bool (*next)(struct rows *rows, struct error *error);
    int64_t (*number)(struct rows *rows, int column);
    struct bytes (*octets)(struct rows *rows, int column);
    void (*end)(struct rows *rows);
    bool (*connected)(struct store *s);      /* false: the connection is gone */
    bool (*in_transaction)(struct store *s); /* false: an error has ended the transaction by itself */
    enum store_status (*reconnect)(struct store *s, struct error *error);
};
extern const struct engine sqlite_engine, postgres_engine;

enum transaction { TX_NONE, TX_OPEN, TX_LOST };

struct store {
    const struct engine *engine;
    void *connection; /* the engine's own */
    char *url;
    enum transaction transaction;
    EVP_MD *sha256;
    EVP_MD_CTX *digest; /* made once: a report has thousands of texts */
    struct arena scratch; /* dies with each call */
};

/* Posts a statement; asks one: what fails is kept in rows->status, told by sql_end(). The values are checked against
 * the row's parameters. */
enum store_status sql_post(struct store *s, enum statement statement, const struct value *values, size_t count,
                           struct error *error) MUST_USE;
void sql_ask(struct store *s, enum statement statement, const struct value *values, size_t count, struct rows *rows,
             struct error *error);
#define POST(s, statement, error, ...)                                                                                 \
    sql_post(s, statement, (struct value[]){__VA_ARGS__},                                                              \
             sizeof((struct value[]){__VA_ARGS__}) / sizeof(struct value), error)
#define ASK(s, statement, rows, error, ...)                                                                            \
    sql_ask(s, statement, (struct value[]){__VA_ARGS__}, sizeof((struct value[]){__VA_ARGS__}) / sizeof(struct value), \
            rows, error)

/* A part of a transaction that stands or falls alone: what is posted between begin and end fails with it. `status` is how it
 * went so far; what is returned is how it ended. */
enum store_status sql_guard_begin(struct store *s, struct error *error) MUST_USE;
enum store_status sql_guard_end(struct store *s, enum store_status status, struct error *error) MUST_USE;

/* Steps to the next row; false at the end and on failure (rows->status). sql_end() always, before the next question. */
bool sql_next(struct rows *rows, struct error *error);
int64_t sql_number(struct rows *rows, int column);
struct bytes sql_octets(struct rows *rows, int column);
enum store_status sql_end(struct rows *rows) MUST_USE;
/* One row, one number; STORE_NOT_FOUND without a row. */
enum store_status sql_ask_number(struct store *s, enum statement statement, const struct value *values, size_t count,
                                 int64_t *number, struct error *error) MUST_USE;

/* Items of an answer, whatever was asked for. */
static inline unsigned page_size(unsigned limit)
{
    return limit == 0 ? 1 : limit > 1000 ? 1000 : limit;
}

#endif
