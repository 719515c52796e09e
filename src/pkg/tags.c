#include "pkg/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* SWID tags that software brought itself (ISO/IEC 19770-2:2015 §6.1.4, RFC 9393 §1.3): files *.swidtag (XML) and *.coswid in folders named
 * "swidtag", as /usr/share/REGID/swidtag, /usr/lib/swidtag/REGID, /opt/…/swidtag. Reading one is the sink's business (read_tag), finding them
 * is ours. There is neither a database nor a log, so times are bounds: what a file holds was written at the latest at its change time, which
 * unlike its modification time nobody sets. No link is followed, but those on the way to the places below on the root /. */

enum {
    DEPTH_INSIDE = 3,     /* folders below one named swidtag */
    FOLDERS_MAX = 8192,   /* that are looked into */
    TAGS_MAX = 16384,
    OCTETS_MAX = 256 << 20, /* of all tags */
};

/* Folders named swidtag are looked for here, and in folders so many levels below. */
static const struct {
    const char *path;
    unsigned depth;
} places[] = {
    {"/usr/lib", 0}, {"/usr/share", 1}, {"/usr/local/lib", 0}, {"/usr/local/share", 1}, {"/opt", 3},
};

struct walk {
    char path[PATH_MAX]; /* of the folder at hand, as the root itself would say it */
    const char *root;
    unsigned folders, tags;
    /* False stops. */
    bool (*file)(struct walk *w, int folder, const char *name);
    void (*folder)(void *context, const char *path, bool way);
    const struct pkg_sink *sink;
    void *context;
    bool stopped, unreadable, refused; /* refused: by the sink; a limit ends the search, too */
    uint64_t digest;
    struct wr octets, locator;
    size_t size; /* of all that was read */
};

static void complain_of(const struct walk *w, const char *name, const char *what)
{
    char path[2 * PATH_MAX];
    if (!w->sink)
        return;
    snprintf(path, sizeof path, "%s%s%s%s", strcmp(w->root, "/") == 0 ? "" : w->root, w->path, *name ? "/" : "", name);
    complain_to(w->sink, path, 0, what, false);
}

/* What may not be read is told and passed over; a disk that fails is no answer. */
static void cannot(struct walk *w, const char *name)
{
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
        return;
    w->unreadable |= errno != EACCES && errno != EPERM;
    complain_of(w, name, strerror(errno));
}

/* ---- folders -------------------------------------------------------------------------------------------------------- */

static bool push(struct walk *w, const char *name)
{
    size_t n = strlen(w->path);
    if ((size_t)snprintf(w->path + n, sizeof w->path - n, "/%s", name) < sizeof w->path - n)
        return true;
    w->path[n] = 0;
    return false;
}

static void pop(struct walk *w)
{
    *strrchr(w->path, '/') = 0;
}

