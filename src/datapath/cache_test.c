#include "base/test.h"
#include "base/mem.h"
#include "datapath/cache.h"

#define NOW ((instant){1000})

static uint64_t dice;

static uint32_t
roll(uint32_t n)
{
    dice = dice * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t) ((dice >> 33) % n);
}

struct bench {
    struct versions *versions;
    struct cache cache;
    struct cache_port *port;
};

static struct bench *
bench_new(unsigned limit)
{
    struct bench *b = xzalloc_line(sizeof *b);
    dice = 7;
    b->versions = xzalloc_line(sizeof *b->versions);
    cache_init(&b->cache, 0, b->versions, limit);
    b->port = cache_port(&b->cache, 1);
    return b;
}

static void
bury_all(struct cache *c, uint64_t *packets)
{
    for (struct flow_record *r = cache_take_dead(c), *next; r; r = next) {
        next = r->next_dead;
        if (packets)
            *packets += r->packets;
        flow_record_free(r);
    }
}

static void
bench_free(struct bench *b)
{
    cache_fini(&b->cache);
    bury_all(&b->cache, NULL);
    free(b->versions);
    free(b);
}

static void
sweep(struct cache *c, instant older_than, bool all)
{
    cache_sweep_begin(c, older_than, all);
    while (cache_sweep(c, 7))
        continue;
}

static struct flow *
find(struct cache *c, struct cache_port *cp, const struct key *key)
{
    struct flow *f;
    cache_find(c, cp, &key, 1, &f);
    return f;
}

static struct flow *
add(struct bench *b, struct cache_port *cp, const struct key *key, const struct key *mask, uint32_t out)
{
    struct verdict v = {.may_cache = true};
    actions_init(&v.actions);
    deps_begin(&v.deps, b->versions);
    deps_add(&v.deps, b->versions, version_slot(VERSION_TABLE, 0));
    v.mask = *mask;
    actions_add(&v.actions, ACT_OUTPUT, out, NULL, 0);
    struct flow *f = cache_add(&b->cache, cp, key, &v, 60, NOW);
    actions_fini(&v.actions);
    return f;
}

static void
meet(struct flow *f)
{
    atomic_fetch_add(&f->packets, 1);
    f->met += f->met < 3;
    atomic_store(&f->used_ns, NOW.ns);
}

/* ---- the slow twin: a list of rules, searched from the front ---- */

#define RULES 24

struct rule {
    struct key key, mask;
};

static bool
rule_matches(const struct rule *r, const struct key *key)
{
    const uint64_t *k = (const uint64_t *) key, *want = (const uint64_t *) &r->key, *m = (const uint64_t *) &r->mask;
    for (unsigned i = 0; i < KEY_WORDS; i++)
        if ((k[i] ^ want[i]) & m[i])
            return false;
    return true;
}

/* The number of the first rule that matches, and the bits that decided: those of all rules looked at. */
static unsigned
list_search(const struct rule *rules, const struct key *key, struct key *mask)
{
    memset(mask, 0, sizeof *mask);
    memset(&mask->port, 0xff, sizeof mask->port);
    for (unsigned i = 0; i < RULES; i++) {
        for (unsigned w = 0; w < KEY_WORDS; w++)
            ((uint64_t *) mask)[w] |= ((const uint64_t *) &rules[i].mask)[w];
        if (rule_matches(&rules[i], key))
            return i;
    }
    return RULES;
}

/* Keys of few values in few fields, so that everything meets everything. */
static void
random_key(struct key *k)
{
    memset(k, 0, sizeof *k);
    k->port = 1;
    k->eth_type = be16_of(roll(8) ? 0x0800 : 0x86dd);
    k->ip_src = be32_of(0x0a000000 | roll(4) << 16 | roll(3));
    k->ip_dst = be32_of(0x0a000000 | roll(3));
    k->tp_src = be16_of(roll(4));
    k->tp_dst = be16_of(roll(5));
    k->eth_dst.b[5] = roll(3);
    k->ip6_dst.b[15] = roll(2);
    k->ct_mark = be32_of(roll(2));
    k->vlan[0].tci = be16_of(roll(3) ? 0 : VLAN_PRESENT | roll(2));
}

static void
random_rule(struct rule *r)
{
    random_key(&r->key);
    memset(&r->mask, 0, sizeof r->mask);
    if (roll(2))
        r->mask.ip_src = be32_of(0xffffffffu << roll(20));
    if (!roll(3))
        r->mask.tp_dst = be16_of(0xffff);
    if (!roll(4))
        r->mask.tp_src = be16_of(1 << roll(3));
    if (!roll(4))
        r->mask.eth_dst.b[5] = 0xff;
    if (!roll(4))
        r->mask.ip6_dst.b[15] = 1;
    if (!roll(5))
        r->mask.ct_mark = UINT32_MAX;
    if (!roll(5))
        r->mask.vlan[0].tci = be16_of(VLAN_PRESENT | VLAN_VID_MASK);
    for (unsigned w = 0; w < KEY_WORDS; w++)
        ((uint64_t *) &r->key)[w] &= ((uint64_t *) &r->mask)[w];
}

