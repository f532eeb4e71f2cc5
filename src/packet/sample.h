/* sample - random frames for tests: every kind of header that key_parse() reads, whole, cut, and slightly wrong. */
#ifndef PACKET_SAMPLE_H
#define PACKET_SAMPLE_H 1

#include "packet/packet.h"

struct dice {
    uint64_t state;
};
uint32_t dice_roll(struct dice *, uint32_t n); /* 0 .. n - 1 */

#define SAMPLE_MAX 1600
/* What sample_frame() may do to a frame. */
enum { SAMPLE_SANE = 0, SAMPLE_HURT = 1 };
/* Writes a frame and returns its length.  SAMPLE_SANE: all lengths and checksums are right. */
size_t sample_frame(struct dice *, int how, uint8_t frame[SAMPLE_MAX]);

/* Bytes of any kind and length in a pool's packet that is cut between chunk and tail at 'head' (0: as packet_from() does it). */
struct packet *sample_packet(struct packet_pool *, const uint8_t *frame, size_t n, size_t head);

/* Every checksum in the frame, computed slowly and anew, is right (those of fragments and of unknown protocols are not looked at). */
bool sample_sums_hold(const uint8_t *frame, size_t n);

#endif
