/* Bills of materials: the table of formats, and what they share. */
#include "swid/bill.h"

#include <string.h>

const struct swid_bill_format swid_bill_formats[] = {
    {"cyclonedx", "CycloneDX 1.6, JSON", bill_write_cyclonedx},
    {"spdx", "SPDX 2.3, JSON", bill_write_spdx},
    {NULL, NULL, NULL},
};

const struct swid_bill_format *swid_bill_format_find(const char *name)
{
    for (const struct swid_bill_format *f = swid_bill_formats; f->name; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

/* With their lengths: no two lists look the same. */
static void put_texts(struct wr *w, const struct bytes *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        wr_u32(w, texts[i].n);
        wr_bytes(w, texts[i]);
    }
}

bool swid_bill_identify(const struct swid_bill *b, const struct swid_bill_format *format, struct wr *w)
{
    const struct swid_distribution *d = &b->distribution;
    const struct bytes machine[] = {b->name, d->id, d->version, d->pretty, d->cpe};
    wr_fmt(w, "muster bill 1\n%s\n%s\n%lld %lld %d %d\n", format->name, b->tool, (long long)b->created, (long long)b->at, b->incomplete,
           b->files != NULL);
    put_texts(w, machine, ARRAY_LENGTH(machine));
    for (size_t i = 0; i < b->count; i++) {
        struct swid_component c;
        if (!b->component(b->context, i, &c))
            return false;
        const struct bytes texts[] = {c.manager, c.name,    c.version,  c.arch,       c.source,  c.source_version,
                                      c.tag_id,  c.summary, c.homepage, c.maintainer, c.licence, c.state};
        put_texts(w, texts, ARRAY_LENGTH(texts));
    }
    return true;
}

void bill_put_uuid(struct wr *w, const uint8_t uuid[16])
{
    for (size_t i = 0; i < 16; i++) {
        unsigned octet = uuid[i];
        if (i == 6)
            octet = (octet & 0x0f) | 0x80;
        if (i == 8)
            octet = (octet & 0x3f) | 0x80;
        wr_fmt(w, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", octet);
    }
}

const char *bill_hash_name(const char *hash, bool dash)
{
    static const struct {
        const char *hash, *with, *without;
    } names[] = {
        {"md5", "MD5", "MD5"},          {"sha1", "SHA-1", "SHA1"},      {"sha256", "SHA-256", "SHA256"},
        {"sha384", "SHA-384", "SHA384"}, {"sha512", "SHA-512", "SHA512"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (strcmp(names[i].hash, hash) == 0)
            return dash ? names[i].with : names[i].without;
    return NULL;
}

struct bytes bill_exact(struct wr *w, struct bytes path)
{
    wr_reset(w);
    if (utf8_valid(path))
        return (struct bytes){0};
    for (size_t i = 0; i < path.n; i++)
        wr_fmt(w, path.p[i] < 0x20 || path.p[i] > 0x7e || path.p[i] == '%' ? "%%%02X" : "%c", path.p[i]);
    return wr_view(w);
}

bool bill_is_uri(struct bytes text)
{
    static const char *const schemes[] = {"https://", "http://", "ftp://"};
    bool good = false;
    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++)
        good |= bytes_starts(text, bytes_of(schemes[i])) && text.n > strlen(schemes[i]);
    for (size_t i = 0; i < text.n; i++)
        good &= text.p[i] > ' ' && text.p[i] < 0x7f && !strchr("\"<>\\^`{|}", text.p[i]);
    return good;
}
