/* The database commands of ovs-vsctl(8): list, find, get, set, add, remove, clear, create, destroy, wait-until, show, comment. */
#include "cli/ctl.h"

#include "base/log.h"
#include "base/mem.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>

LOG_MODULE(db_ctl_base)

static int
row_of_run(struct ctl *ctl, struct ctl_run *run, const struct ctl_table **t, struct crow **row, struct why *why)
{
    int err = ctl_find_table(ctl, run->argv[1], t, why);
    return err ? err : ctl_find_row(ctl, *t, run->argv[2], !ctl_has_option(run, "--if-exists"), row, why);
}

static int
check_mutable(const struct ctl_table *t, const struct crow *row, const struct column *col, struct why *why)
{
    if (col->is_mutable || crow_is_new(row))
        return 0;
    return refuse(why, -EPERM, "cannot modify read-only column %s in table %s", col->name, t->name);
}

/* ---- COLUMN[:KEY][OPERATOR VALUE] ---- */

enum relop { EQ, NE, LT, GT, LE, GE, SET_EQ, SET_NE, SET_LT, SET_GT, SET_LE, SET_GE, IN, NOT_IN, N_RELOPS };
static const char *const relops[N_RELOPS] = {"=",    "!=",  "<",   ">",    "<=",   ">=",   "{=}",
                                             "{!=}", "{<}", "{>}", "{<=}", "{>=}", "{in}", "{not-in}"};

struct assignment {
    const struct column *col;
    struct text key;
    bool has_key;
    enum relop op;
    const char *value; /* inside the word */
};

static int
no_operator(const char *word, unsigned n_ops, struct why *why)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    for (unsigned i = 0; i < n_ops; i++)
        text_addf(&t, "%s\"%s\"", !i ? "" : i + 1 < n_ops ? ", " : n_ops > 2 ? ", or " : " or ", relops[i]);
    return refuse(why, -EINVAL, "%s: argument does not end in %s followed by a value.", word, text_str(&t));
}

/* The longest operator that fits; it must not end the word. */
static int
parse_operator(const char *word, const char *p, unsigned n_ops, struct assignment *a, struct why *why)
{
    size_t best = 0;
    for (unsigned i = 0; i < n_ops; i++) {
        size_t n = strlen(relops[i]);
        if (n > best && !strncmp(relops[i], p, n) && p[n]) {
            best = n;
            a->op = i;
        }
    }
    if (!best)
        return no_operator(word, n_ops, why);
    a->value = p + best;
    return 0;
}

/* n_ops: how many of 'relops' are allowed; 0: no value must follow. */
static int
parse_assignment(const struct ctl *ctl, const struct ctl_table *t, const char *word, unsigned n_ops,
                 struct assignment *a, struct why *why)
{
    AUTO_TEXT struct text name = TEXT_INIT;
    const char *p = word;

    int err = token_parse(NULL, &p, &name, why);
    if (!err && !name.len)
        err = refuse(why, -EINVAL, "%s: missing column name", word);
    if (!err)
        err = ctl_find_column(ctl, t, text_str(&name), &a->col, why);
    if (!err && *p == ':') {
        p++;
        a->has_key = true;
        err = token_parse(NULL, &p, &a->key, why);
    }
    if (err)
        return err;
    if (n_ops)
        return parse_operator(word, p, n_ops, a, why);
    return *p ? refuse(why, -EINVAL, "%s: trailing garbage \"%s\" in argument", word, p) : 0;
}

static void
assignment_fini(struct assignment *a)
{
    text_fini(&a->key);
}
#define AUTO_ASSIGNMENT __attribute__((cleanup(assignment_fini)))

int
ctl_want_column_word(struct ctl *ctl, const struct ctl_table *t, const char *word, struct why *why)
{
    AUTO_TEXT struct text name = TEXT_INIT;
    const struct column *col;
    const char *p = word;

    int err = token_parse(NULL, &p, &name, why);
    if (!err && !name.len)
        err = refuse(why, -EINVAL, "%s: missing column name", word);
    if (!err)
        err = ctl_find_column(ctl, t, text_str(&name), &col, why);
    if (!err)
        client_want(ctl->client, t->name, col->name, WANT_READ);
    return err;
}

static int
need_map(const struct column *col, const char *what, struct why *why)
{
    if (type_is_map(&col->type))
        return 0;
    return refuse(why, -EINVAL, "cannot specify key to %s for non-map column %s", what, col->name);
}

