/* sample - frames are written from the outside in; lengths and checksums are filled in on the way back. */
#include "packet/sample.h"
#include "packet/wire.h"

uint32_t
dice_roll(struct dice *d, uint32_t n)
{
    d->state = d->state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t) (d->state >> 33) % n;
}

struct out {
    struct dice *d;
    uint8_t *b;
    size_t n;
};

static uint8_t *
put(struct out *o, size_t n)
{
    uint8_t *p = o->b + o->n;
    for (size_t i = 0; i < n; i++)
        p[i] = dice_roll(o->d, 4) ? dice_roll(o->d, 4) : dice_roll(o->d, 256); /* often small, so that fields meet */
    o->n += n;
    return p;
}

static void
put16(struct out *o, uint16_t v)
{
    store_be16(put(o, 2), v);
}

static uint16_t
sum16(const uint8_t *p, size_t n, uint32_t sum)
{
    for (size_t i = 0; i < n; i++)
        sum += i % 2 ? p[i] : p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~sum;
}

/* What follows the IP header; csum_ofs: where its checksum stands, 0: none. */
static void
put_l4(struct out *o, uint8_t proto, size_t *csum_ofs)
{
    size_t begin = o->n;
    *csum_ofs = 0;
    switch (proto) {
    case PROTO_TCP: {
        uint8_t *h = put(o, 20);
        unsigned words = 5 + dice_roll(o->d, 3);
        h[12] = words << 4 | (h[12] & 0xf);
        put(o, words * 4 - 20);
        *csum_ofs = begin + 16;
        break;
    }
    case PROTO_UDP:
        put(o, 8);
        *csum_ofs = begin + 6;
        break;
    case PROTO_ICMP6: {
        uint8_t *h = put(o, 8);
        *csum_ofs = begin + 2;
        if (dice_roll(o->d, 2))
            break;
        h[0] = ND_SOLICIT + dice_roll(o->d, 2);
        h[1] = 0;
        put(o, 16);
        for (unsigned n = dice_roll(o->d, 4); n; n--) {
            uint8_t *opt = put(o, 8);
            opt[0] = 1 + dice_roll(o->d, 3);
            opt[1] = 1;
        }
        break;
    }
    case PROTO_ICMP:
    case PROTO_IGMP:
        put(o, 8);
        *csum_ofs = begin + 2;
        break;
    default:
        put(o, 12);
    }
    if (proto != PROTO_ICMP6)
        put(o, dice_roll(o->d, 8) ? dice_roll(o->d, 40) : dice_roll(o->d, 1200));
    if (proto == PROTO_UDP)
        store_be16(o->b + begin + 4, o->n - begin);
}

static void
fill_csum(struct out *o, uint8_t proto, size_t l4, size_t csum_ofs, const uint8_t *addrs, size_t addrs_len)
{
    if (!csum_ofs)
        return;
    uint32_t sum = 0;
    if (proto != PROTO_ICMP && proto != PROTO_IGMP) {
        sum = proto + (o->n - l4);
        for (size_t i = 0; i < addrs_len; i += 2)
            sum += load_be16(addrs + i);
    }
    store_be16(o->b + csum_ofs, 0);
    uint16_t csum = sum16(o->b + l4, o->n - l4, sum);
    store_be16(o->b + csum_ofs, csum || proto != PROTO_UDP ? csum : 0xffff);
}

static const uint8_t protos[] = {PROTO_TCP,  PROTO_UDP,  PROTO_TCP,   PROTO_UDP, PROTO_SCTP,
                                 PROTO_ICMP, PROTO_IGMP, PROTO_ICMP6, PROTO_GRE};

