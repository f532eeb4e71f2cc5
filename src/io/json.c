/* json - see the header.
 *
 * Why not jansson's own printer: it guards against loops by keeping a hash table of the printed containers' addresses, and
 * calls back for every token.  A value that came from a parser or was built from parts cannot contain itself.
 */
#include "io/json.h"
#include "base/mem.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- value to text ---- */

static inline void
put(struct text *out, const char *bytes, size_t n)
{
    text_reserve(out, n);
    memcpy(out->s + out->len, bytes, n);
    out->len += n;
}

static void
add_escape(struct text *out, unsigned char c)
{
    static const char short_ones[32] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    char e[7] = {'\\', c};
    if (c < 32 && short_ones[c])
        e[1] = short_ones[c];
    else if (c < 32)
        snprintf(e, sizeof e, "\\u%04x", c);
    put(out, e, strlen(e));
}

void
json_add_string(struct text *out, const char *s, size_t n)
{
    put(out, "\"", 1);
    for (size_t i = 0, begin = 0; i <= n; i++) {
        unsigned char c = i < n ? s[i] : '"';
        if (likely(c >= 32 && c != '"' && c != '\\'))
            continue;
        put(out, s + begin, i - begin);
        if (i < n)
            add_escape(out, c);
        begin = i + 1;
    }
    text_addc(out, '"'); /* terminates */
}

static void
add_integer(struct text *out, json_int_t value)
{
    char digits[24], *p = digits + sizeof digits;
    unsigned long long u = value < 0 ? 0 - (unsigned long long) value : (unsigned long long) value;
    do
        *--p = '0' + u % 10;
    while (u /= 10);
    if (value < 0)
        *--p = '-';
    put(out, p, digits + sizeof digits - p);
}

static void
add_real(struct text *out, double value)
{
    char s[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, value);
        if (strtod(s, NULL) == value)
            break;
    }
    put(out, s, strlen(s));
    if (value == 0 && signbit(value))
        put(out, ".0", 2); /* "-0" would be read as the whole number 0 */
}

static void add_value(struct text *, const json_t *);

static void
add_array(struct text *out, const json_t *array)
{
    size_t n = json_array_size(array);
    put(out, "[", 1);
    for (size_t i = 0; i < n; i++) {
        if (i)
            put(out, ",", 1);
        add_value(out, json_array_get(array, i));
    }
    put(out, "]", 1);
}

static void
add_object(struct text *out, const json_t *object)
{
    json_t *o = (json_t *) object; /* iterating does not change it, whatever jansson's prototype says */
    put(out, "{", 1);
    for (void *i = json_object_iter(o); i;) {
        const char *key = json_object_iter_key(i);
        json_add_string(out, key, strlen(key));
        put(out, ":", 1);
        add_value(out, json_object_iter_value(i));
        if ((i = json_object_iter_next(o, i)))
            put(out, ",", 1);
    }
    put(out, "}", 1);
}

static void
add_value(struct text *out, const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        add_object(out, v);
        break;
    case JSON_ARRAY:
        add_array(out, v);
        break;
    case JSON_STRING:
        json_add_string(out, json_string_value(v), json_string_length(v));
        break;
    case JSON_INTEGER:
        add_integer(out, json_integer_value(v));
        break;
    case JSON_REAL:
        add_real(out, json_real_value(v));
        break;
    case JSON_TRUE:
        put(out, "true", 4);
        break;
    case JSON_FALSE:
        put(out, "false", 5);
        break;
    case JSON_NULL:
        put(out, "null", 4);
        break;
    }
}

void
json_add_text(struct text *out, const json_t *v)
{
    add_value(out, v);
    text_addn(out, "", 0); /* terminates */
}

/* ---- text to value ---- */

int
json_parse_text(const char *bytes, size_t n, json_t **out, struct why *why)
{
    json_error_t error;
    json_t *v = json_loadb(bytes, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!v)
        return refuse(why, -EBADMSG, "%s at byte %d", error.text, error.position);
    *out = v;
    return 0;
}

/* ---- finding the end ---- */

int
json_split(struct json_splitter *s, const char *bytes, size_t n, size_t *used, bool *done)
{
    const char *p = bytes, *end = bytes + n;
    *done = false;
    while (p < end && !*done) {
        if (s->in_string) {
            if (s->is_escaped) {
                s->is_escaped = false;
                p++;
                continue;
            }
            while (p < end && *p != '"' && *p != '\\')
                p++;
            if (p == end)
                break;
            s->is_escaped = *p == '\\';
            s->in_string = s->is_escaped;
            p++;
            continue;
        }
        switch (*p++) {
        case '{':
        case '[':
            if (++s->depth > s->max_depth)
                return -E2BIG;
            s->has_begun = true;
            break;
        case '}':
        case ']':
            if (!s->has_begun)
                return -EBADMSG;
            *done = --s->depth == 0;
            break;
        case '"':
            s->in_string = true;
            if (!s->has_begun)
                return -EBADMSG;
            break;
        case ' ':
        case '\t':
        case '\r':
        case '\n':
            break;
        default:
            if (!s->has_begun)
                return -EBADMSG;
        }
    }
    if (*done)
        s->has_begun = false;
    *used = p - bytes;
    return 0;
}
