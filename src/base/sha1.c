/* sha1 - see the header.
 *
 * Why here: libcrypto's costs every start of a program that only wants this one function 1 to 2 ms and well over a megabyte.
 *
 * Theory.  Eighty steps on five words, four kinds of twenty.  Each step uses one word of a schedule of which only the last sixteen
 *          are ever needed, so the schedule is a ring.  The five words change places in each step: the loop is written out by
 *          five so that they do it by name.
 */
#include "base/sha1.h"
#include <endian.h>
#include <string.h>

static inline uint32_t
rotl(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

/* FIPS 180-4, 4.1.1: choose, parity, majority, parity. */
#define CHOOSE(b, c, d) ((d) ^ ((b) & ((c) ^ (d))))
#define PARITY(b, c, d) ((b) ^ (c) ^ (d))
#define MAJORITY(b, c, d) (((b) & (c)) | ((d) & ((b) | (c))))

/* Word i of the schedule, made from those 3, 8, 14 and 16 before it. */
static ALWAYS_INLINE uint32_t
schedule(uint32_t w[16], unsigned i)
{
    if (i >= 16)
        w[i & 15] = rotl(w[(i - 3) & 15] ^ w[(i - 8) & 15] ^ w[(i - 14) & 15] ^ w[i & 15], 1);
    return w[i & 15];
}

#define STEP(a, b, c, d, e, F, K, i) (e += rotl(a, 5) + F(b, c, d) + (K) + schedule(w, i), b = rotl(b, 30))
#define FIVE(F, K, i)                                                                                                  \
    (STEP(a, b, c, d, e, F, K, (i)), STEP(e, a, b, c, d, F, K, (i) + 1), STEP(d, e, a, b, c, F, K, (i) + 2),           \
     STEP(c, d, e, a, b, F, K, (i) + 3), STEP(b, c, d, e, a, F, K, (i) + 4))
#define TWENTY(F, K, i) (FIVE(F, K, i), FIVE(F, K, (i) + 5), FIVE(F, K, (i) + 10), FIVE(F, K, (i) + 15))

static void
digest_block(uint32_t h[5], const uint8_t *block)
{
    uint32_t w[16], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 16; i++) {
        uint32_t word;
        memcpy(&word, block + 4 * i, 4);
        w[i] = be32toh(word);
    }
    TWENTY(CHOOSE, 0x5a827999, 0);
    TWENTY(PARITY, 0x6ed9eba1, 20);
    TWENTY(MAJORITY, 0x8f1bbcdc, 40);
    TWENTY(PARITY, 0xca62c1d6, 60);
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

static void
put_be(uint8_t *to, uint64_t value, unsigned n)
{
    while (n--) {
        to[n] = (uint8_t) value;
        value >>= 8;
    }
}

void
sha1(const void *bytes, size_t n, uint8_t digest[SHA1_LEN])
{
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    const uint8_t *p = bytes;
    size_t left = n;
    for (; left >= 64; left -= 64, p += 64)
        digest_block(h, p);

    uint8_t tail[128] = {0}; /* what is left, one bit, zeroes, and the length in bits: one or two blocks */
    size_t tail_len = left < 56 ? 64 : 128;
    memcpy(tail, p, left);
    tail[left] = 0x80;
    put_be(tail + tail_len - 8, (uint64_t) n * 8, 8);
    for (size_t i = 0; i < tail_len; i += 64)
        digest_block(h, tail + i);
    for (int i = 0; i < 5; i++)
        put_be(digest + 4 * i, h[i], 4);
}
