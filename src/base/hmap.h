/* hmap - a hash table through a member of its elements.
 *
 * Shape.     Chained, power-of-two buckets, grows by doubling, shrinks when told; the element keeps its 32-bit hash.
 * Ownership. Elements belong to the caller; hmap_fini() frees the buckets only.
 * Threads.   One at a time.  Readers beside a writer want another structure.
 */
#ifndef BASE_HMAP_H
#define BASE_HMAP_H 1

#include "base/compiler.h"

struct hmap_node {
    struct hmap_node *next;
    uint32_t hash;
};

struct hmap {
    struct hmap_node **buckets; /* points to 'one' until it grows */
    struct hmap_node *one;
    uint32_t mask; /* number of buckets - 1 */
    size_t n;
};

void hmap_init(struct hmap *);
void hmap_fini(struct hmap *);
void hmap_insert(struct hmap *, struct hmap_node *, uint32_t hash);
void hmap_remove(struct hmap *, struct hmap_node *);
void hmap_shrink(struct hmap *);
void hmap_swap(struct hmap *, struct hmap *);

static inline struct hmap_node *
hmap_bucket_next(struct hmap_node *node, uint32_t hash)
{
    while (node && node->hash != hash)
        node = node->next;
    return node;
}

static inline struct hmap_node *
hmap_first_with_hash(const struct hmap *map, uint32_t hash)
{
    return hmap_bucket_next(map->buckets ? map->buckets[hash & map->mask] : NULL, hash);
}

struct hmap_node *hmap_first(const struct hmap *);
struct hmap_node *hmap_next(const struct hmap *, const struct hmap_node *);

#define HMAP_ELEM_(node, var, member) ((node) ? CONTAINER_OF(node, __typeof__(*var), member) : NULL)

/* Every element whose hash is 'hash'; 'var' is NULL after the loop ends by itself. */
#define HMAP_FOR_HASH(var, member, hash_value, map)                                                                    \
    for (struct hmap_node *node_##var = hmap_first_with_hash(map, hash_value);                                         \
         (var = HMAP_ELEM_(node_##var, var, member)) != NULL;                                                          \
         node_##var = hmap_bucket_next(node_##var->next, hash_value))

/* Every element, in no order.  The element may be removed (and freed) inside the loop. */
#define HMAP_FOR(var, member, map)                                                                                     \
    for (struct hmap_node *node_##var = hmap_first(map), *next_##var;                                                  \
         (var = HMAP_ELEM_(node_##var, var, member)) != NULL && (next_##var = hmap_next(map, node_##var), true);       \
         node_##var = next_##var)

#endif
