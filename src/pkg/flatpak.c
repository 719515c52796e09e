#include "pkg/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* flatpak's system-wide installation: app and runtime have NAME/ARCH/BRANCH/active, a link to the folder of the commit
 * that is deployed, and in it "deploy", which has the version that the publisher's metadata gives, if any. Branches
 * stand side by side. What names an installed one is its branch and commit; the version goes before them where there
 * is one: [VERSION+]BRANCH+gCOMMIT ("1.2.3+stable+gd5c723ca84d0", "23.08+g09f0f2dacd8a"), the commit as flatpak prints
 * it. flatpak's history stands in the system's journal alone, so times are bounds: an active link is made when
 * its commit is deployed. Installations of users, and more of the system's, are not read. */

#define FOLDER     "/var/lib/flatpak"
#define CONFIG     FOLDER "/repo/config"
enum { DEPTH_MAX = 64 }; /* folders within one another */
#define DEPLOY_MAX ((size_t)4 << 20)

static const char *const kinds[] = {FOLDER "/app", FOLDER "/runtime"};

static bool flatpak_present(const char *root)
{
    return database_there(root, CONFIG);
}

/* ---- deploy: a GVariant of type (ssasta{sv}) ------------------------------------------------------------------------ */

static struct bytes slice(struct bytes b, size_t from, size_t to)
{
    return from <= to && to <= b.n ? (struct bytes){b.p + from, to - from} : (struct bytes){0};
}

/* A container's offsets have as many octets as its size needs. */
static size_t offset_width(struct bytes b)
{
    return b.n <= UINT8_MAX ? 1 : b.n <= UINT16_MAX ? 2 : b.n <= UINT32_MAX ? 4 : 8;
}

/* The offset that stands at `at`, little-endian; the container's size if there is none, or it lies outside. */
static size_t offset_at(struct bytes b, size_t at)
{
    struct bytes octets = slice(b, at, at + offset_width(b));
    uint64_t offset = octets.n ? 0 : b.n;
    for (size_t i = octets.n; i > 0; i--)
        offset = offset << 8 | octets.p[i - 1];
    return offset < b.n ? (size_t)offset : b.n;
}

/* The n-th offset from the end. */
static size_t last_offset(struct bytes b, size_t n)
{
    size_t from_end = n * offset_width(b);
    return from_end <= b.n ? offset_at(b, b.n - from_end) : b.n;
}

static size_t align8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

/* The value of {sv} if its key is this one and it is a text. */
static struct bytes entry_text(struct bytes entry, struct bytes key)
{
    size_t width = offset_width(entry), key_end = last_offset(entry, 1);
    if (entry.n < width || key_end < 1 || !bytes_equal(slice(entry, 0, key_end - 1), key))
        return (struct bytes){0};
    struct bytes value = slice(entry, align8(key_end), entry.n - width);
    if (value.n < 3 || memcmp(value.p + value.n - 3, "\0\0s", 3) != 0) /* the text's NUL, then the type */
        return (struct bytes){0};
    return slice(value, 0, value.n - 3);
}

struct bytes flatpak_deploy_version(struct bytes deploy)
{
    size_t framing = 3 * offset_width(deploy);
    size_t begin = align8(last_offset(deploy, 3)) + 8; /* behind the list of subpaths and the size */
    struct bytes dict = framing < deploy.n ? slice(deploy, begin, deploy.n - framing) : (struct bytes){0};
    struct bytes version = {0};
    size_t end = 0;
    for (size_t at = last_offset(dict, 1); at < dict.n && version.n == 0; at += offset_width(dict)) {
        struct bytes entry = slice(dict, align8(end), offset_at(dict, at));
        end = offset_at(dict, at);
        version = entry_text(entry, BYTES("appdata-version"));
    }
    return version;
}

/* ---- what is deployed --------------------------------------------------------------------------------------------- */

struct ref {
    const char *branch_folder, *name, *arch, *branch;
};

