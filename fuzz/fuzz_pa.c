/* PA-TNC messages of either direction: whatever decodes encodes to something that decodes to the same. */
#include "nea/nea.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(struct wr *w, const struct pa_message *m)
{
    wr_reset(w);
    pa_message_put(w, m->id);
    for (size_t i = 0; i < m->count; i++)
        if (m->attributes[i].type)
            pa_attribute_put(w, m->attributes[i].type, m->attributes[i].flags, m->attributes[i].fields);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    enum nea_role role = data[0] % 3;
    struct bytes message = {data + 1, size - 1};
    struct arena arena = arena_of(1 << 20);
    struct wr first = wr_of(0), second = wr_of(0), text = wr_of(0);
    struct pa_message m;
    struct nea_fault fault;
    enum pa_error_code code = pa_message_decode(&arena, message, role, &m, &fault);
    if (code >= PA_INVALID_PARAMETER && code <= PA_TYPE_NOT_SUPPORTED)
        pa_error_put(&text, message, &fault);
    if (code == PA_OK) {
        struct json j = json_of(&text);
        for (size_t i = 0; i < m.count; i++)
            pa_attribute_json(&j, &m.attributes[i]);
        encode(&first, &m);
        if (first.bad || pa_message_decode(&arena, wr_view(&first), NEA_OBSERVER, &m, &fault) != PA_OK)
            abort();
        encode(&second, &m);
        if (!bytes_equal(wr_view(&first), wr_view(&second)))
            abort();
    }
    wr_free(&first);
    wr_free(&second);
    wr_free(&text);
    arena_free(&arena);
    return 0;
}
