#include "pkg/internal.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A package's folders and files stand in its stanza of apk's database: "F:" a folder, "R:" a file in it, "a:" its owner and mode where they are
 * not 0:0:644, "Z:" its hash. apk marks no file as configuration; it protects paths, apk-protected_paths(5): what it would not overwrite once
 * changed is what is meant to be changed. */

#define PROTECTED_D "/etc/apk/protected_paths.d"
/* What it protects by itself. */
static const char builtin_rules[] = "+etc\n@etc/init.d\n!etc/apk\n";

struct kept {
    struct wr database, rules;
    char path[PATH_MAX];
    enum pkg_status status;
    struct path_facts stanzas; /* name to stanza */
};

static void release(void *kept)
{
    struct kept *k = kept;
    wr_free(&k->database);
    wr_free(&k->rules);
    path_facts_free(&k->stanzas);
    free(k);
}

/* ---- which paths are protected ----------------------------------------------------------------------------------------- */

/* A rule is a sign and a glob of as many components as it has; what is below such a path is meant, too. */
static bool rule_matches(struct bytes glob, struct bytes path)
{
    char pattern[PATH_MAX], text[PATH_MAX];
    while (glob.n && glob.p[0] == '/')
        glob = (struct bytes){glob.p + 1, glob.n - 1};
    while (glob.n && glob.p[glob.n - 1] == '/')
        glob.n--;
    if (glob.n == 0 || glob.n >= sizeof pattern || path.n >= sizeof text)
        return false;
    size_t slashes = 0, n = 0;
    for (size_t i = 0; i < glob.n; i++)
        slashes += glob.p[i] == '/';
    while (n < path.n && (path.p[n] != '/' || slashes--))
        n++;
    snprintf(pattern, sizeof pattern, "%.*s", (int)glob.n, (const char *)glob.p);
    snprintf(text, sizeof text, "%.*s", (int)n, (const char *)path.p);
    return fnmatch(pattern, text, FNM_PATHNAME) == 0;
}

/* path: without the slash in front. The last rule that matches counts. */
static bool is_protected(struct bytes rules, struct bytes path)
{
    bool protected = false;
    while (rules.n) {
        struct bytes rule = bytes_trim(bytes_split(&rules, '\n'));
        if (rule.n < 2 || rule.p[0] == '#')
            continue;
        bool signed_rule = memchr("+-@!", rule.p[0], 4) != NULL;
        struct bytes glob = {rule.p + signed_rule, rule.n - signed_rule};
        if (rule_matches(glob, path)) /* @ protects links alone, which have no content */
            protected = rule.p[0] != '-' && rule.p[0] != '@';
    }
    return protected;
}

bool apk_protects(struct bytes path)
{
    return is_protected(bytes_of(builtin_rules), path);
}

static int is_list(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return e->d_name[0] != '.' && n > 5 && strcmp(e->d_name + n - 5, ".list") == 0;
}

