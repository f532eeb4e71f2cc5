/* lane - see the header.
 *
 * Theory.  A turn serves every queue that had packets of late, one burst each, then some of the packets that wait for their first translation, then a
 *          piece of the sweep if one is under way.  A queue that gave nothing leaves the active list and is found again by epoll.  With nothing
 *          to do the lane looks at epoll without sleeping for 'spin', which is long after pauses that turned out short and goes
 *          down to nothing when pauses are long: then it sleeps in the kernel, offline for RCU, and costs nothing.
 * Burst.   Several short passes: keys, flows, groups, misses, send.  Hits are served before misses.  A miss that exceeds the time for misses
 *          waits (waiting.h).
 * Order.   Packets of one flow leave in the order they came: groups keep the order, and whoever has an elder waiting, waits too.
 * Clock.   Read once per burst, and after each translation, whose time is rationed.
 */
#include "datapath/lane.h"
#include "base/log.h"
#include "base/mem.h"
#include "packet/gso.h"
#include "packet/key_quick.h"
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

LOG_MODULE(lane)

#define SPIN_MAX micros(50)
#define LOOK_EVERY 8 /* turns between looks at epoll while busy */
#define EVENTS 64
#define WAKE UINT64_MAX
#define SWEEP_CHUNK 512
#define MISS_TIME_MAX micros(20) /* at a time */
#define COST_MAX micros(100)     /* more than a burst can cost: the scheduler stopped the lane */
#define FAIR_SLACK micros(50)    /* that one port may be ahead of another */
#define WAITING_PER_TURN 64
#define DEAD_MANY 4096

static void
count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

static void
pause_cpu(void)
{
#ifdef __x86_64__
    __builtin_ia32_pause();
#endif
}

/* Reads the clock: once per burst, and after each translation. */
static instant
read_clock(struct lane *l)
{
    l->clock = clock_now();
    l->now = dp_time_of(l->dp, l->clock);
    return l->clock;
}

/* ---- a burst ---- */

struct burst {
    struct cache_port *cp;
    unsigned n;
    struct packet *packets[BURST];
    const struct key *keys[BURST];
    struct flow *flows[BURST];
};

/* The key of one frame at slot 'i'.  False: it cannot have one. */
static ALWAYS_INLINE bool
parse_one(struct lane *l, struct packet *p, unsigned vlans, unsigned i)
{
    struct key *key = &l->keys[i];
    if (likely(key_parse_quick(p, vlans, key))) {
        if (unlikely(l->keys_long >> i & 1)) {
            memset((uint8_t *) key + KEY_LINE, 0, sizeof *key - KEY_LINE);
            l->keys_long &= ~(1u << i);
        }
        return true;
    }
    l->keys_long |= 1u << i;
    return key_parse(p, vlans, key) == 0;
}

/* Bytes to keys; what cannot have a key is dropped. */
static void
burst_parse(struct lane *l, struct burst *b)
{
    dpport number = b->cp->port;
    unsigned vlans = dp_vlan_limit(l->dp), kept = 0;
    for (unsigned i = 0; i < b->n; i++)
        __builtin_prefetch(b->packets[i]->data);
    for (unsigned i = 0; i < b->n; i++) {
        struct packet *p = b->packets[i];
        p->in_port = number;
        if (unlikely(p->offload.flags || p->offload.gso_type) && !offload_is_sane(p)) {
            exits_drop(&l->exits, p, DROP_RX_BAD_OFFLOAD);
            continue;
        }
        if (unlikely(!parse_one(l, p, vlans, kept))) {
            exits_drop(&l->exits, p, DROP_RX_RUNT);
            continue;
        }
        b->keys[kept] = &l->keys[kept];
        b->packets[kept++] = p;
    }
    b->n = kept;
}

