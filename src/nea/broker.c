/* The posture broker of one session: its components and their identifiers, turns, holds, results. Both roles. */
#include "nea/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REASON_MAX        4096
#define REMEDIATION_MAX   8192
#define TEXT_MAX          ((size_t)64 << 10) /* reasons and remediation that a server may tell us */
#define CLIENT_ROUNDS_MAX 4096               /* a server may poll with empty batches while it works, but not for ever */
#define RETRIES_A_MINUTE  600
#define BATCHES_MAX       65536 /* of the peer in one exchange: what 64 MiB need in segments of 1,000 octets */

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
    if (s->config.wake && !s->carrier->busy)
        s->config.wake(s->config.host);
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
    wr_reset(&c->remediation);
    wr_reset(&c->reason);
    wr_bytes(&c->reason, (struct bytes){reason.p, utf8_cut(reason, REASON_MAX)});
    snprintf(c->language, sizeof c->language, "%s", language ? language : "");
}

void nea_remediate(struct nea_connection *c, enum nea_remediation kind, struct bytes text, const char *language)
{
    struct bytes tag = bytes_of(kind == NEA_REMEDIATION_TEXT && language ? language : "");
    while (text.n && text.p[text.n - 1] == 0) /* PB-R41: never NUL-terminated */
        text.n--;
    if (!text.n || text.n + 64 > REMEDIATION_MAX - c->remediation.n || tag.n >= sizeof c->language ||
        !(kind == NEA_REMEDIATION_URI ? nea_uri_valid(text) : utf8_valid(text))) /* PB-R60 */
        nea_note(c->session, LOG_WARNING, "%s: %zu octets of remediation are none, or too many, and not sent",
                 c->component->name, text.n);
    else
        pb_remediation_put(&c->remediation, kind, text, tag);
}

void nea_retry(struct nea_connection *c)
{
    nea_session_retry(c->session);
}

struct bytes nea_peer_name(const struct nea_connection *c)
{
    return wr_view(&c->session->peer_name);
}

