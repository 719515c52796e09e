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

static int run(struct cli *cli)
{
    struct journal *journal;
    struct error error = {""};
    const char *name = cli_argument(cli, 0);
    int code = local_open(cli, &journal);
    if (code != EXIT_DONE)
        return code;
    struct history history = {.cli = cli};
    if (cli_json(cli)) {
        history.json = cli_json_begin(cli, "history");
        json_array_begin(&history.json, "items");
    }
    enum journal_status status = journal_each_event(journal, 1, bytes_of(name),
                                                    cli_json(cli)    ? visit_json
                                                    : cli_plain(cli) ? visit_plain
                                                                     : visit_text,
                                                    &history, &error);
    if (cli_json(cli)) {
        json_array_end(&history.json);
        json_object_end(&history.json);
        wr_str(cli_out(cli), "\n");
    }
    journal_close(journal);
    if (status != JOURNAL_OK)
        return cli_fail(cli, local_exit(status), "%s", error.text);
    return history.count || !name ? EXIT_DONE
                                  : cli_fail(cli, EXIT_NOT_FOUND, "%s: no package of that name was ever here", name);
}

const struct cli_command cli_history = {
    .noun = "history",
    .arguments = "[NAME]",
    .summary =
        "what happened to this machine's software, or to one package (a machine without a journal is collected first)",
    .plain = "EID, time, precision, action, identifier, source, name, version, architecture",
    .max_arguments = 1,
    .run = run,
};
