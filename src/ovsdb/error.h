/* error - how the database refuses: a tag programs look at, details a person reads (RFC 7047 section 3.1).
 *
 * Use.      return dberr("constraint violation", "...", ...);  NULL is success.  The receiver frees it or passes it on.
 * Why not 0/-errno and struct why:  the tag, the details and the offending piece of JSON travel to the client as three members, and
 *           details may be long.
 */
#ifndef OVSDB_ERROR_H
#define OVSDB_ERROR_H 1

#include "base/own.h"
#include "ovsdb/json.h"

struct dberr {
    char *tag;     /* "constraint violation", "syntax error", ... */
    char *details; /* NULL: none */
    char *syntax;  /* NULL: none; compact JSON with sorted members */
    int io_errno;  /* 0: none */
};

struct dberr *dberr(const char *tag, const char *details, ...) PRINTF(2, 3) MUST_CHECK;
/* tag NULL: "syntax error" */
struct dberr *dberr_syntax(const struct jv *, const char *tag, const char *details, ...) PRINTF(3, 4) MUST_CHECK;
struct dberr *dberr_io(int errnum, const char *details, ...) PRINTF(2, 3) MUST_CHECK;
struct dberr *dberr_bug(const char *details, ...) PRINTF(1, 2) MUST_CHECK;
void dberr_free(struct dberr *); /* NULL is fine */
OWN(dberr);

/* {"error":...,"details":...,"syntax":...} */
void dberr_add_json(struct text *, const struct dberr *);
/* One line: syntax "...": tag: details (reason).  The caller frees it. */
char *dberr_str(const struct dberr *);
/* Frees the error; 'why' gets its line.  Returns 'err'. */
int dberr_refuse(struct dberr *, int err, struct why *);

#endif
