/* backer - what the files of this room know of bridges and backers.
 *
 * Wiring.    Which bridge has a door of the datapath, and which two patch ports are one cable.  Immutable; rebuilt when a port's door or peer is
 *            another.  Read by lanes inside RCU sections.
 */
#ifndef PIPELINE_BACKER_H
#define PIPELINE_BACKER_H 1

#include "base/hmap.h"
#include "base/list.h"
#include "pipeline/snapshot.h"
#include "pipeline/xlate.h"

struct wire {
    struct bridge *bridge; /* NULL: leads nowhere */
    ofport number;
};

struct patch {
    uint32_t bridge_id;
    ofport number;
    uint16_t slot;
    struct wire peer;
};

struct wiring {
    rcu_later rcu;
    struct arena arena;
    struct wire *doors; /* by dpport */
    size_t n_doors;
    struct patch *patches; /* by bridge_id, then number */
    size_t n_patches;
};

struct bridge {
    struct list in_backer, in_all; /* control thread */
    struct hmap_node by_id;        /* in backer->bridges_by_id; control thread */
    struct backer *backer;
    char *name;
    uint32_t id; /* from 1 on, never used again */
    /* Slots of datapath/version.h: the bridge's own settings; who floods what; anything at all. */
    uint16_t slot, slot_flood, slot_any;
    struct snapshot *now;        /* RCU; never NULL */
    const struct snapshot *next; /* while a configuration is on its way in; control thread */
    struct fdb *fdb;
    struct spanning *spanning; /* NULL: no STP; control thread */
    struct tables *tables;
    const struct bridge_ops *ops; /* control thread; NULL: nobody listens */
    void *ops_aux;
    bool has_default;    /* the rule of a bridge that stands alone is in */
    bool is_programmed;  /* somebody changed its tables */
    bool is_controlled;  /* a controller is there, or was a moment ago */
    VEC(char *) mirrors; /* names seen so far; the place makes the key of their statistics */
    struct hmap traffic; /* struct traffic, of patch ports; control thread */
    rcu_later rcu;
};

#define TRAFFIC_OF_MIRRORS 0x80000000u /* no port has such a number */

struct traffic {
    struct hmap_node node;
    ofport number;
    struct bridge_port_stats stats;
};

struct backer {
    char *type;
    struct datapath *dp; /* NULL: a simulation */
    struct versions *versions;
    struct wiring *wiring; /* RCU; never NULL */
    struct list bridges;   /* by name */
    struct hmap bridges_by_id;
    void (*wake)(void *aux), (*send)(void *aux, dpport, const void *, size_t);
    void *wake_aux, *send_aux;
    VEC(uint8_t) relevance; /* by dpport: what the datapath was told, or RELEVANCE_UNKNOWN */
};

/* Who gets the statistics of a flow; owned by the flow. */
enum credit_kind { CREDIT_FDB, CREDIT_RULE, CREDIT_RX, CREDIT_TX };
struct credit {
    enum credit_kind kind;
    uint32_t bridge_id;
    ofport number;
    uint16_t vlan;
    struct mac mac;
    struct rule *rule; /* CREDIT_RULE: counted; NULL: the miss of a table, whose number is 'number' */
};
struct credits {
    size_t n, room;
    struct credit at[];
};

void credits_free(struct credits *); /* NULL is fine */

static inline uint16_t
fdb_slot(uint32_t bridge_id, uint16_t vlan, struct mac mac)
{
    return version_slot(VERSION_FDB, hash_u64(mac_to_u64(mac) | (uint64_t) vlan << 48, bridge_id));
}

struct wire wiring_door(const struct wiring *, dpport);
struct wire wiring_peer(const struct wiring *, const struct bridge *, ofport);

/* Brings wiring and relevance in agreement with the bridges' snapshots. */
void backer_rewire(struct backer *);
/* Before a snapshot that can look at more is published ('next' stands in its bridge), and again after. */
void backer_relevance(struct backer *, bool before);
void backer_credit(struct backer *, const struct credits *, uint64_t packets, uint64_t bytes, instant used);
void backer_wake(struct backer *);
void backer_send(struct backer *, dpport, const void *frame, size_t len);
/* The address of the device behind a door; zero: it has none. */
struct mac backer_door_mac(const struct backer *, dpport);
struct bridge *backer_bridge(const struct backer *, uint32_t id); /* NULL: gone */

#endif
