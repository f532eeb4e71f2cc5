/* client - a replica of some tables of one database, and transactions built against it.
 *
 * Use.        c = client_new(loop, &options);  client_want(c, "Interface", "name", WANT_READ); ...  client_start(c, "unix:db.sock");
 *             When ops.changed() comes, look at the rows (client_is_ready() tells whether they are there yet); to change something:
 *                 struct ctxn *t = ctxn_open(c);
 *                 struct crow *br = ctxn_insert(t, "Bridge");  ctxn_set_str(t, br, "name", "br0");  ctxn_add_ref(t, ovs, "bridges", br);
 *                 ctxn_commit(t, done, aux);                        the transaction frees itself after done()
 *             Tools that have nothing else to do call client_wait_ready() and ctxn_commit_wait().
 * Shape.      A 'crow' is a row of the replica.  Tables and columns are named by text, spelled as the schema spells them; asking a
 *             column that was not wanted is a bug (asserted).  A column or table the server's schema lacks reads as its default,
 *             and writing to it is ignored: client_has() tells.
 * Consistency. The replica changes only between turns of the loop, by whole transactions of the server, and a transaction's own
 *             updates are in the replica before its done().  While a transaction is open, reads show what it wrote; once it is
 *             committed or aborted they show the server's rows again.
 * Connection. Servers are tried in turn with back-off from 1 s, doubling to 8 s, for ever.  The replica stays readable while the
 *             line is down; after reconnecting it is brought up to date by the changes alone where the server can do that
 *             (monitor_cond_since), else by the difference between old and new contents: either way changes show only what differs.
 * Ownership.  Pointers to rows hold until the row is gone and the changes are cleared; strings and values until the row changes.
 * Threads.    The loop's.
 * Source.     RFC 7047 and ovsdb-server(7), sections 4.1.12 ff.
 */
#ifndef OVSDB_CLIENT_H
#define OVSDB_CLIENT_H 1

#include "base/clock.h"
#include "base/own.h"
#include "base/vec.h"
#include "base/why.h"
#include "io/loop.h"
#include "ovsdb/schema.h"

struct client;
struct crow;
struct ctxn;

typedef VEC(struct crow *) crows; /* vec_fini() when done */

/* The targets of "tcp:10.0.0.1:6641,tcp:10.0.0.2:6641". */
typedef VEC(char *) target_list;
void targets_split(target_list *, const char *);
void targets_shuffle(target_list *);
void targets_fini(target_list *);

/* ---- Opening. ---- */

struct client_ops {
    /* Something is new: rows, readiness, the lock, the line.  Comes once after everything that arrived together. */
    void (*changed)(void *aux);
};

struct client_options {
    const char *database; /* "Open_vSwitch" */
    const struct schema
        *known; /* NULL: ask the server.  Else no schema is fetched, unless the server refuses the monitor; borrowed
                                 * for the life of the client */
    bool leader_only; /* of a cluster, talk to the leader only */
    bool shuffle;     /* try the targets in random order */
    bool track;       /* remember changes: client_first_change() */
    bool once;        /* never reconnect: a failure is final, client_error() tells */
    span probe;       /* silence after which the server is asked for a sign of life; 0: never */
    const struct client_ops *ops;
    void *aux;
};

struct client *client_new(struct loop *, const struct client_options *);
void client_free(struct client *); /* open transactions are aborted, no done() comes; NULL is fine */
OWN(client);

/* What to replicate; before client_start(), or any time later (the monitor is then renewed). */
enum client_want {
    WANT_READ,  /* replicated; its changes are changes of the row */
    WANT_QUIET, /* replicated; its changes wake nobody and mark nothing (we write it ourselves, or it is noise) */
};
/* column NULL: the rows alone. */
void client_want(struct client *, const char *table, const char *column, enum client_want);
void client_want_all(struct client *, const char *table); /* each column of the schema, once it is known */
/* Only rows that satisfy the condition: JSON text, an array of clauses as RFC 7047 "where" has them, any of which suffices; NULL: all
 * rows.  A server that cannot select sends them all. */
void client_want_rows(struct client *, const char *table, const char *condition);
/* Speeds up client_find_str() and client_find_ref() for this column, which is wanted by that. */
void client_index(struct client *, const char *table, const char *column);

/* Comma-separated targets.  Refused only for a target whose name makes no sense.  A second call moves to the new targets. */
int client_start(struct client *, const char *targets, struct why *);
void client_reconnect(struct client *);   /* drops the line and starts again at once */
void client_keep_trying(struct client *); /* options.once is not meant any more */

bool client_is_connected(const struct client *);
bool client_is_ready(
    const struct client *); /* the replica was whole at least once (it may be stale if not connected) */
unsigned client_seqno(const struct client *);     /* differs from the last time you asked: something changed */
const char *client_error(const struct client *);  /* why the line is down, or what the server refused; NULL: nothing */
const char *client_target(const struct client *); /* the server being used or tried */
const struct schema *client_schema(const struct client *);                     /* NULL: not known yet */
bool client_has(const struct client *, const char *table, const char *column); /* column may be NULL */

