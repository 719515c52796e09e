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

/* ---- tags: ISO/IEC 19770-2:2015 XML ------------------------------------------------------------------------------------ */

enum swid_status {
    SWID_OK = 0,
    SWID_TOO_LARGE,
    SWID_MALFORMED,   /* no XML, too deep, with a document type, or without name, tagId or tagCreator */
    SWID_OTHER_MODEL, /* XML of another kind, a tag of 2009 for example */
    SWID_NO_MEMORY,
};
enum { SWID_TAG_MAX = 64 << 10 }; /* octets of a tag that is read */

/* A tag's fields; what is not known is empty. The last five stand in Meta under a namespace of our own ("urn:muster:swid:1"), because an
 * identifier folds + ~ : and ISO has no place for a source package. */
struct swid_tag {
    struct bytes regid, creator; /* of the tagCreator */
    struct bytes tag_id, name, version;
    struct bytes product; /* "Debian 12 x86_64" */
    struct bytes package, arch, source, source_version;
    struct bytes manager; /* "dpkg" */
};
/* Appends the tag without files, on one line, as swid_generator makes it of a removed package. */
void swid_tag_write(struct wr *w, const struct swid_tag *tag);
/* Appends "Debian 12 x86_64", read back from a tagId that was made of this package and version; nothing if it was not. */
void swid_put_product(struct wr *w, struct bytes tag_id, struct bytes package, struct bytes version);
/* Reads a tag of any generator; texts are copied into the arena, `error` says what is wrong with it. */
enum swid_status swid_tag_read(struct bytes xml, struct arena *a, struct swid_tag *tag, struct error *error) MUST_USE;
/* The software identifier is the one that the tag carries: regid, two underscores, tagId (RFC 8412 §6.1.2). */
bool swid_tag_is_of(const struct swid_tag *tag, struct bytes software_id);

#endif
