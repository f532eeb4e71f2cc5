#include "packet/key.h"
#include "packet/sample.h"
#include "packet/wire.h"
#include "base/test.h"
#include <errno.h>

/* ---- the slow twin: the frame as an array, each field by its distance from the layer's begin ---- */

struct twin {
    const uint8_t *b;
    size_t n;   /* bytes that count, as the layers above said */
    size_t all; /* of the frame */
};

static bool
has(const struct twin *t, size_t ofs, size_t n)
{
    return ofs + n <= t->n;
}

static unsigned
at16(const struct twin *t, size_t ofs)
{
    return t->b[ofs] << 8 | t->b[ofs + 1];
}

#define TAKE(member, ofs) memcpy(&(member), t->b + (ofs), sizeof(member))

static void
twin_nd(const struct twin *t, size_t l4, struct key *k)
{
    if (!has(t, l4, 24))
        return;
    int source = -1, target = -1, last = 0;
    for (size_t o = l4 + 24; o < t->n;) {
        if (!has(t, o, 2) || !t->b[o + 1] || !has(t, o, t->b[o + 1] * 8))
            return;
        if (t->b[o + 1] == 1 && (t->b[o] == 1 || t->b[o] == 2)) {
            int *which = t->b[o] == 1 ? &source : &target;
            struct mac zero = {{0}};
            if (*which >= 0 && memcmp(t->b + *which, &zero, 6))
                return;
            *which = o + 2;
            last = t->b[o];
        }
        o += t->b[o + 1] * 8;
    }
    TAKE(k->nd_reserved, l4 + 4);
    TAKE(k->nd_target, l4 + 8);
    if (source >= 0)
        TAKE(k->nd_sll, source);
    if (target >= 0)
        TAKE(k->nd_tll, target);
    k->nd_options_type = last;
}

static void
twin_l4(const struct twin *t, size_t l4, bool is6, struct key *k, struct packet *p)
{
    static const struct {
        uint8_t proto, need;
    } needs[] = {{6, 20}, {17, 8}, {132, 12}};
    p->l4_ofs = l4;
    for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
        if (needs[i].proto == k->ip_proto) {
            if (!has(t, l4, needs[i].need)) {
                p->l4_ofs = 0;
                return;
            }
            TAKE(k->tp_src, l4);
            TAKE(k->tp_dst, l4 + 2);
            if (k->ip_proto == 6)
                k->tcp_flags = be16_of(at16(t, l4 + 12) & 0xfff);
        }
    bool is_icmp = k->ip_proto == (is6 ? 58 : 1), is_igmp = !is6 && k->ip_proto == 2;
    if ((is_icmp || is_igmp) && !has(t, l4, 8)) {
        p->l4_ofs = 0;
        return;
    }
    if (is_icmp) {
        k->icmp_type = t->b[l4];
        k->icmp_code = t->b[l4 + 1];
        if (is6 && !k->icmp_code && (k->icmp_type == 135 || k->icmp_type == 136))
            twin_nd(t, l4, k);
    }
    if (is_igmp)
        k->igmp_type = t->b[l4];
}

static void
twin_ip4(struct twin *t, size_t l3, struct key *k, struct packet *p)
{
    if (!has(t, l3, 20))
        return;
    size_t ihl = (t->b[l3] & 15) * 4, tot = at16(t, l3 + 2);
    if (ihl < 20 || tot < ihl || l3 + tot > t->n)
        return;
    t->n = l3 + tot;
    p->l3_ofs = l3;
    TAKE(k->ip_src, l3 + 12);
    TAKE(k->ip_dst, l3 + 16);
    k->ip_proto = t->b[l3 + 9];
    k->ip_ttl = t->b[l3 + 8];
    k->ip_tos = t->b[l3 + 1];
    unsigned frag = at16(t, l3 + 6);
    k->ip_frag = frag & 0x1fff ? 3 : frag & 0x2000 ? 1 : 0;
    if (k->ip_frag < 2)
        twin_l4(t, l3 + ihl, false, k, p);
}

