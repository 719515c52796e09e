/* SASL: verifiers, each mechanism's steps of both sides, and logins in PT-TLS sessions whose host answers as the input
 * says. Whoever does not know the password is never let in. */
#include "nea/internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not SHA-256, but what the input cannot guess is as unknown: the fuzzer shall find paths, not preimages. */
static bool a_hash(struct bytes text, uint8_t out[NEA_KEY])
{
    uint64_t h = 0xcbf29ce484222325;
    for (size_t i = 0; i < text.n; i++)
        h = (h ^ text.p[i]) * 0x100000001b3;
    for (size_t i = 0; i < NEA_KEY; i++, h = (h ^ i) * 0x100000001b3)
        out[i] = (uint8_t)(h >> 56);
    return true;
}

static bool an_hmac(struct bytes key, struct bytes text, uint8_t out[NEA_KEY])
{
    uint8_t inner[2 * NEA_KEY];
    return a_hash(key, inner) && a_hash(text, inner + NEA_KEY) && a_hash((struct bytes){inner, sizeof inner}, out);
}

static bool a_pbkdf2(struct bytes password, struct bytes salt, uint32_t iterations, uint8_t out[NEA_KEY])
{
    if (iterations < NEA_ITERATIONS_MIN || iterations > NEA_ITERATIONS_MAX)
        abort();
    return an_hmac(password, salt, out);
}

static bool a_random(uint8_t *p, size_t n)
{
    memset(p, 'r', n);
    return true;
}

static const struct nea_crypto crypto = {a_hash, an_hmac, a_pbkdf2, a_random};
static const struct nea_verifier nobodys = {.iterations = 4096, .salt_size = 4, .salt = {1, 2, 3, 4}};

struct host {
    struct nea_session *session;
    uint8_t how;
    bool open, let_in;
};

static void answer(struct host *h)
{
    h->open = false;
    h->let_in |= h->how % 3 == NEA_LOGIN_RIGHT;
    nea_session_login(h->session, (enum nea_login_answer)(h->how % 3), h->how & 4 ? NULL : &nobodys);
}

static void login(void *context, const struct nea_login *l)
{
    struct host *h = context;
    if (!nea_login_text(l->name) || (l->password.n && !nea_login_text(l->password)))
        abort();
    h->open = true;
    if (h->how & 8)
        answer(h);
}

static void verifier(struct bytes text)
{
    struct nea_verifier v;
    if (!nea_verifier_parse(&v, text))
        return;
    struct wr w = wr_of(0);
    nea_verifier_print(&w, &v);
    struct nea_verifier again;
    if (!nea_verifier_parse(&again, wr_view(&w)) || again.salt_size != v.salt_size ||
        memcmp(again.stored_key, v.stored_key, NEA_KEY) != 0)
        abort();
    wr_free(&w);
}

/* The input is records of a type, a length and octets; each becomes a PT-TLS message. */
static void session(struct rd *r, uint8_t flags)
{
    struct host h = {.how = rd_u8(r)};
    bool server = flags & 1;
    struct nea_config config = {.role = server ? NEA_SERVER : NEA_CLIENT,
                                .initiator = !server,
                                .require_sasl = true,
                                .peer_name = flags & 2 ? BYTES("peer") : BYTES(""),
                                .login = flags & 4 ? login : NULL,
                                .crypto = &crypto,
                                .user = flags & 4 ? BYTES("carol") : BYTES(""),
                                .password = BYTES("Ar3etTnp"),
                                .certificate = flags & 2,
                                .peer_verified = flags & 8,
                                .host = &h};
    struct nea_session *s = h.session = nea_session_new(&config, 0);
    struct wr in = wr_of(0), out = wr_of(0);
    nea_session_feed(s,
                     server ? BYTES("\0\0\0\0\0\0\0\1\0\0\0\x14\0\0\0\0\0\1\1\1")
                            : BYTES("\0\0\0\0\0\0\0\2\0\0\0\x14\0\0\0\0\0\0\0\1"),
                     0);
    while (rd_more(r) && !nea_session_finished(s)) {
        uint8_t type = rd_u8(r);
        struct bytes octets = rd_take(r, rd_u16(r) & 0xfff);
        wr_reset(&in);
        wr_u32(&in, 0);
        wr_u32(&in, type & 7);
        wr_u32(&in, PT_HEADER + octets.n);
        wr_u32(&in, 0);
        wr_bytes(&in, octets);
        nea_session_feed(s, wr_view(&in), 1);
        if (h.open && !(type & 8))
            answer(&h);
        nea_session_out(s, &out);
        if (!server && !(flags & 8) && s->pt.sasl && s->pt.sasl->mechanism->shows_password)
            abort();
    }
    /* In by the certificate, or by a host's word. Nobody knows a key whose hash is all zeros. */
    if (server && nea_session_outcome(s).negotiated && !(flags & 2) && !h.let_in)
        abort();
    nea_session_tick(s, UINT32_MAX);
    nea_session_free(s);
    wr_free(&in);
    wr_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_of((struct bytes){data, size}, 0);
    uint8_t flags = rd_u8(&r);
    if (flags & 0x80)
        verifier(rd_rest(&r));
    else
        session(&r, flags);
    return 0;
}
