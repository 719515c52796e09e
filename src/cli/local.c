#include "cli/local.h"
#include "cli/output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

/* One run; *journal stays open with JOURNAL_OK and JOURNAL_INCOMPLETE. */
static enum journal_status collect(struct cli *cli, const char *state, enum journal_mode mode, struct journal **journal,
                                   struct journal_report *report, struct error *error)
{
    struct local_complaints complaints = {0};
    const struct journal_options options = {.root = cli_root(cli),
                                            .adopt_root = cli_flag(cli, "adopt-root"),
                                            .complain = local_complain,
                                            .context = &complaints};
    bool renewed;
    enum journal_status status = journal_open(journal, state, mode, &renewed, error);
    if (status != JOURNAL_OK)
        return status;
    if (renewed)
        log_line(LOG_WARNING, "%s", error->text);
    status = journal_collect(*journal, &options, report, error);
    local_complaints_end(&complaints);
    if (status != JOURNAL_OK && status != JOURNAL_INCOMPLETE) {
        journal_close(*journal);
        *journal = NULL;
    }
    return status;
}

int local_collect(struct cli *cli, const char *state, struct journal **journal, struct journal_report *report)
{
    struct error error = {""};
    enum journal_status status = collect(cli, state, JOURNAL_WRITE, journal, report, &error);
    return status == JOURNAL_OK ? EXIT_DONE : cli_fail(cli, local_exit(status), "%s", error.text);
}

/* ---- a journal to read ------------------------------------------------------------------------------------------- */

static const char *const folder_files[] = {"journal.db", "journal.db-wal", "journal.db-shm", "journal.db.mark"};

bool local_make_folder(char *folder, size_t size)
{
    const char *base = getenv("TMPDIR");
    char path[4200];
    snprintf(folder, size, "%s/muster-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(folder)) {
        *folder = 0;
        return false;
    }
    leftover_add(folder);
    for (size_t i = 0; i < ARRAY_LENGTH(folder_files); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, folder_files[i]);
        leftover_add(path);
    }
    return true;
}

void local_remove_folder(const char *folder)
{
    char path[4200];
    for (size_t i = 0; i < ARRAY_LENGTH(folder_files); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, folder_files[i]);
        unlink(path);
    }
    rmdir(folder);
    leftover_forget(folder);
}

/* Why it was not collected is no reason not to read what there is. */
static bool may_read_on(enum journal_status status)
{
    return status == JOURNAL_PERMISSION || status == JOURNAL_FULL || status == JOURNAL_BUSY;
}

static enum journal_status collect_first(struct local *l, const char *state, struct error *why)
{
    struct journal_report report;
    enum journal_status status = collect(l->cli, state, JOURNAL_UPDATE, &l->journal, &report, why);
    l->incomplete = status == JOURNAL_INCOMPLETE;
    if (l->incomplete)
        cli_fail(l->cli, EXIT_UNKNOWN, "%s", why->text);
    l->current = status == JOURNAL_OK || l->incomplete;
    l->collected = report.collected;
    return l->current ? journal_head(l->journal, &l->head, why) : status;
}

/* What the last run left. Who names no root takes the one that the journal describes. */
static enum journal_status read_last(struct local *l, const char *state, struct error *error)
{
    enum journal_status status = journal_open(&l->journal, state, JOURNAL_READ, NULL, error);
    if (status == JOURNAL_OK && cli_value(l->cli, "root"))
        status = journal_expect_root(l->journal, cli_root(l->cli), error);
    if (status == JOURNAL_OK)
        status = journal_head(l->journal, &l->head, error);
    l->collected = l->head.collected;
    return status == JOURNAL_OK ? journal_is_current(l->journal, &l->current, error) : status;
}

/* For this command alone. */
static int collect_apart(struct local *l)
{
    struct error error = {""};
    if (!local_make_folder(l->folder, sizeof l->folder))
        return cli_fail(l->cli, EXIT_USAGE, "cannot make a temporary folder; set TMPDIR");
    enum journal_status status = collect_first(l, l->folder, &error);
    return status == JOURNAL_OK ? EXIT_DONE : cli_fail(l->cli, local_exit(status), "%s", error.text);
}

static void say_as_of(const struct local *l, const char *why)
{
    char text[TIME_TEXT];
    time_format(l->collected, text);
    cli_fail(l->cli, 0, "as of %s (the last collection), and something has changed since: %s", text, why);
}

void local_say_unread(struct cli *cli, const struct journal_head *head)
{
    if (head->unread)
        cli_fail(cli, EXIT_DONE, "the last collection could not read a log: the history is shorter than it could be (muster collect says which)");
}

