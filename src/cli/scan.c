/* muster scan: this machine now, without state, server or root. */
#include "cli/local.h"

#include <stdio.h>
#include <string.h>

enum { LATEST = 10 };

struct scan {
    struct cli *cli;
    struct json json;
    uint64_t states[PKG_STATE_TRIGGERS_PENDING + 1];
    int64_t changed[UINT8_MAX + 1]; /* by source: the newest time of an exact event or one of a transaction */
    uint32_t first;                 /* the EID with which the latest changes begin */
};

static bool visit_record(void *context, const struct journal_record *r)
{
    struct scan *s = context;
    if ((size_t)r->state < ARRAY_LENGTH(s->states))
        s->states[r->state]++;
    if (cli_plain(s->cli) && !cli_json(s->cli))
        local_plain_record(cli_out(s->cli), r);
    if (!cli_json(s->cli))
        return cli_flush(s->cli);
    json_object_begin(&s->json, NULL);
    local_json_package(&s->json, r);
    json_str(&s->json, "state", pkg_state_name(r->state));
    json_time(&s->json, "since", r->since);
    json_str(&s->json, "precision", pkg_precision_name(r->precision));
    json_object_end(&s->json);
    return cli_flush(s->cli);
}

static bool visit_time(void *context, const struct journal_event *e)
{
    int64_t *changed = &((struct scan *)context)->changed[e->record.source];
    if (e->precision != PKG_BOUND && e->time > *changed)
        *changed = e->time;
    return true;
}

static bool is_readable(const struct journal_source_report *source)
{
    return source->status == PKG_OK || source->status == PKG_ABSENT;
}

static bool visit_latest(void *context, const struct journal_event *e)
{
    struct scan *s = context;
    struct wr *out = cli_out(s->cli);
    if (cli_json(s->cli)) {
        local_json_event(&s->json, e);
        return true;
    }
    wr_str(out, "  ");
    local_put_time(out, e->time, e->precision);
    wr_fmt(out, "  %-6s  ", pkg_action_name(e->action));
    wr_bytes(out, e->record.name);
    wr_str(out, " ");
    wr_bytes(out, e->record.version);
    wr_str(out, "\n");
    return true;
}

static void print_sources(struct scan *s, const struct journal_report *report, const char *pretty)
{
    struct wr *out = cli_out(s->cli);
    wr_fmt(out, "system:        %s\n", pretty);
    for (size_t i = 0; i < report->source_count; i++) {
        const struct journal_source_report *source = &report->sources[i];
        wr_fmt(out, "%s:%*s", source->manager->name, (int)(14 - strlen(source->manager->name)), "");
        if (is_readable(source))
            wr_fmt(out, "%u packages installed, %u versions removed", source->installed, source->removed);
        else
            wr_str(out, "packages are unreadable");
        wr_fmt(out, "%s\n", source->unreadable ? ", a log is unreadable" : "");
        wr_str(out, "history:       ");
        if (!is_readable(source))
            wr_str(out, "unknown: the packages cannot be read");
        else if (source->reaches_back == TIME_UNKNOWN)
            wr_fmt(out, "none: %s", source->unreadable ? "no log can be read" : "there are no logs");
        else
            local_put_time(out, source->reaches_back, PKG_EXACT);
        wr_fmt(out, " (%u events)%s\nlast change:   ", source->new_events, source->zone_assumed ? ", local times taken for UTC" : "");
        local_put_time(out, s->changed[source->manager->source], PKG_EXACT);
        wr_str(out, "\n");
    }
    for (size_t i = 1; i < ARRAY_LENGTH(s->states); i++)
        if (s->states[i])
            wr_fmt(out, "attention:     %llu packages are %s\n", (unsigned long long)s->states[i],
                   pkg_state_name((enum pkg_state)i));
}

