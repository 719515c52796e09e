#include "pkg/internal.h"

#include <string.h>
#include <strings.h>

/* deb822(5): stanzas of "Field: value" lines, parted by blank lines; a line that begins with a blank continues a value.
 * Only one-line fields matter here. */

static struct bytes *field_of(struct deb822 *d, struct bytes name)
{
    const struct {
        struct bytes name, *value;
    } fields[] = {
        {BYTES("Package"), &d->package},   {BYTES("Status"), &d->status}, {BYTES("Version"), &d->version},
        {BYTES("Architecture"), &d->arch}, {BYTES("Source"), &d->source},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++)
        if (name.n == fields[i].name.n &&
            strncasecmp((const char *)name.p, (const char *)fields[i].name.p, name.n) == 0)
            return fields[i].value;
    return NULL;
}

static void take_line(struct deb822 *d, struct bytes line)
{
    if (d->lines->overlong) {
        d->complain(d->context, d->lines->number, "line too long");
        return;
    }
    if (line.p[0] == ' ' || line.p[0] == '\t')
        return;
    if (!memchr(line.p, ':', line.n)) {
        d->complain(d->context, d->lines->number, "not \"Field: value\"");
        return;
    }
    struct bytes value = line, name = bytes_split(&value, ':');
    struct bytes *field = field_of(d, name);
    if (!field || field->n)
        return;
    /* The writer may move when it grows: the view is an offset until the stanza is complete. */
    value = bytes_trim(value);
    *field = (struct bytes){(const uint8_t *)(uintptr_t)d->text.n, value.n};
    wr_bytes(&d->text, value);
    if (!d->started)
        d->line = d->lines->number;
    d->started = true;
}

bool deb822_next(struct deb822 *d)
{
    struct bytes line;
    bool whole;
    d->package = d->status = d->version = d->arch = d->source = (struct bytes){0};
    d->started = d->last = false;
    if (!d->text.max)
        d->text = wr_of((size_t)1 << 20);
    wr_reset(&d->text);
    while (lines_next(d->lines, &line, &whole)) {
        d->cut = !whole;
        bool empty = !d->lines->overlong && bytes_trim(line).n == 0;
        d->last = !empty;
        if (!empty)
            take_line(d, line);
        else if (d->started)
            break;
    }
    if (d->text.bad) {
        d->complain(d->context, d->line, "stanza too long");
        d->package = d->status = d->version = d->arch = d->source = (struct bytes){0};
        return true;
    }
    struct bytes *fields[] = {&d->package, &d->status, &d->version, &d->arch, &d->source};
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++)
        if (fields[i]->n)
            fields[i]->p = d->text.p + (uintptr_t)fields[i]->p;
    return d->started;
}

void deb822_free(struct deb822 *d)
{
    wr_free(&d->text);
}

void deb822_source(struct bytes source, struct pkg_package *p)
{
    struct bytes version = source, name = bytes_trim(bytes_split(&version, '('));
    p->source_name = name.n ? name : p->name;
    version = bytes_trim(bytes_split(&version, ')'));
    p->source_version = version.n ? version : p->version;
}
