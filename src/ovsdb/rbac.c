/* rbac - see the header.
 *
 * RBAC_Role has one row per role: name, and permissions, a map from the name of a table to a row of a permission table.  That row says
 * who is authorized (columns, or column:key of a map, that must hold the client's id; an empty one: anybody), whether rows may be
 * inserted and deleted, and which columns may be changed.
 */
#include "ovsdb/rbac.h"
#include <string.h>

bool
rbac_is_on(const struct db *db, const char *role)
{
    return role && *role && db_table(db, "RBAC_Role");
}

static const struct datum *
cell_by_name(const struct row *r, const char *column)
{
    const struct column *c = table_column(r->table->schema, column);
    return c && c->index >= COL_FIRST ? row_cell(r, c->index) : NULL;
}

/* The row with the role's permissions on 'table'; NULL: it has none. */
static const struct row *
permission(const struct db *db, const char *role, const char *table)
{
    struct table *roles = db_table(db, "RBAC_Role");
    union atom key = {.string = {table, (uint32_t) strlen(table)}};

    TABLE_FOR(r, roles)
    {
        const struct datum *name = cell_by_name(r, "name"), *perms = cell_by_name(r, "permissions");
        const struct column *c = table_column(roles->schema, "permissions");
        if (!name || !perms || strcmp(datum_string_or(name, ""), role))
            continue;
        if (perms->key_type != ATOM_STRING || perms->value_type != ATOM_UUID || !c->type.value.uuid.ref)
            return NULL;
        ssize_t i = datum_find(perms, &key);
        if (i < 0)
            return NULL;
        struct uuid u = datum_value(perms, i).uuid;
        return table_find(db_table_of(db, c->type.value.uuid.ref), &u);
    }
    return NULL;
}

/* Does 'spec' ("column" or "column:key") of the row hold the id? */
static bool
cell_is_id(const struct row *r, const char *spec, const char *id)
{
    const char *colon = strchr(spec, ':');
    AUTO_STR char *column = xstrndup(spec, colon ? (size_t) (colon - spec) : strlen(spec));
    const struct datum *d = cell_by_name(r, column);

    if (!d || !id)
        return false;
    if (colon) {
        const char *value = datum_map_get(d, colon + 1);
        return value && !strcmp(value, id);
    }
    union atom a = {.string = {id, (uint32_t) strlen(id)}};
    return d->key_type == ATOM_STRING && d->value_type == ATOM_VOID && datum_find(d, &a) >= 0;
}

static bool
is_authorized(const struct row *perm, const struct row *r, const char *id)
{
    const struct datum *specs = cell_by_name(perm, "authorization");

    if (!specs || specs->key_type != ATOM_STRING)
        return false;
    for (size_t i = 0; i < specs->n; i++) {
        const char *spec = datum_key(specs, i).string.s;
        if (!*spec || cell_is_id(r, spec, id))
            return true;
    }
    return false;
}

static bool
may_insert_delete(const struct row *perm)
{
    const struct datum *d = cell_by_name(perm, "insert_delete");
    return d && datum_boolean_or(d, false);
}

bool
rbac_may_insert(const struct db *db, const struct row *r, const char *role, const char *id)
{
    if (!rbac_is_on(db, role))
        return true;
    const struct row *perm = permission(db, role, r->table->schema->name);
    return perm && may_insert_delete(perm) && is_authorized(perm, r, id);
}

static bool
all_authorized(const struct row *perm, struct row *const *rows, size_t n, const char *id)
{
    for (size_t i = 0; i < n; i++)
        if (!is_authorized(perm, rows[i], id))
            return false;
    return true;
}

bool
rbac_may_delete(const struct table *t, struct row *const *rows, size_t n, const char *role, const char *id)
{
    if (!rbac_is_on(t->db, role))
        return true;
    const struct row *perm = permission(t->db, role, t->schema->name);
    return perm && may_insert_delete(perm) && all_authorized(perm, rows, n, id);
}

/* May the column, or with 'keys' those keys of it, be changed? */
static bool
may_change(const struct row *perm, const struct column *c, const struct datum *keys)
{
    const struct datum *specs = cell_by_name(perm, "update");
    union atom name = {.string = {c->name, (uint32_t) strlen(c->name)}};

    if (!specs || specs->key_type != ATOM_STRING)
        return false;
    if (datum_find(specs, &name) >= 0)
        return true;
    if (!keys || keys->key_type != ATOM_STRING)
        return false;
    for (size_t i = 0; i < keys->n; i++) {
        AUTO_STR char *spec = xasprintf("%s:%s", c->name, datum_key(keys, i).string.s);
        union atom a = {.string = {spec, (uint32_t) strlen(spec)}};
        if (datum_find(specs, &a) < 0)
            return false;
    }
    return true;
}

bool
rbac_may_update(const struct table *t, struct row *const *rows, size_t n, const struct column_set *set,
                const char *role, const char *id)
{
    if (!rbac_is_on(t->db, role))
        return true;
    const struct row *perm = permission(t->db, role, t->schema->name);
    if (!perm || !all_authorized(perm, rows, n, id))
        return false;
    for (size_t i = 0; i < set->n; i++)
        if (!may_change(perm, set->at[i], NULL))
            return false;
    return true;
}

bool
rbac_may_mutate(const struct table *t, struct row *const *rows, size_t n, const struct mutation_list *list,
                const char *role, const char *id)
{
    if (!rbac_is_on(t->db, role))
        return true;
    const struct row *perm = permission(t->db, role, t->schema->name);
    if (!perm || !all_authorized(perm, rows, n, id))
        return false;
    for (size_t i = 0; i < list->n; i++) {
        const struct mutation *m = &list->at[i];
        if (!may_change(perm, m->column, type_is_map(&m->column->type) ? m->arg : NULL))
            return false;
    }
    return true;
}
