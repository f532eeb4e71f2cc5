/* atom - single values: order, JSON and text.  See the header. */
#include "ovsdb/atom.h"
#include "base/hash.h"
#include "base/mem.h"
#include "ovsdb/type.h"
#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[ATOM_N_TYPES] = {"void", "integer", "real", "boolean", "string", "uuid"};

const char *
atom_type_name(enum atom_type type)
{
    return type_names[type];
}

bool
atom_type_parse(const char *s, enum atom_type *type)
{
    for (enum atom_type t = ATOM_INTEGER; t < ATOM_N_TYPES; t++)
        if (!strcmp(s, type_names[t])) {
            *type = t;
            return true;
        }
    return false;
}

int
atom_cmp(const union atom *a, const union atom *b, enum atom_type type)
{
    switch (type) {
    case ATOM_INTEGER:
        return a->integer < b->integer ? -1 : a->integer > b->integer;
    case ATOM_REAL:
        return a->real < b->real ? -1 : a->real > b->real;
    case ATOM_BOOLEAN:
        return a->boolean - b->boolean;
    case ATOM_STRING: {
        int cmp = memcmp(a->string.s, b->string.s, MIN(a->string.len, b->string.len));
        return cmp ? cmp : a->string.len < b->string.len ? -1 : a->string.len > b->string.len;
    }
    case ATOM_UUID:
        return uuid_cmp(&a->uuid, &b->uuid);
    default:
        NOT_REACHED();
    }
}

uint64_t
atom_hash(const union atom *a, enum atom_type type, uint64_t basis)
{
    switch (type) {
    case ATOM_INTEGER:
        return hash_u64((uint64_t) a->integer, basis);
    case ATOM_REAL: {
        double d = a->real == 0 ? 0 : a->real; /* one zero */
        return hash_bytes64(&d, sizeof d, basis);
    }
    case ATOM_BOOLEAN:
        return hash_u64(a->boolean, basis);
    case ATOM_STRING:
        return hash_bytes64(a->string.s, a->string.len, basis);
    case ATOM_UUID:
        return hash_bytes64(&a->uuid, sizeof a->uuid, basis);
    default:
        NOT_REACHED();
    }
}

bool
atom_is_default(const union atom *a, enum atom_type type)
{
    switch (type) {
    case ATOM_INTEGER:
        return a->integer == 0;
    case ATOM_REAL:
        return a->real == 0;
    case ATOM_BOOLEAN:
        return !a->boolean;
    case ATOM_STRING:
        return !a->string.len;
    case ATOM_UUID:
        return uuid_is_zero(&a->uuid);
    default:
        NOT_REACHED();
    }
}

union atom
atom_default(enum atom_type type)
{
    union atom a;
    memset(&a, 0, sizeof a);
    if (type == ATOM_STRING)
        a.string.s = "";
    return a;
}

void
symtab_init(struct symtab *t)
{
    hmap_init(&t->symbols);
}

void
symtab_fini(struct symtab *t)
{
    struct symbol *s;
    HMAP_FOR (s, node, &t->symbols) {
        hmap_remove(&t->symbols, &s->node);
        free(s->name);
        free(s);
    }
    hmap_fini(&t->symbols);
}

struct symbol *
symtab_find(const struct symtab *t, const char *name)
{
    struct symbol *s;
    HMAP_FOR_HASH (s, node, hash_str(name), &t->symbols)
        if (!strcmp(s->name, name))
            return s;
    return NULL;
}

struct symbol *
symtab_get(struct symtab *t, const char *name)
{
    struct symbol *s = symtab_find(t, name);
    if (!s) {
        s = xzalloc(sizeof *s);
        s->name = xstrdup(name);
        s->uuid = uuid_random();
        hmap_insert(&t->symbols, &s->node, hash_str(name));
    }
    return s;
}

/* ["class", "text"] */
static const struct jv *
unwrap_string(const struct jv *v, const char *class)
{
    if (v->type != JV_ARRAY || v->n != 2 || !jv_str_eq(&v->at[0], class) || v->at[1].type != JV_STRING)
        return NULL;
    return &v->at[1];
}

static struct dberr *
uuid_from_json(const struct jv *v, struct symtab *symtab, struct uuid *u)
{
    const struct jv *s = unwrap_string(v, "uuid");
    if (s) {
        if (!uuid_parse_n(s->s, s->n, u))
            return dberr_syntax(v, NULL, "\"%s\" is not a valid UUID", s->s);
        return NULL;
    }
    s = symtab ? unwrap_string(v, "named-uuid") : NULL;
    if (!s)
        return dberr_syntax(v, NULL, "expected [\"%s\", <%s>]", "uuid", "string");
    if (!id_is_valid(s->s))
        return dberr_syntax(v, NULL, "named-uuid string is not a valid <id>");
    *u = symtab_get(symtab, s->s)->uuid;
    return NULL;
}

struct dberr *
atom_from_json(const struct jv *v, enum atom_type type, struct symtab *symtab, union atom *a)
{
    switch (type) {
    case ATOM_INTEGER:
        if (v->type == JV_INT) {
            a->integer = v->i;
            return NULL;
        }
        break;
    case ATOM_REAL:
        if (v->type == JV_INT || v->type == JV_REAL) {
            a->real = v->type == JV_INT ? (double) v->i : v->r;
            return NULL;
        }
        break;
    case ATOM_BOOLEAN:
        if (v->type == JV_TRUE || v->type == JV_FALSE) {
            a->boolean = v->type == JV_TRUE;
            return NULL;
        }
        break;
    case ATOM_STRING:
        if (v->type == JV_STRING) {
            a->string.s = v->s;
            a->string.len = v->n;
            return NULL;
        }
        break;
    case ATOM_UUID:
        return uuid_from_json(v, symtab, &a->uuid);
    default:
        NOT_REACHED();
    }
    return dberr_syntax(v, NULL, "expected %s", type_names[type]);
}

