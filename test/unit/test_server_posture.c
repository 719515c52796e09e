/* The endpoint assesses its server: our collector on one side, our judgement of it on the other, in one mutual session.
 */
#include "agent/collector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "roots.h"

/* Somebody must be assessed in the first direction, too. */
static void *anybody_create(void *context, struct nea_connection *c)
{
    (void)context;
    return c;
}

static void anybody_receive(void *state, const struct nea_delivery *d)
{
    (void)state;
    (void)d;
}

static void let_in(void *state)
{
    nea_recommend(state, NEA_COMPLIANT, NEA_ACCESS_ALLOWED, BYTES(""), "");
}

static const struct nea_component anybody = {
    .name = "anybody", .create = anybody_create, .receive = anybody_receive, .batch_ending = let_in};

static bool carry(struct nea_session *from, struct nea_session *to)
{
    struct wr w = wr_of(0);
    nea_session_out(from, &w);
    bool any = w.n > 0;
    nea_session_feed(to, wr_view(&w), 1);
    wr_free(&w);
    return any;
}

/* `collector` NULL: the server takes no part. */
static struct agent_server assess(const struct nea_component *collector, struct agent_posture *posture)
{
    static const struct nea_component *const components[] = {&anybody};
    void *contexts[] = {NULL}, *mutual_contexts[] = {posture};
    struct agent_server server = {.last_boot = TIME_UNKNOWN};
    struct nea_mutual mutual = {.components = &collector, .contexts = mutual_contexts, .component_count = 1};
    struct nea_config config = {
        .role = NEA_CLIENT, .initiator = true, .components = components, .contexts = contexts, .component_count = 1};
    config.mutual = agent_server_mutual(&server);
    struct nea_session *c = nea_session_new(&config, 0);
    config.role = NEA_SERVER;
    config.initiator = false;
    config.mutual = collector ? &mutual : NULL;
    struct nea_session *s = nea_session_new(&config, 0);
    unsigned turns = 0;
    for (bool asked = true, answered = true; asked || answered; turns++) {
        asked = carry(c, s);
        answered = carry(s, c);
        assert_true(turns < 50);
    }
    assert_true(nea_session_finished(c) && nea_session_finished(s));
    assert_int_equal(nea_session_outcome(c).access, NEA_ACCESS_ALLOWED);
    struct nea_outcome outcome = nea_session_mutual(c);
    assert_int_equal(outcome.access, nea_session_mutual(s).access); /* it hears what we think of it */
    agent_server_outcome(&server, &outcome);
    nea_session_free(c);
    nea_session_free(s);
    return server;
}

static struct agent_posture debian(void)
{
    struct agent_posture p = {.last_boot = TIME_UNKNOWN, .forwarding = 1};
    snprintf(p.platform.name, sizeof p.platform.name, "Debian");
    snprintf(p.platform.version, sizeof p.platform.version, "12");
    return p;
}

static void what_a_server_tells_is_shown_and_judged(void **state)
{
    (void)state;
    struct agent_posture posture = debian();
    assert_true(time_parse(BYTES("2026-11-22T00:00:00Z"), &posture.last_boot));
    struct agent_server s = assess(&agent_os_collector, &posture);
    assert_true(s.took_part);
    assert_int_equal(s.access, NEA_ACCESS_ALLOWED);
    assert_int_equal(s.result, NEA_COMPLIANT);
    assert_string_equal(s.product, "Debian");
    assert_int_equal(strncmp(s.version, "12", 2), 0);
    assert_int_equal(s.last_boot, posture.last_boot);
    assert_int_equal(s.forwarding, 1);
    assert_int_equal(s.default_password, 0);
    assert_string_equal(s.reason, "");

    posture.default_password = true;
    s = assess(&agent_os_collector, &posture);
    assert_int_equal(s.access, NEA_ACCESS_DENIED);
    assert_int_equal(s.result, NEA_MAJOR);
    assert_string_equal(s.reason, "a factory default password is in use");
}

/* What it says of its password, and of everything else, may be anything. */
static struct pa_product_information product = {.name = BYTES("evil\x1b[2J")};
static struct pa_string_version version = {.version = BYTES("1")};
static struct pa_factory_default_password password;
static struct pa_forwarding_enabled forwarding = {.value = 2};
static size_t told;

static void liar_begin(void *state)
{
    const struct pa_out out[] = {{&pa_types[PA_PRODUCT_INFORMATION], &product, 0},
                                 {&pa_types[PA_STRING_VERSION], &version, 0},
                                 {&pa_types[PA_FORWARDING_ENABLED], &forwarding, 0},
                                 {&pa_types[PA_FACTORY_DEFAULT_PASSWORD], &password, 0}};
    nea_send(state, NEA_ANY, out, told);
}

