/* COSE_Sign1 around a CoSWID (RFC 9052 §4.2, RFC 9393 §7): what stands where. Keys are others' business: the octets
 * that are signed go out, the signature comes in. */
#include "swid/cbor_items.h"

enum {
    TAGS_MAX = 3,
    TAG_SIGN1 = 18,
    TAG_SWID = 1398229316,
    /* header parameters (RFC 9052 §3.1, RFC 9360 §2) */
    ALGORITHM = 1,
    CRITICAL = 2,
    CONTENT_TYPE = 3,
    X5CHAIN = 33,
    /* beside the payload, generously: certificates and a signature */
    FRAME_MAX = 1 << 20,
};
#define MEDIA_TYPE BYTES("application/swid+cbor")

/* Tags in front: CoSWID's own may stand outside, too (RFC 9393 §8). The reader then stands behind them. */
static bool enter(struct swid_cbor *d)
{
    for (unsigned tags = 0; tags < TAGS_MAX; tags++) {
        struct swid_cbor_item item = swid_cbor_next(d);
        if (item.kind != CBOR_TAG || (item.number != TAG_SWID && item.number != TAG_SIGN1))
            return false;
        if (item.number == TAG_SIGN1)
            return true;
    }
    return false;
}

bool swid_is_cose(struct bytes octets)
{
    struct swid_cbor d = swid_cbor_of(octets);
    return enter(&d);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static struct bytes take_octets(struct swid_cbor *d, const char *otherwise)
{
    struct swid_cbor_item item = swid_cbor_next(d);
    if (item.kind != CBOR_OCTETS)
        swid_cbor_fail(d, SWID_MALFORMED, otherwise);
    return item.text;
}

static void read_algorithm(struct swid_cbor *d, struct swid_cose *c)
{
    struct swid_cbor_item item = swid_cbor_next(d);
    if ((item.kind != CBOR_UINT && item.kind != CBOR_NEGINT) || item.number > INT16_MAX)
        swid_cbor_fail(d, SWID_MALFORMED, "its signature's algorithm is no number");
    else
        c->algorithm = item.kind == CBOR_UINT ? (int)item.number : -1 - (int)item.number;
}

static void read_content_type(struct swid_cbor *d)
{
    struct swid_cbor_item item = swid_cbor_next(d);
    if (item.kind != CBOR_TEXT || !bytes_equal(item.text, MEDIA_TYPE))
        swid_cbor_fail(d, SWID_OTHER_MODEL, "what is signed is no CoSWID");
}

/* RFC 9360 §2: one certificate bare, several in a list, the signer's first. */
static void read_chain(struct swid_cbor *d, struct swid_cose *c)
{
    static const char *const otherwise = "its certificates are no octets";
    size_t at = d->at;
    struct swid_cbor_item item = swid_cbor_next(d);
    struct swid_cbor_list l =
        item.kind == CBOR_ARRAY ? (struct swid_cbor_list){item.number, item.open} : (struct swid_cbor_list){1, false};
    if (item.kind == CBOR_OCTETS)
        d->at = at;
    else if (item.kind != CBOR_ARRAY)
        swid_cbor_fail(d, SWID_MALFORMED, otherwise);
    while (swid_cbor_more(d, &l)) {
        struct bytes certificate = take_octets(d, otherwise);
        if (c->chain_count == SWID_CHAIN_MAX)
            swid_cbor_fail(d, SWID_MALFORMED, "it carries too many certificates");
        else
            c->chain[c->chain_count++] = certificate;
    }
}

/* RFC 9052 §3: a label stands once in both headers together, and what is critical must be understood. The algorithm and
 * what it is that was signed count only where they are signed themselves (RFC 9393 §7). */
static void read_header(struct swid_cbor *d, struct swid_cose *c, bool protected, uint64_t *seen)
{
    struct swid_cbor_item map = swid_cbor_next(d);
    struct swid_cbor_list l = {map.number, map.open};
    if (map.kind != CBOR_MAP)
        swid_cbor_fail(d, SWID_MALFORMED, "a header of its signature is no map");
    while (swid_cbor_more(d, &l)) {
        struct swid_cbor_item label = swid_cbor_next(d);
        uint64_t number = label.kind == CBOR_UINT ? label.number : UINT64_MAX,
                 bit = number < 64 ? UINT64_C(1) << number : 0;
        if (label.kind != CBOR_UINT && label.kind != CBOR_NEGINT && label.kind != CBOR_TEXT)
            swid_cbor_fail(d, SWID_MALFORMED, "a label of its signature is neither a number nor a text");
        else if (*seen & bit)
            swid_cbor_fail(d, SWID_MALFORMED, "a label of its signature stands twice");
        else if (number == CRITICAL || (!protected && (number == ALGORITHM || number == CONTENT_TYPE)))
            swid_cbor_fail(d, SWID_MALFORMED,
                           number == CRITICAL ? "its signature has critical parts that nobody knows here"
                                              : "its signature leaves open what it is of");
        else if (number == ALGORITHM)
            read_algorithm(d, c);
        else if (number == CONTENT_TYPE)
            read_content_type(d);
        else if (number == X5CHAIN)
            read_chain(d, c);
        else
            swid_cbor_skip(d, 0);
        *seen |= bit;
    }
}

static void read_protected(struct swid_cbor *d, struct swid_cose *c, uint64_t *seen)
{
    c->protected = take_octets(d, "the header of its signature is no octets");
    struct swid_cbor inner = swid_cbor_of(c->protected);
    if (d->status == SWID_OK && c->protected.n) /* no octets are an empty map, too */
        read_header(&inner, c, true, seen);
    if (inner.status == SWID_OK && inner.at != inner.all.n)
        swid_cbor_fail(&inner, SWID_MALFORMED, "something follows a header of its signature");
    const uint64_t wanted = UINT64_C(1) << ALGORITHM | UINT64_C(1) << CONTENT_TYPE;
    if (inner.status != SWID_OK)
        swid_cbor_fail(d, inner.status, inner.why);
    else if ((*seen & wanted) != wanted)
        swid_cbor_fail(d, SWID_MALFORMED, "its signature leaves open what it is of");
}

enum swid_status swid_cose_read(struct bytes octets, struct swid_cose *c, struct error *error)
{
    struct swid_cbor d = swid_cbor_of(octets);
    uint64_t seen = 0;
    *c = (struct swid_cose){0};
    if (octets.n > SWID_READ_MAX) {
        error_set(error, "a tag of %zu octets is larger than %d", octets.n, SWID_READ_MAX);
        return SWID_TOO_LARGE;
    }
    if (!enter(&d))
        swid_cbor_fail(&d, SWID_OTHER_MODEL, "it is not signed (COSE_Sign1)");
    struct swid_cbor_item array = swid_cbor_next(&d);
    if (array.kind != CBOR_ARRAY || array.open || array.number != 4)
        swid_cbor_fail(&d, SWID_MALFORMED, "its signature is no list of four");
    read_protected(&d, c, &seen);
    read_header(&d, c, false, &seen);
    c->payload = take_octets(&d, "what its signature is of stands elsewhere");
    c->signature = take_octets(&d, "its signature is no octets");
    if (d.status == SWID_OK && d.at != octets.n)
        swid_cbor_fail(&d, SWID_MALFORMED, "something follows it");
    if (d.status != SWID_OK)
        error_set(error, "no usable tag: %s (octet %zu)", d.why, d.bad_at);
    return d.status;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static void put_octets(struct wr *w, struct bytes octets)
{
    swid_cbor_put_bytes_head(w, octets.n);
    wr_bytes(w, octets);
}

static void put_text(struct wr *w, struct bytes text)
{
    swid_cbor_put_text_head(w, text.n);
    wr_bytes(w, text);
}

/* The order of the labels is that of their octets (RFC 8949 §4.2.1). */
static void put_protected(struct wr *w, const struct swid_cose *c)
{
    swid_cbor_put_map_head(w, c->chain_count ? 3 : 2);
    swid_cbor_put_uint(w, ALGORITHM);
    if (c->algorithm < 0)
        swid_cbor_put_negint(w, (uint64_t)(-1 - c->algorithm));
    else
        swid_cbor_put_uint(w, (uint64_t)c->algorithm);
    swid_cbor_put_uint(w, CONTENT_TYPE);
    put_text(w, MEDIA_TYPE);
    if (c->chain_count)
        swid_cbor_put_uint(w, X5CHAIN);
    if (c->chain_count > 1)
        swid_cbor_put_array_head(w, c->chain_count);
    for (size_t i = 0; i < c->chain_count; i++)
        put_octets(w, c->chain[i]);
}

void swid_cose_signed(struct wr *w, const struct swid_cose *c)
{
    swid_cbor_put_array_head(w, 4);
    put_text(w, BYTES("Signature1"));
    put_octets(w, c->protected);
    put_octets(w, BYTES("")); /* nothing from elsewhere */
    put_octets(w, c->payload);
}

bool swid_cose_write(struct wr *w, struct swid_cose *c, swid_signer *sign, void *context)
{
    struct wr protected = wr_of(FRAME_MAX), octets = wr_of(SWID_READ_MAX + FRAME_MAX), signature = wr_of(FRAME_MAX);
    put_protected(&protected, c);
    c->protected = wr_view(&protected);
    swid_cose_signed(&octets, c);
    bool done = !protected.bad && !octets.bad && sign(context, wr_view(&octets), &signature) && !signature.bad;
    if (done) {
        swid_cbor_put_tag(w, TAG_SIGN1);
        swid_cbor_put_array_head(w, 4);
        put_octets(w, c->protected);
        swid_cbor_put_map_head(w, 0);
        put_octets(w, c->payload);
        put_octets(w, wr_view(&signature));
    }
    c->protected = (struct bytes){NULL, 0};
    wr_free(&protected);
    wr_free(&octets);
    wr_free(&signature);
    return done && !w->bad;
}
