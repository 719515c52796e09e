/* bench: every file of every dpkg package hashed with SHA-256, beside sha256sum and beside reading plus hashing alone */
#include "measure/measure.h"
#include "pkg/pkg.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Marks of issue 3/7. */
#define MARK_RATIO  1.15 /* ours, by reading the same files and hashing as many octets */
#define MARK_SECOND 0.5  /* seconds of a second run */
#define MARK_RSS    64   /* MiB */

struct totals {
    size_t files, others, cached;
    uint64_t octets;
    FILE *list; /* NULL, or gets the files' paths, a NUL behind each */
};
struct times {
    double wall, cpu;
};

static struct times now(int who)
{
    struct timespec t;
    struct rusage u;
    clock_gettime(CLOCK_MONOTONIC, &t);
    getrusage(who, &u);
    return (struct times){(double)t.tv_sec + (double)t.tv_nsec / 1e9, (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                                                                          (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6};
}

static struct times since(int who, struct times start)
{
    struct times end = now(who);
    return (struct times){end.wall - start.wall, end.cpu - start.cpu};
}

static bool take_measured(void *context, struct bytes path, void *tag, const struct measured *m)
{
    struct totals *t = context;
    (void)tag;
    if (m->state != MEASURE_FILE) {
        t->others++;
        return true;
    }
    t->files++;
    t->cached += m->cached;
    t->octets += m->size;
    if (t->list)
        fwrite(path.p, 1, path.n, t->list), fputc(0, t->list);
    return true;
}

static bool take_file(void *context, const struct pkg_file *f)
{
    return f->kind == PKG_FILE_DIRECTORY || measure_file(context, f->real_path, NULL);
}

struct asking {
    struct measure *m;
    struct pkg_files files;
};

static bool take_package(void *context, const struct pkg_package *p)
{
    struct asking *a = context;
    struct pkg_sink sink = {.context = a->m, .file = take_file};
    return pkg_manager_find("dpkg")->files(&a->files, p->name, p->arch, p->version, &sink) != PKG_STOPPED;
}

static struct times all_packages(const char *cache, unsigned hashes, unsigned threads, struct totals *t)
{
    struct error error;
    struct times start = now(RUSAGE_SELF);
    struct measure_options options = {.root = "/", .hashes = hashes, .cache = cache, .threads = threads, .take = take_measured, .context = t};
    struct asking a = {measure_begin(&options, &error), {.root = "/"}};
    struct pkg_sink sink = {.context = &a, .package = take_package};
    if (!a.m || error.text[0] || pkg_manager_find("dpkg")->installed("/", &sink) != PKG_OK || !measure_flush(a.m)) {
        fprintf(stderr, "bench: %s\n", error.text[0] ? error.text : "dpkg's packages cannot be read");
        exit(77);
    }
    pkg_files_end(&a.files);
    measure_end(a.m, true);
    return since(RUSAGE_SELF, start);
}

/* The same files, only read, in one thread. */
static struct times read_all(const char *list)
{
    static uint8_t block[128 << 10];
    char *path = NULL;
    size_t room = 0;
    FILE *f = fopen(list, "r");
    struct times start = now(RUSAGE_SELF);
    while (f && getdelim(&path, &room, 0, f) > 0) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        while (fd >= 0 && read(fd, block, sizeof block) > 0)
            continue;
        if (fd >= 0)
            close(fd);
    }
    struct times took = since(RUSAGE_SELF, start);
    free(path);
    if (f)
        fclose(f);
    return took;
}

/* As many octets, in memory. */
static struct times hash_all(uint64_t octets)
{
    static uint8_t block[128 << 10];
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    uint8_t digest[64];
    struct times start = now(RUSAGE_SELF);
    EVP_DigestInit_ex(c, EVP_sha256(), NULL);
    for (uint64_t done = 0; done < octets; done += sizeof block)
        EVP_DigestUpdate(c, block, sizeof block);
    EVP_DigestFinal_ex(c, digest, NULL);
    EVP_MD_CTX_free(c);
    return since(RUSAGE_SELF, start);
}

/* xargs -0 sha256sum, -P threads */
static struct times sha256sum(const char *list, const char *threads)
{
    char *arguments[] = {"xargs", "-0", "-n", "512", "-P", (char *)(uintptr_t)threads, "-a", (char *)(uintptr_t)list, "sha256sum", NULL};
    char *environment[] = {"PATH=/usr/bin:/bin", NULL};
    posix_spawn_file_actions_t actions;
    struct times start = now(RUSAGE_CHILDREN);
    pid_t pid;
    int status = -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&pid, "xargs", &actions, NULL, arguments, environment) == 0)
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
    posix_spawn_file_actions_destroy(&actions);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fprintf(stderr, "bench: sha256sum did not end well\n");
    return since(RUSAGE_CHILDREN, start);
}

