/* Every rule of the validator: a tag of each kind that breaks none, and for each rule one that breaks it. */
#include "swid/swid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ROOT                                                                                                           \
    "<SoftwareIdentity xmlns='http://standards.iso.org/iso/19770/-2/2015/schema.xsd'"                                  \
    " xmlns:n='http://csrc.nist.gov/ns/swid/2015-extensions/1.0' xmlns:h='http://www.w3.org/2001/04/xmlenc#sha256'"    \
    " xmlns:m='http://www.w3.org/2001/04/xmldsig-more#md5' xmlns:s='http://www.w3.org/2000/09/xmldsig#sha1'"           \
    " xmlns:t='http://www.w3.org/2001/04/xmldsig-more#sha224' xmlns:r='http://www.w3.org/2001/04/xmlenc#ripemd160'"
#define IDENTITY " xml:lang='en' name='n' tagId='t' version='1' versionScheme='semver'"
#define AUTHOR   "<Entity name='a' regid='a.org' role='tagCreator softwareCreator'/>"
#define OTHERS                                                                                                         \
    "<Entity name='b' regid='b.org' role='tagCreator'/><Entity name='a' regid='a.org' role='softwareCreator'/>"
#define META   "<Meta product='p' colloquialVersion='1' revision='1' edition='e'/>"
#define AROUND " n:pathSeparator='/' n:envVarPrefix='$' n:envVarSuffix='}'"
#define HEX    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SHA    " h:hash='" HEX "'"
#define FILES                                                                                                          \
    "<File name='f' size='1' version='1'" SHA "/><Directory name='d'><File name='g' n:mutable='true'" SHA              \
    "/></Directory>"
#define PAYLOAD  "<Payload" AROUND ">" FILES "</Payload>"
#define EVIDENCE "<Evidence" AROUND " date='2024-01-02T03:04:05Z' deviceId='d'>" FILES "</Evidence>"
#define PATCHED  "<Payload" AROUND "><File name='f' size='1' version='1' n:patchEvent='add'" SHA "/></Payload>"
#define TO_TAG   "<Link rel='supplemental' href='swid:t_1.%20X'/>"
#define END      "</SoftwareIdentity>"

/* NIST's rules that the type of a tag is told by: they hold for whatever is told so. */
static const char *const told_by_type[] = {"COR-1-1", "COR-1-2", "COR-1-3", "PRI-1-1", "PRI-1-2",
                                           "PRI-1-3", "PAT-1-2", "SUP-1-2", "SUP-1-3", "GEN-8-1"};

static const char *const good[] = {
    ROOT IDENTITY ">" AUTHOR META PAYLOAD END,
    ROOT IDENTITY ">" OTHERS META EVIDENCE END,
    ROOT IDENTITY " corpus='true'>" AUTHOR PAYLOAD END,
    ROOT IDENTITY " corpus='true'>" OTHERS PAYLOAD END,
    ROOT IDENTITY " patch='true'>" AUTHOR "<Link rel='patches' href='swid:t'/>" PATCHED END,
    ROOT IDENTITY " patch='true'>" OTHERS EVIDENCE END,
    ROOT IDENTITY " supplemental='1'>" AUTHOR TO_TAG END,
    ROOT IDENTITY " supplemental='1'>" OTHERS TO_TAG EVIDENCE END,
};

