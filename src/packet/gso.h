/* gso - what an offload-aware frame owes, done in software at a door that cannot do it itself. */
#ifndef PACKET_GSO_H
#define PACKET_GSO_H 1

#include "packet/packet.h"

/* What a door can take as it is. */
enum { DOOR_CSUM = 1, DOOR_TSO = 2, DOOR_USO = 4 };

/* Most segments that a 64 KiB frame may fall into (a size below 64 bytes is no segment size that anybody sends). */
#define SEGMENTS_MAX 1024

/* Checks that the offload words make sense for this frame (a guest or the wire wrote them): offsets inside, type fitting the headers,
 * sizes sane.  false: drop it.  Reads the frame's bytes, not its offsets: key_parse() need not have been there. */
bool offload_is_sane(const struct packet *);

/* Fills in an owed checksum; OFFLOAD_NEEDS_CSUM is gone afterwards. Wants packet_own() and offload_is_sane(). */
void packet_finish_csum(struct packet *);

/* True if the owed checksum is SCTP's CRC32c, which no door takes over: finish it before sending. */
static inline bool
packet_owes_crc(const struct packet *p)
{
    return (p->offload.flags & OFFLOAD_NEEDS_CSUM) && p->offload.csum_offset == 8;
}

/* Cuts a super-packet into frames of at most its gso_size payload with every header and checksum right.  Returns how many packets stand in out[]
 * (new references; at most 'max'), or -ENOBUFS with nothing made.  'p' stays the caller's and has passed offload_is_sane(). */
int packet_segment(const struct packet *p, struct packet *out[], unsigned max);

#endif
