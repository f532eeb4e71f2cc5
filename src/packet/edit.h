/* edit - changes of a frame's headers, each keeping offload offsets and checksums right.
 *
 * Every function here wants a packet of one owner (packet_own) and headers that key_parse() has seen.  Where a checksum is still owed
 * (OFFLOAD_NEEDS_CSUM) only the pseudo header's sum is adjusted; otherwise it is updated in place (RFC 1624).
 */
#ifndef PACKET_EDIT_H
#define PACKET_EDIT_H 1

#include "packet/key.h"

bool packet_push_vlan(struct packet *, be16 tpid, be16 tci); /* false: no headroom */
void packet_pop_vlan(struct packet *);                       /* no tag: nothing happens */
void packet_set_vlan_tci(struct packet *, be16 tci); /* of the outermost tag; pushes 0x8100 when there is none */
void packet_set_eth(struct packet *, struct mac dst, struct mac src);
/* Rewrites the headers of 'p' so that they say 'to' where they said 'from' (both of this frame's shape: types and protocols equal):
 * addresses, tos, ttl, label, ports, ICMP type and code, ARP, ND, MPLS, NSH.  Tags are not looked at.  false: 'to' asks for a change of a header that
 * the frame does not have; the Ethernet addresses are set all the same. */
bool packet_set_headers(struct packet *, const struct key *from, const struct key *to);

#endif
