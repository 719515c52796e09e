/* Tags of packages and of evidence: what swidGenerator prints, what it gets wrong, and many packages at once. */
#include "agent/agent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "roots.h"

#define HEAD                                                                                                           \
    "<?xml version=\"1.0\" encoding=\"utf-8\"?><SoftwareIdentity xmlns=\"http://standards.iso.org/iso/19770/-2/2015/schema.xsd\"" \
    " xmlns:n8060=\"http://csrc.nist.gov/ns/swid/2015-extensions/1.0\""
#define SHA256 " xmlns:SHA256=\"http://www.w3.org/2001/04/xmlenc#sha256\""
#define CREATOR "<Entity name=\"strongSwan Project\" regid=\"strongswan.org\" role=\"tagCreator\" />"
#define PAYLOAD "<Payload n8060:pathSeparator=\"/\" n8060:envVarPrefix=\"$\" n8060:envVarSuffix=\"\">"
#define IDENTITY                                                                                                       \
    " name=\"time\" xml:lang=\"en-US\" tagId=\"Debian_12-x86_64-time-1.9-0.2\" version=\"1.9-0.2\" versionScheme=\"alphanumeric\">"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

/* Takes tags into one text, a line end behind each. */
struct taken {
    struct swid_xml xml;
    struct wr out, complaints;
    unsigned begun, ended, whole;
    unsigned stop_at; /* stops with that tag, 0: never */
};

static struct swid_sink *take_begin(void *context, const struct journal_record *r)
{
    struct taken *t = context;
    assert_true(r->name.n > 0);
    assert_int_equal(t->begun++, t->ended); /* one after the other */
    t->xml = swid_xml_of(&t->out, SWID_LINE);
    t->xml.hashes = SWID_HASH_SHA256;
    return &t->xml.sink;
}

static bool take_end(void *context, const struct journal_record *r, bool whole)
{
    struct taken *t = context;
    (void)r;
    assert_int_equal(t->xml.depth, 0);
    assert_int_equal(t->xml.sink.failed, SWID_OK);
    wr_str(&t->out, "\n");
    t->whole += whole;
    return ++t->ended != t->stop_at;
}

static void take_complaint(void *context, const struct journal_record *r, struct bytes path, const char *what)
{
    struct taken *t = context;
    wr_bytes(&t->complaints, r->name);
    wr_str(&t->complaints, " ");
    wr_bytes(&t->complaints, path);
    wr_fmt(&t->complaints, " %s\n", path.n ? what : "list");
}

static struct root root;
static struct taken taken;
static const struct agent_tag_taker taker = {&taken, take_begin, take_end, take_complaint};

static int setup(void **state)
{
    (void)state;
    root = root_make();
    taken = (struct taken){.out = wr_of(0), .complaints = wr_of(0)};
    root_write(&root, "/var/lib/dpkg/status", "");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    root_remove(&root);
    wr_free(&taken.out);
    wr_free(&taken.complaints);
    return 0;
}

static struct agent_tag_style full(bool hierarchic)
{
    return (struct agent_tag_style){.bare = true, .full = true, .hierarchic = hierarchic, .hashes = MEASURE_SHA256, .root = root.path};
}

static const struct journal_record time_record = {.software_id = {(const uint8_t *)"strongswan.org__Debian_12-x86_64-time-1.9-0.2", 45},
                                                  .name = {(const uint8_t *)"time", 4},
                                                  .version = {(const uint8_t *)"1.9-0.2", 7},
                                                  .arch = {(const uint8_t *)"amd64", 5},
                                                  .source_name = {(const uint8_t *)"time", 4},
                                                  .source = PKG_SOURCE_DPKG,
                                                  .installed = true};

static void make(const struct agent_tag_style *style, const struct journal_record *r)
{
    struct error error = {""};
    struct agent_tags *t = agent_tags_begin(style, &taker, &error);
    assert_non_null(t);
    assert_string_equal(error.text, "");
    assert_true(agent_tags_put(t, r));
    assert_true(agent_tags_flush(t));
    agent_tags_end(t, false);
}

