#include "pkg/internal.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* snapd's state, state.json: data.snaps has each snap's current revision; tasks, of which those of a day are kept, say
 * when it became that. A snap's version and architectures stand in its own meta/snap.yaml alone, which is there where
 * the snap is mounted; of a root that does not run none is. What was removed leaves no trace: removals are bounds.
 *
 * A revision names what is installed more exactly than a version, which a publisher may give twice: both are kept, as
 * VERSION+rREVISION ("2.63+r21465"), or rREVISION where no metadata can be read. */

#define FOLDER    "/var/lib/snapd"
#define STATE     FOLDER "/state.json"
#define STATE_MAX ((size_t)32 << 20)
#define DONE      4             /* the status of a task that was done */
#define LINKED    " linked at" /* a member of our own: no name that snapd gives */

static const char *const mounts[] = {"/snap", FOLDER "/snap"}; /* Debian's, Ubuntu's; Fedora's, Arch's */

static bool snap_present(const char *root)
{
    return database_there(root, STATE);
}

/* ---- meta/snap.yaml ----------------------------------------------------------------------------------------------- */

/* A plain or quoted scalar. */
static struct bytes scalar(struct bytes b)
{
    b = bytes_trim(b);
    if (b.n > 1 && (b.p[0] == '"' || b.p[0] == '\'')) {
        struct bytes rest = {b.p + 1, b.n - 1};
        return bytes_split(&rest, b.p[0]);
    }
    for (size_t i = 1; i < b.n; i++)
        if (b.p[i] == '#' && (b.p[i - 1] == ' ' || b.p[i - 1] == '\t'))
            b.n = i;
    return bytes_trim(b);
}

/* Architectures one after another: "amd64", "amd64+i386". */
static void add_arch(struct wr *arch, struct bytes word)
{
    if (!is_word(word = scalar(word)))
        return;
    wr_str(arch, arch->n ? "+" : "");
    wr_bytes(arch, word);
}