static void
put_ip4(struct out *o)
{
    size_t begin = o->n, csum_ofs;
    uint8_t proto = protos[dice_roll(o->d, sizeof protos)];
    unsigned words = dice_roll(o->d, 4) ? 5 : 5 + dice_roll(o->d, 11);
    uint8_t *h = put(o, words * 4);
    h[0] = 0x40 | words;
    store_be16(h + 6, dice_roll(o->d, 6) ? 0x4000 * dice_roll(o->d, 2) : dice_roll(o->d, 2) << 13 | dice_roll(o->d, 3));
    h[9] = proto;
    bool is_first = !(load_be16(h + 6) & IP4_FRAG_OFFSET);
    put_l4(o, proto, &csum_ofs);
    store_be16(h + 2, o->n - begin);
    store_be16(h + 10, 0);
    store_be16(h + 10, sum16(h, words * 4, 0));
    if (is_first)
        fill_csum(o, proto, begin + words * 4, csum_ofs, h + 12, 8);
}

static void
put_ip6(struct out *o)
{
    static const uint8_t exts[] = {PROTO_HOPOPTS, PROTO_DSTOPTS, PROTO_ROUTING, PROTO_FRAGMENT, PROTO_AH};
    size_t begin = o->n, csum_ofs;
    uint8_t proto = dice_roll(o->d, 12) ? protos[dice_roll(o->d, sizeof protos)] : PROTO_NONE - dice_roll(o->d, 2) * 9;
    uint8_t *h = put(o, 40);
    h[0] = 0x60 | (h[0] & 0xf);
    size_t next_at = begin + 6;
    bool is_first = true;
    for (unsigned n = dice_roll(o->d, 3) ? 0 : dice_roll(o->d, 11); n; n--) {
        uint8_t type = exts[dice_roll(o->d, sizeof exts)];
        o->b[next_at] = type;
        next_at = o->n;
        uint8_t *e = put(o, 8);
        unsigned more = type == PROTO_FRAGMENT ? 0 : dice_roll(o->d, 3);
        if (type == PROTO_FRAGMENT) {
            store_be16(e + 2, dice_roll(o->d, 3) ? 0 : dice_roll(o->d, 2) << 3 | dice_roll(o->d, 2));
            is_first &= !(load_be16(e + 2) & 0xfff8);
        } else
            e[1] = type == PROTO_AH ? 2 * more : more;
        put(o, more * 8);
    }
    o->b[next_at] = proto;
    size_t l4 = o->n;
    put_l4(o, proto, &csum_ofs);
    store_be16(h + 4, o->n - begin - 40);
    if (is_first)
        fill_csum(o, proto, l4, csum_ofs, h + 8, 32);
}

static void
put_arp(struct out *o)
{
    uint8_t *h = put(o, 28);
    static const uint8_t fixed[] = {0, 1, 8, 0, 6, 4, 0};
    memcpy(h, fixed, sizeof fixed);
}

static void
put_mpls(struct out *o)
{
    for (unsigned n = 1 + dice_roll(o->d, 5); n; n--) {
        uint8_t *lse = put(o, 4);
        lse[2] = (lse[2] & 0xfe) | (n == 1);
    }
    put(o, dice_roll(o->d, 60));
}

static void
put_nsh(struct out *o)
{
    bool md2 = dice_roll(o->d, 2);
    uint8_t *h = put(o, md2 ? 8 + 4 * dice_roll(o->d, 5) : 24);
    unsigned words = (o->b + o->n - h) / 4;
    store_be16(h, (dice_roll(o->d, 4) << 12 | dice_roll(o->d, 64) << 6) | words);
    h[2] = 1 + md2;
    put(o, dice_roll(o->d, 60));
}

static const struct {
    uint16_t type;
    void (*put)(struct out *);
} kinds[] = {
    {ETHERTYPE_IP4, put_ip4},      {ETHERTYPE_IP6, put_ip6},  {ETHERTYPE_IP4, put_ip4}, {ETHERTYPE_IP6, put_ip6},
    {ETHERTYPE_ARP, put_arp},      {ETHERTYPE_RARP, put_arp}, {ETHERTYPE_NSH, put_nsh}, {ETHERTYPE_MPLS_UC, put_mpls},
    {ETHERTYPE_MPLS_MC, put_mpls}, {ETHERTYPE_PBB, put_arp},  {0x88cc, put_arp},
};

