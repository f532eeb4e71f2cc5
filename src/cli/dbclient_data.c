/* ovsdb-client dump, backup and restore: all of a database, read or written in one transaction. */
#include "cli/dbclient.h"

#include "base/mem.h"
#include "ovsdb/dbfile.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Reading rows. ---- */

/* [DB, {select of each table}]; "persistent": without ephemeral columns. */
static void
add_selects(struct text *out, const struct dbc *c, const struct schema *s, bool persistent)
{
    text_addc(out, '[');
    json_add_string(out, c->database, strlen(c->database));
    for (size_t i = 0; i < s->n_tables; i++) {
        const struct table_schema *ts = &s->tables[i];
        text_addf(out, ",{\"op\":\"select\",\"table\":\"%s\",\"where\":[],\"columns\":[\"_uuid\"", ts->name);
        for (size_t j = COL_FIRST; j < ts->n_columns; j++) {
            if (!persistent || ts->columns[j].is_persistent)
                text_addf(out, ",\"%s\"", ts->columns[j].name);
        }
        text_add(out, "]}");
    }
    text_addc(out, ']');
}

static int
check_results(const struct jv *results, size_t n, struct why *why)
{
    for (size_t i = 0; i < results->n; i++) {
        if (jv_get(&results->at[i], "error")) {
            AUTO_TEXT struct text t = TEXT_INIT;
            jv_add_sorted(&t, &results->at[i]);
            return refuse(why, -EREMOTEIO, "transaction returned error: %s", text_str(&t));
        }
    }
    if (results->type != JV_ARRAY || results->n < n)
        return refuse(why, -EBADMSG, "the reply to transact has too few elements");
    return 0;
}

static const struct jv *
rows_of(const struct jv *results, size_t i)
{
    static const struct jv none = {.type = JV_ARRAY};
    const struct jv *rows = i < results->n ? jv_get(&results->at[i], "rows") : NULL;
    return jv_is(rows, JV_ARRAY) ? rows : &none;
}

/* ---- dump ---- */

typedef VEC(const struct column *) columns;

struct dump_row {
    const columns *cols;
    const struct datum **cells; /* by place in 'cols' */
};

/* By contents; the uuid, which says nothing, decides last. */
static int
compare_rows(const void *a_, const void *b_)
{
    const struct dump_row *a = a_, *b = b_;
    int by_uuid = 0;
    for (size_t i = 0; i < a->cols->n; i++) {
        int order = datum_cmp(a->cells[i], b->cells[i]);
        if (order && a->cols->at[i]->index == COL_UUID)
            by_uuid = order;
        else if (order)
            return order;
    }
    return by_uuid;
}

static int
read_row(const struct jv *row, const columns *cols, struct dump_row *out, struct why *why)
{
    for (size_t i = 0; i < cols->n; i++) {
        const struct jv *v = jv_get(row, cols->at[i]->name);
        struct dberr *err = v ? datum_from_json_loose(v, &cols->at[i]->type, NULL, &out->cells[i]) : NULL;
        if (err)
            return dberr_refuse(err, -EBADMSG, why);
        if (!out->cells[i])
            out->cells[i] = datum_default(&cols->at[i]->type);
    }
    return 0;
}

static int
dump_table(struct dbc *c, const struct table_schema *ts, const columns *cols, const struct jv *rows, struct why *why)
{
    AUTO(table) struct table *t = table_new();
    AUTO_STR char *caption = xasprintf("%s table", ts->name);
    struct dump_row *sorted = xcalloc(rows->n + 1, sizeof *sorted);
    int err = 0;

    for (size_t i = 0; i < rows->n; i++) {
        sorted[i] = (struct dump_row){cols, xcalloc(cols->n + 1, sizeof *sorted[i].cells)};
        err = err ? err : read_row(&rows->at[i], cols, &sorted[i], why);
    }
    if (!err)
        qsort(sorted, rows->n, sizeof *sorted, compare_rows);
    table_caption(t, caption);
    for (size_t i = 0; i < cols->n; i++)
        table_heading(t, cols->at[i]->name);
    for (size_t i = 0; i < rows->n; i++) {
        table_row(t);
        for (size_t j = 0; j < cols->n; j++) {
            if (!err)
                table_datum(t, sorted[i].cells[j], &cols->at[j]->type);
            datum_unref(sorted[i].cells[j]);
        }
        free(sorted[i].cells);
    }
    free(sorted);
    if (!err)
        table_print(t, &c->style, c->out);
    return err;
}

