#include "measure/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK ((size_t)128 << 10) /* fits a core's second cache: it is still there when it is hashed */

struct reader {
    int root, folder; /* folder: of the path `folder_path`, -1 none */
    unsigned hashes;
    bool follow;
    uint64_t until;
    struct measure_hasher *hasher;
    uint8_t *block;
    char folder_path[PATH_MAX];
};

struct reader *reader_new(int root, const struct measure_options *o)
{
    struct reader *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    *r = (struct reader){
        .root = root, .folder = -1, .hashes = o->hashes, .follow = o->follow, .until = o->until, .block = malloc(BLOCK), .hasher = measure_hasher_new(o->hashes)};
    if (r->block && r->hasher)
        return r;
    reader_free(r);
    return NULL;
}

void reader_free(struct reader *r)
{
    if (!r)
        return;
    measure_hasher_free(r->hasher);
    if (r->folder >= 0)
        close(r->folder);
    free(r->block);
    free(r);
}

static int64_t nanoseconds(struct timespec t)
{
    return (int64_t)((uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec);
}

static struct file_facts facts_of(const struct stat *st)
{
    return (struct file_facts){st->st_size, nanoseconds(st->st_mtim), nanoseconds(st->st_ctim), (int64_t)st->st_ino, (int64_t)st->st_dev};
}

static bool same_facts(const struct file_facts *a, const struct file_facts *b)
{
    return memcmp(a, b, sizeof *a) == 0; /* five numbers, nothing between them */
}

static enum measure_state state_of_errno(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
        return MEASURE_MISSING;
    default:
        return MEASURE_UNREADABLE;
    }
}

static enum measure_state state_of_mode(mode_t mode)
{
    return S_ISREG(mode) ? MEASURE_FILE : S_ISDIR(mode) ? MEASURE_DIRECTORY : S_ISLNK(mode) ? MEASURE_LINK : MEASURE_SPECIAL;
}

/* Packages' lists go folder by folder: the one of the path before is mostly the one of this path. */
static const char *enter_folder(struct reader *r, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (n >= sizeof r->folder_path) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    if (r->folder < 0 || strncmp(r->folder_path, path, n) != 0 || r->folder_path[n]) {
        if (r->folder >= 0)
            close(r->folder);
        memcpy(r->folder_path, path, n);
        r->folder_path[n] = 0;
        r->folder = measure_open_below(r->root, n ? r->folder_path : "/");
    }
    return slash ? slash + 1 : path;
}

bool reader_is_late(uint64_t until)
{
    return until && time_monotonic_ms() >= until;
}

/* Hashes all of it: size and times must be the same before and after, and as many octets must have come. */
static enum measure_state hash_content(struct reader *r, int fd, struct file_facts *facts, struct measured *out)
{
    struct stat st;
    int64_t done = 0;
    measure_hasher_begin(r->hasher);
    /* One octet more than there should be shows that it grew; reading on for ever is not possible. */
    while (done <= facts->size) {
        if (reader_is_late(r->until)) /* one file can be larger than anybody waits for */
            return MEASURE_UNREADABLE;
        ssize_t n = read(fd, r->block, BLOCK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return MEASURE_UNREADABLE;
        if (n == 0)
            break;
        measure_hasher_add(r->hasher, (struct bytes){r->block, (size_t)n});
        done += n;
    }
    if (!measure_hasher_end(r->hasher, out) || fstat(fd, &st) != 0)
        return MEASURE_UNREADABLE;
    struct file_facts after = facts_of(&st);
    return done != facts->size || !same_facts(facts, &after) ? MEASURE_CHANGED : MEASURE_FILE;
}

/* name is one component and no link; a pipe that took the file's place meanwhile is not waited for. */
static enum measure_state read_file(struct reader *r, int folder, const char *name, struct file_facts *facts, struct measured *out)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    if (fd < 0)
        return errno == ELOOP ? MEASURE_CHANGED : state_of_errno(errno);
    enum measure_state state = MEASURE_UNREADABLE;
    if (fstat(fd, &st) == 0) {
        struct file_facts opened = facts_of(&st);
        state = S_ISREG(st.st_mode) && opened.inode == facts->inode && opened.device == facts->device ? MEASURE_FILE : MEASURE_CHANGED;
        *facts = opened;
        out->size = (uint64_t)opened.size;
    }
    if (state == MEASURE_FILE)
        state = hash_content(r, fd, facts, out);
    close(fd);
    return state;
}

/* Where the link leads, below the root. */
static int follow_link(struct reader *r, const char *path, struct stat *st)
{
    int fd = measure_open_below(r->root, path);
    if (fd >= 0 && fstat(fd, st) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static enum measure_state look(struct reader *r, const char *path, const struct known *known, struct file_facts *facts, struct measured *out)
{
    char self[64];
    struct stat st;
    int target = -1;
    const char *name = enter_folder(r, path);
    if (!name || r->folder < 0)
        return state_of_errno(errno);
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return MEASURE_DIRECTORY;
    if (fstatat(r->folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return state_of_errno(errno);
    out->mode = st.st_mode; /* of the link itself, if it leads nowhere */
    if (r->follow && S_ISLNK(st.st_mode) && (target = follow_link(r, path, &st)) < 0)
        return state_of_errno(errno);
    enum measure_state state = state_of_mode(st.st_mode);
    *facts = facts_of(&st);
    out->mode = st.st_mode;
    out->size = state == MEASURE_FILE ? (uint64_t)st.st_size : 0;
    if (state == MEASURE_FILE && r->hashes && known && (known->hashes & r->hashes) == r->hashes && same_facts(&known->facts, facts)) {
        out->cached = true;
        out->hashes = r->hashes;
        memcpy(out->digests, known->digests, sizeof out->digests);
    } else if (state == MEASURE_FILE && r->hashes && target < 0)
        state = read_file(r, r->folder, name, facts, out);
    else if (state == MEASURE_FILE && r->hashes) {
        /* /proc/self/fd/N is the very file that the descriptor stands for, not a name that could lead elsewhere. */
        snprintf(self, sizeof self, "/proc/self/fd/%d", target);
        int fd = open(self, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        state = fd < 0 ? MEASURE_UNREADABLE : hash_content(r, fd, facts, out);
        if (fd >= 0)
            close(fd);
    }
    if (target >= 0)
        close(target);
    return state;
}

void reader_measure(struct reader *r, const char *path, const struct known *known, struct file_facts *facts, struct measured *out)
{
    *out = (struct measured){0};
    *facts = (struct file_facts){0};
    out->state = look(r, path, known, facts, out);
    if (out->state != MEASURE_FILE)
        out->hashes = 0, out->size = 0;
}
