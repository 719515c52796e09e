/* apt's history: any octets give transactions or complaints; items have a name and the versions of their kind, and are
 * in order. */
#include "pkg/internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char name[] = "history.log";
    char *files[] = {name};
    const struct pkg_sink sink = {0};
    static struct log_zone zone = {.found = true};
    if (!zone.rules) /* an hour that comes twice, and one that does not */
        zone.rules = zone_of_rule(BYTES("CET-1CEST,M3.5.0,M10.5.0/3"));
    struct apt_history h = {.set = {.sink = &sink,
                                    .files = files,
                                    .count = 1,
                                    .open = true,
                                    .lines = lines_of((struct bytes){data, size}),
                                    .position = {.first = TIME_UNKNOWN, .last = TIME_UNKNOWN},
                                    .zone = &zone,
                                    .last = TIME_UNKNOWN}};
    struct apt_transaction t;
    while (apt_history_next(&h, &t)) {
        if (t.start.earliest > t.start.latest || t.end.earliest < t.start.earliest || t.end.latest < t.start.latest)
            abort();
        for (size_t i = 0; i < t.count; i++) {
            const struct apt_item *item = &t.items[i];
            bool old = item->verb == APT_UPGRADE || item->verb == APT_REMOVE, new = item->verb != APT_REMOVE;
            if (!is_word(item->name) || (item->old_version.n > 0) != old || (item->new_version.n > 0) != new ||
                (i && bytes_compare(t.items[i - 1].name, item->name) > 0))
                abort();
        }
    }
    apt_history_free(&h);
    return 0;
}
