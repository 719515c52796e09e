/* From the validators' findings to one report in the store, and only after its commit to their verdicts. */
#include "server/assessment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_LIMIT ((size_t)64 << 20)

static void request_done(struct store_request *r);

static void clear_report(struct assessment *a)
{
    struct store_report *r = &a->report;
    *r = (struct store_report){.endpoint = r->endpoint,
                               .address = r->address,
                               .started = time_now(),
                               .last_boot = TIME_UNKNOWN,
                               .forwarding = -1,
                               .default_password = -1,
                               .result = -1,
                               .access = -1};
    a->software_count = a->software_stored = 0;
    a->stored_session = 0;
    a->pushed = false;
}

struct assessment *assessment_new(const struct assessment_host *host, struct bytes endpoint, struct bytes address)
{
    /* The address lives as long as the session and outlasts the arena's resets. */
    struct assessment *a = calloc(1, sizeof *a + address.n);
    if (!a)
        return NULL;
    a->host = host;
    a->arena = arena_of(ARENA_LIMIT);
    memcpy(a + 1, address.p, address.n);
    a->report.address = (struct bytes){(const uint8_t *)(a + 1), address.n};
    assessment_identify(a, endpoint);
    clear_report(a);
    return a;
}

void assessment_identify(struct assessment *a, struct bytes endpoint)
{
    snprintf(a->endpoint, sizeof a->endpoint, "%.*s", (int)endpoint.n, (const char *)endpoint.p);
    a->report.endpoint = bytes_of(a->endpoint);
}

bool assessment_storable(struct bytes text)
{
    return utf8_valid(text) && (text.n == 0 || !memchr(text.p, 0, text.n));
}

static void destroy(struct assessment *a)
{
    arena_free(&a->arena);
    tags_free(&a->tags);
    free(a);
}

void assessment_release(struct assessment *a)
{
    if (!a)
        return;
    a->host = NULL;
    if (!a->busy)
        destroy(a);
}

struct assessment_part *assessment_join(struct assessment *a, struct nea_connection *c)
{
    if (a->part_count == ASSESSMENT_PARTS)
        return NULL;
    struct assessment_part *part = &a->parts[a->part_count++];
    *part = (struct assessment_part){.connection = c, .collector = NEA_ANY};
    return part;
}

/* Not while the exchange's own report is under way: its end decides anew, and may find that nothing is left to ask. */
bool assessment_resumes(const struct assessment *a)
{
    return a->resumed && a->part_count && a->parts[0].settled && !a->holding;
}

void assessment_reopen(struct assessment *a, struct assessment_part *part)
{
    a->exchange++;
    a->again = false;
    part->settled = false;
    clear_report(a);
    if (a->busy)
        return;
    arena_reset(&a->arena);
    a->tags.asked = false; /* whoever began anew did not answer */
}

/* ---- the store --------------------------------------------------------------------------------------------------- */

static bool submit(struct assessment *a, enum store_work work)
{
    a->request.work = work;
    a->request.loop = a->host->loop;
    a->request.done = request_done;
    a->request_exchange = a->exchange;
    a->busy = a->host->submit(a->host->context, &a->request);
    return a->busy;
}

void assessment_locate(struct assessment *a)
{
    if (a->positioned || !a->report.endpoint.n) /* who logs in has no name before */
        return;
    a->unpositioned = a->busy && a->request.work != WORK_POSITION && a->request.work != WORK_ASKED;
    if (a->busy)
        return;
    tags_free(&a->tags);
    a->unknown = false; /* what was stored before this is found */
    a->tags.verify = a->host->verify;
    a->tags.trust = a->host->trust;
    a->request.in.endpoint = a->report.endpoint;
    a->request.tags = &a->tags;
    if (!submit(a, WORK_POSITION)) {
        a->positioned = true;
        a->position_status = STORE_UNAVAILABLE;
    }
}

/* Files that are not as their reference says: known from before, or since the tags of this exchange are stored. They add to a verdict that
 * lets the endpoint in. */
