/* edit - see the header for the promises.
 *
 * Theory.  A change is made by put(), which writes the new bytes and adds "new minus old" to a ones' complement sum; at the end of a layer
 *          the sum corrects that layer's checksum.  Two sums are kept: words of the IP header, and words under the transport checksum, of
 *          which those of the pseudo header count separately, since they are all that matters while the checksum is still owed.
 *          Only fields in which 'from' and 'to' differ are touched, so a frame with a wrong checksum stays exactly as wrong as it was.
 */
#include "packet/edit.h"
#include "packet/csum.h"
#include "packet/wire.h"

/* Moves every offset that counts from the frame's first byte. */
static void
shift_offsets(struct packet *p, int by)
{
    p->l2_len = MAX(p->l2_len + by, ETH_LEN);
    if (p->l3_ofs)
        p->l3_ofs += by;
    if (p->l4_ofs)
        p->l4_ofs += by;
    if (p->offload.flags & OFFLOAD_NEEDS_CSUM)
        p->offload.csum_start += by;
    if (p->offload.gso_type)
        p->offload.hdr_len += by;
}

static bool
has_tag(const struct packet *p)
{
    if (packet_head_len(p) < ETH_LEN + VLAN_LEN)
        return false;
    uint16_t type = load_be16(p->data + 12);
    return type == ETHERTYPE_CVLAN || type == ETHERTYPE_SVLAN;
}

bool
packet_push_vlan(struct packet *p, be16 tpid, be16 tci)
{
    if (unlikely(packet_headroom(p) < VLAN_LEN || packet_head_len(p) < ETH_LEN))
        return false;
    p->data -= VLAN_LEN;
    p->len += VLAN_LEN;
    memmove(p->data, p->data + VLAN_LEN, 12);
    memcpy(p->data + 12, &tpid, 2);
    memcpy(p->data + 14, &tci, 2);
    shift_offsets(p, VLAN_LEN);
    return true;
}

void
packet_pop_vlan(struct packet *p)
{
    if (!has_tag(p))
        return;
    memmove(p->data + VLAN_LEN, p->data, 12);
    p->data += VLAN_LEN;
    p->len -= VLAN_LEN;
    shift_offsets(p, -VLAN_LEN);
}

void
packet_set_vlan_tci(struct packet *p, be16 tci)
{
    if (has_tag(p))
        memcpy(p->data + 14, &tci, 2);
    else
        (void) packet_push_vlan(p, be16_of(ETHERTYPE_CVLAN), tci);
}

void
packet_set_eth(struct packet *p, struct mac dst, struct mac src)
{
    if (packet_head_len(p) < ETH_LEN)
        return;
    memcpy(p->data, &dst, 6);
    memcpy(p->data + 6, &src, 6);
}

/* ---- headers above Ethernet ---- */

struct change {
    uint32_t ip;     /* under the IPv4 header's checksum */
    uint32_t pseudo; /* under the transport checksum by its pseudo header */
    uint32_t l4;     /* under it by the transport's own bytes */
};

/* Writes n bytes (even, at an even distance from where the checksum begins) and notes the change in *delta. */
static void
put(uint8_t *at, const void *new, size_t n, uint32_t *delta)
{
    for (size_t i = 0; i < n; i += 2) {
        be16 was, is;
        memcpy(&was, at + i, 2);
        memcpy(&is, (const uint8_t *) new + i, 2);
        if (was != is)
            *delta = csum_delta(*delta, was, is);
    }
    memcpy(at, new, n);
}

/* One byte; 'base' is where the checksummed bytes begin. */
static void
put_byte(uint8_t *base, size_t ofs, uint8_t new, uint32_t *delta)
{
    uint8_t word[2];
    memcpy(word, base + (ofs & ~(size_t) 1), 2);
    word[ofs & 1] = new;
    put(base + (ofs & ~(size_t) 1), word, 2, delta);
}

