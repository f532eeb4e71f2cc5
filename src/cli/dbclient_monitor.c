/* ovsdb-client monitor, monitor-cond and monitor-cond-since: contents and changes of tables, printed as they come. */
#include "cli/dbclient.h"

#include "base/clock.h"
#include "base/mem.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct watched {
    const struct table_schema *ts;
    VEC(const struct column *) columns; /* as they are printed */
};

enum method { MONITOR, COND, SINCE };

struct monitor {
    struct dbc *c;
    enum method method;
    struct schema *schema;
    VEC(struct watched) tables;
    bool with_captions; /* more than one table */
};

/* ---- What to ask for. ---- */

struct selects {
    bool initial, insert, delete, modify;
};

/* "a,b,!initial": columns, and kinds of changes that are not wanted. */
static int
parse_columns(struct watched *w, const char *words, struct text *request, struct selects *select, struct why *why)
{
    static const char *const kinds[] = {"!initial", "!insert", "!delete", "!modify"};
    bool *const flags[] = {&select->initial, &select->insert, &select->delete, &select->modify};

    *select = (struct selects){true, true, true, true};
    for (const char *p = words; *p; p += *p == ',') {
        size_t n = strcspn(p, ",");
        AUTO_STR char *word = xstrndup(p, n);
        p += n;
        if (!n)
            continue;
        if (word[0] == '!') {
            size_t k = 0;
            while (k < ARRAY_SIZE(kinds) && strcmp(kinds[k], word))
                k++;
            if (k == ARRAY_SIZE(kinds))
                return refuse(why, -EINVAL, "%s: unknown kind of change", word);
            *flags[k] = false;
            continue;
        }
        const struct column *col = table_column(w->ts, word);
        if (!col)
            return refuse(why, -ENOENT, "%s: table \"%s\" does not have a column named \"%s\"", word, w->ts->name,
                          word);
        for (size_t i = 0; i < w->columns.n; i++) {
            if (w->columns.at[i] == col)
                return refuse(why, -EINVAL, "%s: column \"%s\" mentioned multiple times", w->ts->name, word);
        }
        vec_push(&w->columns, col);
        text_addf(request, "%s\"%s\"", request->len ? "," : "", word);
    }
    return 0;
}

static void
add_select(struct text *out, const struct selects *s)
{
    text_addf(out, ",\"select\":{\"initial\":%s,\"insert\":%s,\"delete\":%s,\"modify\":%s}",
              s->initial ? "true" : "false", s->insert ? "true" : "false", s->delete ? "true" : "false",
              s->modify ? "true" : "false");
}

static int
add_group(struct text *out, struct watched *w, const char *words, const char *condition, struct why *why)
{
    AUTO_TEXT struct text columns = TEXT_INIT;
    struct selects select;
    size_t before = w->columns.n;

    int err = parse_columns(w, words, &columns, &select, why);
    if (err)
        return err;
    if (w->columns.n == before) { /* only kinds were named: of all columns */
        for (size_t i = COL_FIRST; i <= w->ts->n_columns; i++) {
            const struct column *col = &w->ts->columns[i < w->ts->n_columns ? i : (size_t) COL_VERSION];
            vec_push(&w->columns, col);
            text_addf(&columns, "%s\"%s\"", columns.len ? "," : "", col->name);
        }
    }
    text_addf(out, "{\"columns\":[%s]", text_str(&columns));
    if (condition)
        text_addf(out, ",\"where\":%s", condition);
    add_select(out, &select);
    text_addc(out, '}');
    return 0;
}

static int
add_table(struct text *out, struct monitor *m, const struct table_schema *ts, const char *condition, int argc,
          char *argv[], struct why *why)
{
    struct watched w = {.ts = ts};
    int err = 0;

    text_addf(out, "\"%s\":[", ts->name);
    if (!argc)
        err = add_group(out, &w, "", condition, why);
    for (int i = 0; i < argc && !err; i++) {
        text_add(out, i ? "," : "");
        err = add_group(out, &w, argv[i], condition, why);
    }
    text_addc(out, ']');
    vec_push(&m->tables, w);
    return err;
}

