#include "pkg/internal.h"

/* apk-package(5): digits{.digits}[letter]{_suffix[digits]}[~hash][-rdigits], the order of apk-tools 3. What departs
 * from that grammar is compared octet by octet from there on. */

/* In the order in which they may stand; of two versions that are equal so far the one that has the later token, or
 * none, is older. */
enum token { FIRST, DIGITS, LETTER, SUFFIX, SUFFIX_NUMBER, HASH, REVISION, END, INVALID };

struct parts {
    struct bytes rest, value;
    enum token token;
    int suffix;
};

/* Those before the empty one come before the release, the others after it. */
static const char *const suffixes[] = {"alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p"};
enum { NO_SUFFIX = 4 };

static bool is_lower(uint8_t c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_hex(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f');
}

static int suffix_find(struct bytes word)
{
    for (int i = 0; i < (int)ARRAY_LENGTH(suffixes); i++)
        if (i != NO_SUFFIX && bytes_equal(word, bytes_of(suffixes[i])))
            return i;
    return -1;
}

/* Takes `mark` and the characters behind it as the value of a token that may follow the last one. */
static bool take(struct parts *p, enum token token, struct bytes mark, bool (*is)(uint8_t))
{
    if (p->token >= token && !(p->token == token && (token == DIGITS || token == SUFFIX)) &&
        !(token == SUFFIX && p->token == SUFFIX_NUMBER))
        return false;
    if (!bytes_starts(p->rest, mark))
        return false;
    struct bytes rest = {p->rest.p + mark.n, p->rest.n - mark.n};
    p->value = span_cut(&rest, is);
    if (p->value.n == 0)
        return false;
    p->suffix = token == SUFFIX ? suffix_find(p->value) : NO_SUFFIX;
    if (p->suffix < 0)
        return false;
    p->rest = rest;
    p->token = token;
    return true;
}

static bool take_letter(struct parts *p)
{
    if (p->token >= LETTER || !is_lower(p->rest.p[0]))
        return false;
    p->value = (struct bytes){p->rest.p++, 1};
    p->rest.n--;
    p->token = LETTER;
    return true;
}

static void next(struct parts *p)
{
    if (p->rest.n == 0) {
        p->token = p->token == INVALID ? INVALID : END;
        p->value = p->rest;
        return;
    }
    if ((p->token == SUFFIX && take(p, SUFFIX_NUMBER, BYTES(""), is_digit)) || take(p, DIGITS, BYTES("."), is_digit) ||
        take_letter(p) || take(p, SUFFIX, BYTES("_"), is_lower) || take(p, HASH, BYTES("~"), is_hex) ||
        take(p, REVISION, BYTES("-r"), is_digit))
        return;
    p->token = INVALID;
    p->value = p->rest;
    p->rest.n = 0;
}

static struct parts first(struct bytes v)
{
    struct parts p = {.rest = v, .token = FIRST};
    p.value = span_cut(&p.rest, is_digit);
    if (p.value.n == 0) {
        p.token = INVALID;
        p.value = v;
        p.rest.n = 0;
    }
    return p;
}

static int text_compare(struct bytes a, struct bytes b)
{
    int order = bytes_compare(a, b);
    return (order > 0) - (order < 0);
}

static int value_compare(const struct parts *a, const struct parts *b)
{
    switch (a->token) {
    case SUFFIX:
        return (a->suffix > b->suffix) - (a->suffix < b->suffix);
    case DIGITS: /* behind a point, digits that begin with 0 are a fraction */
        if (a->value.p[0] == '0' || b->value.p[0] == '0')
            return text_compare(a->value, b->value);
        return number_compare(a->value, b->value);
    case FIRST:
    case SUFFIX_NUMBER:
    case REVISION:
        return number_compare(a->value, b->value);
    default:
        return text_compare(a->value, b->value);
    }
}

static int version_compare(struct bytes a, struct bytes b)
{
    struct parts x = first(a), y = first(b);
    while (x.token == y.token && x.token != END) {
        int order = value_compare(&x, &y);
        if (order || x.token == INVALID)
            return order;
        next(&x);
        next(&y);
    }
    if (x.token == y.token)
        return 0;
    if (x.token == SUFFIX && x.suffix < NO_SUFFIX)
        return -1;
    if (y.token == SUFFIX && y.suffix < NO_SUFFIX)
        return 1;
    return x.token > y.token ? -1 : 1;
}

static const char *version_fault(struct bytes v)
{
    struct parts p = first(v);
    while (p.token != END && p.token != INVALID)
        next(&p);
    return p.token == END ? NULL : "not digits{.digits}[letter]{_suffix[digits]}[~hash][-rdigits]";
}

const struct pkg_order apk_order = {"apk", version_compare, version_fault};
