/* What endpoints say of their files, beside what the references say. Nothing of it is stored: it follows from what was
 * told and what is wanted, so that it does not matter who came first, and a finding closes with the report that agrees.
 */
#include "store/files.h"

#include <stdlib.h>
#include <string.h>

#define FINDING_BITS                                                                                                   \
    20 /* of a cursor: a finding's place in its software, below the software's number; SWID_READ_MAX holds fewer files \
        */

static enum store_status out_of_memory(struct error *error)
{
    error_set(error, "out of memory");
    return STORE_FAILED;
}

/* ---- what is there now ------------------------------------------------------------------------------------------- */

static bool read_members(struct bytes blob, struct arena *a, struct blob_present *present, int64_t endpoint,
                         struct error *error)
{
    if (blob_get_present(blob, a, present))
        return true;
    error_set(error, "the database is damaged: the present set of endpoint %lld cannot be read", (long long)endpoint);
    return false;
}

static enum store_status read_present(struct store *s, int64_t endpoint, struct blob_present *present, struct error *error)
{
    struct rows rows;
    bool good = true;
    *present = (struct blob_present){0};
    for (ASK(s, ST_PRESENT_GET, &rows, error, NUM(endpoint)); sql_next(&rows, error);)
        good = read_members(sql_octets(&rows, 1), &s->scratch, present, endpoint, error);
    enum store_status status = sql_end(&rows);
    return status == STORE_OK && !good ? STORE_DAMAGED : status;
}

static bool has(const struct blob_present *p, int64_t software)
{
    size_t low = 0, high = p->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (p->software[middle] < software)
            low = middle + 1;
        else
            high = middle;
    }
    return low < p->count && p->software[low] == software;
}

/* Each once. */
static void make_distinct(struct blob_present *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->count; i++)
        if (n == 0 || p->software[n - 1] != p->software[i])
            p->software[n++] = p->software[i];
    p->count = n;
}

enum store_status present_read(struct store *s, int64_t endpoint, struct blob_present *present, struct error *error)
{
    enum store_status status = read_present(s, endpoint, present, error);
    make_distinct(present);
    return status;
}

/* ---- spot checks ------------------------------------------------------------------------------------------------- */

enum store_status store_unverified(struct store *s, int64_t endpoint, unsigned limit, size_t octets, struct arena *a,
                                   struct store_untagged *list, size_t *count, struct error *error)
{
    struct rows rows;
    struct blob_present present;
    bool full = false;
    *count = 0;
    arena_reset(&s->scratch);
    enum store_status status = present_read(s, endpoint, &present, error);
    if (status != STORE_OK || present.count == 0)
        return status;
    ASK(s, ST_VERIFIABLE, &rows, error, NUMS(present.software, present.count), NUM(endpoint), NUM(limit));
    while (sql_next(&rows, error)) {
        struct bytes text = sql_octets(&rows, 1);
        full |= *count == limit || text.n + 2 > octets;
        struct bytes copy = full ? (struct bytes){NULL, 0} : arena_copy(a, text);
        full |= copy.p == NULL;
        if (full)
            continue;
        octets -= text.n + 2;
        list[(*count)++] = (struct store_untagged){sql_number(&rows, 0), copy};
    }
    return sql_end(&rows);
}

enum store_status store_verifying(struct store *s, int64_t endpoint, int64_t now, const struct store_untagged *list,
                                  size_t count, struct error *error)
{
    arena_reset(&s->scratch);
    int64_t *ids = arena_zalloc(&s->scratch, count, sizeof *ids);
    if (!ids)
        return out_of_memory(error);
    for (size_t i = 0; i < count; i++)
        ids[i] = list[i].id;
    enum store_status status = sql_guard_begin(s, error);
    if (status != STORE_OK)
        return status;
    return sql_guard_end(s, POST(s, ST_TOLD_ASKED, error, NUM(endpoint), NUM(now), NUMS(ids, count)), error);
}

