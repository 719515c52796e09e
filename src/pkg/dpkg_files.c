#include "pkg/internal.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Which files a package has is told by info/NAME.list, or info/NAME:ARCH.list where versions of several architectures may stand side by side;
 * their MD5 by .md5sums beside it; which are configuration by .conffiles and, with the MD5 as delivered, by the field Conffiles of the
 * package's stanza in status (deb-conffiles(5), deb-md5sums(5)). A diversion (dpkg-divert(1)) puts a file of all packages but one elsewhere. */

#define INFO       "/var/lib/dpkg/info"
#define STATUS     "/var/lib/dpkg/status"
#define STATUS_D   "/var/lib/dpkg/status.d" /* images without dpkg: no lists, but NAME.md5sums */
#define UPDATES    "/var/lib/dpkg/updates"
#define DIVERSIONS "/var/lib/dpkg/diversions"

/* ---- one package's lists, as octets ---------------------------------------------------------------------------------- */

/* md5sum(1) marks a line whose name holds a backslash or a line end with a backslash in front, and writes them as \\ and \n. */
static struct bytes unescape(struct bytes name)
{
    uint8_t *p = (uint8_t *)(uintptr_t)name.p;
    size_t n = 0;
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        if (c == '\\' && i + 1 < name.n)
            c = name.p[++i] == 'n' ? '\n' : name.p[i];
        p[n++] = c;
    }
    return (struct bytes){p, n};
}

/* "MD5  usr/bin/x"; found by the path behind the first slash, which is not there. */
void dpkg_md5sums_read(struct bytes text, struct path_facts *sums)
{
    while (text.n) {
        struct bytes line = bytes_split(&text, '\n');
        bool escaped = line.n && line.p[0] == '\\';
        if (escaped)
            line = (struct bytes){line.p + 1, line.n - 1};
        if (line.n < 35 || line.p[32] != ' ' || (line.p[33] != ' ' && line.p[33] != '*'))
            continue;
        struct bytes path = {line.p + 34, line.n - 34};
        while (path.n > 2 && path.p[0] == '.' && path.p[1] == '/')
            path = (struct bytes){path.p + 2, path.n - 2};
        path_facts_add(sums, escaped ? unescape(path) : path, (struct bytes){line.p, 32});
    }
    path_facts_sort(sums);
}

/* Cuts the last word off. */
static struct bytes last_word(struct bytes *b)
{
    size_t at = b->n;
    while (at && b->p[at - 1] != ' ')
        at--;
    struct bytes word = {b->p + at, b->n - at};
    *b = bytes_trim((struct bytes){b->p, at});
    return word;
}

/* " /etc/x MD5 [obsolete] [remove-on-upgrade]", a line each, behind "Conffiles:". A name may hold blanks: it is read from its end. */
static void read_conffiles_field(struct bytes stanza, struct path_facts *config)
{
    bool in_field = false;
    while (stanza.n) {
        struct bytes line = bytes_split(&stanza, '\n');
        if (line.n == 0 || line.p[0] != ' ') {
            in_field = line.n >= 10 && strncasecmp((const char *)line.p, "Conffiles:", 10) == 0;
            continue;
        }
        if (!in_field)
            continue;
        line = bytes_trim(line);
        struct bytes word = last_word(&line);
        while (bytes_equal(word, BYTES("obsolete")) || bytes_equal(word, BYTES("remove-on-upgrade")))
            word = last_word(&line);
        path_facts_add(config, line, word);
    }
}

/* "/etc/x" or "remove-on-upgrade /etc/x": the latter is none of the package's files. */
void dpkg_conffiles_read(struct bytes text, struct path_facts *config)
{
    while (text.n) {
        struct bytes line = bytes_trim(bytes_split(&text, '\n'));
        if (line.n && line.p[0] == '/')
            path_facts_add(config, line, (struct bytes){0});
    }
}

