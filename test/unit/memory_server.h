/* What sessions in memory need of a server: a store that takes everything, and turns until nothing moves. Included once
 * a test program, behind cmocka.h. */
#ifndef MUSTER_TEST_MEMORY_SERVER_H
#define MUSTER_TEST_MEMORY_SERVER_H

#include "server/assessment.h"

static struct {
    struct store_request *open;
    struct store_position position;
    bool took_software;
    unsigned reports;
    size_t events; /* of the last report that had some */
    int access;    /* of the last report or verdict */
} database;

static bool submit(void *context, struct store_request *r)
{
    (void)context;
    database.open = r;
    return true;
}

static void wake(void *context)
{
    (void)context;
}

static void store_answer(void)
{
    struct store_request *r = database.open;
    database.open = NULL;
    r->status = STORE_OK;
    if (r->work == WORK_POSITION) {
        r->out.position = database.position;
    } else if (r->work == WORK_REPORT) {
        database.access = r->in.report.access;
        database.reports++;
        if (r->in.report.software == STORE_EVENTS)
            database.events = r->in.report.event_count;
        database.took_software |= r->in.report.software != STORE_NO_SOFTWARE;
        if (r->in.report.software != STORE_NO_SOFTWARE)
            database.position = (struct store_position){
                .known = true, .epoch = r->in.report.epoch, .last_eid = r->in.report.last_consulted};
        r->out.receipt = (struct store_receipt){
            .session = 7, .epoch = database.position.epoch, .last_eid = database.position.last_eid};
    } else if (r->work == WORK_VERDICT) {
        database.access = r->in.verdict.access;
    }
    r->done(r);
}

static bool carry(struct nea_session *from, struct nea_session *to)
{
    struct wr w = wr_of(0);
    nea_session_out(from, &w);
    bool moved = w.n > 0;
    if (moved)
        nea_session_feed(to, wr_view(&w), 0);
    wr_free(&w);
    return moved;
}

static void run(struct nea_session *client, struct nea_session *server)
{
    unsigned turns = 0;
    for (bool moving = true; moving; turns++) {
        moving = carry(client, server);
        moving |= carry(server, client);
        if (!moving && database.open) {
            store_answer();
            moving = true;
        }
    }
    assert_true(turns < 5000); /* no exchange goes on for ever */
}

#endif
