#include "pkg/internal.h"

#include <string.h>

/* deb-version(7): [epoch:]upstream[-revision]; parts are compared by turns of non-digits and digits. */

/* Letters sort before everything but the end, a tilde before even that. */
static int weight(struct bytes b)
{
    if (b.n == 0 || (b.p[0] >= '0' && b.p[0] <= '9'))
        return 0;
    if (b.p[0] == '~')
        return -1;
    bool letter = (b.p[0] | 32) >= 'a' && (b.p[0] | 32) <= 'z';
    return letter ? b.p[0] : b.p[0] + 256;
}

static struct bytes rest_of(struct bytes b, size_t n)
{
    return n ? (struct bytes){b.p + n, b.n - n} : b;
}

static size_t digits(struct bytes b)
{
    size_t n = 0;
    while (n < b.n && b.p[n] >= '0' && b.p[n] <= '9')
        n++;
    return n;
}

static int compare_part(struct bytes a, struct bytes b)
{
    while (a.n || b.n) {
        while ((a.n && digits(a) == 0) || (b.n && digits(b) == 0)) {
            int wa = weight(a), wb = weight(b);
            if (wa != wb)
                return wa < wb ? -1 : 1;
            a = rest_of(a, 1);
            b = rest_of(b, 1);
        }
        while (a.n && a.p[0] == '0')
            a = rest_of(a, 1);
        while (b.n && b.p[0] == '0')
            b = rest_of(b, 1);
        size_t na = digits(a), nb = digits(b);
        if (na != nb)
            return na < nb ? -1 : 1;
        int c = na ? memcmp(a.p, b.p, na) : 0;
        if (c)
            return c < 0 ? -1 : 1;
        a = rest_of(a, na);
        b = rest_of(b, nb);
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
            part[2] = rest_of(part[1], i + 1);
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
