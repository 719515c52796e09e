/* What writer and reader of tags share; private to swid/. */
#ifndef MUSTER_SWID_TAG_H
#define MUSTER_SWID_TAG_H

#include "swid/swid.h"

#define SWID_NAMESPACE_2015   "http://standards.iso.org/iso/19770/-2/2015/schema.xsd"
#define SWID_NAMESPACE_N8060  "http://csrc.nist.gov/ns/swid/2015-extensions/1.0"
#define SWID_NAMESPACE_MUSTER "urn:muster:swid:1"

/* Our attributes of Meta, in their order: as they are written, as expat names them, the field. */
enum { SWID_META_COUNT = 5 };
struct swid_meta {
    const char *qualified, *expanded;
    size_t offset;
};
extern const struct swid_meta swid_meta[SWID_META_COUNT];
struct bytes *swid_meta_field(struct swid_tag *tag, size_t i);

#endif
