/* A tag of anybody's making beside the disk: whatever it says, nothing is opened outside of the root, and every file of it is counted once. */
#include "agent/agent.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char root[] = "/tmp/muster-fuzz-XXXXXX";
static int root_fd = -1; /* the working folder is the fuzzer's own */

static void remove_root(void)
{
    unlinkat(root_fd, "a/b", 0);
    unlinkat(root_fd, "f", 0);
    unlinkat(root_fd, "out", 0);
    unlinkat(root_fd, "a", AT_REMOVEDIR);
    rmdir(root);
}

/* One folder, two files and a link that would lead out. */
static void make_root(void)
{
    if (root_fd >= 0)
        return;
    if (!mkdtemp(root) || (root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0 || mkdirat(root_fd, "a", 0700) != 0 ||
        symlinkat("../..", root_fd, "out") != 0)
        abort();
    static const char *const files[] = {"f", "a/b"};
    for (size_t i = 0; i < 2; i++) {
        int fd = openat(root_fd, files[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, "abc", 3) != 3)
            abort();
        close(fd);
    }
    atexit(remove_root);
}

static void take_file(void *context, const struct swid_file *f)
{
    (void)f;
    ++*(size_t *)context;
}

static void differ(void *context, enum agent_file_state s, struct bytes path)
{
    if (s >= AGENT_FILE_STATES || path.n == 0 || path.p[0] != '/')
        abort();
    ++*(size_t *)context;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t counts[AGENT_FILE_STATES], listed = 0, told = 0, sum = 0, walked;
    struct error error = {""};
    struct bytes tag = {data, size};
    struct swid_lister l = swid_lister_of(take_file, &listed);
    make_root();
    enum swid_status read = swid_read(tag, &l.sink, &error);
    swid_lister_free(&l);
    enum swid_status status = agent_tag_verify(tag, root, differ, &told, counts, &walked, &error);
    if ((read == SWID_OK) != (status == SWID_OK) || (status != SWID_OK && !error.text[0]))
        abort();
    for (size_t i = 0; i < AGENT_FILE_STATES; i++)
        sum += i == AGENT_FILE_ADDED ? 0 : counts[i];
    if (status == SWID_OK && (sum < listed || /* folders of evidence may be missing or unreadable, too */ told != sum - counts[AGENT_FILE_SAME] + counts[AGENT_FILE_ADDED]))
        abort();
    return 0;
}
