/* SPDX 2.3 as JSON. The document describes the operating system, which contains its packages, and what stands beside it. Files were not analysed
 * in SPDX's sense (that takes SHA-1 of each), so a file is not contained in its package but expanded from it. */
#include "swid/bill.h"

#include <stdlib.h>
#include <string.h>

#define DOCUMENT "SPDXRef-DOCUMENT"
#define OS       "SPDXRef-OperatingSystem"

struct writer {
    const struct swid_bill *bill;
    struct json *j;
    struct wr text;
    /* The LicenseRef-… of all packages, ordered, each once. */
    struct wr references;
    size_t *starts, reference_count, reference_capacity;
    bool no_memory;
    /* of the package whose files are written */
    struct wr owner;
    size_t file, *file_counts;
};

/* SPDXRef-MANAGER-.NAME-.ARCH-.VERSION: what swid_spdx_id() writes holds no "-.". */
static struct bytes id_of(struct wr *w, const struct swid_component *c)
{
    const struct bytes parts[] = {c->manager, c->name, c->arch, c->version};
    wr_reset(w);
    wr_str(w, "SPDXRef-");
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        wr_str(w, i ? "-." : "");
        swid_spdx_id(w, parts[i]);
    }
    if (c->twin)
        wr_fmt(w, "-.%u", c->twin + 1);
    return wr_view(w);
}

static struct bytes file_id(struct writer *x)
{
    wr_reset(&x->text);
    wr_bytes(&x->text, wr_view(&x->owner));
    wr_fmt(&x->text, "-.-.%zu", x->file);
    return wr_view(&x->text);
}

/* ---- licences ------------------------------------------------------------------------------------------------------------ */

static struct bytes reference(const struct writer *x, size_t i)
{
    struct bytes rest = {x->references.p + x->starts[i], x->references.n - x->starts[i]};
    return bytes_split(&rest, '\n');
}

static void note_reference(struct writer *x, struct bytes name)
{
    size_t from = 0, to = x->reference_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = bytes_compare(reference(x, middle), name);
        if (order == 0)
            return;
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    if (x->reference_count == x->reference_capacity) {
        size_t capacity = x->reference_capacity ? x->reference_capacity * 2 : 64;
        size_t *grown = realloc(x->starts, capacity * sizeof *grown);
        if (!grown) {
            x->no_memory = true;
            return;
        }
        x->starts = grown;
        x->reference_capacity = capacity;
    }
    memmove(x->starts + from + 1, x->starts + from, (x->reference_count - from) * sizeof *x->starts);
    x->starts[from] = x->references.n;
    x->reference_count++;
    wr_bytes(&x->references, name);
    wr_str(&x->references, "\n");
    x->no_memory |= x->references.bad;
}

static void note_references(struct writer *x, struct bytes licence)
{
    while (licence.n && !x->no_memory) {
        struct bytes word = bytes_split(&licence, ' ');
        while (word.n && word.p[0] == '(')
            word = (struct bytes){word.p + 1, word.n - 1};
        while (word.n && word.p[word.n - 1] == ')')
            word.n--;
        if (bytes_starts(word, BYTES("LicenseRef-")))
            note_reference(x, word);
    }
}

/* A licence's own words stand in the package; here is what its name means. */
static void put_references(struct writer *x)
{
    struct bytes prefix = BYTES("LicenseRef-");
    if (x->reference_count)
        json_array_begin(x->j, "hasExtractedLicensingInfos");
    for (size_t i = 0; i < x->reference_count; i++) {
        struct bytes id = reference(x, i), name = {id.p + prefix.n, id.n - prefix.n};
        json_object_begin(x->j, NULL);
        json_text(x->j, "licenseId", id);
        json_text(x->j, "name", name);
        wr_reset(&x->text);
        wr_fmt(&x->text, "What the packages that refer to it call \"%.*s\"; each brings the text with its own documentation.", (int)name.n,
               (const char *)name.p);
        json_text(x->j, "extractedText", wr_view(&x->text));
        json_object_end(x->j);
    }
    if (x->reference_count)
        json_array_end(x->j);
}

/* ---- packages ------------------------------------------------------------------------------------------------------------- */

static void put_text(struct json *j, const char *key, struct bytes value)
{
    if (value.n)
        json_text(j, key, value);
}

/* "Name <mail>" as "Person: Name (mail)"; SPDX wants to know what nobody says, so a name with one of these words is an organization. */
static void put_supplier(struct writer *x, struct bytes maintainer)
{
    static const char *const words[] = {"Maintainers", "Developers", "Team",    "Group", "Project", "Packagers", "Packaging", "Foundation",
                                        "Community",   "maintainers", "team",   "Inc",   "Linux",   "Debian",   "Ubuntu",    "Fedora",
                                        "SUSE",        "Red Hat",     "CentOS", "Alpine"};
    struct bytes mail = maintainer, name = bytes_trim(bytes_split(&mail, '<'));
    mail = bytes_trim(bytes_split(&mail, '>'));
    bool organization = false;
    for (size_t i = 0; i < ARRAY_LENGTH(words) && name.n; i++)
        organization |= memmem(name.p, name.n, words[i], strlen(words[i])) != NULL;
    if (name.n == 0) {
        json_str(x->j, "supplier", "NOASSERTION");
        return;
    }
    wr_reset(&x->text);
    wr_str(&x->text, organization ? "Organization: " : "Person: ");
    wr_bytes(&x->text, name);
    if (mail.n)
        wr_fmt(&x->text, " (%.*s)", (int)mail.n, (const char *)mail.p);
    json_text(x->j, "supplier", wr_view(&x->text));
}

