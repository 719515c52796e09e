/* Mutual assessment, strongSwan's way: recorded sessions replayed against either side, our two sides against each
 * other, and what happens where one of them does not take part or goes wrong. And two sessions between which anything
 * happens to any batch. */
#include "broker_bench.h"

#include <stdio.h>
#include <string.h>

/* ---- recorded sessions ---- */

static const struct nea_component test_component = {.name = "test",
                                                    .vendor = PEN_ITA,
                                                    .subtype = 1,
                                                    .create = create,
                                                    .begin_handshake = begin,
                                                    .receive = receive,
                                                    .refused = refused,
                                                    .batch_ending = ending,
                                                    .solicit = solicit,
                                                    .decided = decided};

struct line {
    char session[32], direction[8], type[16];
    uint8_t octets[256];
    size_t n;
};
static struct line lines[64];
static size_t line_count;

static int load_lines(void **state)
{
    (void)state;
    char text[1024], hex[700];
    unsigned number;
    snprintf(text, sizeof text, "%s/test/golden/pb-mutual.txt",
             getenv("MUSTER_SOURCE") ? getenv("MUSTER_SOURCE") : ".");
    FILE *f = fopen(text, "r");
    if (!f)
        return -1;
    while (line_count < ARRAY_LENGTH(lines) && fgets(text, sizeof text, f)) {
        struct line *l = &lines[line_count];
        if (text[0] == '#' ||
            sscanf(text, "%31s %u %7s %15s %511s", l->session, &number, l->direction, l->type, hex) != 5)
            continue;
        for (unsigned octet; l->n < sizeof l->octets && sscanf(hex + 2 * l->n, "%2x", &octet) == 1;)
            l->octets[l->n++] = (uint8_t)octet;
        line_count++;
    }
    fclose(f);
    return 0;
}

/* Our machine in the place of one side: when it is that side's turn it must send a batch of the recorded type and
 * direction. */
static void replay(size_t first, size_t end, enum nea_role role)
{
    struct memory m[2] = {{.begun = 0}};
    const struct nea_component *components[] = {&test_component};
    void *own[] = {&m[0]}, *others[] = {&m[1]};
    struct nea_mutual mutual = {.components = components, .contexts = others, .component_count = 1, .language = "en"};
    struct nea_config config = {.role = role,
                                .initiator = role == NEA_CLIENT,
                                .language = "en",
                                .components = components,
                                .contexts = own,
                                .component_count = 1,
                                .mutual = &mutual};
    struct nea_session *s = nea_session_new(&config, 0);
    struct wr out = wr_of(0), in = wr_of(0);
    nea_session_feed(s,
                     role == NEA_SERVER
                         ? BYTES("\0\0\0\0\0\0\0\1\0\0\0\x14\0\0\0\0\0\1\1\1")
                         : BYTES("\0\0\0\0\0\0\0\2\0\0\0\x14\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\3\0\0\0\x10\0\0\0\1"),
                     0);
    nea_session_out(s, &out);
    wr_drop(&out, role == NEA_SERVER ? 36 : 20); /* Version Response, Mechanisms; or Version Request */
    for (size_t i = first; i < end; i++) {
        const struct line *l = &lines[i];
        if (!strcmp(l->direction, "c2s") == (role == NEA_CLIENT)) {
            if (out.n < 24 || strcmp(pb_type_name(out.p[19] & 15), l->type) != 0 || (out.p[17] ^ l->octets[1]) & 0x80)
                fail_msg("%s, batch %zu: %s of direction %u expected, not %s", l->session, i - first + 1, l->type,
                         l->octets[1] >> 7, out.n < 24 ? "nothing" : pb_type_name(out.p[19] & 15));
            size_t length = (size_t)out.p[10] << 8 | out.p[11];
            assert_in_range(length, 24, out.n);
            wr_drop(&out, length);
            continue;
        }
        assert_int_equal(out.n, 0); /* one at a time */
        size_t answer = i + 1;      /* of the role that is spoken to */
        while (answer < end &&
               (lines[answer].octets[1] == l->octets[1] || !strcmp(lines[answer].direction, l->direction)))
            answer++;
        m[0].decide = m[1].decide = answer < end && !strcmp(lines[answer].type, "RESULT");
        wr_reset(&in);
        wr_u32(&in, 0);
        wr_u32(&in, 7);
        wr_u32(&in, l->n + 16);
        wr_u32(&in, 0);
        wr_bytes(&in, (struct bytes){l->octets, l->n});
        for (size_t k = 0; k < in.n; k++)
            nea_session_feed(s, (struct bytes){in.p + k, 1}, i);
        nea_session_out(s, &out);
    }
    struct nea_outcome o = nea_session_outcome(s), other = nea_session_mutual(s);
    if (o.fault.text[0] || other.fault.text[0])
        fail_msg("%s: %s%s", lines[first].session, o.fault.text, other.fault.text);
    assert_int_equal(out.n, 0);
    assert_true(nea_session_finished(s));
    assert_true(o.decided && other.negotiated && other.decided);
    assert_int_equal(other.state, PB_END);
    if (role == NEA_CLIENT && !strcmp(lines[first].session, "at-once"))
        assert_int_equal(o.access, NEA_ACCESS_ALLOWED);
    assert_int_equal(m[0].begun, 1);
    assert_int_equal(m[1].begun, 1);
    assert_int_equal(m[0].decided, 1);
    assert_int_equal(m[1].decided, 1);
    nea_session_free(s);
    wr_free(&in);
    wr_free(&out);
}

