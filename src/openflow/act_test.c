#include "base/test.h"
#include "openflow/act.h"

static void
check_text(const char *in, const char *want, enum of_version v)
{
    AUTO_OA_LIST struct oa_list list = OA_LIST_INIT, back = OA_LIST_INIT;
    struct why why = {""};
    if (oa_parse(in, NULL, true, v, &list, &why))
        fail_msg("%s: %s", in, why.text);
    AUTO_TEXT struct text out = TEXT_INIT;
    oa_format(list.bytes, list.len, NULL, &out);
    CHECK_STR(text_str(&out), want);

    AUTO_TEXT struct text wire = TEXT_INIT;
    if (v == OF10)
        oa_encode_actions(list.bytes, list.len, v, &wire);
    else
        oa_encode_instructions(list.bytes, list.len, v, &wire);
    CHECK_EQ(wire.len % 8, 0);
    struct cursor c = cursor_of(text_str(&wire), wire.len);
    enum of_error err = v == OF10 ? oa_decode_actions(&c, v, &back) : oa_decode_instructions(&c, v, &back);
    if (err)
        fail_msg("%s: %s", in, of_error_name(err));
    text_cut(&out, 0);
    oa_format(back.bytes, back.len, NULL, &out);
    CHECK_STR(text_str(&out), want);
}

TEST(actions_of_every_version_come_back)
{
    static const char *const same[] = {
        "drop",
        "output:1",
        "LOCAL",
        "NORMAL",
        "FLOOD",
        "ALL",
        "IN_PORT",
        "CONTROLLER:128",
        "controller(max_len=100,id=5)",
        "controller(userdata=00.01.02,pause)",
        "controller(reason=invalid_ttl,meter_id=3)",
        "output(port=1,max_len=100)",
        "output:NXM_NX_REG0[]",
        "output:NXM_NX_REG1[0..15]",
        "bundle(eth_src,0,hrw,ofport,members:1,2,3)",
        "bundle_load(symmetric_l4,60,active_backup,ofport,NXM_NX_REG0[],members:4)",
        "load:0x5->NXM_NX_REG0[]",
        "load:0->NXM_NX_REG0[0..3]",
        "load:0x1->NXM_NX_CT_MARK[31]",
        "push:NXM_NX_REG2[0..15]",
        "pop:NXM_OF_IN_PORT[]",
        "resubmit(,3)",
        "resubmit:5",
        "resubmit(5,6)",
        "resubmit(,3,ct)",
        "learn(table=1,hard_timeout=300,priority=1,cookie=0x99,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[]"
        ",load:0->NXM_OF_VLAN_TCI[],"
        "load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],output:NXM_OF_IN_PORT[])",
        "learn(table=2,idle_timeout=10,send_flow_rem,delete_learned,limit=4,result_dst=NXM_NX_REG0[8],eth_type=0x0800,"
        "nw_proto=6)",
        "fin_timeout(idle_timeout=1,hard_timeout=2)",
        "multipath(eth_src,50,modulo_n,12,0,NXM_NX_REG0[])",
        "conjunction(1234,1/2)",
        "note:11.e9.9a.ad.67.f3",
        "exit",
        "sample(probability=1,collector_set_id=2,obs_domain_id=3,obs_point_id=4)",
        "sample(probability=1,collector_set_id=2,obs_domain_id=3,obs_point_id=4,sampling_port=5,egress)",
        "ct(commit,zone=5)",
        "ct(commit,force,table=3,zone=NXM_NX_REG6[0..15],nat(src=10.0.0.1-10.0.0.9:100-200,hash),exec(load:0x1->NXM_NX_"
        "CT_MARK[]),alg=ftp)",
        "ct(nat)",
        "ct(commit,nat(dst=[fe80::1-fe80::9]:80))",
        "ct_clear",
        "clone(load:0x1->NXM_NX_REG0[],output:2)",
        "check_pkt_larger(1500)->NXM_NX_REG0[3]",
        "encap(nsh(md_type=1))",
        "encap(ethernet)",
        "decap()",
        "decap(packet_type(ns=1,type=0x894f))",
        "dec_nsh_ttl",
        "dec_ttl",
        "dec_ttl(1,2)",
        "pop_queue",
        "output:1,output:2,output:3"};
    for (size_t i = 0; i < ARRAY_SIZE(same); i++)
        for (int v = OF10; v < OF_N; v++)
            if (v < OF15 || !strstr(same[i], "load:")) /* 1.5 says it with set_field */
                check_text(same[i], same[i], v);
}

