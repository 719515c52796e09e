/* Interoperation: sessions of strongSwan 6.0's client and server, as recorded, replayed octet by octet against our
 * whole server and our whole client (PT-TLS, broker, and the real validators and collectors), and its odd ways in
 * exchanges that no recording shows. Only Request IDs are not as recorded: an answer carries the one that our server
 * has given. */
#include "agent/agent.h"
#include "fake_journal.h"
#include "nea/internal.h"
#include "server/assessment.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- recordings -------------------------------------------------------------------------------------------------- */

enum { BATCHES = 40, RECORDINGS = 64 };
struct batch {
    bool from_client;
    unsigned type;
    uint8_t *p;
    size_t n;
};
struct recording {
    char name[64];
    struct batch batches[BATCHES];
    size_t count;
};
static struct recording golden[RECORDINGS], shared[RECORDINGS];
static size_t golden_count, shared_count;

static struct recording *recording_named(struct recording *all, size_t *count, const char *name)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(all[i].name, name) == 0)
            return &all[i];
    assert_true(*count < RECORDINGS);
    snprintf(all[*count].name, sizeof all->name, "%s", name);
    return &all[(*count)++];
}

static void add_batch(struct recording *r, bool from_client, struct bytes hex)
{
    struct wr octets = wr_of(0);
    struct error error;
    assert_true(r->count < BATCHES);
    assert_true(nea_hex_read(hex, &octets, &error));
    assert_true(octets.n >= PB_BATCH_HEADER);
    struct batch *b = &r->batches[r->count++];
    *b = (struct batch){from_client, octets.p[3] & 0x0f, malloc(octets.n), octets.n};
    memcpy(b->p, octets.p, octets.n);
    wr_free(&octets);
}

static const char *source(void)
{
    return getenv("MUSTER_SOURCE") ? getenv("MUSTER_SOURCE") : ".";
}

static void load_golden(void)
{
    static char line[200000], hex[190000];
    char session[64], direction[8], type[16];
    snprintf(line, sizeof line, "%s/test/golden/pb-sessions.txt", source());
    FILE *f = fopen(line, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        if (line[0] != '#' && sscanf(line, "%63s %*u %7s %15s %189999s", session, direction, type, hex) == 4)
            add_batch(recording_named(golden, &golden_count, session), strcmp(direction, "c2s") == 0, bytes_of(hex));
    fclose(f);
}

static int is_batch(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 4 && strcmp(e->d_name + n - 4, ".hex") == 0;
}

static void load_folder(const char *folder, const char *name)
{
    static char text[400000];
    struct dirent **files;
    int n = scandir(folder, &files, is_batch, alphasort);
    for (int i = 0; i < n; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", folder, files[i]->d_name);
        FILE *f = fopen(path, "r");
        assert_non_null(f);
        size_t length = fread(text, 1, sizeof text - 1, f);
        fclose(f);
        text[length] = 0;
        add_batch(recording_named(shared, &shared_count, name), strstr(files[i]->d_name, "-c2s-") != NULL,
                  bytes_of(text));
        free(files[i]);
    }
    if (n >= 0)
        free(files);
}

static int load(void **state)
{
    char path[512];
    (void)state;
    load_golden();
    snprintf(path, sizeof path, "%s/../shared/vectors", source());
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char folder[1024];
        snprintf(folder, sizeof folder, "%s/%s", path, e->d_name);
        if (e->d_name[0] != '.')
            load_folder(folder, e->d_name);
    }
    if (d)
        closedir(d);
    return 0;
}

static int unload(void **state)
{
    (void)state;
    for (size_t i = 0; i < RECORDINGS; i++)
        for (size_t k = 0; k < BATCHES; k++) {
            free(golden[i].batches[k].p);
            free(shared[i].batches[k].p);
        }
    return 0;
}

static const struct recording *recorded(const char *name)
{
    return recording_named(golden, &golden_count, name);
}

/* ---- what ours says ---------------------------------------------------------------------------------------------- */

