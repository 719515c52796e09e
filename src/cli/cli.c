#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <limits.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <wchar.h>

#define FLUSH_AT ((size_t)256 << 10)

struct cli_given {
    const struct cli_option *option;
    const char *value;
};

struct cli {
    const char *self;
    const struct cli_command *command;
    struct cli_given *given; /* room for all that the command line has: a glob may be long */
    unsigned given_count;
    const char **arguments;
    unsigned argument_count;
    struct wr out;
    bool stdout_gone, output_lost; /* the reader went away (its decision), or what it wanted could not be written */
    char state[4096];
    char root[PATH_MAX]; /* its real path */
};

#define PLAIN "plain" /* of the commands that have a table */

/* What every command takes. */
static const struct cli_option common_options[] = {
    {"state", "DIR", "where state lives (default: /var/lib/muster for root, else ~/.local/state/muster)"},
    {"root", "DIR", "examine another root file system instead of /; unless --state is given, its state lives in roots/ below the usual one"},
    {"json", NULL, "print one JSON document", .choice = "form"},
    {PLAIN, NULL, "print tab-separated lines for scripts", .choice = "form"},
    {"help", NULL, "explain this command"},
    {"version", NULL, "print the version"},
    {NULL, NULL, NULL},
};

static const struct cli_option *find_option(const struct cli_option *table, const char *name, size_t n)
{
    for (; table && table->name; table++)
        if (strlen(table->name) == n && memcmp(table->name, name, n) == 0)
            return table;
    return NULL;
}

/* The row of an option that this command has. */
static const struct cli_option *option_of(const struct cli_command *c, const char *name, size_t n)
{
    const struct cli_option *o = find_option(c->options, name, n);
    if (!o)
        o = find_option(common_options, name, n);
    return o && !c->plain && strcmp(o->name, PLAIN) == 0 ? NULL : o;
}

/* ---- what commands ask ---------------------------------------------------------------------------------------- */

static bool is_same_choice(const struct cli_option *a, const struct cli_option *b)
{
    return a && b && a->choice && b->choice && strcmp(a->choice, b->choice) == 0;
}

const char *cli_value(const struct cli *cli, const char *name)
{
    char variable[64] = "MUSTER_";
    const struct cli_option *o = option_of(cli->command, name, strlen(name));
    for (unsigned i = cli->given_count; i-- > 0;)
        if (strcmp(cli->given[i].option->name, name) == 0)
            return cli->given[i].value;
    for (unsigned i = 0; i < cli->given_count; i++)
        if (is_same_choice(o, cli->given[i].option))
            return NULL;
    size_t at = strlen(variable);
    for (const char *p = name; *p && at + 1 < sizeof variable; p++)
        variable[at++] = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
    variable[at] = 0;
    const char *value = getenv(variable);
    return value && *value ? value : NULL;
}

bool cli_given(const struct cli *cli, const char *name)
{
    for (unsigned i = 0; i < cli->given_count; i++)
        if (strcmp(cli->given[i].option->name, name) == 0)
            return true;
    return false;
}

bool cli_flag(const struct cli *cli, const char *name)
{
    static const char *const off[] = {"0", "no", "false", "off"};
    const char *value = cli_value(cli, name);
    for (size_t i = 0; value && i < ARRAY_LENGTH(off) && !cli_given(cli, name); i++)
        if (strcasecmp(value, off[i]) == 0)
            value = NULL;
    return value != NULL;
}

bool cli_time(const struct cli *cli, const char *name, int64_t *t)
{
    const char *text = cli_value(cli, name);
    *t = TIME_UNKNOWN;
    if (!text || time_parse_option(text, time_now(), t))
        return true;
    cli_usage(cli, "--%s takes " CLI_TIME_FORMS ", not \"%s\"", name, text);
    return false;
}

static bool number_fits(const struct cli_option *o, const char *text, uint64_t *value)
{
    return bytes_number(bytes_of(text), value) && *value >= o->min && *value <= o->max;
}

