/* muster list: the software identifiers of this machine, now or at a past moment. */
#include "cli/local.h"

#include <string.h>

struct list {
    struct cli *cli;
    struct json json;
    uint64_t count, unknown;
};

static bool is_unknown(const struct journal_record *r)
{
    return r->installed && r->state == PKG_STATE_UNKNOWN;
}

static bool next(struct list *l, const struct journal_record *r)
{
    l->unknown += is_unknown(r);
    return ++l->count % 256 || cli_flush(l->cli);
}

static bool visit_json(void *context, const struct journal_record *r)
{
    struct list *l = context;
    struct json *j = &l->json;
    json_object_begin(j, NULL);
    local_json_package(j, r);
    json_str(j, "state", r->installed ? pkg_state_name(r->state) : "removed");
    if (is_unknown(r))
        json_none(j, "installed");
    else
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
    return next(l, r);
}

static bool visit_plain(void *context, const struct journal_record *r)
{
    struct list *l = context;
    local_plain_record(cli_out(l->cli), r);
    return next(l, r);
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
    local_put_column(out, bytes_of(r->installed ? pkg_state_name(r->state) : "removed"), 9);
    local_put_time(out, r->since, r->precision);
    wr_str(out, "\n");
    return next(l, r);
}

static enum journal_status put_items(struct list *l, const struct local *local, int64_t at, struct error *error)
{
    /* Neither choice leaves out what is not known. */
    enum journal_which which =
        (cli_flag(l->cli, "removed") ? 0 : JOURNAL_INSTALLED) | (cli_flag(l->cli, "installed") ? 0 : JOURNAL_REMOVED);
    bool json = cli_json(l->cli), plain = cli_plain(l->cli);
    if (json) {
        l->json = cli_json_begin(l->cli, "list");
        if (at != TIME_UNKNOWN)
            json_time(&l->json, "at", at);
        local_json_head(&l->json, local);
        json_array_begin(&l->json, "items");
    }
    enum journal_status status = journal_each_record(local->journal, which | JOURNAL_UNKNOWN, at,
                                                     json    ? visit_json
                                                     : plain ? visit_plain
                                                             : visit_text,
                                                     l, error);
    if (json) {
        json_array_end(&l->json);
        if (at != TIME_UNKNOWN)
            json_number(&l->json, "unknown", (int64_t)l->unknown);
        json_object_end(&l->json);
        wr_str(cli_out(l->cli), "\n");
    }
    return status;
}

static int run(struct cli *cli)
{
    struct local local;
    struct list list = {.cli = cli};
    struct error error = {""};
    int64_t at;
    if (!cli_time(cli, "at", &at))
        return EXIT_USAGE;
    int code = local_open(cli, at, false, &local);
    if (code == EXIT_DONE) {
        enum journal_status status = put_items(&list, &local, at, &error);
        code = local_say_unknown(&local, at, list.unknown);
        code = local_read_exit(&local, status, &error, code);
    }
    local_close(&local);
    return code;
}

const struct cli_command cli_list = {
    .noun = "list",
    .summary = "the software of this machine, now or at a past moment",
    .plain = LOCAL_PLAIN_RECORD,
    .options =
        (const struct cli_option[]){
            {"installed", NULL, "only what is installed", .choice = "which"},
            {"removed", NULL, "only what was removed", .choice = "which"},
            {"at", "T", "as of this moment"},
            LOCAL_NO_COLLECT,
            {NULL, NULL, NULL},
        },
    .more = LOCAL_MORE "\n"
                       "With --at, what only has a bound behind that moment (at or before then; no log tells more) is "
                       "listed as unknown, also with --installed and\n"
                       "--removed, and the exit status is 3.",
    .run = run,
};
