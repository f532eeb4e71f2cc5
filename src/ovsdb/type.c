/* type - base types, column types and their constraints.  See the header. */
#include "ovsdb/type.h"
#include "base/mem.h"
#include "ovsdb/members.h"
#include "ovsdb/value.h"
#include <float.h>
#include <string.h>

#define BASE_INTEGER                                                                                                   \
    {                                                                                                                  \
        .type = ATOM_INTEGER, .integer = { INT64_MIN, INT64_MAX }                                                      \
    }
#define BASE_REAL                                                                                                      \
    {                                                                                                                  \
        .type = ATOM_REAL, .real = { -DBL_MAX, DBL_MAX }                                                               \
    }
#define BASE_BOOLEAN                                                                                                   \
    {                                                                                                                  \
        .type = ATOM_BOOLEAN                                                                                           \
    }
#define BASE_STRING                                                                                                    \
    {                                                                                                                  \
        .type = ATOM_STRING, .string = { 0, UINT_MAX }                                                                 \
    }
#define BASE_UUID                                                                                                      \
    {                                                                                                                  \
        .type = ATOM_UUID                                                                                              \
    }

const struct column_type type_integer = {.key = BASE_INTEGER, .n_min = 1, .n_max = 1};
const struct column_type type_real = {.key = BASE_REAL, .n_min = 1, .n_max = 1};
const struct column_type type_boolean = {.key = BASE_BOOLEAN, .n_min = 1, .n_max = 1};
const struct column_type type_string = {.key = BASE_STRING, .n_min = 1, .n_max = 1};
const struct column_type type_uuid = {.key = BASE_UUID, .n_min = 1, .n_max = 1};
const struct column_type type_string_map = {.key = BASE_STRING, .value = BASE_STRING, .n_max = COUNT_UNLIMITED};
const struct column_type type_string_set = {.key = BASE_STRING, .n_max = COUNT_UNLIMITED};
const struct column_type type_uuid_set = {.key = BASE_UUID, .n_max = COUNT_UNLIMITED};

static const struct base_type base_any[ATOM_N_TYPES] = {
    {.type = ATOM_VOID}, BASE_INTEGER, BASE_REAL, BASE_BOOLEAN, BASE_STRING, BASE_UUID,
};

void
base_type_init(struct base_type *b, enum atom_type type)
{
    *b = base_any[type];
}

void
base_type_fini(struct base_type *b)
{
    datum_unref(b->allowed);
    if (b->type == ATOM_UUID)
        free(b->uuid.table);
    base_type_init(b, ATOM_VOID);
}

void
base_type_copy(struct base_type *to, const struct base_type *from)
{
    *to = *from;
    if (to->allowed)
        datum_ref(to->allowed);
    if (to->type == ATOM_UUID && to->uuid.table)
        to->uuid.table = xstrdup(from->uuid.table);
}

bool
base_type_has_constraints(const struct base_type *b)
{
    if (b->allowed)
        return true;
    switch (b->type) {
    case ATOM_INTEGER:
        return b->integer.min != INT64_MIN || b->integer.max != INT64_MAX;
    case ATOM_REAL:
        return b->real.min != -DBL_MAX || b->real.max != DBL_MAX;
    case ATOM_STRING:
        return b->string.min_len != 0 || b->string.max_len != UINT_MAX;
    case ATOM_UUID:
        return b->uuid.table != NULL;
    default:
        return false;
    }
}

bool
base_type_is_ref(const struct base_type *b, bool weak)
{
    return b->type == ATOM_UUID && b->uuid.table && b->uuid.weak == weak;
}

static struct dberr *
optional_uint(struct members *m, const char *name, unsigned *to)
{
    const struct jv *v = members_get(m, name, M_INTEGER | M_OPTIONAL);
    if (v && (v->i < 0 || v->i > UINT_MAX))
        return dberr_syntax(v, NULL, "%s out of valid range 0 to %u", name, UINT_MAX);
    if (v)
        *to = (unsigned) v->i;
    return NULL;
}

static struct dberr *
integer_range_from_json(struct members *m, const struct jv *v, struct base_type *b)
{
    const struct jv *min = members_get(m, "minInteger", M_INTEGER | M_OPTIONAL);
    const struct jv *max = members_get(m, "maxInteger", M_INTEGER | M_OPTIONAL);
    b->integer.min = min ? min->i : INT64_MIN;
    b->integer.max = max ? max->i : INT64_MAX;
    return b->integer.min > b->integer.max ? dberr_syntax(v, NULL, "minInteger exceeds maxInteger") : NULL;
}

static double
number_of(const struct jv *v)
{
    return v->type == JV_INT ? (double) v->i : v->r;
}

