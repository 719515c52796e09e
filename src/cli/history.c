/* muster history: what happened to this machine's software. */
#include "cli/local.h"

#include <stdio.h>

struct history {
    struct cli *cli;
    struct json json;
    uint64_t count;
};

static bool visit_json(void *context, const struct journal_event *e)
{
    struct history *h = context;
    local_json_event(&h->json, e);
    return ++h->count % 256 || cli_flush(h->cli);
}

static bool visit_plain(void *context, const struct journal_event *e)
{
    struct history *h = context;
    struct wr *out = cli_out(h->cli);
    char time[TIME_TEXT], eid[12];
    time_format(e->time, time);
    snprintf(eid, sizeof eid, "%u", e->eid);
    const struct bytes cells[] = {bytes_of(eid),
                                  bytes_of(time),
                                  bytes_of(pkg_precision_name(e->precision)),
                                  bytes_of(pkg_action_name(e->action)),
                                  e->record.software_id,
                                  bytes_of(local_source_name(e->record.source)),
                                  e->record.name,
                                  e->record.version,
                                  e->record.arch};
    cli_put_plain(out, cells, ARRAY_LENGTH(cells));
    return ++h->count % 256 || cli_flush(h->cli);
}

static bool visit_text(void *context, const struct journal_event *e)
{
    struct history *h = context;
    struct wr *out = cli_out(h->cli);
    char time[TIME_TEXT];
    time_format(e->time, time);
    if (h->count == 0)
        wr_fmt(out, "%7s  %-20s  %-11s  %-6s  %-34s  %-30s  %-5s  %-7s  %s\n", "EID", "TIME", "PRECISION", "ACTION", "NAME",
               "VERSION", "ARCH", "SOURCE", "IDENTIFIER");
    wr_fmt(out, "%7u  %s  %-11s  %-6s  ", e->eid, time, pkg_precision_name(e->precision), pkg_action_name(e->action));
    /* As the journal knows them: the identifier folds + ~ and : into one. */
    local_put_column(out, e->record.name, 34);
    local_put_column(out, e->record.version, 30);
    local_put_column(out, e->record.arch, 5);
    local_put_column(out, bytes_of(local_source_name(e->record.source)), 7);
    cli_put_cell(out, e->record.software_id, 0);
    wr_u8(out, '\n');
    return ++h->count % 256 || cli_flush(h->cli);
}

static enum journal_status put_items(struct history *h, const struct local *local, const char *name,
                                     struct error *error)
{
    bool json = cli_json(h->cli), plain = cli_plain(h->cli);
    if (json) {
        h->json = cli_json_begin(h->cli, "history");
        local_json_head(&h->json, local);
        json_array_begin(&h->json, "items");
    }
    enum journal_status status = journal_each_event(local->journal, 1, bytes_of(name),
                                                    json    ? visit_json
                                                    : plain ? visit_plain
                                                            : visit_text,
                                                    h, error);
    if (json) {
        json_array_end(&h->json);
        json_object_end(&h->json);
        wr_str(cli_out(h->cli), "\n");
    }
    return status;
}

static int run(struct cli *cli)
{
    struct local local;
    struct history history = {.cli = cli};
    struct error error = {""};
    const char *name = cli_argument(cli, 0);
    int code = local_open(cli, TIME_UNKNOWN, false, &local);
    if (code == EXIT_DONE) {
        enum journal_status status = put_items(&history, &local, name, &error);
        if (name && history.count == 0)
            code = cli_fail(cli, EXIT_NOT_FOUND, "%s: no package of that name was ever here", name);
        code = local_read_exit(&local, status, &error, code);
    }
    local_close(&local);
    return code;
}

const struct cli_command cli_history = {
    .noun = "history",
    .arguments = "[NAME]",
    .summary = "what happened to this machine's software, or to one package",
    .plain = "EID, time, precision, action, identifier, source, name, version, architecture",
    .more = LOCAL_MORE,
    .max_arguments = 1,
    .options = (const struct cli_option[]){LOCAL_NO_COLLECT, {NULL, NULL, NULL}},
    .run = run,
};