/* Each real folder in a folder; false: `visit` said so, or it could not be read, as *unreadable says. */
static bool each_folder(const char *path, bool (*visit)(void *context, const char *name), void *context,
                        bool *unreadable)
{
    DIR *folder = opendir(path);
    struct stat st;
    bool good = true;
    if (!folder) {
        *unreadable |= errno != ENOENT;
        return errno == ENOENT;
    }
    for (struct dirent *entry; good && (entry = readdir(folder));)
        if (entry->d_name[0] != '.' && fstatat(dirfd(folder), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISDIR(st.st_mode))
            good = visit(context, entry->d_name);
    closedir(folder);
    return good;
}

struct walk {
    char path[PATH_MAX];
    const char *words[3]; /* name, architecture, branch */
    size_t depth;
    bool unreadable;
    bool (*visit)(void *context, const struct ref *ref);
    void *context;
};

static bool walk_into(void *context, const char *name)
{
    struct walk *w = context;
    size_t n = strlen(w->path);
    bool good = true;
    if ((size_t)snprintf(w->path + n, sizeof w->path - n, "/%s", name) < sizeof w->path - n) {
        w->words[w->depth++] = name;
        if (w->depth < ARRAY_LENGTH(w->words))
            good = each_folder(w->path, walk_into, w, &w->unreadable);
        else
            good = w->visit(w->context, &(struct ref){w->path, w->words[0], w->words[1], w->words[2]});
        w->depth--;
    }
    w->path[n] = 0;
    return good;
}

/* Each branch of each application and runtime. */
static enum pkg_status each_ref(const char *root, bool (*visit)(void *context, const struct ref *ref), void *context)
{
    struct walk w = {.visit = visit, .context = context};
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
        if (!path_below(w.path, root, kinds[i]) || !each_folder(w.path, walk_into, &w, &w.unreadable))
            return w.unreadable ? PKG_UNREADABLE : PKG_STOPPED;
    return PKG_OK;
}

static bool active_link(const struct ref *ref, char path[PATH_MAX], struct stat *st)
{
    return snprintf(path, PATH_MAX, "%s/active", ref->branch_folder) < PATH_MAX && lstat(path, st) == 0 &&
           S_ISLNK(st->st_mode);
}

struct reading {
    const struct pkg_sink *sink;
    struct wr deploy, version;
    struct bytes name, arch, wanted; /* whose files are told */
    size_t root_length;
    bool found, partial;
};

static void read_deploy(struct wr *deploy, const char *active)
{
    char path[PATH_MAX + 16];
    uint8_t block[4096];
    ssize_t n = 1;
    snprintf(path, sizeof path, "%s/deploy", active);
    wr_reset(deploy);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    while (fd >= 0 && n > 0 && !deploy->bad)
        if ((n = read(fd, block, sizeof block)) > 0)
            wr_bytes(deploy, (struct bytes){block, (size_t)n});
    if (fd >= 0)
        close(fd);
}

/* The package of a deployed commit, whose views live until the next one; false: it is not deployed, half removed, or not a commit's name. */
static bool read_ref(struct reading *r, const struct ref *ref, struct pkg_package *p)
{
    char path[PATH_MAX], commit[65];
    struct stat st;
    if (!active_link(ref, path, &st))
        return false;
    ssize_t n = readlink(path, commit, sizeof commit);
    read_deploy(&r->deploy, path);
    struct bytes version = flatpak_deploy_version(wr_view(&r->deploy)), branch = bytes_of(ref->branch);
    wr_reset(&r->version);
    if (is_word(version) && version.n < 256)
        wr_fmt(&r->version, "%.*s+", (int)version.n, (const char *)version.p);
    wr_bytes(&r->version, branch);
    wr_fmt(&r->version, "+g%.*s", n > 12 ? 12 : n > 0 ? (int)n : 0, commit);
    *p = (struct pkg_package){.name = bytes_of(ref->name),
                              .version = wr_view(&r->version),
                              .arch = bytes_of(ref->arch),
                              .state = PKG_STATE_INSTALLED,
                              .installed_at = TIME_UNKNOWN};
    p->source_name = p->name;
    p->source_version = p->version;
    if (n == 64 && is_word(p->name) && is_word(p->version) && is_word(p->arch))
        return true;
    complain_to(r->sink, path, 0, "not a commit's name, or odd words: skipped", false);
    return false;
}

static bool take_ref(void *context, const struct ref *ref)
{
    struct reading *r = context;
    struct pkg_package p;
    return !read_ref(r, ref, &p) || r->sink->package(r->sink->context, &p);
}

static enum pkg_status read_refs(const char *root, struct reading *r, bool (*take)(void *context, const struct ref *ref))
{
    if (!flatpak_present(root))
        return missing_in(root, FOLDER);
    r->deploy = wr_of(DEPLOY_MAX);
    r->version = wr_of(0);
    enum pkg_status status = each_ref(root, take, r);
    wr_free(&r->deploy);
    wr_free(&r->version);
    return status;
}

static enum pkg_status flatpak_installed(const char *root, const struct pkg_sink *sink)
{
    return read_refs(root, &(struct reading){.sink = sink}, take_ref);
}

/* ---- what it says of itself ---------------------------------------------------------------------------------------- */

/* The value of a key of the keyfile "metadata", whichever group it stands in; a view into the line. */
static struct bytes metadata_value(struct lines *lines, struct bytes key)
{
    struct bytes line;
    bool whole;
    while (lines_next(lines, &line, &whole)) {
        struct bytes value = line, name = bytes_trim(bytes_split(&value, '='));
        if (value.p && bytes_equal(name, key))
            return bytes_trim(value);
    }
    return (struct bytes){0};
}

/* An application needs its runtime, which both name as NAME/ARCH/BRANCH. */
static bool describe_ref(void *context, const struct ref *ref)
{
    struct reading *r = context;
    char path[PATH_MAX], own[PATH_MAX];
    struct lines lines;
    struct pkg_package p;
    if (!read_ref(r, ref, &p))
        return true;
    bool named = snprintf(path, sizeof path, "%s/active/metadata", ref->branch_folder) < PATH_MAX;
    snprintf(own, sizeof own, "%s/%s/%s", ref->name, ref->arch, ref->branch);
    if (!named || lines_open(&lines, path) != PKG_OK)
        lines = lines_of((struct bytes){0});
    const struct pkg_relation needs = {.name = metadata_value(&lines, BYTES("runtime"))};
    const struct pkg_relation gives[] = {{.name = p.name, .version = p.version, .compare = PKG_EQUAL}, {.name = bytes_of(own)}};
    const struct pkg_description d = {.name = p.name,
                                      .version = p.version,
                                      .arch = p.arch,
                                      .needs = &needs,
                                      .need_count = is_word(needs.name),
                                      .gives = gives,
                                      .give_count = ARRAY_LENGTH(gives)};
    bool go_on = r->sink->description(r->sink->context, &d);
    lines_close(&lines);
    return go_on;
}

static enum pkg_status flatpak_describe(const char *root, const struct pkg_sink *sink)
{
    return read_refs(root, &(struct reading){.sink = sink}, describe_ref);
}

/* ---- its files ------------------------------------------------------------------------------------------------------ */

/* What is below a folder, its entries in the order of their octets; links are told, not followed. False: the sink said so. */
static bool tell_below(struct reading *r, int in, const char *folder, char path[PATH_MAX], unsigned depth)
{
    struct dirent **entries = NULL;
    size_t n = strlen(path);
    int fd = openat(in, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int count = fd >= 0 ? scandirat(fd, ".", &entries, NULL, alphasort) : -1;
    bool go_on = true;
    if (count < 0 || depth == 0) {
        r->partial = true;
        complain_to(r->sink, path, 0, count < 0 ? strerror(errno) : "its folders are nested too deeply", true);
    }
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        struct stat st;
        bool real = strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
        if (go_on && depth && real && (size_t)snprintf(path + n, PATH_MAX - n, "/%s", name) < PATH_MAX - n) {
            struct pkg_file f = {.path = bytes_of(path + r->root_length)};
            f.real_path = f.path;
            f.kind = S_ISDIR(st.st_mode) ? PKG_FILE_DIRECTORY
                     : S_ISLNK(st.st_mode) ? PKG_FILE_LINK
                     : S_ISREG(st.st_mode) ? PKG_FILE_REGULAR
                                           : PKG_FILE_SPECIAL;
            go_on = r->sink->file(r->sink->context, &f) && (f.kind != PKG_FILE_DIRECTORY || tell_below(r, fd, name, path, depth - 1));
        }
        path[n] = 0;
        free(entries[i]);
    }
    free(entries);
    if (fd >= 0)
        close(fd);
    return go_on;
}

static bool tell_ref(void *context, const struct ref *ref)
{
    struct reading *r = context;
    struct pkg_package p;
    char path[PATH_MAX], commit[65] = "";
    struct stat st;
    if (!bytes_equal(r->name, bytes_of(ref->name)) || !bytes_equal(r->arch, bytes_of(ref->arch)) || !read_ref(r, ref, &p) ||
        !bytes_equal(p.version, r->wanted) || !active_link(ref, path, &st) || readlink(path, commit, 64) != 64)
        return true;
    r->found = true;
    size_t n = strlen(ref->branch_folder);
    if (strchr(commit, '/') || (size_t)snprintf(path, sizeof path, "%s/%s", ref->branch_folder, commit) != n + 65)
        return true;
    return tell_below(r, AT_FDCWD, path, path, DEPTH_MAX);
}

/* What stands in the folder of the deployed commit: nobody but flatpak puts files there. */
static enum pkg_status flatpak_files(struct pkg_files *f, struct bytes name, struct bytes arch, struct bytes version, const struct pkg_sink *sink)
{
    size_t root_length = strlen(f->root);
    while (root_length && f->root[root_length - 1] == '/')
        root_length--;
    struct reading r = {.sink = sink, .name = name, .arch = arch, .wanted = version, .root_length = root_length};
    enum pkg_status status = read_refs(f->root, &r, tell_ref);
    return status != PKG_OK ? status : !r.found ? PKG_ABSENT : r.partial ? PKG_DAMAGED : PKG_OK;
}

static bool add_ref(void *context, const struct ref *ref)
{
    uint64_t *digest = context;
    char path[PATH_MAX];
    struct stat st;
    if (active_link(ref, path, &st)) {
        uint64_t one = digest_add(DIGEST_START, path, strlen(path));
        *digest += digest_add(one, &st.st_ctim, sizeof st.st_ctim); /* a sum: the order of folders means nothing */
    }
    return true;
}

static uint64_t flatpak_stamp(const char *root)
{
    static const char *const also[] = {CONFIG, FOLDER "/app", FOLDER "/runtime"};
    uint64_t digest = DIGEST_START, refs = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(also); i++)
        digest = digest_add_below(digest, root, also[i]);
    bool good = each_ref(root, add_ref, &refs) == PKG_OK;
    return digest_add(digest_add(digest, &refs, sizeof refs), &good, sizeof good);
}

