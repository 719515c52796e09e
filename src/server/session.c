/* A session: plaintext of one TLS stream into a NEA session and back, the assessment that its validators share, and the
 * login of an endpoint without certificate. */
#include "server/session.h"

#include "server/assessment.h"

#include <stdlib.h>

enum { STRANGER_LINES = 10, LINGER_MS = 200 };

struct session {
    struct worker *worker;
    struct net_stream *stream; /* NULL until TLS is up */
    struct nea_session *nea;   /* NULL: the peer was refused */
    struct assessment *assessment;
    struct assessment_host host;
    bool known;                  /* by certificate or login */
    struct login_request *login; /* under way */
    struct net_timer *patience;  /* until it is handed on */
    struct net_timer *lingering; /* until a client that has stayed is asked what its software means */
    struct connected_entry connected;
};

static const struct nea_component *const validators[] = {&server_os_validator, &server_swima_validator};

void *session_accept(void *worker)
{
    struct session *s = calloc(1, sizeof *s);
    if (s)
        s->worker = worker;
    return s;
}

/* Sends what the session has to say, all of a turn at once. */
static void flush(struct session *s)
{
    struct wr *out = &s->worker->out;
    wr_reset(out);
    nea_session_out(s->nea, out);
    if (out->bad || (out->n && !net_stream_write(s->stream, wr_view(out))))
        net_stream_abort(s->stream, "the peer does not take its answers");
    else if (nea_session_finished(s->nea))
        net_stream_finish(s->stream);
    else
        net_stream_deadline(s->stream, nea_session_deadline(s->nea));
}

static void wake(void *context)
{
    flush(context);
}

static bool submit(void *context, struct store_request *request)
{
    struct session *s = context;
    return store_threads_submit(s->worker->store, request);
}

/* ---- assessments that the validators and the API ask for ---- */

static void reassess(void *context)
{
    struct session *s = context;
    nea_session_retry(s->nea);
    flush(s);
}

static void linger_over(void *context)
{
    struct session *s = context;
    net_timer_stop(s->lingering);
    s->lingering = NULL;
    if (assessment_resumes(s->assessment))
        reassess(s);
}

/* Most leave with their verdict, and strongSwan's client takes a retry that crosses its CLOSE for a fatal error. */
static void linger(void *context)
{
    struct session *s = context;
    if (!s->lingering)
        s->lingering = net_timer_start(s->worker->loop, LINGER_MS, linger_over, s);
}

static void dismiss(void *context)
{
    struct session *s = context;
    net_stream_abort(s->stream, "the endpoint has as many newer connections as it may");
}

static void stored(void *context, int64_t endpoint)
{
    struct session *s = context;
    s->connected.loop = s->worker->loop;
    s->connected.reassess = reassess;
    s->connected.dismiss = dismiss;
    s->connected.context = s;
    connected_enter(s->worker->connected, &s->connected, endpoint);
}

/* What strangers cause is logged, but not without end. */
static bool may_log(const struct session *s)
{
    struct worker *w = s->worker;
    uint64_t second = net_loop_now(w->loop) / 1000;
    if (s->known)
        return true;
    if (second != w->log_second) {
        w->log_second = second;
        w->log_lines = 0;
    }
    return w->log_lines++ < STRANGER_LINES;
}

static void log_of_session(void *context, enum log_level level, const char *text)
{
    struct session *s = context;
    struct bytes name = s->assessment ? s->assessment->report.endpoint : (struct bytes){NULL, 0};
    if (may_log(s))
        log_line(level, "%.*s%s%s: %s", (int)name.n, (const char *)name.p, name.n ? " at " : "",
                 net_stream_address(s->stream), text);
}

/* ---- logins ---- */

static void end_login(struct session *s, enum nea_login_answer answer, const struct nea_verifier *verifier)
{
    s->login = NULL;
    nea_session_login(s->nea, answer, verifier);
}

/* The session may be gone; then only the request is left. */
static void login_done(struct login_request *r)
{
    struct session *s = r->context;
    if (s) {
        end_login(s, r->answer, r->login.password.n ? NULL : &r->verifier);
        flush(s);
    }
    login_request_free(r);
}

static void hand_on(struct session *s)
{
    struct login_request *r = s->login;
    if (logins_submit(s->worker->logins, r))
        return;
    end_login(s, NEA_LOGIN_UNAVAILABLE, NULL);
    login_request_free(r);
}

