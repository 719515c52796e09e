#include "cli/tag_out.h"
#include "cli/tag_folder.h"

#include <fnmatch.h>
#include <string.h>
#include <unistd.h>

enum {
    DOCUMENT_MAX = 24 << 20, /* octets of a tag that has to be held: CoSWID, texts in JSON, what is signed */
    DRAIN_AT = 128 << 10,    /* octets of one that need not be */
};

static bool is_held(const struct tag_out *o)
{
    return o->model == SWID_MODEL_COSWID || (o->as_json && !o->folder) || o->signer;
}

static bool end(struct tag_out *o, int code)
{
    o->ended = true;
    o->code = code;
    return false;
}

static bool put_in_folder(struct tag_out *o, struct bytes octets)
{
    int code = o->ended ? o->code : tag_folder_write(o->folder, octets);
    return !o->ended && (code == EXIT_DONE || end(o, code));
}

/* What has gathered of a document leaves. */
static bool drain(struct tag_out *o)
{
    if (!o->folder)
        return !o->ended && (cli_flush(o->cli) || end(o, EXIT_DONE));
    bool done = put_in_folder(o, wr_view(&o->text));
    wr_reset(&o->text);
    return done;
}

static void pass(struct tag_out *o, enum swid_status failed)
{
    const struct wr *to = o->folder ? &o->text : o->out;
    o->sink.failed = failed;
    if (!is_held(o) && to->n >= DRAIN_AT && !drain(o))
        o->sink.failed = SWID_TOO_LARGE; /* whoever makes the tag need not go on */
}

/* The file's name is the tag's identity, whoever made it. */
static void learn(struct tag_out *o, const struct swid_node *node)
{
    if (node->element == SWID_IDENTITY)
        wr_bytes(&o->tag_id, node->value[SWID_TAG_ID]);
    else if (node->element == SWID_ENTITY && !o->regid.n && memmem(node->value[SWID_ROLE].p, node->value[SWID_ROLE].n, "tagCreator", 10))
        wr_bytes(&o->regid, node->value[SWID_REGID]);
}

static struct swid_sink *inner(struct tag_out *o)
{
    return o->cbor ? swid_coswid_sink(o->cbor) : o->old ? swid_2009_sink(o->old) : &o->xml.sink;
}

static void on_open(struct swid_sink *s, const struct swid_node *node)
{
    struct tag_out *o = (struct tag_out *)s;
    struct swid_sink *to = inner(o);
    learn(o, node);
    to->open(to, node);
    pass(o, to->failed);
}

static void on_close(struct swid_sink *s, enum swid_element element)
{
    struct tag_out *o = (struct tag_out *)s;
    struct swid_sink *to = inner(o);
    to->close(to, element);
    pass(o, to->failed);
}

bool tag_format_find(const char *format, uint32_t *model)
{
    static const char *const names[] = {[SWID_MODEL_2015] = "swid", [SWID_MODEL_2009] = "swid2009", [SWID_MODEL_COSWID] = "coswid"};
    *model = SWID_MODEL_2015;
    for (uint32_t i = 0; format && i <= ARRAY_LENGTH(names); i++) {
        if (i == ARRAY_LENGTH(names))
            return false;
        *model = i;
        if (strcmp(format, names[i]) == 0)
            break;
    }
    return true;
}

int tag_out_begin(struct tag_out *o, struct cli *cli, const char *schema)
{
    const char *format = cli_value(cli, "format"), *separator = cli_value(cli, "doc-separator"), *folder = cli_value(cli, "output-dir");
    *o = (struct tag_out){.sink = {.open = on_open, .close = on_close},
                          .cli = cli,
                          .out = cli_out(cli),
                          .as_json = cli_json(cli),
                          .pretty = cli_flag(cli, "pretty"),
                          .schema_location = cli_flag(cli, "schema-location"),
                          .separator = separator ? separator : "\n",
                          .regid = wr_of(0),
                          .tag_id = wr_of(0),
                          .text = wr_of(DOCUMENT_MAX),
                          .signed_text = wr_of(0)};
    if (!tag_format_find(format, &o->model))
        return cli_usage(cli, "--format takes swid, swid2009 or coswid, not \"%s\"", format);
    bool coswid = o->model == SWID_MODEL_COSWID;
    if (o->model == SWID_MODEL_2009 && o->schema_location)
        return cli_usage(cli, "--schema-location is of ISO/IEC 19770-2:2015, not of 2009");
    if (coswid && (o->pretty || o->schema_location))
        return cli_usage(cli, "--pretty and --schema-location are of XML, CoSWID has neither");
    if (coswid && !o->as_json && !folder && isatty(STDOUT_FILENO))
        return cli_usage(cli, "CoSWID is binary: send it to a file, or take --output-dir or --json");
    int code = tag_signer_open(cli, coswid, &o->signer);
    if (code == EXIT_DONE && folder && (code = tag_folder_open(cli, folder, &o->folder)) != EXIT_DONE)
        tag_signer_close(o->signer);
    if (code == EXIT_DONE && o->as_json) {
        o->json = cli_json_begin(cli, schema);
        json_array_begin(&o->json, "items");
    }
    return code;
}

