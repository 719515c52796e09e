/* Reads a tag with expat, bounded: 64 levels, no document type (hence no entities, nothing external), and only the
 * memory of one element. Namespaces are told by their URI, never by a prefix. */
#include "swid/model.h"

#include <expat.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    XML_Parser parser;
    struct swid_sink *to;
    struct arena arena; /* of one element */
    enum swid_element path[SWID_DEPTH_MAX];
    unsigned depth;   /* of known elements */
    unsigned skipped; /* levels below the last known one */
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

/* Of "URI name", as expat joins them: the namespace, or NS_COUNT of one that nobody knows here. */
static enum swid_namespace split(const char *joined, const char **name)
{
    const char *blank = strrchr(joined, ' ');
    if (!blank) {
        *name = joined;
        return NS_NONE;
    }
    struct bytes uri = {(const uint8_t *)joined, (size_t)(blank - joined)};
    *name = blank + 1;
    for (enum swid_namespace i = NS_NONE + 1; i < NS_COUNT; i++)
        if (bytes_equal(uri, bytes_of(swid_namespaces[i].uri)) ||
            (swid_namespaces[i].alias && bytes_equal(uri, bytes_of(swid_namespaces[i].alias))))
            return i;
    return NS_COUNT;
}

static const struct swid_row *find_row(const struct swid_element_row *e, enum swid_namespace space, const char *name)
{
    for (const struct swid_row *r = e->rows; r < e->rows + e->count; r++)
        if (r->space == space && strcmp(r->name, name) == 0)
            return r;
    return NULL;
}

static void stray(struct reading *r, const char *name, enum swid_element of)
{
    if (r->to->stray)
        r->to->stray(r->to, name, swid_elements[of].name);
}

static void open_element(struct reading *r, enum swid_element element, const char **attributes)
{
    struct swid_node node = {.element = element};
    arena_reset(&r->arena);
    for (size_t i = 0; attributes[i]; i += 2) {
        const char *name;
        enum swid_namespace space = split(attributes[i], &name);
        const struct swid_row *row = find_row(&swid_elements[element], space, name);
        if (row &&
            !node.value[row->attribute].p) /* two URIs of one namespace may say the same twice: the first one counts */
            node.value[row->attribute] = bytes_of(attributes[i + 1]);
        else if (!row && space == NS_NONE)
            stray(r, name, element);
    }
    if (!swid_node_normalise(&node, &r->arena))
        stop(r, SWID_NO_MEMORY, "out of memory");
    else
        r->to->open(r->to, &node);
    r->path[r->depth++] = element;
}

#define ISO  SWID_NAMESPACE_2015 " "
#define DSIG "http://www.w3.org/2000/09/xmldsig# "

static enum swid_element element_of(struct reading *r, const char *joined)
{
    const char *name = joined + sizeof ISO - 1;
    bool iso = strncmp(joined, ISO, sizeof ISO - 1) == 0;
    if (r->depth == 0) {
        if (!iso || strcmp(name, swid_elements[SWID_IDENTITY].name) != 0)
            stop(r, SWID_OTHER_MODEL, "the root element is not SoftwareIdentity of ISO/IEC 19770-2:2015");
        return r->status == SWID_OK ? SWID_IDENTITY : SWID_ELEMENTS;
    }
    enum swid_element parent = r->path[r->depth - 1];
    for (enum swid_element e = 0; iso && e < SWID_ELEMENTS; e++)
        if (swid_may_hold(parent, e) && strcmp(name, swid_elements[e].name) == 0)
            return e;
    if (iso)
        stray(r, name, parent);
    return SWID_ELEMENTS;
}

static void XMLCALL on_start(void *context, const char *name, const char **attributes)
{
    struct reading *r = context;
    if (r->status != SWID_OK)
        return;
    if (r->depth + r->skipped >= SWID_DEPTH_MAX) { /* SV-8 */
        stop(r, SWID_MALFORMED, "its elements are nested too deeply");
        return;
    }
    /* Wherever it stands: whether that is the right place is for those to say who check it. */
    r->to->has_signature |= strcmp(name, DSIG "Signature") == 0;
    enum swid_element element = r->skipped ? SWID_ELEMENTS : element_of(r, name);
    if (element == SWID_ELEMENTS)
        r->skipped++;
    else
        open_element(r, element, attributes);
    if (r->to->failed != SWID_OK)
        stop(r, r->to->failed, "it cannot be taken any further");
}

static void XMLCALL on_end(void *context, const char *name)
{
    struct reading *r = context;
    (void)name;
    if (r->status != SWID_OK)
        return;
    if (r->skipped) {
        r->skipped--;
        return;
    }
    r->to->close(r->to, r->path[--r->depth]);
    if (r->to->failed != SWID_OK)
        stop(r, r->to->failed, "it cannot be taken any further");
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
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    if (XML_Parse(r->parser, (const char *)xml.p, (int)xml.n, XML_TRUE) == XML_STATUS_OK || r->status != SWID_OK)
        return;
    enum XML_Error error = XML_GetErrorCode(r->parser);
    r->status = error == XML_ERROR_NO_MEMORY ? SWID_NO_MEMORY : SWID_MALFORMED;
    r->why = XML_ErrorString(error);
}

enum swid_status swid_xml_read(struct bytes xml, struct swid_sink *to, struct error *error)
{
    static const XML_Memory_Handling_Suite memory = {malloc, realloc, free};
    _Static_assert(SWID_READ_MAX < INT_MAX, "expat counts in int");
    struct reading r = {.to = to, .arena = arena_of(SWID_READ_MAX), .status = SWID_NO_MEMORY, .why = "out of memory"};
    if (xml.n > SWID_READ_MAX) {
        error_set(error, "a tag of %zu octets is larger than %d", xml.n, SWID_READ_MAX);
        return SWID_TOO_LARGE;
    }
    r.parser = XML_ParserCreate_MM(NULL, &memory, " ");
    if (r.parser) {
        r.status = SWID_OK;
        parse(&r, xml);
        XML_ParserFree(r.parser);
    }
    arena_free(&r.arena);
    if (r.status != SWID_OK)
        error_set(error, "no usable tag: %s", r.why);
    return r.status;
}
