/* The SWIMA collector (RFC 8412): serves inventories and events, with or without records, out of the journal. Each request
 * gets exactly one answer, a response or an error, and it is the last thing that is done for it (SWIMA-R68, R69, R70,
 * R74). */
#include "agent/subscriptions.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define NAME "SWIMA"

enum {
    ATTRIBUTE_HEADER = 12,
    MESSAGE_HEADER = 8,
    INVENTORY_HEAD = 16,
    EVENTS_HEAD = 20,
    METADATA_HEAD = 3,
    DEFAULT_MAX_ATTRIBUTE = 16 << 20,
    LARGEST_ITEM = 42 + 2 * UINT16_MAX + 2 * PKG_TAG_MAX,
    MAX_TARGETS = 1 << 20, /* identifiers that one request may name: what they cost us here is 16 MiB */
    SNAPSHOT_TRIES = 3,
    MAX_FURTHER = 16, /* exchanges that one assessment goes on for the server's questions */
    MAX_QUESTIONS = 32,
};

enum { FULFILMENT = 0x80 }; /* flag of the four responses (RFC 8412 §5.7) */

struct swima_state {
    struct nea_connection *connection;
    struct agent_inventory *inventory;
    struct subscriptions subscriptions;
    bool told; /* in this exchange: events, or what identifiers mean */
    bool follows; /* the server follows this machine's events */
    unsigned further;
    unsigned question_count;
    uint64_t questions[MAX_QUESTIONS]; /* digests of those answered that count in inventory->heard */
};

/* An answer while it is made. */
struct answer {
    const struct pa_swima_request *request;
    bool fulfilment;       /* of a subscription: nobody has just asked */
    struct bytes *targets; /* sorted */
    bool *found; /* one a target: something installed carries it */
    size_t target_count;
    bool records; /* not identifiers only */
    uint32_t model; /* of its records */
    struct agent_records *maker;
    struct journal_head head; /* the snapshot that all of it tells of */
    struct journal_beginning beginning;
    struct wr items;
    size_t room; /* for items */
    uint32_t count;
    uint32_t refused_eid;    /* the first event that found no room, 0: all did */
    enum pa_error_code code; /* PA_OK, or why there is no answer */
    const char *why;
};

static bool fail(struct answer *a, enum pa_error_code code, const char *why)
{
    a->code = code;
    a->why = why;
    return false;
}

/* ---- targets ---- */

