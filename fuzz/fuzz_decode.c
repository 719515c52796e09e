/* muster decode: any octets as any kind, for people and for programs; and texts of hexadecimal digits. */
#include "nea/nea.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void explain(struct bytes octets, enum nea_kind kind, bool outline)
{
    struct wr w = wr_of(0);
    struct json j = json_of(&w);
    j.outline = outline;
    json_object_begin(&j, NULL);
    size_t faults = nea_decode(&j, octets, kind);
    json_object_end(&j);
    if (j.depth || w.bad || (outline && !faults && !octets.n && kind != NEA_PT_TLS && kind != NEA_PA_ATTRIBUTES))
        abort();
    wr_free(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct bytes rest = {data + 1, size - 1};
    struct wr octets = wr_of(0);
    struct error error;
    if (nea_hex_is(rest)) {
        if (!nea_hex_read(rest, &octets, &error))
            wr_reset(&octets);
        rest = wr_view(&octets);
    }
    unsigned kind = data[0] % (NEA_KIND_COUNT + 1);
    explain(rest, kind < NEA_KIND_COUNT ? (enum nea_kind)kind : nea_kind_guess(rest), data[0] & 0x80);
    wr_free(&octets);
    return 0;
}
