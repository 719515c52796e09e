/* Asking. What was there at a moment is a fold over what was learnt of the endpoint, in the order in which it was
 * learnt. */
#include "store/account.h"

#include <stdlib.h>
#include <string.h>

#define EVENT_BITS                                                                                                     \
    16 /* of a cursor: the event's place in its change, below the change's number; BLOB_MEMBERS_MAX fits */

/* ---- endpoints --------------------------------------------------------------------------------------------------- */

static struct store_endpoint read_endpoint(struct rows *rows)
{
    return (struct store_endpoint){
        .id = sql_number(rows, 0),
        .name = sql_octets(rows, 1),
        .device_id = sql_octets(rows, 2),
        .product = sql_octets(rows, 3),
        .version = sql_octets(rows, 4),
        .address = sql_octets(rows, 5),
        .first_seen = sql_number(rows, 6),
        .last_seen = sql_number(rows, 7),
        .last_boot = sql_number(rows, 8),
        .epoch = (uint32_t)sql_number(rows, 9),
        .last_eid = (uint32_t)sql_number(rows, 10),
        .installed = (uint32_t)sql_number(rows, 11),
        .forwarding = (int)sql_number(rows, 12),
        .default_password = (int)sql_number(rows, 13),
        .result = (int)sql_number(rows, 14),
        .access = (int)sql_number(rows, 15),
        .reason = sql_octets(rows, 16),
    };
}

enum store_status store_endpoints(struct store *s, uint64_t after, unsigned limit,
                                  bool (*visit)(void *, const struct store_endpoint *), void *context, uint64_t *next,
                                  struct error *error)
{
    struct rows rows;
    uint64_t last = after;
    bool go_on = true;
    *next = 0;
    limit = page_size(limit);
    if (after > INT64_MAX)
        return STORE_OK;
    /* One row more tells whether there is a next page. */
    for (ASK(s, ST_ENDPOINTS, &rows, error, NUM((int64_t)after), NUM((int64_t)limit + 1)); sql_next(&rows, error);) {
        if (!go_on || limit == 0) {
            *next = last;
            continue;
        }
        struct store_endpoint e = read_endpoint(&rows);
        last = (uint64_t)e.id;
        go_on = visit(context, &e);
        limit--;
    }
    return sql_end(&rows);
}

static enum store_status endpoint_by_id(struct store *s, int64_t id,
                                        bool (*visit)(void *, const struct store_endpoint *), void *context,
                                        struct error *error)
{
    struct rows rows;
    bool found = false;
    for (ASK(s, ST_ENDPOINTS, &rows, error, NUM(id - 1), NUM(1)); sql_next(&rows, error);) {
        struct store_endpoint e = read_endpoint(&rows);
        found = e.id == id;
        if (found)
            visit(context, &e);
    }
    enum store_status status = sql_end(&rows);
    return status == STORE_OK && !found ? STORE_NOT_FOUND : status;
}

enum store_status store_endpoint(struct store *s, struct bytes id_or_name,
                                 bool (*visit)(void *, const struct store_endpoint *), void *context,
                                 struct error *error)
{
    uint64_t number;
    enum store_status status = STORE_NOT_FOUND;
    if (bytes_number(id_or_name, &number) && number > 0 && number <= INT64_MAX)
        status = endpoint_by_id(s, (int64_t)number, visit, context, error);
    if (status == STORE_NOT_FOUND) {
        int64_t id;
        struct value name = OCT(id_or_name);
        status = sql_ask_number(s, ST_ENDPOINT_BY_NAME, &name, 1, &id, error);
        if (status == STORE_OK)
            status = endpoint_by_id(s, id, visit, context, error);
    }
    if (status == STORE_NOT_FOUND)
        error_set(error, "there is no endpoint \"%.*s\"", (int)(id_or_name.n < 200 ? id_or_name.n : 200),
                  (const char *)id_or_name.p);
    return status;
}

enum store_status store_totals(struct store *s, struct store_totals *totals, struct error *error)
{
    struct rows rows;
    *totals = (struct store_totals){0};
    for (sql_ask(s, ST_TOTALS, NULL, 0, &rows, error); sql_next(&rows, error);)
        *totals = (struct store_totals){sql_number(&rows, 0), sql_number(&rows, 1), sql_number(&rows, 2),
                                        sql_number(&rows, 3), sql_number(&rows, 4)};
    return sql_end(&rows);
}

/* ---- changes ----------------------------------------------------------------------------------------------------- */

