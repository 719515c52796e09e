#include "cli/tag_input.h"
#include "swid/swid.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { READ_AT_ONCE = 1 << 20 };

int tag_input_open(struct tag_input *in, const struct cli *cli, const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    *in = (struct tag_input){.cli = cli, .path = path, .have = wr_of((size_t)SWID_READ_MAX + 2 * READ_AT_ONCE)};
    in->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    return in->fd >= 0 ? EXIT_DONE : cli_fail(cli, errno == ENOENT ? EXIT_NOT_FOUND : EXIT_USAGE, "%s: %s", path, strerror(errno));
}

void tag_input_close(struct tag_input *in)
{
    if (in->fd > STDIN_FILENO)
        close(in->fd);
    wr_free(&in->have);
}

/* Makes `have` hold twice as much of what comes next, so that looking for its end again and again costs no more than reading it. */
static int fill(struct tag_input *in)
{
    uint8_t block[65536];
    wr_drop(&in->have, in->at);
    in->at = 0;
    size_t wanted = in->have.n * 2 < READ_AT_ONCE ? READ_AT_ONCE : in->have.n * 2;
    if (in->have.n > SWID_READ_MAX)
        return cli_usage(in->cli, "%s: a tag that is larger than %d MiB", in->path, SWID_READ_MAX >> 20);
    while (!in->ended && in->have.n < wanted && in->have.n <= SWID_READ_MAX) {
        ssize_t n = read(in->fd, block, sizeof block);
        if (n < 0 && errno != EINTR)
            return cli_fail(in->cli, EXIT_USAGE, "%s: %s", in->path, strerror(errno));
        wr_bytes(&in->have, (struct bytes){block, n > 0 ? (size_t)n : 0});
        in->ended = n == 0;
    }
    return in->have.bad ? cli_fail(in->cli, EXIT_INTERNAL, "out of memory") : EXIT_DONE;
}

bool tag_input_next(struct tag_input *in, struct bytes *tag, int *code)
{
    size_t end = 0;
    bool torn = false;
    *code = EXIT_DONE;
    while (*code == EXIT_DONE && !in->over && !(end = swid_document_end(bytes_from(wr_view(&in->have), in->at), in->ended, tag, &torn)) && !in->ended)
        *code = fill(in);
    if (*code != EXIT_DONE || in->over || (in->ended && in->at == in->have.n && in->number))
        return false;
    in->at += end;
    in->over = torn || (in->ended && in->at == in->have.n);
    in->number++;
    snprintf(in->label, sizeof in->label, in->number > 1 || !in->over ? "%s#%u" : "%s", in->path, in->number);
    return true;
}
