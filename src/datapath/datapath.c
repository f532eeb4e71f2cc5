/* datapath - the control side: ports, lanes, sweeps, statistics.
 *
 * Theory.  Lanes never take a lock of this side.  Ports and the queues of a lane are snapshots: a new one is built, published, and the old
 *          one freed when every lane has passed a quiescent point.  What goes is taken out of the snapshots first; then the flows that came by it are
 *          swept out; then it is freed.
 * Credit.  A living flow is credited with what it gained since the last push; a dead one with the rest.  'pushed_*' of a record
 *          belongs to this thread alone, so nothing is counted twice or lost whoever is faster.
 */
#include "datapath/dp.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>

LOG_MODULE(datapath)

#define TICK seconds(1)
#define PUSH_PER_TURN 8192 /* flows */
#define CONTROL_CHUNKS 512
#define CONTROL_TAILS 16

static void tick(void *dp);
static void push_some(void *dp);
static void attend(void *dp, int events);

/* ---- what lanes need ---- */

const struct ports *
dp_ports(const struct datapath *dp)
{
    return rcu_get(&dp->ports);
}

instant
dp_time_of(const struct datapath *dp, instant real)
{
    return loop_time_of(dp->loop, real);
}

unsigned
dp_vlan_limit(const struct datapath *dp)
{
    return atomic_load_explicit(&dp->vlan_limit, memory_order_relaxed);
}

void
dp_translate(struct datapath *dp, const struct key *key, const struct packet *p, instant now, struct verdict *v)
{
    deps_begin(&v->deps, dp->versions);
    dp->ops->translate(dp->aux, key, p, now, v);
}

void
dp_reap_soon(struct datapath *dp)
{
    if (atomic_exchange_explicit(&dp->was_called, true, memory_order_acq_rel))
        return;
    uint64_t one = 1;
    if (write(dp->call_fd, &one, sizeof one) < 0 && errno != EAGAIN)
        log_err("%s: cannot wake the control thread: %s", dp->name, strerror(errno));
}

/* ---- life ---- */

struct datapath *
dp_new(struct loop *loop, const char *name, const char *type, const struct dp_ops *ops, void *aux)
{
    struct datapath *dp = xzalloc_line(sizeof *dp);
    dp->loop = loop;
    dp->name = xstrdup(name);
    dp->type = xstrdup(type);
    dp->ops = ops;
    dp->aux = aux;
    dp->versions = xzalloc_line(sizeof *dp->versions);
    dp->ports = xzalloc(sizeof *dp->ports);
    dp->pool = packet_pool_new(CONTROL_CHUNKS, CONTROL_TAILS);
    ASSERT(dp->pool);
    exits_init(&dp->exits, dp);
    dp->flow_limit = 200000;
    dp->max_idle = seconds(10);
    atomic_store(&dp->vlan_limit, 1);
    dp->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ASSERT(dp->call_fd >= 0);
    dp->call_watch = watch_new(loop, dp->call_fd, UV_READABLE, attend, dp);
    timer_init(&dp->tick, loop, tick, dp);
    task_init(&dp->push, loop, push_some, dp);
    dp->born = clock_now();
#ifdef __x86_64__
    dp->born_cycles = __builtin_ia32_rdtsc();
#endif
    return dp;
}

static void reap(struct datapath *, struct lane *);

void
dp_free(struct datapath *dp)
{
    if (!dp)
        return;
    for (unsigned i = 0; i < dp->ports->n; i++)
        ASSERT(!dp->ports->at[i]);
    timer_cancel(&dp->tick);
    task_cancel(&dp->push);
    watch_free(dp->call_watch);
    for (unsigned i = 0; i < dp->n_lanes; i++)
        dp_lane_end(dp, dp->lanes[i]);
    control_clear(dp);
    close(dp->call_fd);
    packet_pool_free(dp->pool);
    free(dp->ports);
    free(dp->versions);
    free(dp->name);
    free(dp->type);
    free(dp->lane_cpus);
    free(dp);
}

struct versions *
dp_versions(struct datapath *dp)
{
    return dp->versions;
}

const char *
dp_name(const struct datapath *dp)
{
    return dp->name;
}

const char *
dp_type(const struct datapath *dp)
{
    return dp->type;
}

void
dp_configure(struct datapath *dp, const struct dp_config *config)
{
    dp->flow_limit = config->flow_limit ? config->flow_limit : 200000;
    dp->max_idle = config->max_idle;
    atomic_store(&dp->vlan_limit, MIN(config->vlan_limit, KEY_VLANS));
    dp_place(dp, config->n_lanes, config->lane_cpus);
}

/* ---- ports ---- */

static struct ports *
ports_copy(const struct ports *old, unsigned n)
{
    struct ports *new = xzalloc(sizeof *new + n * sizeof new->at[0]);
    new->n = n;
    memcpy(new->at, old->at, MIN(n, old->n) * sizeof new->at[0]);
    return new;
}

static void
ports_release(rcu_later *later)
{
    free(CONTAINER_OF(later, struct ports, later));
}

