/* Signed CoSWID: what is written, what is signed, what is refused. */
#include "swid/swid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* spec: the minimal tag {0:"a",12:0,1:"a",13:"1",2:{31:"E",33:1}} */
#define TAG         "da53574944a500616101616102a2181f61451821010c000d6131"
#define TYPE        "03756170706c69636174696f6e2f737769642b63626f72" /* 3: "application/swid+cbor" */
#define PROTECTED   "a20126" TYPE
#define BSTR_TAG    "581a" TAG
#define SIGN1(body) "d284" body
#define GOOD        SIGN1("581a" PROTECTED "a0" BSTR_TAG "43010203")

static struct wr octets_of(const char *hex)
{
    struct wr w = wr_of(0);
    for (size_t i = 0; hex[i]; i += 2) {
        const char pair[] = {hex[i], hex[i + 1], 0};
        char *end;
        wr_u8(&w, strtoul(pair, &end, 16));
        assert_true(end == pair + 2);
    }
    return w;
}

static void assert_octets(struct wr *w, const char *hex)
{
    struct wr wanted = octets_of(hex);
    assert_false(w->bad);
    assert_int_equal(w->n, wanted.n);
    assert_memory_equal(w->p, wanted.p, wanted.n);
    wr_free(&wanted);
    wr_free(w);
}

static enum swid_status read_hex(const char *hex, struct swid_cose *c)
{
    struct wr w = octets_of(hex);
    struct error error = {""};
    enum swid_status status = swid_cose_read(wr_view(&w), c, &error);
    assert_int_equal(status == SWID_OK, error.text[0] == 0);
    wr_free(&w); /* its views are not looked at */
    return status;
}

static bool one_two_three(void *context, struct bytes octets, struct wr *signature)
{
    struct wr *seen = context;
    if (!seen)
        return false;
    wr_bytes(seen, octets);
    wr_bytes(signature, BYTES("\1\2\3"));
    return true;
}

/* RFC 9052 §4.2, §4.4 and RFC 9393 §7, octet by octet. */
static void writes_what_the_rfcs_say(void **state)
{
    (void)state;
    struct wr tag = octets_of(TAG), w = wr_of(0), seen = wr_of(0);
    struct swid_cose c = {.algorithm = -7, .payload = wr_view(&tag)};
    assert_true(swid_cose_write(&w, &c, one_two_three, &seen));
    assert_octets(&w, GOOD);
    assert_octets(&seen, "846a5369676e617475726531"
                         "581a" PROTECTED "40" BSTR_TAG);

    w = seen = wr_of(0);
    c = (struct swid_cose){.algorithm = -37, .payload = wr_view(&tag), .chain = {BYTES("x")}, .chain_count = 1};
    assert_true(swid_cose_write(&w, &c, one_two_three, &seen));
    assert_octets(&w, SIGN1("581f"
                            "a3013824" TYPE "18214178"
                            "a0" BSTR_TAG "43010203"));
    wr_free(&seen);

    w = seen = wr_of(0);
    c = (struct swid_cose){
        .algorithm = -8, .payload = wr_view(&tag), .chain = {BYTES("x"), BYTES("yz")}, .chain_count = 2};
    assert_true(swid_cose_write(&w, &c, one_two_three, &seen));
    assert_octets(&w, SIGN1("5822"
                            "a30127" TYPE "1821824178"
                            "42797a"
                            "a0" BSTR_TAG "43010203"));
    wr_free(&seen);

    w = wr_of(0);
    assert_false(swid_cose_write(&w, &c, one_two_three, NULL));
    assert_int_equal(w.n, 0);
    wr_free(&w);
    wr_free(&tag);
}

