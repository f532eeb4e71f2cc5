/* key - reading a frame, one layer after the other.
 *
 * Theory.  Each layer asks the cursor once for its whole header and takes nothing when it is not all there; what is below it then
 *          stays zero.  Every loop has a bound: tags max_vlans, MPLS KEY_MPLS labels, IPv6 IP6_EXT_MAX extension headers, ND options by the
 *          bytes that are left.  All headers stand in the packet's chunk (packet.h), so the cursor covers only that; lengths that a header
 *          claims are held against the whole frame.
 */
#include "packet/key.h"
#include "base/cursor.h"
#include "packet/wire.h"
#include <errno.h>

#define IP6_EXT_MAX 8

/* ip6_exthdr, OpenFlow 1.3.5 section A.2.3.8 */
enum {
    IEH_NONEXT = 1 << 0,
    IEH_ESP = 1 << 1,
    IEH_AUTH = 1 << 2,
    IEH_DEST = 1 << 3,
    IEH_FRAG = 1 << 4,
    IEH_ROUTER = 1 << 5,
    IEH_HOP = 1 << 6,
    IEH_UNREP = 1 << 7,
    IEH_UNSEQ = 1 << 8
};

static void
parse_nd(struct cursor *c, struct key *k, const struct icmp_header *icmp)
{
    struct ip6 target;
    struct mac sll = {{0}}, tll = {{0}};
    uint8_t last_type = 0;

    cur_copy(c, &target, sizeof target);
    while (!c->bad && cur_left(c)) {
        const struct nd_option *o = (const void *) c->at;
        size_t len = cur_left(c) >= 2 ? o->words * (size_t) 8 : 0;
        if (!len || !cur_take(c, len))
            return; /* an option without length: nothing here can be trusted */
        if (len == sizeof *o && (o->type == ND_OPT_SOURCE || o->type == ND_OPT_TARGET)) {
            struct mac *mac = o->type == ND_OPT_SOURCE ? &sll : &tll;
            if (!mac_is_zero(*mac))
                return; /* said twice */
            *mac = o->mac;
            last_type = o->type;
        }
    }
    if (c->bad)
        return;
    k->nd_target = target;
    k->nd_sll = sll;
    k->nd_tll = tll;
    k->nd_reserved = icmp->rest;
    k->nd_options_type = last_type;
}

static void
parse_icmp6(struct cursor *c, struct key *k)
{
    const struct icmp_header *h = cur_take(c, sizeof *h);
    if (!h)
        return;
    k->icmp_type = h->type;
    k->icmp_code = h->code;
    if (!h->code && (h->type == ND_SOLICIT || h->type == ND_ADVERT)) {
        struct cursor nd = *c;
        parse_nd(&nd, k, h);
    }
}

/* What stands behind the IP header. */
static ALWAYS_INLINE void
parse_l4(struct packet *p, struct cursor *c, struct key *k)
{
    p->l4_ofs = c->at - p->data;
    switch (k->ip_proto) {
    case PROTO_TCP: {
        const struct tcp_header *h = cur_take(c, sizeof *h);
        if (h) {
            k->tp_src = h->src;
            k->tp_dst = h->dst;
            k->tcp_flags = h->off_flags & be16_of(TCP_FLAGS);
        }
        break;
    }
    case PROTO_UDP: {
        const struct udp_header *h = cur_take(c, sizeof *h);
        if (h) {
            k->tp_src = h->src;
            k->tp_dst = h->dst;
        }
        break;
    }
    case PROTO_SCTP: {
        const struct sctp_header *h = cur_take(c, sizeof *h);
        if (h) {
            k->tp_src = h->src;
            k->tp_dst = h->dst;
        }
        break;
    }
    case PROTO_ICMP: {
        const struct icmp_header *h = k->eth_type == be16_of(ETHERTYPE_IP4) ? cur_take(c, sizeof *h) : NULL;
        if (h) {
            k->icmp_type = h->type;
            k->icmp_code = h->code;
        }
        break;
    }
    case PROTO_ICMP6:
        if (k->eth_type == be16_of(ETHERTYPE_IP6))
            parse_icmp6(c, k);
        break;
    case PROTO_IGMP: {
        const struct igmp_header *h = k->eth_type == be16_of(ETHERTYPE_IP4) ? cur_take(c, sizeof *h) : NULL;
        if (h)
            k->igmp_type = h->type;
        break;
    }
    }
    if (c->bad)
        p->l4_ofs = 0;
}

/* Lets the cursor end where a header at 'begin' says that its packet of 'len' bytes does; false: the frame is shorter than that.
 * 'frame_end' is the end of the frame if all of it stood in one piece. */
static ALWAYS_INLINE bool
limit_to(struct cursor *c, const uint8_t *begin, size_t len, const uint8_t *frame_end)
{
    if (unlikely(len > (size_t) (frame_end - begin)))
        return false;
    if (len < (size_t) (c->end - begin))
        c->end = begin + len;
    return true;
}

