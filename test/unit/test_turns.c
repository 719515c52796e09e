/* Whose turn it is: every batch in every state of whole sessions, crossing retries, bounds; and two sessions between
 * which anything happens to any batch. */
#include "broker_bench.h"

#include <stdio.h>
#include <string.h>

#define PA_EMPTY BYTES("\1\0\0\0\0\0\0\1") /* a PA-TNC message without attributes */

/* What the session sent last, if that was a CLOSE with one fatal error and nothing else: its code; PB_OK: something
 * else. */
static enum pb_error_code error_said(const struct bench *t, uint32_t *parameter)
{
    struct bytes b = wr_view(&t->out);
    uint8_t d = t->role == NEA_SERVER ? 0x80 : 0;
    if (b.n < 16 + 8 + 20 || b.p[16] != 2 || b.p[17] != d || b.p[18] != 0 || b.p[19] != PB_CLOSE)
        return PB_OK;
    struct rd r = rd_of((struct bytes){b.p + 24, b.n - 24}, 0);
    assert_int_equal(rd_u8(&r), PB_NOSKIP);
    assert_int_equal(rd_u24(&r), PEN_IETF);
    assert_int_equal(rd_u32(&r), PB_ERROR);
    assert_int_equal(rd_u32(&r), b.n - 24); /* alone */
    assert_int_equal(rd_u8(&r), PB_ERROR_FATAL);
    assert_int_equal(rd_u24(&r), PEN_IETF);
    enum pb_error_code code = (enum pb_error_code)rd_u16(&r);
    rd_u16(&r);
    *parameter = rd_more(&r) ? rd_u32(&r) : UINT32_MAX;
    assert_false(rd_more(&r));
    return code;
}

/* ---- every state, every batch ---- */

/* A session in that state, with one component. */
static struct bench *in_state(enum nea_role role, enum pb_state state)
{
    struct bench *t = bench_with(
        (struct nea_config){.role = role,
                            .initiator = role == NEA_CLIENT && state != PB_INIT && state != PB_CLIENT_WORKING},
        &swima, NULL);
    struct wr w;
    bool server = role == NEA_SERVER;
    t->m[0].hold = server ? state == PB_SERVER_WORKING : state == PB_CLIENT_WORKING;
    t->m[0].decide = server && state == PB_DECIDED;
    if (state == PB_END) {
        w = batch(t, PB_CLOSE);
        hear(t, &w);
    } else if (state != PB_INIT && !(state == PB_SERVER_WORKING && !server)) {
        w = batch(t, server ? PB_CDATA : state == PB_DECIDED ? PB_RESULT : PB_SDATA);
        if (state == PB_DECIDED && !server)
            pb_result_put(&w, NEA_COMPLIANT, NEA_ACCESS_ALLOWED);
        put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false, PA_EMPTY);
        hear(t, &w);
    }
    assert_int_equal(nea_session_outcome(t->s).state, state);
    wr_reset(&t->out);
    t->m[0].received = 0;
    return t;
}

/* RFC 5793 §3.2 and §4.1. P: taken. R: taken, a new exchange begins. I: a crossing retry, ignored. E: the end, without
 * a word. D: dropped. X: Unexpected Batch Type. Columns: CDATA SDATA RESULT CRETRY SRETRY CLOSE. */
static const char *const reactions[2][PB_STATE_COUNT] = {
    [NEA_CLIENT] = {[PB_INIT] = "XPXXXE",
                    [PB_SERVER_WORKING] = "XPPXIE",
                    [PB_CLIENT_WORKING] = "XXXXXE",
                    [PB_DECIDED] = "XXXXRE",
                    [PB_END] = "DDDDDD"},
    [NEA_SERVER] = {[PB_INIT] = "PXXXXE",
                    [PB_SERVER_WORKING] = "XXXIXE",
                    [PB_CLIENT_WORKING] = "PXXIXE",
                    [PB_DECIDED] = "XXXRXE",
                    [PB_END] = "DDDDDD"},
};

