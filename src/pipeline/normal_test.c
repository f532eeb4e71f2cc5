/* NORMAL by examples.  A case is a bridge and a conversation: frames and what becomes of each. */
#include "base/test.h"
#include "pipeline/table.h"
#include "pipeline/test_net.h"
#include "pipeline/trace.h"
#include <errno.h>
#include <stdlib.h>

static instant
at(int64_t s)
{
    return (instant){s * 1000000000};
}

/* "DOOR SRC>DST [TAG[pPCP] [arp|grat|bpdu]]": MACs by one number, '*' is broadcast, 'm' a group; TAG '-' is none. */
static struct key
key_of(const char *text)
{
    struct key k = {.eth_type = be16_of(0x0800)};
    char src[8], dst[8], tag[16] = "-", kind[8] = "";
    int n = sscanf(text, "%u %7[^>]>%7s %15s %7s", &k.port, src, dst, tag, kind);
    CHECK(n >= 3);
    k.eth_src = *src == 'm' ? (struct mac){{1, 0, 0x5e, 0, 0, 1}} : mac_from_u64(0x505400000000 + atoi(src));
    k.eth_dst = *dst == '*'   ? MAC_BROADCAST
                : *dst == 'm' ? (struct mac){{1, 0, 0x5e, 0, 0, 1}}
                              : mac_from_u64(0x505400000000 + atoi(dst));
    if (*tag != '-') {
        char *end;
        unsigned tci = strtoul(tag, &end, 10) | VLAN_PRESENT;
        if (*end == 'p')
            tci |= atoi(end + 1) << VLAN_PCP_SHIFT;
        k.vlan[0] = (struct vlan_tag){be16_of(0x8100), be16_of(tci)};
    }
    if (!strcmp(kind, "bpdu"))
        k.eth_dst = mac_from_u64(0x0180c2000000);
    if (!strcmp(kind, "partial"))
        k.eth_type = be16_of(0x8100);
    if (!strcmp(kind, "arp") || !strcmp(kind, "grat")) {
        k.eth_type = be16_of(0x0806);
        k.arp_op = be16_of(1);
        k.arp_spa = be32_of(1);
        k.arp_tpa = be32_of(*kind == 'g' ? 1 : 2);
    }
    return k;
}

/* Lines of "T|FRAME|ANSWER", T in seconds. */
static void
converse(struct net *net, const char *const *lines)
{
    for (; *lines; lines++) {
        char text[64], want[128];
        unsigned t;
        CHECK_EQ(sscanf(*lines, "%u|%63[^|]|%127[^\n]", &t, text, want), 3);
        struct key key = key_of(text);
        struct verdict v;
        AUTO_TEXT struct text got = TEXT_INIT;
        net_xlate(net, &key, at(t), &v);
        net_actions(net, &v, &got);
        if (strcmp(text_str(&got), want))
            print_error("%s: got %s\n", *lines, text_str(&got));
        CHECK_STR(text_str(&got), want);
        CHECK(v.may_cache);
        CHECK(deps_hold(&v.deps, net->backer->versions));
        verdict_fini(&v);
    }
}

#define CASE(name, ...)                                                                                                \
    TEST(name)                                                                                                         \
    {                                                                                                                  \
        AUTO(net) struct net *net = net_new();                                                                         \
        static const char *const lines[] = {__VA_ARGS__, NULL};                                                        \
        const char *const *line = lines;                                                                               \
        for (; strncmp(*line, "0|", 2); line++)                                                                        \
            CHECK_EQ(net_bridge(net, *line, NULL), 0);                                                                 \
        converse(net, line);                                                                                           \
    }

CASE(a_bridge_learns, "br0 LOCAL,1,2,3", "0|1 5>6|99,2,3", /* nobody knows 6 */
     "1|2 6>5|1",                                          /* 5 was heard */
     "1|1 5>6|2",                                          /* and now 6 */
     "1|1 7>5|drop:same_port", "2|3 5>6|2",                /* 5 moved */
     "2|2 6>5|3",                                          /* and is found */
     "2|1 7>*|99,2,3", "2|1 7>m|99,2,3", "2|1 m>6|2",      /* a group is no source to learn, but is forwarded */
     "3|99 8>5|3", "3|1 6>8|99", "302|2 6>5|99,1,3",       /* 5 has not been heard for 300 s; and 6 is at 2 again */
     "302|44 1>2|drop:no_bridge")

CASE(vlans_are_switches_of_their_own,
     "br0 LOCAL 1:access=10 2:access=10 3:access=20 4:trunk=0;trunks=10/20 5:untagged=10",
     "0|1 1>2|2,5,push_vlan(vid=10,pcp=0),99,4", "0|4 2>1 10|pop_vlan,1", "0|4 2>1 20p3|99,5,pop_vlan,3",
     "0|4 2>1 30|drop:vlan_not_member")

