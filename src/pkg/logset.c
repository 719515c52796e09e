#include "pkg/internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* logrotate leaves LOG.1, LOG.2.gz …, or LOG-YYYYMMDD.gz with `dateext`. A position survives rotation because a file is
 * known by the digest of its beginning, not by its name. */
#define HEAD_OCTETS 4096
#define COPIES_MAX  512 /* files of a set that are compared */

/* What logrotate's compresscmd may be: of these only gzip's is read here. */
static const char *const compressed[] = {".gz", ".xz", ".bz2", ".zst", ".lz4", ".lzma", ".Z"};

/* Which of them the name ends with; NULL for none. */
static const char *compression_of(struct bytes name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(compressed); i++) {
        struct bytes end = bytes_of(compressed[i]);
        if (name.n > end.n && bytes_equal(bytes_from(name, name.n - end.n), end))
            return compressed[i];
    }
    return NULL;
}

/* How recent a file of the set is: larger is newer, the live log the newest; false if the name is none of the set's. */
static bool recency(struct bytes name, struct bytes base, int64_t *value)
{
    uint64_t number;
    if (!bytes_starts(name, base))
        return false;
    struct bytes suffix = bytes_from(name, base.n);
    *value = INT64_MAX;
    if (suffix.n == 0)
        return true;
    const char *end = compression_of(suffix);
    suffix.n -= end ? strlen(end) : 0;
    if (!bytes_number((struct bytes){suffix.p + 1, suffix.n - 1}, &number) || number > INT32_MAX || suffix.n < 2)
        return false;
    /* Dates grow towards the present, counters towards the past. */
    *value = suffix.p[0] == '-' ? (int64_t)number : -(int64_t)number;
    return suffix.p[0] == '-' || suffix.p[0] == '.';
}

struct found {
    int64_t recency;
    char name[256];
};

static int by_recency(const void *a, const void *b)
{
    const struct found *fa = a, *fb = b;
    if (fa->recency != fb->recency)
        return fa->recency < fb->recency ? -1 : 1;
    return strcmp(fb->name, fa->name); /* LOG.1.gz before LOG.1: while logrotate compresses, both are there */
}

static struct found *list_files(const char *folder, struct bytes base, size_t *count, bool *unreadable)
{
    struct found *files = NULL;
    size_t capacity = 0;
    DIR *d = opendir(folder);
    *count = 0;
    *unreadable = !d && errno != ENOENT && errno != ENOTDIR;
    for (struct dirent *entry; d && (entry = readdir(d));) {
        int64_t value;
        if (!recency(bytes_of(entry->d_name), base, &value))
            continue;
        if (*count == capacity) {
            struct found *grown = realloc(files, (capacity = capacity ? capacity * 2 : 16) * sizeof *files);
            if (!grown)
                break;
            files = grown;
        }
        files[*count].recency = value;
        snprintf(files[(*count)++].name, sizeof files->name, "%s", entry->d_name);
    }
    if (d)
        closedir(d);
    if (*count)
        qsort(files, *count, sizeof *files, by_recency);
    return files;
}

static void complain_file(struct log_set *s, const char *file, size_t line, const char *what, bool unreadable)
{
    complain_to(s->sink, file, line, what, unreadable);
}

void log_set_complain(struct log_set *s, const char *what)
{
    complain_file(s, s->files[s->file], (size_t)s->line, what, false);
}

/* Up to `octets` of a file's beginning, unpacked; how many there are, -1 if it cannot be read. */
static int read_head(const char *path, uint8_t *head, unsigned octets)
{
    struct lines l;
    if (lines_open(&l, path) != PKG_OK)
        return -1;
    int n = gzread(l.file, head, octets);
    lines_close(&l);
    return n;
}

/* Digest of the first `octets` of a file; *octets becomes what there is, if that is less. False if it cannot be read.
 */
static bool head_digest(const char *path, uint32_t *octets, uint64_t *digest)
{
    uint8_t head[HEAD_OCTETS];
    int n = read_head(path, head, *octets < sizeof head ? *octets : (unsigned)sizeof head);
    if (n < 0)
        return false;
    *octets = (uint32_t)n;
    *digest = digest_add(DIGEST_START, head, (size_t)n);
    return true;
}

/* ---- copies ---- */

struct head {
    uint8_t octets[HEAD_OCTETS];
    int n;
    bool is_copy;
};

