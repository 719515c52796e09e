/* The HTTPS listener: libmicrohttpd's threads, each with epoll and a connection to the store of its own. What a request
 * means is web.c's and routes.c's business. */
#include "server/http.h"

#include "net/net.h"
#include "server/files.h"
#include "server/web.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define THREADS          4
#define BACKLOG          1024
#define CONNECTIONS      1024U  /* open at most */
#define CROWDED          768U   /* from here on the oldest stranger goes for each that comes */
#define STRANGER_MS      30000U /* a connection that never completed a request lives this long while others come */
#define IDLE_SECONDS     15U    /* without an octet either way */
#define CONNECTION_BYTES ((size_t)16 << 10) /* request line and header fields */
#define RETRY_MS         1000U              /* between attempts to open a store that cannot be opened */

/* A connection as long as it lives. Strangers (nobody has logged in on them) stand in a list, the one that was idle
 * longest first. */
struct visitor {
    struct visitor *older, *newer;
    uint64_t seen_ms;
    int fd;
    bool listed;
};

struct http_server {
    struct MHD_Daemon *daemon;
    struct web_login *login;
    struct connected *connected;
    char *db;
    char *state; /* the folder */
    uint16_t port;
    pthread_key_t store;          /* each thread's own */
    _Atomic uint64_t retry_at_ms; /* the store could not be opened: not again before */
    pthread_mutex_t lock;         /* of the visitors */
    struct visitor *oldest, *newest;
    unsigned visitors;
};

/* ---- visitors: slow ones cannot keep others out ------------------------------------------------------------------ */

static void list_remove(struct http_server *h, struct visitor *v)
{
    if (!v->listed)
        return;
    *(v->older ? &v->older->newer : &h->oldest) = v->newer;
    *(v->newer ? &v->newer->older : &h->newest) = v->older;
    v->older = v->newer = NULL;
    v->listed = false;
}

static void list_append(struct http_server *h, struct visitor *v, uint64_t now)
{
    v->seen_ms = now;
    v->older = h->newest;
    v->newer = NULL;
    *(h->newest ? &h->newest->newer : &h->oldest) = v;
    h->newest = v;
    v->listed = true;
}

/* Its own thread sees the end of the stream and closes it; the descriptor lives until visitor_changed() has taken it
 * off the books, under the same lock. */
static void list_evict(struct http_server *h, uint64_t now)
{
    while (h->oldest && (h->visitors > CROWDED || now - h->oldest->seen_ms > STRANGER_MS)) {
        struct visitor *v = h->oldest;
        list_remove(h, v);
        shutdown(v->fd, SHUT_RDWR);
        if (now - v->seen_ms <= STRANGER_MS)
            break; /* one for one: those that were told to go still count until they are gone */
    }
}

static void visitor_changed(void *context, struct MHD_Connection *connection, void **socket_context,
                            enum MHD_ConnectionNotificationCode code)
{
    struct http_server *h = context;
    struct visitor *v = *socket_context;
    uint64_t now = time_monotonic_ms();
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *socket_context = v = info ? calloc(1, sizeof *v) : NULL;
        if (!v)
            return;
        v->fd = info->connect_fd;
        pthread_mutex_lock(&h->lock);
        h->visitors++;
        list_evict(h, now);
        list_append(h, v, now);
        pthread_mutex_unlock(&h->lock);
    } else if (v) {
        pthread_mutex_lock(&h->lock);
        h->visitors--;
        list_remove(h, v);
        pthread_mutex_unlock(&h->lock);
        free(v);
        *socket_context = NULL;
    }
}

/* A request came whole. Who has logged in is no stranger any more. */
static void visitor_asked(struct http_server *h, struct MHD_Connection *connection, bool known)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct visitor *v = info ? info->socket_context : NULL;
    if (!v)
        return;
    pthread_mutex_lock(&h->lock);
    if (v->listed) {
        list_remove(h, v);
        if (!known)
            list_append(h, v, time_monotonic_ms());
    }
    pthread_mutex_unlock(&h->lock);
}

/* ---- the store of a thread --------------------------------------------------------------------------------------- */

