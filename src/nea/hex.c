/* Octets written down as text, as people and the usual dump programs write them. */
#include "nea/nea.h"

#include <string.h>

#define PEEK 4096 /* octets that tell text from a capture */

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == ',';
}

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool nea_hex_is(struct bytes input)
{
    for (size_t i = 0; i < input.n && i < PEEK; i++)
        if ((input.p[i] < 0x20 && !strchr("\t\r\n", input.p[i])) || input.p[i] == 0)
            return false;
    return input.n > 0;
}

/* The offset that a dump's line begins with: SIZE_MAX if the token is none. */
static size_t offset_of(struct bytes token)
{
    size_t v = 0;
    for (size_t i = 0; i < token.n; i++) {
        if (digit(token.p[i]) < 0 || v >> 32)
            return SIZE_MAX;
        v = v << 4 | (size_t)digit(token.p[i]);
    }
    return token.n ? v : SIZE_MAX;
}

/* Takes a dump's offset and characters off the line: "0000: 0102 0304  ...." or "0000  01 02  |..|". Lines without
 * either are digits from end to end: an offset without a colon or bars could as well be data. False: the offset is not
 * where we are. */
static bool strip_dump(struct bytes *line, size_t at, bool *bars)
{
    struct bytes rest = *line, token = bytes_split(&rest, ' ');
    size_t offset = offset_of(token);
    if (token.n > 1 && token.p[token.n - 1] == ':') {
        offset = offset_of((struct bytes){token.p, token.n - 1});
        *line = bytes_trim(rest);
        const uint8_t *end = line->n ? memmem(line->p, line->n, "  ", 2) : NULL;
        if (end)
            line->n = (size_t)(end - line->p);
        return offset == at;
    }
    const uint8_t *bar = memchr(line->p, '|', line->n);
    if (bar) {
        *bars = true;
        *line = (struct bytes){rest.p, bar > rest.p ? (size_t)(bar - rest.p) : 0};
        return offset == at;
    }
    if (*bars && !rest.n && offset == at) /* the last line of hexdump -C: where it ended */
        line->n = 0;
    return true;
}

static bool read_digits(struct bytes line, struct wr *octets)
{
    for (size_t i = 0; i < line.n;) {
        if (blank(line.p[i])) {
            i++;
        } else if (i + 2 < line.n && line.p[i] == '0' && (line.p[i + 1] | 0x20) == 'x') {
            i += 2;
        } else if (i + 1 < line.n && digit(line.p[i]) >= 0 && digit(line.p[i + 1]) >= 0) {
            wr_u8(octets, (uint64_t)(digit(line.p[i]) << 4 | digit(line.p[i + 1])));
            i += 2;
        } else {
            return false;
        }
    }
    return true;
}

bool nea_hex_read(struct bytes text, struct wr *octets, struct error *error)
{
    size_t start = octets->n;
    bool bars = false;
    for (unsigned number = 1; text.p; number++) {
        struct bytes line = bytes_split(&text, '\n');
        const uint8_t *comment = line.n ? memchr(line.p, '#', line.n) : NULL;
        size_t before = comment ? (size_t)(comment - line.p) : 0;
        /* Behind a colon or a bar it is one of a dump's characters. */
        if (comment && !memchr(line.p, ':', before) && !memchr(line.p, '|', before))
            line.n = before;
        line = bytes_trim(line);
        if (!line.n)
            continue;
        if (!strip_dump(&line, octets->n - start, &bars)) {
            error_set(error, "line %u: its offset is not the number of octets before it (%zu)", number,
                      octets->n - start);
            return false;
        }
        if (!read_digits(line, octets)) {
            error_set(error, "line %u: not pairs of hexadecimal digits", number);
            return false;
        }
    }
    return !octets->bad;
}
