/* mutation - "column op= value" (RFC 7047 <mutation>). */
#ifndef OVSDB_MUTATION_H
#define OVSDB_MUTATION_H 1

#include "ovsdb/db.h"

enum mutator { MUT_ADD, MUT_SUB, MUT_MUL, MUT_DIV, MUT_MOD, MUT_INSERT, MUT_DELETE };

struct mutation {
    const struct column *column;
    enum mutator mutator;
    const struct datum *arg;
};

struct mutation_list {
    struct mutation *at;
    size_t n;
};

struct dberr *mutations_from_json(const struct jv *array, const struct table_schema *, struct symtab *,
                                  struct mutation_list *) MUST_CHECK;
void mutations_fini(struct mutation_list *);
struct dberr *mutations_apply(const struct mutation_list *, struct txn *, struct row *) MUST_CHECK;

#endif
