/* One assessment over loopback TLS against servers that lie, tire and break off. The journal is a stand-in; transport,
 * protocol and collectors are the real ones. Each scenario is a row: what the server does, and what must come of it. */
#include "agent/agent.h"
#include "certs.h"
#include "fake_journal.h"
#include "net/net.h"

#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- certificates ---- */

static char folder[] = "/tmp/muster-assess-XXXXXX";

static const char *in_folder(const char *name, const char *suffix)
{
    static char paths[8][256];
    static unsigned turn;
    char *path = paths[turn++ % ARRAY_LENGTH(paths)];
    snprintf(path, sizeof paths[0], "%s/%s%s", folder, name, suffix);
    return path;
}

/* NAME.crt and NAME.key; issuer NULL: a CA of its own. */
static struct cert issue(const struct cert *issuer, const char *name, const char *names, long days)
{
    struct cert c = cert_make(issuer, name, names, -30 * 86400, days * 86400);
    cert_write(&c, folder, name);
    return c;
}

/* Each name is one case: server and server-* are the server's, client and client-* ours. */
static int make_certificates(void **state)
{
    (void)state;
    struct cert ca = issue(NULL, "ca", NULL, 365), other = issue(NULL, "other-ca", NULL, 365);
    struct cert made[] = {
        issue(&ca, "server", "DNS:localhost,IP:127.0.0.1", 365),
        issue(&ca, "server-elsewhere", "DNS:elsewhere.example", 365),
        issue(&ca, "server-expired", "IP:127.0.0.1", -1),
        issue(&other, "server-unknown", "IP:127.0.0.1", 365),
        issue(&ca, "client", "DNS:client", 365),
        issue(&other, "client-unknown", "DNS:client", 365),
        issue(&ca, "client-expired", "DNS:client", -1),
    };
    for (size_t i = 0; i < ARRAY_LENGTH(made); i++)
        cert_free(&made[i]);
    cert_free(&ca);
    cert_free(&other);
    return 0;
}

static int remove_certificates(void **state)
{
    static const char *const names[] = {
        "ca",     "other-ca",       "server",        "server-elsewhere", "server-expired", "server-unknown",
        "client", "client-unknown", "client-expired"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        unlink(in_folder(names[i], ".crt"));
        unlink(in_folder(names[i], ".key"));
    }
    return rmdir(folder);
}

/* ---- a server that does as it is told ---- */

enum { IDS = 0x20 };

struct scenario;

struct server {
    const struct scenario *scenario;
    struct net_loop *loop;
    struct net_post stop;
    pthread_t thread;
    uint16_t port;
    struct net_stream *stream;
    struct nea_session *session;
    struct nea_connection *swima, *os;
    struct wr out;
    unsigned rounds; /* batches of the client so far */
    struct agent_posture posture; /* that it tells in a mutual assessment */
    void *mutual_contexts[1];
    struct nea_mutual mutual;
    uint32_t items;  /* that came in answers */
    uint32_t errors; /* PA-TNC Errors that came */
    uint32_t last_error;
    unsigned answers;
    bool device_id;
};

struct scenario {
    const char *name;
    /* The SWIMA validator's move after each batch of the client. NULL: nothing of NEA is spoken. */
    void (*move)(struct server *v);
    /* Instead of NEA: what to do with a stream that is open, or when something came. */
    void (*raw)(struct server *v, struct net_stream *s, bool opened);
    enum nea_access os_access;
    struct agent_server *back; /* mutual, in the first exchange: what the client makes of the server */
    size_t max_message; /* of the client; 0: the default */
    unsigned timeout_ms;
    enum agent_status status;
    enum nea_access access;
    const char *error; /* a part of it */
};

static void ask_events(struct server *v, uint32_t id, uint32_t earliest, struct pa_list targets)
{
    const struct pa_swima_request r = {
        .flags = IDS, .request_id = id, .earliest_eid = earliest, .software_ids = targets};
    nea_send(v->swima, NEA_ANY, &(struct pa_out){&pa_types[PA_SWIMA_REQUEST], &r, 0}, 1);
}

static void allow(struct server *v)
{
    nea_recommend(v->swima, NEA_COMPLIANT, NEA_ACCESS_ALLOWED, BYTES("welcome"), "en");
}

static void *swima_create(void *context, struct nea_connection *c)
{
    ((struct server *)context)->swima = c;
    return context;
}

static void *os_create(void *context, struct nea_connection *c)
{
    ((struct server *)context)->os = c;
    return context;
}

