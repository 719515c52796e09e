#include "pkg/internal.h"

/* snapd knows no order of versions, which are their publisher's; it goes by revisions, which the store counts upwards
 * for each snap. VERSION+rN or rN: N decides, and equal revisions are equal. A revision xN was built on the machine
 * and comes before the store's; what has no revision comes before both, in the order of its octets. */

static struct bytes revision_of(struct bytes v, int *kind)
{
    size_t at = v.n;
    *kind = 0;
    if (at == 0)
        return v;
    while (at > 0 && is_digit(v.p[at - 1]))
        at--;
    struct bytes number = {v.p + at, v.n - at};
    bool local = at > 0 && v.p[at - 1] == 'x';
    at -= local;
    if (number.n && at > 0 && v.p[at - 1] == 'r' && (at == 1 || v.p[at - 2] == '+'))
        *kind = local ? 1 : 2;
    return number;
}

static int snap_compare(struct bytes a, struct bytes b)
{
    int kind_a, kind_b;
    struct bytes number_a = revision_of(a, &kind_a), number_b = revision_of(b, &kind_b);
    if (kind_a != kind_b)
        return kind_a < kind_b ? -1 : 1;
    int c = kind_a ? number_compare(number_a, number_b) : bytes_compare(a, b);
    return (c > 0) - (c < 0);
}

static const char *snap_fault(struct bytes v)
{
    int kind;
    revision_of(v, &kind);
    return !is_word(v) ? "not a word" : kind ? NULL : "no revision at its end (+r42)";
}

const struct pkg_order snap_order = {.name = "snap", .compare = snap_compare, .fault = snap_fault};