static void thread_store_close(void *store)
{
    store_close(store);
}

/* NULL: the request is answered with 503. */
static struct store *thread_store(struct http_server *h, struct web_request *r)
{
    struct error error = {0};
    struct store *s = pthread_getspecific(h->store);
    uint64_t now = time_monotonic_ms();
    if (s)
        return s;
    /* Connecting to a database that is gone takes long: not every request may try. */
    if (now >= atomic_load(&h->retry_at_ms)) {
        if (store_open(&s, h->db, &error) == STORE_OK && pthread_setspecific(h->store, s) == 0)
            return s;
        atomic_store(&h->retry_at_ms, now + RETRY_MS);
        log_line(LOG_ERROR, "API: %s", error.text);
        store_close(s);
    }
    web_problem(r, 503, "the store cannot be opened; the server's log says why; try again later");
    return NULL;
}

static void thread_store_drop(struct http_server *h)
{
    store_close(pthread_getspecific(h->store));
    pthread_setspecific(h->store, NULL);
}

/* ---- answering --------------------------------------------------------------------------------------------------- */

static const struct header {
    const char *name, *value;
    unsigned status; /* 0: of every answer */
} headers[] = {
    {"Cache-Control", "no-store", 0},
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
     "form-action 'none'; frame-ancestors 'none'",
     0},
    {"X-Content-Type-Options", "nosniff", 0},
    {"X-Frame-Options", "DENY", 0},
    {"Referrer-Policy", "no-referrer", 0},
    {"Cross-Origin-Resource-Policy", "same-origin", 0},
    {"Cross-Origin-Opener-Policy", "same-origin", 0},
    {"WWW-Authenticate", "Basic realm=\"Muster\", charset=\"UTF-8\"", 401},
    {"WWW-Authenticate", "Bearer realm=\"Muster\"", 401}, /* RFC 6750 §3 */
    {"Retry-After", "5", 503},
};

static enum MHD_Result send_answer(struct MHD_Connection *connection, struct web_request *r)
{
    struct bytes body = r->fixed.p ? r->fixed : wr_view(&r->body);
    off_t size = r->file >= 0 ? lseek(r->file, 0, SEEK_END) : 0;
    struct MHD_Response *response =
        r->file >= 0 ? MHD_create_response_from_fd64(size > 0 ? (uint64_t)size : 0, r->file)
                     : MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p,
                                                       r->fixed.p ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_FREE);
    if (!response)
        return MHD_NO;
    if (r->file >= 0)
        r->file = -1; /* the response's */
    else if (!r->fixed.p)
        r->body = wr_of(0); /* its memory is the response's now, which outlives the request */
    bool done = MHD_add_response_header(response, "Content-Type", r->type) == MHD_YES;
    for (size_t i = 0; done && i < ARRAY_LENGTH(headers); i++)
        if (headers[i].status == 0 || headers[i].status == r->status)
            done = MHD_add_response_header(response, headers[i].name, headers[i].value) == MHD_YES;
    if (done && r->incomplete)
        done = MHD_add_response_header(response, "Muster-Incomplete", "true") == MHD_YES;
    if (done && r->allow)
        done = MHD_add_response_header(response, "Allow", r->allow) == MHD_YES;
    enum MHD_Result result = done ? MHD_queue_response(connection, r->status, response) : MHD_NO;
    MHD_destroy_response(response);
    return result;
}

/* A page of another origin can make a browser that has logged in send a form, but not one of these types (RFC 9110 §8.3, the Fetch standard's
 * "simple" requests). */