static int
add_all_tables(struct text *out, struct monitor *m, struct why *why)
{
    int err = 0;
    m->with_captions = true;
    for (size_t i = 0; i < m->schema->n_tables && !err; i++) {
        text_add(out, i ? "," : "");
        err = add_table(out, m, &m->schema->tables[i], NULL, 0, NULL, why);
    }
    return err;
}

/* ---- What comes. ---- */

static const struct watched *
watched_find(const struct monitor *m, const char *table)
{
    for (size_t i = 0; i < m->tables.n; i++) {
        if (!strcmp(m->tables.at[i].ts->name, table))
            return &m->tables.at[i];
    }
    return NULL;
}

static void
add_cells(struct table *t, const struct watched *w, const struct jv *row)
{
    for (size_t i = 0; i < w->columns.n; i++) {
        const struct column *col = w->columns.at[i];
        const struct jv *v = jv_get(row, col->name);
        const struct datum *d = NULL;
        struct dberr *err = v ? datum_from_json_loose(v, &col->type, NULL, &d) : NULL;
        if (d) {
            table_datum(t, d, &col->type);
            datum_unref(d);
        } else if (v) {
            AUTO_TEXT struct text json = TEXT_INIT;
            jv_add_sorted(&json, v);
            table_json(t, text_str(&json));
        } else {
            table_blank(t);
        }
        dberr_free(err);
    }
}

static void
add_line(struct table *t, const struct watched *w, const char *uuid, const char *action, const struct jv *row)
{
    table_row(t);
    table_text(t, uuid);
    table_text(t, action);
    add_cells(t, w, row);
}

/* RFC 7047 <row-update> */
static void
add_update(struct table *t, const struct watched *w, const char *uuid, const struct jv *update, bool initial)
{
    const struct jv *old = jv_get(update, "old"), *new = jv_get(update, "new");

    if (initial && new) {
        add_line(t, w, uuid, "initial", new);
    } else if (!old && new) {
        add_line(t, w, uuid, "insert", new);
    } else if (old && !new) {
        add_line(t, w, uuid, "delete", old);
    } else if (old) {
        add_line(t, w, uuid, "old", old);
        add_line(t, w, "", "new", new);
    }
}

/* <row-update2>: one member, whose name is the action */
static void
add_update2(struct table *t, const struct watched *w, const char *uuid, const struct jv *update)
{
    for (size_t i = 0; update->type == JV_OBJECT && i < update->n; i++)
        add_line(t, w, uuid, update->at[2 * i].s, &update->at[2 * i + 1]);
}

static void
print_table(struct monitor *m, const struct watched *w, const struct jv *rows, bool initial, const char *caption)
{
    AUTO(table) struct table *t = table_new();

    if (m->c->timestamp)
        table_timestamp(t, clock_wall_ms());
    if (caption)
        table_caption(t, caption);
    else if (m->with_captions)
        table_caption(t, w->ts->name);
    table_heading(t, "row");
    table_heading(t, "action");
    for (size_t i = 0; i < w->columns.n; i++)
        table_heading(t, w->columns.at[i]->name);
    for (size_t i = 0; i < rows->n; i++) {
        const char *uuid = rows->at[2 * i].s;
        if (m->method == MONITOR)
            add_update(t, w, uuid, &rows->at[2 * i + 1], initial);
        else
            add_update2(t, w, uuid, &rows->at[2 * i + 1]);
    }
    if (table_n_rows(t))
        table_print(t, &m->c->style, m->c->out);
}

static void
print_updates(struct monitor *m, const struct jv *updates, bool initial, const char *caption)
{
    for (size_t i = 0; jv_is(updates, JV_OBJECT) && i < updates->n; i++) {
        const struct watched *w = watched_find(m, updates->at[2 * i].s);
        if (w && updates->at[2 * i + 1].type == JV_OBJECT)
            print_table(m, w, &updates->at[2 * i + 1], initial, caption);
    }
    fflush(m->c->out);
}

static void
on_notice(struct dbc *c, const struct rpc_msg *msg)
{
    static const char *const methods[] = {[MONITOR] = "update", [COND] = "update2", [SINCE] = "update3"};
    struct monitor *m = c->aux;

    if (strcmp(msg->method, methods[m->method]) || !jv_is(msg->params, JV_ARRAY) || msg->params->n < 2)
        return;
    if (m->method == SINCE && msg->params->n == 3 && msg->params->at[1].type == JV_STRING) {
        AUTO_STR char *caption = xasprintf("last_id: %s", msg->params->at[1].s);
        print_updates(m, &msg->params->at[2], false, caption);
    } else {
        print_updates(m, &msg->params->at[1], false, NULL);
    }
}

