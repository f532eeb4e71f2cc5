/* Words that name tables, columns and rows, and what has to be fetched to understand them.
 *
 * Less is fetched than asked for: where every command names its rows by a plain name, only those rows are monitored, and a search in a
 * line that writes nothing is narrowed by one of its equalities.  A table that any command needs whole is fetched whole. */
#include "cli/ctl.h"

#include "base/mem.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>

/* ---- Which rows are needed. ---- */

struct ctl_limit {
    const char *table;
    bool is_whole;
    struct text clauses; /* JSON, separated by commas */
};

static struct ctl_limit *
limit_get(struct ctl *ctl, const char *table)
{
    for (size_t i = 0; i < ctl->limits.n; i++) {
        if (!strcmp(ctl->limits.at[i]->table, table))
            return ctl->limits.at[i];
    }
    struct ctl_limit *l = xzalloc(sizeof *l);
    l->table = table;
    vec_push(&ctl->limits, l);
    return l;
}

void
ctl_limits_fini(struct ctl *ctl)
{
    for (size_t i = 0; i < ctl->limits.n; i++) {
        text_fini(&ctl->limits.at[i]->clauses);
        free(ctl->limits.at[i]);
    }
    vec_fini(&ctl->limits);
}

void
ctl_want_rows(struct ctl *ctl, const char *table)
{
    limit_get(ctl, table)->is_whole = true;
    client_want(ctl->client, table, NULL, WANT_READ);
}

void
ctl_want_matching(struct ctl *ctl, const char *table, const char *column, const char *relation, const char *json)
{
    struct ctl_limit *l = limit_get(ctl, table);
    client_want(ctl->client, table, NULL, WANT_READ);
    text_addf(&l->clauses, "%s[\"%s\",\"%s\",%s]", l->clauses.len ? "," : "", column, relation, json);
}

void
ctl_apply_limits(struct ctl *ctl)
{
    for (size_t i = 0; i < ctl->limits.n; i++) {
        struct ctl_limit *l = ctl->limits.at[i];
        if (l->is_whole || !l->clauses.len)
            continue;
        AUTO_STR char *condition = xasprintf("[%s]", text_str(&l->clauses));
        client_want_rows(ctl->client, l->table, condition);
    }
}

/* The first digits of a uuid are a name too, but not one a server can look up. */
static bool
may_be_partial_uuid(const char *s)
{
    size_t n = uuid_partial_len(s);
    return n >= 4 && !s[n];
}

static bool
has_string_name(const struct ctl *ctl, const struct ctl_table *t)
{
    const struct table_schema *ts = schema_table(ctl->schema, t->name);
    const struct column *col = ts && t->ids[0].name_column ? table_column(ts, t->ids[0].name_column) : NULL;
    return col && col->type.key.type == ATOM_STRING;
}

void
ctl_want_record(struct ctl *ctl, const struct ctl_table *t, const char *record)
{
    AUTO_TEXT struct text json = TEXT_INIT;
    struct uuid uuid;

    if (uuid_parse(record, &uuid)) {
        text_addf(&json, "[\"uuid\",\"%s\"]", record);
        ctl_want_matching(ctl, t->name, "_uuid", "==", text_str(&json));
        text_cut(&json, 0);
    } else if (may_be_partial_uuid(record)) {
        ctl_want_rows(ctl, t->name);
    }
    bool is_string = has_string_name(ctl, t);
    json_add_string(&json, record, strlen(record));
    for (size_t i = 0; i < ARRAY_SIZE(t->ids) && t->ids[i].table; i++) {
        const struct ctl_row_id *id = &t->ids[i];
        if (is_string && id->name_column && !id->ref_column && !strcmp(id->table, t->name)) {
            ctl_want_matching(ctl, t->name, id->name_column, "==", text_str(&json));
        } else {
            ctl_want_rows(ctl, t->name);
            ctl_want_rows(ctl, id->table);
        }
    }
}

void
ctl_want_table(struct ctl *ctl, const struct ctl_table *t)
{
    client_want(ctl->client, t->name, NULL, WANT_READ);
    for (size_t i = 0; i < ARRAY_SIZE(t->ids) && t->ids[i].table; i++) {
        const struct ctl_row_id *id = &t->ids[i];
        client_want(ctl->client, id->table, NULL, WANT_READ);
        if (id->name_column)
            client_want(ctl->client, id->table, id->name_column, WANT_READ);
        if (id->ref_column)
            client_want(ctl->client, id->table, id->ref_column, WANT_READ);
    }
}

/* ---- Names. ---- */

static int
fold(char c)
{
    return c == '-' ? '_' : tolower((unsigned char) c);
}

