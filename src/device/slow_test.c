#include "base/compiler.h"
#include "base/test.h"
#include "device/slow.h"
#include <stdatomic.h>

static int order[1000];
static atomic_int n;

static void
note(void *arg)
{
    order[atomic_fetch_add(&n, 1)] = (int) (intptr_t) arg;
}

TEST(slow_keeps_the_order_and_waits)
{
    slow_wait(); /* nothing was asked: nothing to wait for */
    for (int i = 0; i < 1000; i++)
        slow_run(note, (void *) (intptr_t) i);
    slow_wait();
    CHECK_EQ(atomic_load(&n), 1000);
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(order[i], i);
}

TESTS(slow_keeps_the_order_and_waits)
