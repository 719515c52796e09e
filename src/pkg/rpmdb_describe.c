/* muster-rpmdb DBPATH describe: lines of what each package says of itself,
 *   P NAME EVR ARCH SUMMARY URL VENDOR LICENCE
 * and behind it, a line each, what it needs (N) and what it gives (G):
 *   N NAME SIGN EVR
 * A path that somebody needs is given by the package that has this file. */
#include "pkg/rpmdb.h"

#include <rpm/header.h>
#include <rpm/rpmdb.h>
#include <rpm/rpmds.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A path that is needed, and who has it. */
struct owned {
    char *path;
    unsigned package; /* its number in the database; 0: nobody */
};
struct paths {
    struct owned *items;
    size_t count, capacity;
    int no_memory;
};

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct owned *)a)->path, ((const struct owned *)b)->path);
}

static void add(struct paths *p, const char *path)
{
    if (p->count == p->capacity) {
        size_t capacity = p->capacity ? p->capacity * 2 : 256;
        struct owned *grown = realloc(p->items, capacity * sizeof *grown);
        p->no_memory |= !grown;
        if (!grown)
            return;
        p->items = grown;
        p->capacity = capacity;
    }
    char *copy = strdup(path);
    p->no_memory |= !copy;
    if (copy)
        p->items[p->count++] = (struct owned){copy, 0};
}

static void sort(struct paths *p)
{
    size_t kept = 0;
    if (p->count)
        qsort(p->items, p->count, sizeof *p->items, by_path);
    for (size_t i = 0; i < p->count; i++)
        if (kept && strcmp(p->items[kept - 1].path, p->items[i].path) == 0)
            free(p->items[i].path);
        else
            p->items[kept++] = p->items[i];
    p->count = kept;
}

static void find_needed(rpmts ts, struct paths *p)
{
    rpmdbMatchIterator all = rpmtsInitIterator(ts, RPMDBI_PACKAGES, NULL, 0);
    for (Header h; (h = rpmdbNextIterator(all));) {
        rpmds needs = rpmdsNew(h, RPMTAG_REQUIRENAME, 0);
        while (rpmdsNext(needs) >= 0)
            if (rpmdsN(needs)[0] == '/')
                add(p, rpmdsN(needs));
        rpmdsFree(needs);
    }
    rpmdbFreeIterator(all);
    sort(p);
    for (size_t i = 0; i < p->count; i++) {
        rpmdbMatchIterator found = rpmtsInitIterator(ts, RPMDBI_INSTFILENAMES, p->items[i].path, 0);
        Header h = rpmdbNextIterator(found);
        p->items[i].package = h ? headerGetInstance(h) : 0;
        rpmdbFreeIterator(found);
    }
}

static void put_relations(Header h, rpmTag tag, const char *kind)
{
    rpmds all = rpmdsNew(h, tag, 0);
    while (rpmdsNext(all) >= 0) {
        rpmsenseFlags flags = rpmdsFlags(all);
        char sign[3] = {0};
        size_t n = 0;
        if (flags & RPMSENSE_RPMLIB)
            continue; /* what rpm itself must know */
        if (flags & RPMSENSE_LESS)
            sign[n++] = '<';
        if (flags & RPMSENSE_GREATER)
            sign[n++] = '>';
        if (flags & RPMSENSE_EQUAL && n < 2)
            sign[n++] = '=';
        rpmdb_put_text(kind, '\t');
        rpmdb_put_text(rpmdsN(all), '\t');
        rpmdb_put_text(sign, '\t');
        rpmdb_put_text(rpmdsEVR(all), '\n');
    }
    rpmdsFree(all);
}

static void put_package(Header h, const struct paths *p)
{
    static const rpmTag texts[] = {RPMTAG_ARCH, RPMTAG_SUMMARY, RPMTAG_URL, RPMTAG_VENDOR};
    char *evr = headerGetAsString(h, RPMTAG_EVR);
    rpmdb_put_text("P", '\t');
    rpmdb_put_text(headerGetString(h, RPMTAG_NAME), '\t');
    rpmdb_put_text(evr, '\t');
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        rpmdb_put_text(headerGetString(h, texts[i]), '\t');
    rpmdb_put_text(headerGetString(h, RPMTAG_LICENSE), '\n');
    free(evr);
    put_relations(h, RPMTAG_REQUIRENAME, "N");
    put_relations(h, RPMTAG_PROVIDENAME, "G");
    for (size_t i = 0; i < p->count; i++)
        if (p->items[i].package == headerGetInstance(h)) {
            rpmdb_put_text("G", '\t');
            rpmdb_put_text(p->items[i].path, '\t');
            rpmdb_put_text("", '\t');
            rpmdb_put_text("", '\n');
        }
}

int rpmdb_put_descriptions(rpmts ts)
{
    struct paths p = {0};
    find_needed(ts, &p);
    rpmdbMatchIterator all = rpmtsInitIterator(ts, RPMDBI_PACKAGES, NULL, 0);
    for (Header h; (h = rpmdbNextIterator(all));)
        put_package(h, &p);
    rpmdbFreeIterator(all);
    for (size_t i = 0; i < p.count; i++)
        free(p.items[i].path);
    free(p.items);
    return p.no_memory;
}
