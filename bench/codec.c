/* Inventory records encoded and decoded per second, on one core: at least 10 million a second decoded.
 *
 * A Software Identifier Inventory of 100,000 records, identifiers as long as those of a Debian, goes through the public
 * calls alone: pa_item_put() for each record, pa_message_decode() of the whole message, pa_list_next() for each record.
 * Medians of the rounds are printed. */
#include "nea/nea.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RECORDS = 100000, ROUNDS = 31, DECODED_MARK = 10 };

static struct bytes names[RECORDS];

_Noreturn static void die(const char *what)
{
    fprintf(stderr, "bench codec: %s\n", what);
    exit(70);
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void make_names(struct arena *a)
{
    for (size_t i = 0; i < RECORDS; i++) {
        char text[96];
        snprintf(text, sizeof text, "strongswan.org__Debian_12-x86_64-package-number-%zu-%zu.%zu-1~deb12u%zu", i,
                 i % 40, i % 9, i % 7);
        names[i] = arena_copy(a, bytes_of(text));
        if (!names[i].p)
            die("out of memory");
    }
}

static void encode(struct wr *list, struct wr *message)
{
    const struct pa_type *type = &pa_types[PA_SW_ID_INVENTORY];
    struct pa_sw_id_inventory fields = {.request_id = 1, .epoch = 0x11223344, .last_eid = RECORDS};
    wr_reset(list);
    for (uint32_t i = 0; i < RECORDS; i++)
        pa_item_put(list, type,
                    &(struct pa_sw_id_inventory_item){.record_id = i + 1, .source = 1, .software_id = names[i]});
    fields.records = (struct pa_list){wr_view(list), RECORDS};
    wr_reset(message);
    pa_message_put(message, 1);
    pa_attribute_put(message, type, 0, &fields);
    if (message->bad)
        die("the inventory cannot be encoded");
}

/* Every record is looked at: the compiler must not leave one out. */
static void decode(struct arena *a, struct bytes octets)
{
    struct pa_message message;
    struct nea_fault fault;
    struct pa_sw_id_inventory_item item;
    size_t count = 0, sum = 0, expected = 0;
    arena_reset(a);
    if (pa_message_decode(a, octets, NEA_SERVER, &message, &fault) != PA_OK || message.count != 1)
        die("the inventory cannot be decoded");
    const struct pa_sw_id_inventory *fields = message.attributes[0].fields;
    struct bytes rest = fields->records.raw;
    while (pa_list_next(message.attributes[0].type, &rest, &item)) {
        expected += ++count;
        sum += item.record_id + item.software_id.n - names[count - 1].n;
    }
    if (count != RECORDS || sum != expected)
        die("the inventory was decoded to something else");
}

static int smaller(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Millions of records a second, of the round in the middle. */
static double rate(double seconds[ROUNDS])
{
    qsort(seconds, ROUNDS, sizeof *seconds, smaller);
    return RECORDS / seconds[ROUNDS / 2] / 1e6;
}

int main(void)
{
    double encoding[ROUNDS], decoding[ROUNDS];
    struct arena kept = arena_of(64 << 20), arena = arena_of(1 << 20);
    struct wr list = wr_of(0), message = wr_of(0);
    cpu_set_t core;
    CPU_ZERO(&core);
    CPU_SET(0, &core);
    sched_setaffinity(0, sizeof core, &core);
    make_names(&kept);
    for (int i = 0; i < ROUNDS; i++) { /* in turns: a machine that changes its speed changes it for both */
        double start = cpu_seconds();
        encode(&list, &message);
        double middle = cpu_seconds();
        decode(&arena, wr_view(&message));
        encoding[i] = middle - start;
        decoding[i] = cpu_seconds() - middle;
    }
    double encoded = rate(encoding), decoded = rate(decoding);
    bool kept_mark = decoded >= DECODED_MARK;
    printf("an inventory of %d records, %zu octets each, %d rounds, one core:\n", RECORDS, message.n / RECORDS, ROUNDS);
    printf("  decoded  %6.1f million records/s, at least %d: %s\n", decoded, DECODED_MARK,
           kept_mark ? "kept" : "MISSED");
    printf("  encoded  %6.1f million records/s\n", encoded);
    wr_free(&message);
    wr_free(&list);
    arena_free(&arena);
    arena_free(&kept);
    return kept_mark ? 0 : 1;
}
