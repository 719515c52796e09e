/* Tags, files and findings over the API; the shapes stand at the end, in the handlers' order. */
#include "server/routes.h"
#include "server/tags.h"
#include "swid/swid.h"

#define TAG_ARENA   ((size_t)4 * SWID_TAG_MAX)
#define FILES_ARENA ((size_t)64 << 20)

static const char *kind_name(enum store_tag_kind kind)
{
    return kind == STORE_REFERENCE ? "reference" : "reported";
}

static void put_software(struct json *j, int64_t software, struct bytes software_id, const struct store_package *p)
{
    json_number(j, "software", software);
    json_text(j, "software_id", software_id);
    route_put_text(j, "package", p->name);
    route_put_text(j, "version", p->version);
    route_put_text(j, "arch", p->arch);
}

/* ---- tags -------------------------------------------------------------------------------------------------------- */

static void put_octets(void *context, struct bytes octets)
{
    struct web_request *r = context;
    wr_bytes(&r->body, octets);
}

void route_get_tag(struct web_request *r)
{
    struct error error = {0};
    const struct web_value *v = &r->values[WEB_KIND];
    enum store_tag_kind kind = v->given ? (enum store_tag_kind)v->number : STORE_TAG_ANY; /* its choices are numbered as they are */
    enum store_status status = store_tag(r->store, r->argument, kind, put_octets, r, &error);
    if (status == STORE_NOT_FOUND) {
        web_problem(r, 404, "no %s is known of this software", kind == STORE_REFERENCE ? "reference tag" : "tag");
        return;
    }
    if (status != STORE_OK) {
        route_store_problem(r, status, &error);
        return;
    }
    r->status = 200;
    r->type = r->body.n && r->body.p[0] == '<' ? "application/swid+xml" : "application/swid+cbor"; /* RFC 9393 §6.4 */
}

/* Who gave it, when, and how many files it tells. */
static void put_origin(struct json *j, const struct store_tag_origin *o)
{
    json_text(j, "who", o->endpoint_name.n ? o->endpoint_name : o->who);
    json_time(j, "learnt", o->learnt);
    json_number(j, "files", o->files);
}

static bool add_tag(void *context, const struct store_tag_item *t)
{
    struct json *j = context;
    json_object_begin(j, NULL);
    put_software(j, t->software, t->software_id, &t->package);
    json_str(j, "kind", kind_name(t->kind));
    put_origin(j, &t->origin);
    if (t->reported.endpoint) { /* beside the reference */
        json_object_begin(j, "reported");
        put_origin(j, &t->reported);
        json_object_end(j);
    } else {
        json_none(j, "reported");
    }
    json_object_end(j);
    return true;
}

void route_get_tags(struct web_request *r)
{
    struct error error = {0};
    struct route_list l = route_list_begin(r, "muster.tags/1");
    json_array_begin(&l.j, "items");
    enum store_status status = store_tag_list(r->store, l.after, l.limit, add_tag, &l.j, &l.next, &error);
    route_list_end(r, &l, status, &error);
}

/* The rules that a tag breaks, the first few by number. */
struct faults {
    struct wr said;
    unsigned count;
};

static void add_fault(void *context, const struct swid_rule *rule, const char *place, const char *detail)
{
    enum { NAMED = 3 };
    struct faults *f = context;
    if (swid_rule_is_advice(rule) || f->count++ >= NAMED)
        return;
    wr_fmt(&f->said, "%s%s (%s%s%s): %s", f->said.n ? "; " : "", rule->number, place, *detail ? " " : "", detail,
           rule->text);
}

/* False: the request is answered. */
static bool validate(struct web_request *r, struct bytes octets)
{
    struct error error = {0};
    struct faults f = {.said = wr_of(2000)};
    if (swid_validate(octets, add_fault, &f, &error) != SWID_OK)
        web_problem(r, 422, "this is no tag that can be read: %s", error.text);
    else if (f.count)
        web_problem(r, 422, "the tag breaks %u rule%s: %s", f.count, f.count > 1 ? "s" : "", wr_string(&f.said));
    wr_free(&f.said);
    return r->status == 0;
}

