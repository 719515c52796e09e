#include "server/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void the_best_language_is_chosen(void **state)
{
    static const struct {
        const char *accept, *language;
    } rows[] = {
        {"", "en"},          {"de", "de"},           {"de, en;q=0.5", "de"}, {"en;q=0.5,de;q=0.7", "de"},
        {"fr, de;q=0", "en"}, {"DE-at", "de"},       {"en, de", "en"},       {"*", "en"},
        {"den", "en"},       {"de;q=x, en", "en"},   {";;,,=", "en"},        {"fr;q=0.9, de;q=0.001", "de"},
        {"de;q=1.000", "de"}, {" de ; q=0.8 , en;q=0.9", "en"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_string_equal(language_tag(language_choose(bytes_of(rows[i].accept))), rows[i].language);
}

static struct policy_finding judge(const char *actions, int forwarding, int password, const char *accept)
{
    struct policy p = policy_default;
    struct error error = {""};
    struct policy_finding f;
    const struct store_report report = {.forwarding = forwarding, .default_password = password};
    assert_true(!*actions || policy_parse(&p, bytes_of(actions), &error));
    policy_judge(&p, &report, bytes_of(accept), &f);
    return f;
}

static void findings_follow_the_actions(void **state)
{
    static const struct {
        const char *actions;
        int forwarding, password;
        enum nea_result told, result;
        enum nea_access access;
        bool remediation;
    } rows[] = {
        {"", 0, 0, NEA_COMPLIANT, NEA_COMPLIANT, NEA_ACCESS_ALLOWED, false},
        {"", 1, 0, NEA_DONT_KNOW, NEA_COMPLIANT, NEA_ACCESS_ALLOWED, true}, /* as the field does it */
        {"", 2, 0, NEA_COMPLIANT, NEA_COMPLIANT, NEA_ACCESS_ALLOWED, false},
        {"", 0, 1, NEA_MAJOR, NEA_MAJOR, NEA_ACCESS_DENIED, true},
        {"", 1, 1, NEA_MAJOR, NEA_MAJOR, NEA_ACCESS_DENIED, true},
        {"default-password=allow", 0, 1, NEA_DONT_KNOW, NEA_COMPLIANT, NEA_ACCESS_ALLOWED, true},
        {"forwarding=quarantine", 1, 0, NEA_MINOR, NEA_MINOR, NEA_ACCESS_QUARANTINED, true},
        {"forwarding=quarantine", 1, 1, NEA_MAJOR, NEA_MAJOR, NEA_ACCESS_DENIED, true},
        {"forwarding=deny,default-password=quarantine", 1, 1, NEA_MAJOR, NEA_MAJOR, NEA_ACCESS_DENIED, true},
        {"forwarding=deny", 2, 0, NEA_DONT_KNOW, NEA_DONT_KNOW, NEA_ACCESS_DENIED, false},
        {"forwarding=deny", -1, 0, NEA_DONT_KNOW, NEA_DONT_KNOW, NEA_ACCESS_DENIED, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct policy_finding f = judge(rows[i].actions, rows[i].forwarding, rows[i].password, "en");
        assert_int_equal(f.told, rows[i].told);
        assert_int_equal(f.result, rows[i].result);
        assert_int_equal(f.access, rows[i].access);
        assert_int_equal(f.remediation[0] != 0, rows[i].remediation);
        assert_int_equal(f.reason[0] != 0, f.access != NEA_ACCESS_ALLOWED);
    }
}

/* PA-R42 */
static void texts_are_in_the_endpoints_language(void **state)
{
    (void)state;
    struct policy_finding f = judge("", 1, 1, "de");
    assert_non_null(strstr(f.said, "Kennwort"));
    assert_non_null(strstr(f.reason, "password")); /* the record stays in one language */
    assert_non_null(strstr(f.remediation, "\n"));
    assert_non_null(strstr(f.remediation, "\xc3\xa4ndern"));
    assert_true(utf8_valid(bytes_of(f.remediation)) && utf8_valid(bytes_of(f.said)));
    f = judge("", 1, 0, "fr");
    assert_string_equal(f.remediation, "IP Packet Forwarding\nPlease disable the forwarding of IP packets");
    f = judge("forwarding=deny", 1, 1, "de"); /* the longest there is */
    assert_non_null(strstr(f.remediation, "\xc3\xa4ndern Sie das werkseitige Kennwort"));
    assert_true(strlen(f.said) < sizeof f.said - 1);
}

/* PA-R41, PA-R42, PB-R51, PB-R62: each reason in each language, as text that can be sent, and whole. */
static void every_reason_is_there_in_every_language(void **state)
{
    (void)state;
    for (enum reason r = REASON_NONE + 1; r < REASON_COUNT; r++)
        for (enum language l = ENGLISH; l < LANGUAGES; l++) {
            const struct reason_text *t = reason_text(r, l), *english = reason_text(r, ENGLISH);
            struct policy_finding f;
            policy_deny(NEA_ERROR, r, "Product Information", bytes_of(language_tag(l)), &f);
            if (!t->said || !t->said[0] || !t->remediation != !english->remediation ||
                (l != ENGLISH && (!strcmp(t->said, english->said) ||
                                  (t->remediation && !strcmp(t->remediation, english->remediation)))))
                fail_msg("reason %u in %s", (unsigned)r, language_tag(l));
            if (t->remediation && (!strchr(t->remediation, '\n') || strlen(t->remediation) >= sizeof f.remediation / 3))
                fail_msg("remediation %u in %s", (unsigned)r, language_tag(l));
            assert_string_equal(f.language, language_tag(l));
            assert_int_equal(f.access, NEA_ACCESS_DENIED);
            assert_int_equal(f.told, NEA_ERROR);
            assert_true(utf8_valid(bytes_of(f.said)) && utf8_valid(bytes_of(f.remediation)));
            assert_int_equal(strlen(f.said), strlen(t->said) + strlen("Product Information"));
            assert_int_equal(strlen(f.reason), strlen(english->said) + strlen("Product Information"));
            assert_string_equal(f.remediation, t->remediation ? t->remediation : "");
        }
}

static void a_wrong_check_is_named(void **state)
{
    static const char *const wrong[] = {"x=allow", "forwarding", "forwarding=", "forwarding=maybe", "=deny",
                                        "forwarding=deny,,", "", "forwarding=deny,forwarding=allow", ","};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        struct policy p = policy_default;
        struct error error = {""};
        assert_false(policy_parse(&p, bytes_of(wrong[i]), &error));
        assert_true(error.text[0]);
    }
}

/* What is not compared denies nothing; a difference does what the action says, and is told in any case. */
static void files_follow_the_action(void **state)
{
    static const struct {
        const char *actions;
        int64_t differing;
        enum nea_result told, result;
        enum nea_access access;
    } rows[] = {
        {"", 0, NEA_COMPLIANT, NEA_COMPLIANT, NEA_ACCESS_ALLOWED},
        {"", 3, NEA_DONT_KNOW, NEA_COMPLIANT, NEA_ACCESS_ALLOWED},
        {"files=quarantine", 1, NEA_MINOR, NEA_MINOR, NEA_ACCESS_QUARANTINED},
        {"files=deny,forwarding=deny", 1, NEA_MAJOR, NEA_MAJOR, NEA_ACCESS_DENIED},
        {"files=deny", 0, NEA_COMPLIANT, NEA_COMPLIANT, NEA_ACCESS_ALLOWED},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct policy p = policy_default;
        struct error error = {""};
        struct policy_finding f;
            assert_true(!*rows[i].actions || policy_parse(&p, bytes_of(rows[i].actions), &error));
        policy_judge_files(&p, rows[i].differing, BYTES("de"), &f);
        assert_string_equal(f.language, "de");
        assert_int_equal(f.told, rows[i].told);
        assert_int_equal(f.result, rows[i].result);
        assert_int_equal(f.access, rows[i].access);
        assert_int_equal(strstr(f.remediation, "Ver\xc3\xa4nderte Dateien\n") == f.remediation, rows[i].differing > 0);
        assert_int_equal(strstr(f.reason, "reference tag") != NULL, f.access != NEA_ACCESS_ALLOWED);
        assert_int_equal(strstr(f.said, "Referenz") != NULL, f.access != NEA_ACCESS_ALLOWED);
        assert_true(utf8_valid(bytes_of(f.remediation)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_language_is_chosen),
        cmocka_unit_test(findings_follow_the_actions),
        cmocka_unit_test(texts_are_in_the_endpoints_language),
        cmocka_unit_test(every_reason_is_there_in_every_language),
        cmocka_unit_test(a_wrong_check_is_named),
        cmocka_unit_test(files_follow_the_action),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
