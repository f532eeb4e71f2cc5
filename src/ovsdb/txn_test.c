/* What a transaction leaves behind: all of it, or nothing at all. */
#include "base/test.h"
#include "ovsdb/dbfile.h"
#include "ovsdb/execute.h"
#include "ovsdb/monitor.h"

static const char schema_text[] =
    "{\"name\":\"T\",\"version\":\"1.0.0\",\"tables\":{"
    "\"R\":{\"isRoot\":true,\"indexes\":[[\"name\"]],\"columns\":{\"name\":{\"type\":\"string\"},\"i\":{\"type\":"
    "\"integer\"},"
    "\"eph\":{\"type\":\"integer\",\"ephemeral\":true},"
    "\"kids\":{\"type\":{\"key\":{\"type\":\"uuid\",\"refTable\":\"N\"},\"min\":0,\"max\":\"unlimited\"}},"
    "\"weak\":{\"type\":{\"key\":{\"type\":\"uuid\",\"refTable\":\"N\",\"refType\":\"weak\"},\"min\":0,\"max\":"
    "\"unlimited\"}}}},"
    "\"N\":{\"columns\":{\"n\":{\"type\":\"integer\"},"
    "\"next\":{\"type\":{\"key\":{\"type\":\"uuid\",\"refTable\":\"N\"},\"min\":0,\"max\":1}}}}}}";

static struct db *
make_db(void)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    struct schema *s = NULL;
    struct jv v;
    CHECK(!jv_parse_copy(&arena, schema_text, sizeof schema_text - 1, &v, NULL));
    struct dberr *err = schema_from_json(&v, &s);
    CHECK(!err);
    return db_new(s);
}

/* Runs operations, given without the brackets and the name; true: they were committed. */
static bool
run(struct db *db, const char *ops, struct text *reply)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    AUTO_TEXT struct text t = TEXT_INIT, own = TEXT_INIT;
    struct execution x = {0};
    struct jv v;

    text_addf(&t, "[\"T\",%s]", ops);
    CHECK(!jv_parse_copy(&arena, text_str(&t), t.len, &v, NULL));
    execute(db, &v, &x, reply ? reply : &own);
    return !x.failed;
}

static int
cmp_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

/* All rows in an order of their own: a table has none. */
static char *
contents(const struct db *db)
{
    VEC(char *) lines = VEC_INIT;
    struct text t = TEXT_INIT;

    for (size_t i = 0; i < db->schema->n_tables; i++)
        TABLE_FOR(r, &db->tables[i])
        {
            struct text line = TEXT_INIT;
            text_addf(&line, "%s %s %zu:", r->table->schema->name, uuid_text(&r->uuid).s, r->n_refs);
            for (size_t c = COL_FIRST; c < r->table->schema->n_columns; c++) {
                text_addc(&line, ' ');
                datum_format(&line, row_cell(r, c), &r->table->schema->columns[c].type);
            }
            vec_push(&lines, text_steal(&line));
        }
    qsort(lines.at, lines.n, sizeof *lines.at, cmp_lines);
    for (size_t i = 0; i < lines.n; i++) {
        text_addf(&t, "%s\n", lines.at[i]);
        free(lines.at[i]);
    }
    vec_fini(&lines);
    text_addf(&t, "%zu", db->n_weak);
    return text_steal(&t);
}

#define FILL                                                                                                           \
    "{\"op\":\"insert\",\"table\":\"N\",\"uuid-name\":\"b\",\"row\":{\"n\":2}},"                                       \
    "{\"op\":\"insert\",\"table\":\"N\",\"uuid-name\":\"a\",\"row\":{\"n\":1,\"next\":[\"named-uuid\",\"b\"]}},"       \
    "{\"op\":\"insert\",\"table\":\"R\",\"row\":{\"name\":\"r\",\"kids\":[\"named-uuid\",\"a\"],"                      \
    "\"weak\":[\"set\",[[\"named-uuid\",\"a\"],[\"named-uuid\",\"b\"]]]}}"
#define DROP_KIDS "{\"op\":\"update\",\"table\":\"R\",\"where\":[],\"row\":{\"kids\":[\"set\",[]]}}"

TEST(what_nobody_holds_falls_and_is_forgotten)
{
    struct db *db = make_db();
    CHECK(run(db, FILL, NULL));
    CHECK_EQ(db_table(db, "N")->n_rows, 2);
    CHECK_EQ(db->n_weak, 2);
    CHECK(run(db, DROP_KIDS, NULL));
    CHECK_EQ(db_table(db, "N")->n_rows, 0);
    CHECK_EQ(db->n_weak, 0);
    const struct row *r = table_first(db_table(db, "R"));
    CHECK_EQ(row_cell(r, table_column(r->table->schema, "weak")->index)->n, 0);
    db_free(db);
}

