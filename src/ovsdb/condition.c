/* condition - see the header. */
#include "ovsdb/condition.h"
#include <string.h>

static const char *const fn_names[] = {
    [FN_EQ] = "==",
    [FN_LT] = "<",
    [FN_LE] = "<=",
    [FN_GE] = ">=",
    [FN_GT] = ">",
    [FN_INCLUDES] = "includes",
    [FN_EXCLUDES] = "excludes",
    [FN_NE] = "!=",
};

static bool
fn_parse(const char *s, enum condition_fn *fn)
{
    for (enum condition_fn f = FN_EQ; f <= FN_NE; f++)
        if (!strcmp(s, fn_names[f])) {
            *fn = f;
            return true;
        }
    return false;
}

static bool
is_scalarish(const struct column_type *t)
{
    return type_is_scalar(t) || type_is_optional_scalar(t);
}

/* What the argument may be, given the function: sometimes more or fewer elements than the column. */
static struct dberr *
relax(const struct jv *v, const struct clause *c, struct column_type *type)
{
    switch (c->fn) {
    case FN_LT:
    case FN_LE:
    case FN_GE:
    case FN_GT:
        if (!is_scalarish(type) || (type->key.type != ATOM_INTEGER && type->key.type != ATOM_REAL)) {
            AUTO_TEXT struct text english = TEXT_INIT;
            column_type_describe(&english, type);
            return dberr_syntax(v, NULL, "Type mismatch: \"%s\" operator may not be applied to column %s of type %s.",
                                fn_names[c->fn], c->column->name, text_str(&english));
        }
        type->n_min = 1;
        break;
    case FN_EXCLUDES:
        if (!type_is_scalar(type)) {
            type->n_min = 0;
            type->n_max = COUNT_UNLIMITED;
        }
        break;
    case FN_INCLUDES:
        if (!type_is_scalar(type))
            type->n_min = 0;
        break;
    default:
        break;
    }
    return NULL;
}

static struct dberr *
clause_from_json(const struct jv *v, const struct table_schema *t, struct symtab *symtab, struct clause *c)
{
    *c = (struct clause){0};
    if (v->type == JV_TRUE || v->type == JV_FALSE) {
        c->fn = v->type == JV_TRUE ? FN_TRUE : FN_FALSE;
        return NULL;
    }
    if (v->type != JV_ARRAY || v->n != 3 || v->at[0].type != JV_STRING || v->at[1].type != JV_STRING)
        return dberr_syntax(v, NULL, "Parse error in condition.");
    c->column = table_column(t, v->at[0].s);
    if (!c->column)
        return dberr_syntax(v, "unknown column", "No column %s in table %s.", v->at[0].s, t->name);
    if (!fn_parse(v->at[1].s, &c->fn))
        return dberr_syntax(NULL, "unknown function", "No function named %s.", v->at[1].s);
    struct column_type type = c->column->type; /* borrows */
    struct dberr *err = relax(v, c, &type);
    return err ? err : datum_from_json(&v->at[2], &type, symtab, &c->arg);
}

static int
cmp_clauses(const void *a_, const void *b_)
{
    const struct clause *a = a_, *b = b_;
    if (a->fn != b->fn)
        return a->fn < b->fn ? -1 : 1;
    unsigned i = a->column ? a->column->index : 0, j = b->column ? b->column->index : 0;
    return i < j ? -1 : i > j;
}

struct dberr *
condition_from_json(const struct jv *array, const struct table_schema *t, struct symtab *symtab, struct condition *c)
{
    *c = (struct condition){xcalloc(array->n + 1, sizeof *c->at), 0};
    for (size_t i = 0; i < array->n; i++) {
        struct dberr *err = clause_from_json(&array->at[i], t, symtab, &c->at[c->n]);
        if (err) {
            condition_fini(c);
            return err;
        }
        c->n++;
    }
    qsort(c->at, c->n, sizeof *c->at, cmp_clauses);
    return NULL;
}

void
condition_fini(struct condition *c)
{
    for (size_t i = 0; i < c->n; i++)
        datum_unref(c->at[i].arg);
    free(c->at);
    *c = (struct condition){NULL, 0};
}

