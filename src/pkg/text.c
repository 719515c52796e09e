#include "pkg/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define CHUNK ((size_t)64 << 10)

void complain_to(const struct pkg_sink *sink, const char *file, size_t line, const char *what, bool unreadable)
{
    if (sink->complaint)
        sink->complaint(sink->context, file, line, what, unreadable);
}

bool path_below(char out[PATH_MAX], const char *root, const char *path)
{
    size_t n = strlen(root);
    while (n && root[n - 1] == '/')
        n--;
    int length = snprintf(out, PATH_MAX, "%.*s%s", (int)n, root, path);
    return length > 0 && length < PATH_MAX;
}

bool database_there(const char *root, const char *path)
{
    char full[PATH_MAX];
    return path_below(full, root, path) && (access(full, F_OK) == 0 || errno == EACCES);
}

bool is_locked(const char *root, const char *path)
{
    char full[PATH_MAX], word[64];
    struct lines lines;
    struct bytes line;
    struct stat st;
    bool whole, locked = false;
    if (!path_below(full, root, path) || stat(full, &st) != 0 || lines_open(&lines, "/proc/locks") != PKG_OK)
        return false;
    /* "1: POSIX  ADVISORY  WRITE 4711 08:01:131111 0 EOF", proc_locks(5) */
    int n = snprintf(word, sizeof word, " %02x:%02x:%llu ", major(st.st_dev), minor(st.st_dev),
                     (unsigned long long)st.st_ino);
    while (!locked && lines_next(&lines, &line, &whole))
        locked = line.p && memmem(line.p, line.n, word, (size_t)n) && !memmem(line.p, line.n, "->", 2);
    lines_close(&lines);
    return locked;
}

enum pkg_status missing_in(const char *root, const char *folder)
{
    char path[PATH_MAX];
    if (!path_below(path, root, folder) || access(path, F_OK) == 0 || errno != ENOENT)
        return PKG_UNREADABLE;
    *strrchr(path, '/') = 0;
    return access(path, F_OK) == 0 ? PKG_ABSENT : PKG_UNREADABLE;
}

uint64_t digest_add(uint64_t digest, const void *p, size_t n)
{
    const uint8_t *octets = p;
    for (size_t i = 0; i < n; i++)
        digest = (digest ^ octets[i]) * 1099511628211u;
    return digest;
}

static uint64_t digest_add_state(uint64_t digest, int folder, const char *name)
{
    struct stat st;
    uint64_t facts[6] = {0};
    if (fstatat(folder, name, &st, 0) == 0) {
        facts[0] = (uint64_t)st.st_size;
        facts[1] = (uint64_t)st.st_ctim.tv_sec;
        facts[2] = (uint64_t)st.st_ctim.tv_nsec;
        facts[3] = (uint64_t)st.st_ino;
        facts[4] = (uint64_t)st.st_mtim.tv_sec;
        facts[5] = (uint64_t)st.st_mtim.tv_nsec;
    }
    return digest_add(digest, facts, sizeof facts);
}

uint64_t digest_add_file(uint64_t digest, const char *path)
{
    digest = digest_add_state(digest, AT_FDCWD, path);
    DIR *folder = opendir(path);
    if (!folder)
        return digest;
    /* The order of a folder's entries means nothing: the sum of their digests does not depend on it. */
    uint64_t sum = 0;
    for (struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_name[0] != '.')
            sum += digest_add_state(digest_add(DIGEST_START, entry->d_name, strlen(entry->d_name)), dirfd(folder),
                                    entry->d_name);
    closedir(folder);
    return digest_add(digest, &sum, sizeof sum);
}

uint64_t digest_add_below(uint64_t digest, const char *root, const char *path)
{
    char whole[PATH_MAX];
    return path_below(whole, root, path) ? digest_add_file(digest, whole) : digest;
}

bool is_word(struct bytes b)
{
    /* ! to ~, but for ( ) , < and > */
    static const uint32_t allowed[8] = {0, 0xafffecfe, 0xffffffff, 0x7fffffff};
    for (size_t i = 0; i < b.n; i++)
        if (!(allowed[b.p[i] >> 5] >> (b.p[i] & 31) & 1))
            return false;
    return b.n > 0;
}

