#include "packet/addr.h"
#include "base/test.h"

TEST(mac_text_goes_there_and_back)
{
    struct mac m = {{9}};
    CHECK(mac_parse("01:23:45:67:89:aB", &m));
    CHECK_EQ(mac_to_u64(m), 0x0123456789abULL);
    CHECK(mac_equal(mac_from_u64(0x0123456789abULL), m));
    CHECK(mac_parse("0:1:2:3:4:5", &m));
    CHECK_EQ(mac_to_u64(m), 0x000102030405ULL);
    static const char *const wrong[] = {"",
                                        "01:23:45:67:89",
                                        "01:23:45:67:89:ab ",
                                        "01:23:45:67:89:ab:cd",
                                        "g1:23:45:67:89:ab",
                                        "012:3:45:67:89:ab",
                                        "01-23-45-67-89-ab",
                                        ":23:45:67:89:ab"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        CHECK(!mac_parse(wrong[i], &m));
    CHECK_EQ(mac_to_u64(m), 0x000102030405ULL);
}

TEST(reserved_group_addresses_are_known)
{
    CHECK(mac_is_reserved(mac_from_u64(0x0180c2000000)));
    CHECK(mac_is_reserved(mac_from_u64(0x0180c200000f)));
    CHECK(!mac_is_reserved(mac_from_u64(0x0180c2000010)));
    CHECK(mac_is_reserved(mac_from_u64(0x01000ccccccd)));
    CHECK(mac_is_reserved(mac_from_u64(0x00e02b000006)));
    CHECK(!mac_is_reserved(mac_from_u64(0x00e02b000005)));
    CHECK(!mac_is_reserved(MAC_BROADCAST));
}

TEST(ip_text_goes_there_and_back)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    be32 a;
    CHECK(ip4_parse("10.1.2.255", &a));
    ip4_format(a, &t);
    CHECK_STR(text_str(&t), "10.1.2.255");
    CHECK(!ip4_parse("10.1.2", &a));
    CHECK(!ip4_parse("10.1.2.256", &a));
    struct ip6 b;
    CHECK(ip6_parse("fe80:0:0::1", &b));
    text_cut(&t, 0);
    ip6_format(&b, &t);
    CHECK_STR(text_str(&t), "fe80::1");
    CHECK(!ip6_parse("fe80:::1", &b));
}

TESTS(mac_text_goes_there_and_back, reserved_group_addresses_are_known, ip_text_goes_there_and_back)
