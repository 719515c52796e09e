/* muster tag convert: a tag in another format, with all that both know. */
#include "cli/tag_input.h"
#include "cli/tag_out.h"

/* Hears a whole tag, so that of a bad one nothing is written, and keeps what the document's frame tells. */
struct hearing {
    struct swid_sink sink; /* first */
    struct wr name, version;
    unsigned hashes;
};

static void hear(struct swid_sink *s, const struct swid_node *node)
{
    struct hearing *h = (struct hearing *)s;
    static const enum swid_attribute hashes[] = {SWID_SHA256, SWID_SHA384, SWID_SHA512};
    if (node->element == SWID_IDENTITY) {
        wr_bytes(&h->name, node->value[SWID_NAME]);
        wr_bytes(&h->version, node->value[SWID_VERSION]);
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(hashes); i++)
        h->hashes |= node->value[hashes[i]].p ? 1U << i : 0;
}

static void ignore(struct swid_sink *s, enum swid_element element)
{
    (void)s, (void)element;
}

struct converting {
    struct cli *cli;
    struct tag_input in;
    struct tag_out out;
    bool begun; /* nothing is written before a tag was heard */
};

static int put(struct converting *c, struct bytes tag, const struct hearing *h)
{
    struct error error = {""};
    int code = c->begun ? EXIT_DONE : tag_out_begin(&c->out, c->cli, "tag");
    if (code != EXIT_DONE)
        return code;
    c->begun = true;
    c->out.hashes = h->hashes;
    struct swid_sink *sink = tag_out_document(&c->out);
    bool done = sink && (swid_read(tag, sink, &error) == SWID_OK || sink->failed != SWID_OK) &&
                tag_out_document_end(&c->out, wr_view(&h->name), wr_view(&h->version), (struct bytes){0});
    return done ? EXIT_DONE : c->out.ended ? c->out.code : cli_fail(c->cli, EXIT_INTERNAL, "out of memory");
}

static int convert(struct converting *c, struct bytes tag)
{
    struct hearing h = {.sink = {.open = hear, .close = ignore}, .name = wr_of(0), .version = wr_of(0)};
    struct error error = {""};
    int code;
    if (swid_read(tag, &h.sink, &error) != SWID_OK)
        code = cli_fail(c->cli, EXIT_USAGE, "%s: %s", c->in.label, error.text);
    else if (h.sink.has_signature && !cli_flag(c->cli, "drop-signature"))
        code = cli_usage(c->cli, "%s is signed, and the signature is of the form it has now: --drop-signature converts the tag without it", c->in.label);
    else
        code = put(c, tag, &h);
    wr_free(&h.name);
    wr_free(&h.version);
    return code;
}

/* The first that cannot be converted ends it. */
static int run(struct cli *cli)
{
    struct converting c = {.cli = cli};
    struct bytes tag;
    const char *path;
    int code = EXIT_DONE;
    for (unsigned i = 0; code == EXIT_DONE && (path = cli_argument(cli, i)); i++) {
        code = tag_input_open(&c.in, cli, path);
        while (code == EXIT_DONE && !c.out.ended && tag_input_next(&c.in, &tag, &code))
            code = convert(&c, tag);
        tag_input_close(&c.in);
    }
    if (c.begun)
        tag_out_end(&c.out);
    return code == EXIT_DONE && c.out.lossy ? EXIT_UNKNOWN : code;
}

static const struct cli_option options[] = {
    TAG_OUT_OPTIONS,
    {"drop-signature", NULL, "convert a signed tag, too: its signature, of which nothing is checked, is left out"},
    {NULL, NULL, NULL},
};

const struct cli_command cli_tag_convert = {
    .noun = "tag",
    .verb = "convert",
    .arguments = "FILE...",
    .summary = "all SWID and CoSWID tags in files in the other format, or laid out anew; exit 3 if a format has no place for something, which is told",
    .min_arguments = 1,
    .max_arguments = CLI_ANY,
    .options = options,
    .run = run,
};
