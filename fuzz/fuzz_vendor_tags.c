/* Tags that software brought itself, as they lie: whatever stands in the folders, of whatever name and kind, what is told lies within them, is told
 * twice alike, and no link leads to it. */
#include "agent/journal.h"
#include "pkg/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "/outside.swidtag" /* below the root, but in no folder of tags: links lead there */

static char root[64] = "/dev/shm/muster-fuzz-XXXXXX"; /* in memory, if it can be */

struct told {
    struct arena arena;
    unsigned packages;
    struct wr text;
};

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind;
    return at->level ? remove(path) : 0;
}

static void clear_root(void)
{
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void remove_root(void)
{
    clear_root();
    rmdir(root);
}

static void make_folder(const char *path)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST && errno != ENOTDIR && errno != ENOENT && errno != ENAMETOOLONG)
        abort();
}

static void make_file(const char *path, struct bytes octets)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd >= 0 && write(fd, octets.p, octets.n) < 0)
        abort();
    if (fd >= 0)
        close(fd);
}

/* An entry: what it is, the folder that it stands in, one of those made before, its name and content. */
static void make_entries(struct rd *r)
{
    static const char *const places[] = {"/usr", "/usr/lib", "/usr/lib/swidtag", "/usr/share", "/usr/share/acme", "/usr/share/acme/swidtag", "/opt", "/opt/a", "/opt/a/swidtag"};
    char folders[32][256], path[700];
    size_t count = 0;
    for (; count < ARRAY_LENGTH(places); count++) {
        snprintf(folders[count], sizeof folders[count], "%s%s", root, places[count]);
        make_folder(folders[count]);
    }
    snprintf(path, sizeof path, "%s" SECRET, root);
    make_file(path, BYTES("<SoftwareIdentity xmlns='http://standards.iso.org/iso/19770/-2/2015/schema.xsd' name='secret' tagId='secret'><Entity name='x' regid='x' "
                          "role='tagCreator'/></SoftwareIdentity>"));
    while (rd_more(r)) {
        uint8_t kind = rd_u8(r), where = rd_u8(r);
        struct bytes name = rd_take(r, rd_u8(r) % 40), octets = rd_take(r, rd_u16(r) % 600);
        if (name.n == 0 || memchr(name.p, '/', name.n) || memchr(name.p, 0, name.n) || bytes_equal(name, BYTES(".")) || bytes_equal(name, BYTES("..")))
            continue;
        snprintf(path, sizeof path, "%s/%.*s%s", folders[where % count], (int)name.n, (const char *)name.p, kind & 64 ? ".swidtag" : kind & 128 ? ".coswid" : "");
        if (kind % 5 == 0 && count < ARRAY_LENGTH(folders) && strlen(path) < sizeof folders[0]) {
            make_folder(path);
            memcpy(folders[count++], path, strlen(path) + 1);
        } else if (kind % 5 == 1)
            (void)!symlink(kind & 8 ? "../../.." SECRET : kind & 16 ? ".." : "/usr/share", path);
        else if (kind % 5 == 2)
            (void)!mkfifo(path, 0600);
        else
            make_file(path, octets);
    }
}

static bool take_package(void *context, const struct pkg_package *p)
{
    struct told *t = context;
    char path[PATH_MAX];
    struct stat st;
    const struct pkg_tag *tag = p->tag;
    if (!tag || !tag->octets.n || !tag->software_id.n || !p->name.n || bytes_equal(p->name, BYTES("secret")) || !bytes_starts(tag->locator, BYTES("file:///")))
        abort();
    for (size_t i = 0; i < tag->locator.n; i++)
        if (tag->locator.p[i] <= ' ' || tag->locator.p[i] > '~')
            abort();
    snprintf(path, sizeof path, "%s%.*s", root, (int)tag->locator.n - 7, (const char *)tag->locator.p + 7);
    if (!strchr(path, '%') && (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode)))
        abort();
    t->packages++;
    wr_bytes(&t->text, tag->software_id);
    wr_bytes(&t->text, tag->locator);
    return true;
}

static bool read_tag(void *context, struct pkg_package *p, struct pkg_tag *tag, struct error *error)
{
    struct told *t = context;
    return agent_read_tag(&t->arena, p, tag, error);
}

static void take_complaint(void *context, const char *file, size_t line, const char *what, bool unreadable)
{
    (void)context, (void)line, (void)unreadable;
    if (!*file || !*what)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool made;
    struct rd r = rd_of((struct bytes){data, size}, 0);
    struct told told[2];
    uint64_t stamp = 0;
    if (!made && !mkdtemp(root)) {
        snprintf(root, sizeof root, "/tmp/muster-fuzz-XXXXXX");
        if (!mkdtemp(root))
            abort();
    }
    if (!made)
        atexit(remove_root);
    made = true;
    make_entries(&r);
    for (size_t i = 0; i < 2; i++) {
        told[i] = (struct told){.arena = arena_of(1 << 20), .text = wr_of(0)};
        const struct pkg_sink sink = {.context = &told[i], .package = take_package, .complaint = take_complaint, .read_tag = read_tag};
        enum pkg_status status = pkg_tags.installed(root, &sink);
        if ((status == PKG_OK) < (told[i].packages > 0) || (i && pkg_tags.stamp(root) != stamp))
            abort();
        stamp = pkg_tags.stamp(root);
    }
    if (!bytes_equal(wr_view(&told[0].text), wr_view(&told[1].text)))
        abort();
    for (size_t i = 0; i < 2; i++) {
        arena_free(&told[i].arena);
        wr_free(&told[i].text);
    }
    clear_root();
    return 0;
}
