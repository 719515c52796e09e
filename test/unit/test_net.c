#include "net/net.h"

#include "certs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define DAY 86400L

/* ---- a server that echoes, and clients that note what happened -------------------------------------------------- */

struct side {
    struct net_loop *loop;
    struct net_stream *stream;
    struct wr got;
    char peer[256], why[512]; /* why: "" if it ended properly */
    bool opened, closed, failed, echoes, ticked;
    size_t expects; /* octets after which the client finishes */
    struct bytes says;
};

static struct {
    char folder[64], path[128];
    struct net_loop *loop;
    struct net_tls *server, *client;
    struct net_listener *listener;
    unsigned accepted, closed_early;
    char last_why[512], last_peer[256]; /* of the server's side */
} world;

static const char *path_of(const char *name)
{
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, 128, "%s/%s", world.folder, name);
    return path;
}

static void on_open(void *context, struct net_stream *s, struct bytes peer)
{
    struct side *side = context;
    side->stream = s;
    side->opened = true;
    snprintf(side->peer, sizeof side->peer, "%.*s", (int)peer.n, (const char *)peer.p);
    if (side->echoes)
        memcpy(world.last_peer, side->peer, sizeof world.last_peer);
    if (side->says.n)
        assert_true(net_stream_write(s, side->says));
}

static void on_data(void *context, struct bytes plaintext)
{
    struct side *side = context;
    if (side->echoes)
        assert_true(net_stream_write(side->stream, plaintext));
    wr_bytes(&side->got, plaintext);
    if (side->expects && side->got.n >= side->expects)
        net_stream_finish(side->stream);
}

static void on_tick(void *context)
{
    struct side *side = context;
    side->ticked = true;
    net_stream_abort(side->stream, "deadline");
}

static void on_closed(void *context, const char *why)
{
    struct side *side = context;
    side->closed = true;
    side->failed = why != NULL;
    snprintf(side->why, sizeof side->why, "%s", why ? why : "");
    net_loop_stop(side->loop);
}

static const struct net_handler client_handler = {
    .open = on_open, .data = on_data, .tick = on_tick, .closed = on_closed};

static void *server_accept(void *context)
{
    (void)context;
    struct side *side = calloc(1, sizeof *side);
    side->echoes = true;
    side->got = wr_of(0);
    side->loop = world.loop;
    world.accepted++;
    return side;
}

static void server_closed(void *context, const char *why)
{
    struct side *side = context;
    if (!side->opened) {
        world.closed_early++;
        snprintf(world.last_why, sizeof world.last_why, "%s", why ? why : "");
    }
    wr_free(&side->got);
    free(side);
}

static const struct net_handler server_handler = {
    .open = on_open, .data = on_data, .tick = on_tick, .closed = server_closed};

static void start(const char *certificate, unsigned handshake_ms, unsigned max_streams)
{
    struct error error;
    char crt[32], key[32];
    snprintf(crt, sizeof crt, "%s.crt", certificate);
    snprintf(key, sizeof key, "%s.key", certificate);
    world.loop = net_loop_new();
    world.accepted = world.closed_early = 0;
    world.server = net_tls_new(true, path_of("ca.crt"), path_of(crt), path_of(key), &error);
    assert_non_null(world.server);
    struct net_listen_options options = {.address = "127.0.0.1",
                                         .tls = world.server,
                                         .handshake_ms = handshake_ms,
                                         .max_streams = max_streams,
                                         .accept = server_accept,
                                         .handler = &server_handler};
    world.listener = net_listen(world.loop, &options, &error);
    assert_non_null(world.listener);
}

static void stop(void)
{
    net_loop_free(world.loop);
    net_tls_free(world.server);
}

static struct net_tls *client_tls(const char *ca, const char *certificate)
{
    struct error error;
    char crt[32], key[32];
    snprintf(crt, sizeof crt, "%s.crt", certificate ? certificate : "");
    snprintf(key, sizeof key, "%s.key", certificate ? certificate : "");
    struct net_tls *tls =
        net_tls_new(false, path_of(ca), certificate ? path_of(crt) : NULL, certificate ? path_of(key) : NULL, &error);
    assert_non_null(tls);
    return tls;
}

