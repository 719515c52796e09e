#include "pkg/internal.h"

/* rpm-version(7): [epoch:]version[-release]; parts are compared by turns of letters and digits, whatever stands
 * between. */

bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

bool is_letter(uint8_t c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}

static bool is_separator(uint8_t c)
{
    return !is_digit(c) && !is_letter(c) && c != '~' && c != '^';
}

static bool starts(struct bytes b, uint8_t c)
{
    return b.n && b.p[0] == c;
}

struct bytes span_cut(struct bytes *b, bool (*is)(uint8_t))
{
    struct bytes head = {b->p, 0};
    while (b->n && is(b->p[0]))
        b->p++, b->n--, head.n++;
    return head;
}

int number_compare(struct bytes a, struct bytes b)
{
    while (starts(a, '0'))
        a.p++, a.n--;
    while (starts(b, '0'))
        b.p++, b.n--;
    int order = a.n != b.n ? (a.n > b.n) - (a.n < b.n) : bytes_compare(a, b);
    return (order > 0) - (order < 0);
}

int segment_compare(struct bytes *a, struct bytes *b)
{
    bool number = is_digit(a->p[0]);
    struct bytes x = span_cut(a, number ? is_digit : is_letter), y = span_cut(b, number ? is_digit : is_letter);
    if (y.n == 0) /* of another kind: a number is newer than letters */
        return number ? 1 : -1;
    int order = number ? number_compare(x, y) : bytes_compare(x, y);
    return (order > 0) - (order < 0);
}

/* A mark stands at the beginning of at least one: 1.0~rc1 < 1.0 < 1.0^git1 < 1.0.1. Both marks equal: they are
 * consumed. */
static int mark_compare(struct bytes *a, struct bytes *b)
{
    if (starts(*a, '~') != starts(*b, '~'))
        return starts(*a, '~') ? -1 : 1;
    if (starts(*a, '^') != starts(*b, '^')) {
        struct bytes other = starts(*a, '^') ? *b : *a;
        int marked = other.n ? -1 : 1;
        return starts(*a, '^') ? marked : -marked;
    }
    a->p++, a->n--;
    b->p++, b->n--;
    return 0;
}

static int part_compare(struct bytes a, struct bytes b)
{
    for (;;) {
        int order;
        span_cut(&a, is_separator);
        span_cut(&b, is_separator);
        if (starts(a, '~') || starts(b, '~') || starts(a, '^') || starts(b, '^'))
            order = mark_compare(&a, &b);
        else if (a.n && b.n)
            order = segment_compare(&a, &b);
        else
            return (a.n > 0) - (b.n > 0);
        if (order)
            return order;
    }
}

void evr_split(struct bytes v, struct evr *out)
{
    *out = (struct evr){.version = v};
    struct bytes rest = v, epoch = span_cut(&rest, is_digit);
    if (starts(rest, ':')) {
        out->epoch = epoch;
        out->version = (struct bytes){rest.p + 1, rest.n - 1};
    }
    for (size_t i = out->version.n; i-- > 0;)
        if (out->version.p[i] == '-') {
            out->release = (struct bytes){out->version.p + i + 1, out->version.n - i - 1};
            out->version.n = i;
            break;
        }
}

/* A part that only one has makes it the newer one. */
static int version_compare(struct bytes a, struct bytes b)
{
    struct evr x, y;
    evr_split(a, &x);
    evr_split(b, &y);
    int order = number_compare(x.epoch, y.epoch);
    if (order == 0)
        order = part_compare(x.version, y.version);
    if (order == 0)
        order = (x.release.p != NULL) - (y.release.p != NULL);
    return order ? order : part_compare(x.release, y.release);
}

static const char *version_fault(struct bytes v)
{
    struct evr e;
    evr_split(v, &e);
    if (e.version.n == 0)
        return "the version is empty";
    for (size_t i = 0; i < v.n; i++)
        if (is_separator(v.p[i]) && (v.p[i] <= ' ' || v.p[i] >= 0x7f))
            return "only printable characters of ASCII form a version";
    return NULL;
}

const struct pkg_order rpm_order = {"rpm", version_compare, version_fault};
