/* frame_compose - the frame that a key describes.
 *
 * Theory.  Written front to back into a buffer that knows its room; lengths and checksums are put right from the inside out once all
 *          is there.  What a key does not say is zero, but for what a header must have (version, lengths, an ARP of Ethernet and IPv4).
 *          Without a payload given, the protocols that carry data get 64 bytes counting up, as the field's test commands send.
 */
#include "base/mem.h"
#include "datapath/flow_text.h"
#include "packet/csum.h"
#include "packet/wire.h"
#include <errno.h>

#define PAYLOAD 64 /* bytes, where nobody said how many */

struct sheet {
    uint8_t *at, *end;
    bool is_full;
};

/* Zeroed; NULL (and is_full) when there is no room. */
static void *
write_header(struct sheet *s, size_t n)
{
    if ((size_t) (s->end - s->at) < n) {
        s->is_full = true;
        return NULL;
    }
    void *p = memset(s->at, 0, n);
    s->at += n;
    return p;
}

struct payload {
    const void *bytes;
    size_t len;
    bool is_default;
};

static void
write_payload(struct sheet *s, const struct payload *l7, size_t default_len)
{
    size_t n = l7->is_default ? default_len : l7->len;
    uint8_t *p = write_header(s, n);
    for (size_t i = 0; p && i < n; i++)
        p[i] = l7->bytes ? ((const uint8_t *) l7->bytes)[i] : i;
}

static void
write_nd(struct sheet *s, const struct key *k, struct icmp_header *icmp)
{
    icmp->rest = k->nd_reserved;
    void *target = write_header(s, sizeof k->nd_target);
    if (target)
        memcpy(target, &k->nd_target, sizeof k->nd_target); /* it stands at no even place */
    const struct {
        struct mac mac;
        uint8_t type;
    } options[] = {{k->nd_sll, ND_OPT_SOURCE}, {k->nd_tll, ND_OPT_TARGET}};
    for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
        if (mac_is_zero(options[i].mac))
            continue;
        struct nd_option *o = write_header(s, sizeof *o);
        if (o)
            *o = (struct nd_option){options[i].type, 1, options[i].mac};
    }
}

static void
write_icmp(struct sheet *s, const struct key *k, const struct payload *l7)
{
    struct icmp_header *h = write_header(s, sizeof *h);
    if (!h)
        return;
    bool is_6 = k->ip_proto == PROTO_ICMP6;
    h->type = k->icmp_type;
    h->code = k->icmp_code;
    if (is_6 && (h->type == ND_SOLICIT || h->type == ND_ADVERT) && !h->code) {
        write_nd(s, k, h);
        return;
    }
    bool is_echo = is_6 ? h->type == 128 || h->type == 129 : h->type == 8 || h->type == 0;
    write_payload(s, l7, is_echo ? PAYLOAD : 0);
}

static void
write_tcp(struct sheet *s, const struct key *k, const struct payload *l7)
{
    struct tcp_header *h = write_header(s, sizeof *h);
    if (!h)
        return;
    uint16_t flags = host16(k->tcp_flags);
    h->src = k->tp_src;
    h->dst = k->tp_dst;
    h->off_flags = be16_of(sizeof *h / 4 << 12 | flags);
    write_payload(s, l7, flags & (TCP_SYN | TCP_FIN | TCP_RST) ? 0 : PAYLOAD);
}

