/* CycloneDX 1.6 as JSON (ECMA-424). The machine is the bill's component; it depends on its operating system and on what stands beside that; the
 * operating system depends on its packages, as scanners expect it. */
#include "swid/bill.h"

#define DEVICE "device"
#define OS     "os"

struct writer {
    const struct swid_bill *bill;
    struct json *j;
    struct wr text;
};

/* manager/name/arch/version, each percent-encoded: unique, and the same in every bill of the same package. */
static struct bytes ref_of(struct wr *w, const struct swid_component *c)
{
    const struct bytes parts[] = {c->manager, c->name, c->arch, c->version};
    wr_reset(w);
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        wr_str(w, i ? "/" : "");
        bill_put_encoded(w, parts[i]);
    }
    if (c->twin)
        wr_fmt(w, "/%u", c->twin + 1);
    return wr_view(w);
}

static void put_text(struct json *j, const char *key, struct bytes value)
{
    if (value.n)
        json_text(j, key, value);
}

static void put_property(struct json *j, const char *name, struct bytes value)
{
    if (value.n == 0)
        return;
    json_object_begin(j, NULL);
    json_str(j, "name", name);
    json_text(j, "value", value);
    json_object_end(j);
}

static void put_hash(struct json *j, const struct swid_bill_file *f)
{
    const char *name = bill_hash_name(f->hash, true);
    if (!name || f->digest.n == 0)
        return;
    json_array_begin(j, "hashes");
    json_object_begin(j, NULL);
    json_str(j, "alg", name);
    json_hex(j, "content", f->digest);
    json_object_end(j);
    json_array_end(j);
}

/* Only what SPDX lists may be an `id`; who calls a licence by another name has it named, and more than one is an expression. */
static void put_licences(struct json *j, struct bytes licence)
{
    struct bytes reference = BYTES("LicenseRef-"), rest = licence;
    bool one = bytes_split(&rest, ' ').n == licence.n, unlisted = bytes_starts(licence, reference);
    if (licence.n == 0)
        return;
    json_array_begin(j, "licenses");
    json_object_begin(j, NULL);
    if (one)
        json_object_begin(j, "license");
    if (one && unlisted)
        json_text(j, "name", (struct bytes){licence.p + reference.n, licence.n - reference.n});
    else
        json_text(j, one ? "id" : "expression", licence);
    json_str(j, "acknowledgement", "declared");
    if (one)
        json_object_end(j);
    json_object_end(j);
    json_array_end(j);
}

static bool put_file(void *to, const struct swid_bill_file *f)
{
    struct writer *x = to;
    struct bytes exact = bill_exact(&x->text, f->path);
    json_object_begin(x->j, NULL);
    json_str(x->j, "type", "file");
    json_text(x->j, "name", f->path);
    put_hash(x->j, f);
    if (exact.n) {
        json_array_begin(x->j, "properties");
        put_property(x->j, "muster:path", exact);
        json_array_end(x->j);
    }
    json_object_end(x->j);
    return !x->j->w->bad && !x->text.bad;
}

static void put_names(struct writer *x, const struct swid_component *c)
{
    wr_reset(&x->text);
    swid_component_cpe(&x->text, c);
    json_text(x->j, "cpe", wr_view(&x->text));
    wr_reset(&x->text);
    swid_component_purl(&x->text, &x->bill->distribution, c);
    json_text(x->j, "purl", wr_view(&x->text));
    if (c->tag_id.n == 0)
        return;
    json_object_begin(x->j, "swid");
    json_text(x->j, "tagId", c->tag_id);
    json_text(x->j, "name", c->name);
    put_text(x->j, "version", c->version);
    json_object_end(x->j);
}

static bool put_component(struct writer *x, size_t i, const struct swid_component *c)
{
    struct json *j = x->j;
    bool good = true;
    json_object_begin(j, NULL);
    json_str(j, "type", c->library ? "library" : "application");
    json_text(j, "bom-ref", ref_of(&x->text, c));
    put_text(j, "publisher", c->maintainer);
    json_text(j, "name", c->name);
    put_text(j, "version", c->version);
    put_text(j, "description", c->summary);
    put_licences(j, c->licence);
    put_names(x, c);
    if (bill_is_uri(c->homepage)) {
        json_array_begin(j, "externalReferences");
        json_object_begin(j, NULL);
        json_text(j, "url", c->homepage);
        json_str(j, "type", "website");
        json_object_end(j);
        json_array_end(j);
    }
    if (x->bill->files) {
        json_array_begin(j, "components");
        good = x->bill->files(x->bill->context, i, put_file, x);
        json_array_end(j);
    }
    json_array_begin(j, "properties");
    put_property(j, "muster:manager", c->manager);
    put_property(j, "muster:arch", c->arch);
    put_property(j, "muster:source:name", c->source);
    put_property(j, "muster:source:version", c->source_version);
    put_property(j, "muster:state", c->state);
    json_array_end(j);
    json_object_end(j);
    return good && !x->text.bad;
}

