/* place - which lane serves which receive queue.
 *
 * Theory.  A queue belongs to one lane at a time.  Taking it away means: out of the lane's epoll set, out of its snapshot, one grace period; from
 *          then on the lane does not know it.  Its packets that still wait for a translation stay with the old lane, so a queue is handed on
 *          only once none waits.
 */
#include "datapath/dp.h"
#include "base/log.h"
#include "base/mem.h"
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>

LOG_MODULE(place)

#define WAIT_TRIES 1000
#define WAIT_US 100
#define BUSY_PERMILLE 850
#define GAP_PERMILLE 250 /* lanes must differ by more for a queue to move, and less afterwards */
#define REST_TICKS 5     /* after a move, so that its effect is measured first */

/* ---- queues on a lane ---- */

static struct polls *
polls_copy(const struct polls *old, unsigned n)
{
    struct polls *new = xzalloc(sizeof *new + n * sizeof new->at[0]);
    new->n = n;
    memcpy(new->at, old->at, MIN(n, old->n) * sizeof new->at[0]);
    return new;
}

static void
watch_fd(struct rxq *q)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = q->slot};
    if (q->fd >= 0 && epoll_ctl(q->lane->epoll_fd, EPOLL_CTL_ADD, q->fd, &event) < 0 && errno != EEXIST)
        log_err("%s: queue %u cannot be watched: %s", q->port->device->name, q->queue, strerror(errno));
}

static void
rxq_put_on(struct rxq *q, struct lane *l)
{
    unsigned slot = 0;
    while (slot < l->polls->n && l->polls->at[slot])
        slot++;
    struct polls *polls = polls_copy(l->polls, MAX(l->polls->n, slot + 1));
    polls->at[slot] = q;
    q->lane = l;
    q->slot = slot;
    q->cp = NULL;
    q->is_active = false;
    lane_set_polls(l, polls);
    watch_fd(q);
}

static void
rxq_take_off(struct datapath *dp, struct rxq *q)
{
    struct lane *l = q->lane;
    epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, q->fd, NULL); /* a device that closed it did so already */
    struct polls *polls = polls_copy(l->polls, l->polls->n);
    polls->at[q->slot] = NULL;
    lane_set_polls(l, polls);
    rcu_wait();
    q->lane = NULL;
    /* The number may have been another queue's by now. */
    for (struct rxq *other = dp->rxqs; other; other = other->next)
        if (other != q && other->fd == q->fd && other->lane == l)
            watch_fd(other);
}

/* Takes a queue off whose packets go on being wanted.  Order inside a flow: what waits in the old lane is served before anyone else begins. */
static void
rxq_drain(struct datapath *dp, struct rxq *q)
{
    rxq_take_off(dp, q);
    struct cache_port *cp = q->cp; /* from now on it stays as it is */
    for (unsigned tries = 0; cp && atomic_load_explicit(&cp->n_waiting, memory_order_acquire); tries++) {
        if (tries == WAIT_TRIES) {
            log_warn("%s: packets still wait for their first translation while its queue %u is handed on",
                     q->port->device->name, q->queue);
            break;
        }
        usleep(WAIT_US);
    }
    rcu_wait(); /* they have been sent, too */
}

static void
rxq_move(struct datapath *dp, struct rxq *q, struct lane *to)
{
    rxq_drain(dp, q);
    rxq_put_on(q, to);
}

/* ---- lanes ---- */

/* The processors that we may use, as numbers; returns how many. */
static unsigned
allowed_cpus(int cpus[LANES_MAX])
{
    cpu_set_t set;
    unsigned n = 0;
    if (sched_getaffinity(0, sizeof set, &set))
        return 0;
    for (int i = 0; i < CPU_SETSIZE && n < LANES_MAX; i++)
        if (CPU_ISSET(i, &set))
            cpus[n++] = i;
    return n;
}

/* The processors of a mask in hexadecimal digits, "0x" or not; 0: none of them can be used. */
static unsigned
cpus_of_mask(const char *mask, int cpus[LANES_MAX])
{
    int allowed[LANES_MAX];
    unsigned n_allowed = allowed_cpus(allowed), n = 0;
    if (!strncasecmp(mask, "0x", 2))
        mask += 2;
    size_t len = strlen(mask);
    for (unsigned i = 0; i < n_allowed; i++) {
        size_t digit = allowed[i] / 4;
        char text[2] = {digit < len ? mask[len - 1 - digit] : '0', '\0'};
        if (strtoul(text, NULL, 16) >> (allowed[i] % 4) & 1)
            cpus[n++] = allowed[i];
    }
    return n;
}

