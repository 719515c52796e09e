/* What the writers of bills of materials share; private to swid/. */
#ifndef MUSTER_SWID_BILL_H
#define MUSTER_SWID_BILL_H

#include "swid/swid.h"

/* Appends text with everything but letters, digits and - . _ ~ : as %XX. */
void bill_put_encoded(struct wr *w, struct bytes text);
/* Whether the component is of the distribution: snaps and flatpaks stand beside it. */
bool bill_is_of_os(const struct swid_component *c);
/* Appends the distribution's CPE; nothing if it is not known. */
void bill_put_os_cpe(struct wr *w, const struct swid_distribution *d);
/* Appends 8-4-4-4-12 hexadecimal digits: a UUID of version 8, whose octets are its maker's own (RFC 9562 §5.8). */
void bill_put_uuid(struct wr *w, const uint8_t uuid[16]);
/* The name of a hash as the format spells it: "SHA-256" or, without a dash, "SHA256"; NULL: there is none. */
const char *bill_hash_name(const char *hash, bool dash);
/* A name with octets outside of 0x20..0x7e and % as %XX, if it is not UTF-8; else empty. */
struct bytes bill_exact(struct wr *w, struct bytes path);
/* "http://…" or the like, and no octet that a URI cannot hold. */
bool bill_is_uri(struct bytes text);

bool bill_write_cyclonedx(const struct swid_bill *b, struct json *j);
bool bill_write_spdx(const struct swid_bill *b, struct json *j);

#endif
