#include "agent/journal.h"

#include <stdlib.h>
#include <string.h>

/* Eight octets at a time, mixed by the two halves of a product. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_add(uint64_t hash, struct bytes b)
{
    uint64_t word;
    size_t i = 0;
    for (; i + 8 <= b.n; i += 8) {
        memcpy(&word, b.p + i, 8);
        hash = mix(hash ^ word, 0x9e3779b97f4a7c15u);
    }
    word = (uint64_t)b.n << 56; /* parts the texts */
    if (i < b.n)
        memcpy(&word, b.p + i, b.n - i);
    return mix(hash ^ word, 0xd6e8feb86659fd93u + b.n);
}

static uint64_t hash_name(struct bytes name)
{
    return hash_add(0x243f6a8885a308d3u, name);
}

static bool grow_set(struct entry_set *set)
{
    size_t count = set->bucket_count ? set->bucket_count * 2 : 256;
    struct entry **buckets = calloc(count, sizeof(struct entry *));
    if (!buckets)
        return false;
    for (size_t i = 0; i < set->bucket_count; i++)
        for (struct entry *e = set->buckets[i], *next; e; e = next) {
            next = e->next;
            e->next = buckets[e->hash & (count - 1)];
            buckets[e->hash & (count - 1)] = e;
        }
    free(set->buckets);
    set->buckets = buckets;
    set->bucket_count = count;
    return true;
}

static struct bytes put_text(uint8_t **at, struct bytes b)
{
    struct bytes copy = {*at, b.n};
    if (b.n)
        memcpy(*at, b.p, b.n);
    *at += b.n;
    return copy;
}

struct entry *entry_add(struct entry_set *set, const struct pkg_package *p)
{
    if (set->count >= set->bucket_count && !grow_set(set))
        return NULL;
    bool same_name = bytes_equal(p->source_name, p->name), same_version = bytes_equal(p->source_version, p->version);
    size_t n = p->name.n + p->arch.n + p->version.n + p->source_name.n + p->source_version.n;
    if (p->tag)
        n += p->tag->software_id.n + p->tag->locator.n + p->tag->octets.n;
    struct entry *e = calloc(1, sizeof *e + n);
    if (!e)
        return NULL;
    uint8_t *at = e->text;
    e->name = put_text(&at, p->name);
    e->arch = put_text(&at, p->arch);
    e->version = put_text(&at, p->version);
    e->source_name = same_name ? e->name : put_text(&at, p->source_name);
    e->source_version = same_version ? e->version : put_text(&at, p->source_version);
    if (p->tag) {
        e->tag = *p->tag;
        e->tag.software_id = put_text(&at, p->tag->software_id);
        e->tag.locator = put_text(&at, p->tag->locator);
        e->tag.octets = put_text(&at, p->tag->octets);
    }
    e->state = p->state;
    e->installed_at = p->installed_at;
    e->hash = hash_name(p->name);
    struct entry **bucket = &set->buckets[e->hash & (set->bucket_count - 1)];
    e->next = *bucket;
    *bucket = e;
    set->count++;
    return e;
}

struct entry *entry_find(const struct entry_set *set, struct bytes name, const struct entry *after)
{
    if (set->bucket_count == 0)
        return NULL;
    uint64_t hash = after ? after->hash : hash_name(name);
    struct entry *e = after ? after->next : set->buckets[hash & (set->bucket_count - 1)];
    while (e && (e->hash != hash || !bytes_equal(e->name, name)))
        e = e->next;
    return e;
}

struct entry *entry_find_exact(const struct entry_set *set, const struct pkg_package *p)
{
    const struct pkg_tag none = {0}, *tag = p->tag ? p->tag : &none;
    for (struct entry *at = entry_find(set, p->name, NULL); at; at = entry_find(set, p->name, at))
        if (bytes_equal(at->arch, p->arch) && bytes_equal(at->version, p->version) &&
            bytes_equal(at->tag.software_id, tag->software_id) && bytes_equal(at->tag.locator, tag->locator))
            return at;
    return NULL;
}

void entry_remove(struct entry_set *set, struct entry *e)
{
    struct entry **at = &set->buckets[e->hash & (set->bucket_count - 1)];
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    set->count--;
    free(e);
}

static int by_name(const void *a, const void *b)
{
    const struct entry *ea = *(struct entry *const *)a, *eb = *(struct entry *const *)b;
    int c = bytes_compare(ea->name, eb->name);
    if (c == 0)
        c = bytes_compare(ea->arch, eb->arch);
    return c ? c : bytes_compare(ea->version, eb->version);
}

struct entry **entry_sorted(const struct entry_set *set)
{
    struct entry **all = set->count ? malloc(set->count * sizeof(struct entry *)) : NULL;
    size_t n = 0;
    for (size_t i = 0; all && i < set->bucket_count; i++)
        for (struct entry *e = set->buckets[i]; e; e = e->next)
            all[n++] = e;
    if (all)
        qsort(all, n, sizeof(struct entry *), by_name);
    return all;
}

void entry_set_free(struct entry_set *set)
{
    for (size_t i = 0; i < set->bucket_count; i++)
        for (struct entry *e = set->buckets[i], *next; e; e = next) {
            next = e->next;
            free(e);
        }
    free(set->buckets);
    *set = (struct entry_set){0};
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

struct memory_key memory_key(uint8_t domain, struct bytes a, struct bytes b, struct bytes c)
{
    uint64_t h = hash_add(hash_add(hash_add(0x13198a2e03707344u ^ domain, a), b), c);
    uint64_t second = mix(h ^ 0xa4093822299f31d0u, (uint64_t)a.n * 0x100000001b3u ^ hash_add(domain, c));
    return (struct memory_key){h ? h : 1, (uint32_t)second}; /* 0 marks a free slot */
}

static struct memory_slot *slot_of(const struct memory *m, struct memory_key key)
{
    size_t i = key.first & (m->capacity - 1);
    while (m->slots[i].key.first && (m->slots[i].key.first != key.first || m->slots[i].key.second != key.second))
        i = (i + 1) & (m->capacity - 1);
    return &m->slots[i];
}

static bool grow_memory(struct memory *m)
{
    struct memory grown = {.capacity = m->capacity ? m->capacity * 2 : 4096, .count = m->count};
    grown.slots = calloc(grown.capacity, sizeof *grown.slots);
    if (!grown.slots)
        return false;
    for (size_t i = 0; i < m->capacity; i++)
        if (m->slots[i].key.first)
            *slot_of(&grown, m->slots[i].key) = m->slots[i];
    memory_free(m);
    *m = grown;
    return true;
}

bool memory_put(struct memory *m, struct memory_key key, uint32_t value)
{
    if (m->count * 4 >= m->capacity * 3 && !grow_memory(m))
        return false;
    struct memory_slot *slot = slot_of(m, key);
    m->count += slot->key.first == 0;
    *slot = (struct memory_slot){key, value};
    return true;
}

bool memory_get(const struct memory *m, struct memory_key key, uint32_t *value)
{
    if (m->capacity == 0)
        return false;
    const struct memory_slot *slot = slot_of(m, key);
    *value = slot->value;
    return slot->key.first != 0;
}

void memory_free(struct memory *m)
{
    free(m->slots);
    *m = (struct memory){0};
}
