/* PB-TNC (RFC 5793): batches, messages, and the state machine as a table. Knows nothing of collectors and validators.
 */
#include "nea/internal.h"

#include <string.h>

/* ---- the state machine, RFC 5793 §3.2 (PB-R1) ---- */

#define C NEA_CLIENT
#define S NEA_SERVER
/* Whatever is not in this table is illegal: Unexpected Batch Type when received, never sent (PB-R13, RFC 5793 §4.1). */
static const struct pb_step steps[] = {
    /* state, role, direction, batch, action, next */
    {PB_INIT, S, PB_RX, PB_CDATA, PB_PROCESS, PB_SERVER_WORKING},
    {PB_INIT, S, PB_TX, PB_SDATA, PB_PROCESS, PB_CLIENT_WORKING},
    {PB_INIT, C, PB_TX, PB_CDATA, PB_PROCESS, PB_SERVER_WORKING},
    {PB_INIT, C, PB_RX, PB_SDATA, PB_PROCESS, PB_CLIENT_WORKING},

    {PB_SERVER_WORKING, S, PB_TX, PB_SDATA, PB_PROCESS, PB_CLIENT_WORKING},
    {PB_SERVER_WORKING, S, PB_TX, PB_RESULT, PB_PROCESS, PB_DECIDED},
    {PB_SERVER_WORKING, S, PB_RX, PB_CRETRY, PB_IGNORE, PB_SERVER_WORKING}, /* PB-R3: retries crossed */
    {PB_SERVER_WORKING, C, PB_RX, PB_SDATA, PB_PROCESS, PB_CLIENT_WORKING},
    {PB_SERVER_WORKING, C, PB_RX, PB_RESULT, PB_PROCESS, PB_DECIDED},
    {PB_SERVER_WORKING, C, PB_RX, PB_SRETRY, PB_IGNORE, PB_SERVER_WORKING},

    {PB_CLIENT_WORKING, S, PB_RX, PB_CDATA, PB_PROCESS, PB_SERVER_WORKING},
    {PB_CLIENT_WORKING, S, PB_RX, PB_CRETRY, PB_IGNORE, PB_CLIENT_WORKING}, /* PB-R3: a late crossing one */
    {PB_CLIENT_WORKING, C, PB_TX, PB_CDATA, PB_PROCESS, PB_SERVER_WORKING},

    {PB_DECIDED, S, PB_RX, PB_CRETRY, PB_RETRY, PB_SERVER_WORKING},
    {PB_DECIDED, S, PB_TX, PB_SRETRY, PB_RETRY, PB_SERVER_WORKING},
    {PB_DECIDED, C, PB_TX, PB_CRETRY, PB_RETRY, PB_SERVER_WORKING},
    {PB_DECIDED, C, PB_RX, PB_SRETRY, PB_RETRY, PB_SERVER_WORKING},
};
#undef C
#undef S

const struct pb_step *pb_step_find(enum pb_state state, enum nea_role role, enum pb_direction direction, unsigned type)
{
    /* CLOSE is legal in every state, and after the end everything is dropped. */
    static const struct pb_step finish = {.type = PB_CLOSE, .action = PB_FINISH, .next = PB_END};
    static const struct pb_step drop = {.action = PB_DROP, .next = PB_END};
    if (state == PB_END)
        return direction == PB_RX ? &drop : NULL;
    if (type == PB_CLOSE)
        return &finish;
    for (size_t i = 0; i < ARRAY_LENGTH(steps); i++)
        if (steps[i].state == state && steps[i].role == role && steps[i].direction == direction &&
            steps[i].type == type)
            return &steps[i];
    return NULL;
}

const char *pb_type_name(unsigned type)
{
    static const char *const names[] = {"?", "CDATA", "SDATA", "RESULT", "CRETRY", "SRETRY", "CLOSE"};
    return type < ARRAY_LENGTH(names) ? names[type] : "?";
}

const char *pb_state_name(enum pb_state state)
{
    static const char *const names[PB_STATE_COUNT] = {"init", "server working", "client working", "decided", "end"};
    return state < PB_STATE_COUNT ? names[state] : "?";
}

/* ---- message types, RFC 5793 §4.3 ---- */

