/* endpoint list and endpoint show: what the server knows of its endpoints, as its API tells it. */
#include "cli/commands.h"
#include "cli/rest.h"

#include <string.h>

extern const struct cli_command cli_endpoint_list, cli_endpoint_show;

struct column {
    const char *title, *key;
    size_t width; /* of the table for people; the last column has 0 */
    void (*put)(struct wr *w, const json_t *item, const struct column *c); /* how those read it who see it; NULL: as it is */
    bool for_scripts; /* it stands only in --plain */
};

struct output {
    struct cli *cli;
    struct json *json; /* NULL: rows of `columns` */
    const struct column *columns;
    size_t count, items, unknown; /* unknown: items of which nobody knows whether they were installed */
};

/* Who has a session now was seen now. */
static void put_seen(struct wr *w, const json_t *item, const struct column *c)
{
    if (json_is_true(json_object_get(item, "connected")))
        cli_put_cell(w, BYTES("connected"), c->width);
    else
        rest_put(w, item, c->key, c->width);
}

/* Nobody knows whether it was installed at the moment that was asked for. */
static bool is_unknown(const json_t *item)
{
    return json_is_null(json_object_get(item, "installed"));
}

static void put_installed(struct wr *w, const json_t *item, const struct column *c)
{
    cli_put_cell(w, is_unknown(item) ? BYTES("unknown") : BYTES("yes"), c->width);
}

static void put_bounded(struct wr *w, const json_t *item, const struct column *c)
{
    const char *precision = json_string_value(json_object_get(item, "precision"));
    bool bound = precision && strcmp(precision, "bound") == 0;
    wr_str(w, is_unknown(item) ? "unknown: by " : bound ? "by " : "");
    rest_put(w, item, c->key, c->width);
}

static const struct column endpoint_columns[] = {
    {"ID", "id", 5},
    {"NAME", "name", 27},
    {"PRODUCT", "product", 11},
    {"VERSION", "version", 19},
    {"PACKAGES", "installed", 8},
    {"LAST SEEN", "last_seen", 20, put_seen},
    {"ACCESS", "access", 11},
    {"RESULT", "result", 0},
};
static const struct column software_columns[] = {
    {"PACKAGE", "package", 29},
    {"VERSION", "version", 29},
    {"IDENTIFIER", "software_id", 69},
    {"COUNT", "count", 5},
    {"SINCE", "since", 0, put_bounded},
    {"PRECISION", "precision", 0, .for_scripts = true},
    {"INSTALLED", "installed", 0, put_installed, .for_scripts = true},
};

static const struct column finding_columns[] = {
    {"WHAT", "what", 8},
    {"PATH", "path", 60},
    {"PACKAGE", "package", 24},
    {"VERSION", "version", 20},
    {"AGAINST", "against", 10},
    {"LEARNT", "learnt", 0},
    {"IDENTIFIER", "software_id", 0, .for_scripts = true},
    {"WANTED", "wanted_sha256", 0, .for_scripts = true},
    {"TOLD", "told_sha256", 0, .for_scripts = true},
};

static void put_titles(const struct output *o)
{
    struct wr *w = cli_out(o->cli);
    for (size_t i = 0; i < o->count && !o->columns[i].for_scripts; i++) {
        wr_str(w, i ? " " : "");
        cli_put_cell(w, bytes_of(o->columns[i].title), o->columns[i].width);
    }
    wr_u8(w, '\n');
}

static void put_row(const struct output *o, const json_t *item)
{
    struct wr *w = cli_out(o->cli);
    bool plain = cli_plain(o->cli);
    for (size_t i = 0; i < o->count && (plain || !o->columns[i].for_scripts); i++) {
        const struct column *c = &o->columns[i];
        wr_str(w, i == 0 ? "" : plain ? "\t" : " ");
        if (c->put && plain == c->for_scripts)
            c->put(w, item, c);
        else
            rest_put(w, item, c->key, plain ? 0 : c->width);
    }
    wr_u8(w, '\n');
}

static bool put_item(void *context, const json_t *item)
{
    struct output *o = context;
    if (!o->json && !cli_plain(o->cli) && o->items == 0)
        put_titles(o);
    o->items++;
    o->unknown += is_unknown(item);
    if (o->json)
        rest_copy(o->json, NULL, item);
    else
        put_row(o, item);
    return cli_out(o->cli)->n < ((size_t)64 << 10) || cli_flush(o->cli);
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
        {"connected", "connected", 0},
        {"last boot", "last_boot", 0},
        {"forwarding", "forwarding", 0},
        {"default password", "default_password", 0},
        {"installed", "installed", 0},
        {"known since", "known_since", 0},
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
    /* Of the packages that have a reference tag. */
    static const struct column files[] = {{"references", "references", 0}, {"compared", "compared", 0}, {"told no files", "bare", 0},
                                          {"differing", "differing", 0}, {"findings", "findings", 0}};
    const json_t *known = json_object_get(endpoint, "files");
    for (size_t i = 0; i < ARRAY_LENGTH(files) && json_integer_value(json_object_get(known, "references")) > 0; i++) {
        wr_fmt(w, cli_plain(cli) ? "%s\t" : "%-18s", files[i].title);
        rest_put(w, known, files[i].key, 0);
        wr_u8(w, '\n');
    }
    wr_u8(w, '\n');
}

