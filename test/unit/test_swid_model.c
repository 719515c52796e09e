/* Whole tags: layouts, odd names, CoSWID, conversions, hostile input. */
#include "swid/swid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD                                                                                                           \
    " xmlns=\"http://standards.iso.org/iso/19770/-2/2015/schema.xsd\""                                                 \
    " xmlns:n8060=\"http://csrc.nist.gov/ns/swid/2015-extensions/1.0\""
#define SHA256 " xmlns:SHA256=\"http://www.w3.org/2001/04/xmlenc#sha256\""
#define DIGEST "27d7ebd402e1b9a20fd3a0663ccc10e1b1feff2d9dfb1ad7dd12bb76cfe0880a"

static const uint8_t digest[64] = {0x27, 0xd7, 0xeb, 0xd4, 0x02, 0xe1, 0xb9, 0xa2, 0x0f, 0xd3, 0xa0,
                                   0x66, 0x3c, 0xcc, 0x10, 0xe1, 0xb1, 0xfe, 0xff, 0x2d, 0x9d, 0xfb,
                                   0x1a, 0xd7, 0xdd, 0x12, 0xbb, 0x76, 0xcf, 0xe0, 0x88, 0x0a};

static void open_tag(struct swid_sink *s)
{
    s->open(s, &(struct swid_node){SWID_IDENTITY,
                                   {[SWID_NAME] = BYTES("time"),
                                    [SWID_LANG] = BYTES("en-US"),
                                    [SWID_TAG_ID] = BYTES("Debian_12-x86_64-time-1.9-0.2"),
                                    [SWID_VERSION] = BYTES("1.9-0.2"),
                                    [SWID_VERSION_SCHEME] = BYTES("alphanumeric")}});
    swid_leaf(s, &(struct swid_node){SWID_ENTITY,
                                     {[SWID_NAME] = BYTES("strongSwan Project"),
                                      [SWID_REGID] = BYTES("strongswan.org"),
                                      [SWID_ROLE] = BYTES("tagCreator")}});
    swid_leaf(s, &(struct swid_node){SWID_META, {[SWID_PRODUCT] = BYTES("Debian 12 x86_64")}});
}

static void put_files(struct swid_sink *s, bool hierarchic)
{
    struct swid_files f;
    swid_files_begin(&f, s, hierarchic, &(struct swid_node){SWID_PAYLOAD});
    swid_files_put(&f, &(struct swid_file){.path = BYTES("/vmlinuz"), .size = 0, .sized = true});
    swid_files_put(
        &f, &(struct swid_file){
                .path = BYTES("/etc/time.conf"), .size = 34, .sized = true, .mutable = true, .sha256 = {digest, 32}});
    swid_files_put(
        &f, &(struct swid_file){
                .path = BYTES("/usr/share/doc/time/README"), .size = 650, .sized = true, .sha256 = {digest, 32}});
    swid_files_put(&f, &(struct swid_file){.path = BYTES("/usr/share/man"), .sha256 = {digest, 32}});
    swid_files_end(&f);
}

static void written(struct wr *w, enum swid_layout layout, int files, bool schema_location)
{
    struct swid_xml x = swid_xml_of(w, layout);
    x.hashes = files >= 0 ? SWID_HASH_SHA256 : 0;
    x.schema_location = schema_location;
    open_tag(&x.sink);
    if (files >= 0)
        put_files(&x.sink, files);
    x.sink.close(&x.sink, SWID_IDENTITY);
    assert_int_equal(x.sink.failed, SWID_OK);
}

#define IDENTITY                                                                                                       \
    " name=\"time\" xml:lang=\"en-US\" tagId=\"Debian_12-x86_64-time-1.9-0.2\" version=\"1.9-0.2\" "                   \
    "versionScheme=\"alphanumeric\">"

