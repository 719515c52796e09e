/* What the values of PT-TLS and PB-TNC messages and of errors are made of, as rows of a table, and one interpreter that
 * prints them. What PA-TNC attributes hold is in pa.c's table. */
#include "nea/decode.h"

#define NESTED 4 /* values inside values: an error inside an error, not without end */

/* ---- fields of values ---- */

enum kind {
    END,
    RESERVED,   /* argument: octets */
    NUMBER,     /* argument: octets */
    VENDOR,     /* 3 octets; with the next TYPE it says what INSIDE holds */
    TYPE,       /* argument: octets */
    BIT,        /* an octet; argument: the bit that is told */
    TEXT,       /* up to the end */
    COUNTED,    /* argument: octets of the count; a text */
    MECHANISM,  /* 5 bits of length, a name (RFC 6876 §3.8.7) */
    MECHANISMS, /* any number of them */
    SECRET,     /* up to the end; told by its size only: what is decoded is pasted into reports */
    OCTETS,     /* up to the end */
    INSIDE,     /* up to the end; argument: the layer that it belongs to */
    MESSAGE,    /* up to the end: a PA-TNC message */
    BATCH,      /* up to the end: a PB-TNC batch */
};

struct field {
    uint8_t kind, argument;
    const char *name;
    const char *const *words; /* what the values 0, 1, … mean; NULL at the end */
};

static const char *const result_words[] = {"success", "failure", "abort", "mechanism failure", NULL};
static const char *const pt_error_words[] = {
    "Reserved",        "Malformed Message",    "Version Not Supported", "Type Not Supported",
    "Invalid Message", "SASL Mechanism Error", "Invalid Parameter",     NULL,
};
static const char *const pb_error_words[] = {
    "Unexpected Batch Type",         "Invalid Parameter",     "Local Error",
    "Unsupported Mandatory Message", "Version Not Supported", NULL,
};
static const char *const pa_error_words[] = {
    "Reserved",
    "Invalid Parameter",
    "Version Not Supported",
    "Attribute Type Not Supported",
    "SWIMA_ERROR",
    "SWIMA_SUBSCRIPTION_DENIED_ERROR",
    "SWIMA_RESPONSE_TOO_LARGE_ERROR",
    "SWIMA_SUBSCRIPTION_FULFILLMENT_ERROR",
    "SWIMA_SUBSCRIPTION_ID_REUSE_ERROR",
    NULL,
};
static const char *const assessment_words[] = {
    "compliant", "minor non-compliance", "major non-compliance", "error", "don't know", NULL,
};
static const char *const access_words[] = {"none", "allowed", "denied", "quarantined", NULL};
static const char *const subtype_words[] = {
    "Testing", "Operating System", "Anti-Virus",       "Anti-Spyware", "Anti-Malware", "Firewall", "IDPS",
    "VPN",     "NEA Client",       "SWIMA Attributes", NULL,
};
static const char *const remediation_words[] = {"Reserved", "URI", "String", NULL};

#define FIELDS(...)                                                                                                    \
    (const struct field[])                                                                                             \
    {                                                                                                                  \
        __VA_ARGS__,                                                                                                   \
        {                                                                                                              \
            END                                                                                                        \
        }                                                                                                              \
    }
/* RFC 5792 §4.2.8: codes 1 to 3 quote the header of the message that they are about. */
#define QUOTE                                                                                                          \
    {NUMBER, 1, "quoted_version"}, {RESERVED, 3},                                                                      \
    {                                                                                                                  \
        NUMBER, 4, "quoted_id"                                                                                         \
    }
#define SWIMA_ERROR FIELDS({NUMBER, 4, "request_id"}, {TEXT, 0, "description"})

