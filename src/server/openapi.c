/* openapi: what the API offers, for programs: an OpenAPI 3.1 document made of the routes' own rows. Nothing of it stands anywhere else. */
#include "server/web.h"

#include <stdio.h>
#include <string.h>

/* ---- schemas (JSON Schema 2020-12) ------------------------------------------------------------------------------------ */

static void put_choices(struct json *j, const char *choices, bool or_null)
{
    struct bytes rest = bytes_of(choices);
    json_array_begin(j, "enum");
    while (rest.p)
        json_text(j, NULL, bytes_split(&rest, '|'));
    if (or_null)
        json_none(j, NULL);
    json_array_end(j);
}

static void put_type(struct json *j, const char *type, bool or_null)
{
    if (!or_null) {
        json_str(j, "type", type);
        return;
    }
    json_array_begin(j, "type");
    json_str(j, NULL, type);
    json_str(j, NULL, "null");
    json_array_end(j);
}

static void put_fields(struct json *j, const struct web_field *fields);

/* An object of these members, each of which is always there. */
static void put_object(struct json *j, const struct web_field *fields, bool or_null)
{
    put_type(j, "object", or_null);
    json_array_begin(j, "required");
    for (const struct web_field *f = fields; f->name; f++)
        json_str(j, NULL, f->name);
    json_array_end(j);
    json_object_begin(j, "properties");
    put_fields(j, fields);
    json_object_end(j);
}

static void put_field(struct json *j, const struct web_field *f)
{
    static const char *const types[] = {
        [WEB_T_TEXT] = "string", [WEB_T_NUMBER] = "integer", [WEB_T_BOOL] = "boolean", [WEB_T_TIME] = "string", [WEB_T_SHA256] = "string",
        [WEB_T_LIST] = "array"};
    bool or_null = f->type & WEB_T_NULL;
    enum web_type type = f->type & ~(unsigned)WEB_T_NULL;
    json_object_begin(j, f->name);
    json_str(j, "description", f->doc);
    if (type == WEB_T_OBJECT)
        put_object(j, f->of, or_null);
    else
        put_type(j, types[type], or_null);
    if (type == WEB_T_TIME)
        json_str(j, "format", "date-time");
    if (type == WEB_T_SHA256)
        json_str(j, "pattern", "^[0-9a-f]{64}$");
    if (f->choices)
        put_choices(j, f->choices, or_null);
    if (type == WEB_T_LIST) {
        json_object_begin(j, "items");
        put_object(j, f->of, false);
        json_object_end(j);
    }
    json_object_end(j);
}

static void put_fields(struct json *j, const struct web_field *fields)
{
    for (const struct web_field *f = fields; f->name; f++)
        put_field(j, f);
}

/* The whole document: its schema's name first, what it says, its items and where to go on. */
static void put_document(struct json *j, const struct web_answer *a)
{
    static const struct web_field none[] = {{NULL, 0, NULL, NULL, NULL}};
    const struct web_field *fields = a->fields ? a->fields : none;
    const struct web_field list[] = {{"items", WEB_T_LIST, "at most limit= of them", a->items, NULL},
                                     {"next", WEB_T_TEXT | WEB_T_NULL, "cursor= of the next answer; null: this is the last", NULL, NULL},
                                     {NULL, 0, NULL, NULL, NULL}};
    json_str(j, "type", "object");
    json_array_begin(j, "required");
    json_str(j, NULL, "schema");
    for (const struct web_field *f = fields; f->name; f++)
        json_str(j, NULL, f->name);
    for (const struct web_field *f = list; a->items && f->name; f++)
        json_str(j, NULL, f->name);
    json_array_end(j);
    json_object_begin(j, "properties");
    json_object_begin(j, "schema");
    json_str(j, "const", a->schema);
    json_object_end(j);
    put_fields(j, fields);
    if (a->items)
        put_fields(j, list);
    json_object_end(j);
}

/* ---- what a route takes ------------------------------------------------------------------------------------------- */

static void put_parameter_schema(struct json *j, const struct web_parameter *p)
{
    json_object_begin(j, "schema");
    json_str(j, "type", p->kind == WEB_NUMBER ? "integer" : "string");
    if (p->kind == WEB_NUMBER) {
        json_number(j, "minimum", (int64_t)p->min);
        json_number(j, "maximum", (int64_t)p->max);
    } else if (p->kind == WEB_CURSOR_NUMBER) {
        json_str(j, "pattern", "^[0-9]+$");
    } else if (p->kind == WEB_CHOICE) {
        put_choices(j, p->choices, false);
    }
    json_object_end(j);
}

