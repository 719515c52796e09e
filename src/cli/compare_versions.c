/* muster compare-versions: a package manager's order of versions, a pair a line. */
#include "cli/cli.h"
#include "pkg/pkg.h"

#include <stdio.h>
#include <string.h>

#define LINE_SIZE 65536

struct comparing {
    struct cli *cli;
    const struct pkg_order *order;
    struct json json;
    bool unknown; /* a line could not be answered */
};

static struct bytes next_word(struct bytes *rest)
{
    size_t start = 0, end;
    while (start < rest->n && strchr(" \t\r\n", rest->p[start]))
        start++;
    for (end = start; end < rest->n && !strchr(" \t\r\n", rest->p[end]);)
        end++;
    struct bytes word = {rest->p + start, end - start};
    *rest = (struct bytes){rest->p + end, rest->n - end};
    return word;
}

static const char *fault_of(const struct comparing *c, struct bytes a, struct bytes b, struct bytes more, bool overlong)
{
    if (overlong)
        return "the line is too long";
    if (a.n == 0 || b.n == 0 || more.n)
        return "a line is two versions";
    const char *fault = c->order->fault(a);
    return fault ? fault : c->order->fault(b);
}

static void answer(struct comparing *c, struct bytes line, bool overlong)
{
    struct bytes a = next_word(&line), b = next_word(&line), more = next_word(&line);
    const char *fault = fault_of(c, a, b, more, overlong);
    int order = fault ? 0 : c->order->compare(a, b);
    c->unknown |= fault != NULL;
    if (cli_json(c->cli)) {
        json_object_begin(&c->json, NULL);
        json_text(&c->json, "a", a);
        json_text(&c->json, "b", b);
        if (fault)
            json_str(&c->json, "error", fault);
        else
            json_number(&c->json, "order", order);
        json_object_end(&c->json);
    } else if (fault)
        wr_fmt(cli_out(c->cli), "error: %s\n", fault);
    else
        wr_fmt(cli_out(c->cli), "%d\n", order);
}

static int unknown_order(struct cli *cli)
{
    struct wr names = wr_of(0);
    for (size_t i = 0; pkg_orders[i]; i++)
        wr_fmt(&names, "%s%s", i ? ", " : "", pkg_orders[i]->name);
    int status =
        cli_usage(cli, "%s: no order of versions has this name; there are %s", cli_argument(cli, 0), wr_string(&names));
    wr_free(&names);
    return status;
}

static int run(struct cli *cli)
{
    static char line[LINE_SIZE];
    struct comparing c = {.cli = cli, .order = pkg_order_find(cli_argument(cli, 0))};
    bool overlong = false;
    if (!c.order)
        return unknown_order(cli);
    if (cli_json(cli)) {
        c.json = cli_json_begin(cli, "compare-versions");
        json_array_begin(&c.json, "items");
    }
    while (fgets(line, sizeof line, stdin)) {
        struct bytes b = bytes_of(line);
        bool whole = (b.n && b.p[b.n - 1] == '\n') || feof(stdin);
        if (whole)
            answer(&c, b, overlong);
        overlong = !whole;
        if (!cli_flush(cli))
            break;
    }
    if (cli_json(cli)) {
        json_array_end(&c.json);
        json_object_end(&c.json);
        wr_str(cli_out(cli), "\n");
    }
    if (ferror(stdin))
        return cli_fail(cli, EXIT_USAGE, "standard input cannot be read");
    return c.unknown ? EXIT_UNKNOWN : EXIT_DONE;
}

const struct cli_command cli_compare_versions = {
    .noun = "compare-versions",
    .arguments = "ORDER",
    .summary = "for each line \"A B\" of standard input -1, 0 or 1 in the order of dpkg, rpm, apk, pacman or snap",
    .more = "A line that is not two versions of this order is answered with \"error: \" and why, and the next one is read; the exit status is 3 then.",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