static void
twin_ip6(struct twin *t, size_t l3, struct key *k, struct packet *p)
{
    if (!has(t, l3, 40) || l3 + 40 + at16(t, l3 + 4) > t->n)
        return;
    t->n = l3 + 40 + at16(t, l3 + 4);
    p->l3_ofs = l3;
    TAKE(k->ip6_src, l3 + 8);
    TAKE(k->ip6_dst, l3 + 24);
    k->ip6_label = be32_of((at16(t, l3) << 16 | at16(t, l3 + 2)) & 0xfffff);
    k->ip_tos = at16(t, l3) >> 4;
    k->ip_ttl = t->b[l3 + 7];

    uint8_t next = t->b[l3 + 6], count[256] = {0};
    size_t o = l3 + 40;
    int rank = -1;
    unsigned flags = 0;
    for (int depth = 0;; depth++) {
        int r;
        unsigned bit;
        switch (next) {
        case 0:
            bit = 64, r = 0;
            break;
        case 60:
            bit = 8, r = rank < 1 ? 1 : 6;
            break;
        case 43:
            bit = 32, r = 2;
            break;
        case 44:
            bit = 16, r = 3;
            break;
        case 51:
            bit = 4, r = 4;
            break;
        case 50:
            bit = 2, r = 5;
            break;
        case 59:
            bit = 1, r = 7;
            break;
        default:
            bit = 0, r = 0;
            break;
        }
        if (!bit)
            break;
        if (r < rank)
            flags |= 256;
        else
            rank = r;
        if (++count[next] > (next == 60 ? 2 : 1))
            flags |= 128;
        flags |= bit;
        k->ip6_exthdr = be16_of(flags);
        if (next == 50 || next == 59 || depth == 8)
            break;
        if (!has(t, o, 8))
            return;
        if (next == 44) {
            unsigned off = at16(t, o + 2);
            if (off & 0xfff9)
                k->ip_frag = 1;
            if (off & 0xfff8) {
                k->ip_frag = 3;
                k->ip_proto = 44;
                return;
            }
            next = t->b[o];
            o += 8;
        } else {
            size_t len = next == 51 ? (t->b[o + 1] + 2) * 4 : (t->b[o + 1] + 1) * 8;
            if (!has(t, o, len))
                return;
            next = t->b[o];
            o += MAX(len, (size_t) 8);
        }
    }
    k->ip_proto = next;
    twin_l4(t, o, true, k, p);
}

static void
twin_rest(struct twin *t, size_t o, unsigned type, struct key *k, struct packet *p)
{
    static const uint8_t arp[] = {0, 1, 8, 0, 6, 4};
    switch (type) {
    case 0x800:
        twin_ip4(t, o, k, p);
        break;
    case 0x86dd:
        twin_ip6(t, o, k, p);
        break;
    case 0x806:
    case 0x8035:
        if (!has(t, o, 28) || memcmp(t->b + o, arp, 6))
            return;
        p->l3_ofs = o;
        TAKE(k->arp_op, o + 6);
        TAKE(k->arp_sha, o + 8);
        TAKE(k->arp_spa, o + 14);
        TAKE(k->arp_tha, o + 18);
        TAKE(k->arp_tpa, o + 24);
        break;
    case 0x8847:
    case 0x8848:
        p->l3_ofs = has(t, o, 4) ? o : 0;
        for (int i = 0; i < 3 && has(t, o, 4); i++, o += 4) {
            TAKE(k->mpls[i], o);
            if (t->b[o + 2] & 1)
                break;
        }
        break;
    case 0x894f: {
        if (!has(t, o, 8))
            return;
        unsigned len = (t->b[o + 1] & 63) * 4, md = t->b[o + 2] & 15;
        if (t->b[o] >> 6 || len < 8 || !has(t, o, len) || !(md == 2 || (md == 1 && len == 24)))
            return;
        p->l3_ofs = o;
        k->nsh_flags = t->b[o] >> 4 & 3;
        k->nsh_ttl = at16(t, o) >> 6 & 63;
        k->nsh_mdtype = md;
        k->nsh_np = t->b[o + 3];
        TAKE(k->nsh_spi_si, o + 4);
        if (md == 1)
            TAKE(k->nsh_c, o + 8);
        break;
    }
    case 0x88e7:
        if (!has(t, o, 4))
            return;
        k->pbb_uca = t->b[o] >> 3 & 1;
        TAKE(k->pbb_isid, o);
        *(uint8_t *) &k->pbb_isid = 1;
        break;
    }
}

