/* Files of a tag: grouped into Directory elements as they stream in, and read back with their whole paths. */
#include "swid/model.h"

#include <string.h>

enum { OPEN_MAX = SWID_DEPTH_MAX - 4 }; /* directories within one another; deeper ones stand with their root */

/* ---- paths ------------------------------------------------------------------------------------------------------- */

/* The next component, without slashes; p NULL: there is none. */
static struct bytes component(struct bytes *path)
{
    while (path->n && path->p[0] == '/')
        *path = (struct bytes){path->p + 1, path->n - 1};
    return path->n ? bytes_split(path, '/') : (struct bytes){NULL, 0};
}

/* The directory that holds it, without the slash; p NULL: the path has none. *name: the rest. */
static struct bytes directory_of(struct bytes path, struct bytes *name)
{
    size_t slash = path.n;
    while (slash > 0 && path.p[slash - 1] != '/')
        slash--;
    *name = (struct bytes){path.p + slash, path.n - slash};
    return slash ? (struct bytes){path.p, slash - 1} : (struct bytes){NULL, 0};
}

/* Octet by octet with the slash before all others, which is component by component; slashes count once. Whole machines are sorted with it. */
static int compare_components(struct bytes a, struct bytes b)
{
    size_t i = 0, k = 0;
    for (; i < a.n && k < b.n; i++, k++) {
        while (a.p[i] == '/' && i + 1 < a.n && a.p[i + 1] == '/')
            i++;
        while (b.p[k] == '/' && k + 1 < b.n && b.p[k + 1] == '/')
            k++;
        if (a.p[i] != b.p[k])
            return a.p[i] == '/' ? -1 : b.p[k] == '/' ? 1 : a.p[i] < b.p[k] ? -1 : 1;
    }
    return (i < a.n) - (k < b.n);
}

static size_t same_octets(struct bytes a, struct bytes b)
{
    size_t n = a.n < b.n ? a.n : b.n, i = 0;
    while (i + 8 <= n && memcmp(a.p + i, b.p + i, 8) == 0)
        i += 8;
    while (i < n && a.p[i] == b.p[i])
        i++;
    return i;
}

static bool has_slash(struct bytes b)
{
    return b.n && memchr(b.p, '/', b.n);
}

/* How many octets of the folders that both lie in need not be compared again, of the `same` first ones; 0 unless both lie
 * deeper than in /. */
static size_t shared_folders(struct bytes a, struct bytes b, size_t same)
{
    const uint8_t *slash = same ? memrchr(a.p, '/', same) : NULL;
    size_t n = slash ? (size_t)(slash - a.p) + 1 : 0;
    bool doubled = (n < a.n && a.p[n] == '/') || (n < b.n && b.p[n] == '/');
    return n > 1 && !doubled ? n : 0;
}

