/* The rows of a client, and the ways to read them.
 *
 * Theory.   A row holds one counted datum for each wanted column; an update replaces what differs and nothing else, so that "changed" means
 *           changed.  After a reconnect the server may send everything again: all rows are marked stale, those mentioned lose the mark,
 *           the rest are gone.  Rows, columns and tables are found by name through small hash tables: callers write the schema's names,
 *           and a misspelled one stops the program the first time it runs.
 * Reading.  While a transaction is open, a cell it wrote shows the transaction's view; see crow_value(). */
#include "ovsdb/client_impl.h"

#include "base/hash.h"
#include "base/mem.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- Tables and wants. ---- */

struct ctable *
ctable_find(const struct client *c, const char *name)
{
    struct ctable *t;
    HMAP_FOR_HASH (t, node, hash_str(name), &c->tables) {
        if (!strcmp(t->name, name))
            return t;
    }
    return NULL;
}

static void
ctable_resolve(struct ctable *t)
{
    const struct schema *schema = t->client->schema;
    t->schema = schema ? schema_table(schema, t->name) : NULL;
    for (size_t i = 0; i < t->wants.n; i++)
        t->wants.at[i]->col = t->schema ? table_column(t->schema, t->wants.at[i]->name) : NULL;
}

struct ctable *
ctable_get(struct client *c, const char *name)
{
    struct ctable *t = ctable_find(c, name);
    if (t)
        return t;
    t = xzalloc(sizeof *t);
    t->client = c;
    t->name = xstrdup(name);
    hmap_init(&t->by_name);
    hmap_init(&t->rows);
    list_init(&t->changes);
    hmap_insert(&c->tables, &t->node, hash_str(name));
    ctable_resolve(t);
    return t;
}

const struct want *
ctable_want(const struct ctable *t, const char *column)
{
    struct want *w;
    HMAP_FOR_HASH (w, node, hash_str(column), &t->by_name) {
        if (!strcmp(w->name, column))
            return w;
    }
    return NULL;
}

static const struct datum *
want_default(const struct want *w)
{
    return w->col ? datum_default(&w->col->type) : datum_empty(ATOM_STRING, ATOM_VOID);
}

/* Makes room for wants that came after the row did. */
static void
crow_fit(struct crow *row)
{
    struct ctable *t = row->table;

    if (row->changed) {
        uint64_t *wider = xcalloc(DIV_ROUND_UP(t->wants.n, 64), sizeof *wider);
        memcpy(wider, row->changed, DIV_ROUND_UP(row->n_now, 64) * sizeof *wider);
        free(row->changed);
        row->changed = wider;
    }
    row->now = xrealloc(row->now, MAX(t->wants.n, (size_t) 1) * sizeof *row->now);
    while (row->n_now < t->wants.n) {
        row->now[row->n_now] = want_default(t->wants.at[row->n_now]);
        row->n_now++;
    }
}

static struct want *
want_add(struct ctable *t, const char *column, enum client_want mode)
{
    struct want *w = xzalloc(sizeof *w);
    struct crow *row;

    w->name = xstrdup(column);
    w->mode = mode;
    w->i = t->wants.n;
    w->col = t->schema ? table_column(t->schema, column) : NULL;
    vec_push(&t->wants, w);
    hmap_insert(&t->by_name, &w->node, hash_str(column));
    HMAP_FOR (row, node, &t->rows)
        crow_fit(row);
    return w;
}

void
client_want(struct client *c, const char *table, const char *column, enum client_want mode)
{
    struct ctable *t = ctable_get(c, table);
    struct want *w = column ? (struct want *) (uintptr_t) ctable_want(t, column) : NULL;
    if (w)
        w->mode = MIN(w->mode, mode);
    if (w || (!column && t->is_wanted))
        return;
    t->is_wanted = true;
    if (column)
        want_add(t, column, mode);
    c->is_renewing |= c->state >= CLIENT_ASKS_ROWS;
    if (c->is_renewing)
        task_soon(&c->news);
}

