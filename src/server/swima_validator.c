/* The SWIMA validator (RFC 8412): asks for the events behind the last one stored, for all of them and the inventory where an epoch was lost, or
 * for the inventory alone where events cannot tell what is installed, and gathers the answers into the report. It never sends a PA-TNC error (SWIMA-R72, RFC
 * 8412 §3.9). */
#include "server/assessment.h"
#include "server/subscription.h"

#include <stdlib.h>
#include <string.h>

enum { IDENTIFIERS_ONLY = 0x20, FULFILMENT = 0x80 }; /* flags: RFC 8412 §5.6, §5.7 */
/* Of one report: what the arena holds, in however many lists they come. Who has more gives its inventory instead, once. */
enum { EVENTS_MAX = 250000 };

enum swima_state {
    SWIMA_START, /* nothing asked yet */
    SWIMA_ASKED,
    SWIMA_MORE,   /* news came that are a part; the rest follows unasked (SWIMA-R63) */
    SWIMA_TOLD,   /* its news are in; what else comes in this batch may still deny it */
    SWIMA_TAGS,   /* tags are asked for */
    SWIMA_TAGGED, /* they are in, or could not be had */
    SWIMA_DONE,   /* settled */
};

struct swima {
    struct assessment *assessment;
    struct assessment_part *part;
    enum swima_state state;
    bool waiting;              /* holds the answer until the store has told the position */
    bool anew;                 /* all events of an epoch that is not the stored one are asked for: once */
    bool restarted, refetched; /* an inventory was asked for, a gap was asked for again: each once */
    bool holes;                /* EIDs without events, confirmed: an inventory sets right what they may have meant */
    struct subscription subscription;
    bool denied;               /* an error has denied it: the answer itself may still come */
    uint32_t request_id;       /* of the one request under way; unique in the session (SWIMA-R79) */
    uint32_t earliest;         /* of that request; 0: the inventory */
    uint32_t first, epoch, last_eid, consulted; /* of the answers so far: a partial list goes on */
    struct store_event *events;
    size_t count, capacity;
};

static void fail(struct swima *v, enum reason reason)
{
    v->state = SWIMA_DONE;
    v->assessment->software_count = 0;
    assessment_fail(v->assessment, v->part, reason, "");
}

static void note(const struct swima *v, const char *text)
{
    struct bytes name = v->assessment->report.endpoint;
    log_line(LOG_WARNING, "%.*s: %s", (int)name.n, (const char *)name.p, text);
}

/* ---- asking ----------------------------------------------------------------------------------------------------- */

static void ask(struct swima *v, uint32_t earliest)
{
    v->request_id++;
    uint8_t subscribe = earliest ? subscription_ask(&v->subscription, v->request_id) : 0;
    struct pa_swima_request fields = {
        .flags = IDENTIFIERS_ONLY | subscribe, .request_id = v->request_id, .earliest_eid = earliest};
    v->earliest = earliest;
    v->state = SWIMA_ASKED;
    nea_send(v->part->connection, v->part->collector,
             &(struct pa_out){.type = &pa_types[PA_SWIMA_REQUEST], .fields = &fields}, 1);
}

static void forget_events(struct swima *v)
{
    v->events = NULL;
    v->count = v->capacity = 0;
}

/* SWIMA-R30, R104, RFC 8412 §3.7. From the first event that is not stored; events of an endpoint never seen, from the first there is (SWIMA-R32). */
static void ask_for_news(struct swima *v)
{
    const struct assessment *a = v->assessment;
    if (a->position_status != STORE_OK)
        fail(v, REASON_NO_DATABASE);
    else if (a->position.retired)
        fail(v, REASON_RETIRED);
    else
        ask(v, a->position.known && a->position.last_eid < UINT32_MAX ? a->position.last_eid + 1 : 1);
}

/* SWIMA-R44, SWIMA-R47, RFC 8412 §3.7.6: the events known so far lead nowhere; the inventory does. */
static void ask_for_inventory(struct swima *v, const char *why)
{
    if (why)
        note(v, why);
    v->restarted = true;
    forget_events(v);
    ask(v, 0);
}

/* SWIMA-R44, R47, RFC 8412 §3.7.6: what happened since the last report is in no event that goes on from there; but a new journal is made of the old
 * logs, and tells of it. Its inventory follows. */
static void ask_for_history(struct swima *v)
{
    note(v, "it has begun a new epoch of events: asking for all of them, and its inventory");
    v->anew = true;
    v->first = 0;
    forget_events(v);
    ask(v, 1);
}

