/* What passes between the broker and its components: PA-TNC messages into the queue, and out of PB-PA to whoever is subscribed; faults
 * answered, large attributes in segments. Whose turn it is does not matter here. */
#include "nea/internal.h"

#define PROGRESS 64 /* a segment smaller than this does not excuse a round */
#define SEGMENT_ROWS                                                                                                   \
    (UINT64_C(1) << PA_SEGMENTATION_CONTRACT_REQUEST | UINT64_C(1) << PA_SEGMENTATION_CONTRACT_RESPONSE |              \
     UINT64_C(1) << PA_SEGMENT_ENVELOPE | UINT64_C(1) << PA_NEXT_SEGMENT)
_Static_assert(PA_TYPE_COUNT <= 64, "accepts has a bit a row");

/* ---- sending ---- */

/* A PB-PA message being written into the queue. */
struct outgoing {
    struct nea_connection *c;
    uint16_t to;
    size_t pb, pa; /* where the PB message and the PA message begin; SIZE_MAX: none is open */
};

static void outgoing_end(struct outgoing *o)
{
    if (o->pb != SIZE_MAX)
        pb_message_end(&o->c->session->queue, o->pb);
    o->pb = SIZE_MAX;
}

static void put_pa_header(struct wr *w, struct nea_connection *c, uint16_t to, size_t *pb, size_t *pa)
{
    struct nea_session *s = c->session;
    bool server = s->config.role == NEA_SERVER;
    struct pb_pa header = {
        /* PB-R33, PA-R35, SWIMA-R11: a known receiver alone gets it */
        .flags = to == NEA_ANY ? 0 : PB_PA_EXCL, .vendor = c->component->vendor,   .subtype = c->component->subtype,
        .collector = server ? to : c->id,        .validator = server ? c->id : to,
    };
    *pb = pb_pa_begin(w, &header);
    *pa = w->n;
    pa_message_put(w, s->next_message++);
}

/* Room left in the open message; opens one if need be or if fewer than `least` octets are left. */
static size_t outgoing_room(struct outgoing *o, size_t least)
{
    struct nea_session *s = o->c->session;
    size_t max = s->config.limits.max_message; /* SEG-R9: a response and a segment may share a message */
    if (o->pb != SIZE_MAX && s->queue.n - o->pa + least > max)
        outgoing_end(o);
    if (o->pb == SIZE_MAX)
        put_pa_header(&s->queue, o->c, o->to, &o->pb, &o->pa);
    size_t used = s->queue.n - o->pa;
    return used < max ? max - used : 0;
}

static void put_envelope(struct outgoing *o, struct seg_transfer *t)
{
    size_t room = outgoing_room(o, PA_ATTRIBUTE_HEADER + 4 + PA_ATTRIBUTE_HEADER) - PA_ATTRIBUTE_HEADER - 4;
    struct pa_segment_envelope e = seg_cut(t, room);
    pa_attribute_put(&o->c->session->queue, &pa_types[PA_SEGMENT_ENVELOPE], 0, &e);
    if (e.segment.n >= PROGRESS)
        o->c->session->progress = true;
    if (!(e.flags & SEG_MORE))
        seg_close(&o->c->seg.out, t);
}

/* One transfer after the other: together they might be more than the peer takes. */
static void begin_transfer(struct outgoing *o, uint16_t peer)
{
    struct seg_transfer *t = seg_next(o->c->seg.out, peer);
    if (t)
        put_envelope(o, t);
}

static void put_attribute(struct outgoing *o, struct wr *attribute, const char *name)
{
    struct nea_session *s = o->c->session;
    const struct seg_contract *contract = seg_find(&o->c->seg, o->to);
    size_t n = attribute->n;
    if (attribute->bad) {
        nea_note(s, LOG_ERROR, "%s: a %s does not fit its format and is not sent", o->c->component->name, name);
    } else if (contract && PA_MESSAGE_HEADER + n > contract->max_message) {
        nea_note(s, LOG_WARNING, "%s: a %s of %zu octets is larger than the peer takes and is not sent",
                 o->c->component->name, name, n);
    } else if (contract && seg_applies(contract, n)) {
        struct seg_transfer *t = seg_open(&o->c->seg, contract, attribute);
        if (!t)
            nea_note(s, LOG_WARNING, "%s: too many segmented transfers, a %s is not sent", o->c->component->name, name);
        else
            begin_transfer(o, t->peer);
    } else if (PA_MESSAGE_HEADER + n > s->config.limits.max_message) { /* SEG-R7: no contract */
        nea_note(s, LOG_WARNING, "%s: a %s of %zu octets is larger than a message and is not sent",
                 o->c->component->name, name, n);
    } else {
        outgoing_room(o, n);
        wr_bytes(&s->queue, wr_view(attribute));
    }
}

