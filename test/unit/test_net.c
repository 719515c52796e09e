#include "net/private.h"

#include "certs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
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
    unsigned accepted, closed_early, ended;
    bool proves; /* the server takes every peer for authenticated */
    struct net_stream *youngest;
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
    if (side->echoes) {
        memcpy(world.last_peer, side->peer, sizeof world.last_peer);
        world.youngest = s;
        if (world.proves)
            net_stream_authenticated(s);
    }
    if (side->says.n)
        assert_true(net_stream_write(s, side->says));
}

static void on_data(void *context, struct bytes plaintext)
{
    struct side *side = context;
    if (side->echoes && !net_stream_write(side->stream, plaintext))
        net_stream_abort(side->stream, "too much is queued");
    if (!side->echoes)
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
    world.closed_early += !side->opened;
    world.ended++;
    world.youngest = NULL;
    snprintf(world.last_why, sizeof world.last_why, "%s", why ? why : "");
    wr_free(&side->got);
    free(side);
}

static const struct net_handler server_handler = {
    .open = on_open, .data = on_data, .tick = on_tick, .closed = server_closed};

static void start_with(const char *certificate, const struct net_listen_options *wanted)
{
    struct error error;
    char crt[32], key[32];
    snprintf(crt, sizeof crt, "%s.crt", certificate);
    snprintf(key, sizeof key, "%s.key", certificate);
    world.loop = net_loop_new();
    world.accepted = world.closed_early = world.ended = 0;
    world.last_why[0] = 0;
    world.server = net_tls_new(true, path_of("ca.crt"), path_of(crt), path_of(key), &error);
    assert_non_null(world.server);
    struct net_listen_options options = *wanted;
    options.address = "127.0.0.1";
    options.tls = world.server;
    options.accept = server_accept;
    options.handler = &server_handler;
    world.listener = net_listen(world.loop, &options, &error);
    assert_non_null(world.listener);
}

