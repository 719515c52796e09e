#include "store/blob.h"

/* ---- nibbles --------------------------------------------------------------------------------------------------- */

/* Each nibble holds three bits of a number, the lowest first, and whether more follow. */
struct nibbles_out {
    struct wr *w;
    uint8_t high;
    bool half;
};

static void put_nibble(struct nibbles_out *o, uint8_t nibble)
{
    if (o->half)
        wr_u8(o->w, (uint8_t)(o->high << 4 | nibble));
    o->high = nibble;
    o->half = !o->half;
}

static void put_number(struct nibbles_out *o, uint64_t v)
{
    for (; v > 7; v >>= 3)
        put_nibble(o, (uint8_t)(8 | (v & 7)));
    put_nibble(o, (uint8_t)v);
}

static void put_end(struct nibbles_out *o)
{
    if (o->half)
        put_nibble(o, 0);
}

struct nibbles_in {
    struct bytes b;
    size_t at; /* in nibbles */
    bool bad;
};

static uint64_t get_number(struct nibbles_in *in)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 3) {
        if (in->at / 2 >= in->b.n)
            break;
        uint8_t nibble = in->b.p[in->at / 2];
        nibble = in->at++ % 2 ? nibble & 15 : nibble >> 4;
        if (shift == 63 && (nibble & 7) > 1)
            break;
        v |= (uint64_t)(nibble & 7) << shift;
        if (nibble < 8)
            return v;
    }
    in->bad = true;
    in->at = in->b.n * 2;
    return 0;
}

/* Everything was read, but for the nibble that fills the last octet. */
static bool get_end(const struct nibbles_in *in)
{
    return !in->bad && in->b.n - in->at / 2 == in->at % 2;
}

static uint64_t fold_sign(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v < 0 ? -1 : 0);
}

