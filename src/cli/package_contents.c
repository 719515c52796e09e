/* Gathers what a package file holds: nothing of it is believed or printed before its end was read. */
#include "cli/package.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    enum measure_hash hash;
    size_t size;
} hashes[] = {{MEASURE_SHA256, 32}, {MEASURE_SHA384, 48}, {MEASURE_SHA512, 64}};
static const enum measure_hash said_hashes[] = {
    [PKG_HASH_MD5] = MEASURE_MD5,       [PKG_HASH_SHA1] = MEASURE_SHA1,     [PKG_HASH_SHA256] = MEASURE_SHA256,
    [PKG_HASH_SHA384] = MEASURE_SHA384, [PKG_HASH_SHA512] = MEASURE_SHA512,
};

struct gathering {
    struct package_contents *c;
    struct measure_hasher *hasher, *proof; /* of what is wanted; of what the package says, if that is another one, in this hash: */
    enum pkg_hash proof_hash;
    size_t capacity;
    bool hashing, proving, failed; /* failed: no room */
};

struct bytes package_entry_digest(const struct package_contents *c, const struct package_entry *e, enum measure_hash hash)
{
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(hashes) && e->digests; i++) {
        if (hashes[i].hash == hash && c->hashes & hash)
            return (struct bytes){e->digests + at, hashes[i].size};
        at += c->hashes & hashes[i].hash ? hashes[i].size : 0;
    }
    return (struct bytes){0};
}

/* ---- taking ---------------------------------------------------------------------------------------------------------------- */

/* The last entry's content is complete. */
static void finish_content(struct gathering *g)
{
    struct measured m = {.state = MEASURE_FILE};
    uint8_t all[MEASURE_DIGESTS];
    size_t n = 0;
    if (!g->hashing)
        return;
    g->hashing = false;
    if (!measure_hasher_end(g->hasher, &m)) {
        g->failed = true;
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(hashes); i++) {
        struct bytes digest = measured_digest(&m, hashes[i].hash);
        if (digest.n)
            memcpy(all + n, digest.p, digest.n);
        n += digest.n;
    }
    struct package_entry *e = &g->c->entries[g->c->count - 1];
    struct measured proof = {.state = MEASURE_FILE};
    if (g->proving && !measure_hasher_end(g->proof, &proof))
        g->failed = true;
    if (e->said.n)
        e->proof = arena_copy(&g->c->arena, measured_digest(g->proving ? &proof : &m, said_hashes[e->said_hash]));
    e->digests = arena_copy(&g->c->arena, (struct bytes){all, n}).p;
    e->resolved = true;
}

static bool take_package(void *context, const struct pkg_archive *a)
{
    struct package_contents *c = ((struct gathering *)context)->c;
    const struct pkg_package *p = &a->package;
    c->manager = a->manager;
    c->package = *p;
    const struct {
        struct bytes *to, from;
    } texts[] = {{&c->package.name, p->name},
                 {&c->package.version, p->version},
                 {&c->package.arch, p->arch},
                 {&c->package.source_name, p->source_name},
                 {&c->package.source_version, p->source_version},
                 {&c->summary, a->summary},
                 {&c->licence, a->licence},
                 {&c->homepage, a->homepage}};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        *texts[i].to = arena_copy(&c->arena, texts[i].from);
    return !c->arena.exhausted;
}

static struct package_entry *add(struct gathering *g)
{
    struct package_contents *c = g->c;
    if (c->count == g->capacity) {
        size_t capacity = g->capacity ? 2 * g->capacity : 256;
        struct package_entry *grown = capacity * sizeof *grown <= PACKAGE_CONTENTS_MAX ? realloc(c->entries, capacity * sizeof *grown) : NULL;
        if (!grown)
            return NULL;
        c->entries = grown;
        g->capacity = capacity;
    }
    return &c->entries[c->count++];
}

/* What the package says of the next file is computed beside what is wanted, whatever that is. */
static bool begin_proof(struct gathering *g, const struct package_entry *e)
{
    if (!e->said.n || said_hashes[e->said_hash] & g->c->hashes)
        return false;
    if (!g->proof || g->proof_hash != e->said_hash) {
        measure_hasher_free(g->proof);
        g->proof = measure_hasher_new(said_hashes[e->said_hash]);
        g->proof_hash = e->said_hash;
    }
    if (g->proof)
        measure_hasher_begin(g->proof);
    return g->proof;
}

static bool take_member(void *context, const struct pkg_member *m)
{
    struct gathering *g = context;
    struct arena *a = &g->c->arena;
    finish_content(g);
    struct package_entry *e = add(g);
    if (!e) {
        g->failed = true;
        return false;
    }
    *e = (struct package_entry){
        .path = arena_copy(a, m->file.path),
        .link = m->link.n ? arena_copy(a, m->link) : (struct bytes){0},
        .same_as = m->same_as.n ? arena_copy(a, m->same_as) : (struct bytes){0},
        .kind = m->file.kind,
        .config = m->file.config,
        .optional = m->file.optional,
        .unlisted = m->unlisted,
        .absent = m->absent,
        .delivered = m->delivered,
        .mode = m->mode,
        .size = m->size,
        .said_hash = m->file.hash,
        .said = m->file.digest.n ? arena_copy(a, m->file.digest) : (struct bytes){0},
    };
    g->hashing = m->delivered;
    g->proving = g->hashing && begin_proof(g, e);
    if (g->hashing)
        measure_hasher_begin(g->hasher);
    g->failed |= a->exhausted;
    return !g->failed;
}

