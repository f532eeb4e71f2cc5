/* execute - see the header.  One function per operation; a table tells which may run where.
 *
 * An operation is refused as a whole, before it changes anything; what earlier ones did is undone with the transaction.  A complaint
 * about the form of an operation outranks one about its meaning, as in the field.
 */
#include "ovsdb/execute.h"
#include "base/hash.h"
#include "ovsdb/condition.h"
#include "ovsdb/members.h"
#include "ovsdb/mutation.h"
#include "ovsdb/rbac.h"
#include <string.h>

struct exec {
    struct execution *x;
    struct db *db;
    struct txn *txn;
    struct symtab symtab;
    bool unfulfilled; /* a "wait" */
};

typedef struct dberr *operation_fn(struct exec *, struct members *, struct text *result);

struct dberr *
row_from_json(const struct jv *v, const struct table_schema *t, struct symtab *symtab, const struct datum **cells,
              struct column_set *set)
{
    if (set)
        *set = (struct column_set){xcalloc(v->n + 1, sizeof *set->at), 0};
    for (size_t i = 0; i < v->n; i++) {
        const char *name = v->at[2 * i].s;
        const struct column *c = table_column(t, name);
        const struct datum *d;
        if (!c)
            return dberr_syntax(v, "unknown column", "No column %s in table %s.", name, t->name);
        struct dberr *err = datum_from_json(&v->at[2 * i + 1], &c->type, symtab, &d);
        if (err)
            return err;
        datum_unref(cells[c->index]);
        cells[c->index] = d;
        if (set)
            set->at[set->n++] = c;
    }
    return NULL;
}

/* Cells of a row by column number, on the side of tables. */
struct loose_row {
    const struct datum **cells;
    size_t n;
};

static struct loose_row
loose_row(const struct table_schema *t)
{
    return (struct loose_row){xcalloc(t->n_columns, sizeof(const struct datum *)), t->n_columns};
}

static void
loose_row_fini(struct loose_row *r)
{
    for (size_t i = 0; i < r->n; i++)
        datum_unref(r->cells[i]);
    free(r->cells);
}

static struct table *
get_table(struct exec *e, struct members *m)
{
    const struct jv *name = members_get(m, "table", M_ID);
    if (!name)
        return NULL;
    struct table *t = db_table(e->db, name->s);
    if (!t)
        members_complain(m, "No table named %s.", name->s);
    return t;
}

/* ---- insert ---- */

static struct dberr *
insert_uuid(struct exec *e, const struct table *t, const struct jv *uuid, const struct jv *name, struct uuid *u)
{
    if (uuid && !uuid_parse(uuid->s, u))
        return dberr_syntax(uuid, NULL, "bad uuid");
    if (uuid && !txn_may_create(t, u))
        return dberr_syntax(uuid, "duplicate uuid",
                            "This UUID would duplicate a UUID already present within the table or deleted within the "
                            "same transaction.");
    if (!name) {
        if (!uuid)
            *u = uuid_random();
        return NULL;
    }
    struct symbol *s = symtab_get(&e->symtab, name->s);
    if (s->created)
        return dberr_syntax(name, "duplicate uuid-name",
                            "This \"uuid-name\" appeared on an earlier \"insert\" operation.");
    s->created = true;
    if (uuid)
        s->uuid = *u;
    else
        *u = s->uuid;
    return NULL;
}

static struct dberr *
insert_cells(struct exec *e, const struct jv *v, struct row *r)
{
    const struct table_schema *t = r->table->schema;
    bool given[256] = {false};

    for (size_t i = 0; i < v->n; i++) {
        const char *name = v->at[2 * i].s;
        const struct column *c = table_column(t, name);
        const struct datum *d;
        if (!c)
            return dberr_syntax(v, "unknown column", "No column %s in table %s.", name, t->name);
        struct dberr *err = datum_from_json(&v->at[2 * i + 1], &c->type, &e->symtab, &d);
        if (err)
            return err;
        if (c->index < COL_FIRST)
            datum_unref(d); /* these are ours to give */
        else
            row_put(r, c, d);
        if (c->index < ARRAY_SIZE(given))
            given[c->index] = true;
    }
    /* A default value may break a constraint too. */
    for (size_t i = COL_FIRST; i < t->n_columns; i++) {
        const struct column_type *type = &t->columns[i].type;
        if (!type->n_min || (i < ARRAY_SIZE(given) && given[i]) ||
            !(base_type_has_constraints(&type->key) || base_type_has_constraints(&type->value)))
            continue;
        struct dberr *err = datum_check(row_cell(r, i), type);
        if (err)
            return err;
    }
    return NULL;
}

