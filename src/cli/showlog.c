#include "cli/showlog.h"

#include "base/hmap.h"
#include "base/mem.h"
#include "ovsdb/dblog.h"
#include "ovsdb/schema.h"
#include <errno.h>
#include <string.h>
#include <time.h>

/* A row seen before, and what it is called. */
struct known_row {
    struct hmap_node node;
    struct uuid uuid;
    char *name; /* as text of a database value; NULL: it has none */
};

struct show {
    FILE *f;
    unsigned more;
    struct schema *schema;
    struct hmap rows;
};

static struct known_row *
known_find(struct show *s, const struct uuid *uuid)
{
    struct known_row *r;
    HMAP_FOR_HASH (r, node, uuid_hash(uuid), &s->rows) {
        if (uuid_eq(&r->uuid, uuid))
            return r;
    }
    return NULL;
}

static void
known_free(struct show *s, struct known_row *r)
{
    hmap_remove(&s->rows, &r->node);
    free(r->name);
    free(r);
}

/* What a row calls itself: its column "name", quoted always. */
static char *
name_of(const struct jv *row)
{
    const struct jv *name = jv_get(row, "name");
    struct text t = TEXT_INIT;
    if (!jv_is(name, JV_STRING))
        return NULL;
    json_add_string(&t, name->s, name->n);
    return text_steal(&t);
}

static void
show_value(struct show *s, const struct table_schema *ts, const char *column, const struct jv *v)
{
    const struct column *col = ts ? table_column(ts, column) : NULL;
    AUTO_DATUM const struct datum *d = NULL;
    AUTO_TEXT struct text t = TEXT_INIT;
    struct dberr *err = col ? datum_from_json_loose(v, &col->type, NULL, &d) : NULL;

    if (d)
        datum_format(&t, d, &col->type);
    else
        jv_add_sorted(&t, v);
    dberr_free(err);
    fprintf(s->f, "    %s=%s\n", column, text_str(&t));
}

static void
show_columns(struct show *s, const char *table, const struct jv *row)
{
    const struct table_schema *ts = s->schema ? schema_table(s->schema, table) : NULL;
    for (size_t i = 0; s->more > 1 && i < row->n; i++)
        show_value(s, ts, row->at[2 * i].s, &row->at[2 * i + 1]);
}

static void
show_row(struct show *s, const char *table, const char *uuid_s, const struct jv *row, bool is_diff)
{
    struct uuid uuid = UUID_ZERO;
    (void) uuid_parse(uuid_s, &uuid);
    struct known_row *known = known_find(s, &uuid);

    fprintf(s->f, "  table %s ", table);
    if (!known) {
        known = xzalloc(sizeof *known);
        known->uuid = uuid;
        known->name = row->type == JV_OBJECT ? name_of(row) : NULL;
        hmap_insert(&s->rows, &known->node, uuid_hash(&uuid));
        if (known->name)
            fprintf(s->f, "insert row %s (%.8s):\n", known->name, uuid_s);
        else
            fprintf(s->f, "insert row %.8s:\n", uuid_s);
    } else if (known->name) {
        fprintf(s->f, "row %s (%.8s)%s:\n", known->name, uuid_s, is_diff ? " diff" : "");
    } else {
        fprintf(s->f, "row %.8s (%.8s)%s:\n", uuid_s, uuid_s, is_diff ? " diff" : "");
    }
    if (row->type == JV_OBJECT) {
        show_columns(s, table, row);
    } else {
        fputs("    delete row\n", s->f);
        known_free(s, known);
    }
}

static void
show_rows(struct show *s, const struct jv *record)
{
    bool is_diff = jv_is(jv_get(record, "_is_diff"), JV_TRUE);
    for (size_t i = 0; i < record->n; i++) {
        const char *table = record->at[2 * i].s;
        const struct jv *rows = &record->at[2 * i + 1];
        if (table[0] == '_' || rows->type != JV_OBJECT)
            continue;
        for (size_t j = 0; j < rows->n; j++)
            show_row(s, table, rows->at[2 * j].s, &rows->at[2 * j + 1], is_diff);
    }
}

static void
show_date(struct show *s, const struct jv *date)
{
    int64_t ms = date->type == JV_INT ? date->i : 0;
    time_t seconds = ms / 1000;
    struct tm tm;
    char text[32];

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
    fprintf(s->f, " %s.%03d", text, (int) (ms % 1000));
}

static void
show_schema(struct show *s, const struct jv *record)
{
    struct dberr *err = schema_from_json(record, &s->schema);
    if (err) {
        AUTO_STR char *text = dberr_str(err);
        fprintf(s->f, " %s\n\n", text);
        dberr_free(err);
        return;
    }
    fprintf(s->f, " \"%s\" schema, version=\"%s\", cksum=\"%s\"\n\n", s->schema->name, s->schema->version,
            s->schema->cksum);
}

static void
show_record(struct show *s, unsigned i, const struct jv *record)
{
    fprintf(s->f, "record %u:", i);
    if (!i) {
        show_schema(s, record);
        return;
    }
    const struct jv *date = jv_get(record, "_date"), *comment = jv_get(record, "_comment");
    if (date)
        show_date(s, date);
    if (jv_is(comment, JV_STRING))
        fprintf(s->f, " \"%s\"", comment->s);
    fputc('\n', s->f);
    if (s->more && record->type == JV_OBJECT) {
        show_rows(s, record);
        fputc('\n', s->f);
    }
}

static int
show_all(struct show *s, struct dblog *log, struct why *why)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;

    for (unsigned i = 0;; i++) {
        AUTO_STR char *text = NULL;
        struct jv record;
        size_t n;
        struct dberr *err = dblog_read(log, &text, &n);
        if (err)
            return dberr_refuse(err, -EBADMSG, why);
        if (!text)
            return 0;
        arena_reset(&arena);
        int e = jv_parse(&arena, text, n, JSON_MAX_DEPTH, &record, why);
        if (e)
            return refuse_in(why, e, "%s: record %u", dblog_path(log), i);
        show_record(s, i, &record);
    }
}

int
show_log(const char *path, unsigned more, FILE *f, struct why *why)
{
    AUTO(dblog) struct dblog *log = NULL;
    struct show s = {.f = f, .more = more};
    struct known_row *r;

    struct dberr *refusal = dblog_open(path, DBLOG_READ, &log);
    if (refusal)
        return dberr_refuse(refusal, -EIO, why);
    hmap_init(&s.rows);
    int err = show_all(&s, log, why);
    HMAP_FOR (r, node, &s.rows)
        known_free(&s, r);
    hmap_fini(&s.rows);
    schema_free(s.schema);
    return err;
}
