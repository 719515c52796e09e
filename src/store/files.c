/* Sets of files: interned, because versions of a package share most of their paths and many of their files, and because
 * honest endpoints tell what the reference says. */
#include "store/files.h"

#include <stdlib.h>
#include <string.h>

static enum store_status out_of_memory(struct error *error)
{
    error_set(error, "out of memory");
    return STORE_FAILED;
}

int64_t files_digest_head(struct bytes sha256)
{
    uint8_t octets[DIGEST_SIZE] = {0};
    if (!sha256.n)
        return -1;
    memcpy(octets, sha256.p, sha256.n < sizeof octets ? sha256.n : sizeof octets);
    return digest_head(octets);
}

enum store_status files_head(struct store *s, struct bytes text, int64_t *head, struct error *error)
{
    uint8_t octets[DIGEST_SIZE];
    if (!set_digest(s, text, octets))
        return out_of_memory(error);
    *head = digest_head(octets);
    return STORE_OK;
}

/* ---- reading and comparing --------------------------------------------------------------------------------------- */

/* See SCHEMA_4. */
static int64_t extent_of(const struct store_file *f)
{
    return (f->size < 0 ? -1 : f->size) * 2 + f->mutable;
}

enum store_status files_read(struct store *s, int64_t set, struct arena *a, struct file_list *list, struct error *error)
{
    struct rows rows;
    size_t capacity = 0;
    bool room = true;
    *list = (struct file_list){0};
    for (ASK(s, ST_FILES_OF_SET, &rows, error, NUM(set)); sql_next(&rows, error);) {
        if (room && list->count == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            struct store_file *larger = arena_zalloc(a, capacity, sizeof *larger);
            if (larger && list->count)
                memcpy(larger, list->items, list->count * sizeof *larger);
            list->items = larger;
            room = larger != NULL;
        }
        if (!room)
            continue;
        int64_t extent = sql_number(&rows, 1), mutable = extent & 1;
        struct store_file *f = &list->items[list->count++];
        *f = (struct store_file){.path = arena_copy(a, sql_octets(&rows, 0)),
                                 .size = (extent - mutable) / 2,
                                 .mutable = mutable,
                                 .sha256 = arena_copy(a, sql_octets(&rows, 2))};
        room = f->path.p && f->sha256.p;
    }
    enum store_status status = sql_end(&rows);
    return status == STORE_OK && !room ? out_of_memory(error) : status;
}

/* What one of them does not tell cannot differ. */
static bool is_other(const struct store_file *wanted, const struct store_file *told)
{
    return (wanted->sha256.n && told->sha256.n && !bytes_equal(wanted->sha256, told->sha256)) ||
           (wanted->size >= 0 && told->size >= 0 && wanted->size != told->size);
}

/* Whether a file is mutable is the wanted side's word: who tells a file otherwise would call it so. What only the other
 * side knows is mutable if it says so: it need not have told it at all. */
void files_compare(const struct file_list *wanted, const struct file_list *told, files_visit *visit, void *context)
{
    bool go_on = true;
    for (size_t i = 0, k = 0; go_on && (i < wanted->count || k < told->count);) {
        const struct store_file *w = i < wanted->count ? &wanted->items[i] : NULL,
                                *t = k < told->count ? &told->items[k] : NULL;
        int order = !w ? 1 : !t ? -1 : bytes_compare(w->path, t->path);
        i += order <= 0;
        k += order >= 0;
        if (order == 0 && !w->mutable && is_other(w, t))
            go_on = visit(context, STORE_CHANGED, w, t);
        else if (order < 0 && !w->mutable)
            go_on = visit(context, STORE_MISSING, w, NULL);
        else if (order > 0 && !t->mutable)
            go_on = visit(context, STORE_ADDED, NULL, t);
    }
}

static bool count_one(void *context, enum store_difference what, const struct store_file *wanted,
                      const struct store_file *told)
{
    (void)what, (void)wanted, (void)told;
    ++*(int64_t *)context;
    return true;
}

/* `reference` is in another arena than the store's, which is free here. */
static enum store_status compare_one(struct store *s, const struct file_list *reference, int64_t set,
                                     struct error *error)
{
    struct file_list told;
    int64_t differs = 0;
    arena_reset(&s->scratch);
    enum store_status status = files_read(s, set, &s->scratch, &told, error);
    if (status != STORE_OK)
        return status;
    files_compare(reference, &told, count_one, &differs);
    return POST(s, ST_FILE_SET_DIFFERS, error, NUM(differs), NUM(set));
}

static enum store_status compare(struct store *s, int64_t reference, const int64_t *sets, size_t count,
                                 struct error *error)
{
    struct arena a = arena_of((size_t)256 << 20);
    struct file_list wanted;
    enum store_status status = reference ? files_read(s, reference, &a, &wanted, error) : STORE_OK;
    for (size_t i = 0; i < count && status == STORE_OK; i++)
        status = reference ? compare_one(s, &wanted, sets[i], error)
                           : POST(s, ST_FILE_SET_DIFFERS, error, NUM(-1), NUM(sets[i]));
    arena_free(&a);
    return status;
}

