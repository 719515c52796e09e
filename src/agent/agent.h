/* agent: the endpoint. The journal (its event database), the posture collectors, one assessment. This is the room's one public header. */
#ifndef MUSTER_AGENT_H
#define MUSTER_AGENT_H

#include "base/base.h"
#include "measure/measure.h"
#include "nea/nea.h"
#include "pkg/pkg.h"
#include "swid/swid.h"

/* ---- journal: the endpoint's event database (RFC 8412 §3.7) ------------------------------------------------------ */

enum journal_status {
    JOURNAL_OK = 0,
    JOURNAL_ABSENT,     /* no journal yet: run collect */
    JOURNAL_OLDER,      /* made by an older version of Muster: opening it for writing brings it up to date */
    JOURNAL_DAMAGED,    /* the file was kept aside; the error names it */
    JOURNAL_BUSY,
    JOURNAL_FULL,
    JOURNAL_PERMISSION,
    JOURNAL_INCOMPLETE, /* a package database could not be read: what is stored stands, the answer is partly unknown (exit 3) */
    JOURNAL_OTHER_ROOT, /* it describes another root than the one given: nothing was written, the error says which */
    JOURNAL_FAILED,
};

struct journal; /* STATE/journal.db, one connection */

enum journal_mode { JOURNAL_READ, JOURNAL_WRITE, JOURNAL_UPDATE };
/* Opens STATE/journal.db; JOURNAL_WRITE and JOURNAL_UPDATE create the folder and the file. A damaged file is renamed, never overwritten, and with
 * JOURNAL_WRITE a new journal with a new epoch begins (error->text says so; status JOURNAL_OK; *renewed true, which may be NULL in other modes);
 * JOURNAL_UPDATE leaves it where it is, and does not wait long for another run. */
enum journal_status journal_open(struct journal **out, const char *state, enum journal_mode mode, bool *renewed, struct error *error) MUST_USE;
void journal_close(struct journal *j);

/* One run of collection. */
struct journal_source_report {
    const struct pkg_manager *manager;
    enum pkg_status status;      /* PKG_ABSENT: it was here, and is gone with its packages */
    uint32_t new_events;
    uint32_t installed, removed; /* records of this source now */
    int64_t reaches_back;        /* the oldest moment its logs tell of, TIME_UNKNOWN */
    uint32_t complaints;         /* log lines that were not understood */
    bool unreadable;             /* a log that is there could not be read */
    bool zone_assumed;           /* local times that this run read in its logs were taken for UTC: the root does not tell its zone, nor does TZ */
    bool unsettled;              /* the package manager is at work: what it has under way is told by a later run */
};
struct journal_report {
    int64_t collected; /* when it ran */
    uint32_t epoch, last_eid;
    bool new_epoch; /* continuity was lost (or this is the first run) */
    uint32_t new_events;
    struct journal_source_report sources[PKG_MANAGERS_MAX];
    size_t source_count;
};
struct journal_options {
    const char *root;    /* "/" or another root */
    bool adopt_root;     /* the journal's root was moved to this one: it goes on with it */
    const struct swid_creator *creator; /* NULL: the default */
    void (*complain)(void *context, const char *file, size_t line, const char *what); /* NULL: nowhere */
    void *context;
};
/* A journal describes the root that its first run was given (its real path), and no other. JOURNAL_OTHER_ROOT if `root` is another one;
 * JOURNAL_OK also for a journal in which nothing was collected yet. */
enum journal_status journal_expect_root(struct journal *j, const char *root, struct error *error) MUST_USE;
/* Brings the journal up to date with the package managers in one transaction: afterwards its installed set equals theirs. Safe against a
 * second run at the same time (it waits) and against being killed. JOURNAL_INCOMPLETE: some source could not be read and kept its last
 * known state. */
enum journal_status journal_collect(struct journal *j, const struct journal_options *options, struct journal_report *report,
                                    struct error *error) MUST_USE;

/* A record of the Software Inventory Evidence Collection: one package of one version and architecture, there or gone. */
struct journal_record {
    uint32_t id; /* Record Identifier: unique and stable (SWIMA-R14) */
    uint8_t source;
    struct bytes software_id, name, version, arch, source_name, source_version, locator;
    struct bytes tag; /* the software's own one, as its file was; p NULL: it has none */
    uint32_t model;   /* of that tag */
    enum pkg_state state;
    bool installed; /* it is, or (PKG_STATE_UNKNOWN) may have been */
    int64_t since; /* when it came (installed) or went (removed), with its precision; of what is unknown, when it was there for certain */
    enum pkg_precision precision;
};
struct journal_event {
    uint32_t eid, epoch;
    int64_t time, not_before;
    enum pkg_precision precision;
    enum pkg_action action;
    struct journal_record record;
    struct bytes command, user; /* empty if unknown */
};
struct journal_head {
    uint32_t epoch, last_eid;
    uint32_t installed, removed;
    int64_t collected;   /* the last run */
    int64_t known_since; /* of the first event: nothing is known of the time before. TIME_UNKNOWN: there is none */
    uint32_t sources;    /* package managers that a run found */
    uint32_t unread;     /* of which the last run could not read a log that is there */
};
enum journal_status journal_head(struct journal *j, struct journal_head *head, struct error *error) MUST_USE;

