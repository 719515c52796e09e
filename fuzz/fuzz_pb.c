/* PB-TNC batches in every state and role: what the check lets through can be walked whole. */
#include "nea/internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    enum nea_role role = data[0] & 1;
    enum pb_state state = (data[0] >> 1) % PB_STATE_COUNT;
    struct bytes batch = {data + 1, size - 1};
    const struct pb_step *step;
    struct nea_fault fault;
    if (pb_batch_check(batch, role, state, &step, &fault) != PB_OK) {
        if (!fault.text[0])
            abort();
        return 0;
    }
    if (step->action == PB_DROP || step->action == PB_IGNORE)
        return 0;
    struct pb_message m;
    struct rd r = pb_batch_messages(batch);
    while (pb_message_next(&r, role, batch.p[3] & 15, &m))
        if (!m.ignored && m.type == PB_PA)
            (void)pb_pa_read(m.value);
        else if (!m.ignored && m.type == PB_REASON)
            (void)pb_text_read(m.value);
    if (rd_more(&r))
        abort();
    return 0;
}
