/* TCG IF-M Segmentation 1.0: contracts, cutting, reassembly with bounds. Knows attributes, but nothing of batches. */
#include "nea/internal.h"

#include <stdlib.h>

uint32_t seg_size(size_t max_message)
{
    if (max_message < SEG_OVERHEAD + PA_ATTRIBUTE_HEADER || max_message - SEG_OVERHEAD >= SEG_NO_LIMIT)
        return 0;
    return (uint32_t)(max_message - SEG_OVERHEAD);
}

struct pa_segmentation_contract_response
seg_accept(struct seg *s, uint16_t peer, const struct pa_segmentation_contract_request *request, size_t max_message)
{
    /* SEG-R3: lowered to what our own messages carry, never raised; the message size is echoed. */
    struct pa_segmentation_contract_response answer = {request->max_message, request->max_segment};
    uint32_t own = seg_size(max_message);
    if (answer.max_segment != SEG_NO_LIMIT && own && answer.max_segment > own)
        answer.max_segment = own;

    unsigned i = 0;
    while (i < s->contract_count && s->contracts[i].peer != peer)
        i++;
    if (i == SEG_CONTRACTS_MAX) {
        answer.max_segment = SEG_NO_LIMIT;
        return answer;
    }
    if (i == s->contract_count)
        s->contract_count++;
    s->contracts[i] =
        (struct seg_contract){peer, answer.max_message, answer.max_segment}; /* SEG-R5: replaces an older one */
    return answer;
}

const struct seg_contract *seg_find(const struct seg *s, uint16_t peer)
{
    if (peer == NEA_ANY)
        return s->contract_count == 1 ? &s->contracts[0] : NULL;
    for (unsigned i = 0; i < s->contract_count; i++)
        if (s->contracts[i].peer == peer)
            return &s->contracts[i];
    return NULL;
}

bool seg_applies(const struct seg_contract *c, size_t n)
{
    /* SEG-R8: only what is larger than a full envelope attribute; the header of the base attribute is never split. */
    return c->max_segment != SEG_NO_LIMIT && c->max_segment >= PA_ATTRIBUTE_HEADER && n > (size_t)c->max_segment + 16;
}

static unsigned count(const struct seg_transfer *t)
{
    unsigned n = 0;
    for (; t; t = t->next)
        n++;
    return n;
}

static size_t held(const struct seg_transfer *t)
{
    size_t n = 0;
    for (; t; t = t->next)
        n += t->data.n;
    return n;
}

struct seg_transfer *seg_lookup(struct seg_transfer *t, uint16_t peer, uint32_t base_id)
{
    while (t && (t->peer != peer || t->base_id != base_id))
        t = t->next;
    return t;
}

void seg_close(struct seg_transfer **list, struct seg_transfer *t)
{
    while (*list && *list != t)
        list = &(*list)->next;
    if (*list)
        *list = t->next;
    wr_free(&t->data);
    free(t);
}

struct seg_transfer *seg_next(struct seg_transfer *list, uint16_t peer)
{
    struct seg_transfer *oldest = NULL;
    for (struct seg_transfer *t = list; t; t = t->next) {
        if (t->peer == peer && t->done)
            return NULL;
        if (t->peer == peer)
            oldest = t;
    }
    return oldest;
}

struct seg_transfer *seg_open(struct seg *s, const struct seg_contract *c, struct wr *attribute)
{
    bool fits = count(s->out) < SEG_OPEN_MAX && attribute->n <= SEG_OUT_MAX && held(s->out) <= SEG_OUT_MAX - attribute->n;
    struct seg_transfer *t = fits ? malloc(sizeof *t) : NULL;
    if (!t) {
        wr_free(attribute);
        return NULL;
    }
    do { /* 24 bits; 0 and identifiers in use are left out when they wrap */
        s->last_base_id = (s->last_base_id + 1) & 0xffffff;
    } while (!s->last_base_id || seg_lookup(s->out, c->peer, s->last_base_id));
    *t = (struct seg_transfer){
        .next = s->out, .peer = c->peer, .base_id = s->last_base_id, .segment = c->max_segment, .data = *attribute};
    *attribute = wr_of(attribute->max);
    s->out = t;
    return t;
}

struct pa_segment_envelope seg_cut(struct seg_transfer *t, size_t room)
{
    struct bytes all = wr_view(&t->data);
    size_t n = all.n - t->done;
    if (n > t->segment)
        n = t->segment;
    if (n > room)
        n = room;
    struct pa_segment_envelope e = {.base_id = t->base_id, .segment = {all.p + t->done, n}};
    if (t->done == 0)
        e.flags |= SEG_START;
    t->done += n;
    if (t->done < all.n)
        e.flags |= SEG_MORE;
    return e;
}

static enum seg_verdict refuse(struct nea_fault *f, size_t offset, const char *text)
{
    nea_fault_set(f, PA_INVALID_PARAMETER, offset, "SEG-R11", "TCG IF-M Segmentation 1.0",
                  "%s (TCG IF-M Segmentation 1.0)", text);
    return SEG_REFUSE;
}

