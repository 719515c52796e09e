/* One assessment: a TLS stream, a NEA session and the two collectors, driven until the server's verdict or the end of
 * patience. */
#include "agent/collector.h"
#include "net/net.h"

#include <stdio.h>
#include <string.h>

enum { DEFAULT_TIMEOUT_MS = 60000 };

struct run {
    const struct agent_assessment *a;
    struct agent_verdict *verdict;
    struct net_loop *loop;
    struct net_stream *stream; /* NULL once it is gone */
    struct nea_session *session;
    struct net_timer *timer;
    struct wr out;
    bool opened, timed_out;
    char why[sizeof((struct error *)0)->text]; /* the transport's word at its end */
};

/* What an exchange made of the server stands where it takes no part in the next one, which is for its questions to us:
 * strongSwan's takes part once a connection. */
static void hear_of_server(const struct run *r)
{
    const struct nea_outcome o = nea_session_mutual(r->session);
    if (r->a->server && o.negotiated)
        agent_server_outcome(r->a->server, &o);
}

/* Sends what the session has to say, in one write (no Nagle stall), and takes its next deadline. */
static void pump(struct run *r)
{
    wr_reset(&r->out);
    nea_session_out(r->session, &r->out);
    hear_of_server(r);
    if (r->out.n > 0) {
        if (r->a->capture)
            r->a->capture(r->a->capture_context, wr_view(&r->out));
        r->verdict->batches++;
        if (!net_stream_write(r->stream, wr_view(&r->out))) {
            net_stream_abort(r->stream, "the server does not read what it asks for");
            return;
        }
    }
    if (nea_session_finished(r->session))
        net_stream_finish(r->stream);
    else
        net_stream_deadline(r->stream, nea_session_deadline(r->session));
}

/* What ends the session stands in its outcome, and there it is said once. */
static void session_log(void *host, enum log_level level, const char *text)
{
    (void)host;
    log_line(level == LOG_ERROR ? LOG_ERROR : LOG_DEBUG, "%s", text);
}

static const struct nea_crypto crypto = {net_sha256, net_hmac_sha256, net_pbkdf2_sha256, net_random};

struct nea_session *agent_session_new(const struct agent_assessment *a, struct bytes peer, bool stay, uint64_t now)
{
    static const struct nea_component *const components[] = {&agent_os_collector, &agent_swima_collector};
    void *const contexts[] = {a->posture, a->inventory};
    a->posture->inventory = a->inventory;
    const struct nea_config config = {
        .role = NEA_CLIENT,
        .initiator = true,
        .peer_name = peer,
        .peer_verified = true, /* else net/ had not opened it */
        .certificate = a->certificate != NULL,
        .user = a->user,
        .password = a->password,
        .crypto = &crypto,
        .stay = stay,
        .language = a->language,
        .limits = a->limits,
        .components = components,
        .contexts = contexts,
        .component_count = ARRAY_LENGTH(components),
        .mutual = a->server ? agent_server_mutual(a->server) : NULL,
        .log = session_log,
    };
    return nea_session_new(&config, now);
}

static void on_open(void *context, struct net_stream *s, struct bytes peer)
{
    struct run *r = context;
    r->opened = true;
    r->stream = s;
    r->session = agent_session_new(r->a, peer, false, net_loop_now(r->loop));
    if (r->session)
        pump(r);
    else
        net_stream_abort(s, "out of memory");
}

static void on_data(void *context, struct bytes plaintext)
{
    struct run *r = context;
    if (r->a->capture)
        r->a->capture(r->a->capture_context, plaintext);
    nea_session_feed(r->session, plaintext, net_loop_now(r->loop));
    pump(r);
}

static void on_tick(void *context)
{
    struct run *r = context;
    nea_session_tick(r->session, net_loop_now(r->loop));
    pump(r);
}

static void on_closed(void *context, const char *why)
{
    struct run *r = context;
    r->stream = NULL;
    snprintf(r->why, sizeof r->why, "%s", why ? why : "");
    if (r->session)
        nea_session_close(r->session);
    net_loop_stop(r->loop);
}

