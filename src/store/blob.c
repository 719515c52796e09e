#include "store/blob.h"

#include <endian.h>
#include <string.h>

/* ---- bits -------------------------------------------------------------------------------------------------------- */

/* Exponential Golomb codes with a parameter: v + 2^k is written in binary, after as many zeros as it has digits more
 * than k + 1. Small numbers take k + 1 bits, large ones about twice their digits. */
struct bits_out {
    struct wr *w;
    uint64_t bits; /* the lowest `count` (< 8) wait to be written */
    unsigned count;
};

static unsigned digits_of(uint64_t v)
{
    return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

/* The lowest n <= 56 bits of v. */
static void put_bits(struct bits_out *o, uint64_t v, unsigned n)
{
    o->bits = o->bits << n | (v & (((uint64_t)1 << n) - 1));
    for (o->count += n; o->count >= 8; o->count -= 8)
        wr_u8(o->w, (uint8_t)(o->bits >> (o->count - 8)));
}

static void put_long(struct bits_out *o, uint64_t v, unsigned n)
{
    if (n > 32)
        put_bits(o, v >> 32, n - 32);
    put_bits(o, v, n > 32 ? 32 : n);
}

/* v < 2^63. */
static void put_number(struct bits_out *o, uint64_t v, unsigned k)
{
    uint64_t u = v + ((uint64_t)1 << k);
    unsigned n = digits_of(u);
    put_long(o, 0, n - k - 1);
    put_long(o, u, n);
}

static void put_end(struct bits_out *o)
{
    if (o->count)
        put_bits(o, 0, 8 - o->count);
}

struct bits_in {
    struct bytes b;
    size_t at; /* in bits */
    bool bad;
};

static uint64_t get_bits(struct bits_in *in, unsigned n)
{
    uint64_t v = 0;
    if (in->bad || n > in->b.n * 8 - in->at) {
        in->bad = true;
        return 0;
    }
    while (n) {
        unsigned left = 8 - (unsigned)(in->at % 8), take = n < left ? n : left;
        v = v << take | ((unsigned)in->b.p[in->at / 8] >> (left - take) & ((1u << take) - 1));
        in->at += take;
        n -= take;
    }
    return v;
}

/* The next bits, the first one highest; zeros behind the end. At least 57 of them are good. */
static uint64_t peek_bits(const struct bits_in *in)
{
    uint8_t window[8] = {0};
    size_t from = in->at / 8, left = in->b.n - from;
    if (left)
        memcpy(window, in->b.p + from, left < sizeof window ? left : sizeof window);
    uint64_t v;
    memcpy(&v, window, sizeof v);
    return be64toh(v) << in->at % 8;
}

static uint64_t get_number(struct bits_in *in, unsigned k)
{
    uint64_t window = peek_bits(in);
    unsigned zeros = window ? (unsigned)__builtin_clzll(window) : 64, digits = zeros + k + 1;
    if (zeros + digits <= 57 && zeros + digits <= in->b.n * 8 - in->at) {
        in->at += zeros + digits;
        return (window << zeros >> (64 - digits)) - ((uint64_t)1 << k);
    }
    for (zeros = 0; !in->bad && get_bits(in, 1) == 0;)
        zeros++;
    if (in->bad || zeros + k > 62) {
        in->bad = true;
        return 0;
    }
    return ((uint64_t)1 << (zeros + k) | get_bits(in, zeros + k)) - ((uint64_t)1 << k);
}

/* Everything was read, but for what fills the last octet. */
static bool get_end(const struct bits_in *in)
{
    return !in->bad && in->b.n * 8 - in->at < 8;
}

/* ---- columns ----------------------------------------------------------------------------------------------------- */

/* A column is written whole: whether it has negative numbers, the parameter that suits it, the numbers. One that is
 * the same all over, as most are, is written once. Its length is known from elsewhere. */
enum { CONSTANT = 15, CONSTANT_K = 4, COUNT_K = 6 };

static uint64_t fold_sign(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v < 0 ? -1 : 0);
}

