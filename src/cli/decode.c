/* muster decode: captured messages explained. */
#include "cli/input.h"
#include "nea/nea.h"

#define INPUT_MAX ((size_t)64 << 20)

static void drain(void *context)
{
    cli_flush(context);
}

static int explain(struct cli *cli, struct bytes octets, enum nea_kind kind)
{
    struct json j = {0};
    struct json_path path;
    if (cli_json(cli)) {
        j = cli_json_begin(cli, "decode");
    } else if (cli_plain(cli)) {
        j = json_of(cli_out(cli));
        j.path = &path;
        json_object_begin(&j, NULL);
    } else {
        j = json_of(cli_out(cli));
        j.outline = true;
        json_object_begin(&j, NULL);
    }
    j.drain = drain;
    j.context = cli;
    size_t faults = nea_decode(&j, octets, kind);
    json_object_end(&j);
    wr_str(cli_out(cli), cli_json(cli) ? "\n" : "");
    return faults ? EXIT_NO : EXIT_DONE;
}

static int decode(struct cli *cli, struct wr *input, struct wr *octets)
{
    const char *path = cli_argument(cli, 0) ? cli_argument(cli, 0) : "-", *name = cli_value(cli, "kind");
    enum nea_kind kind = name ? nea_kind_find(name) : NEA_KIND_COUNT;
    struct error error = {""};
    if (name && kind == NEA_KIND_COUNT)
        return cli_usage(cli, "--kind takes pt-tls, pb-tnc, pa-tnc or pa-attributes, not \"%s\"", name);
    int status = cli_read_input(cli, path, INPUT_MAX, input);
    if (status != EXIT_DONE)
        return status;
    struct bytes b = wr_view(input);
    if (nea_hex_is(b)) {
        if (!nea_hex_read(b, octets, &error))
            return cli_usage(cli, "%s: %s", path, error.text);
        b = wr_view(octets);
    }
    if (!b.n)
        return cli_usage(cli, "%s: there is nothing in it", path);
    return explain(cli, b, name ? kind : nea_kind_guess(b));
}

static int run(struct cli *cli)
{
    struct wr input = wr_of(INPUT_MAX), octets = wr_of(INPUT_MAX);
    int status = decode(cli, &input, &octets);
    wr_free(&input);
    wr_free(&octets);
    return status;
}

static const struct cli_option options[] = {
    {"kind", "KIND", "what it is, where that cannot be seen: pt-tls, pb-tnc, pa-tnc or pa-attributes"},
    {NULL, NULL, NULL},
};

const struct cli_command cli_decode = {
    .noun = "decode",
    .arguments = "[FILE]",
    .more = "Without FILE, or with \"-\", it reads standard input. What PT-TLS carries is encrypted on its way, so that a capture comes from one of its ends:\n\n"
            "  muster assess SERVER --ca FILE --cert FILE --key FILE --capture octets\n"
            "  muster decode octets\n\n"
            "Of another implementation its log may tell them, as digits: they are read with blanks, commas, 0x, comments behind #, and the offsets and\n"
            "characters of xxd and hexdump -C.",
    .summary = "explain captured PT-TLS, PB-TNC or PA-TNC octets, binary or hexadecimal; exit 1 if they have faults",
    .plain = "where a value stands in the document that --json prints (messages.0.kind), value",
    .max_arguments = 1,
    .options = options,
    .run = run,
};
