/* What the makers of tags share; private to agent/tag_*.c and records.c. */
#ifndef MUSTER_AGENT_TAG_MAKER_H
#define MUSTER_AGENT_TAG_MAKER_H

#include "agent/agent.h"

/* NULL: none. Walks pkg_managers alone. */
const struct pkg_manager *tag_manager_of(uint8_t source);
/* Identity, tagCreator and Meta of a record's tag, whose root stays open. `style` NULL: the default. Nothing, and false, if the record's
 * identifier is none and the style has no product. */
bool tag_put_head(struct swid_sink *to, const struct agent_tag_style *style, const struct journal_record *r);
/* The same with what the package says of itself, for a tag that is about the package; empty: nothing. */
bool tag_put_head_with(struct swid_sink *to, const struct agent_tag_style *style, const struct journal_record *r, struct bytes summary);

/* The record's own tag (r->tag) as its file has it, ready for a Record field. */
void tag_put_own(struct wr *w, const struct journal_record *r);

/* What all packages of a root say of themselves. NULL: no memory; the others take it for one that knows nothing. */
struct tag_summaries;
struct tag_summaries *tag_summaries_read(const char *root);
/* Of this version and architecture, as long as s; empty: not known. */
struct bytes tag_summary_of(const struct tag_summaries *s, const struct journal_record *r);
void tag_summaries_free(struct tag_summaries *s);

/* One file's answer into the tag. `what`: NULL, or why it is not in the tag. A folder or a link that leads nowhere is left out without a word. */
void tag_put_file(struct swid_files *f, struct bytes path, bool mutable, const struct measured *m, const char **what);

/* A walk through a folder and all that is in it, links not followed: each folder's entries sorted by their octets, files before folders unless
 * `hierarchic`. `file` gets what is no folder, its path from there ("/a/b") and whether it is a link; false stops. */
struct tag_walk {
    int root; /* a descriptor of the folder */
    bool hierarchic;
    bool (*file)(void *context, struct bytes path, bool link);
    void (*unreadable)(void *context, struct bytes path); /* a folder that cannot be read */
    void *context;
};
/* False: stopped, or no memory. */
bool tag_walk(const struct tag_walk *w) MUST_USE;
/* A descriptor (O_PATH) of a file or folder below the root, without a link on the way but where the root is /; -1 with errno. */
int tag_open_below(const char *root, const char *path);

#endif
