#include "pkg/internal.h"

#include <string.h>

/* dpkg.log (dpkg(1), --log): "DATE TIME WORD …". An action line ("upgrade NAME:ARCH OLD NEW") says what dpkg sets out
 * to do; the status lines behind it say what became of it. So an action counts once the next one begins, and not if its
 * status lines contradict it. */

#define SPARE 128 /* octets of a slot for an architecture that changes */

enum word { BEGIN, STATUS, OTHER };
static const struct {
    struct bytes name;
    enum word word;
    enum dpkg_deed deed;
    unsigned fields; /* behind the word */
} words[] = {
    {BYTES("status"), STATUS, DPKG_STARTUP, 3},  {BYTES("install"), BEGIN, DPKG_INSTALL, 3},
    {BYTES("upgrade"), BEGIN, DPKG_UPGRADE, 3},  {BYTES("remove"), BEGIN, DPKG_REMOVE, 3},
    {BYTES("disappear"), BEGIN, DPKG_REMOVE, 3}, {BYTES("startup"), BEGIN, DPKG_STARTUP, 0},
    {BYTES("purge"), BEGIN, DPKG_STARTUP, 3},    {BYTES("configure"), BEGIN, DPKG_STARTUP, 3},
    {BYTES("trigproc"), BEGIN, DPKG_STARTUP, 3}, {BYTES("conffile"), OTHER, DPKG_STARTUP, 0},
};

struct parsed {
    struct log_time time;
    size_t row;
    struct bytes field[3];
};

static struct bytes next_field(struct bytes *rest)
{
    while (rest->n && rest->p[0] == ' ')
        *rest = (struct bytes){rest->p + 1, rest->n - 1};
    return bytes_split(rest, ' ');
}

struct bytes dpkg_log_time(struct bytes line)
{
    return line.n >= 19 ? (struct bytes){line.p, 19} : (struct bytes){0};
}

static bool parse(struct log_set *set, struct bytes line, struct parsed *l)
{
    *l = (struct parsed){0};
    if (line.n < 21 || line.p[19] != ' ' || !log_set_time(set, (struct bytes){line.p, 19}, &l->time))
        return false;
    struct bytes rest = bytes_trim((struct bytes){line.p + 20, line.n - 20}), word = next_field(&rest);
    for (l->row = 0; l->row < ARRAY_LENGTH(words); l->row++)
        if (bytes_equal(word, words[l->row].name))
            break;
    if (l->row == ARRAY_LENGTH(words))
        return false;
    for (unsigned i = 0; i < words[l->row].fields; i++) {
        l->field[i] = next_field(&rest);
        if (!is_word(l->field[i]) && !bytes_equal(l->field[i], BYTES("<none>")))
            /* "status not-installed NAME:ARCH <none>" may stand without its version. */
            return words[l->row].word == STATUS && i == 2 && l->field[i].n == 0;
    }
    return words[l->row].fields == 0 || rest.n == 0;
}

/* NAME:ARCH; ARCH empty in the logs of dpkg before 1.16. */
static void split_name(struct bytes text, struct bytes *name, struct bytes *arch)
{
    *arch = text;
    *name = bytes_split(arch, ':');
}

static struct bytes keep(struct dpkg_slot *slot, size_t *used, struct bytes b)
{
    if (b.n > sizeof slot->text - *used)
        b.n = 0;
    uint8_t *at = (uint8_t *)slot->text + *used;
    if (b.n)
        memcpy(at, b.p, b.n);
    *used += b.n;
    return (struct bytes){at, b.n};
}

static void begin(struct dpkg_log *log, const struct parsed *l)
{
    struct dpkg_slot *slot = &log->pending;
    struct dpkg_action *a = &slot->action;
    struct bytes name, arch;
    size_t used = 0;
    slot->full = true;
    slot->told = slot->done = slot->gone = slot->half = false;
    slot->mark = log_set_mark(&log->set);
    *a = (struct dpkg_action){.deed = words[l->row].deed, .time = l->time};
    if (a->deed == DPKG_STARTUP)
        return;
    split_name(l->field[0], &name, &arch);
    a->name = keep(slot, &used, name);
    a->arch = a->new_arch = keep(slot, &used, arch);
    bool has_old = !bytes_equal(l->field[1], BYTES("<none>")), has_new = !bytes_equal(l->field[2], BYTES("<none>"));
    a->old_version = has_old ? keep(slot, &used, l->field[1]) : (struct bytes){0};
    a->new_version = has_new ? keep(slot, &used, l->field[2]) : (struct bytes){0};
    bool complete = a->name.n && used + SPARE <= sizeof slot->text &&
                    (a->deed == DPKG_REMOVE ? a->old_version.n : a->new_version.n);
    if (!complete) {
        slot->full = false;
        log_set_complain(&log->set, "an action without its package or version");
    }
}

/* Does a status line speak of the pending action's package? `all` counts as native: an upgrade may change the
 * architecture. */
