#include "pkg/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* rpm's databases have three formats, and more to come; librpm alone reads them all. It is read by muster-rpmdb, a
 * program beside this one, so that a machine without rpm does not carry it. */

#define SYSIMAGE   "/usr/lib/sysimage/rpm"
#define VAR_LIB    "/var/lib/rpm"
#define ANSWER_MAX ((size_t)64 << 20)

static const char *const folders[] = {SYSIMAGE, VAR_LIB};
static const char *const formats[] = {"rpmdb.sqlite", "Packages.db", "Packages"};

const char *rpm_find_folder(const char *root)
{
    char file[128];
    for (size_t i = 0; i < ARRAY_LENGTH(folders) * ARRAY_LENGTH(formats); i++) {
        const char *folder = folders[i / ARRAY_LENGTH(formats)];
        snprintf(file, sizeof file, "%s/%s", folder, formats[i % ARRAY_LENGTH(formats)]);
        if (database_there(root, file))
            return folder;
    }
    return NULL;
}

static bool rpm_present(const char *root)
{
    return rpm_find_folder(root) != NULL;
}

/* Beside this program; one folder above for the tests' programs. */
bool rpm_find_helper(char path[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 20);
    for (int up = 0; n > 0 && up < 2; up++) {
        while (n > 0 && path[n - 1] != '/')
            n--;
        snprintf(path + n, (size_t)(PATH_MAX - n), "muster-rpmdb");
        if (access(path, X_OK) == 0)
            return true;
        n--;
    }
    return false;
}

pid_t rpm_start_helper(char *const arguments[], int *in, int *out)
{
    static char *const environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", NULL};
    posix_spawn_file_actions_t files;
    int ends[2], questions[2] = {-1, -1};
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    bool good = posix_spawn_file_actions_init(&files) == 0;
    good = good && (!in || pipe2(questions, O_CLOEXEC) == 0) &&
           (in ? posix_spawn_file_actions_adddup2(&files, questions[0], 0)
               : posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0)) == 0 &&
           posix_spawn_file_actions_adddup2(&files, ends[1], 1) == 0 &&
           posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0) == 0 &&
           posix_spawn(&pid, arguments[0], &files, NULL, arguments, environment) == 0;
    posix_spawn_file_actions_destroy(&files);
    close(ends[1]);
    if (questions[0] >= 0)
        close(questions[0]);
    if (good) {
        *out = ends[0];
        if (in)
            *in = questions[1];
        return pid;
    }
    close(ends[0]);
    if (questions[1] >= 0)
        close(questions[1]);
    return -1;
}

/* All that it says, within bounds of time and size; the helper is gone afterwards. True: it ended well. */
static bool take_answer(pid_t pid, int from, struct wr *answer)
{
    uint8_t block[65536];
    struct pollfd readable = {.fd = from, .events = POLLIN};
    ssize_t n = 1;
    int status;
    while (n > 0 && !answer->bad) {
        if (poll(&readable, 1, RPM_PATIENCE_MS) <= 0 && errno != EINTR)
            break;
        n = read(from, block, sizeof block);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            wr_bytes(answer, (struct bytes){block, (size_t)n});
    }
    close(from);
    if (n != 0)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return n == 0 && !answer->bad && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The last line says how many there are. */
static bool is_whole(struct bytes answer)
{
    struct bytes last = answer;
    uint64_t count, lines = 0;
    if (answer.n == 0 || answer.p[answer.n - 1] != '\n')
        return false;
    for (struct bytes rest = answer; rest.n; lines++)
        last = bytes_split(&rest, '\n');
    return last.n && last.p[0] == '\t' && bytes_number((struct bytes){last.p + 1, last.n - 1}, &count) &&
           count == lines - 1;
}

bool rpm_ask(const char *const *arguments, struct wr *answer)
{
    char program[PATH_MAX], *words[RPM_ASK_MAX + 2] = {program};
    int from;
    if (!rpm_find_helper(program))
        return false;
    for (size_t i = 0; i < RPM_ASK_MAX && arguments[i]; i++)
        words[i + 1] = (char *)(uintptr_t)arguments[i]; /* posix_spawn() does not write there */
    pid_t pid = rpm_start_helper(words, NULL, &from);
    return pid > 0 && take_answer(pid, from, answer) && is_whole(wr_view(answer));
}

/* "NAME-VERSION-RELEASE.src.rpm" */
void rpm_split_source(struct bytes file, struct pkg_package *p)
{
    struct bytes end = BYTES(".src.rpm");
    p->source_name = p->name;
    p->source_version = p->version;
    size_t n = file.n, dashes = 0;
    if (n <= end.n || !bytes_equal((struct bytes){file.p + n - end.n, end.n}, end))
        return;
    n -= end.n;
    size_t at = n;
    while (at > 0 && (file.p[at - 1] != '-' || ++dashes < 2))
        at--;
    if (at < 2 || !is_word((struct bytes){file.p, n}))
        return;
    p->source_name = (struct bytes){file.p, at - 1};
    p->source_version = (struct bytes){file.p + at, n - at};
}

bool rpm_line_read(struct bytes line, struct pkg_package *p)
{
    uint64_t second;
    *p = (struct pkg_package){.state = PKG_STATE_INSTALLED, .installed_at = TIME_UNKNOWN};
    p->name = bytes_split(&line, '\t');
    p->version = bytes_split(&line, '\t');
    p->arch = bytes_split(&line, '\t');
    struct bytes source = bytes_split(&line, '\t');
    if (p->arch.n == 0) /* keys that rpm trusts are packages without architecture */
        p->arch = BYTES("noarch");
    if (bytes_number(line, &second) && second > 0 && second <= INT64_MAX)
        p->installed_at = (int64_t)second;
    rpm_split_source(source, p);
    return is_word(p->name) && is_word(p->version) && is_word(p->arch);
}

static enum pkg_status tell_packages(struct bytes answer, const char *folder, const struct pkg_sink *sink)
{
    struct lines lines = lines_of(answer);
    struct bytes line;
    struct pkg_package p;
    bool whole;
    while (lines_next(&lines, &line, &whole) && !(line.n && line.p[0] == '\t')) {
        if (!rpm_line_read(line, &p)) {
            complain_to(sink, folder, 0, "a package without name, version or architecture", false);
        } else if (!sink->package(sink->context, &p))
            return PKG_STOPPED;
    }
    return PKG_OK;
}

/* librpm would make a database of a file of no octets, which a full disk leaves behind. */
static bool is_emptied(const char *folder)
{
    char path[PATH_MAX + 32];
    struct stat st;
    for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, formats[i]);
        if (stat(path, &st) == 0)
            return st.st_size == 0;
    }
    return false;
}

