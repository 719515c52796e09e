/* A tag as an endpoint sends it: any octets. What is read can be written, and then reads the same. */
#include "swid/swid.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct swid_tag *tag, struct arena *a)
{
    struct wr w = wr_of(0);
    struct swid_tag again;
    struct error error = {""};
    swid_tag_write(&w, tag);
    if (w.n <= SWID_TAG_MAX) {
        if (w.bad || swid_tag_read(wr_view(&w), a, &again, &error) != SWID_OK)
            abort();
        struct wr twice = wr_of(0);
        swid_tag_write(&twice, &again);
        if (!bytes_equal(wr_view(&w), wr_view(&twice)))
            abort();
        wr_free(&twice);
    }
    wr_free(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = arena_of(1 << 20);
    struct swid_tag tag;
    struct error error = {""};
    if (swid_tag_read((struct bytes){data, size}, &a, &tag, &error) == SWID_OK)
        check_again(&tag, &a);
    arena_free(&a);
    return 0;
}