static int64_t unfold_sign(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/* Each |value| < 2^62. */
static void put_column(struct bits_out *o, const int64_t *values, size_t count)
{
    bool negative = false, constant = true;
    uint64_t digits = 0;
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        negative |= values[i] < 0;
        constant &= values[i] == values[0];
    }
    for (size_t i = 0; i < count; i++)
        digits += digits_of(negative ? fold_sign(values[i]) : (uint64_t)values[i]);
    unsigned k = (unsigned)((digits + count / 2) / count);
    k = k ? k - 1 : 0;
    k = k < CONSTANT ? k : CONSTANT - 1;
    put_bits(o, negative, 1);
    put_bits(o, constant ? CONSTANT : k, 4);
    for (size_t i = 0; i < (constant ? 1 : count); i++)
        put_number(o, negative ? fold_sign(values[i]) : (uint64_t)values[i], constant ? CONSTANT_K : k);
}

static void get_column(struct bits_in *in, int64_t *values, size_t count)
{
    if (count == 0)
        return;
    bool negative = get_bits(in, 1);
    unsigned k = (unsigned)get_bits(in, 4);
    bool constant = k == CONSTANT;
    for (size_t i = 0; i < count && !in->bad; i++) {
        if (constant && i > 0) {
            values[i] = values[0];
            continue;
        }
        uint64_t v = get_number(in, constant ? CONSTANT_K : k);
        values[i] = negative ? unfold_sign(v) : (int64_t)v;
    }
}

/* a + b, wrapping: a damaged column must not overflow. */
static int64_t plus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* ---- the blobs --------------------------------------------------------------------------------------------------- */

/* Neighbours in a set were mostly numbered one after the other, and its order follows itself. */
bool blob_put_members(struct wr *w, const struct blob_members *m, struct arena *a)
{
    struct bits_out o = {.w = w};
    int64_t *column = arena_zalloc(a, m->count, sizeof *column);
    if (!column)
        return false;
    put_number(&o, m->count, COUNT_K);
    for (size_t i = 0; i < m->count; i++)
        column[i] = m->software[i] - (i ? m->software[i - 1] + 1 : 0);
    put_column(&o, column, m->count);
    for (size_t i = 0; i < m->count; i++)
        column[i] = (int64_t)m->actions[i] - STORE_CREATE;
    put_column(&o, column, m->count);
    for (size_t i = 0; i < m->count; i++)
        column[i] = (int64_t)m->order[i] - (i ? (int64_t)m->order[i - 1] + 1 : 0);
    put_column(&o, column, m->count);
    put_end(&o);
    return !w->bad;
}

/* Each place once. */
static bool get_order(const int64_t *column, struct arena *a, struct blob_members *m)
{
    bool *taken = arena_zalloc(a, m->count, sizeof *taken);
    int64_t place = 0;
    for (size_t i = 0; taken && i < m->count; i++, place++) {
        place = plus(place, column[i]);
        if (place < 0 || place >= (int64_t)m->count || taken[place])
            return false;
        taken[place] = true;
        m->order[i] = (uint32_t)place;
    }
    return taken;
}

bool blob_get_members(struct bytes blob, struct arena *a, struct blob_members *m)
{
    struct bits_in in = {.b = blob};
    uint64_t count = get_number(&in, COUNT_K);
    if (in.bad || count > BLOB_MEMBERS_MAX)
        return false;
    *m = (struct blob_members){.count = (size_t)count};
    m->software = arena_zalloc(a, m->count, sizeof *m->software);
    m->actions = arena_zalloc(a, m->count, sizeof *m->actions);
    m->order = arena_zalloc(a, m->count, sizeof *m->order);
    int64_t *column = arena_zalloc(a, m->count, sizeof *column), previous = -1;
    if (!m->software || !m->actions || !m->order || !column)
        return false;
    get_column(&in, column, m->count);
    for (size_t i = 0; i < m->count; i++)
        previous = m->software[i] = plus(plus(previous, 1), column[i]);
    get_column(&in, column, m->count);
    for (size_t i = 0; i < m->count; i++) {
        if (column[i] < 0 || column[i] > STORE_ALTER - STORE_CREATE)
            return false;
        m->actions[i] = (enum store_action)(STORE_CREATE + column[i]);
    }
    get_column(&in, column, m->count);
    return get_end(&in) && get_order(column, a, m);
}

