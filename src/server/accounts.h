/* accounts: STATE/endpoints.passwd, the passwords of endpoints without a certificate, and the thread that verifies
 * them; private to server/.
 *
 * A line an account, NAME:SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY as PostgreSQL writes verifiers; empty lines
 * and those that begin with # are somebody's notes. The line without a name is everybody who has no account: salts are
 * made up from its keys, the same ones for the same name, so that nobody can ask which names there are. */
#ifndef MUSTER_SERVER_ACCOUNTS_H
#define MUSTER_SERVER_ACCOUNTS_H

#include "nea/nea.h"
#include "net/net.h"
#include "server/files.h"

extern const struct nea_crypto server_crypto;

/* ---- the file, read whole (accounts.c) ---- */

struct account {
    struct bytes name;
    struct nea_verifier verifier;
    size_t line;
};
struct accounts {
    struct arena arena;
    struct bytes text;
    struct account *rows; /* by name; the nameless one, if it is there, is the first */
    size_t count;
    struct nea_verifier nobody; /* of that one; where it lacks, made for this reading */
};

bool accounts_path(char *path, size_t size, const char *state, struct error *error) MUST_USE;
/* SERVER_ABSENT: there is none, nothing is wrong. DAMAGED: a line of it is none. Free it in every case. */
enum server_status accounts_read(struct accounts *a, const char *path, struct error *error) MUST_USE;
void accounts_free(struct accounts *a);
/* Of the name, or made up for one that has none. False: crypto failed. *known is for PLAIN. */
bool accounts_verifier(const struct accounts *a, struct bytes name, struct nea_verifier *v, bool *known) MUST_USE;

/* ---- logins as they come (logins.c) ---- */

/* A login under way: its maker's until logins_submit(), the thread's until `done` is called on `loop`. */
struct login_request {
    struct nea_login login; /* views of `text` */
    uint8_t text[2 * NEA_LOGIN_TEXT_MAX];
    enum nea_login_answer answer;
    struct nea_verifier verifier; /* for NEA_LOGIN_RIGHT without a password */
    struct net_loop *loop;
    void (*done)(struct login_request *request);
    void *context; /* the maker's */
    /* the thread's own */
    struct login_request *next;
    struct net_post post;
};

struct logins;
/* Reads the file at the first login, and again whenever it has changed. */
struct logins *logins_start(const char *state, struct error *error) MUST_USE;
/* Answers what is queued, then ends the thread. */
void logins_stop(struct logins *l);
/* NULL: no memory. */
struct login_request *login_request_new(const struct nea_login *login) MUST_USE;
/* Wipes the password. */
void login_request_free(struct login_request *r);
/* False: the queue is full. */
bool logins_submit(struct logins *l, struct login_request *r) MUST_USE;
/* Notes an attempt from an address; how many milliseconds it shall wait. Every attempt counts until it succeeds or is
 * forgotten, so that many at once are no way around it. From any thread. */
unsigned logins_charge(struct logins *l, const char *address, uint64_t now_ms);
void logins_refund(struct logins *l, const char *address, uint64_t now_ms);

#endif