void dpkg_diversions_read(struct bytes text, struct path_facts *diversions)
{
    while (text.n) {
        struct bytes from = bytes_split(&text, '\n'), to = bytes_split(&text, '\n'), by = bytes_split(&text, '\n');
        if (path_is_good(from) && path_is_good(to) && by.n)
            path_facts_add(diversions, from, (struct bytes){to.p, to.n + 1 + by.n});
    }
    path_facts_sort(diversions);
}

static struct bytes stands_at(const struct dpkg_lists *l, struct bytes path)
{
    const struct bytes *diverted = l->diversions ? path_facts_find(l->diversions, path) : NULL;
    if (!diverted)
        return path;
    struct bytes by = *diverted, to = bytes_split(&by, '\n');
    return bytes_equal(by, l->package) ? path : to;
}

static struct bytes without_slash(struct bytes path)
{
    return path.n && path.p[0] == '/' ? (struct bytes){path.p + 1, path.n - 1} : path;
}

struct telling {
    const struct dpkg_lists *lists;
    const struct pkg_sink *sink;
    struct path_facts sums, config;
};

static bool tell_path(const struct telling *t, struct bytes path, struct bytes rest)
{
    uint8_t digest[64];
    const struct bytes *sum = path_facts_find(&t->sums, without_slash(path)), *config = path_facts_find(&t->config, path);
    struct pkg_file f = {.path = path, .real_path = stands_at(t->lists, path), .config = config != NULL};
    if (rest.n > path.n && bytes_starts(rest, path) && rest.p[path.n] == '/')
        f.kind = PKG_FILE_DIRECTORY; /* what is in a folder stands behind it */
    else if (sum || config)
        f.kind = PKG_FILE_REGULAR;
    f.digest = digest_of_hex(sum ? *sum : config ? *config : (struct bytes){0}, PKG_HASH_MD5, digest);
    f.hash = f.digest.n ? PKG_HASH_MD5 : PKG_HASH_NONE;
    return t->sink->file(t->sink->context, &f);
}

enum pkg_status dpkg_lists_tell(struct dpkg_lists *l, const struct pkg_sink *sink)
{
    struct telling t = {.lists = l, .sink = sink};
    enum pkg_status status = PKG_OK;
    struct bytes rest = l->list;
    dpkg_md5sums_read(l->md5sums, &t.sums);
    dpkg_conffiles_read(l->conffiles, &t.config);
    read_conffiles_field(l->stanza, &t.config);
    path_facts_sort(&t.config);
    for (size_t line = 1; rest.n && status != PKG_STOPPED; line++) {
        /* dpkg ends every line: one without an end was cut off. */
        bool whole = memchr(rest.p, '\n', rest.n) != NULL;
        struct bytes path = bytes_split(&rest, '\n');
        if (bytes_equal(path, BYTES("/.")))
            continue;
        if (!whole || !path_is_good(path)) {
            complain_to(sink, l->file, line, whole ? "not a path: passed over" : "the list breaks off: reinstall the package", false);
            status = PKG_DAMAGED;
        } else if (!tell_path(&t, path, rest))
            status = PKG_STOPPED;
    }
    if (t.sums.no_memory || t.config.no_memory)
        status = PKG_NO_MEMORY;
    path_facts_free(&t.sums);
    path_facts_free(&t.config);
    return status;
}

/* ---- what is read once ------------------------------------------------------------------------------------------------ */

struct kept {
    struct wr status, diversions_text;
    struct arena keys;                     /* "NAME:ARCH" */
    struct path_facts stanzas, diversions; /* key to stanza */
};

static void release(void *kept)
{
    struct kept *k = kept;
    wr_free(&k->status);
    wr_free(&k->diversions_text);
    arena_free(&k->keys);
    path_facts_free(&k->stanzas);
    path_facts_free(&k->diversions);
    free(k);
}

static bool is_field(struct bytes line, const char *name, struct bytes *value)
{
    size_t n = strlen(name);
    if (line.n <= n || line.p[n] != ':' || strncasecmp((const char *)line.p, name, n) != 0)
        return false;
    *value = bytes_trim((struct bytes){line.p + n + 1, line.n - n - 1});
    return true;
}

