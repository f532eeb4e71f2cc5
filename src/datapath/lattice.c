/* lattice - masks that may stand in the cache.
 *
 * Theory.  A translation tells exactly which bits decided.  Kept as they are, an attacker who flips one bit after the other would make
 *          one mask per bit, and every mask is one more probe for everybody.  So a mask is rounded to a coarse lattice before use: addresses in
 *          steps of a prefix, tags by their parts, everything else all or nothing.  Rounding only adds bits: a more specific flow is always right, it only
 *          serves fewer packets.  Bits that no rule of the port can look at are taken off again by the caller.
 */
#include "datapath/cache.h"

/* A field that is asked about as a whole. */
struct whole {
    uint16_t ofs, len;
};

#define WHOLE(member)                                                                                                  \
    {                                                                                                                  \
        offsetof(struct key, member), sizeof((struct key *) 0)->member                                                 \
    }
static const struct whole wholes[] = {
    WHOLE(port),
    WHOLE(packet_type),
    WHOLE(eth_dst),
    WHOLE(eth_src),
    WHOLE(eth_type),
    WHOLE(vlan[0].tpid),
    WHOLE(vlan[1].tpid),
    WHOLE(ip_proto),
    WHOLE(ip_frag),
    WHOLE(tp_src),
    WHOLE(tp_dst),
    WHOLE(tcp_flags),
    WHOLE(ip_tos),
    WHOLE(ip_ttl),
    WHOLE(mpls[0]),
    WHOLE(mpls[1]),
    WHOLE(mpls[2]),
    WHOLE(ip6_label),
    WHOLE(arp_op),
    WHOLE(arp_sha),
    WHOLE(arp_tha),
    WHOLE(ip6_exthdr),
    WHOLE(arp_spa),
    WHOLE(arp_tpa),
    WHOLE(icmp_type),
    WHOLE(icmp_code),
    WHOLE(nd_sll),
    WHOLE(nd_tll),
    WHOLE(nd_options_type),
    WHOLE(igmp_type),
    WHOLE(nd_reserved),
    WHOLE(nd_target),
    WHOLE(nsh_spi_si),
    WHOLE(nsh_c),
    WHOLE(nsh_flags),
    WHOLE(nsh_mdtype),
    WHOLE(nsh_np),
    WHOLE(nsh_ttl),
    WHOLE(pbb_isid),
    WHOLE(pbb_uca),
    WHOLE(pkt_mark),
    WHOLE(skb_priority),
    WHOLE(recirc_id),
    WHOLE(dp_hash),
    WHOLE(tun_id),
    WHOLE(tun_src),
    WHOLE(tun_dst),
    WHOLE(tun_ipv6_src),
    WHOLE(tun_ipv6_dst),
    WHOLE(tun_flags),
    WHOLE(tun_tos),
    WHOLE(tun_ttl),
    WHOLE(tun_tp_src),
    WHOLE(tun_tp_dst),
    WHOLE(tun_gbp_id),
    WHOLE(tun_gbp_flags),
    WHOLE(tun_erspan_ver),
    WHOLE(tun_erspan_dir),
    WHOLE(tun_erspan_hwid),
    WHOLE(tun_gtpu_flags),
    WHOLE(tun_gtpu_msgtype),
    WHOLE(tun_erspan_idx),
    WHOLE(ct_state),
    WHOLE(ct_mark),
    WHOLE(ct_zone),
    WHOLE(ct_tp_src),
    WHOLE(ct_tp_dst),
    WHOLE(ct_nw_proto),
    WHOLE(ct_nw_src),
    WHOLE(ct_nw_dst),
    WHOLE(ct_label),
    WHOLE(ct_ipv6_src),
    WHOLE(ct_ipv6_dst),
    WHOLE(tun_metadata_present),
    WHOLE(tun_metadata),
};

/* 'steps' are prefix lengths, rising, the last one the whole address. */
static void
round_prefix(uint8_t *bytes, const uint8_t *steps, unsigned n_steps)
{
    unsigned total = steps[n_steps - 1] / 8, used = 0;
    for (unsigned i = 0; i < total; i++)
        if (bytes[i])
            used = (i + 1) * 8;
    for (unsigned s = 0; used && s < n_steps; s++) {
        if (used <= steps[s]) {
            memset(bytes, 0xff, steps[s] / 8);
            return;
        }
    }
}

static void
round_part(be16 *tci, uint16_t part)
{
    if (*tci & be16_of(part))
        *tci |= be16_of(part);
}

void
mask_round(struct key *mask)
{
    static const uint8_t steps4[] = {8, 16, 24, 32}, steps6[] = {32, 48, 64, 128};

    round_prefix((uint8_t *) &mask->ip_src, steps4, ARRAY_SIZE(steps4));
    round_prefix((uint8_t *) &mask->ip_dst, steps4, ARRAY_SIZE(steps4));
    round_prefix(mask->ip6_src.b, steps6, ARRAY_SIZE(steps6));
    round_prefix(mask->ip6_dst.b, steps6, ARRAY_SIZE(steps6));
    for (unsigned i = 0; i < KEY_VLANS; i++) {
        round_part(&mask->vlan[i].tci, VLAN_PRESENT | VLAN_VID_MASK);
        round_part(&mask->vlan[i].tci, 7 << VLAN_PCP_SHIFT);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(wholes); i++) {
        uint8_t *at = (uint8_t *) mask + wholes[i].ofs, any = 0;
        for (unsigned b = 0; b < wholes[i].len; b++)
            any |= at[b];
        if (any)
            memset(at, 0xff, wholes[i].len);
    }
}
