#include "pkg/internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pkg/licence_ids.h"

/* Licences as package managers and authors name them, as expressions of SPDX 2.3 Annex D. Names that say more or less than one of SPDX's
 * licences ("BSD", "GPL", "public-domain") are no such licence and stay what they are: LicenseRef-NAME. */

enum { DEPTH_MAX = 16, NAME_MAX_OCTETS = 80, WORDS_MAX = 4 };

/* ---- names ------------------------------------------------------------------------------------------------------------------ */

/* Names in lower case, with - for blanks and _. */
static const struct {
    const char *name, *id;
} synonyms[] = {
    /* copyright-format 1.0 §7.1.1, and how Debian's maintainers vary it */
    {"apache-2", "Apache-2.0"},
    {"apache-2-llvm-exceptions", "Apache-2.0 WITH LLVM-exception"},
    {"artistic", "Artistic-1.0-Perl"}, /* the text of common-licenses/Artistic */
    {"artistic-2", "Artistic-2.0"},
    {"asl-2.0", "Apache-2.0"},
    {"asl-1.1", "Apache-1.1"},
    {"boost", "BSL-1.0"},
    {"boost-1.0", "BSL-1.0"},
    {"bsd-2", "BSD-2-Clause"},
    {"bsd-2-clauses", "BSD-2-Clause"},
    {"bsd-3", "BSD-3-Clause"},
    {"bsd-3-clauses", "BSD-3-Clause"},
    {"bsd-3clause", "BSD-3-Clause"},
    {"bsd-4", "BSD-4-Clause"},
    {"cc0", "CC0-1.0"},
    {"cddl-1", "CDDL-1.0"},
    {"cecill", "CECILL-2.0"},
    {"cpl", "CPL-1.0"},
    {"epl", "EPL-1.0"},
    {"expat", "MIT"},
    {"freebsd", "BSD-2-Clause-Views"},
    {"gpl+", "GPL-1.0-or-later"},
    {"lgpl+", "LGPL-2.0-or-later"},
    {"mplv1.1", "MPL-1.1"},
    {"mplv2.0", "MPL-2.0"},
    {"mpl-2", "MPL-2.0"},
    {"mpl2", "MPL-2.0"},
    {"openldap-2.8", "OLDAP-2.8"},
    {"openldap", "OLDAP-2.8"},
    {"perl", "GPL-1.0-or-later OR Artistic-1.0-Perl"},
    {"perlartistic", "Artistic-1.0-Perl"},
    {"psf-2", "PSF-2.0"},
    {"sil-1.1", "OFL-1.1"},
    {"w3c-software", "W3C"},
    {"wtfpl-2", "WTFPL"},
    {"zope-2.1", "ZPL-2.1"},
};
/* The GNU licences, whose version and "or later" are written in many ways: GPL-2+, GPLv2+, GPL2, GPL-2.0-or-later. */
static const struct {
    const char *prefix, *id, *variant;
} families[] = {
    {"gfdl-niv", "GFDL", "-no-invariants"}, {"gfdl", "GFDL", ""}, {"fdl", "GFDL", ""}, {"agpl", "AGPL", ""}, {"lgpl", "LGPL", ""}, {"gpl", "GPL", ""},
};
/* What follows "with", without "exception"; `version`: of the GPL that it belongs to, as far as that matters. */
static const struct {
    const char *name, *version, *id;
} exceptions[] = {
    {"autoconf", "2.0", "Autoconf-exception-2.0"},
    {"autoconf", "3.0", "Autoconf-exception-3.0"},
    {"bison", "", "Bison-exception-2.2"},
    {"classpath", "", "Classpath-exception-2.0"},
    {"font", "", "Font-exception-2.0"},
    {"gcc", "2.0", "GCC-exception-2.0"},
    {"gcc", "3.0", "GCC-exception-3.1"},
    {"libtool", "", "Libtool-exception"},
    {"linux-syscall-note", "", "Linux-syscall-note"},
    {"llvm", "", "LLVM-exception"},
};

