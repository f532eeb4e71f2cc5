/* monitor - shapes, the columns they watch, and their words for a commit.
 *
 * A shape lists tables; each has its columns (with what of them is wanted), a condition, and a place in the watch lists of its table: one
 * list for rows that come and go, one per column for rows that change.  A commit walks its rows, marks the shapes concerned, and puts
 * itself into words once for each.  With a condition, a row that comes to match is an insert and one that ceases to is a delete.
 *
 * The past is kept as what undoes it: for a row that came nothing but its name, for one that changed the old values, for one that went
 * all of it.  "Since transaction X" starts from the rows as they are and walks back.
 */
#include "ovsdb/monitor.h"
#include "base/hash.h"
#include "base/list.h"
#include "ovsdb/condition.h"
#include "ovsdb/members.h"
#include <string.h>

enum { SELECT_INITIAL = 1, SELECT_INSERT = 2, SELECT_DELETE = 4, SELECT_MODIFY = 8, SELECT_ALL = 15 };

struct watched_column {
    const struct column *column;
    unsigned select;
};

struct watched {
    struct shape *shape;
    struct table *table;
    struct watched_column *columns;
    size_t n_columns;
    unsigned select; /* of any column */
    struct condition cond;
    bool sees_all; /* the condition holds for every row */
};

struct shape {
    struct hmap_node node; /* in monitors->shapes */
    struct monitors *owner;
    char *key;
    enum monitor_version version;
    struct watched *tables;
    size_t n_tables;
    struct list monitors;
    uint64_t marked; /* the commit that concerns it */
};

typedef VEC(struct watched *) watch_list;
typedef VEC(struct shape *) shape_list;

/* table->watch */
struct watch_lists {
    watch_list any;
    watch_list *columns;
};

struct monitor {
    struct list link; /* in shape->monitors */
    struct shape *shape;
    const struct monitor_ops *ops;
    void *aux;
};

/* What undoes one row of a commit. */
struct past_row {
    struct table *table;
    struct uuid uuid, version;
    enum { CAME, CHANGED, WENT } what;
    const struct datum **cells; /* WENT: all; CHANGED: NULL where nothing changed */
};

struct past {
    struct list link;
    struct uuid id;
    struct past_row *rows;
    size_t n;
};

struct monitors {
    struct db *db;
    struct hmap shapes;
    size_t n_monitors;
    uint64_t serial;
    bool remembers;
    struct list past; /* oldest first */
    size_t n_past, n_past_rows;
    struct uuid before_past; /* the transaction before the oldest one kept */
};

#define PAST_COMMITS 1000
#define PAST_ROWS 20000

/* ---- shapes ---- */

static struct watch_lists *
watch_lists(struct table *t)
{
    if (!t->watch) {
        struct watch_lists *w = xzalloc(sizeof *w);
        w->columns = xcalloc(t->schema->n_columns, sizeof *w->columns);
        t->watch = w;
    }
    return t->watch;
}

static bool
watches(const struct watched *w, unsigned column)
{
    if (condition_uses(&w->cond, column))
        return true;
    for (size_t i = 0; i < w->n_columns; i++)
        if (w->columns[i].column->index == column)
            return true;
    return false;
}

static void
list_drop(watch_list *list, const struct watched *w)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->at[i] == w) {
            vec_remove_swap(list, i);
            return;
        }
}

static void
watched_link(struct watched *w)
{
    struct watch_lists *lists = watch_lists(w->table);
    vec_push(&lists->any, w);
    for (unsigned c = 0; c < w->table->schema->n_columns; c++)
        if (watches(w, c))
            vec_push(&lists->columns[c], w);
}

static void
watched_unlink(struct watched *w)
{
    struct watch_lists *lists = watch_lists(w->table);
    list_drop(&lists->any, w);
    for (unsigned c = 0; c < w->table->schema->n_columns; c++)
        list_drop(&lists->columns[c], w);
}

static void
shape_free(struct shape *s)
{
    for (size_t i = 0; i < s->n_tables; i++) {
        condition_fini(&s->tables[i].cond);
        free(s->tables[i].columns);
    }
    free(s->tables);
    free(s->key);
    free(s);
}

