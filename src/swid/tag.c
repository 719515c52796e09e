/* Tags as ISO/IEC 19770-2:2015 XML, octet for octet the same on every machine: on one line, without declaration, so
 * that no line end has to be turned into CR LF (SWIMA-R78, R85, RFC 8412 §5.4, RFC 5198). Full tags will add their
 * Payload or Evidence behind put_meta(). */
#include "swid/tag.h"

#include <stddef.h>
#include <string.h>

/* The octets of the character at p that XML and Network Unicode take as it is; 0: none (no UTF-8, a control character
 * of C0 or C1, or U+FFFE, U+FFFF). */
static size_t character(const uint8_t *p, size_t n)
{
    size_t length = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (p[0] < 0x20 || p[0] == 0x7f || length > n || !utf8_valid((struct bytes){p, length}))
        return 0;
    if (p[0] == 0xc2 && p[1] < 0xa0)
        return 0;
    return p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe ? 0 : length;
}

static const char *escape(uint8_t c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    default:
        return NULL;
    }
}

/* One attribute. What cannot stand in XML becomes U+FFFD: names and versions come out of files that anybody may have
 * written (SWIMA-R95, RFC 8412 §8.5). */
static void put_attribute(struct wr *w, const char *name, struct bytes value)
{
    wr_fmt(w, " %s=\"", name);
    for (size_t i = 0; i < value.n;) {
        size_t n = character(value.p + i, value.n - i);
        const char *escaped = n == 1 ? escape(value.p[i]) : NULL;
        if (n == 0)
            wr_str(w, "\xef\xbf\xbd");
        else if (escaped)
            wr_str(w, escaped);
        else
            wr_bytes(w, (struct bytes){value.p + i, n});
        i += n ? n : 1;
    }
    wr_str(w, "\"");
}

/* Ours stand in a namespace of our own, and only where something is known: without them the element is the one that
 * every other generator writes. */
static void put_meta(struct wr *w, const struct swid_tag *tag)
{
    bool first = true;
    wr_str(w, "<Meta");
    put_attribute(w, "product", tag->product);
    for (size_t i = 0; i < SWID_META_COUNT; i++) {
        struct bytes value = *swid_meta_field((struct swid_tag *)(uintptr_t)tag, i);
        if (!value.n)
            continue;
        if (first)
            wr_str(w, " xmlns:muster=\"" SWID_NAMESPACE_MUSTER "\"");
        first = false;
        put_attribute(w, swid_meta[i].qualified, value);
    }
    wr_str(w, "/>");
}

/* SWIMA-R89, R113, RFC 8412 §6.1.1: the creator is whoever generated the tag, never the distribution. */
void swid_tag_write(struct wr *w, const struct swid_tag *tag)
{
    wr_str(w, "<SoftwareIdentity xmlns=\"" SWID_NAMESPACE_2015 "\" xmlns:n8060=\"" SWID_NAMESPACE_N8060 "\"");
    put_attribute(w, "name", tag->name);
    put_attribute(w, "xml:lang", BYTES("en-US"));
    put_attribute(w, "tagId", tag->tag_id);
    put_attribute(w, "version", tag->version);
    put_attribute(w, "versionScheme", BYTES("alphanumeric"));
    wr_str(w, "><Entity");
    put_attribute(w, "name", tag->creator);
    put_attribute(w, "regid", tag->regid);
    put_attribute(w, "role", BYTES("tagCreator"));
    wr_str(w, "/>");
    put_meta(w, tag);
    wr_str(w, "</SoftwareIdentity>");
}

const struct swid_meta swid_meta[SWID_META_COUNT] = {
#define META(field, name) {"muster:" name, SWID_NAMESPACE_MUSTER " " name, offsetof(struct swid_tag, field)}
    META(package, "package"),
    META(arch, "arch"),
    META(source, "source"),
    META(source_version, "source-version"),
    META(manager, "manager"),
#undef META
};

struct bytes *swid_meta_field(struct swid_tag *tag, size_t i)
{
    return (struct bytes *)(void *)((char *)tag + swid_meta[i].offset);
}

/* ---- the product out of an identifier ------------------------------------------------------------------------------ */

/* The identifier's own head, "Debian_12-x86_64", without its package and version; empty if it does not end with them.
 * The journal keeps identifiers of machines that were upgraded since: their tags speak of the system of that time. */
static struct bytes head_of(struct bytes tag_id, struct bytes package, struct bytes version)
{
    struct bytes head = {0};
    if (!package.n || !version.n)
        return head;
    struct wr w = wr_of(0);
    swid_tag_id(&w, &(struct swid_product){BYTES(""), BYTES(""), BYTES("")}, package, version); /* "--package-version" */
    struct bytes tail = wr_view(&w);
    if (!w.bad && tail.n <= tag_id.n + 1 &&
        memcmp(tag_id.p + tag_id.n - (tail.n - 1), tail.p + 1, tail.n - 1) == 0)
        head = (struct bytes){tag_id.p, tag_id.n - (tail.n - 1)};
    wr_free(&w);
    return head;
}

void swid_put_product(struct wr *w, struct bytes tag_id, struct bytes package, struct bytes version)
{
    struct bytes head = head_of(tag_id, package, version);
    size_t machine = head.n;
    while (machine > 0 && head.p[machine - 1] != '-') /* a machine's name has no hyphen, a system's may */
        machine--;
    for (size_t i = 0, underscores = 0; i < head.n; i++) {
        bool version_follows = head.p[i] == '_' && i < machine && underscores++ == 0;
        wr_u8(w, version_follows || i + 1 == machine ? ' ' : head.p[i]);
    }
}
