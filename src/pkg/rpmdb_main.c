/* muster-rpmdb: what an rpm database holds, and what dnf's history tells, for muster. A program of its own, so that
 * librpm, whose database it alone can read in every format, is no part of what runs on every machine.
 *
 *   muster-rpmdb DBPATH                   a line a package
 *   muster-rpmdb DBPATH describe          what each says of itself, needs and gives (rpmdb_describe.c)
 *   muster-rpmdb DBPATH files             asked on standard input, a line a file of a package (rpmdb_files.c)
 *   muster-rpmdb DBPATH history FILE FIRST  dnf's transactions (rpmdb_history.c)
 *
 * Fields have tabs between them; the last line is a tab and the number of lines before it: nothing was cut off. */
#include "pkg/rpmdb.h"

#include <inttypes.h>
#include <rpm/header.h>
#include <rpm/rpmcli.h>
#include <rpm/rpmdb.h>
#include <rpm/rpmlib.h>
#include <rpm/rpmlog.h>
#include <rpm/rpmmacro.h>
#include <rpm/rpmts.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned lines;

void rpmdb_put_text(const char *text, char end)
{
    for (const char *p = text ? text : ""; *p; p++)
        putchar(*p == '\t' || *p == '\n' ? '?' : *p);
    putchar(end);
    lines += end == '\n';
}

void rpmdb_put_number(int64_t n, char end)
{
    printf("%" PRId64 "%c", n, end);
    lines += end == '\n';
}

static void put_package(Header h)
{
    char *evr = headerGetAsString(h, RPMTAG_EVR);
    rpmdb_put_text(headerGetString(h, RPMTAG_NAME), '\t');
    rpmdb_put_text(evr, '\t');
    rpmdb_put_text(headerGetString(h, RPMTAG_ARCH), '\t');
    rpmdb_put_text(headerGetString(h, RPMTAG_SOURCERPM), '\t');
    rpmdb_put_number((int64_t)headerGetNumber(h, RPMTAG_INSTALLTIME), '\n');
    free(evr);
}

static int put_packages(rpmts ts)
{
    rpmdbMatchIterator all = rpmtsInitIterator(ts, RPMDBI_PACKAGES, NULL, 0);
    for (Header h; (h = rpmdbNextIterator(all));)
        put_package(h);
    rpmdbFreeIterator(all);
    return 0;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 2 ? argv[2] : "";
    bool files = argc == 3 && strcmp(mode, "files") == 0, history = argc == 5 && strcmp(mode, "history") == 0;
    bool describe = argc == 3 && strcmp(mode, "describe") == 0;
    if (argc != 2 && !files && !history && !describe) {
        fprintf(stderr, "usage: muster-rpmdb DBPATH [describe | files | history FILE FIRST]\n");
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
    int status = files     ? rpmdb_answer_files(ts)
                 : history ? rpmdb_put_history(ts, argv[3], argv[4])
                 : describe ? rpmdb_put_descriptions(ts)
                            : put_packages(ts);
    rpmtsFree(ts);
    if (status == 0 && !files)
        printf("\t%u\n", lines);
    return fflush(stdout) == 0 ? status : 1;
}