static void tags_without_files_are_swid_generators(void **state)
{
    (void)state;
    static const struct swid_creator creator = {"example.org", "E & <F>"};
    static const struct swid_product product = {.prefix = {(const uint8_t *)"a/b_", 4}, .os_name = {(const uint8_t *)"My_OS", 5}, .machine = {(const uint8_t *)"z80", 3}};
    const struct {
        struct agent_tag_style style;
        const char *xml;
    } rows[] = {
        {{.bare = true}, HEAD SHA256 IDENTITY CREATOR "<Meta product=\"Debian 12 x86_64\" /></SoftwareIdentity>\n"},
        {{0}, HEAD SHA256 IDENTITY CREATOR "<Meta product=\"Debian 12 x86_64\" xmlns:muster=\"urn:muster:swid:1\" muster:package=\"time\" "
                                           "muster:arch=\"amd64\" muster:source=\"time\" muster:manager=\"dpkg\" /></SoftwareIdentity>\n"},
        {{.bare = true, .about_package = true}, HEAD SHA256 IDENTITY CREATOR "<Meta product=\"time\" colloquialVersion=\"1.9\" /></SoftwareIdentity>\n"},
        {{.bare = true, .creator = &creator, .product = &product, .lang = "de"},
         HEAD SHA256 " name=\"time\" xml:lang=\"de\" tagId=\"a~b_time-1.9-0.2\" version=\"1.9-0.2\" versionScheme=\"alphanumeric\">"
                     "<Entity name=\"E &amp; &lt;F&gt;\" regid=\"example.org\" role=\"tagCreator\" /><Meta product=\"My OS z80\" /></SoftwareIdentity>\n"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        wr_reset(&taken.out);
        make(&rows[i].style, &time_record);
        assert_string_equal(wr_string(&taken.out), rows[i].xml);
    }
    assert_int_equal(taken.whole, ARRAY_LENGTH(rows));
}

static void link_to(const char *target, const char *path)
{
    assert_int_equal(symlink(target, root_path(&root, path)), 0);
}

/* Configuration is mutable and told once (swidGenerator's first defect); what is no file is left out; links tell what they lead to. */
static void files_are_told_as_swid_generator_should_have(void **state)
{
    (void)state;
    root_write(&root, "/var/lib/dpkg/info/time.list",
               "/.\n/usr\n/usr/share\n/usr/share/doc\n/usr/share/doc/time\n/usr/share/doc/time/README\n/usr/bin\n/usr/bin/time\n/etc\n/etc/time.conf\n"
               "/usr/bin/with blank\n/usr/bin/link\n/usr/bin/dangling\n/usr/bin/folder\n/usr/bin/out\n/usr/bin/pipe\n/etc/time.conf\n/gone\n");
    root_write(&root, "/var/lib/dpkg/info/time.conffiles", "/etc/time.conf\n");
    root_write(&root, "/usr/share/doc/time/README", "");
    root_write(&root, "/usr/bin/time", "abc");
    root_write(&root, "/usr/bin/with blank", "abc");
    root_write(&root, "/etc/time.conf", "abc");
    link_to("/usr/bin/time", "/usr/bin/link"); /* below the root */
    link_to("nowhere", "/usr/bin/dangling");
    link_to("../share", "/usr/bin/folder");
    link_to("../../../../../../../etc/hostname", "/usr/bin/out");
    assert_int_equal(mkfifo(root_path(&root, "/usr/bin/pipe"), 0600), 0);
    struct agent_tag_style style = full(false);
    make(&style, &time_record);
    assert_string_equal(wr_string(&taken.out), HEAD SHA256 IDENTITY CREATOR "<Meta product=\"Debian 12 x86_64\" />" PAYLOAD
                        "<Directory root=\"/\" name=\"etc\"><File name=\"time.conf\" n8060:mutable=\"true\" size=\"3\" SHA256:hash=\"" ABC "\" /></Directory>"
                        "<Directory root=\"/usr\" name=\"bin\"><File name=\"link\" size=\"3\" SHA256:hash=\"" ABC "\" />"
                        "<File name=\"time\" size=\"3\" SHA256:hash=\"" ABC "\" /><File name=\"with blank\" size=\"3\" SHA256:hash=\"" ABC "\" /></Directory>"
                        "<Directory root=\"/usr/share/doc\" name=\"time\"><File name=\"README\" size=\"0\" SHA256:hash=\"" EMPTY "\" /></Directory>"
                        "</Payload></SoftwareIdentity>\n");
    assert_string_equal(wr_string(&taken.complaints), "time /gone missing\n");
    assert_int_equal(taken.whole, 0);
    wr_reset(&taken.out);
    style = full(true);
    make(&style, &time_record);
    const char *nested = strstr(wr_string(&taken.out), "<Payload");
    assert_string_equal(nested, PAYLOAD
                        "<Directory root=\"/\" name=\"etc\"><File name=\"time.conf\" n8060:mutable=\"true\" size=\"3\" SHA256:hash=\"" ABC "\" /></Directory>"
                        "<Directory root=\"/\" name=\"usr\"><Directory name=\"bin\"><File name=\"link\" size=\"3\" SHA256:hash=\"" ABC "\" />"
                        "<File name=\"time\" size=\"3\" SHA256:hash=\"" ABC "\" /><File name=\"with blank\" size=\"3\" SHA256:hash=\"" ABC "\" /></Directory>"
                        "<Directory name=\"share\"><Directory name=\"doc\"><Directory name=\"time\"><File name=\"README\" size=\"0\" SHA256:hash=\"" EMPTY "\" />"
                        "</Directory></Directory></Directory></Directory></Payload></SoftwareIdentity>\n");
}

/* Whichever manager lists them: what is listed and not there is told, and the tag is without it; what is there and not listed is no part of the
 * package. */
static void listed_files_that_are_not_there_are_told(void **state)
{
    (void)state;
    static const struct {
        uint8_t source;
        const char *list, *text;
    } rows[] = {
        {PKG_SOURCE_DPKG, "/var/lib/dpkg/info/time.list", "/opt/time\n/opt/time/here\n/opt/time/gone\n"},
        {PKG_SOURCE_APK, "/lib/apk/db/installed", "P:time\nV:1.9-0.2\nA:amd64\nF:opt/time\nR:here\nR:gone\n\n"},
        {PKG_SOURCE_PACMAN, "/var/lib/pacman/local/time-1.9-0.2/files", "%FILES%\nopt/\nopt/time/\nopt/time/here\nopt/time/gone\n"},
    };
    const struct agent_tag_style style = full(false);
    root_write(&root, "/opt/time/here", "abc");
    root_write(&root, "/opt/time/beside", "abc");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct journal_record r = time_record;
        r.source = rows[i].source;
        root_write(&root, rows[i].list, rows[i].text);
        wr_reset(&taken.out);
        wr_reset(&taken.complaints);
        make(&style, &r);
        assert_string_equal(wr_string(&taken.complaints), "time /opt/time/gone missing\n");
        assert_non_null(strstr(wr_string(&taken.out), PAYLOAD "<Directory root=\"/opt\" name=\"time\"><File name=\"here\" size=\"3\" SHA256:hash=\"" ABC
                                                              "\" /></Directory></Payload>"));
    }
    assert_int_equal(taken.whole, 0);
}

