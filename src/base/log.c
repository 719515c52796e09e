#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum log_level log_threshold = LOG_INFO;
static bool log_times; /* set before there are threads */

void error_set(struct error *e, const char *format, ...)
{
    va_list args;
    if (!e)
        return;
    va_start(args, format);
    vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
}

void bug(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("muster: internal error: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    _exit(70);
}

void log_set_level(enum log_level level)
{
    log_threshold = level;
}

void log_set_times(void)
{
    log_times = !getenv("JOURNAL_STREAM");
}

void log_line(enum log_level level, const char *format, ...)
{
    static const char *const names[] = {"error: ", "warning: ", "", "debug: "};
    char text[2048], safe[2048 * 4 + 64];
    va_list args;
    if (level > log_threshold)
        return;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0)
        return;
    char time[TIME_TEXT] = "";
    if (log_times)
        time_format(time_now(), time);
    size_t at = (size_t)snprintf(safe, 64, "%s%smuster: %s", time, log_times ? " " : "", names[level]);
    for (const char *p = text; *p; p++) {
        static const char hex[] = "0123456789abcdef";
        uint8_t c = (uint8_t)*p;
        if (c >= 0x20 && c != 0x7f) {
            safe[at++] = *p;
        } else {
            safe[at++] = '\\';
            safe[at++] = 'x';
            safe[at++] = hex[c >> 4];
            safe[at++] = hex[c & 15];
        }
    }
    safe[at++] = '\n';
    /* One write, so that lines of several threads do not mix; nothing can be done about a failing stderr. */
    if (write(STDERR_FILENO, safe, at) < 0)
        return;
}