static int order(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

static bool read_targets(struct answer *a)
{
    uint32_t count = a->request->software_ids.count;
    struct bytes rest = a->request->software_ids.raw;
    struct pa_swima_request_item item;
    if (count > MAX_TARGETS)
        return fail(a, PA_SWIMA_ERROR, "the request names too many software identifiers");
    a->targets = count ? calloc(count, sizeof *a->targets) : NULL;
    a->found = count ? calloc(count, sizeof *a->found) : NULL;
    if (count && (!a->targets || !a->found))
        return fail(a, PA_SWIMA_ERROR, "out of memory");
    while (a->target_count < count && pa_list_next(&pa_types[PA_SWIMA_REQUEST], &rest, &item))
        a->targets[a->target_count++] = item.software_id;
    if (count)
        qsort(a->targets, a->target_count, sizeof *a->targets, order);
    return true;
}

/* SWIMA-R13, R19, R20, R21, R104, RFC 8412 §3.5: a targeted request gets every record that carries a named identifier, octet for
 * octet, and no other; an identifier that nothing carries yields nothing. */
static bool is_wanted(const struct answer *a, struct bytes software_id, size_t *target)
{
    if (a->request->software_ids.count == 0)
        return true;
    const struct bytes *found = bsearch(&software_id, a->targets, a->target_count, sizeof *a->targets, order);
    if (found)
        *target = (size_t)(found - a->targets);
    return found;
}

/* ---- items ---- */

/* With and without records items and lists differ in the Record field alone, which is the last one. */
_Static_assert(offsetof(struct pa_sw_inventory_item, record) >= sizeof(struct pa_sw_id_inventory_item), "one layout");
_Static_assert(offsetof(struct pa_sw_events_item, record) >= sizeof(struct pa_sw_id_events_item), "one layout");
_Static_assert(sizeof(struct pa_sw_inventory) == sizeof(struct pa_sw_id_inventory), "one layout");
_Static_assert(sizeof(struct pa_sw_events) == sizeof(struct pa_sw_id_events), "one layout");

/* SWIMA-R98, R100, RFC 8412 §5.2, §5.6: all four; the type follows from Result Type and Earliest EID alone. */
static const struct pa_type *type_of(const struct answer *a)
{
    static const enum pa_row rows[2][2] = {{PA_SW_ID_INVENTORY, PA_SW_INVENTORY}, {PA_SW_ID_EVENTS, PA_SW_EVENTS}};
    return &pa_types[rows[a->request->earliest_eid != 0][a->records]];
}

/* Its data model is the answer's, but for what software brought and cannot be told in another one (SWIMA-R6, RFC 8412 §3.2). */
static struct bytes record_of(struct answer *a, const struct journal_record *r, uint32_t *model)
{
    *model = r->tag.n && r->model == SWID_MODEL_2009 ? r->model : a->model;
    return a->records ? agent_records_tag(a->maker, r, model) : (struct bytes){NULL, 0};
}

/* Appends an item; false if it does not fit (code stays PA_OK) or cannot be said at all. */
static bool put_item(struct answer *a, const void *item)
{
    size_t before = a->items.n;
    pa_item_put(&a->items, type_of(a), item);
    if (a->items.bad)
        return fail(a, PA_SWIMA_ERROR, "a record cannot be encoded");
    if (a->items.n > a->room) {
        a->items.n = before;
        return false;
    }
    a->count++;
    return true;
}

/* SWIMA-R15, RFC 8412 §3.4.4: a locator that is not known is empty. SWIMA-R18: the source's number is the same for ever. */
static bool take_record(void *context, const struct journal_record *r)
{
    struct answer *a = context;
    size_t target = 0;
    if (!is_wanted(a, r->software_id, &target))
        return true;
    if (a->found && r->installed)
        a->found[target] = true;
    else if (a->found && a->found[target])
        return true;
    uint32_t model;
    const struct bytes record = record_of(a, r, &model);
    const struct pa_sw_inventory_item item = {
        .record_id = r->id,
        .model_vendor = PEN_IETF,
        .model = (uint8_t)model,
        .source = r->source,
        .software_id = r->software_id,
        .locator = r->locator,
        .record = record,
    };
    if (put_item(a, &item))
        return true;
    /* SWIMA-R43, RFC 8412 §3.7.5: there are no partial inventories. */
    return a->code == PA_OK ? fail(a, PA_RESPONSE_TOO_LARGE, "the inventory is too large") : false;
}

/* SWIMA-R106, RFC 8412 §5.8: always 20 octets, and never "unknown": the best estimate there is. An event of which
 * nothing is known happened at the latest when it was collected. The field has no room for a precision: what was there before the logs begin comes
 * with one time for all of its source, so that a server sees where that source's history begins, and takes no bound for an instant. */
static void event_time(const struct answer *a, const struct journal_event *e, char text[TIME_TEXT])
{
    int64_t bound = e->not_before != TIME_UNKNOWN ? e->not_before : a->head.collected;
    bool before = e->eid <= a->beginning.count && e->precision == PKG_BOUND;
    time_format(before ? a->beginning.by[e->record.source] : e->time != TIME_UNKNOWN ? e->time : bound, text);
}

/* SWIMA-R36, R38, R45, R84, RFC 8412 §3.7: every event from the earliest asked for, all of this epoch. */
static bool take_event(void *context, const struct journal_event *e)
{
    struct answer *a = context;
    char time[TIME_TEXT];
    size_t target;
    if (e->eid > a->head.last_eid)
        return false; /* came behind the snapshot */
    if (!is_wanted(a, e->record.software_id, &target))
        return true;
    event_time(a, e, time);
    uint32_t model;
    const struct bytes record = record_of(a, &e->record, &model);
    const struct pa_sw_events_item item = {
        .eid = e->eid,
        .time = {(const uint8_t *)time, TIME_TEXT - 1},
        .record_id = e->record.id,
        .model_vendor = PEN_IETF,
        .model = (uint8_t)model,
        .source = e->record.source,
        .action = (uint8_t)e->action,
        .software_id = e->record.software_id,
        .locator = e->record.locator,
        .record = record,
    };
    if (put_item(a, &item))
        return true;
    a->refused_eid = e->eid;
    return a->code == PA_OK && a->count == 0 ? fail(a, PA_RESPONSE_TOO_LARGE, "a single event is too large") : false;
}

/* ---- answers ---- */

/* The largest attribute that may be answered with: our own bound, and what the connection carries. */
static size_t max_attribute(const struct swima_state *s)
{
    size_t own = s->inventory->max_attribute ? s->inventory->max_attribute : DEFAULT_MAX_ATTRIBUTE;
    size_t carried = nea_max_message(s->connection);
    carried = carried > MESSAGE_HEADER ? carried - MESSAGE_HEADER : 0;
    return own < carried ? own : carried;
}

/* One pass over the journal into a->items. */
static enum journal_status read_once(const struct swima_state *s, struct answer *a, struct error *error)
{
    enum journal_status status = journal_head(s->inventory->journal, &a->head, error);
    a->items.n = a->count = a->refused_eid = 0;
    if (a->found)
        memset(a->found, 0, a->target_count);
    if (status != JOURNAL_OK)
        return status;
    if (a->request->earliest_eid == 0) {
        status = journal_each_record(s->inventory->journal, JOURNAL_INSTALLED, TIME_UNKNOWN, take_record, a, error);
        /* Who names software and wants its record gets the copy that is kept of what is gone (SWIMA-R27), as the field
         * does it; what is installed now is asked for by identifiers, or by naming none. */
        if (status == JOURNAL_OK && a->code == PA_OK && a->records && a->target_count)
            status = journal_each_record(s->inventory->journal, JOURNAL_REMOVED, TIME_UNKNOWN, take_record, a, error);
        return status;
    }
    status = journal_beginning(s->inventory->journal, a->request->earliest_eid, &a->beginning, error);
    return status != JOURNAL_OK ? status : journal_each_event(s->inventory->journal, a->request->earliest_eid, (struct bytes){0}, take_event, a, error);
}

/* SWIMA-R37, RFC 8412 §3.7.2: epoch, last EID and records are of one moment. Every change of the records makes an
 * event; a head that has not moved while they were read proves that they are its own, otherwise they are read again. */
static bool read_snapshot(const struct swima_state *s, struct answer *a)
{
    for (int i = 0; i < SNAPSHOT_TRIES; i++) {
        struct journal_head after;
        struct error error = {""};
        enum journal_status status = read_once(s, a, &error);
        if (a->code != PA_OK)
            return false;
        if (status == JOURNAL_OK)
            status = journal_head(s->inventory->journal, &after, &error);
        /* SWIMA-R4, RFC 8412 §3.1: a report is complete or it is none; a last known state is not told as the present
         * one. */
        if (status == JOURNAL_INCOMPLETE)
            return fail(a, PA_SWIMA_ERROR, "a package database could not be read, what is installed is unknown");
        if (status != JOURNAL_OK) {
            log_line(LOG_WARNING, "the software inventory could not be read: %s", error.text);
            return fail(a, PA_SWIMA_ERROR, "the event database could not be read"); /* no path of ours in it */
        }
        if (after.epoch == a->head.epoch && after.last_eid == a->head.last_eid)
            return true;
    }
    return fail(a, PA_SWIMA_ERROR, "the inventory keeps changing, ask again");
}

/* What can be refused without looking. Nothing of a request that is refused is done (SWIMA-R68). */
static bool check(const struct swima_state *s, uint16_t from, struct answer *a)
{
    const char *why = NULL;
    enum pa_error_code code = subscriptions_check(&s->subscriptions, from, a->request, &why);
    return code == PA_OK || fail(a, code, why);
}

/* SWIMA-R110, RFC 8412 §5.15: a copy of the Request ID, for code 6 the largest size that we would send, and a
 * description. */
static void send_error(const struct swima_state *s, uint16_t to, const struct answer *a)
{
    struct wr information = wr_of(0);
    wr_u32(&information, a->request->request_id);
    if (a->fulfilment) { /* SWIMA-R71, RFC 8412 §5.15.3: the error stands inside another one */
        wr_u32(&information, PEN_IETF);
        wr_u32(&information, a->code);
        wr_u32(&information, a->request->request_id);
    }
    if (a->code == PA_RESPONSE_TOO_LARGE)
        wr_u32(&information, max_attribute(s));
    wr_str(&information, a->why);
    const struct pa_error fields = {.vendor_id = PEN_IETF,
                                    .code = a->fulfilment ? PA_SUBSCRIPTION_FULFILLMENT : a->code,
                                    .information = wr_view(&information)};
    nea_send(s->connection, to, &(struct pa_out){&pa_types[PA_ERROR], &fields, 0}, 1);
    wr_free(&information);
}

/* SWIMA-R107, RFC 8412 §5.12, §5.14: questions without a Request ID that cannot be answered are refused all the same. */
static void refuse_question(const struct swima_state *s, uint16_t to, const char *why)
{
    const struct pa_swima_request nameless = {.request_id = 0};
    send_error(s, to, &(struct answer){.request = &nameless, .code = PA_SWIMA_ERROR, .why = why});
}

/* SWIMA-R39, R105, RFC 8412 §3.7.5: a partial list tells up to where it is complete, which for a targeted request may be
 * beyond its last item; a whole one, even if empty because Earliest EID lies behind the last (SWIMA-R42), tells the last
 * EID. */
static uint32_t last_consulted(const struct answer *a)
{
    return a->refused_eid ? a->refused_eid - 1 : a->head.last_eid;
}

/* Whether this was not answered before, in this exchange or in another one. strongSwan's server keeps nothing of what it hears, unless
 * something stands beside it that does: it asks the same in each exchange. */
static bool is_new(struct swima_state *s, const struct answer *a)
{
    const struct bytes ids = a->request->software_ids.raw;
    uint64_t digest = UINT64_C(0xcbf29ce484222325) ^ a->request->earliest_eid ^ (uint64_t)a->records << 32;
    for (size_t i = 0; i < ids.n; i++) /* FNV-1a */
        digest = (digest ^ ids.p[i]) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < s->question_count; i++)
        if (s->questions[i] == digest)
            return false;
    if (s->question_count < MAX_QUESTIONS)
        s->questions[s->question_count++] = digest;
    return true;
}

