#include "swid/model.h"

#include <string.h>

/* ---- tables ------------------------------------------------------------------------------------------------------ */

const struct swid_namespace_row swid_namespaces[NS_COUNT] = {
    [NS_NONE] = {"", "", NULL},
    [NS_XML] = {"xml", "http://www.w3.org/XML/1998/namespace", NULL},
    [NS_N8060] = {"n8060", "http://csrc.nist.gov/ns/swid/2015-extensions/1.0",
                  "http://csrc.nist.gov/schema/swid/2015-extensions/swid-2015-extensions-1.0.xsd"},
    [NS_SHA256] = {"SHA256", "http://www.w3.org/2001/04/xmlenc#sha256", NULL},
    [NS_SHA384] = {"SHA384", "http://www.w3.org/2001/04/xmldsig-more#sha384", NULL},
    [NS_SHA512] = {"SHA512", "http://www.w3.org/2001/04/xmlenc#sha512", NULL},
    [NS_MUSTER] = {"muster", "urn:muster:swid:1", NULL},
    [NS_MD5] = {"MD5", "http://www.w3.org/2001/04/xmldsig-more#md5", NULL},
    [NS_SHA1] = {"SHA1", "http://www.w3.org/2000/09/xmldsig#sha1", NULL},
    [NS_SHA224] = {"SHA224", "http://www.w3.org/2001/04/xmldsig-more#sha224", NULL},
    [NS_RIPEMD160] = {"RIPEMD160", "http://www.w3.org/2001/04/xmlenc#ripemd160", NULL},
};

/* Attribute, its namespace, its name there, its key in CoSWID, its type; REQUIRED by the schema. */
#define ROW(attribute, space, name, key, type)                                                                         \
    {                                                                                                                  \
        SWID_##attribute, NS_##space, TYPE_##type, false, name, key                                                    \
    }
#define REQUIRED(attribute, space, name, key, type)                                                                    \
    {                                                                                                                  \
        SWID_##attribute, NS_##space, TYPE_##type, true, name, key                                                     \
    }
#define LANG ROW(LANG, XML, "lang", 15, TEXT)

static const struct swid_row identity[] = {
    REQUIRED(NAME, NONE, "name", 1, TEXT),
    LANG,
    REQUIRED(TAG_ID, NONE, "tagId", 0, ID),
    ROW(VERSION, NONE, "version", 13, TEXT),
    ROW(VERSION_SCHEME, NONE, "versionScheme", 14, SCHEME),
    ROW(TAG_VERSION, NONE, "tagVersion", 12, INT),
    ROW(CORPUS, NONE, "corpus", 8, BOOL),
    ROW(PATCH, NONE, "patch", 9, BOOL),
    ROW(SUPPLEMENTAL, NONE, "supplemental", 11, BOOL),
    ROW(MEDIA, NONE, "media", 10, TEXT),
};
static const struct swid_row entity[] = {
    REQUIRED(NAME, NONE, "name", 31, TEXT),
    ROW(REGID, NONE, "regid", 32, TEXT),
    REQUIRED(ROLE, NONE, "role", 33, ROLES),
    ROW(THUMBPRINT, NONE, "thumbprint", 34, THUMBPRINT),
    LANG,
};
static const struct swid_row meta[] = {
    ROW(PRODUCT, NONE, "product", 52, TEXT),
    ROW(COLLOQUIAL_VERSION, NONE, "colloquialVersion", 45, TEXT),
    ROW(SUMMARY, NONE, "summary", 55, TEXT),
    ROW(ACTIVATION_STATUS, NONE, "activationStatus", 43, TEXT),
    ROW(CHANNEL_TYPE, NONE, "channelType", 44, TEXT),
    ROW(DESCRIPTION, NONE, "description", 46, TEXT),
    ROW(EDITION, NONE, "edition", 47, TEXT),
    ROW(ENTITLEMENT_DATA_REQUIRED, NONE, "entitlementDataRequired", 48, BOOL),
    ROW(ENTITLEMENT_KEY, NONE, "entitlementKey", 49, TEXT),
    ROW(GENERATOR, NONE, "generator", 50, ID),
    ROW(PERSISTENT_ID, NONE, "persistentId", 51, TEXT),
    ROW(PRODUCT_FAMILY, NONE, "productFamily", 53, TEXT),
    ROW(REVISION, NONE, "revision", 54, TEXT),
    ROW(UNSPSC_CODE, NONE, "unspscCode", 56, TEXT),
    ROW(UNSPSC_VERSION, NONE, "unspscVersion", 57, TEXT),
    LANG,
    ROW(PACKAGE, MUSTER, "package", NO_KEY, TEXT),
    ROW(ARCH, MUSTER, "arch", NO_KEY, TEXT),
    ROW(SOURCE, MUSTER, "source", NO_KEY, TEXT),
    ROW(SOURCE_VERSION, MUSTER, "source-version", NO_KEY, TEXT),
    ROW(MANAGER, MUSTER, "manager", NO_KEY, TEXT),
};
static const struct swid_row link[] = {
    ROW(ARTIFACT, NONE, "artifact", 37, TEXT),
    REQUIRED(HREF, NONE, "href", 38, TEXT),
    ROW(MEDIA, NONE, "media", 10, TEXT),
    ROW(OWNERSHIP, NONE, "ownership", 39, OWNERSHIP),
    REQUIRED(REL, NONE, "rel", 40, REL),
    ROW(TYPE, NONE, "type", 41, TEXT),
    ROW(USE, NONE, "use", 42, USE),
    LANG,
};
#define COLLECTION                                                                                                     \
    ROW(PATH_SEPARATOR, N8060, "pathSeparator", NO_KEY, TEXT), ROW(ENV_PREFIX, N8060, "envVarPrefix", NO_KEY, TEXT),   \
        ROW(ENV_SUFFIX, N8060, "envVarSuffix", NO_KEY, TEXT), LANG
