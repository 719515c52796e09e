/* Stand-ins for the journal and the package managers, for tests of what is built upon them: the linker takes these
 * before the libraries'. A journal of `records` records and head.last_eid events, whose identifiers are "…-id-N".
 * Included once a test program. */
#ifndef MUSTER_TEST_FAKE_JOURNAL_H
#define MUSTER_TEST_FAKE_JOURNAL_H

#include "agent/agent.h"

#include <stdio.h>
#include <string.h>

static const struct pkg_manager fake_dpkg = {.name = "dpkg", .source = 1}, fake_rpm = {.name = "rpm", .source = 2};
const struct pkg_manager *const pkg_managers[] = {&fake_dpkg, &fake_rpm, NULL};

void pkg_platform_read(const char *root, struct pkg_platform *platform)
{
    (void)root;
    *platform = (struct pkg_platform){.id = "debian", .name = "Debian", .version = "12", .machine = "x86_64"};
}

static struct {
    struct journal_head head;
    uint32_t records, removed; /* the removed ones are identifiers 501, 502 ... */
    enum journal_status status;
    unsigned moves; /* how many readings see the journal move on while they read */
    int64_t time, not_before;
    size_t id_length; /* 0: short ones */
} fake;

enum journal_status journal_head(struct journal *j, struct journal_head *head, struct error *error)
{
    (void)j;
    *head = fake.head;
    if (fake.status == JOURNAL_OK || fake.status == JOURNAL_INCOMPLETE) /* that shows when records are read */
        return JOURNAL_OK;
    error_set(error, "/var/lib/muster/journal.db: disk I/O error");
    return fake.status;
}

static struct bytes fake_id(uint32_t n, char *text, size_t size)
{
    size_t length = (size_t)snprintf(text, size, "strongswan.org__Debian_12-x86_64-id-%u", n);
    if (fake.id_length > length) {
        memset(text + length, 'x', fake.id_length - length);
        length = fake.id_length;
    }
    return (struct bytes){(const uint8_t *)text, length};
}

static void move_on(void)
{
    if (fake.moves > 0) {
        fake.moves--;
        fake.head.last_eid++;
    }
}

enum journal_status journal_each_record(struct journal *j, enum journal_which which, int64_t at,
                                        bool (*visit)(void *, const struct journal_record *), void *context,
                                        struct error *error)
{
    static char text[70000];
    (void)j, (void)error;
    if (which == JOURNAL_BOTH || at != TIME_UNKNOWN)
        return JOURNAL_FAILED;
    bool installed = which == JOURNAL_INSTALLED;
    for (uint32_t k = 1; k <= (installed ? fake.records : fake.removed); k++) {
        uint32_t i = installed ? k : 500 + k;
        struct journal_record r = {
            .id = 1000 + i, .source = 1, .software_id = fake_id(i, text, sizeof text), .installed = installed};
        r.name = BYTES("id");
        r.version = (struct bytes){r.software_id.p + 36, r.software_id.n - 36};
        if (!visit(context, &r))
            break;
    }
    move_on();
    return fake.status;
}

enum journal_status journal_beginning(struct journal *j, uint32_t earliest, struct journal_beginning *b, struct error *error)
{
    (void)j, (void)earliest, (void)error;
    *b = (struct journal_beginning){0};
    return JOURNAL_OK;
}

enum journal_status journal_each_event(struct journal *j, uint32_t earliest, struct bytes name,
                                       bool (*visit)(void *, const struct journal_event *), void *context,
                                       struct error *error)
{
    static char text[70000];
    (void)j, (void)error;
    (void)name;
    uint32_t last = fake.head.last_eid + (fake.moves > 0); /* what came behind the snapshot is seen, too */
    for (uint32_t i = earliest; i <= last; i++) {
        struct journal_event e = {
            .eid = i, .epoch = fake.head.epoch, .action = PKG_CREATE, .time = fake.time, .not_before = fake.not_before};
        e.record = (struct journal_record){.id = 1000 + i, .source = 1, .software_id = fake_id(i, text, sizeof text)};
        e.record.name = BYTES("id");
        e.record.version = (struct bytes){e.record.software_id.p + 36, e.record.software_id.n - 36};
        if (!visit(context, &e))
            break;
    }
    move_on();
    return fake.status;
}

#endif
