/* Tags that software brought itself: from the folder to the SWIMA collector's answer, over a real journal. Also what becomes of answers that are
 * too large with their files. The broker is a stand-in. */
#include "agent/collector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "roots.h"

#include <sys/types.h>
#include <utime.h>

#define STATUS "/var/lib/dpkg/status"
#define ISO    " xmlns='http://standards.iso.org/iso/19770/-2/2015/schema.xsd' "
#define TAG(name, version, id, more)                                                                                   \
    "<SoftwareIdentity" ISO "name='" name "' version='" version "' tagId='" id "'>\n"                                  \
    "  <Entity name='Acme' regid='acme.example' role='tagCreator softwareCreator'/>\n" more "</SoftwareIdentity>\n"
#define FILES "<Payload><Directory root='/opt' name='acme'><File name='updater' size='3'/></Directory></Payload>\n"
#define UPDATER "/opt/acme/swidtag/updater.swidtag"
#define OLD                                                                                                            \
    "<s:software_identification_tag xmlns:s='http://standards.iso.org/iso/19770/-2/2009/schema.xsd'>"                  \
    "<s:product_title>Elder</s:product_title><s:product_version><s:name>7</s:name></s:product_version>"                \
    "<s:software_id><s:unique_id>elder-7</s:unique_id><s:tag_creator_regid>regid.2004-03.example.acme"                 \
    "</s:tag_creator_regid></s:software_id><s:tag_creator><s:name>Acme</s:name></s:tag_creator>"                       \
    "</s:software_identification_tag>"

/* ---- the broker's stand-in ---- */

struct nea_connection {
    struct wr encoded;
    struct arena arena;
    struct pa_message sent;
    unsigned count;
};

size_t nea_max_message(const struct nea_connection *c)
{
    (void)c;
    return 64 << 20;
}

void nea_retry(struct nea_connection *c)
{
    (void)c;
}

void nea_send(struct nea_connection *c, uint16_t to, const struct pa_out *attributes, size_t count)
{
    struct nea_fault fault;
    (void)to, (void)count;
    wr_reset(&c->encoded);
    arena_reset(&c->arena);
    pa_message_put(&c->encoded, 1);
    pa_attribute_put(&c->encoded, attributes->type, 0, attributes->fields);
    assert_int_equal(pa_message_decode(&c->arena, wr_view(&c->encoded), NEA_SERVER, &c->sent, &fault), PA_OK);
    c->count++;
}

/* ---- a machine ---- */

struct machine {
    struct root root;
    struct agent_inventory inventory;
    struct agent_tag_style style;
    struct nea_connection connection;
    void *collector;
    struct journal_report report;
    struct wr complaints;
    struct error error;
};

static int setup(void **state)
{
    struct machine *m = calloc(1, sizeof *m);
    char folder[128];
    bool renewed;
    m->root = root_make();
    m->complaints = wr_of(0);
    m->connection = (struct nea_connection){.encoded = wr_of(0), .arena = arena_of(256 << 20)};
    m->collector = agent_swima_collector.create(&m->inventory, &m->connection);
    m->style = (struct agent_tag_style){.full = true, .hashes = MEASURE_SHA256, .root = m->root.path};
    root_package(&m->root, "p", "all", "1", "installed");
    root_write(&m->root, "/var/lib/dpkg/info/p.list", "/usr/bin/p\n");
    root_write(&m->root, "/usr/bin/p", "abc");
    snprintf(folder, sizeof folder, "%s/state", m->root.path);
    assert_int_equal(journal_open(&m->inventory.journal, folder, JOURNAL_WRITE, &renewed, &m->error), JOURNAL_OK);
    *state = m;
    return 0;
}

static int teardown(void **state)
{
    struct machine *m = *state;
    agent_swima_collector.destroy(m->collector);
    journal_close(m->inventory.journal);
    wr_free(&m->connection.encoded);
    arena_free(&m->connection.arena);
    wr_free(&m->complaints);
    root_remove(&m->root);
    free(m);
    return 0;
}

static void complain(void *context, const char *file, size_t line, const char *what)
{
    struct machine *m = context;
    (void)line;
    if (strstr(file, "swidtag"))
        wr_fmt(&m->complaints, "%s: %s\n", file + strlen(m->root.path), what);
}

