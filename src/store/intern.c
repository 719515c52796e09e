/* Interning: texts and sets that the fleet shares are stored once. */
#include "store/write.h"

#include <stdlib.h>
#include <string.h>

/* ---- interning --------------------------------------------------------------------------------------------------- */

/* Names and groups, which begin with their digest, are found through a list of pointers in the digests' order. */
static int by_digest(const void *a, const void *b)
{
    const uint8_t *x = *(const uint8_t *const *)a, *y = *(const uint8_t *const *)b;
    int order = memcmp(x, y, DIGEST_SIZE);
    return order ? order : (x > y) - (x < y);
}

static const void **index_digests(struct arena *a, const void *things, size_t size, size_t count)
{
    const void **index = arena_zalloc(a, count, sizeof *index);
    if (!index)
        return NULL;
    for (size_t i = 0; i < count; i++)
        index[i] = (const uint8_t *)things + i * size;
    qsort(index, count, sizeof *index, by_digest);
    return index;
}

/* The first in the index with this digest; `count` if there is none. */
static size_t find_digest(const void *const *index, size_t count, struct bytes digest)
{
    size_t low = 0, high = count;
    if (digest.n != DIGEST_SIZE)
        return count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(index[middle], digest.p, DIGEST_SIZE) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && memcmp(index[low], digest.p, DIGEST_SIZE) == 0 ? low : count;
}

static bool same_digest(const void *a, const void *b)
{
    return memcmp(a, b, DIGEST_SIZE) == 0;
}

struct names {
    struct name *items;
    const void **index;
    size_t count;
    /* Of each text without a number, once: */
    struct name **missing;
    int64_t *heads, *numbers;
    struct bytes *digests, *texts;
    size_t missing_count;
};

static enum store_status index_names(struct work *w, struct names *n)
{
    if (!(n->missing = arena_zalloc(w->a, n->count, sizeof *n->missing)) ||
        !(n->heads = arena_zalloc(w->a, n->count, 2 * sizeof *n->heads)) ||
        !(n->digests = arena_zalloc(w->a, n->count, 2 * sizeof *n->digests)))
        return work_out_of_memory(w);
    n->numbers = n->heads + n->count;
    n->texts = n->digests + n->count;
    for (size_t i = 0; i < n->count; i++)
        if (!set_digest(w->s, n->items[i].text, n->items[i].digest))
            return work_out_of_memory(w);
    if (!(n->index = index_digests(w->a, n->items, sizeof *n->items, n->count)))
        return work_out_of_memory(w);
    for (size_t i = 0; i < n->count; i++)
        ((struct name *)(uintptr_t)n->index[i])->stands = i == 0 || !same_digest(n->index[i], n->index[i - 1]);
    return STORE_OK;
}

/* In the digests' order: look-ups and inserts walk the database's index once from left to right. */
static void list_missing(struct names *n)
{
    n->missing_count = 0;
    for (size_t i = 0; i < n->count; i++) {
        struct name *name = (struct name *)(uintptr_t)n->index[i];
        if (name->id || !name->stands)
            continue;
        n->missing[n->missing_count] = name;
        n->heads[n->missing_count] = digest_head(name->digest);
        n->digests[n->missing_count] = (struct bytes){name->digest, DIGEST_SIZE};
        n->texts[n->missing_count++] = name->text;
    }
}

/* Those with the text of one that got its number get it, too. */
static void share_numbers(struct names *n)
{
    for (size_t i = 1; i < n->count; i++) {
        struct name *name = (struct name *)(uintptr_t)n->index[i];
        if (!name->stands)
            name->id = ((const struct name *)n->index[i - 1])->id;
    }
    list_missing(n);
}