enum store_status store_verified(struct store *s, int64_t endpoint, struct store_verified *v, struct error *error)
{
    struct rows rows;
    struct blob_present present;
    *v = (struct store_verified){0};
    arena_reset(&s->scratch);
    enum store_status status = present_read(s, endpoint, &present, error);
    if (status != STORE_OK || present.count == 0)
        return status;
    ASK(s, ST_VERIFIABLE, &rows, error, NUMS(present.software, present.count), NUM(endpoint), NUM(INT64_MAX));
    while (sql_next(&rows, error)) {
        int64_t differs = sql_number(&rows, 4);
        v->references++;
        v->compared += sql_number(&rows, 2) > 0;
        v->bare += sql_number(&rows, 3) > 0;
        v->differing += differs > 0;
        v->findings += differs > 0 ? differs : 0;
    }
    return sql_end(&rows);
}

enum store_status store_differing(struct store *s, int64_t endpoint, int64_t *differing, struct error *error)
{
    struct rows rows;
    struct blob_present present = {0};
    int64_t *ids = NULL;
    size_t count = 0;
    bool room = true;
    *differing = 0;
    for (ASK(s, ST_TOLD_DIFFERING, &rows, error, NUM(endpoint)); sql_next(&rows, error);) {
        int64_t *larger = room ? realloc(ids, (count + 1) * sizeof *ids) : NULL;
        room = larger != NULL;
        if (!room)
            continue;
        ids = larger;
        ids[count++] = sql_number(&rows, 0);
    }
    enum store_status status = sql_end(&rows);
    arena_reset(&s->scratch);
    if (status == STORE_OK && room && count)
        status = read_present(s, endpoint, &present, error);
    for (size_t i = 0; i < count; i++)
        *differing += has(&present, ids[i]);
    free(ids);
    return status == STORE_OK && !room ? out_of_memory(error) : status;
}

/* ---- findings ---------------------------------------------------------------------------------------------------- */

/* A software of which the endpoint told other files than its tag has. */
struct otherwise {
    int64_t wanted, told;
    struct store_finding finding;
    struct otherwise *next;
};

/* In the store's arena, behind `present`. */
static enum store_status read_otherwise(struct store *s, int64_t endpoint, int64_t from,
                                        const struct blob_present *present, struct otherwise **list,
                                        struct error *error)
{
    struct rows rows;
    struct arena *a = &s->scratch;
    bool room = true;
    *list = NULL;
    for (ASK(s, ST_TOLD_OTHERWISE, &rows, error, NUM(endpoint), NUM(from)); sql_next(&rows, error);) {
        int64_t software = sql_number(&rows, 0);
        if (!room || !has(present, software))
            continue;
        struct otherwise *o = arena_zalloc(a, 1, sizeof *o);
        if (!(room = o != NULL))
            continue;
        *o = (struct otherwise){
            .wanted = sql_number(&rows, 3),
            .told = sql_number(&rows, 4),
            .finding = {.software = software,
                        .software_id = arena_copy(a, sql_octets(&rows, 1)),
                        .against = sql_number(&rows, 2) ? STORE_REFERENCE : STORE_REPORTED,
                        .learnt = sql_number(&rows, 5),
                        .package = {.name = arena_copy(a, sql_octets(&rows, 6)),
                                    .version = arena_copy(a, sql_octets(&rows, 7)),
                                    .arch = arena_copy(a, sql_octets(&rows, 8))}},
        };
        *list = o;
        list = &o->next;
    }
    enum store_status status = sql_end(&rows);
    return status == STORE_OK && (!room || a->exhausted) ? out_of_memory(error) : status;
}

struct page {
    bool (*visit)(void *, const struct store_finding *);
    void *context;
    struct store_finding finding; /* what the differences of one software share */
    uint64_t after, last, next, place;
    unsigned left;
};

