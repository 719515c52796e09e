#include "pkg/internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER   "/var/lib/dpkg"
#define STATUS   "/var/lib/dpkg/status"
#define STATUS_D "/var/lib/dpkg/status.d" /* images without dpkg (distroless): one file a package */
#define UPDATES  "/var/lib/dpkg/updates"  /* what dpkg has not yet merged into status */

/* The third word of Status; rows of what is there have a state. */
static const struct {
    const char *word;
    bool present;
    enum pkg_state state;
} states[] = {
    {"installed", true, PKG_STATE_INSTALLED},
    {"not-installed", false, 0},
    {"config-files", false, 0},
    {"half-installed", true, PKG_STATE_HALF_INSTALLED},
    {"unpacked", true, PKG_STATE_UNPACKED},
    {"half-configured", true, PKG_STATE_HALF_CONFIGURED},
    {"triggers-awaited", true, PKG_STATE_TRIGGERS_AWAITED},
    {"triggers-pending", true, PKG_STATE_TRIGGERS_PENDING},
};

/* A stanza of updates/ takes the place of the package's stanza in status. */
struct update {
    struct bytes package, status, version, arch, source;
    bool used;
};
struct reading {
    const struct pkg_sink *sink;
    const char *file; /* being read */
    bool needs_status, stopped, no_memory;
    bool damaged; /* something that dpkg refuses, too */
    size_t stanzas;
    struct arena arena;
    struct update *updates;
    size_t update_count, update_capacity;
};

static void complain(void *context, size_t line, const char *what)
{
    struct reading *r = context;
    complain_to(r->sink, r->file, line, what, false);
}

static bool same_package(const struct update *u, const struct deb822 *d)
{
    struct bytes all = BYTES("all");
    if (!bytes_equal(u->package, d->package))
        return false;
    /* `all` counts as native to dpkg: such a package may change its architecture in place. */
    return u->arch.n == 0 || d->arch.n == 0 || bytes_equal(u->arch, d->arch) || bytes_equal(u->arch, all) ||
           bytes_equal(d->arch, all);
}

static void hand_out(struct reading *r, const struct deb822 *d)
{
    struct pkg_package p = {.name = d->package, .version = d->version, .arch = d->arch, .installed_at = TIME_UNKNOWN};
    struct bytes rest = d->status, word = {0};
    while (rest.n)
        word = bytes_split(&rest, ' ');
    bool present = !r->needs_status && d->status.n == 0, known = present;
    for (size_t i = 0; i < ARRAY_LENGTH(states) && !known; i++)
        if (bytes_equal(word, bytes_of(states[i].word))) {
            known = true;
            present = states[i].present;
            p.state = states[i].state;
        }
    if (!known || !is_word(p.name) || (present && p.version.n && !is_word(p.version)) ||
        (p.arch.n && !is_word(p.arch))) {
        complain(r, d->line,
                 known ? "a stanza with a bad Package, Version or Architecture" : "a stanza without a known Status");
        return;
    }
    if (!present)
        return;
    if (p.version.n == 0 && p.state != PKG_STATE_HALF_INSTALLED) {
        complain(r, d->line, "a package without Version: the file is damaged or was cut off");
        r->damaged = true;
        return;
    }
    deb822_source(d->source, &p);
    r->stopped = !r->sink->package(r->sink->context, &p);
}

static void take_status(struct reading *r, const struct deb822 *d)
{
    for (size_t i = 0; i < r->update_count; i++)
        if (same_package(&r->updates[i], d)) {
            r->updates[i].used = true;
            struct deb822 newer = {.package = d->package,
                                   .status = r->updates[i].status,
                                   .version = r->updates[i].version,
                                   .arch = r->updates[i].arch.n ? r->updates[i].arch : d->arch,
                                   .source = r->updates[i].source,
                                   .line = d->line};
            hand_out(r, &newer);
            return;
        }
    hand_out(r, d);
}

