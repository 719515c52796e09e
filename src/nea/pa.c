/* PA-TNC (RFC 5792): attributes as shapes, one interpreter that decodes, encodes and prints all of them. */
#include "nea/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- shapes ---- */

enum pa_kind {
    KIND_U8,
    KIND_U16,
    KIND_U24,
    KIND_U32,
    KIND_CODE8,
    KIND_MASK8,
    KIND_RESERVED,
    KIND_FIXED,
    KIND_TEXT8,
    KIND_STR16,
    KIND_STR32,
    KIND_REST,
    KIND_COUNT8,
    KIND_COUNT16,
    KIND_COUNT24,
    KIND_COUNT32,
    KIND_LIST,
    KIND_ITEMS,
    KIND_NOTHING,
};

struct pa_field {
    uint8_t kind;
    uint16_t at; /* in the struct */
    uint32_t argument;
    const char *name;
};

struct pa_shape {
    const struct pa_field *fields;
    uint16_t count;
    uint16_t min;  /* octets of the value when every counted part is empty */
    uint16_t size; /* of the struct */
    const struct pa_shape *item;
};

/* Octets of the fixed part of a field: what can be read without a further look at the length. */
#define MIN_U8(argument)             1
#define MIN_U16(argument)            2
#define MIN_U24(argument)            3
#define MIN_U32(argument)            4
#define MIN_CODE8(argument)          1
#define MIN_MASK8(argument)          1
#define MIN_RESERVED(n)              +(n)
#define MIN_FIXED(argument)          (argument)
#define MIN_TEXT8(argument)          1
#define MIN_STR16(argument)          2
#define MIN_STR32(argument)          4
#define MIN_REST(argument)           0
#define MIN_COUNT8(argument)         1
#define MIN_COUNT16(argument)        2
#define MIN_COUNT24(argument)        3
#define MIN_COUNT32(argument)        4
#define MIN_LIST(argument)           0
#define MIN_ITEMS(argument)          1
#define MIN_NOTHING(argument)        0
#define MIN(S, kind, name, argument) +MIN_##kind(argument)

#define FIELD(S, kind, field, arg) {KIND_##kind, offsetof(S, field), arg, #field},
#define RESERVED(n)                {KIND_RESERVED, 0, n, ""},

#define SHAPE(fields_, min_, S, item_)                                                                                 \
    {                                                                                                                  \
        .fields = fields_, .count = ARRAY_LENGTH(fields_), .min = min_, .size = sizeof(S), .item = item_               \
    }
