/* cache - see the header.
 *
 * Theory.  Tuple space search is as slow as there are masks, and masks are what an attacker makes.  Here a port has at most 1 + 8 of them:
 *          the 'level 1' mask, everything that can matter for the port at all, and eight wildcard masks on a coarse lattice
 *          (lattice.c).  A verdict whose own mask is none of these is kept under the most general one that is still more specific,
 *          at worst level 1: it then serves fewer packets, and is never wrong.  So the worst case is bounded in time by construction, and in
 *          space by quotas.
 * Table.   Buckets of one line: eight 16-bit tags, eight flow numbers.  A flow stands in one of two buckets; only a bucket that once
 *          overflowed makes a search look at the other.  The table grows by linear hashing, one bucket split per flow put in, so that growth is
 *          never a pause.  Memory is reserved at start, and made usable (with huge pages beyond the first 2 MiB) as it is needed.
 * Room.    Flows are counted per ingress port.  A port may hold its equal share of the limit, and more while there is room.  When
 *          there is none, the port that is furthest above its share gives a flow up, or the port itself.  Inside a port, newcomers
 *          stand in a queue of probation: those that nobody met again are the first to go, so that a scan turns over only itself; the others move to
 *          the main ring, which is a clock.
 * Versions. A flow is good while its dependencies hold.  'all_seen' spares the look at each: when no version at all has moved since,
 *          one compare is enough.
 * Reading. The control thread reads flows that the lane may be retiring.  The record pointer is the witness: the lane clears it
 *          before it touches the figures, so a reader that finds the same record before and after has read the figures of that record.
 */
#include "datapath/cache.h"
#include "base/mem.h"
#include "datapath/waiting.h"
#include <stdlib.h>
#include <sys/mman.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define FLOWS_MAX (1u << 22) /* of one lane */
#define BUCKETS_MAX (FLOWS_MAX / 2)
#define BUCKETS_MIN 64
#define BUCKET_SLOTS 8
#define SLOTS_WANTED 4 /* mean flows per bucket before the table grows */
#define HUGE_PAGE (2u << 20)
#define CLOCK_STEPS 16 /* flows the hand passes at a time */

/* Also made for wider registers, where the processor has them (1,000 flows: 93 cycles per packet without, 87 with).  Sanitizers do not like what chooses
 * between the two before main(). */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) &&                       \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

struct bucket {
    uint16_t tags[BUCKET_SLOTS]; /* 0: empty */
    uint32_t at[BUCKET_SLOTS];
    bool overflowed; /* a flow that belongs here once went to its other bucket */
} CACHE_ALIGNED;
static_assert(sizeof(struct bucket) == CACHE_LINE, "one line");

static void
count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

/* ---- memory ---- */

static void *
reserve(size_t bytes)
{
    uint8_t *p = mmap(NULL, bytes + HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    size_t before = -(uintptr_t) p % HUGE_PAGE;
    if (before)
        munmap(p, before);
    munmap(p + before + bytes, HUGE_PAGE - before);
    return p + before;
}

/* Makes the first '*ready + more' elements usable, in growing steps.  False: the system has no memory. */
static bool
make_ready(void *base, size_t size, uint32_t *ready, uint32_t want)
{
    size_t from = *ready * size;
    size_t step = from < HUGE_PAGE ? 64 * 1024 : HUGE_PAGE;
    size_t to = MAX(ROUND_UP((size_t) want * size, step), from + step);
    if (mprotect((uint8_t *) base + from, to - from, PROT_READ | PROT_WRITE) < 0)
        return false;
    if (to > HUGE_PAGE)
        madvise((uint8_t *) base + MAX(from, HUGE_PAGE), to - MAX(from, HUGE_PAGE), MADV_HUGEPAGE);
    *ready = to / size;
    return true;
}

/* ---- buckets ---- */

static uint32_t
other_hash(uint32_t hash, uint16_t tag)
{
    return hash ^ (tag * 0x9e3779b1u | 1);
}

static uint16_t
tag_of(uint64_t hash)
{
    uint16_t tag = hash >> 48;
    return tag ? tag : 1;
}

static ALWAYS_INLINE struct bucket *
bucket_of(const struct cache *c, uint32_t hash)
{
    uint32_t i = hash & (c->low_mask * 2 + 1);
    if (i >= c->n_buckets)
        i &= c->low_mask;
    return &c->buckets[i];
}

/* One bit pair per slot that holds the tag: take the lowest with __builtin_ctz() / 2. */
static ALWAYS_INLINE uint32_t
bucket_match(const struct bucket *b, uint16_t tag)
{
#ifdef __SSE2__
    __m128i tags = _mm_load_si128((const __m128i *) (const void *) b->tags);
    return _mm_movemask_epi8(_mm_cmpeq_epi16(tags, _mm_set1_epi16((short) tag)));
#else
    uint32_t found = 0;
    for (unsigned i = 0; i < BUCKET_SLOTS; i++)
        if (b->tags[i] == tag)
            found |= 3u << i * 2;
    return found;
#endif
}

static bool
bucket_put(struct bucket *b, uint16_t tag, uint32_t at)
{
    for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
        if (!b->tags[i]) {
            b->tags[i] = tag;
            b->at[i] = at;
            return true;
        }
    }
    return false;
}