/* Looks up 'key' in the cache, translating by the list when it misses; both must agree, in a bounded number of probes. */
static void
look_both_ways(struct bench *b, const struct rule *rules, const struct key *key)
{
    struct key mask;
    unsigned right = list_search(rules, key, &mask);
    uint64_t before = atomic_load(&b->cache.counters.probes);
    struct flow *f = find(&b->cache, b->port, key);
    CHECK(atomic_load(&b->cache.counters.probes) - before <= CACHE_SHAPES);
    if (!f)
        f = add(b, b->port, key, &mask, right);
    CHECK(f != NULL);
    CHECK_EQ(f->out, right);
    meet(f);
}

TEST(a_cache_answers_like_a_list_searched_from_the_front)
{
    struct bench *b = bench_new(500);
    struct rule rules[RULES];
    uint64_t packets = 0, asked = 0;
    for (unsigned round = 0; round < 200; round++) {
        if (round % 20 == 0)
            for (unsigned i = 0; i < RULES; i++)
                random_rule(&rules[i]);
        random_rule(&rules[roll(RULES)]);
        version_bump(b->versions, version_slot(VERSION_TABLE, 0));
        if (round % 50 == 49) { /* what can matter at all: all that any rule asks about */
            struct key relevant;
            memset(&relevant, round == 99 ? 0xff : 0, sizeof relevant);
            memset(&relevant.port, 0xff, sizeof relevant.port);
            memset(&relevant.ip_src, 0xff, sizeof relevant.ip_src);
            memset(&relevant.tp_src, 0xff, 4);
            memset(&relevant.eth_dst, 0xff, 6);
            memset(&relevant.ip6_dst, 0xff, 16);
            memset(&relevant.ct_mark, 0xff, 4);
            memset(&relevant.vlan, 0xff, sizeof relevant.vlan);
            cache_port_relevant(&b->cache, b->port, &relevant, round);
        }
        for (unsigned i = 0; i < 300; i++, asked++) {
            struct key key;
            random_key(&key);
            look_both_ways(b, rules, &key);
        }
        if (round % 7 == 0)
            sweep(&b->cache, (instant){INT64_MIN}, false);
        CHECK(b->cache.n_flows <= 500 + 500 / 16);
    }
    sweep(&b->cache, INSTANT_NEVER, true);
    CHECK_EQ(b->cache.n_flows, 0);
    bury_all(&b->cache, &packets);
    CHECK_EQ(packets, asked);
    bench_free(b);
}

TEST(bursts_find_what_single_looks_find)
{
    struct bench *b = bench_new(10000);
    struct key mask, keys[BURST];
    const struct key *at[BURST];
    struct flow *flows[BURST];
    memset(&mask, 0, sizeof mask);
    mask.ip_src = UINT32_MAX;
    for (unsigned round = 0; round < 500; round++) {
        for (unsigned i = 0; i < BURST; i++) {
            memset(&keys[i], 0, sizeof keys[i]);
            keys[i].port = 1;
            keys[i].ip_src = be32_of(roll(2000));
            at[i] = &keys[i];
        }
        cache_find(&b->cache, b->port, at, BURST, flows);
        for (unsigned i = 0; i < BURST; i++) {
            CHECK(flows[i] == find(&b->cache, b->port, &keys[i]) || !flows[i]);
            if (flows[i])
                CHECK_EQ(flows[i]->out, host32(keys[i].ip_src));
            else if (!find(&b->cache, b->port, &keys[i]))
                add(b, b->port, &keys[i], &mask, host32(keys[i].ip_src));
        }
    }
    CHECK(b->cache.n_flows > 1900);
    bench_free(b);
}

TEST(two_hundred_thousand_flows_are_all_found)
{
    enum { N = 200000 };
    struct bench *b = bench_new(N + 1000);
    struct key key, mask;
    unsigned found = 0;
    memset(&mask, 0xff, sizeof mask); /* longer than a flow's own words */
    memset(&key, 0, sizeof key);
    for (unsigned i = 0; i < N; i++) {
        key.tun_id = be64_of(i);
        CHECK(add(b, b->port, &key, &mask, i));
    }
    for (unsigned i = 0; i < N; i++) {
        key.tun_id = be64_of(i);
        struct flow *f = find(&b->cache, b->port, &key);
        found += f && f->out == i;
        CHECK(!f || f->out == i);
    }
    CHECK(found > N - N / 1000); /* a full pair of buckets may cost a flow its place */
    key.tun_src = 1;
    CHECK(!find(&b->cache, b->port, &key));
    bench_free(b);
}

