/* Tags of ISO/IEC 19770-2:2009: written out of a stream of elements, read into one. */
#include "swid/swid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NS "http://standards.iso.org/iso/19770/-2/2009/schema.xsd"
#define NEW "<SoftwareIdentity xmlns='http://standards.iso.org/iso/19770/-2/2015/schema.xsd' "

/* Any tag into one of 2009. */
static enum swid_status convert(struct bytes from, enum swid_layout layout, struct wr *w)
{
    struct error error = {""};
    struct swid_2009 *x = swid_2009_new(w, layout);
    assert_non_null(x);
    wr_reset(w);
    enum swid_status status = swid_read(from, swid_2009_sink(x), &error);
    swid_2009_free(x);
    return status;
}

static void expect(const char *from, enum swid_layout layout, const char *to)
{
    struct wr w = wr_of(0);
    assert_int_equal(convert(bytes_of(from), layout, &w), SWID_OK);
    assert_string_equal(wr_string(&w), to);
    /* and what it says stays that */
    struct wr again = wr_of(0);
    assert_int_equal(convert(wr_view(&w), layout, &again), SWID_OK);
    assert_string_equal(wr_string(&again), to);
    wr_free(&again);
    wr_free(&w);
}

#define NUMBERS(a, b, c, d)                                                                                            \
    "<swid:numeric><swid:major>" a "</swid:major><swid:minor>" b "</swid:minor><swid:build>" c                         \
    "</swid:build><swid:review>" d "</swid:review></swid:numeric>"
#define NOBODY "regid.1970-01.invalid.unavailable"
#define WHO(element, name, regid) "<swid:" element "><swid:name>" name "</swid:name><swid:regid>" regid "</swid:regid></swid:" element ">"

static void a_tag_is_written(void **state)
{
    (void)state;
    expect(NEW "name='lib&lt;c&gt;' tagId='t&amp;1' version='1:2.36-9+deb12u14'><Entity name='N' regid='n.example' role='tagCreator'/>"
               "<Meta product='Debian'/><Payload><File name='f'/></Payload></SoftwareIdentity>",
           SWID_RECORD,
           "<swid:software_identification_tag xmlns:swid=\"" NS "\">"
           "<swid:entitlement_required_indicator>false</swid:entitlement_required_indicator>"
           "<swid:product_title>lib&lt;c&gt;</swid:product_title>"
           "<swid:product_version><swid:name>1:2.36-9+deb12u14</swid:name>" NUMBERS("2", "36", "0", "0") "</swid:product_version>"
           WHO("software_creator", "unknown", NOBODY) WHO("software_licensor", "unknown", NOBODY)
           "<swid:software_id><swid:unique_id>t&amp;1</swid:unique_id><swid:tag_creator_regid>n.example</swid:tag_creator_regid></swid:software_id>"
           WHO("tag_creator", "N", "n.example")
           "<swid:package_footprint><swid:primary><swid:file><swid:name>f</swid:name><swid:other name=\"root\"></swid:other></swid:file>"
           "<swid:other type=\"Meta\"><swid:param name=\"product\">Debian</swid:param></swid:other></swid:primary></swid:package_footprint>"
           "</swid:software_identification_tag>");
}

/* Into the first edition and back. */
static void expect_whole(const char *tag, enum swid_layout layout)
{
    struct wr old = wr_of(0), want = wr_of(0), w = wr_of(0), lost = wr_of(0);
    struct error error = {""};
    struct swid_xml before = swid_xml_of(&want, SWID_PRETTY), after = swid_xml_of(&w, SWID_PRETTY);
    struct swid_2009 *x = swid_2009_new(&old, layout);
    assert_non_null(x);
    assert_int_equal(swid_read(bytes_of(tag), &before.sink, &error), SWID_OK);
    assert_int_equal(swid_read(bytes_of(tag), swid_2009_sink(x), &error), SWID_OK);
    assert_false(swid_2009_lost(x, &lost));
    assert_int_equal(swid_read(wr_view(&old), &after.sink, &error), SWID_OK);
    assert_string_equal(wr_string(&w), wr_string(&want));
    swid_2009_free(x);
    wr_free(&old);
    wr_free(&want);
    wr_free(&w);
    wr_free(&lost);
}

