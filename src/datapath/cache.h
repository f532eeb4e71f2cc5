/* cache - the flows of one lane: from the key of a packet to what is done with it, in at most 1 + 8 probes whatever the rules and the traffic.
 *
 * Use.        A lane asks cache_find() for a burst of keys that came by one port.  For what is not found it asks the pipeline and gives the
 *             verdict to cache_add().  Between bursts it calls cache_sweep() while that has something to do.
 * Shape.      Every port has a list of at most CACHE_SHAPES 'shapes' (masks): the exact-on-relevant-bits one (level 1) and wildcards of its own
 *             (level 2).  One table of flows serves all shapes of all ports.
 * Statistics. The lane adds to the flow; whoever else reads goes through cache_read(), and a flow that dies leaves its last figures
 *             in its record, which waits in a list for cache_take_dead().
 * Threads.    One lane writes.  cache_read(), cache_take_dead() and the counters: the control thread, inside an RCU section.
 */
#ifndef DATAPATH_CACHE_H
#define DATAPATH_CACHE_H 1

#include "datapath/datapath.h"

#define CACHE_MASKS 8                  /* wildcard masks of one port */
#define CACHE_SHAPES (1 + CACHE_MASKS) /* the most probes of one packet */
#define KEY_WORDS (KEY_CACHED_BYTES / 8)
#define FLOW_WORDS 8 /* words of a masked key that stand in the flow itself */

/* One bit mask, as the list of its words that are not zero. */
struct shape {
    uint64_t salt; /* of the hash: equal bytes under two shapes are two things */
    uint32_t number;
    uint32_t n_flows;
    uint64_t hits; /* since the last sorting */
    bool is_level1;
    bool is_line;    /* all of it stands in the first line of a key: its flows keep that line as it is, masked */
    bool is_retired; /* the port's level 1 mask is another one now: its flows are found no more */
    uint16_t n;
    uint16_t at[KEY_WORDS];
    uint64_t bits[KEY_WORDS];
    uint64_t line[FLOW_WORDS] CACHE_ALIGNED; /* the mask, when is_line */
};

/* What is rarely looked at, and what outlives the flow. */
struct flow_record {
    struct flow_record *next_dead;
    void *credits;
    struct deps deps;
    dpport in_port;
    uint8_t level;
    bool was_cached; /* false: the verdict for a single packet */
    uint16_t n_more; /* words of the masked key beyond FLOW_WORDS */
    uint16_t n_ideal;
    uint32_t actions_len;
    uint32_t lane;
    uint32_t first_bytes; /* of the packet that made it */
    /* the control thread's: what it has handed on already */
    uint64_t pushed_packets, pushed_bytes;
    /* once dead */
    uint64_t packets, bytes;
    int64_t used_ns;
    uint16_t tcp_flags;
    /* then, in this order */
    uint64_t *more; /* n_more words */
    struct ideal_word
        *ideal; /* the verdict's own mask, and the whole key of the first packet: words where either is not zero */
    uint8_t *actions;
    uint8_t *ideal_at; /* which words these are */
};

struct ideal_word {
    uint64_t mask, key;
};
static_assert(KEY_WORDS <= UINT8_MAX, "a word's number is a byte");

struct flow {
    /* first line: what is compared */
    uint64_t words[FLOW_WORDS];
    /* second line: what is written per burst */
    _Atomic uint64_t packets, bytes;
    _Atomic int64_t used_ns;
    struct flow_record *_Atomic record; /* NULL: free */
    uint32_t hash;
    uint32_t all_seen;   /* versions.all when the dependencies were last found to hold */
    uint32_t out;        /* the port, when OUTPUT is all it does; else DPPORT_NONE */
    uint32_t mark;       /* burst << 5 | group: who meets it again in the same burst */
    uint32_t next, prev; /* in its ring */
    uint16_t shape;
    _Atomic uint16_t tcp_flags;
    uint8_t ring; /* enum cache_ring */
    uint8_t met;  /* hits since the hand of the clock passed, up to 3 */
    uint16_t tag;
} CACHE_ALIGNED;
static_assert(sizeof(struct flow) == 128, "two lines");

enum cache_ring { RING_FREE, RING_PROBATION, RING_MAIN, RING_N };