static int open_folder(struct walk *w, int in, const char *name)
{
    if (w->stopped || w->folders >= FOLDERS_MAX) {
        if (!w->stopped)
            complain_of(w, "", "too many folders: what is further on is not looked for");
        w->stopped = true;
        return -1;
    }
    int fd = openat(in, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        cannot(w, name);
    w->folders += fd >= 0;
    return fd;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_candidate(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

/* The entries in their order, so that of two alike the same one is the first on every run; -1 with errno. */
static int entries_of(int fd, struct dirent ***entries)
{
    return scandirat(fd, ".", entries, is_candidate, by_name);
}

static bool may_be_folder(const struct dirent *e)
{
    return e->d_type == DT_DIR || e->d_type == DT_UNKNOWN;
}

/* What a name promises. */
static bool is_tag_name(const char *name)
{
    static const char *const endings[] = {".swidtag", ".coswid"};
    size_t n = strlen(name);
    for (size_t i = 0; i < ARRAY_LENGTH(endings); i++)
        if (n > strlen(endings[i]) && strcmp(name + n - strlen(endings[i]), endings[i]) == 0)
            return true;
    return false;
}

/* A folder named swidtag, or one in it. */
static void read_inside(struct walk *w, int fd, unsigned depth)
{
    struct dirent **entries;
    if (w->folder) /* before it is looked into: what comes meanwhile is a change */
        w->folder(w->context, w->path, false);
    int count = entries_of(fd, &entries);
    if (count < 0) {
        cannot(w, "");
        return;
    }
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        int child = -1;
        if (!w->stopped && is_tag_name(name) && w->file)
            w->stopped = !w->file(w, fd, name);
        else if (!w->stopped && depth && may_be_folder(entries[i]) && (child = open_folder(w, fd, name)) >= 0 && push(w, name)) {
            read_inside(w, child, depth - 1);
            pop(w);
        }
        if (child >= 0)
            close(child);
        free(entries[i]);
    }
    free(entries);
}

static void search(struct walk *w, int fd, unsigned depth)
{
    struct dirent **entries = NULL;
    if (w->folder)
        w->folder(w->context, w->path, true);
    int inside = open_folder(w, fd, "swidtag"), count = 0;
    if (inside >= 0 && push(w, "swidtag")) {
        read_inside(w, inside, DEPTH_INSIDE);
        pop(w);
    }
    if (inside >= 0)
        close(inside);
    if (depth && !w->stopped && (count = entries_of(fd, &entries)) < 0)
        cannot(w, "");
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        int child = -1;
        if (!w->stopped && may_be_folder(entries[i]) && strcmp(name, "swidtag") != 0 && (child = open_folder(w, fd, name)) >= 0 &&
            push(w, name)) {
            search(w, child, depth - 1);
            pop(w);
        }
        if (child >= 0)
            close(child);
        free(entries[i]);
    }
    free(entries);
}

/* A folder of the root: on / links may lead anywhere, below another one no component is one. */
static int open_place(const char *root, const char *path)
{
    char name[NAME_MAX + 1];
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && strcmp(root, "/") == 0) {
        close(fd);
        return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    for (struct bytes rest = bytes_of(path + 1); fd >= 0 && rest.n;) {
        struct bytes component = bytes_split(&rest, '/');
        snprintf(name, sizeof name, "%.*s", (int)component.n, (const char *)component.p);
        int next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int number = errno;
        close(fd);
        errno = number;
        fd = next;
    }
    return fd;
}

/* Where a place would come to be: the folder next to it that is there. */
static void tell_way(struct walk *w)
{
    int fd = -1;
    while (fd < 0 && *w->path) {
        pop(w);
        fd = open_place(w->root, *w->path ? w->path : "/");
    }
    if (fd < 0)
        return;
    close(fd);
    w->folder(w->context, *w->path ? w->path : "/", true);
}

/* True: all of it was seen. */
static bool each_tag(struct walk *w)
{
    for (size_t i = 0; i < ARRAY_LENGTH(places) && !w->stopped; i++) {
        int fd = open_place(w->root, places[i].path);
        snprintf(w->path, sizeof w->path, "%s", places[i].path);
        if (fd < 0) {
            cannot(w, "");
            if (w->folder)
                tell_way(w);
            continue;
        }
        search(w, fd, places[i].depth);
        close(fd);
    }
    return !w->stopped;
}

/* ---- files ---------------------------------------------------------------------------------------------------------- */

static bool note_file(struct walk *w, int folder, const char *name)
{
    struct stat st = {0};
    bool good = fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    uint64_t one = digest_add(digest_add(DIGEST_START, w->path, strlen(w->path) + 1), name, strlen(name));
    const int64_t facts[] = {good ? (int64_t)st.st_ctim.tv_sec : -1, st.st_ctim.tv_nsec, (int64_t)st.st_size, (int64_t)st.st_ino, st.st_mode};
    w->digest += digest_add(one, facts, sizeof facts); /* a sum: the order of folders means nothing */
    return ++w->tags < TAGS_MAX;
}

static bool find_one(struct walk *w, int folder, const char *name)
{
    (void)folder, (void)name;
    w->tags++;
    return false;
}

/* False: `what` says why not. A pipe or a device is not even opened. */
static bool read_file(struct walk *w, int folder, const char *name, int64_t *written_at, const char **what)
{
    struct stat st;
    *what = "a link, or no regular file: passed over";
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
        return false;
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        *what = fd < 0 ? strerror(errno) : *what;
        if (fd >= 0)
            close(fd);
        return false;
    }
    *written_at = (int64_t)st.st_ctim.tv_sec;
    wr_reset(&w->octets);
    size_t size = st.st_size > 0 ? (size_t)st.st_size : 0, have = 0;
    size_t at = size <= PKG_TAG_MAX ? wr_hole(&w->octets, size) : SIZE_MAX;
    ssize_t n = 1;
    while (at != SIZE_MAX && have < size && (n = read(fd, w->octets.p + at + have, size - have)) > 0)
        have += (size_t)n;
    close(fd);
    *what = at == SIZE_MAX ? "too large for a tag: passed over" : "it could not be read, or is being written";
    w->unreadable |= n < 0;
    return at != SIZE_MAX && have == size;
}