static void take_update(struct reading *r, const struct deb822 *d)
{
    struct update *u = NULL;
    for (size_t i = 0; i < r->update_count && !u; i++)
        if (same_package(&r->updates[i], d))
            u = &r->updates[i]; /* a later one takes the earlier one's place */
    if (!u && r->update_count == r->update_capacity) {
        size_t capacity = r->update_capacity ? r->update_capacity * 2 : 64;
        struct update *grown = realloc(r->updates, capacity * sizeof *grown);
        if (!grown) {
            r->no_memory = true;
            return;
        }
        r->updates = grown;
        r->update_capacity = capacity;
    }
    if (!u)
        u = &r->updates[r->update_count++];
    *u = (struct update){arena_copy(&r->arena, d->package), arena_copy(&r->arena, d->status),
                         arena_copy(&r->arena, d->version), arena_copy(&r->arena, d->arch),
                         arena_copy(&r->arena, d->source),  false};
}

static enum pkg_status read_stanzas(struct reading *r, const char *path, bool needs_status,
                                    void (*take)(struct reading *r, const struct deb822 *d))
{
    struct lines lines;
    enum pkg_status status = lines_open(&lines, path);
    if (status != PKG_OK)
        return status;
    struct deb822 d = {.lines = &lines, .complain = complain, .context = r};
    r->file = path;
    r->needs_status = needs_status;
    size_t found = 0;
    bool strict = needs_status && take == take_status; /* of the status file itself dpkg says "end of file during value of field" */
    while (!r->stopped && deb822_next(&d)) {
        if (d.package.n == 0) {
            complain(r, d.line, "a stanza without Package");
            continue;
        }
        found++;
        d.cut |= d.last && (d.status.n == 0 || d.version.n == 0);
        if (!d.cut || !strict) /* a version that breaks off looks like another one */
            take(r, &d);
    }
    r->stanzas += found;
    /* A file that holds something, but not one stanza, is none of dpkg's. */
    if (d.cut && strict) {
        complain(r, lines.number, "the file was cut off here");
        r->damaged = true;
    }
    bool damaged = r->damaged || lines.damaged || (found == 0 && lines.offset > 1);
    deb822_free(&d);
    lines_close(&lines);
    return damaged && !r->stopped ? PKG_DAMAGED : PKG_OK;
}

static int is_update(const struct dirent *entry)
{
    uint64_t number;
    return bytes_number(bytes_of(entry->d_name), &number);
}

static int is_stanza_file(const struct dirent *entry)
{
    struct bytes name = bytes_of(entry->d_name), sums = BYTES(".md5sums");
    return entry->d_name[0] != '.' &&
           !(name.n > sums.n && bytes_equal((struct bytes){name.p + name.n - sums.n, sums.n}, sums));
}

/* Every chosen file of a folder, in the order of their names. */
static enum pkg_status read_folder(struct reading *r, const char *root, const char *folder, bool needs_status,
                                   int (*choose)(const struct dirent *entry),
                                   void (*take)(struct reading *, const struct deb822 *))
{
    char base[PATH_MAX], path[PATH_MAX];
    struct dirent **entries;
    if (!path_below(base, root, folder))
        return PKG_UNREADABLE;
    int n = scandir(base, &entries, choose, alphasort);
    if (n < 0)
        return errno == ENOENT || errno == ENOTDIR ? PKG_ABSENT : errno == ENOMEM ? PKG_NO_MEMORY : PKG_UNREADABLE;
    enum pkg_status status = PKG_OK;
    for (int i = 0; i < n; i++) {
        int length = snprintf(path, sizeof path, "%s/%s", base, entries[i]->d_name);
        free(entries[i]);
        if (status == PKG_OK && !r->stopped)
            status = length < PATH_MAX ? read_stanzas(r, path, needs_status, take) : PKG_UNREADABLE;
        if (status == PKG_ABSENT)
            status = PKG_OK; /* gone since the folder was read */
    }
    free(entries);
    return status;
}

