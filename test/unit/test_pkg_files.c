/* The files of packages, the odd lines of the managers' lists; test/host/files.py compares with the real tools. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pkg/internal.h"
#include "roots.h"

#define MD5 "d41d8cd98f00b204e9800998ecf8427e"

static bool take(void *context, const struct pkg_file *f)
{
    struct wr *w = context;
    wr_fmt(w, "%c%s%s %s ", "?fdls"[f->kind], f->config ? "c" : "", f->optional ? "o" : "", pkg_hash_name(f->hash));
    if (f->digest.n)
        wr_fmt(w, "%02x ", f->digest.p[0]);
    wr_bytes(w, f->path);
    if (!bytes_equal(f->path, f->real_path)) {
        wr_str(w, " -> ");
        wr_bytes(w, f->real_path);
    }
    wr_str(w, "\n");
    return true;
}

static void complain(void *context, const char *file, size_t line, const char *what, bool unreadable)
{
    struct wr *w = context;
    (void)what;
    wr_fmt(w, "! %s %zu%s\n", strrchr(file, '/') + 1, line, unreadable ? " unreadable" : "");
}

static void expect(struct pkg_files *f, const struct pkg_manager *m, const char *name, const char *arch, const char *version, enum pkg_status status,
                   const char *told)
{
    struct wr w = wr_of(0);
    struct pkg_sink sink = {.context = &w, .file = take, .complaint = complain};
    enum pkg_status is = m->files(f, bytes_of(name), bytes_of(arch), bytes_of(version), &sink);
    assert_string_equal(wr_string(&w), told);
    assert_int_equal(is, status);
    wr_free(&w);
}

static void dpkg_tells_lists_sums_conffiles_and_diversions(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_files f = {.root = r.path};
    root_write(&r, "/var/lib/dpkg/info/dash.list", "/.\n/bin\n/bin/sh\n/etc\n/etc/a b.conf\n/etc/old\n/empty\n");
    root_write(&r, "/var/lib/dpkg/info/dash.md5sums", MD5 "  bin/sh\nnonsense\n");
    root_write(&r, "/var/lib/dpkg/info/dash.conffiles", "/etc/a b.conf\nremove-on-upgrade /etc/gone\n");
    root_write(&r, "/var/lib/dpkg/info/lib:i386.list", "/.\n/bin/sh\n");
    root_write(&r, "/var/lib/dpkg/diversions", "/bin/sh\n/bin/sh.distrib\nlib\n/x\n");
    root_write(&r, "/var/lib/dpkg/status",
               "Package: dash\nStatus: install ok installed\nArchitecture: amd64\nConffiles:\n /etc/a b.conf 00000000000000000000000000000000\n"
               " /etc/old " MD5 " obsolete\n /etc/gone " MD5 " remove-on-upgrade\nDescription: x\n y\n\n"
               "Package: dash\nArchitecture: i386\nConffiles:\n /bin/sh " MD5 "\n\n");
    root_write(&r, "/var/lib/dpkg/updates/0001", "Package: dash\nArchitecture: amd64\nConffiles:\n /etc/a b.conf " MD5 "\n /etc/old newconffile\n");
    expect(&f, &pkg_dpkg, "dash", "amd64", "1", PKG_OK,
           "d  /bin\nf md5 d4 /bin/sh -> /bin/sh.distrib\nd  /etc\nfc md5 d4 /etc/a b.conf\nfc  /etc/old\n?  /empty\n");
    expect(&f, &pkg_dpkg, "lib", "i386", "1", PKG_OK, "?  /bin/sh\n"); /* whose diversion it is */
    expect(&f, &pkg_dpkg, "lib", "amd64", "1", PKG_ABSENT, "! lib.list 0 unreadable\n");
    expect(&f, &pkg_dpkg, "../../../etc/passwd", "", "1", PKG_ABSENT, "");
    root_write(&r, "/var/lib/dpkg/info/bad.list", "/.\n\n/a/../b\nrelative\n/good\n/cut o");
    expect(&f, &pkg_dpkg, "bad", "amd64", "1", PKG_DAMAGED, "! bad.list 2\n! bad.list 3\n! bad.list 4\n?  /good\n! bad.list 6\n");
    root_write(&r, "/var/lib/dpkg/info/none.list", "");
    expect(&f, &pkg_dpkg, "none", "amd64", "1", PKG_DAMAGED, "! none.list 0\n");
    mkdir(root_path(&r, "/var/lib/dpkg/info/folder.list"), 0755);
    expect(&f, &pkg_dpkg, "folder", "amd64", "1", PKG_UNREADABLE, "! folder.list 0 unreadable\n");
    root_write(&r, "/var/lib/dpkg/status.d/base.md5sums", MD5 "  ./etc/x\n");
    expect(&f, &pkg_dpkg, "base", "amd64", "1", PKG_OK, "f md5 d4 /etc/x\n");
    pkg_files_end(&f);
    root_remove(&r);
}

