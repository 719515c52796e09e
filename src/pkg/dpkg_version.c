#include "pkg/internal.h"

#include <string.h>

/* deb-version(7): [epoch:]upstream[-revision]; parts are compared by turns of non-digits and digits. */

static bool has_text(struct bytes b)
{
    return b.n && !is_digit(b.p[0]);
}

/* Letters sort before everything but the end, a tilde before even that. */
static int weight(struct bytes b)
{
    if (!has_text(b))
        return 0;
    if (b.p[0] == '~')
        return -1;
    return is_letter(b.p[0]) ? b.p[0] : b.p[0] + 256;
}

static int compare_part(struct bytes a, struct bytes b)
{
    while (a.n || b.n) {
        while (has_text(a) || has_text(b)) {
            int wa = weight(a), wb = weight(b);
            if (wa != wb)
                return wa < wb ? -1 : 1;
            a = bytes_from(a, 1);
            b = bytes_from(b, 1);
        }
        struct bytes x = span_cut(&a, is_digit), y = span_cut(&b, is_digit);
        int order = number_compare(x, y);
        if (order)
            return order;
    }
    return 0;
}

static void split(struct bytes v, struct bytes part[3])
{
    struct bytes rest = v, head = bytes_split(&rest, ':');
    bool has_epoch = rest.p != NULL;
    part[0] = has_epoch ? head : BYTES("0");
    part[1] = has_epoch ? rest : v;
    part[2] = BYTES("0");
    for (size_t i = part[1].n; i-- > 0;)
        if (part[1].p[i] == '-') {
            part[2] = bytes_from(part[1], i + 1);
            part[1].n = i;
            break;
        }
}

static int version_compare(struct bytes a, struct bytes b)
{
    struct bytes pa[3], pb[3];
    split(a, pa);
    split(b, pb);
    for (size_t i = 0; i < 3; i++) {
        int c = compare_part(pa[i], pb[i]);
        if (c)
            return c;
    }
    return 0;
}

static const char *version_fault(struct bytes v)
{
    static const char odd[] = "only letters, digits and . + - ~ : form a version";
    struct bytes part[3], marks = BYTES(".+-~:");
    uint64_t epoch;
    split(v, part);
    if (v.n == 0 || part[1].n == 0)
        return "the version is empty";
    if (!bytes_number(part[0], &epoch) || epoch > INT32_MAX)
        return "the epoch is no number up to 2147483647";
    if (part[2].n == 0)
        return "the revision is empty";
    for (size_t i = 0; i < v.n; i++)
        if (!is_digit(v.p[i]) && !is_letter(v.p[i]) && !memchr(marks.p, v.p[i], marks.n))
            return odd;
    return NULL;
}

const struct pkg_order dpkg_order = {"dpkg", version_compare, version_fault};
