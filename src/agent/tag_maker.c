/* Tags of packages as a stream: a package's files are put to the measuring room, whose answers come in the order of the questions and go
 * straight into the tag. While one package's last files are read, the next one's are asked for already, so that no thread waits. */
#include "agent/tag_maker.h"

#include <stdlib.h>
#include <string.h>

#define JOB_LIMIT ((size_t)64 << 20) /* octets of one package's paths */
enum { JOBS_MAX = 1024 };            /* packages without files that may wait behind one that has some */

struct listed {
    struct bytes path;
    bool config, optional;
};

/* A package whose tag is under way. */
struct job {
    struct job *next;
    struct arena arena;
    struct journal_record record;
    struct listed *files;
    size_t count, capacity, answered;
    bool begun, whole;
    struct swid_files writer;
    struct swid_sink *sink;
};

struct agent_tags {
    struct agent_tag_style style;
    struct agent_tag_taker taker;
    struct measure *measure; /* NULL: tags have no files */
    struct tag_summaries *summaries;
    struct pkg_files lists[UINT8_MAX + 1]; /* one a source */
    struct job *first, **last;
    size_t jobs;
    bool stopped;
};

static void complain(struct agent_tags *t, struct job *j, struct bytes path, const char *what)
{
    j->whole = false;
    if (t->taker.complain)
        t->taker.complain(t->taker.context, &j->record, path, what);
}

/* ---- out: the oldest job ------------------------------------------------------------------------------------------------ */

static bool stop(struct agent_tags *t)
{
    t->stopped = true;
    return false;
}

static bool begin(struct agent_tags *t, struct job *j)
{
    j->sink = t->taker.begin(t->taker.context, &j->record);
    struct error error;
    if (j->sink && j->record.tag.n) { /* the software's own one: all of it */
        j->begun = swid_read(j->record.tag, j->sink, &error) == SWID_OK || j->sink->failed != SWID_OK;
        return j->begun || stop(t);
    }
    if (!j->sink || !tag_put_head_with(j->sink, &t->style, &j->record, tag_summary_of(t->summaries, &j->record)))
        return stop(t);
    j->begun = true;
    if (j->count)
        swid_files_begin(&j->writer, j->sink, t->style.hierarchic, &(struct swid_node){.element = SWID_PAYLOAD});
    return true;
}

static void drop(struct agent_tags *t)
{
    struct job *j = t->first;
    t->first = j->next;
    if (!t->first)
        t->last = &t->first;
    t->jobs--;
    if (j->begun && j->count && j->answered < j->count)
        wr_free(&j->writer.directory);
    arena_free(&j->arena);
    free(j->files);
    free(j);
}

static bool end(struct agent_tags *t)
{
    struct job *j = t->first;
    if (j->count)
        swid_files_end(&j->writer);
    if (!j->record.tag.n)
        j->sink->close(j->sink, SWID_IDENTITY);
    bool go_on = t->taker.end(t->taker.context, &j->record, j->whole);
    drop(t);
    return go_on || stop(t);
}

/* Tags that wait for nothing but their turn. */
static bool advance(struct agent_tags *t)
{
    while (!t->stopped && t->first && t->first->answered == t->first->count)
        if ((!t->first->begun && !begin(t, t->first)) || !end(t))
            return false;
    return !t->stopped;
}

static bool take_measured(void *context, struct bytes path, void *tag, const struct measured *m)
{
    struct agent_tags *t = context;
    struct job *j = tag; /* the first one: answers come in the order of the questions */
    const struct listed *f = &j->files[j->answered];
    const char *what;
    (void)path; /* of one that is longer than any file's not all came back */
    if (!j->begun && !begin(t, j))
        return false;
    tag_put_file(&j->writer, f->path, f->config, m, &what);
    if (what && !(f->optional && m->state == MEASURE_MISSING))
        complain(t, j, f->path, what);
    j->answered++;
    return advance(t);
}

/* ---- in: a package's files ----------------------------------------------------------------------------------------------- */

struct listing {
    struct agent_tags *tags;
    struct job *job;
    bool no_memory;
};

static bool take_file(void *context, const struct pkg_file *f)
{
    struct listing *l = context;
    struct job *j = l->job;
    if (f->kind == PKG_FILE_DIRECTORY || f->kind == PKG_FILE_SPECIAL)
        return true;
    if (j->count == j->capacity) {
        size_t capacity = j->capacity ? 2 * j->capacity : 64;
        struct listed *grown = realloc(j->files, capacity * sizeof *grown);
        if (!grown)
            return !(l->no_memory = true);
        j->files = grown;
        j->capacity = capacity;
    }
    struct bytes path = arena_copy(&j->arena, f->real_path);
    if (!path.p)
        return !(l->no_memory = true);
    j->files[j->count++] = (struct listed){path, f->config, f->optional};
    return true;
}

