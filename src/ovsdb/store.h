/* store - the file behind a database that is being served: every commit in it, fsync shared, compaction beside the traffic.
 *
 * Use.         store_open(loop, path, &store, &db, &why);  the database's 'write' hook calls store_write();  a durable commit's reply
 *              waits for store_sync();  store_run() once in a while (it decides whether to compact).
 * Durability.  store_write() leaves the bytes with the kernel, so that the death of this process loses nothing.  store_sync() calls back
 *              after an fsync that began later: one runs at a time, on a worker, and everyone who waits meanwhile shares the next.
 * Compaction.  A forked child writes a snapshot of the moment of the fork; commits made meanwhile are gathered and appended;
 *              then the new file takes the old one's name.  Service never stops.
 * Failure.     A write that fails leaves the file as it was and refuses the commit; the next one tries again.  After a failed fsync
 *              the file is written anew, since nobody knows what the disk kept.
 * Threads.     The loop's.
 */
#ifndef OVSDB_STORE_H
#define OVSDB_STORE_H 1

#include "io/loop.h"
#include "ovsdb/dbfile.h"

struct store;

int store_open(struct loop *, const char *path, struct store **, struct db **, struct why *);
void store_close(
    struct store *); /* waits for a running fsync; NULL is fine.  Callbacks that wait are called with an error. */

struct dberr *store_write(struct store *, const struct txn *) MUST_CHECK;
/* err is lent. */
void store_sync(struct store *, void (*done)(void *aux, const struct dberr *err), void *aux);
/* done may be NULL.  err is lent; NULL: the new file is in place. */
void store_compact(struct store *, const struct db *, const char *comment,
                   void (*done)(void *aux, const struct dberr *err), void *aux);
/* At once, for a database with another schema (convert): returns when the new file is in place. */
struct dberr *store_replace(struct store *, const struct db *, const char *comment) MUST_CHECK;
/* Compacts if it is time: ten minutes since the last, a hundred commits, twice the size it had then (and 10 MB); or a day. */
void store_run(struct store *, const struct db *);

bool store_is_compacting(const struct store *);
const char *store_path(const struct store *);
void store_set_diff(struct store *, bool as_diff); /* --disable-file-column-diff */
void store_trim_on_compaction(struct store *, bool);
/* NULL: all is well; else what went wrong with the last write.  Borrowed. */
const char *store_trouble(const struct store *);

#endif