struct swid_sink *tag_out_document(struct tag_out *o)
{
    bool held = is_held(o) || o->folder;
    struct wr *to = held ? &o->text : o->out;
    int code = o->folder ? tag_folder_begin(o->folder) : EXIT_DONE;
    enum swid_layout layout = o->pretty ? SWID_PRETTY : SWID_LINE;
    if (!held && o->count)
        wr_str(to, o->separator);
    wr_reset(&o->text);
    wr_reset(&o->regid);
    wr_reset(&o->tag_id);
    o->sink.failed = SWID_OK;
    if (code != EXIT_DONE)
        return end(o, code), NULL;
    if (o->model == SWID_MODEL_COSWID) {
        swid_coswid_free(o->cbor);
        o->cbor = swid_coswid_new(to, DOCUMENT_MAX, true);
        return o->cbor ? &o->sink : NULL;
    }
    if (o->model == SWID_MODEL_2009) {
        swid_2009_free(o->old);
        o->old = swid_2009_new(to, layout);
        return o->old ? &o->sink : NULL;
    }
    o->xml = swid_xml_of(to, layout);
    o->xml.schema_location = o->schema_location;
    o->xml.hashes = o->hashes;
    return &o->sink;
}

static void put_item(struct tag_out *o, struct bytes text, struct bytes name, struct bytes version, struct bytes software_id)
{
    struct json *j = &o->json;
    json_object_begin(j, NULL);
    json_text(j, "name", name);
    json_text(j, "version", version);
    if (software_id.n)
        json_text(j, "software_id", software_id);
    if (o->folder)
        json_str(j, "file", tag_folder_last(o->folder));
    else if (o->model == SWID_MODEL_COSWID)
        json_hex(j, "coswid", text);
    else
        json_text(j, "tag", text);
    json_object_end(j);
}

/* What has been held goes out. */
static void put_document(struct tag_out *o, struct bytes text, struct bytes name, struct bytes version, struct bytes software_id)
{
    if (o->as_json)
        put_item(o, text, name, version, software_id);
    else if (o->model != SWID_MODEL_COSWID && o->count)
        wr_str(o->out, o->separator);
    if (!o->as_json)
        wr_bytes(o->out, text);
}

/* Whether somebody reads the paths is his business: the files are what is wanted. */
static bool put_file(struct tag_out *o, struct bytes text, struct bytes name, struct bytes version, struct bytes software_id)
{
    static const char *const extensions[] = {[SWID_MODEL_2015] = ".swidtag", [SWID_MODEL_2009] = ".swidtag", [SWID_MODEL_COSWID] = ".coswid"};
    if (!put_in_folder(o, text) || !put_in_folder(o, o->model == SWID_MODEL_COSWID || o->pretty ? BYTES("") : BYTES("\n")))
        return false;
    int code = tag_folder_end(o->folder, wr_view(&o->regid), wr_view(&o->tag_id), extensions[o->model]);
    if (code != EXIT_DONE)
        return end(o, code);
    if (o->as_json)
        put_item(o, text, name, version, software_id);
    else
        wr_fmt(o->out, "%s\n", tag_folder_last(o->folder));
    cli_out(o->cli);
    return true;
}

static void tell_lost(struct tag_out *o, struct bytes name)
{
    struct wr what = wr_of(0);
    if (o->old && swid_2009_lost(o->old, &what)) {
        o->lossy = true;
        cli_fail(o->cli, EXIT_UNKNOWN, "the tag of %.*s is without %s, for which ISO/IEC 19770-2:2009 has no place", (int)name.n, (const char *)name.p,
                 wr_string(&what));
    }
    wr_free(&what);
}

bool tag_out_document_end(struct tag_out *o, struct bytes name, struct bytes version, struct bytes software_id)
{
    struct error error = {""};
    if (o->ended)
        return false;
    if (o->sink.failed != SWID_OK)
        return end(o, cli_fail(o->cli, EXIT_INTERNAL,
                               "the tag of %.*s is too large to be held in memory, as it has to be for CoSWID, swid2009, --json and --sign", (int)name.n,
                               (const char *)name.p));
    wr_reset(&o->signed_text);
    if (o->signer && !tag_signer_sign(o->signer, wr_view(&o->text), &o->signed_text, &error))
        return end(o, cli_fail(o->cli, EXIT_INTERNAL, "the tag of %.*s cannot be signed: %s", (int)name.n, (const char *)name.p, error.text));
    /* SWIMA-R91, RFC 8412 §6.2.1: the schema of 2009 has a pattern for its RegistrationId; when a domain was registered nobody but its owner knows. */
    if (o->model == SWID_MODEL_2009 && !o->warned && fnmatch("regid.[0-9][0-9][0-9][0-9]-[01][0-9].?*.?*", wr_string(&o->regid), 0) != 0) {
        o->warned = true;
        log_line(LOG_WARNING, "ISO/IEC 19770-2:2009 wants a tag creator such as regid.2004-03.org.example, which \"%s\" is not: see --regid",
                 wr_string(&o->regid));
    }
    tell_lost(o, name);
    struct bytes text = wr_view(o->signer ? &o->signed_text : &o->text);
    if (o->folder)
        return put_file(o, text, name, version, software_id);
    if (is_held(o))
        put_document(o, text, name, version, software_id);
    o->count++;
    return drain(o);
}

void tag_out_end(struct tag_out *o)
{
    if (o->as_json) {
        json_array_end(&o->json);
        json_object_end(&o->json);
    }
    if (o->as_json || (o->model != SWID_MODEL_COSWID && !o->pretty && o->count))
        wr_str(o->out, "\n");
    swid_coswid_free(o->cbor);
    swid_2009_free(o->old);
    tag_signer_close(o->signer);
    tag_folder_close(o->folder);
    wr_free(&o->regid);
    wr_free(&o->tag_id);
    wr_free(&o->text);
    wr_free(&o->signed_text);
}
