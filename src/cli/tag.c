/* muster tag: SWID and CoSWID tags of installed packages, of files that no package owns, and of anything that has a name and a version. */
#include "cli/local.h"
#include "cli/tag_out.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMPLAINTS_SHOWN = 20 };

/* What is asked for: one of these kinds. */
enum subject { SUBJECT_NONE, SUBJECT_NAMES, SUBJECT_ALL, SUBJECT_IDENTIFIERS, SUBJECT_EVIDENCE, SUBJECT_NAMED, SUBJECT_PACKAGE_FILE, SUBJECT_TOO_MANY };

struct tagging {
    struct cli *cli;
    struct tag_out out;
    struct agent_tag_style style;
    struct agent_tag_taker taker;
    struct swid_creator creator;
    struct swid_product product;
    struct pkg_platform platform;
    struct wr os; /* what --os says, blanks as _ */
    struct agent_tags *tags;
    bool *names_found; /* one an argument */
    unsigned complaints;
    size_t left_out;  /* files of the tag that is written now, */
    struct wr first;  /* and the first of them */
    bool found, partial;
};

/* ---- where tags go ---------------------------------------------------------------------------------------------------- */

static struct swid_sink *begin_tag(void *context, const struct journal_record *r)
{
    struct tagging *t = context;
    (void)r;
    return tag_out_document(&t->out);
}

static void say(struct tagging *t, const struct journal_record *r, const char *what)
{
    if (++t->complaints <= COMPLAINTS_SHOWN)
        cli_fail(t->cli, EXIT_UNKNOWN, "%.*s: %s", (int)r->name.n, (const char *)r->name.p, what);
    else if (t->complaints == COMPLAINTS_SHOWN + 1)
        cli_fail(t->cli, EXIT_UNKNOWN, "more tags lack files than are named here");
}

static void complain(void *context, const struct journal_record *r, struct bytes path, const char *what)
{
    struct tagging *t = context;
    if (path.n == 0)
        say(t, r, what);
    else if (t->left_out++ == 0)
        wr_fmt(&t->first, "%.*s: %s", (int)path.n, (const char *)path.p, what);
}

static bool end_tag(void *context, const struct journal_record *r, bool whole)
{
    struct tagging *t = context;
    if (t->left_out > 1)
        wr_fmt(&t->first, "; and %zu more of its files are not in the tag", t->left_out - 1);
    if (t->left_out)
        say(t, r, wr_string(&t->first));
    t->left_out = 0;
    wr_reset(&t->first);
    bool written = tag_out_document_end(&t->out, r->name, r->version, t->style.product ? (struct bytes){0} : r->software_id);
    t->partial |= !whole || t->out.lossy;
    return written;
}

/* ---- options --------------------------------------------------------------------------------------------------------------- */

static bool read_hashes(struct tagging *t)
{
    static const char *const names[] = {"sha256", "sha384", "sha512"};
    const char *given = cli_value(t->cli, "hash");
    struct bytes rest = bytes_of(given ? given : "sha256");
    while (rest.p) {
        struct bytes name = bytes_split(&rest, ',');
        unsigned bit = 0;
        for (unsigned i = 0; i < ARRAY_LENGTH(names); i++)
            bit |= bytes_equal(name, bytes_of(names[i])) ? 1U << i : 0;
        if (!bit) {
            cli_usage(t->cli, "--hash takes a list of sha256, sha384 and sha512, as in sha256,sha512, not \"%s\"", given);
            return false;
        }
        t->style.hashes |= bit;
    }
    return true;
}

/* A creator's regid is a URI, and "__" ends it in an identifier (SW-R2). */
static bool read_creator(struct tagging *t)
{
    const char *regid = cli_value(t->cli, "regid"), *name = cli_value(t->cli, "entity-name");
    struct bytes ignored[2];
    if (!regid && !name)
        return true;
    t->creator = swid_default_creator;
    t->creator.regid = regid ? regid : t->creator.regid;
    t->creator.name = name ? name : t->creator.name;
    t->style.creator = &t->creator;
    bool good = *t->creator.regid && !swid_software_id_split(bytes_of(t->creator.regid), &ignored[0], &ignored[1]);
    for (const char *p = t->creator.regid; *p; p++)
        good &= (unsigned char)*p > ' ' && !strchr("\"<>\\^`{|}", *p) && *p != 0x7f;
    if (!good)
        cli_usage(t->cli, "--regid takes a name such as example.org, or a URI, without blanks and \"__\", not \"%s\"", t->creator.regid);
    else if (!*t->creator.name)
        cli_usage(t->cli, "--entity-name is empty");
    return good && *t->creator.name;
}

