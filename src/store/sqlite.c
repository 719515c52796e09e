/* The engine of a single server: SQLite through db/, and zip(), which makes rows of lists. */
#include "db/db.h"
#include "store/sql.h"

#include <stdlib.h>
#include <string.h>

#define APPLICATION_ID 0x4d735476    /* "MsTv" */
#define LIST           "muster-list" /* the type of the pointers that zip() takes */

struct connection {
    struct db *db;
    sqlite3_stmt *prepared[ST_COUNT];
};

static enum store_status status_of(enum db_status status)
{
    static const enum store_status meanings[] = {
        [DB_OK] = STORE_OK,
        [DB_ABSENT] = STORE_REFUSED,
        [DB_DAMAGED] = STORE_DAMAGED,
        [DB_NEWER] = STORE_REFUSED,
        [DB_OLDER] = STORE_REFUSED,
        [DB_BUSY] = STORE_UNAVAILABLE,
        [DB_FULL] = STORE_UNAVAILABLE,
        [DB_PERMISSION] = STORE_REFUSED,
        [DB_FAILED] = STORE_FAILED,
    };
    return meanings[status];
}

/* ---- zip($1, $2, …): lists side by side as rows (a, b, …) --------------------------------------------------------- */

enum { ZIP_COLUMNS = 5 };

struct zip {
    sqlite3_vtab_cursor base;
    const struct value *lists[ZIP_COLUMNS];
    size_t at, count;
};

static int zip_connect(sqlite3 *handle, void *context, int argc, const char *const *argv, sqlite3_vtab **out,
                       char **message)
{
    (void)context, (void)argc, (void)argv, (void)message;
    int code = sqlite3_declare_vtab(handle, "CREATE TABLE x(a, b, c, d, e, list_a HIDDEN, list_b HIDDEN,"
                                            " list_c HIDDEN, list_d HIDDEN, list_e HIDDEN)");
    if (code == SQLITE_OK && !(*out = sqlite3_malloc(sizeof **out)))
        code = SQLITE_NOMEM;
    if (code == SQLITE_OK)
        memset(*out, 0, sizeof **out);
    return code;
}

static int zip_disconnect(sqlite3_vtab *table)
{
    sqlite3_free(table);
    return SQLITE_OK;
}

static int zip_plan(sqlite3_vtab *table, sqlite3_index_info *plan)
{
    (void)table;
    plan->idxNum = 0;
    for (int i = 0; i < plan->nConstraint; i++) {
        int list = plan->aConstraint[i].iColumn - ZIP_COLUMNS;
        if (list < 0 || plan->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ)
            continue;
        if (!plan->aConstraint[i].usable)
            return SQLITE_CONSTRAINT;
        plan->aConstraintUsage[i].argvIndex = list + 1;
        plan->aConstraintUsage[i].omit = 1;
        plan->idxNum++;
    }
    plan->estimatedCost = 1;
    plan->estimatedRows = 1000;
    return plan->idxNum ? SQLITE_OK : SQLITE_CONSTRAINT;
}

static int zip_open(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
    (void)table;
    struct zip *z = sqlite3_malloc(sizeof *z);
    if (!z)
        return SQLITE_NOMEM;
    memset(z, 0, sizeof *z);
    *out = &z->base;
    return SQLITE_OK;
}

static int zip_close(sqlite3_vtab_cursor *cursor)
{
    sqlite3_free(cursor);
    return SQLITE_OK;
}

static int zip_filter(sqlite3_vtab_cursor *cursor, int plan, const char *name, int argc, sqlite3_value **argv)
{
    struct zip *z = (struct zip *)cursor;
    (void)plan, (void)name;
    z->at = z->count = 0;
    for (int i = 0; i < ZIP_COLUMNS; i++) {
        z->lists[i] = i < argc ? sqlite3_value_pointer(argv[i], LIST) : NULL;
        if (z->lists[i] && z->lists[i]->count > z->count)
            z->count = z->lists[i]->count;
    }
    return SQLITE_OK;
}

static int zip_next(sqlite3_vtab_cursor *cursor)
{
    ((struct zip *)cursor)->at++;
    return SQLITE_OK;
}

static int zip_eof(sqlite3_vtab_cursor *cursor)
{
    struct zip *z = (struct zip *)cursor;
    return z->at >= z->count;
}

static void put_octets(sqlite3_context *result, struct bytes b)
{
    sqlite3_result_blob64(result, b.n ? (const void *)b.p : "", b.n, SQLITE_STATIC);
}

static int zip_column(sqlite3_vtab_cursor *cursor, sqlite3_context *result, int column)
{
    struct zip *z = (struct zip *)cursor;
    const struct value *list = column < ZIP_COLUMNS ? z->lists[column] : NULL;
    if (!list || z->at >= list->count)
        sqlite3_result_null(result);
    else if (list->type == 'N')
        sqlite3_result_int64(result, list->numbers[z->at]);
    else
        put_octets(result, list->texts[z->at]);
    return SQLITE_OK;
}

static int zip_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid)
{
    *rowid = (sqlite3_int64)((struct zip *)cursor)->at;
    return SQLITE_OK;
}

static sqlite3_module zip_module = {
    .xConnect = zip_connect, /* without xCreate: there is nothing to create, the name itself is the table */
    .xDisconnect = zip_disconnect,
    .xBestIndex = zip_plan,
    .xOpen = zip_open,
    .xClose = zip_close,
    .xFilter = zip_filter,
    .xNext = zip_next,
    .xEof = zip_eof,
    .xColumn = zip_column,
    .xRowid = zip_rowid,
};

