#include "cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
    const char *at, *first;
    char state[512], root[512];
    bool json, deep;
    unsigned arguments;
    int64_t time;
} seen;

static int run_probe(struct cli *cli)
{
    seen.at = cli_value(cli, "at");
    seen.json = cli_json(cli);
    seen.deep = cli_flag(cli, "deep");
    seen.arguments = cli_argument_count(cli);
    seen.first = cli_argument(cli, 0);
    snprintf(seen.state, sizeof seen.state, "%s", cli_state(cli));
    snprintf(seen.root, sizeof seen.root, "%s", cli_root(cli));
    if (!cli_time(cli, "at", &seen.time))
        return EXIT_USAGE;
    return 42;
}

static const struct cli_option probe_options[] = {{"at", "T", "then"}, {"deep", NULL, "deeper"}, {NULL, NULL, NULL}};
static const struct cli_command table[] = {
    {.noun = "probe", .arguments = "[NAME]", .summary = "a test", .max_arguments = 1, .options = probe_options, .run = run_probe},
    {.noun = "pki", .verb = "issue", .arguments = "NAME", .summary = "another", .min_arguments = 1, .max_arguments = 1, .run = run_probe},
    {.noun = "gone", .summary = "carried out elsewhere", .program = "muster-no-such-program"},
};

static int call(const char *const *argv)
{
    int argc = 0;
    while (argv[argc])
        argc++;
    memset(&seen, 0, sizeof seen);
    return cli_main("muster", table, ARRAY_LENGTH(table), argc, (char **)(uintptr_t)argv);
}
#define CALL(...) call((const char *const[]){"muster", __VA_ARGS__, NULL})

static void options_in_every_form(void **state)
{
    (void)state;
    assert_int_equal(CALL("probe", "--at", "-7d", "--json", "bash"), 42);
    assert_string_equal(seen.at, "-7d");
    assert_true(seen.json);
    assert_string_equal(seen.first, "bash");
    assert_int_equal(CALL("probe", "--at=1970-01-02", "--deep"), 42);
    assert_true(seen.time == 86400 && seen.deep && !seen.json);
    assert_int_equal(CALL("probe", "--", "--json"), 42);
    assert_string_equal(seen.first, "--json");
    assert_int_equal(CALL("pki", "issue", "web1"), 42);
    setenv("MUSTER_AT", "1970-01-03", 1);
    assert_int_equal(CALL("probe"), 42);
    assert_true(seen.time == 2 * 86400);
    assert_int_equal(CALL("probe", "--at", "1970-01-02"), 42); /* the option wins over the environment */
    assert_true(seen.time == 86400);
    unsetenv("MUSTER_AT");
}

static void wrong_use_is_status_two(void **state)
{
    (void)state;
    assert_int_equal(CALL("probe", "--no-such"), EXIT_USAGE);
    assert_int_equal(CALL("probe", "--at"), EXIT_USAGE);
    assert_int_equal(CALL("probe", "--json=yes"), EXIT_USAGE);
    assert_int_equal(CALL("probe", "-x"), EXIT_USAGE);
    assert_int_equal(CALL("probe", "--at", "soon"), EXIT_USAGE);
    assert_int_equal(CALL("probe", "a", "b"), EXIT_USAGE);
    assert_int_equal(CALL("pki", "issue"), EXIT_USAGE);
    assert_int_equal(CALL("pki"), EXIT_USAGE);
    assert_int_equal(CALL("pki", "revoke"), EXIT_USAGE);
    assert_int_equal(CALL("nothing"), EXIT_USAGE);
    assert_int_equal(call((const char *const[]){"muster", NULL}), EXIT_USAGE);
}

static void a_root_has_a_state_of_its_own(void **state)
{
    (void)state;
    char folder[] = "/tmp/muster-cli-XXXXXX", base[64], path[128], first[512];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/../%s/", folder, strrchr(folder, '/') + 1);
    assert_int_equal(CALL("probe"), 42);
    snprintf(base, sizeof base, "%s", seen.state);
    assert_string_equal(seen.root, "/");
    assert_int_equal(CALL("probe", "--root", folder), 42);
    snprintf(first, sizeof first, "%s", seen.state);
    assert_memory_equal(first, base, strlen(base));
    assert_memory_equal(first + strlen(base), "/roots/tmp-muster-cli-", 22);
    assert_int_equal(CALL("probe", "--root", path), 42); /* the same, whatever it is called */
    assert_string_equal(seen.root, folder);
    assert_string_equal(seen.state, first);
    assert_int_equal(CALL("probe", "--root", "/tmp"), 42);
    assert_string_not_equal(seen.state, first);
    assert_int_equal(CALL("probe", "--root", "//"), 42);
    assert_string_equal(seen.state, base);
    assert_int_equal(CALL("probe", "--root", folder, "--state", "here"), 42);
    assert_string_equal(seen.state, "here");
    rmdir(folder);
    assert_int_equal(CALL("probe", "--root", folder), EXIT_USAGE);
    assert_int_equal(CALL("probe", "--root", "/proc/self/cmdline"), EXIT_USAGE); /* no folder */
}

static void help_is_not_an_error(void **state)
{
    (void)state;
    assert_int_equal(CALL("--help"), EXIT_DONE);
    assert_int_equal(CALL("probe", "--help"), EXIT_DONE);
    assert_int_equal(CALL("pki", "issue", "-h"), EXIT_DONE);
    assert_int_equal(CALL("--version"), EXIT_DONE);
}

static void a_missing_program_is_said(void **state)
{
    (void)state;
    assert_int_equal(CALL("gone"), EXIT_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_in_every_form),
        cmocka_unit_test(wrong_use_is_status_two),
        cmocka_unit_test(a_root_has_a_state_of_its_own),
        cmocka_unit_test(help_is_not_an_error),
        cmocka_unit_test(a_missing_program_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
