/* The posture broker of one session: components and their identifiers, routing, turns, holds, results. Both roles. */
#include "nea/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_LIMIT       ((size_t)16 << 20) /* what decoding one PA-TNC message may cost */
#define REASON_MAX        4096
#define TEXT_MAX          ((size_t)64 << 10) /* reasons and remediation that a server may tell us */
#define PROGRESS          64                 /* a segment smaller than this does not excuse a round */
#define CLIENT_ROUNDS_MAX 4096               /* a server may poll with empty batches while it works, but not for ever */
#define SEGMENT_ROWS                                                                                                   \
    (UINT64_C(1) << PA_SEGMENTATION_CONTRACT_REQUEST | UINT64_C(1) << PA_SEGMENTATION_CONTRACT_RESPONSE |              \
     UINT64_C(1) << PA_SEGMENT_ENVELOPE | UINT64_C(1) << PA_NEXT_SEGMENT)
_Static_assert(PA_TYPE_COUNT <= 64, "accepts has a bit a row");

void nea_note(struct nea_session *s, enum log_level level, const char *format, ...)
{
    char text[256];
    va_list args;
    if (!s->config.log)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    s->config.log(s->config.host, level, text);
}

void nea_wake(struct nea_session *s)
{
    if (s->config.wake && !s->busy)
        s->config.wake(s->config.host);
}

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
            put_envelope(o, t);
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

/* ---- what components may ask and say ---- */

void nea_hold(struct nea_connection *c)
{
    c->holds++;
    c->session->holds++;
}

void nea_release(struct nea_connection *c)
{
    struct nea_session *s = c->session;
    if (!c->holds)
        bug("nea_release without nea_hold");
    c->holds--;
    if (--s->holds == 0)
        nea_wake(s);
}

void nea_recommend(struct nea_connection *c, enum nea_result result, enum nea_access access, struct bytes reason,
                   const char *language)
{
    c->recommended = true;
    c->result = result;
    c->access = access;
    wr_reset(&c->reason);
    wr_bytes(&c->reason, (struct bytes){reason.p, utf8_cut(reason, REASON_MAX)});
    snprintf(c->language, sizeof c->language, "%s", language ? language : "");
}

struct bytes nea_peer_name(const struct nea_connection *c)
{
    return wr_view(&c->session->peer_name);
}