/* One side of ours, and what it has said. */
struct side {
    struct nea_session *session;
    enum nea_role role;
    struct wr said;                       /* PT-TLS octets that were not looked at */
    unsigned batches[PB_CLOSE + 1], last; /* by type; the type of the last one */
    unsigned attributes[PA_TYPE_COUNT];
    uint32_t request_id, earliest, targets;  /* server: of its last request */
    uint32_t answered_id, items, error_code; /* client: of its last answer or error */
};

static void look_at_attribute(struct side *s, const struct pa_attribute *a)
{
    assert_non_null(a->type);
    s->attributes[a->type - pa_types]++;
    switch ((enum pa_row)(a->type - pa_types)) {
    case PA_SWIMA_REQUEST: {
        const struct pa_swima_request *r = a->fields;
        s->request_id = r->request_id;
        s->earliest = r->earliest_eid;
        s->targets = r->software_ids.count;
        return;
    }
    case PA_SW_ID_EVENTS:
    case PA_SW_EVENTS: {
        const struct pa_sw_id_events *e = a->fields;
        s->answered_id = e->request_id;
        s->items = e->events.count;
        return;
    }
    case PA_SW_ID_INVENTORY:
    case PA_SW_INVENTORY: {
        const struct pa_sw_id_inventory *i = a->fields;
        s->answered_id = i->request_id;
        s->items = i->records.count;
        return;
    }
    case PA_ERROR: {
        const struct pa_error *e = a->fields;
        struct rd r = rd_of(e->information, 0);
        s->error_code = e->code;
        s->answered_id = rd_u32(&r);
        return;
    }
    default:
        return;
    }
}

/* Whatever we send to a real peer is what our own decoder, in its place, finds right. */
static void look_at_batch(struct side *s, struct bytes batch)
{
    enum nea_role peer = s->role == NEA_CLIENT ? NEA_SERVER : NEA_CLIENT;
    struct nea_fault fault;
    struct pb_message m;
    unsigned type = 0;
    assert_int_equal(pb_header_check(batch, peer, &type, &fault), PB_OK);
    s->batches[type]++;
    s->last = type;
    for (struct rd r = pb_batch_messages(batch); pb_message_next(&r, peer, type, &m);) {
        struct arena a = arena_of(1 << 24);
        struct pa_message message;
        if (m.vendor != PEN_IETF || m.type != PB_PA)
            continue;
        assert_int_equal(pa_message_decode(&a, pb_pa_read(m.value).message, peer, &message, &fault), PA_OK);
        for (size_t i = 0; i < message.count; i++)
            look_at_attribute(s, &message.attributes[i]);
        arena_free(&a);
    }
}

static void listen_to(struct side *s)
{
    nea_session_out(s->session, &s->said);
    struct rd r = rd_of(wr_view(&s->said), 0);
    while (rd_left(&r) >= PT_HEADER) {
        rd_u32(&r);
        uint32_t type = rd_u32(&r), length = rd_u32(&r);
        rd_u32(&r);
        struct bytes value = rd_take(&r, length - PT_HEADER);
        assert_false(r.bad);
        if (type == PT_BATCH)
            look_at_batch(s, value);
    }
    wr_reset(&s->said);
}

/* One octet after the other. */
static void hear(struct side *s, struct bytes batch)
{
    struct wr w = wr_of(0);
    wr_u32(&w, PEN_IETF);
    wr_u32(&w, PT_BATCH);
    wr_u32(&w, PT_HEADER + batch.n);
    wr_u32(&w, 2);
    wr_bytes(&w, batch);
    for (size_t i = 0; i < w.n; i++)
        nea_session_feed(s->session, (struct bytes){w.p + i, 1}, 0);
    wr_free(&w);
}

/* ---- our server -------------------------------------------------------------------------------------------------- */

struct server {
    struct side side;
    struct assessment *assessment;
    struct assessment_host host;
    struct store_request *open;
    struct store_position position;
    bool slow;                      /* the store answers only where the test says so */
    const char *const *wanted;      /* tags that it asks for */
    unsigned events, records, tags; /* of the reports that it stored; of the tags that came */
};

static bool submit(void *context, struct store_request *r)
{
    struct server *s = context;
    assert_null(s->open);
    s->open = r;
    r->error.text[0] = 0;
    return true;
}

static void wake(void *context)
{
    (void)context;
}

