#include "pkg/internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A package's folder in pacman's local database, alpm-db(7): `files` has its paths (%FILES%, folders end with a slash) and its configuration
 * with the MD5 as delivered (%BACKUP%); `mtree`, gzipped, has what the package's builder measured of each file. */

#define FOLDER "/var/lib/pacman/local"

/* mtree(5): "./usr/bin/a\040b"; the octal escapes are undone in place, the point at the beginning is cut off. */
static struct bytes mtree_path(struct bytes word)
{
    uint8_t *p = (uint8_t *)(uintptr_t)word.p;
    size_t n = 0;
    for (size_t i = 1; i < word.n; i++) {
        const uint8_t *c = word.p + i;
        if (c[0] == '\\' && word.n - i > 3 && (c[1] & 0xfc) == '0' && (c[2] & 0xf8) == '0' && (c[3] & 0xf8) == '0') {
            p[n++] = (uint8_t)((c[1] - '0') << 6 | (c[2] - '0') << 3 | (c[3] - '0'));
            i += 3;
        } else
            p[n++] = c[0];
    }
    return (struct bytes){p, n};
}

/* Path to the line's other words. "/set" changes what a line need not say; pacman's say nothing that matters but type=file. */
void pacman_mtree_read(struct bytes text, struct path_facts *measured)
{
    while (text.n) {
        struct bytes words = bytes_split(&text, '\n'), path = bytes_split(&words, ' ');
        if (path.n > 2 && path.p[0] == '.' && path.p[1] == '/')
            path_facts_add(measured, mtree_path(path), words);
    }
    path_facts_sort(measured);
}

static struct bytes value_of(struct bytes words, const char *key)
{
    struct bytes name = bytes_of(key);
    while (words.n) {
        struct bytes word = bytes_split(&words, ' ');
        if (bytes_starts(word, name))
            return (struct bytes){word.p + name.n, word.n - name.n};
    }
    return (struct bytes){0};
}

void pacman_take_measured(struct bytes words, struct pkg_file *f, uint8_t digest[64])
{
    static const struct {
        const char *word;
        enum pkg_file_kind kind;
    } kinds[] = {{"dir", PKG_FILE_DIRECTORY}, {"link", PKG_FILE_LINK}, {"file", PKG_FILE_REGULAR}, {"", PKG_FILE_REGULAR}};
    static const struct {
        const char *key;
        enum pkg_hash hash;
    } sums[] = {{"sha256digest=", PKG_HASH_SHA256}, {"md5digest=", PKG_HASH_MD5}};
    struct bytes type = value_of(words, "type=");
    f->kind = PKG_FILE_SPECIAL;
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
        if (bytes_equal(type, bytes_of(kinds[i].word)))
            f->kind = kinds[i].kind;
    for (size_t i = 0; i < ARRAY_LENGTH(sums) && !f->digest.n && f->kind == PKG_FILE_REGULAR; i++) {
        f->digest = digest_of_hex(value_of(words, sums[i].key), sums[i].hash, digest);
        f->hash = f->digest.n ? sums[i].hash : PKG_HASH_NONE;
    }
}

struct telling {
    const struct pkg_sink *sink;
    struct path_facts measured, backup;
};

static enum pkg_status tell_path(const struct telling *t, struct bytes line)
{
    uint8_t path[PATH_MAX], digest[64];
    struct pkg_file f = {.path = {path, line.n + 1}};
    if (line.n == 0 || line.n + 1 >= sizeof path)
        return PKG_DAMAGED;
    path[0] = '/';
    memcpy(path + 1, line.p, line.n);
    if (path[f.path.n - 1] == '/') {
        f.kind = PKG_FILE_DIRECTORY;
        f.path.n--;
    }
    f.real_path = f.path;
    if (!path_is_good(f.path))
        return PKG_DAMAGED;
    const struct bytes *words = path_facts_find(&t->measured, f.path), *md5 = path_facts_find(&t->backup, line);
    if (words && f.kind != PKG_FILE_DIRECTORY)
        pacman_take_measured(*words, &f, digest);
    f.config = md5 != NULL;
    if (md5 && !f.digest.n) {
        f.digest = digest_of_hex(*md5, PKG_HASH_MD5, digest);
        f.hash = f.digest.n ? PKG_HASH_MD5 : PKG_HASH_NONE;
    }
    return t->sink->file(t->sink->context, &f) ? PKG_OK : PKG_STOPPED;
}

