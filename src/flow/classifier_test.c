#include "base/test.h"
#include "base/vec.h"
#include "flow/classifier.h"
#include <stdlib.h>

/* The slow twin: every rule in a list, searched from the front. */
#define N_RULES 600

struct rule {
    struct match match;
    bool is_in;
    struct cls_rule *cls;
};

static struct rule rules[N_RULES];
static unsigned seed = 20261121;

static unsigned
pick(unsigned n)
{
    return (unsigned) rand_r(&seed) % n;
}

/* Few values and many masks: crowds, overlaps and equal matches all come about. */
static void
random_match(struct match *m)
{
    memset(m, 0, sizeof *m);
    struct key *k = &m->key, *mask = &m->mask;
    if (pick(2)) {
        unsigned len = pick(33);
        mask->ip_src = be32_of(len ? ~0u << (32 - len) : 0);
        k->ip_src = be32_of(0x0a000000 + pick(1024)) & mask->ip_src;
    }
    if (pick(2)) {
        mask->ip_dst = be32_of((uint32_t) rand_r(&seed));
        k->ip_dst = be32_of(0x0a000000 + pick(1024)) & mask->ip_dst;
    }
    if (pick(3) == 0) {
        mask->tp_dst = be16_of(0xffff << pick(16));
        k->tp_dst = be16_of(pick(64)) & mask->tp_dst;
    }
    if (pick(3) == 0) {
        mask->metadata = ~(be64) 0;
        k->metadata = be64_of(pick(4));
    }
}

static void
random_key(struct key *k)
{
    memset(k, 0, sizeof *k);
    k->ip_src = be32_of(0x0a000000 + pick(1024));
    k->ip_dst = be32_of(0x0a000000 + pick(1024));
    k->tp_dst = be16_of(pick(64));
    k->metadata = be64_of(pick(4));
}

static void
rule_add(struct classifier *c, struct rule *r, cls_version v)
{
    uint16_t priority = pick(50);
    do
        random_match(&r->match);
    while (classifier_find_exactly(c, &r->match.key, &r->match.mask, priority, v));
    const struct shape *s = classifier_get_shape(c, &r->match.mask);
    r->cls = malloc(sizeof *r->cls + cls_values_bytes(s));
    cls_rule_init(r->cls, s, &r->match.key, priority);
    classifier_insert(c, r->cls, v);
    CHECK(classifier_find_exactly(c, &r->match.key, &r->match.mask, priority, v) == r->cls);
    r->is_in = true;
}

static void
rule_drop(struct classifier *c, struct rule *r)
{
    const struct shape *s = r->cls->shape;
    classifier_remove(c, r->cls);
    classifier_put_shape(c, s);
    free(r->cls);
    r->is_in = false;
}

static int
best_of_twin(const struct key *k)
{
    int best = -1;
    for (size_t i = 0; i < N_RULES; i++)
        if (rules[i].is_in && key_matches(k, &rules[i].match))
            best = MAX(best, (int) rules[i].cls->priority);
    return best;
}

TEST(it_answers_as_a_list_searched_from_the_front)
{
    struct classifier *c = classifier_new();
    memset(rules, 0, sizeof rules);
    for (int step = 0; step < 4000; step++) {
        struct rule *r = &rules[pick(N_RULES)];
        if (r->is_in)
            rule_drop(c, r);
        else
            rule_add(c, r, 1);
        for (int q = 0; q < 5; q++) {
            struct key k, mask;
            random_key(&k);
            memset(&mask, 0, sizeof mask);
            unsigned probes;
            struct cls_rule *got = classifier_find(c, &k, 1, &mask, &probes);
            CHECK_EQ(got ? got->priority : -1, best_of_twin(&k));
            CHECK(probes <= 49);
            /* Any key that agrees on the bits that decided has the same answer. */
            struct key other;
            random_key(&other);
            uint64_t *o = (uint64_t *) (void *) &other;
            for (size_t w = 0; w < KEY_WORDS; w++) {
                uint64_t m = ((uint64_t *) (void *) &mask)[w];
                o[w] = (o[w] & ~m) | (((uint64_t *) (void *) &k)[w] & m);
            }
            CHECK(classifier_find(c, &other, 1, NULL, NULL) == got);
        }
    }
    for (size_t i = 0; i < N_RULES; i++)
        if (rules[i].is_in)
            rule_drop(c, &rules[i]);
    CHECK_EQ(classifier_n(c), 0);
    classifier_free(c);
}