static void check_reaction(enum nea_role role, enum pb_state state, unsigned type, bool right_direction)
{
    struct bench *t = in_state(role, state);
    unsigned begun = t->m[0].begun;
    char expected = type >= PB_CDATA && type <= PB_CLOSE ? reactions[role][state][type - 1] : '?';
    uint32_t parameter = 0;
    struct wr w = batch(t, type);
    if (!right_direction)
        w.p[17] ^= 0x80;
    if (type == PB_RESULT)
        pb_result_put(&w, NEA_COMPLIANT, NEA_ACCESS_ALLOWED);
    put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false, PA_EMPTY);
    hear(t, &w);
    enum pb_error_code said = error_said(t, &parameter);
    enum pb_state now = nea_session_outcome(t->s).state;
    bool fine;
    if (state == PB_END) {
        fine = t->out.n == 0 && now == PB_END && !t->m[0].received;
    } else if (!right_direction || expected == '?') {
        fine = said == PB_INVALID_PARAMETER && parameter == (right_direction ? 3 : 1) && now == PB_END &&
               !t->m[0].received;
    } else if (expected == 'X') {
        fine = said == PB_UNEXPECTED_BATCH && parameter == UINT32_MAX && now == PB_END && !t->m[0].received;
    } else if (expected == 'E') {
        fine = t->out.n == 0 && now == PB_END && !t->m[0].received;
    } else if (expected == 'I') {
        fine = t->out.n == 0 && now == state && !t->m[0].received;
    } else {
        fine = said == PB_OK && now != PB_END && t->m[0].received == 1 && (t->m[0].begun > begun) == (expected == 'R');
    }
    if (!fine)
        fail_msg("%s in %s, batch type %u%s: expected %c, error %d (%u), now %s, received %u",
                 role == NEA_SERVER ? "server" : "client", pb_state_name(state), type,
                 right_direction ? "" : " of the wrong direction", expected, (int)said, parameter, pb_state_name(now),
                 t->m[0].received);
    bench_free(t);
}

/* PB-R1, R2, R3, R5, R9, R11, R12, R13, R15, R43, R68 */
static void every_batch_in_every_state(void **state)
{
    (void)state;
    for (enum nea_role role = NEA_CLIENT; role <= NEA_SERVER; role++)
        for (enum pb_state st = PB_INIT; st < PB_STATE_COUNT; st++)
            for (unsigned type = 0; type < 16; type++) {
                check_reaction(role, st, type, true);
                check_reaction(role, st, type, false);
            }
}

/* PB-R7, R8, R15, R45, R47, R65 */
static void another_version_in_every_state(void **state)
{
    (void)state;
    for (enum nea_role role = NEA_CLIENT; role <= NEA_SERVER; role++)
        for (enum pb_state st = PB_INIT; st < PB_END; st++) {
            struct bench *t = in_state(role, st);
            uint32_t parameter = 0;
            struct wr w = batch(t, PB_CLOSE); /* not even this: what it says in another version nobody knows */
            w.p[16] = 0x3c;
            hear(t, &w);
            assert_int_equal(error_said(t, &parameter), PB_VERSION_NOT_SUPPORTED);
            assert_int_equal(parameter, 0x3c020200);
            assert_true(nea_session_finished(t->s));
            bench_free(t);
        }
}

/* PB-R43, R44, R45, R46: in every state in which the batch is legal. Parameters may be missing, or be there where there
 * are none. */