static void read_rules(const char *root, struct wr *rules)
{
    char base[PATH_MAX], path[PATH_MAX];
    struct dirent **entries;
    wr_str(rules, builtin_rules);
    int n = path_below(base, root, PROTECTED_D) ? scandir(base, &entries, is_list, alphasort) : -1;
    for (int i = 0; i < n; i++) {
        if (snprintf(path, sizeof path, "%s/%s", base, entries[i]->d_name) < PATH_MAX && file_read(path, rules) == PKG_OK)
            wr_str(rules, "\n");
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

/* ---- a stanza's files ---------------------------------------------------------------------------------------------------- */

/* The digest behind "Q1" (SHA-1) or "Q2" (SHA-256), in base64. */
static struct bytes digest_of_base64(struct bytes text, uint8_t out[64])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = 0, want = text.n > 2 && text.p[0] == 'Q' ? text.p[1] == '1' ? 20 : text.p[1] == '2' ? 32 : 0 : 0;
    uint32_t bits = 0;
    int have = 0;
    for (size_t i = 2; want && i < text.n && text.p[i] != '='; i++) {
        const char *at = text.p[i] ? strchr(alphabet, text.p[i]) : NULL;
        if (!at || n >= want)
            return (struct bytes){0};
        bits = bits << 6 | (uint32_t)(at - alphabet);
        if ((have += 6) >= 8) {
            have -= 8;
            out[n++] = (uint8_t)(bits >> have);
        }
    }
    return want && n == want ? (struct bytes){out, n} : (struct bytes){0};
}

struct entry {
    const struct pkg_sink *sink;
    struct bytes rules, folder, name, mode, hash; /* name.p NULL: none waits */
};

/* Links have mode 777 and nothing else that tells them: such a file may be either. */
static enum pkg_file_kind kind_of(struct bytes mode)
{
    bytes_split(&mode, ':');
    bytes_split(&mode, ':');
    return bytes_equal(mode, BYTES("777")) ? PKG_FILE_UNKNOWN : PKG_FILE_REGULAR;
}

/* Hands out FOLDER, or FOLDER/NAME. */
static enum pkg_status tell(const struct entry *e, struct bytes name)
{
    uint8_t path[PATH_MAX], digest[64];
    size_t n = 0;
    const struct bytes parts[] = {e->folder, name};
    for (size_t i = 0; i < 2; i++) {
        if (parts[i].n == 0)
            continue;
        if (n + 1 + parts[i].n >= sizeof path)
            return PKG_DAMAGED;
        path[n++] = '/';
        memcpy(path + n, parts[i].p, parts[i].n);
        n += parts[i].n;
    }
    struct pkg_file f = {.path = {path, n}, .real_path = {path, n}, .kind = PKG_FILE_DIRECTORY};
    if (n == 0)
        return PKG_OK; /* the root itself */
    if (!path_is_good(f.path))
        return PKG_DAMAGED;
    if (name.p) {
        f.kind = kind_of(e->mode);
        f.config = is_protected(e->rules, (struct bytes){path + 1, n - 1});
        f.digest = digest_of_base64(e->hash, digest);
        f.hash = hash_of_size(f.digest.n);
    }
    return e->sink->file(e->sink->context, &f) ? PKG_OK : PKG_STOPPED;
}

enum pkg_status apk_stanza_tell(struct bytes stanza, struct bytes rules, const char *file, const struct pkg_sink *sink)
{
    struct entry e = {.sink = sink, .rules = rules};
    enum pkg_status status = PKG_OK;
    bool more = true;
    while (more && status != PKG_STOPPED) {
        more = stanza.n > 0;
        struct bytes line = bytes_split(&stanza, '\n');
        char letter = line.n >= 2 && line.p[1] == ':' ? (char)line.p[0] : 0;
        struct bytes value = letter ? (struct bytes){line.p + 2, line.n - 2} : (struct bytes){0};
        enum pkg_status one = PKG_OK;
        if (e.name.p && (!more || letter == 'F' || letter == 'R')) {
            one = tell(&e, e.name);
            e.name = e.mode = e.hash = (struct bytes){0};
        }
        if (letter == 'F' && one != PKG_STOPPED) {
            e.folder = value;
            enum pkg_status folder = tell(&e, (struct bytes){0});
            one = folder == PKG_OK ? one : folder;
        } else if (letter == 'R')
            e.name = value;
        else if (letter == 'a')
            e.mode = value;
        else if (letter == 'Z')
            e.hash = value;
        if (one == PKG_DAMAGED)
            complain_to(sink, file, 0, "a file without a good path: passed over", false);
        if (one != PKG_OK)
            status = one;
    }
    return status;
}

/* ---- the question --------------------------------------------------------------------------------------------------------- */

static void index_stanzas(struct kept *k)
{
    struct bytes rest = wr_view(&k->database), name = {0};
    const uint8_t *start = rest.p;
    while (rest.n) {
        struct bytes line = bytes_split(&rest, '\n');
        if (line.n > 2 && line.p[0] == 'P' && line.p[1] == ':' && !name.n)
            name = (struct bytes){line.p + 2, line.n - 2};
        if (line.n && rest.n)
            continue;
        if (name.n)
            path_facts_add(&k->stanzas, name, (struct bytes){start, (size_t)(line.p + line.n - start)});
        name = (struct bytes){0};
        start = rest.p;
    }
    path_facts_sort(&k->stanzas);
}

static struct kept *keep(struct pkg_files *f, const struct pkg_sink *sink)
{
    if (f->kept)
        return f->kept;
    struct kept *k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    *k = (struct kept){wr_of(FILE_LIST_MAX), wr_of((size_t)1 << 20), .status = PKG_ABSENT};
    const char *place = apk_find_place(f->root);
    if (place && path_below(k->path, f->root, place))
        k->status = file_read(k->path, &k->database);
    if (k->status == PKG_UNREADABLE || k->status == PKG_DAMAGED)
        complain_to(sink, k->path, 0, "cannot be read", true);
    read_rules(f->root, &k->rules);
    index_stanzas(k);
    f->kept = k;
    f->release = release;
    return k;
}

enum pkg_status apk_files(struct pkg_files *f, struct bytes name, struct bytes arch, struct bytes version, const struct pkg_sink *sink)
{
    (void)arch, (void)version; /* apk has one package of a name */
    struct kept *k = keep(f, sink);
    const struct bytes *stanza = k ? path_facts_find(&k->stanzas, name) : NULL;
    if (!k)
        return PKG_NO_MEMORY;
    if (!stanza)
        return k->status == PKG_OK ? PKG_ABSENT : k->status;
    return apk_stanza_tell(*stanza, wr_view(&k->rules), k->path, sink);
}
