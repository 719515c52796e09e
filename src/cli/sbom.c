/* muster sbom: a bill of materials of this machine, now or at a past moment. */
#include "cli/local.h"
#include "cli/output.h"
#include "cli/sbom.h"
#include "measure/measure.h"
#include "net/net.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct sbom {
    struct cli *cli;
    const struct swid_bill_format *format;
    struct pkg_catalogue *catalogue;
    const struct pkg_item *items;
    struct pkg_platform platform;
    struct swid_bill bill;
    struct local_complaints complaints;
    struct arena tag;  /* what the tag at hand says */
    struct wr tag_ids; /* of all items, a line each: components are asked for once for each that depends on them */
    size_t *tag_starts;
    /* files */
    unsigned hash; /* enum measure_hash; 0: what the package managers say */
    struct pkg_files files[PKG_MANAGERS_MAX]; /* of each row of pkg_managers[] */
    struct measure *measure;
    bool (*take)(void *to, const struct swid_bill_file *f);
    void *to;
    unsigned unread;  /* files that could not be measured */
    uint64_t unknown; /* packages of which it is not known whether they were there then */
    bool stopped;
    struct output output;
    struct wr out; /* what goes there next */
};

/* ---- what is installed -------------------------------------------------------------------------------------------------- */

static void complain(void *context, const char *file, size_t line, const char *what, bool unreadable)
{
    struct sbom *s = context;
    s->bill.incomplete |= unreadable;
    local_complain(&s->complaints, file, line, what);
}

static bool add_record(void *context, const struct journal_record *r)
{
    struct sbom *s = context;
    const struct pkg_manager *m = pkg_manager_by_source(r->source);
    s->unknown += r->state == PKG_STATE_UNKNOWN;
    const struct pkg_tag tag = {.software_id = r->software_id};
    const struct pkg_package p = {
        .name = r->name,
        .version = r->version,
        .arch = r->arch,
        .source_name = r->source_name,
        .source_version = r->source_version,
        .state = r->state,
        .installed_at = TIME_UNKNOWN,
        .tag = r->tag.p ? &tag : NULL,
    };
    return !m || pkg_catalogue_add(s->catalogue, m, &p);
}

static bool read_tag(void *context, struct pkg_package *p, struct pkg_tag *tag, struct error *error)
{
    return agent_read_tag(&((struct sbom *)context)->tag, p, tag, error);
}

/* The past is the journal's. */
static int read_past(struct sbom *s)
{
    struct local local;
    struct error error = {""};
    int code = local_open(s->cli, s->bill.at, false, &local);
    if (code == EXIT_DONE) {
        enum journal_status status =
            journal_each_record(local.journal, JOURNAL_INSTALLED | JOURNAL_UNKNOWN, s->bill.at, add_record, s, &error);
        code = local_read_exit(&local, status, &error, local_say_unknown(&local, s->bill.at, s->unknown));
    }
    local_close(&local);
    s->bill.incomplete |= code == EXIT_UNKNOWN;
    return code == EXIT_UNKNOWN ? EXIT_DONE : code;
}

static int read_now(struct sbom *s, const struct pkg_sink *sink)
{
    switch (pkg_catalogue_collect(s->catalogue, cli_root(s->cli), sink)) {
    case PKG_OK:
        return EXIT_DONE;
    case PKG_ABSENT:
        return cli_fail(s->cli, EXIT_UNKNOWN, "%s: no package manager that Muster knows", cli_root(s->cli));
    case PKG_NO_MEMORY:
        return cli_fail(s->cli, EXIT_INTERNAL, "out of memory");
    default:
        s->bill.incomplete = true;
        cli_fail(s->cli, 0, "the packages of one package manager could not be read: the bill is incomplete");
        return EXIT_DONE;
    }
}

static int read_packages(struct sbom *s)
{
    const struct pkg_sink sink = {.context = s, .read_tag = read_tag, .complaint = complain};
    s->catalogue = pkg_catalogue_new();
    if (!s->catalogue)
        return cli_fail(s->cli, EXIT_INTERNAL, "out of memory");
    int code = s->bill.at == TIME_UNKNOWN ? read_now(s, &sink) : read_past(s);
    if (code != EXIT_DONE)
        return code;
    enum pkg_status status = pkg_catalogue_describe(s->catalogue, cli_root(s->cli), &sink);
    if (status == PKG_NO_MEMORY)
        return cli_fail(s->cli, EXIT_INTERNAL, "out of memory");
    s->bill.incomplete |= status != PKG_OK;
    s->items = pkg_catalogue_items(s->catalogue, &s->bill.count);
    return EXIT_DONE;
}