static void
want_the_rest(struct ctable *t)
{
    for (size_t i = COL_FIRST; t->schema && i < t->schema->n_columns; i++) {
        if (!ctable_want(t, t->schema->columns[i].name))
            want_add(t, t->schema->columns[i].name, WANT_READ);
    }
}

void
client_want_all(struct client *c, const char *table)
{
    struct ctable *t = ctable_get(c, table);
    t->want_all = t->is_wanted = true;
    want_the_rest(t);
    c->is_renewing |= c->state >= CLIENT_ASKS_ROWS;
    if (c->is_renewing)
        task_soon(&c->news);
}

void
client_want_rows(struct client *c, const char *table, const char *condition)
{
    struct ctable *t = ctable_get(c, table);
    free(t->condition);
    t->condition = condition ? xstrdup(condition) : NULL;
    c->is_renewing |= c->state >= CLIENT_ASKS_ROWS;
    if (c->is_renewing)
        task_soon(&c->news);
}

void
replica_use_schema(struct client *c)
{
    struct ctable *t;
    HMAP_FOR (t, node, &c->tables) {
        ctable_resolve(t);
        if (t->want_all)
            want_the_rest(t);
    }
}

bool
client_has(const struct client *c, const char *table, const char *column)
{
    const struct table_schema *ts = c->schema ? schema_table(c->schema, table) : NULL;
    return ts && (!column || table_column(ts, column));
}

/* ---- Indexes. ---- */

static uint32_t
atom_slot(const union atom *a, enum atom_type type)
{
    return (uint32_t) atom_hash(a, type, 0);
}

static void
index_add(struct cindex *index, struct crow *row, const struct datum *d)
{
    for (size_t i = 0; i < d->n; i++) {
        union atom key = datum_key(d, i);
        struct cindex_entry *e = xzalloc(sizeof *e);
        e->row = row;
        hmap_insert(&index->entries, &e->node, atom_slot(&key, d->key_type));
    }
}

static void
index_del(struct cindex *index, struct crow *row, const struct datum *d)
{
    for (size_t i = 0; i < d->n; i++) {
        union atom key = datum_key(d, i);
        struct cindex_entry *e;
        HMAP_FOR_HASH (e, node, atom_slot(&key, d->key_type), &index->entries) {
            if (e->row == row) {
                hmap_remove(&index->entries, &e->node);
                free(e);
                break;
            }
        }
    }
}

void
client_index(struct client *c, const char *table, const char *column)
{
    struct crow *row;

    if (!ctable_want(ctable_get(c, table), column))
        client_want(c, table, column, WANT_READ);
    struct ctable *t = ctable_find(c, table);
    struct want *w = (struct want *) (uintptr_t) ctable_want(t, column);
    if (w->index)
        return;
    w->index = xzalloc(sizeof *w->index);
    hmap_init(&w->index->entries);
    HMAP_FOR (row, node, &t->rows) {
        if (!row->is_provisional)
            index_add(w->index, row, row->now[w->i]);
    }
}

static void
index_row(struct crow *row, bool add)
{
    for (size_t i = 0; i < row->table->wants.n; i++) {
        struct want *w = row->table->wants.at[i];
        if (w->index)
            (add ? index_add : index_del)(w->index, row, row->now[i]);
    }
}

static void
index_free(struct cindex *index)
{
    struct cindex_entry *e;
    if (!index)
        return;
    HMAP_FOR (e, node, &index->entries)
        free(e);
    hmap_fini(&index->entries);
    free(index);
}

/* ---- The life of a row. ---- */

struct crow *
crow_new(struct ctable *t, const struct uuid *uuid)
{
    struct crow *row = xzalloc(sizeof *row);
    row->table = t;
    row->uuid = *uuid;
    list_init(&row->change_link);
    crow_fit(row);
    return row;
}

void
crow_free(struct crow *row)
{
    if (!row)
        return;
    for (size_t i = 0; i < row->n_now; i++)
        datum_unref(row->now[i]);
    list_remove(&row->change_link);
    free(row->changed);
    free(row->now);
    free(row);
}