/* A set of atoms like those of 'base', any number of them: for the values of a map, or the elements of a set. */
static struct column_type
many_of(const struct base_type *base, unsigned n_min)
{
    return (struct column_type){.key = *base, .value = {.type = ATOM_VOID}, .n_min = n_min, .n_max = COUNT_UNLIMITED};
}

static bool
relop_holds(const struct datum *a, const struct datum *b, enum relop op)
{
    switch (op) {
    case EQ:
    case SET_EQ:
        return !datum_cmp(a, b);
    case NE:
    case SET_NE:
        return datum_cmp(a, b) != 0;
    case LT:
        return datum_cmp(a, b) < 0;
    case GT:
        return datum_cmp(a, b) > 0;
    case LE:
        return datum_cmp(a, b) <= 0;
    case GE:
        return datum_cmp(a, b) >= 0;
    case SET_LT:
        return b->n > a->n && datum_includes(b, a);
    case SET_GT:
        return a->n > b->n && datum_includes(a, b);
    case SET_LE:
    case IN:
        return datum_includes(b, a);
    case SET_GE:
        return datum_includes(a, b);
    case NOT_IN:
        return datum_excludes(b, a);
    case N_RELOPS:
        break;
    }
    NOT_REACHED();
}

static int
key_condition_holds(struct ctl *ctl, const struct assignment *a, const struct datum *have, bool *holds, struct why *why)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    AUTO_DATUM const struct datum *want = NULL, *is = NULL;
    union atom key;

    int err = need_map(a->col, "check", why);
    if (!err)
        err = atom_parse(&arena, text_str(&a->key), &a->col->type.key, ctl->symtab, &key, why);
    struct column_type type = many_of(&a->col->type.value, a->col->type.n_min);
    if (!err)
        err = datum_parse(a->value, &type, ctl->symtab, &want, why);
    if (err)
        return err;
    ssize_t i = datum_find(have, &key);
    if (i < 0 && a->op < SET_EQ) {
        *holds = false;
        return 0;
    }
    if (i >= 0) {
        union atom value = datum_value(have, i);
        is = datum_of(&value, type.key.type);
    } else {
        is = datum_empty(type.key.type, ATOM_VOID);
    }
    *holds = relop_holds(is, want, a->op);
    return 0;
}

static int
condition_holds(struct ctl *ctl, const struct ctl_table *t, struct crow *row, const char *word, bool *holds,
                struct why *why)
{
    AUTO_ASSIGNMENT struct assignment a = {0};
    AUTO_DATUM const struct datum *want = NULL;

    int err = parse_assignment(ctl, t, word, N_RELOPS, &a, why);
    if (err)
        return err;
    const struct datum *have = crow_value(row, a.col->name);
    if (a.has_key)
        return key_condition_holds(ctl, &a, have, holds, why);
    err = datum_parse(a.value, &a.col->type, ctl->symtab, &want, why);
    if (!err)
        *holds = relop_holds(have, want, a.op);
    return err;
}

static int
set_key(struct ctl *ctl, const struct assignment *a, struct crow *row, struct why *why)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    struct datum_builder b;
    union atom key, value;

    int err = need_map(a->col, "set", why);
    if (!err)
        err = atom_parse(&arena, text_str(&a->key), &a->col->type.key, ctl->symtab, &key, why);
    if (!err)
        err = atom_parse(&arena, a->value, &a->col->type.value, ctl->symtab, &value, why);
    if (err)
        return err;
    builder_init(&b, a->col->type.key.type, a->col->type.value.type);
    builder_add(&b, &key, &value);
    AUTO_DATUM const struct datum *pair = datum_build_unique(&b);
    builder_fini(&b);
    if (crow_is_new(row) || !datum_includes(crow_value(row, a->col->name), pair))
        ctxn_add(ctl->txn, row, a->col->name, pair);
    return 0;
}

int
ctl_set_column(struct ctl *ctl, const struct ctl_table *t, struct crow *row, const char *word, struct why *why)
{
    AUTO_ASSIGNMENT struct assignment a = {0};
    AUTO_DATUM const struct datum *d = NULL;

    int err = parse_assignment(ctl, t, word, 1, &a, why);
    if (!err)
        err = check_mutable(t, row, a.col, why);
    if (err)
        return err;
    if (a.has_key)
        return set_key(ctl, &a, row, why);
    err = datum_parse(a.value, &a.col->type, ctl->symtab, &d, why);
    if (!err)
        ctxn_set(ctl->txn, row, a.col->name, d);
    return err;
}

/* ---- get ---- */

