/* Tags of ISO/IEC 19770-2:2009: the seven elements that it demands; of Meta what it has elements for; and the rest as its package_footprint takes it:
 * files by their whole paths, with "other" parameters for hashes and what else it knows no element of, and everything that is no file as an "other"
 * of that type, whose parameters are the attributes by the names that they have in 2015. Text stands in elements, not in attributes; otherwise what
 * holds for the newer format holds here: no document type, bounded depth and texts, namespaces told by their URI. */
#include "swid/model.h"

#include <expat.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define NAMESPACE "http://standards.iso.org/iso/19770/-2/2009/schema.xsd"
#define ROOT      "software_identification_tag"
#define UNKNOWN   "unknown" /* SWIMA-R91, RFC 8412 §6.2.1 */
#define NOBODY    "regid.1970-01.invalid.unavailable" /* of an unknown creator or licensor: the schema has a pattern; 2015's http://invalid.unavailable */

enum {
    TEXT_2009_MAX = 64 << 10, /* octets of a field below */
    LEVELS = 3,               /* of elements around such a text */
    ITEM_LEVEL = 3,           /* below the root: package_footprint/primary/file */
};

/* The elements with text, in the order of the schema. */
enum field {
    ENTITLEMENT, TITLE, VERSION, MAJOR, MINOR, BUILD, REVIEW, CREATOR_NAME, CREATOR_REGID, LICENSOR_NAME, LICENSOR_REGID,
    UNIQUE_ID, TAG_REGID, TAG_CREATOR_NAME, TAG_CREATOR_REGID,
    ABSTRACT, ACTIVATION, CHANNEL, FOOTPRINT, FAMILY,
    FIELDS, /* how many */
    DEMANDED = ABSTRACT
};
static const char *const paths[FIELDS][LEVELS] = {
    [ENTITLEMENT] = {"entitlement_required_indicator"},
    [TITLE] = {"product_title"},
    [VERSION] = {"product_version", "name"},
    [MAJOR] = {"product_version", "numeric", "major"},
    [MINOR] = {"product_version", "numeric", "minor"},
    [BUILD] = {"product_version", "numeric", "build"},
    [REVIEW] = {"product_version", "numeric", "review"},
    [CREATOR_NAME] = {"software_creator", "name"},
    [CREATOR_REGID] = {"software_creator", "regid"},
    [LICENSOR_NAME] = {"software_licensor", "name"},
    [LICENSOR_REGID] = {"software_licensor", "regid"},
    [UNIQUE_ID] = {"software_id", "unique_id"},
    [TAG_REGID] = {"software_id", "tag_creator_regid"},
    [TAG_CREATOR_NAME] = {"tag_creator", "name"},
    [TAG_CREATOR_REGID] = {"tag_creator", "regid"},
    [ABSTRACT] = {"abstract"},
    [ACTIVATION] = {"license_linkage", "activation_status"},
    [CHANNEL] = {"license_linkage", "channel_type"},
    [FOOTPRINT] = {"package_footprint", "primary"}, /* no text: elements */
    [FAMILY] = {"product_family"},
};
/* Attributes that are such a text. */
static const struct {
    enum swid_element element;
    enum swid_attribute attribute;
    enum field field;
} places[] = {
    {SWID_IDENTITY, SWID_NAME, TITLE},
    {SWID_IDENTITY, SWID_VERSION, VERSION},
    {SWID_IDENTITY, SWID_TAG_ID, UNIQUE_ID},
    {SWID_META, SWID_DESCRIPTION, ABSTRACT},
    {SWID_META, SWID_ACTIVATION_STATUS, ACTIVATION},
    {SWID_META, SWID_CHANNEL_TYPE, CHANNEL},
    {SWID_META, SWID_PRODUCT_FAMILY, FAMILY},
};
/* Who stands in which role. */
static const struct {
    const char *role;
    enum field name, regid;
} parties[] = {
    {"tagCreator", TAG_CREATOR_NAME, TAG_CREATOR_REGID},
    {"softwareCreator", CREATOR_NAME, CREATOR_REGID},
    {"licensor", LICENSOR_NAME, LICENSOR_REGID},
};

#define LOST_ITSELF (UINT64_C(1) << 63)
_Static_assert(SWID_ATTRIBUTES < 63, "a bit an attribute");

/* ---- writing -------------------------------------------------------------------------------------------------------- */

