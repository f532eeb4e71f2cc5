/* minimatch - see the header. */
#include "flow/minimatch.h"
#include "base/mem.h"

static const uint64_t *
words_of(const struct key *k)
{
    return (const uint64_t *) (const void *) k;
}

struct shape *
shape_of(const struct key *mask)
{
    const uint64_t *w = words_of(mask);
    unsigned n = 0;
    for (unsigned i = 0; i < KEY_WORDS; i++)
        n += w[i] != 0;
    struct shape *s = xzalloc(shape_bytes(n));
    for (unsigned i = 0; i < KEY_WORDS; i++)
        if (w[i]) {
            s->word[s->n++] = (struct shape_word){w[i], i};
            s->n_bits += __builtin_popcountll(w[i]);
        }
    s->hash = hash_bytes(s->word, n * sizeof *s->word);
    return s;
}

void
shape_mask(const struct shape *s, struct key *mask)
{
    uint64_t *w = (uint64_t *) (void *) mask;
    for (unsigned i = 0; i < s->n; i++)
        w[s->word[i].at] |= s->word[i].mask;
}

bool
shape_equal(const struct shape *a, const struct shape *b)
{
    return a->hash == b->hash && a->n == b->n && !memcmp(a->word, b->word, a->n * sizeof *a->word);
}

bool
shape_is_within(const struct shape *coarse, const struct shape *fine)
{
    unsigned f = 0;
    for (unsigned c = 0; c < coarse->n; c++) {
        while (f < fine->n && fine->word[f].at < coarse->word[c].at)
            f++;
        if (f == fine->n || fine->word[f].at != coarse->word[c].at || (coarse->word[c].mask & ~fine->word[f].mask))
            return false;
    }
    return true;
}

void
shape_values(const struct shape *s, const struct key *key, uint64_t *values)
{
    for (unsigned i = 0; i < s->n; i++)
        values[i] = words_of(key)[s->word[i].at] & s->word[i].mask;
}

void
shape_match(const struct shape *s, const uint64_t *values, struct match *m)
{
    memset(m, 0, sizeof *m);
    shape_mask(s, &m->mask);
    uint64_t *w = (uint64_t *) (void *) &m->key;
    for (unsigned i = 0; i < s->n; i++)
        w[s->word[i].at] = values[i];
}