enum noskip { SKIP_ANY, SKIP_NEVER, SKIP_ALWAYS };

static const struct pb_message_row {
    const char *name, *rule, *section;
    uint8_t noskip;
    bool server_only;  /* a server that receives it: Invalid Parameter */
    bool result_only;  /* a client ignores it elsewhere, whatever its contents */
    uint8_t in_result; /* how often it may stand in a RESULT; 0: any number */
    uint8_t min, max;  /* octets of the message with its header; max 0: any */
} rows[PB_MESSAGE_TYPES] = {
    [PB_EXPERIMENTAL] = {"PB-Experimental", "PB-R25", "RFC 5793 §4.4", SKIP_ANY, false, false, 0, 12, 0},
    [PB_PA] = {"PB-PA", "PB-R27", "RFC 5793 §4.5", SKIP_NEVER, false, false, 0, 24, 0},
    [PB_ASSESSMENT_RESULT] = {"PB-Assessment-Result", "PB-R36", "RFC 5793 §4.6", SKIP_NEVER, true, true, 1, 16, 16},
    [PB_ACCESS_RECOMMENDATION] = {"PB-Access-Recommendation", "PB-R37", "RFC 5793 §4.7", SKIP_ALWAYS, true, true, 1, 16,
                                  16},
    [PB_REMEDIATION] = {"PB-Remediation-Parameters", "PB-R40", "RFC 5793 §4.8", SKIP_ALWAYS, true, false, 0, 20, 0},
    [PB_ERROR] = {"PB-Error", "PB-R42", "RFC 5793 §4.9", SKIP_NEVER, false, false, 0, 20, 0},
    [PB_LANGUAGE] = {"PB-Language-Preference", "PB-R50", "RFC 5793 §4.10", SKIP_ALWAYS, false, false, 0, 12, 0},
    [PB_REASON] = {"PB-Reason-String", "PB-R51", "RFC 5793 §4.11", SKIP_ALWAYS, true, false, 0, 17, 0},
};

/* PB-R58, R66, RFC 5793 §4.3: all of them are understood; those with server_only come from servers alone. */
const char *pb_message_name(uint32_t type)
{
    return type < PB_MESSAGE_TYPES ? rows[type].name : NULL;
}

/* PB-R5, RFC 5793 §4: what is wrong and not specified otherwise is a fatal Invalid Parameter. */
static enum pb_error_code refuse(struct nea_fault *f, enum pb_error_code code, size_t offset, const char *rule,
                                 const char *section, const char *text)
{
    nea_fault_set(f, code, offset, rule, section, "%s at octet %zu (%s, %s)", text, offset, rule, section);
    return code;
}

/* Counted text, counted language tag, nothing behind (PB-R41, R51, R60, RFC 5793 §4.8.1, §4.11). `at` is the offset of
 * `value` in the batch. */
static enum pb_error_code check_text(struct bytes value, size_t at, const char *rule, const char *section,
                                     struct nea_fault *f)
{
    struct rd r = rd_of(value, at);
    struct bytes text = rd_take(&r, rd_u32(&r));
    if (r.bad)
        return refuse(f, PB_INVALID_PARAMETER, at, rule, section, "text longer than its message");
    if (text.n && text.p[text.n - 1] == 0)
        return refuse(f, PB_INVALID_PARAMETER, rd_offset(&r) - 1, rule, section, "NUL-terminated text");
    size_t tag = rd_offset(&r);
    rd_take(&r, rd_u8(&r));
    if (r.bad || rd_more(&r))
        return refuse(f, PB_INVALID_PARAMETER, tag, rule, section, "language tag does not fill its message");
    return PB_OK;
}

static uint32_t number_at(struct bytes value, size_t at, size_t n)
{
    struct rd r = rd_of((struct bytes){value.p + at, n}, 0);
    return n == 4 ? rd_u32(&r) : n == 3 ? rd_u24(&r) : rd_u16(&r);
}

