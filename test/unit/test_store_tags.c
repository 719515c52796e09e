/* Who is believed about files: reports, references, and what differs. Each case on both engines. */
#include "store_place.h"

#include <sqlite3.h>

#define SOFTWARE "strongswan.org__Debian_12-x86_64-bash-5"

/* A digest of 32 times that octet. */
static struct bytes sha(uint8_t octet)
{
    static uint8_t digests[256][32];
    memset(digests[octet], octet, 32);
    return (struct bytes){digests[octet], 32};
}

#define FILE_AS(p, octet)                                                                                              \
    {                                                                                                                  \
        .path = BYTES(p), .size = 10, .sha256 = sha(octet)                                                             \
    }

/* What bash consists of, and what a liar says of it: one file changed, one missing, one more; the one that may change
 * does. */
struct files {
    struct store_file items[8];
    size_t count;
};
static struct files honest_files(void)
{
    return (struct files){{FILE_AS("/usr/bin/bash", 1),
                           FILE_AS("/usr/share/doc/bash/copyright", 2),
                           FILE_AS("/bin/rbash", 3),
                           {.path = BYTES("/etc/bash.bashrc"), .size = 4, .mutable = true, .sha256 = sha(4)}},
                          4};
}
static struct files lying_files(void)
{
    return (struct files){{{.path = BYTES("/etc/bash.bashrc"), .size = 9, .sha256 = sha(44)},
                           {.path = BYTES("/usr/bin/bash"), .size = 10, .mutable = true, .sha256 = sha(11)},
                           FILE_AS("/usr/lib/backdoor.so", 66),
                           FILE_AS("/usr/share/doc/bash/copyright", 2)},
                          4};
}

static int64_t endpoint_with(struct place *p, const char *name)
{
    const struct store_event list[] = {event(1, T0, STORE_CREATE, SOFTWARE), event(2, T0, STORE_CREATE, "other_1")};
    return must_store(p, events_report(name, T0 + 1, 1, 1, 2, list, 2)).endpoint;
}

static bool keep_id(void *context, const struct store_software *s)
{
    if (bytes_equal(s->software_id, BYTES(SOFTWARE)))
        *(int64_t *)context = s->id;
    return true;
}

static int64_t software_of(struct place *p, int64_t endpoint)
{
    int64_t id = 0;
    uint64_t next;
    OK(store_software(p->store, endpoint, TIME_UNKNOWN, TIME_UNKNOWN, 0, 100, keep_id, &id, &next, &p->error));
    assert_int_not_equal(id, 0);
    return id;
}

static void report_tag(struct place *p, int64_t endpoint, int64_t when, const char *octets, struct files files)
{
    struct store_tag tag = {.software = software_of(p, endpoint),
                            .octets = bytes_of(octets),
                            .package = {.name = BYTES("bash")},
                            .files = files.items,
                            .file_count = files.count};
    OK(store_begin(p->store, &p->error));
    OK(store_tags(p->store, endpoint, when, &tag, 1, &p->error));
    OK(store_commit(p->store, &p->error));
}

static void import_tag(struct place *p, int64_t when, const char *octets, struct files files)
{
    int64_t software = 0;
    struct store_tag tag = {.octets = bytes_of(octets),
                            .package = {.name = BYTES("bash"), .version = BYTES("5")},
                            .files = files.items,
                            .file_count = files.count};
    OK(store_begin(p->store, &p->error));
    OK(store_reference(p->store, BYTES(SOFTWARE), BYTES("api"), when, &tag, &software, &p->error));
    OK(store_commit(p->store, &p->error));
    assert_int_not_equal(software, 0);
}

static void keep_tag(void *context, struct bytes octets)
{
    snprintf(context, 64, "%.*s", (int)octets.n, (const char *)octets.p);
}

static const char *tag_of(struct place *p, enum store_tag_kind kind)
{
    static char octets[64];
    octets[0] = 0;
    enum store_status status = store_tag(p->store, BYTES(SOFTWARE), kind, keep_tag, octets, &p->error);
    assert_true(status == STORE_OK || status == STORE_NOT_FOUND);
    return octets;
}

