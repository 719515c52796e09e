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

static bool add_unknown(void *context, int64_t from, int64_t to)
{
    struct json *j = context;
    json_object_begin(j, NULL);
    json_time(j, "from", from);
    json_time(j, "to", to);
    json_object_end(j);
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
    json_array_begin(&j, "unknown");
    if (status == STORE_OK)
        status = store_unknown(r->store, one.id, add_unknown, &j, &error);
    json_array_end(&j);
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

static void get_openapi(struct web_request *r)
{
    web_describe(&r->body);
    web_json(r);
}

/* ---- shapes ------------------------------------------------------------------------------------------------------ */

#define END {NULL, 0, NULL, NULL, NULL}
#define ENDPOINT_FIELDS                                                                                                \
    {"id", WEB_T_NUMBER, "its number"}, {"name", WEB_T_TEXT, "its certificate's, or that it logs in by"},                                      \
        {"device_id", WEB_T_TEXT | WEB_T_NULL, "its own claim"},                                                       \
        {"product", WEB_T_TEXT | WEB_T_NULL, "its operating system"},                                                  \
        {"version", WEB_T_TEXT | WEB_T_NULL, "the system's version and architecture"},                                 \
        {"address", WEB_T_TEXT | WEB_T_NULL, "where it came from when it was last assessed"},                          \
        {"first_seen", WEB_T_TIME, "its first assessment"}, {"last_seen", WEB_T_TIME, "its last report"},              \
        {"connected", WEB_T_BOOL, "it has a session now"},                                                             \
        {"last_boot", WEB_T_TIME | WEB_T_NULL, "since when it runs"},                                                  \
        {"epoch", WEB_T_NUMBER, "of its events, RFC 8412 §3.7"},                                                       \
        {"last_eid", WEB_T_NUMBER, "the last event that is stored"},                                                   \
        {"installed", WEB_T_NUMBER, "how many packages it has now"},                                                   \
        {"forwarding", WEB_T_BOOL | WEB_T_NULL, "it forwards IP packets; null: not known"},                            \
        {"default_password", WEB_T_BOOL | WEB_T_NULL, "a factory password works; null: not known"},                    \
        {"result", WEB_T_TEXT | WEB_T_NULL, "of its last assessment, RFC 5793 §4.7; null: none yet",                   \
         .choices = "compliant|minor non-compliance|major non-compliance|error|don't know"},                                                            \
        {"access", WEB_T_TEXT | WEB_T_NULL, "what was recommended; null: nothing yet",                                 \
         .choices = "none|allowed|denied|quarantined"},                                                                \
        {"reason", WEB_T_TEXT | WEB_T_NULL, "why, for people"}

const struct web_field route_whose_fields[] = {{"id", WEB_T_NUMBER, "the endpoint's number"}, {"name", WEB_T_TEXT, "its name"}, END};

static const struct web_field endpoint_items[] = {ENDPOINT_FIELDS, END};
static const struct web_answer endpoints_answer = {"muster.endpoints/1", .items = endpoint_items};

#define KNOWN_SINCE_FIELD                                                                                              \
    {"known_since", WEB_T_TIME | WEB_T_NULL, "the earliest moment that its history tells of; null: it told nothing of its software"}
static const struct web_field unknown_fields[] = {{"from", WEB_T_TIME, "from then on"}, {"to", WEB_T_TIME, "until before then"}, END};
static const struct web_field endpoint_fields[] = {
    ENDPOINT_FIELDS,
    KNOWN_SINCE_FIELD,
    {"unknown", WEB_T_LIST, "when, after that, nobody knows what was installed: events were lost, and an inventory alone told what came of them", unknown_fields},
    {"files", WEB_T_OBJECT, "what is known of its files beside the references", route_verified_fields},
    END,
};
static const struct web_answer endpoint_answer = {"muster.endpoint/1", endpoint_fields};

static const struct web_field software_head[] = {
    ROUTE_WHOSE_FIELD,
    {"at", WEB_T_TIME | WEB_T_NULL, "the moment that was asked for; null: now"},
    {"known_at", WEB_T_TIME | WEB_T_NULL, "only what was known then; null: all that is known"},
    KNOWN_SINCE_FIELD,
    END,
};
static const char precision_doc[] = "reported: the endpoint's word; bound: then or before";
#define PRECISION_FIELD {"precision", WEB_T_TEXT, precision_doc, .choices = "reported|bound"}
static const struct web_field software_items[] = {
    {"id", WEB_T_NUMBER, "the number of the software"},
    {"software_id", WEB_T_TEXT, "its identifier, RFC 8412 §6.1.2"},
    {"package", WEB_T_TEXT | WEB_T_NULL, "as its tag says; null: it does not, or there is none"},
    {"version", WEB_T_TEXT | WEB_T_NULL, "its exact version, the same"},
    {"arch", WEB_T_TEXT | WEB_T_NULL, "its architecture, the same"},
    {"source_package", WEB_T_TEXT | WEB_T_NULL, "what it was built from, the same"},
    {"source_version", WEB_T_TEXT | WEB_T_NULL, "of that, the same"},
    {"count", WEB_T_NUMBER, "how many times it is there: architectures may share an identifier"},
    {"installed", WEB_T_BOOL | WEB_T_NULL, "true; null: not known whether it was there at that moment: it came, or went, by a time after it"},
    {"since", WEB_T_TIME | WEB_T_NULL, "when it came; null: not told"},
    PRECISION_FIELD,
    {"source", WEB_T_NUMBER, "the number of the package manager that told it, RFC 8412 §5.8"},
    END,
};
static const struct web_answer software_answer = {"muster.software/1", software_head, software_items};

static const struct web_field event_head[] = {ROUTE_WHOSE_FIELD, END};
static const struct web_field event_items[] = {
    {"eid", WEB_T_NUMBER, "its Event Identifier; 0: an inventory told it"},
    {"epoch", WEB_T_NUMBER, "whose identifier that is"},
    {"time", WEB_T_TIME | WEB_T_NULL, "when it happened; null: not told"},
    PRECISION_FIELD,
    {"action", WEB_T_TEXT, "what happened", .choices = "create|delete|alter"},
    {"software_id", WEB_T_TEXT, "to which software"},
    {"name", WEB_T_TEXT | WEB_T_NULL, "its package, as its tag says"},
    {"version", WEB_T_TEXT | WEB_T_NULL, "its exact version, the same"},
    {"arch", WEB_T_TEXT | WEB_T_NULL, "its architecture, the same"},
    {"source", WEB_T_NUMBER, "the number of the package manager that told it"},
    {"learnt", WEB_T_TIME, "when the server learnt of it"},
    END,
};
static const struct web_answer events_answer = {"muster.events/1", event_head, event_items};

static const struct web_field reassess_fields[] = {
    {"id", WEB_T_NUMBER, "the endpoint's number"},
    {"asked", WEB_T_BOOL, "true: what came of it will show in the endpoint"},
    END,
};
static const struct web_answer reassess_answer = {"muster.reassess/1", reassess_fields, .status = 202};

static const struct web_field totals_fields[] = {
    {"server_version", WEB_T_TEXT, "of Muster"},
    {"store", WEB_T_TEXT, "its engine", .choices = "sqlite|postgresql"},
    {"endpoints", WEB_T_NUMBER, "that were ever assessed"},
    {"software", WEB_T_NUMBER, "distinct identifiers of the whole fleet"},
    {"change_sets", WEB_T_NUMBER, "distinct sets of changes"},
    {"changes", WEB_T_NUMBER, "times that an endpoint did one of them"},
    {"sessions", WEB_T_NUMBER, "assessments"},
    END,
};
static const struct web_answer totals_answer = {"muster.totals/1", totals_fields};

static const struct web_field health_fields[] = {{"status", WEB_T_TEXT, "all is well", .choices = "ok"}, END};
static const struct web_answer health_answer = {"muster.health/1", health_fields};

static const struct web_answer openapi_answer = {.types = "application/json", .doc = "this document, OpenAPI 3.1"},
                               page_answer_html = {.types = "text/html; charset=utf-8", .doc = "HTML"},
                               page_answer_css = {.types = "text/css; charset=utf-8", .doc = "CSS"},
                               page_answer_js = {.types = "text/javascript; charset=utf-8", .doc = "JavaScript"};

/* ---- the table --------------------------------------------------------------------------------------------------- */

#define P(name) (1U << WEB_##name)
#define PAGING  (P(LIMIT) | P(CURSOR) | P(AFTER))

static const char endpoint_id[] = "an endpoint's number or name", software_id[] = "the number of a software, or its identifier";

const struct web_route web_routes[] = {
    {"GET", "/api/v1/endpoints", WEB_READ, PAGING, true, get_endpoints,
     "The endpoints that were ever assessed, with their last verdict.", &endpoints_answer},
    {"GET", "/api/v1/endpoints/{id}", WEB_READ, 0, true, get_endpoint, "One endpoint, by number or name.",
     &endpoint_answer, endpoint_id},
    {"GET", "/api/v1/endpoints/{id}/software", WEB_READ, PAGING | P(AT) | P(KNOWN_AT), true, get_software,
     "What is installed on an endpoint, or was or may have been at any time, ordered by software identifier.",
     &software_answer, endpoint_id},
    {"GET", "/api/v1/endpoints/{id}/events", WEB_READ, PAGING, true, get_events,
     "What was installed, removed and altered on an endpoint, in the order of its event identifiers.", &events_answer,
     endpoint_id},
    {"POST", "/api/v1/endpoints/{id}/reassess", WEB_WRITE, 0, true, post_reassess,
     "Begins a new assessment of an endpoint that is connected now.", &reassess_answer, endpoint_id, .conflict = true},
    {"GET", "/api/v1/endpoints/{id}/findings", WEB_READ, PAGING, true, route_get_findings,
     "Files of what is installed on an endpoint that are not as the reference tag says, or not as another endpoint told first.",
     &route_findings_answer, endpoint_id},
    {"GET", "/api/v1/endpoints/{id}/sbom", WEB_READ, P(FORMAT) | P(AT), true, route_get_sbom,
     "A bill of materials of what is, was or may have been installed on an endpoint. It tells no dependencies and no licences: those are the endpoint's to know.",
     &route_sbom_answer, endpoint_id},
    {"GET", "/api/v1/software/{id}/tag", WEB_READ, P(KIND), true, route_get_tag,
     "The SWID tag of a software, by its number or identifier: the reference, or as the first endpoint reported it.",
     &route_tag_answer, software_id},
    {"GET", "/api/v1/tags", WEB_READ, PAGING, true, route_get_tags,
     "The tags that are known: of which software, who gave them, and when.", &route_tags_answer},
    {"GET", "/api/v1/tags/{id}", WEB_READ, P(KIND), true, route_get_tag, "The same as /api/v1/software/{id}/tag.",
     &route_tag_answer, software_id},
    {"POST", "/api/v1/tags", WEB_WRITE, 0, true, route_post_tag,
     "Takes a tag (SWID of 2015, or CoSWID) as the reference of its software. What endpoints tell of their files is compared with it.",
     &route_import_answer, .upload_max = SWID_FULL_TAG_MAX},
    {"GET", "/api/v1/files", WEB_READ, PAGING | P(SHA256) | P(PATH), true, route_get_files,
     "Which packages a file belongs to, by its digest or its path (one of the two), and which endpoints have them now.",
     &route_files_answer},
    {"GET", "/api/v1/totals", WEB_READ, 0, true, get_totals, "How much the store holds.", &totals_answer},
    {"GET", "/api/v1/openapi.json", WEB_READ, 0, false, get_openapi, "What this API offers, for programs.",
     &openapi_answer},
    {"GET", "/healthz", WEB_PUBLIC, 0, true, get_health,
     "200 while the server can answer from its store, else 503. Needs no login.", &health_answer},
    {"GET", "/", WEB_PUBLIC, 0, false, page_answer, "The page for people.", &page_answer_html},
    {"GET", "/page.css", WEB_PUBLIC, 0, false, page_answer, "Its style sheet.", &page_answer_css},
    {"GET", "/page.js", WEB_PUBLIC, 0, false, page_answer, "Its script.", &page_answer_js},
};
const size_t web_route_count = ARRAY_LENGTH(web_routes);
