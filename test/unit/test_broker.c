/* The broker: who gets what, what is answered to bad messages, segmentation in detail, retries; and recorded sessions
 * replayed. */
#include "broker_bench.h"

#include <stdio.h>
#include <string.h>

/* ---- routing ---- */

/* PB-R29, R30, R31, R34 */
static void exclusive_or_for_all(void **state)
{
    (void)state;
    struct bytes empty = BYTES("\1\0\0\0\0\0\0\1");
    struct bench *t = bench_of(NEA_SERVER, 0, &swima, &swima);
    struct wr w = batch(t, PB_CDATA);
    put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false, empty); /* both */
    put_pa(&w, t, PA_SUBTYPE_SWIMA, 2, true, empty);        /* the second */
    put_pa(&w, t, PA_SUBTYPE_SWIMA, 2, false, empty);       /* both: 2 says only what it answers */
    put_pa(&w, t, PA_SUBTYPE_SWIMA, 9, true, empty);        /* nobody, silently (PB-R30) */
    put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, true, empty);
    put_pa(&w, t, 0x1234, NEA_ANY, false, empty);
    hear(t, &w);
    assert_int_equal(t->m[0].received, 2);
    assert_int_equal(t->m[1].received, 3);
    assert_int_equal(t->m[0].from, 5);
    assert_int_equal(batch_said(t), PB_SDATA);
    bench_free(t);
}

/* PB-R2, R15, R18, R43 */
static void nothing_of_a_bad_batch_is_acted_on(void **state)
{
    (void)state;
    struct bench *t = bench_of(NEA_SERVER, 0, &swima, NULL);
    struct wr w = batch(t, PB_CDATA);
    put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false, BYTES("\1\0\0\0\0\0\0\1"));
    wr_bytes(&w, BYTES("\x80\0\0\0\0\0\0\x09\0\0\0\x0c"));
    hear(t, &w);
    assert_int_equal(t->m[0].received, 0);
    assert_int_equal(t->m[0].endings, 0);
    assert_int_equal(batch_said(t), PB_CLOSE);
    assert_true(nea_session_finished(t->s));
    assert_int_equal(nea_session_outcome(t->s).fault.code, PB_UNSUPPORTED_MANDATORY);
    bench_free(t);
}

/* PB-R43, R44, R45, R46, R48, R68, R69, R70 */
static void errors_of_the_peer(void **state)
{
    (void)state;
    /* Not fatal: on we go. Fatal, wherever it stands: the end, and no answer. A broken one in a CLOSE: the same. */
    static const struct {
        enum pb_type type;
        const char *error;
        size_t n;
        unsigned says;
        bool ends;
    } rows[] = {
        {PB_CDATA, "\x80\0\0\0\0\0\0\5\0\0\0\x18\0\0\0\0\0\1\0\0\0\0\0\4", 24, PB_RESULT, false},
        {PB_CDATA, "\x80\0\0\0\0\0\0\5\0\0\0\x14\x80\0\0\0\0\2\0\0", 20, 0, true},
        {PB_CLOSE, "\x80\0\0\0\0\0\0\5\0\0\0\x14\x80\0\0\0\0\0\0\0", 20, 0, true},
        {PB_CLOSE, "\x80\0\0\0\0\0\0\5\0\0\0\x13\x80\0\0\0\0\0\0", 19, 0, true},
        {PB_CLOSE, "", 0, 0, true},
        {PB_CDATA, "\x80\0\0\0\0\0\0\5\0\0\0\x14\0\0\x90\x2a\0\7\0\0", 20, PB_RESULT, false}, /* a vendor's own code */
        {PB_CDATA, "\x80\0\0\0\0\0\0\5\0\0\0\x14\x80\0\x90\x2a\0\7\0\0", 20, 0, true},
        {PB_CLOSE, "\x80\0\0\0\0\0\0\5\0\0\0\x18\x80\0\0\0\0\4\0\0\2\3\3\0", 24, 0, true}, /* version 3 only */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct bench *t = bench_of(NEA_SERVER, 0, &swima, NULL);
        struct wr w = batch(t, rows[i].type);
        wr_bytes(&w, (struct bytes){(const uint8_t *)rows[i].error, rows[i].n});
        hear(t, &w);
        assert_int_equal(batch_said(t), rows[i].says);
        assert_int_equal(nea_session_finished(t->s), rows[i].ends);
        bench_free(t);
    }
}

/* ---- faults in PA-TNC messages ---- */

