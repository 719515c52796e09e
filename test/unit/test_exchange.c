/* Our collector and our validator with each other, through whole sessions in memory: long histories, changes that are
 * pushed, epochs that end. The journal and the store are in the test's hand, all between them is real. */
#include "agent/agent.h"
#include "fake_journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "memory_server.h"

static struct agent_inventory inventory;
static struct assessment *assessment;
static struct nea_session *client, *server;

static void open_session(struct nea_limits limits)
{
    static const struct nea_component *const collectors[] = {&agent_swima_collector};
    static const struct nea_component *const validators[] = {&server_swima_validator};
    static const struct assessment_host host = {.submit = submit, .wake = wake};
    assessment = assessment_new(&host, BYTES("alice"), BYTES("192.0.2.1"));
    void *ours[] = {&inventory}, *theirs[] = {assessment};
    client = nea_session_new(&(struct nea_config){.role = NEA_CLIENT,
                                                  .initiator = true,
                                                  .stay = true,
                                                  .components = collectors,
                                                  .contexts = ours,
                                                  .component_count = 1,
                                                  .limits = limits},
                             0);
    server = nea_session_new(&(struct nea_config){.role = NEA_SERVER,
                                                  .peer_name = BYTES("alice"),
                                                  .components = validators,
                                                  .contexts = theirs,
                                                  .component_count = 1,
                                                  .limits = limits},
                             0);
    run(client, server);
}

static void close_session(void)
{
    nea_session_free(client);
    nea_session_free(server);
    assessment_release(assessment);
    if (database.open)
        store_answer();
}

static int start(void **state)
{
    (void)state;
    memset(&database, 0, sizeof database);
    memset(&fake, 0, sizeof fake);
    inventory = (struct agent_inventory){0};
    fake.head = (struct journal_head){.epoch = 0xc0ffee, .last_eid = 10, .collected = 1700000000};
    fake.records = 10;
    fake.time = 1652426624;
    fake.not_before = TIME_UNKNOWN;
    return 0;
}

static void expect_known(enum nea_access access)
{
    assert_int_equal(nea_session_outcome(client).access, access);
    assert_int_equal(database.access, access);
    assert_int_equal(database.position.epoch, fake.head.epoch);
    assert_int_equal(database.position.last_eid, fake.head.last_eid);
}

static void push(void)
{
    nea_session_push(client);
    run(client, server);
}

/* SWIMA-R39, R41: in one attribute, in attributes of any size, in messages of 1,000 octets. */
static void a_long_history_arrives_whole(void **state)
{
    static const struct {
        uint32_t events;
        size_t max_attribute;
        struct nea_limits limits;
    } rows[] = {{200000, 0, {0}}, {240000, 0, {0}}, {200000, 100000, {0}}, {10000, 5000, {.max_message = 1000}}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        start(state);
        fake.head.last_eid = rows[i].events;
        inventory.max_attribute = rows[i].max_attribute;
        open_session(rows[i].limits);
        expect_known(NEA_ACCESS_ALLOWED);
        assert_int_equal(database.events, rows[i].events);
        assert_int_equal(database.reports, 1);
        close_session();
    }
}

/* SWIMA-R58, R60, R63: what one attribute cannot hold is told in several, and stored in the same session. */
static void a_long_change_is_pushed_whole(void **state)
{
    static const struct {
        uint32_t events;
        size_t max_attribute;
    } rows[] = {{1, 0}, {30, 1000}, {20000, 200000}, {240000, 0}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        start(state);
        inventory.max_attribute = rows[i].max_attribute;
        open_session((struct nea_limits){0});
        expect_known(NEA_ACCESS_ALLOWED);
        push();
        assert_int_equal(database.reports, 1); /* nothing is new */
        fake.head.last_eid += rows[i].events;
        push();
        expect_known(NEA_ACCESS_ALLOWED);
        assert_int_equal(database.events, rows[i].events);
        fake.head.last_eid++;
        push();
        expect_known(NEA_ACCESS_ALLOWED);
        assert_int_equal(database.events, 1);
        close_session();
    }
}

/* SWIMA-R44, R47, R61: the journal begins anew while a subscription stands, with more, fewer or as many events. */
static void a_new_epoch_is_told_while_subscribed(void **state)
{
    static const uint32_t last[] = {0, 1, 9, 10, 11, 1000};
    for (size_t i = 0; i < ARRAY_LENGTH(last); i++) {
        start(state);
        open_session((struct nea_limits){0});
        fake.head.epoch = 0xdecaf;
        fake.head.last_eid = last[i];
        push();
        expect_known(NEA_ACCESS_ALLOWED);
        fake.head.last_eid++;
        push();
        expect_known(NEA_ACCESS_ALLOWED);
        close_session();
    }
}

/* SWIMA-R71: a journal that cannot be read ends the subscription; once it can be read again, it is subscribed anew. */
static void a_failed_push_is_mended_by_the_next(void **state)
{
    (void)state;
    open_session((struct nea_limits){0});
    fake.status = JOURNAL_BUSY;
    fake.head.last_eid++;
    push();
    assert_int_equal(nea_session_outcome(client).access, NEA_ACCESS_DENIED);
    fake.status = JOURNAL_OK;
    push(); /* there is no subscription: nobody is told */
    nea_session_retry(client);
    run(client, server);
    expect_known(NEA_ACCESS_ALLOWED);
    fake.head.last_eid++;
    push();
    expect_known(NEA_ACCESS_ALLOWED);
    close_session();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_long_history_arrives_whole, start),
        cmocka_unit_test_setup(a_long_change_is_pushed_whole, start),
        cmocka_unit_test_setup(a_new_epoch_is_told_while_subscribed, start),
        cmocka_unit_test_setup(a_failed_push_is_mended_by_the_next, start),
    };
    log_set_level(getenv("VERBOSE") ? LOG_DEBUG : LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
