/* dpkg's database: any octets give stanzas or complaints, and every view lies in what was read. */
#include "pkg/internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void complain(void *context, size_t line, const char *what)
{
    (void)what;
    if (line > *(size_t *)context + 1)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lines lines = lines_of((struct bytes){data, size});
    size_t most = size;
    struct deb822 d = {.lines = &lines, .complain = complain, .context = &most};
    while (deb822_next(&d)) {
        struct pkg_package p = {.name = d.package, .version = d.version};
        deb822_source(d.source, &p);
        if (d.package.n + d.status.n + d.version.n + d.arch.n + d.source.n > size || (p.source_name.n == 0 && p.name.n))
            abort();
    }
    deb822_free(&d);
    return 0;
}
