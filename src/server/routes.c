/* What the API offers: one row a route. Handlers turn the store's items into JSON, as they come. */
#include "nea/nea.h"
#include "server/routes.h"
#include "swid/swid.h"

#include <inttypes.h>
#include <stdio.h>

#define DEFAULT_LIMIT 100

/* ---- lists ------------------------------------------------------------------------------------------------------- */

struct route_list route_list_begin(struct web_request *r, const char *schema)
{
    const struct web_value *v = r->values;
    struct route_list l = {
        .j = json_of(&r->body),
        .after = v[WEB_CURSOR].given ? v[WEB_CURSOR].number : v[WEB_AFTER].number,
        .limit = v[WEB_LIMIT].given ? (unsigned)v[WEB_LIMIT].number : DEFAULT_LIMIT,
    };
    json_object_begin(&l.j, NULL);
    json_str(&l.j, "schema", schema);
    return l;
}

void route_store_problem(struct web_request *r, enum store_status status, const struct error *error)
{
    if (status == STORE_NOT_FOUND) {
        web_problem(r, 404, "no endpoint has this number or name");
        return;
    }
    log_line(LOG_ERROR, "API: %s", error->text);
    /* Also after a failure: a fresh connection is the cure for a database that was restarted. */
    r->store_is_gone = true;
    if (status == STORE_UNAVAILABLE || status == STORE_REFUSED)
        web_problem(r, 503, "the store cannot be reached; try again later: %s", error->text);
    else
        web_problem(r, 500, "the store failed: %s", error->text);
}

void route_list_end(struct web_request *r, struct route_list *l, enum store_status status, const struct error *error)
{
    char cursor[24];
    if (status != STORE_OK) {
        route_store_problem(r, status, error);
        return;
    }
    snprintf(cursor, sizeof cursor, "%" PRIu64, l->next);
    json_array_end(&l->j);
    json_str(&l->j, "next", l->next ? cursor : NULL);
    json_object_end(&l->j);
    web_json(r);
}

/* ---- items ------------------------------------------------------------------------------------------------------- */

void route_put_text(struct json *j, const char *key, struct bytes b)
{
    if (b.n)
        json_text(j, key, b);
    else
        json_none(j, key);
}

/* 0 no, 1 yes; "unknown" (2) and "not told" (-1) are both null. */
static void put_known_bool(struct json *j, const char *key, int value)
{
    if (value == 0 || value == 1)
        json_bool(j, key, value == 1);
    else
        json_none(j, key);
}

static void put_endpoint(const struct web_request *r, struct json *j, const struct store_endpoint *e)
{
    json_number(j, "id", e->id);
    json_text(j, "name", e->name);
    route_put_text(j, "device_id", e->device_id);
    route_put_text(j, "product", e->product);
    route_put_text(j, "version", e->version);
    route_put_text(j, "address", e->address);
    json_time(j, "first_seen", e->first_seen);
    json_time(j, "last_seen", e->last_seen);
    json_bool(j, "connected", r->connected && connected_now(r->connected, e->id));
    json_time(j, "last_boot", e->last_boot);
    json_number(j, "epoch", e->epoch);
    json_number(j, "last_eid", e->last_eid);
    json_number(j, "installed", e->installed);
    put_known_bool(j, "forwarding", e->forwarding);
    put_known_bool(j, "default_password", e->default_password);
    json_str(j, "result", e->result < 0 ? NULL : nea_result_name((enum nea_result)e->result));
    json_str(j, "access", e->access < 0 ? NULL : nea_access_name((enum nea_access)e->access));
    route_put_text(j, "reason", e->reason);
}

struct endpoints {
    const struct web_request *request;
    struct json *j;
    int64_t id; /* of the last one */
};

static bool add_endpoint(void *context, const struct store_endpoint *e)
{
    struct endpoints *all = context;
    json_object_begin(all->j, NULL);
    put_endpoint(all->request, all->j, e);
    json_object_end(all->j);
    return true;
}

/* What its tag tells; null while there is none, or it does not say. `source` is the number of the source that reported it. */
static void put_package(struct json *j, const struct store_package *p)
{
    route_put_text(j, "package", p->name);
    route_put_text(j, "version", p->version);
    route_put_text(j, "arch", p->arch);
    route_put_text(j, "source_package", p->source);
    route_put_text(j, "source_version", p->source_version);
}

/* SWIMA carries no precision: a time is the endpoint's word, unless it can only be a bound. */
static void put_precision(struct json *j, bool bound)
{
    json_str(j, "precision", bound ? "bound" : "reported");
}

static bool add_software(void *context, const struct store_software *s)
{
    struct json *j = context;
    json_object_begin(j, NULL);
    json_number(j, "id", s->id);
    json_text(j, "software_id", s->software_id);
    put_package(j, &s->package);
    json_number(j, "count", s->count);
    if (s->perhaps)
        json_none(j, "installed");
    else
        json_bool(j, "installed", true);
    json_time(j, "since", s->since);
    put_precision(j, s->bound);
    json_number(j, "source", s->source);
    json_object_end(j);
    return true;
}

