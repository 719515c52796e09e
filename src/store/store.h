/* store: the CMDB. One table of statements, SQLite and PostgreSQL behind it, the same tests on both. Bitemporal and interned (doc/architecture.md):
 *   software    one row a distinct identifier of the whole fleet
 *   change_set  a distinct set of (software, action), found by its digest; software -> change sets is indexed
 *   change      (endpoint, epoch, EIDs, time, when learnt, change set, order and offsets of its members): what an endpoint reported
 *   present     who has what now, kept with the changes
 * Everything here blocks: only store threads call it. This is the room's one public header. */
#ifndef MUSTER_STORE_H
#define MUSTER_STORE_H

#include "base/base.h"

enum store_status {
    STORE_OK = 0,
    STORE_NOT_FOUND,
    STORE_CONFLICT,    /* what was reported does not continue what is stored: ask anew (see store_receipt); nothing of it was stored */
    STORE_UNAVAILABLE, /* the database cannot be reached, is busy or full: try again later; nothing of the call was stored */
    STORE_DAMAGED,     /* nothing is repaired or replaced: that is a person's decision */
    STORE_REFUSED,     /* the URL, a newer schema, no permission, a report that contradicts itself: `error` says how to mend it */
    STORE_FAILED,
};

struct store; /* one connection; each store thread has its own */

/* URL: sqlite:PATH, a plain path, or postgresql://…. Creates and migrates the schema (safe when several servers do it at once). */
enum store_status store_open(struct store **out, const char *url, struct error *error) MUST_USE;
void store_close(struct store *s);
/* "sqlite" or "postgresql" */
const char *store_engine(const struct store *s);

/* ---- writing: reports of endpoints ------------------------------------------------------------------------------------ */

enum store_action { STORE_CREATE = 1, STORE_DELETE = 2, STORE_ALTER = 3 }; /* RFC 8412 §5.8 */

/* One event, or one record of an inventory (eid 0, STORE_CREATE, time = when it was reported). */
struct store_event {
    uint32_t eid;
    int64_t time; /* TIME_UNKNOWN where the endpoint knows none */
    enum store_action action;
    uint32_t record_id;
    uint8_t source;
    struct bytes software_id, locator;
};

enum store_software_kind {
    STORE_NO_SOFTWARE, /* none was asked for or none came */
    STORE_EVENTS,      /* events from `earliest` to last_consulted of `epoch` */
    STORE_INVENTORY,   /* the whole inventory at last_eid of `epoch` */
    STORE_HISTORY,     /* events from the first to last_consulted of an `epoch` that is not the stored one, or whose last EID went back */
};

/* What one assessment found. All texts are views that the caller keeps alive during the call. */
struct store_report {
    struct bytes endpoint;  /* its authenticated name */
    struct bytes device_id; /* its own claim, "" if none */
    int64_t session;        /* of an earlier receipt: this report belongs to the same assessment; 0 begins a new one */
    int64_t started, finished;
    struct bytes address; /* of the peer, for the session record */
    bool has_posture;
    struct bytes product, version; /* "Debian", "12 x86_64" */
    uint32_t product_vendor;
    int64_t last_boot;
    int forwarding, default_password; /* as in RFC 5792; -1: not told */
    enum store_software_kind software;
    uint32_t epoch, earliest, last_eid, last_consulted;
    const struct store_event *events;
    size_t event_count;
    int result, access; /* enum nea_result and nea_access, -1 while undecided */
    struct bytes reason;
};
struct store_receipt {
    int64_t endpoint, session; /* row identifiers */
    uint32_t epoch, last_eid;  /* what the store now holds of this endpoint; after STORE_CONFLICT, too */
    uint32_t stored_events;    /* new ones; repeats are not stored again */
    uint32_t new_software;     /* identifiers that the fleet had never reported */
    bool gap;                  /* EIDs between the last stored one and the first reported one are missing: ask from last_eid + 1, or for an inventory */
};

/* What a server must know before it asks: zeros for an endpoint never seen. */
struct store_position {
    int64_t endpoint;
    uint32_t epoch, last_eid;
    bool known;      /* has reported software before */
    bool retired;
    int64_t tags_due; /* from then on its next session shall ask for tags, see store_untagged() */
};
enum store_status store_position(struct store *s, struct bytes endpoint, struct store_position *p, struct error *error) MUST_USE;

