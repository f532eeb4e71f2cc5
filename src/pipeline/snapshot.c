/* snapshot - see the header. */
#include "pipeline/snapshot.h"
#include "base/mem.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NARROW_MAX 64 /* a bundle of more VLANs is asked each time instead of standing in a list of each */

static void *
take(struct snapshot *s, size_t n, size_t size)
{
    void *p = arena_alloc(&s->arena, MAX(n * size, 1));
    memset(p, 0, n * size);
    return p;
}

static const char *
take_str(struct snapshot *s, const char *text)
{
    return text ? arena_strn(&s->arena, text, strlen(text)) : NULL;
}

/* LOCAL first. */
static uint32_t
rank_of(ofport number)
{
    return number == OFPORT_LOCAL ? 0 : number;
}

/* ---- ports ---- */

static int
ports_by_number(const void *a, const void *b)
{
    const struct snap_port *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

static uint16_t
port_slot(const struct snapshot *s, const struct snap_port *p)
{
    if (p->dp != DPPORT_NONE)
        return version_slot(VERSION_PORT, p->dp);
    return version_slot(VERSION_PORT, 1ull << 63 | (uint64_t) s->bridge_id << 32 | p->number);
}

static int
fill_ports(struct snapshot *s, const struct bridge_config *c, struct why *why)
{
    s->n_ports = c->n_ports;
    s->ports = take(s, c->n_ports, sizeof *s->ports);
    for (size_t i = 0; i < c->n_ports; i++) {
        const struct bridge_port_config *from = &c->ports[i];
        struct snap_port *to = &s->ports[i];
        if (from->number != OFPORT_LOCAL && (!from->number || from->number >= OFPORT_MAX))
            return refuse(why, -EINVAL, "%s: %u is not the number of a port", from->name, from->number);
        if (from->patch_peer && from->dp != DPPORT_NONE)
            return refuse(why, -EINVAL, "%s: a patch port has no device", from->name);
        *to = (struct snap_port){
            .number = from->number,
            .name = take_str(s, from->name),
            .dp = from->dp,
            .patch_peer = take_str(s, from->patch_peer),
            .may_flood = from->may_flood,
            .may_receive = from->may_receive,
            .may_forward = from->may_forward,
            .is_up = from->is_up,
        };
        to->slot = port_slot(s, to);
        s->has_patches |= from->patch_peer != NULL;
    }
    if (s->n_ports)
        qsort(s->ports, s->n_ports, sizeof *s->ports, ports_by_number);
    for (size_t i = 1; i < s->n_ports; i++)
        if (s->ports[i].number == s->ports[i - 1].number)
            return refuse(why, -EINVAL, "%s and %s have the same number %u", s->ports[i - 1].name, s->ports[i].name,
                          s->ports[i].number);
    return 0;
}

struct snap_port *
snapshot_port(const struct snapshot *s, ofport number)
{
    size_t low = 0, high = s->n_ports;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (s->ports[mid].number == number)
            return &s->ports[mid];
        if (s->ports[mid].number < number)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

struct snap_port *
snapshot_port_named(const struct snapshot *s, const char *name)
{
    for (size_t i = 0; i < s->n_ports; i++)
        if (!strcmp(s->ports[i].name, name))
            return &s->ports[i];
    return NULL;
}

/* ---- bundles ---- */

static int
members_by_number(const void *a, const void *b)
{
    const struct snap_port *x = *(struct snap_port *const *) a, *y = *(struct snap_port *const *) b;
    return rank_of(x->number) < rank_of(y->number) ? -1 : 1;
}

static int
bundles_by_port(const void *a, const void *b)
{
    const struct snap_bundle *x = a, *y = b;
    return rank_of(x->id) < rank_of(y->id) ? -1 : 1;
}

static int
fill_bundle(struct snapshot *s, struct snap_bundle *to, const struct bridge_bundle_config *from, struct why *why)
{
    if (!from->n_members)
        return refuse(why, -EINVAL, "%s: has no members", from->name);
    *to = (struct snap_bundle){
        .name = take_str(s, from->name),
        .vlan = from->vlan,
        .n_members = from->n_members,
        .members = take(s, from->n_members, sizeof *to->members),
        .is_protected = from->is_protected,
        .may_flood = true,
    };
    for (size_t i = 0; i < from->n_members; i++) {
        struct snap_port *p = snapshot_port(s, from->members[i]);
        if (!p)
            return refuse(why, -EINVAL, "%s: there is no port %u", from->name, from->members[i]);
        if (p->bundle)
            return refuse(why, -EINVAL, "%s: port %s is claimed twice", from->name, p->name);
        p->bundle = to; /* again, once the bundles have their final places */
        to->members[i] = p;
        to->may_flood &= p->may_flood;
        if (p->number == from->active)
            to->active = p;
    }
    if (from->active != OFPORT_NONE && !to->active)
        return refuse(why, -EINVAL, "%s: port %u is not a member", from->name, from->active);
    qsort(to->members, to->n_members, sizeof *to->members, members_by_number);
    to->id = to->members[0]->number;
    s->has_bonds |= to->n_members > 1;
    return 0;
}

static int
fill_bundles(struct snapshot *s, const struct bridge_config *c, struct why *why)
{
    s->n_bundles = c->n_bundles;
    s->bundles = take(s, c->n_bundles, sizeof *s->bundles);
    for (size_t i = 0; i < c->n_bundles; i++) {
        int err = fill_bundle(s, &s->bundles[i], &c->bundles[i], why);
        if (err)
            return err;
    }
    if (s->n_bundles)
        qsort(s->bundles, s->n_bundles, sizeof *s->bundles, bundles_by_port);
    for (size_t i = 0; i < s->n_bundles; i++) {
        struct snap_bundle *b = &s->bundles[i];
        b->order = i;
        for (size_t j = 0; j < b->n_members; j++)
            b->members[j]->bundle = b;
    }
    return 0;
}

/* ---- mirrors ---- */

/* Sets the mirror's bit for the bundles of these ports. */
static int
select_bundles(struct snapshot *s, const char *name, const ofport *ports, size_t n, unsigned bit, bool is_dst,
               struct why *why)
{
    for (size_t i = 0; i < n; i++) {
        struct snap_port *p = snapshot_port(s, ports[i]);
        if (!p || !p->bundle)
            return refuse(why, -EINVAL, "mirror %s: there is no port %u", name, ports[i]);
        *(is_dst ? &p->bundle->dst_mirrors : &p->bundle->src_mirrors) |= 1u << bit;
    }
    return 0;
}

static int
fill_mirror(struct snapshot *s, const struct bridge_mirror_config *from, unsigned i, struct why *why)
{
    struct snap_mirror *to = &s->mirrors[i];
    *to = (struct snap_mirror){
        .name = take_str(s, from->name),
        .all_vlans = from->all_vlans,
        .out_vlan = from->output == OFPORT_NONE ? from->output_vlan : 0,
        .snaplen = from->snaplen,
    };
    memcpy(to->vlans, from->vlans, sizeof to->vlans);
    if (from->output != OFPORT_NONE) {
        struct snap_port *p = snapshot_port(s, from->output);
        if (!p || !p->bundle)
            return refuse(why, -EINVAL, "mirror %s: there is no port %u", from->name, from->output);
        to->out = p->bundle;
        to->out->is_mirror_out = true;
    }
    for (size_t b = 0; from->selects_all && b < s->n_bundles; b++) {
        s->bundles[b].src_mirrors |= 1u << i;
        s->bundles[b].dst_mirrors |= 1u << i;
    }
    int err = select_bundles(s, from->name, from->src, from->n_src, i, false, why);
    return err ? err : select_bundles(s, from->name, from->dst, from->n_dst, i, true, why);
}

static int
fill_mirrors(struct snapshot *s, const struct bridge_config *c, struct why *why)
{
    if (c->n_mirrors > BRIDGE_MIRRORS_MAX)
        return refuse(why, -EINVAL, "%zu mirrors are more than %u", c->n_mirrors, BRIDGE_MIRRORS_MAX);
    s->n_mirrors = c->n_mirrors;
    s->mirrors = take(s, c->n_mirrors, sizeof *s->mirrors);
    for (size_t i = 0; i < c->n_mirrors; i++) {
        int err = fill_mirror(s, &c->mirrors[i], i, why);
        if (err)
            return err;
    }
    /* A port that is reserved for copies is no place to copy from. */
    for (size_t b = 0; b < s->n_bundles; b++)
        if (s->bundles[b].is_mirror_out)
            s->bundles[b].src_mirrors = s->bundles[b].dst_mirrors = 0;
    return 0;
}

/* ---- who carries what ---- */

/* The VLANs that a bundle carries, if they are few; NARROW_MAX + 1: many.  Looking at 4,096 VIDs of each of a thousand ports would take longer
 * than all the rest. */
static unsigned
list_vlans(const struct vlan_port *p, uint16_t vids[NARROW_MAX + 1])
{
    unsigned n = 0;
    if (p->mode == VLAN_ACCESS || p->mode == VLAN_DOT1Q_TUNNEL) {
        vids[0] = p->vid;
        return 1;
    }
    if (p->trunks_all)
        return NARROW_MAX + 1;
    bool has_native = p->mode != VLAN_TRUNK && !vlan_bit(p->trunks, p->vid);
    if (has_native)
        vids[n++] = p->vid;
    for (unsigned word = 0; word < VLAN_BITMAP_WORDS; word++)
        for (uint64_t bits = p->trunks[word]; bits && n <= NARROW_MAX; bits &= bits - 1) {
            uint16_t vid = word * 64 + __builtin_ctzll(bits);
            if (vlan_carries(p, vid))
                vids[n++] = vid;
        }
    return n;
}

static int
narrow_by_vid(const void *a, const void *b)
{
    const struct snap_in_vlan *x = a, *y = b;
    return x->vid != y->vid ? x->vid - y->vid : (int) x->bundle->order - (int) y->bundle->order;
}

static void
fill_lists(struct snapshot *s)
{
    uint16_t vids[NARROW_MAX + 1];
    size_t room = 0;
    s->wide = take(s, s->n_bundles, sizeof *s->wide);
    for (size_t i = 0; i < s->n_bundles; i++) {
        unsigned n = list_vlans(&s->bundles[i].vlan, vids);
        if (n > NARROW_MAX)
            s->wide[s->n_wide++] = &s->bundles[i];
        else
            room += n;
    }
    s->narrow = take(s, room, sizeof *s->narrow);
    for (size_t i = 0; i < s->n_bundles; i++) {
        unsigned n = list_vlans(&s->bundles[i].vlan, vids);
        for (unsigned j = 0; n <= NARROW_MAX && j < n; j++)
            s->narrow[s->n_narrow++] = (struct snap_in_vlan){vids[j], &s->bundles[i]};
    }
    if (s->n_narrow)
        qsort(s->narrow, s->n_narrow, sizeof *s->narrow, narrow_by_vid);
}

struct snap_walk
snap_walk_of(const struct snapshot *s, uint16_t vid)
{
    size_t low = 0, high = s->n_narrow;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (s->narrow[mid].vid < vid)
            low = mid + 1;
        else
            high = mid;
    }
    return (struct snap_walk){s, 0, low, vid};
}

struct snap_bundle *
snap_walk_next(struct snap_walk *w)
{
    const struct snapshot *s = w->s;
    struct snap_bundle *wide = w->wide < s->n_wide ? s->wide[w->wide] : NULL;
    struct snap_bundle *narrow =
        w->narrow < s->n_narrow && s->narrow[w->narrow].vid == w->vid ? s->narrow[w->narrow].bundle : NULL;
    if (narrow && (!wide || narrow->order < wide->order)) {
        w->narrow++;
        return narrow;
    }
    w->wide += wide != NULL;
    return wide;
}

/* ---- life ---- */

static int
fill(struct snapshot *s, const struct bridge_config *c, uint32_t bridge_id, struct why *why)
{
    s->name = take_str(s, c->name);
    s->bridge_id = bridge_id;
    s->datapath_id = c->datapath_id;
    s->hwaddr = c->hwaddr;
    s->fail_mode = c->fail_mode;
    s->has_controller = c->has_controller;
    s->forward_bpdu = c->forward_bpdu;
    s->has_stp = c->stp != NULL;
    memcpy(s->flood_vlans, c->flood_vlans, sizeof s->flood_vlans);
    int err = fill_ports(s, c, why);
    if (!err)
        err = fill_bundles(s, c, why);
    if (!err)
        err = fill_mirrors(s, c, why);
    if (!err)
        fill_lists(s);
    return err;
}

int
snapshot_new(const struct bridge_config *c, uint32_t bridge_id, struct snapshot **out, struct why *why)
{
    struct arena arena = ARENA_INIT;
    AUTO(snapshot) struct snapshot *s = arena_alloc(&arena, sizeof *s);
    *s = (struct snapshot){.arena = arena};
    int err = fill(s, c, bridge_id, why);
    if (err)
        return err;
    *out = MOVE(s);
    return 0;
}

void
snapshot_free(struct snapshot *s)
{
    if (s) {
        struct arena arena = s->arena; /* which holds 's' */
        arena_fini(&arena);
    }
}

static void
release(rcu_later *rcu)
{
    snapshot_free(CONTAINER_OF(rcu, struct snapshot, rcu));
}

void
snapshot_free_later(struct snapshot *s)
{
    if (s)
        rcu_free_later(&s->rcu, release);
}

/* ---- what is different ---- */

static bool
str_equal(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

static bool
bitmap_equal(const uint64_t *a, const uint64_t *b)
{
    return !memcmp(a, b, VLAN_BITMAP_WORDS * sizeof *a);
}

static bool
vlan_equal(const struct vlan_port *a, const struct vlan_port *b)
{
    return a->mode == b->mode && a->vid == b->vid && a->trunks_all == b->trunks_all && a->cvlans_all == b->cvlans_all &&
           bitmap_equal(a->trunks, b->trunks) && bitmap_equal(a->cvlans, b->cvlans) &&
           a->qinq_ethtype == b->qinq_ethtype && a->priority_tags == b->priority_tags;
}

static bool
mirrors_equal(const struct snapshot *a, const struct snapshot *b)
{
    if (a->n_mirrors != b->n_mirrors)
        return false;
    for (size_t i = 0; i < a->n_mirrors; i++) {
        const struct snap_mirror *x = &a->mirrors[i], *y = &b->mirrors[i];
        if (x->traffic != y->traffic || x->all_vlans != y->all_vlans || !bitmap_equal(x->vlans, y->vlans) ||
            x->out_vlan != y->out_vlan || x->snaplen != y->snaplen || !x->out != !y->out ||
            (x->out && x->out->id != y->out->id))
            return false;
    }
    return true;
}

bool
snapshot_settings_equal(const struct snapshot *a, const struct snapshot *b)
{
    return a->fail_mode == b->fail_mode && a->has_controller == b->has_controller &&
           a->forward_bpdu == b->forward_bpdu && a->has_bonds == b->has_bonds && a->has_stp == b->has_stp &&
           mirrors_equal(a, b) && bitmap_equal(a->flood_vlans, b->flood_vlans);
}

static bool
bundle_equal(const struct snap_bundle *a, const struct snap_bundle *b)
{
    if (!a || !b)
        return a == b;
    return a->id == b->id && vlan_equal(&a->vlan, &b->vlan) && a->n_members == b->n_members &&
           (a->active ? a->active->number : OFPORT_NONE) == (b->active ? b->active->number : OFPORT_NONE) &&
           a->is_protected == b->is_protected && a->may_flood == b->may_flood && a->is_mirror_out == b->is_mirror_out &&
           a->src_mirrors == b->src_mirrors && a->dst_mirrors == b->dst_mirrors;
}

bool
snapshot_port_equal(const struct snap_port *a, const struct snap_port *b)
{
    return a->dp == b->dp && a->life == b->life && str_equal(a->patch_peer, b->patch_peer) &&
           a->may_flood == b->may_flood && a->may_receive == b->may_receive && a->may_forward == b->may_forward &&
           a->is_up == b->is_up && bundle_equal(a->bundle, b->bundle);
}

bool
snapshot_port_keeps_macs(const struct snap_port *old, const struct snap_port *new)
{
    return new && old->bundle &&new->bundle &&str_equal(old->name, new->name) &&
           str_equal(old->bundle->name, new->bundle->name) && vlan_equal(&old->bundle->vlan, &new->bundle->vlan);
}
