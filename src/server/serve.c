/* The server: workers, store threads and the HTTPS listener, from the first bind to a clean stop. */
#include "server/files.h"
#include "server/http.h"
#include "server/server.h"
#include "server/policy.h"
#include "server/session.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { STRANGERS = 256, HANDSHAKE_MS = 10000, PT_TLS_PORT = 271, PT_TLS_PORT_USER = 2271, HTTP_PORT = 8443 };
enum { SPARE_FILES = 256 }; /* of the file limit, for databases, HTTPS and the rest */

struct server {
    const struct server_options *options;
    struct net_address listen, http_listen;
    char db[PATH_MAX + 16], certificate[PATH_MAX], key[PATH_MAX], ca[PATH_MAX], json[PATH_MAX];
    struct policy policy;
    int claim; /* holds the state folder: its server.json and database have one server */
    struct net_tls *tls;
    struct store_threads *store;
    struct logins *logins;
    struct connected *connected;
    struct http_server *http;
    struct net_loop *loop; /* the main thread's: signals */
    struct worker workers[SERVER_WORKERS_MAX];
    pthread_t threads[SERVER_WORKERS_MAX];
    unsigned worker_count, thread_count;
    struct error error;
};

/* ---- options ---------------------------------------------------------------------------------------------------- */

static bool take_address(struct server *s, const char *option, const char *text, struct net_address *a)
{
    struct error error;
    if (!text || net_address_parse(text, NET_LISTEN, a, &error))
        return true;
    error_set(&s->error, "%s %s", option, error.text);
    return false;
}

static bool make_path(char path[PATH_MAX], const char *state, const char *name, struct error *error)
{
    if ((size_t)snprintf(path, PATH_MAX, "%s/%s", state, name) < PATH_MAX)
        return true;
    error_set(error, "%s: the path is too long", state);
    return false;
}

/* What a user may click on without harm. */
static bool is_help_uri(const char *uri)
{
    static const char *const schemes[] = {"https://", "http://", "mailto:"};
    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++)
        if (strncasecmp(uri, schemes[i], strlen(schemes[i])) == 0 && uri[strlen(schemes[i])])
            return nea_uri_valid(bytes_of(uri));
    return false;
}

static enum server_status take_options(struct server *s)
{
    s->policy = policy_default;
    if (s->options->checks && !policy_parse(&s->policy, bytes_of(s->options->checks), &s->error))
        return SERVER_REFUSED;
    const struct server_options *o = s->options;
    if (o->help && !is_help_uri(o->help)) {
        error_set(&s->error, "--help-uri %s: give https://…, http://… or mailto:…", o->help);
        return SERVER_REFUSED;
    }
    s->policy.help = o->help;
    s->listen = (struct net_address){"::", geteuid() == 0 ? PT_TLS_PORT : PT_TLS_PORT_USER};
    s->http_listen = (struct net_address){"127.0.0.1", HTTP_PORT};
    if (!take_address(s, "--listen", o->listen, &s->listen) || !take_address(s, "--http", o->http, &s->http_listen))
        return SERVER_REFUSED;
    if (!make_path(s->ca, o->state, "pki/ca.crt", &s->error) ||
        !make_path(s->certificate, o->state, "pki/server.crt", &s->error) ||
        !make_path(s->key, o->state, "pki/server.key", &s->error) ||
        !make_path(s->json, o->state, "server.json", &s->error))
        return SERVER_REFUSED;
    if (o->db)
        snprintf(s->db, sizeof s->db, "%s", o->db);
    else
        snprintf(s->db, sizeof s->db, "sqlite:%s/server.db", o->state);
    return SERVER_OK;
}

/* ---- parts, in the order in which they start --------------------------------------------------------------------- */

/* What a first start made is said once; a certificate alone is renewed without a word about authorities. */
static void tell_what_was_made(const struct server *s, const struct pki_made *made)
{
    const char *state = s->options->state;
    if (s->options->quiet)
        return;
    if (made->authority)
        log_line(LOG_INFO, "made a certificate authority: %s", s->ca);
    else if (made->certificate)
        log_line(LOG_INFO, "made a new certificate for the server: %s", s->certificate);
    if (made->administrator)
        log_line(LOG_INFO, "made an administrator: user and password are in %s/admin.txt", state);
    if (made->token)
        log_line(LOG_INFO, "made a token for the API: it is in %s/token.txt", state);
}

/* Whether it can listen where it is to, and for both at once, before anything is made for that. */
static enum server_status try_addresses(struct server *s)
{
    struct net_address *const all[] = {&s->listen, &s->http_listen};
    static const char *const options[] = {"--listen", "--http"};
    struct error error;
    int fds[ARRAY_LENGTH(all)];
    size_t n = 0;
    if (strcmp(s->listen.host, "::") == 0) { /* a machine without IPv6 */
        int fd = net_listen_try("::", 0, &error);
        if (fd < 0)
            snprintf(s->listen.host, sizeof s->listen.host, "0.0.0.0");
        else
            close(fd);
    }
    while (n < ARRAY_LENGTH(all) && (fds[n] = net_listen_try(all[n]->host, all[n]->port, &error)) >= 0)
        n++;
    if (n < ARRAY_LENGTH(all))
        error_set(&s->error, "%s; choose another with %s", error.text, options[n]);
    enum server_status status = n < ARRAY_LENGTH(all) ? SERVER_REFUSED : SERVER_OK;
    while (n--)
        close(fds[n]);
    return status;
}

