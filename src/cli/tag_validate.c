/* muster tag validate: a tag beside the rules of ISO/IEC 19770-2 and NISTIR 8060, by number. */
#include "cli/input.h"
#include "swid/swid.h"

struct validating {
    struct cli *cli;
    struct json json;
    const char *path;
    size_t faults; /* violations that count */
};

static void report(void *context, const struct swid_rule *rule, const char *place, const char *detail)
{
    struct validating *v = context;
    bool advice = swid_rule_is_advice(rule), counts = !advice || cli_flag(v->cli, "strict");
    v->faults += counts;
    if (!cli_json(v->cli)) {
        if (counts)
            wr_fmt(cli_out(v->cli), "%s: %s: %s: %s%s%s\n", v->path, rule->number, place, detail, *detail ? ": " : "", rule->text);
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

/* EXIT_DONE: it was read, and *valid says what came of it. */
static int validate(struct validating *v, bool *valid)
{
    struct wr input = wr_of(SWID_READ_MAX);
    struct error error = {""};
    enum swid_status status = SWID_OK;
    int code = cli_read_input(v->cli, v->path, SWID_READ_MAX, &input);
    if (code == EXIT_DONE && cli_json(v->cli)) {
        json_object_begin(&v->json, NULL);
        json_str(&v->json, "file", v->path);
        json_array_begin(&v->json, "violations");
    }
    v->faults = 0;
    if (code == EXIT_DONE)
        status = swid_validate(wr_view(&input), report, v, &error);
    *valid = code == EXIT_DONE && status == SWID_OK && v->faults == 0;
    if (code == EXIT_DONE && cli_json(v->cli)) {
        json_array_end(&v->json);
        json_bool(&v->json, "valid", *valid);
        json_str(&v->json, "error", status == SWID_OK ? NULL : error.text);
        json_object_end(&v->json);
    } else if (*valid && !cli_plain(v->cli)) {
        wr_fmt(cli_out(v->cli), "%s: valid\n", v->path);
    }
    if (code == EXIT_DONE && status != SWID_OK)
        code = cli_fail(v->cli, status == SWID_NO_MEMORY ? EXIT_INTERNAL : EXIT_DONE, "%s: %s", v->path, error.text);
    wr_free(&input);
    return code;
}

static int run(struct cli *cli)
{
    struct validating v = {.cli = cli};
    int worst = EXIT_DONE;
    if (cli_json(cli)) {
        v.json = cli_json_begin(cli, "tag-validate");
        json_array_begin(&v.json, "items");
    }
    for (unsigned i = 0; (v.path = cli_argument(cli, i)); i++) {
        bool valid;
        int code = validate(&v, &valid);
        if (code != EXIT_DONE)
            worst = code;
        else if (!valid && worst == EXIT_DONE)
            worst = EXIT_NO;
    }
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
    .summary = "hold SWID or CoSWID tags to the rules of ISO/IEC 19770-2:2015 and NISTIR 8060; exit 1 if one is broken",
    .plain = "without the word that a tag is valid; FILE: rule: place: detail: what it says, by colons",
    .min_arguments = 1,
    .max_arguments = 64,
    .options = options,
    .run = run,
};
