#include "pkg/internal.h"

#include <string.h>

/* What rpm's database says of packages beyond name and version, as muster-rpmdb tells it (rpmdb_describe.c). Boolean dependencies, "(a if b)", are
 * passed over: what they want depends on what else is there. */

#define ANSWER_MAX ((size_t)256 << 20)

/* Name, sign and version; rpm-dependencies(7): a version without release means all of them, and what is given without one is every version. */
static void read_relation(struct bytes line, struct relations *r)
{
    static const struct {
        const char *sign;
        enum pkg_compare compare;
    } signs[] = {{"<", PKG_LESS}, {"<=", PKG_LESS_EQUAL}, {"=", PKG_EQUAL}, {">=", PKG_GREATER_EQUAL}, {">", PKG_GREATER}};
    struct pkg_relation one = {.name = bytes_split(&line, '\t'), .loose = true};
    struct bytes sign = bytes_split(&line, '\t');
    for (size_t i = 0; i < ARRAY_LENGTH(signs) && line.n; i++)
        if (bytes_equal(sign, bytes_of(signs[i].sign))) {
            one.compare = signs[i].compare;
            one.version = line;
        }
    if (one.name.n && one.name.p[0] != '(')
        relations_add(r, one);
}

struct describing {
    const struct pkg_sink *sink;
    struct pkg_description d;
    struct wr licence;
    struct arena arena; /* of all texts */
    struct relations needs, gives;
    bool open, stopped;
};

static void finish(struct describing *x)
{
    if (!x->open)
        return;
    x->d.needs = x->needs.items;
    x->d.need_count = x->needs.count;
    x->d.gives = x->gives.items;
    x->d.give_count = x->gives.count;
    if (is_word(x->d.name) && is_word(x->d.version))
        x->stopped = !x->sink->description(x->sink->context, &x->d);
    x->open = false;
}

static void begin(struct describing *x, struct bytes line)
{
    finish(x);
    arena_reset(&x->arena);
    wr_reset(&x->licence);
    x->needs.count = x->gives.count = 0;
    x->open = true;
    line = arena_copy(&x->arena, line);
    x->d = (struct pkg_description){0};
    x->d.name = bytes_split(&line, '\t');
    x->d.version = bytes_split(&line, '\t');
    x->d.arch = bytes_split(&line, '\t');
    x->d.summary = bytes_split(&line, '\t');
    x->d.homepage = bytes_split(&line, '\t');
    x->d.maintainer = bytes_split(&line, '\t');
    if (x->d.arch.n == 0) /* as rpm_line_read() has it */
        x->d.arch = BYTES("noarch");
    if (!licence_put(&x->licence, line))
        wr_reset(&x->licence);
    x->d.licence = wr_view(&x->licence);
}

enum pkg_status rpm_describe_lines(struct lines *lines, const struct pkg_sink *sink)
{
    struct describing x = {.sink = sink, .arena = arena_of((size_t)16 << 20), .licence = wr_of((size_t)64 << 10)};
    struct bytes line;
    bool whole;
    while (!x.stopped && lines_next(lines, &line, &whole)) {
        struct bytes kind = bytes_split(&line, '\t');
        if (bytes_equal(kind, BYTES("P")))
            begin(&x, line);
        else if (x.open && (bytes_equal(kind, BYTES("N")) || bytes_equal(kind, BYTES("G"))))
            read_relation(arena_copy(&x.arena, line), kind.p[0] == 'N' ? &x.needs : &x.gives);
    }
    finish(&x);
    bool no_memory = x.needs.no_memory || x.gives.no_memory;
    arena_free(&x.arena);
    relations_free(&x.needs);
    relations_free(&x.gives);
    wr_free(&x.licence);
    return x.stopped ? PKG_STOPPED : no_memory ? PKG_NO_MEMORY : PKG_OK;
}

enum pkg_status rpm_describe(const char *root, const struct pkg_sink *sink)
{
    const char *folder = rpm_find_folder(root);
    char path[PATH_MAX];
    if (!folder || !path_below(path, root, folder))
        return PKG_ABSENT;
    struct wr answer = wr_of(ANSWER_MAX);
    const char *words[] = {path, "describe", NULL};
    enum pkg_status status = PKG_UNREADABLE;
    if (rpm_ask(words, &answer)) {
        struct lines lines = lines_of(wr_view(&answer));
        status = rpm_describe_lines(&lines, sink);
    } else {
        complain_to(sink, path, 0, "librpm cannot read what packages say of themselves, or not in time", true);
    }
    wr_free(&answer);
    return status;
}