/* PA-R17, R34, R35, R36, R37, R39, R47, PB-R33, SWIMA-R11 */
static void faults_are_answered_to_the_sender_alone(void **state)
{
    (void)state;
    struct arena a = arena_of(65536);
    struct bench *t = bench_of(NEA_CLIENT, 0, &swima, NULL);
    struct wr w = batch(t, PB_SDATA);
    /* B: a count that lies (vector D15), a good one that is delivered, an error that is broken and never answered
     * (D20). */
    put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false,
           BYTES("\1\0\0\0\x70\0\0\x0e\0\0\0\0\0\0\0\x0d\0\0\0\x1d\0\0\0\2\0\0\0\x21\0\0\0\0\0\3a_b"));
    put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false, BYTES("\1\0\0\0\0\0\0\1"));
    put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false,
           BYTES("\1\0\0\0\x70\0\0\x13\0\0\0\0\0\0\0\x08\0\0\0\xff\0\0\0\0\0\0\0\1"));
    put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false, BYTES("\1\0\0\0\0\0\0"));
    hear(t, &w);
    assert_int_equal(t->m[0].received, 1);
    assert_int_equal(t->m[0].refused, 3);
    struct pb_pa answer = said(t, 0);
    assert_int_equal(answer.flags, PB_PA_EXCL);
    assert_int_equal(answer.validator, 5);
    assert_int_equal(answer.collector, 1);
    const struct pa_error *e = said_attribute(t, &a, 0, PA_ERROR);
    assert_int_equal(e->code, PA_INVALID_PARAMETER);
    assert_true(bytes_equal(e->information, BYTES("\1\0\0\0\x70\0\0\x0e\0\0\0\x25")));
    assert_null(said(t, 1).message.p);
    arena_free(&a);
    bench_free(t);
}

/* PA-R52, SWIMA-R72, R109 */
static void a_swima_validator_never_answers_with_an_error(void **state)
{
    (void)state;
    struct bytes cut = BYTES("\1\0\0\0\x70\0\0\x0e\0\0\0\0\0\0\0\x0f\0\0\0\x1d\0\0\0\2\0");
    struct bench *t = bench_of(NEA_SERVER, 0, &swima, &os);
    struct wr w = batch(t, PB_CDATA);
    put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false, cut);
    hear(t, &w);
    assert_int_equal(t->m[0].refused, 1);
    assert_int_equal(t->m[0].fault.code, PA_INVALID_PARAMETER);
    assert_null(said(t, 0).message.p);
    /* Another validator does. */
    w = batch(t, PB_CDATA);
    put_pa(&w, t, PA_SUBTYPE_OPERATING_SYSTEM, NEA_ANY, false, cut);
    hear(t, &w);
    assert_int_equal(t->m[1].refused, 1);
    assert_non_null(said(t, 0).message.p);
    bench_free(t);
}

/* PA-R18, R23 */
static void what_is_not_accepted_is_skipped_or_refused(void **state)
{
    (void)state;
    struct arena a = arena_of(65536);
    struct bench *t = bench_of(NEA_CLIENT, 0, &picky, NULL);
    struct wr w = batch(t, PB_SDATA);
    struct pa_assessment_result result = {0};
    put_attribute(&w, t, PA_SUBTYPE_SWIMA, PA_ASSESSMENT_RESULT, &result); /* skipped */
    hear(t, &w);
    assert_int_equal(t->m[0].received, 1);
    assert_int_equal(t->m[0].attributes, 0);
    assert_null(said(t, 0).message.p);
    w = batch(t, PB_SDATA); /* PA-R23: an Attribute Request is refused even without NOSKIP */
    put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false,
           BYTES("\1\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\x14\0\0\0\0\0\0\0\2"));
    hear(t, &w);
    assert_int_equal(t->m[0].refused, 1);
    const struct pa_error *e = said_attribute(t, &a, 0, PA_ERROR);
    assert_int_equal(e->code, PA_TYPE_NOT_SUPPORTED);
    assert_true(bytes_equal(e->information, BYTES("\1\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1")));
    arena_free(&a);
    bench_free(t);
}

/* PA-R9, R39, R51: in a message of our version, with nothing beside it; of what came nothing is acted on. */
static void another_version_is_answered_alone(void **state)
{
    (void)state;
    struct arena a = arena_of(65536);
    struct bench *t = bench_of(NEA_CLIENT, 0, &swima, NULL);
    struct wr w = batch(t, PB_SDATA);
    put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false,
           BYTES("\2\0\0\0\0\0\0\7\0\0\0\0\0\0\0\x0d\0\0\0\x18\0\0\0\0\0\0\0\1\0\0\0\0"));
    hear(t, &w);
    assert_int_equal(t->m[0].received, 0);
    assert_int_equal(t->m[0].refused, 1);
    struct bytes answer = said(t, 0).message;
    struct pa_message m;
    struct nea_fault fault;
    assert_int_equal(pa_message_decode(&a, answer, NEA_OBSERVER, &m, &fault), PA_OK); /* version 1 */
    assert_int_equal(m.count, 1);
    const struct pa_error *e = said_attribute(t, &a, 0, PA_ERROR);
    assert_int_equal(e->code, PA_VERSION_NOT_SUPPORTED);
    assert_true(bytes_equal(e->information, BYTES("\2\0\0\0\0\0\0\7\1\1\0\0")));
    assert_null(said(t, 1).message.p);
    arena_free(&a);
    bench_free(t);
}

