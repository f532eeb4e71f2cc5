/* value_text - datums as JSON (RFC 7047 section 5.1) and as the words of ovs-vsctl(8).
 *
 * JSON.  A set of exactly one may stand as a bare atom, and is printed so.
 * Text.  Values are tokens between delimiters, a set of integers also takes ranges "1-5".
 */
#include "ovsdb/value.h"
#include <errno.h>
#include <string.h>

enum strictness { STRICT, LOOSE };

static struct dberr *
element_from_json(const struct jv *v, const struct base_type *base, struct symtab *symtab, enum strictness how,
                  union atom *a)
{
    struct dberr *err = atom_from_json(v, base->type, symtab, a);
    return err || how == LOOSE ? err : atom_check(a, base);
}

static struct dberr *
pair_from_json(const struct jv *v, const struct column_type *type, struct symtab *symtab, enum strictness how,
               struct datum_builder *b)
{
    union atom key, value;

    if (v->type != JV_ARRAY || v->n != 2)
        return dberr_syntax(v, NULL, "expected 2-element array");
    struct dberr *err = element_from_json(&v->at[0], &type->key, symtab, how, &key);
    if (!err)
        err = element_from_json(&v->at[1], &type->value, symtab, how, &value);
    if (!err)
        builder_add(b, &key, &value);
    return err;
}

static struct dberr *
members_from_json(const struct jv *inner, const struct column_type *type, struct symtab *symtab, enum strictness how,
                  struct datum_builder *b)
{
    for (size_t i = 0; i < inner->n; i++) {
        struct dberr *err;
        union atom key;
        if (type_is_map(type)) {
            err = pair_from_json(&inner->at[i], type, symtab, how, b);
        } else {
            err = element_from_json(&inner->at[i], &type->key, symtab, how, &key);
            if (!err)
                builder_add(b, &key, NULL);
        }
        if (err)
            return err;
    }
    return NULL;
}

static struct dberr *
count_check(const struct jv *v, const char *class, const struct column_type *type, size_t n)
{
    if (n >= type->n_min && n <= type->n_max)
        return NULL;
    if (type->n_min == 1 && type->n_max == 1)
        return dberr_syntax(v, NULL, "%s must have exactly one member but %zu are present", class, n);
    return dberr_syntax(v, NULL, "%s must have %u to %u members but %zu are present", class, type->n_min, type->n_max,
                        n);
}

static struct dberr *
from_json(const struct jv *v, const struct column_type *type, struct symtab *symtab, enum strictness how,
          const struct datum **out)
{
    bool is_map = type_is_map(type);
    const char *class = is_map ? "map" : "set";

    if (!is_map && !(v->type == JV_ARRAY && v->n && jv_str_eq(&v->at[0], "set"))) {
        union atom a;
        struct dberr *err = element_from_json(v, &type->key, symtab, how, &a);
        if (!err)
            *out = datum_of(&a, type->key.type);
        return err;
    }
    if (v->type != JV_ARRAY || v->n != 2 || !jv_str_eq(&v->at[0], class) || v->at[1].type != JV_ARRAY)
        return dberr_syntax(v, NULL, "expected [\"%s\", <%s>]", class, "array");

    const struct jv *inner = &v->at[1];
    struct dberr *err = how == STRICT ? count_check(v, class, type, inner->n) : NULL;
    if (err)
        return err;
    struct datum_builder b;
    builder_init(&b, type->key.type, type->value.type);
    vec_reserve(&b.keys, inner->n);
    err = members_from_json(inner, type, symtab, how, &b);
    if (!err && datum_build(&b, out))
        err = dberr("ovsdb error", is_map ? "map contains duplicate key" : "set contains duplicate");
    builder_fini(&b);
    return err;
}

struct dberr *
datum_from_json(const struct jv *v, const struct column_type *type, struct symtab *symtab, const struct datum **out)
{
    return from_json(v, type, symtab, STRICT, out);
}

struct dberr *
datum_from_json_loose(const struct jv *v, const struct column_type *type, struct symtab *symtab,
                      const struct datum **out)
{
    return from_json(v, type, symtab, LOOSE, out);
}

