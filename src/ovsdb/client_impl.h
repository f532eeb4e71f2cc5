/* client_impl - what client.c (the line), replica.c (the rows) and ctxn.c (the transactions) share; nobody else includes it.
 *
 * Lifetimes. A table lives as long as the client.  A row lives from its insert until it is gone and its changes were cleared; the rows a
 *            transaction inserts are the transaction's own and die with it.  'row->open' points into the open transaction and is NULL
 *            whenever the loop turns.
 */
#ifndef OVSDB_CLIENT_IMPL_H
#define OVSDB_CLIENT_IMPL_H 1

#include "base/hmap.h"
#include "base/list.h"
#include "io/reconnect.h"
#include "ovsdb/client.h"
#include "ovsdb/rpc.h"

struct want {
    struct hmap_node node; /* ctable.by_name */
    char *name;
    enum client_want mode;
    unsigned i;               /* its place in crow.now and crow.changed */
    const struct column *col; /* NULL: the server lacks it */
    struct cindex *index;     /* NULL: none */
};

/* Rows by the atoms of one column. */
struct cindex {
    struct hmap entries;
};
struct cindex_entry {
    struct hmap_node node;
    struct crow *row;
};

struct ctable {
    struct hmap_node node; /* client.tables */
    struct client *client;
    char *name;
    const struct table_schema *schema; /* NULL: the server lacks it, or not known yet */
    VEC(struct want *) wants;
    struct hmap by_name;
    bool want_all;
    bool is_wanted;  /* by the owner, be it without columns */
    char *condition; /* JSON; NULL: all rows */
    struct hmap rows;
    struct list changes; /* crow.change_link */
};

struct crow {
    struct hmap_node node;
    struct ctable *table;
    struct uuid uuid;
    struct list change_link;  /* in table->changes, or alone */
    struct txn_row *open;     /* what the open transaction does to it */
    uint64_t *changed;        /* bits by want.i; NULL: none */
    const struct datum **now; /* by want.i */
    size_t n_now;
    bool is_new, is_gone;
    bool is_provisional; /* inserted by a transaction */
    bool is_stale;       /* while contents are compared after a reconnect: not seen again yet */
};

struct txn_cell {
    const struct datum *view;      /* what reads show; NULL: untouched, or not known */
    bool is_whole;                 /* the column is set to 'view' */
    const struct datum *put, *del; /* else: elements to add and to remove; NULL: none */
    bool verify;
};

struct txn_row {
    struct list link; /* ctxn.rows */
    struct crow *row;
    struct ctxn *txn;
    bool is_insert, is_delete;
    bool has_own_uuid; /* of an insert: the uuid is meant to stay */
    size_t n_cells;
    struct txn_cell cells[]; /* by column index of the schema */
};

/* A row inserted by a transaction: its names before and after, and where in the request it is made. */
struct inserted {
    struct uuid provisional, real;
    size_t op;
};

struct ctxn {
    struct client *client;
    struct list link; /* client.in_flight once it is sent */
    enum ctxn_status status;
    struct list rows;
    struct text comment;
    bool is_dry_run, is_durable, is_kept;
    int64_t request;
    char *error;
    struct uuid bump_row; /* the increment */
    struct ctable *bump_table;
    char *bump_column;
    bool bump_force;
    size_t bump_op; /* 0: not asked in the request; the select stands behind it */
    int64_t bump_result;
    ctxn_done *done;
    void *aux;
    struct task task; /* calls done() */
    VEC(struct inserted) inserted;
};

enum client_state { CLIENT_DOWN, CLIENT_ASKS_SERVER, CLIENT_ASKS_SCHEMA, CLIENT_ASKS_ROWS, CLIENT_FOLLOWS };
enum monitor_kind { MONITOR_SINCE, MONITOR_COND, MONITOR_PLAIN };

/* A row of _Server.Database. */
struct server_row {
    struct uuid uuid;
    bool is_ours, ok;
};

struct client {
    struct loop *loop;
    struct client_options options;
    char *database;
    target_list targets;
    size_t target; /* the one in use or being tried */
    struct reconnect reconnect;
    struct timer timer;
    struct rpc *rpc;
    struct listener *listener; /* a passive target */
    enum client_state state;
    int64_t request; /* of the question in 'state' */
    int64_t lock_request;
    enum monitor_kind kind;
    unsigned monitor_n;   /* counts monitors, for their ids */
    struct uuid last_txn; /* of the database, as the server names it */
    bool has_last_txn;
    bool is_renewing; /* the wishes changed: ask for rows again */
    char *error;
    bool is_final; /* options.once: it is over */

    struct schema *schema;
    bool is_doubted; /* options.known was refused: the server's own schema counts */
    struct hmap tables;
    bool is_ready;
    bool has_news;
    unsigned seqno;
    struct task news;

    struct ctxn *open;
    struct list in_flight;
    struct list runners;

    char *lock;
    bool has_lock, is_contended;
    VEC(struct server_row) servers; /* rows of _Server.Database */
    int64_t server_request;
};

/* replica.c */
struct ctable *ctable_find(const struct client *, const char *name);
struct ctable *ctable_get(struct client *, const char *name); /* makes it */
const struct want *ctable_want(const struct ctable *, const char *column);
void ctable_free(struct ctable *);
void replica_use_schema(struct client *); /* client.schema is new: looks every table and column up */
void replica_forget(struct client *);     /* every row is gone */
struct crow *crow_new(struct ctable *, const struct uuid *);
void crow_free(struct crow *);
/* <table-updates>, <table-updates2>; 'whole': these are all the rows there are. -EBADMSG with 'why'. */
int replica_apply(struct client *, const struct jv *updates, bool is_2, bool whole, struct why *);
void client_note_news(struct client *); /* client.c */
const struct datum *crow_committed(const struct crow *,
                                   const struct want *); /* without the open transaction; never NULL */

/* ctxn.c */
void ctxn_lost(struct client *);                             /* the line is down */
bool ctxn_answered(struct client *, const struct rpc_msg *); /* true: it was an answer to one of ours */
void ctxn_free_all(struct client *);
void runners_go(struct client *);

#endif