static bool
bucket_take(struct bucket *b, uint16_t tag, uint32_t at)
{
    for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
        if (b->tags[i] == tag && b->at[i] == at) {
            b->tags[i] = 0;
            return true;
        }
    }
    return false;
}

/* Splits the next bucket in line: its flows stay or move 'low_mask + 1' further. */
static void
table_grow(struct cache *c)
{
    if (c->n_buckets == BUCKETS_MAX)
        return;
    if (c->n_buckets == c->buckets_ready &&
        !make_ready(c->buckets, sizeof *c->buckets, &c->buckets_ready, c->n_buckets + 1))
        return;
    struct bucket *from = &c->buckets[c->n_buckets - (c->low_mask + 1)], old = *from;
    struct bucket *to = &c->buckets[c->n_buckets];
    *to = (struct bucket){.overflowed = old.overflowed};
    memset(from->tags, 0, sizeof from->tags);
    c->n_buckets++;
    for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
        if (!old.tags[i])
            continue;
        uint32_t hash = c->flows[old.at[i]].hash;
        struct bucket *b = bucket_of(c, hash);
        if (b != from && b != to)
            b = bucket_of(c, other_hash(hash, old.tags[i]));
        bucket_put(b, old.tags[i], old.at[i]);
    }
    if (c->n_buckets == (c->low_mask + 1) * 2)
        c->low_mask = c->low_mask * 2 + 1;
}

static void flow_retire(struct cache *, struct flow *);

/* Moves one flow of the full bucket to the other bucket it may stand in.  False: those are full as well. */
static bool
bucket_make_room(struct cache *c, struct bucket *b)
{
    for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
        struct flow *f = &c->flows[b->at[i]];
        struct bucket *first = bucket_of(c, f->hash), *second = bucket_of(c, other_hash(f->hash, f->tag));
        if (bucket_put(b == first ? second : first, f->tag, b->at[i])) {
            first->overflowed |= b == first;
            b->tags[i] = 0;
            return true;
        }
    }
    return false;
}

/* Puts the flow into one of its two buckets; when both are full, and all to which their flows could move (which takes luck nobody can force: the
 * hash is keyed), a flow of the second makes place. */
static void
table_put(struct cache *c, struct flow *f, uint32_t at)
{
    if (c->n_flows >= c->n_buckets * SLOTS_WANTED)
        table_grow(c);
    struct bucket *first = bucket_of(c, f->hash), *second = bucket_of(c, other_hash(f->hash, f->tag));
    if (bucket_put(first, f->tag, at))
        return;
    if (!bucket_put(second, f->tag, at)) {
        if (bucket_make_room(c, first)) {
            bucket_put(first, f->tag, at);
            return;
        }
        if (!bucket_make_room(c, second)) {
            flow_retire(c, &c->flows[second->at[0]]);
            count(&c->counters.evicted, 1);
        }
        ASSERT(bucket_put(second, f->tag, at));
    }
    first->overflowed = true;
}

static void
table_take(struct cache *c, struct flow *f)
{
    uint32_t at = f - c->flows;
    if (!bucket_take(bucket_of(c, f->hash), f->tag, at))
        ASSERT(bucket_take(bucket_of(c, other_hash(f->hash, f->tag)), f->tag, at));
}

/* ---- rings ---- */

static void
ring_add(struct cache *c, struct cache_port *cp, struct flow *f, enum cache_ring ring)
{
    uint32_t at = f - c->flows, hand = cp->hand[ring];
    if (!hand) {
        f->next = f->prev = cp->hand[ring] = at;
    } else { /* behind the hand: the last that it comes to */
        struct flow *first = &c->flows[hand], *last = &c->flows[first->prev];
        f->next = hand;
        f->prev = first->prev;
        last->next = first->prev = at;
    }
    f->ring = ring;
    cp->n[ring]++;
}

static void
ring_take(struct cache *c, struct cache_port *cp, struct flow *f)
{
    uint32_t at = f - c->flows;
    if (f->next == at) {
        cp->hand[f->ring] = 0;
    } else {
        c->flows[f->next].prev = f->prev;
        c->flows[f->prev].next = f->next;
        if (cp->hand[f->ring] == at)
            cp->hand[f->ring] = f->next;
    }
    cp->n[f->ring]--;
    f->ring = RING_FREE;
}

static uint32_t
port_n_flows(const struct cache_port *cp)
{
    return cp->n[RING_PROBATION] + cp->n[RING_MAIN];
}

/* ---- shapes ---- */

