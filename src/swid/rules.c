/* Validation: a table of rules with a function each. The tag is read twice: what kind of tag it is (its type, whether
 * its author made the software) decides which rules hold for its first element, and only its last one may tell. */
#include "swid/model.h"

#include <string.h>

enum { ENTITIES_MAX = 256 };

/* Which tags a rule is for: a bit of the first four and one of the last two. */
enum {
    PRIMARY = 1,
    CORPUS = 2,
    PATCH = 4,
    SUPPLEMENTAL = 8,
    AUTH = 16,     /* who made the tag has a part in the software (NISTIR 8060 §2.1) */
    NON_AUTH = 32, /* anybody else */
    BOTH = AUTH | NON_AUTH,
    ANY = PRIMARY | CORPUS | PATCH | SUPPLEMENTAL | BOTH,
};
/* Where it holds: elements, and files by the collection that they stand in. */
#define IN(element) (1U << SWID_##element)
enum { PAYLOAD_FILE = 1 << 20, EVIDENCE_FILE = 1 << 21 };
#define FILES       (1U << SWID_FILE)
#define COLLECTIONS (IN(PAYLOAD) | IN(EVIDENCE))
#define EVERYWHERE  ((1U << SWID_ELEMENTS) - 1)

struct entity {
    struct bytes regid, role;
};
struct validation {
    struct swid_sink sink; /* first */
    swid_report *report;
    void *context;
    unsigned kind;                                            /* of the tag, as rules say it */
    unsigned roles;                                           /* of all entities, a bit a code */
    size_t of_root[SWID_ELEMENTS];                            /* its children */
    size_t files[SWID_ELEMENTS], direct_files[SWID_ELEMENTS]; /* of a collection */
    bool supplements;                                         /* there is a Link that says of what */
    struct arena arena;
    struct entity entities[ENTITIES_MAX];
    size_t entity_count, entity; /* `entity`: the one in hand */
    unsigned depth;
    enum swid_element path[SWID_DEPTH_MAX], collection;
    size_t numbers[SWID_DEPTH_MAX + 1][SWID_ELEMENTS];
};
struct rule {
    struct swid_rule public;
    unsigned scope, kinds;
    bool named;    /* it is about `attribute` */
    int attribute; /* or an element or a role: what `holds` takes */
    bool (*holds)(const struct validation *v, const struct swid_node *node, int attribute);
    bool (*fits)(const struct swid_row *row, struct bytes value); /* instead: for each attribute of the element */
};

/* ---- what rules ask ---------------------------------------------------------------------------------------------- */

enum { TAG_CREATOR = 1, SOFTWARE_CREATOR = 2, MAINTAINER = 6 };

static unsigned roles_of(struct bytes role)
{
    unsigned roles = 0;
    while (role.n)
        roles |= 1U << swid_code_number(TYPE_ROLES, bytes_split(&role, ' '));
    return roles & ~1U;
}

static bool is(struct bytes value, const char *text)
{
    return bytes_equal(value, bytes_of(text));
}

