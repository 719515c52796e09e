/* The agent: a session that stays, watchers of the package managers' files, and a new connection where one was lost.
 * One thread, one loop; asleep until something changes. What is to be told stands in the journal alone: whatever is
 * killed or cut off here, the server's next request or the subscription's tracker begins where it has committed. */
#include "agent/collector.h"
#include "agent/journal.h"
#include "net/net.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum {
    CONNECT_MS = 30000,
    BACK_OFF_MS = 1000, /* the shortest pause before a new connection, and */
    BACK_OFF_MAX_MS = 300000,
    BUSY_MS = 1000,  /* until the next look at a package manager that was at work */
    PATIENCE = 5,    /* times the delay: what is not still by then is collected all the same */
    RETRY_MS = 1000, /* the journal was busy, or could not be written */
    RETRY_MAX_MS = 60000,
    SAY_AGAIN_MS = 3600000, /* what stays as it is is said once an hour */
    WATCHES = 2048,
    WAYS = 1536, /* of them on folders where others may come to be */
};

struct agent {
    const struct agent_assessment *a;
    const struct journal_options *collection;
    struct net_loop *loop;
    struct net_tls *tls;

    /* The connection; all NULL while there is none. */
    struct net_stream *stream;
    struct nea_session *session;
    struct wr out;
    struct net_timer *redial;
    unsigned failures; /* connections in a row without a result */
    char said[256];    /* why there is no connection, as it was said last, */
    uint64_t said_at;  /* and when */
    bool told, stopping;
    bool left; /* a server that does not satisfy */
    enum nea_access access;
    enum agent_standing server; /* the last that was said */

    /* The package managers. */
    struct net_watch *watches[WATCHES];
    size_t watch_count;
    struct net_timer *quiet;
    unsigned delay;                     /* a package manager writes many files for one change */
    uint64_t first_change, last_change; /* not collected yet; 0: none */
    unsigned retries;
};

/* ---- the session ------------------------------------------------------------------------------------------------- */

static void pump(struct agent *g)
{
    wr_reset(&g->out);
    nea_session_out(g->session, &g->out);
    if (g->out.n > 0 && !net_stream_write(g->stream, wr_view(&g->out))) {
        net_stream_abort(g->stream, "the server does not read what it asks for");
        return;
    }
    if (g->out.capacity > 16384)
        wr_free(&g->out);
    if (nea_session_finished(g->session))
        net_stream_finish(g->stream);
    else
        net_stream_deadline(g->stream, nea_session_deadline(g->session));
}

/* The first result is news, and every change of access. */
static void tell(struct agent *g)
{
    const struct nea_outcome o = nea_session_outcome(g->session);
    if (!o.decided || o.state != PB_DECIDED || (g->told && o.access == g->access))
        return;
    char reason[512] = "";
    agent_keep_text(reason, sizeof reason, o.reason);
    log_line(LOG_INFO, "%s:%u: access %s, %s%s%s", g->a->host, g->a->port, nea_access_name(o.access),
             nea_result_name(o.result), reason[0] ? ": " : "", reason);
    if (!g->told)
        malloc_trim(0); /* what a first inventory needed is not kept while nothing happens */
    g->told = true;
    g->access = o.access;
    g->failures = 0;
    g->said[0] = 0;
}

/* Who wants the server assessed tells nothing more to one that does not satisfy, or does not say; assess() then ends with
 * 1 or 3. It may have been mended when the agent comes back. */
static void look_at_server(struct agent *g)
{
    struct agent_server *server = g->a->server;
    enum agent_standing standing = server && !g->left ? agent_server_standing(server, g->session) : AGENT_SERVER_UNDECIDED;
    if (standing == AGENT_SERVER_UNDECIDED)
        return;
    if (standing == AGENT_SERVER_FAILS) {
        g->left = true;
        net_stream_finish(g->stream);
    }
    if (standing == g->server) /* said already */
        return;
    g->server = standing;
    if (standing == AGENT_SERVER_FAILS)
        log_line(LOG_WARNING, "%s:%u: is told nothing more: %s; the agent tries again every few minutes", g->a->host,
                 g->a->port, server->reason);
    else
        log_line(LOG_INFO, "%s:%u: the server satisfies: %s %s", g->a->host, g->a->port, server->product,
                 server->version);
}

