/* endpoint list and endpoint show: what the server knows of its endpoints, as its API tells it. */
#include "cli/commands.h"
#include "cli/rest.h"

#include <string.h>

extern const struct cli_command cli_endpoint_list, cli_endpoint_show;

struct column {
    const char *title, *key;
    int width; /* of the table for people; the last column has 0 */
};

struct output {
    struct cli *cli;
    struct json *json; /* NULL: rows of `columns` */
    const struct column *columns;
    size_t count, items;
};

static const struct column endpoint_columns[] = {
    {"ID", "id", 6},
    {"NAME", "name", 28},
    {"PRODUCT", "product", 12},
    {"VERSION", "version", 20},
    {"PACKAGES", "installed", 9},
    {"LAST SEEN", "last_seen", 21},
    {"ACCESS", "access", 12},
    {"RESULT", "result", 0},
};
static const struct column software_columns[] = {
    {"PACKAGE", "package", 30},
    {"VERSION", "version", 30},
    {"IDENTIFIER", "software_id", 70},
    {"COUNT", "count", 6},
    {"SINCE", "since", 0},
};

static void put_titles(const struct output *o)
{
    struct wr *w = cli_out(o->cli);
    for (size_t i = 0; i < o->count; i++)
        wr_fmt(w, "%-*s%s", i + 1 == o->count ? 0 : o->columns[i].width - 1, o->columns[i].title,
               i + 1 == o->count ? "\n" : " ");
}

static bool put_item(void *context, const json_t *item)
{
    struct output *o = context;
    struct wr *w = cli_out(o->cli);
    if (o->json)
        rest_copy(o->json, NULL, item);
    bool plain = cli_plain(o->cli);
    if (!o->json && !plain && o->items++ == 0)
        put_titles(o);
    for (size_t i = 0; !o->json && i < o->count; i++) {
        rest_put(w, item, o->columns[i].key, plain ? 0 : o->columns[i].width - 1);
        wr_u8(w, i + 1 == o->count ? '\n' : plain ? '\t' : ' ');
    }
    return w->n < ((size_t)64 << 10) || cli_flush(o->cli);
}

/* ---- list -------------------------------------------------------------------------------------------------------- */

static int run_list(struct cli *cli)
{
    int status;
    struct json j;
    struct output o = {cli, NULL, endpoint_columns, ARRAY_LENGTH(endpoint_columns), 0};
    struct rest *r = rest_open(cli, &status);
    if (!r)
        return status;
    if (cli_json(cli)) {
        j = cli_json_begin(cli, "endpoints");
        json_array_begin(&j, "items");
        o.json = &j;
    }
    bool done = rest_each(r, "/api/v1/endpoints", put_item, &o, &status);
    if (done && !o.json && !cli_plain(cli) && o.items == 0)
        cli_fail(cli, 0,
                 "no endpoint has reported yet; on one: muster assess HOST --ca ca.crt --cert NAME.crt --key NAME.key");
    if (done && o.json) {
        json_array_end(&j);
        json_none(&j, "next");
        json_object_end(&j);
        wr_u8(cli_out(cli), '\n');
    }
    rest_close(r);
    return done ? EXIT_DONE : status;
}

/* ---- show -------------------------------------------------------------------------------------------------------- */

static void put_facts(struct cli *cli, const json_t *endpoint)
{
    static const struct column facts[] = {
        {"name", "name", 0},
        {"id", "id", 0},
        {"product", "product", 0},
        {"version", "version", 0},
        {"device id", "device_id", 0},
        {"address", "address", 0},
        {"first seen", "first_seen", 0},
        {"last seen", "last_seen", 0},
        {"last boot", "last_boot", 0},
        {"forwarding", "forwarding", 0},
        {"default password", "default_password", 0},
        {"installed", "installed", 0},
        {"access", "access", 0},
        {"result", "result", 0},
        {"reason", "reason", 0},
    };
    struct wr *w = cli_out(cli);
    for (size_t i = 0; i < ARRAY_LENGTH(facts); i++) {
        if (json_is_null(json_object_get(endpoint, facts[i].key)))
            continue;
        wr_fmt(w, cli_plain(cli) ? "%s\t" : "%-18s", facts[i].title);
        rest_put(w, endpoint, facts[i].key, 0);
        wr_u8(w, '\n');
    }
    wr_u8(w, '\n');
}

