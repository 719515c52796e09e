/* muster decode: captured octets explained. What is wrong with a message says the table of its protocol, what its
 * values are made of that of layout.c and, for PA-TNC attributes, pa.c's; here are the messages that they stand in. */
#include "nea/decode.h"

#include <string.h>

#define HELD_MAX ((size_t)64 << 20) /* octets of unfinished segmented attributes */

/* ---- departures that other implementations are known for: named, no faults ---- */

enum departure {
    SHORT_RESULT,
    ERROR_PARAMETER,
    PSEUDO_HEADER,
    SHARED_EID,
    NO_TIME,
    RESERVED_ACTION,
    RECORD_ZERO,
    LONE_SEGMENT
};

static const struct {
    const char *text, *rule, *section;
} departures[] = {
    [SHORT_RESULT] = {"SASL result of one octet instead of two", "PT-R25", "RFC 6876 §3.8.10"},
    [ERROR_PARAMETER] = {"parameters with an error code that has none", "PB-R65", "RFC 5793 §4.9.2"},
    [PSEUDO_HEADER] = {"quotes the pseudo header of a reassembled attribute: ffffffff and its base message identifier",
                       "PA-R37", "RFC 5792 §4.2.8.1"},
    [SHARED_EID] = {"several events share one EID", "SWIMA-R31", "RFC 8412 §3.7.1"},
    [NO_TIME] = {"events without a time: 0000-00-00T00:00:00Z", "SWIMA-R106", "RFC 8412 §5.8"},
    [RESERVED_ACTION] = {"events with a reserved action", "SWIMA-R83", "RFC 8412 §5.8"},
    [RECORD_ZERO] = {"several records share the identifier 0", "SWIMA-R14", "RFC 8412 §3.4.3"},
    [LONE_SEGMENT] = {"a segment whose beginning is not in this capture", "SEG-R11", "TCG IF-M Segmentation 1.0"},
};

/* ---- faults ---- */

static void error_json(struct json *j, const struct nea_fault *f, size_t position)
{
    json_object_begin(j, "error");
    json_number(j, "code", f->code);
    json_number(j, "offset", (int64_t)f->offset);
    if (position != NOWHERE)
        json_number(j, "position", (int64_t)position);
    json_str(j, "rule", f->rule);
    json_str(j, "section", f->section);
    json_str(j, "text", f->text);
    json_object_end(j);
}

/* A fault in a message or batch that begins at `base`. */
static void put_fault(struct decode *d, const struct nea_fault *f, size_t base)
{
    /* The fault of an unsupported PB-TNC version carries the version, its place is the first octet. */
    struct nea_fault at = *f;
    if (f->rule && !strcmp(f->rule, "PB-R7"))
        at.offset = 0;
    size_t position = base == NOWHERE ? NOWHERE : base + at.offset;
    error_json(d->json, &at, position);
    if (!d->faults++) {
        d->first = at;
        d->first_position = position;
    }
}

static void depart(struct decode *d, enum departure which)
{
    d->departed |= 1u << which;
}

static void put_departures(struct decode *d)
{
    if (!d->departed)
        return;
    json_array_begin(d->json, "departures");
    for (size_t i = 0; i < ARRAY_LENGTH(departures); i++) {
        if (!(d->departed >> i & 1))
            continue;
        json_object_begin(d->json, NULL);
        json_str(d->json, "text", departures[i].text);
        json_str(d->json, "rule", departures[i].rule);
        json_str(d->json, "section", departures[i].section);
        json_object_end(d->json);
    }
    json_array_end(d->json);
    d->departed = 0;
}

/* ---- PA-TNC ---- */

/* What a list of events or records tells of its sender. */
static void look_at_events(struct decode *d, const struct pa_type *type, struct bytes rest)
{
    union {
        struct pa_sw_id_events_item id;
        struct pa_sw_events_item full; /* begins with the same fields */
    } item;
    uint32_t last = 0;
    _Static_assert(offsetof(struct pa_sw_id_events_item, action) == offsetof(struct pa_sw_events_item, action), "");
    while (pa_list_next(type, &rest, &item)) {
        if (item.id.eid == last)
            depart(d, SHARED_EID);
        last = item.id.eid;
        if (bytes_equal(item.id.time, BYTES("0000-00-00T00:00:00Z")))
            depart(d, NO_TIME);
        if (!item.id.action || item.id.action > 3)
            depart(d, RESERVED_ACTION);
    }
}

