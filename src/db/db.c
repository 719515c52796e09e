#include "db/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PATIENCE_MS 30000
#define PASSING_MS   2000
#define MAKE_NOTHING 256u               /* beside enum db_flags: there is no room for the index of a log */
#define SNAPSHOT_MAX ((int64_t)1 << 30) /* what is read into memory at most */

struct db {
    sqlite3 *handle;
    char *path;
    sqlite3_stmt **statements; /* found by their text */
    size_t count, capacity;
};

/* ---- what went wrong --------------------------------------------------------------------------------------------- */

/* SQLite reports a full disk, and a file that may not be touched, as an I/O error with errno beside it. */
static enum db_status status_of_errno(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return DB_FULL;
    case ENOENT:
    case ENOTDIR:
        return DB_ABSENT;
    case EACCES:
    case EPERM:
    case EROFS:
    case EISDIR:
        return DB_PERMISSION;
    default:
        return DB_FAILED;
    }
}

/* SQLite keeps errno for what opening hits, but not for what a statement hits: then the thread's own is still that of
 * the failed call. */
static int system_errno(sqlite3 *handle)
{
    int now = errno, kept = handle ? sqlite3_system_errno(handle) : 0;
    return kept ? kept : now;
}

static enum db_status status_of(sqlite3 *handle, int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return DB_OK;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return DB_DAMAGED;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return DB_BUSY;
    case SQLITE_FULL:
        return DB_FULL;
    case SQLITE_PERM:
        return DB_PERMISSION;
    case SQLITE_READONLY:
        return code == SQLITE_READONLY_DBMOVED ? DB_FAILED : DB_PERMISSION;
    case SQLITE_IOERR:
        /* A page that lies behind the end of the file: it was cut off. */
        if (code == SQLITE_IOERR_SHORT_READ || code == SQLITE_IOERR_CORRUPTFS)
            return DB_DAMAGED;
        return status_of_errno(system_errno(handle));
    case SQLITE_CANTOPEN:
        return status_of_errno(system_errno(handle));
    default:
        return DB_FAILED;
    }
}

static void describe(enum db_status status, const char *path, const char *reason, struct error *error)
{
    static const char *const forms[] = {
        [DB_OK] = "%s: no error (%s)",
        [DB_ABSENT] = "%s: there is no such database, or no such folder (%s)",
        [DB_DAMAGED] = "%s: not a database of Muster, or a damaged one (%s); nothing was written to it",
        [DB_NEWER] = "%s: %s; install that version, or name another file",
        [DB_OLDER] = "%s: %s; the command that writes it brings it up to date",
        [DB_BUSY] = "%s: another process holds the database (%s); try again later",
        [DB_FULL] = "%s: the disk or the quota is full (%s); free some room and try again",
        [DB_PERMISSION] =
            "%s: may not be read or written (%s); check the owner and the mode of the file and its folder",
        [DB_FAILED] = "%s: %s",
    };
    error_set(error, forms[status], path, reason);
}

enum db_status db_explain(struct db *db, int code, struct error *error)
{
    enum db_status status = status_of(db->handle, code);
    if (status != DB_OK) {
        /* The connection's message tells more than the code's, if it is about the same failure. */
        bool same = (sqlite3_errcode(db->handle) & 0xff) == (code & 0xff);
        describe(status, db->path, same ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code), error);
    }
    return status;
}

/* ---- statements -------------------------------------------------------------------------------------------------- */

sqlite3_stmt *db_statement(struct db *db, const char *sql, struct error *error)
{
    for (size_t i = 0; i < db->count; i++)
        if (strcmp(sqlite3_sql(db->statements[i]), sql) == 0) {
            sqlite3_reset(db->statements[i]);
            sqlite3_clear_bindings(db->statements[i]);
            return db->statements[i];
        }
    if (db->count == db->capacity) {
        size_t capacity = db->capacity ? db->capacity * 2 : 16;
        sqlite3_stmt **grown = realloc(db->statements, capacity * sizeof *grown);
        if (!grown) {
            describe(DB_FAILED, db->path, "out of memory", error);
            return NULL;
        }
        db->statements = grown;
        db->capacity = capacity;
    }
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
    if (code != SQLITE_OK) {
        db_explain(db, code, error);
        return NULL;
    }
    if (!sqlite3_sql(statement)) { /* SQLite found no memory for the text alone, and is content */
        sqlite3_finalize(statement);
        describe(DB_FAILED, db->path, "out of memory", error);
        return NULL;
    }
    return db->statements[db->count++] = statement;
}

