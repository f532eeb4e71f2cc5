/* test_net - bridges from short texts, for the tests of this room.
 *
 *     struct net *net = net_new();
 *     net_bridge(net, "br0 LOCAL,1,2 3:access=10 4+5:active=5 6:peer=q7;access=3 : flood=20");
 * A word is a bundle: ports joined by '+' (dpport = number + 100 * index of the bridge; LOCAL's is 99 + 100 * index), its settings behind
 * ':', parted by ";".  Words joined by ',' are bundles without settings.  The words behind a lone ':' are the bridge's.
 */
#ifndef PIPELINE_TEST_NET_H
#define PIPELINE_TEST_NET_H 1

#include "pipeline/backer.h"

#define NET_BRIDGES 8

struct net {
    struct backer *backer;
    struct bridge *bridges[NET_BRIDGES];
    size_t n_bridges;
};

/* Registers the thread with RCU, once. */
struct net *net_new(void);
void net_free(struct net *);
OWN(net);

/* Configures the bridge (makes it, the first time); the refusal is returned. */
int net_bridge(struct net *, const char *text, struct why *);
struct bridge *net_find(struct net *, const char *name);

/* Translates; the caller ends with verdict_fini(). */
void net_xlate(struct net *, const struct key *, instant now, struct verdict *);
/* The actions as text; "drop:REASON" when nothing leaves. */
void net_actions(struct net *, const struct verdict *, struct text *);

#endif
