/* muster list: the software identifiers of this machine, now or at a past moment. */
#include "cli/local.h"

#include <string.h>

struct list {
    struct cli *cli;
    struct json json;
    uint64_t count;
};

static bool visit_json(void *context, const struct journal_record *r)
{
    struct list *l = context;
    struct json *j = &l->json;
    json_object_begin(j, NULL);
    local_json_package(j, r);
    json_str(j, "state", r->installed ? pkg_state_name(r->state) : "removed");
    json_bool(j, "installed", r->installed);
    json_time(j, "since", r->since);
    json_str(j, "precision", pkg_precision_name(r->precision));
    json_number(j, "record_id", r->id);
    /* What nobody told is null: of a package that went before the first run only its name and version are known. */
    if (r->source_name.n)
        json_text(j, "source_package", r->source_name);
    else
        json_none(j, "source_package");
    if (r->source_version.n)
        json_text(j, "source_version", r->source_version);
    else
        json_none(j, "source_version");
    json_object_end(j);
    return ++l->count % 256 || cli_flush(l->cli);
}

static bool visit_plain(void *context, const struct journal_record *r)
{
    struct list *l = context;
    local_plain_record(cli_out(l->cli), r);
    return ++l->count % 256 || cli_flush(l->cli);
}

static bool visit_text(void *context, const struct journal_record *r)
{
    struct list *l = context;
    struct wr *out = cli_out(l->cli);
    if (l->count == 0)
        wr_fmt(out, "%-34s  %-30s  %-5s  %-9s  %s\n", "NAME", "VERSION", "ARCH", "STATE", "SINCE");
    local_put_column(out, r->name, 34);
    local_put_column(out, r->version, 30);
    local_put_column(out, r->arch, 5);
    local_put_column(out, r->installed ? bytes_of(pkg_state_name(r->state)) : BYTES("removed"), 9);
    local_put_time(out, r->since, r->precision);
    wr_str(out, "\n");
    return ++l->count % 256 || cli_flush(l->cli);
}

static int run(struct cli *cli)
{
    struct journal *journal;
    struct error error = {""};
    int64_t at;
    bool installed = cli_flag(cli, "installed"), removed = cli_flag(cli, "removed");
    if (!cli_time(cli, "at", &at))
        return EXIT_USAGE;
    int code = local_open(cli, &journal);
    if (code != EXIT_DONE)
        return code;
    code = local_say_unknown(cli, journal, at);
    struct list list = {.cli = cli};
    enum journal_which which = (installed ? JOURNAL_INSTALLED : 0) | (removed ? JOURNAL_REMOVED : 0);
    if (which == 0)
        which = JOURNAL_BOTH;
    if (cli_json(cli)) {
        list.json = cli_json_begin(cli, "list");
        if (at != TIME_UNKNOWN)
            json_time(&list.json, "at", at);
        json_array_begin(&list.json, "items");
    }
    enum journal_status status = journal_each_record(journal, which, at,
                                                     cli_json(cli)    ? visit_json
                                                     : cli_plain(cli) ? visit_plain
                                                                      : visit_text,
                                                     &list, &error);
    if (cli_json(cli)) {
        json_array_end(&list.json);
        json_object_end(&list.json);
        wr_str(cli_out(cli), "\n");
    }
    journal_close(journal);
    return status == JOURNAL_OK ? code : cli_fail(cli, local_exit(status), "%s", error.text);
}

const struct cli_command cli_list = {
    .noun = "list",
    .summary = "the software of this machine, now or at a past moment (a machine without a journal is collected first)",
    .plain = LOCAL_PLAIN_RECORD,
    .options =
        (const struct cli_option[]){
            {"installed", NULL, "only what is installed", .choice = "which"},
            {"removed", NULL, "only what was removed", .choice = "which"},
            {"at", "T", "as of this moment"},
            {NULL, NULL, NULL},
        },
    .run = run,
};
