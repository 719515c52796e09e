/* Accounts of one machine's history: which one tells of a moment, and whether a new one only goes on. */
#include "store/account.h"
#include "store/write.h"

#include <stdlib.h>
#include <string.h>

/* Accounts that one endpoint may begin within a day: one that tells another epoch in each session costs no more than
 * these; then its inventories tell of it. */
enum { ACCOUNTS_A_DAY = 8, DAY = 86400 };
#define MEMORY ((size_t)64 << 20) /* of one change, and of a history that is compared */

bool change_read(struct rows *rows, struct arena *a, struct change *c)
{
    c->id = sql_number(rows, 0);
    c->epoch = (uint32_t)sql_number(rows, 1);
    c->learnt = sql_number(rows, 4);
    return blob_get_detail(sql_octets(rows, 5), a, (uint32_t)sql_number(rows, 2), sql_number(rows, 3), &c->detail) &&
           blob_get_members(sql_octets(rows, 6), a, &c->members) && c->detail.count == c->members.count;
}

/* ---- where it breaks --------------------------------------------------------------------------------------------- */

enum store_status ruptures_read(struct store *s, int64_t endpoint, int64_t known_at, struct ruptures *r,
                                struct error *error)
{
    struct rows rows;
    size_t capacity = 0;
    bool enough = true;
    *r = (struct ruptures){0};
    for (ASK(s, ST_RUPTURES, &rows, error, NUM(endpoint), NUM(RUPTURES_MAX)); sql_next(&rows, error);) {
        const struct rupture item = {sql_number(&rows, 0), sql_number(&rows, 1), sql_number(&rows, 2),
                                     sql_number(&rows, 3), sql_number(&rows, 4) != 0};
        if (r->count == capacity && enough) {
            capacity = capacity ? 2 * capacity : 16;
            struct rupture *grown = realloc(r->items, capacity * sizeof *grown);
            enough = grown != NULL;
            r->items = grown ? grown : r->items;
        }
        if (enough && (known_at == TIME_UNKNOWN || item.learnt <= known_at))
            r->items[r->count++] = item;
    }
    for (size_t i = 0; i < r->count / 2; i++) {
        struct rupture swap = r->items[i];
        r->items[i] = r->items[r->count - 1 - i];
        r->items[r->count - 1 - i] = swap;
    }
    enum store_status status = sql_end(&rows);
    if (status == STORE_OK && !enough) {
        error_set(error, "out of memory");
        status = STORE_FAILED;
    }
    if (status != STORE_OK) {
        free(r->items);
        *r = (struct ruptures){0};
    }
    return status;
}

/* An account is believed until its last report: it was told while it happened. What comes behind is the next one's
 * word, from where that begins. */
struct account account_at(const struct ruptures *r, int64_t at)
{
    struct account a = {.to = INT64_MAX};
    for (size_t i = 0; i < r->count; i++) {
        const struct rupture *u = &r->items[i];
        bool within = at != TIME_UNKNOWN && at > u->until && at < u->since;
        if (!u->whole)
            continue;
        a.unknown |= within;
        if (within)
            continue;
        if (at != TIME_UNKNOWN && (at < u->until || (at == u->until && at < u->since))) {
            a.to = u->change;
            break;
        }
        if (!a.unknown) { /* else what came before it is told, too */
            a.from = u->change;
            a.number++;
        }
    }
    return a;
}

struct account account_of(const struct ruptures *r, int64_t change)
{
    struct account a = {.to = INT64_MAX};
    for (size_t i = 0; i < r->count && a.to == INT64_MAX; i++)
        if (r->items[i].whole && r->items[i].change <= change) {
            a.from = r->items[i].change;
            a.number++;
        } else if (r->items[i].whole) {
            a.to = r->items[i].change;
        }
    return a;
}

enum store_status store_unknown(struct store *s, int64_t endpoint, bool (*visit)(void *, int64_t from, int64_t to),
                                void *context, struct error *error)
{
    struct ruptures r;
    enum store_status status = ruptures_read(s, endpoint, TIME_UNKNOWN, &r, error);
    for (size_t i = 0; status == STORE_OK && i < r.count; i++)
        if (r.items[i].until + 1 < r.items[i].since && !visit(context, r.items[i].until + 1, r.items[i].since))
            break;
    free(r.items);
    return status;
}

enum store_status account_break(struct work *w, int64_t since, bool whole)
{
    int64_t until = w->endpoint.told;
    return POST(w->s, ST_RUPTURE_ADD, w->error, NUM(w->endpoint.id), NUM(until), NUM(since > until ? since : until),
                NUM(w->learnt), NUM(whole));
}

/* ---- whether one goes on with the other -------------------------------------------------------------------------- */

/* One event of a history, in its order. */
struct told {
    int64_t software, time;
    uint32_t at;
    uint8_t action, source;
};
struct history {
    struct told *items;
    size_t count, capacity;
    bool enough;
};

