#include "base/test.h"
#include "datapath/action.h"
#include "datapath/flow_text.h"
#include <errno.h>

static const char *
name_of(UNUSED void *aux, dpport port)
{
    return port == 3 ? "p3" : NULL;
}

static dpport
port_of(UNUSED void *aux, const char *name)
{
    return !strcmp(name, "p3") ? 3 : DPPORT_NONE;
}

/* Reads 'in' with a mask and prints it: what comes out must be 'out'. */
static void
check(const char *in, const char *out)
{
    struct key key, mask;
    struct why why = {""};
    AUTO_TEXT struct text t = TEXT_INIT;
    if (flow_parse(in, port_of, NULL, &key, &mask, &why))
        fail_msg("%s: %s", in, why.text);
    flow_format(&key, &mask, name_of, NULL, &t);
    CHECK_STR(text_str(&t), out);

    struct key again, mask_again;
    if (flow_parse(text_str(&t), port_of, NULL, &again, &mask_again, &why))
        fail_msg("%s: %s", text_str(&t), why.text);
    CHECK_MEM(&key, &again, sizeof key);
    CHECK_MEM(&mask, &mask_again, sizeof mask);
}

static void
check_same(const char *text)
{
    check(text, text);
}

#define E1 "eth(src=50:54:00:00:00:05,dst=50:54:00:00:00:07)"

TEST(what_the_field_prints_is_read_and_printed_the_same)
{
    check_same("recirc_id(0),in_port(1),packet_type(ns=0,id=0)," E1 ",eth_type(0x0800),ipv4(frag=no)");
    check_same("recirc_id(0),in_port(1),packet_type(ns=0,id=0)," E1
               ",eth_type(0x0806),arp(sip=192.168.0.1,tip=192.168.0.2,op=1)");
    check_same("recirc_id(0),in_port(1),packet_type(ns=0,id=0)," E1
               ",eth_type(0x8100),vlan(vid=5,pcp=0),encap(eth_type(0x0800),ipv4(frag=no))");
    check_same("recirc_id(0),in_port(1),packet_type(ns=0,id=0)," E1 ",eth_type(0x86dd),ipv6(frag=no)");
    check_same("in_port(p3),eth(src=50:54:00:00:00:05/ff:ff:00:00:00:00),eth_type(0x0800),ipv4(src=192.168.0.1/"
               "255.255.255.0,proto=6,tos=0x10/0xfc,frag=first),tcp(src=8/0xfff0,dst=80),tcp_flags(+syn-ack)");
    check_same(
        "ct_state(-inv+trk),ct_zone(0x5),ct_mark(0x1/0xf),ct_label(0x1234/0xffff),recirc_id(0x5),in_port(2),eth_type("
        "0x0800),ipv4(proto=6,frag=no),tcp_flags(syn|ack)");
    check_same("skb_priority(0x5),skb_mark(0x8),in_port(2),eth_type(0x86dd),ipv6(src=fe80::1/"
               "ffff::,label=0x123,proto=58,tclass=0x10,hlimit=3,frag=later)");
    check_same(
        "in_port(2),eth_type(0x86dd),ipv6(proto=58,frag=no),icmpv6(type=135,code=0),nd(target=fe80::1,sll=00:00:00:00:"
        "00:01)");
    check_same("in_port(2),eth_type(0x8847),mpls(label=100,tc=3,ttl=64,bos=1)");
    check_same(
        "in_port(2),eth_type(0x88a8),vlan(vid=5,pcp=1),encap(eth_type(0x8100),vlan(vid=6),encap(eth_type(0x0800),ipv4("
        "proto=132,frag=no),sctp(src=1,dst=2)))");
    check_same(
        "tunnel(tun_id=0x5,src=1.1.1.1,dst=2.2.2.2,ttl=64,flags(df|key)),in_port(3/0xff),eth_type(0x0806),arp(sip=1.1."
        "1.1,op=1/0xff,sha=00:00:00:00:00:01)");
    check_same("in_port(1)," E1 ",eth_type(0x05ff)");
}