CASE(tags_change_as_often_as_looks, "br0 1:access=10 2:access=10 3 4:access=10;prio=1 5 6:tunnel=10",
     "0|1 1>*|2,4,6,push_vlan(vid=10,pcp=0),3,5", "0|3 2>* 10p3|5,pop_vlan,1,2,6,push_vlan(vid=0,pcp=3),4",
     "0|6 3>* 7p2|push_vlan(tpid=0x88a8,vid=10,pcp=0),3,5", "0|1 1>* 0p3|4,pop_vlan,2,6,push_vlan(vid=10,pcp=3),3,5",
     "0|1 1>* 10|drop:vlan_tagged_on_access", "0|3 1>* - partial|drop:vlan_partial")

CASE(reserved_addresses_stay, "br0 1,2", "0|1 1>2 - bpdu|drop:reserved_multicast")
CASE(reserved_addresses_go_on_request, "br0 1,2 : bpdu", "0|1 1>2 - bpdu|2")

CASE(flood_vlans_learn_nothing, "br0 1,2,3 : flood=7", "0|1 1>2 7|2,3", "0|2 2>1 7|1,3", "0|1 1>2|2,3", "0|2 2>1|1")

CASE(protected_ports_do_not_speak_to_each_other, "br0 1:protected 2:protected 3", "0|1 1>2|3", "0|2 2>1|drop:protected",
     "0|3 3>1|1", "0|2 2>3|3", "0|3 3>9|1,2")

CASE(a_lone_port_has_nowhere_to_go, "br0 1", "0|1 1>2|drop:nowhere")

CASE(a_bond_is_one_port, "br0 1 2+3:active=3 4", "0|1 1>2|3,4", "0|3 2>1|1", "0|2 9>1|drop:bond_backup", "0|1 1>2|3",
     "0|3 5>2|drop:same_port",
     /* A guest that moved here tells all; the far switch sends the news back by the bond. */
     "1|1 7>* - grat|3,4", "2|3 7>* - grat|1,4", "2|4 8>7|1", "7|3 7>* - grat|1,4", "7|4 8>7|3")

CASE(a_bond_without_active_member_is_silent, "br0 1 2+3:active=0", "0|1 1>2|drop:port_down", "0|2 2>1|drop:bond_backup")

CASE(ports_that_must_not, "br0 1 2:down 3:nofwd 4:noflood 5:norecv 6:nodev", "0|1 1>2|5", "0|5 5>1|drop:port_down",
     "0|4 4>1|1", "0|1 1>4|4", "0|2 2>9|1,5", "0|1 1>2|drop:port_down")

CASE(secure_bridges_wait_for_rules, "br0 1,2 : secure", "0|1 1>2|drop:no_rule")

CASE(patches_join_bridges, "br0 1 2 9:peer=q9", "br1 1 9:peer=p9;access=30 3",
     "0|1 1>2|2,push_vlan(vid=30,pcp=0),101,103", "1|101 2>1 30|pop_vlan,1", "1|1 1>2|push_vlan(vid=30,pcp=0),101",
     "1|101 3>2|103", "1|101 3>4|103", "1|1 1>3 30|2")

CASE(one_sided_patches_lead_nowhere, "br0 1 9:peer=q9", "br1 1 9:peer=p8", "0|1 1>2|drop:port_down")

CASE(tunnels_pile_up_tags, "br0 1 9:peer=q9", "br1 1 9:peer=p9;tunnel=20",
     "0|1 1>* 5p1|push_vlan(tpid=0x88a8,vid=20,pcp=0),101", "0|101 2>* 20|pop_vlan,1")

CASE(a_mirror_copies_what_comes_in, "br0 1 2 3 4 : mirror=src1>4", "0|1 1>2|4,2,3", "0|2 2>1|1", "0|1 1>2|4,2",
     "0|4 9>1|drop:mirror_output_port", "0|1 1>* 7|4,2,3", "0|1 1>2 - bpdu|4")
CASE(a_mirror_copies_what_goes_out, "br0 1 2 3 4 : mirror=dst1>4", "0|2 2>1|1,4,3", "0|1 1>2|2", "0|2 2>1|1,4")
CASE(each_place_gets_one_copy, "br0 1 2 3 4 : mirror=all>4 mirror=src1+dst2>4", "0|1 1>2|4,2,3", "0|2 2>1|4,1")
CASE(two_places_get_one_each, "br0 1 2 3 4 5 : mirror=src1>4 mirror=dst2>5", "0|1 1>2|4,2,5,3")
CASE(a_mirror_may_be_of_some_vlans, "br0 1:access=10 2:access=10 3 4 : mirror=all>4;vlans=10",
     "0|1 1>2|push_vlan(vid=10,pcp=0),4,3,pop_vlan,2", "0|3 3>* 20|drop:nowhere", "0|3 3>* 10|4,pop_vlan,1,2",
     "0|1 1>2 10|drop:vlan_tagged_on_access")
