/* What the files of pkg/ share. Private to this room, its tests and its fuzz targets. */
#ifndef MUSTER_PKG_INTERNAL_H
#define MUSTER_PKG_INTERNAL_H

#include "pkg/pkg.h"

#include <limits.h>
#include <sys/types.h>
#include <zlib.h>

/* ---- text.c: paths and lines -------------------------------------------------------------------------- */

/* Tells the sink of it, if it wants to hear; see pkg_sink. */
void complain_to(const struct pkg_sink *sink, const char *file, size_t line, const char *what, bool unreadable);
/* ROOT + PATH ("/var/lib/…") into out. False if it is too long. */
bool path_below(char out[PATH_MAX], const char *root, const char *path) MUST_USE;
/* Whether a database's file is there; one that may not even be looked at is: reading it will say so. */
bool database_there(const char *root, const char *path);
/* Whether a process holds a lock of fcntl(2) on this file of the root, as far as /proc tells, which tells everybody. */
bool is_locked(const char *root, const char *path);
/* What it means that the database in FOLDER (below the root) is not there: see pkg_manager.installed. */
enum pkg_status missing_in(const char *root, const char *folder) MUST_USE;
#define DIGEST_START 14695981039346656037u
/* FNV-1a, 64 bits: tells files apart, withstands nobody. */
uint64_t digest_add(uint64_t digest, const void *p, size_t n);
/* Adds name, size, change time and inode of one file (of each entry, if it is a folder) to the digest. Missing counts
 * too. */
uint64_t digest_add_file(uint64_t digest, const char *path);
/* The same for ROOT + PATH. */
uint64_t digest_add_below(uint64_t digest, const char *root, const char *path);
/* Letters, digits and the punctuation that package names, versions and architectures use: nothing that could break a
 * line or a list. */
bool is_word(struct bytes b);

/* Lines of a plain or gzipped file, or of memory, with bounded memory: an overlong line is skipped. */
#define LINE_MAX_OCTETS ((size_t)16 << 20)
struct lines {
    gzFile file; /* NULL: memory, all of it between start and end */
    uint8_t *p;
    size_t capacity, start, scanned, end;
    uint64_t offset; /* of p[start], uncompressed */
    size_t number;   /* of the line handed out last, from 1 */
    bool at_end, damaged, overlong;
};
/* PKG_OK, PKG_ABSENT, PKG_UNREADABLE, PKG_NO_MEMORY; but for PKG_OK there is not one line. */
enum pkg_status lines_open(struct lines *l, const char *path) MUST_USE;
/* b stays the caller's and must not change. */
struct lines lines_of(struct bytes b);
/* Goes forward to this offset, whose line has this number. False if the file is shorter: then the position is its end.
 */
bool lines_seek(struct lines *l, uint64_t offset, size_t number) MUST_USE;
/* The next line without its LF (a CR stays); `whole`: there was an LF. `overlong` is set, and the line empty, for one
 * that was too long. False at the end, also of a file that breaks off (`damaged`). */
bool lines_next(struct lines *l, struct bytes *line, bool *whole) MUST_USE;
void lines_close(struct lines *l);

/* The first line of a file of the root, if it is a word; else "". */
void first_word_below(const char *root, const char *path, char *word, size_t size);

/* ---- deb822.c ---------------------------------------------------------------------------------------------------- */

/* The fields of a stanza that matter here. Views live until the next call. */
struct deb822 {
    struct lines *lines;
    struct wr text;
    struct bytes package, status, version, arch, source;
    size_t line; /* where the stanza began */
    bool started;
    bool cut;  /* the last line did not end: somebody cut the file off */
    bool last; /* no empty line stands behind this stanza */
    void (*complain)(void *context, size_t line, const char *what);
    void *context;
};
/* The next stanza that has at least one of the fields; false at the end. */
bool deb822_next(struct deb822 *d) MUST_USE;
void deb822_free(struct deb822 *d);
/* Name and version of the source package that a Source field ("" or "name" or "name (version)") means. */
void deb822_source(struct bytes source, struct pkg_package *p);

/* ---- paragraph.c, licence.c, copyright.c, dpkg_relations.c: what packages say of themselves ------------------------- */