static int
cmp_columns(const void *a_, const void *b_)
{
    const struct watched_column *a = a_, *b = b_;
    return a->column->index < b->column->index ? -1 : a->column->index > b->column->index;
}

static void
shape_set_key(struct shape *s)
{
    struct text t = TEXT_INIT;
    text_addf(&t, "%d", s->version);
    for (size_t i = 0; i < s->n_tables; i++) {
        const struct watched *w = &s->tables[i];
        text_addf(&t, "/%s", w->table->schema->name);
        for (size_t j = 0; j < w->n_columns; j++)
            text_addf(&t, ",%u:%x", w->columns[j].column->index, w->columns[j].select);
        condition_add_json(&t, &w->cond);
    }
    free(s->key);
    s->key = text_steal(&t);
}

/* The shape itself, or the one that was there before it and is just like it. */
static struct shape *
shape_publish(struct monitors *m, struct shape *s)
{
    struct shape *other;

    shape_set_key(s);
    uint32_t hash = hash_str(s->key);
    HMAP_FOR_HASH (other, node, hash, &m->shapes)
        if (!strcmp(other->key, s->key)) {
            shape_free(s);
            return other;
        }
    s->owner = m;
    list_init(&s->monitors);
    hmap_insert(&m->shapes, &s->node, hash);
    for (size_t i = 0; i < s->n_tables; i++) {
        struct watched *w = &s->tables[i];
        w->shape = s;
        w->sees_all = condition_is_true(&w->cond);
        w->select = 0;
        for (size_t j = 0; j < w->n_columns; j++)
            w->select |= w->columns[j].select;
        if (!w->n_columns) /* rows coming and going are of interest even so */
            w->select = SELECT_ALL & ~SELECT_MODIFY;
        watched_link(w);
    }
    return s;
}

static void
shape_leave(struct shape *s)
{
    if (!list_is_empty(&s->monitors))
        return;
    for (size_t i = 0; i < s->n_tables; i++)
        watched_unlink(&s->tables[i]);
    hmap_remove(&s->owner->shapes, &s->node);
    shape_free(s);
}

/* ---- requests ---- */

static struct dberr *
select_from_json(const struct jv *v, const char *what, unsigned *select)
{
    static const struct {
        const char *name;
        unsigned bit;
    } bits[] = {
        {"initial", SELECT_INITIAL}, {"insert", SELECT_INSERT}, {"delete", SELECT_DELETE}, {"modify", SELECT_MODIFY}};
    struct members m;

    *select = SELECT_ALL;
    if (!v)
        return NULL;
    members_begin(&m, v, what);
    for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
        if (jv_is(members_get(&m, bits[i].name, M_BOOLEAN | M_OPTIONAL), JV_FALSE))
            *select &= ~bits[i].bit;
    return members_end(&m);
}

static struct dberr *
add_column(struct watched *w, const struct column *c, unsigned select, const struct jv *columns)
{
    for (size_t i = 0; i < w->n_columns; i++)
        if (w->columns[i].column == c)
            return dberr_syntax(columns, NULL, "column %s mentioned more than once", c->name);
    w->columns[w->n_columns++] = (struct watched_column){c, select};
    return NULL;
}

static struct dberr *
add_columns(struct watched *w, const struct jv *columns, unsigned select)
{
    const struct table_schema *s = w->table->schema;
    struct dberr *err = NULL;

    if (!columns) {
        for (size_t i = COL_VERSION; !err && i < s->n_columns; i++)
            err = add_column(w, &s->columns[i], select, NULL);
        return err;
    }
    if (columns->type != JV_ARRAY)
        return dberr_syntax(columns, NULL, "array of column names expected");
    for (size_t i = 0; !err && i < columns->n; i++) {
        if (columns->at[i].type != JV_STRING)
            return dberr_syntax(columns, NULL, "array of column names expected");
        const struct column *c = table_column(s, columns->at[i].s);
        if (!c)
            return dberr_syntax(columns, NULL, "%s is not a valid column name", columns->at[i].s);
        err = add_column(w, c, select, columns);
    }
    return err;
}

