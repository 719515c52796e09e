/* What stands in a Record field: the pro-forma tag of the package, made out of the journal alone, so that packages that
 * are gone have theirs, too (SWIMA-R27, RFC 8412 §3.6.1). */
#include "agent/collector.h"
#include "agent/tag_maker.h"

/* SWIMA-R8, R89, R113, RFC 8412 §6.1: creator and tagId are those of the identifier. Data model 0, type 0 (2015). */
struct bytes agent_record_tag(struct wr *w, const struct journal_record *r)
{
    wr_reset(w);
    struct swid_xml xml = swid_xml_of(w, SWID_RECORD);
    if (tag_put_head(&xml.sink, NULL, r))
        xml.sink.close(&xml.sink, SWID_IDENTITY);
    /* SWIMA-R28, RFC 8412 §3.6.1: a record that cannot be had leaves the field empty, the event stands all the same. */
    return w->bad || w->n > SWID_TAG_MAX ? (struct bytes){NULL, 0} : wr_view(w);
}
