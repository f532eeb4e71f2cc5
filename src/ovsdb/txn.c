/* txn - all or nothing: what a transaction does to rows, what it must fulfil, and how it is taken back.
 *
 * Operations change rows at once and leave behind, in the transaction, how to undo each change.  txn_commit() then goes
 * through these steps; the first complaint takes everything back:
 *   1. forget changes that changed nothing
 *   2. count strong references: those of new values, less those of old ones; a target must exist and a deleted row be free of them
 *   3. delete rows of non-root tables that nobody refers to any more, and what falls with them
 *   4. take weak references to rows that are gone (or never were) out of their columns
 *   5. maxRows, then uniqueness of indexes
 *   6. let the log write it
 * Only then the weak references are linked anew, observers are told, and old values are dropped.
 *
 * Cost.  Proportional to what changed.  Large sets are compared by their common head and tail (datum_diff), once: the difference is
 * kept in the change, for the reference counts, the log and all monitors.
 */
#include "base/hash.h"
#include "base/log.h"
#include "ovsdb/db_internal.h"
#include <string.h>

LOG_MODULE(transaction);

struct txn *
txn_begin(struct db *db)
{
    struct txn *t = xzalloc(sizeof *t);
    ASSERT(!db->txn);
    t->db = db;
    db->txn = t;
    return t;
}

static void
txn_free(struct txn *t)
{
    t->db->txn = NULL;
    arena_fini(&t->arena);
    vec_fini(&t->rows);
    vec_fini(&t->refs);
    text_fini(&t->comment);
    free(t);
}

static struct txn_row *
touch(struct txn *t, struct row *r)
{
    if (!r->txn) {
        r->txn = arena_alloc(&t->arena, sizeof *r->txn);
        *r->txn = (struct txn_row){.row = r};
        vec_push(&t->rows, r->txn);
    }
    return r->txn;
}

bool
txn_may_create(const struct table *t, const struct uuid *uuid)
{
    return !table_find_any(t, uuid);
}

void
txn_insert(struct txn *t, struct row *r)
{
    debug_assert(txn_may_create(r->table, &r->uuid));
    hmap_insert(&r->table->rows, &r->node, uuid_hash(&r->uuid));
    r->table->n_rows++;
    row_index(r);
    touch(t, r)->is_new = true;
}

static struct change *
find_change(const struct txn_row *tr, unsigned column)
{
    struct change *c = tr->changes;
    while (c && c->column != column)
        c = c->next;
    return c;
}

const struct change *
txn_row_change(const struct txn_row *tr, unsigned column)
{
    return find_change(tr, column);
}

const struct datum *
txn_row_old(const struct txn_row *tr, unsigned column)
{
    if (tr->is_new)
        return NULL;
    const struct change *c = find_change(tr, column);
    return c ? c->old : row_cell(tr->row, column);
}

const struct datum *
change_diff(struct change *c, const struct txn_row *tr)
{
    if (!c->diff)
        c->diff = datum_diff(c->old, row_cell(tr->row, c->column), &tr->row->table->schema->columns[c->column].type);
    return c->diff;
}

static void
cell_replace(struct row *r, unsigned column, const struct datum *d)
{
    bool indexed = r->table->is_indexed[column];
    if (indexed)
        row_unindex(r);
    r->cells[column - COL_FIRST] = d;
    if (indexed)
        row_index(r);
}

void
txn_set(struct txn *t, struct row *r, const struct column *column, const struct datum *take)
{
    struct txn_row *tr = touch(t, r);
    const struct datum *before = row_cell(r, column->index);
    struct change *c = NULL;

    debug_assert(!tr->is_deleted);
    if (!tr->is_new) {
        c = find_change(tr, column->index);
        if (!c) {
            c = arena_alloc(&t->arena, sizeof *c);
            *c = (struct change){.next = tr->changes, .column = column->index, .old = datum_ref(before)};
            tr->changes = c;
        }
        datum_unref(c->diff);
        c->diff = NULL;
    }
    cell_replace(r, column->index, take);
    datum_unref(before);
}

void
txn_set_diff(struct txn *t, struct row *r, const struct column *column, const struct datum *take,
             const struct datum *diff)
{
    bool is_first = !r->txn || (!r->txn->is_new && !find_change(r->txn, column->index));

    txn_set(t, r, column, take);
    if (is_first)
        find_change(r->txn, column->index)->diff = diff;
    else
        datum_unref(diff);
}

