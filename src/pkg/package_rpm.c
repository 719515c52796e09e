#include "pkg/package.h"

#include <string.h>
#include <sys/stat.h>

/* A lead of 96 octets that says but "rpm", the header of signatures, padded to eight octets, the header, and the payload: a packed cpio
 * archive ("newc"), which has nothing of its files that the header has not, but for their content. */

#define LEAD      96
#define CPIO      110
#define PATH_LONG 4096
#define ROWS_MAX  ((size_t)256 << 20) /* octets that the header's files may take */

struct rpm {
    struct package_reading *r;
    struct wr octets; /* of the header */
    struct rpm_header header;
    struct arena arena;
    struct rpm_row *rows;
    size_t count;
    struct path_facts by_path;
    struct unpack payload;
};

/* ---- headers --------------------------------------------------------------------------------------------------------------- */

static bool read_intro(struct package_reading *r, const char *which, size_t *index, size_t *store)
{
    uint8_t intro[RPM_HEADER_INTRO];
    if (!source_take(r, intro, sizeof intro))
        return false;
    return rpm_header_size(intro, index, store) ||
           package_fail(r, PKG_DAMAGED, "its %s is no rpm header, or is larger than %zu MiB", which, RPM_HEADER_MAX >> 20);
}

static bool read_header(struct rpm *p)
{
    size_t index, store, hole;
    uint8_t lead[LEAD];
    if (!source_take(p->r, lead, sizeof lead))
        return false;
    if (lead[4] < 3 || lead[4] > 4) /* the major version of the file format */
        return package_fail(p->r, PKG_ABSENT, "an rpm of file format %u, which is not read", lead[4]);
    if (!read_intro(p->r, "signature", &index, &store) || !source_skip(p->r, index + store + (-store & 7)) ||
        !read_intro(p->r, "header", &index, &store))
        return false;
    p->octets = wr_of(index + store);
    if ((hole = wr_hole(&p->octets, index + store)) == SIZE_MAX)
        return package_fail(p->r, PKG_NO_MEMORY, "no memory");
    p->header = (struct rpm_header){{p->octets.p, index}, {p->octets.p + index, store}};
    return source_take(p->r, p->octets.p + hole, index + store);
}

static bool tell_package(struct rpm *p)
{
    struct pkg_archive a;
    if (rpm_header_is_source(&p->header))
        return package_fail(p->r, PKG_DAMAGED, "a source package: nothing that is installed, and so without a tag");
    if (!rpm_header_package(&p->header, &p->arena, &a))
        return package_fail(p->r, PKG_DAMAGED, "it lacks its name, version, release or architecture");
    return package_tell(p->r, &a);
}

static bool read_rows(struct rpm *p)
{
    const char *what;
    if (!rpm_header_rows(&p->header, &p->arena, &p->rows, &p->count, &what))
        return p->arena.exhausted ? package_fail(p->r, PKG_DAMAGED, "it has more files than %zu MiB can list", ROWS_MAX >> 20)
                                  : package_fail(p->r, PKG_DAMAGED, "%s", what);
    for (size_t i = 0; i < p->count; i++)
        path_facts_add(&p->by_path, p->rows[i].path, (struct bytes){(const uint8_t *)&p->rows[i], sizeof p->rows[i]});
    path_facts_sort(&p->by_path);
    if (p->by_path.no_memory)
        return package_fail(p->r, PKG_NO_MEMORY, "no memory");
    return p->by_path.count == p->count || package_fail(p->r, PKG_DAMAGED, "one path stands twice among its files");
}

/* ---- members --------------------------------------------------------------------------------------------------------------- */

static bool tell_row(struct rpm *p, struct rpm_row *row, bool delivered, struct bytes same_as)
{
    static const uint8_t none[64];
    uint8_t digest[64];
    uint32_t type = row->mode & S_IFMT;
    struct pkg_member m = {
        .file = {.path = row->path,
                 .real_path = row->path,
                 .kind = S_ISREG(type)   ? PKG_FILE_REGULAR
                         : S_ISDIR(type) ? PKG_FILE_DIRECTORY
                         : S_ISLNK(type) ? PKG_FILE_LINK
                                         : PKG_FILE_SPECIAL,
                 .config = row->flags & RPM_CONFIG,
                 .optional = row->flags & (RPM_GHOST | RPM_MISSINGOK)},
        .mode = row->mode & 07777,
        .size = S_ISREG(type) ? row->size : 0,
        .delivered = delivered,
        .link = S_ISLNK(type) ? row->link : (struct bytes){0},
        .same_as = same_as,
    };
    if (S_ISREG(type)) {
        struct bytes d = digest_of_hex(row->digest, hash_of_size(row->digest.n / 2), digest);
        m.file.digest = d.n && memcmp(d.p, none, d.n) != 0 ? d : (struct bytes){0};
        m.file.hash = hash_of_size(m.file.digest.n);
    }
    row->told = true;
    return package_tell_member(p->r, &m);
}

static bool tell_content(struct rpm *p, uint64_t size)
{
    while (size) {
        struct bytes some = unpack_some(&p->payload, size < SIZE_MAX ? (size_t)size : SIZE_MAX);
        if (some.n == 0)
            return package_fail(p->r, PKG_DAMAGED, "its payload was cut off");
        if (!package_tell_content(p->r, some))
            return false;
        size -= some.n;
    }
    return p->r->status == PKG_OK;
}

