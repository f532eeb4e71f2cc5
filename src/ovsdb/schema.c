/* schema - reading and printing schemas.  See the header. */
#include "ovsdb/schema.h"
#include "ovsdb/members.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>

static const char *const own_names[COL_FIRST] = {"_uuid", "_version"};

bool
version_is_valid(const char *s)
{
    int parts = 0;
    for (;; s++) {
        if (!isdigit((unsigned char) *s))
            return false;
        while (isdigit((unsigned char) *s))
            s++;
        parts++;
        if (*s != '.')
            return parts == 3 && !*s;
    }
}

static struct dberr *
column_from_json(const struct jv *v, const char *name, struct column *c)
{
    struct members m;
    AUTO_STR char *what = xasprintf("schema for column %s", name);

    memset(c, 0, sizeof *c);
    members_begin(&m, v, what);
    const struct jv *is_mutable = members_get(&m, "mutable", M_BOOLEAN | M_OPTIONAL);
    const struct jv *ephemeral = members_get(&m, "ephemeral", M_BOOLEAN | M_OPTIONAL);
    const struct jv *type = members_get(&m, "type", M_STRING | M_OBJECT);
    struct dberr *err = members_end(&m);
    if (!err)
        err = column_type_from_json(type, &c->type);
    if (err)
        return err;
    c->name = xstrdup(name);
    /* A weak reference goes when its target goes: such a column cannot be immutable (ovsdb-server(7), 3.2). */
    c->is_mutable =
        !jv_is(is_mutable, JV_FALSE) || base_type_is_ref(&c->type.key, true) || base_type_is_ref(&c->type.value, true);
    c->is_persistent = !jv_is(ephemeral, JV_TRUE);
    return NULL;
}

static int
cmp_names(const void *a_, const void *b_)
{
    const struct jv *const *a = a_, *const *b = b_;
    return strcmp((*a)->s, (*b)->s);
}

/* The members of an object by name, without repeated ones.  The caller frees it. */
static const struct jv **
sorted_members(const struct jv *object, size_t *n)
{
    const struct jv **keys = xmalloc((object->n + 1) * sizeof *keys);
    *n = 0;
    for (size_t i = 0; i < object->n; i++)
        if (jv_get(object, object->at[2 * i].s) == &object->at[2 * i + 1])
            keys[(*n)++] = &object->at[2 * i];
    qsort(keys, *n, sizeof *keys, cmp_names);
    return keys;
}

static struct dberr *
name_check(const struct jv *v, const char *name)
{
    if (name[0] == '_')
        return dberr_syntax(v, NULL, "names beginning with \"_\" are reserved");
    if (!id_is_valid(name))
        return dberr_syntax(v, NULL, "name must be a valid id");
    return NULL;
}

static void
own_columns_init(struct table_schema *t)
{
    for (int i = 0; i < COL_FIRST; i++) {
        struct column *c = &t->columns[i];
        memset(c, 0, sizeof *c);
        c->name = xstrdup(own_names[i]);
        c->index = i;
        c->is_persistent = i == COL_UUID;
        column_type_init(&c->type, ATOM_UUID);
    }
    t->n_columns = COL_FIRST;
}

static struct dberr *
columns_from_json(const struct jv *columns, struct table_schema *t)
{
    size_t n;
    struct dberr *err = NULL;
    const struct jv **names = sorted_members(columns, &n);

    t->columns = xcalloc(n + COL_FIRST, sizeof *t->columns);
    own_columns_init(t);
    for (size_t i = 0; !err && i < n; i++) {
        struct column *c = &t->columns[t->n_columns];
        err = name_check(columns, names[i]->s);
        if (!err)
            err = column_from_json(names[i] + 1, names[i]->s, c);
        if (!err)
            c->index = t->n_columns++;
    }
    free(names);
    return err;
}

