/* account: what one endpoint's changes are made of, and where its history breaks. An endpoint whose journal was lost
 * tells a new epoch: what it tells of it from the first event on is another account of the same machine, which may
 * begin later than the one before ended. */
#ifndef MUSTER_STORE_ACCOUNT_H
#define MUSTER_STORE_ACCOUNT_H

#include "store/blob.h"
#include "store/sql.h"

/* A row of CHANGES. */
struct change {
    int64_t id, learnt;
    uint32_t epoch;
    struct blob_members members;
    struct blob_detail detail;
};
/* False: damaged, or no memory in `a`. */
bool change_read(struct rows *rows, struct arena *a, struct change *c) MUST_USE;

/* The same words as in SCHEMA_6. */
struct rupture {
    int64_t change, until, since, learnt;
    bool whole;
};
/* Oldest first, the newest RUPTURES_MAX of those that were known by `known_at` (TIME_UNKNOWN: all). The caller frees
 * `items`. */
enum { RUPTURES_MAX = 10000 };
struct ruptures {
    struct rupture *items;
    size_t count;
};
enum store_status ruptures_read(struct store *s, int64_t endpoint, int64_t known_at, struct ruptures *r,
                                struct error *error) MUST_USE;

/* Which changes tell of a moment (TIME_UNKNOWN: now): from number `from`, below `to`. Those before tell the past of
 * what was there already. */
struct account {
    int64_t from, to;
    uint32_t number; /* how many came before */
    bool unknown; /* it lies where the history is broken: they tell what was there before it, and what may have come */
};
struct account account_at(const struct ruptures *r, int64_t at);
/* The first change of the account that a change belongs to, and the first behind it. */
struct account account_of(const struct ruptures *r, int64_t change);

#endif