static void errors_in_every_state(void **state)
{
    (void)state;
    static const char *const errors[] = {"\0\0\0\0\0\0\0\0\0\0\0\0", "\0\0\0\0\0\1\0\0\0\0\0\4",
                                         "\0\0\x90\x2a\x12\x34\0\0\0\0\0\0"};
    static const struct {
        enum nea_role role;
        enum pb_state state;
        enum pb_type type;
    } rows[] = {
        {NEA_SERVER, PB_INIT, PB_CDATA},           {NEA_SERVER, PB_CLIENT_WORKING, PB_CDATA},
        {NEA_SERVER, PB_DECIDED, PB_CRETRY},       {NEA_CLIENT, PB_INIT, PB_SDATA},
        {NEA_CLIENT, PB_SERVER_WORKING, PB_SDATA}, {NEA_CLIENT, PB_SERVER_WORKING, PB_RESULT},
        {NEA_CLIENT, PB_DECIDED, PB_SRETRY},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        for (size_t k = 0; k < ARRAY_LENGTH(errors); k++)
            for (unsigned fatal = 0; fatal < 2; fatal++)
                for (unsigned n = 8; n <= 12; n += 4) {
                    struct bench *t = in_state(rows[i].role, rows[i].state);
                    struct wr w = batch(t, rows[i].type);
                    size_t m = pb_message_begin(&w, PB_NOSKIP, PB_ERROR);
                    wr_u8(&w, fatal ? PB_ERROR_FATAL : 0);
                    wr_bytes(&w, (struct bytes){(const uint8_t *)errors[k] + 1, n - 1});
                    pb_message_end(&w, m);
                    if (rows[i].type == PB_RESULT)
                        pb_result_put(&w, NEA_COMPLIANT, NEA_ACCESS_ALLOWED);
                    hear(t, &w);
                    struct nea_outcome o = nea_session_outcome(t->s);
                    uint32_t ignored;
                    assert_int_equal(nea_session_finished(t->s), fatal);
                    assert_int_equal(error_said(t, &ignored), PB_OK);
                    if (fatal) {
                        assert_int_equal(t->out.n, 0);
                        assert_false(o.decided);
                        assert_int_equal(o.access, NEA_ACCESS_NONE);
                        assert_string_not_equal(o.fault.text, "");
                    }
                    bench_free(t);
                }
}

/* ---- routing on the other side ---- */

/* PB-R29, R30, R31, R32, R33, R34 */
static void several_collectors_of_a_type(void **state)
{
    (void)state;
    struct bench *t = bench_of(NEA_CLIENT, 0, &swima, &swima);
    t->m[1].answer = 10;
    struct wr w = batch(t, PB_SDATA);
    put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false, PA_EMPTY);
    put_pa(&w, t, PA_SUBTYPE_SWIMA, 1, true, PA_EMPTY);
    put_pa(&w, t, PA_SUBTYPE_SWIMA, 1, false, PA_EMPTY);
    put_pa(&w, t, PA_SUBTYPE_SWIMA, 3, true, PA_EMPTY);
    put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, true, PA_EMPTY);
    put_pa(&w, t, PA_SUBTYPE_OPERATING_SYSTEM, 1, true, PA_EMPTY); /* it has not subscribed to that */
    hear(t, &w);
    assert_int_equal(t->m[0].received, 3);
    assert_int_equal(t->m[1].received, 2);
    for (unsigned n = 0; n < 2; n++) { /* each answer names who gives it, and whom it is for */
        assert_int_equal(said(t, n).collector, 2);
        assert_int_equal(said(t, n).validator, 5);
        assert_int_equal(said(t, n).flags, PB_PA_EXCL);
    }
    assert_null(said(t, 2).message.p);
    assert_int_equal(batch_said(t), PB_CDATA);
    bench_free(t);
}

/* PB-R18, R26: what is not PA-TNC is the components' trouble, not the broker's; EXCL or not, each answers for itself.
 */
static void a_bad_message_is_answered_by_each(void **state)
{
    (void)state;
    struct bench *t = bench_of(NEA_CLIENT, 0, &swima, &swima);
    struct bytes cut = BYTES("\1\0\0\0\x70\0\0\x0e\0\0\0\0\0\0\0\x0d\0\0\0\x1d\0\0\0\2\0");
    struct wr w = batch(t, PB_SDATA);
    put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false, cut);
    hear(t, &w);
    assert_int_equal(said(t, 0).collector, 1);
    assert_int_equal(said(t, 1).collector, 2);
    w = batch(t, PB_SDATA);
    put_pa(&w, t, PA_SUBTYPE_SWIMA, 2, true, cut);
    hear(t, &w);
    assert_int_equal(said(t, 0).collector, 2);
    assert_null(said(t, 1).message.p);
    bench_free(t);
}

