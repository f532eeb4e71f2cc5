/* Transactions: what is to change is gathered cell by cell, then written down as one "transact" request.
 *
 * Theory.   A cell remembers either the whole new value, or elements to add and to remove; reads go to 'view', which is what the column will
 *           hold if nobody interferes.  Nothing is sent until the commit, so abort is forgetting.  Parts are kept as parts only for rows that
 *           exist: of a new row every column is written whole.
 * Leaving out. A column set to what it already holds is not sent - unless another transaction is on its way, for then the replica is
 *           not what the server will hold when this one arrives.
 * Order of the request: assert of the lock, waits (the verified columns), inserts and changes, deletes, the increment, comment,
 *           commit or abort.  Answers come in the same order; an insert's place gives us its uuid.
 * Ends.     done() is called by a task, so never from inside a call of the owner, and after the updates that the transaction caused. */
#include "ovsdb/client_impl.h"

#include "base/log.h"
#include "base/mem.h"
#include <string.h>

LOG_MODULE(ovsdb_txn)

const char *
ctxn_status_name(enum ctxn_status status)
{
    static const char *const names[] = {
        [CTXN_OPEN] = "uncommitted",      [CTXN_UNCHANGED] = "unchanged", [CTXN_INCOMPLETE] = "incomplete",
        [CTXN_ABORTED] = "aborted",       [CTXN_SUCCESS] = "success",     [CTXN_TRY_AGAIN] = "try again",
        [CTXN_NOT_LOCKED] = "not locked", [CTXN_ERROR] = "error",
    };
    return names[status];
}

/* Somebody's change, tried until it is settled. */
struct runner {
    struct list link; /* client.runners */
    struct client *client;
    bool (*build)(struct ctxn *, void *aux);
    ctxn_done *done;
    void *aux;
    bool is_waiting; /* for the replica to move on, or to be there */
    unsigned seqno;  /* when the last attempt was made */
};

/* ---- Life. ---- */

static void
run_done(void *aux)
{
    struct ctxn *t = aux;

    list_remove(&t->link);
    if (t->done)
        t->done(t->aux, t, t->status);
    t->done = NULL;
    ctxn_abort(t);
}

struct ctxn *
ctxn_open(struct client *c)
{
    ASSERT(!c->open); /* one at a time */
    struct ctxn *t = xzalloc(sizeof *t);
    t->client = c;
    t->request = -1;
    list_init(&t->link);
    list_init(&t->rows);
    task_init(&t->task, c->loop, run_done, t);
    c->open = t;
    return t;
}

struct ctxn *
client_open_ctxn(const struct client *c)
{
    return c->open;
}

static void
cell_clear(struct txn_cell *cell)
{
    datum_unref(cell->view);
    datum_unref(cell->put);
    datum_unref(cell->del);
    cell->view = cell->put = cell->del = NULL;
    cell->is_whole = false;
}

static void
txn_row_free(struct txn_row *tr)
{
    if (tr->row->open == tr) {
        tr->row->open = NULL;
        if (tr->is_insert)
            hmap_remove(&tr->row->table->rows, &tr->row->node);
    }
    for (size_t i = 0; i < tr->n_cells; i++)
        cell_clear(&tr->cells[i]);
    if (tr->is_insert)
        crow_free(tr->row);
    list_remove(&tr->link);
    free(tr);
}

/* The replica shows the server's rows again.  New rows stay in memory, for the sake of pointers, until the transaction is freed. */
static void
close_rows(struct ctxn *t)
{
    struct txn_row *tr, *next;

    if (t->client->open != t)
        return;
    t->client->open = NULL;
    LIST_FOR_SAFE (tr, next, link, &t->rows) {
        if (!tr->is_insert) {
            txn_row_free(tr);
            continue;
        }
        tr->row->open = NULL;
        hmap_remove(&tr->row->table->rows, &tr->row->node);
    }
}

void
ctxn_abort(struct ctxn *t)
{
    struct txn_row *tr, *next;

    if (!t)
        return;
    close_rows(t);
    LIST_FOR_SAFE (tr, next, link, &t->rows)
        txn_row_free(tr);
    task_cancel(&t->task);
    list_remove(&t->link);
    text_fini(&t->comment);
    vec_fini(&t->inserted);
    free(t->bump_column);
    free(t->error);
    free(t);
}

