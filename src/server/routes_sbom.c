/* An endpoint's bill of materials over the API, out of what it reported and what its software's tags tell. Its components are in memory, the document is
 * not: what does not fit a buffer goes through a file without a name. */
#include "net/net.h"
#include "pkg/pkg.h"
#include "server/routes.h"
#include "swid/swid.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIST_BYTES ((size_t)256 << 20) /* that the components of one bill may cost */

struct sbom {
    struct web_request *r;
    struct arena arena;
    struct swid_component *parts; /* whose summaries and the like are not known here */
    size_t capacity;
    char id[64], version[128], pretty[200];
    struct bytes name;
    int64_t endpoint;
    struct swid_bill bill;
    int failed; /* errno */
};

/* ---- what is known ------------------------------------------------------------------------------------------------ */

/* As the endpoint's own collector tells it: "Debian", "12 x86_64" (os-release's ID with a capital, VERSION_ID, the machine). */
static bool take_endpoint(void *context, const struct store_endpoint *e)
{
    struct sbom *s = context;
    const uint8_t *blank = e->version.n ? memrchr(e->version.p, ' ', e->version.n) : NULL;
    size_t n = blank ? (size_t)(blank - e->version.p) : e->version.n;
    s->endpoint = e->id;
    s->name = arena_copy(&s->arena, e->name);
    snprintf(s->id, sizeof s->id, "%.*s", (int)(e->product.n < 60 ? e->product.n : 60), (const char *)e->product.p);
    if (s->id[0] >= 'A' && s->id[0] <= 'Z')
        s->id[0] = (char)(s->id[0] | 0x20);
    snprintf(s->version, sizeof s->version, "%.*s", (int)(n < 120 ? n : 120), (const char *)e->version.p);
    snprintf(s->pretty, sizeof s->pretty, "%.*s%s%s", (int)(e->product.n < 60 ? e->product.n : 60), (const char *)e->product.p,
             s->version[0] ? " " : "", s->version);
    return s->name.p != NULL;
}

static struct bytes kept(struct sbom *s, struct bytes text)
{
    return text.n ? arena_copy(&s->arena, text) : text;
}

static bool grow(struct sbom *s)
{
    size_t capacity = s->capacity ? 2 * s->capacity : 1024;
    struct swid_component *grown = capacity * sizeof *grown <= LIST_BYTES ? realloc(s->parts, capacity * sizeof *grown) : NULL;
    if (grown) {
        s->parts = grown;
        s->capacity = capacity;
    }
    return grown;
}

/* Without a tag nothing but its identifier names it: an identifier is a name of its own, and of no package manager's. */
static bool take_software(void *context, const struct store_software *item)
{
    struct sbom *s = context;
    const struct pkg_manager *m = pkg_manager_by_source(item->source);
    struct bytes tag_id = item->software_id;
    while (tag_id.n && !bytes_starts(tag_id, BYTES("__")))
        tag_id = bytes_from(tag_id, 1);
    tag_id = kept(s, tag_id.n > 2 ? bytes_from(tag_id, 2) : item->software_id);
    struct swid_component c = {.tag_id = tag_id, .state = item->perhaps ? BYTES("unknown") : (struct bytes){NULL, 0}};
    if (item->package.name.n) {
        c.manager = bytes_of(m ? m->name : "");
        c.name = kept(s, item->package.name);
        c.version = kept(s, item->package.version);
        c.arch = kept(s, item->package.arch);
        c.source = kept(s, item->package.source);
        c.source_version = kept(s, item->package.source_version);
    } else {
        c.name = tag_id;
    }
    s->bill.incomplete |= item->perhaps || !item->package.name.n;
    for (uint32_t i = 0; i < item->count && !s->arena.exhausted; i++) {
        if (s->bill.count == s->capacity && !grow(s))
            s->arena.exhausted = true;
        else
            s->parts[s->bill.count++] = c;
    }
    return !s->arena.exhausted;
}

static int by_package(const void *a, const void *b)
{
    const struct swid_component *x = a, *y = b;
    const struct bytes fields[][2] = {{x->name, y->name}, {x->version, y->version}, {x->arch, y->arch}, {x->manager, y->manager}};
    int order = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(fields) && order == 0; i++)
        order = bytes_compare(fields[i][0], fields[i][1]);
    return order ? order : bytes_compare(x->tag_id, y->tag_id);
}

static bool is_same(const struct swid_component *x, const struct swid_component *y)
{
    return bytes_equal(x->name, y->name) && bytes_equal(x->version, y->version) && bytes_equal(x->arch, y->arch) &&
           bytes_equal(x->manager, y->manager);
}

