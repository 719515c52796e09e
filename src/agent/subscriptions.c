/* The table of subscriptions: what may enter, what leaves, and what a validator may see of it. */
#include "agent/subscriptions.h"

#include <stdlib.h>
#include <string.h>

static bool is_clear(const struct subscriptions *s, size_t at, uint16_t validator, uint8_t flags)
{
    return (flags & SWIMA_CLEAR) && s->all[at].validator == validator;
}

/* SWIMA-R79, RFC 8412 §5.5: an active Subscription ID is reused by nobody, not even by a request that would clear it
 * first; strongSwan's server does, when it has subscribed and then names software, and hears of it. */
static bool is_reused(const struct subscriptions *s, uint16_t validator, uint32_t id)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->all[i].validator == validator && s->all[i].request.request_id == id)
            return true;
    return false;
}

enum pa_error_code subscriptions_check(const struct subscriptions *s, uint16_t validator,
                                       const struct pa_swima_request *r, const char **why)
{
    size_t count = 0, octets = r->software_ids.raw.n;
    if (is_reused(s, validator, r->request_id)) {
        *why = "this Request ID is that of an active subscription";
        return PA_SUBSCRIPTION_ID_REUSE;
    }
    if (!(r->flags & SWIMA_SUBSCRIBE))
        return PA_OK;
    for (size_t i = 0; i < s->count; i++) /* those that are left once the same request has cleared its own */
        if (!is_clear(s, i, validator, r->flags)) {
            count++;
            octets += s->all[i].request.software_ids.raw.n;
        }
    if (count < SUBSCRIPTIONS && octets <= SUBSCRIPTION_OCTETS)
        return PA_OK;
    *why = "there are too many subscriptions"; /* SWIMA-R52, R80, RFC 8412 §5.6 */
    return PA_SUBSCRIPTION_DENIED;
}

/* SWIMA-R54, R55, R80, RFC 8412 §3.8.3, §5.6: clear first, then subscribe; or nothing of both. */
bool subscriptions_update(struct subscriptions *s, uint16_t validator, const struct pa_swima_request *r, uint32_t epoch,
                          uint32_t tracker)
{
    uint8_t *copy = NULL;
    size_t n = r->software_ids.raw.n;
    if ((r->flags & SWIMA_SUBSCRIBE) && n) {
        copy = malloc(n);
        if (!copy)
            return false;
        memcpy(copy, r->software_ids.raw.p, n);
    }
    for (size_t i = s->count; i-- > 0;)
        if (is_clear(s, i, validator, r->flags))
            subscriptions_drop(s, i);
    if (r->flags & SWIMA_SUBSCRIBE) {
        struct subscription *new = &s->all[s->count++];
        *new = (struct subscription){.validator = validator, .request = *r, .epoch = epoch, .tracker = tracker};
        new->request.software_ids.raw = (struct bytes){copy, n};
    }
    return true;
}

void subscriptions_drop(struct subscriptions *s, size_t at)
{
    free((void *)(uintptr_t)s->all[at].request.software_ids.raw.p);
    s->count--;
    memmove(&s->all[at], &s->all[at + 1], (s->count - at) * sizeof *s->all);
}

void subscriptions_free(struct subscriptions *s)
{
    while (s->count)
        subscriptions_drop(s, s->count - 1);
}

enum { SUBSCRIPTION_STATUS_HEAD = 12 + 4 }; /* of the attribute, RFC 8412 §5.12 */

/* SWIMA-R57, R107, RFC 8412 §5.12: one record for each active subscription of the asker on this connection, an exact
 * copy of the request that made it. */
bool subscriptions_tell(const struct subscriptions *s, struct nea_connection *c, uint16_t to, size_t max)
{
    const struct pa_type *type = &pa_types[PA_SUBSCRIPTION_STATUS_RESPONSE];
    struct pa_subscription_status_response fields = {0};
    struct wr records = wr_of(0);
    for (size_t i = 0; i < s->count; i++)
        if (s->all[i].validator == to) {
            const struct pa_swima_request *r = &s->all[i].request;
            const struct pa_subscription_status_response_item item = {
                .flags = r->flags,
                .request_id = r->request_id,
                .earliest_eid = r->earliest_eid,
                .software_ids = r->software_ids,
            };
            pa_item_put(&records, type, &item);
            fields.subscriptions.count++;
        }
    fields.subscriptions.raw = wr_view(&records);
    bool fits = !records.bad && SUBSCRIPTION_STATUS_HEAD + records.n <= max;
    if (fits)
        nea_send(c, to, &(struct pa_out){type, &fields, 0}, 1);
    wr_free(&records);
    return fits;
}
