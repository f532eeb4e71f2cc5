/* dbfile - what the records of a database file mean: first the schema, then transactions.
 *
 * Record.   {"TABLE": {"UUID": {"column": value, ...} | null, ...}, ..., "_date": ms, "_comment": "...", "_is_diff": true}
 *           A new row lists what is not default; a changed one what changed, with "_is_diff" as a difference (value.h).
 * Source.   ovsdb(5).
 */
#ifndef OVSDB_DBFILE_H
#define OVSDB_DBFILE_H 1

#include "ovsdb/db.h"
#include "ovsdb/dblog.h"

/* The record of a transaction.  False: there is nothing to write (ephemeral columns only). */
bool dbfile_record(const struct txn *, bool as_diff, struct text *);
/* All of a database as one record. */
void dbfile_snapshot(const struct db *, const char *comment, int64_t date_ms, struct text *);
/* Does what a record says.  'lenient': unknown tables and columns are passed over (conversions). */
struct dberr *dbfile_apply(struct db *, const struct jv *record, bool lenient) MUST_CHECK;

/* Reads a whole file.  'schema' NULL: its own; else that one, leniently.  A bad end is forgiven: what was good so far is there, and
 * '*bad' (to be freed) tells what was wrong; the log stands behind the last good record. */
struct dberr *dbfile_load(struct dblog *, struct schema *schema, struct db **, struct dberr **bad) MUST_CHECK;
/* Opens, reads, closes. */
int dbfile_read(const char *path, struct db **, struct why *);
/* Writes schema and contents to a new file and syncs it. */
struct dberr *dbfile_save(const struct db *, const char *path, const char *comment, int64_t date_ms) MUST_CHECK;

/* The same contents under another schema: what it does not know is dropped, what is new gets its default. */
struct dberr *db_convert(const struct db *, struct schema *take, struct db **) MUST_CHECK;

#endif
