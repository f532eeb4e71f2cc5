/* dbfile - see the header. */
#include "ovsdb/dbfile.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* ---- writing ---- */

struct writer {
    struct text *t;
    const struct table *open; /* the table whose rows are being written */
};

static void
begin_row(struct writer *w, const struct row *r)
{
    char uuid[UUID_LEN];

    if (w->open != r->table) {
        text_add(w->t, w->open ? "},\"" : w->t->s[w->t->len - 1] == '{' ? "\"" : ",\"");
        text_add(w->t, r->table->schema->name);
        text_add(w->t, "\":{\"");
        w->open = r->table;
    } else {
        text_add(w->t, ",\"");
    }
    uuid_put(uuid, &r->uuid);
    text_addn(w->t, uuid, sizeof uuid);
    text_add(w->t, "\":");
}

static void
end_rows(struct writer *w)
{
    if (w->open)
        text_addc(w->t, '}');
    w->open = NULL;
}

static void
add_cell(struct text *t, const struct column *c, const struct datum *d)
{
    text_add(t, t->s[t->len - 1] == '{' ? "\"" : ",\"");
    text_add(t, c->name);
    text_add(t, "\":");
    datum_add_json(t, d, &c->type);
}

static void
write_whole_row(struct writer *w, const struct row *r)
{
    const struct table_schema *s = r->table->schema;

    begin_row(w, r);
    text_addc(w->t, '{');
    for (size_t i = COL_FIRST; i < s->n_columns; i++) {
        const struct datum *d = row_cell(r, i);
        if (s->columns[i].is_persistent && d->refs != DATUM_STATIC && !datum_is_default(d, &s->columns[i].type))
            add_cell(w->t, &s->columns[i], d);
    }
    text_addc(w->t, '}');
}

static bool
change_persists(const struct txn_row *tr)
{
    for (const struct change *c = tr->changes; c; c = c->next)
        if (tr->row->table->schema->columns[c->column].is_persistent)
            return true;
    return false;
}

static void
write_changed_row(struct writer *w, struct txn_row *tr, bool as_diff)
{
    begin_row(w, tr->row);
    text_addc(w->t, '{');
    for (struct change *c = tr->changes; c; c = c->next) {
        const struct column *column = &tr->row->table->schema->columns[c->column];
        if (column->is_persistent)
            add_cell(w->t, column, as_diff ? change_diff(c, tr) : row_cell(tr->row, c->column));
    }
    text_addc(w->t, '}');
}

static bool
write_row(struct writer *w, struct txn_row *tr, bool as_diff)
{
    if (txn_row_is_void(tr) || (!tr->is_new && !tr->is_deleted && !change_persists(tr)))
        return false;
    if (tr->is_deleted) {
        begin_row(w, tr->row);
        text_add(w->t, "null");
    } else if (tr->is_new) {
        write_whole_row(w, tr->row);
    } else {
        write_changed_row(w, tr, as_diff);
    }
    return true;
}

static void
add_trailer(struct text *t, int64_t date_ms, const char *comment, bool as_diff)
{
    if (t->s[t->len - 1] != '{')
        text_addc(t, ',');
    if (as_diff)
        text_add(t, "\"_is_diff\":true,");
    if (*comment) {
        text_add(t, "\"_comment\":");
        json_add_string(t, comment, strlen(comment));
        text_addc(t, ',');
    }
    text_add(t, "\"_date\":");
    json_add_int(t, date_ms);
    text_addc(t, '}');
}

bool
dbfile_record(const struct txn *txn, bool as_diff, struct text *t)
{
    struct writer w = {.t = t};
    bool any = false, diff = false;
    /* Rows stand in the order they were touched: go through them once for each table that occurs. */
    VEC(const struct table *) done = VEC_INIT;

    text_addc(t, '{');
    for (size_t i = 0; i < txn->rows.n; i++) {
        const struct table *table = txn->rows.at[i]->row->table;
        bool seen = false;
        for (size_t j = 0; j < done.n && !seen; j++)
            seen = done.at[j] == table;
        if (seen)
            continue;
        vec_push(&done, table);
        for (size_t j = i; j < txn->rows.n; j++) {
            struct txn_row *tr = txn->rows.at[j];
            if (tr->row->table != table || !write_row(&w, tr, as_diff))
                continue;
            any = true;
            diff = diff || (as_diff && !tr->is_new && !tr->is_deleted);
        }
        end_rows(&w);
    }
    vec_fini(&done);
    if (any)
        add_trailer(t, txn->date_ms, text_str(&txn->comment), diff);
    return any;
}