static bool given(const struct validation *v, const struct swid_node *n, int attribute)
{
    (void)v;
    return n->value[attribute].p != NULL;
}
static bool filled(const struct validation *v, const struct swid_node *n, int attribute)
{
    (void)v;
    return n->value[attribute].n > 0;
}
static bool not_empty(const struct validation *v, const struct swid_node *n, int attribute)
{
    (void)v;
    return !n->value[attribute].p || n->value[attribute].n > 0;
}
static bool absent(const struct validation *v, const struct swid_node *n, int attribute)
{
    return !given(v, n, attribute);
}
static bool is_true(const struct validation *v, const struct swid_node *n, int attribute)
{
    (void)v;
    return is(n->value[attribute], "true");
}
static bool not_true(const struct validation *v, const struct swid_node *n, int attribute)
{
    return !is_true(v, n, attribute);
}
static bool known_regid(const struct validation *v, const struct swid_node *n, int attribute)
{
    (void)v;
    return n->value[attribute].p && !is(n->value[attribute], "http://invalid.unavailable");
}
static bool no_creator(const struct swid_node *n)
{
    return !(roles_of(n->value[SWID_ROLE]) >> TAG_CREATOR & 1);
}
static bool given_by_creator(const struct validation *v, const struct swid_node *n, int attribute)
{
    return no_creator(n) || given(v, n, attribute);
}
static bool filled_by_creator(const struct validation *v, const struct swid_node *n, int attribute)
{
    return no_creator(n) || filled(v, n, attribute);
}
static bool known_by_creator(const struct validation *v, const struct swid_node *n, int attribute)
{
    return no_creator(n) || known_regid(v, n, attribute);
}
static bool given_or_mutable(const struct validation *v, const struct swid_node *n, int attribute)
{
    return is_true(v, n, SWID_MUTABLE) || given(v, n, attribute);
}
static bool filled_or_mutable(const struct validation *v, const struct swid_node *n, int attribute)
{
    return is_true(v, n, SWID_MUTABLE) || filled(v, n, attribute);
}
static bool hashed(const struct validation *v, const struct swid_node *n, int attribute)
{
    (void)attribute;
    for (size_t i = 0; i < SWID_HASHES; i++)
        if (given(v, n, swid_hashes[i].attribute))
            return true;
    return false;
}
static bool hashed_or_mutable(const struct validation *v, const struct swid_node *n, int attribute)
{
    return is_true(v, n, SWID_MUTABLE) || hashed(v, n, attribute);
}
static bool digest_or_mutable(const struct validation *v, const struct swid_node *n, int attribute)
{
    uint8_t octets[32];
    size_t count;
    return is_true(v, n, SWID_MUTABLE) ||
           (n->value[attribute].n == 64 && swid_unhex(n->value[attribute], octets, 32, &count));
}
static bool version_has_scheme(const struct validation *v, const struct swid_node *n, int attribute)
{
    return !given(v, n, SWID_VERSION) || given(v, n, attribute);
}
static bool some_role(const struct validation *v, const struct swid_node *n, int role)
{
    (void)n;
    return v->roles >> role & 1;
}
static bool authoritative(const struct validation *v, const struct swid_node *n, int attribute)
{
    (void)n, (void)attribute;
    return v->kind & AUTH;
}
static bool has_child(const struct validation *v, const struct swid_node *n, int element)
{
    (void)n;
    return v->of_root[element] > 0;
}
static bool lacks_child(const struct validation *v, const struct swid_node *n, int element)
{
    return !has_child(v, n, element);
}
static bool at_most_one(const struct validation *v, const struct swid_node *n, int element)
{
    (void)n;
    return v->of_root[element] <= 1;
}
static bool has_file(const struct validation *v, const struct swid_node *n, int attribute)
{
    (void)attribute;
    return v->files[n->element] > 0;
}
static bool has_direct_file(const struct validation *v, const struct swid_node *n, int attribute)
{
    (void)attribute;
    return v->direct_files[n->element] > 0;
}
static bool supplements(const struct validation *v, const struct swid_node *n, int attribute)
{
    (void)n, (void)attribute;
    return v->supplements;
}
static bool supplement_is_a_tag(const struct validation *v, const struct swid_node *n, int attribute)
{
    struct bytes href = n->value[attribute];
    (void)v;
    return !is(n->value[SWID_REL], "supplemental") || bytes_starts(href, BYTES("swid:")) ||
           bytes_starts(href, BYTES("swidpath:"));
}
static bool one_kind(const struct validation *v, const struct swid_node *n, int attribute)
{
    return not_true(v, n, attribute) || not_true(v, n, SWID_PATCH);
}
static bool patch_event(const struct validation *v, const struct swid_node *n, int attribute)
{
    (void)v; /* NIST's checker says "modify", its schema "update" */
    struct bytes event = n->value[attribute];
    return is(event, "add") || is(event, "remove") || is(event, "modify") || is(event, "update");
}
/* NIST's pattern leaves out capitals, which RFC 3986 §2.3 allows. */
static bool uri_if_swid(const struct validation *v, const struct swid_node *n, int attribute)
{
    struct bytes href = n->value[attribute];
    uint8_t octet;
    size_t count;
    (void)v;
    for (size_t i = 0; bytes_starts(href, BYTES("swid:")) && i < href.n; i++) {
        uint8_t c = href.p[i];
        bool alnum = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        bool escaped = c == '%' && href.n - i >= 3 && swid_unhex((struct bytes){href.p + i + 1, 2}, &octet, 1, &count);
        if (!alnum && !escaped && (c == 0 || !strchr("-._~!$&'()*+,;=:@/?#", c)))
            return false;
    }
    return true;
}
static bool same_regid(const struct validation *v, const struct swid_node *n, int attribute)
{
    struct bytes regid = n->value[attribute];
    for (size_t i = 0; i < v->entity_count && !no_creator(n); i++)
        if (i != v->entity && roles_of(v->entities[i].role) >> TAG_CREATOR & 1 &&
            (!regid.p || !bytes_equal(v->entities[i].regid, regid)))
            return false;
    return true;
}
static bool same_role(const struct validation *v, const struct swid_node *n, int attribute)
{
    struct bytes regid = n->value[SWID_REGID];
    for (size_t i = 0; i < v->entity_count && regid.p; i++)
        if (v->entities[i].regid.p && bytes_equal(v->entities[i].regid, regid) &&
            !bytes_equal(v->entities[i].role, n->value[attribute]))
            return false;
    return true;
}

