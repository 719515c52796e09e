#include "pkg/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What dpkg's status says of packages beyond name and version, deb-control(5), and the licence that their documentation states. */

#define STATUS   "/var/lib/dpkg/status"
#define STATUS_D "/var/lib/dpkg/status.d"
#define UPDATES  "/var/lib/dpkg/updates"

/* ---- relations ---------------------------------------------------------------------------------------------------------- */

void relations_add(struct relations *r, struct pkg_relation relation)
{
    if (r->count == r->capacity) {
        size_t capacity = r->capacity ? r->capacity * 2 : 64;
        struct pkg_relation *grown = realloc(r->items, capacity * sizeof *grown);
        if (!grown) {
            r->no_memory = true;
            return;
        }
        r->items = grown;
        r->capacity = capacity;
    }
    r->items[r->count++] = relation;
}

void relations_free(struct relations *r)
{
    free(r->items);
}

/* "name:arch (>= version) [linux-any] <!nocheck>": the last two stand in source packages alone. */
static struct pkg_relation read_relation(struct bytes text, struct bytes arch)
{
    static const struct {
        const char *sign;
        enum pkg_compare compare;
    } signs[] = {{"<<", PKG_LESS}, {"<=", PKG_LESS_EQUAL}, {">=", PKG_GREATER_EQUAL}, {">>", PKG_GREATER},
                 {"=", PKG_EQUAL}, {"<", PKG_LESS_EQUAL},  {">", PKG_GREATER_EQUAL}}; /* the last two are obsolete, and mean this */
    struct bytes rest = text, name = bytes_trim(bytes_split(&rest, '('));
    struct bytes version = bytes_trim(bytes_split(&rest, ')')), qualifier = name;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] == '[' || name.p[i] == '<')
            name = bytes_trim((struct bytes){name.p, i});
    qualifier = name;
    name = bytes_split(&qualifier, ':');
    struct pkg_relation r = {.name = name, .arch = qualifier.n ? qualifier : arch};
    if (bytes_equal(qualifier, BYTES("any")))
        r.arch = (struct bytes){0};
    for (size_t i = 0; i < ARRAY_LENGTH(signs) && r.compare == PKG_ANY; i++)
        if (bytes_starts(version, bytes_of(signs[i].sign))) {
            size_t n = strlen(signs[i].sign);
            r.compare = signs[i].compare;
            r.version = bytes_trim((struct bytes){version.p + n, version.n - n});
        }
    return r;
}

void dpkg_relations_read(struct bytes text, struct bytes arch, struct relations *r)
{
    while (text.n) {
        struct bytes choices = bytes_split(&text, ',');
        for (bool alternative = false; choices.n; ) {
            struct pkg_relation one = read_relation(bytes_split(&choices, '|'), arch);
            if (!is_word(one.name) || (one.compare != PKG_ANY && one.version.n == 0))
                continue;
            one.alternative = alternative;
            alternative = true;
            relations_add(r, one);
        }
    }
}

/* ---- licences ---------------------------------------------------------------------------------------------------------------- */