static bool is_updated(const struct reading *r, struct bytes package)
{
    for (size_t i = 0; i < r->update_count; i++)
        if (bytes_equal(r->updates[i].package, package))
            return true;
    return false;
}

/* A status file of no octets (or an empty line) is what a root has that is being set up, and whose first packages stand in updates/ until dpkg
 * ends its run. Beside file lists of packages that do not stand there it is what a crash or a full disk leaves behind. */
static bool is_emptied(const struct reading *r, const char *root)
{
    char path[PATH_MAX];
    struct stat st;
    bool found = false;
    if (!path_below(path, root, STATUS) || (stat(path, &st) == 0 ? st.st_size > 1 : errno != ENOENT || !r->update_count) ||
        !path_below(path, root, FOLDER "/info"))
        return false;
    DIR *folder = opendir(path);
    for (struct dirent *e; folder && !found && (e = readdir(folder));) {
        struct bytes name = bytes_of(e->d_name), list = BYTES(".list");
        if (name.n <= list.n || !bytes_equal((struct bytes){name.p + name.n - list.n, list.n}, list))
            continue;
        name.n -= list.n;
        struct bytes package = bytes_split(&name, ':');
        found = !is_updated(r, package);
    }
    if (folder)
        closedir(folder);
    return found;
}

static enum pkg_status read_database(struct reading *r, const char *root)
{
    char path[PATH_MAX];
    if (!path_below(path, root, STATUS))
        return PKG_UNREADABLE;
    enum pkg_status updates = read_folder(r, root, UPDATES, true, is_update, take_update);
    if (updates != PKG_OK && updates != PKG_ABSENT)
        return updates;
    if (is_emptied(r, root)) {
        r->file = path;
        complain(r, 0, "there is nothing in it, but lists of files of packages are there that dpkg's updates/ does not tell of either");
        return PKG_DAMAGED;
    }
    enum pkg_status status = read_stanzas(r, path, true, take_status);
    if (status != PKG_OK && status != PKG_ABSENT)
        return status;
    r->file = path;
    for (size_t i = 0; i < r->update_count && !r->stopped; i++) {
        const struct update *u = &r->updates[i];
        struct deb822 d = {
            .package = u->package, .status = u->status, .version = u->version, .arch = u->arch, .source = u->source};
        if (!u->used)
            hand_out(r, &d);
    }
    enum pkg_status images = read_folder(r, root, STATUS_D, false, is_stanza_file, take_status);
    if (images != PKG_ABSENT)
        return images;
    return status != PKG_ABSENT ? status : r->update_count ? PKG_OK : missing_in(root, FOLDER);
}

static enum pkg_status dpkg_installed(const char *root, const struct pkg_sink *sink)
{
    struct reading r = {.sink = sink, .arena = arena_of((size_t)16 << 20)};
    enum pkg_status status = read_database(&r, root);
    if (r.no_memory || r.arena.exhausted)
        status = PKG_NO_MEMORY;
    else if (r.stopped)
        status = PKG_STOPPED;
    arena_free(&r.arena);
    free(r.updates);
    return status;
}

/* Something stands in updates/: dpkg reads it without a status file, too. */
static bool has_updates(const char *root)
{
    char path[PATH_MAX];
    bool found = false;
    DIR *folder = path_below(path, root, UPDATES) ? opendir(path) : NULL;
    for (struct dirent *e; folder && !found && (e = readdir(folder));)
        found = is_update(e);
    if (folder)
        closedir(folder);
    return found;
}

static bool dpkg_present(const char *root)
{
    static const char *const places[] = {STATUS, STATUS_D};
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++)
        if (database_there(root, places[i]))
            return true;
    return has_updates(root);
}

static bool dpkg_busy(const char *root)
{
    return is_locked(root, FOLDER "/lock");
}