void
txn_delete(struct txn *t, struct row *r)
{
    struct txn_row *tr = touch(t, r);
    debug_assert(!tr->is_deleted);
    tr->is_deleted = true;
    r->table->n_rows--;
}

void
txn_comment(struct txn *t, const char *s)
{
    if (t->comment.len)
        text_addc(&t->comment, '\n');
    text_add(&t->comment, s);
}

static void
row_drop(struct row *r)
{
    row_unindex(r);
    hmap_remove(&r->table->rows, &r->node);
    row_free(r);
}

static void
changes_undo(struct txn_row *tr)
{
    for (struct change *c = tr->changes; c; c = c->next) {
        const struct datum *now = row_cell(tr->row, c->column);
        cell_replace(tr->row, c->column, c->old);
        datum_unref(now);
        datum_unref(c->diff);
    }
}

void
txn_abort(struct txn *t)
{
    for (size_t i = 0; i < t->refs.n; i++)
        t->refs.at[i].row->n_refs -= t->refs.at[i].delta;
    for (size_t i = 0; i < t->rows.n; i++) {
        struct txn_row *tr = t->rows.at[i];
        struct row *r = tr->row;
        if (tr->is_deleted)
            r->table->n_rows++;
        changes_undo(tr);
        r->txn = NULL;
        if (tr->is_new) {
            r->table->n_rows--;
            row_drop(r);
        }
    }
    txn_free(t);
}

/* ---- step 1 ---- */

static void
forget_idle_changes(struct txn *t)
{
    for (size_t i = 0; i < t->rows.n; i++) {
        struct txn_row *tr = t->rows.at[i];
        for (struct change **pc = &tr->changes; *pc;) {
            struct change *c = *pc;
            if (tr->is_deleted || !datum_equal(c->old, row_cell(tr->row, c->column))) {
                pc = &c->next;
                continue;
            }
            *pc = c->next;
            datum_unref(c->old);
            datum_unref(c->diff);
        }
    }
}

static bool
is_void(const struct txn *t)
{
    for (size_t i = 0; i < t->rows.n; i++)
        if (!txn_row_is_void(t->rows.at[i]))
            return false;
    return true;
}

/* ---- what a column gained and lost ---- */

/* Calls fn for each element that 'now' has and 'before' has not (added) or the other way round; either may be NULL. */
typedef struct dberr *element_fn(struct txn *, struct row *, const struct column *, const struct datum *, size_t i,
                                 bool added);

static struct dberr *
each_element(struct txn *t, struct row *r, const struct column *c, const struct datum *d, bool added, element_fn *fn)
{
    struct dberr *err = NULL;
    for (size_t i = 0; !err && d && i < d->n; i++)
        err = fn(t, r, c, d, i, added);
    return err;
}

static struct dberr *
each_set_change(struct txn *t, struct txn_row *tr, const struct column *c, struct change *change, element_fn *fn)
{
    const struct datum *diff = change_diff(change, tr);
    struct dberr *err = NULL;
    for (int added = 0; added < 2; added++)
        for (size_t i = 0; !err && i < diff->n; i++) {
            union atom k = datum_key(diff, i);
            if ((datum_find(change->old, &k) < 0) == added)
                err = fn(t, tr->row, c, diff, i, added);
        }
    return err;
}

static struct dberr *
each_change(struct txn *t, struct txn_row *tr, unsigned column, element_fn *fn)
{
    const struct column *c = &tr->row->table->schema->columns[column];
    const struct datum *now = tr->is_deleted ? NULL : row_cell(tr->row, column);
    struct change *change = find_change(tr, column);

    if (!tr->is_new && !tr->is_deleted && !change)
        return NULL;
    if (change && now && c->type.value.type == ATOM_VOID && c->type.n_max > 1)
        return each_set_change(t, tr, c, change, fn);

    const struct datum *before = txn_row_old(tr, column);
    if (!before || !now) {
        struct dberr *err = each_element(t, tr->row, c, before, false, fn);
        return err ? err : each_element(t, tr->row, c, now, true, fn);
    }
    const struct datum *lost = datum_subtract(before, now), *gained = datum_subtract(now, before);
    struct dberr *err = each_element(t, tr->row, c, lost, false, fn);
    if (!err)
        err = each_element(t, tr->row, c, gained, true, fn);
    datum_unref(lost);
    datum_unref(gained);
    return err;
}