static enum store_status damaged(int64_t endpoint, struct error *error)
{
    error_set(error, "the database is damaged: a change of endpoint %lld cannot be read", (long long)endpoint);
    return STORE_DAMAGED;
}

static enum store_status out_of_memory(struct error *error)
{
    error_set(error, "out of memory");
    return STORE_FAILED;
}

/* ---- texts ------------------------------------------------------------------------------------------------------- */

/* Numbers of software and their texts, in the order of the numbers. */
struct text {
    int64_t id;
    struct bytes text;
    struct store_package package;
};

static int by_id(const void *a, const void *b)
{
    const struct text *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* As who looks at that endpoint knows them. Looks up `count` numbers (any order, repeats allowed; sorted and made distinct in place, *count follows). */
static enum store_status read_texts(struct store *s, int64_t endpoint, struct text *texts, size_t *count, struct error *error)
{
    struct rows rows;
    size_t n = 0, found = 0;
    qsort(texts, *count, sizeof *texts, by_id);
    for (size_t i = 0; i < *count; i++)
        if (n == 0 || texts[n - 1].id != texts[i].id)
            texts[n++] = texts[i];
    *count = n;
    if (n == 0)
        return STORE_OK;
    int64_t *ids = arena_zalloc(&s->scratch, n, sizeof *ids);
    for (size_t i = 0; ids && i < n; i++)
        ids[i] = texts[i].id;
    if (!ids)
        return out_of_memory(error);
    for (ASK(s, ST_SOFTWARE_NAMES, &rows, error, NUMS(ids, n), NUM(endpoint)); sql_next(&rows, error);) {
        struct text key = {.id = sql_number(&rows, 0)}, *t = bsearch(&key, texts, n, sizeof *texts, by_id);
        if (t) {
            t->text = arena_copy(&s->scratch, sql_octets(&rows, 1));
            struct bytes *fields[] = {&t->package.name, &t->package.version, &t->package.arch, &t->package.source,
                                      &t->package.source_version};
            bool whole = t->text.p != NULL;
            for (size_t i = 0; i < ARRAY_LENGTH(fields) && whole; i++) {
                struct bytes field = sql_octets(&rows, (int)i + 2);
                *fields[i] = field.n ? arena_copy(&s->scratch, field) : field;
                whole = !field.n || fields[i]->p;
            }
            found += whole;
        }
    }
    enum store_status status = sql_end(&rows);
    if (status == STORE_OK && found < n) {
        error_set(error,
                  s->scratch.exhausted ? "out of memory" : "the database is damaged: a software identifier is missing");
        status = s->scratch.exhausted ? STORE_FAILED : STORE_DAMAGED;
    }
    return status;
}

static struct text text_of(const struct text *texts, size_t count, int64_t id)
{
    struct text key = {.id = id}, *t = bsearch(&key, texts, count, sizeof *texts, by_id);
    return t ? *t : key;
}

/* ---- software at a moment ---------------------------------------------------------------------------------------- */

/* SWIMA carries no precision. A time is a bound if an inventory told of it: it happened since what was learnt before. And so it is if a source's
 * history begins with it: it may have been there ever since. */
struct bounds {
    int64_t first_learnt, learnt, before; /* of the first report, of the one being read, and of the one before that; TIME_UNKNOWN: none */
    bool seen[256];
    int64_t begins[256]; /* of each source, in the first report */
};

#define BOUNDS_NEW ((struct bounds){.first_learnt = TIME_UNKNOWN, .learnt = TIME_UNKNOWN, .before = TIME_UNKNOWN})

/* Call it for every event in the order in which they were learnt. *since: when it can have happened first. */
static bool bounds_see(struct bounds *b, const struct change *c, const struct blob_event *e, enum store_action action, int64_t *since)
{
    if (b->learnt != c->learnt) {
        b->before = b->learnt;
        b->learnt = c->learnt;
    }
    if (b->first_learnt == TIME_UNKNOWN)
        b->first_learnt = c->learnt;
    if (!b->seen[e->source] && c->learnt == b->first_learnt && e->time != TIME_UNKNOWN) {
        b->seen[e->source] = true;
        b->begins[e->source] = e->time;
    }
    *since = TIME_UNKNOWN;
    if (c->learnt == b->first_learnt)
        return e->eid == 0 || (action == STORE_CREATE && b->seen[e->source] && e->time == b->begins[e->source]);
    *since = b->before;
    return e->eid == 0;
}

/* What happened to one software, in the order in which it counts: EID order, and the order of learning. */
struct happening {
    int64_t software, time;
    uint32_t at, account;
    uint8_t action, source;
    bool bound, perhaps; /* perhaps: at the moment that was asked for nobody knows whether it had happened */
    bool begins;         /* its account's source begins with it: it may have been there ever since */
};
struct happenings {
    struct happening *items;
    size_t count, capacity;
    bool failed;
};

static void add_happening(struct happenings *h, struct happening item)
{
    if (h->count == h->capacity) {
        size_t capacity = h->capacity ? h->capacity * 2 : 4096;
        struct happening *grown = realloc(h->items, capacity * sizeof *grown);
        if (!grown) {
            h->failed = true;
            return;
        }
        h->items = grown;
        h->capacity = capacity;
    }
    h->items[h->count++] = item;
}

static int by_software_and_order(const void *a, const void *b)
{
    const struct happening *x = a, *y = b;
    if (x->software != y->software)
        return x->software < y->software ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* All that happened, or may have happened, up to `at` and was learnt up to `known_at`. An unknown time lies before every other. */
static enum store_status read_happenings(struct store *s, int64_t endpoint, int64_t at, int64_t known_at,
                                         struct happenings *h, struct account *account, struct error *error)
{
    struct rows rows;
    bool good = true, any = false;
    uint32_t order = 0, number = 0;
    struct ruptures r;
    struct bounds bounds = BOUNDS_NEW;
    enum store_status status = ruptures_read(s, endpoint, known_at, &r, error);
    if (status != STORE_OK)
        return status;
    *account = account_at(&r, at);
    struct account of = account_of(&r, 0);
    for (ASK(s, ST_CHANGES, &rows, error, NUM(endpoint), NUM(0), NUM(INT64_MAX)); sql_next(&rows, error);) {
        struct change c;
        any = true;
        arena_reset(&s->scratch);
        if (!good || !(good = change_read(&rows, &s->scratch, &c)) || (known_at != TIME_UNKNOWN && c.learnt > known_at) || c.id >= account->to)
            continue;
        if (c.id >= of.to) { /* another account of the same: its bounds are its own */
            bounds = BOUNDS_NEW;
            of = account_of(&r, c.id);
            number = of.number < account->number ? of.number : account->number; /* both at once where the history is broken */
        }
        for (size_t i = 0; i < c.detail.count; i++) {
            const struct blob_event *e = &c.detail.events[i];
            uint32_t place = c.members.order[e->member];
            int64_t since;
            bool bound = bounds_see(&bounds, &c, e, c.members.actions[place], &since);
            bool done = at == TIME_UNKNOWN || e->time <= at, perhaps = !done && bound && since < at;
            if (done || perhaps)
                add_happening(h, (struct happening){c.members.software[place], e->time, order++, number,
                                                    (uint8_t)c.members.actions[place], e->source, bound, perhaps,
                                                    bound && since == TIME_UNKNOWN});
        }
    }
    free(r.items);
    status = sql_end(&rows);
    if (status == STORE_OK && !good)
        return damaged(endpoint, error);
    if (status == STORE_OK && h->failed)
        return out_of_memory(error);
    return status == STORE_OK && !any ? STORE_NOT_FOUND : status;
}

struct standing {
    int64_t software, since;
    uint32_t count;
    uint8_t source;
    bool bound, perhaps, begins;
    struct text text;
};

/* What nobody knows to have happened can only make doubtful what is known. */
static void fold_one(struct standing *now, const struct happening *h)
{
    bool tells = h->action == STORE_CREATE && (!h->perhaps || (now->count == 0 && !now->perhaps));
    if (h->perhaps) {
        now->perhaps |= tells || (h->action == STORE_DELETE && now->count == 1);
    } else if (h->action != STORE_ALTER) {
        now->perhaps = false;
        now->count += h->action == STORE_CREATE;
        now->count -= h->action == STORE_DELETE && now->count;
    }
    if (tells) {
        now->since = h->time;
        now->source = h->source;
        now->bound = h->bound;
        now->begins = h->begins;
    }
}

/* What was there when an account ended, and is there when the next one begins, keeps its past. */
static void go_on(struct standing *now, const struct standing *was)
{
    if (!now->begins || !was->count)
        return;
    now->since = was->since;
    now->source = was->source;
    now->bound = was->bound;
    now->begins = was->begins;
}

/* Folds them in place into what stands at the end of that account; returns how many. Deleting what is not there does nothing (write.c
 * does the same). */
static size_t fold(struct happenings *h, uint32_t account, struct standing *standing)
{
    size_t n = 0;
    if (h->count)
        qsort(h->items, h->count, sizeof *h->items, by_software_and_order);
    for (size_t i = 0; i < h->count;) {
        struct standing now = {.software = h->items[i].software}, was = now;
        uint32_t told = h->items[i].account;
        for (; i < h->count && h->items[i].software == now.software; i++) {
            const struct happening *item = &h->items[i];
            if (item->account != told) {
                go_on(&now, &was);
                was = item->account == told + 1 ? now : (struct standing){0};
                now = (struct standing){.software = item->software};
                told = item->account;
            }
            fold_one(&now, item);
        }
        go_on(&now, &was);
        if (told == account && (now.count || now.perhaps))
            standing[n++] = now;
    }
    return n;
}

static int by_text(const void *a, const void *b)
{
    return bytes_compare(((const struct standing *)a)->text.text, ((const struct standing *)b)->text.text);
}

/* Gives the standing ones their texts, in whose order they then stand; `behind` gets the text of software `after`. */
static enum store_status order_by_text(struct store *s, int64_t endpoint, struct standing *standing, size_t count, int64_t after,
                                       struct bytes *behind, struct error *error)
{
    struct text *texts = arena_zalloc(&s->scratch, count + 1, sizeof *texts);
    size_t n = count;
    if (!texts)
        return out_of_memory(error);
    for (size_t i = 0; i < count; i++)
        texts[i].id = standing[i].software;
    if (after)
        texts[n++].id = after;
    enum store_status status = read_texts(s, endpoint, texts, &n, error);
    if (status != STORE_OK)
        return status;
    for (size_t i = 0; i < count; i++)
        standing[i].text = text_of(texts, n, standing[i].software);
    *behind = text_of(texts, n, after).text;
    qsort(standing, count, sizeof *standing, by_text);
    return STORE_OK;
}

static bool exists(void *context, const struct store_endpoint *e)
{
    (void)context, (void)e;
    return true;
}

enum store_status store_known_since(struct store *s, int64_t endpoint, int64_t *since, struct error *error)
{
    struct value id = NUM(endpoint);
    *since = TIME_UNKNOWN;
    enum store_status status = sql_ask_number(s, ST_KNOWN_SINCE, &id, 1, since, error);
    return status == STORE_NOT_FOUND ? STORE_OK : status;
}

enum store_status store_software(struct store *s, int64_t endpoint, int64_t at, int64_t known_at, uint64_t after,
                                 unsigned limit, bool (*visit)(void *, const struct store_software *), void *context,
                                 uint64_t *next, struct error *error)
{
    struct happenings h = {0};
    struct bytes behind = {0};
    *next = 0;
    limit = limit == STORE_ALL ? limit : page_size(limit);
    if (after > INT64_MAX)
        return STORE_OK;
    struct account account;
    enum store_status status = read_happenings(s, endpoint, at, known_at, &h, &account, error);
    if (status != STORE_OK) {
        free(h.items);
        /* An endpoint that never reported software has none. */
        return status == STORE_NOT_FOUND ? endpoint_by_id(s, endpoint, exists, NULL, error) : status;
    }
    arena_reset(&s->scratch);
    struct standing *standing = arena_zalloc(&s->scratch, h.count, sizeof *standing);
    size_t count = standing ? fold(&h, account.number, standing) : 0;
    free(h.items);
    status = standing ? order_by_text(s, endpoint, standing, count, (int64_t)after, &behind, error) : out_of_memory(error);
    if (status != STORE_OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        if (after && bytes_compare(standing[i].text.text, behind) <= 0)
            continue;
        struct store_software item = {
            .id = standing[i].software,
            .software_id = standing[i].text.text,
            .package = standing[i].text.package,
            .count = standing[i].count ? standing[i].count : 1,
            .since = standing[i].since,
            .bound = standing[i].bound,
            .perhaps = standing[i].perhaps || account.unknown,
            .source = standing[i].source,
        };
        if (!visit(context, &item) || --limit == 0) {
            *next = i + 1 < count ? (uint64_t)standing[i].software : 0;
            break;
        }
    }
    return STORE_OK;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

struct page_event {
    uint64_t cursor;
    int64_t software;
    struct store_history_event event;
};

/* What the bounds of events from change `from` on depend on. */
static enum store_status read_bounds(struct store *s, int64_t endpoint, int64_t from, int64_t account, struct bounds *b,
                                     struct error *error)
{
    struct rows rows;
    bool good = true;
    for (ASK(s, ST_CHANGES_FIRST, &rows, error, NUM(endpoint), NUM(from), NUM(account)); sql_next(&rows, error);) {
        struct change c;
        arena_reset(&s->scratch);
        good = good && change_read(&rows, &s->scratch, &c);
        for (size_t i = 0; good && i < c.detail.count; i++)
            bounds_see(b, &c, &c.detail.events[i], c.members.actions[c.members.order[c.detail.events[i].member]], &(int64_t){0});
    }
    enum store_status status = sql_end(&rows);
    return status == STORE_OK && !good ? damaged(endpoint, error) : status;
}

/* Up to `limit` + 1 events behind the cursor `after`: one more tells whether there is a next page. */
static enum store_status read_events(struct store *s, int64_t endpoint, uint64_t after, unsigned limit, struct bounds *bounds,
                                     const struct ruptures *r, struct page_event *page, size_t *count, struct error *error)
{
    struct rows rows;
    bool good = true;
    int64_t next = account_of(r, (int64_t)(after >> EVENT_BITS)).to;
    *count = 0;
    /* Each change has an event at least; the first may have been delivered whole. */
    ASK(s, ST_CHANGES, &rows, error, NUM(endpoint), NUM((int64_t)(after >> EVENT_BITS)), NUM((int64_t)limit + 2));
    while (sql_next(&rows, error)) {
        struct change c;
        if (!good || *count > limit || !(good = change_read(&rows, &s->scratch, &c)))
            continue;
        if (c.id >= next) {
            *bounds = BOUNDS_NEW;
            next = account_of(r, c.id).to;
        }
        for (size_t i = 0; i < c.detail.count && *count <= limit; i++) {
            const struct blob_event *e = &c.detail.events[i];
            uint32_t place = c.members.order[e->member];
            uint64_t cursor = (uint64_t)c.id << EVENT_BITS | i;
            bool bound = bounds_see(bounds, &c, e, c.members.actions[place], &(int64_t){0});
            if (after && cursor <= after)
                continue;
            page[(*count)++] = (struct page_event){
                cursor,
                c.members.software[place],
                {.epoch = c.epoch,
                 .eid = e->eid,
                 .time = e->time,
                 .learnt = c.learnt,
                 .bound = bound,
                 .action = c.members.actions[place],
                 .source = e->source},
            };
        }
    }
    enum store_status status = sql_end(&rows);
    return status == STORE_OK && !good ? damaged(endpoint, error) : status;
}

enum store_status store_events(struct store *s, int64_t endpoint, uint64_t after, unsigned limit,
                               bool (*visit)(void *, const struct store_history_event *), void *context, uint64_t *next,
                               struct error *error)
{
    size_t count, n;
    struct bounds bounds = BOUNDS_NEW;
    *next = 0;
    limit = page_size(limit);
    if (after > INT64_MAX)
        return STORE_OK;
    struct ruptures ruptures;
    int64_t from = (int64_t)(after >> EVENT_BITS);
    enum store_status status = ruptures_read(s, endpoint, TIME_UNKNOWN, &ruptures, error);
    if (status == STORE_OK)
        status = read_bounds(s, endpoint, from, account_of(&ruptures, from).from, &bounds, error);
    arena_reset(&s->scratch);
    struct page_event *page = arena_zalloc(&s->scratch, limit + 1, sizeof *page);
    struct text *texts = arena_zalloc(&s->scratch, limit + 1, sizeof *texts);
    if (status == STORE_OK)
        status = page && texts ? read_events(s, endpoint, after, limit, &bounds, &ruptures, page, &count, error) : out_of_memory(error);
    free(ruptures.items);
    if (status != STORE_OK)
        return status;
    if (status == STORE_OK && count == 0 && after == 0)
        return endpoint_by_id(s, endpoint, exists, NULL, error);
    for (size_t i = 0; i < count; i++)
        texts[i].id = page[i].software;
    n = count;
    if (status != STORE_OK || (status = read_texts(s, endpoint, texts, &n, error)) != STORE_OK)
        return status;
    for (size_t i = 0; i < count && i < limit; i++) {
        struct text text = text_of(texts, n, page[i].software);
        page[i].event.software_id = text.text;
        page[i].event.package = text.package;
        bool go_on = visit(context, &page[i].event);
        if ((!go_on || i + 1 == limit) && i + 1 < count)
            *next = page[i].cursor;
        if (!go_on)
            break;
    }
    return STORE_OK;
}
