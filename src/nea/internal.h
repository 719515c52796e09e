/* What the files of nea/ share among themselves. From bottom to top: pa.c, seg.c, pb.c, broker.c, pt_tls.c, session.c.
 */
#ifndef MUSTER_NEA_INTERNAL_H
#define MUSTER_NEA_INTERNAL_H

#include "nea/nea.h"

/* ---- pa.c ---- */

#define PA_MESSAGE_HEADER    8
#define PA_ATTRIBUTE_HEADER  12
#define PA_NOSKIP            0x80
#define PA_ERROR_INFORMATION 16 /* the most that codes 1 to 3 carry */

/* Members of a union that holds an item of any list. */
#define PA_ITEM_UNION_PLAIN(row)
#define PA_ITEM_UNION_LIST(row)             struct pa_##row##_item row;
#define PA_ITEM_UNION(ENUM, row, list, ...) PA_ITEM_UNION_##list(row)

/* As pa_message_decode(), where only the rows in `accepts` (bits 1 << PA_X; 0: all) are supported. */
enum pa_error_code pa_message_decode_for(struct arena *a, struct bytes message, enum nea_role receiver,
                                         uint64_t accepts, struct pa_message *out, struct nea_fault *fault) MUST_USE;
/* One attribute of the message that *r walks: reads its header, keeps its value as a view. After a fault of framing *r is bad. */
enum pa_error_code pa_attribute_frame(struct rd *r, struct pa_attribute *at, bool *is_error,
                                      struct nea_fault *fault) MUST_USE;
/* Whether `receiver` takes attributes of this type (NULL: it does not). */
bool pa_takes(const struct pa_type *type, enum nea_role receiver, uint64_t accepts);
/* Then its fields, if `receiver` takes it; else at->type stays NULL. */
enum pa_error_code pa_attribute_decode(struct arena *a, struct pa_attribute *at, enum nea_role receiver,
                                       uint64_t accepts, struct nea_fault *fault) MUST_USE;
/* The members of pa_attribute_json() into an object that is open. */
void pa_attribute_members(struct json *j, const struct pa_attribute *attribute);
/* Text where it is text, {"hex": …} where it is not. */
void nea_bytes_json(struct json *j, const char *key, struct bytes b);
/* The Error Information of RFC 5792 §4.2.8 for codes 1 to 3: the 8 octets of `head`, then the fault's offset counted
 * from `base`, or what is wrong at that place of `message`. Returns its length. */
size_t pa_error_information(uint8_t out[PA_ERROR_INFORMATION], struct bytes head, struct bytes message,
                            const struct nea_fault *fault, size_t base);
void nea_fault_set(struct nea_fault *f, uint32_t code, size_t offset, const char *rule, const char *section,
                   const char *format, ...) PRINTF_LIKE(6, 7);

/* ---- seg.c: TCG IF-M Segmentation 1.0 ---- */

#define SEG_NO_LIMIT      0xffffffffu
#define SEG_MORE          0x80
#define SEG_START         0x40
#define SEG_CANCEL        0x80
#define SEG_CONTRACTS_MAX 8  /* peers that one component keeps a contract with */
#define SEG_OPEN_MAX      16 /* transfers that one component has open in each direction */
#define SEG_OUT_MAX       ((size_t)48 << 20) /* octets that wait in them to be pulled; one answer may be 16 MiB */
#define SEG_OVERHEAD      (PA_MESSAGE_HEADER + PA_ATTRIBUTE_HEADER + 4)

/* What we promised a peer component for what we send to it. */
struct seg_contract {
    uint16_t peer;
    uint32_t max_message, max_segment;
};

struct seg_transfer {
    struct seg_transfer *next;
    uint16_t peer;
    uint32_t base_id;
    uint32_t segment; /* outgoing: octets a segment */
    size_t done;      /* outgoing: octets sent; incoming: octets announced in the base attribute's header */
    struct wr data;   /* outgoing: the base attribute; incoming: a pseudo message header and what has come of the base
                         attribute */
};

/* One component's segmentation in one session. */
struct seg {
    struct seg_contract contracts[SEG_CONTRACTS_MAX];
    unsigned contract_count;
    struct seg_transfer *out, *in;
    uint32_t last_base_id;
};

