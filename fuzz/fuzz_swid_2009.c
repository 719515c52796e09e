/* A tag of ISO/IEC 19770-2:2009: any octets. What is read can be written, and then reads the same. */
#include "swid/swid.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum swid_status convert(struct bytes from, struct wr *w)
{
    struct error error = {""};
    struct swid_2009 *x = swid_2009_new(w, SWID_LINE);
    if (!x)
        abort();
    enum swid_status status = swid_2009_read(from, swid_2009_sink(x), &error);
    if ((status == SWID_OK) != (error.text[0] == 0))
        abort();
    swid_2009_free(x);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wr once = wr_of(0), twice = wr_of(0), thrice = wr_of(0);
    /* The first reading may drop what cannot be written; from then on nothing changes. */
    if (convert((struct bytes){data, size}, &once) == SWID_OK) {
        enum swid_status status = convert(wr_view(&once), &twice);
        if (status != SWID_OK && status != SWID_TOO_LARGE) /* a replacement is larger than what it stands for */
            abort();
        if (status == SWID_OK && (convert(wr_view(&twice), &thrice) != SWID_OK || !bytes_equal(wr_view(&twice), wr_view(&thrice))))
            abort();
    }
    wr_free(&once);
    wr_free(&twice);
    wr_free(&thrice);
    return 0;
}