static const char *action_name(enum store_action a)
{
    return a == STORE_CREATE ? "create" : a == STORE_DELETE ? "delete" : "alter";
}

static bool add_event(void *context, const struct store_history_event *e)
{
    struct json *j = context;
    json_object_begin(j, NULL);
    json_number(j, "eid", e->eid);
    json_number(j, "epoch", e->epoch);
    json_time(j, "time", e->time);
    put_precision(j, e->bound);
    json_str(j, "action", action_name(e->action));
    json_text(j, "software_id", e->software_id);
    /* An identifier does not tell them (its + ~ : are folded); its tag does, once it is known. */
    route_put_text(j, "name", e->package.name);
    route_put_text(j, "version", e->package.version);
    route_put_text(j, "arch", e->package.arch);
    json_number(j, "source", e->source);
    json_time(j, "learnt", e->learnt);
    json_object_end(j);
    return true;
}

/* ---- handlers ---------------------------------------------------------------------------------------------------- */

static void get_endpoints(struct web_request *r)
{
    struct error error = {0};
    struct route_list l = route_list_begin(r, "muster.endpoints/1");
    json_array_begin(&l.j, "items");
    struct endpoints all = {.request = r, .j = &l.j};
    enum store_status status = store_endpoints(r->store, l.after, l.limit, add_endpoint, &all, &l.next, &error);
    route_list_end(r, &l, status, &error);
}

static bool put_one(void *context, const struct store_endpoint *e)
{
    struct endpoints *one = context;
    one->id = e->id;
    put_endpoint(one->request, one->j, e);
    return true;
}

static void get_endpoint(struct web_request *r)
{
    struct error error = {0};
    struct json j = json_of(&r->body);
    json_object_begin(&j, NULL);
    json_str(&j, "schema", "muster.endpoint/1");
    struct endpoints one = {.request = r, .j = &j};
    int64_t since;
    enum store_status status = store_endpoint(r->store, r->argument, put_one, &one, &error);
    if (status == STORE_OK && (status = store_known_since(r->store, one.id, &since, &error)) == STORE_OK)
        json_time(&j, "known_since", since);
    if (status == STORE_OK)
        status = route_put_verified(r, &j, one.id, &error);
    json_object_end(&j);
    if (status == STORE_OK)
        web_json(r);
    else
        route_store_problem(r, status, &error);
}

struct whose {
    struct json *j;
    int64_t id;
};

static bool put_whose(void *context, const struct store_endpoint *e)
{
    struct whose *w = context;
    w->id = e->id;
    json_object_begin(w->j, "endpoint");
    json_number(w->j, "id", e->id);
    json_text(w->j, "name", e->name);
    json_object_end(w->j);
    return true;
}

/* A list that belongs to the endpoint in the path. False: the request is answered. */
bool route_list_of_endpoint(struct web_request *r, const char *schema, struct route_list *l, int64_t *id)
{
    struct error error = {0};
    *l = route_list_begin(r, schema);
    struct whose whose = {.j = &l->j};
    enum store_status status = store_endpoint(r->store, r->argument, put_whose, &whose, &error);
    *id = whose.id;
    if (status != STORE_OK)
        route_store_problem(r, status, &error);
    return status == STORE_OK;
}

static void get_software(struct web_request *r)
{
    struct error error = {0};
    struct route_list l;
    int64_t id;
    if (!route_list_of_endpoint(r, "muster.software/1", &l, &id))
        return;
    int64_t at = r->values[WEB_AT].time, known_at = r->values[WEB_KNOWN_AT].time;
    json_time(&l.j, "at", at);
    json_time(&l.j, "known_at", known_at);
    int64_t known_since;
    enum store_status status = store_known_since(r->store, id, &known_since, &error);
    json_time(&l.j, "known_since", known_since);
    json_array_begin(&l.j, "items");
    if (status == STORE_OK)
        status = store_software(r->store, id, at, known_at, l.after, l.limit, add_software, &l.j, &l.next, &error);
    route_list_end(r, &l, status, &error);
}

static void get_events(struct web_request *r)
{
    struct error error = {0};
    struct route_list l;
    int64_t id;
    if (!route_list_of_endpoint(r, "muster.events/1", &l, &id))
        return;
    json_array_begin(&l.j, "items");
    enum store_status status = store_events(r->store, id, l.after, l.limit, add_event, &l.j, &l.next, &error);
    route_list_end(r, &l, status, &error);
}

static bool put_id(void *context, const struct store_endpoint *e)
{
    *(int64_t *)context = e->id;
    return true;
}