#define DIFFERS(member) (memcmp(&from->member, &to->member, sizeof from->member) != 0)

static void
set_ip4(struct packet *p, const struct key *from, const struct key *to, struct change *ch)
{
    uint8_t *h = p->data + p->l3_ofs;
    if (DIFFERS(ip_tos))
        put_byte(h, 1, to->ip_tos, &ch->ip);
    if (DIFFERS(ip_ttl))
        put_byte(h, 8, to->ip_ttl, &ch->ip);
    uint32_t addresses = 0;
    if (DIFFERS(ip_src))
        put(h + 12, &to->ip_src, 4, &addresses);
    if (DIFFERS(ip_dst))
        put(h + 16, &to->ip_dst, 4, &addresses);
    ch->ip = csum_add(ch->ip, addresses);
    ch->pseudo = csum_add(ch->pseudo, addresses);
    if (ch->ip) {
        be16 csum;
        memcpy(&csum, h + 10, 2);
        csum = csum_update(csum, ch->ip);
        memcpy(h + 10, &csum, 2);
    }
}

/* A routing header that still has segments to go: the pseudo header holds the last of them, not ip6_dst (RFC 8200 section 8.1). */
static bool
is_on_route(const struct packet *p)
{
    const uint8_t *end = p->data + packet_head_len(p), *h = p->data + p->l3_ofs;
    uint8_t next = h[6];
    h += sizeof(struct ip6_header);
    for (int i = 0; i < 8 && end - h >= 8; i++) {
        size_t len = next == PROTO_AH ? (h[1] + 2) * 4u : next == PROTO_FRAGMENT ? 8 : (h[1] + 1) * 8u;
        if (next == PROTO_ROUTING)
            return h[3] != 0;
        if (next != PROTO_HOPOPTS && next != PROTO_DSTOPTS && next != PROTO_AH && next != PROTO_FRAGMENT)
            return false;
        next = h[0];
        if ((size_t) (end - h) < len)
            return false;
        h += len;
    }
    return false;
}

static void
set_ip6(struct packet *p, const struct key *from, const struct key *to, struct change *ch)
{
    uint8_t *h = p->data + p->l3_ofs;
    if (DIFFERS(ip_tos) || DIFFERS(ip6_label))
        store_be32(h, 6u << 28 | (uint32_t) to->ip_tos << 20 | (host32(to->ip6_label) & 0xfffff));
    if (DIFFERS(ip_ttl))
        h[7] = to->ip_ttl;
    if (DIFFERS(ip6_src))
        put(h + 8, &to->ip6_src, 16, &ch->pseudo);
    if (DIFFERS(ip6_dst)) {
        uint32_t uncounted = 0;
        put(h + 24, &to->ip6_dst, 16, is_on_route(p) ? &uncounted : &ch->pseudo);
    }
}

static void
set_arp(struct packet *p, const struct key *to)
{
    struct arp_header *h = (void *) (p->data + p->l3_ofs);
    h->op = to->arp_op;
    h->sha = to->arp_sha;
    h->spa = to->arp_spa;
    h->tha = to->arp_tha;
    h->tpa = to->arp_tpa;
}

static void
set_nsh(struct packet *p, const struct key *to)
{
    struct nsh_header *h = (void *) (p->data + p->l3_ofs);
    uint16_t first = host16(h->ver_flags_ttl_words) & 0xc03f;
    h->ver_flags_ttl_words = be16_of(first | (to->nsh_flags & 3) << 12 | (to->nsh_ttl & 0x3f) << 6);
    h->spi_si = to->nsh_spi_si;
    if (h->mdtype == 1)
        memcpy(h + 1, to->nsh_c, sizeof to->nsh_c);
}