static void
flow_count(struct flow *f, uint64_t packets, uint64_t bytes, uint16_t tcp_flags, instant now)
{
    count(&f->packets, packets);
    count(&f->bytes, bytes);
    atomic_store_explicit(&f->used_ns, now.ns, memory_order_relaxed);
    uint16_t seen = atomic_load_explicit(&f->tcp_flags, memory_order_relaxed);
    if (tcp_flags & ~seen)
        atomic_store_explicit(&f->tcp_flags, seen | tcp_flags, memory_order_relaxed);
    f->met += f->met < 3;
}

/* Counts and acts for packets of one flow. */
static void
flow_act(struct lane *l, struct flow *f, struct packet *packets[], unsigned n)
{
    if (likely(f->out != DPPORT_NONE)) {
        for (unsigned i = 0; i < n; i++)
            exits_output(&l->exits, f->out, packets[i]);
    } else {
        struct flow_record *r = atomic_load_explicit(&f->record, memory_order_relaxed);
        execute(&l->exits, r->actions, r->actions_len, DROP_RULE, packets, n);
    }
}

/* The packets that stand at the indexes of 'chain' from 'first' on. */
struct group {
    struct flow *flow;
    uint8_t first, last, n;
    uint16_t tcp_flags;
    uint32_t bytes;
};

/* Packets of one flow stand together: one count and one act per group.  Returns how many packets had a flow. */
static unsigned
groups_act(struct lane *l, struct burst *b)
{
    struct group groups[BURST];
    uint8_t chain[BURST];
    unsigned n_groups = 0, n_hits = 0;
    uint32_t mark = (uint32_t) (++l->burst_no << 5);

    for (unsigned i = 0; i < b->n; i++) {
        struct flow *f = b->flows[i];
        if (!f)
            continue;
        struct group *g = &groups[f->mark & 31];
        if ((f->mark & ~31u) != mark || (f->mark & 31) >= n_groups || g->flow != f) {
            f->mark = mark | n_groups;
            g = &groups[n_groups++];
            *g = (struct group){.flow = f, .first = i};
        } else {
            chain[g->last] = i;
        }
        g->last = i;
        g->n++;
        g->bytes += b->packets[i]->len;
        g->tcp_flags |= b->keys[i]->tcp_flags;
    }
    for (unsigned i = 0; i < n_groups; i++) {
        struct group *g = &groups[i];
        struct packet *packets[BURST];
        for (unsigned j = 0, at = g->first; j < g->n; j++, at = chain[at])
            packets[j] = b->packets[at];
        flow_count(g->flow, g->n, g->bytes, host16(g->tcp_flags), l->now);
        flow_act(l, g->flow, packets, g->n);
        n_hits += g->n;
    }
    count(&l->counters.batches, n_groups);
    return n_hits;
}

/* ---- misses ---- */

/* Asks the pipeline, acts, keeps the flow. */
static void
translate(struct lane *l, struct cache_port *cp, const struct key *key, struct packet *p)
{
    struct verdict *v = &l->verdict;
    uint32_t bytes = p->len;

    actions_init(&v->actions);
    memset(&v->mask, 0, sizeof v->mask);
    v->credits = NULL;
    v->may_cache = true;
    v->drop = DROP_NO_RULE;
    dp_translate(l->dp, key, p, l->now, v);
    if (!v->actions.len)
        actions_add(&v->actions, ACT_DROP, v->drop, NULL, 0);

    struct flow *f = cache_add(&l->cache, cp, key, v, bytes, l->now);
    if (f)
        flow_count(f, 1, bytes, host16(key->tcp_flags), l->now);
    execute(&l->exits, v->actions.bytes, v->actions.len, v->drop, &p, 1);
    actions_fini(&v->actions);
    count(&l->counters.translated, 1);
    count(&l->cache.counters.misses, 1);
}

/* One packet: by its flow, if there is one by now, else by the pipeline.  True: it took a translation. */
static bool
serve_one(struct lane *l, struct cache_port *cp, const struct key *key, struct packet *p)
{
    struct flow *f;
    cache_find(&l->cache, cp, &key, 1, &f);
    if (!f) {
        translate(l, cp, key, p);
        return true;
    }
    flow_count(f, 1, p->len, host16(key->tcp_flags), l->now);
    flow_act(l, f, &p, 1);
    return false;
}