void nea_send(struct nea_connection *c, uint16_t to, const struct pa_out *attributes, size_t count)
{
    struct nea_session *s = c->session;
    struct outgoing o = {.c = c, .to = to, .pb = SIZE_MAX};
    struct wr attribute = wr_of(0);
    if (s->state == PB_END)
        return;
    if (!count)
        outgoing_room(&o, 0);
    for (size_t i = 0; i < count; i++) {
        wr_reset(&attribute);
        pa_attribute_put(&attribute, attributes[i].type, attributes[i].flags, attributes[i].fields);
        put_attribute(&o, &attribute, attributes[i].type->name);
    }
    outgoing_end(&o);
    wr_free(&attribute);
    c->queued = true;
}

static void send_one(struct nea_connection *c, uint16_t to, enum pa_row row, const void *fields)
{
    struct pa_out out = {.type = &pa_types[row], .fields = fields};
    nea_send(c, to, &out, 1);
}

void delivery_propose(struct nea_connection *c, struct wr *w)
{
    const struct nea_session *s = c->session;
    size_t pb, pa;
    /* A segment shares its batch, which must not exceed our bound: with those for other components, with the answers to these requests. */
    size_t message = s->config.limits.max_message, share = s->config.limits.max_batch / (s->connection_count + 1);
    struct pa_segmentation_contract_request request = {.max_message = (uint32_t)s->config.limits.max_reassembly,
                                                       .max_segment = seg_size(message < share ? message : share)};
    if (!request.max_segment)
        return;
    put_pa_header(w, c, NEA_ANY, &pb, &pa); /* SEG-R1 */
    pa_attribute_put(w, &pa_types[PA_SEGMENTATION_CONTRACT_REQUEST], 0, &request);
    pb_message_end(w, pb);
    c->proposed = true;
}

void nea_progress(struct nea_connection *c)
{
    c->session->progress = true;
}

bool nea_receiving(const struct nea_connection *c)
{
    return c->seg.in != NULL;
}

size_t nea_max_message(const struct nea_connection *c)
{
    const struct seg_contract *contract = seg_find(&c->seg, NEA_ANY);
    size_t plain = c->session->config.limits.max_message;
    size_t bound = ((size_t)64 << 20) - PA_MESSAGE_HEADER; /* of a writer */
    if (!contract || contract->max_segment == SEG_NO_LIMIT || contract->max_segment < PA_ATTRIBUTE_HEADER)
        return contract && contract->max_message < plain ? contract->max_message : plain;
    return contract->max_message < bound ? contract->max_message : bound;
}

/* ---- receiving ---- */

/* PA-R34, R39, R51, RFC 5792 §4.2.8: one error alone in a message, of vendor 0. Only where that is allowed: never an error with an error (PA-R36), and nothing at all from a SWIMA
 * validator (SWIMA-R72, PA-R52). `head` is what the error quotes, offsets count from `base` in `message`. */
static void answer_fault(struct nea_connection *c, uint16_t from, bool has_error, struct bytes head,
                         struct bytes message, size_t base, const struct nea_fault *fault)
{
    struct nea_session *s = c->session;
    bool swima = c->component->vendor == PEN_IETF && c->component->subtype == PA_SUBTYPE_SWIMA;
    uint8_t information[PA_ERROR_INFORMATION];
    nea_note(s, LOG_WARNING, "%s: %s", c->component->name, fault->text);
    if (!has_error && fault->code >= PA_INVALID_PARAMETER && fault->code <= PA_TYPE_NOT_SUPPORTED &&
        !(s->config.role == NEA_SERVER && swima)) {
        struct pa_error e = {.vendor_id = PEN_IETF, .code = fault->code};
        e.information = (struct bytes){information, pa_error_information(information, head, message, fault, base)};
        send_one(c, from, PA_ERROR, &e);
    }
    if (c->component->refused)
        c->component->refused(c->state, fault);
}