enum store_status files_compare_all(struct store *s, int64_t software, int64_t reference, struct error *error)
{
    struct rows rows;
    int64_t *sets = NULL;
    size_t count = 0, capacity = 0;
    bool room = true;
    for (ASK(s, ST_FILE_SETS_OF, &rows, error, NUM(software)); sql_next(&rows, error);) {
        if (room && count == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            int64_t *larger = realloc(sets, capacity * sizeof *sets);
            room = larger != NULL;
            sets = larger ? larger : sets;
        }
        if (room)
            sets[count++] = sql_number(&rows, 0);
    }
    enum store_status status = sql_end(&rows);
    if (status == STORE_OK)
        status = room ? compare(s, reference, sets, count, error) : out_of_memory(error);
    free(sets);
    return status;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* What a set consists of, side by side as zip() wants it. */
struct columns {
    int64_t *path_heads, *heads, *extents;
    struct bytes *paths, *digests;
    size_t count;
    uint8_t digest[DIGEST_SIZE]; /* of it all */
};

static int by_path(const void *a, const void *b)
{
    const struct store_file *x = a, *y = b;
    int order = bytes_compare(x->path, y->path);
    if (!order)
        order = bytes_compare(x->sha256, y->sha256);
    return order ? order : (extent_of(x) > extent_of(y)) - (extent_of(x) < extent_of(y));
}

/* A path that stands twice counts once. */
static size_t make_distinct(struct store_file *sorted, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (n == 0 || !bytes_equal(sorted[n - 1].path, sorted[i].path))
            sorted[n++] = sorted[i];
    return n;
}

static bool put_columns(struct store *s, const struct store_file *files, struct columns *c)
{
    struct wr all = wr_of((size_t)256 << 20);
    bool good = true;
    for (size_t i = 0; i < c->count && good; i++) {
        uint8_t digest[DIGEST_SIZE];
        const struct store_file *f = &files[i];
        good = set_digest(s, f->path, digest);
        c->path_heads[i] = digest_head(digest);
        c->paths[i] = f->path;
        c->heads[i] = files_digest_head(f->sha256);
        c->extents[i] = extent_of(f);
        c->digests[i] = f->sha256;
        wr_u32(&all, f->path.n);
        wr_bytes(&all, f->path);
        wr_u64(&all, (uint64_t)c->extents[i]);
        wr_u32(&all, f->sha256.n);
        wr_bytes(&all, f->sha256);
    }
    good = good && !all.bad && set_digest(s, wr_view(&all), c->digest);
    wr_free(&all);
    return good;
}

static bool arrange(struct store *s, const struct store_file *files, size_t count, struct columns *c)
{
    arena_reset(&s->scratch);
    struct store_file *sorted = arena_zalloc(&s->scratch, count, sizeof *sorted);
    int64_t *numbers = arena_zalloc(&s->scratch, count, 3 * sizeof *numbers);
    struct bytes *texts = arena_zalloc(&s->scratch, count, 2 * sizeof *texts);
    if (!sorted || !numbers || !texts)
        return false;
    *c = (struct columns){numbers, numbers + count, numbers + 2 * count, texts, texts + count, count, {0}};
    memcpy(sorted, files, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_path);
    c->count = make_distinct(sorted, count);
    return put_columns(s, sorted, c);
}

static enum store_status add_set(struct store *s, int64_t software, const struct columns *c, int64_t *set,
                                 struct error *error)
{
    struct value row[] = {NUM(software), NUM((int64_t)c->count), OCT(((struct bytes){c->digest, DIGEST_SIZE}))};
    const struct value path_heads = NUMS(c->path_heads, c->count), paths = OCTS(c->paths, c->count),
                       heads = NUMS(c->heads, c->count), extents = NUMS(c->extents, c->count),
                       digests = OCTS(c->digests, c->count);
    enum store_status status = sql_ask_number(s, ST_FILE_SET_ADD, row, ARRAY_LENGTH(row), set, error);
    if (status == STORE_OK)
        status = POST(s, ST_FILE_PATHS_ADD, error, path_heads, paths);
    if (status == STORE_OK)
        status = POST(s, ST_FILES_ADD, error, path_heads, paths, heads, extents, digests);
    return status == STORE_OK ? POST(s, ST_FILE_SET_FILL, error, NUM(*set), path_heads, paths, heads, extents, digests)
                              : status;
}

enum store_status files_put(struct store *s, int64_t software, const struct store_file *files, size_t count,
                            int64_t *set, struct error *error)
{
    struct columns c;
    int64_t reference = 0;
    *set = 0;
    /* Also for a tag without files: one may come beside it. SQLite's writer is alone. */
    enum store_status status = s->engine->sole_writer ? STORE_OK : POST(s, ST_SOFTWARE_LOCK, error, NUM(software));
    if (status != STORE_OK || count == 0)
        return status;
    if (!arrange(s, files, count, &c))
        return out_of_memory(error);
    struct value key[] = {NUM(software), OCT(((struct bytes){c.digest, DIGEST_SIZE}))};
    status = sql_ask_number(s, ST_FILE_SET_FIND, key, ARRAY_LENGTH(key), set, error);
    if (status != STORE_NOT_FOUND)
        return status;
    status = add_set(s, software, &c, set, error);
    if (status == STORE_OK)
        status = sql_ask_number(s, ST_TAG_FILES, key, 1, &reference, error);
    if (status == STORE_OK && reference)
        return compare(s, reference, set, 1, error);
    return status == STORE_NOT_FOUND ? STORE_OK : status;
}

enum store_status files_forget(struct store *s, int64_t software, int64_t set, struct error *error)
{
    enum store_status status = POST(s, ST_FILE_SET_EMPTY, error, NUM(set), NUM(software));
    return status == STORE_OK ? POST(s, ST_FILE_SET_DROP, error, NUM(set), NUM(software)) : status;
}