/* A write transaction that holds any number of reports (group commit). Within it each report stands or falls alone. */
enum store_status store_begin(struct store *s, struct error *error) MUST_USE;
/* Stores a report: endpoint, session, posture and software. Events already stored are skipped (their EIDs are known), so that a repeated
 * report changes nothing; a first inventory and a patch run that another endpoint reported before cost one small row each. A new epoch keeps the
 * history of the old one and closes what it had open: an inventory is stored as its difference to what is known (EID 0, times are bounds).
 * STORE_HISTORY, all events of a new epoch, only adds what the events stored so far do not tell, if each software's are among them, at the beginning;
 * else they tell of what happened since the last report (an account of their own), eight times a day at most: then STORE_CONFLICT. Where neither
 * side knows what was there, as between the last report and an inventory of a new epoch, it is unknown (store_unknown()).
 * Events of an epoch other than the stored one, behind a gap, or with a last EID that went back are a STORE_CONFLICT: only an inventory, or
 * the missing events, continue the history. STORE_UNAVAILABLE may mean that the whole transaction is lost; then store_commit() says so, too.
 * Nothing counts before store_commit() has returned STORE_OK. */
enum store_status store_report(struct store *s, const struct store_report *report, struct store_receipt *receipt, struct error *error) MUST_USE;
/* Writes the verdict into a session's row; within a transaction or, at once, without one. */
enum store_status store_verdict(struct store *s, int64_t session, int64_t finished, int result, int access, struct bytes reason,
                                struct error *error) MUST_USE;
/* On any failure all reports must be sent again. With PostgreSQL the connection may have been lost after the commit was done: repeats do no harm. */
enum store_status store_commit(struct store *s, struct error *error) MUST_USE;
void store_rollback(struct store *s);

/* ---- tags: what an identifier means (a targeted request with records; asked of two in a fleet) ------------------------------ */

/* What a tag says of a package; empty: it does not. Where an endpoint is looked at: the reference's word, else its own, else what two others agree on. */
struct store_package {
    struct bytes name, version, arch, source, source_version;
};
struct store_untagged {
    int64_t id;
    struct bytes software_id;
};
/* A file as a tag tells it. */
struct store_file {
    struct bytes path;
    int64_t size; /* -1: not told */
    bool mutable;
    struct bytes sha256; /* empty: not told */
};
/* Reported: what an endpoint says of itself, believed as no more than that. Reference: given by the administrator, or signed by who is trusted;
 * it is the tag in every answer, and no report replaces it. */
enum store_tag_kind { STORE_REPORTED = 0, STORE_REFERENCE = 1, STORE_TAG_ANY = -1 };
struct store_tag {
    int64_t software;
    struct bytes octets; /* as they came */
    struct store_package package;
    const struct store_file *files; /* a path that stands twice counts once */
    size_t file_count;
};
#define STORE_TAGS_AGAIN 86400 /* seconds until whom else an identifier is asked of, or the same endpoint again */
#define STORE_TAGS_SOON  60    /* seconds until what nobody has told is asked of whoever else has it: an exchange has ended by then */

/* Software that the endpoint has or had and told nothing of: of which nobody has given a tag and nobody was asked within STORE_TAGS_AGAIN, or which it
 * has now, no two endpoints told of alike, and fewer than two are asked, or nobody told within STORE_TAGS_SOON. Up to `limit` into `list`, together at most `octets` (each with 2 more),
 * texts in the arena. */
enum store_status store_untagged(struct store *s, int64_t endpoint, int64_t now, unsigned limit, size_t octets, struct arena *a,
                                 struct store_untagged *list, size_t *count, struct error *error) MUST_USE;
/* Within a transaction: these are being asked of the endpoint; `more`: its next session shall ask for others. Written before it is asked,
 * so that an endpoint that cannot bear the question is not asked it every time. */
enum store_status store_asked(struct store *s, int64_t endpoint, int64_t now, bool more, const struct store_untagged *list, size_t count,
                              struct error *error) MUST_USE;
/* An endpoint that brought software and has not come for STORE_TAGS_AGAIN to be asked for its tags; 0: none where this look falls, which is
 * another part of the fleet with each `now`. */