/* 202: it has been asked for; what came of it will show in the endpoint. */
static void post_reassess(struct web_request *r)
{
    struct error error = {0};
    int64_t id = 0;
    enum store_status status = store_endpoint(r->store, r->argument, put_id, &id, &error);
    if (status != STORE_OK) {
        route_store_problem(r, status, &error);
        return;
    }
    switch (r->connected ? connected_reassess(r->connected, id) : CONNECTED_NOT) {
    case CONNECTED_NOT:
        web_problem(r, 409, "this endpoint is not connected: it will be assessed when it comes back");
        return;
    case CONNECTED_NO_MEMORY:
        web_problem(r, 503, "the server is out of memory; try again later");
        return;
    case CONNECTED_ASKED:
        break;
    }
    struct json j = json_of(&r->body);
    json_object_begin(&j, NULL);
    json_str(&j, "schema", "muster.reassess/1");
    json_number(&j, "id", id);
    json_bool(&j, "asked", true);
    json_object_end(&j);
    web_json(r);
    r->status = 202;
}

static bool see_any(void *context, const struct store_endpoint *e)
{
    (void)context, (void)e;
    return false;
}

/* Asks the database something cheap. It takes no login, so that it says nothing else. */
static void get_health(struct web_request *r)
{
    struct error error = {0};
    uint64_t next;
    enum store_status status = store_endpoints(r->store, 0, 1, see_any, NULL, &next, &error);
    if (status != STORE_OK) {
        log_line(LOG_ERROR, "health: %s", error.text);
        r->store_is_gone = true;
        web_problem(r, 503, "the store cannot be read");
        return;
    }
    struct json j = json_of(&r->body);
    json_object_begin(&j, NULL);
    json_str(&j, "schema", "muster.health/1");
    json_str(&j, "status", "ok");
    json_object_end(&j);
    web_json(r);
}

static void get_totals(struct web_request *r)
{
    struct error error = {0};
    struct store_totals t;
    enum store_status status = store_totals(r->store, &t, &error);
    if (status != STORE_OK) {
        route_store_problem(r, status, &error);
        return;
    }
    struct json j = json_of(&r->body);
    json_object_begin(&j, NULL);
    json_str(&j, "schema", "muster.totals/1");
    json_str(&j, "server_version", MUSTER_VERSION);
    json_str(&j, "store", store_engine(r->store));
    json_number(&j, "endpoints", t.endpoints);
    json_number(&j, "software", t.software);
    json_number(&j, "change_sets", t.change_sets);
    json_number(&j, "changes", t.changes);
    json_number(&j, "sessions", t.sessions);
    json_object_end(&j);
    web_json(r);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

#define P(name) (1U << WEB_##name)
#define PAGING  (P(LIMIT) | P(CURSOR) | P(AFTER))

const struct web_route web_routes[] = {
    {"GET", "/api/v1/endpoints", WEB_READ, PAGING, true, get_endpoints,
     "The endpoints that were ever assessed, with their last verdict."},
    {"GET", "/api/v1/endpoints/{id}", WEB_READ, 0, true, get_endpoint, "One endpoint, by number or name."},
    {"GET", "/api/v1/endpoints/{id}/software", WEB_READ, PAGING | P(AT) | P(KNOWN_AT), true, get_software,
     "What is installed on an endpoint, or was at any time, ordered by software identifier."},
    {"GET", "/api/v1/endpoints/{id}/events", WEB_READ, PAGING, true, get_events,
     "What was installed, removed and altered on an endpoint, in the order of its event identifiers."},
    {"POST", "/api/v1/endpoints/{id}/reassess", WEB_WRITE, 0, true, post_reassess,
     "Begins a new assessment of an endpoint that is connected now."},
    {"GET", "/api/v1/endpoints/{id}/findings", WEB_READ, PAGING, true, route_get_findings,
     "Files of what is installed on an endpoint that are not as the reference tag says, or not as another endpoint told first."},
    {"GET", "/api/v1/software/{id}/tag", WEB_READ, P(KIND), true, route_get_tag,
     "The SWID tag of a software, by its number or identifier: the reference, or as the first endpoint reported it."},
    {"GET", "/api/v1/tags", WEB_READ, PAGING, true, route_get_tags, "The tags that are known: of which software, who gave them, and when."},
    {"GET", "/api/v1/tags/{id}", WEB_READ, P(KIND), true, route_get_tag, "The same as /api/v1/software/{id}/tag."},
    {"POST", "/api/v1/tags", WEB_WRITE, 0, true, route_post_tag,
     "Takes a tag (SWID of 2015, or CoSWID) as the reference of its software. What endpoints tell of their files is compared with it.",
     .upload_max = SWID_FULL_TAG_MAX},
    {"GET", "/api/v1/files", WEB_READ, PAGING | P(SHA256) | P(PATH), true, route_get_files,
     "Which packages a file belongs to, by its digest or its path, and which endpoints have them now."},
    {"GET", "/api/v1/totals", WEB_READ, 0, true, get_totals, "How much the store holds."},
    {"GET", "/healthz", WEB_PUBLIC, 0, true, get_health,
     "200 while the server can answer from its store, else 503. Needs no login."},
    {"GET", "/", WEB_PUBLIC, 0, false, page_answer, "The page for people."},
    {"GET", "/page.css", WEB_PUBLIC, 0, false, page_answer, "Its style sheet."},
    {"GET", "/page.js", WEB_PUBLIC, 0, false, page_answer, "Its script."},
};
const size_t web_route_count = ARRAY_LENGTH(web_routes);