static void
wait_in_line(struct lane *l, struct cache_port *cp, struct packet *p, uint32_t hash)
{
    if (waiting_put(&l->waiting, cp, p, hash)) {
        count(&l->counters.waited, 1);
    } else {
        count(&l->counters.waiting_full, 1);
        exits_drop(&l->exits, p, DROP_MISS_QUEUE_FULL);
    }
}

/* Packets whose elders wait must wait too, hit or miss. */
static void
elders_first(struct lane *l, struct burst *b)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < b->n; i++) {
        uint32_t hash = cache_exact_hash(&l->cache, b->cp, b->keys[i]);
        if (waiting_has(b->cp, hash)) {
            if (b->flows[i])
                cache_unhit(&l->cache, b->flows[i]);
            wait_in_line(l, b->cp, b->packets[i], hash);
            continue;
        }
        b->packets[kept] = b->packets[i];
        b->keys[kept] = b->keys[i];
        b->flows[kept++] = b->flows[i];
    }
    b->n = kept;
}

/* Misses cost so much less than hits bring that they may not take what hits need: of a lane that is never done, an eighth.  Only where hardly
 * anything hits are they what the lane is there for. */
static void
earn_miss_time(struct lane *l, int64_t turn_ns, bool is_backlogged)
{
    if (!is_backlogged) {
        l->miss_credit_ns = MISS_TIME_MAX.ns;
        return;
    }
    int64_t share = MAX(125, 875 - (int64_t) l->hit_permille * 8); /* permille of the time */
    l->miss_credit_ns = MIN(l->miss_credit_ns + turn_ns * share / (1000 - share), MISS_TIME_MAX.ns);
}

/* Translations began at 'began' and are done now: they are paid from what misses may cost. */
static void
pay_misses(struct lane *l, instant began)
{
    int64_t cost = instant_since(l->clock, began).ns;
    l->miss_credit_ns =
        MAX(l->miss_credit_ns - cost, -MISS_TIME_MAX.ns); /* the scheduler may have stopped us meanwhile */
    count(&l->counters.miss_ns, cost);
}

/* The port has had the lane since 'began'. */
static void
pay_time(struct lane *l, struct cache_port *cp, instant began)
{
    cp->had_ns += MIN(instant_since(l->clock, began).ns, COST_MAX.ns);
}

static void
misses_ask(struct lane *l, struct burst *b)
{
    instant began = l->clock;
    for (unsigned i = 0; i < b->n; i++) {
        if (b->flows[i])
            continue;
        if (l->waiting.n || l->miss_credit_ns <= instant_since(l->clock, began).ns)
            wait_in_line(l, b->cp, b->packets[i], cache_exact_hash(&l->cache, b->cp, b->keys[i]));
        else if (serve_one(l, b->cp, b->keys[i], b->packets[i]))
            read_clock(l);
    }
    pay_misses(l, began);
}

/* Serves those that wait, for as long as misses may take. */
static void
serve_waiting(struct lane *l, const struct ports *ports)
{
    struct cache_port *cp;
    struct packet *p;
    instant began = read_clock(l);
    exits_begin(&l->exits, ports, l->now);
    for (unsigned i = 0; i < WAITING_PER_TURN && l->miss_credit_ns > 0 && (p = waiting_take(&l->waiting, &cp)); i++) {
        if (cp->is_gone)
            exits_drop(&l->exits, p, DROP_NO_ROUTE_TO_BRIDGE);
        else if (!parse_one(l, p, dp_vlan_limit(l->dp), 0)) /* how many tags count was reconfigured */
            exits_drop(&l->exits, p, DROP_RX_RUNT);
        else if (serve_one(l, cp, &l->keys[0], p))
            read_clock(l);
        waiting_done(cp);
        pay_misses(l, began);
        pay_time(l, cp, began);
        began = l->clock;
    }
    exits_flush(&l->exits);
}

/* ---- queues ---- */

