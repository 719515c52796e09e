/* How the tag commands write tags; private to cli/. */
#ifndef MUSTER_CLI_TAG_OUT_H
#define MUSTER_CLI_TAG_OUT_H

#include "agent/agent.h"
#include "cli/cli.h"
#include "cli/tag_signature.h"
#include "swid/swid.h"

/* Options that tag_out_begin() reads. */
/* clang-format off */
#define TAG_OUT_OPTIONS                                                                                                \
    {"format", "FORMAT", "swid (ISO/IEC 19770-2:2015 XML, the default), swid2009 (its first edition, whose --regid is of the form regid.2004-03.org.example) or coswid (RFC 9393)"},  \
    {"pretty", NULL, "XML on indented lines"},                                                                         \
    {"schema-location", NULL, "XML with xsi:schemaLocation"},                                                          \
    {"output-dir", "DIR", "each tag in a file of its own there, named by its tagId, and the file's path on standard output", .choice = "place"},  \
    {"doc-separator", "TEXT", "stands between two XML documents (default: a line feed)", .choice = "place"},            \
    TAG_SIGN_OPTIONS
/* clang-format on */

/* Tags on their way to standard output: as they are, with a separator between any two (CoSWID: none, a CBOR sequence), or with --json as texts
 * of its items; or to files of a folder, whose paths stand there then. XML leaves while it is made, unless it is signed. */
struct tag_out {
    struct swid_sink sink; /* first: what document() hands out */
    struct cli *cli;
    uint32_t model; /* SWID_MODEL_… */
    bool as_json, pretty, schema_location;
    unsigned hashes; /* enum measure_hash: whose namespaces each document declares */
    const char *separator;
    struct swid_xml xml;
    struct swid_coswid *cbor;
    struct swid_2009 *old;
    struct tag_folder *folder;   /* or NULL */
    struct wr regid, tag_id;     /* for the folder: of the document's tagCreator, of itself */
    struct wr text, signed_text; /* a whole document, where it cannot leave while it is made; of one for a folder what has not left */
    struct tag_signer *signer;   /* or NULL */
    struct json json;
    size_t count;
    bool warned; /* of a regid that the first edition does not know */
    bool lossy;  /* a tag had more to say than its format takes: it was said what, and the exit status wants to be EXIT_UNKNOWN */
    struct wr *out; /* standard output */
    bool ended;     /* nothing can be written any more, */
    int code;       /* and this is the exit status: that of what was said, or EXIT_DONE where standard output is gone, which cli_main() tells */
};
/* The data model that a value of --format means; NULL is the default. False: none. */
bool tag_format_find(const char *format, uint32_t *model);
/* EXIT_DONE, or what was said: then there is nothing to end. `schema` is the JSON document's. */
int tag_out_begin(struct tag_out *o, struct cli *cli, const char *schema);
/* A document begins. NULL: no memory. */
struct swid_sink *tag_out_document(struct tag_out *o);
/* It is complete, and of this software. False: `ended`. */
bool tag_out_document_end(struct tag_out *o, struct bytes name, struct bytes version, struct bytes software_id);
void tag_out_end(struct tag_out *o);

/* Makes the tags of all --package-file; an exit status. muster itself has none (NULL): muster-package carries that out. */
typedef int tag_package_reader(struct cli *cli, const struct agent_tag_style *style, const struct agent_tag_taker *taker);
extern tag_package_reader *const tag_package_files;

#endif