static void
shape_set_bits(struct shape *s, const struct key *mask)
{
    const uint64_t *words = (const uint64_t *) mask;
    s->n = 0;
    for (unsigned i = 0; i < KEY_WORDS; i++) {
        if (words[i]) {
            s->at[s->n] = i;
            s->bits[s->n++] = words[i];
        }
    }
    s->is_line = !s->n || s->at[s->n - 1] < FLOW_WORDS;
    memcpy(s->line, words, sizeof s->line);
}

static struct shape *
shape_new(struct cache *c, struct cache_port *cp, const struct key *mask, bool is_level1)
{
    unsigned number = 0;
    while (number < c->n_shape_slots && c->shapes[number])
        number++;
    if (number == UINT16_MAX || cp->n_shapes == CACHE_SHAPES)
        return NULL;
    if (number == c->n_shape_slots) {
        c->n_shape_slots = MIN(c->n_shape_slots * 2 + 16, UINT16_MAX);
        c->shapes = xrealloc(c->shapes, c->n_shape_slots * sizeof *c->shapes);
        memset(c->shapes + number, 0, (c->n_shape_slots - number) * sizeof *c->shapes);
    }
    struct shape *s = xzalloc_line(sizeof *s);
    s->number = number;
    s->salt = hash_u64(number, 0x5a17);
    s->is_level1 = is_level1;
    shape_set_bits(s, mask);
    c->shapes[number] = s;
    cp->shapes[cp->n_shapes++] = s;
    if (is_level1)
        cp->level1 = s;
    count(&c->counters.n_shapes, 1);
    return s;
}

/* No flow has it any more. */
static void
shape_free(struct cache *c, struct cache_port *cp, struct shape *s)
{
    for (unsigned i = 0; i < cp->n_shapes; i++) {
        if (cp->shapes[i] == s) {
            memmove(&cp->shapes[i], &cp->shapes[i + 1], (cp->n_shapes - i - 1) * sizeof cp->shapes[0]);
            cp->n_shapes--;
            break;
        }
    }
    if (cp->level1 == s)
        cp->level1 = NULL;
    c->shapes[s->number] = NULL;
    count(&c->counters.n_shapes, -1);
    free(s);
}

static bool
shape_is(const struct shape *s, const struct key *mask)
{
    const uint64_t *words = (const uint64_t *) mask;
    unsigned i = 0;
    for (unsigned w = 0; w < KEY_WORDS; w++) {
        bool here = i < s->n && s->at[i] == w;
        if (words[w] != (here ? s->bits[i] : 0))
            return false;
        i += here;
    }
    return true;
}

/* Every bit of the mask is in the shape. */
static bool
shape_covers(const struct shape *s, const struct key *mask)
{
    const uint64_t *words = (const uint64_t *) mask;
    unsigned i = 0;
    for (unsigned w = 0; w < KEY_WORDS; w++) {
        bool here = i < s->n && s->at[i] == w;
        if (words[w] & ~(here ? s->bits[i] : 0))
            return false;
        i += here;
    }
    return true;
}

static unsigned
shape_n_bits(const struct shape *s)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->n; i++)
        n += __builtin_popcountll(s->bits[i]);
    return n;
}

static struct shape *
shape_level1(struct cache *c, struct cache_port *cp)
{
    return cp->level1 ? cp->level1 : shape_new(c, cp, &cp->relevant, true);
}

/* The shape under which a verdict of this mask is kept; NULL: under none. */
static struct shape *
shape_for(struct cache *c, struct cache_port *cp, const struct key *ideal)
{
    struct key mask = *ideal;
    mask_round(&mask);
    const uint64_t *may = (const uint64_t *) &cp->relevant, *must = (const uint64_t *) ideal;
    uint64_t *words = (uint64_t *) &mask;
    bool is_all = true;
    for (unsigned i = 0; i < KEY_WORDS; i++) {
        if (must[i] & ~may[i]) /* the pipeline forgot to say that this can matter */
            return NULL;
        words[i] &= may[i];
        is_all &= words[i] == may[i];
    }
    if (is_all)
        return shape_level1(c, cp);

    struct shape *best = NULL;
    unsigned n_wild = 0;
    for (unsigned i = 0; i < cp->n_shapes; i++) {
        struct shape *s = cp->shapes[i];
        if (s->is_retired)
            continue;
        n_wild += !s->is_level1;
        if (shape_is(s, &mask))
            return s;
        if (!s->is_level1 && shape_covers(s, &mask) && (!best || shape_n_bits(s) < shape_n_bits(best)))
            best = s;
    }
    /* One place is kept for level 1: it is what everything falls back to. */
    if (n_wild < CACHE_MASKS && cp->n_shapes + !cp->level1 < CACHE_SHAPES) {
        struct shape *s = shape_new(c, cp, &mask, false);
        if (s)
            return s;
    }
    return best ? best : shape_level1(c, cp);
}

/* ---- keys under a shape ---- */

