/* SASL mechanisms (RFC 4422) as rows of a table: EXTERNAL (RFC 4422 appendix A), SCRAM-SHA-256 (RFC 5802, RFC 7677) and
 * PLAIN (RFC 4616). Messages in, messages out; who logs in is asked of the host, and so is every hash. */
#include "nea/internal.h"

#include <stdlib.h>
#include <string.h>

#define NONCE_MAX 256 /* octets of both sides' nonces together */
#define VERIFIER  "SCRAM-SHA-256$"

/* ---- octets ---- */

void nea_forget(void *p, size_t n)
{
    for (volatile uint8_t *at = p; n; n--)
        *at++ = 0;
}

/* In a time that tells nothing but the lengths. */
static bool same_secret(struct bytes a, struct bytes b)
{
    unsigned differ = 0;
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        differ |= a.p[i] ^ b.p[i];
    return differ == 0;
}

/* What SASLprep (RFC 4013 §2) maps to nothing or to a space, or prohibits: tables B.1, C.1.2 and C.2.1 to C.9 of RFC
 * 3454. Others prepare texts before they compare them; what preparing would change is refused here, so that it cannot
 * make two of one, and nobody hides characters in a name. */
static const struct {
    uint32_t first, last;
} unprepared[] = {
    {0x00, 0x1f},       {0x7f, 0xa0},       {0xad, 0xad},        {0x340, 0x341},     {0x34f, 0x34f},
    {0x6dd, 0x6dd},     {0x70f, 0x70f},     {0x1680, 0x1680},    {0x1806, 0x1806},   {0x180b, 0x180e},
    {0x2000, 0x200f},   {0x2028, 0x202f},   {0x205f, 0x2063},    {0x206a, 0x206f},   {0x2ff0, 0x2ffb},
    {0x3000, 0x3000},   {0xe000, 0xf8ff},   {0xfdd0, 0xfdef},    {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
    {0xfff9, 0xffff},   {0x1d173, 0x1d17a}, {0x1fffe, 0x1ffff},  {0x2fffe, 0x2ffff}, {0x3fffe, 0x3ffff},
    {0x4fffe, 0x4ffff}, {0x5fffe, 0x5ffff}, {0x6fffe, 0x6ffff},  {0x7fffe, 0x7ffff}, {0x8fffe, 0x8ffff},
    {0x9fffe, 0x9ffff}, {0xafffe, 0xaffff}, {0xbfffe, 0xbffff},  {0xcfffe, 0xcffff}, {0xdfffe, 0xdffff},
    {0xe0001, 0xe0001}, {0xe0020, 0xe007f}, {0xefffe, 0x10ffff},
};

static bool is_prepared(uint32_t c)
{
    size_t i = 0;
    while (i < ARRAY_LENGTH(unprepared) && c > unprepared[i].last)
        i++;
    return i == ARRAY_LENGTH(unprepared) || c < unprepared[i].first;
}

bool nea_login_text(struct bytes text)
{
    if (text.n == 0 || text.n > NEA_LOGIN_TEXT_MAX || !utf8_valid(text))
        return false;
    for (size_t i = 0; i < text.n;) {
        static const uint8_t lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
        unsigned n = text.p[i] < 0x80 ? 1 : text.p[i] < 0xe0 ? 2 : text.p[i] < 0xf0 ? 3 : 4;
        uint32_t c = text.p[i] & lead[n];
        for (unsigned k = 1; k < n; k++)
            c = c << 6 | (text.p[i + k] & 0x3f);
        if (!is_prepared(c))
            return false;
        i += n;
    }
    return true;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void sasl_base64_put(struct wr *w, struct bytes b)
{
    for (size_t i = 0; i < b.n; i += 3) {
        size_t left = b.n - i;
        uint32_t v = (uint32_t)b.p[i] << 16 | (left > 1 ? (uint32_t)b.p[i + 1] << 8 : 0) | (left > 2 ? b.p[i + 2] : 0);
        wr_u8(w, (uint8_t)alphabet[v >> 18]);
        wr_u8(w, (uint8_t)alphabet[v >> 12 & 63]);
        wr_u8(w, left > 1 ? (uint8_t)alphabet[v >> 6 & 63] : '=');
        wr_u8(w, left > 2 ? (uint8_t)alphabet[v & 63] : '=');
    }
}

size_t sasl_base64_get(struct bytes text, uint8_t *p, size_t size)
{
    size_t n = 0;
    if (text.n % 4)
        return SIZE_MAX;
    for (size_t i = 0; i < text.n; i += 4) {
        unsigned padding = 0;
        uint32_t v = 0;
        for (size_t k = i; k < i + 4; k++) {
            const char *at = text.p[k] ? strchr(alphabet, text.p[k]) : NULL;
            if (!at && (text.p[k] != '=' || i + 4 != text.n || k < i + 2))
                return SIZE_MAX;
            if (at && padding)
                return SIZE_MAX;
            padding += !at;
            v = v << 6 | (at ? (uint32_t)(at - alphabet) : 0);
        }
        if (v & ((1u << 8 * padding) - 1)) /* one text for every value: bits that nobody reads are 0 */
            return SIZE_MAX;
        for (unsigned k = 0; k < 3 - padding; k++, n++) {
            if (n == size)
                return SIZE_MAX;
            p[n] = (uint8_t)(v >> (16 - 8 * k));
        }
    }
    return n;
}

/* ---- passwords and what is kept of them: RFC 5802 §3 ---- */

static struct bytes key_of(const uint8_t key[NEA_KEY])
{
    return (struct bytes){key, NEA_KEY};
}

struct keys {
    uint8_t client[NEA_KEY], stored[NEA_KEY], server[NEA_KEY];
};

static bool derive(struct keys *k, const struct nea_crypto *c, struct bytes password, struct bytes salt,
                   uint32_t iterations)
{
    uint8_t salted[NEA_KEY];
    bool done = c->pbkdf2(password, salt, iterations, salted) &&
                c->hmac(key_of(salted), BYTES("Client Key"), k->client) && c->hash(key_of(k->client), k->stored) &&
                c->hmac(key_of(salted), BYTES("Server Key"), k->server);
    nea_forget(salted, sizeof salted);
    return done;
}

bool nea_verifier_make(struct nea_verifier *v, const struct nea_crypto *crypto, struct bytes password,
                       uint32_t iterations)
{
    struct keys k;
    *v = (struct nea_verifier){.iterations = iterations, .salt_size = 16};
    bool done = crypto->random(v->salt, v->salt_size) &&
                derive(&k, crypto, password, (struct bytes){v->salt, v->salt_size}, iterations);
    if (done) {
        memcpy(v->stored_key, k.stored, NEA_KEY);
        memcpy(v->server_key, k.server, NEA_KEY);
    }
    nea_forget(&k, sizeof k);
    return done;
}

bool nea_verifier_matches(const struct nea_verifier *v, const struct nea_crypto *crypto, struct bytes password)
{
    struct keys k;
    bool right = derive(&k, crypto, password, (struct bytes){v->salt, v->salt_size}, v->iterations) &&
                 same_secret(key_of(k.stored), key_of(v->stored_key));
    nea_forget(&k, sizeof k);
    return right;
}

static bool iterations_of(struct bytes text, uint32_t *iterations)
{
    uint64_t n;
    if (!bytes_number(text, &n) || n < NEA_ITERATIONS_MIN || n > NEA_ITERATIONS_MAX)
        return false;
    *iterations = (uint32_t)n;
    return true;
}

bool nea_verifier_parse(struct nea_verifier *v, struct bytes text)
{
    const struct bytes scheme = BYTES(VERIFIER);
    *v = (struct nea_verifier){0};
    if (!bytes_starts(text, scheme))
        return false;
    struct bytes rest = {text.p + scheme.n, text.n - scheme.n};
    struct bytes iterations = bytes_split(&rest, ':'), salt = bytes_split(&rest, '$'), stored = bytes_split(&rest, ':');
    v->salt_size = sasl_base64_get(salt, v->salt, sizeof v->salt);
    return iterations_of(iterations, &v->iterations) && v->salt_size >= 1 && v->salt_size <= sizeof v->salt &&
           sasl_base64_get(stored, v->stored_key, NEA_KEY) == NEA_KEY &&
           sasl_base64_get(rest, v->server_key, NEA_KEY) == NEA_KEY;
}

void nea_verifier_print(struct wr *w, const struct nea_verifier *v)
{
    wr_fmt(w, VERIFIER "%u:", v->iterations);
    sasl_base64_put(w, (struct bytes){v->salt, v->salt_size});
    wr_str(w, "$");
    sasl_base64_put(w, key_of(v->stored_key));
    wr_str(w, ":");
    sasl_base64_put(w, key_of(v->server_key));
}

/* ---- what the mechanisms share ---- */

static enum sasl_verdict sent(const struct wr *out)
{
    return out->bad ? SASL_BROKEN : SASL_SEND;
}

/* A server in a mechanism that the client begins: without an initial response an empty challenge asks for it, once
 * (RFC 4422 §3.3). */
static bool wants_first(struct sasl *x, struct bytes in)
{
    return in.n == 0 && x->step++ == 0;
}

static enum sasl_verdict ask(struct sasl *x, struct bytes name)
{
    x->login.name = arena_copy(&x->arena, name);
    x->step = 2;
    return x->login.name.n ? SASL_ASK : SASL_BROKEN;
}

/* ---- EXTERNAL: RFC 4422 appendix A. PT-R18 ---- */

static enum sasl_verdict external_client(struct sasl *x, struct bytes in, struct wr *out)
{
    x->proven = true; /* TLS has seen to it */
    return in.n == 0 && x->step++ < 2 ? sent(out) : SASL_WRONG;
}

/* Absent and empty cannot be told apart in PT-TLS: both mean "as my certificate says". PT-R20: no other identity. */
static enum sasl_verdict external_server(struct sasl *x, struct bytes in, struct wr *out)
{
    (void)out;
    x->login.name = x->certificate;
    return x->certificate.n && (in.n == 0 || bytes_equal(in, x->certificate)) ? SASL_DONE : SASL_WRONG;
}

/* ---- PLAIN: RFC 4616. PT-R18, R39 ---- */

static enum sasl_verdict plain_client(struct sasl *x, struct bytes in, struct wr *out)
{
    (void)in;
    if (x->step++)
        return SASL_WRONG; /* there is nothing that it could still want */
    x->proven = true;
    wr_u8(out, 0); /* PT-R20, RFC 6876 §3.8.5.2: no authorization identity */
    wr_bytes(out, x->user);
    wr_u8(out, 0);
    wr_bytes(out, x->password);
    return sent(out);
}

static enum sasl_verdict plain_server(struct sasl *x, struct bytes in, struct wr *out)
{
    if (x->step == 2)
        return x->answer == NEA_LOGIN_RIGHT ? SASL_DONE : x->answer == NEA_LOGIN_WRONG ? SASL_WRONG : SASL_BROKEN;
    if (wants_first(x, in))
        return sent(out);
    struct bytes rest = in, authzid = bytes_split(&rest, 0), name = bytes_split(&rest, 0);
    /* A third NUL would be a control character of the password. */
    if (in.n > SASL_MESSAGE_MAX || !nea_login_text(name) || !nea_login_text(rest) ||
        (authzid.n && !bytes_equal(authzid, name))) /* PT-R20 */
        return SASL_WRONG;
    memcpy(x->secret, rest.p, rest.n);
    x->login.password = (struct bytes){x->secret, rest.n};
    return ask(x, name);
}

/* ---- SCRAM-SHA-256: RFC 5802 §5, RFC 7677. Without channel binding: see doc/decisions.md ---- */

/* The value of the next attribute, if that is `key`; p NULL: it is another, or there is none. */
static struct bytes attribute(struct bytes *rest, char key)
{
    struct bytes a = bytes_split(rest, ',');
    if (a.n < 2 || a.p[0] != (uint8_t)key || a.p[1] != '=')
        return (struct bytes){NULL, 0};
    return (struct bytes){a.p + 2, a.n - 2};
}

/* RFC 5802 §7: printable ASCII but the comma. */
static bool nonce_valid(struct bytes nonce)
{
    for (size_t i = 0; i < nonce.n; i++)
        if (nonce.p[i] < 0x21 || nonce.p[i] > 0x7e)
            return false;
    return nonce.n > 0 && nonce.n <= NONCE_MAX;
}

static void put_name(struct wr *w, struct bytes name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] == ',' || name.p[i] == '=')
            wr_str(w, name.p[i] == ',' ? "=2C" : "=3D");
        else
            wr_u8(w, name.p[i]);
}