static void judge_files(struct assessment *a)
{
    struct assessment_part *p = a->software_part;
    const struct policy *policy = a->host->policy ? a->host->policy : &policy_default;
    if (!p || (!p->of_files && (p->finding.access != NEA_ACCESS_ALLOWED || !a->tags.differing)))
        return;
    policy_judge_files(policy, a->tags.differing, nea_peer_language(p->connection), &p->finding);
    p->of_files = true;
}

/* The worst of the verdicts: the first that does not let the endpoint in. */
static const struct assessment_part *worst(const struct assessment *a)
{
    for (size_t i = 0; i < a->part_count; i++)
        if (a->parts[i].finding.access != NEA_ACCESS_ALLOWED)
            return &a->parts[i];
    return &a->parts[0];
}

/* PA-R40, PA-R41, PA-R42, RFC 5792 §4.2.9, §4.2.10: result and remediation in one message; a String stands behind its length,
 * before its language code. */
static void recommend(const struct assessment_part *p, const struct policy_finding *f)
{
    enum { STRING = 2 };
    struct wr text = wr_of(0);
    wr_u32(&text, strlen(f->remediation));
    wr_str(&text, f->remediation);
    wr_u8(&text, strlen(f->language));
    wr_str(&text, f->language);
    const struct pa_assessment_result result = {.result = f->told};
    const struct pa_remediation_instructions remediation = {
        .vendor_id = PEN_IETF, .kind = STRING, .parameters = wr_view(&text)};
    const struct pa_out out[] = {{.type = &pa_types[PA_ASSESSMENT_RESULT], .fields = &result},
                                 {.type = &pa_types[PA_REMEDIATION_INSTRUCTIONS], .fields = &remediation}};
    nea_recommend(p->connection, f->result, f->access, bytes_of(f->said), f->language);
    if (f->remediation[0]) /* also for a client whose collectors have no user to talk to */
        nea_remediate(p->connection, NEA_REMEDIATION_TEXT, bytes_of(f->remediation), f->language);
    if (p->collector != NEA_ANY)
        nea_send(p->connection, p->collector, out, f->remediation[0] ? 2 : 1);
    wr_free(&text);
}

/* Where its user finds help: for whoever was not let in, or was given advice. */
static void point_to_help(const struct assessment *a)
{
    const char *help = a->host->policy ? a->host->policy->help : NULL;
    for (size_t i = 0; help && i < a->part_count; i++) {
        const struct assessment_part *p = &a->parts[i];
        if (p->finding.access == NEA_ACCESS_ALLOWED && !p->finding.remediation[0])
            continue;
        nea_remediate(p->connection, NEA_REMEDIATION_URI, bytes_of(help), NULL);
        return;
    }
}

/* Nothing is acknowledged that is not committed: REASON_NONE tells that it is. */
static void conclude(struct assessment *a, enum reason why)
{
    judge_files(a);
    for (size_t i = 0; i < a->part_count; i++) {
        const struct assessment_part *p = &a->parts[i];
        struct policy_finding f = p->finding;
        if (why)
            policy_deny(NEA_ERROR, i == 0 ? why : REASON_NONE, "", nea_peer_language(p->connection), &f); /* it is one reason */
        recommend(p, &f);
    }
    if (!why)
        point_to_help(a);
    a->positioned = a->resumed = false;
}

/* A first inventory's verdict does not wait for a thousand tags: what its software means is asked in an exchange of its
 * own, with whoever stays or comes back for that. */
static void ask_for_the_unknown(struct assessment *a)
{
    a->resumed = a->unknown || (a->tags.more && a->tags.told);
    if (a->resumed && a->host->linger)
        a->host->linger(a->host->context);
}

/* A part may come to another verdict, in an exchange begun anew, while the store still reads this one's. */
static struct bytes keep_reason(struct assessment *a)
{
    snprintf(a->stored_reason, sizeof a->stored_reason, "%s", worst(a)->finding.reason);
    return bytes_of(a->stored_reason);
}