/* Files that are not as a tag says, for people before an empty line; none: nothing. False: *status says why. */
static bool show_findings(struct cli *cli, struct rest *r, const json_t *endpoint, struct json *json, int *status)
{
    struct output o = {cli, json, finding_columns, ARRAY_LENGTH(finding_columns), 0};
    struct wr path = wr_of(256), *w = cli_out(cli);
    wr_fmt(&path, "/api/v1/endpoints/%" JSON_INTEGER_FORMAT "/findings", json_integer_value(json_object_get(endpoint, "id")));
    if (json)
        json_array_begin(json, "findings");
    bool done = rest_each(r, wr_string(&path), put_item, &o, status);
    if (json)
        json_array_end(json);
    else if (o.items && !cli_plain(cli))
        wr_u8(w, '\n');
    wr_free(&path);
    return done;
}

static bool time_of(const json_t *object, const char *name, int64_t *t)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text && time_parse(bytes_of(text), t);
}

/* The time within which its events were lost, if that moment lies in it. */
static const json_t *lost_at(const json_t *endpoint, int64_t at)
{
    const json_t *all = json_object_get(endpoint, "unknown");
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *one = json_array_get(all, i);
        int64_t from, to;
        if (time_of(one, "from", &from) && time_of(one, "to", &to) && at >= from && at < to)
            return one;
    }
    return NULL;
}

/* An answer about a time of which little or nothing is known must not read as "nothing was there". */
static int say_what_is_unknown(struct cli *cli, const json_t *endpoint, int64_t at, size_t unknown)
{
    const char *text = json_string_value(json_object_get(endpoint, "known_since"));
    int64_t since = TIME_UNKNOWN;
    const json_t *lost = at == TIME_UNKNOWN ? NULL : lost_at(endpoint, at);
    if (lost)
        return cli_fail(cli, EXIT_UNKNOWN, "of %s nobody knows what came and went from %s to %s: its events were lost", cli_argument(cli, 0),
                        json_string_value(json_object_get(lost, "from")), json_string_value(json_object_get(lost, "to")));
    if (at == TIME_UNKNOWN || (text && time_parse(bytes_of(text), &since) && at >= since))
        return unknown == 0 ? EXIT_DONE
                            : cli_fail(cli, EXIT_UNKNOWN, "%zu package%s of endpoint %s: not known whether %s installed then", unknown,
                                       unknown > 1 ? "s" : "", cli_argument(cli, 0), unknown > 1 ? "they were" : "it was");
    if (!text)
        return cli_fail(cli, EXIT_UNKNOWN, "%s has told nothing of its software", cli_argument(cli, 0));
    return cli_fail(cli, EXIT_UNKNOWN, "nothing is known of %s before %s: what was installed then is unknown",
                    cli_argument(cli, 0), text);
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
        if (!cli_plain(cli) && !show_findings(cli, r, endpoint, NULL, &status)) {
            wr_free(&path);
            return status;
        }
        if (at != TIME_UNKNOWN && !cli_plain(cli))
            wr_fmt(cli_out(cli), "software at %s:\n", time);
    }
    bool done = rest_each(r, wr_string(&path), put_item, &o, &status);
    if (done && o.json)
        json_array_end(&j);
    else if (done && cli_plain(cli))
        wr_u8(cli_out(cli), '\n');
    if (done && (o.json || cli_plain(cli)))
        done = show_findings(cli, r, endpoint, o.json, &status);
    if (done && o.json) {
        json_object_end(&j);
        wr_u8(cli_out(cli), '\n');
    }
    wr_free(&path);
    return done ? say_what_is_unknown(cli, endpoint, at, o.unknown) : status;
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
    {"at", "T", "its software as of this moment"},
    REST_OPTIONS,
    {NULL, NULL, NULL},
};
const struct cli_command cli_endpoint_list = {
    CLI_ENDPOINT_LIST,
    .plain = "number, name, product, version, packages, last seen, access, result",
    .options = list_options,
    .run = run_list,
};
const struct cli_command cli_endpoint_show = {
    CLI_ENDPOINT_SHOW,
    .plain = "a line a fact (its name, what it is), an empty line, a line a package (name, version, identifier, count, since, precision, installed: yes or unknown), an empty line, "
             "a line a file that is not as a tag says (changed, missing or added, path, package, version, against a reference or another's report, learnt, identifier, wanted and told SHA-256)",
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
