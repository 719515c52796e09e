/* The readers of package files. Private to this room, its tests and its fuzz targets; no part of pkg's library but of pkg_archive's, which
 * links libarchive. libarchive takes compression and tar away; ar, cpio and rpm's header are read here. */
#ifndef MUSTER_PKG_PACKAGE_H
#define MUSTER_PKG_PACKAGE_H

#include "pkg/internal.h"

struct archive;
struct archive_entry;

/* ---- package_file.c: the file itself ------------------------------------------------------------------------------- */

/* The octets of a file from its beginning to its end, or of a part of it. */
struct source {
    int fd; /* -1: `have` is all there is */
    struct bytes have;
    uint8_t *block; /* what `have` looks into; NULL: nobody's but the caller's */
    uint64_t at;    /* octets handed out */
    uint64_t left;  /* that may still be handed out: to the end of a part */
};
/* One reading of a package file. The first thing that fails is kept, and everything ends soon after it. */
struct package_reading {
    struct source source;
    const struct pkg_archive_sink *sink;
    struct error *error;
    enum pkg_status status;
    uint64_t unpacked; /* octets that came out of compressed parts, holes of sparse files among them */
};
/* Reads what is in memory; what pkg_archive_read() is with a file. */
enum pkg_status package_read(struct source source, const struct pkg_archive_sink *sink, struct error *error) MUST_USE;
/* Sets status and error unless something failed before. Returns false. */
bool package_fail(struct package_reading *r, enum pkg_status status, const char *format, ...) PRINTF_LIKE(3, 4);
/* The next octets, n at least unless fewer are left, without taking them. n: 64 KiB at most. */
struct bytes source_peek(struct package_reading *r, size_t n);
/* The next octets, at most max; empty at the end of the part or the file. */
struct bytes source_some(struct package_reading *r, size_t max);
/* The next n octets; false, and the reading failed, if fewer are left. */
bool source_take(struct package_reading *r, void *to, size_t n) MUST_USE;
bool source_skip(struct package_reading *r, uint64_t n) MUST_USE;
/* Counts octets that came out; false: out of all proportion to what went in. */
bool package_count(struct package_reading *r, uint64_t n) MUST_USE;
/* Hands on; false: the sink wants no more, or the reading had failed. */
bool package_tell(struct package_reading *r, const struct pkg_archive *a) MUST_USE;
bool package_tell_member(struct package_reading *r, const struct pkg_member *m) MUST_USE;
bool package_tell_content(struct package_reading *r, struct bytes octets) MUST_USE;
/* A path of an archive ("./usr//bin/", "usr/bin", "/usr/bin") as it is below the root: "/usr/bin", "" for the root itself. In `out`, NUL-terminated.
 * False: it climbs out, or cannot be a path. */
bool package_path(struct bytes raw, char out[PATH_MAX], struct bytes *path) MUST_USE;

/* ---- package_unpack.c: what is compressed, and tar in it -------------------------------------------------------------- */

/* The rest of the source's part, unpacked as its first octets say: gzip, xz, zstd, bzip2, or not at all. One layer: what is packed twice stays
 * packed. */
struct unpack {
    struct package_reading *r;
    struct archive *filter; /* NULL: not compressed */
    struct bytes have, last; /* last: the whole of what came last */
    uint64_t at;             /* octets that came, `have` among them */
    bool ended;
};
bool unpack_open(struct unpack *u, struct package_reading *r) MUST_USE;
struct bytes unpack_some(struct unpack *u, size_t max);
bool unpack_take(struct unpack *u, void *to, size_t n) MUST_USE;
bool unpack_skip(struct unpack *u, uint64_t n) MUST_USE;
/* Reads to the end, where checksums are; false unless all that is left are zeros. */
bool unpack_finish(struct unpack *u) MUST_USE;
void unpack_close(struct unpack *u);

/* A tar archive in it. After tar_next() the member has path, kind, mode, size, link and same_as. */
struct tar {
    struct package_reading *r;
    struct unpack unpack;
    struct archive *archive;
    struct archive_entry *entry;
    struct bytes name; /* as the archive has it */
    struct pkg_member member;
    char path[PATH_MAX], same_as[PATH_MAX];
    uint8_t block[65536];
};
/* NULL: failed. */
struct tar *tar_open(struct package_reading *r) MUST_USE;
/* False at the end, that of the compressed part too, or if something failed. */
bool tar_next(struct tar *t) MUST_USE;
/* The content of a regular file, appended. False: `to` is full, or failed. */
bool tar_slurp(struct tar *t, struct wr *to);
/* Hands the member on, and its content. */
bool tar_tell(struct tar *t) MUST_USE;
void tar_close(struct tar *t); /* may be NULL */

/* ---- one file a format ------------------------------------------------------------------------------------------------ */

void package_read_deb(struct package_reading *r);
void package_read_rpm(struct package_reading *r);
void package_read_pkginfo(struct package_reading *r); /* pacman's and apk's */

/* ---- package_rpm_header.c: rpm's header, sans-I/O ----------------------------------------------------------------------- */

/* rpm's header, version 3 and 4 of the file format: an index of tags over a store of values. */
struct rpm_header {
    struct bytes index, store;
};
#define RPM_HEADER_INTRO 16
#define RPM_HEADER_MAX   ((size_t)64 << 20)
/* Of the octets that begin a header: how many follow them. False: no header, or a larger one than is read. */
bool rpm_header_size(const uint8_t intro[RPM_HEADER_INTRO], size_t *index, size_t *store) MUST_USE;
/* The values of a tag. */
struct rpm_values {
    struct bytes octets; /* of numbers all of them; of texts up to the end of the store */
    uint32_t count;
    uint8_t width; /* octets of a number; 0: texts */
};
/* False: the tag is not there, or says what cannot be. */
bool rpm_header_values(const struct rpm_header *h, uint32_t tag, struct rpm_values *v) MUST_USE;
/* The i-th number; 0 if there are fewer. */
uint64_t rpm_number(const struct rpm_values *v, size_t i);
/* The next of the texts, up to its NUL; empty if the store ends before. */
struct bytes rpm_next_text(struct rpm_values *v);
struct bytes rpm_header_text(const struct rpm_header *h, uint32_t tag);

struct rpm_row {
    struct bytes path, link, digest; /* digest: hexadecimal */
    uint64_t size;
    uint32_t mode, flags;
    uint8_t inode[8]; /* of the machine that built it, with its device: the same for names of one file */
    bool told;
};
enum { RPM_CONFIG = 1, RPM_MISSINGOK = 8, RPM_GHOST = 64 };
bool rpm_header_is_source(const struct rpm_header *h);
/* The package's fields, epoch and source package as rpm's database tells them; texts in the arena. False: one of them is missing. */
bool rpm_header_package(const struct rpm_header *h, struct arena *a, struct pkg_archive *out) MUST_USE;
/* Its files, in the arena; the root itself is none of them. False: the lists contradict one another, or a path climbs out (`what`). */
bool rpm_header_rows(const struct rpm_header *h, struct arena *a, struct rpm_row **rows, size_t *count, const char **what) MUST_USE;

#endif