static uint32_t collect(struct machine *m)
{
    const struct journal_options options = {.root = m->root.path, .complain = complain, .context = m};
    wr_reset(&m->complaints);
    assert_int_equal(journal_collect(m->inventory.journal, &options, &m->report, &m->error), JOURNAL_OK);
    return m->report.new_events;
}

static bool put_event(void *context, const struct journal_event *e)
{
    if (e->record.source == PKG_SOURCE_TAGS)
        wr_fmt(context, "%s %s %.*s %.*s%s\n", pkg_precision_name(e->precision), pkg_action_name(e->action), (int)e->record.name.n,
               e->record.name.p, (int)e->record.version.n, e->record.version.p, e->not_before == TIME_UNKNOWN ? "" : " since");
    return true;
}

static void expect_events(struct machine *m, const char *expected)
{
    struct wr w = wr_of(0);
    assert_int_equal(journal_each_event(m->inventory.journal, 1, (struct bytes){0}, put_event, &w, &m->error), JOURNAL_OK);
    assert_string_equal(wr_string(&w), expected);
    wr_free(&w);
}

static void differ(void *context, const char *what, const struct journal_record *record)
{
    wr_fmt(context, "%.*s: %s\n", (int)record->name.n, record->name.p, what);
}

static void expect_difference(struct machine *m, const char *expected)
{
    const struct journal_options options = {.root = m->root.path};
    struct wr w = wr_of(0);
    uint32_t differences;
    assert_int_equal(journal_check(m->inventory.journal, &options, differ, &w, &differences, &m->error), JOURNAL_OK);
    assert_string_equal(wr_string(&w), expected);
    wr_free(&w);
}

/* What is answered to a request for everything (id NULL) or for one identifier, with records. */
static const struct pa_attribute *ask(struct machine *m, uint32_t earliest, const char *id)
{
    struct wr target = wr_of(0), w = wr_of(0);
    struct arena a = arena_of(1 << 20);
    struct pa_message message;
    struct nea_fault fault;
    struct pa_swima_request r = {.request_id = 5, .earliest_eid = earliest};
    if (id) {
        pa_item_put(&target, &pa_types[PA_SWIMA_REQUEST], &(struct pa_swima_request_item){bytes_of(id)});
        r.software_ids = (struct pa_list){wr_view(&target), 1};
    }
    pa_message_put(&w, 1);
    pa_attribute_put(&w, &pa_types[PA_SWIMA_REQUEST], 0, &r);
    assert_int_equal(pa_message_decode(&a, wr_view(&w), NEA_CLIENT, &message, &fault), PA_OK);
    m->connection.count = 0;
    agent_swima_collector.receive(m->collector, &(struct nea_delivery){PEN_IETF, PA_SUBTYPE_SWIMA, 7, &message});
    assert_int_equal(m->connection.count, 1);
    arena_free(&a);
    wr_free(&w);
    wr_free(&target);
    return &m->connection.sent.attributes[0];
}

/* Of an inventory the n-th item. */
static struct pa_sw_inventory_item item_of(const struct pa_attribute *at, uint32_t n)
{
    struct pa_sw_inventory_item item = {0};
    assert_ptr_equal(at->type, &pa_types[PA_SW_INVENTORY]);
    const struct pa_sw_inventory *f = at->fields;
    struct bytes rest = f->records.raw;
    assert_true(n < f->records.count);
    for (uint32_t i = 0; i <= n; i++)
        assert_true(pa_list_next(at->type, &rest, &item));
    return item;
}

static uint32_t count_of(const struct pa_attribute *at)
{
    assert_ptr_equal(at->type, &pa_types[PA_SW_INVENTORY]);
    return ((const struct pa_sw_inventory *)at->fields)->records.count;
}

static void count_file(void *context, const struct swid_file *f)
{
    (void)f;
    ++*(unsigned *)context;
}

static unsigned files_in(struct bytes tag)
{
    unsigned count = 0;
    struct error error = {""};
    struct swid_lister l = swid_lister_of(count_file, &count);
    assert_int_equal(swid_read(tag, &l.sink, &error), SWID_OK);
    swid_lister_free(&l);
    return count;
}

static void expect_text(struct bytes b, const char *text)
{
    if (!bytes_equal(b, bytes_of(text)))
        fail_msg("%.*s, not %s", (int)b.n, (const char *)b.p, text);
}

