#include "base/mem.h"
#include "base/test.h"
#include "switch/numbers.h"

TEST(numbers_go_up)
{
    struct numbers *n = xzalloc(sizeof *n);
    CHECK_EQ(numbers_next(n), 1);
    CHECK(numbers_take(n, 2));
    CHECK_EQ(numbers_next(n), 3);
    CHECK(!numbers_take(n, 3));
    free(n);
}

TEST(numbers_come_back_last)
{
    struct numbers *n = xzalloc(sizeof *n);
    CHECK_EQ(numbers_next(n), 1);
    numbers_give(n, 1);
    for (ofport want = 2; want < OFPORT_MAX; want++)
        CHECK_EQ(numbers_next(n), want);
    CHECK_EQ(numbers_next(n), 1);
    CHECK_EQ(numbers_next(n), OFPORT_NONE);
    numbers_give(n, 77);
    CHECK_EQ(numbers_next(n), 77);
    free(n);
}

TEST(numbers_refuse_what_is_no_port)
{
    struct numbers *n = xzalloc(sizeof *n);
    CHECK(!numbers_take(n, 0));
    CHECK(!numbers_take(n, OFPORT_MAX));
    CHECK(!numbers_take(n, OFPORT_LOCAL));
    CHECK(!numbers_take(n, OFPORT_NONE));
    CHECK(numbers_take(n, OFPORT_MAX - 1));
    numbers_give(n, OFPORT_NONE);
    numbers_give(n, OFPORT_LOCAL);
    free(n);
}

TESTS(numbers_go_up, numbers_come_back_last, numbers_refuse_what_is_no_port)