/* The pseudo header that an error about a reassembled attribute quotes. */
static void answer_segment_fault(struct nea_connection *c, uint16_t from, bool has_error, uint32_t base_id,
                                 struct bytes message, const struct nea_fault *fault)
{
    uint8_t head[PA_MESSAGE_HEADER] = {
        0xff, 0xff, 0xff, 0xff, 0, (uint8_t)(base_id >> 16), (uint8_t)(base_id >> 8), (uint8_t)base_id};
    answer_fault(c, from, has_error, (struct bytes){head, sizeof head}, message, PA_MESSAGE_HEADER, fault);
}

static uint64_t accepts(const struct nea_connection *c)
{
    return c->component->accepts ? c->component->accepts | SEGMENT_ROWS : 0;
}

static void hand_over(struct nea_connection *c, uint16_t from, const struct pa_message *message)
{
    struct nea_delivery d = {
        .vendor = c->component->vendor, .subtype = c->component->subtype, .from = from, .message = message};
    if (c->component->receive)
        c->component->receive(c->state, &d);
}

static void deliver_reassembled(struct nea_connection *c, uint16_t from, struct seg_transfer *t)
{
    struct nea_session *s = c->session;
    struct arena arena = arena_of(ARENA_LIMIT);
    struct bytes whole = wr_view(&t->data);
    struct pa_message message;
    struct nea_fault fault;
    if (pa_message_decode_for(&arena, whole, s->config.role, accepts(c), &message, &fault) == PA_OK)
        hand_over(c, from, &message);
    else
        answer_segment_fault(c, from, message.has_error, t->base_id, whole, &fault);
    arena_free(&arena);
    s->reassembling -= t->data.n - PA_MESSAGE_HEADER;
    seg_close(&c->seg.in, t);
}

/* What nobody here takes is not pulled to its end to be skipped then. False: it is not taken; the answer, if it must not be
 * skipped, is on its way. */
static bool takes_base(struct nea_connection *c, uint16_t from, struct seg_transfer *t)
{
    struct nea_session *s = c->session;
    struct rd r = rd_of(wr_view(&t->data), 0);
    struct nea_fault fault;
    rd_take(&r, PA_MESSAGE_HEADER);
    uint8_t flags = rd_u8(&r);
    uint32_t vendor = rd_u24(&r), number = rd_u32(&r);
    if (pa_takes(pa_type_find(vendor, number), s->config.role, accepts(c)))
        return true;
    nea_fault_set(&fault, PA_TYPE_NOT_SUPPORTED, PA_MESSAGE_HEADER, "PA-R16", "RFC 5792 §4.1",
                  "unsupported NOSKIP attribute in segments (PA-R16, RFC 5792 §4.1)");
    if (flags & PA_NOSKIP)
        answer_segment_fault(c, from, false, t->base_id, wr_view(&t->data), &fault);
    s->reassembling -= t->data.n - PA_MESSAGE_HEADER;
    seg_close(&c->seg.in, t);
    return false;
}

static void take_envelope(struct nea_connection *c, uint16_t from, const struct pa_segment_envelope *e)
{
    struct nea_session *s = c->session;
    struct seg_transfer *t;
    struct nea_fault fault;
    struct pa_next_segment next = {.base_id = e->base_id};
    if (!c->proposed) {
        nea_note(s, LOG_WARNING, "%s: a segment without a contract is ignored", c->component->name);
        return;
    }
    enum seg_verdict verdict = seg_take(&c->seg, from, e, &s->reassembling, s->config.limits.max_reassembly, &t, &fault);
    if (t && e->segment.n >= PROGRESS)
        s->progress = true;
    switch (verdict) {
    case SEG_IGNORE:
        nea_note(s, LOG_WARNING, "%s: segment of transfer %u is out of order and ignored", c->component->name,
                 e->base_id);
        return;
    case SEG_WANT:
        next.flags = takes_base(c, from, t) ? 0 : SEG_CANCEL;
        send_one(c, from, PA_NEXT_SEGMENT, &next);
        return;
    case SEG_COMPLETE:
        deliver_reassembled(c, from, t);
        return;
    case SEG_REFUSE:
        answer_segment_fault(c, from, false, e->base_id, (struct bytes){NULL, 0}, &fault);
        break;
    case SEG_TOO_LARGE:
        nea_fault_set(&fault, PA_DROP, 0, "SEG-L1", "own limit", "segmented attribute larger than our bound");
        answer_segment_fault(c, from, false, e->base_id, (struct bytes){NULL, 0}, &fault);
        break;
    }
    next.flags = SEG_CANCEL;
    if (e->flags & SEG_MORE)
        send_one(c, from, PA_NEXT_SEGMENT, &next);
}

