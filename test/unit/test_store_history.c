/* The store in the long run: random reports against a plain model, several servers at once, and kills. */
#include "store_place.h"

/* ---- a plain model ----------------------------------------------------------------------------------------------- */

enum { ENDPOINTS = 5, NAMES = 40, HISTORY = 6000, LOG = 4000 };

struct model_event {
    uint32_t epoch, eid;
    int64_t time, learnt;
    enum store_action action;
    unsigned name;
    uint8_t source;
};

/* What one endpoint knows of itself (log, state), and what the store must have of it (history, position). */
struct model {
    char name[16];
    uint32_t epoch, log_count;
    struct model_event log[LOG];
    unsigned state[NAMES];
    bool known;
    uint32_t stored_epoch, stored_eid;
    size_t history_count;
    struct model_event history[HISTORY];
};

static char model_names[NAMES][80];
static unsigned model_seed;

static unsigned any(unsigned below)
{
    model_seed = model_seed * 1103515245u + 12345u;
    return (model_seed >> 8) % below;
}

static void model_live(struct model *m, int64_t now)
{
    unsigned transactions = any(3);
    for (unsigned t = 0; t < transactions; t++) {
        int64_t when = any(20) == 0 ? TIME_UNKNOWN : now - any(3 * DAY);
        uint8_t source = (uint8_t)any(3);
        bool shared = any(4) == 0; /* strongSwan: one EID a transaction */
        uint32_t eid = 0;
        for (unsigned n = any(12) + 1; n && m->log_count < LOG; n--) {
            unsigned name = any(NAMES);
            struct model_event e = {.epoch = m->epoch, .time = when, .name = name, .source = source};
            uint32_t last = m->log_count ? m->log[m->log_count - 1].eid : 0;
            e.eid = shared && eid ? eid : last + 1;
            eid = e.eid;
            e.action = any(10) == 0 ? STORE_ALTER : m->state[name] && any(2) ? STORE_DELETE : STORE_CREATE;
            m->state[name] += e.action == STORE_CREATE;
            m->state[name] -= e.action == STORE_DELETE;
            m->log[m->log_count++] = e;
            if (when != TIME_UNKNOWN)
                when += any(any(8) ? 20 : 300);
        }
    }
}

static uint32_t model_last_eid(const struct model *m)
{
    return m->log_count ? m->log[m->log_count - 1].eid : 0;
}

static void model_new_epoch(struct model *m)
{
    m->epoch = m->epoch * 7 + 3;
    m->log_count = 0;
    if (any(2)) /* something happened that nobody logged */
        m->state[any(NAMES)] += 1;
    if (any(2))
        m->state[any(NAMES)] = 0;
}

struct standing {
    unsigned count;
    int64_t since;
    uint8_t source;
};

static void model_fold(const struct model *m, int64_t at, int64_t known_at, struct standing out[NAMES])
{
    memset(out, 0, NAMES * sizeof *out);
    for (size_t i = 0; i < m->history_count; i++) {
        const struct model_event *e = &m->history[i];
        if ((known_at != TIME_UNKNOWN && e->learnt > known_at) || (at != TIME_UNKNOWN && e->time > at))
            continue;
        if (e->action == STORE_CREATE)
            out[e->name] = (struct standing){out[e->name].count + 1, e->time, e->source};
        else if (e->action == STORE_DELETE && out[e->name].count)
            out[e->name].count--;
    }
}

static void model_learn(struct model *m, struct model_event e, int64_t learnt)
{
    assert_true(m->history_count < HISTORY);
    e.learnt = learnt;
    m->history[m->history_count++] = e;
}

static struct store_event as_event(const struct model_event *e)
{
    struct store_event out = event(e->eid, e->time, e->action, model_names[e->name]);
    out.source = e->source;
    return out;
}