static void start(const char *certificate, unsigned handshake_ms, unsigned max_streams)
{
    start_with(certificate, &(struct net_listen_options){.handshake_ms = handshake_ms, .max_streams = max_streams});
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

static int raw_connect_from(const char *source, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in b = {.sin_family = AF_INET, .sin_addr.s_addr = inet_addr(source)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&b, sizeof b), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static int raw_connect(uint16_t port)
{
    return raw_connect_from("127.0.0.1", port);
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

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
/* PT-R5, R6, R41, R42 */
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

static void addresses_are_what_people_write(void **unused)
{
    static const struct {
        const char *text;
        enum net_address_use use;
        const char *host; /* NULL: refused, and `why` stands in the message */
        unsigned port;
        const char *why;
    } rows[] = {
        {"web1", NET_CALL, "web1", 271, NULL},
        {"web1:1", NET_CALL, "web1", 1, NULL},
        {"192.0.2.1:65535", NET_CALL, "192.0.2.1", 65535, NULL},
        {"[2001:db8::1]:4", NET_CALL, "2001:db8::1", 4, NULL},
        {"[2001:db8::1]", NET_CALL, "2001:db8::1", 271, NULL},
        {"2001:db8::1", NET_CALL, "2001:db8::1", 271, NULL},
        {"::1", NET_CALL, "::1", 271, NULL},
        {"271", NET_CALL, "271", 271, NULL},
        {"web1:99999", NET_CALL, NULL, 0, "the port is none"},
        {"web1:65536", NET_CALL, NULL, 0, "1 to 65535"},
        {"web1:0", NET_CALL, NULL, 0, "1 to 65535"},
        {"web1:", NET_CALL, NULL, 0, "the port is none"},
        {"web1:x", NET_CALL, NULL, 0, "the port is none"},
        {"web1:18446744073709551617", NET_CALL, NULL, 0, "1 to 65535"},
        {"https://web1", NET_CALL, NULL, 0, "the port is none"},
        {"", NET_CALL, NULL, 0, "there is no host"},
        {":271", NET_CALL, NULL, 0, "there is no host"},
        {"[]:271", NET_CALL, NULL, 0, "there is no host"},
        {"[::1", NET_CALL, NULL, 0, "brackets"},
        {"[::1]271", NET_CALL, NULL, 0, "brackets"},
        {"[::1]:", NET_CALL, NULL, 0, "the port is none"},
        {"2271", NET_LISTEN, "::", 2271, NULL},
        {"0", NET_LISTEN, "::", 0, NULL},
        {"192.0.2.1:0", NET_LISTEN, "192.0.2.1", 0, NULL},
        {"192.0.2.1", NET_LISTEN, "192.0.2.1", 271, NULL},
        {"[::1]:70", NET_LISTEN, "::1", 70, NULL},
        {"::1:70", NET_LISTEN, NULL, 0, "wants its brackets"},
        {"::1", NET_LISTEN, NULL, 0, "wants its brackets"},
        {"70000", NET_LISTEN, NULL, 0, "1 to 65535"},
        {":70000", NET_LISTEN, NULL, 0, "1 to 65535"},
        {"192.0.2.1:", NET_LISTEN, NULL, 0, "the port is none"},
        {"", NET_LISTEN, NULL, 0, "the port is none"},
    };
    char longest[300];
    struct error error;
    (void)unused;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct net_address a = {"::", 271};
        bool good = net_address_parse(rows[i].text, rows[i].use, &a, &error);
        if (good != (rows[i].host != NULL) || (good && (strcmp(a.host, rows[i].host) != 0 || a.port != rows[i].port)) ||
            (!good && !strstr(error.text, rows[i].why)))
            fail_msg("\"%s\": %s %s %u", rows[i].text, good ? "" : error.text, a.host, a.port);
    }
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = 0;
    struct net_address a = {"", 271};
    assert_false(net_address_parse(longest, NET_CALL, &a, &error));
    longest[255] = 0;
    assert_true(net_address_parse(longest, NET_CALL, &a, &error));
}

/* RFC 4013 §3 gives the first examples. */
static void texts_are_prepared(void **unused)
{
    static const struct {
        const char *text, *prepared; /* NULL: it cannot be */
    } rows[] = {
        {"I\xc2\xadX", "IX"},
        {"user", "user"},
        {"USER", "USER"},
        {"\xc2\xaa", "a"},
        {"\xe2\x85\xa8", "IX"},
        {"\x07", NULL},
        {"\xd8\xa7\x31", NULL}, /* ends in the other direction */
        {"", NULL},
        {"\xc2\xad", NULL}, /* nothing is left */
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
        {"gru\xcc\x88\xc3\x9f", "gr\xc3\xbc\xc3\x9f"}, /* as macOS writes it */
        {"\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xed\x95\x9c"}, /* Hangul, letter by letter */
        {"\xef\xbc\xa1\xef\xbc\x91", "A1"}, /* wide */
        {"a\xc2\xa0"
         "b",
         "a b"},
        {"\xf0\x9f\x94\x91", "\xf0\x9f\x94\x91"}, /* younger than Unicode 3.2 */
        {"\xd8\xa7\xd8\xa8", "\xd8\xa7\xd8\xa8"},
        {"\xee\x80\x80", NULL}, /* private */
        {"\xef\xbf\xbd", NULL},
        {"a\xff", NULL},
        {"a\xc3", NULL},
    };
    uint8_t out[255];
    char longest[300];
    (void)unused;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        size_t n = net_saslprep(bytes_of(rows[i].text), out, sizeof out);
        if (n != (rows[i].prepared ? strlen(rows[i].prepared) : 0) || (n && memcmp(out, rows[i].prepared, n) != 0))
            fail_msg("row %zu: %zu octets", i, n);
    }
    assert_int_equal(net_saslprep((struct bytes){(const uint8_t *)"a\0\xc3\xbc", 4}, out, sizeof out), 0);
    memset(longest, 'x', sizeof longest);
    assert_int_equal(net_saslprep((struct bytes){(const uint8_t *)longest, 255}, out, sizeof out), 255);
    assert_int_equal(net_saslprep((struct bytes){(const uint8_t *)longest, 256}, out, sizeof out), 0);
    for (size_t i = 0; i < 255; i += 3) /* each becomes 33 octets: more than fits anywhere */
        memcpy(longest + i, "\xef\xb7\xba", 3);
    assert_int_equal(net_saslprep((struct bytes){(const uint8_t *)longest, 255}, out, sizeof out), 0);
    assert_int_equal(net_saslprep((struct bytes){(const uint8_t *)longest, 21}, out, sizeof out), 7 * 33);
    memcpy(out, "u\xcc\x88", 3); /* in place */
    assert_int_equal(net_saslprep((struct bytes){out, 3}, out, sizeof out), 2);
    assert_memory_equal(out, "\xc3\xbc", 2);
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

/* ---- peers that do not play along: OpenSSL by hand, on the loop's own thread ------------------------------------ */

struct hand {
    SSL_CTX *context;
    SSL *ssl;
    int fd;
};

/* A few milliseconds of the server's life. */
static void turn(void)
{
    struct net_timer *timer = net_timer_start(world.loop, 5, stop_loop, world.loop);
    net_loop_run(world.loop);
    net_timer_stop(timer);
}

static struct hand hand_open(const char *certificate, int lowest, int highest)
{
    char crt[32], key[32];
    struct hand h = {.context = SSL_CTX_new(TLS_client_method()), .fd = raw_connect(net_listener_port(world.listener))};
    snprintf(crt, sizeof crt, "%s.crt", certificate);
    snprintf(key, sizeof key, "%s.key", certificate);
    assert_int_equal(SSL_CTX_use_certificate_file(h.context, path_of(crt), SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(h.context, path_of(key), SSL_FILETYPE_PEM), 1);
    SSL_CTX_set_security_level(h.context, 0);
    assert_int_equal(SSL_CTX_set_min_proto_version(h.context, lowest), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(h.context, highest), 1);
    assert_int_equal(fcntl(h.fd, F_SETFL, O_NONBLOCK), 0);
    h.ssl = SSL_new(h.context);
    SSL_set_fd(h.ssl, h.fd);
    SSL_set_connect_state(h.ssl);
    return h;
}

static void hand_close(struct hand *h)
{
    SSL_free(h->ssl);
    SSL_CTX_free(h->context);
    close(h->fd);
}

/* Until it is through, or has failed, or nothing happens any more. */
static bool hand_shakes(struct hand *h)
{
    for (unsigned i = 0; i < 200; i++) {
        ERR_clear_error();
        int result = SSL_do_handshake(h->ssl), why = SSL_get_error(h->ssl, result);
        if (result == 1 || (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE))
            return result == 1;
        turn();
    }
    return false;
}

/* What comes back, up to `size`; 0: nothing, or the end. */
static size_t hand_reads(struct hand *h, char *p, size_t size)
{
    size_t n = 0;
    for (unsigned i = 0; i < 200; i++) {
        ERR_clear_error();
        int result = SSL_read_ex(h->ssl, p, size, &n), why = SSL_get_error(h->ssl, result);
        if (result == 1 || why != SSL_ERROR_WANT_READ)
            return n;
        turn();
    }
    return 0;
}

static bool hand_echoes(struct hand *h)
{
    char text[8];
    size_t n;
    ERR_clear_error();
    return SSL_write_ex(h->ssl, "hello", 5, &n) == 1 && hand_reads(h, text, sizeof text) == 5 &&
           memcmp(text, "hello", 5) == 0;
}

/* PT-R4: a peer that is gone shows, on both sides. */
static void connections_are_kept_alive(void **state)
{
    (void)state;
    start("server", 5000, 0);
    struct hand h = hand_open("alice", TLS1_2_VERSION, TLS1_3_VERSION);
    int fd, on = 0, idle = 0, interval = 0, count = 0;
    socklen_t n = sizeof on;
    assert_true(hand_shakes(&h) && hand_echoes(&h));
    assert_int_equal(uv_fileno((uv_handle_t *)&world.youngest->tcp, &fd), 0);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &n), 0);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, &n), 0);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, &n), 0);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, &n), 0);
    assert_int_equal(on, 1);
    assert_in_range(idle + interval * count, 1, 120);
    hand_close(&h);
    stop();
}