static struct dberr *
request_from_json(struct watched *w, const struct jv *v, bool conditional, bool *conditioned)
{
    struct members m;
    unsigned select;
    AUTO_STR char *what = xasprintf("table %s", w->table->schema->name), *select_what = xasprintf("%s select", what);

    members_begin(&m, v, what);
    const struct jv *columns = members_get(&m, "columns", M_ARRAY | M_OPTIONAL);
    const struct jv *select_json = members_get(&m, "select", M_OBJECT | M_OPTIONAL);
    const struct jv *where = conditional ? members_get(&m, "where", M_ARRAY | M_OPTIONAL) : NULL;
    struct dberr *err = members_end(&m);
    if (!err)
        err = select_from_json(select_json, select_what, &select);
    if (!err)
        err = add_columns(w, columns, select);
    if (!err && where) {
        struct condition more;
        err = condition_from_json(where, w->table->schema, NULL, &more);
        if (err)
            return err;
        if (*conditioned && !more.n)
            return NULL;
        w->cond.at = xrealloc(w->cond.at, (w->cond.n + more.n + 1) * sizeof *w->cond.at);
        memcpy(w->cond.at + w->cond.n, more.at, more.n * sizeof *more.at);
        w->cond.n += more.n;
        free(more.at);
        *conditioned = true;
    }
    return err;
}

static struct dberr *
watched_from_json(struct watched *w, const struct jv *v, bool conditional)
{
    bool conditioned = false;

    w->columns = xcalloc(w->table->schema->n_columns, sizeof *w->columns);
    if (v->type != JV_ARRAY) /* one request without its array: old clients */
        return request_from_json(w, v, conditional, &conditioned);
    for (size_t i = 0; i < v->n; i++) {
        struct dberr *err = request_from_json(w, &v->at[i], conditional, &conditioned);
        if (err)
            return err;
    }
    qsort(w->columns, w->n_columns, sizeof *w->columns, cmp_columns);
    return NULL;
}

static int
cmp_tables(const void *a_, const void *b_)
{
    const struct watched *a = a_, *b = b_;
    return a->table < b->table ? -1 : a->table > b->table;
}

static struct dberr *
shape_from_json(struct monitors *m, const struct jv *requests, enum monitor_version version, struct shape **out)
{
    if (requests->type != JV_OBJECT)
        return dberr_syntax(requests, NULL, "monitor-requests must be object");
    struct shape *s = xzalloc(sizeof *s);
    s->version = version;
    s->tables = xcalloc(requests->n + 1, sizeof *s->tables);
    for (size_t i = 0; i < requests->n; i++) {
        const struct jv *key = &requests->at[2 * i];
        struct watched *w = &s->tables[s->n_tables];
        struct dberr *err;
        if (jv_get(requests, key->s) != key + 1)
            continue; /* named again later */
        w->table = db_table(m->db, key->s);
        s->n_tables += w->table != NULL;
        err = w->table ? watched_from_json(w, key + 1, version != MONITOR_V1)
                       : dberr_syntax(NULL, NULL, "no table named %s", key->s);
        if (err) {
            shape_free(s);
            return err;
        }
    }
    qsort(s->tables, s->n_tables, sizeof *s->tables, cmp_tables);
    *out = s;
    return NULL;
}

/* ---- words ---- */

/* A row as a monitor sees it: what it was (NULL: not there, or out of view) and what it is. */
struct sight {
    const struct row *row;
    const struct datum *const *was, *const *is; /* cells */
    struct uuid old_version;
    struct txn_row *tr; /* NULL: not from a commit, differences are to be made */
};

/* Writing a <table-updates> object, opening tables as they come. */
struct writer {
    struct text *t;
    bool any_table, in_table;
    const struct watched *w;
};

static void
writer_row(struct writer *o, const struct row *r)
{
    char uuid[UUID_LEN];

    if (!o->in_table) {
        text_add(o->t, o->any_table ? ",\"" : "{\"");
        text_add(o->t, o->w->table->schema->name);
        text_add(o->t, "\":{\"");
        o->any_table = o->in_table = true;
    } else {
        text_add(o->t, ",\"");
    }
    uuid_put(uuid, &r->uuid);
    text_addn(o->t, uuid, sizeof uuid);
    text_add(o->t, "\":");
}