/* What the server asks again it has heard, and it is no reason to come back once more. */
static void count_answer(struct swima_state *s, const struct answer *a)
{
    struct agent_verdict *heard = s->inventory->heard;
    s->follows |= a->request->earliest_eid != 0;
    if (!heard || !is_new(s, a))
        return;
    s->told |= a->count > 0;
    *(a->request->earliest_eid ? &heard->events_sent : &heard->records_sent) += a->count;
    heard->tags_sent += a->records ? a->count : 0;
    heard->tags_asked |= a->records;
}

/* SWIMA-R101, R102, RFC 8412 §5.7: a direct answer has no Fulfillment flag, and a copy of the Request ID. */
static void send_response(struct swima_state *s, uint16_t to, const struct answer *a)
{
    const struct pa_list items = {wr_view(&a->items), a->count};
    const uint8_t flags = a->fulfilment ? FULFILMENT : 0;
    const struct pa_sw_inventory inventory = {
        .flags = flags,
        .request_id = a->request->request_id,
        .epoch = a->head.epoch,
        .last_eid = a->head.last_eid,
        .records = items,
    };
    const struct pa_sw_events events = {
        .flags = flags,
        .request_id = a->request->request_id,
        .epoch = a->head.epoch,
        .last_eid = a->head.last_eid,
        .last_consulted_eid = last_consulted(a),
        .events = items,
    };
    bool whole = a->request->earliest_eid == 0;
    const struct pa_out out = {type_of(a), whole ? (const void *)&inventory : (const void *)&events, 0};
    count_answer(s, a);
    nea_send(s->connection, to, &out, 1);
}