static enum store_status store_it(struct store *s, struct bytes software_id, const struct store_tag *tag,
                                  int64_t *software, struct error *error)
{
    enum store_status status = store_begin(s, error);
    if (status != STORE_OK)
        return status;
    status = store_reference(s, software_id, BYTES("API"), time_now(), tag, software, error);
    if (status == STORE_OK)
        return store_commit(s, error);
    store_rollback(s);
    return status;
}

/* Stores the tag, and says what it is now. */
static void import(struct web_request *r, struct bytes octets, struct arena *a, struct arena *files)
{
    struct store_tag tag;
    struct swid_tag read;
    struct error error = {0};
    int64_t software = 0;
    if (!tags_read(octets, (struct bytes){NULL, 0}, a, files, &tag, &read, &error)) {
        web_problem(r, 422, "this is no tag that can be read: %s", error.text);
        return;
    }
    struct wr id = wr_of(SWID_TAG_MAX);
    wr_bytes(&id, read.regid);
    wr_str(&id, "__"); /* RFC 8412 §6.1.2 */
    wr_bytes(&id, read.tag_id);
    /* "a__b" and "c" would make the identifier of "a" and "b__c": one tag could take the other's place. */
    bool own = !id.bad && swid_tag_is_of(&read, wr_view(&id));
    enum store_status status = own ? store_it(r->store, wr_view(&id), &tag, &software, &error) : STORE_REFUSED;
    if (!own) {
        web_problem(r, 422, "its creator's regid holds \"__\" or ends with \"_\": the identifier (RFC 8412 §6.1.2) would be another software's");
    } else if (status == STORE_OK) {
        struct json j = json_of(&r->body);
        json_object_begin(&j, NULL);
        json_str(&j, "schema", "muster.tag/1");
        json_number(&j, "software", software);
        json_text(&j, "software_id", wr_view(&id));
        json_str(&j, "kind", kind_name(STORE_REFERENCE));
        json_number(&j, "files", (int64_t)tag.file_count);
        json_object_end(&j);
        web_json(r);
    } else {
        route_store_problem(r, status, &error);
    }
    wr_free(&id);
}