static void want_tags(struct tags *t, const char *const *wanted)
{
    t->arena = arena_of(1 << 24);
    while (wanted[t->wanted_count])
        t->wanted_count++;
    t->wanted = arena_zalloc(&t->arena, t->wanted_count, sizeof *t->wanted);
    t->records = arena_zalloc(&t->arena, t->wanted_count, sizeof *t->records);
    for (size_t i = 0; i < t->wanted_count; i++)
        t->wanted[i] = (struct store_untagged){.id = (int64_t)i + 1, .software_id = bytes_of(wanted[i])};
}

static void store_answers(struct server *s)
{
    while (s->open) {
        struct store_request *r = s->open;
        s->open = NULL;
        r->status = STORE_OK;
        if (r->work == WORK_POSITION) {
            r->out.position = s->position;
            if (s->wanted)
                want_tags(r->tags, s->wanted);
        } else if (r->work == WORK_REPORT) {
            const struct store_report *in = &r->in.report;
            if (in->software != STORE_NO_SOFTWARE)
                s->position =
                    (struct store_position){.known = true, .epoch = in->epoch, .last_eid = in->last_consulted};
            *(in->software == STORE_EVENTS ? &s->events : &s->records) += (unsigned)in->event_count;
            r->out.receipt = (struct store_receipt){.session = 7, .epoch = in->epoch, .last_eid = in->last_consulted};
        } else if (r->work == WORK_TAGS) {
            s->tags += (unsigned)r->tags->record_count;
        }
        r->done(r);
    }
}

static void settle_down(struct server *s)
{
    for (int i = 0; i < 20; i++) {
        listen_to(&s->side);
        if (!s->open || s->slow)
            return;
        store_answers(s);
    }
    fail_msg("the store is asked without end");
}

static struct server *server_of(const char *const *wanted)
{
    static const struct nea_component *const components[] = {&server_os_validator, &server_swima_validator};
    struct server *s = calloc(1, sizeof *s);
    s->wanted = wanted;
    s->host = (struct assessment_host){.submit = submit, .wake = wake, .context = s};
    s->assessment = assessment_new(&s->host, BYTES("carol"), BYTES("192.0.2.1"));
    void *contexts[] = {s->assessment, s->assessment};
    struct nea_config config = {.role = NEA_SERVER,
                                .peer_name = BYTES("carol"),
                                .components = components,
                                .contexts = contexts,
                                .component_count = 2};
    s->side = (struct side){.role = NEA_SERVER, .said = wr_of(0), .session = nea_session_new(&config, 0)};
    nea_session_feed(s->side.session, BYTES("\0\0\0\0\0\0\0\1\0\0\0\x14\0\0\0\0\0\1\1\1"), 0);
    settle_down(s);
    return s;
}

static void server_free(struct server *s)
{
    nea_session_free(s->side.session);
    assessment_release(s->assessment);
    store_answers(s);
    wr_free(&s->side.said);
    free(s);
}

/* Writes `id` where the answers in a batch have their Request ID: also in the first segment of one. */
static void put_request_id(uint8_t *p, size_t n, uint32_t id)
{
    struct pb_message m;
    for (struct rd r = pb_batch_messages((struct bytes){p, n}); pb_message_next(&r, NEA_SERVER, p[3] & 0x0f, &m);) {
        if (m.vendor != PEN_IETF || m.type != PB_PA)
            continue;
        struct bytes pa = pb_pa_read(m.value).message;
        uint8_t *at = p + (pa.p - p) + PA_MESSAGE_HEADER, *end = p + (pa.p - p) + pa.n;
        while (end - at >= PA_ATTRIBUTE_HEADER) {
            struct rd header = rd_of((struct bytes){at, PA_ATTRIBUTE_HEADER}, 0);
            uint32_t vendor = rd_u32(&header) & 0xffffff, type = rd_u32(&header), length = rd_u32(&header);
            uint8_t *value = at + PA_ATTRIBUTE_HEADER;
            if (vendor == PEN_TCG && type == 35 && value[0] & SEG_START) /* the envelope's head, the attribute's */
                value += 4 + PA_ATTRIBUTE_HEADER;
            else if (vendor == PEN_IETF && type == 8)
                value += 4;
            else if (vendor != PEN_IETF || type < 14 || type > 17)
                value = NULL;
            for (int i = 0; value && i < 4; i++)
                value[4 + i] = (uint8_t)(id >> (24 - 8 * i));
            at += length;
        }
    }
}