static const struct swid_row payload[] = {COLLECTION};
static const struct swid_row evidence[] = {
    COLLECTION, ROW(DATE, NONE, "date", 35, TIME), ROW(DEVICE_ID, NONE, "deviceId", 36, TEXT),
    ROW(LOCATION, MUSTER, "location", 23, TEXT), /* CoSWID alone has it */
};
#define ITEM                                                                                                           \
    ROW(ROOT, NONE, "root", 25, OCTETS), ROW(EXACT_ROOT, MUSTER, "root", NO_KEY, EXACT),                               \
        REQUIRED(NAME, NONE, "name", 24, OCTETS), ROW(EXACT_NAME, MUSTER, "name", NO_KEY, EXACT),                      \
        ROW(MUTABLE, N8060, "mutable", NO_KEY, BOOL), ROW(LOCATION, NONE, "location", 23, TEXT),                       \
        ROW(KEY, NONE, "key", 22, BOOL), LANG
static const struct swid_row directory[] = {ITEM};
static const struct swid_row file[] = {
    ITEM,
    ROW(SIZE, NONE, "size", 20, INT),
    ROW(VERSION, NONE, "version", 21, TEXT),
    ROW(PATCH_EVENT, N8060, "patchEvent", NO_KEY, EVENT),
    ROW(SHA256, SHA256, "hash", 7, HASH),
    ROW(SHA384, SHA384, "hash", 7, HASH),
    ROW(SHA512, SHA512, "hash", 7, HASH),
    ROW(MD5, MD5, "hash", NO_KEY, HASH),
    ROW(SHA1, SHA1, "hash", NO_KEY, HASH),
    ROW(SHA224, SHA224, "hash", NO_KEY, HASH),
    ROW(RIPEMD160, RIPEMD160, "hash", NO_KEY, HASH),
};
static const struct swid_row process[] = {
    REQUIRED(NAME, NONE, "name", 27, TEXT),
    ROW(PID, NONE, "pid", 28, INT),
    LANG,
};
static const struct swid_row resource[] = {
    REQUIRED(TYPE, NONE, "type", 29, TEXT),
    LANG,
};

#define CHILD(element) (1 << SWID_##element)
#define ITEMS          (1 << SWID_DIRECTORY | 1 << SWID_FILE)
#define ALL            (ITEMS | CHILD(PROCESS) | CHILD(RESOURCE))
#define ELEMENT(name, rows, key, children)                                                                             \
    {                                                                                                                  \
        name, rows, ARRAY_LENGTH(rows), children, key                                                                  \
    }
