/* heap - see the header. */
#include "base/heap.h"
#include "base/mem.h"
#include <stdlib.h>

void
heap_fini(struct heap *h)
{
    free(h->at);
    *h = HEAP_INIT;
}

static void
seat(struct heap *h, size_t place, struct heap_node *node)
{
    h->at[place] = node;
    node->place = place;
}

/* Finds the seat of 'node', of which only 'place' can be wrong, above or below it. */
static void
settle(struct heap *h, struct heap_node *node, size_t place)
{
    while (place && h->at[(place - 1) / 2]->key > node->key) {
        seat(h, place, h->at[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (;;) {
        size_t child = place * 2 + 1;
        if (child >= h->n)
            break;
        if (child + 1 < h->n && h->at[child + 1]->key < h->at[child]->key)
            child++;
        if (h->at[child]->key >= node->key)
            break;
        seat(h, place, h->at[child]);
        place = child;
    }
    seat(h, place, node);
}

void
heap_push(struct heap *h, struct heap_node *node, uint64_t key)
{
    if (h->n == h->room) {
        h->room = h->room ? h->room * 2 : 4;
        h->at = xrealloc(h->at, h->room * sizeof(struct heap_node *));
    }
    node->key = key;
    seat(h, h->n, node);
    settle(h, node, h->n++);
}

void
heap_remove(struct heap *h, struct heap_node *node)
{
    struct heap_node *last = h->at[--h->n];
    if (last != node)
        settle(h, last, node->place);
}

void
heap_rekey(struct heap *h, struct heap_node *node, uint64_t key)
{
    node->key = key;
    settle(h, node, node->place);
}