/* RFC 5802 §5.1: "=2C" and "=3D", and no other "=". `name` holds text.n octets. */
static struct bytes get_name(struct bytes text, uint8_t *name)
{
    size_t n = 0;
    for (struct rd r = rd_of(text, 0); rd_more(&r); n++) {
        name[n] = rd_u8(&r);
        if (name[n] != '=')
            continue;
        struct bytes code = rd_take(&r, 2);
        bool comma = bytes_equal(code, BYTES("2C"));
        if (!comma && !bytes_equal(code, BYTES("3D")))
            return (struct bytes){NULL, 0};
        name[n] = comma ? ',' : '=';
    }
    return (struct bytes){name, n};
}

/* A "k=" base64 value of exactly NEA_KEY octets. */
static bool key_value(struct bytes text, uint8_t key[NEA_KEY])
{
    return sasl_base64_get(text, key, NEA_KEY) == NEA_KEY;
}

/* Both signatures are HMACs over the AuthMessage. */
static bool sign(const struct sasl *x, const uint8_t key[NEA_KEY], uint8_t signature[NEA_KEY])
{
    return !x->transcript.bad && x->crypto->hmac(key_of(key), wr_view(&x->transcript), signature);
}

static void exclusive_or(uint8_t a[NEA_KEY], const uint8_t b[NEA_KEY])
{
    for (size_t i = 0; i < NEA_KEY; i++)
        a[i] ^= b[i];
}