#define MORE_NS                                                                                                                                       \
    "xmlns:SHA256='http://www.w3.org/2001/04/xmlenc#sha256' xmlns:SHA512='http://www.w3.org/2001/04/xmlenc#sha512' xmlns:muster='urn:muster:swid:1' " \
    "xmlns:n8060='http://csrc.nist.gov/ns/swid/2015-extensions/1.0' xmlns:MD5='http://www.w3.org/2001/04/xmldsig-more#md5' "
#define SEPARATORS "n8060:pathSeparator='/' n8060:envVarPrefix='$' n8060:envVarSuffix='' "
#define IN_USR "<Directory root='/usr' name='lib &amp; x'>"
#define HASH64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* The first edition has no elements for most of this; its footprint has parameters. */
static void nothing_is_lost_on_the_way(void **state)
{
    (void)state;
    static const char *const tags[] = {
        NEW MORE_NS "name='a  b' tagId='t' version='1' versionScheme='alphanumeric' tagVersion='-3' corpus='true' xml:lang='de'>"
        "<Entity name='N' regid='n.example' role='tagCreator'/><Entity name='D' role='aggregator distributor' thumbprint='0aff'/>"
        "<Meta product='Debian' description='long' activationStatus='trial' channelType='VOLUME' productFamily='F' summary='s' muster:package='a+b'"
        " muster:arch='amd64'/><Meta description='another' revision='7'/>"
        "<Link href='https://x.example/?a&amp;b' rel='see-also' use='optional'/>"
        "<Payload " SEPARATORS "><Process name='p' pid='7'/><Resource type='r'/>"
        IN_USR "<File name='f' size='4294967296' SHA256:hash='" HASH64 "' SHA512:hash='" HASH64 HASH64 "' n8060:mutable='true' version='9' key='true'/>"
        "<File name='&lt; g ' size='0' MD5:hash='0123456789abcdef0123456789abcdef'/><File muster:name='h%ff%0a' name='h&#xfffd;&#10;'/></Directory>"
        "<File root='/' name='top'/><File root='/etc' name='alone' size='1'/></Payload></SoftwareIdentity>",
        NEW MORE_NS "name='a' tagId='t'><Entity name='M' regid='m' role='tagCreator'/><Evidence " SEPARATORS "date='2026-01-02T03:04:05Z' deviceId='d'>"
        IN_USR "<File name='f' size='1'/></Directory><Directory root='/usr' name='nothing in it'/></Evidence></SoftwareIdentity>",
        NEW MORE_NS "name='a' tagId='t'><Entity name='M' regid='m' role='tagCreator'/><Evidence " SEPARATORS "/></SoftwareIdentity>",
        NEW MORE_NS "name='a' tagId='t'><Entity name='M' regid='m' role='tagCreator'/><Meta description='only'/></SoftwareIdentity>",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(tags); i++)
        for (enum swid_layout layout = SWID_LINE; layout <= SWID_PRETTY; layout++)
            expect_whole(tags[i], layout);
}

static void what_is_lost_is_told(void **state)
{
    (void)state;
    struct wr old = wr_of(0), lost = wr_of(0);
    struct error error = {""};
    struct swid_2009 *x = swid_2009_new(&old, SWID_LINE);
    assert_non_null(x);
    assert_int_equal(swid_read(BYTES(NEW MORE_NS "name='a' tagId='t'><Entity name='M' regid='m' role='tagCreator' thumbprint='ff'/>"
                                     "<Payload><Directory name='d' key='true' n8060:mutable='true'><File name='f'/></Directory></Payload>"
                                     "<Evidence/></SoftwareIdentity>"),
                               swid_2009_sink(x), &error),
                     SWID_OK);
    assert_true(swid_2009_lost(x, &lost));
    assert_string_equal(wr_string(&lost), "Entity/thumbprint, Evidence, Directory/n8060:mutable, Directory/key");
    swid_2009_free(x);
    wr_free(&old);
    wr_free(&lost);
}