static void patience_over(void *context)
{
    struct session *s = context;
    net_timer_stop(s->patience);
    s->patience = NULL;
    hand_on(s);
    flush(s);
}

static void on_login(void *context, const struct nea_login *login)
{
    struct session *s = context;
    unsigned wait = logins_charge(s->worker->logins, net_stream_address(s->stream), net_loop_now(s->worker->loop));
    s->login = login_request_new(login);
    if (!s->login) {
        nea_session_login(s->nea, NEA_LOGIN_UNAVAILABLE, NULL);
        return;
    }
    s->login->loop = s->worker->loop;
    s->login->done = login_done;
    s->login->context = s;
    if (wait)
        s->patience = net_timer_start(s->worker->loop, wait, patience_over, s);
    if (!s->patience)
        hand_on(s);
}

static void on_login_done(void *context, struct bytes name, bool proven)
{
    struct session *s = context;
    const char *address = net_stream_address(s->stream);
    if (proven) {
        s->known = true;
        logins_refund(s->worker->logins, address, net_loop_now(s->worker->loop));
        net_stream_authenticated(s->stream);
        assessment_identify(s->assessment, name);
    } else if (may_log(s)) {
        log_line(LOG_WARNING, "PT-TLS: %s: login of \"%.*s\" failed", address, (int)name.n, (const char *)name.p);
    }
}

/* Leaves the request to the thread that has it. */
static void forget_login(struct session *s)
{
    if (s->patience) {
        net_timer_stop(s->patience);
        login_request_free(s->login);
    } else if (s->login) {
        s->login->context = NULL;
    }
}

/* ---- the stream ---- */

/* PT-R17, PT-R45, RFC 6876 §3.8.3: the certificate is authentication enough; without one a login is asked for. Where nobody has an account it is
 * refused like any other wrong one: nobody is told who is known. */
static void on_open(void *context, struct net_stream *stream, struct bytes peer)
{
    struct session *s = context;
    s->stream = stream;
    s->known = peer.n > 0;
    if (s->known)
        net_stream_authenticated(stream);
    s->host = (struct assessment_host){.submit = submit,
                                       .wake = wake,
                                       .stored = stored,
                                       .linger = linger,
                                       .context = s,
                                       .loop = s->worker->loop,
                                       .policy = s->worker->policy,
                                       .trust = s->worker->trust,
                                       .verify = s->worker->verify};
    s->assessment = assessment_new(&s->host, peer, bytes_of(net_stream_address(stream)));
    void *contexts[] = {s->assessment, s->assessment};
    struct nea_config config = {
        .role = NEA_SERVER,
        .peer_name = peer,
        .require_sasl = !s->known,
        .crypto = &server_crypto,
        .login = on_login,
        .login_done = on_login_done,
        .limits = s->worker->limits,
        .components = validators,
        .contexts = contexts,
        .component_count = ARRAY_LENGTH(validators),
        .mutual = s->worker->mutual,
        .host = s,
        .log = log_of_session,
    };
    s->nea = s->assessment ? nea_session_new(&config, net_loop_now(s->worker->loop)) : NULL;
    if (s->nea)
        flush(s);
    else
        net_stream_abort(stream, "no memory");
}

static void on_data(void *context, struct bytes plaintext)
{
    struct session *s = context;
    nea_session_feed(s->nea, plaintext, net_loop_now(s->worker->loop));
    flush(s);
}

static void on_tick(void *context)
{
    struct session *s = context;
    nea_session_tick(s->nea, net_loop_now(s->worker->loop));
    flush(s);
}

static void on_closed(void *context, const char *why)
{
    struct session *s = context;
    if (why && may_log(s))
        log_line(LOG_INFO, "PT-TLS: %s%s%s", s->stream ? net_stream_address(s->stream) : "", s->stream ? ": " : "",
                 why);
    forget_login(s);
    net_timer_stop(s->lingering);
    connected_leave(s->worker->connected, &s->connected);
    if (s->nea) {
        nea_session_close(s->nea);
        nea_session_free(s->nea);
    }
    assessment_release(s->assessment);
    free(s);
}

const struct net_handler session_handler = {.open = on_open, .data = on_data, .tick = on_tick, .closed = on_closed};
