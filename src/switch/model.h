/* model - the running objects of the switch, one for each row of the database that asks for something.
 *
 * For the files of this room only.  vswitch.h tells how they work together.
 *
 * Lifetime.   A vbridge lives while Open_vSwitch.bridges names its row, a vbundle while its bridge's 'ports' does, a vport while its bundle's
 *             'interfaces' does; also when nothing could be made of it: then 'error' tells why.
 * Names.      A bridge that is replaced by another row of its name goes on; so do a bundle and a port inside their owner.
 */
#ifndef SWITCH_MODEL_H
#define SWITCH_MODEL_H 1

#include "base/arena.h"
#include "base/hmap.h"
#include "base/list.h"
#include "base/vec.h"
#include "io/netlink.h"
#include "ovsdb/client.h"
#include "ovsdb/uuid.h"
#include "pipeline/bridge.h"
#include "switch/bond.h"
#include "switch/numbers.h"
#include "switch/vswitch.h"

enum dp_type { DP_SYSTEM, DP_NETDEV, DP_DUMMY, DP_N };
extern const char *const dp_type_names[DP_N];

/* Why a port without a device may get one later without a change of its row. */
enum retry { RETRY_NEVER, RETRY_WHEN_DEVICE_COMES, RETRY_WHEN_NAME_IS_FREE };

struct vport {
    struct hmap_node by_row, by_name; /* by_name: only who owns the name (is_name_ours) */
    struct uuid row;                  /* of Interface; zero: a local port that the database does not mention */
    struct vbundle *bundle;
    char *name;
    char *type;            /* as the database says: "" is "system"; the local port is always "internal" */
    char *peer;            /* patch ports only */
    struct device *device; /* NULL: a patch port, or 'error' */
    dpport dp;
    ofport number;          /* OFPORT_NONE: none yet */
    ofport request, stored; /* ofport_request; 'ofport' as it was when we first saw the row.  OFPORT_NONE: none */
    struct mac mac;         /* wanted; zero: as it is */
    unsigned mtu_request;
    char *error; /* NULL: fine */
    enum retry retry;
    bool is_local, is_name_ours;
    bool row_changed;       /* compare with the row again */
    bool is_leaving;        /* not part of the configuration any more; its device is about to be let go */
    bool is_gone;           /* leaving for good */
    uint32_t of_config;     /* OFPPC_* bits that controllers set */
    struct told_port *told; /* openflow.c: what controllers know of it; NULL: nothing */
    struct list to_write;   /* in vswitch.ports_to_write, or by itself */
};

struct vbundle {
    struct hmap_node by_row;
    struct uuid row; /* of Port; zero as above */
    struct vbridge *bridge;
    char *name;
    VEC(struct vport *) ports;
    struct vlan_port vlan;
    bool is_protected;
    struct mac mac; /* Port.mac; zero: none */
    bool is_bond;
    struct bond bond;
    bool row_changed, is_gone, is_seen;
    bool to_write;
};

struct vbridge {
    struct hmap_node by_name;
    struct uuid row;
    struct vswitch *v;
    char *name;
    enum dp_type type;
    struct bridge *run;      /* NULL: 'error' */
    struct connmgr *connmgr; /* its OpenFlow side; lives as long as 'run' */
    char *error;
    VEC(struct vbundle *) bundles;
    struct numbers numbers;
    struct mac mac;
    uint64_t datapath_id;
    unsigned min_mtu; /* of the devices that are not ours; what internal ports follow */
    bool row_changed; /* compare everything again */
    bool is_dirty;    /* something in it has changed */
    bool is_gone, is_seen;
    bool to_write;
    uint64_t stp_seen; /* what stp_is_news() compared last */
};

struct vswitch {
    struct loop *loop;
    struct vswitch_options options;
    struct client *db;
    struct netlink *netlink; /* tells when a device comes that a port waits for */
    struct task sync;
    struct timer second, stats; /* retries, ageing, bonds; statistics */
    struct hmap bridges;        /* vbridge by name */
    struct hmap bundles_by_row, ports_by_row, ports_by_name;
    struct backer *backers[DP_N];
    unsigned n_bridges_of[DP_N];
    struct arena scratch; /* one configuration at a time */

    /* Open_vSwitch */
    struct dp_config dp_config;
    span stats_interval;
    bool wants_host_statistics;
    bool root_changed;
    int64_t applied_cfg; /* next_cfg of what is in force */

    /* writer.c */
    struct list ports_to_write;
    bool writing, root_to_write, identity_to_write, statistics_due;
    instant write_not_before;

    instant contended_since; /* INSTANT_NEVER: nobody else asked for the lock */
    bool was_up, was_connected, is_standing_aside, is_stopping;
    struct {
        uint64_t average, most;
    } flows[DP_N]; /* as upcall/show tells them */
};

