/* What stands in a Record field: the pro-forma tag of the package, made out of the journal alone, so that packages that
 * are gone have theirs, too (SWIMA-R27, RFC 8412 §3.6.1). */
#include "agent/collector.h"

#include <string.h>

static const struct pkg_manager *manager_of(uint8_t source)
{
    for (const struct pkg_manager *const *m = pkg_managers; *m; m++)
        if ((*m)->source == source)
            return *m;
    return NULL;
}

/* SWIMA-R8, R89, R113, RFC 8412 §6.1: creator and tagId are those of the identifier. Data model 0, type 0 (2015). */
struct bytes agent_record_tag(struct wr *w, const struct journal_record *r)
{
    const struct pkg_manager *manager = manager_of(r->source);
    struct wr version = wr_of(SWID_TAG_MAX);
    pkg_tag_version(manager, &version, r->version, r->arch);
    struct swid_tag tag = {
        .name = r->name,
        .version = wr_view(&version),
        .package = r->name,
        .arch = r->arch,
        .source = r->source_name,
        .source_version = r->source_version,
        .manager = bytes_of(manager ? manager->name : ""),
    };
    struct wr product = wr_of(SWID_TAG_MAX);
    wr_reset(w);
    if (swid_software_id_split(r->software_id, &tag.regid, &tag.tag_id)) {
        bool ours = bytes_equal(tag.regid, bytes_of(swid_default_creator.regid));
        tag.creator = ours ? bytes_of(swid_default_creator.name) : tag.regid;
        swid_put_product(&product, tag.tag_id, r->name, tag.version);
        tag.product = wr_view(&product);
        swid_tag_write(w, &tag);
    }
    wr_free(&product);
    wr_free(&version);
    /* SWIMA-R28, RFC 8412 §3.6.1: a record that cannot be had leaves the field empty, the event stands all the same. */
    return w->bad || w->n > SWID_TAG_MAX ? (struct bytes){NULL, 0} : wr_view(w);
}
