/* muster file: which packages a file belongs to, and which endpoints have them. */
#include "cli/commands.h"
#include "cli/rest.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

extern const struct cli_command cli_file;

#define SHA256_TEXT 65

static bool is_digest(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdefABCDEF") == 64;
}

static bool hash(int fd, EVP_MD_CTX *c, char text[SHA256_TEXT])
{
    uint8_t buffer[1 << 16], digest[EVP_MAX_MD_SIZE];
    ssize_t n = 0;
    bool good = c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1;
    while (good && (n = read(fd, buffer, sizeof buffer)) > 0)
        good = EVP_DigestUpdate(c, buffer, (size_t)n) == 1;
    struct wr w = wr_of(SHA256_TEXT);
    if (good && n == 0 && EVP_DigestFinal_ex(c, digest, NULL) == 1)
        for (size_t i = 0; i < 32; i++)
            wr_fmt(&w, "%02x", digest[i]);
    good = w.n == SHA256_TEXT - 1;
    if (good)
        memcpy(text, wr_string(&w), SHA256_TEXT);
    wr_free(&w);
    return good;
}

/* A digest as it is, or the digest of a file here. EXIT_DONE, or what was said. */
static int read_subject(struct cli *cli, char text[SHA256_TEXT])
{
    const char *subject = cli_argument(cli, 0);
    if (is_digest(subject)) {
        memcpy(text, subject, SHA256_TEXT);
        return EXIT_DONE;
    }
    int fd = open(subject, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cli_fail(cli, errno == ENOENT ? EXIT_NOT_FOUND : EXIT_USAGE,
                        "%s: %s; give a file, or a SHA-256 in hexadecimal", subject, strerror(errno));
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool good = hash(fd, c, text);
    int why = errno;
    EVP_MD_CTX_free(c);
    close(fd);
    return good ? EXIT_DONE : cli_fail(cli, EXIT_USAGE, "%s: cannot be read: %s", subject, strerror(why));
}

/* ---- printing ---------------------------------------------------------------------------------------------------- */

struct output {
    struct cli *cli;
    struct json *json;
    size_t items;
};

static void put_cells(struct wr *w, bool plain, const json_t *item, const char *endpoint, bool told)
{
    static const struct {
        const char *key;
        size_t width;
    } columns[] = {{"kind", 9}, {"path", 40}, {"package", 24}, {"version", 20}};
    for (size_t i = 0; i < ARRAY_LENGTH(columns); i++) {
        rest_put(w, item, columns[i].key, plain ? 0 : columns[i].width);
        wr_u8(w, plain ? '\t' : ' ');
    }
    cli_put_cell(w, bytes_of(endpoint), 0);
    if (plain)
        wr_str(w, !*endpoint ? "\t" : told ? "\ttold" : "\tpackage");
    else
        wr_str(w, told ? " (told it)" : "");
    wr_u8(w, '\n');
}

static bool put_item(void *context, const json_t *item)
{
    struct output *o = context;
    struct wr *w = cli_out(o->cli);
    bool plain = cli_plain(o->cli);
    const json_t *endpoints = json_object_get(item, "endpoints"), *e;
    size_t i;
    if (o->items++ == 0 && !o->json && !plain)
        wr_str(w, "KIND      PATH                                     PACKAGE                  VERSION              "
                  "ENDPOINT\n");
    if (o->json) {
        rest_copy(o->json, NULL, item);
        return w->n < ((size_t)64 << 10) || cli_flush(o->cli);
    }
    json_array_foreach(endpoints, i, e) put_cells(w, plain, item, json_string_value(json_object_get(e, "name")),
                                                  json_is_true(json_object_get(e, "told")));
    if (json_array_size(endpoints) == 0)
        put_cells(w, plain, item, "", false);
    if (json_is_true(json_object_get(item, "more_endpoints")) && !plain)
        wr_str(w, "…and more endpoints\n");
    return w->n < ((size_t)64 << 10) || cli_flush(o->cli);
}

static int run_file(struct cli *cli)
{
    int status;
    struct json j;
    char text[SHA256_TEXT];
    struct output o = {.cli = cli};
    if ((status = read_subject(cli, text)) != EXIT_DONE)
        return status;
    struct rest *r = rest_open(cli, &status);
    if (!r)
        return status;
    if (cli_json(cli)) {
        j = cli_json_begin(cli, "file");
        json_str(&j, "sha256", text);
        json_array_begin(&j, "items");
        o.json = &j;
    }
    struct wr question = wr_of(200);
    wr_fmt(&question, "/api/v1/files?sha256=%s", text);
    bool done = rest_each(r, wr_string(&question), put_item, &o, &status);
    if (done && o.json) {
        json_array_end(&j);
        json_object_end(&j);
        wr_u8(cli_out(cli), '\n');
    }
    if (done && o.items == 0)
        status = cli_fail(cli, EXIT_NOT_FOUND, "no tag that the server knows tells a file with the SHA-256 %s", text);
    else if (done)
        status = EXIT_DONE;
    wr_free(&question);
    rest_close(r);
    return status;
}

static const struct cli_option options[] = {REST_OPTIONS, {NULL, NULL, NULL}};
const struct cli_command cli_file = {
    CLI_FILE,
    .plain = "kind (reference, reported, deviation), path, package, version, endpoint that has it now, whether it told "
             "it itself (told) or has the "
             "package (package); a line an endpoint, one with both empty if nobody has it",
    .more = "A tag of the kind reference was imported, one reported is an endpoint's word; a deviation is what an "
            "endpoint told otherwise than the\n"
            "tag of its package.",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = options,
    .run = run_file,
};