static void look_at_records(struct decode *d, const struct pa_type *type, struct bytes rest)
{
    union {
        struct pa_sw_id_inventory_item id;
        struct pa_sw_inventory_item full;
    } item;
    unsigned zeros = 0;
    _Static_assert(offsetof(struct pa_sw_id_inventory_item, record_id) == 0 &&
                       offsetof(struct pa_sw_inventory_item, record_id) == 0,
                   "");
    while (pa_list_next(type, &rest, &item))
        if (!item.id.record_id && ++zeros > 1)
            depart(d, RECORD_ZERO);
}

static void attributes_json(struct decode *d, struct rd r, size_t base);

/* Segments add up as they do in a session; the last one shows the whole. False: f is what a receiver would say. */
static bool segment_json(struct decode *d, const struct pa_segment_envelope *e, struct nea_fault *f)
{
    struct seg_transfer *t;
    switch (seg_take(&d->seg, d->sender, e, &d->held, HELD_MAX, &t, f)) {
    case SEG_IGNORE:
        depart(d, LONE_SEGMENT);
        return true;
    case SEG_WANT:
        return true;
    case SEG_REFUSE:
        return false;
    case SEG_TOO_LARGE:
        nea_fault_set(f, PA_DROP, 0, "SEG-L1", "own limit", "segmented attribute larger than our bound");
        return false;
    case SEG_COMPLETE:
        break;
    }
    struct bytes whole = wr_view(&t->data);
    struct rd r = rd_of(whole, 0);
    rd_take(&r, PA_MESSAGE_HEADER); /* a pseudo header: an error's offset counts it */
    json_object_begin(d->json, "reassembled");
    json_number(d->json, "base_id", t->base_id);
    json_number(d->json, "length", (int64_t)rd_left(&r));
    attributes_json(d, r, NOWHERE);
    json_object_end(d->json);
    d->held -= t->data.n - PA_MESSAGE_HEADER;
    seg_close(&d->seg.in, t);
    return true;
}

/* What the table's fields do not say. False: f is a fault, of a segmented attribute or of what an error tells. */
static bool details_json(struct decode *d, const struct pa_attribute *at, struct nea_fault *f)
{
    const void *fields = at->fields;
    switch ((enum pa_row)(at->type - pa_types)) {
    case PA_ERROR: {
        const struct pa_error *e = fields;
        if (e->information.n >= 4 && e->code <= PA_TYPE_NOT_SUPPORTED &&
            !memcmp(e->information.p, "\xff\xff\xff\xff", 4))
            depart(d, PSEUDO_HEADER);
        json_object_begin(d->json, "details");
        if (e->vendor_id == PEN_IETF)
            layout_json_number(d->json, &layout_pa_error, e->code);
        bool whole =
            layout_json_inside(d, "information", layout_find(IN_PA_ERROR, e->vendor_id, e->code), e->information);
        json_object_end(d->json);
        if (!whole)
            nea_fault_set(f, PA_INVALID_PARAMETER, at->offset + PA_ATTRIBUTE_HEADER + 8, "PA-R37", "RFC 5792 §4.2.8",
                          "error information shorter than its code demands (PA-R37, RFC 5792 §4.2.8)");
        return whole;
    }
    case PA_ASSESSMENT_RESULT:
        json_object_begin(d->json, "details");
        layout_json_number(d->json, &layout_assessment_result, ((const struct pa_assessment_result *)fields)->result);
        json_object_end(d->json);
        return true;
    case PA_REMEDIATION_INSTRUCTIONS: {
        const struct pa_remediation_instructions *i = fields;
        layout_json_inside(d, "details", layout_find(IN_REMEDIATION, i->vendor_id, i->kind), i->parameters);
        return true;
    }
    case PA_SW_ID_EVENTS:
        look_at_events(d, at->type, ((const struct pa_sw_id_events *)fields)->events.raw);
        return true;
    case PA_SW_EVENTS:
        look_at_events(d, at->type, ((const struct pa_sw_events *)fields)->events.raw);
        return true;
    case PA_SW_ID_INVENTORY:
        look_at_records(d, at->type, ((const struct pa_sw_id_inventory *)fields)->records.raw);
        return true;
    case PA_SW_INVENTORY:
        look_at_records(d, at->type, ((const struct pa_sw_inventory *)fields)->records.raw);
        return true;
    case PA_SEGMENT_ENVELOPE:
        return segment_json(d, fields, f);
    default:
        return true;
    }
}

