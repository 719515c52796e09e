/* muster decode: the golden vectors and recorded sessions explained, faults with their places, and every way to write
 * octets down. */
#include "nea/nea.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct wr text;
static size_t faults;

/* The document that octets decode to; valid until the next call. */
static const char *explain(struct bytes octets, enum nea_kind kind, bool outline)
{
    wr_reset(&text);
    struct json j = json_of(&text);
    j.outline = outline;
    json_object_begin(&j, NULL);
    faults = nea_decode(&j, octets, kind);
    json_object_end(&j);
    assert_int_equal(j.depth, 0);
    assert_false(text.bad);
    return wr_string(&text);
}

static struct bytes from_hex(const char *hex, struct wr *w)
{
    struct error error;
    wr_reset(w);
    if (!nea_hex_read(bytes_of(hex), w, &error))
        fail_msg("%s", error.text);
    return wr_view(w);
}

static void expect(const char *name, const char *document, const char *part)
{
    if (!strstr(document, part))
        fail_msg("%s: %s\nlacks %s", name, document ? document : "nothing", part);
}

/* The rows of a golden file: first word to last. */
static void each_row(const char *file, void (*take)(char *words[5], void *context), void *context)
{
    static char line[200000];
    snprintf(line, sizeof line, "%s/test/golden/%s", getenv("MUSTER_SOURCE") ? getenv("MUSTER_SOURCE") : ".", file);
    FILE *f = fopen(line, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        char *words[5] = {0}, *rest = line;
        for (size_t i = 0; i < 5; i++)
            words[i] = strsep(&rest, " \n");
        if (line[0] != '#')
            take(words, context);
    }
    fclose(f);
}

/* ---- PA-TNC ---- */

