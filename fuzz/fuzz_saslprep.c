/* Names and passwords of strangers: what is prepared is text that a login may be made of, or nothing. */
#include "net/net.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t out[255];
    size_t n = net_saslprep((struct bytes){data, size}, out, sizeof out);
    if (n > sizeof out || (n && (memchr(out, 0, n) || !utf8_valid((struct bytes){out, n}))))
        abort();
    return 0;
}
