/* PB-TNC: the state table walked whole, the error matrix, recorded batches of other implementations. */
#include "nea/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- the state machine, from RFC 5793 §3.2 as pb-tnc tables write it ---- */

/* What happens to a received batch: the next state's letter, or X. Order of the columns: CDATA SDATA RESULT CRETRY
 * SRETRY CLOSE. */
static const char *const received[2][PB_STATE_COUNT] = {
    [NEA_CLIENT] = {"XCXXXE", "XCDXSE", "XXXXXE", "XXXXSE", "EEEEEE"},
    [NEA_SERVER] = {"SXXXXE", "XXXSXE", "SXXCXE", "XXXSXE", "EEEEEE"},
};
static const char *const sent[2][PB_STATE_COUNT] = {
    [NEA_CLIENT] = {"SXXXXE", "XXXXXE", "SXXXXE", "XXXSXE", "XXXXXX"},
    [NEA_SERVER] = {"XCXXXE", "XCDXXE", "XXXXXE", "XXXXSE", "XXXXXX"},
};

static void check_step(const char *expected, enum pb_state state, enum nea_role role, enum pb_direction direction,
                       unsigned type)
{
    static const char letters[] = "ISCDE";
    const struct pb_step *step = pb_step_find(state, role, direction, type);
    char got = step ? letters[step->next] : 'X';
    if (got != expected[type - 1])
        fail_msg("%s, %s, %s %s: %c, expected %c", role == NEA_CLIENT ? "client" : "server", pb_state_name(state),
                 direction == PB_RX ? "receives" : "sends", pb_type_name(type), got, expected[type - 1]);
}

/* PB-R1, R3, R12, R13 */
static void every_state_and_batch(void **state)
{
    (void)state;
    for (unsigned role = NEA_CLIENT; role <= NEA_SERVER; role++)
        for (unsigned st = 0; st < PB_STATE_COUNT; st++)
            for (unsigned type = PB_CDATA; type <= PB_CLOSE; type++) {
                check_step(received[role][st], st, role, PB_RX, type);
                check_step(sent[role][st], st, role, PB_TX, type);
            }
}

/* The same through the parser: every state, every type value, both directions, both roles. */
/* PB-R5, R9, R10, R11, R12, R16 */
static void every_batch_header(void **state)
{
    (void)state;
    for (unsigned role = NEA_CLIENT; role <= NEA_SERVER; role++)
        for (unsigned st = 0; st < PB_END; st++)
            for (unsigned type = 0; type < 16; type++)
                for (unsigned d = 0; d < 2; d++) {
                    uint8_t b[24] = {2, (uint8_t)(d << 7 | 0x7f), 0xff, (uint8_t)(0xf0 | type), 0, 0, 0, 8};
                    const struct pb_step *step;
                    struct nea_fault fault;
                    enum pb_error_code code = pb_batch_check((struct bytes){b, 8}, role, st, &step, &fault);
                    bool right = d == (role == NEA_CLIENT), known = type >= 1 && type <= 6;
                    if (!right) {
                        assert_int_equal(code, PB_INVALID_PARAMETER);
                        assert_int_equal(fault.offset, 1);
                    } else if (!known) {
                        assert_int_equal(code, PB_INVALID_PARAMETER);
                        assert_int_equal(fault.offset, 3);
                    } else if (received[role][st][type - 1] == 'X') {
                        assert_int_equal(code, PB_UNEXPECTED_BATCH);
                    } else if (type == PB_RESULT) {
                        assert_int_equal(code, PB_INVALID_PARAMETER); /* an empty one */
                        assert_int_equal(fault.offset, 3);
                    } else {
                        assert_int_equal(code, PB_OK);
                        assert_non_null(step);
                    }
                }
}

/* PB-R3 */
static void crossing_retries_are_ignored(void **state)
{
    (void)state;
    assert_int_equal(pb_step_find(PB_SERVER_WORKING, NEA_SERVER, PB_RX, PB_CRETRY)->action, PB_IGNORE);
    assert_int_equal(pb_step_find(PB_CLIENT_WORKING, NEA_SERVER, PB_RX, PB_CRETRY)->action, PB_IGNORE);
    assert_int_equal(pb_step_find(PB_SERVER_WORKING, NEA_CLIENT, PB_RX, PB_SRETRY)->action, PB_IGNORE);
    assert_int_equal(pb_step_find(PB_DECIDED, NEA_SERVER, PB_RX, PB_CRETRY)->action, PB_RETRY);
}