void
ctable_free(struct ctable *t)
{
    struct crow *row, *next;

    HMAP_FOR (row, node, &t->rows)
        crow_free(row);
    LIST_FOR_SAFE (row, next, change_link, &t->changes)
        crow_free(row);
    hmap_fini(&t->rows);
    for (size_t i = 0; i < t->wants.n; i++) {
        index_free(t->wants.at[i]->index);
        free(t->wants.at[i]->name);
        free(t->wants.at[i]);
    }
    vec_fini(&t->wants);
    hmap_fini(&t->by_name);
    free(t->condition);
    free(t->name);
    free(t);
}

static void
note_change(struct crow *row)
{
    client_note_news(row->table->client);
    if (row->table->client->options.track && list_is_empty(&row->change_link))
        list_push_back(&row->table->changes, &row->change_link);
}

static void
note_column(struct crow *row, unsigned i)
{
    if (row->table->client->options.track) {
        if (!row->changed)
            row->changed = xcalloc(DIV_ROUND_UP(row->n_now, 64), sizeof *row->changed);
        row->changed[i / 64] |= UINT64_C(1) << i % 64;
    }
    note_change(row);
}

/* Takes the reference of 'd'. */
static void
crow_take(struct crow *row, const struct want *w, const struct datum *d)
{
    const struct datum *old = row->now[w->i];

    if (old == d || datum_equal(old, d)) {
        datum_unref(d);
        return;
    }
    if (w->index) {
        index_del(w->index, row, old);
        index_add(w->index, row, d);
    }
    datum_unref(old);
    row->now[w->i] = d;
    if (w->mode == WANT_READ && row->is_new)
        note_change(row); /* all of it is new, but who looked already must look again */
    else if (w->mode == WANT_READ)
        note_column(row, w->i);
}

static struct crow *
crow_find(const struct ctable *t, const struct uuid *uuid)
{
    struct crow *row;
    HMAP_FOR_HASH (row, node, uuid_hash(uuid), &t->rows) {
        if (uuid_eq(&row->uuid, uuid))
            return row;
    }
    return NULL;
}

static void
crow_gone(struct crow *row)
{
    bool track = row->table->client->options.track;

    index_row(row, false);
    hmap_remove(&row->table->rows, &row->node);
    row->is_gone = true;
    note_change(row);
    if (!track || row->is_new) /* nobody knows it, or nobody asks */
        crow_free(row);
}

void
replica_forget(struct client *c)
{
    struct ctable *t;
    struct crow *row;
    HMAP_FOR (t, node, &c->tables) {
        HMAP_FOR (row, node, &t->rows)
            crow_gone(row);
    }
}

/* ---- Updates from the server. ---- */

static int
bad_update(struct why *why, const struct ctable *t, const struct uuid *uuid, const char *what)
{
    return refuse(why, -EBADMSG, "%s row %s: %s", t->name, uuid_text(uuid).s, what);
}

static int
apply_column(struct crow *row, const struct want *w, const struct jv *value, bool is_diff, struct why *why)
{
    AUTO_DATUM const struct datum *d = NULL;
    struct dberr *err = datum_from_json_loose(value, &w->col->type, NULL, &d);

    if (!err && is_diff) {
        const struct datum *whole = NULL;
        err = datum_apply_diff(row->now[w->i], d, &w->col->type, &whole);
        if (!err) {
            datum_unref(d);
            d = whole;
        }
    }
    if (err) {
        dberr_refuse(err, -EBADMSG, why);
        return refuse_in(why, -EBADMSG, "%s row %s column %s", row->table->name, uuid_text(&row->uuid).s, w->name);
    }
    crow_take(row, w, MOVE(d));
    return 0;
}

/* Columns that are not mentioned: of a diff unchanged, of whole contents at their default. */
static int
apply_columns(struct crow *row, const struct jv *columns, bool is_diff, struct why *why)
{
    for (size_t i = 0; i < row->table->wants.n; i++) {
        const struct want *w = row->table->wants.at[i];
        const struct jv *value = w->col ? jv_get(columns, w->name) : NULL;
        int err = 0;
        if (value)
            err = apply_column(row, w, value, is_diff, why);
        else if (!is_diff)
            crow_take(row, w, datum_ref(want_default(w)));
        if (err)
            return err;
    }
    return 0;
}

