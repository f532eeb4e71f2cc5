/* sim - a network in one process: bridges, cables, hosts and a clock that jumps from event to event.
 *
 * Shape.     Every bridge belongs to one backer without a datapath; what they put out goes through the doubting cache (flows.h) and the plain
 *            executor (reference.h).  A door is a datapath port with either a cable to another door or a host behind it.
 * Hosts.     Know ARP and echo, and nothing more.  sim_ping() is a question asked now; who has answered is seen later.
 * Time.      Frames take ten microseconds for a cable.  sim_run() serves everything that happens within a span, ageing included.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H 1

#include "flows.h"

struct sim;
struct sim *sim_new(uint64_t seed);
void sim_free(struct sim *);
OWN(sim);

struct backer *sim_backer(struct sim *);
instant sim_now(const struct sim *);
uint32_t sim_roll(struct sim *, uint32_t n); /* 0 .. n - 1 */

/* A bridge of trunk ports; ports are added one by one, sim_apply() configures what was added. Returns its index. */
unsigned sim_bridge(struct sim *);
/* A cable between two bridges: a trunk port at each.  Returns its index. */
unsigned sim_cable(struct sim *, unsigned a, unsigned b);
/* A host behind an access port (vlan 0: a trunk port, untagged).  Returns its index. */
unsigned sim_host(struct sim *, unsigned bridge, uint16_t vlan);
void sim_apply(struct sim *);
void sim_speak_stp(struct sim *); /* all bridges, on all ports, from the next sim_apply() on */
void sim_move(struct sim *, unsigned host, unsigned bridge); /* unplugged there, plugged in here; applied at once */
void sim_cut(struct sim *, unsigned cable, bool is_cut);     /* frames are lost; ports do not notice */

void sim_ping(struct sim *, unsigned from, unsigned to);
/* Did an answer come since the ping was sent? */
bool sim_answered(const struct sim *, unsigned from, unsigned to);
/* A frame from a host that nobody answers: 60 bytes, to the other's address. */
void sim_send(struct sim *, unsigned from, unsigned to);

/* "Here I am": to everybody. */
void sim_announce(struct sim *, unsigned host);

void sim_run(struct sim *, span);

bool sim_is_learned(const struct sim *, unsigned host); /* by the bridge it is plugged into */

struct sim_stats {
    uint64_t carried;    /* frames that went over a cable */
    uint64_t delivered;  /* that came to a host, wanted or not */
    uint64_t wanted;     /* of those, addressed to it */
    uint64_t wrong_vlan; /* sent by a host of another VLAN: must not be */
    uint64_t doubled;    /* came twice: must not be in a tree */
    uint64_t tagged;     /* with a tag on an access port: must not be */
    uint64_t lost;       /* events dropped because too many were under way: a storm */
};
void sim_stats(const struct sim *, struct sim_stats *);
const struct flows *sim_flows(const struct sim *);

#endif
