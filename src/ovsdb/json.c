/* json - one pass over the text, values on a stack until their container ends, then side by side in the arena.
 *
 * Strings are unescaped where they stand: the text only ever gets shorter, and the closing quote makes room for the terminator.
 * Recursion is bounded by the caller's depth.  An error remembers where; line and column are counted only then.
 */
#include "ovsdb/json.h"
#include "base/mem.h"
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct arena *arena;
    char *begin, *at, *end;
    unsigned depth, max_depth;
    struct jv *stack; /* finished children of the containers that are still open */
    size_t n, room;
    struct jv first[128]; /* the stack until it grows */
    struct why *why;
    int err;
};

static int
bad(struct reader *r, const char *where, const char *fmt, ...)
{
    int line = 1, column = 0;
    char text[160];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    for (const char *p = r->begin; p < where; p++) {
        column++;
        if (*p == '\n') {
            line++;
            column = 0;
        }
    }
    r->err = refuse(r->why, -EBADMSG, "line %d, column %d, byte %d: %s", line, column, (int) (where - r->begin), text);
    return r->err;
}

static inline void
skip_space(struct reader *r)
{
    while (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r')
        r->at++;
}

static void
push(struct reader *r, const struct jv *v)
{
    if (unlikely(r->n == r->room)) {
        size_t room = r->room * 2;
        struct jv *bigger = xmalloc(room * sizeof *bigger);
        memcpy(bigger, r->stack, r->n * sizeof *bigger);
        if (r->stack != r->first)
            free(r->stack);
        r->stack = bigger;
        r->room = room;
    }
    r->stack[r->n++] = *v;
}

static int
hex4(const char *p)
{
    int v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

static char *
put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = c;
    } else if (c < 0x800) {
        *to++ = 0xc0 | c >> 6;
        *to++ = 0x80 | (c & 0x3f);
    } else if (c < 0x10000) {
        *to++ = 0xe0 | c >> 12;
        *to++ = 0x80 | (c >> 6 & 0x3f);
        *to++ = 0x80 | (c & 0x3f);
    } else {
        *to++ = 0xf0 | c >> 18;
        *to++ = 0x80 | (c >> 12 & 0x3f);
        *to++ = 0x80 | (c >> 6 & 0x3f);
        *to++ = 0x80 | (c & 0x3f);
    }
    return to;
}

/* r->at stands behind "\u".  Writes the character at 'to'. */
static char *
read_u(struct reader *r, char *to)
{
    if (r->end - r->at < 4)
        return bad(r, r->at, "quoted string ends within \\u escape"), NULL;
    int c = hex4(r->at);
    if (c < 0)
        return bad(r, r->at, "malformed \\u escape"), NULL;
    r->at += 4;
    if (c == 0)
        return bad(r, r->at, "null bytes not supported in quoted strings"), NULL;
    uint32_t code = c;
    if (c >= 0xd800 && c < 0xdc00) {
        if (r->end - r->at < 6 || r->at[0] != '\\' || r->at[1] != 'u')
            return bad(r, r->at, "malformed escaped surrogate pair"), NULL;
        int low = hex4(r->at + 2);
        if (low < 0xdc00 || low >= 0xe000)
            return bad(r, r->at, "second half of escaped surrogate pair is not trailing surrogate"), NULL;
        r->at += 6;
        code = 0x10000 + ((uint32_t) (c - 0xd800) << 10) + (low - 0xdc00);
    } else if (c >= 0xdc00 && c < 0xe000) {
        return bad(r, r->at, "malformed escaped surrogate pair"), NULL;
    }
    return put_utf8(to, code);
}

