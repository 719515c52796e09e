/* db: SQLite opened safely. This is the room's one public header. */
#ifndef MUSTER_DB_H
#define MUSTER_DB_H

#include "base/base.h"

#include <sqlite3.h>

enum db_status {
    DB_OK = 0,
    DB_ABSENT,     /* no such file, and DB_CREATE was not given */
    DB_DAMAGED,    /* no database, or a broken one: nothing was written to it */
    DB_NEWER,      /* made by a newer version of Muster */
    DB_OLDER,      /* made by an older one, and DB_READ_ONLY was given: opened without it, it is brought up to date */
    DB_BUSY,       /* another process holds it longer than the patience */
    DB_FULL,       /* the disk or the quota */
    DB_PERMISSION, /* may not be read or written */
    DB_FAILED,     /* anything else (a database of another program, too); the error's text says what */
};

enum db_flags {
    DB_CREATE = 1,   /* make it if it is not there */
    DB_READ_ONLY = 2,
    DB_CHECK = 4,    /* PRAGMA quick_check before use */
};

/* The schema's history: statement lists that bring version i to i+1, run in one transaction each. PRAGMA user_version counts them,
 * PRAGMA application_id (`application`) tells our files from others. */
struct db_schema {
    int32_t application;
    const char *const *migrations;
    size_t count;
};

struct db; /* one connection, for one thread at a time */

/* Opens PATH: WAL, synchronous=FULL, foreign keys on, defensive, no extensions, no ATTACH; migrates. With DB_READ_ONLY the file may be somebody
 * else's, in a folder that may not be written, or on a full disk. On DB_DAMAGED the file is left as it
 * is: db_set_aside() is the caller's decision. `error` gets one line with the path and what to do. */
enum db_status db_open(struct db **out, const char *path, unsigned flags, const struct db_schema *schema, struct error *error) MUST_USE;
void db_close(struct db *db);
sqlite3 *db_handle(struct db *db);
/* Whether the file begins as a database with this schema's `application` does, damaged or not. What a person named and what is not ours is never set
 * aside. */
bool db_is_ours(const char *path, const struct db_schema *schema) MUST_USE;
/* Renames PATH (with its -wal and -shm) to PATH.damaged-YYYYMMDDThhmmssZ; never overwrites. `kept` gets the new name. */
enum db_status db_set_aside(const char *path, char *kept, size_t kept_size, struct error *error) MUST_USE;

/* A statement prepared once and kept with the connection, found by its text; reset and unbound on each call. Reset it when its rows have been
 * read: one that stands on a row holds back the log's clean-up. NULL: `error` says why. */
sqlite3_stmt *db_statement(struct db *db, const char *sql, struct error *error);
/* One statement without results. */
enum db_status db_run(struct db *db, const char *sql, struct error *error) MUST_USE;
/* What a failed SQLite call means, with a clear line (path and reason). */
enum db_status db_explain(struct db *db, int sqlite_code, struct error *error);
/* BEGIN IMMEDIATE (waits for another writer, up to 30 s) / COMMIT / ROLLBACK. */
enum db_status db_begin(struct db *db, struct error *error) MUST_USE;
enum db_status db_commit(struct db *db, struct error *error) MUST_USE;
void db_rollback(struct db *db);

#endif