/* One difference more than the page holds tells whether there is a next one. */
static bool add_finding(void *context, enum store_difference what, const struct store_file *wanted,
                        const struct store_file *told)
{
    struct page *p = context;
    uint64_t cursor = (uint64_t)p->finding.software << FINDING_BITS | ++p->place;
    if (cursor <= p->after)
        return true;
    if (p->left == 0) {
        p->next = p->last;
        return false;
    }
    struct store_finding f = p->finding;
    f.what = what;
    f.wanted = wanted ? *wanted : (struct store_file){.size = -1};
    f.told = told ? *told : (struct store_file){.size = -1};
    f.path = wanted ? wanted->path : told->path;
    p->last = cursor;
    p->left--;
    if (p->visit(p->context, &f))
        return true;
    p->next = cursor;
    return false;
}

static enum store_status add_findings(struct store *s, const struct otherwise *o, struct page *p, struct error *error)
{
    struct arena a = arena_of((size_t)512 << 20);
    struct file_list wanted, told;
    enum store_status status = files_read(s, o->wanted, &a, &wanted, error);
    if (status == STORE_OK)
        status = files_read(s, o->told, &a, &told, error);
    p->finding = o->finding;
    p->place = 0;
    if (status == STORE_OK)
        files_compare(&wanted, &told, add_finding, p);
    arena_free(&a);
    return status;
}

