/* Tags that software brought itself: pkg/ finds them, swid/ reads them, and this is where the two meet. */
#include "agent/journal.h"
#include "agent/tag_maker.h"

#include <string.h>

enum { TEXT_MAX = 4096 }; /* octets of a name, version or identifier: what is longer is no name */

static bool is_good(struct bytes text)
{
    bool good = text.n <= TEXT_MAX && utf8_valid(text);
    for (size_t i = 0; good && i < text.n; i++)
        good = text.p[i] >= 0x20 && text.p[i] != 0x7f;
    return good;
}

bool agent_read_tag(struct arena *a, struct pkg_package *p, struct pkg_tag *tag, struct error *error)
{
    struct swid_tag fields;
    arena_reset(a);
    if (swid_tag_read_any(tag->octets, a, &fields, error) != SWID_OK)
        return false;
    /* SWIMA-R8, R13, R90, R92, RFC 8412 §6.1.2: the identifier is the one that the tag carries, whoever made it. */
    const struct bytes parts[] = {fields.regid, BYTES("__"), fields.tag_id};
    struct wr w = wr_of(2 * TEXT_MAX);
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        wr_bytes(&w, parts[i]);
    tag->software_id = w.bad ? (struct bytes){NULL, 0} : arena_copy(a, wr_view(&w));
    wr_free(&w);
    tag->model = swid_model_of(tag->octets);
    p->name = p->source_name = fields.name;
    p->version = p->source_version = fields.version;
    bool good = tag->software_id.n && is_good(tag->software_id) && is_good(fields.name) && is_good(fields.version);
    if (!good)
        error_set(error, "no usable tag: its name, version or identifier is too long, or holds control characters");
    return good;
}

/* Text in the lines of Network Unicode; a reader of XML sees no difference. */
static void put_network_lines(struct wr *w, struct bytes text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\n' && (i == 0 || text.p[i - 1] != '\r'))
            wr_u8(w, '\r');
        wr_u8(w, text.p[i]);
        if (text.p[i] == '\r' && (i + 1 == text.n || text.p[i + 1] != '\n'))
            wr_u8(w, '\n');
    }
}

static void pass_open(struct swid_sink *s, const struct swid_node *node)
{
    (void)s, (void)node;
}

static void pass_close(struct swid_sink *s, enum swid_element element)
{
    (void)s, (void)element;
}

/* So is what cannot be read: nobody knows what it says. */
static bool is_signed(struct bytes tag)
{
    struct swid_sink sink = {.open = pass_open, .close = pass_close};
    struct error ignored;
    return swid_read(tag, &sink, &ignored) != SWID_OK || sink.has_signature;
}

/* The file's own octets as a record. SWIMA-R78, R85, RFC 8412 §5.9: a record is Network Unicode (RFC 5198), so line ends are CR LF and no byte
 * order mark stands before them. What is binary, of another encoding, or signed (SWIMA-R91, RFC 8412 §6.2.1) stays as it is. */
void tag_put_own(struct wr *w, const struct journal_record *r)
{
    struct bytes text = r->tag;
    bool as_is = r->model == SWID_MODEL_COSWID || !utf8_valid(text) || is_signed(text);
    if (!as_is && bytes_starts(text, BYTES("\xef\xbb\xbf")))
        text = (struct bytes){text.p + 3, text.n - 3};
    if (as_is)
        wr_bytes(w, text);
    else
        put_network_lines(w, text);
}
