#include "cli/tag_out.h"

#include <string.h>
#include <unistd.h>

enum { DOCUMENT_MAX = 24 << 20 }; /* octets of a tag that has to be held: CoSWID, and texts in JSON */

static void pass(struct tag_out *o, enum swid_status failed)
{
    o->sink.failed = failed;
    if (!o->coswid && !o->as_json)
        cli_out(o->cli); /* what has gathered leaves */
}

static struct swid_sink *inner(struct tag_out *o)
{
    return o->coswid ? swid_coswid_sink(o->cbor) : &o->xml.sink;
}

static void on_open(struct swid_sink *s, const struct swid_node *node)
{
    struct tag_out *o = (struct tag_out *)s;
    struct swid_sink *to = inner(o);
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

int tag_out_begin(struct tag_out *o, struct cli *cli, const char *schema)
{
    const char *format = cli_value(cli, "format"), *separator = cli_value(cli, "doc-separator");
    *o = (struct tag_out){.sink = {.open = on_open, .close = on_close},
                          .cli = cli,
                          .coswid = format && strcmp(format, "coswid") == 0,
                          .as_json = cli_json(cli),
                          .pretty = cli_flag(cli, "pretty"),
                          .schema_location = cli_flag(cli, "schema-location"),
                          .separator = separator ? separator : "\n",
                          .text = wr_of(DOCUMENT_MAX)};
    if (format && !o->coswid && strcmp(format, "swid") != 0)
        return cli_usage(cli, "--format takes swid or coswid, not \"%s\"", format);
    if (o->coswid && (o->pretty || o->schema_location))
        return cli_usage(cli, "--pretty and --schema-location are of XML, CoSWID has neither");
    if (o->coswid && !o->as_json && isatty(STDOUT_FILENO))
        return cli_usage(cli, "CoSWID is binary: send it to a file, or take --json");
    if (o->as_json) {
        o->json = cli_json_begin(cli, schema);
        json_array_begin(&o->json, "items");
    }
    return EXIT_DONE;
}

struct swid_sink *tag_out_document(struct tag_out *o)
{
    bool held = o->coswid || o->as_json;
    if (!held && o->count)
        wr_str(cli_out(o->cli), o->separator);
    wr_reset(&o->text);
    o->sink.failed = SWID_OK;
    if (o->coswid) {
        swid_coswid_free(o->cbor);
        o->cbor = swid_coswid_new(&o->text, DOCUMENT_MAX, true);
        return o->cbor ? &o->sink : NULL;
    }
    o->xml = swid_xml_of(held ? &o->text : cli_out(o->cli), o->pretty ? SWID_PRETTY : SWID_LINE);
    o->xml.schema_location = o->schema_location;
    o->xml.hashes = o->hashes;
    return &o->sink;
}

static void put_item(struct tag_out *o, struct bytes name, struct bytes version, struct bytes software_id)
{
    struct json *j = &o->json;
    json_object_begin(j, NULL);
    json_text(j, "name", name);
    json_text(j, "version", version);
    if (software_id.n)
        json_text(j, "software_id", software_id);
    if (o->coswid)
        json_hex(j, "coswid", wr_view(&o->text));
    else
        json_text(j, "tag", wr_view(&o->text));
    json_object_end(j);
}

bool tag_out_document_end(struct tag_out *o, struct bytes name, struct bytes version, struct bytes software_id)
{
    if (o->sink.failed != SWID_OK) {
        cli_fail(o->cli, EXIT_INTERNAL, "the tag of %.*s is too large to be held in memory, as it has to be for CoSWID and --json",
                 (int)name.n, (const char *)name.p);
        return false;
    }
    if (o->as_json)
        put_item(o, name, version, software_id);
    else if (o->coswid)
        wr_bytes(cli_out(o->cli), wr_view(&o->text));
    o->count++;
    cli_out(o->cli);
    return cli_flush(o->cli);
}

void tag_out_end(struct tag_out *o)
{
    if (o->as_json) {
        json_array_end(&o->json);
        json_object_end(&o->json);
    }
    if (o->as_json || (!o->coswid && !o->pretty && o->count))
        wr_str(cli_out(o->cli), "\n");
    swid_coswid_free(o->cbor);
    wr_free(&o->text);
}