/* A subscription's ID is that of the request that made it, which is the first. */
enum { SUBSCRIPTION = 1 };

static void server_hears_of(struct server *s, uint32_t id, const struct batch *b, enum pb_type type)
{
    uint8_t *copy = malloc(b->n);
    memcpy(copy, b->p, b->n);
    put_request_id(copy, b->n, id);
    copy[3] = (uint8_t)type;
    hear(&s->side, (struct bytes){copy, b->n});
    free(copy);
    settle_down(s);
}

static void server_hears(struct server *s, const struct batch *b)
{
    server_hears_of(s, b->type == PB_CRETRY ? SUBSCRIPTION : s->side.request_id, b, b->type);
}

/* The events from `earliest` on of those that were recorded. */
static uint32_t events_from(struct wr *list, uint32_t earliest, const struct pa_sw_id_events *recorded)
{
    struct bytes rest = recorded->events.raw;
    struct pa_sw_id_events_item item;
    uint32_t count = 0;
    while (pa_list_next(&pa_types[PA_SW_ID_EVENTS], &rest, &item))
        if (item.eid >= earliest) {
            pa_item_put(list, &pa_types[PA_SW_ID_EVENTS], &item);
            count++;
        }
    return count;
}

/* Our server asks more than the recorded one: of holes in the EIDs, and for the inventory that sets right what they may
 * have meant. The recorded client's answer is made of the events that it had told: the same octets, fewer of them; its
 * inventory is one record. */
static void server_hears_the_rest(struct server *s, const struct batch *told)
{
    struct arena a = arena_of(1 << 24);
    struct pa_message message;
    struct nea_fault fault;
    struct pb_message m;
    struct rd r = pb_batch_messages((struct bytes){told->p, told->n});
    assert_true(pb_message_next(&r, NEA_SERVER, told->type, &m));
    assert_int_equal(pa_message_decode(&a, pb_pa_read(m.value).message, NEA_SERVER, &message, &fault), PA_OK);
    struct pa_sw_id_events events = *(const struct pa_sw_id_events *)message.attributes[message.count - 1].fields;
    struct wr list = wr_of(0), batch = wr_of(0);
    size_t begin = pb_batch_begin(&batch, NEA_CLIENT, PB_CDATA);
    size_t pb = pb_pa_begin(&batch, &(struct pb_pa){PB_PA_EXCL, PEN_IETF, PA_SUBTYPE_SWIMA, 2, 2, {NULL, 0}});
    pa_message_put(&batch, 77);
    if (s->side.earliest) {
        uint32_t count = events_from(&list, s->side.earliest, &events);
        events.request_id = s->side.request_id;
        events.events = (struct pa_list){wr_view(&list), count};
        pa_attribute_put(&batch, &pa_types[PA_SW_ID_EVENTS], 0, &events);
    } else {
        pa_item_put(&list, &pa_types[PA_SW_ID_INVENTORY],
                    &(struct pa_sw_id_inventory_item){.software_id = BYTES("strongswan.org__a")});
        struct pa_sw_id_inventory inventory = {
            .request_id = s->side.request_id, .epoch = events.epoch, .last_eid = events.last_eid};
        inventory.records = (struct pa_list){wr_view(&list), 1};
        pa_attribute_put(&batch, &pa_types[PA_SW_ID_INVENTORY], 0, &inventory);
    }
    pb_message_end(&batch, pb);
    pb_batch_end(&batch, begin);
    hear(&s->side, wr_view(&batch));
    settle_down(s);
    wr_free(&list);
    wr_free(&batch);
    arena_free(&a);
}

/* ---- our client -------------------------------------------------------------------------------------------------- */

struct client {
    struct side side;
    struct agent_posture posture;
    struct agent_inventory inventory;
};

