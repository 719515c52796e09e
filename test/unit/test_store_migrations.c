/* A database that an older Muster made is brought up to date and loses nothing. */
#include "store_place.h"

#include "store/set.h"

#include <sqlite3.h>

static sqlite3 *sqlite_of(const struct place *p)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(p->url + strlen("sqlite:"), &db), SQLITE_OK);
    return db;
}

static void run_raw(const struct place *p, const char *sql)
{
    if (p->postgres) {
        PGconn *c = PQconnectdb(p->url);
        PGresult *r = PQexec(c, sql);
        if (PQresultStatus(r) != PGRES_COMMAND_OK)
            fail_msg("%s: %s", sql, PQerrorMessage(c));
        PQclear(r);
        PQfinish(c);
        return;
    }
    sqlite3 *db = sqlite_of(p);
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

static int64_t ask_raw(const struct place *p, const char *sql)
{
    int64_t number;
    if (p->postgres) {
        PGconn *c = PQconnectdb(p->url);
        PGresult *r = PQexec(c, sql);
        if (PQresultStatus(r) != PGRES_TUPLES_OK || PQntuples(r) != 1)
            fail_msg("%s: %s", sql, PQerrorMessage(c));
        number = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
        PQclear(r);
        PQfinish(c);
        return number;
    }
    sqlite3 *db = sqlite_of(p);
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK || sqlite3_step(s) != SQLITE_ROW)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    number = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return number;
}

/* A database as the versions of the schema up to `version` left it. */
static void make_old(const struct place *p, size_t version)
{
    char sql[120];
    if (p->postgres)
        run_raw(p, "CREATE TABLE schema_version(version INT8 PRIMARY KEY)");
    for (size_t i = 0; i < version; i++) {
        run_raw(p, p->postgres ? postgres_migrations[i] : sqlite_migrations[i]);
        snprintf(sql, sizeof sql,
                 p->postgres ? "INSERT INTO schema_version VALUES(%zu)"
                             : "PRAGMA application_id=1299403894; PRAGMA user_version=%zu",
                 i + 1);
        run_raw(p, sql);
    }
}

static void add_software(const struct place *p, int64_t id, const char *text)
{
    char sql[300], digest[2 * DIGEST_SIZE + 1], hex[100] = "";
    uint8_t whole[EVP_MAX_MD_SIZE];
    assert_int_equal(EVP_Digest(text, strlen(text), whole, NULL, EVP_sha256(), NULL), 1);
    for (size_t i = 0; i < DIGEST_SIZE; i++)
        snprintf(digest + 2 * i, 3, "%02x", whole[i]);
    for (size_t i = 0; text[i]; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned)text[i]);
    snprintf(sql, sizeof sql,
             p->postgres ? "INSERT INTO software(id, learnt, digest, identifier) VALUES(%lld, 0, '\\x%s', '\\x%s')"
                         : "INSERT INTO software(id, learnt, digest, identifier) VALUES(%lld, 0, x'%s', x'%s')",
             (long long)id, digest, hex);
    run_raw(p, sql);
    if (p->postgres)
        ask_raw(p, "SELECT setval('software_id_seq', (SELECT max(id) FROM software))");
}