static void send_next_segment(struct nea_connection *c, uint16_t from, const struct pa_next_segment *next)
{
    struct seg_transfer *t = seg_lookup(c->seg.out, from, next->base_id);
    struct outgoing o = {.c = c, .to = from, .pb = SIZE_MAX};
    if (!t) {
        nea_note(c->session, LOG_WARNING, "%s: next segment of an unknown transfer %u", c->component->name,
                 next->base_id);
        return;
    }
    if (next->flags & (SEG_CANCEL | 0x01)) { /* the drawing says 0x80, strongSwan 0x01 */
        nea_note(c->session, LOG_WARNING, "%s: the peer cancelled transfer %u", c->component->name, next->base_id);
        seg_close(&c->seg.out, t);
    } else {
        put_envelope(&o, t);
    }
    begin_transfer(&o, from);
    outgoing_end(&o);
}

/* Segmentation is the broker's business; true if the attribute was of that kind. */
static bool take_segmentation(struct nea_connection *c, uint16_t from, const struct pa_attribute *at)
{
    struct pa_segmentation_contract_response answer;
    if (!at->type || at->vendor != PEN_TCG)
        return false;
    switch ((enum pa_row)(at->type - pa_types)) {
    case PA_SEGMENTATION_CONTRACT_REQUEST:
        answer = seg_accept(&c->seg, from, at->fields, c->session->config.limits.max_message);
        send_one(c, from, PA_SEGMENTATION_CONTRACT_RESPONSE, &answer); /* SEG-R2 */
        return true;
    case PA_SEGMENTATION_CONTRACT_RESPONSE: /* SEG-R4: nothing to keep, smaller segments are taken all the same */
        return true;
    case PA_SEGMENT_ENVELOPE:
        take_envelope(c, from, at->fields);
        return true;
    case PA_NEXT_SEGMENT:
        send_next_segment(c, from, at->fields);
        return true;
    default:
        return false;
    }
}

static void deliver_to(struct nea_connection *c, uint16_t from, struct bytes octets)
{
    struct nea_session *s = c->session;
    struct pa_message message;
    struct nea_fault fault;
    arena_reset(&s->arena);
    if (pa_message_decode_for(&s->arena, octets, s->config.role, accepts(c), &message, &fault) != PA_OK) {
        answer_fault(c, from, message.has_error, octets, octets, 0, &fault);
        return;
    }
    size_t kept = 0, count = message.count;
    for (size_t i = 0; i < count; i++)
        if (!take_segmentation(c, from, &message.attributes[i]))
            message.attributes[kept++] = message.attributes[i];
    message.count = kept;
    if (kept || !count)
        hand_over(c, from, &message);
}

/* PB-R29, R30, R31, R34, RFC 5793 §4.5: each message to all who are subscribed, or to the named one if it is; to nobody
 * without a word. */
void delivery_take(struct nea_session *s, const struct pb_pa *pa)
{
    bool server = s->config.role == NEA_SERVER;
    uint16_t from = server ? pa->collector : pa->validator, to = server ? pa->validator : pa->collector;
    for (size_t i = 0; i < s->connection_count; i++) {
        struct nea_connection *c = &s->connections[i];
        if (c->component->vendor == pa->vendor && c->component->subtype == pa->subtype &&
            (!(pa->flags & PB_PA_EXCL) || to == c->id))
            deliver_to(c, from, pa->message);
    }
}