static bool
is_uuid_word(const char *word)
{
    return !strcasecmp(word, "_uuid") || !strcasecmp(word, "-uuid");
}

static int
get_want(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const struct ctl_table *t;
    int err = ctl_find_table(ctl, run->argv[1], &t, why);
    if (err)
        return err;
    ctl_want_table(ctl, t);
    ctl_want_record(ctl, t, run->argv[2]);
    for (int i = 3; i < run->argc && !err; i++) {
        if (!is_uuid_word(run->argv[i]))
            err = ctl_want_column_word(ctl, t, run->argv[i], why);
    }
    return err;
}

static int
symbol_create(struct ctl *ctl, const char *id, struct symbol **out, bool *is_new, struct why *why)
{
    if (id[0] != '@')
        return refuse(why, -EINVAL, "row id \"%s\" does not begin with \"@\"", id);
    *is_new = !symtab_find(ctl->symtab, id);
    *out = symtab_get(ctl->symtab, id);
    if ((*out)->created)
        return refuse(why, -EINVAL, "row id \"%s\" may only be specified on one --id option", id);
    (*out)->created = true;
    return 0;
}

static int
get_symbol(struct ctl *ctl, const char *id, const struct crow *row, struct why *why)
{
    struct symbol *s = NULL;
    bool is_new = false;
    int err = symbol_create(ctl, id, &s, &is_new, why);
    if (!err && !is_new)
        err = refuse(why, -EINVAL, "row id \"%s\" specified on \"get\" command was used before it was defined", id);
    if (err)
        return err;
    s->uuid = *crow_uuid(row);
    s->strong_ref = true; /* it exists: nobody needs to keep it */
    return 0;
}

static int
get_key(struct ctl *ctl, struct ctl_run *run, const struct ctl_table *t, const struct assignment *a,
        const struct datum *d, struct why *why)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    union atom key;

    int err = need_map(a->col, "get", why);
    if (!err)
        err = atom_parse(&arena, text_str(&a->key), &a->col->type.key, ctl->symtab, &key, why);
    if (err)
        return err;
    ssize_t i = datum_find(d, &key);
    if (i >= 0) {
        union atom value = datum_value(d, i);
        atom_format(&run->output, &value, a->col->type.value.type);
    } else if (!ctl_has_option(run, "--if-exists")) {
        return refuse(why, -ENOENT, "no key \"%s\" in %s record \"%s\" column %s", text_str(&a->key), t->name,
                      run->argv[2], a->col->name);
    }
    return 0;
}

static int
get_one(struct ctl *ctl, struct ctl_run *run, const struct ctl_table *t, struct crow *row, const char *word,
        struct why *why)
{
    AUTO_ASSIGNMENT struct assignment a = {0};

    if (is_uuid_word(word)) {
        text_addf(&run->output, "%s\n", uuid_text(crow_uuid(row)).s);
        return 0;
    }
    int err = parse_assignment(ctl, t, word, 0, &a, why);
    if (err)
        return err;
    ctxn_verify(ctl->txn, row, a.col->name);
    const struct datum *d = crow_value(row, a.col->name);
    if (a.has_key)
        err = get_key(ctl, run, t, &a, d, why);
    else
        datum_format(&run->output, d, &a.col->type);
    text_addc(&run->output, '\n');
    return err;
}

static int
get_run(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const char *id = ctl_option(run, "--id");
    const struct ctl_table *t;
    struct crow *row;

    if (id && ctl_has_option(run, "--if-exists"))
        return refuse(why, -EINVAL, "--if-exists and --id may not be specified together");
    int err = row_of_run(ctl, run, &t, &row, why);
    if (err || !row)
        return err;
    if (id)
        err = get_symbol(ctl, id, row, why);
    for (int i = 3; i < run->argc && !err; i++)
        err = get_one(ctl, run, t, row, run->argv[i], why);
    return err;
}

/* ---- list, find ---- */

typedef VEC(const struct column *) columns; /* NULL: the uuid */

static int
parse_columns(const struct ctl *ctl, const struct ctl_table *t, const char *names, columns *out, struct why *why)
{
    const struct table_schema *ts = schema_table(ctl->schema, t->name);

    if (!names) {
        vec_push(out, NULL);
        for (size_t i = COL_FIRST; ts && i < ts->n_columns; i++)
            vec_push(out, &ts->columns[i]);
        return 0;
    }
    for (const char *p = names + strspn(names, ", "); *p; p += strspn(p, ", ")) {
        size_t n = strcspn(p, ", ");
        AUTO_STR char *word = xstrndup(p, n);
        const struct column *col = NULL;
        int err = strcasecmp(word, "_uuid") ? ctl_find_column(ctl, t, word, &col, why) : 0;
        if (err)
            return err;
        vec_push(out, col);
        p += n;
    }
    return out->n ? 0 : refuse(why, -EINVAL, "must specify at least one column name");
}

