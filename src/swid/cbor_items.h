/* CBOR (RFC 8949) item by item, for what reads CoSWID and COSE where it lies; private to swid/. */
#ifndef MUSTER_SWID_CBOR_ITEMS_H
#define MUSTER_SWID_CBOR_ITEMS_H

#include "swid/swid.h"

enum swid_cbor_kind {
    CBOR_END,
    CBOR_UINT,
    CBOR_NEGINT,
    CBOR_OCTETS,
    CBOR_TEXT,
    CBOR_ARRAY,
    CBOR_MAP,
    CBOR_TAG,
    CBOR_BOOL,
    CBOR_OTHER,
    CBOR_BREAK,
    CBOR_OPEN_STRING
};
struct swid_cbor_item {
    enum swid_cbor_kind kind;
    uint64_t number; /* of an integer (a negative one's -1 - number), a tag, a list: its items; a Boolean */
    bool open;       /* a list that a break ends */
    struct bytes text;
};

/* Sticky: after the first failure it stands at its end, items are CBOR_END and lists have no more. */
struct swid_cbor {
    struct bytes all;
    size_t at;
    uint64_t items_left; /* what passes over the same octets again and again is stopped */
    enum swid_status status;
    const char *why; /* static */
    bool ends_early; /* it failed because there are no more octets */
    size_t bad_at;
};
struct swid_cbor swid_cbor_of(struct bytes all);
/* The first failure counts. */
void swid_cbor_fail(struct swid_cbor *d, enum swid_status status, const char *why);
/* The next item's head (and text). */
struct swid_cbor_item swid_cbor_next(struct swid_cbor *d);

/* How many items of a list (a map: pairs) are still to come. */
struct swid_cbor_list {
    uint64_t left;
    bool open;
};
bool swid_cbor_more(struct swid_cbor *d, struct swid_cbor_list *l);
/* Passes over one item with all that it holds, and holds it to CBOR and to its bounds; `level` is 0. */
void swid_cbor_skip(struct swid_cbor *d, unsigned level);

/* Writers: heads in their shortest form. */
void swid_cbor_put_uint(struct wr *w, uint64_t n);
void swid_cbor_put_negint(struct wr *w, uint64_t n); /* -1 - n */
void swid_cbor_put_bytes_head(struct wr *w, uint64_t n);
void swid_cbor_put_text_head(struct wr *w, uint64_t n);
void swid_cbor_put_array_head(struct wr *w, uint64_t n);
void swid_cbor_put_map_head(struct wr *w, uint64_t n);
void swid_cbor_put_tag(struct wr *w, uint64_t n);

#endif
