#include "base/base.h"

#include <stdlib.h>

/* libc reads one zone a process, of the environment and of this machine, takes UTC without a word for a name that it does not know, and cannot be
 * asked whether an hour came twice where neither of the two was summer time. So zones are read here: TZif files (RFC 9636) and the rules of POSIX
 * (TZ in XBD §8.3), which stand at their ends. */

#define DAY        86400
#define OFFSET_MAX (26 * 3600) /* RFC 9636 §3.2: -24:59:59 to +25:59:59 */

/* When summer time begins or ends each year: Mm.w.d, Jn or n, and the time of the day. */
struct rule_day {
    char kind; /* 'M', 'J', or 'n' */
    int month, week, day;
    int64_t time;
};
struct zone {
    bool has_rule, has_summer;
    int64_t winter, summer; /* seconds east of Greenwich, as all offsets here */
    struct rule_day begin, end;
    int64_t earliest; /* before the first change */
    size_t count;
    struct {
        int64_t at, offset; /* from `at` on */
    } changes[];
};

/* ---- rules --------------------------------------------------------------------------------------------------------- */

static bool take_octet(struct bytes *b, char c)
{
    if (b->n == 0 || b->p[0] != (uint8_t)c)
        return false;
    *b = bytes_from(*b, 1);
    return true;
}