void
dbfile_snapshot(const struct db *db, const char *comment, int64_t date_ms, struct text *t)
{
    struct writer w = {.t = t};

    text_addc(t, '{');
    for (size_t i = 0; i < db->schema->n_tables; i++) {
        TABLE_FOR(r, &db->tables[i])
        write_whole_row(&w, r);
        end_rows(&w);
    }
    add_trailer(t, date_ms, comment, false);
}

struct dberr *
dbfile_save(const struct db *db, const char *path, const char *comment, int64_t date_ms)
{
    AUTO(dblog) struct dblog *log = NULL;
    AUTO_TEXT struct text t = TEXT_INIT;

    struct dberr *err = dblog_open(path, DBLOG_CREATE, &log);
    if (err)
        return err;
    schema_add_json(&t, db->schema);
    err = dblog_write(log, t.s, t.len);
    if (!err) {
        text_cut(&t, 0);
        dbfile_snapshot(db, comment, date_ms, &t);
        err = dblog_write(log, t.s, t.len);
    }
    if (!err)
        err = dblog_sync(log);
    if (err)
        unlink(path);
    return err;
}

/* ---- reading ---- */

struct reading {
    struct txn *txn;
    bool lenient, is_diff;
};

static struct dberr *
cell_from_json(const struct reading *g, const struct row *r, bool exists, const struct column *c, const struct jv *v,
               const struct datum **out)
{
    const struct datum *d;

    if (!exists || !g->is_diff)
        return datum_from_json(v, &c->type, NULL, out);
    struct dberr *err = datum_from_json_loose(v, &c->type, NULL, &d);
    if (err)
        return err;
    err = datum_apply_diff(row_cell(r, c->index), d, &c->type, out);
    datum_unref(d);
    return err;
}

static struct dberr *
cells_from_json(const struct reading *g, struct row *r, bool exists, const struct jv *v)
{
    const struct table_schema *s = r->table->schema;

    if (v->type != JV_OBJECT)
        return dberr_syntax(v, NULL, "row must be JSON object");
    for (size_t i = 0; i < v->n; i++) {
        const char *name = v->at[2 * i].s;
        const struct column *c = table_column(s, name);
        const struct datum *d;
        if (!c || c->index < COL_FIRST) {
            if (g->lenient)
                continue;
            return dberr_syntax(v, "unknown column", "No column %s in table %s.", name, s->name);
        }
        struct dberr *err = cell_from_json(g, r, exists, c, &v->at[2 * i + 1], &d);
        if (err)
            return err;
        if (exists)
            txn_set(g->txn, r, c, d);
        else
            row_put(r, c, d);
    }
    return NULL;
}

static struct dberr *
row_from_record(const struct reading *g, struct table *t, const struct uuid *u, const struct jv *v)
{
    struct row *r = table_find(t, u);

    if (v->type == JV_NULL) {
        if (!r)
            return dberr_syntax(NULL, NULL, "transaction deletes row %s that does not exist", uuid_text(u).s);
        txn_delete(g->txn, r);
        return NULL;
    }
    if (r)
        return cells_from_json(g, r, true, v);
    r = row_new(t, u);
    struct dberr *err = cells_from_json(g, r, false, v);
    if (err)
        row_free(r);
    else
        txn_insert(g->txn, r);
    return err;
}

static struct dberr *
table_from_record(const struct reading *g, struct table *t, const struct jv *v)
{
    if (v->type != JV_OBJECT)
        return dberr_syntax(v, NULL, "object expected");
    for (size_t i = 0; i < v->n; i++) {
        const struct jv *key = &v->at[2 * i];
        struct uuid u;
        if (!uuid_parse_n(key->s, key->n, &u))
            return dberr_syntax(NULL, NULL, "\"%s\" is not a valid UUID", key->s);
        struct dberr *err = row_from_record(g, t, &u, key + 1);
        if (err)
            return err;
    }
    return NULL;
}

static struct dberr *
tables_from_record(const struct reading *g, const struct jv *record)
{
    for (size_t i = 0; i < record->n; i++) {
        const char *name = record->at[2 * i].s;
        struct table *t = db_table(g->txn->db, name);
        if (!t) {
            if (g->lenient || !strcmp(name, "_date") || !strcmp(name, "_comment") || !strcmp(name, "_is_diff"))
                continue;
            return dberr_syntax(NULL, "unknown table", "No table named %s.", name);
        }
        struct dberr *err = table_from_record(g, t, &record->at[2 * i + 1]);
        if (err)
            return err;
    }
    return NULL;
}

struct dberr *
dbfile_apply(struct db *db, const struct jv *record, bool lenient)
{
    if (record->type != JV_OBJECT)
        return dberr_syntax(record, NULL, "object expected");
    struct reading g = {
        .txn = txn_begin(db), .lenient = lenient, .is_diff = jv_is(jv_get(record, "_is_diff"), JV_TRUE)};
    g.txn->is_loading = true;
    struct dberr *err = tables_from_record(&g, record);
    if (!err)
        return txn_commit(g.txn);
    txn_abort(g.txn);
    return err;
}

