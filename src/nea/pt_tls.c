/* PT-TLS (RFC 6876) above the TLS plaintext: framing, version and SASL negotiation, data. */
#include "nea/internal.h"

#include <string.h>

#define REFUSED_MAX 64 /* messages of unknown types that are answered, before we lose patience */

/* ---- writing ---- */

static size_t pt_begin(struct nea_session *s, enum pt_type type)
{
    struct wr *w = &s->pt.out;
    size_t start = w->n;
    wr_u32(w, PEN_IETF); /* with the reserved octet */
    wr_u32(w, type);
    wr_u32(w, 0);
    wr_u32(w, s->pt.next_id++); /* PT-R30: rolls over by itself */
    return start;
}

static void pt_end(struct nea_session *s, size_t start)
{
    wr_patch32(&s->pt.out, start + 8, s->pt.out.n - start);
    s->pt.sent = true;
}

size_t pt_batch_begin(struct nea_session *s)
{
    return pt_begin(s, PT_BATCH);
}

void pt_batch_end(struct nea_session *s, size_t start)
{
    pt_end(s, start);
}

/* Answers a bad message (PT-R33) and, unless it only has an unknown type, closes. */
static void pt_fail_as(struct nea_session *s, struct bytes message, const struct nea_fault *fault)
{
    nea_note(s, LOG_WARNING, "%s", fault->text);
    size_t start = pt_begin(s, PT_ERROR);
    wr_u32(&s->pt.out, PEN_IETF);
    wr_u32(&s->pt.out, fault->code);
    wr_bytes(&s->pt.out, (struct bytes){message.p, message.n < PT_ERROR_COPY ? message.n : PT_ERROR_COPY});
    pt_end(s, start);
    if (fault->code == PT_TYPE_NOT_SUPPORTED && ++s->pt.refused <= REFUSED_MAX)
        return;
    s->pt.state = PT_CLOSED;
    s->outcome.fault = *fault;
}

static void pt_fail(struct nea_session *s, enum pt_error_code code, struct bytes message, const char *rule,
                    const char *section, const char *text)
{
    struct nea_fault fault;
    nea_fault_set(&fault, code, 0, rule, section, "%s (%s, %s)", text, rule, section);
    pt_fail_as(s, message, &fault);
}

/* ---- negotiation ---- */

static void enter_data(struct nea_session *s)
{
    s->pt.state = PT_DATA;
    broker_begin(s);
}

/* The version is agreed. The NEA Server says which SASL mechanisms it wants; the empty list ends the negotiation, also
 * where a certificate was enough (PT-R17). */
static void enter_auth(struct nea_session *s, struct bytes cause)
{
    s->pt.state = PT_AUTH;
    if (s->config.role != NEA_SERVER)
        return;
    if (s->config.require_sasl) {
        pt_fail(s, PT_SASL_MECHANISM, cause, "PT-R19", "RFC 6876 §3.8.3",
                "authentication is required and no SASL mechanism is available");
        return;
    }
    pt_end(s, pt_begin(s, PT_SASL_MECHANISMS));
    enter_data(s);
}

void pt_start(struct nea_session *s)
{
    if (!s->config.initiator)
        return;
    size_t start = pt_begin(s, PT_VERSION_REQUEST); /* PT-R11 */
    wr_u32(&s->pt.out, 0x00010101);                 /* lowest, highest, preferred */
    pt_end(s, start);
}

static void on_version_request(struct nea_session *s, const struct pt_message *m)
{
    struct rd r = rd_of(m->value, 0);
    rd_u8(&r);
    uint8_t min = rd_u8(&r), max = rd_u8(&r), preferred = rd_u8(&r);
    if (min > max || preferred < min || preferred > max) {
        pt_fail(s, PT_INVALID_MESSAGE, m->whole, "PT-R13", "RFC 6876 §3.7.1",
                "version request that contradicts itself");
        return;
    }
    if (min > 1 || max < 1) {
        pt_fail(s, PT_VERSION_NOT_SUPPORTED, m->whole, "PT-R14", "RFC 6876 §3.4.2.2", "no common PT-TLS version");
        return;
    }
    size_t start = pt_begin(s, PT_VERSION_RESPONSE);
    wr_u32(&s->pt.out, 1);
    pt_end(s, start);
    enter_auth(s, m->whole);
}

static void on_version_response(struct nea_session *s, const struct pt_message *m)
{
    if (m->value.p[3] != 1) { /* PT-R15 */
        pt_fail(s, PT_VERSION_NOT_SUPPORTED, m->whole, "PT-R15", "RFC 6876 §3.7.2",
                "PT-TLS version that we did not offer");
        return;
    }
    enter_auth(s, m->whole);
}

