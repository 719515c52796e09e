/* Reads CoSWID (RFC 9393) where it lies, without a tree: one pass holds it to CBOR and to its bounds, then each map is
 * walked for its attributes and for where its children stand, and then these are read. Declared lengths reserve
 * nothing. */
#include "swid/cbor_items.h"
#include "swid/model.h"

#include <string.h>

enum {
    TAGS_MAX = 3,
    PATH_ELEMENTS = 26,
    TAG_SWID = 1398229316,
    TAG_TIME = 1,
    TAG_URI = 32,
};

struct decoding {
    struct swid_cbor in;
    struct swid_sink *to;
    unsigned depth; /* of elements */
};

/* ---- values ------------------------------------------------------------------------------------------------------ */

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
        swid_cbor_fail(&d->in, SWID_MALFORMED, "a key stands twice in a map");
    else
        r->node.value[row->attribute] = v;
}

static void keep(struct decoding *d, struct reading *r, const struct swid_row *row, struct wr *w)
{
    struct bytes copy = arena_copy(&r->arena, wr_view(w));
    if (w->bad || !copy.p)
        swid_cbor_fail(&d->in, SWID_NO_MEMORY, "out of memory");
    else
        keep_text(d, r, row, copy);
    wr_free(w);
}

static bool put_number(struct wr *w, struct swid_cbor_item item)
{
    if ((item.kind != CBOR_UINT && item.kind != CBOR_NEGINT) || (item.kind == CBOR_NEGINT && item.number >= INT64_MAX))
        return false;
    wr_fmt(w, "%s%llu", item.kind == CBOR_NEGINT ? "-" : "",
           (unsigned long long)item.number + (item.kind == CBOR_NEGINT));
    return true;
}

static bool put_code(struct wr *w, enum swid_type type, struct swid_cbor_item item)
{
    if (item.kind == CBOR_TEXT) {
        int number = swid_code_number(type, item.text); /* of two spellings the first */
        swid_put_clean(w, number ? bytes_of(swid_code_word(type, number)) : item.text, true);
        return true;
    }
    const char *word =
        item.kind == CBOR_UINT && item.number <= INT16_MAX ? swid_code_word(type, (int64_t)item.number) : NULL;
    if (word)
        wr_str(w, word);
    return word || put_number(w, item);
}

/* Each appends the value as XML spells it, or says that the item is not of its type. */
static bool get_text(struct decoding *d, struct wr *w, const struct swid_row *row)
{
    struct swid_cbor_item item = swid_cbor_next(&d->in);
    (void)row;
    if (item.kind == CBOR_TAG && item.number == TAG_URI) /* the CDDL's any-uri; what is in use has no tag */
        item = swid_cbor_next(&d->in);
    wr_bytes(w, item.text);
    return item.kind == CBOR_TEXT;
}

static bool get_id(struct decoding *d, struct wr *w, const struct swid_row *row)
{
    struct swid_cbor_item item = swid_cbor_next(&d->in);
    (void)row;
    if (item.kind == CBOR_OCTETS && item.text.n == 16) {
        wr_str(w, "urn:uuid:");
        for (size_t i = 0; i < 16; i++) {
            if (i == 4 || i == 6 || i == 8 || i == 10)
                wr_u8(w, '-');
            swid_put_hex(w, (struct bytes){item.text.p + i, 1});
        }
        return true;
    }
    wr_bytes(w, item.text);
    return item.kind == CBOR_TEXT;
}

static bool get_bool(struct decoding *d, struct wr *w, const struct swid_row *row)
{
    struct swid_cbor_item item = swid_cbor_next(&d->in);
    (void)row;
    wr_str(w, item.number ? "true" : "false");
    return item.kind == CBOR_BOOL;
}

static bool get_int(struct decoding *d, struct wr *w, const struct swid_row *row)
{
    (void)row;
    return put_number(w, swid_cbor_next(&d->in));
}