/* SWIMA-R5, R8, R15, R78, R85, R90: its own identifier and creator, the folder, the octets of the file with lines of Network Unicode. */
static void a_vendors_tag_is_told_as_it_is(void **state)
{
    struct machine *m = *state;
    root_write(&m->root, UPDATER, TAG("Acme \303\234pdater", "1.2", "updater-1.2", FILES));
    root_write(&m->root, "/usr/share/b c.example/swidtag/x.swidtag", TAG("Signature x", "1", "x-1", ""));
    root_write(&m->root, "/usr/lib/swidtag/acme.example/y.swidtag", TAG("y", "1", "y-1", "<Signature xmlns='http://www.w3.org/2000/09/xmldsig#'/>\n"));
    assert_int_equal(collect(m), 4);
    assert_string_equal(wr_string(&m->complaints), "");
    assert_int_equal(collect(m), 0);
    expect_difference(m, "");
    const struct pa_attribute *at = ask(m, 0, "acme.example__updater-1.2");
    assert_int_equal(count_of(at), 1);
    struct pa_sw_inventory_item item = item_of(at, 0);
    assert_int_equal(item.source, PKG_SOURCE_TAGS);
    assert_int_equal(item.model, SWID_MODEL_2015);
    expect_text(item.software_id, "acme.example__updater-1.2");
    expect_text(item.locator, "file:///opt/acme/swidtag");
    expect_text(item.record, "<SoftwareIdentity" ISO "name='Acme \303\234pdater' version='1.2' tagId='updater-1.2'>\r\n"
                             "  <Entity name='Acme' regid='acme.example' role='tagCreator softwareCreator'/>\r\n"
                             "<Payload><Directory root='/opt' name='acme'><File name='updater' size='3'/></Directory></Payload>\r\n"
                             "</SoftwareIdentity>\r\n");
    /* SWIMA-R91: a signature is of the octets as they are; the word alone is none */
    at = ask(m, 0, "acme.example__x-1");
    assert_non_null(memmem(item_of(at, 0).record.p, item_of(at, 0).record.n, "\r\n", 2));
    at = ask(m, 0, "acme.example__y-1");
    assert_null(memmem(item_of(at, 0).record.p, item_of(at, 0).record.n, "\r", 1));
    expect_text(item_of(ask(m, 0, "acme.example__x-1"), 0).locator, "file:///usr/share/b%20c.example/swidtag");
    expect_text(item_of(ask(m, 0, "acme.example__y-1"), 0).locator, "file:///usr/lib/swidtag/acme.example");
    assert_int_equal(count_of(ask(m, 0, NULL)), 4);
}

/* SWIMA-R14, R22, R24, R25, R27, R29: created, altered, upgraded, deleted; the record that is gone is kept. */
static void a_vendors_tag_has_a_history(void **state)
{
    struct machine *m = *state;
    collect(m);
    root_write(&m->root, UPDATER, TAG("updater", "1", "u-1", ""));
    assert_int_equal(collect(m), 1);
    uint32_t id = item_of(ask(m, 0, "acme.example__u-1"), 0).record_id;
    root_write(&m->root, UPDATER, TAG("updater", "1", "u-1", FILES));
    expect_difference(m, "updater: its tag is another one than the journal has\n");
    assert_int_equal(collect(m), 1);
    expect_difference(m, "");
    struct pa_sw_inventory_item altered = item_of(ask(m, 0, "acme.example__u-1"), 0);
    assert_int_equal(altered.record_id, id);
    assert_int_equal(files_in(altered.record), 1);
    root_write(&m->root, UPDATER, TAG("updater", "2", "u-2", ""));
    assert_int_equal(collect(m), 2);
    unlink(root_path(&m->root, UPDATER));
    assert_int_equal(collect(m), 1);
    assert_false(m->report.new_epoch); /* no source is lost where there is no database */
    assert_int_equal(collect(m), 0);
    expect_events(m, "bound create updater 1 since\nbound alter updater 1 since\nbound delete updater 1 since\n"
                     "bound create updater 2 since\nbound delete updater 2 since\n");
    struct pa_sw_inventory_item gone = item_of(ask(m, 0, "acme.example__u-1"), 0);
    assert_int_equal(gone.record_id, id);
    expect_text(gone.locator, "file:///opt/acme/swidtag");
    assert_int_equal(files_in(gone.record), 1);
    root_write(&m->root, UPDATER, TAG("updater", "1", "u-1", ""));
    assert_int_equal(collect(m), 1);
    assert_int_equal(item_of(ask(m, 0, "acme.example__u-1"), 0).record_id, id);
    assert_int_equal(files_in(item_of(ask(m, 0, "acme.example__u-1"), 0).record), 0);
}