static void a_package_without_a_list_has_a_tag(void **state)
{
    (void)state;
    struct agent_tag_style style = full(false);
    make(&style, &time_record);
    assert_string_equal(wr_string(&taken.out), HEAD SHA256 IDENTITY CREATOR "<Meta product=\"Debian 12 x86_64\" /></SoftwareIdentity>\n");
    assert_string_equal(wr_string(&taken.complaints), "time  list\n");
    assert_int_equal(taken.whole, 0);
    struct journal_record gone = time_record;
    gone.installed = false; /* of what is gone nobody expects files */
    make(&style, &gone);
    assert_int_equal(taken.whole, 1);
}

enum { MANY = 3000 };

/* Every second package has files; each has one of its own. Tags come in the order of the questions, also when it stops half-way. */
static void many_packages_keep_their_order(void **state)
{
    (void)state;
    char path[96], list[64], name[32], id[64];
    struct error error = {""};
    struct agent_tag_style style = full(false);
    for (unsigned i = 0; i < MANY; i += 2) {
        snprintf(path, sizeof path, "/var/lib/dpkg/info/p%u.list", i);
        snprintf(list, sizeof list, "/f/%u\n", i);
        root_write(&root, path, list);
        snprintf(path, sizeof path, "/f/%u", i);
        root_write(&root, path, "abc");
    }
    for (unsigned stop = 0; stop < 2; stop++) {
        taken.begun = taken.ended = taken.whole = 0;
        taken.stop_at = stop ? MANY / 2 : 0;
        wr_reset(&taken.out);
        struct agent_tags *t = agent_tags_begin(&style, &taker, &error);
        bool going = true;
        for (unsigned i = 0; i < MANY && going; i++) {
            struct journal_record r = time_record;
            snprintf(name, sizeof name, "p%u", i);
            snprintf(id, sizeof id, "strongswan.org__Debian_12-x86_64-p%u-1", i);
            r.name = bytes_of(name);
            r.software_id = bytes_of(id);
            r.installed = i % 2 == 0;
            going = agent_tags_put(t, &r);
        }
        assert_int_equal(going && agent_tags_flush(t), !stop);
        agent_tags_end(t, true);
        assert_int_equal(taken.ended, stop ? MANY / 2 : MANY);
        struct bytes rest = wr_view(&taken.out);
        for (unsigned i = 0; i < taken.ended; i++) {
            const char *line = (const char *)rest.p;
            struct bytes tag = bytes_split(&rest, '\n');
            snprintf(id, sizeof id, " name=\"p%u\" ", i);
            assert_non_null(memmem(line, tag.n, id, strlen(id)));
            snprintf(id, sizeof id, "<File name=\"%u\" ", i);
            assert_true((memmem(line, tag.n, id, strlen(id)) != NULL) == (i % 2 == 0));
        }
    }
}

