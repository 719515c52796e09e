/* What muster-rpmdb says: any line gives a package whose words are words, or nothing. */
#include "pkg/internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pkg_package p;
    struct wr tag_version = wr_of(1 << 20);
    if (rpm_line_read((struct bytes){data, size}, &p)) {
        if (!is_word(p.name) || !is_word(p.version) || !is_word(p.arch) || !is_word(p.source_name) ||
            !is_word(p.source_version))
            abort();
        pkg_tag_version(&pkg_rpm, &tag_version, p.version, p.arch);
        if (tag_version.bad)
            abort();
    }
    wr_free(&tag_version);
    return 0;
}