static bool get_time(struct decoding *d, struct wr *w, const struct swid_row *row)
{
    struct swid_cbor_item tag = swid_cbor_next(&d->in), item = {.kind = CBOR_END};
    char text[TIME_TEXT];
    (void)row;
    if (tag.kind == CBOR_TAG && tag.number == TAG_TIME)
        item = swid_cbor_next(&d->in);
    if ((item.kind != CBOR_UINT && item.kind != CBOR_NEGINT) || item.number > INT64_MAX)
        return false;
    time_format(item.kind == CBOR_UINT ? (int64_t)item.number : -1 - (int64_t)item.number, text);
    wr_str(w, text);
    return true;
}

static bool get_code(struct decoding *d, struct wr *w, const struct swid_row *row)
{
    return put_code(w, row->type, swid_cbor_next(&d->in));
}

static bool get_roles(struct decoding *d, struct wr *w, const struct swid_row *row)
{
    struct swid_cbor_item item = swid_cbor_next(&d->in);
    struct swid_cbor_list l = {item.number, item.open};
    if (item.kind != CBOR_ARRAY)
        return put_code(w, row->type, item);
    while (swid_cbor_more(&d->in, &l)) {
        if (w->n)
            wr_u8(w, ' ');
        if (!put_code(w, row->type, swid_cbor_next(&d->in)))
            return false;
    }
    return true;
}

/* [algorithm, octets]; *number is the algorithm's. */
static bool get_digest(struct decoding *d, struct wr *w, uint64_t *number)
{
    struct swid_cbor_item list = swid_cbor_next(&d->in), algorithm = swid_cbor_next(&d->in),
                          octets = swid_cbor_next(&d->in);
    if (list.kind != CBOR_ARRAY || (!list.open && list.number != 2) || octets.kind != CBOR_OCTETS ||
        (algorithm.kind != CBOR_UINT && algorithm.kind != CBOR_NEGINT) ||
        (list.open && swid_cbor_more(&d->in, &(struct swid_cbor_list){0, true})))
        return false;
    swid_put_hex(w, octets.text);
    *number = algorithm.kind == CBOR_UINT ? algorithm.number : 0;
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
        swid_cbor_fail(&d->in, SWID_MALFORMED, "a value is not of its key's type");
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
    swid_cbor_fail(&d->in, SWID_MALFORMED, "a value is not of its key's type");
    wr_free(&w);
}

/* Under an attribute's XML name: what has no key, or did not fit it. */
static void read_labelled(struct decoding *d, struct reading *r, const struct swid_row *row)
{
    size_t at = d->in.at;
    struct wr w = wr_of(0);
    struct swid_cbor_item item = swid_cbor_next(&d->in);
    if (item.kind == CBOR_TEXT)
        wr_bytes(&w, item.text);
    else if (item.kind == CBOR_BOOL)
        wr_str(&w, item.number ? "true" : "false");
    else if (!put_number(&w, item)) {
        d->in.at = d->in.status == SWID_OK ? at : d->in.at;
        swid_cbor_skip(&d->in, 0);
        wr_free(&w);
        return;
    }
    keep(d, r, row, &w);
}

/* ---- maps -------------------------------------------------------------------------------------------------------- */

