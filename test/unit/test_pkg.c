#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pkg/internal.h"
#include "roots.h"

#define STATUS   "/var/lib/dpkg/status"
#define DPKG_LOG "/var/log/dpkg.log"
#define APT_LOG  "/var/log/apt/history.log"

static const struct pkg_manager *const manager = &pkg_dpkg;
#include "told.h"

/* ---- platform ---------------------------------------------------------------------------------------------------- */

static void test_os_release(void **state)
{
    (void)state;
    static const struct {
        const char *text, *id, *name, *version, *pretty;
    } rows[] = {
        {"ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n", "debian", "Debian", "12",
         "Debian GNU/Linux 12"},
        {"ID=arch\n", "arch", "Arch", "", "Arch"},
        {"ID='opensuse-leap'\nVERSION_ID='15.6'", "opensuse-leap", "Opensuse-leap", "15.6", "Opensuse-leap 15.6"},
        {"# ID=no\r\nID=\"ubuntu\"\r\nVERSION_ID=22\\.04\r\n", "ubuntu", "Ubuntu", "22.04", "Ubuntu 22.04"},
        {"PRETTY_NAME=\"a \\\"b\\\" \\$c \\`d \\\\ \\e\"\nID=x'y'z\n", "xyz", "Xyz", "", "a \"b\" $c `d \\ \\e"},
        {"ID=\nVERSION_ID=", "linux", "unknown", "", "unknown"},
        {"", "linux", "unknown", "", "unknown"},
        {"ID=\"unclosed\nVERSION_ID=\\", "unclosed", "Unclosed", "\\", "Unclosed \\"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct pkg_platform p;
        struct lines lines = lines_of(bytes_of(rows[i].text));
        pkg_platform_parse(&lines, &p);
        assert_string_equal(p.id, rows[i].id);
        assert_string_equal(p.name, rows[i].name);
        assert_string_equal(p.version, rows[i].version);
        assert_string_equal(p.pretty, rows[i].pretty);
    }
}

static void test_machine(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_platform p;
    pkg_platform_read(r.path, &p); /* a root that tells nothing */
    assert_string_equal(p.name, "unknown");
    root_write(&r, "/usr/lib/os-release", "ID=raspbian\nVERSION_ID=12\n");
    root_write(&r, "/var/lib/dpkg/arch", "armhf\namd64\n");
    pkg_platform_read(r.path, &p);
    assert_string_equal(p.name, "Raspbian"); /* from /usr/lib: there is none in /etc */
    assert_string_equal(p.machine, "armhf");
    root_write(&r, "/etc/os-release", "ID=debian\n");
    root_package(&r, "dpkg", "arm64", "1.21", "installed");
    pkg_platform_read(r.path, &p);
    assert_string_equal(p.name, "Debian");
    assert_string_equal(p.machine, "aarch64");
    root_remove(&r);
}

/* ---- versions ---------------------------------------------------------------------------------------------------- */

static void test_versions(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        int order;
    } rows[] = {
        {"1.0", "1.0", 0},
        {"1.0", "1.0-0", 0},
        {"0:1.0", "1.0", 0},
        {"1:0.1", "2.0", 1},
        {"1.0~rc1", "1.0", -1},
        {"1.0~~", "1.0~", -1},
        {"1.0~", "1.0~~a", 1},
        {"1.0a", "1.0", 1},
        {"1.0a", "1.0+", -1},
        {"1.10", "1.9", 1},
        {"1.010", "1.10", 0},
        {"1.0-1", "1.0-1.1", -1},
        {"1.0-1-2", "1.0-1-1", 1},
        {"", "0", 0},
        {"a", "b", -1},
        {"1.2-3+b1", "1.2-3", 1},
        {"2.36-9+deb12u10", "2.36-9+deb12u9", 1},
        {"1.0-1~bpo12+1", "1.0-1", -1},
        {"99999999999999999999", "100000000000000000000", -1},
        {"1:", "1", 1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct bytes a = bytes_of(rows[i].a), b = bytes_of(rows[i].b);
        assert_int_equal(dpkg_order.compare(a, b), rows[i].order);
        assert_int_equal(dpkg_order.compare(b, a), -rows[i].order);
    }
}

/* ---- what is installed ------------------------------------------------------------------------------------------- */

static void test_states(void **state)
{
    (void)state;
    struct root r = root_make();
    struct told t;
    root_write(&r, STATUS,
               "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nMulti-Arch: same\nSource: glibc "
               "(2.36-9+deb12u10)\n"
               "Version: 2.36-9+deb12u10+b1\nConffiles:\n /etc/x Package: no\nDescription: C\n\n"
               "Package: libc6\nStatus: install ok installed\nArchitecture: i386\nSource: glibc\nVersion: "
               "2.36-9+deb12u10\n\n\n"
               "package: half\nSTATUS:\tinstall reinstreq half-installed\nArchitecture: amd64\nVersion: 1:1~2+3\n\n"
               "Package: unp\nStatus: install ok unpacked\nArchitecture: all\nVersion: 1\n\n"
               "Package: hc\nStatus: deinstall ok half-configured\nArchitecture: all\nVersion: 1\r\n\r\n"
               "Package: ta\nStatus: install ok triggers-awaited\nArchitecture: all\nVersion: 1\n\n"
               "Package: tp\nStatus: hold ok triggers-pending\nArchitecture: all\nVersion: 1\n\n"
               "Package: conf\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n\n"
               "Package: none\nStatus: unknown ok not-installed\n\n"
               "Package: odd\nStatus: install ok sleeping\nVersion: 1\n\n"
               "Version: 1\nStatus: install ok installed\n\n"
               "Package: last\nStatus: install ok installed\nArchitecture: all\nVersion: 9\n");
    assert_int_equal(read_installed(&r, &t), PKG_OK);
    assert_string_equal(wr_string(&t.text), "libc6 amd64 2.36-9+deb12u10+b1 installed src glibc 2.36-9+deb12u10\n"
                                            "libc6 i386 2.36-9+deb12u10 installed src glibc 2.36-9+deb12u10\n"
                                            "half amd64 1:1~2+3 half-installed src half 1:1~2+3\n"
                                            "unp all 1 unpacked src unp 1\n"
                                            "hc all 1 half-configured src hc 1\n"
                                            "ta all 1 triggers-awaited src ta 1\n"
                                            "tp all 1 triggers-pending src tp 1\n"
                                            "last all 9 installed src last 9\n");
    assert_string_equal(wr_string(&t.complaints),
                        "status:51: a stanza without a known Status\nstatus:55: a stanza without Package\n");
    told_free(&t);
    root_remove(&r);
}

static void test_updates_and_images(void **state)
{
    (void)state;
    struct root r = root_make();
    struct told t;
    root_package(&r, "a", "amd64", "1", "installed");
    root_package(&r, "a", "i386", "1", "installed");
    root_package(&r, "b", "all", "1", "installed");
    root_package(&r, "c", "amd64", "1", "installed");
    root_write(&r, "/var/lib/dpkg/updates/0000",
               "Package: a\nStatus: install ok unpacked\nArchitecture: i386\nVersion: 2\n");
    root_write(&r, "/var/lib/dpkg/updates/0001",
               "Package: b\nStatus: install ok half-configured\nArchitecture: amd64\nVersion: 2\n");
    root_write(&r, "/var/lib/dpkg/updates/0002", "Package: c\nStatus: purge ok not-installed\n");
    root_write(&r, "/var/lib/dpkg/updates/0003",
               "Package: d\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n");
    root_write(&r, "/var/lib/dpkg/updates/0010",
               "Package: b\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2\n");
    root_write(&r, "/var/lib/dpkg/updates/tmp.i", "##padding##");
    root_write(&r, "/var/lib/dpkg/status.d/tzdata",
               "Package: tzdata\nVersion: 2024a\nArchitecture: all\nDescription: x\n");
    root_write(&r, "/var/lib/dpkg/status.d/tzdata.md5sums", "0123  usr/share\n");
    assert_int_equal(read_installed(&r, &t), PKG_OK);
    assert_string_equal(wr_string(&t.text),
                        "a amd64 1 installed src a 1\na i386 2 unpacked src a 2\nb amd64 2 installed src b 2\n"
                        "d all 1 installed src d 1\ntzdata all 2024a installed src tzdata 2024a\n");
    assert_string_equal(wr_string(&t.complaints), "");
    told_free(&t);
    unlink(root_path(&r, STATUS)); /* an image without dpkg */
    assert_true(pkg_dpkg.present(r.path));
    assert_int_equal(read_installed(&r, &t), PKG_OK);
    told_free(&t);
    root_remove(&r);
}

static void test_damaged_database(void **state)
{
    (void)state;
    struct root r = root_make();
    struct told t;
    root_put(&r, STATUS,
             "\x7f"
             "ELF\0\0\n\0\0\0",
             10, O_TRUNC);
    assert_int_equal(read_installed(&r, &t), PKG_DAMAGED);
    told_free(&t);
    unlink(root_path(&r, STATUS));
    mkdir(root_path(&r, STATUS), 0755);
    assert_int_equal(read_installed(&r, &t), PKG_UNREADABLE);
    told_free(&t);
    rmdir(root_path(&r, STATUS));
    root_write(&r, STATUS, ""); /* a root that is being set up */
    assert_int_equal(read_installed(&r, &t), PKG_OK);
    told_free(&t);
    /* dpkg was killed in its first run: what it had done stands in updates/, and there alone. */
    root_write(&r, "/var/lib/dpkg/updates/0000", "Package: a\nStatus: install ok unpacked\nArchitecture: all\nVersion: 1\n");
    root_write(&r, "/var/lib/dpkg/updates/0001", "Package: b\nStatus: install ok installed\nArchitecture: i386\nVersion: 2\n");
    root_write(&r, "/var/lib/dpkg/info/a.list", "/.\n");
    root_write(&r, "/var/lib/dpkg/info/b:i386.list", "/.\n");
    for (int missing = 0; missing < 2; missing++) {
        assert_true(pkg_dpkg.present(r.path));
        assert_int_equal(read_installed(&r, &t), PKG_OK);
        assert_string_equal(wr_string(&t.text), "a all 1 unpacked src a 1\nb i386 2 installed src b 2\n");
        assert_string_equal(wr_string(&t.complaints), "");
        told_free(&t);
        unlink(root_path(&r, STATUS));
    }
    /* The status file was lost: updates/ never held this one. */
    root_write(&r, "/var/lib/dpkg/info/aa.list", "/.\n");
    for (int missing = 1; missing >= 0; missing--) {
        assert_int_equal(read_installed(&r, &t), PKG_DAMAGED);
        assert_string_equal(wr_string(&t.text), "");
        assert_non_null(strstr(wr_string(&t.complaints), "status:0: there is nothing in it"));
        told_free(&t);
        root_write(&r, STATUS, "");
    }
    root_remove(&r);
}

/* ---- dpkg.log alone ---------------------------------------------------------------------------------------------- */

static void test_dpkg_log(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_cursor cursor = {.after = wr_of(0)};
    use_zone("UTC");
    root_write(&r, DPKG_LOG,
               "2024-01-01 10:00:00 startup archives unpack\n"
               "2024-01-01 10:00:01 install new:amd64 <none> 1.0\n"
               "2024-01-01 10:00:01 status half-installed new:amd64 1.0\n"
               "2024-01-01 10:00:02 status unpacked new:amd64 1.0\n"
               "2024-01-01 10:00:03 upgrade up:all 1:1 1:2~rc1\n"
               "2024-01-01 10:00:03 status half-configured up:all 1:1\n"
               "2024-01-01 10:00:03 status unpacked up:amd64 1:2~rc1\n" /* it is no longer for all architectures */
               "2024-01-01 10:00:04 upgrade same:i386 3 3\n"
               "2024-01-01 10:00:04 status unpacked same:i386 3\n"
               "2024-01-01 10:00:05 install back:amd64 1.0 2.0\n" /* of 1.0 only configuration was left */
               "2024-01-01 10:00:05 status unpacked back:amd64 2.0\n"
               "2024-01-01 10:00:05 status config-files victim:amd64 7\n" /* removed for a conflict */
               "2024-01-01 10:00:06 configure new:amd64 1.0 <none>\n"
               "2024-01-01 10:00:06 conffile /etc/x keep\n"
               "2024-01-01 10:00:06 status installed new:amd64 1.0\n"
               "2024-01-01 10:00:07 remove new:amd64 1.0 <none>\n"
               "2024-01-01 10:00:07 status half-configured new:amd64 1.0\n"
               "2024-01-01 10:00:07 status half-installed new:amd64 1.0\n"
               "2024-01-01 10:00:08 status config-files new:amd64 1.0\n"
               "2024-01-01 10:00:08 purge new:amd64 1.0 <none>\n"
               "2024-01-01 10:00:08 status not-installed new:amd64 <none>\n"
               "2024-01-01 10:00:09 trigproc man-db:amd64 2 <none>\n"
               "2024-01-01 10:00:09 remove stays:amd64 5 <none>\n" /* its script failed */
               "2024-01-01 10:00:09 status half-configured stays:amd64 5\n"
               "2024-01-01 10:00:09 status installed stays:amd64 5\n"
               "2024-01-01 10:00:10 upgrade keeps:amd64 5 6\n" /* so did this one's */
               "2024-01-01 10:00:10 status half-configured keeps:amd64 5\n"
               "2024-01-01 10:00:10 status installed keeps:amd64 5\n"
               "2024-01-01 10:00:11 disappear old:all 1 <none>\n"
               "2024-01-01 10:00:11 status not-installed old:all <none>\n"
               "2024-01-01 10:00:12 install noarch <none> 1\n"
               "2024-01-01 10:00:12 status installed noarch 1\n"
               "2024-01-01 10:00:13 install never:amd64 <none> 1\n" /* dpkg --no-act logs so much and no more */
               "2024-01-01 10:00:14 startup archives unpack\n"
               "2024-01-01 10:00:14 install never2:amd64 <none> 1\n");
    expect_history(&r, &cursor,
                   "01-01T10:00:01Z exact create new:amd64 1.0\n"
                   "01-01T10:00:03Z exact delete up:all 1:1\n"
                   "01-01T10:00:03Z exact create up:amd64 1:2~rc1\n"
                   "01-01T10:00:04Z exact alter same:i386 3\n"
                   "01-01T10:00:05Z exact delete victim:amd64  weak\n"
                   "01-01T10:00:05Z exact create back:amd64 2.0\n"
                   "01-01T10:00:07Z exact delete new:amd64 1.0\n"
                   "01-01T10:00:08Z exact delete new:amd64  weak\n"
                   "01-01T10:00:11Z exact delete old:all 1\n"
                   "01-01T10:00:12Z exact create noarch: 1 or-all\n",
                   "history.log:0: there is no such log: the history is shorter and its times are less exact\n");
    assert_true(cursor.continuous);
    assert_true(cursor.reaches_back == 1704103200);
    expect_history(&r, &cursor, "", NULL);
    wr_free(&cursor.after);
    root_remove(&r);
}

/* A package changes its architecture in place, with its version or without; a sibling of another architecture has no part in it. */
static void test_crossgrade(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_cursor cursor = {.after = wr_of(0)};
    use_zone("UTC");
    root_write(&r, DPKG_LOG,
               "2024-01-01 10:00:00 startup archives install\n"
               "2024-01-01 10:00:01 upgrade cross:amd64 1 1\n2024-01-01 10:00:01 status half-configured cross:amd64 1\n"
               "2024-01-01 10:00:01 status unpacked cross:amd64 1\n2024-01-01 10:00:01 status half-installed cross:amd64 1\n"
               "2024-01-01 10:00:02 status unpacked cross:i386 1\n2024-01-01 10:00:02 configure cross:i386 1 <none>\n"
               "2024-01-01 10:00:02 status installed cross:i386 1\n"
               "2024-01-01 10:00:03 upgrade cross:i386 1 1\n2024-01-01 10:00:03 status half-configured cross:i386 1\n"
               "2024-01-01 10:00:03 status half-installed cross:i386 1\n2024-01-01 10:00:03 status unpacked cross:all 1\n"
               "2024-01-01 10:00:04 upgrade cross:all 1 1\n2024-01-01 10:00:04 status half-configured cross:all 1\n"
               "2024-01-01 10:00:04 status half-installed cross:all 1\n2024-01-01 10:00:04 status unpacked cross:amd64 1\n"
               "2024-01-01 10:00:05 upgrade cross:amd64 1 2\n2024-01-01 10:00:05 status unpacked cross:amd64 1\n"
               "2024-01-01 10:00:05 status half-installed cross:amd64 1\n2024-01-01 10:00:05 status unpacked cross:i386 2\n"
               "2024-01-01 10:00:06 upgrade cross:i386 2 3\n2024-01-01 10:00:06 status half-installed cross:i386 2\n"
               "2024-01-01 10:00:06 status unpacked cross:i386 2\n" /* its script failed */
               "2024-01-01 10:00:06 status installed cross:i386 2\n"
               "2024-01-01 10:00:06 upgrade cross:i386 2 2\n2024-01-01 10:00:06 status half-installed cross:i386 2\n"
               "2024-01-01 10:00:06 status unpacked cross:i386 2\n" /* another one, of the same version */
               "2024-01-01 10:00:06 status installed cross:i386 2\n"
               "2024-01-01 10:00:07 upgrade same:amd64 1 2\n2024-01-01 10:00:07 status unpacked same:amd64 1\n"
               "2024-01-01 10:00:07 status half-configured same:i386 1\n"
               "2024-01-01 10:00:07 status half-installed same:amd64 1\n2024-01-01 10:00:07 status unpacked same:amd64 2\n"
               "2024-01-01 10:00:08 upgrade same:i386 1 2\n2024-01-01 10:00:08 status half-installed same:i386 1\n"
               "2024-01-01 10:00:08 status unpacked same:i386 2\n");
    expect_history(&r, &cursor,
                   "01-01T10:00:01Z exact delete cross:amd64 1\n01-01T10:00:01Z exact create cross:i386 1\n"
                   "01-01T10:00:03Z exact delete cross:i386 1\n01-01T10:00:03Z exact create cross:all 1\n"
                   "01-01T10:00:04Z exact delete cross:all 1\n01-01T10:00:04Z exact create cross:amd64 1\n"
                   "01-01T10:00:05Z exact delete cross:amd64 1\n01-01T10:00:05Z exact create cross:i386 2\n"
                   "01-01T10:00:07Z exact delete same:amd64 1\n01-01T10:00:07Z exact create same:amd64 2\n"
                   "01-01T10:00:08Z exact delete same:i386 1\n01-01T10:00:08Z exact create same:i386 2\n",
                   NULL);
    wr_free(&cursor.after);
    root_remove(&r);
}

static void test_under_way(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_cursor cursor = {.after = wr_of(0)};
    root_write(&r, DPKG_LOG,
               "2024-01-01 10:00:03 upgrade up:amd64 1 2\n2024-01-01 10:00:03 status half-configured up:amd64 1\n");
    expect_history(&r, &cursor, "", NULL); /* not done yet: the next run reads it again */
    root_append(&r, DPKG_LOG, "2024-01-01 10:00:04 status unpacked up:amd64 2\n");
    expect_history(&r, &cursor, "01-01T10:00:03Z exact delete up:amd64 1\n01-01T10:00:03Z exact create up:amd64 2\n",
                   NULL);
    root_append(&r, DPKG_LOG, "2024-01-01 10:00:05 remove up:amd64 2 <none>\n");
    expect_history(&r, &cursor, "", NULL); /* nothing has come of it so far */
    root_append(&r, DPKG_LOG, "2024-01-01 10:00:06 status not-installed up:amd64 <none>\n");
    expect_history(&r, &cursor, "01-01T10:00:05Z exact delete up:amd64 2\n", NULL);
    wr_free(&cursor.after);
    root_remove(&r);
}

/* What dpkg itself refuses to read is no list of packages. */
static void test_cut_off(void **state)
{
    (void)state;
    static const char whole[] =
        "Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\nDescription: A\n\n"
        "Package: b\nStatus: install ok installed\nArchitecture: all\nVersion: 2\nDescription: B\n\n";
    for (size_t n = 1; n < sizeof whole - 1; n++) {
        struct root r = root_make();
        struct told t;
        root_put(&r, STATUS, whole, n, O_TRUNC);
        enum pkg_status status = read_installed(&r, &t);
        bool inside_line = whole[n - 1] != '\n', a_known = n >= (size_t)(strstr(whole, "\nDescription: A") - whole) + 1;
        if (status == PKG_OK && (inside_line || !a_known))
            fail_msg("cut after %zu octets: taken for \"%s\"", n, wr_string(&t.text));
        told_free(&t);
        root_remove(&r);
    }
}

/* ---- apt's history alone ----------------------------------------------------------------------------------------- */

static void test_apt_history(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_cursor cursor = {.after = wr_of(0)};
    use_zone("UTC");
    root_package(&r, "dpkg", "amd64", "1.21", "installed");
    root_write(&r, APT_LOG,
               "\nStart-Date: 2024-01-01  10:00:00\nCommandline: apt-get install foo\nRequested-By: admin (1000)\n"
               "Install: foo:amd64 (1:1.0+x~y-1), dep:i386 (2, automatic)\nEnd-Date: 2024-01-01  10:00:09\n"
               "\nStart-Date: 2024-01-01  11:00:00\nComment: hello: world\nUpgrade: foo:amd64 (1:1.0+x~y-1, 2.0), "
               "dep:i386 (2, 3, automatic)\n"
               "Error: Sub-process /usr/bin/dpkg returned an error code (1)\nEnd-Date: 2024-01-01  11:00:01\n"
               "\nStart-Date: 2024-01-01  11:00:01\nDowngrade: foo:amd64 (2.0, 1.9)\nEnd-Date: 2024-01-01  11:00:01\n"
               "\nStart-Date: 2024-01-01  11:00:01\nReinstall: foo:amd64 (1.9)\nRemove: bar (1)\nEnd-Date: 2024-01-01  "
               "11:00:01\n"
               "\nStart-Date: 2024-01-01  12:00:00\nPurge: foo:amd64 (1.9)\n"     /* apt was killed */
               "\nStart-Date: 2024-01-01  13:00:00\nInstall: later:amd64 (1)\n"); /* under way */
    expect_history(
        &r, &cursor,
        "01-01T10:00:00Z transaction create dep:i386 2 automatic [apt-get install foo|admin (1000)]\n"
        "01-01T10:00:00Z transaction create foo:amd64 1:1.0+x~y-1 or-all [apt-get install foo|admin (1000)]\n"
        "01-01T11:00:00Z transaction delete dep:i386 2 planned automatic\n" /* nobody says that it was done */
        "01-01T11:00:00Z transaction delete foo:amd64 1:1.0+x~y-1 or-all\n"
        "01-01T11:00:00Z transaction create foo:amd64 2.0 or-all\n"
        "01-01T11:00:01Z transaction delete foo:amd64 2.0 or-all\n"
        "01-01T11:00:01Z transaction create foo:amd64 1.9 or-all\n"
        "01-01T11:00:01Z transaction delete bar:amd64 1 or-all\n"
        "01-01T11:00:01Z transaction alter foo:amd64 1.9 or-all\n"
        "01-01T12:00:00Z transaction delete foo:amd64 1.9 or-all\n",
        "dpkg.log:0: there is no such log: the history is shorter and its times are less exact\n");
    root_append(&r, APT_LOG, "End-Date: 2024-01-01  13:00:05\n");
    expect_history(&r, &cursor, "01-01T13:00:00Z transaction create later:amd64 1 or-all\n", NULL);
    expect_history(&r, &cursor, "", NULL);
    wr_free(&cursor.after);
    root_remove(&r);
}

/* What a failed run did is proved by the next word on the package, whoever says it, or by what is there. */
static void test_failed_runs(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_cursor cursor = {.after = wr_of(0)};
    use_zone("UTC");
    root_package(&r, "dpkg", "amd64", "1.21", "installed");
    root_package(&r, "here", "all", "1", "half-configured");
    root_package(&r, "stays", "amd64", "1", "installed");
    root_package(&r, "old", "amd64", "1", "installed");
    root_package(&r, "again", "amd64", "1", "installed");
    root_write(&r, APT_LOG,
               "\nStart-Date: 2024-01-01  10:00:00\nInstall: here:amd64 (1), nowhere:amd64 (1), twice:amd64 (1), once:amd64 (1), "
               "logged:amd64 (1), unlogged:amd64 (1)\nUpgrade: old:amd64 (1, 2), next:amd64 (1, 2), not:amd64 (1, 2), other:i386 (1, 2)\n"
               "Remove: stays:amd64 (1), away:amd64 (1)\nReinstall: again:amd64 (1)\n"
               "Error: Sub-process /usr/bin/dpkg returned an error code (1)\nEnd-Date: 2024-01-01  10:00:05\n"
               "\nStart-Date: 2024-01-01  11:00:00\nInstall: twice:amd64 (1)\nUpgrade: next:amd64 (2, 3), not:amd64 (1, 3), other:amd64 (2, 3)\n"
               "Remove: once:amd64 (1)\nEnd-Date: 2024-01-01  11:00:05\n");
    root_write(&r, DPKG_LOG,
               "2024-01-01 12:00:00 remove logged:amd64 1 <none>\n2024-01-01 12:00:00 status not-installed logged:amd64 <none>\n"
               "2024-01-01 12:00:01 install unlogged:amd64 0 1\n2024-01-01 12:00:01 status unpacked unlogged:amd64 1\n");
    expect_history(&r, &cursor,
                   "01-01T10:00:00Z transaction delete again:amd64 1 or-all planned\n" /* 1 is there in any case */
                   "01-01T10:00:00Z transaction delete away:amd64 1 or-all\n"
                   "01-01T10:00:00Z transaction create here:amd64 1 or-all\n"
                   "01-01T10:00:00Z transaction create logged:amd64 1 or-all\n"
                   "01-01T10:00:00Z transaction delete next:amd64 1 or-all\n01-01T10:00:00Z transaction create next:amd64 2 or-all\n"
                   "01-01T10:00:00Z transaction delete not:amd64 1 or-all planned\n"
                   "01-01T10:00:00Z transaction create nowhere:amd64 1 or-all planned\n"
                   "01-01T10:00:00Z transaction delete old:amd64 1 or-all planned\n"
                   "01-01T10:00:00Z transaction create once:amd64 1 or-all\n"
                   "01-01T10:00:00Z transaction delete other:i386 1 planned\n" /* amd64's is another one */
                   "01-01T10:00:00Z transaction delete stays:amd64 1 or-all planned\n"
                   "01-01T10:00:00Z transaction create twice:amd64 1 or-all planned\n"
                   "01-01T10:00:00Z transaction create unlogged:amd64 1 or-all planned\n"
                   "01-01T11:00:00Z transaction delete next:amd64 2 or-all\n01-01T11:00:00Z transaction create next:amd64 3 or-all\n"
                   "01-01T11:00:00Z transaction delete not:amd64 1 or-all\n01-01T11:00:00Z transaction create not:amd64 3 or-all\n"
                   "01-01T11:00:00Z transaction delete once:amd64 1 or-all\n"
                   "01-01T11:00:00Z transaction delete other:amd64 2 or-all\n01-01T11:00:00Z transaction create other:amd64 3 or-all\n"
                   "01-01T11:00:00Z transaction create twice:amd64 1 or-all\n"
                   "01-01T12:00:00Z exact delete logged:amd64 1\n01-01T12:00:01Z exact create unlogged:amd64 1\n",
                   "");
    wr_free(&cursor.after);
    root_remove(&r);
}

/* ---- both -------------------------------------------------------------------------------------------------------- */

static void test_merge(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_cursor cursor = {.after = wr_of(0)};
    use_zone("UTC");
    root_package(&r, "dpkg", "amd64", "1.21", "installed");
    root_write(
        &r, APT_LOG,
        "\nStart-Date: 2023-12-31  10:00:00\nInstall: early:amd64 (1)\nEnd-Date: 2023-12-31  10:00:01\n" /* before
                                                                                                            dpkg.log */
        "\nStart-Date: 2024-01-01  10:00:00\nCommandline: one\nInstall: a:amd64 (1, automatic), fails:amd64 (1)\n"
        "Error: dpkg\nEnd-Date: 2024-01-01  10:00:05\n"
        "\nStart-Date: 2024-01-01  10:00:05\nCommandline: two\nRequested-By: u (1)\nRemove: b:amd64 (1)\nEnd-Date: "
        "2024-01-01  10:00:05\n"
        "\nStart-Date: 2024-01-01  12:00:00\nInstall: silent:amd64 (1)\nEnd-Date: 2024-01-01  12:00:05\n" /* dpkg.log
                                                                                                             has a gap
                                                                                                           */
        "\nStart-Date: 2024-01-01  13:00:00\nInstall: broken:amd64 (1)\nError: x\nEnd-Date: 2024-01-01  13:00:05\n"
        "\nStart-Date: 2024-01-01  14:00:00\nInstall: never:amd64 (1)\nEnd-Date: 2024-01-01  14:00:05\n");
    root_write(
        &r, DPKG_LOG,
        "2024-01-01 09:00:00 install lone:amd64 <none> 1\n2024-01-01 09:00:00 status unpacked lone:amd64 1\n"
        "2024-01-01 10:00:01 startup archives unpack\n"
        "2024-01-01 10:00:02 install a:all <none> 1\n2024-01-01 10:00:02 status unpacked a:all 1\n"
        "2024-01-01 10:00:03 install fails:amd64 <none> 1\n2024-01-01 10:00:03 status half-installed fails:amd64 1\n"
        "2024-01-01 10:00:03 status not-installed fails:amd64 <none>\n"
        "2024-01-01 10:00:05 startup packages remove\n"
        "2024-01-01 10:00:05 remove b:amd64 1 <none>\n2024-01-01 10:00:05 status config-files b:amd64 1\n"
        "2024-01-01 11:00:00 install alone:amd64 <none> 1\n2024-01-01 11:00:00 status unpacked alone:amd64 1\n"
        "2024-01-01 14:00:01 startup archives unpack\n");
    expect_history(&r, &cursor,
                   "12-31T10:00:00Z transaction create early:amd64 1 or-all\n"
                   "01-01T09:00:00Z exact create lone:amd64 1\n"
                   "01-01T10:00:02Z exact create a:all 1 automatic [one|]\n"
                   "01-01T10:00:05Z exact delete b:amd64 1 [two|u (1)]\n"
                   "01-01T11:00:00Z exact create alone:amd64 1\n"
                   "01-01T12:00:00Z transaction create silent:amd64 1 or-all\n"
                   "01-01T13:00:00Z transaction create broken:amd64 1 or-all planned\n",
                   "");
    wr_free(&cursor.after);
    root_remove(&r);
}

/* In Berlin the hour from 02:00 to 03:00 of 2024-10-27 comes twice, and that of 2024-03-31 not at all. */
static void test_clock_changes(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_cursor cursor = {.after = wr_of(0)};
    use_zone("Europe/Berlin");
    root_write(
        &r, DPKG_LOG,
        "2024-03-31 01:59:59 install a:all <none> 1\n2024-03-31 03:00:01 install b:all <none> 1\n"
        "2024-10-27 01:59:59 install c:all <none> 1\n2024-10-27 02:30:00 install d:all <none> 1\n"
        "2024-10-27 02:10:00 install e:all <none> 1\n2024-10-27 02:40:00 install f:all <none> 1\n"
        "2024-10-27 03:00:00 install g:all <none> 1\n2024-10-20 10:00:00 install h:all <none> 1\n"); /* the clock was
                                                                                                        set back */
    expect_history(&r, &cursor,
                   "03-31T00:59:59Z exact create a:all 1\n03-31T01:00:01Z exact create b:all 1\n"
                   "10-26T23:59:59Z exact create c:all 1\n10-27T00:30:00Z exact create d:all 1\n"
                   "10-27T01:10:00Z exact create e:all 1\n10-27T01:40:00Z exact create f:all 1\n"
                   "10-27T02:00:00Z exact create g:all 1\n10-20T08:00:00Z exact create h:all 1\n",
                   NULL);
    use_zone("UTC");
    wr_free(&cursor.after);
    root_remove(&r);
}

/* A long time in zones with every kind of change: the short cut for days without one says what libc does. */
static void test_clock_short_cut(void **state)
{
    (void)state;
    static const char *const zones[] = {"UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe",
                                        "Africa/Casablanca", "Pacific/Apia", "CET-1CEST,M3.5.0,M10.5.0/3"};
    struct root r = root_make();
    for (size_t z = 0; z < ARRAY_LENGTH(zones); z++) {
        use_zone(zones[z]);
        const struct pkg_sink sink = {0};
        struct log_zone zone = {.root = r.path, .sink = &sink};
        struct log_set set = {.zone = &zone};
        for (int64_t t = 1293800000; t < 1790000000; t += 40037) {
            time_t at = t;
            struct tm tm;
            char text[64];
            struct log_time read;
            localtime_r(&at, &tm);
            strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
            set.last = TIME_UNKNOWN;
            assert_true(log_set_time(&set, bytes_of(text), &read));
            assert_true(read.earliest == t || read.latest == t);
            assert_true(read.latest - read.earliest <= 3600);
        }
        log_zone_free(&zone);
    }
    use_zone("UTC");
    root_remove(&r);
}

#define BERLIN_DAY(time, name) "2024-10-27 " time " install " name ":all <none> 1\n"

/* Which of its two meanings a second of the hour that comes twice has only the lines around it can tell. */
static void test_doubled_hour(void **state)
{
    (void)state;
    static const struct {
        const char *log, *events;
    } rows[] = {
        {BERLIN_DAY("02:30:00", "a"), "10-27T01:30:00Z bound since 10-27T00:30:00Z create a:all 1\n"},
        {BERLIN_DAY("01:59:59", "a") BERLIN_DAY("02:30:00", "b") BERLIN_DAY("02:30:00", "c") BERLIN_DAY("03:00:00", "d"),
         "10-26T23:59:59Z exact create a:all 1\n10-27T01:30:00Z bound since 10-27T00:30:00Z create b:all 1\n"
         "10-27T01:30:00Z bound since 10-27T00:30:00Z create c:all 1\n10-27T02:00:00Z exact create d:all 1\n"},
        {BERLIN_DAY("02:30:00", "a") BERLIN_DAY("02:50:00", "b") BERLIN_DAY("02:10:00", "c") BERLIN_DAY("02:55:00", "d"),
         "10-27T00:30:00Z exact create a:all 1\n10-27T00:50:00Z exact create b:all 1\n"
         "10-27T01:10:00Z exact create c:all 1\n10-27T01:55:00Z exact create d:all 1\n"},
        {BERLIN_DAY("03:10:00", "a") "2024-10-20 10:00:00 install b:all <none> 1\n" BERLIN_DAY("02:30:00", "c"), /* set back by hand */
         "10-27T02:10:00Z exact create a:all 1\n10-20T08:00:00Z exact create b:all 1\n10-27T01:30:00Z bound since 10-27T00:30:00Z create c:all 1\n"},
        /* The hour that no clock ever showed. */
        {"2024-03-31 02:30:00 install a:all <none> 1\n2024-03-31 03:30:00 install b:all <none> 1\n",
         "03-31T01:30:00Z bound since 03-31T00:30:00Z create a:all 1\n03-31T01:30:00Z exact create b:all 1\n"},
    };
    use_zone("Europe/Berlin");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct root r = root_make();
        struct pkg_cursor cursor = {.after = wr_of(0)};
        root_write(&r, DPKG_LOG, rows[i].log);
        expect_history(&r, &cursor, rows[i].events, NULL);
        wr_free(&cursor.after);
        root_remove(&r);
    }
    use_zone("UTC");
}