enum db_status db_run(struct db *db, const char *sql, struct error *error)
{
    int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? DB_OK : db_explain(db, code, error);
}

enum db_status db_begin(struct db *db, struct error *error)
{
    return db_run(db, "BEGIN IMMEDIATE", error);
}

enum db_status db_commit(struct db *db, struct error *error)
{
    enum db_status status = db_run(db, "COMMIT", error);
    if (status != DB_OK)
        db_rollback(db);
    return status;
}

void db_rollback(struct db *db)
{
    /* A statement that still stands on a row would keep the transaction's snapshot alive. Some errors roll back by
     * themselves. */
    for (size_t i = 0; i < db->count; i++)
        sqlite3_reset(db->statements[i]);
    if (!sqlite3_get_autocommit(db->handle))
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

sqlite3 *db_handle(struct db *db)
{
    return db->handle;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

/* The first column of the first row, a number. */
static enum db_status ask_number(struct db *db, const char *sql, int64_t *value, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL);
    if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW)
        *value = sqlite3_column_int64(statement, 0);
    enum db_status status = code == SQLITE_ROW ? DB_OK : db_explain(db, code, error);
    sqlite3_finalize(statement);
    return status;
}

static enum db_status quick_check(struct db *db, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db->handle, "PRAGMA quick_check(1)", -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    enum db_status status = code == SQLITE_ROW ? DB_OK : db_explain(db, code, error);
    const char *verdict = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    if (status == DB_OK && (!verdict || strcmp(verdict, "ok") != 0)) {
        /* A heading line may stand before the finding. */
        const char *line = verdict ? strchr(verdict, '\n') : NULL;
        describe(status = DB_DAMAGED, db->path,
                 line      ? line + 1
                 : verdict ? verdict
                           : "the check gave no answer",
                 error);
    }
    sqlite3_finalize(statement);
    return status;
}

struct found {
    int64_t application, version, objects;
};

/* Reads only: what is damaged or belongs to somebody else must stay as it is. */
static enum db_status recognise(struct db *db, const struct db_schema *schema, struct found *found, struct error *error)
{
    enum db_status status;
    if ((status = ask_number(db, "PRAGMA application_id", &found->application, error)) != DB_OK ||
        (status = ask_number(db, "PRAGMA user_version", &found->version, error)) != DB_OK ||
        (status = ask_number(db, "SELECT count(*) FROM sqlite_schema", &found->objects, error)) != DB_OK)
        return status;
    bool fresh = found->application == 0 && found->version == 0 && found->objects == 0;
    if (!fresh && found->application != schema->application) {
        describe(DB_FAILED, db->path, "this is a database of another program; name another file", error);
        return DB_FAILED;
    }
    if (found->version > (int64_t)schema->count) {
        char reason[120];
        snprintf(reason, sizeof reason, "made by a newer version of Muster (schema %lld, this one knows %zu)",
                 (long long)found->version, schema->count);
        describe(DB_NEWER, db->path, reason, error);
        return DB_NEWER;
    }
    return DB_OK;
}

/* Each step in a transaction of its own that also counts it, so that two processes can do it at once and a crash loses
 * nothing. */