static const struct layout layouts[] = {
    {IN_PT, PEN_IETF, PT_VERSION_REQUEST,
     FIELDS({RESERVED, 1}, {NUMBER, 1, "minimum"}, {NUMBER, 1, "maximum"}, {NUMBER, 1, "preferred"})},
    {IN_PT, PEN_IETF, PT_VERSION_RESPONSE, FIELDS({RESERVED, 3}, {NUMBER, 1, "version"})},
    {IN_PT, PEN_IETF, PT_SASL_MECHANISMS, FIELDS({MECHANISMS, 0, "mechanisms"}), NULL, "PT-R46", "RFC 6876 §3.8.7"},
    {IN_PT, PEN_IETF, PT_SASL_SELECTION, FIELDS({MECHANISM, 0, "mechanism"}, {SECRET, 0, "initial_response"}), NULL,
     "PT-R46", "RFC 6876 §3.8.8"},
    {IN_PT, PEN_IETF, PT_SASL_DATA, FIELDS({SECRET, 0, "data"})},
    {IN_PT, PEN_IETF, PT_SASL_RESULT, FIELDS({NUMBER, 2, "result", result_words}, {SECRET, 0, "data"}), NULL, "PT-R46",
     "RFC 6876 §3.8.10"},
    {IN_PT, PEN_IETF, PT_BATCH, FIELDS({BATCH, 0, "batch"})},
    {IN_PT, PEN_IETF, PT_ERROR,
     FIELDS({RESERVED, 1}, {VENDOR, 3, "vendor"}, {TYPE, 4, "code", pt_error_words}, {OCTETS, 0, "message"}), NULL,
     "PT-R33", "RFC 6876 §3.9"},

    {IN_PB, PEN_IETF, PB_PA,
     FIELDS({BIT, PB_PA_EXCL, "exclusive"}, {VENDOR, 3, "vendor"}, {TYPE, 4, "subtype", subtype_words},
            {NUMBER, 2, "collector"}, {NUMBER, 2, "validator"}, {MESSAGE, 0, "message"})},
    {IN_PB, PEN_IETF, PB_ASSESSMENT_RESULT, FIELDS({NUMBER, 4, "result", assessment_words})},
    {IN_PB, PEN_IETF, PB_ACCESS_RECOMMENDATION, FIELDS({RESERVED, 2}, {NUMBER, 2, "recommendation", access_words})},
    {IN_PB, PEN_IETF, PB_REMEDIATION,
     FIELDS({RESERVED, 1}, {VENDOR, 3, "vendor"}, {TYPE, 4, "type", remediation_words},
            {INSIDE, IN_REMEDIATION, "parameters"})},
    {IN_PB, PEN_IETF, PB_ERROR,
     FIELDS({BIT, PB_ERROR_FATAL, "fatal"}, {VENDOR, 3, "vendor"}, {TYPE, 2, "code", pb_error_words}, {RESERVED, 2},
            {INSIDE, IN_PB_ERROR, "parameters"})},
    {IN_PB, PEN_IETF, PB_LANGUAGE, FIELDS({TEXT, 0, "preference"})},
    {IN_PB, PEN_IETF, PB_REASON, FIELDS({COUNTED, 4, "reason"}, {COUNTED, 1, "language"})},
    /* TCG PDP Discovery and Validation 1.0; strongSwan's own. */
    {IN_PB, PEN_TCG, 1,
     FIELDS({RESERVED, 1}, {VENDOR, 3, "identifier_vendor"}, {TYPE, 4, "identifier_type"}, {OCTETS, 0, "identifier"}),
     "PB-PDP-Referral"},
    {IN_PB, PEN_ITA, 0, FIELDS({OCTETS, 0, "octets"}), "PB-Noskip-Test"},
    {IN_PB, PEN_ITA, 1, FIELDS({NUMBER, 4, "capabilities"}), "PB-Mutual-Capability"},

    {IN_PB_ERROR, PEN_IETF, PB_INVALID_PARAMETER, FIELDS({NUMBER, 4, "offset"})},
    {IN_PB_ERROR, PEN_IETF, PB_UNSUPPORTED_MANDATORY, FIELDS({NUMBER, 4, "offset"})},
    {IN_PB_ERROR, PEN_IETF, PB_VERSION_NOT_SUPPORTED,
     FIELDS({NUMBER, 1, "bad_version"}, {NUMBER, 1, "maximum"}, {NUMBER, 1, "minimum"}, {RESERVED, 1})},
    {IN_REMEDIATION, PEN_IETF, 1, FIELDS({TEXT, 0, "uri"})},
    {IN_REMEDIATION, PEN_IETF, 2, FIELDS({COUNTED, 4, "text"}, {COUNTED, 1, "language"})},
    {IN_PA_ERROR, PEN_IETF, PA_INVALID_PARAMETER, FIELDS(QUOTE, {NUMBER, 4, "offset"})},
    {IN_PA_ERROR, PEN_IETF, PA_VERSION_NOT_SUPPORTED,
     FIELDS(QUOTE, {NUMBER, 1, "maximum"}, {NUMBER, 1, "minimum"}, {RESERVED, 2})},
    {IN_PA_ERROR, PEN_IETF, PA_TYPE_NOT_SUPPORTED,
     FIELDS(QUOTE, {NUMBER, 1, "flags"}, {VENDOR, 3, "vendor"}, {TYPE, 4, "type"})},
    {IN_PA_ERROR, PEN_IETF, PA_SWIMA_ERROR, SWIMA_ERROR},
    {IN_PA_ERROR, PEN_IETF, PA_SUBSCRIPTION_DENIED, SWIMA_ERROR},
    {IN_PA_ERROR, PEN_IETF, PA_RESPONSE_TOO_LARGE,
     FIELDS({NUMBER, 4, "request_id"}, {NUMBER, 4, "maximum_size"}, {TEXT, 0, "description"})},
    {IN_PA_ERROR, PEN_IETF, PA_SUBSCRIPTION_FULFILLMENT,
     FIELDS({NUMBER, 4, "subscription_id"}, {RESERVED, 1}, {VENDOR, 3, "vendor"}, {TYPE, 4, "code", pa_error_words},
            {INSIDE, IN_PA_ERROR, "details"})},
    {IN_PA_ERROR, PEN_IETF, PA_SUBSCRIPTION_ID_REUSE, SWIMA_ERROR},
};