/* The same over the ends of runs and of files. */
static void test_doubled_hour_in_parts(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_cursor cursor = {.after = wr_of(0)};
    use_zone("Europe/Berlin");
    root_write(&r, DPKG_LOG, BERLIN_DAY("02:30:00", "a"));
    expect_history(&r, &cursor, "10-27T01:30:00Z bound since 10-27T00:30:00Z create a:all 1\n", NULL);
    root_append(&r, DPKG_LOG, BERLIN_DAY("02:40:00", "b"));
    expect_history(&r, &cursor, "10-27T01:40:00Z bound since 10-27T00:40:00Z create b:all 1\n", NULL);
    root_append(&r, DPKG_LOG, BERLIN_DAY("02:10:00", "c"));
    expect_history(&r, &cursor, "10-27T01:10:00Z exact create c:all 1\n", NULL);
    root_append(&r, DPKG_LOG, BERLIN_DAY("02:45:00", "d"));
    expect_history(&r, &cursor, "10-27T01:45:00Z exact create d:all 1\n", NULL);
    wr_reset(&cursor.after);
    root_write(&r, DPKG_LOG ".1", BERLIN_DAY("02:30:00", "a"));
    root_write(&r, DPKG_LOG, "x\n" BERLIN_DAY("02:10:00", "c"));
    expect_history(&r, &cursor, "10-27T00:30:00Z exact create a:all 1\n10-27T01:10:00Z exact create c:all 1\n", NULL);
    wr_free(&cursor.after);
    root_remove(&r);
    use_zone("UTC");
}

