/* Where the first of several tags ends that stand one after the other. */
#include "swid/cbor_items.h"
#include "swid/model.h"

#include <expat.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { TELLING = 6 }; /* octets that tell "<?xml " from another processing instruction, and a comment from an element */

/* ---- XML ------------------------------------------------------------------------------------------------------- */

struct finding {
    XML_Parser parser;
    unsigned depth;
    size_t end; /* of the root element; 0: not seen yet */
};

static void XMLCALL on_start(void *context, const char *name, const char **attributes)
{
    struct finding *f = context;
    (void)name, (void)attributes;
    if (++f->depth > SWID_DEPTH_MAX)
        XML_StopParser(f->parser, XML_FALSE);
}

static void XMLCALL on_end(void *context, const char *name)
{
    struct finding *f = context;
    (void)name;
    if (--f->depth > 0)
        return;
    f->end = (size_t)XML_GetCurrentByteIndex(f->parser) + (size_t)XML_GetCurrentByteCount(f->parser);
    XML_StopParser(f->parser, XML_FALSE);
}

/* As in swid_xml_read(). */
static void XMLCALL on_doctype(void *context, const char *name, const char *system, const char *public, int internal)
{
    const struct finding *f = context;
    (void)name, (void)system, (void)public, (void)internal;
    XML_StopParser(f->parser, XML_FALSE);
}

/* The end of the root element; 0 where it is not there yet, or, `torn`, will never be. */
static size_t find_root_end(struct bytes octets, bool all, bool *torn)
{
    struct finding f = {.parser = XML_ParserCreate(NULL)};
    *torn = true;
    if (!f.parser || octets.n > INT_MAX)
        return 0;
    XML_SetUserData(f.parser, &f);
    XML_SetElementHandler(f.parser, on_start, on_end);
    XML_SetStartDoctypeDeclHandler(f.parser, on_doctype);
    *torn = XML_Parse(f.parser, (const char *)octets.p, (int)octets.n, all) != XML_STATUS_OK && f.end == 0;
    XML_ParserFree(f.parser);
    return f.end;
}

/* ---- between two ------------------------------------------------------------------------------------------------ */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What ends with this text, from *at on; false: it does not end. */
static bool pass(struct bytes octets, size_t *at, struct bytes end)
{
    struct bytes rest = bytes_from(octets, *at);
    const uint8_t *found = memmem(rest.p, rest.n, end.p, end.n);
    *at = found ? (size_t)(found - octets.p) + end.n : octets.n;
    return found;
}

/* Behind blanks, comments and processing instructions, which belong to the document before them (XML 1.0 §2.8: Misc). 0: they may go on. */
static size_t pass_misc(struct bytes octets, size_t at, bool all)
{
    bool ended = true;
    while (ended && at < octets.n) {
        struct bytes rest = bytes_from(octets, at);
        bool declaration = rest.n >= TELLING && bytes_starts(rest, BYTES("<?xml")) && is_blank(rest.p[5]);
        if (is_blank(rest.p[0]))
            at++;
        else if (rest.p[0] == '<' && rest.n < TELLING && !all)
            return 0;
        else if (bytes_starts(rest, BYTES("<!--")))
            ended = pass(octets, &at, BYTES("-->"));
        else if (bytes_starts(rest, BYTES("<?")) && !declaration)
            ended = pass(octets, &at, BYTES("?>"));
        else
            return at;
    }
    return all ? octets.n : 0;
}

/* ---- both ------------------------------------------------------------------------------------------------------- */

/* UTF-16 and UTF-32: octets between two documents have no meaning of their own there. */
static bool is_wide(struct bytes octets)
{
    return octets.n > 1 && (octets.p[0] == 0 || octets.p[1] == 0 || octets.p[0] >= 0xfe);
}

/* A text or a number is no CoSWID, and a sequence of them no file of tags. */
static size_t find_item_end(struct bytes octets, bool *torn)
{
    struct swid_cbor d = swid_cbor_of(octets);
    uint8_t major = octets.p[0] >> 5;
    swid_cbor_skip(&d, 0);
    *torn = (major != 5 && major != 6) || (d.status != SWID_OK && !d.ends_early);
    return d.status == SWID_OK && !*torn ? d.at : 0;
}

size_t swid_document_end(struct bytes octets, bool all, struct bytes *document, bool *torn)
{
    bool xml = swid_is_xml(octets);
    *torn = false;
    *document = octets;
    if (octets.n == 0)
        return 0;
    if (xml && is_wide(octets))
        *torn = all;
    size_t end = xml && is_wide(octets) ? 0 : xml ? find_root_end(octets, all, torn) : find_item_end(octets, torn);
    size_t next = end ? pass_misc(octets, end, all) : 0;
    document->n = xml && next ? next : end ? end : octets.n;
    *torn |= end == 0 && all;
    return *torn ? octets.n : next;
}