void
ctxn_free_all(struct client *c)
{
    ctxn_abort(c->open);
    while (!list_is_empty(&c->in_flight))
        ctxn_abort(CONTAINER_OF(c->in_flight.next, struct ctxn, link));
    while (!list_is_empty(&c->runners))
        free(CONTAINER_OF(list_pop_front(&c->runners), struct runner, link));
}

/* ---- Building. ---- */

void
ctxn_comment(struct ctxn *t, const char *s)
{
    if (t->comment.len)
        text_addc(&t->comment, '\n');
    text_add(&t->comment, s);
}

void
ctxn_dry_run(struct ctxn *t)
{
    t->is_dry_run = true;
}

void
ctxn_durable(struct ctxn *t)
{
    t->is_durable = true;
}

static struct txn_row *
txn_row_get(struct ctxn *t, struct crow *row)
{
    const struct table_schema *schema = row->table->schema;

    ASSERT(t->client->open == t);
    if (row->open)
        return row->open;
    size_t n = schema ? schema->n_columns : 0;
    struct txn_row *tr = xzalloc(sizeof *tr + n * sizeof tr->cells[0]);
    tr->row = row;
    tr->txn = t;
    tr->n_cells = n;
    list_push_back(&t->rows, &tr->link);
    row->open = tr;
    return tr;
}

struct crow *
ctxn_insert_named(struct ctxn *t, const char *table, const struct uuid *uuid)
{
    struct ctable *ct = ctable_get(t->client, table);
    struct crow *row = crow_new(ct, uuid);

    row->is_provisional = true;
    hmap_insert(&ct->rows, &row->node, uuid_hash(uuid));
    txn_row_get(t, row)->is_insert = true;
    return row;
}

struct crow *
ctxn_insert_as(struct ctxn *t, const char *table, const struct uuid *uuid)
{
    struct crow *row = ctxn_insert_named(t, table, uuid);
    row->open->has_own_uuid = true;
    return row;
}

struct crow *
ctxn_insert(struct ctxn *t, const char *table)
{
    struct uuid uuid = uuid_random();
    return ctxn_insert_named(t, table, &uuid);
}

void
ctxn_delete(struct ctxn *t, struct crow *row)
{
    struct txn_row *tr = txn_row_get(t, row);
    for (size_t i = 0; i < tr->n_cells; i++)
        cell_clear(&tr->cells[i]);
    tr->is_delete = true;
}

/* The cell of a column, NULL where the server has no such column (writing there is ignored). */
static struct txn_cell *
cell_of(struct ctxn *t, struct crow *row, const char *column, const struct column **col)
{
    static struct log_limit limit = LOG_LIMIT(1, 5);
    *col = row->table->schema ? table_column(row->table->schema, column) : NULL;
    if (!*col) {
        log_info_rl(&limit, "%s has no column %s in this server's schema: not written", row->table->name, column);
        return NULL;
    }
    return &txn_row_get(t, row)->cells[(*col)->index];
}

/* What the column holds before this transaction; NULL where it is not replicated. */
static const struct datum *
base_of(const struct crow *row, const struct column *col)
{
    const struct want *w = ctable_want(row->table, col->name);
    if (row->is_provisional)
        return datum_default(&col->type);
    return w ? crow_committed(row, w) : NULL;
}

void
ctxn_set(struct ctxn *t, struct crow *row, const char *column, const struct datum *d)
{
    const struct column *col;
    struct txn_cell *cell = cell_of(t, row, column, &col);

    if (!cell || row->open->is_delete)
        return;
    bool verify = cell->verify;
    cell_clear(cell);
    cell->verify = verify;
    const struct datum *base = base_of(row, col);
    if (base && datum_equal(base, d) && list_is_empty(&t->client->in_flight))
        return;
    cell->view = datum_ref(d);
    cell->is_whole = true;
}

/* Sets and lets go of the caller's reference. */
static void
set_moved(struct ctxn *t, struct crow *row, const char *column, const struct datum *d)
{
    ctxn_set(t, row, column, d);
    datum_unref(d);
}

static enum atom_type
key_type_of(const struct crow *row, const char *column)
{
    const struct column *col = row->table->schema ? table_column(row->table->schema, column) : NULL;
    return col ? col->type.key.type : ATOM_STRING;
}

void
ctxn_set_str(struct ctxn *t, struct crow *row, const char *column, const char *s)
{
    set_moved(t, row, column, s ? datum_of_string(s) : datum_empty(ATOM_STRING, ATOM_VOID));
}