static void on_mechanisms(struct nea_session *s, const struct pt_message *m)
{
    struct rd r = rd_of(m->value, PT_HEADER);
    while (rd_more(&r)) {
        size_t n = rd_u8(&r) & 0x1f;
        rd_take(&r, n);
        if (!n || n > 20)
            rd_fail(&r, rd_offset(&r));
    }
    if (r.bad)
        pt_fail(s, PT_MALFORMED, m->whole, "PT-R46", "RFC 6876 §3.8.7", "malformed list of SASL mechanisms");
    else if (m->value.n)
        pt_fail(s, PT_SASL_MECHANISM, m->whole, "PT-R26", "RFC 6876 §3.9",
                "the server wants SASL and offers no mechanism that we have");
    else
        enter_data(s);
}

static void on_sasl(struct nea_session *s, const struct pt_message *m)
{
    pt_fail(s, PT_INVALID_MESSAGE, m->whole, "PT-R24", "RFC 6876 §3.8", "SASL message outside an exchange");
}

static void on_batch(struct nea_session *s, const struct pt_message *m)
{
    broker_batch(s, m->value);
}

/* PT-R32: an error is never answered. Codes 0 and 3 and foreign ones are only worth a line, the others end the session.
 */
static void on_error(struct nea_session *s, const struct pt_message *m)
{
    struct rd r = rd_of(m->value, 0);
    rd_u8(&r);
    uint32_t vendor = rd_u24(&r), code = rd_u32(&r);
    if (r.bad) {
        nea_note(s, LOG_WARNING, "malformed PT-TLS error ignored");
        return;
    }
    nea_note(s, LOG_WARNING, "the peer reports PT-TLS error %u of vendor %u", code, vendor);
    if (vendor != PEN_IETF || code == 0 || code == PT_TYPE_NOT_SUPPORTED || code > PT_INVALID_PARAMETER)
        return;
    s->pt.state = PT_CLOSED;
    nea_fault_set(&s->outcome.fault, code, 0, "PT-R32", "RFC 6876 §3.9",
                  "the peer ended the session with PT-TLS error %u", code);
}

/* ---- what may come when ---- */

enum pt_sender { BY_ANY, BY_INITIATOR, BY_RESPONDER, BY_CLIENT, BY_SERVER };
#define IN(state) (1u << (state))

static const struct pt_row {
    const char *name;
    uint8_t states; /* in which it is legal; elsewhere: Invalid Message */
    uint8_t sender;
    uint8_t exact; /* octets of the whole message; 0: any number */
    void (*take)(struct nea_session *s, const struct pt_message *m);
} rows[PT_TYPES] = {
    [PT_EXPERIMENTAL] = {"Experimental", 0, BY_ANY, 0, NULL}, /* PT-R44 */
    [PT_VERSION_REQUEST] = {"Version Request", IN(PT_VERSION), BY_INITIATOR, 20, on_version_request},
    [PT_VERSION_RESPONSE] = {"Version Response", IN(PT_VERSION), BY_RESPONDER, 20, on_version_response},
    [PT_SASL_MECHANISMS] = {"SASL Mechanisms", IN(PT_AUTH), BY_SERVER, 0, on_mechanisms},
    [PT_SASL_SELECTION] = {"SASL Mechanism Selection", IN(PT_AUTH), BY_CLIENT, 0, on_sasl},
    [PT_SASL_DATA] = {"SASL Authentication Data", IN(PT_AUTH), BY_ANY, 0, on_sasl},
    [PT_SASL_RESULT] = {"SASL Result", IN(PT_AUTH), BY_SERVER, 0, on_sasl},
    [PT_BATCH] = {"PB-TNC Batch", IN(PT_DATA), BY_ANY, 0, on_batch}, /* PT-R10, PT-R19 */
    [PT_ERROR] = {"PT-TLS Error", IN(PT_VERSION) | IN(PT_AUTH) | IN(PT_DATA), BY_ANY, 0, on_error},
};

const char *pt_type_name(uint32_t type)
{
    return type < PT_TYPES ? rows[type].name : NULL;
}

static bool from_right_side(const struct nea_session *s, enum pt_sender sender)
{
    switch (sender) {
    case BY_INITIATOR:
        return !s->config.initiator;
    case BY_RESPONDER:
        return s->config.initiator;
    case BY_CLIENT:
        return s->config.role == NEA_SERVER;
    case BY_SERVER:
        return s->config.role == NEA_CLIENT;
    default:
        return true;
    }
}

bool pt_length_fits(const struct pt_message *m)
{
    return m->vendor != PEN_IETF || m->type >= PT_TYPES || !rows[m->type].exact || m->whole.n == rows[m->type].exact;
}