/* Version 3: an index by numbers, and 64 software to a row of the index of sets. */
static void test_software_and_sets_of_version_2(void **state)
{
    struct place *p = enter(state);
    make_old(p, 2);
    static const char *const texts[] = {"apt_1", "bash_5", "libc6_2", "zlib1g_1", "perl_5"};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        add_software(p, 62 + (int64_t)i, texts[i]); /* 62 and 63 in one block, 64 to 66 in the next */
    run_raw(p, "INSERT INTO change_member VALUES(62, 7, 1), (63, 7, -1), (64, 7, 0), (65, 7, 2), (63, 8, 1)");

    place_open(p);
    assert_int_equal(ask_raw(p, "SELECT count(*) FROM change_block"), 3);
    static const struct {
        const char *row;
        uint64_t created, deleted;
    } rows[] = {
        {"block = 0 AND change_set = 7", UINT64_C(1) << 62, UINT64_C(1) << 63},
        {"block = 1 AND change_set = 7", 3, 3},
        {"block = 0 AND change_set = 8", UINT64_C(1) << 63, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char sql[120];
        snprintf(sql, sizeof sql, "SELECT created FROM change_block WHERE %s", rows[i].row);
        assert_int_equal(ask_raw(p, sql), (int64_t)rows[i].created);
        snprintf(sql, sizeof sql, "SELECT deleted FROM change_block WHERE %s", rows[i].row);
        assert_int_equal(ask_raw(p, sql), (int64_t)rows[i].deleted);
    }
    /* What was known is found, by whatever index. */
    struct store_event list[] = {event(1, T0, STORE_CREATE, "new_1"),    event(2, T0, STORE_CREATE, "apt_1"),
                                 event(3, T0, STORE_CREATE, "bash_5"),   event(4, T0, STORE_CREATE, "libc6_2"),
                                 event(5, T0, STORE_CREATE, "zlib1g_1"), event(6, T0, STORE_CREATE, "perl_5")};
    struct store_report r = events_report("web1", T0 + 10, 1, 1, 6, list, 6);
    struct store_receipt receipt = must_store(p, r);
    assert_int_equal(receipt.new_software, 1);
    assert_int_equal(ask_raw(p, "SELECT count(*) FROM software"), 6);
    CHECK_SOFTWARE(receipt.endpoint, TIME_UNKNOWN, TIME_UNKNOWN,
                   "apt_1*1@0/1\nbash_5*1@0/1\nlibc6_2*1@0/1\nnew_1*1@0/1\nperl_5*1@0/1\nzlib1g_1*1@0/1\n");
}

/* The index of sets as it is written today: bits of net effects, whatever order the members have. */
static void test_blocks_of_a_set(void **state)
{
    struct place *p = enter(state);
    place_open(p);
    static char names[130][16];
    struct store_event list[133];
    for (uint32_t i = 0; i < 130; i++) {
        snprintf(names[i], sizeof names[i], "package_%u", i);
        list[i] = event(i + 1, T0, STORE_CREATE, names[i]);
    }
    list[130] = event(131, T0, STORE_DELETE, names[5]);   /* net nothing */
    list[131] = event(132, T0, STORE_CREATE, names[6]);   /* two instances */
    list[132] = event(133, T0, STORE_DELETE, "before_1"); /* net one less */
    must_store(p, events_report("web1", T0 + 10, 1, 1, 133, list, 133));
    int64_t bits = 0, both = 0, gone = 0;
    for (int64_t block = 0; block < 3; block++) {
        char sql[120];
        snprintf(sql, sizeof sql, "SELECT coalesce(max(created), 0) FROM change_block WHERE block = %d", (int)block);
        uint64_t created = (uint64_t)ask_raw(p, sql);
        snprintf(sql, sizeof sql, "SELECT coalesce(max(deleted), 0) FROM change_block WHERE block = %d", (int)block);
        uint64_t deleted = (uint64_t)ask_raw(p, sql);
        bits += __builtin_popcountll(created | deleted);
        both += __builtin_popcountll(created & deleted);
        gone += __builtin_popcountll(deleted & ~created);
    }
    assert_int_equal(ask_raw(p, "SELECT count(*) FROM change_block"), 3);
    assert_int_equal(bits, 131);
    assert_int_equal(both, 2);
    assert_int_equal(gone, 1);
}

static void keep_octets(void *context, struct bytes octets)
{
    snprintf(context, 16, "%.*s", (int)octets.n, (const char *)octets.p);
}

/* Version 4: a tag that was there is a report without files; a reference puts it aside. */
static void test_tags_of_version_3(void **state)
{
    struct place *p = enter(state);
    make_old(p, 3);
    add_software(p, 7, "apt_1");
    run_raw(p, p->postgres ? "UPDATE software SET head = ((get_byte(digest, 0) & 127) << 24) | (get_byte(digest, 1) << 16) |"
                             " (get_byte(digest, 2) << 8) | get_byte(digest, 3)"
                           : "UPDATE software SET head = 0");
    run_raw(p, p->postgres ? "INSERT INTO tag VALUES(7, 3, 1000, '<a/>', 'apt', '1', '', '', '')"
                           : "INSERT INTO tag VALUES(7, 3, 1000, CAST('<a/>' AS BLOB), x'617074', x'31', x'', x'', x'')");
    place_open(p);
    char octets[16] = "";
    OK(store_tag(p->store, BYTES("7"), STORE_TAG_ANY, keep_octets, octets, &p->error));
    assert_string_equal(octets, "<a/>");
    assert_int_equal(store_tag(p->store, BYTES("7"), STORE_REFERENCE, keep_octets, octets, &p->error), STORE_NOT_FOUND);
    assert_int_equal(ask_raw(p, "SELECT count(*) FROM tag WHERE kind = 0 AND files = 0 AND length(who) = 0"), 1);
    if (!p->postgres) /* its head is not the digest's: only a database of before version 3 has such */
        return;
    int64_t software;
    struct store_file file = {.path = BYTES("/usr/bin/apt"), .size = 1};
    struct store_tag tag = {.octets = BYTES("<b/>"), .files = &file, .file_count = 1};
    OK(store_begin(p->store, &p->error));
    OK(store_reference(p->store, BYTES("apt_1"), BYTES("api"), T0, &tag, &software, &p->error));
    OK(store_commit(p->store, &p->error));
    assert_int_equal(software, 7);
    OK(store_tag(p->store, BYTES("7"), STORE_TAG_ANY, keep_octets, octets, &p->error));
    assert_string_equal(octets, "<b/>");
    OK(store_tag(p->store, BYTES("7"), STORE_REPORTED, keep_octets, octets, &p->error));
    assert_string_equal(octets, "<a/>");
}

/* Version 6: whoever reported before told of its software when it was last seen. */
static void test_endpoints_of_version_5(void **state)
{
    struct place *p = enter(state);
    make_old(p, 5);
    run_raw(p, p->postgres ? "INSERT INTO endpoint(name, first_seen, last_seen, known, epoch, last_eid) VALUES('x', 5, 1700000000, 1, 1, 3), ('y', 5, 6, 0, 0, 0)"
                           : "INSERT INTO endpoint(name, first_seen, last_seen, known, epoch, last_eid) VALUES(x'78', 5, 1700000000, 1, 1, 3), (x'79', 5, 6, 0, 0, 0)");
    place_open(p);
    assert_int_equal(ask_raw(p, "SELECT told FROM endpoint WHERE known = 1"), T0);
    assert_int_equal(ask_raw(p, "SELECT told FROM endpoint WHERE known = 0"), 0);
    const struct store_event there = event(0, T0 + 50, STORE_CREATE, "a");
    must_store(p, inventory_report("x", T0 + 50, 2, 1, &there, 1));
    assert_int_equal(ask_raw(p, "SELECT until FROM rupture"), T0);
}

static int set_up_empty(void **state)
{
    bool postgres = *state != NULL;
    *state = postgres && !has_postgres ? NULL : place_new(postgres);
    return 0;
}

#define EMPTY(name)                                                                                                    \
    {#name ": sqlite", name, set_up_empty, tear_down, NULL},                                                           \
    {                                                                                                                  \
#name ": postgresql", name, set_up_empty, tear_down, &postgres_row                                             \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        EMPTY(test_software_and_sets_of_version_2),
        EMPTY(test_blocks_of_a_set),
        EMPTY(test_tags_of_version_3),
        EMPTY(test_endpoints_of_version_5),
    };
    return cmocka_run_group_tests_name("store migrations", tests, start_cluster, stop_cluster);
}