/* apt's and dpkg's logs of one transaction have one time, whatever each of the two tells of it. */
static void test_doubled_hour_merged(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_cursor cursor = {.after = wr_of(0)};
    use_zone("Europe/Berlin");
    root_write(&r, APT_LOG,
               "\nStart-Date: 2024-10-27  02:20:00\nCommandline: one\nInstall: a:amd64 (1), only:amd64 (1)\nEnd-Date: 2024-10-27  02:20:09\n"
               "\nStart-Date: 2024-10-27  04:00:00\nCommandline: two\nInstall: c:amd64 (1)\nEnd-Date: 2024-10-27  04:00:05\n");
    root_write(&r, DPKG_LOG,
               BERLIN_DAY("02:20:01", "a") BERLIN_DAY("02:50:00", "lone") BERLIN_DAY("02:10:00", "b") BERLIN_DAY("04:00:01", "c"));
    expect_history(&r, &cursor,
                   "10-27T00:20:01Z exact create a:all 1 [one|]\n10-27T00:50:00Z exact create lone:all 1\n10-27T01:10:00Z exact create b:all 1\n"
                   "10-27T03:00:01Z exact create c:all 1 [two|]\n",
                   NULL);
    unlink(root_path(&r, DPKG_LOG));
    wr_reset(&cursor.after);
    expect_history(&r, &cursor,
                   "10-27T01:20:09Z bound since 10-27T00:20:00Z create a:amd64 1 or-all [one|]\n"
                   "10-27T01:20:09Z bound since 10-27T00:20:00Z create only:amd64 1 or-all [one|]\n"
                   "10-27T03:00:00Z transaction create c:amd64 1 or-all [two|]\n",
                   NULL);
    wr_free(&cursor.after);
    root_remove(&r);
    use_zone("UTC");
}