static void
set_mpls(struct packet *p, const struct key *to)
{
    size_t labels = (packet_head_len(p) - p->l3_ofs) / 4;
    for (size_t i = 0; i < MIN(labels, (size_t) KEY_MPLS); i++) {
        uint8_t *lse = p->data + p->l3_ofs + i * 4;
        bool is_bottom = lse[2] & 1;
        memcpy(lse, &to->mpls[i], 4);
        if (is_bottom)
            return;
    }
}

/* How far from the frame's first byte the IP packet ends: what is behind that is padding. */
static size_t
ip_end(const struct packet *p, const struct key *k)
{
    const uint8_t *h = p->data + p->l3_ofs;
    size_t len =
        k->eth_type == be16_of(ETHERTYPE_IP6) ? sizeof(struct ip6_header) + load_be16(h + 4) : load_be16(h + 2);
    return MIN((size_t) p->len, p->l3_ofs + len);
}

static void
set_nd(struct packet *p, const struct key *from, const struct key *to, struct change *ch)
{
    uint8_t *h = p->data + p->l4_ofs, *end = p->data + MIN(ip_end(p, from), (size_t) packet_head_len(p));
    if (end - h < 24)
        return;
    if (DIFFERS(nd_reserved))
        put(h + 4, &to->nd_reserved, 4, &ch->l4);
    if (DIFFERS(nd_target))
        put(h + 8, &to->nd_target, 16, &ch->l4);
    for (h += 24; end - h >= 8 && h[1] && h[1] * 8 <= end - h; h += h[1] * 8) {
        if (h[1] != 1 || (h[0] != ND_OPT_SOURCE && h[0] != ND_OPT_TARGET))
            continue;
        if (h[0] == ND_OPT_SOURCE && DIFFERS(nd_sll))
            put(h + 2, &to->nd_sll, 6, &ch->l4);
        else if (h[0] == ND_OPT_TARGET && DIFFERS(nd_tll))
            put(h + 2, &to->nd_tll, 6, &ch->l4);
        if (DIFFERS(nd_options_type) && h[0] == from->nd_options_type)
            put_byte(h, 0, to->nd_options_type, &ch->l4);
    }
}

static void
set_icmp(struct packet *p, const struct key *from, const struct key *to, struct change *ch)
{
    uint8_t *h = p->data + p->l4_ofs;
    if (DIFFERS(icmp_type))
        put_byte(h, 0, to->icmp_type, &ch->l4);
    if (DIFFERS(icmp_code))
        put_byte(h, 1, to->icmp_code, &ch->l4);
}

static void
set_ports(struct packet *p, const struct key *from, const struct key *to, struct change *ch)
{
    uint8_t *h = p->data + p->l4_ofs;
    if (DIFFERS(tp_src))
        put(h, &to->tp_src, 2, &ch->l4);
    if (DIFFERS(tp_dst))
        put(h + 2, &to->tp_dst, 2, &ch->l4);
}

static uint32_t
crc_of_sctp(const struct packet *p, const struct key *k)
{
    struct iovec iov[2];
    unsigned n = packet_iov(p, iov);
    size_t skip = p->l4_ofs, left = ip_end(p, k) - skip;
    uint32_t crc = UINT32_MAX;
    for (unsigned i = 0; i < n; i++, skip = 0) {
        size_t len = MIN(left, iov[i].iov_len - skip);
        crc = crc32c_add(crc, (uint8_t *) iov[i].iov_base + skip, len);
        left -= len;
    }
    return htole32(~crc);
}

/* SCTP's sum is a CRC: what is wrong with it now is kept wrong in the same way (as with the others). */
static void
set_sctp(struct packet *p, const struct key *from, const struct key *to, struct change *ch)
{
    if (!(DIFFERS(tp_src) || DIFFERS(tp_dst)))
        return;
    struct sctp_header *h = (void *) (p->data + p->l4_ofs);
    if (from->ip_frag || (p->offload.flags & OFFLOAD_NEEDS_CSUM)) { /* not all of it is here, or it is computed later */
        set_ports(p, from, to, ch);
        return;
    }
    uint32_t had, error;
    memcpy(&had, &h->csum, 4);
    h->csum = 0;
    error = had ^ crc_of_sctp(p, from);
    set_ports(p, from, to, ch);
    h->csum = error ^ crc_of_sctp(p, to);
}