/* ---- segmentation ---- */

/* PA-R12: also errors have their own. */
static void message_identifiers_are_not_reused(void **state)
{
    (void)state;
    uint32_t seen[16], count = 0;
    struct bench *t = bench_of(NEA_CLIENT, 0, &swima, NULL);
    for (unsigned round = 0; round < 8; round++) {
        struct wr w = batch(t, PB_SDATA);
        t->m[0].answer = 100;
        put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false, BYTES("\1\0\0\0\0\0\0\1"));
        put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false, BYTES("\2\0\0\0\0\0\0\1"));
        hear(t, &w);
        for (unsigned n = 0; n < 2; n++) {
            struct rd r = rd_of(said(t, n).message, 0);
            rd_take(&r, 4);
            uint32_t id = rd_u32(&r);
            assert_false(r.bad);
            for (unsigned i = 0; i < count; i++)
                assert_int_not_equal(seen[i], id);
            seen[count++] = id;
        }
    }
    bench_free(t);
}

/* TCG IF-M Segmentation, the table of a base attribute of 12 + 36 octets: how many Next Segments, and the size of the
 * last. */
/* SEG-R8 */
static void cutting(void **state)
{
    (void)state;
    static const struct {
        uint32_t segment;
        unsigned more;
        size_t last;
    } rows[] = {{12, 3, 12}, {13, 3, 9},  {15, 3, 3},  {16, 2, 16}, {17, 2, 14},
                {23, 2, 2},  {24, 1, 24}, {25, 1, 23}, {47, 1, 1}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct seg s = {0};
        struct seg_contract c = {.peer = 1, .max_message = SEG_NO_LIMIT, .max_segment = rows[i].segment};
        struct wr w = wr_of(0);
        wr_zero(&w, 48);
        struct seg_transfer *t = seg_open(&s, &c, &w);
        struct pa_segment_envelope e = seg_cut(t, 1000);
        assert_int_equal(e.flags, SEG_START | SEG_MORE);
        unsigned more = 0;
        while (e.flags & SEG_MORE) {
            e = seg_cut(t, 1000);
            more++;
        }
        assert_int_equal(e.flags, 0);
        assert_int_equal(more, rows[i].more);
        assert_int_equal(e.segment.n, rows[i].last);
        seg_reset(&s);
        wr_free(&w);
    }
    struct seg_contract c = {.max_segment = 11};
    assert_false(seg_applies(&c, 1000));
    c.max_segment = 100;
    assert_false(seg_applies(&c, 116));
    assert_true(seg_applies(&c, 117));
    c.max_segment = SEG_NO_LIMIT;
    assert_false(seg_applies(&c, SIZE_MAX));
    assert_int_equal(seg_size(1000), 976);
    assert_int_equal(seg_size(32722), 32698);
    assert_int_equal(seg_size(35), 0);
    assert_int_equal(seg_size(36), 12);
}

static void base_identifiers_wrap(void **state)
{
    (void)state;
    struct seg s = {.last_base_id = 0xfffffe};
    struct seg_contract c = {.peer = 1, .max_segment = 12};
    uint32_t expected[] = {0xffffff, 1, 2};
    for (size_t i = 0; i < 3; i++) {
        struct wr w = wr_of(0);
        wr_zero(&w, 100);
        assert_int_equal(seg_open(&s, &c, &w)->base_id, expected[i]);
    }
    for (size_t i = 3; i < SEG_OPEN_MAX + 1; i++) {
        struct wr w = wr_of(0);
        wr_zero(&w, 100);
        assert_int_equal(seg_open(&s, &c, &w) != NULL, i < SEG_OPEN_MAX);
    }
    seg_reset(&s);
}

/* SEG-R3, R5 */
static void contracts_are_lowered_never_raised(void **state)
{
    (void)state;
    struct seg s = {0};
    struct pa_segmentation_contract_request r = {.max_message = 5000, .max_segment = 0x1fffb8};
    struct pa_segmentation_contract_response answer = seg_accept(&s, 1, &r, 1000);
    assert_int_equal(answer.max_message, 5000);
    assert_int_equal(answer.max_segment, 0x3d0); /* as recorded */
    r.max_segment = 100;
    assert_int_equal(seg_accept(&s, 1, &r, 1000).max_segment, 100);
    r.max_segment = SEG_NO_LIMIT;
    assert_int_equal(seg_accept(&s, 1, &r, 1000).max_segment, SEG_NO_LIMIT);
    assert_int_equal(s.contract_count, 1);
    for (uint16_t peer = 2; peer < 20; peer++)
        (void)seg_accept(&s, peer, &r, 1000);
    assert_int_equal(s.contract_count, SEG_CONTRACTS_MAX);
    assert_null(seg_find(&s, NEA_ANY));
    assert_null(seg_find(&s, 19));
}

