#include "store/set.h"

#include <stdlib.h>
#include <string.h>

/* dpkg needs seconds for a package, minutes for a kernel or an office suite: what follows within a minute is the same
 * run. The smaller the gap, the more runs are cut in two, at another place on each machine; the larger, the more often
 * two runs stick together. */
#define RUN_GAP 60

static bool together(const struct store_event *a, const struct store_event *b)
{
    if (a->eid ==
        b->eid) /* strongSwan gives one EID to a whole transaction, contrary to SWIMA-R31; an inventory's are all 0 */
        return true;
    if (a->source != b->source)
        return false;
    if (a->time == TIME_UNKNOWN || b->time == TIME_UNKNOWN)
        return a->time == b->time;
    return b->time >= a->time - RUN_GAP && b->time <= a->time + RUN_GAP;
}

size_t set_cut(const struct store_event *events, size_t count)
{
    size_t n = 1;
    while (n < count && n < BLOB_MEMBERS_MAX && together(&events[n - 1], &events[n]))
        n++;
    return n;
}

bool set_digest(struct store *s, struct bytes b, uint8_t digest[DIGEST_SIZE])
{
    uint8_t whole[EVP_MAX_MD_SIZE];
    if (EVP_DigestInit_ex2(s->digest, s->sha256, NULL) != 1 ||
        EVP_DigestUpdate(s->digest, b.n ? (const void *)b.p : "", b.n) != 1 ||
        EVP_DigestFinal_ex(s->digest, whole, NULL) != 1)
        return false;
    memcpy(digest, whole, DIGEST_SIZE);
    return true;
}

int64_t digest_head(const uint8_t digest[DIGEST_SIZE])
{
    return (int64_t)(digest[0] & 0x7f) << 24 | digest[1] << 16 | digest[2] << 8 | digest[3];
}

/* Identifiers of one machine begin alike: behind that, eight octets decide nearly always. */
struct sort_key {
    uint64_t head;
    uint32_t event;
};

static int compare_keys(const void *a, const void *b, void *context)
{
    const struct sort_key *x = a, *y = b;
    const struct store_event *events = context;
    if (x->head != y->head)
        return x->head < y->head ? -1 : 1;
    int order = bytes_compare(events[x->event].software_id, events[y->event].software_id);
    if (order == 0)
        order = (int)events[x->event].action - (int)events[y->event].action;
    return order ? order : (x->event > y->event) - (x->event < y->event);
}

static size_t common_prefix(const struct set_group *g)
{
    struct bytes first = g->events[0].software_id;
    size_t n = first.n;
    for (size_t i = 1; i < g->count && n; i++) {
        struct bytes b = g->events[i].software_id;
        if (b.n < n)
            n = b.n;
        if (memcmp(b.p, first.p, n) == 0)
            continue;
        for (size_t k = 0; k < n; k++)
            if (b.p[k] != first.p[k])
                n = k;
    }
    return n;
}

static uint64_t head_of(struct bytes b, size_t from)
{
    uint64_t head = 0;
    for (size_t i = 0; i < 8; i++)
        head = head << 8 | (from + i < b.n ? b.p[from + i] : 0);
    return head;
}

static bool sort_members(struct store *s, struct set_group *g)
{
    struct sort_key *keys = arena_zalloc(&s->scratch, g->count, sizeof *keys);
    g->order = arena_zalloc(&s->scratch, g->count, sizeof *g->order);
    if (!keys || !g->order)
        return false;
    size_t common = common_prefix(g);
    bool sorted = true;
    for (size_t i = 0; i < g->count; i++) {
        keys[i] = (struct sort_key){head_of(g->events[i].software_id, common), (uint32_t)i};
        sorted = sorted && (i == 0 || compare_keys(&keys[i - 1], &keys[i], (void *)(uintptr_t)g->events) < 0);
    }
    if (!sorted)
        qsort_r(keys, g->count, sizeof *keys, compare_keys, (void *)(uintptr_t)g->events);
    for (size_t i = 0; i < g->count; i++)
        g->order[i] = keys[i].event;
    return true;
}

bool set_arrange(struct store *s, struct set_group *g)
{
    if (!sort_members(s, g))
        return false;
    struct wr w = wr_of(SIZE_MAX / 2);
    for (size_t i = 0; i < g->count; i++) {
        const struct store_event *e = &g->events[g->order[i]];
        wr_u32(&w, e->software_id.n);
        wr_bytes(&w, e->software_id);
        wr_u8(&w, (uint64_t)e->action);
    }
    bool done = !w.bad && set_digest(s, wr_view(&w), g->digest);
    wr_free(&w);
    return done;
}
