/* walk - a translation while it is under way: what xlate.c and the steps (normal.c) share.
 *
 * Tags.      'want' are the tags that the frame has where the walk is; 'have' those it has in the datapath after the actions so far.  They
 *            meet only when something is put out, so tags that nobody sees are never pushed.
 * Mask.      Whoever looks at bits of the key says so (walk_look*) before deciding by them.
 */
#ifndef PIPELINE_WALK_H
#define PIPELINE_WALK_H 1

#include "pipeline/backer.h"

#define TAGS_MAX 8 /* tunnel ports of several bridges may pile them up; one more is a loop */

struct tags {
    unsigned n;
    struct vlan_tag at[TAGS_MAX]; /* outermost first */
};

struct xlate {
    const struct xlate_in *in;
    const struct key *key;
    const struct backer *backer;
    const struct wiring *wiring;
    struct verdict *v;
    struct credits *credits;
    unsigned depth, steps;
    struct tags have, want;

    /* where the walk is */
    const struct bridge *bridge;
    const struct snapshot *s;
    const struct snap_port *in_port; /* NULL: no such port */
    bool is_from_nowhere;            /* from no port at all */
};

/* One of the frame's own bytes decided. */
#define walk_look(x, member) memset(&(x)->v->mask.member, 0xff, sizeof(x)->v->mask.member)
void walk_look_vid(struct xlate *);   /* VID of the outermost tag, and whether there is one */
void walk_look_pcp(struct xlate *);   /* its priority and type */
void walk_look_inner(struct xlate *); /* the second tag */

void walk_depend(struct xlate *, uint16_t slot);
/* On all that the configuration says about a port: in bridges behind the first one dependency stands for all ports. */
void walk_depend_port(struct xlate *, const struct snap_port *);
void walk_credit(struct xlate *, struct credit);
void walk_drop(struct xlate *, enum drop); /* the reason, should nothing leave */
bool walk_has_output(const struct xlate *);

bool tags_equal(const struct tags *, const struct tags *);
/* Out by this port with the tags of 'want': to the datapath or on to the next bridge. */
void walk_output(struct xlate *, const struct snap_port *);

void normal_run(struct xlate *);

#endif