void route_post_tag(struct web_request *r)
{
    struct bytes octets = wr_view(&r->upload);
    struct arena a = arena_of(TAG_ARENA), files = arena_of(FILES_ARENA);
    if (!octets.n)
        web_problem(r, 400, "send a tag as the body: SWID (application/swid+xml) or CoSWID (application/swid+cbor)");
    else if (validate(r, octets))
        import(r, octets, &a, &files);
    arena_free(&files);
    arena_free(&a);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static void put_size(struct json *j, const char *key, int64_t size)
{
    if (size >= 0)
        json_number(j, key, size);
    else
        json_none(j, key);
}

static void put_digest(struct json *j, const char *key, struct bytes sha256)
{
    if (sha256.n)
        json_hex(j, key, sha256);
    else
        json_none(j, key);
}

static bool add_file(void *context, const struct store_found_file *f)
{
    struct json *j = context;
    json_object_begin(j, NULL);
    json_text(j, "path", f->file.path);
    put_digest(j, "sha256", f->file.sha256);
    put_size(j, "size", f->file.size);
    json_bool(j, "mutable", f->file.mutable);
    put_software(j, f->software, f->software_id, &f->package);
    json_str(j, "kind", f->deviation ? "deviation" : kind_name(f->kind));
    json_array_begin(j, "endpoints");
    for (size_t i = 0; i < f->owner_count; i++) {
        json_object_begin(j, NULL);
        json_number(j, "id", f->owners[i].id);
        json_text(j, "name", f->owners[i].name);
        json_bool(j, "told", f->owners[i].told);
        json_object_end(j);
    }
    json_array_end(j);
    json_bool(j, "more_endpoints", f->more);
    json_object_end(j);
    return true;
}

static int digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

static bool read_sha256(struct bytes text, uint8_t out[32])
{
    for (size_t i = 0; text.n == 64 && i < 32; i++) {
        int high = digit(text.p[2 * i]), low = digit(text.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return text.n == 64;
}

void route_get_files(struct web_request *r)
{
    const struct web_value *sha256 = &r->values[WEB_SHA256], *path = &r->values[WEB_PATH];
    uint8_t octets[32] = {0};
    struct error error = {0};
    if (sha256->given == path->given || (path->given && !path->text.n)) {
        web_problem(r, 400, "give sha256= or path=, one of the two");
        return;
    }
    if (sha256->given && !read_sha256(sha256->text, octets)) {
        web_problem(r, 400, "the parameter \"sha256\" takes 64 hexadecimal digits");
        return;
    }
    struct route_list l = route_list_begin(r, "muster.files/1");
    json_array_begin(&l.j, "items");
    enum store_status status = store_files(r->store, (struct bytes){octets, sha256->given ? sizeof octets : 0},
                                           path->text, l.after, l.limit, add_file, &l.j, &l.next, &error);
    route_list_end(r, &l, status, &error);
}

/* ---- findings ---------------------------------------------------------------------------------------------------- */

static bool add_finding(void *context, const struct store_finding *f)
{
    static const char *const names[] = {
        [STORE_CHANGED] = "changed", [STORE_MISSING] = "missing", [STORE_ADDED] = "added"};
    struct json *j = context;
    json_object_begin(j, NULL);
    put_software(j, f->software, f->software_id, &f->package);
    json_str(j, "against", kind_name(f->against));
    json_text(j, "path", f->path);
    json_str(j, "what", names[f->what]);
    put_digest(j, "wanted_sha256", f->wanted.sha256);
    put_digest(j, "told_sha256", f->told.sha256);
    put_size(j, "wanted_size", f->wanted.size);
    put_size(j, "told_size", f->told.size);
    json_time(j, "learnt", f->learnt);
    json_object_end(j);
    return true;
}

void route_get_findings(struct web_request *r)
{
    struct error error = {0};
    struct route_list l;
    int64_t id;
    if (!route_list_of_endpoint(r, "muster.findings/1", &l, &id))
        return;
    enum store_status status = route_put_verified(r, &l.j, id, &error);
    json_array_begin(&l.j, "items");
    if (status == STORE_OK)
        status = store_findings(r->store, id, l.after, l.limit, add_finding, &l.j, &l.next, &error);
    route_list_end(r, &l, status, &error);
}

enum store_status route_put_verified(struct web_request *r, struct json *j, int64_t endpoint, struct error *error)
{
    struct store_verified v;
    enum store_status status = store_verified(r->store, endpoint, &v, error);
    json_object_begin(j, "files");
    json_number(j, "references", v.references);
    json_number(j, "compared", v.compared);
    json_number(j, "bare", v.bare);
    json_number(j, "differing", v.differing);
    json_number(j, "findings", v.findings);
    json_object_end(j);
    return status;
}

/* ---- shapes ------------------------------------------------------------------------------------------------------ */

#define SOFTWARE_FIELDS                                                                                                \
    {"software", WEB_T_NUMBER, "the number of the software"}, {"software_id", WEB_T_TEXT, "its identifier, RFC 8412 §6.1.2"},                 \
        {"package", WEB_T_TEXT | WEB_T_NULL, "as its tag says; null: it does not, or there is none"},                  \
        {"version", WEB_T_TEXT | WEB_T_NULL, "its exact version, the same"},                                           \
        {"arch", WEB_T_TEXT | WEB_T_NULL, "its architecture, the same"}
#define KINDS "reference|reported"
#define ORIGIN_FIELDS                                                                                                  \
    {"who", WEB_T_TEXT, "the endpoint that reported it, or who gave or signed the reference"},                         \
        {"learnt", WEB_T_TIME | WEB_T_NULL, "when it was learnt"}, {"files", WEB_T_NUMBER, "how many files it tells"}
#define END {NULL, 0, NULL, NULL, NULL}

const struct web_answer route_tag_answer = {
    .types = "application/swid+xml|application/swid+cbor", .doc = "the tag, octet by octet as it came (RFC 9393)"};

static const struct web_field origin[] = {ORIGIN_FIELDS, END};
static const struct web_field tag_items[] = {
    SOFTWARE_FIELDS,
    {"kind", WEB_T_TEXT, "whether it is a reference", .choices = KINDS},
    ORIGIN_FIELDS,
    {"reported", WEB_T_OBJECT | WEB_T_NULL, "what an endpoint reported, beside the reference", origin},
    END,
};
const struct web_answer route_tags_answer = {"muster.tags/1", .items = tag_items};

static const struct web_field imported[] = {
    {"software", WEB_T_NUMBER, "the number of the software"},
    {"software_id", WEB_T_TEXT, "its identifier"},
    {"kind", WEB_T_TEXT, "what the tag is now", .choices = KINDS},
    {"files", WEB_T_NUMBER, "how many files it tells"},
    END,
};
const struct web_answer route_import_answer = {"muster.tag/1", imported};

static const struct web_field owners[] = {
    {"id", WEB_T_NUMBER, "the endpoint's number"},
    {"name", WEB_T_TEXT, "its name"},
    {"told", WEB_T_BOOL, "it told this file itself; else it has the package and told nothing of its files"},
    END,
};
static const struct web_field file_items[] = {
    {"path", WEB_T_TEXT, "the file's whole path"},
    {"sha256", WEB_T_SHA256 | WEB_T_NULL, "its digest; null: not told"},
    {"size", WEB_T_NUMBER | WEB_T_NULL, "in octets; null: not told"},
    {"mutable", WEB_T_BOOL, "the tag says that it may change"},
    SOFTWARE_FIELDS,
    {"kind", WEB_T_TEXT, "of the tag that tells it; deviation: only endpoints do, whose files are not those of any tag", .choices = KINDS "|deviation"},
    {"endpoints", WEB_T_LIST, "those that have it now, at most 1,000", owners},
    {"more_endpoints", WEB_T_BOOL, "there are more than these"},
    END,
};
const struct web_answer route_files_answer = {"muster.files/1", .items = file_items};

const struct web_field route_verified_fields[] = {
    {"references", WEB_T_NUMBER, "software of the endpoint that has a reference with files"},
    {"compared", WEB_T_NUMBER, "of them, those of which it told its files"},
    {"bare", WEB_T_NUMBER, "of those, the ones of which it told none when it was last asked"},
    {"differing", WEB_T_NUMBER, "of those, the ones that are not as the reference says"},
    {"findings", WEB_T_NUMBER, "files that are not"},
    END,
};
static const struct web_field finding_head[] = {
    ROUTE_WHOSE_FIELD,
    {"files", WEB_T_OBJECT, "what is known of its files beside the references", route_verified_fields},
    END,
};
static const struct web_field finding_items[] = {
    SOFTWARE_FIELDS,
    {"against", WEB_T_TEXT, "what it differs from", .choices = KINDS},
    {"path", WEB_T_TEXT, "the file's whole path"},
    {"what", WEB_T_TEXT, "what is wrong with it", .choices = "changed|missing|added"},
    {"wanted_sha256", WEB_T_SHA256 | WEB_T_NULL, "as the tag says; null: it tells none"},
    {"told_sha256", WEB_T_SHA256 | WEB_T_NULL, "as the endpoint told; null: it told none"},
    {"wanted_size", WEB_T_NUMBER | WEB_T_NULL, "in octets"},
    {"told_size", WEB_T_NUMBER | WEB_T_NULL, "in octets"},
    {"learnt", WEB_T_TIME | WEB_T_NULL, "when the difference could be known first"},
    END,
};
const struct web_answer route_findings_answer = {"muster.findings/1", finding_head, finding_items};