static void
writer_table(struct writer *o, const struct watched *w)
{
    if (o->in_table)
        text_addc(o->t, '}');
    o->in_table = false;
    o->w = w;
}

/* True if anything was written. */
static bool
writer_end(struct writer *o)
{
    writer_table(o, NULL);
    if (o->any_table)
        text_addc(o->t, '}');
    return o->any_table;
}

static const struct datum *
cell_of(const struct sight *s, const struct column *c, bool old, struct cell_room *room)
{
    if (c->index >= COL_FIRST)
        return (old ? s->was : s->is)[c->index - COL_FIRST];
    struct datum *d = (struct datum *) (uintptr_t) row_get(s->row, c, room);
    if (old && c->index == COL_VERSION)
        memcpy(d->body, &s->old_version, sizeof s->old_version);
    return d;
}

static bool
cell_changed(const struct sight *s, const struct column *c)
{
    if (c->index < COL_FIRST)
        return c->index == COL_VERSION && !uuid_eq(&s->old_version, &s->row->version);
    const struct datum *was = s->was[c->index - COL_FIRST], *is = s->is[c->index - COL_FIRST];
    return was != is && !datum_equal(was, is);
}

static void
add_cells(struct text *t, const struct watched *w, const struct sight *s, unsigned select, bool old, bool only_changed,
          bool no_defaults)
{
    struct cell_room room;
    char sep = '{';

    for (size_t i = 0; i < w->n_columns; i++) {
        const struct column *c = w->columns[i].column;
        if (!(w->columns[i].select & select) || (only_changed && !cell_changed(s, c)))
            continue;
        const struct datum *d = cell_of(s, c, old, &room);
        if (no_defaults && (d->refs == DATUM_STATIC || datum_is_default(d, &c->type)))
            continue;
        text_addc(t, sep);
        sep = ',';
        text_addc(t, '"');
        text_add(t, c->name);
        text_add(t, "\":");
        datum_add_json(t, d, &c->type);
    }
    text_add(t, sep == '{' ? "{}" : "}");
}

static void
add_diffs(struct text *t, const struct watched *w, const struct sight *s)
{
    struct cell_room room;
    char sep = '{';

    for (size_t i = 0; i < w->n_columns; i++) {
        const struct column *c = w->columns[i].column;
        if (!(w->columns[i].select & SELECT_MODIFY) || !cell_changed(s, c))
            continue;
        text_addc(t, sep);
        sep = ',';
        text_addc(t, '"');
        text_add(t, c->name);
        text_add(t, "\":");
        struct change *change =
            s->tr && c->index >= COL_FIRST ? (struct change *) (uintptr_t) txn_row_change(s->tr, c->index) : NULL;
        if (change) {
            datum_add_json(t, change_diff(change, s->tr), &c->type);
        } else if (c->index < COL_FIRST) {
            datum_add_json(t, cell_of(s, c, false, &room), &c->type);
        } else {
            const struct datum *diff = datum_diff(s->was[c->index - COL_FIRST], s->is[c->index - COL_FIRST], &c->type);
            datum_add_json(t, diff, &c->type);
            datum_unref(diff);
        }
    }
    text_add(t, sep == '{' ? "{}" : "}");
}

static bool
any_changed(const struct watched *w, const struct sight *s)
{
    for (size_t i = 0; i < w->n_columns; i++)
        if ((w->columns[i].select & SELECT_MODIFY) && cell_changed(s, w->columns[i].column))
            return true;
    return false;
}

/* 'select' is what happened to the row, in the eyes of this monitor. */
static void
add_event(struct writer *o, const struct watched *w, const struct sight *s, unsigned select)
{
    struct text *t = o->t;

    if (!(w->select & select) || (select == SELECT_MODIFY && !any_changed(w, s)))
        return;
    writer_row(o, s->row);
    if (w->shape->version == MONITOR_V1) {
        text_addc(t, '{');
        if (select & (SELECT_DELETE | SELECT_MODIFY)) {
            text_add(t, "\"old\":");
            add_cells(t, w, s, select, true, select == SELECT_MODIFY, false);
        }
        if (select == SELECT_MODIFY)
            text_addc(t, ',');
        if (select != SELECT_DELETE) {
            text_add(t, "\"new\":");
            add_cells(t, w, s, select, false, false, false);
        }
    } else if (select == SELECT_DELETE) {
        text_add(t, "{\"delete\":null");
    } else if (select == SELECT_MODIFY) {
        text_add(t, "{\"modify\":");
        add_diffs(t, w, s);
    } else {
        text_add(t, select == SELECT_INITIAL ? "{\"initial\":" : "{\"insert\":");
        add_cells(t, w, s, select, false, false, true);
    }
    text_addc(t, '}');
}

