/* restart - how long to wait before starting a program again that ended on its own.
 *
 * Shape.  The first crash is answered at once.  A program that keeps crashing waits twice as long each time, up to a limit; one that lived for a
 *         while has earned a fresh start.
 * Time.   Brought by the caller.
 */
#ifndef CLI_RESTART_H
#define CLI_RESTART_H 1

#include "base/clock.h"

#define RESTART_FIRST millis(50)
#define RESTART_LIMIT seconds(5)
#define RESTART_FORGIVEN seconds(10) /* a life this long forgets earlier crashes */

struct restart {
    instant started;
    span delay; /* the last one; 0: none yet */
};

static inline void
restart_begun(struct restart *r, instant now)
{
    r->started = now;
}

/* It crashed now: start it again after this. */
static inline span
restart_delay(struct restart *r, instant now)
{
    if (instant_since(now, r->started).ns >= RESTART_FORGIVEN.ns || !r->delay.ns)
        r->delay = RESTART_FIRST;
    else
        r->delay = nanos(MIN(r->delay.ns * 2, RESTART_LIMIT.ns));
    return r->delay;
}

#endif