/* Attributes, order and layout are swidGenerator's. */
static void tags_are_laid_out_as_the_field_lays_them_out(void **state)
{
    (void)state;
    static const struct {
        enum swid_layout layout;
        int files; /* -1: none; 0: flat; 1: hierarchic */
        bool schema_location;
        const char *xml;
    } rows[] = {
        {SWID_LINE, -1, false,
         "<?xml version=\"1.0\" encoding=\"utf-8\"?><SoftwareIdentity" HEAD IDENTITY
         "<Entity name=\"strongSwan Project\" regid=\"strongswan.org\" role=\"tagCreator\" />"
         "<Meta product=\"Debian 12 x86_64\" /></SoftwareIdentity>"},
        {SWID_RECORD, 0, false,
         "<SoftwareIdentity" HEAD SHA256 IDENTITY
         "<Entity name=\"strongSwan Project\" regid=\"strongswan.org\" role=\"tagCreator\"/>"
         "<Meta product=\"Debian 12 x86_64\"/><Payload n8060:pathSeparator=\"/\" n8060:envVarPrefix=\"$\" "
         "n8060:envVarSuffix=\"\">"
         "<File root=\"/\" name=\"vmlinuz\" size=\"0\"/>"
         "<Directory root=\"/\" name=\"etc\"><File name=\"time.conf\" n8060:mutable=\"true\" size=\"34\" "
         "SHA256:hash=\"" DIGEST "\"/></Directory>"
         "<Directory root=\"/usr/share/doc\" name=\"time\"><File name=\"README\" size=\"650\" SHA256:hash=\"" DIGEST
         "\"/></Directory>"
         "<Directory root=\"/usr\" name=\"share\"><File name=\"man\" SHA256:hash=\"" DIGEST
         "\"/></Directory></Payload></SoftwareIdentity>"},
        {SWID_PRETTY, 1, false,
         "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<SoftwareIdentity" HEAD SHA256 IDENTITY "\n"
         "  <Entity name=\"strongSwan Project\" regid=\"strongswan.org\" role=\"tagCreator\"/>\n"
         "  <Meta product=\"Debian 12 x86_64\"/>\n"
         "  <Payload n8060:pathSeparator=\"/\" n8060:envVarPrefix=\"$\" n8060:envVarSuffix=\"\">\n"
         "    <File root=\"/\" name=\"vmlinuz\" size=\"0\"/>\n"
         "    <Directory root=\"/\" name=\"etc\">\n"
         "      <File name=\"time.conf\" n8060:mutable=\"true\" size=\"34\" SHA256:hash=\"" DIGEST "\"/>\n"
         "    </Directory>\n"
         "    <Directory root=\"/\" name=\"usr\">\n"
         "      <Directory name=\"share\">\n"
         "        <Directory name=\"doc\">\n"
         "          <Directory name=\"time\">\n"
         "            <File name=\"README\" size=\"650\" SHA256:hash=\"" DIGEST "\"/>\n"
         "          </Directory>\n"
         "        </Directory>\n"
         "        <File name=\"man\" SHA256:hash=\"" DIGEST "\"/>\n"
         "      </Directory>\n"
         "    </Directory>\n"
         "  </Payload>\n"
         "</SoftwareIdentity>\n"},
        {SWID_RECORD, -1, true,
         "<SoftwareIdentity" HEAD " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\""
         "http://standards.iso.org/iso/19770/-2/2015/schema.xsd "
         "http://standards.iso.org/iso/19770/-2/2015-current/schema.xsd"
         " http://csrc.nist.gov/ns/swid/2015-extensions/1.0"
         " http://csrc.nist.gov/schema/swid/2015-extensions/swid-2015-extensions-1.0.xsd\"" IDENTITY
         "<Entity name=\"strongSwan Project\" regid=\"strongswan.org\" role=\"tagCreator\"/><Meta product=\"Debian 12 "
         "x86_64\"/></SoftwareIdentity>"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct wr w = wr_of(0);
        written(&w, rows[i].layout, rows[i].files, rows[i].schema_location);
        assert_string_equal(wr_string(&w), rows[i].xml);
        wr_free(&w);
    }
}

static void paths_are_sorted_by_their_components(void **state)
{
    (void)state;
    static const char *const flat[] = {"/z", "/a/z", "/a/b/a", "/a/b-c/a", "/b/a"};
    static const char *const hierarchic[] = {"/z", "/a/b/a", "/a/b/c/d", "/a/b-c/a", "/a/z", "/b/a"};
    for (size_t i = 0; i < ARRAY_LENGTH(flat); i++)
        for (size_t k = 0; k < ARRAY_LENGTH(flat); k++)
            assert_int_equal((swid_path_compare(bytes_of(flat[i]), bytes_of(flat[k]), false) > 0) - (i > k), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(hierarchic); i++)
        for (size_t k = 0; k < ARRAY_LENGTH(hierarchic); k++)
            assert_int_equal((swid_path_compare(bytes_of(hierarchic[i]), bytes_of(hierarchic[k]), true) > 0) - (i > k),
                             0);
}

/* ---- conversions ---- */

enum form { XML_LINE, XML_PRETTY, XML_RECORD, COSWID };

/* Reads `in` and writes it again in another form. */
static enum swid_status convert(struct bytes in, enum form form, struct wr *out, struct error *error)
{
    wr_reset(out);
    if (form != COSWID) {
        struct swid_xml x = swid_xml_of(out, (enum swid_layout)form);
        return swid_read(in, &x.sink, error);
    }
    struct swid_coswid *c = swid_coswid_new(out, 0, true);
    assert_non_null(c);
    enum swid_status status = swid_read(in, swid_coswid_sink(c), error);
    swid_coswid_free(c);
    return status;
}

static struct wr converted(struct bytes in, enum form form)
{
    struct wr w = wr_of(0);
    struct error error = {""};
    enum swid_status status = convert(in, form, &w, &error);
    if (status != SWID_OK)
        print_error("%s\n", error.text);
    assert_int_equal(status, SWID_OK);
    assert_false(w.bad);
    return w;
}

static void assert_same(struct wr *a, struct wr *b)
{
    size_t at = 0;
    while (at < a->n && at < b->n && a->p[at] == b->p[at])
        at++;
    if (at < a->n || at < b->n) { /* where they part */
        size_t from = at > 60 ? at - 60 : 0;
        fail_msg("%.100s\n%.100s", wr_string(a) + from, wr_string(b) + from);
    }
}

/* Both ways and back: nothing is lost, and what is written twice is the same. */
static void assert_survives(struct bytes xml)
{
    struct wr first = converted(xml, XML_LINE), again = converted(wr_view(&first), XML_LINE);
    assert_same(&first, &again);
    struct wr cbor = converted(xml, COSWID), back = converted(wr_view(&cbor), XML_LINE),
              cbor_again = converted(wr_view(&back), COSWID);
    assert_same(&first, &back);
    assert_same(&cbor, &cbor_again);
    struct wr pretty = converted(wr_view(&cbor), XML_PRETTY), record = converted(wr_view(&pretty), XML_RECORD),
              line = converted(wr_view(&record), XML_LINE);
    if (!strstr(wr_string(&first), "&#")) /* a record has no line ends but in names */
        assert_same(&first, &line);
    wr_free(&first), wr_free(&again), wr_free(&cbor), wr_free(&back), wr_free(&cbor_again), wr_free(&pretty),
        wr_free(&record), wr_free(&line);
}

/* ---- the example of the CoSWID digest, which was made by another program ---- */

static struct bytes unhexed(const char *text, uint8_t *octets)
{
    size_t n = 0;
    unsigned octet;
    for (; text[2 * n]; n++) {
        assert_int_equal(sscanf(text + 2 * n, "%2x", &octet), 1);
        octets[n] = (uint8_t)octet;
    }
    return (struct bytes){octets, n};
}

static const char libc6[] = "da53574944a800782644656269616e5f31322d7838365f36342d6c696263362d322e33362d397e646562313275"
                            "313401656c6962633602a3181f6b"
                            "4578616d706c65204e454118206b6e65612e6578616d706c6518210105a118347044656269616e203132207838"
                            "365f363406a110a31818636574631819612f"
                            "181aa11181a3078201582027d7ebd402e1b9a20fd3a0663ccc10e1b1feff2d9dfb1ad7dd12bb76cfe0880a1418"
                            "2218186a6c642e736f2e636f6e660c00"
                            "0d6f322e33362d392b64656231327531340e03";

/* SWIMA-R92, CW-R1, R2, R8, R9 */
static void coswid_is_the_one_of_rfc_9393(void **state)
{
    (void)state;
    static const struct {
        const char *in, *xml, *out; /* out NULL: as it came in */
    } rows[] = {
        {"da53574944a500616101616102a2181f61451821010c000d6131",
         "<SoftwareIdentity" HEAD
         " name=\"a\" tagId=\"a\" version=\"1\"><Entity name=\"E\" role=\"tagCreator\"/></SoftwareIdentity>",
         NULL},
        /* a UUID, a negative tag version, a list of one entity, roles, semver; bare */
        {"a6005075b8c285fa7b485bb1994745e3004d0d0161780281a3181f6145182065652e6f726718218201020c200d63312e300e194000",
         "<SoftwareIdentity" HEAD
         " name=\"x\" tagId=\"urn:uuid:75b8c285-fa7b-485b-b199-4745e3004d0d\" version=\"1.0\" versionScheme=\"semver\""
         " tagVersion=\"-1\"><Entity name=\"E\" regid=\"e.org\" role=\"tagCreator "
         "softwareCreator\"/></SoftwareIdentity>",
         "da53574944a6005075b8c285fa7b485bb1994745e3004d0d01617802a3181f6145182065652e6f726718218201020c200d63312e300e1"
         "94000"},
        {libc6,
         "<SoftwareIdentity" HEAD
         " name=\"libc6\" tagId=\"Debian_12-x86_64-libc6-2.36-9~deb12u14\" version=\"2.36-9+deb12u14\""
         " versionScheme=\"alphanumeric\"><Entity name=\"Example NEA\" regid=\"nea.example\" role=\"tagCreator\"/>"
         "<Meta product=\"Debian 12 x86_64\"/><Payload><Directory root=\"/\" name=\"etc\"><File name=\"ld.so.conf\" "
         "size=\"34\"" SHA256 " SHA256:hash=\"" DIGEST "\"/></Directory></Payload></SoftwareIdentity>",
         /* its list of one file is bare (CW-R1) */
         "da53574944a800782644656269616e5f31322d7838365f36342d6c696263362d322e33362d397e646562313275313401656c696263360"
         "2a3181f6b"
         "4578616d706c65204e454118206b6e65612e6578616d706c6518210105a118347044656269616e203132207838365f363406a110a3181"
         "8636574631819612f"
         "181aa111a3078201582027d7ebd402e1b9a20fd3a0663ccc10e1b1feff2d9dfb1ad7dd12bb76cfe0880a14182218186a6c642e736f2e6"
         "36f6e660c00"
         "0d6f322e33362d392b64656231327531340e03"},
        /* open maps and lists, unknown keys and a float among them, text roles, a tagged URI, the old spelling */
        {"bf246162183af93c0000616101616102"
         "9fbf181f61451820d82065652e6f726718216b7461672d63726561746f72ffff"
         "0c000d6131ff",
         "<SoftwareIdentity" HEAD " name=\"a\" tagId=\"a\" version=\"1\"><Entity name=\"E\" regid=\"e.org\" "
         "role=\"tagCreator\"/></SoftwareIdentity>",
         "da53574944a500616101616102a3181f6145182065652e6f72671821010c000d6131"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        uint8_t in[512], out[512];
        struct bytes cbor = unhexed(rows[i].in, in);
        struct wr xml = converted(cbor, XML_RECORD), again = converted(wr_view(&xml), COSWID);
        assert_string_equal(wr_string(&xml), rows[i].xml);
        assert_true(bytes_equal(wr_view(&again), unhexed(rows[i].out ? rows[i].out : rows[i].in, out)));
        wr_free(&xml), wr_free(&again);
    }
}

/* SWIMA-R92 */
static void a_coswid_tells_its_software_identifier(void **state)
{
    (void)state;
    static const struct {
        const char *hex, *software_id;
    } rows[] = {
        {"a6005075b8c285fa7b485bb1994745e3004d0d0161780281a3181f6145182065652e6f726718218201020c200d63312e300e194000",
         "e.org__urn:uuid:75b8c285-fa7b-485b-b199-4745e3004d0d"},
        {libc6, "nea.example__Debian_12-x86_64-libc6-2.36-9~deb12u14"},
        {"da53574944a500616101616102a2181f61451821010c000d6131", "http://invalid.unavailable__a"},
        {"da53574944a500616101616102a2181f61451821020c000d6131", NULL}, /* no tag creator */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        uint8_t octets[512];
        struct arena a = arena_of(1 << 20);
        struct swid_tag tag;
        struct error error = {""};
        enum swid_status status = swid_tag_read_coswid(unhexed(rows[i].hex, octets), &a, &tag, &error);
        assert_int_equal(status, rows[i].software_id ? SWID_OK : SWID_MALFORMED);
        assert_true(!rows[i].software_id || swid_tag_is_of(&tag, bytes_of(rows[i].software_id)));
        arena_free(&a);
    }
}

/* ---- odd names ---- */

struct listed {
    struct wr text;
    size_t count;
    uint64_t size;
};
static void list(void *context, const struct swid_file *file)
{
    struct listed *l = context;
    wr_bytes(&l->text, file->path);
    wr_u8(&l->text, 0);
    l->count++;
    l->size += file->size;
}

static const char *const odd[] = {
    "/ a b /c d",
    "/a\nb/c\td\r",
    "/\xff\xfe/\xc3",
    "/<&>\"'/<!--",
    "/\x01\x02/\x7f\x1b[0m",
    "/%41/%",
    "/\xc2\x85/\xed\xa0\x80",
    "/\xef\xbf\xbd/\xef\xbf\xbf",
    "/\xf0\x9f\x90\xa7/\xc3\xa4",
    "/a/\xff%ff",
    "/\\/$(x)`",
    "relative/f\xff",
    "alone",
    "/root file",
};

/* Every name that Linux allows comes back octet by octet, whatever the form; valid XML and UTF-8 all the way. */
static void every_name_survives(void **state)
{
    (void)state;
    for (int hierarchic = 0; hierarchic < 2; hierarchic++)
        for (enum form form = XML_LINE; form <= COSWID; form++) {
            struct wr xml = wr_of(0), expected = wr_of(0);
            struct swid_xml x = swid_xml_of(&xml, form == COSWID ? SWID_LINE : (enum swid_layout)form);
            struct swid_files f;
            struct listed l = {.text = wr_of(0)};
            struct error error;
            open_tag(&x.sink);
            swid_files_begin(&f, &x.sink, hierarchic, &(struct swid_node){SWID_EVIDENCE});
            for (size_t i = 0; i < ARRAY_LENGTH(odd); i++) {
                swid_files_put(&f, &(struct swid_file){.path = bytes_of(odd[i]), .size = 1, .sized = true});
                wr_bytes(&expected, bytes_of(odd[i]));
                wr_u8(&expected, 0);
            }
            swid_files_end(&f);
            x.sink.close(&x.sink, SWID_IDENTITY);
            assert_true(utf8_valid(wr_view(&xml)));
            struct wr out = converted(wr_view(&xml), form);
            struct swid_lister lister = swid_lister_of(list, &l);
            if (form == COSWID) { /* its lists have another order: what matters is that each is there */
                struct wr back = converted(wr_view(&out), XML_LINE), cbor = converted(wr_view(&back), COSWID);
                assert_same(&out, &cbor);
                wr_free(&back), wr_free(&cbor);
            }
            assert_int_equal(swid_read(wr_view(&out), &lister.sink, &error), SWID_OK);
            assert_int_equal(l.count, ARRAY_LENGTH(odd));
            assert_int_equal(l.size, ARRAY_LENGTH(odd));
            if (form != COSWID)
                assert_same(&l.text, &expected);
            else
                for (size_t i = 0; i < ARRAY_LENGTH(odd); i++)
                    assert_non_null(memmem(l.text.p, l.text.n, odd[i], strlen(odd[i]) + 1));
            swid_lister_free(&lister);
            wr_free(&out), wr_free(&xml), wr_free(&expected), wr_free(&l.text);
        }
}

/* A name does not say one thing to us and another one to the rest of the world. */
static void a_twin_that_does_not_fit_is_dropped(void **state)
{
    (void)state;
    struct wr w =
        converted(BYTES("<SoftwareIdentity xmlns='http://standards.iso.org/iso/19770/-2/2015/schema.xsd' "
                        "xmlns:m='urn:muster:swid:1'>"
                        "<Payload><File name='passwd' m:name='shadow'/><File name='a\xef\xbf\xbd' m:name='a%ff'/>"
                        "<File name='b' m:name='b'/><File name='c' m:name='%'/><File name='d' "
                        "m:name='%6g'/></Payload></SoftwareIdentity>"),
                  XML_RECORD);
    assert_non_null(strstr(
        wr_string(&w), "<Payload><File name=\"passwd\"/><File name=\"a\xef\xbf\xbd\" xmlns:muster=\"urn:muster:swid:1\""
                       " muster:name=\"a%ff\"/><File name=\"b\"/><File name=\"c\"/><File name=\"d\"/></Payload>"));
    wr_free(&w);
}

static void a_path_does_not_climb_out(void **state)
{
    (void)state;
    static const struct {
        const char *files, *path; /* NULL: refused */
    } rows[] = {
        {"<File root='/a/..' name='b'/>", NULL},
        {"<Directory root='/' name='..'><File name='b'/></Directory>", NULL},
        {"<Directory root='/' name='a'><Directory name='x/../../y'><File name='b'/></Directory></Directory>", NULL},
        {"<Directory root='/' name='a'><File name='../b'/></Directory>", NULL},
        {"<Directory root='/usr//' name='/share/'><Directory name='./doc'><File name='b..'/></Directory></Directory>",
         "/usr/share/doc/b.."},
        {"<Directory root='/' name=''><File name='b'/></Directory>", "/b"},
        {"<File name='/etc/b'/>", "/etc/b"},
        {"<Directory name='a'><File name='b'/></Directory>", "a/b"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct wr xml = wr_of(0);
        struct listed l = {.text = wr_of(0)};
        struct error error;
        struct swid_lister lister = swid_lister_of(list, &l);
        wr_fmt(&xml,
               "<SoftwareIdentity "
               "xmlns='http://standards.iso.org/iso/19770/-2/2015/schema.xsd'><Payload>%s</Payload></SoftwareIdentity>",
               rows[i].files);
        assert_int_equal(swid_read(wr_view(&xml), &lister.sink, &error), rows[i].path ? SWID_OK : SWID_MALFORMED);
        assert_string_equal(l.text.n ? (const char *)l.text.p : "", rows[i].path ? rows[i].path : "");
        swid_lister_free(&lister);
        wr_free(&xml), wr_free(&l.text);
    }
}

/* ---- generated tags: XML -> CoSWID -> XML is the same, whether values fit their types or not ----------------------- */

static uint64_t seed;
static unsigned any(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

static struct bytes a_value(void)
{
    static const char *const values[] = {
        "",
        "a",
        "0",
        "1",
        "-7",
        "18446744073709551615",
        "18446744073709551616",
        "007",
        "true",
        "false",
        "yes",
        "alphanumeric",
        "semver",
        "3",
        "16384",
        "99",
        "-300",
        "tagCreator",
        "tagCreator maintainer",
        "tagCreator 77 own 3",
        "shared",
        "patches",
        "see-also",
        "required",
        "2024-01-02T03:04:05Z",
        "2024-01-02T03:04:05.5+02:00",
        "1969-12-31T23:59:59Z",
        "0000-00-00T00:00:00Z",
        "yesterday",
        "urn:uuid:75b8c285-fa7b-485b-b199-4745e3004d0d",
        "urn:uuid:75B8C285-fa7b-485b-b199-4745e3004d0d",
        DIGEST,
        "27D7",
        DIGEST DIGEST,
        "zz",
        "a b",
        "<&>\"'",
        "x\ny\tz",
        "\xff\x01",
        "b\xc3\xa4sh",
        "%ff",
    };
    return bytes_of(values[any(ARRAY_LENGTH(values))]);
}

static void a_leaf(struct swid_sink *s, enum swid_element element, bool open)
{
    struct swid_node node = {.element = element};
    char name[8];
    for (unsigned n = any(8); n > 0; n--) {
        unsigned i = any(SWID_EXACT_NAME);
        node.value[i] = a_value();
    }
    if (element == SWID_DIRECTORY || element == SWID_FILE) { /* in the order of names */
        static unsigned last;
        (void)snprintf(name, sizeof name, "%07u", ++last);
        node.value[SWID_NAME] = bytes_of(name);
        node.value[SWID_ROOT] = (struct bytes){NULL, 0};
    }
    s->open(s, &node);
    if (!open)
        s->close(s, element);
}

static void some(struct swid_sink *s, unsigned depth)
{
    for (unsigned n = any(5); n > 0; n--) {
        bool directory = any(2);
        a_leaf(s, directory ? SWID_DIRECTORY : SWID_FILE, directory);
        if (directory) {
            if (depth < 6)
                some(s, depth + 1);
            s->close(s, SWID_DIRECTORY);
        }
    }
}

static void generated_tags_survive(void **state)
{
    (void)state;
    for (seed = 0; seed < 400u << 20; seed = (seed & ~0xfffffu) + (1u << 20)) {
        uint64_t this = seed;
        struct wr w = wr_of(0);
        struct swid_xml x = swid_xml_of(&w, SWID_LINE);
        a_leaf(&x.sink, SWID_IDENTITY, true);
        for (enum swid_element e = SWID_ENTITY; e <= SWID_LINK; e++)
            for (unsigned n = any(3); n > 0; n--)
                a_leaf(&x.sink, e, false);
        enum swid_element collection = any(2) ? SWID_PAYLOAD : SWID_EVIDENCE;
        a_leaf(&x.sink, collection, true);
        some(&x.sink, 0);
        for (enum swid_element e = SWID_PROCESS; e <= SWID_RESOURCE; e++)
            for (unsigned n = any(3); n > 0; n--)
                a_leaf(&x.sink, e, false);
        x.sink.close(&x.sink, collection);
        x.sink.close(&x.sink, SWID_IDENTITY);
        assert_survives(wr_view(&w));
        wr_free(&w);
        seed = this;
    }
}

/* ---- many files, deep paths ---- */

static void many_files_need_no_memory(void **state)
{
    (void)state;
    struct wr w = wr_of(64 << 10), all = wr_of(0), cbor;
    struct swid_xml x = swid_xml_of(&w, SWID_LINE);
    struct swid_files f;
    struct listed l = {.text = wr_of(0)};
    struct error error;
    char path[64];
    x.hashes = SWID_HASH_SHA256;
    open_tag(&x.sink);
    swid_files_begin(&f, &x.sink, true, &(struct swid_node){SWID_PAYLOAD});
    for (unsigned i = 0; i < 20000; i++) {
        (void)snprintf(path, sizeof path, "/usr/share/%03u/%05u", i / 100, i);
        swid_files_put(&f,
                       &(struct swid_file){.path = bytes_of(path), .size = i, .sized = true, .sha256 = {digest, 32}});
        wr_bytes(&all, wr_view(&w));
        wr_reset(&w);
    }
    swid_files_end(&f);
    x.sink.close(&x.sink, SWID_IDENTITY);
    wr_bytes(&all, wr_view(&w));
    assert_int_equal(x.sink.failed, SWID_OK);
    cbor = converted(wr_view(&all), COSWID);
    struct swid_lister lister = swid_lister_of(list, &l);
    assert_int_equal(swid_read(wr_view(&cbor), &lister.sink, &error), SWID_OK);
    assert_int_equal(l.count, 20000);
    assert_int_equal(l.size, 20000u * 19999 / 2);
    swid_lister_free(&lister);
    wr_free(&w), wr_free(&all), wr_free(&cbor), wr_free(&l.text);
}

static void deep_paths_stay_within_what_is_read(void **state)
{
    (void)state;
    struct wr w = wr_of(0), path = wr_of(0);
    struct swid_xml x = swid_xml_of(&w, SWID_LINE);
    struct swid_files f;
    struct listed l = {.text = wr_of(0)}, expected = {.text = wr_of(0)};
    struct error error;
    open_tag(&x.sink);
    swid_files_begin(&f, &x.sink, true, &(struct swid_node){SWID_PAYLOAD});
    for (unsigned i = 0; i < 300; i++) {
        wr_fmt(&path, "/d%u", i % 150);
        if (i == 149)
            wr_reset(&path);
        struct swid_file file = {.path = wr_view(&path)};
        if (!path.n)
            continue;
        swid_files_put(&f, &file);
        list(&expected, &file);
    }
    swid_files_end(&f);
    x.sink.close(&x.sink, SWID_IDENTITY);
    struct swid_lister lister = swid_lister_of(list, &l);
    assert_int_equal(swid_read(wr_view(&w), &lister.sink, &error), SWID_OK);
    assert_same(&l.text, &expected.text);
    swid_lister_free(&lister);
    wr_free(&w), wr_free(&path), wr_free(&l.text), wr_free(&expected.text);
}

/* ---- what is hostile ---- */

static void hostile_cbor_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *hex, *why;
        enum swid_status status;
    } rows[] = {
        {"", "empty", SWID_MALFORMED},
        {"a0", NULL, SWID_OK},
        {"a000", "something follows", SWID_MALFORMED},
        {"a1", "ends too early", SWID_MALFORMED},
        {"bb7fffffffffffffff", "ends too early", SWID_MALFORMED},
        {"9bffffffffffffffff", "neither SWID", SWID_OTHER_MODEL},
        {"a1007b7fffffffffffffff61", "ends too early", SWID_MALFORMED},
        {"a1005bffffffffffffffff61", "ends too early", SWID_MALFORMED},
        {"a1007f6161ff", "in pieces", SWID_MALFORMED},
        {"a10062c328", "no UTF-8", SWID_MALFORMED},
        {"a200616100616a", "twice", SWID_MALFORMED},
        {"a202a002a0", "twice", SWID_MALFORMED},
        {"a106a111a22014181860", NULL, SWID_OK}, /* an unknown key, a size that is text under its label is below */
        {"a106a111a214616118186161", "type", SWID_MALFORMED},
        {"a106a111a207820141aa07820741aa", "twice", SWID_MALFORMED},
        {"a106a111a1078301410000", "type", SWID_MALFORMED},
        {"a106a110a2181aa0181aa0", "twice", SWID_MALFORMED},
        {"a108f4", NULL, SWID_OK},
        {"a108f6", "type", SWID_MALFORMED},
        {"a103a11823fb3ff0000000000000", "type", SWID_MALFORMED}, /* CW-R8: no fractions */
        {"a103a11823c1f93c00", "type", SWID_MALFORMED},
        {"a10c3bffffffffffffffff", "type", SWID_MALFORMED},
        {"a1f500", "key", SWID_MALFORMED},
        {"a102ff", "break", SWID_MALFORMED},
        {"a1021c", "no CBOR", SWID_MALFORMED},
        {"a10200", "no map", SWID_MALFORMED},
        {"80", "neither SWID", SWID_OTHER_MODEL},
        {"7b2261223a20317d", "neither SWID", SWID_OTHER_MODEL}, /* JSON */
        {"d2a0", "list of four", SWID_MALFORMED},
        {"da53574944d28440a04040", "leaves open", SWID_MALFORMED},
        {"c1a0", "another", SWID_OTHER_MODEL},
        {"da53574944da53574944da53574944da53574944a0", "another", SWID_OTHER_MODEL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        uint8_t octets[64];
        struct wr w = wr_of(0);
        struct error error = {""};
        struct bytes cbor = unhexed(rows[i].hex, octets);
        enum swid_status status = convert(cbor, XML_LINE, &w, &error);
        if (status != rows[i].status)
            fail_msg("%s: %d %s", rows[i].hex, (int)status, error.text);
        if (rows[i].why && !strstr(error.text, rows[i].why))
            fail_msg("%s: %s", rows[i].hex, error.text);
        wr_free(&w);
    }
    for (size_t n = 0; n + 1 < strlen(libc6) / 2; n++) { /* cut anywhere, it is an error and nothing else */
        uint8_t octets[512];
        struct wr w = wr_of(0);
        struct error error = {""};
        (void)unhexed(libc6, octets);
        uint8_t *cut = malloc(n + 1);
        assert_non_null(cut);
        memcpy(cut, octets, n);
        assert_int_not_equal(convert((struct bytes){cut, n}, XML_LINE, &w, &error), SWID_OK);
        free(cut);
        wr_free(&w);
    }
}

static void nesting_and_work_are_bounded(void **state)
{
    (void)state;
    static const char *const pieces[] = {"\x81", "\xa1\x00", "\xc1", "\x9f", "\xbf\x00"};
    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
        struct wr w = wr_of(0), out = wr_of(0);
        struct error error = {""};
        wr_str(&w, "\xa1\x18\x63");
        for (unsigned k = 0; k < 10000; k++)
            wr_bytes(&w, (struct bytes){(const uint8_t *)pieces[i], i == 1 || i == 4 ? 2 : 1});
        wr_u8(&w, 0);
        assert_int_equal(convert(wr_view(&w), XML_LINE, &out, &error), SWID_MALFORMED);
        assert_non_null(strstr(error.text, "nested"));
        wr_free(&w), wr_free(&out);
    }
    struct wr w = wr_of(0), out = wr_of(0);
    struct error error = {""};
    wr_str(&w, "<SoftwareIdentity xmlns='http://standards.iso.org/iso/19770/-2/2015/schema.xsd'><Payload>");
    for (unsigned k = 0; k < 10000; k++)
        wr_str(&w, "<Directory name='d'>");
    assert_int_equal(convert(wr_view(&w), COSWID, &out, &error), SWID_MALFORMED);
    assert_non_null(strstr(error.text, "nested"));
    wr_reset(&w);
    wr_zero(&w, 0);
    wr_free(&w), wr_free(&out);
}

static void tags_of_any_generator_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *xml, *read;
        enum swid_status status;
    } rows[] = {
        /* prefixes, the old namespace of NISTIR 8060, 1 for true, capitals, unknown elements with all that they hold */
        {"\xef\xbb\xbf<s:SoftwareIdentity xmlns:s='http://standards.iso.org/iso/19770/-2/2015/schema.xsd' "
         "xmlns:x='urn:x'"
         " xmlns:o='http://csrc.nist.gov/schema/swid/2015-extensions/swid-2015-extensions-1.0.xsd'"
         " xmlns:h='http://www.w3.org/2001/04/xmlenc#sha256' name='n' x:name='no' tagVersion='0' corpus=' 1 '>"
         "<x:Entity><s:Entity name='no'/></x:Entity><s:Entity role=' tagCreator   licensor ' name='c'><s:Meta "
         "product='no'/></s:Entity>"
         "<s:Payload><s:File name='f' o:mutable='1' h:hash='ABCDEF'/><s:Process name='p' "
         "pid='1'/></s:Payload></s:SoftwareIdentity>",
         "<SoftwareIdentity" HEAD " name=\"n\" corpus=\"true\"><Entity name=\"c\" role=\"tagCreator licensor\"/>"
         "<Payload><File name=\"f\" n8060:mutable=\"true\"" SHA256
         " SHA256:hash=\"abcdef\"/><Process name=\"p\" pid=\"1\"/></Payload>"
         "</SoftwareIdentity>",
         SWID_OK},
        {"<software_identification_tag/>", NULL, SWID_OTHER_MODEL},
        {"<!DOCTYPE a [<!ENTITY b 'b'>]><a>&b;</a>", NULL, SWID_MALFORMED},
        {"<!DOCTYPE a SYSTEM 'http://example.org/'><a/>", NULL, SWID_MALFORMED},
        {"<SoftwareIdentity xmlns='http://standards.iso.org/iso/19770/-2/2015/schema.xsd'>", NULL, SWID_MALFORMED},
        {"<SoftwareIdentity xmlns='http://standards.iso.org/iso/19770/-2/2015/schema.xsd' name='\x01'/>", NULL,
         SWID_MALFORMED},
        {"<SoftwareIdentity xmlns='http://standards.iso.org/iso/19770/-2/2015/schema.xsd' name='\xff'/>", NULL,
         SWID_MALFORMED},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct wr w = wr_of(0);
        struct error error = {""};
        assert_int_equal(convert(bytes_of(rows[i].xml), XML_RECORD, &w, &error), rows[i].status);
        if (rows[i].read)
            assert_string_equal(wr_string(&w), rows[i].read);
        wr_free(&w);
    }
}