static void swima_receive(void *state, const struct nea_delivery *d)
{
    struct server *v = state;
    for (size_t i = 0; i < d->message->count; i++) {
        const struct pa_attribute *a = &d->message->attributes[i];
        if (a->type == &pa_types[PA_SW_ID_INVENTORY])
            v->items += ((const struct pa_sw_id_inventory *)a->fields)->records.count;
        else if (a->type == &pa_types[PA_SW_ID_EVENTS])
            v->items += ((const struct pa_sw_id_events *)a->fields)->events.count;
        else if (a->type != &pa_types[PA_ERROR])
            continue;
        v->answers++;
        if (a->type == &pa_types[PA_ERROR]) {
            v->errors++;
            v->last_error = ((const struct pa_error *)a->fields)->code;
        }
    }
}

static void os_receive(void *state, const struct nea_delivery *d)
{
    struct server *v = state;
    for (size_t i = 0; i < d->message->count; i++)
        v->device_id |= d->message->attributes[i].type == &pa_types[PA_DEVICE_ID];
}

static void swima_batch_ending(void *state)
{
    struct server *v = state;
    v->rounds++;
    v->scenario->move(v);
}

static void os_batch_ending(void *state)
{
    struct server *v = state;
    nea_recommend(v->os, v->scenario->os_access == NEA_ACCESS_ALLOWED ? NEA_COMPLIANT : NEA_MAJOR,
                  v->scenario->os_access,
                  v->scenario->os_access == NEA_ACCESS_DENIED ? BYTES("no\x1b[31m entry") : BYTES(""), "en");
}

static void nothing(void *state)
{
    (void)state;
}

static const struct nea_component swima_validator = {
    .name = "SWIMA",
    .subtype = PA_SUBTYPE_SWIMA,
    .create = swima_create,
    .receive = swima_receive,
    .batch_ending = swima_batch_ending,
    .solicit = nothing,
    .destroy = nothing,
};
static const struct nea_component os_validator = {
    .name = "OS",
    .subtype = PA_SUBTYPE_OPERATING_SYSTEM,
    .create = os_create,
    .receive = os_receive,
    .batch_ending = os_batch_ending,
    .solicit = nothing,
    .destroy = nothing,
};

static void pump(struct server *v)
{
    wr_reset(&v->out);
    nea_session_out(v->session, &v->out);
    if (v->out.n)
        net_stream_write(v->stream, wr_view(&v->out));
    if (nea_session_finished(v->session))
        net_stream_finish(v->stream);
}

/* The collector that tells the server's own posture. */
static const struct nea_mutual *mutual_of(struct server *v)
{
    static const struct nea_component *const collectors[] = {&agent_os_collector};
    if (!v->scenario->back)
        return NULL;
    v->posture = (struct agent_posture){.platform = {.name = "Debian", .version = "12"}, .last_boot = 1652426624};
    v->mutual_contexts[0] = &v->posture;
    v->mutual = (struct nea_mutual){.components = collectors, .contexts = v->mutual_contexts, .component_count = 1};
    return &v->mutual;
}

static void on_open(void *context, struct net_stream *s, struct bytes peer)
{
    struct server *v = context;
    const struct nea_component *const components[] = {&os_validator, &swima_validator};
    void *const contexts[] = {v, v};
    v->stream = s;
    if (v->scenario->raw) {
        v->scenario->raw(v, s, true);
        return;
    }
    const struct nea_config config = {.role = NEA_SERVER,
                                      .peer_name = peer,
                                      .components = components,
                                      .contexts = contexts,
                                      .component_count = 2,
                                      .mutual = mutual_of(v),
                                      .limits = {.max_rounds = UINT32_MAX}};
    v->session = nea_session_new(&config, net_loop_now(v->loop));
    pump(v);
}

static void on_data(void *context, struct bytes plaintext)
{
    struct server *v = context;
    if (v->scenario->raw) {
        v->scenario->raw(v, v->stream, false);
        return;
    }
    uint8_t *copy = malloc(plaintext.n);
    memcpy(copy, plaintext.p, plaintext.n);
    uint8_t *offer = v->rounds > 1 ? memmem(copy, plaintext.n, "\0\x90\x2a\0\0\0\1\0\0\0\x10", 11) : NULL;
    if (offer) /* a type that nobody knows: it does not take part again */
        offer[6] = 77;
    nea_session_feed(v->session, (struct bytes){copy, plaintext.n}, net_loop_now(v->loop));
    free(copy);
    pump(v);
}

