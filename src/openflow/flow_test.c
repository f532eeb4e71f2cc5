#include "base/test.h"
#include "openflow/flow.h"
#include "openflow/wire_match.h"

static const char *const matches[] = {"",
                                      "in_port=1",
                                      "tcp,nw_src=10.0.0.0/8,tp_dst=80",
                                      "dl_vlan=7,dl_vlan_pcp=3",
                                      "arp,arp_op=1,arp_tpa=1.2.3.4",
                                      "icmp,icmp_type=8",
                                      "dl_src=00:11:22:33:44:55,dl_type=0x88cc",
                                      "ip,nw_tos=184",
                                      "udp,in_port=LOCAL,tp_src=53"};

static void
parse(const char *text, struct match *m)
{
    struct why why;
    CHECK_EQ(match_parse(text, NULL, m, &why), 0);
}

TEST(the_fixed_matches_say_what_they_can)
{
    for (size_t i = 0; i < ARRAY_SIZE(matches); i++) {
        struct match in, out;
        parse(matches[i], &in);
        CHECK(of10_match_can(&in));
        AUTO_TEXT struct text t = TEXT_INIT;
        of10_match_put(&in, &t);
        CHECK_EQ(t.len, 40);
        struct cursor c = cursor_of(t.s, t.len);
        CHECK_EQ(of10_match_get(&c, &out), OFERR_OK);
        CHECK_MEM(&in, &out, sizeof in);
        for (int v = OF11; v < OF_N; v++) {
            text_cut(&t, 0);
            of_match_put(&in, v, &t);
            CHECK_EQ(t.len % 8, 0);
            c = cursor_of(t.s, t.len);
            CHECK_EQ(of_match_get(&c, v, false, &out), OFERR_OK);
            CHECK_EQ(cur_left(&c), 0);
            CHECK_MEM(&in, &out, sizeof in);
        }
    }
    static const char *const too_much[] = {"reg0=1",
                                           "tun_id=5",
                                           "ipv6",
                                           "dl_src=00:00:00:00:00:01/00:00:00:00:00:ff",
                                           "ip,nw_src=1.0.0.1/255.0.0.255",
                                           "tcp,tp_dst=0x50/0xfff0"};
    for (size_t i = 0; i < ARRAY_SIZE(too_much); i++) {
        struct match m;
        parse(too_much[i], &m);
        if (strcmp(too_much[i], "ipv6"))
            CHECK(!of10_match_can(&m));
    }
}

TEST(a_flow_mod_comes_back_in_every_version)
{
    for (size_t i = 0; i < ARRAY_SIZE(matches); i++)
        for (int v = OF10; v < OF_N; v++)
            for (int command = FLOW_ADD; command <= FLOW_DELETE_STRICT; command++) {
                AUTO_OA_LIST struct oa_list acts = OA_LIST_INIT, back = OA_LIST_INIT;
                struct why why;
                CHECK_EQ(oa_parse("output:1,resubmit(,3)", NULL, true, v, &acts, &why), 0);
                struct flow_mod fm = {.command = command,
                                      .table = 3,
                                      .priority = 77,
                                      .idle_timeout = 5,
                                      .hard_timeout = 6,
                                      .buffer_id = UINT32_MAX,
                                      .out_port = OF_PORT_ANY,
                                      .out_group = OF_GROUP_ANY,
                                      .flags = FLOW_SEND_REMOVED,
                                      .actions = acts.bytes,
                                      .actions_len = acts.len};
                fm.new_cookie = command == FLOW_ADD ? 0x1234 : UINT64_MAX;
                fm.cookie = command == FLOW_ADD ? 0 : 0x12;
                fm.cookie_mask = command == FLOW_ADD ? 0 : 0xff;
                parse(matches[i], &fm.match);
                AUTO_TEXT struct text t = TEXT_INIT;
                flow_mod_encode(&fm, v, true, 99, &t);
                struct of_msg_info info;
                CHECK_EQ(of_msg_identify(t.s, t.len, &info), OFERR_OK);
                CHECK_EQ(info.xid, 99);
                struct flow_mod got;
                CHECK_EQ(flow_mod_decode(&info, true, &got, &back), OFERR_OK);
                CHECK_EQ(got.command, fm.command);
                CHECK_EQ(got.table, 3);
                CHECK_EQ(got.priority, 77);
                CHECK_MEM(&got.match, &fm.match, sizeof fm.match);
                CHECK_EQ(got.cookie_mask, fm.cookie_mask);
                CHECK_EQ(got.cookie, fm.cookie);
                if (command == FLOW_ADD)
                    CHECK_EQ(got.new_cookie, 0x1234);
                CHECK_EQ(got.actions_len, command >= FLOW_DELETE ? 0 : acts.len);
            }
}