static void put_argument(struct json *j, const struct web_route *r)
{
    struct bytes rest = bytes_of(r->pattern), name;
    bytes_split(&rest, '{');
    name = bytes_split(&rest, '}');
    json_object_begin(j, NULL);
    json_text(j, "name", name);
    json_str(j, "in", "path");
    json_bool(j, "required", true);
    json_str(j, "description", r->argument);
    json_object_begin(j, "schema");
    json_str(j, "type", "string");
    json_object_end(j);
    json_object_end(j);
}

static void put_parameters(struct json *j, const struct web_route *r)
{
    json_array_begin(j, "parameters");
    if (r->argument)
        put_argument(j, r);
    for (size_t i = 0; i < WEB_PARAMETERS; i++) {
        if (!(r->parameters & 1U << i))
            continue;
        json_object_begin(j, NULL);
        json_str(j, "name", web_parameters[i].name);
        json_str(j, "in", "query");
        json_str(j, "description", web_parameters[i].doc);
        put_parameter_schema(j, &web_parameters[i]);
        json_object_end(j);
    }
    json_array_end(j);
}

static void put_contents(struct json *j, const char *types)
{
    struct bytes rest = bytes_of(types);
    char type[80];
    json_object_begin(j, "content");
    while (rest.p) {
        struct bytes one = bytes_split(&rest, '|');
        snprintf(type, sizeof type, "%.*s", (int)one.n, (const char *)one.p);
        json_object_begin(j, type);
        json_object_end(j);
    }
    json_object_end(j);
}

static void put_upload(struct json *j, const struct web_route *r)
{
    char text[80];
    snprintf(text, sizeof text, "a tag, at most %zu octets", r->upload_max);
    json_object_begin(j, "requestBody");
    json_str(j, "description", text);
    json_bool(j, "required", true);
    put_contents(j, "application/swid+xml|application/swid+cbor");
    json_object_end(j);
}

/* ---- what it answers ---------------------------------------------------------------------------------------------- */

static void put_answer(struct json *j, const struct web_answer *a)
{
    char status[12];
    snprintf(status, sizeof status, "%u", a->status ? a->status : 200);
    json_object_begin(j, status);
    json_str(j, "description", a->doc ? a->doc : a->schema);
    if (a->types) {
        put_contents(j, a->types);
    } else {
        json_object_begin(j, "content");
        json_object_begin(j, "application/json");
        json_object_begin(j, "schema");
        put_document(j, a);
        json_object_end(j);
        json_object_end(j);
        json_object_end(j);
    }
    json_object_end(j);
}

static void put_answers(struct json *j, const struct web_route *r)
{
    bool changes = strcmp(r->method, "GET") != 0;
    const struct {
        const char *status, *doc;
        bool may;
    } problems[] = {
        {"400", "the question is not one that this takes", true},
        {"401", "log in", r->scope != WEB_PUBLIC},
        {"403", "this login may not do that", r->scope != WEB_PUBLIC},
        {"404", "there is no such thing", r->argument != NULL},
        {"409", "it cannot be done as things stand", r->conflict},
        {"413", "the body is too large, or there may be none", true},
        {"415", changes && !r->upload_max ? "send it with Content-Type: application/json, and no body" : "send the body with a media type that this takes", changes},
        {"422", "the body is no tag, or breaks its rules", r->upload_max > 0},
        {"500", "the server failed", true},
        {"503", "the store cannot be reached: try again later", r->needs_store},
    };
    json_object_begin(j, "responses");
    put_answer(j, r->answer);
    for (size_t i = 0; i < ARRAY_LENGTH(problems); i++) {
        if (!problems[i].may)
            continue;
        json_object_begin(j, problems[i].status);
        json_str(j, "description", problems[i].doc);
        json_object_begin(j, "content");
        json_object_begin(j, "application/problem+json");
        json_object_begin(j, "schema");
        json_str(j, "$ref", "#/components/schemas/problem");
        json_object_end(j);
        json_object_end(j);
        json_object_end(j);
        json_object_end(j);
    }
    json_object_end(j);
}

/* ---- the document ------------------------------------------------------------------------------------------------- */

