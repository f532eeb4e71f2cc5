#include "device/vnet.h"
#include "packet/edit.h"
#include "packet/wire.h"
#include "base/test.h"

static struct packet_pool *pool;

static struct packet *
tcp_frame(size_t len, unsigned header_words)
{
    uint8_t frame[4000] = {[12] = 8, [14] = 0x45, [23] = PROTO_TCP, [46] = header_words << 4};
    return packet_from(pool, frame, len);
}

TEST(a_frame_that_owes_nothing_has_no_words)
{
    pool = packet_pool_new(4, 2);
    struct packet *p = tcp_frame(60, 5);
    p->offload = (struct offload){.flags = OFFLOAD_CSUM_VALID, .hdr_len = 66};
    struct offload none = {0}, o = vnet_of(p);
    CHECK_MEM(&o, &none, sizeof o);
    packet_put(p);
    packet_pool_free(pool);
}

TEST(header_lengths_are_made_new)
{
    pool = packet_pool_new(4, 2);
    struct packet *p = tcp_frame(3000, 8);
    p->offload = (struct offload){
        OFFLOAD_NEEDS_CSUM | OFFLOAD_CSUM_VALID, OFFLOAD_GSO_TCPV4 | OFFLOAD_GSO_ECN, 3000, 1400, 34, 16};
    struct offload o = vnet_of(p);
    CHECK_EQ(o.flags, OFFLOAD_NEEDS_CSUM);
    CHECK_EQ(o.gso_type, OFFLOAD_GSO_TCPV4 | OFFLOAD_GSO_ECN);
    CHECK_EQ(o.hdr_len, 34 + 32); /* not the whole frame, which the kernel would put in one piece */
    CHECK_EQ(o.gso_size, 1400);
    p->offload = (struct offload){OFFLOAD_NEEDS_CSUM, OFFLOAD_GSO_UDP_L4, 3000, 1400, 34, 6};
    CHECK_EQ(vnet_of(p).hdr_len, 34 + 8);
    p->offload = (struct offload){OFFLOAD_NEEDS_CSUM, 0, 3000, 7, 34, 6};
    CHECK_EQ(vnet_of(p).hdr_len, 0);
    CHECK_EQ(vnet_of(p).gso_size, 0);
    packet_put(p);
    packet_pool_free(pool);
}

static void
check_pieces(struct packet *p)
{
    struct offload words, in_place;
    struct iovec iov[3];
    uint8_t joined[5000], frame[5000];
    size_t n = 0;
    unsigned n_pieces = vnet_iov(p, &words, iov);
    for (unsigned i = 0; i < n_pieces; n += iov[i++].iov_len)
        memcpy(joined + n, iov[i].iov_base, iov[i].iov_len);
    CHECK_EQ(n, VNET_LEN + p->len);
    memcpy(&in_place, joined, VNET_LEN);
    CHECK_EQ(in_place.csum_start, p->offload.csum_start);
    CHECK(packet_read(p, 0, frame, p->len));
    CHECK_MEM(joined + VNET_LEN, frame, p->len);
}

TEST(words_stand_before_the_frame_with_or_without_headroom)
{
    pool = packet_pool_new(4, 2);
    struct packet *p = tcp_frame(3000, 5);
    struct offload words;
    struct iovec iov[3];
    p->offload = (struct offload){OFFLOAD_NEEDS_CSUM, OFFLOAD_GSO_TCPV4, 0, 1400, 34, 16};
    CHECK_EQ(vnet_iov(p, &words, iov), 2); /* head with its words, tail */
    check_pieces(p);
    while (packet_push_vlan(p, be16_of(ETHERTYPE_CVLAN), 0))
        ;
    CHECK_EQ(vnet_iov(p, &words, iov), 3);
    check_pieces(p);
    packet_put(p);
    p = tcp_frame(60, 5);
    CHECK_EQ(vnet_iov(p, &words, iov), 1);
    packet_put(p);
    packet_pool_free(pool);
}

TESTS(a_frame_that_owes_nothing_has_no_words, header_lengths_are_made_new,
      words_stand_before_the_frame_with_or_without_headroom)