static int64_t unfold_sign(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/* a - b and a + b, wrapping: times of a hostile or damaged source must not overflow. */
static int64_t minus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static int64_t plus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* ---- columns --------------------------------------------------------------------------------------------------- */

/* A column is a list of (number, whether it repeats, how often more); its length is known from elsewhere. */
struct column_out {
    struct nibbles_out *o;
    uint64_t value, run;
};

static void column_flush(struct column_out *c)
{
    if (c->run == 0)
        return;
    put_number(c->o, c->value << 1 | (c->run > 1));
    if (c->run > 1)
        put_number(c->o, c->run - 2);
    c->run = 0;
}

/* v < 2^63. */
static void column_put(struct column_out *c, uint64_t v)
{
    if (c->run && v != c->value)
        column_flush(c);
    c->value = v;
    c->run++;
}

struct column_in {
    struct nibbles_in *in;
    uint64_t value, run;
};

static uint64_t column_get(struct column_in *c)
{
    if (c->run == 0) {
        uint64_t head = get_number(c->in);
        c->value = head >> 1;
        c->run = head & 1 ? get_number(c->in) : 0;
        c->run += head & 1 ? 2 : 1;
        if (c->run > (uint64_t)1 << 32) {
            c->in->bad = true;
            c->run = 1;
        }
    }
    c->run--;
    return c->value;
}

/* A run must end where its column ends. */
static void column_end(struct column_in *c)
{
    if (c->run)
        c->in->bad = true;
}

/* ---- the blobs --------------------------------------------------------------------------------------------------- */

void blob_put_members(struct wr *w, const struct blob_members *m)
{
    struct nibbles_out o = {.w = w};
    put_number(&o, m->count);
    struct column_out ids = {&o, 0, 0}, actions = {&o, 0, 0};
    int64_t previous = 0;
    for (size_t i = 0; i < m->count; previous = m->software[i++])
        column_put(&ids, fold_sign(minus(m->software[i], previous)));
    column_flush(&ids);
    for (size_t i = 0; i < m->count; i++)
        column_put(&actions, (uint64_t)m->actions[i]);
    column_flush(&actions);
    put_end(&o);
}

bool blob_get_members(struct bytes blob, struct arena *a, struct blob_members *m)
{
    struct nibbles_in in = {.b = blob};
    uint64_t count = get_number(&in);
    if (in.bad || count > BLOB_MEMBERS_MAX)
        return false;
    *m = (struct blob_members){.count = (size_t)count};
    m->software = arena_zalloc(a, m->count, sizeof *m->software);
    m->actions = arena_zalloc(a, m->count, sizeof *m->actions);
    if (!m->software || !m->actions)
        return false;
    struct column_in ids = {&in, 0, 0}, actions = {&in, 0, 0};
    int64_t previous = 0;
    for (size_t i = 0; i < m->count && !in.bad; i++)
        previous = m->software[i] = plus(previous, unfold_sign(column_get(&ids)));
    column_end(&ids);
    for (size_t i = 0; i < m->count && !in.bad; i++) {
        uint64_t action = column_get(&actions);
        if (action < STORE_CREATE || action > STORE_ALTER)
            in.bad = true;
        m->actions[i] = (enum store_action)action;
    }
    column_end(&actions);
    return get_end(&in);
}

/* An unknown time is 0, a known one its distance from the known one before, plus 1. */
void blob_put_detail(struct wr *w, const struct blob_detail *d, uint32_t first_eid, int64_t time)
{
    struct nibbles_out o = {.w = w};
    put_number(&o, d->count);
    struct column_out members = {&o, 0, 0}, eids = {&o, 0, 0}, times = {&o, 0, 0}, sources = {&o, 0, 0};
    int64_t place = 0, eid = first_eid;
    for (size_t i = 0; i < d->count; place = (int64_t)d->events[i++].member + 1)
        column_put(&members, fold_sign((int64_t)d->events[i].member - place));
    column_flush(&members);
    for (size_t i = 0; i < d->count; eid = d->events[i++].eid)
        column_put(&eids, fold_sign((int64_t)d->events[i].eid - eid));
    column_flush(&eids);
    for (size_t i = 0; i < d->count; i++) {
        int64_t t = d->events[i].time;
        column_put(&times, t == TIME_UNKNOWN ? 0 : fold_sign(minus(t, time)) + 1);
        if (t != TIME_UNKNOWN)
            time = t;
    }
    column_flush(&times);
    for (size_t i = 0; i < d->count; i++)
        column_put(&sources, d->events[i].source);
    column_flush(&sources);
    put_end(&o);
}

bool blob_get_detail(struct bytes blob, struct arena *a, uint32_t first_eid, int64_t time, struct blob_detail *d)
{
    struct nibbles_in in = {.b = blob};
    uint64_t count = get_number(&in);
    if (in.bad || count > BLOB_MEMBERS_MAX)
        return false;
    *d = (struct blob_detail){.count = (size_t)count};
    if (!(d->events = arena_zalloc(a, d->count, sizeof *d->events)))
        return false;
    struct column_in members = {&in, 0, 0}, eids = {&in, 0, 0}, times = {&in, 0, 0}, sources = {&in, 0, 0};
    int64_t place = 0, eid = first_eid;
    for (size_t i = 0; i < d->count && !in.bad; i++, place++) {
        place = plus(place, unfold_sign(column_get(&members)));
        if (place < 0 || place >= (int64_t)d->count)
            in.bad = true;
        d->events[i].member = (uint32_t)place;
    }
    column_end(&members);
    for (size_t i = 0; i < d->count && !in.bad; i++) {
        eid = plus(eid, unfold_sign(column_get(&eids)));
        if (eid < 0 || eid > UINT32_MAX)
            in.bad = true;
        d->events[i].eid = (uint32_t)eid;
    }
    column_end(&eids);
    for (size_t i = 0; i < d->count && !in.bad; i++) {
        uint64_t step = column_get(&times);
        if (step)
            time = plus(time, unfold_sign(step - 1));
        d->events[i].time = step ? time : TIME_UNKNOWN;
    }
    column_end(&times);
    for (size_t i = 0; i < d->count && !in.bad; i++) {
        uint64_t source = column_get(&sources);
        if (source > UINT8_MAX)
            in.bad = true;
        d->events[i].source = (uint8_t)source;
    }
    column_end(&sources);
    return get_end(&in);
}

void blob_put_present(struct wr *w, const struct blob_present *p)
{
    struct nibbles_out o = {.w = w};
    put_number(&o, p->count);
    struct column_out ids = {&o, 0, 0};
    int64_t previous = 0;
    for (size_t i = 0; i < p->count; previous = p->software[i++])
        column_put(&ids, (uint64_t)minus(p->software[i], previous));
    column_flush(&ids);
    put_end(&o);
}

bool blob_get_present(struct bytes blob, struct arena *a, struct blob_present *p)
{
    struct nibbles_in in = {.b = blob};
    uint64_t count = blob.n ? get_number(&in) : 0; /* no blob: nothing is there */
    if (in.bad || count > BLOB_PRESENT_MAX)
        return false;
    *p = (struct blob_present){.count = (size_t)count};
    if (!(p->software = arena_zalloc(a, p->count, sizeof *p->software)))
        return false;
    struct column_in ids = {&in, 0, 0};
    int64_t previous = 0;
    for (size_t i = 0; i < p->count && !in.bad; i++) {
        previous = plus(previous, (int64_t)column_get(&ids));
        if (previous < 0)
            in.bad = true;
        p->software[i] = previous;
    }
    column_end(&ids);
    return get_end(&in);
}
