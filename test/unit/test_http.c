/* The HTTPS side as a client sees it: a listener on a free port of the loopback, a store on SQLite, libcurl. */
#include "server/http.h"
#include "server/web.h"
#include "store/store.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ENDPOINTS 25
#define T0        INT64_C(1767225600) /* 2026-01-01T00:00:00Z */

static char state[256], db[300], password[64];
static struct http_server *server;

/* ---- a state folder with a fleet in it --------------------------------------------------------------------------- */

static struct store_event events[6];

static void report(struct store *s, const char *name, size_t event_count)
{
    struct error error = {0};
    struct store_receipt receipt;
    struct store_report r = {
        .endpoint = bytes_of(name),
        .device_id = BYTES("device"),
        .started = T0 + 100000,
        .finished = T0 + 100001,
        .address = BYTES("192.0.2.9"),
        .has_posture = true,
        .product = BYTES("Debian"),
        .version = BYTES("12 x86_64"),
        .last_boot = T0,
        .forwarding = 1,
        .default_password = -1,
        .software = event_count ? STORE_EVENTS : STORE_NO_SOFTWARE,
        .epoch = 77,
        .earliest = 1,
        .last_eid = (uint32_t)event_count,
        .last_consulted = (uint32_t)event_count,
        .events = events,
        .event_count = event_count,
        .result = 0,
        .access = 1,
        .reason = BYTES("said \"<script>\"\x1b[2J"),
    };
    if (store_report(s, &r, &receipt, &error) != STORE_OK)
        fail_msg("%s", error.text);
}

/* Numbers are given in the order of digests: a gets 1. a and b come with the first second, c an hour later, b goes
 * after two, b comes anew after three, d after four. */
static void fill_store(void)
{
    static const struct {
        const char *id;
        int hours;
        enum store_action action;
    } story[6] = {{"example.org__a-12", 0, STORE_CREATE}, {"example.org__b-1", 0, STORE_CREATE},
                  {"example.org__c-1", 1, STORE_CREATE},  {"example.org__b-1", 2, STORE_DELETE},
                  {"example.org__b-2", 3, STORE_CREATE},  {"example.org__d-1", 4, STORE_CREATE}};
    struct error error = {0};
    struct store *s;
    for (uint32_t i = 0; i < 6; i++)
        events[i] = (struct store_event){
            i + 1, T0 + story[i].hours * 3600, story[i].action, i == 3 ? 2 : i + 1, 1, bytes_of(story[i].id), {0}};
    if (store_open(&s, db, &error) != STORE_OK || store_begin(s, &error) != STORE_OK)
        fail_msg("%s", error.text);
    report(s, "web-1.example.org", 6);
    for (int i = 2; i <= ENDPOINTS; i++) {
        char name[32];
        snprintf(name, sizeof name, "web-%d.example.org", i);
        report(s, name, 0);
    }
    const struct store_tag tag = {
        1, BYTES("<tag/>"), {BYTES("a"), BYTES("1:1"), BYTES("amd64"), BYTES("src"), BYTES("2")}};
    assert_int_equal(store_tags(s, 1, T0, &tag, 1, &error), STORE_OK);
    assert_int_equal(store_commit(s, &error), STORE_OK);
    store_close(s);
}

static struct http_server *start(const char *url)
{
    char certificate[300], key[300];
    struct error error = {0};
    snprintf(certificate, sizeof certificate, "%s/pki/server.crt", state);
    snprintf(key, sizeof key, "%s/pki/server.key", state);
    struct http_server *h = http_start(&(struct http_options){"127.0.0.1", 0, certificate, key, state, url, 2}, &error);
    if (!h)
        fail_msg("%s", error.text);
    return h;
}

