#include "server/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

bool server_folder_make(const char *path, struct error *error)
{
    char part[PATH_MAX];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof part) {
        error_set(error, "%s: the name of a folder is empty or too long", path);
        return false;
    }
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        part[i] = 0;
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            error_set(error, "%s: cannot make the folder: %s", part, strerror(errno));
            return false;
        }
        part[i] = path[i];
    }
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        error_set(error, "%s: this is not a folder", path);
        return false;
    }
    return true;
}

int server_folder_lock(const char *path, struct error *error)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX) == 0)
        return fd;
    error_set(error, "%s: cannot be opened: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

int server_claim(const char *state, struct error *error)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/serve.lock", state);
    int fd = n > 0 && (size_t)n < sizeof path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    if (fd >= 0 && errno == EWOULDBLOCK)
        error_set(error, "%s: another server runs on this state folder; stop it, or give this one another --state", state);
    else
        error_set(error, "%s: cannot be opened: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool read_whole(int fd, uint8_t *p, size_t n)
{
    while (n) {
        ssize_t got = read(fd, p, n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        p += got;
        n -= (size_t)got;
    }
    return true;
}

enum server_status server_file_read(const char *path, bool secret, struct arena *arena, struct bytes *text,
                                  struct error *error)
{
    /* O_NONBLOCK: a FIFO under this name must not stop the server. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    *text = (struct bytes){0};
    if (fd < 0 && errno == ENOENT)
        return SERVER_ABSENT;
    if (fd < 0 || fstat(fd, &st) != 0) {
        error_set(error, "%s: cannot be read: %s", path, strerror(errno));
        goto failed;
    }
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size >= arena->limit) {
        error_set(error, "%s: this is not what belongs here (a regular file below %zu KiB)", path, arena->limit >> 10);
        goto failed;
    }
    if (secret && (st.st_mode & 077)) {
        error_set(error,
                  "%s: others can read this secret (mode %04o); chmod 600 it, and replace it if they may have read it",
                  path, (unsigned)(st.st_mode & 07777));
        goto failed;
    }
    size_t n = (size_t)st.st_size;
    uint8_t *p = arena_zalloc(arena, n + 1, 1);
    if (!p || !read_whole(fd, p, n)) {
        error_set(error, "%s: cannot be read", path);
        goto failed;
    }
    close(fd);
    *text = (struct bytes){p, n};
    return SERVER_OK;
failed:
    if (fd >= 0)
        close(fd);
    return SERVER_REFUSED;
}

static bool write_whole(int fd, struct bytes b)
{
    while (b.n) {
        ssize_t put = write(fd, b.p, b.n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        b.p += put;
        b.n -= (size_t)put;
    }
    return true;
}

/* The name itself becomes durable with its folder. */
static bool sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    memcpy(folder, slash ? path : ".", slash ? n : 1);
    folder[slash ? n : 1] = 0;
    int fd = open(slash && n == 0 ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return done;
}

bool server_file_write(const char *path, struct bytes text, unsigned mode, bool replace, struct error *error)
{
    char temporary[PATH_MAX];
    if ((size_t)snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >= sizeof temporary) {
        error_set(error, "%s: the path is too long", path);
        return false;
    }
    int fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600 from the start */
    if (fd < 0) {
        error_set(error, "%s: cannot be written: %s", path, strerror(errno));
        return false;
    }
    bool done = write_whole(fd, text) && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    int why = errno;
    close(fd);
    if (done) {
        /* link() is the rename that refuses a taken name, on every file system that has links at all. */
        done = (replace ? rename(temporary, path) : link(temporary, path)) == 0;
        why = errno;
    }
    if (!done || !replace)
        unlink(temporary);
    if (!done) {
        error_set(error, "%s: %s", path, why == EEXIST ? "exists already and is not overwritten" : strerror(why));
        return false;
    }
    if (!sync_folder_of(path)) {
        error_set(error, "%s: cannot be made durable: %s", path, strerror(errno));
        return false;
    }
    return true;
}