static void
add_sight(struct writer *o, const struct watched *w, struct sight *s)
{
    bool was = s->was && (w->sees_all || condition_any(&w->cond, s->row, s->was));
    bool is = s->is && (w->sees_all || condition_any(&w->cond, s->row, s->is));

    if (was && is)
        add_event(o, w, s, SELECT_MODIFY);
    else if (was)
        add_event(o, w, s, SELECT_DELETE);
    else if (is)
        add_event(o, w, s, SELECT_INSERT);
}

void
monitor_initial(const struct monitor *mon, struct text *t)
{
    struct writer o = {.t = t};

    for (size_t i = 0; i < mon->shape->n_tables; i++) {
        const struct watched *w = &mon->shape->tables[i];
        if (!(w->select & SELECT_INITIAL))
            continue;
        writer_table(&o, w);
        TABLE_FOR(r, w->table)
        {
            struct sight s = {.row = r, .is = r->cells};
            if (w->sees_all || condition_any(&w->cond, r, r->cells))
                add_event(&o, w, &s, SELECT_INITIAL);
        }
    }
    if (!writer_end(&o))
        text_add(t, "{}");
}

/* ---- commits ---- */

static void
mark(struct monitors *m, const watch_list *list, shape_list *active)
{
    for (size_t i = 0; i < list->n; i++) {
        struct shape *s = list->at[i]->shape;
        if (s->marked == m->serial)
            continue;
        s->marked = m->serial;
        vec_push(active, s);
    }
}

/* The row's cells before the commit, in 'room' (n cells). */
static void
old_cells(const struct txn_row *tr, const struct datum **room)
{
    size_t n = tr->row->table->schema->n_columns - COL_FIRST;
    memcpy(room, tr->row->cells, n * sizeof *room);
    for (const struct change *c = tr->changes; c; c = c->next)
        room[c->column - COL_FIRST] = c->old;
}

static void
add_txn_row(struct writer *o, const struct watched *w, struct txn_row *tr)
{
    const struct datum *few[64], **was = few;
    size_t n = tr->row->table->schema->n_columns;
    struct sight s = {.row = tr->row, .old_version = tr->old_version, .tr = tr};

    if (tr->row->table != w->table || txn_row_is_void(tr))
        return;
    if (!tr->is_new) {
        if (n > ARRAY_SIZE(few))
            was = xmalloc(n * sizeof *was);
        old_cells(tr, was);
        s.was = was;
    }
    if (!tr->is_deleted)
        s.is = tr->row->cells;
    add_sight(o, w, &s);
    if (was != few)
        free(was);
}

static void
shape_tell(struct shape *s, const struct txn *t)
{
    AUTO_TEXT struct text updates = TEXT_INIT;
    struct writer o = {.t = &updates};
    struct monitor *mon, *next;

    for (size_t i = 0; i < s->n_tables; i++) {
        writer_table(&o, &s->tables[i]);
        for (size_t j = 0; j < t->rows.n; j++)
            add_txn_row(&o, &s->tables[i], t->rows.at[j]);
    }
    if (!writer_end(&o))
        return;
    LIST_FOR_SAFE (mon, next, link, &s->monitors)
        mon->ops->update(mon->aux, s->version, &t->id, &updates);
}

static void
past_free(struct monitors *m, struct past *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct past_row *r = &p->rows[i];
        for (size_t j = 0; r->cells && j < r->table->schema->n_columns - COL_FIRST; j++)
            datum_unref(r->cells[j]);
        free(r->cells);
    }
    m->n_past--;
    m->n_past_rows -= p->n;
    list_remove(&p->link);
    free(p->rows);
    free(p);
}