static bool has_type(struct MHD_Connection *connection, const char *const *types)
{
    struct bytes type = bytes_of(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Type"));
    struct bytes name = bytes_trim(bytes_split(&type, ';'));
    for (; *types; types++)
        if (name.n == strlen(*types) && strncasecmp((const char *)name.p, *types, name.n) == 0)
            return true;
    return false;
}

static void check_type(struct MHD_Connection *connection, struct web_request *r)
{
    static const char *const json[] = {"application/json", NULL};
    static const char *const tags[] = {"application/swid+xml", "application/swid+cbor", NULL}; /* RFC 9393 §6.4 */
    if (strcmp(r->route->method, "GET") == 0)
        return;
    if (r->route->upload_max && !has_type(connection, tags))
        web_problem(r, 415, "this takes a tag: send it with Content-Type: application/swid+xml or application/swid+cbor");
    else if (!r->route->upload_max && !has_type(connection, json))
        web_problem(r, 415, "this changes something: send it with Content-Type: application/json");
}

/* Login first: who has none learns nothing of a route but that it is there, and sends no body. */
static void admit(struct http_server *h, struct MHD_Connection *connection, struct web_request *r)
{
    const char *authorization = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
    unsigned scopes = r->route && r->route->scope ? web_login_scopes(h->login, authorization) : 0;
    visitor_asked(h, connection, scopes != 0);
    if (r->route && (r->route->scope & ~scopes)) {
        if (scopes)
            web_problem(r, 403, "this login may not do that");
        else
            web_problem(r, 401,
                        "log in with the token in token.txt (Authorization: Bearer …), or with the user and password in "
                        "admin.txt (HTTP Basic); both are in the server's state folder");
        return;
    }
    if (!r->status)
        check_type(connection, r);
}

static void answer(struct http_server *h, struct web_request *r)
{
    r->connected = h->connected;
    r->state = h->state;
    if (r->route->needs_store && !(r->store = thread_store(h, r)))
        return;
    r->route->handle(r);
    if (r->store_is_gone)
        thread_store_drop(h);
}

/* The target as it came: MHD's own decoding could not tell %2F from a slash. */
static void *request_begins(void *context, const char *target, struct MHD_Connection *connection)
{
    (void)context, (void)connection;
    struct web_request *r = web_request_new();
    if (!r)
        return NULL;
    r->target = arena_copy(&r->arena, bytes_of(target));
    return r;
}

static void request_ends(void *context, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code)
{
    (void)context, (void)connection, (void)code;
    web_request_free(*request);
    *request = NULL;
}

static bool has_body(struct MHD_Connection *connection)
{
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    return (length && strcmp(length, "0") != 0) ||
           MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Transfer-Encoding");
}

/* Before its first octet. */
static void expect_upload(struct http_server *h, struct MHD_Connection *connection, struct web_request *r)
{
    uint64_t length = 0;
    const char *said = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    if (!r->status && !r->route->upload_max)
        web_problem(r, 413, "this request has no body");
    if (r->status)
        return;
    admit(h, connection, r);
    r->admitted = true;
    r->upload = wr_of(r->route->upload_max);
    if (!r->status && said && (!bytes_number(bytes_of(said), &length) || length > r->route->upload_max))
        web_problem(r, 413, "this takes at most %zu octets", r->route->upload_max);
}

/* False: it has become too large, without having said so; nobody listens to the rest. */
static bool take_upload(struct web_request *r, const char *upload, size_t *size)
{
    wr_bytes(&r->upload, (struct bytes){(const uint8_t *)upload, *size});
    *size = 0;
    return !r->upload.bad;
}

static enum MHD_Result request_comes(void *context, struct MHD_Connection *connection, const char *url,
                                     const char *method, const char *version, const char *upload, size_t *upload_size,
                                     void **request)
{
    struct http_server *h = context;
    struct web_request *r = *request;
    (void)url, (void)version;
    if (!r || (*upload_size && !r->admitted))
        return MHD_NO;
    if (*upload_size)
        return take_upload(r, upload, upload_size) ? MHD_YES : MHD_NO;
    if (!r->began) { /* the header fields are there; a body would follow */
        r->began = true;
        web_parse(r, method, r->target, time_now());
        if (!has_body(connection))
            return MHD_YES;
        expect_upload(h, connection, r);
        /* Answered at once, the connection closes behind it: not one octet of the body is stored. */
        return r->status ? send_answer(connection, r) : MHD_YES;
    }
    if (!r->admitted)
        admit(h, connection, r);
    if (!r->status)
        answer(h, r);
    return send_answer(connection, r);
}

/* ---- start and stop ---------------------------------------------------------------------------------------------- */

static PRINTF_LIKE(2, 0) void mhd_says(void *context, const char *format, va_list args)
{
    char text[512];
    (void)context;
    vsnprintf(text, sizeof text, format, args);
    /* Peers that hang up provoke most of them. */
    log_line(LOG_DEBUG, "https: %s", text);
}

static int listen_on(const struct http_options *o, uint16_t *port, struct error *error)
{
    char service[8];
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *all = NULL;
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    const int on = 1;
    snprintf(service, sizeof service, "%u", o->port);
    int why = getaddrinfo(o->address, service, &hints, &all);
    if (why) {
        error_set(error, "cannot listen on %s for HTTPS: %s", o->address, gai_strerror(why));
        return -1;
    }
    int fd = socket(all->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, all->ai_addr, all->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&bound, &length) != 0) {
        error_set(error, "cannot listen on %s port %u for HTTPS: %s; choose another with --http", o->address, o->port,
                  strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    } else {
        *port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                                  : ((struct sockaddr_in *)&bound)->sin_port);
    }
    freeaddrinfo(all);
    return fd;
}