static struct dberr *
op_insert(struct exec *e, struct members *m, struct text *result)
{
    struct table *t = get_table(e, m);
    const struct jv *uuid = members_get(m, "uuid", M_STRING | M_OPTIONAL);
    const struct jv *name = members_get(m, "uuid-name", M_ID | M_OPTIONAL);
    const struct jv *row = members_get(m, "row", M_OBJECT);
    struct uuid u;

    if (m->err)
        return NULL;
    struct dberr *err = insert_uuid(e, t, uuid, name, &u);
    if (err)
        return err;
    struct row *r = row_new(t, &u);
    err = insert_cells(e, row, r);
    if (!err && !rbac_may_insert(e->db, r, e->x->role, e->x->id))
        err = dberr("permission error",
                    "RBAC rules for client \"%s\" role \"%s\" prohibit row insertion into table \"%s\".", e->x->id,
                    e->x->role, t->schema->name);
    if (err) {
        row_free(r);
        return err;
    }
    txn_insert(e->txn, r);
    union atom a = {.uuid = u};
    text_add(result, "{\"uuid\":");
    atom_add_json(result, &a, ATOM_UUID);
    text_addc(result, '}');
    return NULL;
}

/* ---- select ---- */

static uint64_t
row_hash(const struct row *r, const struct column_set *set)
{
    struct cell_room room;
    uint64_t h = 0;
    for (size_t i = 0; i < set->n; i++)
        h = datum_hash(row_get(r, set->at[i], &room), h);
    return h;
}

static bool
rows_equal(const struct row *a, const struct row *b, const struct column_set *set)
{
    struct cell_room x, y;
    for (size_t i = 0; i < set->n; i++)
        if (!datum_equal(row_get(a, set->at[i], &x), row_get(b, set->at[i], &y)))
            return false;
    return true;
}

struct seen {
    struct hmap_node node;
    const struct row *row;
};

/* Leaves one of each set of rows that look alike. */
static void
make_distinct(row_list *rows, const struct column_set *set)
{
    struct hmap map;
    struct seen *seen = xcalloc(rows->n + 1, sizeof *seen), *s;
    size_t kept = 0;

    hmap_init(&map);
    for (size_t i = 0; i < rows->n; i++) {
        uint32_t hash = (uint32_t) row_hash(rows->at[i], set);
        HMAP_FOR_HASH (s, node, hash, &map)
            if (rows_equal(s->row, rows->at[i], set))
                break;
        if (s)
            continue;
        seen[kept].row = rows->at[i];
        hmap_insert(&map, &seen[kept].node, hash);
        rows->at[kept++] = rows->at[i];
    }
    rows->n = kept;
    hmap_fini(&map);
    free(seen);
}

static bool
set_has(const struct column_set *set, unsigned column)
{
    for (size_t i = 0; i < set->n; i++)
        if (set->at[i]->index == column)
            return true;
    return false;
}

static void
add_row(struct text *t, const struct row *r, const struct column_set *set)
{
    struct cell_room room;
    text_addc(t, '{');
    for (size_t i = 0; i < set->n; i++) {
        text_addf(t, i ? ",\"%s\":" : "\"%s\":", set->at[i]->name);
        datum_add_json(t, row_get(r, set->at[i], &room), &set->at[i]->type);
    }
    text_addc(t, '}');
}

static struct dberr *
op_select(struct exec *e, struct members *m, struct text *result)
{
    struct table *t = get_table(e, m);
    const struct jv *where = members_get(m, "where", M_ARRAY);
    const struct jv *columns = members_get(m, "columns", M_ARRAY | M_OPTIONAL);
    struct condition cond;
    struct column_set set;
    row_list rows = VEC_INIT;

    if (m->err)
        return NULL;
    struct dberr *err = condition_from_json(where, t->schema, &e->symtab, &cond);
    if (err)
        return err;
    err = column_set_from_json(columns, t->schema, &set);
    if (!err) {
        condition_query(&cond, t, &rows);
        if (!set_has(&set, COL_UUID))
            make_distinct(&rows, &set);
        text_add(result, "{\"rows\":[");
        for (size_t i = 0; i < rows.n; i++) {
            if (i)
                text_addc(result, ',');
            add_row(result, rows.at[i], &set);
        }
        text_add(result, "]}");
    }
    condition_fini(&cond);
    free(set.at);
    vec_fini(&rows);
    return err;
}

/* ---- update, mutate, delete ---- */

