#include "base/test.h"
#include "openflow/oxm.h"

static void
round_trip(const char *text, enum of_version v, bool nxm)
{
    struct match in, out;
    struct why why;
    CHECK_EQ(match_parse(text, NULL, &in, &why), 0);
    AUTO_TEXT struct text wire = TEXT_INIT;
    oxm_put_match(&in, v, nxm, 0, 0, &wire);
    struct cursor c = cursor_of(text_str(&wire), wire.len);
    CHECK_EQ(oxm_get_match(&c, false, &out, NULL, NULL), OFERR_OK);
    AUTO_TEXT struct text back = TEXT_INIT;
    match_format(&out, NULL, false, &back);
    AUTO_TEXT struct text want = TEXT_INIT;
    match_format(&in, NULL, false, &want);
    CHECK_STR(text_str(&back), text_str(&want));
}

TEST(matches_come_back_from_the_wire)
{
    static const char *const texts[] = {"",
                                        "in_port=3",
                                        "in_port=LOCAL",
                                        "tcp,nw_src=10.0.0.0/8,tp_dst=80",
                                        "udp6,tp_src=53",
                                        "icmp,icmp_type=8",
                                        "icmp6,icmpv6_type=135,nd_target=fe80::1",
                                        "dl_vlan=5,dl_vlan_pcp=3",
                                        "vlan_tci=0x0000/0x1fff",
                                        "ip,nw_tos=184,nw_ecn=2",
                                        "arp,arp_op=1,arp_spa=1.2.3.4,arp_sha=00:11:22:33:44:55",
                                        "mpls,mpls_label=5,mpls_bos=1",
                                        "reg0=0x5,reg15=0x1/0xf,metadata=0xabc",
                                        "ct_state=+est+trk,ct_zone=3,ct_mark=5,ct_label=0x1/0xff",
                                        "tun_id=0x77,tun_src=1.1.1.1",
                                        "ip,nw_frag=later,nw_ttl=3",
                                        "sctp,tp_dst=9",
                                        "tcp,tcp_flags=+syn-ack"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        round_trip(texts[i], OF13, false);
        round_trip(texts[i], OF15, false);
        if (!strstr(texts[i], "sctp") && !strstr(texts[i], "mpls") && !strstr(texts[i], "metadata"))
            round_trip(texts[i], OF10, true);
    }
}

static enum of_error
decode(const char *hex)
{
    uint8_t bytes[256];
    size_t n = 0;
    for (unsigned b; sscanf(hex, "%2x", &b) == 1; hex += 2)
        bytes[n++] = b;
    struct cursor c = cursor_of(bytes, n);
    struct match m;
    return oxm_get_match(&c, false, &m, NULL, NULL);
}

TEST(each_fault_has_its_own_error)
{
    CHECK_EQ(decode("80000004"
                    "00000001"),
             OFERR_OK);
    CHECK_EQ(decode("8000000400"), OFERR_OFPBMC_BAD_LEN);
    CHECK_EQ(decode("80000002"
                    "0001"),
             OFERR_OFPBMC_BAD_LEN);
    CHECK_EQ(decode("80007802"
                    "0000"),
             OFERR_OFPBMC_BAD_FIELD);
    CHECK_EQ(decode("80000004"
                    "00000001"
                    "80000004"
                    "00000001"),
             OFERR_OFPBMC_DUP_FIELD);
    CHECK_EQ(decode("80001604"
                    "0a000001"),
             OFERR_OFPBMC_BAD_PREREQ);
    CHECK_EQ(decode("80000a02"
                    "0800"
                    "80001708"
                    "0a000001"
                    "ffffff00"),
             OFERR_OFPBMC_BAD_WILDCARDS);
    CHECK_EQ(decode("80000a02"
                    "0800"
                    "80001001"
                    "40"),
             OFERR_OFPBMC_BAD_VALUE);
    CHECK_EQ(decode("80000b04"
                    "0800"
                    "ff00"),
             OFERR_OFPBMC_BAD_MASK);
}

TEST(names_lead_to_headers_and_back)
{
    static const char *const names[] = {"NXM_OF_IN_PORT",  "OXM_OF_ETH_DST",   "NXM_NX_REG7",
                                        "OXM_OF_PKT_REG3", "NXM_NX_TUN_ID",    "OXM_OF_TUNNEL_ID",
                                        "NXM_OF_IP_SRC",   "OXM_OF_IPV4_SRC",  "NXM_NX_CT_LABEL",
                                        "NXM_NX_XXREG2",   "NXM_NX_ND_TARGET", "OXM_OF_IPV6_ND_TARGET"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        oxm_header h;
        CHECK(oxm_header_by_name(names[i], &h));
        CHECK_STR(oxm_header_name(h), names[i]);
    }
    oxm_header h;
    CHECK(oxm_header_by_name("NXM_OF_IN_PORT", &h));
    CHECK_EQ(h, 0x00000002);
    CHECK(oxm_header_by_name("NXM_NX_REG1_W", &h));
    CHECK_EQ(h, 0x00010308);
    CHECK(!oxm_header_by_name("NXM_NX_NOTHING", &h));
}

TEST(errors_have_a_number_in_each_version)
{
    for (int e = 1; e < OFERR_N; e++)
        for (int v = OF10; v < OF_N; v++) {
            uint32_t vendor;
            uint16_t type, code;
            AUTO_TEXT struct text msg = TEXT_INIT;
            of_error_encode(e, v, 0x12345678, "request", 7, &msg);
            CHECK_EQ(load_be16(msg.s + 2), msg.len);
            const void *payload;
            size_t n;
            enum of_error back = of_error_decode(msg.s, msg.len, &payload, &n);
            CHECK_EQ(n, 7);
            CHECK(!memcmp(payload, "request", 7));
            if (!of_error_numbers(e, v, &vendor, &type, &code)) {
                CHECK_EQ(back, OFERR_NXBRC_UNENCODABLE_ERROR);
                continue;
            }
            /* Two names may share a number: the numbers agree. */
            uint32_t vendor2;
            uint16_t type2, code2;
            CHECK(of_error_numbers(back, v, &vendor2, &type2, &code2));
            CHECK(vendor == vendor2 && type == type2 && code == code2);
        }
}

TESTS(matches_come_back_from_the_wire, each_fault_has_its_own_error, names_lead_to_headers_and_back,
      errors_have_a_number_in_each_version)