uint64_t cli_number(const struct cli *cli, const char *name, uint64_t otherwise)
{
    const struct cli_option *o = find_option(cli->command->options, name, strlen(name));
    const char *text = cli_value(cli, name);
    uint64_t value = otherwise;
    if (!o || o->max == 0 || (text && !number_fits(o, text, &value)))
        bug("a number option without a range");
    return value;
}

const char *cli_nth(const struct cli *cli, const char *name, unsigned i)
{
    const char *first = cli_value(cli, name); /* of the environment, if there is none */
    for (unsigned k = 0; k < cli->given_count; k++)
        if (strcmp(cli->given[k].option->name, name) == 0) {
            if (i-- == 0)
                return cli->given[k].value;
            first = NULL;
        }
    return i == 0 ? first : NULL;
}

unsigned cli_argument_count(const struct cli *cli)
{
    return cli->argument_count;
}

const char *cli_argument(const struct cli *cli, unsigned i)
{
    return i < cli->argument_count ? cli->arguments[i] : NULL;
}

/* What another root's state folder is called: for people by its path, and for itself alone by the hash (FNV-1a) of it. */
static void name_root(char *name, size_t size, const char *root)
{
    size_t n = strlen(root), shown = n < 100 ? n - 1 : 100;
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (uint8_t)root[i]) * 1099511628211u;
    snprintf(name, size, "%s-%08x", root + n - shown, (unsigned)(hash ^ hash >> 32));
    for (char *p = name; (p = strchr(p, '/'));)
        *p = '-';
}

/* HOME, else what the user database says: a cron job's state must not depend on the folder it starts in. */
static const char *home_folder(void)
{
    const char *home = getenv("HOME");
    if (home && *home)
        return home;
    const struct passwd *user = getpwuid(geteuid());
    return user && user->pw_dir && *user->pw_dir == '/' ? user->pw_dir : "/nonexistent";
}

const char *cli_state(struct cli *cli)
{
    const char *given = cli_value(cli, "state"), *base = getenv("XDG_STATE_HOME");
    if (given)
        snprintf(cli->state, sizeof cli->state, "%s", given);
    else if (geteuid() == 0)
        snprintf(cli->state, sizeof cli->state, "/var/lib/muster");
    else if (base && *base == '/')
        snprintf(cli->state, sizeof cli->state, "%s/muster", base);
    else
        snprintf(cli->state, sizeof cli->state, "%s/.local/state/muster", home_folder());
    /* What is collected from an image may never mix with what this machine tells of itself. */
    size_t n = strlen(cli->state);
    char name[128];
    if (!given && strcmp(cli->root, "/") != 0) {
        name_root(name, sizeof name, cli->root);
        snprintf(cli->state + n, sizeof cli->state - n, "/roots/%s", name);
    }
    return cli->state;
}

const char *cli_root(const struct cli *cli)
{
    return cli->root;
}

bool cli_json(const struct cli *cli)
{
    return cli_flag(cli, "json");
}

bool cli_plain(const struct cli *cli)
{
    return cli_flag(cli, "plain");
}

/* ---- messages and data ---------------------------------------------------------------------------------------------- */

static void name_of(const struct cli *cli, char *text, size_t size)
{
    if (!cli->command)
        text[0] = 0;
    else
        snprintf(text, size, "%s%s%s: ", cli->command->noun, cli->command->verb ? " " : "", cli->command->verb ? cli->command->verb : "");
}

int cli_fail(const struct cli *cli, int status, const char *format, ...)
{
    char text[2048], name[64];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    name_of(cli, name, sizeof name);
    log_line(LOG_INFO, "%s%s", name, text);
    return status;
}

int cli_usage(const struct cli *cli, const char *format, ...)
{
    char text[2048], name[64];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    name_of(cli, name, sizeof name);
    if (cli->command)
        log_line(LOG_INFO, "%s%s; see muster %s%s%s --help", name, text, cli->command->noun, cli->command->verb ? " " : "",
                 cli->command->verb ? cli->command->verb : "");
    else
        log_line(LOG_INFO, "%s; see muster --help", text);
    return EXIT_USAGE;
}

