/* reasons: all that validators say to an endpoint's user, in every language that we have; private to server/. One row a
 * reason. */
#ifndef MUSTER_SERVER_REASONS_H
#define MUSTER_SERVER_REASONS_H

#include "base/base.h"

enum language { ENGLISH, GERMAN, LANGUAGES };
/* Its tag, as RFC 5646 has it. */
const char *language_tag(enum language l);
/* Of the languages we have the one that an Accept-Language value (RFC 9110 §12.5.4) likes best. */
enum language language_choose(struct bytes accept_language);

enum reason {
    REASON_NONE,
    /* Policy: what was found, and that it is not known. */
    REASON_FORWARDING,
    REASON_FORWARDING_UNKNOWN,
    REASON_DEFAULT_PASSWORD,
    REASON_DEFAULT_PASSWORD_UNKNOWN,
    REASON_FILES,
    /* Posture. */
    REASON_POSTURE_NOT_TOLD, /* what it did not tell follows */
    REASON_POSTURE_WRONG,
    /* Software. */
    REASON_RETIRED,
    REASON_SOFTWARE_NOT_TOLD,
    REASON_SOFTWARE_REFUSED,
    REASON_SOFTWARE_MALFORMED,
    REASON_OTHER_TYPE,
    REASON_OTHER_EVENTS,
    REASON_EVENT_OUT_OF_RANGE,
    REASON_EVENT_WITHOUT_IDENTIFIER,
    REASON_EVENTS_BREAK_OFF,
    REASON_INVENTORY_TOO_LARGE,
    REASON_RECORD_WITHOUT_IDENTIFIER,
    /* The server's own trouble. */
    REASON_NO_DATABASE,
    REASON_BUSY,
    REASON_NOT_STORED,
    REASON_COUNT
};

struct reason_text {
    const char *said;
    const char *remediation; /* a title, a line feed, what to do; NULL: nothing that the endpoint's user can mend */
};
/* Both are "" and NULL for REASON_NONE. */
const struct reason_text *reason_text(enum reason r, enum language l);

#endif