/* ---- what the bill asks ----------------------------------------------------------------------------------------------------- */

static int make_tag_ids(struct sbom *s)
{
    const struct swid_product product = {bytes_of(s->platform.name), bytes_of(s->platform.version), bytes_of(s->platform.machine)};
    struct wr version = wr_of(0);
    s->tag_starts = calloc(s->bill.count + 1, sizeof *s->tag_starts);
    for (size_t i = 0; i < s->bill.count && s->tag_starts; i++) {
        const struct pkg_package *p = &s->items[i].package;
        s->tag_starts[i] = s->tag_ids.n;
        wr_reset(&version);
        pkg_tag_version(s->items[i].manager, &version, p->version, p->arch);
        struct bytes regid, own;
        if (s->items[i].tag_id.n && swid_software_id_split(s->items[i].tag_id, &regid, &own))
            wr_bytes(&s->tag_ids, own);
        else
            swid_tag_id(&s->tag_ids, &product, p->name, wr_view(&version));
        wr_str(&s->tag_ids, "\n");
    }
    bool good = s->tag_starts && !version.bad && !s->tag_ids.bad;
    wr_free(&version);
    return good ? EXIT_DONE : cli_fail(s->cli, EXIT_INTERNAL, "out of memory");
}

static bool tell_component(void *context, size_t i, struct swid_component *c)
{
    const struct sbom *s = context;
    const struct pkg_item *item = &s->items[i];
    const struct pkg_package *p = &item->package;
    struct bytes tags = {s->tag_ids.p + s->tag_starts[i], s->tag_ids.n - s->tag_starts[i]};
    *c = (struct swid_component){
        .manager = bytes_of(item->manager->name),
        .name = p->name,
        .version = p->version,
        .arch = p->arch,
        .source = p->source_name,
        .source_version = p->source_version,
        .twin = item->twin,
        .tag_id = bytes_split(&tags, '\n'),
        .summary = item->summary,
        .homepage = item->homepage,
        .maintainer = item->maintainer,
        .licence = item->licence,
        .state = p->state == PKG_STATE_INSTALLED ? (struct bytes){0} : bytes_of(pkg_state_name(p->state)),
        .library = item->library,
    };
    return true;
}

static size_t tell_depends(void *context, size_t i, const uint32_t **on)
{
    const struct sbom *s = context;
    *on = s->items[i].depends;
    return s->items[i].depend_count;
}

