#include "pkg/internal.h"

#include <stdlib.h>
#include <string.h>

/* All packages of a root with their descriptions. Who depends on whom is found by an index of all that is given, by name: the time that it takes
 * grows with the relations that there are, not with the square of the packages. */

#define CATALOGUE_MAX ((size_t)512 << 20)

struct told {
    const struct pkg_relation *needs, *gives;
    size_t need_count, give_count;
};
struct pkg_catalogue {
    struct pkg_item *items;
    struct told *told; /* of each item */
    size_t count, capacity;
    struct arena arena;
    const struct pkg_manager *manager; /* whose packages are being told */
    const struct pkg_sink *sink;
    bool no_memory;
};

struct pkg_catalogue *pkg_catalogue_new(void)
{
    struct pkg_catalogue *c = calloc(1, sizeof *c);
    if (c)
        c->arena = arena_of(CATALOGUE_MAX);
    return c;
}

void pkg_catalogue_free(struct pkg_catalogue *c)
{
    if (!c)
        return;
    arena_free(&c->arena);
    free(c->items);
    free(c->told);
    free(c);
}

const struct pkg_item *pkg_catalogue_items(const struct pkg_catalogue *c, size_t *count)
{
    *count = c->count;
    return c->items;
}

/* A copy; of two texts that are mostly equal one. */
static struct bytes keep(struct pkg_catalogue *c, struct bytes text, struct bytes same)
{
    if (text.n == 0 || bytes_equal(text, same))
        return text.n ? same : (struct bytes){0};
    return arena_copy(&c->arena, text);
}

bool pkg_catalogue_add(struct pkg_catalogue *c, const struct pkg_manager *m, const struct pkg_package *p)
{
    if (c->count == c->capacity) {
        size_t capacity = c->capacity ? c->capacity * 2 : 1024;
        struct pkg_item *grown = realloc(c->items, capacity * sizeof *grown);
        if (!grown)
            return false;
        c->items = grown;
        c->capacity = capacity;
    }
    struct pkg_item *item = &c->items[c->count];
    *item = (struct pkg_item){.manager = m, .package = *p};
    struct pkg_package *q = &item->package;
    q->name = keep(c, p->name, (struct bytes){0});
    q->version = keep(c, p->version, (struct bytes){0});
    q->arch = keep(c, p->arch, (struct bytes){0});
    q->source_name = keep(c, p->source_name, q->name);
    q->source_version = keep(c, p->source_version, q->version);
    item->tag_id = p->tag ? keep(c, p->tag->software_id, (struct bytes){0}) : (struct bytes){0};
    q->tag = NULL;
    c->count++;
    return !c->arena.exhausted;
}

/* ---- what is installed --------------------------------------------------------------------------------------------------- */

static bool take_package(void *context, const struct pkg_package *p)
{
    struct pkg_catalogue *c = context;
    c->no_memory |= !pkg_catalogue_add(c, c->manager, p);
    return !c->no_memory;
}

static void pass_complaint(void *context, const char *file, size_t line, const char *what, bool unreadable)
{
    const struct pkg_catalogue *c = context;
    if (c->sink->complaint)
        c->sink->complaint(c->sink->context, file, line, what, unreadable);
}

static bool pass_tag(void *context, struct pkg_package *p, struct pkg_tag *tag, struct error *error)
{
    const struct pkg_catalogue *c = context;
    return c->sink->read_tag(c->sink->context, p, tag, error);
}

enum pkg_status pkg_catalogue_collect(struct pkg_catalogue *c, const char *root, const struct pkg_sink *sink)
{
    const struct pkg_sink own = {
        .context = c, .package = take_package, .read_tag = sink->read_tag ? pass_tag : NULL, .complaint = pass_complaint};
    enum pkg_status worst = PKG_ABSENT;
    c->sink = sink;
    for (size_t i = 0; pkg_managers[i]; i++) {
        c->manager = pkg_managers[i];
        if (!c->manager->present(root))
            continue;
        enum pkg_status status = c->manager->installed(root, &own);
        if (worst == PKG_ABSENT || (worst == PKG_OK && status != PKG_ABSENT))
            worst = status;
    }
    return c->no_memory ? PKG_NO_MEMORY : worst;
}

/* ---- order, and what is told of each ------------------------------------------------------------------------------------------ */

