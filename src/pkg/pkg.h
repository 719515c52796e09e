/* pkg: package managers. One file a manager, one row a manager in pkg_managers[]; os-release; version orders. Reads the managers' own
 * files, never modifies them, runs no other program but muster-rpmdb. This is the room's one public header. */
#ifndef MUSTER_PKG_H
#define MUSTER_PKG_H

#include "base/base.h"

enum pkg_status {
    PKG_OK = 0,
    PKG_ABSENT,      /* it is not there: this manager is not used on this root */
    PKG_UNREADABLE,  /* its database is there but could not be read (permission, I/O error): the answer is unknown */
    PKG_DAMAGED,     /* its database is there but is none */
    PKG_STOPPED,     /* a sink returned false */
    PKG_NO_MEMORY,
};

/* ---- the platform ------------------------------------------------------------------------------------------- */

/* What identifiers and the OS posture say of the machine. Texts live as long as the struct. */
struct pkg_platform {
    char id[64];       /* os-release ID as it stands, "linux" if absent */
    char name[64];     /* ID with a capital, as sw-collector and swidGenerator print it: Debian, Ubuntu, Arch, Opensuse-leap; "unknown" */
    char version[64];  /* VERSION_ID unquoted, "" if absent (Debian sid, Arch) */
    char pretty[128];  /* PRETTY_NAME, else name and version */
    char cpe[128];     /* CPE_NAME, "" if absent */
    char machine[64];  /* uname -m; for another root, the machine name of that root's native architecture; armv7l on Raspbian is armhf */
};
/* Reads ROOT/etc/os-release, else ROOT/usr/lib/os-release, quoted in every way that os-release(5) allows. Never fails: what cannot be
 * read stays unknown. root "/" is this machine. */
void pkg_platform_read(const char *root, struct pkg_platform *platform);

/* ---- packages and events --------------------------------------------------------------------------------- */

/* dpkg's states of a package that is there; whoever is not PKG_INSTALLED is present and said so. */
enum pkg_state {
    PKG_STATE_INSTALLED,
    PKG_STATE_HALF_INSTALLED,
    PKG_STATE_UNPACKED,
    PKG_STATE_HALF_CONFIGURED,
    PKG_STATE_TRIGGERS_AWAITED,
    PKG_STATE_TRIGGERS_PENDING,
    PKG_STATE_UNKNOWN, /* of a past moment: nobody knows whether it was there; no manager says it */
};
/* The manager's own word: "installed", "half-installed" …; "unknown" */
const char *pkg_state_name(enum pkg_state s);

/* What software that brought its own tag is known by. Views are valid as those of its package. */
struct pkg_tag {
    struct bytes software_id; /* RFC 8412 §6.1.2: of its own tagCreator */
    struct bytes locator;     /* URI of the folder in which the tag stands */
    struct bytes octets;      /* of the file, as they are */
    uint32_t model;           /* SWIMA data model type of them (vendor 0) */
    int64_t written_at;       /* they were written at that second or before it */
};
#define PKG_TAG_MAX ((size_t)4 << 20) /* octets of one */

/* A package that is there now. Views are valid during the call that hands it out. */
struct pkg_package {
    struct bytes name, version, arch;
    struct bytes source_name, source_version; /* the source package; equal to name and version where the manager says nothing else */
    enum pkg_state state;
    int64_t installed_at; /* the second at which it was installed, where the database itself knows it (rpm), else TIME_UNKNOWN */
    const struct pkg_tag *tag; /* NULL: its manager tells what it is; else it does so itself (PKG_SOURCE_TAGS) */
};

/* The numbers of RFC 8412 §5.8. */
enum pkg_action { PKG_CREATE = 1, PKG_DELETE = 2, PKG_ALTER = 3 };
/* create, delete, alter */
const char *pkg_action_name(enum pkg_action a);