/* ---- step 2 ---- */

static struct dberr *
strong_ref(struct txn *t, struct row *r, const struct column *c, const struct base_type *base, const struct uuid *u,
           int delta)
{
    if (!base_type_is_ref(base, false) || uuid_eq(u, &r->uuid))
        return NULL; /* a row cannot hold itself */
    struct row *target = table_find_any(db_table_of(t->db, base->uuid.ref), u);
    if (!target)
        return dberr("referential integrity violation",
                     "Table %s column %s row %s references nonexistent row %s in table %s.", r->table->schema->name,
                     c->name, uuid_text(&r->uuid).s, uuid_text(u).s, base->uuid.table);
    target->n_refs += delta;
    vec_reserve(&t->refs, t->refs.n + 1);
    t->refs.at[t->refs.n].row = target;
    t->refs.at[t->refs.n++].delta = delta;
    return NULL;
}

static struct dberr *
count_ref(struct txn *t, struct row *r, const struct column *c, const struct datum *d, size_t i, bool added)
{
    struct dberr *err = NULL;
    if (c->type.key.type == ATOM_UUID) {
        union atom k = datum_key(d, i);
        err = strong_ref(t, r, c, &c->type.key, &k.uuid, added ? 1 : -1);
    }
    if (!err && c->type.value.type == ATOM_UUID) {
        union atom v = datum_value(d, i);
        err = strong_ref(t, r, c, &c->type.value, &v.uuid, added ? 1 : -1);
    }
    return err;
}

static struct dberr *
count_refs(struct txn *t)
{
    for (size_t i = 0; i < t->rows.n; i++) {
        struct txn_row *tr = t->rows.at[i];
        if (tr->is_new && tr->is_deleted)
            continue;
        for (size_t j = 0; j < tr->row->table->n_strong; j++) {
            struct dberr *err = each_change(t, tr, tr->row->table->strong[j], count_ref);
            if (err)
                return err;
        }
    }
    for (size_t i = 0; i < t->rows.n; i++) {
        const struct txn_row *tr = t->rows.at[i];
        if (tr->is_deleted && tr->row->n_refs)
            return dberr("referential integrity violation",
                         "cannot delete %s row %s because of %zu remaining reference(s)", tr->row->table->schema->name,
                         uuid_text(&tr->row->uuid).s, tr->row->n_refs);
    }
    return NULL;
}

/* ---- step 3 ---- */

static struct dberr *
collect_row(struct txn *t, struct row *r)
{
    if (r->table->schema->is_root || r->n_refs || !row_is_alive(r))
        return NULL;
    txn_delete(t, r);
    for (size_t j = 0; j < r->table->n_strong; j++) {
        unsigned column = r->table->strong[j];
        struct dberr *err =
            each_element(t, r, &r->table->schema->columns[column], row_cell(r, column), false, count_ref);
        if (err)
            return err;
    }
    return NULL;
}

static struct dberr *
collect_garbage(struct txn *t)
{
    struct dberr *err = NULL;

    for (size_t i = 0; !err && i < t->rows.n; i++)
        err = collect_row(t, t->rows.at[i]->row);
    for (size_t i = 0; !err && i < t->refs.n; i++) /* grows while rows fall */
        if (t->refs.at[i].delta < 0)
            err = collect_row(t, t->refs.at[i].row);
    return err;
}

/* ---- step 4 ---- */

static bool
is_dangling(const struct db *db, const struct base_type *base, const union atom *a)
{
    return base_type_is_ref(base, true) && !table_find(db_table_of(db, base->uuid.ref), &a->uuid);
}

static bool
element_dangles(const struct db *db, const struct column *c, const struct datum *d, size_t i)
{
    union atom k = datum_key(d, i), v;
    if (is_dangling(db, &c->type.key, &k))
        return true;
    if (c->type.value.type == ATOM_VOID)
        return false;
    v = datum_value(d, i);
    return is_dangling(db, &c->type.value, &v);
}