static int set_up(void **unused)
{
    (void)unused;
    struct pki_made made;
    struct error error = {0};
    char path[300];
    curl_global_init(CURL_GLOBAL_DEFAULT);
    snprintf(state, sizeof state, "%s/muster-http-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(state) || pki_ensure(state, NULL, 0, &made, &error) != SERVER_OK)
        return -1;
    snprintf(path, sizeof path, "%s/admin.txt", state);
    FILE *f = fopen(path, "r");
    if (!f || fscanf(f, "user: admin\npassword: %63s", password) != 1)
        return -1;
    fclose(f);
    snprintf(db, sizeof db, "sqlite:%s/server.db", state);
    fill_store();
    server = start(db);
    return 0;
}

/* The administrator's password from a keyboard that composes letters, and from one that does not. */
static void passwords_are_prepared(void **unused)
{
    char folder[] = "/tmp/muster-admin-XXXXXX", path[64];
    struct error error;
    (void)unused;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/admin.txt", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("user: admin\npassword: pa\xcc\x88sswort1\n", f);
    fclose(f);
    assert_int_equal(chmod(path, 0600), 0);
    struct web_login *l = web_login_new(folder, &error);
    assert_non_null(l);
    assert_int_equal(web_login_scopes(l, "Basic YWRtaW46cGHMiHNzd29ydDE="), WEB_READ | WEB_WRITE);
    assert_int_equal(web_login_scopes(l, "Basic YWRtaW46cMOkc3N3b3J0MQ=="), WEB_READ | WEB_WRITE);
    assert_int_equal(web_login_scopes(l, "Basic YWRtaW46cGFzc3dvcnQx"), 0);
    assert_int_equal(web_login_scopes(l, "Basic YWRtaW4="), 0); /* no colon */
    web_login_free(l);
    unlink(path);
    rmdir(folder);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
    (void)st, (void)flag, (void)walk;
    return remove(path);
}

static int tear_down(void **unused)
{
    (void)unused;
    http_stop(server);
    curl_global_cleanup();
    return nftw(state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

struct question {
    const char *method, *path, *user; /* user NULL: the administrator; "": none; else "user:password" */
    const char *upload, *header;
    uint16_t port; /* 0: the server's */
    bool no_ca;
    long tls; /* highest version, 0: any */
};
struct answer {
    CURLcode code;
    long status;
    char head[8192], body[65536];
};

static size_t keep(char *p, size_t size, size_t n, void *to)
{
    char *text = to;
    size_t at = strlen(text), room = 65536 - at - 1;
    memcpy(text + at, p, size * n < room ? size * n : room);
    text[at + (size * n < room ? size * n : room)] = 0;
    return size * n;
}

static size_t keep_head(char *p, size_t size, size_t n, void *to)
{
    char *text = to;
    size_t at = strlen(text);
    if (at + size * n < 8192) {
        memcpy(text + at, p, size * n);
        text[at + size * n] = 0;
    }
    return size * n;
}

static void ask(const struct question *q, struct answer *a)
{
    char url[40000], ca[300], user[128];
    CURL *c = curl_easy_init();
    struct curl_slist *fields = q->header ? curl_slist_append(NULL, q->header) : NULL;
    memset(a, 0, sizeof *a);
    snprintf(url, sizeof url, "https://127.0.0.1:%u%s", q->port ? q->port : http_port(server), q->path);
    snprintf(ca, sizeof ca, "%s/pki/ca.crt", state);
    snprintf(user, sizeof user, "admin:%s", password);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(c, CURLOPT_TIMEOUT, 20L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
    if (!q->no_ca) {
        curl_easy_setopt(c, CURLOPT_CAINFO, ca);
        curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
    }
    if (q->tls)
        curl_easy_setopt(c, CURLOPT_SSLVERSION, q->tls);
    if (!q->user || *q->user)
        curl_easy_setopt(c, CURLOPT_USERPWD, q->user ? q->user : user);
    if (q->method && strcmp(q->method, "HEAD") == 0)
        curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    else if (q->method)
        curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, q->method);
    if (q->upload)
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, q->upload);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, fields);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, a->body);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, keep_head);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, a->head);
    a->code = curl_easy_perform(c);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &a->status);
    curl_slist_free_all(fields);
    curl_easy_cleanup(c);
}

static struct answer a; /* of the last question */

static void get(const char *path, long status)
{
    ask(&(struct question){.path = path}, &a);
    if (a.code != CURLE_OK || a.status != status)
        fail_msg("%s: %s, %ld instead of %ld: %s", path, curl_easy_strerror(a.code), a.status, status, a.body);
}

static void assert_has(const char *text, const char *what)
{
    if (!strstr(text, what))
        fail_msg("no %s in %s", what, text);
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;
    for (; (text = strstr(text, what)); text += strlen(what))
        n++;
    return n;
}

/* The string behind "next", "" for null. */
static const char *next_of(const char *body)
{
    static char next[32];
    const char *p = strstr(body, "\"next\":");
    assert_non_null(p);
    next[0] = 0;
    sscanf(p, "\"next\":\"%31[^\"]", next);
    return next;
}

/* ---- who may ask ------------------------------------------------------------------------------------------------- */

static void every_route_keeps_its_scope(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < web_route_count; i++) {
        char path[128], *brace;
        snprintf(path, sizeof path, "%s", web_routes[i].pattern);
        if ((brace = strchr(path, '{')))
            memmove(brace + 1, strchr(path, '}') + 1, strlen(strchr(path, '}') + 1) + 1), *brace = '1';
        if (web_routes[i].parameters & 1U << WEB_PATH) /* it wants one */
            strncat(path, "?path=/x", sizeof path - strlen(path) - 1);
        ask(&(struct question){.method = web_routes[i].method, .path = path, .user = ""}, &a);
        assert_int_equal(a.code, CURLE_OK);
        assert_int_equal(a.status, web_routes[i].scope == WEB_PUBLIC ? 200 : 401);
        /* What changes something is not done for a form of another page. */
        ask(&(struct question){.method = web_routes[i].method, .path = path}, &a);
        assert_int_equal(a.status, strcmp(web_routes[i].method, "GET") == 0 ? 200 : 415);
        assert_true(strlen(web_routes[i].doc) > 10);
    }
}