struct dberr *
column_set_from_json(const struct jv *v, const struct table_schema *t, struct column_set *set)
{
    *set = (struct column_set){NULL, 0};
    if (!v) {
        set->at = xmalloc(t->n_columns * sizeof *set->at);
        for (size_t i = 0; i < t->n_columns; i++)
            set->at[set->n++] = &t->columns[i];
        return NULL;
    }
    struct dberr *err = NULL;
    if (v->type != JV_ARRAY)
        return dberr_syntax(v, NULL, "array of distinct column names expected");
    const struct column **at = xmalloc((v->n + 1) * sizeof *at);
    size_t n = 0;
    for (size_t i = 0; !err && i < v->n; i++) {
        if (v->at[i].type != JV_STRING) {
            err = dberr_syntax(v, NULL, "array of distinct column names expected");
            break;
        }
        at[n] = table_column(t, v->at[i].s);
        if (!at[n])
            err = dberr_syntax(v, NULL, "%s is not a valid column name", v->at[i].s);
        for (size_t j = 0; !err && j < n; j++)
            if (at[j] == at[n])
                err = dberr_syntax(v, NULL, "array of distinct column names expected");
        n++;
    }
    if (err) {
        free(at);
        return err;
    }
    set->at = at;
    set->n = n;
    return NULL;
}

static struct dberr *
index_from_json(const struct jv *v, const struct table_schema *t, struct column_set *set)
{
    struct dberr *err = column_set_from_json(v, t, set);
    if (err)
        return err;
    if (!set->n)
        err = dberr_syntax(v, NULL, "index must have at least one column");
    for (size_t i = 0; !err && i < set->n; i++)
        if (!set->at[i]->is_persistent)
            err = dberr_syntax(v, NULL, "ephemeral columns (such as %s) may not be indexed", set->at[i]->name);
    if (err) {
        free(set->at);
        set->at = NULL;
    }
    return err;
}

static struct dberr *
indexes_from_json(const struct jv *v, struct table_schema *t)
{
    if (!v || !v->n)
        return NULL;
    t->indexes = xcalloc(v->n, sizeof *t->indexes);
    for (size_t i = 0; i < v->n; i++) {
        struct dberr *err = index_from_json(&v->at[i], t, &t->indexes[i]);
        if (err)
            return err;
        t->n_indexes++;
    }
    return NULL;
}

static struct dberr *
table_from_json(const struct jv *v, const char *name, struct table_schema *t)
{
    struct members m;
    AUTO_STR char *what = xasprintf("table schema for table %s", name);

    t->name = xstrdup(name);
    t->max_rows = UINT_MAX;
    members_begin(&m, v, what);
    const struct jv *columns = members_get(&m, "columns", M_OBJECT);
    const struct jv *is_mutable = members_get(&m, "mutable", M_BOOLEAN | M_OPTIONAL);
    const struct jv *max_rows = members_get(&m, "maxRows", M_INTEGER | M_OPTIONAL);
    const struct jv *is_root = members_get(&m, "isRoot", M_BOOLEAN | M_OPTIONAL);
    const struct jv *indexes = members_get(&m, "indexes", M_ARRAY | M_OPTIONAL);
    struct dberr *err = members_end(&m);
    if (err)
        return err;
    if (max_rows && max_rows->i <= 0)
        return dberr_syntax(v, NULL, "maxRows must be at least 1");
    if (max_rows)
        t->max_rows = (unsigned) MIN(max_rows->i, UINT_MAX);
    if (!columns->n)
        return dberr_syntax(v, NULL, "table must have at least one column");
    t->is_mutable = !jv_is(is_mutable, JV_FALSE);
    t->is_root = jv_is(is_root, JV_TRUE);
    err = columns_from_json(columns, t);
    return err ? err : indexes_from_json(indexes, t);
}