static struct answer answer_of(const struct pa_swima_request *request)
{
    return (struct answer){.request = request, .records = !(request->flags & SWIMA_IDENTIFIERS_ONLY)};
}

static void answer_free(struct answer *a)
{
    wr_free(&a->items);
    agent_records_free(a->maker);
    free(a->targets);
    free(a->found);
}

/* Reads what the request wants; false: a->code says why not. */
static bool build(const struct swima_state *s, struct answer *a)
{
    size_t max = max_attribute(s);
    size_t head = ATTRIBUTE_HEADER + (a->request->earliest_eid == 0 ? INVENTORY_HEAD : EVENTS_HEAD);
    a->room = max > head ? max - head : 0;
    a->items = wr_of(2 * a->room + LARGEST_ITEM);
    a->model = s->inventory->model;
    a->maker = a->records ? agent_records_new(s->inventory, a->room) : NULL;
    if (a->records && !a->maker)
        return fail(a, PA_SWIMA_ERROR, "out of memory");
    if (!read_targets(a))
        return false;
    if (read_snapshot(s, a))
        return true;
    /* What does not fit with its files is told without them, all of it. */
    if (a->code != PA_RESPONSE_TOO_LARGE || !agent_records_go_plain(a->maker))
        return false;
    a->code = PA_OK;
    return read_snapshot(s, a);
}