void
ctxn_set_int(struct ctxn *t, struct crow *row, const char *column, int64_t i)
{
    set_moved(t, row, column, datum_of_integer(i));
}

void
ctxn_set_bool(struct ctxn *t, struct crow *row, const char *column, bool b)
{
    union atom a = {.boolean = b};
    set_moved(t, row, column, datum_of(&a, ATOM_BOOLEAN));
}

void
ctxn_set_real(struct ctxn *t, struct crow *row, const char *column, double r)
{
    union atom a = {.real = r};
    set_moved(t, row, column, datum_of(&a, ATOM_REAL));
}

void
ctxn_set_ref(struct ctxn *t, struct crow *row, const char *column, const struct crow *to)
{
    set_moved(t, row, column, to ? datum_of_uuid(&to->uuid) : datum_empty(ATOM_UUID, ATOM_VOID));
}

void
ctxn_set_refs(struct ctxn *t, struct crow *row, const char *column, struct crow *const *to, size_t n)
{
    struct datum_builder b;
    builder_init(&b, ATOM_UUID, ATOM_VOID);
    for (size_t i = 0; i < n; i++) {
        union atom a = {.uuid = to[i]->uuid};
        builder_add(&b, &a, NULL);
    }
    set_moved(t, row, column, datum_build_unique(&b));
    builder_fini(&b);
}

void
ctxn_set_strs(struct ctxn *t, struct crow *row, const char *column, const char *const *s, size_t n)
{
    struct datum_builder b;
    builder_init(&b, ATOM_STRING, ATOM_VOID);
    for (size_t i = 0; i < n; i++) {
        union atom a = {.string = {s[i], strlen(s[i])}};
        builder_add(&b, &a, NULL);
    }
    set_moved(t, row, column, datum_build_unique(&b));
    builder_fini(&b);
}

void
ctxn_set_map(struct ctxn *t, struct crow *row, const char *column, const char *const *keys, const char *const *values,
             size_t n)
{
    struct datum_builder b;
    builder_init(&b, ATOM_STRING, ATOM_STRING);
    for (size_t i = 0; i < n; i++) {
        union atom key = {.string = {keys[i], strlen(keys[i])}};
        union atom value = {.string = {values[i], strlen(values[i])}};
        builder_add(&b, &key, &value);
    }
    set_moved(t, row, column, datum_build_unique(&b));
    builder_fini(&b);
}

void
ctxn_set_counts(struct ctxn *t, struct crow *row, const char *column, const char *const *keys, const int64_t *values,
                size_t n)
{
    struct datum_builder b;
    builder_init(&b, ATOM_STRING, ATOM_INTEGER);
    for (size_t i = 0; i < n; i++) {
        union atom key = {.string = {keys[i], strlen(keys[i])}};
        union atom value = {.integer = values[i]};
        builder_add(&b, &key, &value);
    }
    set_moved(t, row, column, datum_build_unique(&b));
    builder_fini(&b);
}

void
ctxn_clear(struct ctxn *t, struct crow *row, const char *column)
{
    const struct column *col = row->table->schema ? table_column(row->table->schema, column) : NULL;
    if (col)
        set_moved(t, row, column, datum_default(&col->type));
}

/* ---- Parts of sets and maps. ---- */

static void
replace(const struct datum **slot, const struct datum *moved)
{
    datum_unref(*slot);
    *slot = moved;
}

static const struct datum *
or_empty(const struct datum *d, const struct datum *like_keys, bool with_values)
{
    return d ? d : datum_empty(like_keys->key_type, with_values ? like_keys->value_type : ATOM_VOID);
}

/* What the column holds with this cell's parts applied; NULL where it is not replicated. */
static void
refresh_view(const struct crow *row, const struct column *col, struct txn_cell *cell)
{
    const struct datum *base = base_of(row, col);
    if (!base)
        return;
    AUTO_DATUM const struct datum *less = cell->del ? datum_remove_keys(base, cell->del) : datum_ref(base);
    replace(&cell->view, cell->put ? datum_overlay(less, cell->put) : datum_ref(less));
}

/* 'keys': the keys of 'd' alone. */
static const struct datum *
keys_of(const struct datum *d)
{
    struct datum_builder b;
    builder_init(&b, d->key_type, ATOM_VOID);
    for (size_t i = 0; i < d->n; i++) {
        union atom a = datum_key(d, i);
        builder_add(&b, &a, NULL);
    }
    const struct datum *keys = datum_build_unique(&b);
    builder_fini(&b);
    return keys;
}

