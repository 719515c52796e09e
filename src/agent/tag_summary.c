/* What packages say of themselves in a line, for tags that are about the package: read once for all of them, as the databases have it. */
#include "agent/tag_maker.h"

#include <stdlib.h>

#define TEXT_MAX ((size_t)64 << 20)

struct summary {
    uint8_t source;
    struct bytes name, version, arch, text;
};
struct tag_summaries {
    struct arena arena;
    struct summary *all;
    size_t count, capacity;
    uint8_t source; /* that is read now */
};

static bool grow(struct tag_summaries *s)
{
    if (s->count < s->capacity)
        return true;
    size_t capacity = s->capacity ? 2 * s->capacity : 1024;
    struct summary *grown = realloc(s->all, capacity * sizeof *grown);
    if (!grown)
        return false;
    s->all = grown;
    s->capacity = capacity;
    return true;
}

/* Without memory the rest has none: a summary is a courtesy. */
static bool take_description(void *context, const struct pkg_description *d)
{
    struct tag_summaries *s = context;
    if (!d->summary.n)
        return true;
    if (!grow(s))
        return false;
    s->all[s->count++] = (struct summary){s->source, arena_copy(&s->arena, d->name), arena_copy(&s->arena, d->version),
                                          arena_copy(&s->arena, d->arch), arena_copy(&s->arena, d->summary)};
    return !s->arena.exhausted;
}

static int order(const void *a, const void *b)
{
    const struct summary *x = a, *y = b;
    int by = (x->source > y->source) - (x->source < y->source);
    if (!by)
        by = bytes_compare(x->name, y->name);
    if (!by)
        by = bytes_compare(x->version, y->version);
    return by ? by : bytes_compare(x->arch, y->arch);
}

struct tag_summaries *tag_summaries_read(const char *root)
{
    struct tag_summaries *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->arena = arena_of(TEXT_MAX);
    const struct pkg_sink sink = {.context = s, .description = take_description};
    for (const struct pkg_manager *const *m = pkg_managers; *m; m++) {
        s->source = (*m)->source;
        if ((*m)->describe && (*m)->present(root))
            (void)!(*m)->describe(root, &sink); /* what cannot be read has no summary */
    }
    if (s->count)
        qsort(s->all, s->count, sizeof *s->all, order);
    return s;
}

struct bytes tag_summary_of(const struct tag_summaries *s, const struct journal_record *r)
{
    const struct summary key = {r->source, r->name, r->version, r->arch, {0}};
    const struct summary *found = s && s->count && r->installed ? bsearch(&key, s->all, s->count, sizeof key, order) : NULL;
    return found ? found->text : (struct bytes){0};
}

void tag_summaries_free(struct tag_summaries *s)
{
    if (!s)
        return;
    arena_free(&s->arena);
    free(s->all);
    free(s);
}
