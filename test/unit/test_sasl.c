/* SASL: each mechanism by itself, message by message. */
#include "nea/internal.h"
#include "net/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct nea_crypto crypto = {net_sha256, net_hmac_sha256, net_pbkdf2_sha256, net_random};

enum { EXTERNAL, SCRAM, PLAIN };

/* RFC 7677 §3: user "user", password "pencil". */
#define CLIENT_NONCE "rOprNGfwEbeRWgbNEkqO"
#define SERVER_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define CLIENT_FIRST "n,,n=user,r=" CLIENT_NONCE
#define SERVER_FIRST "r=" CLIENT_NONCE SERVER_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define CLIENT_FINAL "c=biws,r=" CLIENT_NONCE SERVER_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define SERVER_FINAL "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static struct nea_verifier verifier_of(const char *password)
{
    struct nea_verifier v;
    assert_true(nea_verifier_make(&v, &crypto, bytes_of(password), 4096));
    return v;
}

/* The verifier of the RFC's example, computed from its password and salt alone. */
static struct nea_verifier verifier_of_rfc(void)
{
    uint8_t salted[NEA_KEY], client[NEA_KEY];
    static struct nea_verifier v;
    if (v.iterations)
        return v;
    v.iterations = 4096;
    v.salt_size = sasl_base64_get(BYTES("W22ZaJ0SNY7soEsUEjb6gQ=="), v.salt, sizeof v.salt);
    assert_int_equal(v.salt_size, 16);
    assert_true(net_pbkdf2_sha256(BYTES("pencil"), (struct bytes){v.salt, 16}, 4096, salted));
    assert_true(net_hmac_sha256((struct bytes){salted, NEA_KEY}, BYTES("Client Key"), client));
    assert_true(net_hmac_sha256((struct bytes){salted, NEA_KEY}, BYTES("Server Key"), v.server_key));
    assert_true(net_sha256((struct bytes){client, NEA_KEY}, v.stored_key));
    return v;
}

/* ---- one side of one exchange ---- */

static struct sasl *party(unsigned mechanism, const char *nonce)
{
    struct sasl *x = sasl_new(&sasl_mechanisms[mechanism], &crypto);
    assert_non_null(x);
    x->user = BYTES("user");
    x->password = BYTES("pencil");
    x->certificate = BYTES("host.example.org");
    if (nonce)
        x->nonce = bytes_of(nonce);
    return x;
}

static enum sasl_verdict say(struct sasl *x, bool server, struct bytes in, struct wr *out)
{
    wr_reset(out);
    return (server ? x->mechanism->server : x->mechanism->client)(x, in, out);
}

static void assert_out(const struct wr *w, const char *expected)
{
    if (!bytes_equal(wr_view(w), bytes_of(expected)))
        fail_msg("%.*s instead of %s", (int)w->n, (const char *)w->p, expected);
}

static void base64_is_strict(void **state)
{
    static const struct {
        const char *text;
        size_t n;
    } rows[] = {
        {"", 0},
        {"Zg==", 1},
        {"Zm8=", 2},
        {"Zm9v", 3},
        {"Zm9vYg==", 4},
        {"Zh==", SIZE_MAX},
        {"Z", SIZE_MAX},
        {"Zg", SIZE_MAX},
        {"Zg=", SIZE_MAX},
        {"Zg=A", SIZE_MAX},
        {"Z===", SIZE_MAX},
        {"====", SIZE_MAX},
        {"Zm8=Zm9v", SIZE_MAX},
        {"Zm9 ", SIZE_MAX},
        {"Zm9-", SIZE_MAX},
        {"Zm9vYmFyYg==", SIZE_MAX},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        uint8_t octets[6];
        size_t n = sasl_base64_get(bytes_of(rows[i].text), octets, sizeof octets);
        if (n != rows[i].n)
            fail_msg("%s: %zu", rows[i].text, n);
        struct wr w = wr_of(0);
        if (n != SIZE_MAX) {
            sasl_base64_put(&w, (struct bytes){octets, n});
            assert_out(&w, rows[i].text);
        }
        wr_free(&w);
    }
    uint8_t octets[3];
    assert_int_equal(sasl_base64_get((struct bytes){(const uint8_t *)"Zm\0v", 4}, octets, 3), SIZE_MAX);
}