/* Whether what runs found is still what is there, as far as names, sizes and times of the package managers' files tell; false also where they do not. */
enum journal_status journal_is_current(struct journal *j, bool *current, struct error *error) MUST_USE;

/* For struct pkg_sink: reads the tag that software brought, into the arena, which is emptied first. False: it is no usable tag, `error`
 * says why. */
bool agent_read_tag(struct arena *a, struct pkg_package *p, struct pkg_tag *tag, struct error *error) MUST_USE;

enum journal_which { JOURNAL_INSTALLED = 1, JOURNAL_REMOVED = 2, JOURNAL_BOTH = 3, JOURNAL_UNKNOWN = 4 };
/* Calls visit for every record, ordered by name, architecture, version; stops when it returns false. `at` is TIME_UNKNOWN for now, else a
 * past moment: installed then / removed before / not known whether it was there, because only bounds are known of when it came or went. Views
 * are valid during the call. */
enum journal_status journal_each_record(struct journal *j, enum journal_which which, int64_t at,
                                        bool (*visit)(void *context, const struct journal_record *record), void *context,
                                        struct error *error) MUST_USE;
/* Every record that carries this software identifier, installed or gone, found by index; of one that is gone `since` is not looked up
 * (TIME_UNKNOWN). JOURNAL_OK also if there is none. */
enum journal_status journal_find(struct journal *j, struct bytes software_id,
                                 bool (*visit)(void *context, const struct journal_record *record), void *context,
                                 struct error *error) MUST_USE;
/* Events with EID >= earliest, in EID order, of the current epoch; `name` empty: all packages. */
enum journal_status journal_each_event(struct journal *j, uint32_t earliest, struct bytes name,
                                       bool (*visit)(void *context, const struct journal_event *event), void *context,
                                       struct error *error) MUST_USE;
/* The events of what was there before the logs begin, of which bounds alone are known: EIDs up to `count`, by when all of a source's had come;
 * 0 if all of them lie before `earliest`. */
struct journal_beginning {
    uint32_t count;
    int64_t by[256];
};
enum journal_status journal_beginning(struct journal *j, uint32_t earliest, struct journal_beginning *b, struct error *error) MUST_USE;
/* Compares the journal with the package managers without changing it: calls differ for every difference. */
enum journal_status journal_check(struct journal *j, const struct journal_options *options,
                                  void (*differ)(void *context, const char *what, const struct journal_record *record), void *context,
                                  uint32_t *differences, struct error *error) MUST_USE;

/* ---- tags --------------------------------------------------------------------------------------------------------- */

/* What tags are to look like. The default is swidGenerator's tag without files, with what identifiers fold in Muster's own namespace. */
struct agent_tag_style {
    const struct swid_creator *creator; /* NULL: whom the record's identifier names */
    const struct swid_product *product; /* NULL: as the record's identifier says; else its tagId is made anew of this */
    const char *lang;                   /* NULL: en-US */
    bool about_package;                 /* Meta tells the package and its upstream version, not the system */
    bool bare;                          /* nothing of Muster's own namespace */
    bool full, hierarchic;              /* with files; directories within one another */
    unsigned hashes;                    /* enum measure_hash, of the files */
    const char *root, *cache;           /* as in struct measure_options, */
    uint64_t until;                     /* and so is this */
};
/* Where tags go. A package's tag is one begin(), the calls on the sink that it returned, and one end(); tags come one after the other, in the
 * order in which they were asked for. */
struct agent_tag_taker {
    void *context;
    /* NULL stops all. */
    struct swid_sink *(*begin)(void *context, const struct journal_record *r);
    /* `whole`: every file of the package stands in it with its hashes. False stops all. */
    bool (*end)(void *context, const struct journal_record *r, bool whole);
    /* A file that is not in the tag, or its list that cannot be read (path empty). May be NULL. */
    void (*complain)(void *context, const struct journal_record *r, struct bytes path, const char *what);
};

