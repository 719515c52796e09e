#include "server/web.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REQUEST_MAX ((size_t)64 << 10) /* octets that decoding one target may cost */

const struct web_parameter web_parameters[WEB_PARAMETERS] = {
    [WEB_LIMIT] = {"limit", WEB_NUMBER, 1, 1000, "how many items an answer holds at most (100)"},
    [WEB_CURSOR] = {"cursor", WEB_CURSOR_NUMBER, 0, INT64_MAX, "`next` of the answer before"},
    [WEB_AFTER] = {"after", WEB_CURSOR_NUMBER, 0, INT64_MAX, "the same as cursor"},
    [WEB_AT] = {"at", WEB_TIME, 0, 0, "as it was then: RFC 3339, a date, or -7d; default: now"},
    [WEB_KNOWN_AT] = {"known_at", WEB_TIME, 0, 0, "only what had been learnt by then; default: all that is known"},
    [WEB_KIND] = {"kind", WEB_CHOICE, 0, 0, "whose; default: the one that counts", "reported|reference"},
    [WEB_SHA256] = {"sha256", WEB_TEXT, 0, 0, "a file's digest: 64 hexadecimal digits"},
    [WEB_FORMAT] = {"format", WEB_CHOICE, 0, 0, "of the bill; default: cyclonedx", "cyclonedx|spdx"},
    [WEB_PATH] = {"path", WEB_TEXT, 0, 0, "a file's whole path"},
};

static const struct {
    unsigned status;
    const char *title;
} titles[] = {
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
};

struct web_request *web_request_new(void)
{
    struct web_request *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->arena = arena_of(REQUEST_MAX);
    r->body = wr_of(0);
    r->upload = wr_of(1);
    r->file = -1;
    for (size_t i = 0; i < WEB_PARAMETERS; i++)
        r->values[i].time = TIME_UNKNOWN;
    return r;
}

