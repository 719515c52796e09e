/* A tag of any generator as XML. What is read, and what CoSWID makes of it, stays the same however often it is written;
 * the validator and the lister of files bear whatever can be read. */
#include "fuzz_swid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct swid_sink nowhere = {.open = fuzz_open, .close = fuzz_close};
    struct error error;
    if (swid_xml_read((struct bytes){data, size}, &nowhere, &error) == SWID_OK)
        fuzz_check((struct bytes){data, size});
    return 0;
}
