/* key_quick - the most common frames into the first line of a key.
 *
 * Theory.     key_parse() sets all of a struct key, which is a dozen lines, and serves every frame.  What most frames are (Ethernet, at most one tag, IPv4
 *             without options or fragments, TCP or UDP) fills only the first 64 bytes; here they are read at fixed offsets, with one test per layer.
 * Invariant.  When it returns true, the first line and the offsets in 'p' are what key_parse() would have made, which would have left the rest of
 *             the key zero: the caller sees to it that it is.
 */
#ifndef PACKET_KEY_QUICK_H
#define PACKET_KEY_QUICK_H 1

#include "packet/key.h"
#include "packet/wire.h"

#define KEY_LINE 64

static ALWAYS_INLINE bool
key_parse_quick(struct packet *p, unsigned max_vlans, struct key *k)
{
    const uint8_t *at = p->data;
    if (unlikely(packet_head_len(p) < ETH_LEN + VLAN_LEN + sizeof(struct ip4_header) + sizeof(struct tcp_header)))
        return false;
    be16 type, tci = 0, tpid = 0;
    unsigned ofs = ETH_LEN;
    memcpy(&type, at + 12, sizeof type);
    if (type == be16_of(ETHERTYPE_CVLAN) && max_vlans) {
        tpid = type;
        memcpy(&tci, at + 14, sizeof tci);
        tci |= be16_of(VLAN_PRESENT);
        memcpy(&type, at + 16, sizeof type);
        ofs += VLAN_LEN;
    }
    const struct ip4_header *ip = (const void *) (at + ofs);
    if (unlikely(type != be16_of(ETHERTYPE_IP4) || ip->ver_ihl != 0x45 ||
                 (ip->frag & be16_of(IP4_FRAG_OFFSET | IP4_MORE_FRAGMENTS))))
        return false;
    const struct tcp_header *tcp = (const void *) (ip + 1);
    bool is_tcp = ip->proto == PROTO_TCP;
    unsigned tot_len = host16(ip->tot_len);
    if (unlikely(!is_tcp && ip->proto != PROTO_UDP) || unlikely(tot_len > p->len - ofs) ||
        unlikely(tot_len < sizeof *ip + (is_tcp ? sizeof *tcp : sizeof(struct udp_header))))
        return false;

    k->port = p->in_port;
    k->packet_type = 0;
    memcpy(&k->eth_dst, at, 12);
    k->eth_type = type;
    k->vlan[0] = (struct vlan_tag){tpid, tci};
    k->vlan[1] = (struct vlan_tag){0, 0};
    k->ip_proto = ip->proto;
    k->ip_frag = 0;
    memcpy(&k->ip_src, &ip->src, 8);
    memcpy(&k->tp_src, &tcp->src, 4);
    k->tcp_flags = is_tcp ? tcp->off_flags & be16_of(TCP_FLAGS) : 0;
    k->ip_tos = ip->tos;
    k->ip_ttl = ip->ttl;
    memset(k->mpls, 0, sizeof k->mpls);
    k->ip6_label = 0;
    p->l2_len = p->l3_ofs = ofs;
    p->l4_ofs = ofs + sizeof *ip;
    return true;
}

static_assert(offsetof(struct key, eth_src) == offsetof(struct key, eth_dst) + 6 &&
                  offsetof(struct key, ip_dst) == offsetof(struct key, ip_src) + 4 &&
                  offsetof(struct key, tp_dst) == offsetof(struct key, tp_src) + 2 &&
                  offsetof(struct key, ip6_label) + sizeof(be32) == KEY_LINE,
              "neighbours that are copied together");

#endif