/* A folder that is there is claimed first: who starts it twice hears that, and not that a port is in use. */
static enum server_status claim_state(struct server *s)
{
    const char *state = s->options->state;
    bool there = access(state, F_OK) == 0;
    enum server_status status = SERVER_OK;
    if (there && (s->claim = server_claim(state, &s->error)) < 0)
        return SERVER_REFUSED;
    if ((status = try_addresses(s)) != SERVER_OK || there)
        return status;
    return server_folder_make(state, &s->error) && (s->claim = server_claim(state, &s->error)) >= 0 ? SERVER_OK : SERVER_REFUSED;
}

static enum server_status prepare_state(struct server *s)
{
    const char *names[SERVER_NAMES_MAX + 2];
    size_t count = 0;
    struct pki_made made;
    while (count < s->options->name_count && count < SERVER_NAMES_MAX) {
        names[count] = s->options->names[count];
        count++;
    }
    names[count++] = s->listen.host;
    names[count++] = s->http_listen.host;
    enum server_status status = pki_ensure(s->options->state, names, count, &made, &s->error);
    if (status != SERVER_OK)
        return status;
    s->tls = net_tls_new(true, s->ca, s->certificate, s->key, &s->error);
    if (s->tls)
        tell_what_was_made(s, &made);
    return s->tls ? SERVER_OK : SERVER_FAILED;
}

static enum server_status start_store(struct server *s)
{
    switch (store_threads_start(&s->store, s->db, &s->error)) {
    case STORE_OK:
        return SERVER_OK;
    case STORE_REFUSED:
        return SERVER_REFUSED;
    case STORE_UNAVAILABLE: /* of a file: in use, or no room */
        return strncmp(s->db, "postgres", 8) == 0 ? SERVER_UNREACHED : SERVER_REFUSED;
    default:
        return SERVER_FAILED;
    }
}

static enum server_status start_logins(struct server *s)
{
    s->logins = logins_start(s->options->state, &s->error);
    return s->logins ? SERVER_OK : SERVER_FAILED;
}

/* The first listener finds out whether the port is free, and which one it is; the others share it. */
static bool listen_one(struct server *s, struct worker *w, bool first, unsigned max_streams, unsigned max_strangers)
{
    struct net_listen_options options = {
        .address = s->listen.host,
        .port = s->listen.port,
        .tls = s->tls,
        .handshake_ms = HANDSHAKE_MS,
        .max_streams = max_streams,
        .max_strangers = max_strangers,
        .exclusive = first,
        .accept = session_accept,
        .handler = &session_handler,
        .context = w,
    };
    w->listener = net_listen(w->loop, &options, &s->error);
    if (w->listener)
        s->listen.port = net_listener_port(w->listener);
    return w->listener != NULL;
}

static enum server_status start_table(struct server *s)
{
    s->connected = connected_new();
    if (!s->connected)
        error_set(&s->error, "no memory for the table of sessions");
    return s->connected ? SERVER_OK : SERVER_FAILED;
}

static enum server_status start_listening(struct server *s)
{
    size_t files = net_raise_file_limit();
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned count = s->options->workers ? s->options->workers : cores > 0 ? (unsigned)cores : 1;
    if (count > SERVER_WORKERS_MAX)
        count = SERVER_WORKERS_MAX;
    size_t share = (files > 2 * SPARE_FILES ? files - SPARE_FILES : files / 2) / count;
    unsigned max = s->options->max_streams ? (s->options->max_streams + count - 1) / count : UINT_MAX;
    if (max > share)
        max = (unsigned)share;
    /* The kernel spreads a source's connections over the workers. */
    unsigned strangers = (s->options->max_strangers ? s->options->max_strangers : STRANGERS) / count;
    if (strangers == 0)
        strangers = 1;
    for (; s->worker_count < count; s->worker_count++) {
        struct worker *w = &s->workers[s->worker_count];
        *w = (struct worker){.loop = net_loop_new(), .store = s->store, .logins = s->logins, .connected = s->connected, .out = wr_of(0)};
        w->limits.max_batch = s->options->max_message;
        w->policy = &s->policy;
        w->verify = s->options->verify;
        w->trust = s->options->trust;
        w->mutual = s->options->mutual;
        if (!w->loop) {
            error_set(&s->error, "no memory for a worker");
            return SERVER_FAILED;
        }
        if (!listen_one(s, w, s->worker_count == 0, max, strangers)) {
            net_loop_free(w->loop);
            return SERVER_REFUSED;
        }
    }
    return SERVER_OK;
}

