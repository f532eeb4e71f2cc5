/* hash - keyed, so that nobody outside can choose collisions.
 *
 * Theory.  A word is folded by one 64x64->128 multiplication; the seed comes from the kernel once per process.  Values must
 *          not leave the process: they differ from boot to boot.  hash_fixed() is for what must not (tests, balancing).
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H 1

#include "base/compiler.h"
#include <string.h>

extern uint64_t hash_seed; /* set before main(); SLUICE_HASH_SEED in the environment fixes it for tests */

static inline uint64_t
hash_fold(uint64_t a, uint64_t b)
{
    unsigned __int128 m = (unsigned __int128) a * b;
    return (uint64_t) m ^ (uint64_t) (m >> 64);
}

static inline uint64_t
hash_u64(uint64_t value, uint64_t basis)
{
    return hash_fold(value ^ hash_seed ^ 0x9e3779b97f4a7c15ULL, basis ^ 0xd6e8feb86659fd93ULL);
}

static inline uint32_t
hash_u32(uint32_t value)
{
    return (uint32_t) hash_u64(value, 0);
}

uint64_t hash_bytes64(const void *, size_t, uint64_t basis);

static inline uint32_t
hash_bytes(const void *p, size_t n)
{
    return (uint32_t) hash_bytes64(p, n, 0);
}

static inline uint32_t
hash_str(const char *s)
{
    return hash_bytes(s, strlen(s));
}

/* The same for the same bytes in every process and boot. */
uint64_t hash_fixed(const void *, size_t, uint64_t basis);

#endif
