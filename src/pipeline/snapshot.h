/* snapshot - a bridge's configuration in the shape that translations read: immutable, resolved, one arena.
 *
 * For the files of this room only.
 *
 * Order.     Bundles stand in the order of their lowest port number, LOCAL first: frames are flooded in this order.
 * Written by the control thread before it is published; read by lanes inside RCU sections; freed after a grace period.
 */
#ifndef PIPELINE_SNAPSHOT_H
#define PIPELINE_SNAPSHOT_H 1

#include "base/arena.h"
#include "base/rcu.h"
#include "pipeline/bridge.h"

/* What protocols decide about a port from moment to moment; belongs to spanning.c and outlives every snapshot that points to it. */
struct port_life {
    rcu_later rcu;
    ofport number;
    unsigned stp_number;
    _Atomic bool may_learn, may_forward;
};

struct snap_port {
    ofport number;
    const char *name;
    dpport dp;
    const char *patch_peer;     /* NULL: not a patch port */
    struct snap_bundle *bundle; /* NULL: in none; it takes and gives nothing */
    bool may_flood, may_receive, may_forward, is_up;
    struct port_life *life; /* NULL: no protocol, it learns and forwards */
    uint16_t slot;          /* of datapath/version.h */
};

struct snap_bundle {
    const char *name;
    unsigned order;
    ofport id; /* its lowest port: what the MAC table calls it */
    struct vlan_port vlan;
    struct snap_port **members;
    size_t n_members;
    struct snap_port *active; /* NULL: frames cannot leave */
    bool is_protected;
    bool may_flood;                    /* every member may */
    bool is_mirror_out;                /* sends nothing but copies, takes nothing */
    uint32_t src_mirrors, dst_mirrors; /* one bit each */
};

struct snap_mirror {
    const char *name;
    bool all_vlans;
    uint64_t vlans[VLAN_BITMAP_WORDS];
    struct snap_bundle *out; /* NULL: into 'out_vlan' */
    uint16_t out_vlan, snaplen;
    ofport traffic; /* what its statistics are kept under */
};

struct snap_in_vlan {
    uint16_t vid;
    struct snap_bundle *bundle;
};

struct snapshot {
    rcu_later rcu;
    struct arena arena; /* holds this struct and all it points to */
    const char *name;
    uint32_t bridge_id;
    uint64_t datapath_id;
    struct mac hwaddr;
    enum fail_mode fail_mode;
    bool has_controller, forward_bpdu, has_bonds, has_patches, has_stp;
    uint64_t flood_vlans[VLAN_BITMAP_WORDS];

    struct snap_port *ports; /* by number */
    size_t n_ports;
    struct snap_bundle *bundles; /* by order */
    size_t n_bundles;

    struct snap_mirror *mirrors;
    size_t n_mirrors;

    /* Who may carry a VLAN: those of many VLANs, asked one by one, and for each VLAN those of few.  Both by order. */
    struct snap_bundle **wide;
    size_t n_wide;
    struct snap_in_vlan *narrow; /* by vid, then order */
    size_t n_narrow;
};

/* -EINVAL with 'why' when the configuration contradicts itself. */
int snapshot_new(const struct bridge_config *, uint32_t bridge_id, struct snapshot **, struct why *);
void snapshot_free(struct snapshot *); /* at once: it was never published; NULL is fine */
OWN(snapshot);
void snapshot_free_later(struct snapshot *); /* NULL is fine */

static inline bool
snap_port_learns(const struct snap_port *p)
{
    return !p->life || atomic_load_explicit(&p->life->may_learn, memory_order_acquire);
}

static inline bool
snap_port_forwards(const struct snap_port *p)
{
    return !p->life || atomic_load_explicit(&p->life->may_forward, memory_order_acquire);
}

struct snap_port *snapshot_port(const struct snapshot *, ofport); /* NULL: none */
struct snap_port *snapshot_port_named(const struct snapshot *, const char *);

/* Every bundle that may carry the VLAN, in order; some of them may not: ask vlan_carries_place().
 *     struct snap_walk w = snap_walk_of(s, vid);  while ((b = snap_walk_next(&w))) ... */
struct snap_walk {
    const struct snapshot *s;
    size_t wide, narrow;
    uint16_t vid;
};
struct snap_walk snap_walk_of(const struct snapshot *, uint16_t vid);
struct snap_bundle *snap_walk_next(struct snap_walk *);

/* ---- what is different ---- */

bool snapshot_settings_equal(const struct snapshot *, const struct snapshot *);
/* May a flow that uses this port (and its bundle, which is the one that moves frames) stay as it is? */
bool snapshot_port_equal(const struct snap_port *, const struct snap_port *);
/* Must the MAC addresses learned behind this port be forgotten? */
bool snapshot_port_keeps_macs(const struct snap_port *old, const struct snap_port *new);

#endif
