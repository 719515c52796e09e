#include "measure/internal.h"

#include "db/db.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A path's digest finds the row; whether the file is still the one that was hashed is told by its size, times, inode and device alone. Another
 * path with the same digest has another inode: it is measured each time, not taken for this one. */
static const char *const migrations[] = {
    "CREATE TABLE file(path INTEGER PRIMARY KEY, size INTEGER NOT NULL, mtime INTEGER NOT NULL, ctime INTEGER NOT NULL,"
    " inode INTEGER NOT NULL, device INTEGER NOT NULL, hashes INTEGER NOT NULL, digests BLOB NOT NULL, seen INTEGER NOT NULL);"
    "CREATE TABLE run(number INTEGER NOT NULL);"
    "INSERT INTO run VALUES(0)",
    /* A lookup for each file of a machine: SQLite takes a row of eight columns apart for longer than it takes to find it. `known` is packed as
     * pack() does. */
    "DROP TABLE file;"
    "CREATE TABLE file(path INTEGER PRIMARY KEY, seen INTEGER NOT NULL, known BLOB NOT NULL)",
};
static const struct db_schema schema = {0x4d734861, migrations, ARRAY_LENGTH(migrations)};

#define PENDING      2048
#define SETTLED_NS   2000000000 /* a file changed later than so long ago may change again within the same tick of its clock */
#define FIND         "SELECT known, seen FROM file WHERE path = ?1"
#define LEARN        "INSERT OR REPLACE INTO file VALUES(?1, ?2, ?3)"
#define SEEN         "UPDATE file SET seen = ?2 WHERE path = ?1"

struct cache {
    struct db *db;
    uint64_t root; /* digest of the root's path */
    int64_t run;
    bool reading, failed;
    size_t count;
    struct pending {
        int64_t path;
        struct known known; /* hashes 0: only seen */
    } pending[PENDING];
};

/* Eight octets at a time, by the golden ratio: tells paths apart, withstands nobody, and need not. */
static uint64_t digest(uint64_t d, const void *p, size_t n)
{
    const uint8_t *octets = p;
    for (size_t taken; n; octets += taken, n -= taken) {
        uint64_t word = 0;
        taken = n < sizeof word ? n : sizeof word;
        memcpy(&word, octets, taken);
        d = (d ^ word) * 0x9e3779b97f4a7c15u;
        d ^= d >> 29;
    }
    return d;
}

/* The files of one folder lie side by side: they are asked for one after the other, and their rows share pages. */
static int64_t key_of(const struct cache *c, struct bytes path)
{
    size_t n = path.n;
    while (n && path.p[n - 1] != '/')
        n--;
    return (int64_t)(digest(c->root, path.p, n) >> 32 << 32 | digest(c->root, path.p + n, path.n - n) >> 32);
}

/* Digests stand in the order of their numbers: what is behind the last one asked for is not kept. */
static size_t digests_size(unsigned hashes)
{
    return hashes & MEASURE_SHA512 ? 32 + 48 + 64 : hashes & MEASURE_SHA384 ? 80 : 32;
}

/* Size, times, inode, device, hashes, and the digests: the database is this machine's alone, and so are the numbers' octets. */
enum { PACKED_FACTS = sizeof(struct file_facts) + sizeof(uint32_t), PACKED_MAX = PACKED_FACTS + MEASURE_DIGESTS };
_Static_assert(sizeof(struct file_facts) == 5 * sizeof(int64_t), "no padding");

static size_t pack(const struct known *k, uint8_t out[PACKED_MAX])
{
    uint32_t hashes = k->hashes;
    memcpy(out, &k->facts, sizeof k->facts);
    memcpy(out + sizeof k->facts, &hashes, sizeof hashes);
    memcpy(out + PACKED_FACTS, k->digests, digests_size(k->hashes));
    return PACKED_FACTS + digests_size(k->hashes);
}

/* False: damaged; *k tells no hashes then. */
static bool unpack(struct bytes b, struct known *k)
{
    uint32_t hashes = 0;
    if (b.n >= PACKED_FACTS)
        memcpy(&hashes, b.p + sizeof k->facts, sizeof hashes);
    bool good = hashes && b.n == PACKED_FACTS + digests_size(hashes);
    k->hashes = good ? hashes : 0;
    if (good) {
        memcpy(&k->facts, b.p, sizeof k->facts);
        memcpy(k->digests, b.p + PACKED_FACTS, b.n - PACKED_FACTS);
    }
    return good;
}

/* One snapshot for many questions: a lock each would cost more than the question. */
static void read_on(struct cache *c)
{
    struct error error;
    if (!c->reading && !c->failed)
        c->reading = db_run(c->db, "BEGIN", &error) == DB_OK;
}

static void read_off(struct cache *c)
{
    struct error error;
    if (c->reading && db_commit(c->db, &error) != DB_OK)
        c->failed = true;
    c->reading = false;
}