/* Where lanes are wanted: one entry per lane, -1 for "wherever the scheduler likes". */
static unsigned
wanted_lanes(const struct datapath *dp, int cpus[LANES_MAX])
{
    unsigned n = dp->lane_cpus ? cpus_of_mask(dp->lane_cpus, cpus) : 0;
    if (n)
        return n;
    if (dp->lane_cpus)
        log_warn("pmd-cpu-mask %s: no such processor may be used; lanes run anywhere", dp->lane_cpus);
    n = dp->lanes_asked ? MIN(dp->lanes_asked, LANES_MAX) : MAX(dp->n_lanes, 1);
    for (unsigned i = 0; i < n; i++)
        cpus[i] = -1;
    return n;
}

static void
share_limit(struct datapath *dp)
{
    for (unsigned i = 0; i < dp->n_lanes; i++)
        cache_limit(&dp->lanes[i]->cache, MAX(dp->flow_limit / dp->n_lanes, 1));
}

static bool
has_lane(const struct datapath *dp, unsigned index)
{
    for (unsigned i = 0; i < dp->n_lanes; i++)
        if (dp->lanes[i]->index == index)
            return true;
    return false;
}

static void
lane_add(struct datapath *dp, int cpu)
{
    unsigned index = 0;
    while (has_lane(dp, index))
        index++;
    dp->lanes[dp->n_lanes] = lane_new(dp, index, cpu, dp->flow_limit);
    dp->n_lanes++;
    share_limit(dp);
}

static unsigned
n_queues(const struct datapath *dp, const struct lane *l)
{
    unsigned n = 0;
    for (const struct rxq *q = dp->rxqs; q; q = q->next)
        n += q->lane == l;
    return n;
}

/* Who has the least to do, among the first 'n' lanes. */
static struct lane *
idlest(const struct datapath *dp, unsigned n)
{
    struct lane *best = NULL;
    for (unsigned i = 0; i < n; i++) {
        struct lane *l = dp->lanes[i];
        if (!best || l->load_permille / 100 < best->load_permille / 100 ||
            (l->load_permille / 100 == best->load_permille / 100 && n_queues(dp, l) < n_queues(dp, best)))
            best = l;
    }
    return best;
}

/* Stops the last lane; its queues go to those before it. */
static void
lane_remove(struct datapath *dp)
{
    struct lane *l = dp->lanes[dp->n_lanes - 1];
    for (struct rxq *q = dp->rxqs; q; q = q->next)
        if (q->lane == l)
            rxq_move(dp, q, idlest(dp, dp->n_lanes - 1));
    dp->n_lanes--;
    dp_lane_end(dp, l);
    share_limit(dp);
}

void
dp_lanes_start(struct datapath *dp)
{
    int cpus[LANES_MAX];
    unsigned n = wanted_lanes(dp, cpus);
    for (unsigned i = 0; i < n; i++)
        lane_add(dp, cpus[i]);
    dp->measured_at = clock_now();
}

void
dp_place(struct datapath *dp, unsigned n_lanes, const char *mask)
{
    int cpus[LANES_MAX];
    bool same = dp->lanes_asked == n_lanes && !strcmp(dp->lane_cpus ? dp->lane_cpus : "", mask ? mask : "");
    if (!same) {
        dp->lanes_asked = n_lanes;
        free(dp->lane_cpus);
        dp->lane_cpus = mask && *mask ? xstrdup(mask) : NULL;
    }
    if (!dp->n_lanes)
        return; /* the first port starts them */
    share_limit(dp);
    if (same)
        return;
    /* A lane stays on its processor for life.  Those that can stay come first; the rest end before new ones begin. */
    unsigned n = wanted_lanes(dp, cpus), keep = 0;
    while (keep < n && keep < dp->n_lanes && dp->lanes[keep]->cpu == cpus[keep])
        keep++;
    if (!keep) { /* none can stay: one new one takes over before the old ones end */
        lane_add(dp, cpus[0]);
        struct lane *first = dp->lanes[0];
        dp->lanes[0] = dp->lanes[dp->n_lanes - 1];
        dp->lanes[dp->n_lanes - 1] = first;
        keep = 1;
    }
    while (dp->n_lanes > keep)
        lane_remove(dp);
    for (unsigned i = keep; i < n; i++)
        lane_add(dp, cpus[i]);
    for (struct rxq *q = dp->rxqs; n > keep && q; q = q->next) { /* spread at once: there is no load known yet */
        struct lane *to = idlest(dp, dp->n_lanes);
        if (n_queues(dp, to) + 1 < n_queues(dp, q->lane))
            rxq_move(dp, q, to);
    }
}

void
dp_place_port(struct datapath *dp, struct dp_port *port)
{
    const struct device_class *class = port->device->class;
    unsigned n = class->n_rx_queues(port->device);
    for (unsigned i = 0; i < n; i++) {
        int fd = class->rx_fd(port->device, i);
        if (fd < 0)
            continue; /* absent: dp_port_changed() will tell */
        struct rxq *q = xzalloc(sizeof *q);
        q->port = port;
        q->queue = i;
        q->fd = fd;
        q->next = dp->rxqs;
        dp->rxqs = q;
        rxq_put_on(q, idlest(dp, dp->n_lanes));
    }
}