/* ---- adversaries ---- */

/* The bits that tell this key from the rule's: up to the first one that differs, as a trie or a staged search would find. */
static void
first_difference(struct key *mask, const void *have, const void *want, size_t ofs, size_t len)
{
    const uint8_t *a = have, *b = want;
    uint8_t *m = (uint8_t *) mask + ofs;
    for (size_t i = 0; i < len; i++) {
        uint8_t x = a[i] ^ b[i];
        if (!x) {
            m[i] = 0xff;
            continue;
        }
        unsigned bit = __builtin_clz((unsigned) x) - 24;
        m[i] |= (uint8_t) (0xff00 >> (bit + 1));
        return;
    }
}

TEST(an_explosion_of_tuples_costs_nobody_more_than_nine_probes)
{
    struct bench *b = bench_new(50000);
    struct key rule;
    memset(&rule, 0, sizeof rule);
    rule.tp_dst = be16_of(80);
    rule.tp_src = be16_of(12345);
    rule.ip_src = be32_of(0x0a00000a);
    for (unsigned i = 0; i < 60000; i++) { /* each packet flips other bits of the three fields */
        struct key key = rule, mask;
        key.port = 1;
        key.eth_type = be16_of(0x0800);
        key.tp_dst ^= be16_of(1 << roll(16));
        key.tp_src ^= be16_of(1 << roll(16));
        key.ip_src ^= be32_of(1u << roll(32));
        key.ip_dst = be32_of(roll(1 << 20));
        memset(&mask, 0, sizeof mask);
        memset(&mask.eth_type, 0xff, 2);
        first_difference(&mask, &key.tp_dst, &rule.tp_dst, offsetof(struct key, tp_dst), 2);
        first_difference(&mask, &key.tp_src, &rule.tp_src, offsetof(struct key, tp_src), 2);
        first_difference(&mask, &key.ip_src, &rule.ip_src, offsetof(struct key, ip_src), 4);
        uint64_t before = atomic_load(&b->cache.counters.probes);
        struct flow *f = find(&b->cache, b->port, &key);
        CHECK(atomic_load(&b->cache.counters.probes) - before <= CACHE_SHAPES);
        if (!f)
            f = add(b, b->port, &key, &mask, 1);
        meet(f);
    }
    CHECK(b->port->n_shapes <= 5); /* prefixes of 8, 16, 24 and 32 bits, ports whole */
    CHECK(b->cache.n_flows < 20000);
    bench_free(b);
}

TEST(random_rule_sets_never_make_more_masks_than_allowed)
{
    struct bench *b = bench_new(5000);
    for (unsigned set = 0; set < 10000; set++) {
        struct key key, mask;
        memset(&key, 0, sizeof key);
        memset(&mask, 0, sizeof mask);
        key.port = 1;
        for (unsigned i = 0; i < 1 + roll(6); i++) {
            unsigned at = roll(KEY_CACHED_BYTES);
            ((uint8_t *) &mask)[at] = 1 << roll(8);
            ((uint8_t *) &key)[at] = roll(256);
        }
        uint64_t before = atomic_load(&b->cache.counters.probes);
        struct flow *f = find(&b->cache, b->port, &key);
        CHECK(atomic_load(&b->cache.counters.probes) - before <= CACHE_SHAPES);
        if (!f)
            add(b, b->port, &key, &mask, 1);
        CHECK(b->port->n_shapes <= CACHE_SHAPES);
        if (set % 1000 == 999)
            sweep(&b->cache, (instant){INT64_MIN}, false);
    }
    bench_free(b);
}

TEST(a_flooding_port_does_not_take_the_share_of_another)
{
    struct bench *b = bench_new(1000);
    struct cache_port *quiet = cache_port(&b->cache, 2);
    struct key key, mask;
    memset(&mask, 0, sizeof mask);
    memset(&key, 0, sizeof key);
    mask.ip_src = UINT32_MAX;
    for (unsigned i = 0; i < 300; i++) {
        key.ip_src = be32_of(i);
        key.port = 2;
        add(b, quiet, &key, &mask, 2);
    }
    for (unsigned i = 0; i < 100000; i++) {
        key.ip_src = be32_of(i);
        key.port = 1;
        struct flow *f = add(b, b->port, &key, &mask, 1);
        meet(f); /* as if every flow of the flood came back at once */
        meet(f);
    }
    unsigned kept = 0;
    key.port = 2;
    for (unsigned i = 0; i < 300; i++) {
        key.ip_src = be32_of(i);
        kept += find(&b->cache, quiet, &key) != NULL;
    }
    CHECK_EQ(kept, 300); /* below its share of 500: nothing was taken */
    CHECK(b->cache.n_flows <= 1000);
    for (unsigned i = 300; i < 800; i++) { /* and it still gets the rest of its share */
        key.ip_src = be32_of(i);
        meet(add(b, quiet, &key, &mask, 2));
    }
    kept = 0;
    for (unsigned i = 0; i < 800; i++) {
        key.ip_src = be32_of(i);
        kept += find(&b->cache, quiet, &key) != NULL;
    }
    CHECK(kept >= 499);
    bench_free(b);
}

