/* What the files of the journal share. Private to agent/journal*.c and their test. */
#ifndef MUSTER_AGENT_JOURNAL_H
#define MUSTER_AGENT_JOURNAL_H

#include "agent/agent.h"
#include "db/db.h"

#include <limits.h>

#define JOURNAL_CACHE_SIZE "-16384" /* KiB, of whoever writes (PRAGMA cache_size) */

struct journal {
    struct db *db;
    char *path;
    enum journal_mode mode;
};

enum journal_status journal_status_of(enum db_status status) MUST_USE;
/* A statement, or NULL with *status and the error set. */
sqlite3_stmt *journal_statement(struct journal *j, const char *sql, enum journal_status *status, struct error *error);
/* Steps; true on a row. At the end or after a failure false, with *status set. */
bool journal_step(struct journal *j, sqlite3_stmt *s, enum journal_status *status, struct error *error) MUST_USE;
/* The file is damaged: keep it aside and begin anew. */
enum journal_status journal_renew(struct journal *j, struct error *error) MUST_USE;

/* Makes the state folder, and those above it. False: `error` says why, errno too. */
bool journal_make_folder(const char *path, struct error *error) MUST_USE;
/* The real path of a root. */
enum journal_status journal_find_root(const char *root, char path[PATH_MAX], struct error *error) MUST_USE;
/* Says that the journal is of `own`, not of `root` (real paths). */
enum journal_status journal_other_root(const struct journal *j, const char *own, const char *root, struct error *error);
/* True if the root has any package manager's database. */
bool journal_any_manager(const char *root);

/* Columns and parameters: TIME_UNKNOWN and empty texts are NULL. Views live until the next step. */
int64_t journal_column_time(sqlite3_stmt *s, int column);
struct bytes journal_column_text(sqlite3_stmt *s, int column);
void journal_bind_time(sqlite3_stmt *s, int at, int64_t t);
/* The text must live until the statement is reset. */
void journal_bind_text(sqlite3_stmt *s, int at, struct bytes b);

/* ---- sets of packages -------------------------------------------------------------------------------------------- */

/* A package of one version and architecture. Its texts stand behind it. */
struct entry {
    struct entry *next;
    struct bytes name, arch, version, source_name, source_version;
    uint64_t hash; /* of the name */
    uint32_t id;   /* Record Identifier */
    enum pkg_state state;
    enum pkg_precision precision;
    int64_t installed_at; /* as the package manager says, TIME_UNKNOWN */
    struct pkg_tag tag;   /* empty but for what brought its own; of what the journal knows without its octets */
    int64_t since, replaced_at; /* replaced_at: when another version took its place unseen, or 0 */
    bool waiting;               /* the record's row is not written yet */
    bool dirty;                 /* what stands here is not written yet */
    bool base;                  /* older than the logs: its event gets its time at the end of the run */
    bool before;                /* there already when the run began */
    bool matched;               /* found in the other set */
    uint8_t text[];
};
struct entry_set {
    struct entry **buckets;
    size_t bucket_count, count;
};
/* A copy of p; NULL if there is no memory. Source texts that equal name and version take no room. */
struct entry *entry_add(struct entry_set *set, const struct pkg_package *p) MUST_USE;
/* Of the same name, architecture and version and, if it is known by its own tag, the same identifier at the same place. */
struct entry *entry_find_exact(const struct entry_set *set, const struct pkg_package *p);
/* The first entry of that name, or the next one after `after`. */
struct entry *entry_find(const struct entry_set *set, struct bytes name, const struct entry *after);
/* Takes it out and frees it. */
void entry_remove(struct entry_set *set, struct entry *e);
/* All entries ordered by name, architecture, version; the caller frees the array. NULL without memory (or entries). */
struct entry **entry_sorted(const struct entry_set *set) MUST_USE;
void entry_set_free(struct entry_set *set);

/* Remembers a number for a key, 16 octets an entry: for all records that ever were. Keys are 96 bits of a hash, so that
 * half a million of them hold a false match once in 10^17 journals. */
struct memory_key {
    uint64_t first;
    uint32_t second;
} __attribute__((packed, aligned(4)));
struct memory {
    struct memory_slot {
        struct memory_key key;
        uint32_t value;
    } * slots;
    size_t capacity, count;
};
struct memory_key memory_key(uint8_t domain, struct bytes a, struct bytes b, struct bytes c);
/* False if there is no memory. */
bool memory_put(struct memory *m, struct memory_key key, uint32_t value) MUST_USE;
bool memory_get(const struct memory *m, struct memory_key key, uint32_t *value);
void memory_free(struct memory *m);

#endif
