/* monitor - who wants to know what changed, and what to tell them.
 *
 * Use.         m = monitors_new(db);  mon = monitor_open(m, requests, MONITOR_V2, &ops, aux, &err);  monitor_initial(mon, &text);
 *              after each commit: monitors_commit(m, txn);  those concerned get ops->update(aux, updates, txn id)
 * Shape.       Monitors that ask for the same (tables, columns, conditions, version) share one 'shape'; a commit is put into words
 *              once per shape.  Shapes are found from the columns that changed: who watches other columns costs nothing.
 * History.     From the first MONITOR_V3 on, what each of the last commits undid is kept, so that a client that was away learns of
 *              the changes alone (monitor_since).
 * Source.      RFC 7047 4.1.5, 4.1.6; ovsdb-server(7) 4.1.12 to 4.1.16.
 */
#ifndef OVSDB_MONITOR_H
#define OVSDB_MONITOR_H 1

#include "ovsdb/db.h"

enum monitor_version { MONITOR_V1, MONITOR_V2, MONITOR_V3 };

struct monitors; /* of one database */
struct monitor;

struct monitor_ops {
    void (*update)(void *aux, enum monitor_version, const struct uuid *txn_id, const struct text *updates);
};

struct monitors *monitors_new(struct db *);
void monitors_free(struct monitors *); /* its monitors must be closed */
void monitors_commit(struct monitors *, const struct txn *);
size_t monitors_count(const struct monitors *);

/* 'requests' is the <monitor-requests> object. */
struct dberr *monitor_open(struct monitors *, const struct jv *requests, enum monitor_version,
                           const struct monitor_ops *, void *aux, struct monitor **) MUST_CHECK;
void monitor_close(struct monitor *); /* NULL is fine */
enum monitor_version monitor_version_of(const struct monitor *);
/* All that is there now: a <table-updates> object. */
void monitor_initial(const struct monitor *, struct text *);
/* What changed since transaction 'id'; false: it is not remembered, nothing is written. */
bool monitor_since(const struct monitor *, const struct uuid *id, struct text *);
/* <monitor-cond-update-requests>: what comes into view and leaves it is written to 'updates' (empty: nothing). */
struct dberr *monitor_change(struct monitor *, const struct jv *requests, struct text *updates) MUST_CHECK;

#endif