/* ---- evidence and verification ---- */

struct told {
    struct wr text;
};

static void take_difference(void *context, enum agent_file_state s, struct bytes path)
{
    struct told *t = context;
    wr_fmt(&t->text, "%s ", agent_file_state_name(s));
    wr_bytes(&t->text, path);
    wr_str(&t->text, "\n");
}

static void expect_differences(struct bytes tag, const char *expected)
{
    struct told told = {wr_of(0)};
    size_t counts[AGENT_FILE_STATES], walked;
    struct error error = {""};
    enum swid_status status = agent_tag_verify(tag, root.path, take_difference, &told, counts, &walked, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(status, SWID_OK);
    assert_string_equal(wr_string(&told.text), expected);
    wr_free(&told.text);
}

static void evidence_is_compared_with_the_disk(void **state)
{
    (void)state;
    static const char *const paths[] = {"/opt"};
    struct error error = {""};
    struct agent_tag_style style = full(false);
    static const struct swid_product product = {.os_name = {(const uint8_t *)"X", 1}};
    style.product = &product;
    root_write(&root, "/opt/a", "1");
    root_write(&root, "/opt/a-b/a", "2");
    root_write(&root, "/opt/c/d/e", "3");
    root_write(&root, "/optional", "not below /opt");
    link_to("/a", "/opt/link"); /* /opt is its root */
    const struct journal_record r = {.name = BYTES("App"), .version = BYTES("1"), .since = TIME_UNKNOWN};
    assert_true(agent_tags_evidence(&style, &taker, &r, paths, 1, NULL, &error));
    struct bytes tag = wr_view(&taken.out);
    tag.n--;
    assert_non_null(strstr(wr_string(&taken.out), "<File name=\"link\" size=\"1\""));
    assert_null(strstr(wr_string(&taken.out), "optional"));
    tag = wr_view(&taken.out);
    expect_differences(tag, "missing /opt/link\n"); /* from / the link leads nowhere */
    link_to("a", "/opt/b");
    unlink(root_path(&root, "/opt/link"));
    root_write(&root, "/opt/a", "x");
    root_write(&root, "/opt/a-b/b/c", "new");
    root_write(&root, "/opt/f/g/h", "new");
    remove(root_path(&root, "/opt/c/d/e"));
    expect_differences(tag, "changed /opt/a\nmissing /opt/link\nmissing /opt/c/d/e\nadded /opt/b\nadded /opt/a-b/b/c\nadded /opt/f/g/h\n");
}

/* Folders that hold no file themselves are told, too; a file that was named alone says nothing of its neighbours. */
static void evidence_tells_of_folders_without_files(void **state)
{
    (void)state;
    static const char *const paths[] = {"/opt/app", "/opt/empty", "/etc/one", "/srv"};
    static const struct swid_product product = {.os_name = {(const uint8_t *)"X", 1}};
    const struct journal_record r = {.name = BYTES("App"), .version = BYTES("1"), .since = TIME_UNKNOWN};
    root_write(&root, "/opt/app/bin/run", "1");
    root_write(&root, "/opt/beside", "not evidence");
    root_write(&root, "/opt/empty/x", "");
    remove(root_path(&root, "/opt/empty/x"));
    root_write(&root, "/etc/one", "1");
    root_write(&root, "/etc/two", "2");
    root_write(&root, "/srv/a", "1");
    for (int hierarchic = 0; hierarchic < 2; hierarchic++) {
        struct agent_tag_style style = full(hierarchic);
        struct error error = {""};
        style.product = &product;
        wr_reset(&taken.out);
        assert_true(agent_tags_evidence(&style, &taker, &r, paths, 4, NULL, &error));
        assert_non_null(strstr(wr_string(&taken.out), "<Directory root=\"/opt\" name=\"app\" />"));
        assert_non_null(strstr(wr_string(&taken.out), "<Directory root=\"/opt\" name=\"empty\" />"));
        assert_non_null(strstr(wr_string(&taken.out), "<File root=\"/etc\" name=\"one\""));
        struct bytes tag = wr_view(&taken.out);
        expect_differences(tag, "");
        root_write(&root, "/opt/app/fresh", "new");
        root_write(&root, "/opt/app/lib/deep/fresh", "new");
        root_write(&root, "/opt/empty/fresh", "new");
        root_write(&root, "/srv/b/fresh", "new");
        expect_differences(tag, "added /opt/app/fresh\nadded /opt/app/lib/deep/fresh\nadded /opt/empty/fresh\nadded /srv/b/fresh\n");
        static const char *const gone[] = {"/opt/app/fresh", "/opt/app/lib/deep/fresh", "/opt/app/lib/deep", "/opt/app/lib", "/opt/empty/fresh", "/opt/empty", "/srv/b/fresh"};
        for (size_t i = 0; i < ARRAY_LENGTH(gone); i++)
            assert_int_equal(remove(root_path(&root, gone[i])), 0);
        expect_differences(tag, "missing /opt/empty\n");
        root_write(&root, "/opt/empty/x", "");
        remove(root_path(&root, "/opt/empty/x"));
    }
}

/* What the tag takes for a folder is a link, or a file: the former is looked into below the root, in the latter there is nothing to add. */
static void evidence_of_a_linked_folder_is_looked_into(void **state)
{
    (void)state;
    root_write(&root, "/usr/lib/a", "1");
    root_write(&root, "/usr/lib/b", "2");
    link_to("/usr/lib", "/lib");
    expect_differences(BYTES("<SoftwareIdentity xmlns=\"http://standards.iso.org/iso/19770/-2/2015/schema.xsd\" name=\"x\" tagId=\"x\"><Entity "
                             "name=\"x\" role=\"tagCreator\"/><Evidence><Directory root=\"/\" name=\"lib\"><File name=\"a\" size=\"1\"/></Directory>"
                             "<Directory root=\"/usr/lib\" name=\"b\"><File name=\"c\" size=\"1\"/></Directory></Evidence></SoftwareIdentity>"),
                       "missing /usr/lib/b/c\nadded /lib/b\n");
}

static void paths_that_are_not_there_leave_no_tag(void **state)
{
    (void)state;
    static const char *const paths[] = {"/opt", "/nothing", "relative", "/opt/../opt", "/link/x"};
    struct agent_tag_style style = full(false);
    root_write(&root, "/opt/x", "1");
    link_to("/opt", "/link"); /* a link on the way is not gone through */
    for (size_t i = 1; i < ARRAY_LENGTH(paths); i++) {
        const char *const two[] = {paths[0], paths[i]};
        struct error error = {""};
        assert_false(agent_tags_evidence(&style, &taker, &time_record, two, 2, NULL, &error));
        assert_non_null(strstr(error.text, paths[i]));
    }
    assert_int_equal(taken.begun, 0);
}

#define TAG(files)                                                                                                     \
    "<SoftwareIdentity xmlns=\"http://standards.iso.org/iso/19770/-2/2015/schema.xsd\" xmlns:n8060=\"http://csrc.nist.gov/ns/swid/2015-extensions/1.0\"" \
    SHA256 " name=\"x\" tagId=\"x\"><Entity name=\"x\" role=\"tagCreator\"/><Payload>" files "</Payload></SoftwareIdentity>"

/* Tags of others: without hashes, without sizes, without a root. */
static void any_tag_is_compared_as_far_as_it_tells(void **state)
{
    (void)state;
    static const struct {
        const char *file, *expected;
    } rows[] = {
        {"<File root=\"/\" name=\"f\" size=\"3\"/>", ""},
        {"<File root=\"/\" name=\"f\" size=\"4\"/>", "changed /f\n"},
        {"<File root=\"/\" name=\"f\" size=\"4\" n8060:mutable=\"true\"/>", "mutable /f\n"},
        {"<File root=\"/\" name=\"g\" size=\"4\" n8060:mutable=\"true\"/>", "mutable /g\n"},
        {"<File root=\"/\" name=\"f\"/>", "unreadable /f\n"},
        {"<File name=\"f\" SHA256:hash=\"" ABC "\"/>", ""},
        {"<File name=\"f\" SHA256:hash=\"" EMPTY "\"/>", "changed /f\n"},
        {"<Directory name=\"/\"><File name=\"folder\" size=\"3\"/></Directory>", "missing /folder\n"},
        {"<Directory name=\"a\"><Directory name=\".\"><File name=\"b\" size=\"3\"/></Directory></Directory>", "missing /a/b\n"},
        {"", ""},
    };
    root_write(&root, "/f", "abc");
    root_write(&root, "/folder/x", "abc");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct wr tag = wr_of(0);
        const char *frame = TAG("%");
        struct bytes rest = bytes_of(frame), head = bytes_split(&rest, '%');
        wr_bytes(&tag, head);
        wr_str(&tag, rows[i].file);
        wr_bytes(&tag, rest);
        expect_differences(wr_view(&tag), rows[i].expected);
        wr_free(&tag);
    }
    static const char climbing[] = TAG("<Directory root=\"/a\" name=\"..\"><File name=\"f\" size=\"3\"/></Directory>");
    size_t counts[AGENT_FILE_STATES], walked;
    struct error error = {""};
    assert_int_equal(agent_tag_verify(bytes_of(climbing), root.path, take_difference, NULL, counts, &walked, &error), SWID_MALFORMED);
    assert_non_null(strstr(error.text, "climbs"));
    assert_int_equal(agent_tag_verify(BYTES(TAG("")), "/nonexistent", take_difference, NULL, counts, &walked, &error), SWID_NO_MEMORY);
    assert_non_null(strstr(error.text, "/nonexistent"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tags_without_files_are_swid_generators, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_told_as_swid_generator_should_have, setup, teardown),
        cmocka_unit_test_setup_teardown(listed_files_that_are_not_there_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_package_without_a_list_has_a_tag, setup, teardown),
        cmocka_unit_test_setup_teardown(many_packages_keep_their_order, setup, teardown),
        cmocka_unit_test_setup_teardown(evidence_is_compared_with_the_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(evidence_tells_of_folders_without_files, setup, teardown),
        cmocka_unit_test_setup_teardown(evidence_of_a_linked_folder_is_looked_into, setup, teardown),
        cmocka_unit_test_setup_teardown(paths_that_are_not_there_leave_no_tag, setup, teardown),
        cmocka_unit_test_setup_teardown(any_tag_is_compared_as_far_as_it_tells, setup, teardown),
    };
    return cmocka_run_group_tests_name("tag_maker", tests, NULL, NULL);
}