/* Reports events from `earliest` on, up to a random one, in random order; the model says what must come of it. */
static void model_events(struct place *p, struct model *m, int64_t now)
{
    static struct store_event list[LOG];
    uint32_t last = model_last_eid(m), continues = m->known && m->stored_epoch == m->epoch ? m->stored_eid + 1 : 1;
    uint32_t earliest = any(3) ? continues : any(2) ? 1 : any(continues + 3) + 1, consulted = last;
    if (any(4) == 0 && last >= earliest)
        consulted = earliest + any(last - earliest + 1);
    size_t count = 0;
    for (uint32_t i = 0; i < m->log_count; i++)
        if (m->log[i].eid >= earliest && m->log[i].eid <= consulted)
            list[count++] = as_event(&m->log[i]);
    for (size_t i = 0; any(2) && i + 1 < count; i++) { /* shuffled, but events of one EID keep their order */
        size_t k = i + any((unsigned)(count - i));
        if (list[i].eid != list[k].eid && (i == 0 || list[i - 1].eid != list[i].eid) &&
            list[i + 1].eid != list[i].eid && list[k - 1].eid != list[k].eid &&
            (k + 1 == count || list[k + 1].eid != list[k].eid)) {
            struct store_event t = list[i];
            list[i] = list[k];
            list[k] = t;
        }
    }
    struct store_report r = events_report(m->name, now, m->epoch, earliest, last, list, count);
    r.last_consulted = consulted;
    struct store_receipt receipt;
    enum store_status status = store_report(p->store, &r, &receipt, &p->error);
    if ((m->known && (m->stored_epoch != m->epoch || last < m->stored_eid)) ||
        earliest > (m->known ? m->stored_eid : 0) + 1) {
        assert_int_equal(status, STORE_CONFLICT);
        return;
    }
    OK(status);
    uint32_t stored = 0;
    for (uint32_t i = 0; i < m->log_count; i++)
        if (m->log[i].eid > (m->known ? m->stored_eid : 0) && m->log[i].eid <= consulted) {
            model_learn(m, m->log[i], now);
            stored++;
        }
    if (!m->known || consulted > m->stored_eid)
        m->stored_eid = consulted;
    m->known = true;
    m->stored_epoch = m->epoch;
    assert_int_equal(receipt.stored_events, stored);
    assert_int_equal(receipt.last_eid, m->stored_eid);
}

static void model_inventory(struct place *p, struct model *m, int64_t now)
{
    static struct store_event list[NAMES * 200];
    struct standing standing[NAMES];
    size_t count = 0, stored = 0;
    for (unsigned i = 0; i < NAMES; i++)
        for (unsigned k = 0; k < m->state[i]; k++)
            list[count++] = event(0, now, STORE_CREATE, model_names[i]);
    for (size_t i = 0; i + 1 < count; i++) {
        size_t k = i + any((unsigned)(count - i));
        struct store_event t = list[i];
        list[i] = list[k];
        list[k] = t;
    }
    struct store_report r = inventory_report(m->name, now, m->epoch, model_last_eid(m), list, count);
    struct store_receipt receipt;
    OK(store_report(p->store, &r, &receipt, &p->error));
    model_fold(m, TIME_UNKNOWN, TIME_UNKNOWN, standing);
    for (unsigned i = 0; i < NAMES; i++) {
        struct model_event e = {.epoch = m->epoch, .time = now, .name = i};
        e.action = standing[i].count < m->state[i] ? STORE_CREATE : STORE_DELETE;
        e.source = e.action == STORE_CREATE;
        for (unsigned k = standing[i].count; k != m->state[i]; k += e.action == STORE_CREATE ? 1u : -1u, stored++)
            model_learn(m, e, now);
    }
    assert_int_equal(receipt.stored_events, stored);
    m->known = true;
    m->stored_epoch = m->epoch;
    m->stored_eid = model_last_eid(m);
}