static void put_os(struct writer *x)
{
    const struct swid_distribution *d = &x->bill->distribution;
    json_object_begin(x->j, NULL);
    json_str(x->j, "type", "operating-system");
    json_str(x->j, "bom-ref", OS);
    json_text(x->j, "name", d->id);
    put_text(x->j, "version", d->version);
    put_text(x->j, "description", d->pretty);
    wr_reset(&x->text);
    bill_put_os_cpe(&x->text, d);
    put_text(x->j, "cpe", wr_view(&x->text));
    json_object_end(x->j);
}

static void put_metadata(struct writer *x)
{
    struct json *j = x->j;
    json_object_begin(j, "metadata");
    json_time(j, "timestamp", x->bill->created);
    json_array_begin(j, "lifecycles");
    json_object_begin(j, NULL);
    json_str(j, "phase", "operations");
    json_object_end(j);
    json_array_end(j);
    json_object_begin(j, "tools");
    json_array_begin(j, "components");
    json_object_begin(j, NULL);
    json_str(j, "type", "application");
    json_str(j, "name", "muster");
    json_str(j, "version", x->bill->tool);
    json_object_end(j);
    json_array_end(j);
    json_object_end(j);
    json_object_begin(j, "component");
    json_str(j, "type", "device");
    json_str(j, "bom-ref", DEVICE);
    json_text(j, "name", x->bill->name);
    json_object_end(j);
    if (x->bill->at != TIME_UNKNOWN) {
        char text[TIME_TEXT];
        time_format(x->bill->at, text);
        json_array_begin(j, "properties");
        put_property(j, "muster:at", bytes_of(text));
        json_array_end(j);
    }
    json_object_end(j);
}

/* `ref`, `first` if it is not NULL, and every component that is of the operating system, or is not. */
static bool put_assembly(struct writer *x, const char *ref, const char *first, bool of_os)
{
    struct swid_component c;
    bool good = true;
    json_object_begin(x->j, NULL);
    json_str(x->j, "ref", ref);
    json_array_begin(x->j, "dependsOn");
    if (first)
        json_str(x->j, NULL, first);
    for (size_t i = 0; i < x->bill->count && good; i++)
        if ((good = x->bill->component(x->bill->context, i, &c)) && bill_is_of_os(&c) == of_os)
            json_text(x->j, NULL, ref_of(&x->text, &c));
    json_array_end(x->j);
    json_object_end(x->j);
    return good;
}

static bool put_dependencies(struct writer *x, size_t i)
{
    struct swid_component c;
    const uint32_t *on;
    bool good = x->bill->component(x->bill->context, i, &c);
    if (!good)
        return false;
    json_object_begin(x->j, NULL);
    json_text(x->j, "ref", ref_of(&x->text, &c));
    size_t count = x->bill->depends(x->bill->context, i, &on);
    if (count)
        json_array_begin(x->j, "dependsOn");
    for (size_t k = 0; k < count && good; k++)
        if ((good = x->bill->component(x->bill->context, on[k], &c)))
            json_text(x->j, NULL, ref_of(&x->text, &c));
    if (count)
        json_array_end(x->j);
    json_object_end(x->j);
    return good;
}

static bool put_body(struct writer *x)
{
    const struct swid_bill *b = x->bill;
    struct swid_component c;
    bool good = true;
    json_array_begin(x->j, "components");
    put_os(x);
    for (size_t i = 0; i < b->count && good; i++)
        good = b->component(b->context, i, &c) && put_component(x, i, &c);
    json_array_end(x->j);
    json_array_begin(x->j, "dependencies");
    good = good && put_assembly(x, DEVICE, OS, false) && put_assembly(x, OS, NULL, true);
    for (size_t i = 0; i < b->count && good; i++)
        good = put_dependencies(x, i);
    json_array_end(x->j);
    return good;
}

bool bill_write_cyclonedx(const struct swid_bill *b, struct json *j)
{
    struct writer x = {.bill = b, .j = j, .text = wr_of(0)};
    json_object_begin(j, NULL);
    json_str(j, "bomFormat", "CycloneDX");
    json_str(j, "specVersion", "1.6");
    wr_str(&x.text, "urn:uuid:");
    bill_put_uuid(&x.text, b->uuid);
    json_text(j, "serialNumber", wr_view(&x.text));
    json_number(j, "version", 1);
    put_metadata(&x);
    bool good = put_body(&x);
    if (b->incomplete) {
        json_array_begin(j, "compositions");
        json_object_begin(j, NULL);
        json_str(j, "aggregate", "incomplete");
        json_array_begin(j, "assemblies");
        json_str(j, NULL, OS);
        json_array_end(j);
        json_object_end(j);
        json_array_end(j);
    }
    json_object_end(j);
    good = good && !x.text.bad && !j->w->bad;
    wr_free(&x.text);
    return good;
}
