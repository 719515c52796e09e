/* nea: the NEA protocols, sans-I/O. PA-TNC (RFC 5792) with SWIMA (RFC 8412) and TCG segmentation, PB-TNC (RFC 5793), PT-TLS (RFC 6876).
 * Nothing in this room touches a socket, a clock, a file, a thread or a global that changes: bytes, times and certificates' verdicts
 * come in as arguments, bytes and events go out. This is the room's one public header.
 *
 *   bytes --> pt_tls --> pb --> broker --> pa/seg --> collector or validator
 *                                                          |
 *   bytes <-- pt_tls <-- pb <-- broker <-- pa/seg <--------+
 *
 * A session (struct nea_session) is that whole stack for one connection. The server, the agent, the simulator, the fuzzers and the
 * plug-in shims all drive it with the same five calls: feed, out, deadline, tick, close.  */
#ifndef MUSTER_NEA_H
#define MUSTER_NEA_H

#include "base/base.h"

/* Private Enterprise Numbers (SMI). */
enum {
    PEN_IETF = 0,
    PEN_TCG = 0x005597,
    PEN_ITA = 0x00902a, /* strongSwan's private attributes; Device ID is one */
    PEN_DEBIAN = 0x002572,
    PEN_CANONICAL = 0x007132,
    PEN_FEDORA = 0x0076c1,
    PEN_REDHAT = 0x000908,
    PEN_RESERVED = 0xffffff,
};

/* PA subtypes of vendor 0 (RFC 5792 §3.5, RFC 8412 §10.2). */
enum { PA_SUBTYPE_TESTING = 0, PA_SUBTYPE_OPERATING_SYSTEM = 1, PA_SUBTYPE_SWIMA = 9 };

/* Posture Collector or Posture Validator Identifier "any / unknown" (RFC 5793 §4.5). */
#define NEA_ANY 0xffffu

/* NEA_OBSERVER only decodes (muster decode): it takes attributes of either direction. */
enum nea_role { NEA_CLIENT, NEA_SERVER, NEA_OBSERVER };

/* Assessment results (RFC 5792 §4.2.9, RFC 5793 §4.6): the same numbers in both. */
enum nea_result { NEA_COMPLIANT, NEA_MINOR, NEA_MAJOR, NEA_ERROR, NEA_DONT_KNOW };

/* PB-Access-Recommendation (RFC 5793 §4.7); 0 = none was given. */
enum nea_access { NEA_ACCESS_NONE, NEA_ACCESS_ALLOWED, NEA_ACCESS_DENIED, NEA_ACCESS_QUARANTINED };
const char *nea_result_name(enum nea_result r);
/* none, allowed, denied, quarantined */
const char *nea_access_name(enum nea_access a);

/* What a peer did wrong, as a value: where, by which rule. */
struct nea_fault {
    uint32_t code;       /* the protocol's own error code */
    size_t offset;       /* in the message (PA) or batch (PB) */
    const char *rule;    /* "PA-R20", "PB-R12" …: the numbered rule */
    const char *section; /* "RFC 5792 §4.1" */
    char text[160];
};

/* ---- PA-TNC: attributes as rows of one table ----------------------------------------------------------------- */

/* Who may send an attribute. */
enum pa_sender { PA_FROM_ANY, PA_FROM_COLLECTOR, PA_FROM_VALIDATOR };

/* A list inside an attribute: `count` items that stand encoded in `raw`. Decoded item by item by pa_list_next(), so that 100,000 records
 * need no contiguous copy of structs; built with pa_item_put() into a writer whose view becomes `raw`. */
struct pa_list {
    struct bytes raw;
    uint32_t count;
};

/* Struct types pa_NAME (an attribute's fields) and pa_NAME_item (a list's items), the enum PA_NAME of rows, all from the one table. */
#include "nea/pa_attributes.h"

/* A row: everything about an attribute that is not its fields. */
struct pa_type {
    const char *name; /* the RFC's own name */
    uint32_t vendor, number;
    enum pa_sender sender;
    const struct pa_shape *shape;
    const char *rule; /* that a malformed value breaks */
    const char *section;
    const char *doc;
};
extern const struct pa_type pa_types[PA_TYPE_COUNT];
/* NULL if the type is not in the table. */
const struct pa_type *pa_type_find(uint32_t vendor, uint32_t number);

struct pa_attribute {
    const struct pa_type *type; /* NULL: not supported, skipped */
    uint32_t vendor, number;
    uint8_t flags;      /* 0x80 NOSKIP */
    size_t offset;      /* of the attribute's header in the message */
    struct bytes value; /* behind the 12-octet header; a view of the message */
    const void *fields; /* struct pa_NAME, in the arena; its texts and lists are views of the message */
};