/* ---- the error matrix ---- */

/* One message in a batch: `type` and its octets behind the batch header. */
static const struct wrong {
    const char *name;
    enum nea_role receiver;
    uint8_t batch;
    const char *octets;
    size_t n;
    enum pb_error_code code;
    size_t offset;
} wrongs[] = {
#define M(octets)               octets, sizeof octets - 1
#define PA(flags, length, rest) M(flags "\0\0\0\0\0\0\1\0\0\0" length rest)
#define RESULT_OK               "\x80\0\0\0\0\0\0\2\0\0\0\x10\0\0\0\1"
    {"E7 eleven octets of a header", NEA_SERVER, PB_CDATA, M("\0\0\0\0\0\0\0\1\0\0\0"), PB_INVALID_PARAMETER, 8},
    {"E8 length 11", NEA_SERVER, PB_CDATA, M("\0\0\0\0\0\0\0\x09\0\0\0\x0b"), PB_INVALID_PARAMETER, 16},
    {"E8 length 0", NEA_SERVER, PB_CDATA, M("\0\0\0\0\0\0\0\x09\0\0\0\0"), PB_INVALID_PARAMETER, 16},
    {"E8 length beyond the end", NEA_SERVER, PB_CDATA, M("\0\0\0\0\0\0\0\x09\0\0\0\x0d"), PB_INVALID_PARAMETER, 16},
    {"E8 length that wraps", NEA_SERVER, PB_CDATA, M("\0\0\0\0\0\0\0\x09\xff\xff\xff\xff"), PB_INVALID_PARAMETER, 16},
    {"E9 reserved vendor", NEA_SERVER, PB_CDATA, M("\0\xff\xff\xff\0\0\0\x01\0\0\0\x0c"), PB_INVALID_PARAMETER, 9},
    {"E10 reserved type", NEA_SERVER, PB_CDATA, M("\0\0\x55\x97\xff\xff\xff\xff\0\0\0\x0c"), PB_INVALID_PARAMETER, 12},
    {"E11 unknown, must not be skipped", NEA_SERVER, PB_CDATA,
     M("\0\0\0\0\0\0\0\x09\0\0\0\x0c\x80\0\0\0\0\0\0\x09\0\0\0\x0c"), PB_UNSUPPORTED_MANDATORY, 20},
    {"unknown, may be skipped, odd lengths", NEA_SERVER, PB_CDATA,
     M("\0\0\0\0\0\0\0\x09\0\0\0\x0d\1\0\0\0\0\0\0\0\x09\0\0\0\x0c"), PB_OK, 0},
    {"experimental is skipped", NEA_SERVER, PB_CDATA, M("\0\0\0\0\0\0\0\0\0\0\0\x0c"), PB_OK, 0},
    {"experimental that must not be skipped", NEA_SERVER, PB_CDATA, M("\x80\0\0\0\0\0\0\0\0\0\0\x0c"),
     PB_UNSUPPORTED_MANDATORY, 8},
    {"type 1 of another vendor is not PB-PA", NEA_SERVER, PB_CDATA, M("\0\0\x55\x97\0\0\0\1\0\0\0\x0c"), PB_OK, 0},
    {"E12 PB-PA without NOSKIP", NEA_SERVER, PB_CDATA, PA("\0", "\x18", "\0\0\0\0\0\0\0\1\0\1\xff\xff"),
     PB_INVALID_PARAMETER, 8},
    {"PB-PA, empty", NEA_SERVER, PB_CDATA, PA("\xff", "\x18", "\x7f\0\0\0\0\0\0\1\0\1\xff\xff"), PB_OK, 0},
    {"E13 PB-PA too short", NEA_SERVER, PB_CDATA, PA("\x80", "\x17", "\0\0\0\0\0\0\0\1\0\1\xff"), PB_INVALID_PARAMETER,
     16},
    {"PB-PA with the reserved vendor", NEA_SERVER, PB_CDATA, PA("\x80", "\x18", "\0\xff\xff\xff\0\0\0\1\0\1\xff\xff"),
     PB_INVALID_PARAMETER, 21},
    {"PB-PA with the reserved subtype", NEA_SERVER, PB_CDATA,
     PA("\x80", "\x18", "\0\0\0\0\xff\xff\xff\xff\0\1\xff\xff"), PB_INVALID_PARAMETER, 24},
    {"E16 result sent to a server", NEA_SERVER, PB_CDATA, M("\x80\0\0\0\0\0\0\2\0\0\0\x10\0\0\0\0"),
     PB_INVALID_PARAMETER, 12},
    {"E16 recommendation sent to a server", NEA_SERVER, PB_CDATA, M("\0\0\0\0\0\0\0\3\0\0\0\x10\0\0\0\1"),
     PB_INVALID_PARAMETER, 12},
    {"E16 remediation sent to a server", NEA_SERVER, PB_CDATA, M("\0\0\0\0\0\0\0\4\0\0\0\x14\0\0\0\0\0\0\0\1"),
     PB_INVALID_PARAMETER, 12},
    {"E16 reason sent to a server", NEA_SERVER, PB_CDATA, M("\0\0\0\0\0\0\0\7\0\0\0\x12\0\0\0\1x\0"),
     PB_INVALID_PARAMETER, 12},
    {"result outside RESULT is ignored", NEA_CLIENT, PB_SDATA, M("\x80\0\0\0\0\0\0\2\0\0\0\x10\0\0\0\0"), PB_OK, 0},
    {"malformed, too", NEA_CLIENT, PB_SDATA, M("\0\0\0\0\0\0\0\2\0\0\0\x0d\x09"), PB_OK, 0},
    {"recommendation outside RESULT is ignored", NEA_CLIENT, PB_SDATA, M("\x80\0\0\0\0\0\0\3\0\0\0\x0c"), PB_OK, 0},
    {"a RESULT", NEA_CLIENT, PB_RESULT, M(RESULT_OK), PB_OK, 0},
    {"recommendation before result", NEA_CLIENT, PB_RESULT, M("\0\0\0\0\0\0\0\3\0\0\0\x10\0\0\0\2" RESULT_OK), PB_OK,
     0},
    {"E17 RESULT without result", NEA_CLIENT, PB_RESULT, M("\0\0\0\0\0\0\0\3\0\0\0\x10\0\0\0\2"), PB_INVALID_PARAMETER,
     3},
    {"E17 two results", NEA_CLIENT, PB_RESULT, M(RESULT_OK RESULT_OK), PB_INVALID_PARAMETER, 24},
    {"E17 two recommendations", NEA_CLIENT, PB_RESULT,
     M(RESULT_OK "\0\0\0\0\0\0\0\3\0\0\0\x10\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\x10\0\0\0\2"), PB_INVALID_PARAMETER, 40},
    {"E14 unknown result", NEA_CLIENT, PB_RESULT, M("\x80\0\0\0\0\0\0\2\0\0\0\x10\0\0\0\5"), PB_INVALID_PARAMETER, 20},
    {"E13 long result", NEA_CLIENT, PB_RESULT, M("\x80\0\0\0\0\0\0\2\0\0\0\x11\0\0\0\1\0"), PB_INVALID_PARAMETER, 16},
    {"E12 result without NOSKIP", NEA_CLIENT, PB_RESULT, M("\0\0\0\0\0\0\0\2\0\0\0\x10\0\0\0\1"), PB_INVALID_PARAMETER,
     8},
    {"E12 recommendation with NOSKIP", NEA_CLIENT, PB_RESULT, M("\x80\0\0\0\0\0\0\3\0\0\0\x10\0\0\0\1"),
     PB_INVALID_PARAMETER, 8},
    {"E14 recommendation 0", NEA_CLIENT, PB_RESULT, M(RESULT_OK "\0\0\0\0\0\0\0\3\0\0\0\x10\0\0\0\0"),
     PB_INVALID_PARAMETER, 38},
    {"E14 recommendation 4", NEA_CLIENT, PB_RESULT, M(RESULT_OK "\0\0\0\0\0\0\0\3\0\0\0\x10\xff\xff\0\4"),
     PB_INVALID_PARAMETER, 38},
    {"remediation too short", NEA_CLIENT, PB_SDATA, M("\0\0\0\0\0\0\0\4\0\0\0\x13\0\0\0\0\0\0\0"), PB_INVALID_PARAMETER,
     16},
    {"remediation of unknown kind", NEA_CLIENT, PB_SDATA, M("\0\0\0\0\0\0\0\4\0\0\0\x14\0\0\0\0\0\0\0\x63"), PB_OK, 0},
    {"remediation text", NEA_CLIENT, PB_SDATA, M("\0\0\0\0\0\0\0\4\0\0\0\x1c\0\0\0\0\0\0\0\2\0\0\0\1x\2en"), PB_OK, 0},
    {"remediation text with NUL", NEA_CLIENT, PB_SDATA, M("\0\0\0\0\0\0\0\4\0\0\0\x1a\0\0\0\0\0\0\0\2\0\0\0\1\0\0"),
     PB_INVALID_PARAMETER, 32},
    {"remediation text too long", NEA_CLIENT, PB_SDATA,
     M("\0\0\0\0\0\0\0\4\0\0\0\x1a\0\0\0\0\0\0\0\2\xff\xff\xff\xff\1\0"), PB_INVALID_PARAMETER, 28},
    {"error too short", NEA_CLIENT, PB_SDATA, M("\x80\0\0\0\0\0\0\5\0\0\0\x13\0\0\0\0\0\0\0"), PB_INVALID_PARAMETER,
     16},
    {"error without NOSKIP", NEA_CLIENT, PB_SDATA, M("\0\0\0\0\0\0\0\5\0\0\0\x14\0\0\0\0\0\0\0\0"),
     PB_INVALID_PARAMETER, 8},
    {"error", NEA_SERVER, PB_CDATA, M("\x80\0\0\0\0\0\0\5\0\0\0\x14\0\0\0\0\0\0\0\0"), PB_OK, 0},
    {"language, empty", NEA_SERVER, PB_CDATA, M("\0\0\0\0\0\0\0\6\0\0\0\x0c"), PB_OK, 0},
    {"language twice", NEA_SERVER, PB_CDATA, M("\0\0\0\0\0\0\0\6\0\0\0\x0c\0\0\0\0\0\0\0\6\0\0\0\x0c"), PB_OK, 0},
    {"language with NOSKIP", NEA_SERVER, PB_CDATA, M("\x80\0\0\0\0\0\0\6\0\0\0\x0c"), PB_INVALID_PARAMETER, 8},
    {"reason", NEA_CLIENT, PB_SDATA, M("\0\0\0\0\0\0\0\7\0\0\0\x14\0\0\0\1x\2en"), PB_OK, 0},
    {"reason one octet too long", NEA_CLIENT, PB_SDATA, M("\0\0\0\0\0\0\0\7\0\0\0\x15\0\0\0\1x\2en!"),
     PB_INVALID_PARAMETER, 25},
    {"reason one octet too short", NEA_CLIENT, PB_SDATA, M("\0\0\0\0\0\0\0\7\0\0\0\x13\0\0\0\1x\2e"),
     PB_INVALID_PARAMETER, 25},
    {"reason that wraps", NEA_CLIENT, PB_SDATA, M("\0\0\0\0\0\0\0\7\0\0\0\x14\xff\xff\xff\xffx\2en"),
     PB_INVALID_PARAMETER, 20},
    {"reason with NUL at the end", NEA_CLIENT, PB_SDATA, M("\0\0\0\0\0\0\0\7\0\0\0\x13\0\0\0\2x\0\0"),
     PB_INVALID_PARAMETER, 25},
};

