/* muster sbom --endpoint: a bill of materials of an endpoint, as the server makes it. */
#include "cli/output.h"
#include "cli/rest.h"
#include "cli/sbom.h"

#include <string.h>

struct download {
    struct cli *cli;
    struct output *output; /* NULL: standard output */
};

static bool take(void *context, struct bytes octets)
{
    const struct download *d = context;
    if (d->output) {
        output_write(d->output, octets);
        return !d->output->failed;
    }
    wr_bytes(cli_out(d->cli), octets);
    return cli_flush(d->cli);
}

static bool put_path(struct cli *cli, struct wr *path)
{
    const char *format = cli_value(cli, "format");
    char time[TIME_TEXT];
    int64_t at;
    if (!cli_time(cli, "at", &at))
        return false;
    wr_str(path, "/api/v1/endpoints/");
    rest_escape(path, cli_value(cli, "endpoint"));
    wr_str(path, "/sbom?format=");
    rest_escape(path, format ? format : "cyclonedx");
    time_format(at, time);
    if (at != TIME_UNKNOWN)
        wr_fmt(path, "&at=%s", time);
    return true;
}

/* The file takes its name when all of the bill is in it. */
static int fetch(struct cli *cli, struct rest *r, const char *path)
{
    struct error error = {""};
    struct output file;
    struct download d = {cli, NULL};
    const char *to = cli_value(cli, "output");
    bool incomplete;
    int status = EXIT_DONE;
    if (to && !output_open(&file, to, &error))
        return cli_fail(cli, EXIT_USAGE, "%s", error.text);
    d.output = to ? &file : NULL;
    bool done = rest_take(r, path, take, &d, &incomplete, &status);
    if (to && !output_close(&file, done || file.failed, &error))
        return cli_fail(cli, EXIT_USAGE, "%s", error.text);
    if (done && incomplete)
        status = cli_fail(cli, EXIT_UNKNOWN, "not all is known of what %s has: the bill is incomplete, and says so", cli_value(cli, "endpoint"));
    return done && !incomplete ? EXIT_DONE : status;
}

static int run(struct cli *cli)
{
    int status = EXIT_USAGE;
    struct wr path = wr_of(4096);
    if (!cli_value(cli, "endpoint"))
        status = cli_usage(cli, "--endpoint ID is missing");
    else if (put_path(cli, &path)) {
        struct rest *r = rest_open(cli, &status);
        if (r)
            status = fetch(cli, r, wr_string(&path));
        rest_close(r);
    }
    wr_free(&path);
    return status;
}

const struct cli_command cli_sbom_endpoint = {
    .noun = "sbom",
    .summary = "a bill of materials of an endpoint on the server, now or at a past moment",
    .options = (const struct cli_option[]){SBOM_OPTIONS, SBOM_ENDPOINT_OPTIONS, {NULL, NULL, NULL}},
    .run = run,
};
