/* muster-xmlsig: see cli/xmlsig.h for what it is asked and what it answers. A program of its own, so that neither
 * xmlsec nor libxml2 are part of what runs on every machine. */
#include "cli/xmlsig.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* False: the end of input, also within the octets. */
static bool read_all(uint8_t *p, size_t n)
{
    while (n) {
        ssize_t got = read(STDIN_FILENO, p, n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        p += got;
        n -= (size_t)got;
    }
    return true;
}

static bool write_all(struct bytes b)
{
    while (b.n) {
        ssize_t put = write(STDOUT_FILENO, b.p, b.n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        b.p += put;
        b.n -= (size_t)put;
    }
    return true;
}

static bool ask_in(struct wr *question)
{
    uint8_t head[4], block[65536];
    if (!read_all(head, sizeof head))
        return false;
    struct rd r = rd_of((struct bytes){head, sizeof head}, 0);
    wr_reset(question);
    for (size_t left = rd_u32(&r), n; left; left -= n) { /* what is announced reserves nothing */
        n = left < sizeof block ? left : sizeof block;
        if (!read_all(block, n))
            return false;
        wr_bytes(question, (struct bytes){block, n});
    }
    explicit_bzero(block, sizeof block); /* it may have been a password */
    return true;
}

static bool answer_out(bool done, struct bytes answer)
{
    uint8_t head[5] = {done, (uint8_t)(answer.n >> 24), (uint8_t)(answer.n >> 16), (uint8_t)(answer.n >> 8),
                       (uint8_t)answer.n};
    return write_all((struct bytes){head, sizeof head}) && write_all(answer);
}

/* `signer` NULL: checks. False: nobody listens any more. */
static bool answer(const struct net_signer *signer, const struct wr *question, struct wr *to)
{
    struct error error = {""};
    wr_reset(to);
    bool done = false;
    if (question->bad)
        error_set(&error, "it is larger than %d MiB", SWID_READ_MAX >> 20);
    else
        done =
            signer ? xmlsig_sign(signer, wr_view(question), to, &error) : xmlsig_check(wr_view(question), to, &error);
    return answer_out(done, done ? wr_view(to) : bytes_of(error.text[0] ? error.text : "out of memory"));
}

static struct net_signer *open_signer(const char *path, struct wr *password)
{
    struct error error = {""};
    struct net_signer *signer = net_signer_new(path, wr_view(password), &error);
    if (password->n)
        explicit_bzero(password->p, password->n);
    bool fits = signer && xmlsig_fits(signer);
    if (signer && !fits)
        error_set(&error, "%s: XML signatures are made with RSA and EC keys, another one signs CoSWID alone", path);
    if (answer_out(fits, bytes_of(error.text)) && fits)
        return signer;
    net_signer_free(signer);
    return NULL;
}

int main(int argc, char **argv)
{
    bool sign = argc == 3 && strcmp(argv[1], "sign") == 0;
    struct wr question = wr_of(SWID_READ_MAX), to = wr_of(XMLSIG_ANSWER_MAX);
    struct net_signer *signer = NULL;
    if (!sign && !(argc == 2 && strcmp(argv[1], "verify") == 0)) {
        fputs("usage: muster-xmlsig sign P12 | verify; muster tag starts it\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    if (!xmlsig_set_up())
        return 70;
    bool ready = !sign || (ask_in(&question) && (signer = open_signer(argv[2], &question)) != NULL);
    while (ready && ask_in(&question) && answer(signer, &question, &to))
        continue;
    net_signer_free(signer);
    xmlsig_shut_down();
    wr_free(&question);
    wr_free(&to);
    return ready ? 0 : 1;
}