static int by_id(const void *key, const void *row)
{
    return strcasecmp(key, *(const char *const *)row);
}

static const char *listed(const char *name, const char *const *ids, size_t count)
{
    const char *const *found = bsearch(name, ids, count, sizeof *ids, by_id);
    return found ? *found : NULL;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* "v2+", "-2.1", "3.0-only" behind a family's prefix: "2.0", and whether later versions will do. */
static bool read_version(const char *text, char version[8], bool *later)
{
    static const struct {
        const char *text;
        bool later;
    } ends[] = {{"", false}, {"-only", false}, {"+", true}, {"-or-later", true}, {"-or-newer", true}};
    text += *text == '-';
    text += *text == 'v';
    if (*text < '1' || *text > '9')
        return false;
    bool minor = text[1] == '.' && text[2] >= '0' && text[2] <= '9';
    version[0] = text[0];
    version[1] = '.';
    version[2] = minor ? text[2] : '0';
    version[3] = 0;
    text += minor ? 3 : 1;
    for (size_t i = 0; i < ARRAY_LENGTH(ends); i++)
        if (strcmp(text, ends[i].text) == 0) {
            *later = ends[i].later;
            return true;
        }
    return false;
}

/* What the name in lower case stands for; NULL: SPDX has no such licence. `made` has room for it. */
static const char *id_of(const char *name, char made[64])
{
    char version[8];
    bool later;
    if (strncmp(name, "gnu-", 4) == 0)
        name += 4;
    for (size_t i = 0; i < ARRAY_LENGTH(families); i++) {
        size_t n = strlen(families[i].prefix);
        if (strncmp(name, families[i].prefix, n) != 0 || !read_version(name + n, version, &later))
            continue;
        size_t length = strlen(families[i].id);
        memcpy(made, families[i].id, length);
        made[length] = '-';
        memcpy(made + length + 1, version, 4);
        strncat(made, families[i].variant, 20);
        strncat(made, later ? "-or-later" : "-only", 10);
        return listed(made, licence_ids, ARRAY_LENGTH(licence_ids));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(synonyms); i++)
        if (strcmp(name, synonyms[i].name) == 0)
            return synonyms[i].id;
    return listed(name, licence_ids, ARRAY_LENGTH(licence_ids));
}

static const char *exception_of(char *name, const char *id)
{
    const char *found = listed(name, exception_ids, ARRAY_LENGTH(exception_ids));
    for (size_t i = 0; i < 2 && !found; i++) {
        static const char *const ends[] = {"-exceptions", "-exception"};
        if (ends_with(name, ends[i]))
            name[strlen(name) - strlen(ends[i])] = 0;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(exceptions) && !found; i++)
        if (strcmp(name, exceptions[i].name) == 0 && strstr(id, exceptions[i].version))
            found = exceptions[i].id;
    return found;
}

/* ---- expressions -------------------------------------------------------------------------------------------------------- */

struct reading {
    struct bytes rest, word; /* word: the next one, taken off the rest; empty: no more */
    struct wr *w;
    unsigned depth;
    bool bad;
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void advance(struct reading *r)
{
    r->rest = bytes_trim(r->rest);
    size_t n = 0;
    while (n < r->rest.n && !is_blank(r->rest.p[n]) && !strchr("(),", r->rest.p[n]))
        n++;
    n = n || r->rest.n == 0 ? n : 1;
    r->word = (struct bytes){r->rest.p, n};
    r->rest = bytes_from(r->rest, n);
}

static bool is(struct bytes word, const char *text)
{
    return word.n == strlen(text) && strncasecmp((const char *)word.p, text, word.n) == 0;
}

/* " AND " or " OR "; NULL: the next word is no operator. */
static const char *operator_of(struct bytes word)
{
    return is(word, "and") || is(word, "&") || is(word, "&&") ? " AND " : is(word, "or") || is(word, "|") || is(word, "||") ? " OR " : NULL;
}

/* The words up to an operator, a parenthesis, a comma or "with", as one name in lower case; returns their number. */
static unsigned read_name(struct reading *r, char name[NAME_MAX_OCTETS + 1], char lower[NAME_MAX_OCTETS + 1])
{
    unsigned words = 0;
    size_t n = 0;
    name[0] = lower[0] = 0;
    for (; r->word.n && !operator_of(r->word) && !is(r->word, "with") && !strchr("(),", r->word.p[0]); advance(r), words++) {
        if (n + 1 + r->word.n > NAME_MAX_OCTETS) {
            name[0] = 0;
            r->bad = true;
            return 0;
        }
        if (words)
            name[n++] = '-';
        memcpy(name + n, r->word.p, r->word.n);
        n += r->word.n;
    }
    name[n] = lower[n] = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)name[i];
        lower[i] = (char)(c == '_' ? '-' : c >= 'A' && c <= 'Z' ? c | 32 : c);
    }
    return words;
}