static void
hurt(struct out *o)
{
    switch (dice_roll(o->d, 3)) {
    case 0:
        o->n = dice_roll(o->d, o->n + 1);
        break;
    case 1: /* trailing bytes, as from a switch that pads */
        put(o, dice_roll(o->d, 46));
        break;
    default:
        for (unsigned n = 1 + dice_roll(o->d, 3); n; n--)
            o->b[12 + dice_roll(o->d, MIN(o->n - 12, (size_t) 80))] = dice_roll(o->d, 256);
    }
}

size_t
sample_frame(struct dice *d, int how, uint8_t frame[SAMPLE_MAX])
{
    struct out o = {d, frame, 0};
    put(&o, 12);
    for (unsigned n = dice_roll(d, 2) ? 0 : dice_roll(d, 4); n; n--) {
        put16(&o, dice_roll(d, 2) ? ETHERTYPE_CVLAN : ETHERTYPE_SVLAN);
        put(&o, 2);
    }
    unsigned i = dice_roll(d, ARRAY_SIZE(kinds));
    if (!dice_roll(d, 10)) {
        static const uint8_t snap[] = {0xaa, 0xaa, 3, 0, 0, 0};
        put16(&o, 100);
        memcpy(put(&o, sizeof snap), snap, sizeof snap);
    }
    put16(&o, kinds[i].type);
    kinds[i].put(&o);
    if ((how & SAMPLE_HURT) && !dice_roll(d, 2))
        hurt(&o);
    return o.n;
}

struct packet *
sample_packet(struct packet_pool *pool, const uint8_t *frame, size_t n, size_t head)
{
    if (!head || head >= n)
        return packet_from(pool, frame, n);
    struct packet *p = packet_from(pool, frame, head);
    p->tail = packet_tail_new(pool);
    p->tail_len = n - head;
    p->len = n;
    memcpy(p->tail->bytes, frame + head, n - head);
    return p;
}

static bool
l4_sum_holds(const uint8_t *l4, size_t n, uint8_t proto, const uint8_t *addrs, size_t addrs_len)
{
    uint32_t sum = proto + n;
    for (size_t i = 0; i < addrs_len; i += 2)
        sum += load_be16(addrs + i);
    switch (proto) {
    case PROTO_ICMP:
    case PROTO_IGMP:
        return n < 8 || !sum16(l4, n, 0);
    case PROTO_UDP:
        return n < 8 || !load_be16(l4 + 6) || !sum16(l4, n, sum);
    case PROTO_TCP:
        return n < 20 || !sum16(l4, n, sum);
    case PROTO_ICMP6:
        return n < 8 || addrs_len == 8 || !sum16(l4, n, sum);
    }
    return true;
}

bool
sample_sums_hold(const uint8_t *f, size_t n)
{
    size_t o = 14;
    while (load_be16(f + o - 2) == ETHERTYPE_CVLAN || load_be16(f + o - 2) == ETHERTYPE_SVLAN)
        o += 4;
    const uint8_t *h = f + o;
    switch (load_be16(h - 2)) {
    case ETHERTYPE_IP4: {
        size_t words = h[0] & 15, tot = load_be16(h + 2);
        if (sum16(h, words * 4, 0))
            return false;
        return load_be16(h + 6) & 0x3fff || l4_sum_holds(h + words * 4, tot - words * 4, h[9], h + 12, 8);
    }
    case ETHERTYPE_IP6: {
        size_t len = load_be16(h + 4), at = 40;
        uint8_t next = h[6];
        uint8_t dst[32];
        memcpy(dst, h + 8, 32);
        while (next == PROTO_HOPOPTS || next == PROTO_DSTOPTS || next == PROTO_ROUTING || next == PROTO_AH ||
               next == PROTO_FRAGMENT) {
            if (next == PROTO_FRAGMENT && load_be16(h + at + 2) & 0xfff9)
                return true;
            size_t step = next == PROTO_AH ? (h[at + 1] + 2) * 4 : next == PROTO_FRAGMENT ? 8 : (h[at + 1] + 1) * 8;
            next = h[at];
            at += step;
        }
        return l4_sum_holds(h + at, 40 + len - at, next, dst, 32);
    }
    }
    return true;
}
