/* dpkg.log: any octets give actions or complaints; an action has its package and its version. */
#include "pkg/internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char name[] = "dpkg.log";
    char *files[] = {name};
    const struct pkg_sink sink = {0};
    static struct log_zone zone = {.found = true};
    if (!zone.rules) /* an hour that comes twice, and one that does not */
        zone.rules = zone_of_rule(BYTES("CET-1CEST,M3.5.0,M10.5.0/3"));
    struct dpkg_log log = {.set = {.sink = &sink,
                                   .files = files,
                                   .count = 1,
                                   .open = true,
                                   .lines = lines_of((struct bytes){data, size}),
                                   .position = {.first = TIME_UNKNOWN, .last = TIME_UNKNOWN},
                                   .zone = &zone,
                                   .last = TIME_UNKNOWN}};
    struct dpkg_action a;
    while (dpkg_log_next(&log, &a)) {
        if (a.deed == DPKG_STARTUP)
            continue;
        bool has_version =
            a.deed == DPKG_GONE || (a.deed == DPKG_REMOVE ? is_word(a.old_version) : is_word(a.new_version));
        if (a.name.n == 0 || !has_version || a.time.earliest > a.time.latest)
            abort();
    }
    return 0;
}