/* Are the queues that stand on lanes those that the device has now? */
bool
dp_placement_is_right(const struct datapath *dp, const struct dp_port *port)
{
    const struct device_class *class = port->device->class;
    unsigned n = class->n_rx_queues(port->device), n_wanted = 0, n_right = 0, n_all = 0;
    for (unsigned i = 0; i < n; i++)
        n_wanted += class->rx_fd(port->device, i) >= 0;
    for (const struct rxq *q = dp->rxqs; q; q = q->next) {
        if (q->port != port)
            continue;
        n_all++;
        n_right += q->queue < n && class->rx_fd(port->device, q->queue) == q->fd;
    }
    return n_right == n_wanted && n_all == n_wanted;
}

void
dp_unplace_port(struct datapath *dp, struct dp_port *port, bool drain)
{
    for (struct rxq **link = &dp->rxqs, *q; (q = *link) != NULL;) {
        if (q->port != port) {
            link = &q->next;
            continue;
        }
        (drain ? rxq_drain : rxq_take_off)(dp, q);
        *link = q->next;
        free(q);
    }
}

static uint64_t
smooth(uint64_t old, uint64_t now, unsigned ticks)
{
    return (old * (ticks - 1) + now) / ticks;
}

/* How much of the time since the last tick did each queue and lane work? */
static void
measure(struct datapath *dp)
{
    instant now = clock_now();
    int64_t elapsed = MAX(instant_since(now, dp->measured_at).ns, 1);
    dp->measured_at = now;
    for (struct rxq *q = dp->rxqs; q; q = q->next) {
        uint64_t busy = load(&q->busy_ns);
        uint64_t permille = MIN((busy - q->busy_ns_seen) * 1000 / elapsed, 1000);
        q->load_permille = smooth(q->load_permille, permille, 4);
        q->minute_millionth = smooth(q->minute_millionth, permille * 1000, 60);
        q->busy_ns_seen = busy;
    }
    for (unsigned i = 0; i < dp->n_lanes; i++) {
        struct lane *l = dp->lanes[i];
        uint64_t busy = load(&l->counters.busy_ns);
        uint64_t permille = MIN((busy - l->busy_ns_seen) * 1000 / elapsed, 1000);
        l->load_permille = smooth(l->load_permille, permille, 4);
        l->minute_millionth = smooth(l->minute_millionth, permille * 1000, 60);
        l->busy_ns_seen = busy;
    }
}

/* As many lanes as load asks for: another one when a lane with several queues is busy all the time. */
static void
grow(struct datapath *dp, const struct lane *busiest)
{
    int cpus[LANES_MAX];
    if (dp->lanes_asked || dp->lane_cpus || busiest->load_permille < BUSY_PERMILLE || n_queues(dp, busiest) < 2)
        return;
    if (dp->n_lanes >= allowed_cpus(cpus))
        return;
    lane_add(dp, -1);
    log_info("%s: lane %u begins: lane %u is busy %u %% of the time", dp->name, dp->n_lanes - 1, busiest->index,
             (unsigned) busiest->load_permille / 10);
}

/* The queue whose move makes the two lanes most alike; NULL: none makes enough of a difference. */
static struct rxq *
queue_to_move(struct datapath *dp, const struct lane *from, const struct lane *to)
{
    uint64_t gap = from->load_permille - to->load_permille, best_gap = gap - MIN(gap, GAP_PERMILLE);
    struct rxq *best = NULL;
    for (struct rxq *q = dp->rxqs; q; q = q->next) {
        if (q->lane != from || !q->load_permille)
            continue;
        uint64_t twice = 2 * q->load_permille, left = twice > gap ? twice - gap : gap - twice;
        if (left < best_gap) {
            best = q;
            best_gap = left;
        }
    }
    return best;
}

void
dp_rebalance(struct datapath *dp)
{
    struct lane *busiest = NULL;
    for (unsigned i = 0; i < dp->n_lanes; i++)
        if (!busiest || dp->lanes[i]->load_permille > busiest->load_permille)
            busiest = dp->lanes[i];
    if (!busiest)
        return;
    grow(dp, busiest);
    struct lane *to = idlest(dp, dp->n_lanes);
    struct rxq *q = to != busiest ? queue_to_move(dp, busiest, to) : NULL;
    if (!q)
        return;
    log_info("%s: queue %u of %s goes from lane %u (%u %%) to lane %u (%u %%)", dp->name, q->queue,
             q->port->device->name, busiest->index, (unsigned) busiest->load_permille / 10, to->index,
             (unsigned) to->load_permille / 10);
    busiest->load_permille -= MIN(q->load_permille, busiest->load_permille);
    to->load_permille += q->load_permille;
    rxq_move(dp, q, to);
    dp->rest_ticks = REST_TICKS;
}

void
dp_balance(struct datapath *dp)
{
    measure(dp);
    if (dp->rest_ticks)
        dp->rest_ticks--;
    else
        dp_rebalance(dp);
}