static void login_is_basic_and_exact(void **unused)
{
    (void)unused;
    char close_one[80];
    const char *path = "/api/v1/endpoints";
    snprintf(close_one, sizeof close_one, "admin:%s", password);
    close_one[strlen(close_one) - 1] ^= 1;
    const char *const wrong[] = {"admin:", "admin:x", "root:x", ":", close_one};
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        ask(&(struct question){.path = path, .user = wrong[i]}, &a);
        assert_int_equal(a.status, 401);
        assert_has(a.head, "WWW-Authenticate: Basic realm=\"Muster\"");
        assert_has(a.body, "\"status\":401");
    }
    static const char *const odd[] = {
        "Authorization: Basic",       "Authorization: Basic !!!!", "Authorization: Bearer abc",
        "Authorization: basic  Og==", "Authorization: Basic =",    "Authorization: x y z",
        "Authorization: Basic ===="};
    for (size_t i = 0; i < ARRAY_LENGTH(odd); i++) {
        ask(&(struct question){.path = path, .user = "", .header = odd[i]}, &a);
        assert_int_equal(a.status, 401);
    }
    /* The token of token.txt, exactly. */
    char token[80], header[128];
    snprintf(token, sizeof token, "%s/token.txt", state);
    FILE *f = fopen(token, "r");
    assert_non_null(f);
    assert_non_null(fgets(token, sizeof token, f));
    fclose(f);
    token[strcspn(token, "\n")] = 0;
    for (int bad = 0; bad < 3; bad++) {
        token[strlen(token) - 1] ^= bad == 1; /* a wrong one, then the right one in capitals of the scheme */
        snprintf(header, sizeof header, "Authorization: %s %s", bad == 2 ? "BEARER" : "Bearer", token);
        token[strlen(token) - 1] ^= bad == 1;
        ask(&(struct question){.path = path, .user = "", .header = header}, &a);
        assert_int_equal(a.status, bad == 1 ? 401 : 200);
    }
    /* A wrong login learns nothing of parameters or endpoints. */
    ask(&(struct question){.path = "/api/v1/endpoints?limit=0", .user = "admin:x"}, &a);
    assert_int_equal(a.status, 401);
    ask(&(struct question){.path = "/api/v1/endpoints/none", .user = "admin:x"}, &a);
    assert_int_equal(a.status, 401);
}

static void tls_is_checked_and_modern(void **unused)
{
    (void)unused;
    ask(&(struct question){.path = "/healthz", .user = "", .no_ca = true}, &a);
    /* A machine without any CA bundle says so instead. */
    assert_true(a.code == CURLE_PEER_FAILED_VERIFICATION || a.code == CURLE_SSL_CACERT_BADFILE);
    ask(&(struct question){.path = "/healthz",
                           .user = "",
                           .tls = CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_2},
        &a);
    assert_int_equal(a.code, CURLE_OK);
    ask(&(struct question){.path = "/healthz", .user = "", .tls = CURL_SSLVERSION_TLSv1_3}, &a);
    assert_int_equal(a.code, CURLE_OK);
    ask(&(struct question){.path = "/healthz",
                           .user = "",
                           .tls = CURL_SSLVERSION_TLSv1_1 | CURL_SSLVERSION_MAX_TLSv1_1},
        &a);
    assert_int_not_equal(a.code, CURLE_OK);
}

/* ---- what they get ----------------------------------------------------------------------------------------------- */

static void lists_go_page_by_page(void **unused)
{
    (void)unused;
    char path[128] = "/api/v1/endpoints?limit=10";
    unsigned seen = 0, turns = 0;
    get("/api/v1/endpoints", 200);
    assert_has(a.body, "{\"schema\":\"muster.endpoints/1\",\"items\":[{");
    assert_int_equal(count(a.body, "\"name\":"), ENDPOINTS);
    assert_has(a.body, "\"next\":null");
    for (;;) {
        get(path, 200);
        seen += count(a.body, "\"name\":");
        turns++;
        const char *next = next_of(a.body);
        if (!*next)
            break;
        assert_true(turns < 5);
        snprintf(path, sizeof path, "/api/v1/endpoints?limit=10&%s=%s", turns % 2 ? "cursor" : "after", next);
    }
    assert_int_equal(seen, ENDPOINTS);
    assert_int_equal(turns, 3);
    get("/api/v1/endpoints?limit=1000&cursor=9223372036854775807", 200);
    assert_has(a.body, "\"items\":[],\"next\":null");
}