static void say(const char *what, struct times t)
{
    printf("%-46s %7.2f s wall %7.2f s CPU\n", what, t.wall, t.cpu);
    fflush(stdout);
}

static int verdict(const char *what, double value, double mark)
{
    printf("%-46s %7.2f (mark %.2f) %s\n", what, value, mark, value <= mark ? "ok" : "MISSED");
    return value > mark;
}

int main(void)
{
    char folder[] = "/tmp/muster-bench-XXXXXX", list[64], cache[64], threads[16];
    struct totals warm = {0}, first = {0}, second = {0}, one = {0}, learnt = {0};
    struct rusage u;
    if (!mkdtemp(folder))
        return 70;
    snprintf(list, sizeof list, "%s/list", folder);
    snprintf(cache, sizeof cache, "%s/hashes.db", folder);
    snprintf(threads, sizeof threads, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
    warm.list = fopen(list, "w");
    if (!warm.list)
        return 70;
    say("list of the files, sizes only", all_packages(NULL, 0, 0, &warm));
    fclose(warm.list);
    printf("%zu files, %.2f GB; %zu paths are none (folders, links, missing)\n", warm.files, (double)warm.octets / 1e9, warm.others);
    read_all(list); /* warm */
    struct times reading = read_all(list), hashing = hash_all(warm.octets);
    say("reading alone, one thread", reading);
    say("SHA-256 of as many octets in memory, one thread", hashing);
    struct times single = all_packages(NULL, MEASURE_SHA256, 1, &one);
    say("ours, one thread", single);
    struct times ours = all_packages(NULL, MEASURE_SHA256, 0, &first);
    say("ours, all processors", ours);
    say("ours, filling the cache", all_packages(cache, MEASURE_SHA256, 0, &learnt));
    getrusage(RUSAGE_SELF, &u);
    struct times again = all_packages(cache, MEASURE_SHA256, 0, &second);
    say("ours, second run with the cache", again);
    printf("%zu of %zu files were not read again\n", second.cached, second.files);
    struct times theirs = sha256sum(list, threads);
    say("sha256sum, all processors", theirs);
    unlink(list);
    for (int i = 0; i < 3; i++) {
        static const char *const suffixes[] = {"", "-wal", "-shm"};
        snprintf(list, sizeof list, "%s%s", cache, suffixes[i]);
        unlink(list);
    }
    rmdir(folder);
    int missed = verdict("CPU of one thread, by reading plus hashing", single.cpu / (reading.cpu + hashing.cpu), MARK_RATIO);
    missed += verdict("wall of one thread, by reading plus hashing", single.wall / (reading.wall + hashing.wall), MARK_RATIO);
    missed += verdict("wall, by sha256sum's", ours.wall / theirs.wall, 1);
    missed += verdict("CPU, by sha256sum's", ours.cpu / theirs.cpu, 1);
    missed += verdict("second run, seconds of wall", again.wall, MARK_SECOND);
    missed += verdict("memory, MiB", (double)u.ru_maxrss / 1024, MARK_RSS);
    return missed > 0;
}
