/* json - jansson's values as text and back, at the speed of a database's wire.
 *
 * Shape.   Compact: no space between tokens, members in the order of their insertion, "/" not escaped, text beyond ASCII as it is.
 *          A real is written with the fewest digits that read back as the same number: 0.1, 5, 1e+100.
 */
#ifndef IO_JSON_H
#define IO_JSON_H 1

#include "base/text.h"
#include "base/why.h"
#include <jansson.h>

void json_add_text(struct text *, const json_t *);
/* A JSON string, quotes included. */
void json_add_string(struct text *, const char *, size_t n);

/* One whole JSON text with nothing but white space around it.  -EBADMSG with 'why'. */
int json_parse_text(const char *, size_t n, json_t **out, struct why *);

/* Where does a JSON text end?  Fed piece by piece; sees brackets and strings only, json_parse_text() judges the rest. */
struct json_splitter {
    unsigned depth, max_depth;
    bool in_string, is_escaped, has_begun;
};
/* How many bytes of 'bytes' belong to the text in progress ('*done' says whether it ends with them).  White space before a text
 * is taken along.  -EBADMSG: not an object or array, -E2BIG: deeper than max_depth. */
int json_split(struct json_splitter *, const char *bytes, size_t n, size_t *used, bool *done);

#endif
