/* db_internal - what db.c and txn.c show each other and nobody else. */
#ifndef OVSDB_DB_INTERNAL_H
#define OVSDB_DB_INTERNAL_H 1

#include "ovsdb/db.h"

/* 'count' elements of one column of 'src' point at 'dst'. */
struct weak_ref {
    struct hmap_node node;        /* in db->weak, by (dst, src, column) */
    struct weak_ref *prev, *next; /* in dst->weak_in */
    struct row *dst, *src;
    unsigned column, count;
};

static inline bool
row_is_alive(const struct row *r)
{
    return !r->txn || !r->txn->is_deleted;
}

struct row *table_find_any(const struct table *, const struct uuid *); /* deleted ones too */
void row_index(struct row *);
void row_unindex(struct row *);
struct row *row_index_twin(const struct row *, size_t i);

#endif