/* How sure a time is. */
enum pkg_precision {
    PKG_EXACT,       /* the second at which the package manager did it (dpkg.log) */
    PKG_TRANSACTION, /* within a transaction that began at that second (apt's history) */
    PKG_BOUND,       /* at or before that second, and not before `not_before` */
};
/* exact, transaction, bound */
const char *pkg_precision_name(enum pkg_precision p);

/* Something a log says happened. An upgrade is a DELETE of the old version and a CREATE of the new one at one time; a reinstallation is
 * an ALTER. Views are valid during the call. */
struct pkg_event {
    int64_t time, not_before; /* not_before: TIME_UNKNOWN but for PKG_BOUND */
    enum pkg_precision precision;
    enum pkg_action action;
    struct bytes name, arch, version;
    bool arch_or_all;           /* the architecture is not sure: apt says the native one of packages of architecture `all` too; empty: the log tells none */
    bool weak;                  /* a DELETE that only says "it is not there": nothing happened if it was not */
    bool planned;               /* it is not known to have come about: only that then the package was there (DELETE) or was not (CREATE) */
    struct bytes command, user; /* apt's Commandline and Requested-By, empty if unknown */
    bool automatic;             /* apt: installed as a dependency */
};

/* A file that a package laid down, or that it says is its own. Views are valid during the call that hands it out. */
enum pkg_file_kind { PKG_FILE_UNKNOWN, PKG_FILE_REGULAR, PKG_FILE_DIRECTORY, PKG_FILE_LINK, PKG_FILE_SPECIAL };
enum pkg_hash { PKG_HASH_NONE, PKG_HASH_MD5, PKG_HASH_SHA1, PKG_HASH_SHA256, PKG_HASH_SHA384, PKG_HASH_SHA512 };
struct pkg_file {
    struct bytes path;       /* absolute, without a slash at its end, as the manager has it: any octets, folders that are links on this root */
    struct bytes real_path;  /* where it stands: another one than `path` only if dpkg diverts it */
    enum pkg_file_kind kind; /* as far as the manager knows; PKG_FILE_UNKNOWN: only the disk tells */
    bool config;             /* meant to be changed: dpkg's conffiles, rpm's %config, what apk protects, pacman's backup */
    bool optional;           /* rpm: it may be missing, or was never laid down (%ghost, %config(missingok), excluded documentation) */
    enum pkg_hash hash;      /* what the manager says of the content as it was delivered; of apk's links: of the text of the link */
    struct bytes digest;     /* in octets; empty if PKG_HASH_NONE */
};
/* md5, sha1, sha256 …; "" for none */
const char *pkg_hash_name(enum pkg_hash h);

/* One asking for the files of any number of packages: {.root = …, .without_digests = …}. What a manager reads for all of them (dpkg's status, apk's database, the
 * rpm helper) is kept here from the first question on and is of that moment. For one manager and one thread; ended by pkg_files_end(). */
struct pkg_files {
    const char *root;
    bool without_digests; /* nobody asks what the manager says of content: dpkg need not read it */
    void *kept;
    void (*release)(void *kept);
};
void pkg_files_end(struct pkg_files *f);

/* What a package needs or gives, by name: its own, or one that several packages may give. */
enum pkg_compare { PKG_ANY, PKG_LESS, PKG_LESS_EQUAL, PKG_EQUAL, PKG_GREATER_EQUAL, PKG_GREATER, PKG_LIKE /* it begins so */ };
struct pkg_relation {
    struct bytes name, version; /* version empty with PKG_ANY: needed in any version, or given without one */
    struct bytes arch;          /* empty: for packages of every architecture, or of any one */
    enum pkg_compare compare;   /* what is given has PKG_EQUAL or PKG_ANY */
    bool alternative;           /* needs: this or the one before it */
    bool loose;                 /* a version without release means all of its releases, and what is given without a version is every one */
};
/* What a package says of itself beyond struct pkg_package. Views are valid during the call; what the manager does not know is empty. */
struct pkg_description {
    struct bytes name, version, arch; /* which package */
    struct bytes summary, homepage, maintainer;
    struct bytes licence; /* an SPDX licence expression, with LicenseRef-NAME for names that SPDX does not list */
    bool library;
    const struct pkg_relation *needs, *gives; /* itself stands among what it gives */
    size_t need_count, give_count;
};

