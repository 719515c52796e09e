/* CoSWID as an endpoint or a file may hold it: what fuzz_swid_xml.c holds XML to. */
#include "fuzz_swid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct swid_sink nowhere = {.open = fuzz_open, .close = fuzz_close};
    struct error error;
    if (swid_coswid_read((struct bytes){data, size}, &nowhere, &error) == SWID_OK)
        fuzz_check((struct bytes){data, size});
    return 0;
}