static int compare_items(const void *a, const void *b)
{
    const struct pkg_item *x = a, *y = b;
    int order = bytes_compare(x->package.name, y->package.name);
    if (!order)
        order = bytes_compare(x->package.arch, y->package.arch);
    if (!order)
        order = bytes_compare(x->package.version, y->package.version);
    return order ? order : (x->manager->source > y->manager->source) - (x->manager->source < y->manager->source);
}

static int by_place(const void *a, const void *b)
{
    const struct pkg_item *x = a, *y = b;
    int order = compare_items(a, b);
    return order ? order : bytes_compare(x->tag_id, y->tag_id);
}

static void sort(struct pkg_catalogue *c)
{
    if (c->count)
        qsort(c->items, c->count, sizeof *c->items, by_place);
    for (size_t i = 1; i < c->count; i++)
        c->items[i].twin = compare_items(&c->items[i - 1], &c->items[i]) == 0 ? c->items[i - 1].twin + 1 : 0;
}

static const struct pkg_relation *keep_relations(struct pkg_catalogue *c, const struct pkg_relation *from, size_t count, const struct pkg_item *item)
{
    struct pkg_relation *to = arena_zalloc(&c->arena, count + 1, sizeof *to);
    for (size_t i = 0; i < count && to; i++) {
        to[i] = from[i];
        to[i].name = keep(c, from[i].name, item->package.name);
        to[i].version = keep(c, from[i].version, item->package.version);
        to[i].arch = keep(c, from[i].arch, item->package.arch);
    }
    return to;
}

