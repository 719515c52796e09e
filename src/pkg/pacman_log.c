#include "pkg/internal.h"

#include <stdlib.h>
#include <string.h>

/* pacman.log: "[TIME] [TAG] message". libalpm writes what was done under ALPM, in English whatever the locale; pacman
 * writes the command under PACMAN; before pacman 4.2 there was no tag. */

#define CURSOR_VERSION 1

static const struct {
    const char *word;
    bool deletes, creates;
} verbs[] = {
    {"installed", false, true},  {"upgraded", true, true}, {"downgraded", true, true},
    {"reinstalled", true, true}, {"removed", true, false},
};

/* "YYYY-MM-DDThh:mm:ss+hhmm": pacman 5.2 and later. */
static bool read_zoned(struct bytes text, int64_t *t)
{
    uint8_t civil[20];
    uint64_t hours, minutes;
    if (text.n != 24 || (text.p[19] != '+' && text.p[19] != '-') ||
        !bytes_number((struct bytes){text.p + 20, 2}, &hours) ||
        !bytes_number((struct bytes){text.p + 22, 2}, &minutes))
        return false;
    memcpy(civil, text.p, 19);
    civil[19] = 'Z';
    if (!time_parse((struct bytes){civil, sizeof civil}, t) || *t == TIME_UNKNOWN)
        return false;
    int64_t offset = (int64_t)(hours * 3600 + minutes * 60);
    *t -= text.p[19] == '+' ? offset : -offset;
    return true;
}

/* Between the brackets with which a line begins; before pacman 5.2 that is "YYYY-MM-DD hh:mm", local. */
struct bytes pacman_log_time(struct bytes line)
{
    const uint8_t *close = line.n > 2 && line.p[0] == '[' ? memchr(line.p, ']', line.n) : NULL;
    return close ? (struct bytes){line.p + 1, (size_t)(close - line.p) - 1} : (struct bytes){0};
}

static struct bytes behind(struct bytes b, const char *prefix)
{
    size_t n = strlen(prefix);
    return bytes_starts(b, bytes_of(prefix)) ? (struct bytes){b.p + n, b.n - n} : (struct bytes){0};
}

static void keep_command(struct pacman_log *log, struct bytes message)
{
    struct bytes command = behind(message, "Running '");
    if (command.n == 0 || command.p[command.n - 1] != '\'')
        return;
    log->command_size = command.n - 1 < sizeof log->command ? command.n - 1 : sizeof log->command;
    memcpy(log->command, command.p, log->command_size);
}

/* "VERB NAME (VERSION)" or "VERB NAME (OLD -> NEW)". */
static bool read_action(struct bytes message, struct pacman_action *a)
{
    struct bytes rest = message, verb = bytes_split(&rest, ' ');
    size_t row = 0;
    while (row < ARRAY_LENGTH(verbs) && !bytes_equal(verb, bytes_of(verbs[row].word)))
        row++;
    a->name = bytes_split(&rest, ' ');
    if (row == ARRAY_LENGTH(verbs) || rest.n < 3 || rest.p[0] != '(' || rest.p[rest.n - 1] != ')')
        return false;
    rest = (struct bytes){rest.p + 1, rest.n - 2};
    struct bytes first = bytes_split(&rest, ' '), last = behind(rest, "-> ");
    bool moved = rest.n > 0;
    a->old_version = verbs[row].deletes ? first : (struct bytes){0};
    a->new_version = verbs[row].creates ? (moved ? last : first) : (struct bytes){0};
    return is_word(a->name) && is_word(first) && (!moved || is_word(last));
}

/* Lines of hooks and scriptlets, which may hold anything, begin like all others: only what is wholly understood counts.
 */