static void on_open(void *context, struct net_stream *stream, struct bytes peer)
{
    struct agent *g = context;
    g->stream = stream;
    g->session = agent_session_new(g->a, peer, true, net_loop_now(g->loop));
    if (!g->session) {
        net_stream_abort(stream, "out of memory");
        return;
    }
    nea_session_push(
        g->session); /* after the assessment: what changed while it went on, or found no room in its answers */
    pump(g);
}

static void on_data(void *context, struct bytes plaintext)
{
    struct agent *g = context;
    nea_session_feed(g->session, plaintext, net_loop_now(g->loop));
    pump(g);
    tell(g);
    look_at_server(g);
}

static void on_tick(void *context)
{
    struct agent *g = context;
    nea_session_tick(g->session, net_loop_now(g->loop));
    pump(g);
}

static void dial(void *context);

/* A whole fleet must not come back in the same second: each pause is drawn from a range that doubles. Whose login was
 * refused waits long at once: guesses cost the server something, and nothing changes until somebody mends it. */
static void dial_later(struct agent *g, bool refused)
{
    uint32_t random = 0;
    uint64_t least = refused ? BACK_OFF_MAX_MS / 2 : BACK_OFF_MS;
    uint64_t most = (uint64_t)BACK_OFF_MS << (g->failures < 16 ? g->failures + 1 : 16);
    if (!net_random((uint8_t *)&random, sizeof random))
        random = (uint32_t)net_loop_now(g->loop);
    if (refused || most > BACK_OFF_MAX_MS)
        most = BACK_OFF_MAX_MS;
    g->failures++;
    g->redial = net_timer_start(g->loop, least + random % (most - least), dial, g);
    if (!g->redial)
        bug("out of memory");
}

/* A server may be mended, a certificate renewed, an account made: nothing of that ends the agent, and whoever is to do
 * it finds it in the log. */
static void say_why(struct agent *g, const char *why, bool refused)
{
    uint64_t now = net_loop_now(g->loop);
    char said[sizeof g->said];
    snprintf(said, sizeof said, "%s", why);
    if (g->stopping || (strcmp(said, g->said) == 0 && now - g->said_at < SAY_AGAIN_MS))
        return;
    memcpy(g->said, said, sizeof said);
    g->said_at = now;
    log_line(LOG_WARNING, "%s:%u: not connected: %s; %s", g->a->host, g->a->port, why,
             refused
                 ? "mend the account or start the agent with another password: until then it tries every few minutes"
                 : "it tries again, later and later up to every five minutes");
}

static void on_closed(void *context, const char *why)
{
    struct agent *g = context;
    const struct nea_outcome o = g->session ? nea_session_outcome(g->session) : (struct nea_outcome){0};
    bool refused = o.login_refused;
    if (!g->left)
        say_why(g, o.fault.text[0] ? o.fault.text : why ? why : "the server closed the connection", refused);
    g->stream = NULL;
    if (g->session) {
        nea_session_close(g->session);
        nea_session_free(g->session);
    }
    g->session = NULL;
    g->told = false;
    if (g->stopping)
        net_loop_stop(g->loop);
    else
        dial_later(g, refused || g->left);
}

static void dial(void *context)
{
    static const struct net_handler handler = {on_open, on_data, on_tick, on_closed};
    struct agent *g = context;
    struct error error = {""};
    net_timer_stop(g->redial);
    g->redial = NULL;
    g->left = false;
    g->stream = net_connect(g->loop, g->tls, g->a->host, g->a->port, CONNECT_MS, &handler, g, &error);
    if (g->stream)
        return;
    say_why(g, error.text, false);
    dial_later(g, false);
}

/* ---- the package managers ---------------------------------------------------------------------------------------- */

static void on_quiet(void *context);

static void wait_for_quiet(struct agent *g, uint64_t ms)
{
    net_timer_stop(g->quiet);
    g->quiet = net_timer_start(g->loop, ms, on_quiet, g);
    if (!g->quiet)
        bug("out of memory");
}

static void on_change(void *context)
{
    struct agent *g = context;
    g->last_change = net_loop_now(g->loop);
    if (g->first_change)
        return;
    g->first_change = g->last_change;
    wait_for_quiet(g, g->delay); /* SWIMA-R67, RFC 8412 §3.8.5.5: 0 is "at once"; only who starts us can say so */
}

static void forget_watches(struct agent *g)
{
    while (g->watch_count)
        net_watch_stop(g->watches[--g->watch_count]);
}

