#include "cli/tag_signature.h"

#include "cli/secret.h"
#include "cli/xmlsig.h"
#include "swid/swid.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- signing ----------------------------------------------------------------------------------------------------- */

struct tag_signer {
    struct net_signer *cose; /* or */
    struct xmlsig *xml;
};

static bool open_with(struct tag_signer *s, const char *p12, bool coswid, struct bytes password, struct error *error)
{
    struct wr answer = wr_of(0);
    bool good = false;
    if (coswid)
        good = (s->cose = net_signer_new(p12, password, error)) != NULL;
    else
        good =
            (s->xml = xmlsig_start(p12, error)) != NULL && xmlsig_ask(s->xml, password, &answer, error) == XMLSIG_DONE;
    wr_free(&answer);
    return good;
}

int tag_signer_open(struct cli *cli, bool coswid, struct tag_signer **signer)
{
    const char *p12 = cli_value(cli, "sign");
    struct secret password;
    struct error error = {""};
    *signer = NULL;
    if (!p12)
        return EXIT_DONE;
    if (!cli_value(cli, "password-file"))
        return cli_usage(cli, "--sign wants --password-file FILE, too: the password of the key");
    if (!cli_secret(cli, "password-file", &password))
        return EXIT_USAGE;
    struct tag_signer *s = calloc(1, sizeof *s);
    bool good = s && open_with(s, p12, coswid, password.view, &error);
    cli_secret_forget(&password);
    if (good) {
        *signer = s;
        return EXIT_DONE;
    }
    tag_signer_close(s);
    return cli_fail(cli, EXIT_USAGE, "%s", error.text[0] ? error.text : "out of memory");
}

static bool sign_octets(void *context, struct bytes octets, struct wr *signature)
{
    return net_sign(context, octets, signature);
}

static bool sign_coswid(struct net_signer *signer, struct bytes tag, struct wr *to, struct error *error)
{
    struct swid_cose c = {.algorithm = (int)net_signer_algorithm(signer), .payload = tag};
    _Static_assert((int)NET_CHAIN_MAX == (int)SWID_CHAIN_MAX, "a chain is a chain");
    c.chain_count = net_signer_chain(signer, c.chain);
    bool done = swid_cose_write(to, &c, sign_octets, signer);
    if (!done)
        error_set(error, "the key cannot make the signature, or there is no memory");
    return done;
}

bool tag_signer_sign(struct tag_signer *s, struct bytes tag, struct wr *to, struct error *error)
{
    return s->xml ? xmlsig_ask(s->xml, tag, to, error) == XMLSIG_DONE : sign_coswid(s->cose, tag, to, error);
}

void tag_signer_close(struct tag_signer *s)
{
    if (!s)
        return;
    net_signer_free(s->cose);
    xmlsig_end(s->xml);
    free(s);
}

/* ---- checking ---------------------------------------------------------------------------------------------------- */

const char *tag_signature_word(enum tag_signature_state state)
{
    static const char *const words[] = {"unsigned", "signed", "broken", "unknown"};
    return words[state];
}

static enum tag_signature_state check_coswid(struct bytes tag, struct bytes *chain, size_t *count, struct error *why)
{
    struct swid_cose c;
    struct wr octets = wr_of(SWID_READ_MAX + (1 << 20));
    enum tag_signature_state state = TAG_BROKEN;
    if (swid_cose_read(tag, &c, why) == SWID_OK) {
        swid_cose_signed(&octets, &c);
        *count = c.chain_count;
        memcpy(chain, c.chain, sizeof c.chain);
        if (*count == 0) {
            error_set(why, "it names no certificate (x5chain), and no other key is known here");
            state = TAG_UNCHECKABLE;
        } else if (octets.bad) {
            error_set(why, "out of memory");
            state = TAG_UNCHECKABLE;
        } else if (net_signature_holds(c.algorithm, chain[0], wr_view(&octets), c.signature, why)) {
            state = TAG_SIGNED;
        }
    }
    wr_free(&octets);
    return state;
}