const struct swid_element_row swid_elements[SWID_ELEMENTS] = {
    [SWID_IDENTITY] = ELEMENT("SoftwareIdentity", identity, 0,
                              CHILD(ENTITY) | CHILD(META) | CHILD(LINK) | CHILD(PAYLOAD) | CHILD(EVIDENCE)),
    [SWID_ENTITY] = ELEMENT("Entity", entity, 2, 0),
    [SWID_META] = ELEMENT("Meta", meta, 5, 0),
    [SWID_LINK] = ELEMENT("Link", link, 4, 0),
    [SWID_PAYLOAD] = ELEMENT("Payload", payload, 6, ALL),
    [SWID_EVIDENCE] = ELEMENT("Evidence", evidence, 3, ALL),
    [SWID_DIRECTORY] = ELEMENT("Directory", directory, 16, ITEMS),
    [SWID_FILE] = ELEMENT("File", file, 17, 0),
    [SWID_PROCESS] = ELEMENT("Process", process, 18, 0),
    [SWID_RESOURCE] = ELEMENT("Resource", resource, 19, 0),
};

const struct swid_hash_row swid_hashes[SWID_HASHES] = {
    {SWID_SHA256, 1, 32}, {SWID_SHA384, 7, 48}, {SWID_SHA512, 8, 64},    {SWID_MD5, 0, 16},
    {SWID_SHA1, 0, 20},   {SWID_SHA224, 0, 28}, {SWID_RIPEMD160, 0, 20},
};

/* RFC 9393 §6.2: the registries' words. */
static const struct {
    uint8_t type;
    int16_t number;
    const char *word;
} codes[] = {
    {TYPE_SCHEME, 1, "multipartnumeric"},
    {TYPE_SCHEME, 2, "multipartnumeric+suffix"},
    {TYPE_SCHEME, 3, "alphanumeric"},
    {TYPE_SCHEME, 4, "decimal"},
    {TYPE_SCHEME, 16384, "semver"},
    {TYPE_ROLES, 1, "tagCreator"},
    {TYPE_ROLES, 2, "softwareCreator"},
    {TYPE_ROLES, 3, "aggregator"},
    {TYPE_ROLES, 4, "distributor"},
    {TYPE_ROLES, 5, "licensor"},
    {TYPE_ROLES, 6, "maintainer"},
    {TYPE_OWNERSHIP, 1, "abandon"},
    {TYPE_OWNERSHIP, 2, "private"},
    {TYPE_OWNERSHIP, 3, "shared"},
    {TYPE_REL, 1, "ancestor"},
    {TYPE_REL, 2, "component"},
    {TYPE_REL, 3, "feature"},
    {TYPE_REL, 4, "installationmedia"},
    {TYPE_REL, 5, "packageinstaller"},
    {TYPE_REL, 6, "parent"},
    {TYPE_REL, 7, "patches"},
    {TYPE_REL, 8, "requires"},
    {TYPE_REL, 9, "see-also"},
    {TYPE_REL, 10, "supersedes"},
    {TYPE_REL, 11, "supplemental"},
    {TYPE_USE, 1, "optional"},
    {TYPE_USE, 2, "required"},
    {TYPE_USE, 3, "recommended"},
    /* RFC 9393 spells roles with hyphens; behind the others, so that they are only read. */
    {TYPE_ROLES, 1, "tag-creator"},
    {TYPE_ROLES, 2, "software-creator"},
};

int swid_code_number(enum swid_type type, struct bytes word)
{
    for (size_t i = 0; i < ARRAY_LENGTH(codes); i++)
        if (codes[i].type == type && bytes_equal(bytes_of(codes[i].word), word))
            return codes[i].number;
    return 0;
}

const char *swid_code_word(enum swid_type type, int64_t number)
{
    for (size_t i = 0; i < ARRAY_LENGTH(codes); i++)
        if (codes[i].type == type && codes[i].number == number)
            return codes[i].word;
    return NULL;
}

struct bytes swid_qualified(const struct swid_row *row, char text[40])
{
    const char *parts[] = {swid_namespaces[row->space].prefix, row->space == NS_NONE ? "" : ":", row->name};
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        size_t length = strlen(parts[i]);
        memcpy(text + n, parts[i], length);
        n += length;
    }
    return (struct bytes){(const uint8_t *)text, n};
}

void swid_leaf(struct swid_sink *s, const struct swid_node *node)
{
    s->open(s, node);
    s->close(s, node->element);
}

/* ---- spellings --------------------------------------------------------------------------------------------------- */

