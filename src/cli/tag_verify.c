/* muster tag verify: a tag's signature, and the files that it names beside those on the disk. */
#include "agent/agent.h"
#include "cli/tag_input.h"
#include "cli/tag_signature.h"
#include "swid/swid.h"

#include <stdlib.h>
#include <string.h>

/* What came of one tag. */
struct verdict {
    char *file;
    unsigned document;
    struct tag_signature signature;
    size_t counts[AGENT_FILE_STATES], walked;
    char *error; /* it could not be used: why; or NULL */
};

struct verifying {
    struct cli *cli;
    struct tag_input in;
    const struct net_trust *trust; /* or NULL */
    struct json json;
    struct verdict *verdicts; /* for --json, which tells the files first */
    size_t count, capacity;
    const struct tag_signature *untold; /* for people, whose first line it is */
    bool several;                       /* files: each tag is named */
};

static void print_name(struct verifying *v)
{
    struct wr *out = cli_out(v->cli);
    if (v->several || v->in.number > 1 || !v->in.over) {
        cli_put_cell(out, bytes_of(v->in.label), 0);
        wr_str(out, ": ");
    }
}

static void put_state(struct wr *out, const struct verifying *v, enum agent_file_state s, struct bytes path)
{
    wr_fmt(out, cli_plain(v->cli) ? "%s\t" : "%-11s", agent_file_state_name(s));
    for (size_t i = 0; i < path.n; i++) /* a name of somebody's making writes no lines and no escapes */
        wr_u8(out, path.p[i] < 0x20 || path.p[i] == 0x7f ? '?' : path.p[i]);
    if (cli_plain(v->cli)) {
        wr_str(out, "\t");
        cli_put_cell(out, bytes_of(v->in.path), 0);
        wr_fmt(out, "\t%u", v->in.number);
    }
    wr_u8(out, '\n');
}

static void print_signature(struct verifying *v);

static void differ(void *context, enum agent_file_state s, struct bytes path)
{
    struct verifying *v = context;
    struct wr *out = cli_out(v->cli);
    if (!cli_json(v->cli)) {
        print_signature(v);
        put_state(out, v, s, path);
        return;
    }
    json_object_begin(&v->json, NULL);
    json_text(&v->json, "path", path);
    if (!utf8_valid(path))
        json_hex(&v->json, "path_octets", path);
    json_str(&v->json, "state", agent_file_state_name(s));
    json_str(&v->json, "file", v->in.path);
    json_number(&v->json, "document", v->in.number);
    json_object_end(&v->json);
}

static void json_counts(struct json *j, const size_t counts[AGENT_FILE_STATES])
{
    json_object_begin(j, "counts");
    for (size_t i = 0; i < AGENT_FILE_STATES; i++)
        json_number(j, agent_file_state_name((enum agent_file_state)i), (int64_t)counts[i]);
    json_object_end(j);
}

static void print_counts(struct verifying *v, const size_t counts[AGENT_FILE_STATES])
{
    struct wr *out = cli_out(v->cli);
    if (cli_json(v->cli) || cli_plain(v->cli))
        return;
    print_name(v);
    for (size_t i = 0; i < AGENT_FILE_STATES; i++)
        wr_fmt(out, "%s%zu %s", i ? ", " : "", counts[i], agent_file_state_name((enum agent_file_state)i));
    wr_str(out, "\n");
}

/* ---- the signature -------------------------------------------------------------------------------------------------------- */

static void json_signature(struct json *j, const struct tag_signature *s, bool asked)
{
    json_object_begin(j, "signature");
    json_str(j, "state", tag_signature_word(s->state));
    json_str(j, "signer", s->state == TAG_SIGNED ? s->signer : NULL);
    if (s->state == TAG_SIGNED && asked)
        json_bool(j, "trusted", s->trusted);
    else
        json_none(j, "trusted");
    json_str(j, "why", s->why.text[0] ? s->why.text : NULL);
    json_object_end(j);
}

