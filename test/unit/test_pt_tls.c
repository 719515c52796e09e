/* PT-TLS: what one side says octet by octet, and each error code. */
#include "nea/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define M(octets)        octets, sizeof octets - 1
#define VERSION_REQUEST  "\0\0\0\0\0\0\0\1\0\0\0\x14\0\0\0\0\0\1\1\1"
#define VERSION_RESPONSE "\0\0\0\0\0\0\0\2\0\0\0\x14\0\0\0\0\0\0\0\1"
#define NO_MECHANISMS    "\0\0\0\0\0\0\0\3\0\0\0\x10\0\0\0\1"
#define BATCH_CLOSE      "\0\0\0\0\0\0\0\7\0\0\0\x18\0\0\0\1\2\0\0\6\0\0\0\x08"

static struct nea_session *session(enum nea_role role, bool initiator, bool sasl)
{
    struct nea_config config = {.role = role, .initiator = initiator, .require_sasl = sasl};
    struct nea_session *s = nea_session_new(&config, 0);
    assert_non_null(s);
    return s;
}

static struct wr talk(struct nea_session *s, const char *octets, size_t n)
{
    struct wr w = wr_of(0);
    nea_session_feed(s, (struct bytes){(const uint8_t *)octets, n}, 1);
    nea_session_out(s, &w);
    return w;
}

static void assert_says(struct nea_session *s, const char *heard, size_t heard_n, const char *said, size_t said_n)
{
    struct wr w = talk(s, heard, heard_n);
    assert_int_equal(w.n, said_n);
    if (said_n)
        assert_memory_equal(w.p, said, said_n);
    wr_free(&w);
}

/* PT-R9, R10, R11, R12, R13, R14, R17, R30, R45 */
static void the_usual_negotiation(void **state)
{
    (void)state;
    struct nea_session *client = session(NEA_CLIENT, true, false), *server = session(NEA_SERVER, false, false);
    assert_says(client, M(""), M(VERSION_REQUEST));
    assert_says(server, M(""), M(""));
    assert_says(server, M(VERSION_REQUEST), M(VERSION_RESPONSE NO_MECHANISMS));
    assert_says(client, M(VERSION_RESPONSE), M(""));
    assert_false(nea_session_outcome(client).negotiated);
    /* With nothing to say, an empty CDATA at once. */
    assert_says(client, M(NO_MECHANISMS), M("\0\0\0\0\0\0\0\7\0\0\0\x18\0\0\0\1\2\0\0\1\0\0\0\x08"));
    assert_true(nea_session_outcome(client).negotiated);
    assert_true(nea_session_outcome(server).negotiated);
    assert_says(server, M(BATCH_CLOSE), M(""));
    assert_true(nea_session_finished(server));
    nea_session_free(client);
    nea_session_free(server);
}

/* The NEA Server opened the connection: it sends the Version Request, and the mechanisms all the same. */
/* PT-R11, R17, R31 */
static void the_other_way_round(void **state)
{
    (void)state;
    struct nea_session *client = session(NEA_CLIENT, false, false), *server = session(NEA_SERVER, true, false);
    assert_says(client, M(""), M(""));
    assert_says(server, M(""), M(VERSION_REQUEST));
    assert_says(client, M(VERSION_REQUEST), M(VERSION_RESPONSE));
    assert_says(server, M(VERSION_RESPONSE),
                M("\0\0\0\0\0\0\0\3\0\0\0\x10\0\0\0\1\0\0\0\0\0\0\0\7\0\0\0\x18\0\0\0\2\2\x80\0\2\0\0\0\x08"));
    /* The empty list and the first SDATA in one flight. */
    assert_says(client, M("\0\0\0\0\0\0\0\3\0\0\0\x10\0\0\0\1\0\0\0\0\0\0\0\7\0\0\0\x18\0\0\0\2\2\x80\0\2\0\0\0\x08"),
                M("\0\0\0\0\0\0\0\7\0\0\0\x18\0\0\0\1\2\0\0\1\0\0\0\x08"));
    nea_session_free(client);
    nea_session_free(server);
}

enum phase { START, AUTH, DATA };