static bool take_description(void *context, const struct pkg_description *d)
{
    struct pkg_catalogue *c = context;
    const struct pkg_item key = {.manager = c->manager, .package = {.name = d->name, .version = d->version, .arch = d->arch}};
    size_t from = 0, to = c->count;
    while (from < to) { /* the first that is not before it */
        size_t middle = from + (to - from) / 2;
        if (compare_items(&c->items[middle], &key) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    for (; from < c->count && compare_items(&c->items[from], &key) == 0; from++) {
        struct pkg_item *item = &c->items[from];
        struct bytes none = {0};
        item->summary = keep(c, d->summary, none);
        item->homepage = keep(c, d->homepage, none);
        item->maintainer = keep(c, d->maintainer, none);
        item->licence = keep(c, d->licence, none);
        item->library = d->library;
        item->described = true;
        c->told[from] = (struct told){keep_relations(c, d->needs, d->need_count, item), keep_relations(c, d->gives, d->give_count, item),
                                      d->need_count, d->give_count};
    }
    return !c->arena.exhausted;
}

/* ---- who depends on whom ------------------------------------------------------------------------------------------------------- */

struct given {
    uint32_t item;
    const struct pkg_relation *relation;
    const struct given *next; /* of names with the same digest */
};
struct index {
    const struct given **buckets;
    size_t size; /* a power of two */
    uint32_t *found; /* by the item that is being resolved */
    size_t found_count, found_capacity;
};

static const struct given **bucket(const struct index *x, struct bytes name)
{
    return &x->buckets[digest_add(DIGEST_START, name.p, name.n) & (x->size - 1)];
}

static bool build(struct pkg_catalogue *c, struct index *x)
{
    size_t count = 0;
    for (size_t i = 0; i < c->count; i++)
        count += c->told[i].give_count;
    for (x->size = 64; x->size < count; x->size *= 2)
        continue;
    x->buckets = calloc(x->size, sizeof *x->buckets);
    struct given *all = arena_zalloc(&c->arena, count + 1, sizeof *all);
    if (!x->buckets || !all)
        return false;
    for (size_t i = 0; i < c->count; i++)
        for (size_t k = 0; k < c->told[i].give_count; k++) {
            const struct pkg_relation *r = &c->told[i].gives[k];
            const struct given **first = bucket(x, r->name);
            *all = (struct given){(uint32_t)i, r, *first};
            *first = all++;
        }
    return true;
}

static struct bytes without_release(struct bytes version)
{
    for (size_t n = version.n; n > 0; n--)
        if (version.p[n - 1] == '-')
            return (struct bytes){version.p, n - 1};
    return version;
}

static bool version_fits(const struct pkg_order *order, const struct pkg_relation *need, const struct pkg_relation *give)
{
    struct bytes has = give->version, wants = need->version;
    if (need->compare == PKG_ANY)
        return true;
    if (give->compare == PKG_ANY || has.n == 0)
        return give->loose;
    if (need->compare == PKG_LIKE)
        return bytes_starts(has, wants);
    if (need->loose && !memchr(wants.p, '-', wants.n))
        has = without_release(has);
    else if (need->loose && !memchr(has.p, '-', has.n))
        wants = without_release(wants);
    int is = order ? order->compare(has, wants) : bytes_compare(has, wants);
    switch (need->compare) {
    case PKG_LESS:
        return is < 0;
    case PKG_LESS_EQUAL:
        return is <= 0;
    case PKG_EQUAL:
        return is == 0;
    case PKG_GREATER_EQUAL:
        return is >= 0;
    default:
        return is > 0;
    }
}

static bool note(struct index *x, uint32_t item)
{
    if (x->found_count == x->found_capacity) {
        size_t capacity = x->found_capacity ? x->found_capacity * 2 : 256;
        uint32_t *grown = realloc(x->found, capacity * sizeof *grown);
        if (!grown)
            return false;
        x->found = grown;
        x->found_capacity = capacity;
    }
    x->found[x->found_count++] = item;
    return true;
}

/* Notes who satisfies this need of item i: the package of that name, else all that give it. False: nobody. */
static bool satisfy(struct pkg_catalogue *c, struct index *x, size_t i, const struct pkg_relation *need)
{
    const struct pkg_manager *m = c->items[i].manager;
    size_t before = x->found_count;
    bool named = false;
    for (const struct given *g = *bucket(x, need->name); g; g = g->next) {
        const struct pkg_item *other = &c->items[g->item];
        bool same_arch = need->arch.n == 0 || g->relation->arch.n == 0 || bytes_equal(need->arch, g->relation->arch);
        if (other->manager != m || !same_arch || !bytes_equal(g->relation->name, need->name) || !version_fits(m->order, need, g->relation))
            continue;
        bool name = bytes_equal(other->package.name, need->name);
        if (named && !name)
            continue;
        if (name && !named)
            x->found_count = before;
        named |= name;
        c->no_memory |= !note(x, g->item);
    }
    return x->found_count > before;
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static bool resolve(struct pkg_catalogue *c, struct index *x, size_t i)
{
    const struct told *t = &c->told[i];
    bool done = false;
    x->found_count = 0;
    for (size_t k = 0; k < t->need_count; k++) {
        done = t->needs[k].alternative && done;
        done = done || satisfy(c, x, i, &t->needs[k]);
    }
    if (x->found_count)
        qsort(x->found, x->found_count, sizeof *x->found, compare_numbers);
    size_t kept = 0;
    for (size_t k = 0; k < x->found_count; k++)
        if (x->found[k] != i && (kept == 0 || x->found[kept - 1] != x->found[k]))
            x->found[kept++] = x->found[k];
    uint32_t *depends = arena_alloc(&c->arena, (kept + 1) * sizeof *depends);
    if (!depends)
        return false;
    if (kept)
        memcpy(depends, x->found, kept * sizeof *depends);
    c->items[i].depends = depends;
    c->items[i].depend_count = kept;
    return true;
}

enum pkg_status pkg_catalogue_describe(struct pkg_catalogue *c, const char *root, const struct pkg_sink *sink)
{
    const struct pkg_sink own = {.context = c, .description = take_description, .complaint = pass_complaint};
    enum pkg_status worst = PKG_OK;
    struct index x = {0};
    c->sink = sink;
    sort(c);
    c->told = calloc(c->count + 1, sizeof *c->told);
    if (!c->told)
        return PKG_NO_MEMORY;
    for (size_t i = 0; pkg_managers[i]; i++) {
        c->manager = pkg_managers[i];
        enum pkg_status status = c->manager->describe && c->manager->present(root) ? c->manager->describe(root, &own) : PKG_OK;
        if (worst == PKG_OK && status != PKG_ABSENT)
            worst = status;
    }
    bool good = build(c, &x);
    for (size_t i = 0; i < c->count && good; i++)
        good = resolve(c, &x, i);
    free(x.buckets);
    free(x.found);
    return good && !c->no_memory && !c->arena.exhausted ? worst : PKG_NO_MEMORY;
}