static enum server_status start_http(struct server *s)
{
    const struct http_options options = {.address = s->http_listen.host,
                                         .port = s->http_listen.port,
                                         .certificate = s->certificate,
                                         .key = s->key,
                                         .state = s->options->state,
                                         .connected = s->connected,
                                         .db = s->db};
    s->http = http_start(&options, &s->error);
    if (!s->http)
        return SERVER_REFUSED;
    s->http_listen.port = http_port(s->http);
    return SERVER_OK;
}

static void *work(void *argument)
{
    struct worker *w = argument;
    pthread_setname_np(pthread_self(), "worker"); /* as top shows it */
    net_loop_run(w->loop);
    return NULL;
}

static enum server_status start_workers(struct server *s)
{
    for (; s->thread_count < s->worker_count; s->thread_count++)
        if (pthread_create(&s->threads[s->thread_count], NULL, work, &s->workers[s->thread_count]) != 0) {
            error_set(&s->error, "cannot start a worker thread");
            return SERVER_FAILED;
        }
    return SERVER_OK;
}

static void address_print(const struct net_address *a, char text[80])
{
    snprintf(text, 80, strchr(a->host, ':') ? "[%s]:%u" : "%s:%u", a->host, a->port);
}

static void tell_ready(const struct server *s, const char *listen, const char *url, const char *json)
{
    if (s->options->json)
        fputs(json, stdout);
    else
        printf("ready: PT-TLS on %s, web and API on %s\n", listen, url);
    fflush(stdout);
}

/* STATE/server.json: where the fleet commands on this machine find the running server. */
static enum server_status write_addresses(struct server *s)
{
    struct wr w = wr_of(0);
    struct json j = json_of(&w);
    char listen[80], http[80], url[96];
    address_print(&s->listen, listen);
    address_print(&s->http_listen, http);
    snprintf(url, sizeof url, "https://%s", http);
    json_object_begin(&j, NULL);
    json_str(&j, "schema", "muster.server/1");
    json_number(&j, "pid", getpid());
    json_str(&j, "listen", listen);
    json_str(&j, "http", url);
    json_object_end(&j);
    wr_u8(&w, '\n');
    bool written = !w.bad && server_file_write(s->json, wr_view(&w), 0644, true, &s->error);
    if (written && !s->options->quiet)
        tell_ready(s, listen, url, wr_string(&w));
    wr_free(&w);
    return written ? SERVER_OK : SERVER_REFUSED;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void on_signal(void *argument)
{
    struct server *s = argument;
    net_loop_stop(s->loop);
}

/* Workers first, then the store threads, which finish what was handed to them and whose answers still find their loops;
 * then the loops, which close what is left. */
static void stop(struct server *s)
{
    http_stop(s->http);
    for (unsigned i = 0; i < s->thread_count; i++)
        net_loop_stop(s->workers[i].loop);
    for (unsigned i = 0; i < s->thread_count; i++)
        pthread_join(s->threads[i], NULL);
    store_threads_stop(s->store);
    logins_stop(s->logins);
    for (unsigned i = 0; i < s->worker_count; i++) {
        net_loop_free(s->workers[i].loop);
        wr_free(&s->workers[i].out);
    }
    net_loop_free(s->loop);
    net_tls_free(s->tls);
    connected_free(s->connected);
    if (s->claim >= 0)
        close(s->claim);
}

/* product: exit status */
int server_exit(enum server_status s)
{
    static const int exits[] = {[SERVER_OK] = 0,      [SERVER_ABSENT] = 4,    [SERVER_REFUSED] = 2,
                                [SERVER_DAMAGED] = 70, [SERVER_UNREACHED] = 5, [SERVER_FAILED] = 70};
    return exits[s];
}

int server_run(const struct server_options *options)
{
    static enum server_status (*const steps[])(struct server *) = {
        take_options, claim_state, start_store, prepare_state, start_logins, start_table, start_listening, start_http, start_workers, write_addresses,
    };
    struct server *s = calloc(1, sizeof *s);
    enum server_status status = SERVER_OK;
    if (!s || !(s->loop = net_loop_new())) {
        free(s);
        log_line(LOG_ERROR, "serve: no memory");
        return server_exit(SERVER_FAILED);
    }
    s->options = options;
    s->claim = -1;
    signal(SIGPIPE, SIG_IGN);
    log_set_times();
    net_loop_on_signal(s->loop, on_signal, s);
    for (size_t i = 0; i < ARRAY_LENGTH(steps) && status == SERVER_OK; i++)
        status = steps[i](s);
    if (status == SERVER_OK) {
        net_notify("READY=1");
        net_loop_run(s->loop);
        net_notify("STOPPING=1");
        unlink(s->json);
    } else {
        log_line(LOG_ERROR, "serve: %s", s->error.text);
    }
    stop(s);
    free(s);
    return server_exit(status);
}