/* What all but the proof of a client-final message is: the channel binding (none: the header again) and the nonce. */
static void put_final(struct wr *w, struct bytes gs2, struct bytes nonce)
{
    wr_str(w, "c=");
    sasl_base64_put(w, gs2);
    wr_str(w, ",r=");
    wr_bytes(w, nonce);
}

static enum sasl_verdict client_first(struct sasl *x, struct wr *out)
{
    wr_str(&x->transcript, "n=");
    put_name(&x->transcript, x->user);
    wr_str(&x->transcript, ",r=");
    wr_bytes(&x->transcript, x->nonce);
    wr_str(out, "n,,");
    wr_bytes(out, wr_view(&x->transcript));
    return x->transcript.bad ? SASL_BROKEN : sent(out);
}

/* server-first: r= s= i=, extensions. A server may ask for work up to NEA_ITERATIONS_MAX, and for no less than RFC 7677
 * §4 wants: fewer would sell the password cheaply. */
static enum sasl_verdict client_final(struct sasl *x, struct bytes in, struct wr *out)
{
    uint8_t salt[NEA_SALT_MAX], proof[NEA_KEY];
    struct bytes rest = in, nonce = attribute(&rest, 'r'), salt_text = attribute(&rest, 's');
    size_t salt_size = sasl_base64_get(salt_text, salt, sizeof salt);
    uint32_t iterations;
    struct keys k;
    if (!nonce_valid(nonce) || !bytes_starts(nonce, x->nonce) || nonce.n == x->nonce.n || salt_size < 1 ||
        salt_size > sizeof salt || !iterations_of(attribute(&rest, 'i'), &iterations))
        return SASL_WRONG;
    wr_str(&x->transcript, ",");
    wr_bytes(&x->transcript, in);
    wr_str(&x->transcript, ",");
    put_final(&x->transcript, BYTES("n,,"), nonce);
    bool done = derive(&k, x->crypto, x->password, (struct bytes){salt, salt_size}, iterations) &&
                sign(x, k.stored, proof) && sign(x, k.server, x->signature);
    exclusive_or(proof, k.client);
    put_final(out, BYTES("n,,"), nonce);
    wr_str(out, ",p=");
    sasl_base64_put(out, key_of(proof));
    nea_forget(&k, sizeof k);
    return done ? sent(out) : SASL_BROKEN;
}