/* Of the first line alone: no list of words, no loop that depends on the shape. */
static ALWAYS_INLINE uint64_t
mask_and_hash_line(const struct cache *c, const struct shape *s, const struct key *key, uint64_t out[FLOW_WORDS])
{
    const uint64_t *words = (const uint64_t *) key;
    uint64_t sum = s->salt;
    for (unsigned i = 0; i < FLOW_WORDS; i++)
        out[i] = words[i] & s->line[i];
    for (unsigned i = 0; i < FLOW_WORDS; i += 2)
        sum += hash_fold(out[i] ^ c->secret[i], out[i + 1] ^ c->secret[i + 1]);
    return hash_fold(sum, c->secret[KEY_WORDS]);
}

static uint64_t
mask_and_hash_list(const struct cache *c, const struct shape *s, const struct key *key, uint64_t out[FLOW_WORDS])
{
    const uint64_t *words = (const uint64_t *) key;
    uint64_t sum = s->salt;
    unsigned n = s->n;
    for (unsigned i = 0; i < n; i += 2) {
        uint64_t a = words[s->at[i]] & s->bits[i], b = i + 1 < n ? words[s->at[i + 1]] & s->bits[i + 1] : 0;
        if (i < FLOW_WORDS) {
            out[i] = a;
            out[i + 1] = b;
        }
        sum += hash_fold(a ^ c->secret[i], b ^ c->secret[i + 1]);
    }
    for (unsigned i = ROUND_UP(n, 2); i < FLOW_WORDS; i++)
        out[i] = 0;
    return hash_fold(sum, c->secret[KEY_WORDS]);
}

static ALWAYS_INLINE uint64_t
mask_and_hash(const struct cache *c, const struct shape *s, const struct key *key, uint64_t out[FLOW_WORDS],
              const bool is_line)
{
    return is_line ? mask_and_hash_line(c, s, key, out) : mask_and_hash_list(c, s, key, out);
}

static ALWAYS_INLINE bool
line_is(const uint64_t a[FLOW_WORDS], const uint64_t b[FLOW_WORDS])
{
    uint64_t differ = 0;
    for (unsigned i = 0; i < FLOW_WORDS; i++)
        differ |= a[i] ^ b[i];
    return !differ;
}

static NOINLINE bool
more_is(const struct flow *f, const struct shape *s, const struct key *key)
{
    const uint64_t *all = (const uint64_t *) key;
    const uint64_t *more = atomic_load_explicit(&f->record, memory_order_relaxed)->more;
    for (unsigned i = FLOW_WORDS; i < s->n; i++)
        if (more[i - FLOW_WORDS] != (all[s->at[i]] & s->bits[i]))
            return false;
    return true;
}

static ALWAYS_INLINE bool
flow_is(const struct flow *f, const struct shape *s, uint32_t hash, const uint64_t words[FLOW_WORDS],
        const struct key *key, const bool is_line)
{
    if (f->hash != hash || f->shape != s->number || !line_is(f->words, words))
        return false;
    return is_line || likely(s->n <= FLOW_WORDS) || more_is(f, s, key);
}

static ALWAYS_INLINE struct flow *
bucket_find(struct cache *c, const struct bucket *b, const struct shape *s, uint64_t hash, const uint64_t *words,
            const struct key *key, const bool is_line)
{
    for (uint32_t found = bucket_match(b, tag_of(hash)); found;) {
        unsigned slot = __builtin_ctz(found) / 2;
        struct flow *f = &c->flows[b->at[slot]];
        if (flow_is(f, s, (uint32_t) hash, words, key, is_line))
            return f;
        found &= ~(3u << slot * 2);
    }
    return NULL;
}

static NOINLINE struct flow *
find_other(struct cache *c, const struct shape *s, uint64_t hash, const uint64_t *words, const struct key *key)
{
    return bucket_find(c, bucket_of(c, other_hash((uint32_t) hash, tag_of(hash))), s, hash, words, key, s->is_line);
}

/* False: it is broken, and gone now. */
static NOINLINE bool
flow_revise(struct cache *c, struct flow *f, uint32_t all)
{
    struct flow_record *r = atomic_load_explicit(&f->record, memory_order_relaxed);
    if (!deps_hold(&r->deps, c->versions)) {
        flow_retire(c, f);
        return false;
    }
    f->all_seen = all;
    return true;
}