TEST(other_ways_to_say_it_are_read_too)
{
    check("ufid:b572f75c-173f-4278-bdeb-f8adce0c7da1, in_port(p3), " E1 " eth_type(2048),ipv4(proto=17)udp(dst=0x35)",
          "in_port(p3)," E1 ",eth_type(0x0800),ipv4(proto=17),udp(dst=53)");
    check("in_port(1),eth()", "in_port(1),eth_type(0x05ff)");
    check("in_port(1)," E1, "in_port(1)," E1 ",eth_type(0x05ff)");
}

TEST(the_verbose_form_shows_what_is_hidden)
{
    struct key key, mask;
    AUTO_TEXT struct text t = TEXT_INIT;
    CHECK_EQ(
        flow_parse(
            "recirc_id(0),in_port(3),packet_type(ns=0,id=0)," E1
            ",eth_type(0x0800),ipv4(src=192.168.0.1,dst=192.168.0.2,proto=1,tos=0,ttl=64,frag=no),icmp(type=8,code=0)",
            NULL, NULL, &key, NULL, NULL),
        0);
    memset(&mask, 0, sizeof mask);
    memset(&mask.port, 0xff, 4);
    memset(&mask.recirc_id, 0xff, 4);
    memset(&mask.packet_type, 0xff, 4);
    memset(&mask.eth_src, 0xff, 6);
    memset(&mask.eth_dst, 0xff, 6);
    memset(&mask.eth_type, 0xff, 2);
    memset(&mask.ip_frag, 0xff, 1);
    flow_format_verbose(&key, &mask, name_of, NULL, &t);
    CHECK_STR(text_str(&t),
              "skb_priority(0/0),skb_mark(0/0),ct_state(0/0),ct_zone(0/0),ct_mark(0/0),ct_label(0/"
              "0),recirc_id(0),dp_hash(0/0),"
              "in_port(p3),packet_type(ns=0,id=0)," E1
              ",eth_type(0x0800),ipv4(src=192.168.0.1/0.0.0.0,dst=192.168.0.2/0.0.0.0,proto=1/0,tos=0/0,ttl=64/"
              "0,frag=no),icmp(type=8/0,code=0/0)");
}

TEST(an_exact_key_is_printed_whole)
{
    struct key key;
    AUTO_TEXT struct text t = TEXT_INIT;
    CHECK_EQ(flow_parse("in_port(3)," E1
                        ",eth_type(0x0800),ipv4(src=1.2.3.4,dst=192.168.0.2,proto=6,tos=0,ttl=64,frag=no),tcp("
                        "src=1,dst=2),tcp_flags(syn)",
                        NULL, NULL, &key, NULL, NULL),
             0);
    flow_format(&key, NULL, NULL, NULL, &t);
    CHECK_STR(text_str(&t),
              "recirc_id(0),in_port(3),packet_type(ns=0,id=0)," E1
              ",eth_type(0x0800),ipv4(src=1.2.3.4,dst=192.168.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=1,dst="
              "2),tcp_flags(syn)");
}