struct swid_2009 {
    struct swid_sink sink; /* first */
    struct wr *w;
    enum swid_layout layout;
    unsigned depth;
    struct arena arena, scratch; /* scratch: of one element */
    struct bytes text[FIELDS];
    struct swid_lister files; /* knows the path of the file at hand, */
    const struct swid_node *file; /* and this is what else is said of it */
    struct wr listed, others; /* elements of the footprint: files, and behind them all others */
    bool collected;
    uint64_t lost[SWID_ELEMENTS]; /* a bit an attribute */
};

static void keep(struct swid_2009 *x, enum field f, struct bytes value)
{
    if (!value.p || x->text[f].p)
        return;
    x->text[f] = arena_copy(&x->arena, value);
    if (!x->text[f].p)
        x->sink.failed = SWID_TOO_LARGE;
}

static void break_line(const struct swid_2009 *x, struct wr *w, unsigned depth)
{
    if (x->layout == SWID_PRETTY)
        wr_fmt(w, "\n%*s", (int)(2 * depth), "");
}

static void put_text(const struct swid_2009 *x, struct wr *w, unsigned depth, const char *element, struct bytes name, struct bytes text)
{
    break_line(x, w, depth);
    wr_fmt(w, "<swid:%s", element);
    if (name.n) {
        wr_str(w, " name=\"");
        wr_bytes(w, name);
        wr_u8(w, '"');
    }
    wr_u8(w, '>');
    swid_put_escaped(w, text, x->layout != SWID_RECORD);
    wr_fmt(w, "</swid:%s>", element);
}

/* All attributes of an element as parameters. */
static void put_parameters(const struct swid_2009 *x, struct wr *w, const char *parameter, const struct swid_node *node)
{
    const struct swid_element_row *e = &swid_elements[node->element];
    char name[40];
    for (const struct swid_row *r = e->rows; r < e->rows + e->count; r++)
        if (node->value[r->attribute].p)
            put_text(x, w, ITEM_LEVEL + 1, parameter, swid_qualified(r, name), node->value[r->attribute]);
}

static bool says_anything(const struct swid_node *node)
{
    const struct swid_element_row *e = &swid_elements[node->element];
    bool any = false;
    for (const struct swid_row *r = e->rows; r < e->rows + e->count; r++)
        any |= node->value[r->attribute].p != NULL;
    return any;
}

static bool make_exact(struct swid_2009 *x, struct swid_node *node)
{
    arena_reset(&x->scratch);
    bool made = swid_node_exact(node, x->layout != SWID_RECORD, &x->scratch);
    x->sink.failed = made || x->sink.failed != SWID_OK ? x->sink.failed : SWID_NO_MEMORY;
    return made;
}

static void put_other(struct swid_2009 *x, struct swid_node *node)
{
    if (!says_anything(node) || !make_exact(x, node))
        return;
    break_line(x, &x->others, ITEM_LEVEL);
    wr_fmt(&x->others, "<swid:other type=\"%s\">", swid_elements[node->element].name);
    put_parameters(x, &x->others, "param", node);
    break_line(x, &x->others, ITEM_LEVEL);
    wr_str(&x->others, "</swid:other>");
}

/* Elements of a file in the order of the schema; what does not fit the type that it gives them is a parameter as well. */
static void put_file(void *context, const struct swid_file *file)
{
    static const struct {
        enum swid_attribute attribute;
        const char *element;
    } rows[] = {{SWID_NAME, "name"}, {SWID_SIZE, "size"}, {SWID_MD5, "md5"}, {SWID_VERSION, "version"}};
    struct swid_2009 *x = context;
    struct swid_node node = *x->file;
    node.value[SWID_NAME] = file->path;
    if (!file->alone) /* that one is marked by its root */
        node.value[SWID_ROOT] = (struct bytes){0};
    else if (!node.value[SWID_ROOT].p)
        node.value[SWID_ROOT] = BYTES("");
    if (!make_exact(x, &node))
        return;
    break_line(x, &x->listed, ITEM_LEVEL);
    wr_str(&x->listed, "<swid:file>");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct bytes *value = &node.value[rows[i].attribute];
        bool fits = rows[i].attribute == SWID_SIZE ? file->sized && file->size <= UINT32_MAX : rows[i].attribute != SWID_MD5 || value->n == 32;
        if (!value->p || !fits)
            continue;
        put_text(x, &x->listed, ITEM_LEVEL + 1, rows[i].element, (struct bytes){0}, *value);
        *value = (struct bytes){0};
    }
    put_parameters(x, &x->listed, "other", &node);
    break_line(x, &x->listed, ITEM_LEVEL);
    wr_str(&x->listed, "</swid:file>");
}

