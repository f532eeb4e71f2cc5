/* value - a datum: the whole contents of one column of one row, a sorted set or map of atoms.
 *
 * Shape.     Immutable and counted: a row, its past and every monitor share one piece of memory.  One allocation holds all atoms and the
 *            bytes of all strings; an empty or default value costs nothing at all (one static for each kind).
 *            It knows the types of its atoms, so nothing here needs the column to print or compare it.
 * Ownership. "out" parameters and results called new are owned by the caller (datum_unref); arguments are borrowed.
 * Threads.   The counts are plain: one thread at a time.
 */
#ifndef OVSDB_VALUE_H
#define OVSDB_VALUE_H 1

#include "base/vec.h"
#include "ovsdb/type.h"

struct datum {
    uint32_t refs; /* DATUM_STATIC: never freed */
    uint32_t n;
    uint32_t size; /* bytes of the whole */
    uint8_t key_type, value_type;
    uint8_t unused[2];
    uint64_t body[]; /* keys, values, then the bytes of strings; see value.c */
};

void datum_free_(const struct datum *);

#define DATUM_STATIC UINT32_MAX

static inline const struct datum *
datum_ref(const struct datum *d)
{
    if (d->refs != DATUM_STATIC)
        ((struct datum *) (uintptr_t) d)->refs++;
    return d;
}

static inline void
datum_unref(const struct datum *d)
{
    if (d && d->refs != DATUM_STATIC && !--((struct datum *) (uintptr_t) d)->refs)
        datum_free_(d);
}

/* AUTO_DATUM const struct datum *d = NULL; */
static inline void
datum_auto_unref(const struct datum **d)
{
    datum_unref(*d);
}
#define AUTO_DATUM __attribute__((cleanup(datum_auto_unref)))

union atom datum_key(const struct datum *, size_t i);
union atom datum_value(const struct datum *, size_t i);
/* Index of the key, or -1. */
ssize_t datum_find(const struct datum *, const union atom *key);
/* Value of a map of strings, or NULL. */
const char *datum_map_get(const struct datum *, const char *key);
/* Of a scalar or an optional; the fallback when it is empty. */
const char *datum_string_or(const struct datum *, const char *fallback);
int64_t datum_integer_or(const struct datum *, int64_t fallback);
bool datum_boolean_or(const struct datum *, bool fallback);

int datum_cmp(const struct datum *, const struct datum *);
bool datum_equal(const struct datum *, const struct datum *);
uint64_t datum_hash(const struct datum *, uint64_t basis);
bool datum_is_default(const struct datum *, const struct column_type *);

/* Making.  Atoms are copied.  datum_build() sorts; a repeated key is refused with -EEXIST (the first one wins where the result is
 * still wanted: build_unique). */
struct datum_builder {
    enum atom_type key_type, value_type;
    VEC(union atom) keys;
    VEC(union atom) values;
};
void builder_init(struct datum_builder *, enum atom_type key, enum atom_type value);
void builder_fini(struct datum_builder *);
void builder_add(struct datum_builder *, const union atom *key, const union atom *value); /* value: maps only */
int datum_build(struct datum_builder *, const struct datum **new);
const struct datum *datum_build_unique(struct datum_builder *);

const struct datum *datum_default(const struct column_type *);
const struct datum *datum_empty(enum atom_type key, enum atom_type value);
const struct datum *datum_of(const union atom *, enum atom_type); /* exactly one */
const struct datum *datum_of_string(const char *);
const struct datum *datum_of_integer(int64_t);
const struct datum *datum_of_uuid(const struct uuid *);

/* Arithmetic of sets and maps.  All results are new (maybe the argument itself, referenced). */
const struct datum *datum_union(const struct datum *a, const struct datum *b);   /* keys of 'a' win */
const struct datum *datum_overlay(const struct datum *a, const struct datum *b); /* keys of 'b' win */
const struct datum *datum_subtract(const struct datum *a,
                                   const struct datum *b); /* maps: key and value must both match */
const struct datum *datum_remove_keys(const struct datum *a, const struct datum *keys);
bool datum_includes(const struct datum *a, const struct datum *b); /* each of b is in a (maps: with its value) */
bool datum_excludes(const struct datum *a, const struct datum *b); /* none of b is in a */
/* <row-update2> differences (ovsdb-server(7) 4.1.13): for a scalar the new value; a set: what is in only one of them; a map: removed
 * pairs with their old value, added and changed ones with the new. */
const struct datum *datum_diff(const struct datum *old, const struct datum *new, const struct column_type *);
struct dberr *datum_apply_diff(const struct datum *old, const struct datum *diff, const struct column_type *,
                               const struct datum **new) MUST_CHECK;

/* RFC 7047 <value>.  Checks number, types and constraints. */
struct dberr *datum_from_json(const struct jv *, const struct column_type *, struct symtab *,
                              const struct datum **new) MUST_CHECK;
/* Without the constraints of base types and n_min (for conditions, mutations, diffs). */
struct dberr *datum_from_json_loose(const struct jv *, const struct column_type *, struct symtab *,
                                    const struct datum **new) MUST_CHECK;
struct dberr *datum_check(const struct datum *,
                          const struct column_type *) MUST_CHECK; /* atoms against the base types */
void datum_add_json(struct text *, const struct datum *, const struct column_type *);
/* In jansson's coin, for rooms that use it. */
struct dberr *datum_from_jansson(const json_t *, const struct column_type *, struct symtab *,
                                 const struct datum **new) MUST_CHECK;
json_t *datum_to_jansson(const struct datum *, const struct column_type *);

/* The text of ovs-vsctl(8): "a", [a, b], {k=v, k=v}; parsing checks numbers and constraints. */
int datum_parse(const char *, const struct column_type *, struct symtab *, const struct datum **new, struct why *);
void datum_format(struct text *, const struct datum *, const struct column_type *);
void datum_format_bare(struct text *, const struct datum *); /* atoms and spaces, nothing else */
/* One "key=value" or "key" (ovs-vsctl's set COLUMN:KEY=VALUE): leaves *p behind it.  The atoms live in 'arena'. */
int token_parse(struct arena *, const char **p, struct text *token, struct why *);

#endif
