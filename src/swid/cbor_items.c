/* Heads of CBOR items are libcbor's business; what it takes for errors, bounds and lists are ours. */
#include "swid/cbor_items.h"

#include <cbor.h>

enum {
    NESTING_MAX = 3 * SWID_DEPTH_MAX + 8, /* a directory takes a list and two maps */
    ITEMS_AN_OCTET = 16, /* how often an octet may be looked at: levels pass over what is below them once each */
    ITEMS_FREE = 1 << 16,
};

struct swid_cbor swid_cbor_of(struct bytes all)
{
    return (struct swid_cbor){.all = all, .items_left = ITEMS_FREE + (uint64_t)all.n * ITEMS_AN_OCTET};
}

void swid_cbor_fail(struct swid_cbor *d, enum swid_status status, const char *why)
{
    if (d->status == SWID_OK) {
        d->status = status;
        d->why = why;
        d->bad_at = d->at;
    }
    d->at = d->all.n;
}

static void take(void *context, enum swid_cbor_kind kind, uint64_t number, bool open)
{
    *(struct swid_cbor_item *)context = (struct swid_cbor_item){.kind = kind, .number = number, .open = open};
}
static void take_text(void *context, enum swid_cbor_kind kind, cbor_data p, size_t n)
{
    *(struct swid_cbor_item *)context = (struct swid_cbor_item){.kind = kind, .text = {n ? p : (cbor_data) "", n}};
}
#define TAKE(name, type, kind)                                                                                         \
    static void name(void *context, type number)                                                                       \
    {                                                                                                                  \
        take(context, kind, number, false);                                                                            \
    }
TAKE(take_uint8, uint8_t, CBOR_UINT)
TAKE(take_uint16, uint16_t, CBOR_UINT)
TAKE(take_uint32, uint32_t, CBOR_UINT)
TAKE(take_uint64, uint64_t, CBOR_UINT)
TAKE(take_negint8, uint8_t, CBOR_NEGINT)
TAKE(take_negint16, uint16_t, CBOR_NEGINT)
TAKE(take_negint32, uint32_t, CBOR_NEGINT)
TAKE(take_negint64, uint64_t, CBOR_NEGINT)
TAKE(take_array, size_t, CBOR_ARRAY)
TAKE(take_map, size_t, CBOR_MAP)
TAKE(take_tag, uint64_t, CBOR_TAG)
TAKE(take_bool, bool, CBOR_BOOL)
#define TAKE_NONE(name, kind, open)                                                                                    \
    static void name(void *context)                                                                                    \
    {                                                                                                                  \
        take(context, kind, 0, open);                                                                                  \
    }
TAKE_NONE(take_open_array, CBOR_ARRAY, true)
TAKE_NONE(take_open_map, CBOR_MAP, true)
TAKE_NONE(take_open_string, CBOR_OPEN_STRING, false)
TAKE_NONE(take_other, CBOR_OTHER, false)
TAKE_NONE(take_break, CBOR_BREAK, false)
static void take_float(void *context, float number)
{
    (void)number;
    take(context, CBOR_OTHER, 0, false);
}
static void take_double(void *context, double number)
{
    (void)number;
    take(context, CBOR_OTHER, 0, false);
}
static void take_octets(void *context, cbor_data p, size_t n)
{
    take_text(context, CBOR_OCTETS, p, n);
}
static void take_string(void *context, cbor_data p, size_t n)
{
    take_text(context, CBOR_TEXT, p, n);
}
static const struct cbor_callbacks callbacks = {
    .uint8 = take_uint8,
    .uint16 = take_uint16,
    .uint32 = take_uint32,
    .uint64 = take_uint64,
    .negint8 = take_negint8,
    .negint16 = take_negint16,
    .negint32 = take_negint32,
    .negint64 = take_negint64,
    .byte_string = take_octets,
    .byte_string_start = take_open_string,
    .string = take_string,
    .string_start = take_open_string,
    .array_start = take_array,
    .indef_array_start = take_open_array,
    .map_start = take_map,
    .indef_map_start = take_open_map,
    .tag = take_tag,
    .float2 = take_float,
    .float4 = take_float,
    .float8 = take_double,
    .boolean = take_bool,
    .null = take_other,
    .undefined = take_other,
    .indef_break = take_break,
};