void
ctxn_add(struct ctxn *t, struct crow *row, const char *column, const struct datum *d)
{
    const struct column *col;
    struct txn_cell *cell = cell_of(t, row, column, &col);

    if (!cell || row->open->is_delete || !d->n)
        return;
    if (cell->is_whole || row->is_provisional) { /* what a new row would hold by default does not count */
        AUTO_DATUM const struct datum *sum = datum_overlay(or_empty(cell->view, d, true), d);
        ctxn_set(t, row, column, sum);
        return;
    }
    AUTO_DATUM const struct datum *keys = keys_of(d);
    replace(&cell->put, datum_overlay(or_empty(cell->put, d, true), d));
    if (cell->del)
        replace(&cell->del, datum_remove_keys(cell->del, keys));
    refresh_view(row, col, cell);
}

void
ctxn_del(struct ctxn *t, struct crow *row, const char *column, const struct datum *d)
{
    const struct column *col;
    struct txn_cell *cell = cell_of(t, row, column, &col);

    if (!cell || row->open->is_delete || !d->n)
        return;
    AUTO_DATUM const struct datum *keys = keys_of(d);
    if (cell->is_whole || row->is_provisional) {
        AUTO_DATUM const struct datum *rest = cell->view ? datum_remove_keys(cell->view, keys) : NULL;
        if (rest)
            ctxn_set(t, row, column, rest);
        return;
    }
    replace(&cell->del, datum_union(or_empty(cell->del, keys, false), keys));
    if (cell->put)
        replace(&cell->put, datum_remove_keys(cell->put, keys));
    refresh_view(row, col, cell);
}

void
ctxn_add_ref(struct ctxn *t, struct crow *row, const char *column, const struct crow *to)
{
    AUTO_DATUM const struct datum *d = datum_of_uuid(&to->uuid);
    ctxn_add(t, row, column, d);
}

void
ctxn_del_ref(struct ctxn *t, struct crow *row, const char *column, const struct crow *to)
{
    AUTO_DATUM const struct datum *d = datum_of_uuid(&to->uuid);
    ctxn_del(t, row, column, d);
}

void
ctxn_put_key(struct ctxn *t, struct crow *row, const char *column, const char *key, const char *value)
{
    union atom k = {.string = {key, strlen(key)}}, v = {.string = {value, strlen(value)}};
    struct datum_builder b;
    const char *old = ctable_want(row->table, column) ? crow_key(row, column, key) : NULL;

    if (old && !strcmp(old, value) && list_is_empty(&t->client->in_flight))
        return;
    builder_init(&b, ATOM_STRING, ATOM_STRING);
    builder_add(&b, &k, &v);
    AUTO_DATUM const struct datum *d = datum_build_unique(&b);
    builder_fini(&b);
    ctxn_add(t, row, column, d);
}

void
ctxn_del_key(struct ctxn *t, struct crow *row, const char *column, const char *key)
{
    if (key_type_of(row, column) != ATOM_STRING)
        return;
    if (ctable_want(row->table, column) && !crow_key(row, column, key) && list_is_empty(&t->client->in_flight))
        return;
    AUTO_DATUM const struct datum *d = datum_of_string(key);
    ctxn_del(t, row, column, d);
}

void
ctxn_verify(struct ctxn *t, const struct crow *row, const char *column)
{
    const struct column *col;
    struct crow *mine = (struct crow *) (uintptr_t) row;

    ASSERT(ctable_want(row->table, column)); /* what we do not see we cannot verify */
    if (row->is_provisional)
        return;
    struct txn_cell *cell = cell_of(t, mine, column, &col);
    if (cell)
        cell->verify = true;
}

void
ctxn_increment(struct ctxn *t, struct crow *row, const char *column, bool force)
{
    ASSERT(!t->bump_column && !row->is_provisional);
    t->bump_table = row->table;
    t->bump_row = row->uuid;
    t->bump_column = xstrdup(column);
    t->bump_force = force;
}

/* ---- Writing the request. ---- */

struct request {
    struct ctxn *txn;
    struct text t;
    size_t n_ops;
    bool has_changes;
};

static void
op_begin(struct request *r, const char *op)
{
    text_addf(&r->t, ",{\"op\":\"%s\"", op);
    r->n_ops++;
}