static void put_reference(struct json *j, const char *category, const char *type, struct bytes locator)
{
    json_object_begin(j, NULL);
    json_str(j, "referenceCategory", category);
    json_str(j, "referenceType", type);
    json_text(j, "referenceLocator", locator);
    json_object_end(j);
}

static void put_names(struct writer *x, const struct swid_component *c)
{
    json_array_begin(x->j, "externalRefs");
    wr_reset(&x->text);
    swid_component_purl(&x->text, &x->bill->distribution, c);
    put_reference(x->j, "PACKAGE-MANAGER", "purl", wr_view(&x->text));
    wr_reset(&x->text);
    swid_component_cpe(&x->text, c);
    put_reference(x->j, "SECURITY", "cpe23Type", wr_view(&x->text));
    json_array_end(x->j);
}

static void put_source(struct writer *x, const struct swid_component *c)
{
    if (c->source.n == 0)
        return;
    wr_reset(&x->text);
    wr_str(&x->text, "built package from: ");
    wr_bytes(&x->text, c->source);
    wr_str(&x->text, c->source_version.n ? " " : "");
    wr_bytes(&x->text, c->source_version);
    json_text(x->j, "sourceInfo", wr_view(&x->text));
}

static void put_package(struct writer *x, const struct swid_component *c)
{
    struct json *j = x->j;
    json_object_begin(j, NULL);
    json_text(j, "SPDXID", id_of(&x->text, c));
    json_text(j, "name", c->name);
    put_text(j, "versionInfo", c->version);
    put_supplier(x, c->maintainer);
    json_str(j, "downloadLocation", "NOASSERTION");
    json_bool(j, "filesAnalyzed", false);
    if (bill_is_uri(c->homepage))
        json_text(j, "homepage", c->homepage);
    put_source(x, c);
    json_str(j, "licenseConcluded", "NOASSERTION");
    json_text(j, "licenseDeclared", c->licence.n ? c->licence : BYTES("NOASSERTION"));
    json_str(j, "copyrightText", "NOASSERTION");
    put_text(j, "summary", c->summary);
    if (c->state.n) {
        wr_reset(&x->text);
        wr_fmt(&x->text, "state: %.*s", (int)c->state.n, (const char *)c->state.p);
        json_text(j, "comment", wr_view(&x->text));
    }
    put_names(x, c);
    json_str(j, "primaryPackagePurpose", c->library ? "LIBRARY" : "APPLICATION");
    json_object_end(j);
}

static void put_os(struct writer *x)
{
    const struct swid_distribution *d = &x->bill->distribution;
    json_object_begin(x->j, NULL);
    json_str(x->j, "SPDXID", OS);
    json_text(x->j, "name", d->id);
    put_text(x->j, "versionInfo", d->version);
    json_str(x->j, "downloadLocation", "NOASSERTION");
    json_bool(x->j, "filesAnalyzed", false);
    json_str(x->j, "licenseConcluded", "NOASSERTION");
    json_str(x->j, "licenseDeclared", "NOASSERTION");
    json_str(x->j, "copyrightText", "NOASSERTION");
    put_text(x->j, "summary", d->pretty);
    wr_reset(&x->text);
    bill_put_os_cpe(&x->text, d);
    struct bytes cpe = wr_view(&x->text);
    if (cpe.n) {
        json_array_begin(x->j, "externalRefs");
        put_reference(x->j, "SECURITY", bytes_starts(cpe, BYTES("cpe:2.3:")) ? "cpe23Type" : "cpe22Type", cpe);
        json_array_end(x->j);
    }
    json_str(x->j, "primaryPackagePurpose", "OPERATING_SYSTEM");
    json_object_end(x->j);
}

/* ---- files ----------------------------------------------------------------------------------------------------------------- */

/* SPDX knows no file without a checksum (§8.4). */
static const char *checksum_of(const struct swid_bill_file *f)
{
    return f->digest.n ? bill_hash_name(f->hash, false) : NULL;
}

static bool put_file(void *to, const struct swid_bill_file *f)
{
    struct writer *x = to;
    const char *name = checksum_of(f);
    if (!name)
        return true;
    x->file++;
    json_object_begin(x->j, NULL);
    json_text(x->j, "SPDXID", file_id(x));
    wr_reset(&x->text);
    wr_str(&x->text, "."); /* §8.1: relative to where the package was unpacked */
    wr_bytes(&x->text, f->path);
    json_text(x->j, "fileName", wr_view(&x->text));
    json_array_begin(x->j, "checksums");
    json_object_begin(x->j, NULL);
    json_str(x->j, "algorithm", name);
    json_hex(x->j, "checksumValue", f->digest);
    json_object_end(x->j);
    json_array_end(x->j);
    struct bytes exact = bill_exact(&x->text, f->path);
    put_text(x->j, "comment", exact);
    json_object_end(x->j);
    return !x->j->w->bad && !x->text.bad;
}