static void read_product(struct tagging *t, bool needed)
{
    const char *os = cli_value(t->cli, "os"), *arch = cli_value(t->cli, "arch"), *prefix = cli_value(t->cli, "id-prefix");
    if (!needed && !os && !arch && !prefix)
        return;
    pkg_platform_read(cli_root(t->cli), &t->platform);
    t->product = (struct swid_product){bytes_of(t->platform.name), bytes_of(t->platform.version), bytes_of(t->platform.machine)};
    for (const char *p = os; p && *p; p++)
        wr_u8(&t->os, *p == ' ' ? '_' : (uint8_t)*p);
    if (os) {
        t->product.os_name = wr_view(&t->os);
        t->product.os_version = BYTES("");
    }
    if (arch)
        t->product.machine = bytes_of(arch);
    if (prefix)
        t->product.prefix = bytes_of(prefix);
    t->style.product = &t->product;
}

/* What goes into an identifier: without blanks (SW-R2, RFC 8412 §6.1.2) and, CW-R6 of CoSWID, RFC 9393 §2.3, without "__". */
static bool check_part(const struct tagging *t, const char *option)
{
    const char *value = cli_value(t->cli, option);
    bool good = !value || (utf8_valid(bytes_of(value)) && !strstr(value, "__"));
    for (const char *p = value; good && p && *p; p++)
        good = (unsigned char)*p > ' ' && *p != 0x7f;
    if (!good)
        cli_usage(t->cli, "--%s stands in the tagId, which has neither blanks nor \"__\": not \"%s\"", option, value);
    return good;
}

/* xs:language, as XML Schema has it: words of letters and digits, of letters alone in front (BCP 47). */
static bool check_lang(const struct tagging *t)
{
    const char *lang = cli_value(t->cli, "lang");
    struct bytes rest = bytes_of(lang);
    bool good = true;
    for (bool first = true; lang && good && rest.p; first = false) {
        struct bytes word = bytes_split(&rest, '-');
        good = word.n >= 1 && word.n <= 8;
        for (size_t i = 0; i < word.n; i++)
            good &= first ? isalpha(word.p[i]) != 0 : isalnum(word.p[i]) != 0;
    }
    if (!good)
        cli_usage(t->cli, "--lang takes a language such as en, de-CH or zh-Hans, not \"%s\"", lang);
    return good;
}

static bool check_cache(const struct tagging *t, enum subject subject)
{
    bool packages = subject == SUBJECT_NAMES || subject == SUBJECT_ALL || subject == SUBJECT_IDENTIFIERS;
    if (!cli_given(t->cli, "cache") || (packages && t->style.full))
        return true;
    cli_usage(t->cli, "--cache keeps the hashes of installed packages' files, which are read with --full alone");
    return false;
}

static bool read_style(struct tagging *t, enum subject subject)
{
    const char *about = cli_value(t->cli, "meta-for");
    bool about_package = about && strcmp(about, "package") == 0;
    t->style = (struct agent_tag_style){.lang = cli_value(t->cli, "lang"),
                                        .about_package = about_package,
                                        .bare = cli_flag(t->cli, "bare"),
                                        .full = cli_flag(t->cli, "full") || subject == SUBJECT_EVIDENCE,
                                        .hierarchic = cli_flag(t->cli, "hierarchic"),
                                        .root = cli_root(t->cli),
                                        .cache = cli_value(t->cli, "cache")};
    t->taker = (struct agent_tag_taker){.context = t, .begin = begin_tag, .end = end_tag, .complain = complain};
    if (about && !about_package && strcmp(about, "os") != 0) {
        cli_usage(t->cli, "--meta-for takes os or package, not \"%s\"", about);
        return false;
    }
    if (!read_hashes(t) || !read_creator(t) || !check_lang(t) || !check_part(t, "id-prefix") || !check_part(t, "arch") || !check_cache(t, subject))
        return false;
    read_product(t, subject == SUBJECT_EVIDENCE || subject == SUBJECT_NAMED || subject == SUBJECT_PACKAGE_FILE);
    return true;
}