static struct client *client_of(size_t max_message)
{
    static const struct nea_component *const components[] = {&agent_os_collector, &agent_swima_collector};
    struct client *c = calloc(1, sizeof *c);
    agent_posture_read("/", &c->posture);
    void *contexts[] = {&c->posture, &c->inventory};
    struct nea_config config = {.role = NEA_CLIENT,
                                .initiator = true,
                                .stay = true,
                                .language = "en",
                                .components = components,
                                .contexts = contexts,
                                .component_count = 2,
                                .limits = {.max_message = max_message}};
    c->side = (struct side){.role = NEA_CLIENT, .said = wr_of(0), .session = nea_session_new(&config, 0)};
    nea_session_feed(c->side.session,
                     BYTES("\0\0\0\0\0\0\0\2\0\0\0\x14\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\3\0\0\0\x10\0\0\0\1"), 0);
    listen_to(&c->side);
    return c;
}

static void client_free(struct client *c)
{
    nea_session_free(c->side.session);
    wr_free(&c->side.said);
    free(c);
}

static void client_hears(struct client *c, struct bytes batch)
{
    hear(&c->side, batch);
    listen_to(&c->side);
}

static int setup(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof fake);
    fake.head = (struct journal_head){.epoch = 0xc0ffee, .last_eid = 52, .collected = 1700000000};
    fake.records = 10;
    fake.time = 1652426624;
    return 0;
}

/* ---- the tests --------------------------------------------------------------------------------------------------- */

/* Who changes a recording, or adds one, hears of it here. */
static void the_recordings_are_those_that_are_shared(void **state)
{
    (void)state;
    if (!shared_count) {
        print_message("skip the comparison of the recorded sessions: ../shared/vectors is not here\n");
        skip();
    }
    for (size_t i = 0; i < shared_count; i++) {
        const struct recording *here = recorded(shared[i].name);
        if (!here->count)
            fail_msg("%s is not in test/golden/pb-sessions.txt", shared[i].name);
        assert_int_equal(here->count, shared[i].count);
        for (size_t k = 0; k < here->count; k++) {
            assert_int_equal(here->batches[k].from_client, shared[i].batches[k].from_client);
            assert_int_equal(here->batches[k].n, shared[i].batches[k].n);
            assert_memory_equal(here->batches[k].p, shared[i].batches[k].p, here->batches[k].n);
        }
    }
}

static const char *const three[] = {"strongswan.org__Debian_12-x86_64-bash-5.2.15-2~b7",
                                    "strongswan.org__Debian_12-x86_64-hemi-9.9.1~dfsg-1~deb12u3",
                                    "strongswan.org__Debian_12-x86_64-vim-2~9.0.1378-2", NULL};

/* What strongSwan's client said, said to our server. SWIMA-R10, R31, R41, R100, PB-R3, SEG-R4 */
static void its_client_as_recorded(void **state)
{
    static const struct {
        const char *name;
        unsigned results, events, records, tags, requests;
        enum nea_access access; /* of the last result */
    } rows[] = {
        {"swima-id-events", 1, 52, 0, 0, 1, NEA_ACCESS_ALLOWED},
        {"swima-id-events-segmented", 1, 52, 0, 0, 1, NEA_ACCESS_ALLOWED},
        {"pt-eap-swima-52", 1, 52, 0, 0, 1, NEA_ACCESS_ALLOWED},
        {"swima-targeted-after-events", 1, 52, 0, 3, 2, NEA_ACCESS_ALLOWED},
        {"subscription-retry", 3, 19, 1, 0, 3, NEA_ACCESS_ALLOWED},
        {"error-events-no-db", 1, 0, 0, 0, 1, NEA_ACCESS_DENIED},  /* an error, and another answer than was asked for */
        {"swima-inventory-gen", 1, 0, 0, 0, 1, NEA_ACCESS_DENIED}, /* it was asked for something else there */
        {"os-only-cert", 0, 0, 0, 0, 1, NEA_ACCESS_NONE},          /* there it was not asked for software */
        {"os-only-sasl", 0, 0, 0, 0, 1, NEA_ACCESS_NONE},
        {"test-retry", 0, 0, 0, 0, 1, NEA_ACCESS_NONE}, /* an endpoint without posture */
    };
    (void)state;
    assert_int_equal(ARRAY_LENGTH(rows), golden_count);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct recording *r = recorded(rows[i].name);
        struct server *s = server_of(rows[i].tags ? three : NULL);
        for (size_t k = 0; k < r->count; k++) {
            if (r->batches[k].from_client)
                server_hears(s, &r->batches[k]);
            if (rows[i].records && k == 2)
                while (s->side.last == PB_SDATA)
                    server_hears_the_rest(s, &r->batches[k]);
        }
        struct nea_outcome o = nea_session_outcome(s->side.session);
        const unsigned got[] = {s->side.batches[PB_RESULT], s->events, s->records, s->tags,
                                s->side.attributes[PA_SWIMA_REQUEST]};
        if (memcmp(got, &rows[i].results, sizeof got) != 0 || o.fault.text[0] || o.access != rows[i].access)
            fail_msg("%s: %u results, %u events, %u records, %u tags, %u requests, access %s %s", r->name, got[0],
                     got[1], got[2], got[3], got[4], nea_access_name(o.access), o.fault.text);
        assert_int_equal(s->side.attributes[PA_ERROR], 0); /* SWIMA-R72 */
        assert_int_equal(nea_session_finished(s->side.session), r->batches[r->count - 1].type == PB_CLOSE);
        server_free(s);
    }
}

