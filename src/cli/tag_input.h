/* The tags of a file; private to cli/. */
#ifndef MUSTER_CLI_TAG_INPUT_H
#define MUSTER_CLI_TAG_INPUT_H

#include "cli/cli.h"

/* A file of tags one after the other, as muster tag writes them: XML documents, a CBOR sequence. Each may have SWID_READ_MAX octets, the file as many
 * as it likes. */
struct tag_input {
    const struct cli *cli;
    const char *path;
    int fd;
    struct wr have;
    size_t at;            /* of what comes next in it */
    bool ended;           /* `have` is all there is */
    bool over;            /* there is no next one */
    unsigned number;      /* of the last one, from 1 */
    char label[PATH_MAX]; /* of the last one, for messages: the path, and "#2" where the file has several */
};
/* EXIT_DONE, or what was said; "-" is standard input. */
int tag_input_open(struct tag_input *in, const struct cli *cli, const char *path);
/* The next one, a view until the next call; an empty file has one, which is empty. False: there are no more, and *code is EXIT_DONE or what was said. */
bool tag_input_next(struct tag_input *in, struct bytes *tag, int *code);
void tag_input_close(struct tag_input *in);

#endif