static bool put_finding(void *context, const struct store_finding *f)
{
    static const char marks[] = "!-+";
    struct wr *w = context;
    assert_true(bytes_equal(f->software_id, BYTES(SOFTWARE)));
    wr_fmt(w, "%s%c%.*s %d>%d @%lld\n", f->against == STORE_REFERENCE ? "" : "? ", marks[f->what], (int)f->path.n,
           (const char *)f->path.p, f->wanted.sha256.n ? f->wanted.sha256.p[0] : 0,
           f->told.sha256.n ? f->told.sha256.p[0] : 0, (long long)(f->learnt - T0));
    return true;
}

static const char *findings_of(struct place *p, int64_t endpoint, unsigned page)
{
    static char text[2000];
    struct wr w = wr_of(0);
    uint64_t next = 0;
    do
        OK(store_findings(p->store, endpoint, next, page, put_finding, &w, &next, &p->error));
    while (next);
    snprintf(text, sizeof text, "%s", wr_string(&w));
    wr_free(&w);
    return text;
}

static int64_t differing(struct place *p, int64_t endpoint)
{
    int64_t n;
    OK(store_differing(p->store, endpoint, &n, &p->error));
    return n;
}

/* A liar, an honest one and the import, in every order: the reference wins, and the liar alone has findings. */
static void test_poisoning_in_every_order(void **state)
{
    static const char orders[][4] = {"lhi", "lih", "hli", "hil", "ilh", "ihl"};
    struct place *p = enter(state);
    const bool postgres = p->postgres;
    for (size_t o = 0; o < ARRAY_LENGTH(orders); o++) {
        int64_t liar = endpoint_with(p, "liar"), honest = endpoint_with(p, "honest"), third = endpoint_with(p, "third"),
                when = T0 + 100;
        char reported[16] = "";
        for (const char *c = orders[o]; *c; c++, when++) {
            if (*c == 'i')
                import_tag(p, when, "reference", honest_files());
            else
                report_tag(p, *c == 'l' ? liar : honest, when, *c == 'l' ? "lie" : "truth",
                           *c == 'l' ? lying_files() : honest_files());
            if (*c != 'i' && !*reported)
                snprintf(reported, sizeof reported, "%s", *c == 'l' ? "lie" : "truth");
        }
        assert_string_equal(tag_of(p, STORE_TAG_ANY), "reference");
        assert_string_equal(tag_of(p, STORE_REFERENCE), "reference");
        assert_string_equal(tag_of(p, STORE_REPORTED), reported);
        assert_string_equal(findings_of(p, honest, 100), "");
        assert_int_equal(differing(p, honest), 0);
        assert_string_equal(findings_of(p, third, 100), "");
        assert_int_equal(differing(p, liar), 1);
        char expected[300], learnt[8];
        size_t lie = strcspn(orders[o], "l"), import = strcspn(orders[o], "i");
        snprintf(learnt, sizeof learnt, "%zu", 100 + (lie > import ? lie : import));
        snprintf(expected, sizeof expected,
                 "-/bin/rbash 3>0 @%s\n!/usr/bin/bash 1>11 @%s\n+/usr/lib/backdoor.so 0>66 @%s\n", learnt, learnt,
                 learnt);
        assert_string_equal(findings_of(p, liar, 100), expected);
        assert_string_equal(findings_of(p, liar, 1), expected);
        struct store_verified v;
        OK(store_verified(p->store, liar, &v, &p->error));
        assert_int_equal(v.references, 1);
        assert_int_equal(v.compared, 1);
        assert_int_equal(v.differing, 1);
        assert_int_equal(v.findings, 3);
        OK(store_verified(p->store, third, &v, &p->error));
        assert_int_equal(v.references, 1);
        assert_int_equal(v.compared, 0);

        /* It closes when a later report agrees, not by one that tells nothing. */
        report_tag(p, liar, when++, "bare", (struct files){.count = 0});
        assert_string_equal(findings_of(p, liar, 100), expected);
        OK(store_verified(p->store, liar, &v, &p->error));
        assert_int_equal(v.bare, 1);
        assert_int_equal(v.findings, 3);
        report_tag(p, liar, when, "mended", honest_files());
        assert_string_equal(findings_of(p, liar, 100), "");
        assert_int_equal(differing(p, liar), 0);
        assert_string_equal(tag_of(p, STORE_TAG_ANY), "reference");
        place_free(p);
        *state = p = place_new(postgres);
        place_open(p);
    }
}

