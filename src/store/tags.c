/* Tags: which software has none yet, of whom it was asked when, and what came. A tag is stored once a software and kind, and the first who
 * reports it gives it, unless two others agree on something else. What a report says of its package is believed of its endpoint alone; of others
 * once two have said the same. A reference is the tag, whoever reports what. */
#include "store/files.h"
#include "store/write.h"

#include <stdlib.h>

#define OLDEST 20000 /* untagged software that one question looks at, the longest unasked first */

/* What is asked for, as far as there is room. */
struct asking {
    struct store_untagged *list;
    size_t *count, limit, octets;
    struct arena *a;
};

static enum store_status list_untagged(struct rows *rows, struct asking *k, struct error *error)
{
    bool full = false;
    while (sql_next(rows, error)) {
        struct bytes text = sql_octets(rows, 1);
        full |= *k->count == k->limit || text.n + 2 > k->octets;
        struct bytes copy = full ? (struct bytes){NULL, 0} : arena_copy(k->a, text);
        full |= copy.p == NULL;
        if (full)
            continue;
        k->octets -= text.n + 2;
        k->list[(*k->count)++] = (struct store_untagged){sql_number(rows, 0), copy};
    }
    return sql_end(rows);
}

enum store_status store_untagged(struct store *s, int64_t endpoint, int64_t now, unsigned limit, size_t octets,
                                 struct arena *a, struct store_untagged *list, size_t *count, struct error *error)
{
    struct rows rows;
    struct blob_present present;
    struct asking k = {list, count, limit, octets, a};
    int64_t since = now - STORE_TAGS_AGAIN;
    *count = 0;
    ASK(s, ST_SOFTWARE_UNTAGGED, &rows, error, NUM(since), NUM(OLDEST), NUM(endpoint), NUM((int64_t)limit));
    enum store_status status = list_untagged(&rows, &k, error);
    arena_reset(&s->scratch);
    if (status == STORE_OK && *count < limit)
        status = present_read(s, endpoint, &present, error);
    if (status != STORE_OK || *count == limit || present.count == 0)
        return status;
    ASK(s, ST_SOFTWARE_UNSURE, &rows, error, NUMS(present.software, present.count), NUM(endpoint), NUM(since), NUM(now - STORE_TAGS_SOON),
        NUM((int64_t)limit));
    return list_untagged(&rows, &k, error);
}