TEST(nonsense_is_refused_with_a_sentence_and_changes_nothing)
{
    static const char *const bad[] = {
        "in_port(",
        "in_port(1",
        "in_port()",
        "in_port(nosuch)",
        "bogus(1)",
        "eth(src=1:2:3)",
        "eth(foo=1)",
        "eth_type(0x12345)",
        "eth_type(-1)",
        "encap(eth_type(0x0800))",
        "eth_type(0x8100),vlan(vid=4096)",
        "eth_type(0x8100),vlan(vid=5),encap(eth_type(0x0800)",
        ("eth_type(0x8100),vlan(vid=1),encap(eth_type(0x8100),vlan(vid=1),encap(eth_type(0x8100),"
         "vlan(vid=1),encap())))"),
        "eth_type(0x0800),ipv4(frag=maybe)",
        "tcp_flags(syn+ack)",
        "tcp_flags(+syn|ack)",
        "ct_label(0x111111111111111111111111111111111)",
        "mpls(label=1048576)",
        "tunnel(flags(bad))",
        ")"};
    struct key key, before, mask;
    memset(&before, 0x5a, sizeof before);
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        struct why why = {""};
        key = mask = before;
        CHECK(flow_parse(bad[i], port_of, NULL, &key, &mask, &why) < 0);
        CHECK(why.text[0]);
        CHECK_MEM(&key, &before, sizeof key);
        CHECK_MEM(&mask, &before, sizeof mask);
    }
    CHECK(flow_parse("tcp_flags(+syn)", NULL, NULL, &key, NULL, NULL) < 0);
    CHECK(flow_parse("eth_type(0x0800/0xff)", NULL, NULL, &key, NULL, NULL) < 0);
}

TEST(a_composed_frame_parses_to_its_key)
{
    static const char *const flows[] = {
        ("in_port(1)," E1
         ",eth_type(0x0800),ipv4(src=192.168.0.1,dst=192.168.0.2,proto=1,tos=0,ttl=64,frag=no),icmp(type=8,code=0)"),
        ("in_port(1)," E1
         ",eth_type(0x0800),ipv4(src=1.1.1.1,dst=2.2.2.2,proto=6,tos=4,ttl=1,frag=no),tcp(src=1,dst=80),tcp_flags("
         "psh|ack)"),
        ("in_port(1)," E1
         ",eth_type(0x0800),ipv4(src=1.1.1.1,dst=2.2.2.2,proto=17,tos=4,ttl=1,frag=first),udp(src=1,dst=80)"),
        ("in_port(1)," E1 ",eth_type(0x0800),ipv4(src=1.1.1.1,dst=2.2.2.2,proto=17,tos=4,ttl=1,frag=later)"),
        ("in_port(1)," E1
         ",eth_type(0x0800),ipv4(src=1.1.1.1,dst=2.2.2.2,proto=132,tos=4,ttl=1,frag=no),sctp(src=1,dst=80)"),
        ("in_port(1)," E1
         ",eth_type(0x0806),arp(sip=1.1.1.1,tip=1.1.1.2,op=1,sha=00:00:00:00:00:01,tha=00:00:00:00:00:02)"),
        ("in_port(1)," E1
         ",eth_type(0x8100),vlan(vid=5,pcp=3),encap(eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0x3,proto=17,"
         "tclass=0x1,hlimit=255,frag=no),udp(src=1,dst=2))"),
        ("in_port(1)," E1
         ",eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0,proto=58,tclass=0,hlimit=255,frag=no),icmpv6(type=135,"
         "code=0),nd(target=fe80::2,sll=50:54:00:00:00:05)"),
        ("in_port(1)," E1 ",eth_type(0x8847),mpls(label=100,tc=3,ttl=64,bos=1)"),
        ("in_port(1)," E1 ",eth_type(0x1234)"),
        ("in_port(1)," E1),
    };
    struct packet_pool *pool = packet_pool_new(4, 1);
    for (unsigned i = 0; i < ARRAY_SIZE(flows); i++) {
        struct key key, back;
        struct why why = {""};
        uint8_t frame[2000];
        if (flow_parse(flows[i], NULL, NULL, &key, NULL, &why))
            fail_msg("%s: %s", flows[i], why.text);
        int n = frame_compose(&key, NULL, 0, frame, sizeof frame);
        CHECK(n >= 14);
        struct packet *p = packet_from(pool, frame, n);
        p->in_port = 1;
        CHECK_EQ(key_parse(p, KEY_VLANS, &back), 0);
        back.ip6_exthdr = key.ip6_exthdr;
        back.nd_options_type = key.nd_options_type;
        if (memcmp(&key, &back, KEY_FRAME_BYTES)) {
            AUTO_TEXT struct text t = TEXT_INIT;
            flow_format(&back, NULL, NULL, NULL, &t);
            fail_msg("%s came back as %s", flows[i], text_str(&t));
        }
        packet_put(p);
        for (int room = 0; room < n; room++)
            CHECK_EQ(frame_compose(&key, NULL, 0, frame, room), -EINVAL);
    }
    packet_pool_free(pool);
}

