/* What packages say of themselves: any octets give a licence expression of the characters that SPDX allows, with its parentheses paired, or none; and
 * relations whose views lie in the text. */
#include "pkg/internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_expression(struct bytes e)
{
    int depth = 0;
    for (size_t i = 0; i < e.n; i++) {
        uint8_t c = e.p[i];
        bool letter = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        depth += c == '(' ? 1 : c == ')' ? -1 : 0;
        if ((!letter && (!c || !strchr("-.() +", c))) || depth < 0)
            abort();
    }
    if (depth != 0)
        abort();
}

static void try_licence(struct bytes said)
{
    struct wr w = wr_of(0), again = wr_of(0);
    if (licence_put(&w, said)) {
        check_expression(wr_view(&w));
        /* An expression of ours is one of SPDX's and stays what it is. */
        if (w.n == 0 || !licence_put(&again, wr_view(&w)) || !bytes_equal(wr_view(&w), wr_view(&again)))
            abort();
    } else if (w.n) {
        abort();
    }
    wr_free(&w);
    wr_free(&again);
}

static void try_copyright(struct bytes text)
{
    struct lines lines = lines_of(text);
    struct wr w = wr_of(0);
    copyright_put_licence(&lines, &w);
    check_expression(wr_view(&w));
    wr_free(&w);
}

static void try_relations(struct bytes text)
{
    struct relations r = {0};
    dpkg_relations_read(text, BYTES("amd64"), &r);
    for (size_t i = 0; i < r.count; i++) {
        const struct pkg_relation *one = &r.items[i];
        if (!is_word(one->name) || one->name.p < text.p || one->name.p + one->name.n > text.p + text.n || (one->compare != PKG_ANY && one->version.n == 0) ||
            (i == 0 && one->alternative))
            abort();
    }
    relations_free(&r);
}

static bool take_description(void *context, const struct pkg_description *d)
{
    (void)context;
    check_expression(d->licence);
    if (!is_word(d->name) || !is_word(d->version))
        abort();
    for (size_t i = 0; i < d->need_count; i++)
        if (d->needs[i].name.n == 0 || (d->needs[i].compare != PKG_ANY && d->needs[i].version.n == 0))
            abort();
    return true;
}

static void try_manager(struct bytes text, enum pkg_status (*describe)(struct lines *, const struct pkg_sink *))
{
    struct lines lines = lines_of(text);
    const struct pkg_sink sink = {.description = take_description};
    if (describe(&lines, &sink) != PKG_OK)
        abort();
}

static void try_apk(struct bytes text)
{
    try_manager(text, apk_describe_lines);
}

static void try_pacman(struct bytes text)
{
    try_manager(text, pacman_describe_lines);
}

static void try_rpm(struct bytes text)
{
    try_manager(text, rpm_describe_lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(struct bytes) = {try_licence, try_copyright, try_relations, try_apk, try_pacman, try_rpm};
    if (size)
        tries[data[0] % ARRAY_LENGTH(tries)]((struct bytes){data + 1, size - 1});
    return 0;
}