static void recorded_mutual_sessions(void **state)
{
    (void)state;
    unsigned count = 0;
    for (size_t first = 0, end; first < line_count; first = end, count++) {
        for (end = first; end < line_count && !strcmp(lines[end].session, lines[first].session); end++)
            ;
        replay(first, end, NEA_CLIENT);
        replay(first, end, NEA_SERVER);
    }
    assert_int_equal(count, 4);
}

/* ---- our two sides ---- */

/* A collector that answers each of two questions, and a validator that lets in whoever has answered both; each with a
 * state of one direction. */
struct talk {
    struct nea_connection *c;
    unsigned begun, asked, answered, decided, destroyed, refused;
    enum nea_access told;
};

static void *talk_create(void *context, struct nea_connection *c)
{
    ((struct talk *)context)->c = c;
    return context;
}

static void talk_destroy(void *state)
{
    ((struct talk *)state)->destroyed++;
}

static void talk_decided(void *state, enum nea_result result, enum nea_access access)
{
    struct talk *t = state;
    (void)result;
    t->decided++;
    t->told = access;
}

static void say(struct talk *t, uint16_t to, const char *what, unsigned n)
{
    char text[40];
    snprintf(text, sizeof text, "the %s of number %u", what, n);
    struct pa_ita_dummy dummy = {.filling = bytes_of(text)};
    struct pa_out out = {.type = &pa_types[PA_ITA_DUMMY], .fields = &dummy};
    nea_send(t->c, to, &out, 1);
}

static bool is_said(const struct nea_delivery *d, size_t i, const char *what, unsigned n)
{
    char text[40];
    const struct pa_attribute *a = &d->message->attributes[i];
    snprintf(text, sizeof text, "the %s of number %u", what, n);
    return a->type == &pa_types[PA_ITA_DUMMY] &&
           bytes_equal(((const struct pa_ita_dummy *)a->fields)->filling, bytes_of(text));
}

static void teller_begin(void *state)
{
    struct talk *t = state;
    t->begun++;
    t->answered = 0;
    say(t, NEA_ANY, "greeting", 0);
}

static void teller_receive(void *state, const struct nea_delivery *d)
{
    struct talk *t = state;
    for (size_t i = 0; i < d->message->count; i++)
        for (unsigned n = 1; n <= 2; n++)
            if (is_said(d, i, "question", n)) {
                say(t, d->from, "answer", n);
                t->answered = n;
            }
}

static void asker_begin(void *state)
{
    struct talk *t = state;
    t->begun++;
    t->asked = t->answered = 0;
}

static void asker_receive(void *state, const struct nea_delivery *d)
{
    struct talk *t = state;
    for (size_t i = 0; i < d->message->count; i++)
        if (is_said(d, i, "answer", t->answered + 1) && t->asked == t->answered + 1)
            t->answered++;
}