int cli_worst(int a, int b)
{
    static const int order[] = {EXIT_INTERNAL, EXIT_USAGE, EXIT_UNREACHED, EXIT_NOT_FOUND, EXIT_NO, EXIT_UNKNOWN};
    for (size_t i = 0; i < ARRAY_LENGTH(order); i++)
        if (a == order[i] || b == order[i])
            return order[i];
    return EXIT_DONE;
}

struct wr *cli_out(struct cli *cli)
{
    if (cli->out.n >= FLUSH_AT)
        cli_flush(cli);
    return &cli->out;
}

bool cli_flush(struct cli *cli)
{
    struct bytes rest = wr_view(&cli->out);
    if (cli->out.bad)
        bug("output does not fit memory");
    while (rest.n && !cli->stdout_gone) {
        ssize_t n = write(STDOUT_FILENO, rest.p, rest.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            /* A closed pipe is the reader's decision (head); anything else is worth a word. */
            if (errno != EPIPE) {
                log_line(LOG_ERROR, "cannot write the output: %s", strerror(errno));
                cli->output_lost = true;
            }
            cli->stdout_gone = true;
            break;
        }
        rest.p += n;
        rest.n -= (size_t)n;
    }
    wr_reset(&cli->out);
    return !cli->stdout_gone;
}

struct json cli_json_begin(struct cli *cli, const char *schema)
{
    char text[64];
    struct json j = json_of(cli_out(cli));
    snprintf(text, sizeof text, "muster.%s/1", schema);
    json_object_begin(&j, NULL);
    json_str(&j, "schema", text);
    return j;
}

/* The character at p with its octets; false: it is none. */
static bool take_character(const uint8_t *p, size_t n, uint32_t *c, size_t *length)
{
    *length = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (*length > n || !utf8_valid((struct bytes){p, *length}))
        return false;
    *c = *length == 1 ? p[0] : p[0] & (0x7fU >> *length);
    for (size_t i = 1; i < *length; i++)
        *c = *c << 6 | (p[i] & 0x3f);
    return true;
}

/* What the C library knows of it in a locale of UTF-8, whatever the user's is. Negative: a control character. */
static int columns_of(uint32_t c)
{
    static locale_t unicode;
    if (c >= 0x20 && c < 0x7f)
        return 1;
    if (!unicode)
        unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
    if (!unicode)
        return c < 0x20 || (c >= 0x7f && c < 0xa0) ? -1 : 1;
    locale_t before = uselocale(unicode);
    int columns = wcwidth((wchar_t)c);
    uselocale(before);
    return columns;
}

void cli_put_cell(struct wr *w, struct bytes text, size_t width)
{
    size_t shown = 0, length;
    uint32_t c;
    for (size_t i = 0; i < text.n; i += length) {
        bool whole = take_character(text.p + i, text.n - i, &c, &length);
        int columns = whole ? columns_of(c) : -1;
        if (!whole)
            length = 1;
        if (columns < 0)
            wr_u8(w, '?');
        else
            wr_bytes(w, (struct bytes){text.p + i, length});
        shown += columns < 0 ? 1 : (size_t)columns;
    }
    for (; shown < width; shown++)
        wr_u8(w, ' ');
}

void cli_put_plain(struct wr *w, const struct bytes *cells, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = w->n;
        wr_bytes(w, cells[i]);
        for (; at < w->n; at++)
            if (w->p[at] == '\t' || w->p[at] == '\n' || w->p[at] == '\r')
                w->p[at] = ' ';
        wr_u8(w, i + 1 < count ? '\t' : '\n');
    }
}

/* ---- help -------------------------------------------------------------------------------------------------------------- */

