/* COSE_Sign1 as an endpoint or a file may hold it: what is taken says what it is of, and is the same once it is written
 * anew. */
#include "swid/swid.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_signature(void *context, struct bytes octets, struct wr *signature)
{
    (void)octets;
    wr_bytes(signature, *(struct bytes *)context);
    return true;
}

static void fuzz_open(struct swid_sink *s, const struct swid_node *node)
{
    (void)s, (void)node;
}

static void fuzz_close(struct swid_sink *s, enum swid_element element)
{
    (void)s, (void)element;
}

static bool within(struct bytes inner, const uint8_t *data, size_t size)
{
    return inner.n == 0 || (inner.p >= data && inner.p + inner.n <= data + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct swid_sink nowhere = {.open = fuzz_open, .close = fuzz_close};
    struct swid_cose c, again;
    struct error error;
    struct wr w = wr_of(0), octets = wr_of(0);
    enum swid_status status = swid_read((struct bytes){data, size}, &nowhere, &error);
    if (swid_cose_read((struct bytes){data, size}, &c, &error) != SWID_OK) {
        if (status == SWID_OK && swid_is_cose((struct bytes){data, size}))
            abort();
        return 0;
    }
    if (!nowhere.has_signature || !within(c.payload, data, size) || !within(c.signature, data, size) ||
        !within(c.protected, data, size))
        abort();
    swid_cose_signed(&octets, &c);
    struct bytes signature = c.signature;
    if (octets.bad || !swid_cose_write(&w, &c, same_signature, &signature) ||
        swid_cose_read(wr_view(&w), &again, &error) != SWID_OK)
        abort();
    if (again.algorithm != c.algorithm || again.chain_count != c.chain_count ||
        !bytes_equal(again.payload, c.payload) || !bytes_equal(again.signature, signature))
        abort();
    for (size_t i = 0; i < c.chain_count; i++)
        if (!within(c.chain[i], data, size) || !bytes_equal(c.chain[i], again.chain[i]))
            abort();
    wr_free(&w);
    wr_free(&octets);
    return 0;
}