static const struct {
    const char *number, *place, *detail, *xml;
} bad[] = {
    {"ISO-1", "/SoftwareIdentity", "tagId", ROOT " xml:lang='en' name='n'>" AUTHOR META PAYLOAD END},
    {"ISO-1", "/SoftwareIdentity/Entity[2]", "role", ROOT IDENTITY ">" AUTHOR "<Entity name='x' regid='x'/>" END},
    {"ISO-1", "/SoftwareIdentity/Payload[1]/Directory[1]/File[2]", "name",
     ROOT IDENTITY ">" AUTHOR
                   "<Payload><File name='x'/><Directory name='d'><File name='x'/><File/></Directory></Payload>" END},
    {"ISO-2", "/SoftwareIdentity", "corpus", ROOT IDENTITY " corpus='yes'>" AUTHOR END},
    {"ISO-2", "/SoftwareIdentity", "tagVersion", ROOT IDENTITY " tagVersion='1.0'>" AUTHOR END},
    {"ISO-2", "/SoftwareIdentity/Link[1]", "ownership",
     ROOT IDENTITY ">" AUTHOR "<Link rel='x' href='h' ownership='mine'/>" END},
    {"ISO-2", "/SoftwareIdentity/Link[1]", "rel", ROOT IDENTITY ">" AUTHOR "<Link rel='x y' href='h'/>" END},
    {"ISO-2", "/SoftwareIdentity/Link[1]", "use", ROOT IDENTITY ">" AUTHOR "<Link rel='x' href='h' use='3'/>" END},
    {"ISO-2", "/SoftwareIdentity/Entity[1]", "role", ROOT IDENTITY "><Entity name='x' role=' '/>" END},
    {"ISO-2", "/SoftwareIdentity/Evidence[1]", "date", ROOT IDENTITY ">" OTHERS "<Evidence date='today'/>" END},
    {"ISO-2", "/SoftwareIdentity/Payload[1]/File[1]", "SHA256:hash",
     ROOT IDENTITY ">" AUTHOR "<Payload><File name='x' h:hash='xyz'/></Payload>" END},
    {"ISO-3", "/SoftwareIdentity", "Nonsense in SoftwareIdentity", ROOT IDENTITY ">" AUTHOR "<Nonsense/>" END},
    {"ISO-3", "/SoftwareIdentity", "nonsense in Entity",
     ROOT IDENTITY "><Entity nonsense='x' name='n' role='tagCreator'/>" END},
    {"ISO-3", "/SoftwareIdentity", "File in SoftwareIdentity", ROOT IDENTITY ">" AUTHOR "<File name='f'/>" END},
    {"ISO-4", "/SoftwareIdentity", "", ROOT IDENTITY "/>"},
    {"ISO-5", "/SoftwareIdentity", "", ROOT IDENTITY ">" AUTHOR PAYLOAD PAYLOAD END},
    {"ISO-6", "/SoftwareIdentity", "", ROOT IDENTITY ">" AUTHOR EVIDENCE EVIDENCE END},
    {"SV-3a", "/SoftwareIdentity", "name", ROOT " name=''>" AUTHOR END},
    {"SV-3b", "/SoftwareIdentity", "tagId", ROOT " tagId=''>" AUTHOR END},
    {"SV-5", "/SoftwareIdentity", "supplemental", ROOT IDENTITY " patch='true' supplemental='true'>" AUTHOR END},
    {"SV-6", "/SoftwareIdentity/Payload[1]/File[1]", "size",
     ROOT IDENTITY ">" AUTHOR "<Payload><File name='x' size='-1'/></Payload>" END},
    {"SV-7", "/SoftwareIdentity/Payload[1]/File[1]", "SHA256:hash",
     ROOT IDENTITY ">" AUTHOR "<Payload><File name='x' h:hash='00'/></Payload>" END},
    {"SWID-1-1", "/SoftwareIdentity", "", ROOT IDENTITY "><Entity name='a' regid='a' role='softwareCreator'/>" END},
    {"SWID-2-1", "/SoftwareIdentity/Entity[1]", "regid",
     ROOT IDENTITY ">" OTHERS "<Entity name='x' regid='x' role='tagCreator'/>" END},
    {"GEN-2-1", "/SoftwareIdentity", "xml:lang", ROOT " name='n' tagId='t'>" AUTHOR END},
    {"GEN-2-2", "/SoftwareIdentity", "xml:lang", ROOT " xml:lang='' name='n' tagId='t'>" AUTHOR END},
    {"GEN-4-1", "/SoftwareIdentity/Entity[2]", "regid",
     ROOT IDENTITY ">" AUTHOR "<Entity name='x' role='licensor'/>" END},
    {"GEN-4-2", "/SoftwareIdentity/Entity[2]", "regid",
     ROOT IDENTITY ">" AUTHOR "<Entity name='x' regid='' role='licensor'/>" END},
    {"GEN-4-3", "/SoftwareIdentity/Entity[2]", "regid",
     ROOT IDENTITY ">" AUTHOR "<Entity name='x' regid='http://invalid.unavailable' role='licensor'/>" END},
    {"GEN-5-1", "/SoftwareIdentity/Entity[1]", "regid", ROOT IDENTITY "><Entity name='x' role='tagCreator'/>" END},
    {"GEN-5-2", "/SoftwareIdentity/Entity[1]", "regid",
     ROOT IDENTITY "><Entity name='x' regid='' role='tagCreator'/>" END},
    {"GEN-5-3", "/SoftwareIdentity/Entity[1]", "regid",
     ROOT IDENTITY "><Entity name='x' regid='http://invalid.unavailable' role='tagCreator'/>" END},
    {"GEN-6-1", "/SoftwareIdentity/Entity[3]", "regid",
     ROOT IDENTITY ">" OTHERS "<Entity name='x' role='licensor'/>" END},
    {"GEN-6-2", "/SoftwareIdentity/Entity[3]", "regid",
     ROOT IDENTITY ">" OTHERS "<Entity name='x' regid='' role='licensor'/>" END},
    {"GEN-6-3", "/SoftwareIdentity/Entity[3]", "regid",
     ROOT IDENTITY ">" OTHERS "<Entity name='x' regid='http://invalid.unavailable' role='licensor'/>" END},
    {"GEN-7-1", "/SoftwareIdentity/Entity[2]", "role",
     ROOT IDENTITY ">" AUTHOR "<Entity name='x' regid='a.org' role='licensor'/>" END},
    {"GEN-9-1", "/SoftwareIdentity", "",
     ROOT IDENTITY "><Entity name='a' regid='a.org' role='tagCreator distributor'/>" END},
    {"GEN-10-1", "/SoftwareIdentity", "", ROOT IDENTITY "><Entity name='a' regid='a.org' role='tagCreator'/>" END},
    {"GEN-11-1", "/SoftwareIdentity/Link[1]", "href",
     ROOT IDENTITY ">" AUTHOR "<Link rel='parent' href='swid:a b'/>" END},
    {"GEN-14-1", "/SoftwareIdentity/Payload[1]/File[1]", "size",
     ROOT IDENTITY ">" AUTHOR "<Payload><File name='x'/></Payload>" END},
    {"GEN-14-2", "/SoftwareIdentity/Payload[1]/File[1]", "size",
     ROOT IDENTITY ">" AUTHOR "<Payload><File name='x' size=''/></Payload>" END},
    {"GEN-15-1", "/SoftwareIdentity/Payload[1]/File[1]", "version",
     ROOT IDENTITY ">" AUTHOR "<Payload><File name='x'/></Payload>" END},
    {"GEN-15-2", "/SoftwareIdentity/Payload[1]/File[1]", "version",
     ROOT IDENTITY ">" AUTHOR "<Payload><File name='x' version=''/></Payload>" END},
    {"GEN-16-1", "/SoftwareIdentity/Payload[1]/File[1]", "",
     ROOT IDENTITY ">" AUTHOR "<Payload><File name='x'/></Payload>" END},
    {"GEN-17-1", "/SoftwareIdentity/Evidence[1]/File[1]", "",
     ROOT IDENTITY ">" OTHERS "<Evidence><File name='x'/></Evidence>" END},
    {"GEN-18-1", "/SoftwareIdentity/Payload[1]/File[1]", "MD5:hash",
     ROOT IDENTITY ">" AUTHOR "<Payload><File name='x' m:hash='00'/></Payload>" END},
    {"GEN-18-2", "/SoftwareIdentity/Payload[1]/File[1]", "SHA1:hash",
     ROOT IDENTITY ">" AUTHOR "<Payload><File name='x' s:hash='00'/></Payload>" END},
    {"GEN-18-3", "/SoftwareIdentity/Payload[1]/File[1]", "SHA224:hash",
     ROOT IDENTITY ">" AUTHOR "<Payload><File name='x' t:hash='00'/></Payload>" END},
    {"GEN-18-4", "/SoftwareIdentity/Payload[1]/File[1]", "RIPEMD160:hash",
     ROOT IDENTITY ">" AUTHOR "<Payload><File name='x' r:hash='00'/></Payload>" END},
    {"GEN-19-1", "/SoftwareIdentity/Payload[1]/File[1]", "SHA256:hash",
     ROOT IDENTITY ">" AUTHOR "<Payload><File name='x' m:hash='00'/></Payload>" END},
    {"GEN-19-2", "/SoftwareIdentity/Payload[1]/File[1]", "SHA256:hash",
     ROOT IDENTITY ">" AUTHOR "<Payload><File name='x' h:hash='00'/></Payload>" END},
    {"GEN-20-1", "/SoftwareIdentity/Evidence[1]/File[1]", "SHA256:hash",
     ROOT IDENTITY ">" OTHERS "<Evidence><File name='x' m:hash='00'/></Evidence>" END},
    {"GEN-22-1", "/SoftwareIdentity/Payload[1]", "n8060:pathSeparator", ROOT IDENTITY ">" AUTHOR "<Payload/>" END},
    {"GEN-22-2", "/SoftwareIdentity/Payload[1]", "n8060:pathSeparator",
     ROOT IDENTITY ">" AUTHOR "<Payload n:pathSeparator=''/>" END},
    {"GEN-23-1", "/SoftwareIdentity/Evidence[1]", "n8060:envVarPrefix", ROOT IDENTITY ">" AUTHOR "<Evidence/>" END},
    {"GEN-23-2", "/SoftwareIdentity/Evidence[1]", "n8060:envVarPrefix",
     ROOT IDENTITY ">" AUTHOR "<Evidence n:envVarPrefix=''/>" END},
    {"GEN-24-1", "/SoftwareIdentity/Payload[1]", "n8060:envVarSuffix", ROOT IDENTITY ">" AUTHOR "<Payload/>" END},
    {"GEN-24-2", "/SoftwareIdentity/Payload[1]", "n8060:envVarSuffix",
     ROOT IDENTITY ">" AUTHOR "<Payload n:envVarSuffix=''/>" END},
    {"COR-2-1", "/SoftwareIdentity", "version", ROOT " corpus='true'>" AUTHOR END},
    {"COR-2-2", "/SoftwareIdentity", "version", ROOT " corpus='true' version=''>" AUTHOR END},
    {"COR-3-1", "/SoftwareIdentity", "versionScheme", ROOT " corpus='true' version='1'>" AUTHOR END},
    {"COR-3-2", "/SoftwareIdentity", "versionScheme", ROOT " corpus='true' version='1' versionScheme=''>" AUTHOR END},
    {"COR-4-1", "/SoftwareIdentity", "", ROOT " corpus='true'>" AUTHOR END},
    {"COR-4-2", "/SoftwareIdentity", "", ROOT " corpus='true'>" AUTHOR EVIDENCE END},
    {"PRI-2-1", "/SoftwareIdentity", "version", ROOT ">" AUTHOR END},
    {"PRI-2-2", "/SoftwareIdentity", "version", ROOT " version=''>" AUTHOR END},
    {"PRI-3-1", "/SoftwareIdentity", "versionScheme", ROOT " version='1'>" AUTHOR END},
    {"PRI-3-2", "/SoftwareIdentity", "versionScheme", ROOT " versionScheme=''>" AUTHOR END},
    {"PRI-4-1", "/SoftwareIdentity", "version", ROOT ">" OTHERS END},
    {"PRI-4-2", "/SoftwareIdentity", "version", ROOT " version=''>" OTHERS END},
    {"PRI-5-1", "/SoftwareIdentity", "versionScheme", ROOT " version='1'>" OTHERS END},
    {"PRI-5-2", "/SoftwareIdentity", "versionScheme", ROOT " versionScheme=''>" OTHERS END},
    {"PRI-6-1", "/SoftwareIdentity", "", ROOT IDENTITY ">" AUTHOR META END},
    {"PRI-6-2", "/SoftwareIdentity", "", ROOT IDENTITY ">" AUTHOR META EVIDENCE END},
    {"PRI-7-1", "/SoftwareIdentity", "", ROOT IDENTITY ">" OTHERS META END},
    {"PRI-7-2", "/SoftwareIdentity", "", ROOT IDENTITY ">" OTHERS META PAYLOAD END},
    {"PRI-8-1", "/SoftwareIdentity/Payload[1]", "",
     ROOT IDENTITY ">" AUTHOR "<Payload><Directory name='d'/></Payload>" END},
    {"PRI-13-1", "/SoftwareIdentity", "", ROOT IDENTITY ">" AUTHOR PAYLOAD END},
    {"PRI-13-2", "/SoftwareIdentity/Meta[1]", "product", ROOT IDENTITY ">" AUTHOR "<Meta/>" END},
    {"PRI-13-3", "/SoftwareIdentity/Meta[1]", "colloquialVersion", ROOT IDENTITY ">" AUTHOR "<Meta/>" END},
    {"PRI-13-4", "/SoftwareIdentity/Meta[1]", "revision", ROOT IDENTITY ">" AUTHOR "<Meta/>" END},
    {"PRI-13-5", "/SoftwareIdentity/Meta[1]", "edition", ROOT IDENTITY ">" AUTHOR "<Meta/>" END},
    {"PAT-1-1", "/SoftwareIdentity", "corpus", ROOT IDENTITY " patch='true' corpus='true'>" AUTHOR END},
    {"PAT-1-3", "/SoftwareIdentity", "supplemental", ROOT IDENTITY " patch='true' supplemental='true'>" AUTHOR END},
    {"PAT-3-1", "/SoftwareIdentity/Payload[1]/File[1]", "n8060:patchEvent",
     ROOT IDENTITY " patch='true'>" AUTHOR PAYLOAD END},
    {"PAT-4-1", "/SoftwareIdentity/Evidence[1]", "",
     ROOT IDENTITY " patch='true'>" OTHERS "<Evidence><Directory name='d'><File name='f'/></Directory></Evidence>" END},
    {"SUP-1-1", "/SoftwareIdentity", "corpus", ROOT IDENTITY " supplemental='true' corpus='true'>" AUTHOR TO_TAG END},
    {"SUP-2-1", "/SoftwareIdentity", "",
     ROOT IDENTITY " supplemental='true'>" AUTHOR "<Link rel='parent' href='swid:t'/>" END},
    {"SUP-2-2", "/SoftwareIdentity/Link[1]", "href",
     ROOT IDENTITY " supplemental='true'>" AUTHOR "<Link rel='supplemental' href='http://t'/>" END},
};