/* PB-R5, R14, R18, R19, R20, R21, R22, R23, R25, R26, R27, R28, R35, R36, R37, R38, R40, R41, R42, R49, R51, R57, R58,
 * R59, R60 */
static void the_error_matrix(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(wrongs); i++) {
        const struct wrong *x = &wrongs[i];
        struct wr w = wr_of(0);
        size_t start = pb_batch_begin(&w, x->receiver == NEA_SERVER ? NEA_CLIENT : NEA_SERVER, x->batch);
        wr_bytes(&w, (struct bytes){(const uint8_t *)x->octets, x->n});
        pb_batch_end(&w, start);
        const struct pb_step *step;
        struct nea_fault fault;
        enum pb_state st = x->receiver == NEA_SERVER ? PB_CLIENT_WORKING : PB_SERVER_WORKING;
        enum pb_error_code code = pb_batch_check(wr_view(&w), x->receiver, st, &step, &fault);
        if (code != x->code || (code != PB_OK && fault.offset != x->offset))
            fail_msg("%s: code %d at %zu, expected %d at %zu", x->name, (int)code, fault.offset, (int)x->code,
                     x->offset);
        wr_free(&w);
    }
}

/* PB-R6, R7, R8, R16, R17 */
static void headers(void **state)
{
    (void)state;
    static const struct {
        const char *octets;
        size_t n;
        enum pb_error_code code;
        size_t offset;
    } rows[] = {
        {M(""), PB_INVALID_PARAMETER, 0},
        {M("\2"), PB_INVALID_PARAMETER, 0},
        {M("\2\0\0\1\0\0\0"), PB_INVALID_PARAMETER, 0},
        {M("\x3c"), PB_VERSION_NOT_SUPPORTED, 0x3c},
        {M("\1\0\0\1\0\0\0"), PB_VERSION_NOT_SUPPORTED, 1},
        {M("\3\0\0\1\0\0\0\x08"), PB_VERSION_NOT_SUPPORTED, 3},
        {M("\2\0\0\1\0\0\0\7"), PB_INVALID_PARAMETER, 4},
        {M("\2\0\0\1\0\0\0\x09"), PB_INVALID_PARAMETER, 4},
        {M("\2\0\0\1\0\0\0\x08\0"), PB_INVALID_PARAMETER, 4},
        {M("\2\0\0\1\xff\xff\xff\xff"), PB_INVALID_PARAMETER, 4},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct pb_step *step;
        struct nea_fault fault;
        assert_int_equal(pb_batch_check((struct bytes){(const uint8_t *)rows[i].octets, rows[i].n}, NEA_SERVER, PB_INIT,
                                        &step, &fault),
                         rows[i].code);
        assert_int_equal(fault.offset, rows[i].offset);
    }
}