static struct bytes key_of(struct arena *a, struct bytes name, struct bytes arch)
{
    uint8_t *p = arena_alloc(a, name.n + 1 + arch.n);
    if (!p)
        return (struct bytes){0};
    memcpy(p, name.p, name.n);
    p[name.n] = ':';
    if (arch.n)
        memcpy(p + name.n + 1, arch.p, arch.n);
    return (struct bytes){p, name.n + 1 + arch.n};
}

/* Stanzas with conffiles, found by name and architecture; the newest one, which stands last, counts. */
static void index_stanzas(struct kept *k)
{
    struct bytes rest = wr_view(&k->status), name = {0}, arch = {0};
    const uint8_t *start = rest.p;
    bool has_conffiles = false;
    while (rest.n) {
        struct bytes line = bytes_split(&rest, '\n'), ignored;
        if (line.n && !is_field(line, "Package", &name) && !is_field(line, "Architecture", &arch))
            has_conffiles |= is_field(line, "Conffiles", &ignored);
        if (line.n && rest.n)
            continue;
        struct bytes key = name.n && has_conffiles ? key_of(&k->keys, name, arch) : (struct bytes){0};
        if (key.n)
            path_facts_add(&k->stanzas, key, (struct bytes){start, (size_t)(line.p + line.n - start)});
        name = arch = (struct bytes){0};
        has_conffiles = false;
        start = rest.p;
    }
    path_facts_sort(&k->stanzas);
}

static int is_update(const struct dirent *entry)
{
    uint64_t number;
    return bytes_number(bytes_of(entry->d_name), &number);
}

/* Behind status, in their order: later stanzas count. A missing one costs the MD5 of a configuration file, not more. */
static void read_updates(const char *root, struct wr *to)
{
    char base[PATH_MAX], path[PATH_MAX];
    struct dirent **entries;
    int n = path_below(base, root, UPDATES) ? scandir(base, &entries, is_update, alphasort) : -1;
    for (int i = 0; i < n; i++) {
        wr_str(to, "\n\n");
        if (snprintf(path, sizeof path, "%s/%s", base, entries[i]->d_name) < PATH_MAX && file_read(path, to) == PKG_UNREADABLE)
            break;
        free(entries[i]);
        entries[i] = NULL;
    }
    for (int i = 0; i < n; i++)
        free(entries[i]);
    if (n >= 0)
        free(entries);
}

static struct kept *keep(struct pkg_files *f, const struct pkg_sink *sink)
{
    char path[PATH_MAX];
    if (f->kept)
        return f->kept;
    struct kept *k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    *k = (struct kept){wr_of(FILE_LIST_MAX), wr_of(FILE_LIST_MAX), .keys = arena_of((size_t)32 << 20)};
    enum pkg_status status = path_below(path, f->root, STATUS) ? file_read(path, &k->status) : PKG_UNREADABLE;
    if (status == PKG_UNREADABLE || status == PKG_DAMAGED)
        complain_to(sink, path, 0, "cannot be read: hashes of configuration files are not known", true);
    read_updates(f->root, &k->status);
    index_stanzas(k);
    status = path_below(path, f->root, DIVERSIONS) ? file_read(path, &k->diversions_text) : PKG_UNREADABLE;
    if (status == PKG_UNREADABLE || status == PKG_DAMAGED)
        complain_to(sink, path, 0, "cannot be read: diverted files are looked for where they are not", true);
    dpkg_diversions_read(wr_view(&k->diversions_text), &k->diversions);
    f->kept = k;
    f->release = release;
    return k;
}

/* ---- the question -------------------------------------------------------------------------------------------------------- */

/* One of a package's files in info/, into `to`; `path` becomes its path. */
static enum pkg_status read_info(const char *root, const char *folder, struct bytes name, struct bytes arch, const char *suffix,
                                 char path[PATH_MAX], struct wr *to)
{
    char file[768];
    snprintf(file, sizeof file, "%s/%.*s%s%.*s%s", folder, (int)name.n, (const char *)name.p, arch.n ? ":" : "", (int)arch.n,
             arch.n ? (const char *)arch.p : "", suffix);
    return path_below(path, root, file) ? file_read(path, to) : PKG_UNREADABLE;
}

