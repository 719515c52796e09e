#include "pkg/internal.h"

#include <string.h>

/* What apk's installed database says of packages beyond name and version, apk-package(5): T summary, U homepage, m maintainer, L licence, D what it
 * needs, p what it gives. */

/* "name", "name>=1", "so:libx.so.1=1.2", "!conflict", "name@tag": words with blanks between. */
static void read_relations(struct bytes text, struct relations *r)
{
    static const struct {
        const char *sign;
        enum pkg_compare compare;
    } signs[] = {{"<=", PKG_LESS_EQUAL}, {">=", PKG_GREATER_EQUAL}, {"=~", PKG_LIKE}, {"~=", PKG_LIKE}, {"~", PKG_LIKE},
                 {"><", PKG_ANY},        {"<", PKG_LESS},           {">", PKG_GREATER}, {"=", PKG_EQUAL}}; /* ><: of this checksum */
    while (text.n) {
        struct bytes word = bytes_split(&text, ' ');
        size_t n = 0;
        while (n < word.n && !strchr("<>=~@", word.p[n] ? word.p[n] : '@'))
            n++;
        if (n == 0 || word.p[0] == '!')
            continue;
        struct pkg_relation one = {.name = {word.p, n}};
        struct bytes rest = {word.p + n, word.n - n};
        for (size_t i = 0; i < ARRAY_LENGTH(signs) && !one.version.p; i++)
            if (bytes_starts(rest, bytes_of(signs[i].sign))) {
                size_t length = strlen(signs[i].sign);
                one.compare = signs[i].compare;
                one.version = (struct bytes){rest.p + length, rest.n - length};
            }
        if (one.version.n == 0 || one.compare == PKG_ANY) {
            one.version = (struct bytes){0};
            one.compare = PKG_ANY;
        }
        relations_add(r, one);
    }
}

enum { NAME, VERSION, ARCH, SUMMARY, HOMEPAGE, MAINTAINER, LICENCE, NEEDS, GIVES, FIELDS };
static const char letters[FIELDS + 1] = "PVATUmLDp";

struct describing {
    const struct pkg_sink *sink;
    struct arena arena;
    struct relations needs, gives;
    struct wr licence;
};

static bool describe_one(struct describing *x, const struct bytes v[FIELDS])
{
    x->needs.count = x->gives.count = 0;
    relations_add(&x->gives, (struct pkg_relation){.name = v[NAME], .version = v[VERSION], .compare = PKG_EQUAL});
    read_relations(v[GIVES], &x->gives);
    read_relations(v[NEEDS], &x->needs);
    wr_reset(&x->licence);
    if (!licence_put(&x->licence, v[LICENCE]))
        wr_reset(&x->licence);
    const struct pkg_description d = {
        .name = v[NAME],
        .version = v[VERSION],
        .arch = v[ARCH],
        .summary = v[SUMMARY],
        .homepage = v[HOMEPAGE],
        .maintainer = v[MAINTAINER],
        .licence = wr_view(&x->licence),
        .needs = x->needs.items,
        .need_count = x->needs.count,
        .gives = x->gives.items,
        .give_count = x->gives.count,
    };
    return x->sink->description(x->sink->context, &d);
}

/* The lines up to an empty one. False: there was none but that. */
static bool read_stanza(struct describing *x, struct lines *lines, struct bytes v[FIELDS])
{
    struct bytes line;
    bool whole, found = false;
    memset(v, 0, FIELDS * sizeof *v);
    arena_reset(&x->arena);
    while (lines_next(lines, &line, &whole)) {
        if (line.n == 0 && found)
            break;
        const char *letter = line.n > 2 && line.p[0] && line.p[1] == ':' ? strchr(letters, line.p[0]) : NULL;
        found |= line.n > 0;
        if (letter && v[letter - letters].n == 0)
            v[letter - letters] = arena_copy(&x->arena, (struct bytes){line.p + 2, line.n - 2});
    }
    return found;
}

enum pkg_status apk_describe_lines(struct lines *lines, const struct pkg_sink *sink)
{
    struct describing x = {.sink = sink, .arena = arena_of((size_t)4 << 20), .licence = wr_of((size_t)64 << 10)};
    struct bytes v[FIELDS];
    bool stopped = false;
    while (!stopped && read_stanza(&x, lines, v))
        if (is_word(v[NAME]) && is_word(v[VERSION]))
            stopped = !describe_one(&x, v);
    bool no_memory = x.needs.no_memory || x.gives.no_memory;
    arena_free(&x.arena);
    relations_free(&x.needs);
    relations_free(&x.gives);
    wr_free(&x.licence);
    return stopped ? PKG_STOPPED : no_memory ? PKG_NO_MEMORY : PKG_OK;
}

enum pkg_status apk_describe(const char *root, const struct pkg_sink *sink)
{
    const char *place = apk_find_place(root);
    char path[PATH_MAX];
    struct lines lines;
    enum pkg_status status = place && path_below(path, root, place) ? lines_open(&lines, path) : PKG_ABSENT;
    if (status != PKG_OK)
        return status;
    status = apk_describe_lines(&lines, sink);
    lines_close(&lines);
    return status;
}