static int
list_want_columns(struct ctl *ctl, struct ctl_run *run, const struct ctl_table **t, struct why *why)
{
    columns cols = VEC_INIT;
    int err = ctl_find_table(ctl, run->argv[1], t, why);
    if (err)
        return err;
    ctl_want_table(ctl, *t);
    err = parse_columns(ctl, *t, ctl_option(run, "--columns"), &cols, why);
    for (size_t i = 0; i < cols.n && !err; i++) {
        if (cols.at[i])
            client_want(ctl->client, (*t)->name, cols.at[i]->name, WANT_READ);
    }
    vec_fini(&cols);
    return err;
}

static int
list_want(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const struct ctl_table *t;
    int err = list_want_columns(ctl, run, &t, why);
    if (err)
        return err;
    for (int i = 2; i < run->argc; i++)
        ctl_want_record(ctl, t, run->argv[i]);
    if (run->argc == 2)
        ctl_want_rows(ctl, t->name);
    return 0;
}

static void
list_row(struct table *out, const columns *cols, const struct crow *row)
{
    table_row(out);
    for (size_t i = 0; i < cols->n; i++) {
        const struct column *col = cols->at[i];
        if (col) {
            table_datum(out, crow_value(row, col->name), &col->type);
        } else {
            AUTO_DATUM const struct datum *d = datum_of_uuid(crow_uuid(row));
            table_datum(out, d, &type_uuid);
        }
    }
}

struct ordered_row {
    const char *name;
    struct crow *row;
};

static int
compare_rows(const void *a_, const void *b_)
{
    const struct ordered_row *a = a_, *b = b_;
    int order = strcmp(a->name, b->name);
    return order ? order : uuid_cmp(crow_uuid(a->row), crow_uuid(b->row));
}

/* By name where rows have one, else by uuid. */
static void
sort_rows(crows *rows, const char *name_column)
{
    struct ordered_row *o = xcalloc(rows->n + 1, sizeof *o);
    for (size_t i = 0; i < rows->n; i++) {
        const char *name = name_column ? crow_str(rows->at[i], name_column) : NULL;
        o[i] = (struct ordered_row){name ? name : "", rows->at[i]};
    }
    qsort(o, rows->n, sizeof *o, compare_rows);
    for (size_t i = 0; i < rows->n; i++)
        rows->at[i] = o[i].row;
    free(o);
}

static void
rows_of(struct ctl *ctl, const struct ctl_table *t, crows *out)
{
    const struct ctl_row_id *id = &t->ids[0];
    bool has_name = id->table && !id->ref_column && !strcmp(id->table, t->name);

    CLIENT_FOR(row, ctl->client, t->name)
    vec_push(out, row);
    sort_rows(out, has_name ? id->name_column : NULL);
}

static int
list_begin(struct ctl *ctl, struct ctl_run *run, const struct ctl_table **t, columns *cols, struct why *why)
{
    int err = ctl_find_table(ctl, run->argv[1], t, why);
    if (!err)
        err = parse_columns(ctl, *t, ctl_option(run, "--columns"), cols, why);
    if (err)
        return err;
    run->table = table_new();
    for (size_t i = 0; i < cols->n; i++)
        table_heading(run->table, cols->at[i] ? cols->at[i]->name : "_uuid");
    return 0;
}

static int
list_named(struct ctl *ctl, struct ctl_run *run, const struct ctl_table *t, const columns *cols, struct why *why)
{
    int err = 0;
    for (int i = 2; i < run->argc && !err; i++) {
        struct crow *row;
        err = ctl_find_row(ctl, t, run->argv[i], !ctl_has_option(run, "--if-exists"), &row, why);
        if (!err && row)
            list_row(run->table, cols, row);
    }
    return err;
}

static int
list_run(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const struct ctl_table *t;
    columns cols = VEC_INIT;
    crows rows = VEC_INIT;

    int err = list_begin(ctl, run, &t, &cols, why);
    if (!err && run->argc > 2) {
        err = list_named(ctl, run, t, &cols, why);
    } else if (!err) {
        rows_of(ctl, t, &rows);
        for (size_t i = 0; i < rows.n; i++)
            list_row(run->table, &cols, rows.at[i]);
    }
    vec_fini(&rows);
    vec_fini(&cols);
    return err;
}

