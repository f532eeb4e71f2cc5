/* hmap - see the header.  A map of one bucket allocates nothing. */
#include "base/hmap.h"
#include "base/mem.h"
#include <stdlib.h>

void
hmap_init(struct hmap *map)
{
    map->one = NULL;
    map->buckets = &map->one;
    map->mask = 0;
    map->n = 0;
}

void
hmap_fini(struct hmap *map)
{
    if (map->buckets != &map->one)
        free(map->buckets);
}

static void
resize(struct hmap *map, uint32_t mask)
{
    struct hmap fresh;
    hmap_init(&fresh);
    if (mask) {
        fresh.buckets = xcalloc((size_t) mask + 1, sizeof *fresh.buckets);
        fresh.mask = mask;
    }
    for (uint32_t i = 0; i <= map->mask; i++)
        for (struct hmap_node *node = map->buckets[i], *next; node; node = next) {
            next = node->next;
            node->next = fresh.buckets[node->hash & mask];
            fresh.buckets[node->hash & mask] = node;
        }
    fresh.n = map->n;
    hmap_swap(map, &fresh);
    hmap_fini(&fresh);
}

void
hmap_swap(struct hmap *a, struct hmap *b)
{
    struct hmap t = *a;
    *a = *b;
    *b = t;
    if (a->buckets == &b->one)
        a->buckets = &a->one;
    if (b->buckets == &a->one)
        b->buckets = &b->one;
}

void
hmap_insert(struct hmap *map, struct hmap_node *node, uint32_t hash)
{
    node->hash = hash;
    node->next = map->buckets[hash & map->mask];
    map->buckets[hash & map->mask] = node;
    map->n++;
    if (unlikely(map->n / 2 > map->mask))
        resize(map, map->mask * 2 + 1);
}

void
hmap_remove(struct hmap *map, struct hmap_node *node)
{
    struct hmap_node **link = &map->buckets[node->hash & map->mask];
    while (*link != node)
        link = &(*link)->next;
    *link = node->next;
    map->n--;
}

void
hmap_shrink(struct hmap *map)
{
    uint32_t mask = 0;
    while (map->n / 2 > mask)
        mask = mask * 2 + 1;
    if (mask < map->mask)
        resize(map, mask);
}

static struct hmap_node *
first_from(const struct hmap *map, uint64_t bucket)
{
    for (; bucket <= map->mask; bucket++)
        if (map->buckets[bucket])
            return map->buckets[bucket];
    return NULL;
}

struct hmap_node *
hmap_first(const struct hmap *map)
{
    return map->n ? first_from(map, 0) : NULL;
}

struct hmap_node *
hmap_next(const struct hmap *map, const struct hmap_node *node)
{
    return node->next ? node->next : first_from(map, (uint64_t) (node->hash & map->mask) + 1);
}