/* PT-R8 */
static void old_versions_are_refused(void **state)
{
    static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(versions); i++) {
        start("server", 5000, 0);
        struct hand h = hand_open("alice", versions[i], versions[i]);
        assert_int_equal(hand_shakes(&h), versions[i] >= TLS1_2_VERSION);
        if (versions[i] >= TLS1_2_VERSION)
            assert_true(hand_echoes(&h));
        hand_close(&h);
        stop();
    }
}

/* PT-R7, RFC 6876 §3.4.2 (T16): a renegotiation is refused and nothing is negotiated anew; what belongs to a connection in
 * TLS 1.3, a new key, is taken. */
static void a_connection_is_negotiated_once(void **state)
{
    (void)state;
    start("server", 5000, 0);
    struct hand h = hand_open("alice", TLS1_2_VERSION, TLS1_2_VERSION);
    assert_true(hand_shakes(&h));
    assert_true(SSL_get_secure_renegotiation_support(h.ssl)); /* RFC 5746 */
    assert_true(hand_echoes(&h));
    assert_int_equal(SSL_renegotiate(h.ssl), 1);
    assert_false(hand_shakes(&h));
    assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_NO_RENEGOTIATION);
    hand_close(&h);
    h = hand_open("alice", TLS1_3_VERSION, TLS1_3_VERSION);
    assert_true(hand_shakes(&h));
    assert_int_equal(SSL_key_update(h.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    assert_true(hand_echoes(&h));
    assert_true(hand_echoes(&h));
    hand_close(&h);
    stop();
}

/* A session that the server never gave, and that allows early data. */
static int forge_session(SSL *ssl, const EVP_MD *hash, const unsigned char **id, size_t *n, SSL_SESSION **session)
{
    static const uint8_t key[32] = {1};
    const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, (const unsigned char *)"\x13\x01");
    (void)hash;
    *session = SSL_SESSION_new();
    *id = (const unsigned char *)"ticket";
    *n = 6;
    return cipher && SSL_SESSION_set1_master_key(*session, key, sizeof key) && SSL_SESSION_set_cipher(*session, cipher) &&
           SSL_SESSION_set_protocol_version(*session, TLS1_3_VERSION) && SSL_SESSION_set_max_early_data(*session, 4096);
}

