#include "pkg/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the local times in a root's logs mean: which zone they were written in, and which of two meanings is meant in an hour that came twice. */

#define ZONEINFO      "/usr/share/zoneinfo/"
#define ZONE_FILE_MAX ((size_t)1 << 20)
#define DAY           86400
/* How far the clocks of any place are ahead of UTC, and behind it. */
#define AHEAD_MAX  (14 * 3600)
#define BEHIND_MAX (12 * 3600)

/* ---- the zone ------------------------------------------------------------------------------------------------------ */

/* The zone's file at this path of the root: PKG_ABSENT, PKG_DAMAGED (it is none) or as file_read_below() says. */
static enum pkg_status load(struct log_zone *z, const char *root, const char *path)
{
    struct wr octets = wr_of(ZONE_FILE_MAX);
    enum pkg_status status = file_read_below(root, path, &octets);
    if (status == PKG_OK && !(z->rules = zone_of_file(wr_view(&octets))))
        status = PKG_DAMAGED;
    wr_free(&octets);
    return status;
}

/* A zone by its name: as the root's own zoneinfo has it, else this machine's. */
static bool load_named(struct log_zone *z, const char *root, struct bytes name)
{
    static const char *const utc[] = {"UTC", "Etc/UTC", "GMT", "Universal", "Zulu"}; /* also where there is no zoneinfo */
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, ZONEINFO "%.*s", (int)name.n, name.n ? (const char *)name.p : "");
    if (name.n == 0 || n >= (int)sizeof path || !path_is_good((struct bytes){(const uint8_t *)path, (size_t)n}))
        return false;
    if (load(z, root, path) == PKG_OK || load(z, "/", path) == PKG_OK)
        return true;
    for (size_t i = 0; i < ARRAY_LENGTH(utc); i++)
        if (bytes_equal(name, bytes_of(utc[i])))
            return true;
    return false;
}

/* The name in "…/zoneinfo/NAME", to which /etc/localtime is a link (localtime(5)); empty if it is none. */
static struct bytes link_name(const char *root, char *text, size_t size)
{
    int fd = open_below(root, "/etc/localtime", O_PATH | O_NOFOLLOW);
    ssize_t n = fd >= 0 ? readlinkat(fd, "", text, size - 1) : -1;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    const char *at = strstr(text, "zoneinfo/");
    return bytes_of(at ? at + strlen("zoneinfo/") : NULL);
}

/* What TZ holds: ":NAME", "NAME", "/FILE" or a rule. */
static bool load_environment(struct log_zone *z, const char *tz)
{
    tz += *tz == ':';
    if (*tz == 0)
        return true; /* UTC, as in libc */
    if (*tz == '/' ? load(z, "/", tz) == PKG_OK : load_named(z, "/", bytes_of(tz)))
        return true;
    z->rules = zone_of_rule(bytes_of(tz));
    return z->rules != NULL;
}

static void say(const struct log_zone *z, const char *format, int n, const char *name)
{
    char path[PATH_MAX];
    struct error what;
    error_set(&what, format, n, name);
    if (path_below(path, z->root, "/etc/localtime"))
        complain_to(z->sink, path, 0, what.text, false);
}

static void find(struct log_zone *z)
{
    char link[PATH_MAX];
    const char *tz = getenv("TZ");
    struct wr word = wr_of(4096);
    enum pkg_status status = load(z, z->root, "/etc/localtime");
    struct bytes name = status == PKG_OK ? (struct bytes){0} : link_name(z->root, link, sizeof link);
    bool known = status == PKG_OK || load_named(z, z->root, name);
    if (!known && file_read_below(z->root, "/etc/timezone", &word) == PKG_OK) { /* Debian's */
        struct bytes rest = wr_view(&word), said = bytes_trim(bytes_split(&rest, '\n'));
        known = load_named(z, z->root, said);
        name = name.n ? name : said;
    }
    /* What the system says of itself comes first: its logs do not change their meaning with who reads them. */
    if (!known && (name.n || status != PKG_ABSENT)) {
        z->unknown = true;
        say(z, "the time zone %.*s cannot be read (tzdata has it): times of logs are known to about a day", name.n < 64 ? (int)name.n : 64,
            name.n ? (const char *)name.p : "that it means");
    } else if (!known && tz && !load_environment(z, tz)) {
        z->unknown = true;
        say(z, "it is missing, and TZ=%.*s names no time zone: times of logs are known to about a day", 64, tz);
    }
    z->assumed = !known && !z->unknown && !tz;
    wr_free(&word);
}

const struct zone *log_zone_rules(struct log_zone *z)
{
    if (!z->found)
        find(z);
    z->found = true;
    return z->rules;
}

void log_zone_free(struct log_zone *z)
{
    zone_free(z->rules);
    z->rules = NULL;
}

/* ---- times --------------------------------------------------------------------------------------------------------- */