/* What vectors say, written by hand from their layouts. */
static const struct {
    const char *vector, *part;
} said[] = {
    {"A1", "\"attributes\":[{\"vendor\":0,\"number\":2},{\"vendor\":0,\"number\":3},{\"vendor\":36906,\"number\":8}]"},
    {"A2", "\"type\":2,\"name\":\"Product Information\",\"noskip\":false,\"offset\":8,\"value\":{\"vendor_id\":28978,"
           "\"product_id\":0,\"name\":\"Ubuntu\"}"},
    {"A3", "\"value\":{\"major_version\":20,\"minor_version\":4,\"build\":0,\"service_pack_major\":0,"
           "\"service_pack_minor\":0}"},
    {"A4b", "\"value\":{\"version\":\"1.0\",\"build\":\"b123\",\"configuration\":\"cfgé\"}"},
    {"A5", "\"value\":{\"status\":3,\"result\":1,\"last_use\":\"2022-05-13T07:23:44Z\"}"},
    {"A6", "\"ports\":[{\"blocked\":0,\"protocol\":6,\"port\":22},{\"blocked\":0,\"protocol\":6,\"port\":80},"
           "{\"blocked\":1,\"protocol\":17,\"port\":53}]"},
    {"A7", "\"packages\":[{\"name\":\"bash\",\"version\":\"5.2.15-\"},{\"name\":\"apt\",\"version\":\"\"}]"},
    {"A8.1", "\"code_name\":\"Invalid Parameter\",\"information\":{\"quoted_version\":1,\"quoted_id\":268435461,"
             "\"offset\":16}"},
    {"A8.2", "\"information\":{\"quoted_version\":2,\"quoted_id\":48879,\"maximum\":1,\"minimum\":1}"},
    {"A8.3", "\"flags\":128,\"vendor\":36906,\"type\":4294967294"},
    {"A9", "\"details\":{\"result\":4,\"result_name\":\"don't know\"}"},
    {"A10.1", "\"details\":{\"uri\":\"https://fix.example.org/os\"}"},
    {"A10.2", "\"details\":{\"text\":\"Disable IP fwd\",\"language\":\"en\"}"},
    {"B13d", "\"software_ids\":[{\"software_id\":\"strongswan.org__Debian_12-x86_64-bash-5.2.15-2\"},{\"software_id\":"
             "\"example.com__app-1\"}]"},
    {"B15b", "\"epoch\":916780987,\"last_eid\":94,\"last_consulted_eid\":94,\"events\":[]"},
    {"B16", "\"software_id\":\"a.org__b\",\"locator\":\"file:///opt/b\",\"record\":\"<SoftwareIdentity tag"},
    {"B19", "\"subscriptions\":[{\"flags\":96,\"request_id\":19,\"earliest_eid\":0,\"software_ids\":[]},{\"flags\":64,"
            "\"request_id\":22,\"earliest_eid\":5,\"software_ids\":[{\"software_id\":\"example.com__app-1\"}]}]"},
    {"B21", "\"sources\":[{\"source\":1,\"metadata\":\"dpkg\"},{\"source\":2,\"metadata\":\"rpm\"}]"},
    {"B8.6", "\"information\":{\"request_id\":17,\"maximum_size\":32714,\"description\":\"\"}"},
    {"B8.7", "\"code_name\":\"SWIMA_RESPONSE_TOO_LARGE_ERROR\",\"details\":{\"request_id\":19,\"maximum_size\":32714,"
             "\"description\":\"inventory too large\"}"},
    {"C1", "\"vendor\":21911,\"type\":33,\"name\":\"Segmentation Contract Request\",\"noskip\":false,\"offset\":8,"
           "\"value\":{\"max_message\":4294967295,\"max_segment\":32698}"},
    {"D1", "\"offset\":16,\"position\":16,\"rule\":\"PA-R20\",\"section\":\"RFC 5792 §4.1\""},
    {"D9", "\"offset\":20,\"position\":20,\"rule\":\"PA-R43\",\"section\":\"RFC 5792 §4.2.11\""},
    {"D5", "\"name\":\"Forwarding Enabled\",\"noskip\":false,\"offset\":8,\"value\":{\"value\":1}"},
    {"D5", "\"code\":3,\"offset\":24,\"position\":24,\"rule\":\"PA-R16\",\"section\":\"RFC 5792 §4.1\""},
    {"D6", "\"vendor\":1193046,\"type\":7,\"name\":null,\"noskip\":false,\"offset\":8,\"value\":{\"hex\":\"01\"}"},
    {"D7", "\"rule\":\"PA-R9\",\"section\":\"RFC 5792 §3.6\""},
    {"D19", "\"rule\":\"SWIMA-R83\""},
};

static void check_vector(char *words[5], void *context)
{
    struct wr octets = wr_of(0);
    struct bytes message = from_hex(words[3], &octets);
    char place[32];
    assert_int_equal(nea_kind_guess(message), NEA_PA_TNC);
    const char *document = explain(message, NEA_PA_TNC, false);
    if (!strcmp(words[1], "0")) {
        if (faults)
            fail_msg("%s: %s", words[0], document);
    } else {
        assert_true(faults > 0);
        snprintf(place, sizeof place, "\"offset\":%s,\"position\":", words[2]);
        if (strcmp(words[1], "silent"))
            expect(words[0], document, place);
        expect(words[0], document, "\"rule\":\"");
        expect(words[0], document, "\"section\":\"RFC ");
    }
    for (size_t i = 0; i < ARRAY_LENGTH(said); i++)
        if (!strcmp(said[i].vector, words[0])) {
            expect(words[0], document, said[i].part);
            ++*(size_t *)context;
        }
    /* Cut anywhere, as anything: nothing is read beyond the end (a copy of exact size), and the document is whole. */
    for (size_t n = 0; n < message.n; n++) {
        uint8_t *copy = malloc(n ? n : 1);
        memcpy(copy, message.p, n);
        for (unsigned kind = 0; kind < NEA_KIND_COUNT; kind++)
            explain((struct bytes){copy, n}, kind, n & 1);
        free(copy);
    }
    wr_free(&octets);
}

static void golden_vectors(void **state)
{
    (void)state;
    size_t parts = 0;
    each_row("pa-vectors.txt", check_vector, &parts);
    assert_int_equal(parts, ARRAY_LENGTH(said));
}