/* RFC 8446 §8: early data can be replayed. Nothing gives a peer the means, and what it sends all the same is not heard. */
static void early_data_is_not_heard(void **state)
{
    size_t n;
    (void)state;
    start("server", 5000, 0);
    struct hand h = hand_open("alice", TLS1_3_VERSION, TLS1_3_VERSION);
    assert_true(hand_shakes(&h) && hand_echoes(&h));
    assert_false(SSL_SESSION_is_resumable(SSL_get0_session(h.ssl)));
    hand_close(&h);
    h = hand_open("alice", TLS1_3_VERSION, TLS1_3_VERSION);
    SSL_set_psk_use_session_callback(h.ssl, forge_session);
    for (unsigned i = 0; i < 200 && SSL_write_early_data(h.ssl, "early", 5, &n) != 1; i++)
        turn();
    assert_int_equal(n, 5);
    assert_true(hand_shakes(&h));
    assert_int_equal(SSL_get_early_data_status(h.ssl), SSL_EARLY_DATA_REJECTED);
    assert_true(hand_echoes(&h)); /* "hello" alone */
    hand_close(&h);
    stop();
}

/* T1, a handshake and a record of one octet at a time. */
static void a_peer_may_be_slow(void **state)
{
    (void)state;
    start("server", 20000, 0);
    struct hand h = hand_open("alice", TLS1_3_VERSION, TLS1_3_VERSION);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    char buffer[4096], text[8];
    size_t got = 0;
    int n;
    SSL_set_bio(h.ssl, in, out);
    for (unsigned i = 0; i < 400 && got == 0; i++) {
        char octet;
        ERR_clear_error();
        if (SSL_do_handshake(h.ssl) == 1 && !SSL_get_app_data(h.ssl)) {
            SSL_set_app_data(h.ssl, &h);
            assert_int_equal(SSL_write(h.ssl, "hello", 5), 5);
        }
        while (BIO_read(out, &octet, 1) == 1) {
            assert_int_equal(send(h.fd, &octet, 1, 0), 1);
            net_loop_post(world.loop, &(struct net_post){.run = stop_loop, .argument = world.loop});
            net_loop_run(world.loop);
        }
        turn();
        while ((n = (int)recv(h.fd, buffer, sizeof buffer, 0)) > 0)
            assert_int_equal(BIO_write(in, buffer, n), n);
        SSL_read_ex(h.ssl, text, sizeof text, &got);
    }
    assert_int_equal(got, 5);
    assert_memory_equal(text, "hello", 5);
    hand_close(&h);
    stop();
}