enum store_status store_tags_absent(struct store *s, int64_t now, int64_t *endpoint, struct error *error) MUST_USE;
/* Within a transaction: what that endpoint brought may be asked of anybody who has it. A part at a time: once more while it is still absent. */
enum store_status store_tags_release(struct store *s, int64_t endpoint, int64_t now, struct error *error) MUST_USE;
/* Within a transaction: tags that the endpoint gave. A reference stays what it is, and so does another endpoint's report, unless two others agree on
 * something else; what this one says of its package counts for itself, and of its files is kept beside them, so that what differs can be told. */
enum store_status store_tags(struct store *s, int64_t endpoint, int64_t now, const struct store_tag *tags, size_t count,
                             struct error *error) MUST_USE;
/* Within a transaction: the reference tag of a software, which nobody needs to have; the last one given counts. tag->software is not looked at.
 * `who` gave or signed it. *software: its number. */
enum store_status store_reference(struct store *s, struct bytes software_id, struct bytes who, int64_t now, const struct store_tag *tag,
                                  int64_t *software, struct error *error) MUST_USE;
/* A software's tag of that kind, by row identifier or by the software identifier itself. */
enum store_status store_tag(struct store *s, struct bytes id_or_text, enum store_tag_kind kind, void (*visit)(void *, struct bytes octets),
                            void *context, struct error *error) MUST_USE;

/* ---- spot checks: what endpoints say of files, beside the references --------------------------------------------------- */

/* Software that the endpoint has now and that has a reference with files, the longest not asked of it first; as store_untagged(). */
enum store_status store_unverified(struct store *s, int64_t endpoint, unsigned limit, size_t octets, struct arena *a, struct store_untagged *list,
                                   size_t *count, struct error *error) MUST_USE;
/* Within a transaction: these are being asked of the endpoint. */
enum store_status store_verifying(struct store *s, int64_t endpoint, int64_t now, const struct store_untagged *list, size_t count,
                                  struct error *error) MUST_USE;
/* Of the software that the endpoint has now: how many have a reference with files; of how many of them it told its files; how many of those told
 * none when it was last asked (whatever it told before stands); in how many, and in how many files, it differs. */
struct store_verified {
    int64_t references, compared, bare, differing, findings;
};
enum store_status store_verified(struct store *s, int64_t endpoint, struct store_verified *v, struct error *error) MUST_USE;
/* `differing` alone, which costs nothing where nothing differs. */
enum store_status store_differing(struct store *s, int64_t endpoint, int64_t *differing, struct error *error) MUST_USE;

/* ---- reading: `at` is a valid time (TIME_UNKNOWN: now); `known_at` a transaction time (TIME_UNKNOWN: all that is known) -------------- */

struct store_endpoint {
    int64_t id;
    struct bytes name, device_id, product, version, address;
    int64_t first_seen, last_seen, last_boot;
    uint32_t epoch, last_eid;
    uint32_t installed; /* software instances present now */
    int forwarding, default_password, result, access;
    struct bytes reason;
};
struct store_software {
    struct bytes software_id;
    uint32_t count; /* instances: two architectures of one package and version share an identifier */
    int64_t since;  /* when the newest instance came, as the endpoint reported it */
    uint8_t source;
    int64_t id; /* of the software, for store_tag() */
    struct store_package package;
    bool bound;   /* it came then or before: an inventory told it, or it stands at the beginning of all that its source knows */
    bool perhaps; /* nobody knows whether it was there at the moment asked for: it came, or went, by a time after it */
};
struct store_history_event {
    uint32_t epoch, eid;
    int64_t time, learnt;
    enum store_action action;
    struct bytes software_id;
    uint8_t source;
    struct store_package package;
    bool bound; /* as above */
};

#define STORE_ALL UINT32_MAX /* a limit of store_software(): everything, of one moment of the database */

/* Pages: up to `limit` (1..1000) items behind `after` (0: from the beginning); a visitor returning false stops. *next is the cursor of
 * the next page, 0 at the end. Views are valid during the call of the visitor. */
enum store_status store_endpoints(struct store *s, uint64_t after, unsigned limit, bool (*visit)(void *, const struct store_endpoint *),
                                  void *context, uint64_t *next, struct error *error) MUST_USE;