/* Takes the listening socket over, also when it fails (libmicrohttpd closes it then). */
static bool start_daemon(struct http_server *h, const struct http_options *o, int fd, struct error *error)
{
    struct arena arena = arena_of((size_t)256 << 10);
    struct bytes certificate, key;
    bool read = server_file_read(o->certificate, false, &arena, &certificate, error) == SERVER_OK &&
                server_file_read(o->key, true, &arena, &key, error) == SERVER_OK;
    if (read) {
        h->daemon = MHD_start_daemon(
            MHD_USE_TLS | MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL, request_comes, h,
            MHD_OPTION_EXTERNAL_LOGGER, mhd_says, NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_HTTPS_MEM_CERT,
            (const char *)certificate.p, MHD_OPTION_HTTPS_MEM_KEY, (const char *)key.p, MHD_OPTION_HTTPS_PRIORITIES,
            NET_TLS_GNUTLS_PRIORITY, MHD_OPTION_THREAD_POOL_SIZE, o->threads ? o->threads : THREADS,
            MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
            MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1,
            MHD_OPTION_URI_LOG_CALLBACK, request_begins, NULL, MHD_OPTION_NOTIFY_COMPLETED, request_ends, NULL,
            MHD_OPTION_NOTIFY_CONNECTION, visitor_changed, h, MHD_OPTION_END);
        if (!h->daemon)
            error_set(error, "HTTPS does not start with %s and %s: are they a certificate and its key in PEM?",
                      o->certificate, o->key);
        explicit_bzero((void *)(uintptr_t)key.p, key.n);
    } else {
        close(fd);
    }
    arena_free(&arena);
    return h->daemon != NULL;
}

struct http_server *http_start(const struct http_options *options, struct error *error)
{
    struct http_server *h = calloc(1, sizeof *h);
    if (!h || !(h->db = strdup(options->db)) || !(h->state = strdup(options->state)) || pthread_key_create(&h->store, thread_store_close) != 0) {
        error_set(error, "no memory for HTTPS");
        if (h) {
            free(h->db);
            free(h->state);
        }
        free(h);
        return NULL;
    }
    h->connected = options->connected;
    pthread_mutex_init(&h->lock, NULL);
    int fd = -1;
    if ((h->login = web_login_new(options->state, error)) && (fd = listen_on(options, &h->port, error)) >= 0 &&
        start_daemon(h, options, fd, error))
        return h;
    http_stop(h);
    return NULL;
}

uint16_t http_port(const struct http_server *h)
{
    return h->port;
}

void http_stop(struct http_server *h)
{
    if (!h)
        return;
    if (h->daemon)
        MHD_stop_daemon(h->daemon); /* closes the listening socket too; its threads' stores close with the threads */
    pthread_key_delete(h->store);
    pthread_mutex_destroy(&h->lock);
    web_login_free(h->login);
    free(h->db);
    free(h->state);
    free(h);
}