struct cache *cache_open(const char *path, const char *root, struct error *error)
{
    char kept[PATH_MAX];
    struct cache *c = calloc(1, sizeof *c);
    if (!c) {
        error_set(error, "%s: out of memory", path);
        return NULL;
    }
    enum db_status status = db_open(&c->db, path, DB_CREATE, &schema, error);
    /* What it holds can be measured again. A file that is no cache was named by mistake, and is somebody's. */
    if (status == DB_DAMAGED && db_is_ours(path, &schema) && db_set_aside(path, kept, sizeof kept, error) == DB_OK)
        status = db_open(&c->db, path, DB_CREATE, &schema, error);
    /* What a power cut takes away is measured again, too: no commit waits for the disk. */
    if (status == DB_OK && (status = db_run(c->db, "PRAGMA synchronous=NORMAL; PRAGMA cache_size=-8192", error)) != DB_OK)
        db_close(c->db);
    sqlite3_stmt *s = status == DB_OK ? db_statement(c->db, "SELECT number FROM run", error) : NULL;
    if (!s || sqlite3_step(s) != SQLITE_ROW) {
        if (status == DB_OK) {
            error_set(error, "%s: cannot be read", path);
            db_close(c->db);
        }
        free(c);
        return NULL;
    }
    c->run = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    c->root = digest(14695981039346656037u, root, strlen(root) + 1);
    return c;
}

static struct pending *append(struct cache *c, int64_t path);

void cache_find(struct cache *c, struct bytes path, struct known *known)
{
    struct error error;
    int64_t key = key_of(c, path);
    read_on(c);
    known->hashes = 0;
    sqlite3_stmt *s = c->failed ? NULL : db_statement(c->db, FIND, &error);
    if (!s)
        return;
    sqlite3_bind_int64(s, 1, key);
    int64_t seen = c->run;
    if (sqlite3_step(s) == SQLITE_ROW) {
        const uint8_t *packed = sqlite3_column_blob(s, 0);
        if (unpack((struct bytes){packed, (size_t)sqlite3_column_bytes(s, 0)}, known))
            seen = sqlite3_column_int64(s, 1);
    }
    sqlite3_reset(s);
    /* Not with every run, and not all of them with the same one. */
    struct pending *p = c->run - seen >= CACHE_RUNS / 2 + (key & 7) ? append(c, key) : NULL;
    if (p)
        p->known.hashes = 0;
}

static bool write_one(struct cache *c, const struct pending *p)
{
    struct error error;
    uint8_t packed[PACKED_MAX];
    sqlite3_stmt *s = db_statement(c->db, p->known.hashes ? LEARN : SEEN, &error);
    if (!s)
        return false;
    sqlite3_bind_int64(s, 1, p->path);
    sqlite3_bind_int64(s, 2, c->run);
    if (p->known.hashes)
        sqlite3_bind_blob(s, 3, packed, (int)pack(&p->known, packed), SQLITE_STATIC);
    bool good = sqlite3_step(s) == SQLITE_DONE;
    sqlite3_reset(s);
    return good;
}

/* In one short transaction: another run may be writing, too. */
static void write_pending(struct cache *c)
{
    struct error error;
    read_off(c);
    if (c->count && !c->failed) {
        bool good = db_begin(c->db, &error) == DB_OK;
        for (size_t i = 0; good && i < c->count; i++)
            good = write_one(c, &c->pending[i]);
        if (!good)
            db_rollback(c->db);
        c->failed = !good || db_commit(c->db, &error) != DB_OK;
    }
    c->count = 0;
}

static struct pending *append(struct cache *c, int64_t path)
{
    if (c->count == PENDING)
        write_pending(c);
    if (c->failed)
        return NULL;
    c->pending[c->count].path = path;
    return &c->pending[c->count++];
}

void cache_learn(struct cache *c, struct bytes path, const struct file_facts *facts, const struct measured *m)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t latest = facts->mtime > facts->ctime ? facts->mtime : facts->ctime;
    if (!m->hashes || latest / 1000000000 > (int64_t)now.tv_sec - SETTLED_NS / 1000000000 - 1)
        return;
    struct pending *p = append(c, key_of(c, path));
    if (!p)
        return;
    p->known = (struct known){*facts, m->hashes, {0}};
    memcpy(p->known.digests, m->digests, sizeof m->digests);
}

void cache_close(struct cache *c, bool complete)
{
    struct error error;
    if (!c)
        return;
    write_pending(c);
    sqlite3_stmt *s = NULL;
    if (complete && !c->failed && db_begin(c->db, &error) == DB_OK) {
        bool good = db_run(c->db, "UPDATE run SET number = number + 1", &error) == DB_OK &&
                    (s = db_statement(c->db, "DELETE FROM file WHERE seen + ?1 < (SELECT number FROM run)", &error));
        if (good) {
            sqlite3_bind_int64(s, 1, CACHE_RUNS);
            good = sqlite3_step(s) == SQLITE_DONE;
            sqlite3_reset(s);
        }
        if (!good || db_commit(c->db, &error) != DB_OK)
            db_rollback(c->db);
    }
    db_close(c->db);
    free(c);
}
