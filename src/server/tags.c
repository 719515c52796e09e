#include "server/tags.h"

#include "swid/swid.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_LIMIT ((size_t)24 << 20) /* more than a reassembled answer and the list of what was asked */
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

void tags_look(struct store *s, struct tags *t, const struct store_position *p)
{
    struct error error;
    int64_t now = time_now();
    if (!p->known || p->retired || p->tags_due > now)
        return;
    t->arena = arena_of(ARENA_LIMIT);
    t->endpoint = p->endpoint;
    t->wanted = arena_zalloc(&t->arena, TAGS_MAX, sizeof *t->wanted);
    t->records = arena_zalloc(&t->arena, TAGS_MAX, sizeof *t->records);
    if (!t->wanted || !t->records)
        return;
    if (store_untagged(s, p->endpoint, now, TAGS_MAX, TAGS_OCTETS, &t->arena, t->wanted, &t->wanted_count, &error) !=
        STORE_OK) {
        log_line(LOG_WARNING, "what has no tag cannot be read: %s", error.text);
        t->wanted_count = 0;
    }
    if (store_tags_absent(s, now, &t->absent, &error) != STORE_OK || t->absent == p->endpoint)
        t->absent = 0;
    t->more = t->wanted_count == TAGS_MAX;
    if (t->wanted_count)
        qsort(t->wanted, t->wanted_count, sizeof *t->wanted, by_software_id);
}

enum store_status tags_mark(struct store *s, const struct tags *t, struct error *error)
{
    int64_t now = time_now();
    enum store_status status = STORE_OK;
    if (t->wanted_count)
        status = store_asked(s, t->endpoint, now, t->more, t->wanted, t->wanted_count, error);
    return status == STORE_OK && t->absent ? store_tags_release(s, t->absent, now, error) : status;
}

/* What a tag tells: ours all, another's name and version; the rest stays unknown. False: it is not the tag of this software. */
static bool read_tag(struct arena *a, const struct store_untagged *wanted, struct bytes record, struct store_tag *tag)
{
    struct swid_tag read;
    struct error error;
    if (swid_tag_read_any(record, a, &read, &error) != SWID_OK || !swid_tag_is_of(&read, wanted->software_id))
        return false;
    *tag = (struct store_tag){
        .software = wanted->id,
        .octets = record,
        .package = {.name = read.package.n ? read.package : read.name,
                    .version = read.version,
                    .arch = read.arch,
                    .source = read.source,
                    .source_version = read.source_version},
    };
    return true;
}

static int by_software(const void *a, const void *b)
{
    const struct store_tag *x = a, *y = b;
    return (x->software > y->software) - (x->software < y->software);
}

/* SWIMA-R6, R7, RFC 8412 §3.2: a record of another model or with faults is no error; it only tells us nothing. */
enum store_status tags_store(struct store *s, struct tags *t, struct error *error)
{
    struct arena a = arena_of(t->record_count * READ_LIMIT);
    struct store_tag *tags = arena_zalloc(&a, t->record_count, sizeof *tags);
    size_t count = 0;
    for (size_t i = 0; tags && i < t->wanted_count; i++)
        if (t->records[i].p && read_tag(&a, &t->wanted[i], t->records[i], &tags[count]))
            count++;
    if (count) /* in the rows' order: two servers that store the same tags do not wait for each other in a circle */
        qsort(tags, count, sizeof *tags, by_software);
    enum store_status status = t->noted ? STORE_OK : tags_mark(s, t, error);
    if (status == STORE_OK && count)
        status = store_tags(s, t->endpoint, time_now(), tags, count, error);
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