struct bytes nea_peer_language(const struct nea_connection *c)
{
    return wr_view(&c->session->peer_language);
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
    if (e->segment.n >= PROGRESS)
        s->progress = true;
    switch (seg_take(&c->seg, from, e, &s->reassembling, s->config.limits.max_reassembly, &t, &fault)) {
    case SEG_IGNORE:
        nea_note(s, LOG_WARNING, "%s: segment of transfer %u is out of order and ignored", c->component->name,
                 e->base_id);
        return;
    case SEG_WANT:
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
    if (!t) {
        nea_note(c->session, LOG_WARNING, "%s: next segment of an unknown transfer %u", c->component->name,
                 next->base_id);
    } else if (next->flags & (SEG_CANCEL | 0x01)) { /* the drawing says 0x80, strongSwan 0x01 */
        nea_note(c->session, LOG_WARNING, "%s: the peer cancelled transfer %u", c->component->name, next->base_id);
        seg_close(&c->seg.out, t);
    } else {
        struct outgoing o = {.c = c, .to = from, .pb = SIZE_MAX};
        put_envelope(&o, t);
        outgoing_end(&o);
    }
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
static void deliver(struct nea_session *s, const struct pb_pa *pa)
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

/* ---- the messages of a batch ---- */

/* PB-R61, RFC 5793 §4.8: several are told, none is obeyed. */
static void append_text(struct wr *w, struct bytes text)
{
    if (w->n)
        wr_u8(w, '\n');
    wr_bytes(w, (struct bytes){text.p, utf8_cut(text, TEXT_MAX)});
    w->bad = false; /* full: what fits is told */
}

/* PB-R46, R48, R69, R70, RFC 5793 §4.9: whatever its code, the FATAL flag tells what follows. */
static void take_error(struct nea_session *s, struct bytes value)
{
    struct rd r = rd_of(value, 0);
    uint8_t flags = rd_u8(&r);
    uint32_t vendor = rd_u24(&r), code = rd_u16(&r);
    rd_u16(&r);
    uint32_t parameter = rd_u32(&r); /* strongSwan sends one with every code, the RFC not with all */
    nea_note(s, LOG_WARNING, "the peer reports PB-TNC error %u of vendor %u, parameter %u%s", code, vendor, parameter,
             flags & PB_ERROR_FATAL ? ", fatal" : "");
    if (!(flags & PB_ERROR_FATAL))
        return;        /* PB-R44 */
    s->state = PB_END; /* PB-R43: no answer */
    nea_fault_set(&s->outcome.fault, code, parameter, "PB-R43", "RFC 5793 §4.9",
                  "the peer ended the session with PB-TNC error %u, parameter %u", code, parameter);
}

static void take_message(struct nea_session *s, const struct pb_message *m)
{
    struct rd r = rd_of(m->value, 0);
    struct bytes text = m->value;
    switch ((enum pb_message_type)m->type) {
    case PB_PA: {
        struct pb_pa pa = pb_pa_read(m->value);
        s->rx_empty = false;
        deliver(s, &pa);
        return;
    }
    case PB_ASSESSMENT_RESULT:
        s->outcome.result = rd_u32(&r);
        return;
    case PB_ACCESS_RECOMMENDATION:
        rd_u16(&r);
        s->outcome.access = rd_u16(&r);
        return;
    case PB_REMEDIATION:
        rd_u8(&r);
        if (rd_u24(&r) != PEN_IETF)
            return;
        uint32_t kind = rd_u32(&r);
        if (kind == 1 || kind == 2)
            append_text(&s->remediation, kind == 1 ? rd_rest(&r) : pb_text_read(rd_rest(&r)));
        return;
    case PB_ERROR:
        take_error(s, m->value);
        return;
    case PB_LANGUAGE: /* PB-R49: the last one counts; empty: none any more */
        if (bytes_starts(text, BYTES("Accept-Language: ")))
            text = (struct bytes){text.p + 17, text.n - 17};
        wr_reset(&s->peer_language);
        wr_bytes(&s->peer_language, text);
        return;
    case PB_REASON:
        append_text(&s->reason, pb_text_read(m->value));
        return;
    default:
        return;
    }
}

/* Calls one function of every component that has it. */
#define EACH(s, member)                                                                                                \
    for (size_t i_ = 0; i_ < (s)->connection_count; i_++)                                                              \
        if ((s)->connections[i_].component->member)                                                                    \
    (s)->connections[i_].component->member((s)->connections[i_].state)

static void tell_decided(struct nea_session *s)
{
    s->outcome.decided = true;
    nea_note(s, LOG_INFO, "assessment result: %s, access %s", nea_result_name(s->outcome.result),
             nea_access_name(s->outcome.access));
    for (size_t i = 0; i < s->connection_count; i++) {
        const struct nea_connection *c = &s->connections[i];
        if (c->component->decided)
            c->component->decided(c->state, s->outcome.result, s->outcome.access);
    }
}

/* Forgets the exchange before: transfers end, contracts and identifiers stay (SEG-R6, PB-R32). */
static void clear_exchange(struct nea_session *s)
{
    s->rounds = 0;
    s->soliciting = s->progress = false;
    s->reassembling = 0;
    wr_reset(&s->queue);
    wr_reset(&s->reason);
    wr_reset(&s->remediation);
    for (size_t i = 0; i < s->connection_count; i++) {
        s->connections[i].recommended = false;
        seg_reset(&s->connections[i].seg);
    }
}

/* A new exchange on the same session. */
static void new_exchange(struct nea_session *s)
{
    clear_exchange(s);
    EACH(s, begin_handshake);
}

static void take_batch(struct nea_session *s, struct bytes batch)
{
    const struct pb_step *step;
    struct nea_fault fault;
    enum nea_role role = s->config.role;
    enum pb_error_code code = pb_batch_check(batch, role, s->state, &step, &fault);
    if (code != PB_OK && step && step->action == PB_FINISH) { /* a broken CLOSE is still one: never answered */
        s->state = PB_END;
        return;
    }
    if (code != PB_OK) {
        broker_abort(s, &fault);
        return;
    }
    unsigned type = batch.n >= PB_BATCH_HEADER ? batch.p[3] & 0x0f : 0;
    s->state = step->next;
    if (step->action == PB_DROP)
        return;
    if (step->action == PB_IGNORE) {
        if (role == NEA_CLIENT) /* our CRETRY crossed the server's retry and was ignored there: say it again */
            new_exchange(s);
        return;
    }
    if (step->action == PB_RETRY)
        new_exchange(s);
    s->rx_empty = true;
    struct pb_message m;
    for (struct rd r = pb_batch_messages(batch); pb_message_next(&r, role, type, &m);)
        if (!m.ignored && (type != PB_CLOSE || m.type == PB_ERROR))
            take_message(s, &m);
    if (type == PB_CLOSE) /* PB-R68, RFC 5793 §4.1 */
        s->state = PB_END;
    if (s->state == PB_END)
        return;
    EACH(s, batch_ending);
    if (type == PB_RESULT)
        tell_decided(s);
    if (!s->progress)
        s->rounds++;
    s->progress = false;
}

void broker_batch(struct nea_session *s, struct bytes batch)
{
    s->busy = true;
    take_batch(s, batch);
    s->busy = false;
    /* What one large message needed is not kept by an idle connection. */
    if (s->arena.used > 16384)
        arena_free(&s->arena);
}

/* ---- sending batches ---- */

static void put_contract_request(struct nea_session *s, struct nea_connection *c, struct wr *w)
{
    size_t pb, pa;
    struct pa_segmentation_contract_request request = {.max_message = (uint32_t)s->config.limits.max_reassembly,
                                                       .max_segment = seg_size(s->config.limits.max_message)};
    if (!request.max_segment)
        return;
    put_pa_header(w, c, NEA_ANY, &pb, &pa); /* SEG-R1 */
    pa_attribute_put(w, &pa_types[PA_SEGMENTATION_CONTRACT_REQUEST], 0, &request);
    pb_message_end(w, pb);
    c->proposed = true;
}

/* The queue's first messages, as many whole ones as leave the batch below its bound (PB-L4). */
static void put_queue(struct nea_session *s, struct wr *w, size_t room)
{
    struct bytes queue = wr_view(&s->queue);
    size_t n = 0;
    while (n < queue.n) {
        struct rd r = rd_of((struct bytes){queue.p + n + 8, 4}, 0);
        size_t length = rd_u32(&r);
        if (n && n + length > room)
            break;
        n += length;
    }
    wr_bytes(w, (struct bytes){queue.p, n});
    wr_drop(&s->queue, n);
    if (!s->queue.n && s->queue.capacity > 16384)
        wr_free(&s->queue);
}

static size_t queue_room(const struct nea_session *s)
{
    size_t overhead = PT_HEADER + PB_BATCH_HEADER + 4096; /* language, contract requests, results */
    return s->config.limits.max_batch > 2 * overhead ? s->config.limits.max_batch - overhead
                                                     : s->config.limits.max_batch / 2;
}

static void send_batch(struct nea_session *s, enum pb_type type)
{
    const struct pb_step *step = pb_step_find(s->state, s->config.role, PB_TX, type);
    if (!step)
        bug("%s sent in state %s", pb_type_name(type), pb_state_name(s->state));
    struct wr *w = &s->pt.out;
    size_t pt = pt_batch_begin(s), batch = pb_batch_begin(w, s->config.role, type);
    if (type == PB_CDATA && !s->language_sent && s->config.language)
        pb_language_put(w, s->config.language);
    s->language_sent |= type == PB_CDATA;
    if (type == PB_RESULT) {
        pb_result_put(w, s->outcome.result, s->outcome.access);
        for (size_t i = 0; i < s->connection_count; i++) { /* PB-R63: reasons stand beside what they explain */
            const struct nea_connection *c = &s->connections[i];
            if (c->recommended && c->reason.n) /* PB-R51: never an empty one */
                pb_reason_put(w, wr_view(&c->reason), bytes_of(c->language));
        }
    }
    /* SEG-R6: collectors propose at once, validators with their first message that wants an answer. */
    for (size_t i = 0; i < s->connection_count; i++)
        if ((type == PB_CDATA || type == PB_CRETRY || (type == PB_SDATA && s->connections[i].queued)) &&
            !s->connections[i].proposed)
            put_contract_request(s, &s->connections[i], w);
    if (type != PB_CLOSE && type != PB_SRETRY)
        put_queue(s, w, queue_room(s));
    pb_batch_end(w, batch);
    pt_batch_end(s, pt);
    s->state = step->next;
}

void broker_abort(struct nea_session *s, const struct nea_fault *fault)
{
    nea_note(s, LOG_WARNING, "%s", fault->text);
    if (!s->outcome.fault.text[0])
        s->outcome.fault = *fault;
    if (s->state != PB_END && s->pt.state == PT_DATA) { /* PB-R2, PB-R15, PB-R43 */
        size_t pt = pt_batch_begin(s), batch = pb_batch_begin(&s->pt.out, s->config.role, PB_CLOSE);
        pb_error_put(&s->pt.out, fault);
        pb_batch_end(&s->pt.out, batch);
        pt_batch_end(s, pt);
    }
    s->state = PB_END;
}

static void abort_local(struct nea_session *s, const char *text)
{
    struct nea_fault fault;
    nea_fault_set(&fault, PB_LOCAL_ERROR, 0, "PB-L3", "own limit", "%s", text);
    broker_abort(s, &fault);
}

/* Worst wins: a verdict of guilty before an error, that before not knowing, that before small things. */
static enum nea_result worse_result(enum nea_result a, enum nea_result b)
{
    static const uint8_t rank[] = {
        [NEA_COMPLIANT] = 0, [NEA_MINOR] = 1, [NEA_DONT_KNOW] = 2, [NEA_ERROR] = 3, [NEA_MAJOR] = 4};
    return rank[b] > rank[a] ? b : a;
}

static enum nea_access worse_access(enum nea_access a, enum nea_access b)
{
    static const uint8_t rank[] = {
        [NEA_ACCESS_NONE] = 0, [NEA_ACCESS_ALLOWED] = 1, [NEA_ACCESS_QUARANTINED] = 2, [NEA_ACCESS_DENIED] = 3};
    return rank[b] > rank[a] ? b : a;
}

static void merge(struct nea_session *s)
{
    s->outcome.result = s->connection_count ? NEA_COMPLIANT : NEA_DONT_KNOW;
    s->outcome.access = s->connection_count ? NEA_ACCESS_NONE : NEA_ACCESS_DENIED;
    for (size_t i = 0; i < s->connection_count; i++) {
        const struct nea_connection *c = &s->connections[i];
        s->outcome.result = worse_result(s->outcome.result, c->recommended ? c->result : NEA_DONT_KNOW);
        s->outcome.access = worse_access(s->outcome.access, c->recommended ? c->access : NEA_ACCESS_DENIED);
    }
}

static bool all_recommended(const struct nea_session *s)
{
    for (size_t i = 0; i < s->connection_count; i++)
        if (!s->connections[i].recommended)
            return false;
    return true;
}

static bool transferring(const struct nea_session *s)
{
    for (size_t i = 0; i < s->connection_count; i++)
        if (s->connections[i].seg.out || s->connections[i].seg.in)
            return true;
    return false;
}

static void solicit(struct nea_session *s)
{
    s->soliciting = true;
    for (size_t i = 0; i < s->connection_count; i++) {
        struct nea_connection *c = &s->connections[i];
        if (!c->recommended && c->component->solicit)
            c->component->solicit(c->state);
    }
}

/* The server's turn: SDATA, RESULT, or nothing while somebody holds. */
static void server_turn(struct nea_session *s)
{
    bool stuck = s->rx_empty && !s->queue.n;
    if (!s->soliciting && !s->own_retry && (stuck || s->rounds > s->config.limits.max_rounds) &&
        !(all_recommended(s) && !transferring(s)))
        solicit(s);
    if (s->holds)
        return;
    bool done = s->soliciting || (all_recommended(s) && !transferring(s));
    if (!done || s->own_retry || (s->queue.n > queue_room(s) && s->rounds <= s->config.limits.max_rounds)) {
        s->own_retry = false; /* PB-R67 */
        send_batch(s, PB_SDATA);
        return;
    }
    merge(s);
    send_batch(s, PB_RESULT);
    tell_decided(s);
}

/* Does what it is our turn to do; false if there is nothing. */
static bool take_turn(struct nea_session *s)
{
    bool server = s->config.role == NEA_SERVER;
    if (s->state == PB_END || s->holds)
        return false;
    if (s->queue.bad) {
        abort_local(s, "more to send than fits the queue");
        return false;
    }
    if (s->state == (server ? PB_SERVER_WORKING : PB_CLIENT_WORKING)) {
        if (server)
            server_turn(s);
        else if (s->rounds > CLIENT_ROUNDS_MAX)
            abort_local(s, "the server asks without end");
        else
            send_batch(s, PB_CDATA); /* PB quirk 8: empty if there is nothing to say, never silence */
        return !s->holds;
    }
    if (s->state != PB_DECIDED)
        return false;
    if (s->want_retry) {
        s->want_retry = s->want_push = false;
        s->own_retry = server;
        new_exchange(s);
        send_batch(s, server ? PB_SRETRY : PB_CRETRY);
        return true;
    }
    if (s->want_push && !server) { /* SWIMA-R76, RFC 8412 §4.3: upon detection, and outside of an assessment only so */
        s->want_push = false;
        clear_exchange(s);
        EACH(s, push);
        if (s->queue.n || s->queue.bad) {
            send_batch(s, PB_CRETRY);
            return true;
        }
    }
    if (!server && !s->config.stay)
        send_batch(s, PB_CLOSE); /* empty: all went well */
    return false;
}

void broker_advance(struct nea_session *s)
{
    if (s->pt.state != PT_DATA || s->busy) /* busy: called by a component through its host; we get there anyway */
        return;
    s->busy = true;
    while (take_turn(s))
        ;
    s->busy = false;
}

/* ---- life ---- */

bool broker_start(struct nea_session *s)
{
    s->queue = wr_of(0);
    s->arena = arena_of(ARENA_LIMIT);
    s->reason = wr_of(TEXT_MAX);
    s->remediation = wr_of(TEXT_MAX);
    s->peer_language = wr_of(1024);
    s->connections = calloc(s->config.component_count ? s->config.component_count : 1, sizeof *s->connections);
    if (!s->connections)
        return false;
    for (size_t i = 0; i < s->config.component_count && i < NEA_ANY - 1; i++) {
        struct nea_connection *c = &s->connections[s->connection_count];
        *c = (struct nea_connection){.session = s, .component = s->config.components[i], .reason = wr_of(REASON_MAX)};
        c->id = (uint16_t)(s->connection_count + 1); /* PB-R32: never 0xffff, the same for the whole session */
        c->context = s->config.contexts ? s->config.contexts[i] : NULL;
        c->state = c->component->create ? c->component->create(c->context, c) : c->context;
        if (c->state)
            s->connection_count++;
    }
    return true;
}

void broker_begin(struct nea_session *s)
{
    s->outcome.negotiated = true;
    s->busy = true;
    EACH(s, begin_handshake);
    s->busy = false;
    if (s->config.initiator) /* RFC 5793 §3.2: who opened the transport speaks first */
        send_batch(s, s->config.role == NEA_CLIENT ? PB_CDATA : PB_SDATA);
}

void broker_free(struct nea_session *s)
{
    for (size_t i = 0; i < s->connection_count; i++) {
        struct nea_connection *c = &s->connections[i];
        if (c->component->destroy)
            c->component->destroy(c->state);
        seg_reset(&c->seg);
        wr_free(&c->reason);
    }
    free(s->connections);
    arena_free(&s->arena);
    wr_free(&s->queue);
    wr_free(&s->reason);
    wr_free(&s->remediation);
    wr_free(&s->peer_language);
}