/* Without a reference the first report is the tag, and what another says is a deviation, no finding. */
static void test_deviations_from_the_first_report(void **state)
{
    struct place *p = enter(state);
    int64_t a = endpoint_with(p, "a"), b = endpoint_with(p, "b");
    report_tag(p, a, T0 + 10, "first", lying_files());
    report_tag(p, b, T0 + 20, "second", honest_files());
    assert_string_equal(tag_of(p, STORE_TAG_ANY), "first");
    assert_string_equal(tag_of(p, STORE_REFERENCE), "");
    assert_string_equal(findings_of(p, a, 100), "");
    assert_int_equal(differing(p, b), 0);
    /* The first calls /usr/bin/bash mutable; neither is believed more. */
    assert_string_equal(findings_of(p, b, 100),
                        "? +/bin/rbash 0>3 @20\n? !/etc/bash.bashrc 44>4 @20\n? -/usr/lib/backdoor.so 66>0 @20\n");
    /* Its own report an endpoint replaces, but not by less. */
    report_tag(p, a, T0 + 30, "less", (struct files){.count = 0});
    assert_string_equal(tag_of(p, STORE_TAG_ANY), "first");
    report_tag(p, a, T0 + 40, "better", honest_files());
    assert_string_equal(tag_of(p, STORE_TAG_ANY), "better");
    assert_string_equal(findings_of(p, b, 100), "");
    /* A reference without files compares nothing. */
    report_tag(p, b, T0 + 50, "lie", lying_files());
    import_tag(p, T0 + 60, "bare reference", (struct files){.count = 0});
    assert_string_equal(tag_of(p, STORE_TAG_ANY), "bare reference");
    assert_string_equal(findings_of(p, b, 100), "");
    assert_int_equal(differing(p, b), 0);
    /* The next one does, and what it no longer says is mended by it. */
    import_tag(p, T0 + 70, "reference", honest_files());
    assert_int_equal(differing(p, b), 1);
    import_tag(p, T0 + 80, "reference", lying_files());
    assert_int_equal(differing(p, b), 0);
    assert_int_equal(differing(p, a), 1);
}

/* ---- what identifiers mean ---- */

static void report_name(struct place *p, int64_t endpoint, int64_t when, const char *octets, const char *name)
{
    struct store_tag tag = {.software = software_of(p, endpoint),
                            .octets = bytes_of(octets),
                            .package = {.name = bytes_of(name), .version = BYTES("5"), .arch = BYTES("amd64"), .source = bytes_of(name)}};
    OK(store_begin(p->store, &p->error));
    OK(store_tags(p->store, endpoint, when, &tag, 1, &p->error));
    OK(store_commit(p->store, &p->error));
}

static bool keep_name(void *context, const struct store_software *s)
{
    const struct bytes name = s->package.name, source = s->package.source;
    if (bytes_equal(s->software_id, BYTES(SOFTWARE)))
        snprintf(context, 64, "%.*s/%.*s", (int)name.n, (const char *)name.p, (int)source.n, (const char *)source.p);
    return true;
}

static bool keep_event_name(void *context, const struct store_history_event *e)
{
    const struct bytes name = e->package.name, source = e->package.source;
    if (bytes_equal(e->software_id, BYTES(SOFTWARE)))
        snprintf(context, 64, "%.*s/%.*s", (int)name.n, (const char *)name.p, (int)source.n, (const char *)source.p);
    return true;
}

/* On the endpoint's page, and in its history. */
static const char *name_of(struct place *p, int64_t endpoint)
{
    static char name[64];
    char event[64] = "";
    uint64_t next;
    name[0] = 0;
    OK(store_software(p->store, endpoint, TIME_UNKNOWN, TIME_UNKNOWN, 0, 100, keep_name, name, &next, &p->error));
    OK(store_events(p->store, endpoint, 0, 100, keep_event_name, event, &next, &p->error));
    assert_string_equal(name, event);
    return name;
}