/* The values of a message whose length is right. */
static enum pb_error_code check_value(const struct pb_message *m, struct nea_fault *f)
{
    const struct pb_message_row *row = &rows[m->type];
    struct bytes v = m->value;
    switch ((enum pb_message_type)m->type) {
    case PB_PA:
        if (number_at(v, 1, 3) == PEN_RESERVED) /* PB-R28 */
            return refuse(f, PB_INVALID_PARAMETER, m->offset + 13, "PB-R28", row->section, "reserved PA vendor");
        if (number_at(v, 4, 4) == 0xffffffff)
            return refuse(f, PB_INVALID_PARAMETER, m->offset + 16, "PB-R28", row->section, "reserved PA subtype");
        return PB_OK;
    case PB_ASSESSMENT_RESULT:
        if (number_at(v, 0, 4) > NEA_DONT_KNOW)
            return refuse(f, PB_INVALID_PARAMETER, m->offset + 12, row->rule, row->section,
                          "unknown assessment result");
        return PB_OK;
    case PB_ACCESS_RECOMMENDATION: {
        uint32_t code = number_at(v, 2, 2);
        if (code < NEA_ACCESS_ALLOWED || code > NEA_ACCESS_QUARANTINED)
            return refuse(f, PB_INVALID_PARAMETER, m->offset + 14, row->rule, row->section,
                          "unknown access recommendation");
        return PB_OK;
    }
    case PB_REMEDIATION:
        if (number_at(v, 1, 3) == PEN_IETF && number_at(v, 4, 4) == 2)
            return check_text((struct bytes){v.p + 8, v.n - 8}, m->offset + 20, "PB-R41", "RFC 5793 §4.8.1", f);
        return PB_OK;
    case PB_REASON:
        return check_text(v, m->offset + 12, row->rule, row->section, f);
    default:
        return PB_OK;
    }
}

/* One message, framed already: every fault of RFC 5793 §4 that it can have. Sets m->ignored. */
static enum pb_error_code check_message(struct pb_message *m, size_t length, enum nea_role receiver, unsigned batch,
                                        struct nea_fault *f)
{
    static const char header[] = "RFC 5793 §4.2";
    if (m->vendor == PEN_RESERVED)
        return refuse(f, PB_INVALID_PARAMETER, m->offset + 1, "PB-R20", header, "reserved message vendor");
    if (m->type == 0xffffffff)
        return refuse(f, PB_INVALID_PARAMETER, m->offset + 4, "PB-R21", header, "reserved message type");
    if (m->vendor != PEN_IETF || m->type >= PB_MESSAGE_TYPES || m->type == PB_EXPERIMENTAL) {
        m->ignored = true; /* PB-R19, PB-R57 */
        if (m->flags & PB_NOSKIP)
            return refuse(f, PB_UNSUPPORTED_MANDATORY, m->offset, "PB-R18", header, "unsupported mandatory message");
        return PB_OK;
    }
    const struct pb_message_row *row = &rows[m->type];
    if (receiver == NEA_SERVER && row->server_only) /* PB-R35, PB-R37, PB-R40, PB-R51 */
        return refuse(f, PB_INVALID_PARAMETER, m->offset + 4, row->rule, row->section,
                      "message that only a server sends");
    if (row->result_only && batch != PB_RESULT) { /* PB-R35, PB-R37: ignored, whatever it holds */
        m->ignored = true;
        return PB_OK;
    }
    if (row->noskip != SKIP_ANY && (row->noskip == SKIP_NEVER) != !!(m->flags & PB_NOSKIP)) /* PB-R26, PB-R59 */
        return refuse(f, PB_INVALID_PARAMETER, m->offset, "PB-R59", row->section, "wrong NOSKIP flag");
    if (length < row->min || (row->max && length > row->max))
        return refuse(f, PB_INVALID_PARAMETER, m->offset + 8, row->rule, row->section, "wrong message length");
    return check_value(m, f);
}

static enum pb_error_code frame_message(struct rd *r, struct pb_message *m, size_t *length, struct nea_fault *f)
{
    *m = (struct pb_message){.offset = rd_offset(r)};
    m->flags = rd_u8(r);
    m->vendor = rd_u24(r);
    m->type = rd_u32(r);
    *length = rd_u32(r);
    if (r->bad)
        return refuse(f, PB_INVALID_PARAMETER, m->offset, "PB-R22", "RFC 5793 §4.2", "truncated message header");
    if (*length >= PB_MESSAGE_HEADER)
        m->value = rd_take(r, *length - PB_MESSAGE_HEADER);
    if (*length < PB_MESSAGE_HEADER || r->bad) {
        rd_fail(r, m->offset + 8);
        return refuse(f, PB_INVALID_PARAMETER, m->offset + 8, "PB-R22", "RFC 5793 §4.2", "wrong message length");
    }
    return PB_OK;
}