static struct dberr *
emptied(const struct txn_row *tr, const struct column *c, unsigned n, bool zero)
{
    const struct row *r = tr->row;

    if (zero && tr->is_new)
        return dberr("constraint violation",
                     "Weak reference column \"%s\" in \"%s\" row %s (inserted within this transaction) contained "
                     "all-zeros UUID (probably as the default value for this column) but deleting this value caused a "
                     "constraint volation because this column is not allowed to be empty.",
                     c->name, r->table->schema->name, uuid_text(&r->uuid).s);
    return dberr("constraint violation",
                 "Deletion of %u weak reference(s) to deleted (or never-existing) rows from column \"%s\" in \"%s\" "
                 "row %s %scaused this column to become empty, but constraints on this column disallow an empty "
                 "column.",
                 n, c->name, r->table->schema->name, uuid_text(&r->uuid).s,
                 tr->is_new ? "(inserted within this transaction) " : "");
}

/* Takes what points nowhere out of the column.  'suspects' holds what may. */
static struct dberr *
weed_column(struct txn *t, struct txn_row *tr, const struct column *c, const struct datum *suspects)
{
    const struct datum *now = row_cell(tr->row, c->index);
    struct datum_builder b;
    bool zero = false;

    builder_init(&b, c->type.key.type, c->type.value.type);
    for (size_t i = 0; i < suspects->n; i++) {
        union atom k = datum_key(suspects, i), v = atom_default(ATOM_INTEGER);
        if (!element_dangles(t->db, c, suspects, i) || datum_find(now, &k) < 0)
            continue;
        if (c->type.value.type != ATOM_VOID)
            v = datum_value(now, datum_find(now, &k));
        zero = zero || uuid_is_zero(base_type_is_ref(&c->type.key, true) ? &k.uuid : &v.uuid);
        builder_add(&b, &k, &v);
    }
    const struct datum *gone = datum_build_unique(&b);
    builder_fini(&b);
    struct dberr *err = NULL;
    if (gone->n) {
        const struct datum *left = datum_subtract(now, gone);
        if (left->n < c->type.n_min)
            err = emptied(tr, c, gone->n, zero);
        txn_set(t, tr->row, c, left);
    }
    datum_unref(gone);
    return err;
}

/* A set of weak references, some of whose targets have gone in this transaction: those targets and what the set gained can dangle, and
 * nothing else.  NULL: it is quicker to look at all of it. */
static const struct datum *
few_suspects(struct txn *t, struct txn_row *tr, const struct column *c, struct change *change)
{
    struct datum_builder b;
    const struct datum *now = row_cell(tr->row, c->index);

    if (tr->is_new || c->type.value.type != ATOM_VOID || now->n < t->rows.n)
        return NULL;
    builder_init(&b, ATOM_UUID, ATOM_VOID);
    for (size_t i = 0; i < t->rows.n; i++) {
        const struct txn_row *gone = t->rows.at[i];
        if (gone->is_deleted && gone->row->table->schema == c->type.key.uuid.ref)
            builder_add(&b, &(union atom){.uuid = gone->row->uuid}, NULL);
    }
    for (size_t i = 0; change && i < change_diff(change, tr)->n; i++) {
        union atom k = datum_key(change_diff(change, tr), i);
        builder_add(&b, &k, NULL);
    }
    const struct datum *suspects = datum_build_unique(&b);
    builder_fini(&b);
    return suspects;
}

static struct dberr *
weed_row(struct txn *t, struct txn_row *tr)
{
    const struct table *table = tr->row->table;

    for (size_t j = 0; !tr->is_deleted && j < table->n_weak; j++) {
        const struct column *c = &table->schema->columns[table->weak[j]];
        struct change *change = find_change(tr, c->index);
        const struct datum *suspects = NULL;
        if (tr->weak_dirty)
            suspects = few_suspects(t, tr, c, change);
        if (suspects)
            ; /* found them */
        else if (tr->is_new || tr->weak_dirty)
            suspects = datum_ref(row_cell(tr->row, c->index));
        else if (change)
            suspects = datum_ref(change_diff(change, tr));
        struct dberr *err = suspects ? weed_column(t, tr, c, suspects) : NULL;
        datum_unref(suspects);
        if (err)
            return err;
    }
    return NULL;
}

static struct dberr *
weed_weak_refs(struct txn *t)
{
    for (size_t i = 0; i < t->rows.n; i++) /* grows */
        if (t->rows.at[i]->is_deleted)
            for (struct weak_ref *w = t->rows.at[i]->row->weak_in; w; w = w->next)
                if (row_is_alive(w->src))
                    touch(t, w->src)->weak_dirty = true;
    for (size_t i = 0; i < t->rows.n; i++) {
        struct dberr *err = weed_row(t, t->rows.at[i]);
        if (err)
            return err;
    }
    return NULL;
}

