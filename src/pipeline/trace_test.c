/* The words are those of ovs-vswitchd 3.1 for the same bridges, taken from it; only the numbers of datapath ports and the order of
 * outputs are ours. */
#include "base/test.h"
#include <errno.h>
#include "pipeline/test_net.h"
#include "pipeline/trace.h"

static const uint8_t tcp_in_vlan_10[] = {
    0x50, 0x54, 0, 0, 0, 2,    0x50, 0x54, 0,    0, 0, 1, 0x81, 0, 0x60, 0x0a, 0x08, 0, 0x45, 0, 0,
    0x28, 0,    1, 0, 0, 0x40, 6,    0,    0,    1, 1, 1, 1,    1, 1,    1,    2,    0, 1,    0, 2,
    0,    0,    0, 0, 0, 0,    0,    0,    0x50, 0, 0, 0, 0,    0, 0,    0,    0,    0, 0,    0,
};

static struct net *
two_bridges(void)
{
    struct net *net = net_new();
    net_bridge(net, "br0 LOCAL 1 2 3:access=10 9:peer=q9", NULL);
    net_bridge(net, "br1 LOCAL 1 9:peer=p9", NULL);
    return net;
}

static void
check_trace(struct net *net, const char *flow, bool by_name, const char *want)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    struct trace_ask ask = {.bridge = net->bridges[0], .by_name = by_name};
    struct key key;
    CHECK_EQ(trace_parse(ask.bridge, flow, &key, NULL), 0);
    ask.key = &key;
    CHECK_EQ(trace_run(&ask, &t, NULL), 0);
    CHECK_STR(text_str(&t), want);
}

TEST(a_key_is_traced_through_both_bridges)
{
    AUTO(net) struct net *net = two_bridges();
    check_trace(net, "in_port=1,dl_src=50:54:00:00:00:01,dl_dst=50:54:00:00:00:02", false,
                "Flow: in_port=1,vlan_tci=0x0000,dl_src=50:54:00:00:00:01,dl_dst=50:54:00:00:00:02,dl_type=0x0000\n"
                "\n"
                "bridge(\"br0\")\n"
                "-------------\n"
                " 0. priority 0\n"
                "    NORMAL\n"
                "     -> no learned MAC for destination, flooding\n"
                "\n"
                "bridge(\"br1\")\n"
                "-------------\n"
                " 0. priority 0\n"
                "    NORMAL\n"
                "     -> no learned MAC for destination, flooding\n"
                "\n"
                "Final flow: unchanged\n"
                "Megaflow: recirc_id=0,eth,in_port=1,dl_src=50:54:00:00:00:01,dl_dst=50:54:00:00:00:02,dl_type=0x0000\n"
                "Datapath actions: 99,2,199,101\n");
    struct fdb_stats stats;
    fdb_stats(bridge_fdb(net->bridges[0]), &stats);
    CHECK_EQ(stats.now, 0);
}

TEST(refusals_are_told_with_names)
{
    AUTO(net) struct net *net = two_bridges();
    check_trace(
        net, "in_port=p3,dl_vlan=10,dl_src=50:54:00:00:00:01,dl_dst=50:54:00:00:00:02", true,
        "Flow: in_port=p3,dl_vlan=10,dl_vlan_pcp=0,vlan_tci1=0x0000,dl_src=50:54:00:00:00:01,dl_dst=50:54:00:00:00:02,"
        "dl_type=0x0000\n"
        "\n"
        "bridge(\"br0\")\n"
        "-------------\n"
        " 0. priority 0\n"
        "    NORMAL\n"
        "     >>>> dropping VLAN 10 tagged packet received on port p3 configured as VLAN 10 access port <<<<\n"
        "     >> disallowed VLAN VID for this input port, dropping\n"
        "\n"
        "Final flow: unchanged\n"
        "Megaflow: recirc_id=0,eth,in_port=p3,dl_vlan=10,dl_src=50:54:00:00:00:01,dl_dst=50:54:00:00:00:02,"
        "dl_type=0x0000\n"
        "Datapath actions: drop\n");
}

TEST(a_priority_counts_where_it_is_carried_on)
{
    AUTO(net) struct net *net = two_bridges();
    check_trace(
        net, "in_port=3,dl_vlan=0,dl_vlan_pcp=3,dl_src=50:54:00:00:00:01,dl_dst=50:54:00:00:00:02", false,
        "Flow: in_port=3,dl_vlan=0,dl_vlan_pcp=3,vlan_tci1=0x0000,dl_src=50:54:00:00:00:01,dl_dst=50:54:00:00:00:02,"
        "dl_type=0x0000\n"
        "\n"
        "bridge(\"br0\")\n"
        "-------------\n"
        " 0. priority 0\n"
        "    NORMAL\n"
        "     -> no learned MAC for destination, flooding\n"
        "\n"
        "bridge(\"br1\")\n"
        "-------------\n"
        " 0. priority 0\n"
        "    NORMAL\n"
        "     -> no learned MAC for destination, flooding\n"
        "\n"
        "Final flow: unchanged\n"
        "Megaflow: recirc_id=0,eth,in_port=3,dl_vlan=0,dl_vlan_pcp=3,dl_src=50:54:00:00:00:01,"
        "dl_dst=50:54:00:00:00:02,dl_type=0x0000\n"
        "Datapath actions: pop_vlan,push_vlan(vid=10,pcp=3),99,1,2,199,101\n");
}