static int open_last(struct local *l, const char *state, int64_t until, bool fresh, enum journal_status before,
                     const char *why)
{
    struct error error = {""};
    enum journal_status status = read_last(l, state, &error);
    bool absent = status == JOURNAL_ABSENT || status == JOURNAL_OLDER;
    if (may_read_on(before) && (absent || (status == JOURNAL_OK && fresh && !l->current))) {
        journal_close(l->journal);
        l->journal = NULL;
        return collect_apart(l);
    }
    if (absent)
        return cli_fail(l->cli, EXIT_NOT_FOUND, "%s: no journal %s (%s); run muster collect", state,
                        status == JOURNAL_ABSENT ? "yet" : "of this version of Muster", why);
    if (status == JOURNAL_DAMAGED)
        return cli_fail(l->cli, EXIT_INTERNAL, "%s; muster collect keeps it aside and begins a new one", error.text);
    if (status != JOURNAL_OK)
        return cli_fail(l->cli, local_exit(status), "%s", error.text);
    if (!l->current && (until == TIME_UNKNOWN || until > l->collected))
        say_as_of(l, why);
    local_say_unread(l->cli, &l->head);
    if (l->head.sources == 0) {
        l->incomplete = true;
        cli_fail(l->cli, EXIT_UNKNOWN, "%s: no package manager that Muster knows", cli_root(l->cli));
    }
    return EXIT_DONE;
}

/* Nothing is there that could be collected, and nothing ever was: that is worth no state folder. */
static bool is_nothing(struct cli *cli, const char *state)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/journal.db", state);
    bool any = access(path, F_OK) == 0 || errno != ENOENT;
    for (size_t i = 0; pkg_managers[i] && !any; i++)
        any = pkg_managers[i]->present(cli_root(cli));
    return !any;
}

int local_open(struct cli *cli, int64_t until, bool fresh, struct local *l)
{
    const char *state = cli_state(cli);
    struct error why = {"--no-collect"};
    *l = (struct local){.cli = cli};
    if (cli_flag(cli, "no-collect"))
        return open_last(l, state, until, fresh, JOURNAL_OK, why.text);
    if (is_nothing(cli, state))
        return collect_apart(l);
    enum journal_status status = collect_first(l, state, &why);
    if (status == JOURNAL_OK)
        return EXIT_DONE;
    bool other_root = status == JOURNAL_OTHER_ROOT && !cli_value(cli, "root");
    if (other_root)
        error_set(&why, "it is of another root, which --root is to name");
    if (may_read_on(status) || status == JOURNAL_DAMAGED || other_root)
        return open_last(l, state, until, fresh, status, why.text);
    return cli_fail(cli, local_exit(status), "%s", why.text);
}

void local_close(struct local *l)
{
    journal_close(l->journal);
    if (l->folder[0])
        local_remove_folder(l->folder);
}

int local_read_exit(const struct local *l, enum journal_status status, const struct error *error, int code)
{
    if (status == JOURNAL_INCOMPLETE && l->incomplete)
        return EXIT_UNKNOWN;
    if (status != JOURNAL_OK)
        return cli_fail(l->cli, local_exit(status), "%s", error->text);
    return code == EXIT_DONE && l->incomplete ? EXIT_UNKNOWN : code;
}

void local_json_head(struct json *j, const struct local *l)
{
    json_time(j, "known_since", l->head.known_since);
    json_time(j, "collected", l->collected);
    json_bool(j, "current", l->current);
    json_bool(j, "logs_readable", l->head.unread == 0);
}

int local_history_exit(int code, const struct journal_report *report)
{
    for (size_t i = 0; i < report->source_count; i++)
        if (report->sources[i].unreadable)
            code = EXIT_UNKNOWN;
    return code;
}

int local_say_unknown(const struct local *l, int64_t at, uint64_t unknown)
{
    char text[TIME_TEXT];
    if (at == TIME_UNKNOWN)
        return EXIT_DONE;
    if (at > time_now())
        return cli_fail(l->cli, EXIT_DONE, "that moment is yet to come; this is what is known now");
    if (l->head.known_since != TIME_UNKNOWN && at < l->head.known_since) {
        time_format(l->head.known_since, text);
        return cli_fail(l->cli, EXIT_UNKNOWN,
                        "nothing is known of the time before %s: what was installed then is unknown", text);
    }
    if (unknown)
        return cli_fail(l->cli, EXIT_UNKNOWN, "%llu package%s: not known whether %s installed then",
                        (unsigned long long)unknown, unknown == 1 ? "" : "s", unknown == 1 ? "it was" : "they were");
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
                                  !r->installed                   ? BYTES("removed")
                                  : r->state == PKG_STATE_UNKNOWN ? BYTES("unknown")
                                                                  : BYTES("installed"),
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
