/* What a package file holds, gathered; private to cli/ and muster-package. */
#ifndef MUSTER_CLI_PACKAGE_H
#define MUSTER_CLI_PACKAGE_H

#include "base/base.h"
#include "cli/cli.h"
#include "measure/measure.h"
#include "pkg/pkg.h"

struct package_entry {
    struct bytes path, link, same_as; /* as in struct pkg_member; path.p is NUL-terminated */
    enum pkg_file_kind kind;
    bool config, optional, delivered, resolved; /* resolved: size and digests are those of the content, its own or that of same_as */
    bool again;                /* a folder that is told once more; gone when it was read */
    bool differs;              /* the package itself says another hash of it, */
    bool unlisted, absent;     /* does not list it, or lists it without bringing it */
    uint32_t mode;
    uint64_t size;
    enum pkg_hash said_hash;   /* what the package says of its content */
    struct bytes said, proof;  /* and what that hash of its content is; empty where nothing was said, or nothing delivered */
    const uint8_t *digests;    /* of the hashes that were asked for, one behind the other; NULL: no content */
};
/* A package file that was read to its end. Everything lives in the arena. */
struct package_contents {
    const struct pkg_manager *manager;
    struct pkg_package package;
    struct bytes summary, licence, homepage;
    struct package_entry *entries; /* in the file's order */
    struct package_entry **sorted; /* by their paths */
    size_t count;
    size_t differing, unlisted, absent, unproven; /* entries; unproven: said in a hash that OpenSSL does not compute here */
    unsigned hashes;               /* enum measure_hash */
    struct arena arena;
};
/* Memory that a package's lists may take: about a million files. */
#define PACKAGE_CONTENTS_MAX ((size_t)256 << 20)
/* Reads a package file ("-": standard input) whole, with `hashes` of every file. PKG_OK; otherwise `error` says why, and there is nothing to
 * free. */
enum pkg_status package_contents_read(struct package_contents *c, const char *path, unsigned hashes, struct error *error) MUST_USE;
void package_contents_free(struct package_contents *c);
/* NULL: nothing in it has this path. */
const struct package_entry *package_contents_find(const struct package_contents *c, struct bytes path);
/* Makes the tag of what was read, whatever else is installed; the style must have a product. False: stopped, or no memory. */
struct agent_tag_style;
struct agent_tag_taker;
bool package_put_tag(const struct package_contents *c, const struct agent_tag_style *style, const struct agent_tag_taker *taker) MUST_USE;
/* The exit status that a failure means; and the one for what a package says of its files and what they are, which is said if they differ. */
int package_exit(enum pkg_status status, const char *path);
int package_judge(const struct cli *cli, const char *path, const struct package_contents *c);
/* One of the hashes of an entry's content; empty if there is none. */
struct bytes package_entry_digest(const struct package_contents *c, const struct package_entry *e, enum measure_hash hash);

#endif
