/* rest: the client of the server's REST API, for the fleet commands; private to cli/. */
#ifndef MUSTER_CLI_REST_H
#define MUSTER_CLI_REST_H

#include "cli/cli.h"

#include <jansson.h>

/* What every fleet command takes: put it into the command's table of options. */
/* clang-format off */
#define REST_OPTIONS                                                                                                   \
    {"server", "URL", "the server, https://HOST:PORT (default: the one that runs on this machine's --state)"},         \
    {"token-file", "FILE", "with --server: the file that holds the API token (\"-\": standard input)"},                                        \
    {"ca", "FILE", "with --server: the authority that its certificate must chain to (default: the system's)"}
/* clang-format on */

struct rest;
/* Prepares for the server that the options name. On failure a message was printed and *status is the exit status. */
struct rest *rest_open(struct cli *cli, int *status) MUST_USE;
void rest_close(struct rest *r);
/* GET of a path below the server's root ("/api/v1/…"). NULL: a message was printed, *status is the exit status (4 not
 * found, 5 not reached or not logged in, 2 a file that cannot be used or a parameter that the server refused, 70 else). Free with json_decref(). */
json_t *rest_get(struct rest *r, const char *path, int *status) MUST_USE;
/* GET of what is no document of ours, as it comes: `take` false ends it. *incomplete: the server says that not all is known. False: as rest_get(); part of
 * it may have been taken. */
bool rest_take(struct rest *r, const char *path, bool (*take)(void *context, struct bytes octets), void *context, bool *incomplete, int *status) MUST_USE;
/* POST of a body of that media type; the same. A body that is refused is exit status 2. */
json_t *rest_send(struct rest *r, const char *path, const char *type, struct bytes body, int *status) MUST_USE;
/* POST without a body; the same otherwise, and 1 if the server says that it cannot be done as things stand (409). */
json_t *rest_post(struct rest *r, const char *path, int *status) MUST_USE;
/* Calls `visit` with each item of a list, page after page to its end; false stops. Adds limit=, cursor= to `path`. */
bool rest_each(struct rest *r, const char *path, bool (*visit)(void *context, const json_t *item), void *context,
               int *status) MUST_USE;
/* Percent-encodes one path segment or parameter into w (RFC 3986 §2.3). */
void rest_escape(struct wr *w, const char *text);
/* Writes a value that was read: order of members kept. */
void rest_copy(struct json *j, const char *key, const json_t *value);
/* Members of an object as text: "" where it is missing or null; numbers in decimal. As cli_put_cell()
 * prints them. */
void rest_put(struct wr *w, const json_t *object, const char *key, size_t width);

#endif
