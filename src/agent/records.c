/* What stands in a Record field: the pro-forma tag of the package, made out of the journal alone, so that packages that are gone have theirs,
 * too (SWIMA-R27, RFC 8412 §3.6.1); or, where that is configured, the tag of what is installed with its files. */
#include "agent/collector.h"
#include "agent/tag_maker.h"

#include <stdlib.h>

/* SWIMA-R8, R89, R113, RFC 8412 §6.1: creator and tagId are those of the identifier. Data model 0, type 0 (2015). */
struct bytes agent_record_tag(struct wr *w, const struct journal_record *r)
{
    wr_reset(w);
    struct swid_xml xml = swid_xml_of(w, SWID_RECORD);
    if (tag_put_head(&xml.sink, NULL, r))
        xml.sink.close(&xml.sink, SWID_IDENTITY);
    /* SWIMA-R28, RFC 8412 §3.6.1: a record that cannot be had leaves the field empty, the event stands all the same. */
    return w->bad || w->n > SWID_TAG_MAX ? (struct bytes){NULL, 0} : wr_view(w);
}

struct agent_records {
    const struct agent_inventory *inventory;
    size_t max, limit; /* limit: of the tag that is made now */
    struct wr tag;
    struct swid_xml xml;
    struct swid_coswid *cbor;
    struct swid_2009 *old;
    struct agent_tags *files; /* from the first record with files on */
    bool plain;               /* without files from here on */
    bool large;               /* a tag that software brought itself has more in it than one without files may have */
    bool stripped;            /* those, too, are told without what they say of files */
};

struct agent_records *agent_records_new(const struct agent_inventory *inventory, size_t max)
{
    struct agent_records *m = calloc(1, sizeof *m);
    if (m)
        *m = (struct agent_records){
            .inventory = inventory, .max = max, .tag = wr_of(max + 2 * PKG_TAG_MAX), .plain = !inventory->tags};
    return m;
}

void agent_records_free(struct agent_records *m)
{
    if (!m)
        return;
    agent_tags_end(m->files, false);
    swid_coswid_free(m->cbor);
    swid_2009_free(m->old);
    wr_free(&m->tag);
    free(m);
}

bool agent_records_go_plain(struct agent_records *m)
{
    bool smaller = m && (!m->plain || (m->large && !m->stripped));
    if (m)
        m->plain = m->stripped = true;
    return smaller;
}

/* SWIMA-R7, R92, RFC 8412 §6: a record is of the data model that its item names. NULL: no memory. */
static struct swid_sink *begin(void *context, const struct journal_record *r)
{
    struct agent_records *m = context;
    (void)r;
    wr_reset(&m->tag);
    if (m->inventory->model == SWID_MODEL_2015) {
        m->xml = swid_xml_of(&m->tag, SWID_RECORD);
        m->xml.hashes = m->plain ? 0 : m->inventory->tags->hashes;
        return &m->xml.sink;
    }
    if (m->inventory->model == SWID_MODEL_2009) {
        swid_2009_free(m->old);
        m->old = swid_2009_new(&m->tag, SWID_RECORD);
        return m->old ? swid_2009_sink(m->old) : NULL;
    }
    swid_coswid_free(m->cbor);
    m->cbor = swid_coswid_new(&m->tag, m->limit, true);
    return m->cbor ? swid_coswid_sink(m->cbor) : NULL;
}

static bool end(void *context, const struct journal_record *r, bool whole)
{
    (void)context, (void)r, (void)whole;
    return true;
}

static void complain(void *context, const struct journal_record *r, struct bytes path, const char *what)
{
    (void)context;
    log_line(LOG_DEBUG, "%.*s: %.*s: %s: not in its tag", (int)r->name.n, (const char *)r->name.p, (int)path.n, (const char *)path.p, what);
}

/* The tag with files; false: there is none, or it is too large. */
static bool make_full(struct agent_records *m, const struct journal_record *r)
{
    const struct agent_tag_taker taker = {.context = m, .begin = begin, .end = end, .complain = complain};
    struct error error = {""};
    m->limit = m->max;
    if (!m->files && !(m->files = agent_tags_begin(m->inventory->tags, &taker, &error))) {
        log_line(LOG_WARNING, "tags are told without files: %s", error.text);
        m->plain = true;
        return false;
    }
    if (!agent_tags_put(m->files, r) || !agent_tags_flush(m->files)) { /* out of memory: it has ended */
        agent_tags_end(m->files, false);
        m->files = NULL;
        return false;
    }
    const struct swid_sink *sink = m->cbor ? swid_coswid_sink(m->cbor) : m->old ? swid_2009_sink(m->old) : &m->xml.sink;
    return sink->failed == SWID_OK && !m->tag.bad && m->tag.n <= m->max;
}

