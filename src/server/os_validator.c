/* The operating system's posture: what it is, how it stands, told by the OS collector at once or when asked. */
#include "server/assessment.h"

#include <stdlib.h>

struct os {
    struct assessment *assessment;
    struct assessment_part *part;
    uint64_t told; /* bits 1 << PA_X */
    bool asked, failed;
};

/* What makes a posture. A device's claim of an identity is asked for with the rest, but its certificate has named it
 * already, and an endpoint may have none. */
static const struct {
    enum pa_row row;
    bool needed;
} wanted[] = {
    {PA_PRODUCT_INFORMATION, true}, {PA_STRING_VERSION, true},     {PA_NUMERIC_VERSION, true},
    {PA_OPERATIONAL_STATUS, true},  {PA_FORWARDING_ENABLED, true}, {PA_FACTORY_DEFAULT_PASSWORD, true},
    {PA_DEVICE_ID, false},
};

static void *create(void *context, struct nea_connection *c)
{
    struct os *os = calloc(1, sizeof *os);
    if (!os)
        return NULL;
    os->assessment = context;
    os->part = assessment_join(context, c);
    return os;
}

static void begin_handshake(void *state)
{
    struct os *os = state;
    os->told = 0;
    os->asked = os->failed = false;
    assessment_reopen(os->assessment, os->part);
}

/* Also behind a posture that was complete: the verdict is given anew, unless another validator's fault has closed the report before. */
static void fail(struct os *os)
{
    os->failed = true;
    if (os->assessment->holding)
        return;
    os->part->settled = false;
}

/* What the store cannot hold counts as empty. */
static struct bytes keep_text(struct os *os, struct bytes text)
{
    return assessment_storable(text) ? arena_copy(&os->assessment->arena, text) : (struct bytes){NULL, 0};
}

static void take(struct os *os, const struct pa_attribute *at)
{
    struct store_report *report = &os->assessment->report;
    const void *f = at->fields;
    enum pa_row row = (enum pa_row)(at->type - pa_types);
    switch (row) {
    case PA_PRODUCT_INFORMATION:
        report->product = keep_text(os, ((const struct pa_product_information *)f)->name);
        report->product_vendor = ((const struct pa_product_information *)f)->vendor_id;
        break;
    case PA_STRING_VERSION:
        report->version = keep_text(os, ((const struct pa_string_version *)f)->version);
        break;
    case PA_OPERATIONAL_STATUS:
        if (!time_parse(((const struct pa_operational_status *)f)->last_use, &report->last_boot))
            report->last_boot = TIME_UNKNOWN;
        break;
    case PA_FORWARDING_ENABLED:
        report->forwarding = (int)((const struct pa_forwarding_enabled *)f)->value;
        break;
    case PA_FACTORY_DEFAULT_PASSWORD:
        report->default_password = (int)((const struct pa_factory_default_password *)f)->value;
        break;
    case PA_DEVICE_ID:
        report->device_id = keep_text(os, ((const struct pa_device_id *)f)->id);
        break;
    case PA_ERROR:
        fail(os);
        break;
    default:
        break;
    }
    os->told |= UINT64_C(1) << row;
}

static void receive(void *state, const struct nea_delivery *delivery)
{
    struct os *os = state;
    os->part->collector = delivery->from;
    for (size_t i = 0; i < delivery->message->count; i++)
        if (delivery->message->attributes[i].type)
            take(os, &delivery->message->attributes[i]);
}

static void refused(void *state, const struct nea_fault *fault)
{
    (void)fault;
    fail(state);
}

/* Asks for what is missing, all in one, each type with its own vendor (PA-R45, RFC 5792 §4.2.1; PA-R35: from whoever has told the rest). True: something is. */
static bool ask_for_the_rest(struct os *os)
{
    struct wr list = wr_of(0);
    struct pa_attribute_request fields = {.attributes = {.count = 0}};
    const struct pa_type *type = &pa_types[PA_ATTRIBUTE_REQUEST];
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
        const struct pa_type *missing = &pa_types[wanted[i].row];
        if (os->told & UINT64_C(1) << wanted[i].row)
            continue;
        pa_item_put(&list, type,
                    &(struct pa_attribute_request_item){.vendor = missing->vendor, .number = missing->number});
        fields.attributes.count++;
    }
    fields.attributes.raw = wr_view(&list);
    if (fields.attributes.count)
        nea_send(os->part->connection, os->part->collector, &(struct pa_out){.type = type, .fields = &fields}, 1);
    wr_free(&list);
    os->asked = true;
    return fields.attributes.count > 0;
}

static void judge(struct os *os)
{
    const struct assessment *a = os->assessment;
    const struct policy *policy = a->host && a->host->policy ? a->host->policy : &policy_default;
    struct policy_finding finding;
    policy_judge(policy, &a->report, nea_peer_language(os->part->connection), &finding);
    assessment_settle(os->assessment, os->part, &finding);
}

static void settle(struct os *os)
{
    struct wr missing = wr_of(sizeof os->part->finding.reason - 1);
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++)
        if (wanted[i].needed && !(os->told & UINT64_C(1) << wanted[i].row))
            wr_fmt(&missing, "%s%s", missing.n ? ", " : "", pa_types[wanted[i].row].name);
    bool whole = missing.n == 0 && !missing.bad;
    os->assessment->report.has_posture = whole; /* half a posture does not replace the whole one that is stored */
    if (!whole)
        assessment_fail(os->assessment, os->part, REASON_POSTURE_NOT_TOLD, wr_string(&missing));
    else if (os->failed)
        assessment_fail(os->assessment, os->part, REASON_POSTURE_WRONG, "");
    else
        judge(os);
    wr_free(&missing);
}

static bool is_complete(const struct os *os)
{
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++)
        if (!(os->told & UINT64_C(1) << wanted[i].row))
            return false;
    return true;
}

static void batch_ending(void *state)
{
    struct os *os = state;
    if (os->part->settled)
        return;
    if (os->assessment->pushed && !os->told && !os->failed)
        assessment_stand(os->assessment, os->part);
    else if (is_complete(os) || (!os->asked && !ask_for_the_rest(os)))
        settle(os);
}

static void solicit(void *state)
{
    settle(state);
}

static void decided(void *state, enum nea_result result, enum nea_access access)
{
    struct os *os = state;
    assessment_decided(os->assessment, result, access);
}

const struct nea_component server_os_validator = {
    .name = "OS",
    .vendor = PEN_IETF,
    .subtype = PA_SUBTYPE_OPERATING_SYSTEM,
    .create = create,
    .begin_handshake = begin_handshake,
    .receive = receive,
    .refused = refused,
    .batch_ending = batch_ending,
    .solicit = solicit,
    .decided = decided,
    .destroy = free,
};