static void attributes_alone(void **state)
{
    (void)state;
    struct wr octets = wr_of(0);
    const char *document = explain(from_hex("000000000000000b0000001000000001 80000000000000ff0000000c", &octets),
                                   NEA_PA_ATTRIBUTES, false);
    assert_int_equal(faults, 1);
    expect("attributes", document, "\"kind\":\"pa-attributes\"");
    expect("attributes", document, "\"name\":\"Forwarding Enabled\"");
    expect("attributes", document, "\"offset\":16,\"position\":16,\"rule\":\"PA-R16\"");
    wr_free(&octets);
}

static void errors_inside_errors_end(void **state)
{
    (void)state;
    /* SWIMA-R110: code 7 never stands inside code 7. Here it does, a thousand times. */
    struct wr w = wr_of(0);
    pa_message_put(&w, 1);
    wr_u32(&w, 0);
    wr_u32(&w, 8);
    wr_u32(&w, 12 + 8 + 1000 * 12);
    for (unsigned i = 0; i < 1001; i++) {
        wr_u32(&w, 0);
        wr_u32(&w, 7);
        if (i < 1000)
            wr_u32(&w, 1);
    }
    assert_non_null(strstr(explain(wr_view(&w), NEA_PA_TNC, false), "\"subscription_id\":1"));
    assert_int_equal(faults, 0);
    wr_free(&w);
}

/* ---- PB-TNC ---- */

struct session {
    struct wr stream[2];
    char name[64];
    size_t count;
};

static void finish_session(struct session *s)
{
    for (size_t i = 0; i < 2; i++) {
        const char *document = explain(wr_view(&s->stream[i]), NEA_PB_TNC, false);
        if (faults)
            fail_msg("%s: %s", s->name, document);
        bool segmented = !strcmp(s->name, "swima-id-events-segmented");
        assert_int_equal(strstr(document, "\"reassembled\":{\"base_id\":1,\"length\":5087") != NULL, segmented && !i);
        wr_reset(&s->stream[i]);
    }
}

static void take_batch(char *words[5], void *context)
{
    struct session *s = context;
    struct wr octets = wr_of(0);
    char part[64];
    if (s->count && strcmp(s->name, words[0]))
        finish_session(s);
    snprintf(s->name, sizeof s->name, "%s", words[0]);
    struct bytes batch = from_hex(words[4], &octets);
    assert_int_equal(nea_kind_guess(batch), NEA_PB_TNC);
    const char *document = explain(batch, NEA_PB_TNC, false);
    if (faults)
        fail_msg("%s %s: %s", words[0], words[1], document);
    snprintf(part, sizeof part, "\"direction\":\"%s\"",
             !strcmp(words[2], "c2s") ? "client to server" : "server to client");
    expect(words[0], document, part);
    snprintf(part, sizeof part, "\"name\":\"%s\"", words[3]);
    expect(words[0], document, part);
    if (!strcmp(words[3], "RESULT"))
        expect(words[0], document, "\"name\":\"PB-Assessment-Result\",\"value\":{\"result\":");
    wr_bytes(&s->stream[strcmp(words[2], "c2s") != 0], batch);
    s->count++;
    wr_free(&octets);
}

static void recorded_sessions(void **state)
{
    (void)state;
    struct session s = {.stream = {wr_of(0), wr_of(0)}};
    each_row("pb-sessions.txt", take_batch, &s);
    finish_session(&s);
    assert_int_equal(s.count, 61);
    wr_free(&s.stream[0]);
    wr_free(&s.stream[1]);
}