static void add_told(struct history *h, struct told item)
{
    if (h->count == h->capacity && h->enough) {
        size_t capacity = h->capacity ? 2 * h->capacity : 4096;
        struct told *grown = capacity * sizeof *grown <= MEMORY ? realloc(h->items, capacity * sizeof *grown) : NULL;
        h->enough = grown != NULL;
        h->items = grown ? grown : h->items;
        h->capacity = grown ? capacity : h->capacity;
    }
    if (h->enough)
        h->items[h->count++] = item;
}

static int by_software_and_order(const void *a, const void *b)
{
    const struct told *x = a, *y = b;
    if (x->software != y->software)
        return x->software < y->software ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* What the current account tells, by software. */
static enum store_status read_history(struct work *w, struct history *h)
{
    struct rows rows;
    struct ruptures r;
    struct arena a = arena_of(MEMORY);
    bool good = true;
    enum store_status status = ruptures_read(w->s, w->endpoint.id, TIME_UNKNOWN, &r, w->error);
    if (status != STORE_OK)
        return status;
    int64_t from = account_at(&r, TIME_UNKNOWN).from;
    free(r.items);
    for (ASK(w->s, ST_CHANGES, &rows, w->error, NUM(w->endpoint.id), NUM(from), NUM(INT64_MAX));
         sql_next(&rows, w->error);) {
        struct change c;
        arena_reset(&a);
        good = good && change_read(&rows, &a, &c);
        for (size_t i = 0; good && i < c.detail.count; i++) {
            const struct blob_event *e = &c.detail.events[i];
            uint32_t place = c.members.order[e->member];
            add_told(h, (struct told){c.members.software[place], e->time, (uint32_t)h->count,
                                      (uint8_t)c.members.actions[place], e->source});
        }
    }
    arena_free(&a);
    status = sql_end(&rows);
    if (h->count)
        qsort(h->items, h->count, sizeof *h->items, by_software_and_order);
    return status == STORE_OK && !good ? work_damaged(w, "a change") : status;
}

/* What is told now, in the same order. */
static enum store_status number_events(struct work *w, struct told **out)
{
    struct name *names = arena_zalloc(w->a, w->count, sizeof *names);
    struct told *now = *out = arena_zalloc(w->a, w->count, sizeof *now);
    if (!names || !now)
        return work_out_of_memory(w);
    for (size_t i = 0; i < w->count; i++)
        names[i].text = w->events[i].software_id;
    enum store_status status = w->count ? intern_names(w, names, w->count) : STORE_OK;
    for (size_t i = 0; i < w->count && status == STORE_OK; i++)
        now[i] = (struct told){names[i].id, w->events[i].time, (uint32_t)i, (uint8_t)w->events[i].action,
                               w->events[i].source};
    if (w->count)
        qsort(now, w->count, sizeof *now, by_software_and_order);
    return status;
}

/* Each software's events of before are the first of those that it has now. `known`: a flag for each of w->events. */
static bool goes_on(const struct history *h, const struct told *now, size_t count, bool *known)
{
    size_t i = 0, k = 0;
    while (i < h->count) {
        int64_t software = h->items[i].software;
        while (k < count && now[k].software < software)
            k++;
        for (; i < h->count && h->items[i].software == software; i++, k++) {
            const struct told *was = &h->items[i], *is = &now[k];
            if (k == count || is->software != software || is->time != was->time || is->action != was->action ||
                is->source != was->source)
                return false;
            known[is->at] = true;
        }
    }
    return true;
}

enum store_status account_continues(struct work *w, bool *continues)
{
    struct history h = {.enough = true};
    struct told *now = NULL;
    bool *known = arena_zalloc(w->a, w->count, sizeof *known);
    struct store_event *events = arena_zalloc(w->a, w->count, sizeof *events);
    enum store_status status = known && events ? number_events(w, &now) : work_out_of_memory(w);
    if (status == STORE_OK)
        status = read_history(w, &h);
    *continues = status == STORE_OK && h.enough && goes_on(&h, now, w->count, known);
    free(h.items);
    if (!*continues)
        return status;
    size_t n = 0;
    for (size_t i = 0; i < w->count; i++)
        if (!known[i])
            events[n++] = w->events[i];
    w->events = events;
    w->count = n;
    return STORE_OK;
}

enum store_status account_begin(struct work *w)
{
    int64_t since = TIME_UNKNOWN, begun = 0;
    struct value values[] = {NUM(w->endpoint.id), NUM(w->learnt - DAY)};
    enum store_status status = sql_ask_number(w->s, ST_RUPTURES_LATELY, values, ARRAY_LENGTH(values), &begun, w->error);
    if (status != STORE_OK)
        return status;
    if (begun >= ACCOUNTS_A_DAY) {
        error_set(w->error, "it has begun %d accounts of its history within a day: an inventory is needed",
                  ACCOUNTS_A_DAY);
        return STORE_CONFLICT;
    }
    for (size_t i = 0; i < w->count && since == TIME_UNKNOWN; i++)
        since = w->events[i].time;
    w->present = (struct blob_present){0};
    return account_break(w, since == TIME_UNKNOWN || since > w->learnt ? w->learnt : since, true);
}