size_t swid_character(const uint8_t *p, size_t n)
{
    size_t length = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (p[0] < 0x20 || p[0] == 0x7f || length > n || !utf8_valid((struct bytes){p, length}))
        return 0;
    if (p[0] == 0xc2 && p[1] < 0xa0)
        return 0;
    return p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe ? 0 : length;
}

void swid_put_clean(struct wr *w, struct bytes text, bool controls)
{
    for (size_t i = 0, n; i < text.n; i += n ? n : 1) {
        n = swid_writable(text.p + i, text.n - i, controls);
        wr_bytes(w, n ? (struct bytes){text.p + i, n} : BYTES("\xef\xbf\xbd"));
    }
}

size_t swid_plain(struct bytes text)
{
    static const bool escaped[256] = {['&'] = true, ['<'] = true, ['>'] = true, ['"'] = true};
    size_t i = 0;
    while (i < text.n && text.p[i] >= 0x20 && text.p[i] < 0x7f && !escaped[text.p[i]])
        i++;
    return i;
}

bool swid_is_clean(struct bytes text, bool controls)
{
    for (size_t i = swid_plain(text), n; i < text.n; i += n)
        if ((n = swid_writable(text.p + i, text.n - i, controls)) == 0)
            return false;
    return true;
}

bool swid_integer(struct bytes text, bool *negative, uint64_t *magnitude)
{
    *negative = text.n > 1 && text.p[0] == '-';
    struct bytes digits = {text.p + *negative, text.n - *negative};
    bool canonical = digits.n && (digits.p[0] != '0' || (digits.n == 1 && !*negative));
    return canonical && bytes_number(digits, magnitude);
}

static int digit(uint8_t c)
{
    const char *digits = "0123456789abcdef", *found = memchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c, 16);
    return found ? (int)(found - digits) : -1;
}