/* SWIMA-R50, R51, R60, RFC 8412 §3.8.1: what the flags say comes into force with the answer; it is where reporting begins. */
static bool subscribe(struct swima_state *s, uint16_t from, struct answer *a)
{
    return subscriptions_update(&s->subscriptions, from, a->request, a->head.epoch, last_consulted(a)) ||
           fail(a, PA_SUBSCRIPTION_DENIED, "out of memory");
}

/* SWIMA-R30, R69, R70, R74, RFC 8412 §4.1: one response or one error, last of all. */
static void answer_request(struct swima_state *s, uint16_t to, const struct pa_swima_request *request)
{
    struct answer a = answer_of(request);
    if (check(s, to, &a) && build(s, &a) && subscribe(s, to, &a))
        send_response(s, to, &a);
    else
        send_error(s, to, &a);
    answer_free(&a);
}

/* ---- fulfilment ---- */

/* SWIMA-R58, R65, RFC 8412 §3.8.5: a targeted inventory is told anew only if something of it has changed. What cannot be read counts as
 * changed, and fails where it is read again. */
static bool is_relevant(const struct swima_state *s, const struct subscription *x)
{
    if (x->request.earliest_eid != 0 || x->request.software_ids.count == 0 || x->epoch == 0)
        return true;
    struct pa_swima_request events = x->request;
    events.earliest_eid = x->tracker + 1;
    struct answer a = answer_of(&events);
    bool relevant = !build(s, &a) || a.count > 0 || a.refused_eid;
    answer_free(&a);
    return relevant;
}

/* Tells one attribute's worth of news. False: the subscription is over. */
static bool fulfil_part(struct swima_state *s, struct subscription *x, bool *more)
{
    struct pa_swima_request request = x->request; /* SWIMA-R59, R60, R103, RFC 8412 §3.8.5: as if it were asked again */
    bool events = request.earliest_eid != 0;
    if (events)
        request.earliest_eid = x->tracker + 1;
    struct answer a = answer_of(&request);
    a.fulfilment = true;
    bool built = build(s, &a);
    bool renewed = x->epoch == 0 && request.software_ids.count == 0; /* an epoch that has ended is news, even without events */
    if (!built)
        send_error(s, x->validator, &a);
    else if (!events || a.count || renewed) /* SWIMA-R65: nothing that matches, nothing is said */
        send_response(s, x->validator, &a);
    *more = built && a.refused_eid; /* SWIMA-R63, R64, RFC 8412 §3.8.5.2: the rest follows at once */
    x->epoch = a.head.epoch;
    x->tracker = last_consulted(&a);
    answer_free(&a);
    return built;
}

/* The tracker tells what is new, not who noticed it: a change that nobody has noticed is told with the next one. */
static bool fulfil(struct swima_state *s, struct subscription *x)
{
    struct journal_head head;
    struct error error;
    if (journal_head(s->inventory->journal, &head, &error) == JOURNAL_OK) {
        if (head.epoch == x->epoch && head.last_eid == x->tracker)
            return true;
        if (head.epoch != x->epoch) /* SWIMA-R61, RFC 8412 §3.8.5.2: events of the old epoch are gone */
            x->epoch = x->tracker = 0;
        if (!is_relevant(s, x)) {
            x->tracker = head.last_eid;
            return true;
        }
    }
    bool more = true, lives = true;
    while (more && lives)
        lives = fulfil_part(s, x, &more);
    return lives;
}

/* SWIMA-R62, R66, R75, R112, RFC 8412 §3.8.5.4: each subscription has an attribute and a tracker of its own. */
static void push(void *state)
{
    struct swima_state *s = state;
    for (size_t i = 0; i < s->subscriptions.count;)
        if (fulfil(s, &s->subscriptions.all[i]))
            i++;
        else
            subscriptions_drop(&s->subscriptions, i);
}