/* One probe for each key that has no flow yet. */
static ALWAYS_INLINE void
find_by(struct cache *c, struct shape *s, const struct key *const keys[], unsigned n, struct flow *flows[],
        uint32_t all, const bool is_line)
{
    uint64_t words[BURST][FLOW_WORDS], hash[BURST];
    const struct bucket *bucket[BURST];
    uint8_t who[BURST];
    unsigned m = 0, n_hits = 0;

    for (unsigned i = 0; i < n; i++) {
        if (flows[i])
            continue;
        hash[m] = mask_and_hash(c, s, keys[i], words[m], is_line);
        bucket[m] = bucket_of(c, (uint32_t) hash[m]);
        __builtin_prefetch(bucket[m]);
        who[m++] = i;
    }
    for (unsigned j = 0; j < m; j++) {
        uint32_t found = bucket_match(bucket[j], tag_of(hash[j]));
        if (found) {
            const struct flow *f = &c->flows[bucket[j]->at[__builtin_ctz(found) / 2]];
            __builtin_prefetch(f);
            __builtin_prefetch((const uint8_t *) f + CACHE_LINE, 1);
        }
    }
    for (unsigned j = 0; j < m; j++) {
        const struct key *key = keys[who[j]];
        struct flow *f = bucket_find(c, bucket[j], s, hash[j], words[j], key, is_line);
        if (!f && unlikely(bucket[j]->overflowed))
            f = find_other(c, s, hash[j], words[j], key);
        if (f && (likely(f->all_seen == all) || flow_revise(c, f, all))) {
            flows[who[j]] = f;
            n_hits++;
        }
    }
    s->hits += n_hits;
    count(&c->counters.probes, m);
    count(&c->counters.hits[s->is_level1 ? 0 : 1], n_hits);
}

static NOINLINE WIDE void
find_by_line(struct cache *c, struct shape *s, const struct key *const keys[], unsigned n, struct flow *flows[],
             uint32_t all)
{
    find_by(c, s, keys, n, flows, all, true);
}

static NOINLINE void
find_by_list(struct cache *c, struct shape *s, const struct key *const keys[], unsigned n, struct flow *flows[],
             uint32_t all)
{
    find_by(c, s, keys, n, flows, all, false);
}

void
cache_find(struct cache *c, struct cache_port *cp, const struct key *const keys[], unsigned n, struct flow *flows[])
{
    uint32_t all = atomic_load_explicit(&c->versions->all, memory_order_acquire);
    for (unsigned i = 0; i < n; i++)
        flows[i] = NULL;
    for (unsigned i = 0; i < cp->n_shapes; i++) {
        struct shape *s = cp->shapes[i];
        if (s->n_flows)
            (s->is_line ? find_by_line : find_by_list)(c, s, keys, n, flows, all);
    }
}

void
cache_unhit(struct cache *c, const struct flow *f)
{
    count(&c->counters.hits[c->shapes[f->shape]->is_level1 ? 0 : 1], -1);
}

uint32_t
cache_exact_hash(const struct cache *c, const struct cache_port *cp, const struct key *key)
{
    const uint64_t *words = (const uint64_t *) key, *bits = (const uint64_t *) &cp->relevant;
    uint64_t sum = 0;
    for (unsigned i = 0; i < cp->n_relevant; i++) {
        unsigned at = cp->relevant_at[i];
        sum += hash_fold((words[at] & bits[at]) ^ c->secret[at], c->secret[KEY_WORDS] + at);
    }
    return (uint32_t) hash_fold(sum, c->secret[KEY_WORDS]);
}

/* ---- life and death ---- */

static struct flow_record *
record_new(const struct cache *c, const struct cache_port *cp, const struct shape *s, const struct key *key,
           struct verdict *v)
{
    const uint64_t *mask = (const uint64_t *) &v->mask, *words = (const uint64_t *) key;
    unsigned n_ideal = 0, n_more = s && s->n > FLOW_WORDS ? s->n - FLOW_WORDS : 0;
    for (unsigned i = 0; s && i < KEY_WORDS; i++)
        n_ideal += (mask[i] | words[i]) != 0;
    size_t actions_len = s ? v->actions.len : 0;
    struct flow_record *r =
        malloc(sizeof *r + n_more * sizeof *r->more + n_ideal * (sizeof *r->ideal + 1) + actions_len);
    if (!r)
        return NULL;
    *r = (struct flow_record){.credits = v->credits,
                              .deps = v->deps,
                              .in_port = cp->port,
                              .was_cached = s != NULL,
                              .level = s && !s->is_level1 ? 2 : 1,
                              .n_more = n_more,
                              .n_ideal = n_ideal,
                              .actions_len = actions_len,
                              .lane = c->lane};
    r->more = (uint64_t *) (r + 1);
    r->ideal = (struct ideal_word *) (r->more + n_more);
    r->actions = (uint8_t *) (r->ideal + n_ideal);
    r->ideal_at = r->actions + actions_len;
    for (unsigned i = 0; i < n_more; i++)
        r->more[i] = words[s->at[FLOW_WORDS + i]] & s->bits[FLOW_WORDS + i];
    for (unsigned i = 0, j = 0; s && i < KEY_WORDS; i++) {
        if (mask[i] | words[i]) {
            r->ideal_at[j] = i;
            r->ideal[j++] = (struct ideal_word){mask[i], words[i]};
        }
    }
    memcpy(r->actions, v->actions.bytes, actions_len);
    v->credits = NULL;
    return r;
}

