/* muster's side of muster-xmlsig: starts it beside this program and asks. */
#include "cli/xmlsig.h"

#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000 };

struct xmlsig {
    pid_t pid;
    int to, from;
    bool stuck; /* it does not answer */
};

/* The ends of ours are closed in it by themselves. */
static bool spawn(struct xmlsig *x, char *const arguments[], const int questions[2], const int answers[2])
{
    static char *const environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", NULL};
    posix_spawn_file_actions_t files;
    if (posix_spawn_file_actions_init(&files) != 0)
        return false;
    bool good = posix_spawn_file_actions_adddup2(&files, questions[0], 0) == 0 &&
                posix_spawn_file_actions_adddup2(&files, answers[1], 1) == 0 &&
                posix_spawn(&x->pid, arguments[0], &files, NULL, arguments, environment) == 0;
    posix_spawn_file_actions_destroy(&files);
    return good;
}

static bool start(struct xmlsig *x, char *const arguments[])
{
    int questions[2], answers[2];
    if (pipe2(questions, O_CLOEXEC) < 0)
        return false;
    if (pipe2(answers, O_CLOEXEC) < 0) {
        close(questions[0]);
        close(questions[1]);
        return false;
    }
    bool good = spawn(x, arguments, questions, answers);
    close(questions[0]);
    close(answers[1]);
    x->to = questions[1];
    x->from = answers[0];
    return good;
}

struct xmlsig *xmlsig_start(const char *p12, struct error *error)
{
    char program[PATH_MAX];
    char *arguments[] = {program, p12 ? "sign" : "verify", (char *)(uintptr_t)p12,
                         NULL}; /* posix_spawn() does not write there */
    struct xmlsig *x = calloc(1, sizeof *x);
    if (x)
        *x = (struct xmlsig){.pid = -1, .to = -1, .from = -1};
    if (x && cli_find_program("muster-xmlsig", program) && start(x, arguments))
        return x;
    error_set(error, "XML signatures are the business of muster-xmlsig, which does not stand beside this program or "
                     "cannot be started");
    xmlsig_end(x);
    return NULL;
}

static bool send(int fd, struct bytes b)
{
    while (b.n) {
        ssize_t n = write(fd, b.p, b.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        b.p += n;
        b.n -= (size_t)n;
    }
    return true;
}

static bool receive(int fd, size_t left, struct wr *to, bool *stuck)
{
    uint8_t block[65536];
    while (left) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int ready = poll(&wait, 1, PATIENCE_MS);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0) {
            *stuck = true;
            return false;
        }
        ssize_t n = read(fd, block, left < sizeof block ? left : sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        wr_bytes(to, (struct bytes){block, (size_t)n});
        left -= (size_t)n;
    }
    return !to->bad;
}

/* It reads a question before it answers, so that neither waits for the other. */
enum xmlsig_outcome xmlsig_ask(struct xmlsig *x, struct bytes question, struct wr *answer, struct error *error)
{
    struct wr head = wr_of(16), why = wr_of(0);
    wr_u32(&head, question.n);
    bool heard = !head.bad && send(x->to, wr_view(&head)) && send(x->to, question);
    wr_reset(&head);
    heard = heard && receive(x->from, 5, &head, &x->stuck);
    struct rd r = rd_of(wr_view(&head), 0);
    bool done = heard && rd_u8(&r) == 1;
    heard = heard && receive(x->from, rd_u32(&r), done ? answer : &why, &x->stuck);
    if (!heard)
        error_set(error, x->stuck ? "muster-xmlsig does not answer" : "muster-xmlsig has ended before its answer");
    else if (!done)
        error_set(error, "%s", wr_string(&why));
    wr_free(&head);
    wr_free(&why);
    return !heard ? XMLSIG_GONE : done ? XMLSIG_DONE : XMLSIG_REFUSED;
}

void xmlsig_end(struct xmlsig *x)
{
    if (!x)
        return;
    if (x->to >= 0)
        close(x->to);
    if (x->from >= 0)
        close(x->from);
    if (x->stuck)
        kill(x->pid, SIGKILL);
    while (x->pid > 0 && waitpid(x->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    free(x);
}