/* Makes tags of packages. Only the packages whose files are being read are in memory, at most some thousand files and a package more. */
struct agent_tags;
/* Texts of `style` must outlive it. NULL: the root cannot be opened, or no memory; `error` says which. Otherwise its text is empty, or says why
 * the cache is done without. */
struct agent_tags *agent_tags_begin(const struct agent_tag_style *style, const struct agent_tag_taker *taker,
                                    struct error *error) MUST_USE;
/* The tag of this package, which may be gone (then it has no files) or of no manager (source 0). It is taken during this call or a later one.
 * False: stopped, or no memory. */
bool agent_tags_put(struct agent_tags *t, const struct journal_record *r) MUST_USE;
/* Waits for all of them. False as above. */
bool agent_tags_flush(struct agent_tags *t) MUST_USE;
/* `complete` as in measure_end(). t may be NULL. */
void agent_tags_end(struct agent_tags *t, bool complete);

/* One tag of files and folders (with all that is in them) that no package owns, as Evidence, with the record's name, version and identifier.
 * `paths` are absolute below the root; where `shown` is not NULL it stands in their place in the tag. Links are followed below each path
 * alone, and not on the way to it unless the root is /. False: stopped, no memory, or nothing stands at one of the paths: then there is no
 * tag, and `error` says why. */
bool agent_tags_evidence(const struct agent_tag_style *style, const struct agent_tag_taker *taker, const struct journal_record *r,
                         const char *const *paths, size_t count, const char *shown, struct error *error) MUST_USE;

/* The tag of a package that need not be installed, with the files that `next` hands out, in the order in which they belong into a tag, if
 * style->full; the style must have a product. False: stopped, or no memory. */
bool agent_tags_package(const struct agent_tag_style *style, const struct agent_tag_taker *taker, const struct journal_record *r,
                        bool (*next)(void *context, struct swid_file *file), void *context);

/* A tag's files beside the disk. */
enum agent_file_state {
    AGENT_FILE_SAME,
    AGENT_FILE_CHANGED,    /* another size or hash */
    AGENT_FILE_MUTABLE,    /* the same, but it may */
    AGENT_FILE_MISSING,    /* or no file any more */
    AGENT_FILE_ADDED,      /* Evidence: it stands in one of the tag's folders, but not in the tag */
    AGENT_FILE_UNREADABLE, /* it, or a folder, could not be read; or the tag says nothing that can be compared */
    AGENT_FILE_STATES      /* how many */
};
const char *agent_file_state_name(enum agent_file_state s);
/* Compares a tag of any format with the files below the root, links followed as in measure/. `differ` hears of each file but the same ones;
 * `counts` has all of them. Of Evidence everything is looked for that stands in or below a Directory which holds a file or nothing at all, and is
 * not in the tag; `*walked` is in how many folders. Not SWID_OK: the tag cannot be read, names a path that climbs out, or (SWID_NO_MEMORY) the root cannot be
 * opened; `error` says why. */
enum swid_status agent_tag_verify(struct bytes tag, const char *root,
                                  void (*differ)(void *context, enum agent_file_state s, struct bytes path), void *context,
                                  size_t counts[AGENT_FILE_STATES], size_t *walked, struct error *error) MUST_USE;

/* ---- posture collectors ---------------------------------------------------------------------------------------- */

struct agent_verdict;
struct agent_inventory;

/* What the OS collector tells. */
struct agent_posture {
    struct pkg_platform platform;
    int64_t last_boot;        /* TIME_UNKNOWN if /proc does not say */
    uint32_t forwarding;      /* 0 disabled, 1 enabled, 2 unknown: IPv4 or IPv6 */
    bool default_password;
    char device_id[65];       /* stable, and not the raw machine-id: hex of SHA-256 over it and a constant, cut to 32; "" if there is none */
    const char *root;         /* NULL: it is as it stands here; else read anew from there when an exchange begins, but for default_password */
    struct agent_verdict *heard; /* where the collector notes what its validator says; NULL: nowhere. agent_assess() sets it */
    const struct agent_inventory *inventory; /* whose packages it tells if it is asked for them; NULL: none. Sessions set it */
};
/* Never fails: what cannot be read stays unknown. Of a root other than "/" only files are read; its kernel says nothing. */
void agent_posture_read(const char *root, struct agent_posture *posture);

/* Collectors for nea_config.components; contexts: struct agent_posture * and struct agent_inventory *. */
extern const struct nea_component agent_os_collector, agent_swima_collector;