/* The next report: the first carries the posture and opens the session's row, a second one goes on with it. */
static bool submit_report(struct assessment *a)
{
    struct store_report *r = &a->request.in.report;
    *r = a->report;
    r->reason = keep_reason(a);
    r->session = a->stored_session;
    if (a->software_stored < a->software_count) {
        const struct assessment_software *software = &a->software[a->software_stored++];
        r->software = software->kind;
        r->epoch = software->epoch;
        r->earliest = software->earliest;
        r->last_eid = software->last_eid;
        r->last_consulted = software->last_consulted;
        r->events = software->events;
        r->event_count = software->event_count;
    }
    return submit(a, WORK_REPORT);
}

static void store_exchange(struct assessment *a)
{
    judge_files(a);
    const struct assessment_part *verdict = worst(a);
    if (a->resumed && !a->stored_session)
        a->stored_session = a->last_session;
    a->report.finished = time_now();
    a->report.result = (int)verdict->finding.result;
    a->report.access = (int)verdict->finding.access;
    if (a->busy) { /* with what an exchange before left */
        a->again = true;
    } else if (!submit_report(a)) {
        conclude(a, REASON_BUSY);
        return;
    }
    a->holding = verdict->connection;
    nea_hold(a->holding);
}

bool assessment_push(struct assessment *a)
{
    a->pushed = a->last_session != 0;
    if (a->pushed)
        a->stored_session = a->last_session;
    return a->pushed;
}

void assessment_settle(struct assessment *a, struct assessment_part *part, const struct policy_finding *finding)
{
    if (part->settled)
        return;
    part->finding = *finding;
    part->of_files = false;
    assessment_stand(a, part);
}

/* PB-R53, RFC 5793 §4.10 */
void assessment_fail(struct assessment *a, struct assessment_part *part, enum reason reason, const char *details)
{
    struct policy_finding f;
    policy_deny(NEA_DONT_KNOW, reason, details, nea_peer_language(part->connection), &f);
    assessment_settle(a, part, &f);
}

void assessment_stand(struct assessment *a, struct assessment_part *part)
{
    part->settled = true;
    for (size_t i = 0; i < a->part_count; i++)
        if (!a->parts[i].settled)
            return;
    store_exchange(a);
}

static void let_go(struct assessment *a)
{
    struct nea_connection *c = a->holding;
    a->holding = NULL;
    if (c)
        nea_release(c);
}

static void store_again(struct assessment *a)
{
    a->again = false;
    let_go(a);
    store_exchange(a);
}

static void note_position(struct assessment *a, const struct store_request *r)
{
    if (r->in.report.software == STORE_NO_SOFTWARE)
        return;
    a->position.known = true;
    a->position.epoch = r->out.receipt.epoch;
    a->position.last_eid = r->out.receipt.last_eid;
    a->unknown |= r->out.receipt.new_software > 0;
}

static bool store_tags_told(struct assessment *a)
{
    a->tags.more |= a->unknown; /* what came in this exchange is not asked for yet */
    return tags_to_store(&a->tags) && submit(a, WORK_TAGS);
}

static void report_done(struct assessment *a)
{
    const struct store_request *r = &a->request;
    enum reason why = REASON_NONE;
    if (r->status == STORE_OK)
        note_position(a, r);
    if (a->request_exchange != a->exchange) { /* nobody waits for it any more */
        if (a->again)
            store_again(a);
        else
            let_go(a);
        return;
    }
    if (r->status == STORE_OK) {
        a->stored_session = a->last_session = r->out.receipt.session;
        if (a->host->stored)
            a->host->stored(a->host->context, r->out.receipt.endpoint);
        if (a->software_stored < a->software_count && submit_report(a))
            return;
        if (a->software_stored < a->software_count)
            why = REASON_BUSY;
        else if (store_tags_told(a))
            return;
    } else {
        if (r->status == STORE_CONFLICT && r->in.report.software == STORE_HISTORY && a->software_stored < a->software_count && submit_report(a))
            return; /* the inventory beside it fits always */
        if (r->status == STORE_CONFLICT && a->on_conflict && a->on_conflict(a->swima, &r->out.receipt)) {
            let_go(a);
            return;
        }
        log_line(LOG_ERROR, "%.*s: the report was not stored: %s", (int)a->report.endpoint.n,
                 (const char *)a->report.endpoint.p, r->error.text);
        why = REASON_NOT_STORED;
    }
    conclude(a, why);
    if (!why)
        ask_for_the_unknown(a);
    let_go(a);
}

