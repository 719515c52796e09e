/* Logins: SASL inside PT-TLS sessions of both roles, octet by octet. */
#include "nea/internal.h"
#include "net/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- crypto that can fail ---- */

static long crypto_calls, crypto_fails_at;

static bool crypto_ok(void)
{
    return ++crypto_calls != crypto_fails_at;
}

static bool a_hash(struct bytes text, uint8_t out[NEA_KEY])
{
    return crypto_ok() && net_sha256(text, out);
}

static bool an_hmac(struct bytes key, struct bytes text, uint8_t out[NEA_KEY])
{
    return crypto_ok() && net_hmac_sha256(key, text, out);
}

static bool a_pbkdf2(struct bytes password, struct bytes salt, uint32_t iterations, uint8_t out[NEA_KEY])
{
    return crypto_ok() && net_pbkdf2_sha256(password, salt, iterations, out);
}

static bool a_random(uint8_t *p, size_t n)
{
    return crypto_ok() && net_random(p, n);
}

static const struct nea_crypto crypto = {a_hash, an_hmac, a_pbkdf2, a_random};

static struct nea_verifier verifier_of(const char *password)
{
    struct nea_verifier v;
    assert_true(nea_verifier_make(&v, &crypto, bytes_of(password), 4096));
    return v;
}

/* ---- sessions ---- */

struct host {
    struct nea_verifier verifier; /* of the one account, "carol" */
    bool later, unavailable;
    struct nea_session *server;
    struct nea_login open;
    bool waiting;
    unsigned asked, right, wrong;
    char name[64];
};

static void host_answers(struct host *h)
{
    bool known = bytes_equal(h->open.name, BYTES("carol"));
    struct nea_verifier made_up = verifier_of("nobody knows");
    h->waiting = false;
    if (h->unavailable)
        nea_session_login(h->server, NEA_LOGIN_UNAVAILABLE, NULL);
    else if (h->open.password.n)
        nea_session_login(h->server,
                          known && nea_verifier_matches(&h->verifier, &crypto, h->open.password) ? NEA_LOGIN_RIGHT
                                                                                                 : NEA_LOGIN_WRONG,
                          NULL);
    else
        nea_session_login(h->server, NEA_LOGIN_RIGHT, known ? &h->verifier : &made_up);
}

static void host_login(void *context, const struct nea_login *login)
{
    struct host *h = context;
    h->open = *login;
    h->waiting = true;
    h->asked++;
    if (!h->later)
        host_answers(h);
}

static void host_done(void *context, struct bytes name, bool proven)
{
    struct host *h = context;
    *(proven ? &h->right : &h->wrong) += 1;
    snprintf(h->name, sizeof h->name, "%.*s", (int)name.n, (const char *)name.p);
}

static struct nea_session *server_of(struct host *h, const char *certificate, bool passwords)
{
    struct nea_config config = {.role = NEA_SERVER,
                                .require_sasl = true,
                                .peer_name = bytes_of(certificate),
                                .crypto = &crypto,
                                .login = passwords ? host_login : NULL,
                                .login_done = host_done,
                                .host = h};
    h->server = nea_session_new(&config, 0);
    assert_non_null(h->server);
    return h->server;
}

static struct nea_session *client_of(const char *user, const char *password, bool certificate, bool verified)
{
    struct nea_config config = {.role = NEA_CLIENT,
                                .initiator = true,
                                .crypto = &crypto,
                                .user = bytes_of(user),
                                .password = bytes_of(password),
                                .certificate = certificate,
                                .peer_verified = verified};
    struct nea_session *s = nea_session_new(&config, 0);
    assert_non_null(s);
    return s;
}

/* Everything that is to be carried; what the client said, too. */
static void talk_out(struct nea_session *client, struct host *h, struct wr *said)
{
    struct wr w = wr_of(0);
    for (bool moving = true; moving;) {
        wr_reset(&w);
        nea_session_out(client, &w);
        if (said)
            wr_bytes(said, wr_view(&w));
        moving = w.n > 0;
        if (w.n)
            nea_session_feed(h->server, wr_view(&w), 1);
        if (h->waiting) {
            host_answers(h);
            moving = true;
        }
        wr_reset(&w);
        nea_session_out(h->server, &w);
        moving |= w.n > 0;
        if (w.n)
            nea_session_feed(client, wr_view(&w), 1);
    }
    wr_free(&w);
}

