#include "agent/journal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The journal keeps each package version once (record), what happened to it (event), and which ones are there
 * (present). A run appends records and events and touches little else. An event's EID is seq + head.shift: what turns
 * out to be older than the logs gets numbers below 1 at the end of the first run, and the shift brings all of them to 1
 * and up for ever. No other table needs a second index: a run reads all records into memory once, and questions about the
 * past fold all events (600,000 in 0.2 s). */
static const char *const migrations[] = {
    "CREATE TABLE head(one INTEGER PRIMARY KEY CHECK(one = 1), epoch INTEGER NOT NULL, shift INTEGER NOT NULL, "
    "last_eid INTEGER NOT NULL,"
    " records INTEGER NOT NULL, collected INTEGER NOT NULL, file INTEGER NOT NULL) STRICT;"
    "CREATE TABLE source(id INTEGER PRIMARY KEY, status INTEGER NOT NULL, stamp INTEGER NOT NULL, cursor BLOB, "
    "reaches_back INTEGER,"
    " installed INTEGER NOT NULL, records INTEGER NOT NULL, complaints INTEGER NOT NULL, unreadable INTEGER NOT NULL) "
    "STRICT;"
    "CREATE TABLE record(id INTEGER PRIMARY KEY, source INTEGER NOT NULL, software_id TEXT NOT NULL, name TEXT NOT "
    "NULL, version TEXT,"
    " arch TEXT, source_name TEXT, source_version TEXT) STRICT;"
    "CREATE TABLE present(record INTEGER PRIMARY KEY, state INTEGER NOT NULL, since INTEGER, precision INTEGER NOT "
    "NULL) STRICT;"
    "CREATE TABLE cause(id INTEGER PRIMARY KEY, command TEXT, user TEXT) STRICT;"
    "CREATE TABLE event(seq INTEGER PRIMARY KEY, time INTEGER, not_before INTEGER, precision INTEGER NOT NULL, action "
    "INTEGER NOT NULL,"
    " record INTEGER NOT NULL, cause INTEGER) STRICT;",
    /* Status 1 of a source said that it was not found, whatever the reason; it means gone from here on. */
    "UPDATE source SET status = 2 WHERE status = 1;",
    /* The real path of the root; NULL: of a run before this column, and the next one's. */
    "ALTER TABLE head ADD COLUMN root TEXT;",
    /* Who asks for the tag of an identifier does not wait for all records that ever were. */
    "CREATE INDEX record_software_id ON record(software_id);",
    /* What software brought of its own; of what is gone, too (SWIMA-R27, RFC 8412 §3.6.1). */
    "CREATE TABLE tag(record INTEGER PRIMARY KEY, model INTEGER NOT NULL, locator TEXT, octets BLOB NOT NULL) STRICT;",
    /* Between what times a log could not be read when it was its turn. */
    "CREATE TABLE gap(source INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL, PRIMARY KEY(source, since, until)) STRICT, WITHOUT ROWID;",
};
static const struct db_schema schema = {0x4d75736a /* "Musj" */, migrations, ARRAY_LENGTH(migrations)};

enum journal_status journal_status_of(enum db_status status)
{
    static const enum journal_status of[] = {
        [DB_OK] = JOURNAL_OK,
        [DB_ABSENT] = JOURNAL_ABSENT,
        [DB_DAMAGED] = JOURNAL_DAMAGED,
        [DB_NEWER] = JOURNAL_FAILED,
        [DB_OLDER] = JOURNAL_OLDER,
        [DB_BUSY] = JOURNAL_BUSY,
        [DB_FULL] = JOURNAL_FULL,
        [DB_PERMISSION] = JOURNAL_PERMISSION,
        [DB_FAILED] = JOURNAL_FAILED,
    };
    return of[status];
}

sqlite3_stmt *journal_statement(struct journal *j, const char *sql, enum journal_status *status, struct error *error)
{
    sqlite3_stmt *s = db_statement(j->db, sql, error);
    if (!s)
        *status = journal_status_of(db_explain(j->db, sqlite3_errcode(db_handle(j->db)), error));
    return s;
}

bool journal_step(struct journal *j, sqlite3_stmt *s, enum journal_status *status, struct error *error)
{
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        return true;
    *status = code == SQLITE_DONE ? JOURNAL_OK : journal_status_of(db_explain(j->db, code, error));
    sqlite3_reset(s);
    return false;
}

int64_t journal_column_time(sqlite3_stmt *s, int column)
{
    return sqlite3_column_type(s, column) == SQLITE_NULL ? TIME_UNKNOWN : sqlite3_column_int64(s, column);
}

struct bytes journal_column_text(sqlite3_stmt *s, int column)
{
    const uint8_t *p = sqlite3_column_text(s, column);
    return (struct bytes){p, p ? (size_t)sqlite3_column_bytes(s, column) : 0};
}

void journal_bind_time(sqlite3_stmt *s, int at, int64_t t)
{
    if (t == TIME_UNKNOWN)
        sqlite3_bind_null(s, at);
    else
        sqlite3_bind_int64(s, at, t);
}

void journal_bind_text(sqlite3_stmt *s, int at, struct bytes b)
{
    if (b.n)
        sqlite3_bind_text64(s, at, (const char *)b.p, b.n, SQLITE_STATIC, SQLITE_UTF8);
    else
        sqlite3_bind_null(s, at);
}

