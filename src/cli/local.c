#include "cli/local.h"

#include <stdio.h>

enum { COMPLAINTS_SHOWN = 20 };

void local_complain(void *context, const char *file, size_t line, const char *what)
{
    struct local_complaints *c = context;
    if (++c->count > COMPLAINTS_SHOWN)
        return;
    if (line)
        log_line(LOG_WARNING, "%s:%zu: %s", file, line, what);
    else
        log_line(LOG_WARNING, "%s: %s", file, what);
}

void local_complaints_end(const struct local_complaints *c)
{
    if (c->count > COMPLAINTS_SHOWN)
        log_line(LOG_WARNING, "%u more lines were skipped for reasons like these", c->count - COMPLAINTS_SHOWN);
}

int local_exit(enum journal_status status)
{
    switch (status) {
    case JOURNAL_OK:
        return EXIT_DONE;
    case JOURNAL_ABSENT:
    case JOURNAL_OLDER:
        return EXIT_NOT_FOUND;
    case JOURNAL_INCOMPLETE:
        return EXIT_UNKNOWN;
    /* What another option, or whoever minds the machine, can mend. */
    case JOURNAL_OTHER_ROOT:
    case JOURNAL_PERMISSION:
    case JOURNAL_FULL:
    case JOURNAL_BUSY:
        return EXIT_USAGE;
    default:
        return EXIT_INTERNAL;
    }
}

int local_collect(struct cli *cli, const char *state, struct journal **journal, struct journal_report *report)
{
    struct local_complaints complaints = {0};
    const struct journal_options options = {.root = cli_root(cli),
                                            .adopt_root = cli_flag(cli, "adopt-root"),
                                            .complain = local_complain,
                                            .context = &complaints};
    struct error error = {""};
    bool renewed;
    enum journal_status status = journal_open(journal, state, JOURNAL_WRITE, &renewed, &error);
    if (status != JOURNAL_OK)
        return cli_fail(cli, local_exit(status), "%s", error.text);
    if (renewed)
        log_line(LOG_WARNING, "%s", error.text);
    status = journal_collect(*journal, &options, report, &error);
    local_complaints_end(&complaints);
    if (status == JOURNAL_OK)
        return EXIT_DONE;
    if (status != JOURNAL_INCOMPLETE) {
        journal_close(*journal);
        *journal = NULL;
    }
    return cli_fail(cli, local_exit(status), "%s", error.text);
}

int local_open(struct cli *cli, struct journal **journal)
{
    struct error error = {""};
    struct journal_report report;
    const char *state = cli_state(cli);
    enum journal_status status = journal_open(journal, state, JOURNAL_READ, NULL, &error);
    /* Who names no root takes the one that the journal describes. */
    if (status == JOURNAL_OK && cli_value(cli, "root"))
        status = journal_expect_root(*journal, cli_root(cli), &error);
    if (status == JOURNAL_OK)
        return EXIT_DONE;
    journal_close(*journal);
    *journal = NULL;
    if (status == JOURNAL_DAMAGED)
        return cli_fail(cli, EXIT_INTERNAL, "%s; muster collect keeps it aside and begins a new one", error.text);
    if (status != JOURNAL_ABSENT && status != JOURNAL_OLDER)
        return cli_fail(cli, local_exit(status), "%s", error.text);
    log_line(LOG_INFO, "%s holds no journal %s: collecting first", state,
             status == JOURNAL_ABSENT ? "yet" : "of this version of Muster");
    int code = local_collect(cli, state, journal, &report);
    /* What could not be read is said again, and counts, when the journal is read. */
    return code == EXIT_UNKNOWN ? EXIT_DONE : code;
}

int local_history_exit(int code, const struct journal_report *report)
{
    for (size_t i = 0; i < report->source_count; i++)
        if (report->sources[i].unreadable)
            code = EXIT_UNKNOWN;
    return code;
}

static bool take_time(void *context, const struct journal_event *e)
{
    *(int64_t *)context = e->time;
    return false;
}

int local_say_unknown(const struct cli *cli, struct journal *journal, int64_t at)
{
    int64_t first = TIME_UNKNOWN;
    struct error ignored;
    char text[TIME_TEXT];
    if (at == TIME_UNKNOWN)
        return EXIT_DONE;
    if (at > time_now())
        return cli_fail(cli, EXIT_DONE, "that moment is yet to come; this is what is known now");
    if (journal_each_event(journal, 1, (struct bytes){NULL, 0}, take_time, &first, &ignored) == JOURNAL_OK &&
        first != TIME_UNKNOWN && at < first) {
        time_format(first, text);
        return cli_fail(cli, EXIT_UNKNOWN, "nothing is known of the time before %s: what was installed then is unknown", text);
    }
    return EXIT_DONE;
}

const char *local_source_name(uint8_t source)
{
    const struct pkg_manager *m = pkg_manager_by_source(source);
    return m ? m->name : "unknown";
}

void local_put_time(struct wr *w, int64_t t, enum pkg_precision precision)
{
    char text[TIME_TEXT];
    time_format(t, text);
    wr_fmt(w, "%s%s", precision == PKG_BOUND ? "by " : "", t == TIME_UNKNOWN ? "unknown" : text);
}

void local_put_column(struct wr *w, struct bytes text, size_t width)
{
    cli_put_cell(w, text, width);
    wr_str(w, "  ");
}

void local_plain_record(struct wr *w, const struct journal_record *r)
{
    char since[TIME_TEXT];
    time_format(r->since, since);
    const struct bytes cells[] = {r->software_id,
                                  r->name,
                                  r->version,
                                  r->arch,
                                  bytes_of(local_source_name(r->source)),
                                  r->installed ? BYTES("installed") : BYTES("removed"),
                                  r->since == TIME_UNKNOWN ? BYTES("") : bytes_of(since),
                                  bytes_of(pkg_precision_name(r->precision))};
    cli_put_plain(w, cells, ARRAY_LENGTH(cells));
}

void local_json_package(struct json *j, const struct journal_record *r)
{
    json_text(j, "software_id", r->software_id);
    json_text(j, "name", r->name);
    json_text(j, "version", r->version);
    json_text(j, "arch", r->arch);
    json_str(j, "source", local_source_name(r->source));
    if (r->locator.n)
        json_text(j, "locator", r->locator);
}

void local_json_event(struct json *j, const struct journal_event *e)
{
    json_object_begin(j, NULL);
    json_number(j, "eid", e->eid);
    json_number(j, "epoch", e->epoch);
    json_time(j, "time", e->time);
    json_str(j, "precision", pkg_precision_name(e->precision));
    if (e->not_before != TIME_UNKNOWN)
        json_time(j, "not_before", e->not_before);
    json_str(j, "action", pkg_action_name(e->action));
    local_json_package(j, &e->record);
    if (e->command.n)
        json_text(j, "command", e->command);
    if (e->user.n)
        json_text(j, "user", e->user);
    json_object_end(j);
}