static struct dberr *
real_range_from_json(struct members *m, const struct jv *v, struct base_type *b)
{
    const struct jv *min = members_get(m, "minReal", M_NUMBER | M_OPTIONAL);
    const struct jv *max = members_get(m, "maxReal", M_NUMBER | M_OPTIONAL);
    b->real.min = min ? number_of(min) : -DBL_MAX;
    b->real.max = max ? number_of(max) : DBL_MAX;
    return b->real.min > b->real.max ? dberr_syntax(v, NULL, "minReal exceeds maxReal") : NULL;
}

static struct dberr *
length_range_from_json(struct members *m, const struct jv *v, struct base_type *b)
{
    struct dberr *err = optional_uint(m, "minLength", &b->string.min_len);
    if (!err)
        err = optional_uint(m, "maxLength", &b->string.max_len);
    if (!err && b->string.min_len > b->string.max_len)
        err = dberr_syntax(v, NULL, "minLength exceeds maxLength");
    return err;
}

static struct dberr *
reference_from_json(struct members *m, const struct jv *v, struct base_type *b)
{
    const struct jv *table = members_get(m, "refTable", M_ID | M_OPTIONAL);
    if (!table)
        return NULL;
    b->uuid.table = xstrdup(table->s);
    const struct jv *kind = members_get(m, "refType", M_ID | M_OPTIONAL);
    if (kind && strcmp(kind->s, "strong") && strcmp(kind->s, "weak"))
        return dberr_syntax(v, NULL, "refType must be \"strong\" or \"weak\" (not \"%s\")", kind->s);
    b->uuid.weak = kind && !strcmp(kind->s, "weak");
    return NULL;
}

static struct dberr *
constraints_from_json(struct members *m, const struct jv *v, struct base_type *b)
{
    const struct jv *allowed = members_get(m, "enum", M_ANY | M_OPTIONAL);
    if (allowed) {
        struct column_type set = {.key = base_any[b->type], .n_min = 1, .n_max = COUNT_UNLIMITED};
        return datum_from_json(allowed, &set, NULL, &b->allowed);
    }
    switch (b->type) {
    case ATOM_INTEGER:
        return integer_range_from_json(m, v, b);
    case ATOM_REAL:
        return real_range_from_json(m, v, b);
    case ATOM_STRING:
        return length_range_from_json(m, v, b);
    case ATOM_UUID:
        return reference_from_json(m, v, b);
    default:
        return NULL;
    }
}

static struct dberr *
atom_type_from_json(const struct jv *v, enum atom_type *type)
{
    if (v->type != JV_STRING)
        return dberr_syntax(v, NULL, "atomic-type expected");
    if (!atom_type_parse(v->s, type))
        return dberr_syntax(v, NULL, "\"%s\" is not an atomic-type", v->s);
    return NULL;
}

struct dberr *
base_type_from_json(const struct jv *v, struct base_type *b)
{
    struct members m;
    enum atom_type type = ATOM_VOID;
    struct dberr *err;

    base_type_init(b, ATOM_VOID);
    if (v->type == JV_STRING) {
        err = atom_type_from_json(v, &type);
        if (!err)
            base_type_init(b, type);
        return err;
    }
    members_begin(&m, v, "ovsdb type");
    const struct jv *name = members_get(&m, "type", M_STRING);
    if (!name)
        return members_end(&m);
    err = atom_type_from_json(name, &type);
    if (err) {
        dberr_free(m.err);
        return err;
    }
    base_type_init(b, type);
    err = constraints_from_json(&m, v, b);
    if (err)
        dberr_free(members_end_loose(&m));
    else
        err = members_end(&m);
    if (err)
        base_type_fini(b);
    return err;
}

static void
add_int_member(struct text *t, const char *name, int64_t value)
{
    text_addf(t, ",\"%s\":", name);
    json_add_int(t, value);
}

void
base_type_add_json(struct text *t, const struct base_type *b)
{
    if (!base_type_has_constraints(b)) {
        text_addf(t, "\"%s\"", atom_type_name(b->type));
        return;
    }
    text_addf(t, "{\"type\":\"%s\"", atom_type_name(b->type));
    if (b->allowed) {
        struct column_type set = {.key = base_any[b->type], .n_min = 1, .n_max = COUNT_UNLIMITED};
        text_add(t, ",\"enum\":");
        datum_add_json(t, b->allowed, &set);
    }
    switch (b->type) {
    case ATOM_INTEGER:
        if (b->integer.min != INT64_MIN)
            add_int_member(t, "minInteger", b->integer.min);
        if (b->integer.max != INT64_MAX)
            add_int_member(t, "maxInteger", b->integer.max);
        break;
    case ATOM_REAL:
        if (b->real.min != -DBL_MAX) {
            text_add(t, ",\"minReal\":");
            json_add_real(t, b->real.min);
        }
        if (b->real.max != DBL_MAX) {
            text_add(t, ",\"maxReal\":");
            json_add_real(t, b->real.max);
        }
        break;
    case ATOM_STRING:
        if (b->string.min_len)
            add_int_member(t, "minLength", b->string.min_len);
        if (b->string.max_len != UINT_MAX)
            add_int_member(t, "maxLength", b->string.max_len);
        break;
    case ATOM_UUID:
        if (b->uuid.table)
            text_addf(t, ",\"refTable\":\"%s\"", b->uuid.table);
        if (b->uuid.table && b->uuid.weak)
            text_add(t, ",\"refType\":\"weak\"");
        break;
    default:
        break;
    }
    text_addc(t, '}');
}

