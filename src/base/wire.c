#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WR_DEFAULT_MAX ((size_t)64 << 20)

struct rd rd_of(struct bytes b, size_t offset)
{
    /* An empty view gets a valid address, so that p and end can always be compared. */
    static const uint8_t nothing;
    const uint8_t *p = b.n ? b.p : &nothing;
    return (struct rd){.p = p, .end = p + b.n, .offset = offset};
}

void rd_fail(struct rd *r, size_t at)
{
    if (r->bad)
        return;
    r->bad = true;
    r->bad_at = at;
    r->p = r->end;
}

struct bytes rd_take(struct rd *r, size_t n)
{
    if (n > rd_left(r) || r->bad) {
        rd_fail(r, r->offset);
        return (struct bytes){r->end, 0};
    }
    struct bytes b = {r->p, n};
    r->p += n;
    r->offset += n;
    return b;
}

struct rd rd_sub(struct rd *r, size_t n)
{
    size_t offset = r->offset;
    struct bytes b = rd_take(r, n);
    struct rd sub = rd_of(b, offset);
    if (r->bad)
        rd_fail(&sub, r->bad_at);
    return sub;
}

struct bytes rd_rest(struct rd *r)
{
    return rd_take(r, rd_left(r));
}

static uint64_t rd_number(struct rd *r, size_t n)
{
    struct bytes b = rd_take(r, n);
    uint64_t v = 0;
    for (size_t i = 0; i < b.n; i++)
        v = v << 8 | b.p[i];
    return v;
}

uint8_t rd_u8(struct rd *r)
{
    return (uint8_t)rd_number(r, 1);
}

uint16_t rd_u16(struct rd *r)
{
    return (uint16_t)rd_number(r, 2);
}

uint32_t rd_u24(struct rd *r)
{
    return (uint32_t)rd_number(r, 3);
}

uint32_t rd_u32(struct rd *r)
{
    return (uint32_t)rd_number(r, 4);
}

uint64_t rd_u64(struct rd *r)
{
    return rd_number(r, 8);
}

struct wr wr_of(size_t max)
{
    return (struct wr){.max = max ? max : WR_DEFAULT_MAX};
}

void wr_free(struct wr *w)
{
    free(w->p);
    *w = (struct wr){.max = w->max};
}

void wr_reset(struct wr *w)
{
    w->n = 0;
    w->bad = false;
}

/* Room for n more octets and a NUL; NULL, and the writer bad, if there is none. */
static uint8_t *wr_room(struct wr *w, size_t n)
{
    if (w->bad || n > w->max - w->n) {
        w->bad = true;
        return NULL;
    }
    if (w->capacity - w->n <= n) {
        size_t want = w->n + n + 1;
        size_t capacity = w->capacity ? w->capacity : 256;
        while (capacity < want)
            capacity *= 2;
        uint8_t *p = realloc(w->p, capacity);
        if (!p) {
            w->bad = true;
            return NULL;
        }
        w->p = p;
        w->capacity = capacity;
    }
    uint8_t *room = w->p + w->n;
    w->n += n;
    return room;
}

static void put_number(struct wr *w, uint8_t *at, size_t n, uint64_t v)
{
    if (n < 8 && v >> (8 * n)) {
        w->bad = true;
        return;
    }
    for (size_t i = n; i-- > 0; v >>= 8)
        at[i] = (uint8_t)v;
}

static void wr_number(struct wr *w, size_t n, uint64_t v)
{
    uint8_t *at = wr_room(w, n);
    if (at)
        put_number(w, at, n, v);
}

void wr_u8(struct wr *w, uint64_t v)
{
    wr_number(w, 1, v);
}

void wr_u16(struct wr *w, uint64_t v)
{
    wr_number(w, 2, v);
}

void wr_u24(struct wr *w, uint64_t v)
{
    wr_number(w, 3, v);
}

void wr_u32(struct wr *w, uint64_t v)
{
    wr_number(w, 4, v);
}

void wr_u64(struct wr *w, uint64_t v)
{
    wr_number(w, 8, v);
}

void wr_bytes(struct wr *w, struct bytes b)
{
    uint8_t *at = wr_room(w, b.n);
    if (at && b.n)
        memcpy(at, b.p, b.n);
}

void wr_str(struct wr *w, const char *s)
{
    wr_bytes(w, bytes_of(s));
}

void wr_fmt(struct wr *w, const char *format, ...)
{
    char small[512];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(small, sizeof small, format, args);
    if (n < 0) {
        w->bad = true;
    } else if ((size_t)n < sizeof small) {
        wr_bytes(w, (struct bytes){(const uint8_t *)small, (size_t)n});
    } else {
        uint8_t *at = wr_room(w, (size_t)n); /* wr_room keeps one octet more for the NUL */
        if (at)
            vsnprintf((char *)at, (size_t)n + 1, format, again);
    }
    va_end(again);
    va_end(args);
}

void wr_zero(struct wr *w, size_t n)
{
    uint8_t *at = wr_room(w, n);
    if (at && n)
        memset(at, 0, n);
}

size_t wr_hole(struct wr *w, size_t n)
{
    size_t at = w->n;
    wr_zero(w, n);
    return w->bad ? SIZE_MAX : at;
}

static void wr_patch(struct wr *w, size_t hole, size_t n, uint64_t v)
{
    if (w->bad || hole == SIZE_MAX || hole + n > w->n)
        w->bad = true;
    else
        put_number(w, w->p + hole, n, v);
}

void wr_patch8(struct wr *w, size_t hole, uint64_t v)
{
    wr_patch(w, hole, 1, v);
}

void wr_patch16(struct wr *w, size_t hole, uint64_t v)
{
    wr_patch(w, hole, 2, v);
}

void wr_patch24(struct wr *w, size_t hole, uint64_t v)
{
    wr_patch(w, hole, 3, v);
}

void wr_patch32(struct wr *w, size_t hole, uint64_t v)
{
    wr_patch(w, hole, 4, v);
}

void wr_drop(struct wr *w, size_t n)
{
    if (n > w->n)
        n = w->n;
    if (n) {
        memmove(w->p, w->p + n, w->n - n);
        w->n -= n;
    }
}

struct bytes wr_view(const struct wr *w)
{
    return (struct bytes){w->p, w->bad ? 0 : w->n};
}

const char *wr_string(struct wr *w)
{
    if (!wr_room(w, 0))
        return "";
    w->p[w->n] = 0;
    return (const char *)w->p;
}