static int
apply_contents(struct ctable *t, const struct uuid *uuid, const struct jv *columns, struct why *why)
{
    struct crow *row = crow_find(t, uuid);

    if (!jv_is(columns, JV_OBJECT))
        return bad_update(why, t, uuid, "contents are not an object");
    if (row) {
        row->is_stale = false;
        return apply_columns(row, columns, false, why);
    }
    row = crow_new(t, uuid);
    row->is_new = true;
    int err = apply_columns(row, columns, false, why);
    if (err) {
        index_row(row, false);
        crow_free(row);
        return err;
    }
    hmap_insert(&t->rows, &row->node, uuid_hash(uuid));
    note_change(row);
    if (!t->client->options.track)
        row->is_new = false;
    return 0;
}

static int
apply_delete(struct ctable *t, const struct uuid *uuid)
{
    struct crow *row = crow_find(t, uuid);
    if (row) /* else: it fell out of the condition and was told so before */
        crow_gone(row);
    return 0;
}

static int
apply_row(struct ctable *t, const struct uuid *uuid, const struct jv *update, struct why *why)
{
    const struct jv *new = jv_get(update, "new");
    return jv_is(new, JV_OBJECT) ? apply_contents(t, uuid, new, why) : apply_delete(t, uuid);
}

static int
apply_row2(struct ctable *t, const struct uuid *uuid, const struct jv *update, struct why *why)
{
    const struct jv *v;

    if ((v = jv_get(update, "initial")) || (v = jv_get(update, "insert")))
        return apply_contents(t, uuid, v, why);
    if ((v = jv_get(update, "modify"))) {
        struct crow *row = crow_find(t, uuid);
        return row ? apply_columns(row, v, true, why) : bad_update(why, t, uuid, "modified but not there");
    }
    if (jv_get(update, "delete"))
        return apply_delete(t, uuid);
    return bad_update(why, t, uuid, "unknown kind of update");
}

static int
apply_table(struct ctable *t, const struct jv *rows, bool is_2, struct why *why)
{
    for (size_t i = 0; i < rows->n; i++) {
        struct uuid uuid;
        if (!uuid_parse(rows->at[2 * i].s, &uuid))
            return refuse(why, -EBADMSG, "\"%s\" is not a valid UUID", rows->at[2 * i].s);
        int err = (is_2 ? apply_row2 : apply_row)(t, &uuid, &rows->at[2 * i + 1], why);
        if (err)
            return err;
    }
    return 0;
}

static void
set_stale(struct client *c)
{
    struct ctable *t;
    struct crow *row;
    HMAP_FOR (t, node, &c->tables) {
        HMAP_FOR (row, node, &t->rows)
            row->is_stale = true;
    }
}

static void
drop_stale(struct client *c)
{
    struct ctable *t;
    struct crow *row;
    HMAP_FOR (t, node, &c->tables) {
        HMAP_FOR (row, node, &t->rows) {
            if (row->is_stale)
                crow_gone(row);
        }
    }
}

int
replica_apply(struct client *c, const struct jv *updates, bool is_2, bool whole, struct why *why)
{
    ASSERT(!c->open); /* a transaction must not stay open from one turn to the next */
    if (!jv_is(updates, JV_OBJECT))
        return refuse(why, -EBADMSG, "table updates are not an object");
    if (whole)
        set_stale(c);
    for (size_t i = 0; i < updates->n; i++) {
        struct ctable *t = ctable_find(c, updates->at[2 * i].s);
        const struct jv *rows = &updates->at[2 * i + 1];
        if (!t || !t->schema || rows->type != JV_OBJECT)
            return refuse(why, -EBADMSG, "update to table \"%s\" that was not asked for", updates->at[2 * i].s);
        int err = apply_table(t, rows, is_2, why);
        if (err)
            return err;
    }
    if (whole)
        drop_stale(c);
    return 0;
}

