/* bench: full tags with SHA-256 of every installed package, beside reading and hashing alone on as many threads */
#include "agent/agent.h"

#include <fcntl.h>
#include <float.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Marks of issue 3/7. */
#define MARK_RATIO  1.15 /* the tags, by reading the same files and hashing as many octets */
#define MARK_SECOND 0.5  /* seconds of a second run, nothing changed */
#define MARK_RSS    64   /* MiB */

enum { TURNS = 3, THREADS_MAX = 4, BLOCK = 128 << 10 };

/* ---- the tags ---- */

struct making {
    struct swid_xml xml;
    struct swid_sink sink; /* counts and empties */
    struct wr out;
    struct agent_tags *tags;
    size_t octets, files, packages, partial;
    FILE *list; /* NULL, or gets the files' paths, a NUL behind each */
    struct swid_lister lister;
    uint64_t content;
};
static struct making *making;

static void on_open(struct swid_sink *s, const struct swid_node *node)
{
    (void)s;
    making->xml.sink.open(&making->xml.sink, node);
    making->files += node->element == SWID_FILE;
    if (making->list)
        making->lister.sink.open(&making->lister.sink, node);
}

static void on_close(struct swid_sink *s, enum swid_element element)
{
    (void)s;
    making->xml.sink.close(&making->xml.sink, element);
    if (making->list)
        making->lister.sink.close(&making->lister.sink, element);
    making->octets += making->out.n;
    wr_reset(&making->out);
}

static struct swid_sink *begin(void *context, const struct journal_record *r)
{
    struct making *m = context;
    (void)r;
    m->xml = swid_xml_of(&m->out, SWID_LINE);
    m->xml.hashes = SWID_HASH_SHA256;
    m->sink = (struct swid_sink){.open = on_open, .close = on_close};
    return &m->sink;
}

static bool end(void *context, const struct journal_record *r, bool whole)
{
    struct making *m = context;
    (void)r;
    m->packages++;
    m->partial += !whole;
    return true;
}

static bool put(void *context, const struct journal_record *r)
{
    return agent_tags_put(((struct making *)context)->tags, r);
}

