/* What muster-rpmdb says of dnf's history: transactions whose items are words, oldest first, and no package that came goes
 * in the same one. */
#include "pkg/internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dnf_history h = {.lines = lines_of((struct bytes){data, size})};
    struct dnf_transaction t;
    while (dnf_transaction_next(&h, &t))
        for (size_t i = 0; i < t.count; i++) {
            const struct dnf_item *item = &t.items[i];
            if (!is_word(item->name) || !is_word(item->version) || !is_word(item->arch) ||
                (i && t.items[i - 1].time > item->time) || item->time < t.begin)
                abort();
        }
    free(h.items);
    return 0;
}
