/* walk - a translation while it is under way: what xlate.c and the steps (normal.c) share.
 *
 * Tags.      'want' are the tags that the frame has where the walk is; 'have' those it has in the datapath after the actions so far.  They
 *            meet only when something is put out, so tags that nobody sees are never pushed.
 * Mask.      Whoever looks at bits of the key says so (walk_look*) before deciding by them.
 */
#ifndef PIPELINE_WALK_H
#define PIPELINE_WALK_H 1

#include "base/vec.h"
#include "pipeline/backer.h"
#include "pipeline/table.h"

#define TAGS_MAX 8 /* tunnel ports of several bridges may pile them up; one more is a loop */

struct tags {
    unsigned n;
    struct vlan_tag at[TAGS_MAX]; /* outermost first */
};

struct xlate {
    const struct xlate_in *in;
    const struct key *key; /* 'flow': what the frame is where the walk is */
    struct key flow;
    struct key base; /* what it is in the datapath after the actions so far; tags aside, which are in 'have' */
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
    uint8_t table;
    cls_version version;       /* of the bridge's tables */
    const struct rule *rule;   /* NULL: the walk came by no rule */
    bool is_over;              /* 'exit' was met, or a budget ran out */
    struct oa_list action_set; /* what write_actions left for the end */
    VEC(union field_value) stack;
    uint32_t mirrored; /* mirrors of this bridge that have had their copy */
    bool is_mirroring; /* what goes out now is a copy */
    uint16_t cut;      /* and of that so many bytes; 0: all */
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

/* The tags that VLANs here reach, and the others. */
void walk_split_tags(const struct xlate *, struct vlan_tag seen[KEY_VLANS], struct tags *deeper);
/* The frame's look at a port; what that hangs on is looked at.  False: there are too many tags. */
bool walk_bundle_tags(struct xlate *, const struct snap_bundle *, const struct vlan_place *, const struct tags *deeper,
                      struct tags *out);

/* mirror.c: after the frame has come into a bridge; after it has gone out by a port. */
void mirror_in(struct xlate *);
void mirror_out(struct xlate *, const struct snap_port *);

void normal_run(struct xlate *);

/* steps.c: what a rule's list of actions does. */
void steps_run(struct xlate *, const void *list, size_t len);
void steps_run_action_set(struct xlate *);
/* Can this switch carry the list out?  What it cannot is refused when the rule comes, not when a frame does. */
enum of_error steps_check(const void *list, size_t len);

/* xlate.c: the next table, as resubmit and goto have it.  'in_port' is what the rules there shall see. */
void walk_table(struct xlate *, uint8_t table, uint32_t in_port, bool may_miss);

#endif
