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

/* What an identifier is made of: `os` is NAME_VERSION ("Debian_12", just "Arch" without a version), `machine` is uname -m. A prefix
 * (p not NULL) stands in place of all of {OS}_{VERSION}-{arch}-. */
struct swid_product {
    struct bytes os_name, os_version, machine, prefix;
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
    SWID_OTHER_MODEL, /* XML of another kind */
    SWID_NO_MEMORY,
};
enum {
    SWID_TAG_MAX = 64 << 10,      /* octets of a tag without files */
    SWID_FULL_TAG_MAX = 4 << 20,  /* octets of a tag whose fields are read: 15,000 files */
};

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
/* The same of whichever of the three formats it is. */
enum swid_status swid_tag_read_any(struct bytes octets, struct arena *a, struct swid_tag *tag, struct error *error) MUST_USE;
/* The same of CoSWID; a tagId of 16 octets reads "urn:uuid:…" (SWIMA-R92). */
enum swid_status swid_tag_read_coswid(struct bytes cbor, struct arena *a, struct swid_tag *tag, struct error *error) MUST_USE;
/* The SWIMA data model of a tag, as its first octets or its root element say; of what is none, any. */
uint32_t swid_model_of(struct bytes octets);
/* The software identifier is the one that the tag carries: regid, two underscores, tagId (RFC 8412 §6.1.2). */
bool swid_tag_is_of(const struct swid_tag *tag, struct bytes software_id);

/* ---- whole tags: a stream of elements ---------------------------------------------------------------------------- */

/* A tag is never a tree in memory: it is open() and close() calls, element by element, that readers make and writers,
 * the validator and the lister of files take (struct swid_sink). A conversion is a reader with a writer behind it:
 *     struct swid_xml xml = swid_xml_of(&w, SWID_LINE);
 *     status = swid_coswid_read(octets, &xml.sink, &error);
 * What an element is called and what its attributes are, in XML and in CoSWID, stands once: in the tables of model.c. */
enum swid_element {
    SWID_IDENTITY,
    SWID_ENTITY,
    SWID_META,
    SWID_LINK,
    SWID_PAYLOAD,
    SWID_EVIDENCE,
    SWID_DIRECTORY,
    SWID_FILE,
    SWID_PROCESS,
    SWID_RESOURCE,
    SWID_ELEMENTS /* how many */
};
/* What an attribute is, whichever element it stands in. Those from PATH_SEPARATOR on are no attributes of ISO: NISTIR
 * 8060's, the hashes, and ours (namespace "urn:muster:swid:1"): the five of struct swid_tag and, for readers and writers
 * alone, EXACT_*, which carry the octets of a name or a root that XML cannot hold. */
/* clang-format off */
enum swid_attribute {
    SWID_NAME, SWID_LANG, SWID_TAG_ID, SWID_VERSION, SWID_VERSION_SCHEME, SWID_TAG_VERSION, SWID_CORPUS, SWID_PATCH,
    SWID_SUPPLEMENTAL, SWID_MEDIA, SWID_REGID, SWID_ROLE, SWID_THUMBPRINT, SWID_ARTIFACT, SWID_HREF, SWID_OWNERSHIP,
    SWID_REL, SWID_TYPE, SWID_USE,
    SWID_PRODUCT, SWID_COLLOQUIAL_VERSION, SWID_SUMMARY, SWID_ACTIVATION_STATUS, SWID_CHANNEL_TYPE,
    SWID_DESCRIPTION, SWID_EDITION, SWID_ENTITLEMENT_DATA_REQUIRED, SWID_ENTITLEMENT_KEY, SWID_GENERATOR,
    SWID_PERSISTENT_ID, SWID_PRODUCT_FAMILY, SWID_REVISION, SWID_UNSPSC_CODE, SWID_UNSPSC_VERSION,
    SWID_ROOT, SWID_LOCATION, SWID_KEY, SWID_SIZE, SWID_PID, SWID_DATE, SWID_DEVICE_ID,
    SWID_PATH_SEPARATOR, SWID_ENV_PREFIX, SWID_ENV_SUFFIX, SWID_MUTABLE, SWID_PATCH_EVENT,
    SWID_SHA256, SWID_SHA384, SWID_SHA512, SWID_MD5, SWID_SHA1, SWID_SHA224, SWID_RIPEMD160,
    SWID_PACKAGE, SWID_ARCH, SWID_SOURCE, SWID_SOURCE_VERSION, SWID_MANAGER, SWID_EXACT_NAME, SWID_EXACT_ROOT,
    SWID_ATTRIBUTES /* how many */
};
/* clang-format on */
enum {
    SWID_DEPTH_MAX = 64,      /* elements within one another (SV-8) */
    SWID_READ_MAX = 64 << 20, /* octets of a whole tag that is read: 300,000 files with their hashes */
};

