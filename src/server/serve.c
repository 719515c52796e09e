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

enum { STATUS_OK = 0, STATUS_USAGE = 2, STATUS_UNREACHED = 5, STATUS_INTERNAL = 70 }; /* product: exit status */
enum { STRANGERS = 256, HANDSHAKE_MS = 10000, PT_TLS_PORT = 271, PT_TLS_PORT_USER = 2271, HTTP_PORT = 8443 };
enum { SPARE_FILES = 256 }; /* of the file limit, for databases, HTTPS and the rest */

struct address {
    char host[64];
    uint16_t port;
};

struct server {
    const struct server_options *options;
    struct address listen, http_listen;
    bool any; /* nobody said where to listen */
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

/* "ADDRESS:PORT", "[ADDRESS]:PORT" or "PORT". */
static bool parse_address(const char *text, const char *option, struct address *a, struct error *error)
{
    struct bytes all = bytes_of(text), port = all, host = {NULL, 0};
    const char *colon = strrchr(text, ':');
    uint64_t number;
    if (colon) {
        port = bytes_of(colon + 1);
        host = (struct bytes){all.p, (size_t)(colon - text)};
    }
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = (struct bytes){host.p + 1, host.n - 2};
    else if (host.n && memchr(host.p, ':', host.n))
        host.n = sizeof a->host; /* an IPv6 address wants its brackets */
    if (!bytes_number(port, &number) || number > UINT16_MAX || host.n >= sizeof a->host || (colon && !host.n)) {
        error_set(error, "%s %s: give ADDRESS:PORT, [IPv6 ADDRESS]:PORT or PORT", option, text);
        return false;
    }
    if (host.n)
        snprintf(a->host, sizeof a->host, "%.*s", (int)host.n, (const char *)host.p);
    a->port = (uint16_t)number;
    return true;
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

static int take_options(struct server *s)
{
    s->policy = policy_default;
    if (s->options->checks && !policy_parse(&s->policy, bytes_of(s->options->checks), &s->error))
        return STATUS_USAGE;
    const struct server_options *o = s->options;
    if (o->help && !is_help_uri(o->help)) {
        error_set(&s->error, "--help-uri %s: give https://…, http://… or mailto:…", o->help);
        return STATUS_USAGE;
    }
    s->policy.help = o->help;
    s->listen = (struct address){"::", geteuid() == 0 ? PT_TLS_PORT : PT_TLS_PORT_USER};
    s->http_listen = (struct address){"127.0.0.1", HTTP_PORT};
    s->any = !o->listen || !strpbrk(o->listen, ":");
    if ((o->listen && !parse_address(o->listen, "--listen", &s->listen, &s->error)) ||
        (o->http && !parse_address(o->http, "--http", &s->http_listen, &s->error)))
        return STATUS_USAGE;
    if (!make_path(s->ca, o->state, "pki/ca.crt", &s->error) ||
        !make_path(s->certificate, o->state, "pki/server.crt", &s->error) ||
        !make_path(s->key, o->state, "pki/server.key", &s->error) ||
        !make_path(s->json, o->state, "server.json", &s->error))
        return STATUS_USAGE;
    if (o->db)
        snprintf(s->db, sizeof s->db, "%s", o->db);
    else
        snprintf(s->db, sizeof s->db, "sqlite:%s/server.db", o->state);
    return STATUS_OK;
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

static int prepare_state(struct server *s)
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
    if (!server_folder_make(s->options->state, &s->error) ||
        (s->claim = server_claim(s->options->state, &s->error)) < 0)
        return STATUS_USAGE;
    enum pki_status status = pki_ensure(s->options->state, names, count, &made, &s->error);
    if (status != PKI_OK)
        return status == PKI_REFUSED ? STATUS_USAGE : STATUS_INTERNAL;
    s->tls = net_tls_new(true, s->ca, s->certificate, s->key, &s->error);
    if (s->tls)
        tell_what_was_made(s, &made);
    return s->tls ? STATUS_OK : STATUS_INTERNAL;
}

static int start_store(struct server *s)
{
    switch (store_threads_start(&s->store, s->db, &s->error)) {
    case STORE_OK:
        return STATUS_OK;
    case STORE_REFUSED:
        return STATUS_USAGE;
    case STORE_UNAVAILABLE: /* of a file: in use, or no room */
        return strncmp(s->db, "postgres", 8) == 0 ? STATUS_UNREACHED : STATUS_USAGE;
    default:
        return STATUS_INTERNAL;
    }
}

static int start_logins(struct server *s)
{
    s->logins = logins_start(s->options->state, &s->error);
    return s->logins ? STATUS_OK : STATUS_INTERNAL;
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
    if (!w->listener && first && s->any && strcmp(s->listen.host, "::") == 0) { /* a machine without IPv6 */
        snprintf(s->listen.host, sizeof s->listen.host, "0.0.0.0");
        options.address = s->listen.host;
        w->listener = net_listen(w->loop, &options, &s->error);
    }
    if (w->listener)
        s->listen.port = net_listener_port(w->listener);
    return w->listener != NULL;
}

static int start_table(struct server *s)
{
    s->connected = connected_new();
    if (!s->connected)
        error_set(&s->error, "no memory for the table of sessions");
    return s->connected ? STATUS_OK : STATUS_INTERNAL;
}

static int start_listening(struct server *s)
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
            return STATUS_INTERNAL;
        }
        if (!listen_one(s, w, s->worker_count == 0, max, strangers)) {
            net_loop_free(w->loop);
            return STATUS_USAGE;
        }
    }
    return STATUS_OK;
}

static int start_http(struct server *s)
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
        return STATUS_USAGE;
    s->http_listen.port = http_port(s->http);
    return STATUS_OK;
}

static void *work(void *argument)
{
    struct worker *w = argument;
    pthread_setname_np(pthread_self(), "worker"); /* as top shows it */
    net_loop_run(w->loop);
    return NULL;
}

static int start_workers(struct server *s)
{
    for (; s->thread_count < s->worker_count; s->thread_count++)
        if (pthread_create(&s->threads[s->thread_count], NULL, work, &s->workers[s->thread_count]) != 0) {
            error_set(&s->error, "cannot start a worker thread");
            return STATUS_INTERNAL;
        }
    return STATUS_OK;
}

static void address_print(const struct address *a, char text[80])
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
static int write_addresses(struct server *s)
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
    return written ? STATUS_OK : STATUS_USAGE;
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

int server_run(const struct server_options *options)
{
    static int (*const steps[])(struct server *) = {
        take_options, prepare_state, start_store, start_logins, start_table, start_listening, start_http, start_workers, write_addresses,
    };
    struct server *s = calloc(1, sizeof *s);
    int status = STATUS_OK;
    if (!s || !(s->loop = net_loop_new())) {
        free(s);
        log_line(LOG_ERROR, "serve: no memory");
        return STATUS_INTERNAL;
    }
    s->options = options;
    s->claim = -1;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a full disk */
    log_set_times();
    net_loop_on_signal(s->loop, on_signal, s);
    for (size_t i = 0; i < ARRAY_LENGTH(steps) && status == STATUS_OK; i++)
        status = steps[i](s);
    if (status == STATUS_OK) {
        net_notify("READY=1");
        net_loop_run(s->loop);
        net_notify("STOPPING=1");
        unlink(s->json);
    } else {
        log_line(LOG_ERROR, "serve: %s", s->error.text);
    }
    stop(s);
    free(s);
    return status;
}
