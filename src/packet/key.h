/* key - all that a rule can ask about a frame, flat and in network order.
 *
 * Shape.      Every field of OpenFlow and Nicira is a member at a fixed offset (flow/fields.def names them), so that get, set, mask,
 *             compare and print are loops over (offset, bits).  Three sections: 'frame' is read from the bytes, 'meta' comes with the
 *             frame (port, tunnel, connection), 'pipeline' is the scratch memory of the OpenFlow tables and never decides a cached flow.
 * Invariant.  Members of layers that the frame does not have are zero.  vlan[].tci carries the CFI bit 0x1000 as "there is a tag".
 * Source.     OpenFlow 1.5.1 section 7.2.3, ovs-fields(7).
 */
#ifndef PACKET_KEY_H
#define PACKET_KEY_H 1

#include "packet/addr.h"
#include "packet/packet.h"

#define KEY_VLANS 2
#define VLAN_PRESENT 0x1000 /* host order */
#define VLAN_VID_MASK 0x0fff
#define VLAN_PCP_SHIFT 13
#define KEY_MPLS 3

struct vlan_tag {
    be16 tpid; /* 0: no tag */
    be16 tci;
};

/* ip_frag */
enum { IP_FRAG_ANY = 1, IP_FRAG_LATER = 2 };

struct key {
    /* ---- frame ---- */
    dpport port;      /* where it came in (host order; meta, but the first thing any flow depends on) */
    be32 packet_type; /* 0: Ethernet; else (namespace << 16 | type) */
    struct mac eth_dst, eth_src;
    be16 eth_type;                   /* of the innermost tag read; 0x05ff: 802.2 without SNAP */
    struct vlan_tag vlan[KEY_VLANS]; /* outermost first */
    uint8_t ip_proto;                /* of IPv4; of IPv6 behind its extension headers */
    uint8_t ip_frag;
    be32 ip_src, ip_dst;
    be16 tp_src, tp_dst;    /* TCP, UDP, SCTP */
    be16 tcp_flags;         /* 12 bits */
    uint8_t ip_tos, ip_ttl; /* DSCP and ECN; also of IPv6 */
    be32 mpls[KEY_MPLS];    /* label stack entries, outermost first */
    be32 ip6_label;
    /* 64 bytes up to here */
    struct ip6 ip6_src, ip6_dst;
    be16 arp_op;
    struct mac arp_sha, arp_tha;
    be16 ip6_exthdr; /* OFPIEH_* bits */
    be32 arp_spa, arp_tpa;
    uint8_t icmp_type, icmp_code; /* ICMP and ICMPv6 */
    struct mac nd_sll, nd_tll;
    uint8_t nd_options_type, igmp_type;
    be32 nd_reserved;
    uint32_t pad0_;
    struct ip6 nd_target;
    be32 nsh_spi_si; /* SPI << 8 | SI */
    be32 nsh_c[4];
    uint8_t nsh_flags, nsh_mdtype, nsh_np, nsh_ttl;
    be32 pbb_isid; /* 24 bits; 0x01000000: there is one */
    uint8_t pbb_uca;
    uint8_t pad1_[3];

    /* ---- meta ---- */
    be32 pkt_mark, skb_priority;
    be32 recirc_id, dp_hash;
    be64 tun_id;
    be32 tun_src, tun_dst;
    struct ip6 tun_ipv6_src, tun_ipv6_dst;
    be16 tun_flags; /* OAM, CSUM, DF, KEY as in ovs-fields(7) */
    uint8_t tun_tos, tun_ttl;
    be16 tun_tp_src, tun_tp_dst;
    be16 tun_gbp_id;
    uint8_t tun_gbp_flags;
    uint8_t tun_erspan_ver, tun_erspan_dir, tun_erspan_hwid;
    uint8_t tun_gtpu_flags, tun_gtpu_msgtype;
    be32 tun_erspan_idx;
    uint32_t pad2_;
    be32 ct_state, ct_mark;
    be16 ct_zone, ct_tp_src, ct_tp_dst;
    uint8_t ct_nw_proto, pad3_;
    be32 ct_nw_src, ct_nw_dst;
    struct ip6 ct_label; /* 128 bits, most significant byte first */
    struct ip6 ct_ipv6_src, ct_ipv6_dst;
    be64 tun_metadata_present; /* one bit per mapped field */
    uint8_t tun_metadata[256]; /* where each field stands: flow/tlv_table */

    /* ---- pipeline ---- */
    be32 in_port; /* OpenFlow's number (32 bits) */
    be32 actset_output;
    be64 metadata;
    be32 reg[32]; /* xreg and xxreg are these, big end first */
    be32 conj_id;
    uint32_t pad4_;
};

#define KEY_FRAME_BYTES offsetof(struct key, pkt_mark)
#define KEY_CACHED_BYTES offsetof(struct key, in_port) /* what a cached flow may depend on */

static_assert(offsetof(struct key, ip6_src) == 64, "L2 to IPv4 and L4 in the first line");
static_assert(KEY_FRAME_BYTES % 8 == 0 && KEY_CACHED_BYTES % 8 == 0 && sizeof(struct key) % 8 == 0, "whole words");

/* Reads the frame into key (all of it is set; the meta and pipeline sections are zero but for 'port') and sets the offsets in 'p'.
 * At most 'max_vlans' tags (0..KEY_VLANS) are read as tags; a further one is just an eth_type.  Every depth is bounded.  A frame shorter than an
 * Ethernet header is refused (-EBADMSG); a header cut short inside leaves that layer's members zero. */
int key_parse(struct packet *p, unsigned max_vlans, struct key *key);

#endif
