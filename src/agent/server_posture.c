/* The other direction of a mutual assessment: what the server's own OS collector tells of it, judged by the endpoint
 * that asked. */
#include "agent/collector.h"

#include <stdio.h>
#include <string.h>

/* Without these there is no verdict. */
#define NEEDED (PA_BIT(PRODUCT_INFORMATION) | PA_BIT(STRING_VERSION) | PA_BIT(FACTORY_DEFAULT_PASSWORD))
enum { UNKNOWN = -1, NO = 0, YES = 1 };
static const char not_told[] = "the server did not tell its posture";

static void *create(void *context, struct nea_connection *c)
{
    struct agent_server *server = context;
    server->connection = c;
    return server;
}

static void begin_handshake(void *state)
{
    struct agent_server *server = state;
    server->told = 0;
    server->product[0] = server->version[0] = server->reason[0] = 0;
    server->last_boot = TIME_UNKNOWN;
    server->forwarding = server->default_password = UNKNOWN;
}

/* Forwarding may also be "unknown". */
static int yes_or_no(uint32_t value)
{
    return value <= YES ? (int)value : UNKNOWN;
}

static void take(struct agent_server *server, enum pa_row row, const void *fields)
{
    switch (row) {
    case PA_PRODUCT_INFORMATION:
        server->product[0] = 0;
        agent_keep_text(server->product, sizeof server->product, ((const struct pa_product_information *)fields)->name);
        break;
    case PA_STRING_VERSION:
        server->version[0] = 0;
        agent_keep_text(server->version, sizeof server->version, ((const struct pa_string_version *)fields)->version);
        break;
    case PA_OPERATIONAL_STATUS:
        if (!time_parse(((const struct pa_operational_status *)fields)->last_use, &server->last_boot))
            server->last_boot = TIME_UNKNOWN;
        break;
    case PA_FORWARDING_ENABLED:
        server->forwarding = yes_or_no(((const struct pa_forwarding_enabled *)fields)->value);
        break;
    case PA_FACTORY_DEFAULT_PASSWORD:
        server->default_password = yes_or_no(((const struct pa_factory_default_password *)fields)->value);
        break;
    default:
        return;
    }
    server->told |= UINT64_C(1) << row;
}

static void receive(void *state, const struct nea_delivery *delivery)
{
    for (size_t i = 0; i < delivery->message->count; i++) {
        const struct pa_attribute *a = &delivery->message->attributes[i];
        if (a->type)
            take(state, (enum pa_row)(a->type - pa_types), a->fields);
    }
}

static void recommend(struct agent_server *server, enum nea_result result, enum nea_access access, const char *reason)
{
    snprintf(server->reason, sizeof server->reason, "%s", reason);
    nea_recommend(server->connection, result, access, bytes_of(reason), reason[0] ? "en" : "");
}

static void batch_ending(void *state)
{
    struct agent_server *server = state;
    if ((server->told & NEEDED) != NEEDED)
        return;
    if (server->default_password == NO)
        recommend(server, NEA_COMPLIANT, NEA_ACCESS_ALLOWED, "");
    else
        recommend(server, NEA_MAJOR, NEA_ACCESS_DENIED, "a factory default password is in use");
}

static void solicit(void *state)
{
    recommend(state, NEA_DONT_KNOW, NEA_ACCESS_DENIED, not_told);
}

static const struct nea_component validator = {
    .name = "server's OS",
    .vendor = PEN_IETF,
    .subtype = PA_SUBTYPE_OPERATING_SYSTEM,
    .create = create,
    .begin_handshake = begin_handshake,
    .receive = receive,
    .batch_ending = batch_ending,
    .solicit = solicit,
};

const struct nea_mutual *agent_server_mutual(struct agent_server *server)
{
    static const struct nea_component *const components[] = {&validator};
    server->context = server;
    server->mutual = (struct nea_mutual){.components = components, .contexts = &server->context, .component_count = 1};
    return &server->mutual;
}

void agent_server_outcome(struct agent_server *server, const struct nea_outcome *outcome)
{
    server->took_part = outcome->negotiated;
    server->result = outcome->decided ? outcome->result : NEA_DONT_KNOW;
    server->access = outcome->decided ? outcome->access : NEA_ACCESS_NONE;
}

enum agent_standing agent_server_standing(struct agent_server *server, const struct nea_session *s)
{
    const struct nea_outcome ours = nea_session_outcome(s), its = nea_session_mutual(s);
    bool settled = ours.decided && ours.state == PB_DECIDED;
    agent_server_outcome(server, &its);
    if (its.decided && its.access == NEA_ACCESS_ALLOWED)
        return AGENT_SERVER_SATISFIES;
    if (!its.decided && (!settled || (its.negotiated && its.state != PB_END)))
        return AGENT_SERVER_UNDECIDED;
    if (!its.negotiated)
        snprintf(server->reason, sizeof server->reason, "the server takes no part in mutual assessments");
    else if (!its.decided)
        snprintf(server->reason, sizeof server->reason, "%s", not_told);
    return AGENT_SERVER_FAILS;
}