static const struct {
    const char *name, *hex, *part;
    enum nea_kind kind;
    size_t faults;
} wrongs[] = {
    {"empty batch", "02000001 00000008", "\"name\":\"CDATA\",\"length\":8,\"messages\":[]", NEA_PB_TNC, 0},
    {"two batches", "02000001 00000008 02000006 00000008", "{\"offset\":8,\"version\":2", NEA_PB_TNC, 0},
    {"other version", "3c000001 00000008", "\"offset\":0,\"position\":0,\"rule\":\"PB-R7\"", NEA_PB_TNC, 1},
    {"other version behind a batch", "02000001 00000008 03000001 00000008",
     "\"offset\":0,\"position\":8,\"rule\":\"PB-R7\"", NEA_PB_TNC, 1},
    {"short batch", "020000", "\"rule\":\"PB-R16\"", NEA_PB_TNC, 1},
    {"unknown batch type", "02000007 00000008", "\"offset\":3,\"position\":3,\"rule\":\"PB-R11\"", NEA_PB_TNC, 1},
    {"cut batch", "02000001 00000020 00000000 00000006 0000000c", "\"name\":\"PB-Language-Preference\"", NEA_PB_TNC, 1},
    {"empty result", "02800003 00000008", "\"offset\":3,\"position\":3,\"rule\":\"PB-R38\"", NEA_PB_TNC, 1},
    {"result twice", "02800003 00000028 80000000 00000002 00000010 00000000 80000000 00000002 00000010 00000001",
     "\"result_name\":\"minor "
     "non-compliance\"},\"error\":{\"code\":1,\"offset\":24,\"position\":24,\"rule\":\"PB-R36\"",
     NEA_PB_TNC, 1},
    {"a fault, and what comes behind it",
     "02800003 00000038 80000000 00000002 00000010 00000009 80000000 00000002 00000010 00000000 "
     "00000000 00000003 00000010 00000002",
     "\"recommendation\":2,\"recommendation_name\":\"denied\"", NEA_PB_TNC, 1},
    {"unknown mandatory message", "02000001 00000014 80123456 00000001 0000000c", "\"rule\":\"PB-R18\"", NEA_PB_TNC, 1},
    {"message beyond the batch", "02000001 00000014 00000000 00000006 0000000d", "\"rule\":\"PB-R22\"", NEA_PB_TNC, 1},
    {"error with parameter", "02000006 00000020 80000000 00000005 00000018 80000000 00000000 00000000",
     "\"code_name\":\"Unexpected Batch Type\",\"parameters\":\"00000000\"},\"departures\":[{\"text\":", NEA_PB_TNC, 0},
    {"error of a version", "02000006 00000020 80000000 00000005 00000018 80000000 00040000 3c020200",
     "\"parameters\":{\"bad_version\":60,\"maximum\":2,\"minimum\":2}", NEA_PB_TNC, 0},
    {"mutual capability", "02000001 00000018 0000902a 00000001 00000010 80000000",
     "\"name\":\"PB-Mutual-Capability\",\"value\":{\"capabilities\":2147483648}", NEA_PB_TNC, 0},
    {"fault in a PA-TNC message in a batch",
     "02000001 00000038 80000000 00000001 00000030 00000000 00000001 0001ffff 01000000 00000001 "
     "00000000 0000000c 00000014 00000000",
     "\"offset\":16,\"position\":48,\"rule\":\"PA-R20\"", NEA_PB_TNC, 1},

    {"login",
     "0000000000000003000000160000000105504c41494e "
     "0000000000000004000000220000000105504c41494e006361726f6c0077726f6e67",
     "\"value\":{\"mechanism\":\"PLAIN\",\"initial_response\":{\"octets\":12}}", NEA_PT_TLS, 0},
    {"result of one octet", "0000000000000006000000110000000202",
     "\"result\":2,\"result_name\":\"abort\"},\"departures\":[{\"text\":\"SASL result of one octet", NEA_PT_TLS, 0},
    {"result of two octets", "000000000000000600000012000000020001", "\"result_name\":\"failure\"", NEA_PT_TLS, 0},
    {"result of none", "00000000000000060000001000000002", "\"rule\":\"PT-R46\"", NEA_PT_TLS, 1},
    {"mechanism too long", "000000000000000300000011000000011f", "\"rule\":\"PT-R46\"", NEA_PT_TLS, 1},
    {"version request", "0000000000000001000000140000000000020104", "\"rule\":\"PT-R13\"", NEA_PT_TLS, 1},
    {"version request too long", "000000000000000100000015000000000001010100",
     "\"offset\":8,\"position\":8,\"rule\":\"PT-R29\"", NEA_PT_TLS, 1},
    {"length below a header", "000000000000000700000018000000010200000600000008 00000000000000070000000f00000001",
     "\"offset\":8,\"position\":32,\"rule\":\"PT-R29\"", NEA_PT_TLS, 1},
    {"reserved vendor", "00ffffff000000070000001000000001", "\"offset\":1,\"position\":1,\"rule\":\"PT-R28\"", NEA_PT_TLS, 1},
    {"reserved type", "00000000ffffffff0000001000000001", "\"offset\":4,\"position\":4,\"rule\":\"PT-R28\"", NEA_PT_TLS, 1},
    {"cut header", "00000000000000070000", "\"rule\":\"PT-R43\"", NEA_PT_TLS, 1},
    {"cut batch in a stream", "000000000000000700000020000000010200000600000010", "\"name\":\"CLOSE\"", NEA_PT_TLS, 2},
    {"error", "00000000000000080000001c00000003 0000000000000004 00000000", "\"code_name\":\"Invalid Message\"",
     NEA_PT_TLS, 0},
    {"vendor's message", "00123456000000010000001100000001ff", "\"name\":null,\"value\":{\"hex\":\"ff\"}", NEA_PT_TLS,
     0},
};