struct pa_message {
    uint32_t id;
    uint8_t reserved[4]; /* version and reserved octets as received: error copies want them */
    struct pa_attribute *attributes;
    size_t count;
    bool has_error; /* carries a PA-TNC Error: never answered with one (RFC 5792 §4.2.8) */
};

/* RFC 5792 error codes; SWIMA's 4..8 (RFC 8412 §5.15). */
enum pa_error_code {
    PA_OK = 0,
    PA_INVALID_PARAMETER = 1,
    PA_VERSION_NOT_SUPPORTED = 2,
    PA_TYPE_NOT_SUPPORTED = 3,
    PA_SWIMA_ERROR = 4,
    PA_SUBSCRIPTION_DENIED = 5,
    PA_RESPONSE_TOO_LARGE = 6,
    PA_SUBSCRIPTION_FULFILLMENT = 7,
    PA_SUBSCRIPTION_ID_REUSE = 8,
    PA_DROP = 100, /* too short for an error to be possible */
};

/* Decodes a whole PA-TNC message. All or nothing: a fault means that no attribute may be acted on. `receiver` is who we
 * are. Views point into `message`; structs live in the arena. Lists are checked whole, so that pa_list_next() cannot fail later.
 * Returns PA_OK or the code of the fault; for PA_TYPE_NOT_SUPPORTED the fault's offset is that of the attribute. */
enum pa_error_code pa_message_decode(struct arena *a, struct bytes message, enum nea_role receiver, struct pa_message *out,
                                     struct nea_fault *fault) MUST_USE;
/* The next item of an attribute's list into *item (struct pa_NAME_item), or false at the end. `rest` starts as the attribute's raw. */
bool pa_list_next(const struct pa_type *type, struct bytes *rest, void *item);
/* Appends one encoded item of the type's list. */
void pa_item_put(struct wr *w, const struct pa_type *type, const void *item);
/* The PA-TNC message header, then attributes. Fields: struct pa_NAME. Bad writer: a field does not fit. */
void pa_message_put(struct wr *w, uint32_t id);
void pa_attribute_put(struct wr *w, const struct pa_type *type, uint8_t flags, const void *fields);
/* The PA-TNC Error attribute that answers `fault` found in `message` (codes 1 to 3), RFC 5792 §4.2.8. */
void pa_error_put(struct wr *w, struct bytes message, const struct nea_fault *fault);
/* One attribute (or a skipped one, as hex) as a JSON object. */
void pa_attribute_json(struct json *j, const struct pa_attribute *attribute);

/* ---- Decoding for people: muster decode ----------------------------------------------------------------------- */

/* What captured octets are. The names are pt-tls, pb-tnc, pa-tnc, pa-attributes. */
enum nea_kind {
    NEA_PT_TLS,        /* TLS plaintext of one direction: PT-TLS messages */
    NEA_PB_TNC,        /* batches back to back */
    NEA_PA_TNC,        /* one PA-TNC message */
    NEA_PA_ATTRIBUTES, /* attributes without a message header, such as a reassembled one; never guessed */
    NEA_KIND_COUNT,
};
const char *nea_kind_name(enum nea_kind kind);
/* NEA_KIND_COUNT if there is no such name. */
enum nea_kind nea_kind_find(const char *name);
/* What the octets look like most; always one of them. */
enum nea_kind nea_kind_guess(struct bytes octets);
/* Explains octets with the protocols' own tables, into the object that is open in *j: "kind", "messages", "faults" and, if there are any,
 * the first one as "error". A fault carries its offset in its message or batch (as the protocol's own error would), its position in the
 * octets, rule and section; decoding goes on behind it where the framing still allows that. Segments are shown, and what they make
 * together is shown with the last one. Returns the number of faults. */
size_t nea_decode(struct json *j, struct bytes octets, enum nea_kind kind);
/* Whether the octets are text (hexadecimal digits, then) rather than a capture itself, whose first octets are control characters. */
bool nea_hex_is(struct bytes input);
/* Appends the octets that a text of hexadecimal digits means: with blanks, commas, 0x, comments behind #, and the offsets and characters
 * of xxd and hexdump -C. False, and the line that is wrong, if it is none. */
bool nea_hex_read(struct bytes text, struct wr *octets, struct error *error);

/* ---- Collectors and validators: the shape of TCG's IF-IMC and IF-IMV ------------------------------------------ */

struct nea_session;
struct nea_connection; /* one collector's or validator's view of one session */

