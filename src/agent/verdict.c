/* What validators say of this endpoint, made fit for a terminal. */
#include "agent/collector.h"

#include <stdio.h>
#include <string.h>

/* The octets of the well-formed character at p (of n), 0 if there is none or if it is a control character (C0, DEL,
 * C1). */
static size_t printable(const uint8_t *p, size_t n)
{
    size_t length = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    bool control = (p[0] < 0x20 && p[0] != '\n') || p[0] == 0x7f || (p[0] == 0xc2 && n > 1 && p[1] < 0xa0);
    return length <= n && !control && utf8_valid((struct bytes){p, length}) ? length : 0;
}

void agent_keep_text(char *kept, size_t size, struct bytes text)
{
    size_t at = strlen(kept);
    if (at && text.n && at + 1 < size)
        kept[at++] = '\n';
    for (size_t i = 0, n; i < text.n; i += n ? n : 1) {
        n = printable(text.p + i, text.n - i);
        if (at + (n ? n : 1) >= size)
            break;
        if (n)
            memcpy(kept + at, text.p + i, n);
        else
            kept[at] = '?';
        at += n ? n : 1;
    }
    kept[at] = 0;
}

/* The entry of a validator, made at its first word; NULL if there are too many. */
static size_t entry_of(struct agent_verdict *v, const char *name)
{
    size_t i = 0;
    while (i < v->validator_count && strcmp(v->validators[i].name, name) != 0)
        i++;
    if (i == v->validator_count && i < ARRAY_LENGTH(v->validators)) {
        memset(&v->validators[i], 0, sizeof v->validators[i]);
        snprintf(v->validators[i].name, sizeof v->validators[i].name, "%s", name);
        v->validators[i].result = NEA_DONT_KNOW;
        v->validator_count++;
    }
    return i;
}

/* Remediation Parameters (RFC 5792 §4.2.10): a URI is the whole of them, a String stands behind its length. Other kinds
 * are skipped (PA-R5): nobody may require them. */
static struct bytes remediation_text(const struct pa_remediation_instructions *fields)
{
    enum { URI = 1, STRING = 2 };
    if (fields->vendor_id != PEN_IETF || (fields->kind != URI && fields->kind != STRING))
        return (struct bytes){0};
    struct rd r = rd_of(fields->parameters, 0);
    return fields->kind == URI ? fields->parameters : rd_take(&r, rd_u32(&r));
}

void agent_hear(struct agent_verdict *verdict, const char *name, const struct pa_message *message)
{
    for (size_t i = 0; verdict && i < message->count; i++) {
        const struct pa_attribute *a = &message->attributes[i];
        bool result = a->type == &pa_types[PA_ASSESSMENT_RESULT];
        if (!result && a->type != &pa_types[PA_REMEDIATION_INSTRUCTIONS])
            continue;
        size_t at = entry_of(verdict, name);
        if (at == ARRAY_LENGTH(verdict->validators))
            return;
        if (result) {
            verdict->validators[at].result = (enum nea_result)((const struct pa_assessment_result *)a->fields)->result;
            verdict->validators[at].given = true;
        } else {
            agent_keep_text(verdict->validators[at].remediation, sizeof verdict->validators[at].remediation,
                            remediation_text(a->fields));
        }
    }
}

void agent_unhear(struct agent_verdict *verdict, const char *name)
{
    size_t i = 0;
    while (verdict && i < verdict->validator_count && strcmp(verdict->validators[i].name, name) != 0)
        i++;
    if (!verdict || i == verdict->validator_count)
        return;
    verdict->validator_count--;
    memmove(&verdict->validators[i], &verdict->validators[i + 1],
            (verdict->validator_count - i) * sizeof verdict->validators[0]);
}