static void
print_initial(struct monitor *m, const struct jv *result)
{
    if (m->method != SINCE) {
        print_updates(m, result, true, NULL);
    } else if (jv_is(result, JV_ARRAY) && result->n == 3 && result->at[1].type == JV_STRING) {
        AUTO_STR char *caption =
            xasprintf("found: %s, last_id: %s", result->at[0].type == JV_TRUE ? "true" : "false", result->at[1].s);
        print_updates(m, &result->at[2], true, caption);
    }
}

/* ---- The commands. ---- */

/* words: TABLE [COLUMN,...]... */
static int
watch(struct monitor *m, const char *condition, const char *last_id, int argc, char *argv[], struct why *why)
{
    static const char *const methods[] = {"monitor", "monitor_cond", "monitor_cond_since"};
    AUTO_ARENA struct arena arena = ARENA_INIT;
    AUTO_TEXT struct text params = TEXT_INIT;
    struct dbc *c = m->c;
    struct jv result;

    text_addc(&params, '[');
    json_add_string(&params, c->database, strlen(c->database));
    text_add(&params, ",null,{");
    int err = 0;
    const struct table_schema *ts = schema_table(m->schema, argv[0]);
    if (!ts && m->method == MONITOR && !strcmp(argv[0], "ALL"))
        err = add_all_tables(&params, m, why);
    else if (!ts)
        err = refuse(why, -ENOENT, "%s: %s does not have a table named \"%s\"", c->target, c->database, argv[0]);
    else
        err = add_table(&params, m, ts, condition, argc - 1, argv + 1, why);
    text_addc(&params, '}');
    if (m->method == SINCE)
        text_addf(&params, ",\"%s\"", last_id ? last_id : "00000000-0000-0000-0000-000000000000");
    text_addc(&params, ']');
    if (err)
        return err;
    c->aux = m;
    c->notice = on_notice;
    err = dbc_call(c, &arena, methods[m->method], text_str(&params), &result, why);
    if (err)
        return err;
    print_initial(m, &result);
    return dbc_serve(c, why);
}

static int
watch_and_free(struct dbc *c, enum method method, const char *condition, const char *last_id, int argc, char *argv[],
               struct why *why)
{
    struct monitor m = {.c = c, .method = method};

    int err = dbc_schema(c, &m.schema, why);
    if (!err)
        err = watch(&m, condition, last_id, argc, argv, why);
    c->notice = NULL;
    for (size_t i = 0; i < m.tables.n; i++)
        vec_fini(&m.tables.at[i].columns);
    vec_fini(&m.tables);
    schema_free(m.schema);
    return err;
}

int
dbc_monitor(void *dbc, int argc, char *argv[], struct why *why)
{
    return watch_and_free(dbc, MONITOR, NULL, NULL, argc - 1, argv + 1, why);
}

/* No clause at all selects everything. */
static int
parse_condition(const char *words, const char **condition, struct why *why)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    struct jv v;

    int err = jv_parse_copy(&arena, words, strlen(words), &v, why);
    if (err)
        return refuse_in(why, err, "\"%s\"", words);
    if (v.type != JV_ARRAY)
        return refuse(why, -EINVAL, "condition must be an array: %s", words);
    *condition = v.n ? words : "[true]";
    return 0;
}

int
dbc_monitor_cond(void *dbc, int argc, char *argv[], struct why *why)
{
    const char *condition;
    int err = parse_condition(argv[1], &condition, why);
    return err ? err : watch_and_free(dbc, COND, condition, NULL, argc - 2, argv + 2, why);
}

int
dbc_monitor_cond_since(void *dbc, int argc, char *argv[], struct why *why)
{
    const char *condition, *last_id = NULL;
    struct uuid uuid;

    if (argc > 3 && uuid_parse(argv[1], &uuid)) {
        last_id = argv[1];
        argc--;
        argv++;
    }
    int err = parse_condition(argv[1], &condition, why);
    return err ? err : watch_and_free(dbc, SINCE, condition, last_id, argc - 2, argv + 2, why);
}