static uint64_t dpkg_stamp(const char *root)
{
    static const char *const places[] = {STATUS, STATUS_D, UPDATES};
    uint64_t digest = DIGEST_START;
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++)
        digest = digest_add_below(digest, root, places[i]);
    return dpkg_logs_stamp(digest, root);
}

void dpkg_native_arch(const char *root, char *arch, size_t size)
{
    static const char *const places[] = {STATUS, STATUS_D "/dpkg"};
    char path[PATH_MAX];
    struct lines lines;
    arch[0] = 0;
    struct pkg_sink silent = {0};
    struct reading r = {.sink = &silent};
    for (size_t i = 0; i < ARRAY_LENGTH(places) && !arch[0]; i++) {
        if (!path_below(path, root, places[i]) || lines_open(&lines, path) != PKG_OK)
            continue;
        struct deb822 d = {.lines = &lines, .complain = complain, .context = &r};
        while (!arch[0] && deb822_next(&d))
            if (bytes_equal(d.package, BYTES("dpkg")) && is_word(d.arch))
                snprintf(arch, size, "%.*s", (int)d.arch.n, (const char *)d.arch.p);
        deb822_free(&d);
        lines_close(&lines);
    }
    if (!arch[0])
        first_word_below(root, "/var/lib/dpkg/arch", arch, size);
}

/* Debian's names of architectures where `uname -m` says something else on them. */
static const struct {
    const char *arch, *machine;
} machines[] = {
    {"amd64", "x86_64"},   {"arm64", "aarch64"},       {"i386", "i686"},     {"armhf", "armv7l"},
    {"armel", "armv5tel"}, {"ppc64el", "ppc64le"},     {"powerpc", "ppc"},   {"mips64el", "mips64"},
    {"mipsel", "mips"},    {"loong64", "loongarch64"}, {"hppa", "parisc64"},
};

static const char *machine_of(const char *arch)
{
    for (size_t i = 0; i < ARRAY_LENGTH(machines); i++)
        if (strcmp(machines[i].arch, arch) == 0)
            return machines[i].machine;
    return arch;
}

static void dpkg_machine(const char *root, char *arch, size_t size)
{
    char own[64];
    dpkg_native_arch(root, own, sizeof own);
    snprintf(arch, size, "%s", machine_of(own));
}

/* dpkg writes the list of a package's files when it unpacks it: info/NAME.list, or NAME:ARCH.list if versions of
 * several architectures may stand side by side. */
static int64_t dpkg_unpacked(const char *root, struct bytes name, struct bytes arch)
{
    char path[PATH_MAX], file[768];
    struct stat st;
    if (name.n > 256 || arch.n > 64 || memchr(name.p, '/', name.n))
        return TIME_UNKNOWN;
    for (int with_arch = 0; with_arch < 2; with_arch++) {
        snprintf(file, sizeof file, "/var/lib/dpkg/info/%.*s%s%.*s.list", (int)name.n, (const char *)name.p,
                 with_arch ? ":" : "", with_arch ? (int)arch.n : 0, with_arch ? (const char *)arch.p : "");
        if (path_below(path, root, file) && stat(path, &st) == 0)
            return st.st_mtim.tv_sec;
    }
    return TIME_UNKNOWN;
}

const struct pkg_manager pkg_dpkg = {
    .name = "dpkg",
    .doc = "Debian, Ubuntu and their kin: /var/lib/dpkg, dpkg.log and apt's history.log",
    .source = PKG_SOURCE_DPKG,
    .present = dpkg_present,
    .installed = dpkg_installed,
    .history = dpkg_history,
    .stamp = dpkg_stamp,
    .busy = dpkg_busy,
    .unpacked = dpkg_unpacked,
    .files = dpkg_files,
    .describe = dpkg_describe,
    .native_arch = dpkg_machine,
    .order = &dpkg_order,
    .watch = (const char *const[]){"/var/lib/dpkg", "/var/lib/dpkg/status.d", "/var/lib/dpkg/updates",
                                   "/var/log/dpkg.log", "/var/log/apt/history.log", NULL},
};
