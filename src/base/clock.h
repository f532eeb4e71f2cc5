/* clock - moments and durations that cannot be mixed up.
 *
 * Shape.   'instant' is a moment of the monotonic clock, 'span' a duration; both count nanoseconds in a one-member struct.
 * Time.    Only io/loop, lanes (one read per burst) and programs read the clock; everything else is told the time.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H 1

#include "base/compiler.h"

typedef struct {
    int64_t ns;
} instant;
typedef struct {
    int64_t ns;
} span;

#define INSTANT_NEVER ((instant){INT64_MAX}) /* later than every other instant */

static inline span
nanos(int64_t n)
{
    return (span){n};
}

static inline span
micros(int64_t n)
{
    return (span){n * 1000};
}

static inline span
millis(int64_t n)
{
    return (span){n * 1000000};
}

static inline span
seconds(int64_t n)
{
    return (span){n * 1000000000};
}

static inline int64_t
span_ms(span s)
{
    return s.ns / 1000000;
}

static inline instant
instant_add(instant t, span s)
{
    instant sum;
    if (__builtin_add_overflow(t.ns, s.ns, &sum.ns))
        return INSTANT_NEVER;
    return sum;
}

static inline span
instant_since(instant later, instant earlier)
{
    return (span){later.ns - earlier.ns};
}

static inline bool
instant_before(instant a, instant b)
{
    return a.ns < b.ns;
}

static inline instant
instant_min(instant a, instant b)
{
    return a.ns < b.ns ? a : b;
}

/* The monotonic clock of the system. */
instant clock_now(void);
/* Milliseconds since the epoch, for log lines and database columns. */
int64_t clock_wall_ms(void);

#endif
