#include "server/policy.h"

#include <stdio.h>
#include <string.h>

enum { NO = 0, YES = 1 };
#define NO_FIELD SIZE_MAX

static const struct {
    const char *name;
    size_t field; /* of struct store_report: 0 no, 1 yes, anything else: not known; NO_FIELD: no part of a posture */
    enum reason found, unknown;
} checks[POLICY_CHECKS] = {
    [POLICY_FORWARDING] = {"forwarding", offsetof(struct store_report, forwarding), REASON_FORWARDING,
                           REASON_FORWARDING_UNKNOWN},
    [POLICY_DEFAULT_PASSWORD] = {"default-password", offsetof(struct store_report, default_password),
                                 REASON_DEFAULT_PASSWORD, REASON_DEFAULT_PASSWORD_UNKNOWN},
    [POLICY_FILES] = {"files", NO_FIELD, REASON_FILES, REASON_NONE},
};

static const struct {
    const char *name;
    enum nea_result told, result;
    enum nea_access access;
} actions[] = {
    [POLICY_ALLOW] = {"allow", NEA_DONT_KNOW, NEA_COMPLIANT, NEA_ACCESS_ALLOWED},
    [POLICY_QUARANTINE] = {"quarantine", NEA_MINOR, NEA_MINOR, NEA_ACCESS_QUARANTINED},
    [POLICY_DENY] = {"deny", NEA_MAJOR, NEA_MAJOR, NEA_ACCESS_DENIED},
};

const struct policy policy_default = {
    .actions = {[POLICY_FORWARDING] = POLICY_ALLOW, [POLICY_DEFAULT_PASSWORD] = POLICY_DENY, [POLICY_FILES] = POLICY_ALLOW}};

/* ---- configuration ----------------------------------------------------------------------------------------------- */

bool policy_parse(struct policy *p, struct bytes text, struct error *error)
{
    bool named[POLICY_CHECKS] = {false};
    if (!text.n) {
        error_set(error, "--check is empty: a check is forwarding, default-password or files, with =allow, =quarantine or =deny");
        return false;
    }
    while (text.p) {
        struct bytes action = bytes_split(&text, ','), name = bytes_split(&action, '=');
        size_t check = 0, i = 0;
        while (check < POLICY_CHECKS && !bytes_equal(name, bytes_of(checks[check].name)))
            check++;
        while (i < ARRAY_LENGTH(actions) && !bytes_equal(action, bytes_of(actions[i].name)))
            i++;
        if (check == POLICY_CHECKS || i == ARRAY_LENGTH(actions)) {
            error_set(error, "--check \"%.*s\": a check is forwarding, default-password or files, with =allow, =quarantine or =deny",
                      (int)(name.n < 100 ? name.n : 100), (const char *)name.p);
            return false;
        }
        if (named[check]) {
            error_set(error, "--check names %s twice; which one is meant?", checks[check].name);
            return false;
        }
        named[check] = true;
        p->actions[check] = (enum policy_action)i;
    }
    return true;
}

/* ---- judging ----------------------------------------------------------------------------------------------------- */

static void append(char *text, size_t size, const char *separator, const char *more)
{
    size_t n = strlen(text);
    snprintf(text + n, size - n, "%s%s", n ? separator : "", more);
}

static void say(struct policy_finding *f, enum reason r, enum language l)
{
    append(f->reason, sizeof f->reason, "; ", reason_text(r, ENGLISH)->said);
    append(f->said, sizeof f->said, "; ", reason_text(r, l)->said);
}

static void advise(struct policy_finding *f, enum reason r, enum language l)
{
    const char *remediation = reason_text(r, l)->remediation;
    if (remediation)
        append(f->remediation, sizeof f->remediation, "\n", remediation);
}

/* Unknown is never fine: where a finding would cost access, so does not knowing. */
static void judge_one(const struct policy *p, size_t check, int value, enum language l, struct policy_finding *f)
{
    enum policy_action action = p->actions[check];
    bool known = value == YES;
    if (value == NO || (!known && action == POLICY_ALLOW))
        return;
    if (f->told == NEA_COMPLIANT || actions[action].access != NEA_ACCESS_ALLOWED)
        f->told = known ? actions[action].told : NEA_DONT_KNOW;
    if (actions[action].access != NEA_ACCESS_ALLOWED) {
        if (f->access != NEA_ACCESS_DENIED) {
            f->access = actions[action].access;
            f->result = known ? actions[action].result : NEA_DONT_KNOW;
        }
        say(f, known ? checks[check].found : checks[check].unknown, l);
    }
    if (known)
        advise(f, checks[check].found, l);
}

struct policy_finding policy_compliant(void)
{
    return (struct policy_finding){.told = NEA_COMPLIANT,
                                   .result = NEA_COMPLIANT,
                                   .access = NEA_ACCESS_ALLOWED,
                                   .language = language_tag(ENGLISH)};
}

static enum language begin(struct bytes accept_language, struct policy_finding *f)
{
    enum language l = language_choose(accept_language);
    *f = policy_compliant();
    f->language = language_tag(l);
    return l;
}

void policy_judge(const struct policy *p, const struct store_report *report, struct bytes accept_language,
                  struct policy_finding *f)
{
    enum language l = begin(accept_language, f);
    for (size_t i = 0; i < POLICY_CHECKS; i++)
        if (checks[i].field != NO_FIELD)
            judge_one(p, i, *(const int *)(const void *)((const char *)report + checks[i].field), l, f);
    if (f->access != NEA_ACCESS_ALLOWED)
        f->told = f->result; /* advice beside it does not soften the verdict */
}

void policy_judge_files(const struct policy *p, int64_t differing, struct bytes accept_language,
                        struct policy_finding *f)
{
    enum language l = begin(accept_language, f);
    judge_one(p, POLICY_FILES, differing > 0 ? YES : NO, l, f);
}

void policy_deny(enum nea_result result, enum reason reason, const char *details, struct bytes accept_language,
                 struct policy_finding *f)
{
    enum language l = begin(accept_language, f);
    f->told = f->result = result;
    f->access = NEA_ACCESS_DENIED;
    say(f, reason, l);
    append(f->reason, sizeof f->reason, "", details);
    append(f->said, sizeof f->said, "", details);
    advise(f, reason, l);
}
