/* wire - the headers of the protocols we read and write, as they stand in a frame: network order, no padding, any address. */
#ifndef PACKET_WIRE_H
#define PACKET_WIRE_H 1

#include "packet/addr.h"

enum {
    ETHERTYPE_MIN = 0x0600, /* smaller: an 802.3 length */
    ETHERTYPE_IP4 = 0x0800,
    ETHERTYPE_ARP = 0x0806,
    ETHERTYPE_RARP = 0x8035,
    ETHERTYPE_CVLAN = 0x8100,
    ETHERTYPE_IP6 = 0x86dd,
    ETHERTYPE_MPLS_UC = 0x8847,
    ETHERTYPE_MPLS_MC = 0x8848,
    ETHERTYPE_SVLAN = 0x88a8,
    ETHERTYPE_PBB = 0x88e7,
    ETHERTYPE_NSH = 0x894f,
    ETHERTYPE_NONE = 0x05ff, /* in keys: 802.2 that carries no type */
};

enum {
    PROTO_HOPOPTS = 0,
    PROTO_ICMP = 1,
    PROTO_IGMP = 2,
    PROTO_TCP = 6,
    PROTO_UDP = 17,
    PROTO_ROUTING = 43,
    PROTO_FRAGMENT = 44,
    PROTO_GRE = 47,
    PROTO_ESP = 50,
    PROTO_AH = 51,
    PROTO_ICMP6 = 58,
    PROTO_NONE = 59,
    PROTO_DSTOPTS = 60,
    PROTO_SCTP = 132,
};

#define ETH_LEN 14
#define VLAN_LEN 4

struct eth_header {
    struct mac dst, src;
    be16 type;
} PACKED;

struct vlan_header { /* behind the 0x8100 or 0x88a8 that stood in the type's place */
    be16 tci;
    be16 type; /* of what follows */
} PACKED;

struct llc_snap_header {
    uint8_t dsap, ssap, control;
    uint8_t org[3];
    be16 type;
} PACKED;

struct arp_header { /* for Ethernet and IPv4 */
    be16 hw, proto;
    uint8_t hw_len, proto_len;
    be16 op;
    struct mac sha;
    be32 spa;
    struct mac tha;
    be32 tpa;
} PACKED;

struct ip4_header {
    uint8_t ver_ihl, tos;
    be16 tot_len, id, frag;
    uint8_t ttl, proto;
    be16 csum;
    be32 src, dst;
} PACKED;
#define IP4_FRAG_OFFSET 0x1fff
#define IP4_MORE_FRAGMENTS 0x2000

struct ip6_header {
    be32 ver_tc_label;
    be16 payload_len;
    uint8_t next, hop_limit;
    struct ip6 src, dst;
} PACKED;

struct ip6_frag_header {
    uint8_t next, reserved;
    be16 off_more; /* 13 bits offset, 2 reserved, 1 "more" */
    be32 id;
} PACKED;

struct tcp_header {
    be16 src, dst;
    be32 seq, ack;
    be16 off_flags; /* 4 bits header length in words, 12 bits flags */
    be16 window, csum, urgent;
} PACKED;
#define TCP_FLAGS 0x0fff
enum { TCP_FIN = 0x01, TCP_SYN = 0x02, TCP_RST = 0x04, TCP_PSH = 0x08, TCP_ACK = 0x10, TCP_CWR = 0x80 };

struct udp_header {
    be16 src, dst, len, csum;
} PACKED;

struct sctp_header {
    be16 src, dst;
    be32 tag, csum;
} PACKED;

struct icmp_header { /* also ICMPv6 */
    uint8_t type, code;
    be16 csum;
    be32 rest;
} PACKED;
enum { ND_SOLICIT = 135, ND_ADVERT = 136, ND_OPT_SOURCE = 1, ND_OPT_TARGET = 2 };

struct nd_option {
    uint8_t type, words; /* of 8 bytes */
    struct mac mac;
} PACKED;

struct igmp_header {
    uint8_t type, code;
    be16 csum;
    be32 group;
} PACKED;

struct nsh_header {
    be16 ver_flags_ttl_words;
    uint8_t mdtype, np;
    be32 spi_si;
} PACKED;

struct pbb_header { /* IEEE 802.1ah I-TAG; customer addresses follow */
    be32 tci;
} PACKED;

static_assert(sizeof(struct arp_header) == 28 && sizeof(struct ip4_header) == 20 && sizeof(struct ip6_header) == 40 &&
                  sizeof(struct tcp_header) == 20,
              "as the wire has them");

#endif