/* A session that has come as far as `phase`. */
static struct nea_session *brought_to(enum nea_role role, enum phase phase)
{
    struct nea_session *s = session(role, role == NEA_CLIENT, false);
    struct wr w = talk(s, M(""));
    wr_free(&w);
    if (role == NEA_CLIENT && phase >= AUTH)
        w = talk(s, M(VERSION_RESPONSE));
    wr_free(&w);
    if (role == NEA_CLIENT && phase == DATA)
        w = talk(s, M(NO_MECHANISMS));
    if (role == NEA_SERVER && phase == DATA)
        w = talk(s, M(VERSION_REQUEST));
    wr_free(&w);
    return s;
}

#define ALIVE 0   /* as an expected code: no PT-TLS error, the session goes on */
#define ENDED 100 /* no answer, the session is over */

static const struct {
    const char *name;
    enum nea_role role;
    enum phase phase;
    const char *octets;
    size_t n;
    unsigned code;
    size_t copied;
} rows[] = {
    {"length 15", NEA_SERVER, START, M("\0\0\0\0\0\0\0\1\0\0\0\x0f\0\0\0\0"), PT_INVALID_PARAMETER, 16},
    {"length 0", NEA_SERVER, DATA, M("\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0\0"), PT_INVALID_PARAMETER, 16},
    {"length 4 GiB", NEA_SERVER, DATA, M("\0\0\0\0\0\0\0\7\xff\xff\xff\xff\0\0\0\0"), PT_INVALID_PARAMETER, 16},
    {"length above the bound before authentication", NEA_SERVER, START, M("\0\0\0\0\0\0\0\1\0\0\x10\1\0\0\0\0"),
     PT_INVALID_PARAMETER, 16},
    {"reserved vendor", NEA_SERVER, DATA, M("\0\xff\xff\xff\0\0\0\7\0\0\0\x10\0\0\0\0"), PT_INVALID_PARAMETER, 16},
    {"reserved type", NEA_SERVER, DATA, M("\0\0\0\0\xff\xff\xff\xff\0\0\0\x10\0\0\0\0"), PT_INVALID_PARAMETER, 16},
    {"version request of 19 octets", NEA_SERVER, START, M("\0\0\0\0\0\0\0\1\0\0\0\x13\0\0\0\0\0\1\1"),
     PT_INVALID_PARAMETER, 19},
    {"version request of 21 octets", NEA_SERVER, START, M("\0\0\0\0\0\0\0\1\0\0\0\x15\0\0\0\0\0\1\1\1\0"),
     PT_INVALID_PARAMETER, 21},
    {"versions 2 to 3", NEA_SERVER, START, M("\0\0\0\0\0\0\0\1\0\0\0\x14\0\0\0\0\0\2\3\2"), PT_VERSION_NOT_SUPPORTED,
     20},
    {"versions 0 to 255, preferring 7", NEA_SERVER, START, M("\xff\0\0\0\0\0\0\1\0\0\0\x14\0\0\0\0\xff\0\xff\7"), ALIVE,
     0},
    {"lowest above highest", NEA_SERVER, START, M("\0\0\0\0\0\0\0\1\0\0\0\x14\0\0\0\0\0\2\1\1"), PT_INVALID_MESSAGE,
     20},
    {"preference outside", NEA_SERVER, START, M("\0\0\0\0\0\0\0\1\0\0\0\x14\0\0\0\0\0\1\1\2"), PT_INVALID_MESSAGE, 20},
    {"a second version request", NEA_SERVER, DATA, M(VERSION_REQUEST), PT_INVALID_MESSAGE, 20},
    {"a batch first", NEA_SERVER, START, M(BATCH_CLOSE), PT_INVALID_MESSAGE, 24},
    {"an unknown type first", NEA_SERVER, START, M("\0\0\0\0\0\0\0\x09\0\0\0\x10\0\0\0\0"), PT_TYPE_NOT_SUPPORTED, 16},
    {"another vendor's type", NEA_SERVER, DATA, M("\0\0\x90\x2a\0\0\0\1\0\0\0\x10\0\0\0\0"), PT_TYPE_NOT_SUPPORTED, 16},
    {"experimental", NEA_SERVER, DATA, M("\0\0\0\0\0\0\0\0\0\0\0\x10\0\0\0\0"), PT_INVALID_MESSAGE, 16},
    {"mechanisms to a server", NEA_SERVER, DATA, M(NO_MECHANISMS), PT_INVALID_MESSAGE, 16},
    {"selection after the negotiation", NEA_SERVER, DATA, M("\0\0\0\0\0\0\0\4\0\0\0\x16\0\0\0\1\5PLAIN"),
     PT_INVALID_MESSAGE, 22},
    {"SASL data after the negotiation", NEA_SERVER, DATA, M("\0\0\0\0\0\0\0\5\0\0\0\x10\0\0\0\1"), PT_INVALID_MESSAGE,
     16},
    {"error 0", NEA_SERVER, DATA, M("\0\0\0\0\0\0\0\x08\0\0\0\x18\0\0\0\1\0\0\0\0\0\0\0\0"), ALIVE, 0},
    {"error 3", NEA_SERVER, DATA, M("\0\0\0\0\0\0\0\x08\0\0\0\x18\0\0\0\1\0\0\0\0\0\0\0\3"), ALIVE, 0},
    {"error 1", NEA_SERVER, DATA, M("\0\0\0\0\0\0\0\x08\0\0\0\x18\0\0\0\1\0\0\0\0\0\0\0\1"), ENDED, 0},
    {"error 2", NEA_SERVER, START, M("\0\0\0\0\0\0\0\x08\0\0\0\x18\0\0\0\1\0\0\0\0\0\0\0\2"), ENDED, 0},
    {"error 4", NEA_CLIENT, AUTH, M("\0\0\0\0\0\0\0\x08\0\0\0\x18\0\0\0\1\0\0\0\0\0\0\0\4"), ENDED, 0},
    {"error 5", NEA_SERVER, DATA, M("\0\0\0\0\0\0\0\x08\0\0\0\x18\0\0\0\1\0\0\0\0\0\0\0\5"), ENDED, 0},
    {"error 3 about an error (T11)", NEA_SERVER, DATA,
     M("\0\0\0\0\0\0\0\x08\0\0\0\x30\0\0\0\1\0\0\0\0\0\0\0\3"
       "\0\0\0\0\0\0\0\x08\0\0\0\x18\0\0\0\1\0\0\0\0\0\0\0\1"),
     ALIVE, 0},
    {"error 6", NEA_CLIENT, DATA, M("\0\0\0\0\0\0\0\x08\0\0\0\x18\0\0\0\1\0\0\0\0\0\0\0\6"), ENDED, 0},
    {"error 7", NEA_CLIENT, DATA, M("\0\0\0\0\0\0\0\x08\0\0\0\x18\0\0\0\1\0\0\0\0\0\0\0\7"), ALIVE, 0},
    {"error of another vendor", NEA_CLIENT, DATA, M("\0\0\0\0\0\0\0\x08\0\0\0\x18\0\0\0\1\0\0\x90\x2a\0\0\0\1"), ALIVE,
     0},
    {"error of 20 octets", NEA_CLIENT, DATA, M("\0\0\0\0\0\0\0\x08\0\0\0\x14\0\0\0\1\0\0\0\0"), ALIVE, 0},
    /* PT-R32: neither is one that breaks the framing, or is too long. */
    {"error of length 15", NEA_SERVER, DATA, M("\0\0\0\0\0\0\0\x08\0\0\0\x0f\0\0\0\1"), ENDED, 0},
    {"error of 4 GiB", NEA_CLIENT, DATA, M("\0\0\0\0\0\0\0\x08\xff\xff\xff\xff\0\0\0\1"), ENDED, 0},
    {"error of 5,000 octets first", NEA_SERVER, START, M("\0\0\0\0\0\0\0\x08\0\0\x13\x88\0\0\0\0"), ENDED, 0},
    {"error 4 instead of the version", NEA_CLIENT, START,
     M("\0\0\0\0\0\0\0\x08\0\0\0\x18\0\0\0\0\0\0\0\0\0\0\0\4"), ENDED, 0},
    {"another vendor's type that is called as an error is", NEA_SERVER, DATA,
     M("\0\0\x90\x2a\0\0\0\x08\0\0\0\x10\0\0\0\0"), PT_TYPE_NOT_SUPPORTED, 16},
    {"version 2 chosen", NEA_CLIENT, START, M("\0\0\0\0\0\0\0\2\0\0\0\x14\0\0\0\0\0\0\0\2"), PT_VERSION_NOT_SUPPORTED,
     20},
    {"mechanisms before the version", NEA_CLIENT, START, M(NO_MECHANISMS), PT_INVALID_MESSAGE, 16},
    {"an unknown type instead of the version", NEA_CLIENT, START, M("\0\0\0\0\0\0\0\x09\0\0\0\x10\0\0\0\0"),
     PT_INVALID_MESSAGE, 16},
    {"a request instead of the version", NEA_CLIENT, START, M(VERSION_REQUEST), PT_INVALID_MESSAGE, 20},
    {"a batch before the mechanisms", NEA_CLIENT, AUTH, M(BATCH_CLOSE), PT_INVALID_MESSAGE, 24},
    {"a mechanism that we lack", NEA_CLIENT, AUTH, M("\0\0\0\0\0\0\0\3\0\0\0\x18\0\0\0\1\xe7UNKNOWN"),
     PT_SASL_MECHANISM, 24},
    {"a mechanism without name", NEA_CLIENT, AUTH, M("\0\0\0\0\0\0\0\3\0\0\0\x11\0\0\0\1\0"), PT_MALFORMED, 17},
    {"a mechanism of 21 octets", NEA_CLIENT, AUTH,
     M("\0\0\0\0\0\0\0\3\0\0\0\x26\0\0\0\1\x15"
       "AAAAAAAAAAAAAAAAAAAAA"),
     PT_MALFORMED, 38},
    {"a mechanism cut short", NEA_CLIENT, AUTH, M("\0\0\0\0\0\0\0\3\0\0\0\x12\0\0\0\1\5P"), PT_MALFORMED, 18},
    {"SASL data without selection", NEA_CLIENT, AUTH, M("\0\0\0\0\0\0\0\5\0\0\0\x10\0\0\0\1"), PT_INVALID_MESSAGE, 16},
    {"SASL result without selection", NEA_CLIENT, AUTH, M("\0\0\0\0\0\0\0\6\0\0\0\x12\0\0\0\1\0\0"), PT_INVALID_MESSAGE,
     18},
    {"selection to a client", NEA_CLIENT, AUTH, M("\0\0\0\0\0\0\0\4\0\0\0\x16\0\0\0\1\5PLAIN"), PT_INVALID_MESSAGE, 22},
    {"mechanisms in the data phase", NEA_CLIENT, DATA, M(NO_MECHANISMS), PT_INVALID_MESSAGE, 16},
};