/* ---- the engine -------------------------------------------------------------------------------------------------- */

static enum store_status explain(struct connection *c, int code, struct error *error)
{
    return status_of(db_explain(c->db, code, error));
}

static enum store_status engine_open(struct store *s, const char *path, struct error *error)
{
    struct db_schema schema = {APPLICATION_ID, sqlite_migrations, migration_count};
    struct connection *c = calloc(1, sizeof *c);
    if (!c) {
        error_set(error, "out of memory");
        return STORE_FAILED;
    }
    s->connection = c;
    enum db_status status = db_open(&c->db, path, DB_CREATE, &schema, error);
    if (status == DB_OK)
        /* 32 MiB */
        status = db_run(c->db, "PRAGMA cache_size=-32768", error);
    if (status != DB_OK)
        return status_of(status);
    int code = sqlite3_create_module_v2(db_handle(c->db), "zip", &zip_module, NULL, NULL);
    return code == SQLITE_OK ? STORE_OK : explain(c, code, error);
}

static void engine_close(struct store *s)
{
    struct connection *c = s->connection;
    if (c)
        db_close(c->db); /* and with it the statements */
    free(c);
    s->connection = NULL;
}

static sqlite3_stmt *prepare(struct connection *c, enum statement statement, struct error *error)
{
    sqlite3_stmt *p = c->prepared[statement];
    if (p)
        return p;
    if (!(p = db_statement(c->db, statements[statement].text, error)))
        return NULL;
    for (int i = 1; i <= sqlite3_bind_parameter_count(p); i++) {
        const char *name = sqlite3_bind_parameter_name(p, i);
        if (strtol(name + 1, NULL, 10) != i) /* SQLite numbers them as they come */
            bug("statement %s: its parameters are not in order", statements[statement].name);
    }
    return c->prepared[statement] = p;
}

static int bind(sqlite3_stmt *p, int at, const struct value *v)
{
    switch (v->type) {
    case 'n':
        return sqlite3_bind_int64(p, at, v->number);
    case 'b':
        return sqlite3_bind_blob64(p, at, v->octets.n ? (const void *)v->octets.p : "", v->octets.n, SQLITE_STATIC);
    default: /* a list, for zip() */
        return sqlite3_bind_pointer(p, at, (void *)(uintptr_t)v, LIST, NULL);
    }
}

/* The statement with its values, ready to be stepped. Values are not copied: they live until it is reset. */
static enum store_status start(struct store *s, enum statement statement, const struct value *values,
                               sqlite3_stmt **out, struct error *error)
{
    struct connection *c = s->connection;
    sqlite3_stmt *p = prepare(c, statement, error);
    int code = SQLITE_OK;
    if (!p) {
        struct error again;
        enum store_status status = explain(c, sqlite3_extended_errcode(db_handle(c->db)), &again);
        return status == STORE_OK ? STORE_FAILED : status;
    }
    for (int i = 0; statements[statement].parameters[i] && code == SQLITE_OK; i++)
        code = bind(p, i + 1, &values[i]);
    *out = p;
    return code == SQLITE_OK ? STORE_OK : explain(c, code, error);
}

static void finish(sqlite3_stmt *p)
{
    sqlite3_reset(p);
    sqlite3_clear_bindings(p);
}

static enum store_status engine_post(struct store *s, enum statement statement, const struct value *values,
                                     struct error *error)
{
    sqlite3_stmt *p = NULL;
    enum store_status status = start(s, statement, values, &p, error);
    if (status != STORE_OK)
        return status;
    int code;
    while ((code = sqlite3_step(p)) == SQLITE_ROW)
        continue;
    if (code != SQLITE_DONE)
        status = explain(s->connection, code, error);
    finish(p);
    return status;
}

static enum store_status engine_ask(struct store *s, enum statement statement, const struct value *values,
                                    struct rows *rows, struct error *error)
{
    sqlite3_stmt *p = NULL;
    enum store_status status = start(s, statement, values, &p, error);
    if (status == STORE_OK)
        rows->result = p;
    return status;
}

static bool engine_next(struct rows *rows, struct error *error)
{
    int code = sqlite3_step(rows->result);
    if (code == SQLITE_ROW)
        return true;
    if (code != SQLITE_DONE)
        rows->status = explain(rows->s->connection, code, error);
    return false;
}

static int64_t engine_number(struct rows *rows, int column)
{
    return sqlite3_column_int64(rows->result, column);
}

static struct bytes engine_octets(struct rows *rows, int column)
{
    const uint8_t *p = sqlite3_column_blob(rows->result, column);
    return (struct bytes){p, p ? (size_t)sqlite3_column_bytes(rows->result, column) : 0};
}

static void engine_end(struct rows *rows)
{
    if (rows->result)
        finish(rows->result);
}

static bool engine_connected(struct store *s)
{
    (void)s;
    return true;
}

static bool engine_in_transaction(struct store *s)
{
    struct connection *c = s->connection;
    return !sqlite3_get_autocommit(db_handle(c->db));
}

static enum store_status engine_reconnect(struct store *s, struct error *error)
{
    (void)s, (void)error;
    return STORE_OK; /* a file does not go away */
}

const struct engine sqlite_engine = {
    .name = "sqlite",
    .begin = ST_BEGIN_SQLITE,
    .sole_writer = true,
    .open = engine_open,
    .close = engine_close,
    .post = engine_post,
    .ask = engine_ask,
    .next = engine_next,
    .number = engine_number,
    .octets = engine_octets,
    .end = engine_end,
    .connected = engine_connected,
    .in_transaction = engine_in_transaction,
    .reconnect = engine_reconnect,
};