static void an_endpoint_goes_by_number_or_name(void **unused)
{
    (void)unused;
    static const char *const members[] = {"\"schema\":\"muster.endpoint/1\"",
                                          "\"name\":\"web-1.example.org\"",
                                          "\"device_id\":\"device\"",
                                          "\"product\":\"Debian\"",
                                          "\"version\":\"12 x86_64\"",
                                          "\"address\":\"192.0.2.9\"",
                                          "\"first_seen\":\"2026-01-02T03:46:4",
                                          "\"last_seen\":\"2026-01-02T03:46:4",
                                          "\"last_boot\":\"2026-01-01T00:00:00Z\"",
                                          "\"epoch\":77",
                                          "\"last_eid\":6",
                                          "\"installed\":4",
                                          "\"forwarding\":true",
                                          "\"default_password\":null",
                                          "\"result\":\"",
                                          "\"access\":\"allowed\"",
                                          "\"reason\":\"said \\\"<script>\\\"\\u001b[2J\""};
    long id = 0;
    get("/api/v1/endpoints/web-1.example.org", 200);
    for (size_t i = 0; i < ARRAY_LENGTH(members); i++)
        assert_has(a.body, members[i]);
    assert_int_equal(sscanf(strstr(a.body, "\"id\":"), "\"id\":%ld", &id), 1);
    char path[64], first[sizeof a.body];
    memcpy(first, a.body, sizeof first);
    snprintf(path, sizeof path, "/api/v1/endpoints/%ld", id);
    get(path, 200);
    assert_string_equal(first, a.body);
    get("/api/v1/endpoints/%77eb-1.example.org", 200);
    get("/api/v1/endpoints/web-1", 404);
    assert_has(a.head, "application/problem+json");
    get("/api/v1/endpoints/99999", 404);
    get("/api/v1/endpoints/..%2F..%2Fadmin.txt", 404);
    get("/api/v1/endpoints/99999/software", 404);
    get("/api/v1/endpoints/99999/events", 404);
}

static void software_is_told_as_it_was(void **unused)
{
    (void)unused;
    static const struct {
        const char *at;
        unsigned n;
    } times[] = {{"", 4},
                 {"?at=2025-12-31", 2} /* not known to have been away */,
                 {"?at=2026-01-01T00:30:00Z", 2},
                 {"?at=2026-01-01T02:30:00%2B01:00", 3},
                 {"?at=2026-01-01T02:30:00+01:00", 3},
                 {"?at=2026-01-01T02:30:00Z", 2},
                 {"?at=2026-01-01T03:30:00.5Z", 3},
                 {"?at=2026-01-02&limit=1000", 4},
                 {"?known_at=2026-01-01", 0}};
    for (size_t i = 0; i < ARRAY_LENGTH(times); i++) {
        char path[128];
        snprintf(path, sizeof path, "/api/v1/endpoints/web-1.example.org/software%s", times[i].at);
        get(path, 200);
        assert_has(a.body, "\"schema\":\"muster.software/1\"");
        assert_has(a.body, "\"endpoint\":{\"id\":");
        if (count(a.body, "\"software_id\":") != times[i].n)
            fail_msg("%s: %s", path, a.body);
    }
    get("/api/v1/endpoints/web-1.example.org/software?at=2026-01-01T02:30:00Z", 200);
    assert_has(a.body, "\"at\":\"2026-01-01T02:30:00Z\"");
    assert_has(
        a.body,
        "{\"id\":1,\"software_id\":\"example.org__a-12\",\"package\":\"a\",\"version\":\"1:1\",\"arch\":\"amd64\","
        "\"source_package\":\"src\",\"source_version\":\"2\",\"count\":1,\"installed\":true,\"since\":\"2026-01-01T00:00:00Z\",\"precision\":\"bound\",\"source\":"
        "1}");
    assert_has(a.body,
               "\"software_id\":\"example.org__c-1\",\"package\":null,\"version\":null"); /* nobody gave its tag */
    assert_has(a.body, "\"known_since\":\"2026-01-01T00:00:00Z\",\"items\":");
    get("/api/v1/endpoints/web-1.example.org/software?at=2025-12-31", 200);
    assert_has(a.body, "\"known_since\":\"2026-01-01T00:00:00Z\",\"items\":");
    assert_int_equal(count(a.body, "\"installed\":null,\"since\":\"2026-01-01T00:00:00Z\",\"precision\":\"bound\""), 2);
    get("/api/v1/software/example.org__a-12/tag", 200);
    assert_string_equal(a.body, "<tag/>");
    get("/api/v1/software/2/tag", 404);
    get("/api/v1/endpoints/web-1.example.org/software?at=2026-01-01T02:30:00Z", 200);
    get("/api/v1/endpoints/web-1.example.org/software?limit=3", 200);
    assert_int_equal(count(a.body, "\"software_id\":"), 3);
    assert_true(*next_of(a.body));
    get("/api/v1/endpoints/web-2.example.org/software", 200);
    assert_has(a.body, "\"known_since\":null,\"items\":[],\"next\":null");
}

