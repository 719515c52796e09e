/* The lists of packages' files, of every manager: any octets give absolute paths that climb nowhere and digests of their hash's size, or are
 * passed over. The first octet says which list; a zero octet parts its pieces. */
#include "pkg/internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool take(void *context, const struct pkg_file *f)
{
    (void)context;
    uint8_t octets[64];
    if (!path_is_good(f->path) || !path_is_good(f->real_path) || (f->digest.n == 0) != (f->hash == PKG_HASH_NONE))
        abort();
    if (f->digest.n && hash_of_size(f->digest.n) != f->hash)
        abort();
    memcpy(octets, f->digest.p ? f->digest.p : octets, f->digest.n);
    return f->path.n != 77;
}

static void tell_rpm(struct bytes text, const struct pkg_sink *sink)
{
    while (text.n) {
        struct pkg_file f;
        uint8_t digest[64];
        if (rpm_file_read(bytes_split(&text, '\n'), &f, digest))
            sink->file(NULL, &f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct pkg_sink sink = {.file = take};
    struct path_facts diversions = {0};
    enum pkg_status status = PKG_OK;
    struct wr text = wr_of(0); /* some readers undo escapes in place */
    wr_bytes(&text, (struct bytes){data, size});
    struct bytes rest = wr_view(&text), piece[5], which = {rest.p, rest.n ? 1 : 0};
    rest = (struct bytes){rest.p + which.n, rest.n - which.n};
    for (size_t i = 0; i < ARRAY_LENGTH(piece); i++)
        piece[i] = bytes_split(&rest, 0);
    struct dpkg_lists lists = {piece[0], piece[1], piece[2], piece[3], BYTES("dash"), &diversions, "list"};
    switch (which.n ? which.p[0] & 3 : 0) {
    case 0:
        dpkg_diversions_read(piece[4], &diversions);
        status = dpkg_lists_tell(&lists, &sink);
        break;
    case 1:
        status = pacman_lists_tell(piece[0], piece[1], "files", &sink);
        break;
    case 2:
        status = apk_stanza_tell(piece[0], piece[1], "installed", &sink);
        break;
    default:
        tell_rpm(piece[0], &sink);
    }
    if (status != PKG_OK && status != PKG_DAMAGED && status != PKG_STOPPED)
        abort();
    path_facts_free(&diversions);
    wr_free(&text);
    return 0;
}