static void put_folder(void *context, struct bytes path)
{
    struct swid_node node = {.element = SWID_DIRECTORY};
    node.value[SWID_NAME] = path;
    put_other(context, &node);
}

/* Of a party in a role that has its element already, or none, the other roles are told. */
static void place_entity(struct swid_2009 *x, struct swid_node *rest)
{
    struct bytes roles = rest->value[SWID_ROLE];
    struct wr left = wr_of(0);
    while (roles.n) {
        struct bytes role = bytes_split(&roles, ' ');
        size_t i = 0;
        while (i < ARRAY_LENGTH(parties) && (!bytes_equal(role, bytes_of(parties[i].role)) || x->text[parties[i].name].p))
            i++;
        if (i < ARRAY_LENGTH(parties)) {
            keep(x, parties[i].name, rest->value[SWID_NAME]);
            keep(x, parties[i].regid, rest->value[SWID_REGID]);
            continue;
        }
        wr_str(&left, left.n ? " " : "");
        wr_bytes(&left, role);
    }
    rest->value[SWID_ROLE] = wr_view(&left);
    if (left.n)
        put_other(x, rest);
    for (enum swid_attribute a = 0; a < SWID_ATTRIBUTES && !left.n; a++)
        if (rest->value[a].p && a != SWID_NAME && a != SWID_REGID && a != SWID_ROLE)
            x->lost[SWID_ENTITY] |= UINT64_C(1) << a;
    wr_free(&left);
}

/* A Payload that says nothing but what goes without saying is where files are. */
static void place_collection(struct swid_2009 *x, struct swid_node *rest)
{
    static const struct {
        enum swid_attribute attribute;
        const char *value;
    } usual[] = {{SWID_PATH_SEPARATOR, "/"}, {SWID_ENV_PREFIX, "$"}, {SWID_ENV_SUFFIX, ""}};
    for (size_t i = 0; i < ARRAY_LENGTH(usual); i++)
        if (bytes_equal(rest->value[usual[i].attribute], bytes_of(usual[i].value)))
            rest->value[usual[i].attribute] = (struct bytes){0};
    if (rest->element == SWID_EVIDENCE && !says_anything(rest))
        rest->value[SWID_PATH_SEPARATOR] = BYTES("/");
    x->lost[rest->element] |= x->collected ? LOST_ITSELF : 0; /* the two of one tag cannot be told apart */
    x->collected = true;
    put_other(x, rest);
}

static void place_folder(struct swid_2009 *x, const struct swid_node *node)
{
    for (enum swid_attribute a = 0; a < SWID_ATTRIBUTES; a++)
        if (node->value[a].p && a != SWID_NAME && a != SWID_ROOT)
            x->lost[SWID_DIRECTORY] |= UINT64_C(1) << a;
}

static void on_open(struct swid_sink *s, const struct swid_node *node)
{
    struct swid_2009 *x = (struct swid_2009 *)s;
    struct swid_node rest = *node;
    x->depth++;
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
        struct bytes *value = &rest.value[places[i].attribute];
        bool fits = places[i].field < DEMANDED || value->n <= TEXT_2009_MAX;
        if (places[i].element != node->element || !value->p || x->text[places[i].field].p || !fits)
            continue;
        keep(x, places[i].field, *value);
        *value = (struct bytes){0};
    }
    switch (node->element) {
    case SWID_DIRECTORY:
        place_folder(x, node);
        /* fall through */
    case SWID_FILE:
        x->file = node;
        x->files.sink.open(&x->files.sink, node);
        break;
    case SWID_ENTITY:
        place_entity(x, &rest);
        break;
    case SWID_PAYLOAD:
    case SWID_EVIDENCE:
        place_collection(x, &rest);
        break;
    default:
        put_other(x, &rest);
    }
    if (s->failed == SWID_OK)
        s->failed = x->files.sink.failed != SWID_OK ? x->files.sink.failed : x->listed.bad || x->others.bad ? SWID_TOO_LARGE : SWID_OK;
}

