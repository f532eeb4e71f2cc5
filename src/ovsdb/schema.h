/* schema - databases, tables and columns as RFC 7047 section 3.2 describes them.
 *
 * Shape.    Columns stand in one array: _uuid at 0, _version at 1, then the others by name; a column's 'index' is its place there.
 *           Tables stand sorted by name.  References between tables are resolved: base_type.uuid.ref.
 * Life.     A schema does not change.  A conversion makes another one.
 */
#ifndef OVSDB_SCHEMA_H
#define OVSDB_SCHEMA_H 1

#include "ovsdb/value.h"

enum { COL_UUID, COL_VERSION, COL_FIRST }; /* COL_FIRST: the first one of the schema's own */

struct column {
    char *name;
    unsigned index;
    bool is_mutable, is_persistent; /* not persistent: "ephemeral" */
    struct column_type type;
};

struct column_set {
    const struct column **at;
    size_t n;
};

struct table_schema {
    char *name;
    unsigned index; /* among the tables of the schema */
    struct column *columns;
    size_t n_columns; /* with the two of COL_FIRST */
    bool is_root, is_mutable;
    unsigned max_rows; /* UINT_MAX: no limit */
    struct column_set *indexes;
    size_t n_indexes;
};

struct schema {
    char *name, *version, *cksum; /* version and cksum may be "" */
    struct table_schema *tables;
    size_t n_tables;
};

struct dberr *schema_from_json(const struct jv *, struct schema **) MUST_CHECK;
int schema_from_file(const char *path, struct schema **, struct why *);
void schema_add_json(struct text *, const struct schema *);
void schema_free(struct schema *); /* NULL is fine */
OWN(schema);
struct schema *schema_copy(const struct schema *);

struct table_schema *schema_table(const struct schema *, const char *name);
const struct column *table_column(const struct table_schema *, const char *name); /* knows _uuid and _version too */
bool schema_equal(const struct schema *, const struct schema *);                  /* what clients can see of it */
bool version_is_valid(const char *);

/* A JSON array of distinct column names; NULL: all columns.  The caller frees set->at. */
struct dberr *column_set_from_json(const struct jv *, const struct table_schema *, struct column_set *) MUST_CHECK;

#endif
