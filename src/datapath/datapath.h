/* datapath - the fast path behind one interface.
 *
 * Journey.    A lane receives a burst, makes keys, finds each flow in the cache and runs its actions; what misses is translated in the lane by
 *             the pipeline (ops->translate), run, and kept.  See doc/architecture.md.
 * Cache.      A flow matches 'key AND mask'.  Level 1 has one mask per ingress port (everything that port's packets can depend on, told by
 *             the pipeline with dp_port_relevant); level 2 has at most 8 masks of its own.  A flow lives as long as deps_hold() and is idle
 *             less than max_idle.
 * Statistics. Lanes count per flow with plain adds; the sweep (1 s), the flow's death and dp_push_stats() hand the differences to
 *             ops->credit.  Port counters are the devices'; drops are counted per reason and lane.
 * Threads.    Control functions on the control thread.  translate() runs on a lane (or on the control thread for dp_packet_out and
 *             traces) inside an RCU section; credit() on the control thread.
 */
#ifndef DATAPATH_DATAPATH_H
#define DATAPATH_DATAPATH_H 1

#include "base/clock.h"
#include "base/why.h"
#include "datapath/action.h"
#include "datapath/version.h"
#include "device/device.h"

struct datapath;

/* What the pipeline answers for a packet. */
struct verdict {
    struct actions actions;
    struct key mask; /* the bits that decided (only KEY_CACHED_BYTES count); zero bits are wildcards */
    struct deps deps;
    void *credits;  /* who gets this flow's statistics; given back by ops->credits_free.  NULL: nobody */
    bool may_cache; /* false: for this packet alone */
    enum drop drop; /* the reason, when the actions put out nothing */
};

struct dp_ops {
    /* Fills in the verdict (initialised by the caller). 'packet' may be read, not changed; NULL in a trace of a bare key. */
    void (*translate)(void *aux, const struct key *, const struct packet *packet, instant now, struct verdict *);
    void (*credit)(void *aux, void *credits, uint64_t packets, uint64_t bytes, uint16_t tcp_flags, instant used);
    void (*credits_free)(void *aux, void *credits); /* after a grace period */
    /* A frame that ACT_CONTROL handed up; control thread; borrowed. */
    void (*control)(void *aux, uint32_t reason, const struct key *, const struct packet *);
};

struct dp_config {
    unsigned n_lanes;      /* 0: as many as load asks for, up to the CPUs */
    const char *lane_cpus; /* pmd-cpu-mask, or NULL */
    unsigned flow_limit;   /* 200,000 */
    span max_idle;         /* 10 s */
    unsigned vlan_limit;   /* tags a key reads: 1, or 2 */
};

/* 'type' is "netdev", "system" or "dummy": a name for show commands.  Lanes start with the first port. */
struct datapath *dp_new(struct loop *, const char *name, const char *type, const struct dp_ops *, void *aux);
void dp_free(struct datapath *); /* every port must be gone; joins the lanes */
void dp_configure(struct datapath *, const struct dp_config *);
unsigned dp_vlan_limit(const struct datapath *); /* any thread */
struct versions *dp_versions(struct datapath *);
const char *dp_name(const struct datapath *);
const char *dp_type(const struct datapath *);

/* Ports.  'want' is the number if it is free, DPPORT_NONE any.  After dp_port_del() returns no lane uses the device. */
int dp_port_add(struct datapath *, struct device *, dpport want, dpport *port, struct why *);
void dp_port_del(struct datapath *, dpport);
void dp_port_changed(struct datapath *, dpport); /* its queues or descriptors are others now (vanished, came back) */
struct device *dp_port_device(const struct datapath *, dpport); /* NULL: no such port */
/* All bits that a packet of this port can depend on: the level 1 mask. */
void dp_port_relevant(struct datapath *, dpport, const struct key *mask);

/* Runs a program over a frame (copied), as from 'in_port'; control thread. */
void dp_packet_out(struct datapath *, const void *frame, size_t len, dpport in_port, const void *actions, size_t n);

/* Waits until no lane serves a packet by anything older than what is published now (revalidator/wait, barriers). */
void dp_settle(struct datapath *);
void dp_flush(struct datapath *);      /* forgets every flow (revalidator/purge) */
void dp_push_stats(struct datapath *); /* credits are exact when it returns */

/* Every flow, by value; credits exact.  fn returns false to stop.  Cached flows that are cuts of one wildcard flow (same mask as the pipeline gave
 * it, same key under it, same actions) are told as one.  As in the field, the packet that made a flow is not in its figures. */
struct dp_flow {
    struct key key; /* of the packet that made it, whole */
    struct key mask;
    const void *actions;
    size_t actions_len;
    uint64_t packets, bytes;
    uint16_t tcp_flags;
    instant used; /* INSTANT_NEVER: never */
    unsigned lane, level;
    uint64_t ufid[2];
};
void dp_flows(struct datapath *, bool (*fn)(void *fn_aux, const struct dp_flow *), void *fn_aux);

struct dp_stats {
    uint64_t hits_l1, hits_l2, misses, lost, flows, masks;
    uint64_t mask_probes;
    uint64_t evicted; /* flows that made place for others */
};
void dp_stats(struct datapath *, struct dp_stats *);
uint64_t dp_drops(struct datapath *, enum drop);

/* The last drops, newest first. */
struct dp_last_drop {
    enum drop reason;
    dpport in_port;
    instant when;
    uint32_t len;
    uint8_t head[64];
};
size_t dp_last_drops(struct datapath *, struct dp_last_drop *, size_t max);

#endif
