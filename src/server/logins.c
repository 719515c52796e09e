/* Logins as they come: a thread that reads the accounts when they have changed and derives keys from passwords, which
 * takes milliseconds, and a memory of addresses that try too often. */
#include "server/accounts.h"

#include <arpa/inet.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { QUEUE_MAX = 256 };
/* An attempt is forgotten after FORGET_MS; with more than FREE of them in mind the next one waits 250 ms, 500 ms … up
 * to SLOWEST_MS, well below the 30 s that a negotiation may take. */
enum { FREE = 3, FORGET_MS = 10000, FIRST_MS = 250, SLOWEST_MS = 8000, MOST = 64, SLOTS = 4096 };

struct logins {
    char path[PATH_MAX];
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows up to `stopping` */
    pthread_cond_t filled;
    struct login_request *first, **last;
    size_t queued;
    uint64_t busy_until[SLOTS]; /* by address: when all its attempts are forgotten */
    bool stopping;
    /* The thread's own. */
    struct accounts accounts;
    struct stat stamp; /* of the file that was read, or could not be */
    enum server_status status;
    uint64_t seed;
};

/* ---- the thread ---- */

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Without a file nobody has an account. */
static bool readable(const struct logins *l)
{
    return l->status == SERVER_OK || l->status == SERVER_ABSENT;
}

/* Whoever is gone from the file cannot log in any more, and neither can anybody while it is damaged. */
static void refresh(struct logins *l)
{
    struct stat st = {0};
    struct error error;
    if (stat(l->path, &st) == 0 && same_file(&st, &l->stamp))
        return;
    accounts_free(&l->accounts);
    l->stamp = st;
    l->status = accounts_read(&l->accounts, l->path, &error);
    if (!readable(l))
        log_line(LOG_ERROR, "nobody can log in: %s", error.text);
}

/* PT-R18, RFC 4616 §2, RFC 5802 §5.1: as it was when the account was made, whatever keyboard it comes from. What cannot be prepared is
 * left as it is, and is nobody's. */
static void prepare(struct bytes *text, uint8_t *room)
{
    size_t n = net_saslprep(*text, room, NEA_LOGIN_TEXT_MAX);
    if (n)
        *text = (struct bytes){room, n};
}

static enum nea_login_answer verify(struct logins *l, struct login_request *r)
{
    bool known;
    prepare(&r->login.name, r->text);
    prepare(&r->login.password, r->text + NEA_LOGIN_TEXT_MAX);
    refresh(l);
    if (!readable(l) || !accounts_verifier(&l->accounts, r->login.name, &r->verifier, &known))
        return NEA_LOGIN_UNAVAILABLE;
    if (!r->login.password.n)
        return NEA_LOGIN_RIGHT;
    /* As much work for a name that nobody has. */
    bool right = nea_verifier_matches(&r->verifier, &server_crypto, r->login.password);
    return known && right ? NEA_LOGIN_RIGHT : NEA_LOGIN_WRONG;
}

static struct login_request *take(struct logins *l)
{
    pthread_mutex_lock(&l->lock);
    while (!l->first && !l->stopping)
        pthread_cond_wait(&l->filled, &l->lock);
    struct login_request *r = l->first;
    if (r) {
        l->first = r->next;
        l->queued--;
    }
    if (!l->first)
        l->last = &l->first;
    pthread_mutex_unlock(&l->lock);
    return r;
}

static void *work(void *argument)
{
    struct logins *l = argument;
    struct login_request *r;
    while ((r = take(l))) {
        r->answer = verify(l, r);
        net_loop_post(r->loop, &r->post); /* posted, it is its owner's again */
    }
    return NULL;
}

struct logins *logins_start(const char *state, struct error *error)
{
    struct logins *l = calloc(1, sizeof *l);
    if (!l || !accounts_path(l->path, sizeof l->path, state, error) ||
        !net_random((uint8_t *)&l->seed, sizeof l->seed)) {
        error_set(error, "%s: no memory for logins, or the path is too long", state);
        free(l);
        return NULL;
    }
    l->last = &l->first;
    l->status = SERVER_ABSENT;
    l->accounts.arena = arena_of(0);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->filled, NULL);
    if (pthread_create(&l->thread, NULL, work, l) == 0)
        return l;
    error_set(error, "cannot start the thread for logins");
    free(l);
    return NULL;
}

void logins_stop(struct logins *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_signal(&l->filled);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    accounts_free(&l->accounts);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->filled);
    free(l);
}

/* ---- requests ---- */

struct login_request *login_request_new(const struct nea_login *login)
{
    struct login_request *r = calloc(1, sizeof *r);
    if (!r || login->name.n > NEA_LOGIN_TEXT_MAX || login->password.n > NEA_LOGIN_TEXT_MAX) {
        free(r);
        return NULL;
    }
    uint8_t *password = r->text + NEA_LOGIN_TEXT_MAX;
    memcpy(r->text, login->name.p, login->name.n);
    if (login->password.n)
        memcpy(password, login->password.p, login->password.n);
    r->login.name = (struct bytes){r->text, login->name.n};
    r->login.password = (struct bytes){password, login->password.n};
    return r;
}

void login_request_free(struct login_request *r)
{
    if (r)
        nea_forget(r, sizeof *r);
    free(r);
}

static void run_done(void *argument)
{
    struct login_request *r = argument;
    r->done(r);
}

bool logins_submit(struct logins *l, struct login_request *r)
{
    r->next = NULL;
    r->post = (struct net_post){.run = run_done, .argument = r};
    pthread_mutex_lock(&l->lock);
    bool room = l->queued < QUEUE_MAX && !l->stopping;
    if (room) {
        *l->last = r;
        l->last = &r->next;
        l->queued++;
        pthread_cond_signal(&l->filled);
    }
    pthread_mutex_unlock(&l->lock);
    return room;
}

/* ---- addresses ---- */

/* An IPv4 address, or an IPv6 network of /64: who has one address of it has them all. Two that share a slot share its
 * patience; the seed keeps anybody from choosing whose. */
static uint64_t *slot_of(struct logins *l, const char *address)
{
    uint8_t octets[16] = {0};
    size_t n = inet_pton(AF_INET, address, octets) == 1 ? 4 : inet_pton(AF_INET6, address, octets) == 1 ? 8 : 0;
    uint64_t h = l->seed;
    for (size_t i = 0; i < n; i++)
        h = (h ^ octets[i]) * 0x9e3779b97f4a7c15, h ^= h >> 29;
    return &l->busy_until[h % SLOTS];
}

unsigned logins_charge(struct logins *l, const char *address, uint64_t now_ms)
{
    pthread_mutex_lock(&l->lock);
    uint64_t *until = slot_of(l, address);
    if (*until < now_ms)
        *until = now_ms;
    uint64_t attempts = (*until - now_ms + FORGET_MS - 1) / FORGET_MS;
    if (attempts < MOST)
        *until += FORGET_MS;
    pthread_mutex_unlock(&l->lock);
    if (attempts < FREE)
        return 0;
    unsigned doublings = (unsigned)(attempts - FREE);
    return doublings < 5 ? (unsigned)FIRST_MS << doublings : SLOWEST_MS;
}

void logins_refund(struct logins *l, const char *address, uint64_t now_ms)
{
    pthread_mutex_lock(&l->lock);
    uint64_t *until = slot_of(l, address);
    if (*until >= now_ms + FORGET_MS)
        *until -= FORGET_MS;
    else
        *until = now_ms;
    pthread_mutex_unlock(&l->lock);
}
