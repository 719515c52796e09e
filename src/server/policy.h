/* policy: what an endpoint's posture means for its access; private to server/. One row a check. */
#ifndef MUSTER_SERVER_POLICY_H
#define MUSTER_SERVER_POLICY_H

#include "nea/nea.h"
#include "server/reasons.h"
#include "store/store.h"

enum policy_action { POLICY_ALLOW, POLICY_QUARANTINE, POLICY_DENY };
enum policy_check { POLICY_FORWARDING, POLICY_DEFAULT_PASSWORD, POLICY_FILES, POLICY_CHECKS };

struct policy {
    enum policy_action actions[POLICY_CHECKS];
    const char *help; /* a URI for users who have something to mend, as the administrator gave it; NULL: none */
};
/* Forwarding, and files that are not as a reference tag says: allow, with the advice to mend it; a factory default password: deny. */
extern const struct policy policy_default;
/* Reads "forwarding=deny,default-password=allow" over what stands in *p: each check once, and one at least. */
bool policy_parse(struct policy *p, struct bytes text, struct error *error) MUST_USE;

/* What a validator found. `told` is the component's own result, `result` and `access` what it contributes to the whole: a
 * finding that is allowed is advice, as in strongSwan's OS validator. */
struct policy_finding {
    enum nea_result told, result;
    enum nea_access access;
    char reason[256], said[256]; /* in English for the record, in the endpoint's language for its user; "" = none */
    char remediation[512];       /* in its language, "" = none */
    const char *language;        /* of those two */
};
/* Nothing. */
struct policy_finding policy_compliant(void);
/* All checks of a posture. */
void policy_judge(const struct policy *p, const struct store_report *report, struct bytes accept_language,
                  struct policy_finding *f);
/* The check of files: of how many packages they differ from the reference. What nobody has compared denies nothing: there need not be a
 * reference, and an endpoint need not have files to tell (product: scripts may rely on it). */
void policy_judge_files(const struct policy *p, int64_t differing, struct bytes accept_language, struct policy_finding *f);
/* What no policy allows: the endpoint, or this server, did not do its part. `details` follow the reason's text; they have no language. */
void policy_deny(enum nea_result result, enum reason reason, const char *details, struct bytes accept_language,
                 struct policy_finding *f);

#endif
