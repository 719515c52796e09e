#include "swid/swid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* SWIMA-R8, R90 */
static void identifiers_are_built_as_the_field_builds_them(void **state)
{
    (void)state;
    static const struct {
        const char *os, *os_version, *machine, *package, *version, *id;
    } rows[] = {
        {"Debian", "12", "x86_64", "libc6", "2.36-9+deb12u14", "strongswan.org__Debian_12-x86_64-libc6-2.36-9~deb12u14"},
        {"Ubuntu", "20.04", "x86_64", "libstdc++6", "10.2.0-5ubuntu1~20.04", "strongswan.org__Ubuntu_20.04-x86_64-libstdc~~6-10.2.0-5ubuntu1~20.04"},
        {"Ubuntu", "20.04", "x86_64", "zlib1g", "1:1.2.11.dfsg-2ubuntu1.3", "strongswan.org__Ubuntu_20.04-x86_64-zlib1g-1~1.2.11.dfsg-2ubuntu1.3"},
        {"Debian", "12", "x86_64", "foo", "1:2.0+dfsg-1~bpo12+1", "strongswan.org__Debian_12-x86_64-foo-1~2.0~dfsg-1~bpo12~1"},
        {"Arch", "", "x86_64", "a b", ":/?#[]@!$&'()*+,;=%\"<", "strongswan.org__Arch-x86_64-a b-~~~~~~~~~~~~~~~~~~%\"<"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct wr w = wr_of(0);
        struct swid_product p = {bytes_of(rows[i].os), bytes_of(rows[i].os_version), bytes_of(rows[i].machine)};
        swid_software_id(&w, &swid_default_creator, &p, bytes_of(rows[i].package), bytes_of(rows[i].version));
        assert_string_equal(wr_string(&w), rows[i].id);
        wr_free(&w);
    }
}

static void identifiers_split_at_the_first_double_underscore(void **state)
{
    (void)state;
    struct bytes regid, tag;
    assert_true(swid_software_id_split(BYTES("a.org__x__y"), &regid, &tag));
    assert_true(bytes_equal(regid, BYTES("a.org")) && bytes_equal(tag, BYTES("x__y")));
    assert_false(swid_software_id_split(BYTES("a_b"), &regid, &tag));
    assert_false(swid_software_id_split(BYTES(""), &regid, &tag));
}

/* ---- tags ---- */

static const char bash[] =
    "<SoftwareIdentity xmlns=\"http://standards.iso.org/iso/19770/-2/2015/schema.xsd\""
    " xmlns:n8060=\"http://csrc.nist.gov/ns/swid/2015-extensions/1.0\""
    " name=\"bash\" xml:lang=\"en-US\" tagId=\"Ubuntu_20.04-x86_64-bash-5.0-6ubuntu1\""
    " version=\"5.0-6ubuntu1\" versionScheme=\"alphanumeric\">"
    "<Entity name=\"strongSwan Project\" regid=\"strongswan.org\" role=\"tagCreator\"/>"
    "<Meta product=\"Ubuntu 20.04 x86_64\"/></SoftwareIdentity>";

static struct swid_tag bash_tag(void)
{
    return (struct swid_tag){
        .regid = BYTES("strongswan.org"),
        .creator = BYTES("strongSwan Project"),
        .tag_id = BYTES("Ubuntu_20.04-x86_64-bash-5.0-6ubuntu1"),
        .name = BYTES("bash"),
        .version = BYTES("5.0-6ubuntu1"),
        .product = BYTES("Ubuntu 20.04 x86_64"),
    };
}

/* SWIMA-R85, R89, R113 */
static void the_pro_forma_tag_is_the_fields_own(void **state)
{
    (void)state;
    struct wr w = wr_of(0);
    struct swid_tag tag = bash_tag();
    swid_tag_write(&w, &tag);
    assert_string_equal(wr_string(&w), bash);
    wr_free(&w);
}

static void a_tag_survives_writing_and_reading(void **state)
{
    (void)state;
    struct wr w = wr_of(0);
    struct arena a = arena_of(1 << 20);
    struct error error = {""};
    struct swid_tag tag = bash_tag(), read;
    tag.package = BYTES("ba\"s<&>h'");
    tag.arch = BYTES("amd64");
    tag.source = BYTES("b\xc3\xa4sh");
    tag.source_version = BYTES("1:5.0+6~ubuntu1");
    tag.manager = BYTES("dpkg");
    swid_tag_write(&w, &tag);
    assert_int_equal(swid_tag_read(wr_view(&w), &a, &read, &error), SWID_OK);
    assert_true(bytes_equal(read.tag_id, tag.tag_id) && bytes_equal(read.regid, tag.regid));
    assert_true(bytes_equal(read.creator, tag.creator) && bytes_equal(read.product, tag.product));
    assert_true(bytes_equal(read.name, tag.name) && bytes_equal(read.version, tag.version));
    assert_true(bytes_equal(read.package, tag.package) && bytes_equal(read.arch, tag.arch));
    assert_true(bytes_equal(read.source, tag.source) && bytes_equal(read.source_version, tag.source_version));
    assert_true(bytes_equal(read.manager, tag.manager));
    assert_true(swid_tag_is_of(&read, BYTES("strongswan.org__Ubuntu_20.04-x86_64-bash-5.0-6ubuntu1")));
    assert_false(swid_tag_is_of(&read, BYTES("strongswan.org__Ubuntu_20.04-x86_64-bash-5.0-6ubuntu2")));
    assert_false(swid_tag_is_of(&read, BYTES("strongswan.net__Ubuntu_20.04-x86_64-bash-5.0-6ubuntu1")));
    arena_free(&a);
    wr_free(&w);
}

/* SWIMA-R78, R95: never a control character, a line end or octets that are no UTF-8. */
static void what_xml_cannot_hold_is_replaced(void **state)
{
    (void)state;
    static const struct {
        const char *name, *read;
    } rows[] = {
        {"a\nb\tc\x01", "a\xef\xbf\xbd" "b\xef\xbf\xbd" "c\xef\xbf\xbd"},
        {"\xff\xc3", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"x\xc2\x85y", "x\xef\xbf\xbd\xef\xbf\xbdy"},
        {"\xef\xbf\xbf!", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd!"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf0\x9f\x90\xa7", "\xf0\x9f\x90\xa7"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct wr w = wr_of(0);
        struct arena a = arena_of(1 << 20);
        struct error error = {""};
        struct swid_tag tag = bash_tag(), read;
        tag.name = bytes_of(rows[i].name);
        swid_tag_write(&w, &tag);
        assert_int_equal(swid_tag_read(wr_view(&w), &a, &read, &error), SWID_OK);
        assert_true(bytes_equal(read.name, bytes_of(rows[i].read)));
        arena_free(&a);
        wr_free(&w);
    }
}

static void tags_of_others_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *xml;
        enum swid_status status;
    } rows[] = {
        {bash, SWID_OK},
        {"<?xml version='1.0' encoding='UTF-8'?>\n<s:SoftwareIdentity xmlns:s='http://standards.iso.org/iso/19770/-2/2015/schema.xsd'"
         " tagId='t' name='n' other='x'><s:Entity role='aggregator' name='o' regid='o.org'/><s:Payload><s:File name='f'/></s:Payload>"
         "<s:Entity role='softwareCreator tagCreator' name='c' regid='c.org'/></s:SoftwareIdentity>", SWID_OK},
        {"", SWID_MALFORMED},
        {"<a", SWID_MALFORMED},
        {"<SoftwareIdentity tagId='t' name='n'/>", SWID_OTHER_MODEL},
        {"<software_identification_tag xmlns='http://standards.iso.org/iso/19770/-2/2009/schema.xsd'/>", SWID_OTHER_MODEL},
        {"<SoftwareIdentity xmlns='http://standards.iso.org/iso/19770/-2/2015/schema.xsd' name='n' tagId='t'/>", SWID_MALFORMED},
        {"<SoftwareIdentity xmlns='http://standards.iso.org/iso/19770/-2/2015/schema.xsd' name='n'>"
         "<Entity name='c' role='tagCreator'/></SoftwareIdentity>", SWID_MALFORMED},
        {"<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'>]><x>&a;</x>", SWID_MALFORMED},
        {"<!DOCTYPE x SYSTEM 'file:///etc/passwd'><x/>", SWID_MALFORMED},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena a = arena_of(1 << 20);
        struct error error = {""};
        struct swid_tag tag;
        assert_int_equal(swid_tag_read(bytes_of(rows[i].xml), &a, &tag, &error), rows[i].status);
        assert_int_equal(error.text[0] != 0, rows[i].status != SWID_OK);
        arena_free(&a);
    }
}

