/* web: a request and its answer without sockets. Routes, parameters and the shapes of answers are rows of tables: dispatch, checks, `Allow`
 * and the OpenAPI document (openapi.c) come from them. Private to server/. */
#ifndef MUSTER_SERVER_WEB_H
#define MUSTER_SERVER_WEB_H

#include "server/server.h"
#include "server/connected.h"
#include "store/store.h"

/* What a caller may do; a token or a user has a set of these. */
enum web_scope { WEB_PUBLIC = 0, WEB_READ = 1, WEB_WRITE = 2 };

/* ---- parameters of a query --------------------------------------------------------------------------------------- */

enum web_kind { WEB_NUMBER, WEB_CURSOR_NUMBER /* `next` of a list: told as text */, WEB_TIME, WEB_TEXT, WEB_CHOICE };
enum web_parameter_id { WEB_LIMIT, WEB_CURSOR, WEB_AFTER, WEB_AT, WEB_KNOWN_AT, WEB_KIND, WEB_SHA256, WEB_PATH, WEB_FORMAT, WEB_PARAMETERS };
struct web_parameter {
    const char *name;
    enum web_kind kind;
    uint64_t min, max; /* of numbers */
    const char *doc;
    const char *choices; /* "reference|reported" */
};
extern const struct web_parameter web_parameters[WEB_PARAMETERS];

struct web_value {
    bool given;
    uint64_t number; /* of a choice: which, from 0 */
    int64_t time; /* TIME_UNKNOWN unless given */
    struct bytes text;
};

/* ---- the shapes of answers ------------------------------------------------------------------------------------------ */

enum web_type { WEB_T_TEXT, WEB_T_NUMBER, WEB_T_BOOL, WEB_T_TIME, WEB_T_SHA256, WEB_T_OBJECT, WEB_T_LIST, WEB_T_NULL = 16 /* or null: a bit more */ };
/* A member of an object; every one that stands here stands in every answer, and no other. Ends with a NULL name. */
struct web_field {
    const char *name;
    unsigned type;
    const char *doc;
    const struct web_field *of; /* of an object, or of a list's items */
    const char *choices;        /* of a text: "allowed|denied" */
};
struct web_answer {
    const char *schema;            /* "muster.software/1", the member that stands first; NULL: no JSON of ours */
    const struct web_field *fields; /* after it, before the items; NULL: none */
    const struct web_field *items; /* of a list, then `next`; NULL: none */
    const char *types;             /* of what is no JSON of ours: media types, "a|b" */
    const char *doc;
    unsigned status;               /* 0: 200 */
};

/* ---- routes ------------------------------------------------------------------------------------------------------ */

struct web_request;
struct web_route {
    const char *method, *pattern; /* "/api/v1/endpoints/{id}"; {…} is one segment, not empty */
    enum web_scope scope;
    unsigned parameters; /* bits: 1 << enum web_parameter_id */
    bool needs_store;
    void (*handle)(struct web_request *);
    const char *doc;
    const struct web_answer *answer;
    const char *argument; /* what {…} stands for; NULL where there is none */
    bool conflict;        /* 409: it may be that it cannot be done as things stand */
    size_t upload_max;    /* octets of the body (a tag) that it takes; 0: none */
};
extern const struct web_route web_routes[];
extern const size_t web_route_count;

/* ---- a request and its answer ------------------------------------------------------------------------------------ */

struct web_request {
    bool began;                    /* http.c: its header fields have been seen */
    bool admitted;                 /* http.c: its login was looked at, and a body may come */
    struct bytes target;           /* http.c: as it came */
    const struct web_route *route; /* NULL while none matched */
    struct arena arena;            /* everything that was decoded */
    struct bytes argument;         /* what stood for {…} */
    struct web_value values[WEB_PARAMETERS];
    struct wr upload;            /* the request's body; bad: it was too large */
    struct connected *connected; /* who has a session now; NULL: nobody */
    struct store *store; /* of this thread; set where the route needs one */
    const char *state;   /* the server's folder, for files without a name */

    unsigned status; /* 0: not answered yet */
    const char *type;
    const char *allow;  /* of a 405, else NULL */
    struct wr body;     /* the answer, unless `fixed` */
    struct bytes fixed; /* an answer that never dies */
    int file;           /* an answer that is larger than memory, else -1 */
    bool incomplete;    /* said in a header field */
    bool store_is_gone; /* the connection to the database is of no more use */
};

struct web_request *web_request_new(void) MUST_USE; /* NULL: no memory */
void web_request_free(struct web_request *r);
/* Reads METHOD and TARGET (RFC 9112 §3.2, origin or absolute form; as it came, nothing decoded): finds the route and
 * checks the query. On a fault the request is answered with a problem (400, 404, 405). `now`: -7d counts from it. */
void web_parse(struct web_request *r, const char *method, struct bytes target, int64_t now);
/* Answers with application/problem+json (RFC 9457), whatever was written before. */
void web_problem(struct web_request *r, unsigned status, const char *format, ...) PRINTF_LIKE(3, 4);
/* Answers with the JSON document in r->body (with what was written, if all of it fitted). */
void web_json(struct web_request *r);

/* The OpenAPI document of the routes, without the line's end (OpenAPI 3.1). */
void web_describe(struct wr *w);

/* ---- login ------------------------------------------------------------------------------------------------------- */

struct web_login; /* who may log in */
struct web_login *web_login_new(const char *state, struct error *error) MUST_USE;
void web_login_free(struct web_login *l);
/* What the value of an Authorization header allows (bits of enum web_scope); 0: nobody. NULL: there is none. */
unsigned web_login_scopes(const struct web_login *l, const char *authorization);

/* ---- the page ---------------------------------------------------------------------------------------------------- */

struct page_file {
    const char *path, *type;
    struct bytes content;
};
/* Made from src/server/page/ by tools/embed.py. */
extern const struct page_file page_files[];
extern const size_t page_file_count;
void page_answer(struct web_request *r);

#endif