static int by_number(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

enum store_status store_asked(struct store *s, int64_t endpoint, int64_t now, bool more,
                              const struct store_untagged *list, size_t count, struct error *error)
{
    arena_reset(&s->scratch);
    int64_t *ids = arena_zalloc(&s->scratch, count, sizeof *ids);
    if (!ids) {
        error_set(error, "out of memory");
        return STORE_FAILED;
    }
    for (size_t i = 0; i < count; i++)
        ids[i] = list[i].id;
    if (count) /* two servers that ask two endpoints of the same do not wait for each other in a circle */
        qsort(ids, count, sizeof *ids, by_number);
    enum store_status status = sql_guard_begin(s, error);
    if (status != STORE_OK)
        return status;
    if (count)
        status = POST(s, ST_SOFTWARE_ASKED, error, NUM(now), NUM(endpoint), NUMS(ids, count), NUM(now - STORE_TAGS_AGAIN));
    if (status == STORE_OK)
        status = POST(s, ST_TAGS_ASKED, error, NUM(more ? 0 : now + STORE_TAGS_AGAIN), NUM(endpoint));
    return sql_guard_end(s, status, error);
}

enum store_status store_tags_absent(struct store *s, int64_t now, int64_t *endpoint, struct error *error)
{
    struct rows rows;
    *endpoint = 0;
    for (ASK(s, ST_TAGS_ABSENT, &rows, error, NUM(now), NUM(now - STORE_TAGS_AGAIN)); sql_next(&rows, error);)
        *endpoint = sql_number(&rows, 0);
    return sql_end(&rows);
}

enum store_status store_tags_release(struct store *s, int64_t endpoint, int64_t now, struct error *error)
{
    enum store_status status = sql_guard_begin(s, error);
    if (status == STORE_OK)
        status = POST(s, ST_TAGS_RELEASE, error, NUM(endpoint), NUM(now - STORE_TAGS_AGAIN));
    if (status == STORE_OK)
        status = POST(s, ST_TAGS_RELEASED, error, NUM(endpoint));
    return sql_guard_end(s, status, error);
}

/* What it told of the files before is forgotten, once nobody tells it. */
static enum store_status tell_files(struct store *s, int64_t endpoint, int64_t now, int64_t software, int64_t set, struct error *error)
{
    int64_t old = 0;
    struct value key[] = {NUM(endpoint), NUM(software)};
    if (!set)
        return POST(s, ST_TOLD_BARE, error, NUM(now), NUM(endpoint), NUM(software));
    enum store_status status = sql_ask_number(s, ST_TOLD_SET, key, ARRAY_LENGTH(key), &old, error);
    if (status == STORE_OK || status == STORE_NOT_FOUND)
        status = POST(s, ST_TOLD_PUT, error, NUM(endpoint), NUM(software), NUM(set), NUM(now));
    return status == STORE_OK && old && old != set ? files_forget(s, software, old, error) : status;
}

static enum store_status store_report_of(struct store *s, int64_t endpoint, int64_t now, const struct store_tag *t, struct error *error)
{
    const struct store_package *p = &t->package;
    int64_t set = 0;
    enum store_status status = files_put(s, t->software, t->files, t->file_count, &set, error);
    if (status == STORE_OK)
        status = POST(s, ST_CLAIM_PUT, error, NUM(t->software), NUM(endpoint), OCT(p->name), OCT(p->version), OCT(p->arch), OCT(p->source),
                      OCT(p->source_version));
    if (status == STORE_OK)
        status = POST(s, ST_TAG_ADD, error, NUM(t->software), NUM(endpoint), NUM(now), OCT(t->octets), OCT(p->name), OCT(p->version),
                      OCT(p->arch), OCT(p->source), OCT(p->source_version), NUM(set));
    if (status == STORE_OK)
        status = POST(s, ST_TAG_AGREED, error, NUM(t->software));
    if (status == STORE_OK)
        status = POST(s, ST_TAG_OUTVOTED, error, NUM(endpoint), NUM(now), OCT(t->octets), OCT(p->name), OCT(p->version), OCT(p->arch),
                      OCT(p->source), OCT(p->source_version), NUM(set), NUM(t->software));
    if (status == STORE_OK)
        status = POST(s, ST_TAG_BESIDE, error, NUM(endpoint), NUM(now), OCT(t->octets), NUM(set), NUM(t->software));
    if (status == STORE_OK)
        status = tell_files(s, endpoint, now, t->software, set, error);
    return status == STORE_OK ? POST(s, ST_TAG_CAME, error, NUM(t->software), NUM(endpoint)) : status;
}

enum store_status store_tags(struct store *s, int64_t endpoint, int64_t now, const struct store_tag *tags, size_t count,
                             struct error *error)
{
    enum store_status status = sql_guard_begin(s, error);
    if (status != STORE_OK)
        return status;
    for (size_t i = 0; i < count && status == STORE_OK; i++)
        status = store_report_of(s, endpoint, now, &tags[i], error);
    return sql_guard_end(s, status, error);
}

static enum store_status number_of(struct store *s, struct bytes software_id, int64_t now, int64_t *software, struct error *error)
{
    struct store_receipt receipt = {0};
    struct name name = {.text = software_id};
    struct work w = {.s = s, .a = &s->scratch, .receipt = &receipt, .error = error, .learnt = now};
    arena_reset(&s->scratch);
    enum store_status status = intern_names(&w, &name, 1);
    *software = name.id;
    return status;
}

static enum store_status put_reference(struct store *s, struct bytes who, int64_t now, const struct store_tag *t, int64_t software,
                                       struct error *error)
{
    const struct store_package *p = &t->package;
    int64_t set = 0, old = 0;
    struct value key = NUM(software);
    enum store_status status = files_put(s, software, t->files, t->file_count, &set, error);
    if (status == STORE_OK)
        status = sql_ask_number(s, ST_TAG_FILES, &key, 1, &old, error);
    if (status == STORE_OK || status == STORE_NOT_FOUND)
        status = POST(s, ST_TAG_PUT_ASIDE, error, NUM(software));
    if (status == STORE_OK)
        status = POST(s, ST_TAG_REFERENCE, error, NUM(software), NUM(now), OCT(who), OCT(t->octets), OCT(p->name), OCT(p->version),
                      OCT(p->arch), OCT(p->source), OCT(p->source_version), NUM(set));
    if (status == STORE_OK)
        status = POST(s, ST_TAG_CAME, error, NUM(software), NUM(0));
    if (status == STORE_OK && old && old != set)
        status = files_forget(s, software, old, error);
    return status == STORE_OK ? files_compare_all(s, software, set, error) : status;
}

enum store_status store_reference(struct store *s, struct bytes software_id, struct bytes who, int64_t now, const struct store_tag *tag,
                                  int64_t *software, struct error *error)
{
    enum store_status status = sql_guard_begin(s, error);
    if (status != STORE_OK)
        return status;
    status = number_of(s, software_id, now, software, error);
    if (status == STORE_OK)
        status = put_reference(s, who, now, tag, *software, error);
    return sql_guard_end(s, status, error);
}

/* By row identifier, or by its text. */
static enum store_status find_software(struct store *s, struct bytes id_or_text, int64_t *id, struct error *error)
{
    struct rows rows;
    uint64_t number;
    uint8_t octets[DIGEST_SIZE];
    struct bytes digest = {octets, sizeof octets};
    if (bytes_number(id_or_text, &number) && number <= INT64_MAX) {
        *id = (int64_t)number;
        return STORE_OK;
    }
    *id = 0;
    if (!set_digest(s, id_or_text, octets)) {
        error_set(error, "out of memory");
        return STORE_FAILED;
    }
    int64_t head = digest_head(octets);
    for (ASK(s, ST_SOFTWARE_FIND, &rows, error, NUMS(&head, 1), OCTS(&digest, 1)); sql_next(&rows, error);)
        *id = sql_number(&rows, 1);
    return sql_end(&rows);
}

enum store_status store_tag(struct store *s, struct bytes id_or_text, enum store_tag_kind kind, void (*visit)(void *, struct bytes),
                            void *context, struct error *error)
{
    struct rows rows;
    int64_t id;
    bool found = false;
    enum store_status status = find_software(s, id_or_text, &id, error);
    if (status != STORE_OK)
        return status;
    for (ASK(s, ST_TAG_GET, &rows, error, NUM(id), NUM(kind)); sql_next(&rows, error); found = true)
        visit(context, sql_octets(&rows, 0));
    status = sql_end(&rows);
    if (status == STORE_OK && !found)
        error_set(error, "no tag is known of this software");
    return status == STORE_OK && !found ? STORE_NOT_FOUND : status;
}

enum store_status store_tag_list(struct store *s, uint64_t after, unsigned limit, bool (*visit)(void *, const struct store_tag_item *),
                                 void *context, uint64_t *next, struct error *error)
{
    struct rows rows;
    uint64_t last = after;
    bool go_on = true;
    *next = 0;
    limit = page_size(limit);
    if (after > INT64_MAX)
        return STORE_OK;
    for (ASK(s, ST_TAGS, &rows, error, NUM((int64_t)after), NUM((int64_t)limit + 1)); sql_next(&rows, error);) {
        if (!go_on || limit == 0) {
            *next = last;
            continue;
        }
        const struct store_tag_item item = {
            .software = sql_number(&rows, 0),
            .software_id = sql_octets(&rows, 1),
            .kind = sql_number(&rows, 2) ? STORE_REFERENCE : STORE_REPORTED,
            .origin = {sql_octets(&rows, 3), sql_number(&rows, 4), sql_octets(&rows, 5), sql_number(&rows, 6), sql_number(&rows, 7)},
            .reported = {{0}, sql_number(&rows, 8), sql_octets(&rows, 9), sql_number(&rows, 10), sql_number(&rows, 11)},
            .package = {.name = sql_octets(&rows, 12), .version = sql_octets(&rows, 13), .arch = sql_octets(&rows, 14)},
        };
        last = (uint64_t)item.software;
        go_on = visit(context, &item);
        limit--;
    }
    return sql_end(&rows);
}
