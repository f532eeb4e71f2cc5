#include "base/test.h"
#include "io/reconnect.h"

static instant
at(int64_t ms)
{
    return instant_add((instant){0}, millis(ms));
}

static void
fails_at(struct reconnect *r, int64_t ms)
{
    CHECK_EQ(reconnect_run(r, at(ms)), RECONNECT_CONNECT);
    reconnect_down(r, at(ms));
}

TEST(reconnect_waits_twice_as_long_after_each_failure)
{
    struct reconnect r;
    reconnect_init(&r, seconds(1), seconds(8), seconds(5), 0, at(0));

    int64_t now = 0;
    static const int64_t waits[] = {1000, 2000, 4000, 8000, 8000};
    for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
        fails_at(&r, now);
        CHECK_EQ(reconnect_run(&r, at(now + waits[i] - 1)), RECONNECT_REST);
        now += waits[i];
    }
}

TEST(reconnect_tries_each_server_once_without_waiting)
{
    struct reconnect r;
    reconnect_init(&r, seconds(1), seconds(8), seconds(5), 2, at(0));
    fails_at(&r, 0);
    fails_at(&r, 0);
    fails_at(&r, 0);
    CHECK_EQ(reconnect_run(&r, at(999)), RECONNECT_REST);
    CHECK_EQ(reconnect_run(&r, at(1000)), RECONNECT_CONNECT);
}

TEST(reconnect_gives_up_a_connection_that_does_not_come)
{
    struct reconnect r;
    reconnect_init(&r, seconds(1), seconds(8), seconds(5), 0, at(0));
    CHECK_EQ(reconnect_run(&r, at(0)), RECONNECT_CONNECT);
    CHECK_EQ(reconnect_run(&r, at(3999)), RECONNECT_REST);
    CHECK_EQ(reconnect_run(&r, at(4000)), RECONNECT_DROP);
}

TEST(reconnect_probes_after_silence_and_drops_after_more)
{
    struct reconnect r;
    reconnect_init(&r, seconds(1), seconds(8), seconds(5), 0, at(0));
    reconnect_run(&r, at(0));
    reconnect_up(&r, at(0));

    CHECK_EQ(reconnect_run(&r, at(4999)), RECONNECT_REST);
    reconnect_heard(&r, at(4999));
    CHECK_EQ(reconnect_run(&r, at(5000)), RECONNECT_REST);
    CHECK_EQ(reconnect_run(&r, at(9999)), RECONNECT_PROBE);
    reconnect_heard(&r, at(10000));
    CHECK_EQ(reconnect_run(&r, at(15000)), RECONNECT_PROBE);
    CHECK_EQ(reconnect_run(&r, at(19999)), RECONNECT_REST);
    CHECK_EQ(reconnect_run(&r, at(20000)), RECONNECT_DROP);
}

TEST(reconnect_forgives_after_a_connection_that_held)
{
    struct reconnect r;
    reconnect_init(&r, seconds(1), seconds(8), nanos(0), 0, at(0));
    fails_at(&r, 0);
    fails_at(&r, 1000);
    CHECK_EQ(reconnect_run(&r, at(3000)), RECONNECT_CONNECT);
    reconnect_up(&r, at(3000));
    CHECK(reconnect_next(&r).ns == INSTANT_NEVER.ns);
    reconnect_down(&r, at(60000));
    CHECK_EQ(reconnect_next(&r).ns, at(61000).ns);

    reconnect_soon(&r, at(60500));
    CHECK_EQ(reconnect_run(&r, at(60500)), RECONNECT_CONNECT);
}

TESTS(reconnect_waits_twice_as_long_after_each_failure, reconnect_tries_each_server_once_without_waiting,
      reconnect_gives_up_a_connection_that_does_not_come, reconnect_probes_after_silence_and_drops_after_more,
      reconnect_forgives_after_a_connection_that_held)
