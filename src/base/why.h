/* why - the sentence that explains a refusal to a person.
 *
 * Use.     A function that can refuse for a reason takes 'struct why *why' last and ends in
 *              return refuse(why, -EINVAL, "%s: no such field", name);
 *          NULL is fine where nobody will read it.
 * Shape.   One line, no full stop, no capital unless a name; long sentences are cut.
 */
#ifndef BASE_WHY_H
#define BASE_WHY_H 1

#include "base/compiler.h"

struct why {
    char text[512];
};

/* Writes the sentence and returns 'err' (a negative errno), so that a refusal is one statement. */
int refuse(struct why *, int err, const char *fmt, ...) PRINTF(3, 4);

/* Puts "context: " before a sentence that is already there; returns 'err'. */
int refuse_in(struct why *, int err, const char *fmt, ...) PRINTF(3, 4);

#endif