static void apk_tells_what_it_protects(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_files f = {.root = r.path};
    root_write(&r, "/lib/apk/db/installed",
               "P:other\nV:1\nA:x86_64\n\nC:Q1abc=\nP:musl\nV:1.2\nA:x86_64\nF:\nF:lib\nM:0:0:755\nR:ld.so\na:0:0:777\nZ:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
               "R:plain\nZ:Q1//////////////////////////8=\nF:etc/init.d\nR:x\nF:etc\nR:conf\nZ:Q1short\nF:etc/ssl\nR:a.pem\nF:../up\nR:y\n\n");
    root_write(&r, "/etc/apk/protected_paths.d/a.list", "# comment\n-etc/ssl/*.pem\n+lib/pl?in\n");
    expect(&f, &pkg_apk, "musl", "x86_64", "1.2", PKG_DAMAGED,
           "d  /lib\n? sha1 00 /lib/ld.so\nfc sha1 ff /lib/plain\nd  /etc/init.d\nf  /etc/init.d/x\nd  /etc\nfc  /etc/conf\nd  /etc/ssl\n"
           "f  /etc/ssl/a.pem\n! installed 0\n! installed 0\n");
    expect(&f, &pkg_apk, "other", "x86_64", "1", PKG_OK, "");
    expect(&f, &pkg_apk, "none", "x86_64", "1", PKG_ABSENT, "");
    pkg_files_end(&f);
    root_remove(&r);
}

static void pacman_tells_files_backup_and_mtree(void **state)
{
    (void)state;
    struct root r = root_make();
    struct pkg_files f = {.root = r.path};
    static const char mtree[] = "#mtree\n/set type=file\n./usr/a\\040b time=1.0 sha256digest=" MD5 MD5 "\n./usr/l type=link link=x\n";
    root_write(&r, "/var/lib/pacman/local/x-1-1/files", "%FILES%\netc/\netc/c\nusr/\nusr/a b\nusr/l\n../up\n\n%BACKUP%\netc/c\t" MD5 "\n");
    gzFile gz = gzopen(root_path(&r, "/var/lib/pacman/local/x-1-1/mtree"), "w");
    gzwrite(gz, mtree, sizeof mtree - 1);
    gzclose(gz);
    expect(&f, &pkg_pacman, "x", "any", "1-1", PKG_DAMAGED, "d  /etc\n?c md5 d4 /etc/c\nd  /usr\nf sha256 d4 /usr/a b\nl  /usr/l\n! files 7\n");
    assert_int_equal(truncate(root_path(&r, "/var/lib/pacman/local/x-1-1/mtree"), 20), 0);
    root_write(&r, "/var/lib/pacman/local/x-1-1/files", "%FILES%\nusr/l\n");
    expect(&f, &pkg_pacman, "x", "any", "1-1", PKG_OK, "! mtree 0 unreadable\n?  /usr/l\n");
    expect(&f, &pkg_pacman, "x", "any", "2-1", PKG_ABSENT, "! files 0 unreadable\n");
    pkg_files_end(&f);
    root_remove(&r);
}

static void the_rpm_helper_s_lines_are_read(void **state)
{
    (void)state;
    struct pkg_file f;
    uint8_t digest[64];
    char line[] = "f\tco\t" MD5 MD5 "\t/a\\n\\t\\\\b";
    assert_true(rpm_file_read(bytes_of(line), &f, digest));
    assert_true(bytes_equal(f.path, BYTES("/a\n\t\\b")));
    assert_true(f.config && f.optional && f.kind == PKG_FILE_REGULAR && f.hash == PKG_HASH_SHA256);
    static const char *const bad[] = {"", "f", "x\t\t\t/a", "f\t\t\trelative", "f\t\t\t/a/../b", "d\t\t\t/"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        char text[64];
        snprintf(text, sizeof text, "%s", bad[i]);
        assert_false(rpm_file_read(bytes_of(text), &f, digest));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dpkg_tells_lists_sums_conffiles_and_diversions),
        cmocka_unit_test(apk_tells_what_it_protects),
        cmocka_unit_test(pacman_tells_files_backup_and_mtree),
        cmocka_unit_test(the_rpm_helper_s_lines_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