/* PT-R9, R12, R13, R14, R15, R16, R19, R24, R28, R29, R32, R34, R37, R38, R43, R44, R46 */
static void each_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct nea_session *s = brought_to(rows[i].role, rows[i].phase);
        struct wr w = talk(s, rows[i].octets, rows[i].n);
        bool error = w.n >= 24 && w.p[7] == 8;
        unsigned code = error ? w.p[23] : 0;
        bool ends = rows[i].code != ALIVE && rows[i].code != PT_TYPE_NOT_SUPPORTED;
        if (code != rows[i].code % ENDED || (error && w.n != 24 + rows[i].copied) || nea_session_finished(s) != ends)
            fail_msg("%s: error %u with %zu octets, %s", rows[i].name, code, w.n,
                     nea_session_finished(s) ? "ended" : "goes on");
        if (error)
            assert_memory_equal(w.p + 24, rows[i].octets, rows[i].copied);
        wr_free(&w);
        nea_session_free(s);
    }
}

/* PT-R10, R12, R16, R19, R24, R44: whatever is not allowed in a state, or not from that side, is Error 4. */
static void every_type_in_every_state(void **state)
{
    static const struct {
        const char *octets;
        size_t n;
    } messages[PT_TYPES] = {
        [PT_EXPERIMENTAL] = {M("\0\0\0\0\0\0\0\0\0\0\0\x10\0\0\0\1")},
        [PT_VERSION_REQUEST] = {M(VERSION_REQUEST)},
        [PT_VERSION_RESPONSE] = {M(VERSION_RESPONSE)},
        [PT_SASL_MECHANISMS] = {M(NO_MECHANISMS)},
        [PT_SASL_SELECTION] = {M("\0\0\0\0\0\0\0\4\0\0\0\x16\0\0\0\1\5PLAIN")},
        [PT_SASL_DATA] = {M("\0\0\0\0\0\0\0\5\0\0\0\x10\0\0\0\1")},
        [PT_SASL_RESULT] = {M("\0\0\0\0\0\0\0\6\0\0\0\x12\0\0\0\1\0\0")},
        [PT_BATCH] = {M(BATCH_CLOSE)},
    };
    static const unsigned allowed[2][PT_CLOSED] = {
        [NEA_CLIENT] = {[PT_VERSION] = 1u << PT_VERSION_RESPONSE,
                        [PT_AUTH] = 1u << PT_SASL_MECHANISMS,
                        [PT_SASL] = 1u << PT_SASL_DATA | 1u << PT_SASL_RESULT,
                        [PT_DATA] = 1u << PT_BATCH},
        [NEA_SERVER] = {[PT_VERSION] = 1u << PT_VERSION_REQUEST,
                        [PT_AUTH] = 1u << PT_SASL_SELECTION,
                        [PT_SASL] = 1u << PT_SASL_DATA,
                        [PT_DATA] = 1u << PT_BATCH},
    };
    (void)state;
    for (unsigned role = 0; role < 2; role++)
        for (unsigned at = PT_VERSION; at < PT_CLOSED; at++)
            for (unsigned type = 0; type < PT_ERROR; type++) {
                if (allowed[role][at] >> type & 1)
                    continue;
                struct nea_session *s = brought_to((enum nea_role)role, START);
                s->pt.state = (enum pt_state)at;
                struct wr w = talk(s, messages[type].octets, messages[type].n);
                if (w.n != 24 + messages[type].n || w.p[7] != PT_ERROR || w.p[23] != PT_INVALID_MESSAGE ||
                    !nea_session_finished(s))
                    fail_msg("role %u, state %u, type %u: %zu octets", role, at, type, w.n);
                wr_free(&w);
                nea_session_free(s);
            }
}