/* Keys of the outermost level and what each is kept as. */
static struct bytes *place_of(struct snap_about *about, struct bytes key)
{
    const struct {
        const char *key;
        struct bytes *place;
    } rows[] = {{"summary", &about->summary}, {"license", &about->licence}, {"base", &about->base}, {"website", &about->website}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (bytes_equal(key, bytes_of(rows[i].key)) && rows[i].place->n == 0)
            return rows[i].place;
    return NULL;
}

void snap_yaml_read(struct lines *lines, struct arena *a, struct pkg_package *p, struct snap_about *about)
{
    struct bytes line;
    struct wr arch = wr_of(4096);
    bool whole, listing = false;
    while (lines_next(lines, &line, &whole)) {
        struct bytes value = line, key = bytes_split(&value, ':'), item = bytes_trim(line);
        if (listing && item.n > 1 && item.p[0] == '-' && item.p[1] == ' ') {
            add_arch(&arch, (struct bytes){item.p + 2, item.n - 2});
            continue;
        }
        listing = bytes_equal(key, BYTES("architectures"));
        value = bytes_trim(value);
        if (bytes_equal(key, BYTES("version")) && p->version.n == 0)
            p->version = arena_copy(a, scalar(value));
        struct bytes *place = place_of(about, key);
        if (place && value.n && !memchr("|>[{&*", value.p[0], 6)) /* a scalar on one line */
            *place = arena_copy(a, scalar(value));
        if (!listing || value.n < 2 || value.p[0] != '[')
            continue;
        value = (struct bytes){value.p + 1, value.n - 1};
        for (struct bytes list = bytes_split(&value, ']'); list.n;)
            add_arch(&arch, bytes_split(&list, ','));
    }
    p->arch = arch.n && !arch.bad ? arena_copy(a, wr_view(&arch)) : BYTES("all");
    wr_free(&arch);
}

/* ---- state.json --------------------------------------------------------------------------------------------------- */

struct reading {
    const struct pkg_sink *sink;
    const char *root;
    char path[PATH_MAX];
    json_t *state;
    struct arena arena;
    struct pkg_package *packages;
    struct snap_about *abouts; /* of each package */
    size_t count, mounted, missing; /* missing: active, but not mounted */
    bool (*tell)(const struct reading *r, size_t i);
};

static void complain(const struct reading *r, const char *file, const char *what)
{
    complain_to(r->sink, file, 0, what, false);
}

struct source {
    int fd;
    size_t size;
};

static size_t give(void *buffer, size_t size, void *context)
{
    struct source *source = context;
    ssize_t n = source->size < STATE_MAX ? read(source->fd, buffer, size) : -1;
    source->size += n > 0 ? (size_t)n : 0;
    return n < 0 ? (size_t)-1 : (size_t)n;
}

static enum pkg_status load_state(struct reading *r)
{
    struct source source = {.fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    json_error_t error;
    if (source.fd < 0)
        return PKG_UNREADABLE;
    r->state = json_load_callback(give, &source, 0, &error);
    close(source.fd);
    if (source.size >= STATE_MAX)
        complain(r, r->path, "too large");
    return json_is_object(json_object_get(r->state, "data")) ? PKG_OK : PKG_DAMAGED;
}

/* A name or revision can be a path's component. */
static bool is_component(const char *text)
{
    return is_word(bytes_of(text)) && !strchr(text, '/') && text[0] != '.' && strlen(text) < 256;
}

static const char *word_of(const json_t *value)
{
    const char *text = json_string_value(value);
    return text && is_component(text) ? text : NULL;
}

/* The snap that a task is about is described by itself or by another one. */
static const json_t *setup_of(const json_t *tasks, const json_t *task)
{
    const json_t *data = json_object_get(task, "data"), *setup = json_object_get(data, "snap-setup");
    const char *other = json_string_value(json_object_get(data, "snap-setup-task"));
    if (!setup && other)
        setup = json_object_get(json_object_get(json_object_get(tasks, other), "data"), "snap-setup");
    return setup;
}

/* Notes beside each snap ("linked") when its current revision became that. */
static void note_tasks(struct reading *r, json_t *snaps)
{
    json_t *tasks = json_object_get(r->state, "tasks"), *task;
    const char *id;
    json_object_foreach (tasks, id, task) {
        const char *kind = json_string_value(json_object_get(task, "kind"));
        const char *ready = json_string_value(json_object_get(task, "ready-time"));
        const json_t *setup = setup_of(tasks, task), *side = json_object_get(setup, "side-info");
        const char *name = word_of(json_object_get(side, "name")), *key = word_of(json_object_get(setup, "instance-key"));
        const char *revision = word_of(json_object_get(side, "revision"));
        char what[1024];
        int64_t t;
        if (!kind || !ready || !name || !revision || strcmp(kind, "link-snap") != 0 ||
            json_integer_value(json_object_get(task, "status")) != DONE || !time_parse_option(ready, time_now(), &t))
            continue;
        snprintf(what, sizeof what, "%s%s%s", name, key ? "_" : "", key ? key : "");
        json_t *snap = json_object_get(snaps, what), *known = json_object_get(snap, LINKED);
        const char *current = json_string_value(json_object_get(snap, "current"));
        if (current && strcmp(current, revision) == 0 && (!known || json_integer_value(known) < t))
            json_object_set_new(snap, LINKED, json_integer(t));
    }
}

static bool read_metadata(struct reading *r, const char *name, const char *revision, struct pkg_package *p, struct snap_about *about)
{
    char file[1024], path[PATH_MAX];
    struct lines lines;
    bool found = false;
    for (size_t i = 0; i < ARRAY_LENGTH(mounts) && !found; i++) {
        snprintf(file, sizeof file, "%s/%s/%s/meta/snap.yaml", mounts[i], name, revision);
        found = path_below(path, r->root, file) && lines_open(&lines, path) == PKG_OK;
    }
    if (!found)
        return false;
    snap_yaml_read(&lines, &r->arena, p, about);
    lines_close(&lines);
    return true;
}

/* Takes one snap; false: no memory. */
static bool take_snap(struct reading *r, const char *name, const json_t *snap)
{
    const char *revision = word_of(json_object_get(snap, "current"));
    struct pkg_package p = {.state = PKG_STATE_INSTALLED, .installed_at = TIME_UNKNOWN};
    char text[1024];
    if (json_array_size(json_object_get(snap, "sequence")) == 0 || !revision || strcmp(revision, "unset") == 0)
        return true; /* known, but nothing of it is installed */
    if (!is_component(name)) {
        complain(r, r->path, "a snap whose name is none: skipped");
        return true;
    }
    bool known = read_metadata(r, name, revision, &p, &r->abouts[r->count]);
    r->mounted += known;
    r->missing += !known && json_is_true(json_object_get(snap, "active"));
    const json_t *linked = json_object_get(snap, LINKED);
    if (linked)
        p.installed_at = json_integer_value(linked);
    bool versioned = is_word(p.version) && p.version.n < 256;
    snprintf(text, sizeof text, "%.*s%sr%s", versioned ? (int)p.version.n : 0, (const char *)p.version.p,
             versioned ? "+" : "", revision);
    p.name = p.source_name = arena_copy(&r->arena, bytes_of(name));
    p.version = p.source_version = arena_copy(&r->arena, bytes_of(text));
    if (!known)
        p.arch = BYTES("unknown");
    r->packages[r->count++] = p;
    return !r->arena.exhausted;
}

static enum pkg_status read_snaps(struct reading *r)
{
    json_t *snaps = json_object_get(json_object_get(r->state, "data"), "snaps"), *snap;
    const char *name;
    r->packages = arena_zalloc(&r->arena, json_object_size(snaps) + 1, sizeof *r->packages);
    r->abouts = arena_zalloc(&r->arena, json_object_size(snaps) + 1, sizeof *r->abouts);
    if (!r->packages || !r->abouts)
        return PKG_NO_MEMORY;
    note_tasks(r, snaps);
    json_object_foreach (snaps, name, snap)
        if (!take_snap(r, name, snap))
            return PKG_NO_MEMORY;
    /* Some are mounted, or should be: the machine is starting, and versions that are not known yet are not other ones. */
    if (r->missing && (r->mounted || strcmp(r->root, "/") == 0)) {
        complain(r, r->path, "not every active snap is mounted");
        return PKG_UNREADABLE;
    }
    for (size_t i = 0; i < r->count; i++)
        if (!r->tell(r, i))
            return PKG_STOPPED;
    return PKG_OK;
}

static bool tell_package(const struct reading *r, size_t i)
{
    return r->sink->package(r->sink->context, &r->packages[i]);
}

/* A snap needs the one that it is built upon; snapd itself, which carries all of them, stands in no metadata. */
static bool tell_description(const struct reading *r, size_t i)
{
    const struct pkg_package *p = &r->packages[i];
    const struct snap_about *about = &r->abouts[i];
    const struct pkg_relation gives = {.name = p->name, .version = p->version, .compare = PKG_EQUAL}, needs = {.name = about->base};
    struct wr licence = wr_of((size_t)64 << 10);
    if (!licence_put(&licence, about->licence))
        wr_reset(&licence);
    const struct pkg_description d = {
        .name = p->name,
        .version = p->version,
        .arch = p->arch,
        .summary = about->summary,
        .homepage = about->website,
        .licence = wr_view(&licence),
        .needs = &needs,
        .need_count = is_word(about->base),
        .gives = &gives,
        .give_count = 1,
    };
    bool go_on = r->sink->description(r->sink->context, &d);
    wr_free(&licence);
    return go_on;
}

static enum pkg_status read_all(const char *root, const struct pkg_sink *sink, bool (*tell)(const struct reading *r, size_t i))
{
    struct reading r = {.sink = sink, .tell = tell, .root = root, .arena = arena_of((size_t)16 << 20)};
    if (!path_below(r.path, root, STATE))
        return PKG_UNREADABLE;
    if (access(r.path, F_OK) != 0)
        return missing_in(root, FOLDER);
    enum pkg_status status = load_state(&r);
    if (status == PKG_OK)
        status = read_snaps(&r);
    json_decref(r.state);
    arena_free(&r.arena);
    return status;
}

static enum pkg_status snap_installed(const char *root, const struct pkg_sink *sink)
{
    return read_all(root, sink, tell_package);
}

static enum pkg_status snap_describe(const char *root, const struct pkg_sink *sink)
{
    return read_all(root, sink, tell_description);
}

/* The link "current" is made when a revision becomes the current one. */
static int64_t snap_unpacked(const char *root, struct bytes name, struct bytes arch)
{
    char file[1024], path[PATH_MAX];
    struct stat st;
    (void)arch;
    for (size_t i = 0; i < ARRAY_LENGTH(mounts) && name.n < 256; i++) {
        snprintf(file, sizeof file, "%s/%.*s/current", mounts[i], (int)name.n, (const char *)name.p);
        if (path_below(path, root, file) && lstat(path, &st) == 0)
            return (int64_t)st.st_mtim.tv_sec;
    }
    return TIME_UNKNOWN;
}

static uint64_t snap_stamp(const char *root)
{
    return digest_add_below(DIGEST_START, root, STATE);
}

const struct pkg_manager pkg_snap = {
    .name = "snap",
    .doc = "snapd's state; versions are VERSION+rREVISION from mounted snaps, rREVISION without; ordered by revision",
    .source = PKG_SOURCE_SNAP,
    .present = snap_present,
    .installed = snap_installed,
    .stamp = snap_stamp,
    .unpacked = snap_unpacked,
    .describe = snap_describe,
    .order = &snap_order,
    .watch = (const char *const[]){FOLDER, NULL},
};
