/* Reads CoSWID (RFC 9393) where it lies, without a tree: one pass holds it to CBOR and to its bounds, then each map is
 * walked for its attributes and for where its children stand, and then these are read. Declared lengths reserve
 * nothing. */
#include "swid/model.h"

#include <cbor.h>
#include <string.h>

enum {
    NESTING_MAX = 3 * SWID_DEPTH_MAX + 8, /* a directory takes a list and two maps */
    TAGS_MAX = 3,
    PATH_ELEMENTS = 26,
    TAG_SWID = 1398229316,
    TAG_TIME = 1,
    TAG_URI = 32,
    ITEMS_AN_OCTET = 16, /* how often an octet may be looked at: levels pass over what is below them once each */
    ITEMS_FREE = 1 << 16,
};

enum kind { END, UINT, NEGINT, OCTETS, TEXT, ARRAY, MAP, TAG, BOOL, OTHER, BREAK, OPEN_STRING };
struct item {
    enum kind kind;
    uint64_t number; /* of an integer, a tag, a list: its items; a Boolean */
    bool open;       /* a list that a break ends */
    struct bytes text;
};

struct decoding {
    struct bytes all;
    size_t at;
    uint64_t items_left;
    struct swid_sink *to;
    enum swid_status status;
    const char *why;
    size_t bad_at;
    unsigned depth; /* of elements */
};

static void fail(struct decoding *d, enum swid_status status, const char *why)
{
    if (d->status == SWID_OK) {
        d->status = status;
        d->why = why;
        d->bad_at = d->at;
    }
    d->at = d->all.n;
}

/* ---- items
 * ----------------------------------------------------------------------------------------------------------------- */

static void take(void *context, enum kind kind, uint64_t number, bool open)
{
    *(struct item *)context = (struct item){.kind = kind, .number = number, .open = open};
}
static void take_text(void *context, enum kind kind, cbor_data p, size_t n)
{
    *(struct item *)context = (struct item){.kind = kind, .text = {n ? p : (cbor_data) "", n}};
}
#define TAKE(name, type, kind)                                                                                         \
    static void name(void *context, type number)                                                                       \
    {                                                                                                                  \
        take(context, kind, number, false);                                                                            \
    }
TAKE(take_uint8, uint8_t, UINT)
TAKE(take_uint16, uint16_t, UINT)
TAKE(take_uint32, uint32_t, UINT)
TAKE(take_uint64, uint64_t, UINT)
TAKE(take_negint8, uint8_t, NEGINT)
TAKE(take_negint16, uint16_t, NEGINT)
TAKE(take_negint32, uint32_t, NEGINT)
TAKE(take_negint64, uint64_t, NEGINT)
TAKE(take_array, size_t, ARRAY)
TAKE(take_map, size_t, MAP)
TAKE(take_tag, uint64_t, TAG)
TAKE(take_bool, bool, BOOL)
#define TAKE_NONE(name, kind, open)                                                                                    \
    static void name(void *context)                                                                                    \
    {                                                                                                                  \
        take(context, kind, 0, open);                                                                                  \
    }
