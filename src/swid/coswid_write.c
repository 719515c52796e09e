/* CoSWID (RFC 9393) in CBOR's deterministic encoding (RFC 8949 §4.2.1): definite lengths, keys in the order of their
 * octets. Both want to know a map before it is written, so what an element holds is gathered encoded, level by level,
 * until it is closed. */
#include "swid/cbor_items.h"
#include "swid/model.h"

#include <cbor.h>
#include <stdlib.h>
#include <string.h>

enum { CHILD_KINDS = 5, PAIRS_MAX = 32, COSWID_TAG = 1398229316, PATH_ELEMENTS = 26 };

/* A key with its value in `own`. */
struct pair {
    size_t from, to;
};
struct frame {
    enum swid_element element;
    struct wr own; /* pairs, one behind the other as they came */
    struct pair pairs[PAIRS_MAX];
    size_t pair_count;
    struct children {
        enum swid_element element;
        size_t count;
        struct wr maps;
    } children[CHILD_KINDS];
};
struct swid_coswid {
    struct swid_sink sink; /* first */
    struct wr *w;
    bool tagged;
    struct wr value;
    unsigned depth;
    struct frame frames[SWID_DEPTH_MAX];
};

/* CW-R11, RFC 9393 §2.1: text is Network Unicode. */
static void put_clean_text(struct wr *w, struct bytes text)
{
    struct wr clean = wr_of(0);
    if (!swid_is_clean(text, true)) {
        swid_put_clean(&clean, text, true);
        text = wr_view(&clean);
    }
    swid_cbor_put_text_head(w, text.n);
    wr_bytes(w, text);
    wr_free(&clean);
}

/* ---- values: each says whether the text is one of its type ------------------------------------------------------- */

static bool put_text(struct wr *w, const struct swid_row *row, struct bytes v)
{
    (void)row;
    put_clean_text(w, v);
    return true;
}

static bool put_bool(struct wr *w, const struct swid_row *row, struct bytes v)
{
    (void)row;
    unsigned char octet[1];
    bool yes = bytes_equal(v, BYTES("true"));
    wr_bytes(w, (struct bytes){octet, cbor_encode_bool(yes, octet, sizeof octet)});
    return yes || bytes_equal(v, BYTES("false"));
}

static bool put_int(struct wr *w, const struct swid_row *row, struct bytes v)
{
    bool negative;
    uint64_t n;
    if (!swid_integer(v, &negative, &n) || (negative && row->attribute == SWID_SIZE) ||
        (negative && n > (uint64_t)INT64_MAX))
        return false;
    if (negative)
        swid_cbor_put_negint(w, n - 1);
    else
        swid_cbor_put_uint(w, n);
    return true;
}

/* CW-R8, RFC 9393 §2.9.4: whole seconds with tag 1. */
static bool put_time(struct wr *w, const struct swid_row *row, struct bytes v)
{
    (void)row;
    int64_t t;
    if (!time_parse(v, &t) || t == TIME_UNKNOWN)
        return false;
    swid_cbor_put_tag(w, 1);
    if (t < 0)
        swid_cbor_put_negint(w, (uint64_t)(-1 - t));
    else
        swid_cbor_put_uint(w, (uint64_t)t);
    return true;
}

/* "urn:uuid:01234567-89ab-cdef-0123-456789abcdef", in lower case: 16 octets; another text stays text (CW-R6, RFC 9393
 * §2.3). */
static bool put_id(struct wr *w, const struct swid_row *row, struct bytes v)
{
    static const char form[] = "urn:uuid:xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    uint8_t digits[32], octets[16];
    size_t n = 0, count;
    bool uuid = v.n == sizeof form - 1;
    for (size_t i = 0; uuid && i < v.n; i++) {
        uuid = form[i] == 'x' ? memchr("0123456789abcdef", v.p[i], 16) != NULL : v.p[i] == (uint8_t)form[i];
        if (form[i] == 'x')
            digits[n++] = v.p[i];
    }
    if (!uuid || !swid_unhex((struct bytes){digits, 32}, octets, sizeof octets, &count))
        return put_text(w, row, v);
    swid_cbor_put_bytes_head(w, sizeof octets);
    wr_bytes(w, (struct bytes){octets, sizeof octets});
    return true;
}

/* CW-R2, RFC 9393 §4: registered words are numbers; so is the number of one that this registry does not know. */
static bool put_code(struct wr *w, const struct swid_row *row, struct bytes v)
{
    int number = swid_code_number(row->type, v);
    bool negative;
    uint64_t n;
    if (number)
        swid_cbor_put_uint(w, (uint64_t)number);
    else if (!swid_integer(v, &negative, &n) ||
             (!negative && n <= INT16_MAX && swid_code_word(row->type, (int64_t)n)) || !put_int(w, row, v))
        put_clean_text(w, v);
    return true;
}