const struct layout *layout_find(enum layer layer, uint32_t vendor, uint32_t number)
{
    for (size_t i = 0; i < ARRAY_LENGTH(layouts); i++)
        if (layouts[i].layer == layer && layouts[i].vendor == vendor && layouts[i].number == number)
            return &layouts[i];
    return NULL;
}

/* ---- the interpreter of layouts ---- */

const struct field layout_sasl_result = {NUMBER, 1, "result", result_words};
const struct field layout_pa_error = {NUMBER, 4, "code", pa_error_words};
const struct field layout_assessment_result = {NUMBER, 4, "result", assessment_words};

void layout_json_number(struct json *j, const struct field *f, uint64_t v)
{
    char name[64];
    json_number(j, f->name, (int64_t)v);
    if (!f->words)
        return;
    size_t count = 0;
    while (f->words[count])
        count++;
    if (v >= count)
        return;
    struct wr w = wr_of(sizeof name);
    wr_fmt(&w, "%s_name", f->name);
    json_str(j, wr_string(&w), f->words[v]);
    wr_free(&w);
}

static uint64_t take_number(struct rd *r, size_t n)
{
    uint64_t v = 0;
    struct bytes b = rd_take(r, n);
    for (size_t i = 0; i < b.n; i++)
        v = v << 8 | b.p[i];
    return v;
}

static struct bytes take_mechanism(struct rd *r)
{
    size_t at = rd_offset(r), n = rd_u8(r) & 0x1f;
    struct bytes name = rd_take(r, n);
    if (!n || n > 20)
        rd_fail(r, at);
    return name;
}

static void put_secret(struct json *j, const char *key, struct bytes b)
{
    json_object_begin(j, key);
    json_number(j, "octets", (int64_t)b.n);
    json_object_end(j);
}

void layout_json(struct decode *d, const struct layout *layout, struct rd *r, size_t base)
{
    const struct field *f = layout->fields;
    struct json *j = d->json;
    uint64_t vendor = 0, number = 0;
    for (; f->kind != END && !r->bad; f++) {
        size_t at = base == NOWHERE ? NOWHERE : base + rd_offset(r);
        switch ((enum kind)f->kind) {
        case RESERVED:
            rd_take(r, f->argument);
            break;
        case VENDOR:
        case TYPE:
        case NUMBER:
            number = take_number(r, f->argument);
            if (f->kind == VENDOR)
                vendor = number;
            if (!r->bad && vendor) /* its own numbers mean something else */
                json_number(j, f->name, (int64_t)number);
            else if (!r->bad)
                layout_json_number(j, f, number);
            break;
        case BIT:
            json_bool(j, f->name, rd_u8(r) & f->argument);
            break;
        case TEXT:
            nea_bytes_json(j, f->name, rd_rest(r));
            break;
        case COUNTED: {
            struct bytes text = rd_take(r, (size_t)take_number(r, f->argument));
            if (!r->bad)
                nea_bytes_json(j, f->name, text);
            break;
        }
        case MECHANISM: {
            struct bytes name = take_mechanism(r);
            if (!r->bad)
                nea_bytes_json(j, f->name, name);
            break;
        }
        case MECHANISMS:
            json_array_begin(j, f->name);
            while (rd_more(r)) {
                struct bytes name = take_mechanism(r);
                if (!r->bad)
                    nea_bytes_json(j, NULL, name);
            }
            json_array_end(j);
            break;
        case SECRET:
            put_secret(j, f->name, rd_rest(r));
            break;
        case OCTETS:
            json_hex(j, f->name, rd_rest(r));
            break;
        case INSIDE:
            if (!layout_json_inside(
                    d, f->name, layout_find((enum layer)f->argument, (uint32_t)vendor, (uint32_t)number), rd_rest(r)))
                rd_fail(r, rd_offset(r));
            break;
        case MESSAGE:
            json_object_begin(j, f->name);
            decode_json_message(d, rd_rest(r), at);
            json_object_end(j);
            break;
        case BATCH:
            json_object_begin(j, f->name);
            decode_json_batch(d, rd_rest(r), at);
            json_object_end(j);
            break;
        case END:
            break;
        }
    }
}

bool layout_json_inside(struct decode *d, const char *key, const struct layout *layout, struct bytes value)
{
    if (!layout || d->depth == NESTED) {
        if (value.n)
            json_hex(d->json, key, value);
        return true;
    }
    struct rd r = rd_of(value, 0);
    d->depth++;
    json_object_begin(d->json, key);
    layout_json(d, layout, &r, NOWHERE);
    if (rd_more(&r))
        json_hex(d->json, "rest", rd_rest(&r));
    json_object_end(d->json);
    d->depth--;
    return !r.bad;
}
