/* coverage - how often did this happen?  Named event counters, shown by coverage/show.
 *
 * Use.     COVERAGE(bridge_reconfigure)  at the top of a .c file; coverage_inc(bridge_reconfigure) where it happens.
 * Threads. Any; relaxed atomic adds.  Not for the packet path: lanes count in counters of their own.
 */
#ifndef BASE_COVERAGE_H
#define BASE_COVERAGE_H 1

#include "base/text.h"
#include <stdatomic.h>

struct coverage {
    const char *name;
    atomic_ullong total;
    unsigned long long last; /* at the previous tick; control thread */
    uint32_t recent[60];     /* counts of the last 60 five-second slots; control thread */
    uint32_t minutes[60];    /* counts of the last 60 minutes; control thread */
    struct coverage *next;
};

#define COVERAGE(NAME)                                                                                                 \
    static struct coverage coverage_##NAME = {.name = #NAME};                                                          \
    __attribute__((constructor)) static void coverage_register_##NAME(void)                                            \
    {                                                                                                                  \
        coverage_register(&coverage_##NAME);                                                                           \
    }
#define coverage_add(NAME, n) atomic_fetch_add_explicit(&coverage_##NAME.total, (n), memory_order_relaxed)
#define coverage_inc(NAME) coverage_add(NAME, 1)

void coverage_register(struct coverage *);
/* Call every five seconds from the control thread: moves the windows on. */
void coverage_tick(void);
void coverage_show(struct text *);
/* False: no such counter. */
bool coverage_read(const char *name, unsigned long long *total);

#endif