/* What the payload does not bring: files that are only claimed, and the other names of those that it brought. */
static bool tell_others(struct rpm *p)
{
    struct path_facts by_inode = {0};
    bool more = true;
    for (size_t i = 0; i < p->count; i++)
        if (p->rows[i].told && S_ISREG(p->rows[i].mode))
            path_facts_add(&by_inode, (struct bytes){p->rows[i].inode, 8}, p->rows[i].path);
    path_facts_sort(&by_inode);
    for (size_t i = 0; i < p->count && more; i++) {
        struct rpm_row *row = &p->rows[i];
        const struct bytes *same = S_ISREG(row->mode) ? path_facts_find(&by_inode, (struct bytes){row->inode, 8}) : NULL;
        if (row->told)
            continue;
        else if (row->flags & RPM_GHOST)
            more = tell_row(p, row, false, (struct bytes){0});
        else if (same)
            more = tell_row(p, row, false, *same);
        else
            more = package_fail(p->r, PKG_DAMAGED, "%.*s is not in its payload", (int)row->path.n, (const char *)row->path.p);
    }
    if (by_inode.no_memory)
        more = package_fail(p->r, PKG_NO_MEMORY, "no memory");
    path_facts_free(&by_inode);
    return more;
}

/* ---- payload --------------------------------------------------------------------------------------------------------------- */

static bool hexadecimal(const uint8_t *p, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < 8; i++) {
        uint8_t c = p[i], letter = c | 32;
        bool digit = c >= '0' && c <= '9';
        if (!digit && (letter < 'a' || letter > 'f'))
            return false;
        *value = *value << 4 | (uint64_t)(digit ? c - '0' : letter - 'a' + 10);
    }
    return true;
}

/* The next file's path, NUL-terminated, and the octets behind it. */
static bool cpio_next(struct rpm *p, char raw[PATH_LONG], struct bytes *name, uint64_t *size)
{
    uint8_t head[CPIO];
    uint64_t length;
    if (!unpack_take(&p->payload, head, 6))
        return false;
    if (memcmp(head, "07070X", 6) == 0)
        return package_fail(p->r, PKG_ABSENT, "a payload with files of more than 4 GiB, which is not read yet");
    if (memcmp(head, "070701", 6) != 0 && memcmp(head, "070702", 6) != 0)
        return package_fail(p->r, PKG_DAMAGED, "its payload is no cpio archive");
    if (!unpack_take(&p->payload, head + 6, CPIO - 6))
        return false;
    if (!hexadecimal(head + 54, size) || !hexadecimal(head + 94, &length) || length < 2 || length > PATH_LONG)
        return package_fail(p->r, PKG_DAMAGED, "its payload is damaged");
    if (!unpack_take(&p->payload, raw, (size_t)length) || !unpack_skip(&p->payload, -(CPIO + length) & 3))
        return false;
    *name = (struct bytes){(const uint8_t *)raw, (size_t)length - 1};
    return raw[length - 1] == 0 || package_fail(p->r, PKG_DAMAGED, "its payload is damaged");
}

static bool take_file(struct rpm *p, struct bytes name, uint64_t size)
{
    char path[PATH_MAX];
    struct bytes clean;
    if (!package_path(name, path, &clean))
        return package_fail(p->r, PKG_DAMAGED, "the path \"%.200s\" leads out of the package, or is none: refused", (const char *)name.p);
    const struct bytes *fact = path_facts_find(&p->by_path, clean);
    struct rpm_row *row = fact ? (struct rpm_row *)(uintptr_t)fact->p : NULL;
    if (clean.n == 0)
        return unpack_skip(&p->payload, size);
    if (!row || row->told)
        return package_fail(p->r, PKG_DAMAGED, "%.200s stands in its payload, but %s in its header", path, row ? "once" : "not");
    if (!S_ISREG(row->mode))
        return tell_row(p, row, false, (struct bytes){0}) && unpack_skip(&p->payload, size);
    if (size == 0 && row->size > 0)
        return true; /* another name of a file that comes later */
    if (size != row->size)
        return package_fail(p->r, PKG_DAMAGED, "%.200s has another size in its payload than in its header", path);
    return tell_row(p, row, true, (struct bytes){0}) && tell_content(p, size);
}

static bool read_payload(struct rpm *p)
{
    char raw[PATH_LONG];
    struct bytes name = {0};
    uint64_t size = 0;
    if (!unpack_open(&p->payload, p->r))
        return false;
    while (cpio_next(p, raw, &name, &size)) {
        if (bytes_equal(name, BYTES("TRAILER!!!")))
            return unpack_skip(&p->payload, size) && unpack_finish(&p->payload);
        if (!take_file(p, name, size) || !unpack_skip(&p->payload, -size & 3))
            return false;
    }
    return false;
}

void package_read_rpm(struct package_reading *r)
{
    struct rpm p = {.r = r, .arena = arena_of(ROWS_MAX), .payload = {.r = r}};
    if (read_header(&p) && tell_package(&p) && read_rows(&p) && read_payload(&p))
        (void)tell_others(&p);
    unpack_close(&p.payload);
    wr_free(&p.octets);
    path_facts_free(&p.by_path);
    arena_free(&p.arena);
}