/* `r` counts from the message's header, which lies at `base`. */
static void attributes_json(struct decode *d, struct rd r, size_t base)
{
    struct json *j = d->json;
    json_array_begin(j, "attributes");
    while (rd_more(&r)) {
        struct pa_attribute at;
        struct nea_fault f;
        bool is_error;
        enum pa_error_code code = pa_attribute_frame(&r, &at, &is_error, &f);
        arena_reset(&d->arena);
        if (code == PA_OK)
            code = pa_attribute_decode(&d->arena, &at, NEA_OBSERVER, 0, &f);
        json_object_begin(j, NULL);
        pa_attribute_members(j, &at);
        if (at.type)
            json_str(j, "about", at.type->doc);
        size_t from = base;
        if (code == PA_OK && at.type && !details_json(d, &at, &f)) {
            code = PA_INVALID_PARAMETER;
            from = at.type == &pa_types[PA_SEGMENT_ENVELOPE] ? NOWHERE : base;
        }
        if (code != PA_OK)
            put_fault(d, &f, from);
        put_departures(d);
        json_object_end(j);
    }
    json_array_end(j);
}

void decode_json_message(struct decode *d, struct bytes message, size_t base)
{
    struct rd r = rd_of(message, 0);
    struct nea_fault f;
    uint8_t version = rd_u8(&r);
    rd_take(&r, 3);
    uint32_t id = rd_u32(&r);
    if (r.bad) {
        nea_fault_set(&f, PA_DROP, 0, "PA-R6", "RFC 5792 §3.6", "message below 8 octets (PA-R6, RFC 5792 §3.6)");
        json_hex(d->json, "octets", message);
        put_fault(d, &f, base);
        return;
    }
    json_number(d->json, "version", version);
    json_number(d->json, "id", id);
    if (version != 1) {
        nea_fault_set(&f, PA_VERSION_NOT_SUPPORTED, 0, "PA-R9", "RFC 5792 §3.6",
                      "unsupported PA-TNC version %u (PA-R9, RFC 5792 §3.6)", version);
        put_fault(d, &f, base);
        json_hex(d->json, "octets", rd_rest(&r));
        return;
    }
    attributes_json(d, r, base);
}

/* ---- PB-TNC ---- */

/* The members that every message has, and its value by its layout. False: the value is shorter than that. */
static bool message_json(struct decode *d, enum layer layer, const char *name, uint32_t vendor, uint32_t type,
                         struct rd value, size_t base)
{
    struct json *j = d->json;
    const struct layout *layout = layout_find(layer, vendor, type);
    json_number(j, "vendor", vendor);
    json_number(j, "type", type);
    json_str(j, "name", layout && layout->name ? layout->name : vendor == PEN_IETF ? name : NULL);
    json_object_begin(j, "value");
    if (layout)
        layout_json(d, layout, &value, base);
    if (rd_more(&value))
        json_hex(j, layout ? "rest" : "hex", rd_rest(&value));
    json_object_end(j);
    return !value.bad;
}

static void pb_message_json(struct decode *d, const struct pb_message *m, bool from_server, size_t base)
{
    struct json *j = d->json;
    json_number(j, "offset", (int64_t)m->offset);
    json_bool(j, "noskip", m->flags & PB_NOSKIP);
    json_number(j, "length", (int64_t)m->value.n + PB_MESSAGE_HEADER);
    if (m->ignored)
        json_bool(j, "ignored", true);
    if (m->vendor == PEN_IETF && m->type == PB_PA && m->value.n >= PB_PA_HEADER - PB_MESSAGE_HEADER) {
        struct pb_pa pa = pb_pa_read(m->value);
        d->sender = from_server ? pa.validator : pa.collector;
    }
    message_json(d, IN_PB, pb_message_name(m->type), m->vendor, m->type, rd_of(m->value, m->offset + PB_MESSAGE_HEADER),
                 base);
    /* Known of strongSwan: a parameter with every code. */
    if (m->vendor == PEN_IETF && m->type == PB_ERROR && m->value.n > 8 && !m->value.p[1] && !m->value.p[2] &&
        !m->value.p[3] && !m->value.p[4] && (m->value.p[5] == PB_UNEXPECTED_BATCH || m->value.p[5] == PB_LOCAL_ERROR))
        depart(d, ERROR_PARAMETER);
}