/* The largest segment that messages of max_message octets carry; 0 if segmentation makes no sense with them. */
uint32_t seg_size(size_t max_message);
/* The peer asked for a contract: notes it and returns the sizes to answer (SEG-R3). */
struct pa_segmentation_contract_response
seg_accept(struct seg *s, uint16_t peer, const struct pa_segmentation_contract_request *request, size_t max_message);
/* The contract with `peer`; for NEA_ANY the only one there is. NULL: none, send plainly. */
const struct seg_contract *seg_find(const struct seg *s, uint16_t peer);
/* Whether an attribute of n octets (header included) must and can be cut under this contract. */
bool seg_applies(const struct seg_contract *c, size_t n);
/* Starts an outgoing transfer; takes over the memory of `attribute` (also when it fails: NULL, too many, too much or no
 * memory). */
struct seg_transfer *seg_open(struct seg *s, const struct seg_contract *c, struct wr *attribute);
/* The next envelope of at most `room` octets of segment; the last one closes the transfer: call seg_close() once flags
 * lack SEG_MORE. The view lives as long as the transfer. */
struct pa_segment_envelope seg_cut(struct seg_transfer *t, size_t room);
struct seg_transfer *seg_lookup(struct seg_transfer *list, uint16_t peer, uint32_t base_id);
void seg_close(struct seg_transfer **list, struct seg_transfer *t);
/* The transfer to the peer whose turn it is to begin, the oldest; NULL: there is none, or one is under way. */
struct seg_transfer *seg_next(struct seg_transfer *list, uint16_t peer);

enum seg_verdict {
    SEG_IGNORE,   /* nothing to do, worth a log line */
    SEG_WANT,     /* ask for the next one */
    SEG_COMPLETE, /* (*t)->data is a message with one attribute behind a pseudo header; close it after use */
    SEG_REFUSE,   /* the fault says why, its offset counts as in the pseudo message; cancel if more would follow */
    SEG_TOO_LARGE /* above our bound: cancel */
};
/* Takes an envelope in. *held is what all reassemblies of the session hold, never more than `bound`. *t is the transfer
 * for SEG_WANT and SEG_COMPLETE, NULL else. */
enum seg_verdict seg_take(struct seg *s, uint16_t peer, const struct pa_segment_envelope *e, size_t *held, size_t bound,
                          struct seg_transfer **t, struct nea_fault *fault);
/* Ends all transfers, or the contracts too. */
void seg_reset(struct seg *s);

/* ---- pb.c: PB-TNC (RFC 5793) ---- */

#define PB_VERSION        2
#define PB_BATCH_HEADER   8
#define PB_MESSAGE_HEADER 12
#define PB_PA_HEADER      24 /* with the message header */
#define PB_NOSKIP         0x80
#define PB_PA_EXCL        0x80
#define PB_ERROR_FATAL    0x80
#define PB_MESSAGES_MAX   4096 /* PB-L3: messages of one batch */

enum pb_type { PB_CDATA = 1, PB_SDATA, PB_RESULT, PB_CRETRY, PB_SRETRY, PB_CLOSE };
enum pb_direction { PB_RX, PB_TX };
enum pb_action {
    PB_PROCESS, /* act on the messages */
    PB_IGNORE,  /* a crossing retry: legal, contents ignored (PB-R3) */
    PB_RETRY,   /* a new exchange begins, then act on the messages */
    PB_DROP,    /* we are done */
    PB_FINISH,  /* CLOSE: act on errors in it, then the end */
};
struct pb_step {
    uint8_t state, role, direction, type, action, next;
};
/* The row of the state table; NULL: illegal (PB-R12 when received). */
const struct pb_step *pb_step_find(enum pb_state state, enum nea_role role, enum pb_direction direction, unsigned type);
const char *pb_type_name(unsigned type);
const char *pb_state_name(enum pb_state state);

enum pb_message_type {
    PB_EXPERIMENTAL,
    PB_PA,
    PB_ASSESSMENT_RESULT,
    PB_ACCESS_RECOMMENDATION,
    PB_REMEDIATION,
    PB_ERROR,
    PB_LANGUAGE,
    PB_REASON,
    PB_MESSAGE_TYPES
};
enum pb_error_code {
    PB_UNEXPECTED_BATCH,
    PB_INVALID_PARAMETER,
    PB_LOCAL_ERROR,
    PB_UNSUPPORTED_MANDATORY,
    PB_VERSION_NOT_SUPPORTED,
    PB_OK = 0xffff /* ours */
};