static void
past_row_init(struct past_row *p, const struct txn_row *tr)
{
    size_t n = tr->row->table->schema->n_columns - COL_FIRST;

    *p = (struct past_row){.table = tr->row->table, .uuid = tr->row->uuid, .version = tr->old_version};
    p->what = tr->is_new ? CAME : tr->is_deleted ? WENT : CHANGED;
    if (p->what == CAME)
        return;
    p->cells = xcalloc(n, sizeof *p->cells);
    if (p->what == WENT)
        memcpy(p->cells, tr->row->cells, n * sizeof *p->cells);
    for (const struct change *c = tr->changes; c; c = c->next)
        p->cells[c->column - COL_FIRST] = c->old;
    for (size_t i = 0; i < n; i++)
        if (p->cells[i])
            datum_ref(p->cells[i]);
}

static void
remember(struct monitors *m, const struct txn *t)
{
    struct past *p = xzalloc(sizeof *p);

    p->id = t->id;
    p->rows = xcalloc(t->rows.n, sizeof *p->rows);
    for (size_t i = 0; i < t->rows.n; i++)
        if (!txn_row_is_void(t->rows.at[i]))
            past_row_init(&p->rows[p->n++], t->rows.at[i]);
    list_push_back(&m->past, &p->link);
    m->n_past++;
    m->n_past_rows += p->n;
    while (m->n_past && (m->n_past > PAST_COMMITS || m->n_past_rows > PAST_ROWS)) {
        struct past *oldest = LIST_ELEM(m->past.next, struct past, link);
        m->before_past = oldest->id;
        past_free(m, oldest);
    }
}

void
monitors_commit(struct monitors *m, const struct txn *t)
{
    shape_list active = VEC_INIT;

    m->serial++;
    for (size_t i = 0; i < t->rows.n; i++) {
        const struct txn_row *tr = t->rows.at[i];
        const struct watch_lists *lists = tr->row->table->watch;
        if (!lists || txn_row_is_void(tr))
            continue;
        if (tr->is_new || tr->is_deleted) {
            mark(m, &lists->any, &active);
            continue;
        }
        mark(m, &lists->columns[COL_VERSION], &active);
        for (const struct change *c = tr->changes; c; c = c->next)
            mark(m, &lists->columns[c->column], &active);
    }
    for (size_t i = 0; i < active.n; i++)
        shape_tell(active.at[i], t);
    vec_fini(&active);
    if (m->remembers)
        remember(m, t);
}

/* ---- since ---- */

/* A row as it was, on the way back through the past. */
struct then {
    struct hmap_node node;
    struct table *table;
    struct uuid uuid, version;
    struct row *now;            /* NULL: gone by now */
    const struct datum **cells; /* NULL: was not there; borrowed datums */
};

static struct then *
then_get(struct hmap *map, const struct past_row *p)
{
    struct then *h;
    size_t n = p->table->schema->n_columns - COL_FIRST;

    HMAP_FOR_HASH (h, node, uuid_hash(&p->uuid), map)
        if (h->table == p->table && uuid_eq(&h->uuid, &p->uuid))
            return h;
    h = xzalloc(sizeof *h);
    *h = (struct then){.table = p->table, .uuid = p->uuid, .now = table_find(p->table, &p->uuid)};
    if (h->now) {
        h->cells = xmemdup(h->now->cells, n * sizeof *h->cells);
        h->version = h->now->version;
    }
    hmap_insert(map, &h->node, uuid_hash(&p->uuid));
    return h;
}

static void
then_undo(struct hmap *map, const struct past_row *p)
{
    struct then *h = then_get(map, p);
    size_t n = p->table->schema->n_columns - COL_FIRST;

    h->version = p->version;
    switch (p->what) {
    case CAME:
        free(h->cells);
        h->cells = NULL;
        break;
    case WENT:
        free(h->cells);
        h->cells = xmemdup(p->cells, n * sizeof *h->cells);
        break;
    case CHANGED:
        for (size_t i = 0; i < n; i++)
            if (p->cells[i])
                h->cells[i] = p->cells[i];
        break;
    }
}

