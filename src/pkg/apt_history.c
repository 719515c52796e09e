#include "pkg/internal.h"

#include <stdlib.h>
#include <string.h>

/* apt's history.log: a blank line, Start-Date, Commandline, Requested-By, one line a kind of change, Error, End-Date.
 * apt writes it when it sets out, and End-Date when dpkg has ended. */

enum key { START, END, COMMAND, USER, FAILED, ITEMS, SILENT };
static const struct {
    struct bytes name;
    enum key key;
    enum apt_verb verb;
} keys[] = {
    {BYTES("Start-Date"), START, 0},
    {BYTES("End-Date"), END, 0},
    {BYTES("Commandline"), COMMAND, 0},
    {BYTES("Requested-By"), USER, 0},
    {BYTES("Error"), FAILED, 0},
    {BYTES("Install"), ITEMS, APT_INSTALL},
    {BYTES("Upgrade"), ITEMS, APT_UPGRADE},
    {BYTES("Downgrade"), ITEMS, APT_UPGRADE},
    {BYTES("Remove"), ITEMS, APT_REMOVE},
    {BYTES("Purge"), ITEMS, APT_REMOVE},
    {BYTES("Reinstall"), ITEMS, APT_REINSTALL},
    {BYTES("Comment"), SILENT, 0},
    {BYTES("Disappeared"), SILENT, 0},
};

static struct apt_item *add_item(struct apt_history *h, struct apt_transaction *t)
{
    if (t->count == h->capacity) {
        size_t capacity = h->capacity ? h->capacity * 2 : 64;
        struct apt_item *grown = realloc(h->items, capacity * sizeof *grown);
        if (!grown)
            return NULL;
        h->items = grown;
        h->capacity = capacity;
    }
    return &h->items[t->count];
}

/* "NAME[:ARCH] (VERSION[, VERSION][, automatic])"; the views point into the arena's copy of the line. */
static bool parse_item(struct bytes text, enum apt_verb verb, struct apt_item *item)
{
    struct bytes rest = text, name = bytes_trim(bytes_split(&rest, '(')), version[2] = {{0}};
    size_t count = 0;
    *item = (struct apt_item){.verb = verb, .arch = name};
    item->name = bytes_split(&item->arch, ':');
    while (rest.n) {
        struct bytes word = bytes_trim(bytes_split(&rest, ','));
        if (bytes_equal(word, BYTES("automatic")))
            item->automatic = true;
        else if (count == 2 || !is_word(word))
            return false;
        else
            version[count++] = word;
    }
    if (verb == APT_UPGRADE ? count != 2 : count != 1)
        return false;
    if (verb == APT_UPGRADE || verb == APT_REMOVE)
        item->old_version = version[0];
    if (verb != APT_REMOVE)
        item->new_version = version[count - 1];
    return is_word(item->name) && (item->arch.n == 0 || is_word(item->arch));
}

/* Items are parted by "), ". */
static void take_items(struct apt_history *h, struct apt_transaction *t, enum apt_verb verb, struct bytes value)
{
    struct bytes rest = arena_copy(&h->arena, value);
    if (!rest.p)
        log_set_complain(&h->set, "a transaction too large");
    while (rest.n) {
        struct bytes text = bytes_split(&rest, ')');
        while (text.n && (text.p[0] == ',' || text.p[0] == ' '))
            text = (struct bytes){text.p + 1, text.n - 1};
        if (bytes_trim(text).n == 0)
            continue;
        struct apt_item *item = add_item(h, t);
        if (item && parse_item(text, verb, item))
            t->count++;
        else
            log_set_complain(&h->set, "an item that is not \"NAME:ARCH (VERSION)\"");
    }
}

static int by_name(const void *a, const void *b)
{
    const struct apt_item *ia = a, *ib = b;
    int c = bytes_compare(ia->name, ib->name);
    return c ? c : bytes_compare(ia->arch, ib->arch);
}