/* The answer of a collector, pulled segment by segment as recorded: 976 octets each under a limit of 1,000. */
/* SEG-R2, R3, R8 */
static void pulled_segment_by_segment(void **state)
{
    (void)state;
    struct arena a = arena_of(65536);
    struct bench *t = bench_of(NEA_CLIENT, 1000, &swima, NULL);
    t->m[0].answer = 5075; /* 5,087 with its header, as the recorded one */
    struct wr w = batch(t, PB_SDATA);
    struct pa_segmentation_contract_request r = {.max_message = SEG_NO_LIMIT, .max_segment = 0x1fffb8};
    put_attribute(&w, t, PA_SUBTYPE_SWIMA, PA_SEGMENTATION_CONTRACT_REQUEST, &r);
    put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false, BYTES("\1\0\0\0\0\0\0\1"));
    hear(t, &w);
    const struct pa_segmentation_contract_response *answer =
        said_attribute(t, &a, 0, PA_SEGMENTATION_CONTRACT_RESPONSE);
    assert_int_equal(answer->max_segment, 976);
    const struct pa_segment_envelope *e = said_attribute(t, &a, 1, PA_SEGMENT_ENVELOPE);
    assert_int_equal(e->flags, SEG_START | SEG_MORE);
    size_t got = e->segment.n, rounds = 1;
    assert_int_equal(got, 976);
    t->m[0].answer = 0;
    struct pa_next_segment next = {.base_id = e->base_id}, wrong = {.base_id = 99};
    while (e->flags & SEG_MORE) {
        w = batch(t, PB_SDATA);
        put_attribute(&w, t, PA_SUBTYPE_SWIMA, PA_NEXT_SEGMENT, &wrong); /* of nothing: ignored */
        put_attribute(&w, t, PA_SUBTYPE_SWIMA, PA_NEXT_SEGMENT, &next);
        hear(t, &w);
        e = said_attribute(t, &a, 0, PA_SEGMENT_ENVELOPE);
        got += e->segment.n;
        rounds++;
    }
    assert_int_equal(got, 5087);
    assert_int_equal(rounds, 6);
    assert_int_equal(e->segment.n, 5087 - 5 * 976);
    assert_null(t->s->connections[0].seg.out);
    /* Again, and cancelled. */
    for (unsigned flag = 0x01; flag <= 0x80; flag += 0x7f) {
        t->m[0].answer = 5075;
        w = batch(t, PB_SDATA);
        put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false, BYTES("\1\0\0\0\0\0\0\1"));
        hear(t, &w);
        assert_non_null(t->s->connections[0].seg.out);
        t->m[0].answer = 0;
        next = (struct pa_next_segment){.flags = (uint8_t)flag, .base_id = t->s->connections[0].seg.out->base_id};
        w = batch(t, PB_SDATA);
        put_attribute(&w, t, PA_SUBTYPE_SWIMA, PA_NEXT_SEGMENT, &next);
        hear(t, &w);
        assert_null(t->s->connections[0].seg.out);
    }
    arena_free(&a);
    bench_free(t);
}