/* How well 'word' names 'name': 0 not at all, more for more letters, most for the very same. */
static unsigned
match_score(const char *name, const char *word)
{
    unsigned n = 0;
    if (!strcmp(name, word))
        return UINT_MAX;
    while (name[n] && fold(name[n]) == fold(word[n]))
        n++;
    if (word[n])
        return 0;
    return name[n] ? n : UINT_MAX - 1;
}

struct best {
    unsigned score;
    size_t i, n;        /* the one, and how many as good as it */
    struct text others; /* the names of those */
};

static void
best_see(struct best *b, const char *name, const char *word, size_t i)
{
    unsigned score = match_score(name, word);
    if (!score || score < b->score)
        return;
    if (score > b->score) {
        b->score = score;
        b->n = 0;
        text_cut(&b->others, 0);
    }
    b->i = i;
    b->n++;
    text_addf(&b->others, "%s%s", b->others.len ? ", " : "", name);
}

int
ctl_find_table(const struct ctl *ctl, const char *word, const struct ctl_table **out, struct why *why)
{
    struct best best = {0};
    int err = 0;

    for (size_t i = 0; ctl->tables[i].name; i++)
        best_see(&best, ctl->tables[i].name, word, i);
    if (!best.n)
        err = refuse(why, -ENOENT, "unknown table \"%s\"", word);
    else if (best.n > 1)
        err = refuse(why, -EINVAL, "\"%s\" matches multiple table names: %s", word, text_str(&best.others));
    else
        *out = &ctl->tables[best.i];
    text_fini(&best.others);
    return err;
}

int
ctl_find_column(const struct ctl *ctl, const struct ctl_table *t, const char *word, const struct column **out,
                struct why *why)
{
    const struct table_schema *ts = schema_table(ctl->schema, t->name);
    struct best best = {0};
    int err = 0;

    for (size_t i = COL_FIRST; ts && i < ts->n_columns; i++)
        best_see(&best, ts->columns[i].name, word, i);
    if (!best.n)
        err = refuse(why, -ENOENT, "%s does not contain a column whose name matches \"%s\"", t->name, word);
    else if (best.n > 1)
        err = refuse(why, -EINVAL, "%s contains more than one column whose name matches \"%s\": %s", t->name, word,
                     text_str(&best.others));
    else
        *out = &ts->columns[best.i];
    text_fini(&best.others);
    return err;
}

/* ---- Rows. ---- */

/* Names are strings, and of one table numbers. */
static bool
is_named(const struct datum *name, const char *record)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    if (name->n != 1)
        return false;
    datum_format_bare(&t, name);
    return !strcmp(text_str(&t), record);
}

static int
row_by_id(struct ctl *ctl, const struct ctl_table *t, const struct ctl_row_id *id, const char *record,
          struct crow **out, struct why *why)
{
    struct crow *found = NULL;

    *out = NULL;
    if (!id->name_column) {
        if (!strcmp(record, ".") && client_n_rows(ctl->client, id->table) == 1)
            found = client_only(ctl->client, id->table);
    } else {
        CLIENT_FOR(row, ctl->client, id->table)
        {
            if (!is_named(crow_value(row, id->name_column), record))
                continue;
            if (found)
                return refuse(why, -EINVAL, "multiple rows in %s match \"%s\"", t->name, record);
            found = row;
        }
    }
    if (found && id->ref_column)
        found = crow_n(found, id->ref_column) == 1 ? crow_ref(found, id->ref_column) : NULL;
    *out = found;
    return 0;
}

static int
row_by_partial_uuid(struct ctl *ctl, const struct ctl_table *t, const char *record, struct crow **out, struct why *why)
{
    *out = NULL;
    if (!may_be_partial_uuid(record))
        return 0;
    CLIENT_FOR(row, ctl->client, t->name)
    {
        struct uuid_text text = uuid_text(crow_uuid(row));
        if (strncasecmp(text.s, record, strlen(record)))
            continue;
        if (*out)
            return refuse(why, -EINVAL, "%s contains 2 or more rows whose UUIDs begin with %s: at least %s and %s",
                          t->name, record, uuid_text(crow_uuid(*out)).s, text.s);
        *out = row;
    }
    return 0;
}

int
ctl_find_row(struct ctl *ctl, const struct ctl_table *t, const char *record, bool must_exist, struct crow **out,
             struct why *why)
{
    struct uuid uuid;
    struct crow *row = uuid_parse(record, &uuid) ? client_row(ctl->client, t->name, &uuid) : NULL;
    int err = 0;

    for (size_t i = 0; !row && !err && i < ARRAY_SIZE(t->ids) && t->ids[i].table; i++)
        err = row_by_id(ctl, t, &t->ids[i], record, &row, why);
    if (!row && !err)
        err = row_by_partial_uuid(ctl, t, record, &row, why);
    if (err)
        return err;
    if (!row && must_exist)
        return refuse(why, -ENOENT, "no row \"%s\" in table %s", record, t->name);
    *out = row;
    return 0;
}