/* A modification time says nothing: archives bring their own. */
static void an_old_modification_time_is_no_bound(void **state)
{
    struct machine *m = *state;
    int64_t before = time_now();
    collect(m);
    root_write(&m->root, UPDATER, TAG("updater", "1", "u-1", ""));
    root_time(&m->root, UPDATER, 1000000000);
    collect(m);
    const struct pa_attribute *at = ask(m, 1, "acme.example__u-1");
    const struct pa_sw_events *f = at->fields;
    struct pa_sw_events_item item;
    struct bytes rest = f->events.raw;
    int64_t told;
    assert_true(pa_list_next(at->type, &rest, &item));
    assert_true(time_parse(item.time, &told));
    assert_true(told >= before && told <= time_now());
    expect_text(item.locator, "file:///opt/acme/swidtag");
}

/* SWIMA-R13, R20: two installations under one identifier, two vendors of one name and version; one place is one of them. */
static void nothing_is_merged(void **state)
{
    struct machine *m = *state;
    root_write(&m->root, "/opt/a/swidtag/u.swidtag", TAG("updater", "1", "u-1", ""));
    root_write(&m->root, "/opt/b/swidtag/u.swidtag", TAG("updater", "1", "u-1", ""));
    root_write(&m->root, "/opt/b/swidtag/v.swidtag", TAG("updater", "1", "v-1", ""));
    root_write(&m->root, "/opt/b/swidtag/w.swidtag", TAG("updater", "1", "v-1", FILES));
    assert_int_equal(collect(m), 1 + 3);
    const struct pa_attribute *at = ask(m, 0, "acme.example__u-1");
    assert_int_equal(count_of(at), 2);
    assert_int_not_equal(item_of(at, 0).record_id, item_of(at, 1).record_id);
    at = ask(m, 0, "acme.example__v-1");
    assert_int_equal(count_of(at), 1);
    assert_int_equal(files_in(item_of(at, 0).record), 0); /* of two files the first one by name */
    expect_difference(m, "");
    unlink(root_path(&m->root, "/opt/a/swidtag/u.swidtag"));
    assert_int_equal(collect(m), 1);
    assert_int_equal(count_of(ask(m, 0, "acme.example__u-1")), 1);
}

/* Said with its file, and passed over: nothing of it stops the others, nothing outside is read, nothing waits. */
static void what_is_no_tag_does_no_harm(void **state)
{
    struct machine *m = *state;
    char path[PATH_MAX];
    root_write(&m->root, "/opt/a/swidtag/0.swidtag", "<broken");
    root_write(&m->root, "/opt/a/swidtag/1.swidtag", "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>");
    root_write(&m->root, "/opt/a/swidtag/2.coswid", "\xa1");
    root_write(&m->root, "/opt/a/swidtag/3.swidtag", TAG("a&#10;b", "1", "t", ""));
    root_write(&m->root, "/opt/a/swidtag/4.txt", "no tag by its name");
    root_write(&m->root, "/opt/a/swidtag/5.swidtag", "");
    assert_int_equal(truncate(root_path(&m->root, "/opt/a/swidtag/5.swidtag"), (off_t)PKG_TAG_MAX + 1), 0);
    assert_int_equal(mkfifo(root_path(&m->root, "/opt/a/swidtag/6.swidtag"), 0600), 0);
    root_write(&m->root, "/elsewhere/swidtag/outside.swidtag", TAG("outside", "1", "o", ""));
    snprintf(path, sizeof path, "%s", root_path(&m->root, "/elsewhere"));
    assert_int_equal(symlink(path, root_path(&m->root, "/opt/linked")), 0);
    assert_int_equal(symlink("../../../elsewhere/swidtag/outside.swidtag", root_path(&m->root, "/opt/a/swidtag/7.swidtag")), 0);
    assert_int_equal(mkdir(root_path(&m->root, "/opt/a/swidtag/8.swidtag"), 0755), 0);
    root_write(&m->root, "/opt/a/swidtag/9.swidtag", TAG("good", "1", "g", ""));
    assert_int_equal(collect(m), 2);
    expect_events(m, "bound create good 1\n");
    static const char *const told[] = {"0.swidtag: no usable tag: ", "1.swidtag: no usable tag: a document type", "2.coswid: no usable tag: ",
                                       "3.swidtag: no usable tag: its name", "5.swidtag: too large", "6.swidtag: a link, or no",
                                       "7.swidtag: a link, or no", "8.swidtag: a link, or no"};
    for (size_t i = 0; i < ARRAY_LENGTH(told); i++)
        if (!strstr(wr_string(&m->complaints), told[i]))
            fail_msg("%s is not said in:\n%s", told[i], wr_string(&m->complaints));
    assert_null(strstr(wr_string(&m->complaints), "4.txt"));
    assert_int_equal(collect(m), 0);
}