/* server-final: its signature, or e= with an error. */
static enum sasl_verdict client_verify(struct sasl *x, struct bytes in)
{
    uint8_t signature[NEA_KEY];
    struct bytes rest = in;
    x->proven = key_value(attribute(&rest, 'v'), signature) && same_secret(key_of(signature), key_of(x->signature));
    return x->proven ? SASL_SEND : SASL_WRONG; /* an empty answer, where it came as a challenge */
}

static enum sasl_verdict scram_client(struct sasl *x, struct bytes in, struct wr *out)
{
    switch (x->step++) {
    case 0:
        return client_first(x, out);
    case 1:
        return client_final(x, in, out);
    case 2:
        return client_verify(x, in);
    default:
        return SASL_WRONG;
    }
}

/* client-first: the GS2 header ("n" or "y": no channel binding), authorization identity, name, nonce, extensions. */
static enum sasl_verdict server_first(struct sasl *x, struct bytes in)
{
    struct bytes rest = in, binding = bytes_split(&rest, ','), authzid = bytes_split(&rest, ','), bare = rest;
    uint8_t buffer[2][SASL_MESSAGE_MAX];
    if (in.n > SASL_MESSAGE_MAX || binding.n != 1 || (binding.p[0] != 'n' && binding.p[0] != 'y') || !bare.p)
        return SASL_WRONG;
    struct bytes name = get_name(attribute(&rest, 'n'), buffer[0]), nonce = attribute(&rest, 'r');
    if (!nea_login_text(name) || !nonce_valid(nonce) || nonce.n + x->nonce.n > NONCE_MAX)
        return SASL_WRONG;
    if (authzid.n) { /* PT-R20 */
        struct bytes other = attribute(&authzid, 'a');
        if (!bytes_equal(get_name(other, buffer[1]), name))
            return SASL_WRONG;
    }
    x->gs2 = arena_copy(&x->arena, (struct bytes){in.p, in.n - bare.n});
    wr_bytes(&x->transcript, bare);
    struct wr both = wr_of(NONCE_MAX);
    wr_bytes(&both, nonce);
    wr_bytes(&both, x->nonce);
    x->whole_nonce = arena_copy(&x->arena, wr_view(&both));
    wr_free(&both);
    return x->gs2.n && x->whole_nonce.n ? ask(x, name) : SASL_BROKEN;
}