static int
twin_parse(struct packet *p, const uint8_t *frame, size_t n, unsigned max_vlans, struct key *k)
{
    struct twin whole = {frame, n, n}, *t = &whole;
    memset(k, 0, sizeof *k);
    k->port = p->in_port;
    p->l2_len = p->l3_ofs = p->l4_ofs = 0;
    if (n < 14)
        return -EBADMSG;
    TAKE(k->eth_dst, 0);
    TAKE(k->eth_src, 6);
    size_t o = 14;
    unsigned type = at16(t, 12);
    for (unsigned i = 0; i < max_vlans && (type == 0x8100 || type == 0x88a8) && has(t, o, 4); i++) {
        k->vlan[i].tpid = be16_of(type);
        k->vlan[i].tci = be16_of(at16(t, o) | 0x1000);
        type = at16(t, o + 2);
        o += 4;
    }
    p->l2_len = o;
    if (type < 0x600) {
        static const uint8_t snap[] = {0xaa, 0xaa, 3, 0, 0, 0};
        if (has(t, o, 8) && !memcmp(t->b + o, snap, 6) && at16(t, o + 6) >= 0x600) {
            type = at16(t, o + 6);
            o += 8;
        } else
            type = 0x5ff;
    }
    k->eth_type = be16_of(type);
    twin_rest(t, o, type, k, p);
    return 0;
}

/* ---- cases ---- */

TEST(random_frames_read_like_the_slow_twin_reads_them)
{
    struct packet_pool *pool = packet_pool_new(4, 0);
    struct dice d = {0x5eed};
    for (int i = 0; i < 200000; i++) {
        uint8_t frame[SAMPLE_MAX];
        size_t n = sample_frame(&d, SAMPLE_HURT, frame);
        unsigned vlans = dice_roll(&d, 3);
        struct packet *p = packet_from(pool, frame, n), q = {.in_port = i};
        struct key fast, slow;
        p->in_port = i;
        memset(&fast, 0xa5, sizeof fast);
        CHECK_EQ(key_parse(p, vlans, &fast), twin_parse(&q, frame, n, vlans, &slow));
        if (n >= 14 && memcmp(&fast, &slow, sizeof fast))
            fail_msg("frame %d (seed 0x5eed) reads differently", i);
        CHECK_EQ(p->l2_len, q.l2_len);
        CHECK_EQ(p->l3_ofs, q.l3_ofs);
        CHECK_EQ(p->l4_ofs, q.l4_ofs);
        packet_put(p);
    }
    packet_pool_free(pool);
}

static int
parse_hex(const char *hex, unsigned vlans, struct key *k)
{
    uint8_t frame[2000];
    size_t n = 0;
    for (; *hex; hex++) {
        unsigned byte;
        if (*hex != ' ' && sscanf(hex++, "%2x", &byte) == 1)
            frame[n++] = byte;
    }
    struct packet_pool *pool = packet_pool_new(1, 0);
    struct packet *p = packet_from(pool, frame, n);
    int err = key_parse(p, vlans, k);
    packet_put(p);
    packet_pool_free(pool);
    return err;
}

#define ETH "0123456789ab 02030405060a "

TEST(a_runt_is_refused)
{
    struct key k;
    CHECK_EQ(parse_hex("0123456789ab 02030405060a 08", 2, &k), -EBADMSG);
    CHECK_EQ(parse_hex("", 2, &k), -EBADMSG);
    CHECK_EQ(parse_hex(ETH "0800", 2, &k), 0);
    CHECK_EQ(k.eth_type, be16_of(0x800));
}

