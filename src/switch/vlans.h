/* vlans - from the columns of Port to the VLAN settings of a bundle.
 *
 * Pure; ovs-vswitchd.conf.db(5), Port table, "VLAN Configuration".
 */
#ifndef SWITCH_VLANS_H
#define SWITCH_VLANS_H 1

#include "base/why.h"
#include "l2/vlan.h"

struct vlan_columns {
    const char *mode; /* vlan_mode; NULL: empty */
    int tag;          /* -1: empty */
    const int64_t *trunks, *cvlans;
    size_t n_trunks, n_cvlans;
    const char *qinq_ethtype, *priority_tags; /* other_config; NULL: not there */
};

/* Fills all of 'port'.  -EINVAL with 'why' when the columns contradict each other; the settings are those of the field even then. */
int vlans_from_columns(const struct vlan_columns *, struct vlan_port *port, struct why *);
void vlans_bitmap(const int64_t *vids, size_t n, uint64_t bitmap[VLAN_BITMAP_WORDS]);

#endif