/* ---- retries ---- */

/* PB-R3, R67: ours crossed the server's and was ignored there, so it is said again; what was not crossed is not. */
static void a_retry_that_crossed_is_said_again(void **state)
{
    (void)state;
    struct bench *t = in_state(NEA_CLIENT, PB_DECIDED);
    nea_session_retry(t->s);
    nea_session_out(t->s, &t->out);
    assert_int_equal(batch_said(t), PB_CRETRY);
    unsigned begun = t->m[0].begun;
    for (unsigned i = 0; i < 3; i++) { /* one of them can have crossed */
        struct wr w = batch(t, PB_SRETRY);
        put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false, PA_EMPTY);
        hear(t, &w);
        assert_int_equal(t->m[0].received, 0);
        assert_int_equal(t->out.n, 0);
        assert_int_equal(t->m[0].begun, begun + 1);
    }
    struct wr w = batch(t, PB_SDATA);
    hear(t, &w);
    assert_int_equal(batch_said(t), PB_CDATA);
    bench_free(t);
}

/* PB-R4 */
static void a_half_duplex_server_does_not_retry(void **state)
{
    (void)state;
    for (unsigned half = 0; half < 2; half++) {
        struct bench *t = bench_with((struct nea_config){.role = NEA_SERVER, .half_duplex = half}, &swima, NULL);
        t->m[0].decide = true;
        struct wr w = batch(t, PB_CDATA);
        hear(t, &w);
        assert_int_equal(batch_said(t), PB_RESULT);
        w = batch(t, PB_CRETRY); /* the client may */
        hear(t, &w);
        assert_int_equal(batch_said(t), PB_RESULT);
        wr_reset(&t->out);
        nea_session_retry(t->s);
        nea_session_out(t->s, &t->out);
        assert_int_equal(nea_session_finished(t->s), half);
        assert_int_equal(t->out.n, half ? 0 : 48); /* no CLOSE; else SRETRY and SDATA */
        bench_free(t);
    }
}

/* A verdict does not outlive the exchange that it was about. */
static void a_retry_that_fails_leaves_no_verdict(void **state)
{
    (void)state;
    for (enum nea_role role = NEA_CLIENT; role <= NEA_SERVER; role++) {
        struct bench *t = in_state(role, PB_DECIDED);
        assert_int_equal(nea_session_outcome(t->s).access, NEA_ACCESS_ALLOWED);
        struct wr w = batch(t, role == NEA_SERVER ? PB_CRETRY : PB_SRETRY);
        t->m[0].decide = false;
        t->m[0].hold = role == NEA_SERVER;
        hear(t, &w);
        assert_false(nea_session_outcome(t->s).decided);
        w = batch(t, PB_CLOSE);
        hear(t, &w);
        struct nea_outcome o = nea_session_outcome(t->s);
        assert_false(o.decided);
        assert_int_equal(o.access, NEA_ACCESS_NONE);
        bench_free(t);
    }
}

/* ---- bounds (PB-L3, PB-L4, PB-L5) ---- */

static void messages_of_a_batch_are_counted(void **state)
{
    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        struct bench *t = bench_of(NEA_SERVER, 0, &swima, NULL);
        uint32_t parameter;
        struct wr w = batch(t, PB_CDATA);
        put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false, PA_EMPTY);
        for (unsigned i = 1; i < PB_MESSAGES_MAX + more; i++)
            pb_message_end(&w, pb_message_begin(&w, 0, 0x1234));
        hear(t, &w);
        assert_int_equal(error_said(t, &parameter), more ? PB_LOCAL_ERROR : PB_OK);
        assert_int_equal(t->m[0].received, !more);
        bench_free(t);
    }
}

