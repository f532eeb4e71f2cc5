/* members - takes a JSON object apart: each member asked for by name and kind, and nothing left over.
 *
 * Use.      struct members m;  members_begin(&m, v, "schema for column");  type = members_get(&m, "type", M_STRING | M_OBJECT);
 *           return members_end(&m);     the first complaint, or one about members nobody asked for
 */
#ifndef OVSDB_MEMBERS_H
#define OVSDB_MEMBERS_H 1

#include "ovsdb/error.h"

enum {
    M_NULL = 1 << JV_NULL,
    M_BOOLEAN = 1 << JV_FALSE | 1 << JV_TRUE,
    M_INTEGER = 1 << JV_INT,
    M_NUMBER = 1 << JV_INT | 1 << JV_REAL,
    M_STRING = 1 << JV_STRING,
    M_ARRAY = 1 << JV_ARRAY,
    M_OBJECT = 1 << JV_OBJECT,
    M_ANY = 0xff,
    M_ID = 1 << 8,       /* a string that is an <id> */
    M_OPTIONAL = 1 << 9, /* may be missing */
};

struct members {
    const struct jv *object;
    const char *name;
    size_t i, n; /* "NAME i of n" unless n is 0 */
    uint64_t used;
    struct dberr *err;
};

void members_begin(struct members *, const struct jv *, const char *name);
const struct jv *members_get(struct members *, const char *name, unsigned kinds); /* NULL: missing or refused */
void members_complain(struct members *, const char *fmt, ...) PRINTF(2, 3);       /* the first complaint stays */
struct dberr *members_end(struct members *) MUST_CHECK;
/* Forgets what was not asked for: an object that may have more members. */
struct dberr *members_end_loose(struct members *) MUST_CHECK;

#endif
