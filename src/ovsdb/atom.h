/* atom - the five kinds of single values, and the names that stand for rows not yet inserted.
 *
 * Shape.    'union atom' is a view: a string in it is borrowed from whoever showed it, with its length, terminated.
 * Order.    Numbers by size, false before true, strings by bytes, UUIDs by text: the order in which sets and maps are kept.
 */
#ifndef OVSDB_ATOM_H
#define OVSDB_ATOM_H 1

#include "base/hmap.h"
#include "ovsdb/error.h"
#include "ovsdb/uuid.h"

enum atom_type { ATOM_VOID, ATOM_INTEGER, ATOM_REAL, ATOM_BOOLEAN, ATOM_STRING, ATOM_UUID, ATOM_N_TYPES };

union atom {
    int64_t integer;
    double real;
    bool boolean;
    struct {
        const char *s;
        uint32_t len;
    } string;
    struct uuid uuid;
};

const char *atom_type_name(enum atom_type);
bool atom_type_parse(const char *, enum atom_type *);
int atom_cmp(const union atom *, const union atom *, enum atom_type);
uint64_t atom_hash(const union atom *, enum atom_type, uint64_t basis);
bool atom_is_default(const union atom *, enum atom_type); /* 0, false, "" */
union atom atom_default(enum atom_type);

/* named-uuid: each name of a transaction with the UUID it will have.  Names are also the "@name" of ovs-vsctl. */
struct symbol {
    struct hmap_node node;
    char *name;
    struct uuid uuid;
    bool created;              /* an insert has taken it */
    bool strong_ref, weak_ref; /* someone pointed at it */
};
struct symtab {
    struct hmap symbols;
};
void symtab_init(struct symtab *);
void symtab_fini(struct symtab *);
struct symbol *symtab_find(const struct symtab *, const char *name);
struct symbol *symtab_get(struct symtab *, const char *name); /* makes it, with a fresh UUID, if it is new */

/* An <id> of RFC 7047: letters, digits and _, no digit first. */
bool id_is_valid(const char *);

/* RFC 7047 <atom>.  The string stays borrowed from 'v'.  symtab NULL: named-uuid is refused. */
struct dberr *atom_from_json(const struct jv *v, enum atom_type, struct symtab *, union atom *) MUST_CHECK;
void atom_add_json(struct text *, const union atom *, enum atom_type);

/* The text of ovs-vsctl(8), "Database Values".  The string is put into 'arena'.  A UUID may be "@name" if symtab is given. */
struct base_type;
int atom_parse(struct arena *, const char *, const struct base_type *, struct symtab *, union atom *, struct why *);
void atom_format(struct text *, const union atom *, enum atom_type);      /* strings quoted where needed */
void atom_format_bare(struct text *, const union atom *, enum atom_type); /* strings as they are */

#endif