/* So many lines with the same times are the same log. */
static bool begin_alike(const struct head *a, const struct head *b)
{
    int n = a->n < b->n ? a->n : b->n;
    return n > 0 && (n == HEAD_OCTETS || a->octets[n - 1] == '\n' || b->octets[n - 1] == '\n') && memcmp(a->octets, b->octets, (size_t)n) == 0;
}

static uint64_t length_of(const char *path)
{
    struct lines l;
    if (lines_open(&l, path) != PKG_OK)
        return 0;
    (void)!lines_seek(&l, UINT64_MAX, 0);
    uint64_t length = l.offset;
    lines_close(&l);
    return length;
}

/* LOG.1 beside LOG.1.gz where logrotate was interrupted, LOG.1 beside a LOG that was copied and not cut off: of files that begin alike the one that
 * tells more is read, of equal ones the newer. Only among those that are still to be read. */
static void pass_over_copies(struct log_set *s)
{
    size_t first = s->at, n = s->count - first;
    struct head *heads = n > 1 && n <= COPIES_MAX ? malloc(n * sizeof *heads) : NULL;
    for (size_t i = 0; heads && i < n; i++) {
        heads[i].n = read_head(s->files[first + i], heads[i].octets, HEAD_OCTETS);
        heads[i].is_copy = false;
    }
    for (size_t i = 0; heads && i < n; i++)
        for (size_t k = i + 1; k < n && !heads[i].is_copy; k++) {
            if (heads[k].is_copy || !begin_alike(&heads[i], &heads[k]))
                continue;
            bool is_open = s->open && i == 0; /* the cursor lies in it */
            size_t copy = is_open || length_of(s->files[first + i]) > length_of(s->files[first + k]) ? k : i;
            complain_file(s, s->files[first + copy], 0, "a copy of another log of the same name: passed over", false);
            heads[copy].is_copy = true;
        }
    size_t kept = 0;
    for (size_t i = 0; heads && i < n; i++)
        if (heads[i].is_copy)
            free(s->files[first + i]);
        else
            s->files[first + kept++] = s->files[first + i];
    if (heads)
        s->count = first + kept;
    free(heads);
}

/* The file that the cursor's position lies in, or count. Newest first: rarely is it another one. */
static size_t find_position(const struct log_set *s)
{
    for (size_t i = s->count; i-- > 0;) {
        uint32_t n = s->position.head;
        uint64_t digest;
        if (head_digest(s->files[i], &n, &digest) && n == s->position.head && digest == s->position.head_digest)
            return i;
    }
    return s->count;
}

static bool open_lines(struct log_set *s, const char *file, struct lines *lines)
{
    const char *end = compression_of(bytes_of(file));
    if (end && strcmp(end, ".gz") != 0) {
        complain_file(s, file, 0, "of compressed logs only gzip's are read: unpack this one, or the history is shorter than it could be", true);
        return false;
    }
    enum pkg_status status = lines_open(lines, file);
    if (status != PKG_OK && status != PKG_ABSENT)
        complain_file(s, file, 0, "this log cannot be read: the history is shorter than it could be", true);
    return status == PKG_OK;
}

static bool open_file(struct log_set *s)
{
    s->open = open_lines(s, s->files[s->at], &s->lines);
    return s->open;
}

static void complain_damage(struct log_set *s, const char *file, size_t line)
{
    complain_file(s, file, line, "the compressed file breaks off or is damaged here", true);
}

void log_set_check_older(struct log_set *s)
{
    for (size_t i = 0; i < s->at && i < s->count; i++) {
        struct lines lines;
        if (!open_lines(s, s->files[i], &lines))
            continue;
        if (!gzdirect(lines.file))
            (void)!lines_seek(&lines, UINT64_MAX, 0);
        if (lines.damaged)
            complain_damage(s, s->files[i], 0);
        lines_close(&lines);
    }
}

static void seek_position(struct log_set *s)
{
    if (s->position.head == 0)
        return;
    size_t at = find_position(s);
    if (at == s->count) {
        s->lost = true;
        if (s->count)
            complain_file(
                s, s->files[s->count - 1], 0,
                "the place where the last run stopped is gone: what happened between is known only from its outcome",
                false);
        return;
    }
    s->at = at;
    if (!open_file(s))
        return;
    bool there = lines_seek(&s->lines, s->position.offset, s->position.line);
    s->end = (struct log_mark){at, s->lines.offset, s->lines.number, true};
    if (!there) {
        s->lost = true;
        complain_file(s, s->files[at], 0, "this log was cut off: what happened between is known only from its outcome",
                      false);
    }
}