/* A lock of the server (RFC 7047 4.1.8): while one is asked for, transactions are committed only with it. NULL gives it back. */
void client_set_lock(struct client *, const char *name);
bool client_has_lock(const struct client *);
bool client_is_lock_contended(const struct client *); /* asked, and another has it */

/* ---- Rows. ---- */

/* In no order, open transaction included.  CLIENT_FOR(row, c, "Bridge") { ... }; rows must not be inserted meanwhile. */
struct crow *client_first(const struct client *, const char *table);
struct crow *client_next(const struct crow *);
#define CLIENT_FOR(row, client, table) for (struct crow *row = client_first(client, table); row; row = client_next(row))

struct crow *client_row(const struct client *, const char *table, const struct uuid *); /* NULL: none */
struct crow *client_only(const struct client *, const char *table); /* e.g. of "Open_vSwitch"; NULL: none yet */
size_t client_n_rows(const struct client *, const char *table);
/* The first row whose column has (or contains) the string; whose column refers to 'target'.  NULL: none. */
struct crow *client_find_str(const struct client *, const char *table, const char *column, const char *s);
struct crow *client_find_ref(const struct client *, const char *table, const char *column, const struct crow *target);

const struct uuid *crow_uuid(const struct crow *);
const char *crow_table(const struct crow *);
struct client *crow_client(const struct crow *);

/* Values.  'otherwise' is the answer for an empty set; of a set or map the first element (by order) counts. */
const struct datum *crow_value(const struct crow *, const char *column); /* never NULL */
bool crow_is_empty(const struct crow *, const char *column);
const char *crow_str(const struct crow *, const char *column); /* NULL when empty */
int64_t crow_int(const struct crow *, const char *column, int64_t otherwise);
bool crow_bool(const struct crow *, const char *column, bool otherwise);
double crow_real(const struct crow *, const char *column, double otherwise);

/* Sets of strings or of integers. */
bool crow_has_str(const struct crow *, const char *column, const char *s);
bool crow_has_int(const struct crow *, const char *column, int64_t i);
size_t crow_n(const struct crow *, const char *column); /* elements, or pairs of a map */
const char *crow_nth_str(const struct crow *, const char *column, size_t i);
int64_t crow_nth_int(const struct crow *, const char *column, size_t i);

/* Maps with string keys and values; numbers and flags inside are parsed, and what does not parse counts as not there. */
const char *crow_key(const struct crow *, const char *column, const char *key); /* NULL: none */
int64_t crow_key_int(const struct crow *, const char *column, const char *key, int64_t otherwise);
bool crow_key_bool(const struct crow *, const char *column, const char *key, bool otherwise);
double crow_key_real(const struct crow *, const char *column, const char *key, double otherwise);

/* References: those whose row is not in the replica are passed over.  crow_refs() fills 'out' (emptied first). */
struct crow *crow_ref(const struct crow *, const char *column); /* the first, NULL: none */
void crow_refs(const struct crow *, const char *column, crows *out);
bool crow_has_ref(const struct crow *, const char *column, const struct crow *target);
struct crow *crow_map_ref(const struct crow *, const char *column, int64_t key); /* e.g. QoS "queues" */

/* ---- Changes (options.track). ---- */

/* Rows of the table that were inserted, modified or deleted since client_clear_changes().  A deleted row still shows its last values. */
struct crow *client_first_change(const struct client *, const char *table);
struct crow *client_next_change(const struct crow *);
#define CLIENT_FOR_CHANGED(row, client, table)                                                                         \
    for (struct crow *row = client_first_change(client, table); row; row = client_next_change(row))
bool client_has_changes(const struct client *, const char *table); /* NULL: any table */
bool crow_is_new(const struct crow *);
bool crow_is_gone(const struct crow *);
bool crow_has_changed(const struct crow *, const char *column); /* of a new row: true */
void client_clear_changes(struct client *);                     /* frees the rows that are gone */

/* ---- Transactions. ---- */

enum ctxn_status {
    CTXN_OPEN,       /* being built */
    CTXN_UNCHANGED,  /* there was nothing to do: nothing was sent */
    CTXN_INCOMPLETE, /* sent */
    CTXN_ABORTED,    /* by ctxn_abort() */
    CTXN_SUCCESS,
    CTXN_TRY_AGAIN, /* a row we verified has changed, or the line broke: build it again from the newer replica */
    CTXN_NOT_LOCKED,
    CTXN_ERROR, /* the server refused: ctxn_error() */
};
const char *ctxn_status_name(enum ctxn_status); /* "success", "try again", ... */

typedef void ctxn_done(void *aux, struct ctxn *, enum ctxn_status);

