/* minimatch - a match without the words that it does not ask about: what a rule keeps.
 *
 * Shape.      struct key is an array of 64-bit words; a shape lists the words whose mask is not zero, with the masks.  Shapes are shared by
 *             all rules of the same mask; a rule keeps only its values, n words.  A typical rule costs 24 to 48 bytes.
 * Ownership.  A shape is counted by its user (the classifier); values are the user's memory.
 */
#ifndef FLOW_MINIMATCH_H
#define FLOW_MINIMATCH_H 1

#include "base/hash.h"
#include "flow/match.h"

#define KEY_WORDS (sizeof(struct key) / 8)

struct shape {
    uint32_t hash;   /* of words and masks */
    uint16_t n;      /* words */
    uint16_t n_bits; /* ones in all masks */
    struct shape_word {
        uint64_t mask;
        uint64_t at; /* index of the word */
    } word[];
};

static inline size_t
shape_bytes(unsigned n)
{
    return sizeof(struct shape) + n * sizeof(struct shape_word);
}

/* A new one, to be freed by free(). */
struct shape *shape_of(const struct key *mask);
void shape_mask(const struct shape *, struct key *mask); /* adds its bits */
bool shape_equal(const struct shape *, const struct shape *);
/* Every bit of 'coarse' is in 'fine' too. */
bool shape_is_within(const struct shape *coarse, const struct shape *fine);

/* The values a key has under a shape, and their hash. */
static ALWAYS_INLINE uint64_t
shape_hash_key(const struct shape *s, const struct key *key)
{
    const uint64_t *w = (const uint64_t *) (const void *) key;
    uint64_t h = s->hash;
    for (unsigned i = 0; i < s->n; i++)
        h = hash_u64(w[s->word[i].at] & s->word[i].mask, h);
    return h;
}

static ALWAYS_INLINE bool
shape_matches(const struct shape *s, const uint64_t *values, const struct key *key)
{
    const uint64_t *w = (const uint64_t *) (const void *) key;
    uint64_t diff = 0;
    for (unsigned i = 0; i < s->n; i++)
        diff |= (w[s->word[i].at] & s->word[i].mask) ^ values[i];
    return !diff;
}

void shape_values(const struct shape *, const struct key *, uint64_t *values);
/* The whole match again. */
void shape_match(const struct shape *, const uint64_t *values, struct match *);

#endif
