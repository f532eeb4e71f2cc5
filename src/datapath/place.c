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
#include <sys/epoll.h>

LOG_MODULE(place)

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
    q->lane = NULL;
    /* The number may have been another queue's by now. */
    for (struct rxq *other = dp->rxqs; other; other = other->next)
        if (other != q && other->fd == q->fd && other->lane == l)
            watch_fd(other);
}

/* ---- lanes ---- */

void
dp_lanes_start(struct datapath *dp)
{
    dp->lanes[0] = lane_new(dp, 0, -1, dp->flow_limit);
    dp->n_lanes = 1;
}

void
dp_place(struct datapath *dp, unsigned n_lanes, const char *cpus)
{
    dp->lanes_asked = n_lanes;
    free(dp->lane_cpus);
    dp->lane_cpus = cpus ? xstrdup(cpus) : NULL;
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
        rxq_put_on(q, dp->lanes[0]);
    }
}

void
dp_unplace_port(struct datapath *dp, struct dp_port *port)
{
    for (struct rxq **link = &dp->rxqs, *q; (q = *link) != NULL;) {
        if (q->port != port) {
            link = &q->next;
            continue;
        }
        rxq_take_off(dp, q);
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

void
dp_balance(struct datapath *dp)
{
    measure(dp);
}