static void stop_loop(void *argument)
{
    net_loop_stop(argument);
}

static void out_of_time(void *argument)
{
    (void)argument;
    fail_msg("the test took too long");
}

/* Client and server share the loop: it runs until the client's stream has closed. */
static struct side converse(const char *host, const char *ca, const char *certificate, struct bytes says,
                            size_t expects)
{
    struct net_tls *tls = client_tls(ca, certificate);
    struct side side = {.loop = world.loop, .got = wr_of(0), .says = says, .expects = expects};
    struct error error = {""};
    struct net_timer *timer = net_timer_start(world.loop, 20000, out_of_time, NULL);
    assert_non_null(
        net_connect(world.loop, tls, host, net_listener_port(world.listener), 5000, &client_handler, &side, &error));
    net_loop_run(world.loop);
    net_timer_stop(timer);
    net_tls_free(tls);
    assert_true(side.closed);
    return side;
}

static int raw_connect(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

/* ---- tests ---------------------------------------------------------------------------------------------------------
 */

static void a_conversation_arrives_whole(void **state)
{
    (void)state;
    struct wr text = wr_of(0);
    while (text.n < 3000000)
        wr_fmt(&text, "%zu,", text.n);
    start("server", 5000, 0);
    struct side side = converse("localhost", "ca.crt", "alice", wr_view(&text), text.n);
    assert_string_equal(side.why, "");
    assert_string_equal(side.peer, "localhost"); /* the server's first DNS name */
    assert_true(bytes_equal(wr_view(&side.got), wr_view(&text)));
    wr_free(&side.got);
    wr_free(&text);
    stop();
}

/* What must be refused, and the line that says why. */
/* PT-R3, R5, R6, R42 */
static void bad_certificates_are_named(void **state)
{
    static const struct {
        const char *host, *ca, *server, *client, *why;
    } rows[] = {
        {"127.0.0.1", "ca.crt", "server", "alice", ""},
        {"localhost", "ca.crt", "server", NULL, ""}, /* whether a certificate is needed is the owner's decision */
        {"localhost", "ca.crt", "expired", "alice", "has expired"},
        {"localhost", "ca.crt", "future", "alice", "is not valid yet"},
        {"localhost", "ca.crt", "elsewhere", "alice", "another host name"},
        {"127.0.0.1", "ca.crt", "elsewhere", "alice", "another address"},
        {"localhost", "ca.crt", "wildcard", "alice", "another host name"},
        {"localhost", "ca.crt", "common", "alice", "another host name"}, /* a common name is no host name */
        {"localhost", "other.crt", "server", "alice", "is not signed by a CA in"},
        {"localhost", "ca.crt", "server", "stranger", "refused the TLS connection: unknown CA"},
        {"localhost", "ca.crt", "server", "expired", "refused the TLS connection: certificate expired"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        start(rows[i].server, 5000, 0);
        struct side side = converse(rows[i].host, rows[i].ca, rows[i].client, BYTES("hello"), 5);
        if (!strstr(side.why, rows[i].why) || side.failed != (rows[i].why[0] != 0))
            fail_msg("row %zu: \"%s\" instead of \"%s\"", i, side.why, rows[i].why);
        wr_free(&side.got);
        stop();
    }
}

static void peers_are_named_by_san_else_common_name(void **state)
{
    static const struct {
        const char *certificate, *name;
    } rows[] = {{"alice", "alice.example"}, {"common", "localhost"}, {NULL, ""}, {"control", ""}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        start("server", 5000, 0);
        struct side side = converse("localhost", "ca.crt", rows[i].certificate, BYTES("x"), 1);
        assert_string_equal(side.why, "");
        assert_string_equal(world.last_peer, rows[i].name);
        wr_free(&side.got);
        stop();
    }
}

static void what_cannot_be_reached_is_said(void **state)
{
    (void)state;
    start("server", 5000, 0);
    uint16_t port = net_listener_port(world.listener);
    net_listener_close(world.listener);
    struct net_tls *tls = client_tls("ca.crt", "alice");
    struct error error;
    struct side side = {.loop = world.loop, .got = wr_of(0)};
    /* One turn to let the listener go. */
    struct net_timer *timer = net_timer_start(world.loop, 1, stop_loop, world.loop);
    net_loop_run(world.loop);
    net_timer_stop(timer);
    stop();
    world.loop = net_loop_new();
    side.loop = world.loop;
    assert_non_null(net_connect(world.loop, tls, "127.0.0.1", port, 5000, &client_handler, &side, &error));
    net_loop_run(world.loop);
    assert_non_null(strstr(side.why, "connection refused"));
    net_loop_free(world.loop);
    world.loop = net_loop_new();
    side.loop = world.loop;
    assert_non_null(net_connect(world.loop, tls, "no-such-host.invalid", port, 5000, &client_handler, &side, &error));
    net_loop_run(world.loop);
    assert_non_null(strstr(side.why, "no-such-host.invalid"));
    net_loop_free(world.loop);
    net_tls_free(tls);
}

static void bad_files_are_named(void **state)
{
    static const struct {
        const char *ca, *certificate, *key, *text;
    } rows[] = {
        {"absent.crt", "server.crt", "server.key", "absent.crt"},
        {"ca.key", "server.crt", "server.key", "ca.key"},
        {"ca.crt", "absent.crt", "server.key", "absent.crt"},
        {"ca.crt", "server.crt", "absent.key", "absent.key"},
        {"ca.crt", "server.crt", "alice.key", "does not belong to the certificate"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct error error = {""};
        assert_null(net_tls_new(true, path_of(rows[i].ca), path_of(rows[i].certificate), path_of(rows[i].key), &error));
        if (!strstr(error.text, rows[i].text))
            fail_msg("row %zu: %s", i, error.text);
    }
}

static void a_port_in_use_is_found_out(void **state)
{
    (void)state;
    struct error error = {""};
    start("server", 5000, 0);
    struct net_listen_options options = {.address = "127.0.0.1",
                                         .port = net_listener_port(world.listener),
                                         .tls = world.server,
                                         .handshake_ms = 1000,
                                         .accept = server_accept,
                                         .handler = &server_handler,
                                         .exclusive = true};
    assert_null(net_listen(world.loop, &options, &error));
    assert_non_null(strstr(error.text, "in use"));
    options.exclusive = false; /* a worker beside the first one */
    struct net_listener *second = net_listen(world.loop, &options, &error);
    assert_non_null(second);
    options.address = "192.0.2.1";
    assert_null(net_listen(world.loop, &options, &error));
    options.address = "nonsense";
    assert_null(net_listen(world.loop, &options, &error));
    stop();
}

/* 1,000 callers that send one octet of a handshake and wait. */
static void stalled_callers_neither_delay_nor_stay(void **state)
{
    enum { STALLED = 1000 };
    static int fds[STALLED];
    (void)state;
    net_raise_file_limit();
    start("server", 1500, 0);
    uint16_t port = net_listener_port(world.listener);
    for (size_t i = 0; i < STALLED; i++) {
        fds[i] = raw_connect(port);
        assert_int_equal(write(fds[i], "\x16", 1), 1);
    }
    uint64_t before = time_monotonic_ms();
    struct side side = converse("localhost", "ca.crt", "alice", BYTES("hello"), 5);
    uint64_t took = time_monotonic_ms() - before;
    assert_string_equal(side.why, "");
    assert_int_equal(world.accepted, STALLED + 1);
    assert_true(took < 1400); /* it did not wait for their deadline; sanitizers are slow */
    wr_free(&side.got);
    struct net_timer *timer = net_timer_start(world.loop, 2500, stop_loop, world.loop);
    net_loop_run(world.loop);
    net_timer_stop(timer);
    assert_int_equal(world.closed_early, STALLED);
    assert_string_equal(world.last_why, "TLS was not up in time");
    for (size_t i = 0; i < STALLED; i++)
        close(fds[i]);
    stop();
}

static bool is_closed(int fd)
{
    char octet;
    ssize_t n = recv(fd, &octet, 1, MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN);
}

static void the_oldest_stranger_makes_room(void **state)
{
    enum { ROOM = 5, CALLERS = 8 };
    int fds[CALLERS];
    (void)state;
    start("server", 20000, ROOM);
    for (size_t i = 0; i < CALLERS; i++)
        fds[i] = raw_connect(net_listener_port(world.listener));
    struct side side = converse("localhost", "ca.crt", "alice", BYTES("hello"), 5);
    assert_string_equal(side.why, ""); /* the newest of all is served */
    wr_free(&side.got);
    for (size_t i = 0; i < CALLERS; i++)
        assert_int_equal(is_closed(fds[i]), i < CALLERS + 1 - ROOM);
    for (size_t i = 0; i < CALLERS; i++)
        close(fds[i]);
    stop();
}

static void without_descriptors_the_oldest_stranger_goes_too(void **state)
{
    int fds[6], blocked[1024];
    size_t n = 0;
    (void)state;
    start("server", 20000, 1000);
    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
        fds[i] = raw_connect(net_listener_port(world.listener));
    struct net_timer *timer = net_timer_start(world.loop, 50, stop_loop, world.loop);
    net_loop_run(world.loop);
    net_timer_stop(timer);
    assert_int_equal(world.accepted, ARRAY_LENGTH(fds));
    /* From here on there is room for the client's own socket alone. */
    struct net_tls *tls = client_tls("ca.crt", "alice");
    struct rlimit old, low;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = 128;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    while (n < ARRAY_LENGTH(blocked) && (blocked[n] = dup(0)) >= 0)
        n++;
    close(blocked[--n]); /* for the client's own socket */
    struct side side = {.loop = world.loop, .got = wr_of(0), .says = BYTES("hello"), .expects = 5};
    struct error error;
    timer = net_timer_start(world.loop, 20000, out_of_time, NULL);
    assert_non_null(net_connect(world.loop, tls, "127.0.0.1", net_listener_port(world.listener), 5000, &client_handler,
                                &side, &error));
    net_loop_run(world.loop);
    net_timer_stop(timer);
    while (n > 0)
        close(blocked[--n]);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_string_equal(side.why, "");
    assert_true(is_closed(fds[0]));
    assert_false(is_closed(fds[ARRAY_LENGTH(fds) - 1]));
    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
        close(fds[i]);
    wr_free(&side.got);
    net_tls_free(tls);
    stop();
}

/* Posts from other threads arrive in order, and none is lost when the loop has stopped already. */
struct counted {
    struct net_post post;
    unsigned number;
};
static unsigned counted_next;
static struct net_loop *counted_loop;

static void count(void *argument)
{
    struct counted *c = argument;
    assert_int_equal(c->number, counted_next);
    if (++counted_next == 1000)
        net_loop_stop(counted_loop);
    free(c);
}

static void *post_from_a_thread(void *argument)
{
    for (unsigned i = 0; i < 1500; i++) {
        struct counted *c = calloc(1, sizeof *c);
        c->number = i;
        c->post = (struct net_post){.run = count, .argument = c};
        net_loop_post(argument, &c->post);
    }
    return NULL;
}

static void posts_arrive_in_order_and_none_is_lost(void **state)
{
    (void)state;
    pthread_t thread;
    counted_next = 0;
    counted_loop = net_loop_new();
    pthread_create(&thread, NULL, post_from_a_thread, counted_loop);
    net_loop_run(counted_loop);
    pthread_join(thread, NULL);
    assert_true(counted_next >= 1000);
    net_loop_free(counted_loop);
    assert_int_equal(counted_next, 1500);
}

static void idle(void *context, struct net_stream *s, struct bytes peer)
{
    struct side *side = context;
    on_open(context, s, peer);
    net_stream_deadline(s, net_loop_now(side->loop) + 60000); /* lazily moved away … */
    net_stream_deadline(s, net_loop_now(side->loop) + 50);    /* … and nearer */
}

static void deadlines_ring(void **state)
{
    static const struct net_handler handler = {.open = idle, .data = on_data, .tick = on_tick, .closed = on_closed};
    (void)state;
    start("server", 5000, 0);
    struct net_tls *tls = client_tls("ca.crt", "alice");
    struct side side = {.loop = world.loop, .got = wr_of(0)};
    struct error error;
    uint64_t before = time_monotonic_ms();
    assert_non_null(
        net_connect(world.loop, tls, "localhost", net_listener_port(world.listener), 5000, &handler, &side, &error));
    net_loop_run(world.loop);
    assert_true(side.ticked);
    assert_string_equal(side.why, "deadline");
    assert_true(time_monotonic_ms() - before >= 49);
    net_tls_free(tls);
    stop();
}

/* A loop freed in the middle of everything frees what is on it. */
static void a_loop_takes_its_streams_with_it(void **state)
{
    (void)state;
    start("server", 5000, 0);
    struct net_tls *tls = client_tls("ca.crt", "alice");
    struct side sides[3] = {{.loop = world.loop}, {.loop = world.loop}, {.loop = world.loop}};
    struct error error;
    for (size_t i = 0; i < ARRAY_LENGTH(sides); i++) /* the last one is still looking a name up */
        assert_non_null(net_connect(world.loop, tls, i == 2 ? "no-such-host.invalid" : "localhost",
                                    net_listener_port(world.listener), 5000, &client_handler, &sides[i], &error));
    struct net_timer *timer = net_timer_start(world.loop, 20, stop_loop, world.loop);
    net_loop_run(world.loop);
    net_timer_stop(timer);
    stop();
    for (size_t i = 0; i < ARRAY_LENGTH(sides); i++)
        assert_true(sides[i].closed);
    net_tls_free(tls);
}

/* ---- set-up ----------------------------------------------------------------------------------------------------- */

static int make_certificates(void **state)
{
    static const struct {
        const char *file, *common_name, *names;
        long from, to;
    } rows[] = {
        {"server", "server", "DNS:localhost,IP:127.0.0.1", -DAY, DAY},
        {"alice", "Alice", "DNS:alice.example", -DAY, DAY},
        {"common", "localhost", NULL, -DAY, DAY},
        {"control", "a\tb", NULL, -DAY, DAY},
        {"expired", "localhost", "DNS:localhost", -2 * DAY, -DAY},
        {"future", "localhost", "DNS:localhost", DAY, 2 * DAY},
        {"elsewhere", "localhost", "DNS:elsewhere,IP:127.0.0.2", -DAY, DAY},
        {"wildcard", "x", "DNS:*,DNS:local*,DNS:*host", -DAY, DAY},
    };
    (void)state;
    snprintf(world.folder, sizeof world.folder, "/tmp/muster-net-XXXXXX");
    if (!mkdtemp(world.folder))
        return -1;
    struct cert ca = cert_make(NULL, "Test CA", NULL, -3 * DAY, 3 * DAY),
                other = cert_make(NULL, "Other CA", NULL, -DAY, DAY);
    cert_write(&ca, world.folder, "ca");
    cert_write(&other, world.folder, "other");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct cert c = cert_make(&ca, rows[i].common_name, rows[i].names, rows[i].from, rows[i].to);
        cert_write(&c, world.folder, rows[i].file);
        cert_free(&c);
    }
    struct cert stranger = cert_make(&other, "stranger", "DNS:alice.example", -DAY, DAY);
    cert_write(&stranger, world.folder, "stranger");
    cert_free(&stranger);
    cert_free(&ca);
    cert_free(&other);
    return 0;
}

static int remove_certificates(void **state)
{
    static const char *const names[] = {"ca",      "other",  "server",    "alice",    "common",  "control",
                                        "expired", "future", "elsewhere", "wildcard", "stranger"};
    (void)state;
    char path[128];
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        for (int k = 0; k < 2; k++) {
            snprintf(path, sizeof path, "%s/%s.%s", world.folder, names[i], k ? "key" : "crt");
            unlink(path);
        }
    return rmdir(world.folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_conversation_arrives_whole),
        cmocka_unit_test(bad_certificates_are_named),
        cmocka_unit_test(peers_are_named_by_san_else_common_name),
        cmocka_unit_test(what_cannot_be_reached_is_said),
        cmocka_unit_test(bad_files_are_named),
        cmocka_unit_test(a_port_in_use_is_found_out),
        cmocka_unit_test(stalled_callers_neither_delay_nor_stay),
        cmocka_unit_test(the_oldest_stranger_makes_room),
        cmocka_unit_test(without_descriptors_the_oldest_stranger_goes_too),
        cmocka_unit_test(posts_arrive_in_order_and_none_is_lost),
        cmocka_unit_test(deadlines_ring),
        cmocka_unit_test(a_loop_takes_its_streams_with_it),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
