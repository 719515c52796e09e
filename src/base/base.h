/* base: what every room stands on. Views of memory, the sticky reader and writer, arenas, UTF-8, times, errors, log.
 * This is the room's one public header; other rooms include nothing else of base/. */
#ifndef MUSTER_BASE_H
#define MUSTER_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))

/* ---- bytes: a view of memory that someone else owns ---------------------------------------------------------- */

/* n octets at p. p may be NULL only if n is 0. Text is bytes too: never assume a NUL at the end. */
struct bytes {
    const uint8_t *p;
    size_t n;
};

/* A view of a string literal, without its NUL. */
#define BYTES(literal) ((struct bytes){(const uint8_t *)("" literal), sizeof(literal) - 1})

/* A view of a NUL-terminated string (NULL gives the empty view); lives as long as the string. */
struct bytes bytes_of(const char *s);
bool bytes_equal(struct bytes a, struct bytes b);
/* Octet-wise order, a shorter prefix first: <0, 0, >0. */
int bytes_compare(struct bytes a, struct bytes b);
bool bytes_starts(struct bytes b, struct bytes prefix);
/* Splits *rest at the first `separator`: returns what stands before it, *rest becomes what stands behind it; without one, all of
 * *rest is returned and *rest becomes empty (p NULL marks "no more"). */
struct bytes bytes_split(struct bytes *rest, uint8_t separator);
/* Without blanks, tabs, CR and LF at both ends. */
struct bytes bytes_trim(struct bytes b);
/* What stands behind its first n octets (n <= b.n). */
static inline struct bytes bytes_from(struct bytes b, size_t n)
{
    return n ? (struct bytes){b.p + n, b.n - n} : b; /* also where there is no memory behind it */
}
/* A decimal number that fits; false for anything else (empty, sign, other octets, overflow). */
bool bytes_number(struct bytes b, uint64_t *value);

/* ---- rd: the sticky reader --------------------------------------------------------------------------------------- */

/* Reads big-endian fields one after the other. After the first failure the reader stands at its end, values are 0, views are empty,
 * loops on rd_more() end, and bad_at keeps the offset of what could not be read. A parser is a straight line, checked once. */
struct rd {
    const uint8_t *p, *end;
    size_t offset; /* of p, counted from where the outermost reader began */
    size_t bad_at; /* meaningful if bad */
    bool bad;
};

/* `offset` is what rd_offset() shall say of the first octet (0 for a whole message). */
struct rd rd_of(struct bytes b, size_t offset);
uint8_t rd_u8(struct rd *r);
uint16_t rd_u16(struct rd *r);
uint32_t rd_u24(struct rd *r);
uint32_t rd_u32(struct rd *r);
uint64_t rd_u64(struct rd *r);
/* The next n octets as a view; empty, and the reader bad, if fewer are left. */
struct bytes rd_take(struct rd *r, size_t n);
/* The next n octets as a reader of their own: the only way to a smaller view. A bad one, if fewer are left (then *r is bad too). */
struct rd rd_sub(struct rd *r, size_t n);
struct bytes rd_rest(struct rd *r);
/* Marks the reader bad at offset `at`, unless it is bad already. */
void rd_fail(struct rd *r, size_t at);
static inline bool rd_more(const struct rd *r)
{
    return r->p < r->end;
}
static inline size_t rd_left(const struct rd *r)
{
    return (size_t)(r->end - r->p);
}
static inline size_t rd_offset(const struct rd *r)
{
    return r->offset;
}

/* ---- wr: the sticky writer ----------------------------------------------------------------------------------------- */

/* Appends big-endian fields and text to memory that it owns and lets grow up to max octets. A value that does not fit its field, a
 * full writer or no memory make it bad: later calls do nothing. Freed by wr_free(). Text and messages are both written with it. */
struct wr {
    uint8_t *p;
    size_t n, capacity, max;
    bool bad;
};