/* ---- tags that software brought itself ---------------------------------------------------------------------------------- */

/* Passes on what is neither Payload nor Evidence, nor in one of them. */
struct strip {
    struct swid_sink sink; /* first */
    struct swid_sink *to;
    unsigned within;
};

static void strip_open(struct swid_sink *s, const struct swid_node *node)
{
    struct strip *x = (struct strip *)s;
    if (x->within || node->element == SWID_PAYLOAD || node->element == SWID_EVIDENCE)
        x->within++;
    else
        x->to->open(x->to, node);
    s->failed = x->to->failed;
}

static void strip_close(struct swid_sink *s, enum swid_element element)
{
    struct strip *x = (struct strip *)s;
    if (x->within)
        x->within--;
    else
        x->to->close(x->to, element);
    s->failed = x->to->failed;
}

/* In the answer's data model; false: it cannot be. */
static bool convert(struct agent_records *m, const struct journal_record *r)
{
    struct error error = {""};
    m->limit = m->max;
    struct strip strip = {.sink = {.open = strip_open, .close = strip_close}, .to = begin(m, r)};
    return strip.to && swid_read(r->tag, m->stripped ? &strip.sink : strip.to, &error) == SWID_OK && !m->tag.bad;
}

/* The file's own octets where they are of the answer's data model, and where they cannot be made to be: a tag of 2009 (SWIMA-R91). */
static struct bytes own_tag(struct agent_records *m, const struct journal_record *r, uint32_t *model)
{
    bool strip = m->stripped && r->tag.n > SWID_TAG_MAX;
    m->large |= r->tag.n > SWID_TAG_MAX;
    if (r->model != SWID_MODEL_2009 && (strip || r->model != *model) && convert(m, r))
        return wr_view(&m->tag);
    wr_reset(&m->tag);
    *model = r->model;
    tag_put_own(&m->tag, r);
    return m->tag.bad ? (struct bytes){NULL, 0} : wr_view(&m->tag);
}

struct bytes agent_records_tag(struct agent_records *m, const struct journal_record *r, uint32_t *model)
{
    *model = m->inventory->model;
    if (r->tag.n)
        return own_tag(m, r, model);
    if (!m->plain && r->installed && make_full(m, r))
        return wr_view(&m->tag);
    if (m->inventory->model == SWID_MODEL_2015)
        return agent_record_tag(&m->tag, r);
    m->limit = SWID_TAG_MAX;
    struct swid_sink *sink = begin(m, r);
    if (sink && tag_put_head(sink, NULL, r))
        sink->close(sink, SWID_IDENTITY);
    return !sink || sink->failed != SWID_OK || m->tag.n > SWID_TAG_MAX ? (struct bytes){NULL, 0} : wr_view(&m->tag);
}

/* ---- beforehand -------------------------------------------------------------------------------------------------------- */

struct warming {
    struct swid_sink nowhere;
    struct agent_tags *tags;
};

static struct swid_sink *begin_nowhere(void *context, const struct journal_record *r)
{
    (void)r;
    return &((struct warming *)context)->nowhere;
}

static void open_nowhere(struct swid_sink *s, const struct swid_node *node)
{
    (void)s, (void)node;
}

static void close_nowhere(struct swid_sink *s, enum swid_element element)
{
    (void)s, (void)element;
}

static bool put(void *context, const struct journal_record *r)
{
    return agent_tags_put(((struct warming *)context)->tags, r);
}

bool agent_records_warm(const struct agent_inventory *inventory, struct error *error)
{
    struct warming w = {.nowhere = {.open = open_nowhere, .close = close_nowhere}};
    const struct agent_tag_taker taker = {.context = &w, .begin = begin_nowhere, .end = end};
    w.tags = agent_tags_begin(inventory->tags, &taker, error);
    if (!w.tags || error->text[0]) {
        agent_tags_end(w.tags, false);
        return false;
    }
    enum journal_status status = journal_each_record(inventory->journal, JOURNAL_INSTALLED, TIME_UNKNOWN, put, &w, error);
    bool done = agent_tags_flush(w.tags) && (status == JOURNAL_OK || status == JOURNAL_INCOMPLETE);
    if (!done && !error->text[0])
        error_set(error, "out of memory");
    agent_tags_end(w.tags, done && status == JOURNAL_OK);
    return done;
}
