/* normal - the NORMAL action: a learning bridge with VLANs.
 *
 * Source.  IEEE 802.1Q chapter 8 as far as ovs-vswitchd.conf.db(5) follows it: a frame is classified into a VLAN, judged, its source is
 * learned, and it goes to where its destination was heard last or to all ports of the VLAN.
 *
 * Order of outputs.  Ports that see the frame with the same tags stand together, so that tags change as often as there are different
 * looks, not as often as there are ports; first come those that see it as it is.
 */
#include "base/vec.h"
#include "pipeline/walk.h"

#define ETH_VLAN 0x8100
#define ETH_QINQ 0x88a8
#define ETH_ARP 0x0806
enum { ARP_REQUEST = 1, ARP_REPLY = 2 };

struct output {
    const struct snap_port *port;
    struct tags tags;
    bool is_done;
};

struct normal {
    struct xlate *x;
    const struct snap_bundle *in;
    struct vlan_place place;
    struct tags deeper; /* tags that VLANs here do not reach */
    VEC(struct output) outputs;
};

/* Frames that a controller sends come from no port: in any VLAN, to all, and nothing is learned. */
static const struct snap_bundle from_nowhere = {
    .name = "OFPP_NONE",
    .vlan = {.mode = VLAN_TRUNK, .trunks_all = true, .cvlans_all = true},
};

/* ---- may it come in? ---- */

static bool
is_vlan_type(be16 type)
{
    return type == be16_of(ETH_VLAN) || type == be16_of(ETH_QINQ);
}

void
walk_split_tags(const struct xlate *x, struct vlan_tag seen[KEY_VLANS], struct tags *deeper)
{
    deeper->n = 0;
    memset(seen, 0, KEY_VLANS * sizeof *seen);
    for (unsigned i = 0; i < MIN(x->want.n, KEY_VLANS); i++)
        seen[i] = x->want.at[i];
    for (unsigned i = KEY_VLANS; i < x->want.n; i++)
        deeper->at[deeper->n++] = x->want.at[i];
}

static bool
classify(struct normal *n)
{
    struct xlate *x = n->x;
    struct vlan_tag seen[KEY_VLANS];
    walk_split_tags(x, seen, &n->deeper);

    unsigned vid = host16(seen[0].tci) & VLAN_VID_MASK;
    switch (vlan_ingress(&n->in->vlan, seen, &n->place)) {
    case VLAN_OK:
        return true;
    case VLAN_BAD_TAGGED_ON_ACCESS:
        report(x, REPORT_ERROR, "dropping VLAN %u tagged packet received on port %s configured as VLAN %u access port",
               vid, n->in->name, n->in->vlan.vid);
        walk_drop(x, DROP_VLAN_TAGGED_ON_ACCESS);
        break;
    case VLAN_BAD_NOT_MEMBER:
        report(x, REPORT_ERROR, "dropping VLAN %u packet received on port %s not configured for trunking VLAN %u", vid,
               n->in->name, vid);
        walk_drop(x, DROP_VLAN_NOT_MEMBER);
        break;
    case VLAN_BAD_CUSTOMER:
        report(x, REPORT_ERROR, "dropping VLAN %u packet received on dot1q-tunnel port %s that excludes this VLAN", vid,
               n->in->name);
        walk_drop(x, DROP_VLAN_CUSTOMER);
        break;
    }
    report(x, REPORT_WARN, "disallowed VLAN VID for this input port, dropping");
    return false;
}