struct pt_message pt_message_read(struct bytes whole)
{
    struct rd r = rd_of(whole, 0);
    struct pt_message m = {.whole = whole};
    rd_u8(&r); /* PT-R43 */
    m.vendor = rd_u24(&r);
    m.type = rd_u32(&r);
    rd_u32(&r);
    m.id = rd_u32(&r);
    m.value = rd_rest(&r);
    return m;
}

static void dispatch(struct nea_session *s, struct bytes whole)
{
    struct pt_message m = pt_message_read(whole);
    if (m.vendor != PEN_IETF || m.type >= PT_TYPES) {
        if (s->pt.state == PT_VERSION && s->config.initiator)
            pt_fail(s, PT_INVALID_MESSAGE, whole, "PT-R13", "RFC 6876 §3.7.1", "no answer to the version request");
        else /* PT-R34: and on we go */
            pt_fail(s, PT_TYPE_NOT_SUPPORTED, whole, "PT-R34", "RFC 6876 §3.9", "unknown PT-TLS message type");
        return;
    }
    const struct pt_row *row = &rows[m.type];
    if (!pt_length_fits(&m))
        pt_fail(s, PT_INVALID_PARAMETER, whole, "PT-R29", "RFC 6876 §3.5", "wrong PT-TLS message length");
    else if (!(row->states & IN(s->pt.state)) || !from_right_side(s, row->sender))
        pt_fail(s, PT_INVALID_MESSAGE, whole, "PT-R12", "RFC 6876 §3.6", "PT-TLS message that is not allowed here");
    else
        row->take(s, &m);
}

/* ---- framing ---- */

enum pt_error_code pt_header_check(struct bytes b, size_t max, size_t *length, struct nea_fault *f)
{
    static const struct {
        const char *text, *rule, *section;
        size_t offset;
    } faults[] = {
        {"reserved PT-TLS vendor or type", "PT-R28", "RFC 6876 §3.5", 1},
        {"PT-TLS message length below 16", "PT-R29", "RFC 6876 §3.5", 8},
        {"PT-TLS message longer than our bound", "PT-L1", "own limit", 8},
    };
    struct rd r = rd_of(b, 0);
    rd_u8(&r);
    uint32_t vendor = rd_u24(&r), type = rd_u32(&r), n = rd_u32(&r);
    *length = n;
    if (r.bad || (vendor != PEN_RESERVED && type != 0xffffffff && n >= PT_HEADER && n <= max))
        return PT_OK;
    size_t i = vendor == PEN_RESERVED || type == 0xffffffff ? 0 : n < PT_HEADER ? 1 : 2;
    nea_fault_set(f, PT_INVALID_PARAMETER, faults[i].offset, faults[i].rule, faults[i].section, "%s (%s, %s)",
                  faults[i].text, faults[i].rule, faults[i].section);
    return PT_INVALID_PARAMETER;
}

/* The length of the message that begins here, once its header is complete; 0: not yet, or refused. Nothing is allocated
 * by it. */
static size_t message_length(struct nea_session *s, struct bytes b)
{
    struct nea_fault fault;
    size_t length, max = s->pt.state == PT_DATA ? s->config.limits.max_batch : s->config.limits.max_unauthed;
    if (b.n < PT_HEADER)
        return 0;
    if (pt_header_check(b, max, &length, &fault) == PT_OK)
        return length;
    pt_fail_as(s, (struct bytes){b.p, PT_HEADER}, &fault);
    return 0;
}

static bool done(const struct nea_session *s)
{
    return s->pt.state == PT_CLOSED || s->state == PB_END;
}

/* Whole messages are taken where they lie; only what is cut is kept, and only what has come of it. */
void pt_feed(struct nea_session *s, struct bytes b)
{
    struct wr *in = &s->pt.in;
    while (b.n && !done(s)) {
        size_t whole = in->n ? 0 : message_length(s, b);
        if (done(s))
            return;
        if (whole && whole <= b.n) {
            dispatch(s, (struct bytes){b.p, whole});
            b = (struct bytes){b.p + whole, b.n - whole};
        } else {
            size_t length = message_length(s, wr_view(in)), want = (length ? length : PT_HEADER) - in->n;
            size_t n = b.n < want ? b.n : want;
            wr_bytes(in, (struct bytes){b.p, n});
            b = (struct bytes){b.p + n, b.n - n};
            length = in->bad ? 0 : message_length(s, wr_view(in));
            if (in->bad) {
                s->pt.state = PT_CLOSED;
                nea_fault_set(&s->outcome.fault, 0, 0, "PT-L1", "own limit", "out of memory");
            } else if (length && length == in->n && !done(s)) {
                dispatch(s, wr_view(in));
                in->n = 0;
                if (in->capacity > 16384)
                    wr_free(in);
            }
        }
        broker_advance(s);
    }
}