static void
check_actions(const char *in, const char *out)
{
    struct actions a;
    struct why why = {""};
    AUTO_TEXT struct text t = TEXT_INIT;
    actions_init(&a);
    if (actions_parse(in, port_of, NULL, &a, &why))
        fail_msg("%s: %s", in, why.text);
    actions_format(a.bytes, a.len, name_of, NULL, &t);
    CHECK_STR(text_str(&t), out);
    actions_fini(&a);
}

TEST(actions_are_read_and_printed)
{
    check_actions("push_vlan(vid=5,pcp=0),2", "push_vlan(vid=5,pcp=0),2");
    check_actions("push_vlan(tpid=0x88a8,vid=5,pcp=1),p3", "push_vlan(tpid=0x88a8,vid=5,pcp=1),p3");
    check_actions("1,pop_vlan, set(vlan(vid=7,pcp=3)),trunc(100),3", "1,pop_vlan,set(vlan(vid=7,pcp=3)),trunc(100),p3");
    check_actions("userspace(pid=12,slow_path(stp))", "userspace(pid=0,slow_path(stp))");
    check_actions("drop", "drop");
    check_actions("", "drop");
    static const char *const bad[] = {"bogus",     "p4",      "1,,x",       "push_vlan(vid=5000)", "trunc(3)",
                                      "trunc(100", "1 2 (3)", "pop_vlan()", "set(eth())",          "userspace(pid=1)"};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        struct actions a;
        struct why why = {""};
        actions_init(&a);
        CHECK(actions_parse(bad[i], port_of, NULL, &a, &why) < 0);
        CHECK(why.text[0]);
        CHECK_EQ(a.len, 0);
        actions_fini(&a);
    }
}

TEST(changed_headers_are_printed_as_sets)
{
    struct key keys[2];
    struct actions a;
    AUTO_TEXT struct text t = TEXT_INIT;
    CHECK_EQ(flow_parse("in_port(1)," E1
                        ",eth_type(0x0800),ipv4(src=1.1.1.1,dst=2.2.2.2,proto=6,ttl=64),tcp(src=1,dst=2)",
                        NULL, NULL, &keys[0], NULL, NULL),
             0);
    keys[1] = keys[0];
    keys[1].eth_dst.b[5] = 9;
    keys[1].ip_ttl = 63;
    keys[1].tp_dst = be16_of(8080);
    uint8_t both[2 * KEY_FRAME_BYTES];
    memcpy(both, &keys[0], KEY_FRAME_BYTES);
    memcpy(both + KEY_FRAME_BYTES, &keys[1], KEY_FRAME_BYTES);
    actions_init(&a);
    actions_add(&a, ACT_SET_HEADERS, 0, both, sizeof both);
    actions_add(&a, ACT_OUTPUT, 3, NULL, 0);
    actions_format(a.bytes, a.len, NULL, NULL, &t);
    CHECK_STR(text_str(&t), "set(eth(dst=50:54:00:00:00:09)),set(ipv4(ttl=63)),set(tcp(dst=8080)),3");
    actions_fini(&a);
}

TESTS(what_the_field_prints_is_read_and_printed_the_same, other_ways_to_say_it_are_read_too,
      the_verbose_form_shows_what_is_hidden, an_exact_key_is_printed_whole,
      nonsense_is_refused_with_a_sentence_and_changes_nothing, a_composed_frame_parses_to_its_key,
      actions_are_read_and_printed, changed_headers_are_printed_as_sets)