static void
add_then(struct writer *o, const struct watched *w, const struct then *h)
{
    struct row gone = {.uuid = h->uuid, .version = h->version, .table = h->table};
    struct sight s = {.row = h->now ? h->now : &gone, .was = h->cells, .old_version = h->version};

    if (h->table != w->table)
        return;
    if (h->now)
        s.is = h->now->cells;
    add_sight(o, w, &s);
}

bool
monitor_since(const struct monitor *mon, const struct uuid *id, struct text *t)
{
    struct monitors *m = mon->shape->owner;
    struct hmap map;
    struct then *h;
    struct past *p = NULL;
    bool found = uuid_eq(id, &m->db->last_id) && !uuid_is_zero(id);

    for (struct list *l = m->past.prev; !found && l != &m->past; l = l->prev)
        found = uuid_eq(&LIST_ELEM(l, struct past, link)->id, id);
    if (!found && (uuid_is_zero(id) || !m->n_past || !uuid_eq(id, &m->before_past)))
        return false;

    hmap_init(&map);
    for (struct list *l = m->past.prev; l != &m->past; l = l->prev) {
        p = LIST_ELEM(l, struct past, link);
        if (uuid_eq(&p->id, id))
            break;
        for (size_t i = p->n; i-- > 0;)
            then_undo(&map, &p->rows[i]);
    }
    struct writer o = {.t = t};
    for (size_t i = 0; i < mon->shape->n_tables; i++) {
        writer_table(&o, &mon->shape->tables[i]);
        HMAP_FOR (h, node, &map)
            add_then(&o, &mon->shape->tables[i], h);
    }
    if (!writer_end(&o))
        text_add(t, "{}");
    HMAP_FOR (h, node, &map) {
        hmap_remove(&map, &h->node);
        free(h->cells);
        free(h);
    }
    hmap_fini(&map);
    return true;
}

/* ---- other conditions ---- */

static struct watched *
shape_find(struct shape *s, const struct table *t)
{
    for (size_t i = 0; i < s->n_tables; i++)
        if (s->tables[i].table == t)
            return &s->tables[i];
    return NULL;
}

static struct condition
condition_copy(const struct condition *c)
{
    struct condition copy = {xmemdup(c->at, (c->n + 1) * sizeof *c->at), c->n};
    for (size_t i = 0; i < c->n; i++)
        if (copy.at[i].arg)
            datum_ref(copy.at[i].arg);
    return copy;
}

static struct shape *
shape_copy(const struct shape *s)
{
    struct shape *copy = xzalloc(sizeof *copy);

    copy->version = s->version;
    copy->tables = xmemdup(s->tables, (s->n_tables + 1) * sizeof *s->tables);
    copy->n_tables = s->n_tables;
    for (size_t i = 0; i < s->n_tables; i++) {
        struct watched *w = &copy->tables[i];
        w->columns = xmemdup(w->columns, w->table->schema->n_columns * sizeof *w->columns);
        w->cond = s->tables[i].cond.at ? condition_copy(&s->tables[i].cond) : (struct condition){NULL, 0};
    }
    return copy;
}

static struct dberr *
change_from_json(struct watched *w, const struct jv *v)
{
    struct members m;
    struct condition cond;

    AUTO_STR char *what = xasprintf("table %s", w->table->schema->name);

    members_begin(&m, v, what);
    const struct jv *columns = members_get(&m, "columns", M_ARRAY | M_OPTIONAL);
    const struct jv *where = members_get(&m, "where", M_ARRAY | M_OPTIONAL);
    struct dberr *err = members_end(&m);
    if (!err && columns)
        err = dberr_syntax(v, NULL, "changing columns is unsupported");
    if (err || !where)
        return err;
    err = condition_from_json(where, w->table->schema, NULL, &cond);
    if (!err) {
        condition_fini(&w->cond);
        w->cond = cond;
        w->sees_all = condition_is_true(&cond);
    }
    return err;
}