/* PT-R33 */
static void the_copy_is_cut(void **state)
{
    (void)state;
    struct nea_session *s = brought_to(NEA_SERVER, DATA);
    static uint8_t message[5000] = {0, 0, 0x90, 0x2a, 0, 0, 0, 1, 0, 0, 5000 >> 8, 5000 & 0xff};
    struct wr w = talk(s, (const char *)message, sizeof message);
    assert_int_equal(w.n, 24 + 1024);
    wr_free(&w);
    nea_session_free(s);
}

/* Unknown types are answered, harmless errors ignored: neither without end. */
static void patience_ends(void **state)
{
    static const char messages[2][24] = {"\0\0\x90\x2a\0\0\0\1\0\0\0\x18\0\0\0\0",
                                         "\0\0\0\0\0\0\0\x08\0\0\0\x18\0\0\0\0\0\0\0\0\0\0\0\3"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(messages); i++) {
        struct nea_session *s = brought_to(NEA_SERVER, DATA);
        unsigned n = 0;
        while (!nea_session_finished(s) && n < 1000) {
            struct wr w = talk(s, messages[i], sizeof messages[i]);
            assert_true(i == 0 || w.n == 0);
            wr_free(&w);
            n++;
        }
        assert_in_range(n, 10, 100);
        nea_session_free(s);
    }
}

