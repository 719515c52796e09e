#include "measure/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel's */

/* The kernel follows no link out of the root, not even while folders are being moved. */
int measure_open_below(int root, const char *path)
{
    static _Atomic bool missing;
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    if (!missing) {
        int fd;
        for (int turn = 0; turn < 8; turn++) { /* EAGAIN: something was moved meanwhile */
            fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
            if (fd >= 0 || errno != EAGAIN)
                break;
        }
        /* Before Linux 5.6; EPERM from a sandbox that does not know the call. */
        if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
            return fd;
        missing = true;
    }
    return below_walk(root, path);
}

/* `done` is a path of folders that are no links, so that its last component can be cut off for "..". */
static void step_back(char *done)
{
    char *slash = strrchr(done, '/');
    *(slash ? slash : done) = 0;
}

/* Opens done/name, the former known to be free of links when it was walked; a link that was put there since is refused. */
static int open_component(int root, const char *done, const char *name)
{
    int folder = openat(root, *done ? done : ".", O_PATH | O_CLOEXEC | O_NOFOLLOW | O_DIRECTORY);
    if (folder < 0)
        return -1;
    int fd = openat(folder, name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
    int number = errno;
    close(folder);
    errno = number;
    return fd;
}

/* Puts the link's text in front of what is left of the path. */
static bool take_link(int fd, char rest[PATH_MAX], char done[PATH_MAX])
{
    char text[PATH_MAX], joined[PATH_MAX];
    ssize_t n = readlinkat(fd, "", text, sizeof text - 1);
    if (n <= 0)
        return false;
    text[n] = 0;
    if (snprintf(joined, sizeof joined, "%s/%s", text, rest) >= (int)sizeof joined) {
        errno = ENAMETOOLONG;
        return false;
    }
    if (text[0] == '/')
        done[0] = 0;
    memcpy(rest, joined, sizeof joined);
    return true;
}

int below_walk(int root, const char *path)
{
    char rest[PATH_MAX], done[PATH_MAX] = "", name[PATH_MAX];
    int fd = -1, links = 0;
    struct stat st;
    if (snprintf(rest, sizeof rest, "%s", path) >= (int)sizeof rest) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (;;) {
        size_t skip = strspn(rest, "/"), n = strcspn(rest + skip, "/");
        memcpy(name, rest + skip, n);
        name[n] = 0;
        memmove(rest, rest + skip + n, strlen(rest + skip + n) + 1);
        if (n == 0)
            return fd >= 0 ? fd : openat(root, *done ? done : ".", O_PATH | O_CLOEXEC | O_DIRECTORY);
        if (fd >= 0)
            close(fd);
        fd = -1;
        if (strcmp(name, ".") == 0)
            continue;
        if (strcmp(name, "..") == 0) {
            step_back(done);
            continue;
        }
        if ((fd = open_component(root, done, name)) < 0)
            return -1;
        if (fstat(fd, &st) == 0 && S_ISLNK(st.st_mode)) {
            if (++links > LINKS_MAX || !take_link(fd, rest, done)) {
                errno = links > LINKS_MAX ? ELOOP : errno;
                break;
            }
            close(fd);
            fd = -1;
            continue;
        }
        size_t length = strlen(done);
        snprintf(done + length, sizeof done - length, "%s%s", length ? "/" : "", name);
    }
    int number = errno;
    close(fd);
    errno = number;
    return -1;
}
