/* mirror - copies of what comes and goes, to a port (SPAN) or into a VLAN (RSPAN).
 *
 * Source.  ovs-vswitchd.conf.db(5), Mirror table.  A frame is copied as it is at the moment it is first selected, and once to each destination
 * however many mirrors select it.
 */
#include "pipeline/walk.h"

struct copy {
    struct xlate *x;
    const struct snap_mirror *m;
    struct vlan_place place;
    struct tags deeper;
};

static void
put_out(struct copy *c, const struct snap_bundle *b)
{
    struct tags tags;
    if (!b->active) {
        walk_depend_port(c->x, b->members[0]);
        return;
    }
    if (!walk_bundle_tags(c->x, b, &c->place, &c->deeper, &tags))
        return;
    c->x->want = tags;
    c->x->cut = c->m->snaplen;
    walk_output(c->x, b->active);
    c->x->cut = 0;
}

/* Into a VLAN: every port that carries it, the one it came by too. */
static void
put_out_vlan(struct copy *c)
{
    struct xlate *x = c->x;
    walk_look(x, eth_dst);
    if (c->place.vid == c->m->out_vlan || mac_is_reserved(x->flow.eth_dst))
        return;
    if (x->depth == 1)
        walk_depend(x, x->bridge->slot_flood);
    c->place.vid = c->m->out_vlan;
    struct snap_walk walk = snap_walk_of(x->s, c->place.vid);
    const struct snap_bundle *b;
    while ((b = snap_walk_next(&walk))) {
        if (vlan_asks_inner(&b->vlan, &c->place))
            walk_look_inner(x);
        if (!b->is_mirror_out && vlan_carries_place(&b->vlan, &c->place))
            put_out(c, b);
    }
}

/* Has the frame been copied there before? */
static bool
is_served(const struct xlate *x, const struct snap_mirror *m)
{
    for (unsigned i = 0; i < x->s->n_mirrors; i++) {
        const struct snap_mirror *o = &x->s->mirrors[i];
        if ((x->mirrored >> i & 1) && o->out == m->out && o->out_vlan == m->out_vlan)
            return true;
    }
    return false;
}

static void
copy_to(struct xlate *x, const struct snap_bundle *b, unsigned i)
{
    struct copy c = {.x = x, .m = &x->s->mirrors[i]};
    struct vlan_tag seen[KEY_VLANS];
    walk_look_vid(x);
    walk_split_tags(x, seen, &c.deeper);
    if (vlan_ingress(&b->vlan, seen, &c.place) != VLAN_OK)
        return; /* it belongs to no VLAN here */
    if (!c.m->all_vlans && !vlan_bit(c.m->vlans, c.place.vid))
        return;
    bool is_double = is_served(x, c.m);
    x->mirrored |= 1u << i;
    if (is_double)
        return;
    walk_credit(x, (struct credit){.kind = CREDIT_TX, .number = c.m->traffic});
    struct tags want = x->want;
    x->is_mirroring = true;
    if (c.m->out)
        put_out(&c, c.m->out);
    else
        put_out_vlan(&c);
    x->is_mirroring = false;
    x->want = want;
}

static void
copy_all(struct xlate *x, const struct snap_bundle *b, uint32_t mirrors)
{
    for (unsigned i = 0; i < x->s->n_mirrors; i++)
        if ((mirrors & ~x->mirrored) >> i & 1)
            copy_to(x, b, i);
}

void
mirror_in(struct xlate *x)
{
    const struct snap_bundle *b = x->in_port ? x->in_port->bundle : NULL;
    if (b && !b->is_mirror_out)
        copy_all(x, b, b->src_mirrors);
}

void
mirror_out(struct xlate *x, const struct snap_port *p)
{
    if (!x->is_mirroring && p->bundle)
        copy_all(x, p->bundle, p->bundle->dst_mirrors);
}
