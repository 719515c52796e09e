#include "cli/tag_folder.h"
#include "swid/swid.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TEMPORARY = 64,
    STEM_MAX = 200, /* octets of a name in front of "+2" and the extension: 255 is what file systems take */
};

struct tag_folder {
    const struct cli *cli;
    const char *path;
    int folder, fd;
    char temporary[TEMPORARY]; /* the name that the file has until it is complete; "": it has none */
    char last[PATH_MAX + NAME_MAX];
    void *names; /* of this run: a tree of strings */
};

static int complain(const struct tag_folder *f, const char *name, const char *what)
{
    return cli_fail(f->cli, EXIT_USAGE, "%s%s%s: %s", f->path, *name ? "/" : "", name, what);
}

int tag_folder_open(const struct cli *cli, const char *path, struct tag_folder **folder)
{
    struct tag_folder *f = calloc(1, sizeof *f);
    *folder = NULL;
    if (!f)
        return cli_fail(cli, EXIT_INTERNAL, "out of memory");
    *f = (struct tag_folder){.cli = cli, .path = path, .fd = -1};
    bool made = mkdir(path, 0777) == 0;
    f->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->folder < 0 || (!made && faccessat(f->folder, ".", W_OK | X_OK, AT_EACCESS) != 0)) {
        int code = complain(f, "", strerror(errno));
        tag_folder_close(f);
        return code;
    }
    *folder = f;
    return EXIT_DONE;
}

static void drop(struct tag_folder *f)
{
    if (f->fd >= 0)
        close(f->fd);
    if (f->temporary[0])
        unlinkat(f->folder, f->temporary, 0);
    f->temporary[0] = 0;
    f->fd = -1;
}

static void find_temporary(const struct tag_folder *f, char name[TEMPORARY])
{
    snprintf(name, TEMPORARY, ".muster-%ld.tmp", (long)getpid());
    unlinkat(f->folder, name, 0); /* of one that had this number before, and was killed */
}