static struct dberr *
check_integer(int64_t v, const struct base_type *b)
{
    long long value = v, min = b->integer.min, max = b->integer.max;

    if (value >= min && value <= max)
        return NULL;
    if (min != INT64_MIN && max != INT64_MAX)
        return dberr("constraint violation", "%lld is not in the valid range %lld to %lld (inclusive)", value, min,
                     max);
    if (min != INT64_MIN)
        return dberr("constraint violation", "%lld is less than minimum allowed value %lld", value, min);
    return dberr("constraint violation", "%lld is greater than maximum allowed value %lld", value, max);
}

static struct dberr *
check_real(double v, const struct base_type *b)
{
    double min = b->real.min, max = b->real.max;

    if (v >= min && v <= max)
        return NULL;
    if (min != -DBL_MAX && max != DBL_MAX)
        return dberr("constraint violation", "%.*g is not in the valid range %.*g to %.*g (inclusive)", DBL_DIG, v,
                     DBL_DIG, min, DBL_DIG, max);
    if (min != -DBL_MAX)
        return dberr("constraint violation", "%.*g is less than minimum allowed value %.*g", DBL_DIG, v, DBL_DIG, min);
    return dberr("constraint violation", "%.*g is greater than maximum allowed value %.*g", DBL_DIG, v, DBL_DIG, max);
}

/* Number of characters, or -1 when it is not UTF-8. */
static int64_t
utf8_len(const char *s, uint32_t n)
{
    const unsigned char *p = (const unsigned char *) s, *end = p + n;
    int64_t count = 0;

    for (; p < end; count++) {
        unsigned char c = *p++;
        int more = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 : (c & 0xf0) == 0xe0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : -1;
        if (more < 0 || end - p < more)
            return -1;
        if (more >= 2 && ((c == 0xe0 && p[0] < 0xa0) || (c == 0xed && p[0] >= 0xa0) || (c == 0xf0 && p[0] < 0x90) ||
                          (c == 0xf4 && p[0] >= 0x90)))
            return -1;
        while (more--)
            if ((*p++ & 0xc0) != 0x80)
                return -1;
    }
    return count;
}

static struct dberr *
check_string(const union atom *a, const struct base_type *b)
{
    int64_t n = utf8_len(a->string.s, a->string.len);

    if (n < 0)
        return dberr("constraint violation", "not a valid UTF-8 string: %s", "malformed sequence");
    if (n < b->string.min_len)
        return dberr("constraint violation", "\"%s\" length %zu is less than minimum allowed length %u", a->string.s,
                     (size_t) n, b->string.min_len);
    if (n > b->string.max_len)
        return dberr("constraint violation", "\"%s\" length %zu is greater than maximum allowed length %u", a->string.s,
                     (size_t) n, b->string.max_len);
    return NULL;
}

struct dberr *
atom_check(const union atom *a, const struct base_type *b)
{
    if (b->allowed) {
        if (datum_find(b->allowed, a) >= 0)
            return NULL;
        AUTO_TEXT struct text value = TEXT_INIT, all = TEXT_INIT;
        struct column_type set = {.key = base_any[b->type], .n_min = 1, .n_max = COUNT_UNLIMITED};
        atom_format(&value, a, b->type);
        datum_format(&all, b->allowed, &set);
        return dberr("constraint violation", "%s is not one of the allowed values (%s)", text_str(&value),
                     text_str(&all));
    }
    switch (b->type) {
    case ATOM_INTEGER:
        return check_integer(a->integer, b);
    case ATOM_REAL:
        return check_real(a->real, b);
    case ATOM_STRING:
        return check_string(a, b);
    default:
        return NULL;
    }
}

void
column_type_init(struct column_type *t, enum atom_type key)
{
    base_type_init(&t->key, key);
    base_type_init(&t->value, ATOM_VOID);
    t->n_min = t->n_max = 1;
}

void
column_type_fini(struct column_type *t)
{
    base_type_fini(&t->key);
    base_type_fini(&t->value);
}

void
column_type_copy(struct column_type *to, const struct column_type *from)
{
    base_type_copy(&to->key, &from->key);
    base_type_copy(&to->value, &from->value);
    to->n_min = from->n_min;
    to->n_max = from->n_max;
}

