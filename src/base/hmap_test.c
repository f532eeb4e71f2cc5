#include "base/hash.h"
#include "base/hmap.h"
#include "base/test.h"

struct item {
    struct hmap_node node;
    unsigned key;
};

TEST(what_goes_in_is_found_until_it_is_removed)
{
    enum { N = 1000 };
    static struct item items[N];
    struct hmap map;
    hmap_init(&map);
    for (unsigned i = 0; i < N; i++) {
        items[i].key = i;
        hmap_insert(&map, &items[i].node, hash_u32(i) % 300); /* many share a hash */
    }
    for (unsigned i = 0; i < N; i += 2)
        hmap_remove(&map, &items[i].node);
    CHECK_EQ(map.n, N / 2);
    for (unsigned i = 0; i < N; i++) {
        struct item *it;
        bool found = false;
        HMAP_FOR_HASH (it, node, hash_u32(i) % 300, &map)
            found |= it->key == i;
        CHECK_EQ(found, i % 2);
    }
    struct item *it;
    HMAP_FOR (it, node, &map)
        hmap_remove(&map, &it->node);
    CHECK_EQ(map.n, 0);
    hmap_shrink(&map);
    hmap_fini(&map);
}

TEST(a_swapped_empty_map_still_works)
{
    struct hmap a, b;
    struct item it = {.key = 1};
    hmap_init(&a);
    hmap_init(&b);
    hmap_insert(&a, &it.node, 5);
    hmap_swap(&a, &b);
    CHECK_EQ(a.n, 0);
    CHECK(hmap_first_with_hash(&a, 5) == NULL);
    CHECK(hmap_first_with_hash(&b, 5) == &it.node);
    hmap_fini(&a);
    hmap_fini(&b);
}

TESTS(what_goes_in_is_found_until_it_is_removed, a_swapped_empty_map_still_works)
