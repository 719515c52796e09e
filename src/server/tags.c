#include "server/tags.h"

#include "swid/swid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_LIMIT ((size_t)24 << 20) /* more than a reassembled answer and the list of what was asked */
#define FILES_LIMIT ((size_t)64 << 20) /* lists of files, of a hundred thousand and more */
enum { REQUEST_OVERHEAD = 64, READ_LIMIT = 4 * SWID_TAG_MAX };

void tags_free(struct tags *t)
{
    arena_free(&t->arena);
    *t = (struct tags){0};
}

/* ---- in a store thread ------------------------------------------------------------------------------------------- */

static int by_software_id(const void *a, const void *b)
{
    return bytes_compare(((const struct store_untagged *)a)->software_id, ((const struct store_untagged *)b)->software_id);
}

/* Without an answer nothing is asked. */
static void look_for(enum store_status status, const char *what, size_t *count, const struct error *error)
{
    if (status == STORE_OK)
        return;
    log_line(LOG_WARNING, "%s cannot be read: %s", what, error->text);
    *count = 0;
}

static void merge(struct tags *t)
{
    t->wanted_count = t->untagged_count + t->checked_count;
    if (!t->wanted_count)
        return;
    memcpy(t->wanted, t->untagged, t->untagged_count * sizeof *t->wanted);
    memcpy(t->wanted + t->untagged_count, t->checked, t->checked_count * sizeof *t->wanted);
    qsort(t->wanted, t->wanted_count, sizeof *t->wanted, by_software_id);
}

void tags_recount(struct store *s, struct tags *t, int64_t endpoint)
{
    struct error error;
    if (store_differing(s, endpoint, &t->differing, &error) != STORE_OK)
        log_line(LOG_WARNING, "what differs from references cannot be read: %s", error.text);
}

void tags_look(struct store *s, struct tags *t, const struct store_position *p)
{
    struct error error;
    int64_t now = time_now();
    bool due = p->tags_due <= now;
    if (!p->known || p->retired)
        return;
    tags_recount(s, t, p->endpoint);
    if (!due && !t->verify)
        return;
    t->arena = arena_of(ARENA_LIMIT);
    t->endpoint = p->endpoint;
    t->wanted = arena_zalloc(&t->arena, TAGS_MAX + t->verify, sizeof *t->wanted);
    t->untagged = arena_zalloc(&t->arena, TAGS_MAX, sizeof *t->untagged);
    t->checked = arena_zalloc(&t->arena, t->verify, sizeof *t->checked);
    t->records = arena_zalloc(&t->arena, TAGS_MAX + t->verify, sizeof *t->records);
    if (!t->wanted || !t->untagged || !t->checked || !t->records)
        return;
    if (due) {
        t->due = true;
        look_for(store_untagged(s, p->endpoint, now, TAGS_MAX, TAGS_OCTETS, &t->arena, t->untagged, &t->untagged_count, &error),
                 "what has no tag", &t->untagged_count, &error);
        if (store_tags_absent(s, now, &t->absent, &error) != STORE_OK || t->absent == p->endpoint)
            t->absent = 0;
        t->more = t->untagged_count == TAGS_MAX;
    }
    if (t->verify)
        look_for(store_unverified(s, p->endpoint, t->verify, TAGS_OCTETS, &t->arena, t->checked, &t->checked_count, &error),
                 "what has a reference", &t->checked_count, &error);
    merge(t);
}

enum store_status tags_mark(struct store *s, const struct tags *t, struct error *error)
{
    int64_t now = time_now();
    enum store_status status = STORE_OK;
    if (t->untagged_count || tags_found_none(t))
        status = store_asked(s, t->endpoint, now, t->more, t->untagged, t->untagged_count, error);
    if (status == STORE_OK && t->checked_count)
        status = store_verifying(s, t->endpoint, now, t->checked, t->checked_count, error);
    return status == STORE_OK && t->absent ? store_tags_release(s, t->absent, now, error) : status;
}

enum store_status tags_unmark(struct store *s, const struct tags *t, struct error *error)
{
    return store_asked(s, t->endpoint, time_now() - STORE_TAGS_AGAIN, true, t->untagged, t->untagged_count, error);
}

