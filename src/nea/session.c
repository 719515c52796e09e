/* A session: PT-TLS, broker and components put together, driven by feed, out, deadline, tick, close. */
#include "nea/internal.h"

#include <stdlib.h>

static struct nea_limits limits_of(struct nea_limits l)
{
    const struct nea_limits defaults = {
        .max_batch = ((size_t)2 << 20) + PT_HEADER,
        .max_unauthed = 4096,
        .max_reassembly = (size_t)16 << 20,
        .max_message = ((size_t)2 << 20) - 64,
        .max_rounds = 64,
        .negotiate_ms = 30000,
        .idle_ms = 60000,
    };
#define DEFAULT(member) l.member = l.member ? l.member : defaults.member
    DEFAULT(max_batch);
    DEFAULT(max_unauthed);
    DEFAULT(max_reassembly);
    DEFAULT(max_message);
    DEFAULT(max_rounds);
    DEFAULT(negotiate_ms);
    DEFAULT(idle_ms);
#undef DEFAULT
    size_t overhead = PT_HEADER + PB_BATCH_HEADER + PB_PA_HEADER;
    if (l.max_batch < 1024)
        l.max_batch = 1024;
    if (l.max_message > l.max_batch - overhead)
        l.max_message = l.max_batch - overhead;
    if (l.max_message < 64)
        l.max_message = 64;
    if (l.max_reassembly > UINT32_MAX)
        l.max_reassembly = UINT32_MAX;
    return l;
}

/* `carrier` NULL: itself. */
static struct nea_session *session_of(const struct nea_config *config, struct nea_session *carrier, uint64_t now)
{
    struct nea_session *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->carrier = carrier ? carrier : s;
    s->config = *config;
    s->config.limits = limits_of(config->limits);
    s->now = s->started = s->last_progress = now;
    s->next_message = 1;
    s->pt.in = wr_of(s->config.limits.max_batch > s->config.limits.max_unauthed ? s->config.limits.max_batch
                                                                                : s->config.limits.max_unauthed);
    s->pt.out = wr_of(0);
    s->peer_name = wr_of(0);
    s->language = wr_of(0);
    wr_bytes(&s->peer_name, config->peer_name);
    wr_str(&s->language, config->language ? config->language : "");
    s->config.language = config->language ? wr_string(&s->language) : NULL;
    s->config.peer_name = wr_view(&s->peer_name);
    if (s->peer_name.bad || s->language.bad || !broker_start(s)) {
        nea_session_free(s);
        return NULL;
    }
    return s;
}

struct nea_session *nea_session_new(const struct nea_config *config, uint64_t now)
{
    struct nea_session *s = session_of(config, NULL, now);
    if (s)
        pt_start(s);
    return s;
}

struct nea_session *session_mirror(struct nea_session *s)
{
    const struct nea_mutual *mutual = s->config.mutual;
    struct nea_config config = s->config;
    config.role = s->config.role == NEA_SERVER ? NEA_CLIENT : NEA_SERVER;
    config.peer_name = wr_view(&s->peer_name); /* also one that a login has proved */
    config.stay = false;
    config.mutual = NULL;
    config.language = mutual->language;
    config.components = mutual->components;
    config.contexts = mutual->contexts;
    config.component_count = mutual->component_count;
    return session_of(&config, s, s->now);
}

void nea_session_feed(struct nea_session *s, struct bytes plaintext, uint64_t now)
{
    s->now = now;
    s->pt.sent = false;
    pt_feed(s, plaintext);
    broker_advance(s);
    s->pt.sent = false; /* sent now: the time is known */
}

/* What the exchange needed is not kept by a connection that stays and is idle. */
static void rest(struct nea_session *s)
{
    if (s->carrier->busy || (s->state != PB_DECIDED && s->state != PB_END))
        return;
    arena_free(&s->arena);
    wr_free(&s->pt.out);
    if (!s->pt.in.n)
        wr_free(&s->pt.in);
    if (!s->queue.n)
        wr_free(&s->queue);
}

void nea_session_out(struct nea_session *s, struct wr *w)
{
    broker_advance(s);
    if (s->pt.out.bad) {
        s->pt.state = PT_CLOSED;
        nea_fault_set(&s->outcome.fault, 0, 0, "PT-L3", "own limit", "more to send than fits the memory");
    }
    wr_bytes(w, wr_view(&s->pt.out));
    wr_reset(&s->pt.out);
    if (s->pt.out.capacity > 16384)
        wr_free(&s->pt.out);
    rest(s);
    if (s->mirror)
        rest(s->mirror);
}

/* Whether it is the peer from whom the next octet must come. */
static bool waiting(const struct nea_session *s)
{
    return broker_waits(s) || (s->mirror && broker_waits(s->mirror));
}

uint64_t nea_session_deadline(const struct nea_session *s)
{
    if (nea_session_finished(s))
        return UINT64_MAX;
    if (s->pt.state != PT_DATA)
        return s->started + s->config.limits.negotiate_ms;
    /* PT-R2, RFC 6876 §3.1.1: a connection may be held for as long as both like. But a message that has begun must end: its octets are kept
     * meanwhile. */
    if (!waiting(s) && !s->pt.in.n)
        return UINT64_MAX;
    /* A batch that left outside feed(): its time is not known before the next tick. */
    return s->pt.sent ? s->now : s->last_progress + s->config.limits.idle_ms;
}

void nea_session_tick(struct nea_session *s, uint64_t now)
{
    s->now = now;
    if (s->pt.sent) {
        s->pt.sent = false;
        s->last_progress = now;
    }
    if (now < nea_session_deadline(s))
        return;
    struct nea_fault fault;
    if (s->pt.state != PT_DATA) {
        nea_fault_set(&s->outcome.fault, 0, 0, "PT-L2", "own limit", "the negotiation took too long");
        s->pt.state = PT_CLOSED;
    } else {
        nea_fault_set(&fault, PB_LOCAL_ERROR, 0, "PB-L3", "own limit", "the peer was silent for too long");
        broker_abort(s, &fault);
    }
}

void nea_session_close(struct nea_session *s)
{
    s->pt.state = PT_CLOSED;
    s->state = PB_END;
    if (s->mirror)
        s->mirror->state = PB_END;
}

void nea_session_free(struct nea_session *s)
{
    if (!s)
        return;
    nea_session_free(s->mirror);
    broker_free(s);
    sasl_free(s->pt.sasl);
    wr_free(&s->pt.in);
    wr_free(&s->pt.out);
    wr_free(&s->peer_name);
    wr_free(&s->language);
    free(s);
}

bool nea_session_finished(const struct nea_session *s)
{
    return s->pt.state == PT_CLOSED || s->state == PB_END;
}

struct nea_outcome nea_session_outcome(const struct nea_session *s)
{
    struct nea_outcome o = s->outcome;
    o.state = s->state;
    o.reason = wr_view(&s->reason);
    o.remediation = wr_view(&s->remediation);
    return o;
}

struct nea_outcome nea_session_mutual(const struct nea_session *s)
{
    return s->mirror ? nea_session_outcome(s->mirror) : (struct nea_outcome){.access = NEA_ACCESS_NONE};
}

void nea_session_retry(struct nea_session *s)
{
    s->want_retry = true; /* out() acts on it: this may be called from inside a component */
    nea_wake(s);
}

void nea_session_push(struct nea_session *s)
{
    s->want_push = true;
    nea_wake(s);
}
