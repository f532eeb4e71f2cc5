#include "packet/csum.h"
#include "packet/gso.h"
#include "packet/key.h"
#include "packet/sample.h"
#include "packet/wire.h"
#include "base/test.h"
#include <errno.h>

static uint8_t super[70000];

/* A super-packet with 'payload' bytes of payload behind n_tags tags; returns its length. */
static size_t
make_super(struct dice *d, bool is6, bool is_tcp, unsigned n_tags, size_t payload, struct offload *o)
{
    size_t n = 12;
    for (size_t i = 0; i < sizeof super; i++)
        super[i] = dice_roll(d, 256);
    for (unsigned i = 0; i < n_tags; i++, n += 4)
        store_be16(super + n, ETHERTYPE_CVLAN);
    store_be16(super + n, is6 ? ETHERTYPE_IP6 : ETHERTYPE_IP4);
    n += 2;
    uint8_t *ip = super + n;
    unsigned extra = dice_roll(d, 3) * (is6 ? 8 : 4);
    uint8_t proto = is_tcp ? PROTO_TCP : PROTO_UDP;
    size_t l4 = n + (is6 ? 40 : 20) + extra;
    size_t end = l4 + (is_tcp ? 20 + 4 * dice_roll(d, 4) : 8);
    size_t len = end + payload;
    if (is6) {
        ip[0] = 0x60;
        store_be16(ip + 4, len - n - 40);
        ip[6] = extra ? PROTO_HOPOPTS : proto;
        if (extra) {
            ip[40] = proto;
            ip[41] = extra / 8 - 1;
        }
    } else {
        ip[0] = 0x40 | (5 + extra / 4);
        store_be16(ip + 2, len - n);
        store_be16(ip + 6, 0x4000);
        ip[9] = proto;
    }
    if (is_tcp) {
        store_be16(super + l4 + 12, (end - l4) / 4 << 12 | TCP_ACK | TCP_PSH | TCP_FIN | TCP_CWR);
    } else
        store_be16(super + l4 + 4, len - l4);
    *o = (struct offload){
        .flags = OFFLOAD_NEEDS_CSUM,
        .gso_type = is_tcp ? (is6 ? OFFLOAD_GSO_TCPV6 : OFFLOAD_GSO_TCPV4) : OFFLOAD_GSO_UDP_L4,
        .hdr_len = end,
        .gso_size = 1 + dice_roll(d, dice_roll(d, 2) ? 9000 : 1500),
        .csum_start = l4,
        .csum_offset = is_tcp ? 16 : 6,
    };
    if (payload / o->gso_size >= SEGMENTS_MAX)
        o->gso_size = payload / SEGMENTS_MAX + 1;
    return len;
}

static void
check_segments(struct packet *const segs[], int n_segs, size_t len, const struct offload *o, bool is6, bool is_tcp)
{
    size_t l4 = o->csum_start, end = o->hdr_len, at = end;
    size_t l3 = 14;
    while (load_be16(super + l3 - 2) == ETHERTYPE_CVLAN)
        l3 += 4;
    for (int i = 0; i < n_segs; i++) {
        static uint8_t b[12000];
        size_t n = segs[i]->len;
        bool is_last = i == n_segs - 1;
        CHECK(packet_read(segs[i], 0, b, n));
        CHECK_EQ(segs[i]->offload.flags, 0);
        CHECK_EQ(segs[i]->offload.gso_type, 0);
        CHECK(is_last ? n - end <= o->gso_size : n - end == o->gso_size);
        CHECK(!memcmp(b, super, l3));                 /* Ethernet and tags as they were */
        CHECK(!memcmp(b + end, super + at, n - end)); /* the payload, in order */
        CHECK(sample_sums_hold(b, n));
        if (is6)
            CHECK_EQ(load_be16(b + l3 + 4), n - l3 - 40);
        else {
            CHECK_EQ(load_be16(b + l3 + 2), n - l3);
            CHECK_EQ(load_be16(b + l3 + 4), (uint16_t) (load_be16(super + l3 + 4) + i));
        }
        if (is_tcp) {
            CHECK_EQ(load_be32(b + l4 + 4), load_be32(super + l4 + 4) + (uint32_t) (at - end));
            uint16_t flags = load_be16(b + l4 + 12);
            CHECK_EQ(!!(flags & TCP_FIN), is_last);
            CHECK_EQ(!!(flags & TCP_PSH), is_last);
            CHECK_EQ(!!(flags & TCP_CWR), i == 0);
            CHECK(flags & TCP_ACK);
            CHECK(!memcmp(b + l4 + 20, super + l4 + 20, end - l4 - 20));
        } else
            CHECK_EQ(load_be16(b + l4 + 4), n - l4);
        at += n - end;
    }
    CHECK_EQ(at, len);
}

TEST(segments_join_to_what_was_cut)
{
    struct packet_pool *pool = packet_pool_new(SEGMENTS_MAX + 2, 64);
    struct dice d = {0x650};
    static struct packet *segs[SEGMENTS_MAX];
    for (int i = 0; i < 400; i++) {
        bool is6 = i & 1, is_tcp = i & 2 || i & 4;
        struct offload o;
        size_t len = make_super(&d, is6, is_tcp, dice_roll(&d, 4), 1 + dice_roll(&d, 65000), &o);
        struct packet *p = sample_packet(pool, super, len, 300 + dice_roll(&d, 1400));
        if (!p)
            continue;
        p->offload = o;
        CHECK(offload_is_sane(p));
        int n = packet_segment(p, segs, SEGMENTS_MAX);
        CHECK(n > 0);
        check_segments(segs, n, len, &o, is6, is_tcp);
        while (n)
            packet_put(segs[--n]);
        packet_put(p);
        CHECK_EQ(packet_pool_in_use(pool), 0);
    }
    packet_pool_free(pool);
}