static enum journal_status print_text(struct scan *s, struct journal *journal, const struct journal_report *report,
                                      const char *pretty, struct error *error)
{
    enum journal_status status = journal_each_record(journal, JOURNAL_INSTALLED, TIME_UNKNOWN, visit_record, s, error);
    if (cli_plain(s->cli))
        return status;
    print_sources(s, report, pretty);
    wr_str(cli_out(s->cli), "\nlatest changes:\n");
    enum journal_status events = journal_each_event(journal, s->first, (struct bytes){0}, visit_latest, s, error);
    return status != JOURNAL_OK ? status : events;
}

static enum journal_status print_json(struct scan *s, struct journal *journal, const struct journal_report *report,
                                      const char *pretty, struct error *error)
{
    struct json *j = &s->json;
    *j = cli_json_begin(s->cli, "scan");
    json_str(j, "system", pretty);
    int64_t last = TIME_UNKNOWN;
    for (size_t i = 0; i < ARRAY_LENGTH(s->changed); i++)
        last = s->changed[i] > last ? s->changed[i] : last;
    json_time(j, "last_change", last);
    json_array_begin(j, "sources");
    for (size_t i = 0; i < report->source_count; i++) {
        json_object_begin(j, NULL);
        json_str(j, "source", report->sources[i].manager->name);
        json_number(j, "installed", report->sources[i].installed);
        json_number(j, "removed", report->sources[i].removed);
        json_number(j, "events", report->sources[i].new_events);
        json_time(j, "reaches_back", report->sources[i].reaches_back);
        json_time(j, "last_change", s->changed[report->sources[i].manager->source]);
        json_bool(j, "readable", is_readable(&report->sources[i]));
        json_bool(j, "logs_readable", !report->sources[i].unreadable);
        json_bool(j, "zone_known", !report->sources[i].zone_assumed);
        json_object_end(j);
    }
    json_array_end(j);
    json_array_begin(j, "latest_changes");
    enum journal_status events = journal_each_event(journal, s->first, (struct bytes){0}, visit_latest, s, error);
    json_array_end(j);
    json_array_begin(j, "items");
    enum journal_status status = journal_each_record(journal, JOURNAL_INSTALLED, TIME_UNKNOWN, visit_record, s, error);
    json_array_end(j);
    json_object_end(j);
    wr_str(cli_out(s->cli), "\n");
    return status != JOURNAL_OK ? status : events;
}

static int scan(struct cli *cli, const char *folder)
{
    struct journal *journal;
    struct journal_report report;
    struct pkg_platform platform;
    struct error error = {""};
    struct scan s = {.cli = cli};
    for (size_t i = 0; i < ARRAY_LENGTH(s.changed); i++)
        s.changed[i] = TIME_UNKNOWN;
    int code = local_collect(cli, folder, &journal, &report);
    if (code != EXIT_DONE && code != EXIT_UNKNOWN)
        return code;
    pkg_platform_read(cli_root(cli), &platform);
    s.first = report.last_eid > LATEST ? report.last_eid - LATEST + 1 : 1;
    enum journal_status status = journal_each_event(journal, 1, (struct bytes){0}, visit_time, &s, &error);
    if (status == JOURNAL_OK || status == JOURNAL_INCOMPLETE)
        status = (cli_json(cli) ? print_json : print_text)(&s, journal, &report, platform.pretty, &error);
    journal_close(journal);
    if (status != JOURNAL_OK && status != JOURNAL_INCOMPLETE)
        return cli_fail(cli, local_exit(status), "%s", error.text);
    return local_history_exit(code, &report);
}

static int run(struct cli *cli)
{
    char folder[4096];
    if (!local_make_folder(folder, sizeof folder))
        return cli_fail(cli, EXIT_USAGE, "cannot make a temporary folder; set TMPDIR");
    int code = scan(cli, folder);
    local_remove_folder(folder);
    return code;
}

const struct cli_command cli_scan = {
    .noun = "scan",
    .summary = "this machine now: packages, how far its history reaches, the latest changes; keeps no state",
    .plain = LOCAL_PLAIN_RECORD,
    .run = run,
};
