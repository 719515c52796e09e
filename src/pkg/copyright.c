#include "pkg/internal.h"

#include <string.h>

/* debian/copyright in its machine-readable form, copyright-format 1.0: a header with Format, paragraphs with Files and the License of these files,
 * paragraphs with the text of a licence. A package built from the source may hold any of its files, so it is under all their licences; only a
 * header that says the licence of the whole knows better. */
void copyright_put_licence(struct lines *lines, struct wr *w)
{
    enum { FORMAT, FILES, LICENCE, OLD_FORMAT };
    static const char *const names[] = {[FORMAT] = "Format", [FILES] = "Files", [LICENCE] = "License", [OLD_FORMAT] = "Format-Specification"};
    struct paragraph p = {.lines = lines, .names = names, .count = ARRAY_LENGTH(names)};
    struct licence_sum sum = licence_sum_of();
    bool more = paragraph_next(&p);
    struct bytes format = p.values[FORMAT].n ? p.values[FORMAT] : p.values[OLD_FORMAT];
    static const char mark[] = "copyright-format", dep[] = "dep5";
    bool readable = more && format.p && (memmem(format.p, format.n, mark, sizeof mark - 1) || memmem(format.p, format.n, dep, sizeof dep - 1));
    if (readable && p.values[LICENCE].n && p.values[FILES].n == 0)
        licence_sum_add(&sum, p.values[LICENCE]);
    else
        while (readable && !sum.unknown && paragraph_next(&p))
            if (p.values[FILES].n)
                licence_sum_add(&sum, p.values[LICENCE]);
    licence_sum_put(&sum, w);
    licence_sum_free(&sum);
    paragraph_free(&p);
}