/* T15: FIN without close_notify is a cut; with it, and where only the peer's direction ends, what it asked before is
 * still answered. */
static void half_closed_connections_end(void **state)
{
    char text[8];
    (void)state;
    for (unsigned polite = 0; polite < 2; polite++) {
        start("server", 5000, 0);
        struct hand h = hand_open("alice", TLS1_2_VERSION, TLS1_3_VERSION);
        size_t n;
        assert_true(hand_shakes(&h) && hand_echoes(&h));
        assert_int_equal(SSL_write_ex(h.ssl, "bye", 3, &n), 1);
        if (polite)
            SSL_shutdown(h.ssl);
        shutdown(h.fd, SHUT_WR);
        assert_int_equal(hand_reads(&h, text, sizeof text), 3);
        for (unsigned i = 0; i < 200 && !is_closed(h.fd); i++)
            turn();
        assert_true(is_closed(h.fd));
        assert_int_equal(world.ended, 1);
        assert_string_equal(world.last_why, polite ? "" : "127.0.0.1 cut the connection off");
        hand_close(&h);
        stop();
    }
}

/* And the same without a word of TLS before. */
static void half_closed_before_tls(void **state)
{
    (void)state;
    start("server", 5000, 0);
    for (unsigned i = 0; i < 2; i++) {
        int fd = raw_connect(net_listener_port(world.listener));
        if (i)
            assert_int_equal(write(fd, "\x16\x03\x01", 3), 3);
        shutdown(fd, SHUT_WR);
        for (unsigned k = 0; k < 200 && world.ended <= i; k++)
            turn();
        assert_int_equal(world.ended, i + 1);
        assert_string_equal(world.last_why, "127.0.0.1 closed the connection before TLS was up");
        close(fd);
    }
    stop();
}