struct pb_message {
    uint8_t flags;
    uint32_t vendor, type;
    struct bytes value;
    size_t offset; /* in the batch */
    bool ignored;  /* unknown, or not to be acted on in this batch */
};

/* Checks a whole batch as `receiver` in `state`; nothing in it may be acted on unless this gives PB_OK.
 * *step is the row of the state table. After it, pb_message_next() walks the messages and cannot fail. */
enum pb_error_code pb_batch_check(struct bytes batch, enum nea_role receiver, enum pb_state state,
                                  const struct pb_step **step, struct nea_fault *fault) MUST_USE;
/* The header of a whole batch alone, of either direction if `receiver` is NEA_OBSERVER. */
enum pb_error_code pb_header_check(struct bytes batch, enum nea_role receiver, unsigned *type,
                                   struct nea_fault *fault) MUST_USE;
struct rd pb_batch_messages(struct bytes batch);
bool pb_message_next(struct rd *r, enum nea_role receiver, unsigned batch_type, struct pb_message *m);

/* The messages of a batch one after the other, each checked, and on the way how often it may stand there; for whoever wants to go on
 * behind a fault. While rd_more(&walk.r): pb_walk_next(); then pb_walk_end(). */
struct pb_walk {
    struct rd r;
    enum nea_role receiver;
    unsigned type, count, seen[PB_MESSAGE_TYPES];
};
struct pb_walk pb_walk_of(struct bytes batch, enum nea_role receiver, unsigned batch_type);
enum pb_error_code pb_walk_next(struct pb_walk *walk, struct pb_message *m, struct nea_fault *fault) MUST_USE;
enum pb_error_code pb_walk_end(const struct pb_walk *walk, struct nea_fault *fault) MUST_USE;
/* The name of an IETF message type, NULL if there is none. */
const char *pb_message_name(uint32_t type);

struct pb_pa {
    uint8_t flags;
    uint32_t vendor, subtype;
    uint16_t collector, validator;
    struct bytes message;
};
struct pb_pa pb_pa_read(struct bytes value);
/* Counted text of a Reason-String or Remediation-String. */
struct bytes pb_text_read(struct bytes value);

/* Writing: begin, messages, end. The batch starts where w stood. */
size_t pb_batch_begin(struct wr *w, enum nea_role sender, enum pb_type type);
void pb_batch_end(struct wr *w, size_t start);
size_t pb_message_begin(struct wr *w, uint8_t flags, uint32_t type);
void pb_message_end(struct wr *w, size_t start);
size_t pb_pa_begin(struct wr *w, const struct pb_pa *pa);
void pb_result_put(struct wr *w, enum nea_result result, enum nea_access access);
void pb_reason_put(struct wr *w, struct bytes text, struct bytes language);
/* One PB-Remediation-Parameters message of vendor 0; `language` only with a text. */
void pb_remediation_put(struct wr *w, enum nea_remediation kind, struct bytes text, struct bytes language);
void pb_language_put(struct wr *w, const char *ranges);
/* PB-Mutual-Capability, half-duplex: vendor ITA, type 1 (strongSwan's). */
void pb_mutual_put(struct wr *w);
bool pb_mutual_offers(const struct pb_message *m);
/* A fatal error; for PB_VERSION_NOT_SUPPORTED the fault's offset is the bad version. */
void pb_error_put(struct wr *w, const struct nea_fault *fault);

/* ---- sasl.c: SASL mechanisms, sans-I/O ---- */

#define SASL_NAME_MAX     20   /* octets of a mechanism's name (RFC 4422 §3.1) */
#define SASL_MESSAGE_MAX  1024 /* octets that a mechanism takes or makes */
#define SASL_NONCE        24   /* random octets of our nonce, a third more in base64 */
#define SASL_FAILURES_MAX 3    /* wrong logins a connection */
#define SASL_ROUNDS_MAX   16   /* SASL messages that we take in a connection */