/* ---- what rules ask of every attribute --------------------------------------------------------------------------- */

static bool stands(const struct swid_row *row, struct bytes value)
{
    return !row->required || value.p;
}

/* xs:NMTOKEN(S), as far as it goes: no blank, none of what never stands in a name. */
static bool is_name(struct bytes v)
{
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] < 0x80 && !strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._:", v.p[i]))
            return false;
    return v.n > 0;
}

static bool is_integer(struct bytes v)
{
    size_t sign = v.n && (v.p[0] == '-' || v.p[0] == '+');
    for (size_t i = sign; i < v.n; i++)
        if (v.p[i] < '0' || v.p[i] > '9')
            return false;
    return v.n > sign;
}

/* What the reader could bring into UTC is; what else there can be is a time without a zone. */
static bool is_time(struct bytes v)
{
    int64_t t;
    uint8_t utc[20] = {0};
    memcpy(utc, v.p, v.n == 19 ? 19 : 0);
    utc[19] = 'Z';
    return time_parse(v, &t) || time_parse((struct bytes){utc, sizeof utc}, &t);
}

static bool is_hex(struct bytes v)
{
    uint8_t octets[64];
    size_t n;
    return v.n && swid_unhex(v, octets, sizeof octets, &n);
}

static bool is_names(struct bytes v)
{
    bool good = v.n > 0;
    while (good && v.n)
        good = is_name(bytes_split(&v, ' '));
    return good;
}

static bool of_its_type(const struct swid_row *row, struct bytes v)
{
    if (!v.p)
        return true;
    switch ((enum swid_type)row->type) {
    case TYPE_BOOL:
        return is(v, "true") || is(v, "false");
    case TYPE_INT:
        return is_integer(v);
    case TYPE_TIME:
        return is_time(v);
    case TYPE_OWNERSHIP:
    case TYPE_USE:
        return swid_code_number(row->type, v) != 0;
    case TYPE_REL:
        return is_name(v);
    case TYPE_ROLES:
        return is_names(v);
    case TYPE_HASH:
        return is_hex(v);
    case TYPE_EVENT:
        return is(v, "add") || is(v, "remove") || is(v, "update") || is(v, "modify");
    default:
        return true;
    }
}

static bool not_negative(const struct swid_row *row, struct bytes v)
{
    return row->attribute != SWID_SIZE || !v.n || v.p[0] != '-';
}

static bool of_its_length(const struct swid_row *row, struct bytes v)
{
    for (size_t i = 0; i < SWID_HASHES; i++)
        if (swid_hashes[i].attribute == row->attribute && v.n && v.n != 2 * swid_hashes[i].octets)
            return false;
    return true;
}

/* ---- the rules --------------------------------------------------------------------------------------------------- */

#define RULE(number, scope, kinds, attribute, holds, text)                                                             \
    {                                                                                                                  \
        {number, text}, scope, kinds, true, attribute, holds, NULL                                                     \
    }