/* As in every tag; who reads on is told no folder twice. */
static void a_path_that_climbs_out_is_refused(void **state)
{
    (void)state;
    struct wr w = wr_of(0);
    assert_int_equal(convert(BYTES("<x:software_identification_tag xmlns:x='" NS "'><x:product_title>T</x:product_title><x:package_footprint><x:primary><x:file>"
                                   "<x:name>/../a</x:name></x:file><x:file><x:name>/b/c</x:name></x:file></x:primary></x:package_footprint>"
                                   "</x:software_identification_tag>"),
                             SWID_LINE, &w),
                     SWID_MALFORMED);
    assert_int_equal(w.n, 0);
    wr_free(&w);
}

/* The footprint of somebody else, and what lies there. */
static void files_of_others_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *within, *want;
    } rows[] = {
        {"<x:primary><x:file><x:name>C:\\a</x:name><x:size>5</x:size><x:size>6</x:size><x:md5>00</x:md5></x:file></x:primary><x:related><x:file>"
         "<x:name>/u/b</x:name><x:other name='colour'>red</x:other></x:file></x:related>",
         "<File name=\"C:\\a\" size=\"5\" xmlns:MD5=\"http://www.w3.org/2001/04/xmldsig-more#md5\" MD5:hash=\"00\"/>"
         "<Directory root=\"/\" name=\"u\"><File name=\"b\"/></Directory></Payload>"},
        {"<x:primary><x:other type='File'><x:param name='name'>no</x:param></x:other><x:other type='Nothing'><x:param name='a'>b</x:param></x:other>"
         "<x:other><x:param>b</x:param></x:other><x:file/></x:primary>",
         "n8060:envVarSuffix=\"\"/></SoftwareIdentity>"},
        {"<x:primary><x:file><x:name>a<o:b>no</o:b>b<x:name>no</x:name></x:name></x:file></x:primary>", "<File name=\"ab\"/></Payload>"},
        {"<x:other><x:file><x:name>no</x:name></x:file></x:other>", "role=\"tagCreator\"/></SoftwareIdentity>"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct wr from = wr_of(0), w = wr_of(0);
        struct error error = {""};
        struct swid_xml xml = swid_xml_of(&w, SWID_RECORD);
        wr_fmt(&from, "<x:software_identification_tag xmlns:x='" NS "' xmlns:o='urn:o'><x:product_title>T</x:product_title><x:software_id><x:unique_id>u"
                      "</x:unique_id><x:tag_creator_regid>r</x:tag_creator_regid></x:software_id><x:package_footprint>%s</x:package_footprint>"
                      "</x:software_identification_tag>", rows[i].within);
        assert_int_equal(swid_read(wr_view(&from), &xml.sink, &error), SWID_OK);
        if (!strstr(wr_string(&w), rows[i].want))
            fail_msg("%zu: %s", i, wr_string(&w));
        wr_free(&from);
        wr_free(&w);
    }
}

/* xs:unsignedInt, as the schema has it: what does not fit is not cut to something that nobody said. */
static void numbers_are_those_of_the_version(void **state)
{
    (void)state;
    static const struct {
        const char *version, *numbers;
    } rows[] = {
        {"4294967295.1", NUMBERS("4294967295", "1", "0", "0")}, {"4294967296.1", NUMBERS("0", "1", "0", "0")},
        {"20230218123456", NUMBERS("0", "0", "0", "0")},        {"0.14.0.20230218+d", NUMBERS("0", "14", "0", "20230218")},
        {"2:1.x", NUMBERS("1", "0", "0", "0")},                 {"v1.2", NUMBERS("0", "0", "0", "0")},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct wr from = wr_of(0), to = wr_of(0);
        wr_fmt(&from, NEW "name='a' tagId='a' version='%s'><Entity name='M' regid='m' role='tagCreator'/></SoftwareIdentity>", rows[i].version);
        assert_int_equal(convert(wr_view(&from), SWID_RECORD, &to), SWID_OK);
        if (!strstr(wr_string(&to), rows[i].numbers))
            fail_msg("%s: %s", rows[i].version, wr_string(&to));
        wr_free(&from);
        wr_free(&to);
    }
}