static int
read_string(struct reader *r, struct jv *v)
{
    static const char named[128] = {
        ['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'};
    char *start = ++r->at, *to;

    while ((unsigned char) *r->at >= 0x20 && *r->at != '"' && *r->at != '\\')
        r->at++;
    to = r->at;
    while (*r->at != '"') {
        unsigned char c = *r->at;
        if (c < 0x20) {
            if (r->at >= r->end)
                return bad(r, r->at, "unexpected end of input in quoted string");
            return bad(r, r->at, "U+%04X must be escaped in quoted string", c);
        }
        if (c != '\\') {
            *to++ = c;
            r->at++;
            continue;
        }
        r->at++;
        c = *r->at;
        if (c == 'u') {
            r->at++;
            to = read_u(r, to);
            if (!to)
                return r->err;
        } else if (c < 128 && named[c]) {
            *to++ = named[c];
            r->at++;
        } else if (r->at >= r->end) {
            return bad(r, r->at, "unexpected end of input in quoted string");
        } else {
            return bad(r, r->at, "bad escape \\%c", c);
        }
    }
    r->at++;
    *to = '\0';
    *v = (struct jv){.n = (uint32_t) (to - start), .type = JV_STRING, .s = start};
    return 0;
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int
read_number(struct reader *r, struct jv *v)
{
    char *start = r->at;
    bool negative = *r->at == '-', whole = true, fits = true;
    uint64_t sum = 0;

    if (negative)
        r->at++;
    if (!is_digit(*r->at))
        return bad(r, r->at, "'-' must be followed by digit");
    if (*r->at == '0' && is_digit(r->at[1]))
        return bad(r, r->at, "leading zeros not allowed");
    for (; is_digit(*r->at); r->at++)
        if (__builtin_mul_overflow(sum, 10, &sum) || __builtin_add_overflow(sum, (uint64_t) (*r->at - '0'), &sum))
            fits = false;
    if (*r->at == '.') {
        whole = false;
        if (!is_digit(*++r->at))
            return bad(r, r->at, "decimal point must be followed by digit");
        while (is_digit(*r->at))
            r->at++;
    }
    if (*r->at == 'e' || *r->at == 'E') {
        whole = false;
        r->at++;
        if (*r->at == '+' || *r->at == '-')
            r->at++;
        if (!is_digit(*r->at))
            return bad(r, r->at, "exponent must contain at least one digit");
        while (is_digit(*r->at))
            r->at++;
    }
    if (whole && fits && sum <= (uint64_t) INT64_MAX + negative) {
        *v = (struct jv){.type = JV_INT, .i = negative ? (int64_t) (0 - sum) : (int64_t) sum};
        return 0;
    }
    char saved = *r->at;
    *r->at = '\0';
    double d = strtod(start, NULL);
    *r->at = saved;
    if (!isfinite(d))
        return bad(r, start, "number outside valid range");
    if (!whole && d == floor(d) && fabs(d) < 9007199254740992.0)
        *v = (struct jv){.type = JV_INT, .i = (int64_t) d};
    else
        *v = (struct jv){.type = JV_REAL, .r = d};
    return 0;
}

static int read_value(struct reader *, struct jv *);

/* The children since 'base' become the body of a container. */
static void
close_container(struct reader *r, size_t base, enum jv_type type, struct jv *v)
{
    size_t n = r->n - base;
    *v = (struct jv){.type = type, .n = (uint32_t) (type == JV_OBJECT ? n / 2 : n), .at = NULL};
    if (n)
        v->at = arena_dup(r->arena, r->stack + base, n * sizeof *r->stack);
    r->n = base;
}

static int
read_array(struct reader *r, struct jv *v)
{
    size_t base = r->n;
    struct jv child;

    r->at++;
    skip_space(r);
    if (*r->at == ']') {
        r->at++;
        close_container(r, base, JV_ARRAY, v);
        return 0;
    }
    for (;;) {
        if (read_value(r, &child))
            return r->err;
        push(r, &child);
        skip_space(r);
        if (*r->at == ']')
            break;
        if (*r->at != ',')
            return bad(r, r->at, r->at >= r->end ? "unexpected end of input" : "syntax error expecting ']' or ','");
        r->at++;
    }
    r->at++;
    close_container(r, base, JV_ARRAY, v);
    return 0;
}

static int
read_object(struct reader *r, struct jv *v)
{
    size_t base = r->n;
    struct jv child;

    r->at++;
    skip_space(r);
    if (*r->at == '}') {
        r->at++;
        close_container(r, base, JV_OBJECT, v);
        return 0;
    }
    for (;;) {
        skip_space(r);
        if (*r->at != '"')
            return bad(r, r->at,
                       r->at >= r->end ? "unexpected end of input" : "syntax error parsing object expecting string");
        if (read_string(r, &child))
            return r->err;
        push(r, &child);
        skip_space(r);
        if (*r->at != ':')
            return bad(r, r->at,
                       r->at >= r->end ? "unexpected end of input" : "syntax error parsing object expecting ':'");
        r->at++;
        if (read_value(r, &child))
            return r->err;
        push(r, &child);
        skip_space(r);
        if (*r->at == '}')
            break;
        if (*r->at != ',')
            return bad(r, r->at, r->at >= r->end ? "unexpected end of input" : "syntax error expecting '}' or ','");
        r->at++;
    }
    r->at++;
    close_container(r, base, JV_OBJECT, v);
    return 0;
}

static int
read_keyword(struct reader *r, struct jv *v)
{
    static const struct {
        const char *word;
        uint8_t len, type;
    } words[] = {{"null", 4, JV_NULL}, {"true", 4, JV_TRUE}, {"false", 5, JV_FALSE}};

    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (r->end - r->at >= words[i].len && !memcmp(r->at, words[i].word, words[i].len)) {
            r->at += words[i].len;
            *v = (struct jv){.type = words[i].type};
            return 0;
        }
    if (r->at >= r->end)
        return bad(r, r->at, "unexpected end of input");
    if ((unsigned char) *r->at < 0x20 || (unsigned char) *r->at >= 0x7f)
        return bad(r, r->at, "invalid character U+%04x", (unsigned char) *r->at);
    return bad(r, r->at, "syntax error expecting value");
}

static int
read_value(struct reader *r, struct jv *v)
{
    int err;

    skip_space(r);
    switch (*r->at) {
    case '"':
        return read_string(r, v);
    case '{':
    case '[':
        if (++r->depth > r->max_depth)
            return bad(r, r->at, "input exceeds maximum nesting depth %u", r->max_depth);
        err = *r->at == '{' ? read_object(r, v) : read_array(r, v);
        r->depth--;
        return err;
    case '-':
    case '0' ... '9':
        return read_number(r, v);
    default:
        return read_keyword(r, v);
    }
}

int
jv_parse(struct arena *arena, char *text, size_t n, unsigned max_depth, struct jv *out, struct why *why)
{
    struct reader r = {.arena = arena, .begin = text, .at = text, .end = text + n, .max_depth = max_depth, .why = why};
    struct jv v;

    text[n] = '\0';
    r.stack = r.first;
    r.room = ARRAY_SIZE(r.first);
    skip_space(&r);
    if (r.at >= r.end)
        bad(&r, r.at, "empty input stream");
    else if (!read_value(&r, &v)) {
        skip_space(&r);
        if (r.at < r.end)
            bad(&r, r.at, "trailing garbage at end of input");
    }
    if (r.stack != r.first)
        free(r.stack);
    if (!r.err)
        *out = v;
    return r.err;
}

int
jv_parse_copy(struct arena *arena, const char *text, size_t n, struct jv *out, struct why *why)
{
    return jv_parse(arena, arena_strn(arena, text, n), n, JSON_MAX_DEPTH, out, why);
}

int
jv_parse_file(struct arena *arena, const char *path, struct jv *out, struct why *why)
{
    FILE *f = fopen(path, "r");
    AUTO_TEXT struct text t = TEXT_INIT;
    char buf[8192];
    size_t n;

    if (!f)
        return refuse(why, -errno, "error opening \"%s\": %s", path, strerror(errno));
    while ((n = fread(buf, 1, sizeof buf, f)) > 0)
        text_addn(&t, buf, n);
    int err = ferror(f) ? -EIO : 0;
    fclose(f);
    if (err)
        return refuse(why, err, "error reading \"%s\": %s", path, strerror(-err));
    return jv_parse_copy(arena, text_str(&t), t.len, out, why);
}

const struct jv *
jv_get(const struct jv *object, const char *key)
{
    if (!object || object->type != JV_OBJECT)
        return NULL;
    size_t len = strlen(key);
    for (size_t i = object->n; i-- > 0;) {
        const struct jv *k = &object->at[2 * i];
        if (k->n == len && !memcmp(k->s, key, len))
            return k + 1;
    }
    return NULL;
}

bool
jv_str_eq(const struct jv *v, const char *s)
{
    return v && v->type == JV_STRING && !strcmp(v->s, s);
}

bool
jv_equal(const struct jv *a, const struct jv *b)
{
    if (a->type != b->type) /* a large real may be printed without a point */
        return (a->type == JV_INT && b->type == JV_REAL && (double) a->i == b->r) ||
               (a->type == JV_REAL && b->type == JV_INT && a->r == (double) b->i);
    switch (a->type) {
    case JV_INT:
        return a->i == b->i;
    case JV_REAL:
        return a->r == b->r;
    case JV_STRING:
        return a->n == b->n && !memcmp(a->s, b->s, a->n);
    case JV_ARRAY:
        if (a->n != b->n)
            return false;
        for (size_t i = 0; i < a->n; i++)
            if (!jv_equal(&a->at[i], &b->at[i]))
                return false;
        return true;
    case JV_OBJECT:
        if (a->n != b->n)
            return false;
        for (size_t i = 0; i < a->n; i++) {
            const struct jv *mine = jv_get(a, a->at[2 * i].s),
                            *other = jv_get(b, a->at[2 * i].s); /* the last of a name */
            if (!other || !jv_equal(mine, other))
                return false;
        }
        return true;
    default:
        return true;
    }
}

const char *
jv_type_name(enum jv_type type)
{
    static const char *const names[] = {"null", "false", "true", "number", "number", "string", "array", "object"};
    return names[type];
}

struct jv
jv_string(const char *s)
{
    return (struct jv){.type = JV_STRING, .n = (uint32_t) strlen(s), .s = s};
}

struct jv
jv_int(int64_t i)
{
    return (struct jv){.type = JV_INT, .i = i};
}

struct jv
jv_copy(struct arena *arena, const struct jv *from)
{
    struct jv v = *from;
    if (v.type == JV_STRING) {
        v.s = arena_strn(arena, v.s, v.n);
    } else if ((v.type == JV_ARRAY || v.type == JV_OBJECT) && v.n) {
        size_t n = v.type == JV_OBJECT ? 2 * (size_t) v.n : v.n;
        struct jv *at = arena_alloc(arena, n * sizeof *at);
        for (size_t i = 0; i < n; i++)
            at[i] = jv_copy(arena, &v.at[i]);
        v.at = at;
    }
    return v;
}

void
json_add_int(struct text *t, int64_t i)
{
    char buf[24], *p = buf + sizeof buf;
    uint64_t u = i < 0 ? 0 - (uint64_t) i : (uint64_t) i;
    do
        *--p = '0' + u % 10;
    while (u /= 10);
    if (i < 0)
        *--p = '-';
    text_addn(t, p, buf + sizeof buf - p);
}

void
json_add_real(struct text *t, double d)
{
    char buf[40];
    if (d == floor(d) && fabs(d) < 9007199254740992.0) {
        json_add_int(t, (int64_t) d);
        return;
    }
    snprintf(buf, sizeof buf, "%.*g", DBL_DIG, d);
    if (strtod(buf, NULL) != d)
        snprintf(buf, sizeof buf, "%.*g", DBL_DIG + 2, d);
    text_add(t, buf);
}

enum style { COMPACT, SORTED, PRETTY };

static int
cmp_members(const void *a_, const void *b_)
{
    const struct jv *const *a = a_, *const *b = b_;
    return strcmp((*a)->s, (*b)->s);
}

static void
new_line(struct text *t, enum style style, unsigned indent)
{
    if (style == PRETTY) {
        text_addc(t, '\n');
        text_pad(t, ' ', t->len + indent);
    }
}

static void add_value(struct text *, const struct jv *, enum style, unsigned indent);

static void
add_object(struct text *t, const struct jv *v, enum style style, unsigned indent)
{
    const struct jv **order = NULL;

    if (style != COMPACT) {
        order = xmalloc((v->n + 1) * sizeof *order);
        for (size_t i = 0; i < v->n; i++)
            order[i] = &v->at[2 * i];
        qsort(order, v->n, sizeof *order, cmp_members);
    }
    text_addc(t, '{');
    for (size_t i = 0; i < v->n; i++) {
        const struct jv *key = order ? order[i] : &v->at[2 * i];
        if (i)
            text_addc(t, ',');
        new_line(t, style, indent + 2);
        json_add_string(t, key->s, key->n);
        text_addc(t, ':');
        if (style == PRETTY)
            text_addc(t, ' ');
        add_value(t, key + 1, style, indent + 2);
    }
    text_addc(t, '}');
    free(order);
}

static void
add_value(struct text *t, const struct jv *v, enum style style, unsigned indent)
{
    static const char *const words[] = {"null", "false", "true"};

    switch ((enum jv_type) v->type) {
    case JV_NULL:
    case JV_FALSE:
    case JV_TRUE:
        text_add(t, words[v->type]);
        break;
    case JV_INT:
        json_add_int(t, v->i);
        break;
    case JV_REAL:
        json_add_real(t, v->r);
        break;
    case JV_STRING:
        json_add_string(t, v->s, v->n);
        break;
    case JV_ARRAY:
        text_addc(t, '[');
        for (size_t i = 0; i < v->n; i++) {
            if (i)
                text_addc(t, ',');
            new_line(t, style, indent + 2);
            add_value(t, &v->at[i], style, indent + 2);
        }
        text_addc(t, ']');
        break;
    case JV_OBJECT:
        add_object(t, v, style, indent);
        break;
    }
}

void
jv_add(struct text *t, const struct jv *v)
{
    add_value(t, v, COMPACT, 0);
}

void
jv_add_sorted(struct text *t, const struct jv *v)
{
    add_value(t, v, SORTED, 0);
}

void
jv_add_pretty(struct text *t, const struct jv *v)
{
    add_value(t, v, PRETTY, 0);
}

struct jv
jv_of_jansson(struct arena *arena, const json_t *j)
{
    switch (json_typeof(j)) {
    case JSON_NULL:
        return (struct jv){.type = JV_NULL};
    case JSON_TRUE:
        return (struct jv){.type = JV_TRUE};
    case JSON_FALSE:
        return (struct jv){.type = JV_FALSE};
    case JSON_INTEGER:
        return jv_int(json_integer_value(j));
    case JSON_REAL:
        return (struct jv){.type = JV_REAL, .r = json_real_value(j)};
    case JSON_STRING:
        return (struct jv){.type = JV_STRING, .n = (uint32_t) json_string_length(j), .s = json_string_value(j)};
    case JSON_ARRAY: {
        size_t n = json_array_size(j);
        struct jv *at = arena_alloc(arena, n * sizeof *at);
        for (size_t i = 0; i < n; i++)
            at[i] = jv_of_jansson(arena, json_array_get(j, i));
        return (struct jv){.type = JV_ARRAY, .n = (uint32_t) n, .at = at};
    }
    case JSON_OBJECT: {
        size_t n = json_object_size(j), i = 0;
        struct jv *at = arena_alloc(arena, 2 * n * sizeof *at);
        const char *key;
        json_t *value;
        json_object_foreach((json_t *) (uintptr_t) j, key, value)
        {
            at[i++] = jv_string(key);
            at[i++] = jv_of_jansson(arena, value);
        }
        return (struct jv){.type = JV_OBJECT, .n = (uint32_t) n, .at = at};
    }
    }
    NOT_REACHED();
}

json_t *
jansson_of_jv(const struct jv *v)
{
    json_t *j;

    switch ((enum jv_type) v->type) {
    case JV_NULL:
        return json_null();
    case JV_FALSE:
        return json_false();
    case JV_TRUE:
        return json_true();
    case JV_INT:
        return json_integer(v->i);
    case JV_REAL:
        return json_real(v->r);
    case JV_STRING:
        j = json_stringn_nocheck(v->s, v->n);
        return j ? j : json_null();
    case JV_ARRAY:
        j = json_array();
        for (size_t i = 0; i < v->n; i++)
            json_array_append_new(j, jansson_of_jv(&v->at[i]));
        return j;
    case JV_OBJECT:
        j = json_object();
        for (size_t i = 0; i < v->n; i++)
            json_object_set_new_nocheck(j, v->at[2 * i].s, jansson_of_jv(&v->at[2 * i + 1]));
        return j;
    }
    NOT_REACHED();
}

json_t *
jansson_of_text(const char *text, size_t n)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    struct jv v;
    return jv_parse_copy(&arena, text, n, &v, NULL) ? NULL : jansson_of_jv(&v);
}