/* The next paragraph of a deb822 file, any fields of it. Views live until the next call. */
enum { PARAGRAPH_FIELDS = 16 };
struct paragraph {
    struct lines *lines;
    const char *const *names; /* of the fields that matter, at most PARAGRAPH_FIELDS */
    size_t count;
    bool whole; /* values have their further lines, too, with line ends between */
    struct bytes values[PARAGRAPH_FIELDS]; /* of each name; empty: not there */
    struct wr text;
};
/* False at the end. */
bool paragraph_next(struct paragraph *p) MUST_USE;
void paragraph_free(struct paragraph *p);

/* Appends the SPDX expression that the words mean: "GPL-2+ or Expat, and BSD" (copyright-format 1.0 §7.2), "GPLv2+ and (MIT or BSD)" (rpm), an SPDX
 * expression itself. A name that SPDX does not list becomes LicenseRef-NAME. False, and nothing: prose, or no words at all. */
bool licence_put(struct wr *w, struct bytes said) MUST_USE;
/* Licences that hold together: distinct expressions joined by AND. */
struct licence_sum {
    struct wr said, expressions; /* a line each */
    bool unknown;                /* one of them was none */
};
struct licence_sum licence_sum_of(void);
void licence_sum_add(struct licence_sum *s, struct bytes said);
/* Appends the expression; nothing if one of them is not known, or there is none. */
void licence_sum_put(struct licence_sum *s, struct wr *w);
void licence_sum_free(struct licence_sum *s);

/* Appends the licence that a debian/copyright file in its machine-readable form (copyright-format 1.0) says: of the whole, if its header has one,
 * else all of its files'. Nothing if it is no such file. */
void copyright_put_licence(struct lines *lines, struct wr *w);

/* Relations gathered one by one. */
struct relations {
    struct pkg_relation *items;
    size_t count, capacity;
    bool no_memory;
};
void relations_add(struct relations *r, struct pkg_relation relation);
void relations_free(struct relations *r);
/* Depends, Provides and the like, deb-control(5); `arch`: what a name without one means. Views into the text. */
void dpkg_relations_read(struct bytes text, struct bytes arch, struct relations *r);
#define PKG_DESCRIBE_FUNCTION(name) enum pkg_status name##_describe(const char *root, const struct pkg_sink *sink);
PKG_DESCRIBE_FUNCTION(dpkg)
PKG_DESCRIBE_FUNCTION(rpm)
PKG_DESCRIBE_FUNCTION(apk)
PKG_DESCRIBE_FUNCTION(pacman)
/* All of apk's database; one package's desc of pacman's. */
enum pkg_status apk_describe_lines(struct lines *lines, const struct pkg_sink *sink);
enum pkg_status pacman_describe_lines(struct lines *lines, const struct pkg_sink *sink);
/* muster-rpmdb's answer. */
enum pkg_status rpm_describe_lines(struct lines *lines, const struct pkg_sink *sink);

/* ---- log_time.c: what local times in logs mean ------------------------------------------------------------------- */

/* The zone that a root's logs were written in; found when a time asks for it. As the root says itself (/etc/localtime, /etc/timezone), with the
 * zoneinfo that stands there, else this machine's; where it says nothing TZ counts, and without that UTC. */
struct log_zone {
    const char *root;
    const struct pkg_sink *sink;
    bool found;
    bool assumed;       /* nothing says which: UTC, as the C library does */
    bool unknown;       /* it is named, but nobody knows it: times are read as UTC, and may be those of any zone */
    struct zone *rules; /* NULL: UTC */
};
const struct zone *log_zone_rules(struct log_zone *z);
void log_zone_free(struct log_zone *z);

/* When a line was written: the second, or the first and the last one between which it was. */
struct log_time {
    int64_t earliest, latest;
    bool zoned; /* the line tells its zone */
};

/* ---- logset.c: a log and its rotated predecessors, read as one stream -------------------------------------------- */

