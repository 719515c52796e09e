#include "pkg/package.h"

#include <string.h>
#include <zlib.h>

/* A tar archive whose .PKGINFO says what it is: lines "key = value". pacman's (PKGBUILD(5), alpm-package(7)) has .MTREE beside it, what its builder measured of
 * each file. apk's (apk-package(5)) is three gzip streams, signature, control and data, which unpacked one behind the other are one archive. */

struct info {
    struct package_reading *r;
    struct wr text, mtree;
    struct path_facts backup, measured;
    struct arena arena;
    bool told, is_apk;
};

static struct bytes value_of(struct bytes line, struct bytes *key)
{
    *key = bytes_trim(bytes_split(&line, '='));
    return bytes_trim(line);
}

/* The values of a key, with ", " between; empty if it is not there. */
static struct bytes values(struct info *f, const char *wanted)
{
    struct bytes rest = wr_view(&f->text), name = bytes_of(wanted), key;
    struct wr all = wr_of((size_t)1 << 20);
    while (rest.n) {
        struct bytes line = bytes_split(&rest, '\n'), value = value_of(line, &key);
        if (bytes_equal(key, name)) {
            wr_str(&all, all.n ? ", " : "");
            wr_bytes(&all, value);
        }
    }
    struct bytes copy = arena_copy(&f->arena, wr_view(&all));
    wr_free(&all);
    return copy;
}

/* "backup = etc/x": what pacman keeps where it was changed. */
static void read_backup(struct info *f)
{
    struct bytes rest = wr_view(&f->text), key;
    while (rest.n) {
        struct bytes line = bytes_split(&rest, '\n'), value = value_of(line, &key);
        if (bytes_equal(key, BYTES("backup")) && value.n)
            path_facts_add(&f->backup, value, (struct bytes){0});
    }
    path_facts_sort(&f->backup);
}

static bool tell_package(struct info *f)
{
    f->is_apk = f->is_apk || values(f, "datahash").n > 0; /* apk's control part names the hash of the data that follows */
    struct pkg_archive a = {
        .manager = f->is_apk ? &pkg_apk : &pkg_pacman,
        .package = {.name = values(f, "pkgname"),
                    .version = values(f, "pkgver"),
                    .arch = values(f, "arch"),
                    .source_name = values(f, f->is_apk ? "origin" : "pkgbase"),
                    .state = PKG_STATE_INSTALLED,
                    .installed_at = TIME_UNKNOWN},
        .summary = values(f, "pkgdesc"),
        .licence = values(f, "license"),
        .homepage = values(f, "url"),
    };
    read_backup(f);
    if (f->arena.exhausted || f->backup.no_memory)
        return package_fail(f->r, PKG_NO_MEMORY, "no memory");
    if (!is_word(a.package.source_name))
        a.package.source_name = a.package.name;
    a.package.source_version = a.package.version;
    if (!is_word(a.package.name) || !is_word(a.package.version) || !is_word(a.package.arch))
        return package_fail(f->r, PKG_DAMAGED, "its .PKGINFO has no good pkgname, pkgver and arch");
    f->told = true;
    return package_tell(f->r, &a);
}

/* Unpacks .MTREE, which is gzipped. What cannot be read tells nothing. */
static void read_mtree(struct info *f, struct bytes packed)
{
    uint8_t block[65536];
    z_stream z = {.next_in = (Bytef *)(uintptr_t)packed.p, .avail_in = (uInt)packed.n};
    int got = inflateInit2(&z, 15 + 16);
    if (got != Z_OK)
        return;
    while (got == Z_OK && !f->mtree.bad) {
        z.next_out = block;
        z.avail_out = sizeof block;
        got = inflate(&z, Z_NO_FLUSH);
        wr_bytes(&f->mtree, (struct bytes){block, sizeof block - z.avail_out});
    }
    inflateEnd(&z);
    if (got == Z_STREAM_END && package_count(f->r, f->mtree.n))
        pacman_mtree_read(wr_view(&f->mtree), &f->measured);
}

/* What the managers keep for themselves. False: a file of the package. */
static bool take_own(struct info *f, struct tar *t)
{
    if (t->name.n < 2 || t->name.p[0] != '.' || t->name.p[1] == '/' || memchr(t->name.p, '/', t->name.n))
        return false;
    struct wr packed = wr_of((size_t)16 << 20);
    if (bytes_equal(t->name, BYTES(".PKGINFO")) && t->member.delivered && !f->told) {
        if (tar_slurp(t, &f->text))
            (void)tell_package(f);
    } else if (bytes_equal(t->name, BYTES(".MTREE")) && t->member.delivered && !f->mtree.n) {
        if (tar_slurp(t, &packed))
            read_mtree(f, wr_view(&packed));
    } else
        f->is_apk |= bytes_starts(t->name, BYTES(".SIGN."));
    wr_free(&packed);
    return true;
}

static bool tell_member(struct info *f, struct tar *t)
{
    struct pkg_file *file = &t->member.file, measured = {0};
    struct bytes path = file->path, below = {path.p + 1, path.n - 1};
    uint8_t digest[64];
    if (!f->told)
        return package_fail(f->r, PKG_ABSENT, "no package: there is no .PKGINFO before its files");
    if (file->kind == PKG_FILE_REGULAR) {
        const struct bytes *words = path_facts_find(&f->measured, path);
        file->config = f->is_apk ? apk_protects(below) : path_facts_find(&f->backup, below) != NULL;
        if (words)
            pacman_take_measured(*words, &measured, digest);
        file->hash = measured.hash;
        file->digest = measured.digest;
    }
    return tar_tell(t);
}

void package_read_pkginfo(struct package_reading *r)
{
    struct info f = {r, wr_of((size_t)4 << 20), wr_of((size_t)64 << 20), .arena = arena_of((size_t)8 << 20)};
    struct tar *t = tar_open(r);
    bool more = true;
    while (t && more && tar_next(t))
        more = take_own(&f, t) || t->member.file.path.n == 0 || tell_member(&f, t);
    if (r->status == PKG_OK && !f.told)
        package_fail(r, PKG_ABSENT, "no package: there is no .PKGINFO in it");
    tar_close(t);
    wr_free(&f.text);
    wr_free(&f.mtree);
    path_facts_free(&f.backup);
    path_facts_free(&f.measured);
    arena_free(&f.arena);
}
