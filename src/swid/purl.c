/* What packages are called elsewhere: package URLs, CPE names. */
#include "swid/bill.h"

#include <string.h>

static bool is_alnum(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 32 : c;
}

/* ---- package URLs ----------------------------------------------------------------------------------------------------- */

void bill_put_encoded(struct wr *w, struct bytes text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (is_alnum(c) || (c && strchr("-._~:", c)))
            wr_u8(w, c);
        else
            wr_bytes(w, (struct bytes){(const uint8_t[]){'%', (uint8_t)digits[c >> 4], (uint8_t)digits[c & 15]}, 3});
    }
}

void swid_purl(struct wr *w, const char *type, struct bytes space, struct bytes name, struct bytes version,
               const struct swid_qualifier *qualifiers, size_t count)
{
    bool first = true;
    wr_fmt(w, "pkg:%s/", type);
    while (space.n) {
        struct bytes part = bytes_split(&space, '/');
        bill_put_encoded(w, part);
        wr_str(w, part.n ? "/" : "");
    }
    bill_put_encoded(w, name);
    if (version.n) {
        wr_str(w, "@");
        bill_put_encoded(w, version);
    }
    for (size_t i = 0; i < count; i++) {
        if (qualifiers[i].value.n == 0)
            continue;
        wr_fmt(w, "%c%s=", first ? '?' : '&', qualifiers[i].key);
        bill_put_encoded(w, qualifiers[i].value);
        first = false;
    }
}

/* How the packages of a manager are named: purl-spec, types/. */
static const struct ecosystem {
    const char *manager, *type;
    bool lower;       /* names are in lower case, whatever they say */
    bool epoch_apart; /* the epoch is a qualifier, and `upstream` the file of the source package */
} ecosystems[] = {
    {"dpkg", "deb", .lower = true},
    {"rpm", "rpm", .epoch_apart = true},
    {"apk", "apk", .lower = true},
    {"pacman", "alpm", .lower = true},
    {"", "generic", .lower = false}, /* snaps and flatpaks have no type, and no distribution */
};

static const struct ecosystem *ecosystem_of(const struct swid_component *c)
{
    const struct ecosystem *e = ecosystems;
    while (e->manager[0] && !bytes_equal(bytes_of(e->manager), c->manager))
        e++;
    return e;
}

bool bill_is_of_os(const struct swid_component *c)
{
    return ecosystem_of(c)->manager[0] != 0;
}

/* "1:2.3-4" to "2.3-4"; the epoch without its colon. */
static struct bytes cut_epoch(struct bytes *version)
{
    struct bytes rest = *version, epoch = bytes_split(&rest, ':');
    uint64_t number;
    if (!rest.p || !bytes_number(epoch, &number))
        return (struct bytes){0};
    *version = rest;
    return epoch;
}

static struct bytes put_lower(struct wr *w, struct bytes text)
{
    size_t from = w->n;
    for (size_t i = 0; i < text.n; i++)
        wr_u8(w, lower(text.p[i]));
    return w->bad ? (struct bytes){0} : (struct bytes){(const uint8_t *)(uintptr_t)from, text.n};
}

/* The source package, where it is not this package itself, as scanners write it: NAME, NAME@VERSION if the version is another
 * one, too; of rpm the file's name. */
static void put_upstream(struct wr *w, const struct ecosystem *e, const struct swid_component *c)
{
    struct bytes version = c->source_version;
    bool same_name = c->source.n == 0 || bytes_equal(c->source, c->name);
    bool same_version = version.n == 0 || bytes_equal(version, c->version);
    if (e->epoch_apart && !same_name) {
        cut_epoch(&version);
        wr_fmt(w, "%.*s-%.*s.src.rpm", (int)c->source.n, (const char *)c->source.p, (int)version.n, version.n ? (const char *)version.p : "");
    } else if (!e->epoch_apart && (!same_name || !same_version)) {
        wr_bytes(w, same_name ? c->name : c->source);
        wr_str(w, same_version ? "" : "@");
        wr_bytes(w, same_version ? (struct bytes){0} : version);
    }
}

/* Both writers' text may move while it grows: a view is taken when nothing is added any more. */
static struct bytes settle(const struct wr *w, struct bytes offset)
{
    return offset.n ? (struct bytes){w->p + (uintptr_t)offset.p, offset.n} : offset;
}

void swid_component_purl(struct wr *w, const struct swid_distribution *d, const struct swid_component *c)
{
    const struct ecosystem *e = ecosystem_of(c);
    bool of_os = bill_is_of_os(c);
    struct wr text = wr_of(0);
    struct bytes version = c->version, epoch = e->epoch_apart ? cut_epoch(&version) : (struct bytes){0};
    struct bytes space = of_os ? put_lower(&text, d->id) : (struct bytes){0};
    struct bytes name = e->lower ? put_lower(&text, c->name) : c->name;
    size_t distro_at = text.n;
    wr_bytes(&text, d->id);
    wr_str(&text, d->version.n ? "-" : "");
    wr_bytes(&text, d->version);
    size_t upstream_at = text.n;
    put_upstream(&text, e, c);
    if (!text.bad) {
        struct bytes all = wr_view(&text);
        const struct swid_qualifier qualifiers[] = {
            {"arch", c->arch},
            {"distro", of_os ? (struct bytes){all.p + distro_at, upstream_at - distro_at} : (struct bytes){0}},
            {"epoch", bytes_equal(epoch, BYTES("0")) ? (struct bytes){0} : epoch},
            {"upstream", {all.p + upstream_at, all.n - upstream_at}},
        };
        swid_purl(w, e->type, settle(&text, space), e->lower ? settle(&text, name) : name, version, qualifiers, ARRAY_LENGTH(qualifiers));
    }
    w->bad |= text.bad;
    wr_free(&text);
}