/* Who gets what a manager reads. A function returning false stops the reading (PKG_STOPPED). */
struct pkg_sink {
    void *context;
    bool (*package)(void *context, const struct pkg_package *p);
    bool (*event)(void *context, const struct pkg_event *e);
    bool (*file)(void *context, const struct pkg_file *f);
    bool (*description)(void *context, const struct pkg_description *d);
    /* Reads tag->octets: name, version and source of the package, identifier and model of the tag, valid until the next call. False: it is no
     * tag, `error` says why. NULL: software that is known by its own tag alone is not told. */
    bool (*read_tag)(void *context, struct pkg_package *p, struct pkg_tag *tag, struct error *error);
    /* A line that was not understood (line 0: the whole file): it is skipped, never fatal. `unreadable`: a log that is there could not
     * be read, so that history is shorter than it could be. */
    void (*complaint)(void *context, const char *file, size_t line, const char *what, bool unreadable);
    /* Between these two seconds stands a log, or a part of one, that could not be read. May be NULL. */
    bool (*gap)(void *context, int64_t since, int64_t until);
};

/* Where a manager's logs were read up to: the manager's own octets, kept by the journal between two runs. */
struct pkg_cursor {
    struct bytes before;  /* as the last run left it; empty: first run */
    bool doubted;         /* the last run could not read a log: what is still wrong with those it is done with is to be said again */
    struct wr after;      /* what this run leaves; the caller frees it */
    bool continuous;      /* false: something between the last run and now is missing from the logs (truncated, deleted) */
    bool zone_assumed;    /* local times were read for UTC, because nothing says which zone the root has */
    int64_t reaches_back; /* the oldest moment the logs tell of, TIME_UNKNOWN if there are none */
};

/* SWIMA Source Identification Numbers (RFC 8412 §3.4.5). They stand in journals and on servers: a number is given once and never again, and
 * one that no row carries yet is kept for the file that its name promises. */
enum pkg_source {
    PKG_SOURCE_DPKG = 1,
    PKG_SOURCE_RPM = 2,
    PKG_SOURCE_APK = 3,
    PKG_SOURCE_PACMAN = 4,
    PKG_SOURCE_SNAP = 5,
    PKG_SOURCE_FLATPAK = 6,
    PKG_SOURCE_TAGS = 7, /* SWID tag files that vendors laid down */
};

/* An order of versions. It is used by managers on this machine and for software of others: a server need not have rpm to know which is newer. */
struct pkg_order {
    const char *name; /* "dpkg": what `muster compare-versions` calls it */
    /* -1, 0, 1; any octets have a place in the order. */
    int (*compare)(struct bytes a, struct bytes b);
    /* Why this is no version; NULL: it is one. May be NULL itself: everything is. */
    const char *(*fault)(struct bytes v);
};
extern const struct pkg_order *const pkg_orders[]; /* NULL-terminated */
const struct pkg_order *pkg_order_find(const char *name);

