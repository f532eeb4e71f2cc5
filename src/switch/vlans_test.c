#include "base/test.h"
#include "switch/vlans.h"
#include <errno.h>

TEST(no_columns_is_a_trunk_of_everything)
{
    struct vlan_port p;
    CHECK_EQ(vlans_from_columns(&(struct vlan_columns){.tag = -1}, &p, NULL), 0);
    CHECK_EQ(p.mode, VLAN_TRUNK);
    CHECK(p.trunks_all && p.cvlans_all);
    CHECK_EQ(p.qinq_ethtype, htons(0x88a8));
    CHECK_EQ(p.priority_tags, PRIORITY_TAGS_NEVER);
}

TEST(a_tag_alone_is_an_access_port)
{
    struct vlan_port p;
    CHECK_EQ(vlans_from_columns(&(struct vlan_columns){.tag = 7}, &p, NULL), 0);
    CHECK_EQ(p.mode, VLAN_ACCESS);
    CHECK_EQ(p.vid, 7);
}

TEST(access_with_trunks_is_told)
{
    struct vlan_port p;
    struct why why;
    const int64_t trunks[] = {1, 2};
    CHECK_EQ(vlans_from_columns(&(struct vlan_columns){.tag = 7, .trunks = trunks, .n_trunks = 2}, &p, &why), -EINVAL);
    CHECK_STR(why.text, "ignoring trunks in favor of implicit vlan");
    CHECK_EQ(p.mode, VLAN_ACCESS);
}

TEST(native_vlan_is_always_carried)
{
    struct vlan_port p;
    const int64_t trunks[] = {10, 4095};
    const struct vlan_columns c = {.mode = "native-untagged", .tag = 5, .trunks = trunks, .n_trunks = 2};
    CHECK_EQ(vlans_from_columns(&c, &p, NULL), 0);
    CHECK_EQ(p.mode, VLAN_NATIVE_UNTAGGED);
    CHECK(!p.trunks_all);
    CHECK(vlan_bit(p.trunks, 5) && vlan_bit(p.trunks, 10) && vlan_bit(p.trunks, 4095));
    CHECK(!vlan_bit(p.trunks, 6));
}

TEST(tunnel_words)
{
    struct vlan_port p;
    const int64_t cvlans[] = {100};
    const struct vlan_columns c = {.mode = "dot1q-tunnel",
                                   .tag = 5,
                                   .cvlans = cvlans,
                                   .n_cvlans = 1,
                                   .qinq_ethtype = "802.1q",
                                   .priority_tags = "always"};
    CHECK_EQ(vlans_from_columns(&c, &p, NULL), 0);
    CHECK_EQ(p.mode, VLAN_DOT1Q_TUNNEL);
    CHECK_EQ(p.qinq_ethtype, htons(0x8100));
    CHECK(!p.cvlans_all && vlan_bit(p.cvlans, 100));
    CHECK_EQ(p.priority_tags, PRIORITY_TAGS_ALWAYS);
}

TESTS(no_columns_is_a_trunk_of_everything, a_tag_alone_is_an_access_port, access_with_trunks_is_told,
      native_vlan_is_always_carried, tunnel_words)