/* A peer that asks and asks, and reads nothing: what waits for it is bounded, and it is given up in time. */
static void give_up(bool impatient, const char *why)
{
    static char question[16384];
    start("server", 5000, 0);
    world.loop->drain_ms = impatient ? 60000 : 300;
    struct hand h = hand_open("alice", TLS1_2_VERSION, TLS1_3_VERSION);
    size_t n, asked = 0;
    assert_true(hand_shakes(&h));
    for (unsigned i = 0; i < 2000 && !world.ended; i++) {
        ERR_clear_error();
        bool enough = world.youngest && world.youngest->queued > (impatient ? SIZE_MAX : 1u << 20);
        if (!enough && SSL_write_ex(h.ssl, question, sizeof question, &n) == 1)
            asked += n;
        else
            turn();
        assert_true(!world.youngest || world.youngest->queued <= ((size_t)8 << 20) + sizeof question);
    }
    assert_true(asked > 100000);
    assert_int_equal(world.ended, 1);
    assert_string_equal(world.last_why, why);
    hand_close(&h);
    stop();
}

static void who_never_reads_is_given_up(void **state)
{
    (void)state;
    give_up(false, "the peer does not read what it is sent");
    give_up(true, "too much is queued");
}

/* Nor does it help to read a little. */
static void who_reads_slowly_but_reads_is_served(void **state)
{
    static char text[600000];
    (void)state;
    start("server", 5000, 0);
    world.loop->drain_ms = 400;
    struct hand h = hand_open("alice", TLS1_2_VERSION, TLS1_3_VERSION);
    size_t n, got = 0, sent = 0;
    assert_true(hand_shakes(&h));
    while (sent < 4000000) {
        ERR_clear_error();
        if (SSL_write_ex(h.ssl, text, 16384, &n) == 1)
            sent += n;
        turn();
    }
    uint64_t began = time_monotonic_ms();
    while (got < sent && !world.ended) { /* some 100 KiB in 50 ms */
        size_t wanted = got + 100000;
        ERR_clear_error();
        while (got < wanted && got < sent && SSL_read_ex(h.ssl, text, 16384, &n) == 1)
            got += n;
        for (unsigned i = 0; i < 10; i++)
            turn();
    }
    assert_int_equal(got, sent);
    assert_true(time_monotonic_ms() - began > 2 * 400);
    assert_true(hand_echoes(&h));
    hand_close(&h);
    stop();
}

/* Each source has its share of those who have not authenticated; the oldest of that source goes, of others nobody. */
static void a_source_has_its_share(void **state)
{
    enum { SHARE = 4, CALLERS = 7 };
    int fds[CALLERS], other[2];
    (void)state;
    start_with("server", &(struct net_listen_options){.handshake_ms = 20000, .max_strangers = SHARE});
    uint16_t port = net_listener_port(world.listener);
    for (size_t i = 0; i < ARRAY_LENGTH(other); i++)
        other[i] = raw_connect_from("127.0.0.9", port);
    for (size_t i = 0; i < CALLERS; i++)
        fds[i] = raw_connect_from("127.0.0.1", port);
    for (unsigned i = 0; i < 200 && world.ended < CALLERS - SHARE; i++)
        turn();
    assert_int_equal(world.ended, CALLERS - SHARE);
    assert_non_null(strstr(world.last_why, "newer connection from its address"));
    struct side side = converse("localhost", "ca.crt", "alice", BYTES("hello"), 5);
    assert_string_equal(side.why, ""); /* from 127.0.0.1: the newest of all is served */
    wr_free(&side.got);
    for (size_t i = 0; i < CALLERS; i++)
        assert_int_equal(is_closed(fds[i]), i < CALLERS + 1 - SHARE);
    for (size_t i = 0; i < ARRAY_LENGTH(other); i++) {
        assert_false(is_closed(other[i]));
        close(other[i]);
    }
    for (size_t i = 0; i < CALLERS; i++)
        close(fds[i]);
    stop();
}

