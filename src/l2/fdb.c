/* fdb - see the header.
 *
 * Theory.  Three questions must be cheap: where is (vlan, mac); which port owns most entries, and which of those is the stalest; which
 * entries are older than max_age.  A hash table answers the first.  For the others each port that owns entries has a heap of
 * them by 'when last heard', and the ports stand in a heap by how many they own.
 *
 * Hearing an address again must not cost more than the lookup, so it writes entry->heard and leaves the heap alone: the key in the heap is then
 * too old, never too young.  Whoever wants the stalest looks at the top and, while the top's key is out of date, corrects it
 * (stalest()); the first top whose key is right is the stalest indeed, since everyone else's true time is at least its key.  Each
 * hearing pays for at most one correction.  A list in order of hearing was turned down because statistics report hearings late and
 * in no order.
 *
 * Eviction is fair: a port that floods invented addresses owns most of the table and so only pushes out its own.  Static entries are in
 * nobody's heap, and so neither age nor give way.
 *
 * Memory.  Entries come from slabs that are kept until the end; 'max' bounds them.
 */
#include "l2/fdb.h"
#include "base/coverage.h"
#include "base/hash.h"
#include "base/heap.h"
#include "base/hmap.h"
#include "base/mem.h"
#include "base/vec.h"
#include <pthread.h>

COVERAGE(mac_learning_learned)
COVERAGE(mac_learning_expired)
COVERAGE(mac_learning_evicted)
COVERAGE(mac_learning_moved)

#define LOCK_SPAN seconds(5) /* of a gratuitous ARP heard at a plain port */
#define SLAB 64

struct entry {
    struct hmap_node node;
    struct heap_node by_age; /* in owner->entries unless static */
    struct owner *owner;
    instant heard;        /* the last time, at 'owner' */
    instant locked_until; /* by a gratuitous ARP */
    struct mac mac;
    uint16_t vlan;
    bool is_static;
};

/* A port with entries; goes with its last one. */
struct owner {
    struct hmap_node node;
    struct heap_node by_count; /* in fdb->owners, key: ~entries.n */
    struct heap entries;
    size_t n_all; /* with static ones */
    ofport port;
};

struct fdb {
    pthread_mutex_t lock; /* guards everything below */
    struct hmap entries, owners_by_port;
    struct heap owners;
    VEC(struct entry *) free;
    VEC(struct entry *) slabs;
    size_t max;
    span max_age;
    fdb_changed *changed;
    void *aux;
    struct fdb_stats stats; /* 'now' and 'max' are filled in when asked */
};

#define LOCKED(f) __attribute__((cleanup(unlock_auto))) pthread_mutex_t *locked_ UNUSED = lock(f)

static pthread_mutex_t *
lock(const struct fdb *f)
{
    pthread_mutex_t *m = (pthread_mutex_t *) &f->lock;
    pthread_mutex_lock(m);
    return m;
}

static void
unlock_auto(pthread_mutex_t **m)
{
    pthread_mutex_unlock(*m);
}

struct fdb *
fdb_new(size_t max, span max_age)
{
    struct fdb *f = xzalloc(sizeof *f);
    pthread_mutex_init(&f->lock, NULL);
    hmap_init(&f->entries);
    hmap_init(&f->owners_by_port);
    f->max = max;
    f->max_age = max_age;
    return f;
}

static void
owner_free(struct fdb *f, struct owner *o)
{
    hmap_remove(&f->owners_by_port, &o->node);
    heap_remove(&f->owners, &o->by_count);
    heap_fini(&o->entries);
    free(o);
}