/* An element with its attributes as text, as XML spells them; p NULL: not there. Names and roots of files are octets of
 * any kind. A sink may look at a node until its open() returns. */
struct swid_node {
    enum swid_element element;
    struct bytes value[SWID_ATTRIBUTES];
};

struct swid_sink {
    void (*open)(struct swid_sink *s, const struct swid_node *node);
    void (*close)(struct swid_sink *s, enum swid_element element);
    /* NULL, or hears of what the schema does not know: an element or, in `of`, an attribute of no foreign namespace. */
    void (*stray)(struct swid_sink *s, const char *name, const char *of);
    enum swid_status failed; /* set by the sink: the reader stops with it */
    bool has_signature;      /* set by the reader: the tag carries a signature, which nobody has checked */
};
/* An element without children. */
void swid_leaf(struct swid_sink *s, const struct swid_node *node);

/* Reads a tag of any generator and hands it to `to`. Unknown attributes and elements are passed over with all that they
 * hold (the schema allows them). A document type, and with it every entity and external reference, is refused. Both
 * namespaces of NISTIR 8060 are known. SWID_OTHER_MODEL: a tag of 2009 or something else. What was handed over before a
 * failure is void. */
enum swid_status swid_xml_read(struct bytes xml, struct swid_sink *to, struct error *error) MUST_USE;
/* The same of CoSWID (RFC 9393), bare or with tag 1398229316, of any length encoding; children come in the order of
 * enum swid_element, directories and files by their names as two sorted lists are merged. Of a signed one (COSE_Sign1,
 * RFC 9393 §7) what it is that was signed; the signature is not checked. */
enum swid_status swid_coswid_read(struct bytes cbor, struct swid_sink *to, struct error *error) MUST_USE;
/* The same of XML of ISO/IEC 19770-2:2009: name, version, tagId, who stands in which role, what it says of Meta, the files of its package_footprint, and
 * what our writer of that edition puts there; the rest is passed over. SWID_OTHER_MODEL: it is none. */
enum swid_status swid_2009_read(struct bytes xml, struct swid_sink *to, struct error *error) MUST_USE;
/* Whichever of the three the first octets and the root element say. */
enum swid_status swid_read(struct bytes octets, struct swid_sink *to, struct error *error) MUST_USE;
/* Of tags that stand one after the other, XML documents, items of a CBOR sequence (RFC 8742) or both mixed: how many octets belong to the first one, with
 * what may stand behind it (blanks, comments). Whether it is a tag shows when `document` is read. 0: there may be more of it, which is never said if
 * these are all octets and any. `*torn`: its end cannot be found, because it is damaged or neither; then it is all octets. */
size_t swid_document_end(struct bytes octets, bool all, struct bytes *document, bool *torn) MUST_USE;

