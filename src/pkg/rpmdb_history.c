/* muster-rpmdb DBPATH history FILE FIRST: the transactions of dnf's database FILE (dnf 4's or dnf 5's) from the number
 * FIRST on. */
#include "pkg/rpmdb.h"

#include <fcntl.h>
#include <inttypes.h>
#include <rpm/header.h>
#include <rpm/rpmdb.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HISTORY_MAX ((off_t)256 << 20)

/* What the two generations call the same. deeds: what became of a package, by the number of its action: + it came,
 * - it went, = it was installed again. */
static const struct schema {
    const char *transactions; /* number, begin, end or NULL, user, command; from a number on */
    const char *items;        /* action, name, epoch, version, release, arch; of a transaction, what was done of it */
    const char *deeds;
} schemas[] = {
    {"SELECT id, dt_begin, dt_end, user_id, cmdline FROM trans WHERE id >= ?1 ORDER BY id",
     "SELECT action, name, epoch, version, release, arch FROM trans_item JOIN rpm USING(item_id)"
     " WHERE trans_id = ?1 AND state = 1 ORDER BY id",
     /* Install, Downgrade, Downgraded, Obsolete, Obsoleted, Upgrade, Upgraded, Remove, Reinstall, Reinstalled, Reason */
     " ++-+-+--=  "},
    {"SELECT id, dt_begin, dt_end, user_id, description FROM trans WHERE id >= ?1 ORDER BY id",
     "SELECT action_id, n.name, epoch, version, release, a.name FROM trans_item i JOIN rpm USING(item_id)"
     " JOIN pkg_names n ON n.id = name_id JOIN archs a ON a.id = arch_id"
     " WHERE trans_id = ?1 AND state_id = 2 ORDER BY i.id",
     /* Install, Upgrade, Downgrade, Reinstall, Remove, Replaced, Reason Change */
     " +++=-- "},
};

static const char *text_of(sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    return text ? text : "";
}

/* The installed package that an item names; NULL if it is not there any more. Holds until *found is freed. */
static Header find_installed(rpmts ts, sqlite3_stmt *item, rpmdbMatchIterator *found)
{
    *found = rpmtsInitIterator(ts, RPMDBI_NAME, text_of(item, 1), 0);
    static const rpmTag tags[] = {RPMTAG_VERSION, RPMTAG_RELEASE, RPMTAG_ARCH};
    for (Header h; (h = rpmdbNextIterator(*found));) {
        bool same = headerGetNumber(h, RPMTAG_EPOCH) == (uint64_t)sqlite3_column_int64(item, 2);
        for (int i = 0; i < 3 && same; i++) {
            const char *text = headerGetString(h, tags[i]);
            same = text && strcmp(text, text_of(item, 3 + i)) == 0;
        }
        if (same)
            return h;
    }
    return NULL;
}

/* Deed, name, version, architecture, and the second at which it was installed, 0 if it is not there any more. */
static void put_item(rpmts ts, sqlite3_stmt *item, char deed)
{
    rpmdbMatchIterator found;
    Header h = find_installed(ts, item, &found);
    char *evr = h ? headerGetAsString(h, RPMTAG_EVR) : NULL;
    printf("%c\t", deed);
    rpmdb_put_text(text_of(item, 1), '\t');
    if (evr) {
        rpmdb_put_text(evr, '\t');
    } else {
        if (sqlite3_column_int64(item, 2))
            printf("%" PRId64 ":", (int64_t)sqlite3_column_int64(item, 2));
        rpmdb_put_text(text_of(item, 3), '-');
        rpmdb_put_text(text_of(item, 4), '\t');
    }
    rpmdb_put_text(text_of(item, 5), '\t');
    rpmdb_put_number(h ? (int64_t)headerGetNumber(h, RPMTAG_INSTALLTIME) : 0, '\n');
    free(evr);
    rpmdbFreeIterator(found);
}

/* "T", number, begin, end (0: it has none), user, command; behind it its items. */
static int put_transactions(rpmts ts, sqlite3_stmt *transactions, sqlite3_stmt *items, const char *deeds)
{
    int status, item_status = SQLITE_DONE;
    while ((status = sqlite3_step(transactions)) == SQLITE_ROW && item_status == SQLITE_DONE) {
        fputs("T\t", stdout);
        for (int column = 0; column < 4; column++)
            rpmdb_put_number(sqlite3_column_int64(transactions, column), '\t');
        rpmdb_put_text(text_of(transactions, 4), '\n');
        sqlite3_reset(items);
        sqlite3_bind_int64(items, 1, sqlite3_column_int64(transactions, 0));
        while ((item_status = sqlite3_step(items)) == SQLITE_ROW) {
            int64_t action = sqlite3_column_int64(items, 0);
            char deed = action >= 0 && action < (int64_t)strlen(deeds) ? deeds[action] : ' ';
            if (deed != ' ')
                put_item(ts, items, deed);
        }
    }
    return status == SQLITE_DONE && item_status == SQLITE_DONE ? 0 : 1;
}

static bool copy_file(const char *from, const char *to)
{
    char block[65536];
    int in = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    off_t size = 0;
    ssize_t n = in < 0 || out < 0 ? -1 : 1;
    while (n > 0 && size <= HISTORY_MAX) {
        n = read(in, block, sizeof block);
        if (n > 0 && write(out, block, (size_t)n) != n)
            n = -1;
        size += n;
    }
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return n == 0;
}

static int read_history(rpmts ts, sqlite3 *db, int64_t first)
{
    sqlite3_stmt *transactions = NULL, *items = NULL;
    int status = 1;
    for (size_t i = 0; status && i < sizeof schemas / sizeof *schemas; i++) {
        if (sqlite3_prepare_v2(db, schemas[i].transactions, -1, &transactions, NULL) == SQLITE_OK &&
            sqlite3_prepare_v2(db, schemas[i].items, -1, &items, NULL) == SQLITE_OK) {
            sqlite3_bind_int64(transactions, 1, first);
            status = put_transactions(ts, transactions, items, schemas[i].deeds);
            i = sizeof schemas / sizeof *schemas;
        }
        sqlite3_finalize(transactions);
        sqlite3_finalize(items);
        transactions = items = NULL;
    }
    return status;
}

/* A copy is read, with its write-ahead log: SQLite would write beside the original, or could not read it at all. */
int rpmdb_put_history(rpmts ts, const char *history, const char *first)
{
    static const char *const suffixes[] = {"-wal", "", "-shm"}; /* the log first: what moves on is at worst in both */
    char folder[] = "/tmp/muster-rpmdb-XXXXXX", from[4096], copy[64];
    sqlite3 *db = NULL;
    int status = 1;
    if (!mkdtemp(folder))
        return 1;
    for (int i = 0; i < 2; i++) {
        snprintf(from, sizeof from, "%s%s", history, suffixes[i]);
        snprintf(copy, sizeof copy, "%s/db%s", folder, suffixes[i]);
        bool copied = copy_file(from, copy);
        if (i == 1 && copied && sqlite3_open_v2(copy, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK) {
            sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
            status = read_history(ts, db, strtoll(first, NULL, 10));
        }
    }
    sqlite3_close(db);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        snprintf(copy, sizeof copy, "%s/db%s", folder, suffixes[i]);
        unlink(copy);
    }
    rmdir(folder);
    return status;
}
