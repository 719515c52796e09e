/* Reads a tag with expat, bounded: 64 KiB, 64 levels, no document type (hence no entities, nothing external), and only
 * the arena's memory for what is kept. Namespaces are told by their URI, never by a prefix; what is not known is passed
 * over, as the schema allows it everywhere. */
#include "swid/tag.h"

#include <expat.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 64 };

struct reading {
    XML_Parser parser;
    struct arena *arena;
    struct swid_tag *tag;
    unsigned depth;
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

static const char *attribute(const char *const *attributes, const char *name)
{
    for (size_t i = 0; attributes[i]; i += 2)
        if (strcmp(attributes[i], name) == 0)
            return attributes[i + 1];
    return NULL;
}

/* Keeps an attribute if it is there. */
static void keep(struct reading *r, struct bytes *kept, const char *const *attributes, const char *name)
{
    const char *value = attribute(attributes, name);
    if (!value)
        return;
    *kept = arena_copy(r->arena, bytes_of(value));
    if (!kept->p)
        stop(r, SWID_NO_MEMORY, "out of memory");
}

/* Roles are a list of words. */
static bool has_role(const char *roles, struct bytes role)
{
    struct bytes rest = bytes_of(roles);
    while (rest.n)
        if (bytes_equal(bytes_split(&rest, ' '), role))
            return true;
    return false;
}

#define ISO SWID_NAMESPACE_2015 " "

static void start_root(struct reading *r, const char *name, const char *const *attributes)
{
    if (strcmp(name, ISO "SoftwareIdentity") != 0) {
        stop(r, SWID_OTHER_MODEL, "the root element is not SoftwareIdentity of ISO/IEC 19770-2:2015");
        return;
    }
    keep(r, &r->tag->name, attributes, "name");
    keep(r, &r->tag->tag_id, attributes, "tagId");
    keep(r, &r->tag->version, attributes, "version");
}

static void start_child(struct reading *r, const char *name, const char *const *attributes)
{
    if (strcmp(name, ISO "Entity") == 0) {
        const char *roles = attribute(attributes, "role");
        if (!roles || !has_role(roles, BYTES("tagCreator")) || r->tag->creator.p)
            return;
        keep(r, &r->tag->creator, attributes, "name");
        keep(r, &r->tag->regid, attributes, "regid");
    } else if (strcmp(name, ISO "Meta") == 0) {
        keep(r, &r->tag->product, attributes, "product");
        for (size_t i = 0; i < SWID_META_COUNT; i++)
            keep(r, swid_meta_field(r->tag, i), attributes, swid_meta[i].expanded);
    }
}

static void XMLCALL on_start(void *context, const char *name, const char **attributes)
{
    struct reading *r = context;
    if (r->status != SWID_OK)
        return;
    if (++r->depth > DEPTH_MAX)
        stop(r, SWID_MALFORMED, "its elements are nested too deeply");
    else if (r->depth == 1)
        start_root(r, name, attributes);
    else if (r->depth == 2)
        start_child(r, name, attributes);
}

static void XMLCALL on_end(void *context, const char *name)
{
    struct reading *r = context;
    (void)name;
    r->depth--;
}

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

enum swid_status swid_tag_read(struct bytes xml, struct arena *a, struct swid_tag *tag, struct error *error)
{
    static const XML_Memory_Handling_Suite memory = {malloc, realloc, free};
    struct reading r = {.arena = a, .tag = tag, .status = SWID_OK};
    *tag = (struct swid_tag){.regid = BYTES("http://invalid.unavailable")}; /* SW-R1: the schema's default */
    if (xml.n > SWID_TAG_MAX) {
        error_set(error, "a tag of %zu octets is larger than %d", xml.n, SWID_TAG_MAX);
        return SWID_TOO_LARGE;
    }
    r.parser = XML_ParserCreate_MM(NULL, &memory, " ");
    if (r.parser) {
        parse(&r, xml);
        XML_ParserFree(r.parser);
    } else {
        r.status = SWID_NO_MEMORY;
        r.why = "out of memory";
    }
    if (r.status == SWID_OK && (!tag->tag_id.n || !tag->name.n || !tag->creator.p)) { /* SV-3, SV-4 */
        r.status = SWID_MALFORMED;
        r.why = "it lacks its name, its tagId or a tagCreator";
    }
    if (r.status != SWID_OK)
        error_set(error, "no usable tag: %s", r.why);
    return r.status;
}

bool swid_tag_is_of(const struct swid_tag *tag, struct bytes software_id)
{
    struct bytes regid, tag_id;
    return swid_software_id_split(software_id, &regid, &tag_id) && bytes_equal(regid, tag->regid) &&
           bytes_equal(tag_id, tag->tag_id);
}