static bool
holds_scalar(const struct clause *c, const struct datum *d)
{
    /* Of an optional value that is not there only "is not" can be said; nothing is part of everything. */
    if (!d->n || !c->arg->n)
        return c->fn == FN_EQ         ? d->n == c->arg->n
               : c->fn == FN_INCLUDES ? !c->arg->n
               : c->fn == FN_NE       ? d->n != c->arg->n
                                      : c->fn == FN_EXCLUDES;
    union atom a = datum_key(d, 0), b = datum_key(c->arg, 0);
    int cmp = atom_cmp(&a, &b, d->key_type);
    switch (c->fn) {
    case FN_LT:
        return cmp < 0;
    case FN_LE:
        return cmp <= 0;
    case FN_EQ:
    case FN_INCLUDES:
        return !cmp;
    case FN_NE:
    case FN_EXCLUDES:
        return cmp != 0;
    case FN_GE:
        return cmp >= 0;
    default:
        return cmp > 0;
    }
}

static bool
clause_holds(const struct clause *c, const struct datum *d)
{
    if (is_scalarish(&c->column->type) && c->arg->n <= 1)
        return holds_scalar(c, d);
    switch (c->fn) {
    case FN_EQ:
        return datum_equal(d, c->arg);
    case FN_NE:
        return !datum_equal(d, c->arg);
    case FN_INCLUDES:
        return datum_includes(d, c->arg);
    case FN_EXCLUDES:
        return datum_excludes(d, c->arg);
    default:
        NOT_REACHED();
    }
}

bool
condition_all(const struct condition *c, const struct row *r)
{
    struct cell_room room;
    for (size_t i = 0; i < c->n; i++) {
        const struct clause *k = &c->at[i];
        if (k->fn == FN_TRUE)
            continue;
        if (k->fn == FN_FALSE || !clause_holds(k, row_get(r, k->column, &room)))
            return false;
    }
    return true;
}

bool
condition_any(const struct condition *c, const struct row *r, const struct datum *const *cells)
{
    struct cell_room room;
    for (size_t i = 0; i < c->n; i++) {
        const struct clause *k = &c->at[i];
        if (k->fn == FN_TRUE)
            return true;
        if (k->fn == FN_FALSE)
            continue;
        const struct datum *d =
            k->column->index < COL_FIRST ? row_get(r, k->column, &room) : cells[k->column->index - COL_FIRST];
        if (clause_holds(k, d))
            return true;
    }
    return !c->n;
}

bool
condition_is_true(const struct condition *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->at[i].fn == FN_TRUE)
            return true;
    return !c->n;
}

bool
condition_uses(const struct condition *c, unsigned column)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->at[i].column && c->at[i].column->index == column)
            return true;
    return false;
}

void
condition_add_json(struct text *t, const struct condition *c)
{
    text_addc(t, '[');
    for (size_t i = 0; i < c->n; i++) {
        const struct clause *k = &c->at[i];
        if (i)
            text_addc(t, ',');
        if (!k->column) {
            text_add(t, k->fn == FN_TRUE ? "true" : "false");
            continue;
        }
        text_addf(t, "[\"%s\",\"%s\",", k->column->name, fn_names[k->fn]);
        datum_add_json(t, k->arg, &k->column->type);
        text_addc(t, ']');
    }
    text_addc(t, ']');
}

static const struct clause *
find_eq(const struct condition *c, unsigned column)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->at[i].fn == FN_EQ && c->at[i].column->index == column)
            return &c->at[i];
    return NULL;
}

/* True if an index covers columns that the condition pins down; '*row' is the only candidate, or NULL. */
static bool
by_index(const struct condition *c, const struct table *t, struct row **row)
{
    for (size_t i = 0; i < t->schema->n_indexes; i++) {
        const struct column_set *set = &t->schema->indexes[i];
        const struct datum *cells[8];
        size_t j = 0;
        for (; j < set->n && set->n <= ARRAY_SIZE(cells); j++) {
            const struct clause *k = find_eq(c, set->at[j]->index);
            if (!k)
                break;
            cells[j] = k->arg;
        }
        if (j == set->n) {
            *row = table_find_index(t, i, cells);
            return true;
        }
    }
    return false;
}

void
condition_query(const struct condition *c, const struct table *t, row_list *rows)
{
    const struct clause *k = find_eq(c, COL_UUID);
    struct row *one;

    if (k) {
        struct uuid u = datum_key(k->arg, 0).uuid;
        one = table_find(t, &u);
    } else if (t->db->txn && t->db->txn->rows.n) {
        goto scan; /* while a transaction is open an index may hold equal values twice */
    } else if (!by_index(c, t, &one)) {
        goto scan;
    }
    if (one && condition_all(c, one))
        vec_push(rows, one);
    return;

scan:
    TABLE_FOR(r, t)
    if (condition_all(c, r))
        vec_push(rows, r);
}