/* Where the manager's list tells paths alone, the disk tells what they are. */
static bool is_regular(const struct sbom *s, const struct pkg_file *f)
{
    char path[PATH_MAX];
    struct stat st;
    const char *root = cli_root(s->cli);
    int n = snprintf(path, sizeof path, "%s%.*s", strcmp(root, "/") == 0 ? "" : root, (int)f->real_path.n, (const char *)f->real_path.p);
    return n > 0 && (size_t)n < sizeof path && lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static bool take_file(void *context, const struct pkg_file *f)
{
    struct sbom *s = context;
    const struct swid_bill_file file = {f->real_path, pkg_hash_name(f->hash), f->digest};
    if (s->measure)
        s->stopped = !measure_file(s->measure, f->real_path, NULL);
    else if (f->kind == PKG_FILE_REGULAR || (f->kind == PKG_FILE_UNKNOWN && is_regular(s, f)))
        s->stopped = !s->take(s->to, &file);
    return !s->stopped;
}

static bool take_measured(void *context, struct bytes path, void *tag, const struct measured *m)
{
    struct sbom *s = context;
    struct swid_bill_file file = {.path = path, .hash = ""};
    (void)tag;
    if (m->state == MEASURE_FILE) {
        file.hash = s->hash == MEASURE_SHA256 ? "sha256" : s->hash == MEASURE_SHA384 ? "sha384" : "sha512";
        file.digest = measured_digest(m, (enum measure_hash)s->hash);
    } else if (m->state == MEASURE_UNREADABLE || m->state == MEASURE_CHANGED) {
        if (s->unread++ == 0)
            cli_fail(s->cli, 0, "%.*s: %s: it is without a hash (further ones are only counted)", (int)path.n, (const char *)path.p,
                     measure_state_name(m->state));
    } else {
        return true; /* no file, or none any more */
    }
    return s->take(s->to, &file);
}

static bool tell_files(void *context, size_t i, bool (*file)(void *to, const struct swid_bill_file *f), void *to)
{
    struct sbom *s = context;
    const struct pkg_item *item = &s->items[i];
    const struct pkg_sink sink = {.context = s, .file = take_file, .complaint = complain};
    struct pkg_files *kept = NULL;
    for (size_t k = 0; k < ARRAY_LENGTH(s->files) && pkg_managers[k]; k++)
        if (pkg_managers[k] == item->manager)
            kept = &s->files[k];
    if (!kept || !item->manager->files || (item->manager->describe && !item->described))
        return true;
    kept->root = cli_root(s->cli);
    s->take = file;
    s->to = to;
    enum pkg_status status = item->manager->files(kept, item->package.name, item->package.arch, item->package.version, &sink);
    s->bill.incomplete |= status != PKG_OK;
    return !s->stopped && (!s->measure || measure_flush(s->measure));
}

/* ---- what it says of itself ---------------------------------------------------------------------------------------------------- */

/* The name that the root was given, hostname(5). */
static struct bytes machine_name(const char *root, char name[256])
{
    char path[4200];
    snprintf(path, sizeof path, "%s/etc/hostname", strcmp(root, "/") == 0 ? "" : root);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
    ssize_t n = fd >= 0 ? read(fd, name, 255) : -1;
    if (fd >= 0)
        close(fd);
    struct bytes rest = {(const uint8_t *)name, n > 0 ? (size_t)n : 0}, line = bytes_trim(bytes_split(&rest, '\n'));
    if (line.n == 0 && strcmp(root, "/") == 0 && gethostname(name, 255) == 0)
        line = bytes_of(name);
    return line.n ? line : BYTES("machine");
}

/* Whoever makes the same bill of the same machine gives it the same name. */
static bool name_bill(struct sbom *s)
{
    struct wr w = wr_of(0);
    struct agent_posture posture;
    uint8_t digest[32] = {0};
    agent_posture_read(cli_root(s->cli), &posture);
    wr_fmt(&w, "%s\n%s\n%u\n", posture.device_id, cli_root(s->cli), s->hash);
    bool good = swid_bill_identify(&s->bill, s->format, &w) && !w.bad && net_sha256(wr_view(&w), digest);
    memcpy(s->bill.uuid, digest, sizeof s->bill.uuid);
    wr_free(&w);
    return good;
}

/* SOURCE_DATE_EPOCH (reproducible-builds.org/specs) takes the clock's place. */
static int read_clock(struct sbom *s)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    uint64_t seconds;
    s->bill.created = time_now();
    if (!epoch || !*epoch)
        return EXIT_DONE;
    if (!bytes_number(bytes_of(epoch), &seconds) || seconds > 253402300799)
        return cli_usage(s->cli, "SOURCE_DATE_EPOCH is to be a number of seconds since 1970, not \"%s\"", epoch);
    s->bill.created = (int64_t)seconds;
    return EXIT_DONE;
}

/* ---- where it goes --------------------------------------------------------------------------------------------------------------- */

static void drain_to_stdout(void *context)
{
    struct sbom *s = context;
    cli_flush(s->cli);
}

static void drain_to_file(void *context)
{
    struct sbom *s = context;
    output_write(&s->output, wr_view(&s->out));
    wr_reset(&s->out);
}

static int write_file(struct sbom *s, const char *path)
{
    struct json j = json_of(&s->out);
    struct error error = {""};
    j.drain = drain_to_file;
    j.context = s;
    if (!output_open(&s->output, path, &error))
        return cli_fail(s->cli, EXIT_USAGE, "%s", error.text);
    bool good = s->format->write(&s->bill, &j);
    wr_str(&s->out, "\n");
    drain_to_file(s);
    if (!output_close(&s->output, good || s->output.failed, &error))
        return cli_fail(s->cli, EXIT_USAGE, "%s", error.text);
    return good ? EXIT_DONE : cli_fail(s->cli, EXIT_INTERNAL, "out of memory");
}

static int write_stdout(struct sbom *s)
{
    struct json j = json_of(cli_out(s->cli));
    j.drain = drain_to_stdout;
    j.context = s;
    bool good = s->format->write(&s->bill, &j);
    wr_str(cli_out(s->cli), "\n");
    return good ? EXIT_DONE : cli_fail(s->cli, EXIT_INTERNAL, "out of memory");
}

/* ---- the command ------------------------------------------------------------------------------------------------------------------- */

