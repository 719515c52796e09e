/* tags: what an assessment asks and learns of what identifiers mean; private to server/. Asked in a targeted request with
 * records, after the endpoint's own news and before the verdict; whatever comes of it, it denies nothing but silence and
 * malformed messages. With them go spot checks: tags of software that has a reference, to compare their files. */
#ifndef MUSTER_SERVER_TAGS_H
#define MUSTER_SERVER_TAGS_H

#include "nea/nea.h"
#include "server/server.h"
#include "store/store.h"
#include "swid/swid.h"

/* An exchange's share: with full tags of ten KiB each the answer still fits what may be reassembled. */
enum { TAGS_MAX = 1000, TAGS_OCTETS = 128 << 10 };

struct tags {
    struct arena arena; /* what the lists point to */
    int64_t endpoint;
    int64_t absent; /* another endpoint, that does not come to be asked: what it brought is released; 0: none */
    const struct server_trust *trust; /* who may sign references; NULL: nobody */
    struct bytes *signers; /* of what came, one a wanted; empty: nobody who is trusted. NULL: nobody has looked */
    unsigned verify; /* how many spot checks are wanted */
    int64_t differing; /* of how many installed packages files are not as the reference says */
    struct store_untagged *untagged, *checked; /* what is asked for, by why */
    size_t untagged_count, checked_count;
    struct store_untagged *wanted; /* both, by identifier */
    size_t wanted_count;
    bool due;              /* it was looked what shall be asked, but for spot checks */
    bool more;             /* there are more than one exchange asks for */
    bool asked, told;      /* once an exchange; what came of it is stored */
    bool noted;            /* that it is asked is written down; else it is, with what comes of it */
    struct bytes *records; /* one a wanted: what came, or empty */
    size_t record_count;
};

void tags_free(struct tags *t);
/* In a store thread: what shall be asked of an endpoint that stands there. Without an answer of the store nothing is. */
void tags_look(struct store *s, struct tags *t, const struct store_position *p);
/* Writes down what that look has found; where tags_found_any() says that there is something. */
static inline bool tags_found_any(const struct tags *t)
{
    return t->wanted_count || t->absent;
}
/* It was looked in vain, which is written down as well: else each session would look. */
static inline bool tags_found_none(const struct tags *t)
{
    return t->due && !tags_found_any(t);
}
/* Something came, or it is still to be noted that nothing did. */
static inline bool tags_to_store(const struct tags *t)
{
    return t->record_count || (t->asked && !t->noted);
}
enum store_status tags_mark(struct store *s, const struct tags *t, struct error *error) MUST_USE;
/* The opposite: the endpoint did its part, and is asked again when it comes. */
enum store_status tags_unmark(struct store *s, const struct tags *t, struct error *error) MUST_USE;
/* Looks who signed what came, which takes its time: before the transaction. */
void tags_judge(struct tags *t);
/* Reads what came and stores the tags that are what they were asked for; the others are as if they had not come. */
enum store_status tags_store(struct store *s, struct tags *t, struct error *error) MUST_USE;
/* After a change of what is installed. */
void tags_recount(struct store *s, struct tags *t, int64_t endpoint);

/* Reads what a tag tells of its package: ours all, another's name and version; the rest stays unknown. With `files` (or NULL) its files, too,
 * unless that arena is too small for them. False: it is no tag, or not the one of `software_id` (empty: of whatever it says). */
bool tags_read(struct bytes octets, struct bytes software_id, struct arena *a, struct arena *files, struct store_tag *tag,
               struct swid_tag *read, struct error *error) MUST_USE;

/* In the session: sends the request, with as many identifiers as the connection carries. False: there is nothing to ask. */
bool tags_ask(struct tags *t, struct nea_connection *c, uint16_t to, uint32_t request_id) MUST_USE;
/* Keeps the records of an answer. */
void tags_take(struct tags *t, const struct pa_list *records);

#endif
