/* The life of a subscription, as the validator sees it. */
#include "server/subscription.h"

enum { SUBSCRIBE = 0x40 }; /* RFC 8412 §5.6 */

uint8_t subscription_ask(struct subscription *s, uint32_t request_id)
{
    if (s->state != SUBSCRIPTION_NONE)
        return 0;
    *s = (struct subscription){.state = SUBSCRIPTION_ASKED, .id = request_id};
    return SUBSCRIBE;
}

void subscription_answered(struct subscription *s, uint16_t collector, uint32_t request_id)
{
    if (s->state != SUBSCRIPTION_ASKED || s->id != request_id)
        return;
    s->state = SUBSCRIPTION_STANDS;
    s->collector = collector;
}

void subscription_reopen(struct subscription *s)
{
    if (s->state == SUBSCRIPTION_ASKED)
        s->state = SUBSCRIPTION_NONE;
}

bool subscription_covers(const struct subscription *s, uint16_t collector, uint32_t id)
{
    return s->state == SUBSCRIPTION_STANDS && s->collector == collector && s->id == id;
}

enum subscription_error subscription_take_error(struct subscription *s, uint16_t collector, const struct pa_error *e)
{
    struct rd r = rd_of(e->information, 0);
    uint32_t id = rd_u32(&r);
    if (e->vendor_id != PEN_IETF || r.bad || id != s->id)
        return SUBSCRIPTION_NOT_MEANT;
    if (e->code == PA_SUBSCRIPTION_DENIED &&
        s->state != SUBSCRIPTION_DENIED) { /* strongSwan's answer may come before */
        s->state = SUBSCRIPTION_DENIED;
        return SUBSCRIPTION_WAS_DENIED;
    }
    if (e->code == PA_SUBSCRIPTION_FULFILLMENT && subscription_covers(s, collector, id)) {
        s->state = SUBSCRIPTION_NONE; /* the next request may ask anew */
        return SUBSCRIPTION_ENDED;
    }
    return SUBSCRIPTION_NOT_MEANT;
}
