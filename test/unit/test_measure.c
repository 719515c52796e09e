/* Files below a root are measured as they are, whatever they are called and whatever happens to them meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "measure/internal.h"
#include "db/db.h"
#include "roots.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define LARGE 4096
/* KiB that a hundred thousand files may take more than four thousand. AddressSanitizer keeps what is freed. */
#if defined __SANITIZE_ADDRESS__
#define MEMORY (512 << 10)
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define MEMORY (512 << 10)
#endif
#endif
#ifndef MEMORY
#define MEMORY (8 << 10)
#endif

struct told {
    size_t count, cached, stop_at;
    enum measure_state state;
    struct measured last;
    uint64_t order; /* digest of the tags in the order of the answers */
};

static bool take(void *context, struct bytes path, void *tag, const struct measured *m)
{
    struct told *t = context;
    assert_true(path.n > 0);
    t->count++;
    t->cached += m->cached;
    t->state = m->state;
    t->last = *m;
    if ((uintptr_t)tag)
        assert_int_equal((uintptr_t)tag, t->count);
    return t->count != t->stop_at;
}

static struct measure_options options_of(const struct root *r, struct told *t)
{
    return (struct measure_options){.root = r->path, .hashes = MEASURE_SHA256, .take = take, .context = t};
}

/* One file, asked alone. */
static struct measured one(struct measure_options o, const char *path)
{
    struct told t = {0};
    struct error error;
    o.context = &t;
    struct measure *m = measure_begin(&o, &error);
    assert_non_null(m);
    assert_true(measure_file(m, bytes_of(path), NULL));
    assert_true(measure_flush(m));
    measure_end(m, false);
    assert_int_equal(t.count, 1);
    return t.last;
}

static void expect_hash(const struct measured *m, enum measure_hash hash, const char *name, const void *p, size_t n)
{
    uint8_t want[64];
    unsigned size = 0;
    struct bytes is = measured_digest(m, hash);
    EVP_Digest(p, n, want, &size, EVP_get_digestbyname(name), NULL);
    assert_int_equal(is.n, size);
    assert_memory_equal(is.p, want, size);
}

/* In the middle of a file, too: it may be larger than anybody waits for. What was asked and not read is not answered. */
static void reading_ends_in_time(void **state)
{
    (void)state;
    struct root r = root_make();
    struct told t = {0};
    struct error error;
    root_write(&r, "/large", "");
    root_write(&r, "/small", "x");
    assert_int_equal(truncate(root_path(&r, "/large"), (off_t)200 << 30), 0);
    for (unsigned threads = 1; threads <= 4; threads += 3) {
        struct measure_options o = options_of(&r, &t);
        uint64_t begin = time_monotonic_ms();
        o.threads = threads;
        o.until = begin + 200;
        struct measure *m = measure_begin(&o, &error);
        assert_non_null(m);
        assert_true(measure_file(m, BYTES("/large"), NULL));
        assert_false(measure_flush(m));
        assert_false(measure_file(m, BYTES("/small"), NULL));
        measure_end(m, true);
        assert_int_equal(t.count, 0);
        assert_in_range(time_monotonic_ms() - begin, 200, 20000);
    }
    struct measure_options o = options_of(&r, &t);
    o.until = time_monotonic_ms() + 3600000;
    assert_int_equal(one(o, "/small").state, MEASURE_FILE);
    root_remove(&r);
}