static void reads_what_it_wrote(void **state)
{
    (void)state;
    struct wr tag = octets_of(TAG), w = wr_of(0), seen = wr_of(0), again = wr_of(0);
    struct swid_cose c = {.algorithm = -36,
                          .payload = wr_view(&tag),
                          .chain = {BYTES("x"), BYTES("yz")},
                          .chain_count = 2},
                     back;
    struct error error;
    assert_true(swid_cose_write(&w, &c, one_two_three, &seen));
    assert_true(swid_is_cose(wr_view(&w)));
    assert_false(swid_is_cose(wr_view(&tag)));
    assert_int_equal(swid_cose_read(wr_view(&w), &back, &error), SWID_OK);
    assert_int_equal(back.algorithm, -36);
    assert_int_equal(back.chain_count, 2);
    assert_true(bytes_equal(back.chain[0], BYTES("x")) && bytes_equal(back.chain[1], BYTES("yz")));
    assert_true(bytes_equal(back.payload, wr_view(&tag)));
    assert_true(bytes_equal(back.signature, BYTES("\1\2\3")));
    swid_cose_signed(&again, &back);
    assert_true(bytes_equal(wr_view(&again), wr_view(&seen)));
    wr_free(&tag);
    wr_free(&w);
    wr_free(&seen);
    wr_free(&again);
}

static void ignore_open(struct swid_sink *s, const struct swid_node *node)
{
    (void)s, (void)node;
}
static void ignore_close(struct swid_sink *s, enum swid_element element)
{
    (void)s, (void)element;
}

/* Every reader of tags takes a signed one, and says that it was signed. */
static void reads_the_tag_within(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        enum swid_status status;
        bool is_signed;
    } cases[] = {
        {GOOD, SWID_OK, true},
        {"da53574944" GOOD, SWID_OK, true}, /* RFC 9393 §8: CoSWID's own tag outside */
        {TAG, SWID_OK, false},
        {SIGN1("581a" PROTECTED "a0" /* without CoSWID's tag */ "55a500616101616102a2181f61451821010c000d6131"
               "4101"),
         SWID_OK, true},
        {SIGN1("581a" PROTECTED "a0"
               "41a0"
               "4101"),
         SWID_OK, true},
        {SIGN1("581a" PROTECTED "a0"
               "4101"
               "4101"),
         SWID_OTHER_MODEL, true},
        {SIGN1("581a" PROTECTED "a0"
               "42a000"
               "4101"),
         SWID_MALFORMED, true},
        {SIGN1("581a" PROTECTED "a0"
               "5823" SIGN1("581a" PROTECTED "a0"
                            "41a0"
                            "4101") "4101"),
         SWID_OTHER_MODEL, true}, /* twice */
        {"d86284"
         "581a" PROTECTED "a0"
         "41a0"
         "80",
         SWID_OTHER_MODEL, false}, /* COSE_Sign */
        {"d9d9f7" GOOD, SWID_OTHER_MODEL, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct swid_sink sink = {.open = ignore_open, .close = ignore_close};
        struct error error = {""};
        struct wr w = octets_of(cases[i].hex);
        assert_int_equal(swid_read(wr_view(&w), &sink, &error), cases[i].status);
        assert_int_equal(sink.has_signature, cases[i].is_signed);
        wr_free(&w);
    }
    struct arena a = arena_of(1 << 16);
    struct swid_tag tag;
    struct error error;
    struct wr w = octets_of(GOOD);
    assert_int_equal(swid_tag_read_any(wr_view(&w), &a, &tag, &error), SWID_OK);
    assert_true(bytes_equal(tag.tag_id, BYTES("a")) && bytes_equal(tag.creator, BYTES("E")));
    wr_free(&w);
    arena_free(&a);
}