/* A name without a regid, there and back. */
static void who_has_no_regid_gets_none(void **state)
{
    (void)state;
    struct wr old = wr_of(0), w = wr_of(0);
    struct error error = {""};
    assert_int_equal(convert(BYTES(NEW "name='a' tagId='a'><Entity name='M' regid='m' role='tagCreator'/><Entity name='C' role='softwareCreator'/></SoftwareIdentity>"),
                             SWID_RECORD, &old),
                     SWID_OK);
    assert_non_null(strstr(wr_string(&old), WHO("software_creator", "C", NOBODY)));
    struct swid_xml xml = swid_xml_of(&w, SWID_RECORD);
    assert_int_equal(swid_read(wr_view(&old), &xml.sink, &error), SWID_OK);
    assert_non_null(strstr(wr_string(&w), "<Entity name=\"C\" role=\"softwareCreator\"/>"));
    assert_null(strstr(wr_string(&w), "invalid"));
    wr_free(&old);
    wr_free(&w);
}

static void every_role_has_its_place(void **state)
{
    (void)state;
    expect(NEW "name='a' tagId='a'><Entity name='L' regid='l.example' role='licensor'/>"
               "<Entity name='M' regid='m.example' role='tagCreator softwareCreator'/></SoftwareIdentity>",
           SWID_PRETTY,
           "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
           "<swid:software_identification_tag xmlns:swid=\"" NS "\">\n"
           "  <swid:entitlement_required_indicator>false</swid:entitlement_required_indicator>\n"
           "  <swid:product_title>a</swid:product_title>\n"
           "  <swid:product_version>\n    <swid:name></swid:name>\n    <swid:numeric>\n      <swid:major>0</swid:major>\n"
           "      <swid:minor>0</swid:minor>\n      <swid:build>0</swid:build>\n      <swid:review>0</swid:review>\n    </swid:numeric>\n"
           "  </swid:product_version>\n"
           "  <swid:software_creator>\n    <swid:name>M</swid:name>\n    <swid:regid>m.example</swid:regid>\n  </swid:software_creator>\n"
           "  <swid:software_licensor>\n    <swid:name>L</swid:name>\n    <swid:regid>l.example</swid:regid>\n  </swid:software_licensor>\n"
           "  <swid:software_id>\n    <swid:unique_id>a</swid:unique_id>\n    <swid:tag_creator_regid>m.example</swid:tag_creator_regid>\n"
           "  </swid:software_id>\n"
           "  <swid:tag_creator>\n    <swid:name>M</swid:name>\n    <swid:regid>m.example</swid:regid>\n  </swid:tag_creator>\n"
           "</swid:software_identification_tag>\n");
}