/* Reads rows (digest, id). */
static enum store_status take_numbers(struct work *w, struct names *n, struct rows *rows, bool fresh, size_t *taken)
{
    for (*taken = 0; sql_next(rows, w->error); ++*taken) {
        size_t first = find_digest(n->index, n->count, sql_octets(rows, 0));
        if (first == n->count)
            continue;
        struct name *name = (struct name *)(uintptr_t)n->index[first];
        name->id = sql_number(rows, 1);
        name->fresh = fresh;
    }
    share_numbers(n);
    return sql_end(rows);
}

static enum store_status find_names(struct work *w, struct names *n)
{
    struct rows rows;
    size_t taken;
    ASK(w->s, ST_SOFTWARE_FIND, &rows, w->error, NUMS(n->heads, n->missing_count), OCTS(n->digests, n->missing_count));
    return take_numbers(w, n, &rows, false, &taken);
}

/* Where nobody else writes, what was not found is new, and the next numbers are free. */
static enum store_status append_names(struct work *w, struct names *n, size_t *taken)
{
    int64_t last;
    enum store_status status = sql_ask_number(w->s, ST_SOFTWARE_LAST, NULL, 0, &last, w->error);
    if (status != STORE_OK)
        return status;
    *taken = n->missing_count;
    for (size_t i = 0; i < n->missing_count; i++) {
        n->missing[i]->id = n->numbers[i] = last + 1 + (int64_t)i;
        n->missing[i]->fresh = true;
    }
    status = POST(w->s, ST_SOFTWARE_APPEND, w->error, NUM(w->learnt), NUMS(n->numbers, *taken), NUMS(n->heads, *taken),
                  OCTS(n->digests, *taken), OCTS(n->texts, *taken));
    share_numbers(n);
    return status;
}

static enum store_status add_names(struct work *w, struct names *n, size_t *taken)
{
    struct rows rows;
    if (w->s->engine->sole_writer)
        return append_names(w, n, taken);
    ASK(w->s, ST_SOFTWARE_ADD, &rows, w->error, NUM(w->learnt), NUMS(n->heads, n->missing_count),
        OCTS(n->digests, n->missing_count), OCTS(n->texts, n->missing_count));
    return take_numbers(w, n, &rows, true, taken);
}

enum store_status intern_names(struct work *w, struct name *items, size_t count)
{
    struct names n = {.items = items, .count = count};
    enum store_status status = index_names(w, &n);
    if (status != STORE_OK)
        return status;
    list_missing(&n);
    /* A second look-up finds what another server added meanwhile. */
    for (int attempt = 0; n.missing_count && attempt < 2; attempt++) {
        size_t taken;
        if ((status = find_names(w, &n)) != STORE_OK || n.missing_count == 0 ||
            (status = add_names(w, &n, &taken)) != STORE_OK)
            return status;
        for (size_t i = 0; i < count && taken; i++)
            if (items[i].fresh && (!w->first_new || items[i].id < w->first_new))
                w->first_new = items[i].id;
        w->receipt->new_software += (uint32_t)taken;
    }
    if (n.missing_count == 0)
        return STORE_OK;
    error_set(w->error, "the database neither finds nor takes %zu software identifiers", n.missing_count);
    return STORE_FAILED;
}

/* ---- change sets ------------------------------------------------------------------------------------------------- */

/* The groups by digest; each distinct one is asked for once. */
struct sets {
    const void **index;
    size_t count;
    struct bytes *digests;
    size_t missing;
};

static void list_missing_sets(struct sets *sets)
{
    sets->missing = 0;
    for (size_t i = 0; i < sets->count; i++) {
        const struct set_group *g = sets->index[i];
        if (g->id == 0 && (i == 0 || !same_digest(g, sets->index[i - 1])))
            sets->digests[sets->missing++] = (struct bytes){g->digest, DIGEST_SIZE};
    }
}