static ALWAYS_INLINE void
parse_ip4(struct packet *p, struct cursor *c, struct key *k)
{
    const uint8_t *begin = c->at;
    const struct ip4_header *h = cur_take(c, sizeof *h);
    if (unlikely(!h))
        return;
    size_t header_len = (h->ver_ihl & 0xf) * 4;
    size_t tot_len = host16(h->tot_len);
    if (unlikely(header_len < sizeof *h || tot_len < header_len || !limit_to(c, begin, tot_len, p->data + p->len)))
        return;
    cur_skip(c, header_len - sizeof *h);
    if (unlikely(c->bad))
        return;

    p->l3_ofs = begin - p->data;
    k->ip_src = h->src;
    k->ip_dst = h->dst;
    k->ip_proto = h->proto;
    k->ip_tos = h->tos;
    k->ip_ttl = h->ttl;
    if (unlikely(h->frag & be16_of(IP4_FRAG_OFFSET | IP4_MORE_FRAGMENTS))) {
        k->ip_frag = IP_FRAG_ANY;
        if (h->frag & be16_of(IP4_FRAG_OFFSET)) {
            k->ip_frag |= IP_FRAG_LATER;
            return;
        }
    }
    parse_l4(p, c, k);
}

/* The extension headers seen so far, and whether they come as RFC 8200 section 4.1 would have them. */
struct ext_order {
    uint16_t seen; /* IEH_* */
    unsigned n_dest;
    int rank; /* of the latest */
};

static void
ext_note(struct ext_order *o, uint16_t bit, int rank)
{
    if (bit == IEH_DEST)
        rank = o->rank < 1 ? 1 : 6; /* before a routing header, or the last of all */
    if (rank < o->rank)
        o->seen |= IEH_UNSEQ;
    if (bit == IEH_DEST ? ++o->n_dest > 2 : o->seen & bit)
        o->seen |= IEH_UNREP;
    o->seen |= bit;
    o->rank = MAX(o->rank, rank);
}

/* Walks to the header that is none of IPv6's own.  Returns its number, or -1 when one is cut short. */
static int
parse_ip6_ext(struct cursor *c, uint8_t next, struct key *k)
{
    static const struct {
        uint16_t bit;
        int8_t rank;
    } order[256] = {
        [PROTO_HOPOPTS] = {IEH_HOP, 0},   [PROTO_DSTOPTS] = {IEH_DEST, 1}, [PROTO_ROUTING] = {IEH_ROUTER, 2},
        [PROTO_FRAGMENT] = {IEH_FRAG, 3}, [PROTO_AH] = {IEH_AUTH, 4},      [PROTO_ESP] = {IEH_ESP, 5},
        [PROTO_NONE] = {IEH_NONEXT, 7},
    };
    struct ext_order o = {.rank = -1};

    for (int i = 0; order[next].bit; i++) {
        ext_note(&o, order[next].bit, order[next].rank);
        k->ip6_exthdr = be16_of(o.seen);
        if (next == PROTO_ESP || next == PROTO_NONE || i == IP6_EXT_MAX)
            break;
        const uint8_t *h = cur_take(c, 8);
        if (!h)
            return -1;
        if (next == PROTO_FRAGMENT) {
            const struct ip6_frag_header *f = (const void *) h;
            if (f->off_more & be16_of(0xfff9)) { /* an "atomic" fragment is a whole packet */
                k->ip_frag = IP_FRAG_ANY;
                if (f->off_more & be16_of(0xfff8)) {
                    k->ip_frag |= IP_FRAG_LATER;
                    return PROTO_FRAGMENT;
                }
            }
        } else {
            size_t len = next == PROTO_AH ? (h[1] + 2) * (size_t) 4 : (h[1] + 1) * (size_t) 8;
            if (len > 8)
                cur_skip(c, len - 8);
            if (c->bad)
                return -1;
        }
        next = h[0];
    }
    return next;
}

static ALWAYS_INLINE void
parse_ip6(struct packet *p, struct cursor *c, struct key *k)
{
    const struct ip6_header *h = cur_take(c, sizeof *h);
    if (unlikely(!h || !limit_to(c, c->at, host16(h->payload_len), p->data + p->len)))
        return;

    p->l3_ofs = (const uint8_t *) h - p->data;
    uint32_t first = host32(h->ver_tc_label);
    k->ip6_src = h->src;
    k->ip6_dst = h->dst;
    k->ip6_label = be32_of(first & 0xfffff);
    k->ip_tos = first >> 20;
    k->ip_ttl = h->hop_limit;
    int proto = parse_ip6_ext(c, h->next, k);
    if (unlikely(proto < 0))
        return;
    k->ip_proto = proto;
    if (likely(!(k->ip_frag & IP_FRAG_LATER)))
        parse_l4(p, c, k);
}