/* PB-R6, R23, RFC 5793 §4.1, §4.2: any number of messages behind one header, several of a type too. */
struct pb_walk pb_walk_of(struct bytes batch, enum nea_role receiver, unsigned type)
{
    return (struct pb_walk){.r = pb_batch_messages(batch), .receiver = receiver, .type = type};
}

enum pb_error_code pb_walk_next(struct pb_walk *walk, struct pb_message *m, struct nea_fault *f)
{
    size_t length;
    enum pb_error_code code = frame_message(&walk->r, m, &length, f);
    if (code == PB_OK)
        code = check_message(m, length, walk->receiver, walk->type, f);
    if (code != PB_OK)
        return code;
    if (++walk->count > PB_MESSAGES_MAX)
        return refuse(f, PB_LOCAL_ERROR, m->offset, "PB-L3", "own limit", "too many messages in a batch");
    if (m->ignored)
        return PB_OK;
    const struct pb_message_row *row = &rows[m->type];
    if (++walk->seen[m->type] > row->in_result && row->in_result) /* PB-R38, PB-R37 */
        return refuse(f, PB_INVALID_PARAMETER, m->offset, row->rule, row->section,
                      "message that may stand in a RESULT only once");
    return PB_OK;
}

enum pb_error_code pb_walk_end(const struct pb_walk *walk, struct nea_fault *f)
{
    if (walk->type == PB_RESULT && !walk->seen[PB_ASSESSMENT_RESULT]) /* PB-R14, PB-R38 */
        return refuse(f, PB_INVALID_PARAMETER, 3, "PB-R38", "RFC 5793 §4.1", "RESULT without an assessment result");
    return PB_OK;
}

static enum pb_error_code check_messages(struct bytes batch, enum nea_role receiver, unsigned type, struct nea_fault *f)
{
    struct pb_walk walk = pb_walk_of(batch, receiver, type);
    struct pb_message m;
    while (rd_more(&walk.r)) {
        enum pb_error_code code = pb_walk_next(&walk, &m, f);
        if (code != PB_OK)
            return code;
    }
    return pb_walk_end(&walk, f);
}

enum pb_error_code pb_header_check(struct bytes batch, enum nea_role receiver, unsigned *type, struct nea_fault *f)
{
    static const char section[] = "RFC 5793 §4.1";
    struct rd r = rd_of(batch, 0);
    uint8_t version = rd_u8(&r), direction = rd_u8(&r);
    rd_u8(&r);
    *type = rd_u8(&r) & 0x0f; /* PB-R10: reserved bits are ignored */
    uint32_t length = rd_u32(&r);
    /* PB-R7, R8: the version first, even of a batch too short for a header; elsewhere the layout is unknown. */
    if (batch.n && version != PB_VERSION) {
        nea_fault_set(f, PB_VERSION_NOT_SUPPORTED, version, "PB-R7", section,
                      "unsupported PB-TNC version %u (PB-R7, %s)", version, section);
        return PB_VERSION_NOT_SUPPORTED;
    }
    if (r.bad)
        return refuse(f, PB_INVALID_PARAMETER, 0, "PB-R16", section, "batch below 8 octets");
    if (receiver != NEA_OBSERVER && (direction >> 7) != (receiver == NEA_CLIENT)) /* PB-R9 */
        return refuse(f, PB_INVALID_PARAMETER, 1, "PB-R9", section, "wrong direction bit");
    if (*type < PB_CDATA || *type > PB_CLOSE) /* PB-R11 */
        return refuse(f, PB_INVALID_PARAMETER, 3, "PB-R11", section, "unknown batch type");
    if (length != batch.n) /* PB-R16, PB-R17 */
        return refuse(f, PB_INVALID_PARAMETER, 4, "PB-R17", section, "wrong batch length");
    return PB_OK;
}

