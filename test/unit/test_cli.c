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
    bool json, plain, deep, flat;
    unsigned arguments;
    int64_t time;
    uint64_t count;
    const char *also[4];
} seen;

static int run_probe(struct cli *cli)
{
    for (unsigned i = 0; i < ARRAY_LENGTH(seen.also); i++)
        seen.also[i] = cli_nth(cli, "also", i);
    seen.at = cli_value(cli, "at");
    seen.json = cli_json(cli);
    seen.plain = cli_plain(cli);
    seen.deep = cli_flag(cli, "deep");
    seen.flat = cli_flag(cli, "flat");
    seen.arguments = cli_argument_count(cli);
    seen.first = cli_argument(cli, 0);
    snprintf(seen.state, sizeof seen.state, "%s", cli_state(cli));
    snprintf(seen.root, sizeof seen.root, "%s", cli_root(cli));
    if (!cli_time(cli, "at", &seen.time))
        return EXIT_USAGE;
    return 42;
}

static int run_count(struct cli *cli)
{
    seen.count = cli_number(cli, "count", 7);
    return 42;
}

static const struct cli_option probe_options[] = {{"at", "T", "then"},
                                                  {"deep", NULL, "deeper", .choice = "depth"},
                                                  {"flat", NULL, "not at all", .choice = "depth"},
                                                  {"also", "X", "as often as needed"},
                                                  {NULL, NULL, NULL}};