/* What one endpoint says of a software is said on its own page; on others' what two agree on, and the reference before all. */
static void test_a_liar_renames_nothing_for_others(void **state)
{
    static const char orders[][4] = {"lht", "hlt", "htl"};
    struct place *p = enter(state);
    const bool postgres = p->postgres;
    for (size_t o = 0; o < ARRAY_LENGTH(orders); o++) {
        int64_t liar = endpoint_with(p, "liar"), honest = endpoint_with(p, "honest"), third = endpoint_with(p, "third"),
                fourth = endpoint_with(p, "fourth"), when = T0 + 100;
        bool told = false, agreed = false;
        for (const char *c = orders[o]; *c; c++) {
            report_name(p, *c == 'l' ? liar : *c == 'h' ? honest : third, when++, *c == 'l' ? "lie" : "truth", *c == 'l' ? "evil" : "bash");
            agreed |= *c == 't';
            told |= *c == 'h';
            if (*c == 'l')
                assert_string_equal(name_of(p, liar), "evil/evil");
            assert_string_equal(name_of(p, honest), told ? "bash/bash" : "/");
            assert_string_equal(name_of(p, third), agreed ? "bash/bash" : "/");
            assert_string_equal(name_of(p, fourth), agreed ? "bash/bash" : "/");
        }
        assert_string_equal(name_of(p, liar), "evil/evil");
        assert_string_equal(tag_of(p, STORE_TAG_ANY), "truth");
        /* Two said so, and one that changes its mind changes its own page. */
        report_name(p, honest, when++, "lie", "worse");
        report_name(p, third, when++, "lie", "worst");
        assert_string_equal(name_of(p, honest), "worse/worse");
        assert_string_equal(name_of(p, fourth), "bash/bash");
        assert_string_equal(tag_of(p, STORE_TAG_ANY), "truth");
        import_tag(p, when++, "reference", (struct files){.count = 0});
        assert_string_equal(name_of(p, liar), "bash/");
        assert_string_equal(name_of(p, honest), "bash/");
        assert_string_equal(name_of(p, fourth), "bash/");
        place_free(p);
        *state = p = place_new(postgres);
        place_open(p);
    }
}

/* Who is to be asked next: two endpoints, and one more for as long as no two agree. */
static void test_two_are_asked(void **state)
{
    struct place *p = enter(state);
    struct store_untagged list[8];
    struct arena a = arena_of(1 << 20);
    const char *names[] = {"a", "b", "c", "d"};
    int64_t ids[4], when = T0 + 10;
    size_t count;
    for (size_t i = 0; i < 4; i++)
        ids[i] = endpoint_with(p, names[i]);
    for (size_t i = 0; i < 3; i++) { /* both software of the first two, and none of the third */
        OK(store_untagged(p->store, ids[i], when, 8, 1000, &a, list, &count, &p->error));
        assert_int_equal(count, i < 2 ? 2 : 0);
        OK(store_begin(p->store, &p->error));
        OK(store_asked(p->store, ids[i], when++, false, list, count, &p->error));
        OK(store_commit(p->store, &p->error));
    }
    report_name(p, ids[0], when++, "one", "bash");
    OK(store_untagged(p->store, ids[2], when, 8, 1000, &a, list, &count, &p->error));
    assert_int_equal(count, 0); /* b is being asked */
    report_name(p, ids[1], when++, "two", "sh");
    OK(store_untagged(p->store, ids[1], when, 8, 1000, &a, list, &count, &p->error));
    assert_int_equal(count, 0);
    OK(store_untagged(p->store, ids[2], when, 8, 1000, &a, list, &count, &p->error));
    assert_int_equal(count, 1); /* they do not agree */
    assert_true(bytes_equal(list[0].software_id, BYTES(SOFTWARE)));
    report_name(p, ids[2], when++, "three", "sh");
    OK(store_untagged(p->store, ids[3], when, 8, 1000, &a, list, &count, &p->error));
    assert_int_equal(count, 0);
    arena_free(&a);
}

static struct store_position position_of(struct place *p, const char *name)
{
    struct store_position position;
    OK(store_position(p->store, bytes_of(name), &position, &p->error));
    return position;
}