/* Members and EIDs follow each other, times grow, all sources are the same and all times known: mostly. */
bool blob_put_detail(struct wr *w, const struct blob_detail *d, uint32_t first_eid, int64_t time, struct arena *a)
{
    struct bits_out o = {.w = w};
    int64_t *column = arena_zalloc(a, d->count, sizeof *column), expected = 0;
    if (!column)
        return false;
    put_number(&o, d->count, COUNT_K);
    for (size_t i = 0; i < d->count; expected = (int64_t)d->events[i++].member + 1)
        column[i] = d->events[i].member - expected;
    put_column(&o, column, d->count);
    expected = first_eid;
    for (size_t i = 0; i < d->count; expected = (int64_t)d->events[i++].eid + 1)
        column[i] = d->events[i].eid - expected;
    put_column(&o, column, d->count);
    for (size_t i = 0; i < d->count; i++)
        column[i] = d->events[i].time == TIME_UNKNOWN;
    put_column(&o, column, d->count);
    for (size_t i = 0; i < d->count; i++) {
        column[i] = d->events[i].time == TIME_UNKNOWN ? 0 : d->events[i].time - time;
        time += column[i];
    }
    put_column(&o, column, d->count);
    for (size_t i = 0; i < d->count; i++)
        column[i] = d->events[i].source;
    put_column(&o, column, d->count);
    put_end(&o);
    return !w->bad;
}

bool blob_get_detail(struct bytes blob, struct arena *a, uint32_t first_eid, int64_t time, struct blob_detail *d)
{
    struct bits_in in = {.b = blob};
    uint64_t count = get_number(&in, COUNT_K);
    bool good = true;
    if (in.bad || count > BLOB_MEMBERS_MAX)
        return false;
    *d = (struct blob_detail){.count = (size_t)count};
    int64_t *column = arena_zalloc(a, d->count, sizeof *column), place = 0, eid = first_eid;
    if (!column || !(d->events = arena_zalloc(a, d->count, sizeof *d->events)))
        return false;
    get_column(&in, column, d->count);
    for (size_t i = 0; i < d->count; i++, place = plus(place, 1)) {
        place = plus(place, column[i]);
        good &= place >= 0 && place < (int64_t)d->count;
        d->events[i].member = (uint32_t)place;
    }
    get_column(&in, column, d->count);
    for (size_t i = 0; i < d->count; i++, eid = plus(eid, 1)) {
        eid = plus(eid, column[i]);
        good &= eid >= 0 && eid <= UINT32_MAX;
        d->events[i].eid = (uint32_t)eid;
    }
    get_column(&in, column, d->count);
    for (size_t i = 0; i < d->count; i++)
        d->events[i].time = column[i] ? TIME_UNKNOWN : 0;
    get_column(&in, column, d->count);
    for (size_t i = 0; i < d->count; i++) {
        time = plus(time, column[i]);
        if (d->events[i].time != TIME_UNKNOWN)
            d->events[i].time = time;
    }
    get_column(&in, column, d->count);
    for (size_t i = 0; i < d->count; i++) {
        good &= column[i] >= 0 && column[i] <= UINT8_MAX;
        d->events[i].source = (uint8_t)column[i];
    }
    return get_end(&in) && good;
}

bool blob_put_present(struct wr *w, const struct blob_present *p, struct arena *a)
{
    struct bits_out o = {.w = w};
    int64_t *column = arena_zalloc(a, p->count, sizeof *column);
    if (!column)
        return false;
    put_number(&o, p->count, COUNT_K);
    for (size_t i = 0; i < p->count; i++)
        column[i] = p->software[i] - (i ? p->software[i - 1] : 0);
    put_column(&o, column, p->count);
    put_end(&o);
    return !w->bad;
}

bool blob_get_present(struct bytes blob, struct arena *a, struct blob_present *p)
{
    struct bits_in in = {.b = blob};
    uint64_t count = get_number(&in, COUNT_K);
    bool good = true;
    int64_t previous = 0;
    if (in.bad || count > BLOB_PRESENT_MAX)
        return false;
    *p = (struct blob_present){.count = (size_t)count};
    if (!(p->software = arena_zalloc(a, p->count, sizeof *p->software)))
        return false;
    get_column(&in, p->software, p->count);
    for (size_t i = 0; i < p->count; i++) {
        int64_t here = plus(previous, p->software[i]);
        good &= here >= previous;
        previous = p->software[i] = here;
    }
    return get_end(&in) && good;
}