void log_set_open(struct log_set *s, const char *root, const char *path, struct log_position before, struct log_zone *zone,
                  const struct pkg_sink *sink)
{
    char full[PATH_MAX], folder[PATH_MAX];
    bool unreadable;
    *s = (struct log_set){.root = root,
                          .path = path,
                          .sink = sink,
                          .position = before,
                          .fresh = before.head == 0,
                          .zone = zone,
                          .last = before.last};
    if (!path_below(full, root, path))
        return;
    char *base = strrchr(full, '/') + 1;
    snprintf(folder, sizeof folder, "%.*s", (int)(base - full), full);
    size_t count;
    struct found *found = list_files(folder, bytes_of(base), &count, &unreadable);
    s->files = count ? calloc(count, sizeof *s->files) : NULL;
    for (size_t i = 0; s->files && i < count; i++)
        if (asprintf(&s->files[s->count], "%s%s", folder, found[i].name) >= 0)
            s->count++;
    free(found);
    if (unreadable)
        complain_file(s, folder, 0, "this folder of logs cannot be read: the history is shorter than it could be",
                      true);
    else if (s->count == 0)
        complain_file(s, full, 0, "there is no such log: the history is shorter and its times are less exact", false);
    seek_position(s);
    pass_over_copies(s);
}

bool log_set_next(struct log_set *s, struct bytes *line)
{
    bool whole;
    while (s->at < s->count) {
        if (!s->open && !open_file(s)) {
            s->gap = true;
            s->at++;
            continue;
        }
        s->file = s->at;
        s->offset = s->lines.offset;
        if (lines_next(&s->lines, line, &whole)) {
            s->line = s->lines.number;
            s->end = whole ? (struct log_mark){s->at, s->lines.offset, s->lines.number, true} : log_set_mark(s);
            if (!s->lines.overlong)
                return true;
            log_set_complain(s, "line too long");
            continue;
        }
        if (s->lines.damaged) {
            complain_damage(s, s->files[s->at], s->lines.number + 1);
            s->gap = true;
        }
        lines_close(&s->lines);
        s->open = false;
        s->at++;
    }
    return false;
}

struct log_mark log_set_mark(const struct log_set *s)
{
    return (struct log_mark){s->file, s->offset, s->line ? s->line - 1 : 0, true};
}

void log_set_save(struct log_set *s, struct log_mark mark)
{
    if (!mark.set)
        mark = s->end;
    if (!mark.set)
        return; /* nothing was read: the place stays where it was */
    struct log_position p = {.head = HEAD_OCTETS,
                             .offset = mark.offset,
                             .line = mark.line,
                             .first = s->position.first,
                             .last = s->position.last};
    if (head_digest(s->files[mark.file], &p.head, &p.head_digest))
        s->position = p;
}

void log_set_close(struct log_set *s)
{
    if (s->open)
        lines_close(&s->lines);
    for (size_t i = 0; i < s->count; i++)
        free(s->files[i]);
    free(s->files);
    s->files = NULL;
    s->count = 0;
    s->open = false;
}

struct log_position log_position_read(struct rd *r)
{
    struct log_position p;
    p.head = rd_u32(r);
    p.head_digest = rd_u64(r);
    p.offset = rd_u64(r);
    p.line = rd_u64(r);
    p.first = (int64_t)rd_u64(r);
    p.last = (int64_t)rd_u64(r);
    return p;
}

void log_position_write(struct wr *w, const struct log_position *p)
{
    wr_u32(w, p->head);
    wr_u64(w, p->head_digest);
    wr_u64(w, p->offset);
    wr_u64(w, p->line);
    wr_u64(w, (uint64_t)p->first);
    wr_u64(w, (uint64_t)p->last);
}

uint64_t log_set_stamp(uint64_t digest, const char *root, const char *path)
{
    char full[PATH_MAX], file[PATH_MAX];
    bool unreadable;
    if (!path_below(full, root, path))
        return digest;
    char *base = strrchr(full, '/') + 1;
    struct bytes name = bytes_of(base);
    snprintf(file, sizeof file, "%.*s", (int)(base - full), full);
    size_t count, n = strlen(file);
    struct found *found = list_files(file, name, &count, &unreadable);
    for (size_t i = 0; i < count; i++) {
        snprintf(file + n, sizeof file - n, "%s", found[i].name);
        digest = digest_add_file(digest_add(digest, found[i].name, strlen(found[i].name)), file);
    }
    free(found);
    return digest;
}