#define WHOLE(number, scope, kinds, what, holds, text)                                                                 \
    {                                                                                                                  \
        {number, text}, scope, kinds, false, what, holds, NULL                                                         \
    }
#define EACH(number, fits, text)                                                                                       \
    {                                                                                                                  \
        {number, text}, EVERYWHERE, ANY, false, 0, NULL, fits                                                          \
    }
#define OF_AUTH(type)     (type | AUTH)
#define OF_NON_AUTH(type) (type | NON_AUTH)
#define ANY_TYPE          (PRIMARY | CORPUS | PATCH | SUPPLEMENTAL)

static const struct rule rules[] = {
    /* ISO/IEC 19770-2:2015, its schema */
    EACH("ISO-1", stands, "an attribute that the schema requires is missing"),
    EACH("ISO-2", of_its_type, "the value is not of the attribute's type"),
    {{"ISO-3", "the schema does not know it"}, 0, 0, false, 0, NULL, NULL},
    WHOLE("ISO-4", IN(IDENTITY), ANY, SWID_ENTITY, has_child, "there must be an Entity"),
    WHOLE("ISO-5", IN(IDENTITY), ANY, SWID_PAYLOAD, at_most_one, "there may be one Payload only"),
    WHOLE("ISO-6", IN(IDENTITY), ANY, SWID_EVIDENCE, at_most_one, "there may be one Evidence only"),
    /* what every reader relies on */
    RULE("SV-3a", IN(IDENTITY), ANY, SWID_NAME, not_empty, "the name must not be empty"),
    RULE("SV-3b", IN(IDENTITY), ANY, SWID_TAG_ID, not_empty, "the tagId must not be empty"),
    RULE("SV-5", IN(IDENTITY), ANY, SWID_SUPPLEMENTAL, one_kind,
         "a tag is a patch or supplemental, not both (RFC 9393 §2.4)"),
    EACH("SV-6", not_negative, "a size is not negative"),
    EACH("SV-7", of_its_length, "a hash has as many digits as its algorithm gives"),
    /* NISTIR 8060, as NIST's own checker numbers its rules */
    WHOLE("SWID-1-1", IN(IDENTITY), ANY, TAG_CREATOR, some_role, "an Entity must have the role tagCreator"),
    RULE("SWID-2-1", IN(ENTITY), ANY, SWID_REGID, same_regid, "all tagCreators must have the same regid"),
    RULE("GEN-2-1", IN(IDENTITY), ANY, SWID_LANG, given, "the language must be given"),
    RULE("GEN-2-2", IN(IDENTITY), ANY, SWID_LANG, filled, "the language must not be empty"),
    RULE("GEN-4-1", IN(ENTITY), OF_AUTH(ANY_TYPE), SWID_REGID, given, "every Entity must have a regid"),
    RULE("GEN-4-2", IN(ENTITY), OF_AUTH(ANY_TYPE), SWID_REGID, filled, "no regid may be empty"),
    RULE("GEN-4-3", IN(ENTITY), OF_AUTH(ANY_TYPE), SWID_REGID, known_regid, "no regid may be invalid.unavailable"),
    RULE("GEN-5-1", IN(ENTITY), OF_NON_AUTH(ANY_TYPE), SWID_REGID, given_by_creator,
         "the tagCreator must have a regid"),
    RULE("GEN-5-2", IN(ENTITY), OF_NON_AUTH(ANY_TYPE), SWID_REGID, filled_by_creator,
         "the tagCreator's regid must not be empty"),
    RULE("GEN-5-3", IN(ENTITY), OF_NON_AUTH(ANY_TYPE), SWID_REGID, known_by_creator,
         "the tagCreator's regid must be known"),
    RULE("GEN-6-1", IN(ENTITY), OF_NON_AUTH(ANY_TYPE), SWID_REGID, given, "every Entity should have a regid"),
    RULE("GEN-6-2", IN(ENTITY), OF_NON_AUTH(ANY_TYPE), SWID_REGID, filled, "no regid should be empty"),
    RULE("GEN-6-3", IN(ENTITY), OF_NON_AUTH(ANY_TYPE), SWID_REGID, known_regid,
         "no regid should be invalid.unavailable"),
    RULE("GEN-7-1", IN(ENTITY), ANY, SWID_ROLE, same_role, "entities of one regid must have the same roles"),
    WHOLE("GEN-8-1", IN(IDENTITY), OF_AUTH(ANY_TYPE), 0, authoritative, "the tagCreator must have another role, too"),
    WHOLE("GEN-9-1", IN(IDENTITY), OF_AUTH(ANY_TYPE), SOFTWARE_CREATOR, some_role,
          "an Entity must be the softwareCreator"),
    WHOLE("GEN-10-1", IN(IDENTITY), OF_NON_AUTH(ANY_TYPE), SOFTWARE_CREATOR, some_role,
          "an Entity should be the softwareCreator"),
    RULE("GEN-11-1", IN(LINK), ANY, SWID_HREF, uri_if_swid, "a swid: reference must be a URI"),
    RULE("GEN-14-1", FILES, ANY, SWID_SIZE, given_or_mutable, "a file that stays as it is must have its size"),
    RULE("GEN-14-2", FILES, ANY, SWID_SIZE, filled_or_mutable, "a file's size must not be empty"),
    RULE("GEN-15-1", FILES, ANY, SWID_VERSION, given_or_mutable, "a file that stays as it is should have its version"),
    RULE("GEN-15-2", FILES, ANY, SWID_VERSION, not_empty, "a file's version must not be empty"),
    WHOLE("GEN-16-1", PAYLOAD_FILE, OF_AUTH(ANY_TYPE), 0, hashed_or_mutable, "a file of the payload must have a hash"),
    WHOLE("GEN-17-1", EVIDENCE_FILE, OF_NON_AUTH(ANY_TYPE), 0, hashed, "a file of the evidence must have a hash"),
    RULE("GEN-18-1", FILES, ANY, SWID_MD5, absent, "MD5 must not be used"),
    RULE("GEN-18-2", FILES, ANY, SWID_SHA1, absent, "SHA-1 must not be used"),
    RULE("GEN-18-3", FILES, ANY, SWID_SHA224, absent, "SHA-224 must not be used"),
    RULE("GEN-18-4", FILES, ANY, SWID_RIPEMD160, absent, "RIPEMD-160 must not be used"),
    RULE("GEN-19-1", PAYLOAD_FILE, OF_AUTH(ANY_TYPE), SWID_SHA256, given_or_mutable,
         "a file of the payload must have its SHA-256"),
    RULE("GEN-19-2", PAYLOAD_FILE, OF_AUTH(ANY_TYPE), SWID_SHA256, digest_or_mutable,
         "a SHA-256 has 64 hexadecimal digits"),
    RULE("GEN-20-1", EVIDENCE_FILE, OF_NON_AUTH(ANY_TYPE), SWID_SHA256, given,
         "a file of the evidence must have its SHA-256"),
    RULE("GEN-22-1", COLLECTIONS, ANY, SWID_PATH_SEPARATOR, given, "the separator of paths must be given"),
    RULE("GEN-22-2", COLLECTIONS, ANY, SWID_PATH_SEPARATOR, not_empty, "the separator of paths must not be empty"),
    RULE("GEN-23-1", COLLECTIONS, ANY, SWID_ENV_PREFIX, given, "the prefix of variables must be given"),
    RULE("GEN-23-2", COLLECTIONS, ANY, SWID_ENV_PREFIX, not_empty, "the prefix of variables must not be empty"),
    RULE("GEN-24-1", COLLECTIONS, ANY, SWID_ENV_SUFFIX, given, "the suffix of variables must be given"),
    RULE("GEN-24-2", COLLECTIONS, ANY, SWID_ENV_SUFFIX, not_empty, "the suffix of variables must not be empty"),
    RULE("COR-1-1", IN(IDENTITY), CORPUS | BOTH, SWID_CORPUS, is_true, "a corpus tag says so"),
    RULE("COR-1-2", IN(IDENTITY), CORPUS | BOTH, SWID_PATCH, not_true, "a corpus tag is no patch"),
    RULE("COR-1-3", IN(IDENTITY), CORPUS | BOTH, SWID_SUPPLEMENTAL, not_true, "a corpus tag is not supplemental"),
    RULE("COR-2-1", IN(IDENTITY), CORPUS | BOTH, SWID_VERSION, given, "a corpus tag must have a version"),
    RULE("COR-2-2", IN(IDENTITY), CORPUS | BOTH, SWID_VERSION, not_empty, "its version must not be empty"),
    RULE("COR-3-1", IN(IDENTITY), CORPUS | BOTH, SWID_VERSION_SCHEME, version_has_scheme,
         "a version must have its scheme"),
    RULE("COR-3-2", IN(IDENTITY), CORPUS | BOTH, SWID_VERSION_SCHEME, not_empty, "the scheme must not be empty"),
    WHOLE("COR-4-1", IN(IDENTITY), CORPUS | BOTH, SWID_PAYLOAD, has_child, "a corpus tag must have a Payload"),
    WHOLE("COR-4-2", IN(IDENTITY), CORPUS | BOTH, SWID_EVIDENCE, lacks_child, "a corpus tag must have no Evidence"),
    RULE("PRI-1-1", IN(IDENTITY), PRIMARY | BOTH, SWID_CORPUS, not_true, "a primary tag is no corpus tag"),
    RULE("PRI-1-2", IN(IDENTITY), PRIMARY | BOTH, SWID_PATCH, not_true, "a primary tag is no patch"),
    RULE("PRI-1-3", IN(IDENTITY), PRIMARY | BOTH, SWID_SUPPLEMENTAL, not_true, "a primary tag is not supplemental"),
    RULE("PRI-2-1", IN(IDENTITY), OF_AUTH(PRIMARY), SWID_VERSION, given, "the version must be given"),
    RULE("PRI-2-2", IN(IDENTITY), OF_AUTH(PRIMARY), SWID_VERSION, not_empty, "the version must not be empty"),
    RULE("PRI-3-1", IN(IDENTITY), OF_AUTH(PRIMARY), SWID_VERSION_SCHEME, version_has_scheme,
         "a version must have its scheme"),
    RULE("PRI-3-2", IN(IDENTITY), OF_AUTH(PRIMARY), SWID_VERSION_SCHEME, not_empty, "the scheme must not be empty"),
    RULE("PRI-4-1", IN(IDENTITY), OF_NON_AUTH(PRIMARY), SWID_VERSION, given, "the version should be given"),
    RULE("PRI-4-2", IN(IDENTITY), OF_NON_AUTH(PRIMARY), SWID_VERSION, not_empty, "the version should not be empty"),
    RULE("PRI-5-1", IN(IDENTITY), OF_NON_AUTH(PRIMARY), SWID_VERSION_SCHEME, version_has_scheme,
         "a version should have its scheme"),
    RULE("PRI-5-2", IN(IDENTITY), OF_NON_AUTH(PRIMARY), SWID_VERSION_SCHEME, not_empty,
         "the scheme should not be empty"),
    WHOLE("PRI-6-1", IN(IDENTITY), OF_AUTH(PRIMARY), SWID_PAYLOAD, has_child, "an author's tag must have a Payload"),
    WHOLE("PRI-6-2", IN(IDENTITY), OF_AUTH(PRIMARY), SWID_EVIDENCE, lacks_child,
          "an author's tag must have no Evidence"),
    WHOLE("PRI-7-1", IN(IDENTITY), OF_NON_AUTH(PRIMARY), SWID_EVIDENCE, has_child, "another's tag must have Evidence"),
    WHOLE("PRI-7-2", IN(IDENTITY), OF_NON_AUTH(PRIMARY), SWID_PAYLOAD, lacks_child,
          "another's tag must have no Payload"),
    WHOLE("PRI-8-1", COLLECTIONS, PRIMARY | BOTH, 0, has_file, "there must be a File"),
    WHOLE("PRI-13-1", IN(IDENTITY), PRIMARY | BOTH, SWID_META, has_child, "a primary tag should have Meta"),
    RULE("PRI-13-2", IN(META), PRIMARY | BOTH, SWID_PRODUCT, given, "Meta should have the product"),
    RULE("PRI-13-3", IN(META), PRIMARY | BOTH, SWID_COLLOQUIAL_VERSION, given,
         "Meta should have the colloquial version"),
    RULE("PRI-13-4", IN(META), PRIMARY | BOTH, SWID_REVISION, given, "Meta should have the revision"),
    RULE("PRI-13-5", IN(META), PRIMARY | BOTH, SWID_EDITION, given, "Meta should have the edition"),
    RULE("PAT-1-1", IN(IDENTITY), PATCH | BOTH, SWID_CORPUS, not_true, "a patch is no corpus tag"),
    RULE("PAT-1-2", IN(IDENTITY), PATCH | BOTH, SWID_PATCH, is_true, "a patch says so"),
    RULE("PAT-1-3", IN(IDENTITY), PATCH | BOTH, SWID_SUPPLEMENTAL, not_true, "a patch is not supplemental"),
    RULE("PAT-3-1", PAYLOAD_FILE, OF_AUTH(PATCH), SWID_PATCH_EVENT, patch_event, "a patch says what it does to a file"),
    WHOLE("PAT-4-1", IN(EVIDENCE), OF_NON_AUTH(PATCH), 0, has_direct_file, "evidence of a patch must have a File"),
    RULE("SUP-1-1", IN(IDENTITY), SUPPLEMENTAL | BOTH, SWID_CORPUS, not_true, "a supplemental tag is no corpus tag"),
    RULE("SUP-1-2", IN(IDENTITY), SUPPLEMENTAL | BOTH, SWID_PATCH, not_true, "a supplemental tag is no patch"),
    RULE("SUP-1-3", IN(IDENTITY), SUPPLEMENTAL | BOTH, SWID_SUPPLEMENTAL, is_true, "a supplemental tag says so"),
    WHOLE("SUP-2-1", IN(IDENTITY), SUPPLEMENTAL | BOTH, 0, supplements, "a Link must say what it supplements"),
    RULE("SUP-2-2", IN(LINK), SUPPLEMENTAL | BOTH, SWID_HREF, supplement_is_a_tag,
         "what is supplemented is a tag: swid: or swidpath:"),
};
enum { STRAY = 2 };