static void faults_and_places(void **state)
{
    (void)state;
    struct wr octets = wr_of(0);
    for (size_t i = 0; i < ARRAY_LENGTH(wrongs); i++) {
        struct bytes b = from_hex(wrongs[i].hex, &octets);
        const char *document = explain(b, wrongs[i].kind, false);
        if (faults != wrongs[i].faults)
            fail_msg("%s: %zu faults in %s", wrongs[i].name, faults, document);
        expect(wrongs[i].name, document, wrongs[i].part);
        if (b.n >= 8)
            assert_int_equal(nea_kind_guess(b), wrongs[i].kind);
        explain(b, wrongs[i].kind, true);
    }
    wr_free(&octets);
}

static void outline_for_people(void **state)
{
    (void)state;
    struct wr octets = wr_of(0);
    struct bytes b =
        from_hex("0100000010000001 0000000000000001 0000001c 00000000 00000002 0000902a 00000008", &octets);
    assert_string_equal(explain(b, NEA_PA_TNC, true), "kind: pa-tnc\n"
                                                      "messages:\n"
                                                      "- offset: 0\n"
                                                      "  version: 1\n"
                                                      "  id: 268435457\n"
                                                      "  attributes:\n"
                                                      "  - vendor: 0\n"
                                                      "    type: 1\n"
                                                      "    name: Attribute Request\n"
                                                      "    noskip: no\n"
                                                      "    offset: 8\n"
                                                      "    value:\n"
                                                      "      attributes:\n"
                                                      "      - vendor: 0\n"
                                                      "        number: 2\n"
                                                      "      - vendor: 36906\n"
                                                      "        number: 8\n"
                                                      "    about: The attributes that the validator wants\n"
                                                      "faults: 0\n");
    /* A peer's text cannot tell a terminal what to do: ESC, and the one-character CSI of U+009B. */
    b = from_hex("0100000010000001 0000000000000002 00000019 000000 0000 1b5b326a c29b326a", &octets);
    const char *document = explain(b, NEA_PA_TNC, true);
    assert_null(strchr(document, 0x1b));
    assert_null(strstr(document, "\xc2\x9b"));
    wr_free(&octets);
}

static void count_drained(void *context)
{
    size_t *count = context;
    ++*count;
    wr_reset(&text);
}

