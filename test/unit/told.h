/* What a package manager tells, as lines of text. Include once a program, behind roots.h and a `manager`: a const
 * struct pkg_manager *. */
#ifndef MUSTER_TEST_TOLD_H
#define MUSTER_TEST_TOLD_H

#include "pkg/pkg.h"

#include <time.h>

/* What a manager tells, as lines of text. */
struct told {
    struct wr text, complaints;
    bool unreadable;
    unsigned stop_after;
};

static inline bool take_package(void *context, const struct pkg_package *p)
{
    struct told *t = context;
    wr_fmt(&t->text, "%.*s %.*s %.*s %s src %.*s %.*s\n", (int)p->name.n, p->name.p, (int)p->arch.n, p->arch.p,
           (int)p->version.n, p->version.p, pkg_state_name(p->state), (int)p->source_name.n, p->source_name.p,
           (int)p->source_version.n, p->source_version.p);
    return true;
}

static inline bool take_event(void *context, const struct pkg_event *e)
{
    struct told *t = context;
    char time[TIME_TEXT];
    time_format(e->time, time);
    wr_fmt(&t->text, "%s %s", time + 5, pkg_precision_name(e->precision));
    time_format(e->not_before, time);
    if (e->not_before != TIME_UNKNOWN)
        wr_fmt(&t->text, " since %s", time + 5);
    wr_fmt(&t->text, " %s %.*s:%.*s %.*s", pkg_action_name(e->action), (int)e->name.n, e->name.p, (int)e->arch.n, e->arch.p, (int)e->version.n, e->version.p);
    wr_fmt(&t->text, "%s%s%s", e->arch_or_all ? " or-all" : "", e->weak ? " weak" : e->planned ? " planned" : "",
           e->automatic ? " automatic" : "");
    if (e->command.n || e->user.n)
        wr_fmt(&t->text, " [%.*s|%.*s]", (int)e->command.n, e->command.p, (int)e->user.n, e->user.p);
    wr_str(&t->text, "\n");
    return true;
}

static inline void take_complaint(void *context, const char *file, size_t line, const char *what, bool unreadable)
{
    struct told *t = context;
    const char *name = strrchr(file, '/') + 1;
    wr_fmt(&t->complaints, "%s:%zu: %s\n", name, line, what);
    t->unreadable |= unreadable;
}

static inline struct pkg_sink sink_of(struct told *t)
{
    *t = (struct told){.text = wr_of(0), .complaints = wr_of(0)};
    return (struct pkg_sink){.context = t, .package = take_package, .event = take_event, .complaint = take_complaint};
}

static inline void told_free(struct told *t)
{
    wr_free(&t->text);
    wr_free(&t->complaints);
}

static inline enum pkg_status read_installed(const struct root *r, struct told *t)
{
    struct pkg_sink sink = sink_of(t);
    return manager->installed(r->path, &sink);
}

/* What the logs say since the cursor, which moves on. */
static inline void read_history(const struct root *r, struct pkg_cursor *cursor, struct told *t)
{
    struct pkg_sink sink = sink_of(t);
    struct wr before = cursor->after;
    cursor->before = wr_view(&before);
    cursor->after = wr_of(0);
    assert_int_equal(manager->history(r->path, cursor, &sink), PKG_OK);
    wr_free(&before);
}

static inline void expect_history(const struct root *r, struct pkg_cursor *cursor, const char *events,
                                  const char *complaints)
{
    struct told t;
    read_history(r, cursor, &t);
    assert_string_equal(wr_string(&t.text), events);
    if (complaints)
        assert_string_equal(wr_string(&t.complaints), complaints);
    told_free(&t);
}

static inline void use_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

#endif