/* What a component may do while one of its functions runs (and a validator also while it holds, see nea_hold). */

/* Queues one PA-TNC message made of attributes; it leaves with this side's next batch. The broker adds header and identifiers and, where
 * the peer has asked for a segmentation contract and the attribute is larger, cuts it (TCG IF-M Segmentation 1.0). `to` is the peer
 * component's identifier or NEA_ANY; a known one sets EXCL. Ownership of nothing moves; the bytes are encoded at once. */
struct pa_out {
    const struct pa_type *type;
    const void *fields;
    uint8_t flags;
};
void nea_send(struct nea_connection *c, uint16_t to, const struct pa_out *attributes, size_t count);

/* A validator that waits for something outside (the store): the batch's answer waits until every hold is released. Release may be called
 * from the session's own thread only; nea_session_out() then has the answer. */
void nea_hold(struct nea_connection *c);
void nea_release(struct nea_connection *c);
/* Another exchange shall follow this one's verdict, as IF-IMC's and IF-IMV's RequestHandshakeRetry: see nea_session_retry(). */
void nea_retry(struct nea_connection *c);
/* A validator's word: its result and recommendation, and a reason for the user in each of `languages` it has ("" = none). May be called
 * again; the last one counts. A validator that has not spoken when the exchange must end counts as NEA_DONT_KNOW / denied (never allowed:
 * an endpoint that did not give what it was asked for does not get in). */
void nea_recommend(struct nea_connection *c, enum nea_result result, enum nea_access access, struct bytes reason, const char *language);
/* After it, any number of times: how the user may mend what was found, as PB-Remediation-Parameters beside the result (RFC 5793 §4.8). A URI has
 * no language. The next nea_recommend() forgets them. What is empty, no URI, or more than some KiB is not sent, with a log line. */
enum nea_remediation { NEA_REMEDIATION_URI = 1, NEA_REMEDIATION_TEXT = 2 };
void nea_remediate(struct nea_connection *c, enum nea_remediation kind, struct bytes text, const char *language);
/* Whether it can be one by RFC 3986: a scheme, and no character that no URI has. */
bool nea_uri_valid(struct bytes text);
/* A validator, while it receives: what came brings the exchange on. Batches of which nobody says so count towards limits.max_rounds. */
void nea_progress(struct nea_connection *c);
/* Whether something for this component is on its way, in segments of which not all have come. */
bool nea_receiving(const struct nea_connection *c);
/* What both brokers know of the other: the certificate's or SASL's name. Valid as long as the session. */
struct bytes nea_peer_name(const struct nea_connection *c);
/* Accept-Language of the peer, "" if none came. */
struct bytes nea_peer_language(const struct nea_connection *c);
/* The largest PA-TNC message that this connection carries, in segments if the peer has a contract with us. A larger attribute is dropped
 * with a log line: who may have one asks first. */
size_t nea_max_message(const struct nea_connection *c);

/* A message as a component receives it: decoded, checked, reassembled. Errors of the PA layer have been answered already (by a collector;
 * a SWIMA validator sends none, RFC 8412 §5.15). */
struct nea_delivery {
    uint32_t vendor, subtype;
    uint16_t from; /* the sender's identifier */
    const struct pa_message *message;
};

/* A posture collector or a posture validator: one constant a component. `context` is whatever the host passed beside it. Functions that it has no
 * use for are NULL. */
struct nea_component {
    const char *name;
    uint32_t vendor, subtype; /* the one message type that it is subscribed to */
    uint64_t accepts;         /* the attributes that it understands: bits 1 << PA_X; 0: all that its side may receive. The rest is
                                 skipped, or refused where it is marked NOSKIP */
    /* A state of its own for a new connection; if it returns NULL the component stays out of it. Without this function the state is the
     * context itself. */
    void *(*create)(void *context, struct nea_connection *c);
    /* TNC_IMC_BeginHandshake: also called again at a retry. */
    void (*begin_handshake)(void *state);
    /* Collectors, after nea_session_push(): instead of begin_handshake, to tell unasked what is new. */
    void (*push)(void *state);
    void (*receive)(void *state, const struct nea_delivery *delivery);
    /* A message of the peer was no PA-TNC message that we can use: the fault has been answered where that is allowed. */
    void (*refused)(void *state, const struct nea_fault *fault);
    /* TNC_IMC_BatchEnding / TNC_IMV_BatchEnding: all messages of a batch have been delivered. */
    void (*batch_ending)(void *state);
    /* TNC_IMV_SolicitRecommendation: there will be no further round; nea_recommend() now. Validators only. */
    void (*solicit)(void *state);
    /* The session's result as the server told it (collectors), or as it was sent (validators). */
    void (*decided)(void *state, enum nea_result result, enum nea_access access);
    void (*destroy)(void *state);
};