/* What strongSwan's server said, said to our client. Our collectors have 52 events and 10 packages, of which the
 * recorded server named none. PB-R3, PB-R58, SWIMA-R21, R100, R101, SEG-R9 */
static void its_server_as_recorded(void **state)
{
    static const struct {
        const char *name;
        enum pa_row answer; /* the last one; PA_TYPE_COUNT: it was asked for nothing */
        uint32_t id, items;
        unsigned answers, results;
        size_t max_message;
    } rows[] = {
        {"swima-id-events", PA_SW_ID_EVENTS, 7, 52, 1, 1, 0},
        {"pt-eap-swima-52", PA_SW_ID_EVENTS, 4, 52, 1, 1, 0},
        {"error-events-no-db", PA_SW_ID_EVENTS, 18, 52, 1, 1, 0},
        {"swima-inventory-gen", PA_SW_INVENTORY, 4, 10, 1, 1, 0},
        {"swima-targeted-after-events", PA_SW_INVENTORY, 14, 0, 2, 1, 0},
        {"subscription-retry", PA_SW_ID_EVENTS, 0x50, 1, 3, 3, 0},
        {"swima-id-events-segmented", PA_SEGMENT_ENVELOPE, 0, 0, 5, 1, 1000},
        {"os-only-cert", PA_TYPE_COUNT, 0, 0, 0, 1, 0},
        {"os-only-sasl", PA_TYPE_COUNT, 0, 0, 0, 1, 0},
        {"test-retry", PA_TYPE_COUNT, 0, 0, 0, 2, 0},
    };
    (void)state;
    assert_int_equal(ARRAY_LENGTH(rows), golden_count);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct recording *r = recorded(rows[i].name);
        struct client *c = client_of(rows[i].max_message);
        setup(NULL);
        for (size_t k = 0; k < r->count; k++) {
            const struct batch *b = &r->batches[k];
            if (b->type == PB_CRETRY && strcmp(r->name, "test-retry") == 0) {
                nea_session_retry(c->side.session);
            } else if (b->type == PB_CRETRY) { /* a subscription's news */
                fake.head.last_eid++;
                nea_session_push(c->side.session);
            } else if (!b->from_client) {
                client_hears(c, (struct bytes){b->p, b->n});
            }
            listen_to(&c->side);
        }
        struct nea_outcome o = nea_session_outcome(c->side.session);
        unsigned retries = rows[i].results - 1;
        if (o.fault.text[0] || !o.decided || o.state != PB_DECIDED || c->side.batches[PB_CRETRY] != retries)
            fail_msg("%s: %u retries, %s", r->name, c->side.batches[PB_CRETRY], o.fault.text);
        assert_int_equal(o.access, NEA_ACCESS_ALLOWED);
        assert_int_equal(o.result, NEA_COMPLIANT);
        assert_int_equal(c->side.attributes[PA_ERROR], 0);
        unsigned answers = c->side.attributes[PA_SW_ID_EVENTS] + c->side.attributes[PA_SW_INVENTORY] +
                           c->side.attributes[PA_SW_ID_INVENTORY] + c->side.attributes[PA_SEGMENT_ENVELOPE];
        if (answers != rows[i].answers || c->side.answered_id != rows[i].id || c->side.items != rows[i].items)
            fail_msg("%s: %u answers, of request %u, %u items", r->name, answers, c->side.answered_id, c->side.items);
        if (rows[i].answer != PA_TYPE_COUNT)
            assert_true(c->side.attributes[rows[i].answer] > 0);
        client_free(c);
    }
}

