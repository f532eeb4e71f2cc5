#include "base/test.h"
#include "flow/match.h"

/* Parses, prints, and compares with 'want' (NULL: the same text). */
static void
round_trip(const char *in, const char *want)
{
    struct match m;
    struct why why = {""};
    if (match_parse(in, NULL, &m, &why))
        fail_msg("%s: %s", in, why.text);
    AUTO_TEXT struct text out = TEXT_INIT;
    match_format(&m, NULL, false, &out);
    CHECK_STR(text_str(&out), want ? want : in);
}

TEST(every_bit_of_every_field_goes_in_and_out)
{
    for (size_t i = 0; i < FIELD_N; i++)
        for (unsigned bit = 0; bit < fields[i].n_bits; bit++) {
            struct key key;
            memset(&key, 0, sizeof key);
            union field_value v = {.d = {0, 0}}, got;
            v.b[15 - bit / 8] = 1 << (bit % 8);
            field_set(&fields[i], &v, &key);
            field_get(&fields[i], &key, &got);
            CHECK_MEM(&v, &got, sizeof v);
            size_t n_ones = 0;
            for (size_t k = 0; k < sizeof key; k++)
                n_ones += __builtin_popcount(((uint8_t *) &key)[k]);
            CHECK_EQ(n_ones, 1);
        }
}

TEST(matches_print_as_they_were_written)
{
    static const char *const same[] = {"in_port=1",
                                       "in_port=LOCAL",
                                       "dl_vlan=9",
                                       "dl_vlan=9,dl_vlan_pcp=3",
                                       "vlan_tci=0x0000",
                                       "vlan_tci=0x0000/0x1fff",
                                       "dl_src=01:02:03:04:05:06",
                                       "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00",
                                       "ip,nw_dst=10.0.0.0/8",
                                       "tcp,tp_dst=80",
                                       "tcp,tp_dst=0x50/0xfff0",
                                       "udp6,ipv6_src=fe80::/64",
                                       "arp,arp_spa=10.0.0.1,arp_op=1",
                                       "icmp,icmp_type=8,icmp_code=0",
                                       "ip,nw_tos=184,nw_ecn=1",
                                       "ip,nw_frag=not_later",
                                       "ct_state=+new-est+trk,ip",
                                       "ct_state=+est,ct_zone=5,ct_mark=0x1/0xff",
                                       "reg0=0x5,metadata=0x1/0xf",
                                       "tun_id=0x64",
                                       "tcp,tcp_flags=+syn-ack",
                                       "ct_label=0x1000000000000000f",
                                       "mpls,mpls_label=100,mpls_tc=3,mpls_bos=1",
                                       "dl_type=0x88cc",
                                       "conj_id=7,pkt_mark=0x1"};
    /* what is printed first does not depend on what was written first */
    for (size_t i = 0; i + 1 < ARRAY_SIZE(same); i++)
        round_trip(same[i], NULL);
    round_trip("conj_id=7,pkt_mark=1", "pkt_mark=0x1,conj_id=7");
    round_trip("nw_dst=1.2.3.4/255.0.255.0,ip", "ip,nw_dst=1.0.3.0/255.0.255.0");
    round_trip("dl_type=0x0800,nw_proto=6,tp_src=5", "tcp,tp_src=5");
    round_trip("xreg0=0x100000002", "reg0=0x1,reg1=0x2");
    round_trip("dl_vlan=0xffff", "vlan_tci=0x0000");
    round_trip("", "");
}

TEST(what_makes_no_sense_is_refused)
{
    static const char *const bad[] = {"nonsense=1",
                                      "in_port=",
                                      "dl_vlan=4096",
                                      "dl_src=1:2",
                                      "nw_src=1.2.3",
                                      "ip,nw_tos=1",
                                      "tcp,tp_dst=65536",
                                      "ct_state=+new+bogus",
                                      "ip,nw_frag=maybe",
                                      "in_port=99999999999",
                                      "reg0=0x1ffffffff",
                                      "conj_id=1/3",
                                      "frob"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct match m = {.key.port = 77};
        struct why why = {""};
        CHECK(match_parse(bad[i], NULL, &m, &why) < 0);
        CHECK(*why.text);
        CHECK_EQ(m.key.port, 77);
    }
}

TEST(a_key_prints_what_its_frame_has)
{
    struct key k;
    memset(&k, 0, sizeof k);
    k.in_port = be32_of(1);
    k.eth_type = be16_of(0x0800);
    k.ip_proto = 17;
    k.ip_ttl = 64;
    k.tp_dst = be16_of(53);
    AUTO_TEXT struct text out = TEXT_INIT;
    key_format(&k, NULL, &out);
    CHECK_STR(
        text_str(&out),
        "udp,in_port=1,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,nw_src=0.0.0.0,nw_dst=0.0.0.0,"
        "nw_tos=0,nw_ecn=0,nw_ttl=64,nw_frag=no,tp_src=0,tp_dst=53");
}

TESTS(every_bit_of_every_field_goes_in_and_out, matches_print_as_they_were_written, what_makes_no_sense_is_refused,
      a_key_prints_what_its_frame_has)