static void
parse_arp(struct packet *p, struct cursor *c, struct key *k)
{
    const struct arp_header *h = cur_take(c, sizeof *h);
    if (!h || h->hw != be16_of(1) || h->proto != be16_of(ETHERTYPE_IP4) || h->hw_len != 6 || h->proto_len != 4)
        return;
    p->l3_ofs = (const uint8_t *) h - p->data;
    k->arp_op = h->op;
    k->arp_spa = h->spa;
    k->arp_tpa = h->tpa;
    k->arp_sha = h->sha;
    k->arp_tha = h->tha;
}

static void
parse_mpls(struct packet *p, struct cursor *c, struct key *k)
{
    size_t begin = c->at - p->data;
    for (int i = 0; i < KEY_MPLS; i++) {
        const void *lse = cur_take(c, 4);
        if (!lse)
            return;
        p->l3_ofs = begin;
        memcpy(&k->mpls[i], lse, 4);
        if (k->mpls[i] & be32_of(0x100)) /* bottom of the stack */
            return;
    }
}

/* RFC 8300 sections 2.2 to 2.5; metadata of type 2 is stepped over. */
static void
parse_nsh(struct packet *p, struct cursor *c, struct key *k)
{
    const struct nsh_header *h = cur_take(c, sizeof *h);
    if (!h)
        return;
    uint16_t first = host16(h->ver_flags_ttl_words);
    size_t len = (first & 0x3f) * 4;
    uint8_t mdtype = h->mdtype & 0xf;
    if (first >> 14 || len < sizeof *h || !cur_take(c, len - sizeof *h) || (mdtype != 1 && mdtype != 2) ||
        (mdtype == 1 && len != 24))
        return;
    p->l3_ofs = (const uint8_t *) h - p->data;
    k->nsh_flags = first >> 12 & 3;
    k->nsh_ttl = first >> 6 & 0x3f;
    k->nsh_mdtype = mdtype;
    k->nsh_np = h->np;
    k->nsh_spi_si = h->spi_si;
    if (mdtype == 1)
        memcpy(k->nsh_c, h + 1, sizeof k->nsh_c);
}

static void
parse_pbb(struct cursor *c, struct key *k)
{
    const struct pbb_header *h = cur_take(c, sizeof *h);
    if (!h)
        return;
    uint32_t tci = host32(h->tci);
    k->pbb_isid = be32_of(0x01000000 | (tci & 0xffffff));
    k->pbb_uca = tci >> 27 & 1;
}

/* The type behind an 802.3 length: SNAP's, or none. */
static be16
parse_llc(struct cursor *c)
{
    const struct llc_snap_header *h = cur_left(c) >= sizeof *h ? (const void *) c->at : NULL;
    if (!h || h->dsap != 0xaa || h->ssap != 0xaa || h->control != 3 || h->org[0] || h->org[1] || h->org[2] ||
        host16(h->type) < ETHERTYPE_MIN)
        return be16_of(ETHERTYPE_NONE);
    cur_skip(c, sizeof *h);
    return h->type;
}

int
key_parse(struct packet *p, unsigned max_vlans, struct key *k)
{
    memset(k, 0, sizeof *k);
    k->port = p->in_port;
    p->l2_len = p->l3_ofs = p->l4_ofs = 0;

    struct cursor c = cursor_of(p->data, packet_head_len(p));
    const struct eth_header *eth = cur_take(&c, sizeof *eth);
    if (unlikely(!eth))
        return -EBADMSG;
    k->eth_dst = eth->dst;
    k->eth_src = eth->src;
    be16 type = eth->type;
    for (unsigned i = 0; i < max_vlans && (type == be16_of(ETHERTYPE_CVLAN) || type == be16_of(ETHERTYPE_SVLAN)); i++) {
        const struct vlan_header *tag = cur_left(&c) >= sizeof *tag ? cur_take(&c, sizeof *tag) : NULL;
        if (unlikely(!tag))
            break;
        k->vlan[i] = (struct vlan_tag){type, tag->tci | be16_of(VLAN_PRESENT)};
        type = tag->type;
    }
    p->l2_len = c.at - p->data;
    if (unlikely(host16(type) < ETHERTYPE_MIN))
        type = parse_llc(&c);
    k->eth_type = type;

    switch (host16(type)) {
    case ETHERTYPE_IP4:
        parse_ip4(p, &c, k);
        break;
    case ETHERTYPE_IP6:
        parse_ip6(p, &c, k);
        break;
    case ETHERTYPE_ARP:
    case ETHERTYPE_RARP:
        parse_arp(p, &c, k);
        break;
    case ETHERTYPE_MPLS_UC:
    case ETHERTYPE_MPLS_MC:
        parse_mpls(p, &c, k);
        break;
    case ETHERTYPE_NSH:
        parse_nsh(p, &c, k);
        break;
    case ETHERTYPE_PBB:
        parse_pbb(&c, k);
        break;
    }
    return 0;
}