static struct dberr *
changes_from_json(struct monitors *m, struct shape *s, const struct jv *requests)
{
    if (requests->type != JV_OBJECT)
        return dberr_syntax(requests, NULL, "monitor-cond-change-requests must be object");
    for (size_t i = 0; i < requests->n; i++) {
        const struct jv *key = &requests->at[2 * i], *array = key + 1;
        struct table *t = db_table(m->db, key->s);
        struct watched *w = t ? shape_find(s, t) : NULL;
        if (!t)
            return dberr_syntax(NULL, NULL, "no table named %s", key->s);
        if (!w)
            return dberr_syntax(NULL, NULL, "no table named %s in monitor session", key->s);
        if (array->type != JV_ARRAY)
            return dberr_syntax(NULL, NULL, "table %s no monitor-cond-change JSON array", key->s);
        for (size_t j = 0; j < array->n; j++) {
            struct dberr *err = change_from_json(w, &array->at[j]);
            if (err)
                return err;
        }
    }
    return NULL;
}

/* Rows that came into view or left it, between two shapes of the same tables. */
static bool
add_view_change(const struct shape *before, const struct shape *after, struct text *t)
{
    struct writer o = {.t = t};

    for (size_t i = 0; i < after->n_tables; i++) {
        const struct watched *b = &before->tables[i], *a = &after->tables[i];
        writer_table(&o, a);
        if (b->sees_all && a->sees_all)
            continue;
        TABLE_FOR(r, a->table)
        {
            bool was = b->sees_all || condition_any(&b->cond, r, r->cells);
            bool is = a->sees_all || condition_any(&a->cond, r, r->cells);
            struct sight s = {.row = r, .was = r->cells, .is = r->cells};
            if (was != is)
                add_event(&o, b, &s, is ? SELECT_INSERT : SELECT_DELETE);
        }
    }
    return writer_end(&o);
}

struct dberr *
monitor_change(struct monitor *mon, const struct jv *requests, struct text *updates)
{
    struct shape *before = mon->shape, *after = shape_copy(before);
    struct dberr *err = changes_from_json(before->owner, after, requests);

    if (err) {
        shape_free(after);
        return err;
    }
    add_view_change(before, after, updates);
    after = shape_publish(before->owner, after);
    list_remove(&mon->link);
    list_push_back(&after->monitors, &mon->link);
    mon->shape = after;
    shape_leave(before);
    return NULL;
}

/* ---- life ---- */

struct monitors *
monitors_new(struct db *db)
{
    struct monitors *m = xzalloc(sizeof *m);
    m->db = db;
    hmap_init(&m->shapes);
    list_init(&m->past);
    return m;
}

void
monitors_free(struct monitors *m)
{
    if (!m)
        return;
    ASSERT(!m->n_monitors);
    while (!list_is_empty(&m->past))
        past_free(m, LIST_ELEM(m->past.next, struct past, link));
    hmap_fini(&m->shapes);
    for (size_t i = 0; i < m->db->schema->n_tables; i++) {
        struct table *t = &m->db->tables[i];
        struct watch_lists *w = t->watch;
        for (size_t j = 0; w && j < t->schema->n_columns; j++)
            vec_fini(&w->columns[j]);
        if (w) {
            vec_fini(&w->any);
            free(w->columns);
            free(w);
        }
        t->watch = NULL;
    }
    free(m);
}

enum monitor_version
monitor_version_of(const struct monitor *mon)
{
    return mon->shape->version;
}

size_t
monitors_count(const struct monitors *m)
{
    return m->n_monitors;
}

struct dberr *
monitor_open(struct monitors *m, const struct jv *requests, enum monitor_version version, const struct monitor_ops *ops,
             void *aux, struct monitor **out)
{
    struct shape *s = NULL;
    struct dberr *err = shape_from_json(m, requests, version, &s);
    if (err)
        return err;
    struct monitor *mon = xzalloc(sizeof *mon);
    *mon = (struct monitor){.shape = shape_publish(m, s), .ops = ops, .aux = aux};
    list_push_back(&mon->shape->monitors, &mon->link);
    m->n_monitors++;
    if (version == MONITOR_V3 && !m->remembers) {
        m->remembers = true;
        m->before_past = m->db->last_id;
    }
    *out = mon;
    return NULL;
}

void
monitor_close(struct monitor *mon)
{
    if (!mon)
        return;
    mon->shape->owner->n_monitors--;
    list_remove(&mon->link);
    shape_leave(mon->shape);
    free(mon);
}