enum pb_error_code pb_batch_check(struct bytes batch, enum nea_role receiver, enum pb_state state,
                                  const struct pb_step **step, struct nea_fault *f)
{
    unsigned type = batch.n > 3 ? batch.p[3] & 0x0f : 0;
    *f = (struct nea_fault){0};
    *step = pb_step_find(state, receiver, PB_RX, type);
    if (state == PB_END)
        return PB_OK;
    enum pb_error_code code = pb_header_check(batch, receiver, &type, f);
    if (code != PB_OK) {
        *step = NULL;
        return code;
    }
    if (!*step) {
        nea_fault_set(f, PB_UNEXPECTED_BATCH, 0, "PB-R12", "RFC 5793 §4.1",
                      "unexpected %s in state %s (PB-R12, RFC 5793 §4.1)", pb_type_name(type), pb_state_name(state));
        return PB_UNEXPECTED_BATCH;
    }
    return (*step)->action == PB_IGNORE ? PB_OK : check_messages(batch, receiver, type, f);
}

struct rd pb_batch_messages(struct bytes batch)
{
    struct rd r = rd_of(batch, 0);
    rd_take(&r, PB_BATCH_HEADER);
    return r;
}

bool pb_message_next(struct rd *r, enum nea_role receiver, unsigned batch_type, struct pb_message *m)
{
    struct nea_fault ignored;
    size_t length;
    return rd_more(r) && frame_message(r, m, &length, &ignored) == PB_OK &&
           check_message(m, length, receiver, batch_type, &ignored) == PB_OK;
}

struct pb_pa pb_pa_read(struct bytes value)
{
    struct rd r = rd_of(value, 0);
    struct pb_pa pa = {.flags = rd_u8(&r)};
    pa.vendor = rd_u24(&r);
    pa.subtype = rd_u32(&r);
    pa.collector = rd_u16(&r);
    pa.validator = rd_u16(&r);
    pa.message = rd_rest(&r);
    return pa;
}

struct bytes pb_text_read(struct bytes value)
{
    struct rd r = rd_of(value, 0);
    return rd_take(&r, rd_u32(&r));
}

/* ---- writing ---- */

/* PB-R64, RFC 5793 §1.2: as drawn, big-endian. */
size_t pb_batch_begin(struct wr *w, enum nea_role sender, enum pb_type type)
{
    size_t start = w->n;
    wr_u8(w, PB_VERSION);
    wr_u8(w, sender == NEA_SERVER ? 0x80 : 0);
    wr_u16(w, type);
    wr_u32(w, 0);
    return start;
}

void pb_batch_end(struct wr *w, size_t start)
{
    wr_patch32(w, start + 4, w->n - start);
}

static size_t message_begin(struct wr *w, uint8_t flags, uint32_t vendor, uint32_t type)
{
    size_t start = w->n;
    wr_u8(w, flags);
    wr_u24(w, vendor);
    wr_u32(w, type);
    wr_u32(w, 0);
    return start;
}

size_t pb_message_begin(struct wr *w, uint8_t flags, uint32_t type)
{
    return message_begin(w, flags, PEN_IETF, type);
}

void pb_message_end(struct wr *w, size_t start)
{
    wr_patch32(w, start + 8, w->n - start);
}

size_t pb_pa_begin(struct wr *w, const struct pb_pa *pa)
{
    size_t start = pb_message_begin(w, PB_NOSKIP, PB_PA);
    wr_u8(w, pa->flags);
    wr_u24(w, pa->vendor);
    wr_u32(w, pa->subtype);
    wr_u16(w, pa->collector);
    wr_u16(w, pa->validator);
    return start;
}

void pb_result_put(struct wr *w, enum nea_result result, enum nea_access access)
{
    size_t m = pb_message_begin(w, PB_NOSKIP, PB_ASSESSMENT_RESULT);
    wr_u32(w, result);
    pb_message_end(w, m);
    if (access == NEA_ACCESS_NONE)
        return;
    m = pb_message_begin(w, 0, PB_ACCESS_RECOMMENDATION);
    wr_u16(w, 0);
    wr_u16(w, access);
    pb_message_end(w, m);
}