static enum subject subject_of(const struct cli *cli)
{
    bool evidence = cli_nth(cli, "evidence", 0), packed = cli_nth(cli, "package-file", 0), named = cli_value(cli, "name") || cli_value(cli, "version-string");
    enum subject subject = SUBJECT_NONE;
    const struct {
        bool given;
        enum subject subject;
    } rows[] = {
        {cli_argument_count(cli) > 0 && !packed, SUBJECT_NAMES}, {cli_flag(cli, "all"), SUBJECT_ALL},
        {cli_nth(cli, "software-id", 0), SUBJECT_IDENTIFIERS}, {evidence, SUBJECT_EVIDENCE},
        {named && !evidence, SUBJECT_NAMED}, {packed, SUBJECT_PACKAGE_FILE},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (rows[i].given)
            subject = subject == SUBJECT_NONE ? rows[i].subject : SUBJECT_TOO_MANY;
    return subject;
}

/* ---- packages ---------------------------------------------------------------------------------------------------------------- */

static bool put(void *context, const struct journal_record *r)
{
    return agent_tags_put(((struct tagging *)context)->tags, r);
}

static bool put_named(void *context, const struct journal_record *r)
{
    struct tagging *t = context;
    for (unsigned i = 0; i < cli_argument_count(t->cli); i++)
        if (bytes_equal(r->name, bytes_of(cli_argument(t->cli, i)))) {
            t->names_found[i] = true;
            return agent_tags_put(t->tags, r);
        }
    return true;
}

/* Who is gone has the pro-forma tag, unless somebody of the same identifier is here. */
static bool put_found(void *context, const struct journal_record *r)
{
    struct tagging *t = context;
    if (!r->installed && t->found)
        return true;
    t->found = true;
    return agent_tags_put(t->tags, r);
}

static int put_identifiers(struct tagging *t, struct journal *journal, enum journal_status *status, struct error *error)
{
    int code = EXIT_DONE;
    const char *id;
    for (unsigned i = 0; *status == JOURNAL_OK && (id = cli_nth(t->cli, "software-id", i)); i++) {
        t->found = false;
        *status = journal_find(journal, bytes_of(id), put_found, t, error);
        if (*status == JOURNAL_OK && !t->found)
            code = cli_fail(t->cli, EXIT_NOT_FOUND, "nothing here carries the identifier %s", id);
    }
    return code;
}

static int say_missing_names(struct tagging *t)
{
    int code = EXIT_DONE;
    for (unsigned i = 0; i < cli_argument_count(t->cli); i++)
        if (!t->names_found[i])
            code = cli_fail(t->cli, EXIT_NOT_FOUND, "no package named %s is installed", cli_argument(t->cli, i));
    return code;
}

static int put_packages(struct tagging *t, enum subject subject, struct journal *journal)
{
    struct error error = {""};
    enum journal_status status = JOURNAL_OK;
    int code = EXIT_DONE;
    if (subject == SUBJECT_IDENTIFIERS)
        code = put_identifiers(t, journal, &status, &error);
    else
        status = journal_each_record(journal, JOURNAL_INSTALLED, TIME_UNKNOWN, subject == SUBJECT_ALL ? put : put_named, t, &error);
    bool whole = agent_tags_flush(t->tags);
    if (t->out.ended)
        return t->out.code;
    if (!whole)
        return cli_fail(t->cli, EXIT_INTERNAL, "out of memory, or a package has more files than fit it");
    /* What could not be read was said when the journal was opened. */
    if (status != JOURNAL_OK && status != JOURNAL_INCOMPLETE)
        return cli_fail(t->cli, local_exit(status), "%s", error.text);
    return subject == SUBJECT_NAMES ? say_missing_names(t) : code;
}

/* Packages are those that are there now: a tag that mixes an old version with new files would be a lie. */
static int tag_packages(struct tagging *t, enum subject subject)
{
    struct local local;
    struct error error = {""};
    int code = local_open(t->cli, TIME_UNKNOWN, true, &local);
    if (code == EXIT_DONE) {
        t->tags = agent_tags_begin(&t->style, &t->taker, &error);
        code = t->tags && !error.text[0] ? put_packages(t, subject, local.journal) : cli_fail(t->cli, EXIT_USAGE, "%s", error.text);
        agent_tags_end(t->tags, subject == SUBJECT_ALL && code == EXIT_DONE);
    }
    local_close(&local);
    return code == EXIT_DONE && (t->partial || local.incomplete) ? EXIT_UNKNOWN : code;
}

/* ---- what no package manager knows --------------------------------------------------------------------------------------------- */

/* As it is given, if it is absolute and needs no thought. NULL: it was said why. */
static char *absolute(const struct tagging *t, const char *path)
{
    bool plain = *path == '/' && !strstr(path, "/../") && !strstr(path, "//") && !strstr(path, "/./");
    size_t n = strlen(path);
    if (!plain && strcmp(t->style.root, "/") != 0) {
        cli_usage(t->cli, "--evidence below --root takes an absolute path without \"..\", not \"%s\"", path);
        return NULL;
    }
    char *found = plain ? strdup(path) : realpath(path, NULL);
    if (!found)
        cli_fail(t->cli, EXIT_NOT_FOUND, "%s: there is no such file or folder", path);
    for (; found && plain && n > 1 && found[n - 1] == '/'; n--)
        found[n - 1] = 0;
    return found;
}

/* swidGenerator's defaults. */
static void name_evidence(struct tagging *t, struct journal_record *r, const char *path, struct wr *name)
{
    const char *given = cli_value(t->cli, "name"), *version = cli_value(t->cli, "version-string");
    const struct swid_product *p = &t->product;
    wr_str(name, given ? given : path);
    if (!given) {
        wr_str(name, "_");
        wr_bytes(name, p->os_name);
        wr_str(name, p->os_version.n ? "_" : "");
        wr_bytes(name, p->os_version);
    }
    r->name = wr_view(name);
    r->version = bytes_of(version ? version : "1.0.0");
}

static int put_evidence(struct tagging *t, char **paths, size_t count)
{
    struct error error = {""};
    struct journal_record r = {.since = TIME_UNKNOWN};
    struct wr name = wr_of(0);
    name_evidence(t, &r, paths[0], &name);
    bool made = agent_tags_evidence(&t->style, &t->taker, &r, (const char *const *)paths, count, cli_value(t->cli, "new-root"), &error);
    wr_free(&name);
    return made           ? EXIT_DONE
           : t->out.ended ? t->out.code
                          : cli_fail(t->cli, EXIT_NOT_FOUND, "%s", error.text[0] ? error.text : "out of memory");
}

static int tag_evidence(struct tagging *t)
{
    size_t count = 0, wanted = 0;
    const char *given;
    int code = EXIT_DONE;
    while (cli_nth(t->cli, "evidence", (unsigned)wanted))
        wanted++;
    char **paths = calloc(wanted + 1, sizeof *paths);
    if (!paths)
        return cli_fail(t->cli, EXIT_INTERNAL, "out of memory");
    for (; code == EXIT_DONE && (given = cli_nth(t->cli, "evidence", (unsigned)count)); count++)
        if (!(paths[count] = absolute(t, given)))
            code = *given == '/' || strcmp(t->style.root, "/") == 0 ? EXIT_NOT_FOUND : EXIT_USAGE;
    if (code == EXIT_DONE)
        code = put_evidence(t, paths, count);
    for (size_t i = 0; i < count; i++)
        free(paths[i]);
    free(paths);
    return code == EXIT_DONE && t->partial ? EXIT_UNKNOWN : code;
}

/* The pro-forma tag of a software that is nowhere. */
static int tag_named(struct tagging *t)
{
    struct error error = {""};
    struct journal_record r = {.since = TIME_UNKNOWN};
    const char *name = cli_value(t->cli, "name"), *version = cli_value(t->cli, "version-string");
    if (!name || !version || !*name || !*version)
        return cli_usage(t->cli, "a tag of a name wants both --name N and --version-string V");
    if (t->style.full)
        return cli_usage(t->cli, "a name has no files: --full is for packages, --evidence for files");
    r.name = bytes_of(name);
    r.version = bytes_of(version);
    t->tags = agent_tags_begin(&t->style, &t->taker, &error);
    bool done = t->tags && agent_tags_put(t->tags, &r) && agent_tags_flush(t->tags);
    agent_tags_end(t->tags, false);
    return done ? EXIT_DONE : t->out.ended ? t->out.code : cli_fail(t->cli, EXIT_INTERNAL, "%s", t->tags ? "out of memory" : error.text);
}

static int make(struct tagging *t, enum subject subject)
{
    int code = read_style(t, subject) ? tag_out_begin(&t->out, t->cli, "tag") : EXIT_USAGE;
    if (code != EXIT_DONE)
        return code;
    t->out.hashes = t->style.full ? t->style.hashes : 0;
    code = subject == SUBJECT_EVIDENCE       ? tag_evidence(t)
           : subject == SUBJECT_NAMED        ? tag_named(t)
           : subject == SUBJECT_PACKAGE_FILE ? tag_package_files(t->cli, &t->style, &t->taker)
                                             : tag_packages(t, subject);
    code = t->out.ended ? t->out.code : code;
    tag_out_end(&t->out);
    return code;
}

static int run(struct cli *cli)
{
    struct tagging t = {.cli = cli, .os = wr_of(0), .first = wr_of(0)};
    enum subject subject = subject_of(cli);
    if (subject == SUBJECT_NONE)
        return cli_usage(cli, "of what? Give names of packages, --all, --software-id ID, --evidence PATH, --package-file FILE, or --name N with "
                              "--version-string V");
    if (subject == SUBJECT_TOO_MANY)
        return cli_usage(cli, "one at a time: names of packages, --all, --software-id, --evidence, --package-file, or --name with "
                              "--version-string");
    t.names_found = calloc(cli_argument_count(cli) + 1U, sizeof *t.names_found);
    int code = t.names_found ? make(&t, subject) : cli_fail(cli, EXIT_INTERNAL, "out of memory");
    free(t.names_found);
    wr_free(&t.os);
    wr_free(&t.first);
    return code;
}

static const struct cli_option options[] = {
    {"all", NULL, "tags of all installed packages"},
    {"software-id", "ID", "the tag of whatever carries this software identifier, installed or removed; may be repeated"},
    {"package-file", "FILE", "the tag that the package in this file (.deb, .rpm, .pkg.tar.*, .apk) would have here, and of those in all FILEs behind it: *.deb"},
    {"evidence", "PATH", "a tag with these files, or all files in this folder, as Evidence; may be repeated"},
    {"new-root", "PATH", "this stands in the tag in place of the evidence's own path"},
    {"name", "N", "the software's name: of evidence, or of a tag without files"},
    {"version-string", "V", "its version (evidence: 1.0.0 by default)"},
    {"full", NULL, "with every file of the package, its size and hashes, as Payload"},
    {"hash", "LIST", "hashes of files: any of sha256,sha384,sha512 (default: sha256)"},
    {"hierarchic", NULL, "folders within one another, not each by its whole path"},
    TAG_OUT_OPTIONS,
    {"meta-for", "WHAT", "os (the default): Meta tells the operating system; package: the package and its upstream version"},
    {"bare", NULL, "without Muster's own attributes (architecture, source package, what an identifier folds)"},
    {"regid", "REGID", "the tag creator (default: strongswan.org, so that existing databases match)"},
    {"entity-name", "NAME", "the tag creator's name (default: strongSwan Project)"},
    {"id-prefix", "TEXT", "stands in the tagId in place of {OS}_{VERSION}-{arch}-"},
    {"os", "OS", "the system in the tagId and in Meta, blanks as _"},
    {"arch", "ARCH", "the machine in the tagId and in Meta"},
    {"lang", "TAG", "xml:lang of the tag (default: en-US)"},
    {"cache", "FILE", "with --full: keep hashes there, so that a file which did not change since is not read again"},
    {NULL, NULL, NULL},
};

const struct cli_command cli_tag = {
    .noun = "tag",
    .arguments = "[NAME...|FILE...]",
    .summary = "SWID or CoSWID tags of installed packages, of files that no package owns, or of a name; exit 3 if a file could not be measured",
    .more = "Of a symbolic link the tag has, under the link's own name, the file that it leads to: a package's anywhere below --root, one of evidence below\n"
            "its own PATH alone, from where absolute ones are taken, too. Links that lead to a folder, elsewhere or nowhere are left out, and no folder is\n"
            "entered through one. Evidence of a folder tells that it was all: muster tag verify finds what is added to it, also in folders that were empty or\n"
            "are new. Of a single file's neighbours it tells nothing.",
    .program = "muster-package",
    .heavy = "package-file",
    .max_arguments = CLI_ANY,
    .options = options,
    .run = run,
};