struct search {
    struct bytes name, arch;
    int64_t newest;
};

static bool find_ref(void *context, const struct ref *ref)
{
    struct search *s = context;
    char path[PATH_MAX];
    struct stat st;
    if (bytes_equal(s->name, bytes_of(ref->name)) && bytes_equal(s->arch, bytes_of(ref->arch)) &&
        active_link(ref, path, &st) && (int64_t)st.st_mtim.tv_sec > s->newest)
        s->newest = (int64_t)st.st_mtim.tv_sec;
    return true;
}

/* Of several branches the one that was deployed last: each of them was by then. */
static int64_t flatpak_unpacked(const char *root, struct bytes name, struct bytes arch)
{
    struct search s = {name, arch, TIME_UNKNOWN};
    return each_ref(root, find_ref, &s) == PKG_OK ? s.newest : TIME_UNKNOWN;
}

const struct pkg_manager pkg_flatpak = {
    .name = "flatpak",
    .doc = "flatpak's system-wide installation; versions are [VERSION+]BRANCH+gCOMMIT, without an order; times are bounds",
    .source = PKG_SOURCE_FLATPAK,
    .present = flatpak_present,
    .installed = flatpak_installed,
    .side_by_side = true,
    .stamp = flatpak_stamp,
    .unpacked = flatpak_unpacked,
    .files = flatpak_files,
    .describe = flatpak_describe,
    .watch = (const char *const[]){FOLDER, FOLDER "/app", FOLDER "/runtime", NULL},
};
