/* Tags of files that no package owns. What is handed over is a folder of somebody's making: no name in it leads out of it, and its depth costs
 * no descriptors. */
#include "agent/tag_maker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a walk ---------------------------------------------------------------------------------------------------------------- */

enum entry_kind { ENTRY_FILE, ENTRY_LINK, ENTRY_FOLDER };
struct entry {
    char *name;
    enum entry_kind kind;
};
struct folder {
    struct arena arena;
    struct entry *entries;
    size_t count, capacity;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static int files_first(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = (x->kind == ENTRY_FOLDER) - (y->kind == ENTRY_FOLDER);
    return order ? order : strcmp(x->name, y->name);
}

static bool add(struct folder *f, int fd, const struct dirent *e)
{
    struct stat st;
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
        return true;
    if (f->count == f->capacity) {
        size_t capacity = f->capacity ? 2 * f->capacity : 32;
        struct entry *grown = realloc(f->entries, capacity * sizeof *grown);
        if (!grown)
            return false;
        f->entries = grown;
        f->capacity = capacity;
    }
    /* Not every file system tells kinds with the names. */
    bool folder = e->d_type == DT_DIR, link = e->d_type == DT_LNK;
    if (e->d_type == DT_UNKNOWN && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        folder = S_ISDIR(st.st_mode), link = S_ISLNK(st.st_mode);
    char *name = arena_string(&f->arena, bytes_of(e->d_name));
    f->entries[f->count++] = (struct entry){name, folder ? ENTRY_FOLDER : link ? ENTRY_LINK : ENTRY_FILE};
    return name != NULL;
}

/* 1: read; 0: it cannot be; -1: no memory. */
static int read_folder(const struct tag_walk *w, const char *path, struct folder *f)
{
    int fd = openat(w->root, *path ? path + 1 : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    bool good = true;
    const struct dirent *e;
    errno = 0;
    while (good && (e = readdir(d)))
        good = add(f, fd, e);
    int result = !good ? -1 : errno == 0;
    closedir(d);
    if (f->count)
        qsort(f->entries, f->count, sizeof *f->entries, w->hierarchic ? by_name : files_first);
    return result;
}

static bool walk(const struct tag_walk *w, struct wr *path);

static bool walk_entry(const struct tag_walk *w, struct wr *path, const struct entry *e)
{
    size_t end = path->n;
    wr_fmt(path, "/%s", e->name);
    bool go_on = e->kind == ENTRY_FOLDER ? walk(w, path) : !path->bad && w->file(w->context, wr_view(path), e->kind == ENTRY_LINK);
    path->n = end;
    return go_on && !path->bad;
}

/* Folders are opened by their whole paths, not one within the other. */
static bool walk(const struct tag_walk *w, struct wr *path)
{
    struct folder f = {.arena = arena_of(SIZE_MAX)};
    int read = path->n < PATH_MAX ? read_folder(w, wr_string(path), &f) : 0;
    if (read == 0 && w->unreadable)
        w->unreadable(w->context, wr_view(path));
    bool go_on = read >= 0;
    for (size_t i = 0; i < f.count && go_on; i++)
        go_on = walk_entry(w, path, &f.entries[i]);
    free(f.entries);
    arena_free(&f.arena);
    return go_on;
}

bool tag_walk(const struct tag_walk *w)
{
    struct wr path = wr_of(0);
    bool done = walk(w, &path);
    wr_free(&path);
    return done;
}

/* No link on the way leads out of another root; on this machine it may lead where it likes. */
int tag_open_below(const char *root, const char *path)
{
    int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool whole = strcmp(root, "/") == 0;
    struct bytes rest = bytes_of(path);
    if (fd >= 0 && whole) {
        close(fd);
        return open(path, O_PATH | O_CLOEXEC);
    }
    while (fd >= 0 && rest.n) {
        char name[NAME_MAX + 1];
        struct bytes b = bytes_split(&rest, '/');
        if (b.n == 0 || bytes_equal(b, BYTES(".")))
            continue;
        bool good = b.n <= NAME_MAX && !bytes_equal(b, BYTES(".."));
        snprintf(name, sizeof name, "%.*s", (int)b.n, (const char *)b.p);
        int next = good ? openat(fd, name, O_PATH | O_CLOEXEC | O_NOFOLLOW) : -1, number = good ? errno : ENAMETOOLONG;
        close(fd);
        fd = next;
        errno = number;
    }
    return fd;
}

/* ---- the tag ---------------------------------------------------------------------------------------------------------------- */

struct evidence {
    const struct agent_tag_taker *taker;
    const struct journal_record *record;
    struct measure *measure;
    struct swid_files files;
    struct wr path;  /* the prefix of what is measured now, and room for one path behind it */
    size_t prefix;
    bool whole;
    bool direct; /* a file directly in the folder that is measured now stands in the tag */
};

static bool take(void *context, struct bytes path, void *tag, const struct measured *m)
{
    struct evidence *e = context;
    const char *what;
    (void)tag;
    e->path.n = e->prefix;
    wr_bytes(&e->path, path);
    tag_put_file(&e->files, wr_view(&e->path), false, m, &what);
    e->direct |= m->state == MEASURE_FILE && !memchr(path.p + 1, '/', path.n - 1);
    if (what) {
        e->whole = false;
        if (e->taker->complain)
            e->taker->complain(e->taker->context, e->record, wr_view(&e->path), what);
    }
    return !e->path.bad && e->files.to->failed == SWID_OK;
}

static bool take_file(void *context, struct bytes path, bool link)
{
    (void)link;
    return measure_file(((struct evidence *)context)->measure, path, NULL);
}

static void take_unreadable(void *context, struct bytes path)
{
    struct evidence *e = context;
    e->whole = false;
    e->path.n = e->prefix;
    wr_bytes(&e->path, path);
    if (e->taker->complain)
        e->taker->complain(e->taker->context, e->record, wr_view(&e->path), "the folder cannot be read");
}

/* A folder's files, or one file in its folder, measured with links that lead no further than below it. */
static bool put_tree(struct evidence *e, const struct agent_tag_style *style, int fd, const char *name, struct error *error)
{
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    const struct measure_options options = {
        .root = self, .hashes = style->hashes, .follow = true, .until = style->until, .take = take, .context = e};
    const struct tag_walk w = {fd, style->hierarchic, take_file, take_unreadable, e};
    e->measure = measure_begin(&options, error);
    if (!e->measure)
        return false;
    struct wr path = wr_of(0);
    wr_fmt(&path, "/%s", name ? name : "");
    bool done = name ? measure_file(e->measure, wr_view(&path), NULL) : tag_walk(&w);
    done = done && measure_flush(e->measure);
    measure_end(e->measure, false);
    wr_free(&path);
    return done;
}

/* The folder to measure below, and the file's name in it (NULL: the folder itself). -1: nothing stands there. */
static int open_tree(const char *root, const char *path, char folder[PATH_MAX], const char **name)
{
    struct stat st;
    size_t n = strlen(path);
    int fd = tag_open_below(root, path);
    *name = NULL;
    if (n >= PATH_MAX || fd < 0 || fstat(fd, &st) != 0 || S_ISDIR(st.st_mode))
        return fd;
    close(fd);
    *name = strrchr(path, '/') + 1;
    snprintf(folder, PATH_MAX, "%.*s", (int)(*name - path), path);
    return tag_open_below(root, folder);
}

static bool put_path(struct evidence *e, const struct agent_tag_style *style, const char *path, const char *shown, struct error *error)
{
    char folder[PATH_MAX];
    const char *name;
    int fd = open_tree(style->root, path, folder, &name);
    if (fd < 0)
        return false;
    struct bytes prefix = bytes_of(shown ? shown : name ? folder : path);
    while (prefix.n && prefix.p[prefix.n - 1] == '/')
        prefix.n--;
    wr_reset(&e->path);
    wr_bytes(&e->path, prefix);
    e->prefix = e->path.n;
    /* What comes to stand beside a lone file is no news; what comes into a folder is, were it empty now. */
    e->files.alone = name != NULL;
    e->direct = name != NULL;
    bool done = put_tree(e, style, fd, name, error);
    close(fd);
    e->path.n = e->prefix;
    if (done && !e->direct)
        swid_files_put_folder(&e->files, wr_view(&e->path));
    return done;
}

bool agent_tags_evidence(const struct agent_tag_style *style, const struct agent_tag_taker *taker, const struct journal_record *r,
                         const char *const *paths, size_t count, const char *shown, struct error *error)
{
    struct evidence e = {.taker = taker, .record = r, .path = wr_of(0), .whole = true};
    struct swid_sink *sink;
    error->text[0] = 0;
    for (size_t i = 0; i < count; i++) {
        int fd = *paths[i] == '/' ? tag_open_below(style->root, paths[i]) : -1;
        if (fd < 0) {
            error_set(error, "%s: %s", paths[i], *paths[i] == '/' ? strerror(errno) : "not absolute");
            return false;
        }
        close(fd);
    }
    if (!(sink = taker->begin(taker->context, r)) || !tag_put_head(sink, style, r))
        return false;
    bool done = true;
    swid_files_begin(&e.files, sink, style->hierarchic, &(struct swid_node){.element = SWID_EVIDENCE});
    for (size_t i = 0; i < count && done; i++)
        done = put_path(&e, style, paths[i], shown, error);
    swid_files_end(&e.files);
    sink->close(sink, SWID_IDENTITY);
    wr_free(&e.path);
    return done && taker->end(taker->context, r, e.whole);
}
