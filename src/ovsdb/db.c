/* db - tables and rows: memory, lookup, indexes.  What changes them stands in txn.c. */
#include "ovsdb/db_internal.h"
#include "base/hash.h"
#include <string.h>

static size_t
n_cells(const struct table *t)
{
    return t->schema->n_columns - COL_FIRST;
}

static struct hmap_node *
index_node(const struct row *r, size_t i)
{
    return (struct hmap_node *) (uintptr_t) (r->cells + n_cells(r->table)) + i;
}

static struct row *
row_of_index_node(const struct table *t, struct hmap_node *node, size_t i)
{
    char *first = (char *) (node - i);
    return (struct row *) (void *) (first - n_cells(t) * sizeof(const struct datum *) - offsetof(struct row, cells));
}

struct row *
row_new(struct table *t, const struct uuid *uuid)
{
    size_t n = n_cells(t);
    struct row *r = xmalloc(sizeof *r + n * sizeof r->cells[0] + t->schema->n_indexes * sizeof(struct hmap_node));
    *r = (struct row){.uuid = *uuid, .table = t};
    for (size_t i = 0; i < n; i++)
        r->cells[i] = datum_default(&t->schema->columns[i + COL_FIRST].type);
    return r;
}

void
row_put(struct row *r, const struct column *c, const struct datum *take)
{
    const struct datum **cell = &r->cells[c->index - COL_FIRST];
    datum_unref(*cell);
    *cell = take;
}

void
row_free(struct row *r)
{
    if (!r)
        return;
    for (size_t i = 0, n = n_cells(r->table); i < n; i++)
        datum_unref(r->cells[i]);
    free(r);
}

const struct datum *
row_get(const struct row *r, const struct column *c, struct cell_room *room)
{
    if (likely(c->index >= COL_FIRST))
        return row_cell(r, c->index);
    struct datum *d = (struct datum *) (void *) room->words;
    *d = (struct datum){
        .refs = 1, .n = 1, .size = sizeof *d + sizeof(struct uuid), .key_type = ATOM_UUID, .value_type = ATOM_VOID};
    memcpy(d->body, c->index == COL_UUID ? &r->uuid : &r->version, sizeof(struct uuid));
    return d;
}

/* ---- indexes ---- */

static uint32_t
index_hash(const struct datum *const cells[], size_t n)
{
    uint64_t h = 0;
    for (size_t i = 0; i < n; i++)
        h = datum_hash(cells[i], h);
    return (uint32_t) h;
}

static uint32_t
row_index_hash(const struct row *r, size_t i)
{
    const struct column_set *set = &r->table->schema->indexes[i];
    uint64_t h = 0;
    for (size_t j = 0; j < set->n; j++)
        h = datum_hash(row_cell(r, set->at[j]->index), h);
    return (uint32_t) h;
}

void
row_index(struct row *r)
{
    for (size_t i = 0; i < r->table->schema->n_indexes; i++)
        hmap_insert(&r->table->indexes[i], index_node(r, i), row_index_hash(r, i));
}

void
row_unindex(struct row *r)
{
    for (size_t i = 0; i < r->table->schema->n_indexes; i++)
        hmap_remove(&r->table->indexes[i], index_node(r, i));
}

/* The next row in the index with the same values as 'r'; NULL: none.  Rows the transaction deleted do not count. */
struct row *
row_index_twin(const struct row *r, size_t i)
{
    const struct column_set *set = &r->table->schema->indexes[i];
    struct hmap_node *n = hmap_first_with_hash(&r->table->indexes[i], index_node(r, i)->hash);

    for (; n; n = hmap_bucket_next(n->next, n->hash)) {
        struct row *other = row_of_index_node(r->table, n, i);
        bool equal = other != r && row_is_alive(other);
        for (size_t j = 0; equal && j < set->n; j++)
            equal = datum_equal(row_cell(r, set->at[j]->index), row_cell(other, set->at[j]->index));
        if (equal)
            return other;
    }
    return NULL;
}