/* ---- step 5 ---- */

static struct dberr *
check_max_rows(const struct txn *t)
{
    for (size_t i = 0; i < t->rows.n; i++) {
        const struct table *table = t->rows.at[i]->row->table;
        if (table->n_rows > table->schema->max_rows)
            return dberr(
                "constraint violation",
                "transaction causes \"%s\" table to contain %zu rows, greater than the schema-defined limit of "
                "%u row(s)",
                table->schema->name, table->n_rows, table->schema->max_rows);
    }
    return NULL;
}

static void
add_columns_text(struct text *t, const struct row *r, const struct column_set *set, bool old)
{
    for (size_t j = 0; j < set->n; j++) {
        const struct column *c = set->at[j];
        if (j)
            text_add(t, ", ");
        datum_format(t, old ? txn_row_old(r->txn, c->index) : row_cell(r, c->index), &c->type);
    }
}

static void
add_twin_text(struct text *t, const char *title, const struct row *r, const struct column_set *set)
{
    bool touched = false;

    text_addf(t, "%s row, with UUID %s, ", title, uuid_text(&r->uuid).s);
    if (!r->txn || txn_row_is_void(r->txn)) {
        text_add(t, "existed in the database before this transaction and was not modified by the transaction.");
        return;
    }
    if (r->txn->is_new) {
        text_add(t, "was inserted by this transaction.");
        return;
    }
    for (size_t j = 0; j < set->n; j++)
        touched = touched || find_change(r->txn, set->at[j]->index);
    if (!touched) {
        text_add(t, "existed in the database before this transaction, which modified some of the row's columns but not "
                    "any columns in this index.");
        return;
    }
    text_add(t, "had the following index values before the transaction: ");
    add_columns_text(t, r, set, true);
    text_addc(t, '.');
}

static struct dberr *
duplicate(const struct row *a, const struct row *b, size_t i)
{
    const struct column_set *set = &a->table->schema->indexes[i];
    AUTO_TEXT struct text t = TEXT_INIT;

    if (uuid_cmp(&a->uuid, &b->uuid) > 0) {
        const struct row *tmp = a;
        a = b;
        b = tmp;
    }
    add_columns_text(&t, a, set, false);
    text_add(&t, set->n > 1 ? ") for index on columns " : ") for index on column ");
    for (size_t j = 0; j < set->n; j++)
        text_addf(&t, "%s\"%s\"", !j ? "" : j + 1 < set->n ? ", " : " and ", set->at[j]->name);
    text_add(&t, ".  ");
    add_twin_text(&t, "First", a, set);
    text_add(&t, "  ");
    add_twin_text(&t, "Second", b, set);
    return dberr("constraint violation",
                 "Transaction causes multiple rows in \"%s\" table to have identical values (%s",
                 a->table->schema->name, text_str(&t));
}

static bool
index_changed(const struct txn_row *tr, size_t i)
{
    const struct column_set *set = &tr->row->table->schema->indexes[i];
    for (size_t j = 0; j < set->n; j++)
        if (tr->is_new || find_change(tr, set->at[j]->index))
            return true;
    return false;
}

static struct dberr *
check_indexes(const struct txn *t)
{
    for (size_t i = 0; i < t->rows.n; i++) {
        const struct txn_row *tr = t->rows.at[i];
        for (size_t j = 0; !tr->is_deleted && j < tr->row->table->schema->n_indexes; j++) {
            if (!index_changed(tr, j))
                continue;
            const struct row *twin = row_index_twin(tr->row, j);
            if (twin)
                return duplicate(tr->row, twin, j);
        }
    }
    return NULL;
}

/* ---- after the point of no return ---- */

static uint32_t
weak_hash(const struct row *dst, const struct row *src, unsigned column)
{
    return (uint32_t) hash_u64((uintptr_t) dst, hash_u64((uintptr_t) src, column));
}

