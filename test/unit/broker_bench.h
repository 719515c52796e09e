/* One session spoken to by hand, batch by batch, and components that only remember. Shared by the tests of the broker.
 */
#ifndef MUSTER_TEST_BROKER_BENCH_H
#define MUSTER_TEST_BROKER_BENCH_H

#include "nea/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- a component that only remembers ---- */

struct memory {
    struct nea_connection *c;
    unsigned begun, received, refused, endings, decided, attributes, errors;
    uint16_t from;
    struct nea_fault fault;
    unsigned events;
    bool decide;      /* validator: recommend at the end of the batch */
    bool hold_on_ask; /* validator: hold when solicited */
    bool hold;        /* hold at the end of the batch */
    size_t answer;    /* send a Dummy of that many octets in answer to anything */
};

static inline void *create(void *context, struct nea_connection *c)
{
    ((struct memory *)context)->c = c;
    return context;
}

static inline void begin(void *state)
{
    ((struct memory *)state)->begun++;
}

static inline void receive(void *state, const struct nea_delivery *d)
{
    struct memory *m = state;
    m->received++;
    m->from = d->from;
    for (size_t i = 0; i < d->message->count; i++) {
        const struct pa_attribute *a = &d->message->attributes[i];
        m->attributes += a->type != NULL;
        m->errors += a->type == &pa_types[PA_ERROR];
        if (a->type == &pa_types[PA_SW_ID_EVENTS])
            m->events += ((const struct pa_sw_id_events *)a->fields)->events.count;
    }
    if (m->answer) {
        uint8_t *filling = calloc(1, m->answer);
        struct pa_ita_dummy dummy = {.filling = {filling, m->answer}};
        struct pa_out out = {.type = &pa_types[PA_ITA_DUMMY], .fields = &dummy};
        nea_send(m->c, d->from, &out, 1);
        free(filling);
    }
}

static inline void refused(void *state, const struct nea_fault *fault)
{
    ((struct memory *)state)->refused++;
    ((struct memory *)state)->fault = *fault;
}

static inline void ending(void *state)
{
    struct memory *m = state;
    m->endings++;
    if (m->hold)
        nea_hold(m->c);
    if (m->decide)
        nea_recommend(m->c, NEA_COMPLIANT, NEA_ACCESS_ALLOWED, BYTES(""), "");
}

static inline void solicit(void *state)
{
    struct memory *m = state;
    if (m->hold_on_ask)
        nea_hold(m->c);
}

static inline void decided(void *state, enum nea_result result, enum nea_access access)
{
    (void)result;
    (void)access;
    ((struct memory *)state)->decided++;
}

#define COMPONENT(label, sub, mask)                                                                                    \
    {                                                                                                                  \
        .name = label, .vendor = PEN_IETF, .subtype = sub, .accepts = mask, .create = create,                          \
        .begin_handshake = begin, .receive = receive, .refused = refused, .batch_ending = ending, .solicit = solicit,  \
        .decided = decided                                                                                             \
    }
static const struct nea_component os = COMPONENT("OS", PA_SUBTYPE_OPERATING_SYSTEM, 0);
static const struct nea_component swima = COMPONENT("SWIMA", PA_SUBTYPE_SWIMA, 0);
static const struct nea_component picky = COMPONENT("picky", PA_SUBTYPE_SWIMA, UINT64_C(1) << PA_SWIMA_REQUEST);

/* ---- one session, spoken to by hand ---- */

struct bench {
    struct memory m[3];
    struct nea_session *s;
    struct wr out; /* everything that it said after the negotiation */
    enum nea_role role;
    uint64_t now;
};

/* What is not said in `config` is that of a session of its role, which the client's side opened and which stays. */
static inline struct bench *bench_with(struct nea_config config, const struct nea_component *a,
                                       const struct nea_component *b)
{
    struct bench *t = calloc(1, sizeof *t);
    const struct nea_component *components[] = {a, b};
    void *contexts[] = {&t->m[0], &t->m[1]};
    config.stay = true;
    config.components = components;
    config.contexts = contexts;
    config.component_count = b ? 2 : 1;
    t->role = config.role;
    t->out = wr_of(0);
    t->s = nea_session_new(&config, 0);
    if (!config.initiator)
        nea_session_feed(t->s, BYTES("\0\0\0\0\0\0\0\1\0\0\0\x14\0\0\0\0\0\1\1\1"), 0);
    else
        nea_session_feed(t->s, BYTES("\0\0\0\0\0\0\0\2\0\0\0\x14\0\0\0\0\0\0\0\1"), 0);
    if (config.role == NEA_CLIENT)
        nea_session_feed(t->s, BYTES("\0\0\0\0\0\0\0\3\0\0\0\x10\0\0\0\1"), 0);
    nea_session_out(t->s, &t->out);
    return t;
}