static void on_tick(void *context)
{
    (void)context;
}

static void on_closed(void *context, const char *why)
{
    struct server *v = context;
    (void)why;
    nea_session_free(v->session);
    v->session = NULL;
}

static void *on_accept(void *context)
{
    return context;
}

static void *run_server(void *context)
{
    net_loop_run(((struct server *)context)->loop);
    return NULL;
}

static void stop_loop(void *loop)
{
    net_loop_stop(loop);
}

/* ---- what servers do ---- */

/* As a server should: events from EID 1, then a verdict with words. */
static void be_honest(struct server *v)
{
    static const uint8_t text[] = "\0\0\0\4none\2en";
    const struct pa_assessment_result result = {NEA_COMPLIANT};
    const struct pa_remediation_instructions remediation = {.kind = 2, .parameters = {text, sizeof text - 1}};
    if (v->rounds == 1) {
        ask_events(v, 1, 1, (struct pa_list){0});
        return;
    }
    if (v->answers == 0)
        return;
    nea_send(v->swima, NEA_ANY,
             (const struct pa_out[]){{&pa_types[PA_ASSESSMENT_RESULT], &result, 0},
                                     {&pa_types[PA_REMEDIATION_INSTRUCTIONS], &remediation, 0}},
             2);
    allow(v);
}

static void say_nothing_of_access(struct server *v)
{
    nea_recommend(v->swima, NEA_COMPLIANT, NEA_ACCESS_NONE, BYTES(""), "");
    nea_recommend(v->os, NEA_COMPLIANT, NEA_ACCESS_NONE, BYTES(""), "");
}

/* Identifiers of the largest length, and one of them thrice. */
static void name_monsters(struct server *v)
{
    if (v->rounds > 1) {
        allow(v);
        return;
    }
    struct wr w = wr_of(0);
    uint8_t *id = calloc(1, UINT16_MAX);
    for (uint8_t i = 0; i < 10; i++) { /* what fits a message without segments */
        id[0] = i / 3;
        pa_item_put(&w, &pa_types[PA_SWIMA_REQUEST], &(struct pa_swima_request_item){{id, UINT16_MAX}});
    }
    ask_events(v, 2, 0, (struct pa_list){wr_view(&w), 10});
    free(id);
    wr_free(&w);
}

static void reuse_request_ids(struct server *v)
{
    if (v->rounds > 3) {
        allow(v);
        return;
    }
    ask_events(v, 7, 1, (struct pa_list){0});
    ask_events(v, 7, 0, (struct pa_list){0});
}

static void ask_for_all(struct server *v)
{
    if (v->rounds == 1)
        ask_events(v, 3, 0, (struct pa_list){0});
    else if (v->answers)
        allow(v);
}

/* As strongSwan's server: the same question in each exchange, for events or for an inventory. */
static void ask_each_time(struct server *v, uint32_t earliest)
{
    if (v->rounds % 2)
        ask_events(v, v->rounds, earliest, (struct pa_list){0});
    else
        allow(v);
}

static void keep_no_events(struct server *v)
{
    ask_each_time(v, 1);
}

static void keep_no_inventory(struct server *v)
{
    ask_each_time(v, 0);
}

static void ask_without_end(struct server *v)
{
    ask_events(v, v->rounds, UINT32_MAX, (struct pa_list){0});
}

static void leave_in_the_middle(struct server *v)
{
    net_stream_abort(v->stream, NULL);
}

static void say_garbage(struct server *v, struct net_stream *s, bool opened)
{
    (void)v;
    if (opened)
        net_stream_write(s, BYTES("HTTP/1.1 400 Bad Request\r\n\r\n<html>"));
}

static void say_nothing(struct server *v, struct net_stream *s, bool opened)
{
    (void)v, (void)s, (void)opened;
}

static void hang_up(struct server *v, struct net_stream *s, bool opened)
{
    (void)v;
    if (!opened)
        net_stream_finish(s);
}

/* ---- running one ---- */