static void watch_one(void *context, const char *path, bool way)
{
    struct agent *g = context;
    char whole[PATH_MAX];
    const char *root = strcmp(g->collection->root, "/") == 0 ? "" : g->collection->root;
    if (g->watch_count < (way ? WAYS : WATCHES) && (size_t)snprintf(whole, sizeof whole, "%s%s", root, path) < sizeof whole)
        g->watches[g->watch_count++] = net_watch_start(g->loop, whole, way, on_change, g);
}

/* Anew each time: files are replaced and logs rotated, which a watch does not follow. */
static void watch(struct agent *g)
{
    forget_watches(g);
    for (const struct pkg_manager *const *m = pkg_managers; *m; m++)
        for (const char *const *path = (*m)->watch; path && *path; path++)
            watch_one(g, *path, false);
    for (const struct pkg_manager *const *m = pkg_managers; *m; m++)
        if ((*m)->folders)
            (*m)->folders(g->collection->root, watch_one, g);
}

/* Watches first, then reads: what happens between the two is a change that has not been collected. */
static void collect(struct agent *g)
{
    struct journal_report report;
    struct error error = {""};
    g->first_change = 0;
    watch(g);
    enum journal_status status = journal_collect(g->a->inventory->journal, g->collection, &report, &error);
    if (status == JOURNAL_OK || status == JOURNAL_INCOMPLETE) {
        g->retries = 0;
        if (status == JOURNAL_INCOMPLETE)
            log_line(LOG_WARNING, "%s", error.text);
        for (size_t i = 0; i < report.source_count; i++)
            if (report.sources[i].unsettled) /* a lock's end wakes nobody */
                wait_for_quiet(g, BUSY_MS);
    } else {
        uint64_t pause = (uint64_t)RETRY_MS << (g->retries < 6 ? g->retries++ : 6);
        log_line(LOG_WARNING, "the journal could not be brought up to date: %s", error.text);
        wait_for_quiet(g, pause < RETRY_MAX_MS ? pause : RETRY_MAX_MS);
    }
    if (g->session && !g->left) { /* whoever collected it, and when: the trackers know what has not been told */
        nea_session_push(g->session);
        pump(g);
    }
}

/* SWIMA-R23, RFC 8412 §3.6: seconds at the most, normally a tenth of one. */
static void on_quiet(void *context)
{
    struct agent *g = context;
    uint64_t now = net_loop_now(g->loop), still = g->last_change + g->delay;
    uint64_t latest = g->first_change + (uint64_t)g->delay * PATIENCE, until = still < latest ? still : latest;
    net_timer_stop(g->quiet);
    g->quiet = NULL;
    if (g->first_change && now < until)
        wait_for_quiet(g, until - now);
    else
        collect(g);
}

int agent_claim(const char *state, struct error *error)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/agent.lock", state);
    if (!journal_make_folder(state, error))
        return -1;
    int fd = n > 0 && (size_t)n < sizeof path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    if (fd >= 0 && errno == EWOULDBLOCK)
        error_set(error, "%s: another agent runs on this state folder; stop it, or give this one another --state",
                  state);
    else
        error_set(error, "%s: cannot be opened: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void on_signal(void *context)
{
    struct agent *g = context;
    if (g->stream && !g->stopping)
        net_stream_finish(g->stream); /* closed() follows */
    else
        net_loop_stop(g->loop);
    g->stopping = true;
}

enum agent_status agent_run(const struct agent_assessment *a, const struct journal_options *collection,
                            unsigned delay_ms, struct error *error)
{
    struct agent g = {.a = a, .collection = collection, .delay = delay_ms, .out = wr_of(0)};
    error->text[0] = 0;
    g.tls = net_tls_new(false, a->ca, a->certificate, a->key, error);
    if (!g.tls)
        return AGENT_REFUSED;
    g.loop = net_loop_new();
    if (!g.loop) {
        net_tls_free(g.tls);
        error_set(error, "out of memory");
        return AGENT_FAILED;
    }
    a->posture->root = collection->root;
    net_loop_on_signal(g.loop, on_signal, &g);
    collect(&g);
    dial(&g);
    net_notify("READY=1");
    net_loop_run(g.loop);
    net_notify("STOPPING=1");
    g.stopping = true;
    net_timer_stop(g.redial);
    net_timer_stop(g.quiet);
    forget_watches(&g);
    net_loop_free(g.loop);
    net_tls_free(g.tls);
    wr_free(&g.out);
    return AGENT_OK;
}
