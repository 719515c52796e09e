/* muster package show: what a package file is, before anybody installs it. */
#include "cli/package.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "swid/swid.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    enum measure_hash hash;
} hashes[] = {{"sha256", MEASURE_SHA256}, {"sha384", MEASURE_SHA384}, {"sha512", MEASURE_SHA512}};
static const struct {
    const char *name;
    char letter;
} kinds[] = {[PKG_FILE_UNKNOWN] = {"unknown", '?'},
             [PKG_FILE_REGULAR] = {"file", '-'},
             [PKG_FILE_DIRECTORY] = {"directory", 'd'},
             [PKG_FILE_LINK] = {"link", 'l'},
             [PKG_FILE_SPECIAL] = {"special", 's'}};

struct showing {
    struct cli *cli;
    const struct package_contents *c;
    struct wr software_id;
};

/* Text of others as one word of one line: control characters (C1 in UTF-8, too), the backslash and what is no UTF-8 as \xHH. */
static void put_word(struct wr *w, struct bytes text)
{
    bool valid = utf8_valid(text);
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        bool control = c < 0x20 || c == 0x7f || (c == 0xc2 && valid && text.p[i + 1] < 0xa0) || (i && text.p[i - 1] == 0xc2 && c < 0xa0);
        if (control || c == '\\' || (c >= 0x80 && !valid))
            wr_fmt(w, "\\x%02x", c);
        else
            wr_u8(w, c);
    }
}

static void put_hex(struct wr *w, struct bytes octets)
{
    for (size_t i = 0; i < octets.n; i++)
        wr_fmt(w, "%02x", octets.p[i]);
}

/* ---- one file ---------------------------------------------------------------------------------------------------------------- */

/* A text that may hold any octets: as text, and where that cannot be UTF-8 its octets beside it. */
static void json_octets(struct json *j, const char *key, const char *octets_key, struct bytes value)
{
    json_text(j, key, value);
    if (!utf8_valid(value))
        json_hex(j, octets_key, value);
}

static void show_json(struct json *j, const struct package_contents *c, const struct package_entry *e)
{
    char mode[8];
    snprintf(mode, sizeof mode, "%04o", (unsigned)e->mode);
    json_object_begin(j, NULL);
    json_octets(j, "path", "path_octets", e->path);
    json_str(j, "type", kinds[e->kind].name);
    json_str(j, "mode", mode);
    json_bool(j, "config", e->config);
    json_bool(j, "optional", e->optional);
    if (e->kind == PKG_FILE_REGULAR)
        json_number(j, "size", e->size <= INT64_MAX ? (int64_t)e->size : INT64_MAX);
    if (e->kind == PKG_FILE_LINK)
        json_octets(j, "link", "link_octets", e->link);
    if (e->same_as.n)
        json_octets(j, "same_as", "same_as_octets", e->same_as);
    for (size_t i = 0; i < ARRAY_LENGTH(hashes); i++) {
        struct bytes digest = package_entry_digest(c, e, hashes[i].hash);
        if (digest.n)
            json_hex(j, hashes[i].name, digest);
    }
    if (e->said.n) {
        json_object_begin(j, "said");
        json_hex(j, pkg_hash_name(e->said_hash), e->said);
        json_object_end(j);
        if (e->differs)
            json_bool(j, "differs", true);
    }
    if (e->unlisted)
        json_bool(j, "unlisted", true);
    if (e->absent)
        json_bool(j, "absent", true);
    json_object_end(j);
}

/* Type and mode, flags, size, the first hash, path, and where a link leads. */
static void show_plain(struct wr *w, const struct package_contents *c, const struct package_entry *e)
{
    wr_fmt(w, "%s\t%04o\t%s%s%s%s%s\t", kinds[e->kind].name, (unsigned)e->mode, e->config ? "c" : "", e->optional ? "o" : "", e->differs ? "d" : "",
           e->unlisted ? "u" : "", e->absent ? "a" : "");
    if (e->kind == PKG_FILE_REGULAR)
        wr_fmt(w, "%llu", (unsigned long long)e->size);
    wr_str(w, "\t");
    for (size_t i = 0, put = 0; i < ARRAY_LENGTH(hashes); i++) {
        struct bytes digest = package_entry_digest(c, e, hashes[i].hash);
        wr_str(w, digest.n && put ? "," : "");
        put_hex(w, digest);
        put += digest.n > 0;
    }
    wr_str(w, "\t");
    put_word(w, e->path);
    wr_str(w, "\t");
    put_word(w, e->kind == PKG_FILE_LINK ? e->link : e->same_as);
    wr_str(w, "\n");
}