static void
weak_link(struct db *db, struct row *dst, struct row *src, unsigned column, int delta)
{
    uint32_t hash = weak_hash(dst, src, column);
    struct weak_ref *w;

    HMAP_FOR_HASH (w, node, hash, &db->weak)
        if (w->dst == dst && w->src == src && w->column == column)
            break;
    if (!w) {
        ASSERT(delta > 0);
        w = xzalloc(sizeof *w);
        *w = (struct weak_ref){.dst = dst, .src = src, .column = column, .next = dst->weak_in};
        if (w->next)
            w->next->prev = w;
        dst->weak_in = w;
        hmap_insert(&db->weak, &w->node, hash);
        db->n_weak++;
    }
    w->count += delta;
    if (w->count)
        return;
    if (w->next)
        w->next->prev = w->prev;
    if (w->prev)
        w->prev->next = w->next;
    else
        dst->weak_in = w->next;
    hmap_remove(&db->weak, &w->node);
    db->n_weak--;
    free(w);
}

static struct dberr *
relink_element(struct txn *t, struct row *r, const struct column *c, const struct datum *d, size_t i, bool added)
{
    const struct base_type *bases[] = {&c->type.key, &c->type.value};

    for (int side = 0; side < 2; side++) {
        if (!base_type_is_ref(bases[side], true))
            continue;
        union atom a = side ? datum_value(d, i) : datum_key(d, i);
        struct row *dst = table_find_any(db_table_of(t->db, bases[side]->uuid.ref), &a.uuid);
        ASSERT(dst);
        weak_link(t->db, dst, r, c->index, added ? 1 : -1);
    }
    return NULL;
}

static void
relink_weak_refs(struct txn *t)
{
    for (size_t i = 0; i < t->rows.n; i++) {
        struct txn_row *tr = t->rows.at[i];
        if (tr->is_new && tr->is_deleted)
            continue;
        for (size_t j = 0; j < tr->row->table->n_weak; j++)
            dberr_free(each_change(t, tr, tr->row->table->weak[j], relink_element));
    }
}

static void
log_row(const struct txn_row *tr)
{
    static struct log_limit limit = LOG_LIMIT(60, 30);
    const struct table_schema *s = tr->row->table->schema;
    AUTO_TEXT struct text t = TEXT_INIT;

    if (txn_row_is_void(tr))
        return;
    for (size_t i = COL_FIRST; i < s->n_columns; i++) {
        text_addf(&t, ",%s=", s->columns[i].name);
        datum_format(&t, row_cell(tr->row, i), &s->columns[i].type);
    }
    log_info_rl(&limit, "table:%s,op:%s,%s%s", s->name,
                tr->is_new       ? "inserted"
                : tr->is_deleted ? "deleted"
                                 : "updated",
                uuid_text(&tr->row->uuid).s, text_str(&t));
}

static void
row_settle(struct txn_row *tr)
{
    struct row *r = tr->row;

    for (struct change *c = tr->changes; c; c = c->next) {
        datum_unref(c->old);
        datum_unref(c->diff);
    }
    r->txn = NULL;
    if (tr->is_deleted)
        row_drop(r);
}

static struct dberr *
check_all(struct txn *t)
{
    struct dberr *err = count_refs(t);
    if (!err)
        err = collect_garbage(t);
    if (!err)
        err = check_max_rows(t);
    if (!err)
        err = weed_weak_refs(t);
    if (err)
        return err;
    forget_idle_changes(t);
    return check_indexes(t);
}

struct dberr *
txn_commit(struct txn *t)
{
    struct db *db = t->db;
    struct dberr *err = NULL;

    forget_idle_changes(t);
    if (is_void(t)) {
        txn_abort(t);
        return NULL;
    }
    err = check_all(t);
    if (!err && is_void(t)) {
        txn_abort(t); /* rows came and went */
        return NULL;
    }
    if (!err && db->ops && db->ops->write && !t->is_loading)
        err = db->ops->write(db->aux, t);
    if (err) {
        txn_abort(t);
        return err;
    }
    t->id = db->last_id = uuid_random();
    db->n_commits++;
    relink_weak_refs(t);
    for (size_t i = 0; i < t->rows.n; i++) {
        struct txn_row *tr = t->rows.at[i];
        tr->old_version = tr->row->version;
        if (!tr->is_deleted && !txn_row_is_void(tr))
            tr->row->version = uuid_random();
        if (unlikely(tr->row->table->logs))
            log_row(tr);
    }
    if (db->ops && db->ops->committed)
        db->ops->committed(db->aux, t);
    for (size_t i = 0; i < t->rows.n; i++)
        row_settle(t->rows.at[i]);
    txn_free(t);
    return NULL;
}
