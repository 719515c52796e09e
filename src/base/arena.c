#include "base/base.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE ((size_t)8 << 10)

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    max_align_t data[];
};

struct arena arena_of(size_t limit)
{
    return (struct arena){.limit = limit};
}

void *arena_alloc(struct arena *a, size_t n)
{
    const size_t align = _Alignof(max_align_t);
    if (n > a->limit || (n = (n + align - 1) & ~(align - 1)) > a->limit - a->used) {
        a->exhausted = true;
        return NULL;
    }
    struct arena_block *b = a->blocks;
    if (!b || b->size - b->used < n) {
        /* Blocks double, so that a large arena is few blocks; a large item gets one of its own size. */
        size_t size = b ? b->size * 2 : BLOCK_SIZE;
        if (size > (size_t)1 << 20)
            size = (size_t)1 << 20;
        if (size < n)
            size = n;
        struct arena_block *fresh = malloc(sizeof *fresh + size);
        if (!fresh) {
            a->exhausted = true;
            return NULL;
        }
        *fresh = (struct arena_block){.next = b, .size = size};
        a->blocks = b = fresh;
    }
    void *p = (uint8_t *)b->data + b->used;
    b->used += n;
    a->used += n;
    return p;
}

void *arena_zalloc(struct arena *a, size_t n, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(n, size, &total)) {
        a->exhausted = true;
        return NULL;
    }
    void *p = arena_alloc(a, total);
    if (p)
        memset(p, 0, total);
    return p;
}

struct bytes arena_copy(struct arena *a, struct bytes b)
{
    char *p = arena_string(a, b);
    return (struct bytes){(const uint8_t *)p, p ? b.n : 0};
}

char *arena_string(struct arena *a, struct bytes b)
{
    char *p = b.n < SIZE_MAX ? arena_alloc(a, b.n + 1) : NULL;
    if (!p)
        return NULL;
    if (b.n)
        memcpy(p, b.p, b.n);
    p[b.n] = 0;
    return p;
}

void arena_reset(struct arena *a)
{
    while (a->blocks && a->blocks->next) {
        struct arena_block *next = a->blocks->next;
        free(a->blocks);
        a->blocks = next;
    }
    if (a->blocks)
        a->blocks->used = 0;
    a->used = 0;
    a->exhausted = false;
}

void arena_free(struct arena *a)
{
    arena_reset(a);
    free(a->blocks);
    a->blocks = NULL;
}