static struct dberr *
update_rows(struct exec *e, const row_list *rows, const struct loose_row *new, const struct column_set *set)
{
    for (size_t i = 0; i < rows->n; i++)
        for (size_t j = 0; j < set->n; j++) {
            const struct datum *d = new->cells[set->at[j]->index];
            if (!datum_equal(row_cell(rows->at[i], set->at[j]->index), d))
                txn_set(e->txn, rows->at[i], set->at[j], datum_ref(d));
        }
    return NULL;
}

static struct dberr *
check_mutable(const struct members *m, const struct table *t, const struct column_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        if (!set->at[i]->is_mutable || set->at[i]->index < COL_FIRST)
            return dberr_syntax(m->object, "constraint violation", "Cannot update immutable column %s in table %s.",
                                set->at[i]->name, t->schema->name);
    return NULL;
}

static void
add_count(struct text *result, size_t n)
{
    text_addf(result, "{\"count\":%zu}", n);
}

static struct dberr *
prohibited(const struct exec *e, const struct table *t, const char *what)
{
    return dberr("permission error", "RBAC rules for client \"%s\" role \"%s\" prohibit %s table \"%s\".", e->x->id,
                 e->x->role, what, t->schema->name);
}

static struct dberr *
op_update(struct exec *e, struct members *m, struct text *result)
{
    struct table *t = get_table(e, m);
    const struct jv *where = members_get(m, "where", M_ARRAY);
    const struct jv *row = members_get(m, "row", M_OBJECT);
    struct condition cond = {NULL, 0};
    struct column_set set = {NULL, 0};
    row_list rows = VEC_INIT;

    if (m->err)
        return NULL;
    struct loose_row new = loose_row(t->schema);
    struct dberr *err = row_from_json(row, t->schema, &e->symtab, new.cells, &set);
    if (!err)
        err = check_mutable(m, t, &set);
    if (!err)
        err = condition_from_json(where, t->schema, &e->symtab, &cond);
    if (!err) {
        condition_query(&cond, t, &rows);
        if (!rbac_may_update(t, rows.at, rows.n, &set, e->x->role, e->x->id))
            err = prohibited(e, t, "modification of");
        else
            err = update_rows(e, &rows, &new, &set);
        add_count(result, rows.n);
    }
    vec_fini(&rows);
    condition_fini(&cond);
    free(set.at);
    loose_row_fini(&new);
    return err;
}

static struct dberr *
op_mutate(struct exec *e, struct members *m, struct text *result)
{
    struct table *t = get_table(e, m);
    const struct jv *where = members_get(m, "where", M_ARRAY);
    const struct jv *array = members_get(m, "mutations", M_ARRAY);
    struct condition cond = {NULL, 0};
    struct mutation_list list = {NULL, 0};
    row_list rows = VEC_INIT;

    if (m->err)
        return NULL;
    struct dberr *err = mutations_from_json(array, t->schema, &e->symtab, &list);
    if (!err)
        err = condition_from_json(where, t->schema, &e->symtab, &cond);
    if (!err) {
        condition_query(&cond, t, &rows);
        if (!rbac_may_mutate(t, rows.at, rows.n, &list, e->x->role, e->x->id))
            err = prohibited(e, t, "mutate operation on");
        for (size_t i = 0; !err && i < rows.n; i++)
            err = mutations_apply(&list, e->txn, rows.at[i]);
        add_count(result, rows.n);
    }
    vec_fini(&rows);
    condition_fini(&cond);
    mutations_fini(&list);
    return err;
}

static struct dberr *
op_delete(struct exec *e, struct members *m, struct text *result)
{
    const struct jv *where = members_get(m, "where", M_ARRAY);
    struct table *t = get_table(e, m);
    struct condition cond = {NULL, 0};
    row_list rows = VEC_INIT;

    if (m->err)
        return NULL;
    struct dberr *err = condition_from_json(where, t->schema, &e->symtab, &cond);
    if (!err) {
        condition_query(&cond, t, &rows);
        if (!rbac_may_delete(t, rows.at, rows.n, e->x->role, e->x->id))
            err = prohibited(e, t, "row deletion from");
        for (size_t i = 0; !err && i < rows.n; i++)
            txn_delete(e->txn, rows.at[i]);
        add_count(result, rows.n);
    }
    vec_fini(&rows);
    condition_fini(&cond);
    return err;
}

/* ---- wait ---- */

static bool
row_is(const struct row *r, const struct loose_row *want, const struct column_set *set)
{
    struct cell_room room;
    for (size_t i = 0; i < set->n; i++) {
        const struct column *c = set->at[i];
        const struct datum *d = want->cells[c->index] ? want->cells[c->index] : datum_default(&c->type);
        if (!datum_equal(row_get(r, c, &room), d))
            return false;
    }
    return true;
}

