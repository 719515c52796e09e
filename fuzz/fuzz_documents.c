/* Tags one after the other, XML and CBOR: where each ends does not depend on how much of what follows is known. */
#include "swid/swid.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool torn = false, torn_early;
    struct bytes document, early_document;
    for (size_t at = 0, rounds = 0; at < size && !torn && rounds < 16; rounds++) {
        struct bytes rest = {data + at, size - at};
        size_t end = swid_document_end(rest, true, &document, &torn);
        if (end == 0 || end > rest.n || document.n == 0 || document.n > end || (torn && document.n != rest.n))
            abort();
        size_t step = 1 + rest.n / 16;
        for (size_t n = 0; n < rest.n; n += step) {
            size_t early = swid_document_end((struct bytes){rest.p, n}, false, &early_document, &torn_early);
            if (early && !torn_early && (early != end || early_document.n != document.n || torn))
                abort();
            if (torn_early && !torn)
                abort();
        }
        at += end;
    }
    return 0;
}