/* What the cursor keeps of one log. */
struct log_position {
    uint32_t head;        /* so many octets of the file's beginning … */
    uint64_t head_digest; /* … have this digest; head 0: no file was there, or none was read */
    uint64_t offset, line;
    int64_t first, last; /* by when the oldest line was written, and since when the newest; TIME_UNKNOWN */
};
struct log_mark {
    size_t file;
    uint64_t offset, line;
    bool set;
};
struct log_set {
    const char *root, *path;
    const struct pkg_sink *sink;
    char **files; /* oldest first */
    size_t count, at;
    struct lines lines;
    bool open;
    struct log_position position; /* before: the cursor's; log_set_save() brings it up to date */
    bool lost;                    /* the cursor's place was not found: what stands here may be known already */
    bool fresh;                   /* the cursor had no place in this log */
    /* of the line handed out last */
    size_t file;
    uint64_t offset, line;
    struct log_mark end; /* behind the last whole line read: the next run goes on there */
    struct log_zone *zone;
    bool gap; /* something behind that could not be read, and nothing since */
    int64_t last;                             /* the earliest second in which the line whose time was read last can have been written */
    struct bytes (*time_of)(struct bytes line); /* the time in a line, empty if it has none; for reading ahead; NULL: nobody does */
    bool minutes; /* times tell no seconds */
    struct log_day {
        int64_t begin, offset; /* the local day read last, as if it were UTC */
        bool known, plain;     /* plain: no clock change is near */
    } day;
    struct log_turn {
        struct log_mark until; /* up to here the clock … */
        bool back;             /* … then goes back in an hour that it shows twice; or nothing tells of it */
    } turn;
};
void log_set_open(struct log_set *s, const char *root, const char *path, struct log_position before, struct log_zone *zone,
                  const struct pkg_sink *sink);
/* What an earlier run read to the end, or could not: says of each file again what is wrong with it. */
void log_set_check_older(struct log_set *s);
bool log_set_next(struct log_set *s, struct bytes *line) MUST_USE;
/* Where the last line stood; for the cursor. */
struct log_mark log_set_mark(const struct log_set *s);
/* Makes s->position say "read on at this mark", or "behind the last line" if it is not set. */
void log_set_save(struct log_set *s, struct log_mark mark);
void log_set_complain(struct log_set *s, const char *what);
/* Reads the local time "YYYY-MM-DD hh:mm:ss" (any number of blanks between; without seconds where times have none) of the line handed out last. In an hour that the clock shows twice
 * the lines before and behind it tell which is meant, if they do. False: it is none. (log_time.c, as are the next three.) */
bool log_set_time(struct log_set *s, struct bytes text, struct log_time *t) MUST_USE;
/* Keeps it in the position. */
void log_set_note(struct log_set *s, struct log_time t);
/* The oldest moment that the log tells of for certain; TIME_UNKNOWN. */
int64_t log_set_reaches_back(const struct log_set *s);
/* Dates an event: as sure as that, if the time is one second of a known zone, else with its bounds. */
void log_set_date(const struct log_set *s, struct log_time t, enum pkg_precision sure, struct pkg_event *e);
void log_set_close(struct log_set *s);
/* A position among a cursor's octets. */
struct log_position log_position_read(struct rd *r);
void log_position_write(struct wr *w, const struct log_position *p);
/* Digest over the states of all files of the set. */
uint64_t log_set_stamp(uint64_t digest, const char *root, const char *path);

/* ---- dpkg_log.c -------------------------------------------------------------------------------------------------- */

enum dpkg_deed { DPKG_STARTUP, DPKG_INSTALL, DPKG_UPGRADE, DPKG_REMOVE, DPKG_GONE };
/* One thing that dpkg did, after the status lines behind it said how it ended. */
struct dpkg_action {
    enum dpkg_deed deed;
    struct log_time time;
    struct bytes name, arch, old_version, new_version, new_arch;
};
struct dpkg_log {
    struct log_set set;
    struct dpkg_slot {
        struct dpkg_action action;
        bool full, told, done,
            gone, half; /* told: a status line spoke of it; done: of its new version; gone, half: the last one says it is away, half-installed */
        struct log_mark mark;
        char text[2048];
    } pending, ready;
    bool speaks; /* this dpkg logs its starts and states: an action without one did not happen (--no-act) or not yet */
    struct log_mark hold; /* an action that had not ended when the log did: the next run reads it again */
};
struct bytes dpkg_log_time(struct bytes line); /* log_set.time_of */
/* The next action; its views live until the next call. */
bool dpkg_log_next(struct dpkg_log *log, struct dpkg_action *action) MUST_USE;

/* ---- apt_history.c ----------------------------------------------------------------------------------------------- */

