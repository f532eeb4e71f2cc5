/* execute - the operations of a "transact" request: insert, select, update, mutate, delete, wait, commit, abort, comment, assert.
 *
 * Use.      struct execution x = {.client_id = ..., ...};
 *           execute(db, params, &x, &reply);       'reply' gets the JSON array of results; x.must_wait: a "wait" is not fulfilled, ask
 *                                                  again when something has changed, until x.timeout_ms have passed since the start
 * Source.   RFC 7047 section 5.2; ovsdb-server(7) section 5.2.
 */
#ifndef OVSDB_EXECUTE_H
#define OVSDB_EXECUTE_H 1

#include "ovsdb/db.h"

struct execution {
    /* Who asks. */
    bool read_only;                                 /* writing operations are refused */
    bool is_relay;                                  /* the same, with another sentence */
    const char *role;                               /* RBAC; NULL or "": none */
    const char *id;                                 /* the name in the client's certificate; NULL: none */
    bool (*owns_lock)(void *aux, const char *name); /* NULL: nobody owns anything */
    void *aux;
    int64_t elapsed_ms; /* since the request came */
    bool may_wait;      /* false: an unfulfilled "wait" fails at once */

    /* What came of it. */
    bool must_wait;
    int64_t timeout_ms; /* INT64_MAX: for ever */
    bool durable;       /* asked to be on disk before the reply */
    bool failed;        /* the reply tells of an error */
    bool changed;       /* something was committed */
};

/* 'params' is the whole of the request's: ["db", op, op, ...]. */
void execute(struct db *, const struct jv *params, struct execution *, struct text *reply);

/* Fills a row from {"column": value, ...}; NULL cells stay.  'set' collects the columns named (the caller frees set->at). */
struct dberr *row_from_json(const struct jv *, const struct table_schema *, struct symtab *, const struct datum **cells,
                            struct column_set *set) MUST_CHECK;

#endif