static void an_empty_batch_is_the_brokers_business(void **state)
{
    (void)state;
    struct nea_session *s = brought_to(NEA_SERVER, DATA);
    struct wr w = talk(s, M("\0\0\0\0\0\0\0\7\0\0\0\x10\0\0\0\1"));
    assert_int_equal(w.n, 16 + 8 + 24); /* CLOSE, Invalid Parameter, offset 0 */
    assert_int_equal(w.p[7], 7);
    assert_int_equal(w.p[19], 6);
    assert_memory_equal(w.p + 16 + 8 + 12, "\x80\0\0\0\0\1\0\0\0\0\0\0", 12);
    wr_free(&w);
    nea_session_free(s);
}

/* PT-R19, R26 */
static void without_the_sasl_that_is_demanded(void **state)
{
    (void)state;
    struct nea_session *s = session(NEA_SERVER, false, true);
    struct wr w = talk(s, M(VERSION_REQUEST));
    assert_true(nea_session_finished(s));
    assert_false(nea_session_outcome(s).negotiated);
    assert_int_equal(w.p[20 + 7], 8);
    assert_int_equal(w.p[20 + 23], PT_SASL_MECHANISM);
    wr_free(&w);
    nea_session_free(s);
}

/* What is announced is not allocated: 2 MiB promised, one octet sent. */
static void idle_connections_are_small(void **state)
{
    (void)state;
    struct nea_session *s = brought_to(NEA_SERVER, DATA);
    struct wr w = talk(s, M("\0\0\0\0\0\0\0\7\0\x1f\xff\xff\0\0\0\1\2"));
    assert_int_equal(w.n, 0);
    assert_true(s->pt.in.capacity <= 256);
    wr_free(&w);
    nea_session_free(s);
}