/* What a sender of segments can do wrong; a collector answers with the pseudo header and cancels. */
/* SEG-R10, R11 */
static void reassembly_of_nonsense(void **state)
{
    (void)state;
#define HEADER(length) "\0\0\0\0\0\0\0\x09\0\0\0" length
    static const struct {
        const char *name;
        const char *segments[3]; /* flags, then octets */
        size_t n[3];
        unsigned received, refused, error_at;
        bool next; /* the last one is answered with a plain Next Segment */
    } rows[] = {
        {"whole in one", {"\x40" HEADER("\x10") "\0\0\0\1"}, {17}, 1, 0, 0, false},
        {"in two", {"\xc0" HEADER("\x10"), "\0\0\0\0\1"}, {13, 5}, 1, 0, 0, false},
        {"a beginning", {"\xc0" HEADER("\x10")}, {13}, 0, 0, 0, true},
        {"begun twice", {"\xc0" HEADER("\x10"), "\xc0" HEADER("\x10"), "\0\0\0\0\1"}, {13, 13, 5}, 1, 0, 0, false},
        {"never begun", {"\x80" HEADER("\x10")}, {13}, 0, 0, 0, false},
        {"header cut", {"\xc0\0\0\0\0\0\0\0\x09\0\0\0"}, {12}, 0, 1, 0, false},
        {"length 11", {"\xc0" HEADER("\x0b")}, {13}, 0, 1, 8, false},
        {"ended early", {"\xc0" HEADER("\x10"), "\0\0"}, {13, 2}, 0, 1, 8, false},
        {"never ending", {"\xc0" HEADER("\x10"), "\x80\0\0\0\1\0"}, {13, 6}, 0, 1, 8, false},
        {"empty segment", {"\xc0" HEADER("\x10"), "\x80"}, {13, 1}, 0, 1, 0, false},
        {"a segment in segments", {"\xc0\0\0\x55\x97\0\0\0\x23\0\0\0\x20"}, {13}, 0, 1, 1, false},
        {"4 GiB announced", {"\xc0\0\0\0\0\0\0\0\x09\xff\xff\xff\xff"}, {13}, 0, 1, 0, false},
        {"reserved vendor", {"\xc0\0\xff\xff\xff\0\0\0\x09\0\0\0\x20"}, {13}, 0, 1, 1, false},
        {"reserved type", {"\xc0\0\0\0\0\xff\xff\xff\xff\0\0\0\x20"}, {13}, 0, 1, 4, false},
        {"bad value inside", {"\x40" HEADER("\x10") "\0\0\0\x09"}, {17}, 0, 1, 12, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena a = arena_of(65536);
        struct bench *t = bench_of(NEA_CLIENT, 0, &swima, NULL);
        for (size_t k = 0; k < 3 && rows[i].segments[k]; k++) {
            struct wr w = batch(t, PB_SDATA);
            struct pa_segment_envelope e = {.flags = (uint8_t)rows[i].segments[k][0], .base_id = 0x123};
            e.segment = (struct bytes){(const uint8_t *)rows[i].segments[k] + 1, rows[i].n[k] - 1};
            put_attribute(&w, t, PA_SUBTYPE_SWIMA, PA_SEGMENT_ENVELOPE, &e);
            hear(t, &w);
        }
        if (t->m[0].received != rows[i].received || t->m[0].refused != rows[i].refused)
            fail_msg("%s: received %u, refused %u", rows[i].name, t->m[0].received, t->m[0].refused);
        struct pb_pa answer = said(t, 0);
        if (rows[i].refused && t->m[0].fault.code == PA_INVALID_PARAMETER) {
            const struct pa_error *e = said_attribute(t, &a, 0, PA_ERROR);
            uint8_t expected[12] = {0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0x23, 0, 0, 0, (uint8_t)rows[i].error_at};
            if (e->information.n != 12 || memcmp(e->information.p, expected, 12))
                fail_msg("%s: offset %u", rows[i].name, e->information.p[11]);
        } else if (rows[i].next) {
            assert_int_equal(((const struct pa_next_segment *)said_attribute(t, &a, 0, PA_NEXT_SEGMENT))->flags, 0);
        } else if (rows[i].refused) {
            assert_int_equal(((const struct pa_next_segment *)said_attribute(t, &a, 0, PA_NEXT_SEGMENT))->flags,
                             SEG_CANCEL);
        } else {
            assert_null(answer.message.p);
        }
        assert_int_equal(t->s->reassembling, rows[i].next ? 12 : 0);
        arena_free(&a);
        bench_free(t);
    }
}

/* PA-R16, R18, R23: megabytes are not pulled to be skipped at their end; who must not be skipped hears of it at once. */
static void what_nobody_takes_is_not_pulled(void **state)
{
    (void)state;
    static const struct {
        const char *begin; /* the first segment of 1 MiB */
        bool error;
    } rows[] = {
        {"\0\0\x90\x2a\0\0\0\x63\0\x10\0\0", false},     /* nobody knows it */
        {"\x80\0\x90\x2a\0\0\0\x63\0\x10\0\0", true},   /* and it must not be skipped */
        {"\0\0\0\0\0\0\0\x0f\0\x10\0\0", false},         /* events are for validators */
        {"\x80\0\0\0\0\0\0\x0f\0\x10\0\0", true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena a = arena_of(65536);
        struct bench *t = bench_of(NEA_CLIENT, 0, &swima, NULL);
        struct wr w = batch(t, PB_SDATA);
        struct pa_segment_envelope e = {.flags = SEG_START | SEG_MORE, .base_id = 0x123,
                                        .segment = {(const uint8_t *)rows[i].begin, 12}};
        put_attribute(&w, t, PA_SUBTYPE_SWIMA, PA_SEGMENT_ENVELOPE, &e);
        hear(t, &w);
        assert_int_equal(t->m[0].refused, rows[i].error);
        if (rows[i].error) {
            const struct pa_error *answer = said_attribute(t, &a, 0, PA_ERROR);
            uint8_t expected[16] = {0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0x23};
            memcpy(expected + 8, rows[i].begin, 8);
            assert_int_equal(answer->code, PA_TYPE_NOT_SUPPORTED);
            assert_true(bytes_equal(answer->information, (struct bytes){expected, sizeof expected}));
        }
        const struct pa_next_segment *next = said_attribute(t, &a, rows[i].error, PA_NEXT_SEGMENT);
        assert_int_equal(next->flags, SEG_CANCEL);
        assert_int_equal(next->base_id, 0x123);
        assert_int_equal(t->s->reassembling, 0);
        assert_null(t->s->connections[0].seg.in);
        arena_free(&a);
        bench_free(t);
    }
}

/* SEG-L1: what waits to be pulled is bounded, whatever a peer asks for at once. */
static void waiting_transfers_are_bounded(void **state)
{
    (void)state;
    struct seg s = {.last_base_id = 0};
    struct seg_contract c = {.peer = 1, .max_segment = 1000};
    unsigned opened = 0;
    for (unsigned i = 0; i < SEG_OPEN_MAX; i++) {
        struct wr w = wr_of(0);
        wr_zero(&w, (size_t)16 << 20);
        assert_false(w.bad);
        opened += seg_open(&s, &c, &w) != NULL;
        assert_int_equal(w.n, 0); /* its memory is taken over, also where it is refused */
        wr_free(&w);
    }
    assert_int_equal(opened, SEG_OUT_MAX >> 24);
    seg_reset(&s);
}

/* ---- turns ---- */

static void a_hold_at_the_last_moment(void **state)
{
    (void)state;
    struct bench *t = bench_of(NEA_SERVER, 0, &swima, NULL);
    t->m[0].hold_on_ask = true;
    struct wr w = batch(t, PB_CDATA);
    hear(t, &w);
    assert_int_equal(batch_said(t), 0);
    nea_recommend(t->m[0].c, NEA_MINOR, NEA_ACCESS_QUARANTINED, BYTES(""), "");
    nea_release(t->m[0].c);
    nea_session_out(t->s, &t->out);
    assert_int_equal(batch_said(t), PB_RESULT);
    assert_int_equal(nea_session_outcome(t->s).access, NEA_ACCESS_QUARANTINED);
    bench_free(t);
}

/* PB-R3, R67 */
static void retries_of_either_side(void **state)
{
    (void)state;
    struct bench *t = bench_of(NEA_SERVER, 0, &swima, NULL);
    t->m[0].decide = true;
    struct wr w = batch(t, PB_CDATA);
    hear(t, &w);
    assert_int_equal(batch_said(t), PB_RESULT);
    /* PB-R67: after our SRETRY an SDATA comes before any RESULT, though the validator would know at once. */
    nea_session_retry(t->s);
    wr_reset(&t->out);
    nea_session_out(t->s, &t->out);
    assert_int_equal(t->m[0].begun, 2);
    assert_int_equal(t->out.n, 48);
    assert_int_equal(t->out.p[19], PB_SRETRY);
    assert_int_equal(t->out.p[43], PB_SDATA);
    w = batch(t, PB_CRETRY); /* crossing, late: ignored with its contents (PB-R3) */
    put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false, BYTES("\1\0\0\0\0\0\0\1"));
    hear(t, &w);
    assert_int_equal(t->m[0].received, 0);
    assert_int_equal(t->out.n, 0);
    w = batch(t, PB_CDATA);
    hear(t, &w);
    assert_int_equal(batch_said(t), PB_RESULT);
    w = batch(t, PB_CRETRY);
    put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false, BYTES("\1\0\0\0\0\0\0\1"));
    hear(t, &w);
    assert_int_equal(t->m[0].received, 1);
    assert_int_equal(batch_said(t), PB_RESULT); /* a CRETRY may be answered by a RESULT at once */
    bench_free(t);

    t = bench_of(NEA_CLIENT, 0, &swima, NULL);
    w = batch(t, PB_RESULT);
    pb_result_put(&w, NEA_COMPLIANT, NEA_ACCESS_ALLOWED);
    hear(t, &w);
    assert_int_equal(t->out.n, 0); /* it stays */
    assert_int_equal(t->m[0].decided, 1);
    w = batch(t, PB_SRETRY);
    hear(t, &w);
    assert_int_equal(t->m[0].begun, 2);
    assert_int_equal(t->out.n, 0); /* the server speaks next */
    w = batch(t, PB_SDATA);
    hear(t, &w);
    assert_int_equal(batch_said(t), PB_CDATA);
    bench_free(t);
}