/* Who has authenticated counts no more, however many there are. */
static void the_proven_do_not_count(void **state)
{
    enum { PROVEN = 6 };
    struct hand hands[PROVEN];
    (void)state;
    start_with("server", &(struct net_listen_options){.handshake_ms = 20000, .max_strangers = 2});
    world.proves = true;
    for (size_t i = 0; i < PROVEN; i++) {
        hands[i] = hand_open("alice", TLS1_2_VERSION, TLS1_3_VERSION);
        assert_true(hand_shakes(&hands[i]) && hand_echoes(&hands[i]));
    }
    for (size_t i = 0; i < PROVEN; i++) {
        assert_true(hand_echoes(&hands[i]));
        hand_close(&hands[i]);
    }
    world.proves = false;
    stop();
}

/* Of TLS certificates, too, one is not the other: what a CA made for a server is no endpoint's, and the reverse. Those
 * without a purpose are good for both. */
static void purposes_are_told_apart(void **state)
{
    static const struct {
        const char *server, *client, *why;
    } rows[] = {
        {"server", "alice", ""},
        {"for-servers", "for-clients", ""},
        {"for-both", "for-both", ""},
        {"for-clients", "for-clients", "is not meant for this use"},
        {"for-servers", "for-servers", "refused the TLS connection: unsupported certificate"},
        {"for-code", "alice", "is not meant for this use"},
        {"server", "for-code", "refused the TLS connection: unsupported certificate"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        start(rows[i].server, 5000, 0);
        struct side side = converse("localhost", "ca.crt", rows[i].client, BYTES("hello"), 5);
        if (!strstr(side.why, rows[i].why) || side.failed != (rows[i].why[0] != 0))
            fail_msg("row %zu: \"%s\" instead of \"%s\"", i, side.why, rows[i].why);
        wr_free(&side.got);
        stop();
    }
}

/* ---- set-up ----------------------------------------------------------------------------------------------------- */

static int make_certificates(void **state)
{
    static const struct {
        const char *file, *common_name, *names;
        long from, to;
        const char *purpose;
    } rows[] = {
        {"server", "server", "DNS:localhost,IP:127.0.0.1", -DAY, DAY},
        {"alice", "Alice", "DNS:alice.example", -DAY, DAY},
        {"common", "localhost", NULL, -DAY, DAY},
        {"control", "a\tb", NULL, -DAY, DAY},
        {"expired", "localhost", "DNS:localhost", -2 * DAY, -DAY},
        {"future", "localhost", "DNS:localhost", DAY, 2 * DAY},
        {"elsewhere", "localhost", "DNS:elsewhere,IP:127.0.0.2", -DAY, DAY},
        {"wildcard", "x", "DNS:*,DNS:local*,DNS:*host", -DAY, DAY},
        {"for-servers", "localhost", "DNS:localhost", -DAY, DAY, "serverAuth"},
        {"for-clients", "localhost", "DNS:localhost", -DAY, DAY, "clientAuth"},
        {"for-both", "localhost", "DNS:localhost", -DAY, DAY, "clientAuth,serverAuth"},
        {"for-code", "localhost", "DNS:localhost", -DAY, DAY, "codeSigning"},
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
        if (rows[i].purpose)
            cert_purpose(&c, &ca, rows[i].purpose);
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
                                        "expired", "future", "elsewhere", "wildcard", "stranger",
                                        "for-servers", "for-clients", "for-both", "for-code"};
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
        cmocka_unit_test(addresses_are_what_people_write),
        cmocka_unit_test(texts_are_prepared),
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
        cmocka_unit_test(connections_are_kept_alive),
        cmocka_unit_test(old_versions_are_refused),
        cmocka_unit_test(a_connection_is_negotiated_once),
        cmocka_unit_test(early_data_is_not_heard),
        cmocka_unit_test(a_peer_may_be_slow),
        cmocka_unit_test(half_closed_connections_end),
        cmocka_unit_test(half_closed_before_tls),
        cmocka_unit_test(who_never_reads_is_given_up),
        cmocka_unit_test(who_reads_slowly_but_reads_is_served),
        cmocka_unit_test(a_source_has_its_share),
        cmocka_unit_test(the_proven_do_not_count),
        cmocka_unit_test(purposes_are_told_apart),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
