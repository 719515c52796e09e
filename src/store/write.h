/* write: a report on its way into the store, shared by the files that bring it there. */
#ifndef MUSTER_STORE_WRITE_H
#define MUSTER_STORE_WRITE_H

#include "store/set.h"

/* One report on its way. */
struct work {
    struct store *s;
    struct arena *a;
    const struct store_report *r;
    struct store_receipt *receipt;
    struct error *error;
    struct {
        int64_t id;
        uint32_t epoch, last_eid;
        bool known;
        int64_t told; /* when it last told of its software */
    } endpoint; /* as stored before */
    int64_t first_new; /* the lowest number of software that nobody had reported; 0: there is none */
    bool posture_differs;
    int64_t learnt;
    const struct store_event *events; /* what is new, in EID order */
    size_t count;
    struct set_group *groups;
    size_t group_count;
    struct blob_present present;    /* before */
    uint8_t inventory[DIGEST_SIZE]; /* of the inventory that `present` shall equal, */
    bool has_inventory;             /* if it does */
    int64_t installed;
};

/* A text without a number yet; all that is found by a digest begins with it. */
struct name {
    uint8_t digest[DIGEST_SIZE];
    int64_t id;
    struct bytes text;
    bool stands; /* for all with the same text */
    bool fresh;  /* nobody had reported it */
};
/* Gives every name its number; what the fleet never reported gets a new one. */
enum store_status intern_names(struct work *w, struct name *items, size_t count) MUST_USE;
/* Every group gets its change set. On the usual path one look-up finds them all. */
enum store_status intern_sets(struct work *w) MUST_USE;

/* Of w->events, the whole history of a new epoch, only what the current account does not tell stays: true. False: they do not tell all of it,
 * in its order, and are an account of their own. */
enum store_status account_continues(struct work *w, bool *continues) MUST_USE;
/* They are one: nothing was there before its first event. STORE_CONFLICT: this endpoint begins too many. */
enum store_status account_begin(struct work *w) MUST_USE;
/* There the history breaks, and what comes is known from `since` on: the changes of this report come behind it. */
enum store_status account_break(struct work *w, int64_t since, bool whole) MUST_USE;

/* Statuses with their text. */
enum store_status work_out_of_memory(struct work *w) MUST_USE;
enum store_status work_damaged(struct work *w, const char *what) MUST_USE;

#endif
