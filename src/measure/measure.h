/* measure: files below a root, their size and hashes, with a cache of what did not change. This is the room's one public header. Nothing that a
 * file system holds makes it fail: what is missing, unreadable, no file, or changes under the reader is an answer. */
#ifndef MUSTER_MEASURE_H
#define MUSTER_MEASURE_H

#include "base/base.h"

enum measure_hash {
    MEASURE_SHA256 = 1,
    MEASURE_SHA384 = 2,
    MEASURE_SHA512 = 4,
    MEASURE_MD5 = 8, /* these two, in which packages tell of their files, of measure_hasher_new() alone */
    MEASURE_SHA1 = 16,
};
#define MEASURE_DIGESTS (32 + 48 + 64 + 16 + 20)

enum measure_state {
    MEASURE_FILE,       /* a regular file: size and hashes are those of one and the same content */
    MEASURE_DIRECTORY,
    MEASURE_LINK,       /* a symbolic link (not if links are followed) */
    MEASURE_SPECIAL,    /* a device, pipe or socket: never opened */
    MEASURE_MISSING,    /* nothing stands there; if links are followed also a link that leads nowhere, whose mode is told */
    MEASURE_UNREADABLE, /* no permission (see CAP_DAC_READ_SEARCH), an I/O error */
    MEASURE_CHANGED,    /* it was written to while it was read */
};
/* file, directory, link … */
const char *measure_state_name(enum measure_state s);

struct measured {
    enum measure_state state;
    bool cached;     /* not read: the cache knew it unchanged */
    unsigned hashes; /* of enum measure_hash: what `digests` holds; 0 but for MEASURE_FILE */
    uint32_t mode;   /* st_mode; 0 if it could not be looked at */
    uint64_t size;   /* octets, of a MEASURE_FILE */
    uint8_t digests[MEASURE_DIGESTS];
};
/* A view of one of the digests; empty if it was not asked for. */
struct bytes measured_digest(const struct measured *m, enum measure_hash hash);

struct measure_options {
    const char *root; /* "/" for this machine. Links, also absolute ones, are taken as they are below it: none leads out */
    unsigned hashes;  /* of enum measure_hash; 0: only sizes, no file is opened */
    bool follow;      /* a link at the end of a path is followed (below the root) */
    unsigned threads; /* 0: as many as processors, at most 4; 1: none but the caller's */
    const char *cache; /* path of the cache's database, made if it is not there; NULL: none */
    uint64_t until;    /* time_monotonic_ms() from which on nothing more is read, not to the end of a file that is being read: all stops; 0: never */
    /* Gets the answers in the order of the questions, in the thread that asks. False stops all. */
    bool (*take)(void *context, struct bytes path, void *tag, const struct measured *m);
    void *context;
};

struct measure; /* one measuring of any number of files; for one thread */

/* NULL: the root cannot be opened, or no memory; `error` says which. A cache that cannot be used is done without: then `error` says why, and its
 * text is empty otherwise. options' texts need not outlive the call. */
struct measure *measure_begin(const struct measure_options *options, struct error *error) MUST_USE;
/* One file; `path` is absolute below the root, any octets but NUL, and is copied. Answers come during this call or a later one: at most some
 * thousand files wait. False: stopped by `take` or options' `until`, or no memory. */
bool measure_file(struct measure *m, struct bytes path, void *tag) MUST_USE;
/* Waits for all answers. False as measure_file(). */
bool measure_flush(struct measure *m) MUST_USE;
/* Writes what the cache learnt, forgets what it has not seen for many runs if `complete` (all files of the machine were asked for), and frees m,
 * which may be NULL. Files not yet answered are dropped. */
void measure_end(struct measure *m, bool complete);

/* Opens `path` (relative to the root or absolute, which is the same) with O_PATH and O_CLOEXEC; links are followed below the root only. -1 with
 * errno. */
int measure_open_below(int root, const char *path) MUST_USE;

/* ---- octets that come from elsewhere than a file below a root ----------------------------------------------------------- */

struct measure_hasher; /* any number of contents, one after the other; for one thread */
/* `hashes`: of enum measure_hash, 0 for none. NULL: no memory, or OpenSSL has no such hash. */
struct measure_hasher *measure_hasher_new(unsigned hashes) MUST_USE;
void measure_hasher_begin(struct measure_hasher *h);
void measure_hasher_add(struct measure_hasher *h, struct bytes octets);
/* Writes `hashes` and `digests` of m, nothing else. False: OpenSSL failed. */
bool measure_hasher_end(struct measure_hasher *h, struct measured *m) MUST_USE;
void measure_hasher_free(struct measure_hasher *h); /* may be NULL */

#endif
