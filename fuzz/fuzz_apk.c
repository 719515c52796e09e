/* apk's installed database: any octets give packages with name, version and architecture, or are passed over, and the
 * end is reached. */
#include "pkg/internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lines lines = lines_of((struct bytes){data, size});
    struct arena a = arena_of((size_t)1 << 20);
    struct pkg_package p;
    bool stanza;
    do
        if (apk_installed_next(&lines, &a, &p, &stanza) &&
            (!is_word(p.name) || !is_word(p.version) || !is_word(p.arch)))
            abort();
    while (stanza);
    arena_free(&a);
    return 0;
}
