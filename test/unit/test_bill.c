/* Package URLs, CPE names, SPDX identifiers, and the two writers of bills. Whether a whole bill is valid is tried by test/host/sbom.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "swid/bill.h"

#include <stdlib.h>
#include <string.h>

/* ---- names ---------------------------------------------------------------------------------------------------------------- */

/* What the purl specification publishes as canonical for these types (github.com/package-url/purl-spec, tests/). */
static void purls_are_canonical(void **state)
{
    (void)state;
    static const struct {
        const char *type, *space, *name, *version;
        struct {
            const char *key, *value;
        } qualifiers[2];
        const char *want;
    } cases[] = {
        {"deb", "debian", "curl", "7.50.3-1", {{"arch", "i386"}, {"distro", "jessie"}}, "pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=jessie"},
        {"deb", "debian", "dpkg", "1.19.0.4", {{"arch", "amd64"}, {"distro", "stretch"}}, "pkg:deb/debian/dpkg@1.19.0.4?arch=amd64&distro=stretch"},
        {"deb", "ubuntu", "dpkg", "1.19.0.4", {{"arch", "amd64"}}, "pkg:deb/ubuntu/dpkg@1.19.0.4?arch=amd64"},
        {"deb", "debian", "attr", "1:2.4.47-2", {{"arch", "source"}}, "pkg:deb/debian/attr@1:2.4.47-2?arch=source"},
        {"deb", "debian", "attr", "1:2.4.47-2+b1", {{"arch", "amd64"}}, "pkg:deb/debian/attr@1:2.4.47-2%2Bb1?arch=amd64"},
        {"rpm", "fedora", "curl", "7.50.3-1.fc25", {{"arch", "i386"}, {"distro", "fedora-25"}}, "pkg:rpm/fedora/curl@7.50.3-1.fc25?arch=i386&distro=fedora-25"},
        {"apk", "alpine", "curl", "7.83.0-r0", {{"arch", "x86"}}, "pkg:apk/alpine/curl@7.83.0-r0?arch=x86"},
        {"apk", "alpine", "apk", "2.12.9-r3", {{"arch", "x86"}}, "pkg:apk/alpine/apk@2.12.9-r3?arch=x86"},
        {"alpm", "arch", "pacman", "6.0.1-1", {{"arch", "x86_64"}}, "pkg:alpm/arch/pacman@6.0.1-1?arch=x86_64"},
        {"alpm", "arch", "python-pip", "21.0-1", {{"arch", "any"}}, "pkg:alpm/arch/python-pip@21.0-1?arch=any"},
        {"alpm", "arch", "containers-common", "1:0.47.4-4", {{"arch", "x86_64"}}, "pkg:alpm/arch/containers-common@1:0.47.4-4?arch=x86_64"},
        {"generic", "", "openssl", "1.1.10g", {{"arch", ""}}, "pkg:generic/openssl@1.1.10g"},
        {"deb", "debian", "libstdc++6", "", {{NULL, NULL}}, "pkg:deb/debian/libstdc%2B%2B6"},
        {"generic", "a/b c", "n@?#%/", "~v1 2", {{"key", "a&b=c"}}, "pkg:generic/a/b%20c/n%40%3F%23%25%2F@~v1%202?key=a%26b%3Dc"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct wr w = wr_of(0);
        struct swid_qualifier q[2];
        size_t n = 0;
        for (; n < 2 && cases[i].qualifiers[n].key; n++)
            q[n] = (struct swid_qualifier){cases[i].qualifiers[n].key, bytes_of(cases[i].qualifiers[n].value)};
        swid_purl(&w, cases[i].type, bytes_of(cases[i].space), bytes_of(cases[i].name), bytes_of(cases[i].version), q, n);
        assert_string_equal(wr_string(&w), cases[i].want);
        wr_free(&w);
    }
}

static struct swid_component component(const char *manager, const char *name, const char *version, const char *arch, const char *source,
                                       const char *source_version)
{
    return (struct swid_component){.manager = bytes_of(manager), .name = bytes_of(name), .version = bytes_of(version), .arch = bytes_of(arch),
                                   .source = bytes_of(source), .source_version = bytes_of(source_version)};
}

static void components_have_purls(void **state)
{
    (void)state;
    static const struct {
        const char *id, *release, *manager, *name, *version, *arch, *source, *source_version, *want;
    } cases[] = {
        {"debian", "12", "dpkg", "libc6", "2.36-9+deb12u14", "amd64", "glibc", "2.36-9+deb12u14",
         "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64&distro=debian-12&upstream=glibc"},
        {"debian", "12", "dpkg", "bash", "5.2.15-2+b8", "amd64", "bash", "5.2.15-2",
         "pkg:deb/debian/bash@5.2.15-2%2Bb8?arch=amd64&distro=debian-12&upstream=bash%405.2.15-2"},
        {"debian", "", "dpkg", "vim", "2:9.0-1", "amd64", "vim", "2:9.0-1", "pkg:deb/debian/vim@2:9.0-1?arch=amd64&distro=debian"},
        {"Fedora", "40", "rpm", "openssl-libs", "1:3.0.7-24.el9", "x86_64", "openssl", "1:3.0.7-24.el9",
         "pkg:rpm/fedora/openssl-libs@3.0.7-24.el9?arch=x86_64&distro=Fedora-40&epoch=1&upstream=openssl-3.0.7-24.el9.src.rpm"},
        {"fedora", "40", "rpm", "NetworkManager", "0:1-1", "x86_64", "", "", "pkg:rpm/fedora/NetworkManager@1-1?arch=x86_64&distro=fedora-40"},
        {"alpine", "3.19", "apk", "Musl-utils", "1.2.4-r2", "x86_64", "musl", "1.2.4-r2",
         "pkg:apk/alpine/musl-utils@1.2.4-r2?arch=x86_64&distro=alpine-3.19&upstream=musl"},
        {"arch", "", "pacman", "zlib", "1:1.3.1-2", "x86_64", "zlib", "1:1.3.1-2", "pkg:alpm/arch/zlib@1:1.3.1-2?arch=x86_64&distro=arch"},
        {"ubuntu", "24.04", "snap", "hello", "2.10+r42", "amd64", "hello", "2.10+r42", "pkg:generic/hello@2.10%2Br42?arch=amd64"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct wr w = wr_of(0);
        struct swid_distribution d = {.id = bytes_of(cases[i].id), .version = bytes_of(cases[i].release)};
        struct swid_component c = component(cases[i].manager, cases[i].name, cases[i].version, cases[i].arch, cases[i].source, cases[i].source_version);
        swid_component_purl(&w, &d, &c);
        assert_string_equal(wr_string(&w), cases[i].want);
        wr_free(&w);
    }
}

/* NISTIR 7695 §6.2.2 */
static void cpe_names_are_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *vendor, *product, *version, *want;
    } cases[] = {
        {"microsoft", "internet_explorer", "8.0.6001", "cpe:2.3:a:microsoft:internet_explorer:8.0.6001:*:*:*:*:*:*:*"},
        {"foo\\bar", "big$money_2010", "", "cpe:2.3:a:foo\\\\bar:big\\$money_2010:*:*:*:*:*:*:*:*"},
        {"", "libstdc++6", "1:2~rc1", "cpe:2.3:a:*:libstdc\\+\\+6:1\\:2\\~rc1:*:*:*:*:*:*:*"},
        {"", "A b", "-", "cpe:2.3:a:*:a_b:\\-:*:*:*:*:*:*:*"},
        {"", "a-b", "*", "cpe:2.3:a:*:a-b:\\*:*:*:*:*:*:*:*"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct wr w = wr_of(0);
        swid_cpe(&w, bytes_of(cases[i].vendor), bytes_of(cases[i].product), bytes_of(cases[i].version));
        assert_string_equal(wr_string(&w), cases[i].want);
        wr_free(&w);
    }
}

static void components_have_cpes(void **state)
{
    (void)state;
    static const struct {
        const char *manager, *name, *version, *source, *source_version, *want;
    } cases[] = {
        {"dpkg", "libc6", "2.36-9+deb12u14", "glibc", "2.36-9+deb12u14", "cpe:2.3:a:gnu:glibc:2.36:*:*:*:*:*:*:*"},
        {"dpkg", "libxml2", "2.9.14+dfsg-1.3~deb12u1", "", "", "cpe:2.3:a:xmlsoft:libxml2:2.9.14:*:*:*:*:*:*:*"},
        {"dpkg", "x", "2:1.0-rc-1", "x", "2:1.0-rc-1", "cpe:2.3:a:*:x:1.0-rc:*:*:*:*:*:*:*"},
        {"apk", "x", "1.2.4-r2", "", "", "cpe:2.3:a:*:x:1.2.4:*:*:*:*:*:*:*"},
        {"flatpak", "org.x.Y", "1-2+stable+gabc", "", "", "cpe:2.3:a:*:org.x.y:1-2\\+stable\\+gabc:*:*:*:*:*:*:*"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct wr w = wr_of(0);
        struct swid_component c = component(cases[i].manager, cases[i].name, cases[i].version, "", cases[i].source, cases[i].source_version);
        swid_component_cpe(&w, &c);
        assert_string_equal(wr_string(&w), cases[i].want);
        wr_free(&w);
    }
}

static void systems_have_cpes(void **state)
{
    (void)state;
    static const struct {
        const char *id, *version, *cpe, *want;
    } cases[] = {
        {"debian", "12", "", "cpe:2.3:o:debian:debian_linux:12.0:*:*:*:*:*:*:*"},
        {"ubuntu", "22.04", "", "cpe:2.3:o:canonical:ubuntu_linux:22.04:*:*:*:*:*:*:*"},
        {"fedora", "40", "cpe:/o:fedoraproject:fedora:40", "cpe:/o:fedoraproject:fedora:40"},
        {"arch", "", "", ""},
        {"debian", "", "", ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct wr w = wr_of(0);
        struct swid_distribution d = {.id = bytes_of(cases[i].id), .version = bytes_of(cases[i].version), .cpe = bytes_of(cases[i].cpe)};
        bill_put_os_cpe(&w, &d);
        assert_string_equal(wr_string(&w), cases[i].want);
        wr_free(&w);
    }
}

static void spdx_ids_keep_texts_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {{"libc6", "libc6"}, {"a-b", "a--b"}, {"a+b", "a-2Bb"}, {"a-2Bb", "a--2Bb"}, {"1:2.3_x~", "1-3A2.3-5Fx-7E"}, {"\xff", "-FF"}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct wr w = wr_of(0);
        swid_spdx_id(&w, bytes_of(cases[i].text));
        assert_string_equal(wr_string(&w), cases[i].want);
        wr_free(&w);
    }
}

/* ---- bills -------------------------------------------------------------------------------------------------------------------- */

struct fake {
    const struct swid_component *components;
    bool with_files;
    size_t drained, largest;
    struct wr *w, all;
};

static bool tell_component(void *context, size_t i, struct swid_component *c)
{
    const struct fake *f = context;
    *c = f->components[i];
    return true;
}

/* The last one depends on all others. */
static size_t tell_depends(void *context, size_t i, const uint32_t **on)
{
    static const uint32_t numbers[] = {0, 1};
    (void)context;
    *on = numbers;
    return i == 2 ? 2 : 0;
}

static bool tell_files(void *context, size_t i, bool (*file)(void *to, const struct swid_bill_file *f), void *to)
{
    const struct swid_bill_file files[] = {
        {BYTES("/usr/bin/x"), "md5", BYTES("0123456789abcdef")},
        {BYTES("/etc/\xff"), "sha256", BYTES("0123456789abcdef0123456789abcdef")},
        {BYTES("/no/hash"), "", {NULL, 0}},
    };
    (void)context;
    for (size_t k = 0; k < ARRAY_LENGTH(files) && i == 1; k++)
        if (!file(to, &files[k]))
            return false;
    return true;
}

static void drain(void *context)
{
    struct fake *f = context;
    f->drained++;
    f->largest = f->w->n > f->largest ? f->w->n : f->largest;
    wr_bytes(&f->all, wr_view(f->w));
    wr_reset(f->w);
}

static struct swid_bill bill_of(struct fake *f, size_t count)
{
    return (struct swid_bill){.name = BYTES("host"), .distribution = {BYTES("debian"), BYTES("12"), BYTES("Debian 12"), {NULL, 0}},
                              .uuid = {1, 2, 3, 4, 5, 6, 0xff, 8, 0xff, 10, 11, 12, 13, 14, 15, 16}, .created = 1000000000, .at = TIME_UNKNOWN,
                              .tool = "1", .context = f, .count = count, .component = tell_component, .depends = tell_depends,
                              .files = f->with_files ? tell_files : NULL};
}

static char *write_bill(const char *format, struct fake *f, struct swid_bill *b)
{
    struct wr w = wr_of(0);
    struct json j = json_of(&w);
    f->w = &w;
    j.drain = drain;
    j.context = f;
    f->all = wr_of(0);
    assert_true(swid_bill_format_find(format)->write(b, &j));
    drain(f);
    char *text = strdup(wr_string(&f->all));
    wr_free(&w);
    wr_free(&f->all);
    return text;
}

static const struct swid_component *three(void)
{
    static struct swid_component c[3];
    c[0] = component("dpkg", "a", "1", "all", "", "");
    c[1] = component("dpkg", "a", "1", "all", "", "");
    c[1].twin = 1;
    c[1].licence = BYTES("MIT AND (LicenseRef-b OR LicenseRef-a)");
    c[2] = component("snap", "s", "1", "amd64", "", "");
    c[2].licence = BYTES("LicenseRef-b");
    c[2].maintainer = BYTES("A Team <t@x>");
    c[2].homepage = BYTES("javascript:x");
    return c;
}

/* The number of a bill is a hash of this: the same for the same bill alone. */
static void bills_that_differ_are_told_apart(void **state)
{
    struct swid_component c[2], was;
    struct fake f = {.components = c};
    struct swid_bill b = bill_of(&f, 2);
    struct wr first = wr_of(0), other = wr_of(0);
    struct bytes *const texts[] = {&c[1].manager, &c[1].name,    &c[1].version,  &c[1].arch,       &c[1].source,  &c[1].source_version,
                                   &c[1].tag_id,  &c[1].summary, &c[1].homepage, &c[1].maintainer, &c[1].licence, &c[1].state};
    (void)state;
    c[0] = c[1] = component("dpkg", "a", "1", "all", "", "");
    was = c[1];
    assert_true(swid_bill_identify(&b, &swid_bill_formats[0], &first));
    assert_true(swid_bill_identify(&b, &swid_bill_formats[0], &other));
    assert_true(bytes_equal(wr_view(&first), wr_view(&other)));
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        *texts[i] = BYTES("another");
        wr_reset(&other);
        assert_true(swid_bill_identify(&b, &swid_bill_formats[0], &other));
        if (bytes_equal(wr_view(&first), wr_view(&other)))
            fail_msg("text %zu is left out", i);
        c[1] = was;
    }
    for (unsigned i = 0; i < 5; i++) {
        struct swid_bill changed = b;
        changed.created += i == 0;
        changed.at = i == 1 ? 1 : b.at;
        changed.incomplete = i == 2;
        changed.files = i == 3 ? tell_files : NULL;
        wr_reset(&other);
        assert_true(swid_bill_identify(&changed, &swid_bill_formats[i == 4], &other));
        assert_false(bytes_equal(wr_view(&first), wr_view(&other)));
    }
    wr_free(&first);
    wr_free(&other);
}

static void cyclonedx_says_it(void **state)
{
    (void)state;
    struct fake f = {.components = three(), .with_files = true};
    struct swid_bill b = bill_of(&f, 3);
    char *text = write_bill("cyclonedx", &f, &b);
    static const char *const parts[] = {
        "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\",\"serialNumber\":\"urn:uuid:01020304-0506-8f08-bf0a-0b0c0d0e0f10\",\"version\":1,",
        "\"timestamp\":\"2001-09-09T01:46:40Z\"",
        "\"bom-ref\":\"dpkg/a/all/1/2\"",
        "\"licenses\":[{\"expression\":\"MIT AND (LicenseRef-b OR LicenseRef-a)\",\"acknowledgement\":\"declared\"}]",
        "\"licenses\":[{\"license\":{\"name\":\"b\",\"acknowledgement\":\"declared\"}}]",
        "{\"type\":\"file\",\"name\":\"/etc/\xef\xbf\xbd\",\"hashes\":[{\"alg\":\"SHA-256\",\"content\":\"3031",
        "{\"name\":\"muster:path\",\"value\":\"/etc/%FF\"}",
        "{\"type\":\"file\",\"name\":\"/no/hash\"}",
        "{\"ref\":\"device\",\"dependsOn\":[\"os\",\"snap/s/amd64/1\"]},{\"ref\":\"os\",\"dependsOn\":[\"dpkg/a/all/1\",\"dpkg/a/all/1/2\"]}",
        "{\"ref\":\"snap/s/amd64/1\",\"dependsOn\":[\"dpkg/a/all/1\",\"dpkg/a/all/1/2\"]}",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        if (!strstr(text, parts[i]))
            fail_msg("%s\nis not in\n%s", parts[i], text);
    assert_null(strstr(text, "javascript"));
    assert_null(strstr(text, "compositions"));
    free(text);
}

static void spdx_says_it(void **state)
{
    (void)state;
    struct fake f = {.components = three(), .with_files = true};
    struct swid_bill b = bill_of(&f, 3);
    b.at = 0;
    b.incomplete = true;
    char *text = write_bill("spdx", &f, &b);
    static const char *const parts[] = {
        "\"documentNamespace\":\"urn:uuid:01020304-0506-8f08-bf0a-0b0c0d0e0f10\"",
        "\"comment\":\"The machine as it was at 1970-01-01T00:00:00Z. Incomplete: not everything could be read.\"",
        "\"SPDXID\":\"SPDXRef-dpkg-.a-.all-.1-.2\"",
        "\"supplier\":\"Organization: A Team (t@x)\"",
        "\"licenseDeclared\":\"LicenseRef-b\"",
        "\"hasExtractedLicensingInfos\":[{\"licenseId\":\"LicenseRef-a\"",
        "{\"SPDXID\":\"SPDXRef-dpkg-.a-.all-.1-.2-.-.1\",\"fileName\":\"./usr/bin/x\",\"checksums\":[{\"algorithm\":\"MD5\",\"checksumValue\":\"3031",
        "{\"spdxElementId\":\"SPDXRef-DOCUMENT\",\"relationshipType\":\"DESCRIBES\",\"relatedSpdxElement\":\"SPDXRef-snap-.s-.amd64-.1\"}",
        "{\"spdxElementId\":\"SPDXRef-OperatingSystem\",\"relationshipType\":\"CONTAINS\",\"relatedSpdxElement\":\"SPDXRef-dpkg-.a-.all-.1\"}",
        "{\"spdxElementId\":\"SPDXRef-snap-.s-.amd64-.1\",\"relationshipType\":\"DEPENDS_ON\",\"relatedSpdxElement\":\"SPDXRef-dpkg-.a-.all-.1-.2\"}",
        "{\"spdxElementId\":\"SPDXRef-dpkg-.a-.all-.1-.2-.-.2\",\"relationshipType\":\"EXPANDED_FROM_ARCHIVE\",",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        if (!strstr(text, parts[i]))
            fail_msg("%s\nis not in\n%s", parts[i], text);
    assert_null(strstr(text, "no/hash")); /* SPDX knows no file without a checksum */
    free(text);
}

/* A bill may be larger than memory: what has gathered leaves while it is made. */
static void bills_stream(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    static struct swid_component many[MANY];
    for (size_t i = 0; i < MANY; i++) {
        many[i] = component("dpkg", "a", "1", "all", "source", "1");
        many[i].twin = (unsigned)i;
    }
    for (const struct swid_bill_format *format = swid_bill_formats; format->name; format++) {
        struct fake f = {.components = many};
        struct swid_bill b = bill_of(&f, MANY);
        char *one = write_bill(format->name, &f, &b), *two;
        assert_true(f.drained > 3 && f.largest < 300 << 10);
        two = write_bill(format->name, &f, &b);
        assert_string_equal(one, two); /* the same input, the same octets */
        free(one);
        free(two);
    }
    assert_null(swid_bill_format_find("xml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bills_that_differ_are_told_apart),
        cmocka_unit_test(purls_are_canonical),  cmocka_unit_test(components_have_purls), cmocka_unit_test(cpe_names_are_escaped),
        cmocka_unit_test(components_have_cpes), cmocka_unit_test(systems_have_cpes),     cmocka_unit_test(spdx_ids_keep_texts_apart),
        cmocka_unit_test(cyclonedx_says_it),    cmocka_unit_test(spdx_says_it),          cmocka_unit_test(bills_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
