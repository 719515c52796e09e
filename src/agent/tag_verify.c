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

struct verify {
    struct swid_sink sink; /* first: hears where the files stand, and hands all on to the lister */
    struct swid_lister lister;
    const char *root;
    struct measure *measure;
    bool evidence, failed;
    unsigned hashes;
    struct arena arena;
    struct bytes *paths; /* evidence's, sorted once it is read */
    size_t count, capacity;
    struct bytes top; /* the folder that is walked for added files */
    void (*differ)(void *context, enum agent_file_state s, struct bytes path);
    void *context;
    size_t *counts;
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
static enum swid_status each_file(struct verify *v, struct bytes tag, void (*file)(void *, const struct swid_file *), struct error *error)
{
    v->sink = (struct swid_sink){.open = forward_open, .close = forward_close};
    v->lister = swid_lister_of(file, v);
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

/* Remembers the path of a piece of evidence. */
static bool keep(struct verify *v, struct bytes path)
{
    if (v->count == v->capacity) {
        size_t capacity = v->capacity ? 2 * v->capacity : 1024;
        struct bytes *grown = capacity * sizeof *grown <= PATHS_MAX ? realloc(v->paths, capacity * sizeof *grown) : NULL;
        if (!grown)
            return false;
        v->paths = grown;
        v->capacity = capacity;
    }
    v->paths[v->count] = arena_copy(&v->arena, path);
    return v->paths[v->count++].p != NULL;
}

static void ask(void *context, const struct swid_file *f)
{
    struct verify *v = context;
    struct expected *e = v->failed ? NULL : malloc(sizeof *e);
    struct wr path = wr_of(0);
    wr_str(&path, f->path.n && f->path.p[0] == '/' ? "" : "/"); /* without a root: below ours */
    wr_bytes(&path, f->path);
    if (!e || path.bad || (v->evidence && !keep(v, wr_view(&path)))) {
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

/* The folder that holds it, without the slash: "" of what stands in /. */
static struct bytes folder_of(struct bytes path)
{
    while (path.n && path.p[path.n - 1] != '/')
        path.n--;
    path.n -= path.n > 0;
    return path;
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
    bool known = bsearch(&whole, v->paths, v->count, sizeof whole, by_octets);
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
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISDIR(st.st_mode)) { /* its files are told as missing already */
        if (fd >= 0)
            close(fd);
        return path != NULL;
    }
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
    struct bytes *folders = v->count ? malloc(v->count * sizeof *folders) : NULL, top = {0};
    bool done = folders || !v->count;
    for (size_t i = 0; i < v->count && done; i++)
        folders[i] = folder_of(v->paths[i]);
    if (v->count && done) {
        qsort(v->paths, v->count, sizeof *v->paths, by_octets);
        qsort(folders, v->count, sizeof *folders, by_components);
    }
    for (size_t i = 0; i < v->count && done; i++) {
        if (!folders[i].n || (top.n && (bytes_equal(folders[i], top) || is_below(folders[i], top))))
            continue;
        v->top = top = folders[i];
        done = walk_top(v, error);
    }
    free(folders);
    return done;
}

enum swid_status agent_tag_verify(struct bytes tag, const char *root, void (*differ)(void *context, enum agent_file_state s, struct bytes path),
                                  void *context, size_t counts[AGENT_FILE_STATES], struct error *error)
{
    struct verify v = {.root = root, .differ = differ, .context = context, .counts = counts, .arena = arena_of(PATHS_MAX)};
    memset(counts, 0, AGENT_FILE_STATES * sizeof *counts);
    error->text[0] = 0;
    enum swid_status status = each_file(&v, tag, note_hashes, error);
    if (status != SWID_OK)
        return status;
    const struct measure_options options = {.root = root, .hashes = v.hashes, .follow = true, .take = take_measured, .context = &v};
    v.measure = measure_begin(&options, error);
    if (!v.measure)
        return SWID_NO_MEMORY;
    status = each_file(&v, tag, ask, error);
    bool done = measure_flush(v.measure) && !v.failed && status == SWID_OK;
    measure_end(v.measure, false);
    v.measure = NULL;
    if (done && v.evidence)
        done = find_added(&v, error);
    free(v.paths);
    arena_free(&v.arena);
    if (!done && !error->text[0])
        error_set(error, "out of memory");
    return done ? SWID_OK : status != SWID_OK ? status : SWID_NO_MEMORY;
}