/* SPDX 2.3 §10.1 */
static bool is_name_octet(uint8_t c)
{
    return is_digit(c) || is_letter(c) || c == '.' || c == '-';
}

static void put_reference(struct wr *w, const char *name)
{
    for (; *name; name++)
        if (is_name_octet((uint8_t)*name))
            wr_u8(w, (uint8_t)*name);
        else
            wr_str(w, *name == '+' ? "-plus" : "-");
}

/* A word of SPDX's own for a licence that it does not list stands as it is. */
static bool read_reference(struct reading *r)
{
    bool good = bytes_starts(r->word, BYTES("LicenseRef-")) && r->word.n > 11;
    for (size_t i = 0; i < r->word.n && good; i++)
        good = is_name_octet(r->word.p[i]);
    if (good) {
        wr_bytes(r->w, r->word);
        advance(r);
    }
    return good;
}

static void read_licence(struct reading *r)
{
    if (read_reference(r))
        return;
    char name[NAME_MAX_OCTETS + 1], lower[NAME_MAX_OCTETS + 1], made[64];
    char with[NAME_MAX_OCTETS + 1] = "", with_lower[NAME_MAX_OCTETS + 1] = "";
    unsigned words = read_name(r, name, lower);
    const char *id = words ? id_of(lower, made) : NULL, *exception = NULL;
    if (is(r->word, "with") && words) {
        advance(r);
        words += read_name(r, with, with_lower);
        r->bad |= with[0] == 0;
        exception = id ? exception_of(with_lower, id) : NULL;
    }
    r->bad |= words == 0 || (!id && words > WORDS_MAX); /* prose, not a name */
    if (id && (exception || !with[0])) {
        bool choice = strchr(id, ' ') && !strstr(id, " WITH ");
        wr_fmt(r->w, choice ? "(%s)" : "%s", id);
        wr_fmt(r->w, exception ? " WITH %s" : "%s", exception ? exception : "");
        return;
    }
    wr_str(r->w, "LicenseRef-");
    put_reference(r->w, name);
    wr_str(r->w, with[0] ? "-with-" : "");
    put_reference(r->w, with);
}

static void wrap(struct wr *w, size_t from)
{
    wr_str(w, "()");
    if (w->bad)
        return;
    memmove(w->p + from + 1, w->p + from, w->n - from - 2);
    w->p[from] = '(';
    w->p[w->n - 1] = ')';
}

static void read_expression(struct reading *r);

static void read_term(struct reading *r)
{
    if (!is(r->word, "(")) {
        read_licence(r);
        return;
    }
    if (++r->depth > DEPTH_MAX) {
        r->bad = true;
        return;
    }
    size_t from = r->w->n;
    advance(r);
    read_expression(r);
    wrap(r->w, from);
    r->bad |= !is(r->word, ")");
    advance(r);
    r->depth--;
}

/* Terms with operators between; "and" binds tighter than "or", as in SPDX. Returns the number of operators. */
static unsigned read_part(struct reading *r)
{
    unsigned operators = 0;
    read_term(r);
    for (const char *op; !r->bad && (op = operator_of(r->word)); operators++) {
        wr_str(r->w, op);
        advance(r);
        read_term(r);
    }
    return operators;
}