static void asker_ending(void *state)
{
    struct talk *t = state;
    if (t->answered == 2)
        nea_recommend(t->c, NEA_COMPLIANT, NEA_ACCESS_ALLOWED, BYTES(""), "");
    else if (t->asked == t->answered)
        say(t, NEA_ANY, "question", ++t->asked);
}

static void asker_solicit(void *state)
{
    struct talk *t = state;
    nea_recommend(t->c, NEA_DONT_KNOW, NEA_ACCESS_DENIED, BYTES("it does not answer"), "en");
}

static const struct nea_component teller = {.name = "teller",
                                            .subtype = PA_SUBTYPE_TESTING,
                                            .create = talk_create,
                                            .begin_handshake = teller_begin,
                                            .receive = teller_receive,
                                            .decided = talk_decided,
                                            .destroy = talk_destroy};
static const struct nea_component asker = {.name = "asker",
                                           .subtype = PA_SUBTYPE_TESTING,
                                           .create = talk_create,
                                           .begin_handshake = asker_begin,
                                           .receive = asker_receive,
                                           .batch_ending = asker_ending,
                                           .solicit = asker_solicit,
                                           .decided = talk_decided,
                                           .destroy = talk_destroy};
static const struct nea_component *const tellers[] = {&teller}, *const askers[] = {&asker};

/* What happens to a batch on its way. */
enum accident { NOTHING, DROPPED, TWICE, GARBLED, REPLAYED, INTRUDED, RETRIED, GONE };

struct pair {
    bool client_mutual, server_mutual, stay;
    struct talk collector, validator;           /* of the client and of the server, */
    struct talk back_collector, back_validator; /* and the other way round: of the server and of the client */
    struct nea_mutual client_side, server_side;
    void *contexts[4];
    struct nea_session *client, *server;
    uint64_t now;
    /* The accident: to which batch, and its details. */
    enum accident accident;
    size_t at, octet;
    uint8_t mask;
    size_t count; /* batches so far */
    struct {
        uint8_t octets[256];
        size_t n;
        bool from_client;
    } log[128];
};

static void pair_open(struct pair *p)
{
    p->contexts[0] = &p->collector;
    p->contexts[1] = &p->validator;
    p->contexts[2] = &p->back_collector;
    p->contexts[3] = &p->back_validator;
    p->client_side = (struct nea_mutual){.components = askers, .contexts = &p->contexts[3], .component_count = 1};
    p->server_side =
        (struct nea_mutual){.language = "de", .components = tellers, .contexts = &p->contexts[2], .component_count = 1};
    struct nea_config client = {.role = NEA_CLIENT,
                                .initiator = true,
                                .language = "en",
                                .stay = p->stay,
                                .components = tellers,
                                .contexts = &p->contexts[0],
                                .component_count = 1,
                                .mutual = p->client_mutual ? &p->client_side : NULL};
    struct nea_config server = {.role = NEA_SERVER,
                                .components = askers,
                                .contexts = &p->contexts[1],
                                .component_count = 1,
                                .peer_name = BYTES("client.example"),
                                .mutual = p->server_mutual ? &p->server_side : NULL};
    p->client = nea_session_new(&client, p->now);
    p->server = nea_session_new(&server, p->now);
    assert_true(p->client && p->server);
}

static void pair_close(struct pair *p)
{
    nea_session_free(p->client);
    nea_session_free(p->server);
    assert_int_equal(p->collector.destroyed, 1);
    assert_int_equal(p->validator.destroyed, 1);
}

static void give(struct pair *p, struct nea_session *to, const uint8_t *octets, size_t n)
{
    uint8_t *exact = malloc(n); /* so that a read too far is seen */
    memcpy(exact, octets, n);
    nea_session_feed(to, (struct bytes){exact, n}, ++p->now);
    free(exact);
}

