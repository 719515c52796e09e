/* muster-rpmdb DBPATH: what an rpm database holds, for muster, a line a package. A program of its own, so that librpm,
 * whose database it alone can read in every format, is no part of what runs on every machine. */
#include <inttypes.h>
#include <rpm/header.h>
#include <rpm/rpmcli.h>
#include <rpm/rpmdb.h>
#include <rpm/rpmlib.h>
#include <rpm/rpmlog.h>
#include <rpm/rpmmacro.h>
#include <rpm/rpmts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A field that may be missing, without what ends a field or a line. */
static void put(Header h, rpmTag tag, char end)
{
    const char *text = headerGetString(h, tag);
    for (const char *p = text ? text : ""; *p; p++)
        putchar(*p == '\t' || *p == '\n' ? '?' : *p);
    putchar(end);
}

static void put_package(Header h)
{
    char *evr = headerGetAsString(h, RPMTAG_EVR);
    put(h, RPMTAG_NAME, '\t');
    printf("%s\t", evr ? evr : "");
    put(h, RPMTAG_ARCH, '\t');
    put(h, RPMTAG_SOURCERPM, '\t');
    printf("%" PRIu64 "\n", headerGetNumber(h, RPMTAG_INSTALLTIME));
    free(evr);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: muster-rpmdb DBPATH\n");
        return 2;
    }
    if (rpmReadConfigFiles(NULL, NULL) != 0) {
        fprintf(stderr, "muster-rpmdb: rpm's own configuration cannot be read\n");
        return 1;
    }
    rpmPushMacro(NULL, "_dbpath", NULL, argv[1], RMIL_CMDLINE);
    rpmts ts = rpmtsCreate();
    rpmtsSetVSFlags(ts, (rpmVSFlags)(RPMVSF_MASK_NODIGESTS |
                                     RPMVSF_MASK_NOSIGNATURES)); /* what is installed was checked when it was */
    if (rpmtsOpenDB(ts, 0 /* O_RDONLY */) != 0) {
        fprintf(stderr, "muster-rpmdb: %s: no database that librpm can read\n", argv[1]);
        rpmtsFree(ts);
        return 1;
    }
    unsigned count = 0;
    rpmdbMatchIterator all = rpmtsInitIterator(ts, RPMDBI_PACKAGES, NULL, 0);
    for (Header h; (h = rpmdbNextIterator(all)); count++)
        put_package(h);
    rpmdbFreeIterator(all);
    rpmtsFree(ts);
    printf("\t%u\n", count); /* the last line: nothing was cut off */
    return fflush(stdout) == 0 ? 0 : 1;
}
