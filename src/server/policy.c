#include "server/policy.h"

#include <stdio.h>
#include <string.h>

enum language { ENGLISH, GERMAN, LANGUAGES };
static const char *const languages[LANGUAGES] = {"en", "de"};

struct texts {
    const char *found, *unknown, *remediation;
};

enum { NO = 0, YES = 1 };
#define NO_FIELD SIZE_MAX

static const struct {
    const char *name;
    size_t field; /* of struct store_report: 0 no, 1 yes, anything else: not known; NO_FIELD: no part of a posture */
    struct texts texts[LANGUAGES];
} checks[POLICY_CHECKS] = {
    [POLICY_FORWARDING] =
        {"forwarding",
         offsetof(struct store_report, forwarding),
         {{"IP forwarding is enabled", "it is not known whether IP forwarding is enabled",
           "IP Packet Forwarding\nPlease disable the forwarding of IP packets"},
          {"die Weiterleitung von IP-Paketen ist eingeschaltet",
           "es ist nicht bekannt, ob IP-Pakete weitergeleitet werden",
           "Weiterleitung von IP-Paketen\nBitte schalten Sie die Weiterleitung von IP-Paketen ab"}}},
    [POLICY_DEFAULT_PASSWORD] =
        {"default-password",
         offsetof(struct store_report, default_password),
         {{"a factory default password is in use", "it is not known whether a factory default password is in use",
           "Default Password Enabled\nPlease change the default password"},
          {"ein werkseitiges Kennwort ist in Gebrauch",
           "es ist nicht bekannt, ob ein werkseitiges Kennwort in Gebrauch ist",
           "Werkseitiges Kennwort\nBitte \xc3\xa4ndern Sie das werkseitige Kennwort"}}},
    [POLICY_FILES] =
        {"files",
         NO_FIELD,
         {{"files of installed packages are not as their reference tag says", NULL,
           "Changed Files\nPlease find out why files of installed packages were changed, and install the packages anew"},
          {"Dateien installierter Pakete sind nicht so, wie ihre Referenz sagt", NULL,
           "Ver\xc3\xa4nderte Dateien\nBitte kl\xc3\xa4ren Sie, warum Dateien installierter Pakete ver\xc3\xa4ndert sind, und "
           "installieren Sie die Pakete neu"}}},
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

/* ---- languages --------------------------------------------------------------------------------------------------- */

/* A weight in thousandths: 1, 0.5, 0.333; 0 for what is none (RFC 9110 §12.4.2). */
static unsigned weight_of(struct bytes parameters)
{
    struct bytes b = bytes_trim(parameters);
    unsigned weight = 0, unit = 1000;
    if (!b.n)
        return 1000;
    if (b.n < 3 || (b.p[0] | 0x20) != 'q' || b.p[1] != '=')
        return 1000;
    for (size_t i = 2; i < b.n && i < 7; i++) {
        if (b.p[i] == '.')
            continue;
        if (b.p[i] < '0' || b.p[i] > '9')
            return 0;
        weight += (unsigned)(b.p[i] - '0') * unit;
        unit /= 10;
    }
    return weight;
}

/* "de" of "de-AT", whatever the case. */
static bool is_language(struct bytes range, const char *tag)
{
    struct bytes primary = bytes_split(&range, '-');
    return primary.n == 2 && (primary.p[0] | 0x20) == tag[0] && (primary.p[1] | 0x20) == tag[1];
}

/* PB-R49, R53, R62, RFC 5793 §4.10: the first of the most wanted ones; English for everybody else. */
static enum language choose(struct bytes accept)
{
    enum language best = ENGLISH;
    unsigned best_weight = 0;
    while (accept.n) {
        struct bytes parameters = bytes_split(&accept, ','), range = bytes_trim(bytes_split(&parameters, ';'));
        unsigned weight = weight_of(parameters);
        for (enum language l = ENGLISH; l < LANGUAGES; l++)
            if (weight > best_weight && is_language(range, languages[l])) {
                best = l;
                best_weight = weight;
            }
    }
    return best;
}

const char *policy_language(struct bytes accept_language)
{
    return languages[choose(accept_language)];
}

/* ---- judging ----------------------------------------------------------------------------------------------------- */

static void append(char *text, size_t size, const char *separator, const char *more)
{
    size_t n = strlen(text);
    snprintf(text + n, size - n, "%s%s", n ? separator : "", more);
}

/* Unknown is never fine: where a finding would cost access, so does not knowing. */
static void judge_one(const struct policy *p, size_t check, int value, enum language l, struct policy_finding *f)
{
    enum policy_action action = p->actions[check];
    const struct texts *said = &checks[check].texts[l], *english = &checks[check].texts[ENGLISH];
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
        append(f->reason, sizeof f->reason, "; ", known ? english->found : english->unknown);
        append(f->said, sizeof f->said, "; ", known ? said->found : said->unknown);
    }
    if (known)
        append(f->remediation, sizeof f->remediation, "\n", said->remediation);
}

static enum language begin(struct bytes accept_language, struct policy_finding *f, const char **language)
{
    enum language l = choose(accept_language);
    *f = (struct policy_finding){.told = NEA_COMPLIANT, .result = NEA_COMPLIANT, .access = NEA_ACCESS_ALLOWED};
    *language = languages[l];
    return l;
}

void policy_judge(const struct policy *p, const struct store_report *report, struct bytes accept_language,
                  struct policy_finding *f, const char **language)
{
    enum language l = begin(accept_language, f, language);
    for (size_t i = 0; i < POLICY_CHECKS; i++)
        if (checks[i].field != NO_FIELD)
            judge_one(p, i, *(const int *)(const void *)((const char *)report + checks[i].field), l, f);
    if (f->access != NEA_ACCESS_ALLOWED)
        f->told = f->result; /* advice beside it does not soften the verdict */
}

void policy_judge_files(const struct policy *p, int64_t differing, struct bytes accept_language, struct policy_finding *f,
                        const char **language)
{
    enum language l = begin(accept_language, f, language);
    judge_one(p, POLICY_FILES, differing > 0 ? YES : NO, l, f);
}