/* ---- Logins: SASL inside PT-TLS (RFC 6876 §3.8) ---------------------------------------------------------------- */

/* SHA-256 and its company come from the host: this room links no crypto library. False: it failed, the login fails with it. */
enum { NEA_KEY = 32, NEA_SALT_MAX = 64, NEA_LOGIN_TEXT_MAX = 255, NEA_ITERATIONS_MIN = 4096, NEA_ITERATIONS_MAX = 1000000 };
struct nea_crypto {
    bool (*hash)(struct bytes text, uint8_t out[NEA_KEY]);
    bool (*hmac)(struct bytes key, struct bytes text, uint8_t out[NEA_KEY]);
    bool (*pbkdf2)(struct bytes password, struct bytes salt, uint32_t iterations, uint8_t out[NEA_KEY]);
    bool (*random)(uint8_t *p, size_t n);
};

/* What a server keeps of a password (RFC 5802 §3, SHA-256 as in RFC 7677): it verifies PLAIN and SCRAM, and does not log in itself. */
struct nea_verifier {
    uint32_t iterations;
    size_t salt_size;
    uint8_t salt[NEA_SALT_MAX], stored_key[NEA_KEY], server_key[NEA_KEY];
};
/* With a random salt. False: crypto failed. */
bool nea_verifier_make(struct nea_verifier *v, const struct nea_crypto *crypto, struct bytes password, uint32_t iterations) MUST_USE;
/* Costs `iterations` HMACs: milliseconds, nothing for an event loop. */
bool nea_verifier_matches(const struct nea_verifier *v, const struct nea_crypto *crypto, struct bytes password) MUST_USE;
/* SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY, as PostgreSQL writes it. False: it is none, or iterations are out of bounds. */
bool nea_verifier_parse(struct nea_verifier *v, struct bytes text) MUST_USE;
void nea_verifier_print(struct wr *w, const struct nea_verifier *v);
/* 1 to NEA_LOGIN_TEXT_MAX octets of UTF-8 without control characters and without what RFC 4013 prohibits, leaves out or takes for a space:
 * what a name or a password may be on the wire. Its normalisation (NFKC) is the host's: net_saslprep(), before a config has them, and before an
 * answer to a login is sought. */
bool nea_login_text(struct bytes text);
/* Overwrites what was secret; the compiler cannot leave it out. */
void nea_forget(void *p, size_t n);

/* Somebody wants to log in; views are valid until the answer. */
struct nea_login {
    struct bytes name;
    struct bytes password; /* PLAIN: to be verified. Empty (SCRAM): only the verifier is wanted */
};
/* With a verifier for NEA_LOGIN_RIGHT of SCRAM: that of a name without account is made up, so that nobody learns which names there are. */
enum nea_login_answer { NEA_LOGIN_RIGHT, NEA_LOGIN_WRONG, NEA_LOGIN_UNAVAILABLE };

/* ---- Sessions ------------------------------------------------------------------------------------------------------ */

/* Bounds, all with defaults where 0: what one peer can cost. */
struct nea_limits {
    size_t max_batch;      /* 2 MiB + 16: PT-TLS message accepted */
    size_t max_unauthed;   /* 4 KiB: before the negotiation is through */
    size_t max_reassembly; /* 16 MiB: all open segmented attributes together */
    size_t max_message;    /* our PA-TNC messages are at most this; 2 MiB - 64; tests use 1,000 */
    unsigned max_rounds;   /* 64 batches of an assessment that bring nothing new are forced to a result; segments count only when stuck */
    unsigned negotiate_ms; /* 30,000: until the data phase */
    unsigned idle_ms;      /* 60,000: for the peer's next message in an assessment, or 64 KiB more of a message that it has begun */
};

/* The other direction of a mutual assessment, where both sides want it (strongSwan's extension of PB-TNC): the roles exchanged over the same
 * transport. Where the peer does not take part, nothing comes of it. A new exchange offers it anew, but one that only tells what is new. */
struct nea_mutual {
    const char *language; /* of a client, as in nea_config */
    const struct nea_component *const *components;
    void *const *contexts;
    size_t component_count;
};