/* PB-R32, R68 */
static void a_thousand_exchanges(void **state)
{
    (void)state;
    struct bench *t = bench_of(NEA_SERVER, 0, &swima, NULL);
    t->m[0].decide = true;
    for (unsigned i = 0; i < 1000; i++) {
        struct wr w = batch(t, i ? PB_CRETRY : PB_CDATA);
        put_pa(&w, t, PA_SUBTYPE_SWIMA, 1, true, BYTES("\1\0\0\0\0\0\0\1"));
        t->now += 1000; /* more often than that is nobody's agent (PB-L3) */
        hear(t, &w);
        assert_int_equal(batch_said(t), PB_RESULT);
    }
    assert_int_equal(t->m[0].received, 1000);
    assert_int_equal(t->m[0].decided, 1000);
    bench_free(t);
}

/* PB-R51, R60, R61, R66 */
static void reasons_and_remediation_reach_the_client(void **state)
{
    (void)state;
    struct bench *t = bench_of(NEA_CLIENT, 0, &swima, NULL);
    struct wr w = batch(t, PB_RESULT);
    wr_bytes(&w, BYTES("\0\0\0\0\0\0\0\4\0\0\0\x20\0\0\0\0\0\0\0\2\0\0\0\5patch\2en"));
    wr_bytes(&w, BYTES("\0\0\0\0\0\0\0\4\0\0\0\x1d\0\0\0\0\0\0\0\1http://x/"));
    pb_reason_put(&w, BYTES("old"), BYTES("en"));
    pb_reason_put(&w, BYTES("alt"), BYTES("de"));
    pb_result_put(&w, NEA_MAJOR, NEA_ACCESS_DENIED);
    hear(t, &w);
    struct nea_outcome o = nea_session_outcome(t->s);
    assert_true(o.decided);
    assert_int_equal(o.result, NEA_MAJOR);
    assert_int_equal(o.access, NEA_ACCESS_DENIED);
    assert_true(bytes_equal(o.reason, BYTES("old\nalt")));
    assert_true(bytes_equal(o.remediation, BYTES("patch\nhttp://x/")));
    bench_free(t);
}