/* max 0: the default bound of 64 MiB. */
struct wr wr_of(size_t max);
void wr_free(struct wr *w);
/* Keeps the memory, forgets the contents and the badness. */
void wr_reset(struct wr *w);
void wr_u8(struct wr *w, uint64_t v);
void wr_u16(struct wr *w, uint64_t v);
void wr_u24(struct wr *w, uint64_t v);
void wr_u32(struct wr *w, uint64_t v);
void wr_u64(struct wr *w, uint64_t v);
void wr_bytes(struct wr *w, struct bytes b);
void wr_str(struct wr *w, const char *s);
void wr_fmt(struct wr *w, const char *format, ...) PRINTF_LIKE(2, 3);
void wr_zero(struct wr *w, size_t n);
/* Room for n octets to write into, zeroed; its position for wr_patch*(), or SIZE_MAX if the writer is bad. */
size_t wr_hole(struct wr *w, size_t n);
void wr_patch8(struct wr *w, size_t hole, uint64_t v);
void wr_patch16(struct wr *w, size_t hole, uint64_t v);
void wr_patch24(struct wr *w, size_t hole, uint64_t v);
void wr_patch32(struct wr *w, size_t hole, uint64_t v);
/* Removes the first n octets (what has been sent). */
void wr_drop(struct wr *w, size_t n);
/* What has been written; valid until the next call on w. */
struct bytes wr_view(const struct wr *w);
/* The same as a NUL-terminated string (the NUL is not counted in n); "" if the writer is bad. Valid until the next call on w. */
const char *wr_string(struct wr *w);

/* ---- arena --------------------------------------------------------------------------------------------------------- */

/* Memory that dies together: with its message, request, session or command. `limit` bounds what one peer or file can cost. Every
 * allocation is aligned for any type. NULL when the limit or the memory is exhausted; `exhausted` then stays set. */
struct arena {
    struct arena_block *blocks;
    size_t used, limit;
    bool exhausted;
};

struct arena arena_of(size_t limit);
void *arena_alloc(struct arena *a, size_t n) MUST_USE;
/* n items of `size` octets, zeroed; the product is checked. */
void *arena_zalloc(struct arena *a, size_t n, size_t size) MUST_USE;
/* A copy with a NUL behind it; the empty view gives "". The view is empty with p NULL if there is no room. */
struct bytes arena_copy(struct arena *a, struct bytes b) MUST_USE;
char *arena_string(struct arena *a, struct bytes b) MUST_USE;
/* Frees all of it but the first block; everything handed out is gone. */
void arena_reset(struct arena *a);
void arena_free(struct arena *a);

/* ---- UTF-8 --------------------------------------------------------------------------------------------------------- */

/* Well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). */
bool utf8_valid(struct bytes b);
/* The length of the longest prefix of b that is at most max octets and does not cut a character. */
size_t utf8_cut(struct bytes b, size_t max);

/* ---- times --------------------------------------------------------------------------------------------------------- */

/* Seconds since 1970-01-01T00:00:00Z. TIME_UNKNOWN prints as 0000-00-00T00:00:00Z, the reserved value of RFC 5792 §4.2.5. */
#define TIME_UNKNOWN INT64_MIN
#define TIME_TEXT 21 /* octets of a printed time with its NUL */

int64_t time_now(void);
/* Milliseconds of a clock that never jumps; for deadlines only. */
uint64_t time_monotonic_ms(void);
/* CPU seconds are not times: see bench/. YYYY-MM-DDThh:mm:ssZ; a value outside the years 0001-9999 prints as unknown. */
void time_format(int64_t t, char text[TIME_TEXT]);
/* Exactly YYYY-MM-DDThh:mm:ssZ, second 60 allowed (counted as the next minute's 0); the reserved all-zero time gives TIME_UNKNOWN. */
bool time_parse(struct bytes text, int64_t *t);
/* What an option takes: RFC 3339 with any offset or fraction, a date (its first second, UTC), or -7d -12h -30m -10s -2w from `now`. */
bool time_parse_option(const char *text, int64_t now, int64_t *t);
/* A time zone: when its clocks show what. NULL is UTC. Reads no file and no environment. */
struct zone;
/* Of a TZif file (RFC 9636), or of a rule as TZ may hold it ("CET-1CEST,M3.5.0,M10.5.0/3"; POSIX, XBD §8.3). NULL: it is none, or there is no
 * memory. Freed by zone_free(), which takes NULL. */