/* ---- Walking rows. ---- */

static bool
is_visible(const struct crow *row)
{
    return !row->open || !row->open->is_delete;
}

static struct crow *
visible(const struct ctable *t, struct hmap_node *node)
{
    for (; node; node = hmap_next(&t->rows, node)) {
        struct crow *row = CONTAINER_OF(node, struct crow, node);
        if (is_visible(row))
            return row;
    }
    return NULL;
}

struct crow *
client_first(const struct client *c, const char *table)
{
    const struct ctable *t = ctable_find(c, table);
    ASSERT(t);
    return visible(t, hmap_first(&t->rows));
}

struct crow *
client_next(const struct crow *row)
{
    return visible(row->table, hmap_next(&row->table->rows, &row->node));
}

struct crow *
client_row(const struct client *c, const char *table, const struct uuid *uuid)
{
    const struct ctable *t = ctable_find(c, table);
    ASSERT(t);
    struct crow *row = crow_find(t, uuid);
    return row && is_visible(row) ? row : NULL;
}

struct crow *
client_only(const struct client *c, const char *table)
{
    return client_first(c, table);
}

size_t
client_n_rows(const struct client *c, const char *table)
{
    size_t n = 0;
    CLIENT_FOR(row, c, table)
    n++;
    return n;
}

static bool
has_atom(const struct crow *row, const struct want *w, const union atom *a, enum atom_type type)
{
    const struct datum *d = crow_value(row, w->name);
    return d->key_type == type && datum_find(d, a) >= 0;
}

/* A row whose cell the open transaction wrote is not (rightly) in the index: those are looked at one by one. */
static struct crow *
find_written(const struct client *c, const struct ctable *t, const struct want *w, const union atom *a,
             enum atom_type type)
{
    struct txn_row *tr;
    if (!c->open)
        return NULL;
    LIST_FOR (tr, link, &c->open->rows) {
        if (tr->row->table == t && is_visible(tr->row) && has_atom(tr->row, w, a, type))
            return tr->row;
    }
    return NULL;
}

static struct crow *
find_atom(const struct client *c, const char *table, const char *column, const union atom *a, enum atom_type type)
{
    const struct ctable *t = ctable_find(c, table);
    const struct want *w = t ? ctable_want(t, column) : NULL;
    struct crow *row;

    ASSERT(w);
    if (w->index) {
        struct cindex_entry *e;
        HMAP_FOR_HASH (e, node, atom_slot(a, type), &w->index->entries) {
            if (is_visible(e->row) && has_atom(e->row, w, a, type))
                return e->row;
        }
        return find_written(c, t, w, a, type);
    }
    HMAP_FOR (row, node, &t->rows) {
        if (is_visible(row) && has_atom(row, w, a, type))
            return row;
    }
    return NULL;
}

static union atom
str_atom(const char *s)
{
    return (union atom){.string = {s, strlen(s)}};
}

struct crow *
client_find_str(const struct client *c, const char *table, const char *column, const char *s)
{
    union atom a = str_atom(s);
    return find_atom(c, table, column, &a, ATOM_STRING);
}

struct crow *
client_find_ref(const struct client *c, const char *table, const char *column, const struct crow *target)
{
    const struct ctable *t = ctable_find(c, table);
    const struct want *w = t ? ctable_want(t, column) : NULL;
    union atom a = {.uuid = target->uuid};
    struct crow *row;

    ASSERT(w);
    if (!w->col || w->col->type.value.type != ATOM_UUID)
        return find_atom(c, table, column, &a, ATOM_UUID);
    HMAP_FOR (row, node, &t->rows) /* the references are the values of a map */
    {
        if (is_visible(row) && crow_has_ref(row, column, target))
            return row;
    }
    return NULL;
}

const struct uuid *
crow_uuid(const struct crow *row)
{
    return &row->uuid;
}

const char *
crow_table(const struct crow *row)
{
    return row->table->name;
}

struct client *
crow_client(const struct crow *row)
{
    return row->table->client;
}

/* ---- Reading. ---- */