/* Are the rows found, as seen through 'set', the wanted ones? */
static bool
rows_are(row_list *rows, const struct loose_row *want, size_t n_want, const struct column_set *set)
{
    size_t distinct = 0;

    for (size_t i = 0; i < rows->n; i++) {
        bool found = false;
        for (size_t j = 0; !found && j < n_want; j++)
            found = row_is(rows->at[i], &want[j], set);
        if (!found)
            return false;
    }
    for (size_t j = 0; j < n_want; j++) { /* each wanted one is there */
        bool found = false;
        for (size_t i = 0; !found && i < rows->n; i++)
            found = row_is(rows->at[i], &want[j], set);
        if (!found)
            return false;
        distinct++;
    }
    return distinct == n_want;
}

static struct dberr *
wait_verdict(struct exec *e, const struct jv *timeout)
{
    if (!timeout || e->x->elapsed_ms < timeout->i) {
        if (e->x->may_wait) {
            e->unfulfilled = true;
            return dberr("not supported", "triggers not supported");
        }
        if (!timeout)
            return dberr("not supported", "triggers not supported");
    }
    if (e->x->elapsed_ms)
        return dberr("timed out", "\"wait\" timed out after %lld ms", (long long) e->x->elapsed_ms);
    return dberr("timed out", "\"where\" clause test failed");
}

static struct dberr *
wait_check(struct exec *e, const struct table *t, const struct condition *cond, const struct column_set *set,
           const struct jv *wanted, bool until_equal, const struct jv *timeout)
{
    struct loose_row *want = xcalloc(wanted->n + 1, sizeof *want);
    row_list rows = VEC_INIT;
    struct dberr *err = NULL;
    size_t n = 0;

    for (; !err && n < wanted->n; n++) {
        want[n] = loose_row(t->schema);
        if (wanted->at[n].type != JV_OBJECT)
            err = dberr_syntax(&wanted->at[n], NULL, "row must be JSON object");
        else
            err = row_from_json(&wanted->at[n], t->schema, &e->symtab, want[n].cells, NULL);
    }
    if (!err) {
        condition_query(cond, t, &rows);
        if (rows_are(&rows, want, n, set) != until_equal)
            err = wait_verdict(e, timeout);
    }
    for (size_t i = 0; i < n; i++)
        loose_row_fini(&want[i]);
    free(want);
    vec_fini(&rows);
    return err;
}

static struct dberr *
op_wait(struct exec *e, struct members *m, struct text *result)
{
    const struct jv *timeout = members_get(m, "timeout", M_INTEGER | M_OPTIONAL);
    const struct jv *where = members_get(m, "where", M_ARRAY);
    const struct jv *columns = members_get(m, "columns", M_ARRAY | M_OPTIONAL);
    const struct jv *until = members_get(m, "until", M_STRING);
    const struct jv *wanted = members_get(m, "rows", M_ARRAY);
    struct table *t = get_table(e, m);
    struct condition cond;
    struct column_set set;

    if (m->err)
        return NULL;
    struct dberr *err = condition_from_json(where, t->schema, &e->symtab, &cond);
    if (err)
        return err;
    err = column_set_from_json(columns, t->schema, &set);
    if (!err && timeout && timeout->i < 0)
        err = dberr_syntax(timeout, NULL, "timeout must be nonnegative");
    else if (!err && timeout)
        e->x->timeout_ms = MIN(e->x->timeout_ms, timeout->i);
    if (!err && !jv_str_eq(until, "==") && !jv_str_eq(until, "!="))
        err = dberr_syntax(until, NULL, "\"until\" must be \"==\" or \"!=\"");
    if (!err)
        err = wait_check(e, t, &cond, &set, wanted, jv_str_eq(until, "=="), timeout);
    if (!err)
        text_add(result, "{}");
    condition_fini(&cond);
    free(set.at);
    return err;
}

/* ---- the rest ---- */

static struct dberr *
op_commit(struct exec *e, struct members *m, struct text *result)
{
    const struct jv *durable = members_get(m, "durable", M_BOOLEAN);
    if (jv_is(durable, JV_TRUE))
        e->x->durable = true;
    text_add(result, "{}");
    return NULL;
}

static struct dberr *
op_abort(struct exec *e UNUSED, struct members *m UNUSED, struct text *result UNUSED)
{
    return dberr("aborted", "aborted by request");
}

static struct dberr *
op_comment(struct exec *e, struct members *m, struct text *result)
{
    const struct jv *comment = members_get(m, "comment", M_STRING);
    if (comment)
        txn_comment(e->txn, comment->s);
    text_add(result, "{}");
    return NULL;
}