/* Whether SOFTWARE is to be asked of an endpoint; all that is to be asked then counts as asked. */
static bool is_asked(struct place *p, int64_t endpoint, int64_t when)
{
    struct store_untagged list[8];
    struct arena a = arena_of(1 << 20);
    bool found = false;
    size_t count;
    OK(store_untagged(p->store, endpoint, when, 8, 1000, &a, list, &count, &p->error));
    for (size_t i = 0; i < count; i++)
        found |= bytes_equal(list[i].software_id, BYTES(SOFTWARE));
    OK(store_begin(p->store, &p->error));
    OK(store_asked(p->store, endpoint, when, false, list, count, &p->error));
    OK(store_commit(p->store, &p->error));
    arena_free(&a);
    return found;
}

/* Who cannot tell takes no name away from the others: whoever brings software that nobody has told of is asked in its next session. */
static void test_what_nobody_told_is_asked_again(void **state)
{
    struct place *p = enter(state);
    const struct store_event own = event(1, T0, STORE_CREATE, "own_1");
    const char *names[] = {"b", "c", "d"};
    int64_t ids[3], when = T0 + 10;
    for (size_t i = 0; i < 3; i++) { /* healthy, and asked for all that they have */
        ids[i] = must_store(p, events_report(names[i], T0, 1, 1, 1, &own, 1)).endpoint;
        assert_false(is_asked(p, ids[i], T0));
    }
    const struct store_event gone[] = {event(1, T0, STORE_CREATE, SOFTWARE), event(2, T0 + 1, STORE_DELETE, SOFTWARE)};
    int64_t mute = must_store(p, events_report("a", T0 + 2, 1, 1, 2, gone, 2)).endpoint;
    assert_true(is_asked(p, mute, when));
    for (size_t i = 0; i < 3; i++, when += STORE_TAGS_SOON) {
        const struct store_event comes = event(2, when, STORE_CREATE, SOFTWARE);
        assert_true(position_of(p, names[i]).tags_due > when);
        must_store(p, events_report(names[i], when, 1, 2, 2, &comes, 1));
        assert_true(position_of(p, names[i]).tags_due <= when);
        assert_true(is_asked(p, ids[i], when));
        assert_false(is_asked(p, ids[i], when)); /* not the same at once again */
    }
}

/* What was removed has no findings any more. */
static void test_findings_are_of_what_is_there(void **state)
{
    struct place *p = enter(state);
    int64_t liar = endpoint_with(p, "liar");
    report_tag(p, liar, T0 + 10, "lie", lying_files());
    import_tag(p, T0 + 20, "reference", honest_files());
    assert_int_equal(differing(p, liar), 1);
    const struct store_event gone[] = {event(3, T0 + 30, STORE_DELETE, SOFTWARE)};
    must_store(p, events_report("liar", T0 + 31, 1, 3, 3, gone, 1));
    assert_int_equal(differing(p, liar), 0);
    assert_string_equal(findings_of(p, liar, 100), "");
}

static void test_spot_checks_take_turns(void **state)
{
    struct place *p = enter(state);
    struct arena a = arena_of(1 << 20);
    struct store_untagged list[4];
    size_t count;
    char names[4][16];
    struct store_event events[4];
    for (uint32_t i = 0; i < 4; i++) {
        snprintf(names[i], sizeof names[i], "p%u_1", i);
        events[i] = event(i + 1, T0, STORE_CREATE, names[i]);
    }
    int64_t endpoint = must_store(p, events_report("web1", T0 + 1, 1, 1, 4, events, 4)).endpoint;
    OK(store_unverified(p->store, endpoint, 4, 1000, &a, list, &count, &p->error));
    assert_int_equal(count, 0);
    struct files files = honest_files();
    for (unsigned i = 0; i < 4; i++) { /* p3 has a reference without files, and one that nobody has */
        int64_t software;
        struct store_tag tag = {.octets = BYTES("x"), .files = files.items, .file_count = i == 3 ? 0 : files.count};
        OK(store_begin(p->store, &p->error));
        OK(store_reference(p->store, bytes_of(names[i]), BYTES("api"), T0, &tag, &software, &p->error));
        OK(store_reference(p->store, BYTES("nobody_1"), BYTES("api"), T0, &tag, &software, &p->error));
        OK(store_commit(p->store, &p->error));
    }
    struct store_untagged all[4];
    OK(store_unverified(p->store, endpoint, 4, 1000, &a, all, &count, &p->error));
    assert_int_equal(count, 3);
    for (size_t i = 0; i < 8; i++) {
        OK(store_unverified(p->store, endpoint, 1, 1000, &a, list, &count, &p->error));
        assert_int_equal(count, 1);
        assert_int_equal(list[0].id, all[i % 3].id);
        OK(store_begin(p->store, &p->error));
        OK(store_verifying(p->store, endpoint, T0 + 10 + (int64_t)i, list, 1, &p->error));
        OK(store_commit(p->store, &p->error));
    }
    OK(store_unverified(p->store, endpoint, 4, 1000, &a, list, &count, &p->error));
    assert_int_equal(count, 3);
    OK(store_unverified(p->store, endpoint, 4, 14, &a, list, &count, &p->error)); /* two of four octets and two */
    assert_int_equal(count, 2);
    arena_free(&a);
}