/* The numbers with which a version begins, behind an epoch; what is not there is 0. */
static void put_numbers(struct swid_2009 *x)
{
    struct bytes rest = x->text[VERSION], epoch = rest;
    struct bytes behind = rest;
    epoch = bytes_split(&behind, ':');
    uint64_t number;
    if (behind.p && bytes_number(epoch, &number))
        rest = behind;
    for (enum field f = MAJOR; f <= REVIEW; f++) {
        size_t n = 0;
        while (n < rest.n && rest.p[n] >= '0' && rest.p[n] <= '9')
            n++;
        bool fits = bytes_number((struct bytes){rest.p, n}, &number) && number <= UINT32_MAX; /* xs:unsignedInt; half a number were another one */
        x->text[f] = fits ? (struct bytes){rest.p, n} : BYTES("0");
        bool more = n && n < rest.n && rest.p[n] == '.';
        rest = more ? (struct bytes){rest.p + n + 1, rest.n - n - 1} : (struct bytes){0};
    }
}

static unsigned levels_of(const char *const path[LEVELS])
{
    unsigned n = 0;
    while (n < LEVELS && path[n])
        n++;
    return n;
}

static void put_footprint(struct swid_2009 *x, const char *module)
{
    break_line(x, x->w, ITEM_LEVEL - 1);
    wr_fmt(x->w, "<swid:%s>", module);
    wr_bytes(x->w, wr_view(&x->listed));
    wr_bytes(x->w, wr_view(&x->others));
    break_line(x, x->w, ITEM_LEVEL - 1);
    wr_fmt(x->w, "</swid:%s>", module);
}

/* Elements around two texts that follow each other are left and entered as far as they differ. */
static void put_fields(struct swid_2009 *x)
{
    const char *open[LEVELS] = {0};
    for (enum field f = 0; f <= FIELDS; f++) {
        static const char *const end[LEVELS] = {0};
        if (f < FIELDS && f >= DEMANDED && !x->text[f].p)
            continue;
        const char *const *path = f < FIELDS ? paths[f] : end;
        unsigned around = f < FIELDS ? levels_of(path) - 1 : 0, same = 0;
        while (same < around && open[same] && strcmp(open[same], path[same]) == 0)
            same++;
        for (unsigned i = levels_of(open); i-- > same; open[i] = NULL) {
            break_line(x, x->w, i + 1);
            wr_fmt(x->w, "</swid:%s>", open[i]);
        }
        for (unsigned i = same; i < around; i++) {
            break_line(x, x->w, i + 1);
            wr_fmt(x->w, "<swid:%s>", open[i] = path[i]);
        }
        if (f == FIELDS)
            break;
        if (f != FOOTPRINT)
            put_text(x, x->w, around + 1, path[around], (struct bytes){0}, x->text[f]);
        else
            put_footprint(x, path[around]);
    }
}

static void put_all(struct swid_2009 *x)
{
    put_numbers(x);
    x->text[ENTITLEMENT] = BYTES("false");
    x->text[TAG_REGID] = x->text[TAG_CREATOR_REGID];
    if (x->listed.n || x->others.n)
        x->text[FOOTPRINT] = BYTES("");
    for (enum field f = CREATOR_NAME; f < DEMANDED; f++)
        if (!x->text[f].p && f != UNIQUE_ID)
            x->text[f] = f == CREATOR_REGID || f == LICENSOR_REGID ? BYTES(NOBODY) : BYTES(UNKNOWN);
    if (x->layout != SWID_RECORD)
        wr_str(x->w, "<?xml version=\"1.0\" encoding=\"utf-8\"?>");
    if (x->layout == SWID_PRETTY)
        wr_u8(x->w, '\n');
    wr_str(x->w, "<swid:" ROOT " xmlns:swid=\"" NAMESPACE "\">");
    put_fields(x);
    break_line(x, x->w, 0);
    wr_str(x->w, "</swid:" ROOT ">");
    if (x->layout == SWID_PRETTY)
        wr_u8(x->w, '\n');
}

static void on_close(struct swid_sink *s, enum swid_element element)
{
    struct swid_2009 *x = (struct swid_2009 *)s;
    x->files.sink.close(&x->files.sink, element);
    if (--x->depth == 0 && s->failed == SWID_OK)
        put_all(x);
    if (x->w->bad && s->failed == SWID_OK)
        s->failed = SWID_TOO_LARGE;
}