static bool
line_writes(const struct ctl *ctl)
{
    for (size_t i = 0; i < ctl->runs.n; i++) {
        if (ctl->runs.at[i].command->writes)
            return true;
    }
    return false;
}

/* Narrows a table by one equality; what does not parse is left for the run to complain about. */
static bool
limit_by(struct ctl *ctl, const struct ctl_table *t, const char *word)
{
    AUTO_ASSIGNMENT struct assignment a = {0};
    AUTO_DATUM const struct datum *d = NULL;
    AUTO_TEXT struct text json = TEXT_INIT;

    if (parse_assignment(ctl, t, word, N_RELOPS, &a, NULL) || a.op != EQ || strchr(a.value, '@'))
        return false;
    if (!a.has_key) {
        if (datum_parse(a.value, &a.col->type, NULL, &d, NULL))
            return false;
        datum_add_json(&json, d, &a.col->type);
        ctl_want_matching(ctl, t->name, a.col->name, "==", text_str(&json));
        return true;
    }
    if (a.col->type.key.type != ATOM_STRING || a.col->type.value.type != ATOM_STRING)
        return false;
    struct column_type type = many_of(&a.col->type.value, 0);
    if (a.key.s[0] == '"' || datum_parse(a.value, &type, NULL, &d, NULL) || d->n != 1)
        return false;
    union atom value = datum_key(d, 0);
    text_add(&json, "[\"map\",[[");
    json_add_string(&json, text_str(&a.key), a.key.len);
    text_addc(&json, ',');
    json_add_string(&json, value.string.s, value.string.len);
    text_add(&json, "]]]");
    ctl_want_matching(ctl, t->name, a.col->name, "includes", text_str(&json));
    return true;
}

static int
find_want(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const struct ctl_table *t;
    bool limited = false;

    int err = list_want_columns(ctl, run, &t, why);
    for (int i = 2; i < run->argc && !err; i++) {
        err = ctl_want_column_word(ctl, t, run->argv[i], why);
        if (!err && !limited && !line_writes(ctl))
            limited = limit_by(ctl, t, run->argv[i]);
    }
    if (!err && !limited)
        ctl_want_rows(ctl, t->name);
    return err;
}

static int
find_run(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const struct ctl_table *t;
    columns cols = VEC_INIT;
    crows rows = VEC_INIT;

    int err = list_begin(ctl, run, &t, &cols, why);
    if (!err)
        rows_of(ctl, t, &rows);
    for (size_t i = 0; i < rows.n && !err; i++) {
        bool holds = true;
        for (int j = 2; j < run->argc && holds && !err; j++)
            err = condition_holds(ctl, t, rows.at[i], run->argv[j], &holds, why);
        if (holds && !err)
            list_row(run->table, &cols, rows.at[i]);
    }
    vec_fini(&rows);
    vec_fini(&cols);
    return err;
}

/* ---- set, add, remove, clear ---- */

static int
set_want(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const struct ctl_table *t;
    int err = ctl_find_table(ctl, run->argv[1], &t, why);
    if (err)
        return err;
    ctl_want_table(ctl, t);
    ctl_want_record(ctl, t, run->argv[2]);
    for (int i = 3; i < run->argc && !err; i++)
        err = ctl_want_column_word(ctl, t, run->argv[i], why);
    return err;
}

static int
set_run(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const struct ctl_table *t;
    struct crow *row;

    int err = row_of_run(ctl, run, &t, &row, why);
    for (int i = 3; !err && row && i < run->argc; i++)
        err = ctl_set_column(ctl, t, row, run->argv[i], why);
    if (ctl->forget)
        ctl->forget(ctl);
    return err;
}

/* add and remove name one column and then values. */
static int
add_want(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const struct ctl_table *t;
    const struct column *col;
    int err = ctl_find_table(ctl, run->argv[1], &t, why);
    if (!err)
        err = ctl_find_column(ctl, t, run->argv[3], &col, why);
    if (err)
        return err;
    ctl_want_table(ctl, t);
    ctl_want_record(ctl, t, run->argv[2]);
    client_want(ctl->client, t->name, col->name, WANT_READ);
    return 0;
}

static int
column_of_run(struct ctl *ctl, struct ctl_run *run, const struct ctl_table **t, struct crow **row,
              const struct column **col, struct why *why)
{
    int err = ctl_find_table(ctl, run->argv[1], t, why);
    if (!err)
        err = ctl_find_column(ctl, *t, run->argv[3], col, why);
    if (!err)
        err = ctl_find_row(ctl, *t, run->argv[2], !ctl_has_option(run, "--if-exists"), row, why);
    if (!err && *row)
        err = check_mutable(*t, *row, *col, why);
    return err;
}

