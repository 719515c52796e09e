#include "pkg/internal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

static void copy(char *to, size_t size, struct bytes from)
{
    size_t n = utf8_cut(from, size - 1);
    if (n)
        memcpy(to, from.p, n);
    to[n] = 0;
}

/* What a shell makes of a value, os-release(5): quotes join, a backslash takes the next character as it is (in double
 * quotes only before $ " \ and `). */
static void unquote(struct bytes value, char *to, size_t size)
{
    char text[512];
    size_t n = 0;
    uint8_t quote = 0;
    for (size_t i = 0; i < value.n && n < sizeof text; i++) {
        uint8_t c = value.p[i];
        bool escapes =
            c == '\\' && quote != '\'' && i + 1 < value.n && (quote == 0 || strchr("$\"\\`", value.p[i + 1]));
        if (escapes && value.p[i + 1])
            text[n++] = (char)value.p[++i];
        else if (quote ? c == quote : c == '"' || c == '\'')
            quote = quote ? 0 : c;
        else if (c >= ' ')
            text[n++] = (char)c;
    }
    copy(to, size, (struct bytes){(const uint8_t *)text, n});
}

static void read_os_release(struct lines *lines, struct pkg_platform *platform)
{
    const struct {
        struct bytes key;
        char *to;
        size_t size;
    } keys[] = {
        {BYTES("ID"), platform->id, sizeof platform->id},
        {BYTES("VERSION_ID"), platform->version, sizeof platform->version},
        {BYTES("PRETTY_NAME"), platform->pretty, sizeof platform->pretty},
        {BYTES("CPE_NAME"), platform->cpe, sizeof platform->cpe},
    };
    struct bytes line;
    bool whole;
    while (lines_next(lines, &line, &whole)) {
        struct bytes value = bytes_trim(line), key = bytes_split(&value, '=');
        for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
            if (bytes_equal(key, keys[i].key))
                unquote(value, keys[i].to, keys[i].size);
    }
}

/* What follows from what was read: names and defaults. */
static void complete(struct pkg_platform *platform)
{
    struct bytes id = bytes_of(platform->id);
    copy(platform->name, sizeof platform->name, id.n ? id : BYTES("unknown"));
    if (id.n)
        platform->name[0] = (char)toupper((unsigned char)platform->name[0]);
    else
        copy(platform->id, sizeof platform->id, BYTES("linux"));
    if (!platform->pretty[0])
        snprintf(platform->pretty, sizeof platform->pretty, "%s%s%s", platform->name, platform->version[0] ? " " : "",
                 platform->version);
}

void pkg_platform_parse(struct lines *lines, struct pkg_platform *platform)
{
    memset(platform, 0, sizeof *platform);
    read_os_release(lines, platform);
    complete(platform);
}

static void read_machine(const char *root, struct pkg_platform *platform)
{
    struct utsname host;
    char arch[64] = "";
    for (size_t i = 0; pkg_managers[i] && !arch[0] && strcmp(root, "/") != 0; i++)
        if (pkg_managers[i]->native_arch)
            pkg_managers[i]->native_arch(root, arch, sizeof arch);
    if (arch[0])
        copy(platform->machine, sizeof platform->machine, bytes_of(arch));
    else if (uname(&host) == 0)
        copy(platform->machine, sizeof platform->machine, bytes_of(host.machine));
    /* Raspbian runs armhf binaries that any Pi executes, and names its machine so. */
    if (strcmp(platform->id, "raspbian") == 0 && strcmp(platform->machine, "armv7l") == 0)
        copy(platform->machine, sizeof platform->machine, BYTES("armhf"));
}

void pkg_platform_read(const char *root, struct pkg_platform *platform)
{
    static const char *const places[] = {"/etc/os-release", "/usr/lib/os-release"};
    struct lines lines = lines_of((struct bytes){0});
    char path[PATH_MAX];
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++)
        if (path_below(path, root, places[i]) && lines_open(&lines, path) == PKG_OK)
            break;
    pkg_platform_parse(&lines, platform);
    lines_close(&lines);
    read_machine(root, platform);
}