static void
learn_relevant(struct lane *l, struct rxq *rxq)
{
    if (!rxq->cp) {
        rxq->cp = cache_port(&l->cache, rxq->port->number);
        rxq->cp->is_gone = false;
    }
    const struct relevant *r = rcu_get(&rxq->port->relevant);
    if (r && r->version != rxq->cp->relevant_version)
        cache_port_relevant(&l->cache, rxq->cp, &r->mask, r->version);
}

/* One burst of a queue; returns how many packets there were. */
static unsigned
serve(struct lane *l, struct rxq *rxq, const struct ports *ports)
{
    struct burst b;
    struct device *d = rxq->port->device;
    instant began = l->clock;
    unsigned n = b.n = d->class->receive(d, rxq->queue, l->pool, b.packets);
    if (!n)
        return 0;

    exits_begin(&l->exits, ports, l->now);
    learn_relevant(l, rxq);
    b.cp = rxq->cp;

    burst_parse(l, &b);
    cache_find(&l->cache, b.cp, b.keys, b.n, b.flows);
    if (unlikely(l->waiting.n))
        elders_first(l, &b);
    unsigned n_hits = groups_act(l, &b);
    exits_flush(&l->exits); /* nobody's hit waits for anybody's miss */
    read_clock(l);
    l->hit_permille = (l->hit_permille * 31 + n_hits * 1000 / n) / 32;
    if (unlikely(n_hits < b.n)) {
        misses_ask(l, &b);
        exits_flush(&l->exits);
        read_clock(l);
    }
    pay_time(l, b.cp, began);

    count(&rxq->packets, n);
    count(&rxq->busy_ns, instant_since(l->clock, began).ns);
    count(&l->counters.packets, n);
    count(&l->counters.bursts, 1);
    return n;
}

static void
activate(struct lane *l, struct polls *polls, unsigned slot)
{
    struct rxq *rxq = slot < polls->n ? polls->at[slot] : NULL;
    if (!rxq || rxq->is_active)
        return;
    rxq->is_active = true;
    l->active[l->n_active++] = slot;
}

/* Another set of queues: those that were active and are still here stay so; epoll will tell of the others. */
static void
adopt_polls(struct lane *l, struct polls *polls)
{
    l->polls_version = polls->version;
    if (polls->n > l->active_room) {
        l->active_room = polls->n;
        l->active = xrealloc(l->active, l->active_room * sizeof *l->active);
    }
    l->n_active = 0;
    for (unsigned i = 0; i < polls->n; i++)
        if (polls->at[i] && polls->at[i]->is_active)
            l->active[l->n_active++] = i;
}

/* Time is shared out among ports: one that had more than another, because its packets miss, waits until the others have had as much. */
static bool
may_be_served(struct lane *l, const struct rxq *rxq)
{
    return !rxq->cp || rxq->cp->had_ns <= l->fair_ns + FAIR_SLACK.ns;
}

static void
find_fair_time(struct lane *l, const struct polls *polls)
{
    int64_t least = INT64_MAX;
    for (unsigned i = 0; i < l->n_active; i++) {
        struct cache_port *cp = polls->at[l->active[i]]->cp;
        if (!cp)
            continue;
        cp->had_ns = MAX(cp->had_ns, l->fair_ns); /* who was away has nothing saved */
        least = MIN(least, cp->had_ns);
    }
    if (least != INT64_MAX)
        l->fair_ns = least;
}

static unsigned
serve_active(struct lane *l, struct polls *polls, const struct ports *ports)
{
    unsigned total = 0, kept = 0, most = 0;
    instant began = l->clock;
    if (l->n_active > 1)
        find_fair_time(l, polls);
    for (unsigned i = 0; i < l->n_active; i++) {
        struct rxq *rxq = polls->at[l->active[i]];
        if (l->n_active > 1 && !may_be_served(l, rxq)) {
            l->active[kept++] = l->active[i];
            continue;
        }
        unsigned n = serve(l, rxq, ports);
        total += n;
        most = MAX(most, n);
        if (n)
            l->active[kept++] = l->active[i];
        else
            rxq->is_active = false;
    }
    l->n_active = kept;
    if (total)
        earn_miss_time(l, instant_since(l->clock, began).ns, most == BURST);
    return total;
}