/* What the SWIMA collector serves: an open journal, already up to date. */
struct agent_inventory {
    struct journal *journal;
    size_t max_attribute; /* a larger answer is refused with SWIMA_RESPONSE_TOO_LARGE or cut to a partial event list; 0: 16 MiB */
    struct agent_verdict *heard; /* as in agent_posture; counts what was sent, too */
    const struct agent_tag_style *tags; /* records of what is installed are tags of this style; NULL: tags without files */
    uint32_t model; /* of records: SWID_MODEL_… */
    bool leaves; /* with the verdict, so what the server asks about what it was told it must ask now. agent_assess() sets it */
};

/* Reads the files of all that is installed into the cache of inventory->tags, so that no server waits for it. False: `error` says why; behind
 * tags->until what was read by then is kept. */
bool agent_records_warm(const struct agent_inventory *inventory, struct error *error) MUST_USE;

/* ---- one assessment ------------------------------------------------------------------------------------------------ */

enum agent_status {
    AGENT_OK = 0,     /* there is a result; whether access is allowed stands in it */
    AGENT_UNREACHED,  /* could not connect, TLS or authentication failed (exit 5) */
    AGENT_FAILED,     /* the protocol broke down (exit 5) */
    AGENT_REFUSED,    /* a file that was given cannot be used: the CA, the certificate, the key (exit 2) */
};
/* The server, where it is assessed as well (mutual assessment, which it must have switched on). Texts as in agent_verdict. */
struct agent_server {
    bool took_part; /* false: nothing below is known */
    char product[128], version[128];
    int64_t last_boot;                /* TIME_UNKNOWN */
    int forwarding, default_password; /* 0 no, 1 yes, -1 not known */
    enum nea_result result;           /* our verdict; access NEA_ACCESS_NONE: there is none */
    enum nea_access access;
    char reason[128];
    /* Of the assessment itself. */
    uint64_t told;
    struct nea_connection *connection;
    struct nea_mutual mutual;
    void *context;
};
struct agent_assessment {
    const char *host; /* name or address; the server's certificate must carry it */
    uint16_t port;    /* 271 by default */
    const char *ca, *certificate, *key; /* PEM files; certificate and key NULL: it logs in */
    struct bytes user, password;        /* if the server asks for a login (SASL); empty: it has none */
    struct agent_posture *posture;
    struct agent_inventory *inventory;
    const char *language;
    struct nea_limits limits;
    void (*capture)(void *capture_context, struct bytes octets); /* NULL, or hears all that is said within TLS, as it comes and goes */
    void *capture_context;
    unsigned timeout_ms; /* for the whole; 0: 60,000 */
    struct agent_server *server; /* assessed as well; NULL: it is not */
};
struct agent_verdict {
    enum nea_result result;
    enum nea_access access;
    char reason[1024], remediation[2048];
    struct {
        char name[32];
        enum nea_result result;
        bool given;
        char remediation[1024];
    } validators[8]; /* what each validator said of its component */
    size_t validator_count;
    uint32_t events_sent, records_sent; /* in answers; what became of them is the server's to say: see `taken` */
    uint32_t tags_sent;   /* of them, with tags; */
    bool tags_asked;      /* the server asked for such */
    bool taken;           /* the server had no trouble with what it was sent: it gives its verdict behind the commit */
    unsigned batches; /* that we sent */
    double seconds;
};
/* One assessment from connect to close; runs a loop of its own until it is over. Texts of the verdict are UTF-8 without control characters
 * (but for line feeds): fit for a terminal whatever the server sent. With AGENT_OK the error is empty, else it says what to mend. */
enum agent_status agent_assess(const struct agent_assessment *a, struct agent_verdict *verdict, struct error *error) MUST_USE;

/* ---- the agent ------------------------------------------------------------------------------------------------------ */

/* Makes this process the one agent of a state folder until the descriptor is closed, or it dies. -1: another one is, or the folder may not be
 * written; `error` says which. */
int agent_claim(const char *state, struct error *error) MUST_USE;
/* Stays connected, connects again where it must, collects and tells every change of the package managers' files within a second; until
 * SIGTERM or SIGINT. It collects once the files have been still for `delay_ms`, at the latest after five times as long; 0: at once.
 * With a->server it is assessed in each exchange but those that only tell what is new, and left where it does not satisfy, or does not say;
 * the agent then comes back after some minutes.
 * a->inventory has a journal open for writing; a->timeout_ms means nothing here. AGENT_OK: it was told to stop; else it could not begin,
 * and the error says why. What goes wrong later is logged, and tried again. */
enum agent_status agent_run(const struct agent_assessment *a, const struct journal_options *collection,
                            unsigned delay_ms, struct error *error) MUST_USE;

#endif
