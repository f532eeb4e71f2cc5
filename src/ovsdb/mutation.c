/* mutation - see the header.  Arithmetic is checked: a result that does not fit is refused, nothing wraps around. */
#include "ovsdb/mutation.h"
#include <math.h>
#include <string.h>

static const char *const names[] = {"+=", "-=", "*=", "/=", "%=", "insert", "delete"};

static struct dberr *
mismatch(const struct jv *v, const struct mutation *m)
{
    AUTO_TEXT struct text english = TEXT_INIT;
    column_type_describe(&english, &m->column->type);
    return dberr_syntax(v, NULL, "Type mismatch: \"%s\" operator may not be applied to column %s of type %s.",
                        names[m->mutator], m->column->name, text_str(&english));
}

static struct dberr *
number_arg(const struct jv *v, struct mutation *m)
{
    const struct column_type *t = &m->column->type;
    struct column_type one;

    if (type_is_map(t) || (t->key.type != ATOM_INTEGER && t->key.type != ATOM_REAL) ||
        (m->mutator == MUT_MOD && t->key.type == ATOM_REAL))
        return mismatch(v, m);
    column_type_init(&one, t->key.type);
    return datum_from_json(&v->at[2], &one, NULL, &m->arg);
}

static struct dberr *
set_arg(const struct jv *v, struct symtab *symtab, struct mutation *m)
{
    struct column_type t = m->column->type; /* borrows */

    if (!type_is_set(&t) && !type_is_map(&t))
        return mismatch(v, m);
    t.n_min = 0;
    if (m->mutator == MUT_DELETE)
        t.n_max = COUNT_UNLIMITED;
    struct dberr *err = datum_from_json(&v->at[2], &t, symtab, &m->arg);
    if (err && type_is_map(&t) && m->mutator == MUT_DELETE) {
        dberr_free(err);
        base_type_init(&t.value, ATOM_VOID); /* keys alone may be named */
        err = datum_from_json(&v->at[2], &t, symtab, &m->arg);
    }
    return err;
}

static struct dberr *
mutation_from_json(const struct jv *v, const struct table_schema *t, struct symtab *symtab, struct mutation *m)
{
    *m = (struct mutation){0};
    if (v->type != JV_ARRAY || v->n != 3 || v->at[0].type != JV_STRING || v->at[1].type != JV_STRING)
        return dberr_syntax(v, NULL, "Parse error in mutation.");
    m->column = table_column(t, v->at[0].s);
    if (!m->column)
        return dberr_syntax(v, "unknown column", "No column %s in table %s.", v->at[0].s, t->name);
    if (!m->column->is_mutable || m->column->index < COL_FIRST)
        return dberr_syntax(v, "constraint violation", "Cannot mutate immutable column %s in table %s.",
                            m->column->name, t->name);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (!strcmp(v->at[1].s, names[i])) {
            m->mutator = i;
            return i < MUT_INSERT ? number_arg(v, m) : set_arg(v, symtab, m);
        }
    return dberr_syntax(NULL, "unknown mutator", "No mutator named %s.", v->at[1].s);
}

struct dberr *
mutations_from_json(const struct jv *array, const struct table_schema *t, struct symtab *symtab,
                    struct mutation_list *list)
{
    *list = (struct mutation_list){xcalloc(array->n + 1, sizeof *list->at), 0};
    for (size_t i = 0; i < array->n; i++) {
        struct dberr *err = mutation_from_json(&array->at[i], t, symtab, &list->at[list->n]);
        if (err) {
            mutations_fini(list);
            return err;
        }
        list->n++;
    }
    return NULL;
}

void
mutations_fini(struct mutation_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        datum_unref(list->at[i].arg);
    free(list->at);
    *list = (struct mutation_list){NULL, 0};
}

enum trouble { FINE, DOMAIN_ERROR, RANGE_ERROR };