void
flow_record_free(struct flow_record *r)
{
    free(r);
}

static void
record_bury(struct cache *c, struct flow_record *r)
{
    r->next_dead = atomic_load_explicit(&c->dead, memory_order_relaxed);
    while (
        !atomic_compare_exchange_weak_explicit(&c->dead, &r->next_dead, r, memory_order_release, memory_order_relaxed))
        continue;
    atomic_fetch_add_explicit(&c->n_dead, 1, memory_order_relaxed);
}

struct flow_record *
cache_take_dead(struct cache *c)
{
    atomic_store_explicit(&c->n_dead, 0, memory_order_relaxed);
    return atomic_exchange_explicit(&c->dead, NULL, memory_order_acquire);
}

static struct cache_port *
port_of(struct cache *c, dpport port)
{
    struct cache_port *cp = c->ports;
    while (cp && cp->port != port)
        cp = cp->next;
    return cp;
}

static void
flow_retire(struct cache *c, struct flow *f)
{
    struct flow_record *r = atomic_load_explicit(&f->record, memory_order_relaxed);
    struct cache_port *cp = port_of(c, r->in_port);

    table_take(c, f);
    ring_take(c, cp, f);
    c->shapes[f->shape]->n_flows--;
    c->n_flows--;
    c->n_ports_used -= !port_n_flows(cp);
    count(&c->counters.n_flows, -1);

    atomic_store_explicit(&f->record, NULL, memory_order_relaxed);
    r->packets = atomic_load_explicit(&f->packets, memory_order_relaxed);
    r->bytes = atomic_load_explicit(&f->bytes, memory_order_relaxed);
    r->used_ns = atomic_load_explicit(&f->used_ns, memory_order_relaxed);
    r->tcp_flags = atomic_load_explicit(&f->tcp_flags, memory_order_relaxed);
    record_bury(c, r);
    f->next = c->free;
    c->free = f - c->flows;
}

/* What this port may hold when everybody wants room. */
static uint32_t
share_of(const struct cache *c)
{
    return atomic_load_explicit(&c->limit, memory_order_relaxed) / MAX(c->n_ports_used, 1);
}

/* The port that is to give a flow up, so that 'cp' can have one more. */
static struct cache_port *
port_to_pay(struct cache *c, struct cache_port *cp)
{
    if (port_n_flows(cp) >= share_of(c) && port_n_flows(cp))
        return cp;
    if (!c->fattest || port_n_flows(c->fattest) <= share_of(c)) {
        c->fattest = NULL;
        for (struct cache_port *p = c->ports; p; p = p->next)
            if (!c->fattest || port_n_flows(p) > port_n_flows(c->fattest))
                c->fattest = p;
    }
    return c->fattest && port_n_flows(c->fattest) ? c->fattest : NULL;
}

/* False: CLOCK_STEPS were not enough to find one that nobody met; they are nearer to it now.
 * Newcomers that were met again go over to the main ring; the first that was not is the one to go.  When there are few newcomers the clock of the
 * main ring turns instead, taking one life of each flow that it passes. */
static bool
port_evict(struct cache *c, struct cache_port *cp)
{
    for (unsigned step = 0; step < CLOCK_STEPS; step++) {
        enum cache_ring ring =
            cp->n[RING_PROBATION] * 10 >= cp->n[RING_MAIN] && cp->n[RING_PROBATION] ? RING_PROBATION : RING_MAIN;
        struct flow *f = &c->flows[cp->hand[ring]];
        if (!f->met) {
            flow_retire(c, f);
            count(&c->counters.evicted, 1);
            return true;
        }
        if (ring == RING_PROBATION) {
            ring_take(c, cp, f);
            ring_add(c, cp, f, RING_MAIN);
            f->met = 0;
        } else {
            f->met--;
            cp->hand[ring] = f->next;
        }
    }
    return false;
}

static struct flow *
flow_new(struct cache *c, struct cache_port *cp)
{
    uint32_t limit = atomic_load_explicit(&c->limit, memory_order_relaxed);
    while (c->n_flows >= limit) {
        struct cache_port *payer = port_to_pay(c, cp);
        if (!payer)
            return NULL;
        if (!port_evict(c, payer) && c->n_flows < limit + limit / 16)
            break; /* work per packet is bounded; the limit gives way a little meanwhile */
    }
    if (c->free) {
        struct flow *f = &c->flows[c->free];
        c->free = f->next;
        return f;
    }
    uint32_t at = atomic_load_explicit(&c->n_made, memory_order_relaxed) + 1;
    if (at >= FLOWS_MAX || (at >= c->n_ready && !make_ready(c->flows, sizeof *c->flows, &c->n_ready, at + 1)))
        return NULL;
    atomic_store_explicit(&c->n_made, at, memory_order_release);
    return &c->flows[at];
}