static void put_relation(struct json *j, struct bytes from, const char *type, struct bytes to)
{
    json_object_begin(j, NULL);
    json_text(j, "spdxElementId", from);
    json_str(j, "relationshipType", type);
    json_text(j, "relatedSpdxElement", to);
    json_object_end(j);
}

/* The files of each package; what was written of each is counted, so that relations fit whatever happens to files meanwhile. */
static bool put_files(struct writer *x)
{
    const struct swid_bill *b = x->bill;
    struct swid_component c;
    bool good = true;
    json_array_begin(x->j, "files");
    for (size_t i = 0; i < b->count && good; i++) {
        x->file = 0;
        good = b->component(b->context, i, &c) && id_of(&x->owner, &c).n && b->files(b->context, i, put_file, x);
        x->file_counts[i] = x->file;
    }
    json_array_end(x->j);
    return good;
}

/* ---- the document ------------------------------------------------------------------------------------------------------------ */

static bool relate_package(struct writer *x, size_t i)
{
    const struct swid_bill *b = x->bill;
    struct swid_component c;
    const uint32_t *on;
    bool good = b->component(b->context, i, &c);
    if (!good)
        return false;
    struct bytes id = id_of(&x->owner, &c);
    bool of_os = bill_is_of_os(&c);
    put_relation(x->j, of_os ? BYTES(OS) : BYTES(DOCUMENT), of_os ? "CONTAINS" : "DESCRIBES", id);
    size_t count = b->depends(b->context, i, &on);
    for (size_t k = 0; k < count && good; k++)
        if ((good = b->component(b->context, on[k], &c)))
            put_relation(x->j, id, "DEPENDS_ON", id_of(&x->text, &c));
    for (x->file = 1; b->files && x->file <= x->file_counts[i]; x->file++)
        put_relation(x->j, file_id(x), "EXPANDED_FROM_ARCHIVE", id);
    return good;
}

static void put_head(struct writer *x)
{
    struct json *j = x->j;
    const struct swid_bill *b = x->bill;
    char at[TIME_TEXT];
    json_str(j, "spdxVersion", "SPDX-2.3");
    json_str(j, "dataLicense", "CC0-1.0");
    json_str(j, "SPDXID", DOCUMENT);
    json_text(j, "name", b->name);
    wr_str(&x->text, "urn:uuid:");
    bill_put_uuid(&x->text, b->uuid);
    json_text(j, "documentNamespace", wr_view(&x->text));
    json_object_begin(j, "creationInfo");
    json_time(j, "created", b->created);
    json_array_begin(j, "creators");
    wr_reset(&x->text);
    wr_fmt(&x->text, "Tool: muster-%s", b->tool);
    json_text(j, NULL, wr_view(&x->text));
    json_array_end(j);
    json_object_end(j);
    time_format(b->at, at);
    wr_reset(&x->text);
    if (b->at != TIME_UNKNOWN)
        wr_fmt(&x->text, "The machine as it was at %s.", at);
    if (b->incomplete)
        wr_fmt(&x->text, "%sIncomplete: not everything could be read.", x->text.n ? " " : "");
    put_text(j, "comment", wr_view(&x->text));
}

static bool put_body(struct writer *x)
{
    const struct swid_bill *b = x->bill;
    struct swid_component c;
    bool good = true;
    json_array_begin(x->j, "packages");
    put_os(x);
    for (size_t i = 0; i < b->count && good; i++) {
        good = b->component(b->context, i, &c);
        if (!good)
            break;
        put_package(x, &c);
        note_references(x, c.licence);
    }
    json_array_end(x->j);
    if (b->files)
        good = good && put_files(x);
    put_references(x);
    json_array_begin(x->j, "relationships");
    put_relation(x->j, BYTES(DOCUMENT), "DESCRIBES", BYTES(OS));
    for (size_t i = 0; i < b->count && good; i++)
        good = relate_package(x, i);
    json_array_end(x->j);
    return good;
}

bool bill_write_spdx(const struct swid_bill *b, struct json *j)
{
    struct writer x = {.bill = b, .j = j, .text = wr_of(0), .references = wr_of(0), .owner = wr_of(0)};
    x.file_counts = b->files ? calloc(b->count + 1, sizeof *x.file_counts) : NULL;
    if (b->files && !x.file_counts)
        return false;
    json_object_begin(j, NULL);
    put_head(&x);
    bool good = put_body(&x);
    json_object_end(j);
    good = good && !x.no_memory && !x.text.bad && !x.owner.bad && !j->w->bad;
    wr_free(&x.text);
    wr_free(&x.references);
    wr_free(&x.owner);
    free(x.starts);
    free(x.file_counts);
    return good;
}