#define VBRIDGE_FOR(b, v) HMAP_FOR (b, by_name, &(v)->bridges)
/* Ports must not come or go inside. */
#define VPORT_FOR(p, b)                                                                                                \
    for (size_t iu_##p = 0; iu_##p < (b)->bundles.n; iu_##p++)                                                         \
        for (size_t ip_##p = 0; ip_##p < (b)->bundles.at[iu_##p]->ports.n; ip_##p++)                                   \
            if ((p = (b)->bundles.at[iu_##p]->ports.at[ip_##p]))

/* Comes back soon to see what changed. */
void vswitch_kick(struct vswitch *);
void vswitch_hurry(void *vswitch);        /* the next tick is due now: a protocol has work */
void vswitch_reconcile(struct vswitch *); /* brings everything that is marked in agreement with its row */

void vswitch_note_flows(struct vswitch *, enum dp_type, uint64_t now);

/* types.c */
bool dp_type_parse(const struct vswitch *, const char *text, enum dp_type *, struct why *);
bool dp_type_is_offered(const struct vswitch *, enum dp_type);
bool dp_type_is_dummy(const struct vswitch *, enum dp_type);
/* What the device room is asked for. NULL: no such type. */
const char *device_type_of(const struct vswitch *, enum dp_type, const char *type);
/* What show commands call the port: "tap" for an internal port of a netdev bridge. */
const char *type_shown(const struct vswitch *, enum dp_type, const char *type);

/* root.c: Open_vSwitch */
void root_reconcile(struct vswitch *);

/* bridges.c: Bridge */
struct vbridge *vbridge_find(const struct vswitch *, const char *name);
struct vbridge *vbridge_new(struct vswitch *, const struct crow *);
void vbridge_stop(struct vbridge *, bool cleanup); /* everything in it goes; the object stays */
void vbridge_free(struct vbridge *, bool cleanup);
void vbridge_let_go(struct vbridge *); /* first half of reconcile: what is no longer wanted */
void vbridge_make(struct vbridge *);   /* second half: what is wanted */
void vbridge_publish(struct vbridge *);

/* openflow.c: the connection manager of each bridge */
void openflow_start(struct vbridge *);
void openflow_stop(struct vbridge *);
void openflow_configure(struct vbridge *, const struct crow *);
void openflow_tell_ports(struct vbridge *); /* port status messages for what is different since the last time */
void openflow_port_free(struct vport *);
void openflow_put_status(struct vbridge *, struct ctxn *, const struct crow *bridge);

/* bundles.c: Port */
struct vbundle *vbundle_new(struct vbridge *,
                            const struct crow *); /* row NULL: the local one the database does not mention */
void vbundle_free(struct vbundle *);              /* its ports must be closed */
void vbundle_compare(struct vbundle *);           /* marks ports that are not wanted any more */
void vbundle_make(struct vbundle *);              /* reads the row; makes ports that are missing */
/* Another row of the same name takes over. */
void vbundle_adopt(struct vbundle *, const struct crow *);
struct vbundle *vbundle_find(const struct vswitch *, const struct uuid *row);
bool vbundle_run_bond(struct vbundle *, instant now); /* true: the active member is another one */

/* ports.c: Interface */
struct vport *vport_new(struct vbundle *, const struct crow *); /* row NULL as above */
void vport_free(struct vport *);
void vport_adopt(struct vport *, const struct crow *); /* another row of the same name takes over */
struct vport *vport_find(const struct vswitch *, const struct uuid *row);
struct vport *vport_named(const struct vswitch *, const char *name);
struct vport *vport_numbered(const struct vbridge *, ofport);
void vport_compare(struct vport *);             /* marks it as leaving if its row asks for another kind of device */
void vport_open(struct vport *);                /* opens or configures the device */
void vport_close(struct vport *, bool destroy); /* the pipeline must not know it any more */
void vport_set_mac(struct vport *, struct mac);
void vport_set_mtu(struct vport *, unsigned mtu);
bool vport_is_live(const struct vport *);                        /* part of the configuration */
bool vport_status(const struct vport *, struct device_status *); /* false: there is no device to ask */
void vport_fail(struct vport *, enum retry, const char *sentence);
bool vport_should_retry(const struct vport *);
void vport_options_format(const struct vport *, struct text *); /* ": peer=p1" where there is something to say */

/* writer.c: back to the database */
void write_port(struct vport *);
void write_bundle(struct vbundle *);
void write_bridge(struct vbridge *);
void write_root(struct vswitch *);
void write_all(struct vswitch *);
void writer_run(struct vswitch *);

/* unserved.c: what is asked for and not there yet.  Names joined by spaces; nothing: "". */
void unserved(const struct crow *, struct text *);

#endif
