/* Any "transact" against a small database that monitors of all kinds watch: nothing but its own words may come of it.  After each the
 * contents must survive being written and read. */
#include "ovsdb/dbfile.h"
#include "ovsdb/execute.h"
#include "ovsdb/monitor.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char schema_text[] =
    "{\"name\":\"F\",\"version\":\"1.0.0\",\"tables\":{\"A\":{\"isRoot\":true,\"indexes\":[[\"s\"]],\"columns\":{"
    "\"i\":{\"type\":{\"key\":{\"type\":\"integer\",\"minInteger\":-5,\"maxInteger\":99}}},\"s\":{\"type\":\"string\"},"
    "\"r\":{\"type\":\"real\"},\"b\":{\"type\":\"boolean\"},\"o\":{\"type\":{\"key\":\"string\",\"min\":0}},"
    "\"si\":{\"type\":{\"key\":\"integer\",\"min\":0,\"max\":\"unlimited\"}},"
    "\"m\":{\"type\":{\"key\":\"string\",\"value\":\"string\",\"min\":0,\"max\":\"unlimited\"}},"
    "\"e\":{\"type\":{\"key\":{\"type\":\"string\",\"enum\":[\"set\",[\"x\",\"\"]]}}},"
    "\"bs\":{\"type\":{\"key\":{\"type\":\"uuid\",\"refTable\":\"B\"},\"min\":0,\"max\":\"unlimited\"}},"
    "\"w\":{\"type\":{\"key\":\"string\",\"value\":{\"type\":\"uuid\",\"refTable\":\"B\",\"refType\":\"weak\"},\"min\":"
    "0,\"max\":3}}}},"
    "\"B\":{\"maxRows\":5,\"columns\":{\"n\":{\"type\":\"string\"},\"next\":{\"type\":{\"key\":{\"type\":\"uuid\","
    "\"refTable\":\"B\"},"
    "\"min\":0}}}}}}";

static void
on_update(void *aux UNUSED, enum monitor_version version UNUSED, const struct uuid *id UNUSED,
          const struct text *updates)
{
    json_t *j = jansson_of_text(text_str(updates), updates->len);
    ASSERT(json_is_object(j));
    json_decref(j);
}

static const struct monitor_ops ops = {.update = on_update};

static void
on_committed(void *aux, const struct txn *txn)
{
    monitors_commit(aux, txn);
}

static const struct db_ops db_ops = {.committed = on_committed};

static struct jv
parse(struct arena *arena, const char *text)
{
    struct jv v;
    ASSERT(!jv_parse_copy(arena, text, strlen(text), &v, NULL));
    return v;
}

static struct db *
make_db(void)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    struct schema *s = NULL;
    struct jv v = parse(&arena, schema_text);
    struct dberr *err = schema_from_json(&v, &s);
    ASSERT(!err);
    return db_new(s);
}

/* Written and read, it is the same. */
static void
check_snapshot(const struct db *db)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    AUTO_TEXT struct text t = TEXT_INIT;
    AUTO(db) struct db *copy = make_db();

    dbfile_snapshot(db, "", 0, &t);
    struct jv v = parse(&arena, text_str(&t));
    struct dberr *err = dbfile_apply(copy, &v, false);
    ASSERT(!err);
    for (size_t i = 0; i < db->schema->n_tables; i++) {
        ASSERT(db->tables[i].n_rows == copy->tables[i].n_rows);
        TABLE_FOR(r, &db->tables[i])
        {
            struct row *same = table_find(&copy->tables[i], &r->uuid);
            ASSERT(same && same->n_refs == r->n_refs);
            for (size_t c = COL_FIRST; c < r->table->schema->n_columns; c++)
                ASSERT(datum_equal(row_cell(r, c), row_cell(same, c)));
        }
    }
}

static void
run(struct db *db, const struct jv *params)
{
    AUTO_TEXT struct text reply = TEXT_INIT;
    struct execution x = {.may_wait = true};

    execute(db, params, &x, &reply);
    if (x.must_wait)
        return;
    json_t *j = jansson_of_text(text_str(&reply), reply.len);
    ASSERT(j);
    json_decref(j);
    check_snapshot(db);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const watch[] = {"{\"A\":{},\"B\":{}}", "{\"A\":[{\"where\":[[\"i\",\">\",3]]}],\"B\":[{}]}",
                                        "{\"A\":[{\"columns\":[\"m\",\"si\"]}]}"};
    AUTO_ARENA struct arena arena = ARENA_INIT;
    struct monitor *mons[3];
    struct jv v, first;

    if (jv_parse_copy(&arena, (const char *) data, size, &v, NULL))
        return 0;
    struct db *db = make_db();
    struct monitors *m = monitors_new(db);
    db->ops = &db_ops;
    db->aux = m;
    for (int i = 0; i < 3; i++) {
        struct jv requests = parse(&arena, watch[i]);
        struct dberr *err = monitor_open(m, &requests, (enum monitor_version) i, &ops, NULL, &mons[i]);
        ASSERT(!err);
    }
    first =
        parse(&arena,
              "[\"F\",{\"op\":\"insert\",\"table\":\"B\",\"uuid-name\":\"b\",\"row\":{\"n\":\"x\"}},{\"op\":\"insert\","
              "\"table\":\"A\",\"row\":{\"i\":7,\"s\":\"q\",\"bs\":[\"named-uuid\",\"b\"],\"w\":[\"map\",[[\"k\",["
              "\"named-uuid\",\"b\"]]]],\"m\":[\"map\",[[\"a\",\"b\"]]]}}]");
    run(db, &first);
    run(db, &v);
    run(db, &v);
    for (int i = 0; i < 3; i++)
        monitor_close(mons[i]);
    monitors_free(m);
    db_free(db);
    return 0;
}
