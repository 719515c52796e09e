/* muster tag verify: a tag's signature, and the files that it names beside those on the disk. */
#include "agent/agent.h"
#include "cli/input.h"
#include "cli/tag_signature.h"

struct verifying {
    struct cli *cli;
    struct json json;
};

static void differ(void *context, enum agent_file_state s, struct bytes path)
{
    struct verifying *v = context;
    struct wr *out = cli_out(v->cli);
    if (cli_json(v->cli)) {
        json_object_begin(&v->json, NULL);
        json_text(&v->json, "path", path);
        if (!utf8_valid(path))
            json_hex(&v->json, "path_octets", path);
        json_str(&v->json, "state", agent_file_state_name(s));
        json_object_end(&v->json);
        return;
    }
    wr_fmt(out, cli_plain(v->cli) ? "%s\t" : "%-11s", agent_file_state_name(s));
    for (size_t i = 0; i < path.n; i++) /* a name of somebody's making writes no lines and no escapes */
        wr_u8(out, path.p[i] < 0x20 || path.p[i] == 0x7f ? '?' : path.p[i]);
    wr_u8(out, '\n');
}

static void print_counts(struct verifying *v, const size_t counts[AGENT_FILE_STATES])
{
    if (cli_json(v->cli)) {
        json_array_end(&v->json);
        json_object_begin(&v->json, "counts");
        for (size_t i = 0; i < AGENT_FILE_STATES; i++)
            json_number(&v->json, agent_file_state_name((enum agent_file_state)i), (int64_t)counts[i]);
        json_object_end(&v->json);
        json_object_end(&v->json);
        wr_str(cli_out(v->cli), "\n");
    } else if (!cli_plain(v->cli)) {
        struct wr *out = cli_out(v->cli);
        for (size_t i = 0; i < AGENT_FILE_STATES; i++)
            wr_fmt(out, "%s%zu %s", i ? ", " : "", counts[i], agent_file_state_name((enum agent_file_state)i));
        wr_str(out, "\n");
    }
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

static void print_signature(struct cli *cli, const struct tag_signature *s, bool asked)
{
    struct wr *out = cli_out(cli);
    if (cli_plain(cli))
        return; /* a line is a file there; the exit status and --json tell */
    if (s->state == TAG_SIGNED) {
        wr_str(out, "signed by ");
        cli_put_cell(out, bytes_of(s->signer), 0);
        wr_str(out, !asked ? ", whom nobody vouches for without --trust\n" : s->trusted ? ", trusted\n" : ", not trusted\n");
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

/* ---- all of it ------------------------------------------------------------------------------------------------------------ */

static int verdict(const struct cli *cli, const size_t counts[AGENT_FILE_STATES], size_t walked, bool is_signed)
{
    size_t files = 0;
    for (size_t i = 0; i < AGENT_FILE_STATES; i++)
        files += counts[i];
    if (files == 0 && walked == 0)
        return is_signed ? EXIT_DONE : cli_fail(cli, EXIT_UNKNOWN, "the tag names no files and has no signature: there is nothing to verify");
    if (counts[AGENT_FILE_CHANGED] || counts[AGENT_FILE_MISSING] || counts[AGENT_FILE_ADDED])
        return EXIT_NO;
    return counts[AGENT_FILE_UNREADABLE] ? EXIT_UNKNOWN : EXIT_DONE;
}

/* The files that a broken tag names are nobody's word: they are not looked at. */
static int compare(struct verifying *v, const char *path, struct bytes tag, const struct tag_signature *s, bool asked)
{
    size_t counts[AGENT_FILE_STATES] = {0}, walked = 0;
    struct error error = {""};
    enum swid_status status = SWID_OK;
    if (cli_json(v->cli)) {
        v->json = cli_json_begin(v->cli, "tag-verify");
        json_str(&v->json, "root", cli_root(v->cli));
        json_signature(&v->json, s, asked);
        json_array_begin(&v->json, "items");
    } else if (s->state != TAG_BROKEN) {
        print_signature(v->cli, s, asked);
    }
    if (s->state != TAG_BROKEN)
        status = agent_tag_verify(tag, cli_root(v->cli), differ, v, counts, &walked, &error);
    if (s->state != TAG_BROKEN || cli_json(v->cli))
        print_counts(v, counts);
    if (status != SWID_OK)
        return cli_fail(v->cli, status == SWID_NO_MEMORY ? EXIT_INTERNAL : EXIT_USAGE, "%s: %s", path, error.text);
    int judged = judge(v->cli, path, s, asked), compared = s->state == TAG_BROKEN ? EXIT_NO : verdict(v->cli, counts, walked, s->state != TAG_UNSIGNED);
    return judged == EXIT_NO || compared == EXIT_NO ? EXIT_NO : judged != EXIT_DONE ? judged : compared;
}

static int verify(struct cli *cli, const char *path, struct bytes tag, const struct net_trust *trust)
{
    struct verifying v = {.cli = cli};
    struct swid_sink nothing = {.open = open_nothing, .close = close_nothing};
    struct tag_signature signature;
    struct error error = {""};
    enum swid_status status = swid_read(tag, &nothing, &error);
    if (status != SWID_OK)
        return cli_fail(cli, status == SWID_NO_MEMORY ? EXIT_INTERNAL : EXIT_USAGE, "%s: %s", path, error.text);
    tag_signature_check(tag, nothing.has_signature, trust, &signature);
    return compare(&v, path, tag, &signature, trust != NULL);
}

static int run(struct cli *cli)
{
    const char *path = cli_argument(cli, 0), *trusted = cli_value(cli, "trust");
    struct wr input = wr_of(SWID_READ_MAX);
    struct error error = {""};
    struct net_trust *trust = trusted ? net_trust_new(trusted, &error) : NULL;
    int code = trusted && !trust ? cli_usage(cli, "%s", error.text) : cli_read_input(cli, path, SWID_READ_MAX, &input);
    if (code == EXIT_DONE)
        code = verify(cli, path, wr_view(&input), trust);
    net_trust_free(trust);
    wr_free(&input);
    return code;
}

static const struct cli_option options[] = {
    {"trust", "PEM", "the certificates that are trusted, issuers or signers: exit 1 unless the tag is signed by one of them"},
    {NULL, NULL, NULL},
};

const struct cli_command cli_tag_verify = {
    .noun = "tag",
    .verb = "verify",
    .arguments = "FILE",
    .summary = "a tag's signature, and the files that it names beside those below --root: changed, missing, of evidence also added; exit 1 if any "
               "is, or the signature does not hold",
    .more = "A symbolic link counts as the file that it leads to, below --root. One that was added to a folder of evidence is told if it leads to a file\n"
            "within that folder.",
    .plain = "state, path",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = options,
    .run = run,
};