struct dberr *
datum_check(const struct datum *d, const struct column_type *type)
{
    for (size_t i = 0; i < d->n; i++) {
        union atom k = datum_key(d, i), v;
        struct dberr *err = atom_check(&k, &type->key);
        if (!err && d->value_type != ATOM_VOID) {
            v = datum_value(d, i);
            err = atom_check(&v, &type->value);
        }
        if (err)
            return err;
    }
    return NULL;
}

void
datum_add_json(struct text *t, const struct datum *d, const struct column_type *type UNUSED)
{
    bool is_map = d->value_type != ATOM_VOID;

    if (d->n == 1 && !is_map) {
        union atom k = datum_key(d, 0);
        atom_add_json(t, &k, d->key_type);
        return;
    }
    text_add(t, is_map ? "[\"map\",[" : "[\"set\",[");
    for (size_t i = 0; i < d->n; i++) {
        union atom k = datum_key(d, i);
        if (i)
            text_addc(t, ',');
        if (is_map)
            text_addc(t, '[');
        atom_add_json(t, &k, d->key_type);
        if (is_map) {
            union atom v = datum_value(d, i);
            text_addc(t, ',');
            atom_add_json(t, &v, d->value_type);
            text_addc(t, ']');
        }
    }
    text_add(t, "]]");
}

struct dberr *
datum_from_jansson(const json_t *j, const struct column_type *type, struct symtab *symtab, const struct datum **out)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    struct jv v = jv_of_jansson(&arena, j);
    return datum_from_json(&v, type, symtab, out);
}

json_t *
datum_to_jansson(const struct datum *d, const struct column_type *type)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    datum_add_json(&t, d, type);
    return jansson_of_text(text_str(&t), t.len);
}

/* ---- words ---- */

static bool
is_delim(char c)
{
    return strchr(":=, []{}!<>", c) != NULL; /* the terminator is one too */
}

static const char *
skip_spaces(const char *p)
{
    return p + strspn(p, " ");
}

int
token_parse(struct arena *arena UNUSED, const char **p, struct text *token, struct why *why)
{
    const char *s = *p, *begin = s;

    if (*s != '"') {
        while (!is_delim(*s))
            s++;
    } else {
        for (s++; *s != '"'; s++) {
            if (*s == '\\' && !*++s)
                return refuse(why, -EINVAL, "%s: backslash at end of argument", begin);
            if (!*s)
                return refuse(why, -EINVAL, "%s: quoted string extends past end of argument", begin);
        }
        s++;
    }
    text_cut(token, 0);
    text_addn(token, begin, s - begin);
    *p = s;
    return 0;
}

/* "3-7": true if 's' has the form of a range. */
static bool
range_parse(const char *s, long long *from, long long *to)
{
    char *end, *last;
    errno = 0;
    *from = strtoll(s, &end, 10);
    if (errno || end == s || *end != '-')
        return false;
    *to = strtoll(end + 1, &last, 10);
    return !errno && last != end + 1 && !*last;
}

#define RANGE_MAX 4096

static int
add_range(const char *token, long long from, long long to, const struct base_type *base, struct datum_builder *b,
          struct why *why)
{
    if (to < from)
        return refuse(why, -EINVAL, "\"%s\" is not a valid range. Range end cannot be before start.", token);
    if (to - from >= RANGE_MAX)
        return refuse(why, -EINVAL, "Range \"%lld-%lld\" is too big. Maximum allowed size is %d.", from, to, RANGE_MAX);
    for (long long i = from; i <= to; i++) {
        union atom a = {.integer = i};
        struct dberr *err = atom_check(&a, base);
        if (err)
            return dberr_refuse(err, -EINVAL, why);
        builder_add(b, &a, NULL);
    }
    return 0;
}

/* One atom, range or pair at *p. */
static int
parse_member(struct arena *arena, const char **p, const struct column_type *type, struct symtab *symtab,
             struct datum_builder *b, struct why *why)
{
    AUTO_TEXT struct text token = TEXT_INIT;
    const char *begin = *p;
    union atom key, value;
    long long from, to;