/* By row identifier (a number) or by name. */
enum store_status store_endpoint(struct store *s, struct bytes id_or_name, bool (*visit)(void *, const struct store_endpoint *),
                                 void *context, struct error *error) MUST_USE;
/* The earliest moment that an endpoint's history tells of: what was installed before is unknown. TIME_UNKNOWN: it told none. */
enum store_status store_known_since(struct store *s, int64_t endpoint, int64_t *since, struct error *error) MUST_USE;
/* When, between what was known and what is known anew, nobody knows what was installed: from `from` on, until before `to`; oldest first. */
enum store_status store_unknown(struct store *s, int64_t endpoint, bool (*visit)(void *, int64_t from, int64_t to), void *context,
                                struct error *error) MUST_USE;
/* What was, or may have been, installed at `at`, ordered by identifier: a fold over the changes. */
enum store_status store_software(struct store *s, int64_t endpoint, int64_t at, int64_t known_at, uint64_t after, unsigned limit,
                                 bool (*visit)(void *, const struct store_software *), void *context, uint64_t *next,
                                 struct error *error) MUST_USE;
/* All events, newest learnt last, in (epoch as learnt, EID) order. */
enum store_status store_events(struct store *s, int64_t endpoint, uint64_t after, unsigned limit,
                               bool (*visit)(void *, const struct store_history_event *), void *context, uint64_t *next,
                               struct error *error) MUST_USE;

/* Which tag each software has, in the order of their numbers; `reported` is what an endpoint reported where the tag is a reference. */
struct store_tag_origin {
    struct bytes who;      /* of a reference */
    int64_t endpoint;      /* of a report; 0: there is none */
    struct bytes endpoint_name;
    int64_t learnt, files; /* files: 0 if it tells none */
};
struct store_tag_item {
    int64_t software;
    struct bytes software_id;
    struct store_package package; /* name, version, arch */
    enum store_tag_kind kind;
    struct store_tag_origin origin, reported;
};
enum store_status store_tag_list(struct store *s, uint64_t after, unsigned limit, bool (*visit)(void *, const struct store_tag_item *),
                                 void *context, uint64_t *next, struct error *error) MUST_USE;

/* One file of what an endpoint told that is not as the tag says; files that the tag calls mutable may be as they are. */
enum store_difference { STORE_CHANGED, STORE_MISSING, STORE_ADDED };
struct store_finding {
    int64_t software;
    struct bytes software_id;
    struct store_package package; /* name, version, arch */
    enum store_tag_kind against;  /* STORE_REPORTED: another endpoint told it otherwise first, and nobody knows who is right */
    enum store_difference what;
    struct bytes path;
    struct store_file wanted, told; /* path empty: it is not there */
    int64_t learnt; /* when the difference could be known first */
};
/* Of software that the endpoint has now. */
enum store_status store_findings(struct store *s, int64_t endpoint, uint64_t after, unsigned limit,
                                 bool (*visit)(void *, const struct store_finding *), void *context, uint64_t *next,
                                 struct error *error) MUST_USE;

/* A file by its digest or its path (the other one empty), once for each package and each set of files that tells it. */
struct store_owner {
    int64_t id;
    struct bytes name;
    bool told; /* the endpoint itself tells this file; else it has the package, and told nothing of its files */
};
struct store_found_file {
    struct store_file file;
    int64_t software;
    struct bytes software_id;
    struct store_package package; /* name, version, arch */
    enum store_tag_kind kind;     /* of the tag that tells it, */
    bool deviation;               /* unless only endpoints do whose files are not those of any tag: then REPORTED */
    const struct store_owner *owners;
    size_t owner_count;
    bool more; /* owners, than the first STORE_OWNERS_MAX */
};
enum { STORE_OWNERS_MAX = 1000 };
enum store_status store_files(struct store *s, struct bytes sha256, struct bytes path, uint64_t after, unsigned limit,
                              bool (*visit)(void *, const struct store_found_file *), void *context, uint64_t *next,
                              struct error *error) MUST_USE;

/* Counts for /healthz and the page: endpoints, distinct software, change sets, changes, sessions. */
struct store_totals {
    int64_t endpoints, software, change_sets, changes, sessions;
};
enum store_status store_totals(struct store *s, struct store_totals *totals, struct error *error) MUST_USE;

#endif