struct row *
table_find_index(const struct table *t, size_t i, const struct datum *const cells[])
{
    const struct column_set *set = &t->schema->indexes[i];
    struct hmap_node *n = hmap_first_with_hash(&t->indexes[i], index_hash(cells, set->n));

    for (; n; n = hmap_bucket_next(n->next, n->hash)) {
        struct row *r = row_of_index_node(t, n, i);
        bool equal = row_is_alive(r);
        for (size_t j = 0; equal && j < set->n; j++)
            equal = datum_equal(cells[j], row_cell(r, set->at[j]->index));
        if (equal)
            return r;
    }
    return NULL;
}

/* ---- tables ---- */

struct row *
table_find_any(const struct table *t, const struct uuid *uuid)
{
    struct row *r;
    HMAP_FOR_HASH (r, node, uuid_hash(uuid), &t->rows)
        if (uuid_eq(&r->uuid, uuid))
            return r;
    return NULL;
}

struct row *
table_find(const struct table *t, const struct uuid *uuid)
{
    struct row *r = table_find_any(t, uuid);
    return r && row_is_alive(r) ? r : NULL;
}

static struct row *
first_alive(const struct table *t, struct hmap_node *n)
{
    for (; n; n = hmap_next(&t->rows, n)) {
        struct row *r = CONTAINER_OF(n, struct row, node);
        if (row_is_alive(r))
            return r;
    }
    return NULL;
}

struct row *
table_first(const struct table *t)
{
    return first_alive(t, hmap_first(&t->rows));
}

struct row *
table_next(const struct table *t, const struct row *r)
{
    return first_alive(t, hmap_next(&t->rows, &r->node));
}

static bool
refers(const struct column *c, bool weak)
{
    return base_type_is_ref(&c->type.key, weak) || base_type_is_ref(&c->type.value, weak);
}

static void
table_init(struct table *t, struct db *db, const struct table_schema *schema)
{
    *t = (struct table){.db = db, .schema = schema};
    hmap_init(&t->rows);
    t->indexes = xcalloc(schema->n_indexes + 1, sizeof *t->indexes);
    t->strong = xcalloc(schema->n_columns, sizeof *t->strong);
    t->weak = xcalloc(schema->n_columns, sizeof *t->weak);
    t->is_indexed = xcalloc(schema->n_columns, sizeof *t->is_indexed);
    for (size_t i = 0; i < schema->n_indexes; i++) {
        hmap_init(&t->indexes[i]);
        for (size_t j = 0; j < schema->indexes[i].n; j++)
            t->is_indexed[schema->indexes[i].at[j]->index] = true;
    }
    for (unsigned i = COL_FIRST; i < schema->n_columns; i++) {
        if (refers(&schema->columns[i], false))
            t->strong[t->n_strong++] = i;
        if (refers(&schema->columns[i], true))
            t->weak[t->n_weak++] = i;
    }
}

static void
table_fini(struct table *t)
{
    struct row *r;
    HMAP_FOR (r, node, &t->rows)
        row_free(r);
    hmap_fini(&t->rows);
    for (size_t i = 0; i < t->schema->n_indexes; i++)
        hmap_fini(&t->indexes[i]);
    free(t->indexes);
    free(t->strong);
    free(t->weak);
    free(t->is_indexed);
}

struct db *
db_new(struct schema *schema)
{
    struct db *db = xzalloc(sizeof *db);
    db->schema = schema;
    db->tables = xcalloc(schema->n_tables + 1, sizeof *db->tables);
    hmap_init(&db->weak);
    for (size_t i = 0; i < schema->n_tables; i++)
        table_init(&db->tables[i], db, &schema->tables[i]);
    return db;
}

void
db_free(struct db *db)
{
    struct weak_ref *w;

    if (!db)
        return;
    ASSERT(!db->txn);
    HMAP_FOR (w, node, &db->weak)
        free(w);
    hmap_fini(&db->weak);
    for (size_t i = 0; i < db->schema->n_tables; i++)
        table_fini(&db->tables[i]);
    free(db->tables);
    schema_free(db->schema);
    free(db);
}

struct table *
db_table(const struct db *db, const char *name)
{
    const struct table_schema *s = schema_table(db->schema, name);
    return s ? &db->tables[s->index] : NULL;
}