/* Splits "Key: value"; false, with a complaint, for anything else. */
static bool parse_line(struct apt_history *h, struct bytes line, size_t *row, struct bytes *value)
{
    *value = line;
    struct bytes name = bytes_split(value, ':');
    *value = bytes_trim(*value);
    for (*row = 0; *row < ARRAY_LENGTH(keys); ++*row)
        if (bytes_equal(name, keys[*row].name))
            return true;
    log_set_complain(&h->set, "not a line of apt's history");
    return false;
}

struct bytes apt_history_time(struct bytes line)
{
    struct bytes value = line, name = bytes_split(&value, ':');
    bool dated = bytes_equal(name, BYTES("Start-Date")) || bytes_equal(name, BYTES("End-Date"));
    return dated ? bytes_trim(value) : (struct bytes){0};
}

/* Start-Date; false if it is no time. */
static bool take_start(struct apt_history *h, struct bytes value, struct log_time *start)
{
    if (!log_set_time(&h->set, value, start)) {
        log_set_complain(&h->set, "not a time");
        return false;
    }
    log_set_note(&h->set, *start);
    return true;
}

static void take_value(struct apt_history *h, struct apt_transaction *t, size_t row, struct bytes value)
{
    switch (keys[row].key) {
    case END:
        t->ended = true;
        if (log_set_time(&h->set, value, &t->end))
            h->set.position.last = t->end.earliest;
        else
            log_set_complain(&h->set, "not a time");
        break;
    case COMMAND:
        t->command = arena_copy(&h->arena, value);
        break;
    case USER:
        t->user = arena_copy(&h->arena, value);
        break;
    case FAILED:
        t->failed = true;
        break;
    case ITEMS:
        take_items(h, t, keys[row].verb, value);
        break;
    default:
        break;
    }
}

/* Reads on to a Start-Date. */
static bool find_start(struct apt_history *h, struct log_time *start)
{
    struct bytes line, value;
    size_t row;
    while (log_set_next(&h->set, &line)) {
        line = bytes_trim(line);
        if (line.n == 0 || !parse_line(h, line, &row, &value))
            continue;
        if (keys[row].key == START && take_start(h, value, start))
            return true;
        if (keys[row].key != START)
            log_set_complain(&h->set, "outside of a transaction");
    }
    return false;
}

bool apt_history_next(struct apt_history *h, struct apt_transaction *t)
{
    struct bytes line, value;
    size_t row;
    *t = (struct apt_transaction){.start = h->next_start, .end = {INT64_MAX, INT64_MAX, false}};
    if (!h->arena.limit)
        h->arena = arena_of((size_t)32 << 20);
    arena_reset(&h->arena);
    if (h->pushed)
        h->mark = h->next_mark;
    else if (find_start(h, &t->start))
        h->mark = log_set_mark(&h->set);
    else
        return false;
    h->pushed = false;
    while (!t->ended && log_set_next(&h->set, &line)) {
        line = bytes_trim(line);
        if (line.n == 0 || !parse_line(h, line, &row, &value))
            continue;
        if (keys[row].key != START) {
            take_value(h, t, row, value);
            continue;
        }
        /* apt was killed: the next transaction begins, and this one ended before it. */
        if (!take_start(h, value, &h->next_start))
            continue;
        h->pushed = t->ended = t->failed = true;
        h->next_mark = log_set_mark(&h->set);
        t->end = h->next_start;
    }
    if (t->end.earliest < t->start.earliest)
        t->end.earliest = t->start.earliest;
    if (t->end.latest < t->start.latest)
        t->end.latest = t->start.latest;
    if (t->count)
        qsort(h->items, t->count, sizeof *h->items, by_name);
    t->items = h->items;
    return true;
}

void apt_history_free(struct apt_history *h)
{
    arena_free(&h->arena);
    free(h->items);
    h->items = NULL;
}