static enum db_status migrate(struct db *db, const struct db_schema *schema, struct error *error)
{
    for (;;) {
        struct found found;
        enum db_status status = db_begin(db, error);
        if (status != DB_OK)
            return status;
        if ((status = recognise(db, schema, &found, error)) != DB_OK || (size_t)found.version == schema->count) {
            db_rollback(db);
            return status;
        }
        char counted[96];
        snprintf(counted, sizeof counted, "PRAGMA application_id=%d; PRAGMA user_version=%lld", schema->application,
                 (long long)found.version + 1);
        if ((status = db_run(db, schema->migrations[found.version], error)) != DB_OK ||
            (status = db_run(db, counted, error)) != DB_OK) {
            db_rollback(db);
            return status;
        }
        if ((status = db_commit(db, error)) != DB_OK)
            return status;
    }
}

/* Changing the journal's mode wants the file for itself and asks no busy handler: when several processes create it at
 * once, wait here. */
static enum db_status use_wal(struct db *db, struct error *error)
{
    uint64_t deadline = time_monotonic_ms() + PATIENCE_MS;
    enum db_status status;
    while ((status = db_run(db, "PRAGMA journal_mode=WAL", error)) == DB_BUSY && time_monotonic_ms() < deadline)
        sqlite3_sleep(10);
    return status;
}

static enum db_status configure(struct db *db, unsigned flags, struct error *error)
{
    static const char pragmas[] = "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY";
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_limit(db->handle, SQLITE_LIMIT_ATTACHED, 0);
    enum db_status status = DB_OK;
    if (!(flags & DB_READ_ONLY))
        status = use_wal(db, error);
    return status == DB_OK ? db_run(db, pragmas, error) : status;
}

static enum db_status prepare(struct db *db, unsigned flags, const struct db_schema *schema, struct error *error)
{
    struct found found;
    /* Of one moment: another process may be making the database just now. */
    enum db_status status = db_run(db, "BEGIN", error);
    if (status == DB_OK)
        status = recognise(db, schema, &found, error);
    db_rollback(db);
    if (status == DB_OK && (flags & DB_CHECK))
        status = quick_check(db, error);
    if (status == DB_OK)
        status = configure(db, flags, error);
    if (status != DB_OK)
        return status;
    if (!(flags & DB_READ_ONLY))
        return (size_t)found.version == schema->count ? DB_OK : migrate(db, schema, error);
    if (found.objects == 0) {
        describe(DB_ABSENT, db->path, "the file is empty", error);
        return DB_ABSENT;
    }
    if ((size_t)found.version < schema->count) {
        describe(DB_OLDER, db->path, "made by an older version of Muster", error);
        return DB_OLDER;
    }
    return DB_OK;
}

/* On read-only media SQLite cannot make the files that WAL needs beside the database; nobody can change it there
 * either. */
static bool on_read_only_media(const char *path)
{
    struct statvfs fs;
    return statvfs(path, &fs) == 0 && (fs.f_flag & ST_RDONLY);
}

/* The size of PATH's log or of its index; negative: there is none. */
static int64_t size_beside(const char *path, const char *suffix)
{
    struct wr name = wr_of(0);
    struct stat st;
    wr_fmt(&name, "%s%s", path, suffix);
    int64_t size = stat(wr_string(&name), &st) == 0 ? st.st_size : -1;
    wr_free(&name);
    return size;
}

