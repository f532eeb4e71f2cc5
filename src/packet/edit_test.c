#include "packet/csum.h"
#include "packet/edit.h"
#include "packet/gso.h"
#include "packet/sample.h"
#include "packet/wire.h"
#include "base/test.h"

static const uint8_t *
flat(const struct packet *p)
{
    static uint8_t bytes[PACKET_MAX_LEN];
    CHECK(packet_read(p, 0, bytes, p->len));
    return bytes;
}

/* Another value for some members that packet_set_headers() may change in a frame of this shape. */
static void
mutate(struct dice *d, struct key *k)
{
#define SOMETIMES(member)                                                                                              \
    do {                                                                                                               \
        if (!dice_roll(d, 3))                                                                                          \
            for (size_t i_ = 0; i_ < sizeof k->member; i_++)                                                           \
                ((uint8_t *) &k->member)[i_] = dice_roll(d, 256);                                                      \
    } while (0)
    SOMETIMES(eth_dst);
    SOMETIMES(eth_src);
    switch (host16(k->eth_type)) {
    case ETHERTYPE_IP4:
        SOMETIMES(ip_src);
        SOMETIMES(ip_dst);
        SOMETIMES(ip_tos);
        SOMETIMES(ip_ttl);
        break;
    case ETHERTYPE_IP6:
        SOMETIMES(ip6_src);
        SOMETIMES(ip6_dst);
        SOMETIMES(ip_tos);
        SOMETIMES(ip_ttl);
        SOMETIMES(ip6_label);
        k->ip6_label &= be32_of(0xfffff);
        break;
    case ETHERTYPE_ARP:
        SOMETIMES(arp_op);
        SOMETIMES(arp_sha);
        SOMETIMES(arp_tpa);
        break;
    case ETHERTYPE_NSH:
        SOMETIMES(nsh_ttl);
        k->nsh_ttl &= 63;
        SOMETIMES(nsh_spi_si);
        if (k->nsh_mdtype == 1)
            SOMETIMES(nsh_c);
        break;
    case ETHERTYPE_MPLS_UC:
        SOMETIMES(mpls[0]);
        k->mpls[0] &= be32_of(0xfffffeff);
        k->mpls[0] |= k->mpls[1] ? 0 : be32_of(0x100);
        break;
    }
    if (k->ip_frag & IP_FRAG_LATER)
        return;
    if (k->ip_proto == PROTO_TCP || k->ip_proto == PROTO_UDP || k->ip_proto == PROTO_SCTP) {
        SOMETIMES(tp_src);
        SOMETIMES(tp_dst);
    }
    if (!mac_is_zero(k->nd_sll)) {
        SOMETIMES(nd_sll);
        k->nd_sll.b[0] |= 2;
    }
    if (!mac_is_zero(k->nd_tll)) {
        SOMETIMES(nd_tll);
        k->nd_tll.b[0] |= 2;
    }
    if (k->icmp_type == ND_SOLICIT && k->nd_options_type)
        SOMETIMES(nd_target);
    if (k->ip_proto == PROTO_ICMP && k->eth_type == be16_of(ETHERTYPE_IP4)) {
        SOMETIMES(icmp_type);
        SOMETIMES(icmp_code);
    }
}

/* False where the walk over extension headers ended at its bound: what carries the checksum is then unknown. */
static bool
is_transport(uint8_t proto)
{
    return proto != PROTO_HOPOPTS && proto != PROTO_DSTOPTS && proto != PROTO_ROUTING && proto != PROTO_FRAGMENT &&
           proto != PROTO_AH;
}

/* The twin of RFC 1624: the sums are computed anew from the changed frame.  Routing headers are tried elsewhere. */
TEST(changed_headers_read_as_wanted_and_every_sum_still_holds)
{
    struct packet_pool *pool = packet_pool_new(4, 2);
    struct dice d = {0xed17};
    unsigned n_changed = 0;
    for (int i = 0; i < 100000; i++) {
        uint8_t frame[SAMPLE_MAX];
        size_t n = sample_frame(&d, SAMPLE_SANE, frame);
        struct packet *p = sample_packet(pool, frame, n, i % 2 ? 200 + dice_roll(&d, 400) : 0);
        struct key from, to, is;
        CHECK_EQ(key_parse(p, 2, &from), 0);
        to = from;
        mutate(&d, &to);
        if (to.ip6_exthdr & be16_of(1 << 5))
            to.ip6_dst = from.ip6_dst;
        bool is_too_deep = from.ip6_exthdr && !is_transport(from.ip_proto);
        if (from.ip_frag || !p->l4_ofs || is_too_deep ||
            (from.vlan[1].tpid && host16(from.eth_type) == ETHERTYPE_CVLAN)) {
            packet_put(p);
            continue;
        }
        CHECK(packet_set_headers(p, &from, &to));
        CHECK_EQ(key_parse(p, 2, &is), 0);
        if (memcmp(&is, &to, sizeof is))
            fail_msg("frame %d (seed 0xed17) does not say what it was told to", i);
        if (!sample_sums_hold(flat(p), p->len))
            fail_msg("frame %d (seed 0xed17) has a wrong sum", i);
        n_changed += memcmp(&from, &to, sizeof to) != 0;
        packet_put(p);
    }
    CHECK(n_changed > 20000);
    packet_pool_free(pool);
}