struct swid_2009 *swid_2009_new(struct wr *w, enum swid_layout layout)
{
    struct swid_2009 *x = calloc(1, sizeof *x);
    if (x)
        *x = (struct swid_2009){.sink = {.open = on_open, .close = on_close},
                                .w = w,
                                .layout = layout,
                                .arena = arena_of((size_t)FIELDS * TEXT_2009_MAX),
                                .scratch = arena_of(SWID_READ_MAX),
                                .files = swid_lister_of(put_file, x),
                                .listed = wr_of(SWID_READ_MAX),
                                .others = wr_of(SWID_READ_MAX)};
    if (x)
        x->files.folder = put_folder;
    return x;
}

struct swid_sink *swid_2009_sink(struct swid_2009 *x)
{
    return &x->sink;
}

void swid_2009_free(struct swid_2009 *x)
{
    if (!x)
        return;
    arena_free(&x->arena);
    arena_free(&x->scratch);
    swid_lister_free(&x->files);
    wr_free(&x->listed);
    wr_free(&x->others);
    free(x);
}

bool swid_2009_lost(const struct swid_2009 *x, struct wr *w)
{
    size_t from = w->n;
    char name[40];
    for (enum swid_element e = 0; e < SWID_ELEMENTS; e++) {
        const struct swid_element_row *row = &swid_elements[e];
        if (x->lost[e] & LOST_ITSELF)
            wr_fmt(w, "%s%s", w->n > from ? ", " : "", row->name);
        for (const struct swid_row *r = row->rows; r < row->rows + row->count; r++) {
            if (!(x->lost[e] >> r->attribute & 1))
                continue;
            wr_fmt(w, "%s%s/", w->n > from ? ", " : "", row->name);
            wr_bytes(w, swid_qualified(r, name));
        }
    }
    return w->n > from;
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

enum { END = 0xff };

struct reading {
    XML_Parser parser;
    unsigned depth;             /* of all elements, the root being 1 */
    char path[ITEM_LEVEL + 1][32]; /* of the elements below the root; "": no name that matters */
    enum field field;           /* whose text is being read; FIELDS: none */
    struct wr text[FIELDS];
    enum swid_element item;        /* of the footprint that is being read; SWID_ELEMENTS: none that we know */
    enum swid_attribute attribute; /* of it; SWID_ATTRIBUTES: none */
    struct wr value, items;        /* items: element; attribute, length, octets of each; END. Whole nodes of so many files would be too large */
    bool has_signature;
    enum swid_status status;
    const char *why;
};

static void stop(struct reading *r, enum swid_status status, const char *why)
{
    if (r->status == SWID_OK) {
        r->status = status;
        r->why = why;
    }
    XML_StopParser(r->parser, XML_FALSE);
}

static enum field field_of(const struct reading *r)
{
    for (enum field f = 0; f < FIELDS; f++) {
        unsigned levels = levels_of(paths[f]), i = 0;
        while (r->depth == levels + 1 && i < levels && strcmp(r->path[i], paths[f][i]) == 0)
            i++;
        if (i == levels && r->text[f].n == 0 && f != FOOTPRINT) /* the first one counts */
            return f;
    }
    return FIELDS;
}

static const char *attribute_of(const char **attributes, const char *name)
{
    for (size_t i = 0; attributes[i]; i += 2)
        if (strcmp(attributes[i], name) == 0)
            return attributes[i + 1];
    return "";
}

static enum swid_element element_named(const char *name)
{
    enum swid_element e = 0;
    while (e < SWID_ELEMENTS && (e == SWID_FILE || strcmp(swid_elements[e].name, name) != 0))
        e++;
    return e;
}

static enum swid_attribute attribute_named(enum swid_element element, struct bytes name)
{
    char text[40];
    for (size_t i = 0; element < SWID_ELEMENTS && i < swid_elements[element].count; i++)
        if (bytes_equal(swid_qualified(&swid_elements[element].rows[i], text), name))
            return swid_elements[element].rows[i].attribute;
    return SWID_ATTRIBUTES;
}

/* An element of a module of the footprint, or of such a one. */
static void enter_item(struct reading *r, const char **attributes)
{
    static const char *const modules[] = {"primary", "secondary", "related"};
    const char *name = r->path[r->depth - 2];
    bool within = false;
    for (size_t i = 0; i < ARRAY_LENGTH(modules); i++)
        within |= strcmp(r->path[0], "package_footprint") == 0 && strcmp(r->path[1], modules[i]) == 0;
    r->attribute = SWID_ATTRIBUTES;
    if (!within)
        return;
    if (r->depth - 1 == ITEM_LEVEL) {
        bool file = strcmp(name, "file") == 0, other = strcmp(name, "other") == 0;
        r->item = file ? SWID_FILE : other ? element_named(attribute_of(attributes, "type")) : SWID_ELEMENTS;
        if (r->item < SWID_ELEMENTS)
            wr_u8(&r->items, (uint8_t)r->item);
        return;
    }
    bool parameter = strcmp(name, r->item == SWID_FILE ? "other" : "param") == 0;
    if (parameter)
        r->attribute = attribute_named(r->item, bytes_of(attribute_of(attributes, "name")));
    else if (r->item == SWID_FILE)
        r->attribute = strcmp(name, "md5") == 0 ? SWID_MD5 : attribute_named(SWID_FILE, bytes_of(name));
    wr_reset(&r->value);
}

static void leave_item(struct reading *r)
{
    if (r->depth - 1 == ITEM_LEVEL + 1 && r->attribute < SWID_ATTRIBUTES) {
        wr_u8(&r->items, (uint8_t)r->attribute);
        wr_u32(&r->items, (uint32_t)r->value.n);
        wr_bytes(&r->items, wr_view(&r->value));
        r->attribute = SWID_ATTRIBUTES;
    } else if (r->depth - 1 == ITEM_LEVEL && r->item < SWID_ELEMENTS) {
        wr_u8(&r->items, END);
        r->item = SWID_ELEMENTS;
    }
}

static void XMLCALL on_start(void *context, const char *joined, const char **attributes)
{
    struct reading *r = context;
    const size_t prefix = sizeof NAMESPACE; /* and the blank */
    const char *name = strncmp(joined, NAMESPACE " ", prefix) == 0 ? joined + prefix : "";
    if (r->depth == 0 && strcmp(name, ROOT) != 0)
        stop(r, SWID_OTHER_MODEL, "the root element is neither of ISO/IEC 19770-2:2015 nor of 2009");
    if (r->depth >= SWID_DEPTH_MAX) /* SV-8 */
        stop(r, SWID_MALFORMED, "its elements are nested too deeply");
    if (r->depth > 0 && r->depth <= ARRAY_LENGTH(r->path)) {
        char *at = r->path[r->depth - 1];
        size_t n = strlen(name);
        bool fits = n < sizeof r->path[0];
        memcpy(at, name, fits ? n : 0);
        at[fits ? n : 0] = 0;
    }
    r->has_signature |= strcmp(joined, "http://www.w3.org/2000/09/xmldsig# Signature") == 0;
    r->depth++;
    r->field = field_of(r);
    if (r->depth - 1 == ITEM_LEVEL || r->depth - 1 == ITEM_LEVEL + 1)
        enter_item(r, attributes);
    if (r->items.bad)
        stop(r, SWID_TOO_LARGE, "it says too much");
}

static void XMLCALL on_end(void *context, const char *name)
{
    struct reading *r = context;
    (void)name;
    leave_item(r);
    r->depth--;
    r->field = FIELDS;
}

/* The text of an element within another one is its own. */
static void XMLCALL on_text(void *context, const char *text, int n)
{
    struct reading *r = context;
    struct bytes octets = {(const uint8_t *)text, (size_t)n};
    bool parameter = r->attribute < SWID_ATTRIBUTES && r->depth - 1 == ITEM_LEVEL + 1;
    if ((r->field == FIELDS && !parameter) || r->status != SWID_OK)
        return;
    struct wr *to = parameter ? &r->value : &r->text[r->field];
    wr_bytes(to, octets);
    if (to->bad)
        stop(r, SWID_TOO_LARGE, "one of its texts is too long");
}

/* SV-1: neither entities nor anything external can be without one. */
static void XMLCALL on_doctype(void *context, const char *name, const char *system, const char *public, int internal)
{
    (void)name, (void)system, (void)public, (void)internal;
    stop(context, SWID_MALFORMED, "a document type has no place in a tag");
}

static void parse(struct reading *r, struct bytes xml)
{
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    if (XML_Parse(r->parser, (const char *)xml.p, (int)xml.n, XML_TRUE) == XML_STATUS_OK || r->status != SWID_OK)
        return;
    enum XML_Error error = XML_GetErrorCode(r->parser);
    r->status = error == XML_ERROR_NO_MEMORY ? SWID_NO_MEMORY : SWID_MALFORMED;
    r->why = XML_ErrorString(error);
}

/* p NULL: not there. */
static struct bytes text_of(const struct reading *r, enum field f)
{
    struct bytes text = bytes_trim(wr_view(&r->text[f]));
    return text.n ? text : (struct bytes){NULL, 0};
}

/* The next item that was read, as it stands there; false: none. */
static bool next_item(struct rd *r, struct swid_node *node)
{
    if (!rd_more(r))
        return false;
    *node = (struct swid_node){.element = rd_u8(r)};
    for (uint8_t a = rd_u8(r); a != END && !r->bad; a = rd_u8(r)) {
        struct bytes value = rd_take(r, rd_u32(r));
        if (a < SWID_ATTRIBUTES && !node->value[a].p) /* the first one counts */
            node->value[a] = value.n ? value : BYTES("");
    }
    return !r->bad;
}

static bool ready(struct swid_sink *to, struct swid_node *node, struct arena *a)
{
    arena_reset(a);
    if (!swid_node_normalise(node, a) && to->failed == SWID_OK)
        to->failed = SWID_NO_MEMORY;
    return to->failed == SWID_OK;
}

/* What is said of the tag itself beside its fields, and of the first Meta. */
static void merge(const struct reading *r, struct swid_node *into)
{
    struct rd items = rd_of(wr_view(&r->items), 0);
    struct swid_node node;
    bool merged = false;
    while (!merged && next_item(&items, &node))
        for (size_t i = 0; node.element == into->element && i < SWID_ATTRIBUTES; i++) {
            merged = true;
            if (!into->value[i].p)
                into->value[i] = node.value[i];
        }
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++)
        if (places[i].element == into->element && text_of(r, places[i].field).p)
            into->value[places[i].attribute] = text_of(r, places[i].field);
}