CASE(copies_may_be_cut, "br0 1 2 3 4 : mirror=src1>4;snap=64", "0|1 1>2|trunc(64),4,2,3")
CASE(copies_may_go_into_a_vlan, "br0 1:access=10 2:access=10 3 5:access=99 : mirror=src1>v99",
     "0|1 1>2|push_vlan(vid=99,pcp=0),3,pop_vlan,5,2,push_vlan(vid=10,pcp=0),3", "0|2 2>1|1",
     "0|1 1>2 - bpdu|drop:reserved_multicast")

/* ---- loops end ---- */

TEST(a_loop_of_patches_ends_and_says_so)
{
    AUTO(net) struct net *net = net_new();
    CHECK_EQ(net_bridge(net, "br0 1 7:peer=q7 8:peer=q8", NULL), 0);
    CHECK_EQ(net_bridge(net, "br1 1 7:peer=p7 8:peer=p8", NULL), 0);
    struct key key = key_of("1 1>*");
    struct verdict v;
    struct report r = REPORT_INIT;
    verdict_init(&v, net->backer->versions);
    xlate(net->backer, &(struct xlate_in){.key = &key, .report = &r, .max_steps = 100}, &v);
    CHECK(r.n_errors > 0);
    CHECK(v.actions.len > 0); /* what was put out until then */
    verdict_fini(&v);
    report_fini(&r);
}

/* ---- what a flow hangs on ---- */

static bool
holds_after(struct net *net, const struct verdict *v, const char *config)
{
    CHECK_EQ(net_bridge(net, config, NULL), 0);
    return deps_hold(&v->deps, net->backer->versions);
}

TEST(changes_revise_the_flows_they_touch_and_no_others)
{
    setenv("SLUICE_HASH_SEED", "1", 1); /* shared slots would only make flows go needlessly */
    AUTO(net) struct net *net = net_new();
    net_bridge(net, "br0 1 2 3 4", NULL);
    converse(net, (const char *const[]){"0|1 1>2|2,3,4", "0|2 2>1|1", NULL});
    struct key to_two = key_of("1 1>2"), flood = key_of("1 1>*"), back = key_of("2 2>1");
    struct verdict u, f, b;

    net_xlate(net, &to_two, at(1), &u);
    net_xlate(net, &flood, at(1), &f);
    net_xlate(net, &back, at(1), &b);
    CHECK(holds_after(net, &u, "br0 1 2 3 4"));
    CHECK(holds_after(net, &f, "br0 1 2 3 4"));
    CHECK(holds_after(net, &u, "br0 1 2 3 4 5")); /* a new port concerns who floods */
    CHECK(!holds_after(net, &f, "br0 1 2 3 4 5"));
    CHECK(holds_after(net, &u, "br0 1 2 3:access=3 4 5"));
    CHECK(!holds_after(net, &u, "br0 1 2:down 3:access=3 4 5"));
    CHECK(!holds_after(net, &b, "br0 1 2 3:access=3 4 5"));
    verdict_fini(&u);
    verdict_fini(&f);
    verdict_fini(&b);

    net_xlate(net, &to_two, at(1), &u);
    fdb_learn(net->bridges[0]->fdb, mac_from_u64(0x505400000077), 0, 3, 0, at(1));
    CHECK(deps_hold(&u.deps, net->backer->versions));
    fdb_learn(net->bridges[0]->fdb, to_two.eth_dst, 0, 3, 0, at(1)); /* 2 moves */
    CHECK(!deps_hold(&u.deps, net->backer->versions));
    verdict_fini(&u);

    net_xlate(net, &to_two, at(1), &u);
    backer_run(net->backer, at(302));
    CHECK(!deps_hold(&u.deps, net->backer->versions)); /* both are too old */
    verdict_fini(&u);

    net_xlate(net, &to_two, at(400), &u);
    CHECK(!holds_after(net, &u, "br0 1 2 3 4 5 : bpdu"));
    verdict_fini(&u);
}