struct zone *zone_of_file(struct bytes tzif) MUST_USE;
struct zone *zone_of_rule(struct bytes text) MUST_USE;
void zone_free(struct zone *z);
/* Seconds that its clocks are ahead of UTC at t. */
int64_t zone_offset(const struct zone *z, int64_t t);
/* When its clocks showed this local time (given as time_parse() reads it, as if it were UTC), and how often: 1; 2 in an hour that a clock change
 * repeats: then at *earliest and again at *latest; 0 in one that it skips: then the two are what clocks not yet and already changed would mean. */
unsigned zone_read(const struct zone *z, int64_t local, int64_t *earliest, int64_t *latest);

/* ---- errors -------------------------------------------------------------------------------------------------------- */

/* One clear line for a person: what is wrong, where, and how to mend it. Each room has its own enum of codes; 0 is success. */
struct error {
    char text[512];
};

void error_set(struct error *e, const char *format, ...) PRINTF_LIKE(2, 3);
/* Ends the program with exit status 70: only for what no input can cause. */
_Noreturn void bug(const char *format, ...) PRINTF_LIKE(1, 2);

/* ---- log ----------------------------------------------------------------------------------------------------------- */

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* One line to stderr, control characters escaped: a peer's text cannot forge a line. Lines above the level are dropped. */
void log_line(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);
void log_set_level(enum log_level level);
/* From now on each line begins with its time: for programs that stay. Not where journald notes it anyway (JOURNAL_STREAM, systemd.exec(5)). */
void log_set_times(void);

/* ---- JSON writer --------------------------------------------------------------------------------------------------- */

/* Writes JSON as a stream into a writer: members in the order of the calls, commas and escapes are its business. Octets that are not
 * UTF-8 are written as U+FFFD. `key` is NULL inside arrays and for the outermost value. Reading JSON is jansson's business, whose
 * names (json_object, json_array, json_string, json_null) are not taken here: a file may use both. */
/* Where the writer stands, as text: "messages.0.kind". */
struct json_path {
    char text[1024]; /* what does not fit is cut off */
    size_t ends[64]; /* of the text, a level */
    uint32_t counts[64];
};
struct json {
    struct wr *w;
    unsigned depth;
    uint64_t filled; /* a bit a level: this level has a member already (64 levels) */
    bool outline;    /* the same calls print indented lines "key: value" for a person; set it before the first one */
    bool dash;       /* outline: the next line begins an element of an array */
    uint64_t arrays; /* a bit a level: an array */
    struct json_path *path; /* or NULL. The same calls print a line a value for scripts: its path, a tab, the value; set before the first one */
    void (*drain)(void *context); /* NULL, or takes what w holds whenever much has gathered: a document may be larger than memory */
    void *context;
};

struct json json_of(struct wr *w);
void json_object_begin(struct json *j, const char *key);
void json_object_end(struct json *j);
void json_array_begin(struct json *j, const char *key);
void json_array_end(struct json *j);
void json_text(struct json *j, const char *key, struct bytes value);
void json_str(struct json *j, const char *key, const char *value); /* NULL writes null */
void json_number(struct json *j, const char *key, int64_t value);
void json_bool(struct json *j, const char *key, bool value);
void json_none(struct json *j, const char *key);
/* A text of two hexadecimal digits an octet. */
void json_hex(struct json *j, const char *key, struct bytes octets);
/* YYYY-MM-DDThh:mm:ssZ, or null for TIME_UNKNOWN. */
void json_time(struct json *j, const char *key, int64_t t);

#endif