/* PB-R40, R41, R58, R60, R61, R63: what a validator advises stands in the RESULT, and reaches the client as it is. */
static void advice_travels_beside_the_result(void **state)
{
    (void)state;
    static uint8_t much[9000];
    memset(much, 'x', sizeof much);
    struct bench *server = bench_of(NEA_SERVER, 0, &swima, NULL), *client = bench_of(NEA_CLIENT, 0, &swima, NULL);
    struct nea_connection *c = server->m[0].c;
    server->m[0].hold_on_ask = true;
    struct wr w = batch(server, PB_CDATA);
    hear(server, &w);
    nea_remediate(c, NEA_REMEDIATION_TEXT, BYTES("of a verdict before"), "en");
    nea_recommend(c, NEA_MAJOR, NEA_ACCESS_DENIED, BYTES("old"), "en");
    nea_remediate(c, NEA_REMEDIATION_TEXT, BYTES("\xc3\xa4ndern\0"), "de");
    nea_remediate(c, NEA_REMEDIATION_TEXT, BYTES(""), "de");
    nea_remediate(c, NEA_REMEDIATION_TEXT, BYTES("\xff"), "de");
    nea_remediate(c, NEA_REMEDIATION_TEXT, BYTES("x"), "a-language-tag-longer-than-any-that-there-is");
    nea_remediate(c, NEA_REMEDIATION_URI, BYTES("no uri"), NULL);
    nea_remediate(c, NEA_REMEDIATION_TEXT, (struct bytes){much, sizeof much}, "en");
    nea_remediate(c, NEA_REMEDIATION_URI, BYTES("http://x/"), NULL);
    nea_release(c);
    nea_session_out(server->s, &server->out);
    assert_int_equal(batch_said(server), PB_RESULT);
    nea_session_feed(client->s, wr_view(&server->out), 1);
    struct nea_outcome o = nea_session_outcome(client->s);
    assert_true(o.decided);
    assert_true(bytes_equal(o.reason, BYTES("old")));
    assert_true(bytes_equal(o.remediation, BYTES("\xc3\xa4ndern\nhttp://x/")));
    bench_free(server);
    bench_free(client);
}

/* A message of 100,000 attributes needs some MiB while it is looked at, and nothing afterwards. */
static void an_idle_connection_keeps_little(void **state)
{
    (void)state;
    struct bench *t = bench_of(NEA_SERVER, 0, &swima, NULL);
    struct wr w = batch(t, PB_CDATA), m = wr_of(0);
    pa_message_put(&m, 1);
    for (unsigned i = 0; i < 100000; i++) {
        wr_u32(&m, 0x123456);
        wr_u32(&m, i);
        wr_u32(&m, 12);
    }
    put_pa(&w, t, PA_SUBTYPE_SWIMA, NEA_ANY, false, wr_view(&m));
    hear(t, &w);
    assert_int_equal(t->m[0].received, 1);
    assert_null(t->s->arena.blocks);
    assert_true(t->s->pt.in.capacity + t->s->pt.out.capacity + t->s->queue.capacity + sizeof *t->s < 49152);
    wr_free(&m);
    bench_free(t);
}

/* ---- recorded sessions replayed against our machines ---- */

struct line {
    char session[64], direction[8], type[16];
    uint8_t *octets;
    size_t n;
};
static struct line lines[100];
static size_t line_count;