static int show(struct cli *cli, struct rest *r, const json_t *endpoint, int64_t at)
{
    int status = EXIT_INTERNAL;
    char time[TIME_TEXT];
    const char *name;
    json_t *member;
    struct json j;
    struct output o = {cli, NULL, software_columns, ARRAY_LENGTH(software_columns), 0};
    struct wr path = wr_of(256);
    wr_fmt(&path, "/api/v1/endpoints/%" JSON_INTEGER_FORMAT "/software",
           json_integer_value(json_object_get(endpoint, "id")));
    time_format(at, time);
    if (at != TIME_UNKNOWN)
        wr_fmt(&path, "?at=%s", time);
    if (cli_json(cli)) {
        j = cli_json_begin(cli, "endpoint");
        json_object_foreach((json_t *)(uintptr_t)endpoint, name, member) {
            if (strcmp(name, "schema") != 0)
                rest_copy(&j, name, member);
        }
        json_time(&j, "at", at);
        json_array_begin(&j, "software");
        o.json = &j;
    } else {
        put_facts(cli, endpoint);
        if (at != TIME_UNKNOWN && !cli_plain(cli))
            wr_fmt(cli_out(cli), "software at %s:\n", time);
    }
    bool done = rest_each(r, wr_string(&path), put_item, &o, &status);
    if (done && o.json) {
        json_array_end(&j);
        json_object_end(&j);
        wr_u8(cli_out(cli), '\n');
    }
    wr_free(&path);
    return done ? EXIT_DONE : status;
}

static int run_show(struct cli *cli)
{
    int status;
    int64_t at;
    if (!cli_time(cli, "at", &at))
        return EXIT_USAGE;
    struct rest *r = rest_open(cli, &status);
    if (!r)
        return status;
    struct wr path = wr_of(4096);
    wr_str(&path, "/api/v1/endpoints/");
    rest_escape(&path, cli_argument(cli, 0));
    json_t *endpoint = rest_get(r, wr_string(&path), &status);
    if (endpoint)
        status = show(cli, r, endpoint, at);
    json_decref(endpoint);
    wr_free(&path);
    rest_close(r);
    return status;
}

/* ---- reassess ---------------------------------------------------------------------------------------------------- */

static int run_reassess(struct cli *cli)
{
    int status;
    struct rest *r = rest_open(cli, &status);
    if (!r)
        return status;
    struct wr path = wr_of(4096);
    wr_str(&path, "/api/v1/endpoints/");
    rest_escape(&path, cli_argument(cli, 0));
    wr_str(&path, "/reassess");
    json_t *answer = rest_post(r, wr_string(&path), &status);
    if (answer && cli_json(cli)) {
        struct json j = cli_json_begin(cli, "reassess");
        rest_copy(&j, "id", json_object_get(answer, "id"));
        json_bool(&j, "asked", true);
        json_object_end(&j);
        wr_u8(cli_out(cli), '\n');
    } else if (answer) {
        wr_fmt(cli_out(cli), "%s is asked for a new assessment\n", cli_argument(cli, 0));
    }
    if (answer)
        status = EXIT_DONE;
    json_decref(answer);
    wr_free(&path);
    rest_close(r);
    return status;
}

static const struct cli_option reassess_options[] = {REST_OPTIONS, {NULL, NULL, NULL}};
static const struct cli_option list_options[] = {REST_OPTIONS, {NULL, NULL, NULL}};
static const struct cli_option show_options[] = {
    {"at", "T", "its software as it was then: RFC 3339, a date, or -7d"},
    REST_OPTIONS,
    {NULL, NULL, NULL},
};
const struct cli_command cli_endpoint_list = {
    CLI_ENDPOINT_LIST,
    .options = list_options,
    .run = run_list,
};
const struct cli_command cli_endpoint_show = {
    CLI_ENDPOINT_SHOW,
    .min_arguments = 1,
    .max_arguments = 1,
    .options = show_options,
    .run = run_show,
};
const struct cli_command cli_endpoint_reassess = {
    CLI_ENDPOINT_REASSESS,
    .min_arguments = 1,
    .max_arguments = 1,
    .options = reassess_options,
    .run = run_reassess,
};