/* SWIMA-R9, R90, RFC 8412 §6.2.2: what an identifier is made of, and no more than there is. */
static void tags_of_others_are_read(void **state)
{
    (void)state;
#define OLD(more) "<x:software_identification_tag xmlns:x='" NS "' xmlns:o='urn:o'>" more "</x:software_identification_tag>"
#define ID "<x:software_id><x:unique_id> u-1\n</x:unique_id><x:tag_creator_regid>regid.2004-03.com.acme</x:tag_creator_regid></x:software_id>"
    static const struct {
        const char *xml;
        enum swid_status status;
        const char *name, *version, *id, *creator;
    } rows[] = {
        {OLD("<x:product_title>T &amp; U<o:x>no</o:x></x:product_title><x:product_version><x:name>1.2</x:name><x:numeric><x:major>9</x:major>"
             "</x:numeric></x:product_version>" ID "<x:tag_creator><x:name>Acme</x:name><x:regid>other</x:regid></x:tag_creator>"),
         SWID_OK, "T & U", "1.2", "regid.2004-03.com.acme__u-1", "Acme"},
        {OLD("<x:product_title>T</x:product_title><x:product_version><x:numeric><x:major>1</x:major><x:minor>2</x:minor></x:numeric>"
             "</x:product_version>" ID),
         SWID_OK, "T", "1.2", "regid.2004-03.com.acme__u-1", "regid.2004-03.com.acme"},
        {OLD("<x:product_title>T</x:product_title><o:product_title>no</o:product_title><x:product_title>no</x:product_title>" ID), SWID_OK, "T",
         "", "regid.2004-03.com.acme__u-1", "regid.2004-03.com.acme"},
        {OLD(ID), SWID_MALFORMED, "", "", "", ""},
        {OLD("<x:product_title>T</x:product_title>"), SWID_MALFORMED, "", "", "", ""},
        {OLD("<o:product_title>T</o:product_title>" ID), SWID_MALFORMED, "", "", "", ""},
        {OLD(""), SWID_MALFORMED, "", "", "", ""},
        {"<!DOCTYPE a [<!ENTITY b 'b'>]>" OLD("<x:product_title>&b;</x:product_title>" ID), SWID_MALFORMED, "", "", "", ""},
        {"<software_identification_tag/>", SWID_OTHER_MODEL, "", "", "", ""},
        {"<x:software_identification_tag xmlns:x='" NS "'><x:product_title>T", SWID_MALFORMED, "", "", "", ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena a = arena_of(1 << 20);
        struct error error = {""};
        struct swid_tag tag;
        assert_int_equal(swid_tag_read_any(bytes_of(rows[i].xml), &a, &tag, &error), rows[i].status);
        assert_int_equal(error.text[0] != 0, rows[i].status != SWID_OK);
        if (rows[i].status == SWID_OK) {
            assert_true(bytes_equal(tag.name, bytes_of(rows[i].name)));
            assert_true(bytes_equal(tag.version, bytes_of(rows[i].version)));
            assert_true(bytes_equal(tag.creator, bytes_of(rows[i].creator)));
            assert_true(swid_tag_is_of(&tag, bytes_of(rows[i].id)));
            assert_int_equal(swid_model_of(bytes_of(rows[i].xml)), SWID_MODEL_2009);
        }
        arena_free(&a);
    }
}

static void a_tag_is_bounded(void **state)
{
    (void)state;
    struct wr w = wr_of(0), to = wr_of(0), narrow = wr_of(100);
    wr_str(&w, "<x:software_identification_tag xmlns:x='" NS "'>");
    for (int i = 0; i < 64; i++)
        wr_str(&w, "<x:a>");
    assert_int_equal(convert(wr_view(&w), SWID_RECORD, &to), SWID_MALFORMED);
    wr_reset(&w);
    wr_str(&w, "<x:software_identification_tag xmlns:x='" NS "'><x:product_title>");
    for (int i = 0; i < 5000; i++)
        wr_str(&w, "a long title, ");
    wr_str(&w, "</x:product_title></x:software_identification_tag>");
    assert_int_equal(convert(wr_view(&w), SWID_RECORD, &to), SWID_TOO_LARGE);
    assert_int_equal(to.n, 0);
    assert_int_equal(convert(bytes_of(OLD("<x:product_title>T</x:product_title>" ID)), SWID_RECORD, &narrow), SWID_TOO_LARGE);
    wr_free(&narrow);
    wr_free(&w);
    wr_free(&to);
}

/* Into the newer edition, and from there into CoSWID. */
static void a_tag_can_be_converted(void **state)
{
    (void)state;
    struct wr w = wr_of(0);
    struct error error = {""};
    struct swid_xml xml = swid_xml_of(&w, SWID_RECORD);
    assert_int_equal(swid_read(bytes_of(OLD("<x:product_title>T</x:product_title>" ID "<x:software_creator><x:name>C</x:name></x:software_creator>")),
                               &xml.sink, &error),
                     SWID_OK);
    assert_non_null(strstr(wr_string(&w), " name=\"T\" tagId=\"u-1\"><Entity name=\"regid.2004-03.com.acme\" regid=\"regid.2004-03.com.acme\" "
                                          "role=\"tagCreator\"/><Entity name=\"C\" role=\"softwareCreator\"/></SoftwareIdentity>"));
    wr_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tag_is_written),      cmocka_unit_test(every_role_has_its_place), cmocka_unit_test(tags_of_others_are_read),
        cmocka_unit_test(numbers_are_those_of_the_version), cmocka_unit_test(nothing_is_lost_on_the_way), cmocka_unit_test(what_is_lost_is_told),
        cmocka_unit_test(files_of_others_are_read), cmocka_unit_test(a_path_that_climbs_out_is_refused),
        cmocka_unit_test(who_has_no_regid_gets_none), cmocka_unit_test(a_tag_is_bounded), cmocka_unit_test(a_tag_can_be_converted),
    };
    return cmocka_run_group_tests_name("swid_2009", tests, NULL, NULL);
}