static void events_come_in_their_order(void **unused)
{
    (void)unused;
    get("/api/v1/endpoints/web-1.example.org/events", 200);
    assert_has(a.body, "\"schema\":\"muster.events/1\"");
    assert_int_equal(count(a.body, "\"software_id\":"), 6);
    assert_has(
        a.body,
        "{\"eid\":4,\"epoch\":77,\"time\":\"2026-01-01T02:00:00Z\",\"precision\":\"reported\",\"action\":\"delete\","
        "\"software_id\":\"example.org__b-1\",\"name\":null,\"version\":null,\"arch\":null,\"source\":1,\"learnt\":"
        "\"2026-01-02T03:46:4");
    const char *p = a.body;
    for (int i = 1; i <= 6; i++) {
        char eid[16];
        snprintf(eid, sizeof eid, "\"eid\":%d,", i);
        assert_non_null(p = strstr(p, eid));
    }
    get("/api/v1/endpoints/web-1.example.org/events?limit=4", 200);
    assert_int_equal(count(a.body, "\"eid\":"), 4);
    char path[128];
    snprintf(path, sizeof path, "/api/v1/endpoints/web-1.example.org/events?limit=4&cursor=%s", next_of(a.body));
    get(path, 200);
    assert_int_equal(count(a.body, "\"eid\":"), 2);
    assert_has(a.body, "\"next\":null");
}

/* ---- tags and files ---------------------------------------------------------------------------------------------- */

#define DIGEST "0101010101010101010101010101010101010101010101010101010101010101"
static const char reference[] =
    "<?xml version=\"1.0\" encoding=\"utf-8\"?><SoftwareIdentity xmlns=\"http://standards.iso.org/iso/19770/-2/2015/schema.xsd\""
    " xmlns:SHA256=\"http://www.w3.org/2001/04/xmlenc#sha256\" name=\"a\" tagId=\"a-12\" version=\"12\" versionScheme=\"alphanumeric\" xml:lang=\"en-US\""
    " xmlns:n8060=\"http://csrc.nist.gov/ns/swid/2015-extensions/1.0\">"
    "<Entity name=\"Example\" regid=\"example.org\" role=\"softwareCreator tagCreator\"/><Payload n8060:pathSeparator=\"/\" n8060:envVarPrefix=\"$\" n8060:envVarSuffix=\"\"><File name=\"a\" root=\"/usr/bin\" size=\"3\""
    " SHA256:hash=\"" DIGEST "\"/></Payload></SoftwareIdentity>";

static void send_tag(const char *body, const char *type, const char *who, long status)
{
    char header[80];
    snprintf(header, sizeof header, "Content-Type: %s", type);
    ask(&(struct question){.method = "POST", .path = "/api/v1/tags", .upload = body, .header = header, .user = who}, &a);
    if (a.code != CURLE_OK || a.status != status)
        fail_msg("%s, %ld instead of %ld: %s", curl_easy_strerror(a.code), a.status, status, a.body);
}

static void a_tag_is_imported_as_reference(void **unused)
{
    (void)unused;
    static const char xml[] = "application/swid+xml";
    get("/api/v1/tags", 200);
    assert_has(a.body, "\"schema\":\"muster.tags/1\"");
    assert_has(a.body, "\"software_id\":\"example.org__a-12\",\"package\":\"a\",\"version\":\"1:1\",\"arch\":\"amd64\",\"kind\":\"reported\","
                       "\"who\":\"web-1.example.org\",\"learnt\":\"2026-01-01T00:00:00Z\",\"files\":0,\"reported\":null}");
    send_tag(reference, xml, "", 401);
    send_tag(reference, "application/json", NULL, 415);
    send_tag(reference, "application/x-www-form-urlencoded", NULL, 415); /* what another origin's form could send */
    send_tag("<!DOCTYPE x><x/>", xml, NULL, 422);
    send_tag("<SoftwareIdentity xmlns=\"http://standards.iso.org/iso/19770/-2/2015/schema.xsd\" name=\"a\" tagId=\"a-12\"/>", xml, NULL, 422);
    send_tag("", xml, NULL, 400);
    get("/api/v1/tags/example.org__a-12?kind=reference", 404);
    send_tag(reference, xml, NULL, 200);
    assert_has(a.body, "{\"schema\":\"muster.tag/1\",\"software\":1,\"software_id\":\"example.org__a-12\",\"kind\":\"reference\",\"files\":1}");
    get("/api/v1/tags/example.org__a-12", 200);
    assert_string_equal(a.body, reference);
    get("/api/v1/tags/1?kind=reported", 200);
    assert_string_equal(a.body, "<tag/>");
    get("/api/v1/tags/1?kind=any", 400);
    get("/api/v1/tags", 200);
    assert_has(a.body, "\"kind\":\"reference\",\"who\":\"API\"");
    assert_has(a.body, "\"files\":1,\"reported\":{\"who\":\"web-1.example.org\",\"learnt\":\"2026-01-01T00:00:00Z\",\"files\":0}}");
    send_tag(reference, "application/swid+xml; charset=utf-8", NULL, 200); /* once more changes nothing */
}