static void copy_zone(const struct root *r, const char *name, const char *path)
{
    char octets[1 << 14], from[128];
    snprintf(from, sizeof from, "/usr/share/zoneinfo/%s", name);
    FILE *f = fopen(from, "re");
    assert_non_null(f);
    root_put(r, path, octets, fread(octets, 1, sizeof octets, f), O_TRUNC);
    fclose(f);
}

static void link_to(const struct root *r, const char *target, const char *path)
{
    unlink(root_path(r, path));
    assert_int_equal(symlink(target, root_path(r, path)), 0);
}

static void expect_noon(const struct root *r, const char *time, const char *complaints)
{
    struct pkg_cursor cursor = {.after = wr_of(0)};
    char events[128];
    snprintf(events, sizeof events, "%s create a:all 1\n", time);
    for (int again = 0; again < 2; again++) {
        struct told t;
        read_history(r, &cursor, &t);
        assert_string_equal(wr_string(&t.text), again ? "" : events);
        assert_int_equal(cursor.zone_assumed, !again && !getenv("TZ"));
        const char *said = strstr(wr_string(&t.complaints), "localtime:0: ");
        if (!again && complaints)
            assert_non_null(said && strstr(said, complaints) ? said : NULL);
        else
            assert_null(said); /* nothing was read whose time means anything */
        assert_false(t.unreadable);
        told_free(&t);
    }
    wr_free(&cursor.after);
}