static struct dberr *
count_from_json(const struct jv *v, unsigned *n)
{
    if (!v)
        return NULL;
    if (v->type != JV_INT || v->i < 0 || v->i >= UINT_MAX)
        return dberr_syntax(v, NULL, "bad min or max value");
    *n = (unsigned) v->i;
    return NULL;
}

static struct dberr *
counts_from_json(struct members *m, const struct jv *v, struct column_type *t)
{
    const struct jv *min = members_get(m, "min", M_INTEGER | M_OPTIONAL);
    const struct jv *max = members_get(m, "max", M_INTEGER | M_STRING | M_OPTIONAL);
    struct dberr *err = count_from_json(min, &t->n_min);

    if (!err && jv_str_eq(max, "unlimited"))
        t->n_max = COUNT_UNLIMITED;
    else if (!err)
        err = count_from_json(max, &t->n_max);
    if (!err && (t->n_min > 1 || t->n_min > t->n_max || !t->n_max))
        err = dberr_syntax(v, NULL, "ovsdb type fails constraint checks");
    return err;
}

struct dberr *
column_type_from_json(const struct jv *v, struct column_type *t)
{
    struct members m;
    struct dberr *err = NULL;

    column_type_init(t, ATOM_VOID);
    if (v->type == JV_STRING)
        return base_type_from_json(v, &t->key);
    if (v->type != JV_OBJECT)
        return dberr_syntax(v, NULL, "ovsdb type expected");

    members_begin(&m, v, "ovsdb type");
    const struct jv *key = members_get(&m, "key", M_STRING | M_OBJECT);
    const struct jv *value = members_get(&m, "value", M_STRING | M_OBJECT | M_OPTIONAL);
    if (key)
        err = base_type_from_json(key, &t->key);
    if (!err && value)
        err = base_type_from_json(value, &t->value);
    if (!err)
        err = counts_from_json(&m, v, t);
    if (err)
        dberr_free(members_end_loose(&m));
    else
        err = members_end(&m);
    if (err)
        column_type_fini(t);
    return err;
}

void
column_type_add_json(struct text *t, const struct column_type *c)
{
    if (type_is_scalar(c) && !base_type_has_constraints(&c->key)) {
        base_type_add_json(t, &c->key);
        return;
    }
    text_add(t, "{\"key\":");
    base_type_add_json(t, &c->key);
    if (c->value.type != ATOM_VOID) {
        text_add(t, ",\"value\":");
        base_type_add_json(t, &c->value);
    }
    if (c->n_min != 1)
        add_int_member(t, "min", c->n_min);
    if (c->n_max == COUNT_UNLIMITED)
        text_add(t, ",\"max\":\"unlimited\"");
    else if (c->n_max != 1)
        add_int_member(t, "max", c->n_max);
    text_addc(t, '}');
}

void
column_type_describe(struct text *t, const struct column_type *c)
{
    const char *key = atom_type_name(c->key.type);

    if (type_is_scalar(c)) {
        text_add(t, key);
        return;
    }
    text_add(t, type_is_map(c) ? "map" : "set");
    if (c->n_max == COUNT_UNLIMITED && c->n_min)
        text_addf(t, " of %u or more", c->n_min);
    else if (c->n_max == COUNT_UNLIMITED)
        text_add(t, " of");
    else if (c->n_min)
        text_addf(t, " of %u to %u", c->n_min, c->n_max);
    else
        text_addf(t, " of up to %u", c->n_max);
    if (type_is_map(c))
        text_addf(t, " (%s, %s) pairs", key, atom_type_name(c->value.type));
    else
        text_addf(t, " %ss", key);
}

static bool
base_type_equal(const struct base_type *a, const struct base_type *b)
{
    if (a->type != b->type || !a->allowed != !b->allowed || (a->allowed && !datum_equal(a->allowed, b->allowed)))
        return false;
    switch (a->type) {
    case ATOM_INTEGER:
        return a->integer.min == b->integer.min && a->integer.max == b->integer.max;
    case ATOM_REAL:
        return a->real.min == b->real.min && a->real.max == b->real.max;
    case ATOM_STRING:
        return a->string.min_len == b->string.min_len && a->string.max_len == b->string.max_len;
    case ATOM_UUID:
        return !a->uuid.table == !b->uuid.table && a->uuid.weak == b->uuid.weak &&
               (!a->uuid.table || !strcmp(a->uuid.table, b->uuid.table));
    default:
        return true;
    }
}

bool
column_type_equal(const struct column_type *a, const struct column_type *b)
{
    return base_type_equal(&a->key, &b->key) && base_type_equal(&a->value, &b->value) && a->n_min == b->n_min &&
           a->n_max == b->n_max;
}