/* `answer` keeps what the views are of; *kept, or NULL, the program that answers for the next time. */
static enum tag_signature_state check_xml(struct bytes tag, struct xmlsig **kept, struct wr *answer, struct bytes *chain,
                                          size_t *count, struct error *why)
{
    struct xmlsig *x = kept && *kept ? *kept : xmlsig_start(NULL, why);
    enum xmlsig_outcome outcome = x ? xmlsig_ask(x, tag, answer, why) : XMLSIG_GONE;
    struct rd r = rd_of(wr_view(answer), 0);
    while (outcome == XMLSIG_DONE && rd_more(&r) && *count < NET_CHAIN_MAX)
        chain[(*count)++] = rd_take(&r, rd_u32(&r));
    bool keep = kept && outcome != XMLSIG_GONE;
    if (!keep)
        xmlsig_end(x);
    if (kept)
        *kept = keep ? x : NULL;
    return outcome == XMLSIG_DONE ? TAG_SIGNED : outcome == XMLSIG_REFUSED ? TAG_BROKEN : TAG_UNCHECKABLE;
}

static void check(struct bytes tag, bool is_signed, const struct net_trust *trust, struct xmlsig **kept,
                  struct tag_signature *s)
{
    struct bytes chain[NET_CHAIN_MAX];
    struct wr answer = wr_of(XMLSIG_ANSWER_MAX), subject = wr_of(0);
    size_t count = 0;
    *s = (struct tag_signature){.state = TAG_UNSIGNED};
    if (is_signed)
        s->state = swid_is_cose(tag) ? check_coswid(tag, chain, &count, &s->why)
                                     : check_xml(tag, kept, &answer, chain, &count, &s->why);
    if (s->state == TAG_SIGNED) {
        bool named = net_certificate_subject(chain[0], &subject);
        snprintf(s->signer, sizeof s->signer, "%s",
                 named && subject.n ? wr_string(&subject) : "a certificate without a name");
        s->trusted = trust && net_trust_check(trust, chain, count, &s->why);
    }
    wr_free(&answer);
    wr_free(&subject);
}

void tag_signature_check(struct bytes tag, bool is_signed, const struct net_trust *trust, struct tag_signature *s)
{
    check(tag, is_signed, trust, NULL, s);
}

/* ---- for a server ------------------------------------------------------------------------------------------------- */

struct tag_judge {
    pthread_mutex_t lock;
    const char *path;
    bool known;              /* the file was looked at, */
    struct stat stamp;       /* and this is of what was read, or could not be; zeros: there is none */
    struct net_trust *trust; /* NULL: nobody, until the file is mended */
    struct xmlsig *xml;      /* that answered last */
};

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* As with accounts: whoever is gone from the file is not trusted any more, and nobody is while it is damaged. */
static bool refresh(struct tag_judge *j, struct error *error)
{
    struct stat st = {0};
    if (stat(j->path, &st) != 0)
        st = (struct stat){0};
    if (j->known && same_file(&st, &j->stamp))
        return j->trust != NULL;
    j->known = true;
    net_trust_free(j->trust);
    j->stamp = st;
    j->trust = net_trust_new(j->path, error);
    return j->trust != NULL;
}

struct tag_judge *tag_judge_new(const char *trust, struct error *error)
{
    struct tag_judge *j = calloc(1, sizeof *j);
    if (j)
        j->path = trust;
    if (j && refresh(j, error)) {
        pthread_mutex_init(&j->lock, NULL);
        return j;
    }
    if (!j)
        error_set(error, "out of memory");
    free(j);
    return NULL;
}

void tag_judge_free(struct tag_judge *j)
{
    if (!j)
        return;
    xmlsig_end(j->xml);
    net_trust_free(j->trust);
    pthread_mutex_destroy(&j->lock);
    free(j);
}

bool tag_judge_signed_by(void *context, struct bytes tag, struct wr *who)
{
    static const char dsig[] = XMLSIG_DSIG;
    struct tag_judge *j = context;
    struct tag_signature s;
    struct error error = {""};
    /* Most carry none: then no program is asked. */
    if (!swid_is_cose(tag) && !memmem(tag.p, tag.n, dsig, sizeof dsig - 1))
        return false;
    pthread_mutex_lock(&j->lock);
    if (!refresh(j, &error) && error.text[0])
        log_line(LOG_ERROR, "nobody is trusted with tags: %s", error.text);
    check(tag, true, j->trust, &j->xml, &s);
    pthread_mutex_unlock(&j->lock);
    if (s.state == TAG_SIGNED && s.trusted)
        wr_str(who, s.signer);
    else
        log_line(s.state == TAG_BROKEN ? LOG_WARNING : LOG_DEBUG, "the signature of a tag that an endpoint brought is not taken: %s", s.why.text);
    return s.state == TAG_SIGNED && s.trusted;
}
