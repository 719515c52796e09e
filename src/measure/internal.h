/* What the files of measure/ share. Private to this room and its tests. */
#ifndef MUSTER_MEASURE_INTERNAL_H
#define MUSTER_MEASURE_INTERNAL_H

#include "measure/measure.h"

#include <limits.h>
#include <sys/stat.h>

/* ---- below.c: paths below a root ------------------------------------------------------------------------------------- */

/* measure_open_below() where the kernel has no openat2(): component by component. */
int below_walk(int root, const char *path);

/* ---- reader.c: one thread's reading ------------------------------------------------------------------------------------ */

/* What tells whether a file is the same as before. */
struct file_facts {
    int64_t size, mtime, ctime; /* nanoseconds */
    int64_t inode, device;
};
/* What the cache knows of a path; `hashes` 0: nothing. */
struct known {
    struct file_facts facts;
    unsigned hashes;
    uint8_t digests[MEASURE_DIGESTS];
};
struct reader; /* its buffers, its hash contexts, and the folder it looked into last */
struct reader *reader_new(int root, const struct measure_options *options); /* whose texts need not outlive the call */
void reader_free(struct reader *r);
/* Whether options' `until` has come. */
bool reader_is_late(uint64_t until);
/* `facts` are those of the file that `out` tells of. */
void reader_measure(struct reader *r, const char *path, const struct known *known, struct file_facts *facts, struct measured *out);

/* ---- cache.c ------------------------------------------------------------------------------------------------------------ */

#define CACHE_RUNS 32 /* complete runs that an entry outlives unseen */

struct cache; /* for one thread */
/* NULL: it cannot be used, `error` says why. */
struct cache *cache_open(const char *path, const char *root, struct error *error);
/* What is known of the path, which is thereby seen; hashes 0 if nothing is. Where the database fails it knows nothing. */
void cache_find(struct cache *c, struct bytes path, struct known *known);
/* Remembers it, now or soon. */
void cache_learn(struct cache *c, struct bytes path, const struct file_facts *facts, const struct measured *m);
void cache_close(struct cache *c, bool complete);

#endif