    int err = token_parse(arena, p, &token, why);
    if (err)
        return err;
    if (type->key.type == ATOM_INTEGER && !type_is_map(type) && range_parse(text_str(&token), &from, &to))
        return add_range(text_str(&token), from, to, &type->key, b, why);
    err = atom_parse(arena, text_str(&token), &type->key, symtab, &key, why);
    if (err)
        return err;
    if (type_is_map(type)) {
        if (**p != '=')
            return refuse(why, -EINVAL, "%s: syntax error at \"%c\" expecting \"=\"", begin, **p);
        ++*p;
        err = token_parse(arena, p, &token, why);
        if (!err)
            err = atom_parse(arena, text_str(&token), &type->value, symtab, &value, why);
        if (err)
            return err;
    }
    builder_add(b, &key, &value);
    return 0;
}

static int
parse_members(struct arena *arena, const char *s, const struct column_type *type, struct symtab *symtab,
              struct datum_builder *b, struct why *why)
{
    bool is_map = type_is_map(type);
    char end = 0;
    const char *p = skip_spaces(s);

    if (*p == (is_map ? '{' : '[')) {
        end = is_map ? '}' : ']';
        p = skip_spaces(p + 1);
    } else if (!*p) {
        return refuse(why, -EINVAL,
                      is_map ? "use \"{}\" to specify the empty map" : "use \"[]\" to specify the empty set");
    }
    while (*p && *p != end) {
        if (is_delim(*p)) {
            AUTO_TEXT struct text english = TEXT_INIT;
            column_type_describe(&english, type);
            return refuse(why, -EINVAL, "%s: unexpected \"%c\" parsing %s", s, *p, text_str(&english));
        }
        int err = parse_member(arena, &p, type, symtab, b, why);
        if (err)
            return err;
        p = skip_spaces(p);
        if (*p == ',')
            p = skip_spaces(p + 1);
    }
    if (*p != end)
        return refuse(why, -EINVAL, "%s: missing \"%c\" at end of data", s, end);
    if (end && *skip_spaces(p + 1))
        return refuse(why, -EINVAL, "%s: trailing garbage after \"%c\"", s, end);
    return 0;
}

static int
parse_counted(struct arena *arena, const char *s, const struct column_type *type, struct symtab *symtab,
              struct datum_builder *b, const struct datum **out, struct why *why)
{
    const char *what = type_is_map(type) ? "pair(s)" : "value(s)";
    int err = parse_members(arena, s, type, symtab, b, why);
    if (err)
        return err;
    if (b->keys.n < type->n_min)
        return refuse(why, -EINVAL, "%s: %u %s specified but the minimum number is %u", s, (unsigned) b->keys.n, what,
                      type->n_min);
    if (b->keys.n > type->n_max)
        return refuse(why, -EINVAL, "%s: %u %s specified but the maximum number is %u", s, (unsigned) b->keys.n, what,
                      type->n_max);
    if (datum_build(b, out))
        return refuse(why, -EINVAL,
                      type_is_map(type) ? "%s: map contains duplicate key" : "%s: set contains duplicate value", s);
    return 0;
}

int
datum_parse(const char *s, const struct column_type *type, struct symtab *symtab, const struct datum **out,
            struct why *why)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    struct datum_builder b;

    builder_init(&b, type->key.type, type->value.type);
    int err = parse_counted(&arena, s, type, symtab, &b, out, why);
    builder_fini(&b);
    return err;
}

static void
format_members(struct text *t, const struct datum *d, const char *separator,
               void (*format)(struct text *, const union atom *, enum atom_type))
{
    for (size_t i = 0; i < d->n; i++) {
        union atom a = datum_key(d, i);
        if (i)
            text_add(t, separator);
        format(t, &a, d->key_type);
        if (d->value_type != ATOM_VOID) {
            a = datum_value(d, i);
            text_addc(t, '=');
            format(t, &a, d->value_type);
        }
    }
}

void
datum_format(struct text *t, const struct datum *d, const struct column_type *type)
{
    bool is_map = d->value_type != ATOM_VOID, brackets = type->n_max > 1 || !d->n;

    if (brackets)
        text_addc(t, is_map ? '{' : '[');
    format_members(t, d, ", ", atom_format);
    if (brackets)
        text_addc(t, is_map ? '}' : ']');
}

void
datum_format_bare(struct text *t, const struct datum *d)
{
    format_members(t, d, " ", atom_format_bare);
}
