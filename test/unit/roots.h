/* Throw-away root file systems for tests of pkg/ and the journal. Include after cmocka.h. */
#ifndef MUSTER_TEST_ROOTS_H
#define MUSTER_TEST_ROOTS_H

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

struct root {
    char path[64];
};

static inline struct root root_make(void)
{
    struct root r = {"/tmp/muster-test-XXXXXX"};
    assert_non_null(mkdtemp(r.path));
    return r;
}

static inline int root_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline void root_remove(struct root *r)
{
    nftw(r->path, root_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The full path of a file below the root, its folders made. */
static inline const char *root_path(const struct root *r, const char *file)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s%s", r->path, file);
    for (char *p = path + strlen(r->path) + 1; (p = strchr(p, '/')); *p++ = '/') {
        *p = 0;
        mkdir(path, 0755);
    }
    return path;
}

static inline void root_put(const struct root *r, const char *file, const void *p, size_t n, int flags)
{
    /* Through a link a test would write into the machine's own files. */
    int fd = open(root_path(r, file), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, n), (ssize_t)n);
    close(fd);
}

static inline void root_write(const struct root *r, const char *file, const char *text)
{
    root_put(r, file, text, strlen(text), O_TRUNC);
}

static inline void root_append(const struct root *r, const char *file, const char *text)
{
    root_put(r, file, text, strlen(text), O_APPEND);
}

/* FROM becomes TO, compressed if TO ends in .gz: what logrotate does. */
static inline void root_rotate(const struct root *r, const char *from, const char *to)
{
    char source[PATH_MAX], buffer[4096];
    snprintf(source, sizeof source, "%s", root_path(r, from));
    if (strcmp(to + strlen(to) - 3, ".gz") != 0) {
        assert_int_equal(rename(source, root_path(r, to)), 0);
        return;
    }
    gzFile gz = gzopen(root_path(r, to), "w");
    FILE *f = fopen(source, "r");
    assert_non_null(gz);
    assert_non_null(f);
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, f)) > 0;)
        assert_int_equal(gzwrite(gz, buffer, (unsigned)n), (int)n);
    fclose(f);
    gzclose(gz);
    unlink(source);
}

/* One stanza of dpkg's status. */
static inline void root_package(const struct root *r, const char *name, const char *arch, const char *version,
                                const char *state)
{
    char text[512];
    snprintf(text, sizeof text,
             "Package: %s\nStatus: install ok %s\nArchitecture: %s\nVersion: %s\nDescription: short\n long\n .\n\n",
             name, state, arch, version);
    root_append(r, "/var/lib/dpkg/status", text);
}

static inline void root_time(const struct root *r, const char *file, time_t t)
{
    const struct timespec times[2] = {{t, 0}, {t, 0}};
    assert_int_equal(utimensat(AT_FDCWD, root_path(r, file), times, 0), 0);
}

#endif
