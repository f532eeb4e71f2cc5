/* json - a JSON text read in one pass into an arena, and the few words needed to write one.
 *
 * Why.      The database reads and writes more JSON than anything else.  A message of 300 bytes costs jansson 3.6 us to read and
 *           0.75 us to write, a third of what a whole insert may cost; here values are 16 bytes in an arena, strings stay where
 *           they were received.  Rooms that talk jansson cross over with jv_of_jansson() and jansson_of_text().
 * Shape.    'struct jv' is a value.  Members of an object keep their order and stand as key, value, key, value; a repeated key:
 *           the last one counts.  A number that is a whole one in the range of int64_t is JV_INT, however written.
 * Life.     A jv points into its arena and into the text it was read from, which the parser changes in place.
 * Limits.   Depth is the caller's; strings are UTF-8 without U+0000.
 */
#ifndef OVSDB_JSON_H
#define OVSDB_JSON_H 1

#include "base/arena.h"
#include "base/text.h"
#include "base/why.h"
#include "io/json.h"
#include <jansson.h>

enum jv_type { JV_NULL, JV_FALSE, JV_TRUE, JV_INT, JV_REAL, JV_STRING, JV_ARRAY, JV_OBJECT };

struct jv {
    uint32_t n; /* bytes of the string, elements of the array, members of the object */
    uint8_t type;
    union {
        int64_t i;
        double r;
        const char *s;       /* terminated */
        const struct jv *at; /* array: n values; object: 2n, keys first */
    };
};

#define JSON_MAX_DEPTH 100

/* Reads one value that fills text[0..n) (white space around it is fine); text[n] must be writable.  On refusal 'why' says
 * "line %d, column %d, byte %d: ..." in the field's words. */
int jv_parse(struct arena *, char *text, size_t n, unsigned max_depth, struct jv *, struct why *);
/* The same from text that must not change. */
int jv_parse_copy(struct arena *, const char *text, size_t n, struct jv *, struct why *);
int jv_parse_file(struct arena *, const char *path, struct jv *, struct why *);

const struct jv *jv_get(const struct jv *object, const char *key); /* NULL: no object, or no such member */
static inline bool
jv_is(const struct jv *v, enum jv_type type)
{
    return v && v->type == type;
}
bool jv_str_eq(const struct jv *, const char *); /* false for anything that is no string */
bool jv_equal(const struct jv *, const struct jv *);
const char *jv_type_name(enum jv_type); /* "null", "false", "true", "integer", "number", "string", "array", "object" */

/* Values made by hand. */
struct jv jv_string(const char *); /* borrows */
struct jv jv_int(int64_t);
struct jv jv_copy(struct arena *, const struct jv *); /* deep: nothing of the original is needed any more */

/* Writing: compact, in the order it stands. */
void jv_add(struct text *, const struct jv *);
void jv_add_sorted(struct text *,
                   const struct jv *); /* members by name: the canonical form, what checksums are made of */
void jv_add_pretty(struct text *,
                   const struct jv *); /* members by name, two spaces of indent, as the field's --pretty */
/* json_add_string() is io's */
void json_add_int(struct text *, int64_t);
void json_add_real(struct text *, double);

/* To and from the rooms that use jansson. */
struct jv jv_of_jansson(struct arena *, const json_t *); /* strings are borrowed from the json_t */
json_t *jansson_of_jv(const struct jv *);
json_t *jansson_of_text(const char *text, size_t n); /* NULL: not JSON */

#endif
