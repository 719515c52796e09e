#include "pkg/package.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- compression ------------------------------------------------------------------------------------------------------- */

static bool filter_failed(struct package_reading *r, struct archive *a)
{
    const char *text = archive_error_string(a);
    return package_fail(r, PKG_DAMAGED, "what is packed in it is damaged or cut off, at octet %llu: %s",
                        (unsigned long long)r->source.at, text ? text : "no reason given");
}

static la_ssize_t feed_source(struct archive *a, void *context, const void **octets)
{
    struct package_reading *r = context;
    struct bytes some = source_some(r, SIZE_MAX);
    (void)a;
    *octets = some.p;
    return r->status == PKG_OK ? (la_ssize_t)some.n : -1;
}

bool unpack_open(struct unpack *u, struct package_reading *r)
{
    static const struct {
        struct bytes magic;
        int filter;
    } filters[] = {
        {{(const uint8_t *)"\x1f\x8b", 2}, ARCHIVE_FILTER_GZIP},
        {{(const uint8_t *)"\xfd" "7zXZ\0", 6}, ARCHIVE_FILTER_XZ},
        {{(const uint8_t *)"(\xb5/\xfd", 4}, ARCHIVE_FILTER_ZSTD},
        {{(const uint8_t *)"BZh", 3}, ARCHIVE_FILTER_BZIP2},
    };
    struct bytes first = source_peek(r, 6);
    struct archive_entry *entry;
    *u = (struct unpack){.r = r};
    for (size_t i = 0; i < ARRAY_LENGTH(filters); i++)
        if (bytes_starts(first, filters[i].magic)) {
            u->filter = archive_read_new();
            if (!u->filter)
                return package_fail(r, PKG_NO_MEMORY, "no memory");
            if (archive_read_append_filter(u->filter, filters[i].filter) != ARCHIVE_OK ||
                archive_read_support_format_raw(u->filter) != ARCHIVE_OK ||
                archive_read_open(u->filter, r, NULL, feed_source, NULL) != ARCHIVE_OK)
                return filter_failed(r, u->filter);
            if (archive_read_next_header(u->filter, &entry) != ARCHIVE_OK)
                return filter_failed(r, u->filter);
        }
    return r->status == PKG_OK;
}

struct bytes unpack_some(struct unpack *u, size_t max)
{
    const void *p = NULL;
    size_t n = 0;
    la_int64_t ignored;
    while (u->have.n == 0 && u->r->status == PKG_OK) {
        if (!u->filter) {
            u->have = source_some(u->r, SIZE_MAX);
            n = u->have.n;
        } else {
            int got = archive_read_data_block(u->filter, &p, &n, &ignored);
            if (got != ARCHIVE_OK && got != ARCHIVE_EOF)
                filter_failed(u->r, u->filter);
            n = got == ARCHIVE_OK ? n : 0;
            if (got == ARCHIVE_OK && n == 0)
                continue;
            u->have = (struct bytes){p, n};
        }
        u->ended = n == 0;
        if (n == 0 || !package_count(u->r, n))
            return (struct bytes){0};
        u->last = u->have;
        u->at += n;
    }
    struct bytes some = {u->have.p, u->have.n < max ? u->have.n : max};
    if (some.n)
        u->have = (struct bytes){u->have.p + some.n, u->have.n - some.n};
    return some;
}

bool unpack_take(struct unpack *u, void *to, size_t n)
{
    for (uint8_t *p = to; n;) {
        struct bytes some = unpack_some(u, n);
        if (some.n == 0)
            return package_fail(u->r, PKG_DAMAGED, "it was cut off at octet %llu", (unsigned long long)u->r->source.at);
        memcpy(p, some.p, some.n);
        p += some.n;
        n -= some.n;
    }
    return true;
}

bool unpack_skip(struct unpack *u, uint64_t n)
{
    while (n) {
        struct bytes some = unpack_some(u, n < SIZE_MAX ? (size_t)n : SIZE_MAX);
        if (some.n == 0)
            return package_fail(u->r, PKG_DAMAGED, "it was cut off at octet %llu", (unsigned long long)u->r->source.at);
        n -= some.n;
    }
    return true;
}

static bool is_zero(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i])
            return false;
    return true;
}

/* Something behind the end of the archive would be seen by one reader and not by another. */
bool unpack_finish(struct unpack *u)
{
    for (struct bytes some; (some = unpack_some(u, SIZE_MAX)).n;)
        if (!is_zero(some))
            return package_fail(u->r, PKG_DAMAGED, "there is something behind the end of its archive");
    return u->r->status == PKG_OK;
}

void unpack_close(struct unpack *u)
{
    archive_read_free(u->filter);
    *u = (struct unpack){.r = u->r};
}

/* ---- tar ---------------------------------------------------------------------------------------------------------------- */

static la_ssize_t feed_unpacked(struct archive *a, void *context, const void **octets)
{
    struct tar *t = context;
    struct bytes some = unpack_some(&t->unpack, SIZE_MAX);
    (void)a;
    *octets = some.p;
    return t->r->status == PKG_OK ? (la_ssize_t)some.n : -1;
}

static bool tar_failed(struct tar *t)
{
    const char *text = archive_error_string(t->archive);
    return package_fail(t->r, PKG_DAMAGED, "its tar archive is damaged or cut off, at octet %llu of the file: %s", (unsigned long long)t->r->source.at,
                        text ? text : "no reason given");
}