static void show_text(struct wr *w, const struct package_contents *c, const struct package_entry *e)
{
    char size[24] = "";
    if (e->kind == PKG_FILE_REGULAR)
        snprintf(size, sizeof size, "%llu", (unsigned long long)e->size);
    wr_fmt(w, "%c%04o %12s  ", kinds[e->kind].letter, (unsigned)e->mode, size);
    put_word(w, e->path);
    if (e->kind == PKG_FILE_LINK || e->same_as.n)
        wr_str(w, e->same_as.n ? " = " : " -> ");
    put_word(w, e->kind == PKG_FILE_LINK ? e->link : e->same_as);
    wr_fmt(w, "%s%s%s\n", e->config ? " (configuration)" : "", e->optional ? " (may be missing)" : "",
           e->differs    ? " (NOT WHAT THE PACKAGE SAYS)"
           : e->unlisted ? " (NOT IN THE PACKAGE'S LIST)"
           : e->absent   ? " (IN THE PACKAGE'S LIST ALONE)"
                         : "");
    for (size_t i = 0; i < ARRAY_LENGTH(hashes); i++) {
        struct bytes digest = package_entry_digest(c, e, hashes[i].hash);
        if (digest.n) {
            wr_fmt(w, "%20s%s ", "", hashes[i].name);
            put_hex(w, digest);
            wr_str(w, "\n");
        }
    }
}

/* ---- the package -------------------------------------------------------------------------------------------------------------- */

static void json_maybe(struct json *j, const char *key, struct bytes value)
{
    if (value.n)
        json_text(j, key, value);
    else
        json_none(j, key);
}

static void show_all_json(struct showing *s)
{
    const struct package_contents *c = s->c;
    struct json j = cli_json_begin(s->cli, "package");
    json_str(&j, "manager", c->manager->name);
    json_text(&j, "software_id", wr_view(&s->software_id));
    json_text(&j, "name", c->package.name);
    json_text(&j, "version", c->package.version);
    json_text(&j, "arch", c->package.arch);
    json_text(&j, "source_package", c->package.source_name);
    json_text(&j, "source_version", c->package.source_version);
    json_maybe(&j, "summary", c->summary);
    json_maybe(&j, "licence", c->licence);
    json_maybe(&j, "homepage", c->homepage);
    json_number(&j, "differing", (int64_t)c->differing);
    json_number(&j, "unlisted", (int64_t)c->unlisted);
    json_number(&j, "absent", (int64_t)c->absent);
    json_array_begin(&j, "files");
    for (size_t i = 0; i < c->count && (i % 256 || cli_flush(s->cli)); i++)
        show_json(&j, c, &c->entries[i]);
    json_array_end(&j);
    json_object_end(&j);
    wr_str(cli_out(s->cli), "\n");
}

static void show_all_text(struct showing *s)
{
    const struct package_contents *c = s->c;
    const struct {
        const char *name;
        struct bytes value;
    } lines[] = {{"package", c->package.name},
                 {"version", c->package.version},
                 {"architecture", c->package.arch},
                 {"manager", bytes_of(c->manager->name)},
                 {"source", c->package.source_name},
                 {"source version", c->package.source_version},
                 {"summary", c->summary},
                 {"licence", c->licence},
                 {"homepage", c->homepage},
                 {"identifier", wr_view(&s->software_id)}};
    struct wr *w = cli_out(s->cli);
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
        if (lines[i].value.n) {
            wr_fmt(w, "%-15s ", lines[i].name);
            put_word(w, lines[i].value);
            wr_str(w, "\n");
        }
    for (size_t i = 0; i < c->count && (i % 256 || cli_flush(s->cli)); i++)
        show_text(w, c, &c->entries[i]);
}

