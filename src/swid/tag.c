/* The few fields of a tag that the journal and the server's store care for, as one struct. */
#include "swid/model.h"

#include <stddef.h>
#include <string.h>

/* ---- fields ------------------------------------------------------------------------------------------------------ */

/* What of which element each field is. */
static const struct {
    uint8_t element, attribute;
    size_t offset;
} fields[] = {
#define FIELD(element, attribute, field)                                                                               \
    {                                                                                                                  \
        SWID_##element, SWID_##attribute, offsetof(struct swid_tag, field)                                             \
    }
    FIELD(IDENTITY, NAME, name),       FIELD(IDENTITY, TAG_ID, tag_id),
    FIELD(IDENTITY, VERSION, version), FIELD(ENTITY, NAME, creator),
    FIELD(ENTITY, REGID, regid),       FIELD(META, PRODUCT, product),
    FIELD(META, PACKAGE, package),     FIELD(META, ARCH, arch),
    FIELD(META, SOURCE, source),       FIELD(META, SOURCE_VERSION, source_version),
    FIELD(META, MANAGER, manager),
#undef FIELD
};

static struct bytes *field(struct swid_tag *tag, size_t i)
{
    return (struct bytes *)(void *)((char *)tag + fields[i].offset);
}

/* Ours stand only where something is known; an attribute of ISO stands even if it is empty. */
static struct swid_node node_of(const struct swid_tag *tag, enum swid_element element)
{
    struct swid_node node = {.element = element};
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
        struct bytes value = *field((struct swid_tag *)(uintptr_t)tag, i);
        if (fields[i].element == element)
            node.value[fields[i].attribute] = value.n || fields[i].attribute >= SWID_PACKAGE ? value : BYTES("");
    }
    return node;
}

/* SWIMA-R89, R113, RFC 8412 §6.1.1: the creator is whoever generated the tag, never the distribution. */
void swid_tag_write(struct wr *w, const struct swid_tag *tag)
{
    struct swid_xml xml = swid_xml_of(w, SWID_RECORD);
    struct swid_node identity = node_of(tag, SWID_IDENTITY), entity = node_of(tag, SWID_ENTITY),
                     meta = node_of(tag, SWID_META);
    identity.value[SWID_LANG] = BYTES("en-US");
    identity.value[SWID_VERSION_SCHEME] = BYTES("alphanumeric");
    entity.value[SWID_ROLE] = BYTES("tagCreator");
    xml.sink.open(&xml.sink, &identity);
    swid_leaf(&xml.sink, &entity);
    swid_leaf(&xml.sink, &meta);
    xml.sink.close(&xml.sink, SWID_IDENTITY);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

struct taking {
    struct swid_sink sink; /* first */
    struct arena *arena;
    struct swid_tag *tag;
};

/* Roles are a list of words. */
static bool has_role(struct bytes roles, struct bytes role)
{
    while (roles.n)
        if (bytes_equal(bytes_split(&roles, ' '), role))
            return true;
    return false;
}

/* The first tagCreator counts. */
static bool matters(const struct taking *t, const struct swid_node *node)
{
    return node->element != SWID_ENTITY ||
           (has_role(node->value[SWID_ROLE], BYTES("tagCreator")) && !t->tag->creator.p);
}

static void take(struct swid_sink *s, const struct swid_node *node)
{
    struct taking *t = (struct taking *)s;
    if (!matters(t, node))
        return;
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
        struct bytes value = node->value[fields[i].attribute];
        if (fields[i].element != node->element || !value.p)
            continue;
        *field(t->tag, i) = arena_copy(t->arena, value);
        if (!field(t->tag, i)->p)
            s->failed = SWID_NO_MEMORY;
    }
}

static void leave(struct swid_sink *s, enum swid_element element)
{
    (void)s, (void)element;
}

typedef enum swid_status reader(struct bytes octets, struct swid_sink *to, struct error *error);

static enum swid_status read_with(reader *read, struct bytes octets, struct arena *a, struct swid_tag *tag,
                                  struct error *error)
{
    struct taking t = {.sink = {.open = take, .close = leave}, .arena = a, .tag = tag};
    *tag = (struct swid_tag){.regid = BYTES("http://invalid.unavailable")}; /* SW-R1: the schema's default */
    if (octets.n > SWID_FULL_TAG_MAX) {
        error_set(error, "a tag of %zu octets is larger than %d", octets.n, SWID_FULL_TAG_MAX);
        return SWID_TOO_LARGE;
    }
    enum swid_status status = read(octets, &t.sink, error);
    if (status == SWID_OK && (!tag->tag_id.n || !tag->name.n || !tag->creator.p)) { /* SV-3, SV-4 */
        error_set(error, "no usable tag: it lacks its name, its tagId or a tagCreator");
        status = SWID_MALFORMED;
    }
    return status;
}

enum swid_status swid_tag_read(struct bytes xml, struct arena *a, struct swid_tag *tag, struct error *error)
{
    return read_with(swid_xml_read, xml, a, tag, error);
}

/* SWIMA-R92, RFC 9393 §2.3: the identifier is made of the tag creator's reg-id and the tag-id. */
enum swid_status swid_tag_read_coswid(struct bytes cbor, struct arena *a, struct swid_tag *tag, struct error *error)
{
    return read_with(swid_coswid_read, cbor, a, tag, error);
}

enum swid_status swid_tag_read_any(struct bytes octets, struct arena *a, struct swid_tag *tag, struct error *error)
{
    return read_with(swid_read, octets, a, tag, error);
}

static void see_root(struct swid_sink *s, const struct swid_node *node)
{
    (void)node;
    s->failed = SWID_TOO_LARGE; /* enough was seen */
}

uint32_t swid_model_of(struct bytes octets)
{
    struct swid_sink s = {.open = see_root, .close = leave};
    struct error ignored;
    if (!swid_is_xml(octets))
        return SWID_MODEL_COSWID;
    return swid_xml_read(octets, &s, &ignored) == SWID_OTHER_MODEL ? SWID_MODEL_2009 : SWID_MODEL_2015;
}

bool swid_tag_is_of(const struct swid_tag *tag, struct bytes software_id)
{
    struct bytes regid, tag_id;
    return swid_software_id_split(software_id, &regid, &tag_id) && bytes_equal(regid, tag->regid) &&
           bytes_equal(tag_id, tag->tag_id);
}

/* ---- the product out of an identifier ---------------------------------------------------------------------------- */

/* The identifier's own head, "Debian_12-x86_64", without its package and version; empty if it does not end with them.
 * The journal keeps identifiers of machines that were upgraded since: their tags speak of the system of that time. */
static struct bytes head_of(struct bytes tag_id, struct bytes package, struct bytes version)
{
    struct bytes head = {0};
    if (!package.n || !version.n)
        return head;
    struct wr w = wr_of(0);
    swid_tag_id(&w, &(struct swid_product){.prefix = BYTES("-")}, package, version); /* "-package-version" */
    struct bytes tail = wr_view(&w);
    if (!w.bad && tail.n <= tag_id.n && memcmp(tag_id.p + tag_id.n - tail.n, tail.p, tail.n) == 0)
        head = (struct bytes){tag_id.p, tag_id.n - tail.n};
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
