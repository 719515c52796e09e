/* What a tag says of its package, before any file: the same octets whether it is printed, or stands in a SWIMA record. */
#include "agent/tag_maker.h"

#include <string.h>

const struct pkg_manager *tag_manager_of(uint8_t source)
{
    for (const struct pkg_manager *const *m = pkg_managers; *m; m++)
        if ((*m)->source == source)
            return *m;
    return NULL;
}

/* What goes into the nodes, and where their texts live. */
struct head {
    const struct agent_tag_style *style;
    const struct journal_record *record;
    const struct pkg_manager *manager;
    struct bytes regid, creator, summary;
    struct wr tag_id, version, product;
};

/* "Debian_12" reads "Debian 12" to people. */
static void put_product(struct wr *w, const struct swid_product *p)
{
    struct bytes words[] = {p->os_name, p->os_version, p->machine};
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        if (words[i].n && w->n)
            wr_u8(w, ' ');
        for (size_t k = 0; k < words[i].n; k++)
            wr_u8(w, words[i].p[k] == '_' && i < 2 ? ' ' : words[i].p[k]);
    }
}

/* SWIMA-R8, R89, R113, RFC 8412 §6.1: creator and tagId are those of the identifier; the creator is whoever made the tag, never the
 * distribution. */
static bool identify(struct head *h)
{
    const struct agent_tag_style *style = h->style;
    const struct journal_record *r = h->record;
    struct bytes tag_id = {0};
    bool known = swid_software_id_split(r->software_id, &h->regid, &tag_id);
    if (!known && !style->product)
        return false;
    const struct swid_creator *creator = style->creator ? style->creator : known ? NULL : &swid_default_creator;
    if (creator)
        h->regid = bytes_of(creator->regid);
    else if (bytes_equal(h->regid, bytes_of(swid_default_creator.regid)))
        creator = &swid_default_creator;
    h->creator = creator ? bytes_of(creator->name) : h->regid;
    if (style->product) {
        swid_tag_id(&h->tag_id, style->product, r->name, wr_view(&h->version));
        put_product(&h->product, style->product);
    } else {
        wr_bytes(&h->tag_id, tag_id);
        swid_put_product(&h->product, tag_id, r->name, wr_view(&h->version));
    }
    return true;
}

/* Up to the first hyphen, as swidGenerator tells it. */
static struct bytes upstream_version(struct bytes version)
{
    return bytes_split(&version, '-');
}

/* Ours stand only where something is known. */
static void put_meta(struct swid_sink *to, const struct head *h)
{
    const struct journal_record *r = h->record;
    struct swid_node node = {.element = SWID_META};
    if (h->style->about_package) {
        node.value[SWID_PRODUCT] = r->name;
        node.value[SWID_COLLOQUIAL_VERSION] = upstream_version(wr_view(&h->version));
        if (h->summary.n)
            node.value[SWID_SUMMARY] = h->summary;
    } else {
        node.value[SWID_PRODUCT] = h->product.n ? wr_view(&h->product) : BYTES("");
    }
    const struct {
        enum swid_attribute attribute;
        struct bytes value;
    } own[] = {
        {SWID_PACKAGE, r->name},
        {SWID_ARCH, r->arch},
        {SWID_SOURCE, r->source_name},
        {SWID_SOURCE_VERSION, r->source_version},
        {SWID_MANAGER, bytes_of(h->manager ? h->manager->name : "")},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(own) && h->manager && !h->style->bare; i++)
        if (own[i].value.n)
            node.value[own[i].attribute] = own[i].value;
    swid_leaf(to, &node);
}

static void put_nodes(struct swid_sink *to, const struct head *h)
{
    struct swid_node identity = {.element = SWID_IDENTITY};
    identity.value[SWID_NAME] = h->record->name;
    identity.value[SWID_LANG] = bytes_of(h->style->lang ? h->style->lang : "en-US");
    identity.value[SWID_TAG_ID] = wr_view(&h->tag_id);
    identity.value[SWID_VERSION] = h->version.n ? wr_view(&h->version) : BYTES("");
    identity.value[SWID_VERSION_SCHEME] = BYTES("alphanumeric");
    struct swid_node entity = {.element = SWID_ENTITY};
    entity.value[SWID_NAME] = h->creator;
    entity.value[SWID_REGID] = h->regid;
    entity.value[SWID_ROLE] = BYTES("tagCreator");
    to->open(to, &identity);
    swid_leaf(to, &entity);
    put_meta(to, h);
}

bool tag_put_head(struct swid_sink *to, const struct agent_tag_style *style, const struct journal_record *r)
{
    return tag_put_head_with(to, style, r, (struct bytes){0});
}

bool tag_put_head_with(struct swid_sink *to, const struct agent_tag_style *style, const struct journal_record *r, struct bytes summary)
{
    static const struct agent_tag_style plain = {.root = "/"};
    struct head h = {.style = style ? style : &plain,
                     .record = r,
                     .summary = summary,
                     .manager = tag_manager_of(r->source),
                     .tag_id = wr_of(SWID_TAG_MAX),
                     .version = wr_of(SWID_TAG_MAX),
                     .product = wr_of(SWID_TAG_MAX)};
    pkg_tag_version(h.manager, &h.version, r->version, r->arch);
    bool done = identify(&h);
    if (done && (h.tag_id.bad || h.version.bad || h.product.bad)) {
        to->failed = SWID_TOO_LARGE;
        done = false;
    }
    if (done)
        put_nodes(to, &h);
    wr_free(&h.tag_id);
    wr_free(&h.version);
    wr_free(&h.product);
    return done;
}

void tag_put_file(struct swid_files *f, struct bytes path, bool mutable, const struct measured *m, const char **what)
{
    *what = NULL;
    if (m->state == MEASURE_FILE)
        swid_files_put(f, &(struct swid_file){.path = path,
                                              .size = m->size,
                                              .sized = true,
                                              .mutable = mutable,
                                              .sha256 = measured_digest(m, MEASURE_SHA256),
                                              .sha384 = measured_digest(m, MEASURE_SHA384),
                                              .sha512 = measured_digest(m, MEASURE_SHA512)});
    else if (m->state == MEASURE_UNREADABLE || m->state == MEASURE_CHANGED || (m->state == MEASURE_MISSING && !m->mode))
        *what = measure_state_name(m->state);
}