static bool contains(const struct wr *w, const char *text)
{
    return w->n && memmem(w->p, w->n, text, strlen(text)) != NULL;
}

/* PT-R18, R22, R39, R45 */
static void logins(void **state)
{
    static const struct {
        const char *user, *password, *certificate; /* certificate: the server knows its name, the client has shown it */
        bool verified, passwords, in;
        const char *mechanism;
        unsigned wrong;
    } rows[] = {
        {"carol", "Ar3etTnp", NULL, true, true, true, "SCRAM-SHA-256", 0},
        {"carol", "Ar3etTnp", NULL, false, true, true, "SCRAM-SHA-256", 0},
        {"carol", "wrong", NULL, true, true, false, "SCRAM-SHA-256", 1},
        {"dave", "Ar3etTnp", NULL, true, true, false, "SCRAM-SHA-256", 1},
        {"carol", "Ar3etTnp", "host", true, true, true, "EXTERNAL", 0},
        {NULL, NULL, "host", true, false, true, "EXTERNAL", 0},
        {NULL, NULL, NULL, true, true, false, NULL, 0},
        {"carol", "Ar3etTnp", NULL, true, false, false, NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LENGTH(rows); i++) {
        const size_t row = i / 2;
        struct host h = {.verifier = verifier_of("Ar3etTnp"), .later = i % 2};
        struct wr said = wr_of(0);
        struct nea_session *server = server_of(&h, rows[row].certificate, rows[row].passwords);
        struct nea_session *client =
            client_of(rows[row].user, rows[row].password, rows[row].certificate != NULL, rows[row].verified);
        talk_out(client, &h, &said);
        if (nea_session_outcome(client).negotiated != rows[row].in ||
            nea_session_outcome(server).negotiated != rows[row].in || h.wrong != rows[row].wrong ||
            (rows[row].mechanism && !contains(&said, rows[row].mechanism)))
            fail_msg("row %zu: %s", row, nea_session_outcome(client).fault.text);
        assert_false(contains(&said, "Ar3etTnp"));
        assert_int_equal(h.right, rows[row].in);
        if (!rows[row].in) {
            assert_true(nea_session_finished(client));
            assert_true(nea_session_outcome(client).fault.text[0] != 0);
        } else {
            assert_true(bytes_equal(wr_view(&server->peer_name),
                                    bytes_of(rows[row].certificate ? rows[row].certificate : rows[row].user)));
            assert_null(server->pt.sasl);
        }
        wr_free(&said);
        nea_session_free(client);
        nea_session_free(server);
    }
}

/* ---- PT-TLS octet by octet ---- */

#define VERSION_REQUEST   "\0\0\0\0\0\0\0\1\0\0\0\x14\0\0\0\0\0\1\1\1"
#define VERSION_RESPONSE  "\0\0\0\0\0\0\0\2\0\0\0\x14\0\0\0\0\0\0\0\1"
#define OFFER(id)         "\0\0\0\0\0\0\0\3\0\0\0\x24\0\0\0" id "\x0dSCRAM-SHA-256\x05PLAIN"
#define OFFER_PLAIN       "\0\0\0\0\0\0\0\3\0\0\0\x16\0\0\0\1\x05PLAIN"
#define NO_MECHANISMS(id) "\0\0\0\0\0\0\0\3\0\0\0\x10\0\0\0" id
#define EMPTY_CDATA(id)   "\0\0\0\0\0\0\0\7\0\0\0\x18\0\0\0" id "\2\0\0\1\0\0\0\x08"

static void hear(struct nea_session *s, const char *octets, size_t n)
{
    nea_session_feed(s, (struct bytes){(const uint8_t *)octets, n}, 1);
}
#define HEAR(s, literal) hear(s, literal, sizeof literal - 1)

static void assert_says(struct nea_session *s, const char *octets, size_t n)
{
    struct wr w = wr_of(0);
    nea_session_out(s, &w);
    assert_int_equal(w.n, n);
    if (n)
        assert_memory_equal(w.p, octets, n);
    wr_free(&w);
}
#define SAYS(s, literal) assert_says(s, literal, sizeof literal - 1)

/* One PT-TLS Error with this code at the end of what is said. */
static void assert_error(struct nea_session *s, unsigned code, size_t copied)
{
    struct wr w = wr_of(0);
    nea_session_out(s, &w);
    assert_true(w.n >= 24 + copied);
    const uint8_t *e = w.p + w.n - 24 - copied;
    assert_int_equal(e[7], 8);
    assert_int_equal(e[23], code);
    assert_true(nea_session_finished(s));
    wr_free(&w);
}

/* strongSwan 6's client, as recorded: our server lets it in, and its octets are its own. */
/* PT-R18, R20, R39 */
static void strongswans_client_as_recorded(void **state)
{
    (void)state;
    struct host h = {.verifier = verifier_of("Ar3etTnp")};
    struct nea_session *server = server_of(&h, NULL, true);
    HEAR(server, VERSION_REQUEST);
    SAYS(server, VERSION_RESPONSE OFFER("\1"));
    HEAR(server, "\0\0\0\0\0\0\0\4\0\0\0\x25\0\0\0\1\5PLAIN\0carol\0Ar3etTnp");
    /* Read as one octet and one octet of data it is success as well. */
    SAYS(server, "\0\0\0\0\0\0\0\6\0\0\0\x12\0\0\0\2\0\0" NO_MECHANISMS("\3"));
    assert_true(nea_session_outcome(server).negotiated);
    assert_string_equal(h.name, "carol");
    nea_session_free(server);
    /* The wrong password: abort, and the end; a failure would be success to it. */
    server = server_of(&h, NULL, true);
    HEAR(server, VERSION_REQUEST);
    SAYS(server, VERSION_RESPONSE OFFER("\1"));
    HEAR(server, "\0\0\0\0\0\0\0\4\0\0\0\x22\0\0\0\1\5PLAIN\0carol\0wrong");
    SAYS(server, "\0\0\0\0\0\0\0\6\0\0\0\x12\0\0\0\2\0\2");
    assert_true(nea_session_finished(server));
    assert_false(nea_session_outcome(server).negotiated);
    nea_session_free(server);
}

/* strongSwan 6's server: one octet of result, PLAIN only. T14. */
static void strongswans_server_as_recorded(void **state)
{
    static const struct {
        const char *octets;
        size_t n;
        bool in;
    } results[] = {
#define R(literal) literal, sizeof literal - 1
        {R("\0\0\0\0\0\0\0\6\0\0\0\x11\0\0\0\2\0"), true},     {R("\0\0\0\0\0\0\0\6\0\0\0\x12\0\0\0\2\0\0"), true},
        {R("\0\0\0\0\0\0\0\6\0\0\0\x14\0\0\0\2\0\0OK"), true}, {R("\0\0\0\0\0\0\0\6\0\0\0\x11\0\0\0\2\1"), false},
        {R("\0\0\0\0\0\0\0\6\0\0\0\x12\0\0\0\2\0\1"), false},  {R("\0\0\0\0\0\0\0\6\0\0\0\x11\0\0\0\2\2"), false},
        {R("\0\0\0\0\0\0\0\6\0\0\0\x12\0\0\0\2\0\2"), false},  {R("\0\0\0\0\0\0\0\6\0\0\0\x12\0\0\0\2\0\3"), false},
#undef R
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(results); i++) {
        struct nea_session *client = client_of("carol", "Ar3etTnp", false, true);
        SAYS(client, VERSION_REQUEST);
        HEAR(client, VERSION_RESPONSE);
        HEAR(client, OFFER_PLAIN);
        SAYS(client, "\0\0\0\0\0\0\0\4\0\0\0\x25\0\0\0\1\5PLAIN\0carol\0Ar3etTnp");
        hear(client, results[i].octets, results[i].n);
        HEAR(client, NO_MECHANISMS("\3"));
        if (results[i].in)
            SAYS(client, EMPTY_CDATA("\2"));
        else
            SAYS(client, "");
        assert_int_equal(nea_session_outcome(client).negotiated, results[i].in);
        assert_int_equal(nea_session_finished(client), !results[i].in);
        nea_session_free(client);
    }
}

/* Never PLAIN to whom TLS has not verified. */
static void no_password_for_strangers(void **state)
{
    (void)state;
    struct nea_session *client = client_of("carol", "Ar3etTnp", false, false);
    SAYS(client, VERSION_REQUEST);
    HEAR(client, VERSION_RESPONSE);
    HEAR(client, OFFER_PLAIN);
    assert_error(client, PT_SASL_MECHANISM, 22);
    nea_session_free(client);
}

static struct nea_session *asked(struct host *h)
{
    struct nea_session *s = server_of(h, NULL, true);
    HEAR(s, VERSION_REQUEST);
    SAYS(s, VERSION_RESPONSE OFFER("\1"));
    return s;
}

/* PT-R10, R19, R22, R24, R26 */
static void what_a_client_may_not_do(void **state)
{
    static const struct {
        const char *name, *first;
        size_t first_n;
        const char *then;
        size_t then_n;
        unsigned code;
        bool later;
    } rows[] = {
#define T(literal)   literal, sizeof literal - 1
#define SELECT_PLAIN "\0\0\0\0\0\0\0\4\0\0\0\x16\0\0\0\1\5PLAIN"
#define LOGIN        "\0\0\0\0\0\0\0\4\0\0\0\x1d\0\0\0\1\5PLAIN\0u\0pppp"
#define DATA         "\0\0\0\0\0\0\0\5\0\0\0\x10\0\0\0\2"
#define BATCH        "\0\0\0\0\0\0\0\7\0\0\0\x18\0\0\0\2\2\0\0\1\0\0\0\x08"
        {"plain in lower case (T5)", "", 0, T("\0\0\0\0\0\0\0\4\0\0\0\x16\0\0\0\1\5plain"), PT_SASL_MECHANISM, false},
        {"EXTERNAL without certificate", "", 0,
         T("\0\0\0\0\0\0\0\4\0\0\0\x19\0\0\0\1\x08"
           "EXTERNAL"),
         PT_SASL_MECHANISM, false},
        {"an unknown mechanism", "", 0, T("\0\0\0\0\0\0\0\4\0\0\0\x15\0\0\0\1\4NTLM"), PT_SASL_MECHANISM, false},
        {"no name", "", 0, T("\0\0\0\0\0\0\0\4\0\0\0\x11\0\0\0\1\0"), PT_MALFORMED, false},
        {"nothing at all", "", 0, T("\0\0\0\0\0\0\0\4\0\0\0\x10\0\0\0\1"), PT_MALFORMED, false},
        {"a name cut short", "", 0, T("\0\0\0\0\0\0\0\4\0\0\0\x13\0\0\0\1\5PL"), PT_MALFORMED, false},
        {"data before a selection", "", 0, T(DATA), PT_INVALID_MESSAGE, false},
        {"a batch instead of a login", "", 0, T(BATCH), PT_INVALID_MESSAGE, false},
        {"another selection", T(SELECT_PLAIN), T(SELECT_PLAIN), PT_INVALID_MESSAGE, false},
        {"a batch in the exchange", T(SELECT_PLAIN), T(BATCH), PT_INVALID_MESSAGE, false},
        {"a batch right behind the password (T7)", T(LOGIN), T(BATCH), PT_INVALID_MESSAGE, true},
        {"data while the host thinks", T(LOGIN), T(DATA), PT_INVALID_MESSAGE, true},
        {"a selection while the host thinks", T(LOGIN), T(LOGIN), PT_INVALID_MESSAGE, true},
        {"a result", T(SELECT_PLAIN), T("\0\0\0\0\0\0\0\6\0\0\0\x12\0\0\0\2\0\0"), PT_INVALID_MESSAGE, false},
        {"a list", T(SELECT_PLAIN), T(OFFER("\2")), PT_INVALID_MESSAGE, false},
        {"a version", T(SELECT_PLAIN), T(VERSION_REQUEST), PT_INVALID_MESSAGE, false},
        {"experimental", T(SELECT_PLAIN), T("\0\0\0\0\0\0\0\0\0\0\0\x10\0\0\0\2"), PT_INVALID_MESSAGE, false},
#undef T
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct host h = {.verifier = verifier_of("Ar3etTnp"), .later = rows[i].later};
        struct nea_session *s = asked(&h);
        struct wr w = wr_of(0);
        hear(s, rows[i].first, rows[i].first_n);
        nea_session_out(s, &w);
        hear(s, rows[i].then, rows[i].then_n);
        wr_reset(&w);
        nea_session_out(s, &w);
        if (w.n != 24 + rows[i].then_n || w.p[7] != 8 || w.p[23] != rows[i].code || !nea_session_finished(s))
            fail_msg("%s: %zu octets", rows[i].name, w.n);
        assert_memory_equal(w.p + 24, rows[i].then, rows[i].then_n);
        /* The host's word comes too late, and changes nothing. */
        if (h.waiting)
            host_answers(&h);
        SAYS(s, "");
        assert_true(nea_session_finished(s));
        assert_false(nea_session_outcome(s).negotiated);
        wr_free(&w);
        nea_session_free(s);
    }
}

/* PT-R24, R25, R26, R46 */
static void what_a_server_may_not_do(void **state)
{
    static const struct {
        const char *name, *octets;
        size_t n;
        unsigned code;
    } rows[] = {
#define T(literal) literal, sizeof literal - 1
        {"the empty list in the exchange (T6)", T(NO_MECHANISMS("\2")), PT_INVALID_MESSAGE},
        {"another list", T(OFFER_PLAIN), PT_INVALID_MESSAGE},
        {"a batch", T("\0\0\0\0\0\0\0\7\0\0\0\x18\0\0\0\2\2\x80\0\2\0\0\0\x08"), PT_INVALID_MESSAGE},
        {"a challenge to PLAIN", T("\0\0\0\0\0\0\0\5\0\0\0\x10\0\0\0\2"), PT_SASL_MECHANISM},
        {"a result without code", T("\0\0\0\0\0\0\0\6\0\0\0\x10\0\0\0\2"), PT_MALFORMED},
        {"result 4", T("\0\0\0\0\0\0\0\6\0\0\0\x12\0\0\0\2\0\4"), PT_MALFORMED},
        {"result 4 in one octet", T("\0\0\0\0\0\0\0\6\0\0\0\x11\0\0\0\2\4"), PT_MALFORMED},
        {"result 256", T("\0\0\0\0\0\0\0\6\0\0\0\x12\0\0\0\2\1\0"), PT_MALFORMED},
        {"a selection", T(SELECT_PLAIN), PT_INVALID_MESSAGE},
#undef T
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct nea_session *s = client_of("carol", "Ar3etTnp", false, true);
        struct wr w = wr_of(0);
        HEAR(s, VERSION_RESPONSE OFFER_PLAIN);
        nea_session_out(s, &w);
        hear(s, rows[i].octets, rows[i].n);
        wr_reset(&w);
        nea_session_out(s, &w);
        if (w.n != 24 + rows[i].n || w.p[7] != 8 || w.p[23] != rows[i].code || !nea_session_finished(s))
            fail_msg("%s: %zu octets", rows[i].name, w.n);
        wr_free(&w);
        nea_session_free(s);
    }
}

/* PT-R26, PT-R32: either side may abort an exchange by an error, also while the host thinks; it is not answered. */
static void an_error_ends_an_exchange(void **state)
{
    static const char error[] = "\0\0\0\0\0\0\0\x08\0\0\0\x18\0\0\0\2\0\0\0\0\0\0\0\5";
    (void)state;
    struct wr w = wr_of(0);
    for (unsigned i = 0; i < 3; i++) {
        struct host h = {.verifier = verifier_of("Ar3etTnp"), .later = true};
        struct nea_session *s = i < 2 ? asked(&h) : client_of("carol", "Ar3etTnp", false, true);
        if (i < 2)
            hear(s, i ? LOGIN : SELECT_PLAIN, i ? sizeof LOGIN - 1 : sizeof SELECT_PLAIN - 1);
        else
            HEAR(s, VERSION_RESPONSE OFFER_PLAIN);
        nea_session_out(s, &w);
        hear(s, error, sizeof error - 1);
        SAYS(s, "");
        assert_true(nea_session_finished(s));
        assert_int_equal(nea_session_outcome(s).fault.code, PT_SASL_MECHANISM);
        if (h.waiting)
            host_answers(&h);
        SAYS(s, "");
        assert_false(nea_session_outcome(s).negotiated);
        nea_session_free(s);
    }
    wr_free(&w);
}

/* A SCRAM server that says "success" and proves nothing, or the wrong thing. */
/* PT-R40 */
static void success_wants_a_proof(void **state)
{
    static const char *const ends[] = {"", "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "e=invalid-proof"};
    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LENGTH(ends); i++) {
        struct nea_session *s = client_of("carol", "Ar3etTnp", false, true);
        struct wr w = wr_of(0), m = wr_of(0);
        HEAR(s, VERSION_RESPONSE OFFER("\1"));
        if (i % 2) { /* even before the client has proved anything */
            wr_fmt(&m, "r=%.*sx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", (int)s->pt.sasl->nonce.n,
                   (const char *)s->pt.sasl->nonce.p);
            struct wr data = wr_of(0);
            wr_u32(&data, 0);
            wr_u32(&data, 5);
            wr_u32(&data, 16 + m.n);
            wr_u32(&data, 2);
            wr_bytes(&data, wr_view(&m));
            nea_session_feed(s, wr_view(&data), 1);
            wr_free(&data);
        }
        wr_reset(&m);
        wr_u32(&m, 0);
        wr_u32(&m, 6);
        wr_u32(&m, 18 + strlen(ends[i / 2]));
        wr_u32(&m, 3);
        wr_u16(&m, 0);
        wr_str(&m, ends[i / 2]);
        nea_session_out(s, &w);
        nea_session_feed(s, wr_view(&m), 1);
        assert_error(s, PT_SASL_MECHANISM, m.n);
        assert_false(nea_session_outcome(s).negotiated);
        wr_free(&w);
        wr_free(&m);
        nea_session_free(s);
    }
}

/* PT-R26 */
static void three_failures_and_no_more(void **state)
{
    (void)state;
    struct host h = {.verifier = verifier_of("Ar3etTnp")};
    struct nea_session *s = asked(&h);
    for (unsigned i = 1; i <= 3; i++) {
        struct wr w = wr_of(0);
        HEAR(s, "\0\0\0\0\0\0\0\4\0\0\0\x2c\0\0\0\1\x0dSCRAM-SHA-256n,,n=carol,r=x");
        nea_session_out(s, &w);
        assert_int_equal(w.p[7], 5);
        HEAR(s, "\0\0\0\0\0\0\0\5\0\0\0\x12\0\0\0\1xx");
        wr_reset(&w);
        nea_session_out(s, &w);
        assert_int_equal(w.n, 18);
        assert_int_equal(w.p[7], 6);
        assert_int_equal(w.p[17], i < 3 ? 1 : 2);
        assert_int_equal(nea_session_finished(s), i == 3);
        assert_int_equal(h.wrong, i);
        wr_free(&w);
    }
    nea_session_free(s);
}

/* After a failure another try may succeed, with PLAIN, too. */
static void a_second_try(void **state)
{
    (void)state;
    struct host h = {.verifier = verifier_of("Ar3etTnp")};
    struct nea_session *s = asked(&h);
    HEAR(s, "\0\0\0\0\0\0\0\4\0\0\0\x1f\0\0\0\1\x0dSCRAM-SHA-256?");
    SAYS(s, "\0\0\0\0\0\0\0\6\0\0\0\x12\0\0\0\2\0\1");
    HEAR(s, SELECT_PLAIN);
    SAYS(s, "\0\0\0\0\0\0\0\5\0\0\0\x10\0\0\0\3");
    HEAR(s, "\0\0\0\0\0\0\0\5\0\0\0\x1f\0\0\0\2\0carol\0Ar3etTnp");
    SAYS(s, "\0\0\0\0\0\0\0\6\0\0\0\x12\0\0\0\4\0\0" NO_MECHANISMS("\5"));
    assert_true(nea_session_outcome(s).negotiated);
    nea_session_free(s);
}

/* The client tries what may help, and nothing else. */
static void the_clients_second_try(void **state)
{
    (void)state;
    /* SCRAM is broken at the server: PLAIN. */
    struct nea_session *s = client_of("carol", "Ar3etTnp", false, true);
    struct wr w = wr_of(0);
    HEAR(s, VERSION_RESPONSE OFFER("\1"));
    nea_session_out(s, &w);
    HEAR(s, "\0\0\0\0\0\0\0\6\0\0\0\x12\0\0\0\2\0\3");
    SAYS(s, "\0\0\0\0\0\0\0\4\0\0\0\x25\0\0\0\2\5PLAIN\0carol\0Ar3etTnp");
    nea_session_free(s);
    /* The password is wrong: it would be so in PLAIN, and is not shown around. */
    s = client_of("carol", "Ar3etTnp", false, true);
    HEAR(s, VERSION_RESPONSE OFFER("\1"));
    nea_session_out(s, &w);
    HEAR(s, "\0\0\0\0\0\0\0\6\0\0\0\x12\0\0\0\2\0\1");
    SAYS(s, "");
    assert_true(nea_session_finished(s));
    nea_session_free(s);
    /* The certificate is not enough: the password may be. */
    s = client_of("carol", "Ar3etTnp", true, true);
    HEAR(s, VERSION_RESPONSE "\0\0\0\0\0\0\0\3\0\0\0\x1f\0\0\0\1\x08"
                             "EXTERNAL\x05PLAIN");
    wr_reset(&w);
    nea_session_out(s, &w);
    assert_memory_equal(w.p + 20,
                        "\0\0\0\0\0\0\0\4\0\0\0\x19\0\0\0\1\x08"
                        "EXTERNAL",
                        25);
    HEAR(s, "\0\0\0\0\0\0\0\6\0\0\0\x12\0\0\0\2\0\1");
    SAYS(s, "\0\0\0\0\0\0\0\4\0\0\0\x25\0\0\0\2\5PLAIN\0carol\0Ar3etTnp");
    nea_session_free(s);
    wr_free(&w);
}

/* T6: two rounds, then the empty list. */
/* PT-R22, R45 */
static void two_rounds(void **state)
{
    (void)state;
    struct nea_session *s = client_of("carol", "Ar3etTnp", true, true);
    SAYS(s, VERSION_REQUEST);
    HEAR(s, VERSION_RESPONSE "\0\0\0\0\0\0\0\3\0\0\0\x19\0\0\0\1\xe8"
                             "EXTERNAL");
    SAYS(s, "\0\0\0\0\0\0\0\4\0\0\0\x19\0\0\0\1\x08"
            "EXTERNAL");
    HEAR(s, "\0\0\0\0\0\0\0\5\0\0\0\x10\0\0\0\2");
    SAYS(s, "\0\0\0\0\0\0\0\5\0\0\0\x10\0\0\0\2");
    HEAR(s, "\0\0\0\0\0\0\0\6\0\0\0\x12\0\0\0\3\0\0");
    assert_false(nea_session_outcome(s).negotiated);
    HEAR(s, OFFER_PLAIN);
    SAYS(s, "\0\0\0\0\0\0\0\4\0\0\0\x25\0\0\0\3\5PLAIN\0carol\0Ar3etTnp");
    HEAR(s, "\0\0\0\0\0\0\0\6\0\0\0\x12\0\0\0\3\0\0" NO_MECHANISMS("\4"));
    SAYS(s, EMPTY_CDATA("\4"));
    assert_true(nea_session_outcome(s).negotiated);
    nea_session_free(s);
    /* And a server that never has enough. */
    s = client_of("carol", "Ar3etTnp", false, true);
    HEAR(s, VERSION_RESPONSE);
    unsigned n = 0;
    for (; n < 100 && !nea_session_finished(s); n++)
        HEAR(s, OFFER_PLAIN "\0\0\0\0\0\0\0\6\0\0\0\x12\0\0\0\2\0\0");
    assert_true(n <= SASL_ROUNDS_MAX);
    nea_session_free(s);
}

/* T12: the NEA Server opened the connection; the list of mechanisms still comes from it. */
static void the_server_may_call(void **state)
{
    (void)state;
    struct host h = {.verifier = verifier_of("Ar3etTnp"), .later = true};
    struct nea_config config = {.role = NEA_SERVER,
                                .initiator = true,
                                .require_sasl = true,
                                .crypto = &crypto,
                                .login = host_login,
                                .login_done = host_done,
                                .host = &h};
    h.server = nea_session_new(&config, 0);
    config = (struct nea_config){.role = NEA_CLIENT,
                                 .crypto = &crypto,
                                 .user = BYTES("carol"),
                                 .password = BYTES("Ar3etTnp"),
                                 .peer_verified = true};
    struct nea_session *client = nea_session_new(&config, 0);
    struct wr w = wr_of(0);
    nea_session_out(h.server, &w);
    nea_session_feed(client, wr_view(&w), 1);
    wr_free(&w);
    talk_out(client, &h, NULL);
    assert_true(nea_session_outcome(client).negotiated);
    assert_true(nea_session_outcome(h.server).negotiated);
    assert_int_equal(h.right, 1);
    nea_session_free(client);
    nea_session_free(h.server);
}

static void who_cannot_answer_says_so(void **state)
{
    (void)state;
    struct host h = {.unavailable = true};
    struct nea_session *s = asked(&h);
    HEAR(s, LOGIN);
    SAYS(s, "\0\0\0\0\0\0\0\6\0\0\0\x12\0\0\0\2\0\3");
    assert_true(nea_session_finished(s));
    assert_int_equal(h.wrong, 0);
    nea_session_free(s);
}

static void the_negotiation_has_a_deadline(void **state)
{
    (void)state;
    struct host h = {.later = true, .verifier = verifier_of("pppp")};
    struct nea_session *s = asked(&h);
    HEAR(s, LOGIN);
    assert_true(nea_session_deadline(s) <= 30000);
    nea_session_tick(s, 29999);
    assert_false(nea_session_finished(s));
    nea_session_tick(s, 30000);
    assert_true(nea_session_finished(s));
    host_answers(&h);
    SAYS(s, "");
    assert_true(nea_session_finished(s));
    nea_session_free(s);
}

/* The server's every hash, in turn, fails: nobody gets in by that, nothing leaks, nothing hangs. */
static void crypto_may_fail_anywhere(void **state)
{
    (void)state;
    for (long at = 1;; at++) {
        struct host h = {.verifier = verifier_of("other")};
        struct nea_session *server = server_of(&h, NULL, true), *client = client_of("carol", "Ar3etTnp", false, true);
        crypto_calls = 0;
        crypto_fails_at = at;
        /* verifier_of() in host_answers() must work */
        h.later = true;
        struct wr w = wr_of(0);
        for (unsigned turn = 0; turn < 12; turn++) {
            if (h.waiting) {
                h.waiting = false;
                nea_session_login(server, h.open.password.n ? NEA_LOGIN_WRONG : NEA_LOGIN_RIGHT, &h.verifier);
            }
            wr_reset(&w);
            nea_session_out(turn % 2 ? server : client, &w);
            if (w.n)
                nea_session_feed(turn % 2 ? client : server, wr_view(&w), 1);
        }
        wr_free(&w);
        assert_false(nea_session_outcome(server).negotiated);
        assert_false(nea_session_outcome(client).negotiated);
        assert_true(nea_session_finished(client) || nea_session_finished(server));
        bool over = crypto_calls < at;
        crypto_fails_at = 0;
        nea_session_free(client);
        nea_session_free(server);
        if (over)
            break;
        assert_true(at < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logins),
        cmocka_unit_test(strongswans_client_as_recorded),
        cmocka_unit_test(strongswans_server_as_recorded),
        cmocka_unit_test(no_password_for_strangers),
        cmocka_unit_test(what_a_client_may_not_do),
        cmocka_unit_test(what_a_server_may_not_do),
        cmocka_unit_test(an_error_ends_an_exchange),
        cmocka_unit_test(success_wants_a_proof),
        cmocka_unit_test(three_failures_and_no_more),
        cmocka_unit_test(a_second_try),
        cmocka_unit_test(the_clients_second_try),
        cmocka_unit_test(two_rounds),
        cmocka_unit_test(the_server_may_call),
        cmocka_unit_test(who_cannot_answer_says_so),
        cmocka_unit_test(the_negotiation_has_a_deadline),
        cmocka_unit_test(crypto_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