static void
write_l4(struct sheet *s, const struct key *k, const struct payload *l7)
{
    struct udp_header *udp;
    struct sctp_header *sctp;
    struct igmp_header *igmp;
    bool is_4 = k->eth_type == be16_of(ETHERTYPE_IP4);

    if (k->ip_frag & IP_FRAG_LATER) {
        write_payload(s, l7, 0);
    } else if (k->ip_proto == PROTO_TCP) {
        write_tcp(s, k, l7);
    } else if (k->ip_proto == PROTO_UDP) {
        if ((udp = write_header(s, sizeof *udp))) {
            udp->src = k->tp_src;
            udp->dst = k->tp_dst;
            write_payload(s, l7, PAYLOAD);
            udp->len = be16_of(s->at - (uint8_t *) udp);
        }
    } else if (k->ip_proto == PROTO_SCTP) {
        if ((sctp = write_header(s, sizeof *sctp))) {
            sctp->src = k->tp_src;
            sctp->dst = k->tp_dst;
            write_payload(s, l7, 0);
        }
    } else if (k->ip_proto == (is_4 ? PROTO_ICMP : PROTO_ICMP6)) {
        write_icmp(s, k, l7);
    } else if (is_4 && k->ip_proto == PROTO_IGMP) {
        if ((igmp = write_header(s, sizeof *igmp))) {
            igmp->type = k->igmp_type;
            write_payload(s, l7, 0);
        }
    } else {
        write_payload(s, l7, 0);
    }
}

/* The checksum of what stands behind the IP header; 'sum' is that of the pseudo header without length and protocol. */
static void
sum_l4(const struct key *k, uint8_t *l4, size_t len, uint32_t sum)
{
    bool is_6 = k->eth_type == be16_of(ETHERTYPE_IP6);
    size_t ofs;
    switch (k->ip_proto) {
    case PROTO_TCP:
        ofs = offsetof(struct tcp_header, csum);
        break;
    case PROTO_UDP:
        ofs = offsetof(struct udp_header, csum);
        break;
    case PROTO_ICMP6:
        if (!is_6)
            return;
        ofs = offsetof(struct icmp_header, csum);
        break;
    case PROTO_ICMP:
    case PROTO_IGMP:
        if (is_6)
            return;
        ofs = offsetof(struct icmp_header, csum);
        sum = 0;
        break;
    case PROTO_SCTP: {
        uint32_t crc = htole32(~crc32c_add(UINT32_MAX, l4, len));
        memcpy(l4 + offsetof(struct sctp_header, csum), &crc, sizeof crc);
        return;
    }
    default:
        return;
    }
    if (len < ofs + 2)
        return;
    if (k->ip_proto != PROTO_ICMP && k->ip_proto != PROTO_IGMP) {
        be16 pseudo[2] = {be16_of(k->ip_proto), be16_of(len)};
        sum = csum_add_bytes(sum, pseudo, sizeof pseudo);
    }
    be16 csum = csum_fold(csum_add_bytes(sum, l4, len));
    if (!csum && k->ip_proto == PROTO_UDP)
        csum = UINT16_MAX;
    memcpy(l4 + ofs, &csum, sizeof csum);
}

static void
write_ip4(struct sheet *s, const struct key *k, const struct payload *l7)
{
    struct ip4_header *h = write_header(s, sizeof *h);
    if (!h)
        return;
    h->ver_ihl = 0x45;
    h->tos = k->ip_tos;
    h->ttl = k->ip_ttl;
    h->proto = k->ip_proto;
    h->src = k->ip_src;
    h->dst = k->ip_dst;
    if (k->ip_frag)
        h->frag = be16_of(IP4_MORE_FRAGMENTS | (k->ip_frag & IP_FRAG_LATER ? 100 : 0));
    uint8_t *l4 = s->at;
    write_l4(s, k, l7);
    if (s->is_full)
        return;
    h->tot_len = be16_of(s->at - (uint8_t *) h);
    h->csum = csum_fold(csum_add_bytes(0, h, sizeof *h));
    if (!(k->ip_frag & IP_FRAG_LATER))
        sum_l4(k, l4, s->at - l4, csum_add_bytes(csum_add_bytes(0, &h->src, 4), &h->dst, 4));
}

