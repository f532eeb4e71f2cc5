/* dp - the inside of a datapath, for the files of this room that make it up. */
#ifndef DATAPATH_DP_H
#define DATAPATH_DP_H 1

#include "datapath/control.h"
#include "datapath/lane.h"

#define PORTS_MAX 65535

struct datapath {
    struct loop *loop;
    char *name, *type;
    const struct dp_ops *ops;
    void *aux;
    struct versions *versions;
    struct ports *ports; /* RCU */
    _Atomic unsigned vlan_limit;
    unsigned flow_limit;
    span max_idle;
    uint32_t relevant_versions;
    struct timer tick;
    struct task push; /* the tick's look at all flows, a piece per turn of the loop */
    unsigned push_lane;
    uint32_t push_at;

    /* lanes: datapath.c, place.c */
    struct lane *lanes[LANES_MAX];
    unsigned n_lanes;
    unsigned lanes_asked; /* 0: as load asks */
    char *lane_cpus;
    struct rxq *rxqs;
    instant measured_at;
    unsigned rest_ticks; /* until queues may move again */

    struct dp_stats past; /* of lanes that ended */

    /* show.c */
    instant born, cleared_at;
    uint64_t born_cycles;

    /* the control thread's own way out */
    struct packet_pool *pool;
    struct exits exits;
    struct key key;

    /* calls from lanes */
    int call_fd;
    struct watch *call_watch;
    _Atomic bool was_called;
    struct control_frame *_Atomic frames; /* control.c */
    _Atomic unsigned n_frames;
};

static inline uint64_t
load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* place.c: which lane serves which queue. */
void dp_lanes_start(struct datapath *);
void dp_place(struct datapath *, unsigned n_lanes, const char *cpus);
void dp_place_port(struct datapath *, struct dp_port *);
bool dp_placement_is_right(const struct datapath *, const struct dp_port *);
/* No lane receives from it any more; 'drain': and what it received has been served. */
void dp_unplace_port(struct datapath *, struct dp_port *, bool drain);
void dp_balance(struct datapath *); /* once a second */

void dp_rebalance(struct datapath *);
/* datapath.c: the lane has no queue any more. */
void dp_lane_end(struct datapath *, struct lane *);

/* control.c */
void control_serve(struct datapath *);
void control_clear(struct datapath *);

#endif