static int read_options(struct sbom *s)
{
    static const char *const hashes[] = {"sha256", "sha384", "sha512"}, *const of_a_server[] = {"server", "token-file", "ca"};
    const char *format = cli_value(s->cli, "format"), *hash = cli_value(s->cli, "hash");
    s->format = swid_bill_format_find(format ? format : "cyclonedx");
    if (!s->format)
        return cli_usage(s->cli, "--format takes cyclonedx or spdx, not \"%s\"", format);
    for (unsigned i = 0; i < ARRAY_LENGTH(hashes) && hash; i++)
        s->hash |= strcmp(hash, hashes[i]) == 0 ? 1U << i : 0;
    if (hash && !s->hash)
        return cli_usage(s->cli, "--hash takes sha256, sha384 or sha512, not \"%s\"", hash);
    if (hash || cli_flag(s->cli, "files"))
        s->bill.files = tell_files;
    for (size_t i = 0; i < ARRAY_LENGTH(of_a_server); i++)
        if (cli_value(s->cli, of_a_server[i]))
            return cli_usage(s->cli, "--%s goes with --endpoint ID", of_a_server[i]);
    if (!cli_time(s->cli, "at", &s->bill.at))
        return EXIT_USAGE;
    return read_clock(s);
}

static int begin_measuring(struct sbom *s)
{
    const struct measure_options options = {
        .root = cli_root(s->cli), .hashes = s->hash, .cache = cli_value(s->cli, "cache"), .take = take_measured, .context = s};
    struct error error = {""};
    if (!s->hash)
        return EXIT_DONE;
    s->measure = measure_begin(&options, &error);
    if (!s->measure)
        return cli_fail(s->cli, EXIT_USAGE, "%s", error.text);
    if (error.text[0])
        cli_fail(s->cli, 0, "%s", error.text);
    return EXIT_DONE;
}

static int make_bill(struct sbom *s)
{
    const char *output = cli_value(s->cli, "output");
    char name[256];
    int code = read_packages(s);
    if (code == EXIT_DONE)
        code = begin_measuring(s);
    if (code != EXIT_DONE)
        return code;
    pkg_platform_read(cli_root(s->cli), &s->platform);
    if ((code = make_tag_ids(s)) != EXIT_DONE)
        return code;
    s->bill.name = machine_name(cli_root(s->cli), name);
    s->bill.distribution = (struct swid_distribution){bytes_of(s->platform.id), bytes_of(s->platform.version), bytes_of(s->platform.pretty),
                                                      bytes_of(s->platform.cpe)};
    s->bill.tool = MUSTER_VERSION;
    s->bill.context = s;
    s->bill.component = tell_component;
    s->bill.depends = tell_depends;
    if (!name_bill(s))
        return cli_fail(s->cli, EXIT_INTERNAL, "out of memory");
    code = output ? write_file(s, output) : write_stdout(s);
    return code == EXIT_DONE && (s->bill.incomplete || s->unread) ? EXIT_UNKNOWN : code;
}

static int run(struct cli *cli)
{
    struct sbom s = {.cli = cli, .tag = arena_of(SWID_READ_MAX), .tag_ids = wr_of(0), .out = wr_of(0)};
    int code = read_options(&s);
    if (code == EXIT_DONE)
        code = make_bill(&s);
    measure_end(s.measure, s.bill.at == TIME_UNKNOWN && code == EXIT_DONE);
    for (size_t i = 0; i < ARRAY_LENGTH(s.files); i++)
        pkg_files_end(&s.files[i]);
    local_complaints_end(&s.complaints);
    pkg_catalogue_free(s.catalogue);
    wr_free(&s.tag_ids);
    free(s.tag_starts);
    arena_free(&s.tag);
    wr_free(&s.out);
    return code;
}

const struct cli_command cli_sbom = {
    .noun = "sbom",
    .summary = "a bill of materials of this machine, or of an endpoint, now or at a past moment, with what its packages depend on",
    .options =
        (const struct cli_option[]){
            SBOM_OPTIONS,
            LOCAL_NO_COLLECT,
            {"files", NULL, "with the files of each package and the hashes that its manager knows"},
            {"hash", "ALGORITHM", "with the files of each package and their hashes as measured now: sha256, sha384 or sha512"},
            {"cache", "FILE", "keep hashes there: a file that did not change since is not read again"},
            SBOM_ENDPOINT_OPTIONS,
            {NULL, NULL, NULL},
        },
    .program = "muster-fleet",
    .heavy = "endpoint",
    .run = run,
};