TEST(a_refused_transaction_never_was)
{
    static const char *const refused[] = {
        DROP_KIDS ",{\"op\":\"abort\"}",
        DROP_KIDS ",{\"op\":\"insert\",\"table\":\"R\",\"row\":{\"name\":\"r\"}}",
        "{\"op\":\"delete\",\"table\":\"N\",\"where\":[]}",
        "{\"op\":\"delete\",\"table\":\"R\",\"where\":[]}," FILL ",{\"op\":\"nope\"}",
        "{\"op\":\"update\",\"table\":\"R\",\"where\":[],\"row\":{\"name\":\"x\",\"i\":5}},{\"op\":\"mutate\","
        "\"table\":\"R\",\"where\":[],"
        "\"mutations\":[[\"i\",\"/=\",0]]}",
    };
    struct db *db = make_db();
    CHECK(run(db, FILL, NULL));
    AUTO_STR char *before = contents(db);
    uint64_t n = db->n_commits;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        CHECK(!run(db, refused[i], NULL));
        AUTO_STR char *after = contents(db);
        CHECK_STR(after, before);
    }
    CHECK(db->n_commits == n);
    /* The index finds the old value and not those that never were. */
    const struct datum *r = datum_of_string("r"), *x = datum_of_string("x");
    CHECK(table_find_index(db_table(db, "R"), 0, &r) != NULL);
    CHECK(table_find_index(db_table(db, "R"), 0, &x) == NULL);
    datum_unref(r);
    datum_unref(x);
    db_free(db);
}

TEST(what_changes_nothing_is_no_commit)
{
    struct db *db = make_db();
    CHECK(run(db, FILL, NULL));
    uint64_t n = db->n_commits;
    CHECK(run(db, "{\"op\":\"update\",\"table\":\"R\",\"where\":[],\"row\":{\"name\":\"r\",\"i\":0}}", NULL));
    CHECK(run(db, "{\"op\":\"insert\",\"table\":\"N\",\"row\":{\"n\":9}}", NULL)); /* garbage at once */
    CHECK(run(db, "{\"op\":\"mutate\",\"table\":\"R\",\"where\":[],\"mutations\":[[\"i\",\"+=\",1],[\"i\",\"-=\",1]]}",
              NULL));
    CHECK(db->n_commits == n);
    db_free(db);
}

/* ---- The log's records. ---- */

struct record {
    struct text text;
    size_t n;
};

static struct dberr *
keep_record(void *aux, const struct txn *txn)
{
    struct record *r = aux;
    text_cut(&r->text, 0);
    r->n += dbfile_record(txn, true, &r->text);
    return NULL;
}

static const struct db_ops keep_ops = {.write = keep_record};

TEST(a_record_does_to_another_what_the_transaction_did)
{
    static const char *const steps[] = {
        FILL,
        "{\"op\":\"mutate\",\"table\":\"R\",\"where\":[],\"mutations\":[[\"i\",\"+=\",5]]},{\"op\":\"insert\","
        "\"table\":\"R\",\"row\":{\"name\":"
        "\"s\"}}",
        "{\"op\":\"delete\",\"table\":\"R\",\"where\":[[\"name\",\"==\",\"s\"]]}",
        DROP_KIDS,
    };
    struct record record = {TEXT_INIT, 0};
    struct db *db = make_db(), *other = make_db();
    db->ops = &keep_ops;
    db->aux = &record;
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        AUTO_ARENA struct arena arena = ARENA_INIT;
        struct jv v;
        CHECK(run(db, steps[i], NULL));
        CHECK_EQ(record.n, i + 1);
        CHECK(!jv_parse_copy(&arena, text_str(&record.text), record.text.len, &v, NULL));
        struct dberr *err = dbfile_apply(other, &v, false);
        CHECK(!err);
        CHECK_EQ(db_table(db, "R")->n_rows, db_table(other, "R")->n_rows);
        TABLE_FOR(r, db_table(db, "R"))
        {
            const struct row *same = table_find(db_table(other, "R"), &r->uuid);
            CHECK(same && datum_equal(row_cell(r, COL_FIRST + 1), row_cell(same, COL_FIRST + 1)));
        }
    }
    /* Ephemeral columns leave no trace. */
    CHECK(run(db, "{\"op\":\"update\",\"table\":\"R\",\"where\":[],\"row\":{\"eph\":1}}", NULL));
    CHECK_EQ(record.n, ARRAY_SIZE(steps));
    text_fini(&record.text);
    db_free(db);
    db_free(other);
}

