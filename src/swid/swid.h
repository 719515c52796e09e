/* swid: software identifiers and tags (ISO/IEC 19770-2, RFC 8412 §6), sans-I/O. This is the room's one public header. */
#ifndef MUSTER_SWID_H
#define MUSTER_SWID_H

#include "base/base.h"

/* Who makes the tags. The default is strongSwan's, so that existing tag databases match; one configuration key changes it. */
struct swid_creator {
    const char *regid, *name;
};
extern const struct swid_creator swid_default_creator; /* strongswan.org, strongSwan Project */

/* SWIMA data model types (RFC 8412 §10.5), vendor 0. */
enum { SWID_MODEL_2015 = 0, SWID_MODEL_2009 = 1, SWID_MODEL_COSWID = 2 };

/* What an identifier is made of: `os` is NAME_VERSION ("Debian_12", just "Arch" without a version), `machine` is uname -m. */
struct swid_product {
    struct bytes os_name, os_version, machine;
};

/* Appends the tagId: {OS}_{VERSION}-{arch}-{package}-{version}, every one of : / ? # [ ] @ ! $ & ' ( ) * + , ; = replaced by ~, exactly as
 * sw-collector and swidGenerator build it. Not injective: the caller keeps name, version and architecture beside it. */
void swid_tag_id(struct wr *w, const struct swid_product *product, struct bytes package, struct bytes version);
/* Appends the software identifier: regid, two underscores, the tagId (RFC 8412 §6.1.2). */
void swid_software_id(struct wr *w, const struct swid_creator *creator, const struct swid_product *product, struct bytes package,
                      struct bytes version);
/* Splits an identifier at its first "__" (SW-R2). False if there is none. */
bool swid_software_id_split(struct bytes software_id, struct bytes *regid, struct bytes *tag_id);

#endif