static struct dberr *
reference_resolve(struct schema *s, const struct column *c, struct base_type *b, const char *part)
{
    if (b->type != ATOM_UUID || !b->uuid.table)
        return NULL;
    b->uuid.ref = schema_table(s, b->uuid.table);
    if (!b->uuid.ref)
        return dberr_syntax(NULL, NULL, "column %s %s refers to undefined table %s", c->name, part, b->uuid.table);
    return NULL;
}

static struct dberr *
references_resolve(struct schema *s)
{
    for (size_t i = 0; i < s->n_tables; i++)
        for (size_t j = COL_FIRST; j < s->tables[i].n_columns; j++) {
            struct column *c = &s->tables[i].columns[j];
            struct dberr *err = reference_resolve(s, c, &c->type.key, "key");
            if (!err)
                err = reference_resolve(s, c, &c->type.value, "value");
            if (err)
                return err;
        }
    return NULL;
}

/* "isRoot" came late: a schema that has none means that every table is a root. */
static void
roots_default(struct schema *s)
{
    for (size_t i = 0; i < s->n_tables; i++)
        if (s->tables[i].is_root)
            return;
    for (size_t i = 0; i < s->n_tables; i++)
        s->tables[i].is_root = true;
}

static struct dberr *
tables_from_json(const struct jv *tables, struct schema *s)
{
    size_t n;
    struct dberr *err = NULL;
    const struct jv **names = sorted_members(tables, &n);

    s->tables = xcalloc(n + 1, sizeof *s->tables);
    for (size_t i = 0; !err && i < n; i++) {
        err = name_check(tables, names[i]->s);
        if (err)
            break;
        s->tables[i].index = i;
        s->n_tables++;
        err = table_from_json(names[i] + 1, names[i]->s, &s->tables[i]);
    }
    free(names);
    if (!err)
        roots_default(s);
    return err ? err : references_resolve(s);
}

struct dberr *
schema_from_json(const struct jv *v, struct schema **out)
{
    struct members m;

    members_begin(&m, v, "database schema");
    const struct jv *name = members_get(&m, "name", M_ID);
    const struct jv *version = members_get(&m, "version", M_STRING | M_OPTIONAL);
    const struct jv *cksum = members_get(&m, "cksum", M_STRING | M_OPTIONAL);
    const struct jv *tables = members_get(&m, "tables", M_OBJECT);
    struct dberr *err = members_end(&m);
    if (err)
        return err;
    if (version && !version_is_valid(version->s))
        return dberr_syntax(v, NULL, "schema version \"%s\" not in format x.y.z", version->s);

    AUTO(schema) struct schema *s = xzalloc(sizeof *s);
    s->name = xstrdup(name->s);
    s->version = xstrdup(version ? version->s : "");
    s->cksum = xstrdup(cksum ? cksum->s : "");
    err = tables_from_json(tables, s);
    if (!err)
        *out = MOVE(s);
    return err;
}

int
schema_from_file(const char *path, struct schema **out, struct why *why)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    struct jv v;
    struct why inner;

    int err = jv_parse_file(&arena, path, &v, &inner);
    if (err)
        return refuse(why, err, "\"%s\" could not be read as JSON (%s)", path, inner.text);
    struct dberr *e = schema_from_json(&v, out);
    if (!e)
        return 0;
    err = dberr_refuse(e, -EINVAL, why);
    return refuse_in(why, err, "failed to parse \"%s\" as ovsdb schema", path);
}

void
schema_free(struct schema *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_tables; i++) {
        struct table_schema *t = &s->tables[i];
        for (size_t j = 0; j < t->n_columns; j++) {
            free(t->columns[j].name);
            column_type_fini(&t->columns[j].type);
        }
        for (size_t j = 0; j < t->n_indexes; j++)
            free(t->indexes[j].at);
        free(t->columns);
        free(t->indexes);
        free(t->name);
    }
    free(s->tables);
    free(s->name);
    free(s->version);
    free(s->cksum);
    free(s);
}