struct apt_item {
    enum apt_verb { APT_INSTALL, APT_UPGRADE, APT_REMOVE, APT_REINSTALL } verb;
    struct bytes name, arch, old_version, new_version;
    bool automatic, done; /* done: dpkg.log told of it */
};
struct apt_transaction {
    struct log_time start, end; /* end: INT64_MAX if the transaction has not ended */
    bool ended, failed; /* failed: dpkg did not do all of it, or apt was killed before it said so */
    struct bytes command, user;
    struct apt_item *items; /* ordered by name */
    size_t count;
};
struct apt_history {
    struct log_set set;
    struct wr text;
    struct arena arena;
    struct apt_item *items;
    size_t capacity;
    struct log_mark mark; /* of the transaction handed out last */
    bool pushed;          /* the line that began the next transaction was read already */
    struct log_time next_start;
    struct log_mark next_mark;
};
struct bytes apt_history_time(struct bytes line); /* log_set.time_of */
/* The next transaction; its views live until the next call. */
bool apt_history_next(struct apt_history *h, struct apt_transaction *t) MUST_USE;
void apt_history_free(struct apt_history *h);

/* ---- apt_outcome.c: what came of transactions that failed ------------------------------------------------------------ */

#define DPKG_LOG    "/var/log/dpkg.log"
#define APT_HISTORY "/var/log/apt/history.log"
/* {.root = …} and where the logs were opened: when first asked it reads them again, from there to their ends. Ended by apt_outcomes_free(). */
struct apt_outcomes {
    const char *root;
    struct log_position dpkg, apt;
    bool speaks; /* as dpkg_log's */
    struct log_zone *zone;
    struct bytes native; /* dpkg's name of the root's architecture */
    struct witness *witnesses;
    size_t count, capacity;
    bool read, unknown; /* unknown: they are too many, or what is there cannot be read */
};
/* Whether the next word on the package, or what is there now, proves that this item of a failed transaction was carried out. `transaction`:
 * how many apt_history_next() had handed out by then, this one among them. */
bool apt_outcome_is_done(struct apt_outcomes *o, uint64_t transaction, const struct apt_transaction *t, const struct apt_item *item) MUST_USE;
void apt_outcomes_free(struct apt_outcomes *o);

/* ---- pacman.c, pacman_log.c, apk.c --------------------------------------------------------------------------------- */

#define PACMAN_LOG "/var/log/pacman.log"
/* A package's desc; its texts are in the arena, and words that are none are left to the caller. */
void pacman_desc_read(struct lines *lines, struct arena *a, struct pkg_package *p);
struct pacman_action {
    struct log_time time;
    struct bytes name, old_version, new_version, command;
};
struct pacman_log {
    struct log_set set;
    char command[1024]; /* of the transaction that is going on */
    size_t command_size;
};
struct bytes pacman_log_time(struct bytes line); /* log_set.time_of */
/* The next action; its views live until the next call. */
bool pacman_log_next(struct pacman_log *log, struct pacman_action *action) MUST_USE;
enum pkg_status pacman_history(const char *root, struct pkg_cursor *cursor, const struct pkg_sink *sink);
/* The next package of apk's database, its texts in the arena, which is emptied first. False: `stanza` says whether something stood there;
 * lines->damaged, that it breaks off before the empty line that ends a package. */
bool apk_installed_next(struct lines *lines, struct arena *a, struct pkg_package *p, bool *stanza) MUST_USE;

/* ---- files.c: what the readers of file lists share ------------------------------------------------------------------ */

#define FILE_LIST_MAX ((size_t)128 << 20)
/* The regular file's octets behind what `to` holds. PKG_OK, PKG_ABSENT, PKG_UNREADABLE, PKG_DAMAGED (larger than `to` may grow). */
enum pkg_status file_read(const char *path, struct wr *to) MUST_USE;
/* Opens a path of the root, in which links mean what they mean inside the root; -1 and errno. Where the kernel lacks openat2 a link is not
 * followed, but on this machine's own root. */
int open_below(const char *root, const char *path, int flags) MUST_USE;
/* file_read() of a path of the root, with links as there. */
enum pkg_status file_read_below(const char *root, const char *path, struct wr *to) MUST_USE;
/* Hexadecimal digits, as many as the hash has, into octets; the view is of out. Empty if they are none. */
struct bytes digest_of_hex(struct bytes hex, enum pkg_hash hash, uint8_t out[64]);
/* The hash whose digests have so many octets. */
enum pkg_hash hash_of_size(size_t octets);
/* What stands beside paths in a second list: found again by its path. Views into the caller's memory. */
struct path_fact {
    struct bytes path, fact;
    size_t order; /* in which it was added */
};
struct path_facts {
    struct path_fact *items;
    size_t count, capacity;
    bool unsorted, no_memory;
};
void path_facts_add(struct path_facts *f, struct bytes path, struct bytes fact);
/* To be called once between adding and finding. Of facts about one path the last one added stays. */
void path_facts_sort(struct path_facts *f);
/* NULL: nothing is said of this path. */
const struct bytes *path_facts_find(const struct path_facts *f, struct bytes path);
void path_facts_free(struct path_facts *f);
/* False for what is no path below a root: relative, empty, with a NUL or a component "..". */
bool path_is_good(struct bytes path);

