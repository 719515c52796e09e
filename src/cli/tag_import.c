/* muster tag import: tags, and packages whose tags are made here, become the server's references. */
#include "agent/agent.h"
#include "cli/commands.h"
#include "cli/package.h"
#include "cli/rest.h"
#include "cli/tag_input.h"
#include "swid/swid.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

extern const struct cli_command cli_tag_import;

struct import {
    struct cli *cli;
    struct rest *rest;
    struct json *json; /* NULL: lines for people */
    struct pkg_platform platform;
    struct swid_product product;
    bool several; /* which one of them cannot be used is to be said */
    struct wr tag;
    struct swid_xml xml;
};

/* ---- the tag of a package file ----------------------------------------------------------------------------------- */

static struct swid_sink *begin_tag(void *context, const struct journal_record *r)
{
    struct import *im = context;
    (void)r;
    wr_reset(&im->tag);
    im->xml = swid_xml_of(&im->tag, SWID_LINE);
    im->xml.hashes = SWID_HASH_SHA256;
    return &im->xml.sink;
}

static bool end_tag(void *context, const struct journal_record *r, bool whole)
{
    const struct import *im = context;
    (void)r, (void)whole;
    return !im->tag.bad && im->xml.sink.failed == SWID_OK;
}

static int read_package(struct import *im, const char *path)
{
    struct package_contents contents;
    struct error error = {""};
    const struct agent_tag_style style = {.product = &im->product, .full = true, .hashes = MEASURE_SHA256, .root = "/"};
    const struct agent_tag_taker taker = {.context = im, .begin = begin_tag, .end = end_tag};
    enum pkg_status status = package_contents_read(&contents, path, MEASURE_SHA256, &error);
    if (status != PKG_OK)
        return cli_fail(im->cli, package_exit(status, path), "%s: %s", path, error.text);
    int judged = package_judge(im->cli, path, &contents);
    bool put = judged == EXIT_DONE && package_put_tag(&contents, &style, &taker);
    package_contents_free(&contents);
    if (judged != EXIT_DONE) /* it is no reference for anybody */
        return judged;
    return put ? EXIT_DONE : cli_fail(im->cli, EXIT_INTERNAL, "%s: its tag cannot be made", path);
}

/* ---- sending ----------------------------------------------------------------------------------------------------- */

/* CoSWID: a map, or one with a tag (RFC 8949 §3.1); no package file begins so. */
static bool is_cbor(struct bytes b)
{
    return b.n && (b.p[0] >> 5 == 5 || b.p[0] >> 5 == 6);
}

static bool is_xml(struct bytes b)
{
    struct bytes text = bytes_trim(b);
    return text.n == 0 || bytes_starts(text, BYTES("<")) || bytes_starts(b, BYTES("\xef\xbb\xbf<"));
}

/* What is neither XML nor CBOR; a file that cannot be read is none, and says why when it is read. */
static bool is_package(const char *path)
{
    uint8_t octets[4];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, octets, sizeof octets);
    if (fd >= 0)
        close(fd);
    struct bytes b = {octets, n > 0 ? (size_t)n : 0};
    return b.n && !is_xml(b) && !is_cbor(b);
}

static void say(struct import *im, const char *path, const json_t *answer)
{
    struct wr *w = cli_out(im->cli);
    static const char *const keys[] = {"software_id", "files", "software"};
    if (im->json) {
        json_object_begin(im->json, NULL);
        json_str(im->json, "file", path);
        for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
            rest_copy(im->json, keys[i], json_object_get(answer, keys[i]));
        json_object_end(im->json);
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        rest_put(w, answer, keys[i], 0);
        wr_str(w, i ? cli_plain(im->cli) ? "\t" : " files, from " : cli_plain(im->cli) ? "\t" : ": reference with ");
    }
    cli_put_cell(w, bytes_of(path), 0);
    wr_u8(w, '\n');
}

static int send_tag(struct import *im, const char *path, struct bytes tag)
{
    int status;
    if (tag.n > SWID_FULL_TAG_MAX)
        return cli_usage(im->cli, "%s: larger than %d MiB", path, SWID_FULL_TAG_MAX >> 20);
    if (!is_xml(tag) && !is_cbor(tag)) /* the first octets of standard input cannot be put back for who reads packages */
        return cli_usage(im->cli, "%s holds no tag here; a package file is imported by its name, not from standard input", path);
    json_t *answer = rest_send(im->rest, "/api/v1/tags",
                               is_cbor(tag) ? "application/swid+cbor" : "application/swid+xml", tag, &status);
    if (!answer)
        return status;
    say(im, path, answer);
    json_decref(answer);
    return EXIT_DONE;
}

