/* muster collect: the journal, brought up to date. */
#include "cli/local.h"

#include <stdio.h>

static void print_json(struct cli *cli, const struct journal_report *r, uint32_t installed, uint32_t removed)
{
    struct json j = cli_json_begin(cli, "collect");
    json_number(&j, "epoch", r->epoch);
    json_number(&j, "last_eid", r->last_eid);
    json_bool(&j, "new_epoch", r->new_epoch);
    json_number(&j, "new_events", r->new_events);
    json_number(&j, "installed", installed);
    json_number(&j, "removed", removed);
    json_array_begin(&j, "sources");
    for (size_t i = 0; i < r->source_count; i++) {
        const struct journal_source_report *s = &r->sources[i];
        json_object_begin(&j, NULL);
        json_str(&j, "source", s->manager->name);
        json_bool(&j, "readable", s->status == PKG_OK || s->status == PKG_ABSENT);
        json_bool(&j, "logs_readable", !s->unreadable);
        json_bool(&j, "zone_known", !s->zone_assumed);
        json_bool(&j, "settled", !s->unsettled);
        json_number(&j, "new_events", s->new_events);
        json_number(&j, "installed", s->installed);
        json_number(&j, "removed", s->removed);
        json_time(&j, "reaches_back", s->reaches_back);
        json_number(&j, "skipped_lines", s->complaints);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_object_end(&j);
    wr_str(cli_out(cli), "\n");
}

static void print_text(struct cli *cli, const struct journal_report *r, uint32_t installed, uint32_t removed)
{
    struct wr *out = cli_out(cli);
    wr_fmt(out, "epoch:      %u%s\nlast EID:   %u\nnew events: %u\ninstalled:  %u\nremoved:    %u\n\n", r->epoch,
           r->new_epoch ? " (new)" : "", r->last_eid, r->new_events, installed, removed);
    wr_fmt(out, "%-8s  %10s  %9s  %8s  %-20s\n", "SOURCE", "NEW EVENTS", "INSTALLED", "REMOVED", "HISTORY SINCE");
    for (size_t i = 0; i < r->source_count; i++) {
        const struct journal_source_report *s = &r->sources[i];
        wr_fmt(out, "%-8s  %10u  %9u  %8u  ", s->manager->name, s->new_events, s->installed, s->removed);
        local_put_time(out, s->reaches_back, PKG_EXACT);
        if (s->status != PKG_OK)
            wr_str(out, s->status == PKG_ABSENT ? "  (gone)" : "  (packages unreadable)");
        if (s->unreadable)
            wr_str(out, "  (a log is unreadable)");
        if (s->zone_assumed)
            wr_str(out, "  (no time zone: local times are taken for UTC)");
        if (s->unsettled)
            wr_str(out, "  (at work: the next run tells the rest)");
        if (s->complaints)
            wr_fmt(out, "  (%u lines skipped)", s->complaints);
        wr_str(out, "\n");
    }
}

static void print_plain(struct cli *cli, const struct journal_report *r, uint32_t installed, uint32_t removed)
{
    (void)installed, (void)removed;
    for (size_t i = 0; i < r->source_count; i++) {
        const struct journal_source_report *s = &r->sources[i];
        char since[TIME_TEXT] = "";
        if (s->reaches_back != TIME_UNKNOWN)
            time_format(s->reaches_back, since);
        wr_fmt(cli_out(cli), "%s\t%u\t%u\t%u\t%u\t%u\t%s\t%s\t%s\t%s\t%u\n", s->manager->name, r->epoch, r->last_eid,
               s->new_events, s->installed, s->removed, since,
               s->status == PKG_OK       ? "readable"
               : s->status == PKG_ABSENT ? "gone"
                                         : "unreadable",
               s->unreadable ? "unreadable" : "readable", s->unsettled ? "at-work" : "settled", s->complaints);
    }
}

static int run(struct cli *cli)
{
    struct journal *journal;
    struct journal_report report;
    int code = local_collect(cli, cli_state(cli), &journal, &report);
    if (code != EXIT_DONE && code != EXIT_UNKNOWN)
        return code;
    uint32_t installed = 0, removed = 0;
    for (size_t i = 0; i < report.source_count; i++) {
        installed += report.sources[i].installed;
        removed += report.sources[i].removed;
    }
    (cli_json(cli) ? print_json : cli_plain(cli) ? print_plain : print_text)(cli, &report, installed, removed);
    journal_close(journal);
    return local_history_exit(code, &report);
}

const struct cli_command cli_collect = {
    .noun = "collect",
    .summary = "bring this machine's journal up to date from its package managers and their logs",
    .plain = "source, epoch, last EID, new events, installed, removed, history since, packages (readable, unreadable, gone), logs (readable, "
             "unreadable), settled or at-work, skipped lines",
    .options =
        (const struct cli_option[]){
            {"adopt-root", NULL, "the root that the journal in --state describes was moved: go on with it at --root, if half of what is installed is the same"},
            {NULL, NULL, NULL},
        },
    .more = "Local times in logs mean what the root itself says: /etc/localtime, else /etc/timezone. TZ counts only where it says nothing.\n"
            "A time that has two meanings, of which nothing tells the right one, is a bound.",
    .run = run,
};
