#include "pkg/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What dnf did, from the database that it keeps of its transactions: dnf 4 one, dnf 5 another; a machine that was
 * upgraded has both. muster-rpmdb reads them; what other programs did with rpm stands in neither. */

static const char *const histories[] = {"/var/lib/dnf/history.sqlite",
                                        "/usr/lib/sysimage/libdnf5/transaction_history.sqlite"};
#define HISTORIES      ARRAY_LENGTH(histories)
#define CURSOR_VERSION 1

/* ---- muster-rpmdb's lines ------------------------------------------------------------------------------------- */

static int64_t number_of(struct bytes b)
{
    uint64_t n;
    return bytes_number(b, &n) && n <= INT64_MAX ? (int64_t)n : 0;
}

static bool read_item(struct bytes line, const struct dnf_transaction *t, struct dnf_item *item)
{
    struct bytes deed = bytes_split(&line, '\t');
    *item = (struct dnf_item){.deed = deed.n == 1 ? (char)deed.p[0] : 0, .time = t->begin, .exact = t->begin == t->end};
    item->name = bytes_split(&line, '\t');
    item->version = bytes_split(&line, '\t');
    item->arch = bytes_split(&line, '\t');
    int64_t installed = number_of(line);
    if (item->deed != DNF_WENT && installed >= t->begin && installed <= t->end) {
        item->time = installed;
        item->exact = true;
    }
    bool known = item->deed == DNF_CAME || item->deed == DNF_WENT || item->deed == DNF_AGAIN;
    return known && is_word(item->name) && is_word(item->version) && is_word(item->arch);
}

static int by_package(const void *a, const void *b)
{
    const struct dnf_item *ia = a, *ib = b;
    int c = bytes_compare(ia->name, ib->name);
    c = c ? c : bytes_compare(ia->arch, ib->arch);
    c = c ? c : (ia->deed == DNF_WENT) - (ib->deed == DNF_WENT);
    return c ? c : bytes_compare(ia->version, ib->version);
}

static int by_time(const void *a, const void *b)
{
    const struct dnf_item *ia = a, *ib = b;
    if (ia->time != ib->time)
        return ia->time < ib->time ? -1 : 1;
    int c = (ia->deed != DNF_WENT) - (ib->deed != DNF_WENT);
    c = c ? c : bytes_compare(ia->name, ib->name);
    return c ? c : by_package(a, b);
}

/* SWIMA-R29, RFC 8412 §3.6: of an upgrade the old version goes when the new one comes. dnf 5 says of a reinstallation
 * that the same version went, too. */
static void settle_items(struct dnf_transaction *t)
{
    const struct dnf_item *comes = NULL;
    size_t kept = 0;
    if (t->count)
        qsort(t->items, t->count, sizeof *t->items, by_package);
    for (size_t i = 0; i < t->count; i++) {
        struct dnf_item item = t->items[i];
        bool same = comes && bytes_equal(comes->name, item.name) && bytes_equal(comes->arch, item.arch);
        if (item.deed == DNF_WENT && same && bytes_equal(comes->version, item.version))
            continue;
        if (item.deed == DNF_WENT && same) {
            item.time = comes->time;
            item.exact = comes->exact;
        }
        t->items[kept] = item;
        if (item.deed != DNF_WENT)
            comes = &t->items[kept];
        kept++;
    }
    t->count = kept;
    if (t->count)
        qsort(t->items, t->count, sizeof *t->items, by_time);
}

bool dnf_transaction_next(struct dnf_history *h, struct dnf_transaction *t)
{
    struct bytes line;
    bool whole;
    *t = (struct dnf_transaction){.items = h->items};
    if (!h->pushed.n && (!lines_next(&h->lines, &h->pushed, &whole) || h->pushed.p[0] != 'T'))
        return false;
    line = h->pushed;
    h->pushed = (struct bytes){0};
    bytes_split(&line, '\t');
    t->id = number_of(bytes_split(&line, '\t'));
    t->begin = number_of(bytes_split(&line, '\t'));
    t->end = number_of(bytes_split(&line, '\t'));
    struct bytes user = bytes_split(&line, '\t');
    t->has_user = bytes_number(user, &t->user) && t->user < UINT32_MAX;
    t->command = line;
    while (lines_next(&h->lines, &line, &whole)) {
        if (line.n && line.p[0] == 'T') {
            h->pushed = line;
            break;
        }
        if (t->count == h->capacity) {
            size_t capacity = h->capacity ? h->capacity * 2 : 256;
            struct dnf_item *grown = realloc(h->items, capacity * sizeof *grown);
            if (!grown)
                return false;
            h->items = t->items = grown;
            h->capacity = capacity;
        }
        t->count += read_item(line, t, &t->items[t->count]);
    }
    settle_items(t);
    return true;
}

