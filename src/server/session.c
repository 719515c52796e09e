/* A session: plaintext of one TLS stream into a NEA session and back, and the assessment that its validators share. */
#include "server/session.h"

#include "server/assessment.h"

#include <stdlib.h>

enum { STRANGER_LINES = 10 };

struct session {
    struct worker *worker;
    struct net_stream *stream; /* NULL until TLS is up */
    struct nea_session *nea;   /* NULL: the peer was refused */
    struct assessment *assessment;
    struct assessment_host host;
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

static void log_of_session(void *context, enum log_level level, const char *text)
{
    struct session *s = context;
    log_line(level, "%s: %s", net_stream_address(s->stream), text);
}

/* PT-R17, RFC 6876 §3.8.3: the certificate is authentication enough; without one nobody gets in. */
static void on_open(void *context, struct net_stream *stream, struct bytes peer)
{
    struct session *s = context;
    s->stream = stream;
    if (!peer.n) {
        net_stream_abort(stream, "the peer has no certificate");
        return;
    }
    net_stream_authenticated(stream);
    s->host = (struct assessment_host){.submit = submit, .wake = wake, .context = s, .loop = s->worker->loop};
    s->assessment = assessment_new(&s->host, peer, bytes_of(net_stream_address(stream)));
    void *contexts[] = {s->assessment, s->assessment};
    struct nea_config config = {
        .role = NEA_SERVER,
        .peer_name = peer,
        .limits = s->worker->limits,
        .components = validators,
        .contexts = contexts,
        .component_count = ARRAY_LENGTH(validators),
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

/* What strangers cause is logged, but not without end. */
static bool may_log(struct worker *w, bool stranger)
{
    uint64_t second = net_loop_now(w->loop) / 1000;
    if (!stranger)
        return true;
    if (second != w->log_second) {
        w->log_second = second;
        w->log_lines = 0;
    }
    return w->log_lines++ < STRANGER_LINES;
}

static void on_closed(void *context, const char *why)
{
    struct session *s = context;
    if (why && may_log(s->worker, !s->nea))
        log_line(LOG_INFO, "PT-TLS: %s%s%s", s->stream ? net_stream_address(s->stream) : "", s->stream ? ": " : "",
                 why);
    if (s->nea) {
        nea_session_close(s->nea);
        nea_session_free(s->nea);
    }
    assessment_release(s->assessment);
    free(s);
}

const struct net_handler session_handler = {.open = on_open, .data = on_data, .tick = on_tick, .closed = on_closed};