TEST(tags_are_read_up_to_the_limit)
{
    struct key k;
    const char *frame = ETH "88a8 2064 8100 6005 8100 0001 0800";
    CHECK_EQ(parse_hex(frame, 0, &k), 0);
    CHECK_EQ(k.eth_type, be16_of(0x88a8));
    CHECK_EQ(k.vlan[0].tci, 0);
    CHECK_EQ(parse_hex(frame, 1, &k), 0);
    CHECK_EQ(k.vlan[0].tpid, be16_of(0x88a8));
    CHECK_EQ(k.vlan[0].tci, be16_of(0x3064));
    CHECK_EQ(k.eth_type, be16_of(0x8100));
    CHECK_EQ(k.vlan[1].tci, 0);
    CHECK_EQ(parse_hex(frame, 2, &k), 0);
    CHECK_EQ(k.vlan[1].tci, be16_of(0x7005));
    CHECK_EQ(k.eth_type, be16_of(0x8100));
    /* a tag whose inner type is missing is no tag */
    CHECK_EQ(parse_hex(ETH "8100 2064 08", 2, &k), 0);
    CHECK_EQ(k.eth_type, be16_of(0x8100));
    CHECK_EQ(k.vlan[0].tpid, 0);
}

TEST(tcp_over_ipv4)
{
    struct key k;
    CHECK_EQ(parse_hex(
                 ETH
                 "0800 4510 0028 0001 4000 4006 0000 0a000001 0a000002 1234 0050 00000001 00000002 5012 0100 0000 0000",
                 1, &k),
             0);
    CHECK_EQ(k.ip_src, be32_of(0x0a000001));
    CHECK_EQ(k.ip_dst, be32_of(0x0a000002));
    CHECK_EQ(k.ip_tos, 0x10);
    CHECK_EQ(k.ip_ttl, 0x40);
    CHECK_EQ(k.ip_proto, 6);
    CHECK_EQ(k.tp_src, be16_of(0x1234));
    CHECK_EQ(k.tp_dst, be16_of(80));
    CHECK_EQ(k.tcp_flags, be16_of(0x12));
    CHECK_EQ(k.ip_frag, 0);
}

TEST(neighbour_solicitation_with_its_option)
{
    struct key k;
    CHECK_EQ(parse_hex(ETH "86dd 60000000 0020 3aff fe800000000000000000000000000001 ff0200000000000000000001ff000002"
                           "8700 0000 00000000 fe800000000000000000000000000002 0101 02030405060a",
                       1, &k),
             0);
    CHECK_EQ(k.ip_proto, 58);
    CHECK_EQ(k.icmp_type, 135);
    CHECK_EQ(k.nd_options_type, 1);
    CHECK_EQ(k.nd_target.b[15], 2);
    CHECK(mac_equal(k.nd_sll, k.eth_src));
    CHECK(mac_is_zero(k.nd_tll));
}

TEST(headers_stand_in_the_chunk_and_lengths_are_of_the_whole_frame)
{
    struct packet_pool *pool = packet_pool_new(1, 1);
    static uint8_t frame[60000];
    struct dice d = {1};
    (void) d;
    frame[12] = 8;
    frame[14] = 0x45;
    store_be16(frame + 16, sizeof frame - 14);
    frame[23] = PROTO_UDP;
    store_be16(frame + 36, 53);
    struct packet *p = packet_from(pool, frame, sizeof frame);
    struct key k;
    CHECK(p->tail_len > 0);
    CHECK_EQ(key_parse(p, 1, &k), 0);
    CHECK_EQ(k.tp_dst, be16_of(53));
    store_be16(p->data + 16, sizeof frame - 13); /* one more than there is */
    CHECK_EQ(key_parse(p, 1, &k), 0);
    CHECK_EQ(k.ip_proto, 0);
    packet_put(p);
    packet_pool_free(pool);
}

TESTS(random_frames_read_like_the_slow_twin_reads_them, a_runt_is_refused, tags_are_read_up_to_the_limit, tcp_over_ipv4,
      neighbour_solicitation_with_its_option, headers_stand_in_the_chunk_and_lengths_are_of_the_whole_frame)
