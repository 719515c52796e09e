/* files: what tags tell of files, each thing once; shared by the store's files that write and ask it. */
#ifndef MUSTER_STORE_FILES_H
#define MUSTER_STORE_FILES_H

#include "store/set.h"

/* Within a transaction: the number of this set of files of a software; 0 of none. A set that is new is compared with
 * the reference. */
enum store_status files_put(struct store *s, int64_t software, const struct store_file *files, size_t count,
                            int64_t *set, struct error *error) MUST_USE;
/* The set goes, if nobody tells it and no tag has it. Its paths and files stay: another server may just be about to
 * name them. */
enum store_status files_forget(struct store *s, int64_t software, int64_t set, struct error *error) MUST_USE;
/* Compares all sets of a software with a new reference; 0: one without files. */
enum store_status files_compare_all(struct store *s, int64_t software, int64_t reference, struct error *error) MUST_USE;

/* The software that an endpoint has now, each once, ascending; in the scratch arena. */
enum store_status present_read(struct store *s, int64_t endpoint, struct blob_present *present, struct error *error) MUST_USE;

/* A set in the order of its paths. */
struct file_list {
    struct store_file *items;
    size_t count;
};
enum store_status files_read(struct store *s, int64_t set, struct arena *a, struct file_list *list,
                             struct error *error) MUST_USE;
/* Calls `visit` with each difference: what is wanted, what is told, either NULL if it is not there; false stops. */
typedef bool files_visit(void *context, enum store_difference what, const struct store_file *wanted,
                         const struct store_file *told);
void files_compare(const struct file_list *wanted, const struct file_list *told, files_visit *visit, void *context);
/* Of a path or a digest, by which it is found. -1: there is none. */
enum store_status files_head(struct store *s, struct bytes text, int64_t *head, struct error *error) MUST_USE;
int64_t files_digest_head(struct bytes sha256);

#endif
