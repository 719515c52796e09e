/* A tag beside the disk. The tag is read twice: first for what it asks for, which hashes and whether it is evidence; then file by file into the
 * measuring room. Only evidence, where a file too many is news, keeps all its paths. */
#include "agent/tag_maker.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATHS_MAX ((size_t)512 << 20) /* octets of a tag's paths, and of where they begin */

struct expected {
    struct swid_file file; /* its digests stand in `octets`; no path */
    uint8_t octets[3][64];
};

struct paths {
    struct bytes *items; /* sorted once the tag is read */
    size_t count, capacity;
};

struct verify {
    struct swid_sink sink; /* first: hears where the files stand, and hands all on to the lister */
    struct swid_lister lister;
    const char *root;
    struct measure *measure;
    bool evidence, failed;
    unsigned hashes;
    struct arena arena;
    struct paths paths, folders; /* of evidence: its files; the Directory elements with nothing in them, and the folders of files */
    struct bytes top; /* the folder that is walked for added files */
    void (*differ)(void *context, enum agent_file_state s, struct bytes path);
    void *context;
    size_t *counts;
    size_t *walked;
};

const char *agent_file_state_name(enum agent_file_state s)
{
    static const char *const names[] = {"same", "changed", "mutable", "missing", "added", "unreadable"};
    return (size_t)s < ARRAY_LENGTH(names) ? names[s] : "unknown";
}

static void tell(struct verify *v, enum agent_file_state s, struct bytes path)
{
    v->counts[s]++;
    if (s != AGENT_FILE_SAME)
        v->differ(v->context, s, path);
}

static void forward_open(struct swid_sink *s, const struct swid_node *node)
{
    struct verify *v = (struct verify *)s;
    v->evidence |= node->element == SWID_EVIDENCE;
    v->lister.sink.open(&v->lister.sink, node);
    s->failed = v->lister.sink.failed;
}

static void forward_close(struct swid_sink *s, enum swid_element element)
{
    struct verify *v = (struct verify *)s;
    v->lister.sink.close(&v->lister.sink, element);
}

/* Each file of the tag once more; whatever `file` notes in v. */
static enum swid_status each_file(struct verify *v, struct bytes tag, void (*file)(void *, const struct swid_file *),
                                  void (*folder)(void *, struct bytes), struct error *error)
{
    v->sink = (struct swid_sink){.open = forward_open, .close = forward_close};
    v->lister = swid_lister_of(file, v);
    v->lister.folder = folder;
    enum swid_status status = swid_read(tag, &v->sink, error);
    if (status == SWID_MALFORMED && v->lister.sink.failed == SWID_MALFORMED)
        error_set(error, "a path of the tag climbs out of its folder, or is too deep");
    swid_lister_free(&v->lister);
    return status;
}

static void note_hashes(void *context, const struct swid_file *f)
{
    struct verify *v = context;
    v->hashes |= (f->sha256.n ? MEASURE_SHA256 : 0U) | (f->sha384.n ? MEASURE_SHA384 : 0U) | (f->sha512.n ? MEASURE_SHA512 : 0U);
}

/* ---- files of the tag --------------------------------------------------------------------------------------------------------- */

/* The digests of file `f` as it was measured; false: one that the tag has is another one. */
static bool same_digests(const struct swid_file *f, const struct measured *m)
{
    const struct {
        struct bytes wanted;
        enum measure_hash hash;
    } pairs[] = {{f->sha256, MEASURE_SHA256}, {f->sha384, MEASURE_SHA384}, {f->sha512, MEASURE_SHA512}};
    for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++)
        if (pairs[i].wanted.n && !bytes_equal(pairs[i].wanted, measured_digest(m, pairs[i].hash)))
            return false;
    return true;
}

static enum agent_file_state compare(const struct swid_file *f, const struct measured *m)
{
    bool comparable = f->sized || f->sha256.n || f->sha384.n || f->sha512.n, there = m->state == MEASURE_FILE;
    if (m->state == MEASURE_UNREADABLE || m->state == MEASURE_CHANGED || (there && !comparable))
        return AGENT_FILE_UNREADABLE;
    if (there && (!f->sized || f->size == m->size) && same_digests(f, m))
        return AGENT_FILE_SAME;
    return f->mutable ? AGENT_FILE_MUTABLE : there ? AGENT_FILE_CHANGED : AGENT_FILE_MISSING;
}

