#include "base/test.h"
#include "switch/identity.h"

TEST(datapath_ids)
{
    uint64_t id = 7;
    CHECK(datapath_id_parse("fedcba9876543210", &id));
    CHECK(id == 0xfedcba9876543210ULL);
    CHECK(datapath_id_parse("0x5", &id));
    CHECK(id == 5);
    const char *const bad[] = {"",
                               "5",
                               "0x",
                               "fedcba987654321",
                               "fedcba9876543210a",
                               "0000000000000000",
                               "xedcba9876543210",
                               "0x12345678901234567",
                               " edcba9876543210"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        CHECK(!datapath_id_parse(bad[i], &id));
    CHECK(id == 5);
}

TEST(hwaddr_lowest_global_wins)
{
    struct mac best = {{0}}, a, b, local, group;
    CHECK(hwaddr_parse("00:25:00:00:00:09", &a));
    CHECK(hwaddr_parse("00:25:00:00:00:08", &b));
    CHECK(hwaddr_parse("02:00:00:00:00:01", &local));
    CHECK(!hwaddr_parse("01:00:00:00:00:01", &group));
    CHECK(!hwaddr_parse("00:00:00:00:00:00", &group));
    CHECK(!hwaddr_parse("nonsense", &group));
    CHECK(!hwaddr_parse(NULL, &group));
    hwaddr_consider(&best, local);
    CHECK(mac_is_zero(best));
    hwaddr_consider(&best, a);
    hwaddr_consider(&best, b);
    hwaddr_consider(&best, a);
    CHECK(mac_equal(best, b));
}

TEST(hwaddr_of_a_row_is_local_and_stable)
{
    struct uuid u = {{0xff, 1, 2, 3, 4, 5}};
    struct mac m = hwaddr_of_row(&u);
    CHECK(mac_equal(m, hwaddr_of_row(&u)));
    CHECK(!mac_is_multicast(m));
    CHECK(m.b[0] & 2);
}

TESTS(datapath_ids, hwaddr_lowest_global_wins, hwaddr_of_a_row_is_local_and_stable)
