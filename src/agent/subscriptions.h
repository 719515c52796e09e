/* subscriptions: what validators want to be told unasked (SWIMA-R49, RFC 8412 §3.8), of one connection; private to
 * agent/. They end with it (SWIMA-R56): hence one table a connection, keyed by the validator's identifier. */
#ifndef MUSTER_AGENT_SUBSCRIPTIONS_H
#define MUSTER_AGENT_SUBSCRIPTIONS_H

#include "agent/collector.h"

/* SWIMA Request flags (RFC 8412 §5.6). */
enum { SWIMA_CLEAR = 0x80, SWIMA_SUBSCRIBE = 0x40, SWIMA_IDENTIFIERS_ONLY = 0x20 };
/* SWIMA-R52, RFC 8412 §3.8.1: at least 8. What their identifiers may cost, all together. */
enum { SUBSCRIPTIONS = 16, SUBSCRIPTION_OCTETS = 1 << 20 };

struct subscription {
    uint16_t validator;
    struct pa_swima_request request; /* as it came; the list of identifiers is a copy */
    uint32_t epoch, tracker;         /* the last event that was consulted for it (SWIMA-R60) */
};
struct subscriptions {
    struct subscription all[SUBSCRIPTIONS];
    size_t count;
};

/* Whether a request of `validator` may be done: PA_OK, or the code of the error that answers it and *why. */
enum pa_error_code subscriptions_check(const struct subscriptions *s, uint16_t validator,
                                       const struct pa_swima_request *r, const char **why) MUST_USE;
/* Does what the flags of a checked request say, once its answer stands; the answer consulted `epoch` up to `tracker`.
 * False: no memory, nothing was done. */
bool subscriptions_update(struct subscriptions *s, uint16_t validator, const struct pa_swima_request *r, uint32_t epoch,
                          uint32_t tracker) MUST_USE;
void subscriptions_drop(struct subscriptions *s, size_t at);
void subscriptions_free(struct subscriptions *s);
/* Answers a Subscription Status Request; false: nothing was sent, the answer would be larger than `max` octets. */
bool subscriptions_tell(const struct subscriptions *s, struct nea_connection *c, uint16_t to, size_t max) MUST_USE;

#endif