/* ---- NAME_files.c: the function of each row ------------------------------------------------------------------------- */

#define PKG_FILES_FUNCTION(manager)                                                                                    \
    enum pkg_status manager##_files(struct pkg_files *f, struct bytes name, struct bytes arch, struct bytes version,   \
                                    const struct pkg_sink *sink);
/* One package's lists as dpkg has them; every view may be empty. The texts may be changed: md5sum's escapes are undone in place. */
struct dpkg_lists {
    struct bytes list, md5sums, conffiles; /* info/NAME.list, .md5sums, .conffiles */
    struct bytes stanza;                   /* of status: its field Conffiles */
    struct bytes package;
    const struct path_facts *diversions; /* path to "NEW-PATH\nPACKAGE" */
    const char *file;                    /* the list's path, for complaints */
};
enum pkg_status dpkg_lists_tell(struct dpkg_lists *l, const struct pkg_sink *sink) MUST_USE;
/* "MD5  usr/bin/x" a line; md5sum's escapes are undone in place. Found by the path without the slash in front. */
void dpkg_md5sums_read(struct bytes text, struct path_facts *sums);
/* "/etc/x" a line; left to be sorted. */
void dpkg_conffiles_read(struct bytes text, struct path_facts *config);
void dpkg_diversions_read(struct bytes text, struct path_facts *diversions);
PKG_FILES_FUNCTION(dpkg)
/* pacman's `files` and the unpacked `mtree` of one package; the latter's escapes are undone in place. */
enum pkg_status pacman_lists_tell(struct bytes files, struct bytes mtree, const char *file, const struct pkg_sink *sink) MUST_USE;
/* An mtree(5): path to the line's other words. Escapes are undone in place. */
void pacman_mtree_read(struct bytes text, struct path_facts *measured);
/* What such words say: kind, and a regular file's digest. */
void pacman_take_measured(struct bytes words, struct pkg_file *f, uint8_t digest[64]);
/* Whether apk by itself, without an administrator's rules, would protect this path, which has no slash in front. */
bool apk_protects(struct bytes path);
/* One package's stanza; rules: lines of apk-protected_paths(5). */
enum pkg_status apk_stanza_tell(struct bytes stanza, struct bytes rules, const char *file, const struct pkg_sink *sink) MUST_USE;
/* The place of apk's database below the root; NULL: there is none. */
const char *apk_find_place(const char *root);
PKG_FILES_FUNCTION(rpm)
PKG_FILES_FUNCTION(apk)
PKG_FILES_FUNCTION(pacman)

/* ---- rpm.c --------------------------------------------------------------------------------------------------------- */

/* Name and version of the source package in "NAME-VERSION-RELEASE.src.rpm"; the package's own if it is none. */
void rpm_split_source(struct bytes file, struct pkg_package *p);
/* A line of muster-rpmdb's: NAME, [EPOCH:]VERSION-RELEASE, ARCH, the file of the source package and the second of its installation, with tabs
 * between. False: its words are none. */
bool rpm_line_read(struct bytes line, struct pkg_package *p) MUST_USE;
/* Asks muster-rpmdb; true: the answer is whole. `arguments` ends with NULL and has at most RPM_ASK_MAX words before it. */
#define RPM_ASK_MAX 4
bool rpm_ask(const char *const *arguments, struct wr *answer) MUST_USE;

/* ---- rpm_history.c ------------------------------------------------------------------------------------------------- */