/* "MD5  usr/bin/x" becomes "/usr/bin/x". */
static void list_of_md5sums(struct bytes sums, struct wr *list)
{
    struct path_facts facts = {0};
    dpkg_md5sums_read(sums, &facts);
    for (size_t i = 0; i < facts.count; i++) {
        wr_str(list, "/");
        wr_bytes(list, facts.items[i].path);
        wr_str(list, "\n");
    }
    path_facts_free(&facts);
}

struct question {
    struct wr list, md5sums, conffiles;
    char path[PATH_MAX];
};

static enum pkg_status read_lists(struct question *q, const struct pkg_files *f, struct bytes name, struct bytes arch, const struct pkg_sink *sink)
{
    char path[PATH_MAX];
    const char *root = f->root;
    struct bytes none = {0}, used = arch;
    enum pkg_status status = arch.n ? read_info(root, INFO, name, arch, ".list", q->path, &q->list) : PKG_ABSENT;
    if (status == PKG_ABSENT) {
        used = none;
        status = read_info(root, INFO, name, none, ".list", q->path, &q->list);
    }
    if (status == PKG_ABSENT && read_info(root, STATUS_D, name, none, ".md5sums", path, &q->md5sums) == PKG_OK) {
        list_of_md5sums(wr_view(&q->md5sums), &q->list);
        return PKG_OK;
    }
    if (status != PKG_OK) {
        complain_to(sink, q->path, 0,
                 status == PKG_ABSENT ? "there is no list of the package's files" : "the list of the package's files cannot be read", true);
        return status;
    }
    static const char *const suffixes[] = {".md5sums", ".conffiles"}; /* a package may have neither */
    for (size_t i = f->without_digests; i < ARRAY_LENGTH(suffixes); i++) {
        enum pkg_status more = read_info(root, INFO, name, used, suffixes[i], path, i ? &q->conffiles : &q->md5sums);
        if (more == PKG_UNREADABLE || more == PKG_DAMAGED)
            complain_to(sink, path, 0, "cannot be read", true);
    }
    if (q->list.n == 0) {
        complain_to(sink, q->path, 0, "the list is empty: reinstall the package", false);
        status = PKG_DAMAGED;
    }
    return status;
}

enum pkg_status dpkg_files(struct pkg_files *f, struct bytes name, struct bytes arch, struct bytes version, const struct pkg_sink *sink)
{
    (void)version; /* dpkg has one version of a package and architecture */
    if (!is_word(name) || name.n > 256 || arch.n > 64 || (arch.n && !is_word(arch)) || memchr(name.p, '/', name.n) ||
        (arch.n && memchr(arch.p, '/', arch.n)))
        return PKG_ABSENT;
    struct question q = {wr_of(FILE_LIST_MAX), wr_of(FILE_LIST_MAX), wr_of(FILE_LIST_MAX), {0}};
    struct kept *k = keep(f, sink);
    enum pkg_status status = k ? read_lists(&q, f, name, arch, sink) : PKG_NO_MEMORY;
    if (status == PKG_OK) {
        struct arena a = arena_of(1024);
        const struct bytes *stanza = path_facts_find(&k->stanzas, key_of(&a, name, arch));
        struct dpkg_lists lists = {.list = wr_view(&q.list), .md5sums = wr_view(&q.md5sums), .conffiles = wr_view(&q.conffiles),
                                   .stanza = stanza ? *stanza : (struct bytes){0}, .package = name,
                                   .diversions = &k->diversions, .file = q.path};
        status = dpkg_lists_tell(&lists, sink);
        arena_free(&a);
    }
    wr_free(&q.list);
    wr_free(&q.md5sums);
    wr_free(&q.conffiles);
    return status;
}
