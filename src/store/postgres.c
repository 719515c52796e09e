/* The engine of many servers on one database: PostgreSQL through libpq, always in pipeline mode. Posted statements are
 * sent and not waited for; a question waits for its own answer and for those of all that was posted before it.
 * Everything travels in binary. */
#include "store/sql.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of pg_type.h, which does not come with libpq. */
enum { OID_BYTEA = 17, OID_INT8 = 20, OID_BYTEA_ARRAY = 1001, OID_INT8_ARRAY = 1016 };

enum { PARAMETERS_MAX = 10 };
#define MIGRATION_LOCK "5579012401" /* any number that nobody else takes */

struct connection {
    PGconn *pg;
    bool broken;
    unsigned waiting; /* results of posted statements that were not read yet */
};

/* ---- what went wrong --------------------------------------------------------------------------------------------- */

/* SQLSTATEs by their beginning; the first that matches counts. */
static const struct {
    const char *prefix;
    enum store_status status;
    const char *what;
} sqlstates[] = {
    {"XX001", STORE_DAMAGED, "the database is damaged"},
    {"XX002", STORE_DAMAGED, "the database is damaged"},
    {"53", STORE_UNAVAILABLE, "PostgreSQL has no room or no connections left"},
    {"08", STORE_UNAVAILABLE, "the connection to PostgreSQL is lost"},
    {"57", STORE_UNAVAILABLE, "PostgreSQL shuts down or gave up"},
    {"40", STORE_UNAVAILABLE, "another server was faster; try again"},
    {"55", STORE_UNAVAILABLE, "another server holds the row for too long"},
    {"58", STORE_UNAVAILABLE, "PostgreSQL's disk fails"},
    {"25006", STORE_REFUSED, "PostgreSQL allows no writing here (a stand-by server?)"},
    {"28", STORE_REFUSED, "PostgreSQL does not let this user in"},
    {"3D", STORE_REFUSED, "there is no such database"},
    {"42501", STORE_REFUSED, "the user may not do this in PostgreSQL"},
    {"", STORE_FAILED, "PostgreSQL"},
};

static void set_text(struct error *error, const char *what, const char *message)
{
    size_t n = message ? strcspn(message, "\n") : 0;
    if (n)
        error_set(error, "%s: %.*s", what, (int)(n < 300 ? n : 300), message);
    else
        error_set(error, "%s", what);
}

static enum store_status explain(struct connection *c, const PGresult *result, struct error *error)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    if (!state) { /* not the server's word but libpq's: the connection is of no more use */
        c->broken = true;
        set_text(error, "the connection to PostgreSQL is lost", PQerrorMessage(c->pg));
        return STORE_UNAVAILABLE;
    }
    size_t i = 0;
    while (strncmp(state, sqlstates[i].prefix, strlen(sqlstates[i].prefix)) != 0)
        i++;
    set_text(error, sqlstates[i].what, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    return sqlstates[i].status;
}

/* ---- connecting -------------------------------------------------------------------------------------------------- */

static void ignore_notice(void *context, const PGresult *result)
{
    (void)context, (void)result;
}

/* One text of statements, outside of the pipeline. */
static enum store_status run(struct connection *c, const char *sql, struct error *error)
{
    PGresult *result = PQexec(c->pg, sql);
    ExecStatusType got = PQresultStatus(result);
    enum store_status status = got == PGRES_COMMAND_OK || got == PGRES_TUPLES_OK ? STORE_OK : explain(c, result, error);
    PQclear(result);
    return status;
}