/* The first segment: the base attribute's header tells the size, which must lie within our bound before anything is
 * kept. */
static enum seg_verdict take_first(struct seg *s, uint16_t peer, const struct pa_segment_envelope *e, size_t bound,
                                   struct seg_transfer **t, struct nea_fault *f)
{
    struct rd r = rd_of(e->segment, PA_MESSAGE_HEADER);
    rd_u8(&r);
    uint32_t vendor = rd_u24(&r), number = rd_u32(&r), length = rd_u32(&r);
    if (r.bad)
        return refuse(f, PA_MESSAGE_HEADER, "first segment without the whole attribute header");
    if (length < PA_ATTRIBUTE_HEADER)
        return refuse(f, PA_MESSAGE_HEADER + 8, "segmented attribute with a length below 12");
    if (vendor == PEN_RESERVED) /* PA-R19, before anything is pulled */
        return refuse(f, PA_MESSAGE_HEADER + 1, "segmented attribute of the reserved vendor");
    if (number == 0xffffffff)
        return refuse(f, PA_MESSAGE_HEADER + 4, "segmented attribute of the reserved type");
    if (vendor == PEN_TCG &&
        (number == pa_types[PA_SEGMENT_ENVELOPE].number || number == pa_types[PA_NEXT_SEGMENT].number))
        return refuse(f, PA_MESSAGE_HEADER + 1, "segmented segment"); /* SEG-R10 */
    if (length > bound || count(s->in) >= SEG_OPEN_MAX)
        return SEG_TOO_LARGE;
    struct seg_transfer *fresh = malloc(sizeof *fresh);
    if (!fresh)
        return SEG_TOO_LARGE;
    *fresh = (struct seg_transfer){
        .next = s->in, .peer = peer, .base_id = e->base_id, .done = length, .data = wr_of(bound + PA_MESSAGE_HEADER)};
    pa_message_put(&fresh->data, e->base_id);
    s->in = *t = fresh;
    return SEG_WANT;
}

static enum seg_verdict take(struct seg *s, uint16_t peer, const struct pa_segment_envelope *e, size_t *held,
                             size_t bound, struct seg_transfer **out, struct nea_fault *f)
{
    struct seg_transfer *t = seg_lookup(s->in, peer, e->base_id);
    *out = NULL;
    if (!t == !(e->flags & SEG_START)) /* a beginning that is open already, or a continuation of nothing */
        return SEG_IGNORE;
    enum seg_verdict v = t ? SEG_WANT : take_first(s, peer, e, bound, &t, f);
    if (v != SEG_WANT)
        return v;

    size_t have = t->data.n - PA_MESSAGE_HEADER;
    if (e->segment.n > t->done - have)
        v = refuse(f, PA_MESSAGE_HEADER + 8, "more segments than the attribute's length says");
    else if (!(e->flags & SEG_MORE) && e->segment.n < t->done - have)
        v = refuse(f, PA_MESSAGE_HEADER + 8, "fewer segments than the attribute's length says");
    else if ((e->flags & SEG_MORE) && !e->segment.n)
        v = refuse(f, PA_MESSAGE_HEADER, "empty segment");
    else if (e->segment.n > bound - *held)
        v = SEG_TOO_LARGE;
    if (v == SEG_WANT) {
        wr_bytes(&t->data, e->segment);
        if (t->data.bad)
            v = SEG_TOO_LARGE;
        else
            *held += e->segment.n;
    }
    if (v == SEG_WANT) {
        *out = t;
        return e->flags & SEG_MORE ? SEG_WANT : SEG_COMPLETE;
    }
    *held -= have;
    seg_close(&s->in, t);
    return v;
}

/* Whether segments carry, or begin to carry, a PA-TNC Error. */
static bool is_error(const struct seg_transfer *open, struct bytes segment)
{
    struct rd r = rd_of(open ? wr_view(&open->data) : segment, 0);
    rd_take(&r, open ? PA_MESSAGE_HEADER : 0);
    rd_u8(&r);
    return rd_u24(&r) == PEN_IETF && rd_u32(&r) == pa_types[PA_ERROR].number;
}

enum seg_verdict seg_take(struct seg *s, uint16_t peer, const struct pa_segment_envelope *e, size_t *held, size_t bound,
                          struct seg_transfer **out, struct nea_fault *f)
{
    bool error = is_error(seg_lookup(s->in, peer, e->base_id), e->segment);
    enum seg_verdict v = take(s, peer, e, held, bound, out, f);
    if (v == SEG_REFUSE &&
        error) /* PA-R36, PA-R47, RFC 5792 §4.2.8: what is wrong with an error is not answered with one */
        f->code = PA_DROP;
    return v;
}

void seg_reset(struct seg *s)
{
    while (s->out)
        seg_close(&s->out, s->out);
    while (s->in)
        seg_close(&s->in, s->in);
}