static enum agent_status assess_with(uint16_t port, const char *host, const char *ca, const char *client,
                                     const struct scenario *sc, struct agent_verdict *v, struct error *error)
{
    struct agent_posture posture = {
        .platform = {.id = "debian", .name = "Debian", .version = "12", .machine = "x86_64"},
        .last_boot = 1652426624,
        .device_id = "0123456789abcdef0123456789abcdef"};
    struct agent_inventory inventory = {0};
    const struct agent_assessment a = {
        .host = host,
        .port = port,
        .ca = in_folder(ca, ".crt"),
        .certificate = in_folder(client, ".crt"),
        .key = in_folder(client, ".key"),
        .posture = &posture,
        .inventory = &inventory,
        .language = "en",
        .limits = {.max_message = sc ? sc->max_message : 0},
        .server = sc ? sc->back : NULL,
        .timeout_ms = sc && sc->timeout_ms ? sc->timeout_ms : 20000,
    };
    return agent_assess(&a, v, error);
}

static void server_start(struct server *v, const struct scenario *sc, const char *certificate, struct net_tls **tls)
{
    struct error error;
    *v = (struct server){.scenario = sc, .loop = net_loop_new(), .out = wr_of(0)};
    *tls = net_tls_new(true, in_folder("ca", ".crt"), in_folder(certificate, ".crt"), in_folder(certificate, ".key"),
                       &error);
    assert_non_null(*tls);
    static const struct net_handler handler = {on_open, on_data, on_tick, on_closed};
    const struct net_listen_options options = {.address = "127.0.0.1",
                                               .tls = *tls,
                                               .handshake_ms = 10000,
                                               .accept = on_accept,
                                               .handler = &handler,
                                               .context = v};
    struct net_listener *listener = net_listen(v->loop, &options, &error);
    assert_non_null(listener);
    v->port = net_listener_port(listener);
    v->stop = (struct net_post){stop_loop, v->loop, NULL};
    assert_int_equal(pthread_create(&v->thread, NULL, run_server, v), 0);
}

static void server_stop(struct server *v, struct net_tls *tls)
{
    net_loop_post(v->loop, &v->stop);
    pthread_join(v->thread, NULL);
    net_loop_free(v->loop);
    net_tls_free(tls);
    wr_free(&v->out);
}

static void reset_fake(void)
{
    memset(&fake, 0, sizeof fake);
    fake.head = (struct journal_head){.epoch = 0xc0ffee, .last_eid = 20, .collected = 1700000000};
    fake.records = 10;
    fake.time = 1652426624;
    fake.not_before = TIME_UNKNOWN;
}

/* Plays a scenario and checks what its row says; what else came of it goes to *v and *verdict. */
static void play(const struct scenario *sc, struct server *v, struct agent_verdict *verdict)
{
    struct net_tls *tls;
    struct error error;
    server_start(v, sc, "server", &tls);
    enum agent_status status = assess_with(v->port, "127.0.0.1", "ca", "client", sc, verdict, &error);
    server_stop(v, tls);
    if (status != sc->status || verdict->access != sc->access || !strstr(error.text, sc->error ? sc->error : "") ||
        (status == AGENT_OK) != (error.text[0] == 0))
        fail_msg("%s: status %d, access %s, \"%s\"", sc->name, status, nea_access_name(verdict->access), error.text);
}

static void an_honest_server_gets_events_and_gives_a_verdict(void **state)
{
    static const struct scenario sc = {
        .name = "honest", .move = be_honest, .os_access = NEA_ACCESS_ALLOWED, .access = NEA_ACCESS_ALLOWED};
    (void)state;
    struct server v;
    struct agent_verdict verdict;
    reset_fake();
    play(&sc, &v, &verdict);
    assert_int_equal(v.items, 20);
    assert_true(v.device_id);
    assert_int_equal(verdict.events_sent, 20);
    assert_int_equal(verdict.result, NEA_COMPLIANT);
    assert_string_equal(verdict.reason, "welcome");
    assert_int_equal(verdict.validator_count, 1);
    assert_string_equal(verdict.validators[0].name, "SWIMA");
    assert_string_equal(verdict.validators[0].remediation, "none");
    assert_true(verdict.batches >= 3);
    assert_true(verdict.seconds < 5);
}

/* Who follows events may ask what they mean, so we come back once; what is asked anew then is neither a reason to come back again nor told as
 * something that was sent. */