/* PB-R7, R45, R47, R64, R65 */
static void errors_as_they_are_sent(void **state)
{
    (void)state;
    struct wr w = wr_of(0);
    struct nea_fault fault = {.code = PB_VERSION_NOT_SUPPORTED, .offset = 0x3c};
    pb_error_put(&w, &fault);
    assert_int_equal(w.n, 24);
    assert_memory_equal(w.p + 12, "\x80\0\0\0\0\4\0\0\x3c\2\2\0", 12);
    wr_reset(&w);
    fault.code = PB_UNEXPECTED_BATCH;
    pb_error_put(&w, &fault);
    assert_int_equal(w.n, 20);
    wr_reset(&w);
    fault.code = PB_INVALID_PARAMETER;
    pb_error_put(&w, &fault);
    assert_int_equal(w.n, 24);
    assert_memory_equal(w.p + 12, "\x80\0\0\0\0\1\0\0\0\0\0\x3c", 12);
    wr_free(&w);
}

/* PB-R41, R59, R60 */
static void remediation_as_it_is_sent(void **state)
{
    (void)state;
    static const struct {
        const char *uri;
        bool valid;
    } rows[] = {
        {"https://help.example/nea?os=1#top", true},
        {"mailto:admin@example.org", true},
        {"urn:a", true},
        {"x+y-z.1:", true},
        {"", false},
        {"help.example", false},
        {"/path", false},
        {":x", false},
        {"1http://x", false},
        {"http://x y", false},
        {"http://x\n", false},
        {"ht tp://x", false},
        {"http://<x>", false},
        {"a_b:x", false},
        {"http://\xc3\xa4", false},
        {"http://x|y", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (nea_uri_valid(bytes_of(rows[i].uri)) != rows[i].valid)
            fail_msg("%s", rows[i].uri);
    assert_false(nea_uri_valid(BYTES("http:\0x")));
    struct wr w = wr_of(0);
    pb_remediation_put(&w, NEA_REMEDIATION_TEXT, BYTES("patch"), BYTES("en"));
    assert_true(bytes_equal(wr_view(&w), BYTES("\0\0\0\0\0\0\0\4\0\0\0\x20\0\0\0\0\0\0\0\2\0\0\0\5patch\2en")));
    wr_reset(&w);
    pb_remediation_put(&w, NEA_REMEDIATION_URI, BYTES("http://x/"), BYTES(""));
    assert_true(bytes_equal(wr_view(&w), BYTES("\0\0\0\0\0\0\0\4\0\0\0\x1d\0\0\0\0\0\0\0\1http://x/")));
    wr_free(&w);
}

/* ---- recorded sessions ---- */

static void walk(const char *name, struct bytes batch, enum nea_role receiver, enum pb_state *st)
{
    const struct pb_step *step;
    struct nea_fault fault;
    struct pb_message m;
    struct arena arena = arena_of(4 << 20);
    if (pb_batch_check(batch, receiver, *st, &step, &fault) != PB_OK)
        fail_msg("%s: %s", name, fault.text);
    for (struct rd r = pb_batch_messages(batch); pb_message_next(&r, receiver, batch.p[3], &m);) {
        if (m.vendor != PEN_IETF || m.type != PB_PA)
            continue;
        struct pb_pa pa = pb_pa_read(m.value);
        struct pa_message message;
        arena_reset(&arena);
        if (pa_message_decode(&arena, pa.message, receiver, &message, &fault) != PA_OK)
            fail_msg("%s: %s", name, fault.text);
        assert_true(message.count > 0);
        for (size_t i = 0; i < message.count; i++)
            assert_non_null(message.attributes[i].type);
    }
    *st = step->next;
    arena_free(&arena);
}

/* PB-R1, R6, R23, R64, R66 */
static void recorded_batches(void **state)
{
    (void)state;
    static char line[200000], session[64], previous[64], direction[8], type[16], hex[190000];
    static uint8_t octets[95000];
    enum pb_state states[2] = {PB_INIT, PB_INIT};
    unsigned number, count = 0;
    snprintf(line, sizeof line, "%s/test/golden/pb-sessions.txt",
             getenv("MUSTER_SOURCE") ? getenv("MUSTER_SOURCE") : ".");
    FILE *f = fopen(line, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#' || sscanf(line, "%63s %u %7s %15s %189999s", session, &number, direction, type, hex) != 5)
            continue;
        size_t n = 0;
        for (unsigned octet; sscanf(hex + 2 * n, "%2x", &octet) == 1; n++)
            octets[n] = (uint8_t)octet;
        if (strcmp(session, previous)) {
            states[0] = states[1] = PB_INIT;
            snprintf(previous, sizeof previous, "%s", session);
        }
        enum nea_role receiver = strcmp(direction, "c2s") ? NEA_CLIENT : NEA_SERVER;
        enum nea_role sender = receiver == NEA_CLIENT ? NEA_SERVER : NEA_CLIENT;
        assert_string_equal(pb_type_name(octets[3] & 15), type);
        const struct pb_step *tx = pb_step_find(states[sender], sender, PB_TX, octets[3] & 15);
        assert_non_null(tx);
        states[sender] = tx->next;
        walk(session, (struct bytes){octets, n}, receiver, &states[receiver]);
        assert_int_equal(states[0], states[1]);
        count++;
    }
    fclose(f);
    assert_int_equal(count, 61);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_and_batch),
        cmocka_unit_test(every_batch_header),
        cmocka_unit_test(crossing_retries_are_ignored),
        cmocka_unit_test(the_error_matrix),
        cmocka_unit_test(headers),
        cmocka_unit_test(errors_as_they_are_sent),
        cmocka_unit_test(remediation_as_it_is_sent),
        cmocka_unit_test(recorded_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
