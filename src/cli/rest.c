#include "cli/rest.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)256 << 20)
#define PAGE       1000
#define FILE_BYTES 4096

struct rest {
    struct cli *cli;
    CURL *curl;
    struct wr answer;
    char url[512];
    char failure[CURL_ERROR_SIZE];
    bool trusts; /* an authority that was named, not the system's */
    bool (*take)(void *context, struct bytes octets); /* a good answer, as it comes; NULL: it is gathered */
    void *context;
};

/* ---- which server, and as whom ----------------------------------------------------------------------------------- */

/* These return an exit status, EXIT_DONE if all went well; else a message was printed. A small file as a string: */
static int read_small(struct cli *cli, const char *path, char text[FILE_BYTES])
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, FILE_BYTES - 1);
    int why = errno;
    if (fd >= 0 && !standard)
        close(fd);
    if (n < 0)
        return cli_fail(cli, EXIT_USAGE, "%s: %s", path, strerror(why));
    text[n] = 0;
    return EXIT_DONE;
}

static int set_token(struct rest *r)
{
    char text[FILE_BYTES];
    const char *file = cli_value(r->cli, "token-file");
    if (!file)
        return cli_usage(r->cli, "--server needs --token-file FILE too");
    int status = read_small(r->cli, file, text);
    if (status != EXIT_DONE)
        return status;
    text[strcspn(text, "\r\n")] = 0;
    bool done = *text && curl_easy_setopt(r->curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER) == CURLE_OK &&
                curl_easy_setopt(r->curl, CURLOPT_XOAUTH2_BEARER, text) == CURLE_OK;
    explicit_bzero(text, sizeof text);
    return done ? EXIT_DONE : cli_fail(r->cli, EXIT_USAGE, "%s: holds no token", file);
}

/* admin.txt: lines "user: NAME" and "password: TEXT" (the administrator that serve made). */
static int set_password(struct rest *r, const char *state)
{
    static const struct {
        const char *key;
        CURLoption option;
    } lines[] = {{"user", CURLOPT_USERNAME}, {"password", CURLOPT_PASSWORD}};
    char path[PATH_MAX], text[FILE_BYTES];
    unsigned found = 0;
    snprintf(path, sizeof path, "%s/admin.txt", state);
    int status = read_small(r->cli, path, text);
    if (status != EXIT_DONE)
        return status;
    struct bytes rest = bytes_of(text);
    while (rest.p) {
        struct bytes line = bytes_split(&rest, '\n'), key = bytes_split(&line, ':');
        for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
            char value[256];
            struct bytes v = bytes_trim(line);
            if (!bytes_equal(bytes_trim(key), bytes_of(lines[i].key)) || v.n == 0 || v.n >= sizeof value)
                continue;
            memcpy(value, v.p, v.n);
            value[v.n] = 0;
            if (curl_easy_setopt(r->curl, lines[i].option, value) == CURLE_OK)
                found |= 1U << i;
            explicit_bzero(value, sizeof value);
        }
    }
    explicit_bzero(text, sizeof text);
    if (found == 3 && curl_easy_setopt(r->curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC) == CURLE_OK)
        return EXIT_DONE;
    return cli_fail(r->cli, EXIT_USAGE, "%s: needs the lines \"user: NAME\" and \"password: …\"", path);
}

/* The one authority that the server's certificate must chain to. */
static int trust(struct rest *r, const char *ca)
{
    r->trusts = true;
    if (curl_easy_setopt(r->curl, CURLOPT_CAINFO, ca) == CURLE_OK &&
        curl_easy_setopt(r->curl, CURLOPT_CAPATH, NULL) == CURLE_OK)
        return EXIT_DONE;
    return cli_fail(r->cli, EXIT_INTERNAL, "the TLS library takes no authority file");
}

/* The server that runs on this state folder says in server.json where it listens. */
static int use_state(struct rest *r)
{
    char path[PATH_MAX];
    const char *state = cli_state(r->cli);
    json_error_t why;
    snprintf(path, sizeof path, "%s/server.json", state);
    json_t *document = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    const char *url = json_string_value(json_object_get(document, "http"));
    bool done = url && strlen(url) < sizeof r->url;
    if (done)
        memcpy(r->url, url, strlen(url) + 1);
    json_decref(document);
    int number = done || access(path, R_OK) == 0 ? 0 : errno;
    if (!done && number != ENOENT)
        return cli_fail(r->cli, EXIT_USAGE, "%s: %s", path, number ? strerror(number) : "does not say where the server listens");
    if (!done)
        return cli_fail(
            r->cli, EXIT_UNREACHED,
            "%s: missing: no server runs on this state folder; start muster serve, or name a server with --server",
            path);
    curl_easy_setopt(r->curl, CURLOPT_NOPROXY, "*"); /* it is this machine */
    snprintf(path, sizeof path, "%s/pki/ca.crt", state);
    int status = trust(r, path);
    return status == EXIT_DONE ? set_password(r, state) : status;
}

