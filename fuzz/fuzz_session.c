/* Stateful: a sequence of batches against a session with components, of either role. The input is a list of records: a
 * kind, a length, octets; the harness wraps them in as many right headers as the kind says, so that the fuzzer reaches
 * what lies behind them. */
#include "nea/internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool server, mutual;
static unsigned answered[2]; /* of the first direction, of the other */

static void *create(void *context, struct nea_connection *c)
{
    (void)context;
    return c;
}

static void receive(void *state, const struct nea_delivery *d)
{
    struct nea_connection *c = state;
    bool validates = c->session->config.role == NEA_SERVER;
    static const uint8_t filling[3000];
    for (size_t i = 0; i < d->message->count; i++) {
        const struct pa_attribute *a = &d->message->attributes[i];
        struct pa_ita_dummy dummy = {.filling = {filling, a->value.n * 37 % sizeof filling}};
        struct pa_out out = {.type = &pa_types[PA_ITA_DUMMY], .fields = &dummy};
        nea_send(c, d->from, &out, 1);
        if (a->type == &pa_types[PA_SW_ID_EVENTS]) {
            answered[c->session->carrier != c->session]++;
            nea_recommend(c, NEA_COMPLIANT, NEA_ACCESS_ALLOWED, a->value, "en");
            nea_remediate(c, NEA_REMEDIATION_TEXT, a->value, "en");
            nea_remediate(c, NEA_REMEDIATION_URI, a->value, NULL);
        } else if (validates && a->number % 7 == 3 && !c->holds) {
            nea_hold(c);
        }
    }
}

static const struct nea_component component = {
    .name = "fuzz", .vendor = PEN_IETF, .subtype = PA_SUBTYPE_SWIMA, .create = create, .receive = receive};

/* kind: low bits 1-6 the batch type; 0: raw octets. 0x08: the octets are a PA-TNC message; 0x10: attributes behind a
 * PA-TNC header; 0x20 with them: a segment envelope's value; 0x40: EXCL; 0x80: of the other direction. */
static void put_record(struct wr *w, uint8_t kind, struct bytes octets)
{
    if (!(kind & 7)) {
        wr_bytes(w, octets);
        return;
    }
    size_t pt = w->n;
    wr_u32(w, 0);
    wr_u32(w, 7);
    wr_u32(w, 0);
    wr_u32(w, 0);
    size_t batch = pb_batch_begin(w, server != !!(kind & 0x80) ? NEA_CLIENT : NEA_SERVER, kind & 7);
    if (mutual) /* agreed upon with the first batch of an exchange */
        pb_mutual_put(w);
    if ((kind & 7) == PB_RESULT)
        pb_result_put(w, NEA_MINOR, NEA_ACCESS_QUARANTINED);
    if (kind & 0x38) {
        struct pb_pa pa = {
            .flags = kind & 0x40 ? PB_PA_EXCL : 0, .subtype = PA_SUBTYPE_SWIMA, .collector = 1, .validator = 1};
        size_t m = pb_pa_begin(w, &pa);
        if (kind & 0x30)
            pa_message_put(w, 5);
        struct pa_segment_envelope e = {.segment = octets};
        if ((kind & 0x20) && octets.n >= 2) {
            e = (struct pa_segment_envelope){
                .flags = octets.p[0], .base_id = octets.p[1] & 3, .segment = {octets.p + 2, octets.n - 2}};
            pa_attribute_put(w, &pa_types[PA_SEGMENT_ENVELOPE], 0, &e);
        } else {
            wr_bytes(w, octets);
        }
        pb_message_end(w, m);
    } else {
        wr_bytes(w, octets);
    }
    pb_batch_end(w, batch);
    wr_patch32(w, pt + 8, w->n - pt);
}

static void release(struct nea_session *s)
{
    for (size_t i = 0; s && i < s->connection_count; i++)
        while (s->connections[i].holds)
            nea_release(&s->connections[i]);
}

static void check(struct nea_outcome o, bool validates, unsigned answers)
{
    if (o.access == NEA_ACCESS_ALLOWED && (!o.decided || (validates && answers < 2)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_of((struct bytes){data, size}, 0);
    uint8_t flags = rd_u8(&r);
    const struct nea_component *components[] = {&component, &component};
    const struct nea_mutual other = {.language = "en", .components = components, .component_count = 2};
    server = flags & 1;
    mutual = flags & 4;
    answered[0] = answered[1] = 0;
    struct nea_config config = {.role = server ? NEA_SERVER : NEA_CLIENT,
                                .initiator = !server,
                                .language = "en",
                                .components = components,
                                .component_count = 2,
                                .stay = flags & 8,
                                .mutual = mutual ? &other : NULL};
    config.limits = (struct nea_limits){.max_rounds = 8, .max_message = flags & 2 ? 200 : 0, .max_reassembly = 5000};
    struct nea_session *s = nea_session_new(&config, 0);
    struct wr in = wr_of(0), out = wr_of(0);
    nea_session_feed(s,
                     server ? BYTES("\0\0\0\0\0\0\0\1\0\0\0\x14\0\0\0\0\0\1\1\1")
                            : BYTES("\0\0\0\0\0\0\0\2\0\0\0\x14\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\3\0\0\0\x10\0\0\0\1"),
                     0);
    while (rd_more(&r) && !nea_session_finished(s)) {
        uint8_t kind = rd_u8(&r);
        struct bytes octets = rd_take(&r, rd_u16(&r));
        if (kind == 0xff) {
            release(s);
            release(s->mirror);
        }
        wr_reset(&in);
        put_record(&in, kind, octets);
        nea_session_feed(s, wr_view(&in), 1);
        nea_session_out(s, &out);
        if (kind == 0xfe)
            nea_session_retry(s);
        if (s->reassembling > 5000 || (s->mirror && s->mirror->reassembling > 5000))
            abort();
        wr_reset(&out);
    }
    /* Nobody gets in who did not answer. */
    check(nea_session_outcome(s), server, answered[0]);
    check(nea_session_mutual(s), !server, answered[1]);
    nea_session_tick(s, UINT32_MAX);
    nea_session_free(s);
    wr_free(&in);
    wr_free(&out);
    return 0;
}
