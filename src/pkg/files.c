#include "pkg/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void pkg_files_end(struct pkg_files *f)
{
    if (f->release)
        f->release(f->kept);
    *f = (struct pkg_files){.root = f->root};
}

static const struct {
    const char *name;
    size_t size;
} hashes[] = {
    [PKG_HASH_NONE] = {"", 0},        [PKG_HASH_MD5] = {"md5", 16},       [PKG_HASH_SHA1] = {"sha1", 20},
    [PKG_HASH_SHA256] = {"sha256", 32}, [PKG_HASH_SHA384] = {"sha384", 48}, [PKG_HASH_SHA512] = {"sha512", 64},
};

const char *pkg_hash_name(enum pkg_hash h)
{
    return (size_t)h < ARRAY_LENGTH(hashes) ? hashes[h].name : "";
}

enum pkg_hash hash_of_size(size_t octets)
{
    for (size_t i = 1; i < ARRAY_LENGTH(hashes); i++)
        if (hashes[i].size == octets)
            return (enum pkg_hash)i;
    return PKG_HASH_NONE;
}

static int nibble(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct bytes digest_of_hex(struct bytes hex, enum pkg_hash hash, uint8_t out[64])
{
    size_t n = hashes[hash].size;
    if (hex.n != 2 * n)
        return (struct bytes){0};
    for (size_t i = 0; i < n; i++) {
        int high = nibble(hex.p[2 * i]), low = nibble(hex.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return (struct bytes){0};
        out[i] = (uint8_t)(high << 4 | low);
    }
    return (struct bytes){out, n};
}

int open_below(const char *root, const char *path, int flags)
{
    int folder = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -1;
    while (*path == '/')
        path++;
    flags |= O_CLOEXEC;
    struct open_how how = {.flags = (unsigned)flags, .resolve = RESOLVE_IN_ROOT};
    int fd = (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
    /* Before Linux 5.6; EPERM from a sandbox that does not know the call. */
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        fd = openat(folder, path, strcmp(root, "/") == 0 ? flags : flags | O_NOFOLLOW);
    int why = errno;
    close(folder);
    errno = why;
    return fd;
}

/* Reads and closes it; fd < 0: errno says why. */
static enum pkg_status read_opened(int fd, struct wr *to)
{
    struct stat st;
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? PKG_ABSENT : PKG_UNREADABLE;
    enum pkg_status status = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? PKG_OK : PKG_UNREADABLE;
    size_t start = to->n, size = status == PKG_OK ? (size_t)st.st_size : 0;
    if (status == PKG_OK && wr_hole(to, size) == SIZE_MAX)
        status = PKG_DAMAGED;
    /* What grows while it is read counts as far as it had grown. */
    size_t have = 0;
    for (ssize_t n = 1; status == PKG_OK && n > 0 && have < size;) {
        n = read(fd, to->p + start + have, size - have);
        if (n > 0)
            have += (size_t)n;
        else if (n < 0)
            status = PKG_UNREADABLE;
    }
    close(fd);
    if (!to->bad)
        to->n = start + have;
    return status;
}

#define READING (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

enum pkg_status file_read(const char *path, struct wr *to)
{
    return read_opened(open(path, READING), to);
}

enum pkg_status file_read_below(const char *root, const char *path, struct wr *to)
{
    return read_opened(open_below(root, path, READING), to);
}

bool path_is_good(struct bytes path)
{
    if (path.n < 2 || path.p[0] != '/' || memchr(path.p, 0, path.n) || path.n >= PATH_MAX)
        return false;
    for (struct bytes rest = path; rest.n;)
        if (bytes_equal(bytes_split(&rest, '/'), BYTES("..")))
            return false;
    return true;
}

/* ---- what is said of paths ------------------------------------------------------------------------------------------ */

void path_facts_add(struct path_facts *f, struct bytes path, struct bytes fact)
{
    if (f->count == f->capacity) {
        size_t capacity = f->capacity ? f->capacity * 2 : 256;
        struct path_fact *grown = realloc(f->items, capacity * sizeof *grown);
        if (!grown) {
            f->no_memory = true;
            return;
        }
        f->items = grown;
        f->capacity = capacity;
    }
    if (f->count && bytes_compare(f->items[f->count - 1].path, path) >= 0)
        f->unsorted = true;
    f->items[f->count] = (struct path_fact){path, fact, f->count};
    f->count++;
}

static int by_path(const void *a, const void *b)
{
    const struct path_fact *x = a, *y = b;
    int order = bytes_compare(x->path, y->path);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

void path_facts_sort(struct path_facts *f)
{
    size_t kept = 0;
    if (!f->unsorted)
        return;
    qsort(f->items, f->count, sizeof *f->items, by_path);
    for (size_t i = 0; i < f->count; i++) {
        if (kept && bytes_equal(f->items[kept - 1].path, f->items[i].path))
            kept--;
        f->items[kept++] = f->items[i];
    }
    f->count = kept;
    f->unsorted = false;
}

const struct bytes *path_facts_find(const struct path_facts *f, struct bytes path)
{
    size_t from = 0, to = f->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = bytes_compare(f->items[middle].path, path);
        if (order == 0)
            return &f->items[middle].fact;
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

void path_facts_free(struct path_facts *f)
{
    free(f->items);
    *f = (struct path_facts){0};
}
