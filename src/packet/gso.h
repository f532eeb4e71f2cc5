/* gso - what an offload-aware frame owes, done in software at a door that cannot do it itself. */
#ifndef PACKET_GSO_H
#define PACKET_GSO_H 1

#include "packet/packet.h"

/* What a door can take as it is. */
enum { DOOR_CSUM = 1, DOOR_TSO = 2, DOOR_USO = 4 };

/* Checks that the offload words make sense for this frame (a guest or the wire wrote them): offsets inside, type fitting the headers,
 * sizes sane.  false: drop it. */
bool offload_is_sane(const struct packet *);

/* Fills in an owed checksum; OFFLOAD_NEEDS_CSUM is gone afterwards. Wants packet_own(). */
void packet_finish_csum(struct packet *);

/* Cuts a super-packet into frames of at most its gso_size payload with every header and checksum right.  Returns how many packets stand in out[]
 * (new references; at most 'max'), or -ENOBUFS with nothing made.  'p' stays the caller's. */
int packet_segment(const struct packet *p, struct packet *out[], unsigned max);

uint16_t csum_fold(uint32_t sum);
uint32_t csum_add_bytes(uint32_t sum, const void *, size_t n);

#endif
