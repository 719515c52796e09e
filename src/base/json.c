#include "base/base.h"

#include <inttypes.h>

size_t base_utf8_length(const uint8_t *p, size_t n);

struct json json_of(struct wr *w)
{
    return (struct json){.w = w};
}

static void json_quote(struct wr *w, struct bytes s)
{
    static const char hex[] = "0123456789abcdef";
    wr_u8(w, '"');
    for (size_t i = 0; i < s.n;) {
        uint8_t c = s.p[i];
        size_t length = base_utf8_length(s.p + i, s.n - i);
        if (length == 0) {
            wr_str(w, "\xef\xbf\xbd");
            i++;
        } else if (c == '"' || c == '\\') {
            wr_u8(w, '\\');
            wr_u8(w, c);
            i++;
        } else if (c == '\n') {
            wr_str(w, "\\n");
            i++;
        } else if (c < 0x20 || c == 0x7f) {
            wr_str(w, "\\u00");
            wr_u8(w, (uint8_t)hex[c >> 4]);
            wr_u8(w, (uint8_t)hex[c & 15]);
            i++;
        } else {
            wr_bytes(w, (struct bytes){s.p + i, length});
            i += length;
        }
    }
    wr_u8(w, '"');
}

static void json_key(struct json *j, const char *key)
{
    uint64_t bit = (uint64_t)1 << (j->depth & 63);
    if (j->filled & bit)
        wr_u8(j->w, ',');
    j->filled |= bit;
    if (key) {
        json_quote(j->w, bytes_of(key));
        wr_u8(j->w, ':');
    }
}

static void json_open(struct json *j, const char *key, uint8_t bracket)
{
    json_key(j, key);
    wr_u8(j->w, bracket);
    j->depth++;
    if (j->depth > 63)
        bug("JSON nested deeper than 63 levels");
    j->filled &= ~((uint64_t)1 << j->depth);
}

static void json_close(struct json *j, uint8_t bracket)
{
    wr_u8(j->w, bracket);
    if (j->depth)
        j->depth--;
}

void json_object(struct json *j, const char *key)
{
    json_open(j, key, '{');
}

void json_object_end(struct json *j)
{
    json_close(j, '}');
}

void json_array(struct json *j, const char *key)
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
    json_quote(j->w, value);
}

void json_string(struct json *j, const char *key, const char *value)
{
    if (value)
        json_text(j, key, bytes_of(value));
    else
        json_null(j, key);
}

void json_number(struct json *j, const char *key, int64_t value)
{
    json_key(j, key);
    wr_fmt(j->w, "%" PRId64, value);
}

void json_bool(struct json *j, const char *key, bool value)
{
    json_key(j, key);
    wr_str(j->w, value ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
    json_key(j, key);
    wr_str(j->w, "null");
}

void json_time(struct json *j, const char *key, int64_t t)
{
    char text[TIME_TEXT];
    if (t == TIME_UNKNOWN) {
        json_null(j, key);
        return;
    }
    time_format(t, text);
    json_string(j, key, text);
}
