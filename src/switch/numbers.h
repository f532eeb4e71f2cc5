/* numbers - which OpenFlow port numbers of a bridge are taken?
 *
 * Shape.      1 .. OFPORT_MAX - 1.  A number that was given back is handed out again only after all the others: a controller that still
 *             thinks of the old port must not meet a new one by chance.
 * Threads.    The loop's.
 */
#ifndef SWITCH_NUMBERS_H
#define SWITCH_NUMBERS_H 1

#include "pipeline/bridge.h"

struct numbers {
    uint64_t taken[OFPORT_MAX / 64];
    ofport last; /* handed out most recently by numbers_next() */
};

bool number_is_valid(int64_t); /* may a port have this number, OFPORT_LOCAL aside? */
bool numbers_is_free(const struct numbers *, ofport);
bool numbers_take(struct numbers *, ofport); /* false: taken, or no number of a port */
void numbers_give(struct numbers *, ofport); /* OFPORT_NONE and OFPORT_LOCAL are fine */
ofport numbers_next(struct numbers *);       /* takes it; OFPORT_NONE: all are taken */

#endif