static void note(void *context, const struct swid_rule *rule, const char *place, const char *detail)
{
    wr_fmt(context, "%s %s %s\n", rule->number, place, detail);
}

static void good_tags_break_no_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        struct wr found = wr_of(0), cbor = wr_of(0);
        struct error error = {""};
        assert_int_equal(swid_validate(bytes_of(good[i]), note, &found, &error), SWID_OK);
        struct swid_coswid *c = swid_coswid_new(&cbor, 0, true); /* nor does the same in CoSWID */
        assert_non_null(c);
        assert_int_equal(swid_read(bytes_of(good[i]), swid_coswid_sink(c), &error), SWID_OK);
        swid_coswid_free(c);
        assert_int_equal(swid_validate(wr_view(&cbor), note, &found, &error), SWID_OK);
        if (found.n)
            fail_msg("%s\n%s", good[i], wr_string(&found));
        wr_free(&found), wr_free(&cbor);
    }
}

static void a_bad_tag_breaks_its_rule_where_it_is_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct wr found = wr_of(0), wanted = wr_of(0);
        struct error error = {""};
        wr_fmt(&wanted, "%s %s %s\n", bad[i].number, bad[i].place, bad[i].detail);
        assert_int_equal(swid_validate(bytes_of(bad[i].xml), note, &found, &error), SWID_OK);
        if (!strstr(wr_string(&found), wr_string(&wanted)))
            fail_msg("%s: not %s but\n%s", bad[i].xml, wr_string(&wanted), wr_string(&found));
        wr_free(&found), wr_free(&wanted);
    }
}

