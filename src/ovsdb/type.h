/* type - what a column may hold: base types with their constraints, how many of them (RFC 7047 section 3.2).
 *
 * Life.     init/fini in place; the enum and the table name are owned.  'ref' is filled in by schema.h when the table exists.
 */
#ifndef OVSDB_TYPE_H
#define OVSDB_TYPE_H 1

#include "ovsdb/atom.h"
#include <limits.h>

struct datum;
struct table_schema;

struct base_type {
    enum atom_type type;
    const struct datum *allowed; /* enum: a set of 'type'; NULL: anything goes */
    union {
        struct {
            int64_t min, max;
        } integer;
        struct {
            double min, max;
        } real;
        struct {
            unsigned min_len, max_len; /* characters, not bytes */
        } string;
        struct {
            char *table;              /* NULL: refers to nothing */
            struct table_schema *ref; /* NULL outside a schema */
            bool weak;
        } uuid;
    };
};

#define COUNT_UNLIMITED UINT_MAX

struct column_type {
    struct base_type key;
    struct base_type value; /* ATOM_VOID unless it is a map */
    unsigned n_min, n_max;  /* n_min is 0 or 1 */
};

void base_type_init(struct base_type *, enum atom_type);
void base_type_fini(struct base_type *);
void base_type_copy(struct base_type *, const struct base_type *);
bool base_type_has_constraints(const struct base_type *);
bool base_type_is_ref(const struct base_type *, bool weak);
struct dberr *base_type_from_json(const struct jv *, struct base_type *) MUST_CHECK;
void base_type_add_json(struct text *, const struct base_type *);
/* The field's "constraint violation" sentences. */
struct dberr *atom_check(const union atom *, const struct base_type *) MUST_CHECK;

void column_type_init(struct column_type *, enum atom_type key); /* exactly one */
void column_type_fini(struct column_type *);
void column_type_copy(struct column_type *, const struct column_type *);
struct dberr *column_type_from_json(const struct jv *, struct column_type *) MUST_CHECK;
void column_type_add_json(struct text *, const struct column_type *);
void column_type_describe(struct text *, const struct column_type *); /* in English: "set of up to 3 strings" */

static inline bool
type_is_scalar(const struct column_type *t)
{
    return t->value.type == ATOM_VOID && t->n_min == 1 && t->n_max == 1;
}

static inline bool
type_is_optional(const struct column_type *t)
{
    return t->n_min == 0 && t->n_max == 1;
}

static inline bool
type_is_optional_scalar(const struct column_type *t)
{
    return t->value.type == ATOM_VOID && type_is_optional(t);
}

static inline bool
type_is_map(const struct column_type *t)
{
    return t->value.type != ATOM_VOID;
}

static inline bool
type_is_set(const struct column_type *t)
{
    return t->value.type == ATOM_VOID && (t->n_min != 1 || t->n_max != 1);
}

bool column_type_equal(const struct column_type *, const struct column_type *);

/* A plain type of exactly one, any number of, or a map; for code that needs a type and has no schema. */
extern const struct column_type type_integer, type_real, type_boolean, type_string, type_uuid, type_string_map,
    type_string_set, type_uuid_set;

#endif
