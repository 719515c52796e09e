#include "pkg/package.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK      ((size_t)128 << 10)
#define PEEK       512 /* octets that tell the format */
#define FREE_BYTES ((uint64_t)1 << 30) /* that anything may unpack to */
#define RATIO      1000 /* gzip cannot pack better; a package that holds anything does not come near */

/* ---- failing and telling --------------------------------------------------------------------------------------------- */

bool package_fail(struct package_reading *r, enum pkg_status status, const char *format, ...)
{
    if (r->status != PKG_OK)
        return false;
    va_list args;
    va_start(args, format);
    vsnprintf(r->error->text, sizeof r->error->text, format, args);
    va_end(args);
    r->status = status;
    return false;
}

bool package_count(struct package_reading *r, uint64_t n)
{
    r->unpacked = n > UINT64_MAX - r->unpacked ? UINT64_MAX : r->unpacked + n;
    if (r->unpacked > FREE_BYTES && r->unpacked / RATIO > r->source.at)
        return package_fail(r, PKG_DAMAGED, "it unpacks to more than 1 GiB and 1,000 times its packed size: refused");
    return r->status == PKG_OK;
}

static bool heard(struct package_reading *r, bool more)
{
    return more || package_fail(r, PKG_STOPPED, "stopped");
}

bool package_tell(struct package_reading *r, const struct pkg_archive *a)
{
    return r->status == PKG_OK && heard(r, r->sink->package(r->sink->context, a));
}

bool package_tell_member(struct package_reading *r, const struct pkg_member *m)
{
    return r->status == PKG_OK && heard(r, r->sink->member(r->sink->context, m));
}

bool package_tell_content(struct package_reading *r, struct bytes octets)
{
    return r->status == PKG_OK && heard(r, r->sink->content(r->sink->context, octets));
}

bool package_path(struct bytes raw, char out[PATH_MAX], struct bytes *path)
{
    size_t n = 0;
    *path = (struct bytes){(const uint8_t *)out, 0};
    out[0] = 0;
    if (raw.n == 0 || memchr(raw.p, 0, raw.n))
        return false;
    while (raw.n) {
        struct bytes part = bytes_split(&raw, '/');
        if (part.n == 0 || bytes_equal(part, BYTES(".")))
            continue;
        if (bytes_equal(part, BYTES("..")) || n + 1 + part.n >= PATH_MAX)
            return false;
        out[n++] = '/';
        memcpy(out + n, part.p, part.n);
        n += part.n;
    }
    out[n] = 0;
    path->n = n;
    return true;
}

/* ---- the source -------------------------------------------------------------------------------------------------------- */

/* Makes `have` hold n octets if the file has as many. */
static void fill(struct package_reading *r, size_t n)
{
    struct source *s = &r->source;
    size_t have = s->have.n;
    if (have >= n || s->fd < 0 || r->status != PKG_OK)
        return;
    if (have)
        memmove(s->block, s->have.p, have);
    while (have < n) {
        ssize_t got = read(s->fd, s->block + have, BLOCK - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            package_fail(r, PKG_UNREADABLE, "cannot be read: %s", strerror(errno));
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    s->have = (struct bytes){s->block, have};
}

struct bytes source_peek(struct package_reading *r, size_t n)
{
    fill(r, n);
    size_t have = r->source.have.n;
    return (struct bytes){r->source.have.p, have < r->source.left ? have : (size_t)r->source.left};
}

struct bytes source_some(struct package_reading *r, size_t max)
{
    struct source *s = &r->source;
    struct bytes some = source_peek(r, 1);
    if (some.n > max)
        some.n = max;
    s->have = (struct bytes){s->have.p ? s->have.p + some.n : NULL, s->have.n - some.n};
    s->at += some.n;
    s->left -= some.n;
    return some;
}

static bool cut_off(struct package_reading *r)
{
    return package_fail(r, PKG_DAMAGED, "it was cut off at octet %llu", (unsigned long long)r->source.at);
}

bool source_take(struct package_reading *r, void *to, size_t n)
{
    for (uint8_t *p = to; n;) {
        struct bytes some = source_some(r, n);
        if (some.n == 0)
            return cut_off(r);
        memcpy(p, some.p, some.n);
        p += some.n;
        n -= some.n;
    }
    return true;
}

bool source_skip(struct package_reading *r, uint64_t n)
{
    while (n) {
        struct bytes some = source_some(r, n < SIZE_MAX ? (size_t)n : SIZE_MAX);
        if (some.n == 0)
            return cut_off(r);
        n -= some.n;
    }
    return true;
}

/* ---- formats ------------------------------------------------------------------------------------------------------------ */

static bool is_deb(struct bytes first)
{
    return bytes_starts(first, BYTES("!<arch>\ndebian-binary"));
}

static bool is_rpm(struct bytes first)
{
    return bytes_starts(first, BYTES("\xed\xab\xee\xdb"));
}

static bool is_adb(struct bytes first)
{
    return bytes_starts(first, BYTES("ADB"));
}

/* Tar, or what tar is packed with; whether there is a package in it shows later. */
static bool is_tar(struct bytes first)
{
    static const struct bytes starts[] = {{(const uint8_t *)"\x1f\x8b", 2}, {(const uint8_t *)"\xfd" "7zXZ", 5},
                                          {(const uint8_t *)"(\xb5/\xfd", 4}, {(const uint8_t *)"BZh", 3}};
    for (size_t i = 0; i < ARRAY_LENGTH(starts); i++)
        if (bytes_starts(first, starts[i]))
            return true;
    return first.n >= 263 && memcmp(first.p + 257, "ustar", 5) == 0;
}

static void read_adb(struct package_reading *r)
{
    package_fail(r, PKG_ABSENT, "a package of apk 3's own format, which is not read yet");
}

static const struct {
    bool (*recognise)(struct bytes first); /* PEEK octets, or fewer if the file is shorter */
    void (*read)(struct package_reading *r);
} formats[] = {
    {is_deb, package_read_deb},
    {is_rpm, package_read_rpm},
    {is_adb, read_adb},
    {is_tar, package_read_pkginfo},
};

enum pkg_status package_read(struct source source, const struct pkg_archive_sink *sink, struct error *error)
{
    struct package_reading r = {.source = source, .sink = sink, .error = error};
    struct bytes first = source_peek(&r, PEEK);
    size_t i = 0;
    while (i < ARRAY_LENGTH(formats) && !formats[i].recognise(first))
        i++;
    if (i < ARRAY_LENGTH(formats))
        formats[i].read(&r);
    else
        package_fail(&r, PKG_ABSENT, "no package file: .deb, .rpm, .pkg.tar.* and .apk are read");
    return r.status;
}

enum pkg_status pkg_archive_read(int fd, const struct pkg_archive_sink *sink, struct error *error)
{
    struct source source = {.fd = fd, .block = malloc(BLOCK), .left = UINT64_MAX};
    if (!source.block) {
        error_set(error, "no memory");
        return PKG_NO_MEMORY;
    }
    enum pkg_status status = package_read(source, sink, error);
    free(source.block);
    return status;
}
