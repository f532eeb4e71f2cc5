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

#endif
