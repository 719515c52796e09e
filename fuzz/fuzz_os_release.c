/* os-release: any octets give a platform whose texts end. */
#include "pkg/internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pkg_platform p;
    struct lines lines = lines_of((struct bytes){data, size});
    pkg_platform_parse(&lines, &p);
    if (strnlen(p.id, sizeof p.id) == sizeof p.id || strnlen(p.version, sizeof p.version) == sizeof p.version ||
        strnlen(p.pretty, sizeof p.pretty) == sizeof p.pretty || !p.id[0] || !p.name[0] || !p.pretty[0])
        abort();
    return 0;
}
