/* muster-rpmdb DBPATH files: asked on standard input, a line a file of a package. */
#include "pkg/rpmdb.h"

#include <rpm/header.h>
#include <rpm/rpmdb.h>
#include <rpm/rpmfi.h>
#include <rpm/rpmfiles.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A name in one field of one line. */
static void put_name(const char *name)
{
    for (const char *p = name; *p; p++) {
        if (*p == '\\' || *p == '\n' || *p == '\t')
            putchar('\\');
        putchar(*p == '\n' ? 'n' : *p == '\t' ? 't' : *p);
    }
}

/* KIND (f d l s), FLAGS (c configuration, o may be missing), DIGEST, PATH */
static void put_file(rpmfiles files, int i)
{
    rpmFlags flags = rpmfilesFFlags(files, i);
    unsigned type = rpmfilesFMode(files, i) & (unsigned)S_IFMT;
    bool absent = rpmfilesFState(files, i) != RPMFILE_STATE_NORMAL;
    char *name = rpmfilesFN(files, i);
    size_t size = 0;
    const unsigned char *digest = rpmfilesFDigest(files, i, NULL, &size);
    printf("%c\t%s%s\t", type == S_IFDIR ? 'd' : type == S_IFLNK ? 'l' : type == S_IFREG ? 'f' : 's',
           flags & RPMFILE_CONFIG ? "c" : "", absent || flags & (RPMFILE_GHOST | RPMFILE_MISSINGOK) ? "o" : "");
    static const unsigned char none[64]; /* what librpm makes of an empty one */
    if (!digest || size > sizeof none || memcmp(digest, none, size) == 0)
        size = 0;
    for (size_t k = 0; k < size; k++)
        printf("%02x", digest[k]);
    putchar('\t');
    put_name(name ? name : "");
    putchar('\n');
    free(name);
}

static bool is_it(Header h, const char *evr, const char *arch)
{
    const char *has = headerGetString(h, RPMTAG_ARCH);
    char *is = headerGetAsString(h, RPMTAG_EVR);
    bool same = is && strcmp(is, evr) == 0 && (!has || !*arch || strcmp(has, arch) == 0);
    free(is);
    return same;
}

/* Two packages may have one name, version and architecture; the first one's files are told. */
static void answer(rpmts ts, const char *name, const char *evr, const char *arch)
{
    rpmdbMatchIterator found = rpmtsInitIterator(ts, RPMDBI_NAME, name, 0);
    Header h;
    while ((h = rpmdbNextIterator(found)) && !is_it(h, evr, arch))
        continue;
    rpmfiles files = h ? rpmfilesNew(NULL, h, 0, RPMFI_FLAGS_QUERY) : NULL;
    unsigned count = files ? (unsigned)rpmfilesFC(files) : 0;
    for (int i = 0; i < (int)count; i++)
        put_file(files, i);
    printf(h ? "\t%u\n" : "\t\n", count);
    rpmfilesFree(files);
    rpmdbFreeIterator(found);
}

/* Questions are lines "NAME EVR ARCH" with tabs between; an answer ends with a tab and the number of its lines, or
 * nothing behind it if there is no such package. */
int rpmdb_answer_files(rpmts ts)
{
    char line[4096];
    while (fgets(line, sizeof line, stdin)) {
        char *evr = strchr(line, '\t'), *arch = evr ? strchr(evr + 1, '\t') : NULL, *end = strchr(line, '\n');
        if (!arch || !end)
            return 1;
        *evr++ = *arch++ = *end = 0;
        answer(ts, line, evr, arch);
        if (fflush(stdout) != 0)
            return 1;
    }
    return 0;
}