static const struct nea_component liar = {.name = "liar",
                                          .subtype = PA_SUBTYPE_OPERATING_SYSTEM,
                                          .create = anybody_create,
                                          .begin_handshake = liar_begin,
                                          .receive = anybody_receive};

static void half_an_answer_is_none(void **state)
{
    (void)state;
    for (told = 1; told < 4; told++) {
        struct agent_server s = assess(&liar, NULL);
        assert_true(s.took_part);
        assert_int_equal(s.access, NEA_ACCESS_DENIED);
        assert_int_equal(s.result, NEA_DONT_KNOW);
        assert_string_equal(s.reason, "the server did not tell its posture");
        assert_string_equal(s.product, "evil?[2J");
        assert_int_equal(s.default_password, -1);
    }
    password.value = 0;
    told = 4;
    struct agent_server s = assess(&liar, NULL);
    assert_int_equal(s.access, NEA_ACCESS_ALLOWED);
    assert_int_equal(s.forwarding, -1);
}

static void a_server_that_takes_no_part(void **state)
{
    (void)state;
    struct agent_server s = assess(NULL, NULL);
    assert_false(s.took_part);
    assert_int_equal(s.access, NEA_ACCESS_NONE);
    assert_int_equal(s.result, NEA_DONT_KNOW);
}

/* Plays until nothing moves, and asks on the way: nothing is said of a server before it is known. */
static enum agent_standing look(struct agent_server *server, struct nea_session *c, struct nea_session *s)
{
    enum agent_standing standing = AGENT_SERVER_UNDECIDED;
    for (bool asked = true, answered = true; asked || answered;) {
        asked = carry(c, s);
        answered = carry(s, c);
        enum agent_standing now = agent_server_standing(server, c);
        assert_true(now == AGENT_SERVER_UNDECIDED || standing == AGENT_SERVER_UNDECIDED || now == standing);
        standing = now;
    }
    assert_int_equal(nea_session_outcome(c).state, PB_DECIDED);
    return standing;
}

static void write_release(struct root *machine, const char *number)
{
    char text[64];
    snprintf(text, sizeof text, "ID=debian\nNAME=Debian\nVERSION_ID=\"%s\"\n", number);
    root_write(machine, "/etc/os-release", text);
}

static void who_stays_looks_again_at_each_exchange(void **state)
{
    (void)state;
    static const struct nea_component *const components[] = {&anybody}, *const collectors[] = {&agent_os_collector};
    struct root machine = root_make();
    for (unsigned way = 0; way < 3; way++) {
        bool takes_part = way > 0;
        struct agent_posture posture = debian();
        posture.root = way == 2 ? machine.path : NULL; /* read anew */
        struct agent_server server = {.last_boot = TIME_UNKNOWN};
        void *contexts[] = {NULL}, *own[] = {&posture};
        const struct nea_mutual mutual = {.components = collectors, .contexts = own, .component_count = 1};
        struct nea_config config = {.role = NEA_CLIENT, .initiator = true, .stay = true, .components = components,
                                    .contexts = contexts, .component_count = 1,
                                    .mutual = agent_server_mutual(&server)};
        struct nea_session *c = nea_session_new(&config, 0);
        config.role = NEA_SERVER;
        config.initiator = config.stay = false;
        config.mutual = takes_part ? &mutual : NULL;
        struct nea_session *s = nea_session_new(&config, 0);
        assert_int_equal(agent_server_standing(&server, c), AGENT_SERVER_UNDECIDED);
        for (unsigned round = 0; round < 4; round++) {
            char number[16];
            posture.default_password = round & 1;
            snprintf(number, sizeof number, "%u", 12 + round);
            if (posture.root)
                write_release(&machine, number);
            else
                snprintf(posture.platform.version, sizeof posture.platform.version, "%s", number);
            enum agent_standing standing = look(&server, c, s);
            assert_int_equal(server.took_part, takes_part);
            assert_int_equal(standing, takes_part && !(round & 1) ? AGENT_SERVER_SATISFIES : AGENT_SERVER_FAILS);
            assert_string_equal(server.reason, !takes_part ? "the server takes no part in mutual assessments"
                                               : round & 1 ? "a factory default password is in use"
                                                           : "");
            if (takes_part)
                assert_int_equal(strncmp(server.version, number, 2), 0);
            nea_session_retry(round < 2 ? s : c);
        }
        nea_session_free(c);
        nea_session_free(s);
    }
    root_remove(&machine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_server_tells_is_shown_and_judged),
        cmocka_unit_test(half_an_answer_is_none),
        cmocka_unit_test(a_server_that_takes_no_part),
        cmocka_unit_test(who_stays_looks_again_at_each_exchange),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
