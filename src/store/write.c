/* Storing a report. What is stored of software is a list of changes; everything else follows from them. */
#include "store/write.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_OCTETS 1024 /* of an endpoint: an index entry must hold it */

enum store_status work_out_of_memory(struct work *w)
{
    error_set(w->error, "a report of %zu events needs more memory than a call may have", w->r->event_count);
    return STORE_FAILED;
}

enum store_status work_damaged(struct work *w, const char *what)
{
    error_set(w->error, "the database is damaged: %s of endpoint %lld cannot be read", what, (long long)w->endpoint.id);
    return STORE_DAMAGED;
}

/* ---- the endpoint's row ------------------------------------------------------------------------------------------ */

static enum store_status read_endpoint(struct work *w, struct rows *rows)
{
    const struct store_report *r = w->r;
    if (sql_next(rows, w->error)) {
        w->endpoint.id = sql_number(rows, 0);
        w->endpoint.epoch = (uint32_t)sql_number(rows, 1);
        w->endpoint.last_eid = (uint32_t)sql_number(rows, 2);
        w->endpoint.known = sql_number(rows, 3) != 0;
        w->posture_differs = !bytes_equal(sql_octets(rows, 4), r->product) ||
                             !bytes_equal(sql_octets(rows, 5), r->version) ||
                             sql_number(rows, 6) != r->product_vendor || sql_number(rows, 7) != r->last_boot ||
                             sql_number(rows, 8) != r->forwarding || sql_number(rows, 9) != r->default_password;
        w->installed = sql_number(rows, 10);
        w->endpoint.told = sql_number(rows, 11);
        while (sql_next(rows, w->error))
            continue;
    }
    return sql_end(rows);
}

/* From here to the end of the transaction no other server stores for this endpoint. */
static enum store_status lock_endpoint(struct work *w)
{
    struct rows rows;
    ASK(w->s, ST_ENDPOINT_LOCK, &rows, w->error, OCT(w->r->endpoint));
    enum store_status status = read_endpoint(w, &rows);
    if (status != STORE_OK || w->endpoint.id)
        return status;
    ASK(w->s, ST_ENDPOINT_ADD, &rows, w->error, OCT(w->r->endpoint), NUM(w->r->started));
    return read_endpoint(w, &rows);
}

static enum store_status store_posture(struct work *w)
{
    const struct store_report *r = w->r;
    if (!r->has_posture || !w->posture_differs)
        return STORE_OK;
    enum store_status status =
        POST(w->s, ST_ENDPOINT_POSTURE, w->error, OCT(r->product), OCT(r->version), NUM(r->product_vendor),
             NUM(r->last_boot), NUM(r->forwarding), NUM(r->default_password), NUM(w->endpoint.id));
    return status != STORE_OK ? status
                              : POST(w->s, ST_POSTURE_ADD, w->error, NUM(w->endpoint.id), NUM(w->learnt),
                                     OCT(r->product), OCT(r->version), NUM(r->product_vendor), NUM(r->last_boot),
                                     NUM(r->forwarding), NUM(r->default_password));
}

static enum store_status store_session(struct work *w)
{
    const struct store_report *r = w->r;
    int64_t id = r->session;
    enum store_status status;
    if (id == 0) {
        struct value values[] = {NUM(w->endpoint.id), NUM(r->started), NUM(r->finished), OCT(r->address),
                                 NUM(r->result),      NUM(r->access),  OCT(r->reason)};
        status = sql_ask_number(w->s, ST_SESSION_ADD, values, ARRAY_LENGTH(values), &id, w->error);
    } else {
        status =
            r->result < 0 ? STORE_OK : store_verdict(w->s, id, r->finished, r->result, r->access, r->reason, w->error);
    }
    if (status == STORE_OK)
        status = POST(w->s, ST_ENDPOINT_SEEN, w->error, NUM(w->learnt), OCT(r->device_id), OCT(r->address),
                      NUM(r->session == 0), NUM(id), NUM(r->software != STORE_NO_SOFTWARE ? r->started : 0), NUM(w->endpoint.id));
    w->receipt->session = id;
    return status;
}

/* ---- what of the report is new ----------------------------------------------------------------------------------- */

/* Times that cannot be printed are unknown ones; so are strongSwan's 0000-00-00T00:00:00Z. */
static int64_t plausible(int64_t t)
{
    return t >= -(int64_t)719162 * 86400 && t <= INT64_C(253402300799) ? t : TIME_UNKNOWN;
}