/* SWIMA-R16, R17, R87, R107, R108, RFC 8412 §5.14: every source that can stand in a record, with a text for people. */
static void answer_source_metadata(const struct swima_state *s, uint16_t to)
{
    struct wr items = wr_of(0), text = wr_of(0);
    uint32_t count = 0;
    for (const struct pkg_manager *const *m = pkg_managers; *m; m++, count++) {
        wr_reset(&text);
        wr_fmt(&text, "%s%s%s", (*m)->name, (*m)->doc ? ": " : "", (*m)->doc ? (*m)->doc : "");
        pa_item_put(&items, &pa_types[PA_SOURCE_METADATA_RESPONSE],
                    &(struct pa_source_metadata_response_item){.source = (*m)->source, .metadata = wr_view(&text)});
    }
    const struct pa_source_metadata_response fields = {.sources = {wr_view(&items), count}};
    if (items.bad || ATTRIBUTE_HEADER + METADATA_HEAD + items.n > max_attribute(s))
        refuse_question(s, to, "the sources do not fit");
    else
        nea_send(s->connection, to, &(struct pa_out){&pa_types[PA_SOURCE_METADATA_RESPONSE], &fields, 0}, 1);
    wr_free(&text);
    wr_free(&items);
}

static void answer_status(const struct swima_state *s, uint16_t to)
{
    if (!subscriptions_tell(&s->subscriptions, s->connection, to, max_attribute(s)))
        refuse_question(s, to, "the subscriptions do not fit");
}

/* ---- the component ---- */

static void *create(void *context, struct nea_connection *c)
{
    struct swima_state *s = calloc(1, sizeof *s);
    if (s)
        *s = (struct swima_state){.connection = c, .inventory = context};
    return s;
}

static void destroy(void *state)
{
    struct swima_state *s = state;
    subscriptions_free(&s->subscriptions);
    free(s);
}

/* A SWIMA collector speaks when it is asked. */
static void begin_handshake(void *state)
{
    struct swima_state *s = state;
    agent_unhear(s->inventory->heard, NAME);
    s->told = false;
}

/* Who leaves with the verdict has told software whose meaning the server may not know; it asks for that in the next
 * exchange, which is short where it has no question. A server that takes whole inventories only would take one more. */
static void decided(void *state, enum nea_result result, enum nea_access access)
{
    struct swima_state *s = state;
    (void)result;
    (void)access;
    if (s->inventory->leaves && s->follows && s->told && s->further++ < MAX_FURTHER)
        nea_retry(s->connection);
}

/* Responses and errors that a server sends us are ignored (SWIMA-R77, RFC 8412 §5.2). */
static void receive(void *state, const struct nea_delivery *delivery)
{
    struct swima_state *s = state;
    agent_hear(s->inventory->heard, NAME, delivery->message);
    for (size_t i = 0; i < delivery->message->count; i++) {
        const struct pa_attribute *attribute = &delivery->message->attributes[i];
        if (attribute->type == &pa_types[PA_SWIMA_REQUEST])
            answer_request(s, delivery->from, attribute->fields);
        else if (attribute->type == &pa_types[PA_SUBSCRIPTION_STATUS_REQUEST])
            answer_status(s, delivery->from);
        else if (attribute->type == &pa_types[PA_SOURCE_METADATA_REQUEST])
            answer_source_metadata(s, delivery->from);
    }
}

const struct nea_component agent_swima_collector = {
    .name = NAME,
    .vendor = PEN_IETF,
    .subtype = PA_SUBTYPE_SWIMA, /* SWIMA-R97, RFC 8412 §5.2 */
    .accepts = PA_BIT(SWIMA_REQUEST) | PA_BIT(SUBSCRIPTION_STATUS_REQUEST) | PA_BIT(SOURCE_METADATA_REQUEST) |
               PA_BIT(ASSESSMENT_RESULT) | PA_BIT(REMEDIATION_INSTRUCTIONS) | PA_BIT(ERROR),
    .create = create,
    .begin_handshake = begin_handshake,
    .push = push,
    .receive = receive,
    .decided = decided,
    .destroy = destroy,
};
