/* clock - see the header. */
#include "base/clock.h"
#include <time.h>

instant
clock_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (instant){ts.tv_sec * 1000000000LL + ts.tv_nsec};
}

int64_t
clock_wall_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}
