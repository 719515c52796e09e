/* The limit of `bench/run collect`: what any collector must do at least. Decompresses the given logs and counts their
 * lines, then inserts the rows of a finished journal into an empty database of the same schema, by bare prepared
 * statements in one transaction. Reading the rows is not counted. usage: collect_limit JOURNAL NEW_DATABASE LOG…;
 * prints: wall seconds, CPU seconds, lines, rows. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

struct cell {
    sqlite3_int64 number;
    char *text; /* NULL: a number, or NULL if `null` */
    int length, null;
};
struct table {
    char sql[512];
    int columns;
    size_t count, capacity;
    struct cell *cells;
};

static void check(sqlite3 *db, int code)
{
    if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW) {
        fprintf(stderr, "collect_limit: %s\n", sqlite3_errmsg(db));
        exit(70);
    }
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct cell cell_of(sqlite3_stmt *s, int column)
{
    struct cell c = {0};
    int type = sqlite3_column_type(s, column);
    c.null = type == SQLITE_NULL;
    c.number = sqlite3_column_int64(s, column);
    if (type == SQLITE_TEXT || type == SQLITE_BLOB) {
        c.length = sqlite3_column_bytes(s, column);
        c.text = malloc((size_t)c.length + 1);
        memcpy(c.text, sqlite3_column_blob(s, column), (size_t)c.length);
    }
    return c;
}

static void load(sqlite3 *from, const char *name, struct table *t)
{
    char sql[128];
    sqlite3_stmt *s;
    snprintf(sql, sizeof sql, "SELECT * FROM %s", name);
    check(from, sqlite3_prepare_v2(from, sql, -1, &s, NULL));
    t->columns = sqlite3_column_count(s);
    int n = snprintf(t->sql, sizeof t->sql, "INSERT INTO %s VALUES(?", name);
    for (int i = 1; i < t->columns; i++)
        n += snprintf(t->sql + n, sizeof t->sql - (size_t)n, ",?");
    snprintf(t->sql + n, sizeof t->sql - (size_t)n, ")");
    int code;
    for (; (code = sqlite3_step(s)) == SQLITE_ROW; t->count++) {
        if (t->count == t->capacity) {
            t->capacity = t->capacity ? t->capacity * 2 : 1024;
            t->cells = realloc(t->cells, t->capacity * (size_t)t->columns * sizeof *t->cells);
        }
        for (int i = 0; i < t->columns; i++)
            t->cells[t->count * (size_t)t->columns + (size_t)i] = cell_of(s, i);
    }
    check(from, code);
    sqlite3_finalize(s);
}

static void insert(sqlite3 *to, const struct table *t)
{
    sqlite3_stmt *s;
    check(to, sqlite3_prepare_v3(to, t->sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL));
    const struct cell *c = t->cells;
    for (size_t row = 0; row < t->count; row++) {
        for (int i = 1; i <= t->columns; i++, c++)
            if (c->text)
                sqlite3_bind_text64(s, i, c->text, (sqlite3_uint64)c->length, SQLITE_STATIC, SQLITE_UTF8);
            else if (c->null)
                sqlite3_bind_null(s, i);
            else
                sqlite3_bind_int64(s, i, c->number);
        check(to, sqlite3_step(s));
        sqlite3_reset(s);
    }
    sqlite3_finalize(s);
}

static size_t count_lines(const char *path)
{
    static char buffer[1 << 16];
    size_t lines = 0;
    gzFile f = gzopen(path, "r");
    gzbuffer(f, sizeof buffer);
    for (int n; (n = gzread(f, buffer, sizeof buffer)) > 0;)
        for (char *p = buffer; (p = memchr(p, '\n', (size_t)(buffer + n - p))); p++)
            lines++;
    gzclose(f);
    return lines;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"record", "event", "cause", "present"};
    struct table tables[4] = {0};
    sqlite3 *from = NULL, *to = NULL;
    sqlite3_stmt *schema;
    if (argc < 3)
        return 2;
    check(from, sqlite3_open_v2(argv[1], &from, SQLITE_OPEN_READONLY, NULL));
    size_t rows = 0, lines = 0;
    for (int i = 0; i < 4; i++) {
        load(from, names[i], &tables[i]);
        rows += tables[i].count;
    }
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 3; i < argc; i++)
        lines += count_lines(argv[i]);
    check(to, sqlite3_open(argv[2], &to));
    check(to, sqlite3_exec(
                  to, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16384; BEGIN IMMEDIATE",
                  NULL, NULL, NULL));
    check(from, sqlite3_prepare_v2(from, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL", -1, &schema, NULL));
    while (sqlite3_step(schema) == SQLITE_ROW)
        check(to, sqlite3_exec(to, (const char *)sqlite3_column_text(schema, 0), NULL, NULL, NULL));
    sqlite3_finalize(schema);
    for (int i = 0; i < 4; i++)
        insert(to, &tables[i]);
    check(to, sqlite3_exec(to, "COMMIT", NULL, NULL, NULL));
    sqlite3_close(to);
    printf("%.4f %.4f %zu %zu\n", seconds(CLOCK_MONOTONIC) - wall, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, lines,
           rows);
    return 0;
}