static bool take_measured(void *context, struct bytes path, void *tag, const struct measured *m)
{
    struct verify *v = context;
    struct expected *e = tag;
    tell(v, compare(&e->file, m), path);
    free(e);
    return true;
}

static bool add_path(struct paths *p, struct bytes path)
{
    if (p->count == p->capacity) {
        size_t capacity = p->capacity ? 2 * p->capacity : 1024;
        struct bytes *grown = capacity * sizeof *grown <= PATHS_MAX ? realloc(p->items, capacity * sizeof *grown) : NULL;
        if (!grown)
            return false;
        p->items = grown;
        p->capacity = capacity;
    }
    p->items[p->count++] = path;
    return true;
}

/* The folder that holds it, without the slash: "" of what stands in /. */
static struct bytes folder_of(struct bytes path)
{
    while (path.n && path.p[path.n - 1] != '/')
        path.n--;
    path.n -= path.n > 0;
    return path;
}

/* Remembers a file of evidence, and its folder unless it stands in no Directory: then its neighbours are nobody's concern. */
static bool keep(struct verify *v, struct bytes path, bool alone)
{
    struct bytes copy = arena_copy(&v->arena, path), folder = folder_of(copy);
    const struct paths *f = &v->folders;
    bool known = alone || (f->count && bytes_equal(f->items[f->count - 1], folder));
    return copy.p && add_path(&v->paths, copy) && (known || add_path(&v->folders, folder));
}

/* A path of the tag is absolute; one without a root is below ours. */
static struct wr below_root(struct bytes path)
{
    struct wr w = wr_of(0);
    wr_str(&w, path.n && path.p[0] == '/' ? "" : "/");
    wr_bytes(&w, path);
    return w;
}

static void ask(void *context, const struct swid_file *f)
{
    struct verify *v = context;
    struct expected *e = v->failed ? NULL : malloc(sizeof *e);
    struct wr path = below_root(f->path);
    if (!e || path.bad || (v->evidence && !keep(v, wr_view(&path), f->alone))) {
        v->failed = true;
        free(e);
    } else {
        *e = (struct expected){.file = *f};
        struct bytes *digests[] = {&e->file.sha256, &e->file.sha384, &e->file.sha512};
        for (size_t i = 0; i < ARRAY_LENGTH(digests); i++) {
            if (digests[i]->n)
                memcpy(e->octets[i], digests[i]->p, digests[i]->n);
            digests[i]->p = e->octets[i];
        }
        e->file.path = (struct bytes){0};
        v->failed = !measure_file(v->measure, wr_view(&path), e);
    }
    wr_free(&path);
}

/* A folder that stands for itself: what is in it now, and that it is there at all. */
static void note_folder(void *context, struct bytes path)
{
    struct verify *v = context;
    if (!v->evidence || !path.n)
        return;
    struct wr whole = below_root(path);
    struct bytes copy = arena_copy(&v->arena, wr_view(&whole));
    v->failed |= whole.bad || !copy.p || !add_path(&v->folders, copy);
    wr_free(&whole);
}

/* ---- files that are not in the tag ------------------------------------------------------------------------------------------------ */

