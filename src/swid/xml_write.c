/* Tags as ISO/IEC 19770-2:2015 XML, octet for octet the same on every machine, in the layouts of swidGenerator and in
 * the one of a SWIMA record: without declaration on one line, so that no line end has to be turned into CR LF
 * (SWIMA-R78, R85, RFC 8412 §5.4, RFC 5198). */
#include "swid/model.h"

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
    case '\t':
        return "&#09;";
    case '\n':
        return "&#10;";
    case '\r':
        return "&#13;";
    default:
        return NULL;
    }
}

/* What cannot stand in XML becomes U+FFFD: names and versions come out of files that anybody may have written
 * (SWIMA-R95, RFC 8412 §8.5). Octets are copied in runs, as almost none is escaped. */
void swid_put_escaped(struct wr *w, struct bytes text, bool controls)
{
    size_t from = 0;
    if (!text.n) /* and perhaps no pointer to add to */
        return;
    for (size_t i = swid_plain(text), n; i < text.n; i += n ? n : 1) {
        n = swid_writable(text.p + i, text.n - i, controls);
        const char *other = n == 0 ? "\xef\xbf\xbd" : n == 1 ? escape(text.p[i]) : NULL;
        if (!other)
            continue;
        wr_bytes(w, (struct bytes){text.p + from, i - from});
        wr_str(w, other);
        from = i + 1;
    }
    wr_bytes(w, (struct bytes){text.p + from, text.n - from});
}

static bool holds_controls(const struct swid_xml *x)
{
    return x->layout != SWID_RECORD;
}

static void declare(struct swid_xml *x, enum swid_namespace space, unsigned *declared)
{
    if (*declared >> space & 1)
        return;
    *declared |= 1U << space;
    wr_fmt(x->w, " xmlns:%s=\"%s\"", swid_namespaces[space].prefix, swid_namespaces[space].uri);
}

/* Ours, and what a foreign tag brings, are declared where they first stand: without them the element is the one that
 * every other generator writes. */
static void put_attributes(struct swid_xml *x, const struct swid_node *node)
{
    const struct swid_element_row *e = &swid_elements[node->element];
    unsigned declared = x->declared;
    char name[40];
    for (const struct swid_row *r = e->rows; r < e->rows + e->count; r++) {
        if (!node->value[r->attribute].p)
            continue;
        declare(x, r->space, &declared);
        wr_u8(x->w, ' ');
        wr_bytes(x->w, swid_qualified(r, name));
        wr_str(x->w, "=\"");
        swid_put_escaped(x->w, node->value[r->attribute], holds_controls(x));
        wr_u8(x->w, '"');
    }
}

static void put_namespaces(struct swid_xml *x)
{
    wr_str(x->w, " xmlns=\"" SWID_NAMESPACE_2015 "\"");
    x->declared = 1U << NS_NONE | 1U << NS_XML;
    declare(x, NS_N8060, &x->declared);
    for (unsigned i = 0; i < 3; i++)
        if (x->hashes >> i & 1)
            declare(x, NS_SHA256 + i, &x->declared);
    if (x->schema_location)
        wr_str(x->w,
               " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"" SWID_NAMESPACE_2015
               " http://standards.iso.org/iso/19770/-2/2015-current/schema.xsd"
               " http://csrc.nist.gov/ns/swid/2015-extensions/1.0"
               " http://csrc.nist.gov/schema/swid/2015-extensions/swid-2015-extensions-1.0.xsd\"");
}

static void break_line(struct swid_xml *x, unsigned depth)
{
    if (x->layout != SWID_PRETTY)
        return;
    wr_u8(x->w, '\n');
    while (depth--)
        wr_str(x->w, "  ");
}

/* Rare, and a node is a large thing to copy. */
static void put_exact_attributes(struct swid_xml *x, const struct swid_node *node)
{
    struct arena a = arena_of(SIZE_MAX);
    struct swid_node exact = *node;
    if (!swid_node_exact(&exact, holds_controls(x), &a))
        x->sink.failed = SWID_NO_MEMORY;
    put_attributes(x, &exact);
    arena_free(&a);
}

static void on_open(struct swid_sink *s, const struct swid_node *node)
{
    struct swid_xml *x = (struct swid_xml *)s;
    if (x->depth == 0 && x->layout != SWID_RECORD)
        wr_str(x->w, "<?xml version=\"1.0\" encoding=\"utf-8\"?>");
    if (x->started)
        wr_u8(x->w, '>');
    if (x->depth > 0 || x->layout == SWID_PRETTY)
        break_line(x, x->depth);
    wr_u8(x->w, '<');
    wr_str(x->w, swid_elements[node->element].name);
    if (x->depth == 0)
        put_namespaces(x);
    if (swid_node_is_clean(node, holds_controls(x)))
        put_attributes(x, node);
    else
        put_exact_attributes(x, node);
    x->depth++;
    x->started = true;
    if (x->w->bad && s->failed == SWID_OK)
        s->failed = SWID_TOO_LARGE;
}

static void on_close(struct swid_sink *s, enum swid_element element)
{
    struct swid_xml *x = (struct swid_xml *)s;
    x->depth--;
    if (x->started) {
        wr_str(x->w, x->layout == SWID_LINE ? " />" : "/>");
    } else {
        break_line(x, x->depth);
        wr_fmt(x->w, "</%s>", swid_elements[element].name);
    }
    x->started = false;
    if (x->depth == 0 && x->layout == SWID_PRETTY)
        wr_u8(x->w, '\n');
    if (x->w->bad && s->failed == SWID_OK)
        s->failed = SWID_TOO_LARGE;
}

struct swid_xml swid_xml_of(struct wr *w, enum swid_layout layout)
{
    return (struct swid_xml){.sink = {.open = on_open, .close = on_close}, .w = w, .layout = layout};
}
