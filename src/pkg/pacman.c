#include "pkg/internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* pacman's local database, alpm-db(7): a folder a package, NAME-VERSION-PKGREL, with the package's fields in its file
 * "desc". */

#define FOLDER  "/var/lib/pacman/local"
#define VERSION FOLDER "/ALPM_DB_VERSION"
#define LOCK    "/var/lib/pacman/db.lck"

static bool pacman_present(const char *root)
{
    return database_there(root, VERSION);
}

/* alpm-db-desc(5): "%FIELD%", its values a line each, an empty line. */
void pacman_desc_read(struct lines *lines, struct arena *a, struct pkg_package *p)
{
    struct bytes line, field = {0}, date = {0};
    struct {
        const char *name;
        struct bytes *value;
    } fields[] = {{"%NAME%", &p->name},
                  {"%VERSION%", &p->version},
                  {"%BASE%", &p->source_name},
                  {"%ARCH%", &p->arch},
                  {"%INSTALLDATE%", &date}};
    uint64_t second;
    bool whole;
    *p = (struct pkg_package){.state = PKG_STATE_INSTALLED, .installed_at = TIME_UNKNOWN};
    while (lines_next(lines, &line, &whole)) {
        if (line.n == 0 || field.n == 0) {
            field = line.n > 2 && line.p[0] == '%' && line.n < 64 ? arena_copy(a, line) : (struct bytes){0};
            continue;
        }
        for (size_t i = 0; i < ARRAY_LENGTH(fields); i++)
            if (bytes_equal(field, bytes_of(fields[i].name)) && fields[i].value->n == 0)
                *fields[i].value = arena_copy(a, line);
    }
    if (bytes_number(date, &second) && second <= INT64_MAX)
        p->installed_at = (int64_t)second;
    if (!is_word(p->source_name))
        p->source_name = p->name;
    p->source_version = p->version;
}

struct reading {
    const struct pkg_sink *sink;
    char root[PATH_MAX], folder[PATH_MAX];
    struct arena arena;
    bool stopped;
};

static void complain(const struct reading *r, const char *file, size_t line, const char *what)
{
    complain_to(r->sink, file, line, what, false);
}

static enum pkg_status read_package(struct reading *r, const char *name)
{
    char path[PATH_MAX];
    struct lines lines;
    struct pkg_package p;
    if (snprintf(path, sizeof path, "%s/%s/desc", r->folder, name) >= (int)sizeof path)
        return PKG_UNREADABLE;
    enum pkg_status status = lines_open(&lines, path);
    if (status == PKG_OK) {
        pacman_desc_read(&lines, &r->arena, &p);
        lines_close(&lines);
    } else if (status != PKG_ABSENT)
        return status;
    if (status == PKG_OK && !r->arena.exhausted && is_word(p.name) && is_word(p.version) && is_word(p.arch))
        r->stopped = !r->sink->package(r->sink->context, &p);
    else if (database_there(r->root, LOCK))
        return PKG_UNREADABLE; /* pacman is at work on this very package: neither there nor gone */
    else
        complain(r, path, 0,
                 "not a package's description: the package is skipped, \"pacman -Qk\" and reinstalling it mend that");
    arena_reset(&r->arena);
    return r->stopped ? PKG_STOPPED : PKG_OK;
}

static int is_package(const struct dirent *e)
{
    return e->d_name[0] != '.' && (e->d_type == DT_DIR || e->d_type == DT_LNK || e->d_type == DT_UNKNOWN) &&
           !bytes_equal(bytes_of(e->d_name), BYTES("ALPM_DB_VERSION"));
}

static enum pkg_status read_folder(struct reading *r)
{
    struct dirent **entries;
    int n = scandir(r->folder, &entries, is_package, alphasort);
    if (n < 0)
        return errno == ENOENT || errno == ENOTDIR ? missing_in(r->root, FOLDER)
               : errno == ENOMEM                   ? PKG_NO_MEMORY
                                                   : PKG_UNREADABLE;
    enum pkg_status status = PKG_OK;
    for (int i = 0; i < n; i++) {
        if (status == PKG_OK)
            status = read_package(r, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return status;
}

static enum pkg_status pacman_installed(const char *root, const struct pkg_sink *sink)
{
    struct reading *r = calloc(1, sizeof *r);
    if (!r)
        return PKG_NO_MEMORY;
    r->sink = sink;
    r->arena = arena_of((size_t)1 << 20);
    enum pkg_status status = PKG_UNREADABLE;
    if (snprintf(r->root, sizeof r->root, "%s", root) < (int)sizeof r->root && path_below(r->folder, root, FOLDER))
        status = pacman_present(root) ? read_folder(r) : missing_in(root, FOLDER);
    arena_free(&r->arena);
    free(r);
    return status;
}

static bool pacman_busy(const char *root)
{
    return database_there(root, LOCK);
}

static uint64_t pacman_stamp(const char *root)
{
    static const char *const places[] = {VERSION, FOLDER};
    uint64_t digest = DIGEST_START;
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++)
        digest = digest_add_below(digest, root, places[i]);
    return log_set_stamp(digest, root, PACMAN_LOG);
}

const struct pkg_manager pkg_pacman = {
    .name = "pacman",
    .doc = "Arch and its kin: /var/lib/pacman/local and pacman.log",
    .source = PKG_SOURCE_PACMAN,
    .present = pacman_present,
    .installed = pacman_installed,
    .history = pacman_history,
    .stamp = pacman_stamp,
    .busy = pacman_busy,
    .files = pacman_files,
    .describe = pacman_describe,
    .order = &pacman_order,
    .watch = (const char *const[]){FOLDER, PACMAN_LOG, NULL},
};
