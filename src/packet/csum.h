/* csum - the Internet checksum (RFC 1071, 1624) and SCTP's CRC32c.
 *
 * Shape.   A running sum is a uint32_t of 16-bit words *as they stand in memory*, so that what comes out is stored as it is.
 *          Sums of pieces add up as long as each piece but the last has an even length.
 */
#ifndef PACKET_CSUM_H
#define PACKET_CSUM_H 1

#include "base/compiler.h"
#include "base/endian.h"

uint32_t csum_add_bytes(uint32_t sum, const void *, size_t n);

static inline uint32_t
csum_add(uint32_t sum, uint32_t more)
{
    sum += more;
    return sum + (sum < more);
}

/* Down to 16 bits, not complemented: what a header holds while its checksum is still owed. */
static inline be16
csum_narrow(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (be16) (sum + (sum >> 16));
}

/* The checksum of what was summed. */
static inline be16
csum_fold(uint32_t sum)
{
    return (be16) ~csum_narrow(sum);
}

/* Adds to 'delta' the change of one 16-bit word (RFC 1624: ~m + m'). */
static inline uint32_t
csum_delta(uint32_t delta, be16 old, be16 new)
{
    return csum_add(delta, (uint32_t) (be16) ~old + new);
}

/* The checksum field 'csum' after words under it changed by 'delta'. */
static inline be16
csum_update(be16 csum, uint32_t delta)
{
    return csum_fold(csum_add(delta, (be16) ~csum));
}

/* CRC32c, reflected; begin with 0xffffffff, complement at the end. */
uint32_t crc32c_add(uint32_t crc, const void *, size_t n);

#endif