/* Once a tag, before its first difference; a line is a file in --plain, where the exit status tells. */
static void print_signature(struct verifying *v)
{
    const struct tag_signature *s = v->untold;
    struct wr *out = cli_out(v->cli);
    v->untold = NULL;
    if (!s || cli_plain(v->cli) || cli_json(v->cli))
        return;
    print_name(v);
    if (s->state == TAG_SIGNED) {
        wr_str(out, "signed by ");
        cli_put_cell(out, bytes_of(s->signer), 0);
        wr_str(out, !v->trust ? ", whom nobody vouches for without --trust\n" : s->trusted ? ", trusted\n" : ", not trusted\n");
    } else {
        wr_fmt(out, "%s\n", tag_signature_word(s->state));
    }
}

/* What of the signature alone speaks against the tag; with --trust anybody could have taken it away. */
static int judge(const struct cli *cli, const char *path, const struct tag_signature *s, bool asked)
{
    switch (s->state) {
    case TAG_BROKEN:
        return cli_fail(cli, EXIT_NO, "%s: the signature does not hold: %s", path, s->why.text);
    case TAG_UNCHECKABLE:
        return cli_fail(cli, EXIT_UNKNOWN, "%s: the signature cannot be checked: %s", path, s->why.text);
    case TAG_UNSIGNED:
        return asked ? cli_fail(cli, EXIT_NO, "%s: it is not signed", path) : EXIT_DONE;
    case TAG_SIGNED:
        break;
    }
    return asked && !s->trusted ? cli_fail(cli, EXIT_NO, "%s: its signer is not trusted: %s", path, s->why.text) : EXIT_DONE;
}

static void open_nothing(struct swid_sink *s, const struct swid_node *node)
{
    (void)s, (void)node;
}

static void close_nothing(struct swid_sink *s, enum swid_element element)
{
    (void)s, (void)element;
}

/* ---- one tag ---------------------------------------------------------------------------------------------------------------- */

static int verdict(const struct verifying *v, const struct verdict *d)
{
    const size_t *counts = d->counts;
    size_t files = 0;
    for (size_t i = 0; i < AGENT_FILE_STATES; i++)
        files += counts[i];
    if (files == 0 && d->walked == 0)
        return d->signature.state != TAG_UNSIGNED
                   ? EXIT_DONE
                   : cli_fail(v->cli, EXIT_UNKNOWN, "%s: the tag names no files and has no signature: there is nothing to verify", v->in.label);
    if (counts[AGENT_FILE_CHANGED] || counts[AGENT_FILE_MISSING] || counts[AGENT_FILE_ADDED])
        return EXIT_NO;
    return counts[AGENT_FILE_UNREADABLE] ? EXIT_UNKNOWN : EXIT_DONE;
}

static int unusable(const struct verifying *v, struct verdict *d, enum swid_status status, const struct error *error)
{
    d->error = strdup(error->text);
    return cli_fail(v->cli, status == SWID_NO_MEMORY ? EXIT_INTERNAL : EXIT_USAGE, "%s: %s", v->in.label, error->text);
}

/* The files that a broken tag names are nobody's word: they are not looked at. */
static int compare(struct verifying *v, struct bytes tag, struct verdict *d)
{
    const struct tag_signature *s = &d->signature;
    struct error error = {""};
    if (s->state == TAG_BROKEN)
        return judge(v->cli, v->in.label, s, v->trust);
    v->untold = s;
    enum swid_status status = agent_tag_verify(tag, cli_root(v->cli), differ, v, d->counts, &d->walked, &error);
    if (status != SWID_OK)
        return unusable(v, d, status, &error);
    print_signature(v);
    print_counts(v, d->counts);
    int judged = judge(v->cli, v->in.label, s, v->trust);
    return cli_worst(judged, verdict(v, d));
}