/* Two pairs of creator and tagId with one identifier: the one that does not read back from it is refused, and takes nobody's place. */
static void a_tag_takes_no_other_tags_place(void **unused)
{
    (void)unused;
    static const char form[] = "<SoftwareIdentity xmlns=\"http://standards.iso.org/iso/19770/-2/2015/schema.xsd\" name=\"%s\" tagId=\"%s\" version=\"1\" "
                               "versionScheme=\"alphanumeric\" xml:lang=\"en-US\"><Entity name=\"e\" regid=\"%s\" role=\"softwareCreator tagCreator\"/>"
                               "<Payload xmlns:n8060=\"http://csrc.nist.gov/ns/swid/2015-extensions/1.0\" n8060:pathSeparator=\"/\" n8060:envVarPrefix=\"$\" "
                               "n8060:envVarSuffix=\"\"><File xmlns:SHA256=\"http://www.w3.org/2001/04/xmlenc#sha256\" name=\"a\" root=\"/usr/bin\" size=\"3\" "
                               "SHA256:hash=\"" DIGEST "\"/></Payload></SoftwareIdentity>";
    static const struct {
        const char *name, *tag_id, *regid;
        long status;
    } tags[] = {{"good", "b__c", "example.net", 200},
                {"evil", "c", "example.net__b", 422},
                {"evil", "_b__c", "example.net", 200}, /* example.net___b__c: the first two underscores divide, it is another one */
                {"evil", "b__c", "example.net_", 422}};
    for (size_t i = 0; i < ARRAY_LENGTH(tags); i++) {
        char text[1200];
        snprintf(text, sizeof text, form, tags[i].name, tags[i].tag_id, tags[i].regid);
        send_tag(text, "application/swid+xml", NULL, tags[i].status);
        get("/api/v1/tags/example.net__b__c", 200);
        assert_has(a.body, "name=\"good\"");
    }
}

static void a_large_body_is_refused_before_it_comes(void **unused)
{
    (void)unused;
    size_t n = ((size_t)4 << 20) + 1;
    char *large = malloc(n + 1);
    assert_non_null(large);
    memset(large, ' ', n);
    large[n] = 0;
    ask(&(struct question){.method = "POST", .path = "/api/v1/tags", .upload = large, .header = "Content-Type: application/swid+xml"}, &a);
    assert_int_equal(a.status, 413);
    large[n - 1] = 0; /* as large as can be, and no tag */
    ask(&(struct question){.method = "POST", .path = "/api/v1/tags", .upload = large, .header = "Content-Type: application/swid+xml"}, &a);
    assert_int_equal(a.status, 422);
    free(large);
    get("/healthz", 200);
}

static void files_are_found_by_digest_and_path(void **unused)
{
    (void)unused;
    get("/api/v1/files?sha256=" DIGEST, 200);
    assert_has(a.body, "{\"path\":\"/usr/bin/a\",\"sha256\":\"" DIGEST "\",\"size\":3,\"mutable\":false,\"software\":1,"
                       "\"software_id\":\"example.org__a-12\",\"package\":\"a\",\"version\":\"12\",\"arch\":null,\"kind\":\"reference\","
                       "\"endpoints\":[{\"id\":1,\"name\":\"web-1.example.org\",\"told\":false}],\"more_endpoints\":false}");
    get("/api/v1/files?path=/usr/bin/a", 200);
    assert_int_equal(count(a.body, "\"software_id\""), 1);
    get("/api/v1/files?path=/usr/bin/b", 200);
    assert_has(a.body, "\"items\":[],\"next\":null");
    static const char *const wrong[] = {"", "?sha256=", "?sha256=01", "?path=", "?sha256=" DIGEST "&path=/x",
                                        "?sha256=x101010101010101010101010101010101010101010101010101010101010101"};
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        char path[200];
        snprintf(path, sizeof path, "/api/v1/files%s", wrong[i]);
        get(path, 400);
    }
    get("/api/v1/endpoints/1/findings", 200);
    assert_has(a.body, "\"files\":{\"references\":1,\"compared\":0,\"bare\":0,\"differing\":0,\"findings\":0},\"items\":[],\"next\":null");
    get("/api/v1/endpoints/nobody/findings", 404);
    get("/api/v1/endpoints/1", 200);
    assert_has(a.body, "\"files\":{\"references\":1,");
}

/* ---- what is wrong with a question ------------------------------------------------------------------------------- */

