/* routes: what handlers of several files share, and the handlers themselves; private to server/. */
#ifndef MUSTER_SERVER_ROUTES_H
#define MUSTER_SERVER_ROUTES_H

#include "server/web.h"

/* {"schema", …, "items": […], "next": cursor or null} */
struct route_list {
    struct json j;
    uint64_t after, next;
    unsigned limit;
};
struct route_list route_list_begin(struct web_request *r, const char *schema);
/* Ends the array "items" that the handler has begun. */
void route_list_end(struct web_request *r, struct route_list *l, enum store_status status, const struct error *error);
/* A list that belongs to the endpoint in the path. False: the request is answered. */
bool route_list_of_endpoint(struct web_request *r, const char *schema, struct route_list *l, int64_t *id) MUST_USE;
void route_store_problem(struct web_request *r, enum store_status status, const struct error *error);
/* null for what is empty */
void route_put_text(struct json *j, const char *key, struct bytes b);

/* The member that route_list_of_endpoint() writes. */
extern const struct web_field route_whose_fields[];
#define ROUTE_WHOSE_FIELD {"endpoint", WEB_T_OBJECT, "whose", route_whose_fields}

/* routes_tags.c */
extern const struct web_answer route_tag_answer, route_tags_answer, route_import_answer, route_files_answer, route_findings_answer;
extern const struct web_field route_verified_fields[];
void route_get_tag(struct web_request *r);
void route_get_tags(struct web_request *r);
void route_post_tag(struct web_request *r);
void route_get_files(struct web_request *r);
void route_get_findings(struct web_request *r);
/* The member "files": what is known of an endpoint's files beside the references. */
enum store_status route_put_verified(struct web_request *r, struct json *j, int64_t endpoint,
                                     struct error *error) MUST_USE;

/* routes_sbom.c */
void route_get_sbom(struct web_request *r);
extern const struct web_answer route_sbom_answer;

#endif