/* The lines of one field; `rest` is left behind them. */
static struct bytes field_lines(struct bytes text, struct bytes name, size_t *line)
{
    *line = 1;
    while (text.n && !bytes_equal(bytes_split(&text, '\n'), name))
        ++*line;
    const uint8_t *start = text.p;
    struct bytes lines = {start, 0};
    while (text.n) {
        struct bytes item = bytes_split(&text, '\n');
        if (item.n == 0)
            break;
        lines.n = (size_t)(item.p + item.n - start);
    }
    return lines;
}

enum pkg_status pacman_lists_tell(struct bytes files, struct bytes mtree, const char *file, const struct pkg_sink *sink)
{
    struct telling t = {.sink = sink};
    enum pkg_status status = PKG_OK;
    size_t line;
    pacman_mtree_read(mtree, &t.measured);
    struct bytes backup = field_lines(files, BYTES("%BACKUP%"), &line);
    while (backup.n) { /* "etc/x", a tab, its MD5 */
        struct bytes md5 = bytes_split(&backup, '\n'), path = bytes_split(&md5, '\t');
        path_facts_add(&t.backup, path, md5);
    }
    path_facts_sort(&t.backup);
    struct bytes paths = field_lines(files, BYTES("%FILES%"), &line);
    while (paths.n && status != PKG_STOPPED) {
        enum pkg_status one = tell_path(&t, bytes_split(&paths, '\n'));
        line++;
        if (one == PKG_DAMAGED)
            complain_to(sink, file, line, "not a path: passed over", false);
        if (one != PKG_OK)
            status = one;
    }
    if (t.measured.no_memory || t.backup.no_memory)
        status = PKG_NO_MEMORY;
    path_facts_free(&t.measured);
    path_facts_free(&t.backup);
    return status;
}

/* All of a gzipped file, within the writer's bound; false: it is damaged or too large. */
static bool read_gzipped(const char *path, struct wr *to)
{
    uint8_t block[65536];
    gzFile file = gzopen(path, "re");
    int n = 1;
    while (file && !to->bad && (n = gzread(file, block, sizeof block)) > 0)
        wr_bytes(to, (struct bytes){block, (size_t)n});
    bool whole = file && gzclose(file) == Z_OK && n == 0;
    return whole && !to->bad;
}

enum pkg_status pacman_files(struct pkg_files *f, struct bytes name, struct bytes arch, struct bytes version, const struct pkg_sink *sink)
{
    char path[PATH_MAX], file[PATH_MAX], mtree_file[PATH_MAX];
    (void)arch; /* pacman has one package of a name */
    if (!is_word(name) || !is_word(version) || name.n > 200 || version.n > 200 || memchr(name.p, '/', name.n) ||
        memchr(version.p, '/', version.n))
        return PKG_ABSENT;
    snprintf(path, sizeof path, FOLDER "/%.*s-%.*s/", (int)name.n, (const char *)name.p, (int)version.n, (const char *)version.p);
    if (!path_below(file, f->root, path) || strlen(file) > sizeof file - 8)
        return PKG_UNREADABLE;
    snprintf(mtree_file, sizeof mtree_file, "%smtree", file);
    memcpy(file + strlen(file), "files", 6);
    struct wr files = wr_of(FILE_LIST_MAX), mtree = wr_of(FILE_LIST_MAX);
    enum pkg_status status = file_read(file, &files);
    if (status != PKG_OK)
        complain_to(sink, file, 0, status == PKG_ABSENT ? "there is no list of the package's files" : "cannot be read", true);
    else {
        if (access(mtree_file, F_OK) == 0 && !read_gzipped(mtree_file, &mtree)) {
            complain_to(sink, mtree_file, 0, "cannot be read: the files' hashes are not known", true);
            wr_reset(&mtree);
        }
        status = pacman_lists_tell(wr_view(&files), wr_view(&mtree), file, sink);
    }
    wr_free(&files);
    wr_free(&mtree);
    return status;
}