static void a_bad_parameter_is_named(void **unused)
{
    (void)unused;
    static const struct {
        const char *query, *word;
    } bad[] = {{"endpoints?limit=0", "limit"},
               {"endpoints?limit=1001", "limit"},
               {"endpoints?limit=", "limit"},
               {"endpoints?limit", "limit"},
               {"endpoints?limit=1&limit=1", "twice"},
               {"endpoints?cursor=-1", "cursor"},
               {"endpoints?cursor=9223372036854775808", "cursor"},
               {"endpoints?at=-7d", "at"},
               {"endpoints?LIMIT=1", "LIMIT"},
               {"endpoints/1/software?at=yesterday", "at"},
               {"endpoints/1/software?known_at=2026-13-01", "known_at"},
               {"endpoints?limit=%", "percent"},
               {"endpoints?limit=%0", "percent"},
               {"endpoints?limit=1%00", "percent"},
               {"endpoints?%ff=1", "percent"},
               {"endpoints/%C3", "percent"},
               {"endpoints?<script>=1", "<script>"}};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        char path[128];
        snprintf(path, sizeof path, "/api/v1/%s", bad[i].query);
        get(path, 400);
        assert_has(a.head, "Content-Type: application/problem+json");
        assert_has(a.body, "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,\"detail\":\"");
        assert_has(a.body, bad[i].word);
    }
}

static void unknown_paths_methods_and_bodies_are_refused(void **unused)
{
    (void)unused;
    static const char *const nowhere[] = {
        "/api",       "/api/v1/",  "/api/v1/endpoints/", "/api/v1/endpoints/1/", "/api/v1/endpoints//software",
        "//",         "/page.js/", "/admin.txt",         "/../admin.txt",        "/%2e%2e/admin.txt",
        "/pki/ca.key"};
    for (size_t i = 0; i < ARRAY_LENGTH(nowhere); i++)
        get(nowhere[i], 404);
    static const char *const methods[] = {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get"};
    for (size_t i = 0; i < ARRAY_LENGTH(methods); i++) {
        ask(&(struct question){.method = methods[i], .path = "/api/v1/endpoints"}, &a);
        assert_int_equal(a.status, 405);
        assert_has(a.head, "Allow: GET, HEAD\r\n");
    }
    ask(&(struct question){.method = "GET", .path = "/healthz", .upload = "a body"}, &a);
    assert_int_equal(a.status, 413);
    ask(&(struct question){.method = "POST", .path = "/api/v1/endpoints", .upload = "a body"}, &a);
    assert_int_equal(a.status, 405);
    ask(
        &(struct question){
            .method = "GET", .path = "/healthz", .upload = "a body", .header = "Transfer-Encoding: chunked"},
        &a);
    assert_int_equal(a.status, 413);
    ask(&(struct question){.method = "HEAD", .path = "/api/v1/endpoints"}, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "");
    get("/healthz", 200);
}

static void too_much_is_refused_and_forgotten(void **unused)
{
    (void)unused;
    static char path[32000];
    size_t n = strlen("/api/v1/endpoints?limit=");
    memcpy(path, "/api/v1/endpoints?limit=", n);
    memset(path + n, '1', sizeof path - n - 1);
    ask(&(struct question){.path = path}, &a);
    assert_true(a.code != CURLE_OK || a.status == 414 || a.status == 431);
    path[8000] = 0;
    get(path, 400);
    get("/healthz", 200);
}

static void every_answer_carries_the_guards(void **unused)
{
    (void)unused;
    static const char *const paths[] = {"/",        "/page.js",           "/healthz", "/api/v1/endpoints",
                                        "/nowhere", "/api/v1/endpoints?x"};
    static const char *const guards[] = {"Content-Security-Policy: default-src 'none';",
                                         "frame-ancestors 'none'",
                                         "X-Content-Type-Options: nosniff",
                                         "Cache-Control: no-store",
                                         "X-Frame-Options: DENY",
                                         "Referrer-Policy: no-referrer"};
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        ask(&(struct question){.path = paths[i]}, &a);
        for (size_t g = 0; g < ARRAY_LENGTH(guards); g++)
            assert_has(a.head, guards[g]);
    }
}

static void the_page_needs_nothing_from_elsewhere(void **unused)
{
    (void)unused;
    static const char *const files[] = {"/", "/page.css", "/page.js"};
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        get(files[i], 200);
        assert_true(strlen(a.body) > 500);
        assert_null(strstr(a.body, "http://"));
        assert_null(strstr(a.body, "https://"));
        assert_null(strstr(a.body, "innerHTML"));
        assert_null(strstr(a.body, "style="));
    }
    get("/", 200);
    assert_has(a.head, "Content-Type: text/html; charset=utf-8");
    assert_has(a.body, "<html lang=\"en\">");
}

/* ---- trouble ----------------------------------------------------------------------------------------------------- */