static enum store_status refuse(struct work *w, const char *what)
{
    error_set(w->error, "the report contradicts itself: %s", what);
    return STORE_REFUSED;
}

static enum store_status conflict(struct work *w, const char *what)
{
    char name[80];
    size_t n = w->r->endpoint.n < sizeof name - 1 ? w->r->endpoint.n : sizeof name - 1;
    memcpy(name, w->r->endpoint.p, n);
    name[n] = 0;
    error_set(w->error, "%s: %s (stored: epoch %u, EID %u; reported: epoch %u, from EID %u, last %u)", name, what,
              w->endpoint.epoch, w->endpoint.last_eid, w->r->epoch, w->r->earliest, w->r->last_eid);
    return STORE_CONFLICT;
}

static int by_eid(const void *a, const void *b)
{
    const struct store_event *x = *(const struct store_event *const *)a, *y = *(const struct store_event *const *)b;
    if (x->eid != y->eid)
        return x->eid < y->eid ? -1 : 1;
    return (x > y) - (x < y);
}

/* The events that are not stored yet, in EID order: the order inside the attribute means nothing (SWIMA-R48, RFC 8412
 * §5.8). */
static enum store_status take_events(struct work *w)
{
    const struct store_report *r = w->r;
    const struct store_event **sorted = arena_zalloc(w->a, r->event_count, sizeof *sorted);
    struct store_event *events = arena_zalloc(w->a, r->event_count, sizeof *events);
    if (!sorted || !events)
        return work_out_of_memory(w);
    bool in_order = true;
    for (size_t i = 0; i < r->event_count; i++) {
        const struct store_event *e = &r->events[i];
        if (e->eid == 0 || e->eid < r->earliest || e->eid > r->last_consulted)
            return refuse(w, "an event's EID lies outside of the range that was consulted (RFC 8412 §5.8)");
        if (e->action < STORE_CREATE || e->action > STORE_ALTER)
            return refuse(w, "an event has an action that does not exist");
        if (e->eid <= w->endpoint.last_eid)
            continue;
        in_order = in_order && (w->count == 0 || sorted[w->count - 1]->eid <= e->eid);
        sorted[w->count++] = e;
    }
    if (!in_order)
        qsort(sorted, w->count, sizeof *sorted, by_eid);
    for (size_t i = 0; i < w->count; i++) {
        events[i] = *sorted[i];
        events[i].time = plausible(events[i].time);
    }
    w->events = events;
    return STORE_OK;
}

static enum store_status cut_groups(struct work *w, bool arranged)
{
    size_t count = 0;
    for (size_t at = 0; at < w->count; at += set_cut(w->events + at, w->count - at))
        count++;
    struct set_group *groups = arena_zalloc(w->a, count, sizeof *groups);
    if (!groups)
        return work_out_of_memory(w);
    for (size_t i = 0, at = 0; i < count; at += groups[i++].count) {
        groups[i].events = w->events + at;
        groups[i].count = set_cut(groups[i].events, w->count - at);
        if (arranged && !set_arrange(w->s, &groups[i]))
            return work_out_of_memory(w);
    }
    w->groups = groups;
    w->group_count = count;
    return STORE_OK;
}

/* ---- changes ----------------------------------------------------------------------------------------------------- */

/* Room for the largest group. */
struct change_room {
    struct blob_event *events;
    uint32_t *numbers; /* of the places, in the set's order */
    struct wr blob;
};

static enum store_status add_change(struct work *w, const struct set_group *g, struct change_room *room)
{
    int64_t time = TIME_UNKNOWN;
    uint32_t first = g->events[0].eid, last = g->events[g->count - 1].eid;
    for (size_t i = 0; i < g->count; i++)
        room->numbers[g->members.order[i]] = (uint32_t)i;
    for (size_t place = 0; place < g->count; place++) {
        const struct store_event *e = &g->events[g->order[place]];
        room->events[g->order[place]] = (struct blob_event){room->numbers[place], e->eid, e->time, e->source};
    }
    for (size_t i = 0; i < g->count && time == TIME_UNKNOWN; i++)
        time = g->events[i].time;
    wr_reset(&room->blob);
    if (!blob_put_detail(&room->blob, &(struct blob_detail){g->count, room->events}, first, time, w->a))
        return work_out_of_memory(w);
    return POST(w->s, ST_CHANGE_ADD, w->error, NUM(w->endpoint.id), NUM(g->id), NUM(w->r->epoch), NUM(first), NUM(last),
                NUM(time), NUM(w->learnt), OCT(wr_view(&room->blob)));
}