static void
add_where(struct text *t, const struct crow *row)
{
    text_addf(t, ",\"where\":[[\"_uuid\",\"==\",[\"uuid\",\"%s\"]]]", uuid_text(&row->uuid).s);
}

/* A uuid-name must be an <id>: the uuid with underscores. */
static void
add_row_name(struct text *t, const struct uuid *uuid)
{
    struct uuid_text s = uuid_text(uuid);
    for (char *p = s.s; *p; p++)
        *p = *p == '-' ? '_' : *p;
    text_addf(t, "\"row%s\"", s.s);
}

static bool
is_named(const struct ctxn *txn, const struct uuid *uuid)
{
    for (size_t i = 0; i < txn->inserted.n; i++) {
        if (uuid_eq(&txn->inserted.at[i].provisional, uuid))
            return true;
    }
    return false;
}

static void
add_atom(struct request *r, const union atom *a, enum atom_type type)
{
    if (type == ATOM_UUID && is_named(r->txn, &a->uuid)) {
        text_add(&r->t, "[\"named-uuid\",");
        add_row_name(&r->t, &a->uuid);
        text_addc(&r->t, ']');
    } else {
        atom_add_json(&r->t, a, type);
    }
}

static void
add_value(struct request *r, const struct datum *d)
{
    bool is_map = d->value_type != ATOM_VOID;

    if (!is_map && d->n == 1) {
        union atom a = datum_key(d, 0);
        add_atom(r, &a, d->key_type);
        return;
    }
    text_add(&r->t, is_map ? "[\"map\",[" : "[\"set\",[");
    for (size_t i = 0; i < d->n; i++) {
        union atom key = datum_key(d, i);
        text_add(&r->t, i ? "," : "");
        if (is_map) {
            union atom value = datum_value(d, i);
            text_addc(&r->t, '[');
            add_atom(r, &key, d->key_type);
            text_addc(&r->t, ',');
            add_atom(r, &value, d->value_type);
            text_addc(&r->t, ']');
        } else {
            add_atom(r, &key, d->key_type);
        }
    }
    text_add(&r->t, "]]");
}

static const struct column *
column_at(const struct txn_row *tr, size_t i)
{
    return &tr->row->table->schema->columns[i];
}

/* ',"row":{...}' of the cells that are written whole; false: there is none (nothing is added then, unless 'always'). */
static bool
add_row(struct request *r, const struct txn_row *tr, bool always)
{
    size_t start = r->t.len;
    bool any = false;

    text_add(&r->t, ",\"row\":{");
    for (size_t i = 0; i < tr->n_cells; i++) {
        const struct txn_cell *cell = &tr->cells[i];
        if (!cell->is_whole || (tr->is_insert && datum_is_default(cell->view, &column_at(tr, i)->type)))
            continue;
        text_addf(&r->t, "%s\"%s\":", any ? "," : "", column_at(tr, i)->name);
        add_value(r, cell->view);
        any = true;
    }
    text_addc(&r->t, '}');
    if (!any && !always)
        text_cut(&r->t, start);
    return any;
}

static void
write_insert(struct request *r, const struct txn_row *tr)
{
    op_begin(r, "insert");
    text_addf(&r->t, ",\"table\":\"%s\"", tr->row->table->name);
    if (tr->has_own_uuid) {
        text_addf(&r->t, ",\"uuid\":\"%s\"", uuid_text(&tr->row->uuid).s);
    } else {
        text_add(&r->t, ",\"uuid-name\":");
        add_row_name(&r->t, &tr->row->uuid);
    }
    add_row(r, tr, true);
    text_addc(&r->t, '}');
    r->has_changes = true;
}

static void
write_update(struct request *r, const struct txn_row *tr)
{
    size_t start = r->t.len, n_ops = r->n_ops;

    op_begin(r, "update");
    text_addf(&r->t, ",\"table\":\"%s\"", tr->row->table->name);
    add_where(&r->t, tr->row);
    if (add_row(r, tr, false)) {
        text_addc(&r->t, '}');
        r->has_changes = true;
    } else {
        text_cut(&r->t, start);
        r->n_ops = n_ops;
    }
}

/* A map's "insert" leaves keys alone that are there: they are deleted first. */
static const struct datum *
doomed_keys(const struct txn_cell *cell)
{
    const struct datum *del = cell->del && cell->del->n ? cell->del : NULL;
    if (!cell->put || !cell->put->n || cell->put->value_type == ATOM_VOID)
        return del ? datum_ref(del) : NULL;
    const struct datum *keys = keys_of(cell->put);
    if (!del)
        return keys;
    const struct datum *both = datum_union(del, keys);
    datum_unref(keys);
    return both;
}