static bool
count(void *aux, struct cls_rule *r)
{
    ++*(size_t *) aux;
    return true;
}

TEST(loose_selection_and_overlap_agree_with_the_twin)
{
    struct classifier *c = classifier_new();
    memset(rules, 0, sizeof rules);
    for (size_t i = 0; i < N_RULES; i++)
        rule_add(c, &rules[i], 1);
    for (int q = 0; q < 300; q++) {
        struct match m;
        random_match(&m);
        struct shape *s = shape_of(&m.mask);
        size_t want = 0, got = 0;
        bool overlap = false;
        uint16_t priority = pick(50);
        for (size_t i = 0; i < N_RULES; i++) {
            const uint64_t *a = (const void *) &rules[i].match.key, *am = (const void *) &rules[i].match.mask;
            const uint64_t *b = (const void *) &m.key, *bm = (const void *) &m.mask;
            bool narrower = true, meets = true;
            for (size_t w = 0; w < KEY_WORDS; w++) {
                narrower &= !(bm[w] & ~am[w]) && !((a[w] ^ b[w]) & bm[w]);
                meets &= !((a[w] ^ b[w]) & am[w] & bm[w]);
            }
            want += narrower;
            overlap |= meets && rules[i].cls->priority == priority;
        }
        classifier_each(c, &m, 1, count, &got);
        CHECK_EQ(got, want);
        CHECK_EQ(classifier_overlaps(c, &m, priority, 1), overlap);
        free(s);
    }
    for (size_t i = 0; i < N_RULES; i++)
        rule_drop(c, &rules[i]);
    classifier_free(c);
}

TEST(a_reader_sees_the_table_as_of_its_version)
{
    struct classifier *c = classifier_new();
    memset(rules, 0, sizeof rules);
    rule_add(c, &rules[0], 5);
    struct key k = rules[0].match.key;
    CHECK(!classifier_find(c, &k, 4, NULL, NULL));
    CHECK(classifier_find(c, &k, 5, NULL, NULL));
    cls_rule_hide(rules[0].cls, 7);
    CHECK(classifier_find(c, &k, 6, NULL, NULL));
    CHECK(!classifier_find(c, &k, 7, NULL, NULL));
    cls_rule_unhide(rules[0].cls);
    CHECK(classifier_find(c, &k, 7, NULL, NULL));
    rule_drop(c, &rules[0]);
    classifier_free(c);
}

TEST(a_thousand_masks_do_not_mean_a_thousand_probes)
{
    struct classifier *c = classifier_new();
    VEC(struct cls_rule *) all = VEC_INIT;
    for (unsigned i = 0; i < 20000; i++) {
        struct match m;
        memset(&m, 0, sizeof m);
        unsigned a = 1 + i % 32, b = 1 + i / 32 % 32;
        m.mask.ip_src = be32_of(~0u << (32 - a));
        m.mask.ip_dst = be32_of(~0u << (32 - b));
        m.key.ip_src = be32_of((uint32_t) rand_r(&seed)) & m.mask.ip_src;
        m.key.ip_dst = be32_of((uint32_t) rand_r(&seed)) & m.mask.ip_dst;
        if (classifier_find_exactly(c, &m.key, &m.mask, 10, 1))
            continue;
        const struct shape *s = classifier_get_shape(c, &m.mask);
        struct cls_rule *r = malloc(sizeof *r + cls_values_bytes(s));
        cls_rule_init(r, s, &m.key, 10);
        classifier_insert(c, r, 1);
        vec_push(&all, r);
    }
    struct classifier_stats stats;
    classifier_stats(c, &stats);
    CHECK(stats.n_shapes > 900);
    CHECK(stats.n_tuples <= 49);
    for (size_t i = 0; i < all.n; i++) {
        const struct shape *s = all.at[i]->shape;
        classifier_remove(c, all.at[i]);
        classifier_put_shape(c, s);
        free(all.at[i]);
    }
    vec_fini(&all);
    classifier_free(c);
}

TESTS(it_answers_as_a_list_searched_from_the_front, loose_selection_and_overlap_agree_with_the_twin,
      a_reader_sees_the_table_as_of_its_version, a_thousand_masks_do_not_mean_a_thousand_probes)
