#include "pkg/package.h"

#include <string.h>

/* rpm's header: "\x8e\xad\xe8\x01", four octets, the number of index entries and the size of the store; entries of tag, type, offset into the
 * store and count; the store (rpm's doc/manual/format.md). Entries are looked up as they are asked for, nothing else of it is believed. */

#define ENTRY    16
#define TAGS_MAX 65535

enum tag {
    TAG_NAME = 1000,
    TAG_VERSION = 1001,
    TAG_RELEASE = 1002,
    TAG_EPOCH = 1003,
    TAG_SUMMARY = 1004,
    TAG_LICENSE = 1014,
    TAG_URL = 1020,
    TAG_ARCH = 1022,
    TAG_FILESIZES = 1028,
    TAG_FILEMODES = 1030,
    TAG_FILEDIGESTS = 1035,
    TAG_FILELINKTOS = 1036,
    TAG_FILEFLAGS = 1037,
    TAG_SOURCERPM = 1044,
    TAG_FILEDEVICES = 1095,
    TAG_FILEINODES = 1096,
    TAG_SOURCEPACKAGE = 1106,
    TAG_DIRINDEXES = 1116,
    TAG_BASENAMES = 1117,
    TAG_DIRNAMES = 1118,
    TAG_LONGFILESIZES = 5008,
};
static const uint8_t widths[] = {[1] = 1, [2] = 1, [3] = 2, [4] = 4, [5] = 8}; /* of the types that are numbers */
enum { TYPE_STRING = 6, TYPE_BIN = 7, TYPE_STRINGS = 8, TYPE_I18N = 9 };

bool rpm_header_size(const uint8_t intro[RPM_HEADER_INTRO], size_t *index, size_t *store)
{
    struct rd r = rd_of((struct bytes){intro, RPM_HEADER_INTRO}, 0);
    bool magic = rd_u32(&r) == 0x8eade801;
    rd_u32(&r);
    size_t tags = rd_u32(&r);
    *store = rd_u32(&r);
    *index = tags * ENTRY;
    return magic && tags > 0 && tags <= TAGS_MAX && *store <= RPM_HEADER_MAX;
}

bool rpm_header_values(const struct rpm_header *h, uint32_t wanted, struct rpm_values *v)
{
    struct rd r = rd_of(h->index, 0);
    *v = (struct rpm_values){0};
    while (rd_more(&r)) {
        uint32_t tag = rd_u32(&r), type = rd_u32(&r), offset = rd_u32(&r), count = rd_u32(&r);
        if (tag != wanted)
            continue;
        struct rd store = rd_of(h->store, 0);
        rd_take(&store, offset);
        v->count = count;
        v->width = type < sizeof widths ? widths[type] : 0;
        if (!v->width && type != TYPE_STRING && type != TYPE_STRINGS && type != TYPE_I18N)
            return false;
        v->octets = v->width ? rd_take(&store, (size_t)count * v->width) : rd_rest(&store);
        return !store.bad && count > 0;
    }
    return false;
}

uint64_t rpm_number(const struct rpm_values *v, size_t i)
{
    if (i >= v->count || v->width == 0)
        return 0;
    struct rd r = rd_of((struct bytes){v->octets.p + i * v->width, v->width}, 0);
    return v->width == 8 ? rd_u64(&r) : v->width == 4 ? rd_u32(&r) : v->width == 2 ? rd_u16(&r) : rd_u8(&r);
}

struct bytes rpm_next_text(struct rpm_values *v)
{
    if (v->count == 0 || v->width)
        return (struct bytes){0};
    v->count--;
    if (v->octets.n == 0 || !memchr(v->octets.p, 0, v->octets.n)) {
        *v = (struct rpm_values){0};
        return (struct bytes){0};
    }
    return bytes_split(&v->octets, 0);
}

struct bytes rpm_header_text(const struct rpm_header *h, uint32_t tag)
{
    struct rpm_values v;
    return rpm_header_values(h, tag, &v) ? rpm_next_text(&v) : (struct bytes){0};
}

/* As librpm's EVR: an epoch that is there is said, 0 too. */
static struct bytes version_of(const struct rpm_header *h, struct arena *a)
{
    struct bytes version = rpm_header_text(h, TAG_VERSION), release = rpm_header_text(h, TAG_RELEASE), copy = {0};
    struct rpm_values epoch;
    struct wr w = wr_of(65536);
    if (!is_word(version) || !is_word(release))
        return copy;
    if (rpm_header_values(h, TAG_EPOCH, &epoch))
        wr_fmt(&w, "%llu:", (unsigned long long)rpm_number(&epoch, 0));
    wr_bytes(&w, version);
    wr_str(&w, "-");
    wr_bytes(&w, release);
    if (!w.bad)
        copy = arena_copy(a, wr_view(&w));
    wr_free(&w);
    return copy;
}

bool rpm_header_is_source(const struct rpm_header *h)
{
    struct rpm_values source;
    return rpm_header_values(h, TAG_SOURCEPACKAGE, &source);
}

