/* hash - see the header. */
#include "base/hash.h"
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

uint64_t hash_seed;

__attribute__((constructor)) static void
seed_from_kernel(void)
{
    const char *fixed = getenv("SLUICE_HASH_SEED");
    if (fixed)
        hash_seed = strtoull(fixed, NULL, 0);
    else if (getrandom(&hash_seed, sizeof hash_seed, GRND_NONBLOCK) != sizeof hash_seed)
        hash_seed = (uint64_t) time(NULL) << 32 ^ (uintptr_t) &hash_seed;
}

static uint64_t
bytes_with(const void *p, size_t n, uint64_t state, uint64_t seed)
{
    const uint8_t *b = p;
    state ^= n * 0xff51afd7ed558ccdULL;
    for (; n >= 8; n -= 8, b += 8) {
        uint64_t word;
        memcpy(&word, b, 8);
        state = hash_fold(word ^ seed ^ 0x9e3779b97f4a7c15ULL, state ^ 0xd6e8feb86659fd93ULL);
    }
    uint64_t tail = 0;
    memcpy(&tail, b, n);
    state = hash_fold(tail ^ seed ^ 0xa0761d6478bd642fULL, state ^ 0xe7037ed1a0b428dbULL);
    return hash_fold(state ^ seed, 0x8ebc6af09c88c6e3ULL);
}

uint64_t
hash_bytes64(const void *p, size_t n, uint64_t basis)
{
    return bytes_with(p, n, basis, hash_seed);
}

uint64_t
hash_fixed(const void *p, size_t n, uint64_t basis)
{
    return bytes_with(p, n, basis, 0x51ab7c3e94d02f68ULL);
}
