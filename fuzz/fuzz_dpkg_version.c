/* dpkg's order of versions: two (and their like) in either direction give opposite answers, and one equals itself. */
#include "pkg/internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes b = {data, size}, a = bytes_split(&b, '\n'), c = b;
    b = bytes_split(&c, '\n');
    int ab = dpkg_version_compare(a, b), bc = dpkg_version_compare(b, c), ac = dpkg_version_compare(a, c);
    if (dpkg_version_compare(a, a) != 0 || ab != -dpkg_version_compare(b, a))
        abort();
    if ((ab <= 0 && bc <= 0 && ac > 0) || (ab >= 0 && bc >= 0 && ac < 0))
        abort();
    return 0;
}