/* The port of the only action, if that is an output. */
static uint32_t
only_output(const struct actions *actions)
{
    const struct act *a = (const struct act *) actions->bytes;
    return actions->len && a->len == actions->len && a->op == ACT_OUTPUT ? a->arg : DPPORT_NONE;
}

static struct flow *
add_uncached(struct cache *c, struct cache_port *cp, const struct key *key, struct verdict *v, uint32_t bytes,
             instant now)
{
    count(&c->counters.uncached, 1);
    if (!v->credits)
        return NULL;
    struct flow_record *r = record_new(c, cp, NULL, key, v);
    if (!r)
        return NULL;
    r->packets = 1;
    r->bytes = bytes;
    r->used_ns = now.ns;
    r->tcp_flags = host16(key->tcp_flags);
    record_bury(c, r);
    return NULL;
}

struct flow *
cache_add(struct cache *c, struct cache_port *cp, const struct key *key, struct verdict *v, uint32_t bytes, instant now)
{
    struct shape *s = v->may_cache && !cp->is_gone ? shape_for(c, cp, &v->mask) : NULL;
    if (!s)
        return add_uncached(c, cp, key, v, bytes, now);
    s->n_flows++; /* holds the shape while others may be evicted */
    struct flow *f = flow_new(c, cp);
    struct flow_record *r = f ? record_new(c, cp, s, key, v) : NULL;
    if (!r) {
        s->n_flows--;
        if (f) {
            f->next = c->free;
            c->free = f - c->flows;
        }
        return add_uncached(c, cp, key, v, bytes, now);
    }

    r->first_bytes = bytes;
    uint64_t hash = mask_and_hash(c, s, key, f->words, s->is_line);
    f->hash = (uint32_t) hash;
    f->tag = tag_of(hash);
    f->shape = s->number;
    f->out = only_output(&v->actions);
    f->all_seen = r->deps.all_then; /* whether they hold now is for the first hit to find out */
    f->met = 0;
    f->mark = 0;
    atomic_store_explicit(&f->packets, 0, memory_order_release);
    atomic_store_explicit(&f->bytes, 0, memory_order_release);
    atomic_store_explicit(&f->used_ns, now.ns, memory_order_release);
    atomic_store_explicit(&f->tcp_flags, 0, memory_order_release);

    c->n_ports_used += !port_n_flows(cp);
    c->n_flows++;
    ring_add(c, cp, f, RING_PROBATION);
    table_put(c, f, f - c->flows);
    count(&c->counters.n_flows, 1);
    atomic_store_explicit(&f->record, r, memory_order_release); /* pairs with cache_read() */
    return f;
}

/* ---- ports ---- */

static void
set_relevant(struct cache_port *cp, const struct key *mask)
{
    memcpy(&cp->relevant, mask, KEY_CACHED_BYTES);
    cp->n_relevant = 0;
    for (unsigned i = 0; i < KEY_WORDS; i++)
        if (((const uint64_t *) mask)[i])
            cp->relevant_at[cp->n_relevant++] = i;
}

struct cache_port *
cache_port(struct cache *c, dpport port)
{
    struct cache_port *cp = port_of(c, port);
    if (!cp) {
        cp = xzalloc(sizeof *cp);
        cp->port = port;
        struct key all;
        memset(&all, 0xff, sizeof all);
        set_relevant(cp, &all); /* until somebody knows better, everything can matter */
        cp->next = c->ports;
        c->ports = cp;
    }
    return cp;
}

void
cache_port_relevant(struct cache *c, struct cache_port *cp, const struct key *mask, uint32_t version)
{
    cp->relevant_version = version;
    if (!memcmp(&cp->relevant, mask, KEY_CACHED_BYTES))
        return;
    set_relevant(cp, mask);
    cp->level1 = NULL;
    for (unsigned i = cp->n_shapes; i-- > 0;) {
        struct shape *s = cp->shapes[i];
        s->is_retired = true;
        if (!s->n_flows) {
            shape_free(c, cp, s);
        } else { /* the sweep frees it with its last flow; meanwhile it takes no place of those in use */
            memmove(&cp->shapes[i], &cp->shapes[i + 1], (cp->n_shapes - i - 1) * sizeof cp->shapes[0]);
            cp->n_shapes--;
        }
    }
}

/* ---- the sweep ---- */

void
cache_sweep_begin(struct cache *c, instant older_than, bool all)
{
    c->sweep_at = 1;
    c->sweep_older_than_ns = older_than.ns;
    c->sweep_all = all;
}

static int
by_hits(const void *a_, const void *b_)
{
    const struct shape *a = *(struct shape *const *) a_, *b = *(struct shape *const *) b_;
    return a->hits > b->hits ? -1 : a->hits < b->hits;
}