/* ---- reading a tag ----------------------------------------------------------------------------------------------- */

struct listing {
    struct arena *a;
    struct store_file *items;
    size_t count, capacity;
    bool full;
};

static void list_file(void *context, const struct swid_file *file)
{
    enum { SHA256 = 32 };
    struct listing *l = context;
    if (l->count == l->capacity && !l->full) {
        size_t capacity = l->capacity ? 2 * l->capacity : 64;
        struct store_file *larger = realloc(l->items, capacity * sizeof *larger);
        l->full = !larger;
        l->items = larger ? larger : l->items;
        l->capacity = larger ? capacity : l->capacity;
    }
    if (l->full)
        return;
    struct store_file *f = &l->items[l->count];
    *f = (struct store_file){.path = arena_copy(l->a, file->path),
                             .size = file->sized && file->size <= INT64_MAX / 4 ? (int64_t)file->size : -1,
                             .mutable = file->mutable,
                             .sha256 = arena_copy(l->a, file->sha256.n == SHA256 ? file->sha256 : (struct bytes){NULL, 0})};
    l->full = !f->path.p || !f->sha256.p;
    l->count += file->path.n && !l->full;
}

/* All of them or none: half a list would read as if the rest were missing. */
static void read_files(struct bytes octets, struct arena *a, struct store_tag *tag)
{
    struct listing l = {.a = a};
    struct error error;
    struct swid_lister lister = swid_lister_of(list_file, &l);
    enum swid_status status = swid_read(octets, &lister.sink, &error);
    struct store_file *kept = status == SWID_OK && !l.full ? arena_zalloc(a, l.count, sizeof *kept) : NULL;
    if (kept && l.count) {
        memcpy(kept, l.items, l.count * sizeof *kept);
        tag->files = kept;
        tag->file_count = l.count;
    } else if (l.count) {
        log_line(LOG_WARNING, "a tag's files cannot be taken: %s", status == SWID_OK ? "they are too many" : error.text);
    }
    swid_lister_free(&lister);
    free(l.items);
}

bool tags_read(struct bytes octets, struct bytes software_id, struct arena *a, struct arena *files, struct store_tag *tag,
               struct swid_tag *read, struct error *error)
{
    if (swid_tag_read_any(octets, a, read, error) != SWID_OK)
        return false;
    if (software_id.n && !swid_tag_is_of(read, software_id)) {
        error_set(error, "it is the tag of another software");
        return false;
    }
    *tag = (struct store_tag){
        .octets = octets,
        .package = {.name = read->package.n ? read->package : read->name,
                    .version = read->version,
                    .arch = read->arch,
                    .source = read->source,
                    .source_version = read->source_version},
    };
    if (files)
        read_files(octets, files, tag);
    return true;
}

/* Who is trusted: a tag that this says to be signed by one of them is a reference, whichever endpoint brings it. The one place where that is
 * decided. */
void tags_judge(struct tags *t)
{
    struct wr who = wr_of(4096);
    t->signers = t->trust ? arena_zalloc(&t->arena, t->wanted_count, sizeof *t->signers) : NULL;
    for (size_t i = 0; t->signers && i < t->wanted_count; i++) {
        wr_reset(&who);
        if (t->records[i].p && t->trust->signed_by(t->trust->context, t->records[i], &who) && !who.bad)
            t->signers[i] = arena_copy(&t->arena, wr_view(&who));
    }
    wr_free(&who);
}

static void see(void *context, struct bytes octets)
{
    (void)octets;
    *(bool *)context = true;
}

/* A signature says who made a tag, not that it is the latest: an endpoint may bring an old one. So it takes no reference's place, be it the
 * administrator's or another signer's. */