/* ---- reading both ------------------------------------------------------------------------------------------------ */

/* What the cursor keeps of one of them: the transaction read last, when it began, and when the oldest one did. */
struct position {
    int64_t id, begin, first;
};

struct reading {
    const struct pkg_sink *sink;
    const char *root;
    struct half {
        char path[PATH_MAX];
        struct wr answer;
        struct dnf_history history;
        struct position before, after;
        struct dnf_transaction next;
        bool there, lost;
    } halves[HISTORIES];
    uint64_t user; /* whose name is in user_name */
    char user_name[128];
};

static void complain(const struct reading *r, const char *file, const char *what, bool unreadable)
{
    complain_to(r->sink, file, 0, what, unreadable);
}

/* passwd(5): "alice (1000)" as apt says it; the number alone if nobody has it. */
static struct bytes user_of(struct reading *r, const struct dnf_transaction *t)
{
    char path[PATH_MAX];
    struct lines lines;
    struct bytes line, name = {0};
    uint64_t uid;
    bool whole;
    if (!t->has_user)
        return (struct bytes){0};
    if (r->user_name[0] && r->user == t->user)
        return bytes_of(r->user_name);
    r->user = t->user;
    snprintf(r->user_name, sizeof r->user_name, "%" PRIu64, t->user);
    if (!path_below(path, r->root, "/etc/passwd") || lines_open(&lines, path) != PKG_OK)
        return bytes_of(r->user_name);
    while (!name.n && lines_next(&lines, &line, &whole)) {
        struct bytes word = bytes_split(&line, ':');
        bytes_split(&line, ':');
        if (bytes_number(bytes_split(&line, ':'), &uid) && uid == t->user && is_word(word) && word.n < 64)
            name = word;
    }
    if (name.n)
        snprintf(r->user_name, sizeof r->user_name, "%.*s (%" PRIu64 ")", (int)name.n, (const char *)name.p, t->user);
    lines_close(&lines);
    return bytes_of(r->user_name);
}

/* Asks for the transactions from this one on. */
static bool ask(const struct reading *r, struct half *h, const char *database, int64_t from)
{
    char first[32];
    snprintf(first, sizeof first, "%" PRId64, from);
    const char *words[] = {database, "history", h->path, first, NULL};
    wr_reset(&h->answer);
    h->there = rpm_ask(words, &h->answer);
    struct bytes answer = wr_view(&h->answer);
    h->history = (struct dnf_history){.lines = lines_of(answer), .items = h->history.items, .capacity = h->history.capacity};
    if (!h->there)
        complain(r, h->path, "dnf's history cannot be read: what it did has only bounds", true);
    return h->there && dnf_transaction_next(&h->history, &h->next);
}

/* The first run asks for all of it, a later one from the transaction on that it knows, which must be the same. */
static void half_open(struct reading *r, struct half *h, const char *history, const char *database)
{
    h->answer = wr_of(0);
    h->after = h->before;
    if (!path_below(h->path, r->root, history) || access(h->path, F_OK) != 0) {
        h->lost = h->before.id != 0;
        return;
    }
    bool any = ask(r, h, database, h->before.id);
    if (h->there && h->before.id && (!any || h->next.id != h->before.id || h->next.begin != h->before.begin)) {
        h->lost = true;
        complain(r, h->path, "dnf's history lost its past: something it did may be missing", false);
        any = ask(r, h, database, 0);
    } else if (h->before.id && any) {
        any = dnf_transaction_next(&h->history, &h->next);
    }
    h->there = any;
    if (any && (h->lost || h->before.id == 0))
        h->after.first = h->next.begin;
}