/* A package manager. */
struct pkg_manager {
    const char *name; /* "dpkg": the source's name in every output */
    const char *doc;
    uint8_t source; /* enum pkg_source */
    /* True if ROOT has this manager's database. */
    bool (*present)(const char *root);
    /* Every package that is there now (not those of which only configuration is left). PKG_ABSENT: its database is gone with its folder, so
     * that its packages are gone too; a folder without the database, or none at all above it, is PKG_UNREADABLE: a file system that is
     * not mounted yet looks like that. PKG_DAMAGED: it holds no package, and was not made just now, or it
     * breaks off: what is not in it is "unknown", not "gone"; a package that may be cut is not told. */
    enum pkg_status (*installed)(const char *root, const struct pkg_sink *sink);
    /* What the logs say happened since the cursor, oldest first as the logs have it; an event may be told twice (by two logs). NULL: this
     * manager keeps none. */
    enum pkg_status (*history)(const char *root, struct pkg_cursor *cursor, const struct pkg_sink *sink);
    /* Versions of one name and architecture may be there side by side (rpm's kernels): an event speaks of the version that it names and
     * of no other. False: there is at most one, and what an event says of another version means that this one is gone. */
    bool side_by_side;
    /* There is no database: what lies here and there is all there is. Where nothing is found nothing is there (PKG_ABSENT), and no source of
     * knowledge is lost. */
    bool scattered;
    /* A digest of everything `installed` and `history` read, cheap (names, sizes, times, inodes): the same value means that a run would
     * find nothing new. */
    uint64_t (*stamp)(const char *root);
    /* It is at work now: its database and its logs may tell of different moments. NULL: they never do. */
    bool (*busy)(const char *root);
    /* When this package's files were laid down, as their own times tell: a hint where no log says more. TIME_UNKNOWN; may be NULL. */
    int64_t (*unpacked)(const char *root, struct bytes name, struct bytes arch);
    /* The files of one installed package, found by index, in the manager's order. PKG_ABSENT: there is no such package, or no list of its
     * files (then a complaint says so); PKG_DAMAGED: some lines were passed over, each with a complaint, and the others handed out. NULL:
     * this manager cannot tell. */
    enum pkg_status (*files)(struct pkg_files *f, struct bytes name, struct bytes arch, struct bytes version, const struct pkg_sink *sink);
    /* Every package's description; of one package the last one counts. NULL: nothing is known beyond `installed`. */
    enum pkg_status (*describe)(const char *root, const struct pkg_sink *sink);
    /* The native architecture of the root as `uname -m` would say it there ("x86_64"); "" if nothing tells. May be NULL. */
    void (*native_arch)(const char *root, char *arch, size_t size);
    const struct pkg_order *order; /* of its versions; NULL: they are equal or different, and none is newer */
    /* Appends a version as this manager's identifiers and tags say it; NULL: as it is. What is lost stays in the package's own fields. */
    void (*tag_version)(struct wr *w, struct bytes version, struct bytes arch);
    /* Folders and files below the root that change when packages do; NULL-terminated. For watchers. */
    const char *const *watch;
    /* Calls `folder` for those that are to be watched as well, below the root as it is now; of some, `ways`, it matters alone which folders
     * come and go in them. May be NULL. */
    void (*folders)(const char *root, void (*folder)(void *context, const char *path, bool way), void *context);
};
extern const struct pkg_manager *const pkg_managers[]; /* NULL-terminated; rows in a fixed order */
enum { PKG_MANAGERS_MAX = 16 }; /* for what is kept of each; manager.c refuses to be built with more rows */
const struct pkg_manager *pkg_manager_find(const char *name);
const struct pkg_manager *pkg_manager_by_source(uint8_t source);
/* Appends what the manager's identifiers say of this version. The manager may be NULL. */
static inline void pkg_tag_version(const struct pkg_manager *m, struct wr *w, struct bytes version, struct bytes arch)
{
    if (m && m->tag_version)
        m->tag_version(w, version, arch);
    else
        wr_bytes(w, version);
}

/* ---- package files -------------------------------------------------------------------------------------------- */

/* What a package file says of its package: name, version, architecture and source as its manager tells them of the installed one, so that the
 * identifier is the same. Views are valid during the call. */