/* What each row of a table tells; `c` NULL: all of them, of no command. */
static void help_options(struct wr *w, const struct cli_option *table, const struct cli_command *c)
{
    for (const struct cli_option *o = table; o && o->name; o++) {
        char left[64];
        bool plain = strcmp(o->name, PLAIN) == 0;
        if (plain && c && !c->plain)
            continue;
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
        wr_fmt(w, "  %-26s %s", left, o->doc);
        if (o->max)
            wr_fmt(w, "; %llu to %llu", (unsigned long long)o->min, (unsigned long long)o->max);
        if (o->argument && strcmp(o->argument, "T") == 0)
            wr_str(w, ": " CLI_TIME_FORMS);
        if (plain)
            wr_fmt(w, "%s%s", c ? ": " : ", where there is a table", c ? c->plain : "");
        for (const struct cli_option *other = table; other->name; other++)
            if (other != o && is_same_choice(o, other) && (!c || option_of(c, other->name, strlen(other->name))))
                wr_fmt(w, "; not with --%s", other->name);
        wr_str(w, "\n");
    }
}

static void help_command(struct cli *cli)
{
    const struct cli_command *c = cli->command;
    struct wr *w = cli_out(cli);
    wr_fmt(w, "usage: muster %s%s%s%s%s [OPTION...]\n\n%s\n", c->noun, c->verb ? " " : "", c->verb ? c->verb : "",
           c->arguments && *c->arguments ? " " : "", c->arguments ? c->arguments : "", c->summary);
    wr_str(w, "\nOptions:\n");
    help_options(w, c->options, c);
    help_options(w, common_options, c);
    if (c->more)
        wr_fmt(w, "\n%s\n", c->more);
    wr_str(w, "\nExit status: 0 done, 1 the answer is no, 2 wrong usage, or a folder, file or address that cannot be used, 3 partly unknown, 4 not found, 5\n"
              "could not connect or authenticate, 70 internal error, or a damaged file of its own.\n");
}

/* A line a command; only those of one noun unless that is NULL. */
static void help_rows(struct wr *w, const struct cli_command *commands, size_t count, const char *noun)
{
    for (size_t i = 0; i < count; i++) {
        char left[80];
        if (noun && strcmp(commands[i].noun, noun) != 0)
            continue;
        snprintf(left, sizeof left, "%s%s%s%s%s", commands[i].noun, commands[i].verb ? " " : "", commands[i].verb ? commands[i].verb : "",
                 commands[i].arguments && *commands[i].arguments ? " " : "", commands[i].arguments ? commands[i].arguments : "");
        wr_fmt(w, "  %-26s %s\n", left, commands[i].summary);
    }
}

static void help_noun(struct cli *cli, const struct cli_command *commands, size_t count, const char *noun)
{
    struct wr *w = cli_out(cli);
    wr_fmt(w, "usage: muster %s VERB [ARGUMENT...] [OPTION...]\n\nVerbs:\n", noun);
    help_rows(w, commands, count, noun);
    wr_fmt(w, "\nmuster %s VERB --help explains one.\n", noun);
}

static void help_all(struct cli *cli, const struct cli_command *commands, size_t count)
{
    struct wr *w = cli_out(cli);
    wr_str(w, "usage: muster COMMAND [ARGUMENT...] [OPTION...]\n\n"
              "What is installed on this machine, and since when; and the policy server that asks a fleet.\n\nCommands:\n");
    help_rows(w, commands, count, NULL);
    wr_str(w, "\nEvery command:\n");
    help_options(w, common_options, NULL);
    wr_str(w, "\nmuster COMMAND --help explains one. First try: muster scan\n");
}

/* ---- parsing and dispatch ------------------------------------------------------------------------------------------------ */

static const struct cli_command *find_command(const struct cli_command *commands, size_t count, int argc, char **argv, int *used)
{
    const struct cli_command *noun = NULL;
    *used = 2;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(commands[i].noun, argv[1]) != 0)
            continue;
        if (!commands[i].verb) {
            noun = &commands[i];
        } else if (argc > 2 && strcmp(commands[i].verb, argv[2]) == 0) {
            *used = 3;
            return &commands[i];
        }
    }
    return noun;
}

static bool asks_for_help(const char *argument)
{
    return argument && (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0 || strcmp(argument, "help") == 0);
}

