#include "pkg/package.h"

#include <string.h>
#include <strings.h>

/* deb(5): an ar archive of debian-binary, control.tar*, data.tar*, in this order; what begins with an underscore may stand between them, and
 * anything behind them. control.tar has the stanza, the configuration files (deb-conffiles(5)) and their MD5 (deb-md5sums(5)). */

struct deb {
    struct package_reading *r;
    struct wr control, md5sums, conffiles;
    struct path_facts sums, config;
};

/* ---- ar ------------------------------------------------------------------------------------------------------------------ */

#define AR_HEADER 60

/* The next member: its name is in `header`, and the source's part is its content. False: there is none, or it is none. */
static bool ar_next(struct package_reading *r, uint8_t header[AR_HEADER], struct bytes *name, uint64_t *size)
{
    if (source_peek(r, 1).n == 0)
        return package_fail(r, PKG_DAMAGED, "it has no %s: cut off", r->source.at < 200 ? "control.tar" : "data.tar");
    if (!source_take(r, header, AR_HEADER))
        return false;
    *name = bytes_trim((struct bytes){header, 16});
    if (name->n && name->p[name->n - 1] == '/')
        name->n--;
    if (header[58] != '`' || header[59] != '\n' || !bytes_number(bytes_trim((struct bytes){header + 48, 10}), size))
        return package_fail(r, PKG_DAMAGED, "no ar member at octet %llu", (unsigned long long)r->source.at - AR_HEADER);
    return true;
}

/* The member whose name begins so becomes the source's part. */
static bool enter(struct package_reading *r, struct bytes wanted, uint64_t *size)
{
    uint8_t header[AR_HEADER];
    struct bytes name;
    while (ar_next(r, header, &name, size)) {
        if (bytes_starts(name, wanted)) {
            r->source.left = *size;
            return true;
        }
        if (!bytes_starts(name, BYTES("_")))
            return package_fail(r, PKG_DAMAGED, "\"%.*s\" stands where %.*s should", (int)name.n, (const char *)name.p, (int)wanted.n,
                                (const char *)wanted.p);
        if (!source_skip(r, *size + (*size & 1)))
            return false;
    }
    return false;
}

static bool leave(struct package_reading *r, uint64_t size)
{
    bool whole = source_skip(r, r->source.left);
    r->source.left = UINT64_MAX;
    return whole && (source_peek(r, 1).n == 0 || !(size & 1) || source_skip(r, 1));
}

/* ---- control -------------------------------------------------------------------------------------------------------------- */

/* The first line of a field of the first stanza. */
static struct bytes field(struct bytes control, const char *name)
{
    size_t n = strlen(name);
    while (control.n) {
        struct bytes line = bytes_split(&control, '\n');
        if (line.n > n && line.p[n] == ':' && strncasecmp((const char *)line.p, name, n) == 0)
            return bytes_trim((struct bytes){line.p + n + 1, line.n - n - 1});
    }
    return (struct bytes){0};
}

static bool tell_package(struct deb *d)
{
    struct bytes control = wr_view(&d->control);
    struct pkg_archive a = {
        .manager = &pkg_dpkg,
        .package = {.name = field(control, "Package"),
                    .version = field(control, "Version"),
                    .arch = field(control, "Architecture"),
                    .state = PKG_STATE_INSTALLED,
                    .installed_at = TIME_UNKNOWN},
        .summary = field(control, "Description"),
        .homepage = field(control, "Homepage"),
    };
    deb822_source(field(control, "Source"), &a.package);
    if (!is_word(a.package.name) || !is_word(a.package.version) || !is_word(a.package.arch))
        return package_fail(d->r, PKG_DAMAGED, "its control file has no good Package, Version and Architecture");
    return package_tell(d->r, &a);
}