static int by_octets(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

/* A folder before all that is in it, and that before its next neighbour. */
static int by_components(const void *a, const void *b)
{
    const struct bytes *x = a, *y = b;
    for (size_t i = 0; i < x->n && i < y->n; i++)
        if (x->p[i] != y->p[i])
            return x->p[i] == '/' ? -1 : y->p[i] == '/' ? 1 : x->p[i] < y->p[i] ? -1 : 1;
    return (x->n > y->n) - (x->n < y->n);
}

static struct wr whole_path(const struct verify *v, struct bytes path)
{
    struct wr w = wr_of(0);
    wr_bytes(&w, v->top);
    wr_bytes(&w, path);
    return w;
}

static bool take_added(void *context, struct bytes path, void *tag, const struct measured *m)
{
    struct verify *v = context;
    struct wr w = whole_path(v, path);
    (void)tag;
    if (m->state == MEASURE_FILE)
        tell(v, AGENT_FILE_ADDED, wr_view(&w));
    wr_free(&w);
    return true;
}

static bool take_entry(void *context, struct bytes path, bool link)
{
    struct verify *v = context;
    struct wr w = whole_path(v, path);
    struct bytes whole = wr_view(&w);
    bool known = v->paths.count && bsearch(&whole, v->paths.items, v->paths.count, sizeof whole, by_octets);
    (void)link;
    wr_free(&w);
    return known || measure_file(v->measure, path, NULL);
}

static void take_unreadable(void *context, struct bytes path)
{
    struct verify *v = context;
    struct wr w = whole_path(v, path);
    tell(v, AGENT_FILE_UNREADABLE, wr_view(&w));
    wr_free(&w);
}

static bool walk_top(struct verify *v, struct error *error)
{
    char self[64], *path = arena_string(&v->arena, v->top);
    struct stat st;
    int root = open(v->root, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = root >= 0 && path ? measure_open_below(root, path) : -1;
    if (root >= 0)
        close(root);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISDIR(st.st_mode)) {
        if (fd >= 0)
            close(fd);
        if (v->top.p[v->top.n] != '/') /* it is no file's folder, whose files were told as missing already */
            tell(v, AGENT_FILE_MISSING, v->top);
        return path != NULL;
    }
    ++*v->walked;
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    const struct tag_walk w = {.root = fd, .file = take_entry, .unreadable = take_unreadable, .context = v};
    v->measure = measure_begin(&(struct measure_options){.root = self, .follow = true, .threads = 1, .take = take_added, .context = v}, error);
    bool done = v->measure && tag_walk(&w) && measure_flush(v->measure);
    measure_end(v->measure, false);
    v->measure = NULL;
    close(fd);
    return done;
}

static bool is_below(struct bytes path, struct bytes folder)
{
    return bytes_starts(path, folder) && path.n > folder.n && path.p[folder.n] == '/';
}

/* Walks the folders of the tag, a folder below another one together with that. What stands beside files in / is nobody's evidence. */
static bool find_added(struct verify *v, struct error *error)
{
    struct bytes top = {0};
    bool done = true;
    if (v->paths.count)
        qsort(v->paths.items, v->paths.count, sizeof *v->paths.items, by_octets);
    if (v->folders.count)
        qsort(v->folders.items, v->folders.count, sizeof *v->folders.items, by_components);
    for (size_t i = 0; i < v->folders.count && done; i++) {
        struct bytes folder = v->folders.items[i];
        if (!folder.n || (top.n && (bytes_equal(folder, top) || is_below(folder, top))))
            continue;
        v->top = top = folder;
        done = walk_top(v, error);
    }
    return done;
}

enum swid_status agent_tag_verify(struct bytes tag, const char *root, void (*differ)(void *context, enum agent_file_state s, struct bytes path),
                                  void *context, size_t counts[AGENT_FILE_STATES], size_t *walked, struct error *error)
{
    struct verify v = {.root = root, .differ = differ, .context = context, .counts = counts, .walked = walked, .arena = arena_of(PATHS_MAX)};
    memset(counts, 0, AGENT_FILE_STATES * sizeof *counts);
    *walked = 0;
    error->text[0] = 0;
    enum swid_status status = each_file(&v, tag, note_hashes, NULL, error);
    if (status != SWID_OK)
        return status;
    const struct measure_options options = {.root = root, .hashes = v.hashes, .follow = true, .take = take_measured, .context = &v};
    v.measure = measure_begin(&options, error);
    if (!v.measure)
        return SWID_NO_MEMORY;
    status = each_file(&v, tag, ask, note_folder, error);
    bool done = measure_flush(v.measure) && !v.failed && status == SWID_OK;
    measure_end(v.measure, false);
    v.measure = NULL;
    if (done && v.evidence)
        done = find_added(&v, error);
    free(v.paths.items);
    free(v.folders.items);
    arena_free(&v.arena);
    if (!done && !error->text[0])
        error_set(error, "out of memory");
    return done ? SWID_OK : status != SWID_OK ? status : SWID_NO_MEMORY;
}