/* A noun that has verbs, without one or with a wrong one: name them. */
static int unknown_command(struct cli *cli, const struct cli_command *commands, size_t count, const char *noun,
                           const char *verb)
{
    struct wr verbs = wr_of(1024);
    for (size_t i = 0; i < count; i++)
        if (strcmp(commands[i].noun, noun) == 0 && commands[i].verb)
            wr_fmt(&verbs, "%s%s", verbs.n ? ", " : "", commands[i].verb);
    bool help = verbs.n && asks_for_help(verb);
    if (help)
        help_noun(cli, commands, count, noun);
    else if (verbs.n)
        cli_usage(cli, "%s needs one of: %s", noun, wr_string(&verbs));
    else
        cli_usage(cli, "there is no command \"%s\"", noun);
    wr_free(&verbs);
    return help ? EXIT_DONE : EXIT_USAGE;
}

static bool parse_option(struct cli *cli, const char *text, char **argv, int argc, int *i)
{
    const char *equals = strchr(text, '=');
    size_t n = equals ? (size_t)(equals - text) : strlen(text);
    const struct cli_option *o = option_of(cli->command, text, n);
    if (!o) {
        cli_usage(cli, "there is no option --%.*s", (int)n, text);
        return false;
    }
    if (!o->argument && equals) {
        cli_usage(cli, "--%s takes no value", o->name);
        return false;
    }
    const char *value = o->argument ? (equals ? equals + 1 : (*i + 1 < argc ? argv[++*i] : NULL)) : "";
    if (!value) {
        cli_usage(cli, "--%s needs a value: --%s %s", o->name, o->name, o->argument);
        return false;
    }
    cli->given[cli->given_count++] = (struct cli_given){o, value};
    return true;
}

static bool parse(struct cli *cli, int argc, char **argv, int from)
{
    bool options_end = false;
    for (int i = from; i < argc; i++) {
        const char *a = argv[i];
        if (!options_end && strcmp(a, "--") == 0) {
            options_end = true;
        } else if (!options_end && strcmp(a, "-h") == 0) {
            a = "--help";
            if (!parse_option(cli, a + 2, argv, argc, &i))
                return false;
        } else if (!options_end && a[0] == '-' && a[1] == '-') {
            if (!parse_option(cli, a + 2, argv, argc, &i))
                return false;
        } else if (!options_end && a[0] == '-' && a[1] != 0) {
            cli_usage(cli, "there is no option %s", a);
            return false;
        } else {
            cli->arguments[cli->argument_count++] = a;
        }
    }
    return true;
}

/* Numbers in the ranges that their rows state, wherever they come from. False: a usage error was printed. */
static bool check_numbers(const struct cli *cli)
{
    uint64_t value;
    for (const struct cli_option *o = cli->command->options; o && o->name; o++) {
        const char *text = o->max ? cli_value(cli, o->name) : NULL;
        if (text && !number_fits(o, text, &value)) {
            cli_usage(cli, "--%s takes a number from %llu to %llu, not \"%s\"", o->name, (unsigned long long)o->min,
                      (unsigned long long)o->max, text);
            return false;
        }
    }
    return true;
}

static bool is_on(const struct cli *cli, const struct cli_option *o)
{
    return o->choice && option_of(cli->command, o->name, strlen(o->name)) == o && cli_flag(cli, o->name);
}

/* The option that contradicts this one, of those behind it in its table. */
static const struct cli_option *find_contradiction(const struct cli *cli, const struct cli_option *o)
{
    for (const struct cli_option *b = o + 1; is_on(cli, o) && b->name; b++)
        if (is_same_choice(o, b) && is_on(cli, b))
            return b;
    return NULL;
}

/* Of a choice one option, whether they are given or come from the environment. False: a usage error was printed. */
static bool check_choices(const struct cli *cli)
{
    const struct cli_option *const tables[] = {cli->command->options, common_options};
    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++)
        for (const struct cli_option *o = tables[i]; o && o->name; o++) {
            const struct cli_option *other = find_contradiction(cli, o);
            if (!other)
                continue;
            cli_usage(cli, "--%s and --%s contradict each other: give one of them", o->name, other->name);
            return false;
        }
    return true;
}