const struct swid_rule *swid_rules(size_t i)
{
    return i < ARRAY_LENGTH(rules) ? &rules[i].public : NULL;
}

bool swid_rule_is_advice(const struct swid_rule *rule)
{
    static const char *const overruled[] = {"PRI-7-1", "PRI-7-2", "GEN-24-2"};
    for (size_t i = 0; i < ARRAY_LENGTH(overruled); i++)
        if (strcmp(rule->number, overruled[i]) == 0)
            return true;
    return strstr(rule->text, " should ") != NULL;
}

/* ---- the first reading: what kind of tag it is ------------------------------------------------------------------- */

static void learn_root(struct validation *v, const struct swid_node *node)
{
    v->kind = is_true(v, node, SWID_PATCH)          ? PATCH
              : is_true(v, node, SWID_SUPPLEMENTAL) ? SUPPLEMENTAL
              : is_true(v, node, SWID_CORPUS)       ? CORPUS
                                                    : PRIMARY;
    v->kind |= NON_AUTH;
}

static void learn_entity(struct validation *v, const struct swid_node *node)
{
    unsigned roles = roles_of(node->value[SWID_ROLE]);
    v->roles |= roles;
    if (roles >> TAG_CREATOR & 1 && roles & ~(1U << TAG_CREATOR | 1U << MAINTAINER))
        v->kind = (v->kind & ~(unsigned)NON_AUTH) | AUTH;
    if (v->entity_count == ENTITIES_MAX) {
        v->sink.failed = SWID_TOO_LARGE;
        return;
    }
    struct bytes regid = node->value[SWID_REGID];
    struct entity *e = &v->entities[v->entity_count++];
    *e = (struct entity){regid, arena_copy(&v->arena, node->value[SWID_ROLE])};
    if (regid.p)
        e->regid = arena_copy(&v->arena, regid);
    if (v->arena.exhausted)
        v->sink.failed = SWID_NO_MEMORY;
}