static const char *
members_name(const struct column *col)
{
    return type_is_map(&col->type) ? "pairs" : "values";
}

static int
add_run(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const struct ctl_table *t;
    const struct column *col;
    struct crow *row;

    int err = column_of_run(ctl, run, &t, &row, &col, why);
    if (err || !row)
        return err;
    struct column_type type = col->type;
    type.n_min = 1;
    type.n_max = COUNT_UNLIMITED;
    for (int i = 4; i < run->argc; i++) {
        AUTO_DATUM const struct datum *add = NULL;
        err = datum_parse(run->argv[i], &type, ctl->symtab, &add, why);
        if (err)
            return err;
        if (!datum_includes(crow_value(row, col->name), add))
            ctxn_add(ctl->txn, row, col->name, add);
    }
    size_t n = crow_value(row, col->name)->n;
    if (n > col->type.n_max)
        return refuse(why, -EINVAL,
                      "\"add\" operation would put %zu %s in column %s of table %s but the maximum number is %u", n,
                      members_name(col), col->name, t->name, col->type.n_max);
    if (ctl->forget)
        ctl->forget(ctl);
    return 0;
}

/* Of a map a pair or a key alone may be named; a pair counts only with its value. */
static int
parse_doomed(struct ctl *ctl, const struct column *col, const char *word, const struct datum **out, struct why *why)
{
    struct column_type type = col->type;
    struct why first;

    type.n_min = 1;
    type.n_max = COUNT_UNLIMITED;
    int err = datum_parse(word, &type, ctl->symtab, out, &first);
    if (!err)
        return 0;
    if (!type_is_map(&type))
        return refuse(why, err, "%s", first.text);
    type = many_of(&col->type.key, 1);
    return datum_parse(word, &type, ctl->symtab, out, why);
}

static const struct datum *
keys_to_remove(const struct datum *have, const struct datum *doomed)
{
    struct datum_builder b;
    builder_init(&b, have->key_type, ATOM_VOID);
    for (size_t i = 0; i < doomed->n; i++) {
        union atom key = datum_key(doomed, i);
        ssize_t j = datum_find(have, &key);
        if (j < 0)
            continue;
        if (doomed->value_type != ATOM_VOID) {
            union atom want = datum_value(doomed, i), is = datum_value(have, j);
            if (atom_cmp(&want, &is, doomed->value_type))
                continue;
        }
        builder_add(&b, &key, NULL);
    }
    const struct datum *d = datum_build_unique(&b);
    builder_fini(&b);
    return d;
}

static int
remove_run(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const struct ctl_table *t;
    const struct column *col;
    struct crow *row;

    int err = column_of_run(ctl, run, &t, &row, &col, why);
    if (err || !row)
        return err;
    for (int i = 4; i < run->argc; i++) {
        AUTO_DATUM const struct datum *doomed = NULL;
        err = parse_doomed(ctl, col, run->argv[i], &doomed, why);
        if (err)
            return err;
        AUTO_DATUM const struct datum *keys = keys_to_remove(crow_value(row, col->name), doomed);
        ctxn_del(ctl->txn, row, col->name, keys);
    }
    size_t n = crow_value(row, col->name)->n;
    if (n < col->type.n_min)
        return refuse(why, -EINVAL,
                      "\"remove\" operation would put %zu %s in column %s of table %s but the minimum number is %u", n,
                      members_name(col), col->name, t->name, col->type.n_min);
    if (ctl->forget)
        ctl->forget(ctl);
    return 0;
}

static int
clear_want(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const struct ctl_table *t;
    int err = ctl_find_table(ctl, run->argv[1], &t, why);
    if (err)
        return err;
    ctl_want_table(ctl, t);
    ctl_want_record(ctl, t, run->argv[2]);
    for (int i = 3; i < run->argc && !err; i++) {
        const struct column *col;
        err = ctl_find_column(ctl, t, run->argv[i], &col, why);
        if (!err)
            client_want(ctl->client, t->name, col->name, WANT_READ);
    }
    return err;
}