TEST(each_version_has_its_own_words)
{
    static const char *const of10[] = {
        "mod_vlan_vid:5",     "mod_vlan_pcp:3",           "strip_vlan",    "mod_dl_src:00:11:22:33:44:55",
        "mod_nw_dst:1.2.3.4", "mod_nw_tos:184",           "mod_tp_dst:80", "enqueue:1:2",
        "set_tunnel:0x5",     "set_tunnel64:0x100000000", "set_queue:7"};
    for (size_t i = 0; i < ARRAY_SIZE(of10); i++)
        check_text(of10[i], of10[i], OF10);
    static const char *const of13[] = {"set_field:00:11:22:33:44:55->eth_src",
                                       "set_field:10.0.0.1->nw_dst",
                                       "set_field:0x5->reg3",
                                       "push_vlan:0x8100,set_field:0x1005->vlan_vid",
                                       "pop_vlan",
                                       "push_mpls:0x8847",
                                       "pop_mpls:0x0800",
                                       "group:5",
                                       "copy_ttl_in",
                                       "copy_ttl_out",
                                       "dec_mpls_ttl",
                                       "push_pbb:0x88e7",
                                       "move:NXM_NX_REG0[]->NXM_NX_REG1[]",
                                       "meter:3,output:1",
                                       "write_actions(output:1,group:3)",
                                       "clear_actions",
                                       "write_metadata:0xabc/0xfff",
                                       "goto_table:5",
                                       "output:1,clear_actions,write_actions(output:2),goto_table:9"};
    for (size_t i = 0; i < ARRAY_SIZE(of13); i++)
        for (int v = OF13; v < OF_N; v++)
            if (!(v == OF15 && strstr(of13[i], "meter")))
                check_text(of13[i], of13[i], v);
    check_text("set_field:0x5/0xff->reg3", "set_field:0x5/0xff->reg3", OF15);
}

TEST(nonsense_is_refused_with_a_sentence)
{
    static const char *const bad[] = {"frobnicate",
                                      "output",
                                      "output:nowhere",
                                      "output(port=1,max_len=3)",
                                      "load:5",
                                      "load:0x100->NXM_NX_REG0[0..7]",
                                      "set_field:5->nothing",
                                      "set_field:1->ct_state",
                                      "move:NXM_NX_REG0[]->NXM_NX_REG0[0..7]",
                                      "resubmit(,999)",
                                      "conjunction(1,3/2)",
                                      "ct(commit",
                                      "ct(exec(output:1))",
                                      "ct(force)",
                                      "nat(src=1.2.3)",
                                      "ct(nat(src=10.0.0.9-10.0.0.1))",
                                      "push_vlan:0x1234",
                                      "note:0",
                                      "drop,output:1",
                                      "write_actions(goto_table:1)",
                                      "goto_table:1,goto_table:2",
                                      "multipath(eth_src,50,modulo_n,0,0,NXM_NX_REG0[])",
                                      "bundle(eth_src,0,hrw,ofport)",
                                      "check_pkt_larger(5)->NXM_NX_REG0[]",
                                      "learn(table=255)",
                                      "mod_vlan_vid:5000",
                                      "clone(clone(clone(clone(clone(clone(clone(clone(clone(clone(output:1))))))))))"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        AUTO_OA_LIST struct oa_list list = OA_LIST_INIT;
        struct why why = {""};
        if (!oa_parse(bad[i], NULL, true, OF13, &list, &why))
            fail_msg("accepted: %s", bad[i]);
        CHECK(*why.text);
        CHECK_EQ(list.len, 0);
    }
}

TESTS(actions_of_every_version_come_back, each_version_has_its_own_words, nonsense_is_refused_with_a_sentence)