static void tell_items(const struct reading *r, struct swid_sink *to, enum swid_element element, struct arena *a)
{
    struct rd items = rd_of(wr_view(&r->items), 0);
    struct swid_node node, first = {.element = element};
    bool meta = element == SWID_META;
    if (meta)
        merge(r, &first);
    if (meta && says_anything(&first) && ready(to, &first, a))
        swid_leaf(to, &first);
    while (to->failed == SWID_OK && next_item(&items, &node)) {
        bool told = meta;
        if (node.element != element)
            continue;
        meta = false;
        if (!told && ready(to, &node, a))
            swid_leaf(to, &node);
    }
}

static void tell_file(struct swid_files *f, const struct swid_node *node)
{
    static const enum swid_attribute hashes[] = {SWID_SHA256, SWID_SHA384, SWID_SHA512};
    uint8_t octets[ARRAY_LENGTH(hashes)][64];
    struct bytes digests[ARRAY_LENGTH(hashes)] = {{0}};
    struct swid_file file = {.path = node->value[SWID_NAME], .more = node, .mutable = bytes_equal(node->value[SWID_MUTABLE], BYTES("true"))};
    for (size_t i = 0, n; i < ARRAY_LENGTH(hashes); i++)
        if (node->value[hashes[i]].n && swid_unhex(node->value[hashes[i]], octets[i], sizeof octets[i], &n))
            digests[i] = (struct bytes){octets[i], n};
    file.sha256 = digests[0];
    file.sha384 = digests[1];
    file.sha512 = digests[2];
    file.sized = bytes_number(node->value[SWID_SIZE], &file.size);
    f->alone = node->value[SWID_ROOT].p != NULL;
    swid_files_put(f, &file);
}

