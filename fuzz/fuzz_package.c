/* Package files of every format: any octets give one package before all members, paths that climb nowhere and as much content as was promised,
 * or one line that says why not. */
#include "pkg/package.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
    bool package;
    uint64_t promised;
    size_t members;
};

static bool take_package(void *context, const struct pkg_archive *a)
{
    struct told *t = context;
    if (t->package || !a->manager || !a->package.name.n || !a->package.version.n || !a->package.arch.n || !a->package.source_name.n)
        abort();
    t->package = true;
    return true;
}

static bool take_member(void *context, const struct pkg_member *m)
{
    struct told *t = context;
    if (!t->package || t->promised || !path_is_good(m->file.path) || (m->same_as.n && !path_is_good(m->same_as)))
        abort();
    if ((m->file.kind == PKG_FILE_UNKNOWN) != m->absent || (m->absent && m->unlisted) || (m->delivered && m->file.kind != PKG_FILE_REGULAR) || (m->delivered && m->same_as.n))
        abort();
    if ((m->file.digest.n == 0) != (m->file.hash == PKG_HASH_NONE) || hash_of_size(m->file.digest.n) != m->file.hash || m->mode > 07777)
        abort();
    t->promised = m->delivered ? m->size : 0;
    return ++t->members < 5000;
}

static bool take_content(void *context, struct bytes octets)
{
    struct told *t = context;
    uint8_t sum = 0;
    if (octets.n == 0 || octets.n > t->promised)
        abort();
    for (size_t i = 0; i < octets.n; i++)
        sum ^= octets.p[i];
    t->promised -= octets.n;
    return sum != 77 || octets.n < 9;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct told told = {0};
    struct error error = {""};
    const struct pkg_archive_sink sink = {&told, take_package, take_member, take_content};
    enum pkg_status status = package_read((struct source){.fd = -1, .have = {data, size}, .left = UINT64_MAX}, &sink, &error);
    if (status == PKG_OK ? !told.package || told.promised : error.text[0] == 0)
        abort();
    return 0;
}
