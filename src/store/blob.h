/* blob: what stands in the store's octet columns, written and read. It is most of the database, so its numbers are
 * written as differences to what is expected, in as few bits as that takes. All of it is read with care, because a
 * database can be damaged. Writers and readers take memory from `a`; false is: no memory, or damaged. */
#ifndef MUSTER_STORE_BLOB_H
#define MUSTER_STORE_BLOB_H

#include "store/store.h"

/* Members of one change, and so of one set, at most; an event's number in its change fits 16 bits. */
#define BLOB_MEMBERS_MAX 65535
#define BLOB_PRESENT_MAX (1u << 20)

/* A set: software and action of each member, in the order of the identifiers' texts (set.h): its place. `order` lists
 * the places in the order in which the first endpoint reported them: other machines mostly have the same. */
struct blob_members {
    size_t count;
    int64_t *software; /* 0 <= each < 2^62 */
    enum store_action *actions;
    uint32_t *order;
};
bool blob_put_members(struct wr *w, const struct blob_members *m, struct arena *a) MUST_USE;
bool blob_get_members(struct bytes blob, struct arena *a, struct blob_members *m) MUST_USE;

/* The events of one change in EID order. */
struct blob_event {
    uint32_t member; /* its number in the set's `order` */
    uint32_t eid;
    int64_t time; /* a printable one or TIME_UNKNOWN */
    uint8_t source;
};
struct blob_detail {
    size_t count;
    struct blob_event *events;
};
/* first_eid and time, of the first event that has one, stand in the row beside it. */
bool blob_put_detail(struct wr *w, const struct blob_detail *d, uint32_t first_eid, int64_t time,
                     struct arena *a) MUST_USE;
bool blob_get_detail(struct bytes blob, struct arena *a, uint32_t first_eid, int64_t time,
                     struct blob_detail *d) MUST_USE;

/* Numbers of software, ascending; one that is there twice stands twice. */
struct blob_present {
    size_t count;
    int64_t *software;
};
bool blob_put_present(struct wr *w, const struct blob_present *p, struct arena *a) MUST_USE;
bool blob_get_present(struct bytes blob, struct arena *a, struct blob_present *p) MUST_USE;

#endif