static void
add_mutation(struct request *r, const char *column, const char *mutator, const struct datum *d, const char **separator)
{
    if (!d || !d->n)
        return;
    text_addf(&r->t, "%s[\"%s\",\"%s\",", *separator, column, mutator);
    add_value(r, d);
    text_addc(&r->t, ']');
    *separator = ",";
}

static void
write_mutate(struct request *r, const struct txn_row *tr)
{
    size_t start = r->t.len, n_ops = r->n_ops;
    const char *separator = "";

    op_begin(r, "mutate");
    text_addf(&r->t, ",\"table\":\"%s\"", tr->row->table->name);
    add_where(&r->t, tr->row);
    text_add(&r->t, ",\"mutations\":[");
    for (size_t i = 0; i < tr->n_cells; i++) {
        const struct txn_cell *cell = &tr->cells[i];
        if (cell->is_whole)
            continue;
        AUTO_DATUM const struct datum *doomed = doomed_keys(cell);
        add_mutation(r, column_at(tr, i)->name, "delete", doomed, &separator);
        add_mutation(r, column_at(tr, i)->name, "insert", cell->put, &separator);
    }
    if (*separator) {
        text_add(&r->t, "]}");
        r->has_changes = true;
    } else {
        text_cut(&r->t, start);
        r->n_ops = n_ops;
    }
}

static void
write_verify(struct request *r, const struct txn_row *tr)
{
    AUTO_TEXT struct text columns = TEXT_INIT;
    bool any = false;

    for (size_t i = 0; i < tr->n_cells; i++) {
        if (tr->cells[i].verify)
            text_addf(&columns, "%s\"%s\"", columns.len ? "," : "", column_at(tr, i)->name);
    }
    if (!columns.len)
        return;
    op_begin(r, "wait");
    text_addf(&r->t, ",\"table\":\"%s\",\"timeout\":0,\"until\":\"==\"", tr->row->table->name);
    add_where(&r->t, tr->row);
    text_addf(&r->t, ",\"columns\":[%s],\"rows\":[{", text_str(&columns));
    for (size_t i = 0; i < tr->n_cells; i++) {
        if (!tr->cells[i].verify)
            continue;
        text_addf(&r->t, "%s\"%s\":", any ? "," : "", column_at(tr, i)->name);
        add_value(r, crow_committed(tr->row, ctable_want(tr->row->table, column_at(tr, i)->name)));
        any = true;
    }
    text_add(&r->t, "}]}");
}

/* Asserts and waits come first: what fails them must not have done anything. */
static void
write_conditions(struct request *r)
{
    const struct client *c = r->txn->client;
    struct txn_row *tr;

    if (c->lock) {
        op_begin(r, "assert");
        text_add(&r->t, ",\"lock\":");
        json_add_string(&r->t, c->lock, strlen(c->lock));
        text_addc(&r->t, '}');
    }
    LIST_FOR (tr, link, &r->txn->rows)
        write_verify(r, tr);
}

static void
write_changes(struct request *r)
{
    struct txn_row *tr;

    LIST_FOR (tr, link, &r->txn->rows) {
        if (tr->is_insert && !tr->is_delete && !tr->has_own_uuid) {
            struct inserted in = {.provisional = tr->row->uuid};
            vec_push(&r->txn->inserted, in);
        }
    }
    size_t next = 0;
    LIST_FOR (tr, link, &r->txn->rows) {
        if (tr->is_delete)
            continue;
        if (tr->is_insert) {
            if (!tr->has_own_uuid)
                r->txn->inserted.at[next++].op = r->n_ops;
            write_insert(r, tr);
        } else {
            write_update(r, tr);
            write_mutate(r, tr);
        }
    }
    LIST_FOR (tr, link, &r->txn->rows) {
        if (tr->is_delete && !tr->is_insert) {
            op_begin(r, "delete");
            text_addf(&r->t, ",\"table\":\"%s\"", tr->row->table->name);
            add_where(&r->t, tr->row);
            text_addc(&r->t, '}');
            r->has_changes = true;
        }
    }
}