/* ---- what no recording shows ------------------------------------------------------------------------------------- */

static const uint8_t empty_cdata[] = {2, 0, 0, PB_CDATA, 0, 0, 0, 8},
                     empty_sdata[] = {2, 0x80, 0, PB_SDATA, 0, 0, 0, 8};

/* strongSwan's client without collectors and its server without workitems say empty batches to each other for ever. */
static void nobody_goes_on_for_ever(void **state)
{
    (void)state;
    struct server *s = server_of(NULL);
    unsigned said = 0;
    while (!s->side.batches[PB_RESULT] && said++ < 10) {
        hear(&s->side, (struct bytes){empty_cdata, sizeof empty_cdata});
        settle_down(s);
    }
    assert_int_equal(s->side.batches[PB_RESULT], 1);
    assert_int_equal(nea_session_outcome(s->side.session).access, NEA_ACCESS_DENIED);
    server_free(s);
    struct client *c = client_of(0);
    for (said = 0; !nea_session_finished(c->side.session) && said < 100000; said++)
        client_hears(c, (struct bytes){empty_sdata, sizeof empty_sdata});
    assert_true(said < 5000);
    assert_non_null(strstr(nea_session_outcome(c->side.session).fault.text, "without end"));
    client_free(c);
}

/* PB-R3, RFC 5793 §3.2. Its client reads nothing until something happens; then it says CRETRY, finds our SRETRY and
 * SDATA, and says one CDATA for each. The second comes while the store is at work, when the result is out, or when we
 * have asked for something; what it says then to our next SDATA is the one too many. */
static void its_client_takes_a_crossing_retry_for_its_turn(void **state)
{
    enum { AT_WORK, DECIDED, ASKED, NEVER, CASES }; /* never: a client that follows the RFC */
    static const struct batch nothing = {true, PB_CDATA, (uint8_t *)(uintptr_t)empty_cdata, sizeof empty_cdata};
    const struct recording *r = recorded("subscription-retry");
    (void)state;
    for (int second = 0; second < CASES; second++) {
        struct server *s = server_of(NULL);
        server_hears(s, &r->batches[0]);
        server_hears(s, &r->batches[2]);
        while (s->side.last == PB_SDATA)
            server_hears_the_rest(s, &r->batches[2]);
        nea_session_retry(s->side.session);
        settle_down(s);
        unsigned asked = s->side.batches[PB_SDATA];
        server_hears(s, &r->batches[4]); /* crosses it */
        assert_int_equal(s->side.batches[PB_SDATA], asked);
        if (second == ASKED) { /* it has only its posture to tell */
            server_hears_of(s, 0, &r->batches[0], PB_CDATA);
            server_hears(s, &nothing);
            assert_int_equal(s->side.batches[PB_SDATA], asked + 2);
        }
        s->slow = second == AT_WORK;
        server_hears_of(s, second == ASKED ? s->side.request_id : SUBSCRIPTION, &r->batches[4], PB_CDATA);
        assert_int_equal(s->open != NULL, second == AT_WORK);
        if (second != NEVER)
            server_hears(s, &nothing);
        s->slow = false;
        settle_down(s);
        assert_int_equal(s->side.batches[PB_RESULT], 2);
        assert_int_equal(s->events, 18);
        server_hears(s, &r->batches[6]); /* and it goes on */
        struct nea_outcome o = nea_session_outcome(s->side.session);
        assert_int_equal(s->side.batches[PB_RESULT], 3);
        assert_int_equal(s->events, 19);
        assert_int_equal(o.access, NEA_ACCESS_ALLOWED);
        assert_string_equal(o.fault.text, "");
        server_hears(s, &nothing); /* once for each crossing, and no more */
        assert_int_equal(nea_session_finished(s->side.session), second != NEVER);
        server_free(s);
    }
}