/* Payload or Evidence, with what stands in it. */
static void tell_collection(const struct reading *r, struct swid_sink *to, struct arena *a)
{
    struct rd items = rd_of(wr_view(&r->items), 0);
    struct swid_node node, collection = {.element = SWID_PAYLOAD};
    struct swid_files f;
    bool any = false;
    while (next_item(&items, &node)) {
        any |= node.element >= SWID_PAYLOAD;
        if (node.element == SWID_EVIDENCE || (node.element == SWID_PAYLOAD && collection.element == SWID_PAYLOAD))
            collection = node;
    }
    if (!any || !ready(to, &collection, a))
        return;
    swid_files_begin(&f, to, false, &collection);
    tell_items(r, to, SWID_PROCESS, a);
    tell_items(r, to, SWID_RESOURCE, a);
    for (items = rd_of(wr_view(&r->items), 0); to->failed == SWID_OK && next_item(&items, &node);) {
        if (node.element <= SWID_EVIDENCE || !node.value[SWID_NAME].n || !ready(to, &node, a))
            continue;
        if (node.element == SWID_FILE)
            tell_file(&f, &node);
        else if (node.element == SWID_DIRECTORY)
            swid_files_put_folder(&f, node.value[SWID_NAME]);
    }
    swid_files_end(&f);
}