/* As many arguments as the command takes. False: a usage error was printed. */
static bool check_arguments(const struct cli *cli)
{
    const struct cli_command *c = cli->command;
    struct bytes rest = bytes_of(c->arguments ? c->arguments : ""), word = {0};
    if (cli->argument_count > c->max_arguments) {
        cli_usage(cli, c->max_arguments ? "it takes no argument behind \"%s\": \"%s\"" : "it takes no argument%s, not \"%s\"",
                  c->max_arguments ? cli->arguments[c->max_arguments - 1] : "", cli->arguments[c->max_arguments]);
        return false;
    }
    if (cli->argument_count >= c->min_arguments)
        return true;
    for (unsigned i = 0; i <= cli->argument_count && rest.n; i++)
        word = bytes_split(&rest, ' ');
    cli_usage(cli, "%.*s is missing", (int)word.n, (const char *)word.p);
    return false;
}

/* --root as a real path, so that one root has one name. False: a usage error was printed. */
static bool find_root(struct cli *cli)
{
    char folder[PATH_MAX];
    const char *given = cli_value(cli, "root");
    if (!given)
        return true;
    if (!*given) {
        cli_usage(cli, "--root is empty; give a folder, or leave it out for this machine");
        return false;
    }
    int n = snprintf(folder, sizeof folder, "%s/.", given); /* fails for what is no folder */
    errno = ENAMETOOLONG;
    if (n < PATH_MAX && realpath(folder, cli->root))
        return true;
    cli_usage(cli, "--root %s: %s", given, strerror(errno));
    return false;
}

bool cli_find_program(const char *program, char path[PATH_MAX])
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self);
    while (n > 0 && self[n - 1] != '/')
        n--;
    snprintf(path, PATH_MAX, "%.*s%s", n > 0 ? (int)n : 0, self, program);
    return access(path, X_OK) == 0;
}

/* Replaces this process by PROGRAM. */
static int run_program(const struct cli *cli, const char *program, char **argv)
{
    char path[PATH_MAX];
    if (cli_find_program(program, path))
        execv(path, argv);
    return cli_fail(cli, EXIT_INTERNAL, "this command is carried out by %s, which cannot be started: %s; install it beside muster", path,
                    strerror(errno));
}

static void put_version(struct cli *cli)
{
    wr_str(cli_out(cli), "muster " MUSTER_VERSION "\n");
}

int cli_main(const char *self, const struct cli_command *commands, size_t count, int argc, char **argv)
{
    struct cli cli = {.self = self, .out = wr_of((size_t)1 << 30), .root = "/"};
    int used = 0, status = EXIT_DONE;
    cli.given = calloc((size_t)argc + 1, sizeof *cli.given);
    cli.arguments = calloc((size_t)argc + 1, sizeof *cli.arguments);
    if (!cli.given || !cli.arguments)
        bug("no memory for the command line");
    if (argc < 2 || asks_for_help(argv[1])) {
        help_all(&cli, commands, count);
        status = argc < 2 ? EXIT_USAGE : EXIT_DONE;
    } else if (strcmp(argv[1], "--version") == 0) {
        put_version(&cli);
    } else if (!(cli.command = find_command(commands, count, argc, argv, &used))) {
        status = unknown_command(&cli, commands, count, argv[1], argv[2]);
    } else if (cli.command->program && !cli.command->run) {
        status = run_program(&cli, cli.command->program, argv);
    } else if (!parse(&cli, argc, argv, used)) {
        status = EXIT_USAGE;
    } else if (cli_given(&cli, "help")) {
        help_command(&cli);
    } else if (cli_given(&cli, "version")) {
        put_version(&cli);
    } else if (!check_arguments(&cli) || !check_choices(&cli) || !check_numbers(&cli) || !find_root(&cli)) {
        status = EXIT_USAGE;
    } else if (cli.command->heavy && cli_value(&cli, cli.command->heavy) && strcmp(self, cli.command->program) != 0) {
        status = run_program(&cli, cli.command->program, argv);
    } else {
        status = cli.command->run(&cli);
    }
    cli_flush(&cli);
    if (cli.output_lost && status == EXIT_DONE)
        status = EXIT_USAGE; /* a file that cannot be used: no room */
    wr_free(&cli.out);
    free(cli.given);
    free(cli.arguments);
    return status;
}