enum sasl_verdict {
    SASL_SEND,   /* `out` is for the peer */
    SASL_ASK,    /* server: the host is asked about x->login; go on with sasl_answer() */
    SASL_DONE,   /* the other side has proved itself; server: `out` is additional data with success */
    SASL_WRONG,  /* it has not, or what it says is no message of this mechanism */
    SASL_BROKEN, /* our own trouble */
};
struct sasl;
struct sasl_mechanism {
    const char *name;
    bool by_certificate; /* else by password */
    bool shows_password; /* to the server, and to whoever plays one */
    bool retry;          /* who speaks this reads results as RFC 6876 writes them, and may try again */
    /* What the other side said; at first, and when the host has answered, nothing. */
    enum sasl_verdict (*client)(struct sasl *x, struct bytes in, struct wr *out);
    enum sasl_verdict (*server)(struct sasl *x, struct bytes in, struct wr *out);
};
enum { SASL_MECHANISMS = 3 };
/* Strongest first: the order in which a server offers them and a client chooses. */
extern const struct sasl_mechanism sasl_mechanisms[SASL_MECHANISMS];

/* One exchange. */
struct sasl {
    const struct sasl_mechanism *mechanism;
    const struct nea_crypto *crypto;
    struct bytes user, password; /* client: its login */
    struct bytes certificate;    /* server: the name in the peer's certificate */
    unsigned step;
    bool proven; /* client: nothing is left that the server must prove */
    /* Server: whose login it is, what the host said of it. */
    struct nea_login login;
    enum nea_login_answer answer;
    struct nea_verifier verifier;
    uint8_t secret[NEA_LOGIN_TEXT_MAX]; /* login.password */
    uint8_t signature[NEA_KEY];         /* client: what the server must say in the end */
    uint8_t drawn[SASL_NONCE / 3 * 4];
    struct bytes nonce, whole_nonce, gs2; /* ours, with the other's, the client-first message's header */
    struct wr transcript; /* SCRAM's AuthMessage as it grows */
    struct arena arena;
};
/* NULL: no memory, or no random numbers. */
struct sasl *sasl_new(const struct sasl_mechanism *m, const struct nea_crypto *crypto) MUST_USE;
void sasl_free(struct sasl *x);
enum sasl_verdict sasl_answer(struct sasl *x, enum nea_login_answer answer, const struct nea_verifier *v,
                              struct wr *out);
/* Strict base64 (RFC 4648 §4). Decoding: the octets, SIZE_MAX if it is none or more than `size`. */
void sasl_base64_put(struct wr *w, struct bytes b);
size_t sasl_base64_get(struct bytes text, uint8_t *p, size_t size);

/* ---- pt_tls.c: PT-TLS (RFC 6876) ---- */

#define PT_HEADER     16
#define PT_ERROR_COPY 1024

/* PT_AUTH: the next is a list of mechanisms (client) or a selection (server); PT_SASL: an exchange is under way. */
enum pt_state { PT_VERSION, PT_AUTH, PT_SASL, PT_DATA, PT_CLOSED };
enum pt_error_code {
    PT_OK,
    PT_MALFORMED,
    PT_VERSION_NOT_SUPPORTED,
    PT_TYPE_NOT_SUPPORTED,
    PT_INVALID_MESSAGE,
    PT_SASL_MECHANISM,
    PT_INVALID_PARAMETER,
};

enum pt_type {
    PT_EXPERIMENTAL,
    PT_VERSION_REQUEST,
    PT_VERSION_RESPONSE,
    PT_SASL_MECHANISMS,
    PT_SASL_SELECTION,
    PT_SASL_DATA,
    PT_SASL_RESULT,
    PT_BATCH,
    PT_ERROR,
    PT_TYPES
};

struct pt_message {
    uint32_t vendor, type, id;
    struct bytes whole, value;
};

/* The fault of a message's header, if it is one; the header may be incomplete. *length is what it says. */
enum pt_error_code pt_header_check(struct bytes message, size_t max, size_t *length, struct nea_fault *fault) MUST_USE;
/* The fields of a whole message. */
struct pt_message pt_message_read(struct bytes whole);
/* Whether a message of a fixed length has it (PT-R29). */
bool pt_length_fits(const struct pt_message *m);
/* The name of an IETF message type, NULL if there is none. */
const char *pt_type_name(uint32_t type);