static int verify(struct verifying *v, struct bytes tag)
{
    struct verdict d = {.file = strdup(v->in.path), .document = v->in.number};
    struct swid_sink nothing = {.open = open_nothing, .close = close_nothing};
    struct error error = {""};
    enum swid_status status = swid_read(tag, &nothing, &error);
    if (status == SWID_OK)
        tag_signature_check(tag, nothing.has_signature, v->trust, &d.signature);
    int code = status == SWID_OK ? compare(v, tag, &d) : unusable(v, &d, status, &error);
    if (v->count == v->capacity) {
        v->capacity = v->capacity ? 2 * v->capacity : 16;
        struct verdict *grown = realloc(v->verdicts, v->capacity * sizeof *grown);
        if (!grown)
            bug("no memory for what came of the tags");
        v->verdicts = grown;
    }
    v->verdicts[v->count++] = d;
    return code;
}

/* ---- all of them -------------------------------------------------------------------------------------------------------------- */

static int verify_all(struct verifying *v, const char *path)
{
    struct bytes tag;
    int worst = tag_input_open(&v->in, v->cli, path), code = worst;
    while (code == EXIT_DONE && tag_input_next(&v->in, &tag, &code))
        worst = cli_worst(worst, verify(v, tag));
    tag_input_close(&v->in);
    return cli_worst(worst, code);
}

static void json_verdicts(struct verifying *v)
{
    struct json *j = &v->json;
    size_t sum[AGENT_FILE_STATES] = {0};
    json_array_end(j);
    json_array_begin(j, "tags");
    for (const struct verdict *d = v->verdicts; d < v->verdicts + v->count; d++) {
        json_object_begin(j, NULL);
        json_str(j, "file", d->file);
        json_number(j, "document", d->document);
        json_str(j, "error", d->error);
        json_signature(j, &d->signature, v->trust);
        json_counts(j, d->counts);
        json_object_end(j);
        for (size_t i = 0; i < AGENT_FILE_STATES; i++)
            sum[i] += d->counts[i];
    }
    json_array_end(j);
    if (v->count == 1)
        json_signature(j, &v->verdicts->signature, v->trust);
    json_counts(j, sum);
    json_object_end(j);
    wr_str(cli_out(v->cli), "\n");
}

static int run(struct cli *cli)
{
    const char *path, *trusted = cli_value(cli, "trust");
    struct error error = {""};
    struct net_trust *trust = trusted ? net_trust_new(trusted, &error) : NULL;
    struct verifying v = {.cli = cli, .trust = trust, .several = cli_argument_count(cli) > 1};
    int worst = EXIT_DONE;
    if (trusted && !trust)
        return cli_usage(cli, "%s", error.text);
    if (cli_json(cli)) {
        v.json = cli_json_begin(cli, "tag-verify");
        json_str(&v.json, "root", cli_root(cli));
        json_array_begin(&v.json, "items");
    }
    for (unsigned i = 0; (path = cli_argument(cli, i)); i++)
        worst = cli_worst(worst, verify_all(&v, path));
    if (cli_json(cli))
        json_verdicts(&v);
    for (size_t i = 0; i < v.count; i++) {
        free(v.verdicts[i].file);
        free(v.verdicts[i].error);
    }
    free(v.verdicts);
    net_trust_free(trust);
    return worst;
}

static const struct cli_option options[] = {
    {"trust", "PEM", "the certificates that are trusted, issuers or signers: exit 1 unless the tag is signed by one of them"},
    {NULL, NULL, NULL},
};

const struct cli_command cli_tag_verify = {
    .noun = "tag",
    .verb = "verify",
    .arguments = "FILE...",
    .summary = "tags' signatures, and the files that they name beside those below --root: changed, missing, of evidence also added; exit 1 if any "
               "is, or the signature does not hold",
    .more = "A symbolic link counts as the file that it leads to, below --root. One that was added to a folder of evidence is told if it leads to a file\n"
            "within that folder.",
    .plain = "state, path, the file of the tag, its number in there",
    .min_arguments = 1,
    .max_arguments = CLI_ANY,
    .options = options,
    .run = run,
};