static void
write_ip6(struct sheet *s, const struct key *k, const struct payload *l7)
{
    struct ip6_header *h = write_header(s, sizeof *h);
    if (!h)
        return;
    h->ver_tc_label = be32_of(6u << 28 | (uint32_t) k->ip_tos << 20 | (host32(k->ip6_label) & 0xfffff));
    h->hop_limit = k->ip_ttl;
    h->next = k->ip_proto;
    h->src = k->ip6_src;
    h->dst = k->ip6_dst;
    if (k->ip_frag) {
        struct ip6_frag_header *f = write_header(s, sizeof *f);
        if (f) {
            f->next = k->ip_proto;
            f->off_more = be16_of((k->ip_frag & IP_FRAG_LATER ? 100 << 3 : 0) | 1);
        }
        h->next = PROTO_FRAGMENT;
    }
    uint8_t *l4 = s->at;
    write_l4(s, k, l7);
    if (s->is_full)
        return;
    h->payload_len = be16_of(s->at - (uint8_t *) (h + 1));
    if (!(k->ip_frag & IP_FRAG_LATER))
        sum_l4(k, l4, s->at - l4, csum_add_bytes(csum_add_bytes(0, &h->src, 16), &h->dst, 16));
}

static void
write_arp(struct sheet *s, const struct key *k)
{
    struct arp_header *h = write_header(s, sizeof *h);
    if (h)
        *h = (struct arp_header){.hw = be16_of(1),
                                 .proto = be16_of(ETHERTYPE_IP4),
                                 .hw_len = 6,
                                 .proto_len = 4,
                                 .op = k->arp_op,
                                 .sha = k->arp_sha,
                                 .spa = k->arp_spa,
                                 .tha = k->arp_tha,
                                 .tpa = k->arp_tpa};
}

static void
write_mpls(struct sheet *s, const struct key *k, const struct payload *l7)
{
    for (unsigned i = 0; i < KEY_MPLS; i++) {
        be32 *lse = write_header(s, sizeof *lse);
        if (!lse)
            return;
        memcpy(lse, &k->mpls[i], sizeof *lse);
        if (i == KEY_MPLS - 1 || !k->mpls[i + 1]) {
            *(uint8_t *) ((uint8_t *) lse + 2) |= 1; /* the last one says so */
            break;
        }
        if (k->mpls[i] & be32_of(0x100))
            break;
    }
    write_payload(s, l7, 0);
}

static void
write_be16(struct sheet *s, be16 v)
{
    void *p = write_header(s, sizeof v);
    if (p)
        memcpy(p, &v, sizeof v);
}

int
frame_compose(const struct key *k, const void *bytes, size_t len, uint8_t *frame, size_t room)
{
    struct sheet s = {frame, frame + room, false};
    struct payload l7 = {bytes, len, !bytes && !len};
    uint16_t type = host16(k->eth_type);

    if (k->packet_type)
        return -EINVAL;
    struct mac *macs = write_header(&s, 2 * sizeof *macs);
    if (macs) {
        macs[0] = k->eth_dst;
        macs[1] = k->eth_src;
    }
    for (unsigned i = 0; i < KEY_VLANS && k->vlan[i].tci & be16_of(VLAN_PRESENT); i++) {
        write_be16(&s, k->vlan[i].tpid ? k->vlan[i].tpid : be16_of(ETHERTYPE_CVLAN));
        write_be16(&s, k->vlan[i].tci & be16_of((uint16_t) ~VLAN_PRESENT));
    }
    uint8_t *type_at = s.at;
    write_be16(&s, be16_of(type));

    if (type == ETHERTYPE_IP4)
        write_ip4(&s, k, &l7);
    else if (type == ETHERTYPE_IP6)
        write_ip6(&s, k, &l7);
    else if (type == ETHERTYPE_ARP || type == ETHERTYPE_RARP)
        write_arp(&s, k);
    else if (type == ETHERTYPE_MPLS_UC || type == ETHERTYPE_MPLS_MC)
        write_mpls(&s, k, &l7);
    else
        write_payload(&s, &l7, 0);
    if (s.is_full)
        return -EINVAL;
    if (type < ETHERTYPE_MIN)
        store_be16(type_at, s.at - type_at - 2);
    return s.at - frame;
}