static void a_tag_is_bounded(void **state)
{
    (void)state;
    struct wr w = wr_of(0);
    struct arena a = arena_of(1 << 20);
    struct error error = {""};
    struct swid_tag tag;
    wr_str(&w, "<SoftwareIdentity xmlns='http://standards.iso.org/iso/19770/-2/2015/schema.xsd'>");
    for (int i = 0; i < 64; i++)
        wr_str(&w, "<x>");
    assert_int_equal(swid_tag_read(wr_view(&w), &a, &tag, &error), SWID_MALFORMED);
    assert_non_null(strstr(error.text, "nested"));
    wr_zero(&w, SWID_FULL_TAG_MAX);
    assert_int_equal(swid_tag_read(wr_view(&w), &a, &tag, &error), SWID_TOO_LARGE);
    wr_free(&w);
    struct arena small = arena_of(8);
    assert_int_equal(swid_tag_read(bytes_of(bash), &small, &tag, &error), SWID_NO_MEMORY);
    arena_free(&small);
    arena_free(&a);
}

static void a_product_is_read_back_from_an_identifier(void **state)
{
    (void)state;
    static const struct {
        const char *tag_id, *package, *version, *product;
    } rows[] = {
        {"Debian_12-x86_64-libstdc~~6-12.2.0-14~deb12u1", "libstdc++6", "12.2.0-14+deb12u1", "Debian 12 x86_64"},
        {"Opensuse-leap_15.5-x86_64-a-1", "a", "1", "Opensuse-leap 15.5 x86_64"},
        {"Arch-x86_64-a-1", "a", "1", "Arch x86_64"},
        {"Debian_12-x86_64-a-1", "b", "1", ""},
        {"-a-1", "a", "1", ""},
        {"", "a", "1", ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct wr w = wr_of(0);
        swid_put_product(&w, bytes_of(rows[i].tag_id), bytes_of(rows[i].package), bytes_of(rows[i].version));
        assert_string_equal(wr_string(&w), rows[i].product);
        wr_free(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identifiers_are_built_as_the_field_builds_them),
        cmocka_unit_test(identifiers_split_at_the_first_double_underscore),
        cmocka_unit_test(the_pro_forma_tag_is_the_fields_own),
        cmocka_unit_test(a_tag_survives_writing_and_reading),
        cmocka_unit_test(what_xml_cannot_hold_is_replaced),
        cmocka_unit_test(tags_of_others_are_read),
        cmocka_unit_test(a_tag_is_bounded),
        cmocka_unit_test(a_product_is_read_back_from_an_identifier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
