#include "pkg/internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What pacman's local database says of packages beyond name and version, alpm-db-desc(5): a field's name between percent signs, a value a line. */

#define FOLDER "/var/lib/pacman/local"

/* "name", "name>=1:2-3", "libx.so=1-64", "name: why it is wanted". A version without pkgrel means all of them. */
static void read_relation(struct bytes text, struct relations *r)
{
    static const struct {
        const char *sign;
        enum pkg_compare compare;
    } signs[] = {{"<=", PKG_LESS_EQUAL}, {">=", PKG_GREATER_EQUAL}, {"<", PKG_LESS}, {">", PKG_GREATER}, {"=", PKG_EQUAL}};
    size_t n = 0;
    while (n < text.n && !memchr("<>=", text.p[n], 3))
        n++;
    struct pkg_relation one = {.name = {text.p, n}};
    struct bytes rest = {text.p + n, text.n - n};
    for (size_t i = 0; i < ARRAY_LENGTH(signs) && one.compare == PKG_ANY; i++)
        if (bytes_starts(rest, bytes_of(signs[i].sign)) && rest.n > strlen(signs[i].sign)) {
            size_t length = strlen(signs[i].sign);
            one.compare = signs[i].compare;
            one.version = (struct bytes){rest.p + length, rest.n - length};
            one.loose = true;
        }
    if (is_word(one.name) || (n && !memchr(text.p, ' ', n)))
        relations_add(r, one);
}

enum { NAME, VERSION, ARCH, SUMMARY, HOMEPAGE, MAINTAINER, LICENCE, NEEDS, GIVES, FIELDS };
static const char *const names[FIELDS] = {"%NAME%", "%VERSION%", "%ARCH%", "%DESC%", "%URL%", "%PACKAGER%", "%LICENSE%", "%DEPENDS%", "%PROVIDES%"};

struct describing {
    const struct pkg_sink *sink;
    struct arena arena;
    struct relations needs, gives;
    struct wr licence;
};

static void take_value(struct describing *x, size_t field, struct bytes line, struct bytes v[FIELDS], struct licence_sum *licences)
{
    struct bytes value = arena_copy(&x->arena, line);
    if (field == LICENCE)
        licence_sum_add(licences, value);
    else if (field == NEEDS)
        read_relation(value, &x->needs);
    else if (field == GIVES)
        read_relation(value, &x->gives);
    else if (v[field].n == 0)
        v[field] = value;
}

static size_t field_of(struct bytes line)
{
    size_t i = 0;
    while (i < FIELDS && !bytes_equal(line, bytes_of(names[i])))
        i++;
    return i;
}

/* A field begins behind an empty line, and ends with one. */
static void read_values(struct describing *x, struct lines *lines, struct bytes v[FIELDS], struct licence_sum *licences)
{
    struct bytes line;
    size_t field = FIELDS;
    bool whole, begins = true;
    while (lines_next(lines, &line, &whole)) {
        if (begins)
            field = field_of(line);
        else if (line.n && field < FIELDS)
            take_value(x, field, line, v, licences);
        begins = line.n == 0;
    }
}

enum pkg_status pacman_describe_lines(struct lines *lines, const struct pkg_sink *sink)
{
    struct describing x = {.sink = sink, .arena = arena_of((size_t)4 << 20), .licence = wr_of((size_t)64 << 10)};
    struct licence_sum licences = licence_sum_of();
    struct bytes v[FIELDS] = {{0}};
    read_values(&x, lines, v, &licences);
    relations_add(&x.gives, (struct pkg_relation){.name = v[NAME], .version = v[VERSION], .compare = PKG_EQUAL});
    licence_sum_put(&licences, &x.licence);
    const struct pkg_description d = {
        .name = v[NAME],
        .version = v[VERSION],
        .arch = v[ARCH],
        .summary = v[SUMMARY],
        .homepage = v[HOMEPAGE],
        .maintainer = v[MAINTAINER],
        .licence = wr_view(&x.licence),
        .needs = x.needs.items,
        .need_count = x.needs.count,
        .gives = x.gives.items,
        .give_count = x.gives.count,
    };
    bool no_memory = x.needs.no_memory || x.gives.no_memory, good = is_word(v[NAME]) && is_word(v[VERSION]);
    bool stopped = !no_memory && good && !sink->description(sink->context, &d);
    arena_free(&x.arena);
    relations_free(&x.needs);
    relations_free(&x.gives);
    wr_free(&x.licence);
    licence_sum_free(&licences);
    return no_memory ? PKG_NO_MEMORY : stopped ? PKG_STOPPED : PKG_OK;
}

static int is_visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

enum pkg_status pacman_describe(const char *root, const struct pkg_sink *sink)
{
    char folder[PATH_MAX], path[PATH_MAX];
    struct dirent **entries;
    struct lines lines;
    int n = path_below(folder, root, FOLDER) ? scandir(folder, &entries, is_visible, alphasort) : -1;
    enum pkg_status status = n < 0 ? PKG_UNREADABLE : PKG_OK;
    for (int i = 0; i < n; i++) {
        if (status == PKG_OK && snprintf(path, sizeof path, "%s/%s/desc", folder, entries[i]->d_name) < PATH_MAX && lines_open(&lines, path) == PKG_OK) {
            status = pacman_describe_lines(&lines, sink);
            lines_close(&lines);
        }
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return status;
}
