/* server: the policy server. PT-TLS sessions with the OS and SWIMA validators, store threads, the REST API and its page, the server's own
 * certificate authority. This is the room's one public header. */
#ifndef MUSTER_SERVER_H
#define MUSTER_SERVER_H

#include "base/base.h"

struct nea_mutual;

/* The smallest message bound leaves room for a first batch with all that a posture consists of; software comes in segments. */
enum { SERVER_WORKERS_MAX = 64, SERVER_MESSAGE_MIN = 4096, SERVER_MESSAGE_MAX = 1 << 30, SERVER_STRANGERS_MAX = 1 << 20, SERVER_NAMES_MAX = 16, SERVER_VERIFY_MAX = 64 };

/* Who may sign references: whether a tag carries a signature of its whole that holds, by somebody trusted; then it appends who that is. Any thread
 * may ask, and waits. */
struct server_trust {
    bool (*signed_by)(void *context, struct bytes tag, struct wr *who);
    void *context;
};

/* What became of a command on the state folder, or of the server's start. */
enum server_status {
    SERVER_OK = 0,
    SERVER_ABSENT,    /* what was asked for is not there */
    SERVER_REFUSED,   /* what cannot be used as it is, and somebody can mend: a folder, a file or an address (permission, room, in use, open to
                         others), a name or an option */
    SERVER_DAMAGED,   /* a file of ours that is no longer what we wrote */
    SERVER_UNREACHED, /* a database server */
    SERVER_FAILED,    /* anything else: no memory, OpenSSL */
};
/* Its exit status (cli.h's numbers): the one place that says so. */
int server_exit(enum server_status s);

struct server_options {
    const char *state;   /* folder: pki/, admin.txt, token.txt, server.db, server.json (addresses of the running server) */
    const char *listen;  /* NET_LISTEN of net/net.h, for PT-TLS; NULL: port 271 for root, else 2271, all addresses */
    const char *http;    /* the same for HTTPS; NULL: 127.0.0.1:8443 */
    const char *db;      /* URL; NULL: sqlite:STATE/server.db */
    const char *const *names; /* further ones for the server's certificate: pki_name_valid(), at most SERVER_NAMES_MAX */
    size_t name_count;
    unsigned workers;    /* up to SERVER_WORKERS_MAX; 0: one a core */
    size_t max_message;  /* bound of a PT-TLS message accepted, SERVER_MESSAGE_MIN to _MAX; 0: default */
    unsigned max_streams;
    unsigned max_strangers; /* connections of one source (IPv4 address, IPv6 /64) that have not authenticated, up to SERVER_STRANGERS_MAX; 0: 256 */
    const char *checks;  /* "forwarding=allow|quarantine|deny,default-password=…,files=…" over the default policy; NULL: as it is */
    unsigned verify;     /* tags that each exchange asks for to compare them with their references, up to SERVER_VERIFY_MAX; 0: none */
    const struct server_trust *trust; /* NULL: no tag that endpoints bring is a reference */
    const char *help;    /* a URI that endpoints with something to mend are pointed to; NULL: none */
    const struct nea_mutual *mutual; /* how endpoints that want to may assess this server; NULL: they may not. For all threads */
    bool json; /* the ready line is the document that server.json holds */
    bool quiet;
};

/* Runs until SIGTERM or SIGINT; prints a line that begins "ready" (or one of JSON) when it serves. Returns an exit status (cli.h's numbers): 0; 2 for
 * options, and for addresses, folders and files that cannot be used as they are; 5 for a database server that cannot be reached; 70. */
int server_run(const struct server_options *options);

/* The API's description, an OpenAPI 3.1 document, as GET /api/v1/openapi.json answers it. */
void server_describe(struct wr *w);

/* ---- pki: STATE/pki/ca.crt, ca.key, server.crt, server.key ------------------------------------------------------------ */

/* Whether it can stand in a certificate: a DNS name without wildcards, or an address. */
bool pki_name_valid(const char *name);
/* What was missing, and was made. */
struct pki_made {
    bool authority, certificate /* the server's: the first one, or a new one */, administrator, token;
};
/* Makes the CA, the server's certificate (ECDSA P-256; names: the host's, localhost, those given; for server authentication alone),
 * admin.txt and token.txt (mode 0600) where they are missing, and a new certificate where that one lacks a name or soon ends. */
enum server_status pki_ensure(const char *state, const char *const *names, size_t name_count, struct pki_made *made,
                           struct error *error) MUST_USE;
/* What an endpoint may be called, by certificate or account: 1 to 64 letters, digits, . - _ @, not beginning with . or -. It stands in
 * certificates, names of files, URLs and logs. False: `error` says so. */
bool server_name_valid(const char *name, struct error *error) MUST_USE;
/* Issues NAME.crt and NAME.key (mode 0600) into `out`, signed by STATE's CA, valid 825 days; both or none. */
enum server_status pki_issue(const char *state, const char *name, const char *out, struct error *error) MUST_USE;

/* ---- accounts: STATE/endpoints.passwd, passwords of endpoints without a certificate ---------------------------------- */

/* A running server takes changes at the next login. *replaced: the name had another password. */
enum server_status account_add(const char *state, const char *name, struct bytes password, uint32_t iterations, bool *replaced,
                               struct error *error) MUST_USE;
enum server_status account_remove(const char *state, const char *name, struct error *error) MUST_USE;
/* By name. */
enum server_status account_each(const char *state, void (*visit)(void *context, struct bytes name, uint32_t iterations), void *context,
                                struct error *error) MUST_USE;

#endif
