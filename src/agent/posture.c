/* The operating system's posture: what the machine itself says. */
#include "agent/collector.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A file of a root, with symbolic links meaning what they mean inside it: /var/lib/dbus/machine-id of an image is a
 * link to /etc/machine-id, and that must not be this machine's. Where the kernel lacks openat2 a link is not followed
 * at all. */
static int open_below(const char *root, const char *path)
{
    int folder = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -1;
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, .resolve = RESOLVE_IN_ROOT};
    int fd = (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
    if (fd < 0 && errno == ENOSYS)
        fd = openat(folder, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
    int why = errno;
    close(folder);
    errno = why;
    return fd;
}

/* The beginning of a small regular file, blanks trimmed; the empty view and errno if there is nothing to read. */
static struct bytes read_small(const char *root, const char *path, char *text, size_t size)
{
    struct stat st;
    int fd = open_below(root, path);
    if (fd < 0)
        return (struct bytes){0};
    ssize_t n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read(fd, text, size) : -1;
    close(fd);
    errno = 0;
    return n > 0 ? bytes_trim((struct bytes){(const uint8_t *)text, (size_t)n}) : (struct bytes){0};
}

/* ---- device ID ---- */

/* machine-id(5): 32 hexadecimal digits. An image that was prepared for cloning says "uninitialized" instead, or
 * nothing. */
static bool is_machine_id(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (!memchr("0123456789abcdef", b.p[i], 16))
            return false;
    return b.n == 32;
}

/* The raw machine-id is not to leave the machine (machine-id(5)): what does is a digest of it that other applications
 * cannot compute from theirs. For ever the same for one machine: never change the constant. */
static void hash_device_id(struct bytes machine_id, char out[65])
{
    static const char application[] = "muster device id 1:";
    uint8_t digest[EVP_MAX_MD_SIZE], text[sizeof application - 1 + 32];
    memcpy(text, application, sizeof application - 1);
    memcpy(text + sizeof application - 1, machine_id.p, 32);
    out[0] = 0;
    if (EVP_Digest(text, sizeof text, digest, NULL, EVP_sha256(), NULL) != 1)
        return;
    for (size_t i = 0; i < 32; i++)
        out[i] = "0123456789abcdef"[i % 2 ? digest[i / 2] & 15 : digest[i / 2] >> 4];
    out[32] = 0;
}

static void read_device_id(const char *root, char out[65])
{
    static const char *const files[] = {"etc/machine-id", "var/lib/dbus/machine-id"};
    char text[64];
    out[0] = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        struct bytes id = read_small(root, files[i], text, sizeof text);
        if (is_machine_id(id)) {
            hash_device_id(id, out);
            return;
        }
    }
}

/* ---- /proc ---- */

enum { FORWARDING_NO = 0, FORWARDING_YES = 1, FORWARDING_UNKNOWN = 2 };

static uint32_t read_switch(const char *root, const char *path, uint32_t if_absent)
{
    char text[16];
    errno = 0;
    struct bytes b = read_small(root, path, text, sizeof text);
    if (b.n == 0)
        return errno == ENOENT ? if_absent : FORWARDING_UNKNOWN;
    return b.p[0] == '0' ? FORWARDING_NO : b.p[0] == '1' ? FORWARDING_YES : FORWARDING_UNKNOWN;
}

/* Whoever forwards one protocol forwards. A kernel without IPv6 does not forward it. */
static uint32_t read_forwarding(const char *root)
{
    uint32_t v4 = read_switch(root, "proc/sys/net/ipv4/ip_forward", FORWARDING_UNKNOWN);
    uint32_t v6 = read_switch(root, "proc/sys/net/ipv6/conf/all/forwarding", FORWARDING_NO);
    if (v4 == FORWARDING_YES || v6 == FORWARDING_YES)
        return FORWARDING_YES;
    return v4 == FORWARDING_NO && v6 == FORWARDING_NO ? FORWARDING_NO : FORWARDING_UNKNOWN;
}

void agent_posture_read_proc(const char *root, int64_t now, struct agent_posture *posture)
{
    char text[64];
    uint64_t uptime;
    struct bytes rest = read_small(root, "proc/uptime", text, sizeof text);
    /* A clock that says less than the uptime was never set: the moment of boot is unknown, not before 1970. */
    bool known = bytes_number(bytes_split(&rest, '.'), &uptime) && now >= 0 && uptime <= (uint64_t)now;
    posture->last_boot = known ? now - (int64_t)uptime : TIME_UNKNOWN;
    posture->forwarding = read_forwarding(root);
}

void agent_posture_read(const char *root, struct agent_posture *posture)
{
    *posture = (struct agent_posture){.last_boot = TIME_UNKNOWN, .forwarding = FORWARDING_UNKNOWN};
    pkg_platform_read(root, &posture->platform);
    read_device_id(root, posture->device_id);
    if (strcmp(root, "/") == 0)
        agent_posture_read_proc(root, time_now(), posture);
}