static void put_folder(void *context, const char *path, bool way)
{
    wr_fmt(context, "%s%s\n", path, way ? " way" : "");
}

/* Whoever watches sees each folder come to be, from what is there now. */
static void all_ways_to_tags_are_told(void **state)
{
    struct machine *m = *state;
    struct wr w = wr_of(0);
    pkg_manager_find("tags")->folders(m->root.path, put_folder, &w);
    assert_string_equal(wr_string(&w), "/usr way\n/usr way\n/usr way\n/usr way\n/ way\n");
    root_write(&m->root, "/usr/share/acme/f", "");
    root_write(&m->root, "/usr/lib/swidtag/acme/a.swidtag", "");
    root_write(&m->root, "/opt/a/b/c/d/f", "");
    wr_reset(&w);
    pkg_manager_find("tags")->folders(m->root.path, put_folder, &w);
    assert_string_equal(wr_string(&w), "/usr/lib way\n/usr/lib/swidtag\n/usr/lib/swidtag/acme\n/usr/share way\n/usr/share/acme way\n/usr way\n/usr way\n"
                                       "/opt way\n/opt/a way\n/opt/a/b way\n/opt/a/b/c way\n");
    wr_free(&w);
}

/* SWIMA-R6, R91, R92: in the answer's data model where that can be, else as it is under its own. */
static void tags_are_told_in_the_answers_model(void **state)
{
    struct machine *m = *state;
    root_write(&m->root, UPDATER, TAG("updater", "1", "u-1", FILES));
    root_write(&m->root, "/opt/acme/swidtag/elder.swidtag", OLD);
    root_put(&m->root, "/opt/acme/swidtag/small.coswid", "\xda\x53\x57\x49\x44\xa5\x00\x61\x61\x01\x61\x61\x02\xa2\x18\x1f\x61\x45\x18\x21\x01\x0c\x00\x0d\x61\x31", 26,
             O_TRUNC);
    assert_int_equal(collect(m), 4);
    static const struct {
        uint32_t asked;
        const char *id;
        uint32_t told;
        unsigned files;
    } rows[] = {
        {SWID_MODEL_2015, "acme.example__u-1", SWID_MODEL_2015, 1},
        {SWID_MODEL_2015, "http://invalid.unavailable__a", SWID_MODEL_2015, 0},
        {SWID_MODEL_2015, "regid.2004-03.example.acme__elder-7", SWID_MODEL_2009, 0},
        {SWID_MODEL_COSWID, "acme.example__u-1", SWID_MODEL_COSWID, 1},
        {SWID_MODEL_COSWID, "http://invalid.unavailable__a", SWID_MODEL_COSWID, 0},
        {SWID_MODEL_COSWID, "regid.2004-03.example.acme__elder-7", SWID_MODEL_2009, 0},
        {SWID_MODEL_2009, "acme.example__u-1", SWID_MODEL_2009, 1},
        {SWID_MODEL_2009, "regid.2004-03.example.acme__elder-7", SWID_MODEL_2009, 0},
        {SWID_MODEL_2009, "strongswan.org__unknown-p-1", SWID_MODEL_2009, 1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena a = arena_of(1 << 20);
        struct swid_tag tag;
        m->inventory.model = rows[i].asked;
        const struct pa_attribute *at = ask(m, 0, i + 1 == ARRAY_LENGTH(rows) ? NULL : rows[i].id);
        const struct pa_sw_inventory_item item = item_of(at, count_of(at) - 1); /* "updater" is behind "p" */
        assert_int_equal(item.model, rows[i].told);
        assert_int_equal(swid_model_of(item.record), rows[i].told);
        assert_int_equal(files_in(item.record), rows[i].files);
        assert_int_equal(swid_tag_read_any(item.record, &a, &tag, &m->error), SWID_OK);
        assert_true(swid_tag_is_of(&tag, item.software_id));
        arena_free(&a);
    }
}

/* SWIMA-R43: what does not fit with its files is told without them, all of it; what does not fit even so is refused. */
static void an_answer_too_large_with_files_is_told_without(void **state)
{
    struct machine *m = *state;
    struct wr list = wr_of(0);
    char path[64];
    for (int i = 0; i < 200; i++) {
        snprintf(path, sizeof path, "/usr/lib/p/%03d", i);
        root_write(&m->root, path, "x");
        wr_fmt(&list, "%s\n", path);
    }
    root_write(&m->root, "/var/lib/dpkg/info/p.list", wr_string(&list));
    root_package(&m->root, "q", "all", "1", "installed");
    root_write(&m->root, "/var/lib/dpkg/info/q.list", "/usr/bin/p\n");
    collect(m);
    m->inventory.tags = &m->style;
    assert_int_equal(files_in(item_of(ask(m, 0, NULL), 0).record), 200);
    assert_int_equal(files_in(item_of(ask(m, 0, NULL), 1).record), 1);
    m->inventory.max_attribute = 3000;
    const struct pa_attribute *at = ask(m, 0, NULL);
    assert_int_equal(count_of(at), 2);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(files_in(item_of(at, i).record), i); /* of q they fit */
    m->inventory.max_attribute = m->connection.encoded.n - 8 - 1; /* now not even those */
    at = ask(m, 0, NULL);
    assert_int_equal(count_of(at), 2);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(files_in(item_of(at, i).record), 0);
    m->inventory.max_attribute = 500;
    at = ask(m, 0, NULL);
    assert_ptr_equal(at->type, &pa_types[PA_ERROR]);
    assert_int_equal(((const struct pa_error *)at->fields)->code, PA_RESPONSE_TOO_LARGE);
    wr_free(&list);
}

/* The same of a vendor's tag that is larger than any tag without files. */
static void a_vendors_large_tag_does_not_make_an_inventory_impossible(void **state)
{
    struct machine *m = *state;
    struct wr tag = wr_of(0);
    wr_str(&tag, "<SoftwareIdentity" ISO "name='large' version='1' tagId='l-1'><Entity name='Acme' regid='acme.example' role='tagCreator'/><Payload>");
    for (int i = 0; i < 3000; i++)
        wr_fmt(&tag, "<File name='some/file/name/%06d' size='1'/>", i);
    wr_str(&tag, "</Payload></SoftwareIdentity>");
    root_write(&m->root, UPDATER, wr_string(&tag));
    collect(m);
    assert_int_equal(files_in(item_of(ask(m, 0, "acme.example__l-1"), 0).record), 3000);
    m->inventory.max_attribute = 4096;
    const struct pa_attribute *at = ask(m, 0, NULL);
    assert_int_equal(count_of(at), 2);
    assert_int_equal(files_in(item_of(at, 0).record), 0);
    expect_text(item_of(at, 0).software_id, "acme.example__l-1");
    wr_free(&tag);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_vendors_tag_is_told_as_it_is),
        CASE(a_vendors_tag_has_a_history),
        CASE(an_old_modification_time_is_no_bound),
        CASE(nothing_is_merged),
        CASE(what_is_no_tag_does_no_harm),
        CASE(all_ways_to_tags_are_told),
        CASE(tags_are_told_in_the_answers_model),
        CASE(an_answer_too_large_with_files_is_told_without),
        CASE(a_vendors_large_tag_does_not_make_an_inventory_impossible),
    };
    return cmocka_run_group_tests_name("vendor_tags", tests, NULL, NULL);
}
