#include "base/heap.h"
#include "base/test.h"

enum { N = 200 };

static uint32_t
next_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

/* The slow twin: the smallest key by looking at all. */
TEST(a_heap_answers_as_a_search_of_everything_does)
{
    static struct heap_node nodes[N];
    bool is_in[N] = {false};
    struct heap h = HEAP_INIT;
    uint32_t seed = 1;
    for (int round = 0; round < 20000; round++) {
        unsigned i = next_random(&seed) % N;
        uint64_t key = next_random(&seed) % 1000;
        if (!is_in[i])
            heap_push(&h, &nodes[i], key);
        else if (key % 2)
            heap_rekey(&h, &nodes[i], key);
        else
            heap_remove(&h, &nodes[i]);
        is_in[i] = !is_in[i] || key % 2;

        uint64_t least = UINT64_MAX;
        size_t n = 0;
        for (unsigned j = 0; j < N; j++)
            if (is_in[j]) {
                least = MIN(least, nodes[j].key);
                n++;
            }
        CHECK_EQ(h.n, n);
        CHECK_EQ(heap_top(&h) ? heap_top(&h)->key : UINT64_MAX, least);
    }
    heap_fini(&h);
}

TESTS(a_heap_answers_as_a_search_of_everything_does)