static int
clear_run(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const struct ctl_table *t;
    struct crow *row;

    int err = row_of_run(ctl, run, &t, &row, why);
    for (int i = 3; !err && row && i < run->argc; i++) {
        const struct column *col;
        err = ctl_find_column(ctl, t, run->argv[i], &col, why);
        if (!err)
            err = check_mutable(t, row, col, why);
        if (!err && col->type.n_min > 0)
            err = refuse(why, -EINVAL,
                         "\"clear\" operation cannot be applied to column %s of table %s, which is not allowed to be "
                         "empty",
                         col->name, t->name);
        if (!err)
            ctxn_set(ctl->txn, row, col->name, datum_empty(col->type.key.type, col->type.value.type));
    }
    if (ctl->forget)
        ctl->forget(ctl);
    return err;
}

/* ---- create, destroy ---- */

static bool
is_root(const struct ctl *ctl, const struct ctl_table *t)
{
    const struct table_schema *ts = schema_table(ctl->schema, t->name);
    return ts && ts->is_root;
}

static int
create_want(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const struct ctl_table *t;
    int err = ctl_find_table(ctl, run->argv[1], &t, why);
    if (!err && !ctl_has_option(run, "--id") && !is_root(ctl, t))
        log_warn("applying \"create\" command to table %s without --id option will have no effect", t->name);
    return err;
}

static int
create_row(struct ctl *ctl, struct ctl_run *run, const struct ctl_table *t, struct crow **row, struct why *why)
{
    const char *id = ctl_option(run, "--id");
    struct symbol *s = NULL;
    struct uuid uuid;
    bool is_new = false;

    if (!id) {
        *row = ctxn_insert(ctl->txn, t->name);
        return 0;
    }
    if (uuid_parse(id, &uuid)) {
        *row = ctxn_insert_as(ctl->txn, t->name, &uuid);
        return 0;
    }
    int err = symbol_create(ctl, id, &s, &is_new, why);
    if (err)
        return err;
    s->strong_ref |= is_root(ctl, t); /* stays by itself */
    *row = ctxn_insert_named(ctl->txn, t->name, &s->uuid);
    return 0;
}

static int
create_run(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const struct ctl_table *t;
    struct crow *row;

    int err = ctl_find_table(ctl, run->argv[1], &t, why);
    if (!err)
        err = create_row(ctl, run, t, &row, why);
    for (int i = 2; i < run->argc && !err; i++)
        err = ctl_set_column(ctl, t, row, run->argv[i], why);
    if (!err)
        run->inserted = *crow_uuid(row);
    return err;
}

/* Only the server knows the uuid; in a dry run the provisional one must do. */
static void
create_after(struct ctl *ctl, struct ctl_run *run)
{
    const struct uuid *real = ctxn_inserted(ctl->txn, &run->inserted);
    text_addf(&run->output, "%s\n", uuid_text(real ? real : &run->inserted).s);
}

static int
destroy_want(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const struct ctl_table *t;
    int err = ctl_find_table(ctl, run->argv[1], &t, why);
    if (err)
        return err;
    ctl_want_table(ctl, t);
    if (run->argc == 2 && !ctl_has_option(run, "--all"))
        log_warn("either --all or records argument should be specified");
    for (int i = 2; i < run->argc; i++)
        ctl_want_record(ctl, t, run->argv[i]);
    if (ctl_has_option(run, "--all"))
        ctl_want_rows(ctl, t->name);
    return 0;
}

static void
destroy_all(struct ctl *ctl, const struct ctl_table *t)
{
    crows rows = VEC_INIT;
    rows_of(ctl, t, &rows);
    for (size_t i = 0; i < rows.n; i++)
        ctxn_delete(ctl->txn, rows.at[i]);
    vec_fini(&rows);
}

static int
destroy_run(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    bool all = ctl_has_option(run, "--all"), must_exist = !ctl_has_option(run, "--if-exists");
    const struct ctl_table *t;

    int err = ctl_find_table(ctl, run->argv[1], &t, why);
    if (!err && all && run->argc > 2)
        err = refuse(why, -EINVAL, "--all and records argument should not be specified together");
    if (!err && all && !must_exist)
        err = refuse(why, -EINVAL, "--all and --if-exists should not be specified together");
    if (!err && all)
        destroy_all(ctl, t);
    for (int i = 2; i < run->argc && !err; i++) {
        struct crow *row;
        err = ctl_find_row(ctl, t, run->argv[i], must_exist, &row, why);
        if (!err && row)
            ctxn_delete(ctl->txn, row);
    }
    if (ctl->forget)
        ctl->forget(ctl);
    return err;
}

/* ---- wait-until ---- */