const struct datum *
crow_committed(const struct crow *row, const struct want *w)
{
    return row->now[w->i];
}

const struct datum *
crow_value(const struct crow *row, const char *column)
{
    const struct want *w = ctable_want(row->table, column);
    ASSERT(w); /* a column that was never wanted */
    if (row->open && w->col && row->open->cells[w->col->index].view)
        return row->open->cells[w->col->index].view;
    return row->now[w->i];
}

bool
crow_is_empty(const struct crow *row, const char *column)
{
    return !crow_value(row, column)->n;
}

size_t
crow_n(const struct crow *row, const char *column)
{
    return crow_value(row, column)->n;
}

const char *
crow_nth_str(const struct crow *row, const char *column, size_t i)
{
    const struct datum *d = crow_value(row, column);
    return i < d->n && d->key_type == ATOM_STRING ? datum_key(d, i).string.s : NULL;
}

int64_t
crow_nth_int(const struct crow *row, const char *column, size_t i)
{
    const struct datum *d = crow_value(row, column);
    return i < d->n && d->key_type == ATOM_INTEGER ? datum_key(d, i).integer : 0;
}

const char *
crow_str(const struct crow *row, const char *column)
{
    return crow_nth_str(row, column, 0);
}

int64_t
crow_int(const struct crow *row, const char *column, int64_t otherwise)
{
    const struct datum *d = crow_value(row, column);
    return d->n && d->key_type == ATOM_INTEGER ? datum_key(d, 0).integer : otherwise;
}

bool
crow_bool(const struct crow *row, const char *column, bool otherwise)
{
    const struct datum *d = crow_value(row, column);
    return d->n && d->key_type == ATOM_BOOLEAN ? datum_key(d, 0).boolean : otherwise;
}

double
crow_real(const struct crow *row, const char *column, double otherwise)
{
    const struct datum *d = crow_value(row, column);
    return d->n && d->key_type == ATOM_REAL ? datum_key(d, 0).real : otherwise;
}

bool
crow_has_str(const struct crow *row, const char *column, const char *s)
{
    const struct datum *d = crow_value(row, column);
    union atom a = str_atom(s);
    return d->key_type == ATOM_STRING && datum_find(d, &a) >= 0;
}

bool
crow_has_int(const struct crow *row, const char *column, int64_t i)
{
    const struct datum *d = crow_value(row, column);
    union atom a = {.integer = i};
    return d->key_type == ATOM_INTEGER && datum_find(d, &a) >= 0;
}

const char *
crow_key(const struct crow *row, const char *column, const char *key)
{
    const struct datum *d = crow_value(row, column);
    return d->key_type == ATOM_STRING && d->value_type == ATOM_STRING ? datum_map_get(d, key) : NULL;
}

int64_t
crow_key_int(const struct crow *row, const char *column, const char *key, int64_t otherwise)
{
    const char *s = crow_key(row, column, key);
    char *end;
    if (!s || !*s)
        return otherwise;
    errno = 0;
    long long v = strtoll(s, &end, 0);
    return *end || errno ? otherwise : v;
}

/* As the field reads flags: only the word that is not the default can change it. */
bool
crow_key_bool(const struct crow *row, const char *column, const char *key, bool otherwise)
{
    const char *s = crow_key(row, column, key);
    if (!s)
        return otherwise;
    return otherwise ? strcasecmp(s, "false") != 0 : strcasecmp(s, "true") == 0;
}

double
crow_key_real(const struct crow *row, const char *column, const char *key, double otherwise)
{
    const char *s = crow_key(row, column, key);
    char *end;
    if (!s || !*s)
        return otherwise;
    double v = strtod(s, &end);
    return *end ? otherwise : v;
}

/* ---- References. ---- */

/* The base type that holds references, NULL: the column has none. */
static const struct base_type *
ref_base(const struct want *w)
{
    if (!w->col)
        return NULL;
    if (w->col->type.value.type == ATOM_UUID && w->col->type.value.uuid.table)
        return &w->col->type.value;
    if (w->col->type.key.type == ATOM_UUID && w->col->type.key.uuid.table)
        return &w->col->type.key;
    return NULL;
}

