/* xlate - from a frame to what shall be done with it.
 *
 * Shape.     A walk: the bridge's tables choose a rule, the rule's steps run, an output to a patch port goes on in the next bridge.  Today's
 *            tables hold one rule, the default of the fail mode; NORMAL is one kind of step.
 * Answer.    A verdict: actions, the bits that decided, what the answer depends on, and who gets the flow's statistics.
 * Budgets.   A walk goes through at most 'max_depth' bridges one inside the other and takes at most 'max_steps' rules in all; what was put out
 *            until then stays, the rest is dropped, counted and reported.
 * Threads.   Any that may read RCU.  Learning is the only thing it changes.
 */
#ifndef PIPELINE_XLATE_H
#define PIPELINE_XLATE_H 1

#include "datapath/datapath.h"
#include "pipeline/bridge.h"
#include "pipeline/report.h"

struct xlate_in {
    const struct key *key;
    instant now;
    const struct packet *packet; /* NULL: only the key is known */
    bool may_learn;              /* MAC addresses and rules */
    bool may_tell;               /* controllers get their packet-ins (control thread) */
    struct report *report;       /* NULL: nobody listens */
    const struct bridge *at;     /* NULL: key->port tells; else the frame comes in here ... */
    const void *list;            /* actions to run in place of the bridge's tables (a packet-out); NULL: none */
    size_t list_len;
    struct key *end;               /* set to what the frame is in the end; NULL: nobody asks */
    ofport number;                 /* ... by this port, which need not exist; OFPORT_NONE: by none */
    unsigned max_depth, max_steps; /* 0: the usual 64 and 4,096 */
};

/* 'v' is initialised, its deps begun. */
void xlate(const struct backer *, const struct xlate_in *, struct verdict *v);
void verdict_init(struct verdict *, const struct versions *);
/* The caller gives back the credits, if it has not handed them on. */
void verdict_fini(struct verdict *);

/* Bits that translations of a bridge can look at. */
enum { RELEVANT_NORMAL = 1, RELEVANT_ARP = 2, RELEVANT_ALL = 4, RELEVANT_BPDU = 8, RELEVANCE_UNKNOWN = 0xff };
void relevant_mask(unsigned relevance, struct key *mask);

#endif