void pb_reason_put(struct wr *w, struct bytes text, struct bytes language)
{
    size_t m = pb_message_begin(w, 0, PB_REASON);
    wr_u32(w, text.n);
    wr_bytes(w, text);
    wr_u8(w, language.n);
    wr_bytes(w, language);
    pb_message_end(w, m);
}

/* PB-R41, R60, RFC 5793 §4.8.1: a URI is all there is, a text stands between its length and its language. */
void pb_remediation_put(struct wr *w, enum nea_remediation kind, struct bytes text, struct bytes language)
{
    size_t m = pb_message_begin(w, 0, PB_REMEDIATION);
    wr_u32(w, PEN_IETF); /* with the reserved octet */
    wr_u32(w, kind);
    if (kind == NEA_REMEDIATION_TEXT)
        wr_u32(w, text.n);
    wr_bytes(w, text);
    if (kind == NEA_REMEDIATION_TEXT) {
        wr_u8(w, language.n);
        wr_bytes(w, language);
    }
    pb_message_end(w, m);
}

bool nea_uri_valid(struct bytes text)
{
    static const char marks[] = "-._~:/?#[]@!$&'()*+,;=%";
    size_t scheme = 0;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i], letter = c | 0x20;
        bool alphanumeric = (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9');
        if (!alphanumeric && (c == 0 || !strchr(marks, c)))
            return false;
        if (c == ':' && !scheme)
            scheme = i;
        else if (!scheme && !alphanumeric && c != '+' && c != '-' && c != '.')
            return false;
    }
    return scheme > 0 && (text.p[0] | 0x20) >= 'a';
}

void pb_language_put(struct wr *w, const char *ranges)
{
    size_t m = pb_message_begin(w, 0, PB_LANGUAGE);
    wr_str(w, "Accept-Language: ");
    wr_str(w, ranges);
    pb_message_end(w, m);
}

enum { MUTUAL_CAPABILITY = 1 };
#define MUTUAL_HALF_DUPLEX 0x80000000u /* the only kind that there is; 0x40000000 would be full duplex */

/* PB-R24: never marked NOSKIP, never required; who does not know it skips it. */
void pb_mutual_put(struct wr *w)
{
    size_t m = message_begin(w, 0, PEN_ITA, MUTUAL_CAPABILITY);
    wr_u32(w, MUTUAL_HALF_DUPLEX);
    pb_message_end(w, m);
}

bool pb_mutual_offers(const struct pb_message *m)
{
    return m->vendor == PEN_ITA && m->type == MUTUAL_CAPABILITY && m->value.n >= 4 &&
           number_at(m->value, 0, 4) & MUTUAL_HALF_DUPLEX;
}

/* PB-R50, RFC 5793 §4.10 */
bool nea_language_valid(struct bytes ranges)
{
    for (size_t i = 0; i < ranges.n; i++) {
        uint8_t c = ranges.p[i], letter = c | 0x20;
        if (!(letter >= 'a' && letter <= 'z') && !(c >= '0' && c <= '9') && (c == 0 || !strchr("-*,;=. ", c)))
            return false;
    }
    return ranges.n > 0;
}

/* PB-R45, R47, R65, RFC 5793 §4.9: ours are always fatal, of vendor 0, with the parameters that the code has; we speak
 * one version. */
void pb_error_put(struct wr *w, const struct nea_fault *fault)
{
    size_t m = pb_message_begin(w, PB_NOSKIP, PB_ERROR);
    wr_u8(w, PB_ERROR_FATAL);
    wr_u24(w, PEN_IETF);
    wr_u16(w, fault->code);
    wr_u16(w, 0);
    if (fault->code == PB_VERSION_NOT_SUPPORTED) {
        wr_u8(w, fault->offset);
        wr_u8(w, PB_VERSION);
        wr_u8(w, PB_VERSION);
        wr_u8(w, 0);
    } else if (fault->code == PB_INVALID_PARAMETER || fault->code == PB_UNSUPPORTED_MANDATORY) {
        wr_u32(w, fault->offset); /* PB-R65: codes 0 and 2 carry nothing */
    }
    pb_message_end(w, m);
}