static enum pkg_status rpm_installed(const char *root, const struct pkg_sink *sink)
{
    const char *folder = rpm_find_folder(root);
    char path[PATH_MAX], program[PATH_MAX];
    if (!folder) {
        enum pkg_status sysimage = missing_in(root, SYSIMAGE), old = missing_in(root, VAR_LIB);
        return sysimage == PKG_UNREADABLE && access(root, F_OK) == 0 && old == PKG_ABSENT ? old : sysimage;
    }
    if (!path_below(path, root, folder))
        return PKG_UNREADABLE;
    if (is_emptied(path))
        return PKG_DAMAGED;
    if (!rpm_find_helper(program)) {
        complain_to(sink, path, 0, "muster-rpmdb, which reads it, is not installed beside muster", true);
        return PKG_UNREADABLE;
    }
    struct wr answer = wr_of(ANSWER_MAX);
    const char *words[] = {path, NULL};
    enum pkg_status status = PKG_UNREADABLE;
    if (rpm_ask(words, &answer))
        status = tell_packages(wr_view(&answer), path, sink);
    else
        complain_to(sink, path, 0, "librpm cannot read it, or not in time", true);
    wr_free(&answer);
    return status;
}

static uint64_t rpm_stamp(const char *root)
{
    static const char *const files[] = {"rpmdb.sqlite", "Packages.db", "Packages",
                                        "rpmdb.sqlite-wal"}; /* SQLite's newest changes */
    uint64_t digest = DIGEST_START;
    char file[128];
    for (size_t i = 0; i < ARRAY_LENGTH(folders); i++)
        for (size_t k = 0; k < ARRAY_LENGTH(files); k++) {
            snprintf(file, sizeof file, "%s/%s", folders[i], files[k]);
            digest = digest_add_below(digest, root, file);
        }
    return rpm_history_stamp(digest, root);
}

/* As swidGenerator says versions: without the epoch, with the architecture. */
static void rpm_tag_version(struct wr *w, struct bytes version, struct bytes arch)
{
    struct evr e;
    evr_split(version, &e);
    wr_bytes(w, e.version);
    if (e.release.p) {
        wr_str(w, "-");
        wr_bytes(w, e.release);
    }
    wr_str(w, ".");
    wr_bytes(w, arch);
}

const struct pkg_manager pkg_rpm = {
    .name = "rpm",
    .doc = "Fedora, SUSE and their kin: the databases that Debian's librpm reads (sqlite, ndb, Berkeley DB), with "
           "dnf's history",
    .source = PKG_SOURCE_RPM,
    .present = rpm_present,
    .installed = rpm_installed,
    .history = rpm_history,
    .side_by_side = true,
    .stamp = rpm_stamp,
    .files = rpm_files,
    .describe = rpm_describe,
    .tag_version = rpm_tag_version,
    .order = &rpm_order,
    .watch = (const char *const[]){SYSIMAGE, VAR_LIB, "/var/lib/dnf", "/usr/lib/sysimage/libdnf5", NULL},
};