static void
write_increment(struct request *r)
{
    struct ctxn *t = r->txn;
    AUTO_TEXT struct text target = TEXT_INIT;

    if (!t->bump_column || (!r->has_changes && !t->bump_force))
        return;
    text_addf(&target, ",\"table\":\"%s\",\"where\":[[\"_uuid\",\"==\",[\"uuid\",\"%s\"]]]", t->bump_table->name,
              uuid_text(&t->bump_row).s);
    op_begin(r, "mutate");
    text_addf(&r->t, "%s,\"mutations\":[[\"%s\",\"+=\",1]]}", text_str(&target), t->bump_column);
    t->bump_op = r->n_ops;
    op_begin(r, "select");
    text_addf(&r->t, "%s,\"columns\":[\"%s\"]}", text_str(&target), t->bump_column);
    r->has_changes = true;
}

static void
write_end(struct request *r)
{
    struct ctxn *t = r->txn;
    if (t->comment.len) {
        op_begin(r, "comment");
        text_add(&r->t, ",\"comment\":");
        json_add_string(&r->t, text_str(&t->comment), t->comment.len);
        text_addc(&r->t, '}');
    }
    if (t->is_dry_run) {
        op_begin(r, "abort");
        text_addc(&r->t, '}');
    } else if (t->is_durable) {
        op_begin(r, "commit");
        text_add(&r->t, ",\"durable\":true}");
    }
}

/* ---- Sending, and what comes back. ---- */

static void
finish(struct ctxn *t, enum ctxn_status status)
{
    t->status = status;
    t->request = -1;
    if (!t->is_kept)
        task_soon(&t->task);
}

static void
commit(struct ctxn *t)
{
    struct client *c = t->client;
    struct request r = {.txn = t};

    ASSERT(c->open == t);
    text_addf(&r.t, "[\"%s\"", c->database);
    write_conditions(&r);
    write_changes(&r);
    write_increment(&r);
    write_end(&r);
    text_addc(&r.t, ']');
    close_rows(t);
    list_push_back(&c->in_flight, &t->link);
    if (!r.has_changes) {
        finish(t, CTXN_UNCHANGED);
    } else if (c->lock && !c->has_lock) {
        finish(t, CTXN_NOT_LOCKED);
    } else if (c->state != CLIENT_FOLLOWS) {
        finish(t, CTXN_TRY_AGAIN);
    } else {
        t->status = CTXN_INCOMPLETE;
        t->request = rpc_request(c->rpc, "transact", text_str(&r.t));
    }
    text_fini(&r.t);
}

void
ctxn_commit(struct ctxn *t, ctxn_done *done, void *aux)
{
    t->done = done;
    t->aux = aux;
    commit(t);
}

void
ctxn_lost(struct client *c)
{
    struct ctxn *t;
    LIST_FOR (t, link, &c->in_flight) {
        if (t->status == CTXN_INCOMPLETE)
            finish(t, CTXN_TRY_AGAIN);
    }
}

static void
set_error(struct ctxn *t, const struct jv *v)
{
    AUTO_TEXT struct text s = TEXT_INIT;
    if (t->error)
        return;
    jv_add_sorted(&s, v);
    t->error = text_steal(&s);
}

/* The worst answer of the operations decides: a refusal, then the lock, then what is worth another try. */
static enum ctxn_status
judge(struct ctxn *t, const struct jv *results)
{
    bool again = false, unlocked = false, refused = false;

    for (size_t i = 0; i < results->n; i++) {
        const struct jv *op = &results->at[i];
        const struct jv *error = jv_get(op, "error");
        if (!error)
            continue;
        if (jv_str_eq(error, "timed out") || jv_str_eq(error, "unknown database")) {
            again = true;
        } else if (jv_str_eq(error, "not owner")) {
            unlocked = true;
        } else if (!jv_str_eq(error, "aborted")) {
            set_error(t, op);
            refused = true;
        }
    }
    return refused ? CTXN_ERROR : unlocked ? CTXN_NOT_LOCKED : again ? CTXN_TRY_AGAIN : CTXN_SUCCESS;
}

static bool
take_inserted(struct inserted *in, const struct jv *results)
{
    const struct jv *uuid = in->op < results->n ? jv_get(&results->at[in->op], "uuid") : NULL;
    return jv_is(uuid, JV_ARRAY) && uuid->n == 2 && uuid->at[1].type == JV_STRING &&
           uuid_parse(uuid->at[1].s, &in->real);
}