/* A transaction without an end is going on, if it is the last one: the next run reads it again. */
static void half_advance(struct half *h)
{
    bool ended = h->next.end != 0;
    struct position at = {h->next.id, h->next.begin, h->after.first};
    h->there = dnf_transaction_next(&h->history, &h->next);
    if (ended || h->there)
        h->after = at;
}

static bool emit(struct reading *r, const struct half *h)
{
    const struct dnf_transaction *t = &h->next;
    static const enum pkg_action actions[] = {[DNF_CAME] = PKG_CREATE, [DNF_WENT] = PKG_DELETE, [DNF_AGAIN] = PKG_ALTER};
    if (h->lost && t->begin <= h->before.begin)
        return true; /* known already */
    for (size_t i = 0; i < t->count; i++) {
        const struct dnf_item *item = &t->items[i];
        const struct pkg_event e = {.time = item->time,
                                    .not_before = TIME_UNKNOWN,
                                    .precision = item->exact ? PKG_EXACT : PKG_TRANSACTION,
                                    .action = actions[(uint8_t)item->deed],
                                    .name = item->name,
                                    .arch = item->arch,
                                    .version = item->version,
                                    .command = t->command,
                                    .user = user_of(r, t)};
        if (!r->sink->event(r->sink->context, &e))
            return false;
    }
    return true;
}

static void cursor_read(struct reading *r, struct bytes before)
{
    struct rd in = rd_of(before, 0);
    bool known = before.n && rd_u8(&in) == CURSOR_VERSION;
    for (size_t i = 0; i < HISTORIES && known; i++)
        r->halves[i].before = (struct position){(int64_t)rd_u64(&in), (int64_t)rd_u64(&in), (int64_t)rd_u64(&in)};
    for (size_t i = 0; i < HISTORIES && in.bad; i++)
        r->halves[i].before = (struct position){0};
}

static void cursor_write(const struct reading *r, struct pkg_cursor *cursor)
{
    cursor->continuous = true;
    cursor->reaches_back = TIME_UNKNOWN;
    wr_reset(&cursor->after);
    wr_u8(&cursor->after, CURSOR_VERSION);
    for (size_t i = 0; i < HISTORIES; i++) {
        const struct half *h = &r->halves[i];
        wr_u64(&cursor->after, (uint64_t)h->after.id);
        wr_u64(&cursor->after, (uint64_t)h->after.begin);
        wr_u64(&cursor->after, (uint64_t)h->after.first);
        cursor->continuous &= !h->lost;
        if (h->after.first && (cursor->reaches_back == TIME_UNKNOWN || h->after.first < cursor->reaches_back))
            cursor->reaches_back = h->after.first;
    }
}

enum pkg_status rpm_history(const char *root, struct pkg_cursor *cursor, const struct pkg_sink *sink)
{
    struct reading *r = calloc(1, sizeof *r);
    char database[PATH_MAX];
    bool good = true;
    if (!r)
        return PKG_NO_MEMORY;
    r->sink = sink;
    r->root = root;
    cursor_read(r, cursor->before);
    const char *folder = rpm_find_folder(root);
    for (size_t i = 0; i < HISTORIES && folder && path_below(database, root, folder); i++)
        half_open(r, &r->halves[i], histories[i], database);
    for (struct half *h = r->halves; good && h; half_advance(h)) {
        h = NULL; /* the one whose next transaction is the older one */
        for (size_t i = 0; i < HISTORIES; i++)
            if (r->halves[i].there && (!h || r->halves[i].next.begin < h->next.begin))
                h = &r->halves[i];
        if (!h)
            break;
        good = emit(r, h);
    }
    cursor_write(r, cursor);
    for (size_t i = 0; i < HISTORIES; i++) {
        wr_free(&r->halves[i].answer);
        free(r->halves[i].history.items);
    }
    free(r);
    return !good ? PKG_STOPPED : cursor->after.bad ? PKG_NO_MEMORY : PKG_OK;
}

uint64_t rpm_history_stamp(uint64_t digest, const char *root)
{
    char log[PATH_MAX];
    for (size_t i = 0; i < HISTORIES; i++) {
        snprintf(log, sizeof log, "%s-wal", histories[i]);
        digest = digest_add_below(digest, root, histories[i]);
        digest = digest_add_below(digest, root, log);
    }
    return digest;
}
