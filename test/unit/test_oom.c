/* Every allocation failing in turn. The linker puts these malloc, calloc, realloc and strdup before libc's for all of our own
 * code (test/meson.build: --wrap), expat and SQLite get them as their allocators. Each scenario runs once for each of its
 * allocations (of the long ones for evenly spread ones), with that one failing and once more with all behind it failing, too:
 * it must neither crash nor leak, and says so. Without a failure it must succeed. */
#include "agent/collector.h"
#include "server/accounts.h"
#include "server/assessment.h"
#include "server/web.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "roots.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#define LEAKED() __lsan_do_recoverable_leak_check()
#else
#define LEAKED() 0
#endif

/* ---- the allocator ----------------------------------------------------------------------------------------------- */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);

static struct {
    bool armed, onward;
    uint64_t count, fail_at;
    bool failed;
} heap;

static bool refuses(void)
{
    if (!heap.armed)
        return false;
    heap.count++;
    bool now = heap.count == heap.fail_at || (heap.onward && heap.count > heap.fail_at);
    heap.failed |= now;
    return now;
}

void *__wrap_malloc(size_t n)
{
    return refuses() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return refuses() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return refuses() ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *s)
{
    return refuses() ? NULL : __real_strdup(s);
}

/* SQLite wants sizes back: they stand before each piece. */
enum { SIZE_ROOM = 16 };

static void *sqlite_malloc(int n)
{
    uint8_t *p = refuses() ? NULL : __real_malloc((size_t)n + SIZE_ROOM);
    if (!p)
        return NULL;
    memcpy(p, &n, sizeof n);
    return p + SIZE_ROOM;
}

static void sqlite_free(void *p)
{
    if (p)
        free((uint8_t *)p - SIZE_ROOM);
}

static void *sqlite_realloc(void *old, int n)
{
    uint8_t *p = refuses() ? NULL : __real_realloc((uint8_t *)old - SIZE_ROOM, (size_t)n + SIZE_ROOM);
    if (!p)
        return NULL;
    memcpy(p, &n, sizeof n);
    return p + SIZE_ROOM;
}

static int sqlite_size(void *p)
{
    int n = 0;
    if (p)
        memcpy(&n, (uint8_t *)p - SIZE_ROOM, sizeof n);
    return n;
}

static int sqlite_roundup(int n)
{
    return (n + 7) & ~7;
}

static int sqlite_init(void *context)
{
    (void)context;
    return SQLITE_OK;
}

static void sqlite_shutdown(void *context)
{
    (void)context;
}

static const sqlite3_mem_methods sqlite_memory = {sqlite_malloc,  sqlite_free, sqlite_realloc,  sqlite_size,
                                                  sqlite_roundup, sqlite_init, sqlite_shutdown, NULL};

/* ---- what the scenarios work on ------------------------------------------------------------------------------------ */

static struct root machine, place; /* an endpoint's file system; where databases go */
static char server_url[128];
static struct agent_posture posture;

static bool yes(void *context)
{
    (void)context;
    return true;
}

/* ---- codec --------------------------------------------------------------------------------------------------------- */

/* Encodes a message of one attribute, decodes it and prints it. */
static bool codec(enum pa_row row, const void *fields, enum nea_role receiver)
{
    struct wr w = wr_of(0), text = wr_of(0);
    struct arena a = arena_of(1 << 20);
    struct json j = json_of(&text);
    struct pa_message m;
    struct nea_fault fault;
    pa_message_put(&w, 1);
    pa_attribute_put(&w, &pa_types[row], 0, fields);
    bool good = !w.bad && pa_message_decode(&a, wr_view(&w), receiver, &m, &fault) == PA_OK;
    if (good)
        pa_attribute_json(&j, &m.attributes[0]);
    good = good && !text.bad;
    arena_free(&a);
    wr_free(&text);
    wr_free(&w);
    return good;
}