static int
compare_columns(const void *a, const void *b)
{
    const struct column *const *x = a, *const *y = b;
    if (((*x)->index == COL_UUID) != ((*y)->index == COL_UUID))
        return (*x)->index == COL_UUID ? -1 : 1;
    return strcmp((*x)->name, (*y)->name);
}

static int
pick_columns(const struct table_schema *ts, int argc, char *argv[], columns *out, struct why *why)
{
    for (int i = 0; i < argc; i++) {
        const struct column *col = table_column(ts, argv[i]);
        if (!col)
            return refuse(why, -ENOENT, "Table \"%s\" has no column %s.", ts->name, argv[i]);
        vec_push(out, col);
    }
    for (size_t i = 0; !argc && i < ts->n_columns; i++) {
        if (i != COL_VERSION)
            vec_push(out, &ts->columns[i]);
    }
    qsort(out->at, out->n, sizeof *out->at, compare_columns);
    return 0;
}

int
dbc_dump(void *dbc, int argc, char *argv[], struct why *why)
{
    struct dbc *c = dbc;
    AUTO_ARENA struct arena arena = ARENA_INIT;
    AUTO_TEXT struct text params = TEXT_INIT;
    AUTO(schema) struct schema *s = NULL;
    struct jv results;

    int err = dbc_schema(c, &s, why);
    if (!err && argc > 1 && !schema_table(s, argv[1]))
        err = refuse(why, -ENOENT, "No table \"%s\" found.", argv[1]);
    if (err)
        return err;
    add_selects(&params, c, s, false);
    err = dbc_transact(c, &arena, text_str(&params), &results, why);
    if (!err)
        err = check_results(&results, s->n_tables, why);
    for (size_t i = 0; !err && i < s->n_tables; i++) {
        columns cols = VEC_INIT;
        if (argc > 1 && strcmp(s->tables[i].name, argv[1]))
            continue;
        err = pick_columns(&s->tables[i], MAX(argc - 2, 0), argv + 2, &cols, why);
        if (!err)
            err = dump_table(c, &s->tables[i], &cols, rows_of(&results, i), why);
        vec_fini(&cols);
    }
    return err;
}

/* ---- backup ---- */

static void
add_row(struct text *out, const struct jv *row)
{
    bool first = true;
    text_addc(out, '{');
    for (size_t i = 0; i < row->n; i++) {
        const struct jv *name = &row->at[2 * i];
        if (!strcmp(name->s, "_uuid"))
            continue;
        text_addf(out, "%s\"%s\":", first ? "" : ",", name->s);
        jv_add(out, &row->at[2 * i + 1]);
        first = false;
    }
    text_addc(out, '}');
}

/* The uuid of a row that a select returned, as text; NULL: there is none. */
static const char *
row_uuid(const struct jv *row)
{
    const struct jv *uuid = jv_get(row, "_uuid");
    return jv_is(uuid, JV_ARRAY) && uuid->n == 2 && uuid->at[1].type == JV_STRING ? uuid->at[1].s : NULL;
}

static void
add_snapshot(struct text *out, const struct schema *s, const struct jv *results)
{
    text_addf(out, "{\"_date\":%lld,\"_comment\":\"produced by \\\"ovsdb-client backup\\\"\"",
              (long long) clock_wall_ms());
    for (size_t i = 0; i < s->n_tables; i++) {
        const struct jv *rows = rows_of(results, i);
        if (!rows->n)
            continue;
        text_addf(out, ",\"%s\":{", s->tables[i].name);
        for (size_t j = 0; j < rows->n; j++) {
            const char *uuid = row_uuid(&rows->at[j]);
            text_addf(out, "%s\"%s\":", j ? "," : "", uuid ? uuid : "");
            add_row(out, &rows->at[j]);
        }
        text_addc(out, '}');
    }
    text_addc(out, '}');
}

static void
put_record(struct dbc *c, struct text *json)
{
    AUTO_TEXT struct text record = TEXT_INIT;
    dblog_compose(&record, text_str(json), json->len);
    fwrite(text_str(&record), 1, record.len, c->out);
}