static void on_position(void *state)
{
    struct swima *v = state;
    if (!v->waiting)
        return;
    v->waiting = false;
    ask_for_news(v);
    nea_release(v->part->connection);
}

/* What is stored has moved under the report, by another session of this endpoint say: the inventory fits always. */
static bool on_conflict(void *state, const struct store_receipt *receipt)
{
    struct swima *v = state;
    if (v->restarted)
        return false;
    v->part->settled = false;
    v->assessment->software_count = v->assessment->software_stored = 0;
    v->assessment->position.known = true;
    v->assessment->position.epoch = receipt->epoch;
    v->assessment->position.last_eid = receipt->last_eid;
    ask_for_inventory(v, "its events do not continue what is stored: asking for its inventory");
    return true;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

static bool make_room(struct swima *v, size_t more)
{
    if (more <= v->capacity - v->count)
        return true;
    size_t capacity = v->count + more > 2 * v->capacity ? v->count + more : 2 * v->capacity;
    struct store_event *larger = arena_zalloc(&v->assessment->arena, capacity, sizeof *larger);
    if (!larger)
        return false;
    if (v->count)
        memcpy(larger, v->events, v->count * sizeof *larger);
    v->events = larger;
    v->capacity = capacity;
    return true;
}

/* The answer's memory ends with its delivery: one copy of the list, and the events are views of it. */
static struct bytes keep_list(struct swima *v, const struct pa_list *list)
{
    struct bytes raw = {NULL, 0};
    if (make_room(v, list->count))
        raw = arena_copy(&v->assessment->arena, list->raw);
    return raw;
}

static int by_eid(const void *a, const void *b)
{
    const struct store_event *x = a, *y = b;
    if (x->eid != y->eid)
        return x->eid < y->eid ? -1 : 1;
    return (x->software_id.p > y->software_id.p) - (x->software_id.p < y->software_id.p); /* as they came */
}

/* The events of one answer, in EID order, behind those of the answers before. REASON_NONE, or what is wrong with them. */
static enum reason take_event_items(struct swima *v, const struct pa_sw_id_events *f, struct bytes rest)
{
    struct pa_sw_id_events_item item;
    size_t first = v->count;
    bool ordered = true, bad_time = false;
    while (pa_list_next(&pa_types[PA_SW_ID_EVENTS], &rest, &item)) {
        struct store_event e = {.eid = item.eid,
                                .action = item.action,
                                .record_id = item.record_id,
                                .source = item.source,
                                .software_id = item.software_id,
                                .locator = item.locator};
        if (item.eid < v->earliest ||
            item.eid > f->last_consulted_eid) /* RFC 8412 §3.7.5: outside of what it says to have consulted */
            return REASON_EVENT_OUT_OF_RANGE;
        if (!item.software_id.n || !assessment_storable(item.software_id) || !assessment_storable(item.locator))
            return REASON_EVENT_WITHOUT_IDENTIFIER; /* SWIMA-R8, SWIMA-R78 */
        if (!time_parse(item.time,
                        &e.time)) { /* R106 broken, or strongSwan's 0000-00-00: the event stands, its time is unknown */
            e.time = TIME_UNKNOWN;
            bad_time = true;
        }
        ordered &= v->count == first || v->events[v->count - 1].eid <= e.eid;
        v->events[v->count++] = e;
    }
    if (bad_time)
        note(v, "some of its events have no valid time");
    if (!ordered) /* SWIMA-R48, RFC 8412 §5.8: any order is legal */
        qsort(v->events + first, v->count - first, sizeof *v->events, by_eid);
    return REASON_NONE;
}

/* The first EID from v->earliest to `last` that no event from `first` on carries; 0: none is missing. strongSwan lets
 * events share an EID. */
static uint64_t missing_eid(const struct swima *v, size_t first, uint32_t last)
{
    uint64_t expected = v->earliest;
    for (size_t i = first; i < v->count && v->events[i].eid <= expected; i++)
        if (v->events[i].eid == expected)
            expected++;
    return expected <= last ? expected : 0;
}

/* SWIMA-R83, RFC 8412 §5.8: an event with a reserved action is ignored; its EID has done its part. */
static void drop_reserved_actions(struct swima *v)
{
    size_t kept = 0;
    for (size_t i = 0; i < v->count; i++)
        if (v->events[i].action >= STORE_CREATE && v->events[i].action <= STORE_ALTER)
            v->events[kept++] = v->events[i];
    if (kept < v->count)
        note(v, "some of its events have an unknown action and are ignored");
    v->count = kept;
}

static void add_software(struct swima *v, enum store_software_kind kind, uint32_t epoch, uint32_t last_eid,
                         uint32_t last_consulted)
{
    struct assessment *a = v->assessment;
    a->software[a->software_count++] = (struct assessment_software){
        .kind = kind,
        .epoch = epoch,
        .earliest = kind == STORE_INVENTORY ? 0 : v->first,
        .last_eid = last_eid,
        .last_consulted = last_consulted,
        .events = v->events,
        .event_count = v->count,
    };
    forget_events(v);
}

/* All of the batch is heard. Behind the news of the endpoint itself: what identifiers mean is asked of two in a fleet. */
static void settle(struct swima *v)
{
    if (v->state == SWIMA_TOLD &&
        tags_ask(&v->assessment->tags, v->part->connection, v->part->collector, v->request_id + 1)) {
        v->request_id++;
        v->earliest = 0;
        v->state = SWIMA_TAGS;
        return;
    }
    v->state = SWIMA_DONE;
    const struct policy_finding finding = policy_compliant();
    assessment_settle(v->assessment, v->part, &finding);
}

/* Another epoch than the one that is stored or that the answers before had, or fewer events than there were. */
static bool lost_continuity(const struct swima *v, const struct pa_sw_id_events *f)
{
    const struct store_position *p = &v->assessment->position;
    return (!v->anew && p->known && (f->epoch != p->epoch || f->last_eid < p->last_eid)) ||
           (v->first && (f->epoch != v->epoch || f->last_eid < v->last_eid));
}

/* Looks for EIDs from v->earliest on that no event carries. True: it has asked for what is missing (SWIMA-R44, RFC 8412
 * §3.7.6). */
static bool mend_gap(struct swima *v, size_t first, uint32_t last)
{
    uint64_t gap = missing_eid(v, first, last);
    if (!gap || v->holes)
        return false;
    if (gap == v->earliest && first == 0 &&
        !v->refetched) { /* history was pruned: what came before what is left cannot be had */
        ask_for_inventory(v, "it has not kept the events asked for: asking for its inventory");
        return true;
    }
    if (!v->refetched) {
        v->refetched = true;
        while (v->count > first && v->events[v->count - 1].eid >= gap)
            v->count--;
        ask(v, (uint32_t)gap);
        return true;
    }
    v->holes = true; /* as strongSwan's, whose transactions without software use up an EID too */
    note(v, "some of its EIDs stand for no event: its inventory will set right what they meant");
    return false;
}

static void take_events(struct swima *v, const struct pa_sw_id_events *f)
{
    size_t first = v->count;
    if (lost_continuity(v, f)) {
        if (!v->anew && f->last_eid)
            ask_for_history(v);
        else
            ask_for_inventory(v, "it has begun a new epoch of events: asking for its inventory");
        return;
    }
    if (f->last_eid == 0) { /* no event was ever recorded: they cannot tell what is installed */
        ask_for_inventory(v, NULL);
        return;
    }
    if (f->last_consulted_eid > f->last_eid ||
        (uint64_t)f->last_consulted_eid + 1 < v->earliest) { /* SWIMA-R40, SWIMA-R42 */
        fail(v, REASON_OTHER_EVENTS);
        return;
    }
    bool fits = f->last_eid < (uint64_t)(v->first ? v->first : v->earliest) + EVENTS_MAX;
    struct bytes list = fits ? keep_list(v, &f->events) : (struct bytes){NULL, 0};
    if (!fits || (f->events.count && !list.p)) {
        ask_for_inventory(v, "it has more events than one report holds: asking for its inventory");
        return;
    }
    enum reason wrong = take_event_items(v, f, list);
    if (wrong) {
        fail(v, wrong);
        return;
    }
    if (!v->first)
        v->first = v->earliest;
    v->epoch = f->epoch;
    v->last_eid = f->last_eid;
    v->consulted = f->last_consulted_eid;
    if (f->events.count)
        nea_progress(v->part->connection);
    if (mend_gap(v, first, f->last_consulted_eid))
        return;
    if (f->last_consulted_eid < f->last_eid &&
        f->last_consulted_eid >= v->earliest) { /* SWIMA-R41, RFC 8412 §3.7.5: a partial list */
        if (v->state == SWIMA_ASKED)
            ask(v, f->last_consulted_eid + 1);
        return;
    }
    if (f->last_consulted_eid < f->last_eid) {
        fail(v, REASON_EVENTS_BREAK_OFF);
        return;
    }
    drop_reserved_actions(v);
    add_software(v, v->anew ? STORE_HISTORY : STORE_EVENTS, f->epoch, f->last_eid, f->last_consulted_eid);
    if (v->holes || v->anew)
        ask_for_inventory(v, NULL);
    else
        v->state = SWIMA_TOLD;
}

static void take_inventory(struct swima *v, const struct pa_sw_id_inventory *f)
{
    struct pa_sw_id_inventory_item item;
    struct bytes rest = keep_list(v, &f->records);
    int64_t now = time_now();
    if (f->records.count && !rest.p) {
        fail(v, REASON_INVENTORY_TOO_LARGE);
        return;
    }
    while (pa_list_next(&pa_types[PA_SW_ID_INVENTORY], &rest, &item)) {
        if (!item.software_id.n || !assessment_storable(item.software_id) || !assessment_storable(item.locator)) {
            fail(v, REASON_RECORD_WITHOUT_IDENTIFIER);
            return;
        }
        v->events[v->count++] = (struct store_event){.time = now,
                                                     .action = STORE_CREATE,
                                                     .record_id = item.record_id,
                                                     .source = item.source,
                                                     .software_id = item.software_id,
                                                     .locator = item.locator};
    }
    if (f->epoch != v->epoch) /* lost while it was answering: the inventory alone counts */
        v->assessment->software_count = 0;
    add_software(v, STORE_INVENTORY, f->epoch, f->last_eid, f->last_eid);
    v->state = SWIMA_TOLD;
}

/* SWIMA-R58, R60, RFC 8412 §3.8.5: events behind those that were told before, which normally are those behind the last one stored. */
static void take_news(struct swima *v, uint16_t from, const struct pa_sw_id_events *f)
{
    const struct store_position *p = &v->assessment->position;
    struct pa_sw_id_events_item item;
    struct bytes rest = f->events.raw;
    bool more = v->state == SWIMA_MORE;
    uint32_t next = more ? v->consulted + 1 : p->known ? p->last_eid + 1 : 1, lowest = UINT32_MAX;
    while (pa_list_next(&pa_types[PA_SW_ID_EVENTS], &rest, &item))
        if (item.eid < lowest)
            lowest = item.eid;
    v->part->collector = from;
    if (more && f->events.count && lowest != next) { /* SWIMA-R44: something is missing */
        ask(v, next);
        return;
    }
    if (lowest == 0 || next == 0 || (f->events.count && lowest > next)) {
        ask_for_news(v);
        return;
    }
    v->state = SWIMA_MORE;
    v->earliest = lowest < next ? lowest : next;
    take_events(v, f);
}

/* Outside of the exchange that news would begin they need not be read: its answer tells the same events, or a request will. */
static bool is_news(const struct swima *v, uint16_t from, uint32_t id)
{
    return (v->state == SWIMA_START || v->state == SWIMA_MORE) && subscription_covers(&v->subscription, from, id) && assessment_push(v->assessment);
}

/* SWIMA-R10, R101, RFC 8412 §3.3, §5.7: what answers no request of ours is discarded. */
static bool is_answer(const struct swima *v, uint32_t id, uint8_t flags)
{
    if ((v->state == SWIMA_ASKED || v->state == SWIMA_TAGS) && id == v->request_id && !(flags & FULFILMENT))
        return true;
    note(v, "a software response that answers no request is discarded");
    return false;
}

static void take_error(struct swima *v, uint16_t from, const struct pa_error *e)
{
    switch (subscription_take_error(&v->subscription, from, e)) {
    case SUBSCRIPTION_WAS_DENIED: /* strongSwan answers the request all the same */
        v->denied = v->state == SWIMA_ASKED && v->request_id == v->subscription.id;
        break;
    case SUBSCRIPTION_ENDED:
        note(v, "it has ended its subscription");
        break;
    case SUBSCRIPTION_NOT_MEANT:
        if (v->state == SWIMA_TAGS) /* it has no tags, or too many: its news are in */
            v->state = SWIMA_TAGGED;
        else if (v->state < SWIMA_TAGS) /* SWIMA-R69, RFC 8412 §3.9: beside an error no response counts */
            fail(v, REASON_SOFTWARE_REFUSED);
        break;
    }
}

/* SWIMA-R98, RFC 8412 §5.2: all four are understood, and only the type that was asked for is an answer (SWIMA-R100). SWIMA-R6, R7, §3.2: nobody looks at records and their models here. */
static void take(struct swima *v, uint16_t from, const struct pa_attribute *at)
{
    const struct pa_sw_id_events *events = at->fields;
    const struct pa_sw_id_inventory *inventory = at->fields;
    const struct pa_sw_inventory *full_inventory = at->fields;
    const struct pa_sw_events *full_events = at->fields;
    switch ((enum pa_row)(at->type - pa_types)) {
    case PA_SW_ID_EVENTS:
        if (is_news(v, from, events->request_id)) {
            take_news(v, from, events);
            return;
        }
        if (!is_answer(v, events->request_id, events->flags))
            return;
        v->part->collector = from;
        v->denied = false;
        subscription_answered(&v->subscription, from, events->request_id);
        if (v->earliest == 0)
            fail(v, REASON_OTHER_TYPE);
        else
            take_events(v, events);
        break;
    case PA_SW_ID_INVENTORY:
        if (!is_answer(v, inventory->request_id, inventory->flags))
            return;
        v->part->collector = from;
        if (v->earliest != 0 || v->state == SWIMA_TAGS)
            fail(v, REASON_OTHER_TYPE);
        else
            take_inventory(v, inventory);
        break;
    case PA_SW_INVENTORY:
        if (!is_answer(v, full_inventory->request_id, full_inventory->flags))
            return;
        if (v->state != SWIMA_TAGS) {
            fail(v, REASON_OTHER_TYPE);
            return;
        }
        tags_take(&v->assessment->tags, &full_inventory->records);
        v->state = SWIMA_TAGGED;
        break;
    case PA_SW_EVENTS:
        if (is_answer(v, full_events->request_id, full_events->flags))
            fail(v, REASON_OTHER_TYPE);
        break;
    case PA_ERROR:
        v->part->collector = from;
        take_error(v, from, at->fields);
        break;
    default: /* SWIMA-R77: a validator ignores requests */
        break;
    }
}

/* ---- the component ---------------------------------------------------------------------------------------------- */

static void *create(void *context, struct nea_connection *c)
{
    struct swima *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    v->assessment = context;
    v->part = assessment_join(context, c);
    v->assessment->swima = v;
    v->assessment->software_part = v->part;
    v->assessment->on_position = on_position;
    v->assessment->on_conflict = on_conflict;
    assessment_locate(v->assessment);
    return v;
}

static void begin_handshake(void *state)
{
    struct swima *v = state;
    assessment_reopen(v->assessment, v->part);
    subscription_reopen(&v->subscription);
    v->state = SWIMA_START;
    v->restarted = v->refetched = v->holes = v->anew = false;
    v->first = 0;
    forget_events(v);
}

static void receive(void *state, const struct nea_delivery *delivery)
{
    for (size_t i = 0; i < delivery->message->count; i++)
        if (delivery->message->attributes[i].type)
            take(state, delivery->from, &delivery->message->attributes[i]);
}

/* SWIMA-R109, RFC 8412 §5.15: handled here, without a word to the endpoint. */
static void refused(void *state, const struct nea_fault *fault)
{
    struct swima *v = state;
    (void)fault;
    if (v->state != SWIMA_DONE)
        fail(v, REASON_SOFTWARE_MALFORMED);
}

static void batch_ending(void *state)
{
    struct swima *v = state;
    if (v->denied && nea_receiving(v->part->connection)) /* strongSwan's answer, which comes all the same */
        return;
    if (v->denied && v->state == SWIMA_ASKED) /* SWIMA-R80: nothing of the request was done */
        ask(v, v->earliest);
    v->denied = false;
    if (v->state == SWIMA_TOLD || v->state == SWIMA_TAGGED)
        settle(v);
    if (v->state == SWIMA_MORE && !nea_receiving(v->part->connection)) /* it does not follow */
        ask(v, v->consulted + 1);
    if (v->state != SWIMA_START || v->waiting)
        return;
    assessment_locate(v->assessment); /* create() did, but for who has logged in since, and it has grown old */
    if (v->assessment->positioned) {
        ask_for_news(v);
    } else {
        v->waiting = true;
        nea_hold(v->part->connection);
    }
}

static void solicit(void *state)
{
    struct swima *v = state;
    if (v->state != SWIMA_DONE)
        fail(v, REASON_SOFTWARE_NOT_TOLD);
}

static void decided(void *state, enum nea_result result, enum nea_access access)
{
    struct swima *v = state;
    assessment_decided(v->assessment, result, access);
}

static void destroy(void *state)
{
    struct swima *v = state;
    v->assessment->swima = NULL;
    v->assessment->software_part = NULL;
    v->assessment->on_position = NULL;
    v->assessment->on_conflict = NULL;
    free(v);
}

const struct nea_component server_swima_validator = {
    .name = "SWIMA",
    .vendor = PEN_IETF,
    .subtype = PA_SUBTYPE_SWIMA,
    .create = create,
    .begin_handshake = begin_handshake,
    .receive = receive,
    .refused = refused,
    .batch_ending = batch_ending,
    .solicit = solicit,
    .decided = decided,
    .destroy = destroy,
};