struct refs {
    const struct ctable *target; /* NULL: no reference column, or its table is not replicated */
    const struct datum *d;
    bool in_values;
};

static struct refs
refs_of(const struct crow *row, const char *column)
{
    const struct want *w = ctable_want(row->table, column);
    const struct datum *d = crow_value(row, column);
    const struct base_type *base = ref_base(w);
    return (struct refs){
        .target = base ? ctable_find(row->table->client, base->uuid.table) : NULL,
        .d = d,
        .in_values = base && base == &w->col->type.value,
    };
}

static struct crow *
refs_nth(const struct refs *r, size_t i)
{
    union atom a = r->in_values ? datum_value(r->d, i) : datum_key(r->d, i);
    struct crow *row = r->target ? crow_find(r->target, &a.uuid) : NULL;
    return row && is_visible(row) ? row : NULL;
}

struct crow *
crow_ref(const struct crow *row, const char *column)
{
    struct refs r = refs_of(row, column);
    for (size_t i = 0; i < r.d->n; i++) {
        struct crow *to = refs_nth(&r, i);
        if (to)
            return to;
    }
    return NULL;
}

void
crow_refs(const struct crow *row, const char *column, crows *out)
{
    struct refs r = refs_of(row, column);
    vec_clear(out);
    for (size_t i = 0; i < r.d->n; i++) {
        struct crow *to = refs_nth(&r, i);
        if (to)
            vec_push(out, to);
    }
}

bool
crow_has_ref(const struct crow *row, const char *column, const struct crow *target)
{
    struct refs r = refs_of(row, column);
    union atom a = {.uuid = target->uuid};

    if (!r.in_values)
        return r.d->key_type == ATOM_UUID && datum_find(r.d, &a) >= 0;
    for (size_t i = 0; i < r.d->n; i++) {
        union atom v = datum_value(r.d, i);
        if (uuid_eq(&v.uuid, &target->uuid))
            return true;
    }
    return false;
}

struct crow *
crow_map_ref(const struct crow *row, const char *column, int64_t key)
{
    struct refs r = refs_of(row, column);
    union atom a = {.integer = key};
    ssize_t i = r.d->key_type == ATOM_INTEGER ? datum_find(r.d, &a) : -1;
    return i >= 0 && r.in_values ? refs_nth(&r, i) : NULL;
}

/* ---- Changes. ---- */

static struct crow *
change_at(const struct ctable *t, const struct list *link)
{
    return link == &t->changes ? NULL : CONTAINER_OF(link, struct crow, change_link);
}

struct crow *
client_first_change(const struct client *c, const char *table)
{
    const struct ctable *t = ctable_find(c, table);
    ASSERT(t);
    return change_at(t, t->changes.next);
}

struct crow *
client_next_change(const struct crow *row)
{
    return change_at(row->table, row->change_link.next);
}

bool
client_has_changes(const struct client *c, const char *table)
{
    struct ctable *t;
    HMAP_FOR (t, node, &c->tables) {
        if ((!table || !strcmp(table, t->name)) && !list_is_empty(&t->changes))
            return true;
    }
    return false;
}

bool
crow_is_new(const struct crow *row)
{
    return row->is_new || row->is_provisional;
}

bool
crow_is_gone(const struct crow *row)
{
    return row->is_gone;
}

bool
crow_has_changed(const struct crow *row, const char *column)
{
    const struct want *w = ctable_want(row->table, column);
    ASSERT(w);
    return crow_is_new(row) || (row->changed && row->changed[w->i / 64] >> w->i % 64 & 1);
}

void
client_clear_changes(struct client *c)
{
    struct ctable *t;
    HMAP_FOR (t, node, &c->tables) {
        struct crow *row, *next;
        LIST_FOR_SAFE (row, next, change_link, &t->changes) {
            list_remove(&row->change_link);
            row->is_new = false;
            free(row->changed);
            row->changed = NULL;
            if (row->is_gone)
                crow_free(row);
        }
    }
}