void web_request_free(struct web_request *r)
{
    if (!r)
        return;
    wr_free(&r->body);
    wr_free(&r->upload);
    if (r->file >= 0)
        close(r->file);
    arena_free(&r->arena);
    free(r);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

void web_problem(struct web_request *r, unsigned status, const char *format, ...)
{
    char detail[1024];
    const char *title = "Error";
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    for (size_t i = 0; i < ARRAY_LENGTH(titles); i++)
        if (titles[i].status == status)
            title = titles[i].title;
    wr_reset(&r->body);
    struct json j = json_of(&r->body);
    json_object_begin(&j, NULL);
    json_str(&j, "type", "about:blank"); /* RFC 9457 §4.2.1: the status says it all */
    json_str(&j, "title", title);
    json_number(&j, "status", status);
    json_text(&j, "detail", (struct bytes){(const uint8_t *)detail, utf8_cut(bytes_of(detail), sizeof detail)});
    json_object_end(&j);
    wr_u8(&r->body, '\n');
    r->status = status;
    r->type = "application/problem+json";
    r->fixed = (struct bytes){0};
    if (r->file >= 0)
        close(r->file);
    r->file = -1;
}

void web_json(struct web_request *r)
{
    wr_u8(&r->body, '\n');
    if (r->body.bad) {
        web_problem(r, 500, "the answer is too large; ask for fewer items with limit=");
        return;
    }
    r->status = 200;
    r->type = "application/json";
}

/* ---- targets ----------------------------------------------------------------------------------------------------- */

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* RFC 3986 §2.1. + stays +: it is a time zone's sign here, no blank. False for a bad escape, control characters and
 * what is not UTF-8. */
static bool decode(struct arena *arena, struct bytes raw, struct bytes *out)
{
    uint8_t *p = arena_alloc(arena, raw.n + 1);
    size_t n = 0;
    struct rd r = rd_of(raw, 0);
    while (p && rd_more(&r)) {
        uint8_t c = rd_u8(&r);
        if (c == '%') {
            int high = hex_digit(rd_u8(&r)), low = hex_digit(rd_u8(&r));
            if (high < 0 || low < 0)
                return false;
            c = (uint8_t)(high << 4 | low);
        }
        if (c < 0x20 || c == 0x7f)
            return false;
        p[n++] = c;
    }
    if (!p)
        return false;
    p[n] = 0;
    if (!utf8_valid((struct bytes){p, n}))
        return false;
    *out = (struct bytes){p, n};
    return true;
}

/* Does `path` fit the pattern? What stands for {…} is left in *argument, still encoded. */
static bool path_fits(const char *pattern, struct bytes path, struct bytes *argument)
{
    struct bytes wanted = bytes_of(pattern);
    while (wanted.p && path.p) {
        struct bytes a = bytes_split(&wanted, '/'), b = bytes_split(&path, '/');
        if (a.n && a.p[0] == '{' && b.n)
            *argument = b;
        else if (!bytes_equal(a, b))
            return false;
    }
    return !wanted.p && !path.p;
}

/* HEAD is GET without the body (RFC 9110 §9.3.2). */
static bool method_fits(const char *wanted, const char *given)
{
    return strcmp(wanted, given) == 0 || (strcmp(wanted, "GET") == 0 && strcmp(given, "HEAD") == 0);
}

static void find_route(struct web_request *r, const char *method, struct bytes path)
{
    struct bytes argument = {0};
    struct wr allow = wr_of(256);
    for (size_t i = 0; i < web_route_count && !r->route; i++) {
        const struct web_route *route = &web_routes[i];
        if (!path_fits(route->pattern, path, &argument))
            continue;
        if (method_fits(route->method, method))
            r->route = route;
        wr_fmt(&allow, "%s%s%s", allow.n ? ", " : "", route->method, strcmp(route->method, "GET") == 0 ? ", HEAD" : "");
    }
    if (!r->route && allow.n) {
        r->allow = arena_string(&r->arena, wr_view(&allow));
        web_problem(r, 405, "this takes %s only", wr_string(&allow));
    } else if (!r->route) {
        web_problem(r, 404, "there is nothing under this path");
    } else if (!decode(&r->arena, argument, &r->argument)) {
        web_problem(r, 400, "the path is not UTF-8 in percent-encoding (RFC 3986)");
    }
    wr_free(&allow);
}

static bool read_choice(const char *choices, struct bytes text, uint64_t *which)
{
    struct bytes rest = bytes_of(choices);
    for (*which = 0; rest.p; ++*which)
        if (bytes_equal(bytes_split(&rest, '|'), text))
            return true;
    return false;
}

static bool read_value(const struct web_parameter *p, struct bytes text, int64_t now, struct web_value *value)
{
    value->text = text;
    if (p->kind == WEB_TEXT)
        return true;
    if (p->kind == WEB_CHOICE)
        return read_choice(p->choices, text, &value->number);
    if (p->kind != WEB_TIME)
        return bytes_number(text, &value->number) && value->number >= p->min && value->number <= p->max;
    return time_parse_option((const char *)text.p, now, &value->time); /* decode() ended it with a NUL */
}

static void refuse_value(struct web_request *r, const struct web_parameter *p, const char *text)
{
    if (p->kind == WEB_TIME)
        web_problem(
            r, 400,
            "the parameter \"%s\" takes a time such as 2026-03-29T12:00:00Z, 2026-03-29 or -7d, not \"%.100s\"",
            p->name, text);
    else if (p->kind == WEB_CHOICE)
        web_problem(r, 400, "the parameter \"%s\" takes one of %s, not \"%.100s\"", p->name, p->choices, text);
    else
        web_problem(r, 400, "the parameter \"%s\" takes a number from %llu to %llu, not \"%.100s\"", p->name,
                    (unsigned long long)p->min, (unsigned long long)p->max, text);
}

/* One NAME=VALUE of the query. */
static void read_parameter(struct web_request *r, struct bytes item, int64_t now)
{
    struct bytes raw = item, name, text;
    struct bytes raw_name = bytes_split(&raw, '=');
    if (!decode(&r->arena, raw_name, &name) || !decode(&r->arena, raw, &text)) {
        web_problem(r, 400, "the query is not UTF-8 in percent-encoding (RFC 3986)");
        return;
    }
    for (size_t i = 0; i < WEB_PARAMETERS; i++) {
        const struct web_parameter *p = &web_parameters[i];
        if (!(r->route->parameters & 1U << i) || !bytes_equal(name, bytes_of(p->name)))
            continue;
        if (r->values[i].given)
            web_problem(r, 400, "the parameter \"%s\" is given twice", p->name);
        else if (!read_value(p, text, now, &r->values[i]))
            refuse_value(r, p, (const char *)text.p);
        r->values[i].given = true;
        return;
    }
    web_problem(r, 400, "there is no parameter \"%.100s\" here", (const char *)name.p);
}

void web_parse(struct web_request *r, const char *method, struct bytes target, int64_t now)
{
    struct bytes scheme = target, query = target;
    /* RFC 9112 §3.2.2: absolute form must be accepted: only its path counts here. */
    if (!bytes_starts(target, BYTES("/")) && bytes_equal(bytes_split(&scheme, ':'), BYTES("https")) &&
        bytes_starts(scheme, BYTES("//"))) {
        scheme = (struct bytes){scheme.p + 2, scheme.n - 2};
        bytes_split(&scheme, '/');
        query = scheme.p ? (struct bytes){scheme.p - 1, scheme.n + 1} : BYTES("/");
    }
    find_route(r, method, bytes_split(&query, '?'));
    while (query.n && !r->status) {
        struct bytes item = bytes_split(&query, '&');
        if (item.n)
            read_parameter(r, item, now);
    }
}
