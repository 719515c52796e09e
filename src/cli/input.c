#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int cli_read_input(const struct cli *cli, const char *path, size_t max, struct wr *to)
{
    uint8_t block[65536];
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : 0;
    while (fd >= 0 && !to->bad && (n = read(fd, block, sizeof block)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        wr_bytes(to, (struct bytes){block, (size_t)n});
    }
    int status = n < 0        ? cli_fail(cli, errno == ENOENT ? EXIT_NOT_FOUND : EXIT_USAGE, "%s: %s", path, strerror(errno))
                 : to->bad ? cli_usage(cli, "%s: larger than %zu MiB", path, max >> 20)
                              : EXIT_DONE;
    if (fd >= 0 && !standard)
        close(fd);
    return status;
}