/* An empty batch (of a RESULT, with its result) as nobody has sent it. */
static void intrude(struct pair *p, struct nea_session *to, unsigned kind)
{
    struct wr w = wr_of(0);
    wr_u32(&w, 0);
    wr_u32(&w, 7);
    wr_u64(&w, 0);
    size_t b = pb_batch_begin(&w, kind & 8 ? NEA_SERVER : NEA_CLIENT, kind & 7);
    if ((kind & 7) == PB_RESULT)
        pb_result_put(&w, NEA_MINOR, NEA_ACCESS_QUARANTINED);
    pb_batch_end(&w, b);
    wr_patch32(&w, 8, w.n);
    give(p, to, w.p, w.n);
    wr_free(&w);
}

static void deliver_with_accident(struct pair *p, struct nea_session *from, struct nea_session *to, uint8_t *octets,
                                  size_t n)
{
    switch (p->accident) {
    case DROPPED:
        return;
    case TWICE:
        give(p, to, octets, n);
        break;
    case GARBLED:
        if (p->octet < n)
            octets[p->octet] ^= p->mask;
        break;
    case REPLAYED:
        if (p->octet < p->count && p->log[p->octet].from_client == (to == p->server))
            give(p, to, p->log[p->octet].octets, p->log[p->octet].n);
        break;
    case INTRUDED:
        intrude(p, to, (unsigned)p->octet);
        break;
    case RETRIED:
        nea_session_retry(p->octet ? from : to);
        break;
    case GONE:
        if (p->octet)
            give(p, to, octets, n);
        nea_session_close(p->client);
        nea_session_close(p->server);
        return;
    default:
        break;
    }
    give(p, to, octets, n);
}

static bool move(struct pair *p, struct nea_session *from, struct nea_session *to)
{
    struct wr wire = wr_of(0);
    nea_session_out(from, &wire);
    bool any = wire.n > 0;
    for (size_t at = 0, n; at < wire.n; at += n) {
        n = (size_t)wire.p[at + 8] << 24 | (size_t)wire.p[at + 9] << 16 | (size_t)wire.p[at + 10] << 8 |
            wire.p[at + 11];
        if (wire.p[at + 7] != 7) {
            give(p, to, wire.p + at, n);
            continue;
        }
        size_t number = p->count++;
        if (number < ARRAY_LENGTH(p->log)) {
            assert_in_range(n, 24, sizeof p->log[0].octets);
            memcpy(p->log[number].octets, wire.p + at, n);
            p->log[number].n = n;
            p->log[number].from_client = from == p->client;
        }
        if (p->accident != NOTHING && number == p->at)
            deliver_with_accident(p, from, to, wire.p + at, n);
        else
            give(p, to, wire.p + at, n);
    }
    wr_free(&wire);
    return any;
}

/* Each says what it has to say; false: neither had anything. */
static bool turn(struct pair *p)
{
    bool asked = move(p, p->client, p->server), answered = move(p, p->server, p->client);
    return asked || answered;
}

static void pump(struct pair *p)
{
    for (unsigned i = 0; i < 1000; i++) {
        if (!turn(p))
            return;
    }
    fail_msg("the exchange does not end");
}

static void let_time_pass(struct pair *p)
{
    p->now += 100000;
    nea_session_tick(p->client, p->now);
    nea_session_tick(p->server, p->now);
    pump(p);
}