/* ---- Monitors. ---- */

struct heard {
    size_t n;
    struct text last;
};

static void
on_update(void *aux, enum monitor_version version UNUSED, const struct uuid *id UNUSED, const struct text *updates)
{
    struct heard *h = aux;
    h->n++;
    text_cut(&h->last, 0);
    text_addn(&h->last, updates->s, updates->len);
}

static void
tell_monitors(void *aux, const struct txn *txn)
{
    monitors_commit(aux, txn);
}

static struct monitor *
watch(struct monitors *m, const char *requests, enum monitor_version version, struct heard *h)
{
    static const struct monitor_ops ops = {.update = on_update};
    AUTO_ARENA struct arena arena = ARENA_INIT;
    struct monitor *mon;
    struct jv v;
    CHECK(!jv_parse_copy(&arena, requests, strlen(requests), &v, NULL));
    struct dberr *err = monitor_open(m, &v, version, &ops, h, &mon);
    CHECK(!err);
    return mon;
}

TEST(who_watches_other_columns_hears_nothing)
{
    static const struct db_ops ops = {.committed = tell_monitors};
    struct db *db = make_db();
    struct monitors *m = monitors_new(db);
    struct heard i = {0}, name = {0}, few = {0};
    db->ops = &ops;
    db->aux = m;
    struct monitor *mons[] = {
        watch(m, "{\"R\":{\"columns\":[\"i\"]}}", MONITOR_V1, &i),
        watch(m, "{\"R\":[{\"columns\":[\"name\"]}]}", MONITOR_V2, &name),
        watch(m, "{\"R\":[{\"columns\":[\"name\"],\"where\":[[\"i\",\">\",3]]}]}", MONITOR_V3, &few),
    };
    CHECK(run(db, FILL, NULL));
    CHECK_EQ(i.n, 1);
    CHECK_EQ(name.n, 1);
    CHECK_EQ(few.n, 0);
    CHECK(run(db, "{\"op\":\"update\",\"table\":\"R\",\"where\":[],\"row\":{\"i\":5}}", NULL));
    CHECK_EQ(i.n, 2);
    CHECK_EQ(name.n, 1);
    CHECK_EQ(few.n, 1); /* the condition sees it come */
    CHECK(strstr(text_str(&few.last), "\"insert\":{\"name\":\"r\"}") != NULL);
    CHECK(run(db, "{\"op\":\"update\",\"table\":\"R\",\"where\":[],\"row\":{\"eph\":5}}", NULL));
    CHECK_EQ(i.n + name.n + few.n, 4);
    CHECK(run(db, "{\"op\":\"update\",\"table\":\"R\",\"where\":[],\"row\":{\"i\":1}}", NULL));
    CHECK(strstr(text_str(&few.last), "{\"delete\":null}") != NULL);
    for (size_t k = 0; k < ARRAY_SIZE(mons); k++)
        monitor_close(mons[k]);
    monitors_free(m);
    db_free(db);
    text_fini(&i.last);
    text_fini(&name.last);
    text_fini(&few.last);
}

TEST(a_file_ends_with_its_last_whole_record)
{
    char path[] = "/tmp/sluice-dblog-XXXXXX";
    struct dblog *log;
    char *text;
    size_t n;
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    struct dberr *err = dblog_open(path, DBLOG_READ_WRITE, &log);
    CHECK(!err);
    for (int i = 0; i < 3; i++) {
        err = dblog_write(log, "{\"a\":1}", 7);
        CHECK(!err);
    }
    int64_t size = dblog_size(log);
    dblog_free(log);
    CHECK(!ftruncate(fd, size - 1));
    err = dblog_open(path, DBLOG_READ_WRITE, &log);
    CHECK(!err);
    for (int i = 0; i < 2; i++) {
        err = dblog_read(log, &text, &n);
        CHECK(!err && text && n == 8);
        free(text);
    }
    err = dblog_read(log, &text, &n);
    CHECK(err && !text);
    dberr_free(err);
    CHECK(dblog_cut(log) == size / 3 - 1);
    CHECK(dblog_size(log) == size / 3 * 2);
    dblog_free(log);
    close(fd);
    unlink(path);
    AUTO_STR char *lock = xasprintf("/tmp/.%s.~lock~", path + 5);
    unlink(lock);
}

TESTS(what_nobody_holds_falls_and_is_forgotten, a_refused_transaction_never_was, what_changes_nothing_is_no_commit,
      a_record_does_to_another_what_the_transaction_did, who_watches_other_columns_hears_nothing,
      a_file_ends_with_its_last_whole_record)