static const struct swid_row *row_of(enum swid_element element, struct swid_cbor_item key)
{
    const struct swid_element_row *e = &swid_elements[element];
    char name[40];
    for (const struct swid_row *r = e->rows; r < e->rows + e->count; r++)
        if (key.kind == CBOR_UINT ? r->key != NO_KEY && key.number == (uint64_t)r->key
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
        swid_cbor_fail(&d->in, SWID_MALFORMED, "a key stands twice in a map");
    r->child[child] = d->in.at;
    swid_cbor_skip(&d->in, 0);
}

static void read_pair(struct decoding *d, struct reading *r, bool within);

static void read_path_elements(struct decoding *d, struct reading *r)
{
    struct swid_cbor_item map = swid_cbor_next(&d->in);
    struct swid_cbor_list l = {map.number, map.open};
    if (map.kind != CBOR_MAP)
        swid_cbor_fail(&d->in, SWID_MALFORMED, "path-elements is no map");
    while (swid_cbor_more(&d->in, &l))
        read_pair(d, r, true);
}

/* CW-R10, RFC 9393 §2.5: what nobody knows is passed over. `within`: path-elements, which hold nothing but children. */
static void read_pair(struct decoding *d, struct reading *r, bool within)
{
    enum swid_element element = r->node.element;
    struct swid_cbor_item key = swid_cbor_next(&d->in);
    bool own = !within && (key.kind == CBOR_UINT || key.kind == CBOR_TEXT);
    uint64_t bit = own && key.kind == CBOR_UINT && key.number < 64 ? (uint64_t)1 << key.number : 0;
    if (r->keys & bit)
        swid_cbor_fail(&d->in, SWID_MALFORMED, "a key stands twice in a map");
    r->keys |= bit;
    const struct swid_row *row = own ? row_of(element, key) : NULL;
    enum swid_element child =
        key.kind == CBOR_UINT && (within || element != SWID_DIRECTORY) ? child_of(element, key.number) : SWID_ELEMENTS;
    if (key.kind != CBOR_UINT && key.kind != CBOR_NEGINT && key.kind != CBOR_TEXT)
        swid_cbor_fail(&d->in, SWID_MALFORMED, "a key is neither a number nor a text");
    else if (child != SWID_ELEMENTS)
        note_child(d, r, child);
    else if (element == SWID_DIRECTORY && !within && key.kind == CBOR_UINT && key.number == PATH_ELEMENTS)
        read_path_elements(d, r);
    else if (!row)
        swid_cbor_skip(&d->in, 0);
    else if (key.kind == CBOR_UINT)
        read_value(d, r, row);
    else
        read_labelled(d, r, row);
}

/* Reads the map at d->in.at, whose children are still to come. */
static void read_map(struct decoding *d, struct reading *r, enum swid_element element)
{
    struct swid_cbor_item map = swid_cbor_next(&d->in);
    struct swid_cbor_list l = {map.number, map.open};
    arena_reset(&r->arena);
    memset(&r->node, 0, sizeof r->node);
    memset(r->child, 0, sizeof r->child);
    r->keys = 0;
    r->node.element = element;
    if (map.kind != CBOR_MAP)
        swid_cbor_fail(&d->in, SWID_MALFORMED, "an element is no map");
    while (swid_cbor_more(&d->in, &l))
        read_pair(d, r, false);
    if (d->in.status == SWID_OK && !swid_node_normalise(&r->node, &r->arena))
        swid_cbor_fail(&d->in, SWID_NO_MEMORY, "out of memory");
}

/* ---- elements ---------------------------------------------------------------------------------------------------- */

/* One or more elements of a kind (CW-R1): the one that is read but not handed over yet, and where the next one stands.
 */
struct siblings {
    enum swid_element element;
    struct swid_cbor_list left;
    size_t at;
    bool full;
    struct reading r;
};

static void advance(struct decoding *d, struct siblings *s)
{
    d->in.at = d->in.status == SWID_OK ? s->at : d->in.at;
    s->full = swid_cbor_more(&d->in, &s->left);
    if (s->full)
        read_map(d, &s->r, s->element);
    s->at = d->in.at;
    s->full = s->full && d->in.status == SWID_OK;
}

static void begin(struct decoding *d, struct siblings *s, enum swid_element element, size_t at)
{
    memset(s, 0, sizeof *s);
    s->element = element;
    s->r.arena = arena_of(SWID_READ_MAX);
    if (!at || d->in.status != SWID_OK)
        return;
    d->in.at = at;
    struct swid_cbor_item item = swid_cbor_next(&d->in);
    s->left =
        item.kind == CBOR_ARRAY ? (struct swid_cbor_list){item.number, item.open} : (struct swid_cbor_list){1, false};
    s->at = item.kind == CBOR_ARRAY ? d->in.at : at;
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
    while (d->in.status == SWID_OK && (a.full || b.full)) {
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
        swid_cbor_fail(&d->in, SWID_MALFORMED, "its directories are nested too deeply");
        return;
    }
    d->to->open(d->to, &r->node);
    for (enum swid_element e = 0; e < SWID_ELEMENTS && d->in.status == SWID_OK && d->to->failed == SWID_OK; e++)
        if (e != SWID_FILE && (r->child[e] || (e == SWID_DIRECTORY && r->child[SWID_FILE])))
            hand_over_children(d, r->child, e, e == SWID_DIRECTORY ? SWID_FILE : e);
    d->depth--;
    if (d->in.status == SWID_OK && d->to->failed == SWID_OK)
        d->to->close(d->to, element);
    if (d->to->failed != SWID_OK)
        swid_cbor_fail(&d->in, d->to->failed, "it cannot be taken any further");
}

/* CW-R9, RFC 9393 §8: bare or tagged; the tag of anything else is another format. */
static void read_root(struct decoding *d)
{
    struct siblings root;
    size_t at = 0;
    swid_cbor_skip(&d->in, 0);
    if (d->in.status == SWID_OK && d->in.at != d->in.all.n)
        swid_cbor_fail(&d->in, SWID_MALFORMED, "something follows it");
    d->in.at = d->in.status == SWID_OK ? 0 : d->in.at;
    struct swid_cbor_item item = swid_cbor_next(&d->in);
    for (unsigned tags = 0; item.kind == CBOR_TAG; tags++) {
        if (item.number != TAG_SWID || tags == TAGS_MAX)
            swid_cbor_fail(&d->in, SWID_OTHER_MODEL,
                           item.number == 18   ? "it is signed twice"
                           : item.number == 98 ? "it is signed by several (COSE_Sign)"
                                               : "it is another CBOR format");
        at = d->in.at;
        item = swid_cbor_next(&d->in);
    }
    if (d->in.status == SWID_OK && item.kind != CBOR_MAP)
        swid_cbor_fail(&d->in, SWID_OTHER_MODEL, "it is CBOR, but no map");
    if (d->in.status != SWID_OK)
        return;
    d->in.at = at;
    memset(&root, 0, sizeof root);
    root.r.arena = arena_of(SWID_READ_MAX);
    read_map(d, &root.r, SWID_IDENTITY);
    if (d->in.status == SWID_OK)
        hand_over(d, &root.r);
    arena_free(&root.r.arena);
}

enum swid_status swid_coswid_read(struct bytes cbor, struct swid_sink *to, struct error *error)
{
    struct swid_cose cose = {.payload = cbor};
    if (cbor.n > SWID_READ_MAX) {
        error_set(error, "a tag of %zu octets is larger than %d", cbor.n, SWID_READ_MAX);
        return SWID_TOO_LARGE;
    }
    /* Only a map or a tag (RFC 8949 §3.1) can be one: all else is rather another file than a damaged tag. */
    if (cbor.n == 0 || (cbor.p[0] >> 5 != 5 && cbor.p[0] >> 5 != 6)) {
        error_set(error, cbor.n ? "no tag: neither SWID (XML) nor CoSWID (CBOR)" : "no tag: it is empty");
        return cbor.n ? SWID_OTHER_MODEL : SWID_MALFORMED;
    }
    if (swid_is_cose(cbor)) {
        enum swid_status status = swid_cose_read(cbor, &cose, error);
        if (status != SWID_OK)
            return status;
        to->has_signature = true;
    }
    struct decoding d = {.in = swid_cbor_of(cose.payload), .to = to};
    read_root(&d);
    if (d.in.status != SWID_OK)
        error_set(error, "no usable tag: %s (octet %zu)", d.in.why, (size_t)(cose.payload.p - cbor.p) + d.in.bad_at);
    return d.in.status;
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