int swid_path_compare(struct bytes a, struct bytes b, bool hierarchic)
{
    size_t same = same_octets(a, b), shared = shared_folders(a, b, same);
    if (shared && !has_slash(bytes_from(a, same)) && !has_slash(bytes_from(b, same))) /* in one folder, as most are */
        return same < a.n && same < b.n ? (a.p[same] < b.p[same] ? -1 : 1) : (a.n > b.n) - (a.n < b.n);
    if (shared) {
        a = bytes_from(a, shared);
        b = bytes_from(b, shared);
        if (hierarchic)
            return compare_components(a, b);
    }
    struct bytes name_a, name_b, in_a = directory_of(a, &name_a), in_b = directory_of(b, &name_b);
    int order = hierarchic && in_a.n && in_b.n ? compare_components(a, b) : compare_components(in_a, in_b);
    return order ? order : bytes_compare(name_a, name_b);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* Root and name of an element for a path: "/usr/share" is "share" in "/usr", "/usr" is "usr" in "/". */
static void put_place(struct swid_node *node, struct bytes path)
{
    struct bytes root = directory_of(path, &node->value[SWID_NAME]);
    if (root.p)
        node->value[SWID_ROOT] = root.n ? root : BYTES("/");
}

void swid_files_begin(struct swid_files *f, struct swid_sink *to, bool hierarchic, const struct swid_node *collection)
{
    static const struct {
        enum swid_attribute attribute;
        const char *value;
    } defaults[] = {{SWID_PATH_SEPARATOR, "/"}, {SWID_ENV_PREFIX, "$"}, {SWID_ENV_SUFFIX, ""}};
    struct swid_node node = *collection;
    for (size_t i = 0; i < ARRAY_LENGTH(defaults); i++)
        if (!node.value[defaults[i].attribute].p)
            node.value[defaults[i].attribute] = bytes_of(defaults[i].value);
    *f = (struct swid_files){.to = to, .hierarchic = hierarchic, .collection = node.element, .directory = wr_of(0)};
    to->open(to, &node);
}

static void close_directories(struct swid_files *f, unsigned down_to)
{
    for (; f->open > down_to; f->open--)
        f->to->close(f->to, SWID_DIRECTORY);
}

static void open_directory(struct swid_files *f, const struct swid_node *node)
{
    f->to->open(f->to, node);
    f->open++;
}

static void open_flat(struct swid_files *f, struct bytes directory)
{
    struct swid_node node = {.element = SWID_DIRECTORY};
    close_directories(f, 0);
    if (!directory.n) /* files in / or without a directory stand for themselves */
        return;
    put_place(&node, directory);
    open_directory(f, &node);
}

static unsigned count_components(struct bytes path)
{
    unsigned n = 0;
    while (component(&path).p)
        n++;
    return n;
}

/* Closes what the new directory is not below of, opens what is missing. */
static void open_nested(struct swid_files *f, struct bytes directory)
{
    struct bytes old = wr_view(&f->directory), rest = directory;
    bool absolute = directory.n && directory.p[0] == '/', was_absolute = old.n && old.p[0] == '/';
    unsigned common = 0;
    for (struct bytes was = component(&old), is = component(&rest);
         absolute == was_absolute && common < f->open && is.p && bytes_equal(was, is);
         was = component(&old), is = component(&rest))
        common++;
    close_directories(f, common);
    rest = directory;
    for (unsigned i = 0; i < common; i++)
        component(&rest);
    for (struct bytes name = component(&rest); name.p; name = component(&rest)) {
        struct swid_node node = {.element = SWID_DIRECTORY};
        node.value[SWID_NAME] = name;
        if (f->open == 0 && absolute)
            node.value[SWID_ROOT] = BYTES("/");
        open_directory(f, &node);
    }
}

/* A flat element takes one level, a nested one as many as it has components: what is open tells which of them stands.
 */
static void change_directory(struct swid_files *f, struct bytes directory)
{
    bool was_nested = f->open == count_components(wr_view(&f->directory));
    if (!f->hierarchic || count_components(directory) > OPEN_MAX) {
        open_flat(f, directory);
    } else {
        if (!was_nested)
            close_directories(f, 0);
        open_nested(f, directory);
    }
    wr_reset(&f->directory);
    wr_bytes(&f->directory, directory);
}

static void leave_directories(struct swid_files *f)
{
    close_directories(f, 0);
    wr_reset(&f->directory);
}

void swid_files_put_folder(struct swid_files *f, struct bytes path)
{
    struct swid_node node = {.element = SWID_DIRECTORY};
    leave_directories(f);
    put_place(&node, path);
    if (node.value[SWID_NAME].n)
        swid_leaf(f->to, &node);
}

/* Of each file of a machine: printf() would cost as much as all else that is written of it. */
static void put_number(struct wr *w, uint64_t value)
{
    char digits[20], *first = digits + sizeof digits;
    do
        *--first = (char)('0' + value % 10);
    while (value /= 10);
    wr_bytes(w, (struct bytes){(const uint8_t *)first, (size_t)(digits + sizeof digits - first)});
}

static void put_digest(struct wr *w, struct swid_node *node, enum swid_attribute attribute, struct bytes digest,
                       size_t *from)
{
    *from = w->n;
    swid_put_hex(w, digest);
    if (digest.n)
        node->value[attribute] = BYTES(""); /* its place is known when all are written */
}

void swid_files_put(struct swid_files *f, const struct swid_file *file)
{
    static const enum swid_attribute hashes[] = {SWID_SHA256, SWID_SHA384, SWID_SHA512};
    const struct bytes digests[] = {file->sha256, file->sha384, file->sha512};
    struct swid_node node = file->more ? *file->more : (struct swid_node){.element = SWID_FILE};
    struct bytes name, directory = directory_of(file->path, &name);
    size_t from[4];
    struct wr text = wr_of(0);
    if (f->alone)
        leave_directories(f);
    else if (!bytes_equal(directory, wr_view(&f->directory)))
        change_directory(f, directory);
    node.value[SWID_NAME] = name;
    node.value[SWID_ROOT] = (struct bytes){0};
    if (directory.p && (f->alone || !directory.n))
        node.value[SWID_ROOT] = directory.n ? directory : BYTES("/");
    if (file->mutable)
        node.value[SWID_MUTABLE] = BYTES("true");
    for (size_t i = 0; i < ARRAY_LENGTH(hashes); i++)
        put_digest(&text, &node, hashes[i], digests[i], &from[i]);
    from[3] = text.n;
    put_number(&text, file->size);
    for (size_t i = 0; i < ARRAY_LENGTH(hashes); i++)
        if (node.value[hashes[i]].p)
            node.value[hashes[i]] = (struct bytes){text.p + from[i], from[i + 1] - from[i]};
    if (file->sized)
        node.value[SWID_SIZE] = (struct bytes){text.p + from[3], text.n - from[3]};
    if (text.bad || f->directory.bad)
        f->to->failed = SWID_NO_MEMORY;
    else
        swid_leaf(f->to, &node);
    wr_free(&text);
}

void swid_files_end(struct swid_files *f)
{
    close_directories(f, 0);
    f->to->close(f->to, f->collection);
    wr_free(&f->directory);
}

/* ---- reading back ------------------------------------------------------------------------------------------------ */

static bool append(struct swid_lister *l, struct bytes path)
{
    for (struct bytes c = component(&path); c.p; c = component(&path)) {
        if (bytes_equal(c, BYTES("..")) || memchr(c.p, 0, c.n))
            return false;
        if (bytes_equal(c, BYTES(".")))
            continue;
        if (l->absolute || l->path.n)
            wr_u8(&l->path, '/');
        wr_bytes(&l->path, c);
    }
    return true;
}

/* Path of a file: the outermost root, then root and name of each element on the way; slashes collapse. */
static bool append_node(struct swid_lister *l, const struct swid_node *node)
{
    struct bytes root = node->value[SWID_ROOT], name = node->value[SWID_NAME];
    if (l->depth == 0)
        l->absolute = bytes_starts(root.n ? root : name, BYTES("/"));
    return append(l, root) && append(l, name);
}

static struct bytes digest(const struct swid_node *node, enum swid_attribute attribute, uint8_t octets[64])
{
    size_t n;
    bool good = node->value[attribute].n && swid_unhex(node->value[attribute], octets, 64, &n);
    return good ? (struct bytes){octets, n} : (struct bytes){NULL, 0};
}

static void list_file(struct swid_lister *l, const struct swid_node *node)
{
    uint8_t octets[3][64];
    struct swid_file file = {
        .path = wr_view(&l->path),
        .mutable = bytes_equal(node->value[SWID_MUTABLE], BYTES("true")),
        .alone = l->depth == 0,
        .sha256 = digest(node, SWID_SHA256, octets[0]),
        .sha384 = digest(node, SWID_SHA384, octets[1]),
        .sha512 = digest(node, SWID_SHA512, octets[2]),
    };
    file.sized = bytes_number(node->value[SWID_SIZE], &file.size);
    l->file(l->context, &file);
}

static void enter(struct swid_sink *s, const struct swid_node *node)
{
    struct swid_lister *l = (struct swid_lister *)s;
    size_t end = l->path.n;
    if (s->failed != SWID_OK || (node->element != SWID_DIRECTORY && node->element != SWID_FILE))
        return;
    if (l->depth)
        l->filled |= UINT64_C(1) << (l->depth - 1);
    if (!append_node(l, node) || l->path.bad || l->depth == SWID_DEPTH_MAX) {
        s->failed = SWID_MALFORMED;
    } else if (node->element == SWID_FILE) {
        list_file(l, node);
        l->path.n = end;
    } else {
        l->filled &= ~(UINT64_C(1) << l->depth);
        l->ends[l->depth++] = end;
    }
}

static void leave(struct swid_sink *s, enum swid_element element)
{
    struct swid_lister *l = (struct swid_lister *)s;
    if (s->failed != SWID_OK || element != SWID_DIRECTORY) /* a folder that was not entered is not left */
        return;
    if (l->folder && !(l->filled >> (l->depth - 1) & 1))
        l->folder(l->context, wr_view(&l->path));
    l->path.n = l->ends[--l->depth];
}

struct swid_lister swid_lister_of(void (*file)(void *context, const struct swid_file *file), void *context)
{
    return (struct swid_lister){
        .sink = {.open = enter, .close = leave}, .file = file, .context = context, .path = wr_of(0)};
}

void swid_lister_free(struct swid_lister *l)
{
    wr_free(&l->path);
}
