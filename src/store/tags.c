/* Tags: which software has none yet, of whom it was asked when, and what came. A tag is stored once a software, and the
 * first who reports it is the one who is believed; it stays a report. */
#include "store/set.h"
#include "store/sql.h"

#define OLDEST 20000 /* untagged software that one question looks at, the longest unasked first */

enum store_status store_untagged(struct store *s, int64_t endpoint, int64_t now, unsigned limit, size_t octets,
                                 struct arena *a, struct store_untagged *list, size_t *count, struct error *error)
{
    struct rows rows;
    bool full = false;
    *count = 0;
    ASK(s, ST_SOFTWARE_UNTAGGED, &rows, error, NUM(now - STORE_TAGS_AGAIN), NUM(OLDEST), NUM(endpoint),
        NUM((int64_t)limit));
    while (sql_next(&rows, error)) {
        struct bytes text = sql_octets(&rows, 1);
        full |= *count == limit || text.n + 2 > octets;
        struct bytes copy = full ? (struct bytes){NULL, 0} : arena_copy(a, text);
        full |= copy.p == NULL;
        if (full)
            continue;
        octets -= text.n + 2;
        list[(*count)++] = (struct store_untagged){sql_number(&rows, 0), copy};
    }
    return sql_end(&rows);
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
    enum store_status status = sql_guard_begin(s, error);
    if (status != STORE_OK)
        return status;
    if (count)
        status = POST(s, ST_SOFTWARE_ASKED, error, NUM(now), NUM(endpoint), NUMS(ids, count));
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

enum store_status store_tags(struct store *s, int64_t endpoint, int64_t now, const struct store_tag *tags, size_t count,
                             struct error *error)
{
    enum store_status status = sql_guard_begin(s, error);
    if (status != STORE_OK)
        return status;
    for (size_t i = 0; i < count && status == STORE_OK; i++) {
        const struct store_package *p = &tags[i].package;
        status = POST(s, ST_TAG_ADD, error, NUM(tags[i].software), NUM(endpoint), NUM(now), OCT(tags[i].octets), OCT(p->name),
                      OCT(p->version), OCT(p->arch), OCT(p->source), OCT(p->source_version));
        if (status == STORE_OK)
            status = POST(s, ST_TAG_CAME, error, NUM(tags[i].software));
    }
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

enum store_status store_tag(struct store *s, struct bytes id_or_text, void (*visit)(void *, struct bytes),
                            void *context, struct error *error)
{
    struct rows rows;
    int64_t id;
    bool found = false;
    enum store_status status = find_software(s, id_or_text, &id, error);
    if (status != STORE_OK)
        return status;
    for (ASK(s, ST_TAG_GET, &rows, error, NUM(id)); sql_next(&rows, error); found = true)
        visit(context, sql_octets(&rows, 0));
    status = sql_end(&rows);
    if (status == STORE_OK && !found)
        error_set(error, "no tag is known of this software");
    return status == STORE_OK && !found ? STORE_NOT_FOUND : status;
}