static void tell_party(const struct reading *r, struct swid_sink *to, size_t i)
{
    struct swid_node entity = {.element = SWID_ENTITY};
    bool maker = parties[i].name == TAG_CREATOR_NAME;
    struct bytes name = text_of(r, parties[i].name), regid = text_of(r, parties[i].regid);
    if (maker && text_of(r, TAG_REGID).p) /* SWIMA-R90, RFC 8412 §6.2.2: what the identifier is made of */
        regid = text_of(r, TAG_REGID);
    bool known = maker ? regid.p || name.p : name.p && !bytes_equal(name, BYTES(UNKNOWN));
    if (bytes_equal(regid, BYTES(NOBODY)))
        regid = (struct bytes){0};
    if (!known || to->failed != SWID_OK)
        return;
    entity.value[SWID_NAME] = name.p ? name : regid;
    entity.value[SWID_REGID] = regid;
    entity.value[SWID_ROLE] = bytes_of(parties[i].role);
    swid_leaf(to, &entity);
}

static void tell(const struct reading *r, struct swid_sink *to)
{
    struct swid_node identity = {.element = SWID_IDENTITY};
    struct wr numbers = wr_of(0);
    struct arena a = arena_of(SWID_READ_MAX);
    merge(r, &identity);
    identity.value[SWID_NAME] = text_of(r, TITLE);
    identity.value[SWID_TAG_ID] = text_of(r, UNIQUE_ID);
    identity.value[SWID_VERSION] = text_of(r, VERSION);
    bool said = false; /* by something else than zeros, which the schema demands where there is no version */
    for (enum field f = MAJOR; f <= REVIEW && text_of(r, f).p; f++) {
        said |= !bytes_equal(text_of(r, f), BYTES("0"));
        wr_str(&numbers, f == MAJOR ? "" : ".");
        wr_bytes(&numbers, text_of(r, f));
    }
    if (!identity.value[SWID_VERSION].p && said && !numbers.bad)
        identity.value[SWID_VERSION] = wr_view(&numbers);
    if (ready(to, &identity, &a))
        to->open(to, &identity);
    for (size_t i = 0; i < ARRAY_LENGTH(parties); i++)
        tell_party(r, to, i);
    for (enum swid_element e = SWID_ENTITY; e < SWID_PAYLOAD && to->failed == SWID_OK; e++)
        tell_items(r, to, e, &a);
    if (to->failed == SWID_OK)
        tell_collection(r, to, &a);
    if (to->failed == SWID_OK)
        to->close(to, SWID_IDENTITY);
    wr_free(&numbers);
    arena_free(&a);
}

enum swid_status swid_2009_read(struct bytes xml, struct swid_sink *to, struct error *error)
{
    static const XML_Memory_Handling_Suite memory = {malloc, realloc, free};
    struct reading r = {.field = FIELDS,
                        .item = SWID_ELEMENTS,
                        .attribute = SWID_ATTRIBUTES,
                        .value = wr_of(SWID_READ_MAX),
                        .items = wr_of(SWID_READ_MAX),
                        .status = SWID_NO_MEMORY,
                        .why = "out of memory"};
    if (xml.n > SWID_READ_MAX) {
        error_set(error, "a tag of %zu octets is larger than %d", xml.n, SWID_READ_MAX);
        return SWID_TOO_LARGE;
    }
    for (enum field f = 0; f < FIELDS; f++)
        r.text[f] = wr_of(TEXT_2009_MAX);
    r.parser = XML_ParserCreate_MM(NULL, &memory, " ");
    if (r.parser) {
        r.status = SWID_OK;
        parse(&r, xml);
        XML_ParserFree(r.parser);
    }
    if (r.status == SWID_OK) {
        to->has_signature |= r.has_signature;
        tell(&r, to);
        r.status = to->failed;
        r.why = "it cannot be taken any further";
    }
    for (enum field f = 0; f < FIELDS; f++)
        wr_free(&r.text[f]);
    wr_free(&r.value);
    wr_free(&r.items);
    if (r.status != SWID_OK)
        error_set(error, "no usable tag: %s", r.why);
    return r.status;
}
