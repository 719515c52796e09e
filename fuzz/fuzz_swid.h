/* What both readers of tags are held to. */
#include "swid/swid.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_open(struct swid_sink *s, const struct swid_node *node)
{
    (void)s, (void)node;
}

static void fuzz_close(struct swid_sink *s, enum swid_element element)
{
    (void)s, (void)element;
}

static void fuzz_rule(void *context, const struct swid_rule *rule, const char *place, const char *detail)
{
    (void)context;
    if (!rule->number || !place || !detail)
        abort();
}

static void fuzz_file(void *context, const struct swid_file *file)
{
    struct bytes path = file->path, part;
    (void)context;
    while (path.n) {
        part = bytes_split(&path, '/');
        if (bytes_equal(part, BYTES("..")))
            abort();
    }
}

static struct wr fuzz_convert(struct bytes in, bool xml)
{
    struct wr w = wr_of(0);
    struct error error;
    struct swid_xml x = swid_xml_of(&w, SWID_LINE);
    struct swid_coswid *c = swid_coswid_new(&w, 0, true);
    if (!c || swid_read(in, xml ? &x.sink : swid_coswid_sink(c), &error) != SWID_OK || w.bad)
        abort();
    swid_coswid_free(c);
    return w;
}

static void fuzz_same(struct wr *a, struct wr *b)
{
    if (!bytes_equal(wr_view(a), wr_view(b)))
        abort();
    wr_free(a);
    wr_free(b);
}

/* Children of a kind stand in one list in CoSWID, so that XML settles once it has been there. */
static void fuzz_check(struct bytes tag)
{
    struct error error;
    struct swid_lister lister = swid_lister_of(fuzz_file, NULL);
    (void)!swid_read(tag, &lister.sink, &error);
    swid_lister_free(&lister);
    (void)!swid_validate(tag, fuzz_rule, NULL, &error);
    struct wr xml = fuzz_convert(tag, true), xml_again = fuzz_convert(wr_view(&xml), true);
    struct wr cbor = fuzz_convert(wr_view(&xml), false), settled = fuzz_convert(wr_view(&cbor), true);
    struct wr settled_cbor = fuzz_convert(wr_view(&settled), false),
              settled_xml = fuzz_convert(wr_view(&settled_cbor), true);
    fuzz_same(&xml, &xml_again);
    fuzz_same(&settled, &settled_xml);
    wr_free(&cbor);
    wr_free(&settled_cbor);
}
