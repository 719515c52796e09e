/* The smallest package manager there can be: a text file, a package a line, "NAME VERSION ARCH SECOND" (SECOND: when it
 * was installed, or -). A second source for tests, and what a new file of src/pkg/ can begin with. Include once a
 * program, behind roots.h. */
#ifndef MUSTER_TEST_LIST_MANAGER_H
#define MUSTER_TEST_LIST_MANAGER_H

#include "pkg/internal.h"

#define LIST_FOLDER   "/var/lib/list"
#define LIST_PACKAGES LIST_FOLDER "/packages"

static bool list_present(const char *root)
{
    return database_there(root, LIST_PACKAGES);
}

static bool list_read_line(struct bytes line, struct pkg_package *p)
{
    uint64_t second;
    p->name = p->source_name = bytes_split(&line, ' ');
    p->version = p->source_version = bytes_split(&line, ' ');
    p->arch = bytes_split(&line, ' ');
    p->installed_at = bytes_number(line, &second) ? (int64_t)second : TIME_UNKNOWN;
    return is_word(p->name) && is_word(p->version) && is_word(p->arch) && line.n;
}

static enum pkg_status list_installed(const char *root, const struct pkg_sink *sink)
{
    struct lines lines;
    struct bytes line;
    bool whole, stopped = false, found = false, cut = false;
    char path[PATH_MAX];
    if (!path_below(path, root, LIST_PACKAGES))
        return PKG_UNREADABLE;
    enum pkg_status status = lines_open(&lines, path);
    if (status != PKG_OK)
        return status == PKG_ABSENT ? missing_in(root, LIST_FOLDER) : status;
    while (!stopped && lines_next(&lines, &line, &whole)) {
        struct pkg_package p = {.state = PKG_STATE_INSTALLED};
        cut = !whole;
        if (cut) {
            continue; /* the last line, and perhaps not all of it */
        } else if (list_read_line(line, &p)) {
            found = true;
            stopped = !sink->package(sink->context, &p);
        } else if (sink->complaint)
            sink->complaint(sink->context, path, lines.number, "not \"NAME VERSION ARCH SECOND\"", false);
    }
    bool damaged = lines.damaged || cut || !found; /* what holds no package is what a crash or a full disk left behind */
    lines_close(&lines);
    return stopped ? PKG_STOPPED : damaged ? PKG_DAMAGED : PKG_OK;
}

static uint64_t list_stamp(const char *root)
{
    char path[PATH_MAX];
    return path_below(path, root, LIST_PACKAGES) ? digest_add_file(DIGEST_START, path) : 0;
}

static int list_compare(struct bytes a, struct bytes b)
{
    int c = bytes_compare(a, b);
    return (c > 0) - (c < 0);
}

static const struct pkg_order list_order = {"list", list_compare, NULL};

const struct pkg_manager pkg_list = {
    .name = "list",
    .doc = "a text file",
    .source = 255,
    .present = list_present,
    .installed = list_installed,
    .stamp = list_stamp,
    .order = &list_order,
    .watch = (const char *const[]){LIST_FOLDER, NULL},
};

#endif