TEST(too_little_room_leaves_nothing_behind)
{
    struct packet_pool *pool = packet_pool_new(20, 2);
    struct dice d = {7};
    struct packet *segs[64];
    struct offload o;
    size_t len = make_super(&d, false, true, 0, 60000, &o);
    struct packet *p = packet_from(pool, super, len);
    p->offload = o;
    p->offload.gso_size = 1000;
    CHECK_EQ(packet_segment(p, segs, 10), -ENOBUFS);
    CHECK_EQ(packet_segment(p, segs, 64), -ENOBUFS); /* 19 chunks are left */
    packet_put(p);
    CHECK_EQ(packet_pool_in_use(pool), 0);
    packet_pool_free(pool);
}

TEST(words_that_do_not_fit_are_refused)
{
    struct packet_pool *pool = packet_pool_new(2, 2);
    struct dice d = {8};
    struct offload o;
    size_t len = make_super(&d, false, true, 1, 3000, &o);
    struct packet *p = packet_from(pool, super, len);
    p->offload = o;
    p->offload.gso_size = 1400;
    CHECK(offload_is_sane(p));
    const struct offload good = p->offload;
#define WRONG(member, value)                                                                                           \
    do {                                                                                                               \
        p->offload = good;                                                                                             \
        p->offload.member = value;                                                                                     \
        CHECK(!offload_is_sane(p));                                                                                    \
    } while (0)
    WRONG(flags, 0);
    WRONG(gso_size, 0);
    WRONG(gso_size, 1); /* thousands of segments */
    WRONG(gso_type, OFFLOAD_GSO_TCPV6);
    WRONG(gso_type, OFFLOAD_GSO_UDP_L4);
    WRONG(gso_type, OFFLOAD_GSO_UDP);
    WRONG(gso_type, 77);
    WRONG(csum_start, 65535);
    WRONG(csum_start, good.csum_start + 2);
    WRONG(csum_start, 0);
    WRONG(csum_offset, 6);
    WRONG(csum_offset, 65535);
    p->offload = good;
    p->offload.gso_type |= OFFLOAD_GSO_ECN;
    CHECK(offload_is_sane(p));
    p->data[18 + 9] = PROTO_UDP;
    CHECK(!offload_is_sane(p));
    p->offload = (struct offload){.flags = OFFLOAD_NEEDS_CSUM, .csum_start = packet_head_len(p) - 1};
    CHECK(!offload_is_sane(p));
    p->offload = (struct offload){.flags = 0};
    CHECK(offload_is_sane(p));
    packet_put(p);
    packet_pool_free(pool);
}

static be16
slow_sum(const uint8_t *b, size_t n)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += i % 2 ? b[i] : b[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return be16_of((uint16_t) ~sum);
}

TEST(sums_equal_the_slow_twins)
{
    struct dice d = {9};
    uint8_t b[1000];
    for (int i = 0; i < 20000; i++) {
        size_t n = dice_roll(&d, i % 2 ? 40 : sizeof b), at = dice_roll(&d, 8);
        n = MIN(n, sizeof b - at);
        for (size_t j = 0; j < n; j++)
            b[at + j] = dice_roll(&d, 3) ? 0xff : dice_roll(&d, 256);
        CHECK_EQ(csum_fold(csum_add_bytes(0, b + at, n)), slow_sum(b + at, n));
        if (n < 4)
            continue;
        /* RFC 1624 against a sum made new */
        be16 before = slow_sum(b + at, n), was, is = dice_roll(&d, 65536);
        size_t word = dice_roll(&d, n / 2) * 2;
        memcpy(&was, b + at + word, 2);
        memcpy(b + at + word, &is, 2);
        be16 updated = csum_update(before, csum_delta(0, was, is)), anew = slow_sum(b + at, n);
        CHECK(updated == anew || (uint16_t) (updated ^ anew) == 0xffff);
    }
}

TEST(an_owed_crc_is_sctps)
{
    struct packet_pool *pool = packet_pool_new(1, 1);
    uint8_t frame[400] = {[12] = 8, [14] = 0x45, [23] = PROTO_SCTP};
    for (int i = 46; i < 400; i++)
        frame[i] = i;
    struct packet *p = sample_packet(pool, frame, sizeof frame, 101);
    p->offload = (struct offload){.flags = OFFLOAD_NEEDS_CSUM, .csum_start = 34, .csum_offset = 8};
    CHECK(packet_owes_crc(p));
    packet_finish_csum(p);
    uint32_t crc;
    memcpy(&crc, p->data + 42, 4);
    CHECK_EQ(le32toh(crc), (uint32_t) ~crc32c_add(UINT32_MAX, frame + 34, 366));
    packet_put(p);
    packet_pool_free(pool);
}

TESTS(segments_join_to_what_was_cut, too_little_room_leaves_nothing_behind, words_that_do_not_fit_are_refused,
      sums_equal_the_slow_twins, an_owed_crc_is_sctps)
