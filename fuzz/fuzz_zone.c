/* Time zones: the first octet picks a rule or a TZif file; any octets are a zone that says one offset for each second and finds the seconds that
 * each local time means, or none. */
#include "base/base.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct bytes octets = {data + 1, size - 1};
    struct zone *z = data[0] & 1 ? zone_of_rule(octets) : zone_of_file(octets);
    for (int64_t t = -62135596800 + 86400 * 2; z && t < 253402300800; t += 86400 * 3653 + 7919) {
        int64_t earliest, latest, local = t + zone_offset(z, t);
        unsigned shown = zone_read(z, local, &earliest, &latest);
        if (earliest > latest || shown > 2 || (shown == 1 && earliest != latest) || (shown == 2 && earliest == latest))
            abort();
        if (shown && (earliest + zone_offset(z, earliest) != local || latest + zone_offset(z, latest) != local))
            abort();
    }
    zone_free(z);
    return 0;
}