static bool take_content(void *context, struct bytes octets)
{
    struct gathering *g = context;
    measure_hasher_add(g->hasher, octets);
    if (g->proving)
        measure_hasher_add(g->proof, octets);
    return true;
}

/* ---- what shows at the end ----------------------------------------------------------------------------------------------------- */

static int by_path(const void *a, const void *b)
{
    const struct package_entry *x = *(struct package_entry *const *)a, *y = *(struct package_entry *const *)b;
    int order = bytes_compare(x->path, y->path);
    return order ? order : (x > y) - (x < y);
}

const struct package_entry *package_contents_find(const struct package_contents *c, struct bytes path)
{
    size_t from = 0, to = c->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = bytes_compare(c->sorted[middle]->path, path);
        if (order == 0)
            return c->sorted[middle];
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

static bool sort(struct package_contents *c)
{
    free(c->sorted);
    c->sorted = calloc(c->count + 1, sizeof *c->sorted);
    for (size_t i = 0; c->sorted && i < c->count; i++)
        c->sorted[i] = &c->entries[i];
    if (c->sorted)
        qsort(c->sorted, c->count, sizeof *c->sorted, by_path);
    return c->sorted != NULL;
}

/* Whoever unpacks it would have one of two; a folder is the same each time, and counts once. */
static bool check_twice(struct package_contents *c, struct error *error)
{
    size_t kept = 0;
    for (size_t i = 1; i < c->count; i++) {
        struct package_entry *before = c->sorted[i - 1], *e = c->sorted[i];
        if (!bytes_equal(before->path, e->path))
            continue;
        if (before->kind != PKG_FILE_DIRECTORY || e->kind != PKG_FILE_DIRECTORY) {
            error_set(error, "the path %s stands twice in it: refused", (const char *)e->path.p);
            return false;
        }
        before->again = true;
    }
    for (size_t i = 0; i < c->count; i++)
        if (!c->entries[i].again)
            c->entries[kept++] = c->entries[i];
    c->count = kept;
    return true;
}

/* What a link leads to was told before it: whoever unpacks it needs it there. */
static bool resolve(struct package_contents *c, struct error *error)
{
    for (size_t i = 0; i < c->count; i++) {
        struct package_entry *e = &c->entries[i];
        if (e->same_as.n == 0)
            continue;
        const struct package_entry *same = package_contents_find(c, e->same_as);
        if (!same || same > e || !same->resolved) {
            error_set(error, "%s is a hard link to %s, which is no file before it: refused", (const char *)e->path.p, (const char *)e->same_as.p);
            return false;
        }
        e->size = same->size;
        e->digests = same->digests;
        if (same->said_hash == e->said_hash)
            e->proof = same->proof;
        e->resolved = true;
    }
    return true;
}

static void compare(struct package_contents *c)
{
    for (struct package_entry *e = c->entries; e < c->entries + c->count; e++) {
        e->differs = e->said.n && e->proof.n && !bytes_equal(e->said, e->proof);
        c->differing += e->differs;
        c->unlisted += e->unlisted;
        c->absent += e->absent;
        c->unproven += e->said.n && !e->proof.n && e->resolved;
    }
}

static bool complete(struct package_contents *c, struct error *error)
{
    error_set(error, "no memory");
    if (!sort(c) || !check_twice(c, error) || !sort(c) || !resolve(c, error))
        return false;
    compare(c);
    error->text[0] = 0;
    return true;
}

static enum pkg_status gather(struct gathering *g, int fd, struct error *error)
{
    const struct pkg_archive_sink sink = {g, take_package, take_member, take_content};
    enum pkg_status status = pkg_archive_read(fd, &sink, error);
    if (status == PKG_ABSENT) /* there is a file, but it is no such package */
        status = PKG_DAMAGED;
    if (status == PKG_OK)
        finish_content(g);
    if (g->failed || g->c->arena.exhausted) {
        error_set(error, "it has more files than %zu MiB can list, or there is no memory", PACKAGE_CONTENTS_MAX >> 20);
        return PKG_DAMAGED;
    }
    return status == PKG_OK && !complete(g->c, error) ? PKG_DAMAGED : status;
}

enum pkg_status package_contents_read(struct package_contents *c, const char *path, unsigned wanted, struct error *error)
{
    *c = (struct package_contents){.hashes = wanted, .arena = arena_of(PACKAGE_CONTENTS_MAX)};
    struct gathering g = {.c = c, .hasher = measure_hasher_new(wanted)};
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    enum pkg_status status = PKG_NO_MEMORY;
    if (fd < 0) {
        status = errno == ENOENT ? PKG_ABSENT : PKG_UNREADABLE;
        error_set(error, "cannot be opened: %s", strerror(errno));
    } else if (!g.hasher)
        error_set(error, "no memory, or OpenSSL lacks a hash");
    else
        status = gather(&g, fd, error);
    if (fd >= 0 && !standard)
        close(fd);
    measure_hasher_free(g.hasher);
    measure_hasher_free(g.proof);
    if (status != PKG_OK)
        package_contents_free(c);
    return status;
}

void package_contents_free(struct package_contents *c)
{
    free(c->sorted);
    free(c->entries);
    arena_free(&c->arena);
    *c = (struct package_contents){0};
}