static void learn(struct swid_sink *s, const struct swid_node *node)
{
    struct validation *v = (struct validation *)s;
    if (v->depth == 1)
        v->of_root[node->element]++;
    if (v->depth == 1 && (node->element == SWID_PAYLOAD || node->element == SWID_EVIDENCE))
        v->collection = node->element;
    if (node->element == SWID_IDENTITY)
        learn_root(v, node);
    else if (node->element == SWID_ENTITY)
        learn_entity(v, node);
    else if (node->element == SWID_LINK)
        v->supplements |= is(node->value[SWID_REL], "supplemental");
    else if (node->element == SWID_FILE) {
        v->files[v->collection]++;
        v->direct_files[v->collection] += v->depth == 2;
    }
    v->depth++;
}

static void learnt(struct swid_sink *s, enum swid_element element)
{
    (void)element;
    ((struct validation *)s)->depth--;
}

/* ---- the second one ---------------------------------------------------------------------------------------------- */

static void violated(struct validation *v, const struct rule *r, const char *detail)
{
    struct wr place = wr_of(0);
    for (unsigned i = 0; i < v->depth; i++) {
        wr_fmt(&place, "/%s", swid_elements[v->path[i]].name);
        if (i > 0)
            wr_fmt(&place, "[%zu]", v->numbers[i][v->path[i]]);
    }
    v->report(v->context, &r->public, wr_string(&place), detail);
    wr_free(&place);
}