struct nea_config {
    enum nea_role role;      /* PB/PA role: NEA_CLIENT collects, NEA_SERVER validates */
    bool initiator;          /* who opened TCP: normally the client */
    struct bytes peer_name;  /* from the peer's verified certificate; empty if it had none. Copied. */
    bool require_sasl;       /* server: a login is asked for, EXTERNAL if peer_name is known, passwords if login() is there */
    /* Server: answer with nea_session_login(), soon or from within. NULL: there are no passwords. */
    void (*login)(void *host, const struct nea_login *login);
    /* Server: a login's outcome. After `proven` the name is the session's peer name, if it had none. NULL allowed. */
    void (*login_done)(void *host, struct bytes name, bool proven);
    const struct nea_crypto *crypto; /* where login() or `user` is given; outlives the session */
    struct bytes user, password;     /* client: its login, if it has one. Not copied: valid as long as the session */
    bool certificate;                /* client: TLS has shown ours, EXTERNAL is possible */
    bool peer_verified;              /* client: TLS has verified the server's certificate; else PLAIN is never used */
    bool half_duplex;        /* the transport lets one side speak at a time (PT-EAP): a server's retry then ends the session without a CLOSE, and the
                                host begins a new one */
    bool stay;               /* client: no CLOSE after the decision; an agent that waits for changes, and for the server's retries */
    const char *language;    /* client: Accept-Language value, e.g. "en"; NULL, or not nea_language_valid(): none sent */
    struct nea_limits limits;
    const struct nea_component *const *components;
    void *const *contexts; /* one a component */
    size_t component_count;
    const struct nea_mutual *mutual; /* NULL: off. Valid, with what it points to, as long as the session */
    /* Tells the host that a hold was released or a collector wants to speak: call nea_session_out() soon. NULL allowed. */
    void (*wake)(void *host);
    void *host;
    /* A line worth logging (a fault of the peer, a version refused …). NULL: none. */
    void (*log)(void *host, enum log_level level, const char *text);
};

/* Whether it has only characters of an Accept-Language value (RFC 3282 §3), and no comment (RFC 5793 §4.10). */
bool nea_language_valid(struct bytes ranges);

/* The PB-TNC states of RFC 5793 §3.2. */
enum pb_state { PB_INIT, PB_SERVER_WORKING, PB_CLIENT_WORKING, PB_DECIDED, PB_END, PB_STATE_COUNT };

/* `now` is a monotonic time in milliseconds. NULL: no memory. */
struct nea_session *nea_session_new(const struct nea_config *config, uint64_t now) MUST_USE;
/* TLS plaintext from the peer, any number of octets, in any cuts. */
void nea_session_feed(struct nea_session *s, struct bytes plaintext, uint64_t now);
/* Appends what is to be sent (TLS plaintext) to w. */
void nea_session_out(struct nea_session *s, struct wr *w);
/* The answer to config.login(): later output waits in out(). `verifier` is copied; NULL unless the login is SCRAM's and right. */
void nea_session_login(struct nea_session *s, enum nea_login_answer answer, const struct nea_verifier *verifier);
/* When tick() wants to be called, UINT64_MAX: never. */
uint64_t nea_session_deadline(const struct nea_session *s);
void nea_session_tick(struct nea_session *s, uint64_t now);
/* The transport is gone (or we want it to be): components hear of it, the state is PB_END. */
void nea_session_close(struct nea_session *s);
void nea_session_free(struct nea_session *s);
/* True once both sides are done or a fatal error was sent: send what out() has, then close the transport. */
bool nea_session_finished(const struct nea_session *s);
/* What came out of it so far. `fault` has a text if something was wrong, "" else. */
struct nea_outcome {
    bool negotiated;  /* the data phase was reached */
    bool decided;     /* a RESULT was sent or received */
    enum pb_state state;
    enum nea_result result;
    enum nea_access access;
    struct bytes reason, remediation; /* client: the texts of the RESULT, "" if none; valid as long as the session */
    struct nea_fault fault;
    bool login_refused; /* client: the server did not take the name and password that it asked for */
};
struct nea_outcome nea_session_outcome(const struct nea_session *s);
/* The same of the other direction of a mutual assessment; not negotiated: the peer does not take part, or not in this exchange. The session is not
 * finished before it is. */
struct nea_outcome nea_session_mutual(const struct nea_session *s);
/* Asks for a new exchange (CRETRY, on the server SRETRY) once that is allowed; wake is called, out() then has the batch. May be called from
 * inside a component's function, decided() above all: then the client does not close. What components have to say they send in
 * begin_handshake(), which is called anew. */
void nea_session_retry(struct nea_session *s);
/* Client: once that is allowed, collectors may tell what is new (their push); if any does, it leaves in a CRETRY that carries nothing
 * else, else nothing is sent. To the server it is an ordinary retry. May be called at any time, often; wake as with nea_session_retry(). */
void nea_session_push(struct nea_session *s);

#endif