/* The schema's version; 0 before the first. */
static enum store_status read_version(struct connection *c, long *version, struct error *error)
{
    PGresult *result = PQexec(c->pg, "SELECT coalesce(max(version), 0) FROM schema_version");
    enum store_status status = PQresultStatus(result) == PGRES_TUPLES_OK ? STORE_OK : explain(c, result, error);
    if (status == STORE_OK)
        *version = strtol(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return status;
}

/* Several servers may come at once: the first one migrates, the others wait for its lock and find it done. */
static enum store_status migrate(struct connection *c, struct error *error)
{
    long version = 0;
    enum store_status status = run(c, "BEGIN; SELECT pg_advisory_xact_lock(" MIGRATION_LOCK ");", error);
    if (status == STORE_OK)
        status = run(c, "CREATE TABLE IF NOT EXISTS schema_version(version INT8 PRIMARY KEY)", error);
    if (status == STORE_OK)
        status = read_version(c, &version, error);
    if (status == STORE_OK && (size_t)version > migration_count) {
        error_set(
            error,
            "the database was made by a newer version of Muster (schema %ld, this one knows %zu); install that version",
            version, migration_count);
        status = STORE_REFUSED;
    }
    for (size_t i = (size_t)version; i < migration_count && status == STORE_OK; i++) {
        char counted[80];
        snprintf(counted, sizeof counted, "INSERT INTO schema_version VALUES(%zu)", i + 1);
        if ((status = run(c, postgres_migrations[i], error)) == STORE_OK)
            status = run(c, counted, error);
    }
    if (status == STORE_OK)
        return run(c, "COMMIT", error);
    if (run(c, "ROLLBACK", NULL) != STORE_OK) /* the connection ends, and with it the transaction */
        PQfinish(c->pg), c->pg = NULL;
    return status;
}

static enum store_status connect_to(struct connection *c, const char *url, struct error *error)
{
    /* What the URL says comes after, and so goes before these. */
    static const char *const keys[] = {"connect_timeout", "application_name", "keepalives_idle",
                                       "options",         "dbname",           NULL};
    static const char options[] = "-c lock_timeout=30s -c client_min_messages=warning -c standard_conforming_strings=on"
                                  " -c default_transaction_isolation=read\\ committed";
    const char *values[] = {"10", "muster", "30", options, url, NULL};
    PQfinish(c->pg);
    c->waiting = 0;
    c->broken = false;
    if (!(c->pg = PQconnectdbParams(keys, values, 1))) {
        error_set(error, "out of memory");
        return STORE_FAILED;
    }
    if (PQstatus(c->pg) == CONNECTION_OK) {
        PQsetNoticeReceiver(c->pg, ignore_notice, NULL);
        return STORE_OK;
    }
    /* libpq tells no SQLSTATE of a failed connection: a server that answers is there, and refuses. */
    bool answered = PQserverVersion(c->pg) != 0 || strstr(PQerrorMessage(c->pg), "FATAL:");
    bool starting = strstr(PQerrorMessage(c->pg), "starting up") || strstr(PQerrorMessage(c->pg), "shutting down") ||
                    strstr(PQerrorMessage(c->pg), "too many");
    set_text(error, "cannot connect to PostgreSQL", PQerrorMessage(c->pg));
    return answered && !starting ? STORE_REFUSED : STORE_UNAVAILABLE;
}

static void engine_close(struct store *s)
{
    struct connection *c = s->connection;
    if (c)
        PQfinish(c->pg);
    free(c);
    s->connection = NULL;
}

static bool engine_connected(struct store *s)
{
    struct connection *c = s->connection;
    return c->pg && !c->broken && PQstatus(c->pg) == CONNECTION_OK;
}

static bool engine_in_transaction(struct store *s)
{
    return engine_connected(s); /* an error does not end it, a lost connection does */
}

/* ---- sending ----------------------------------------------------------------------------------------------------- */

static void put_number(struct wr *w, int64_t v)
{
    wr_u64(w, (uint64_t)v);
}

/* The binary form of a one-dimensional array: dimensions, has NULLs, type, count, first index; then (length, octets)
 * each. */
static void put_list(struct wr *w, const struct value *v)
{
    wr_u32(w, 1);
    wr_u32(w, 0);
    wr_u32(w, v->type == 'N' ? OID_INT8 : OID_BYTEA);
    wr_u32(w, v->count);
    wr_u32(w, 1);
    for (size_t i = 0; i < v->count; i++) {
        wr_u32(w, v->type == 'N' ? 8 : v->texts[i].n);
        if (v->type == 'N')
            put_number(w, v->numbers[i]);
        else
            wr_bytes(w, v->texts[i]);
    }
}

static void put_value(struct wr *w, const struct value *v)
{
    if (v->type == 'n')
        put_number(w, v->number);
    else if (v->type == 'b')
        wr_bytes(w, v->octets);
    else
        put_list(w, v);
}

static bool send_values(struct connection *c, enum statement statement, const struct value *values)
{
    const char *pointers[PARAMETERS_MAX];
    int lengths[PARAMETERS_MAX], formats[PARAMETERS_MAX], count = 0;
    size_t offsets[PARAMETERS_MAX + 1];
    struct wr w = wr_of(INT32_MAX);
    char name[24];
    for (; statements[statement].parameters[count]; count++) {
        offsets[count] = w.n;
        put_value(&w, &values[count]);
    }
    offsets[count] = w.n;
    for (int i = 0; i < count; i++) {
        pointers[i] = w.p ? (const char *)w.p + offsets[i] : "";
        lengths[i] = (int)(offsets[i + 1] - offsets[i]);
        formats[i] = 1;
    }
    snprintf(name, sizeof name, "s%d", (int)statement);
    bool sent = !w.bad && PQsendQueryPrepared(c->pg, name, count, pointers, lengths, formats, 1) == 1;
    wr_free(&w);
    return sent;
}

static enum store_status send_statement(struct store *s, enum statement statement, const struct value *values,
                                        struct error *error)
{
    struct connection *c = s->connection;
    if (!engine_connected(s)) {
        error_set(error, "the connection to PostgreSQL is lost");
        return STORE_UNAVAILABLE;
    }
    if (!send_values(c, statement, values))
        return explain(c, NULL, error);
    return STORE_OK;
}

static enum store_status engine_post(struct store *s, enum statement statement, const struct value *values,
                                     struct error *error)
{
    struct connection *c = s->connection;
    enum store_status status = send_statement(s, statement, values, error);
    if (status == STORE_OK)
        c->waiting++;
    return status;
}

/* ---- receiving --------------------------------------------------------------------------------------------------- */

/* The next result of the pipeline; the NULL that ends each statement's results is skipped. NULL: the connection is
 * gone. */
static PGresult *next_result(struct connection *c)
{
    PGresult *result = PQgetResult(c->pg);
    if (result && PQresultStatus(result) != PGRES_PIPELINE_SYNC) {
        PGresult *end = PQgetResult(c->pg);
        c->broken = c->broken || end; /* no statement of ours has two */
        PQclear(end);
    }
    return result;
}

/* Reads `c->waiting` posted results, the answer, and the mark behind them. What failed first is what is told. */
static enum store_status receive(struct connection *c, PGresult **answer, struct error *error)
{
    enum store_status status = STORE_OK;
    for (;;) {
        PGresult *result = next_result(c);
        ExecStatusType got = result ? PQresultStatus(result) : PGRES_FATAL_ERROR;
        if (!result || (got == PGRES_FATAL_ERROR && status == STORE_OK))
            status = status == STORE_OK ? explain(c, result, error) : status;
        if (!result || got == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            c->waiting = 0;
            return status;
        }
        if (c->waiting) {
            c->waiting--;
            PQclear(result);
        } else {
            PQclear(*answer);
            *answer = result;
        }
    }
}

/* Every statement at once: none is prepared in the middle of a transaction that may fail. */
static enum store_status prepare_all(struct connection *c, struct error *error)
{
    PGresult *answer = NULL;
    for (enum statement i = 0; i < ST_COUNT; i++) {
        Oid types[PARAMETERS_MAX];
        char name[24];
        int count = 0;
        if (i == ST_BEGIN_SQLITE)
            continue;
        for (const char *t = statements[i].parameters; *t; t++)
            types[count++] = *t == 'n'   ? OID_INT8
                             : *t == 'b' ? OID_BYTEA
                             : *t == 'N' ? OID_INT8_ARRAY
                                         : OID_BYTEA_ARRAY;
        snprintf(name, sizeof name, "s%d", (int)i);
        if (PQsendPrepare(c->pg, name, statements[i].text, count, types) != 1)
            return explain(c, NULL, error);
        c->waiting++;
    }
    if (PQpipelineSync(c->pg) != 1)
        return explain(c, NULL, error);
    return receive(c, &answer, error);
}

static enum store_status engine_reconnect(struct store *s, struct error *error)
{
    struct connection *c = s->connection;
    enum store_status status = connect_to(c, s->url, error);
    if (status == STORE_OK)
        status = migrate(c, error);
    if (status == STORE_OK && PQenterPipelineMode(c->pg) != 1) {
        set_text(error, "PostgreSQL", PQerrorMessage(c->pg));
        status = STORE_FAILED;
    }
    return status == STORE_OK ? prepare_all(c, error) : status;
}

static enum store_status engine_open(struct store *s, const char *url, struct error *error)
{
    (void)url; /* s->url is the same */
    if (!(s->connection = calloc(1, sizeof(struct connection)))) {
        error_set(error, "out of memory");
        return STORE_FAILED;
    }
    return engine_reconnect(s, error);
}

static enum store_status engine_ask(struct store *s, enum statement statement, const struct value *values,
                                    struct rows *rows, struct error *error)
{
    struct connection *c = s->connection;
    PGresult *answer = NULL;
    enum store_status status = send_statement(s, statement, values, error);
    if (status != STORE_OK)
        return status;
    if (PQpipelineSync(c->pg) != 1)
        return explain(c, NULL, error);
    status = receive(c, &answer, error);
    if (status == STORE_OK && statement == ST_COMMIT && strcmp(PQcmdStatus(answer), "COMMIT") != 0) {
        error_set(error, "PostgreSQL rolled the transaction back");
        status = STORE_UNAVAILABLE;
    }
    if (status != STORE_OK) {
        PQclear(answer);
        return status;
    }
    rows->result = answer;
    rows->row = -1;
    rows->count = PQntuples(answer);
    return STORE_OK;
}

static bool engine_next(struct rows *rows, struct error *error)
{
    (void)error;
    return ++rows->row < rows->count;
}

static int64_t engine_number(struct rows *rows, int column)
{
    const uint8_t *p = (const uint8_t *)PQgetvalue(rows->result, rows->row, column);
    struct rd r = rd_of((struct bytes){p, (size_t)PQgetlength(rows->result, rows->row, column)}, 0);
    switch (rd_left(&r)) { /* NULL has no octets */
    case 2:
        return (int16_t)rd_u16(&r);
    case 4:
        return (int32_t)rd_u32(&r);
    case 8:
        return (int64_t)rd_u64(&r);
    default:
        return 0;
    }
}

static struct bytes engine_octets(struct rows *rows, int column)
{
    return (struct bytes){(const uint8_t *)PQgetvalue(rows->result, rows->row, column),
                          (size_t)PQgetlength(rows->result, rows->row, column)};
}

static void engine_end(struct rows *rows)
{
    PQclear(rows->result);
}

const struct engine postgres_engine = {
    .name = "postgresql",
    .begin = ST_BEGIN_POSTGRES,
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