enum swid_layout {
    SWID_LINE,   /* swidGenerator's: a declaration, then one line, <X /> */
    SWID_PRETTY, /* swidGenerator's --pretty: indented by two, <X/> */
    SWID_RECORD, /* a SWIMA record: one line, no declaration, no control character even as a reference (SWIMA-R78) */
};
enum { SWID_HASH_SHA256 = 1, SWID_HASH_SHA384 = 2, SWID_HASH_SHA512 = 4 };
/* Writes XML into w as the calls come. w may be emptied (wr_reset, wr_drop) between any two of them, so that a tag may
 * be larger than memory; a full w sets sink.failed. An octet that XML 1.0 or Network Unicode (RFC 5198) cannot hold
 * becomes U+FFFD; names and roots of files then carry muster:name or muster:root beside it, where octets outside of
 * 0x20..0x7e and % are %XX: reading gives the octets. */
struct swid_xml {
    struct swid_sink sink; /* first */
    struct wr *w;
    enum swid_layout layout;
    bool schema_location; /* xsi:schemaLocation */
    unsigned hashes;      /* whose namespaces the root declares; others are declared where they are needed */
    unsigned depth, declared;
    bool started; /* the last start tag is not ended yet */
};
struct swid_xml swid_xml_of(struct wr *w, enum swid_layout layout);

/* Writes CoSWID into w when the root is closed: CBOR in its deterministic encoding (RFC 8949 §4.2.1), registered names
 * as numbers, tagged 1398229316 if `tagged`. At most `max` octets are held for each level. What has no key of its own
 * (mutable, further hashes, ours) or does not fit its key's type stands as text under its XML name. NULL without
 * memory. */
struct swid_coswid;
struct swid_coswid *swid_coswid_new(struct wr *w, size_t max, bool tagged) MUST_USE;
struct swid_sink *swid_coswid_sink(struct swid_coswid *c);
void swid_coswid_free(struct swid_coswid *c);

/* Writes XML of ISO/IEC 19770-2:2009 into w when the root is closed: what that edition demands and, in its package_footprint, files by their whole
 * paths and all attributes that it has no element for. Files and the rest take up to SWID_READ_MAX each until then, SWID_TOO_LARGE beyond. NULL
 * without memory. */
struct swid_2009;
struct swid_2009 *swid_2009_new(struct wr *w, enum swid_layout layout) MUST_USE;
struct swid_sink *swid_2009_sink(struct swid_2009 *x);
void swid_2009_free(struct swid_2009 *x);
/* Appends what had no place, as "Directory/n8060:mutable, Evidence". False: nothing was lost. */
bool swid_2009_lost(const struct swid_2009 *x, struct wr *w) MUST_USE;

/* ---- signed CoSWID: COSE_Sign1 (RFC 9052 §4.2, RFC 9393 §7) ----------------------------------------------------- */

enum { SWID_CHAIN_MAX = 8 };
struct swid_cose {
    int algorithm;                       /* its number in IANA's registry: -7 is ES256 */
    struct bytes chain[SWID_CHAIN_MAX];  /* x5chain (RFC 9360): certificates in DER, the signer's first; nobody has checked them */
    size_t chain_count;
    struct bytes payload, signature;
    struct bytes protected; /* the header that is signed */
};
/* The octets begin as a COSE_Sign1 does. */
bool swid_is_cose(struct bytes octets);
/* Views into `octets`. What it is of must be stated to be CoSWID, within what is signed, and nothing may be critical. */
enum swid_status swid_cose_read(struct bytes octets, struct swid_cose *c, struct error *error) MUST_USE;
/* Appends the octets that the signature is of: Sig_structure, RFC 9052 §4.4. */
void swid_cose_signed(struct wr *w, const struct swid_cose *c);
/* Appends the signature of these octets; false: it cannot. */
typedef bool swid_signer(void *context, struct bytes octets, struct wr *signature);
/* Appends c's payload with a signature of its algorithm and with its chain, which is signed, too. False: `sign` failed, or no room. */
bool swid_cose_write(struct wr *w, struct swid_cose *c, swid_signer *sign, void *context) MUST_USE;

/* ---- files of a tag ---------------------------------------------------------------------------------------------- */