TEST(a_removed_port_takes_its_addresses_along)
{
    AUTO(net) struct net *net = net_new();
    net_bridge(net, "br0 1 2 3", NULL);
    converse(net, (const char *const[]){"0|1 1>2|2,3", "0|2 2>1|1", NULL});
    net_bridge(net, "br0 2 3", NULL);
    converse(net, (const char *const[]){"0|2 2>1|3", "0|1 1>2|drop:no_bridge", NULL});
    net_bridge(net, "br0 2 3:access=5", NULL);
    converse(net, (const char *const[]){"0|3 3>2|push_vlan(vid=5,pcp=0),2", NULL});
}

TEST(credits_keep_addresses_and_count_what_passes_patches)
{
    AUTO(net) struct net *net = net_new();
    net_bridge(net, "br0 1 9:peer=q9", NULL);
    net_bridge(net, "br1 1 9:peer=p9", NULL);
    struct key key = key_of("1 1>2");
    struct verdict v;
    net_xlate(net, &key, at(0), &v);
    backer_credit(net->backer, v.credits, 10, 640, at(200));
    backer_run(net->backer, at(400));
    CHECK_EQ(fdb_find(net->bridges[0]->fdb, key.eth_src, 0, at(400)), 1);
    CHECK_EQ(fdb_find(net->bridges[1]->fdb, key.eth_src, 0, at(400)), 9);
    struct bridge_port_stats stats;
    bridge_port_stats(net->bridges[0], 9, &stats);
    CHECK_EQ(stats.tx_packets, 10);
    CHECK_EQ(stats.rx_packets, 0);
    bridge_port_stats(net->bridges[1], 9, &stats);
    CHECK_EQ(stats.rx_bytes, 640);
    struct table_stats by_table;
    tables_stats(net->bridges[1]->tables, 0, &by_table);
    CHECK_EQ(by_table.matches, 10);
    bridge_free(net->bridges[1]);
    net->n_bridges--;
    backer_credit(net->backer, v.credits, 1, 64, at(200)); /* one of them is gone */
    verdict_fini(&v);
}

TEST(mirrors_count_what_they_copy)
{
    AUTO(net) struct net *net = net_new();
    struct key key = key_of("1 1>2");
    struct bridge_port_stats stats;
    struct verdict v;
    struct why why;
    net_bridge(net, "br0 1 2 3 : mirror=src2>3 mirror=src1>3", NULL);
    net_xlate(net, &key, at(0), &v);
    backer_credit(net->backer, v.credits, 10, 640, at(1));
    bridge_mirror_stats(net->bridges[0], "m1", &stats);
    CHECK_EQ(stats.tx_packets, 10);
    CHECK_EQ(stats.tx_bytes, 640);
    bridge_mirror_stats(net->bridges[0], "m0", &stats);
    CHECK_EQ(stats.tx_packets, 0);
    CHECK(holds_after(net, &v, "br0 1 2 3 : mirror=src2>3 mirror=src1>3"));
    CHECK(!holds_after(net, &v, "br0 1 2 3"));
    verdict_fini(&v);
    CHECK_EQ(net_bridge(net, "br0 1 2 : mirror=all>3", &why), -EINVAL);
    CHECK_STR(why.text, "mirror m0: there is no port 3");
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        TEST_ROW_(a_bridge_learns),
        TEST_ROW_(vlans_are_switches_of_their_own),
        TEST_ROW_(tags_change_as_often_as_looks),
        TEST_ROW_(reserved_addresses_stay),
        TEST_ROW_(reserved_addresses_go_on_request),
        TEST_ROW_(flood_vlans_learn_nothing),
        TEST_ROW_(protected_ports_do_not_speak_to_each_other),
        TEST_ROW_(a_lone_port_has_nowhere_to_go),
        TEST_ROW_(a_bond_is_one_port),
        TEST_ROW_(a_bond_without_active_member_is_silent),
        TEST_ROW_(ports_that_must_not),
        TEST_ROW_(secure_bridges_wait_for_rules),
        TEST_ROW_(patches_join_bridges),
        TEST_ROW_(one_sided_patches_lead_nowhere),
        TEST_ROW_(tunnels_pile_up_tags),
        TEST_ROW_(a_mirror_copies_what_comes_in),
        TEST_ROW_(a_mirror_copies_what_goes_out),
        TEST_ROW_(each_place_gets_one_copy),
        TEST_ROW_(two_places_get_one_each),
        TEST_ROW_(a_mirror_may_be_of_some_vlans),
        TEST_ROW_(copies_may_be_cut),
        TEST_ROW_(copies_may_go_into_a_vlan),
        TEST_ROW_(mirrors_count_what_they_copy),
        TEST_ROW_(a_loop_of_patches_ends_and_says_so),
        TEST_ROW_(changes_revise_the_flows_they_touch_and_no_others),
        TEST_ROW_(a_removed_port_takes_its_addresses_along),
        TEST_ROW_(credits_keep_addresses_and_count_what_passes_patches),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
