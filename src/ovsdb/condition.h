/* condition - which rows does a "where" mean (RFC 7047 <condition>, and true/false as monitors use them)?
 *
 * Shape.    A list of clauses.  A transaction wants all of them to hold, a monitor any of them.
 * Life.     init by from_json, fini; the schema must outlive it.
 */
#ifndef OVSDB_CONDITION_H
#define OVSDB_CONDITION_H 1

#include "ovsdb/db.h"

enum condition_fn { FN_FALSE, FN_TRUE, FN_EQ, FN_LT, FN_LE, FN_GE, FN_GT, FN_INCLUDES, FN_EXCLUDES, FN_NE };

struct clause {
    const struct column *column; /* NULL: FN_TRUE, FN_FALSE */
    enum condition_fn fn;
    const struct datum *arg;
};

struct condition {
    struct clause *at;
    size_t n;
};

struct dberr *condition_from_json(const struct jv *array, const struct table_schema *, struct symtab *,
                                  struct condition *) MUST_CHECK;
void condition_fini(struct condition *);
bool condition_all(const struct condition *, const struct row *);
/* As a monitor means it, over cells that may be the past: cells[i] is column i + COL_FIRST. */
bool condition_any(const struct condition *, const struct row *, const struct datum *const *cells);
bool condition_is_true(const struct condition *); /* matches every row, for a monitor */
bool condition_uses(const struct condition *, unsigned column);
void condition_add_json(struct text *, const struct condition *); /* canonical: equal conditions print alike */

/* Rows that fulfil all clauses, by the cheapest way in: uuid, an index, or looking at every row. */
typedef VEC(struct row *) row_list;
void condition_query(const struct condition *, const struct table *, row_list *);

#endif
