#include "cli/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static ssize_t read_all(int fd, uint8_t *p, size_t size)
{
    size_t n = 0;
    while (n < size) {
        ssize_t got = read(fd, p + n, size - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    return (ssize_t)n;
}

bool cli_secret(const struct cli *cli, const char *option, struct secret *secret)
{
    const char *path = cli_value(cli, option);
    bool input = strcmp(path, "-") == 0;
    int fd = input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    ssize_t n = fd < 0 ? -1 : read_all(fd, secret->text, sizeof secret->text);
    int why = errno;
    if (n >= 0 && !input && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077))
        cli_fail(cli, 0, "warning: others can read the password in %s; chmod 600 it", path);
    if (fd > STDIN_FILENO)
        close(fd);
    if (n < 0) {
        cli_fail(cli, EXIT_USAGE, "%s: %s", path, strerror(why));
        return false;
    }
    struct bytes rest = {secret->text, (size_t)n}, line = bytes_split(&rest, '\n');
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    secret->view = line;
    bool whole = line.n > 0 && line.n <= SECRET_MAX && utf8_valid(line) && rest.n == 0;
    for (size_t i = 0; i < line.n; i++)
        whole &= line.p[i] >= 0x20 && line.p[i] != 0x7f;
    if (whole)
        return true;
    cli_fail(cli, EXIT_USAGE, "%s: a password is one line of 1 to %d octets of UTF-8", input ? "standard input" : path,
             SECRET_MAX);
    cli_secret_forget(secret);
    return false;
}

void cli_secret_forget(struct secret *secret)
{
    explicit_bzero(secret, sizeof *secret);
}