static void all_hashes_come_from_one_pass(void **state)
{
    (void)state;
    struct root r = root_make();
    struct told t = {0};
    struct measure_options o = options_of(&r, &t);
    static uint8_t large[300001];
    memset(large, 'x', sizeof large);
    root_write(&r, "/empty", "");
    root_put(&r, "/large", large, sizeof large, O_TRUNC);
    o.hashes = MEASURE_SHA256 | MEASURE_SHA384 | MEASURE_SHA512;
    struct measured m = one(o, "/large");
    assert_int_equal(m.state, MEASURE_FILE);
    assert_int_equal(m.size, sizeof large);
    expect_hash(&m, MEASURE_SHA256, "SHA256", large, sizeof large);
    expect_hash(&m, MEASURE_SHA384, "SHA384", large, sizeof large);
    expect_hash(&m, MEASURE_SHA512, "SHA512", large, sizeof large);
    m = one(o, "/empty");
    expect_hash(&m, MEASURE_SHA256, "SHA256", "", 0);
    o.hashes = MEASURE_SHA384;
    m = one(o, "large"); /* with or without a slash in front */
    assert_int_equal(measured_digest(&m, MEASURE_SHA256).n, 0);
    expect_hash(&m, MEASURE_SHA384, "SHA384", large, sizeof large);
    o.hashes = 0;
    m = one(o, "/large");
    assert_int_equal(m.state, MEASURE_FILE);
    assert_int_equal(m.size, sizeof large);
    assert_int_equal(m.hashes, 0);
    root_remove(&r);
}

static void odd_names_are_names(void **state)
{
    (void)state;
    static const char *const names[] = {"/a b", "/a\nb", "/\xff\xfe", "/<&\">", "/ ", "/-", "/\\", "/*", "/d/..x", "/d/ .", "/\x01"};
    struct root r = root_make();
    struct told t = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        root_write(&r, names[i], names[i]);
        struct measured m = one(options_of(&r, &t), names[i]);
        assert_int_equal(m.state, MEASURE_FILE);
        expect_hash(&m, MEASURE_SHA256, "SHA256", names[i], strlen(names[i]));
    }
    char longest[PATH_MAX];
    memset(longest, 'n', sizeof longest);
    longest[0] = '/';
    longest[256] = 0;
    root_write(&r, longest, "x");
    assert_int_equal(one(options_of(&r, &t), longest).state, MEASURE_FILE);
    longest[256] = 'n';
    longest[sizeof longest - 1] = 0;
    assert_int_equal(one(options_of(&r, &t), longest).state, MEASURE_MISSING);
    longest[3000] = longest[3500] = longest[4090] = 47;
    assert_int_equal(one(options_of(&r, &t), longest).state, MEASURE_MISSING);
    root_remove(&r);
}

static void put_link(const struct root *r, const char *path, const char *to)
{
    assert_int_equal(symlink(to, root_path(r, path)), 0);
}

/* Both ways of finding a path: the kernel's, and ours where it has none. */
static void links_do_not_lead_out(void **state)
{
    (void)state;
    struct root r = root_make();
    struct told t = {0};
    struct measure_options o = options_of(&r, &t);
    root_write(&r, "/usr/bin/x", "inside");
    root_write(&r, "/etc/passwd", "of the root");
    put_link(&r, "/bin", "usr/bin");
    put_link(&r, "/sbin", "/usr/bin");
    put_link(&r, "/out", "../../../../../..");
    put_link(&r, "/abs", "/etc/passwd");
    put_link(&r, "/loop", "loop");
    put_link(&r, "/a/b/up", "../../usr");
    put_link(&r, "/self", "/proc/self/root");
    assert_int_equal(one(o, "/bin/x").state, MEASURE_FILE);
    assert_int_equal(one(o, "/sbin/x").state, MEASURE_FILE);
    assert_int_equal(one(o, "/a/b/up/bin/x").state, MEASURE_FILE);
    assert_int_equal(one(o, "/bin").state, MEASURE_LINK);
    assert_int_equal(one(o, "/out/usr/bin/x").state, MEASURE_FILE); /* above the root is the root */
    assert_int_equal(one(o, "/../../usr/bin/x").state, MEASURE_FILE);
    assert_int_equal(one(o, "/loop/x").state, MEASURE_MISSING);
    assert_int_equal(one(o, "/self/etc/passwd").state, MEASURE_MISSING);
    assert_int_equal(one(o, "/usr/bin/x/y").state, MEASURE_MISSING);
    assert_int_equal(one(o, "/usr/bin/..").state, MEASURE_DIRECTORY);
    o.follow = true;
    struct measured m = one(o, "/abs");
    expect_hash(&m, MEASURE_SHA256, "SHA256", "of the root", 11);
    assert_int_equal(one(o, "/bin").state, MEASURE_DIRECTORY);
    assert_int_equal(one(o, "/loop").state, MEASURE_MISSING);
    int root = open(r.path, O_PATH | O_DIRECTORY);
    static const char *const paths[] = {"/bin/x", "/sbin/x", "a/b/up/bin/x", "/out/usr/bin/x", "/../../usr/bin/x", "/abs", "/loop/x", "/self/etc/passwd",
                                        "/usr/bin/x/y", "/loop", "/", ".", "/usr//bin/./x", "/a/b/../../usr/bin/x", "/bin/../bin/x"};
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        struct stat by_kernel = {0}, by_us = {0};
        int kernel = measure_open_below(root, paths[i]), us = below_walk(root, paths[i]);
        if (kernel >= 0)
            fstat(kernel, &by_kernel);
        if (us >= 0)
            fstat(us, &by_us);
        if (by_kernel.st_ino != by_us.st_ino || (kernel >= 0) != (us >= 0))
            fail_msg("%s: the kernel finds %d, we find %d", paths[i], kernel, us);
        close(kernel);
        close(us);
    }
    close(root);
    root_remove(&r);
}