/* A time in the log's form, as if it were UTC. */
static bool read_local(const struct log_set *s, struct bytes text, int64_t *local)
{
    uint8_t civil[TIME_TEXT] = "0000-00-00T00:00:00Z";
    size_t n = s->minutes ? 5 : 8;
    if (text.n < 11 + n || text.p[10] != ' ')
        return false;
    struct bytes clock = bytes_trim(bytes_from(text, 10));
    if (clock.n != n)
        return false;
    memcpy(civil, text.p, 10);
    memcpy(civil + 11, clock.p, n);
    return time_parse((struct bytes){civil, sizeof civil - 1}, local) && *local != TIME_UNKNOWN;
}

static bool is_before(const struct log_mark *a, const struct log_mark *b)
{
    return a->file < b->file || (a->file == b->file && a->offset < b->offset);
}

/* Reads ahead from the line that was handed out last, which says `local`, as long as lines tell times of the doubled hour: does the clock go back
 * between two of them? Then all before stands in its first pass. */
static void look_ahead(struct log_set *s, int64_t local)
{
    struct bytes line;
    bool whole;
    int64_t at, a, b;
    s->turn = (struct log_turn){0};
    for (size_t file = s->file; file < s->count; file++) {
        struct lines l;
        if (lines_open(&l, s->files[file]) != PKG_OK)
            return;
        bool good = file != s->file || lines_seek(&l, s->lines.offset, 0), ended = !good;
        for (uint64_t offset = l.offset; !ended && lines_next(&l, &line, &whole); offset = l.offset) {
            struct bytes text = s->time_of(line);
            if (text.n == 0 || !read_local(s, text, &at))
                continue;
            s->turn = (struct log_turn){{file, offset, 0, true}, at < local};
            ended = at < local || zone_read(log_zone_rules(s->zone), at, &a, &b) != 2;
            local = at;
        }
        lines_close(&l);
        if (ended)
            return;
        s->turn.until = (struct log_mark){file + 1, 0, 0, true};
    }
}

static bool is_first_pass(struct log_set *s, int64_t local)
{
    struct log_mark here = log_set_mark(s);
    if (!s->time_of)
        return false;
    if (!s->turn.until.set || !is_before(&here, &s->turn.until))
        look_ahead(s, local);
    return s->turn.back;
}

/* zone_read(), which costs more than all else about a line, but once a day. */
static unsigned read_zone(struct log_set *s, int64_t local, struct log_time *t)
{
    const struct zone *rules = log_zone_rules(s->zone);
    int64_t begin = local / DAY * DAY;
    if (!s->day.known || s->day.begin != begin) {
        int64_t before = zone_offset(rules, begin - 2 * DAY), after = zone_offset(rules, begin + 3 * DAY);
        s->day = (struct log_day){begin, before, true, before == after && local >= 0};
    }
    if (!s->day.plain)
        return zone_read(rules, local, &t->earliest, &t->latest);
    t->earliest = t->latest = local - s->day.offset;
    return 1;
}

bool log_set_time(struct log_set *s, struct bytes text, struct log_time *t)
{
    int64_t local;
    t->zoned = false;
    if (!read_local(s, text, &local))
        return false;
    if (read_zone(s, local, t) == 2) {
        bool later = s->last != TIME_UNKNOWN && t->earliest < s->last && s->last <= t->latest;
        if (later)
            t->earliest = t->latest;
        else if (t->latest > time_now() || is_first_pass(s, local))
            t->latest = t->earliest;
    }
    t->latest += s->minutes ? 59 : 0;
    if (s->gap && s->last != TIME_UNKNOWN && s->sink->gap && !s->sink->gap(s->sink->context, s->last, t->latest))
        return false;
    s->gap = false;
    s->last = t->earliest;
    return true;
}

void log_set_note(struct log_set *s, struct log_time t)
{
    struct log_position *p = &s->position;
    if (p->first == TIME_UNKNOWN || t.latest < p->first)
        p->first = t.latest;
    p->last = t.earliest;
}

int64_t log_set_reaches_back(const struct log_set *s)
{
    int64_t first = s->position.first, now = time_now();
    if (first == TIME_UNKNOWN || !s->zone->unknown || first > now)
        return first;
    return first + BEHIND_MAX < now ? first + BEHIND_MAX : now;
}

void log_set_date(const struct log_set *s, struct log_time t, enum pkg_precision sure, struct pkg_event *e)
{
    int64_t now = time_now();
    if (s->zone->unknown && !t.zoned) {
        t.earliest -= AHEAD_MAX;
        t.latest = t.latest > now || t.latest + BEHIND_MAX < now ? t.latest + BEHIND_MAX : now;
    }
    bool bounds = t.earliest != t.latest;
    e->time = t.latest;
    e->not_before = bounds ? t.earliest : TIME_UNKNOWN;
    e->precision = bounds ? PKG_BOUND : sure;
}
