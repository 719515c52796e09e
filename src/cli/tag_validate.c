/* muster tag validate: a tag beside the rules of ISO/IEC 19770-2 and NISTIR 8060, by number. */
#include "cli/tag_input.h"
#include "swid/swid.h"

struct validating {
    struct cli *cli;
    struct json json;
    struct tag_input in;
    size_t faults; /* violations that count */
};

static void report(void *context, const struct swid_rule *rule, const char *place, const char *detail)
{
    struct validating *v = context;
    bool advice = swid_rule_is_advice(rule), counts = !advice || cli_flag(v->cli, "strict");
    v->faults += counts;
    if (!cli_json(v->cli)) {
        if (counts)
            wr_fmt(cli_out(v->cli), "%s: %s: %s: %s%s%s\n", v->in.label, rule->number, place, detail, *detail ? ": " : "", rule->text);
        return;
    }
    json_object_begin(&v->json, NULL);
    json_str(&v->json, "rule", rule->number);
    json_str(&v->json, "text", rule->text);
    json_str(&v->json, "place", place);
    json_str(&v->json, "detail", detail);
    json_bool(&v->json, "advice", advice);
    json_object_end(&v->json);
    cli_out(v->cli);
}

static int validate(struct validating *v, struct bytes tag)
{
    struct error error = {""};
    bool json = cli_json(v->cli);
    v->faults = 0;
    if (json) {
        json_object_begin(&v->json, NULL);
        json_str(&v->json, "file", v->in.path);
        json_number(&v->json, "document", v->in.number);
        json_array_begin(&v->json, "violations");
    }
    enum swid_status status = swid_validate(tag, report, v, &error);
    bool valid = status == SWID_OK && v->faults == 0;
    if (json) {
        json_array_end(&v->json);
        json_bool(&v->json, "valid", valid);
        json_str(&v->json, "error", status == SWID_OK ? NULL : error.text);
        json_object_end(&v->json);
    } else if (valid && !cli_plain(v->cli)) {
        wr_fmt(cli_out(v->cli), "%s: valid\n", v->in.label);
    }
    if (status != SWID_OK)
        cli_fail(v->cli, EXIT_NO, "%s: %s", v->in.label, error.text);
    return status == SWID_NO_MEMORY ? EXIT_INTERNAL : valid ? EXIT_DONE : EXIT_NO;
}

static int validate_all(struct validating *v, const char *path)
{
    struct bytes tag;
    int worst = tag_input_open(&v->in, v->cli, path), code = worst;
    while (code == EXIT_DONE && tag_input_next(&v->in, &tag, &code))
        worst = cli_worst(worst, validate(v, tag));
    tag_input_close(&v->in);
    return cli_worst(worst, code);
}

static int run(struct cli *cli)
{
    struct validating v = {.cli = cli};
    const char *path;
    int worst = EXIT_DONE;
    if (cli_json(cli)) {
        v.json = cli_json_begin(cli, "tag-validate");
        json_array_begin(&v.json, "items");
    }
    for (unsigned i = 0; (path = cli_argument(cli, i)); i++)
        worst = cli_worst(worst, validate_all(&v, path));
    if (cli_json(cli)) {
        json_array_end(&v.json);
        json_object_end(&v.json);
        wr_str(cli_out(cli), "\n");
    }
    return worst;
}

static const struct cli_option options[] = {
    {"strict", NULL, "what NISTIR 8060 only advises counts, too (with --json it is listed anyway)"},
    {NULL, NULL, NULL},
};

const struct cli_command cli_tag_validate = {
    .noun = "tag",
    .verb = "validate",
    .arguments = "FILE...",
    .summary = "hold all SWID and CoSWID tags in files to the rules of ISO/IEC 19770-2:2015 and NISTIR 8060; exit 1 if one is broken",
    .plain = "without the word that a tag is valid; FILE: rule: place: detail: what it says, by colons",
    .min_arguments = 1,
    .max_arguments = CLI_ANY,
    .options = options,
    .run = run,
};