static void what_is_no_file_is_not_opened(void **state)
{
    (void)state;
    struct root r = root_make();
    struct told t = {0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_int_equal(mkfifo(root_path(&r, "/pipe"), 0600), 0); /* opening it would wait for ever */
    snprintf(address.sun_path, sizeof address.sun_path, "%s", root_path(&r, "/socket"));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(one(options_of(&r, &t), "/pipe").state, MEASURE_SPECIAL);
    assert_int_equal(one(options_of(&r, &t), "/socket").state, MEASURE_SPECIAL);
    assert_int_equal(one(options_of(&r, &t), "/nothing").state, MEASURE_MISSING);
    assert_int_equal(one(options_of(&r, &t), "/no/folder").state, MEASURE_MISSING);
    assert_int_equal(one(options_of(&r, &t), "/").state, MEASURE_DIRECTORY);
    close(fd);
    root_remove(&r);
}

static void hard_links_and_holes_are_content(void **state)
{
    (void)state;
    struct root r = root_make();
    struct told t = {0};
    char from[PATH_MAX];
    static uint8_t zeros[1 << 20];
    root_write(&r, "/one", "same");
    snprintf(from, sizeof from, "%s", root_path(&r, "/one"));
    assert_int_equal(link(from, root_path(&r, "/two")), 0);
    root_write(&r, "/sparse", "");
    assert_int_equal(truncate(root_path(&r, "/sparse"), sizeof zeros), 0);
    struct measured one_is = one(options_of(&r, &t), "/one"), two_is = one(options_of(&r, &t), "/two"), m = one(options_of(&r, &t), "/sparse");
    assert_memory_equal(one_is.digests, two_is.digests, 32);
    expect_hash(&m, MEASURE_SHA256, "SHA256", zeros, sizeof zeros);
    root_remove(&r);
}

/* Root may read everything: the question is asked by a child that is somebody else. */
static void what_may_not_be_read_is_said(void **state)
{
    (void)state;
    struct root r = root_make();
    struct told t = {0};
    root_write(&r, "/file", "x");
    root_write(&r, "/folder/file", "x");
    chmod(root_path(&r, "/file"), 0);
    chmod(root_path(&r, "/folder"), 0);
    chmod(r.path, 0755);
    pid_t pid = fork();
    if (pid == 0) {
        if (getuid() == 0 && setuid(65534) != 0)
            _exit(2);
        struct measured file = one(options_of(&r, &t), "/file"), below = one(options_of(&r, &t), "/folder/file");
        _exit(file.state == MEASURE_UNREADABLE && below.state == MEASURE_UNREADABLE && file.hashes == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    chmod(root_path(&r, "/folder"), 0700);
    struct error error;
    struct measure_options o = options_of(&r, &t);
    o.root = "/nonexistent/root";
    assert_null(measure_begin(&o, &error));
    assert_non_null(strstr(error.text, "/nonexistent/root"));
    root_remove(&r);
}

/* ---- changes meanwhile ------------------------------------------------------------------------------------------------ */

struct writer {
    char path[PATH_MAX];
    off_t step; /* it grows, or shrinks and grows again */
    _Atomic bool end;
};

static void *write_on(void *context)
{
    struct writer *w = context;
    int fd = open(w->path, O_WRONLY | O_APPEND);
    for (off_t size = 64 << 20; !w->end; size = size == 1000 ? 64 << 20 : 1000)
        if (w->step)
            assert_int_equal(write(fd, "more", 4), 4);
        else
            assert_int_equal(ftruncate(fd, size), 0);
    close(fd);
    return NULL;
}

/* A large file that never stands still: never a hash of something that never was, and always an end. */
static void changes_while_reading_are_noticed(void **state)
{
    (void)state;
    for (int grows = 0; grows < 2; grows++) {
        struct root r = root_make();
        struct told t = {0};
        struct writer w = {.step = grows};
        pthread_t thread;
        root_write(&r, "/moving", "");
        snprintf(w.path, sizeof w.path, "%s", root_path(&r, "/moving"));
        assert_int_equal(truncate(w.path, 64 << 20), 0);
        assert_int_equal(pthread_create(&thread, NULL, write_on, &w), 0);
        size_t changed = 0;
        for (int i = 0; i < 500 && !changed; i++) {
            struct measured m = one(options_of(&r, &t), "/moving");
            changed += m.state == MEASURE_CHANGED;
            assert_true(m.state == MEASURE_FILE || (m.state == MEASURE_CHANGED && m.hashes == 0));
        }
        w.end = true;
        pthread_join(thread, NULL);
        assert_true(changed > 0);
        root_remove(&r);
    }
}

/* ---- many -------------------------------------------------------------------------------------------------------------- */

static struct told many(struct measure_options o, size_t count, size_t stop_at, bool complete)
{
    struct told t = {.stop_at = stop_at};
    struct error error;
    char path[64];
    o.context = &t;
    struct measure *m = measure_begin(&o, &error);
    bool good = true;
    assert_non_null(m);
    assert_string_equal(error.text, "");
    for (size_t i = 0; good && i < count; i++) {
        snprintf(path, sizeof path, "/d%zu/f%zu", i / 500 % 8, i % 4000);
        good = measure_file(m, bytes_of(path), (void *)(i + 1));
    }
    assert_int_equal(good && measure_flush(m), stop_at == 0);
    measure_end(m, complete);
    return t;
}

static void put_many(const struct root *r)
{
    char path[64];
    for (size_t i = 0; i < 4000; i++) {
        snprintf(path, sizeof path, "/d%zu/f%zu", i / 500 % 8, i % 4000);
        root_write(r, path, path);
    }
}

static long peak(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

static void a_hundred_thousand_files_take_no_more_memory(void **state)
{
    (void)state;
    struct root r = root_make();
    put_many(&r);
    struct measure_options o = options_of(&r, NULL);
    for (unsigned threads = 1; threads <= 3; threads++) {
        o.threads = threads;
        assert_int_equal(many(o, 4000, 0, true).count, 4000);
        long before = peak();
        assert_int_equal(many(o, 100000, 0, true).count, 100000);
        assert_true(peak() - before < MEMORY);
        assert_int_equal(many(o, 4000, 1500, true).count, 1500);
    }
    root_remove(&r);
}

/* ---- the cache ----------------------------------------------------------------------------------------------------------- */

static size_t cached(struct measure_options o, size_t count)
{
    return many(o, count, 0, true).cached;
}

static void what_did_not_change_is_not_read_again(void **state)
{
    (void)state;
    struct root r = root_make(), elsewhere = root_make();
    char cache[PATH_MAX], copy[PATH_MAX];
    put_many(&r);
    snprintf(cache, sizeof cache, "%s/hashes.db", elsewhere.path);
    struct measure_options o = options_of(&r, NULL);
    o.cache = cache;
    root_time(&r, "/d0/f5", time(NULL) + 1000); /* as fresh as can be: it may change once more within the same tick */
    sleep(4);
    assert_int_equal(cached(o, 4000), 0);
    assert_int_equal(cached(o, 4000), 3999);
    struct measured m = one(o, "/d0/f1");
    assert_true(m.cached);
    expect_hash(&m, MEASURE_SHA256, "SHA256", "/d0/f1", 6);

    /* The same size and the same time of modification: the change itself has another time. */
    struct stat st;
    stat(root_path(&r, "/d0/f1"), &st);
    root_write(&r, "/d0/f1", "/d0/g1");
    struct timespec times[2] = {st.st_atim, st.st_mtim};
    utimensat(AT_FDCWD, root_path(&r, "/d0/f1"), times, 0);
    m = one(o, "/d0/f1");
    assert_false(m.cached);
    expect_hash(&m, MEASURE_SHA256, "SHA256", "/d0/g1", 6);

    /* Another file in its place. */
    snprintf(copy, sizeof copy, "%s", root_path(&r, "/d0/f3"));
    rename(copy, root_path(&r, "/d0/f2"));
    m = one(o, "/d0/f2");
    expect_hash(&m, MEASURE_SHA256, "SHA256", "/d0/f3", 6);
    assert_int_equal(one(o, "/d0/f3").state, MEASURE_MISSING);

    /* Another hash is another question. */
    o.hashes = MEASURE_SHA512;
    assert_false(one(o, "/d0/f9").cached);
    assert_true(one(o, "/d0/f9").cached);
    root_remove(&r);
    root_remove(&elsewhere);
}

static int64_t rows_of(const char *path)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM file", -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return n;
}

static void what_nobody_asks_for_is_forgotten(void **state)
{
    (void)state;
    struct root r = root_make(), elsewhere = root_make();
    char cache[PATH_MAX];
    put_many(&r);
    snprintf(cache, sizeof cache, "%s/hashes.db", elsewhere.path);
    struct measure_options o = options_of(&r, NULL);
    o.cache = cache;
    sleep(4);
    many(o, 4000, 0, true);
    assert_int_equal(rows_of(cache), 4000);
    for (int i = 0; i < CACHE_RUNS; i++)
        assert_int_equal(cached(o, 100), 100);
    for (int i = 0; i < CACHE_RUNS; i++)
        many(o, 1, 0, false); /* runs that asked for some only do not count */
    assert_int_equal(cached(o, 100), 100);
    assert_int_equal(rows_of(cache), 100);
    root_remove(&r);
    root_remove(&elsewhere);
}

static void a_bad_cache_is_done_without(void **state)
{
    (void)state;
    struct root r = root_make();
    struct told t = {0};
    struct error error;
    char cache[PATH_MAX];
    root_write(&r, "/f", "x");
    snprintf(cache, sizeof cache, "%s", root_path(&r, "/no/such/folder/hashes.db"));
    struct measure_options o = options_of(&r, &t);
    rmdir(root_path(&r, "/no/such/folder"));
    o.cache = "/proc/hashes.db";
    struct measure *m = measure_begin(&o, &error);
    assert_non_null(m);
    assert_string_not_equal(error.text, "");
    assert_true(measure_file(m, BYTES("/f"), NULL) && measure_flush(m));
    assert_int_equal(t.state, MEASURE_FILE);
    measure_end(m, true);
    root_remove(&r);
}

/* Somebody's file is left alone; a cache that is damaged is set aside, and another one begun. */
static void only_a_cache_is_set_aside(void **state)
{
    (void)state;
    struct root r = root_make();
    struct told t = {0};
    struct error error;
    char cache[PATH_MAX], junk[LARGE], after[LARGE];
    root_write(&r, "/f", "x");
    snprintf(cache, sizeof cache, "%s", root_path(&r, "/passwd"));
    struct measure_options o = options_of(&r, &t);
    o.cache = cache;
    memset(junk, 'j', sizeof junk);
    root_put(&r, "/passwd", junk, sizeof junk, O_TRUNC);
    struct measure *m = measure_begin(&o, &error);
    assert_non_null(m);
    assert_non_null(strstr(error.text, "not a database of Muster"));
    assert_true(measure_file(m, BYTES("/f"), NULL) && measure_flush(m));
    measure_end(m, true);
    int fd = open(cache, O_RDONLY);
    assert_int_equal(read(fd, after, sizeof after), sizeof after);
    close(fd);
    assert_memory_equal(junk, after, sizeof junk);

    snprintf(cache, sizeof cache, "%s", root_path(&r, "/hashes.db"));
    assert_int_equal(one(o, "/f").state, MEASURE_FILE);
    fd = open(cache, O_WRONLY);
    assert_int_equal(pwrite(fd, junk, sizeof junk - 96, 96), sizeof junk - 96); /* behind the header */
    close(fd);
    assert_int_equal(one(o, "/f").state, MEASURE_FILE);
    assert_int_equal(rows_of(cache), 0);
    root_remove(&r);
}

static void two_at_once_share_a_cache(void **state)
{
    (void)state;
    struct root r = root_make(), elsewhere = root_make();
    char cache[PATH_MAX];
    put_many(&r);
    snprintf(cache, sizeof cache, "%s/hashes.db", elsewhere.path);
    struct measure_options o = options_of(&r, NULL);
    o.cache = cache;
    sleep(4);
    pid_t pids[3];
    for (size_t i = 0; i < ARRAY_LENGTH(pids); i++)
        if ((pids[i] = fork()) == 0) {
            for (int k = 0; k < 3; k++)
                many(o, 4000, 0, true);
            _exit(0);
        }
    for (size_t i = 0; i < ARRAY_LENGTH(pids); i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_int_equal(cached(o, 4000), 4000);
    assert_int_equal(rows_of(cache), 4000);
    root_remove(&r);
    root_remove(&elsewhere);
}

static void octets_from_elsewhere_are_hashed(void **state)
{
    (void)state;
    static const uint8_t abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
                                  0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    struct measure_hasher *h = measure_hasher_new(MEASURE_SHA256 | MEASURE_SHA512);
    struct measured m = {.state = MEASURE_FILE, .size = 3};
    assert_non_null(h);
    for (int again = 0; again < 2; again++) { /* each begins anew */
        measure_hasher_begin(h);
        measure_hasher_add(h, BYTES("a"));
        measure_hasher_add(h, (struct bytes){0});
        measure_hasher_add(h, BYTES("bc"));
        assert_true(measure_hasher_end(h, &m));
        assert_true(bytes_equal(measured_digest(&m, MEASURE_SHA256), (struct bytes){abc, sizeof abc}));
        assert_int_equal(measured_digest(&m, MEASURE_SHA512).n, 64);
        assert_int_equal(measured_digest(&m, MEASURE_SHA384).n, 0);
        assert_int_equal(m.size, 3);
    }
    measure_hasher_free(h);
    measure_hasher_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(octets_from_elsewhere_are_hashed),
        cmocka_unit_test(all_hashes_come_from_one_pass),
        cmocka_unit_test(reading_ends_in_time),
        cmocka_unit_test(odd_names_are_names),
        cmocka_unit_test(links_do_not_lead_out),
        cmocka_unit_test(what_is_no_file_is_not_opened),
        cmocka_unit_test(hard_links_and_holes_are_content),
        cmocka_unit_test(what_may_not_be_read_is_said),
        cmocka_unit_test(changes_while_reading_are_noticed),
        cmocka_unit_test(a_hundred_thousand_files_take_no_more_memory),
        cmocka_unit_test(what_did_not_change_is_not_read_again),
        cmocka_unit_test(what_nobody_asks_for_is_forgotten),
        cmocka_unit_test(a_bad_cache_is_done_without),
        cmocka_unit_test(only_a_cache_is_set_aside),
        cmocka_unit_test(two_at_once_share_a_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