bool swid_unhex(struct bytes text, uint8_t *octets, size_t max, size_t *n)
{
    *n = text.n / 2;
    if (text.n % 2 || *n > max)
        return false;
    for (size_t i = 0; i < *n; i++) {
        int high = digit(text.p[2 * i]), low = digit(text.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        octets[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

void swid_put_hex(struct wr *w, struct bytes octets)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t hex[128]; /* a SHA-512's: each file of a machine comes by here */
    while (octets.n) {
        size_t n = 0;
        for (; octets.n && n < sizeof hex; octets = bytes_from(octets, 1)) {
            hex[n++] = (uint8_t)digits[octets.p[0] >> 4];
            hex[n++] = (uint8_t)digits[octets.p[0] & 15];
        }
        wr_bytes(w, (struct bytes){hex, n});
    }
}

/* ---- octets that no text can hold -------------------------------------------------------------------------------- */

static void put_exact(struct wr *w, struct bytes octets)
{
    for (size_t i = 0; i < octets.n; i++) {
        uint8_t c = octets.p[i];
        if (c >= 0x20 && c <= 0x7e && c != '%') {
            wr_u8(w, c);
        } else {
            wr_u8(w, '%');
            swid_put_hex(w, (struct bytes){octets.p + i, 1});
        }
    }
}

static bool take_exact(struct wr *w, struct bytes text)
{
    for (size_t i = 0, n; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (c == '%') {
            if (text.n - i < 3 || !swid_unhex((struct bytes){text.p + i + 1, 2}, &c, 1, &n))
                return false;
            i += 2;
        }
        wr_u8(w, c);
    }
    return true;
}

static bool keep(struct arena *a, struct wr *w, struct bytes *kept)
{
    struct bytes copy = arena_copy(a, wr_view(w));
    if (w->bad || !copy.p)
        return false;
    *kept = copy;
    return true;
}

/* The value that an attribute's twin stands for; they have the same name. */
static struct bytes *whole_of(struct swid_node *node, const struct swid_row *twin)
{
    return &node->value[twin->attribute == SWID_EXACT_NAME ? SWID_NAME : SWID_ROOT];
}

bool swid_node_is_clean(const struct swid_node *node, bool controls)
{
    return (node->element != SWID_DIRECTORY && node->element != SWID_FILE) ||
           (swid_is_clean(node->value[SWID_NAME], controls) && swid_is_clean(node->value[SWID_ROOT], controls));
}

bool swid_node_exact(struct swid_node *node, bool controls, struct arena *a)
{
    const struct swid_element_row *e = &swid_elements[node->element];
    bool good = true;
    for (const struct swid_row *r = e->rows; good && r < e->rows + e->count; r++) {
        if (r->type != TYPE_EXACT || swid_is_clean(*whole_of(node, r), controls))
            continue;
        struct wr w = wr_of(0);
        put_exact(&w, *whole_of(node, r));
        good = keep(a, &w, &node->value[r->attribute]);
        wr_free(&w);
    }
    return good;
}

static bool reads_as(struct bytes octets, struct bytes text, bool controls)
{
    struct wr w = wr_of(0);
    swid_put_clean(&w, octets, controls);
    bool same = !w.bad && bytes_equal(wr_view(&w), text);
    wr_free(&w);
    return same;
}

/* A name must not say one thing to a reader that knows the twin and another one to all others. */
static bool take_twin(struct swid_node *node, const struct swid_row *row, struct arena *a)
{
    struct bytes *whole = whole_of(node, row), *twin = &node->value[row->attribute];
    struct wr w = wr_of(0);
    bool good = true;
    if (take_exact(&w, *twin) && (reads_as(wr_view(&w), *whole, true) || reads_as(wr_view(&w), *whole, false)))
        good = keep(a, &w, whole);
    *twin = (struct bytes){NULL, 0};
    wr_free(&w);
    return good;
}

/* ---- the one form ------------------------------------------------------------------------------------------------ */

static void put_words(struct wr *w, struct bytes text)
{
    for (size_t i = 0, from; i < text.n; i++) {
        for (from = i; i < text.n && !memchr(" \t\r\n", text.p[i], 4); i++) {
        }
        if (i > from && w->n)
            wr_u8(w, ' ');
        wr_bytes(w, (struct bytes){text.p + from, i - from});
    }
}

static void put_time(struct wr *w, struct bytes text)
{
    char copy[40] = {0}, printed[TIME_TEXT];
    int64_t t;
    memcpy(copy, text.p, text.n < sizeof copy ? text.n : 0);
    if (text.n < 20 || text.p[10] != 'T' || !time_parse_option(copy, 0, &t)) {
        wr_bytes(w, text);
        return;
    }
    time_format(t, printed);
    wr_str(w, printed);
}

static void put_normal(struct wr *w, enum swid_type type, struct bytes v)
{
    struct bytes trimmed = bytes_trim(v);
    switch (type) {
    case TYPE_BOOL:
        wr_bytes(w, bytes_equal(trimmed, BYTES("1"))   ? BYTES("true")
                    : bytes_equal(trimmed, BYTES("0")) ? BYTES("false")
                                                       : trimmed);
        break;
    case TYPE_INT:
        wr_bytes(w, trimmed);
        break;
    case TYPE_TIME:
        put_time(w, trimmed);
        break;
    case TYPE_HASH:
        for (size_t i = 0; i < trimmed.n; i++)
            wr_u8(w, trimmed.p[i] >= 'A' && trimmed.p[i] <= 'F' ? (uint8_t)(trimmed.p[i] + 32) : trimmed.p[i]);
        break;
    default: /* tokens */
        put_words(w, v);
        break;
    }
}

/* Few values need a change: the others stay where they are. */
static bool normalise(struct bytes *v, enum swid_type type, struct arena *a)
{
    struct wr w = wr_of(0);
    put_normal(&w, type, *v);
    bool good = !w.bad && (bytes_equal(wr_view(&w), *v) || keep(a, &w, v));
    wr_free(&w);
    return good;
}

bool swid_node_normalise(struct swid_node *node, struct arena *a)
{
    const struct swid_element_row *e = &swid_elements[node->element];
    for (const struct swid_row *r = e->rows; r < e->rows + e->count; r++) {
        struct bytes *v = &node->value[r->attribute];
        if (!v->p || r->type == TYPE_TEXT || r->type == TYPE_OCTETS || r->type == TYPE_ID || r->type == TYPE_THUMBPRINT)
            continue;
        if (!(r->type == TYPE_EXACT ? take_twin(node, r, a) : normalise(v, r->type, a)))
            return false;
    }
    if (bytes_equal(node->value[SWID_TAG_VERSION], BYTES("0")))
        node->value[SWID_TAG_VERSION] = (struct bytes){NULL, 0};
    return true;
}