/* PB-L3: 600 retries of the peer are answered within a minute, one more is not; the next minute has its own. */
static void retries_are_counted(void **state)
{
    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        struct bench *t = in_state(NEA_SERVER, PB_DECIDED);
        uint32_t parameter = 0;
        for (unsigned i = 0; i < 600 + more; i++) {
            struct wr w = batch(t, PB_CRETRY);
            put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false, PA_EMPTY);
            hear(t, &w);
            assert_int_equal(nea_session_finished(t->s), i == 600);
        }
        assert_int_equal(error_said(t, &parameter), more ? PB_LOCAL_ERROR : PB_OK);
        if (!more) {
            t->now = 60000;
            struct wr w = batch(t, PB_CRETRY);
            put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false, PA_EMPTY);
            hear(t, &w);
            assert_int_equal(nea_session_outcome(t->s).state, PB_DECIDED);
        }
        bench_free(t);
    }
}

/* A server that lets a collector answer without end in one batch. */
static void what_is_queued_is_bounded(void **state)
{
    (void)state;
    struct bench *t = bench_of(NEA_CLIENT, 0, &swima, NULL);
    uint32_t parameter;
    t->m[0].answer = (size_t)1 << 20;
    struct wr w = batch(t, PB_SDATA);
    for (unsigned i = 0; i < 100; i++)
        put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false, PA_EMPTY);
    hear(t, &w);
    assert_int_equal(error_said(t, &parameter), PB_LOCAL_ERROR);
    assert_true(t->s->queue.capacity <= ((size_t)64 << 20));
    assert_true(nea_session_finished(t->s));
    bench_free(t);
}

/* What does not fit a batch follows in order, in the next ones of our turn. */
static void a_long_queue_leaves_in_several_batches(void **state)
{
    (void)state;
    struct bench *t = bench_with(
        (struct nea_config){.role = NEA_CLIENT, .initiator = true, .limits = {.max_batch = 100000}}, &swima, NULL);
    t->m[0].answer = 20000;
    struct wr w = batch(t, PB_SDATA);
    for (unsigned i = 0; i < 10; i++)
        put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false, PA_EMPTY);
    hear(t, &w);
    t->m[0].answer = 0;
    uint32_t last = 0;
    unsigned count = 0, batches = 0;
    for (; count < 10 && batches < 12; batches++) {
        assert_true(t->out.n <= 100000);
        for (unsigned n = 0; said(t, n).message.p; n++, count++) {
            struct rd r = rd_of(said(t, n).message, 0);
            rd_u32(&r);
            uint32_t id = rd_u32(&r);
            assert_true(id > last);
            last = id;
        }
        w = batch(t, PB_SDATA);
        hear(t, &w);
    }
    assert_int_equal(count, 10);
    assert_in_range(batches, 3, 10);
    bench_free(t);
}

/* strongSwan's livelock: batches without contents for ever. A server comes to its verdict, and it is none that lets in;
 * a client gives up. */
static void empty_batches_come_to_an_end(void **state)
{
    (void)state;
    struct bench *t = bench_of(NEA_SERVER, 0, &swima, NULL);
    struct wr w = batch(t, PB_CDATA);
    hear(t, &w);
    assert_int_equal(batch_said(t), PB_RESULT);
    assert_int_equal(nea_session_outcome(t->s).access, NEA_ACCESS_DENIED);
    bench_free(t);

    t = bench_of(NEA_CLIENT, 0, &swima, NULL);
    unsigned rounds = 0;
    uint32_t parameter;
    while (!nea_session_finished(t->s) && rounds++ < 10000) {
        w = batch(t, PB_SDATA);
        hear(t, &w);
        if (rounds % 3 == 0 && !nea_session_finished(t->s)) { /* a retry that crosses nothing buys no time */
            w = batch(t, PB_SRETRY);
            hear(t, &w);
        }
    }
    assert_in_range(rounds, 100, 5000);
    assert_int_equal(error_said(t, &parameter), PB_LOCAL_ERROR);
    assert_false(nea_session_outcome(t->s).decided);
    bench_free(t);
}

