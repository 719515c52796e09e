#include "base/base.h"

#include <string.h>

struct bytes bytes_of(const char *s)
{
    return (struct bytes){(const uint8_t *)s, s ? strlen(s) : 0};
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

int bytes_compare(struct bytes a, struct bytes b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

bool bytes_starts(struct bytes b, struct bytes prefix)
{
    return b.n >= prefix.n && (prefix.n == 0 || memcmp(b.p, prefix.p, prefix.n) == 0);
}

struct bytes bytes_split(struct bytes *rest, uint8_t separator)
{
    struct bytes head = *rest;
    const uint8_t *at = rest->n ? memchr(rest->p, separator, rest->n) : NULL;
    if (!at) {
        *rest = (struct bytes){NULL, 0};
        return head;
    }
    head.n = (size_t)(at - head.p);
    rest->p = at + 1;
    rest->n -= head.n + 1;
    return head;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct bytes bytes_trim(struct bytes b)
{
    while (b.n && is_blank(b.p[0])) {
        b.p++;
        b.n--;
    }
    while (b.n && is_blank(b.p[b.n - 1]))
        b.n--;
    return b;
}

bool bytes_number(struct bytes b, uint64_t *value)
{
    uint64_t v = 0;
    if (b.n == 0)
        return false;
    for (size_t i = 0; i < b.n; i++) {
        if (b.p[i] < '0' || b.p[i] > '9')
            return false;
        if (__builtin_mul_overflow(v, (uint64_t)10, &v) || __builtin_add_overflow(v, (uint64_t)(b.p[i] - '0'), &v))
            return false;
    }
    *value = v;
    return true;
}