/* Puts the pseudo header's sum where the checksum stands, as a sender with offloads does. */
static void
owe_csum(struct packet *p, const struct key *k)
{
    uint8_t *l3 = p->data + p->l3_ofs, *l4 = p->data + p->l4_ofs;
    bool is6 = k->eth_type == be16_of(ETHERTYPE_IP6);
    size_t l4_len =
        is6 ? 40 + load_be16(l3 + 4) - (p->l4_ofs - p->l3_ofs) : load_be16(l3 + 2) - (p->l4_ofs - p->l3_ofs);
    uint32_t sum = csum_add_bytes(0, is6 ? l3 + 8 : l3 + 12, is6 ? 32 : 8);
    sum = csum_add(csum_add(sum, be16_of(k->ip_proto)), be16_of(l4_len));
    be16 narrow = csum_narrow(sum);
    uint16_t ofs = k->ip_proto == PROTO_TCP ? 16 : 6;
    memcpy(l4 + ofs, &narrow, 2);
    p->offload = (struct offload){.flags = OFFLOAD_NEEDS_CSUM, .csum_start = p->l4_ofs, .csum_offset = ofs};
}

TEST(an_owed_checksum_survives_edits_and_is_then_right)
{
    struct packet_pool *pool = packet_pool_new(4, 2);
    struct dice d = {0x0eed};
    unsigned n_tried = 0;
    for (int i = 0; i < 60000; i++) {
        uint8_t frame[SAMPLE_MAX];
        size_t n = sample_frame(&d, SAMPLE_SANE, frame);
        struct packet *p = sample_packet(pool, frame, n, i % 2 ? 150 + dice_roll(&d, 100) : 0);
        struct key from, to, is;
        CHECK_EQ(key_parse(p, 2, &from), 0);
        if ((from.ip_proto != PROTO_TCP && from.ip_proto != PROTO_UDP) || from.ip_frag || !p->l4_ofs) {
            packet_put(p);
            continue;
        }
        owe_csum(p, &from);
        to = from;
        mutate(&d, &to);
        if (to.ip6_exthdr & be16_of(1 << 5))
            to.ip6_dst = from.ip6_dst;
        if (dice_roll(&d, 2))
            CHECK(packet_push_vlan(p, be16_of(ETHERTYPE_CVLAN), be16_of(5)));
        CHECK(packet_set_headers(p, &from, &to));
        if (dice_roll(&d, 2))
            packet_pop_vlan(p);
        CHECK(offload_is_sane(p));
        packet_finish_csum(p);
        CHECK_EQ(p->offload.flags, 0);
        if (!sample_sums_hold(flat(p), p->len))
            fail_msg("frame %d (seed 0x0eed) has a wrong sum", i);
        uint16_t l4_was = p->l4_ofs;
        CHECK_EQ(key_parse(p, 2, &is), 0);
        if (p->l4_ofs) /* not hidden behind a third tag */
            CHECK_EQ(p->l4_ofs, l4_was);
        packet_put(p);
        n_tried++;
    }
    CHECK(n_tried > 5000);
    packet_pool_free(pool);
}