/* "get_endpoints_id_software" */
static void put_operation_id(struct json *j, const char *method, const char *pattern)
{
    struct wr id = wr_of(256);
    bool word = false;
    for (const char *c = method; *c; c++)
        wr_u8(&id, (uint8_t)(*c | 0x20));
    pattern += strncmp(pattern, "/api/v1", 7) == 0 ? 7 : 0;
    for (const char *c = pattern; *c; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9');
        wr_str(&id, letter && !word ? "_" : "");
        if (letter)
            wr_u8(&id, (uint8_t)*c);
        word = letter;
    }
    json_str(j, "operationId", wr_string(&id));
    wr_free(&id);
}

static void put_operation(struct json *j, const struct web_route *r)
{
    static const struct {
        enum web_scope scope;
        const char *word;
    } scopes[] = {{WEB_READ, "read"}, {WEB_WRITE, "write"}};
    char method[8] = "";
    for (size_t i = 0; r->method[i] && i + 1 < sizeof method; i++)
        method[i] = (char)(r->method[i] | 0x20);
    json_object_begin(j, method);
    put_operation_id(j, method, r->pattern);
    json_str(j, "summary", r->doc);
    json_array_begin(j, "security");
    for (size_t i = 0; i < ARRAY_LENGTH(scopes); i++) {
        static const char *const ways[] = {"basic", "bearer"};
        for (size_t k = 0; scopes[i].scope == r->scope && k < ARRAY_LENGTH(ways); k++) {
            json_object_begin(j, NULL);
            json_array_begin(j, ways[k]);
            json_str(j, NULL, scopes[i].word);
            json_array_end(j);
            json_object_end(j);
        }
    }
    json_array_end(j);
    put_parameters(j, r);
    if (r->upload_max)
        put_upload(j, r);
    put_answers(j, r);
    json_object_end(j);
}

/* Rows of one path stand together. */
static void put_paths(struct json *j)
{
    json_object_begin(j, "paths");
    for (size_t i = 0; i < web_route_count; i++) {
        bool first = true;
        for (size_t k = 0; k < i; k++)
            first = first && strcmp(web_routes[k].pattern, web_routes[i].pattern) != 0;
        if (!first)
            continue;
        json_object_begin(j, web_routes[i].pattern);
        for (size_t k = i; k < web_route_count; k++)
            if (strcmp(web_routes[k].pattern, web_routes[i].pattern) == 0)
                put_operation(j, &web_routes[k]);
        json_object_end(j);
    }
    json_object_end(j);
}

static void put_components(struct json *j)
{
    static const struct web_field problem[] = {
        {"type", WEB_T_TEXT, "about:blank: the status says it all (RFC 9457)", NULL, NULL},
        {"title", WEB_T_TEXT, "of the status", NULL, NULL},
        {"status", WEB_T_NUMBER, "of HTTP", NULL, NULL},
        {"detail", WEB_T_TEXT, "what is wrong, for people", NULL, NULL},
        {NULL, 0, NULL, NULL, NULL},
    };
    static const char *const ways[] = {"basic", "bearer"};
    json_object_begin(j, "components");
    json_object_begin(j, "schemas");
    json_object_begin(j, "problem");
    put_object(j, problem, false);
    json_object_end(j);
    json_object_end(j);
    json_object_begin(j, "securitySchemes");
    for (size_t i = 0; i < ARRAY_LENGTH(ways); i++) {
        json_object_begin(j, ways[i]);
        json_str(j, "type", "http");
        json_str(j, "scheme", ways[i]);
        json_object_end(j);
    }
    json_object_end(j);
    json_object_end(j);
}

void web_describe(struct wr *w)
{
    struct json j = json_of(w);
    json_object_begin(&j, NULL);
    json_str(&j, "openapi", "3.1.0");
    json_object_begin(&j, "info");
    json_str(&j, "title", "Muster");
    json_str(&j, "version", MUSTER_VERSION);
    json_str(&j, "description",
             "What was installed on which endpoint, and when. Times are UTC, as in 2026-03-29T12:00:00Z. Every member that is described stands in every "
             "answer; null means that it is not known.");
    json_object_begin(&j, "license");
    json_str(&j, "name", "MIT");
    json_str(&j, "identifier", "MIT");
    json_object_end(&j);
    json_object_end(&j);
    json_array_begin(&j, "servers");
    json_object_begin(&j, NULL);
    json_str(&j, "url", "/");
    json_object_end(&j);
    json_array_end(&j);
    put_paths(&j);
    put_components(&j);
    json_object_end(&j);
}

void server_describe(struct wr *w)
{
    web_describe(w);
    wr_u8(w, '\n');
}
