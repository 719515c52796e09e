#include "pkg/internal.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* apk's installed database, apk-package(5): "P:NAME" and other fields of a letter each, the folders and files among
 * them, an empty line behind each package. apk notes no time at which it installed one. */

static const char *const places[] = {"/lib/apk/db/installed", "/usr/lib/apk/db/installed"};
#define FOLDER     "/lib/apk/db"
#define USR_FOLDER "/usr/lib/apk/db"

const char *apk_find_place(const char *root)
{
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++)
        if (database_there(root, places[i]))
            return places[i];
    return NULL;
}

static bool apk_present(const char *root)
{
    return apk_find_place(root) != NULL;
}

bool apk_installed_next(struct lines *lines, struct arena *a, struct pkg_package *p, bool *stanza)
{
    struct bytes line;
    bool whole, ended = false;
    *p = (struct pkg_package){.state = PKG_STATE_INSTALLED, .installed_at = TIME_UNKNOWN};
    *stanza = false;
    arena_reset(a);
    while (lines_next(lines, &line, &whole)) {
        lines->damaged |= !whole;
        ended = line.n == 0 && whole && *stanza;
        if (ended)
            break;
        if (line.n < 2 || line.p[1] != ':')
            continue;
        struct bytes value = {line.p + 2, line.n - 2}, *field = line.p[0] == 'P'   ? &p->name
                                                                : line.p[0] == 'V' ? &p->version
                                                                : line.p[0] == 'A' ? &p->arch
                                                                : line.p[0] == 'o' ? &p->source_name
                                                                                   : NULL;
        *stanza = true;
        if (field && field->n == 0)
            *field = arena_copy(a, value);
    }
    lines->damaged |= *stanza && !ended;
    if (!is_word(p->source_name))
        p->source_name = p->name;
    p->source_version = p->version;
    return ended && is_word(p->name) && is_word(p->version) && is_word(p->arch);
}

static enum pkg_status apk_installed(const char *root, const struct pkg_sink *sink)
{
    const char *place = apk_find_place(root);
    char path[PATH_MAX];
    struct lines lines;
    struct pkg_package p;
    struct arena a = arena_of((size_t)1 << 20);
    bool stopped = false, good, stanza, found = false;
    if (!place || !path_below(path, root, place)) {
        enum pkg_status usr = missing_in(root, USR_FOLDER), old = missing_in(root, FOLDER);
        return usr == PKG_ABSENT ? usr : old;
    }
    enum pkg_status status = lines_open(&lines, path);
    if (status != PKG_OK)
        return status;
    do {
        size_t line = lines.number + 1;
        good = apk_installed_next(&lines, &a, &p, &stanza);
        found |= good;
        if (good)
            stopped = !sink->package(sink->context, &p);
        else if (stanza && !lines.damaged)
            complain_to(sink, path, line, "a package without name, version or architecture", false);
    } while (stanza && !stopped);
    bool damaged = lines.damaged || !found; /* a machine of apk's has at least apk */
    lines_close(&lines);
    arena_free(&a);
    return stopped ? PKG_STOPPED : damaged ? PKG_DAMAGED : PKG_OK;
}

static uint64_t apk_stamp(const char *root)
{
    uint64_t digest = DIGEST_START;
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++)
        digest = digest_add_below(digest, root, places[i]);
    return digest;
}

/* apk(8): the root's architectures, the native one first. */
static void apk_native_arch(const char *root, char *arch, size_t size)
{
    first_word_below(root, "/etc/apk/arch", arch, size);
}

const struct pkg_manager pkg_apk = {
    .name = "apk",
    .doc = "Alpine and its kin: apk's installed database; times are bounds",
    .source = PKG_SOURCE_APK,
    .present = apk_present,
    .installed = apk_installed,
    .stamp = apk_stamp,
    .files = apk_files,
    .describe = apk_describe,
    .native_arch = apk_native_arch,
    .order = &apk_order,
    .watch = (const char *const[]){FOLDER, USR_FOLDER, NULL},
};