void
atom_add_json(struct text *t, const union atom *a, enum atom_type type)
{
    switch (type) {
    case ATOM_INTEGER:
        json_add_int(t, a->integer);
        break;
    case ATOM_REAL:
        json_add_real(t, a->real);
        break;
    case ATOM_BOOLEAN:
        text_add(t, a->boolean ? "true" : "false");
        break;
    case ATOM_STRING:
        json_add_string(t, a->string.s, a->string.len);
        break;
    case ATOM_UUID: {
        char buf[UUID_LEN + 12] = "[\"uuid\",\"", *end = uuid_put(buf + 9, &a->uuid);
        *end++ = '"';
        *end++ = ']';
        text_addn(t, buf, end - buf);
        break;
    }
    default:
        NOT_REACHED();
    }
}

static int
parse_string(struct arena *arena, const char *s, union atom *a, struct why *why)
{
    size_t n = strlen(s);

    if (!n)
        return refuse(why, -EINVAL, "An empty string is not valid as input; use \"\" to represent the empty string");
    if (*s == '"') {
        struct jv v;
        struct why inner;
        if (n < 2 || s[n - 1] != '"')
            return refuse(why, -EINVAL, "%s: missing quote at end of quoted string", s);
        if (jv_parse_copy(arena, s, n, &v, &inner) || v.type != JV_STRING)
            return refuse(why, -EINVAL, "%s: %s", s, "malformed quoted string");
        a->string.s = v.s;
        a->string.len = v.n;
        return 0;
    }
    a->string.s = arena_strn(arena, s, n);
    a->string.len = n;
    return 0;
}

static bool
parse_boolean(const char *s, bool *b)
{
    static const char *const yes[] = {"true", "yes", "on", "1"}, *const no[] = {"false", "no", "off", "0"};
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        if (!strcmp(s, yes[i]) || !strcmp(s, no[i])) {
            *b = !strcmp(s, yes[i]);
            return true;
        }
    }
    return false;
}

static int
parse_unchecked(struct arena *arena, const char *s, enum atom_type type, struct symtab *symtab, union atom *a,
                struct why *why)
{
    char *end;

    switch (type) {
    case ATOM_INTEGER:
        errno = 0;
        a->integer = strtoll(s, &end, 10);
        if (errno || end == s || *end || isspace((unsigned char) *s))
            return refuse(why, -EINVAL, "\"%s\" is not a valid integer or range", s);
        return 0;
    case ATOM_REAL:
        errno = 0;
        a->real = strtod(s, &end);
        if (errno || end == s || *end || !isfinite(a->real) || isspace((unsigned char) *s))
            return refuse(why, -EINVAL, "\"%s\" is not a valid real number", s);
        if (a->real == 0)
            a->real = 0; /* no negative zero */
        return 0;
    case ATOM_BOOLEAN:
        if (!parse_boolean(s, &a->boolean))
            return refuse(why, -EINVAL, "\"%s\" is not a valid boolean (use \"true\" or \"false\")", s);
        return 0;
    case ATOM_STRING:
        return parse_string(arena, s, a, why);
    case ATOM_UUID:
        if (*s == '@' && symtab) {
            struct symbol *sym = symtab_get(symtab, s);
            a->uuid = sym->uuid;
            return 0;
        }
        if (!uuid_parse(s, &a->uuid))
            return refuse(why, -EINVAL, "\"%s\" is not a valid UUID", s);
        return 0;
    default:
        NOT_REACHED();
    }
}

int
atom_parse(struct arena *arena, const char *s, const struct base_type *base, struct symtab *symtab, union atom *out,
           struct why *why)
{
    union atom a = atom_default(base->type);
    int err = parse_unchecked(arena, s, base->type, symtab, &a, why);
    if (err)
        return err;
    struct dberr *e = atom_check(&a, base);
    if (e)
        return dberr_refuse(e, -EINVAL, why);
    if (base->type == ATOM_UUID && *s == '@' && symtab && base_type_is_ref(base, true))
        symtab_get(symtab, s)->weak_ref = true;
    else if (base->type == ATOM_UUID && *s == '@' && symtab && base_type_is_ref(base, false))
        symtab_get(symtab, s)->strong_ref = true;
    *out = a;
    return 0;
}

static bool
needs_quotes(const char *s)
{
    struct uuid u;
    unsigned char c = *s;

    if (!isalpha(c) && c != '_')
        return true;
    for (const char *p = s; (c = *p) != '\0'; p++)
        if (!isalnum(c) && c != '_' && c != '-' && c != '.')
            return true;
    return !strcmp(s, "true") || !strcmp(s, "false") || uuid_parse(s, &u);
}

void
atom_format(struct text *t, const union atom *a, enum atom_type type)
{
    if (type == ATOM_STRING && needs_quotes(a->string.s))
        json_add_string(t, a->string.s, a->string.len);
    else
        atom_format_bare(t, a, type);
}

void
atom_format_bare(struct text *t, const union atom *a, enum atom_type type)
{
    char buf[UUID_LEN];

    switch (type) {
    case ATOM_STRING:
        text_addn(t, a->string.s, a->string.len);
        break;
    case ATOM_UUID:
        uuid_put(buf, &a->uuid);
        text_addn(t, buf, sizeof buf);
        break;
    case ATOM_REAL:
        text_addf(t, "%.*g", DBL_DIG, a->real);
        break;
    default:
        atom_add_json(t, a, type);
    }
}

bool
id_is_valid(const char *s)
{
    if (!isalpha((unsigned char) *s) && *s != '_')
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char) *s) && *s != '_')
            return false;
    return true;
}
