/* exits - the ways a frame leaves one thread: by a port, to the control thread, or as a counted drop.
 *
 * Use.      exits_begin(x, ports) at the start of a burst, execute() programs, exits_flush() before the next quiescent point.
 * Shape.    Frames are staged per port and sent once per burst, in the order they were staged.  A port that cannot be staged beside the others is
 *           flushed early; nothing is reordered.
 * Threads.  Each lane and the control thread has its own.  Counters and the ring of last drops may be read by anyone.
 */
#ifndef DATAPATH_EXITS_H
#define DATAPATH_EXITS_H 1

#include "datapath/datapath.h"
#include "base/rcu.h"

#define OUTS 64 /* ports staged at a time */
#define LAST_DROPS 64
#define LAST_DROPS_PER_BURST 4

/* The level 1 mask of a port, with a number that tells two of them apart. */
struct relevant {
    rcu_later later;
    uint32_t version;
    struct key mask;
};

/* A device at its number.  Written by the control thread; freed when no lane can hold it. */
struct dp_port {
    dpport number;
    struct device *device;
    struct relevant *relevant; /* RCU; NULL: nobody said */
    _Atomic bool is_gone;
};

struct ports {
    rcu_later later;
    unsigned n;
    struct dp_port *at[]; /* by number; NULL: no such port */
};

struct out {
    dpport port;
    unsigned n;
    struct packet *packets[BURST];
};

struct exits {
    struct datapath *dp;
    const struct ports *ports; /* of this burst */
    instant now;
    uint64_t open;
    struct out outs[OUTS];
    _Atomic uint64_t drops[DROP_N];
    _Atomic uint64_t sent;
    /* the ring of last drops */
    atomic_flag ring_lock; /* guards the three below */
    unsigned ring_next;
    uint64_t ring_total;
    struct dp_last_drop ring[LAST_DROPS];
    unsigned ring_this_burst;
};

void exits_init(struct exits *, struct datapath *);

static inline void
exits_begin(struct exits *x, const struct ports *ports, instant now)
{
    x->ports = ports;
    x->now = now;
    x->ring_this_burst = 0;
}

void exits_flush(struct exits *);
void exits_flush_one(struct exits *, struct out *);

/* Takes the reference. */
void exits_drop(struct exits *, struct packet *, enum drop);
/* Newest first; any thread. */
size_t exits_last_drops(struct exits *, struct dp_last_drop *, size_t max);

/* Takes the reference. */
static ALWAYS_INLINE void
exits_output(struct exits *x, dpport port, struct packet *p)
{
    unsigned slot = port % OUTS;
    struct out *out = &x->outs[slot];
    if (unlikely(out->port != port || out->n == BURST)) {
        exits_flush_one(x, out);
        out->port = port;
    }
    x->open |= 1ULL << slot;
    out->packets[out->n++] = p;
}

/* Runs a program over packets that came by one flow; takes the references.  'reason' counts them when the program puts out nothing. */
void execute(struct exits *, const void *actions, size_t n, enum drop reason, struct packet *packets[],
             unsigned n_packets);

#endif