/* ---- files ---- */

static bool put_found(void *context, const struct store_found_file *f)
{
    struct wr *w = context;
    wr_fmt(w, "%s%.*s %lld %.*s:",
           f->deviation                 ? "deviation "
           : f->kind == STORE_REFERENCE ? "reference "
                                        : "reported ",
           (int)f->file.path.n, (const char *)f->file.path.p, (long long)f->file.size, (int)f->package.name.n,
           (const char *)f->package.name.p);
    for (size_t i = 0; i < f->owner_count; i++)
        wr_fmt(w, " %.*s%s", (int)f->owners[i].name.n, (const char *)f->owners[i].name.p, f->owners[i].told ? "!" : "");
    wr_str(w, f->more ? " …\n" : "\n");
    return true;
}

static const char *found(struct place *p, struct bytes sha256, struct bytes path)
{
    static char text[2000];
    struct wr w = wr_of(0);
    uint64_t next = 0;
    do
        OK(store_files(p->store, sha256, path, next, 1, put_found, &w, &next, &p->error));
    while (next);
    snprintf(text, sizeof text, "%s", wr_string(&w));
    wr_reset(&w);
    OK(store_files(p->store, sha256, path, 0, 100, put_found, &w, &next, &p->error));
    assert_string_equal(text, wr_string(&w));
    wr_free(&w);
    return text;
}

static void test_files_by_digest_and_path(void **state)
{
    struct place *p = enter(state);
    int64_t liar = endpoint_with(p, "liar"), honest = endpoint_with(p, "honest");
    endpoint_with(p, "third");
    assert_string_equal(found(p, sha(1), BYTES("")), "");
    report_tag(p, liar, T0 + 10, "lie", lying_files());
    assert_string_equal(found(p, sha(66), BYTES("")), "reported /usr/lib/backdoor.so 10 bash: liar! honest third\n");
    report_tag(p, honest, T0 + 11, "truth", honest_files());
    assert_string_equal(found(p, sha(66), BYTES("")), "reported /usr/lib/backdoor.so 10 bash: liar! third\n");
    assert_string_equal(found(p, sha(1), BYTES("")), "deviation /usr/bin/bash 10 bash: honest!\n");
    import_tag(p, T0 + 12, "reference", honest_files());
    assert_string_equal(found(p, sha(66), BYTES("")), "reported /usr/lib/backdoor.so 10 bash: liar! third\n");
    assert_string_equal(found(p, sha(1), BYTES("")), "reference /usr/bin/bash 10 bash: honest! third\n");
    assert_string_equal(
        found(p, BYTES(""), BYTES("/usr/bin/bash")),
        "reported /usr/bin/bash 10 bash: liar! third\nreference /usr/bin/bash 10 bash: honest! third\n");
    assert_string_equal(found(p, BYTES(""), BYTES("/usr/bin/bas")), "");
    assert_string_equal(found(p, (struct bytes){sha(1).p, 31}, BYTES("")), "");
    const struct store_event gone[] = {event(3, T0 + 30, STORE_DELETE, SOFTWARE)};
    must_store(p, events_report("third", T0 + 31, 1, 3, 3, gone, 1));
    assert_string_equal(found(p, sha(1), BYTES("")), "reference /usr/bin/bash 10 bash: honest!\n");
}