static enum trouble
mutate_integer(int64_t *x, int64_t y, enum mutator m)
{
    switch (m) {
    case MUT_ADD:
        return __builtin_add_overflow(*x, y, x) ? RANGE_ERROR : FINE;
    case MUT_SUB:
        return __builtin_sub_overflow(*x, y, x) ? RANGE_ERROR : FINE;
    case MUT_MUL:
        return __builtin_mul_overflow(*x, y, x) ? RANGE_ERROR : FINE;
    default:
        if (!y)
            return DOMAIN_ERROR;
        if (*x == INT64_MIN && y == -1)
            return RANGE_ERROR;
        *x = m == MUT_DIV ? *x / y : *x % y;
        return FINE;
    }
}

static enum trouble
mutate_real(double *x, double y, enum mutator m)
{
    if (m == MUT_DIV && y == 0)
        return DOMAIN_ERROR;
    *x = m == MUT_ADD ? *x + y : m == MUT_SUB ? *x - y : m == MUT_MUL ? *x * y : *x / y;
    return isfinite(*x) ? FINE : RANGE_ERROR;
}

static struct dberr *
mutate_number(const struct mutation *m, const struct datum *d, const struct datum **out)
{
    const struct base_type *base = &m->column->type.key;
    union atom y = datum_key(m->arg, 0);
    struct datum_builder b;
    struct dberr *err = NULL;

    builder_init(&b, base->type, ATOM_VOID);
    for (size_t i = 0; !err && i < d->n; i++) {
        union atom x = datum_key(d, i);
        enum trouble trouble = base->type == ATOM_INTEGER ? mutate_integer(&x.integer, y.integer, m->mutator)
                                                          : mutate_real(&x.real, y.real, m->mutator);
        if (trouble == DOMAIN_ERROR)
            err = dberr("domain error", "Division by zero.");
        else if (trouble == RANGE_ERROR)
            err = dberr("range error", "Result of \"%s\" operation is out of range.", names[m->mutator]);
        else
            err = atom_check(&x, base);
        builder_add(&b, &x, NULL);
    }
    if (!err && datum_build(&b, out))
        err = dberr("constraint violation", "Result of \"%s\" operation contains duplicates.", names[m->mutator]);
    builder_fini(&b);
    return err;
}

static struct dberr *
check_count(const struct datum *d, const struct column_type *t)
{
    if (d->n >= t->n_min && d->n <= t->n_max)
        return NULL;
    AUTO_TEXT struct text english = TEXT_INIT;
    column_type_describe(&english, t);
    return dberr("constraint violation", "Attempted to store %u elements in %s.", d->n, text_str(&english));
}

/* What an insertion or deletion changes, found from the few elements named and not from all there are.  NULL: not that simple. */
static const struct datum *
mutation_diff(const struct mutation *m, const struct datum *before)
{
    if (m->column->type.n_max == 1)
        return NULL;
    if (m->mutator == MUT_INSERT)
        return datum_remove_keys(m->arg, before);
    if (m->mutator != MUT_DELETE || before->value_type != ATOM_VOID)
        return NULL;
    const struct datum *absent = datum_remove_keys(m->arg, before), *present = datum_subtract(m->arg, absent);
    datum_unref(absent);
    return present;
}

static struct dberr *
mutation_apply(const struct mutation *m, struct txn *t, struct row *r)
{
    const struct datum *before = row_cell(r, m->column->index), *after;

    if (m->mutator < MUT_INSERT) {
        struct dberr *err = mutate_number(m, before, &after);
        if (!err)
            txn_set(t, r, m->column, after);
        return err;
    }
    after = m->mutator == MUT_INSERT                                             ? datum_union(before, m->arg)
            : m->arg->value_type == ATOM_VOID && before->value_type != ATOM_VOID ? datum_remove_keys(before, m->arg)
                                                                                 : datum_subtract(before, m->arg);
    struct dberr *err = check_count(after, &m->column->type);
    const struct datum *diff = err ? NULL : mutation_diff(m, before);
    if (err)
        datum_unref(after);
    else if (diff)
        txn_set_diff(t, r, m->column, after, diff);
    else
        txn_set(t, r, m->column, after);
    return err;
}

struct dberr *
mutations_apply(const struct mutation_list *list, struct txn *t, struct row *r)
{
    for (size_t i = 0; i < list->n; i++) {
        struct dberr *err = mutation_apply(&list->at[i], t, r);
        if (err)
            return err;
    }
    return NULL;
}