static bool may_write_beside(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct wr folder = wr_of(0);
    wr_bytes(&folder, slash ? (struct bytes){(const uint8_t *)path, (size_t)(slash - path) + 1} : BYTES("."));
    bool may = access(wr_string(&folder), W_OK) == 0;
    wr_free(&folder);
    return may;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* All of it, if nobody wrote meanwhile: who writes makes a log first, and then changes the file's times. For
 * sqlite3_free(). */
static uint8_t *read_still(const char *path, size_t *n)
{
    struct stat before, after;
    uint8_t *copy = NULL;
    ssize_t got = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *n = 0;
    if (fd >= 0 && fstat(fd, &before) == 0 && S_ISREG(before.st_mode) && before.st_size <= SNAPSHOT_MAX)
        copy = sqlite3_malloc64((uint64_t)before.st_size + 1);
    while (copy && *n < (size_t)before.st_size && got > 0) {
        got = read(fd, copy + *n, (size_t)before.st_size - *n);
        *n += got > 0 ? (size_t)got : 0;
    }
    bool whole = copy && *n == (size_t)before.st_size && size_beside(path, "-wal") <= 0 && stat(path, &after) == 0 &&
                 is_same_file(&before, &after);
    if (fd >= 0)
        close(fd);
    if (!whole) {
        sqlite3_free(copy);
        copy = NULL;
    }
    return copy;
}

/* A database whose log was written back, of somebody else or on a full disk: SQLite would have to make the log's index
 * to read it, and cannot. What stands there is all of it, and is read at once, so that a writer who comes meanwhile
 * does no harm. SQLITE_OK with *handle NULL: this is no such database (any more). */
static int open_snapshot(const char *path, sqlite3 **handle)
{
    enum { READ_VERSION = 18, WRITE_VERSION = 19, HEADER = 100, ROLLBACK = 1 }; /* sqlite.org/fileformat2.html §1.3 */
    enum { INDEX_MIN = 32768 }; /* sqlite.org/walformat.html §2: with less nobody reads or writes by it */
    uint8_t *copy = NULL;
    size_t n = 0;
    *handle = NULL;
    for (int attempt = 0;
         attempt < 3 && !copy && size_beside(path, "-shm") < INDEX_MIN && size_beside(path, "-wal") <= 0; attempt++)
        copy = read_still(path, &n);
    if (!copy || n < HEADER) {
        sqlite3_free(copy);
        return SQLITE_OK;
    }
    copy[READ_VERSION] = copy[WRITE_VERSION] = ROLLBACK; /* in memory there is no log */
    int code =
        sqlite3_open_v2(":memory:", handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code != SQLITE_OK)
        sqlite3_free(copy);
    else
        code = sqlite3_deserialize(*handle, "main", copy, (int64_t)n, (int64_t)n,
                                   SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY);
    return code;
}

static int open_handle(const char *path, unsigned flags, sqlite3 **handle)
{
    int mode = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    mode |= flags & DB_READ_ONLY ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    if (flags & DB_CREATE)
        mode |= SQLITE_OPEN_CREATE;
    bool still = flags & DB_READ_ONLY && on_read_only_media(path) && size_beside(path, "-wal") <= 0;
    if (flags & DB_READ_ONLY && !still && (flags & MAKE_NOTHING || !may_write_beside(path))) {
        int code = open_snapshot(path, handle);
        if (code != SQLITE_OK || *handle)
            return code;
    }
    if (!still)
        return sqlite3_open_v2(path, handle, mode, NULL);
    struct wr uri = wr_of(0);
    wr_str(&uri, "file:");
    for (const char *c = path; *c; c++)
        wr_fmt(&uri, strchr("%?#", *c) ? "%%%02x" : "%c", (unsigned char)*c);
    wr_str(&uri, "?immutable=1");
    int code = sqlite3_open_v2(wr_string(&uri), handle, mode | SQLITE_OPEN_URI, NULL);
    wr_free(&uri);
    return code;
}

static enum db_status open_once(struct db **out, const char *path, unsigned flags, const struct db_schema *schema,
                                struct error *error)
{
    *out = NULL;
    struct stat st;
    if (stat(path, &st) < 0 && !(flags & DB_CREATE)) {
        enum db_status status = status_of_errno(errno);
        describe(status, path, strerror(errno), error);
        return status;
    }
    struct db *db = calloc(1, sizeof *db);
    if (!db || !(db->path = strdup(path))) {
        free(db);
        describe(DB_FAILED, path, "out of memory", error);
        return DB_FAILED;
    }
    enum db_status status = DB_OK;
    int code = open_handle(path, flags, &db->handle);
    if (code != SQLITE_OK) {
        int number = db->handle ? sqlite3_system_errno(db->handle) : 0;
        describe(status = status_of(db->handle, code), path, number ? strerror(number) : sqlite3_errstr(code), error);
    } else {
        sqlite3_busy_timeout(db->handle, PATIENCE_MS);
        /* Closing would write the log back into a file that may turn out to be damaged: not before it is known to be
         * ours. */
        sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        status = prepare(db, flags, schema, error);
        if (status == DB_OK)
            sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    }
    if (status != DB_OK)
        db_close(db);
    else
        *out = db;
    return status;
}

/* Who may only read finds the log's files between coming and going while a writer opens or closes. */
static bool may_pass(enum db_status status, const char *path, unsigned flags)
{
    return (status == DB_PERMISSION || status == DB_ABSENT) && flags & DB_READ_ONLY && access(path, R_OK) == 0 &&
           !may_write_beside(path);
}

enum db_status db_open(struct db **out, const char *path, unsigned flags, const struct db_schema *schema,
                       struct error *error)
{
    uint64_t deadline = time_monotonic_ms() + PASSING_MS;
    enum db_status status;
    while ((status = open_once(out, path, flags, schema, error)) != DB_OK && may_pass(status, path, flags) &&
           time_monotonic_ms() < deadline)
        sqlite3_sleep(10);
    if (status == DB_FULL && flags & DB_READ_ONLY)
        status = open_once(out, path, flags | MAKE_NOTHING, schema, error);
    return status;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    for (size_t i = 0; i < db->count; i++)
        sqlite3_finalize(db->statements[i]);
    sqlite3_close_v2(db->handle);
    free(db->statements);
    free(db->path);
    free(db);
}

/* ---- setting aside ----------------------------------------------------------------------------------------------- */

/* SQLite's file format, section 1.3: the magic, and at 68 the application id. */
bool db_is_ours(const char *path, const struct db_schema *schema)
{
    uint8_t head[72];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool whole = fd >= 0 && pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head;
    if (fd >= 0)
        close(fd);
    if (!whole || memcmp(head, "SQLite format 3", 16) != 0)
        return false;
    struct rd r = rd_of((struct bytes){head + 68, 4}, 0);
    return rd_u32(&r) == (uint32_t)schema->application;
}

/* Renames, unless the new name is taken. */
static int rename_kept(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    /* A file system that knows no such flag. */
    if (link(from, to) < 0)
        return -1;
    return unlink(from);
}

/* A new name that has neither database nor log. */
static bool free_name(const char *path, char *kept, size_t kept_size)
{
    char when[TIME_TEXT], stamp[TIME_TEXT] = "";
    time_format(time_now(), when);
    size_t n = 0;
    for (const char *c = when; *c; c++)
        if (*c != '-' && *c != ':')
            stamp[n++] = *c;
    for (unsigned attempt = 1; attempt < 1000; attempt++) {
        char more[16] = "";
        if (attempt > 1)
            snprintf(more, sizeof more, "-%u", attempt);
        int length = snprintf(kept, kept_size, "%s.damaged-%s%s", path, stamp, more);
        if (length < 0 || (size_t)length >= kept_size)
            return false;
        if (access(kept, F_OK) < 0)
            return true;
    }
    return false;
}

enum db_status db_set_aside(const char *path, char *kept, size_t kept_size, struct error *error)
{
    /* The database goes last: a log left beside a new database would be taken for the new one's. */
    static const char *const parts[] = {"-wal", "-shm", ""};
    if (!free_name(path, kept, kept_size)) {
        describe(DB_FAILED, path, "no name is free to set the damaged file aside", error);
        return DB_FAILED;
    }
    enum db_status status = DB_OK;
    for (size_t i = 0; i < ARRAY_LENGTH(parts) && status == DB_OK; i++) {
        struct wr from = wr_of(0), to = wr_of(0);
        wr_fmt(&from, "%s%s", path, parts[i]);
        wr_fmt(&to, "%s%s", kept, parts[i]);
        if (rename_kept(wr_string(&from), wr_string(&to)) < 0 && (errno != ENOENT || !*parts[i])) {
            status = status_of_errno(errno);
            describe(status, path, strerror(errno), error);
        }
        wr_free(&from);
        wr_free(&to);
    }
    return status;
}