static void who_asks_the_same_again_is_not_told_it_without_end(void **state)
{
    static const struct {
        struct scenario scenario;
        unsigned rounds, items, events, records;
    } rows[] = {
        {{.name = "keeps no events", .move = keep_no_events, .os_access = NEA_ACCESS_ALLOWED, .access = NEA_ACCESS_ALLOWED}, 4, 40, 20, 0},
        {{.name = "keeps no inventory", .move = keep_no_inventory, .os_access = NEA_ACCESS_ALLOWED, .access = NEA_ACCESS_ALLOWED}, 2, 10, 0, 10},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct server v;
        struct agent_verdict verdict;
        reset_fake();
        play(&rows[i].scenario, &v, &verdict);
        const unsigned got[] = {v.rounds, v.items, verdict.events_sent, verdict.records_sent};
        if (memcmp(got, &rows[i].rounds, sizeof got) != 0)
            fail_msg("%s: %u rounds, %u items, %u events, %u records", rows[i].scenario.name, got[0], got[1], got[2], got[3]);
    }
}

/* We come back for its questions, and it does not take part again, as strongSwan's: what it told before is not lost. */
static void a_server_that_takes_part_once_has_its_verdict(void **state)
{
    static struct agent_server back;
    static const struct scenario sc = {.name = "takes part once",
                                       .move = keep_no_events,
                                       .os_access = NEA_ACCESS_ALLOWED,
                                       .back = &back,
                                       .access = NEA_ACCESS_ALLOWED};
    (void)state;
    struct server v;
    struct agent_verdict verdict;
    reset_fake();
    play(&sc, &v, &verdict);
    assert_int_equal(v.rounds, 4);
    assert_true(back.took_part);
    assert_int_equal(back.access, NEA_ACCESS_ALLOWED);
    assert_int_equal(back.result, NEA_COMPLIANT);
    assert_string_equal(back.product, "Debian");
}

static void segments_carry_what_a_message_does_not(void **state)
{
    static const struct scenario sc = {.name = "segments",
                                       .move = ask_for_all,
                                       .os_access = NEA_ACCESS_ALLOWED,
                                       .max_message = 1000,
                                       .access = NEA_ACCESS_ALLOWED};
    (void)state;
    struct server v;
    struct agent_verdict verdict;
    reset_fake();
    fake.records = 395;
    play(&sc, &v, &verdict);
    assert_int_equal(v.items, 395);
    assert_int_equal(v.errors, 0);
    assert_true(verdict.batches > 20);
}

static void the_largest_inventory_comes_whole_and_a_larger_one_not_at_all(void **state)
{
    static const struct scenario sc = {
        .name = "huge", .move = ask_for_all, .os_access = NEA_ACCESS_ALLOWED, .access = NEA_ACCESS_ALLOWED};
    (void)state;
    struct server v;
    struct agent_verdict verdict;
    reset_fake();
    fake.records = 250000;
    play(&sc, &v, &verdict);
    assert_int_equal(v.items, 250000);
    fake.records = 350000; /* beyond 16 MiB */
    play(&sc, &v, &verdict);
    assert_int_equal(v.items, 0);
    assert_int_equal(v.last_error, PA_RESPONSE_TOO_LARGE);
}

static void odd_requests_are_answered(void **state)
{
    static const struct scenario monsters = {
        .name = "monsters", .move = name_monsters, .os_access = NEA_ACCESS_ALLOWED, .access = NEA_ACCESS_ALLOWED};
    static const struct scenario reuse = {
        .name = "reuse", .move = reuse_request_ids, .os_access = NEA_ACCESS_ALLOWED, .access = NEA_ACCESS_ALLOWED};
    (void)state;
    struct server v;
    struct agent_verdict verdict;
    reset_fake();
    play(&monsters, &v, &verdict);
    assert_int_equal(v.answers, 1);
    assert_int_equal(v.items + v.errors, 0);
    play(&reuse, &v, &verdict);
    assert_int_equal(v.answers, 6);
    assert_int_equal(v.items, 3 * (20 + 10));
}