static bool read_line(struct pacman_log *log, struct bytes line, struct pacman_action *a)
{
    struct bytes time = pacman_log_time(line), alpm = BYTES("[ALPM] "), pacman = BYTES("[PACMAN] ");
    if (!time.p)
        return false;
    struct bytes message = bytes_trim(bytes_from(line, time.n + 2));
    bool tagged = message.n && message.p[0] == '[';
    if (bytes_starts(message, pacman)) {
        keep_command(log, (struct bytes){message.p + pacman.n, message.n - pacman.n});
        return false;
    }
    if (tagged && !bytes_starts(message, alpm))
        return false;
    if (tagged)
        message = (struct bytes){message.p + alpm.n, message.n - alpm.n};
    struct bytes end = behind(message, "transaction ");
    if (end.n && !bytes_equal(end, BYTES("started")))
        log->command_size = 0; /* a command has one transaction */
    if (!read_action(message, a))
        return false;
    a->time.zoned = read_zoned(time, &a->time.earliest);
    a->time.latest = a->time.earliest;
    if (!a->time.zoned && !log_set_time(&log->set, time, &a->time)) {
        log_set_complain(&log->set, "a time that pacman does not write");
        return false;
    }
    a->command = (struct bytes){(const uint8_t *)log->command, log->command_size};
    return true;
}

bool pacman_log_next(struct pacman_log *log, struct pacman_action *a)
{
    struct bytes line;
    while (log_set_next(&log->set, &line)) {
        *a = (struct pacman_action){0};
        if (!read_line(log, line, a))
            continue;
        log_set_note(&log->set, a->time);
        return true;
    }
    return false;
}

/* Only one version of a package is there at a time, whatever its architecture, which the log does not tell. */
static bool emit(const struct pacman_log *log, const struct pkg_sink *sink, const struct pacman_action *a)
{
    struct pkg_event e = {.name = a->name, .arch_or_all = true, .command = a->command};
    log_set_date(&log->set, a->time, PKG_EXACT, &e);
    bool altered = bytes_equal(a->old_version, a->new_version);
    e.action = altered ? PKG_ALTER : PKG_DELETE;
    e.version = a->old_version;
    if (a->old_version.n && !sink->event(sink->context, &e))
        return false;
    e.action = PKG_CREATE;
    e.version = a->new_version;
    return altered || a->new_version.n == 0 || sink->event(sink->context, &e);
}

static void cursor_read(struct pacman_log *log, struct bytes before, struct log_position *p)
{
    struct rd r = rd_of(before, 0);
    bool known = before.n && rd_u8(&r) == CURSOR_VERSION;
    *p = log_position_read(&r);
    struct bytes command = rd_rest(&r);
    if (!known || r.bad || command.n > sizeof log->command) {
        *p = (struct log_position){.first = TIME_UNKNOWN, .last = TIME_UNKNOWN};
        return;
    }
    log->command_size = command.n;
    if (command.n)
        memcpy(log->command, command.p, command.n);
}

static void cursor_write(struct pacman_log *log, struct pkg_cursor *cursor)
{
    log_set_save(&log->set, (struct log_mark){0});
    cursor->reaches_back = log_set_reaches_back(&log->set);
    cursor->continuous = !log->set.lost;
    wr_reset(&cursor->after);
    wr_u8(&cursor->after, CURSOR_VERSION);
    log_position_write(&cursor->after, &log->set.position);
    wr_bytes(&cursor->after, (struct bytes){(const uint8_t *)log->command, log->command_size});
}

enum pkg_status pacman_history(const char *root, struct pkg_cursor *cursor, const struct pkg_sink *sink)
{
    struct pacman_log *log = calloc(1, sizeof *log);
    struct pacman_action a;
    struct log_position before;
    bool stopped = false;
    if (!log)
        return PKG_NO_MEMORY;
    cursor_read(log, cursor->before, &before);
    struct log_zone zone = {.root = root, .sink = sink};
    log_set_open(&log->set, root, PACMAN_LOG, before, &zone, sink);
    log->set.time_of = pacman_log_time;
    log->set.minutes = true;
    if (cursor->doubted)
        log_set_check_older(&log->set);
    while (!stopped && pacman_log_next(log, &a)) {
        bool repeated = before.last != TIME_UNKNOWN && log->set.lost && a.time.earliest <= before.last;
        stopped = !repeated && !emit(log, sink, &a);
    }
    cursor_write(log, cursor);
    cursor->zone_assumed = zone.assumed;
    log_set_close(&log->set);
    log_zone_free(&zone);
    free(log);
    return stopped ? PKG_STOPPED : cursor->after.bad ? PKG_NO_MEMORY : PKG_OK;
}
