/* pacman's files: the first octet picks the log or a package's desc; any octets give actions and packages whose words
 * are words, or nothing. */
#include "pkg/internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_log(struct bytes b)
{
    static char name[] = "pacman.log";
    char *files[] = {name};
    const struct pkg_sink sink = {0};
    static struct log_zone zone = {.found = true};
    if (!zone.rules) /* an hour that comes twice, and one that does not */
        zone.rules = zone_of_rule(BYTES("CET-1CEST,M3.5.0,M10.5.0/3"));
    struct pacman_log log = {.set = {.sink = &sink,
                                     .files = files,
                                     .count = 1,
                                     .open = true,
                                     .lines = lines_of(b),
                                     .position = {.first = TIME_UNKNOWN, .last = TIME_UNKNOWN},
                                     .minutes = true,
                                     .zone = &zone,
                                     .last = TIME_UNKNOWN}};
    struct pacman_action a;
    while (pacman_log_next(&log, &a))
        if (!is_word(a.name) || (!is_word(a.old_version) && !is_word(a.new_version)) || a.time.earliest > a.time.latest)
            abort();
}

static void read_desc(struct bytes b)
{
    struct lines lines = lines_of(b);
    struct arena a = arena_of((size_t)1 << 20);
    struct pkg_package p;
    pacman_desc_read(&lines, &a, &p);
    if (!bytes_equal(p.source_version, p.version))
        abort();
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct bytes b = {data + 1, size - 1};
    if (data[0] == 'd')
        read_desc(b);
    else
        read_log(b);
    return 0;
}