static void
ports_publish(struct datapath *dp, struct ports *new)
{
    struct ports *old = dp->ports;
    rcu_publish(&dp->ports, new);
    rcu_free_later(&old->later, ports_release);
}

static struct dp_port *
port_find(const struct datapath *dp, dpport number)
{
    return number < dp->ports->n ? dp->ports->at[number] : NULL;
}

static dpport
free_number(const struct datapath *dp, dpport want)
{
    if (want < PORTS_MAX && !port_find(dp, want))
        return want;
    dpport n = 1; /* 0 is the field's number of the datapath itself */
    while (port_find(dp, n))
        n++;
    return n;
}

int
dp_port_add(struct datapath *dp, struct device *device, dpport want, dpport *number, struct why *why)
{
    dpport n = free_number(dp, want);
    if (n >= PORTS_MAX)
        return refuse(why, -ENOSPC, "%s: datapath %s has %u ports already", device->name, dp->name, PORTS_MAX);
    if (!dp->n_lanes) {
        dp_lanes_start(dp);
        timer_set_in(&dp->tick, TICK);
    }
    struct dp_port *port = xzalloc(sizeof *port);
    port->number = n;
    port->device = device_get(device);
    struct ports *new = ports_copy(dp->ports, MAX(dp->ports->n, n + 1));
    new->at[n] = port;
    ports_publish(dp, new);
    dp_place_port(dp, port);
    *number = n;
    return 0;
}

void
dp_port_del(struct datapath *dp, dpport number)
{
    struct dp_port *port = port_find(dp, number);
    ASSERT(port);
    dp_unplace_port(dp, port, false);
    struct ports *new = ports_copy(dp->ports, dp->ports->n);
    new->at[number] = NULL;
    ports_publish(dp, new);
    rcu_wait();

    uint64_t tickets[LANES_MAX];
    for (unsigned i = 0; i < dp->n_lanes; i++)
        tickets[i] = lane_sweep_ask(dp->lanes[i], (instant){INT64_MIN}, false);
    for (unsigned i = 0; i < dp->n_lanes; i++)
        lane_sweep_wait(dp->lanes[i], tickets[i]);
    device_put(port->device);
    free(port->relevant);
    free(port);
}

void
dp_port_changed(struct datapath *dp, dpport number)
{
    struct dp_port *port = port_find(dp, number);
    ASSERT(port);
    if (dp_placement_is_right(dp, port))
        return;
    dp_unplace_port(dp, port, true);
    dp_place_port(dp, port);
}

struct device *
dp_port_device(const struct datapath *dp, dpport number)
{
    struct dp_port *port = port_find(dp, number);
    return port ? port->device : NULL;
}

static void
relevant_release(rcu_later *later)
{
    free(CONTAINER_OF(later, struct relevant, later));
}

void
dp_port_relevant(struct datapath *dp, dpport number, const struct key *mask)
{
    struct dp_port *port = port_find(dp, number);
    ASSERT(port);
    struct relevant *old = port->relevant;
    if (old && !memcmp(&old->mask, mask, KEY_CACHED_BYTES))
        return;
    struct relevant *new = xmalloc(sizeof *new);
    new->version = ++dp->relevant_versions;
    new->mask = *mask;
    rcu_publish(&port->relevant, new);
    if (old)
        rcu_free_later(&old->later, relevant_release);
}

/* ---- statistics ---- */

static void
credit(struct datapath *dp, struct flow_record *r, uint64_t packets, uint64_t bytes, uint16_t tcp_flags,
       int64_t used_ns)
{
    if (r->credits && packets != r->pushed_packets)
        dp->ops->credit(dp->aux, r->credits, packets - r->pushed_packets, bytes - r->pushed_bytes, tcp_flags,
                        (instant){used_ns});
    r->pushed_packets = packets;
    r->pushed_bytes = bytes;
}

/* Settles the accounts of flows that died. */
static void
reap(struct datapath *dp, struct lane *lane)
{
    for (struct flow_record *r = cache_take_dead(&lane->cache), *next; r; r = next) {
        next = r->next_dead;
        credit(dp, r, r->packets, r->bytes, r->tcp_flags, r->used_ns);
        if (r->credits)
            dp->ops->credits_free(dp->aux, r->credits);
        flow_record_free(r);
    }
}

static void
push_one(void *dp, const struct flow_reading *f)
{
    credit(dp, f->record, f->packets, f->bytes, f->tcp_flags, f->used_ns);
}

void
dp_push_stats(struct datapath *dp)
{
    for (unsigned i = 0; i < dp->n_lanes; i++) {
        cache_read(&dp->lanes[i]->cache, push_one, dp);
        reap(dp, dp->lanes[i]); /* after reading: who died meanwhile is in here */
    }
}

void
dp_settle(struct datapath *dp)
{
    rcu_wait();
}

void
dp_flush(struct datapath *dp)
{
    uint64_t tickets[LANES_MAX];
    for (unsigned i = 0; i < dp->n_lanes; i++)
        tickets[i] = lane_sweep_ask(dp->lanes[i], INSTANT_NEVER, true);
    for (unsigned i = 0; i < dp->n_lanes; i++)
        lane_sweep_wait(dp->lanes[i], tickets[i]);
    dp_push_stats(dp);
}