static void verifiers_are_read_and_written(void **state)
{
    static const char *const bad[] = {
        "",
        "SCRAM-SHA-1$4096:c2FsdA==$AAAA:AAAA",
        "SCRAM-SHA-256$4095:c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "SCRAM-SHA-256$1000001:c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "SCRAM-SHA-256$4096:$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "SCRAM-SHA-256$4096:c2FsdA==$AAAA:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "SCRAM-SHA-256$4096:c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "SCRAM-SHA-256$4096:c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= ",
    };
    (void)state;
    struct nea_verifier v = verifier_of_rfc(), again;
    struct wr w = wr_of(0);
    nea_verifier_print(&w, &v);
    /* As PostgreSQL 15 writes it for this salt. */
    assert_out(&w, "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
                   ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
    assert_true(nea_verifier_parse(&again, wr_view(&w)));
    assert_true(nea_verifier_matches(&again, &crypto, BYTES("pencil")));
    assert_false(nea_verifier_matches(&again, &crypto, BYTES("pencil ")));
    assert_false(nea_verifier_matches(&again, &crypto, BYTES("")));
    for (size_t n = 0; n < w.n; n++)
        assert_false(nea_verifier_parse(&again, (struct bytes){w.p, n}));
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        if (nea_verifier_parse(&again, bytes_of(bad[i])))
            fail_msg("%s", bad[i]);
    wr_free(&w);
    struct nea_verifier one = verifier_of("x"), two = verifier_of("x");
    assert_memory_not_equal(one.salt, two.salt, 16);
    assert_memory_not_equal(one.stored_key, two.stored_key, NEA_KEY);
}

/* RFC 7677 §3, both sides. */
static void scram_as_in_the_rfc(void **state)
{
    (void)state;
    struct sasl *client = party(SCRAM, CLIENT_NONCE), *server = party(SCRAM, SERVER_NONCE);
    struct nea_verifier v = verifier_of_rfc();
    struct wr w = wr_of(0);
    assert_int_equal(say(client, false, BYTES(""), &w), SASL_SEND);
    assert_out(&w, CLIENT_FIRST);
    assert_int_equal(say(server, true, BYTES(CLIENT_FIRST), &w), SASL_ASK);
    assert_true(bytes_equal(server->login.name, BYTES("user")));
    assert_int_equal(server->login.password.n, 0);
    assert_int_equal(sasl_answer(server, NEA_LOGIN_RIGHT, &v, &w), SASL_SEND);
    assert_out(&w, SERVER_FIRST);
    assert_int_equal(say(client, false, BYTES(SERVER_FIRST), &w), SASL_SEND);
    assert_out(&w, CLIENT_FINAL);
    assert_false(client->proven);
    assert_int_equal(say(server, true, BYTES(CLIENT_FINAL), &w), SASL_DONE);
    assert_out(&w, SERVER_FINAL);
    assert_int_equal(say(client, false, BYTES(SERVER_FINAL), &w), SASL_SEND);
    assert_true(client->proven);
    sasl_free(client);
    sasl_free(server);
    wr_free(&w);
}

/* A server that has come as far as the client's last message. */
static struct sasl *challenged(void)
{
    struct sasl *server = party(SCRAM, SERVER_NONCE);
    struct nea_verifier v = verifier_of_rfc();
    struct wr w = wr_of(0);
    assert_int_equal(say(server, true, BYTES(CLIENT_FIRST), &w), SASL_ASK);
    assert_int_equal(sasl_answer(server, NEA_LOGIN_RIGHT, &v, &w), SASL_SEND);
    wr_free(&w);
    return server;
}

static struct sasl *proving(const char *server_first, enum sasl_verdict expected)
{
    struct sasl *client = party(SCRAM, CLIENT_NONCE);
    struct wr w = wr_of(0);
    assert_int_equal(say(client, false, BYTES(""), &w), SASL_SEND);
    if (say(client, false, bytes_of(server_first), &w) != expected)
        fail_msg("%s", server_first);
    wr_free(&w);
    return client;
}

static void no_octet_of_a_proof_may_differ(void **state)
{
    (void)state;
    static const char final[] = CLIENT_FINAL, signature[] = SERVER_FINAL;
    struct wr w = wr_of(0);
    for (size_t i = 0; i < sizeof final - 1; i++)
        for (unsigned bit = 1; bit < 256; bit <<= 1) {
            char text[sizeof final];
            memcpy(text, final, sizeof final);
            text[i] = (char)(text[i] ^ (int)bit);
            struct sasl *server = challenged();
            assert_int_equal(say(server, true, (struct bytes){(uint8_t *)text, sizeof final - 1}, &w), SASL_WRONG);
            sasl_free(server);
        }
    for (size_t n = 0; n < sizeof final - 1; n++) {
        struct sasl *server = challenged();
        assert_int_equal(say(server, true, (struct bytes){(const uint8_t *) final, n}, &w), SASL_WRONG);
        sasl_free(server);
    }
    for (size_t i = 0; i < sizeof signature - 1; i++)
        for (unsigned bit = 1; bit < 256; bit <<= 3) {
            char text[sizeof signature];
            memcpy(text, signature, sizeof signature);
            text[i] = (char)(text[i] ^ (int)bit);
            struct sasl *client = proving(SERVER_FIRST, SASL_SEND);
            assert_int_equal(say(client, false, (struct bytes){(uint8_t *)text, sizeof signature - 1}, &w), SASL_WRONG);
            assert_false(client->proven);
            sasl_free(client);
        }
    wr_free(&w);
}

static void what_a_server_first_may_be(void **state)
{
    static const char *const bad[] = {
        "",
        "r=" CLIENT_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",         /* no nonce of the server's own */
        "r=rOprNGfwEbeRWgbNEkqPxxxx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", /* not ours */
        "r=" CLIENT_NONCE "x,s=,i=4096",
        "r=" CLIENT_NONCE "x,s=W22,i=4096",
        "r=" CLIENT_NONCE "x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095", /* would sell the password cheaply */
        "r=" CLIENT_NONCE "x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1000001",
        "r=" CLIENT_NONCE "x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=-1",
        "r=" CLIENT_NONCE "x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096x",
        "r=" CLIENT_NONCE "x,s=W22ZaJ0SNY7soEsUEjb6gQ==",
        "m=x,r=" CLIENT_NONCE "x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", /* an extension that must be understood */
        "r=" CLIENT_NONCE " x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "e=other-error",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        sasl_free(proving(bad[i], SASL_WRONG));
    sasl_free(proving("r=" CLIENT_NONCE "x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,x=later", SASL_SEND));
}

static void what_a_first_message_may_be(void **state)
{
    static const struct {
        unsigned mechanism;
        const char *text;
        size_t n;
        enum sasl_verdict verdict;
        const char *name, *password;
    } rows[] = {
#define T(literal) literal, sizeof literal - 1
        {PLAIN, T("\0carol\0Ar3etTnp"), SASL_ASK, "carol", "Ar3etTnp"},
        {PLAIN, T("carol\0carol\0Ar3etTnp"), SASL_ASK, "carol", "Ar3etTnp"},
        {PLAIN, T("\0k\xc3\xb6nig\0gr\xc3\xbc\xc3\x9f"), SASL_ASK, "k\xc3\xb6nig", "gr\xc3\xbc\xc3\x9f"},
        {PLAIN, T("admin\0carol\0Ar3etTnp"), SASL_WRONG, NULL, NULL},
        {PLAIN, T("\0carol\0Ar3etTnp\0"), SASL_WRONG, NULL, NULL},
        {PLAIN, T("\0carol\0Ar3\0etTnp"), SASL_WRONG, NULL, NULL},
        {PLAIN, T("\0carol\0"), SASL_WRONG, NULL, NULL},
        {PLAIN, T("\0\0x"), SASL_WRONG, NULL, NULL},
        {PLAIN, T("carol"), SASL_WRONG, NULL, NULL},
        {PLAIN, T("\0carol"), SASL_WRONG, NULL, NULL},
        {PLAIN, T("\0"), SASL_WRONG, NULL, NULL},
        {PLAIN, T("\0\0"), SASL_WRONG, NULL, NULL},
        {PLAIN, T("\0car\nol\0x"), SASL_WRONG, NULL, NULL},
        {PLAIN, T("\0car\xff\0x"), SASL_WRONG, NULL, NULL},
        {PLAIN, T(""), SASL_SEND, NULL, NULL},
        {SCRAM, T("n,,n=user,r=x"), SASL_ASK, "user", NULL},
        {SCRAM, T("y,,n=user,r=x"), SASL_ASK, "user", NULL},
        {SCRAM, T("n,a=user,n=user,r=x"), SASL_ASK, "user", NULL},
        {SCRAM, T("n,,n=a=2Cb=3Dc,r=x,e=xt"), SASL_ASK, "a,b=c", NULL},
        {SCRAM, T("n,a=root,n=user,r=x"), SASL_WRONG, NULL, NULL},
        {SCRAM, T("n,b=user,n=user,r=x"), SASL_WRONG, NULL, NULL},
        {SCRAM, T("p=tls-unique,,n=user,r=x"), SASL_WRONG, NULL, NULL},
        {SCRAM, T("n,,m=x,n=user,r=x"), SASL_WRONG, NULL, NULL},
        {SCRAM, T("n,,n=us=2cer,r=x"), SASL_WRONG, NULL, NULL},
        {SCRAM, T("n,,n=user=,r=x"), SASL_WRONG, NULL, NULL},
        {SCRAM, T("n,,n=user=2,r=x"), SASL_WRONG, NULL, NULL},
        {SCRAM, T("n,,n=,r=x"), SASL_WRONG, NULL, NULL},
        {SCRAM, T("n,,n=user,r="), SASL_WRONG, NULL, NULL},
        {SCRAM, T("n,,n=user,r=x y"), SASL_WRONG, NULL, NULL},
        {SCRAM, T("n,,n=user"), SASL_WRONG, NULL, NULL},
        {SCRAM, T("n,,r=x,n=user"), SASL_WRONG, NULL, NULL},
        {SCRAM, T("n,"), SASL_WRONG, NULL, NULL},
        {SCRAM, T("n"), SASL_WRONG, NULL, NULL},
        {SCRAM, T(""), SASL_SEND, NULL, NULL},
        {EXTERNAL, T(""), SASL_DONE, "host.example.org", NULL},
        {EXTERNAL, T("host.example.org"), SASL_DONE, "host.example.org", NULL},
        {EXTERNAL, T("other.example.org"), SASL_WRONG, NULL, NULL},
#undef T
    };
    (void)state;
    struct wr w = wr_of(0);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct sasl *x = party(rows[i].mechanism, NULL);
        enum sasl_verdict verdict = say(x, true, (struct bytes){(const uint8_t *)rows[i].text, rows[i].n}, &w);
        if (verdict != rows[i].verdict)
            fail_msg("row %zu (%s): %d", i, rows[i].text, verdict);
        if (rows[i].name)
            assert_true(bytes_equal(x->login.name, bytes_of(rows[i].name)));
        if (rows[i].password)
            assert_true(bytes_equal(x->login.password, bytes_of(rows[i].password)));
        sasl_free(x);
    }
    wr_free(&w);
}

/* RFC 4013 §3 gives the examples; what it would change or prohibit is refused. */
static void what_a_name_may_be(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"user", true},
        {"USER", true},
        {"a b,c=d", true},
        {"k\xc3\xb6nig", true},
        {"\xe6\xbc\xa2\xe5\xad\x97", true},
        {"\xf0\x9f\x94\x91", true},                                                 /* U+1F511 */
        {"\xc2\xa1\xc2\xac\xc2\xae\xef\xa4\x80\xef\xb7\x8f\xf0\x9f\xbf\xbd", true}, /* the neighbours of what is not */
        {"", false},
        {"I\xc2\xadX", false}, /* a soft hyphen, to be left out */
        {"a\x07", false},
        {"a\x7f", false},
        {"a\xc2\x80", false}, /* C1 */
        {"a\xc2\xa0"
         "b",
         false}, /* a space that is none */
        {"a\xe3\x80\x80"
         "b",
         false},
        {"a\xe2\x80\x8b", false}, /* of no width */
        {"a\xe2\x80\xae"
         "b",
         false}, /* turns what follows it */
        {"\xef\xbb\xbf"
         "a",
         false},                 /* a byte order mark */
        {"\xef\xbf\xbd", false}, /* U+FFFD: something was lost */
        {"\xee\x80\x80", false}, /* private use */
        {"\xef\xb7\x90", false}, /* no character */
        {"\xf0\x9f\xbf\xbe", false},
        {"\xf4\x8f\xbf\xbf", false},
        {"\xf3\xa0\x81\xa1", false}, /* a tag */
        {"\xed\xa0\x80", false},     /* a surrogate: no UTF-8 */
        {"\xc0\xaf", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (nea_login_text(bytes_of(rows[i].text)) != rows[i].good)
            fail_msg("row %zu", i);
}

static void what_is_too_long(void **state)
{
    (void)state;
    uint8_t text[SASL_MESSAGE_MAX + 1];
    struct wr w = wr_of(0);
    for (size_t n = 250; n < 260; n++) { /* password of n octets */
        memset(text, 'x', sizeof text);
        text[0] = text[2] = 0;
        struct sasl *x = party(PLAIN, NULL);
        assert_int_equal(say(x, true, (struct bytes){text, 3 + n}, &w), n <= 255 ? SASL_ASK : SASL_WRONG);
        sasl_free(x);
    }
    for (size_t n = 200; n < 1000; n++) { /* nonce */
        memset(text, 'x', sizeof text);
        memcpy(text, "n,,n=u,r=", 9);
        struct sasl *x = party(SCRAM, NULL);
        assert_int_equal(say(x, true, (struct bytes){text, 9 + n}, &w), n <= 224 ? SASL_ASK : SASL_WRONG);
        sasl_free(x);
    }
    memset(text, 'x', sizeof text);
    memcpy(text, "n,,n=u,r=x,", 11);
    struct sasl *x = party(SCRAM, NULL);
    assert_int_equal(say(x, true, (struct bytes){text, sizeof text}, &w), SASL_WRONG);
    sasl_free(x);
    wr_free(&w);
}

/* Without an initial response the server asks for it, once. */
static void the_first_message_is_asked_for_once(void **state)
{
    static const unsigned by_password[] = {PLAIN, SCRAM};
    (void)state;
    struct wr w = wr_of(0);
    for (size_t i = 0; i < ARRAY_LENGTH(by_password); i++) {
        struct sasl *x = party(by_password[i], NULL);
        assert_int_equal(say(x, true, BYTES(""), &w), SASL_SEND);
        assert_int_equal(w.n, 0);
        assert_int_equal(say(x, true, BYTES(""), &w), SASL_WRONG);
        sasl_free(x);
        x = party(by_password[i], NULL);
        assert_int_equal(say(x, true, BYTES(""), &w), SASL_SEND);
        assert_int_equal(say(x, true, i ? BYTES("n,,n=u,r=x") : BYTES("\0u\0p"), &w), SASL_ASK);
        sasl_free(x);
    }
    wr_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_is_strict),
        cmocka_unit_test(verifiers_are_read_and_written),
        cmocka_unit_test(scram_as_in_the_rfc),
        cmocka_unit_test(no_octet_of_a_proof_may_differ),
        cmocka_unit_test(what_a_server_first_may_be),
        cmocka_unit_test(what_a_first_message_may_be),
        cmocka_unit_test(what_a_name_may_be),
        cmocka_unit_test(what_is_too_long),
        cmocka_unit_test(the_first_message_is_asked_for_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