struct swid_cbor_item swid_cbor_next(struct swid_cbor *d)
{
    struct swid_cbor_item item = {.kind = CBOR_END};
    if (d->status != SWID_OK)
        return item;
    if (d->items_left-- == 0) {
        swid_cbor_fail(d, SWID_MALFORMED, "it takes too much work to read");
        d->items_left = 0;
        return item;
    }
    uint8_t first = d->at < d->all.n ? d->all.p[d->at] : 0;
    if (first >= 0xc6 && first <= 0xd4) { /* libcbor takes tags 6 to 20, COSE's 18 among them, for errors */
        d->at++;
        return (struct swid_cbor_item){.kind = CBOR_TAG, .number = first & 31};
    }
    struct cbor_decoder_result r = cbor_stream_decode(d->all.p + d->at, d->all.n - d->at, &callbacks, &item);
    d->ends_early = r.status == CBOR_DECODER_NEDATA;
    if (r.status == CBOR_DECODER_FINISHED)
        d->at += r.read;
    else
        swid_cbor_fail(d, SWID_MALFORMED, r.status == CBOR_DECODER_NEDATA ? "it ends too early" : "it is no CBOR");
    return d->status == SWID_OK ? item : (struct swid_cbor_item){.kind = CBOR_END};
}

bool swid_cbor_more(struct swid_cbor *d, struct swid_cbor_list *l)
{
    if (d->status != SWID_OK)
        return false;
    if (!l->open)
        return l->left && l->left--;
    if (d->at < d->all.n && d->all.p[d->at] == 0xff) {
        d->at++;
        *l = (struct swid_cbor_list){0, false};
        return false;
    }
    return true;
}

/* A tag counts as a level. */
void swid_cbor_skip(struct swid_cbor *d, unsigned level)
{
    struct swid_cbor_item item = swid_cbor_next(d);
    struct swid_cbor_list l = {item.number, item.open};
    if (level > NESTING_MAX)
        swid_cbor_fail(d, SWID_MALFORMED, "its items are nested too deeply");
    switch (item.kind) {
    case CBOR_ARRAY:
    case CBOR_MAP:
        while (swid_cbor_more(d, &l)) {
            swid_cbor_skip(d, level + 1);
            if (item.kind == CBOR_MAP)
                swid_cbor_skip(d, level + 1);
        }
        break;
    case CBOR_TAG:
        swid_cbor_skip(d, level + 1);
        break;
    case CBOR_TEXT:
        if (!utf8_valid(item.text))
            swid_cbor_fail(d, SWID_MALFORMED, "a text is no UTF-8");
        break;
    case CBOR_BREAK:
        swid_cbor_fail(d, SWID_MALFORMED, "a break stands outside of a list");
        break;
    case CBOR_OPEN_STRING:
        swid_cbor_fail(d, SWID_MALFORMED, "a string comes in pieces");
        break;
    default:
        break;
    }
}

#define PUT_HEAD(name, encode)                                                                                         \
    void swid_cbor_put_##name(struct wr *w, uint64_t n)                                                                \
    {                                                                                                                  \
        unsigned char head[9];                                                                                         \
        wr_bytes(w, (struct bytes){head, encode(n, head, sizeof head)});                                               \
    }
PUT_HEAD(uint, cbor_encode_uint)
PUT_HEAD(negint, cbor_encode_negint)
PUT_HEAD(bytes_head, cbor_encode_bytestring_start)
PUT_HEAD(text_head, cbor_encode_string_start)
PUT_HEAD(array_head, cbor_encode_array_start)
PUT_HEAD(map_head, cbor_encode_map_start)
PUT_HEAD(tag, cbor_encode_tag)
