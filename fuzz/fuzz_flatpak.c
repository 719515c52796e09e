/* The file "deploy" of a flatpak's commit: any octets give a version within them, or none. */
#include "pkg/internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes v = flatpak_deploy_version((struct bytes){data, size});
    if (v.n && (v.p < data || v.p + v.n > data + size))
        abort();
    return 0;
}
