/* version - what a cached flow was built on, so that it stops matching the moment that changes.
 *
 * Theory.     Everything a translation may depend on (a bridge's configuration, one MAC address of one VLAN, a table's sub-partition, a
 *             bond, a route) hashes to one slot of a fixed array of counters.  A flow remembers up to DEPS_MAX slots and the sum of their
 *             counters; counters only grow, so an equal sum means that nothing it stands on has moved.  Two things that share a slot cost a
 *             needless miss, never a wrong answer.  Turned down: lists from objects to flows (locks in the packet path) and one global
 *             version (every change would empty the cache).
 * Threads.    Any thread bumps, after publishing the new state; lanes read.  A flow whose translation began before a bump and was put
 *             in after it compares unequal, since the sum is taken before translating (deps_begin).
 */
#ifndef DATAPATH_VERSION_H
#define DATAPATH_VERSION_H 1

#include "base/hash.h"
#include <stdatomic.h>

#define VERSION_SLOTS 65536
#define DEPS_MAX 12 /* more than that: the flow depends on VERSION_ALL, which every bump moves */

enum version_kind {
    VERSION_BRIDGE,
    VERSION_PORT,
    VERSION_FDB,
    VERSION_TABLE,
    VERSION_GROUP,
    VERSION_BOND,
    VERSION_MIRROR,
    VERSION_MDB,
    VERSION_ROUTE
};

struct versions {
    _Atomic uint32_t all;
    _Atomic uint32_t slot[VERSION_SLOTS];
};

struct deps {
    uint16_t slot[DEPS_MAX];
    uint8_t n;
    bool all;          /* depends on everything: 'all_then' decides */
    uint32_t sum;      /* of the slots, as each was when it was added */
    uint32_t all_then; /* versions.all when the translation began */
};

static inline uint16_t
version_slot(enum version_kind kind, uint64_t what)
{
    return (uint16_t) hash_u64(what, kind + 1);
}

static inline void
version_bump(struct versions *v, uint16_t slot)
{
    atomic_fetch_add_explicit(&v->slot[slot], 1, memory_order_release);
    atomic_fetch_add_explicit(&v->all, 1, memory_order_release);
}

static inline void
deps_begin(struct deps *d, const struct versions *v)
{
    *d = (struct deps){.all_then = atomic_load_explicit(&v->all, memory_order_acquire)};
}

/* Call before reading the state that the slot stands for. */
static inline void
deps_add(struct deps *d, const struct versions *v, uint16_t slot)
{
    for (unsigned i = 0; i < d->n; i++)
        if (d->slot[i] == slot)
            return;
    if (d->all)
        return;
    if (d->n == DEPS_MAX) {
        d->all = true;
        return;
    }
    d->slot[d->n++] = slot;
    d->sum += atomic_load_explicit(&v->slot[slot], memory_order_acquire);
}

/* Nothing that was added has moved since. */
static inline bool
deps_hold(const struct deps *d, const struct versions *v)
{
    if (unlikely(d->all))
        return atomic_load_explicit(&v->all, memory_order_acquire) == d->all_then;
    uint32_t sum = 0;
    for (unsigned i = 0; i < d->n; i++)
        sum += atomic_load_explicit(&v->slot[d->slot[i]], memory_order_acquire);
    return sum == d->sum;
}

#endif