/* CW-R1, RFC 9393 §2: one is bare, more are an array. */
static bool put_roles(struct wr *w, const struct swid_row *row, struct bytes v)
{
    size_t count = 1;
    if (!v.n)
        return false;
    for (size_t i = 0; i < v.n; i++)
        count += v.p[i] == ' ';
    if (count > 1)
        swid_cbor_put_array_head(w, count);
    for (; v.n; count--)
        put_code(w, row, bytes_split(&v, ' '));
    return count == 0;
}

static bool put_digest(struct wr *w, const struct swid_hash_row *hash, struct bytes v)
{
    uint8_t octets[64];
    size_t n;
    if (!hash->number || v.n != 2 * hash->octets || !swid_unhex(v, octets, sizeof octets, &n))
        return false;
    swid_cbor_put_array_head(w, 2);
    swid_cbor_put_uint(w, hash->number);
    swid_cbor_put_bytes_head(w, n);
    wr_bytes(w, (struct bytes){octets, n});
    return true;
}

static bool put_hash(struct wr *w, const struct swid_row *row, struct bytes v)
{
    for (size_t i = 0; i < SWID_HASHES; i++)
        if (swid_hashes[i].attribute == row->attribute)
            return put_digest(w, &swid_hashes[i], v);
    return false;
}

/* Upper-case digits stay text: they could not be told from lower-case ones. */
static bool put_thumbprint(struct wr *w, const struct swid_row *row, struct bytes v)
{
    (void)row;
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] >= 'A' && v.p[i] <= 'F')
            return false;
    for (size_t i = 0; i < SWID_HASHES; i++)
        if (put_digest(w, &swid_hashes[i], v))
            return true;
    return false;
}

static bool (*const put_value[TYPE_COUNT])(struct wr *w, const struct swid_row *row, struct bytes v) = {
    [TYPE_TEXT] = put_text,      [TYPE_OCTETS] = put_text,
    [TYPE_EXACT] = put_text,     [TYPE_ID] = put_id,
    [TYPE_BOOL] = put_bool,      [TYPE_INT] = put_int,
    [TYPE_TIME] = put_time,      [TYPE_SCHEME] = put_code,
    [TYPE_OWNERSHIP] = put_code, [TYPE_REL] = put_code,
    [TYPE_USE] = put_code,       [TYPE_ROLES] = put_roles,
    [TYPE_HASH] = put_hash,      [TYPE_THUMBPRINT] = put_thumbprint,
    [TYPE_EVENT] = put_text,
};

/* ---- maps -------------------------------------------------------------------------------------------------------- */

static void begin_pair(struct frame *f)
{
    f->pairs[f->pair_count].from = f->own.n;
}

static void end_pair(struct frame *f)
{
    f->pairs[f->pair_count++].to = f->own.n;
}

/* Under its key or, where it has none, does not fit it or another hash took it, as text under its XML name (CW-R10, RFC
 * 9393 §2.5). */
static void put_attribute(struct swid_coswid *c, struct frame *f, const struct swid_row *row, struct bytes v,
                          uint64_t *keys)
{
    char name[40];
    wr_reset(&c->value);
    bool keyed = row->key != NO_KEY && !(*keys >> row->key & 1) && put_value[row->type](&c->value, row, v);
    begin_pair(f);
    if (keyed) {
        *keys |= (uint64_t)1 << row->key;
        swid_cbor_put_uint(&f->own, (uint64_t)row->key);
        wr_bytes(&f->own, wr_view(&c->value));
    } else {
        put_clean_text(&f->own, swid_qualified(row, name));
        put_clean_text(&f->own, v);
    }
    end_pair(f);
}

static void put_attributes(struct swid_coswid *c, struct frame *f, struct swid_node *node)
{
    const struct swid_element_row *e = &swid_elements[node->element];
    uint64_t keys = 0;
    if (node->element == SWID_IDENTITY && !node->value[SWID_TAG_VERSION].p) /* required; XML's default */
        node->value[SWID_TAG_VERSION] = BYTES("0");
    for (const struct swid_row *r = e->rows; r < e->rows + e->count; r++)
        if (node->value[r->attribute].p)
            put_attribute(c, f, r, node->value[r->attribute], &keys);
}

static size_t kinds(const struct frame *f)
{
    size_t n = 0;
    for (size_t i = 0; i < CHILD_KINDS; i++)
        n += f->children[i].count > 0;
    return n;
}

/* CW-R1: one child is bare. */
static void put_children(struct frame *f, const struct children *c)
{
    swid_cbor_put_uint(&f->own, swid_elements[c->element].key);
    if (c->count > 1)
        swid_cbor_put_array_head(&f->own, c->count);
    wr_bytes(&f->own, wr_view(&c->maps));
}

static int by_key(const struct children *a, const struct children *b)
{
    return swid_elements[a->element].key - swid_elements[b->element].key;
}