static const char *name_of(const struct swid_row *row, char name[41])
{
    name[swid_qualified(row, name).n] = 0;
    return name;
}

/* An attribute's rule names it; one of all attributes is asked of each. */
static void apply(struct validation *v, const struct rule *r, const struct swid_node *node)
{
    const struct swid_element_row *e = &swid_elements[node->element];
    char name[41] = "";
    if (!r->fits && r->holds(v, node, r->attribute))
        return;
    if (!r->fits && !r->named)
        violated(v, r, "");
    for (const struct swid_row *row = e->rows; row < e->rows + e->count; row++)
        if (r->fits ? !r->fits(row, node->value[row->attribute]) : r->named && row->attribute == r->attribute)
            violated(v, r, name_of(row, name));
}

static void check(struct swid_sink *s, const struct swid_node *node)
{
    struct validation *v = (struct validation *)s;
    unsigned scope = 1U << node->element;
    if (v->depth == 1 && (node->element == SWID_PAYLOAD || node->element == SWID_EVIDENCE))
        v->collection = node->element;
    if (node->element == SWID_FILE)
        scope |= v->collection == SWID_PAYLOAD ? PAYLOAD_FILE : EVIDENCE_FILE;
    v->numbers[v->depth][node->element]++;
    v->path[v->depth++] = node->element;
    memset(v->numbers[v->depth], 0, sizeof v->numbers[v->depth]);
    for (const struct rule *r = rules; r < rules + ARRAY_LENGTH(rules); r++) {
        if (!(r->scope & scope) || !(r->kinds & v->kind & ANY_TYPE) || !(r->kinds & v->kind & BOTH))
            continue;
        apply(v, r, node);
    }
    v->entity += node->element == SWID_ENTITY;
}