/* Its order is that of the packages. */
static void arrange(struct sbom *s)
{
    if (s->bill.count)
        qsort(s->parts, s->bill.count, sizeof *s->parts, by_package);
    for (size_t i = 1; i < s->bill.count; i++)
        s->parts[i].twin = is_same(&s->parts[i], &s->parts[i - 1]) ? s->parts[i - 1].twin + 1 : 0;
}

/* Whoever asks for the same bill gives it the same name. */
static bool name_bill(struct sbom *s, const struct swid_bill_format *format)
{
    struct wr w = wr_of(LIST_BYTES);
    uint8_t digest[32] = {0};
    bool good = swid_bill_identify(&s->bill, format, &w) && !w.bad && net_sha256(wr_view(&w), digest);
    memcpy(s->bill.uuid, digest, sizeof s->bill.uuid);
    wr_free(&w);
    return good;
}

/* ---- what the bill asks -------------------------------------------------------------------------------------------- */

static bool tell_component(void *context, size_t i, struct swid_component *c)
{
    *c = ((const struct sbom *)context)->parts[i];
    return true;
}

/* Nobody told the server. */
static size_t tell_depends(void *context, size_t i, const uint32_t **on)
{
    (void)context, (void)i;
    *on = NULL;
    return 0;
}

/* ---- where it goes ------------------------------------------------------------------------------------------------- */

static void drain(void *context)
{
    struct sbom *s = context;
    struct web_request *r = s->r;
    struct bytes rest = wr_view(&r->body);
    if (r->file < 0 && !s->failed && (r->file = open(r->state, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) < 0)
        s->failed = errno;
    while (rest.n && !s->failed) {
        ssize_t n = write(r->file, rest.p, rest.n);
        if (n > 0)
            rest = bytes_from(rest, (size_t)n);
        else if (errno != EINTR)
            s->failed = errno;
    }
    wr_reset(&r->body);
}

static void write_bill(struct sbom *s, const struct swid_bill_format *format)
{
    struct web_request *r = s->r;
    struct json j = json_of(&r->body);
    j.drain = drain;
    j.context = s;
    s->bill.tool = MUSTER_VERSION;
    s->bill.context = s;
    s->bill.component = tell_component;
    s->bill.depends = tell_depends;
    s->bill.name = s->name;
    s->bill.distribution = (struct swid_distribution){bytes_of(s->id), bytes_of(s->version), bytes_of(s->pretty), {NULL, 0}};
    arrange(s);
    bool good = name_bill(s, format) && format->write(&s->bill, &j);
    wr_u8(&r->body, '\n');
    if (good && r->file >= 0)
        drain(s);
    if (s->failed)
        web_problem(r, 500, "the bill could not be written: %s", strerror(s->failed));
    else if (!good || r->body.bad)
        web_problem(r, 500, "out of memory");
    r->incomplete = s->bill.incomplete;
}

/* The moment that it is of lies where events were lost. */
static bool is_lost(void *context, int64_t from, int64_t to)
{
    struct sbom *s = context;
    s->bill.incomplete |= s->bill.at != TIME_UNKNOWN && s->bill.at >= from && s->bill.at < to;
    return true;
}

void route_get_sbom(struct web_request *r)
{
    static const char *const types[] = {"application/vnd.cyclonedx+json; version=1.6", "application/spdx+json"};
    const struct swid_bill_format *format = &swid_bill_formats[r->values[WEB_FORMAT].number]; /* its choices are numbered as they are */
    struct sbom s = {.r = r, .arena = arena_of(LIST_BYTES), .bill = {.created = time_now(), .at = r->values[WEB_AT].time}};
    struct error error = {0};
    uint64_t next;
    int64_t since = TIME_UNKNOWN;
    enum store_status status = store_endpoint(r->store, r->argument, take_endpoint, &s, &error);
    if (status == STORE_OK)
        status = store_known_since(r->store, s.endpoint, &since, &error);
    if (status == STORE_OK)
        status = store_software(r->store, s.endpoint, s.bill.at, TIME_UNKNOWN, 0, STORE_ALL, take_software, &s, &next, &error);
    if (status == STORE_OK)
        status = store_unknown(r->store, s.endpoint, is_lost, &s, &error);
    s.bill.incomplete |= since == TIME_UNKNOWN || (s.bill.at != TIME_UNKNOWN && s.bill.at < since);
    r->type = types[r->values[WEB_FORMAT].number];
    if (status != STORE_OK)
        route_store_problem(r, status, &error);
    else if (s.arena.exhausted)
        web_problem(r, 500, "this endpoint has too much software for one bill");
    else
        write_bill(&s, format);
    if (!r->status)
        r->status = 200;
    free(s.parts);
    arena_free(&s.arena);
}

const struct web_answer route_sbom_answer = {
    .types = "application/vnd.cyclonedx+json; version=1.6|application/spdx+json",
    .doc = "CycloneDX 1.6 or SPDX 2.3 as JSON; with the header field Muster-Incomplete where not all is known"};