TEST(tags_come_and_go)
{
    struct packet_pool *pool = packet_pool_new(1, 0);
    uint8_t frame[64] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 8, 0, 0x45};
    store_be16(frame + 16, 50);
    frame[23] = PROTO_UDP;
    struct packet *p = packet_from(pool, frame, sizeof frame);
    struct key k;
    CHECK_EQ(key_parse(p, 2, &k), 0);
    p->offload = (struct offload){.flags = OFFLOAD_NEEDS_CSUM, .csum_start = 34, .csum_offset = 6};
    packet_pop_vlan(p); /* none there: nothing happens */
    CHECK_EQ(p->len, 64);
    packet_set_vlan_tci(p, be16_of(0x2005));
    CHECK(packet_push_vlan(p, be16_of(ETHERTYPE_SVLAN), be16_of(7)));
    packet_set_vlan_tci(p, be16_of(9));
    static const uint8_t want[] = {1,    2,    3, 4, 5,    6, 7,    8, 9, 10, 11,  12,
                                   0x88, 0xa8, 0, 9, 0x81, 0, 0x20, 5, 8, 0,  0x45};
    CHECK_MEM(p->data, want, sizeof want);
    CHECK_EQ(p->len, 72);
    CHECK_EQ(p->l2_len, 22);
    CHECK_EQ(p->l3_ofs, 22);
    CHECK_EQ(p->l4_ofs, 42);
    CHECK_EQ(p->offload.csum_start, 42);
    packet_pop_vlan(p);
    packet_pop_vlan(p);
    packet_pop_vlan(p);
    CHECK_EQ(p->len, 64);
    CHECK_MEM(p->data, frame, 64);
    CHECK_EQ(p->l4_ofs, 34);
    CHECK_EQ(p->offload.csum_start, 34);

    unsigned n = 0;
    while (packet_push_vlan(p, be16_of(ETHERTYPE_CVLAN), 0))
        n++;
    CHECK_EQ(n, PACKET_HEADROOM / 4);
    packet_put(p);
    packet_pool_free(pool);
}

TEST(a_wrong_checksum_stays_wrong_and_none_stays_none)
{
    struct packet_pool *pool = packet_pool_new(1, 0);
    uint8_t frame[60] = {[12] = 8, [14] = 0x45, [17] = 46, [22] = 64, [23] = PROTO_UDP, [40] = 0, [41] = 0};
    struct packet *p = packet_from(pool, frame, sizeof frame);
    struct key from, to;
    CHECK_EQ(key_parse(p, 1, &from), 0);
    to = from;
    to.ip_src = be32_of(0x0a000001);
    to.tp_dst = be16_of(99);
    CHECK(packet_set_headers(p, &from, &to));
    CHECK_EQ(load_be16(p->data + 40), 0);
    store_be16(p->data + 40, 0x1234);
    CHECK(packet_set_headers(p, &to, &to));
    CHECK_EQ(load_be16(p->data + 40), 0x1234);
    packet_put(p);
    packet_pool_free(pool);
}

TEST(a_change_of_what_is_not_there_is_refused)
{
    struct packet_pool *pool = packet_pool_new(1, 0);
    uint8_t frame[30] = {[12] = 8, [14] = 0x45}; /* an IPv4 header cut short */
    struct packet *p = packet_from(pool, frame, sizeof frame);
    struct key from, to;
    CHECK_EQ(key_parse(p, 1, &from), 0);
    to = from;
    CHECK(packet_set_headers(p, &from, &to));
    to.ip_src = be32_of(1);
    CHECK(!packet_set_headers(p, &from, &to));
    CHECK_MEM(p->data, frame, sizeof frame);
    packet_put(p);
    packet_pool_free(pool);
}

TEST(sctp_ports_keep_the_crc_right)
{
    struct packet_pool *pool = packet_pool_new(1, 1);
    uint8_t frame[300] = {[12] = 8, [14] = 0x45, [16] = 1, [17] = 0x1e, [22] = 64, [23] = PROTO_SCTP};
    for (int i = 46; i < 300; i++)
        frame[i] = i;
    uint32_t crc = htole32(~crc32c_add(UINT32_MAX, frame + 34, 266));
    memcpy(frame + 42, &crc, 4);
    for (size_t head = 0; head < 200; head += 100) {
        struct packet *p = sample_packet(pool, frame, sizeof frame, head);
        struct key from, to;
        CHECK_EQ(key_parse(p, 1, &from), 0);
        to = from;
        to.tp_src = be16_of(1000);
        to.tp_dst = be16_of(2000);
        CHECK(packet_set_headers(p, &from, &to));
        uint8_t b[300];
        CHECK(packet_read(p, 0, b, sizeof b));
        CHECK_EQ(load_be16(b + 36), 2000);
        memcpy(&crc, b + 42, 4);
        memset(b + 42, 0, 4);
        CHECK_EQ(le32toh(crc), (uint32_t) ~crc32c_add(UINT32_MAX, b + 34, 266));
        packet_put(p);
    }
    CHECK_EQ((uint32_t) ~crc32c_add(UINT32_MAX, "123456789", 9), 0xe3069283); /* RFC 3720's check value */
    packet_pool_free(pool);
}

TESTS(changed_headers_read_as_wanted_and_every_sum_still_holds, an_owed_checksum_survives_edits_and_is_then_right,
      tags_come_and_go, a_wrong_checksum_stays_wrong_and_none_stays_none, a_change_of_what_is_not_there_is_refused,
      sctp_ports_keep_the_crc_right)
