#include "pkg/internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* One muster-rpmdb answers the questions about all packages: starting it costs as much as hundreds of answers. */
struct kept {
    pid_t pid; /* 0: it could not be started, or it failed */
    int in, out;
    struct wr answer;
    char folder[PATH_MAX];
};

static void stop_helper(struct kept *k)
{
    if (k->pid <= 0)
        return;
    close(k->in); /* it ends when nobody asks any more; not in time if librpm hangs */
    close(k->out);
    kill(k->pid, SIGKILL);
    while (waitpid(k->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    k->pid = 0;
}

static void release(void *kept)
{
    struct kept *k = kept;
    stop_helper(k);
    wr_free(&k->answer);
    free(k);
}

static struct kept *keep(struct pkg_files *f, const char *folder, const struct pkg_sink *sink)
{
    char program[PATH_MAX];
    if (f->kept)
        return f->kept;
    struct kept *k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    k->answer = wr_of(FILE_LIST_MAX);
    f->kept = k;
    f->release = release;
    if (!path_below(k->folder, f->root, folder))
        k->folder[0] = 0;
    else if (!rpm_find_helper(program))
        complain_to(sink, k->folder, 0, "muster-rpmdb, which reads it, is not installed beside muster", true);
    else if ((k->pid = rpm_start_helper((char *[]){program, k->folder, "files", NULL}, &k->in, &k->out)) <= 0)
        complain_to(sink, k->folder, 0, "muster-rpmdb cannot be started", true);
    return k;
}

/* An answer's last line begins with a tab. Its text goes to *count; false: it is not there yet. */
static bool is_complete(struct bytes answer, struct bytes *count)
{
    if (answer.n == 0 || answer.p[answer.n - 1] != '\n')
        return false;
    size_t at = answer.n - 1;
    while (at && answer.p[at - 1] != '\n')
        at--;
    *count = (struct bytes){answer.p + at + 1, answer.n - at - 2};
    return answer.p[at] == '\t';
}

/* Writes without dying of a helper that is gone. */
static bool put_question(int fd, struct bytes line)
{
    sigset_t pipe_signal, before;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    ssize_t n = write(fd, line.p, line.n); /* shorter than PIPE_BUF: all or nothing */
    if (n < 0 && errno == EPIPE && !sigismember(&before, SIGPIPE))
        sigtimedwait(&pipe_signal, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return n == (ssize_t)line.n;
}

static bool ask(struct kept *k, struct bytes line, struct bytes *count)
{
    struct pollfd readable = {.fd = k->out, .events = POLLIN};
    uint8_t block[65536];
    wr_reset(&k->answer);
    if (!put_question(k->in, line))
        return false;
    while (!is_complete(wr_view(&k->answer), count)) {
        int ready = poll(&readable, 1, RPM_PATIENCE_MS);
        if (ready < 0 && errno == EINTR)
            continue;
        ssize_t n = ready > 0 ? read(k->out, block, sizeof block) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        wr_bytes(&k->answer, (struct bytes){block, (size_t)n});
        if (k->answer.bad)
            return false;
    }
    return true;
}

bool rpm_file_read(struct bytes line, struct pkg_file *f, uint8_t digest[64])
{
    static const char kinds[] = {'f', PKG_FILE_REGULAR, 'd', PKG_FILE_DIRECTORY, 'l', PKG_FILE_LINK, 's', PKG_FILE_SPECIAL};
    struct bytes kind = bytes_split(&line, '\t'), flags = bytes_split(&line, '\t'), hex = bytes_split(&line, '\t');
    uint8_t *p = (uint8_t *)(uintptr_t)line.p;
    size_t n = 0;
    for (size_t i = 0; i < line.n; i++) {
        uint8_t c = line.p[i];
        if (c == '\\' && i + 1 < line.n) {
            c = line.p[++i];
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
        }
        p[n++] = c;
    }
    *f = (struct pkg_file){.path = {p, n}, .config = flags.n && memchr(flags.p, 'c', flags.n), .optional = flags.n && memchr(flags.p, 'o', flags.n)};
    f->real_path = f->path;
    for (size_t i = 0; i < sizeof kinds; i += 2)
        if (kind.n == 1 && kind.p[0] == kinds[i])
            f->kind = (enum pkg_file_kind)kinds[i + 1];
    f->digest = digest_of_hex(hex, hash_of_size(hex.n / 2), digest);
    f->hash = hash_of_size(f->digest.n);
    return f->kind != PKG_FILE_UNKNOWN && path_is_good(f->path);
}

static enum pkg_status tell_files(const struct kept *k, struct bytes count, const struct pkg_sink *sink)
{
    struct bytes rest = wr_view(&k->answer);
    enum pkg_status status = PKG_OK;
    uint64_t told = 0, lines = 0;
    if (!bytes_number(count, &told))
        return PKG_ABSENT;
    for (struct bytes line; rest.n && (line = bytes_split(&rest, '\n')).n && line.p[0] != '\t'; lines++) {
        struct pkg_file f;
        uint8_t digest[64];
        if (!rpm_file_read(line, &f, digest)) {
            if (bytes_equal(f.path, BYTES("/")))
                continue; /* the root itself */
            complain_to(sink, k->folder, 0, "a file without a good path: passed over", false);
            status = PKG_DAMAGED;
        } else if (!sink->file(sink->context, &f))
            return PKG_STOPPED;
    }
    return lines == told ? status : PKG_UNREADABLE;
}

enum pkg_status rpm_files(struct pkg_files *f, struct bytes name, struct bytes arch, struct bytes version, const struct pkg_sink *sink)
{
    const char *folder = rpm_find_folder(f->root);
    struct wr line = wr_of(4000);
    struct bytes count;
    if (!folder || !is_word(name) || !is_word(version) || (arch.n && !is_word(arch)))
        return PKG_ABSENT;
    struct kept *k = keep(f, folder, sink);
    wr_fmt(&line, "%.*s\t%.*s\t%.*s\n", (int)name.n, (const char *)name.p, (int)version.n, (const char *)version.p, (int)arch.n,
           arch.n ? (const char *)arch.p : "");
    enum pkg_status status = !k ? PKG_NO_MEMORY : line.bad ? PKG_ABSENT : PKG_UNREADABLE;
    if (k && k->pid > 0 && !line.bad) {
        if (ask(k, wr_view(&line), &count))
            status = tell_files(k, count, sink);
        else {
            complain_to(sink, k->folder, 0, "librpm cannot read it, or not in time", true);
            stop_helper(k);
        }
    }
    wr_free(&line);
    return status;
}