static const char *model_software_text(const struct model *m, struct wr *w, int64_t at, int64_t known_at)
{
    struct standing standing[NAMES];
    wr_reset(w);
    model_fold(m, at, known_at, standing);
    for (unsigned i = 0; i < NAMES; i++)
        if (standing[i].count)
            put_software(&(struct software_then){w, TIME_UNKNOWN}, &(struct store_software){bytes_of(model_names[i]), standing[i].count, standing[i].since,
                                                     standing[i].source});
    return wr_string(w);
}

static void model_compare(struct place *p, const struct model *m, int64_t at, int64_t known_at)
{
    struct wr is = wr_of(0), should = wr_of(0);
    int64_t id = endpoint_of(p, m->name).id;
    software_text(p, &is, id, at, known_at, 7);
    assert_string_equal(wr_string(&is), model_software_text(m, &should, at, known_at));
    wr_free(&is);
    wr_free(&should);
}

static int by_line(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Events of an inventory have no order among themselves: lines with EID 0 are compared sorted. */
static void sort_lines(const char *text, struct wr *out)
{
    char *copy = strdup(text), *lines[HISTORY + 1], *rest = copy;
    size_t count = 0, from = 0;
    for (char *line; (line = strsep(&rest, "\n")) && *line;)
        lines[count++] = line;
    wr_reset(out);
    for (size_t i = 0; i <= count; i++)
        if (i == count || !strstr(lines[i], "/0 ")) {
            qsort(lines + from, i - from, sizeof *lines, by_line);
            from = i + 1;
        }
    for (size_t i = 0; i < count; i++)
        wr_fmt(out, "%s\n", lines[i]);
    free(copy);
}

static void model_compare_events(struct place *p, const struct model *m)
{
    struct wr is = wr_of(0), should = wr_of(0), sorted = wr_of(0), expected = wr_of(0);
    events_text(p, &is, endpoint_of(p, m->name).id, 113);
    for (size_t i = 0; i < m->history_count; i++) {
        const struct model_event *e = &m->history[i];
        put_event(&should, &(struct store_history_event){e->epoch, e->eid, e->time, e->learnt, e->action,
                                                         bytes_of(model_names[e->name]), e->source});
    }
    sort_lines(wr_string(&is), &sorted);
    sort_lines(wr_string(&should), &expected);
    assert_string_equal(wr_string(&sorted), wr_string(&expected));
    wr_free(&is);
    wr_free(&should);
    wr_free(&sorted);
    wr_free(&expected);
}

static void model_check(struct place *p, const struct model *m, int64_t now)
{
    if (!m->known)
        return;
    struct store_endpoint e = endpoint_of(p, m->name);
    struct standing standing[NAMES];
    unsigned installed = 0;
    model_fold(m, TIME_UNKNOWN, TIME_UNKNOWN, standing);
    for (unsigned i = 0; i < NAMES; i++)
        installed += standing[i].count;
    assert_int_equal(e.installed, installed);
    assert_int_equal(e.epoch, m->stored_epoch);
    assert_int_equal(e.last_eid, m->stored_eid);
    model_compare(p, m, TIME_UNKNOWN, TIME_UNKNOWN);
    model_compare(p, m, now - any(10 * DAY), TIME_UNKNOWN);
    model_compare(p, m, now - any(10 * DAY), now - any(10 * DAY));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Thousands of random reports: the store and the model agree all the time. */
static void test_random_reports_agree_with_a_model(void **state)
{
    struct place *p = enter(state);
    struct model *models = calloc(ENDPOINTS, sizeof *models), *backup = calloc(ENDPOINTS, sizeof *backup);
    int64_t now = T0;
    unsigned reports = 0;
    model_seed = 20260417;
    for (unsigned i = 0; i < NAMES; i++)
        snprintf(model_names[i], sizeof model_names[i], "strongswan.org__Debian_12-x86_64-%c%.*s-%02u",
                 'a' + (int)i / 8, (int)i % 3 * 20, "a-long-name-that-is-the-same-for-many-of-the-packages", i);
    qsort(model_names, NAMES, sizeof *model_names, by_name);
    for (unsigned i = 0; i < ENDPOINTS; i++) {
        snprintf(models[i].name, sizeof models[i].name, "host%u", i);
        models[i].epoch = i + 1;
    }
    for (unsigned round = 0; round < 450; round++) {
        memcpy(backup, models, ENDPOINTS * sizeof *models);
        OK(store_begin(p->store, &p->error));
        for (unsigned n = any(6) + 1; n; n--, reports++) {
            struct model *m = &models[any(ENDPOINTS)];
            now += any(3600);
            model_live(m, now);
            if (any(25) == 0 || m->log_count == LOG)
                model_new_epoch(m);
            if (any(12) == 0 || (m->known && m->stored_epoch != m->epoch && any(2)))
                model_inventory(p, m, now);
            else
                model_events(p, m, now);
        }
        if (any(10) == 0) { /* the server dies before the commit; the endpoints go on */
            store_rollback(p->store);
            for (unsigned i = 0; i < ENDPOINTS; i++) {
                models[i].known = backup[i].known;
                models[i].stored_epoch = backup[i].stored_epoch;
                models[i].stored_eid = backup[i].stored_eid;
                models[i].history_count = backup[i].history_count;
            }
        } else {
            OK(store_commit(p->store, &p->error));
        }
        model_check(p, &models[any(ENDPOINTS)], now);
    }
    for (unsigned i = 0; i < ENDPOINTS; i++) {
        model_check(p, &models[i], now);
        model_compare_events(p, &models[i]);
    }
    assert_true(reports > 1000);
    free(models);
    free(backup);
}

/* ---- several servers --------------------------------------------------------------------------------------------- */

/* In a child: one server of several. Tries again as long as it is told to. */
static void serve(struct place *p, unsigned who, unsigned rounds)
{
    struct store *s;
    if (store_open(&s, p->url, &p->error) != STORE_OK) {
        fprintf(stderr, "%s\n", p->error.text);
        _exit(1);
    }
    for (unsigned round = 0; round < rounds; round++) {
        char names[8][32];
        struct store_event list[8];
        for (unsigned i = 0; i < 8; i++) { /* the same news for all, in another order for each */
            unsigned k = (i * 3 + who) % 8;
            snprintf(names[i], sizeof names[i], "round%u-package%u", round, k);
            list[i] = event(round * 8 + i + 1, T0 + round * 1000, STORE_CREATE, names[i]);
        }
        enum store_status status;
        unsigned tries = 0;
        do {
            struct store_receipt receipt;
            status = store_begin(s, &p->error);
            for (unsigned k = 0; k < 3 && status == STORE_OK; k++) {
                char endpoint[16];
                snprintf(endpoint, sizeof endpoint, "shared%u", (k + who) % 3);
                struct store_report r = events_report(endpoint, T0 + round, 1, round * 8 + 1, round * 8 + 8, list, 8);
                status = store_report(s, &r, &receipt, &p->error);
                if (status == STORE_CONFLICT && receipt.last_eid > round * 8 + 8)
                    status = STORE_OK; /* the others are further on */
            }
            if (status == STORE_OK)
                status = store_commit(s, &p->error);
            else
                store_rollback(s);
        } while (status == STORE_UNAVAILABLE && ++tries < 200);
        if (status != STORE_OK) {
            fprintf(stderr, "round %u: status %d, %s\n", round, (int)status, p->error.text);
            _exit(1);
        }
    }
    store_close(s);
    _exit(0);
}

static void wait_for(pid_t child)
{
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
}

static void test_several_servers(void **state)
{
    struct place *p = enter(state);
    enum { SERVERS = 3, ROUNDS = 30 };
    pid_t children[SERVERS];
    store_close(p->store); /* a connection must not be shared with children */
    p->store = NULL;
    for (unsigned i = 0; i < SERVERS; i++)
        if ((children[i] = fork()) == 0)
            serve(p, i, ROUNDS);
    for (unsigned i = 0; i < SERVERS; i++)
        wait_for(children[i]);
    place_open(p);
    for (unsigned i = 0; i < 3; i++) {
        char name[16];
        uint32_t last = 0;
        uint64_t next = 0;
        snprintf(name, sizeof name, "shared%u", i);
        struct store_endpoint e = endpoint_of(p, name);
        assert_int_equal(e.installed, ROUNDS * 8);
        do
            OK(store_events(p->store, e.id, next, 100, count_events, &last, &next, &p->error));
        while (next);
        assert_int_equal(last, ROUNDS * 8);
    }
    struct store_totals t;
    OK(store_totals(p->store, &t, &p->error));
    assert_int_equal(t.software, ROUNDS * 8);
    assert_int_equal(t.change_sets, ROUNDS);
    assert_int_equal(t.changes, ROUNDS * 3);
}

/* Opening an empty database at the same time creates the schema once. */
static void test_several_create(void **state)
{
    struct place *p = enter(state), *fresh = place_new(p->postgres);
    pid_t children[4];
    store_close(p->store);
    p->store = NULL;
    for (unsigned i = 0; i < ARRAY_LENGTH(children); i++)
        if ((children[i] = fork()) == 0)
            serve(fresh, i, 1);
    for (unsigned i = 0; i < ARRAY_LENGTH(children); i++)
        wait_for(children[i]);
    place_free(fresh);
}

/* ---- killed ------------------------------------------------------------------------------------------------------ */

/* Stores one event after the other and says which are committed, until it is killed. */
static void store_until_killed(struct place *p, int out)
{
    struct store *s;
    struct store_position position;
    if (store_open(&s, p->url, &p->error) != STORE_OK ||
        store_position(s, BYTES("victim"), &position, &p->error) != STORE_OK)
        _exit(1);
    for (uint32_t eid = position.last_eid + 1;; eid++) {
        char name[32];
        struct store_receipt receipt;
        snprintf(name, sizeof name, "package-%u", eid);
        struct store_event e = event(eid, T0 + eid * 100, STORE_CREATE, name);
        struct store_report r = events_report("victim", T0 + eid, 5, eid, eid, &e, 1);
        if (store_begin(s, &p->error) != STORE_OK || store_report(s, &r, &receipt, &p->error) != STORE_OK ||
            store_commit(s, &p->error) != STORE_OK)
            _exit(1);
        if (write(out, &eid, sizeof eid) != sizeof eid)
            _exit(1);
    }
}

static void test_kill(void **state)
{
    struct place *p = enter(state);
    const char *wanted = getenv("MUSTER_KILLS");
    int kills = wanted ? (int)strtol(wanted, NULL, 10) : 15;
    store_close(p->store);
    p->store = NULL;
    model_seed = (unsigned)getpid();
    for (int i = 0; i < kills; i++) {
        int ends[2];
        uint32_t said = 0, eid, last = 0;
        uint64_t next = 0;
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0)
            store_until_killed(p, ends[1]);
        close(ends[1]);
        assert_int_equal(read(ends[0], &said, sizeof said), (ssize_t)sizeof said);
        usleep(any(20000));
        kill(child, SIGKILL);
        while (read(ends[0], &eid, sizeof eid) == (ssize_t)sizeof eid)
            said = eid;
        close(ends[0]);
        waitpid(child, NULL, 0);
        place_open(p);
        struct store_endpoint e = endpoint_of(p, "victim");
        assert_true(e.last_eid >= said && e.last_eid <= said + 1);
        do
            OK(store_events(p->store, e.id, next, 1000, count_events, &last, &next, &p->error));
        while (next);
        assert_int_equal(last, e.last_eid); /* each once, count_events() sees to it */
        assert_int_equal(e.installed, last);
        store_close(p->store);
        p->store = NULL;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_random_reports_agree_with_a_model),
        CASE(test_several_servers),
        CASE(test_several_create),
        CASE(test_kill),
    };
    return cmocka_run_group_tests_name("store history", tests, start_cluster, stop_cluster);
}