static bool put_item(void *context, const struct store_tag_item *t)
{
    struct wr *w = context;
    wr_fmt(w, "%.*s %s by %.*s%.*s @%lld files %lld", (int)t->software_id.n, (const char *)t->software_id.p,
           t->kind == STORE_REFERENCE ? "reference" : "reported", (int)t->origin.who.n, (const char *)t->origin.who.p,
           (int)t->origin.endpoint_name.n, (const char *)t->origin.endpoint_name.p, (long long)(t->origin.learnt - T0),
           (long long)t->origin.files);
    if (t->reported.endpoint)
        wr_fmt(w, "; reported by %.*s @%lld files %lld", (int)t->reported.endpoint_name.n,
               (const char *)t->reported.endpoint_name.p, (long long)(t->reported.learnt - T0),
               (long long)t->reported.files);
    wr_str(w, "\n");
    return true;
}

static void test_list_of_tags(void **state)
{
    struct place *p = enter(state);
    struct wr w = wr_of(0);
    uint64_t next = 0;
    int64_t liar = endpoint_with(p, "liar"), software;
    report_tag(p, liar, T0 + 10, "lie", lying_files());
    OK(store_tag_list(p->store, 0, 1, put_item, &w, &next, &p->error));
    assert_int_equal(next, 0);
    assert_string_equal(wr_string(&w), SOFTWARE " reported by liar @10 files 4\n");
    import_tag(p, T0 + 12, "reference", honest_files());
    struct store_tag tag = {.octets = BYTES("x")};
    OK(store_begin(p->store, &p->error));
    OK(store_reference(p->store, BYTES("zzz_1"), BYTES("me"), T0 + 13, &tag, &software, &p->error));
    OK(store_commit(p->store, &p->error));
    wr_reset(&w);
    do
        OK(store_tag_list(p->store, next, 1, put_item, &w, &next, &p->error));
    while (next);
    assert_string_equal(
        wr_string(&w),
        SOFTWARE " reference by api @12 files 4; reported by liar @10 files 4\nzzz_1 reference by me @13 files 0\n");
    wr_free(&w);
}

/* Versions of a package share paths and files; what nobody tells any more goes. */
static void test_what_is_stored_once(void **state)
{
    struct place *p = enter(state);
    int64_t a = endpoint_with(p, "a"), b = endpoint_with(p, "b");
    import_tag(p, T0, "reference", honest_files());
    report_tag(p, a, T0 + 1, "truth", honest_files());
    for (unsigned i = 0; i < 20; i++) { /* ever other lies */
        struct files lie = lying_files();
        lie.items[1].sha256 = sha((uint8_t)(100 + i));
        report_tag(p, b, T0 + 2 + i, "lie", lie);
        assert_int_equal(differing(p, b), 1);
    }
    if (!p->postgres) {
        sqlite3 *db;
        assert_int_equal(sqlite3_open(p->url + strlen("sqlite:"), &db), SQLITE_OK);
        static const struct {
            const char *sql;
            int expected;
        } counts[] = {{"SELECT count(*) FROM file_path", 5},
                      {"SELECT count(*) FROM file_set", 2},
                      {"SELECT count(*) FROM file_of_set", 8}};
        for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
            sqlite3_stmt *q;
            assert_int_equal(sqlite3_prepare_v2(db, counts[i].sql, -1, &q, NULL), SQLITE_OK);
            assert_int_equal(sqlite3_step(q), SQLITE_ROW);
            assert_int_equal(sqlite3_column_int(q, 0), counts[i].expected);
            sqlite3_finalize(q);
        }
        sqlite3_close(db);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_poisoning_in_every_order),      CASE(test_deviations_from_the_first_report),
        CASE(test_a_liar_renames_nothing_for_others),
        CASE(test_two_are_asked),
        CASE(test_what_nobody_told_is_asked_again),
        CASE(test_findings_are_of_what_is_there), CASE(test_spot_checks_take_turns),
        CASE(test_files_by_digest_and_path),      CASE(test_list_of_tags),
        CASE(test_what_is_stored_once),
    };
    return cmocka_run_group_tests_name("store tags", tests, start_cluster, stop_cluster);
}