/* The zone that a root's logs were written in is the root's. */
static void test_zones_of_roots(void **state)
{
    (void)state;
    static const char berlin[] = "07-01T10:00:00Z exact", utc[] = "07-01T12:00:00Z exact",
                      any[] = "07-02T00:00:00Z bound since 06-30T22:00:00Z", *const zones[] = {"Asia/Tokyo", "UTC", "Nowhere/Atall", ""};
    for (size_t i = 0; i < ARRAY_LENGTH(zones); i++) { /* of whoever reads: never mind */
        struct root r = root_make();
        use_zone(zones[i]);
        root_write(&r, DPKG_LOG, "2024-07-01 12:00:00 install a:all <none> 1\n");
        copy_zone(&r, "Europe/Berlin", "/etc/localtime");
        root_write(&r, "/etc/timezone", "Asia/Kolkata\n"); /* libc does not ask it */
        expect_noon(&r, berlin, NULL);
        unlink(root_path(&r, "/etc/localtime"));
        copy_zone(&r, "Europe/Berlin", "/usr/share/zoneinfo/Asia/Shanghai"); /* the root's own file, not this machine's */
        link_to(&r, "/usr/share/zoneinfo/Asia/Shanghai", "/etc/localtime");
        expect_noon(&r, berlin, NULL);
        link_to(&r, "../usr/share/zoneinfo/Europe/Berlin", "/etc/localtime"); /* not there, but here */
        expect_noon(&r, berlin, NULL);
        link_to(&r, "/usr/share/zoneinfo/Etc/UTC", "/etc/localtime");
        expect_noon(&r, utc, NULL);
        unlink(root_path(&r, "/etc/localtime"));
        root_write(&r, "/etc/timezone", " Europe/Berlin \n");
        expect_noon(&r, berlin, NULL);
        root_write(&r, "/etc/timezone", "Nowhere/Else\n");
        expect_noon(&r, any, "the time zone Nowhere/Else cannot be read");
        link_to(&r, "/usr/share/zoneinfo/../../../etc/localtime", "/etc/localtime"); /* a name that climbs is none */
        root_write(&r, "/etc/timezone", "../../../etc/localtime\n");
        expect_noon(&r, any, "the time zone ../../../etc/localtime cannot be read");
        unlink(root_path(&r, "/etc/localtime"));
        unlink(root_path(&r, "/etc/timezone"));
        root_write(&r, "/etc/localtime", "TZif2 no");
        expect_noon(&r, any, "cannot be read");
        root_remove(&r);
    }
    use_zone("UTC");
}

