/* vlan - see the header.
 *
 * Theory.  Inside the bridge a frame has one VLAN and perhaps tags of its customer, and no header says so: ingress takes the header off,
 * egress puts one on where the port's mode wants it.  A header with VID 0 carries only a priority, and is no VLAN.
 *
 * One rule is ours: where the VID is 0 but a customer's tag travels inside, the header stays whatever 'priority-tags' says.  Leaving it
 * out would show the customer's tag as the frame's VLAN to the next switch.
 */
#include "l2/vlan.h"

#define TPID_8021Q be16_of(0x8100)

static uint16_t
tag_vid(const struct vlan_tag *t)
{
    return host16(t->tci) & VLAN_VID_MASK;
}

static struct vlan_tag
tag_of(be16 tpid, uint16_t vid, uint8_t pcp)
{
    return (struct vlan_tag){tpid ? tpid : TPID_8021Q, be16_of(vid | VLAN_PRESENT | pcp << VLAN_PCP_SHIFT)};
}

static bool
is_native(const struct vlan_port *p)
{
    return p->mode == VLAN_NATIVE_TAGGED || p->mode == VLAN_NATIVE_UNTAGGED;
}

/* A native VLAN is always trunked, and then takes the place of VLAN 0. */
static bool
trunks(const struct vlan_port *p, uint16_t vid)
{
    if (is_native(p) && vid == p->vid)
        return true;
    if (is_native(p) && vid == 0)
        return false;
    return p->trunks_all || vlan_bit(p->trunks, vid);
}

static bool
includes_customer(const struct vlan_port *p, uint16_t cvid)
{
    return p->cvlans_all || vlan_bit(p->cvlans, cvid);
}

static void
take_inner(struct vlan_place *place, const struct vlan_tag *tags, unsigned n)
{
    for (unsigned i = 0; i < n && tags[i].tpid; i++)
        place->inner[place->n_inner++] = tags[i];
}

enum vlan_verdict
vlan_ingress(const struct vlan_port *p, const struct vlan_tag tags[KEY_VLANS], struct vlan_place *place)
{
    uint16_t vid = tag_vid(&tags[0]);
    *place = (struct vlan_place){.vid = vid, .pcp = host16(tags[0].tci) >> VLAN_PCP_SHIFT};
    if (p->mode == VLAN_DOT1Q_TUNNEL) {
        *place = (struct vlan_place){.vid = p->vid, .tpid = p->qinq_ethtype};
        take_inner(place, tags, KEY_VLANS);
        return includes_customer(p, vid) ? VLAN_OK : VLAN_BAD_CUSTOMER;
    }
    if (tags[0].tpid) {
        place->was_tagged = true;
        place->tpid = tags[0].tpid;
        take_inner(place, tags + 1, KEY_VLANS - 1);
    }
    if (p->mode == VLAN_ACCESS) {
        place->vid = p->vid;
        return vid ? VLAN_BAD_TAGGED_ON_ACCESS : VLAN_OK;
    }
    if (is_native(p) && !vid)
        place->vid = p->vid;
    return trunks(p, place->vid) ? VLAN_OK : VLAN_BAD_NOT_MEMBER;
}

bool
vlan_carries(const struct vlan_port *p, uint16_t vid)
{
    if (p->mode == VLAN_ACCESS || p->mode == VLAN_DOT1Q_TUNNEL)
        return vid == p->vid;
    return trunks(p, vid);
}

bool
vlan_carries_place(const struct vlan_port *p, const struct vlan_place *place)
{
    if (!vlan_carries(p, place->vid))
        return false;
    uint16_t cvid = place->n_inner ? tag_vid(&place->inner[0]) : 0;
    if (p->mode == VLAN_ACCESS)
        return !cvid; /* who is on an access port understands no customer's tags */
    return p->mode != VLAN_DOT1Q_TUNNEL || includes_customer(p, cvid);
}

/* Does the frame leave with a header that says its VLAN? */
static bool
shows_vlan(const struct vlan_port *p, uint16_t vid)
{
    switch (p->mode) {
    case VLAN_TRUNK:
    case VLAN_NATIVE_TAGGED:
        return vid;
    case VLAN_NATIVE_UNTAGGED:
        return vid && vid != p->vid;
    case VLAN_ACCESS:
    case VLAN_DOT1Q_TUNNEL:
        return false;
    }
    NOT_REACHED();
}

static bool
shows_priority(const struct vlan_port *p, const struct vlan_place *place)
{
    switch (p->priority_tags) {
    case PRIORITY_TAGS_NEVER:
        return false;
    case PRIORITY_TAGS_IF_NONZERO:
        return place->pcp;
    case PRIORITY_TAGS_ALWAYS:
        return place->pcp || place->was_tagged;
    }
    NOT_REACHED();
}

/* Customer's tags under a VID 0 that came in a header stay inside. */
static bool
hides_inner(const struct vlan_port *p, const struct vlan_place *place)
{
    return (p->mode == VLAN_TRUNK || is_native(p)) && !place->vid && place->n_inner;
}

unsigned
vlan_egress(const struct vlan_port *p, const struct vlan_place *place, struct vlan_tag tags[KEY_VLANS + 1])
{
    unsigned n = 0;
    bool keeps_inner = p->mode != VLAN_ACCESS && place->n_inner;
    if (shows_vlan(p, place->vid))
        tags[n++] = tag_of(place->tpid, place->vid, place->pcp);
    else if (hides_inner(p, place))
        tags[n++] = tag_of(place->tpid, 0, place->pcp);
    else if (!keeps_inner && shows_priority(p, place))
        tags[n++] = tag_of(p->mode == VLAN_TRUNK ? place->tpid : 0, 0, place->pcp);
    for (unsigned i = 0; keeps_inner && i < place->n_inner; i++)
        tags[n++] = place->inner[i];
    return n;
}

bool
vlan_asks_inner(const struct vlan_port *p, const struct vlan_place *place)
{
    if (!vlan_carries(p, place->vid))
        return false;
    return p->mode == VLAN_ACCESS || p->mode == VLAN_DOT1Q_TUNNEL || !shows_vlan(p, place->vid);
}

bool
vlan_asks_pcp(const struct vlan_port *p, const struct vlan_place *place)
{
    return !shows_vlan(p, place->vid) && p->priority_tags != PRIORITY_TAGS_NEVER;
}