enum dnf_deed { DNF_CAME = '+', DNF_WENT = '-', DNF_AGAIN = '=' };
struct dnf_item {
    char deed;
    struct bytes name, version, arch;
    int64_t time; /* the second at which rpm says that it was installed (`exact`), or at which the transaction began */
    bool exact;
};
struct dnf_transaction {
    int64_t id, begin, end; /* end 0: it has none */
    uint64_t user;
    bool has_user;
    struct bytes command;
    struct dnf_item *items; /* oldest first */
    size_t count;
};
/* muster-rpmdb's answer; items belong to whoever made it, who frees them. */
struct dnf_history {
    struct lines lines;
    struct bytes pushed; /* a line that was read already */
    struct dnf_item *items;
    size_t capacity;
};
/* The next transaction; its items live until the next call. */
bool dnf_transaction_next(struct dnf_history *h, struct dnf_transaction *t) MUST_USE;
enum pkg_status rpm_history(const char *root, struct pkg_cursor *cursor, const struct pkg_sink *sink);
uint64_t rpm_history_stamp(uint64_t digest, const char *root);
/* The folder of the root's database below it, NULL if there is none. */
const char *rpm_find_folder(const char *root);
bool rpm_find_helper(char path[PATH_MAX]) MUST_USE;
#define RPM_PATIENCE_MS 120000
/* Starts the helper with these arguments, NULL-terminated, itself the first; *out is the end of the pipe that it writes to, *in, if not NULL,
 * of the one that it reads. -1: it cannot be started. */
pid_t rpm_start_helper(char *const arguments[], int *in, int *out);
/* A line about a file: KIND FLAGS DIGEST PATH with tabs between, the path with \\ \n \t for those octets; changed in place. The digest goes to
 * `digest`. False: it is none. */
bool rpm_file_read(struct bytes line, struct pkg_file *f, uint8_t digest[64]) MUST_USE;

/* ---- snap.c, flatpak.c --------------------------------------------------------------------------------------------- */

/* What a snap says of itself beside name, version and architecture; texts in the arena, empty: it does not. */
struct snap_about {
    struct bytes summary, licence, base, website;
};
/* A snap's meta/snap.yaml: version and architecture, in the arena; words that are none are left to the caller. */
void snap_yaml_read(struct lines *lines, struct arena *a, struct pkg_package *p, struct snap_about *about);
/* The version in the file "deploy" of a deployed commit, empty if there is none; a view into it. */
struct bytes flatpak_deploy_version(struct bytes deploy);

/* ---- NAME_version.c: version orders ------------------------------------------------------------------------------ */

/* Every order, defined in the file of its name: O(name) stands for `name_order`. */
#define PKG_ORDERS(O) \
    O(dpkg)           \
    O(rpm)            \
    O(apk)            \
    O(pacman)         \
    O(snap)
#define PKG_ORDER_DECLARATION(name) extern const struct pkg_order name##_order;
PKG_ORDERS(PKG_ORDER_DECLARATION)

/* [epoch:]version[-release]: what rpm and pacman have in common. Parts that are missing have p NULL; a missing epoch is 0. */
struct evr {
    struct bytes epoch, version, release;
};
void evr_split(struct bytes v, struct evr *out);
bool is_digit(uint8_t c);
bool is_letter(uint8_t c);
/* Cuts off the characters at the beginning of *b that are so, and returns them. */
struct bytes span_cut(struct bytes *b, bool (*is)(uint8_t));
/* Runs of digits of any length, as numbers: -1, 0, 1. */
int number_compare(struct bytes a, struct bytes b);
/* Consumes a run of digits or of letters at the beginning of both, which are not empty; a number is newer than letters. */
int segment_compare(struct bytes *a, struct bytes *b);

/* ---- dpkg_history.c, dpkg.c -------------------------------------------------------------------------------------- */

enum pkg_status dpkg_history(const char *root, struct pkg_cursor *cursor, const struct pkg_sink *sink);
uint64_t dpkg_logs_stamp(uint64_t digest, const char *root);
/* dpkg's own name of a root's native architecture ("amd64"); "" if nothing tells. */
void dpkg_native_arch(const char *root, char *arch, size_t size);

/* An os-release file without what the machine itself says. */
void pkg_platform_parse(struct lines *lines, struct pkg_platform *platform);

/* ---- manager.c --------------------------------------------------------------------------------------------------- */

/* Every package manager, one name a line, in the order of all output: M(name) stands for `pkg_name`, defined in a file of
 * its own. */
#ifndef PKG_MANAGERS /* a test has its own list */
#define PKG_MANAGERS(M) \
    M(dpkg) \
    M(rpm) \
    M(apk) \
    M(pacman) \
    M(snap) \
    M(flatpak) \
    M(tags)
#endif
#define PKG_MANAGER_EXTERN(name) extern const struct pkg_manager pkg_##name;
PKG_MANAGERS(PKG_MANAGER_EXTERN)

#endif
