/* muster tag convert: a tag in another format, with all that both know. */
#include "cli/input.h"
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

static int convert(struct cli *cli, const char *path, struct bytes octets, struct hearing *h, struct tag_out *out)
{
    struct error error = {""};
    if (swid_read(octets, &h->sink, &error) != SWID_OK)
        return cli_usage(cli, "%s: %s", path, error.text);
    if (h->sink.has_signature && !cli_flag(cli, "drop-signature"))
        return cli_usage(cli, "%s is signed, and the signature is of the form it has now: --drop-signature converts the tag without it", path);
    int code = tag_out_begin(out, cli, "tag");
    if (code != EXIT_DONE)
        return code;
    out->hashes = h->hashes;
    struct swid_sink *sink = tag_out_document(out);
    bool done = sink && (swid_read(octets, sink, &error) == SWID_OK || sink->failed != SWID_OK) &&
                tag_out_document_end(out, wr_view(&h->name), wr_view(&h->version), (struct bytes){0});
    tag_out_end(out);
    return done ? EXIT_DONE : out->ended ? out->code : cli_fail(cli, EXIT_INTERNAL, "out of memory");
}

static int run(struct cli *cli)
{
    const char *path = cli_argument(cli, 0);
    struct wr input = wr_of(SWID_READ_MAX);
    struct hearing h = {.sink = {.open = hear, .close = ignore}, .name = wr_of(0), .version = wr_of(0)};
    struct tag_out out;
    int code = cli_read_input(cli, path, SWID_READ_MAX, &input);
    if (code == EXIT_DONE)
        code = convert(cli, path, wr_view(&input), &h, &out);
    wr_free(&h.name);
    wr_free(&h.version);
    wr_free(&input);
    return code;
}

static const struct cli_option options[] = {
    TAG_OUT_OPTIONS,
    {"drop-signature", NULL, "convert a signed tag, too: its signature, of which nothing is checked, is left out"},
    {NULL, NULL, NULL},
};

const struct cli_command cli_tag_convert = {
    .noun = "tag",
    .verb = "convert",
    .arguments = "FILE",
    .summary = "a SWID or CoSWID tag in the other format, or laid out anew",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = options,
    .run = run,
};