static void sort_children(struct frame *f)
{
    for (size_t i = 1; i < CHILD_KINDS; i++)
        for (size_t k = i; k > 0 && by_key(&f->children[k - 1], &f->children[k]) > 0; k--) {
            struct children swap = f->children[k];
            f->children[k] = f->children[k - 1];
            f->children[k - 1] = swap;
        }
}

/* A directory's children stand in a map of their own, other elements' beside the attributes. */
static void gather_children(struct frame *f)
{
    bool within = f->element == SWID_DIRECTORY && kinds(f) > 0;
    sort_children(f);
    if (within) {
        begin_pair(f);
        swid_cbor_put_uint(&f->own, PATH_ELEMENTS);
        swid_cbor_put_map_head(&f->own, kinds(f));
    }
    for (size_t i = 0; i < CHILD_KINDS; i++) {
        if (!f->children[i].count)
            continue;
        if (!within)
            begin_pair(f);
        put_children(f, &f->children[i]);
        if (!within)
            end_pair(f);
    }
    if (within)
        end_pair(f);
}

static struct bytes view(const struct frame *f, size_t i)
{
    return (struct bytes){f->own.p + f->pairs[i].from, f->pairs[i].to - f->pairs[i].from};
}

/* No key is the beginning of another one, so that pairs stand in the order of their keys. */
static void put_map(struct wr *w, struct frame *f)
{
    for (size_t i = 1; i < f->pair_count; i++)
        for (size_t k = i; k > 0 && bytes_compare(view(f, k - 1), view(f, k)) > 0; k--) {
            struct pair swap = f->pairs[k];
            f->pairs[k] = f->pairs[k - 1];
            f->pairs[k - 1] = swap;
        }
    swid_cbor_put_map_head(w, f->pair_count);
    for (size_t i = 0; i < f->pair_count; i++)
        wr_bytes(w, view(f, i));
}

/* ---- the sink ---------------------------------------------------------------------------------------------------- */

static void begin_frame(struct frame *f, enum swid_element element)
{
    f->element = element;
    f->pair_count = 0;
    wr_reset(&f->own);
    for (size_t i = 0; i < CHILD_KINDS; i++) {
        f->children[i].count = 0;
        wr_reset(&f->children[i].maps);
    }
}

static void on_open(struct swid_sink *s, const struct swid_node *node)
{
    struct swid_coswid *c = (struct swid_coswid *)s;
    if (s->failed != SWID_OK || c->depth == SWID_DEPTH_MAX) {
        s->failed = s->failed ? s->failed : SWID_TOO_LARGE;
        return;
    }
    struct frame *f = &c->frames[c->depth++];
    struct swid_node exact = *node;
    struct arena a = arena_of(SIZE_MAX);
    begin_frame(f, node->element);
    if (swid_node_exact(&exact, true, &a))
        put_attributes(c, f, &exact);
    else
        s->failed = SWID_NO_MEMORY;
    arena_free(&a);
}

/* Where the parent keeps the maps of such a child. */
static struct wr *room_of(struct frame *parent, enum swid_element element)
{
    size_t i = 0;
    while (i < CHILD_KINDS - 1 && parent->children[i].count && parent->children[i].element != element)
        i++;
    parent->children[i].element = element;
    parent->children[i].count++;
    return &parent->children[i].maps;
}

static void on_close(struct swid_sink *s, enum swid_element element)
{
    struct swid_coswid *c = (struct swid_coswid *)s;
    if (s->failed != SWID_OK)
        return;
    struct frame *f = &c->frames[--c->depth];
    struct wr *w = c->depth ? room_of(&c->frames[c->depth - 1], element) : c->w;
    if (c->depth == 0 && c->tagged) /* CW-R9, RFC 9393 §8 */
        swid_cbor_put_tag(w, COSWID_TAG);
    gather_children(f);
    put_map(w, f);
    if (f->own.bad || w->bad || c->value.bad)
        s->failed = SWID_TOO_LARGE;
}

struct swid_coswid *swid_coswid_new(struct wr *w, size_t max, bool tagged)
{
    struct swid_coswid *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->sink = (struct swid_sink){.open = on_open, .close = on_close};
    c->w = w;
    c->tagged = tagged;
    c->value = wr_of(max);
    for (size_t i = 0; i < SWID_DEPTH_MAX; i++) {
        c->frames[i].own = wr_of(max);
        for (size_t k = 0; k < CHILD_KINDS; k++)
            c->frames[i].children[k].maps = wr_of(max);
    }
    return c;
}

struct swid_sink *swid_coswid_sink(struct swid_coswid *c)
{
    return &c->sink;
}

void swid_coswid_free(struct swid_coswid *c)
{
    if (!c)
        return;
    wr_free(&c->value);
    for (size_t i = 0; i < SWID_DEPTH_MAX; i++) {
        wr_free(&c->frames[i].own);
        for (size_t k = 0; k < CHILD_KINDS; k++)
            wr_free(&c->frames[i].children[k].maps);
    }
    free(c);
}