/* RFC 8089: everything but what a path of RFC 3986 takes as it is becomes %XX. */
static void put_locator(struct wr *w, const char *path)
{
    wr_reset(w);
    wr_str(w, "file://");
    for (const char *p = path; *p; p++)
        if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("-._~/!$&'()*+,;=:@", *p))
            wr_u8(w, (uint8_t)*p);
        else
            wr_fmt(w, "%%%02X", (unsigned)(uint8_t)*p);
}

static bool tell_file(struct walk *w, int folder, const char *name)
{
    struct pkg_package p = {.state = PKG_STATE_INSTALLED, .installed_at = TIME_UNKNOWN};
    struct pkg_tag tag = {0};
    struct error error = {""};
    const char *what;
    if (++w->tags >= TAGS_MAX || w->size > OCTETS_MAX) {
        complain_of(w, name, "too many tags, or too large ones: this one and those behind it are passed over");
        return false;
    }
    if (!w->sink->read_tag)
        return true;
    if (!read_file(w, folder, name, &tag.written_at, &what)) {
        complain_of(w, name, what);
        return true;
    }
    put_locator(&w->locator, w->path);
    tag.octets = wr_view(&w->octets);
    tag.locator = wr_view(&w->locator);
    p.tag = &tag;
    w->size += tag.octets.n;
    if (!w->sink->read_tag(w->sink->context, &p, &tag, &error)) {
        complain_of(w, name, error.text);
        return true;
    }
    w->refused = !w->sink->package(w->sink->context, &p);
    return !w->refused;
}

/* ---- the row -------------------------------------------------------------------------------------------------------- */

static bool tags_present(const char *root)
{
    struct walk w = {.root = root, .file = find_one};
    each_tag(&w);
    return w.tags > 0;
}

static enum pkg_status tags_installed(const char *root, const struct pkg_sink *sink)
{
    struct walk w = {.root = root, .file = tell_file, .sink = sink, .octets = wr_of(PKG_TAG_MAX), .locator = wr_of(0)};
    char usr[PATH_MAX];
    each_tag(&w);
    wr_free(&w.octets);
    wr_free(&w.locator);
    if (w.refused)
        return PKG_STOPPED;
    if (w.unreadable || (!w.tags && (!path_below(usr, root, "/usr") || access(usr, F_OK) != 0)))
        return PKG_UNREADABLE;
    return w.tags ? PKG_OK : PKG_ABSENT;
}

static uint64_t tags_stamp(const char *root)
{
    struct walk w = {.root = root, .file = note_file};
    each_tag(&w);
    return digest_add(digest_add(DIGEST_START, &w.digest, sizeof w.digest), &w.tags, sizeof w.tags);
}

static void tags_folders(const char *root, void (*folder)(void *context, const char *path, bool way), void *context)
{
    struct walk w = {.root = root, .folder = folder, .context = context};
    each_tag(&w);
}

const struct pkg_manager pkg_tags = {
    .name = "tags",
    .doc = "SWID and CoSWID tags that software brought itself in folders named swidtag; times are bounds",
    .source = PKG_SOURCE_TAGS,
    .present = tags_present,
    .installed = tags_installed,
    .side_by_side = true,
    .scattered = true,
    .stamp = tags_stamp,
    .watch = (const char *const[]){"/usr/lib/swidtag", "/usr/share", "/usr/local/lib/swidtag", "/usr/local/share", "/opt", NULL},
    .folders = tags_folders,
};