struct swid_file {
    struct bytes path; /* any octets, "/" between components */
    uint64_t size;
    bool sized, mutable;
    bool alone; /* reading: it stands in no Directory */
    struct bytes sha256, sha384, sha512; /* raw; empty: not there */
    const struct swid_node *more; /* writing: what else the File says; NULL: nothing */
};
/* The order in which files belong into a tag: component by component, a directory's own files first (flat) or mixed
 * with its subdirectories (hierarchic); files directly in / first in both. <0, 0, >0. */
int swid_path_compare(struct bytes a, struct bytes b, bool hierarchic);
/* Groups files into Directory elements as they come: one with root and name for each directory, or nested. */
struct swid_files {
    struct swid_sink *to;
    bool hierarchic;
    bool alone; /* set it before a file that stands in no Directory, but with its root: its folder is nobody's concern */
    enum swid_element collection;
    struct wr directory; /* that is open */
    unsigned open;       /* how many elements it takes */
};
/* Opens `collection` (SWID_PAYLOAD or SWID_EVIDENCE), with n8060's three attributes where it has none of them. */
void swid_files_begin(struct swid_files *f, struct swid_sink *to, bool hierarchic, const struct swid_node *collection);
void swid_files_put(struct swid_files *f, const struct swid_file *file);
/* A folder itself, as a Directory without anything in it: evidence of what it does not hold. "/" is none. */
void swid_files_put_folder(struct swid_files *f, struct bytes path);
/* Closes what is open and frees it. */
void swid_files_end(struct swid_files *f);

/* The other way round: a sink that calls `file` with the whole path of each file. A path that climbs out ("..") is
 * SWID_MALFORMED. */
struct swid_lister {
    struct swid_sink sink; /* first */
    void (*file)(void *context, const struct swid_file *file);
    void (*folder)(void *context, struct bytes path); /* NULL, or hears of each Directory with nothing in it */
    void *context;
    struct wr path;
    size_t ends[SWID_DEPTH_MAX]; /* of the paths of the directories around */
    uint64_t filled;             /* a bit a directory around */
    unsigned depth;
    bool absolute;
};
struct swid_lister swid_lister_of(void (*file)(void *context, const struct swid_file *file), void *context);
void swid_lister_free(struct swid_lister *l);

/* ---- validation -------------------------------------------------------------------------------------------------- */

/* One rule of the table: its number (ISO-…: the schema of ISO/IEC 19770-2:2015; GEN-, COR-, PRI-, PAT-, SUP-, SWID-…:
 * NISTIR 8060's, as NIST's own checker numbers them; SV-…: what our readers rely on) and what it wants. */
struct swid_rule {
    const char *number, *text;
};
/* The i-th rule; NULL behind the last. */
const struct swid_rule *swid_rules(size_t i);
/* What NISTIR 8060 only wants ("should"), and three of its musts that no tag made out of a package database keeps, swidGenerator's and ours
 * neither: what the package manager laid down is Payload though its vendor did not make the tag, and variables have no suffix. */
bool swid_rule_is_advice(const struct swid_rule *rule);
/* Reads the tag twice and calls `report` with each violation, in the tag's order: `place` is
 * "/SoftwareIdentity/Entity[1]", `detail` the attribute or name that it is about. The status is that of reading: a tag
 * that cannot be read has no violations. */
typedef void swid_report(void *context, const struct swid_rule *rule, const char *place, const char *detail);
enum swid_status swid_validate(struct bytes tag, swid_report *report, void *context, struct error *error) MUST_USE;

/* ---- names of packages elsewhere ----------------------------------------------------------------------------------- */

/* Appends a package URL in its canonical form (github.com/package-url/purl-spec): pkg:TYPE/NAMESPACE/NAME@VERSION?KEY=VALUE&…
 * Everything but letters, digits and - . _ ~ : is %XX. The namespace's parts have slashes between them; parts, version and
 * values that are empty are left out. `type` and the keys are in lower case, the keys in their order. */