struct pt_tls {
    enum pt_state state;
    bool sent; /* something left since the clock was last read */
    uint32_t next_id;
    unsigned refused; /* messages answered with Type Not Supported */
    struct wr in;     /* octets of an unfinished message */
    struct sasl *sasl;
    uint8_t offered;  /* rows of sasl_mechanisms[] in the last list, as bits; a client strikes out what has failed */
    bool asking;      /* the host owes an answer about a login */
    bool proven;      /* a login has succeeded */
    unsigned sasl_rounds, sasl_failures;
    struct wr out;
};

/* Starts the negotiation: an initiator's Version Request. */
void pt_start(struct nea_session *s);
void pt_feed(struct nea_session *s, struct bytes plaintext);
/* A PB-TNC batch to be sent. */
size_t pt_batch_begin(struct nea_session *s);
void pt_batch_end(struct nea_session *s, size_t start);

/* ---- delivery.c and broker.c ---- */

#define ARENA_LIMIT ((size_t)16 << 20) /* what decoding one PA-TNC message may cost */

struct nea_connection {
    struct nea_session *session;
    const struct nea_component *component;
    void *context, *state;
    uint16_t id;
    unsigned holds;
    bool proposed, queued; /* our contract request is out; something was sent in this session */
    bool recommended;
    enum nea_result result;
    enum nea_access access;
    struct wr reason, remediation; /* the latter as whole PB messages */
    char language[36];
    struct seg seg;
};

struct nea_session {
    struct nea_config config;
    struct wr peer_name, peer_language, language;
    uint64_t now, started, last_progress;
    struct pt_tls pt;

    enum pb_state state;
    struct nea_connection *connections;
    size_t connection_count;
    struct wr queue;       /* whole PB-PA messages for the next batch of our turn */
    struct arena arena;    /* the message being decoded */
    uint32_t next_message; /* PA-TNC message identifiers (PA-R12) */
    unsigned holds, rounds, batches; /* the peer's batches in this exchange that brought nothing, and all of them */
    unsigned retries; /* that the peer asked for since `retries_since` */
    uint64_t retries_since;
    bool rx_empty;   /* the last batch of the peer had no message for us */
    bool progress;   /* a segment worth the round was sent or taken since the last batch */
    bool soliciting; /* no further round: a RESULT as soon as no hold is open */
    bool own_retry;  /* after our SRETRY an SDATA comes first (PB-R67) */
    bool crossed, forgiving; /* a CRETRY crossed it: strongSwan says one CDATA too many; no empty one came yet */
    bool want_retry, want_push;
    bool retry_sent; /* our CRETRY is the last that was said */
    bool busy; /* components are being called: nothing is sent from inside them */
    bool heard, spoken;   /* in this exchange a batch was taken; one has left */
    bool introduced;      /* one has left in this session */
    bool offered, agreed; /* the peer's next batch may agree; ours does */
    /* A mutual assessment's other direction: a session with the roles exchanged that has no transport of its own. */
    struct nea_session *mirror;  /* NULL: it was not agreed upon */
    struct nea_session *carrier; /* whose transport carries our batches, whose `busy` is ours: ourselves, or whose mirror we are */
    bool mirror_heard;           /* the peer's last batch was for the mirror */
    size_t reassembling; /* octets held by all reassemblies */
    struct nea_outcome outcome;
    bool told; /* to the log: the verdict before */
    enum nea_result told_result;
    enum nea_access told_access;
    struct wr reason, remediation;
};

/* Hands a PB-PA message to the components that it is for. */
void delivery_take(struct nea_session *s, const struct pb_pa *pa);
/* Appends the component's proposal of a segmentation contract. */
void delivery_propose(struct nea_connection *c, struct wr *w);

bool broker_start(struct nea_session *s);
/* The data phase is reached. */
void broker_begin(struct nea_session *s);
void broker_batch(struct nea_session *s, struct bytes batch);
/* Sends what it is our turn to send. */
void broker_advance(struct nea_session *s);
/* Something that ends the session from our side: a CLOSE with the error. */
void broker_abort(struct nea_session *s, const struct nea_fault *fault);
void broker_free(struct nea_session *s);
/* Whether it is the peer from whom the next batch must come. */
bool broker_waits(const struct nea_session *s);
/* session.c: the other direction of s, as config.mutual wants it; NULL: no memory. */
struct nea_session *session_mirror(struct nea_session *s) MUST_USE;
/* Asks the host to call out(), unless we come by anyway. */
void nea_wake(struct nea_session *s);
void nea_note(struct nea_session *s, enum log_level level, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