static bool
admit(struct normal *n)
{
    struct xlate *x = n->x;
    walk_look(x, eth_src);
    walk_look(x, eth_dst);
    walk_look(x, eth_type);
    walk_look_vid(x);
    n->in = x->is_from_nowhere ? &from_nowhere : x->in_port ? x->in_port->bundle : NULL;
    if (!n->in) {
        report(x, REPORT_WARN, "no input bundle, dropping");
        walk_drop(x, DROP_NO_ROUTE_TO_BRIDGE);
        return false;
    }
    if (n->in->is_mirror_out) {
        report(x, REPORT_ERROR, "dropping packet received on port %s, which is reserved exclusively for mirroring",
               n->in->name);
        walk_drop(x, DROP_MIRROR_OUTPUT_PORT);
        return false;
    }
    if (is_vlan_type(x->key->eth_type) && !x->key->vlan[0].tpid) {
        report(x, REPORT_WARN, "partial VLAN tag, dropping");
        walk_drop(x, DROP_VLAN_PARTIAL);
        return false;
    }
    if (!classify(n))
        return false;
    if (!x->s->forward_bpdu && mac_is_reserved(x->key->eth_dst)) {
        report(x, REPORT_DETAIL, "packet has reserved destination MAC, dropping");
        walk_drop(x, DROP_RESERVED_MULTICAST);
        return false;
    }
    if (n->in->n_members > 1 && x->in_port != n->in->active) {
        report(x, REPORT_DETAIL, "bonding refused admissibility, dropping");
        walk_drop(x, DROP_BOND_BACKUP);
        return false;
    }
    return true;
}

/* ---- learning ---- */

/* A station tells all where it is.  Matters only to bonds, so the bits are looked at only where there are some. */
static bool
is_gratuitous_arp(struct xlate *x)
{
    const struct key *k = x->key;
    if (k->eth_type != be16_of(ETH_ARP) || !mac_equal(k->eth_dst, MAC_BROADCAST))
        return false;
    walk_look(x, arp_op);
    if (k->arp_op == be16_of(ARP_REPLY))
        return true;
    if (k->arp_op != be16_of(ARP_REQUEST))
        return false;
    walk_look(x, arp_spa);
    walk_look(x, arp_tpa);
    return k->arp_spa == k->arp_tpa;
}

static unsigned
how_heard(struct normal *n)
{
    if (!n->x->s->has_bonds)
        return 0;
    return (is_gratuitous_arp(n->x) ? FDB_GRATUITOUS : 0) | (n->in->n_members > 1 ? FDB_BOND : 0);
}

static bool
learns(const struct normal *n)
{
    return !vlan_bit(n->x->s->flood_vlans, n->place.vid);
}

static void
learn(struct normal *n)
{
    struct xlate *x = n->x;
    const struct bridge *b = x->bridge;
    struct mac src = x->key->eth_src;
    if (n->in == &from_nowhere || !learns(n) || mac_is_multicast(src))
        return;
    unsigned how = how_heard(n);
    if (x->in->may_learn && fdb_learn(b->fdb, src, n->place.vid, n->in->id, how, x->in->now))
        report(x, REPORT_DETAIL, "learned that " MAC_FMT " is on port %s in VLAN %u", MAC_ARGS(src), n->in->name,
               n->place.vid);
    walk_depend(x, fdb_slot(b->id, n->place.vid, src));
    /* Whoever moved the address between these lines would not be noticed by the flow; learning it again would, by its bump. */
    if (x->in->may_learn)
        fdb_learn(b->fdb, src, n->place.vid, n->in->id, how, x->in->now);
    walk_credit(x, (struct credit){.kind = CREDIT_FDB, .number = n->in->id, .vlan = n->place.vid, .mac = src});
}

/* ---- outputs ---- */

bool
walk_bundle_tags(struct xlate *x, const struct snap_bundle *b, const struct vlan_place *place,
                 const struct tags *deeper, struct tags *out)
{
    struct vlan_tag tags[KEY_VLANS + 1];
    out->n = vlan_egress(&b->vlan, place, tags);
    if (vlan_asks_pcp(&b->vlan, place))
        walk_look_pcp(x);
    if (out->n + deeper->n > TAGS_MAX) {
        report(x, REPORT_ERROR, "more than %u VLAN tags, skipping output", TAGS_MAX);
        walk_drop(x, DROP_LOOP);
        return false;
    }
    memcpy(out->at, tags, out->n * sizeof tags[0]);
    memcpy(&out->at[out->n], deeper->at, deeper->n * sizeof tags[0]);
    out->n += deeper->n;
    return true;
}