static void says_of_xml_that_it_is_signed(void **state)
{
    (void)state;
#define XML(inner)                                                                                                     \
    "<SoftwareIdentity xmlns=\"http://standards.iso.org/iso/19770/-2/2015/schema.xsd\" name=\"a\" "                    \
    "tagId=\"a\"><Entity name=\"E\" "                                                                                  \
    "role=\"tagCreator\"/>" inner "</SoftwareIdentity>"
    static const struct {
        const char *xml;
        bool is_signed;
    } cases[] = {
        {XML(""), false},
        {XML("<d:Signature xmlns:d=\"http://www.w3.org/2000/09/xmldsig#\"/>"), true},
        {XML("<Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><x/></Signature>"), true},
        {XML("<Meta><x xmlns=\"y\"><Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"/></x></Meta>"), true},
        {XML("<Signature/>"), false},
        {XML("<d:Signature xmlns:d=\"http://www.w3.org/2000/09/xmldsig\"/>"), false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct swid_sink sink = {.open = ignore_open, .close = ignore_close};
        struct error error = {""};
        assert_int_equal(swid_read(bytes_of(cases[i].xml), &sink, &error), SWID_OK);
        assert_int_equal(sink.has_signature, cases[i].is_signed);
    }
}

static void count(void *context, const struct swid_rule *rule, const char *place, const char *detail)
{
    (void)rule, (void)place, (void)detail;
    ++*(size_t *)context;
}

/* The schema lets an element of another namespace stand in the root. */
static void signature_breaks_no_rule(void **state)
{
    (void)state;
    size_t without = 0, with = 0;
    struct error error;
    assert_int_equal(swid_validate(bytes_of(XML("")), count, &without, &error), SWID_OK);
    assert_int_equal(
        swid_validate(
            bytes_of(XML(
                "<d:Signature xmlns:d=\"http://www.w3.org/2000/09/xmldsig#\" Id=\"x\"><d:SignedInfo/></d:Signature>")),
            count, &with, &error),
        SWID_OK);
    assert_int_equal(with, without);
}

static void takes_and_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        enum swid_status status;
        unsigned chain;
    } cases[] = {
        {GOOD, SWID_OK, 0},
        /* headers of unknown length, unknown labels, certificates that are not signed themselves */
        {SIGN1("581b"
               "bf0126" TYPE "ff"
               "a0"
               "41a0"
               "4101"),
         SWID_OK, 0},
        {SIGN1("581a" PROTECTED "a20441aa6161f5"
               "41a0"
               "4101"),
         SWID_OK, 0},
        {SIGN1("581a" PROTECTED "a118214161"
               "41a0"
               "4101"),
         SWID_OK, 1},
        {SIGN1("581a" PROTECTED "a118218141ff"
               "41a0"
               "4101"),
         SWID_OK, 1},
        {SIGN1("581a" PROTECTED "a118218841ff41ff41ff41ff41ff41ff41ff41ff"
               "41a0"
               "4101"),
         SWID_OK, 8},
        {SIGN1("581a" PROTECTED "a118218941ff41ff41ff41ff41ff41ff41ff41ff41ff"
               "41a0"
               "4101"),
         SWID_MALFORMED, 0},
        {SIGN1("581a" PROTECTED "a118218201"
               "41a0"
               "4101"),
         SWID_MALFORMED, 0},
        {SIGN1("581a" PROTECTED "a1182105"
               "41a0"
               "4101"),
         SWID_MALFORMED, 0},
        /* a label twice: in one header, in both */
        {SIGN1("581c"
               "a301260126" TYPE "a0"
               "41a0"
               "4101"),
         SWID_MALFORMED, 0},
        {SIGN1("581e"
               "a30126" TYPE "18214161"
               "a118214161"
               "41a0"
               "4101"),
         SWID_MALFORMED, 0},
        /* what has to be signed stands outside, is missing, is something else */
        {SIGN1("5818"
               "a1" TYPE "a10126"
               "41a0"
               "4101"),
         SWID_MALFORMED, 0},
        {SIGN1("5818"
               "a1" TYPE "a0"
               "41a0"
               "4101"),
         SWID_MALFORMED, 0},
        {SIGN1("43"
               "a10126"
               "a1" TYPE "41a0"
               "4101"),
         SWID_MALFORMED, 0},
        {SIGN1("43"
               "a10126"
               "a0"
               "41a0"
               "4101"),
         SWID_MALFORMED, 0},
        {SIGN1("40"
               "a0"
               "41a0"
               "4101"),
         SWID_MALFORMED, 0},
        {SIGN1("46"
               "a20126"
               "036161"
               "a0"
               "41a0"
               "4101"),
         SWID_OTHER_MODEL, 0},
        {SIGN1("46"
               "a20126"
               "031818"
               "a0"
               "41a0"
               "4101"),
         SWID_OTHER_MODEL, 0},
        {SIGN1("581b"
               "a2016161" TYPE "a0"
               "41a0"
               "4101"),
         SWID_MALFORMED, 0},
        {SIGN1("581e"
               "a2011a7fffffff" TYPE "a0"
               "41a0"
               "4101"),
         SWID_MALFORMED, 0},
        /* RFC 9052 §3.1: critical, and not understood */
        {SIGN1("581d"
               "a30126"
               "028104" TYPE "a0"
               "41a0"
               "4101"),
         SWID_MALFORMED, 0},
        {SIGN1("581b" PROTECTED "00"
               "a0"
               "41a0"
               "4101"),
         SWID_MALFORMED, 0},
        {SIGN1("581a" PROTECTED "a1f400"
               "41a0"
               "4101"),
         SWID_MALFORMED, 0},
        {SIGN1("581a" PROTECTED "80"
               "41a0"
               "4101"),
         SWID_MALFORMED, 0},
        {SIGN1("a20126" TYPE "a0"
               "41a0"
               "4101"),
         SWID_MALFORMED, 0},
        {SIGN1("581a" PROTECTED "a0"
               "f6"
               "4101"),
         SWID_MALFORMED, 0}, /* the payload elsewhere */
        {SIGN1("581a" PROTECTED "a0"
               "a0"
               "4101"),
         SWID_MALFORMED, 0},
        {SIGN1("581a" PROTECTED "a0"
               "41a0"
               "6101"),
         SWID_MALFORMED, 0},
        {SIGN1("581a" PROTECTED "a0"
               "41a0"
               "410100"),
         SWID_MALFORMED, 0},
        {"d285"
         "581a" PROTECTED "a0"
         "41a0"
         "410100",
         SWID_MALFORMED, 0},
        {"d29f"
         "581a" PROTECTED "a0"
         "41a0"
         "4101ff",
         SWID_MALFORMED, 0},
        {"d2a2"
         "581a" PROTECTED "a0"
         "41a0"
         "4101",
         SWID_MALFORMED, 0},
        {"84"
         "581a" PROTECTED "a0"
         "41a0"
         "4101",
         SWID_OTHER_MODEL, 0},
        {"da53574944da53574944da53574944" GOOD, SWID_OTHER_MODEL, 0},
        {"d2", SWID_MALFORMED, 0},
        {"", SWID_MALFORMED, 0},
    };
    struct swid_cose c;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        enum swid_status status = read_hex(cases[i].hex, &c);
        if (status != cases[i].status || (status == SWID_OK && c.chain_count != cases[i].chain))
            fail_msg("case %zu: status %d, %zu certificates", i, (int)status, c.chain_count);
    }
}

static void refuses_what_is_cut_off(void **state)
{
    (void)state;
    struct wr w = octets_of(GOOD);
    struct swid_cose c;
    struct error error;
    for (size_t n = 0; n < w.n; n++) {
        uint8_t *exact = malloc(n + !n); /* the sanitizer sees a step too far */
        memcpy(exact, w.p, n);
        assert_int_not_equal(swid_cose_read((struct bytes){exact, n}, &c, &error), SWID_OK);
        free(exact);
    }
    wr_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_the_rfcs_say), cmocka_unit_test(reads_what_it_wrote),
        cmocka_unit_test(reads_the_tag_within),     cmocka_unit_test(says_of_xml_that_it_is_signed),
        cmocka_unit_test(signature_breaks_no_rule), cmocka_unit_test(takes_and_refuses),
        cmocka_unit_test(refuses_what_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