/* Masks without flows make place for others; the most used ones are probed first; ports that are gone end here. */
static void
sweep_ports(struct cache *c)
{
    for (unsigned i = 0; i < c->n_shape_slots; i++) {
        struct shape *s = c->shapes[i];
        if (s && s->is_retired && !s->n_flows) { /* in no port's list */
            c->shapes[i] = NULL;
            count(&c->counters.n_shapes, -1);
            free(s);
        }
    }
    for (struct cache_port **link = &c->ports, *cp; (cp = *link) != NULL;) {
        for (unsigned i = cp->n_shapes; i-- > 0;)
            if (!cp->shapes[i]->n_flows)
                shape_free(c, cp, cp->shapes[i]);
        qsort(cp->shapes, cp->n_shapes, sizeof cp->shapes[0], by_hits);
        for (unsigned i = 0; i < cp->n_shapes; i++)
            cp->shapes[i]->hits /= 2;
        if (cp->is_gone && !port_n_flows(cp) && waiting_port_is_empty(cp)) {
            *link = cp->next;
            if (c->fattest == cp)
                c->fattest = NULL;
            waiting_port_free(cp);
            free(cp);
        } else {
            link = &cp->next;
        }
    }
    c->fattest = NULL;
}

static bool
flow_is_due(struct cache *c, const struct flow *f, const struct flow_record *r)
{
    if (c->sweep_all || c->shapes[f->shape]->is_retired)
        return true;
    if (atomic_load_explicit(&f->used_ns, memory_order_relaxed) < c->sweep_older_than_ns)
        return true;
    return !deps_hold(&r->deps, c->versions) || port_of(c, r->in_port)->is_gone;
}

bool
cache_sweep(struct cache *c, unsigned n)
{
    if (!c->sweep_at)
        return false;
    uint32_t n_made = atomic_load_explicit(&c->n_made, memory_order_relaxed);
    for (; n && c->sweep_at <= n_made; n--, c->sweep_at++) {
        struct flow *f = &c->flows[c->sweep_at];
        struct flow_record *r = atomic_load_explicit(&f->record, memory_order_relaxed);
        if (r && flow_is_due(c, f, r))
            flow_retire(c, f);
    }
    if (c->sweep_at <= n_made)
        return true;
    sweep_ports(c);
    c->sweep_at = 0;
    return false;
}

/* ---- the control thread ---- */

uint32_t
cache_read_some(struct cache *c, uint32_t from, uint32_t n, void (*fn)(void *aux, const struct flow_reading *),
                void *aux)
{
    uint32_t n_made = atomic_load_explicit(&c->n_made, memory_order_acquire), i = MAX(from, 1);
    for (; i <= n_made && n; i++, n--) {
        struct flow *f = &c->flows[i];
        struct flow_record *r = atomic_load_explicit(&f->record, memory_order_acquire);
        if (!r)
            continue;
        struct flow_reading now = {.record = r, .flow = f};
        now.packets = atomic_load_explicit(&f->packets, memory_order_acquire);
        now.bytes = atomic_load_explicit(&f->bytes, memory_order_acquire);
        now.used_ns = atomic_load_explicit(&f->used_ns, memory_order_acquire);
        now.tcp_flags = atomic_load_explicit(&f->tcp_flags, memory_order_acquire);
        if (atomic_load_explicit(&f->record, memory_order_acquire) == r)
            fn(aux, &now);
    }
    return i <= n_made ? i : 0;
}

void
cache_read(struct cache *c, void (*fn)(void *aux, const struct flow_reading *), void *aux)
{
    cache_read_some(c, 0, UINT32_MAX, fn, aux);
}

void
cache_limit(struct cache *c, unsigned limit)
{
    atomic_store_explicit(&c->limit, MIN(MAX(limit, 1), FLOWS_MAX - 1), memory_order_relaxed);
}

void
cache_init(struct cache *c, unsigned lane, const struct versions *versions, unsigned limit)
{
    *c = (struct cache){.lane = lane, .versions = versions};
    cache_limit(c, limit);
    c->flows = reserve(FLOWS_MAX * sizeof *c->flows);
    c->buckets = reserve(BUCKETS_MAX * sizeof *c->buckets);
    ASSERT(c->flows && c->buckets);
    ASSERT(make_ready(c->flows, sizeof *c->flows, &c->n_ready, 1));
    ASSERT(make_ready(c->buckets, sizeof *c->buckets, &c->buckets_ready, BUCKETS_MIN));
    c->n_buckets = BUCKETS_MIN;
    c->low_mask = BUCKETS_MIN - 1;
    for (unsigned i = 0; i <= KEY_WORDS; i++)
        c->secret[i] = hash_u64(i, 0xcac4e + lane);
}

void
cache_fini(struct cache *c)
{
    for (struct cache_port *cp = c->ports; cp; cp = cp->next)
        cp->is_gone = true;
    cache_sweep_begin(c, INSTANT_NEVER, true);
    while (cache_sweep(c, 1024))
        continue;
    ASSERT(!c->ports);
    free(c->shapes);
    munmap(c->flows, FLOWS_MAX * sizeof *c->flows);
    munmap(c->buckets, BUCKETS_MAX * sizeof *c->buckets);
}