static void show_all_plain(struct showing *s)
{
    for (size_t i = 0; i < s->c->count && (i % 256 || cli_flush(s->cli)); i++)
        show_plain(cli_out(s->cli), s->c, &s->c->entries[i]);
}

/* The identifier that the package would have on this machine (or --root). */
static void identify(struct showing *s)
{
    struct pkg_platform platform;
    struct wr version = wr_of(0);
    const struct pkg_package *p = &s->c->package;
    pkg_platform_read(cli_root(s->cli), &platform);
    const struct swid_product product = {
        .os_name = bytes_of(platform.name), .os_version = bytes_of(platform.version), .machine = bytes_of(platform.machine)};
    pkg_tag_version(s->c->manager, &version, p->version, p->arch);
    swid_software_id(&s->software_id, &swid_default_creator, &product, p->name, wr_view(&version));
    wr_free(&version);
}

/* ---- the command --------------------------------------------------------------------------------------------------------------- */

static bool read_hashes(const struct cli *cli, unsigned *wanted)
{
    const char *given = cli_value(cli, "hash");
    struct bytes rest = bytes_of(given ? given : "sha256");
    *wanted = 0;
    while (rest.p && rest.n) {
        struct bytes word = bytes_trim(bytes_split(&rest, ','));
        unsigned hash = 0;
        for (size_t i = 0; i < ARRAY_LENGTH(hashes); i++)
            if (bytes_equal(word, bytes_of(hashes[i].name)))
                hash = hashes[i].hash;
        if (!hash) {
            cli_usage(cli, "--hash takes any of sha256,sha384,sha512, not \"%.*s\"", (int)word.n, (const char *)word.p);
            return false;
        }
        *wanted |= hash;
    }
    return true;
}

int package_exit(enum pkg_status status, const char *path)
{
    return status == PKG_ABSENT && strcmp(path, "-") != 0 ? EXIT_NOT_FOUND : status == PKG_NO_MEMORY ? EXIT_INTERNAL : EXIT_USAGE;
}

int package_judge(const struct cli *cli, const char *path, const struct package_contents *c)
{
    if (c->differing || c->unlisted || c->absent)
        return cli_fail(cli, EXIT_NO, "%s: it is not what it says of its files: %zu of them differ, %zu are not in its list, %zu are in its list alone", path,
                        c->differing, c->unlisted, c->absent);
    if (c->unproven)
        return cli_fail(cli, EXIT_UNKNOWN, "%s: what it says of %zu of its files is in a hash that OpenSSL does not compute here", path, c->unproven);
    return EXIT_DONE;
}

static int run(struct cli *cli)
{
    const char *path = cli_argument(cli, 0);
    struct package_contents contents;
    struct error error = {""};
    unsigned wanted;
    if (!read_hashes(cli, &wanted))
        return EXIT_USAGE;
    enum pkg_status status = package_contents_read(&contents, path, wanted, &error);
    if (status != PKG_OK)
        return cli_fail(cli, package_exit(status, path), "%s: %s", path, error.text);
    struct showing s = {.cli = cli, .c = &contents, .software_id = wr_of(0)};
    identify(&s);
    (cli_json(cli) ? show_all_json : cli_plain(cli) ? show_all_plain : show_all_text)(&s);
    int code = package_judge(cli, path, &contents);
    wr_free(&s.software_id);
    package_contents_free(&contents);
    return code;
}

static const struct cli_option options[] = {
    {"hash", "LIST", "hashes of files: any of sha256,sha384,sha512 (default: sha256)"},
    {NULL, NULL, NULL},
};


const struct cli_command cli_package_show = {
    CLI_PACKAGE_SHOW,
    .min_arguments = 1,
    .max_arguments = 1,
    .plain = "type, mode, flags (c: configuration, o: may be missing; of what the package says of itself d: differs, u: not in its list, a: in its list alone), size, hashes, path, where a link leads; control characters as \\xHH",
    .options = options,
    .run = run,
};