static inline struct bench *bench_of(enum nea_role role, size_t max_message, const struct nea_component *a,
                                     const struct nea_component *b)
{
    struct bench *t = bench_with(
        (struct nea_config){.role = role, .initiator = role == NEA_CLIENT, .limits = {.max_message = max_message}}, a,
        b);
    wr_reset(&t->out);
    return t;
}

static inline void bench_free(struct bench *t)
{
    nea_session_free(t->s);
    wr_free(&t->out);
    free(t);
}

/* A batch begun as the peer would; close it with hear(). */
static inline struct wr batch(const struct bench *t, enum pb_type type)
{
    struct wr w = wr_of(0);
    wr_u32(&w, 0);
    wr_u32(&w, 7);
    wr_u64(&w, 0);
    pb_batch_begin(&w, t->role == NEA_SERVER ? NEA_CLIENT : NEA_SERVER, type);
    return w;
}

static inline void hear(struct bench *t, struct wr *w)
{
    pb_batch_end(w, 16);
    wr_patch32(w, 8, w->n);
    wr_reset(&t->out);
    nea_session_feed(t->s, wr_view(w), t->now + 1);
    nea_session_out(t->s, &t->out);
    wr_free(w);
}

/* One PB-PA message from the peer's component 5. */
static inline void put_pa(struct wr *w, const struct bench *t, uint32_t subtype, uint16_t to, bool excl,
                          struct bytes message)
{
    struct pb_pa pa = {.flags = excl ? PB_PA_EXCL : 0, .subtype = subtype};
    pa.collector = t->role == NEA_SERVER ? 5 : to;
    pa.validator = t->role == NEA_SERVER ? to : 5;
    size_t m = pb_pa_begin(w, &pa);
    wr_bytes(w, message);
    pb_message_end(w, m);
}

static inline void put_attribute(struct wr *w, const struct bench *t, uint32_t subtype, enum pa_row row,
                                 const void *fields)
{
    struct wr m = wr_of(0);
    pa_message_put(&m, 77);
    pa_attribute_put(&m, &pa_types[row], 0, fields);
    put_pa(w, t, subtype, NEA_ANY, false, wr_view(&m));
    wr_free(&m);
}

/* The n-th PA-TNC message in what the session said, with its header; p NULL: there are fewer. */
static inline struct pb_pa said(const struct bench *t, unsigned n)
{
    struct bytes b = wr_view(&t->out);
    struct pb_message m;
    while (b.n) {
        struct rd r = rd_of(b, 0);
        rd_u64(&r);
        size_t length = rd_u32(&r);
        struct rd p = pb_batch_messages((struct bytes){b.p + 16, length - 16});
        while (pb_message_next(&p, t->role == NEA_SERVER ? NEA_CLIENT : NEA_SERVER, b.p[19] & 15, &m))
            if (m.type == PB_PA && n-- == 0)
                return pb_pa_read(m.value);
        b = (struct bytes){b.p + length, b.n - length};
    }
    return (struct pb_pa){0};
}

static inline unsigned batch_said(const struct bench *t)
{
    return t->out.n >= 24 ? t->out.p[19] & 15u : 0;
}

/* The first attribute of what was said, decoded. */
static inline const void *said_attribute(const struct bench *t, struct arena *a, unsigned n, enum pa_row row)
{
    struct pa_message m;
    struct nea_fault fault;
    assert_int_equal(pa_message_decode(a, said(t, n).message, NEA_OBSERVER, &m, &fault), PA_OK);
    assert_ptr_equal(m.attributes[0].type, &pa_types[row]);
    return m.attributes[0].fields;
}

#endif