struct pkg_archive {
    const struct pkg_manager *manager;
    struct pkg_package package;
    struct bytes summary, licence, homepage; /* empty where the format has none, or nothing is said */
};
/* Something that a package file lays down. Views are valid during the call. */
struct pkg_member {
    struct pkg_file file;  /* its digest is what the package says, which may be a lie */
    uint32_t mode;         /* permissions: st_mode & 07777 */
    uint64_t size;         /* octets of a regular file */
    bool delivered;        /* a regular file whose content is handed out next, unless it is empty */
    struct bytes link;     /* the text of a symbolic link */
    struct bytes same_as;  /* another name of the same file: the path of one told before, which has the content */
    bool unlisted;         /* the package lists its files with their digests, but not this one */
    bool absent;           /* it is in that list alone: kind unknown, told behind all others */
};
struct pkg_archive_sink {
    void *context;
    bool (*package)(void *context, const struct pkg_archive *a); /* once, before all members */
    bool (*member)(void *context, const struct pkg_member *m);   /* in the file's order */
    bool (*content)(void *context, struct bytes octets); /* of the member told last: `size` octets in all, in order */
};
/* Reads a package file (.deb, .rpm, .pkg.tar.*, .apk) from where fd stands to its end: compressed parts with their checksums, nothing twice;
 * fd may be a pipe and stays open. Time is that of reading and unpacking; memory a few MiB, for rpm also what its header (64 MiB at most)
 * takes. What unpacks to more than 1 GiB and 1,000 times its packed size is refused, and so is a path that climbs out. PKG_OK; PKG_ABSENT:
 * no package file; PKG_DAMAGED; PKG_UNREADABLE; PKG_STOPPED; PKG_NO_MEMORY: `error` says why. What was told before a failure is void. Whoever
 * calls it links pkg_archive_dep. */
enum pkg_status pkg_archive_read(int fd, const struct pkg_archive_sink *sink, struct error *error) MUST_USE;

/* ---- a catalogue: all packages of a root with their descriptions -------------------------------------------------------- */

struct pkg_item {
    const struct pkg_manager *manager;
    struct pkg_package package;
    unsigned twin; /* how many items before this one have the same manager, name, architecture and version */
    struct bytes summary, homepage, maintainer, licence; /* as in struct pkg_description; empty: not known */
    struct bytes tag_id; /* of software that brought its own tag: the software identifier that this carries; empty: it is made of the fields */
    bool library;
    bool described;          /* today's database knows this very version */
    const uint32_t *depends; /* numbers of items, ascending, each once, never its own */
    size_t depend_count;
};
struct pkg_catalogue;
/* NULL: no memory. Freed, with all that it handed out, by pkg_catalogue_free(), which takes NULL. */
struct pkg_catalogue *pkg_catalogue_new(void) MUST_USE;
void pkg_catalogue_free(struct pkg_catalogue *c);
/* Adds a copy of a package: of today's or of a past moment. False: no memory. */
bool pkg_catalogue_add(struct pkg_catalogue *c, const struct pkg_manager *m, const struct pkg_package *p) MUST_USE;
/* Adds what is installed now; `sink` hears complaints alone. PKG_ABSENT: there is no package manager. What else is not PKG_OK is of the first
 * manager that could not be read; what others tell is there all the same. */
enum pkg_status pkg_catalogue_collect(struct pkg_catalogue *c, const char *root, const struct pkg_sink *sink) MUST_USE;
/* Puts the packages in order (name, architecture, version, manager) and completes them with what the root's databases say today of exactly these
 * versions. A package depends on those in the catalogue that satisfy what it needs: of alternatives the first that is satisfied; of packages the one
 * of that name, if it will do, else all that give it. PKG_OK, or as above. To be called once, behind all that adds. */
enum pkg_status pkg_catalogue_describe(struct pkg_catalogue *c, const char *root, const struct pkg_sink *sink) MUST_USE;
/* The items, in their order. */
const struct pkg_item *pkg_catalogue_items(const struct pkg_catalogue *c, size_t *count);

#endif