static void list_file(void *context, const struct swid_file *f)
{
    struct making *m = context;
    m->content += f->size;
    fwrite(f->path.p, 1, f->path.n, m->list);
    fputc(0, m->list);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double all_tags(struct journal *journal, const char *cache, unsigned hashes, struct making *m)
{
    const struct agent_tag_style style = {.full = true, .hashes = hashes, .root = "/", .cache = cache};
    const struct agent_tag_taker taker = {.context = m, .begin = begin, .end = end};
    struct error error = {""};
    double start = now();
    making = m;
    m->out = wr_of(0);
    m->lister = swid_lister_of(list_file, m);
    m->tags = agent_tags_begin(&style, &taker, &error);
    if (!m->tags || error.text[0] || journal_each_record(journal, JOURNAL_INSTALLED, TIME_UNKNOWN, put, m, &error) != JOURNAL_OK ||
        !agent_tags_flush(m->tags)) {
        fprintf(stderr, "bench: %s\n", error.text);
        exit(77);
    }
    agent_tags_end(m->tags, true);
    swid_lister_free(&m->lister);
    wr_free(&m->out);
    return now() - start;
}

/* ---- what cannot be done without ---- */

static struct {
    char **paths;
    size_t count;
    uint64_t octets; /* that each thread hashes */
    unsigned threads;
    _Atomic size_t next;
} work;

static void *read_some(void *unused)
{
    uint8_t *block = malloc(BLOCK);
    (void)unused;
    for (size_t i; block && (i = work.next++) < work.count;) {
        int fd = open(work.paths[i], O_RDONLY | O_CLOEXEC);
        while (fd >= 0 && read(fd, block, BLOCK) > 0)
            continue;
        if (fd >= 0)
            close(fd);
    }
    free(block);
    return NULL;
}

static void *hash_some(void *unused)
{
    uint8_t *block = calloc(1, BLOCK), digest[64];
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    (void)unused;
    EVP_DigestInit_ex(c, EVP_sha256(), NULL);
    for (uint64_t done = 0; block && done < work.octets; done += BLOCK)
        EVP_DigestUpdate(c, block, BLOCK);
    EVP_DigestFinal_ex(c, digest, NULL);
    EVP_MD_CTX_free(c);
    free(block);
    return NULL;
}

static double on_all_threads(void *(*part)(void *))
{
    pthread_t threads[THREADS_MAX];
    double start = now();
    work.next = 0;
    for (unsigned i = 0; i < work.threads; i++)
        if (pthread_create(&threads[i], NULL, part, NULL) != 0)
            exit(77);
    for (unsigned i = 0; i < work.threads; i++)
        pthread_join(threads[i], NULL);
    return now() - start;
}

static void read_list(FILE *list)
{
    char *path = NULL;
    size_t room = 0, capacity = 0;
    rewind(list);
    while (getdelim(&path, &room, 0, list) > 0) {
        if (work.count == capacity) {
            capacity = capacity ? 2 * capacity : 4096;
            work.paths = realloc(work.paths, capacity * sizeof *work.paths);
        }
        if (!work.paths || !(work.paths[work.count++] = strdup(path)))
            exit(77);
    }
    free(path);
}

static int verdict(const char *what, double value, double mark)
{
    printf("%-46s %7.2f (mark %.2f) %s\n", what, value, mark, value <= mark ? "ok" : "MISSED");
    return value > mark;
}

static void remove_files(const char *folder)
{
    static const char *const names[] = {"journal.db", "journal.db-wal", "journal.db-shm", "journal.db.mark",
                                        "hashes.db",  "hashes.db-wal",  "hashes.db-shm"};
    char path[128];
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static double best(double a, double b)
{
    return a < b ? a : b;
}

int main(void)
{
    char folder[] = "/tmp/muster-bench-XXXXXX", cache[64];
    struct error error = {""};
    struct journal *journal;
    struct journal_report report;
    struct making listing = {0}, ours = {0};
    struct rusage usage;
    bool renewed;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    work.threads = processors < 1 ? 1 : processors > THREADS_MAX ? THREADS_MAX : (unsigned)processors;
    if (!mkdtemp(folder))
        return 70;
    snprintf(cache, sizeof cache, "%s/hashes.db", folder);
    if (journal_open(&journal, folder, JOURNAL_WRITE, &renewed, &error) != JOURNAL_OK ||
        journal_collect(journal, &(struct journal_options){.root = "/"}, &report, &error) != JOURNAL_OK || !(listing.list = tmpfile())) {
        fprintf(stderr, "bench: %s\n", error.text);
        return 77;
    }
    all_tags(journal, NULL, MEASURE_SHA256, &listing);
    /* What the reference needs in memory is not counted to the tags: their peak is taken behind the first ones. */
    double tags = all_tags(journal, NULL, MEASURE_SHA256, &ours), filling = all_tags(journal, cache, MEASURE_SHA256, &(struct making){0}),
           second = all_tags(journal, cache, MEASURE_SHA256, &(struct making){0}), reading = DBL_MAX, hashing = DBL_MAX;
    getrusage(RUSAGE_SELF, &usage);
    read_list(listing.list);
    work.octets = listing.content / work.threads;
    for (unsigned turn = 0; turn < TURNS; turn++) { /* a machine that changes its speed changes it for all */
        reading = best(reading, on_all_threads(read_some));
        hashing = best(hashing, on_all_threads(hash_some));
        tags = best(tags, all_tags(journal, NULL, MEASURE_SHA256, &(struct making){0}));
        second = best(second, all_tags(journal, cache, MEASURE_SHA256, &(struct making){0}));
    }
    journal_close(journal);
    remove_files(folder);
    printf("%zu packages, %zu files, %.2f GB, %.1f MB of tags; %zu lack a file\n", ours.packages, ours.files, (double)listing.content / 1e9,
           (double)ours.octets / 1e6, ours.partial);
    printf("%u threads: reading %.2f s, SHA-256 in memory %.2f s; tags %.2f s, filling the cache %.2f s, again %.2f s\n", work.threads, reading,
           hashing, tags, filling, second);
    int missed = verdict("tags, by reading plus hashing", tags / (reading + hashing), MARK_RATIO);
    missed += verdict("second run, seconds", second, MARK_SECOND);
    missed += verdict("memory, MiB", (double)usage.ru_maxrss / 1024, MARK_RSS);
    fclose(listing.list);
    return missed > 0;
}