struct tar *tar_open(struct package_reading *r)
{
    struct tar *t = calloc(1, sizeof *t);
    if (!t) {
        package_fail(r, PKG_NO_MEMORY, "no memory");
        return NULL;
    }
    t->r = r;
    bool good = unpack_open(&t->unpack, r) && (t->archive = archive_read_new());
    if (good && (archive_read_append_filter(t->archive, ARCHIVE_FILTER_NONE) != ARCHIVE_OK ||
                 archive_read_support_format_tar(t->archive) != ARCHIVE_OK || archive_read_open(t->archive, t, NULL, feed_unpacked, NULL) != ARCHIVE_OK))
        good = tar_failed(t);
    if (good)
        return t;
    package_fail(r, PKG_NO_MEMORY, "no memory");
    tar_close(t);
    return NULL;
}

void tar_close(struct tar *t)
{
    if (!t)
        return;
    archive_read_free(t->archive);
    unpack_close(&t->unpack);
    free(t);
}

/* A program that reads on where libarchive ended would find other files: behind the end there are but zeros. */
static bool end_of_tar(struct tar *t)
{
    uint64_t used = (uint64_t)archive_filter_bytes(t->archive, 0), ahead = t->unpack.at - used;
    struct bytes last = t->unpack.last;
    if (t->unpack.ended || ahead > last.n)
        return package_fail(t->r, PKG_DAMAGED, "its archive has no end: it was cut off");
    if (!is_zero((struct bytes){last.p + (last.n - ahead), (size_t)ahead}))
        return package_fail(t->r, PKG_DAMAGED, "there is something behind the end of its archive");
    return unpack_finish(&t->unpack);
}

static enum pkg_file_kind kind_of(mode_t type)
{
    return S_ISREG(type) ? PKG_FILE_REGULAR : S_ISDIR(type) ? PKG_FILE_DIRECTORY : S_ISLNK(type) ? PKG_FILE_LINK : PKG_FILE_SPECIAL;
}

static bool take_entry(struct tar *t)
{
    const char *name = archive_entry_pathname(t->entry), *link = archive_entry_symlink(t->entry), *same = archive_entry_hardlink(t->entry);
    struct bytes path, same_as = {0};
    t->name = bytes_of(name);
    if (!package_path(t->name, t->path, &path))
        return package_fail(t->r, PKG_DAMAGED, "the path \"%.200s\" leads out of the package, or is none: refused", name ? name : "");
    if (same && !package_path(bytes_of(same), t->same_as, &same_as))
        return package_fail(t->r, PKG_DAMAGED, "a hard link to \"%.200s\", which is no path in the package: refused", same);
    t->member = (struct pkg_member){
        .file = {.path = path, .real_path = path, .kind = same ? PKG_FILE_REGULAR : kind_of(archive_entry_filetype(t->entry))},
        .mode = (uint32_t)archive_entry_perm(t->entry) & 07777,
        .same_as = same_as,
    };
    int64_t size = archive_entry_size(t->entry);
    if (t->member.file.kind == PKG_FILE_LINK)
        t->member.link = bytes_of(link);
    if (t->member.file.kind == PKG_FILE_REGULAR && !same) {
        t->member.size = size > 0 ? (uint64_t)size : 0;
        t->member.delivered = true;
    }
    return true;
}

bool tar_next(struct tar *t)
{
    if (t->r->status != PKG_OK)
        return false;
    /* ARCHIVE_WARN: libarchive would rather have names in the locale's character set, and hands them out as they are. */
    switch (archive_read_next_header(t->archive, &t->entry)) {
    case ARCHIVE_OK:
    case ARCHIVE_WARN:
        return take_entry(t);
    case ARCHIVE_EOF:
        if (t->r->status == PKG_OK)
            (void)end_of_tar(t);
        return false;
    default:
        return tar_failed(t);
    }
}

/* The next octets of the entry's content, holes as zeros; empty at its end. */
static struct bytes some_content(struct tar *t)
{
    la_ssize_t n = archive_read_data(t->archive, t->block, sizeof t->block);
    if (n < 0)
        tar_failed(t);
    return (struct bytes){t->block, n > 0 ? (size_t)n : 0};
}

bool tar_slurp(struct tar *t, struct wr *to)
{
    for (struct bytes some; (some = some_content(t)).n;) {
        wr_bytes(to, some);
        if (to->bad)
            return package_fail(t->r, PKG_DAMAGED, "its %.100s is larger than %zu MiB", t->path + 1, to->max >> 20);
    }
    return t->r->status == PKG_OK;
}

bool tar_tell(struct tar *t)
{
    uint64_t told = 0;
    if (!package_tell_member(t->r, &t->member))
        return false;
    if (!t->member.delivered)
        return true;
    for (struct bytes some; (some = some_content(t)).n; told += some.n)
        /* A hole costs nothing in the archive, and time here. */
        if (!package_count(t->r, some.n) || !package_tell_content(t->r, some))
            return false;
    if (told != t->member.size)
        return package_fail(t->r, PKG_DAMAGED, "%.200s is cut off", t->path);
    return t->r->status == PKG_OK;
}
