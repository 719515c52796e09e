/* files: the small files of the state folder, read whole and written so that a crash leaves the old one or the new one;
 * private to server/. */
#ifndef MUSTER_SERVER_FILES_H
#define MUSTER_SERVER_FILES_H

#include "server/server.h"

/* Makes `path` and its missing parents, mode 0700; one that exists is left as it is. */
bool server_folder_make(const char *path, struct error *error) MUST_USE;
/* Locks a folder while a short command changes its files: a second one waits, and finds everything made. The descriptor that holds it until it
 * is closed; -1: `error`. */
int server_folder_lock(const char *path, struct error *error) MUST_USE;
/* Claims a state folder for one running server, through STATE/serve.lock: the folder itself is what short commands lock while they change its
 * files. The descriptor that holds it until it is closed; -1: another server has it, or it cannot be opened. */
int server_claim(const char *state, struct error *error) MUST_USE;
/* Reads a regular file that the arena's limit lets in, with a NUL behind it. `secret`: SERVER_REFUSED unless it is its
 * owner's alone. */
enum server_status server_file_read(const char *path, bool secret, struct arena *arena, struct bytes *text,
                                  struct error *error) MUST_USE;
/* Writes through a temporary file in the same folder, fsync, rename, fsync of the folder. `replace` false: fails where
 * the name is taken, whoever took it and when. */
bool server_file_write(const char *path, struct bytes text, unsigned mode, bool replace, struct error *error) MUST_USE;

#endif