/* Without a name wherever the file system can, so that nothing stays behind if this process is killed. */
int tag_folder_begin(struct tag_folder *f)
{
    char name[TEMPORARY];
    drop(f);
    f->fd = openat(f->folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    if (f->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL || errno == ENOENT)) {
        find_temporary(f, name);
        f->fd = openat(f->folder, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
        if (f->fd >= 0)
            memcpy(f->temporary, name, sizeof name);
    }
    return f->fd >= 0 ? EXIT_DONE : complain(f, "", strerror(errno));
}

int tag_folder_write(struct tag_folder *f, struct bytes octets)
{
    while (octets.n) {
        ssize_t n = write(f->fd, octets.p, octets.n);
        if (n < 0 && errno != EINTR)
            return complain(f, "", strerror(errno));
        octets = bytes_from(octets, n > 0 ? (size_t)n : 0);
    }
    return EXIT_DONE;
}

/* ---- what stands there --------------------------------------------------------------------------------------------- */

/* Hears who a tag says it is. */
struct identity {
    struct swid_sink sink; /* first */
    struct bytes regid, tag_id;
    bool same[2];
};

static bool has_word(struct bytes words, struct bytes word)
{
    while (words.n)
        if (bytes_equal(bytes_split(&words, ' '), word))
            return true;
    return false;
}

static void hear(struct swid_sink *s, const struct swid_node *node)
{
    struct identity *i = (struct identity *)s;
    if (node->element == SWID_IDENTITY)
        i->same[0] = bytes_equal(node->value[SWID_TAG_ID], i->tag_id);
    else if (node->element == SWID_ENTITY && has_word(node->value[SWID_ROLE], BYTES("tagCreator")))
        i->same[1] |= bytes_equal(node->value[SWID_REGID], i->regid);
}

static void ignore(struct swid_sink *s, enum swid_element element)
{
    (void)s, (void)element;
}

/* A regular file that holds a tag of this identity. */
static bool is_same(const struct tag_folder *f, const char *name, struct bytes regid, struct bytes tag_id)
{
    struct identity i = {.sink = {.open = hear, .close = ignore}, .regid = regid, .tag_id = tag_id};
    struct wr text = wr_of((size_t)SWID_READ_MAX + 65536);
    struct error ignored;
    uint8_t block[65536];
    struct stat st;
    ssize_t n = -1;
    int fd = openat(f->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        while ((n = read(fd, block, sizeof block)) > 0 && text.n <= SWID_READ_MAX)
            wr_bytes(&text, (struct bytes){block, (size_t)n});
    if (fd >= 0)
        close(fd);
    bool same = n == 0 && swid_read(wr_view(&text), &i.sink, &ignored) == SWID_OK && i.same[0] && i.same[1];
    wr_free(&text);
    return same;
}

/* ---- names --------------------------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* False: another tag of this run has it, or there is no memory. */
static bool claim(struct tag_folder *f, const char *name)
{
    char *copy = strdup(name);
    char **found = copy ? tsearch(copy, &f->names, by_text) : NULL;
    bool is_new = found && *found == copy;
    if (!is_new)
        free(copy);
    return is_new;
}

/* What is too long is told apart by its hash (FNV-1a). No name begins with a dot. */
static void put_stem(struct wr *w, struct bytes tag_id)
{
    uint64_t hash = 14695981039346656037U;
    for (size_t i = 0; i < tag_id.n; i++) {
        uint8_t c = tag_id.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c && strchr("-._~", c));
        wr_fmt(w, plain && (i || c != '.') ? "%c" : "%%%02X", c);
        hash = (hash ^ c) * 1099511628211U;
    }
    if (w->n <= STEM_MAX)
        return;
    w->n = STEM_MAX;
    wr_fmt(w, "+%016llx", (unsigned long long)hash);
}

/* ---- the end of a file ------------------------------------------------------------------------------------------------ */

/* Gives the file a name that is free; where there are no hard links it loses the one that it had. */
static bool link_as(const struct tag_folder *f, const char *name)
{
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", f->fd);
    if (!f->temporary[0])
        return linkat(AT_FDCWD, self, f->folder, name, AT_SYMLINK_FOLLOW) == 0;
    return linkat(f->folder, f->temporary, f->folder, name, 0) == 0 ||
           (errno != EEXIST && renameat2(f->folder, f->temporary, f->folder, name, RENAME_NOREPLACE) == 0);
}

static bool replace(struct tag_folder *f, const char *name)
{
    char temporary[TEMPORARY];
    if (!f->temporary[0]) {
        find_temporary(f, temporary);
        if (!link_as(f, temporary))
            return false;
        memcpy(f->temporary, temporary, sizeof temporary);
    }
    if (renameat(f->folder, f->temporary, f->folder, name) != 0)
        return false;
    f->temporary[0] = 0;
    return true;
}

static int finish(struct tag_folder *f, const char *name, struct bytes regid, struct bytes tag_id)
{
    if (fsync(f->fd) != 0)
        return complain(f, name, strerror(errno));
    if (!link_as(f, name)) {
        if (errno != EEXIST)
            return complain(f, name, strerror(errno));
        if (!is_same(f, name, regid, tag_id))
            return complain(f, name, "stands there already and is no tag of this identity: left alone");
        if (!replace(f, name))
            return complain(f, name, strerror(errno));
    }
    drop(f);
    return EXIT_DONE;
}

int tag_folder_end(struct tag_folder *f, struct bytes regid, struct bytes tag_id, const char *extension)
{
    char name[NAME_MAX + 1];
    struct wr stem = wr_of(0);
    int code;
    put_stem(&stem, tag_id);
    snprintf(name, sizeof name, "%s%s", wr_string(&stem), extension);
    for (unsigned i = 2; !claim(f, name) && i < 10000; i++)
        snprintf(name, sizeof name, "%s+%u%s", wr_string(&stem), i, extension);
    if (stem.n == 0)
        code = cli_fail(f->cli, EXIT_USAGE, "a tag without a tagId has no name to be written under");
    else
        code = finish(f, name, regid, tag_id);
    snprintf(f->last, sizeof f->last, "%s/%s", f->path, name);
    wr_free(&stem);
    return code;
}

const char *tag_folder_last(const struct tag_folder *f)
{
    return f->last;
}

void tag_folder_close(struct tag_folder *f)
{
    if (!f)
        return;
    drop(f);
    if (f->folder >= 0) {
        (void)!fsync(f->folder);
        close(f->folder);
    }
    tdestroy(f->names, free);
    free(f);
}
