/* The PT-TLS stream as it comes, in cuts that the input chooses; both roles, both ends of the connection. */
#include "nea/nea.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct nea_config config = {
        .role = data[0] & 1, .initiator = data[0] & 2, .require_sasl = data[0] & 4, .limits = {.max_rounds = 8}};
    size_t chunk = data[1] ? data[1] : size;
    struct nea_session *s = nea_session_new(&config, 0);
    struct wr out = wr_of(0);
    for (size_t at = 2; at < size; at += chunk) {
        nea_session_feed(s, (struct bytes){data + at, size - at < chunk ? size - at : chunk}, at);
        nea_session_out(s, &out);
    }
    if (out.n > 4096 + 64 * size)
        abort();
    nea_session_tick(s, UINT32_MAX);
    nea_session_out(s, &out);
    nea_session_free(s);
    wr_free(&out);
    return 0;
}
