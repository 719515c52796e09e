/* muster check: does the journal say what the package managers say? */
#include "cli/local.h"

struct check {
    struct cli *cli;
    struct json json;
};

static void differ(void *context, const char *what, const struct journal_record *r)
{
    struct check *c = context;
    struct wr *out = cli_out(c->cli);
    if (cli_json(c->cli)) {
        json_object_begin(&c->json, NULL);
        json_str(&c->json, "difference", what);
        local_json_package(&c->json, r);
        json_object_end(&c->json);
        return;
    }
    const struct bytes columns[] = {r->name, r->version, r->arch, bytes_of(what)};
    if (cli_plain(c->cli)) {
        cli_put_plain(out, columns, ARRAY_LENGTH(columns));
        return;
    }
    for (size_t i = 0; i + 1 < ARRAY_LENGTH(columns); i++) {
        cli_put_cell(out, columns[i], 0);
        wr_str(out, i + 2 < ARRAY_LENGTH(columns) ? " " : ": ");
    }
    wr_fmt(out, "%s\n", what);
}

static bool any_manager(const char *root)
{
    for (const struct pkg_manager *const *m = pkg_managers; *m; m++)
        if ((*m)->present(root))
            return true;
    return false;
}

static int run(struct cli *cli)
{
    struct journal *journal;
    struct error error = {""};
    struct check check = {.cli = cli};
    uint32_t differences = 0;
    const struct journal_options options = {.root = cli_root(cli)};
    enum journal_status status = journal_open(&journal, cli_state(cli), JOURNAL_READ, NULL, &error);
    if (status == JOURNAL_ABSENT || status == JOURNAL_OLDER)
        return cli_fail(cli, EXIT_NOT_FOUND, "%s: no journal %s; run muster collect", cli_state(cli),
                        status == JOURNAL_ABSENT ? "yet" : "of this version of Muster");
    if (status == JOURNAL_OK)
        status = journal_expect_root(journal, options.root, &error);
    if (status != JOURNAL_OK) {
        journal_close(journal);
        return cli_fail(cli, local_exit(status), "%s", error.text);
    }
    struct journal_head head;
    if (journal_head(journal, &head, &error) == JOURNAL_OK)
        local_say_unread(cli, &head);
    if (cli_json(cli)) {
        check.json = cli_json_begin(cli, "check");
        json_array_begin(&check.json, "items");
    }
    status = journal_check(journal, &options, differ, &check, &differences, &error);
    bool nothing = status == JOURNAL_OK && differences == 0 && !any_manager(options.root);
    if (cli_json(cli)) {
        json_array_end(&check.json);
        json_number(&check.json, "differences", differences);
        json_object_end(&check.json);
        wr_str(cli_out(cli), "\n");
    } else if (!cli_plain(cli) && status == JOURNAL_OK && differences == 0 && !nothing) {
        wr_str(cli_out(cli), "the journal and the package managers agree\n");
    }
    journal_close(journal);
    if (status != JOURNAL_OK)
        return cli_fail(cli, local_exit(status), "%s", error.text);
    if (nothing)
        return cli_fail(cli, EXIT_UNKNOWN, "%s: no package manager that Muster knows: nothing was compared", options.root);
    return differences ? EXIT_NO : EXIT_DONE;
}

const struct cli_command cli_check = {
    .noun = "check",
    .summary = "compare the journal with the package managers; exit 1 if they differ",
    .plain = "name, version, architecture, difference",
    .run = run,
};
