/* Tags of ISO/IEC 19770-2:2009: the seven elements that it demands, and of them what a tag of 2015 says as well. It has no place for files, links
 * or Meta. Text stands in elements, not in attributes; otherwise what holds for the newer format holds here: no document type, bounded depth and
 * texts, namespaces told by their URI. */
#include "swid/model.h"

#include <expat.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define NAMESPACE "http://standards.iso.org/iso/19770/-2/2009/schema.xsd"
#define ROOT      "software_identification_tag"
#define UNKNOWN   "unknown" /* SWIMA-R91, RFC 8412 §6.2.1 */
#define NOBODY    "regid.1970-01.invalid.unavailable" /* of an unknown creator or licensor: the schema has a pattern; 2015's http://invalid.unavailable */

enum { TEXT_2009_MAX = 64 << 10, LEVELS = 3 };

/* The elements with text, in the order of the schema. */
enum field {
    ENTITLEMENT, TITLE, VERSION, MAJOR, MINOR, BUILD, REVIEW, CREATOR_NAME, CREATOR_REGID, LICENSOR_NAME, LICENSOR_REGID,
    UNIQUE_ID, TAG_REGID, TAG_CREATOR_NAME, TAG_CREATOR_REGID,
    FIELDS /* how many */
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

/* ---- writing -------------------------------------------------------------------------------------------------------- */

struct swid_2009 {
    struct swid_sink sink; /* first */
    struct wr *w;
    enum swid_layout layout;
    unsigned depth;
    struct arena arena;
    struct bytes text[FIELDS];
};

static void keep(struct swid_2009 *x, enum field f, struct bytes value)
{
    if (!value.p || x->text[f].p)
        return;
    x->text[f] = arena_copy(&x->arena, value);
    if (!x->text[f].p)
        x->sink.failed = SWID_TOO_LARGE;
}

static bool has_word(struct bytes words, const char *word)
{
    while (words.n)
        if (bytes_equal(bytes_split(&words, ' '), bytes_of(word)))
            return true;
    return false;
}

static void on_open(struct swid_sink *s, const struct swid_node *node)
{
    struct swid_2009 *x = (struct swid_2009 *)s;
    x->depth++;
    if (node->element == SWID_IDENTITY) {
        keep(x, TITLE, node->value[SWID_NAME]);
        keep(x, VERSION, node->value[SWID_VERSION]);
        keep(x, UNIQUE_ID, node->value[SWID_TAG_ID]);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(parties) && node->element == SWID_ENTITY; i++) {
        if (!has_word(node->value[SWID_ROLE], parties[i].role) || x->text[parties[i].name].p)
            continue;
        keep(x, parties[i].name, node->value[SWID_NAME]);
        keep(x, parties[i].regid, node->value[SWID_REGID]);
    }
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

static void break_line(const struct swid_2009 *x, unsigned depth)
{
    if (x->layout == SWID_PRETTY)
        wr_fmt(x->w, "\n%*s", (int)(2 * depth), "");
}

static unsigned levels_of(const char *const path[LEVELS])
{
    unsigned n = 0;
    while (n < LEVELS && path[n])
        n++;
    return n;
}

/* Elements around two texts that follow each other are left and entered as far as they differ. */
static void put_fields(struct swid_2009 *x)
{
    const char *open[LEVELS] = {0};
    for (enum field f = 0; f <= FIELDS; f++) {
        static const char *const end[LEVELS] = {0};
        const char *const *path = f < FIELDS ? paths[f] : end;
        unsigned around = f < FIELDS ? levels_of(path) - 1 : 0, same = 0;
        while (same < around && open[same] && strcmp(open[same], path[same]) == 0)
            same++;
        for (unsigned i = levels_of(open); i-- > same; open[i] = NULL) {
            break_line(x, i + 1);
            wr_fmt(x->w, "</swid:%s>", open[i]);
        }
        for (unsigned i = same; i < around; i++) {
            break_line(x, i + 1);
            wr_fmt(x->w, "<swid:%s>", open[i] = path[i]);
        }
        if (f == FIELDS)
            break;
        break_line(x, around + 1);
        wr_fmt(x->w, "<swid:%s>", path[around]);
        swid_put_escaped(x->w, x->text[f], x->layout != SWID_RECORD);
        wr_fmt(x->w, "</swid:%s>", path[around]);
    }
}

static void put_all(struct swid_2009 *x)
{
    put_numbers(x);
    x->text[ENTITLEMENT] = BYTES("false");
    x->text[TAG_REGID] = x->text[TAG_CREATOR_REGID];
    for (enum field f = CREATOR_NAME; f < FIELDS; f++)
        if (!x->text[f].p && f != UNIQUE_ID)
            x->text[f] = f == CREATOR_REGID || f == LICENSOR_REGID ? BYTES(NOBODY) : BYTES(UNKNOWN);
    if (x->layout != SWID_RECORD)
        wr_str(x->w, "<?xml version=\"1.0\" encoding=\"utf-8\"?>");
    if (x->layout == SWID_PRETTY)
        wr_u8(x->w, '\n');
    wr_str(x->w, "<swid:" ROOT " xmlns:swid=\"" NAMESPACE "\">");
    put_fields(x);
    break_line(x, 0);
    wr_str(x->w, "</swid:" ROOT ">");
    if (x->layout == SWID_PRETTY)
        wr_u8(x->w, '\n');
}

static void on_close(struct swid_sink *s, enum swid_element element)
{
    struct swid_2009 *x = (struct swid_2009 *)s;
    (void)element;
    if (--x->depth == 0 && s->failed == SWID_OK)
        put_all(x);
    if (x->w->bad && s->failed == SWID_OK)
        s->failed = SWID_TOO_LARGE;
}

struct swid_2009 *swid_2009_new(struct wr *w, enum swid_layout layout)
{
    struct swid_2009 *x = calloc(1, sizeof *x);
    if (x)
        *x = (struct swid_2009){
            .sink = {.open = on_open, .close = on_close}, .w = w, .layout = layout, .arena = arena_of((size_t)FIELDS * TEXT_2009_MAX)};
    return x;
}

struct swid_sink *swid_2009_sink(struct swid_2009 *x)
{
    return &x->sink;
}

void swid_2009_free(struct swid_2009 *x)
{
    if (x)
        arena_free(&x->arena);
    free(x);
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

struct reading {
    XML_Parser parser;
    unsigned depth;             /* of all elements, the root being 1 */
    char path[LEVELS][32];      /* of the elements below the root; "": no name that matters */
    enum field field;           /* whose text is being read; FIELDS: none */
    struct wr text[FIELDS];
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
        if (i == levels && r->text[f].n == 0) /* the first one counts */
            return f;
    }
    return FIELDS;
}

static void XMLCALL on_start(void *context, const char *joined, const char **attributes)
{
    struct reading *r = context;
    const size_t prefix = sizeof NAMESPACE; /* and the blank */
    const char *name = strncmp(joined, NAMESPACE " ", prefix) == 0 ? joined + prefix : "";
    (void)attributes;
    if (r->depth == 0 && strcmp(name, ROOT) != 0)
        stop(r, SWID_OTHER_MODEL, "the root element is neither of ISO/IEC 19770-2:2015 nor of 2009");
    if (r->depth >= SWID_DEPTH_MAX) /* SV-8 */
        stop(r, SWID_MALFORMED, "its elements are nested too deeply");
    if (r->depth > 0 && r->depth <= LEVELS) {
        char *at = r->path[r->depth - 1];
        size_t n = strlen(name);
        bool fits = n < sizeof r->path[0];
        memcpy(at, name, fits ? n : 0);
        at[fits ? n : 0] = 0;
    }
    r->has_signature |= strcmp(joined, "http://www.w3.org/2000/09/xmldsig# Signature") == 0;
    r->depth++;
    r->field = field_of(r);
}

static void XMLCALL on_end(void *context, const char *name)
{
    struct reading *r = context;
    (void)name;
    r->depth--;
    r->field = FIELDS;
}

static void XMLCALL on_text(void *context, const char *text, int n)
{
    struct reading *r = context;
    if (r->field == FIELDS || r->status != SWID_OK)
        return;
    wr_bytes(&r->text[r->field], (struct bytes){(const uint8_t *)text, (size_t)n});
    if (r->text[r->field].bad)
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
    to->open(to, &identity);
    for (size_t i = 0; i < ARRAY_LENGTH(parties); i++)
        tell_party(r, to, i);
    if (to->failed == SWID_OK)
        to->close(to, SWID_IDENTITY);
    wr_free(&numbers);
}

enum swid_status swid_2009_read(struct bytes xml, struct swid_sink *to, struct error *error)
{
    static const XML_Memory_Handling_Suite memory = {malloc, realloc, free};
    struct reading r = {.field = FIELDS, .status = SWID_NO_MEMORY, .why = "out of memory"};
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
    if (r.status != SWID_OK)
        error_set(error, "no usable tag: %s", r.why);
    return r.status;
}