void
fdb_free(struct fdb *f)
{
    if (!f)
        return;
    struct owner *o;
    HMAP_FOR (o, node, &f->owners_by_port)
        owner_free(f, o);
    for (size_t i = 0; i < f->slabs.n; i++)
        free(f->slabs.at[i]);
    vec_fini(&f->slabs);
    vec_fini(&f->free);
    heap_fini(&f->owners);
    hmap_fini(&f->owners_by_port);
    hmap_fini(&f->entries);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

void
fdb_on_change(struct fdb *f, fdb_changed *changed, void *aux)
{
    LOCKED(f);
    f->changed = changed;
    f->aux = aux;
}

/* ---- pieces; the lock is held ---- */

static void
tell(struct fdb *f, const struct entry *e)
{
    if (f->changed)
        f->changed(f->aux, e->vlan, e->mac);
}

static uint32_t
entry_hash(struct mac mac, uint16_t vlan)
{
    return (uint32_t) hash_u64(mac_to_u64(mac) | (uint64_t) vlan << 48, 0);
}

static struct entry *
find(const struct fdb *f, struct mac mac, uint16_t vlan)
{
    struct entry *e;
    HMAP_FOR_HASH (e, node, entry_hash(mac, vlan), &f->entries)
        if (mac_equal(e->mac, mac) && e->vlan == vlan)
            return e;
    return NULL;
}

static bool
is_too_old(const struct fdb *f, const struct entry *e, instant now)
{
    return !e->is_static && !instant_before(now, instant_add(e->heard, f->max_age));
}

/* What a frame may be sent by: the entry, unless its time is over though nobody has swept it yet. */
static struct entry *
find_fresh(const struct fdb *f, struct mac mac, uint16_t vlan, instant now)
{
    struct entry *e = find(f, mac, vlan);
    return e && !is_too_old(f, e, now) ? e : NULL;
}

static struct owner *
owner_find(const struct fdb *f, ofport port)
{
    struct owner *o;
    HMAP_FOR_HASH (o, node, hash_u32(port), &f->owners_by_port)
        if (o->port == port)
            return o;
    return NULL;
}

static struct owner *
owner_find_or_add(struct fdb *f, ofport port)
{
    struct owner *o = owner_find(f, port);
    if (!o) {
        o = xzalloc(sizeof *o);
        o->port = port;
        hmap_insert(&f->owners_by_port, &o->node, hash_u32(port));
        heap_push(&f->owners, &o->by_count, ~(uint64_t) 0);
    }
    return o;
}

static void
own(struct fdb *f, struct entry *e, ofport port)
{
    struct owner *o = e->owner = owner_find_or_add(f, port);
    o->n_all++;
    if (!e->is_static) {
        heap_push(&o->entries, &e->by_age, e->heard.ns);
        heap_rekey(&f->owners, &o->by_count, ~(uint64_t) o->entries.n);
    }
    f->stats.static_now += e->is_static;
}

static void
disown(struct fdb *f, struct entry *e)
{
    struct owner *o = e->owner;
    f->stats.static_now -= e->is_static;
    if (!e->is_static) {
        heap_remove(&o->entries, &e->by_age);
        heap_rekey(&f->owners, &o->by_count, ~(uint64_t) o->entries.n);
    }
    if (!--o->n_all)
        owner_free(f, o);
    e->owner = NULL;
}

static void
drop(struct fdb *f, struct entry *e)
{
    disown(f, e);
    hmap_remove(&f->entries, &e->node);
    vec_push(&f->free, e);
    tell(f, e);
}

static struct entry *
stalest(struct owner *o)
{
    for (;;) {
        struct entry *e = CONTAINER_OF(heap_top(&o->entries), struct entry, by_age);
        if (e->by_age.key == (uint64_t) e->heard.ns)
            return e;
        heap_rekey(&o->entries, &e->by_age, e->heard.ns);
    }
}

/* False: there are only static entries. */
static bool
evict(struct fdb *f)
{
    struct heap_node *top = heap_top(&f->owners);
    struct owner *o = top ? CONTAINER_OF(top, struct owner, by_count) : NULL;
    if (!o || !o->entries.n)
        return false;
    drop(f, stalest(o));
    f->stats.evicted++;
    coverage_inc(mac_learning_evicted);
    return true;
}

static void
slab_add(struct fdb *f)
{
    struct entry *slab = xcalloc(SLAB, sizeof *slab);
    vec_push(&f->slabs, slab);
    for (unsigned i = SLAB; i-- > 0;)
        vec_push(&f->free, &slab[i]);
}

/* An entry that nobody owns yet; NULL: the table is full of static entries. */
static struct entry *
add(struct fdb *f, struct mac mac, uint16_t vlan, instant now)
{
    while (f->entries.n >= f->max)
        if (!evict(f))
            return NULL;
    if (!f->free.n)
        slab_add(f);
    struct entry *e = vec_pop(&f->free);
    *e = (struct entry){.mac = mac, .vlan = vlan, .heard = now};
    hmap_insert(&f->entries, &e->node, entry_hash(mac, vlan));
    return e;
}

/* ---- learning ---- */

static bool
is_refused_by_lock(const struct entry *e, unsigned how, instant now)
{
    return how == (FDB_GRATUITOUS | FDB_BOND) && instant_before(now, e->locked_until);
}

static bool
is_news(const struct entry *e, ofport port, unsigned how, instant now)
{
    if (!e)
        return true;
    if (e->is_static)
        return false;
    /* A first gratuitous ARP sets the lock, so it is worth a call even where the place is known. */
    if (how == FDB_GRATUITOUS && !instant_before(now, e->locked_until))
        return true;
    return e->owner->port != port && !is_refused_by_lock(e, how, now);
}

bool
fdb_is_news(const struct fdb *f, struct mac mac, uint16_t vlan, ofport port, unsigned how, instant now)
{
    if (mac_is_multicast(mac))
        return false;
    LOCKED(f);
    return is_news(find_fresh(f, mac, vlan, now), port, how, now);
}

bool
fdb_is_locked(const struct fdb *f, struct mac mac, uint16_t vlan, instant now)
{
    LOCKED(f);
    const struct entry *e = find(f, mac, vlan);
    return e && instant_before(now, e->locked_until);
}

static void
hear(struct entry *e, instant when)
{
    if (instant_before(e->heard, when))
        e->heard = when;
}

bool
fdb_learn(struct fdb *f, struct mac mac, uint16_t vlan, ofport port, unsigned how, instant now)
{
    if (mac_is_multicast(mac))
        return false;
    LOCKED(f);
    struct entry *e = find(f, mac, vlan);
    if (e && (e->is_static || is_refused_by_lock(e, how, now)))
        return false;

    bool is_new = !e;
    if (is_new) {
        e = add(f, mac, vlan, now);
        if (!e)
            return false;
        f->stats.learned++;
        coverage_inc(mac_learning_learned);
    }
    bool was_gone = is_too_old(f, e, now); /* to readers, though the sweep has not come by */
    bool has_moved = !is_new && e->owner->port != port;
    hear(e, now);
    if (how == FDB_GRATUITOUS)
        e->locked_until = instant_add(now, LOCK_SPAN);
    if (has_moved) {
        f->stats.moved++;
        coverage_inc(mac_learning_moved);
        disown(f, e);
    }
    if (is_new || has_moved)
        own(f, e, port);
    if (is_new || has_moved || was_gone) {
        tell(f, e);
        return true;
    }
    return false;
}

bool
fdb_refresh(struct fdb *f, struct mac mac, uint16_t vlan, ofport port, instant when)
{
    LOCKED(f);
    struct entry *e = find(f, mac, vlan);
    if (!e || e->owner->port != port || is_too_old(f, e, when))
        return false;
    hear(e, when);
    return true;
}

ofport
fdb_find(const struct fdb *f, struct mac mac, uint16_t vlan, instant now)
{
    if (mac_is_multicast(mac))
        return OFPORT_NONE;
    LOCKED(f);
    const struct entry *e = find_fresh(f, mac, vlan, now);
    return e ? e->owner->port : OFPORT_NONE;
}

/* ---- what an operator asks for ---- */

bool
fdb_add_static(struct fdb *f, struct mac mac, uint16_t vlan, ofport port, instant now)
{
    if (mac_is_multicast(mac))
        return false;
    LOCKED(f);
    struct entry *e = find(f, mac, vlan);
    if (e)
        disown(f, e);
    else if (!(e = add(f, mac, vlan, now)))
        return false;
    e->is_static = true;
    own(f, e, port);
    tell(f, e);
    return true;
}

bool
fdb_remove(struct fdb *f, struct mac mac, uint16_t vlan)
{
    LOCKED(f);
    struct entry *e = find(f, mac, vlan);
    if (!e)
        return false;
    drop(f, e);
    return true;
}

/* Drops every entry that 'is_meant' names. */
static void
drop_those(struct fdb *f, bool (*is_meant)(const struct entry *, const void *), const void *arg)
{
    LOCKED(f);
    struct entry *e;
    HMAP_FOR (e, node, &f->entries)
        if (is_meant(e, arg))
            drop(f, e);
}

static bool
is_learned(const struct entry *e, UNUSED const void *arg)
{
    return !e->is_static;
}

static bool
is_at_port(const struct entry *e, const void *port)
{
    return e->owner->port == *(const ofport *) port;
}

static bool
is_in_vlans(const struct entry *e, const void *vlans)
{
    return ((const uint64_t *) vlans)[e->vlan / 64] >> (e->vlan % 64) & 1;
}

void
fdb_flush(struct fdb *f)
{
    drop_those(f, is_learned, NULL);
}

void
fdb_flush_port(struct fdb *f, ofport port)
{
    drop_those(f, is_at_port, &port);
}

void
fdb_flush_vlans(struct fdb *f, const uint64_t vlans[64])
{
    drop_those(f, is_in_vlans, vlans);
}

bool
fdb_configure(struct fdb *f, size_t max, span max_age)
{
    LOCKED(f);
    bool has_dropped = false;
    f->max = max;
    f->max_age = max_age;
    while (f->entries.n > max && evict(f))
        has_dropped = true;
    return has_dropped;
}

instant
fdb_run(struct fdb *f, instant now)
{
    LOCKED(f);
    instant next = INSTANT_NEVER;
    struct owner *o;
    HMAP_FOR (o, node, &f->owners_by_port)
        for (size_t left = o->entries.n; left; left--) { /* the last drop() frees the owner */
            struct entry *e = stalest(o);
            if (!is_too_old(f, e, now)) {
                next = instant_min(next, instant_add(e->heard, f->max_age));
                break;
            }
            drop(f, e);
            f->stats.expired++;
            coverage_inc(mac_learning_expired);
        }
    return next;
}

static int
by_age(const void *a_, const void *b_)
{
    const struct entry *a = *(struct entry *const *) a_, *b = *(struct entry *const *) b_;
    if (a->is_static != b->is_static)
        return a->is_static ? -1 : 1;
    if (a->heard.ns != b->heard.ns && !a->is_static)
        return a->heard.ns < b->heard.ns ? -1 : 1;
    if (a->vlan != b->vlan)
        return a->vlan < b->vlan ? -1 : 1;
    return memcmp(&a->mac, &b->mac, sizeof a->mac);
}

void
fdb_each(const struct fdb *f, instant now, void (*fn)(void *aux, const struct fdb_entry *), void *aux)
{
    LOCKED(f);
    VEC(struct entry *) all = VEC_INIT;
    struct entry *e;
    HMAP_FOR (e, node, &f->entries)
        vec_push(&all, e);
    if (all.n)
        qsort(all.at, all.n, sizeof all.at[0], by_age);
    for (size_t i = 0; i < all.n; i++) {
        e = all.at[i];
        fn(aux, &(struct fdb_entry){e->mac, e->vlan, e->owner->port, e->is_static,
                                    e->is_static ? nanos(0) : instant_since(now, e->heard)});
    }
    vec_fini(&all);
}

void
fdb_stats(const struct fdb *f, struct fdb_stats *stats)
{
    LOCKED(f);
    *stats = f->stats;
    stats->now = f->entries.n;
    stats->max = f->max;
}

void
fdb_stats_clear(struct fdb *f)
{
    LOCKED(f);
    f->stats = (struct fdb_stats){.static_now = f->stats.static_now};
}