TAKE_NONE(take_open_array, ARRAY, true)
TAKE_NONE(take_open_map, MAP, true)
TAKE_NONE(take_open_string, OPEN_STRING, false)
TAKE_NONE(take_other, OTHER, false)
TAKE_NONE(take_break, BREAK, false)
static void take_float(void *context, float number)
{
    (void)number;
    take(context, OTHER, 0, false);
}
static void take_double(void *context, double number)
{
    (void)number;
    take(context, OTHER, 0, false);
}
static void take_octets(void *context, cbor_data p, size_t n)
{
    take_text(context, OCTETS, p, n);
}
static void take_string(void *context, cbor_data p, size_t n)
{
    take_text(context, TEXT, p, n);
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

/* The next item's head (and text); END once something has failed. */
static struct item next(struct decoding *d)
{
    struct item item = {.kind = END};
    if (d->status != SWID_OK)
        return item;
    if (d->items_left-- == 0) {
        fail(d, SWID_MALFORMED, "it takes too much work to read");
        d->items_left = 0;
        return item;
    }
    uint8_t first = d->at < d->all.n ? d->all.p[d->at] : 0;
    if (first >= 0xc6 && first <= 0xd4) { /* libcbor takes tags 6 to 20, COSE's 18 among them, for errors */
        d->at++;
        return (struct item){.kind = TAG, .number = first & 31};
    }
    struct cbor_decoder_result r = cbor_stream_decode(d->all.p + d->at, d->all.n - d->at, &callbacks, &item);
    if (r.status == CBOR_DECODER_FINISHED)
        d->at += r.read;
    else
        fail(d, SWID_MALFORMED, r.status == CBOR_DECODER_NEDATA ? "it ends too early" : "it is no CBOR");
    return d->status == SWID_OK ? item : (struct item){.kind = END};
}

/* How many items of a list are still to come; break ends an open one. */
struct list {
    uint64_t left;
    bool open;
};
static bool more(struct decoding *d, struct list *l)
{
    if (d->status != SWID_OK)
        return false;
    if (!l->open)
        return l->left && l->left--;
    if (d->at < d->all.n && d->all.p[d->at] == 0xff) {
        d->at++;
        *l = (struct list){0, false};
        return false;
    }
    return true;
}

/* Passes over one item with all that it holds; a tag counts as a level. */
static void skip(struct decoding *d, unsigned level)
{
    struct item item = next(d);
    struct list l = {item.number, item.open};
    if (level > NESTING_MAX)
        fail(d, SWID_MALFORMED, "its items are nested too deeply");
    switch (item.kind) {
    case ARRAY:
    case MAP:
        while (more(d, &l)) {
            skip(d, level + 1);
            if (item.kind == MAP)
                skip(d, level + 1);
        }
        break;
    case TAG:
        skip(d, level + 1);
        break;
    case TEXT:
        if (!utf8_valid(item.text))
            fail(d, SWID_MALFORMED, "a text is no UTF-8");
        break;
    case BREAK:
        fail(d, SWID_MALFORMED, "a break stands outside of a list");
        break;
    case OPEN_STRING:
        fail(d, SWID_MALFORMED, "a string comes in pieces");
        break;
    default:
        break;
    }
}

/* ---- values
 * ------------------------------------------------------------------------------------------------------------------ */

/* An element that is being read: what its map says and where its children stand. */
struct reading {
    struct swid_node node;
    struct arena arena;
    size_t child[SWID_ELEMENTS]; /* 0: none */
    uint64_t keys;               /* seen, a bit a key */
};

static void keep_text(struct decoding *d, struct reading *r, const struct swid_row *row, struct bytes v)
{
    if (r->node.value[row->attribute].p)
        fail(d, SWID_MALFORMED, "a key stands twice in a map");
    else
        r->node.value[row->attribute] = v;
}

static void keep(struct decoding *d, struct reading *r, const struct swid_row *row, struct wr *w)
{
    struct bytes copy = arena_copy(&r->arena, wr_view(w));
    if (w->bad || !copy.p)
        fail(d, SWID_NO_MEMORY, "out of memory");
    else
        keep_text(d, r, row, copy);
    wr_free(w);
}

static bool put_number(struct wr *w, struct item item)
{
    if ((item.kind != UINT && item.kind != NEGINT) || (item.kind == NEGINT && item.number >= INT64_MAX))
        return false;
    wr_fmt(w, "%s%llu", item.kind == NEGINT ? "-" : "", (unsigned long long)item.number + (item.kind == NEGINT));
    return true;
}

static bool put_code(struct wr *w, enum swid_type type, struct item item)
{
    if (item.kind == TEXT) {
        int number = swid_code_number(type, item.text); /* of two spellings the first */
        swid_put_clean(w, number ? bytes_of(swid_code_word(type, number)) : item.text, true);
        return true;
    }
    const char *word =
        item.kind == UINT && item.number <= INT16_MAX ? swid_code_word(type, (int64_t)item.number) : NULL;
    if (word)
        wr_str(w, word);
    return word || put_number(w, item);
}

/* Each appends the value as XML spells it, or says that the item is not of its type. */
static bool get_text(struct decoding *d, struct wr *w, const struct swid_row *row)
{
    struct item item = next(d);
    (void)row;
    if (item.kind == TAG && item.number == TAG_URI) /* the CDDL's any-uri; what is in use has no tag */
        item = next(d);
    wr_bytes(w, item.text);
    return item.kind == TEXT;
}

static bool get_id(struct decoding *d, struct wr *w, const struct swid_row *row)
{
    struct item item = next(d);
    (void)row;
    if (item.kind == OCTETS && item.text.n == 16) {
        wr_str(w, "urn:uuid:");
        for (size_t i = 0; i < 16; i++) {
            if (i == 4 || i == 6 || i == 8 || i == 10)
                wr_u8(w, '-');
            swid_put_hex(w, (struct bytes){item.text.p + i, 1});
        }
        return true;
    }
    wr_bytes(w, item.text);
    return item.kind == TEXT;
}

static bool get_bool(struct decoding *d, struct wr *w, const struct swid_row *row)
{
    struct item item = next(d);
    (void)row;
    wr_str(w, item.number ? "true" : "false");
    return item.kind == BOOL;
}

static bool get_int(struct decoding *d, struct wr *w, const struct swid_row *row)
{
    (void)row;
    return put_number(w, next(d));
}

static bool get_time(struct decoding *d, struct wr *w, const struct swid_row *row)
{
    struct item tag = next(d), item = {.kind = END};
    char text[TIME_TEXT];
    (void)row;
    if (tag.kind == TAG && tag.number == TAG_TIME)
        item = next(d);
    if ((item.kind != UINT && item.kind != NEGINT) || item.number > INT64_MAX)
        return false;
    time_format(item.kind == UINT ? (int64_t)item.number : -1 - (int64_t)item.number, text);
    wr_str(w, text);
    return true;
}

static bool get_code(struct decoding *d, struct wr *w, const struct swid_row *row)
{
    return put_code(w, row->type, next(d));
}

static bool get_roles(struct decoding *d, struct wr *w, const struct swid_row *row)
{
    struct item item = next(d);
    struct list l = {item.number, item.open};
    if (item.kind != ARRAY)
        return put_code(w, row->type, item);
    while (more(d, &l)) {
        if (w->n)
            wr_u8(w, ' ');
        if (!put_code(w, row->type, next(d)))
            return false;
    }
    return true;
}

/* [algorithm, octets]; *number is the algorithm's. */
static bool get_digest(struct decoding *d, struct wr *w, uint64_t *number)
{
    struct item list = next(d), algorithm = next(d), octets = next(d);
    if (list.kind != ARRAY || (!list.open && list.number != 2) || octets.kind != OCTETS ||
        (algorithm.kind != UINT && algorithm.kind != NEGINT) || (list.open && more(d, &(struct list){0, true})))
        return false;
    swid_put_hex(w, octets.text);
    *number = algorithm.kind == UINT ? algorithm.number : 0;
    return true;
}

static bool get_thumbprint(struct decoding *d, struct wr *w, const struct swid_row *row)
{
    uint64_t number;
    (void)row;
    return get_digest(d, w, &number);
}

static bool (*const get_value[TYPE_COUNT])(struct decoding *d, struct wr *w, const struct swid_row *row) = {
    [TYPE_TEXT] = get_text,  [TYPE_OCTETS] = get_text, [TYPE_ID] = get_id,       [TYPE_BOOL] = get_bool,
    [TYPE_INT] = get_int,    [TYPE_TIME] = get_time,   [TYPE_SCHEME] = get_code, [TYPE_OWNERSHIP] = get_code,
    [TYPE_REL] = get_code,   [TYPE_USE] = get_code,    [TYPE_ROLES] = get_roles, [TYPE_THUMBPRINT] = get_thumbprint,
    [TYPE_EVENT] = get_text,
};

/* One key for all algorithms: the number tells which attribute it is. Of one that SWID has no name for nothing is kept.
 */
static void read_hash(struct decoding *d, struct reading *r, const struct swid_row *row)
{
    struct wr w = wr_of(0);
    uint64_t number = 0;
    if (!get_digest(d, &w, &number))
        fail(d, SWID_MALFORMED, "a value is not of its key's type");
    for (size_t i = 0; i < SWID_HASHES; i++)
        if (number && swid_hashes[i].number == number) {
            struct swid_row named = *row;
            named.attribute = swid_hashes[i].attribute;
            keep(d, r, &named, &w);
        }
    wr_free(&w);
}

static void read_value(struct decoding *d, struct reading *r, const struct swid_row *row)
{
    struct wr w = wr_of(0);
    if (row->type == TYPE_HASH) {
        read_hash(d, r, row);
        return;
    }
    if (get_value[row->type](d, &w, row)) {
        keep(d, r, row, &w);
        return;
    }
    fail(d, SWID_MALFORMED, "a value is not of its key's type");
    wr_free(&w);
}

/* Under an attribute's XML name: what has no key, or did not fit it. */
static void read_labelled(struct decoding *d, struct reading *r, const struct swid_row *row)
{
    size_t at = d->at;
    struct wr w = wr_of(0);
    struct item item = next(d);
    if (item.kind == TEXT)
        wr_bytes(&w, item.text);
    else if (item.kind == BOOL)
        wr_str(&w, item.number ? "true" : "false");
    else if (!put_number(&w, item)) {
        d->at = d->status == SWID_OK ? at : d->at;
        skip(d, 0);
        wr_free(&w);
        return;
    }
    keep(d, r, row, &w);
}

/* ---- maps
 * ----------------------------------------------------------------------------------------------------------------------
 */

static const struct swid_row *row_of(enum swid_element element, struct item key)
{
    const struct swid_element_row *e = &swid_elements[element];
    char name[40];
    for (const struct swid_row *r = e->rows; r < e->rows + e->count; r++)
        if (key.kind == UINT ? r->key != NO_KEY && key.number == (uint64_t)r->key
                             : bytes_equal(swid_qualified(r, name), key.text))
            return r;
    return NULL;
}

static enum swid_element child_of(enum swid_element parent, uint64_t key)
{
    for (enum swid_element e = 0; e < SWID_ELEMENTS; e++)
        if (swid_may_hold(parent, e) && swid_elements[e].key == key)
            return e;
    return SWID_ELEMENTS;
}

static void note_child(struct decoding *d, struct reading *r, enum swid_element child)
{
    if (r->child[child])
        fail(d, SWID_MALFORMED, "a key stands twice in a map");
    r->child[child] = d->at;
    skip(d, 0);
}

static void read_pair(struct decoding *d, struct reading *r, bool within);

static void read_path_elements(struct decoding *d, struct reading *r)
{
    struct item map = next(d);
    struct list l = {map.number, map.open};
    if (map.kind != MAP)
        fail(d, SWID_MALFORMED, "path-elements is no map");
    while (more(d, &l))
        read_pair(d, r, true);
}

/* CW-R10, RFC 9393 §2.5: what nobody knows is passed over. `within`: path-elements, which hold nothing but children. */
static void read_pair(struct decoding *d, struct reading *r, bool within)
{
    enum swid_element element = r->node.element;
    struct item key = next(d);
    bool own = !within && (key.kind == UINT || key.kind == TEXT);
    uint64_t bit = own && key.kind == UINT && key.number < 64 ? (uint64_t)1 << key.number : 0;
    if (r->keys & bit)
        fail(d, SWID_MALFORMED, "a key stands twice in a map");
    r->keys |= bit;
    const struct swid_row *row = own ? row_of(element, key) : NULL;
    enum swid_element child =
        key.kind == UINT && (within || element != SWID_DIRECTORY) ? child_of(element, key.number) : SWID_ELEMENTS;
    if (key.kind != UINT && key.kind != NEGINT && key.kind != TEXT)
        fail(d, SWID_MALFORMED, "a key is neither a number nor a text");
    else if (child != SWID_ELEMENTS)
        note_child(d, r, child);
    else if (element == SWID_DIRECTORY && !within && key.kind == UINT && key.number == PATH_ELEMENTS)
        read_path_elements(d, r);
    else if (!row)
        skip(d, 0);
    else if (key.kind == UINT)
        read_value(d, r, row);
    else
        read_labelled(d, r, row);
}

/* Reads the map at d->at, whose children are still to come. */
static void read_map(struct decoding *d, struct reading *r, enum swid_element element)
{
    struct item map = next(d);
    struct list l = {map.number, map.open};
    arena_reset(&r->arena);
    memset(&r->node, 0, sizeof r->node);
    memset(r->child, 0, sizeof r->child);
    r->keys = 0;
    r->node.element = element;
    if (map.kind != MAP)
        fail(d, SWID_MALFORMED, "an element is no map");
    while (more(d, &l))
        read_pair(d, r, false);
    if (d->status == SWID_OK && !swid_node_normalise(&r->node, &r->arena))
        fail(d, SWID_NO_MEMORY, "out of memory");
}

/* ---- elements
 * --------------------------------------------------------------------------------------------------------------------
 */

/* One or more elements of a kind (CW-R1): the one that is read but not handed over yet, and where the next one stands.
 */
struct siblings {
    enum swid_element element;
    struct list left;
    size_t at;
    bool full;
    struct reading r;
};

static void advance(struct decoding *d, struct siblings *s)
{
    d->at = d->status == SWID_OK ? s->at : d->at;
    s->full = more(d, &s->left);
    if (s->full)
        read_map(d, &s->r, s->element);
    s->at = d->at;
    s->full = s->full && d->status == SWID_OK;
}

static void begin(struct decoding *d, struct siblings *s, enum swid_element element, size_t at)
{
    memset(s, 0, sizeof *s);
    s->element = element;
    s->r.arena = arena_of(SWID_READ_MAX);
    if (!at || d->status != SWID_OK)
        return;
    d->at = at;
    struct item item = next(d);
    s->left = item.kind == ARRAY ? (struct list){item.number, item.open} : (struct list){1, false};
    s->at = item.kind == ARRAY ? d->at : at;
    advance(d, s);
}

static void hand_over(struct decoding *d, struct reading *r);

/* Files with a root of their own come before directories; in a directory both come in the order of their names, as they
 * stood in a tag whose lists are sorted. */
static struct siblings *first_of(struct siblings *a, struct siblings *b)
{
    if (!a->full || !b->full)
        return a->full ? a : b;
    if (b->r.node.value[SWID_ROOT].p)
        return b;
    return bytes_compare(a->r.node.value[SWID_NAME], b->r.node.value[SWID_NAME]) < 0 ? a : b;
}

static void hand_over_children(struct decoding *d, const size_t *child, enum swid_element one, enum swid_element other)
{
    struct siblings a, b;
    begin(d, &a, one, child[one]);
    begin(d, &b, other, one == other ? 0 : child[other]);
    while (d->status == SWID_OK && (a.full || b.full)) {
        struct siblings *s = first_of(&a, &b);
        hand_over(d, &s->r);
        advance(d, s);
    }
    arena_free(&a.r.arena);
    arena_free(&b.r.arena);
}

static void hand_over(struct decoding *d, struct reading *r)
{
    enum swid_element element = r->node.element;
    if (d->depth++ == SWID_DEPTH_MAX) {
        fail(d, SWID_MALFORMED, "its directories are nested too deeply");
        return;
    }
    d->to->open(d->to, &r->node);
    for (enum swid_element e = 0; e < SWID_ELEMENTS && d->status == SWID_OK && d->to->failed == SWID_OK; e++)
        if (e != SWID_FILE && (r->child[e] || (e == SWID_DIRECTORY && r->child[SWID_FILE])))
            hand_over_children(d, r->child, e, e == SWID_DIRECTORY ? SWID_FILE : e);
    d->depth--;
    if (d->status == SWID_OK && d->to->failed == SWID_OK)
        d->to->close(d->to, element);
    if (d->to->failed != SWID_OK)
        fail(d, d->to->failed, "it cannot be taken any further");
}

/* CW-R9, RFC 9393 §8: bare or tagged; the tag of anything else is another format. */
static void read_root(struct decoding *d)
{
    struct siblings root;
    size_t at = 0;
    skip(d, 0);
    if (d->status == SWID_OK && d->at != d->all.n)
        fail(d, SWID_MALFORMED, "something follows it");
    d->at = d->status == SWID_OK ? 0 : d->at;
    struct item item = next(d);
    for (unsigned tags = 0; item.kind == TAG; tags++) {
        if (item.number != TAG_SWID || tags == TAGS_MAX)
            fail(d, SWID_OTHER_MODEL,
                 item.number == 18 || item.number == 98 ? "it is signed (COSE)" : "it is another CBOR format");
        at = d->at;
        item = next(d);
    }
    if (d->status == SWID_OK && item.kind != MAP)
        fail(d, SWID_OTHER_MODEL, "it is CBOR, but no map");
    if (d->status != SWID_OK)
        return;
    d->at = at;
    memset(&root, 0, sizeof root);
    root.r.arena = arena_of(SWID_READ_MAX);
    read_map(d, &root.r, SWID_IDENTITY);
    if (d->status == SWID_OK)
        hand_over(d, &root.r);
    arena_free(&root.r.arena);
}

enum swid_status swid_coswid_read(struct bytes cbor, struct swid_sink *to, struct error *error)
{
    struct decoding d = {.all = cbor, .items_left = ITEMS_FREE + (uint64_t)cbor.n * ITEMS_AN_OCTET, .to = to};
    if (cbor.n > SWID_READ_MAX) {
        error_set(error, "a tag of %zu octets is larger than %d", cbor.n, SWID_READ_MAX);
        return SWID_TOO_LARGE;
    }
    read_root(&d);
    if (d.status != SWID_OK)
        error_set(error, "no usable tag: %s (octet %zu)", d.why, d.bad_at);
    return d.status;
}

/* XML begins with "<", a blank, or a byte order mark; no map and no tag of CBOR does. */
bool swid_is_xml(struct bytes octets)
{
    return octets.n && (memchr("<\xef\xfe\xff \t\r\n", octets.p[0], 8) || (octets.n > 1 && octets.p[0] == 0));
}

enum swid_status swid_read(struct bytes octets, struct swid_sink *to, struct error *error)
{
    if (!swid_is_xml(octets))
        return swid_coswid_read(octets, to, error);
    enum swid_status status = swid_xml_read(octets, to, error);
    if (status != SWID_OTHER_MODEL)
        return status;
    error->text[0] = 0;
    return swid_2009_read(octets, to, error);
}
