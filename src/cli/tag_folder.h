/* Tags as files of a folder; private to cli/. */
#ifndef MUSTER_CLI_TAG_FOLDER_H
#define MUSTER_CLI_TAG_FOLDER_H

#include "cli/cli.h"

/* A file is there once it is whole, under the name that its tag's identity gives it; what had that name is replaced if it was a tag of the same
 * identity, and is left alone otherwise. */
struct tag_folder;
/* The folder is made if it is not there. EXIT_DONE, or what was said. */
int tag_folder_open(const struct cli *cli, const char *path, struct tag_folder **f);
/* A file begins, without a name. What an earlier one lacked is dropped. */
int tag_folder_begin(struct tag_folder *f);
int tag_folder_write(struct tag_folder *f, struct bytes octets);
/* The file is complete, and gets its name: the tagId with %XX for all that is not a letter, a digit or one of - . _ ~, "+2" and so on behind it if
 * several of this run have the same, and the extension. */
int tag_folder_end(struct tag_folder *f, struct bytes regid, struct bytes tag_id, const char *extension);
/* The path of the file that was ended last. */
const char *tag_folder_last(const struct tag_folder *f);
void tag_folder_close(struct tag_folder *f); /* may be NULL */

#endif