/* ---- CPE ------------------------------------------------------------------------------------------------------------------ */

/* NISTIR 7695 §6.2: letters in lower case, and _ - . stand as they are, other punctuation behind a backslash; a blank is an underscore. A lone
 * hyphen would mean "not applicable". */
static void put_cpe_value(struct wr *w, struct bytes value)
{
    if (value.n == 0)
        wr_str(w, "*");
    for (size_t i = 0; i < value.n; i++) {
        uint8_t c = value.p[i];
        bool plain = is_alnum(c) || c == '_' || c == '.' || (c == '-' && value.n > 1), printable = c > ' ' && c < 0x7f;
        wr_str(w, plain || !printable ? "" : "\\");
        wr_u8(w, printable ? lower(c) : '_');
    }
}

void swid_cpe(struct wr *w, struct bytes vendor, struct bytes product, struct bytes version)
{
    const struct bytes values[] = {vendor, product, version};
    wr_str(w, "cpe:2.3:a");
    for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
        wr_str(w, ":");
        put_cpe_value(w, values[i]);
    }
    wr_str(w, ":*:*:*:*:*:*:*");
}

/* Source packages whose vendor and product in NVD's dictionary are beyond doubt. Of others nobody here knows the vendor. */
static const struct {
    const char *source, *vendor, *product;
} vendors[] = {
    {"bash", "gnu", "bash"},           {"bind9", "isc", "bind"},         {"binutils", "gnu", "binutils"},
    {"busybox", "busybox", "busybox"}, {"coreutils", "gnu", "coreutils"}, {"curl", "haxx", "curl"},
    {"expat", "libexpat_project", "libexpat"},                           {"git", "git-scm", "git"},
    {"glibc", "gnu", "glibc"},         {"gnutls28", "gnu", "gnutls"},     {"grep", "gnu", "grep"},
    {"gzip", "gnu", "gzip"},           {"krb5", "mit", "kerberos_5"},     {"libxml2", "xmlsoft", "libxml2"},
    {"openssh", "openbsd", "openssh"}, {"openssl", "openssl", "openssl"}, {"perl", "perl", "perl"},
    {"python3.11", "python", "python"}, {"samba", "samba", "samba"},      {"sed", "gnu", "sed"},
    {"sqlite3", "sqlite", "sqlite"},   {"sudo", "sudo_project", "sudo"}, {"tar", "gnu", "tar"},
    {"vim", "vim", "vim"},             {"wget", "gnu", "wget"},           {"zlib", "zlib", "zlib"},
};

/* The version that upstream gave it: without epoch, revision and what Debian adds when it repacks the source. */
static struct bytes upstream_version(struct bytes version)
{
    static const char *const repacked[] = {"+dfsg", "~dfsg", ".dfsg", "+ds", "+repack"};
    cut_epoch(&version);
    for (size_t n = version.n; n > 0; n--)
        if (version.p[n - 1] == '-') {
            version.n = n - 1;
            break;
        }
    for (size_t i = 0; i < ARRAY_LENGTH(repacked); i++) {
        const uint8_t *found = version.n ? memmem(version.p, version.n, repacked[i], strlen(repacked[i])) : NULL;
        if (found)
            version.n = (size_t)(found - version.p);
    }
    return version;
}

void swid_component_cpe(struct wr *w, const struct swid_component *c)
{
    struct bytes product = c->source.n ? c->source : c->name, vendor = {0};
    struct bytes version = c->source.n && c->source_version.n ? c->source_version : c->version;
    for (size_t i = 0; i < ARRAY_LENGTH(vendors); i++)
        if (bytes_equal(product, bytes_of(vendors[i].source))) {
            vendor = bytes_of(vendors[i].vendor);
            product = bytes_of(vendors[i].product);
            break;
        }
    swid_cpe(w, vendor, product, bill_is_of_os(c) ? upstream_version(version) : version);
}

/* Operating systems whose os-release does not say CPE_NAME. */
static const struct {
    const char *id, *vendor_product;
} systems[] = {
    {"debian", "debian:debian_linux"},
    {"ubuntu", "canonical:ubuntu_linux"},
    {"alpine", "alpinelinux:alpine_linux"},
    {"rhel", "redhat:enterprise_linux"},
};

void bill_put_os_cpe(struct wr *w, const struct swid_distribution *d)
{
    wr_bytes(w, d->cpe);
    for (size_t i = 0; i < ARRAY_LENGTH(systems) && d->cpe.n == 0 && d->version.n; i++)
        if (bytes_equal(d->id, bytes_of(systems[i].id))) {
            wr_fmt(w, "cpe:2.3:o:%s:", systems[i].vendor_product);
            put_cpe_value(w, d->version);
            /* NVD's Debian has a minor version, which os-release does not: 12 is 12.0. */
            wr_str(w, memchr(d->version.p, '.', d->version.n) ? "" : ".0");
            wr_str(w, ":*:*:*:*:*:*:*");
        }
}

/* ---- SPDX identifiers -------------------------------------------------------------------------------------------------------- */

void swid_spdx_id(struct wr *w, struct bytes text)
{
    for (size_t i = 0; i < text.n; i++)
        if (is_alnum(text.p[i]) || text.p[i] == '.')
            wr_u8(w, text.p[i]);
        else if (text.p[i] == '-')
            wr_str(w, "--");
        else
            wr_fmt(w, "-%02X", text.p[i]);
}