struct swid_qualifier {
    const char *key;
    struct bytes value;
};
void swid_purl(struct wr *w, const char *type, struct bytes space, struct bytes name, struct bytes version,
               const struct swid_qualifier *qualifiers, size_t count);
/* Appends a name of CPE 2.3 bound to a formatted string (NISTIR 7695 §6.2): part `a`, other attributes ANY. An empty
 * vendor or version is ANY, too. */
void swid_cpe(struct wr *w, struct bytes vendor, struct bytes product, struct bytes version);
/* Appends any octets as part of an SPDX identifier (SPDX 2.3 §3.2 of Annex D: letters, digits, . and -): others are -XX and a - is --,
 * so that different octets stay different. */
void swid_spdx_id(struct wr *w, struct bytes text);

/* ---- bills of materials -------------------------------------------------------------------------------------------- */

/* Where packages come from. */
struct swid_distribution {
    struct bytes id, version; /* os-release's ID and VERSION_ID: "debian", "12" */
    struct bytes pretty;      /* PRETTY_NAME */
    struct bytes cpe;         /* CPE_NAME, 2.3 or the older URI; empty: what is known of well-known IDs */
};
/* A package as a bill says it; what is not known is empty. */
struct swid_component {
    struct bytes manager; /* "dpkg" */
    struct bytes name, version, arch, source, source_version;
    unsigned twin; /* how many packages before this one had the same manager, name, version and architecture */
    struct bytes tag_id;
    struct bytes summary, homepage, maintainer; /* "Name <mail>" */
    struct bytes licence; /* an SPDX expression, with LicenseRef-NAME for what SPDX does not know */
    struct bytes state;   /* "half-configured"; empty: installed */
    bool library;
};
/* Appends the package URL of a component: types deb, rpm, apk, alpm, else generic. */
void swid_component_purl(struct wr *w, const struct swid_distribution *d, const struct swid_component *c);
/* Appends its CPE: the upstream version, and the vendor where it is beyond doubt, else ANY. */
void swid_component_cpe(struct wr *w, const struct swid_component *c);

struct swid_bill_file {
    struct bytes path;   /* absolute; any octets */
    const char *hash;    /* "sha256"; "" without */
    struct bytes digest; /* raw */
};
/* What a bill is made of. A writer asks for a component as often as its format wants it: they are numbered. Views live until the next
 * call of the same function but one; a function returning false ends the bill. */
struct swid_bill {
    struct bytes name; /* of the machine */
    struct swid_distribution distribution;
    uint8_t uuid[16];    /* the same for the same input alone; version and variant are set when it is written */
    int64_t created, at; /* at: the moment that it tells of, TIME_UNKNOWN: of `created` */
    bool incomplete;     /* something could not be read */
    const char *tool;    /* Muster's version */
    void *context;
    size_t count;
    bool (*component)(void *context, size_t i, struct swid_component *c);
    /* The numbers of those on which it depends, ascending, into *on. */
    size_t (*depends)(void *context, size_t i, const uint32_t **on);
    /* Calls `file` for each regular file, the same ones in the same order each time; NULL: none are told. */
    bool (*files)(void *context, size_t i, bool (*file)(void *to, const struct swid_bill_file *f), void *to);
};
struct swid_bill_format {
    const char *name, *doc;
    /* Writes the document. j->drain empties j->w now and then: a bill may be larger than memory. False: a function of the bill said so, or j->w
     * is bad. */
    bool (*write)(const struct swid_bill *b, struct json *j);
};
/* Appends all by which a bill in this format differs from others, for the hash that becomes its uuid. False: a function of the bill said so. */
bool swid_bill_identify(const struct swid_bill *b, const struct swid_bill_format *format, struct wr *w) MUST_USE;
extern const struct swid_bill_format swid_bill_formats[]; /* cyclonedx, spdx; the last name is NULL */
const struct swid_bill_format *swid_bill_format_find(const char *name);

#endif
