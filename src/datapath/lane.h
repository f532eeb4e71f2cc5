/* lane - one thread of the fast path: its receive queues, its cache, its buffers, its counters.
 *
 * Journey.   lane_main() in lane.c: receive a burst, make keys, find flows, act in groups, translate what missed, send.
 * Threads.   The control thread starts and stops a lane, places queues on it (a new 'struct polls' each time, by RCU) and asks for sweeps;
 *            everything marked 'lane' belongs to the thread itself.  Counters may be read by anyone.
 */
#ifndef DATAPATH_LANE_H
#define DATAPATH_LANE_H 1

#include "datapath/cache.h"
#include "datapath/exits.h"
#include "datapath/waiting.h"
#include <pthread.h>

#define LANES_MAX 64
#define LANE_CHUNKS 16384
#define LANE_TAILS 256

/* One receive queue of one port. */
struct rxq {
    struct dp_port *port;
    unsigned queue;
    int fd;                                   /* control */
    struct lane *lane;                        /* control; NULL: nowhere */
    unsigned slot;                            /* control: its index in the lane's polls */
    struct rxq *next;                         /* control: all queues of the datapath */
    struct cache_port *cp;                    /* lane */
    bool is_active;                           /* lane: is asked for packets without waiting for its descriptor */
    _Atomic uint64_t packets;                 /* lane adds */
    _Atomic uint64_t busy_ns;                 /* lane adds: what its packets cost */
    uint64_t busy_ns_seen;                    /* control: at the last tick */
    uint64_t load_permille, minute_millionth; /* control: of a lane, over some seconds, over a minute */
};

struct polls {
    rcu_later later;
    uint64_t version;
    unsigned n;
    struct rxq *at[]; /* NULL: free slot */
};

/* Figures of a lane since they were last cleared; the lane adds. */
struct lane_counters {
    _Atomic uint64_t turns, busy_turns, sleeps, bursts, packets;
    _Atomic uint64_t busy_ns, idle_ns, sleep_ns, miss_ns;
    _Atomic uint64_t translated, waited, waiting_full;
    _Atomic uint64_t batches; /* groups of packets of one flow */
};

/* A sweep that the control thread asks for; the lock guards all of it, 'asked' may be peeked at. */
struct sweep_order {
    pthread_mutex_t lock;
    pthread_cond_t done;
    _Atomic uint64_t asked;
    uint64_t began, finished;
    bool all;
    instant older_than;
};

struct lane {
    struct datapath *dp;
    unsigned index;
    int cpu; /* -1: wherever the scheduler likes */
    pthread_t thread;
    int epoll_fd, wake_fd;
    _Atomic bool stop;
    struct polls *polls; /* RCU */
    struct sweep_order sweep;

    /* lane */
    struct packet_pool *pool;
    struct cache cache;
    struct exits exits;
    struct waiting waiting;
    uint64_t polls_version;
    uint16_t *active; /* slots */
    unsigned n_active, active_room;
    instant clock;          /* of the system: what work costs */
    instant now;            /* of the loop, which may stand still or jump: what flows are told */
    instant last_work;      /* of the system */
    int64_t miss_credit_ns; /* what misses may still cost */
    uint32_t hit_permille;  /* of late: how many packets of bursts were hits */
    int64_t fair_ns;        /* the least time that an active port has had */
    span spin;              /* how long to look again before sleeping */
    uint64_t burst_no;
    struct verdict verdict;
    uint32_t keys_long; /* bits: which of the keys has something beyond its first line */
    struct key keys[BURST];

    struct lane_counters counters;
    struct figures *cleared; /* control, show.c: what the figures were at pmd-stats-clear; NULL: never */
    uint64_t busy_ns_seen;   /* control: at the last tick */
    uint64_t load_permille, minute_millionth; /* control: as of a queue */
};

struct lane *lane_new(struct datapath *, unsigned index, int cpu, unsigned flow_limit);
void lane_stop(struct lane *); /* joins it; every flow of its cache dies: take the dead */
void lane_free(struct lane *); /* it was stopped */
void lane_wake(struct lane *);
/* Publishes; the old one is freed after a grace period.  A lane that sleeps finds it when a descriptor wakes it. */
void lane_set_polls(struct lane *, struct polls *);

/* Asks for a look at every flow (cache_sweep_begin); lane_sweep_wait() returns when one that was asked for then is over. */
uint64_t lane_sweep_ask(struct lane *, instant older_than, bool all);
void lane_sweep_wait(struct lane *, uint64_t ticket);

/* What lane.c needs of the datapath. */
const struct ports *dp_ports(const struct datapath *);
instant dp_time_of(const struct datapath *, instant real);
void dp_translate(struct datapath *, const struct key *, const struct packet *, instant now, struct verdict *);
/* The lane's dead records are many: somebody should take them soon. */
void dp_reap_soon(struct datapath *);

#endif
