#include "cli/output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A file system that knows no files without a name. */
static bool old_file_system;
int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

static int open_as(const char *path, int flags, mode_t mode)
{
    if (old_file_system && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return __real_open64(path, flags, mode);
}

#define OPEN_WITH_MODE(name)                                                                                           \
    int name(const char *path, int flags, ...)                                                                         \
    {                                                                                                                  \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = va_arg(rest, mode_t);                                                                            \
        va_end(rest);                                                                                                  \
        return open_as(path, flags, mode);                                                                             \
    }
OPEN_WITH_MODE(__wrap_open)
OPEN_WITH_MODE(__wrap_open64)

static char folder[64], path[96], text[256];

static int make_place(void **state)
{
    old_file_system = *state;
    snprintf(folder, sizeof folder, "/tmp/muster-output-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/bill", folder);
    return 0;
}

static int remove_place(void **state)
{
    (void)state;
    unlink(path);
    assert_int_equal(rmdir(folder), 0); /* nothing else was left in it */
    return 0;
}

static unsigned count_files(void)
{
    unsigned count = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        count += e->d_name[0] != '.';
    closedir(d);
    return count;
}

static const char *content(const char *of)
{
    FILE *f = fopen(of, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    text[n] = 0;
    if (f)
        fclose(f);
    return f ? text : NULL;
}

static bool write_all(const char *to, const char *what, bool keep, struct error *error)
{
    struct output o;
    if (!output_open(&o, to, error))
        return false;
    output_write(&o, bytes_of(what));
    return output_close(&o, keep, error);
}

static void a_file_is_there_when_it_is_whole(void **state)
{
    (void)state;
    struct output o;
    struct error error = {""};
    struct stat st;
    mode_t mask = umask(027);
    assert_true(output_open(&o, path, &error));
    output_write(&o, BYTES("one"));
    assert_null(content(path));
    assert_true(output_close(&o, true, &error));
    assert_string_equal(content(path), "one");
    assert_true(stat(path, &st) == 0 && (st.st_mode & 0777) == 0640);
    umask(mask);
    assert_true(output_open(&o, path, &error));
    output_write(&o, BYTES("tw"));
    assert_string_equal(content(path), "one");
    output_write(&o, BYTES("o"));
    assert_true(output_close(&o, true, &error));
    assert_string_equal(content(path), "two");
    assert_true(write_all(path, "three", false, &error));
    assert_string_equal(content(path), "two");
    assert_int_equal(count_files(), 1);
}

static void a_link_is_followed(void **state)
{
    (void)state;
    char link[96];
    struct error error = {""};
    struct stat st;
    snprintf(link, sizeof link, "%s/link", folder);
    assert_true(write_all(path, "one", true, &error));
    assert_int_equal(symlink("bill", link), 0);
    assert_true(write_all(link, "two", true, &error));
    assert_string_equal(content(path), "two");
    assert_true(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
    unlink(link);
}

static void what_is_no_file_stays_what_it_is(void **state)
{
    (void)state;
    struct error error = {""};
    struct stat st;
    char heard[8] = "";
    assert_true(write_all("/dev/null", "one", true, &error));
    assert_true(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode));
    assert_false(write_all("/dev/full", "one", true, &error));
    assert_string_equal(error.text, "/dev/full: No space left on device");
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);
    assert_true(write_all(path, "one", true, &error));
    assert_int_equal(read(reader, heard, sizeof heard), 3);
    assert_string_equal(heard, "one");
    close(reader);
    assert_true(stat(path, &st) == 0 && S_ISFIFO(st.st_mode));
}

static void a_failure_names_what_was_wanted(void **state)
{
    (void)state;
    struct error error = {""};
    char deep[200];
    snprintf(deep, sizeof deep, "%s/no/such/bill", folder);
    assert_false(write_all(deep, "one", true, &error));
    assert_true(bytes_starts(bytes_of(error.text), bytes_of(deep)) && error.text[strlen(deep)] == ':');
    assert_non_null(strstr(error.text, "No such file"));
    assert_false(write_all(folder, "one", true, &error));
    assert_non_null(strstr(error.text, "Is a directory"));
    if (geteuid() != 0) {
        assert_int_equal(chmod(folder, 0500), 0);
        assert_false(write_all(path, "one", true, &error));
        assert_true(bytes_starts(bytes_of(error.text), bytes_of(path)) && error.text[strlen(path)] == ':');
        assert_int_equal(chmod(folder, 0700), 0);
    }
}

/* In the midst of writing. */
static void end_by(int signal_number, bool ignored)
{
    pid_t child = fork();
    if (child == 0) {
        struct output o;
        struct error error = {""};
        if (signal_number != SIGKILL) /* whatever the suite was started under, nohup as well */
            signal(signal_number, ignored ? SIG_IGN : SIG_DFL);
        if (!output_open(&o, path, &error))
            _exit(1);
        output_write(&o, BYTES("half"));
        raise(signal_number);
        _exit(output_close(&o, true, &error) ? 0 : 1);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    if (ignored)
        assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 0);
    else
        assert_true(WIFSIGNALED(result) && WTERMSIG(result) == signal_number);
}

static void a_signal_leaves_nothing(void **state)
{
    (void)state;
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGKILL};
    struct error error = {""};
    assert_true(write_all(path, "before", true, &error));
    for (size_t i = 0; i < ARRAY_LENGTH(signals) - old_file_system; i++) {
        end_by(signals[i], false);
        assert_int_equal(count_files(), 1);
        assert_string_equal(content(path), "before");
    }
    end_by(SIGHUP, true); /* under nohup it goes on */
    assert_string_equal(content(path), "half");
    assert_int_equal(count_files(), 1);
}

static void folders_go_after_what_is_in_them(void **state)
{
    (void)state;
    char below[96], file[128];
    snprintf(below, sizeof below, "%s/below", folder);
    snprintf(file, sizeof file, "%s/file", below);
    pid_t child = fork();
    if (child == 0) {
        leftover_add("/nonexistent/muster-forgotten");
        leftover_forget("/nonexistent/muster-forgotten");
        leftover_add(below);
        leftover_add(file);
        int fd = mkdir(below, 0700) == 0 ? open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) : -1;
        raise(fd >= 0 ? SIGTERM : SIGKILL);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFSIGNALED(result) && WTERMSIG(result) == SIGTERM);
    assert_int_equal(count_files(), 0);
}

int main(void)
{
    static bool old = true;
#define BOTH(name)                                                                                                     \
    cmocka_unit_test_setup_teardown(name, make_place, remove_place),                                                   \
    {                                                                                                                  \
#name " without O_TMPFILE", name, make_place, remove_place, &old                                               \
    }
    const struct CMUnitTest tests[] = {
        BOTH(a_file_is_there_when_it_is_whole),
        BOTH(a_link_is_followed),
        BOTH(what_is_no_file_stays_what_it_is),
        BOTH(a_failure_names_what_was_wanted),
        BOTH(a_signal_leaves_nothing),
        cmocka_unit_test_setup_teardown(folders_go_after_what_is_in_them, make_place, remove_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