enum store_status store_findings(struct store *s, int64_t endpoint, uint64_t after, unsigned limit,
                                 bool (*visit)(void *, const struct store_finding *), void *context, uint64_t *next,
                                 struct error *error)
{
    struct blob_present present;
    struct otherwise *list = NULL;
    struct page p = {.visit = visit, .context = context, .after = after, .left = page_size(limit)};
    *next = 0;
    if (after > INT64_MAX)
        return STORE_OK;
    arena_reset(&s->scratch);
    enum store_status status = read_present(s, endpoint, &present, error);
    if (status == STORE_OK)
        status = read_otherwise(s, endpoint, (int64_t)(after >> FINDING_BITS), &present, &list, error);
    for (const struct otherwise *o = list; o && status == STORE_OK && !p.next; o = o->next)
        status = add_findings(s, o, &p, error);
    *next = p.next;
    return status;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

struct found {
    uint64_t cursor;
    int64_t set;
    struct store_found_file item;
};

static enum store_status read_found(struct store *s, struct bytes sha256, struct bytes path, uint64_t after,
                                    unsigned limit, struct found *list, size_t *count, struct error *error)
{
    struct rows rows;
    struct arena *a = &s->scratch;
    int64_t head = files_digest_head(sha256);
    enum store_status status = sha256.n ? STORE_OK : files_head(s, path, &head, error);
    if (status != STORE_OK)
        return status;
    ASK(s, sha256.n ? ST_FILES_BY_SHA256 : ST_FILES_BY_PATH, &rows, error, NUM(head), OCT(sha256.n ? sha256 : path),
        NUM((int64_t)after), NUM((int64_t)limit + 1));
    while (sql_next(&rows, error)) {
        int64_t set = sql_number(&rows, 1), extent = sql_number(&rows, 3);
        bool reference = sql_number(&rows, 7) && set == sql_number(&rows, 8);
        list[(*count)++] = (struct found){
            .cursor = (uint64_t)sql_number(&rows, 0),
            .set = set,
            .item = {.file = {.path = arena_copy(a, sql_octets(&rows, 2)),
                              .size = (extent - (extent & 1)) / 2,
                              .mutable = extent & 1,
                              .sha256 = arena_copy(a, sql_octets(&rows, 4))},
                     .software = sql_number(&rows, 5),
                     .software_id = arena_copy(a, sql_octets(&rows, 6)),
                     .package = {.name = arena_copy(a, sql_octets(&rows, 10)),
                                 .version = arena_copy(a, sql_octets(&rows, 11)),
                                 .arch = arena_copy(a, sql_octets(&rows, 12))},
                     .kind = reference ? STORE_REFERENCE : STORE_REPORTED,
                     .deviation = set != sql_number(&rows, 8) && set != sql_number(&rows, 9)},
        };
    }
    status = sql_end(&rows);
    return status == STORE_OK && a->exhausted ? out_of_memory(error) : status;
}

struct owners {
    struct store_owner *items;
    size_t count;
    bool more;
};

/* Who has the software now, and does not tell that its files are other ones; of a deviation: who tells it. *last: of
 * the candidates. */
static enum store_status read_owners(struct store *s, const struct found *f, int64_t *last, size_t *candidates,
                                     struct owners *o, struct error *error)
{
    struct rows rows;
    struct arena decode = arena_of((size_t)64 << 20);
    bool good = true;
    *candidates = 0;
    for (ASK(s, ST_OWNERS, &rows, error, NUM(f->item.software), NUM(*last), NUM(STORE_OWNERS_MAX));
         sql_next(&rows, error); ++*candidates) {
        int64_t told = sql_number(&rows, 4);
        struct blob_present present;
        *last = sql_number(&rows, 0);
        if (!good || sql_number(&rows, 2) || o->more || (told ? told != f->set : f->item.deviation))
            continue;
        arena_reset(&decode);
        if (!(good = read_members(sql_octets(&rows, 3), &decode, &present, *last, error)) ||
            !has(&present, f->item.software))
            continue;
        if ((o->more = o->count == STORE_OWNERS_MAX))
            continue;
        o->items[o->count++] = (struct store_owner){*last, arena_copy(&s->scratch, sql_octets(&rows, 1)), told != 0};
    }
    arena_free(&decode);
    enum store_status status = sql_end(&rows);
    return status == STORE_OK && !good ? STORE_DAMAGED : status;
}

/* Some thousand candidates at a time: many may have had it. */
static enum store_status find_owners(struct store *s, struct found *f, struct error *error)
{
    struct owners o = {arena_zalloc(&s->scratch, STORE_OWNERS_MAX, sizeof *o.items), 0, false};
    enum store_status status = STORE_OK;
    int64_t last = 0;
    size_t candidates = STORE_OWNERS_MAX;
    if (!o.items)
        return out_of_memory(error);
    while (status == STORE_OK && candidates == STORE_OWNERS_MAX && !o.more)
        status = read_owners(s, f, &last, &candidates, &o, error);
    f->item.owners = o.items;
    f->item.owner_count = o.count;
    f->item.more = o.more;
    return status;
}

enum store_status store_files(struct store *s, struct bytes sha256, struct bytes path, uint64_t after, unsigned limit,
                              bool (*visit)(void *, const struct store_found_file *), void *context, uint64_t *next,
                              struct error *error)
{
    size_t count = 0;
    *next = 0;
    limit = page_size(limit);
    if (after > INT64_MAX)
        return STORE_OK;
    arena_reset(&s->scratch);
    struct found *list = arena_zalloc(&s->scratch, limit + 1, sizeof *list);
    if (!list)
        return out_of_memory(error);
    enum store_status status = read_found(s, sha256, path, after, limit, list, &count, error);
    for (size_t i = 0; i < count && i < limit && status == STORE_OK; i++) {
        if (i && list[i].set == list[i - 1].set) { /* the same endpoints */
            list[i].item.owners = list[i - 1].item.owners;
            list[i].item.owner_count = list[i - 1].item.owner_count;
            list[i].item.more = list[i - 1].item.more;
        } else if ((status = find_owners(s, &list[i], error)) != STORE_OK) {
            break;
        }
        bool go_on = visit(context, &list[i].item);
        if ((!go_on || i + 1 == limit) && i + 1 < count)
            *next = list[i].cursor;
        if (!go_on)
            break;
    }
    return status;
}