TEST(long_answers_are_cut_into_messages)
{
    for (int v = OF10; v < OF_N; v++) {
        AUTO_OA_LIST struct oa_list acts = OA_LIST_INIT;
        struct why why;
        CHECK_EQ(oa_parse("output:1", NULL, true, v, &acts, &why), 0);
        AUTO_TEXT struct text t = TEXT_INIT;
        struct of_multi m = of_multi_begin(&t, OFMSG_FLOW_DESC_REPLY, v, 5, v == OF10);
        for (unsigned i = 0; i < 2000; i++) {
            struct flow_entry f = {.table = 1,
                                   .priority = i,
                                   .cookie = i,
                                   .packets = i,
                                   .bytes = 60 * i,
                                   .actions = acts.bytes,
                                   .actions_len = acts.len};
            parse("tcp,tp_dst=80", &f.match);
            size_t at = of_multi_entry(&m);
            flow_entry_encode(&f, &m);
            of_multi_entry_done(&m, at);
        }
        of_multi_end(&m);
        unsigned n = 0, n_messages = 0;
        bool last = false;
        for (size_t at = 0; at < t.len;) {
            struct of_header h;
            struct of_msg_info info;
            CHECK(of_header_get(t.s + at, t.len - at, &h));
            CHECK_EQ(of_msg_identify(t.s + at, h.len, &info), OFERR_OK);
            last = !(info.flags & 1);
            n_messages++;
            for (bool more = true; more;) {
                struct flow_entry f;
                AUTO_OA_LIST struct oa_list got = OA_LIST_INIT;
                CHECK_EQ(flow_entry_decode(&info, &info.body, &f, &got, &more), OFERR_OK);
                if (more) {
                    CHECK_EQ(f.priority, n);
                    CHECK_EQ(f.packets, n);
                    n++;
                }
            }
            at += h.len;
        }
        CHECK_EQ(n, 2000);
        CHECK(n_messages > 1);
        CHECK(last);
    }
}

TEST(messages_nobody_knows_get_the_standard_error)
{
    struct of_msg_info info;
    CHECK_EQ(of_msg_identify("\x01\x63\0\x08\0\0\0\1", 8, &info), OFERR_OFPBRC_BAD_TYPE);
    CHECK_EQ(of_msg_identify("\x09\x05\0\x08\0\0\0\1", 8, &info), OFERR_OFPBRC_BAD_VERSION);
    CHECK_EQ(of_msg_identify("\x09\x00\0\x08\0\0\0\1", 8, &info), OFERR_OK);
    CHECK_EQ(of_msg_identify("\x01\x05\0\x09\0\0\0\1", 8, &info), OFERR_OFPBRC_BAD_LEN);
    CHECK_EQ(of_msg_identify("\x04\x12\0\x10\0\0\0\1\0\x63\0\0\0\0\0\0", 16, &info), OFERR_OFPBRC_BAD_STAT);
    CHECK_EQ(of_msg_identify("\x01\x04\0\x10\0\0\0\1\0\0\x23\x21\0\0\0\x0a", 16, &info), OFERR_OFPBRC_BAD_VENDOR);
    CHECK_EQ(of_msg_identify("\x01\x04\0\x10\0\0\0\1\0\0\x23\x20\0\0\3\xe8", 16, &info), OFERR_OFPBRC_BAD_SUBTYPE);
    CHECK_EQ(of_msg_identify("\x01\x04\0\x10\0\0\0\1\0\0\x23\x20\0\0\0\x0a", 16, &info), OFERR_OK);
    CHECK_EQ(info.msg, OFMSG_ROLE_REQUEST);
}

TESTS(the_fixed_matches_say_what_they_can, a_flow_mod_comes_back_in_every_version, long_answers_are_cut_into_messages,
      messages_nobody_knows_get_the_standard_error)
