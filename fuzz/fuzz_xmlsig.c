/* Signed XML as anybody may hand it over: either it says why it does not hold, or whose certificate it holds by. */
#include "cli/xmlsig.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    struct wr certificates = wr_of(0);
    struct error why = {""};
    if (!ready && !xmlsig_set_up())
        abort();
    ready = true;
    if (xmlsig_check((struct bytes){data, size}, &certificates, &why) ? certificates.n == 0 : !why.text[0])
        abort();
    wr_free(&certificates);
    return 0;
}