/* A full writer is said, not cut off silently. */
static void a_full_writer_is_an_error(void **state)
{
    (void)state;
    uint8_t octets[512];
    struct error error = {""};
    struct wr small = wr_of(100);
    struct swid_xml x = swid_xml_of(&small, SWID_LINE);
    assert_int_equal(swid_read(unhexed(libc6, octets), &x.sink, &error), SWID_TOO_LARGE);
    wr_reset(&small);
    struct swid_coswid *c = swid_coswid_new(&small, 100, true);
    assert_non_null(c);
    assert_int_equal(swid_read(unhexed(libc6, octets), swid_coswid_sink(c), &error), SWID_TOO_LARGE);
    swid_coswid_free(c);
    wr_free(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_are_laid_out_as_the_field_lays_them_out),
        cmocka_unit_test(paths_are_sorted_by_their_components),
        cmocka_unit_test(coswid_is_the_one_of_rfc_9393),
        cmocka_unit_test(a_coswid_tells_its_software_identifier),
        cmocka_unit_test(every_name_survives),
        cmocka_unit_test(a_twin_that_does_not_fit_is_dropped),
        cmocka_unit_test(a_path_does_not_climb_out),
        cmocka_unit_test(generated_tags_survive),
        cmocka_unit_test(many_files_need_no_memory),
        cmocka_unit_test(deep_paths_stay_within_what_is_read),
        cmocka_unit_test(hostile_cbor_is_refused),
        cmocka_unit_test(nesting_and_work_are_bounded),
        cmocka_unit_test(tags_of_any_generator_are_read),
        cmocka_unit_test(a_full_writer_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