bool rpm_header_package(const struct rpm_header *h, struct arena *a, struct pkg_archive *out)
{
    *out = (struct pkg_archive){
        .manager = &pkg_rpm,
        .package = {.name = rpm_header_text(h, TAG_NAME),
                    .version = version_of(h, a),
                    .arch = rpm_header_text(h, TAG_ARCH),
                    .state = PKG_STATE_INSTALLED,
                    .installed_at = TIME_UNKNOWN},
        .summary = rpm_header_text(h, TAG_SUMMARY),
        .licence = rpm_header_text(h, TAG_LICENSE),
        .homepage = rpm_header_text(h, TAG_URL),
    };
    rpm_split_source(rpm_header_text(h, TAG_SOURCERPM), &out->package);
    return is_word(out->package.name) && is_word(out->package.version) && is_word(out->package.arch);
}

/* ---- files --------------------------------------------------------------------------------------------------------------- */

/* The parallel lists, an item a file each. */
struct lists {
    struct rpm_values names, folder_of, sizes, modes, flags, digests, links, devices, inodes;
    struct bytes *folders;
    size_t folder_count;
};

static bool read_folders(const struct rpm_header *h, struct arena *a, struct lists *l)
{
    struct rpm_values v;
    if (!rpm_header_values(h, TAG_DIRNAMES, &v) || v.count > v.octets.n)
        return false;
    l->folder_count = v.count;
    l->folders = arena_zalloc(a, v.count, sizeof *l->folders);
    for (size_t i = 0; l->folders && i < l->folder_count; i++)
        l->folders[i] = rpm_next_text(&v);
    return l->folders != NULL;
}

/* Every list that is there has an item for each file. */
static bool read_lists(const struct rpm_header *h, struct arena *a, struct lists *l)
{
    const struct {
        uint32_t tag;
        struct rpm_values *list;
        bool numbers;
    } wanted[] = {{TAG_DIRINDEXES, &l->folder_of, true}, {TAG_FILEMODES, &l->modes, true},     {TAG_FILEFLAGS, &l->flags, true},
                  {TAG_FILEDIGESTS, &l->digests, false}, {TAG_FILELINKTOS, &l->links, false}, {TAG_FILEDEVICES, &l->devices, true},
                  {TAG_FILEINODES, &l->inodes, true}};
    bool good = l->names.width == 0 && l->names.count <= l->names.octets.n;
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++)
        good = good && rpm_header_values(h, wanted[i].tag, wanted[i].list) && wanted[i].list->count == l->names.count &&
               (wanted[i].list->width > 0) == wanted[i].numbers;
    good = good && (rpm_header_values(h, TAG_LONGFILESIZES, &l->sizes) || rpm_header_values(h, TAG_FILESIZES, &l->sizes)) &&
           l->sizes.count == l->names.count && l->sizes.width > 0;
    return good && read_folders(h, a, l);
}

static bool read_row(struct lists *l, size_t i, struct arena *a, struct rpm_row *row)
{
    char path[PATH_MAX], raw[PATH_MAX];
    struct bytes name = rpm_next_text(&l->names), folder = {0};
    uint64_t at = rpm_number(&l->folder_of, i);
    if (at < l->folder_count)
        folder = l->folders[at];
    if (folder.n + name.n == 0 || folder.n + name.n >= sizeof raw)
        return false;
    memcpy(raw, folder.p ? (const char *)folder.p : "", folder.n);
    memcpy(raw + folder.n, name.p ? (const char *)name.p : "", name.n);
    if (!package_path((struct bytes){(const uint8_t *)raw, folder.n + name.n}, path, &row->path))
        return false;
    row->path = arena_copy(a, row->path);
    row->link = rpm_next_text(&l->links);
    row->digest = rpm_next_text(&l->digests);
    row->size = rpm_number(&l->sizes, i);
    row->mode = (uint32_t)rpm_number(&l->modes, i) & 0xffff;
    row->flags = (uint32_t)rpm_number(&l->flags, i);
    uint32_t device = (uint32_t)rpm_number(&l->devices, i), inode = (uint32_t)rpm_number(&l->inodes, i);
    memcpy(row->inode, &device, 4);
    memcpy(row->inode + 4, &inode, 4);
    return true;
}

bool rpm_header_rows(const struct rpm_header *h, struct arena *a, struct rpm_row **rows, size_t *count, const char **what)
{
    struct lists l = {0};
    *rows = NULL;
    *count = 0;
    *what = "the lists of its files contradict one another";
    if (!rpm_header_values(h, TAG_BASENAMES, &l.names))
        return true; /* a package without files */
    size_t n = l.names.count;
    if (!read_lists(h, a, &l) || !(*rows = arena_zalloc(a, n, sizeof **rows)))
        return false;
    *what = "a path leads out of the package, or is none: refused";
    for (size_t i = 0; i < n; i++) {
        if (!read_row(&l, i, a, &(*rows)[*count]))
            return false;
        *count += (*rows)[*count].path.n > 0; /* the root itself */
    }
    return !a->exhausted;
}
