#include "base/base.h"

/* Octets of the well-formed character at p (n > 0 are left), 0 if there is none: RFC 3629 §4. */
static size_t utf8_length(const uint8_t *p, size_t n)
{
    uint8_t c = p[0], low = 0x80, high = 0xbf;
    size_t length;
    if (c < 0x80)
        return 1;
    if (c >= 0xc2 && c <= 0xdf) {
        length = 2;
    } else if (c >= 0xe0 && c <= 0xef) {
        length = 3;
        low = c == 0xe0 ? 0xa0 : low;
        high = c == 0xed ? 0x9f : high;
    } else if (c >= 0xf0 && c <= 0xf4) {
        length = 4;
        low = c == 0xf0 ? 0x90 : low;
        high = c == 0xf4 ? 0x8f : high;
    } else {
        return 0;
    }
    if (n < length || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

bool utf8_valid(struct bytes b)
{
    for (size_t i = 0; i < b.n;) {
        size_t length = utf8_length(b.p + i, b.n - i);
        if (length == 0)
            return false;
        i += length;
    }
    return true;
}

size_t utf8_cut(struct bytes b, size_t max)
{
    if (b.n <= max)
        return b.n;
    size_t n = max;
    while (n > 0 && (b.p[n] & 0xc0) == 0x80)
        n--;
    return n;
}

/* Shared with the JSON writer, inside base/ only. */
size_t base_utf8_length(const uint8_t *p, size_t n);
size_t base_utf8_length(const uint8_t *p, size_t n)
{
    return utf8_length(p, n);
}
