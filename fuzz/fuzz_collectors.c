/* Whatever a server sends, the collectors answer every SWIMA Request exactly once, within the bounds, and keep only
 * texts that a terminal can print. First octet: bit 0 the component, bits 1 to 4 how large an answer may be; the rest
 * is a PA-TNC message. */
#include "../test/unit/fake_journal.h"
#include "agent/collector.h"

#include <stdlib.h>

static unsigned sent;
static size_t limit;

struct nea_connection {
    char unused;
};

size_t nea_max_message(const struct nea_connection *c)
{
    (void)c;
    return limit;
}

void nea_retry(struct nea_connection *c)
{
    (void)c;
}

void nea_send(struct nea_connection *c, uint16_t to, const struct pa_out *attributes, size_t count)
{
    (void)c, (void)to;
    sent++;
    for (size_t i = 0; i < count; i++) {
        struct wr w = wr_of(0);
        pa_attribute_put(&w, attributes[i].type, attributes[i].flags, attributes[i].fields);
        if (w.bad || (attributes[i].type == &pa_types[PA_SW_ID_EVENTS] && w.n + 8 > limit))
            abort();
        wr_free(&w);
    }
}

static unsigned requests_in(const struct pa_message *m)
{
    unsigned n = 0;
    for (size_t i = 0; i < m->count; i++)
        n += m->attributes[i].type == &pa_types[PA_SWIMA_REQUEST] ||
             m->attributes[i].type == &pa_types[PA_SUBSCRIPTION_STATUS_REQUEST] ||
             m->attributes[i].type == &pa_types[PA_SOURCE_METADATA_REQUEST];
    return n;
}

static void check_text(const char *text)
{
    for (const char *p = text; *p; p++)
        if (((unsigned char)*p < 0x20 && *p != '\n') || *p == 0x7f)
            abort();
    if (!utf8_valid(bytes_of(text)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct agent_verdict verdict;
    struct agent_posture posture = {.last_boot = TIME_UNKNOWN, .heard = &verdict};
    struct agent_inventory inventory = {.heard = &verdict};
    struct nea_connection c;
    struct pa_message message;
    struct nea_fault fault;
    if (size < 1)
        return 0;
    bool swima = data[0] & 1;
    limit = (size_t)64 << (data[0] >> 1 & 15);
    memset(&verdict, 0, sizeof verdict);
    fake.head = (struct journal_head){.epoch = 1, .last_eid = 20, .collected = 1};
    fake.records = 10;
    struct arena arena = arena_of(16 << 20);
    if (pa_message_decode(&arena, (struct bytes){data + 1, size - 1}, NEA_CLIENT, &message, &fault) == PA_OK) {
        const struct nea_component *component = swima ? &agent_swima_collector : &agent_os_collector;
        void *state = component->create(swima ? (void *)&inventory : (void *)&posture, &c);
        sent = 0;
        component->receive(state, &(struct nea_delivery){PEN_IETF, component->subtype, 3, &message});
        if (swima ? sent != requests_in(&message) : sent > 1)
            abort();
        fake.head.last_eid += 3; /* whoever has subscribed is told, an error ends it */
        if (component->push)
            component->push(state);
        component->destroy(state);
        for (size_t i = 0; i < verdict.validator_count; i++)
            check_text(verdict.validators[i].remediation);
    }
    arena_free(&arena);
    return 0;
}
