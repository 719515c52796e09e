/* subscription: what the SWIMA validator is to be told unasked (SWIMA-R49, RFC 8412 §3.8): at most one a session, of
 * all identifier events; private to server/. Sessions are bounded by memory alone, and so are subscriptions (SWIMA-R53:
 * at least 256). */
#ifndef MUSTER_SERVER_SUBSCRIPTION_H
#define MUSTER_SERVER_SUBSCRIPTION_H

#include "nea/nea.h"

struct subscription {
    enum subscription_state {
        SUBSCRIPTION_NONE,
        SUBSCRIPTION_ASKED, /* its request is under way */
        SUBSCRIPTION_STANDS,
        SUBSCRIPTION_DENIED, /* by an error: not asked for again */
    } state;
    uint32_t id;
    uint16_t collector; /* who has it (SWIMA-R54) */
};

/* The flag of a request for events: set if it is to establish a subscription; then its Request ID is the
 * subscription's. */
uint8_t subscription_ask(struct subscription *s, uint32_t request_id);
/* SWIMA-R51, RFC 8412 §3.8.1: its request has been answered. */
void subscription_answered(struct subscription *s, uint16_t collector, uint32_t request_id);
/* A new exchange begins: a request that was not answered by then, or with an error, has established nothing (SWIMA-R68). */
void subscription_reopen(struct subscription *s);
/* Whether a response tells news of it. The Fulfillment flag is not asked: strongSwan does not set it (SWIMA-R101). */
bool subscription_covers(const struct subscription *s, uint16_t collector, uint32_t id);
/* What a PA-TNC Error means to it (RFC 8412 §5.15.1, §5.15.3). DENIED: it was refused, the response may come all the
 * same, as strongSwan's does; ENDED: code 7, it is over (SWIMA-R71). */
enum subscription_error { SUBSCRIPTION_NOT_MEANT, SUBSCRIPTION_WAS_DENIED, SUBSCRIPTION_ENDED };
enum subscription_error subscription_take_error(struct subscription *s, uint16_t collector, const struct pa_error *e);

#endif
