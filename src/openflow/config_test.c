#include "base/test.h"
#include "openflow/config.h"
#include "openflow/packet_msg.h"
#include "openflow/port.h"

/* Sizes that the standards print. */
TEST(descriptions_have_the_sizes_of_each_version)
{
    static const unsigned port[OF_N] = {0, 48, 64, 64, 64, 72, 72}, counts[OF_N] = {0, 104, 104, 104, 112, 120, 120};
    static const unsigned table[OF_N] = {0, 64, 88, 128, 24, 24, 24}, features[OF_N] = {0, 32, 32, 32, 32, 32, 32};
    for (int v = OF10; v < OF_N; v++) {
        AUTO_TEXT struct text t = TEXT_INIT;
        port_desc_encode(&(struct port_desc){.number = 1, .name = "p1"}, v, &t);
        CHECK_EQ(t.len, port[v]);
        text_cut(&t, 0);
        port_counts_encode(1, &(struct port_counts){0}, v, &t);
        CHECK_EQ(t.len, counts[v]);
        text_cut(&t, 0);
        table_counts_encode(&(struct table_counts){.name = "classifier"}, v, &t);
        CHECK_EQ(t.len, table[v]);
        text_cut(&t, 0);
        of_msg_finish(&t, features_reply_start(&(struct switch_features){.datapath_id = 1}, v, 7, &t));
        CHECK_EQ(t.len, features[v]);
    }
}

TEST(hellos_tell_versions_with_and_without_a_bitmap)
{
    uint32_t versions;
    for (uint32_t set = 2; set <= OF_ALL; set += 2) {
        AUTO_TEXT struct text t = TEXT_INIT;
        hello_encode(set, 1, &t);
        CHECK_EQ(hello_decode(t.s, t.len, &versions), OFERR_OK);
        CHECK_EQ(versions, set);
    }
    CHECK_EQ(hello_decode("\x04\0\0\x08\0\0\0\1", 8, &versions), OFERR_OK);
    CHECK_EQ(versions, 0x1e);
    CHECK_EQ(hello_decode("\x63\0\0\x08\0\0\0\1", 8, &versions), OFERR_OK);
    CHECK_EQ(versions, OF_ALL);
}

TEST(a_packet_out_keeps_its_frame_and_refuses_strange_ports)
{
    struct packet_out po;
    struct of_msg_info info;
    AUTO_OA_LIST struct oa_list acts = OA_LIST_INIT;
    static const uint8_t good[] = {1,    13, 0, 26, 0, 0, 0, 1, 255, 255, 255, 255, 0xff,
                                   0xfd, 0,  8, 0,  0, 0, 8, 0, 2,   0,   0,   'h', 'i'};
    CHECK_EQ(of_msg_identify(good, sizeof good, &info), OFERR_OK);
    CHECK_EQ(packet_out_decode(&info, &po, &acts), OFERR_OK);
    CHECK_EQ(po.in_port, 0xfffffffd);
    CHECK_EQ(po.len, 2);
    CHECK(!memcmp(po.frame, "hi", 2));
    uint8_t bad[sizeof good];
    memcpy(bad, good, sizeof bad);
    bad[13] = 0xfb; /* from FLOOD? */
    CHECK_EQ(of_msg_identify(bad, sizeof bad, &info), OFERR_OK);
    CHECK_EQ(packet_out_decode(&info, &po, &acts), OFERR_OFPBRC_BAD_PORT);
}

TESTS(descriptions_have_the_sizes_of_each_version, hellos_tell_versions_with_and_without_a_bitmap,
      a_packet_out_keeps_its_frame_and_refuses_strange_ports)
