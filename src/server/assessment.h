/* assessment: what the validators of one session gather, judge and store together; private to server/. Sans-I/O but for
 * the host's two functions, so that tests drive it in memory. */
#ifndef MUSTER_SERVER_ASSESSMENT_H
#define MUSTER_SERVER_ASSESSMENT_H

#include "nea/nea.h"
#include "server/policy.h"
#include "server/store_threads.h"

/* One validator's share. */
struct assessment_part {
    struct nea_connection *connection;
    uint16_t collector; /* who answered it: the Assessment Result goes there; NEA_ANY: nobody */
    bool settled;
    struct policy_finding finding; /* once it has settled; in a push that of the exchange before may stand */
    bool of_files;                 /* it is what is known of files, beside which there is nothing to say */
};

struct assessment_host {
    /* As store_threads_submit(); `done` is called later, never from within. */
    bool (*submit)(void *context, struct store_request *request);
    /* A hold was released outside of the session's own calls: call nea_session_out(). */
    void (*wake)(void *context);
    /* NULL, or is told which endpoint this is, each time a report of it was stored. */
    void (*stored)(void *context, int64_t endpoint);
    /* NULL, or is told that another exchange would be of use: see assessment_resumes(). */
    void (*linger)(void *context);
    void *context;
    struct net_loop *loop;
    const struct policy *policy; /* NULL: the default */
    const struct server_trust *trust; /* who may sign references; NULL: nobody */
    unsigned verify; /* how many tags an exchange asks for to compare them with their references */
};

/* What goes into one report of software; the rest of the report is the assessment's. */
struct assessment_software {
    enum store_software_kind kind;
    uint32_t epoch, earliest, last_eid, last_consulted;
    const struct store_event *events; /* in the assessment's arena */
    size_t event_count;
};

enum { ASSESSMENT_PARTS = 4, ASSESSMENT_SOFTWARE = 2 };

struct assessment {
    const struct assessment_host *host; /* NULL: the session is gone, a request of it is still under way */
    char endpoint[256];                 /* report.endpoint */
    struct arena arena;                 /* what the report's views point to: at most 64 MiB a session */
    struct store_report report;
    struct assessment_software
        software[ASSESSMENT_SOFTWARE]; /* stored in this order; events, and an inventory to set them right */
    size_t software_count, software_stored;
    struct assessment_part parts[ASSESSMENT_PARTS];
    size_t part_count;
    bool pushed;       /* this exchange brings news of a subscription, and no posture: what was found before stands */
    unsigned exchange; /* counts handshake retries: an answer that belongs to an earlier one is not this one's */

    /* Of the store. */
    struct store_request request;
    unsigned request_exchange;
    bool busy, again; /* a request is under way; the next one waits for it */
    struct nea_connection *holding;
    bool positioned; /* `position` is known, or could not be had, since the last verdict */
    bool unpositioned; /* it is to be asked for, once the request under way has come back */
    enum store_status position_status;
    struct store_position position;
    char stored_reason[sizeof((struct policy_finding *)0)->reason]; /* of the request */
    int64_t stored_session; /* row of the session, to correct its verdict; 0: none */
    int64_t last_session;   /* the same of any exchange so far */

    struct tags tags; /* that are asked for in this exchange */
    bool unknown;     /* software was stored that nobody has told a tag of */
    bool resumed;     /* the next exchange, or this one, is there to ask for tags: it belongs to the session's row */

    /* The SWIMA validator's, which depends on what is stored. */
    void *swima;
    struct assessment_part *software_part; /* whose verdict takes in what is known of files */
    void (*on_position)(void *swima);
    /* The report does not continue what is stored; true: the validator asks anew. */
    bool (*on_conflict)(void *swima, const struct store_receipt *receipt);
};

/* NULL: no memory. `endpoint` (empty: not known yet) and `address` are copied. */
struct assessment *assessment_new(const struct assessment_host *host, struct bytes endpoint,
                                  struct bytes address) MUST_USE;
/* Who it is, if that was not known yet; before the first exchange. */
void assessment_identify(struct assessment *a, struct bytes endpoint);
/* The session is gone: freed at once, or when the request under way comes back. */
void assessment_release(struct assessment *a);
/* A validator takes part. NULL: there are too many. */
struct assessment_part *assessment_join(struct assessment *a, struct nea_connection *c);
/* Asks the store where this endpoint's history stands, once it is known who that is and unless that is known; on_position
 * follows. */
void assessment_locate(struct assessment *a);
/* A new exchange begins (first, or after a handshake retry): the part is open again. */
void assessment_reopen(struct assessment *a, struct assessment_part *part);
/* Text that every engine of the store takes: UTF-8 without NUL. */
bool assessment_storable(struct bytes text);
/* The validator has come to its verdict. Once all have, the report is stored, and only then are the verdicts given. */
void assessment_settle(struct assessment *a, struct assessment_part *part, const struct policy_finding *finding);
/* The same where the endpoint did not give what it was asked for, or gave it wrongly. */
void assessment_fail(struct assessment *a, struct assessment_part *part, enum reason reason, const char *details);
/* This exchange brings news of a subscription: it belongs to the session's row, and the parts that do not speak may stand as they are.
 * False: no exchange before has been stored, so it must be a whole one. */
bool assessment_push(struct assessment *a) MUST_USE;
/* In such an exchange: the part's verdict is what it was before. */
void assessment_stand(struct assessment *a, struct assessment_part *part);
/* Between two exchanges, the second of which would be of use. */
bool assessment_resumes(const struct assessment *a);
/* The broker's final word: what was stored is corrected if it differs. */
void assessment_decided(struct assessment *a, enum nea_result result, enum nea_access access);

/* The validators; context: struct assessment *. */
extern const struct nea_component server_os_validator, server_swima_validator;

#endif