/* A tag more or less is no part of the verdict. */
static void tags_done(struct assessment *a, const struct store_request *r)
{
    unsigned exchange = a->request_exchange;
    if (r->status == STORE_OK) {
        a->tags.told |= r->work == WORK_TAGS;
    } else if (r->work == WORK_TAGS) {
        log_line(LOG_WARNING, "%.*s: its tags were not stored, and are asked for again when it comes again: %s", (int)a->report.endpoint.n,
                 (const char *)a->report.endpoint.p, r->error.text);
        bool waits = submit(a, WORK_UNASKED);
        a->request_exchange = exchange;
        if (waits)
            return;
    } else {
        log_line(LOG_WARNING, "%.*s: that its tags are to be asked for again was not stored: %s", (int)a->report.endpoint.n,
                 (const char *)a->report.endpoint.p, r->error.text);
    }
    a->tags.record_count = a->tags.wanted_count = 0;
    if (a->request_exchange != a->exchange && a->again) {
        store_again(a);
        return;
    }
    if (a->request_exchange == a->exchange) {
        conclude(a, REASON_NONE);
        ask_for_the_unknown(a);
    }
    let_go(a);
}

static void position_done(struct assessment *a, const struct store_request *r)
{
    a->positioned = true;
    if (r->status != STORE_OK)
        log_line(LOG_ERROR, "%.*s: %s", (int)a->report.endpoint.n, (const char *)a->report.endpoint.p, r->error.text);
    if (a->again) /* all verdicts were in before */
        store_again(a);
    if (a->on_position)
        a->on_position(a->swima);
}

/* What an exchange asked for while the one before was still being stored. */
static void locate_now(struct assessment *a)
{
    if (a->busy || !a->unpositioned)
        return;
    assessment_locate(a);
    if (a->positioned && a->on_position)
        a->on_position(a->swima);
}

static void request_done(struct store_request *r)
{
    struct assessment *a = (struct assessment *)((char *)r - offsetof(struct assessment, request));
    a->busy = false;
    if (!a->host) {
        destroy(a);
        return;
    }
    switch (r->work) {
    case WORK_POSITION:
        a->position_status = r->status;
        a->position = r->out.position;
        /* Noted before it is asked: an endpoint that cannot bear the question is not asked every time. Behind a verdict
         * it costs nobody anything, and who is killed over it may be asked again. */
        if (r->status == STORE_OK && ((!a->resumed && tags_found_any(&a->tags)) || tags_found_none(&a->tags)) && submit(a, WORK_ASKED))
            break;
        if (!a->resumed)
            a->tags.wanted_count = 0;
        position_done(a, r);
        break;
    case WORK_ASKED:
        if (r->status != STORE_OK)
            a->tags.wanted_count = 0;
        a->tags.noted = true;
        position_done(a, r);
        break;
    case WORK_TAGS:
    case WORK_UNASKED:
        tags_done(a, r);
        break;
    case WORK_REPORT:
        report_done(a);
        break;
    case WORK_VERDICT:
        if (a->again) /* the next exchange's verdicts were in before */
            store_again(a);
        break;
    }
    locate_now(a);
    a->host->wake(a->host->context);
}

void assessment_decided(struct assessment *a, enum nea_result result, enum nea_access access)
{
    if (!a->busy) /* what a report was made of is not kept by a connection that stays and is idle */
        arena_free(&a->arena);
    if (!a->stored_session || a->busy || (a->report.result == (int)result && a->report.access == (int)access))
        return;
    a->request.in.verdict.session = a->stored_session;
    a->request.in.verdict.finished = time_now();
    a->request.in.verdict.result = (int)result;
    a->request.in.verdict.access = (int)access;
    a->request.in.verdict.reason = keep_reason(a);
    a->stored_session = 0;
    if (!submit(a, WORK_VERDICT))
        log_line(LOG_WARNING, "%.*s: the queue to the store is full, its verdict is not noted",
                 (int)a->report.endpoint.n, (const char *)a->report.endpoint.p);
}