static void
column_add_json(struct text *t, const struct column *c)
{
    text_addf(t, "\"%s\":{", c->name);
    if (!c->is_mutable)
        text_add(t, "\"mutable\":false,");
    if (!c->is_persistent)
        text_add(t, "\"ephemeral\":true,");
    text_add(t, "\"type\":");
    column_type_add_json(t, &c->type);
    text_addc(t, '}');
}

static void
indexes_add_json(struct text *t, const struct table_schema *ts)
{
    text_add(t, ",\"indexes\":[");
    for (size_t i = 0; i < ts->n_indexes; i++) {
        text_add(t, i ? ",[" : "[");
        for (size_t j = 0; j < ts->indexes[i].n; j++)
            text_addf(t, j ? ",\"%s\"" : "\"%s\"", ts->indexes[i].at[j]->name);
        text_addc(t, ']');
    }
    text_addc(t, ']');
}

static void
table_add_json(struct text *t, const struct table_schema *ts, bool all_roots)
{
    text_addf(t, "\"%s\":{\"columns\":{", ts->name);
    for (size_t i = COL_FIRST; i < ts->n_columns; i++) {
        if (i > COL_FIRST)
            text_addc(t, ',');
        column_add_json(t, &ts->columns[i]);
    }
    text_addc(t, '}');
    if (ts->n_indexes)
        indexes_add_json(t, ts);
    if (ts->is_root && !all_roots)
        text_add(t, ",\"isRoot\":true");
    if (ts->max_rows != UINT_MAX)
        text_addf(t, ",\"maxRows\":%u", ts->max_rows);
    if (!ts->is_mutable)
        text_add(t, ",\"mutable\":false");
    text_addc(t, '}');
}

void
schema_add_json(struct text *t, const struct schema *s)
{
    bool all_roots = true;

    for (size_t i = 0; i < s->n_tables; i++)
        all_roots = all_roots && s->tables[i].is_root;
    text_addc(t, '{');
    if (s->cksum[0]) {
        text_add(t, "\"cksum\":");
        json_add_string(t, s->cksum, strlen(s->cksum));
        text_addc(t, ',');
    }
    text_addf(t, "\"name\":\"%s\",\"tables\":{", s->name);
    for (size_t i = 0; i < s->n_tables; i++) {
        if (i)
            text_addc(t, ',');
        table_add_json(t, &s->tables[i], all_roots);
    }
    text_addc(t, '}');
    if (s->version[0])
        text_addf(t, ",\"version\":\"%s\"", s->version);
    text_addc(t, '}');
}

struct schema *
schema_copy(const struct schema *s)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    AUTO_ARENA struct arena arena = ARENA_INIT;
    struct jv v;
    struct schema *copy = NULL;

    schema_add_json(&t, s);
    ASSERT(!jv_parse_copy(&arena, text_str(&t), t.len, &v, NULL));
    struct dberr *err = schema_from_json(&v, &copy);
    ASSERT(!err);
    return copy;
}

struct table_schema *
schema_table(const struct schema *s, const char *name)
{
    size_t low = 0, high = s->n_tables;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int cmp = strcmp(name, s->tables[mid].name);
        if (!cmp)
            return &s->tables[mid];
        if (cmp < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

const struct column *
table_column(const struct table_schema *t, const char *name)
{
    size_t low = COL_FIRST, high = t->n_columns;

    for (int i = 0; name[0] == '_' && i < COL_FIRST; i++)
        if (!strcmp(name, own_names[i]))
            return &t->columns[i];
    while (low < high) {
        size_t mid = (low + high) / 2;
        int cmp = strcmp(name, t->columns[mid].name);
        if (!cmp)
            return &t->columns[mid];
        if (cmp < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

bool
schema_equal(const struct schema *a, const struct schema *b)
{
    AUTO_TEXT struct text x = TEXT_INIT, y = TEXT_INIT;
    schema_add_json(&x, a);
    schema_add_json(&y, b);
    return x.len == y.len && !memcmp(text_str(&x), text_str(&y), x.len);
}
