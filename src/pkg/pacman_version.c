#include "pkg/internal.h"

/* vercmp(8), the order of pacman's libalpm: [epoch:]version[-pkgrel], rpm's order of segments without its marks. */

static bool is_separator(uint8_t c)
{
    return !is_digit(c) && !is_letter(c);
}

static int part_compare(struct bytes a, struct bytes b)
{
    while (a.n && b.n) {
        struct bytes x = span_cut(&a, is_separator), y = span_cut(&b, is_separator);
        if (a.n == 0 || b.n == 0)
            break;
        if (x.n != y.n) /* more between two segments is newer */
            return x.n < y.n ? -1 : 1;
        int order = segment_compare(&a, &b);
        if (order)
            return order;
    }
    /* Letters that are left over are older than nothing (1.0beta < 1.0), all else is newer. */
    if (a.n == 0 && b.n == 0)
        return 0;
    return (a.n == 0 && !is_letter(b.p[0])) || (a.n && is_letter(a.p[0])) ? -1 : 1;
}

/* A pkgrel counts only if both have one, as in libalpm: so 1-1 < 1-2, and 1 equals both. */
static int version_compare(struct bytes a, struct bytes b)
{
    struct evr x, y;
    evr_split(a, &x);
    evr_split(b, &y);
    int order = number_compare(x.epoch, y.epoch);
    if (order == 0)
        order = part_compare(x.version, y.version);
    return order || x.release.p == NULL || y.release.p == NULL ? order : part_compare(x.release, y.release);
}

static const char *version_fault(struct bytes v)
{
    struct evr e;
    evr_split(v, &e);
    if (e.version.n == 0)
        return "the version is empty";
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] <= ' ' || v.p[i] >= 0x7f || v.p[i] == '/')
            return "only printable characters of ASCII, but for blanks and slashes, form a version";
    return NULL;
}

const struct pkg_order pacman_order = {"pacman", version_compare, version_fault};