static bool
take_increment(struct ctxn *t, const struct jv *results)
{
    const struct jv *rows = t->bump_op < results->n ? jv_get(&results->at[t->bump_op], "rows") : NULL;
    const struct jv *value = jv_is(rows, JV_ARRAY) && rows->n == 1 ? jv_get(&rows->at[0], t->bump_column) : NULL;
    if (!jv_is(value, JV_INT))
        return false;
    t->bump_result = value->i;
    return true;
}

static enum ctxn_status
take_results(struct ctxn *t, const struct jv *results)
{
    const struct jv odd = jv_string("the server's answer does not fit the request");

    if (!jv_is(results, JV_ARRAY)) {
        set_error(t, &odd);
        return CTXN_ERROR;
    }
    enum ctxn_status status = judge(t, results);
    if (status != CTXN_SUCCESS)
        return status;
    bool fits = !t->bump_op || t->is_dry_run || take_increment(t, results);
    for (size_t i = 0; i < t->inserted.n; i++)
        fits &= take_inserted(&t->inserted.at[i], results);
    if (!fits) {
        set_error(t, &odd);
        return CTXN_ERROR;
    }
    return CTXN_SUCCESS;
}

bool
ctxn_answered(struct client *c, const struct rpc_msg *msg)
{
    struct ctxn *t;
    LIST_FOR (t, link, &c->in_flight) {
        if (t->status != CTXN_INCOMPLETE || !rpc_is_id(msg, t->request))
            continue;
        if (msg->type == RPC_REPLY) {
            finish(t, take_results(t, msg->result));
        } else if (jv_str_eq(msg->error, "canceled")) {
            finish(t, CTXN_TRY_AGAIN); /* the database was converted under us */
        } else {
            set_error(t, msg->error);
            finish(t, CTXN_ERROR);
        }
        return true;
    }
    return false;
}

const char *
ctxn_error(const struct ctxn *t)
{
    return t->error;
}

const struct uuid *
ctxn_inserted(const struct ctxn *t, const struct uuid *provisional)
{
    for (size_t i = 0; t->status == CTXN_SUCCESS && i < t->inserted.n; i++) {
        if (uuid_eq(&t->inserted.at[i].provisional, provisional))
            return &t->inserted.at[i].real;
    }
    return NULL;
}

int64_t
ctxn_incremented(const struct ctxn *t)
{
    return t->status == CTXN_SUCCESS ? t->bump_result : 0;
}

enum ctxn_status
ctxn_commit_wait(struct ctxn *t)
{
    t->is_kept = true;
    commit(t);
    while (t->status == CTXN_INCOMPLETE)
        loop_turn(t->client->loop, true);
    return t->status;
}

/* ---- Again and again until it is settled. ---- */

static void runner_try(struct runner *);

static void
runner_end(struct runner *r, struct ctxn *t, enum ctxn_status status)
{
    list_remove(&r->link);
    if (r->done)
        r->done(r->aux, t, status);
    free(r);
}

static void
runner_answered(void *aux, struct ctxn *t, enum ctxn_status status)
{
    struct runner *r = aux;

    if (status != CTXN_TRY_AGAIN) {
        runner_end(r, t, status);
        return;
    }
    struct client *c = r->client;
    r->is_waiting = true;
    if (c->state == CLIENT_FOLLOWS && (c->seqno != r->seqno || c->has_news))
        runner_try(r);
}

static void
runner_try(struct runner *r)
{
    struct client *c = r->client;

    if (c->state != CLIENT_FOLLOWS || c->open)
        return;
    r->is_waiting = false;
    r->seqno = c->seqno;
    struct ctxn *t = ctxn_open(c);
    if (r->build(t, r->aux)) {
        ctxn_commit(t, runner_answered, r);
        return;
    }
    t->status = CTXN_ABORTED;
    close_rows(t);
    runner_end(r, t, CTXN_ABORTED);
    ctxn_abort(t);
}

void
runners_go(struct client *c)
{
    struct runner *r, *next;
    LIST_FOR_SAFE (r, next, link, &c->runners) {
        if (r->is_waiting)
            runner_try(r);
    }
}

void
client_run(struct client *c, bool (*build)(struct ctxn *, void *aux), ctxn_done *done, void *aux)
{
    struct runner *r = xzalloc(sizeof *r);
    r->client = c;
    r->build = build;
    r->done = done;
    r->aux = aux;
    r->is_waiting = true;
    list_push_back(&c->runners, &r->link);
    runner_try(r);
}