int
dbc_backup(void *dbc, int argc, char *argv[], struct why *why)
{
    struct dbc *c = dbc;
    AUTO_ARENA struct arena arena = ARENA_INIT;
    AUTO_TEXT struct text params = TEXT_INIT, record = TEXT_INIT;
    AUTO(schema) struct schema *s = NULL;
    struct jv results;

    if (isatty(fileno(c->out)))
        return refuse(why, -EINVAL, "not writing backup to a terminal; please redirect stdout to a file");
    int err = dbc_schema(c, &s, why);
    if (err)
        return err;
    add_selects(&params, c, s, true);
    err = dbc_transact(c, &arena, text_str(&params), &results, why);
    if (!err)
        err = check_results(&results, s->n_tables, why);
    if (err)
        return err;
    schema_add_json(&record, s);
    put_record(c, &record);
    text_cut(&record, 0);
    add_snapshot(&record, s, &results);
    put_record(c, &record);
    if (fflush(c->out) || ferror(c->out))
        return refuse(why, -EIO, "writing the backup failed (%s)", strerror(errno));
    return 0;
}

/* ---- restore ---- */

static void
add_named(struct text *out, const struct uuid *uuid)
{
    struct uuid_text s = uuid_text(uuid);
    for (char *p = s.s; *p; p++)
        *p = *p == '-' ? '_' : *p;
    text_addf(out, "\"row%s\"", s.s);
}

/* References become names: the server gives new uuids. */
static void
add_atom(struct text *out, const union atom *a, const struct base_type *type)
{
    if (type->type == ATOM_UUID && type->uuid.table) {
        text_add(out, "[\"named-uuid\",");
        add_named(out, &a->uuid);
        text_addc(out, ']');
    } else {
        atom_add_json(out, a, type->type);
    }
}

static void
add_value(struct text *out, const struct datum *d, const struct column_type *type)
{
    bool is_map = type_is_map(type);
    text_add(out, is_map ? "[\"map\",[" : "[\"set\",[");
    for (size_t i = 0; i < d->n; i++) {
        union atom key = datum_key(d, i), value = {0};
        text_add(out, i ? "," : "");
        if (is_map)
            text_addc(out, '[');
        add_atom(out, &key, &type->key);
        if (is_map) {
            value = datum_value(d, i);
            text_addc(out, ',');
            add_atom(out, &value, &type->value);
            text_addc(out, ']');
        }
    }
    text_add(out, "]]");
}

static void
add_insert(struct text *out, const struct row *row, const struct table_schema *ts)
{
    bool first = true;
    text_addf(out, ",{\"op\":\"insert\",\"table\":\"%s\",\"uuid-name\":", ts->name);
    add_named(out, &row->uuid);
    text_add(out, ",\"row\":{");
    for (size_t i = COL_FIRST; i < ts->n_columns; i++) {
        const struct datum *d = row_cell(row, i);
        if (!ts->columns[i].is_persistent || datum_is_default(d, &ts->columns[i].type))
            continue;
        text_addf(out, "%s\"%s\":", first ? "" : ",", ts->columns[i].name);
        add_value(out, d, &ts->columns[i].type);
        first = false;
    }
    text_add(out, "}}");
}

static void
add_restore(struct text *out, const struct dbc *c, const struct db *db, const struct schema *server)
{
    text_addc(out, '[');
    json_add_string(out, c->database, strlen(c->database));
    for (size_t i = 0; i < server->n_tables; i++)
        text_addf(out, ",{\"op\":\"delete\",\"table\":\"%s\",\"where\":[]}", server->tables[i].name);
    for (size_t i = 0; i < db->schema->n_tables; i++) {
        TABLE_FOR(row, &db->tables[i])
        add_insert(out, row, &db->schema->tables[i]);
    }
    text_add(out, ",{\"op\":\"comment\",\"comment\":\"ovsdb-client restore\"}]");
}

int
dbc_restore(void *dbc, int argc, char *argv[], struct why *why)
{
    struct dbc *c = dbc;
    AUTO_ARENA struct arena arena = ARENA_INIT;
    AUTO_TEXT struct text params = TEXT_INIT;
    AUTO(schema) struct schema *server = NULL;
    AUTO(db) struct db *db = NULL;
    struct jv results;

    if (isatty(STDIN_FILENO))
        return refuse(why, -EINVAL, "not reading backup from a terminal; please redirect stdin from a file");
    int err = dbfile_read("/dev/stdin", &db, why);
    if (!err)
        err = dbc_schema(c, &server, why);
    if (!err && !c->force && !schema_equal(db->schema, server))
        err =
            refuse(why, -EINVAL, "schemas differ: convert the database to the snapshot's schema first, or use --force");
    if (err)
        return err;
    add_restore(&params, c, db, server);
    err = dbc_transact(c, &arena, text_str(&params), &results, why);
    return err ? err : check_results(&results, 0, why);
}
