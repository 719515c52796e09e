/* A request's method, target and Authorization header, one a line: what a stranger can send to the HTTPS side after
 * TLS. */
#include "server/web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct web_login *login_for_fuzzing(void)
{
    char state[] = "/tmp/muster-fuzz-XXXXXX", path[64];
    struct error error = {0};
    if (!mkdtemp(state))
        abort();
    snprintf(path, sizeof path, "%s/admin.txt", state);
    FILE *f = fopen(path, "w");
    if (!f)
        abort();
    fputs("user: admin\npassword: ABCDEFGH12345678\n", f);
    fclose(f);
    if (chmod(path, 0600) != 0)
        abort();
    struct web_login *l = web_login_new(state, &error);
    unlink(path);
    rmdir(state);
    if (!l)
        abort();
    return l;
}

#define CHECK(what)                                                                                                    \
    do {                                                                                                               \
        if (!(what))                                                                                                   \
            abort();                                                                                                   \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct web_login *login;
    if (!login)
        login = login_for_fuzzing();
    struct arena arena = arena_of((size_t)1 << 20);
    struct bytes rest = {data, size > 65536 ? 65536 : size};
    char *method = arena_string(&arena, bytes_split(&rest, '\n'));
    struct bytes target = bytes_of(arena_string(&arena, bytes_split(&rest, '\n'))); /* HTTP's lines hold no NUL */
    char *authorization = arena_string(&arena, rest);

    struct web_request *r = web_request_new();
    CHECK(r);
    web_parse(r, method, target, 1700000000);
    CHECK(r->status == 0 || r->status == 400 || r->status == 404 || r->status == 405);
    CHECK((r->status == 0 || r->status == 400) == (r->route != NULL));
    CHECK((r->status == 405) == (r->allow != NULL));
    CHECK(utf8_valid(r->argument) && (r->argument.n == 0 || !memchr(r->argument.p, 0, r->argument.n)));
    if (r->status == 0) {
        CHECK(!r->values[WEB_LIMIT].given || (r->values[WEB_LIMIT].number >= 1 && r->values[WEB_LIMIT].number <= 1000));
        for (size_t i = 0; i < WEB_PARAMETERS; i++)
            CHECK(!r->values[i].given || (r->route->parameters & 1U << i));
    } else {
        CHECK(!r->body.bad && utf8_valid(wr_view(&r->body)));
    }
    web_request_free(r);

    unsigned scopes = web_login_scopes(login, authorization);
    CHECK(
        scopes == 0 ||
        strcasestr(authorization,
                   "YWRtaW46QUJDREVGR0gxMjM0NTY3O")); /* base64 of the one good login, but for bits that mean nothing */
    arena_free(&arena);
    return 0;
}