/* What one lane knows of one ingress port. */
struct cache_port {
    dpport port;
    uint32_t relevant_version; /* of the level 1 mask in use */
    bool is_gone;              /* the sweep removes its flows, then itself */
    struct key relevant;
    uint16_t n_relevant, relevant_at[KEY_WORDS]; /* its words that are not zero */
    struct shape *shapes[CACHE_SHAPES];          /* in the order they are probed */
    unsigned n_shapes;
    struct shape *level1;  /* one of them, or NULL: nothing of level 1 yet */
    uint32_t hand[RING_N]; /* a flow of the ring: the oldest; 0: empty */
    uint32_t n[RING_N];
    int64_t had_ns;               /* lane.c's: the time of the lane that this port has had, as it is shared out */
    struct waiting_port *waiting; /* waiting.c's; freed with the port */
    _Atomic uint32_t n_waiting;   /* packets in it; anyone may read */
    struct cache_port *next;
};

/* Written by the lane with relaxed stores, read by anyone. */
struct cache_counters {
    _Atomic uint64_t hits[2]; /* by level */
    _Atomic uint64_t misses, probes, evicted, uncached;
    _Atomic uint64_t n_flows, n_shapes;
};

struct cache {
    struct flow *flows; /* [0] is never used */
    struct bucket *buckets;
    uint32_t n_buckets, low_mask; /* linear hashing: buckets below n_buckets - (low_mask + 1) are split */
    _Atomic uint32_t n_made;      /* flows[1 .. n_made] have been used at some time */
    uint32_t n_ready;             /* flows whose memory may be touched */
    uint32_t buckets_ready;
    uint32_t free; /* the head of the free list; 0: none */
    uint32_t n_flows;
    _Atomic uint32_t limit; /* the control thread writes */
    struct cache_port *ports;
    unsigned n_ports_used;      /* ports with flows: who shares the limit */
    struct cache_port *fattest; /* the one that is furthest above its share, as of the last look */
    struct shape **shapes;      /* by number */
    uint16_t n_shape_slots;
    uint32_t lane;
    const struct versions *versions;
    uint64_t secret[KEY_WORDS + 1];
    struct flow_record *_Atomic dead;
    _Atomic uint32_t n_dead;
    /* the sweep under way */
    uint32_t sweep_at; /* 0: none */
    int64_t sweep_older_than_ns;
    bool sweep_all;
    struct cache_counters counters;
};

void cache_init(struct cache *, unsigned lane, const struct versions *, unsigned limit);
void cache_fini(struct cache *); /* every flow dies; take the dead first or after */
void cache_limit(struct cache *, unsigned limit);

struct cache_port *cache_port(struct cache *, dpport); /* made on first use */
void cache_port_relevant(struct cache *, struct cache_port *, const struct key *, uint32_t version);

/* Sets flows[i] for each of at most BURST keys, NULL for a miss. */
void cache_find(struct cache *, struct cache_port *, const struct key *const keys[], unsigned n, struct flow *flows[]);
/* The packet that found this flow is not served by it now, but will ask again. */
void cache_unhit(struct cache *, const struct flow *);
/* Of all bits that matter for the port: two packets that differ here may have different flows. */
uint32_t cache_exact_hash(const struct cache *, const struct cache_port *, const struct key *);

/* Keeps the verdict.  NULL: it is not to be kept, or there is no room; its record then goes to the dead list, with 'packets' and 'bytes' on it if
 * somebody wants credit.  Takes verdict->credits. */
struct flow *cache_add(struct cache *, struct cache_port *, const struct key *, struct verdict *, uint32_t bytes,
                       instant now);

static inline const uint8_t *
flow_actions(const struct flow *f)
{
    return atomic_load_explicit(&f->record, memory_order_relaxed)->actions;
}

/* Begins to look at every flow: those that are idle since 'older_than', broken, or of a port or mask that is no more, go. */
void cache_sweep_begin(struct cache *, instant older_than, bool all);
/* Looks at up to 'n' flows; true while there is more to do. */
bool cache_sweep(struct cache *, unsigned n);

/* -- the control thread -- */

struct flow_reading {
    struct flow_record *record;
    const struct flow *flow;
    uint64_t packets, bytes;
    int64_t used_ns;
    uint16_t tcp_flags;
};
/* Every flow alive, each read at one moment. */
void cache_read(struct cache *, void (*fn)(void *aux, const struct flow_reading *), void *aux);
/* The same in pieces: looks at 'n' places from 'from' on (begin with 0) and returns where to go on; 0: that was all. */
uint32_t cache_read_some(struct cache *, uint32_t from, uint32_t n, void (*fn)(void *aux, const struct flow_reading *),
                         void *aux);
struct flow_record *cache_take_dead(struct cache *);
void flow_record_free(struct flow_record *); /* its credits have been given back */

/* Makes a mask more specific until it stands on the lattice that bounds the number of masks: prefixes in steps, everything else whole. */
void mask_round(struct key *mask);

#endif