#define ITEM_SHAPE_PLAIN(row)
#define ITEM_SHAPE_LIST(row)                                                                                           \
    static const struct pa_field item_fields_##row[] = {PA_ITEM_##row(FIELD, RESERVED, struct pa_##row##_item)};       \
    static const struct pa_shape item_shape_##row =                                                                    \
        SHAPE(item_fields_##row, PA_ITEM_##row(MIN, MIN_RESERVED, ), struct pa_##row##_item, NULL);
#define ITEM_PLAIN(row) NULL
#define ITEM_LIST(row)  &item_shape_##row
#define DEFINE_SHAPE(ENUM, row, list, ...)                                                                             \
    static const struct pa_field fields_##row[] = {PA_FIELDS_##row(FIELD, RESERVED, struct pa_##row)};                 \
    ITEM_SHAPE_##list(row) static const struct pa_shape shape_##row =                                                  \
        SHAPE(fields_##row, PA_FIELDS_##row(MIN, MIN_RESERVED, ), struct pa_##row, ITEM_##list(row));
PA_ATTRIBUTES(DEFINE_SHAPE)

#define DEFINE_TYPE(ENUM, row, list, vendor_, number_, sender_, name_, rule_, section_, doc_)                          \
    [PA_##ENUM] = {.name = name_,                                                                                      \
                   .vendor = vendor_,                                                                                  \
                   .number = number_,                                                                                  \
                   .sender = PA_FROM_##sender_,                                                                        \
                   .shape = &shape_##row,                                                                              \
                   .rule = rule_,                                                                                      \
                   .section = section_,                                                                                \
                   .doc = doc_},
const struct pa_type pa_types[PA_TYPE_COUNT] = {PA_ATTRIBUTES(DEFINE_TYPE)};

const struct pa_type *pa_type_find(uint32_t vendor, uint32_t number)
{
    for (size_t i = 0; i < PA_TYPE_COUNT; i++)
        if (pa_types[i].number == number && pa_types[i].vendor == vendor)
            return &pa_types[i];
    return NULL;
}

static enum pa_row row_of(const struct pa_type *type)
{
    return (enum pa_row)(type - pa_types);
}

/* ---- decoding ---- */

/* Where decoding stands. `bad` is the first octet of the bad value; NULL with `failed` set blames the attribute's
 * length. */
struct in {
    const uint8_t *p, *end, *bad;
    bool failed;
};

static bool in_fail(struct in *in, const uint8_t *bad)
{
    in->bad = bad;
    in->failed = true;
    return false;
}

static uint32_t load(const uint8_t *p, size_t n)
{
    uint32_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static bool decode_shape(const struct pa_shape *shape, struct in *in, void *out);

/* A number above the largest legal one of its row. */
static bool too_large(const struct pa_field *f, uint32_t value)
{
    return f->argument && value > f->argument;
}

/* PA-R19, R25, RFC 5792 §4.1, §4.2.1: an Attribute Request never asks for what is reserved, for itself or for errors.
 * Where the bad value stands in the entry; 0: there is none. */
static size_t forbidden(const struct pa_attribute_request_item *entry)
{
    bool ietf = entry->vendor == PEN_IETF;
    if (entry->vendor == PEN_RESERVED)
        return 1;
    return entry->number == UINT32_MAX || (ietf && (entry->number == 1 || entry->number == 8)) ? 4 : 0;
}

/* `list` has the count already; items up to the end of the value if `counted` is false. Only checks: items are decoded
 * one by one by whoever wants them. */
static bool decode_list(const struct pa_type *owner, struct in *in, bool counted, struct pa_list *list)
{
    union {
        PA_ATTRIBUTES(PA_ITEM_UNION)
    } item;
    const struct pa_shape *shape = owner->shape->item;
    const uint8_t *start = in->p;
    uint32_t n = 0;
    while (counted ? n < list->count : in->p < in->end) {
        const uint8_t *at = in->p;
        if (!decode_shape(shape, in, &item))
            return counted ? false : in_fail(in, in->bad == at ? NULL : in->bad);
        n++;
        size_t bad = owner == &pa_types[PA_ATTRIBUTE_REQUEST] ? forbidden(&item.attribute_request) : 0;
        if (bad)
            return in_fail(in, at + bad);
    }
    list->count = n;
    list->raw = (struct bytes){start, (size_t)(in->p - start)};
    return true;
}

/* Decodes one value into *out. The fixed parts of all fields are known to be there after one comparison; what lies
 * above that minimum
 * (`slack`) is what the counted parts may take. A list or a rest is always the last field. */
static bool decode_shape(const struct pa_shape *shape, struct in *in, void *out)
{
    if ((size_t)(in->end - in->p) < shape->min)
        return in_fail(in, in->p);
    size_t slack = (size_t)(in->end - in->p) - shape->min;
    const uint8_t *p = in->p;
    for (const struct pa_field *f = shape->fields, *last = f + shape->count; f < last; f++) {
        void *to = (uint8_t *)out + f->at;
        const uint8_t *start = p;
        size_t n;
        switch ((enum pa_kind)f->kind) {
        case KIND_U8:
            *(uint8_t *)to = *p;
            if (too_large(f, *p))
                return in_fail(in, p);
            p++;
            continue;
        case KIND_CODE8: /* PA-R31, RFC 5792 §4.2.5: unknown values count as 0 */
            *(uint8_t *)to = *p > f->argument ? 0 : *p;
            p++;
            continue;
        case KIND_MASK8:
            *(uint8_t *)to = (uint8_t)(*p++ & f->argument);
            continue;
        case KIND_U16:
            *(uint16_t *)to = (uint16_t)load(p, 2);
            if (too_large(f, *(uint16_t *)to))
                return in_fail(in, p);
            p += 2;
            continue;
        case KIND_U24:
            *(uint32_t *)to = load(p, 3);
            if (too_large(f, *(uint32_t *)to))
                return in_fail(in, p);
            p += 3;
            continue;
        case KIND_U32:
            *(uint32_t *)to = load(p, 4);
            if (too_large(f, *(uint32_t *)to))
                return in_fail(in, p);
            p += 4;
            continue;
        case KIND_RESERVED: /* PA-R11, RFC 5792 §3.6, SWIMA-R81, R82, RFC 8412 §5.6: ignored */
            p += f->argument;
            continue;
        case KIND_FIXED:
            *(struct bytes *)to = (struct bytes){p, f->argument};
            p += f->argument;
            continue;
        case KIND_TEXT8:
            n = *p++;
            break;
        case KIND_STR16:
            n = load(p, 2);
            p += 2;
            break;
        case KIND_STR32:
            n = load(p, 4);
            p += 4;
            break;
        case KIND_REST:
            *(struct bytes *)to = (struct bytes){p, slack};
            p += slack;
            slack = 0;
            continue;
        case KIND_COUNT8:
        case KIND_COUNT16:
        case KIND_COUNT24:
        case KIND_COUNT32:
            n = (size_t)(f->kind - KIND_COUNT8) + 1;
            ((struct pa_list *)to)->count = load(p, n);
            p += n;
            continue;
        case KIND_LIST:
        case KIND_ITEMS:
            in->p = p;
            if (!decode_list(&pa_types[f->argument], in, f->kind == KIND_LIST, to))
                return false;
            p = in->p;
            continue;
        case KIND_NOTHING:
            *(uint8_t *)to = 0;
            continue;
        default:
            bug("attribute field of kind %d", f->kind);
        }
        if (n > slack)
            return in_fail(in, start);
        *(struct bytes *)to = (struct bytes){p, n};
        if (f->kind == KIND_TEXT8 && n) { /* PA-R49, RFC 5792 §4.2.4, §4.2.7: no NUL, no padding */
            const uint8_t *nul = memchr(p, 0, n);
            if (nul)
                return in_fail(in, nul);
        }
        slack -= n;
        p += n;
    }
    in->p = p;
    return true;
}

/* PA-R42, RFC 5792 §4.2.10.2: string with its length, language tag with its length, nothing behind, no NUL. */
static bool check_remediation(const struct pa_remediation_instructions *r, struct in *in)
{
    if (r->vendor_id != PEN_IETF || r->kind != 2)
        return true;
    struct rd rd = rd_of(r->parameters, 0);
    uint32_t n = rd_u32(&rd);
    if (rd.bad)
        return in_fail(in, NULL);
    struct bytes text = rd_take(&rd, n);
    if (rd.bad)
        return in_fail(in, r->parameters.p);
    const uint8_t *nul = text.n ? memchr(text.p, 0, text.n) : NULL;
    if (nul)
        return in_fail(in, nul);
    rd_take(&rd, rd_u8(&rd));
    if (rd.bad)
        return in_fail(in, text.p + text.n);
    return rd_more(&rd) ? in_fail(in, NULL) : true;
}

/* A whole attribute value: shape, nothing behind it, and the rules that no shape expresses. */
static bool decode_value(const struct pa_type *type, struct in *in, void *out)
{
    const uint8_t *start = in->p;
    if ((size_t)(in->end - in->p) < type->shape->min) /* PA-R21, RFC 5792 §4.1 */
        return in_fail(in, NULL);
    if (!decode_shape(type->shape, in, out))
        return false;
    if (in->p < in->end)
        return in_fail(in, NULL);
    switch (row_of(type)) {
    case PA_PRODUCT_INFORMATION: { /* PA-R28, PA-R46, RFC 5792 §4.2.2: without a vendor no product number */
        const struct pa_product_information *v = out;
        return v->vendor_id || !v->product_id || in_fail(in, start + 3);
    }
    case PA_REMEDIATION_INSTRUCTIONS:
        return check_remediation(out, in);
    default:
        return true;
    }
}

bool pa_list_next(const struct pa_type *type, struct bytes *rest, void *item)
{
    if (!rest->n)
        return false;
    struct in in = {.p = rest->p, .end = rest->p + rest->n};
    if (!decode_shape(type->shape->item, &in, item))
        return false;
    *rest = (struct bytes){in.p, (size_t)(in.end - in.p)};
    return true;
}

/* ---- messages ---- */

void nea_fault_set(struct nea_fault *f, uint32_t code, size_t offset, const char *rule, const char *section,
                   const char *format, ...)
{
    va_list args;
    *f = (struct nea_fault){.code = code, .offset = offset, .rule = rule, .section = section};
    va_start(args, format);
    vsnprintf(f->text, sizeof f->text, format, args);
    va_end(args);
}

static enum pa_error_code refuse(struct nea_fault *f, enum pa_error_code code, size_t offset, const char *rule,
                                 const char *section, const char *text)
{
    nea_fault_set(f, code, offset, rule, section, "%s at octet %zu (%s, %s)", text, offset, rule, section);
    return code;
}

enum pa_error_code pa_attribute_frame(struct rd *r, struct pa_attribute *at, bool *is_error, struct nea_fault *f)
{
    static const char section[] = "RFC 5792 §4.1";
    size_t offset = rd_offset(r);
    *at = (struct pa_attribute){.offset = offset};
    at->flags = rd_u8(r);
    at->vendor = rd_u24(r);
    at->number = rd_u32(r);
    size_t length = rd_u32(r);
    if (r->bad)
        return refuse(f, PA_INVALID_PARAMETER, offset, "PA-R50", section, "truncated attribute header");
    *is_error = at->vendor == PEN_IETF && at->number == pa_types[PA_ERROR].number;
    if (length < PA_ATTRIBUTE_HEADER) {
        rd_fail(r, offset + 8);
        return refuse(f, PA_INVALID_PARAMETER, offset + 8, "PA-R20", section, "attribute length below 12");
    }
    at->value = rd_take(r, length - PA_ATTRIBUTE_HEADER);
    if (r->bad)
        return refuse(f, PA_INVALID_PARAMETER, offset + 8, "PA-R20", section, "attribute longer than the message");
    if (at->vendor == PEN_RESERVED)
        return refuse(f, PA_INVALID_PARAMETER, offset + 1, "PA-R19", section, "reserved attribute vendor");
    if (at->number == 0xffffffff)
        return refuse(f, PA_INVALID_PARAMETER, offset + 4, "PA-R19", section, "reserved attribute type");
    return PA_OK;
}

/* Whether `receiver` takes attributes of this type. PA-R53, RFC 5792 §3.1: each has one direction. */
bool pa_takes(const struct pa_type *type, enum nea_role receiver, uint64_t accepts)
{
    if (!type || (accepts && !(accepts >> row_of(type) & 1)))
        return false;
    return receiver == NEA_OBSERVER || type->sender == PA_FROM_ANY ||
           type->sender == (receiver == NEA_SERVER ? PA_FROM_COLLECTOR : PA_FROM_VALIDATOR);
}

enum pa_error_code pa_attribute_decode(struct arena *a, struct pa_attribute *at, enum nea_role receiver,
                                       uint64_t accepts, struct nea_fault *f)
{
    const struct pa_type *type = pa_type_find(at->vendor, at->number);
    if (!pa_takes(type, receiver, accepts)) {
        if (at->flags & PA_NOSKIP) /* PA-R16, RFC 5792 §4.1 */
            return refuse(f, PA_TYPE_NOT_SUPPORTED, at->offset, "PA-R16", "RFC 5792 §4.1",
                          "unsupported NOSKIP attribute");
        if (type == &pa_types[PA_ATTRIBUTE_REQUEST] && receiver == NEA_CLIENT) /* PA-R23: even without NOSKIP */
            return refuse(f, PA_TYPE_NOT_SUPPORTED, at->offset, "PA-R23", "RFC 5792 §4.2.1",
                          "unsupported Attribute Request");
        return PA_OK; /* PA-R18: skipped */
    }
    void *fields = arena_alloc(a, type->shape->size);
    if (!fields)
        return refuse(f, PA_DROP, at->offset, "PA-L1", "own limit", "message larger than its memory bound");
    struct in in = {.p = at->value.p, .end = at->value.p + at->value.n};
    if (!decode_value(type, &in, fields)) {
        size_t offset = in.bad ? at->offset + PA_ATTRIBUTE_HEADER + (size_t)(in.bad - at->value.p) : at->offset + 8;
        nea_fault_set(f, PA_INVALID_PARAMETER, offset, type->rule, type->section, "malformed %s at octet %zu (%s, %s)",
                      type->name, offset, type->rule, type->section);
        return PA_INVALID_PARAMETER;
    }
    at->type = type;
    at->fields = fields;
    return PA_OK;
}

enum pa_error_code pa_message_decode(struct arena *a, struct bytes message, enum nea_role receiver,
                                     struct pa_message *out, struct nea_fault *fault)
{
    return pa_message_decode_for(a, message, receiver, 0, out, fault);
}

enum pa_error_code pa_message_decode_for(struct arena *a, struct bytes message, enum nea_role receiver,
                                         uint64_t accepts, struct pa_message *out, struct nea_fault *fault)
{
    *fault = (struct nea_fault){0};
    *out = (struct pa_message){0};
    if (message.n < PA_MESSAGE_HEADER)
        return refuse(fault, PA_DROP, 0, "PA-R6", "RFC 5792 §3.6", "message below 8 octets");
    struct rd r = rd_of(message, 0);
    memcpy(out->reserved, rd_take(&r, 4).p, 4);
    out->id = rd_u32(&r);
    if (out->reserved[0] != 1) /* PA-R9, RFC 5792 §3.6 */
        return refuse(fault, PA_VERSION_NOT_SUPPORTED, 0, "PA-R9", "RFC 5792 §3.6", "unsupported PA-TNC version");

    /* PA-R17: everything is looked at before anything is acted on. The first pass counts, up to the first broken frame.
     */
    struct pa_attribute at;
    struct nea_fault framing;
    bool is_error = false;
    size_t count = 0;
    for (struct rd peek = r; rd_more(&peek); count++) {
        bool broken = pa_attribute_frame(&peek, &at, &is_error, &framing) != PA_OK;
        out->has_error |= is_error;
        if (broken)
            break;
    }
    out->attributes = arena_zalloc(a, count, sizeof *out->attributes);
    if (!out->attributes)
        return refuse(fault, PA_DROP, 8, "PA-L1", "own limit", "message larger than its memory bound");
    while (rd_more(&r)) { /* PA-R3, R13, R14, RFC 5792 §4: any number, all in the format of this version */
        enum pa_error_code code = pa_attribute_frame(&r, &at, &is_error, fault);
        if (code == PA_OK)
            code = pa_attribute_decode(a, &at, receiver, accepts, fault);
        if (code != PA_OK) {
            out->count = 0;
            return code;
        }
        out->attributes[out->count++] = at;
    }
    return PA_OK;
}

/* ---- encoding ---- */

/* PA-R1, RFC 5792 §1.2, SWIMA-R99, RFC 8412 §5.3: in the order of the table, numbers in network order. PA-R48: what a
 * field means is its owner's. */
static void encode_shape(struct wr *w, const struct pa_shape *shape, const void *in)
{
    for (const struct pa_field *f = shape->fields, *last = f + shape->count; f < last; f++) {
        const void *from = (const uint8_t *)in + f->at;
        const struct bytes *b = from;
        const struct pa_list *list = from;
        switch ((enum pa_kind)f->kind) {
        case KIND_U8:
        case KIND_CODE8:
        case KIND_MASK8:
            wr_u8(w, *(const uint8_t *)from);
            break;
        case KIND_U16:
            wr_u16(w, *(const uint16_t *)from);
            break;
        case KIND_U24:
            wr_u24(w, *(const uint32_t *)from);
            break;
        case KIND_U32:
            wr_u32(w, *(const uint32_t *)from);
            break;
        case KIND_RESERVED:
            wr_zero(w, f->argument);
            break;
        case KIND_FIXED:
            if (b->n != f->argument)
                w->bad = true;
            wr_bytes(w, *b);
            break;
        case KIND_TEXT8:
            wr_u8(w, b->n);
            wr_bytes(w, *b);
            break;
        case KIND_STR16:
            wr_u16(w, b->n);
            wr_bytes(w, *b);
            break;
        case KIND_STR32:
            wr_u32(w, b->n);
            wr_bytes(w, *b);
            break;
        case KIND_REST:
            wr_bytes(w, *b);
            break;
        case KIND_COUNT8:
            wr_u8(w, list->count);
            break;
        case KIND_COUNT16:
            wr_u16(w, list->count);
            break;
        case KIND_COUNT24:
            wr_u24(w, list->count);
            break;
        case KIND_COUNT32:
            wr_u32(w, list->count);
            break;
        case KIND_LIST:
        case KIND_ITEMS:
            wr_bytes(w, list->raw);
            break;
        case KIND_NOTHING:
            break;
        }
    }
}

void pa_item_put(struct wr *w, const struct pa_type *type, const void *item)
{
    encode_shape(w, type->shape->item, item);
}

void pa_message_put(struct wr *w, uint32_t id)
{
    wr_u8(w, 1); /* PA-R7, R8, RFC 5792 §3.6 */
    wr_u24(w, 0);
    wr_u32(w, id);
}

void pa_attribute_put(struct wr *w, const struct pa_type *type, uint8_t flags, const void *fields)
{
    size_t start = w->n;
    wr_u8(w, flags);
    wr_u24(w, type->vendor);
    wr_u32(w, type->number);
    size_t length = wr_hole(w, 4);
    encode_shape(w, type->shape, fields);
    wr_patch32(w, length, w->n - start);
}

size_t pa_error_information(uint8_t out[PA_ERROR_INFORMATION], struct bytes head, struct bytes message,
                            const struct nea_fault *fault, size_t base)
{
    struct wr w = wr_of(PA_ERROR_INFORMATION);
    wr_bytes(&w,
             (struct bytes){head.p, PA_MESSAGE_HEADER}); /* PA-R37, RFC 5792 §4.2.8: a copy, reserved octets and all */
    if (fault->code == PA_INVALID_PARAMETER) {
        wr_u32(&w, fault->offset - base);
    } else if (fault->code == PA_VERSION_NOT_SUPPORTED) {
        wr_u8(&w, 1); /* PA-R38: our highest and lowest version */
        wr_u8(&w, 1);
        wr_u16(&w, 0);
    } else if (fault->offset <= message.n && message.n - fault->offset >= 8) {
        wr_bytes(&w, (struct bytes){message.p + fault->offset, 8}); /* flags, vendor, type */
    }
    size_t n = wr_view(&w).n;
    if (n)
        memcpy(out, w.p, n);
    wr_free(&w);
    return n;
}

void pa_error_put(struct wr *w, struct bytes message, const struct nea_fault *fault)
{
    uint8_t information[PA_ERROR_INFORMATION];
    struct pa_error e = {.vendor_id = PEN_IETF, .code = fault->code};
    if (message.n < PA_MESSAGE_HEADER || fault->code < PA_INVALID_PARAMETER || fault->code > PA_TYPE_NOT_SUPPORTED)
        bug("no PA-TNC Error can answer code %u", fault->code);
    e.information = (struct bytes){information, pa_error_information(information, message, message, fault, 0)};
    pa_attribute_put(w, &pa_types[PA_ERROR], 0, &e);
}

/* ---- JSON ---- */

static void hex_json(struct json *j, const char *key, struct bytes b)
{
    json_object_begin(j, key);
    json_hex(j, "hex", b);
    json_object_end(j);
}

void nea_bytes_json(struct json *j, const char *key, struct bytes b)
{
    bool text = utf8_valid(b);
    for (size_t i = 0; text && i < b.n; i++)
        text = b.p[i] >= 0x20 || b.p[i] == '\n' || b.p[i] == '\t' || b.p[i] == '\r';
    if (text)
        json_text(j, key, b);
    else
        hex_json(j, key, b);
}

static void shape_json(struct json *j, const struct pa_shape *shape, const void *in);

static void list_json(struct json *j, const char *key, const struct pa_type *owner, struct bytes rest)
{
    union {
        PA_ATTRIBUTES(PA_ITEM_UNION)
    } item;
    json_array_begin(j, key);
    while (pa_list_next(owner, &rest, &item)) {
        json_object_begin(j, NULL);
        shape_json(j, owner->shape->item, &item);
        json_object_end(j);
    }
    json_array_end(j);
}

static void shape_json(struct json *j, const struct pa_shape *shape, const void *in)
{
    for (const struct pa_field *f = shape->fields, *last = f + shape->count; f < last; f++) {
        const void *from = (const uint8_t *)in + f->at;
        switch ((enum pa_kind)f->kind) {
        case KIND_U8:
        case KIND_CODE8:
        case KIND_MASK8:
            json_number(j, f->name, *(const uint8_t *)from);
            break;
        case KIND_U16:
            json_number(j, f->name, *(const uint16_t *)from);
            break;
        case KIND_U24:
        case KIND_U32:
            json_number(j, f->name, *(const uint32_t *)from);
            break;
        case KIND_FIXED:
        case KIND_TEXT8:
        case KIND_STR16:
        case KIND_STR32:
        case KIND_REST:
            nea_bytes_json(j, f->name, *(const struct bytes *)from);
            break;
        case KIND_LIST:
        case KIND_ITEMS:
            list_json(j, f->name, &pa_types[f->argument], ((const struct pa_list *)from)->raw);
            break;
        case KIND_RESERVED:
        case KIND_COUNT8:
        case KIND_COUNT16:
        case KIND_COUNT24:
        case KIND_COUNT32:
        case KIND_NOTHING:
            break;
        }
    }
}

void pa_attribute_members(struct json *j, const struct pa_attribute *at)
{
    const struct pa_type *known = pa_type_find(at->vendor, at->number); /* also where its value was refused */
    json_number(j, "vendor", at->vendor);
    json_number(j, "type", at->number);
    json_str(j, "name", known ? known->name : NULL);
    json_bool(j, "noskip", at->flags & PA_NOSKIP);
    json_number(j, "offset", (int64_t)at->offset);
    if (at->type) {
        json_object_begin(j, "value");
        shape_json(j, at->type->shape, at->fields);
        json_object_end(j);
    } else {
        hex_json(j, "value", at->value);
    }
}

void pa_attribute_json(struct json *j, const struct pa_attribute *at)
{
    json_object_begin(j, NULL);
    pa_attribute_members(j, at);
    json_object_end(j);
}

const char *nea_result_name(enum nea_result r)
{
    static const char *const names[] = {"compliant", "minor non-compliance", "major non-compliance", "error",
                                        "don't know"};
    return (size_t)r < ARRAY_LENGTH(names) ? names[r] : "unknown";
}

const char *nea_access_name(enum nea_access a)
{
    static const char *const names[] = {"none", "allowed", "denied", "quarantined"};
    return (size_t)a < ARRAY_LENGTH(names) ? names[a] : "unknown";
}