/* copyright-format 1.0 §7.2: an operator behind a comma binds less than all without. */
static void read_expression(struct reading *r)
{
    size_t from = r->w->n;
    unsigned operators = read_part(r);
    while (!r->bad && is(r->word, ",")) {
        advance(r);
        const char *op = operator_of(r->word);
        r->bad |= !op;
        if (operators)
            wrap(r->w, from);
        wr_str(r->w, op ? op : "");
        advance(r);
        size_t part = r->w->n;
        if (read_part(r))
            wrap(r->w, part);
        operators = 1;
    }
}

/* Parentheses come from the words and from commas. */
static bool is_deep(struct bytes expression)
{
    unsigned depth = 0, deepest = 0;
    for (size_t i = 0; i < expression.n; i++) {
        depth += expression.p[i] == '(' ? 1U : 0U;
        depth -= expression.p[i] == ')' ? 1U : 0U;
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest > DEPTH_MAX;
}

bool licence_put(struct wr *w, struct bytes said)
{
    struct reading r = {.rest = said, .w = w};
    size_t start = w->n;
    advance(&r);
    read_expression(&r);
    if (r.bad || r.word.n || w->bad || is_deep((struct bytes){w->p + start, w->n - start})) {
        w->n = w->bad ? w->n : start;
        return false;
    }
    return true;
}

/* ---- sums -------------------------------------------------------------------------------------------------------------------- */

struct licence_sum licence_sum_of(void)
{
    return (struct licence_sum){.said = wr_of((size_t)64 << 10), .expressions = wr_of((size_t)16 << 10)};
}

static bool has_line(const struct wr *w, struct bytes line)
{
    struct bytes rest = wr_view(w);
    while (rest.n)
        if (bytes_equal(bytes_split(&rest, '\n'), line))
            return true;
    return false;
}

/* What is joined by AND alone holds together with the rest anyway. */
static void add_terms(struct licence_sum *s, struct bytes expression)
{
    static const char and[] = " AND ", or[] = " OR ";
    bool simple = !memmem(expression.p, expression.n, or, sizeof or - 1) && !memchr(expression.p, '(', expression.n);
    while (expression.n) {
        const uint8_t *end = simple ? memmem(expression.p, expression.n, and, sizeof and - 1) : NULL;
        size_t n = end ? (size_t)(end - expression.p) : expression.n, taken = end ? n + sizeof and - 1 : n;
        if (!has_line(&s->expressions, (struct bytes){expression.p, n})) {
            wr_bytes(&s->expressions, (struct bytes){expression.p, n});
            wr_str(&s->expressions, "\n");
        }
        expression = (struct bytes){expression.p + taken, expression.n - taken};
    }
}

void licence_sum_add(struct licence_sum *s, struct bytes said)
{
    struct wr one = wr_of((size_t)16 << 10);
    if (s->unknown || has_line(&s->said, said))
        return;
    wr_bytes(&s->said, said);
    wr_str(&s->said, "\n");
    s->unknown = !licence_put(&one, said);
    if (!s->unknown)
        add_terms(s, wr_view(&one));
    s->unknown |= s->said.bad || s->expressions.bad;
    wr_free(&one);
}

void licence_sum_put(struct licence_sum *s, struct wr *w)
{
    struct bytes rest = s->unknown ? (struct bytes){0} : wr_view(&s->expressions);
    for (bool first = true; rest.n; first = false) {
        struct bytes one = bytes_split(&rest, '\n');
        bool choice = memmem(one.p, one.n, " OR ", 4) && (!first || rest.n);
        wr_str(w, first ? "" : " AND ");
        wr_str(w, choice ? "(" : "");
        wr_bytes(w, one);
        wr_str(w, choice ? ")" : "");
    }
}

void licence_sum_free(struct licence_sum *s)
{
    wr_free(&s->said);
    wr_free(&s->expressions);
}
