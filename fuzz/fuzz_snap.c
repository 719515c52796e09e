/* A snap's metadata; and snapd's state, of which any octets give packages whose words are words, or none. */
#include "pkg/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool take_package(void *context, const struct pkg_package *p)
{
    (void)context;
    if (!is_word(p->name) || !is_word(p->version) || !is_word(p->arch))
        abort();
    return true;
}

static void make(char *path, const char *root, const char *below)
{
    if (!path_below(path, root, below) || (mkdir(path, 0700) != 0 && access(path, F_OK) != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char root[] = "/tmp/fuzz-snap-XXXXXX", path[PATH_MAX];
    static const char *const folders[] = {"/var", "/var/lib", "/var/lib/snapd"};
    if (!path[0]) {
        if (!mkdtemp(root))
            abort();
        for (size_t i = 0; i < ARRAY_LENGTH(folders); i++)
            make(path, root, folders[i]);
        if (!path_below(path, root, "/var/lib/snapd/state.json"))
            abort();
    }
    struct arena a = arena_of((size_t)1 << 20);
    struct lines lines = lines_of((struct bytes){data, size});
    struct pkg_package p = {0};
    struct snap_about about = {0};
    snap_yaml_read(&lines, &a, &p, &about);
    lines_close(&lines);
    arena_free(&a);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    close(fd);
    struct pkg_sink sink = {.package = take_package};
    enum pkg_status status = pkg_snap.installed(root, &sink);
    (void)status;
    unlink(path);
    return 0;
}