/* With links taken as they are inside the root: a package's documentation often is a link to another one's, and an image's must not lead out. */
static bool open_copyright(const char *root, struct bytes name, struct lines *lines)
{
    char path[600], self[64];
    if (name.n > 256 || snprintf(path, sizeof path, "usr/share/doc/%.*s/copyright", (int)name.n, (const char *)name.p) >= (int)sizeof path)
        return false;
    int fd = open_below(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return false;
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    bool good = lines_open(lines, self) == PKG_OK;
    close(fd);
    return good;
}

/* ---- status ------------------------------------------------------------------------------------------------------------------ */

enum { PACKAGE, ARCH, VERSION, STATE, MAINTAINER, HOMEPAGE, SECTION, DESCRIPTION, DEPENDS, PRE_DEPENDS, PROVIDES, MULTI_ARCH };
static const char *const names[] = {
    [PACKAGE] = "Package",   [ARCH] = "Architecture",       [VERSION] = "Version",   [STATE] = "Status",
    [MAINTAINER] = "Maintainer", [HOMEPAGE] = "Homepage",   [SECTION] = "Section",   [DESCRIPTION] = "Description",
    [DEPENDS] = "Depends",   [PRE_DEPENDS] = "Pre-Depends", [PROVIDES] = "Provides", [MULTI_ARCH] = "Multi-Arch",
};

struct describing {
    const char *root;
    const struct pkg_sink *sink;
    char native[64];
    struct relations needs, gives;
    struct wr licence;
    bool stopped;
};

static void put_licence(struct describing *x, struct bytes name)
{
    struct lines lines;
    wr_reset(&x->licence);
    if (!open_copyright(x->root, name, &lines))
        return;
    copyright_put_licence(&lines, &x->licence);
    lines_close(&lines);
}

/* What the package gives, by which architecture it counts: `all` is the native one, and Multi-Arch: foreign serves every one. */
static void read_relations(struct describing *x, const struct bytes v[])
{
    struct bytes own = bytes_equal(v[ARCH], BYTES("all")) ? bytes_of(x->native) : v[ARCH];
    struct bytes given = bytes_equal(v[MULTI_ARCH], BYTES("foreign")) ? (struct bytes){0} : own;
    x->needs.count = x->gives.count = 0;
    relations_add(&x->gives, (struct pkg_relation){.name = v[PACKAGE], .version = v[VERSION], .arch = given, .compare = PKG_EQUAL});
    dpkg_relations_read(v[PROVIDES], given, &x->gives);
    dpkg_relations_read(v[PRE_DEPENDS], own, &x->needs);
    dpkg_relations_read(v[DEPENDS], own, &x->needs);
}

static bool is_library(struct bytes section)
{
    struct bytes last = section;
    for (struct bytes rest = section; rest.n;)
        last = bytes_split(&rest, '/');
    return bytes_equal(last, BYTES("libs")) || bytes_equal(last, BYTES("oldlibs"));
}

static void describe_one(struct describing *x, const struct bytes v[])
{
    struct bytes summary = v[DESCRIPTION], end = BYTES("config-files");
    bool gone = v[STATE].n > end.n && bytes_equal((struct bytes){v[STATE].p + v[STATE].n - end.n, end.n}, end);
    if (!is_word(v[PACKAGE]) || !is_word(v[VERSION]) || gone || memchr(v[PACKAGE].p, '/', v[PACKAGE].n))
        return;
    read_relations(x, v);
    put_licence(x, v[PACKAGE]);
    struct pkg_description d = {
        .name = v[PACKAGE],
        .version = v[VERSION],
        .arch = v[ARCH],
        .summary = bytes_split(&summary, '\n'),
        .homepage = v[HOMEPAGE],
        .maintainer = v[MAINTAINER],
        .licence = wr_view(&x->licence),
        .library = is_library(v[SECTION]),
        .needs = x->needs.items,
        .need_count = x->needs.count,
        .gives = x->gives.items,
        .give_count = x->gives.count,
    };
    x->stopped = !x->sink->description(x->sink->context, &d);
}

static enum pkg_status describe_file(struct describing *x, const char *path)
{
    struct lines lines;
    enum pkg_status status = lines_open(&lines, path);
    if (status != PKG_OK)
        return status;
    struct paragraph p = {.lines = &lines, .names = names, .count = ARRAY_LENGTH(names), .whole = true};
    while (!x->stopped && paragraph_next(&p))
        describe_one(x, p.values);
    paragraph_free(&p);
    lines_close(&lines);
    return PKG_OK;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void describe_folder(struct describing *x, const char *folder)
{
    char base[PATH_MAX], path[PATH_MAX];
    struct dirent **entries;
    int n = path_below(base, x->root, folder) ? scandir(base, &entries, is_visible, alphasort) : -1;
    for (int i = 0; i < n; i++) {
        /* One that went meanwhile was merged into status: what is said there is as good. */
        if (snprintf(path, sizeof path, "%s/%s", base, entries[i]->d_name) < PATH_MAX && describe_file(x, path) != PKG_OK)
            complain_to(x->sink, path, 0, "cannot be read: what it says of a package is not known", true);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

enum pkg_status dpkg_describe(const char *root, const struct pkg_sink *sink)
{
    struct describing x = {.root = root, .sink = sink, .licence = wr_of((size_t)64 << 10)};
    char path[PATH_MAX];
    dpkg_native_arch(root, x.native, sizeof x.native);
    enum pkg_status status = path_below(path, root, STATUS) ? describe_file(&x, path) : PKG_UNREADABLE;
    describe_folder(&x, UPDATES);
    describe_folder(&x, STATUS_D);
    if (x.needs.no_memory || x.gives.no_memory)
        status = PKG_NO_MEMORY;
    relations_free(&x.needs);
    relations_free(&x.gives);
    wr_free(&x.licence);
    return x.stopped ? PKG_STOPPED : status == PKG_ABSENT ? PKG_OK : status;
}
