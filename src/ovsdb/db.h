/* db - a database in memory: tables of rows, their indexes, and transactions that change them all or nothing.
 *
 * Use.         struct txn *t = txn_begin(db);  row = row_new(table, &uuid);  row_put(row, column, datum);  txn_insert(t, row);
 *              txn_set(t, other, column, datum);  err = txn_commit(t);      NULL, or nothing has changed
 * Shape.       A row keeps its place in memory for life.  A change puts a new datum into its cell and remembers the old one in the
 *              transaction, so that the past costs what changed and not what is.  One transaction at a time in a database.
 * References.  Strong ones are counted in their target.  Weak ones are known to their target (weak_in), so that a row that goes finds
 *              those who point at it without looking at anyone else.
 * Observers.   db->ops: 'write' may still refuse (the log), 'committed' learns of what is done (monitors, history).
 * Source.      RFC 7047 sections 3.2, 4.1.3 and 5; ovsdb-server(7).
 */
#ifndef OVSDB_DB_H
#define OVSDB_DB_H 1

#include "ovsdb/schema.h"

struct db;
struct table;
struct txn;
struct weak_ref;

struct row {
    struct hmap_node node; /* in table->rows, by uuid */
    struct uuid uuid, version;
    struct table *table;
    struct txn_row *txn;      /* what the open transaction did to it; NULL: nothing */
    struct weak_ref *weak_in; /* weak references to this row */
    size_t n_refs;            /* strong references from other rows */
    const struct datum *cells[];
    /* then one struct hmap_node for each index of the table */
};

struct table {
    struct db *db;
    const struct table_schema *schema;
    struct hmap rows;        /* with those the open transaction deleted */
    size_t n_rows;           /* without them */
    struct hmap *indexes;    /* schema->n_indexes of them */
    unsigned *strong, *weak; /* columns that hold references */
    size_t n_strong, n_weak;
    bool *is_indexed; /* by column */
    bool logs;        /* tlog-set */
    void *watch;      /* monitor.c */
};

struct db_ops {
    struct dberr *(*write)(void *aux, const struct txn *); /* NULL: keep; an error: the transaction never was */
    void (*committed)(void *aux, const struct txn *);
};

struct db {
    struct schema *schema;
    struct table *tables; /* as in the schema */
    const struct db_ops *ops;
    void *aux;
    struct txn *txn;  /* the open one */
    struct hmap weak; /* all weak references */
    size_t n_weak;
    size_t n_atoms;      /* for memory/show */
    struct uuid last_id; /* of the last transaction that changed something; zero: none yet */
    uint64_t n_commits;  /* how many of those */
};

struct db *db_new(struct schema *); /* takes the schema */
void db_free(struct db *);          /* NULL is fine */
OWN(db);

struct table *db_table(const struct db *, const char *name); /* NULL: none of that name */
static inline struct table *
db_table_of(const struct db *db, const struct table_schema *schema)
{
    return &db->tables[schema->index];
}
struct row *table_find(const struct table *, const struct uuid *); /* as the open transaction sees it */
struct row *table_first(const struct table *);                     /* every row, in no order */
struct row *table_next(const struct table *, const struct row *);
#define TABLE_FOR(var, table) for (struct row *var = table_first(table); var; var = table_next(table, var))
/* The row with these values, by index number i; NULL: none.  cells[] are those of schema->indexes[i], in order. */
struct row *table_find_index(const struct table *, size_t i, const struct datum *const cells[]);

/* The column's value, _uuid and _version too.  'room' is where those two are put together. */
struct cell_room {
    uint64_t words[5];
};
const struct datum *row_get(const struct row *, const struct column *, struct cell_room *);
static inline const struct datum *
row_cell(const struct row *r, unsigned column)
{
    return r->cells[column - COL_FIRST];
}

/* A row with default values that is in no table yet. */
struct row *row_new(struct table *, const struct uuid *);
void row_put(struct row *, const struct column *, const struct datum *take); /* before txn_insert() */
void row_free(struct row *);                                                 /* one that is in no table */

/* One column that a transaction changed. */
struct change {
    struct change *next;
    unsigned column;
    const struct datum *old;
    const struct datum *diff; /* NULL until someone asks: change_diff() */
};

struct txn_row {
    struct row *row;
    bool is_new, is_deleted;
    bool weak_dirty;         /* a row it pointed at has gone */
    struct uuid old_version; /* once it is committed */
    struct change *changes;  /* of a row that is not new; none and not deleted: it did not change */
};

struct txn {
    struct db *db;
    struct arena arena;
    VEC(struct txn_row *) rows; /* in the order they were touched */
    VEC(struct {
        struct row *row;
        int delta;
    })
    refs; /* what was done to n_refs */
    struct text comment;
    struct uuid id;  /* random; given at commit */
    int64_t date_ms; /* for the log; 0: unknown */
    bool is_loading; /* from the log: do not write it there again */
};

struct txn *txn_begin(struct db *);
bool txn_may_create(const struct table *, const struct uuid *); /* no row, alive or deleted just now, has this UUID */
void txn_insert(struct txn *, struct row *take);
void txn_set(struct txn *, struct row *, const struct column *, const struct datum *take);
/* The same by someone who knows datum_diff(before, take) already.  Takes the difference too. */
void txn_set_diff(struct txn *, struct row *, const struct column *, const struct datum *take,
                  const struct datum *diff);
void txn_delete(struct txn *, struct row *);
void txn_comment(struct txn *, const char *);      /* lines add up */
struct dberr *txn_commit(struct txn *) MUST_CHECK; /* frees it either way */
void txn_abort(struct txn *);

/* For observers. */
static inline bool
txn_row_is_void(const struct txn_row *r)
{
    return r->is_new ? r->is_deleted : !r->is_deleted && !r->changes;
}
const struct change *txn_row_change(const struct txn_row *, unsigned column); /* NULL: not changed */
/* What the column held before; NULL for a new row. */
const struct datum *txn_row_old(const struct txn_row *, unsigned column);
const struct datum *change_diff(struct change *, const struct txn_row *); /* borrowed */

#endif
