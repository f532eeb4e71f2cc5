/* tree_net - LANs and bridges that speak a spanning tree protocol, with a clock that jumps; for the tests of this room.
 *
 * The protocol is behind a small table of functions, so that one set of towns tries all of them.  After every event no two ways may
 * exist between two LANs: that is what the protocol is for.
 */
#ifndef L2_TREE_NET_H
#define L2_TREE_NET_H 1

#include "base/clock.h"
#include "base/vec.h"
#include <stdint.h>

#define TREE_BPDU_MAX 64

struct tree_ops {
    void *(*new)(unsigned bridge);
    void (*free)(void *);
    /* Ports 1 to n_ports; 'up' has a bit for each. */
    void (*configure)(void *, unsigned bridge, unsigned n_ports, uint64_t up, instant now);
    void (*receive)(void *, unsigned port, const uint8_t *, size_t, instant now);
    void (*tick)(void *, instant now);
    instant (*next)(const void *);
    bool (*send)(void *, unsigned *port, uint8_t *, size_t *);
    bool (*forwards)(const void *, unsigned port);
    bool (*take_flush)(void *);
};

struct tree_end {
    unsigned bridge, port;
};

struct tree_lan {
    VEC(struct tree_end) ends;
    bool is_cut; /* frames are lost, ports stay up */
};

struct tree_net {
    const struct tree_ops *ops;
    instant now;
    void **bridges;
    unsigned *n_ports;
    uint64_t *up;
    unsigned *n_flushes;
    unsigned n_bridges;
    VEC(struct tree_lan) lans;
    uint64_t n_bpdus;
    unsigned loops; /* moments at which there were two ways */
};

void tree_init(struct tree_net *, const struct tree_ops *, unsigned n_bridges);
void tree_fini(struct tree_net *);
unsigned tree_lan(struct tree_net *);                              /* a new LAN without bridges */
void tree_join(struct tree_net *, unsigned lan, unsigned bridge);  /* by a new port */
unsigned tree_link(struct tree_net *, unsigned a, unsigned b);     /* a new LAN with two */
void tree_start(struct tree_net *);                                /* configures everyone */
void tree_port_up(struct tree_net *, struct tree_end, bool is_up); /* the bridge notices */
void tree_run(struct tree_net *, span);

/* Is every LAN that has a bridge reached from LAN 0 by exactly one way? */
bool tree_is_whole(const struct tree_net *);
unsigned tree_n_blocked(const struct tree_net *); /* ports that are up and do not forward */

#endif