static enum store_status add_changes(struct work *w)
{
    size_t most = 0;
    for (size_t i = 0; i < w->group_count; i++)
        most = w->groups[i].count > most ? w->groups[i].count : most;
    struct change_room room = {.events = arena_zalloc(w->a, most, sizeof *room.events),
                               .numbers = arena_zalloc(w->a, most, sizeof *room.numbers),
                               .blob = wr_of(0)};
    enum store_status status = room.events && room.numbers ? STORE_OK : work_out_of_memory(w);
    for (size_t i = 0; i < w->group_count && status == STORE_OK; i++)
        status = add_change(w, &w->groups[i], &room);
    wr_free(&room.blob);
    return status;
}

/* ---- who has what now -------------------------------------------------------------------------------------------- */

struct step {
    int64_t software;
    uint32_t at; /* in EID order */
    enum store_action action;
};

static int by_software_and_order(const void *a, const void *b)
{
    const struct step *x = a, *y = b;
    if (x->software != y->software)
        return x->software < y->software ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static struct step *list_steps(struct work *w)
{
    struct step *steps = arena_zalloc(w->a, w->count, sizeof *steps);
    bool sorted = true;
    uint32_t base = 0;
    for (size_t g = 0; steps && g < w->group_count; base += (uint32_t)w->groups[g++].count)
        for (size_t k = 0; k < w->groups[g].count; k++) {
            const struct blob_members *m = &w->groups[g].members;
            steps[base + k] = (struct step){m->software[k], base + w->groups[g].order[k], m->actions[k]};
        }
    for (size_t i = 1; steps && i < w->count; i++)
        sorted = sorted && by_software_and_order(&steps[i - 1], &steps[i]) < 0;
    if (steps && !sorted)
        qsort(steps, w->count, sizeof *steps, by_software_and_order);
    return steps;
}

/* Walks the present set and the steps side by side. What is deleted without being there stays away; altering changes
 * nothing. */
static enum store_status update_present(struct work *w)
{
    struct step *steps = list_steps(w);
    struct blob_present before = w->present, after = {0};
    after.software = arena_zalloc(w->a, before.count + w->count, sizeof *after.software);
    if (!steps || !after.software)
        return work_out_of_memory(w);
    for (size_t i = 0, k = 0; i < before.count || k < w->count;) {
        int64_t software = k == w->count || (i < before.count && before.software[i] < steps[k].software)
                               ? before.software[i]
                               : steps[k].software;
        size_t instances = 0;
        for (; i < before.count && before.software[i] == software; i++)
            instances++;
        for (; k < w->count && steps[k].software == software; k++)
            if (steps[k].action == STORE_CREATE)
                instances++;
            else if (steps[k].action == STORE_DELETE && instances)
                instances--;
        while (instances--)
            after.software[after.count++] = software;
    }
    if (after.count > BLOB_PRESENT_MAX)
        return refuse(w, "no machine has more than a million packages");
    struct wr blob = wr_of(0);
    bool put = blob_put_present(&blob, &after, w->a);
    struct bytes inventory = {w->inventory, w->has_inventory ? DIGEST_SIZE : 0};
    enum store_status status =
        !put ? work_out_of_memory(w)
             : POST(w->s, ST_PRESENT_PUT, w->error, NUM(w->endpoint.id), OCT(inventory), OCT(wr_view(&blob)));
    wr_free(&blob);
    w->installed = (int64_t)after.count;
    return status;
}

static enum store_status read_present(struct work *w, struct bytes inventory)
{
    struct rows rows;
    bool good = true;
    if (!w->endpoint.known)
        return STORE_OK;
    ASK(w->s, ST_PRESENT_GET, &rows, w->error, NUM(w->endpoint.id));
    while (sql_next(&rows, w->error)) {
        w->has_inventory = inventory.n && bytes_equal(inventory, sql_octets(&rows, 0));
        good = blob_get_present(sql_octets(&rows, 1), w->a, &w->present);
    }
    enum store_status status = sql_end(&rows);
    return status == STORE_OK && !good ? work_damaged(w, "the present set") : status;
}

/* ---- events and inventories -------------------------------------------------------------------------------------- */

/* Stores w->events in their groups as changes. */
static enum store_status store_changes(struct work *w)
{
    enum store_status status = intern_sets(w);
    if (status == STORE_OK)
        status = add_changes(w);
    if (status == STORE_OK)
        status = update_present(w);
    w->receipt->stored_events = (uint32_t)w->count;
    return status;
}

static enum store_status store_events_of(struct work *w)
{
    const struct store_report *r = w->r;
    if (r->last_consulted > r->last_eid)
        return refuse(w, "it consulted events beyond the last one (RFC 8412 §3.7.5)");
    /* SWIMA-R44, RFC 8412 §3.7.6: events of another epoch do not continue ours, only an inventory can. */
    if (w->endpoint.known && r->epoch != w->endpoint.epoch)
        return conflict(w, "it has begun a new epoch: an inventory is needed");
    /* SWIMA-R47, RFC 8412 §3.7.6: a last EID that went back is treated like a new epoch. */
    if (w->endpoint.known && r->last_eid < w->endpoint.last_eid)
        return conflict(w, "its last EID went back: an inventory is needed");
    /* Holes inside of the range are let pass: strongSwan's events without software leave some. */
    if (r->earliest > (uint64_t)w->endpoint.last_eid + 1) {
        w->receipt->gap = true;
        return conflict(w, "events are missing before the first one");
    }
    enum store_status status = take_events(w);
    if (status == STORE_OK && w->count) {
        if ((status = read_present(w, (struct bytes){0})) == STORE_OK && (status = cut_groups(w, true)) == STORE_OK)
            status = store_changes(w);
    }
    w->receipt->last_eid = r->last_consulted > w->endpoint.last_eid ? r->last_consulted : w->endpoint.last_eid;
    return status;
}

/* Another epoch, or a last EID that went back, which is the same (SWIMA-R47, RFC 8412 §3.7.6). */
static bool is_broken(const struct work *w)
{
    return w->endpoint.known && (w->r->epoch != w->endpoint.epoch || w->r->last_eid < w->endpoint.last_eid);
}

/* All that a new epoch tells. What happened while the old one was being lost is in it, with its times. */
static enum store_status store_history_of(struct work *w)
{
    const struct store_report *r = w->r;
    uint32_t stored = w->endpoint.last_eid;
    bool continues;
    if (!is_broken(w)) /* another session has stored it meanwhile */
        return store_events_of(w);
    if (r->earliest > 1 || r->last_consulted > r->last_eid)
        return refuse(w, "the history of an epoch begins with its first event");
    w->endpoint.last_eid = 0; /* all are new */
    enum store_status status = take_events(w);
    w->endpoint.last_eid = stored;
    if (status == STORE_OK)
        status = account_continues(w, &continues);
    if (status == STORE_OK)
        status = continues ? read_present(w, (struct bytes){0}) : account_begin(w);
    if (status == STORE_OK && w->count && (status = cut_groups(w, true)) == STORE_OK)
        status = store_changes(w);
    else if (status == STORE_OK && !continues)
        status = update_present(w);
    w->receipt->last_eid = r->last_consulted;
    return status;
}

/* The records of an inventory as events: EID 0, created not later than `time`. */
static enum store_status take_inventory(struct work *w)
{
    struct store_event *events = arena_zalloc(w->a, w->r->event_count, sizeof *events);
    if (!events)
        return work_out_of_memory(w);
    for (size_t i = 0; i < w->r->event_count; i++) {
        events[i] = w->r->events[i];
        events[i].eid = 0;
        events[i].action = STORE_CREATE;
        events[i].time = plausible(events[i].time);
    }
    w->events = events;
    w->count = w->r->event_count;
    return cut_groups(w, true);
}

static int by_id(const void *a, const void *b)
{
    const struct name *x = *(const struct name *const *)a, *y = *(const struct name *const *)b;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return (x > y) - (x < y);
}

/* What is gone, as events; their texts come from the database. */
static enum store_status add_gone(struct work *w, int64_t *gone, size_t count, int64_t time, struct store_event *events,
                                  size_t *n)
{
    struct rows rows;
    bool enough = true;
    if (count == 0)
        return STORE_OK;
    ASK(w->s, ST_SOFTWARE_NAMES, &rows, w->error, NUMS(gone, count), NUM(w->endpoint.id)); /* a row for each, twice if it is listed twice */
    while (sql_next(&rows, w->error) && count) {
        struct bytes text = arena_copy(w->a, sql_octets(&rows, 1));
        enough = enough && text.p;
        events[(*n)++] = (struct store_event){.time = time, .action = STORE_DELETE, .software_id = text};
        count--;
    }
    enum store_status status = sql_end(&rows);
    if (status == STORE_OK && count)
        return work_damaged(w, "the software");
    return status == STORE_OK && !enough ? work_out_of_memory(w) : status;
}

/* Replaces w->events, an inventory, by what it changes: nothing is told twice, and what is there in both keeps its
 * past. */
static enum store_status take_difference(struct work *w)
{
    struct name *names = arena_zalloc(w->a, w->count, sizeof *names);
    struct name **sorted = arena_zalloc(w->a, w->count, sizeof *sorted);
    struct store_event *events = arena_zalloc(w->a, w->count + w->present.count, sizeof *events);
    int64_t *gone = arena_zalloc(w->a, w->present.count, sizeof *gone);
    if (!names || !sorted || !events || !gone)
        return work_out_of_memory(w);
    for (size_t i = 0; i < w->count; i++) {
        names[i].text = w->events[i].software_id;
        sorted[i] = &names[i];
    }
    enum store_status status = intern_names(w, names, w->count);
    if (status != STORE_OK)
        return status;
    qsort(sorted, w->count, sizeof *sorted, by_id);
    size_t gone_count = 0, n = 0;
    for (size_t i = 0, k = 0; i < w->present.count || k < w->count;) {
        if (k == w->count || (i < w->present.count && w->present.software[i] < sorted[k]->id)) {
            gone[gone_count++] = w->present.software[i++];
        } else if (i == w->present.count || sorted[k]->id < w->present.software[i]) {
            events[n++] = w->events[sorted[k++] - names];
        } else {
            i++;
            k++;
        }
    }
    int64_t time = w->count ? w->events[0].time : w->learnt;
    if ((status = add_gone(w, gone, gone_count, time, events, &n)) != STORE_OK)
        return status;
    w->events = events;
    w->count = n;
    return cut_groups(w, true);
}

/* An inventory says what is there at its last EID, in whatever epoch. The history before stays; what was open and is
 * not in the inventory is closed with the time of the inventory as its bound (SWIMA-R44, RFC 8412 §3.7.6). */
static enum store_status store_inventory_of(struct work *w)
{
    enum store_status status = take_inventory(w);
    if (status != STORE_OK)
        return status;
    /* More than one group is too large for the shortcut below. */
    struct bytes digest = {w->inventory, w->group_count == 1 ? DIGEST_SIZE : 0};
    if (digest.n)
        memcpy(w->inventory, w->groups[0].digest, DIGEST_SIZE);
    w->receipt->last_eid = w->r->last_eid;
    if ((status = read_present(w, digest)) != STORE_OK)
        return status;
    /* What came and went since the last report is in events that nobody tells. */
    if (w->endpoint.known && (w->r->epoch != w->endpoint.epoch || w->r->last_eid != w->endpoint.last_eid) &&
        (status = account_break(w, w->learnt, false)) != STORE_OK)
        return status;
    if (w->has_inventory) { /* the same inventory as last time, and nothing since */
        w->count = 0;
        return STORE_OK;
    }
    if (w->present.count)
        status = take_difference(w);
    w->has_inventory = digest.n > 0;
    if (status == STORE_OK && (w->count || w->present.count))
        status = w->count ? store_changes(w) : update_present(w);
    return status;
}

/* Software that nobody, or no two endpoints, have told of alike: whoever brings it is asked in its next session. */
static enum store_status look_for_doubts(struct work *w)
{
    int64_t *ids = arena_zalloc(w->a, w->count, sizeof *ids), doubted = 0;
    size_t n = 0;
    if (!ids)
        return work_out_of_memory(w);
    for (size_t g = 0; g < w->group_count; g++)
        for (size_t i = 0; i < w->groups[g].count; i++)
            ids[n++] = w->groups[g].members.software[i];
    struct value values[] = {NUMS(ids, n)};
    enum store_status status = sql_ask_number(w->s, ST_SOFTWARE_DOUBTED, values, ARRAY_LENGTH(values), &doubted, w->error);
    return status == STORE_OK && doubted ? POST(w->s, ST_TAGS_SOON, w->error, NUM(w->endpoint.id)) : status;
}

static enum store_status store_software_of(struct work *w)
{
    enum store_status status = STORE_OK;
    w->receipt->epoch = w->endpoint.epoch;
    w->receipt->last_eid = w->endpoint.last_eid;
    if (w->r->software == STORE_NO_SOFTWARE)
        return STORE_OK;
    status = w->r->software == STORE_EVENTS    ? store_events_of(w)
             : w->r->software == STORE_HISTORY ? store_history_of(w)
                                               : store_inventory_of(w);
    if (status != STORE_OK) {
        w->receipt->last_eid = w->endpoint.last_eid;
        return status;
    }
    w->receipt->epoch = w->r->epoch;
    bool moved = !w->endpoint.known || w->endpoint.epoch != w->r->epoch ||
                 w->endpoint.last_eid != w->receipt->last_eid || w->count;
    if (moved)
        status = POST(w->s, ST_ENDPOINT_MOVED, w->error, NUM(w->r->epoch), NUM(w->receipt->last_eid), NUM(w->installed),
                      NUM((int64_t)(w->count ? w->group_count : 0)), NUM(w->endpoint.id));
    /* Who brings what nobody had, or comes first, is asked for tags the next time; so is who brings what is in doubt. */
    if (status == STORE_OK && (w->receipt->new_software || !w->endpoint.known))
        return POST(w->s, ST_TAGS_DUE, w->error, NUM(w->first_new ? w->first_new : INT64_MAX), NUM(w->first_new ? 0 : 1), NUM(w->endpoint.id));
    return status == STORE_OK && w->count ? look_for_doubts(w) : status;
}

/* ---- the calls --------------------------------------------------------------------------------------------------- */

static enum store_status store_all(struct work *w)
{
    enum store_status status = lock_endpoint(w);
    w->receipt->endpoint = w->endpoint.id;
    if (status == STORE_OK)
        status = store_software_of(w);
    if (status == STORE_OK)
        status = store_posture(w);
    return status == STORE_OK ? store_session(w) : status;
}

enum store_status store_report(struct store *s, const struct store_report *r, struct store_receipt *receipt,
                               struct error *error)
{
    struct work w = {.s = s, .a = &s->scratch, .r = r, .receipt = receipt, .error = error};
    w.learnt = r->finished > r->started ? r->finished : r->started;
    *receipt = (struct store_receipt){0};
    if (r->endpoint.n == 0 || r->endpoint.n > NAME_MAX_OCTETS) {
        error_set(error, "an endpoint's name has 1 to %d octets, this one %zu", NAME_MAX_OCTETS, r->endpoint.n);
        return STORE_REFUSED;
    }
    arena_reset(&s->scratch);
    enum store_status status = sql_guard_begin(s, error);
    if (status != STORE_OK)
        return status;
    status = sql_guard_end(s, store_all(&w), error);
    if (status == STORE_OK)
        return STORE_OK;
    receipt->session = 0;
    receipt->stored_events = receipt->new_software = 0;
    return status;
}

enum store_status store_verdict(struct store *s, int64_t session, int64_t finished, int result, int access,
                                struct bytes reason, struct error *error)
{
    int64_t id;
    struct value values[] = {NUM(finished), NUM(result), NUM(access), OCT(reason), NUM(session)};
    return sql_ask_number(s, ST_SESSION_VERDICT, values, ARRAY_LENGTH(values), &id, error);
}

enum store_status store_position(struct store *s, struct bytes endpoint, struct store_position *p, struct error *error)
{
    struct rows rows;
    *p = (struct store_position){0};
    ASK(s, ST_POSITION, &rows, error, OCT(endpoint));
    while (sql_next(&rows, error)) {
        *p = (struct store_position){
            .endpoint = sql_number(&rows, 0),
            .epoch = (uint32_t)sql_number(&rows, 1),
            .last_eid = (uint32_t)sql_number(&rows, 2),
            .known = sql_number(&rows, 3) != 0,
            .retired = sql_number(&rows, 4) != 0,
            .tags_due = sql_number(&rows, 5),
        };
    }
    return sql_end(&rows);
}