static void large_documents_are_drained(void **state)
{
    (void)state;
    struct wr w = wr_of(0);
    size_t count = 0;
    pa_message_put(&w, 1);
    wr_u32(&w, 0);
    wr_u32(&w, 6);
    wr_u32(&w, 12 + 400000);
    for (unsigned i = 0; i < 100000; i++)
        wr_u32(&w, 0x00060000 + (i & 0xffff));
    wr_reset(&text);
    struct json j = json_of(&text);
    j.drain = count_drained;
    j.context = &count;
    json_object_begin(&j, NULL);
    assert_int_equal(nea_decode(&j, wr_view(&w), NEA_PA_TNC), 0);
    json_object_end(&j);
    assert_true(count > 10);
    assert_true(text.capacity < (1 << 20));
    wr_free(&w);
}

/* ---- octets as text ---- */

static void ways_to_write_octets(void **state)
{
    (void)state;
    static const char *const same[] = {
        "0100000000000001000000000000000b0000001000000001",
        "01 00 00 00 00 00 00 01\n00 00 00 00 00 00 00 0B\r\n\t00 00 00 10 00 00 00 01\n",
        "# PA-TNC: | a comment\n0x01, 0x00 0X00,0x00 # version\n00000001 # id: 1\n000000000000000b\n0000001000000001",
        "00000000: 0100 0000 0000 0001 0000 0000 0000 000b  .......#........\n"
        "00000010: 0000 0010 0000 0001                      ........\n",
        "00000000  01 00 00 00 00 00 00 01  00 00 00 00 00 00 00 0b  |.#..............|\n"
        "00000010  00 00 00 10 00 00 00 01                           |........|\n00000018\n",
    };
    static const char *const none[] = {
        "0",
        "01 0",
        "zz",
        "0x",
        "01\n0g",
        "00000001: 0100\n",
        "00000000: 0100\n00000003: 00\n",
        "00000010  01 00  |..|\n",
        "*",
        "00000000  01 00  |..|\n*\n",
    };
    struct wr w = wr_of(0), first = wr_of(0);
    struct error error = {""};
    from_hex(same[0], &first);
    assert_int_equal(first.n, 24);
    for (size_t i = 0; i < ARRAY_LENGTH(same); i++) {
        assert_true(nea_hex_is(bytes_of(same[i])));
        if (!bytes_equal(from_hex(same[i], &w), wr_view(&first)))
            fail_msg("row %zu is read otherwise", i);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(none); i++) {
        wr_reset(&w);
        if (nea_hex_read(bytes_of(none[i]), &w, &error))
            fail_msg("\"%s\" was read", none[i]);
        assert_non_null(strstr(error.text, "line "));
    }
    /* Data that could be taken for an offset is data. */
    assert_int_equal(from_hex("00000000 00000001\n00000008\n", &w).n, 12);
    assert_false(nea_hex_is(wr_view(&first)));
    assert_false(nea_hex_is((struct bytes){NULL, 0}));
    wr_free(&w);
    wr_free(&first);
}

static void kinds_have_names(void **state)
{
    (void)state;
    struct wr octets = wr_of(0);
    for (unsigned kind = 0; kind < NEA_KIND_COUNT; kind++)
        assert_int_equal(nea_kind_find(nea_kind_name(kind)), kind);
    assert_int_equal(nea_kind_find("eap-ttls"), NEA_KIND_COUNT);
    assert_int_equal(nea_kind_guess((struct bytes){NULL, 0}), NEA_PT_TLS);
    /* A batch of a version that is none, and a PA-TNC message of one. */
    assert_int_equal(nea_kind_guess(from_hex("3c000001 00000008", &octets)), NEA_PB_TNC);
    assert_int_equal(nea_kind_guess(from_hex("07000000 00000001 00000000 0000000b 00000010 00000001", &octets)),
                     NEA_PA_TNC);
    wr_free(&octets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_vectors),
        cmocka_unit_test(attributes_alone),
        cmocka_unit_test(errors_inside_errors_end),
        cmocka_unit_test(recorded_sessions),
        cmocka_unit_test(faults_and_places),
        cmocka_unit_test(outline_for_people),
        cmocka_unit_test(large_documents_are_drained),
        cmocka_unit_test(ways_to_write_octets),
        cmocka_unit_test(kinds_have_names),
    };
    text = wr_of(0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    wr_free(&text);
    return failed;
}