/* PT-L2: whoever sends octet by octet gains no time by it, neither in an assessment nor on a connection that idles
 * (what has come of a message is kept); 64 KiB of a message within its time do. */
static void drops_buy_no_time(void **state)
{
    static const uint8_t drops[65536];
    (void)state;
    for (unsigned idle = 0; idle < 2; idle++) {
        struct nea_session *s = brought_to(NEA_SERVER, DATA);
        struct wr w = wr_of(0);
        nea_session_out(s, &w);
        if (idle) {
            s->state = PB_DECIDED;
            assert_int_equal(nea_session_deadline(s), UINT64_MAX);
        }
        nea_session_feed(s, BYTES("\0\0\0\0\0\0\0\7\0\x1f\0\0\0\0\0\1"), 10000);
        for (uint64_t now = 11000; now < 70000; now += 1000) {
            nea_session_feed(s, BYTES("\2"), now);
            assert_int_equal(nea_session_deadline(s), 70000);
        }
        nea_session_feed(s, (struct bytes){drops, sizeof drops}, 69000);
        assert_int_equal(nea_session_deadline(s), 129000);
        nea_session_tick(s, 129000);
        assert_true(nea_session_finished(s));
        wr_free(&w);
        nea_session_free(s);
    }
}

/* PT-R30 */
/* T1: an octet at a time, and all at once; with identifiers of any kind, T9: PT-R30 asks the receiver for nothing but
 * patience. */
static void cut_anywhere(void **state)
{
    static const char stream[] = VERSION_REQUEST "\0\0\x90\x2a\0\0\0\1\0\0\0\x10\xff\xff\xff\xff"
                                                 "\0\0\0\0\0\0\0\7\0\0\0\x18\0\0\0\0\2\0\0\6\0\0\0\x08";
    static const char said[] = VERSION_RESPONSE NO_MECHANISMS "\0\0\0\0\0\0\0\x08\0\0\0\x28\0\0\0\2\0\0\0\0\0\0\0\3"
                                                              "\0\0\x90\x2a\0\0\0\1\0\0\0\x10\xff\xff\xff\xff";
    (void)state;
    for (size_t chunk = 1; chunk < sizeof stream; chunk++) {
        struct nea_session *s = session(NEA_SERVER, false, false);
        struct wr all = wr_of(0);
        for (size_t at = 0; at < sizeof stream - 1; at += chunk) {
            struct wr w = talk(s, stream + at, sizeof stream - 1 - at < chunk ? sizeof stream - 1 - at : chunk);
            wr_bytes(&all, wr_view(&w));
            wr_free(&w);
        }
        assert_int_equal(all.n, sizeof said - 1);
        assert_memory_equal(all.p, said, all.n);
        assert_true(nea_session_finished(s));
        wr_free(&all);
        nea_session_free(s);
    }
}

static void identifiers_roll_over(void **state)
{
    (void)state;
    struct nea_session *s = session(NEA_SERVER, false, false);
    s->pt.next_id = 0xffffffff;
    struct wr w = talk(s, M(VERSION_REQUEST));
    assert_memory_equal(w.p + 12, "\xff\xff\xff\xff", 4);
    assert_memory_equal(w.p + 20 + 12, "\0\0\0\0", 4);
    wr_free(&w);
    nea_session_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_usual_negotiation),
        cmocka_unit_test(the_other_way_round),
        cmocka_unit_test(each_error),
        cmocka_unit_test(every_type_in_every_state),
        cmocka_unit_test(the_copy_is_cut),
        cmocka_unit_test(patience_ends),
        cmocka_unit_test(an_empty_batch_is_the_brokers_business),
        cmocka_unit_test(without_the_sasl_that_is_demanded),
        cmocka_unit_test(idle_connections_are_small),
        cmocka_unit_test(drops_buy_no_time),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(identifiers_roll_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
