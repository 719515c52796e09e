/* blob: what stands in the store's octet columns, written and read. Numbers are varints of nibbles, in columns with
 * repeats counted: most of them are tiny or like their neighbour. All of it is read with care, because a database can
 * be damaged. */
#ifndef MUSTER_STORE_BLOB_H
#define MUSTER_STORE_BLOB_H

#include "store/store.h"

/* Members of one change, and so of one set, at most; an event's place in its change fits 16 bits. */
#define BLOB_MEMBERS_MAX 65535
#define BLOB_PRESENT_MAX (1u << 24)

/* A set: software and action of each member, in the order of the identifiers' texts (set.h). */
struct blob_members {
    size_t count;
    int64_t *software;
    enum store_action *actions;
};
void blob_put_members(struct wr *w, const struct blob_members *m);
/* False: damaged, or no memory in `a`. */
bool blob_get_members(struct bytes blob, struct arena *a, struct blob_members *m) MUST_USE;

/* The events of one change in EID order. */
struct blob_event {
    uint32_t member; /* its place in the set */
    uint32_t eid;
    int64_t time;
    uint8_t source;
};
struct blob_detail {
    size_t count;
    struct blob_event *events;
};
/* first_eid and time stand in the row beside it. */
void blob_put_detail(struct wr *w, const struct blob_detail *d, uint32_t first_eid, int64_t time);
bool blob_get_detail(struct bytes blob, struct arena *a, uint32_t first_eid, int64_t time,
                     struct blob_detail *d) MUST_USE;

/* Software identifiers' numbers, ascending; one that is there twice stands twice. */
struct blob_present {
    size_t count;
    int64_t *software;
};
void blob_put_present(struct wr *w, const struct blob_present *p);
bool blob_get_present(struct bytes blob, struct arena *a, struct blob_present *p) MUST_USE;

#endif