static struct dberr *
read_json(struct dblog *log, struct arena *arena, char **text, struct jv *v)
{
    size_t n;
    struct why why;
    struct dberr *err = dblog_read(log, text, &n);

    if (err || !*text)
        return err;
    int64_t end = dblog_size(log);
    if (jv_parse(arena, *text, n - 1, JSON_MAX_DEPTH, v, &why)) {
        dblog_unread(log);
        err = dberr_syntax(NULL, NULL, "%s: %zu bytes starting at offset %lld are not valid JSON (%s)", dblog_path(log),
                           n, (long long) (end - (int64_t) n), why.text);
    } else if (v->type != JV_OBJECT) {
        dblog_unread(log);
        err = dberr_syntax(NULL, NULL, "%s: %zu bytes starting at offset %lld are not a JSON object", dblog_path(log),
                           n, (long long) (end - (int64_t) n));
    }
    if (err) {
        free(*text);
        *text = NULL;
    }
    return err;
}

static struct dberr *
read_schema(struct dblog *log, struct schema **schema)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    AUTO_STR char *text = NULL;
    struct jv v;
    struct dberr *err = read_json(log, &arena, &text, &v);

    if (err)
        return err;
    if (!text)
        return dberr_io(-1, "%s: database file contains no schema", dblog_path(log));
    return schema_from_json(&v, schema);
}

/* False: the end, or something bad in '*bad'. */
static bool
read_record(struct dblog *log, struct arena *arena, struct db *db, bool lenient, struct dberr **bad)
{
    AUTO_STR char *text = NULL;
    struct jv v;

    *bad = read_json(log, arena, &text, &v);
    if (*bad || !text)
        return false;
    *bad = dbfile_apply(db, &v, lenient);
    if (*bad)
        dblog_unread(log);
    arena_reset(arena);
    return !*bad;
}

struct dberr *
dbfile_load(struct dblog *log, struct schema *schema, struct db **out, struct dberr **bad)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    struct schema *own = NULL;

    *bad = NULL;
    struct dberr *err = read_schema(log, &own);
    if (err) {
        schema_free(schema);
        return err;
    }
    bool lenient = schema != NULL;
    if (schema)
        schema_free(own);
    struct db *db = db_new(schema ? schema : own);
    while (read_record(log, &arena, db, lenient, bad))
        ;
    *out = db;
    return NULL;
}

int
dbfile_read(const char *path, struct db **out, struct why *why)
{
    AUTO(dblog) struct dblog *log = NULL;
    struct dberr *bad = NULL, *err = dblog_open(path, DBLOG_READ, &log);

    if (!err)
        err = dbfile_load(log, NULL, out, &bad);
    dberr_free(bad);
    return err ? dberr_refuse(err, -EINVAL, why) : 0;
}

/* ---- conversion ---- */

static struct dberr *
convert_row(const struct row *from, struct row *to)
{
    const struct table_schema *s = to->table->schema;

    for (size_t i = COL_FIRST; i < s->n_columns; i++) {
        const struct column *c = table_column(from->table->schema, s->columns[i].name);
        AUTO_TEXT struct text t = TEXT_INIT;
        AUTO_ARENA struct arena arena = ARENA_INIT;
        const struct datum *d;
        struct jv v;
        if (!c)
            continue;
        if (column_type_equal(&c->type, &s->columns[i].type)) {
            row_put(to, &s->columns[i], datum_ref(row_cell(from, c->index)));
            continue;
        }
        datum_add_json(&t, row_cell(from, c->index), &c->type);
        ASSERT(!jv_parse_copy(&arena, t.s, t.len, &v, NULL));
        struct dberr *err = datum_from_json(&v, &s->columns[i].type, NULL, &d);
        if (err)
            return err;
        row_put(to, &s->columns[i], d);
    }
    return NULL;
}

struct dberr *
db_convert(const struct db *from, struct schema *take, struct db **out)
{
    AUTO(db) struct db *db = db_new(take);
    struct txn *txn = txn_begin(db);
    struct dberr *err = NULL;

    for (size_t i = 0; !err && i < take->n_tables; i++) {
        struct table *old = db_table(from, take->tables[i].name);
        for (struct row *r = old ? table_first(old) : NULL; !err && r; r = table_next(old, r)) {
            struct row *new = row_new(&db->tables[i], &r->uuid);
            err = convert_row(r, new);
            txn_insert(txn, new);
        }
    }
    if (err) {
        txn_abort(txn);
        return err;
    }
    err = txn_commit(txn);
    if (!err)
        *out = MOVE(db);
    return err;
}
