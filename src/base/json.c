#include "base/base.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DRAIN_AT ((size_t)256 << 10)

size_t base_utf8_length(const uint8_t *p, size_t n);

struct json json_of(struct wr *w)
{
    return (struct json){.w = w};
}

static const char hex[] = "0123456789abcdef";

/* Control characters (U+0080 to U+009F too: a terminal may obey them) are escaped everywhere, quotes inside quotes only. */
static void escape(struct wr *w, struct bytes s, bool quoted)
{
    for (size_t i = 0; i < s.n;) {
        uint8_t c = s.p[i];
        size_t length = base_utf8_length(s.p + i, s.n - i);
        if (length == 0) {
            wr_str(w, "\xef\xbf\xbd");
            i++;
        } else if (quoted && (c == '"' || c == '\\')) {
            wr_u8(w, '\\');
            wr_u8(w, c);
            i++;
        } else if (c == '\n') {
            wr_str(w, "\\n");
            i++;
        } else if (c < 0x20 || c == 0x7f || (c == 0xc2 && s.p[i + 1] < 0xa0)) {
            c = s.p[i + length - 1];
            wr_str(w, "\\u00");
            wr_u8(w, (uint8_t)hex[c >> 4]);
            wr_u8(w, (uint8_t)hex[c & 15]);
            i += length;
        } else {
            wr_bytes(w, (struct bytes){s.p + i, length});
            i += length;
        }
    }
}

static void json_quote(struct wr *w, struct bytes s)
{
    wr_u8(w, '"');
    escape(w, s, true);
    wr_u8(w, '"');
}

/* Two columns an open object; an array's elements begin with a dash in the last two. */
static void outline_key(struct json *j, const char *key)
{
    bool element = j->dash || (j->arrays >> j->depth & 1);
    unsigned columns = 0;
    for (unsigned level = 2; level <= j->depth; level++)
        columns += j->arrays >> level & 1 ? 0 : 2;
    for (unsigned i = j->dash ? 2 : 0; i < columns; i++)
        wr_u8(j->w, ' ');
    wr_str(j->w, element ? "- " : "");
    wr_fmt(j->w, key ? "%s: " : "%s", key ? key : "");
    j->dash = false;
}

/* Takes a step down; the path's new end. */
static size_t path_step(struct json *j, const char *key)
{
    struct json_path *p = j->path;
    unsigned level = j->depth & 63;
    size_t at = level ? p->ends[level] : 0, room = sizeof p->text - at;
    int n = 0;
    if (j->arrays >> level & 1)
        n = snprintf(p->text + at, room, "%s%" PRIu32, at ? "." : "", p->counts[level]++);
    else if (key)
        n = snprintf(p->text + at, room, "%s%s", at ? "." : "", key);
    else
        p->text[at] = 0;
    return n > 0 && (size_t)n < room ? at + (size_t)n : at + strlen(p->text + at);
}

static void json_key(struct json *j, const char *key)
{
    uint64_t bit = (uint64_t)1 << (j->depth & 63);
    if (j->path) {
        path_step(j, key);
        wr_fmt(j->w, "%s\t", j->path->text);
        return;
    }
    if (j->outline) {
        outline_key(j, key);
        return;
    }
    if (j->filled & bit)
        wr_u8(j->w, ',');
    j->filled |= bit;
    if (key) {
        json_quote(j->w, bytes_of(key));
        wr_u8(j->w, ':');
    }
}

/* Ends a member: its line, in an outline. */
static void json_value(struct json *j)
{
    if (j->outline || j->path)
        wr_u8(j->w, '\n');
}

/* A document is quoted as JSON has it, anything else as people read it. */
static bool is_document(const struct json *j)
{
    return !j->outline && !j->path;
}

static void json_open(struct json *j, const char *key, uint8_t bracket)
{
    if (j->path) {
        j->path->ends[(j->depth + 1) & 63] = path_step(j, key);
        j->path->counts[(j->depth + 1) & 63] = 0;
    } else if (!j->outline) {
        json_key(j, key);
        wr_u8(j->w, bracket);
    } else if (key) {
        json_key(j, key);
        j->w->n -= j->w->bad ? 0 : 1; /* nothing stands behind the colon */
        json_value(j);
    } else {
        j->dash = j->depth > 0;
    }
    j->depth++;
    if (j->depth > 63)
        bug("JSON nested deeper than 63 levels");
    j->filled &= ~((uint64_t)1 << j->depth);
    j->arrays &= ~((uint64_t)1 << j->depth);
    j->arrays |= (uint64_t)(bracket == '[') << j->depth;
}

static void json_close(struct json *j, uint8_t bracket)
{
    if (is_document(j)) {
        wr_u8(j->w, bracket);
    } else if (j->dash) { /* an element without members */
        json_key(j, NULL);
        json_value(j);
    }
    if (j->depth)
        j->depth--;
    if (j->drain && j->w->n >= DRAIN_AT)
        j->drain(j->context);
}

void json_object_begin(struct json *j, const char *key)
{
    json_open(j, key, '{');
}

void json_object_end(struct json *j)
{
    json_close(j, '}');
}

void json_array_begin(struct json *j, const char *key)
{
    json_open(j, key, '[');
}

void json_array_end(struct json *j)
{
    json_close(j, ']');
}

void json_text(struct json *j, const char *key, struct bytes value)
{
    json_key(j, key);
    if (is_document(j))
        json_quote(j->w, value);
    else if (value.n)
        escape(j->w, value, false);
    else if (j->outline)
        wr_str(j->w, "\"\"");
    json_value(j);
}

void json_str(struct json *j, const char *key, const char *value)
{
    if (value)
        json_text(j, key, bytes_of(value));
    else
        json_none(j, key);
}

void json_number(struct json *j, const char *key, int64_t value)
{
    json_key(j, key);
    wr_fmt(j->w, "%" PRId64, value);
    json_value(j);
}

void json_bool(struct json *j, const char *key, bool value)
{
    json_key(j, key);
    wr_str(j->w, is_document(j) ? (value ? "true" : "false") : value ? "yes" : "no");
    json_value(j);
}

void json_none(struct json *j, const char *key)
{
    json_key(j, key);
    wr_str(j->w, j->path ? "" : j->outline ? "none" : "null");
    json_value(j);
}

void json_hex(struct json *j, const char *key, struct bytes octets)
{
    json_key(j, key);
    wr_str(j->w, is_document(j) ? "\"" : "");
    for (size_t i = 0; i < octets.n; i++) {
        wr_u8(j->w, (uint8_t)hex[octets.p[i] >> 4]);
        wr_u8(j->w, (uint8_t)hex[octets.p[i] & 15]);
    }
    wr_str(j->w, is_document(j) ? "\"" : "");
    json_value(j);
}

void json_time(struct json *j, const char *key, int64_t t)
{
    char text[TIME_TEXT];
    if (t == TIME_UNKNOWN) {
        json_none(j, key);
        return;
    }
    time_format(t, text);
    json_str(j, key, text);
}