/* PB-R19, R24: who does not offer it, or is not asked to, is assessed as ever; the capability alone is harmless. */
static void both_must_want_it(void **state)
{
    (void)state;
    for (unsigned which = 0; which < 4; which++) {
        struct pair p = {.client_mutual = which & 1, .server_mutual = which & 2};
        pair_open(&p);
        pump(&p);
        struct nea_outcome c = nea_session_outcome(p.client), s = nea_session_outcome(p.server);
        struct nea_outcome back_c = nea_session_mutual(p.client), back_s = nea_session_mutual(p.server);
        assert_true(nea_session_finished(p.client) && nea_session_finished(p.server));
        assert_true(c.decided && s.decided && c.access == NEA_ACCESS_ALLOWED && s.access == NEA_ACCESS_ALLOWED);
        assert_int_equal(back_c.negotiated, which == 3);
        assert_int_equal(back_s.negotiated, which == 3);
        assert_int_equal(back_c.access, which == 3 ? NEA_ACCESS_ALLOWED : NEA_ACCESS_NONE);
        assert_int_equal(back_s.access, which == 3 ? NEA_ACCESS_ALLOWED : NEA_ACCESS_NONE);
        assert_string_equal(c.fault.text, "");
        assert_string_equal(s.fault.text, "");
        if (which == 3) {
            assert_int_equal(p.back_validator.answered, 2);
            assert_int_equal(p.back_collector.told, NEA_ACCESS_ALLOWED);
            assert_true(bytes_equal(nea_peer_language(p.back_validator.c), BYTES("de")));
            /* Who has proved himself is the same in both directions. */
            assert_true(bytes_equal(nea_peer_name(p.back_collector.c), BYTES("client.example")));
            nea_session_free(p.client);
            nea_session_free(p.server);
            assert_int_equal(p.back_collector.destroyed, 1);
            assert_int_equal(p.back_validator.destroyed, 1);
        } else {
            assert_int_equal(p.back_collector.begun + p.back_validator.begun, 0);
            pair_close(&p);
        }
    }
}

/* One batch on the wire at a time, as strongSwan's peers need it. */
static void one_batch_at_a_time(void **state)
{
    (void)state;
    struct pair p = {.client_mutual = true, .server_mutual = true};
    pair_open(&p);
    pump(&p);
    for (size_t i = 0; i < p.count; i++)
        if (i + 2 < p.count) /* the last two are the CLOSEs */
            assert_int_equal(p.log[i].from_client, i % 2 == 0);
    pair_close(&p);
}

/* The other direction alone has a hold: the server's verdict does not wait, the end of the session does. */
static void holds_are_of_one_direction(void **state)
{
    (void)state;
    struct pair p = {.client_mutual = true, .server_mutual = true};
    pair_open(&p);
    while (!p.back_validator.answered)
        assert_true(turn(&p));
    nea_hold(p.back_validator.c);
    pump(&p);
    assert_true(nea_session_outcome(p.client).decided);
    assert_false(nea_session_finished(p.client) || nea_session_finished(p.server));
    assert_int_equal(nea_session_deadline(p.client), UINT64_MAX); /* it is we who keep the other waiting */
    nea_release(p.back_validator.c);
    pump(&p);
    assert_true(nea_session_finished(p.client) && nea_session_finished(p.server));
    assert_int_equal(nea_session_mutual(p.client).access, NEA_ACCESS_ALLOWED);
    pair_close(&p);
}

/* Afterwards a connection that stays goes on as any other; a retry, whoever asks for it, is one of both directions. */
static void it_may_stay_and_retry(void **state)
{
    (void)state;
    struct pair p = {.client_mutual = true, .server_mutual = true, .stay = true};
    pair_open(&p);
    pump(&p);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(nea_session_outcome(p.client).state, PB_DECIDED);
        assert_int_equal(nea_session_outcome(p.client).access, NEA_ACCESS_ALLOWED);
        assert_int_equal(nea_session_mutual(p.client).state, PB_END);
        assert_int_equal(nea_session_mutual(p.client).access, NEA_ACCESS_ALLOWED);
        assert_int_equal(nea_session_mutual(p.server).access, NEA_ACCESS_ALLOWED);
        assert_int_equal(nea_session_deadline(p.server), UINT64_MAX);
        assert_int_equal(p.validator.decided, 1 + i);
        assert_int_equal(p.back_collector.begun, 1 + i);
        assert_int_equal(p.back_validator.decided, 1 + i);
        assert_int_equal(p.back_collector.destroyed, 0);
        nea_session_retry(i & 1 ? p.client : p.server);
        pump(&p);
    }
    pair_close(&p);
    assert_int_equal(p.back_collector.destroyed, 1);
    assert_int_equal(p.back_validator.destroyed, 1);
}

