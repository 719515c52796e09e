/* rpm's header alone: any octets give rows whose paths climb nowhere, or none. */
#include "pkg/package.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = arena_of((size_t)16 << 20);
    struct rpm_row *rows;
    struct pkg_archive package;
    size_t index, store, count;
    const char *what;
    if (size < RPM_HEADER_INTRO || !rpm_header_size(data, &index, &store) || size - RPM_HEADER_INTRO < index + store)
        return 0;
    const struct rpm_header h = {{data + RPM_HEADER_INTRO, index}, {data + RPM_HEADER_INTRO + index, store}};
    if (rpm_header_package(&h, &a, &package) && (!package.package.name.n || !package.package.version.n))
        abort();
    if (rpm_header_rows(&h, &a, &rows, &count, &what))
        for (size_t i = 0; i < count; i++)
            if (!path_is_good(rows[i].path))
                abort();
    arena_free(&a);
    return 0;
}