/* At most one is open at a time; any number may be on their way. */
struct ctxn *ctxn_open(struct client *);
struct ctxn *client_open_ctxn(const struct client *); /* NULL: none */
/* Closes the transaction and sends it.  done() comes exactly once, never from inside this call; then the transaction frees itself.
 * done may be NULL. */
void ctxn_commit(struct ctxn *, ctxn_done *done, void *aux);
void ctxn_abort(struct ctxn *); /* forgets it; if it was sent, its done() will not come.  NULL is fine */

/* Calls build() with an open transaction, commits, and again whenever the answer is "try again" and the replica has moved on;
 * done() gets the final status (its ctxn is valid until it returns).  build() returning false aborts. */
void client_run(struct client *, bool (*build)(struct ctxn *, void *aux), ctxn_done *done, void *aux);

/* Inside done(), or any time before it: */
const char *ctxn_error(const struct ctxn *); /* what the server said; NULL: nothing */
/* The uuid the server gave to a row inserted by this transaction; NULL unless it succeeded. */
const struct uuid *ctxn_inserted(const struct ctxn *, const struct uuid *provisional);
/* The column's value behind ctxn_increment(); 0 unless it succeeded. */
int64_t ctxn_incremented(const struct ctxn *);

void ctxn_comment(struct ctxn *, const char *); /* several are joined by line feeds */
void ctxn_dry_run(struct ctxn *);               /* the server checks it and takes it back */
void ctxn_durable(struct ctxn *);               /* the answer comes after the disk has it */

/* Rows made here carry a provisional uuid until the commit; deleting one that was inserted here leaves no trace. */
struct crow *ctxn_insert(struct ctxn *, const char *table);
/* Same, with the provisional uuid given: what refers to it may have been built before. */
struct crow *ctxn_insert_named(struct ctxn *, const char *table, const struct uuid *);
/* Same, with the uuid it shall keep (an extension of RFC 7047 that ovsdb-server has). */
struct crow *ctxn_insert_as(struct ctxn *, const char *table, const struct uuid *);
void ctxn_delete(struct ctxn *, struct crow *);

/* Setting a value the row already has is left out of the request. */
void ctxn_set(struct ctxn *, struct crow *, const char *column, const struct datum *); /* copies */
void ctxn_set_str(struct ctxn *, struct crow *, const char *column, const char *);     /* NULL: the empty set */
void ctxn_set_int(struct ctxn *, struct crow *, const char *column, int64_t);
void ctxn_set_bool(struct ctxn *, struct crow *, const char *column, bool);
void ctxn_set_real(struct ctxn *, struct crow *, const char *column, double);
void ctxn_set_ref(struct ctxn *, struct crow *, const char *column, const struct crow *); /* NULL: the empty set */
void ctxn_set_refs(struct ctxn *, struct crow *, const char *column, struct crow *const *, size_t n);
void ctxn_set_strs(struct ctxn *, struct crow *, const char *column, const char *const *, size_t n);
/* A whole map of strings: keys[i] -> values[i]. */
void ctxn_set_map(struct ctxn *, struct crow *, const char *column, const char *const *keys, const char *const *values,
                  size_t n);
/* A whole map of strings to integers, as Interface "statistics". */
void ctxn_set_counts(struct ctxn *, struct crow *, const char *column, const char *const *keys, const int64_t *values,
                     size_t n);
void ctxn_clear(struct ctxn *, struct crow *, const char *column); /* to the column's default */

/* Parts of a set or map, sent as mutations: what others write beside it stays. */
void ctxn_add_ref(struct ctxn *, struct crow *, const char *column, const struct crow *);
void ctxn_del_ref(struct ctxn *, struct crow *, const char *column, const struct crow *);
void ctxn_put_key(struct ctxn *, struct crow *, const char *column, const char *key, const char *value);
void ctxn_del_key(struct ctxn *, struct crow *, const char *column, const char *key);
void ctxn_add(struct ctxn *, struct crow *, const char *column, const struct datum *); /* elements to insert; copies */
void ctxn_del(struct ctxn *, struct crow *, const char *column,
              const struct datum *); /* elements, of maps also keys alone, to remove */

/* The commit succeeds only if the column still has the value seen here (else: try again). */
void ctxn_verify(struct ctxn *, const struct crow *, const char *column);
/* Adds one to an integer column in the server; the result comes with the answer. One per transaction.  If 'force' is false, only if
 * the transaction changes something else. */
void ctxn_increment(struct ctxn *, struct crow *, const char *column, bool force);

/* ---- For tools that have nothing else to do: these run the loop. ---- */

/* Until the replica is whole.  -ETIMEDOUT; any other error comes only with options.once.  timeout 0: for ever. */
int client_wait_ready(struct client *, span timeout, struct why *);
/* Until changed() would have come. */
int client_wait_change(struct client *, span timeout);
/* Commits and waits; *t stays valid for ctxn_error(), ctxn_inserted() and must be given to ctxn_abort() afterwards. */
enum ctxn_status ctxn_commit_wait(struct ctxn *t);

#endif