/* ---- rest ---- */

/* Which queues have something?  'polls' NULL: the lane was offline, look it up again.  Returns how many descriptors were ready. */
static int
look(struct lane *l, struct polls *polls, int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int n;
    if (timeout_ms) {
        rcu_sleep_begin();
        n = epoll_wait(l->epoll_fd, events, EVENTS, timeout_ms);
        rcu_sleep_end();
        polls = rcu_get(&l->polls);
        if (polls->version != l->polls_version)
            adopt_polls(l, polls);
    } else {
        n = epoll_wait(l->epoll_fd, events, EVENTS, 0);
    }
    for (int i = 0; i < n; i++) {
        if (events[i].data.u64 == WAKE) {
            uint64_t ignored;
            if (read(l->wake_fd, &ignored, sizeof ignored) < 0)
                continue; /* someone was faster: nothing is lost, orders are looked at every turn */
        } else {
            activate(l, polls, events[i].data.u64);
        }
    }
    return n;
}

/* Nothing to do: look again for a while, then sleep. */
static void
rest(struct lane *l, struct polls *polls)
{
    instant began = l->clock;
    if (instant_since(began, l->last_work).ns < l->spin.ns) {
        if (!look(l, polls, 0))
            pause_cpu();
        read_clock(l);
        count(&l->counters.idle_ns, instant_since(l->clock, began).ns);
        return;
    }
    look(l, NULL, -1);
    read_clock(l);
    span slept = instant_since(l->clock, began);
    count(&l->counters.sleeps, 1);
    count(&l->counters.sleep_ns, slept.ns);
    if (slept.ns < SPIN_MAX.ns * 2)
        l->spin = SPIN_MAX;
    else
        l->spin.ns /= 2;
}

/* ---- the thread ---- */

static void
take_orders(struct lane *l, const struct ports *ports)
{
    struct sweep_order *o = &l->sweep;
    if (l->cache.sweep_at || atomic_load_explicit(&o->asked, memory_order_acquire) == o->began)
        return;
    pthread_mutex_lock(&o->lock);
    o->began = atomic_load_explicit(&o->asked, memory_order_relaxed);
    for (struct cache_port *cp = l->cache.ports; cp; cp = cp->next)
        cp->is_gone = cp->port >= ports->n || !ports->at[cp->port];
    cache_sweep_begin(&l->cache, o->older_than, o->all);
    o->older_than.ns = INT64_MIN;
    o->all = false;
    pthread_mutex_unlock(&o->lock);
}

static void
sweep_some(struct lane *l)
{
    if (cache_sweep(&l->cache, SWEEP_CHUNK))
        return;
    struct sweep_order *o = &l->sweep;
    pthread_mutex_lock(&o->lock);
    o->finished = o->began;
    pthread_cond_broadcast(&o->done);
    pthread_mutex_unlock(&o->lock);
}

static void
pin(const struct lane *l)
{
    if (l->cpu < 0)
        return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(l->cpu, &set);
    int err = pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    if (err)
        log_warn("lane %u: cannot run on processor %d: %s", l->index, l->cpu, strerror(err));
}

