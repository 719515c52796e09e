/* PT-TLS (RFC 6876) above the TLS plaintext: framing, version and SASL negotiation, data. */
#include "nea/internal.h"

#include <string.h>

#define REFUSED_MAX  64 /* messages of unknown types that are answered, and errors that are ignored, before we lose patience */
#define PROGRESS     ((size_t)64 << 10) /* octets of a message that buy the peer its time anew */
#define SASL_OUT_MAX ((size_t)2 * SASL_MESSAGE_MAX)

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

static bool is_error(struct bytes message)
{
    struct pt_message m = pt_message_read(message);
    return m.vendor == PEN_IETF && m.type == PT_ERROR && message.n >= PT_HEADER;
}

static void pt_error_put(struct nea_session *s, struct bytes message, const struct nea_fault *fault)
{
    size_t start = pt_begin(s, PT_ERROR);
    wr_u32(&s->pt.out, PEN_IETF);
    wr_u32(&s->pt.out, fault->code);
    wr_bytes(&s->pt.out, (struct bytes){message.p, message.n < PT_ERROR_COPY ? message.n : PT_ERROR_COPY});
    pt_end(s, start);
}

/* Answers a bad message (PT-R33) and, unless it only has an unknown type, closes. An error is not answered, however bad
 * it is (PT-R32). PT-R37, R38, RFC 6876 §3.9: in the format of version 1, of vendor 0. */