static void checked(struct swid_sink *s, enum swid_element element)
{
    (void)element;
    ((struct validation *)s)->depth--;
}

static void stray(struct swid_sink *s, const char *name, const char *of)
{
    struct validation *v = (struct validation *)s;
    struct wr detail = wr_of(0);
    wr_fmt(&detail, "%s in %s", name, of);
    violated(v, &rules[STRAY], wr_string(&detail));
    wr_free(&detail);
}

/* SV-9: the rules are of tags of 2015, whatever else is read. */
static enum swid_status read_2015(struct bytes tag, struct swid_sink *to, struct error *error)
{
    return swid_is_xml(tag) ? swid_xml_read(tag, to, error) : swid_coswid_read(tag, to, error);
}

enum swid_status swid_validate(struct bytes tag, swid_report *report, void *context, struct error *error)
{
    struct validation v = {
        .sink = {.open = learn, .close = learnt}, .report = report, .context = context, .arena = arena_of(1 << 20)};
    enum swid_status status = read_2015(tag, &v.sink, error);
    if (status == SWID_OK) {
        v.sink = (struct swid_sink){.open = check, .close = checked, .stray = stray};
        v.depth = 0;
        status = read_2015(tag, &v.sink, error);
    }
    arena_free(&v.arena);
    return status;
}
