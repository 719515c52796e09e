#include "pkg/internal.h"

#include <string.h>
#include <strings.h>

/* deb822(5) once more, for whoever wants other fields than struct deb822 knows, and their further lines: status, and
 * /usr/share/doc/PACKAGE/copyright. */

/* While the text grows a value is where it begins: views are made when the paragraph is complete. */
static void open_value(struct paragraph *p, struct bytes line, size_t *field)
{
    struct bytes value = line, name = bytes_split(&value, ':');
    *field = PARAGRAPH_FIELDS;
    for (size_t i = 0; i < p->count; i++)
        if (strlen(p->names[i]) == name.n && strncasecmp(p->names[i], (const char *)name.p, name.n) == 0 && !p->values[i].n)
            *field = i;
    value = bytes_trim(value);
    if (*field == PARAGRAPH_FIELDS)
        return;
    p->values[*field] = (struct bytes){(const uint8_t *)(uintptr_t)p->text.n, value.n};
    wr_bytes(&p->text, value);
}

static void add_line(struct paragraph *p, struct bytes line, size_t field)
{
    if (!p->whole || field == PARAGRAPH_FIELDS)
        return;
    line = bytes_trim(line);
    if (p->values[field].n == 0)
        p->values[field].p = (const uint8_t *)(uintptr_t)p->text.n;
    else
        wr_str(&p->text, "\n");
    wr_bytes(&p->text, line);
    p->values[field].n = p->text.n - (uintptr_t)p->values[field].p;
}

bool paragraph_next(struct paragraph *p)
{
    struct bytes line;
    size_t field = PARAGRAPH_FIELDS;
    bool whole, found = false;
    memset(p->values, 0, sizeof p->values);
    if (!p->text.max)
        p->text = wr_of((size_t)1 << 20);
    wr_reset(&p->text);
    while (lines_next(p->lines, &line, &whole)) {
        bool empty = !p->lines->overlong && bytes_trim(line).n == 0;
        if (empty && found)
            break;
        if (empty || p->lines->overlong || line.p[0] == '#')
            continue;
        found = true;
        if (line.p[0] == ' ' || line.p[0] == '\t')
            add_line(p, line, field);
        else
            open_value(p, line, &field);
    }
    for (size_t i = 0; i < p->count; i++) {
        if (p->text.bad) /* longer than any that means something */
            p->values[i] = (struct bytes){0};
        else if (p->values[i].n)
            p->values[i].p = p->text.p + (uintptr_t)p->values[i].p;
    }
    return found;
}

void paragraph_free(struct paragraph *p)
{
    wr_free(&p->text);
}
