/* Whatever an endpoint sends, the validators let nobody in whose report was not stored so, send no PA-TNC Error, use no
 * Request ID twice and hold nothing for ever. First octet: bit 0 the endpoint is known, bit 1 tags are wanted. Then
 * steps: an octet (bits 0 and 1 what, bit 2 the store refuses), and for a message two octets of its length, and the
 * PA-TNC message. */
#include "server/assessment.h"

#include <stdlib.h>
#include <string.h>

enum step { TO_SWIMA, TO_OS, BATCH_ENDS, BEGINS_ANEW };

struct nea_connection {
    const struct nea_component *component;
    void *state;
    unsigned holds;
    bool recommended;
    enum nea_access access;
};

static struct store_request *open_request;
static struct nea_connection connections[2];
static uint32_t last_id;
static int stored; /* access of the last report that was stored in this exchange, -1: none */

/* ---- the broker's stand-in ---- */

void nea_send(struct nea_connection *c, uint16_t to, const struct pa_out *attributes, size_t count)
{
    (void)to;
    for (size_t i = 0; i < count; i++) {
        struct wr w = wr_of(0);
        pa_attribute_put(&w, attributes[i].type, attributes[i].flags, attributes[i].fields);
        if (w.bad || attributes[i].type == &pa_types[PA_ERROR])
            abort();
        wr_free(&w);
        if (attributes[i].type != &pa_types[PA_SWIMA_REQUEST])
            continue;
        const struct pa_swima_request *r = attributes[i].fields;
        if (c->component != &server_swima_validator || r->request_id <= last_id)
            abort();
        last_id = r->request_id;
    }
}

void nea_hold(struct nea_connection *c)
{
    c->holds++;
}

void nea_release(struct nea_connection *c)
{
    if (!c->holds--)
        abort();
}

void nea_recommend(struct nea_connection *c, enum nea_result result, enum nea_access access, struct bytes reason,
                   const char *language)
{
    (void)result, (void)reason, (void)language;
    c->recommended = true;
    c->access = access;
    if (access == NEA_ACCESS_ALLOWED && stored < 0)
        abort();
}

void nea_remediate(struct nea_connection *c, enum nea_remediation kind, struct bytes text, const char *language)
{
    (void)c, (void)kind, (void)text, (void)language;
}

struct bytes nea_peer_language(const struct nea_connection *c)
{
    (void)c;
    return (struct bytes){NULL, 0};
}

size_t nea_max_message(const struct nea_connection *c)
{
    (void)c;
    return 1 << 20;
}

void nea_progress(struct nea_connection *c)
{
    (void)c;
}

bool nea_receiving(const struct nea_connection *c)
{
    (void)c;
    return false;
}

/* ---- the store ---- */

static bool want_tags;

static bool submit(void *context, struct store_request *r)
{
    (void)context;
    if (open_request)
        abort();
    open_request = r;
    return true;
}

static void wake(void *context)
{
    (void)context;
}

static void look_for_tags(struct tags *t)
{
    t->arena = arena_of(1 << 20);
    t->wanted = arena_zalloc(&t->arena, 2, sizeof *t->wanted);
    t->records = arena_zalloc(&t->arena, 2, sizeof *t->records);
    t->wanted[0] = (struct store_untagged){1, BYTES("a__b")};
    t->wanted[1] = (struct store_untagged){2, BYTES("a__c")};
    t->wanted_count = 2;
}

static void answer_store(const struct store_position *position, bool refuses)
{
    struct store_request *r = open_request;
    open_request = NULL;
    r->status = STORE_OK;
    if (r->work == WORK_POSITION) {
        r->out.position = *position;
        if (want_tags)
            look_for_tags(r->tags);
    } else if (r->work == WORK_REPORT) {
        r->status = refuses ? STORE_CONFLICT : STORE_OK;
        r->out.receipt =
            (struct store_receipt){.session = 7, .epoch = r->in.report.epoch, .last_eid = r->in.report.last_consulted};
        if (!refuses)
            stored = r->in.report.access;
    }
    r->done(r);
}

/* ---- an exchange ---- */

static void begin(void)
{
    stored = -1;
    for (size_t i = 0; i < ARRAY_LENGTH(connections); i++) {
        connections[i].recommended = false;
        connections[i].component->begin_handshake(connections[i].state);
    }
}

static bool decided(void)
{
    return connections[0].recommended && connections[1].recommended && !connections[0].holds && !connections[1].holds;
}

static void end_batch(const struct store_position *position, bool refuses)
{
    for (size_t i = 0; i < ARRAY_LENGTH(connections); i++)
        connections[i].component->batch_ending(connections[i].state);
    while (open_request)
        answer_store(position, refuses);
    if (connections[0].holds || connections[1].holds)
        abort();
    for (size_t i = 0; decided() && i < ARRAY_LENGTH(connections); i++)
        connections[i].component->decided(connections[i].state, NEA_DONT_KNOW, connections[i].access);
    if (decided() && (connections[0].access == NEA_ACCESS_ALLOWED) && connections[1].access == NEA_ACCESS_ALLOWED &&
        stored != NEA_ACCESS_ALLOWED)
        abort();
    while (open_request)
        answer_store(position, refuses);
}

static void deliver(struct nea_connection *c, struct bytes octets)
{
    struct arena arena = arena_of(16 << 20);
    struct pa_message message;
    struct nea_fault fault;
    if (pa_message_decode(&arena, octets, NEA_SERVER, &message, &fault) == PA_OK)
        c->component->receive(c->state, &(struct nea_delivery){PEN_IETF, c->component->subtype, 3, &message});
    else
        c->component->refused(c->state, &fault);
    arena_free(&arena);
}

static void play(struct rd *r, const struct store_position *position)
{
    begin();
    while (rd_more(r)) {
        uint8_t step = rd_u8(r);
        if ((step & 3) == BEGINS_ANEW && decided())
            begin();
        else if ((step & 3) == BATCH_ENDS && !decided())
            end_batch(position, step & 4);
        if ((step & 3) > TO_OS)
            continue;
        struct bytes message = rd_take(r, rd_u16(r));
        if (!decided())
            deliver(&connections[(step & 3) == TO_SWIMA], message);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct nea_component *const components[] = {&server_os_validator, &server_swima_validator};
    static const struct assessment_host host = {.submit = submit, .wake = wake};
    struct rd r = rd_of((struct bytes){data, size}, 0);
    uint8_t first = rd_u8(&r);
    const struct store_position position = {
        .endpoint = 1, .known = first & 1, .epoch = first & 1, .last_eid = first & 1 ? 4 : 0};
    want_tags = first & 2;
    last_id = 0;
    log_set_level(LOG_ERROR);
    struct assessment *a = assessment_new(&host, BYTES("alice"), BYTES("192.0.2.1"));
    for (size_t i = 0; i < ARRAY_LENGTH(connections); i++) {
        connections[i] = (struct nea_connection){.component = components[i]};
        connections[i].state = components[i]->create(a, &connections[i]);
    }
    play(&r, &position);
    for (size_t i = 0; i < ARRAY_LENGTH(connections); i++)
        components[i]->destroy(connections[i].state);
    assessment_release(a);
    if (open_request)
        answer_store(&position, false);
    return 0;
}