static void *
lane_main(void *l_)
{
    struct lane *l = l_;
    char name[16];
    snprintf(name, sizeof name, "lane%u", l->index);
    pthread_setname_np(pthread_self(), name);
    pin(l);
    rcu_register();
    read_clock(l);
    for (unsigned turn = 0; !atomic_load_explicit(&l->stop, memory_order_acquire); turn++) {
        rcu_quiescent();
        struct polls *polls = rcu_get(&l->polls);
        const struct ports *ports = dp_ports(l->dp);
        if (unlikely(polls->version != l->polls_version))
            adopt_polls(l, polls);
        take_orders(l, ports);

        instant began = l->clock;
        unsigned n = serve_active(l, polls, ports);
        if (l->waiting.n)
            serve_waiting(l, ports);
        if (l->cache.sweep_at) {
            sweep_some(l);
            read_clock(l);
        }
        if (unlikely(atomic_load_explicit(&l->cache.n_dead, memory_order_relaxed) > DEAD_MANY))
            dp_reap_soon(l->dp);

        count(&l->counters.turns, 1);
        count(&l->counters.busy_ns, instant_since(l->clock, began).ns);
        if (n) {
            l->last_work = l->clock;
            count(&l->counters.busy_turns, 1);
            if (turn % LOOK_EVERY == 0)
                look(l, polls, 0);
        } else if (l->waiting.n) {
            l->miss_credit_ns = MISS_TIME_MAX.ns; /* nobody else wants the time */
        } else if (!l->cache.sweep_at && !l->n_active) {
            rest(l, polls);
        }
    }
    waiting_clear(&l->waiting);
    rcu_unregister();
    return NULL;
}

/* ---- control ---- */

void
lane_wake(struct lane *l)
{
    uint64_t one = 1;
    if (write(l->wake_fd, &one, sizeof one) < 0 && errno != EAGAIN)
        log_err("lane %u: cannot wake it: %s", l->index, strerror(errno));
}

static void
polls_release(rcu_later *later)
{
    free(CONTAINER_OF(later, struct polls, later));
}

void
lane_set_polls(struct lane *l, struct polls *polls)
{
    struct polls *old = l->polls;
    polls->version = old->version + 1;
    rcu_publish(&l->polls, polls);
    rcu_free_later(&old->later, polls_release);
}

uint64_t
lane_sweep_ask(struct lane *l, instant older_than, bool all)
{
    struct sweep_order *o = &l->sweep;
    pthread_mutex_lock(&o->lock);
    o->all |= all;
    if (instant_before(o->older_than, older_than))
        o->older_than = older_than;
    uint64_t ticket = atomic_fetch_add_explicit(&o->asked, 1, memory_order_release) + 1;
    pthread_mutex_unlock(&o->lock);
    lane_wake(l);
    return ticket;
}

void
lane_sweep_wait(struct lane *l, uint64_t ticket)
{
    struct sweep_order *o = &l->sweep;
    pthread_mutex_lock(&o->lock);
    while (o->finished < ticket)
        pthread_cond_wait(&o->done, &o->lock);
    pthread_mutex_unlock(&o->lock);
}

struct lane *
lane_new(struct datapath *dp, unsigned index, int cpu, unsigned flow_limit)
{
    struct lane *l = xzalloc_line(sizeof *l);
    l->dp = dp;
    l->index = index;
    l->cpu = cpu;
    l->spin = SPIN_MAX;
    l->miss_credit_ns = MISS_TIME_MAX.ns;
    l->pool = packet_pool_new(LANE_CHUNKS, LANE_TAILS);
    ASSERT(l->pool);
    cache_init(&l->cache, index, dp_versions(dp), flow_limit);
    exits_init(&l->exits, dp);
    l->polls = xzalloc(sizeof *l->polls);
    l->polls->version = 1;
    pthread_mutex_init(&l->sweep.lock, NULL);
    pthread_cond_init(&l->sweep.done, NULL);
    l->sweep.older_than.ns = INT64_MIN;
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ASSERT(l->epoll_fd >= 0 && l->wake_fd >= 0);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = WAKE};
    ASSERT(!epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->wake_fd, &event));
    int err = pthread_create(&l->thread, NULL, lane_main, l);
    ASSERT(!err);
    return l;
}

void
lane_stop(struct lane *l)
{
    atomic_store_explicit(&l->stop, true, memory_order_release);
    lane_wake(l);
    pthread_join(l->thread, NULL);
    cache_fini(&l->cache);
}

void
lane_free(struct lane *l)
{
    ASSERT(!cache_take_dead(&l->cache));
    close(l->epoll_fd);
    close(l->wake_fd);
    pthread_mutex_destroy(&l->sweep.lock);
    pthread_cond_destroy(&l->sweep.done);
    packet_pool_free(l->pool);
    free(l->polls);
    free(l->active);
    free(l);
}