static void on_timeout(void *context)
{
    struct run *r = context;
    r->timed_out = true;
    if (r->stream)
        net_stream_abort(r->stream, NULL);
}

/* ---- what came of it ---- */

static enum agent_status verdict_of(const struct run *r, const struct nea_outcome *o)
{
    hear_of_server(r);
    struct agent_verdict *v = r->verdict;
    v->result = o->result;
    /* A RESULT without a recommendation leaves NEA_ACCESS_NONE: nobody said "allowed" (RFC 5793 §4.7). */
    v->access = o->access;
    v->taken = v->result != NEA_ERROR;
    agent_keep_text(v->reason, sizeof v->reason, o->reason);
    agent_keep_text(v->remediation, sizeof v->remediation, o->remediation);
    return AGENT_OK;
}

/* One line: who, what went wrong and, where the protocol did, in which section. The transport's own words name the peer
 * already. */
static enum agent_status explain(const struct run *r, unsigned timeout_ms, struct error *error)
{
    const struct nea_outcome o = r->session ? nea_session_outcome(r->session) : (struct nea_outcome){0};
    const char *host = r->a->host;
    unsigned port = r->a->port;
    if (o.decided)
        return verdict_of(r, &o);
    if (o.fault.text[0]) {
        error_set(error, "%s:%u: the exchange failed: %s", host, port, o.fault.text); /* names rule and section */
        return AGENT_FAILED;
    }
    if (r->timed_out) {
        error_set(error, "%s:%u: %s within %u s", host, port, r->opened ? "no result" : "no connection",
                  (timeout_ms + 999) / 1000);
        return r->opened ? AGENT_FAILED : AGENT_UNREACHED;
    }
    if (o.negotiated) {
        error_set(error, "no result: %s", r->why[0] ? r->why : "the server closed the connection");
        return AGENT_FAILED;
    }
    /* In TLS 1.3 the server judges our certificate when our side of the handshake is done: its alert comes here, too.
     */
    error_set(error, "%s", r->why[0] ? r->why : "the server closed the connection before the assessment began: does PT-TLS answer on that port, and not HTTP?");
    return AGENT_UNREACHED;
}

static enum agent_status run_to_end(struct run *r, struct net_tls *tls, unsigned timeout_ms, struct error *error)
{
    static const struct net_handler handler = {on_open, on_data, on_tick, on_closed};
    r->stream = net_connect(r->loop, tls, r->a->host, r->a->port, timeout_ms, &handler, r, error);
    if (!r->stream)
        return AGENT_UNREACHED;
    r->timer = net_timer_start(r->loop, timeout_ms, on_timeout, r);
    net_loop_run(r->loop);
    net_timer_stop(r->timer);
    return explain(r, timeout_ms, error);
}

enum agent_status agent_assess(const struct agent_assessment *a, struct agent_verdict *verdict, struct error *error)
{
    uint64_t begin = time_monotonic_ms();
    struct run r = {.a = a, .verdict = verdict, .loop = net_loop_new(), .out = wr_of(0)};
    enum agent_status status = AGENT_UNREACHED;
    *verdict = (struct agent_verdict){.result = NEA_DONT_KNOW};
    if (a->server)
        agent_server_outcome(a->server, &(struct nea_outcome){0});
    error->text[0] = 0;
    a->posture->heard = a->inventory->heard = verdict;
    a->inventory->leaves = true;
    struct net_tls *tls = net_tls_new(false, a->ca, a->certificate, a->key, error);
    if (!tls)
        status = AGENT_REFUSED;
    else if (r.loop)
        status = run_to_end(&r, tls, a->timeout_ms ? a->timeout_ms : DEFAULT_TIMEOUT_MS, error);
    else
        error_set(error, "out of memory");
    if (r.loop)
        net_loop_free(r.loop); /* closes a stream that is still there */
    if (r.session)
        nea_session_free(r.session);
    net_tls_free(tls);
    wr_free(&r.out);
    a->posture->heard = a->inventory->heard = NULL;
    a->inventory->leaves = false;
    verdict->seconds = (double)(time_monotonic_ms() - begin) / 1000;
    return status;
}