static void pt_fail_as(struct nea_session *s, struct bytes message, const struct nea_fault *fault)
{
    nea_note(s, LOG_WARNING, "%s", fault->text);
    if (!is_error(message))
        pt_error_put(s, message, fault);
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

/* ---- negotiation: version ---- */

static void enter_data(struct nea_session *s)
{
    s->pt.state = PT_DATA;
    broker_begin(s);
}

/* What may prove who the peer is: rows of sasl_mechanisms[] as bits. */
static uint8_t usable_mechanisms(const struct nea_session *s)
{
    const struct nea_config *c = &s->config;
    uint8_t usable = 0;
    for (size_t i = 0; i < SASL_MECHANISMS; i++) {
        const struct sasl_mechanism *m = &sasl_mechanisms[i];
        bool can = m->by_certificate ? c->role == NEA_SERVER ? c->peer_name.n > 0 : c->certificate
                                     : c->crypto && (c->role == NEA_SERVER ? c->login != NULL : c->user.n > 0);
        /* Downgrade guard: a password itself goes out only to whom TLS has verified. */
        if (can && (c->role == NEA_SERVER || !m->shows_password || c->peer_verified))
            usable |= (uint8_t)(1u << i);
    }
    return usable;
}

/* PT-R17, PT-R45, RFC 6876 §3.8.3: the NEA Server says which logins it takes; the empty list ends the negotiation, also
 * where a certificate was enough. */
static void ask_for_login(struct nea_session *s, struct bytes cause)
{
    bool enough = !s->config.require_sasl || s->pt.proven;
    s->pt.state = PT_AUTH;
    s->pt.offered = enough ? 0 : usable_mechanisms(s);
    if (!enough && !s->pt.offered) {
        pt_fail(s, PT_SASL_MECHANISM, cause, "PT-R19", "RFC 6876 §3.8.3",
                "authentication is required and no SASL mechanism is available");
        return;
    }
    size_t start = pt_begin(s, PT_SASL_MECHANISMS);
    for (size_t i = 0; i < SASL_MECHANISMS; i++)
        if (s->pt.offered & 1u << i) {
            wr_u8(&s->pt.out, strlen(sasl_mechanisms[i].name));
            wr_str(&s->pt.out, sasl_mechanisms[i].name);
        }
    pt_end(s, start);
    if (enough)
        enter_data(s);
}

static void enter_auth(struct nea_session *s, struct bytes cause)
{
    s->pt.state = PT_AUTH;
    if (s->config.role == NEA_SERVER)
        ask_for_login(s, cause);
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

/* ---- negotiation: SASL ---- */

enum sasl_result { SASL_SUCCESS, SASL_FAILURE, SASL_ABORT, SASL_MECHANISM_FAILURE };

/* A mechanism's name in a list or a selection; the reader is bad if it is none (the three high bits are reserved). */
static struct bytes mechanism_name(struct rd *r)
{
    struct bytes name = rd_take(r, rd_u8(r) & 0x1f);
    if (name.n == 0 || name.n > SASL_NAME_MAX)
        rd_fail(r, rd_offset(r));
    return name;
}

/* Its row; SASL_MECHANISMS: none of ours. Case counts. */
static size_t mechanism_find(struct bytes name)
{
    size_t i = 0;
    while (i < SASL_MECHANISMS && !bytes_equal(name, bytes_of(sasl_mechanisms[i].name)))
        i++;
    return i;
}

static void exchange_end(struct nea_session *s)
{
    sasl_free(s->pt.sasl);
    s->pt.sasl = NULL;
    s->pt.asking = false;
    s->pt.state = PT_AUTH;
}

/* PT-L2: nobody talks us into endless rounds. */
static bool patient(struct nea_session *s, const struct pt_message *m)
{
    if (++s->pt.sasl_rounds <= SASL_ROUNDS_MAX)
        return true;
    pt_fail(s, PT_SASL_MECHANISM, m->whole, "PT-L2", "own limit", "too many SASL messages");
    return false;
}

static void send_sasl(struct nea_session *s, enum pt_type type, struct bytes head, struct bytes data)
{
    size_t start = pt_begin(s, type);
    wr_bytes(&s->pt.out, head);
    wr_bytes(&s->pt.out, data);
    pt_end(s, start);
}

/* ---- the NEA Server's part ---- */

static void send_result(struct nea_session *s, enum sasl_result result, struct bytes data)
{
    const uint8_t code[2] = {0, (uint8_t)result};
    send_sasl(s, PT_SASL_RESULT, (struct bytes){code, 2}, data); /* PT-R25: data only with success */
}

/* strongSwan reads the result's first octet alone, so that a failure looks like success to it: whoever may be one hears
 * "abort" and finds the connection closed. Others may try again, not for ever. */
static void login_failed(struct nea_session *s, enum sasl_verdict why)
{
    const struct sasl *x = s->pt.sasl;
    bool again = x->mechanism->retry && ++s->pt.sasl_failures < SASL_FAILURES_MAX;
    enum sasl_result result = again ? SASL_FAILURE : SASL_ABORT;
    send_result(s, why == SASL_WRONG ? result : SASL_MECHANISM_FAILURE, (struct bytes){NULL, 0});
    if (s->config.login_done && why == SASL_WRONG)
        s->config.login_done(s->config.host, x->login.name, false);
    if (!again)
        nea_fault_set(&s->outcome.fault, PT_SASL_MECHANISM, 0, "PT-R26", "RFC 6876 §3.8.4",
                      why == SASL_WRONG ? "the login failed" : "the login could not be verified");
    exchange_end(s);
    if (!again)
        s->pt.state = PT_CLOSED;
}

static void login_succeeded(struct nea_session *s, struct bytes data)
{
    struct bytes name = s->pt.sasl->login.name;
    if (!s->peer_name.n)
        wr_bytes(&s->peer_name, name);
    if (s->peer_name.bad) { /* no memory: nobody gets in without a name */
        login_failed(s, SASL_BROKEN);
        return;
    }
    send_result(s, SASL_SUCCESS, data);
    s->pt.proven = true;
    if (s->config.login_done)
        s->config.login_done(s->config.host, name, true);
    exchange_end(s);
    ask_for_login(s, (struct bytes){NULL, 0});
}

static void server_go_on(struct nea_session *s, enum sasl_verdict verdict, struct wr *out)
{
    switch (verdict) {
    case SASL_SEND:
        send_sasl(s, PT_SASL_DATA, (struct bytes){NULL, 0}, wr_view(out));
        break;
    case SASL_ASK:
        s->pt.asking = true;
        s->config.login(s->config.host, &s->pt.sasl->login);
        break;
    case SASL_DONE:
        login_succeeded(s, wr_view(out));
        break;
    default:
        login_failed(s, verdict);
    }
}

void nea_session_login(struct nea_session *s, enum nea_login_answer answer, const struct nea_verifier *verifier)
{
    if (!s->pt.asking || nea_session_finished(s)) /* it comes too late */
        return;
    struct wr out = wr_of(SASL_OUT_MAX);
    s->pt.asking = false;
    server_go_on(s, sasl_answer(s->pt.sasl, answer, verifier, &out), &out);
    wr_free(&out);
}

/* PT-R40: what stands in the data is the mechanism's business. */
static void server_hears(struct nea_session *s, struct bytes data)
{
    struct wr out = wr_of(SASL_OUT_MAX);
    server_go_on(s, s->pt.sasl->mechanism->server(s->pt.sasl, data, &out), &out);
    wr_free(&out);
}

static void on_selection(struct nea_session *s, const struct pt_message *m)
{
    struct rd r = rd_of(m->value, PT_HEADER);
    size_t i = mechanism_find(mechanism_name(&r));
    if (r.bad) {
        pt_fail(s, PT_MALFORMED, m->whole, "PT-R46", "RFC 6876 §3.8.8", "malformed selection of a SASL mechanism");
        return;
    }
    if (!(s->pt.offered & 1u << i)) {
        pt_fail(s, PT_SASL_MECHANISM, m->whole, "PT-R26", "RFC 6876 §3.8.3", "a SASL mechanism that was not offered");
        return;
    }
    if (!patient(s, m))
        return;
    s->pt.sasl = sasl_new(&sasl_mechanisms[i], s->config.crypto);
    if (!s->pt.sasl) {
        send_result(s, SASL_MECHANISM_FAILURE, (struct bytes){NULL, 0});
        s->pt.state = PT_CLOSED;
        return;
    }
    s->pt.sasl->certificate = s->config.peer_name;
    s->pt.state = PT_SASL;
    server_hears(s, rd_rest(&r));
}

/* ---- the NEA Client's part ---- */

static void client_gives_up(struct nea_session *s, struct bytes cause, const char *why)
{
    exchange_end(s);
    pt_fail(s, PT_SASL_MECHANISM, cause, "PT-R26", "RFC 6876 §3.8.4", why);
}

static void client_go_on(struct nea_session *s, enum pt_type type, struct bytes head, const struct pt_message *m)
{
    struct wr out = wr_of(SASL_OUT_MAX);
    struct bytes data = type == PT_SASL_DATA ? m->value : (struct bytes){NULL, 0};
    if (s->pt.sasl->mechanism->client(s->pt.sasl, data, &out) == SASL_SEND)
        send_sasl(s, type, head, wr_view(&out));
    else
        client_gives_up(s, m->whole, "the server's part of the login makes no sense, or does not prove who it is");
    if (out.p)
        nea_forget(out.p, out.n);
    wr_free(&out);
}

/* Selects the strongest mechanism that is left; false: there is none. */
static bool select_mechanism(struct nea_session *s, const struct pt_message *m)
{
    uint8_t left = s->pt.offered & usable_mechanisms(s);
    size_t i = 0;
    while (i < SASL_MECHANISMS && !(left & 1u << i))
        i++;
    if (i == SASL_MECHANISMS)
        return false;
    s->pt.offered &= (uint8_t) ~(1u << i);
    s->pt.sasl = sasl_new(&sasl_mechanisms[i], s->config.crypto);
    if (!s->pt.sasl)
        return false;
    s->pt.sasl->user = s->config.user;
    s->pt.sasl->password = s->config.password;
    s->pt.state = PT_SASL;
    struct wr head = wr_of(1 + SASL_NAME_MAX);
    wr_u8(&head, strlen(sasl_mechanisms[i].name));
    wr_str(&head, sasl_mechanisms[i].name);
    client_go_on(s, PT_SASL_SELECTION, wr_view(&head), m);
    wr_free(&head);
    return true;
}

static void on_mechanisms(struct nea_session *s, const struct pt_message *m)
{
    struct rd r = rd_of(m->value, PT_HEADER);
    s->pt.offered = 0;
    while (rd_more(&r))
        s->pt.offered |= (uint8_t)(1u << mechanism_find(mechanism_name(&r)));
    if (r.bad)
        pt_fail(s, PT_MALFORMED, m->whole, "PT-R46", "RFC 6876 §3.8.7", "malformed list of SASL mechanisms");
    else if (!m->value.n)
        enter_data(s);
    else if (patient(s, m) && !select_mechanism(s, m))
        pt_fail(s, PT_SASL_MECHANISM, m->whole, "PT-R26", "RFC 6876 §3.9",
                s->config.user.n ? "the server wants a login by a mechanism that we do not have or may not use"
                                 : "the server wants a login, and we have none for it");
}

/* A password that is wrong stays wrong in another mechanism; what failed on the server's side may be tried otherwise.
 * PT-R22: at once, the server sends no new list. */
static void on_failure(struct nea_session *s, enum sasl_result result, const struct pt_message *m)
{
    bool by_certificate = s->pt.sasl->mechanism->by_certificate;
    exchange_end(s);
    for (size_t i = 0; i < SASL_MECHANISMS && result == SASL_FAILURE; i++)
        if (sasl_mechanisms[i].by_certificate == by_certificate)
            s->pt.offered &= (uint8_t) ~(1u << i);
    if (result != SASL_ABORT && select_mechanism(s, m))
        return;
    nea_fault_set(&s->outcome.fault, PT_SASL_MECHANISM, 0, "PT-R26", "RFC 6876 §3.8.10",
                  result == SASL_MECHANISM_FAILURE ? "the server could not verify our login (RFC 6876 §3.8.10)"
                                                   : "the server refused our login (RFC 6876 §3.8.10)");
    s->outcome.login_refused = result != SASL_MECHANISM_FAILURE;
    s->pt.state = PT_CLOSED;
}

/* strongSwan writes the code into one octet, RFC 6876 §3.8.10 into two. */
static void on_result(struct nea_session *s, const struct pt_message *m)
{
    struct rd r = rd_of(m->value, PT_HEADER);
    uint32_t code = m->value.n == 1 ? rd_u8(&r) : rd_u16(&r);
    struct wr ignored = wr_of(SASL_OUT_MAX);
    struct sasl *x = s->pt.sasl;
    if (r.bad || code > SASL_MECHANISM_FAILURE) {
        pt_fail(s, PT_MALFORMED, m->whole, "PT-R46", "RFC 6876 §3.8.10", "malformed SASL result");
    } else if (!patient(s, m)) {
        ; /* it has been said */
    } else if (code != SASL_SUCCESS) {
        on_failure(s, (enum sasl_result)code, m);
    } else {
        if (!x->proven)
            x->mechanism->client(x, rd_rest(&r), &ignored);
        if (x->proven)
            exchange_end(s);
        else
            client_gives_up(s, m->whole, "the server did not prove that it knows the password");
    }
    wr_free(&ignored);
}

/* ---- both sides ---- */

static void on_sasl_data(struct nea_session *s, const struct pt_message *m)
{
    if (s->pt.asking)
        pt_fail(s, PT_INVALID_MESSAGE, m->whole, "PT-R24", "RFC 6876 §3.8.9", "SASL data that nobody has asked for");
    else if (!patient(s, m))
        return;
    else if (s->config.role == NEA_SERVER)
        server_hears(s, m->value);
    else
        client_go_on(s, PT_SASL_DATA, (struct bytes){NULL, 0}, m);
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
    bool harmless = r.bad || vendor != PEN_IETF || code == 0 || code == PT_TYPE_NOT_SUPPORTED || code > PT_INVALID_PARAMETER;
    if (r.bad)
        nea_note(s, LOG_WARNING, "malformed PT-TLS error ignored");
    else
        nea_note(s, LOG_WARNING, "the peer reports PT-TLS error %u of vendor %u", code, vendor);
    if (harmless && ++s->pt.refused <= REFUSED_MAX)
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
    /* PT-R9, R16, R36, RFC 6876 §3.4.2: once, at the beginning; what was agreed holds for every assessment. */
    [PT_VERSION_REQUEST] = {"Version Request", IN(PT_VERSION), BY_INITIATOR, 20, on_version_request},
    [PT_VERSION_RESPONSE] = {"Version Response", IN(PT_VERSION), BY_RESPONDER, 20, on_version_response},
    [PT_SASL_MECHANISMS] = {"SASL Mechanisms", IN(PT_AUTH), BY_SERVER, 0, on_mechanisms},
    [PT_SASL_SELECTION] = {"SASL Mechanism Selection", IN(PT_AUTH), BY_CLIENT, 0, on_selection},
    [PT_SASL_DATA] = {"SASL Authentication Data", IN(PT_SASL), BY_ANY, 0, on_sasl_data}, /* PT-R24 */
    [PT_SASL_RESULT] = {"SASL Result", IN(PT_SASL), BY_SERVER, 0, on_result},
    [PT_BATCH] = {"PB-TNC Batch", IN(PT_DATA), BY_ANY, 0, on_batch}, /* PT-R10, PT-R19 */
    /* PT-R26, R32: a client aborts an exchange with it. */
    [PT_ERROR] = {"PT-TLS Error", IN(PT_VERSION) | IN(PT_AUTH) | IN(PT_SASL) | IN(PT_DATA), BY_ANY, 0, on_error},
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
        {"reserved PT-TLS vendor", "PT-R28", "RFC 6876 §3.5", 1},
        {"reserved PT-TLS message type", "PT-R28", "RFC 6876 §3.5", 4},
        {"PT-TLS message length below 16", "PT-R29", "RFC 6876 §3.5", 8},
        {"PT-TLS message longer than our bound", "PT-L1", "own limit", 8},
        {"this is an HTTP server: PT-TLS is spoken on another port", "PT-R13", "RFC 6876 §3.7.1", 0},
    };
    struct rd r = rd_of(b, 0);
    rd_u8(&r);
    uint32_t vendor = rd_u24(&r), type = rd_u32(&r), n = rd_u32(&r);
    *length = n;
    if (r.bad || (vendor != PEN_RESERVED && type != 0xffffffff && n >= PT_HEADER && n <= max))
        return PT_OK;
    size_t i = bytes_starts(b, BYTES("HTTP/")) ? 4
               : vendor == PEN_RESERVED        ? 0
               : type == 0xffffffff            ? 1
               : n < PT_HEADER                 ? 2
                                               : 3;
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

static void take(struct nea_session *s, struct bytes whole)
{
    s->last_progress = s->now;
    dispatch(s, whole);
}

/* A message that comes drop by drop buys its sender no time: only its first octet does, and then so many more. */
static void keep(struct nea_session *s, struct bytes part)
{
    struct wr *in = &s->pt.in;
    if (in->n == 0 || in->n / PROGRESS != (in->n + part.n) / PROGRESS)
        s->last_progress = s->now;
    wr_bytes(in, part);
}

/* PT-R31, RFC 6876 §3.4.2.3: either side may say several things at a time. Whole messages are taken where they lie;
 * only what is cut is kept, and only what has come of it. */
void pt_feed(struct nea_session *s, struct bytes b)
{
    struct wr *in = &s->pt.in;
    while (b.n && !done(s)) {
        size_t whole = in->n ? 0 : message_length(s, b);
        if (done(s))
            return;
        if (whole && whole <= b.n) {
            take(s, (struct bytes){b.p, whole});
            b = (struct bytes){b.p + whole, b.n - whole};
        } else {
            size_t length = message_length(s, wr_view(in)), want = (length ? length : PT_HEADER) - in->n;
            size_t n = b.n < want ? b.n : want;
            keep(s, (struct bytes){b.p, n});
            b = (struct bytes){b.p + n, b.n - n};
            length = in->bad ? 0 : message_length(s, wr_view(in));
            if (in->bad) {
                s->pt.state = PT_CLOSED;
                nea_fault_set(&s->outcome.fault, 0, 0, "PT-L1", "own limit", "out of memory");
            } else if (length && length == in->n && !done(s)) {
                take(s, wr_view(in));
                in->n = 0;
                if (in->capacity > 16384)
                    wr_free(in);
            }
        }
        broker_advance(s);
    }
}