/* No verdict about the server outlives the exchange: one that does not agree again has none, whatever it was before. */
static void it_is_agreed_upon_anew(void **state)
{
    (void)state;
    for (unsigned who = 0; who < 2; who++) {
        struct pair p = {.client_mutual = true, .server_mutual = true, .stay = true};
        pair_open(&p);
        pump(&p);
        assert_int_equal(nea_session_mutual(p.client).access, NEA_ACCESS_ALLOWED);
        p.server->config.mutual = NULL;
        nea_session_retry(who ? p.client : p.server);
        pump(&p);
        struct nea_outcome back = nea_session_mutual(p.client);
        assert_int_equal(nea_session_outcome(p.client).access, NEA_ACCESS_ALLOWED);
        assert_false(back.negotiated || back.decided);
        assert_int_equal(back.access, NEA_ACCESS_NONE);
        assert_int_equal(p.back_validator.decided, 1);
        p.server->config.mutual = &p.server_side; /* and with the next one it may */
        nea_session_retry(who ? p.client : p.server);
        pump(&p);
        assert_int_equal(nea_session_mutual(p.client).access, NEA_ACCESS_ALLOWED);
        assert_int_equal(p.back_validator.decided, 2);
        pair_close(&p);
    }
}

/* What is under way goes on, whoever says that it shall begin. */
static void nobody_begins_anew_what_is_under_way(void **state)
{
    (void)state;
    struct pair p = {.client_mutual = true, .server_mutual = true, .stay = true};
    pair_open(&p);
    while (!p.back_validator.answered)
        assert_true(turn(&p));
    nea_hold(p.back_validator.c);
    pump(&p);
    assert_int_equal(nea_session_outcome(p.client).state, PB_DECIDED);
    p.client->mirror->state = PB_END; /* a client that has forgotten it */
    nea_session_retry(p.client);
    pump(&p);
    assert_int_equal(nea_session_outcome(p.client).access, NEA_ACCESS_ALLOWED);
    assert_false(nea_session_mutual(p.client).negotiated);
    assert_int_equal(p.back_collector.begun, 1);
    nea_release(p.back_validator.c);
    pump(&p);
    assert_int_equal(p.back_collector.begun, 1);
    pair_close(&p);
}

/* A peer that agrees and then does nothing of it. */
static void who_agrees_must_take_part(void **state)
{
    (void)state;
    struct pair p = {.client_mutual = true, .server_mutual = true};
    pair_open(&p);
    while (!nea_session_mutual(p.server).negotiated)
        assert_true(turn(&p));
    p.now += 60001;
    assert_true(nea_session_deadline(p.server) <= p.now);
    nea_session_tick(p.server, p.now);
    assert_true(nea_session_finished(p.server));
    assert_false(nea_session_outcome(p.server).decided && nea_session_outcome(p.server).access == NEA_ACCESS_ALLOWED);
    pair_close(&p);
}

/* PB-R43, R68: who errs, errs on the connection; neither direction goes on, and nobody waits for a time-out. */
static void an_error_of_one_direction_ends_both(void **state)
{
    (void)state;
    for (unsigned of_server = 0; of_server < 2; of_server++) {
        struct pair p = {.client_mutual = true, .server_mutual = true};
        pair_open(&p);
        while (!p.back_validator.asked)
            assert_true(turn(&p));
        struct nea_session *to = of_server ? p.server : p.client;
        intrude(&p, to, of_server ? 8 | PB_CDATA : PB_RESULT); /* for its other role, and nobody may send it that */
        assert_true(nea_session_finished(to));
        assert_int_equal(nea_session_outcome(to).fault.code, PB_UNEXPECTED_BATCH);
        assert_false(nea_session_outcome(to).decided);
        pump(&p);
        assert_true(nea_session_finished(p.client) && nea_session_finished(p.server));
        for (unsigned i = 0; i < 2; i++) {
            struct nea_outcome o = nea_session_outcome(i ? p.client : p.server);
            assert_string_not_equal(o.fault.text, "");
            assert_int_equal(o.access, NEA_ACCESS_NONE);
        }
        pair_close(&p);
    }
}

/* ---- anything happens to any batch ---- */

/* Plays one session with one accident, then asks what must hold whatever it was. Returns how many batches an
 * undisturbed one has. */