TEST(a_scan_turns_over_only_itself)
{
    struct bench *b = bench_new(1000);
    struct key key, mask;
    memset(&mask, 0, sizeof mask);
    memset(&key, 0, sizeof key);
    mask.ip_src = UINT32_MAX;
    for (unsigned i = 0; i < 400; i++) {
        key.ip_src = be32_of(i);
        meet(add(b, b->port, &key, &mask, 1));
    }
    for (unsigned i = 0; i < 50000; i++) {
        key.ip_src = be32_of(1000000 + i);
        add(b, b->port, &key, &mask, 1);
        if (i % 100 == 0) { /* those that talk */
            for (unsigned j = 0; j < 400; j++) {
                key.ip_src = be32_of(j);
                struct flow *f = find(&b->cache, b->port, &key);
                if (f)
                    meet(f);
            }
        }
    }
    unsigned kept = 0;
    for (unsigned i = 0; i < 400; i++) {
        key.ip_src = be32_of(i);
        kept += find(&b->cache, b->port, &key) != NULL;
    }
    CHECK(kept >= 396);
    bench_free(b);
}

TEST(what_is_idle_or_broken_is_swept_and_the_rest_stays)
{
    struct bench *b = bench_new(1000);
    struct key key, mask;
    memset(&mask, 0, sizeof mask);
    memset(&key, 0, sizeof key);
    mask.ip_src = UINT32_MAX;
    for (unsigned i = 0; i < 100; i++) {
        key.ip_src = be32_of(i);
        struct flow *f = add(b, b->port, &key, &mask, 1);
        atomic_store(&f->used_ns, i * 10);
    }
    sweep(&b->cache, (instant){500}, false);
    CHECK_EQ(b->cache.n_flows, 50);
    version_bump(b->versions, version_slot(VERSION_TABLE, 0));
    sweep(&b->cache, (instant){500}, false);
    CHECK_EQ(b->cache.n_flows, 0);
    CHECK_EQ(b->port->n_shapes, 0);
    bench_free(b);
}

TEST(a_mask_that_the_port_was_not_said_to_have_is_not_kept)
{
    struct bench *b = bench_new(1000);
    struct key key, mask, relevant;
    memset(&mask, 0, sizeof mask);
    memset(&key, 0, sizeof key);
    memset(&relevant, 0, sizeof relevant);
    memset(&relevant.port, 0xff, 4);
    cache_port_relevant(&b->cache, b->port, &relevant, 1);
    CHECK(add(b, b->port, &key, &relevant, 1));
    mask.ip_src = UINT32_MAX;
    CHECK(!add(b, b->port, &key, &mask, 1));
    CHECK_EQ(atomic_load(&b->cache.counters.uncached), 1);
    bench_free(b);
}

TEST(rounding_only_adds_bits_and_knows_every_byte)
{
    dice = 3;
    for (unsigned round = 0; round < 20000; round++) {
        struct key mask, before;
        memset(&mask, 0, sizeof mask);
        for (unsigned i = 0; i < 1 + roll(4); i++)
            ((uint8_t *) &mask)[roll(KEY_CACHED_BYTES)] |= 1 << roll(8);
        before = mask;
        mask_round(&mask);
        for (unsigned i = 0; i < KEY_CACHED_BYTES; i++)
            CHECK(!(((uint8_t *) &before)[i] & ~((uint8_t *) &mask)[i]));
        before = mask;
        mask_round(&mask);
        CHECK_MEM(&mask, &before, sizeof mask);
    }
}

TESTS(a_cache_answers_like_a_list_searched_from_the_front, bursts_find_what_single_looks_find,
      two_hundred_thousand_flows_are_all_found, an_explosion_of_tuples_costs_nobody_more_than_nine_probes,
      random_rule_sets_never_make_more_masks_than_allowed, a_flooding_port_does_not_take_the_share_of_another,
      a_scan_turns_over_only_itself, what_is_idle_or_broken_is_swept_and_the_rest_stays,
      a_mask_that_the_port_was_not_said_to_have_is_not_kept, rounding_only_adds_bits_and_knows_every_byte)