/* The next piece of what dp_push_stats() does at once. */
static void
push_some(void *dp_)
{
    struct datapath *dp = dp_;
    if (dp->push_lane >= dp->n_lanes)
        return;
    struct lane *l = dp->lanes[dp->push_lane];
    dp->push_at = cache_read_some(&l->cache, dp->push_at, PUSH_PER_TURN, push_one, dp);
    if (!dp->push_at) {
        reap(dp, l);
        dp->push_lane++;
    }
    if (dp->push_lane < dp->n_lanes)
        task_soon(&dp->push);
}

static void
tick(void *dp_)
{
    struct datapath *dp = dp_;
    instant older_than = {loop_now(dp->loop).ns - dp->max_idle.ns};
    for (unsigned i = 0; i < dp->n_lanes; i++)
        if (atomic_load_explicit(&dp->lanes[i]->cache.counters.n_flows, memory_order_relaxed))
            lane_sweep_ask(dp->lanes[i], older_than, false);
    if (!task_is_queued(&dp->push)) {
        dp->push_lane = dp->push_at = 0;
        push_some(dp);
    }
    dp_balance(dp);
    timer_set_in(&dp->tick, TICK);
}

/* A lane called. */
static void
attend(void *dp_, int events)
{
    struct datapath *dp = dp_;
    uint64_t ignored;
    if (read(dp->call_fd, &ignored, sizeof ignored) < 0 && errno != EAGAIN)
        log_err("%s: %s", dp->name, strerror(errno));
    atomic_store_explicit(&dp->was_called, false, memory_order_release);
    for (unsigned i = 0; i < dp->n_lanes; i++)
        reap(dp, dp->lanes[i]);
    control_serve(dp);
}

static void
stats_add(const struct lane *l, struct dp_stats *out)
{
    out->hits_l1 += load(&l->cache.counters.hits[0]);
    out->hits_l2 += load(&l->cache.counters.hits[1]);
    out->misses += load(&l->cache.counters.misses);
    out->lost += load(&l->counters.waiting_full);
    out->flows += load(&l->cache.counters.n_flows);
    out->masks += load(&l->cache.counters.n_shapes);
    out->evicted += load(&l->cache.counters.evicted);
    out->mask_probes += load(&l->cache.counters.probes);
}

void
dp_lane_end(struct datapath *dp, struct lane *lane)
{
    lane_stop(lane);
    reap(dp, lane);
    stats_add(lane, &dp->past); /* what it counted is not forgotten */
    for (enum drop d = 0; d < DROP_N; d++)
        atomic_fetch_add_explicit(&dp->exits.drops[d], load(&lane->exits.drops[d]), memory_order_relaxed);
    free(lane->cleared);
    lane_free(lane);
}

void
dp_stats(struct datapath *dp, struct dp_stats *out)
{
    *out = dp->past;
    for (unsigned i = 0; i < dp->n_lanes; i++)
        stats_add(dp->lanes[i], out);
}

uint64_t
dp_drops(struct datapath *dp, enum drop reason)
{
    uint64_t n = load(&dp->exits.drops[reason]);
    for (unsigned i = 0; i < dp->n_lanes; i++)
        n += load(&dp->lanes[i]->exits.drops[reason]);
    return n;
}

static int
newest_first(const void *a_, const void *b_)
{
    const struct dp_last_drop *a = a_, *b = b_;
    return a->when.ns < b->when.ns ? 1 : a->when.ns > b->when.ns ? -1 : 0;
}

size_t
dp_last_drops(struct datapath *dp, struct dp_last_drop *out, size_t max)
{
    VEC(struct dp_last_drop) all = VEC_INIT;
    vec_reserve(&all, (dp->n_lanes + 1) * LAST_DROPS);
    all.n = exits_last_drops(&dp->exits, all.at, LAST_DROPS);
    for (unsigned i = 0; i < dp->n_lanes; i++)
        all.n += exits_last_drops(&dp->lanes[i]->exits, all.at + all.n, LAST_DROPS);
    qsort(all.at, all.n, sizeof *all.at, newest_first);
    size_t n = MIN(all.n, max);
    memcpy(out, all.at, n * sizeof *out);
    vec_fini(&all);
    return n;
}

/* ---- frames of the control thread ---- */

void
dp_packet_out(struct datapath *dp, const void *frame, size_t len, dpport in_port, const void *actions, size_t n)
{
    struct packet *p = packet_from(dp->pool, frame, len);
    exits_begin(&dp->exits, dp->ports, loop_now(dp->loop));
    if (!p) {
        atomic_fetch_add_explicit(&dp->exits.drops[DROP_NO_BUFFER], 1, memory_order_relaxed);
        return;
    }
    p->in_port = in_port;
    if (key_parse(p, dp_vlan_limit(dp), &dp->key) < 0)
        exits_drop(&dp->exits, p, DROP_RX_RUNT);
    else
        execute(&dp->exits, actions, n, DROP_RULE, &p, 1);
    exits_flush(&dp->exits);
}