static int
wait_run(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const struct ctl_table *t;
    struct crow *row;
    bool holds = true;

    int err = ctl_find_table(ctl, run->argv[1], &t, why);
    if (!err)
        err = ctl_find_row(ctl, t, run->argv[2], false, &row, why);
    for (int i = 3; !err && row && holds && i < run->argc; i++)
        err = condition_holds(ctl, t, row, run->argv[i], &holds, why);
    run->try_again = !err && (!row || !holds);
    return err;
}

/* ---- show ---- */

static const struct ctl_show *
show_find(const struct ctl *ctl, const char *table)
{
    for (const struct ctl_show *s = ctl->shows; table && s->table; s++) {
        if (!strcmp(s->table, table))
            return s;
    }
    return NULL;
}

static int
show_want(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    for (const struct ctl_show *s = ctl->shows; s->table; s++) {
        ctl_want_rows(ctl, s->table);
        if (s->name_column)
            client_want(ctl->client, s->table, s->name_column, WANT_READ);
        for (size_t i = 0; i < ARRAY_SIZE(s->columns) && s->columns[i]; i++)
            client_want(ctl->client, s->table, s->columns[i], WANT_READ);
    }
    return 0;
}

static void
show_row(struct ctl *ctl, struct text *out, const struct ctl_show *show, const struct crow *row, size_t level)
{
    const struct table_schema *ts = schema_table(ctl->schema, show->table);
    crows refs = VEC_INIT;

    text_pad(out, ' ', out->len + level * 4);
    if (show->name_column) {
        text_addf(out, "%s ", show->table);
        datum_format(out, crow_value(row, show->name_column), &table_column(ts, show->name_column)->type);
    } else {
        text_add(out, uuid_text(crow_uuid(row)).s);
    }
    text_addc(out, '\n');
    for (size_t i = 0; i < ARRAY_SIZE(show->columns) && show->columns[i]; i++) {
        const struct column *col = table_column(ts, show->columns[i]);
        const struct datum *d = crow_value(row, col->name);
        const struct ctl_show *below =
            col->type.key.type == ATOM_UUID ? show_find(ctl, col->type.key.uuid.table) : NULL;
        if (below) {
            crow_refs(row, col->name, &refs);
            sort_rows(&refs, below->name_column);
            for (size_t j = 0; j < refs.n; j++)
                show_row(ctl, out, below, refs.at[j], level + 1);
        } else if (!datum_is_default(d, &col->type)) {
            text_pad(out, ' ', out->len + (level + 1) * 4);
            text_addf(out, "%s: ", col->name);
            datum_format(out, d, &col->type);
            text_addc(out, '\n');
        }
    }
    vec_fini(&refs);
}

static int
show_run(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    CLIENT_FOR(row, ctl->client, ctl->shows[0].table)
    show_row(ctl, &run->output, &ctl->shows[0], row, 0);
    return 0;
}

const struct ctl_command ctl_db_commands[] = {
    {"comment", 0, INT_MAX, "[ARG]...", NULL, NULL, NULL, "", false},
    {"get", 2, INT_MAX, "TABLE RECORD [COLUMN[:KEY]]...", get_want, get_run, NULL, "--if-exists,--id=", false},
    {"list", 1, INT_MAX, "TABLE [RECORD]...", list_want, list_run, NULL, "--if-exists,--columns=", false},
    {"find", 1, INT_MAX, "TABLE [COLUMN[:KEY]=VALUE]...", find_want, find_run, NULL, "--columns=", false},
    {"set", 3, INT_MAX, "TABLE RECORD COLUMN[:KEY]=VALUE...", set_want, set_run, NULL, "--if-exists", true},
    {"add", 4, INT_MAX, "TABLE RECORD COLUMN [KEY=]VALUE...", add_want, add_run, NULL, "--if-exists", true},
    {"remove", 4, INT_MAX, "TABLE RECORD COLUMN KEY|VALUE|KEY=VALUE...", add_want, remove_run, NULL, "--if-exists",
     true},
    {"clear", 3, INT_MAX, "TABLE RECORD COLUMN...", clear_want, clear_run, NULL, "--if-exists", true},
    {"create", 2, INT_MAX, "TABLE COLUMN[:KEY]=VALUE...", create_want, create_run, create_after, "--id=", true},
    {"destroy", 1, INT_MAX, "TABLE [RECORD]...", destroy_want, destroy_run, NULL, "--if-exists,--all", true},
    {"wait-until", 2, INT_MAX, "TABLE RECORD [COLUMN[:KEY]=VALUE]...", set_want, wait_run, NULL, "", false},
    {"show", 0, 0, "", show_want, show_run, NULL, "", false},
    {NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, false},
};
