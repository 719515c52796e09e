#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what a signal leaves behind --------------------------------------------------------------------------------- */

enum { LEFTOVERS = 8 };
static char leftovers[LEFTOVERS][PATH_MAX];
static volatile sig_atomic_t leftover_count;

/* Only what signal-safety(7) allows. */
static void clear_up(int signal_number)
{
    for (int i = leftover_count; i-- > 0;)
        if (unlink(leftovers[i]) != 0 && errno != ENOENT)
            rmdir(leftovers[i]);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void listen_for_the_end(void)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGTERM};
    struct sigaction before, ours = {.sa_handler = clear_up};
    for (size_t i = 0; i < ARRAY_LENGTH(signals); i++)
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL) /* not under nohup */
            sigaction(signals[i], &ours, NULL);
}

void leftover_add(const char *path)
{
    size_t n = strlen(path);
    if (leftover_count == LEFTOVERS || n >= PATH_MAX)
        return;
    memcpy(leftovers[leftover_count], path, n + 1);
    leftover_count++;
    listen_for_the_end();
}

void leftover_forget(const char *path)
{
    for (int i = 0; i < leftover_count; i++)
        if (strcmp(leftovers[i], path) == 0)
            leftover_count = i;
}

/* ---- a file as a whole ------------------------------------------------------------------------------------------- */

/* A name beside the file's own that nobody has. */
static bool name_beside(struct output *o)
{
    uint32_t random;
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        return false;
    int n = snprintf(o->temporary, sizeof o->temporary, "%s.%08x", o->path, random);
    errno = ENAMETOOLONG;
    return n > 0 && (size_t)n < sizeof o->temporary;
}

/* Without a name, so that nothing is left of it whatever happens; where the file system cannot, with one. */
static bool open_beside(struct output *o)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(o->path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - o->path) + 1 : 1, slash ? o->path : ".");
    o->fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    o->nameless = o->fd >= 0;
    if (o->nameless || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return o->nameless;
    for (int i = 0; i < 100 && name_beside(o); i++) {
        leftover_add(o->temporary);
        o->fd = open(o->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (o->fd >= 0)
            return true;
        leftover_forget(o->temporary);
        if (errno != EEXIST)
            return false;
    }
    return false;
}

bool output_open(struct output *o, const char *path, struct error *error)
{
    struct stat st;
    *o = (struct output){.wanted = path, .fd = -1};
    bool there = stat(path, &st) == 0, fits = snprintf(o->path, sizeof o->path, "%s", path) < (int)sizeof o->path;
    o->direct = there && !S_ISREG(st.st_mode);
    errno = ENAMETOOLONG;
    if (o->direct)
        o->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    else if (fits && (!there || realpath(path, o->path)))
        open_beside(o);
    if (o->fd < 0)
        error_set(error, "%s: %s%s", path, o->direct ? "" : "cannot make a file in its folder: ", strerror(errno));
    return o->fd >= 0;
}

void output_write(struct output *o, struct bytes b)
{
    while (b.n && !o->failed) {
        ssize_t n = write(o->fd, b.p, b.n);
        if (n < 0 && errno != EINTR)
            o->failed = errno;
        if (n > 0)
            b = (struct bytes){b.p + n, b.n - (size_t)n};
    }
}

/* A link replaces nothing, a name does: it needs one on the way. */
static bool link_beside(struct output *o)
{
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", o->fd);
    for (int i = 0; i < 100 && name_beside(o); i++) {
        leftover_add(o->temporary);
        if (linkat(AT_FDCWD, self, AT_FDCWD, o->temporary, AT_SYMLINK_FOLLOW) == 0)
            return true;
        /* Without /proc; wants CAP_DAC_READ_SEARCH. */
        if (errno == ENOENT && linkat(o->fd, "", AT_FDCWD, o->temporary, AT_EMPTY_PATH) == 0)
            return true;
        leftover_forget(o->temporary);
        if (errno != EEXIST)
            return false;
    }
    return false;
}

static void take_place(struct output *o)
{
    mode_t mask = umask(0);
    umask(mask);
    bool good = fchmod(o->fd, 0666 & ~mask) == 0 && fsync(o->fd) == 0 && (!o->nameless || link_beside(o)) &&
                rename(o->temporary, o->path) == 0;
    o->failed = good ? 0 : errno;
}

bool output_close(struct output *o, bool keep, struct error *error)
{
    if (keep && !o->failed && !o->direct)
        take_place(o);
    if (close(o->fd) != 0 && !o->failed)
        o->failed = errno;
    if (o->temporary[0] && (!keep || o->failed))
        unlink(o->temporary);
    leftover_forget(o->temporary);
    if (keep && o->failed)
        error_set(error, "%s: %s", o->wanted, strerror(o->failed));
    return !keep || !o->failed;
}