TEST(a_frame_is_read_and_learned_from)
{
    AUTO(net) struct net *net = two_bridges();
    AUTO_TEXT struct text t = TEXT_INIT;
    struct key key = {.in_port = be32_of(1)};
    struct trace_ask ask = {net->bridges[0], &key, tcp_in_vlan_10, sizeof tcp_in_vlan_10, {0}, true, false};
    CHECK_EQ(trace_run(&ask, &t, NULL), 0);
    CHECK_STR(text_str(&t),
              "Flow: tcp,in_port=1,dl_vlan=10,dl_vlan_pcp=3,vlan_tci1=0x0000,dl_src=50:54:00:00:00:01,"
              "dl_dst=50:54:00:00:00:02,nw_src=1.1.1.1,nw_dst=1.1.1.2,nw_tos=0,nw_ecn=0,nw_ttl=64,nw_frag=no,tp_src=1,"
              "tp_dst=2,tcp_flags=0\n"
              "\n"
              "bridge(\"br0\")\n"
              "-------------\n"
              " 0. priority 0\n"
              "    NORMAL\n"
              "     -> learned that 50:54:00:00:00:01 is on port p1 in VLAN 10\n"
              "     -> no learned MAC for destination, flooding\n"
              "\n"
              "bridge(\"br1\")\n"
              "-------------\n"
              " 0. priority 0\n"
              "    NORMAL\n"
              "     -> learned that 50:54:00:00:00:01 is on port q9 in VLAN 10\n"
              "     -> no learned MAC for destination, flooding\n"
              "\n"
              "Final flow: unchanged\n"
              "Megaflow: recirc_id=0,eth,ip,in_port=1,dl_vlan=10,dl_src=50:54:00:00:00:01,dl_dst=50:54:00:00:00:02,"
              "nw_frag=no\n"
              "Datapath actions: 99,2,199,101,pop_vlan,3\n");
    struct why why;
    ask.len = 5;
    text_cut(&t, 0);
    CHECK_EQ(trace_run(&ask, &t, &why), -EBADMSG);
    CHECK_STR(why.text, "5 bytes are not an Ethernet frame");
}

TEST(a_port_that_is_not_there_and_one_that_may_not)
{
    AUTO(net) struct net *net = net_new();
    net_bridge(net, "br0 1 2:norecv", NULL);
    check_trace(net, "in_port=7", false,
                "Flow: in_port=7,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,dl_type=0x0000\n"
                "\n"
                "bridge(\"br0\")\n"
                "-------------\n"
                " 0. priority 0\n"
                "    NORMAL\n"
                "     >> no input bundle, dropping\n"
                "\n"
                "Final flow: unchanged\n"
                "Megaflow: recirc_id=0,eth,in_port=7,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,dl_type=0x0000\n"
                "Datapath actions: drop\n");
    check_trace(net, "in_port=2", false,
                "Flow: in_port=2,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,dl_type=0x0000\n"
                "\n"
                "bridge(\"br0\")\n"
                "-------------\n"
                " 0. priority 0\n"
                "\n"
                "Final flow: unchanged\n"
                "Megaflow: recirc_id=0,eth,in_port=2,dl_type=0x0000\n"
                "Datapath actions: drop\n");
    net_bridge(net, "br0 1 : secure", NULL);
    check_trace(net, "in_port=1", false,
                "Flow: in_port=1,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,dl_type=0x0000\n"
                "\n"
                "bridge(\"br0\")\n"
                "-------------\n"
                " 0. No match.\n"
                "    drop\n"
                "\n"
                "Final flow: unchanged\n"
                "Megaflow: recirc_id=0,eth,in_port=1,dl_type=0x0000\n"
                "Datapath actions: drop\n");
}

TEST(a_flow_from_no_port_floods_to_all)
{
    AUTO(net) struct net *net = net_new();
    net_bridge(net, "br0 LOCAL 1 2", NULL);
    check_trace(
        net, "dl_src=50:54:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff", false,
        "Flow: in_port=ANY,vlan_tci=0x0000,dl_src=50:54:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,dl_type=0x0000\n"
        "\n"
        "bridge(\"br0\")\n"
        "-------------\n"
        " 0. priority 0\n"
        "    NORMAL\n"
        "     -> no learned MAC for destination, flooding\n"
        "\n"
        "Final flow: unchanged\n"
        "Megaflow: recirc_id=0,eth,in_port=ANY,dl_src=50:54:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,dl_type=0x0000\n"
        "Datapath actions: 99,1,2\n");
}

TESTS(a_key_is_traced_through_both_bridges, refusals_are_told_with_names, a_priority_counts_where_it_is_carried_on,
      a_frame_is_read_and_learned_from, a_port_that_is_not_there_and_one_that_may_not,
      a_flow_from_no_port_floods_to_all)
