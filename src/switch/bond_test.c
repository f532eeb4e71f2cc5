#include "base/test.h"
#include "switch/bond.h"
#include <errno.h>

#define AT(ms) ((instant){(ms) *1000000LL})

static bool
run(struct bond *b, bool a, bool c, int64_t ms)
{
    const struct bond_link links[] = {{"a", a}, {"c", c}};
    return bond_run(b, links, 2, AT(ms));
}

TEST(bond_moves_when_the_active_link_dies_and_stays)
{
    struct bond b;
    bond_init(&b);
    bond_configure(&b, millis(0), millis(0), NULL);
    CHECK(run(&b, true, true, 0));
    CHECK_STR(bond_active(&b), "a");
    CHECK(run(&b, false, true, 10));
    CHECK_STR(bond_active(&b), "c");
    CHECK(!run(&b, true, true, 20));
    CHECK_STR(bond_active(&b), "c");
    CHECK(run(&b, false, false, 30));
    CHECK(!bond_active(&b));
    bond_fini(&b);
}

TEST(bond_waits_out_its_delays)
{
    struct bond b;
    bond_init(&b);
    bond_configure(&b, millis(100), millis(50), "a");
    run(&b, true, true, 0);
    CHECK(!run(&b, false, true, 10));
    CHECK_EQ(bond_next(&b).ns, AT(60).ns);
    CHECK(!run(&b, false, true, 59));
    CHECK(run(&b, false, true, 60));
    CHECK_STR(bond_active(&b), "c");
    CHECK(!run(&b, true, true, 100));
    CHECK(!run(&b, true, true, 199));
    CHECK(run(&b, true, true, 200));
    CHECK_STR(bond_active(&b), "a");
    CHECK_EQ(bond_next(&b).ns, INSTANT_NEVER.ns);
    bond_fini(&b);
}

TEST(bond_forgets_a_flap_inside_the_delay)
{
    struct bond b;
    bond_init(&b);
    bond_configure(&b, millis(100), millis(50), NULL);
    run(&b, true, true, 0);
    CHECK(!run(&b, false, true, 10));
    CHECK(!run(&b, true, true, 20));
    CHECK_EQ(bond_next(&b).ns, INSTANT_NEVER.ns);
    CHECK(!run(&b, true, true, 1000));
    CHECK_STR(bond_active(&b), "a");
    bond_fini(&b);
}

TEST(bond_skips_the_up_delay_when_nothing_else_works)
{
    struct bond b;
    bond_init(&b);
    bond_configure(&b, millis(100000), millis(0), NULL);
    run(&b, false, false, 0);
    CHECK(!bond_active(&b));
    CHECK(run(&b, false, true, 10));
    CHECK_STR(bond_active(&b), "c");
    bond_fini(&b);
}

TEST(bond_obeys_a_person)
{
    struct bond b;
    bond_init(&b);
    bond_configure(&b, millis(0), millis(0), NULL);
    run(&b, true, true, 0);
    CHECK_EQ(bond_set_active(&b, "x"), -ENOENT);
    CHECK_EQ(bond_set_active(&b, "c"), 0);
    CHECK(!run(&b, true, true, 1));
    CHECK_STR(bond_active(&b), "c");
    CHECK_EQ(bond_bar(&b, "c", true), 0);
    CHECK_STR(bond_active(&b), "a");
    CHECK_EQ(bond_set_active(&b, "c"), -EINVAL);
    CHECK(!run(&b, true, true, 2));
    CHECK_EQ(bond_bar(&b, "c", false), 0);
    CHECK_EQ(bond_set_active(&b, "c"), 0);
    bond_fini(&b);
}

TESTS(bond_moves_when_the_active_link_dies_and_stays, bond_waits_out_its_delays, bond_forgets_a_flap_inside_the_delay,
      bond_skips_the_up_delay_when_nothing_else_works, bond_obeys_a_person)
