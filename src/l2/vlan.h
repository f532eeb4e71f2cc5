/* vlan - which VLAN does a frame belong to at this port, and how does it look when it leaves by that one?
 *
 * Pure functions over the tags of a frame and a port's configuration; ovs-vswitchd.conf.db(5), Port table, "VLAN Configuration".
 */
#ifndef L2_VLAN_H
#define L2_VLAN_H 1

#include "packet/key.h"

enum vlan_mode { VLAN_ACCESS, VLAN_TRUNK, VLAN_NATIVE_TAGGED, VLAN_NATIVE_UNTAGGED, VLAN_DOT1Q_TUNNEL };
enum priority_tags { PRIORITY_TAGS_NEVER, PRIORITY_TAGS_IF_NONZERO, PRIORITY_TAGS_ALWAYS };

#define VLAN_BITMAP_WORDS 64
static inline bool
vlan_bit(const uint64_t *bitmap, unsigned vid)
{
    return bitmap[vid / 64] >> (vid % 64) & 1;
}

struct vlan_port {
    enum vlan_mode mode;
    uint16_t vid;    /* access, native and tunnel VLAN */
    bool trunks_all; /* 'trunks' empty in the database: every VLAN */
    bool cvlans_all;
    uint64_t trunks[VLAN_BITMAP_WORDS], cvlans[VLAN_BITMAP_WORDS];
    be16 qinq_ethtype; /* 0x88a8 or 0x8100 */
    enum priority_tags priority_tags;
};

/* The frame's place inside the bridge. */
struct vlan_place {
    uint16_t vid; /* the VLAN it belongs to */
    uint8_t pcp;
    bool was_tagged; /* 'vid' or 'pcp' stood in a header */
    be16 tpid;       /* of the header that says 'vid', where one is due */
    uint8_t n_inner; /* tags that travel inside, untouched */
    struct vlan_tag inner[KEY_VLANS];
};

enum vlan_verdict {
    VLAN_OK,
    VLAN_BAD_TAGGED_ON_ACCESS, /* a VID on an access port, though it be the port's own */
    VLAN_BAD_NOT_MEMBER,       /* the port does not trunk this VID */
    VLAN_BAD_CUSTOMER          /* the tunnel port does not include this customer VLAN */
};

/* A tag that is not there has tpid 0. */
enum vlan_verdict vlan_ingress(const struct vlan_port *, const struct vlan_tag tags[KEY_VLANS], struct vlan_place *);
/* Does the port carry this VLAN at all? */
bool vlan_carries(const struct vlan_port *, uint16_t vid);
bool vlan_carries_place(const struct vlan_port *, const struct vlan_place *);
/* The tags of the frame when it leaves; returns how many. */
unsigned vlan_egress(const struct vlan_port *, const struct vlan_place *, struct vlan_tag tags[KEY_VLANS + 1]);

/* What the answers of vlan_carries_place() and vlan_egress() hang on besides the VID, so that a cached flow can leave out the rest. */
bool vlan_asks_inner(const struct vlan_port *, const struct vlan_place *);
bool vlan_asks_pcp(const struct vlan_port *, const struct vlan_place *);

#endif
