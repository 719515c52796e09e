#include "base/base.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY 86400

int64_t time_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec;
}

uint64_t time_monotonic_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Days since 1970-01-01 of a proleptic Gregorian date (years count from March, so that the leap day is the last one). */
static int64_t days_from_civil(int64_t y, int64_t m, int64_t d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void civil_from_days(int64_t z, int64_t *y, int64_t *m, int64_t *d)
{
    z += 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp + (mp < 10 ? 3 : -9);
    *y = yoe + era * 400 + (*m <= 2);
}

static int64_t month_length(int64_t y, int64_t m)
{
    return m == 12 ? 31 : days_from_civil(y, m + 1, 1) - days_from_civil(y, m, 1);
}

void time_format(int64_t t, char text[TIME_TEXT])
{
    static const char unknown[] = "0000-00-00T00:00:00Z";
    int64_t y = 0, m, d;
    memcpy(text, unknown, TIME_TEXT);
    if (t < -((int64_t)DAY * 719162) || t > (int64_t)253402300799)
        return; /* before the year 1 or after 9999 */
    int64_t days = (t >= 0 ? t : t - (DAY - 1)) / DAY, s = t - days * DAY;
    civil_from_days(days, &y, &m, &d);
    int64_t field[6] = {y, m, d, s / 3600, s / 60 % 60, s % 60};
    static const int at[6] = {0, 5, 8, 11, 14, 17}, width[6] = {4, 2, 2, 2, 2, 2};
    for (int i = 0; i < 6; i++)
        for (int k = width[i]; k-- > 0; field[i] /= 10)
            text[at[i] + k] = (char)('0' + field[i] % 10);
}

/* n digits at p. */
static bool digits(const uint8_t *p, size_t n, int *value)
{
    int v = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        v = v * 10 + (p[i] - '0');
    }
    *value = v;
    return true;
}

/* YYYY-MM-DDThh:mm:ss at the beginning of 19 octets, as if it were UTC. */
static bool parse_civil(const uint8_t *p, int64_t *t)
{
    int y, mo, d, h, mi, s;
    if (!digits(p, 4, &y) || p[4] != '-' || !digits(p + 5, 2, &mo) || p[7] != '-' || !digits(p + 8, 2, &d) || p[10] != 'T' ||
        !digits(p + 11, 2, &h) || p[13] != ':' || !digits(p + 14, 2, &mi) || p[16] != ':' || !digits(p + 17, 2, &s))
        return false;
    if (y < 1 || mo < 1 || mo > 12 || d < 1 || d > month_length(y, mo) || h > 23 || mi > 59 || s > 60)
        return false;
    *t = days_from_civil(y, mo, d) * DAY + h * 3600 + mi * 60 + s;
    return true;
}

bool time_parse(struct bytes text, int64_t *t)
{
    if (text.n != TIME_TEXT - 1 || text.p[19] != 'Z')
        return false;
    if (bytes_equal(text, BYTES("0000-00-00T00:00:00Z"))) {
        *t = TIME_UNKNOWN;
        return true;
    }
    return parse_civil(text.p, t);
}

static bool parse_ago(struct bytes text, int64_t now, int64_t *t)
{
    static const struct {
        uint8_t letter;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', DAY}, {'w', 7 * DAY}};
    uint64_t count;
    if (text.n < 3 || text.p[0] != '-' || !bytes_number((struct bytes){text.p + 1, text.n - 2}, &count) || count > 1000000000)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++)
        if (units[i].letter == text.p[text.n - 1]) {
            *t = now - (int64_t)count * units[i].seconds;
            return true;
        }
    return false;
}

bool time_parse_option(const char *option, int64_t now, int64_t *t)
{
    struct bytes text = bytes_of(option);
    uint8_t civil[20] = "0000-00-00T00:00:00";
    int h, m;
    if (parse_ago(text, now, t))
        return true;
    if (text.n == 10) { /* a date */
        memcpy(civil, text.p, 10);
        return parse_civil(civil, t);
    }
    if (text.n < 20)
        return false;
    memcpy(civil, text.p, 19);
    if (civil[10] == 't' || civil[10] == ' ')
        civil[10] = 'T';
    if (!parse_civil(civil, t))
        return false;
    struct rd r = rd_of((struct bytes){text.p + 19, text.n - 19}, 0);
    if (r.p[0] == '.') {
        rd_u8(&r);
        size_t n = 0;
        while (rd_more(&r) && r.p[0] >= '0' && r.p[0] <= '9') {
            rd_u8(&r);
            n++;
        }
        if (n == 0 || !rd_more(&r))
            return false;
    }
    struct bytes zone = rd_rest(&r);
    if (zone.n == 1)
        return zone.p[0] == 'Z' || zone.p[0] == 'z';
    if (zone.n != 6 || zone.p[3] != ':' || !digits(zone.p + 1, 2, &h) || !digits(zone.p + 4, 2, &m) || h > 23 || m > 59)
        return false;
    if (zone.p[0] == '+')
        *t -= h * 3600 + m * 60;
    else if (zone.p[0] == '-')
        *t += h * 3600 + m * 60;
    else
        return false;
    return true;
}
