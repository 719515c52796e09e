/* The model of a tag: what elements and attributes there are, and how XML and CoSWID name them; private to swid/. The
 * two readers, the two writers and the validator walk these tables, none knows an attribute of its own. */
#ifndef MUSTER_SWID_MODEL_H
#define MUSTER_SWID_MODEL_H

#include "swid/swid.h"

enum swid_namespace {
    NS_NONE,
    NS_XML,
    NS_N8060,
    NS_SHA256,
    NS_SHA384,
    NS_SHA512,
    NS_MUSTER,
    NS_MD5,
    NS_SHA1,
    NS_SHA224,
    NS_RIPEMD160,
    NS_COUNT
};
struct swid_namespace_row {
    const char *prefix, *uri;
    const char *alias; /* an older URI that is read as well */
};
extern const struct swid_namespace_row swid_namespaces[NS_COUNT];
#define SWID_NAMESPACE_2015 "http://standards.iso.org/iso/19770/-2/2015/schema.xsd"

/* How a value is spelt. TEXT and OCTETS differ in what happens to octets that XML cannot hold: OCTETS get a twin
 * (EXACT). */
enum swid_type {
    TYPE_TEXT,
    TYPE_OCTETS,
    TYPE_EXACT, /* the twin of an attribute of type OCTETS of the same name; nothing but readers and writers ever see it
                 */
    TYPE_ID,    /* text, or "urn:uuid:…", which is 16 octets in CoSWID */
    TYPE_BOOL,
    TYPE_INT,
    TYPE_TIME,   /* xs:dateTime */
    TYPE_SCHEME, /* of a registry of RFC 9393 §6.2 */
    TYPE_OWNERSHIP,
    TYPE_REL,
    TYPE_USE,
    TYPE_ROLES,      /* a list of words of a registry */
    TYPE_HASH,       /* hexadecimal digits */
    TYPE_THUMBPRINT, /* hexadecimal digits, whose number tells the algorithm */
    TYPE_EVENT,      /* what a patch does to a file */
    TYPE_COUNT
};

enum { NO_KEY = -1 };
struct swid_row {
    uint8_t attribute, space, type;
    bool required; /* by the schema of ISO/IEC 19770-2:2015 */
    const char *name;
    int16_t key; /* of RFC 9393 §2.10, or NO_KEY */
};
struct swid_element_row {
    const char *name;
    const struct swid_row *rows; /* in the order in which XML is written */
    size_t count;
    uint16_t children; /* a bit an element that may stand in it */
    uint8_t key;
};
extern const struct swid_element_row swid_elements[SWID_ELEMENTS];

/* The first octets can be of XML, and of no CoSWID. */
bool swid_is_xml(struct bytes octets);

static inline bool swid_may_hold(enum swid_element parent, enum swid_element child)
{
    return swid_elements[parent].children >> child & 1;
}
/* "n8060:mutable": an attribute as XML spells it, and its label in CoSWID where it has no key. */
struct bytes swid_qualified(const struct swid_row *row, char text[40]);

/* The number of a word in the registry of a type, or 0; and the word of a number, or NULL. */
int swid_code_number(enum swid_type type, struct bytes word);
const char *swid_code_word(enum swid_type type, int64_t number);
/* The number of a hash in the registry of Named Information (RFC 6920 §9.4), its digest's octets; 0: CoSWID has none.
 */
struct swid_hash_row {
    uint8_t attribute, number;
    size_t octets;
};
enum { SWID_HASHES = 7 };
extern const struct swid_hash_row swid_hashes[SWID_HASHES];

/* The octets of the character at p that XML and Network Unicode take as it is; 0: none (no UTF-8, a control character
 * of C0 or C1, DEL, or U+FFFE, U+FFFF). */
size_t swid_character(const uint8_t *p, size_t n);
/* The octets at p that can be written: a character or, with `controls`, a tab or a line end. */
static inline size_t swid_writable(const uint8_t *p, size_t n, bool controls)
{
    if (*p >= 0x20 && *p < 0x7f) /* almost every octet */
        return 1;
    return controls && (*p == '\t' || *p == '\n' || *p == '\r') ? 1 : swid_character(p, n);
}
/* Appends text with U+FFFD in place of every octet that cannot be written. */
void swid_put_clean(struct wr *w, struct bytes text, bool controls);
/* Appends text as XML has it, in an attribute or between tags, the rest as above. */
void swid_put_escaped(struct wr *w, struct bytes text, bool controls);
bool swid_is_clean(struct bytes text, bool controls);
/* How many octets at its beginning are such characters of ASCII as XML does not escape: mostly all. */
size_t swid_plain(struct bytes text);

/* Writers: every name and root can be written as it is. */
bool swid_node_is_clean(const struct swid_node *node, bool controls);
/* Gives those that cannot their twins. False without memory. */
bool swid_node_exact(struct swid_node *node, bool controls, struct arena *a);
/* Readers: brings what was read into the one form that the model knows: twins become what they stand for (one that does
 * not fit its name is dropped), true and false, lower-case digits, words with one blank between them, UTC; a tagVersion
 * of 0 is the default and goes. False without memory. */
bool swid_node_normalise(struct swid_node *node, struct arena *a);
/* A number as XML and CoSWID both spell it: no plus, no zero in front. */
bool swid_integer(struct bytes text, bool *negative, uint64_t *magnitude);
bool swid_unhex(struct bytes text, uint8_t *octets, size_t max, size_t *n);
void swid_put_hex(struct wr *w, struct bytes octets);
#endif