struct bytes nea_peer_language(const struct nea_connection *c)
{
    return wr_view(&c->session->peer_language);
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

/* PB-R68, RFC 5793 §4.1: with the connection ends what else goes over it. */
static void end_all(struct nea_session *s)
{
    s->carrier->state = PB_END;
    if (s->carrier->mirror)
        s->carrier->mirror->state = PB_END;
}

static void end_by_fault(struct nea_session *s, const struct nea_fault *fault)
{
    end_all(s);
    if (!s->outcome.fault.text[0])
        s->outcome.fault = *fault;
    if (!s->carrier->outcome.fault.text[0])
        s->carrier->outcome.fault = *fault;
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
        return; /* PB-R44 */
    struct nea_fault fault;
    nea_fault_set(&fault, code, parameter, "PB-R43", "RFC 5793 §4.9",
                  "the peer ended the session with PB-TNC error %u, parameter %u", code, parameter);
    end_by_fault(s, &fault); /* PB-R43: no answer */
}

static void take_message(struct nea_session *s, const struct pb_message *m)
{
    struct rd r = rd_of(m->value, 0);
    struct bytes text = m->value;
    switch ((enum pb_message_type)m->type) {
    case PB_PA: {
        struct pb_pa pa = pb_pa_read(m->value);
        s->rx_empty = false;
        delivery_take(s, &pa);
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
    bool news = !s->told || s->told_result != s->outcome.result || s->told_access != s->outcome.access;
    s->outcome.decided = s->told = true;
    s->told_result = s->outcome.result;
    s->told_access = s->outcome.access;
    /* Exchanges about tags and news that change nothing of it are many. */
    nea_note(s, news ? LOG_INFO : LOG_DEBUG, "%s: %s, access %s",
             s->carrier == s ? "assessment result" : "result of the mutual assessment's other direction",
             nea_result_name(s->outcome.result), nea_access_name(s->outcome.access));
    for (size_t i = 0; i < s->connection_count; i++) {
        const struct nea_connection *c = &s->connections[i];
        if (c->component->decided)
            c->component->decided(c->state, s->outcome.result, s->outcome.access);
    }
}

/* No verdict outlives what it was about, and none comes with a fatal error. */
static void forget_verdict(struct nea_session *s)
{
    s->outcome.decided = false;
    s->outcome.result = NEA_DONT_KNOW;
    s->outcome.access = NEA_ACCESS_NONE;
}

/* Forgets the exchange before: transfers end, contracts and identifiers stay (SEG-R6, PB-R32). */
static void clear_exchange(struct nea_session *s)
{
    s->rounds = s->batches = 0;
    s->soliciting = s->progress = false;
    s->reassembling = 0;
    wr_reset(&s->queue);
    for (size_t i = 0; i < s->connection_count; i++)
        seg_reset(&s->connections[i].seg);
}

static void clear_verdict(struct nea_session *s)
{
    forget_verdict(s);
    wr_reset(&s->reason);
    wr_reset(&s->remediation);
    for (size_t i = 0; i < s->connection_count; i++)
        s->connections[i].recommended = false;
}

/* A new exchange on the same session. */
static void new_exchange(struct nea_session *s)
{
    clear_exchange(s);
    clear_verdict(s);
    s->heard = s->spoken = false;
    EACH(s, begin_handshake);
}

/* PB-L3: an agent that tells each change tells two a second at most; who asks for ten, minute after minute, is no
 * agent. */
static bool retries_too_often(struct nea_session *s)
{
    struct nea_fault fault;
    if (s->now - s->retries_since >= 60000) {
        s->retries_since = s->now;
        s->retries = 0;
    }
    if (++s->retries <= RETRIES_A_MINUTE)
        return false;
    nea_fault_set(&fault, PB_LOCAL_ERROR, 0, "PB-L3", "own limit", "more than %d retries a minute", RETRIES_A_MINUTE);
    broker_abort(s, &fault);
    return true;
}

/* PB-R3, RFC 5793 §3.2: a retry that is ignored changes no state. Where it was ours that crossed it and was ignored
 * over there, our components say in the exchange that follows what they had said in it; that begins no new count of
 * rounds, or a server could make us go on for ever. */
static void take_crossing(struct nea_session *s)
{
    unsigned rounds = s->rounds, batches = s->batches + 1;
    if (!s->retry_sent)
        return;
    s->retry_sent = false;
    new_exchange(s);
    s->rounds = rounds;
    s->batches = batches;
}

/* Where that direction was before, its components and their identifiers stay, as with a retry. */
static void reopen_mirror(struct nea_session *m)
{
    m->state = PB_INIT;
    m->want_retry = m->own_retry = m->crossed = m->forgiving = m->rx_empty = m->introduced = false;
    m->outcome.negotiated = true;
    new_exchange(m);
}

static bool mirror_ended(const struct nea_session *s)
{
    return s->mirror && s->mirror->state == PB_END;
}

/* strongSwan's mutual assessment (PB-Mutual-Capability, vendor ITA): the NEA Client that opened the transport offers it
 * with its first batch of an exchange, the server agrees with its own first one, and from there on each side is both.
 * When a new exchange begins, the direction that has ended begins anew where both say so again. */
static void agree(struct nea_session *s)
{
    struct nea_fault fault;
    if (!s->config.mutual || s->carrier != s || s->config.initiator != (s->config.role == NEA_CLIENT))
        return;
    if (s->mirror && !mirror_ended(s))
        return;
    if (s->mirror) {
        reopen_mirror(s->mirror);
        s->agreed = true;
        return;
    }
    s->mirror = session_mirror(s);
    s->agreed = s->mirror != NULL;
    if (s->mirror)
        broker_begin(s->mirror);
    if (s->mirror || s->config.role == NEA_SERVER)
        return;
    nea_fault_set(&fault, PB_LOCAL_ERROR, 0, "PB-L3", "own limit", "no memory for the other direction");
    broker_abort(s, &fault);
}

/* The client's first batch of an exchange offers it; false: there is nothing to offer. What an exchange before said of the
 * server is forgotten with that: who does not agree again has no verdict. */
static bool offer(struct nea_session *s, enum pb_type type)
{
    if (s->spoken || s->carrier != s || !s->config.initiator || !s->config.mutual ||
        (type != PB_CDATA && type != PB_CRETRY) || (s->introduced && !mirror_ended(s)))
        return false;
    s->offered = true;
    if (s->mirror) {
        forget_verdict(s->mirror);
        s->mirror->outcome.negotiated = false;
    }
    return true;
}

/* The end of the connection; of a mutual assessment's second direction: of that one alone. */
static void take_close(struct nea_session *s)
{
    if (s->carrier == s)
        end_all(s);
    s->state = PB_END;
}

/* RFC 5793 §3.2 has both sides ignore a retry that crosses their own (PB-R3). strongSwan's client takes it for its turn
 * to speak: it says one CDATA for our SRETRY, with all it has to say, and one more for the SDATA behind. Once after
 * such a crossing, a CDATA that finds us not waiting is that second one, and ignored; an empty one that finds us
 * waiting may be, and does not prove that there is nothing to come (server_turn). */
static bool is_surplus(struct nea_session *s, struct bytes batch)
{
    unsigned type = batch.n >= PB_BATCH_HEADER ? batch.p[3] & 0x0f : 0;
    bool waiting = s->state == PB_CLIENT_WORKING;
    if (s->config.role == NEA_SERVER && type == PB_CRETRY && (waiting || s->state == PB_SERVER_WORKING))
        s->crossed = s->forgiving = true;
    bool surplus = s->crossed && type == PB_CDATA && (s->state == PB_SERVER_WORKING || s->state == PB_DECIDED);
    s->crossed &= !surplus;
    return surplus;
}

static void take_batch(struct nea_session *s, struct bytes batch)
{
    const struct pb_step *step;
    struct nea_fault fault;
    enum nea_role role = s->config.role;
    if (is_surplus(s, batch))
        return;
    enum pb_error_code code = pb_batch_check(batch, role, s->state, &step, &fault);
    if (code != PB_OK && step && step->action == PB_FINISH) { /* a broken CLOSE is still one: never answered */
        take_close(s);
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
        take_crossing(s);
        return;
    }
    if (step->action == PB_RETRY && retries_too_often(s))
        return;
    if (step->action == PB_RETRY)
        new_exchange(s);
    s->rx_empty = true;
    s->retry_sent = false;
    struct pb_message m;
    /* Of the exchange; a retry of the server only announces it. */
    bool mutual = false, first = role == NEA_SERVER ? !s->heard : s->offered && type != PB_SRETRY;
    s->heard = true;
    s->offered &= !first;
    for (struct rd r = pb_batch_messages(batch); pb_message_next(&r, role, type, &m);)
        if (!m.ignored && (type != PB_CLOSE || m.type == PB_ERROR))
            take_message(s, &m);
        else
            mutual |= pb_mutual_offers(&m);
    if (type == PB_CLOSE)
        take_close(s);
    else if (s->state == PB_END)
        forget_verdict(s);
    if (s->state == PB_END)
        return;
    EACH(s, batch_ending);
    if (type == PB_RESULT)
        tell_decided(s);
    s->batches++;
    if (!s->progress)
        s->rounds++;
    s->progress = false;
    if (mutual && first)
        agree(s);
}

/* In a mutual assessment the direction bit tells which of our two roles a batch is for. */
static struct nea_session *addressee(struct nea_session *s, struct bytes batch)
{
    bool to_client = batch.n > 1 && batch.p[1] & 0x80;
    return s->mirror && batch.n > 1 && to_client != (s->config.role == NEA_CLIENT) ? s->mirror : s;
}

void broker_batch(struct nea_session *s, struct bytes batch)
{
    struct nea_session *to = addressee(s, batch);
    s->mirror_heard = to != s;
    s->busy = true;
    take_batch(to, batch);
    s->busy = false;
    /* What one large message needed is not kept by an idle connection. */
    if (to->arena.used > 16384)
        arena_free(&to->arena);
}

/* ---- sending batches ---- */

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
    size_t overhead =
        PT_HEADER + PB_BATCH_HEADER + 32768; /* language, contract requests, results, reasons, remediation */
    return s->config.limits.max_batch > 2 * overhead ? s->config.limits.max_batch - overhead
                                                     : s->config.limits.max_batch / 2;
}

static void send_batch(struct nea_session *s, enum pb_type type)
{
    const struct pb_step *step = pb_step_find(s->state, s->config.role, PB_TX, type);
    if (!step)
        bug("%s sent in state %s", pb_type_name(type), pb_state_name(s->state));
    struct wr *w = &s->carrier->pt.out;
    size_t pt = pt_batch_begin(s->carrier), batch = pb_batch_begin(w, s->config.role, type);
    if (s->config.role == NEA_SERVER ? s->agreed : offer(s, type))
        pb_mutual_put(w);
    if (type == PB_CDATA && !s->introduced && s->config.language && nea_language_valid(bytes_of(s->config.language)))
        pb_language_put(w, s->config.language);
    s->introduced = s->spoken = true;
    s->agreed = false;
    if (type == PB_RESULT) {
        pb_result_put(w, s->outcome.result, s->outcome.access);
        for (size_t i = 0; i < s->connection_count; i++) { /* PB-R63: reasons stand beside what they explain */
            const struct nea_connection *c = &s->connections[i];
            if (c->recommended && c->reason.n) /* PB-R51: never an empty one */
                pb_reason_put(w, wr_view(&c->reason), bytes_of(c->language));
            if (c->recommended)
                wr_bytes(w, wr_view(&c->remediation));
        }
    }
    /* SEG-R6: collectors propose at once, validators with their first message that wants an answer. */
    for (size_t i = 0; i < s->connection_count; i++)
        if ((type == PB_CDATA || type == PB_CRETRY || (type == PB_SDATA && s->connections[i].queued)) &&
            !s->connections[i].proposed)
            delivery_propose(&s->connections[i], w);
    if (type != PB_CLOSE && type != PB_SRETRY)
        put_queue(s, w, queue_room(s));
    pb_batch_end(w, batch);
    pt_batch_end(s->carrier, pt);
    s->state = step->next;
}

void broker_abort(struct nea_session *s, const struct nea_fault *fault)
{
    nea_note(s, LOG_WARNING, "%s", fault->text);
    struct pt_tls *pt_tls = &s->carrier->pt;
    if (s->state != PB_END && pt_tls->state == PT_DATA) { /* PB-R2, PB-R15, PB-R43 */
        size_t pt = pt_batch_begin(s->carrier), batch = pb_batch_begin(&pt_tls->out, s->config.role, PB_CLOSE);
        pb_error_put(&pt_tls->out, fault);
        pb_batch_end(&pt_tls->out, batch);
        pt_batch_end(s->carrier, pt);
    }
    end_by_fault(s, fault);
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

/* Nothing comes of it any more: an exchange ends after so many batches, and sooner if they bring nothing. */
static bool worn_out(const struct nea_session *s)
{
    unsigned most = s->config.role == NEA_SERVER ? s->config.limits.max_rounds : CLIENT_ROUNDS_MAX;
    return s->rounds > most || s->batches > BATCHES_MAX;
}

/* The server's turn: SDATA, RESULT, or nothing while somebody holds. */
static void server_turn(struct nea_session *s)
{
    bool stuck = s->rx_empty && !s->queue.n && !(s->crossed && s->forgiving);
    s->forgiving &= !s->rx_empty;
    if (!s->soliciting && !s->own_retry && (stuck || worn_out(s)) && !(all_recommended(s) && !transferring(s)))
        solicit(s);
    if (s->holds)
        return;
    bool done = s->soliciting || (all_recommended(s) && !transferring(s));
    if (!done || s->own_retry || (s->queue.n > queue_room(s) && !worn_out(s))) {
        s->own_retry = false; /* PB-R67 */
        send_batch(s, PB_SDATA);
        return;
    }
    merge(s);
    send_batch(s, PB_RESULT);
    tell_decided(s);
}

bool broker_waits(const struct nea_session *s)
{
    bool server = s->config.role == NEA_SERVER, mirror = s->carrier != s;
    if (s->state == PB_INIT)
        return !s->config.initiator;
    if (s->state == PB_DECIDED) /* for the CLOSE of the other direction */
        return server && mirror;
    return s->state == (server ? PB_CLIENT_WORKING : PB_SERVER_WORKING);
}

/* strongSwan's peers speak one batch at a time, whatever the transport can: who opened it alternates between his roles
 * and says nothing while one of them is owed an answer; the other side answers in the role that was spoken to. */
static bool may_speak(const struct nea_session *s)
{
    const struct nea_session *other = s->carrier == s ? s->mirror : s->carrier;
    return !other || !s->config.initiator || !broker_waits(other);
}

/* Does what it is our turn to do; false if there is nothing. */
static bool take_turn(struct nea_session *s)
{
    bool server = s->config.role == NEA_SERVER;
    if (s->state == PB_END || s->holds || !may_speak(s))
        return false;
    if (s->queue.bad) {
        abort_local(s, "more to send than fits the queue");
        return false;
    }
    if (s->state == (server ? PB_SERVER_WORKING : PB_CLIENT_WORKING)) {
        if (server)
            server_turn(s);
        else if (worn_out(s))
            abort_local(s, "the server asks without end");
        else
            send_batch(s, PB_CDATA); /* PB quirk 8: empty if there is nothing to say, never silence */
        return !s->holds;
    }
    if (s->state == PB_INIT && s->config.initiator) { /* RFC 5793 §3.2: who opened the transport speaks first */
        send_batch(s, server ? PB_SDATA : PB_CDATA);
        return true;
    }
    if (s->state != PB_DECIDED)
        return false;
    if (s->want_retry && server &&
        s->config.half_duplex) { /* PB-R4, RFC 5793 §3.2: the turn is the client's for good */
        s->state = PB_END;
        return false;
    }
    if (s->want_retry) {
        s->want_retry = s->want_push = false;
        s->own_retry = server;
        new_exchange(s);
        s->retry_sent = !server;
        send_batch(s, server ? PB_SRETRY : PB_CRETRY);
        return true;
    }
    if (s->want_push && !server) { /* SWIMA-R76, RFC 8412 §4.3: upon detection, and outside of an assessment only so */
        s->want_push = false;
        clear_exchange(s);
        EACH(s, push);
        if (s->queue.n || s->queue.bad) { /* else the verdict stands: nothing is asked anew */
            clear_verdict(s);
            s->retry_sent = true;
            send_batch(s, PB_CRETRY);
            return true;
        }
    }
    if (!server && !s->config.stay && !(s->mirror && s->mirror->state != PB_END))
        send_batch(s, PB_CLOSE); /* empty: all went well */
    return false;
}

/* The role that was not spoken to last goes first. */
static bool take_turns(struct nea_session *s)
{
    struct nea_session *first = s->mirror && !s->mirror_heard ? s->mirror : s, *second = first == s ? s->mirror : s;
    return take_turn(first) || (second && take_turn(second));
}

void broker_advance(struct nea_session *s)
{
    if (s->pt.state != PT_DATA || s->busy) /* busy: called by a component through its host; we get there anyway */
        return;
    s->busy = true;
    while (take_turns(s))
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
        *c = (struct nea_connection){.session = s,
                                     .component = s->config.components[i],
                                     .reason = wr_of(REASON_MAX),
                                     .remediation = wr_of(REMEDIATION_MAX)};
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
    bool busy = s->carrier->busy;
    s->outcome.negotiated = true;
    s->carrier->busy = true;
    EACH(s, begin_handshake);
    s->carrier->busy = busy;
}

void broker_free(struct nea_session *s)
{
    for (size_t i = 0; i < s->connection_count; i++) {
        struct nea_connection *c = &s->connections[i];
        if (c->component->destroy)
            c->component->destroy(c->state);
        seg_reset(&c->seg);
        wr_free(&c->reason);
        wr_free(&c->remediation);
    }
    free(s->connections);
    arena_free(&s->arena);
    wr_free(&s->queue);
    wr_free(&s->reason);
    wr_free(&s->remediation);
    wr_free(&s->peer_language);
}