static int import_failed(struct import *im, const char *label, int status)
{
    return im->several ? cli_fail(im->cli, status, "%s: not imported", label) : status;
}

/* All tags that stand there, one after the other. One that cannot be used does not keep the others back; the first fault is the exit status. */
static int import_tags(struct import *im, const char *path)
{
    struct tag_input in;
    struct bytes tag;
    int code = tag_input_open(&in, im->cli, path), result = code;
    while (code == EXIT_DONE && tag_input_next(&in, &tag, &code)) {
        im->several |= !in.over;
        int status = send_tag(im, in.label, tag);
        if (status != EXIT_DONE)
            import_failed(im, in.label, status);
        result = result == EXIT_DONE ? status : result;
    }
    tag_input_close(&in);
    if (code != EXIT_DONE)
        import_failed(im, path, code);
    return result == EXIT_DONE ? code : result;
}

static int import_package(struct import *im, const char *path)
{
    wr_reset(&im->tag);
    int status = read_package(im, path);
    if (status == EXIT_DONE)
        status = send_tag(im, path, wr_view(&im->tag));
    return status == EXIT_DONE ? status : import_failed(im, path, status);
}

/* --os and --arch as in muster tag: what the identifiers of the endpoints begin with. */
static void read_product(struct import *im, struct wr *os)
{
    const char *given = cli_value(im->cli, "os"), *arch = cli_value(im->cli, "arch"),
               *prefix = cli_value(im->cli, "id-prefix");
    pkg_platform_read(cli_root(im->cli), &im->platform);
    im->product = (struct swid_product){
        bytes_of(im->platform.name), bytes_of(im->platform.version), bytes_of(im->platform.machine), {NULL, 0}};
    for (const char *p = given; p && *p; p++)
        wr_u8(os, *p == ' ' ? '_' : (uint8_t)*p);
    if (given) {
        im->product.os_name = wr_view(os);
        im->product.os_version = BYTES("");
    }
    if (arch)
        im->product.machine = bytes_of(arch);
    if (prefix)
        im->product.prefix = bytes_of(prefix);
}

/* A file that cannot be used does not keep the others back; the first fault is the exit status. */
static int run_import(struct cli *cli)
{
    int status, result = EXIT_DONE;
    struct json j;
    struct import im = {.cli = cli, .tag = wr_of(SWID_FULL_TAG_MAX)};
    struct wr os = wr_of(1000);
    if (!(im.rest = rest_open(cli, &status)))
        return status;
    read_product(&im, &os);
    if (cli_json(cli)) {
        j = cli_json_begin(cli, "tag-import");
        json_array_begin(&j, "items");
        im.json = &j;
    }
    im.several = cli_argument_count(cli) > 1;
    for (unsigned i = 0; i < cli_argument_count(cli); i++) {
        const char *path = cli_argument(cli, i);
        status = strcmp(path, "-") != 0 && is_package(path) ? import_package(&im, path) : import_tags(&im, path);
        result = result == EXIT_DONE ? status : result;
    }
    if (im.json) {
        json_array_end(&j);
        json_object_end(&j);
        wr_u8(cli_out(cli), '\n');
    }
    rest_close(im.rest);
    wr_free(&im.tag);
    wr_free(&os);
    return result;
}

static const struct cli_option options[] = {
    {"os", "OS", "the system that the packages are for, as in Debian_12 (default: this machine's)"},
    {"arch", "ARCH", "its architecture, as uname -m tells it (default: this machine's)"},
    {"id-prefix", "TEXT", "what stands in tag identifiers in place of system and architecture"},
    REST_OPTIONS,
    {NULL, NULL, NULL},
};
const struct cli_command cli_tag_import = {
    CLI_TAG_IMPORT,
    .plain = "software identifier, files, the file that it came from",
    .more = "A reference is the tag of its software in every answer, whatever endpoints report, and what they tell of "
            "their files is compared with\n"
            "it: see muster endpoint show, and serve --verify. A package whose files are not what it says itself is "
            "refused.\n"
            "A file may hold several tags, one after the other. - is standard input, for tags alone.",
    .min_arguments = 1,
    .max_arguments = 64,
    .options = options,
    .run = run_import,
};
