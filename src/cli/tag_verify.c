/* muster tag verify: the files that a tag names, beside those on the disk. */
#include "agent/agent.h"
#include "cli/input.h"

struct verifying {
    struct cli *cli;
    struct json json;
};

static void differ(void *context, enum agent_file_state s, struct bytes path)
{
    struct verifying *v = context;
    struct wr *out = cli_out(v->cli);
    if (cli_json(v->cli)) {
        json_object_begin(&v->json, NULL);
        json_text(&v->json, "path", path);
        if (!utf8_valid(path))
            json_hex(&v->json, "path_octets", path);
        json_str(&v->json, "state", agent_file_state_name(s));
        json_object_end(&v->json);
        return;
    }
    wr_fmt(out, cli_plain(v->cli) ? "%s\t" : "%-11s", agent_file_state_name(s));
    for (size_t i = 0; i < path.n; i++) /* a name of somebody's making writes no lines and no escapes */
        wr_u8(out, path.p[i] < 0x20 || path.p[i] == 0x7f ? '?' : path.p[i]);
    wr_u8(out, '\n');
}

static void print_counts(struct verifying *v, const size_t counts[AGENT_FILE_STATES])
{
    if (cli_json(v->cli)) {
        json_array_end(&v->json);
        json_object_begin(&v->json, "counts");
        for (size_t i = 0; i < AGENT_FILE_STATES; i++)
            json_number(&v->json, agent_file_state_name((enum agent_file_state)i), (int64_t)counts[i]);
        json_object_end(&v->json);
        json_object_end(&v->json);
        wr_str(cli_out(v->cli), "\n");
    } else if (!cli_plain(v->cli)) {
        struct wr *out = cli_out(v->cli);
        for (size_t i = 0; i < AGENT_FILE_STATES; i++)
            wr_fmt(out, "%s%zu %s", i ? ", " : "", counts[i], agent_file_state_name((enum agent_file_state)i));
        wr_str(out, "\n");
    }
}

static int verdict(const struct cli *cli, const size_t counts[AGENT_FILE_STATES])
{
    size_t files = 0;
    for (size_t i = 0; i < AGENT_FILE_STATES; i++)
        files += counts[i];
    if (files == 0)
        return cli_fail(cli, EXIT_UNKNOWN, "the tag names no files: there is nothing to compare");
    if (counts[AGENT_FILE_CHANGED] || counts[AGENT_FILE_MISSING] || counts[AGENT_FILE_ADDED])
        return EXIT_NO;
    return counts[AGENT_FILE_UNREADABLE] ? EXIT_UNKNOWN : EXIT_DONE;
}

static int verify(struct cli *cli, const char *path, struct bytes tag)
{
    struct verifying v = {.cli = cli};
    size_t counts[AGENT_FILE_STATES];
    struct error error = {""};
    if (cli_json(cli)) {
        v.json = cli_json_begin(cli, "tag-verify");
        json_str(&v.json, "root", cli_root(cli));
        json_array_begin(&v.json, "items");
    }
    enum swid_status status = agent_tag_verify(tag, cli_root(cli), differ, &v, counts, &error);
    print_counts(&v, counts);
    if (status == SWID_OK)
        return verdict(cli, counts);
    return cli_fail(cli, status == SWID_NO_MEMORY ? EXIT_INTERNAL : EXIT_USAGE, "%s: %s", path, error.text);
}

static int run(struct cli *cli)
{
    const char *path = cli_argument(cli, 0);
    struct wr input = wr_of(SWID_READ_MAX);
    int code = cli_read_input(cli, path, SWID_READ_MAX, &input);
    if (code == EXIT_DONE)
        code = verify(cli, path, wr_view(&input));
    wr_free(&input);
    return code;
}

const struct cli_command cli_tag_verify = {
    .noun = "tag",
    .verb = "verify",
    .arguments = "FILE",
    .summary = "the files that a tag names beside those below --root: changed, missing, of evidence also added; exit 1 if any is",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