static enum store_status find_sets(struct work *w, struct sets *sets)
{
    struct rows rows;
    struct blob_members members;
    bool good = true;
    ASK(w->s, ST_SET_FIND, &rows, w->error, OCTS(sets->digests, sets->missing));
    while (sql_next(&rows, w->error)) {
        size_t first = find_digest(sets->index, sets->count, sql_octets(&rows, 0));
        good = good && blob_get_members(sql_octets(&rows, 2), w->a, &members);
        for (size_t i = first; good && i < sets->count && same_digest(sets->index[first], sets->index[i]); i++) {
            struct set_group *g = (struct set_group *)(uintptr_t)sets->index[i];
            g->id = sql_number(&rows, 1);
            g->members = members;
            good = members.count == g->count;
        }
    }
    enum store_status status = sql_end(&rows);
    if (status == STORE_OK && !good)
        return work_damaged(w, "a change set");
    list_missing_sets(sets);
    return status;
}

/* What a set does to a software, net, for the index of the sets that speak of it. */
struct net {
    int64_t software, net;
};

static int by_software(const void *a, const void *b)
{
    const struct net *x = a, *y = b;
    return (x->software > y->software) - (x->software < y->software);
}

/* Rows of change_block. */
struct blocks {
    int64_t *numbers, *sets, *created, *deleted;
    size_t count;
};

/* The set's part of the index; `nets` has room for its members. */
static void put_blocks(struct blocks *b, const struct set_group *set, struct net *nets)
{
    const struct blob_members *m = &set->members;
    size_t n = 0;
    for (size_t k = 0; k < m->count; k++)
        nets[k] = (struct net){m->software[k], (m->actions[k] == STORE_CREATE) - (m->actions[k] == STORE_DELETE)};
    qsort(nets, m->count, sizeof *nets, by_software);
    for (size_t k = 0; k < m->count; k++)
        if (n && nets[n - 1].software == nets[k].software)
            nets[n - 1].net += nets[k].net;
        else
            nets[n++] = nets[k];
    for (size_t k = 0; k < n; k++) {
        int64_t number = nets[k].software >> 6, bit = (int64_t)(UINT64_C(1) << (nets[k].software & 63));
        if (k == 0 || number != b->numbers[b->count - 1]) {
            b->numbers[b->count] = number;
            b->sets[b->count++] = set->id;
        }
        if (nets[k].net != -1)
            b->created[b->count - 1] |= bit;
        if (nets[k].net != 1)
            b->deleted[b->count - 1] |= bit;
    }
}

static enum store_status add_to_index(struct work *w, const struct set_group *const *added, size_t count)
{
    size_t members = 0, largest = 0;
    for (size_t i = 0; i < count; i++) {
        members += added[i]->count;
        largest = added[i]->count > largest ? added[i]->count : largest;
    }
    struct net *nets = arena_zalloc(w->a, largest, sizeof *nets);
    int64_t *columns = arena_zalloc(w->a, members, 4 * sizeof *columns);
    if (!nets || !columns)
        return work_out_of_memory(w);
    struct blocks b = {columns, columns + members, columns + 2 * members, columns + 3 * members, 0};
    for (size_t i = 0; i < count; i++)
        put_blocks(&b, added[i], nets);
    return POST(w->s, ST_BLOCK_ADD, w->error, NUMS(b.numbers, b.count), NUMS(b.sets, b.count), NUMS(b.created, b.count),
                NUMS(b.deleted, b.count));
}