/* Of a root that says nothing the environment does, if it can be understood. */
static void test_zones_of_the_environment(void **state)
{
    (void)state;
    static const struct {
        const char *tz, *time, *complaint;
    } rows[] = {
        {"Europe/Berlin", "07-01T10:00:00Z exact", NULL},
        {":Europe/Berlin", "07-01T10:00:00Z exact", NULL},
        {"/usr/share/zoneinfo/Europe/Berlin", "07-01T10:00:00Z exact", NULL},
        {"CET-1CEST", "07-01T10:00:00Z exact", NULL},
        {"", "07-01T12:00:00Z exact", NULL},
        {"UTC", "07-01T12:00:00Z exact", NULL},
        {NULL, "07-01T12:00:00Z exact", NULL}, /* and the cursor says so */
        {"Europe/Brlin", "07-02T00:00:00Z bound since 06-30T22:00:00Z", "TZ=Europe/Brlin names no time zone"},
    };
    struct root r = root_make();
    root_write(&r, DPKG_LOG, "2024-07-01 12:00:00 install a:all <none> 1\n");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (rows[i].tz)
            use_zone(rows[i].tz);
        else
            unsetenv("TZ");
        expect_noon(&r, rows[i].time, rows[i].complaint);
    }
    use_zone("UTC");
    root_remove(&r);
}

