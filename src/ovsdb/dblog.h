/* dblog - the records of a database file: "OVSDB JSON length sha1", a line of JSON, and again.
 *
 * Use.       dblog_open(path, DBLOG_READ_WRITE, &log);  while (dblog_read(log, &text, &n) == NULL && text) ...;
 *            dblog_write(log, json, n);
 * Locking.   Who may write holds an fcntl lock on ".NAME.~lock~" beside the file, as the field's programs do.
 * Failure.   What cannot be read whole ends the file: reading stops there, dblog_cut() throws the rest away.  A record that
 *            cannot be written whole is taken back, so that the file always ends with a whole record.
 * Threads.   One at a time, but for dblog_fd(), which another thread may fsync().
 */
#ifndef OVSDB_DBLOG_H
#define OVSDB_DBLOG_H 1

#include "ovsdb/error.h"

struct dblog;

enum dblog_mode {
    DBLOG_READ,
    DBLOG_READ_WRITE,
    DBLOG_CREATE, /* must not exist */
};

struct dberr *dblog_open(const char *path, enum dblog_mode, struct dblog **) MUST_CHECK;
void dblog_free(struct dblog *); /* NULL is fine */
OWN(dblog);

/* The next record: '*text' is NULL at the end; else n bytes with room for a terminator behind, the caller frees it. */
struct dberr *dblog_read(struct dblog *, char **text, size_t *n) MUST_CHECK;
/* The record just read turned out to make no sense: it is not part of the file any more. */
void dblog_unread(struct dblog *);
/* Throws away what stands behind the last good record; returns how many bytes that was. */
int64_t dblog_cut(struct dblog *);
/* Appends; reading is over then.  The bytes are with the kernel when it returns, not yet on the disk. */
struct dberr *dblog_write(struct dblog *, const char *json, size_t n) MUST_CHECK;
struct dberr *dblog_sync(struct dblog *) MUST_CHECK;
/* Writing goes on where the file ends now. */
void dblog_seek_end(struct dblog *);
int64_t dblog_size(const struct dblog *);
int dblog_fd(const struct dblog *);
const char *dblog_path(const struct dblog *);
/* Puts 'other', which stands in another file of the same directory, in the place of 'log': its file gets the name, the lock stays. */
struct dberr *dblog_replace(struct dblog *log, struct dblog *other) MUST_CHECK;

/* The bytes of one record, with its header. */
void dblog_compose(struct text *, const char *json, size_t n);

#endif