static void only_a_verdict_counts(void **state)
{
    static const struct scenario scenarios[] = {
        {.name = "no recommendation", .move = say_nothing_of_access, .status = AGENT_OK, .access = NEA_ACCESS_NONE},
        {.name = "denied",
         .move = allow,
         .os_access = NEA_ACCESS_DENIED,
         .status = AGENT_OK,
         .access = NEA_ACCESS_DENIED},
        {.name = "quarantined",
         .move = allow,
         .os_access = NEA_ACCESS_QUARANTINED,
         .status = AGENT_OK,
         .access = NEA_ACCESS_QUARANTINED},
        {.name = "no end", .move = ask_without_end, .status = AGENT_FAILED, .error = "asks without end"},
        {.name = "leaves", .move = leave_in_the_middle, .status = AGENT_FAILED, .error = "no result: "},
        {.name = "garbage", .raw = say_garbage, .status = AGENT_FAILED, .error = "this is an HTTP server"},
        {.name = "silence",
         .raw = say_nothing,
         .timeout_ms = 300,
         .status = AGENT_FAILED,
         .error = "no result within 1 s"},
        {.name = "hangs up",
         .raw = hang_up,
         .status = AGENT_UNREACHED,
         .error = "closed the connection before the assessment began"},
    };
    (void)state;
    struct server v;
    struct agent_verdict verdict;
    for (size_t i = 0; i < ARRAY_LENGTH(scenarios); i++) {
        reset_fake();
        play(&scenarios[i], &v, &verdict);
        if (strcmp(scenarios[i].name, "denied") == 0) /* nothing that a terminal obeys */
            assert_non_null(strstr(verdict.reason, "no?[31m entry"));
    }
}

static void certificates_are_judged_by_name_date_and_issuer(void **state)
{
    static const struct scenario sc = {.name = "honest", .move = be_honest, .os_access = NEA_ACCESS_ALLOWED};
    static const struct {
        const char *server, *ca, *client, *error;
    } cases[] = {
        {"server-elsewhere", "ca", "client", "127.0.0.1"}, {"server-expired", "ca", "client", "expired"},
        {"server-unknown", "ca", "client", "ca.crt"},      {"server", "other-ca", "client", "other-ca.crt"},
        {"server", "ca", "client-unknown", "refused"},     {"server", "ca", "client-expired", "expired"},
        {"server", "nothing", "client", "nothing.crt"},    {"server", "ca", "nothing", "nothing.crt"},
    };
    (void)state;
    reset_fake();
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct server v;
        struct agent_verdict verdict;
        struct error error;
        struct net_tls *tls;
        server_start(&v, &sc, cases[i].server, &tls);
        enum agent_status status =
            assess_with(v.port, "127.0.0.1", cases[i].ca, cases[i].client, &sc, &verdict, &error);
        server_stop(&v, tls);
        assert_int_equal(v.items, 0);
        bool no_file = strcmp(cases[i].error, "nothing.crt") == 0;
        if (status != (no_file ? AGENT_REFUSED : AGENT_UNREACHED) || !strstr(error.text, cases[i].error) || strchr(error.text, '\n'))
            fail_msg("%s %s %s: status %d, \"%s\"", cases[i].server, cases[i].ca, cases[i].client, status, error.text);
        print_message("%s\n", error.text);
    }
}

/* A port of loopback: listening and mute, or closed. */
static int bound_socket(uint16_t *port, bool listening)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    assert_true(!listening || listen(fd, 5) == 0);
    *port = ntohs(a.sin_port);
    return fd;
}

static void what_cannot_be_reached_is_said_at_once(void **state)
{
    static const struct scenario hurried = {.timeout_ms = 200};
    (void)state;
    struct agent_verdict verdict;
    struct error error;
    uint16_t port;
    int fd = bound_socket(&port, false);
    assert_int_equal(assess_with(port, "127.0.0.1", "ca", "client", NULL, &verdict, &error), AGENT_UNREACHED);
    assert_non_null(strstr(error.text, "refused"));
    assert_int_equal(assess_with(port, "no..name", "ca", "client", NULL, &verdict, &error), AGENT_UNREACHED);
    assert_non_null(strstr(error.text, "no..name"));
    close(fd);
    fd = bound_socket(&port, true); /* TCP answers, TLS never */
    assert_int_equal(assess_with(port, "127.0.0.1", "ca", "client", &hurried, &verdict, &error), AGENT_UNREACHED);
    assert_true(error.text[0]);
    assert_true(verdict.seconds < 5);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_honest_server_gets_events_and_gives_a_verdict),
        cmocka_unit_test(who_asks_the_same_again_is_not_told_it_without_end),
        cmocka_unit_test(a_server_that_takes_part_once_has_its_verdict),
        cmocka_unit_test(segments_carry_what_a_message_does_not),
        cmocka_unit_test(the_largest_inventory_comes_whole_and_a_larger_one_not_at_all),
        cmocka_unit_test(odd_requests_are_answered),
        cmocka_unit_test(only_a_verdict_counts),
        cmocka_unit_test(certificates_are_judged_by_name_date_and_issuer),
        cmocka_unit_test(what_cannot_be_reached_is_said_at_once),
    };
    if (!mkdtemp(folder))
        return 1;
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