static int use_server(struct rest *r, const char *server)
{
    const char *ca = cli_value(r->cli, "ca");
    size_t n = strlen(server);
    while (n && server[n - 1] == '/')
        n--;
    if (strncmp(server, "https://", 8) != 0 || n >= sizeof r->url)
        return cli_usage(r->cli, "--server takes an address such as https://muster.example.org:8443, not \"%s\"",
                         server);
    memcpy(r->url, server, n);
    r->url[n] = 0;
    int status = ca ? trust(r, ca) : EXIT_DONE;
    return status == EXIT_DONE ? set_token(r) : status;
}

static size_t receive(char *p, size_t size, size_t n, void *context)
{
    struct rest *r = context;
    long http = 0;
    if (r->take && curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &http) == CURLE_OK && http == 200)
        return r->take(r->context, (struct bytes){(const uint8_t *)p, size * n}) ? size * n : 0;
    wr_bytes(&r->answer, (struct bytes){(const uint8_t *)p, size * n});
    return r->answer.bad ? 0 : size * n;
}

struct rest *rest_open(struct cli *cli, int *status)
{
    const char *server = cli_value(cli, "server");
    struct rest *r = calloc(1, sizeof *r);
    if (!r || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(r->curl = curl_easy_init()))
        bug("no memory for the HTTP client");
    r->cli = cli;
    r->answer = wr_of(ANSWER_MAX);
    /* HTTPS alone, no redirects (libcurl's default); each wait is bounded. */
    curl_easy_setopt(r->curl, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(r->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(r->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(r->curl, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(r->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(r->curl, CURLOPT_LOW_SPEED_TIME, 60L);
    curl_easy_setopt(r->curl, CURLOPT_USERAGENT, "muster/" MUSTER_VERSION);
    curl_easy_setopt(r->curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(r->curl, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(r->curl, CURLOPT_ERRORBUFFER, r->failure);
    *status = server ? use_server(r, server) : use_state(r);
    if (*status == EXIT_DONE)
        return r;
    rest_close(r);
    return NULL;
}

void rest_close(struct rest *r)
{
    if (!r)
        return;
    curl_easy_cleanup(r->curl);
    wr_free(&r->answer);
    free(r);
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

/* What an HTTP status means for the exit status; anything not listed is internal. */
static int exit_status_of(long http)
{
    static const struct {
        long http;
        int status;
    } map[] = {
        {400, EXIT_USAGE}, {401, EXIT_UNREACHED}, {403, EXIT_UNREACHED}, {404, EXIT_NOT_FOUND}, {409, EXIT_NO},
        {413, EXIT_USAGE}, {415, EXIT_USAGE},     {422, EXIT_USAGE},     {503, EXIT_UNREACHED}};
    for (size_t i = 0; i < ARRAY_LENGTH(map); i++)
        if (map[i].http == http)
            return map[i].status;
    return EXIT_INTERNAL;
}

/* Sends what the handle is set up for. False: no answer came. */
static bool perform(struct rest *r, const char *path, int *status)
{
    char url[sizeof r->url + 4096];
    if ((size_t)snprintf(url, sizeof url, "%s%s", r->url, path) >= sizeof url) {
        *status = cli_usage(r->cli, "the question is too long");
        return false;
    }
    wr_reset(&r->answer);
    r->failure[0] = 0;
    CURLcode code = curl_easy_setopt(r->curl, CURLOPT_URL, url);
    if (code == CURLE_OK)
        code = curl_easy_perform(r->curl);
    if (code == CURLE_SSL_CACERT_BADFILE && !r->trusts) { /* a small system has none */
        *status = cli_fail(r->cli, EXIT_UNREACHED,
                           "cannot ask the server at %s: this system knows no authority that could vouch for its certificate; "
                           "name one with --ca",
                           r->url);
        return false;
    }
    if (code == CURLE_SSL_CACERT_BADFILE) {
        *status = cli_fail(r->cli, EXIT_USAGE, "the authority's certificate cannot be used: %s",
                           r->failure[0] ? r->failure : curl_easy_strerror(code));
        return false;
    }
    if (code != CURLE_OK)
        *status = cli_fail(r->cli, EXIT_UNREACHED, "cannot ask the server at %s: %s", r->url,
                           r->failure[0] ? r->failure : curl_easy_strerror(code));
    return code == CURLE_OK;
}

/* What was gathered. NULL: it is no document, or a problem. */
static json_t *read_answer(struct rest *r, long http, int *status)
{
    json_error_t why;
    json_t *document = json_loadb((const char *)r->answer.p, r->answer.n, JSON_REJECT_DUPLICATES, &why);
    bool good = http == 200 || http == 202;
    if (good && json_is_object(document))
        return document;
    const char *detail = json_string_value(json_object_get(document, "detail"));
    if (good)
        *status = cli_fail(r->cli, EXIT_INTERNAL,
                           "the server at %s answers with something that is no document of this API", r->url);
    else
        *status = cli_fail(r->cli, exit_status_of(http), "the server at %s answers %ld: %s", r->url, http,
                           detail ? detail : "no reason given");
    json_decref(document);
    return NULL;
}

static json_t *ask(struct rest *r, const char *path, int *status)
{
    long http = 0;
    if (!perform(r, path, status))
        return NULL;
    curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &http);
    return read_answer(r, http, status);
}

json_t *rest_get(struct rest *r, const char *path, int *status)
{
    curl_easy_setopt(r->curl, CURLOPT_HTTPGET, 1L);
    return ask(r, path, status);
}

bool rest_take(struct rest *r, const char *path, bool (*take)(void *context, struct bytes octets), void *context, bool *incomplete, int *status)
{
    struct curl_header *field;
    long http = 0;
    r->take = take;
    r->context = context;
    curl_easy_setopt(r->curl, CURLOPT_HTTPGET, 1L);
    bool done = perform(r, path, status);
    r->take = NULL;
    curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &http);
    *incomplete = done && curl_easy_header(r->curl, "Muster-Incomplete", 0, CURLH_HEADER, -1, &field) == CURLHE_OK;
    if (done && http != 200)
        json_decref(read_answer(r, http, status));
    return done && http == 200;
}

json_t *rest_send(struct rest *r, const char *path, const char *type, struct bytes body, int *status)
{
    char header[100];
    snprintf(header, sizeof header, "Content-Type: %s", type);
    struct curl_slist *headers = curl_slist_append(NULL, header);
    curl_easy_setopt(r->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(r->curl, CURLOPT_POSTFIELDS, body.n ? (const char *)body.p : "");
    curl_easy_setopt(r->curl, CURLOPT_POSTFIELDSIZE, (long)body.n);
    curl_easy_setopt(r->curl, CURLOPT_HTTPHEADER, headers);
    json_t *document = ask(r, path, status);
    curl_easy_setopt(r->curl, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(r->curl, CURLOPT_POSTFIELDS, NULL);
    curl_slist_free_all(headers);
    return document;
}

json_t *rest_post(struct rest *r, const char *path, int *status)
{
    return rest_send(r, path, "application/json", (struct bytes){NULL, 0}, status);
}

bool rest_each(struct rest *r, const char *path, bool (*visit)(void *context, const json_t *item), void *context,
               int *status)
{
    struct wr question = wr_of(4096);
    bool more = true, done = false;
    json_t *page = NULL;
    while (more) {
        const char *next = json_string_value(json_object_get(page, "next"));
        wr_reset(&question);
        wr_fmt(&question, "%s%climit=%d", path, strchr(path, '?') ? '&' : '?', PAGE);
        if (next) {
            wr_str(&question, "&cursor=");
            rest_escape(&question, next);
        }
        json_decref(page);
        page = rest_get(r, wr_string(&question), status);
        if (!page)
            break;
        size_t i;
        json_t *item;
        json_array_foreach(json_object_get(page, "items"), i, item) {
            more = more && visit(context, item);
        }
        more = more && json_is_string(json_object_get(page, "next"));
        done = !more;
    }
    json_decref(page);
    wr_free(&question);
    return done;
}

void rest_escape(struct wr *w, const char *text)
{
    for (; *text; text++)
        if (strchr("-._~", *text) || (*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'z') ||
            (*text >= 'A' && *text <= 'Z'))
            wr_u8(w, (uint8_t)*text);
        else
            wr_fmt(w, "%%%02X", (uint8_t)*text);
}

/* ---- printing ---------------------------------------------------------------------------------------------------- */

void rest_copy(struct json *j, const char *key, const json_t *value)
{
    const char *name;
    json_t *member;
    size_t i;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        json_object_begin(j, key);
        json_object_foreach((json_t *)(uintptr_t)value, name, member) {
            rest_copy(j, name, member);
        }
        json_object_end(j);
        break;
    case JSON_ARRAY:
        json_array_begin(j, key);
        json_array_foreach(value, i, member) {
            rest_copy(j, NULL, member);
        }
        json_array_end(j);
        break;
    case JSON_STRING:
        json_text(j, key, (struct bytes){(const uint8_t *)json_string_value(value), json_string_length(value)});
        break;
    case JSON_INTEGER:
        json_number(j, key, json_integer_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        json_bool(j, key, json_is_true(value));
        break;
    default: /* null; the API has no fractions */
        json_none(j, key);
    }
}

void rest_put(struct wr *w, const json_t *object, const char *key, size_t width)
{
    const json_t *value = json_object_get(object, key);
    char number[24];
    struct bytes text = {(const uint8_t *)json_string_value(value), json_string_length(value)};
    if (json_is_integer(value)) {
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        text = bytes_of(number);
    } else if (json_is_boolean(value)) {
        text = json_is_true(value) ? BYTES("yes") : BYTES("no");
    }
    cli_put_cell(w, text, width);
}
