/* muster tag --package-file: the tag that a package would have here, made of its file. */
#include "cli/package.h"
#include "cli/tag_out.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { HOPS_MAX = 16 }; /* of links that lead to links */

struct listing {
    const struct package_contents *contents;
    const struct agent_tag_style *style;
    const struct package_entry **order; /* of the tag */
    size_t count, at;
};

static int in_order(const void *a, const void *b, void *context)
{
    const struct package_entry *x = *(const struct package_entry *const *)a, *y = *(const struct package_entry *const *)b;
    return swid_path_compare(x->path, y->path, ((const struct listing *)context)->style->hierarchic);
}

/* Where a link leads, ".." by its words; false: nowhere. */
static bool target_of(struct bytes path, struct bytes link, char out[PATH_MAX], struct bytes *target)
{
    size_t n = 0;
    struct bytes parts[] = {link.n && link.p[0] == '/' ? (struct bytes){0} : path, link};
    while (parts[0].n && parts[0].p[parts[0].n - 1] != '/') /* from the folder that it stands in */
        parts[0].n--;
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        while (parts[i].n) {
            struct bytes part = bytes_split(&parts[i], '/');
            if (part.n == 0 || bytes_equal(part, BYTES(".")))
                continue;
            if (bytes_equal(part, BYTES(".."))) {
                while (n && out[--n] != '/')
                    continue;
                continue;
            }
            if (n + 1 + part.n >= PATH_MAX)
                return false;
            out[n++] = '/';
            memcpy(out + n, part.p, part.n);
            n += part.n;
        }
    *target = (struct bytes){(const uint8_t *)out, n};
    return n > 0;
}

/* The regular file that an entry is or leads to, within the package: a tag names a library's link with what it leads to. NULL: none. */
static const struct package_entry *content_of(const struct package_contents *c, const struct package_entry *e)
{
    char path[PATH_MAX];
    struct bytes target;
    for (int i = 0; e && e->kind == PKG_FILE_LINK && i < HOPS_MAX; i++)
        e = target_of(e->path, e->link, path, &target) ? package_contents_find(c, target) : NULL;
    return e && e->resolved ? e : NULL;
}

static bool next_file(void *context, struct swid_file *file)
{
    struct listing *l = context;
    while (l->at < l->count) {
        const struct package_entry *e = l->order[l->at++], *content = content_of(l->contents, e);
        if (!content)
            continue; /* folders, what is only claimed, links out of the package */
        *file = (struct swid_file){.path = e->path,
                                   .size = content->size,
                                   .sized = true,
                                   .mutable = content->config,
                                   .sha256 = package_entry_digest(l->contents, content, MEASURE_SHA256),
                                   .sha384 = package_entry_digest(l->contents, content, MEASURE_SHA384),
                                   .sha512 = package_entry_digest(l->contents, content, MEASURE_SHA512)};
        return true;
    }
    return false;
}

bool package_put_tag(const struct package_contents *c, const struct agent_tag_style *style, const struct agent_tag_taker *taker)
{
    const struct journal_record r = {.name = c->package.name,
                                     .version = c->package.version,
                                     .arch = c->package.arch,
                                     .source_name = c->package.source_name,
                                     .source_version = c->package.source_version,
                                     .source = c->manager->source,
                                     .since = TIME_UNKNOWN};
    struct listing l = {c, style, calloc(c->count + 1, sizeof *l.order), c->count, 0};
    if (!l.order)
        return false;
    for (size_t i = 0; i < c->count; i++)
        l.order[i] = &c->entries[i];
    qsort_r(l.order, l.count, sizeof *l.order, in_order, &l);
    bool done = agent_tags_package(style, taker, &r, next_file, &l);
    free(l.order);
    return done;
}

static int tag_file(const struct cli *cli, const char *path, const struct agent_tag_style *style, const struct agent_tag_taker *taker, bool *go_on)
{
    struct package_contents contents;
    struct error error = {""};
    enum pkg_status status = package_contents_read(&contents, path, style->full ? style->hashes : 0, &error);
    if (status != PKG_OK)
        return cli_fail(cli, package_exit(status, path), "%s: %s", path, error.text);
    *go_on = package_put_tag(&contents, style, taker);
    int code = *go_on ? package_judge(cli, path, &contents) : EXIT_INTERNAL;
    package_contents_free(&contents);
    return code;
}

/* Every --package-file, and the arguments that a glob left behind it. One that cannot be read keeps none of the others from its tag. */
static int tag_files(struct cli *cli, const struct agent_tag_style *style, const struct agent_tag_taker *taker)
{
    int worst = EXIT_DONE;
    unsigned options = 0;
    const char *path;
    bool go_on = true;
    while (cli_nth(cli, "package-file", options))
        options++;
    for (unsigned i = 0; go_on && (path = i < options ? cli_nth(cli, "package-file", i) : cli_argument(cli, i - options)); i++)
        worst = cli_worst(worst, tag_file(cli, path, style, taker, &go_on));
    return worst;
}

tag_package_reader *const tag_package_files = tag_files;