static enum sasl_verdict server_challenge(struct sasl *x, struct wr *out)
{
    if (x->answer != NEA_LOGIN_RIGHT)
        return SASL_BROKEN;
    wr_str(out, "r=");
    wr_bytes(out, x->whole_nonce);
    wr_str(out, ",s=");
    sasl_base64_put(out, (struct bytes){x->verifier.salt, x->verifier.salt_size});
    wr_fmt(out, ",i=%u", x->verifier.iterations);
    wr_str(&x->transcript, ",");
    wr_bytes(&x->transcript, wr_view(out));
    x->step = 3;
    return sent(out);
}

/* The proof stands last; what is before it is signed with the rest of the conversation. */
static bool split_proof(struct bytes in, struct bytes *signed_part, uint8_t proof[NEA_KEY])
{
    size_t n = in.n;
    while (n && in.p[n - 1] != ',')
        n--;
    struct bytes last = {in.p + n, in.n - n};
    *signed_part = (struct bytes){in.p, n ? n - 1 : 0};
    return n && key_value(attribute(&last, 'p'), proof);
}

/* RFC 5802 §3: ClientProof XOR ClientSignature is the client's key, whose hash we keep. */
static enum sasl_verdict server_final(struct sasl *x, struct bytes in, struct wr *out)
{
    uint8_t key[NEA_KEY], signature[NEA_KEY], stored[NEA_KEY];
    struct bytes before;
    struct wr expected = wr_of(SASL_MESSAGE_MAX);
    x->step = 4;
    put_final(&expected, x->gs2, x->whole_nonce);
    bool fits = !expected.bad && in.n <= SASL_MESSAGE_MAX && split_proof(in, &before, key) &&
                bytes_starts(before, wr_view(&expected)) && (before.n == expected.n || before.p[expected.n] == ',');
    wr_free(&expected);
    if (!fits)
        return SASL_WRONG;
    wr_str(&x->transcript, ",");
    wr_bytes(&x->transcript, before);
    if (!sign(x, x->verifier.stored_key, signature))
        return SASL_BROKEN;
    exclusive_or(key, signature);
    if (!x->crypto->hash(key_of(key), stored) || !sign(x, x->verifier.server_key, signature))
        return SASL_BROKEN;
    nea_forget(key, sizeof key);
    if (!same_secret(key_of(stored), key_of(x->verifier.stored_key)))
        return SASL_WRONG;
    wr_str(out, "v=");
    sasl_base64_put(out, key_of(signature));
    return out->bad ? SASL_BROKEN : SASL_DONE;
}