static bool read_control(struct deb *d)
{
    const struct {
        const char *path;
        struct wr *to;
    } files[] = {{"/control", &d->control}, {"/md5sums", &d->md5sums}, {"/conffiles", &d->conffiles}};
    struct tar *t = tar_open(d->r);
    while (t && tar_next(t))
        for (size_t i = 0; i < ARRAY_LENGTH(files); i++)
            if (t->member.delivered && strcmp(t->path, files[i].path) == 0) {
                wr_reset(files[i].to);
                tar_slurp(t, files[i].to);
            }
    tar_close(t);
    dpkg_md5sums_read(wr_view(&d->md5sums), &d->sums);
    dpkg_conffiles_read(wr_view(&d->conffiles), &d->config);
    path_facts_sort(&d->config);
    if (d->sums.no_memory || d->config.no_memory)
        package_fail(d->r, PKG_NO_MEMORY, "no memory");
    return d->r->status == PKG_OK && tell_package(d);
}

/* ---- what it says of its files -------------------------------------------------------------------------------------------- */

/* Whoever builds a package lists no configuration files, and may list nothing at all. */
static void take_sum(struct deb *d, struct pkg_member *m, uint8_t digest[64])
{
    struct pkg_file *f = &m->file;
    struct bytes *sum = (struct bytes *)(uintptr_t)path_facts_find(&d->sums, (struct bytes){f->path.p + 1, f->path.n - 1});
    if (f->kind == PKG_FILE_REGULAR) {
        f->config = path_facts_find(&d->config, f->path) != NULL;
        f->digest = digest_of_hex(sum ? *sum : (struct bytes){0}, PKG_HASH_MD5, digest);
        f->hash = f->digest.n ? PKG_HASH_MD5 : PKG_HASH_NONE;
        m->unlisted = !sum && !f->config && d->sums.count;
    }
    if (sum)
        sum->n = 0; /* it is there */
}

static bool tell_absent(struct deb *d)
{
    char path[PATH_MAX];
    bool more = true;
    for (size_t i = 0; i < d->sums.count && more; i++) {
        const struct path_fact *fact = &d->sums.items[i];
        uint8_t digest[64];
        struct pkg_member m = {.absent = true};
        if (fact->fact.n == 0)
            continue;
        if (!package_path(fact->path, path, &m.file.path) || m.file.path.n == 0)
            return package_fail(d->r, PKG_DAMAGED, "its md5sums list a path that leads out of the package, or is none: refused");
        m.file.real_path = m.file.path;
        m.file.digest = digest_of_hex(fact->fact, PKG_HASH_MD5, digest);
        m.file.hash = m.file.digest.n ? PKG_HASH_MD5 : PKG_HASH_NONE;
        more = package_tell_member(d->r, &m);
    }
    return more;
}

/* ---- data ------------------------------------------------------------------------------------------------------------------ */

static bool read_data(struct deb *d)
{
    struct tar *t = tar_open(d->r);
    while (t && tar_next(t)) {
        uint8_t digest[64];
        if (t->member.file.path.n == 0)
            continue; /* the root itself */
        take_sum(d, &t->member, digest);
        if (!tar_tell(t))
            break;
    }
    tar_close(t);
    return d->r->status == PKG_OK && tell_absent(d);
}

static bool read_format(struct package_reading *r)
{
    uint8_t text[2];
    uint64_t size;
    if (!source_skip(r, 8) || !enter(r, BYTES("debian-binary"), &size) || !source_take(r, text, 2))
        return false;
    if (text[0] != '2' || text[1] != '.')
        return package_fail(r, PKG_DAMAGED, "a .deb of another format than 2");
    return leave(r, size);
}

void package_read_deb(struct package_reading *r)
{
    struct deb d = {r, wr_of((size_t)1 << 20), wr_of(FILE_LIST_MAX), wr_of((size_t)16 << 20), .sums = {0}};
    uint64_t size;
    if (read_format(r) && enter(r, BYTES("control.tar"), &size) && read_control(&d) && leave(r, size) && enter(r, BYTES("data.tar"), &size) &&
        read_data(&d))
        (void)leave(r, size);
    wr_free(&d.control);
    wr_free(&d.md5sums);
    wr_free(&d.conffiles);
    path_facts_free(&d.sums);
    path_facts_free(&d.config);
}
