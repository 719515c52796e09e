/* set: which events form one change, and the digest by which the fleet shares it. Both are computed from what was
 * reported alone, before any look-up. */
#ifndef MUSTER_STORE_SET_H
#define MUSTER_STORE_SET_H

#include "store/blob.h"
#include "store/sql.h"

#define DIGEST_SIZE 16 /* of SHA-256, cut: 128 bits */

/* Events of one run of a package manager. */
struct set_group {
    uint8_t digest[DIGEST_SIZE];      /* first, as in every keyed thing (write.c) */
    const struct store_event *events; /* in EID order */
    size_t count;
    uint32_t *order; /* order[place] = which event stands at that place of the set */
    int64_t id;      /* of the change set; 0 while unknown */
    struct blob_members members;
};

/* How many of the `count` events, which are in EID order, belong together from the first on. */
size_t set_cut(const struct store_event *events, size_t count);
/* Puts the members in order and computes the digest over (length, identifier, action) of each. False: no memory. */
bool set_arrange(struct store *s, struct set_group *group) MUST_USE;
bool set_digest(struct store *s, struct bytes b, uint8_t digest[DIGEST_SIZE]) MUST_USE;
/* Its first 31 bits, by which software is found; see SCHEMA_3. */
int64_t digest_head(const uint8_t digest[DIGEST_SIZE]);

#endif