static const struct cli_option count_options[] = {{"count", "N", "so many", 2, 64}, {NULL, NULL, NULL}};
static const struct cli_command table[] = {
    {.noun = "probe", .arguments = "[NAME]", .summary = "a test", .plain = "columns", .max_arguments = 1, .options = probe_options, .run = run_probe},
    {.noun = "pki", .verb = "issue", .arguments = "NAME", .summary = "another", .min_arguments = 1, .max_arguments = 1, .run = run_probe},
    {.noun = "rename", .arguments = "OLD NEW", .summary = "two arguments", .min_arguments = 2, .max_arguments = 2, .run = run_probe},
    {.noun = "count", .summary = "a number", .options = count_options, .run = run_count},
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

static void numbers_stay_in_their_ranges(void **state)
{
    static const char *const bad[] = {"1", "65", "-1", "", "x", "3x", " 3", "18446744073709551618"};
    (void)state;
    assert_int_equal(CALL("count"), 42);
    assert_int_equal(seen.count, 7);
    assert_int_equal(CALL("count", "--count", "2"), 42);
    assert_int_equal(seen.count, 2);
    assert_int_equal(CALL("count", "--count=64"), 42);
    assert_int_equal(seen.count, 64);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_int_equal(CALL("count", "--count", bad[i]), EXIT_USAGE);
    setenv("MUSTER_COUNT", "65", 1);
    assert_int_equal(CALL("count"), EXIT_USAGE);
    assert_int_equal(CALL("count", "--count", "3"), 42);
    unsetenv("MUSTER_COUNT");
}

static void an_option_may_be_given_often(void **state)
{
    (void)state;
    setenv("MUSTER_ALSO", "e", 1);
    assert_int_equal(CALL("probe"), 42);
    assert_string_equal(seen.also[0], "e");
    assert_null(seen.also[1]);
    assert_int_equal(CALL("probe", "--also", "a", "--deep", "--also=b"), 42);
    assert_string_equal(seen.also[0], "a");
    assert_string_equal(seen.also[1], "b");
    assert_null(seen.also[2]);
    unsetenv("MUSTER_ALSO");
    assert_int_equal(CALL("probe"), 42);
    assert_null(seen.also[0]);
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

/* What the last call said. */
static char said[4096];

static int call_and_listen(const char *const *argv)
{
    char path[] = "/tmp/muster-cli-XXXXXX";
    int file = mkstemp(path), before = dup(STDERR_FILENO);
    assert_true(file >= 0 && before >= 0 && unlink(path) == 0);
    dup2(file, STDERR_FILENO);
    int status = call(argv);
    dup2(before, STDERR_FILENO);
    ssize_t n = pread(file, said, sizeof said - 1, 0);
    assert_true(n >= 0);
    said[n] = 0;
    close(file);
    close(before);
    return status;
}
#define HEAR(...) call_and_listen((const char *const[]){"muster", __VA_ARGS__, NULL})

static void one_option_of_a_choice(void **state)
{
    (void)state;
    assert_int_equal(HEAR("probe", "--flat", "--deep"), EXIT_USAGE);
    assert_non_null(strstr(said, "--deep and --flat contradict"));
    assert_int_equal(HEAR("probe", "--json", "--plain"), EXIT_USAGE);
    assert_non_null(strstr(said, "--json and --plain contradict"));
    assert_int_equal(CALL("probe", "--deep", "--deep", "--plain"), 42);
    assert_int_equal(CALL("probe", "--flat", "--deep", "--help"), EXIT_DONE);
    /* Who gives one means it, whatever the environment says of the other. */
    setenv("MUSTER_JSON", "1", 1);
    assert_int_equal(CALL("probe", "--plain"), 42);
    assert_true(seen.plain && !seen.json);
    setenv("MUSTER_PLAIN", "no", 1);
    assert_int_equal(CALL("probe"), 42);
    assert_true(seen.json && !seen.plain);
    setenv("MUSTER_PLAIN", "1", 1);
    assert_int_equal(CALL("probe"), EXIT_USAGE);
    assert_int_equal(CALL("count"), 42);
    unsetenv("MUSTER_JSON");
    unsetenv("MUSTER_PLAIN");
}

static void plain_is_of_tables(void **state)
{
    (void)state;
    assert_int_equal(HEAR("count", "--plain"), EXIT_USAGE);
    assert_non_null(strstr(said, "no option --plain"));
    assert_int_equal(CALL("count", "--json"), 42);
}

static void what_is_missing_has_a_name(void **state)
{
    (void)state;
    assert_int_equal(HEAR("rename"), EXIT_USAGE);
    assert_non_null(strstr(said, "OLD is missing"));
    assert_int_equal(HEAR("rename", "a"), EXIT_USAGE);
    assert_non_null(strstr(said, "NEW is missing"));
    assert_int_equal(HEAR("rename", "a", "b", "c"), EXIT_USAGE);
    assert_non_null(strstr(said, "\"b\": \"c\""));
    assert_int_equal(HEAR("count", "x"), EXIT_USAGE);
    assert_non_null(strstr(said, "no argument, not \"x\""));
}

static void a_bad_time_is_told_the_forms(void **state)
{
    static const char *const good[] = {"-90s", "-15m", "-12h", "-7d", "-2w", "2026-03-29", "2026-03-29T12:00:00Z", "2026-03-29 12:00:00+02:00"};
    static const char *const bad[] = {"2026-03-29T12:00:00", "2026-03-29 12:00", "7d", "-7", "-7y", "2026-02-29", ""};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        assert_int_equal(CALL("probe", "--at", good[i]), 42);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_int_equal(HEAR("probe", "--at", bad[i]), EXIT_USAGE);
        for (size_t k = 0; k < 5; k++)
            assert_non_null(strstr(said, good[k]));
        assert_non_null(strstr(said, "UTC"));
    }
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

/* As many columns as a terminal shows, whatever the text; nothing that it obeys. */
static void cells_are_as_wide_as_they_look(void **state)
{
    static const struct {
        const char *text, *cell;
    } rows[] = {
        {"abc", "abc   "},
        {"", "      "},
        {"\xc3\xa4\xc3\xb6", "\xc3\xa4\xc3\xb6    "},                       /* two octets each, a column each */
        {"\xe6\x97\xa5\xe6\x9c\xac", "\xe6\x97\xa5\xe6\x9c\xac  "},       /* wide: two columns each */
        {"a\xcc\x88", "a\xcc\x88     "},                                     /* a combining mark takes none */
        {"\xf0\x9f\x90\xa7", "\xf0\x9f\x90\xa7    "},
        {"\x1b[31m", "?[31m "},
        {"\xc2\x9b" "1m\x7f", "?1m?  "},                                     /* C1, and DEL */
        {"\xff\xc3", "??    "},                                              /* no UTF-8; cut off */
        {"longer than it", "longer than it"},
    };
    (void)state;
    struct wr w = wr_of(0);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        wr_reset(&w);
        cli_put_cell(&w, bytes_of(rows[i].text), 6);
        assert_string_equal(wr_string(&w), rows[i].cell);
    }
    wr_reset(&w);
    cli_put_plain(&w, (const struct bytes[]){BYTES("a\tb"), {NULL, 0}, BYTES("c\nd")}, 3);
    assert_string_equal(wr_string(&w), "a b\t\tc d\n");
    wr_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_are_as_wide_as_they_look),
        cmocka_unit_test(options_in_every_form),
        cmocka_unit_test(numbers_stay_in_their_ranges),
        cmocka_unit_test(an_option_may_be_given_often),
        cmocka_unit_test(wrong_use_is_status_two),
        cmocka_unit_test(one_option_of_a_choice),
        cmocka_unit_test(plain_is_of_tables),
        cmocka_unit_test(what_is_missing_has_a_name),
        cmocka_unit_test(a_bad_time_is_told_the_forms),
        cmocka_unit_test(a_root_has_a_state_of_its_own),
        cmocka_unit_test(help_is_not_an_error),
        cmocka_unit_test(a_missing_program_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