void decode_json_batch(struct decode *d, struct bytes batch, size_t base)
{
    struct json *j = d->json;
    struct nea_fault f;
    unsigned type = 0;
    enum pb_error_code code = pb_header_check(batch, NEA_OBSERVER, &type, &f);
    if (batch.n >= PB_BATCH_HEADER) {
        json_number(j, "version", batch.p[0]);
        json_str(j, "direction", batch.p[1] & 0x80 ? "server to client" : "client to server");
        json_number(j, "type", type);
        json_str(j, "name", pb_type_name(type));
        json_number(j, "length", (int64_t)batch.n);
    }
    if (code != PB_OK)
        put_fault(d, &f, base);
    if (batch.n < PB_BATCH_HEADER || code == PB_VERSION_NOT_SUPPORTED) {
        json_hex(j, "octets", batch);
        return;
    }
    bool from_server = batch.p[1] & 0x80;
    struct pb_walk walk = pb_walk_of(batch, from_server ? NEA_CLIENT : NEA_SERVER, type);
    json_array_begin(j, "messages");
    while (rd_more(&walk.r)) {
        struct pb_message m;
        enum pb_error_code bad = pb_walk_next(&walk, &m, &f);
        json_object_begin(j, NULL);
        pb_message_json(d, &m, from_server, base);
        if (bad != PB_OK)
            put_fault(d, &f, base);
        put_departures(d);
        json_object_end(j);
    }
    json_array_end(j);
    /* Only of a batch that is right so far: an assessment result that is missing may stand in what is cut off. */
    if (code == PB_OK && !walk.r.bad && pb_walk_end(&walk, &f) != PB_OK)
        put_fault(d, &f, base);
}

/* ---- PT-TLS ---- */

/* What the header's check leaves: contents, by the same rules as a session's. */
static bool pt_contents_fit(const struct pt_message *m, bool whole_value, struct nea_fault *f)
{
    const struct layout *layout = layout_find(IN_PT, m->vendor, m->type);
    const uint8_t *v = m->value.p;
    if (!pt_length_fits(m))
        nea_fault_set(f, PT_INVALID_PARAMETER, 8, "PT-R29", "RFC 6876 §3.5",
                      "wrong PT-TLS message length (PT-R29, RFC 6876 §3.5)");
    else if (!whole_value && layout && layout->rule)
        nea_fault_set(f, PT_MALFORMED, PT_HEADER, layout->rule, layout->section, "malformed %s (%s, %s)",
                      pt_type_name(m->type), layout->rule, layout->section);
    else if (m->vendor == PEN_IETF && m->type == PT_VERSION_REQUEST && (v[1] > v[2] || v[3] < v[1] || v[3] > v[2]))
        nea_fault_set(f, PT_INVALID_MESSAGE, PT_HEADER, "PT-R13", "RFC 6876 §3.7.1",
                      "version request that contradicts itself (PT-R13, RFC 6876 §3.7.1)");
    else
        return true;
    return false;
}

static void pt_message_json(struct decode *d, struct bytes whole, size_t length, size_t base)
{
    struct json *j = d->json;
    struct pt_message m = pt_message_read(whole);
    struct nea_fault f;
    json_number(j, "id", m.id);
    json_number(j, "length", (int64_t)length);
    bool is_result = m.vendor == PEN_IETF && m.type == PT_SASL_RESULT;
    if (is_result && m.value.n == 1) { /* strongSwan's: told apart before its fields are too few */
        json_number(j, "vendor", m.vendor);
        json_number(j, "type", m.type);
        json_str(j, "name", pt_type_name(m.type));
        json_object_begin(j, "value");
        layout_json_number(j, &layout_sasl_result, m.value.p[0]);
        json_object_end(j);
        depart(d, SHORT_RESULT);
        return;
    }
    bool fits = message_json(d, IN_PT, pt_type_name(m.type), m.vendor, m.type, rd_of(m.value, PT_HEADER), base);
    if (length > whole.n) {
        nea_fault_set(&f, PT_INVALID_PARAMETER, 8, "PT-R29", "RFC 6876 §3.5",
                      "message of %zu octets, of which %zu are here (PT-R29, RFC 6876 §3.5)", length, whole.n);
        put_fault(d, &f, base);
    } else if (!pt_contents_fit(&m, fits, &f)) {
        put_fault(d, &f, base);
    }
}

/* ---- what is in a file ---- */