static struct dberr *
op_assert(struct exec *e, struct members *m, struct text *result)
{
    const struct jv *lock = members_get(m, "lock", M_ID);
    if (!lock)
        return NULL;
    if (!e->x->owns_lock || !e->x->owns_lock(e->x->aux, lock->s))
        return dberr("not owner", "Asserted lock %s not held.", lock->s);
    text_add(result, "{}");
    return NULL;
}

static const struct operation {
    const char *name;
    bool writes;
    operation_fn *run;
} operations[] = {
    {"insert", true, op_insert},  {"select", false, op_select}, {"update", true, op_update},
    {"mutate", true, op_mutate},  {"delete", true, op_delete},  {"wait", false, op_wait},
    {"commit", true, op_commit},  {"abort", false, op_abort},   {"comment", false, op_comment},
    {"assert", false, op_assert},
};

static const struct operation *
operation_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
        if (!strcmp(operations[i].name, name))
            return &operations[i];
    return NULL;
}

static struct dberr *
not_allowed(const struct exec *e, const struct operation *op)
{
    if (!op->writes)
        return NULL;
    if (e->x->read_only)
        return dberr("not allowed", "%s operation not allowed when database server is in read only mode", op->name);
    if (e->db->schema->name[0] == '_')
        return dberr("not allowed", "%s operation not allowed on table in reserved database %s", op->name,
                     e->db->schema->name);
    if (e->x->is_relay)
        return dberr("not allowed", "%s operation not allowed when database server is in relay mode", op->name);
    return NULL;
}

static struct dberr *
run_operation(struct exec *e, const struct jv *v, size_t i, size_t n, struct text *result)
{
    struct members m;
    struct dberr *err = NULL;
    const struct operation *op = NULL;

    members_begin(&m, v, "ovsdb operation");
    m.i = i;
    m.n = n;
    if (m.err) { /* again, now that it knows its number */
        dberr_free(MOVE(m.err));
        members_complain(&m, "Object expected.");
        return members_end_loose(&m);
    }
    const struct jv *name = members_get(&m, "op", M_ID);
    if (name) {
        op = operation_find(name->s);
        if (op)
            err = op->run(e, &m, result);
        else
            members_complain(&m, "No operation \"%s\"", name->s);
    }
    struct dberr *form = m.object ? members_end(&m) : members_end_loose(&m);
    if (form) {
        dberr_free(err);
        return form;
    }
    return err ? err : not_allowed(e, op);
}

/* Runs all operations; false: one failed, and the reply says which. */
static bool
run_all(struct exec *e, const struct jv *params, struct text *reply)
{
    size_t n = params->n - 1;

    for (size_t i = 1; i <= n; i++) {
        if (i > 1)
            text_addc(reply, ',');
        size_t mark = reply->len;
        struct dberr *err = run_operation(e, &params->at[i], i, n, reply);
        if (!err)
            continue;
        text_cut(reply, mark);
        dberr_add_json(reply, err);
        dberr_free(err);
        for (; i < n; i++)
            text_add(reply, ",null");
        return false;
    }
    return true;
}

static void
commit(struct exec *e, struct text *reply)
{
    uint64_t before = e->db->n_commits;
    struct dberr *err = txn_commit(MOVE(e->txn));

    e->x->changed = e->db->n_commits != before;
    if (!err)
        return;
    e->x->failed = true;
    if (reply->s[reply->len - 1] != '[')
        text_addc(reply, ',');
    dberr_add_json(reply, err);
    dberr_free(err);
}

void
execute(struct db *db, const struct jv *params, struct execution *x, struct text *reply)
{
    struct exec e = {.x = x, .db = db};
    size_t mark = reply->len;

    x->must_wait = x->durable = x->failed = x->changed = false;
    x->timeout_ms = INT64_MAX;
    if (params->type != JV_ARRAY || !params->n || !jv_str_eq(&params->at[0], db->schema->name)) {
        AUTO(dberr)
        struct dberr *err = dberr_syntax(
            params, NULL, params->type != JV_ARRAY ? "array expected" : "database name expected as first parameter");
        dberr_add_json(reply, err);
        x->failed = true;
        return;
    }
    symtab_init(&e.symtab);
    e.txn = txn_begin(db);
    text_addc(reply, '[');
    if (run_all(&e, params, reply)) {
        commit(&e, reply);
    } else {
        x->failed = true;
        txn_abort(MOVE(e.txn));
    }
    text_addc(reply, ']');
    symtab_fini(&e.symtab);
    if (e.unfulfilled) {
        text_cut(reply, mark);
        x->must_wait = true;
    }
}