/* Segments excuse a round, but not for ever, and not those that belong to nothing. */
static void segments_come_to_an_end(void **state)
{
    (void)state;
    static const uint8_t octets[200];
    for (enum nea_role role = NEA_CLIENT; role <= NEA_SERVER; role++)
        for (unsigned wanted = 0; wanted < 2; wanted++) {
            struct bench *t = bench_of(role, 0, &swima, NULL);
            unsigned rounds = 0;
            while (!nea_session_finished(t->s) && !nea_session_outcome(t->s).decided && rounds < 100000) {
                struct wr w = batch(t, role == NEA_SERVER ? PB_CDATA : PB_SDATA);
                struct pa_segment_envelope e = {
                    .flags = SEG_START | SEG_MORE, .base_id = 1 + rounds, .segment = {octets, sizeof octets}};
                uint8_t head[200] = {0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 250};
                if (wanted && rounds % 2 == 0) {
                    e.segment.p = head;
                } else if (wanted) {
                    e.flags = 0;
                    e.base_id--;
                    e.segment.n = 50;
                } else {
                    e.flags = SEG_MORE;
                }
                put_attribute(&w, t, PA_SUBTYPE_SWIMA, PA_SEGMENT_ENVELOPE, &e);
                hear(t, &w);
                rounds++;
            }
            if (role == NEA_SERVER)
                assert_int_equal(nea_session_outcome(t->s).access, NEA_ACCESS_DENIED);
            else
                assert_false(nea_session_outcome(t->s).decided);
            assert_true(rounds < (wanted ? 70000u : 5000u));
            bench_free(t);
        }
}

/* PB-R49, R50 */
static void languages(void **state)
{
    (void)state;
    static const struct {
        const char *language;
        bool sent;
    } rows[] = {{"de-AT, en;q=0.5, *;q=0.1", true},
                {"", false},
                {"en\r\nX: y", false},
                {"en (a comment)", false},
                {"\xc3\xa4", false}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct bench *t = bench_with(
            (struct nea_config){.role = NEA_CLIENT, .initiator = true, .language = rows[i].language}, &swima, NULL);
        struct bytes all = wr_view(&t->out);
        bool found = false;
        for (size_t k = 0; k + 17 <= all.n; k++)
            found |= bytes_starts((struct bytes){all.p + k, all.n - k}, BYTES("Accept-Language: "));
        assert_int_equal(found, rows[i].sent);
        bench_free(t);
    }
    /* The last one counts, an empty one takes it back. */
    struct bench *t = bench_of(NEA_SERVER, 0, &swima, NULL);
    for (unsigned empty = 0; empty < 2; empty++) {
        struct wr w = batch(t, PB_CDATA);
        put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false, PA_EMPTY);
        if (!empty) {
            pb_language_put(&w, "fr");
            pb_language_put(&w, "de");
        } else {
            pb_message_end(&w, pb_message_begin(&w, 0, PB_LANGUAGE));
        }
        hear(t, &w);
        assert_true(bytes_equal(nea_peer_language(t->m[0].c), empty ? BYTES("") : BYTES("de")));
    }
    bench_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_batch_in_every_state),
        cmocka_unit_test(another_version_in_every_state),
        cmocka_unit_test(errors_in_every_state),
        cmocka_unit_test(several_collectors_of_a_type),
        cmocka_unit_test(a_bad_message_is_answered_by_each),
        cmocka_unit_test(a_retry_that_crossed_is_said_again),
        cmocka_unit_test(a_half_duplex_server_does_not_retry),
        cmocka_unit_test(a_retry_that_fails_leaves_no_verdict),
        cmocka_unit_test(messages_of_a_batch_are_counted),
        cmocka_unit_test(retries_are_counted),
        cmocka_unit_test(what_is_queued_is_bounded),
        cmocka_unit_test(a_long_queue_leaves_in_several_batches),
        cmocka_unit_test(empty_batches_come_to_an_end),
        cmocka_unit_test(segments_come_to_an_end),
        cmocka_unit_test(languages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