enum journal_status journal_find_root(const char *root, char path[PATH_MAX], struct error *error)
{
    if (realpath(root, path))
        return JOURNAL_OK;
    error_set(error, "%s: %s", root, strerror(errno));
    return JOURNAL_FAILED;
}

enum journal_status journal_other_root(const struct journal *j, const char *own, const char *root, struct error *error)
{
    bool drop = strcmp(own, "/") == 0;
    error_set(
        error,
        "%s describes the root %s, not %s: %s%s, or name another folder with --state; if that root was moved here, "
        "muster collect --adopt-root",
        j->path, own, root, drop ? "drop --root" : "give --root ", drop ? "" : own);
    return JOURNAL_OTHER_ROOT;
}

enum journal_status journal_expect_root(struct journal *j, const char *root, struct error *error)
{
    char path[PATH_MAX];
    enum journal_status status = journal_find_root(root, path, error);
    sqlite3_stmt *s = status == JOURNAL_OK ? journal_statement(j, "SELECT root FROM head", &status, error) : NULL;
    if (!s || !journal_step(j, s, &status, error))
        return status;
    const char *own = (const char *)sqlite3_column_text(s, 0);
    if (own && strcmp(own, path) != 0)
        status = journal_other_root(j, own, path, error);
    sqlite3_reset(s);
    return status;
}

bool journal_any_manager(const char *root)
{
    bool any = false;
    for (size_t i = 0; pkg_managers[i] && !any; i++)
        any = pkg_managers[i]->present(root);
    return any;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

/* The folder, and those above it. What a journal tells, dpkg and apt let everybody on the machine read too. */
bool journal_make_folder(const char *path, struct error *error)
{
    char part[PATH_MAX];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof part) {
        error_set(error, "%s: not a usable name of a folder", path);
        return false;
    }
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != 0)
            continue;
        part[i] = 0;
        if (mkdir(part, 0755) < 0 && errno != EEXIST && (errno != EROFS || access(part, F_OK) < 0)) {
            error_set(error, "%s: cannot make this folder: %s", part, strerror(errno));
            return false;
        }
        part[i] = path[i];
    }
    return true;
}

#define SMALL_JOURNAL                                                                                                  \
    ((int64_t)4 << 20) /* a full check costs about a millisecond a MiB: no more than that on each run */

#define UPDATE_PATIENCE_MS 5000 /* somebody waits for an answer, which an older state gives, too */

static enum journal_status open_file(struct journal *j, struct error *error)
{
    struct stat st;
    unsigned flags = j->mode == JOURNAL_READ ? DB_READ_ONLY : DB_CREATE;
    if (stat(j->path, &st) == 0 && st.st_size <= SMALL_JOURNAL)
        flags |= DB_CHECK;
    enum journal_status status = journal_status_of(db_open(&j->db, j->path, flags, &schema, error));
    if (status == JOURNAL_OK && j->mode == JOURNAL_UPDATE)
        sqlite3_busy_timeout(db_handle(j->db), UPDATE_PATIENCE_MS);
    if (status == JOURNAL_OK && j->mode != JOURNAL_READ)
        status = journal_status_of(db_run(j->db, "PRAGMA cache_size=" JOURNAL_CACHE_SIZE, error));
    return status;
}

enum journal_status journal_renew(struct journal *j, struct error *error)
{
    char kept[PATH_MAX + 64];
    struct error why = *error;
    db_close(j->db);
    j->db = NULL;
    enum journal_status status = journal_status_of(db_set_aside(j->path, kept, sizeof kept, error));
    if (status == JOURNAL_OK)
        status = open_file(j, error);
    if (status == JOURNAL_OK)
        error_set(error,
                  /* SWIMA-R46, RFC 8412 §3.7.6 */
                  "the journal was damaged (%.300s); it is kept as %.150s, and a new one with a new epoch begins",
                  why.text, kept);
    return status;
}

enum journal_status journal_open(struct journal **out, const char *state, enum journal_mode mode, bool *renewed,
                                 struct error *error)
{
    *out = NULL;
    if (renewed)
        *renewed = false;
    if (mode != JOURNAL_READ && !journal_make_folder(state, error))
        return errno == ENOSPC || errno == EDQUOT ? JOURNAL_FULL : JOURNAL_PERMISSION;
    if (mode != JOURNAL_READ && access(state, W_OK | X_OK) < 0) {
        error_set(error, "%s: cannot write in this folder: %s", state, strerror(errno));
        return JOURNAL_PERMISSION;
    }
    struct journal *j = calloc(1, sizeof *j);
    if (!j || asprintf(&j->path, "%s/journal.db", state) < 0) {
        free(j);
        error_set(error, "out of memory");
        return JOURNAL_FAILED;
    }
    j->mode = mode;
    enum journal_status status = open_file(j, error);
    if (status == JOURNAL_DAMAGED && mode == JOURNAL_WRITE) {
        status = journal_renew(j, error);
        if (renewed)
            *renewed = status == JOURNAL_OK;
    }
    if (status != JOURNAL_OK)
        journal_close(j);
    else
        *out = j;
    return status;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    db_close(j->db);
    free(j->path);
    free(j);
}
