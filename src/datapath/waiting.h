/* waiting - packets whose flow is not known yet, in the order they came.
 *
 * Use.       A miss that exceeds the lane's budget is put here; so is every later packet of the same flow, hit or not, while an earlier one
 *            waits: that keeps the order inside a flow.
 * Shape.     One queue per ingress port, at most WAITING_PER_PORT packets in it and WAITING_PER_FLOW of one flow.  'hash' names a flow: that of
 *            all bits which matter for the port.  Ports are served in turn.
 * Threads.   One lane.
 */
#ifndef DATAPATH_WAITING_H
#define DATAPATH_WAITING_H 1

#include "datapath/cache.h"

#define WAITING_PER_PORT 4096
#define WAITING_PER_FLOW 64
#define WAITING_TOTAL 8192

struct waiting {
    unsigned n;
    struct waiting_port *ports; /* those with packets, in turn */
};

/* False: full.  The packet stays the caller's. */
bool waiting_put(struct waiting *, struct cache_port *, struct packet *, uint32_t hash);
/* Is there a packet of this flow? */
bool waiting_has(const struct cache_port *, uint32_t hash);
/* The next packet of the port whose turn it is; NULL: none waits. */
struct packet *waiting_take(struct waiting *, struct cache_port **);
/* What was taken of this port has been served: who waits for the port to be empty may know. */
void waiting_done(struct cache_port *);
/* Every packet that waits is put. */
void waiting_clear(struct waiting *);
bool waiting_port_is_empty(const struct cache_port *);
void waiting_port_free(struct cache_port *); /* nothing may wait */

#endif