static void
add_output(struct normal *n, const struct snap_bundle *b)
{
    struct xlate *x = n->x;
    struct output out = {.port = b->active};
    if (!b->active) {
        walk_depend_port(x, b->members[0]);
        report(x, REPORT_DETAIL, "bond %s has no active member, skipping output", b->name);
        walk_drop(x, DROP_PORT_DOWN);
        return;
    }
    if (walk_bundle_tags(x, b, &n->place, &n->deeper, &out.tags))
        vec_push(&n->outputs, out);
}

/* May the frame go from where it came to this bundle? */
static bool
may_leave(struct normal *n, const struct snap_bundle *b)
{
    if (vlan_asks_inner(&b->vlan, &n->place))
        walk_look_inner(n->x);
    if (!vlan_carries_place(&b->vlan, &n->place))
        return false;
    if (b->is_protected && n->in->is_protected) {
        report(n->x, REPORT_WARN, "Flow is between protected ports, skipping output.");
        walk_drop(n->x, DROP_PROTECTED);
        return false;
    }
    return true;
}

static void
flood(struct normal *n)
{
    struct xlate *x = n->x;
    if (x->depth == 1)
        walk_depend(x, x->bridge->slot_flood);
    walk_drop(x, DROP_NOWHERE);
    struct snap_walk walk = snap_walk_of(x->s, n->place.vid);
    const struct snap_bundle *b;
    while ((b = snap_walk_next(&walk)))
        if (b != n->in && b->may_flood && !b->is_mirror_out && may_leave(n, b))
            add_output(n, b);
}

static void
forward(struct normal *n, ofport to)
{
    struct xlate *x = n->x;
    const struct snap_port *p = snapshot_port(x->s, to);
    if (p)
        walk_depend_port(x, p);
    if (!p || !p->bundle) {
        report(x, REPORT_WARN, "learned port is unknown, dropping");
        walk_drop(x, DROP_NOWHERE);
    } else if (p->bundle == n->in) {
        report(x, REPORT_DETAIL, "learned port is input port, dropping");
        walk_drop(x, DROP_SAME_PORT);
    } else {
        report(x, REPORT_DETAIL, "forwarding to learned port");
        walk_drop(x, DROP_VLAN_NOT_MEMBER);
        if (may_leave(n, p->bundle))
            add_output(n, p->bundle);
    }
}

static void
choose_outputs(struct normal *n)
{
    struct xlate *x = n->x;
    struct mac dst = x->key->eth_dst;
    ofport to = OFPORT_NONE;
    if (!mac_is_multicast(dst) && learns(n)) {
        walk_depend(x, fdb_slot(x->bridge->id, n->place.vid, dst));
        to = fdb_find(x->bridge->fdb, dst, n->place.vid, x->in->now);
    }
    if (to != OFPORT_NONE) {
        forward(n, to);
    } else {
        report(x, REPORT_DETAIL, "no learned MAC for destination, flooding");
        flood(n);
    }
}

static const struct output *
next_look(const struct normal *n)
{
    const struct output *first = NULL;
    for (size_t i = 0; i < n->outputs.n; i++) {
        const struct output *o = &n->outputs.at[i];
        if (o->is_done)
            continue;
        if (tags_equal(&o->tags, &n->x->have))
            return o;
        first = first ? first : o;
    }
    return first;
}

static void
put_out(struct normal *n)
{
    const struct output *look;
    while ((look = next_look(n))) {
        struct tags tags = look->tags;
        for (size_t i = 0; i < n->outputs.n; i++) {
            struct output *o = &n->outputs.at[i];
            if (o->is_done || !tags_equal(&o->tags, &tags))
                continue;
            o->is_done = true;
            n->x->want = tags;
            walk_output(n->x, o->port);
        }
    }
}

void
normal_run(struct xlate *x)
{
    struct normal n = {.x = x, .outputs = VEC_INIT};
    struct tags want = x->want;
    if (admit(&n)) {
        learn(&n);
        if (x->in_port && !snap_port_forwards(x->in_port)) {
            walk_drop(x, DROP_STP);
        } else {
            choose_outputs(&n);
            put_out(&n);
        }
    }
    x->want = want;
    vec_fini(&n.outputs);
}