/* ---- lines ------------------------------------------------------------------------------------------------------- */

enum pkg_status lines_open(struct lines *l, const char *path)
{
    *l = lines_of((struct bytes){0}); /* where nothing can be opened there are no lines */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? PKG_ABSENT : PKG_UNREADABLE;
    /* A pipe or a device under a log's name would make us wait. */
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return PKG_UNREADABLE;
    }
    *l = (struct lines){.capacity = CHUNK, .p = malloc(CHUNK)};
    l->file = l->p ? gzdopen(fd, "r") : NULL;
    if (!l->file) {
        close(fd);
        free(l->p);
        *l = lines_of((struct bytes){0});
        return PKG_NO_MEMORY;
    }
    gzbuffer(l->file, (unsigned)CHUNK);
    return PKG_OK;
}

struct lines lines_of(struct bytes b)
{
    return (struct lines){.p = (uint8_t *)(uintptr_t)b.p, .end = b.n, .at_end = true};
}

void lines_close(struct lines *l)
{
    if (l->file) {
        gzclose(l->file);
        free(l->p);
    }
    *l = (struct lines){0};
}

/* More octets behind p[end]. */
static void lines_fill(struct lines *l)
{
    int got = gzread(l->file, l->p + l->end, (unsigned)(l->capacity - l->end));
    if (got > 0)
        l->end += (size_t)got;
    int code = Z_OK;
    if (got <= 0) {
        gzerror(l->file, &code);
        l->at_end = true;
        l->damaged = got < 0 || (code != Z_OK && code != Z_STREAM_END);
    }
}

/* Room behind p[end]: by moving, then by growing, up to the longest line. */
static bool lines_room(struct lines *l)
{
    if (l->start) {
        memmove(l->p, l->p + l->start, l->end - l->start);
        l->end -= l->start;
        l->scanned -= l->start;
        l->start = 0;
    }
    if (l->end < l->capacity)
        return true;
    uint8_t *p = l->capacity < LINE_MAX_OCTETS ? realloc(l->p, l->capacity * 2) : NULL;
    if (!p)
        return false;
    l->p = p;
    l->capacity *= 2;
    return true;
}

static void lines_consume(struct lines *l, size_t n)
{
    l->start += n;
    l->scanned = l->start;
    l->offset += n;
}

bool lines_next(struct lines *l, struct bytes *line, bool *whole)
{
    l->overlong = false;
    *line = (struct bytes){0};
    for (;;) {
        size_t left = l->end - l->scanned;
        const uint8_t *lf = left ? memchr(l->p + l->scanned, '\n', left) : NULL;
        if (lf || l->at_end) {
            size_t n = lf ? (size_t)(lf - (l->p + l->start)) : l->end - l->start;
            if (!lf && n == 0 && !l->overlong)
                return false;
            *whole = lf != NULL;
            if (!l->overlong)
                *line = (struct bytes){l->p + l->start, n};
            lines_consume(l, n + (lf ? 1 : 0));
            l->number++;
            return true;
        }
        l->scanned = l->end;
        if (!lines_room(l)) {
            l->overlong = true;
            lines_consume(l, l->end - l->start);
            continue;
        }
        lines_fill(l);
    }
}

bool lines_seek(struct lines *l, uint64_t offset, size_t number)
{
    while (l->offset < offset) {
        if (l->start == l->end) {
            if (l->at_end)
                break;
            l->start = l->end = l->scanned = 0;
            lines_fill(l);
            continue;
        }
        uint64_t want = offset - l->offset, here = l->end - l->start;
        lines_consume(l, (size_t)(want < here ? want : here));
    }
    l->number = number;
    return l->offset == offset;
}

void first_word_below(const char *root, const char *path, char *word, size_t size)
{
    char whole_path[PATH_MAX];
    struct lines lines;
    struct bytes line;
    bool whole;
    word[0] = 0;
    if (!path_below(whole_path, root, path) || lines_open(&lines, whole_path) != PKG_OK)
        return;
    if (lines_next(&lines, &line, &whole) && is_word(line = bytes_trim(line)))
        snprintf(word, size, "%.*s", (int)line.n, (const char *)line.p);
    lines_close(&lines);
}