static bool take_number(struct bytes *b, int min, int max, int *value)
{
    int v = 0;
    size_t n = 0;
    for (; n < b->n && n < 3 && b->p[n] >= '0' && b->p[n] <= '9'; n++)
        v = v * 10 + (b->p[n] - '0');
    *b = bytes_from(*b, n);
    *value = v;
    return n > 0 && v >= min && v <= max;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(struct bytes *b, int hours_max, int64_t *seconds)
{
    int h, m = 0, s = 0;
    bool minus = take_octet(b, '-');
    if (!minus)
        take_octet(b, '+');
    if (!take_number(b, 0, hours_max, &h) || (take_octet(b, ':') && (!take_number(b, 0, 59, &m) || (take_octet(b, ':') && !take_number(b, 0, 59, &s)))))
        return false;
    *seconds = (minus ? -1 : 1) * (h * 3600 + m * 60 + s);
    return true;
}

/* Three letters or more, or anything but control characters between < and >. */
static bool take_name(struct bytes *b)
{
    bool quoted = take_octet(b, '<');
    size_t n = 0;
    while (n < b->n && (quoted ? b->p[n] != '>' && b->p[n] > ' ' : (b->p[n] | 0x20) >= 'a' && (b->p[n] | 0x20) <= 'z'))
        n++;
    *b = bytes_from(*b, n);
    return n >= 3 && (!quoted || take_octet(b, '>'));
}

static bool take_day(struct bytes *b, struct rule_day *d)
{
    *d = (struct rule_day){.kind = 'n', .time = 2 * 3600};
    bool good;
    if (take_octet(b, 'M')) {
        d->kind = 'M';
        good = take_number(b, 1, 12, &d->month) && take_octet(b, '.') && take_number(b, 1, 5, &d->week) && take_octet(b, '.') &&
               take_number(b, 0, 6, &d->day);
    } else if (take_octet(b, 'J')) {
        d->kind = 'J';
        good = take_number(b, 1, 365, &d->day);
    } else {
        good = take_number(b, 0, 365, &d->day);
    }
    return good && (!take_octet(b, '/') || take_time(b, 167, &d->time));
}

static bool parse_rule(struct bytes text, struct zone *z)
{
    z->has_rule = true;
    if (!take_name(&text) || !take_time(&text, 24, &z->winter))
        return false;
    z->winter = -z->winter; /* POSIX counts towards the west */
    z->summer = z->winter + 3600;
    if (text.n == 0)
        return true;
    z->has_summer = true;
    if (!take_name(&text))
        return false;
    if (text.n && text.p[0] != ',') {
        if (!take_time(&text, 24, &z->summer))
            return false;
        z->summer = -z->summer;
    }
    if (text.n == 0)
        text = BYTES(",M3.2.0,M11.1.0"); /* what libc takes where nothing is said */
    return take_octet(&text, ',') && take_day(&text, &z->begin) && take_octet(&text, ',') && take_day(&text, &z->end) && text.n == 0;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1970-01-01 to the year's first; for years from 1 on. */
static int64_t days_before(int64_t year)
{
    int64_t y = year - 1;
    return 365 * (year - 1970) + y / 4 - y / 100 + y / 400 - 477;
}

/* The local second, as if it were UTC, at which that day's change comes. */
static int64_t rule_second(const struct rule_day *d, int64_t year)
{
    static const int before[13] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    int64_t first = days_before(year), day = d->day;
    bool leap = is_leap(year);
    if (d->kind == 'J') {
        day += -1 + (leap && d->day >= 60);
    } else if (d->kind == 'M') {
        int64_t begin = before[d->month - 1] + (leap && d->month > 2), end = before[d->month] + (leap && d->month > 1);
        int64_t weekday = ((first + begin + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
        day = begin + (d->day - weekday + 7) % 7 + (d->week - 1) * 7;
        while (day >= end)
            day -= 7; /* week 5 is the last one */
    }
    return (first + day) * DAY + d->time;
}

static int64_t rule_offset(const struct zone *z, int64_t t)
{
    int64_t local = t + z->winter;
    if (!z->has_summer || local < -(int64_t)DAY * 719162 || local > 253402300799)
        return z->winter; /* before the year 1 or after 9999 */
    int64_t year = 1970 + local / (365 * DAY + 20952);
    while (days_before(year) * DAY > local)
        year--;
    while (days_before(year + 1) * DAY <= local)
        year++;
    int64_t begin = rule_second(&z->begin, year) - z->winter, end = rule_second(&z->end, year) - z->summer;
    bool summer = begin < end ? t >= begin && t < end : t >= begin || t < end;
    return summer ? z->summer : z->winter;
}

/* ---- TZif ---------------------------------------------------------------------------------------------------------- */

struct counts {
    uint32_t version, universal, standard, leaps, times, types, names;
};

static bool read_header(struct rd *r, struct counts *c)
{
    struct bytes magic = rd_take(r, 4);
    c->version = rd_u8(r);
    rd_take(r, 15);
    uint32_t *const fields[] = {&c->universal, &c->standard, &c->leaps, &c->times, &c->types, &c->names};
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++)
        *fields[i] = rd_u32(r);
    return !r->bad && bytes_equal(magic, BYTES("TZif"));
}

/* What stands behind times and types, with leap seconds of so many octets. */
static void skip_rest(struct rd *r, const struct counts *c, size_t leap)
{
    rd_take(r, c->names);
    rd_take(r, c->leaps * leap);
    rd_take(r, c->standard);
    rd_take(r, c->universal);
}

/* RFC 9636 §3.2: times ascend, each with its type; before the first one the first type holds. */
static bool read_changes(struct rd *r, const struct counts *c, size_t width, struct zone *z)
{
    struct rd times = rd_sub(r, c->times * width), types = rd_sub(r, c->times), offsets = rd_sub(r, c->types * (size_t)6);
    struct bytes all = rd_rest(&offsets);
    bool good = c->types > 0 && !r->bad && !offsets.bad;
    for (size_t i = 0; good && i <= c->times; i++) {
        size_t type = i ? rd_u8(&types) : 0;
        struct rd one = rd_of(type < c->types ? bytes_from(all, type * 6) : (struct bytes){0}, 0);
        int64_t offset = (int32_t)rd_u32(&one);
        good = !one.bad && offset > -OFFSET_MAX && offset < OFFSET_MAX;
        if (i == 0) {
            z->earliest = offset;
            continue;
        }
        int64_t at = width == 8 ? (int64_t)rd_u64(&times) : (int32_t)rd_u32(&times);
        good = good && (i == 1 || at > z->changes[i - 2].at);
        z->changes[i - 1].at = at;
        z->changes[i - 1].offset = offset;
    }
    z->count = c->times;
    return good;
}

struct zone *zone_of_file(struct bytes tzif)
{
    struct rd r = rd_of(tzif, 0);
    struct counts c;
    size_t width = 4;
    if (!read_header(&r, &c))
        return NULL;
    if (c.version) { /* RFC 9636 §3: the same again with 64 bits, and a rule for all times to come */
        rd_take(&r, c.times * (size_t)5);
        rd_take(&r, c.types * (size_t)6);
        skip_rest(&r, &c, 8);
        width = 8;
        if (!read_header(&r, &c))
            return NULL;
    }
    /* Seconds that count leap seconds (zoneinfo/right) are not what any package manager writes. */
    struct zone *z = c.leaps == 0 && c.times <= rd_left(&r) ? calloc(1, sizeof *z + c.times * sizeof *z->changes) : NULL;
    bool good = z && read_changes(&r, &c, width, z);
    if (good && width == 8) {
        skip_rest(&r, &c, 12);
        struct bytes footer = rd_rest(&r);
        good = take_octet(&footer, '\n');
        struct bytes rule = bytes_split(&footer, '\n');
        good = good && footer.p && (rule.n == 0 || parse_rule(rule, z));
    }
    if (good && !r.bad)
        return z;
    free(z);
    return NULL;
}

struct zone *zone_of_rule(struct bytes text)
{
    struct zone *z = calloc(1, sizeof *z);
    if (z && parse_rule(text, z))
        return z;
    free(z);
    return NULL;
}

void zone_free(struct zone *z)
{
    free(z);
}

/* ---- local times --------------------------------------------------------------------------------------------------- */

int64_t zone_offset(const struct zone *z, int64_t t)
{
    if (!z)
        return 0;
    if (z->has_rule && (z->count == 0 || t >= z->changes[z->count - 1].at))
        return rule_offset(z, t);
    size_t low = 0, high = z->count;
    while (low < high) { /* the first change after t */
        size_t middle = low + (high - low) / 2;
        if (z->changes[middle].at <= t)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? z->changes[low - 1].offset : z->earliest;
}

unsigned zone_read(const struct zone *z, int64_t local, int64_t *earliest, int64_t *latest)
{
    /* No clock is more than 26 hours off. Two changes that undo each other within that time would be missed: there are none. */
    int64_t before = zone_offset(z, local - OFFSET_MAX), after = zone_offset(z, local + OFFSET_MAX);
    int64_t a = local - before, b = local - after;
    bool a_shown = zone_offset(z, a) == before, b_shown = zone_offset(z, b) == after;
    if (a_shown != b_shown)
        *earliest = *latest = a_shown ? a : b;
    else
        *earliest = a < b ? a : b, *latest = a < b ? b : a;
    return (unsigned)a_shown + (b_shown && (b != a || !a_shown));
}