/* The same of an attribute with a list of 50 items. */
#define CODEC_LIST(name, ROW, row, list, role, ...)                                                                    \
    static bool name(void)                                                                                             \
    {                                                                                                                  \
        struct wr items = wr_of(0);                                                                                    \
        struct pa_##row fields = {0};                                                                                  \
        for (uint32_t i = 0; i < 50; i++)                                                                              \
            pa_item_put(&items, &pa_types[PA_##ROW], &(struct pa_##row##_item){__VA_ARGS__});                          \
        fields.list = (struct pa_list){wr_view(&items), 50};                                                           \
        bool good = !items.bad && codec(PA_##ROW, &fields, role);                                                      \
        wr_free(&items);                                                                                               \
        return good;                                                                                                   \
    }
#define TIME20 {(const uint8_t *)"2026-11-22T02:00:00Z", 20}
CODEC_LIST(codec_request, SWIMA_REQUEST, swima_request, software_ids, NEA_CLIENT, .software_id = BYTES("a__b"))
CODEC_LIST(codec_id_inventory, SW_ID_INVENTORY, sw_id_inventory, records, NEA_SERVER, .software_id = BYTES("a__b"))
CODEC_LIST(codec_id_events, SW_ID_EVENTS, sw_id_events, events, NEA_SERVER, .eid = i, .time = TIME20, .action = 1,
           .software_id = BYTES("a__b"))
CODEC_LIST(codec_inventory, SW_INVENTORY, sw_inventory, records, NEA_SERVER, .software_id = BYTES("a__b"),
           .record = BYTES("<a/>"))
CODEC_LIST(codec_events, SW_EVENTS, sw_events, events, NEA_SERVER, .eid = i, .time = TIME20, .action = 2,
           .software_id = BYTES("a__b"), .record = BYTES("<a/>"))
CODEC_LIST(codec_packages, INSTALLED_PACKAGES, installed_packages, packages, NEA_SERVER, .name = BYTES("a"),
           .version = BYTES("1"))
CODEC_LIST(codec_ports, PORT_FILTER, port_filter, ports, NEA_SERVER, .protocol = 6, .port = 80)
CODEC_LIST(codec_sources, SOURCE_METADATA_RESPONSE, source_metadata_response, sources, NEA_SERVER, .source = 1,
           .metadata = BYTES("dpkg"))

static bool explain(void)
{
    static const char hex[] = "02 80 00 01 00 00 00 08 # an empty batch\n02 00 00 05 00 00 00 08";
    struct wr octets = wr_of(0), text = wr_of(0);
    struct json j = json_of(&text);
    struct error error;
    bool good = nea_hex_read(bytes_of(hex), &octets, &error);
    if (good) {
        json_object_begin(&j, NULL);
        nea_decode(&j, wr_view(&octets), NEA_PB_TNC);
        json_object_end(&j);
    }
    good = good && !text.bad;
    wr_free(&text);
    wr_free(&octets);
    return good;
}

static bool write_json(void)
{
    struct wr w = wr_of(0);
    struct json j = json_of(&w);
    json_object_begin(&j, NULL);
    for (int i = 0; i < 200; i++)
        json_text(&j, "key", BYTES("value \" \xff"));
    json_object_end(&j);
    bool good = !w.bad;
    wr_string(&w);
    wr_free(&w);
    return good;
}

/* ---- tags and policies ----------------------------------------------------------------------------------------------- */

static bool tag_round_trip(void)
{
    struct wr w = wr_of(0), product = wr_of(0);
    struct arena a = arena_of(1 << 20);
    struct error error = {""};
    struct swid_tag tag = {.regid = BYTES("a.org"), .creator = BYTES("A"), .tag_id = BYTES("Debian_12-x86_64-p-1"),
                           .name = BYTES("p"), .version = BYTES("1"), .package = BYTES("p"), .manager = BYTES("dpkg")}, read;
    swid_put_product(&product, tag.tag_id, tag.name, tag.version);
    tag.product = wr_view(&product);
    bool good = tag.product.n > 0;
    swid_tag_write(&w, &tag);
    good = good && !w.bad && swid_tag_read(wr_view(&w), &a, &read, &error) == SWID_OK && bytes_equal(read.tag_id, tag.tag_id);
    arena_free(&a);
    wr_free(&product);
    wr_free(&w);
    return good;
}

/* ---- the endpoint ---------------------------------------------------------------------------------------------------- */

static bool take_record(void *context, const struct journal_record *r)
{
    ++*(unsigned *)context;
    return r != NULL;
}

static bool take_event(void *context, const struct journal_event *e)
{
    ++*(unsigned *)context;
    return e != NULL;
}

static void ignore_difference(void *context, const char *what, const struct journal_record *r)
{
    (void)context, (void)what, (void)r;
}

static bool collect_into(const char *folder)
{
    char state[100];
    struct journal *j = NULL;
    struct journal_report report;
    struct error error = {""};
    bool renewed;
    const struct journal_options options = {.root = machine.path};
    snprintf(state, sizeof state, "%s/%s", place.path, folder);
    bool good = journal_open(&j, state, JOURNAL_WRITE, &renewed, &error) == JOURNAL_OK &&
                journal_collect(j, &options, &report, &error) == JOURNAL_OK;
    journal_close(j);
    if (!good && !error.text[0])
        fail_msg("a failure without a word");
    return good;
}

static bool collect_first(void)
{
    char path[128];
    for (const char *const *f = (const char *const[]){"", "-wal", "-shm", NULL}; *f; f++) {
        snprintf(path, sizeof path, "%s/first/journal.db%s", place.path, *f);
        unlink(path);
    }
    return collect_into("first");
}

static bool collect_again(void)
{
    return collect_into("state");
}

static struct journal *open_journal(void)
{
    char state[100];
    struct journal *j = NULL;
    struct error error;
    bool renewed;
    snprintf(state, sizeof state, "%s/state", place.path);
    return journal_open(&j, state, JOURNAL_READ, &renewed, &error) == JOURNAL_OK ? j : NULL;
}

static bool read_journal(void)
{
    struct journal *j = open_journal();
    struct journal_head head;
    struct error error;
    unsigned records = 0, events = 0;
    uint32_t differences = 0;
    const struct journal_options options = {.root = machine.path};
    bool good = j && journal_head(j, &head, &error) == JOURNAL_OK &&
                journal_each_record(j, JOURNAL_BOTH, 1700000000, take_record, &records, &error) == JOURNAL_OK &&
                journal_each_event(j, 1, (struct bytes){0}, take_event, &events, &error) == JOURNAL_OK &&
                journal_check(j, &options, ignore_difference, NULL, &differences, &error) == JOURNAL_OK;
    journal_close(j);
    return good && records + events > 0 && differences == 0;
}

static bool read_platform(void)
{
    struct agent_posture p;
    agent_posture_read(machine.path, &p); /* what cannot be read stays unknown */
    return p.platform.name[0] != 0;
}

/* ---- the store ------------------------------------------------------------------------------------------------------- */

static struct store *open_store(void)
{
    struct store *s = NULL;
    struct error error = {""};
    if (store_open(&s, server_url, &error) != STORE_OK && !error.text[0])
        fail_msg("a failure without a word");
    return s;
}

static bool open_and_close_store(void)
{
    struct store *s = open_store();
    store_close(s);
    return s;
}

static bool report_to_store(void)
{
    static uint32_t round;
    char ids[40][32];
    struct store_event events[40];
    struct store_receipt receipt;
    struct error error = {""};
    struct store *s = open_store();
    round++;
    for (uint32_t i = 0; i < 40; i++) {
        snprintf(ids[i], sizeof ids[i], "a.org__p%u-%u", i, round);
        events[i] = (struct store_event){.eid = i + 1, .time = 1700000000, .action = STORE_CREATE, .software_id = bytes_of(ids[i])};
    }
    char name[24];
    snprintf(name, sizeof name, "node%u", round);
    const struct store_report report = {.endpoint = bytes_of(name), .started = 1700000000, .finished = 1700000001,
                                        .software = STORE_EVENTS, .epoch = 1, .earliest = 1, .last_eid = 40,
                                        .last_consulted = 40, .events = events, .event_count = 40, .result = -1, .access = -1};
    bool good = s && store_begin(s, &error) == STORE_OK && store_report(s, &report, &receipt, &error) == STORE_OK &&
                store_commit(s, &error) == STORE_OK;
    if (s && !good)
        store_rollback(s);
    store_close(s);
    return good;
}

static bool take_software(void *context, const struct store_software *s)
{
    return yes(context) && s;
}

static bool take_history(void *context, const struct store_history_event *e)
{
    return yes(context) && e;
}

static bool read_store(void)
{
    struct store *s = open_store();
    struct store_totals totals;
    struct error error = {""};
    uint64_t next;
    bool good = s && store_software(s, 1, TIME_UNKNOWN, TIME_UNKNOWN, 0, 1000, take_software, NULL, &next, &error) == STORE_OK &&
                store_events(s, 1, 0, 1000, take_history, NULL, &next, &error) == STORE_OK &&
                store_totals(s, &totals, &error) == STORE_OK;
    store_close(s);
    return good;
}

static bool ask_and_store_tags(void)
{
    struct store_untagged want[20];
    struct arena a = arena_of(1 << 16);
    struct error error = {""};
    size_t count = 0;
    struct store *s = open_store();
    bool good = s && store_untagged(s, 1, INT64_MAX, 20, 4096, &a, want, &count, &error) == STORE_OK;
    const struct store_tag tag = {.software = 1, .octets = BYTES("<a/>"), .package = {.name = BYTES("a")}};
    good = good && store_begin(s, &error) == STORE_OK && store_asked(s, 1, 1, false, want, count, &error) == STORE_OK &&
           store_tags(s, 1, 1, &tag, 1, &error) == STORE_OK;
    if (s)
        store_rollback(s);
    store_close(s);
    arena_free(&a);
    return good;
}

/* ---- the API --------------------------------------------------------------------------------------------------------- */

static bool route(const char *target, unsigned status)
{
    struct web_request *r = web_request_new();
    struct store *s = r ? open_store() : NULL;
    bool good = false;
    if (r && s) {
        web_parse(r, "GET", bytes_of(target), 1700000000);
        r->store = s;
        if (r->status == 0)
            r->route->handle(r);
        if (r->status == 0)
            fail_msg("a request without an answer");
        good = r->status == status && !r->body.bad;
    }
    web_request_free(r);
    store_close(s);
    return good;
}

static bool route_endpoints(void)
{
    return route("/api/v1/endpoints?limit=10", 200);
}

static bool route_software(void)
{
    return route("/api/v1/endpoints/1/software?at=2026-01-01", 200);
}

static bool route_tag(void)
{
    return route("/api/v1/software/a.org__nobody/tag", 404);
}

/* ---- whole sessions -------------------------------------------------------------------------------------------------- */

struct queue {
    struct store *store;
    struct store_request *open;
};

static bool submit(void *context, struct store_request *r)
{
    ((struct queue *)context)->open = r;
    return true;
}

static void wake(void *context)
{
    (void)context;
}

/* What the store threads do, with the real store. */
static void answer_one(struct queue *q)
{
    struct store_request *r = q->open;
    q->open = NULL;
    r->status = q->store ? STORE_OK : STORE_UNAVAILABLE;
    r->error.text[0] = 0;
    if (r->status == STORE_OK && r->work == WORK_POSITION) {
        r->status = store_position(q->store, r->in.endpoint, &r->out.position, &r->error);
    } else if (r->status == STORE_OK && r->work == WORK_REPORT) {
        if ((r->status = store_begin(q->store, &r->error)) == STORE_OK)
            r->status = store_report(q->store, &r->in.report, &r->out.receipt, &r->error);
        if (r->status == STORE_OK)
            r->status = store_commit(q->store, &r->error);
        else
            store_rollback(q->store);
    }
    r->done(r);
}

static bool carry(struct nea_session *from, struct nea_session *to)
{
    struct wr w = wr_of(0);
    nea_session_out(from, &w);
    bool moved = w.n > 0 && !w.bad;
    if (moved)
        nea_session_feed(to, wr_view(&w), 0);
    wr_free(&w);
    return moved;
}

static bool play(struct nea_session *client, struct nea_session *server, struct queue *q)
{
    for (unsigned turns = 0; turns < 10000; turns++) {
        bool moved = carry(client, server);
        moved |= carry(server, client);
        if (!moved && q->open) {
            answer_one(q);
            moved = true;
        }
        if (!moved)
            break;
    }
    return nea_session_outcome(client).decided && nea_session_outcome(client).access == NEA_ACCESS_ALLOWED &&
           nea_session_outcome(server).access == NEA_ACCESS_ALLOWED;
}

/* `back`: the server is assessed, too; what came of that goes there. */
static bool assess(size_t max_message, struct agent_server *back)
{
    static unsigned round;
    char name[24];
    struct journal *journal = open_journal();
    struct agent_inventory inventory = {.journal = journal};
    struct queue q = {.store = open_store()};
    const struct assessment_host host = {.submit = submit, .wake = wake, .context = &q};
    snprintf(name, sizeof name, "machine%u", round++);
    struct assessment *a = assessment_new(&host, bytes_of(name), BYTES("192.0.2.1"));
    static const struct nea_component *const collectors[] = {&agent_os_collector, &agent_swima_collector},
                                            *const validators[] = {&server_os_validator, &server_swima_validator};
    const struct nea_mutual own = {
        .language = "en", .components = collectors, .contexts = (void *const[]){&posture}, .component_count = 1};
    struct nea_config client = {.role = NEA_CLIENT, .initiator = true, .language = "de", .components = collectors,
                                .contexts = (void *const[]){&posture, &inventory}, .component_count = 2,
                                .mutual = back ? agent_server_mutual(back) : NULL,
                                .limits = {.max_message = max_message}};
    struct nea_config server = {.role = NEA_SERVER, .peer_name = bytes_of(name), .components = validators,
                                .contexts = (void *const[]){a, a}, .component_count = 2, .mutual = &own};
    struct nea_session *c = journal ? nea_session_new(&client, 0) : NULL, *s = a ? nea_session_new(&server, 0) : NULL;
    bool good = c && s && play(c, s, &q);
    if (good && back) {
        const struct nea_outcome outcome = nea_session_mutual(c);
        agent_server_outcome(back, &outcome);
    }
    nea_session_free(c);
    nea_session_free(s);
    assessment_release(a);
    if (q.open)
        answer_one(&q);
    store_close(q.store);
    journal_close(journal);
    return good;
}

static bool assess_whole(void)
{
    return assess(0, NULL);
}

static bool assess_in_segments(void)
{
    return assess(1000, NULL);
}

/* Who does not hear all that the server tells never takes it for good. */
static bool assess_each_other(void)
{
    struct agent_server server = {.last_boot = TIME_UNKNOWN};
    bool good = assess(0, &server) && server.took_part && server.access == NEA_ACCESS_ALLOWED;
    if (server.access == NEA_ACCESS_ALLOWED && strcmp(server.product, posture.platform.name) != 0)
        fail_msg("a server is let in that told nothing");
    return good;
}

/* ---- the table --------------------------------------------------------------------------------------------------------- */

enum { TRIES = 120 }; /* allocations of one scenario that are made to fail, in each of the two ways */

static const struct {
    const char *name;
    bool (*run)(void);
    bool shrugs; /* what it cannot have stays unknown: it may succeed all the same */
} scenarios[] = {
    {"SWIMA request", codec_request, false},
    {"identifier inventory", codec_id_inventory, false},
    {"identifier events", codec_id_events, false},
    {"inventory with records", codec_inventory, false},
    {"events with records", codec_events, false},
    {"installed packages", codec_packages, false},
    {"port filter", codec_ports, false},
    {"source metadata", codec_sources, false},
    {"hexadecimal explained", explain, false},
    {"JSON", write_json, false},
    {"a tag written and read", tag_round_trip, true}, /* expat can do without some of its memory */
    {"os-release and posture", read_platform, true},
    {"first collection", collect_first, true},
    {"collection without news", collect_again, true},
    {"journal read and checked", read_journal, true},
    {"store opened", open_and_close_store, true},
    {"report stored", report_to_store, true},
    {"store read", read_store, true},
    {"tags asked and stored", ask_and_store_tags, true},
    {"API: endpoints", route_endpoints, true},
    {"API: software", route_software, true},
    {"API: tag", route_tag, true},
    {"assessment", assess_whole, true},
    {"assessment in segments", assess_in_segments, true},
    {"mutual assessment", assess_each_other, true},
};

static uint64_t run_once(size_t i, uint64_t fail_at, bool onward)
{
    heap.count = 0;
    heap.fail_at = fail_at;
    heap.onward = onward;
    heap.failed = false;
    heap.armed = true;
    bool good = scenarios[i].run();
    heap.armed = false;
    if (good && heap.failed && !scenarios[i].shrugs)
        fail_msg("%s: allocation %llu failed, and nobody noticed", scenarios[i].name, (unsigned long long)fail_at);
    if (!good && !heap.failed)
        fail_msg("%s: fails with all the memory it wants (allocation %llu)", scenarios[i].name, (unsigned long long)fail_at);
    return heap.count;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(scenarios); i++) {
        uint64_t count = run_once(i, 0, false), step = count / TRIES + 1;
        for (int onward = 0; onward < 2; onward++)
            for (uint64_t k = 1; k <= count; k += step)
                run_once(i, k, onward);
        run_once(i, 0, false); /* nothing is left broken */
        print_message("%s: %llu allocations\n", scenarios[i].name, (unsigned long long)count);
        if (LEAKED())
            fail_msg("%s leaks", scenarios[i].name);
    }
}

static int setup(void **state)
{
    (void)state;
    machine = root_make();
    place = root_make();
    log_set_level(LOG_ERROR);
    root_write(&machine, "/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
    root_write(&machine, "/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    root_write(&machine, "/var/lib/dpkg/arch", "amd64\n");
    root_write(&machine, "/var/log/dpkg.log",
               "2026-01-01 10:00:00 install libc6:amd64 <none> 2.36-9\n2026-01-01 10:00:01 status installed libc6:amd64 2.36-9\n"
               "2026-01-02 10:00:00 upgrade bash:amd64 5.1-1 5.2-1\n2026-01-02 10:00:01 status installed bash:amd64 5.2-1\n");
    for (int i = 0; i < 30; i++) {
        char name[16];
        snprintf(name, sizeof name, "package%d", i);
        root_package(&machine, name, "amd64", "1:1.0+x~1-2", "installed");
    }
    root_package(&machine, "libc6", "amd64", "2.36-9", "installed");
    root_package(&machine, "bash", "amd64", "5.2-1", "installed");
    root_path(&place, "/first/x");
    root_path(&place, "/state/x");
    snprintf(server_url, sizeof server_url, "sqlite:%s/server.db", place.path);
    agent_posture_read(machine.path, &posture);
    return collect_again() && report_to_store() ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    root_remove(&machine);
    root_remove(&place);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &sqlite_memory) != SQLITE_OK)
        return 1;
    return cmocka_run_group_tests(tests, setup, teardown);
}
