#include "swid/swid.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* SWIMA-R8, R90 */
static void identifiers_are_built_as_the_field_builds_them(void **state)
{
    (void)state;
    static const struct {
        const char *os, *os_version, *machine, *package, *version, *id;
    } rows[] = {
        {"Debian", "12", "x86_64", "libc6", "2.36-9+deb12u14", "strongswan.org__Debian_12-x86_64-libc6-2.36-9~deb12u14"},
        {"Ubuntu", "20.04", "x86_64", "libstdc++6", "10.2.0-5ubuntu1~20.04", "strongswan.org__Ubuntu_20.04-x86_64-libstdc~~6-10.2.0-5ubuntu1~20.04"},
        {"Ubuntu", "20.04", "x86_64", "zlib1g", "1:1.2.11.dfsg-2ubuntu1.3", "strongswan.org__Ubuntu_20.04-x86_64-zlib1g-1~1.2.11.dfsg-2ubuntu1.3"},
        {"Debian", "12", "x86_64", "foo", "1:2.0+dfsg-1~bpo12+1", "strongswan.org__Debian_12-x86_64-foo-1~2.0~dfsg-1~bpo12~1"},
        {"Arch", "", "x86_64", "a b", ":/?#[]@!$&'()*+,;=%\"<", "strongswan.org__Arch-x86_64-a b-~~~~~~~~~~~~~~~~~~%\"<"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct wr w = wr_of(0);
        struct swid_product p = {bytes_of(rows[i].os), bytes_of(rows[i].os_version), bytes_of(rows[i].machine)};
        swid_software_id(&w, &swid_default_creator, &p, bytes_of(rows[i].package), bytes_of(rows[i].version));
        assert_string_equal(wr_string(&w), rows[i].id);
        wr_free(&w);
    }
}

static void identifiers_split_at_the_first_double_underscore(void **state)
{
    (void)state;
    struct bytes regid, tag;
    assert_true(swid_software_id_split(BYTES("a.org__x__y"), &regid, &tag));
    assert_true(bytes_equal(regid, BYTES("a.org")) && bytes_equal(tag, BYTES("x__y")));
    assert_false(swid_software_id_split(BYTES("a_b"), &regid, &tag));
    assert_false(swid_software_id_split(BYTES(""), &regid, &tag));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identifiers_are_built_as_the_field_builds_them),
        cmocka_unit_test(identifiers_split_at_the_first_double_underscore),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