static void test_bad_times(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "2024-01-01",
                                        "2024-01-01 10:00",
                                        "2024-13-01 10:00:00",
                                        "2024-02-30 10:00:00",
                                        "2024-01-01 24:00:00",
                                        "2024-01-01 10:60:00",
                                        "2024-01-01T10:00:00",
                                        "2O24-01-01 10:00:00",
                                        "2024-01-00 10:00:00",
                                        "0000-01-01 10:00:00",
                                        "2024-01-01 10:00:00x"};
    struct log_zone zone = {.found = true};
    struct log_set set = {.zone = &zone, .last = TIME_UNKNOWN};
    struct log_time t;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        assert_false(log_set_time(&set, bytes_of(texts[i]), &t));
    assert_true(log_set_time(&set, BYTES("2024-01-01  10:00:00"), &t));
}

/* ---- bad lines --------------------------------------------------------------------------------------------------- */

static void test_bad_lines(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_cursor cursor = {.after = wr_of(0)};
    static char long_line[1 << 20];
    memset(long_line, 'x', sizeof long_line);
    root_write(&r, DPKG_LOG, "2024-01-01 10:00:00 install a:all <none> 1\r\n");
    root_put(&r, DPKG_LOG, long_line, sizeof long_line, O_APPEND);
    root_append(&r, DPKG_LOG, "\n\n");
    root_put(&r, DPKG_LOG, "2024-01-01 10:00:00 install n\0l:all <none> 1\n", 45, O_APPEND);
    root_append(&r, DPKG_LOG,
                "2024-01-01 10:00:00 dance foo\n2024-01-01 10:00:00 install\n2024-01-01 10:00:00 install b:all 1\n"
                "2024-01-01 10:00:00 install b:all <none> <none>\n2024-01-01 10:00:00 install c:all <none> 1 2\n"
                "\xff\xfe\xfd\n2024-01-01 10:00:01 install z:all <none> 1");
    root_write(&r, APT_LOG,
               "garbage\n\nEnd-Date: 2024-01-01  10:00:00\nStart-Date: tomorrow\n"
               "Start-Date: 2024-01-01  11:00:00\nColour: blue\nInstall: ok:amd64 (1), bad:amd64, worse:amd64 (), nul "
               "(1, 2, 3), "
               "fine:amd64 (2)\nInstall:\nEnd-Date: soon\n");
    expect_history(
        &r, &cursor,
        "01-01T10:00:00Z exact create a:all 1\n01-01T10:00:01Z exact create z:all 1\n"
        "01-01T11:00:00Z transaction create fine:amd64 2 or-all\n01-01T11:00:00Z transaction create ok:amd64 1 "
        "or-all\n",
        "dpkg.log:2: not a line of dpkg.log\ndpkg.log:4: not a line of dpkg.log\n"
        "dpkg.log:5: not a line of dpkg.log\ndpkg.log:6: not a line of dpkg.log\ndpkg.log:7: not a line of dpkg.log\n"
        "dpkg.log:8: an action without its package or version\n"
        "history.log:1: not a line of apt's history\nhistory.log:3: outside of a transaction\nhistory.log:4: not a "
        "time\n"
        "history.log:6: not a line of apt's history\n"
        "history.log:7: an item that is not \"NAME:ARCH (VERSION)\"\nhistory.log:7: an item that is not \"NAME:ARCH "
        "(VERSION)\"\n"
        "history.log:9: not a time\ndpkg.log:9: not a line of dpkg.log\ndpkg.log:10: not a line of dpkg.log\n");
    wr_free(&cursor.after);
    root_remove(&r);
}

static void test_overlong_line(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_cursor cursor = {.after = wr_of(0)};
    size_t n = LINE_MAX_OCTETS + 100;
    char *line = malloc(n);
    assert_non_null(line);
    memset(line, 'x', n);
    root_write(&r, DPKG_LOG, "2024-01-01 10:00:00 install a:all <none> 1\n");
    root_put(&r, DPKG_LOG, line, n, O_APPEND);
    root_append(&r, DPKG_LOG, "\n2024-01-01 10:00:01 install b:all <none> 1\n");
    expect_history(&r, &cursor, "01-01T10:00:00Z exact create a:all 1\n01-01T10:00:01Z exact create b:all 1\n",
                   "history.log:0: there is no such log: the history is shorter and its times are less exact\n"
                   "dpkg.log:2: line too long\n");
    free(line);
    wr_free(&cursor.after);
    root_remove(&r);
}

/* ---- logs change between two runs -------------------------------------------------------------------------------- */

#define LINE(minute, name)                                                                                             \
    "2024-01-01 10:" minute ":00 install " name ":all <none> 1\n2024-01-01 10:" minute ":00 status unpacked " name     \
    ":all 1\n"
#define EVENT(minute, name) "01-01T10:" minute ":00Z exact create " name ":all 1\n"