static size_t check_accident(bool mutual, bool stay, enum accident accident, size_t at, size_t octet, uint8_t mask)
{
    struct pair p = {.client_mutual = mutual, .server_mutual = mutual, .stay = stay, .now = 1000};
    p.accident = accident;
    p.at = at;
    p.octet = octet;
    p.mask = mask;
    pair_open(&p);
    pump(&p);
    for (unsigned i = 0; i < 4; i++)
        let_time_pass(&p);
    const struct {
        const char *name;
        struct nea_outcome o;
        const struct talk *asker;
        bool finished;
    } sides[] = {
        {"server", nea_session_outcome(p.server), &p.validator, nea_session_finished(p.server)},
        {"client", nea_session_outcome(p.client), NULL, nea_session_finished(p.client)},
        {"client's server", nea_session_mutual(p.client), &p.back_validator, true},
        {"server's client", nea_session_mutual(p.server), NULL, true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(sides); i++) {
        const struct nea_outcome *o = &sides[i].o;
        const char *wrong = NULL;
        if (!sides[i].finished &&
            !(o->state == PB_DECIDED && (stay || i == 0))) /* a server waits as long as the transport */
            wrong = "does not end";
        else if (!o->decided && o->access != NEA_ACCESS_NONE)
            wrong = "has a recommendation without a decision";
        else if (sides[i].asker && o->access == NEA_ACCESS_ALLOWED && sides[i].asker->answered != 2)
            wrong = "lets in who has not answered";
        else if (!sides[i].asker && o->access == NEA_ACCESS_ALLOWED && accident != GARBLED &&
                 (i == 1 ? p.validator.told : p.back_validator.told) != NEA_ACCESS_ALLOWED)
            wrong = "believes to be allowed, and nobody said so";
        if (wrong)
            fail_msg("%s %s: accident %d to batch %zu, octet %zu, mask %x, mutual %d, stay %d", sides[i].name, wrong,
                     (int)accident, at, octet, mask, mutual, stay);
    }
    if (p.count > 48)
        fail_msg("%zu batches: accident %d to batch %zu, octet %zu", p.count, (int)accident, at, octet);
    pair_close(&p);
    return p.count;
}

/* PB-R1, R3, R12, R43: whatever is lost, doubled, garbled, said again, slipped in, retried or cut off, at each point.
 */
static void whatever_happens_to_a_batch(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < 4; variant++) {
        bool mutual = variant & 1, stay = variant & 2;
        size_t count = check_accident(mutual, stay, NOTHING, 0, 0, 0);
        assert_int_equal(count, (mutual ? 13u : 6u) + (mutual ? 2u : 1u) - stay);
        for (size_t at = 0; at < count; at++) {
            check_accident(mutual, stay, DROPPED, at, 0, 0);
            check_accident(mutual, stay, TWICE, at, 0, 0);
            for (size_t earlier = 0; earlier < at; earlier++)
                check_accident(mutual, stay, REPLAYED, at, earlier, 0);
            for (unsigned kind = 0; kind < 16; kind++)
                check_accident(mutual, stay, INTRUDED, at, kind, 0);
            for (unsigned who = 0; who < 2; who++) {
                check_accident(mutual, stay, RETRIED, at, who, 0);
                check_accident(mutual, stay, GONE, at, who, 0);
            }
            for (size_t octet = 0; octet < 128; octet++) {
                static const uint8_t masks[] = {0x01, 0x80, 0xff};
                for (size_t m = 0; m < ARRAY_LENGTH(masks); m++)
                    check_accident(mutual, stay, GARBLED, at, octet, masks[m]);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_mutual_sessions),
        cmocka_unit_test(both_must_want_it),
        cmocka_unit_test(one_batch_at_a_time),
        cmocka_unit_test(holds_are_of_one_direction),
        cmocka_unit_test(it_may_stay_and_retry),
        cmocka_unit_test(it_is_agreed_upon_anew),
        cmocka_unit_test(nobody_begins_anew_what_is_under_way),
        cmocka_unit_test(who_agrees_must_take_part),
        cmocka_unit_test(an_error_of_one_direction_ends_both),
        cmocka_unit_test(whatever_happens_to_a_batch),
    };
    return cmocka_run_group_tests(tests, load_lines, NULL);
}