/* Distinct groups whose set nobody has stored; their members' numbers are known. */
static enum store_status add_sets(struct work *w, struct sets *sets, struct set_group **fresh, size_t count)
{
    struct bytes *digests = arena_zalloc(w->a, count, sizeof *digests),
                 *blobs = arena_zalloc(w->a, count, sizeof *blobs);
    const struct set_group **added = arena_zalloc(w->a, count, sizeof *added);
    if (!digests || !blobs || !added)
        return work_out_of_memory(w);
    struct wr blob = wr_of(0);
    for (size_t i = 0; i < count; i++) {
        wr_reset(&blob);
        bool put = blob_put_members(&blob, &fresh[i]->members, w->a);
        digests[i] = (struct bytes){fresh[i]->digest, DIGEST_SIZE};
        blobs[i] = arena_copy(w->a, wr_view(&blob));
        if (!put || !blobs[i].p) {
            wr_free(&blob);
            return work_out_of_memory(w);
        }
    }
    wr_free(&blob);
    struct rows rows;
    size_t n = 0;
    ASK(w->s, ST_SET_ADD, &rows, w->error, NUM(w->learnt), OCTS(digests, count), OCTS(blobs, count));
    while (sql_next(&rows, w->error)) {
        size_t first = find_digest(sets->index, sets->count, sql_octets(&rows, 0));
        for (size_t i = first; i < sets->count && same_digest(sets->index[first], sets->index[i]); i++)
            ((struct set_group *)(uintptr_t)sets->index[i])->id = sql_number(&rows, 1);
        if (first < sets->count && n < count)
            added[n++] = sets->index[first];
    }
    enum store_status status = sql_end(&rows);
    if (status == STORE_OK && n)
        status = add_to_index(w, added, n);
    list_missing_sets(sets);
    return status;
}

/* Interns the members of every group that has no set yet. */
static enum store_status intern_members(struct work *w, struct sets *sets)
{
    size_t members = 0, fresh_count = 0;
    struct set_group **fresh = arena_zalloc(w->a, sets->missing, sizeof *fresh);
    for (size_t i = 0; i < w->group_count; i++)
        members += w->groups[i].id == 0 ? w->groups[i].count : 0;
    struct name *names = arena_zalloc(w->a, members, sizeof *names), *name = names;
    int64_t *numbers = arena_zalloc(w->a, members, sizeof *numbers);
    enum store_action *actions = arena_zalloc(w->a, members, sizeof *actions);
    uint32_t *order = arena_zalloc(w->a, members, sizeof *order);
    if (!fresh || !names || !numbers || !actions || !order)
        return work_out_of_memory(w);
    for (size_t i = 0; i < w->group_count; i++)
        for (size_t k = 0; w->groups[i].id == 0 && k < w->groups[i].count; k++)
            name++->text = w->groups[i].events[w->groups[i].order[k]].software_id;
    enum store_status status = intern_names(w, names, members);
    if (status != STORE_OK)
        return status;
    name = names;
    for (size_t i = 0; i < w->group_count; i++) {
        struct set_group *g = &w->groups[i];
        if (g->id)
            continue;
        g->members = (struct blob_members){g->count, numbers, actions, order};
        order += g->count;
        for (size_t k = 0; k < g->count; k++) {
            g->members.order[g->order[k]] = (uint32_t)k;
            *numbers++ = name++->id;
            *actions++ = g->events[g->order[k]].action;
        }
        if (sets->index[find_digest(sets->index, sets->count, (struct bytes){g->digest, DIGEST_SIZE})] == g)
            fresh[fresh_count++] = g;
    }
    return add_sets(w, sets, fresh, fresh_count);
}

enum store_status intern_sets(struct work *w)
{
    struct sets sets = {.count = w->group_count};
    sets.index = index_digests(w->a, w->groups, sizeof *w->groups, w->group_count);
    sets.digests = arena_zalloc(w->a, w->group_count, sizeof *sets.digests);
    if (!sets.index || !sets.digests)
        return work_out_of_memory(w);
    list_missing_sets(&sets);
    enum store_status status = find_sets(w, &sets);
    if (status == STORE_OK && sets.missing)
        status = intern_members(w, &sets);
    if (status == STORE_OK && sets.missing) /* another server was faster */
        status = find_sets(w, &sets);
    if (status != STORE_OK || sets.missing == 0)
        return status;
    error_set(w->error, "the database neither finds nor takes %zu change sets", sets.missing);
    return STORE_FAILED;
}