static int load_lines(void **state)
{
    (void)state;
    static char text[200000], hex[190000];
    unsigned number;
    snprintf(text, sizeof text, "%s/test/golden/pb-sessions.txt",
             getenv("MUSTER_SOURCE") ? getenv("MUSTER_SOURCE") : ".");
    FILE *f = fopen(text, "r");
    if (!f)
        return -1;
    while (line_count < ARRAY_LENGTH(lines) && fgets(text, sizeof text, f)) {
        struct line *l = &lines[line_count];
        if (text[0] == '#' ||
            sscanf(text, "%63s %u %7s %15s %189999s", l->session, &number, l->direction, l->type, hex) != 5)
            continue;
        l->octets = malloc(strlen(hex) / 2);
        for (unsigned octet; sscanf(hex + 2 * l->n, "%2x", &octet) == 1;)
            l->octets[l->n++] = (uint8_t)octet;
        line_count++;
    }
    fclose(f);
    return 0;
}

static int free_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < line_count; i++)
        free(lines[i].octets);
    return 0;
}

/* One octet after the other. */
static void replay(struct bench *t, const struct line *l)
{
    struct wr w = wr_of(0);
    wr_u32(&w, 0);
    wr_u32(&w, 7);
    wr_u32(&w, l->n + 16);
    wr_u32(&w, 0);
    wr_bytes(&w, (struct bytes){l->octets, l->n});
    for (size_t i = 0; i < w.n; i++)
        nea_session_feed(t->s, (struct bytes){w.p + i, 1}, i);
    wr_reset(&t->out);
    nea_session_out(t->s, &t->out);
    wr_free(&w);
}

/* SEG-R1, R2, R6, R9, PA-R3 */
static void recorded_sessions(void **state)
{
    (void)state;
    for (size_t first = 0, end; first < line_count; first = end) {
        for (end = first; end < line_count && !strcmp(lines[end].session, lines[first].session); end++)
            ;
        struct bench *server = bench_of(NEA_SERVER, 0, &os, &swima), *client = bench_of(NEA_CLIENT, 0, &os, &swima);
        unsigned results = 0;
        for (size_t i = first; i < end; i++) {
            bool from_client = !strcmp(lines[i].direction, "c2s");
            /* Our validators know their minds when the recorded ones did. */
            server->m[0].decide = server->m[1].decide = i + 1 < end && !strcmp(lines[i + 1].type, "RESULT");
            if (!strcmp(lines[i].type, "CRETRY"))
                nea_session_retry(client->s);
            replay(from_client ? server : client, &lines[i]);
            if (i + 1 < end && !strcmp(lines[i + 1].type, "CRETRY"))
                nea_session_retry(client->s);
            nea_session_out(client->s, &client->out);
            results += !strcmp(lines[i].type, "RESULT");
            struct nea_outcome a = nea_session_outcome(server->s), b = nea_session_outcome(client->s);
            if (a.fault.text[0] || b.fault.text[0])
                fail_msg("%s, batch %zu: %s%s", lines[i].session, i - first + 1, a.fault.text, b.fault.text);
        }
        assert_int_equal(server->m[0].decided, results);
        assert_int_equal(client->m[0].decided, results);
        assert_true(nea_session_outcome(server->s).decided);
        assert_int_equal(nea_session_finished(server->s), !strcmp(lines[end - 1].type, "CLOSE"));
        if (!strncmp(lines[first].session, "swima-id-events", 15))
            assert_true(server->m[1].events >= 52);
        assert_int_equal(server->m[0].refused + server->m[1].refused + client->m[0].refused + client->m[1].refused, 0);
        bench_free(server);
        bench_free(client);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exclusive_or_for_all),
        cmocka_unit_test(nothing_of_a_bad_batch_is_acted_on),
        cmocka_unit_test(errors_of_the_peer),
        cmocka_unit_test(faults_are_answered_to_the_sender_alone),
        cmocka_unit_test(a_swima_validator_never_answers_with_an_error),
        cmocka_unit_test(what_is_not_accepted_is_skipped_or_refused),
        cmocka_unit_test(another_version_is_answered_alone),
        cmocka_unit_test(message_identifiers_are_not_reused),
        cmocka_unit_test(cutting),
        cmocka_unit_test(base_identifiers_wrap),
        cmocka_unit_test(contracts_are_lowered_never_raised),
        cmocka_unit_test(pulled_segment_by_segment),
        cmocka_unit_test(reassembly_of_nonsense),
        cmocka_unit_test(what_nobody_takes_is_not_pulled),
        cmocka_unit_test(waiting_transfers_are_bounded),
        cmocka_unit_test(a_hold_at_the_last_moment),
        cmocka_unit_test(retries_of_either_side),
        cmocka_unit_test(a_thousand_exchanges),
        cmocka_unit_test(reasons_and_remediation_reach_the_client),
        cmocka_unit_test(advice_travels_beside_the_result),
        cmocka_unit_test(an_idle_connection_keeps_little),
        cmocka_unit_test(recorded_sessions),
    };
    return cmocka_run_group_tests(tests, load_lines, free_lines);
}