static bool has_a_bad_tag(const char *number)
{
    for (size_t i = 0; i < ARRAY_LENGTH(told_by_type); i++)
        if (strcmp(told_by_type[i], number) == 0)
            return true;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        if (strcmp(bad[i].number, number) == 0)
            return true;
    return false;
}

static void no_rule_is_untried(void **state)
{
    (void)state;
    size_t i = 0;
    for (; swid_rules(i); i++)
        if (!has_a_bad_tag(swid_rules(i)->number))
            fail_msg("no tag breaks %s", swid_rules(i)->number);
    assert_true(i > 80);
}

static void all_violations_are_told(void **state)
{
    (void)state;
    struct wr found = wr_of(0);
    struct error error = {""};
    assert_int_equal(swid_validate(BYTES(ROOT " tagVersion='x' corpus='y'/>"), note, &found, &error), SWID_OK);
    assert_string_equal(
        wr_string(&found),
        "ISO-1 /SoftwareIdentity name\nISO-1 /SoftwareIdentity tagId\nISO-2 /SoftwareIdentity tagVersion\n"
        "ISO-2 /SoftwareIdentity corpus\nISO-4 /SoftwareIdentity \nSWID-1-1 /SoftwareIdentity \n"
        "GEN-2-1 /SoftwareIdentity xml:lang\nGEN-2-2 /SoftwareIdentity xml:lang\nGEN-10-1 /SoftwareIdentity \n"
        "PRI-4-1 /SoftwareIdentity version\nPRI-7-1 /SoftwareIdentity \nPRI-13-1 /SoftwareIdentity \n");
    wr_reset(&found);
    assert_int_equal(swid_validate(BYTES("<a/>"), note, &found, &error), SWID_OTHER_MODEL);
    assert_int_equal(swid_validate(BYTES("<a"), note, &found, &error), SWID_MALFORMED);
    assert_int_equal(swid_validate(BYTES(""), note, &found, &error), SWID_MALFORMED);
    for (unsigned i = 0; i < 300; i++)
        wr_str(&found, i ? "<Entity/>" : ROOT ">");
    wr_str(&found, END);
    struct wr none = wr_of(0);
    assert_int_equal(swid_validate(wr_view(&found), note, &none, &error), SWID_TOO_LARGE);
    wr_free(&found), wr_free(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_tags_break_no_rule),
        cmocka_unit_test(a_bad_tag_breaks_its_rule_where_it_is_bad),
        cmocka_unit_test(no_rule_is_untried),
        cmocka_unit_test(all_violations_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