static enum store_status adopt(struct store *s, const struct store_untagged *w, struct bytes who, struct store_tag *tag, struct error *error)
{
    char id[24];
    bool there = false;
    snprintf(id, sizeof id, "%lld", (long long)w->id);
    enum store_status status = store_tag(s, bytes_of(id), STORE_REFERENCE, see, &there, error);
    if (there || (status != STORE_OK && status != STORE_NOT_FOUND))
        return status;
    log_line(LOG_INFO, "the tag of %.*s is a reference: signed by %.*s", (int)w->software_id.n, (const char *)w->software_id.p, (int)who.n,
             (const char *)who.p);
    return store_reference(s, w->software_id, who, time_now(), tag, &tag->software, error);
}

static int by_software(const void *a, const void *b)
{
    const struct store_tag *x = a, *y = b;
    return (x->software > y->software) - (x->software < y->software);
}

/* SWIMA-R6, R7, RFC 8412 §3.2: a record of another model or with faults is no error; it only tells us nothing. */
enum store_status tags_store(struct store *s, struct tags *t, struct error *error)
{
    struct arena a = arena_of(t->record_count * READ_LIMIT), files = arena_of(FILES_LIMIT);
    struct store_tag *tags = arena_zalloc(&a, t->record_count, sizeof *tags);
    size_t count = 0;
    enum store_status status = t->noted ? STORE_OK : tags_mark(s, t, error);
    for (size_t i = 0; tags && i < t->wanted_count && status == STORE_OK; i++) {
        struct swid_tag read;
        struct error why;
        struct store_tag *tag = &tags[count];
        if (!t->records[i].p || !tags_read(t->records[i], t->wanted[i].software_id, &a, &files, tag, &read, &why))
            continue;
        tag->software = t->wanted[i].id;
        count++; /* it is a report, too */
        if (t->signers && t->signers[i].n)
            status = adopt(s, &t->wanted[i], t->signers[i], tag, error);
    }
    if (count) /* in the rows' order: two servers that store the same tags do not wait for each other in a circle */
        qsort(tags, count, sizeof *tags, by_software);
    if (status == STORE_OK && count)
        status = store_tags(s, t->endpoint, time_now(), tags, count, error);
    if (status == STORE_OK)
        tags_recount(s, t, t->endpoint);
    arena_free(&files);
    arena_free(&a);
    return status;
}

/* ---- in the session ---------------------------------------------------------------------------------------------- */

/* SWIMA-R19, R79, R81, R86, RFC 8412 §3.5, §5.6: with records only of named software. */
bool tags_ask(struct tags *t, struct nea_connection *c, uint16_t to, uint32_t request_id)
{
    size_t room = nea_max_message(c), n = 0;
    const struct pa_type *type = &pa_types[PA_SWIMA_REQUEST];
    struct wr list = wr_of(TAGS_OCTETS);
    if (t->asked || !t->wanted_count)
        return false;
    room = room > REQUEST_OVERHEAD ? room - REQUEST_OVERHEAD : 0;
    while (n < t->wanted_count && list.n + 2 + t->wanted[n].software_id.n <= room)
        pa_item_put(&list, type, &(struct pa_swima_request_item){t->wanted[n++].software_id});
    t->asked = n > 0 && !list.bad;
    if (t->asked)
        nea_send(c, to,
                 &(struct pa_out){.type = type,
                                  .fields = &(struct pa_swima_request){.request_id = request_id,
                                                                       .software_ids = {wr_view(&list), (uint32_t)n}}},
                 1);
    wr_free(&list);
    return t->asked;
}

/* SWIMA-R20: several instances may carry one identifier; the first one's tag stands for it. */
void tags_take(struct tags *t, const struct pa_list *records)
{
    struct pa_sw_inventory_item item;
    struct bytes rest = records->raw;
    while (pa_list_next(&pa_types[PA_SW_INVENTORY], &rest, &item)) {
        struct store_untagged key = {.software_id = item.software_id};
        const struct store_untagged *w = bsearch(&key, t->wanted, t->wanted_count, sizeof key, by_software_id);
        if (!w || !item.record.n || item.record.n > SWID_FULL_TAG_MAX || item.model_vendor != PEN_IETF ||
            item.model > SWID_MODEL_COSWID || t->records[w - t->wanted].p)
            continue;
        struct bytes copy = arena_copy(&t->arena, item.record);
        t->records[w - t->wanted] = copy;
        t->record_count += copy.p != NULL;
    }
}