/* Where the transport's checksum stands, counted from its header; -1: it has none of this kind. */
static int
csum_ofs_of(const struct key *k)
{
    switch (k->ip_proto) {
    case PROTO_TCP:
        return 16;
    case PROTO_UDP:
        return 6;
    case PROTO_ICMP:
        return k->eth_type == be16_of(ETHERTYPE_IP4) ? 2 : -1;
    case PROTO_ICMP6:
        return k->eth_type == be16_of(ETHERTYPE_IP6) ? 2 : -1;
    default:
        return -1;
    }
}

static void
fix_l4_csum(struct packet *p, const struct key *from, const struct change *ch)
{
    int ofs = csum_ofs_of(from);
    if (!p->l4_ofs || ofs < 0)
        return;
    uint8_t *at = p->data + p->l4_ofs + ofs;
    be16 csum;
    memcpy(&csum, at, 2);
    uint32_t pseudo = from->ip_proto == PROTO_ICMP ? 0 : ch->pseudo;
    if ((p->offload.flags & OFFLOAD_NEEDS_CSUM) && p->offload.csum_start == p->l4_ofs)
        csum = csum_narrow(csum_add(pseudo, csum));
    else if (from->ip_proto == PROTO_UDP && !csum)
        return; /* the sender said "none" */
    else if (csum_add(pseudo, ch->l4)) {
        csum = csum_update(csum, csum_add(pseudo, ch->l4));
        if (from->ip_proto == PROTO_UDP && !csum)
            csum = 0xffff;
    }
    memcpy(at, &csum, 2);
}

static void
set_l4(struct packet *p, const struct key *from, const struct key *to, struct change *ch)
{
    bool is6 = from->eth_type == be16_of(ETHERTYPE_IP6);
    if (!p->l4_ofs)
        return;
    switch (from->ip_proto) {
    case PROTO_TCP:
    case PROTO_UDP:
        set_ports(p, from, to, ch);
        break;
    case PROTO_SCTP:
        set_sctp(p, from, to, ch);
        break;
    case PROTO_ICMP:
        if (!is6)
            set_icmp(p, from, to, ch);
        break;
    case PROTO_ICMP6:
        if (!is6)
            break;
        if (!from->icmp_code && (from->icmp_type == ND_SOLICIT || from->icmp_type == ND_ADVERT))
            set_nd(p, from, to, ch);
        set_icmp(p, from, to, ch);
        break;
    }
}

bool
packet_set_headers(struct packet *p, const struct key *from, const struct key *to)
{
    if (DIFFERS(eth_dst) || DIFFERS(eth_src))
        packet_set_eth(p, to->eth_dst, to->eth_src);
    if (!p->l3_ofs) /* nothing there to change, and nothing must be asked */
        return !memcmp(&from->ip_proto, &to->ip_proto, KEY_FRAME_BYTES - offsetof(struct key, ip_proto));

    struct change ch = {0};
    switch (host16(from->eth_type)) {
    case ETHERTYPE_IP4:
        set_ip4(p, from, to, &ch);
        break;
    case ETHERTYPE_IP6:
        set_ip6(p, from, to, &ch);
        break;
    case ETHERTYPE_ARP:
    case ETHERTYPE_RARP:
        set_arp(p, to);
        return true;
    case ETHERTYPE_MPLS_UC:
    case ETHERTYPE_MPLS_MC:
        set_mpls(p, to);
        return true;
    case ETHERTYPE_NSH:
        set_nsh(p, to);
        return true;
    default:
        return true;
    }
    set_l4(p, from, to, &ch);
    fix_l4_csum(p, from, &ch);
    return true;
}