static enum sasl_verdict scram_server(struct sasl *x, struct bytes in, struct wr *out)
{
    switch (x->step) {
    case 2:
        return server_challenge(x, out);
    case 3:
        return server_final(x, in, out);
    default:
        return wants_first(x, in) ? sent(out) : server_first(x, in);
    }
}

/* ---- the table ---- */

const struct sasl_mechanism sasl_mechanisms[SASL_MECHANISMS] = {
    {"EXTERNAL", true, false, true, external_client, external_server},
    {"SCRAM-SHA-256", false, false, true, scram_client, scram_server},
    /* The only one of strongSwan, which takes a result of two octets for one: no second try. */
    {"PLAIN", false, true, false, plain_client, plain_server},
};

struct sasl *sasl_new(const struct sasl_mechanism *m, const struct nea_crypto *crypto)
{
    struct sasl *x = calloc(1, sizeof *x);
    uint8_t random[SASL_NONCE] = {0};
    if (!x || (crypto && !crypto->random(random, sizeof random))) {
        free(x);
        return NULL;
    }
    struct wr w = wr_of(sizeof x->drawn);
    sasl_base64_put(&w, (struct bytes){random, sizeof random});
    bool drawn = w.n == sizeof x->drawn && !w.bad;
    if (drawn)
        memcpy(x->drawn, w.p, w.n);
    wr_free(&w);
    x->nonce = (struct bytes){x->drawn, sizeof x->drawn};
    x->mechanism = m;
    x->crypto = crypto;
    x->transcript = wr_of((size_t)4 * SASL_MESSAGE_MAX);
    x->arena = arena_of((size_t)4 * SASL_MESSAGE_MAX);
    if (drawn)
        return x;
    sasl_free(x);
    return NULL;
}

void sasl_free(struct sasl *x)
{
    if (!x)
        return;
    wr_free(&x->transcript);
    arena_free(&x->arena);
    nea_forget(x, sizeof *x);
    free(x);
}

enum sasl_verdict sasl_answer(struct sasl *x, enum nea_login_answer answer, const struct nea_verifier *v,
                              struct wr *out)
{
    x->answer = answer == NEA_LOGIN_RIGHT && !v && !x->login.password.n ? NEA_LOGIN_UNAVAILABLE : answer;
    if (v)
        x->verifier = *v;
    return x->mechanism->server(x, (struct bytes){NULL, 0}, out);
}