static void test_rotation(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_cursor cursor = {.after = wr_of(0)};
    root_write(&r, APT_LOG, "");
    root_write(&r, DPKG_LOG, LINE("01", "a"));
    expect_history(&r, &cursor, EVENT("01", "a"), "");
    root_append(&r, DPKG_LOG, LINE("02", "b"));
    root_rotate(&r, DPKG_LOG, DPKG_LOG ".1");
    root_write(&r, DPKG_LOG, ""); /* logrotate creates it empty */
    expect_history(&r, &cursor, EVENT("02", "b"), "");
    expect_history(&r, &cursor, "", "");
    root_append(&r, DPKG_LOG, LINE("03", "c"));
    root_rotate(&r, DPKG_LOG ".1", DPKG_LOG ".3.gz"); /* two rotations and a compression */
    root_rotate(&r, DPKG_LOG, DPKG_LOG ".2.gz");
    root_write(&r, DPKG_LOG ".1", LINE("04", "d"));
    root_write(&r, DPKG_LOG, LINE("05", "e") "junk\n");
    expect_history(&r, &cursor, EVENT("03", "c") EVENT("04", "d") EVENT("05", "e"),
                   "dpkg.log:3: not a line of dpkg.log\n");
    assert_true(cursor.continuous);
    root_append(&r, DPKG_LOG, "more junk\n");
    expect_history(&r, &cursor, "", "dpkg.log:4: not a line of dpkg.log\n");
    struct pkg_cursor anew = {.after = wr_of(0)};
    expect_history(&r, &anew, EVENT("01", "a") EVENT("02", "b") EVENT("03", "c") EVENT("04", "d") EVENT("05", "e"),
                   NULL);
    wr_free(&cursor.after);
    wr_free(&anew.after);
    root_remove(&r);
}

static void test_date_names(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_cursor cursor = {.after = wr_of(0)};
    root_write(&r, DPKG_LOG, LINE("03", "c"));
    root_write(&r, DPKG_LOG "-20240102", LINE("02", "b"));
    root_write(&r, DPKG_LOG "-x", LINE("09", "x"));
    root_rotate(&r, DPKG_LOG "-x", DPKG_LOG "-20240101.gz");
    root_write(&r, DPKG_LOG ".save", LINE("08", "no"));
    root_write(&r, DPKG_LOG "-", LINE("08", "no"));
    expect_history(&r, &cursor, EVENT("09", "x") EVENT("02", "b") EVENT("03", "c"), NULL);
    wr_free(&cursor.after);
    root_remove(&r);
}

static void test_lost_place(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_cursor cursor = {.after = wr_of(0)};
    root_write(&r, APT_LOG, "");
    root_write(&r, DPKG_LOG, LINE("01", "a") LINE("02", "b"));
    expect_history(&r, &cursor, EVENT("01", "a") EVENT("02", "b"), "");
    root_write(&r, DPKG_LOG, LINE("03", "c")); /* truncated, and written anew */
    expect_history(&r, &cursor, EVENT("03", "c"),
                   "dpkg.log:0: the place where the last run stopped is gone: what happened between is known only from "
                   "its outcome\n");
    assert_false(cursor.continuous);
    expect_history(&r, &cursor, "", "");
    assert_true(cursor.continuous);
    for (int i = 0; i < 100; i++) /* more than the beginning by which a file is known */
        root_append(&r, DPKG_LOG, "2024-01-01 10:03:30 status installed c:all 1\n");
    expect_history(&r, &cursor, "", "");
    struct stat st;
    assert_int_equal(stat(root_path(&r, DPKG_LOG), &st), 0);
    root_append(&r, DPKG_LOG, LINE("04", "d"));
    expect_history(&r, &cursor, EVENT("04", "d"), "");
    assert_int_equal(truncate(root_path(&r, DPKG_LOG), st.st_size), 0);
    expect_history(&r, &cursor, "",
                   "dpkg.log:0: this log was cut off: what happened between is known only from its outcome\n");
    assert_false(cursor.continuous);
    root_write(&r, DPKG_LOG, LINE("02", "old") LINE("05", "e")); /* what may be known already is not told again */
    expect_history(&r, &cursor, EVENT("05", "e"), NULL);
    unlink(root_path(&r, DPKG_LOG));
    expect_history(&r, &cursor, "", NULL);
    root_write(&r, DPKG_LOG, LINE("06", "f"));
    expect_history(&r, &cursor, EVENT("06", "f"), NULL);
    wr_free(&cursor.after);
    root_remove(&r);
}

static void test_damaged_gz(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_cursor cursor = {.after = wr_of(0)};
    struct told t;
    struct stat st;
    char text[20000] = "";
    for (int i = 0; i < 200; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "2024-01-01 09:00:%02d install p%d:all <none> 1\n",
                 i % 60, i * 7919);
    root_write(&r, DPKG_LOG, text);
    root_rotate(&r, DPKG_LOG, DPKG_LOG ".1.gz");
    assert_int_equal(stat(root_path(&r, DPKG_LOG ".1.gz"), &st), 0);
    assert_int_equal(truncate(root_path(&r, DPKG_LOG ".1.gz"), st.st_size / 2), 0);
    root_write(&r, DPKG_LOG, LINE("03", "c"));
    read_history(&r, &cursor, &t);
    assert_true(t.unreadable);
    assert_non_null(strstr(wr_string(&t.complaints), "breaks off"));
    assert_non_null(strstr(wr_string(&t.text), EVENT("03", "c")));
    told_free(&t);
    wr_free(&cursor.after);
    root_remove(&r);
}

static void test_strange_cursor(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_cursor cursor = {.after = wr_of(0)};
    root_write(&r, APT_LOG, "");
    root_write(&r, DPKG_LOG, LINE("01", "a"));
    wr_str(&cursor.after, "\x01"
                          "short");
    expect_history(&r, &cursor, EVENT("01", "a"), "");
    wr_free(&cursor.after);
    wr_str(&cursor.after, "\x63"
                          "of a version that is not known yet, and long enough to be read as a whole cursor, if it "
                          "were one of ours at all.....");
    expect_history(&r, &cursor, EVENT("01", "a"), "");
    wr_free(&cursor.after);
    root_remove(&r);
}

static void test_stamp(void **state)
{
    (void)state;
    struct root r = root_make();
    root_package(&r, "a", "all", "1", "installed");
    uint64_t last = pkg_dpkg.stamp(r.path);
    assert_true(pkg_dpkg.stamp(r.path) == last);
    static const char *const files[] = {
        STATUS, DPKG_LOG, DPKG_LOG ".1", APT_LOG, "/var/lib/dpkg/updates/0001", "/var/lib/dpkg/status.d/x"};
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        root_append(&r, files[i], "x\n");
        uint64_t now = pkg_dpkg.stamp(r.path);
        assert_true(now != last);
        last = now;
    }
    root_append(&r, "/var/log/other.log", "x");
    assert_true(pkg_dpkg.stamp(r.path) == last);
    root_remove(&r);
}

int main(void)
{
    use_zone("UTC");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_os_release),
        cmocka_unit_test(test_machine),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_updates_and_images),
        cmocka_unit_test(test_damaged_database),
        cmocka_unit_test(test_dpkg_log),
        cmocka_unit_test(test_crossgrade),
        cmocka_unit_test(test_under_way),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_apt_history),
        cmocka_unit_test(test_failed_runs),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_clock_changes),
        cmocka_unit_test(test_clock_short_cut),
        cmocka_unit_test(test_doubled_hour),
        cmocka_unit_test(test_doubled_hour_in_parts),
        cmocka_unit_test(test_doubled_hour_merged),
        cmocka_unit_test(test_zones_of_roots),
        cmocka_unit_test(test_zones_of_the_environment),
        cmocka_unit_test(test_bad_times),
        cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_overlong_line),
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_date_names),
        cmocka_unit_test(test_lost_place),
        cmocka_unit_test(test_damaged_gz),
        cmocka_unit_test(test_strange_cursor),
        cmocka_unit_test(test_stamp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
