/* bridge - one OpenFlow switch: what a frame meets between its way in and its ways out.
 *
 * Shape.      A 'backer' joins one datapath and the bridges that share it (all of one datapath_type); patch ports lead from bridge to bridge
 *             inside a translation.  A bridge is told its complete configuration, compares, and publishes an immutable snapshot.
 * Threads.    Configuration on the control thread.  Translation on any lane, over the snapshot, inside an RCU section.
 * Lifetime.   A snapshot is one arena, dropped whole after a grace period.
 * Bonds.      A bundle of several members sends by its active one and takes only what came in by it.
 */
#ifndef PIPELINE_BRIDGE_H
#define PIPELINE_BRIDGE_H 1

#include "datapath/datapath.h"
#include "l2/fdb.h"
#include "l2/stp.h"
#include "l2/vlan.h"

#define OFPORT_LOCAL 0xfffffffeu
#define OFPORT_IN_PORT 0xfffffff8u
#define OFPORT_TABLE 0xfffffff9u
#define OFPORT_NORMAL 0xfffffffau
#define OFPORT_FLOOD 0xfffffffbu
#define OFPORT_ALL 0xfffffffcu
#define OFPORT_CONTROLLER 0xfffffffdu
#define OFPORT_MAX 0xff00u /* numbers of real ports are below (OpenFlow 1.0's space, which the field keeps) */

struct backer;
struct bridge;

/* "netdev", "system", "dummy": the datapath is type@ovs-type.  'loop' NULL: no datapath; whoever made it asks xlate() by hand (simulations). */
struct backer *backer_new(struct loop *, const char *type);
void backer_free(struct backer *); /* its bridges must be gone */
struct datapath *backer_datapath(struct backer *);
const char *backer_type(const struct backer *);

struct bridge_port_config {
    ofport number;
    const char *name;
    dpport dp; /* DPPORT_NONE for patch ports, and while the device is not there */
    const char
        *patch_peer; /* name of the port at the other end, in any bridge of this backer; NULL: not a patch port */
    bool may_flood;  /* OFPPC_NO_FLOOD is not set */
    bool may_receive, may_forward; /* OFPPC_NO_RECV, OFPPC_NO_FWD are not set */
    bool is_up;                    /* administratively and by link: a port that is down is sent nothing */
    struct {
        unsigned number; /* 1 to 255, its own among the bridge's ports; 0: it takes no part and always forwards */
        uint8_t priority;
        uint16_t cost;
    } stp;
};

struct bridge_stp_config {
    uint16_t priority;
    struct mac mac;
    span hello_time, max_age, forward_delay;
};

/* What the database calls Port: one or several (bond) members that act as one. */
struct bridge_bundle_config {
    const char *name;
    const ofport *members;
    size_t n_members;
    ofport active; /* the member frames leave by (bonds: the active one); OFPORT_NONE: none may */
    struct vlan_port vlan;
    bool is_protected;
};

/* Bundles are named by one of their ports. */
struct bridge_mirror_config {
    const char *name;
    bool selects_all; /* else what 'src' lets in and 'dst' out */
    const ofport *src, *dst;
    size_t n_src, n_dst;
    bool all_vlans; /* else those of 'vlans' */
    uint64_t vlans[VLAN_BITMAP_WORDS];
    ofport output; /* OFPORT_NONE: to 'output_vlan' */
    uint16_t output_vlan;
    uint16_t snaplen; /* 0: whole frames */
};
#define BRIDGE_MIRRORS_MAX 32

enum fail_mode { FAIL_STANDALONE, FAIL_SECURE };

struct bridge_config {
    const char *name;
    uint64_t datapath_id;
    struct mac hwaddr;
    enum fail_mode fail_mode;
    bool
        has_controller; /* standalone bridges forward by NORMAL all the same while none is connected, and none can be yet */
    bool forward_bpdu;
    span mac_aging_time;                     /* 0: 300 s; else 15 to 3,600 s */
    size_t mac_table_size;                   /* 0: 8,192; else 10 to 1,000,000 */
    const struct bridge_stp_config *stp;     /* NULL: off */
    uint64_t flood_vlans[VLAN_BITMAP_WORDS]; /* VLANs that flood without learning */
    const struct bridge_port_config *ports;
    size_t n_ports;
    const struct bridge_bundle_config *bundles;
    size_t n_bundles;
    const struct bridge_mirror_config *mirrors;
    size_t n_mirrors;
};

struct bridge *bridge_new(struct backer *, const char *name);
void bridge_free(struct bridge *);
/* Takes a complete configuration (copied).  -EINVAL with 'why' and nothing changed when it contradicts itself. */
int bridge_configure(struct bridge *, const struct bridge_config *, struct why *);
struct fdb *bridge_fdb(struct bridge *);
const char *bridge_name(const struct bridge *);
struct bridge *bridge_find(const char *name);                       /* among all backers; control thread */
ofport bridge_port_number(const struct bridge *, const char *port); /* OFPORT_NONE: no such port */
const char *bridge_port_name(const struct bridge *, ofport);        /* NULL: no such port */

/* What went by a port that has no device (patch); zero: no such port.  Exact after dp_push_stats(). */
struct bridge_port_stats {
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
};
void bridge_port_stats(const struct bridge *, ofport, struct bridge_port_stats *);

/* Frames copied by a mirror count as sent. */
void bridge_mirror_stats(const struct bridge *, const char *mirror, struct bridge_port_stats *);

/* False: the bridge speaks no STP; or the port takes no part in it. */
bool bridge_stp_status(const struct bridge *, struct stp_status *);
bool bridge_stp_port_status(const struct bridge *, ofport, struct stp_port_status *);
void bridge_stp_topology_change(struct bridge *); /* stp/tcn */

/* Ages MAC entries, revises what moved, lets protocols speak.  Returns when to call again at the latest; and sooner when 'wake' is called. */
instant backer_run(struct backer *, instant now);
void backer_on_work(struct backer *, void (*wake)(void *aux), void *aux);
/* A backer without a datapath hands the frames of protocols to this. */
void backer_on_send(struct backer *, void (*send)(void *aux, dpport, const void *frame, size_t len), void *aux);

#endif