static void decode_pt_tls(struct decode *d, struct bytes octets)
{
    for (size_t at = 0; at < octets.n;) {
        struct bytes rest = {octets.p + at, octets.n - at};
        struct nea_fault f;
        size_t length;
        enum pt_error_code code = pt_header_check(rest, SIZE_MAX, &length, &f);
        if (code == PT_OK && rest.n < PT_HEADER) {
            nea_fault_set(&f, PT_INVALID_PARAMETER, 0, "PT-R43", "RFC 6876 §3.5",
                          "header cut off after %zu octets (PT-R43, RFC 6876 §3.5)", rest.n);
            code = PT_INVALID_PARAMETER;
        }
        size_t n = code != PT_OK || length > rest.n ? rest.n : length;
        json_object_begin(d->json, NULL);
        json_number(d->json, "offset", (int64_t)at);
        if (code == PT_OK) {
            pt_message_json(d, (struct bytes){rest.p, n}, length, at);
        } else { /* a stream cannot be taken up again behind a header that is wrong */
            json_hex(d->json, "octets", rest);
            put_fault(d, &f, at);
        }
        put_departures(d);
        json_object_end(d->json);
        at += n;
    }
}

static void decode_pb_tnc(struct decode *d, struct bytes octets)
{
    size_t at = 0;
    do {
        struct bytes rest = octets.n ? (struct bytes){octets.p + at, octets.n - at} : octets;
        struct rd r = rd_of(rest, 0);
        rd_take(&r, 4);
        size_t length = rd_u32(&r);
        size_t n = length < PB_BATCH_HEADER || length > rest.n || rest.p[0] != PB_VERSION ? rest.n : length;
        json_object_begin(d->json, NULL);
        json_number(d->json, "offset", (int64_t)at);
        decode_json_batch(d, (struct bytes){rest.p, n}, at);
        json_object_end(d->json);
        at += n;
    } while (at < octets.n);
}

static void decode_pa_tnc(struct decode *d, struct bytes octets)
{
    json_object_begin(d->json, NULL);
    json_number(d->json, "offset", 0);
    decode_json_message(d, octets, 0);
    json_object_end(d->json);
}

static void decode_pa_attributes(struct decode *d, struct bytes octets)
{
    json_object_begin(d->json, NULL);
    attributes_json(d, rd_of(octets, 0), 0);
    json_object_end(d->json);
}

static const struct {
    const char *name;
    void (*decode)(struct decode *d, struct bytes octets);
} kinds[NEA_KIND_COUNT] = {
    [NEA_PT_TLS] = {"pt-tls", decode_pt_tls},
    [NEA_PB_TNC] = {"pb-tnc", decode_pb_tnc},
    [NEA_PA_TNC] = {"pa-tnc", decode_pa_tnc},
    [NEA_PA_ATTRIBUTES] = {"pa-attributes", decode_pa_attributes},
    /* EAP packets with PT-EAP in them get their row here, together with PT-EAP itself. */
};

const char *nea_kind_name(enum nea_kind kind)
{
    return kind < NEA_KIND_COUNT ? kinds[kind].name : NULL;
}

enum nea_kind nea_kind_find(const char *name)
{
    size_t i = 0;
    while (i < NEA_KIND_COUNT && strcmp(kinds[i].name, name))
        i++;
    return (enum nea_kind)i;
}

/* The first octet of each protocol is its own as long as nothing is wrong with it: 0 reserved, 2 and 1 versions. Where
 * it is, what else the header says decides: a batch's length, an attribute behind a PA-TNC header. */
enum nea_kind nea_kind_guess(struct bytes octets)
{
    struct rd r = rd_of(octets, 0);
    uint8_t first = rd_u8(&r);
    uint32_t vendor = rd_u24(&r), length = rd_u32(&r);
    unsigned batch = vendor & 0x0f;
    bool is_header = !r.bad && batch >= PB_CDATA && batch <= PB_CLOSE && length >= PB_BATCH_HEADER;
    rd_u32(&r);
    rd_u32(&r);
    uint32_t attribute = rd_u32(&r);
    bool is_message = !r.bad && attribute >= PA_ATTRIBUTE_HEADER && attribute <= octets.n - PA_MESSAGE_HEADER;
    if (first == PB_VERSION && (is_header || !is_message))
        return NEA_PB_TNC;
    if (first == 1)
        return NEA_PA_TNC;
    if (first != 0 && is_header && length <= octets.n)
        return NEA_PB_TNC;
    return first != 0 && is_message ? NEA_PA_TNC : NEA_PT_TLS;
}

size_t nea_decode(struct json *j, struct bytes octets, enum nea_kind kind)
{
    struct decode d = {.json = j, .arena = arena_of(4096), .sender = NEA_ANY};
    json_str(j, "kind", nea_kind_name(kind));
    json_array_begin(j, "messages");
    kinds[kind].decode(&d, octets);
    json_array_end(j);
    json_number(j, "faults", (int64_t)d.faults);
    if (d.faults)
        error_json(j, &d.first, d.first_position);
    seg_reset(&d.seg);
    arena_free(&d.arena);
    return d.faults;
}