static void take_complaint(void *context, const char *file, size_t line, const char *what, bool unreadable)
{
    struct listing *l = context;
    struct wr w = wr_of(0);
    (void)unreadable;
    wr_str(&w, file);
    if (line)
        wr_fmt(&w, ":%zu", line);
    wr_fmt(&w, ": %s", what);
    complain(l->tags, l->job, (struct bytes){0}, wr_string(&w));
    wr_free(&w);
}

static int flat_order(const void *a, const void *b)
{
    return swid_path_compare(((const struct listed *)a)->path, ((const struct listed *)b)->path, false);
}

static int nested_order(const void *a, const void *b)
{
    return swid_path_compare(((const struct listed *)a)->path, ((const struct listed *)b)->path, true);
}

/* In the tag's order, each path once: a file that is listed twice is configuration if one of the two says so. */
static void sort(struct job *j, bool hierarchic)
{
    size_t kept = 0;
    if (j->count)
        qsort(j->files, j->count, sizeof *j->files, hierarchic ? nested_order : flat_order);
    for (size_t i = 0; i < j->count; i++)
        if (kept && bytes_equal(j->files[kept - 1].path, j->files[i].path))
            j->files[kept - 1].config |= j->files[i].config;
        else
            j->files[kept++] = j->files[i];
    j->count = kept;
}

static bool list_files(struct agent_tags *t, struct job *j)
{
    const struct journal_record *r = &j->record;
    const struct pkg_manager *m = r->installed && !r->tag.n ? tag_manager_of(r->source) : NULL;
    struct listing l = {.tags = t, .job = j};
    const struct pkg_sink sink = {.context = &l, .file = take_file, .complaint = take_complaint};
    if (!m)
        return true;
    if (!m->files) {
        complain(t, j, (struct bytes){0}, "this package manager does not tell the files of its packages");
        return true;
    }
    struct pkg_files *lists = &t->lists[r->source];
    lists->root = t->style.root;
    lists->without_digests = true; /* a tag has what the disk holds */
    if (m->files(lists, r->name, r->arch, r->version, &sink) != PKG_OK)
        j->whole = false;
    sort(j, t->style.hierarchic);
    return !l.no_memory;
}

static bool copy(struct arena *a, struct bytes *b)
{
    if (b->p)
        *b = arena_copy(a, *b);
    return b->n == 0 || b->p;
}

static struct job *job_of(const struct journal_record *r)
{
    struct job *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    *j = (struct job){.arena = arena_of(JOB_LIMIT), .record = *r, .whole = true};
    struct bytes *texts[] = {&j->record.software_id, &j->record.name,        &j->record.version, &j->record.arch,
                             &j->record.source_name, &j->record.source_version, &j->record.locator, &j->record.tag};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        if (!copy(&j->arena, texts[i])) {
            arena_free(&j->arena);
            free(j);
            return NULL;
        }
    return j;
}

static bool ask(struct agent_tags *t, struct job *j)
{
    /* Behind the last question the job may be done with, and gone. */
    const struct listed *files = j->files;
    for (size_t i = 0, count = j->count; i < count; i++)
        if (!measure_file(t->measure, files[i].path, j))
            return stop(t);
    return advance(t);
}

bool agent_tags_put(struct agent_tags *t, const struct journal_record *r)
{
    if (t->stopped || (t->jobs >= JOBS_MAX && !agent_tags_flush(t)))
        return false;
    struct job *j = job_of(r);
    if (!j)
        return stop(t);
    *t->last = j;
    t->last = &j->next;
    t->jobs++;
    if (t->measure && !list_files(t, j)) {
        j->count = 0;
        return stop(t);
    }
    return ask(t, j);
}

/* ---- beginning and end ------------------------------------------------------------------------------------------------------ */

struct agent_tags *agent_tags_begin(const struct agent_tag_style *style, const struct agent_tag_taker *taker, struct error *error)
{
    error->text[0] = 0;
    struct agent_tags *t = calloc(1, sizeof *t);
    if (!t) {
        error_set(error, "out of memory");
        return NULL;
    }
    *t = (struct agent_tags){.style = *style, .taker = *taker};
    t->last = &t->first;
    /* Links are followed, as swidGenerator does it: a library's name leads to its file, whatever version that carries. */
    const struct measure_options options = {
        .root = style->root, .hashes = style->hashes, .follow = true, .cache = style->cache, .until = style->until, .take = take_measured, .context = t};
    if (style->full && !(t->measure = measure_begin(&options, error))) {
        free(t);
        return NULL;
    }
    if (style->about_package && style->root)
        t->summaries = tag_summaries_read(style->root);
    return t;
}

bool agent_tags_flush(struct agent_tags *t)
{
    if (!t->stopped && t->measure && !measure_flush(t->measure))
        t->stopped = true;
    return advance(t);
}

void agent_tags_end(struct agent_tags *t, bool complete)
{
    if (!t)
        return;
    measure_end(t->measure, complete && !t->stopped);
    while (t->first)
        drop(t);
    tag_summaries_free(t->summaries);
    for (size_t i = 0; i < ARRAY_LENGTH(t->lists); i++)
        pkg_files_end(&t->lists[i]);
    free(t);
}
