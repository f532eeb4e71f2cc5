/* heap - the smallest key at hand, through a member of its elements.
 *
 * Use.       heap_push(&h, &e->node, key);  ...  struct heap_node *top = heap_top(&h);  heap_rekey(&h, top, later);
 * Shape.     Binary, in an array of pointers; an element knows its place, so removing and rekeying it cost log n.  Keys are plain
 *            numbers; who wants the largest first pushes ~key.  Equal keys stand in no order.
 * Ownership. Elements belong to the caller; heap_fini() frees the array only.
 * Threads.   One at a time.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H 1

#include "base/compiler.h"

struct heap_node {
    uint64_t key;
    size_t place; /* heap's */
};

struct heap {
    struct heap_node **at;
    size_t n, room;
};

#define HEAP_INIT ((struct heap){NULL, 0, 0})

void heap_fini(struct heap *);
void heap_push(struct heap *, struct heap_node *, uint64_t key);
void heap_remove(struct heap *, struct heap_node *);
void heap_rekey(struct heap *, struct heap_node *, uint64_t key);

/* NULL: empty. */
static inline struct heap_node *
heap_top(const struct heap *h)
{
    return h->n ? h->at[0] : NULL;
}

#endif