/* SWIMA-R80: who denies a subscription has done nothing of the request; strongSwan's client answers all the same, here
 * in segments that are on their way while we read the denial. */
static void a_denial_in_segments_asks_for_nothing_anew(void **state)
{
    const struct recording *r = recorded("swima-id-events-segmented");
    const struct batch *told = &r->batches[2];
    struct server *s = server_of(NULL);
    (void)state;
    server_hears(s, &r->batches[0]);
    struct wr w = wr_of(0);
    size_t begin = pb_batch_begin(&w, NEA_CLIENT, PB_CDATA);
    size_t pb = pb_pa_begin(&w, &(struct pb_pa){PB_PA_EXCL, PEN_IETF, PA_SUBTYPE_SWIMA, 2, 2, {NULL, 0}});
    pa_message_put(&w, 78);
    pa_attribute_put(&w, &pa_types[PA_ERROR], 0,
                     &(struct pa_error){.code = PA_SUBSCRIPTION_DENIED, .information = BYTES("\0\0\0\0no")});
    pb_message_end(&w, pb);
    wr_bytes(&w, (struct bytes){told->p + PB_BATCH_HEADER, told->n - PB_BATCH_HEADER});
    pb_batch_end(&w, begin);
    server_hears(s, &(struct batch){true, PB_CDATA, (uint8_t *)(uintptr_t)w.p, w.n});
    for (size_t k = 3; k < r->count; k++)
        if (r->batches[k].from_client)
            server_hears(s, &r->batches[k]);
    assert_int_equal(s->side.attributes[PA_SWIMA_REQUEST], 1);
    assert_int_equal(s->side.batches[PB_RESULT], 1);
    assert_int_equal(s->events, 52);
    assert_int_equal(nea_session_outcome(s->side.session).access, NEA_ACCESS_ALLOWED);
    wr_free(&w);
    server_free(s);
}

/* SWIMA-R79, RFC 8412 §5.5: its server names software under the ID of the request that has just subscribed, which is an
 * error; that ends neither the exchange nor the subscription. */
static void its_server_uses_its_subscription_id_again(void **state)
{
    enum { REQUEST_FLAGS = 172 }; /* where its request has them, the last but 11 of 184 octets */
    const struct recording *r = recorded("swima-targeted-after-events");
    struct client *c = client_of(0);
    (void)state;
    uint8_t *copy = malloc(r->batches[1].n);
    memcpy(copy, r->batches[1].p, r->batches[1].n);
    assert_int_equal(r->batches[1].n, REQUEST_FLAGS + 12);
    assert_int_equal(copy[REQUEST_FLAGS], 0x20);
    copy[REQUEST_FLAGS] |= 0x40; /* subscribe */
    client_hears(c, (struct bytes){copy, r->batches[1].n});
    assert_int_equal(c->side.items, 52);
    client_hears(c, (struct bytes){r->batches[3].p, r->batches[3].n});
    assert_int_equal(c->side.attributes[PA_ERROR], 1);
    assert_int_equal(c->side.error_code, PA_SUBSCRIPTION_ID_REUSE);
    assert_int_equal(c->side.answered_id, 14);
    client_hears(c, (struct bytes){r->batches[5].p, r->batches[5].n});
    assert_int_equal(nea_session_outcome(c->side.session).access, NEA_ACCESS_ALLOWED);
    fake.head.last_eid++;
    nea_session_push(c->side.session);
    listen_to(&c->side);
    assert_int_equal(c->side.last, PB_CRETRY);
    assert_int_equal(c->side.answered_id, 14);
    assert_int_equal(c->side.items, 1);
    free(copy);
    client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_recordings_are_those_that_are_shared, setup),
        cmocka_unit_test_setup(its_client_as_recorded, setup),
        cmocka_unit_test_setup(its_server_as_recorded, setup),
        cmocka_unit_test_setup(nobody_goes_on_for_ever, setup),
        cmocka_unit_test_setup(its_client_takes_a_crossing_retry_for_its_turn, setup),
        cmocka_unit_test_setup(a_denial_in_segments_asks_for_nothing_anew, setup),
        cmocka_unit_test_setup(its_server_uses_its_subscription_id_again, setup),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