static void a_store_that_is_gone_is_503_and_comes_back(void **unused)
{
    (void)unused;
    char url[400], folder[300];
    snprintf(folder, sizeof folder, "%s/later", state);
    snprintf(url, sizeof url, "sqlite:%s/server.db", folder);
    struct http_server *h = start(url);
    struct question health = {.path = "/healthz", .user = "", .port = http_port(h)},
                    list = {.path = "/api/v1/endpoints", .port = http_port(h)};
    ask(&health, &a);
    assert_int_equal(a.status, 503);
    assert_has(a.head, "Retry-After: 5");
    assert_null(strstr(a.body, folder));
    ask(&list, &a);
    assert_int_equal(a.status, 503);
    assert_has(a.head, "application/problem+json");
    ask(&(struct question){.path = "/", .user = "", .port = http_port(h)}, &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(mkdir(folder, 0700), 0);
    usleep(1100 * 1000);
    ask(&list, &a);
    assert_int_equal(a.status, 200);
    http_stop(h);
}

static void what_does_not_start_says_why(void **unused)
{
    (void)unused;
    char certificate[300], key[300], other[300];
    struct error error = {0};
    snprintf(certificate, sizeof certificate, "%s/pki/server.crt", state);
    snprintf(key, sizeof key, "%s/pki/server.key", state);
    snprintf(other, sizeof other, "%s/pki/ca.key", state);
    struct http_options o = {"127.0.0.1", http_port(server), certificate, key, state, db, 1};
    assert_null(http_start(&o, &error));
    assert_has(error.text, "in use");
    o.port = 0;
    o.address = "192.0.2.1";
    assert_null(http_start(&o, &error));
    assert_has(error.text, "192.0.2.1");
    o.address = "127.0.0.1";
    o.key = certificate;
    assert_null(http_start(&o, &error));
    assert_has(error.text, "server.crt");
    o.key = other;
    assert_null(http_start(&o, &error));
    o.key = "/nonexistent";
    assert_null(http_start(&o, &error));
    o.key = key;
    o.state = "/nonexistent";
    assert_null(http_start(&o, &error));
    assert_has(error.text, "admin.txt");
}

static void *asks_often(void *failed)
{
    struct answer *mine = malloc(sizeof *mine);
    for (int i = 0; i < 15; i++) {
        ask(&(struct question){.path = i % 2 ? "/api/v1/endpoints/web-1.example.org/software"
                                             : "/api/v1/endpoints?limit=5"},
            mine);
        if (mine->status != 200 || !strstr(mine->body, i % 2 ? "a-1" : "web-1"))
            *(_Atomic int *)failed += 1;
    }
    free(mine);
    return NULL;
}

static void many_ask_at_once(void **unused)
{
    (void)unused;
    pthread_t threads[8];
    _Atomic int failed = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, asks_often, &failed), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(failed, 0);
}

/* More connections than the listener holds send one octet and wait: an honest client gets its answer all the same, the
 * latest wait on. */
static void idlers_make_room(void **unused)
{
    (void)unused;
    enum { IDLERS = 1300 };
    static int fds[IDLERS];
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < 4096)
        skip();
    limit.rlim_cur = 4096;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(http_port(server)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < IDLERS; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fds[i], (struct sockaddr *)&to, sizeof to), 0);
        assert_int_equal(send(fds[i], "\x16", 1, MSG_NOSIGNAL), 1);
    }
    uint64_t begin = time_monotonic_ms();
    for (int i = 0; i < 5; i++)
        get("/api/v1/endpoints", 200);
    assert_true(time_monotonic_ms() - begin < 5000);
    char octet;
    assert_int_equal(recv(fds[0], &octet, 1, MSG_DONTWAIT), 0);
    assert_int_equal(recv(fds[IDLERS - 1], &octet, 1, MSG_DONTWAIT), -1);
    for (int i = 0; i < IDLERS; i++)
        close(fds[i]);
    get("/healthz", 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords_are_prepared),
        cmocka_unit_test(every_route_keeps_its_scope),
        cmocka_unit_test(login_is_basic_and_exact),
        cmocka_unit_test(tls_is_checked_and_modern),
        cmocka_unit_test(lists_go_page_by_page),
        cmocka_unit_test(an_endpoint_goes_by_number_or_name),
        cmocka_unit_test(software_is_told_as_it_was),
        cmocka_unit_test(events_come_in_their_order),
        cmocka_unit_test(a_tag_is_imported_as_reference),
        cmocka_unit_test(a_large_body_is_refused_before_it_comes),
        cmocka_unit_test(files_are_found_by_digest_and_path),
        cmocka_unit_test(a_tag_takes_no_other_tags_place),
        cmocka_unit_test(a_bad_parameter_is_named),
        cmocka_unit_test(unknown_paths_methods_and_bodies_are_refused),
        cmocka_unit_test(too_much_is_refused_and_forgotten),
        cmocka_unit_test(every_answer_carries_the_guards),
        cmocka_unit_test(the_page_needs_nothing_from_elsewhere),
        cmocka_unit_test(a_store_that_is_gone_is_503_and_comes_back),
        cmocka_unit_test(what_does_not_start_says_why),
        cmocka_unit_test(many_ask_at_once),
        cmocka_unit_test(idlers_make_room),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests_name("http", tests, set_up, tear_down);
}
