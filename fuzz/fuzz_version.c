/* The orders of versions: the first octet picks one; of three versions any two give opposite answers in opposite
 * directions, each equals itself, and what is not newer than the not newer is not newer. */
#include "pkg/internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t orders = 0;
    while (pkg_orders[orders])
        orders++;
    if (size == 0)
        return 0;
    const struct pkg_order *o = pkg_orders[data[0] % orders];
    struct bytes b = {data + 1, size - 1}, a = bytes_split(&b, '\n'), c = b;
    b = bytes_split(&c, '\n');
    int ab = o->compare(a, b), bc = o->compare(b, c), ac = o->compare(a, c);
    if (o->compare(a, a) != 0 || ab != -o->compare(b, a))
        abort();
    /* libalpm's order, which ours must be, is none: 1 is neither older nor newer than 1-1 and than 1-2. */
    if (o == &pacman_order || o->fault(a) || o->fault(b) || o->fault(c))
        return 0;
    if ((ab <= 0 && bc <= 0 && ac > 0) || (ab >= 0 && bc >= 0 && ac < 0))
        abort();
    return 0;
}