static bool is_same(const struct dpkg_action *a, struct bytes name, struct bytes arch)
{
    struct bytes all = BYTES("all");
    return bytes_equal(a->name, name) &&
           (bytes_equal(a->arch, arch) || bytes_equal(a->new_arch, arch) || bytes_equal(a->arch, all) ||
            bytes_equal(arch, all) || a->arch.n == 0);
}

/* A crossgrade: what replaces the package, which is half-installed, is unpacked under another architecture. Its sibling
 * of that architecture (Multi-Arch: same) is deconfigured earlier, and says nothing in between. */
static bool crosses(const struct dpkg_slot *p, const struct parsed *l, struct bytes name)
{
    return p->half && p->action.deed == DPKG_UPGRADE && bytes_equal(l->field[0], BYTES("unpacked")) &&
           bytes_equal(name, p->action.name) && bytes_equal(l->field[2], p->action.new_version);
}

static bool is_away(struct bytes state)
{
    return bytes_equal(state, BYTES("config-files")) || bytes_equal(state, BYTES("not-installed"));
}

/* True: ready holds a package that went away without an action of its own (dpkg removes what conflicts so). */
static bool take_status(struct dpkg_log *log, const struct parsed *l)
{
    struct dpkg_slot *p = &log->pending;
    struct bytes name, arch;
    split_name(l->field[1], &name, &arch);
    bool away = is_away(l->field[0]);
    if (p->full && p->action.deed != DPKG_STARTUP && (is_same(&p->action, name, arch) || crosses(p, l, name))) {
        p->told = true;
        p->gone = away;
        p->half = bytes_equal(l->field[0], BYTES("half-installed"));
        if (!away && bytes_equal(l->field[2], p->action.new_version)) {
            size_t used = sizeof p->text - SPARE;
            p->done = true;
            if (!bytes_equal(p->action.new_arch, arch))
                p->action.new_arch = keep(p, &used, arch);
        }
        /* Of one version the states that a failure goes back through look like success; but nothing is installed before
         * dpkg sets out to configure it, which is an action of its own. */
        if (p->action.deed == DPKG_UPGRADE && bytes_equal(p->action.old_version, p->action.new_version) &&
            bytes_equal(l->field[0], BYTES("installed")))
            p->done = false;
        return false;
    }
    if (!away || name.n == 0 || name.n + arch.n > sizeof log->ready.text)
        return false;
    size_t used = 0;
    log->ready.action = (struct dpkg_action){.deed = DPKG_GONE, .time = l->time};
    log->ready.action.name = keep(&log->ready, &used, name);
    log->ready.action.arch = keep(&log->ready, &used, arch);
    return true;
}

/* Did what the pending action set out to do come about? */
static bool succeeded(const struct dpkg_log *log, const struct dpkg_slot *slot)
{
    bool believed = !slot->told && !log->speaks;
    switch (slot->action.deed) {
    case DPKG_REMOVE:
        return slot->gone || believed;
    case DPKG_INSTALL:
    case DPKG_UPGRADE:
        return !slot->gone && (slot->done || believed);
    default:
        return true;
    }
}

/* Moves the pending action to ready, its views with it. */
static bool resolve(struct dpkg_log *log)
{
    struct dpkg_slot *from = &log->pending, *to = &log->ready;
    if (!from->full)
        return false;
    from->full = false;
    if (!succeeded(log, from))
        return false;
    *to = *from;
    struct bytes *views[] = {&to->action.name, &to->action.arch, &to->action.old_version, &to->action.new_version,
                             &to->action.new_arch};
    for (size_t i = 0; i < ARRAY_LENGTH(views); i++)
        if (views[i]->p)
            views[i]->p = (const uint8_t *)to->text + (views[i]->p - (const uint8_t *)from->text);
    return true;
}

bool dpkg_log_next(struct dpkg_log *log, struct dpkg_action *action)
{
    struct bytes line;
    struct parsed l;
    bool ready = false;
    while (!ready && log_set_next(&log->set, &line)) {
        if (bytes_trim(line).n == 0)
            continue;
        if (!parse(&log->set, line, &l)) {
            log_set_complain(&log->set, "not a line of dpkg.log");
            continue;
        }
        log_set_note(&log->set, l.time);
        if (words[l.row].word == BEGIN) {
            ready = resolve(log);
            begin(log, &l);
            log->speaks |= log->pending.full && log->pending.action.deed == DPKG_STARTUP;
        } else if (words[l.row].word == STATUS) {
            log->speaks = true;
            ready = take_status(log, &l);
        }
    }
    if (!ready && log->pending.full) {
        /* At the end: under way still, unless its status lines say that it is done (or it has never had any). */
        if (!succeeded(log, &log->pending))
            log->hold = log->pending.mark;
        ready = resolve(log);
    }
    if (ready)
        *action = log->ready.action;
    return ready;
}
